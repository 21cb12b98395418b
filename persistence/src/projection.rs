//! What the journal says the tables hold: rows made once more by what wrote them, compared with
//! those that stand there.
//!
//! Everything a flow's journal implies is made anew here: its own row, what is owed, who holds
//! what, which units a case involves, what names a file, the lists of campaigns. What is sealed,
//! what a phone said and what a camera wrote follow from no journal.

mod differing;

use std::collections::BTreeMap;

use domain::{
    core::{
        id::TenantId,
        journal::{Entry, FlowKind},
    },
    flows::{
        campaign::Campaign, case::state::Case, change::Change, content_review::Review, flow::Flow,
        form::Form, household::Household, media::Media, patrol::Patrol, patrol_plan::PatrolPlan,
        person::Person, policy::Policy, report::Report, visit::Visit,
    },
    rules::obligation::{Obligation, Settled, Term},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{
    flows::{
        campaign::{CampaignRow, TaskRow},
        case::{CaseRow, CaseUnitRow},
        content_review::ReviewRow,
        form::FormRow,
        household::{HouseholdRow, RelationRow, Relations},
        media::{LinkRow, MediaRow},
        patrol::PatrolRow,
        patrol_plan::PlanRow,
        policy::PolicyRow,
        report::ReportRow,
        visit::VisitRow,
    },
    kernel::{
        connection::Db, error::StoreError, look::Tabled, obligation::ObligationRow, rows::Row,
        types::Doc,
    },
    people::{
        person::PersonRow,
        post::{GrantRow, Holding},
    },
};

use differing::{MISSING, differing, held, without_journal};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What differs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Odd {
    /// The kind of flow it belongs to.
    pub kind: String,
    /// Which.
    pub flow: Uuid,
    /// How it differs, in words.
    pub why: String,
}

/// Where in its journal a change stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Whether it is the first.
    pub first: bool,
    /// Whether it is the last.
    pub last: bool,
}

/// A flow whose rows follow from its journal.
pub trait Projected: Tabled {
    /// Takes what a change writes.
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()>;
}

/// A row that follows from a journal.
trait Derived: Row {
    /// Whether it is the flow's own.
    const OWN: bool = false;
    /// The column that holds a document, compared by what it says and not by its letters.
    const DOCUMENT: Option<&'static str> = None;

    /// The kind of flow it follows from, and which.
    fn flow(&self) -> (&str, Uuid);

    /// Whether the document that stands there says the same.
    fn says(&self, _there: &str) -> bool {
        false
    }

    /// Which of several it is, in words.
    fn named(&self) -> String {
        String::new()
    }
}

/// Whether two documents say the same.
fn same<T: DeserializeOwned + PartialEq>(one: &str, other: &str) -> bool {
    let read = |text| serde_json::from_str::<T>(text).ok();
    read(one).is_some_and(|one| Some(one) == read(other))
}

macro_rules! own {
    ($($row:ident: $flow:ty;)+) => {
        $(impl Derived for $row {
            const OWN: bool = true;
            const DOCUMENT: Option<&'static str> = Some("state");

            fn flow(&self) -> (&str, Uuid) {
                (<$flow as Flow>::KIND.name(), self.id.0)
            }

            fn says(&self, there: &str) -> bool {
                same::<$flow>(&self.state.0, there)
            }
        })+
    };
}

own! {
    ReportRow: Report;
    CaseRow: Case;
    PersonRow: Person;
    PolicyRow: Policy;
    PatrolRow: Patrol;
    PlanRow: PatrolPlan;
    HouseholdRow: Household;
    VisitRow: Visit;
    CampaignRow: Campaign;
    FormRow: Form;
    MediaRow: Media;
    ReviewRow: Review;
}

impl Derived for ObligationRow {
    const DOCUMENT: Option<&'static str> = Some("term");

    fn flow(&self) -> (&str, Uuid) {
        (&self.flow, self.flow_id.0)
    }

    fn says(&self, there: &str) -> bool {
        same::<Term>(&self.term.0, there)
    }

    fn named(&self) -> String {
        format!("{} no {} of {}", self.duty, self.no, self.unit_id.0)
    }
}

impl Derived for GrantRow {
    fn flow(&self) -> (&str, Uuid) {
        (FlowKind::Person.name(), self.person_id.0)
    }

    fn named(&self) -> String {
        format!("{} over {}", self.role, self.area_id.0)
    }
}

impl Derived for RelationRow {
    fn flow(&self) -> (&str, Uuid) {
        (FlowKind::Household.name(), self.household_id.0)
    }

    fn named(&self) -> String {
        format!("{} {}", self.role, self.person_id.0)
    }
}

impl Derived for CaseUnitRow {
    fn flow(&self) -> (&str, Uuid) {
        (FlowKind::Case.name(), self.case_id.0)
    }

    fn named(&self) -> String {
        self.unit_id.0.to_string()
    }
}

impl Derived for LinkRow {
    fn flow(&self) -> (&str, Uuid) {
        (&self.kind, self.flow_id.0)
    }

    fn named(&self) -> String {
        self.media_id.0.to_string()
    }
}

impl Derived for TaskRow {
    fn flow(&self) -> (&str, Uuid) {
        (FlowKind::Campaign.name(), self.campaign_id.0)
    }

    fn named(&self) -> String {
        self.household_id.0.to_string()
    }
}

/// The rows of a table as they ought to be.
#[derive(Debug)]
struct Table<R> {
    rows: BTreeMap<String, R>,
    /// How many were compared already.
    compared: i64,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), compared: 0 }
    }
}

impl<R: Derived> Table<R> {
    fn put(&mut self, row: R) {
        self.rows.insert(row.place(), row);
    }

    /// Takes a row that is written again: only some of its columns change.
    fn overwrite(&mut self, row: R) {
        match self.rows.get_mut(&row.place()) {
            Some(there) => there.overwrite(&row),
            None => self.put(row),
        }
    }

    fn put_all(&mut self, rows: impl IntoIterator<Item = R>) {
        for row in rows {
            self.put(row);
        }
    }

    fn overwrite_all(&mut self, rows: impl IntoIterator<Item = R>) {
        for row in rows {
            self.overwrite(row);
        }
    }

    /// Takes a flow's own row: as it was at first, and what has changed at last.
    fn own(&mut self, at: Place, row: impl FnOnce() -> Result<R>) -> Result<()> {
        if at.first {
            self.put(row()?);
        } else if at.last {
            self.overwrite(row()?);
        }
        Ok(())
    }

    fn compare(&mut self, db: &mut Db, odd: &mut Vec<Odd>) -> Result<()> {
        const ABREAST: usize = 500;
        let rows: Vec<R> = std::mem::take(&mut self.rows).into_values().collect();
        self.compared += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        for some in rows.chunks(ABREAST) {
            for (index, columns, document) in differing(db, some)? {
                let Some(row) = some.get(index) else { continue };
                odd.extend(told(row, &columns, document.as_ref()));
            }
        }
        Ok(())
    }
}

/// How a row differs, in words; none when only the letters of its document do.
fn told<R: Derived>(row: &R, columns: &str, document: Option<&Doc>) -> Option<Odd> {
    let (kind, flow) = row.flow();
    let odd = |why: String| Some(Odd { kind: kind.to_owned(), flow, why });
    if columns == MISSING {
        return odd(if R::OWN {
            format!("the {kind} itself is missing")
        } else {
            format!("{} {} is missing", R::TABLE, row.named())
        });
    }
    let says = document.is_some_and(|there| row.says(&there.0));
    let columns: Vec<&str> = columns
        .split_whitespace()
        .filter(|column| !(says && R::DOCUMENT == Some(*column)))
        .collect();
    if columns.is_empty() {
        return None;
    }
    let names = columns.join(", ");
    odd(if R::OWN && columns.contains(&"state") {
        format!("the stored state is not what its journal says ({names})")
    } else if R::OWN {
        format!("{names} of its row is not what its journal says")
    } else {
        format!("{} {}: {names} is not what the journal says", R::TABLE, row.named())
    })
}

/// What the journals that were taken say the tables hold.
#[derive(Debug, Default)]
pub struct Projection {
    reports: Table<ReportRow>,
    cases: Table<CaseRow>,
    people: Table<PersonRow>,
    policies: Table<PolicyRow>,
    patrols: Table<PatrolRow>,
    plans: Table<PlanRow>,
    households: Table<HouseholdRow>,
    visits: Table<VisitRow>,
    campaigns: Table<CampaignRow>,
    forms: Table<FormRow>,
    media: Table<MediaRow>,
    reviews: Table<ReviewRow>,
    obligations: Table<ObligationRow>,
    grants: Table<GrantRow>,
    relations: Table<RelationRow>,
    case_units: Table<CaseUnitRow>,
    links: Table<LinkRow>,
    tasks: Table<TaskRow>,
}

/// Does the same with every table: flows' own first, each with the column that names the flow and its kind in SQL.
macro_rules! tables {
    ($projection:expr, $each:ident) => {
        $each!($projection, reports, ReportRow, "id", "'report'");
        $each!($projection, cases, CaseRow, "id", "'case'");
        $each!($projection, people, PersonRow, "id", "'person'");
        $each!($projection, policies, PolicyRow, "id", "'policy'");
        $each!($projection, patrols, PatrolRow, "id", "'patrol'");
        $each!($projection, plans, PlanRow, "id", "'patrol_plan'");
        $each!($projection, households, HouseholdRow, "id", "'household'");
        $each!($projection, visits, VisitRow, "id", "'visit'");
        $each!($projection, campaigns, CampaignRow, "id", "'campaign'");
        $each!($projection, forms, FormRow, "id", "'form'");
        $each!($projection, media, MediaRow, "id", "'media'");
        $each!($projection, reviews, ReviewRow, "id", "'content_review'");
        $each!($projection, obligations, ObligationRow, "flow_id", "t.flow");
        $each!($projection, grants, GrantRow, "person_id", "'person'");
        $each!($projection, relations, RelationRow, "household_id", "'household'");
        $each!($projection, case_units, CaseUnitRow, "case_id", "'case'");
        $each!($projection, links, LinkRow, "flow_id", "t.kind");
        $each!($projection, tasks, TaskRow, "campaign_id", "'campaign'");
    };
}

impl Projection {
    /// Compares what was taken with what stands in the tables, and forgets it.
    pub fn compare(&mut self, db: &mut Db) -> Result<Vec<Odd>> {
        let mut odd = Vec::new();
        macro_rules! compare {
            ($projection:expr, $table:ident, $row:ty, $flow:literal, $kind:literal) => {
                $projection.$table.compare(db, &mut odd)?;
            };
        }
        tables!(self, compare);
        odd.sort_unstable();
        Ok(odd)
    }

    /// What stands in the tables of a tenant beyond what was compared, once every journal was:
    /// each with the flow it belongs to where that has no journal, or else only how many rows of
    /// which table.
    pub fn beyond(&self, db: &mut Db, tenant: TenantId) -> Result<Vec<String>> {
        let mut beyond = Vec::new();
        macro_rules! count {
            ($projection:expr, $table:ident, $row:ty, $flow:literal, $kind:literal) => {
                let table = <$row as Row>::TABLE;
                let more = held(db, table, tenant)? - $projection.$table.compared;
                if more > 0 {
                    for flow in without_journal(db, table, ($flow, $kind), tenant)? {
                        beyond.push(format!("{table} of {flow}: no journal speaks of it"));
                    }
                    beyond.push(format!("{table}: {more} rows more than the journal says"));
                }
            };
        }
        tables!(self, count);
        Ok(beyond)
    }

    fn owed<F: Flow>(&mut self, change: &Change<F>, number: &str, title: &str) -> Result<()> {
        let entry: &Entry = &change.entry;
        let row = |obligation: &Obligation, settled: Option<&Settled>| {
            ObligationRow::new(entry, number, title, obligation, settled)
        };
        for obligation in &change.opened {
            self.obligations.put(row(obligation, None)?);
        }
        for obligation in &change.moved {
            self.obligations.overwrite(row(obligation, None)?);
        }
        for settled in &change.settled {
            self.obligations.overwrite(row(&settled.obligation, Some(settled))?);
        }
        Ok(())
    }
}

impl Projected for Report {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        let report = &change.state;
        into.reports.own(at, || ReportRow::new(change))?;
        into.links.overwrite_all(LinkRow::all(change, &report.media));
        into.owed(change, &report.number, report.matter.title.as_str())
    }
}

impl Projected for Case {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        let case = &change.state;
        into.cases.own(at, || CaseRow::new(change))?;
        into.links.overwrite_all(LinkRow::all(change, &case.media));
        into.case_units.overwrite_all(CaseUnitRow::all(change));
        into.owed(change, &case.number, case.matter.title.as_str())
    }
}

impl Projected for Person {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.people.own(at, || PersonRow::new(change))?;
        if at.last {
            into.grants.put_all(Holding::new(change).grants);
        }
        into.owed(change, "", "")
    }
}

impl Projected for Policy {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.policies.own(at, || PolicyRow::new(change))?;
        into.owed(change, "", "")
    }
}

impl Projected for Patrol {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.patrols.own(at, || PatrolRow::new(change))?;
        into.owed(change, &change.state.number, change.state.purpose.label())
    }
}

impl Projected for PatrolPlan {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.plans.own(at, || PlanRow::new(change))?;
        into.owed(change, "", "")
    }
}

impl Projected for Household {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.households.own(at, || HouseholdRow::new(change))?;
        if at.last {
            into.relations.put_all(Relations::new(change).rows);
        }
        into.owed(change, &change.state.number, "")
    }
}

impl Projected for Visit {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.visits.own(at, || VisitRow::new(change))?;
        let labels: Vec<&str> =
            change.state.purposes.iter().map(|purpose| purpose.label()).collect();
        into.owed(change, &change.state.number, &labels.join("、"))
    }
}

impl Projected for Campaign {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.campaigns.own(at, || CampaignRow::new(change))?;
        into.tasks.overwrite_all(TaskRow::all(change)?);
        into.owed(change, &change.state.number, change.state.name.as_str())
    }
}

impl Projected for Form {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.forms.own(at, || FormRow::new(change))?;
        into.owed(change, "", "")
    }
}

impl Projected for Media {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.media.own(at, || MediaRow::new(change))?;
        into.owed(change, "", "")
    }
}

impl Projected for Review {
    fn project(change: &Change<Self>, at: Place, into: &mut Projection) -> Result<()> {
        into.reviews.own(at, || ReviewRow::new(change))?;
        into.owed(change, "", "")
    }
}
