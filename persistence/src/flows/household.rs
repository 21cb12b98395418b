//! Households as rows, and the people who live there or are responsible for them.

use diesel::{
    prelude::*,
    sql_types::{Nullable, SmallInt, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{HouseholdId, PersonId, TenantId},
        journal::FlowKind,
    },
    flows::{
        change::{Change, Versioned},
        household::{Household, PairingKind, Standing},
    },
    people::actor::Scope,
};
use std::borrow::Cow;
use uuid::Uuid;

use crate::{
    kernel::{
        connection::Db,
        error::StoreError,
        flow::{FlowTable, Replacement, Rows, flow_row},
        journal::Keyset,
        list::{Narrow as _, flow_list, within_any},
        pending::{Saved, Turn},
        projection::{Derived, Projection},
        rows::{self, rows},
        schema::{household_people, households},
        types::{At, Id, sql},
    },
    people::person::MEMBER,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    HouseholdRow of Household as household in "households" {
        path: String => Text, "text" = household.area.path.0.clone();
        building: Option<String> => Nullable<Text>, "text" =
            household.building.clone().map(String::from);
        group_code: Option<String> => Nullable<Text>, "text" =
            household.group.clone().map(|group| group.code.into());
        special: i16 => SmallInt, "smallint" = i16::from(household.special);
        standing: String => Text, "text" = household.standing.name().to_owned();
        registered_at: At => sql::Moment, "timestamptz" = At(household.registered_at);
    }
    changes (path, building, group_code, special, standing)
}

impl FlowTable for Household {
    const TABLE: &'static str = "households";

    fn label(&self) -> (&str, Cow<'_, str>) {
        (&self.number, "".into())
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| HouseholdRow::new(change))?;
        rows.replace_derived(|| Relations::new(change))
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<HouseholdRow>()?;
        projection.expect_table::<RelationRow>()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct RelationRow {
    tenant_id: Id,
    pub(crate) household_id: Id,
    pub(crate) person_id: Id,
    pub(crate) role: String,
    from_at: At,
    until_at: Option<At>,
}

rows! {
    RelationRow in "household_people" {
        tenant_id: Id => sql::Uid, "uuid";
        household_id: Id => sql::Uid, "uuid";
        person_id: Id => sql::Uid, "uuid";
        role: String => Text, "text";
        from_at: At => sql::Moment, "timestamptz";
        until_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
    }
    key (tenant_id, household_id, person_id, role) changes (from_at, until_at)
}

impl Derived for RelationRow {
    const FLOW: &'static str = "household_id";
    const KIND: Result<FlowKind, &'static str> = Ok(FlowKind::Household);

    fn flow(&self) -> (&str, Uuid) {
        (FlowKind::Household.name(), self.household_id.0)
    }

    fn row_name(&self) -> String {
        format!("{} {}", self.role, self.person_id.0)
    }
}

/// Every person related to a household after a change.
#[derive(Debug)]
pub(crate) struct Relations {
    tenant: Id,
    household: Id,
    pub(crate) rows: Vec<RelationRow>,
}

impl Relations {
    pub(crate) fn new(change: &Change<Household>) -> Self {
        let (tenant, household) = (Id(change.entry.tenant.0), Id(change.state.id.0));
        let row = |person: PersonId, role: &str, from, until: Option<Instant>| RelationRow {
            tenant_id: tenant,
            household_id: household,
            person_id: Id(person.0),
            role: role.to_owned(),
            from_at: At(from),
            until_at: until.map(At),
        };
        let since = change.state.registered_at;
        let members = change.state.persons();
        let members = members.into_iter().map(|person| row(person, MEMBER, since, None));
        let pairings = change.state.pairings.iter();
        let pairings = pairings.map(|one| row(one.person, one.kind.name(), one.from, one.until));
        Self { tenant, household, rows: members.chain(pairings).collect() }
    }
}

impl Saved for Relations {
    const TURN: Turn = ("household_people", 0);

    /// Replaces the people related to households.
    fn save(db: &mut Db, all: &[&Self]) -> Result<()> {
        use household_people::dsl as p;
        for Self { tenant, household, .. } in all {
            let theirs = p::tenant_id.eq(*tenant).and(p::household_id.eq(*household));
            diesel::delete(household_people::table.filter(theirs)).execute(db)?;
        }
        let rows: Vec<&RelationRow> = all.iter().flat_map(|one| &one.rows).collect();
        Ok(rows::insert(db, &rows)?)
    }
}

impl Replacement for Relations {
    type Row = RelationRow;

    fn into_rows(self) -> Vec<RelationRow> {
        self.rows
    }
}

/// Which households to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only those with which the asker is paired.
    pub mine: bool,
    /// Only within one of these areas.
    pub within: Option<Vec<Path>>,
    /// Only in this building.
    pub building: Option<String>,
    /// Only of this group of ten.
    pub group: Option<String>,
    /// Only those with, or without, a member in a special-care group.
    pub special: Option<bool>,
    /// Only of this standing.
    pub standing: Option<Standing>,
    /// Only households with these identities.
    pub among: Option<Vec<Uuid>>,
    /// Also those with which the asker was paired at some time after this.
    pub paired_after: Option<Instant>,
}

flow_list!(Household in households by registered_at);

/// The households an actor may see, newest first: those in the actor's areas, and those with which
/// the actor is paired now, if the actor holds an office.
pub fn list(
    db: &mut Db,
    (scope, office): (&Scope, bool),
    filter: &Filter,
    now: Instant,
    page: Keyset,
) -> Result<Vec<Versioned<Household>>> {
    use household_people::dsl as p;
    use households::dsl as h;
    let since = filter.paired_after.unwrap_or(now);
    let kinds: Vec<&str> =
        PairingKind::ALL.iter().filter(|_| office).map(|kind| kind.name()).collect();
    let paired = household_people::table
        .select(p::household_id)
        .filter(p::tenant_id.eq(Id(scope.tenant.0)))
        .filter(p::person_id.eq(Id(scope.person.0)))
        .filter(p::role.eq_any(kinds))
        .filter(p::from_at.le(At(now)))
        .filter(p::until_at.is_null().or(p::until_at.gt(Some(At(since)))));
    let paths = if filter.mine { &[] } else { scope.paths.as_slice() };
    let query = of_tenant(scope.tenant)
        .filter(visible_in(paths, Box::new(h::id.eq_any(paired))))
        .only(filter.within.as_deref().map(|paths| within_any!(households, paths)))
        .only(filter.building.clone().map(|building| h::building.eq(Some(building))))
        .only(filter.group.clone().map(|group| h::group_code.eq(Some(group))))
        .only(filter.special.map(|special| h::special.eq(i16::from(special))))
        .only(filter.standing.map(|standing| h::standing.eq(standing.name())))
        .only(filter.among.as_ref().map(|ids| h::id.eq_any(ids.iter().map(|id| Id(*id)))));
    load_page(query, db, page)
}

/// When the next pairing of a person begins or ends; none when none will.
pub fn load_next_pairing_change(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    now: Instant,
) -> Result<Option<Instant>> {
    use household_people::dsl as p;
    let of_person = || {
        household_people::table
            .filter(p::tenant_id.eq(Id(tenant.0)).and(p::person_id.eq(Id(person.0))))
            .filter(p::role.ne(MEMBER))
    };
    let begins: Option<At> = of_person()
        .filter(p::from_at.gt(At(now)))
        .order(p::from_at.asc())
        .select(p::from_at)
        .first(db)
        .optional()?;
    let ends: Option<Option<At>> = of_person()
        .filter(p::until_at.gt(Some(At(now))))
        .order(p::until_at.asc())
        .select(p::until_at)
        .first(db)
        .optional()?;
    Ok(begins.into_iter().chain(ends.flatten()).map(|at| at.0).min())
}

/// The households a person belongs to, after one, in the order of their identities.
pub fn list_for_member(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<HouseholdId>> {
    use household_people::dsl as p;
    let ids: Vec<Id> = household_people::table
        .filter(p::tenant_id.eq(Id(tenant.0)).and(p::person_id.eq(Id(person.0))))
        .filter(p::role.eq(MEMBER).and(p::household_id.gt(Id(after))))
        .order(p::household_id.asc())
        .select(p::household_id)
        .limit(limit)
        .load(db)?;
    Ok(ids.into_iter().map(|id| HouseholdId(id.0)).collect())
}
