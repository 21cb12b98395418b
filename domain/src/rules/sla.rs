//! The SLA matrix: how long a duty may take, for which matter, where and by whose rule (B.2).
//!
//! A [`Row`] sets the limit for the matters that satisfy its conditions; of all rows that apply the
//! most specific one wins. A [`Matrix`] that passes [`Matrix::check`] has exactly one such row for
//! every matter on every day, so a clock is never without a limit and never has two.
//!
//! A row is more specific than another when its conditions imply the other's and not the other way
//! round: a deeper area, a sub-class instead of its class, a condition instead of none. Nothing
//! else decides, neither the order of rows nor which limit is shorter.

mod cell;
mod check;
mod compiled;
mod fault;
mod import;
mod presets;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use self::{
    check::{References, ancestry},
    compiled::{Compiled, Considered, Unmet, Verdict},
    fault::Tie,
    import::CsvCode,
    presets::{PRESETS, Preset, RANKS, STANDARD, find_preset},
};
use crate::{
    calendar::limit::Limit,
    core::{id::AreaId, labelled_enum::labelled_enum},
    rules::{
        obligation::Duty,
        rule_precedence::{self, Asked, Plain, Span},
        vocabulary::{Channel, Complexity, Demand, Urgency},
    },
};

labelled_enum! {
    /// A column of the matrix; faults point at one.
    Column {
        /// The short code of a row.
        Id = "id", "编号";
        /// The duty that is limited.
        Duty = "duty", "环节";
        /// The area in which it holds.
        Area = "area", "区域";
        /// The channel of the report.
        Channel = "channel", "渠道";
        /// The kind of demand.
        Demand = "demand", "诉求类型";
        /// The category of the matter.
        Category = "category", "类别";
        /// How pressing the matter is.
        Urgency = "urgency", "紧急程度";
        /// The amount of work.
        Complexity = "complexity", "难易";
        /// The rank of the whistle.
        Rank = "rank", "哨级";
        /// Whether it is handled again after a failed verification.
        Redo = "redo", "二次办理";
        /// How long the duty may take.
        Limit = "limit", "时限";
        /// The first day.
        ValidFrom = "valid_from", "生效日";
        /// The last day.
        ValidUntil = "valid_until", "失效日";
        /// The office responsible for it.
        Owner = "owner", "责任单位";
        /// The source of the rule.
        Basis = "basis", "依据";
    }
}

/// One rule. A condition that is not set holds for everything.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its short code, unique in the matrix; written beside every deadline it made.
    pub id: String,
    /// What is limited.
    pub duty: Duty,
    /// Only in this area and everything in it.
    pub area: Option<AreaId>,
    /// Only for reports of this channel.
    pub channel: Option<Channel>,
    /// Only for this kind of demand.
    pub demand: Option<Demand>,
    /// Only for this class or sub-class; a class includes all its sub-classes.
    pub category: Option<String>,
    /// Only for matters of this urgency.
    pub urgency: Option<Urgency>,
    /// Only for matters of this complexity.
    pub complexity: Option<Complexity>,
    /// Only for whistles of this rank.
    pub rank: Option<String>,
    /// Only for the second (`true`) or only for the first (`false`) handling.
    pub redo: Option<bool>,
    /// How long the duty may take.
    pub limit: Limit,
    /// The first day it is in force; none for no beginning.
    pub valid_from: Option<NaiveDate>,
    /// The last day it is in force; none for no end.
    pub valid_until: Option<NaiveDate>,
    /// The office responsible for it. A rule without an owner is refused.
    pub owner: String,
    /// The clause or source it is from.
    pub basis: String,
}

/// All rules of one tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The rows in any order; faults and ties name them by their index.
    pub rows: Vec<Row>,
}

/// A query to a matrix: one duty of one matter on one day.
///
/// An unknown property of the matter satisfies no condition on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    /// The duty to be limited.
    pub duty: Duty,
    /// The area of the matter and those above it, deepest first.
    pub area: &'a [AreaId],
    /// The channel of the report.
    pub channel: Option<Channel>,
    /// The kind of demand.
    pub demand: Option<Demand>,
    /// Its sub-class and the class above, most specific first.
    pub category: &'a [&'a str],
    /// How pressing it is.
    pub urgency: Urgency,
    /// The amount of work.
    pub complexity: Option<Complexity>,
    /// The rank of the whistle, if one was blown.
    pub rank: Option<&'a str>,
    /// Whether it is handled again after a failed verification.
    pub redo: bool,
    /// The local day on which the clock starts.
    pub on: NaiveDate,
}

impl Row {
    /// Whether it applies to a query.
    pub fn applies_to(&self, query: &Query<'_>) -> bool {
        self.duty == query.duty
            && self.urgency.is_none_or(|wanted| wanted == query.urgency)
            && self.redo.is_none_or(|wanted| wanted == query.redo)
            && (self.demand.is_none() || self.demand == query.demand)
            && (self.channel.is_none() || self.channel == query.channel)
            && (self.complexity.is_none() || self.complexity == query.complexity)
            && (self.rank.is_none() || self.rank.as_deref() == query.rank)
            && self.category.as_deref().is_none_or(|code| query.category.contains(&code))
            && self.area.is_none_or(|area| query.area.contains(&area))
            && self.is_in_force(query.on)
    }

    /// Whether it is in force on this day; the first and the last day are included.
    pub fn is_in_force(&self, on: NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| from <= on)
            && self.valid_until.is_none_or(|until| on <= until)
    }

    /// The values of its conditions without levels, in the order of [`PLAIN`].
    fn plain_values(&self) -> Plain<'_> {
        [
            self.channel.map(Channel::name),
            self.demand.map(Demand::name),
            self.urgency.map(Urgency::name),
            self.complexity.map(Complexity::name),
            self.rank.as_deref(),
            self.redo.map(|redo| if redo { "true" } else { "false" }),
        ]
    }

    fn conditions(&self) -> Asked<'_> {
        Asked { category: self.category.as_deref(), area: self.area, plain: self.plain_values() }
    }

    /// The days on which it is in force.
    fn span(&self) -> Span {
        Span {
            from: self.valid_from.unwrap_or(Span::EVER.from),
            until: self.valid_until.unwrap_or(Span::EVER.until),
        }
    }

    /// How much it requires, among rows that apply to one query: of two of which one implies the
    /// other, that one has the larger weight.
    fn weight(&self, query: &Query<'_>) -> usize {
        let area = self.area.and_then(|area| query.area.iter().rev().position(|id| *id == area));
        let category = self.category.as_deref();
        let category =
            category.and_then(|code| query.category.iter().rev().position(|one| *one == code));
        let deep = |position: Option<usize>| position.map_or(0, |above| above + 1);
        deep(area) + deep(category) + self.conditions().count_plain()
    }
}

/// The columns of [`Row::plain_values`].
const PLAIN: [Column; rule_precedence::PLAIN] = [
    Column::Channel,
    Column::Demand,
    Column::Urgency,
    Column::Complexity,
    Column::Rank,
    Column::Redo,
];

/// The conditions, as written in a table.
fn render_conditions(asked: &Asked<'_>) -> Vec<(Column, String)> {
    let area = asked.area.map(|area| (Column::Area, area.to_string()));
    let category = asked.category.map(|code| (Column::Category, code.to_owned()));
    let plain = PLAIN.into_iter().zip(asked.plain);
    let plain = plain.filter_map(|(column, value)| Some((column, value?.to_owned())));
    area.into_iter().chain(category).chain(plain).collect()
}

impl Matrix {
    /// The row that decides: the most specific of those that apply.
    ///
    /// It examines every row; [`Compiled::find`] gives the same answer without that.
    pub fn find(&self, query: &Query<'_>) -> Option<&Row> {
        let applying = self.rows.iter().filter(|row| row.applies_to(query));
        // In a checked matrix one row implies all others that apply, so it alone has the largest
        // weight.
        applying.max_by(|a, b| a.weight(query).cmp(&b.weight(query)).then(b.id.cmp(&a.id)))
    }

    /// Lays these rows over others, as a preset over the standard: a row here replaces those of the
    /// same duty with the same conditions there.
    #[must_use]
    pub fn overlay_on(self, base: Self) -> Self {
        let Self { rows: mut own } = self;
        let replaced = |row: &Row| {
            own.iter().any(|new| new.duty == row.duty && new.conditions() == row.conditions())
        };
        let mut rows: Vec<Row> = base.rows.into_iter().filter(|row| !replaced(row)).collect();
        rows.append(&mut own);
        Self { rows }
    }
}
