//! Cases as rows.

use crate::flows::media::LinkRow;
use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{AreaId, TenantId},
        journal::FlowKind,
    },
    flows::{
        case::{lifecycle::StageName, state::Case},
        change::{Change, Versioned},
    },
    people::actor::Scope,
};
use std::borrow::Cow;
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowTable, Rows, flow_row, prefix_end, rebuild_state},
    journal::Keyset,
    list::{Narrow as _, flow_list, within_any},
    projection::{Derived, Projection},
    rows::rows,
    schema::{case_units, cases},
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    CaseRow of Case as case in "cases" {
        number: String => Text, "text" = case.number.clone();
        stage: String => Text, "text" = case.stage.name().name().to_owned();
        path: String => Text, "text" = case.place.area.path.0.clone();
        holder_id: Id => sql::Uid, "uuid" = Id(case.holder.id.0);
        category: Option<String> => Nullable<Text>, "text" =
            case.matter.category.clone().map(String::from);
        urgency: String => Text, "text" = case.matter.urgency.name().to_owned();
        title: String => Text, "text" = case.matter.title.clone().into();
        filed_at: At => sql::Moment, "timestamptz" = At(case.filed_at);
        closed_at: Option<At> => Nullable<sql::Moment>, "timestamptz" = case.closed_at().map(At);
    }
    changes (stage, holder_id, closed_at)
}

impl FlowTable for Case {
    const TABLE: &'static str = "cases";

    fn label(&self) -> (&str, Cow<'_, str>) {
        (&self.number, self.matter.title.as_str().into())
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| CaseRow::new(change))?;
        rows.add_derived(LinkRow::from_change(change, &change.state.media))?;
        rows.add_derived(CaseUnitRow::from_change(change))
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<CaseRow>()?;
        projection.expect_table::<CaseUnitRow>()?;
        projection.expect_table::<LinkRow>()
    }
}

#[expect(clippy::struct_field_names, reason = "the columns are called so")]
/// A unit that a case involves: this is how a department finds cases outside its area.
#[derive(Debug, Clone)]
pub(crate) struct CaseUnitRow {
    tenant_id: Id,
    pub(crate) unit_id: Id,
    pub(crate) case_id: Id,
}

rows! {
    CaseUnitRow in "case_units" {
        tenant_id: Id => sql::Uid, "uuid";
        unit_id: Id => sql::Uid, "uuid";
        case_id: Id => sql::Uid, "uuid";
    }
    key (tenant_id, unit_id, case_id) changes ()
}

impl Derived for CaseUnitRow {
    const FLOW: &'static str = "case_id";
    const KIND: Result<FlowKind, &'static str> = Ok(FlowKind::Case);

    fn flow(&self) -> (&str, Uuid) {
        (FlowKind::Case.name(), self.case_id.0)
    }

    fn row_name(&self) -> String {
        self.unit_id.0.to_string()
    }
}

impl CaseUnitRow {
    /// The units this change may have added.
    pub(crate) fn from_change(change: &Change<Case>) -> Vec<Self> {
        // A unit is stored once it becomes involved; only these commands add one.
        const ADD: [&str; 8] = [
            "dispatch",
            "whistle",
            "decide",
            "arbitrate",
            "return",
            "summons_rule",
            "lapse",
            "raise",
        ];
        if !ADD.contains(&change.entry.name.as_str()) {
            return Vec::new();
        }
        let (tenant_id, case_id) = (Id(change.entry.tenant.0), Id(change.state.id.0));
        let row =
            |unit: &domain::area::tree::Unit| Self { tenant_id, unit_id: Id(unit.id.0), case_id };
        change.state.units.iter().map(row).collect()
    }
}

/// Which cases a list shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only those not closed.
    pub open: bool,
    /// Only those not closed, or closed since.
    pub closed_since: Option<Instant>,
    /// Only in this stage.
    pub stage: Option<StageName>,
    /// Only of this category.
    pub category: Option<String>,
    /// Only within one of these areas.
    pub within: Option<Vec<Path>>,
    /// Only those held by one of these areas.
    pub holders: Option<Vec<AreaId>>,
    /// Only cases with these identities.
    pub among: Option<Vec<Uuid>>,
}

flow_list!(Case in cases by filed_at);

/// The cases an actor may see, newest first.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    filter: &Filter,
    page: Keyset,
) -> Result<Vec<Versioned<Case>>> {
    use cases::dsl as c;
    let involved = case_units::table
        .select(case_units::case_id)
        .filter(case_units::tenant_id.eq(Id(scope.tenant.0)))
        .filter(case_units::unit_id.eq_any(scope.units.iter().map(|id| Id(id.0))));
    let open = || c::closed_at.is_null();
    let query = of_tenant(scope.tenant)
        .filter(visible_in(&scope.paths, Box::new(c::id.eq_any(involved))))
        .only(filter.open.then(open))
        .only(
            filter
                .closed_since
                .map(|since| open().or(c::closed_at.assume_not_null().ge(At(since)))),
        )
        .only(filter.stage.map(|stage| c::stage.eq(stage.name())))
        .only(filter.category.clone().map(|category| c::category.eq(category)))
        .only(filter.within.as_deref().map(|paths| within_any!(cases, paths)))
        .only(filter.holders.as_ref().map(|holders| {
            c::holder_id.eq_any(holders.iter().map(|holder| Id(holder.0)).collect::<Vec<_>>())
        }))
        .only(filter.among.as_deref().map(|ids| c::id.eq_any(ids.iter().map(|id| Id(*id)))));
    load_page(query, db, page)
}

/// Cases of one category in an area, filed since an instant, newest first: candidates for
/// duplicates and for repeated whistles.
pub fn load_similar(
    db: &mut Db,
    tenant: TenantId,
    within: &Path,
    category: &str,
    since: Instant,
) -> Result<Vec<Versioned<Case>>> {
    const MOST: i64 = 200;
    let rows = cases::table
        .select((cases::id, cases::seq, cases::head, cases::state))
        .filter(cases::tenant_id.eq(Id(tenant.0)).and(cases::category.eq(category)))
        .filter(cases::path.ge(within.0.clone()).and(cases::path.lt(prefix_end(within))))
        .filter(cases::filed_at.ge(At(since)))
        .order((cases::filed_at.desc(), cases::id.desc()))
        .limit(MOST)
        .load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| rebuild_state("cases", row)).collect()
}

/// When the newest case was filed; for readiness checks.
pub fn load_newest_time(db: &mut Db, tenant: TenantId) -> Result<Option<Instant>> {
    let at: Option<At> = cases::table
        .filter(cases::tenant_id.eq(Id(tenant.0)))
        .order(cases::filed_at.desc())
        .select(cases::filed_at)
        .first(db)
        .optional()?;
    Ok(at.map(|at| at.0))
}
