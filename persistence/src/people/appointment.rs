//! Appointments as rows: who holds which role over which area, and who is on duty. Written with the
//! person, to find people by area.

use std::collections::BTreeSet;

use diesel::{
    prelude::*,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::{AreaTree, Path},
    core::{
        id::{AreaId, PersonId, TenantId},
        journal::FlowKind,
    },
    flows::{
        change::{Change, Versioned},
        person::{Person, Standing},
    },
    people::{
        actor::{Grant, Role},
        staffing::Staffing,
    },
};

use uuid::Uuid;

use crate::{
    kernel::{
        connection::{Db, MultiBackend},
        error::StoreError,
        flow::{Replacement, prefix_end, rebuild_state},
        pending::{Saved, Turn},
        projection::Derived,
        rows::{self, rows},
        schema::{grants, obligations, people},
        types::{At, Doc, Id, sql},
    },
    people::session::end_sessions,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct GrantRow {
    tenant_id: Id,
    pub(crate) person_id: Id,
    no: i64,
    pub(crate) role: String,
    pub(crate) area_id: Id,
    path: String,
    from_at: At,
    until_at: Option<At>,
}

rows! {
    GrantRow in "grants" {
        tenant_id: Id => sql::Uid, "uuid";
        person_id: Id => sql::Uid, "uuid";
        no: i64 => BigInt, "bigint";
        role: String => Text, "text";
        area_id: Id => sql::Uid, "uuid";
        path: String => Text, "text";
        from_at: At => sql::Moment, "timestamptz";
        until_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
    }
    key (tenant_id, person_id, no) changes (role, area_id, path, from_at, until_at)
}

impl Derived for GrantRow {
    const FLOW: &'static str = "person_id";
    const KIND: Result<FlowKind, &'static str> = Ok(FlowKind::Person);

    fn flow(&self) -> (&str, Uuid) {
        (FlowKind::Person.name(), self.person_id.0)
    }

    fn row_name(&self) -> String {
        format!("{} over {}", self.role, self.area_id.0)
    }
}

/// The grants of a person after a change, and whether the account is closed.
#[derive(Debug)]
pub(crate) struct Holding {
    tenant: Id,
    person: Id,
    /// When the account was closed, if it was.
    closed_at: Option<At>,
    pub(crate) grants: Vec<GrantRow>,
}

impl Holding {
    pub(crate) fn new(change: &Change<Person>) -> Self {
        let (tenant, person) = (Id(change.entry.tenant.0), Id(change.state.id.0));
        let row = |(no, grant): (i64, &Grant)| GrantRow {
            tenant_id: tenant,
            person_id: person,
            no,
            role: grant.role.name().to_owned(),
            area_id: Id(grant.over.id.0),
            path: grant.over.path.0.clone(),
            from_at: At(grant.from),
            until_at: grant.until.map(At),
        };
        let closed = change.state.standing != Standing::Active;
        let closed_at = closed.then_some(At(change.entry.at));
        let grants = (0..).zip(&change.state.grants).map(row).collect();
        Self { tenant, person, closed_at, grants }
    }
}

impl Saved for Holding {
    /// Written after the person.
    const TURN: Turn = ("people", 4);

    /// Replaces the grants of people, and ends the logins of closed accounts.
    fn save(db: &mut Db, held: &[&Self]) -> Result<()> {
        for Self { tenant, person, closed_at, .. } in held {
            if let Some(at) = closed_at {
                end_sessions(db, *tenant, *person, *at, "closed")?;
            }
            let theirs = grants::tenant_id.eq(*tenant).and(grants::person_id.eq(*person));
            diesel::delete(grants::table.filter(theirs)).execute(db)?;
        }
        let rows: Vec<&GrantRow> = held.iter().flat_map(|held| &held.grants).collect();
        Ok(rows::insert(db, &rows)?)
    }
}

impl Replacement for Holding {
    type Row = GrantRow;

    fn into_rows(self) -> Vec<GrantRow> {
        self.grants
    }
}

/// Which people to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those with a grant within one of these areas; without it, everyone.
    pub within: Option<Vec<Path>>,
    /// Only with one of these roles; without it, with any.
    pub roles: Option<Vec<Role>>,
    /// Only those on duty at this moment.
    pub on_duty: Option<Instant>,
    /// Only of this standing.
    pub standing: Option<Standing>,
}

/// Sorts after every path: paths are codes, which are ASCII.
const LAST: &str = "\u{7f}";

/// A condition built at run time.
type Condition = Box<dyn BoxableExpression<people::table, MultiBackend, SqlType = Bool>>;

/// The people of a tenant by account, after `after`.
pub fn list(
    db: &mut Db,
    tenant: TenantId,
    filter: &Filter,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Versioned<Person>>> {
    let mut query = people::table
        .select((people::id, people::seq, people::head, people::state))
        .filter(people::tenant_id.eq(Id(tenant.0)))
        .filter(people::account.gt(after.unwrap_or("").to_owned()))
        .into_boxed();
    let roles = filter.roles.as_deref().unwrap_or(Role::ALL);
    let held = |within: Option<&Path>| {
        let (from, to) =
            within.map_or((String::new(), LAST.to_owned()), |p| (p.0.clone(), prefix_end(p)));
        grants::table
            .select(grants::person_id)
            .filter(grants::tenant_id.eq(Id(tenant.0)))
            .filter(grants::role.eq_any(roles.iter().map(|role| role.name())))
            .filter(grants::path.ge(from).and(grants::path.lt(to)))
    };
    if let Some(paths) = &filter.within {
        let mut any: Condition = Box::new(people::id.eq(Id(Uuid::nil())));
        for path in paths {
            any = Box::new(any.or(people::id.eq_any(held(Some(path)))));
        }
        query = query.filter(any);
    } else if filter.roles.is_some() {
        query = query.filter(people::id.eq_any(held(None)));
    }
    if let Some(standing) = filter.standing {
        query = query.filter(people::standing.eq(standing.name()));
    }
    if let Some(at) = filter.on_duty {
        query = query.filter(people::shift_until.gt(At(at)));
    }
    let rows =
        query.order(people::account.asc()).limit(limit).load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| rebuild_state("people", row)).collect()
}

/// The people whose grants name an area, by account; the caller checks whether a grant is in force.
pub fn load_grantees(
    db: &mut Db,
    tenant: TenantId,
    area: AreaId,
    limit: i64,
) -> Result<Vec<Person>> {
    let holders = grants::table
        .select(grants::person_id)
        .filter(grants::tenant_id.eq(Id(tenant.0)))
        .filter(grants::area_id.eq(Id(area.0)));
    let rows = people::table
        .select((people::id, people::seq, people::head, people::state))
        .filter(people::tenant_id.eq(Id(tenant.0)))
        .filter(people::standing.eq(Standing::Active.name()))
        .filter(people::id.eq_any(holders))
        .order(people::account.asc())
        .limit(limit)
        .load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| Ok(rebuild_state::<Person>("people", row)?.state)).collect()
}

/// The areas over which active people hold one of these roles at this moment.
pub fn load_held_roles(
    db: &mut Db,
    tenant: TenantId,
    roles: &[Role],
    at: Instant,
) -> Result<Vec<(AreaId, Role)>> {
    load_roles_of_others(db, tenant, roles, None, at)
}

/// The same, leaving one person out.
fn load_roles_of_others(
    db: &mut Db,
    tenant: TenantId,
    roles: &[Role],
    but: Option<PersonId>,
    at: Instant,
) -> Result<Vec<(AreaId, Role)>> {
    let but = but.map_or(Uuid::nil(), |person| person.0);
    let active = people::table
        .select(people::id)
        .filter(people::tenant_id.eq(Id(tenant.0)))
        .filter(people::id.ne(Id(but)))
        .filter(people::standing.eq(Standing::Active.name()));
    let rows = grants::table
        .select((grants::area_id, grants::role))
        .distinct()
        .filter(grants::tenant_id.eq(Id(tenant.0)))
        .filter(grants::role.eq_any(roles.iter().map(|role| role.name())))
        .filter(grants::from_at.le(At(at)))
        .filter(grants::until_at.is_null().or(grants::until_at.assume_not_null().gt(At(at))))
        .filter(grants::person_id.eq_any(active))
        .load::<(Id, String)>(db)?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, role)| Some((AreaId(id.0), Role::parse(&role)?)))
        .collect())
}

/// The people on duty within an area now, at most `limit`, those who came last first.
pub fn load_on_duty(
    db: &mut Db,
    tenant: TenantId,
    within: &Path,
    at: Instant,
    limit: i64,
) -> Result<Vec<Versioned<Person>>> {
    let rows = people::table
        .select((people::id, people::seq, people::head, people::state))
        .filter(people::tenant_id.eq(Id(tenant.0)))
        .filter(people::shift_path.ge(within.0.clone()))
        .filter(people::shift_path.lt(prefix_end(within)))
        .filter(people::shift_until.gt(At(at)))
        .order((people::shift_until.desc(), people::id.desc()))
        .limit(limit)
        .load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| rebuild_state("people", row)).collect()
}

/// Who else does the work of the units that a person has rights over.
pub fn load_staffing(
    db: &mut Db,
    tenant: TenantId,
    person: &Person,
    areas: &AreaTree,
    at: Instant,
) -> Result<Staffing> {
    let held: Vec<&Grant> = person.grants.iter().filter(|grant| grant.holds_at(at)).collect();
    let owing = find_owing_units(db, tenant, &held, areas)?;
    let held = if owing.is_empty() {
        Vec::new()
    } else {
        let roles: Vec<Role> = held.iter().map(|grant| grant.role).collect();
        load_roles_of_others(db, tenant, &roles, Some(person.id), at)?
    };
    Ok(Staffing { owing, held })
}

/// The rights over these areas that ended by their time, with who does the work of the areas now.
pub fn load_ended_grants(
    db: &mut Db,
    tenant: TenantId,
    over: &[AreaId],
    areas: &AreaTree,
    at: Instant,
) -> Result<(Vec<Grant>, Staffing)> {
    let ended = grants::table
        .select((grants::area_id, grants::role))
        .distinct()
        .filter(grants::tenant_id.eq(Id(tenant.0)))
        .filter(grants::area_id.eq_any(over.iter().map(|area| Id(area.0))))
        .filter(grants::until_at.is_not_null().and(grants::until_at.assume_not_null().le(At(at))))
        .load::<(Id, String)>(db)?;
    let grant = |(area, role): (Id, String)| {
        let (role, over) = (Role::parse(&role)?, areas.get(AreaId(area.0))?.unit());
        Some(Grant { role, over, from: at, until: Some(at), post: None })
    };
    let ended: Vec<Grant> = ended.into_iter().filter_map(grant).collect();
    let owing = find_owing_units(db, tenant, &ended.iter().collect::<Vec<_>>(), areas)?;
    let roles: Vec<Role> = ended.iter().map(|grant| grant.role).collect();
    let held = load_roles_of_others(db, tenant, &roles, None, at)?;
    Ok((ended, Staffing { owing, held }))
}

/// The units that these grants are over and that owe something.
fn find_owing_units(
    db: &mut Db,
    tenant: TenantId,
    held: &[&Grant],
    areas: &AreaTree,
) -> Result<Vec<AreaId>> {
    let reached = held.iter().flat_map(|grant| areas.expand_unit(&grant.over));
    let reached: BTreeSet<AreaId> = reached.map(|unit| unit.id).collect();
    let owing = obligations::table
        .select(obligations::unit_id)
        .distinct()
        .filter(obligations::tenant_id.eq(Id(tenant.0)))
        .filter(obligations::unit_id.eq_any(reached.iter().map(|area| Id(area.0))))
        .filter(obligations::settled_at.is_null())
        .load::<Id>(db)?;
    Ok(owing.into_iter().map(|id| AreaId(id.0)).collect())
}
