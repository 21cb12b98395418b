//! The check of a matrix: no unknown reference, no clock without a limit, none with two.

use std::collections::HashMap;

use super::{
    Column, Matrix, Row, Tie,
    fault::{ROWS, cell_fault, fallback_fault},
    render_conditions,
};
use crate::{
    area::tree::AreaTree,
    calendar::limit::{Limit, LimitUnit},
    core::{
        id::AreaId,
        tabular_import::{Fault, Faults, MAX_FAULTS, MAX_ROWS, expected_text},
        text::{self, Code, Line},
    },
    rules::{
        catalogue::Catalogue,
        obligation::Duty,
        rule_precedence::{self, Entry, Meeting, Scope, Span},
    },
};

/// What rows may refer to.
#[derive(Clone, Copy)]
pub struct References<'a> {
    /// An area and those above it, deepest first; empty for one that does not exist.
    pub areas: &'a dyn Fn(AreaId) -> Vec<AreaId>,
    /// The kinds of matter.
    pub catalogue: &'a Catalogue,
    /// The codes of whistle ranks.
    pub ranks: &'a [&'a str],
}

/// An area and those above it, deepest first; empty for one that is not in the tree.
pub fn ancestry(tree: &AreaTree, area: AreaId) -> Vec<AreaId> {
    std::iter::successors(tree.get(area), |one| tree.parent(one.id)).map(|one| one.id).collect()
}

/// A tenant without categories.
static NO_CATALOGUE: Catalogue = Catalogue { categories: Vec::new() };

impl References<'static> {
    /// The references of a tenant that has nothing yet.
    pub fn new_empty() -> Self {
        Self { areas: &|_| Vec::new(), catalogue: &NO_CATALOGUE, ranks: &[] }
    }
}

impl<'a> References<'a> {
    /// The conditions of a row, with everything above its category and area.
    pub(super) fn scope_of<'r>(&self, row: &'r Row) -> Scope<'r>
    where
        'a: 'r,
    {
        let above = |code: &&'r str| self.catalogue.get(code)?.parent.as_deref();
        // The bound ends a cycle in the catalogue.
        let categories = std::iter::successors(row.category.as_deref(), above).take(8).collect();
        let areas = row.area.map_or_else(Vec::new, |area| match (self.areas)(area) {
            unknown if unknown.is_empty() => vec![area],
            known => known,
        });
        Scope::new(categories, areas, row.plain_values())
    }
}

impl Matrix {
    /// The most rows there may be.
    pub const MAX_ROWS: usize = MAX_ROWS;

    /// The most faults that are reported at once.
    pub const MAX_FAULTS: usize = MAX_FAULTS;

    /// What is wrong with it; empty when every matter has exactly one limit on every day.
    pub fn check(&self, known: &References<'_>) -> Vec<Fault> {
        let mut faults = Faults::for_list(ROWS);
        faults.check_row_count(self.rows.len());
        if !faults.is_empty() {
            return faults.into_vec();
        }
        self.check_unique_ids(&mut faults);
        for (index, row) in self.rows.iter().enumerate() {
            check_row(index, row, known, &mut faults);
        }
        for duty in Duty::ALL.iter().filter(|duty| duty.has_limit()) {
            if let Some(fault) = self.find_fallback_gap(*duty) {
                faults.push(fault);
            }
        }
        if !faults.is_full() {
            self.find_ties(known).iter().for_each(|tie| faults.push(Fault::from(tie)));
        }
        faults.into_vec()
    }

    fn check_unique_ids(&self, faults: &mut Faults) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            let earlier = *first.entry(&row.id).or_insert(index);
            if earlier != index {
                let fault = cell_fault(index, Column::Id, "duplicate_id", &row.id);
                let fault = fault.with_fact("first", format!("/{ROWS}/{earlier}"));
                faults.push(fault.with_expected("各不相同的编号", "an id that no other row has"));
            }
        }
    }

    fn find_fallback_gap(&self, duty: Duty) -> Option<Fault> {
        let always = self.rows.iter().filter(|row| row.duty == duty && row.conditions().is_empty());
        let spans: Vec<Span> = always.map(Row::span).collect();
        let gap = Span::EVER.find_gap(&spans)?;
        Some(fallback_fault(duty, gap.first_day(), gap.last_day()))
    }

    /// Pairs of rows of which neither wins where both apply, up to [`MAX_FAULTS`].
    pub fn find_ties(&self, known: &References<'_>) -> Vec<Tie> {
        let entries = self.rows.iter().enumerate().map(|(index, row)| {
            let entry = Entry { index, scope: known.scope_of(row), span: row.span() };
            (row.duty.name(), entry)
        });
        let id = |index: usize| self.rows.get(index).map(|row| row.id.clone()).unwrap_or_default();
        let tie = |meeting: Meeting<'_>| {
            let [one, two] = meeting.rows;
            let duty = self.rows.get(one)?.duty;
            Some(Tie {
                duty,
                rows: [one, two],
                ids: [id(one), id(two)],
                matter: render_conditions(&meeting.asked),
                from: meeting.days.first_day(),
                until: meeting.days.last_day(),
                same: meeting.same,
            })
        };
        rule_precedence::find_ties(entries, |_, _| false, MAX_FAULTS)
            .into_iter()
            .filter_map(tie)
            .collect()
    }
}

/// What is wrong with one row by itself.
fn check_row(index: usize, row: &Row, known: &References<'_>, faults: &mut Faults) {
    for (column, given, fault) in [
        (Column::Id, &row.id, Code::try_from(row.id.as_str()).err()),
        (Column::Owner, &row.owner, Line::try_from(row.owner.as_str()).err()),
        (Column::Basis, &row.basis, Line::try_from(row.basis.as_str()).err()),
    ] {
        let Some(fault) = fault else { continue };
        let code = if fault == text::Fault::Empty { "missing" } else { "bad_text" };
        let (zh, en) = expected_text(&fault);
        faults.push(cell_fault(index, column, code, given.trim()).with_expected(zh, en));
    }
    let amounts = if row.limit.unit == LimitUnit::SameDay { 1..=1 } else { 1..=Limit::MAX };
    if !amounts.contains(&row.limit.amount) {
        let (zh, en) =
            (format!(" 1 到 {} 个单位", Limit::MAX), format!("1 to {} units", Limit::MAX));
        let given = row.limit.to_string();
        faults.push(cell_fault(index, Column::Limit, "bad_limit", &given).with_expected(zh, en));
    }
    if let Some((from, until)) = row.valid_from.zip(row.valid_until).filter(|(a, b)| b < a) {
        let fault = cell_fault(index, Column::ValidUntil, "backward", &until.to_string());
        faults.push(fault.with_expected(format!("不早于 {from}"), format!("{from} or later")));
    }
    if let Some(area) = row.area.filter(|area| (known.areas)(*area).is_empty()) {
        let fault = cell_fault(index, Column::Area, "unknown_area", &area.to_string());
        faults.push(fault.with_expected("本市（县）的区域", "an area of this tenant"));
    }
    if let Some(code) = row.category.as_ref().filter(|code| known.catalogue.get(code).is_none()) {
        let fault = cell_fault(index, Column::Category, "unknown_category", code);
        faults.push(
            fault.with_expected("目录中的大类或小类", "a class or subclass of the catalogue"),
        );
    }
    if let Some(code) = row.rank.as_ref().filter(|code| !known.ranks.contains(&code.as_str())) {
        let fault = cell_fault(index, Column::Rank, "unknown_rank", code);
        faults.push(fault.with_expected("吹哨规则中的哨级", "a rank of the whistle rules"));
    }
}
