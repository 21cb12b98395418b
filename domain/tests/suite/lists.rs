//! Shared parts of the tests of lists: a catalogue with classes, days, and lines of lists.

use std::sync::LazyLock;

use chrono::NaiveDate;
use domain::{
    area::tree::AreaKind,
    core::{
        id::AreaId,
        tabular_import::{At, Fault},
    },
    rules::{
        admission::{Entry, EntryKind},
        catalogue::{Catalogue, Category},
        condition::{Period, Query},
        responsibility::{Item, Lead},
    },
};

use super::world::WORLD;

pub(crate) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let category = |code: &str, parent: Option<&str>| Category {
        code: code.to_owned(),
        name: format!("类别{code}"),
        parent: parent.map(str::to_owned),
        kind: "event".to_owned(),
        lead: String::new(),
    };
    let parents = [("A", None), ("A01", Some("A")), ("A02", Some("A")), ("B", None)];
    Catalogue { categories: parents.map(|(code, parent)| category(code, parent)).to_vec() }
});

pub(crate) fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).unwrap()
}

/// From New Year until further notice.
pub(crate) fn open_ended() -> Period {
    Period { from: day(1, 1), until: None }
}

pub(crate) fn query(category: &str, area: AreaId, level: Option<AreaKind>) -> Query {
    let query = Query::new((Some(category), &CATALOGUE), (area, &WORLD.areas), day(6, 1));
    Query { level, ..query }
}

pub(crate) fn suffix_lead(text: &str) -> Lead {
    Lead::Suffix(text.to_owned())
}

/// Led by 城管局, without helpers.
pub(crate) fn item(
    code: &str,
    category: &str,
    area: Option<AreaId>,
    level: Option<AreaKind>,
) -> Item {
    Item {
        code: code.to_owned(),
        category: category.to_owned(),
        area,
        level,
        lead: suffix_lead("cg"),
        cooperating: Vec::new(),
        basis: "城市管理条例第十条".to_owned(),
        owner: "区城管局".to_owned(),
        period: open_ended(),
    }
}

pub(crate) fn entry(code: &str, kind: EntryKind, category: &str, area: Option<AreaId>) -> Entry {
    Entry {
        code: code.to_owned(),
        kind,
        category: category.to_owned(),
        area,
        basis: "区委办〔2026〕3号".to_owned(),
        period: open_ended(),
    }
}

/// The places, columns and codes of faults.
pub(crate) fn locate_faults(faults: &[Fault]) -> Vec<(At, &'static str, &'static str)> {
    for fault in faults {
        let (zh, en) = fault.render_message();
        assert!(!zh.starts_with(fault.code), "{zh} has no Chinese name");
        assert!(zh.contains("；应为") && en.contains("; expected "), "{zh} {en}");
    }
    let column = |fault: &Fault| &*Box::leak(fault.column.clone().into_owned().into_boxed_str());
    faults.iter().map(|fault| (fault.at, column(fault), fault.code)).collect()
}
