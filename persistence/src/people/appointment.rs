//! Appointments as rows: who holds which role over which area, and who is on duty. Written with the
//! person, to find people by area.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{AreaId, PersonId, TenantId},
        journal::FlowKind,
    },
    flows::{
        change::{Change, Versioned},
        person::{Person, Standing},
    },
    people::actor::{Grant, Role},
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
    let active = people::table
        .select(people::id)
        .filter(people::tenant_id.eq(Id(tenant.0)))
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

/// The units that owe something which no one else could do once this person is gone: no other
/// active person holds the same role today over the unit or over an area above it. `above` lists
/// these areas, the unit first, because the unit may have moved since the grants were given.
pub fn find_abandoned_units(
    db: &mut Db,
    person: &Person,
    tenant: TenantId,
    at: Instant,
    above: impl Fn(AreaId) -> Vec<AreaId>,
) -> Result<Vec<String>> {
    let mut alone = Vec::new();
    for grant in person.grants.iter().filter(|grant| grant.holds_at(at)) {
        if !grant.role.is_outsider()
            && has_obligations(db, tenant, grant.over.id)?
            && !has_other_holder(db, tenant, person.id, (grant.role, &above(grant.over.id)), at)?
        {
            alone.push(grant.over.name.clone());
        }
    }
    alone.dedup();
    Ok(alone)
}

fn has_obligations(db: &mut Db, tenant: TenantId, unit: AreaId) -> Result<bool> {
    let one: Option<i64> = obligations::table
        .select(obligations::no)
        .filter(obligations::tenant_id.eq(Id(tenant.0)))
        .filter(obligations::unit_id.eq(Id(unit.0)))
        .filter(obligations::settled_at.is_null())
        .first(db)
        .optional()?;
    Ok(one.is_some())
}

fn has_other_holder(
    db: &mut Db,
    tenant: TenantId,
    but: PersonId,
    (role, over): (Role, &[AreaId]),
    at: Instant,
) -> Result<bool> {
    let holders = grants::table
        .select(grants::person_id)
        .filter(grants::tenant_id.eq(Id(tenant.0)))
        .filter(grants::person_id.ne(Id(but.0)))
        .filter(grants::role.eq(role.name()))
        .filter(grants::area_id.eq_any(over.iter().map(|area| Id(area.0))))
        .filter(grants::from_at.le(At(at)))
        .filter(grants::until_at.is_null().or(grants::until_at.assume_not_null().gt(At(at))));
    let one: Option<Id> = people::table
        .select(people::id)
        .filter(people::tenant_id.eq(Id(tenant.0)))
        .filter(people::standing.eq(Standing::Active.name()))
        .filter(people::id.eq_any(holders))
        .first(db)
        .optional()?;
    Ok(one.is_some())
}
