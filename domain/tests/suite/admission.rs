//! The list of matters that communities may be given.

use domain::{
    area::tree::AreaKind,
    core::{id::AreaId, tabular_import::At},
    rules::{
        admission::{Admissions, Entry, EntryKind, Verdict, is_guarded},
        condition::{Period, Query},
        listed::Listed,
    },
};
use proptest::{prelude::*, sample::select};

use super::{
    lists::{CATALOGUE, day, entry, locate_faults, query},
    world::{
        CITY, COMMUNITY, COMMUNITY_BESIDE, DISTRICT, DISTRICT_BESIDE, GRID, NOWHERE, STREET, WORLD,
    },
};
use EntryKind::{Assist, Negative, Statutory};

fn new_admissions(entries: &[Entry]) -> Admissions {
    Admissions { entries: entries.to_vec(), enforced: true }
}

fn find_faults(entries: &[Entry]) -> Vec<(At, &'static str, &'static str)> {
    locate_faults(&new_admissions(entries).check(&CATALOGUE, &WORLD.areas))
}

fn find_verdict(entries: &[Entry], category: &str, area: AreaId) -> (&'static str, String) {
    let list = new_admissions(entries);
    let verdict = list.find_verdict(&query(category, area, None));
    (verdict.name(), verdict.entry().map_or(String::new(), |entry| entry.code.clone()))
}

fn new_verdict(name: &'static str, code: &str) -> (&'static str, String) {
    (name, code.to_owned())
}

#[test]
fn a_list_decides_only_when_enforced_and_about_classed_matters() {
    let standard = Admissions::standard();
    assert_eq!(standard.find_verdict(&query("A01", GRID, None)), Verdict::NotEnforced);
    assert!(!Verdict::NotEnforced.refuses_dispatch() && !Verdict::NoCategory.refuses_dispatch());
    let unclassed = Query { categories: Vec::new(), ..query("A", GRID, None) };
    assert_eq!(new_admissions(&[]).find_verdict(&unclassed), Verdict::NoCategory);
    assert_eq!(new_admissions(&[]).find_verdict(&query("A", GRID, None)), Verdict::NotListed);
    assert!(Verdict::NotListed.refuses_dispatch());
    let kinds: Vec<_> = AreaKind::ALL.iter().filter(|kind| is_guarded(**kind)).collect();
    assert_eq!(kinds, [&AreaKind::Community, &AreaKind::Grid]);
}

#[test]
fn the_most_specific_entry_decides() {
    let entries = [
        entry("class", Statutory, "A", None),
        entry("sub", Negative, "A01", None),
        entry("here", Assist, "A01", Some(STREET)),
    ];
    assert_eq!(find_faults(&entries), vec![]);
    assert_eq!(find_verdict(&entries, "A02", GRID), new_verdict("listed", "class"));
    assert_eq!(find_verdict(&entries, "A01", COMMUNITY_BESIDE), new_verdict("negative", "sub"));
    assert_eq!(find_verdict(&entries, "A01", GRID), new_verdict("listed", "here"));
    assert_eq!(find_verdict(&entries, "B", GRID), new_verdict("not_listed", ""));
    let negative = entry("n", Negative, "A", None);
    assert!(
        Verdict::Negative(&negative).refuses_dispatch()
            && !Verdict::Listed(&negative).refuses_dispatch()
    );
}

#[test]
fn negative_beats_positive_where_neither_is_more_specific() {
    let same = [entry("1", Statutory, "A01", None), entry("2", Negative, "A01", None)];
    assert_eq!(find_faults(&same), vec![]);
    assert_eq!(find_verdict(&same, "A01", GRID), new_verdict("negative", "2"));
    let crossed = [entry("1", Statutory, "A01", None), entry("2", Negative, "A", Some(STREET))];
    assert_eq!(find_faults(&crossed), vec![]);
    assert_eq!(find_verdict(&crossed, "A01", GRID), new_verdict("negative", "2"));
    assert_eq!(find_verdict(&crossed, "A01", COMMUNITY_BESIDE), new_verdict("listed", "1"));
}

#[test]
fn an_entry_that_is_over_lists_nothing() {
    let period = Period { from: day(1, 1), until: Some(day(6, 1)) };
    let over = Entry { period, ..entry("1", Statutory, "A", None) };
    assert_eq!(find_verdict(&[over], "A", GRID), new_verdict("not_listed", ""));
}

#[test]
fn every_fault_is_named() {
    let good = || entry("1", Statutory, "A01", None);
    let one = |entry: Entry| find_faults(&[entry]);
    let at = |column, code| vec![(At::Row(0), column, code)];
    let empty = Period { from: day(2, 1), until: Some(day(1, 1)) };
    assert_eq!(one(Entry { code: String::new(), ..good() }), at("code", "empty"));
    assert_eq!(one(Entry { basis: " ".into(), ..good() }), at("basis", "empty"));
    assert_eq!(one(Entry { category: "Z".into(), ..good() }), at("category", "unknown_category"));
    assert_eq!(one(Entry { area: Some(NOWHERE), ..good() }), at("area", "unknown_area"));
    assert_eq!(one(Entry { period: empty, ..good() }), at("valid_until", "empty_period"));
    let duplicate = [good(), entry("1", Statutory, "B", None)];
    assert_eq!(find_faults(&duplicate), vec![(At::Row(1), "code", "duplicate_code")]);
    let tie = vec![(At::Row(1), "category", "tie")];
    assert_eq!(find_faults(&[good(), entry("2", Assist, "A01", None)]), tie);
    assert_eq!(find_faults(&[good(), entry("2", Assist, "A", Some(STREET))]), tie);
    let negatives = [entry("1", Negative, "A01", None), entry("2", Negative, "A01", None)];
    assert_eq!(find_faults(&negatives), tie);
    assert_eq!(find_faults(&vec![good(); 5_001]), vec![(At::Whole, "", "too_many_rows")]);
}

#[test]
fn a_table_is_imported_or_all_its_faults_come_back() {
    let import = |text: &str| {
        Admissions::import_csv(text, &CATALOGUE, &WORLD.areas)
            .map_err(|faults| locate_faults(&faults))
    };
    let header = "code,kind,category,area,basis,valid_from,valid_until\n";
    let row = "1,协助,A01,320102001,区委办〔2026〕3号,2026-01-01,\n";
    let good = Admissions {
        enforced: false,
        ..new_admissions(&[entry("1", Assist, "A01", Some(STREET))])
    };
    assert_eq!(import(&format!("{header}{row}")), Ok(good));
    let line = |line, column, code| (At::Line(line), column, code);
    let bad = format!("{header}{row}2,maybe,A,9,b,1 May,\n");
    let expected = [
        line(3, "kind", "unknown_kind"),
        line(3, "area", "unknown_area"),
        line(3, "valid_from", "bad_date"),
    ];
    assert_eq!(import(&bad).unwrap_err(), expected);
    let tie = format!("{header}{row}\n2,statutory,A01,320102001,b,2026-01-01,\n");
    assert_eq!(import(&tie).unwrap_err(), [line(4, "category", "tie")]);
}

#[test]
fn a_document_with_unknown_fields_is_refused() {
    assert!(serde_json::from_str::<Admissions>(r#"{"entries":[],"enforced":true}"#).is_ok());
    assert!(serde_json::from_str::<Admissions>(r#"{"entries":[],"enforced":true,"x":1}"#).is_err());
}

fn any_entry() -> impl Strategy<Value = (EntryKind, &'static str, Option<AreaId>)> {
    let areas = [None, Some(DISTRICT), Some(STREET), Some(COMMUNITY), Some(DISTRICT_BESIDE)];
    let kinds = vec![Statutory, Assist, Negative];
    (select(kinds), select(vec!["A", "A01", "A02", "B"]), select(areas.to_vec()))
}

proptest! {
    #[test]
    fn without_faults_order_does_not_matter(rows in prop::collection::vec(any_entry(), 0..6)) {
        let named = |(at, (kind, category, area)): (usize, &(EntryKind, &str, _))| {
            entry(&at.to_string(), *kind, category, *area)
        };
        let entries: Vec<Entry> = rows.iter().enumerate().map(named).collect();
        prop_assume!(find_faults(&entries).is_empty());
        // Where the list does not decide, codes do: reversed codes would show it.
        let renamed = |(at, one): (usize, &Entry)| Entry { code: (9 - at).to_string(), ..one.clone() };
        let reversed: Vec<Entry> = entries.iter().enumerate().map(renamed).rev().collect();
        for category in ["A", "A01", "A02", "B"] {
            for area in [CITY, DISTRICT, STREET, COMMUNITY, GRID, DISTRICT_BESIDE] {
                let query = query(category, area, None);
                let facts = |entries: &[Entry]| {
                    let list = new_admissions(entries);
                    let verdict = list.find_verdict(&query);
                    let entry = verdict.entry().map(|one| (one.kind, one.category.clone(), one.area));
                    (verdict.name(), entry)
                };
                prop_assert_eq!(facts(&entries), facts(&reversed));
            }
        }
    }
}
