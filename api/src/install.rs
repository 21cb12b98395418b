//! Installing a tenant: areas, units and grids from files, the first administrator. Used by the
//! command line and the demo; every import is an entry in the tenant's own journal.

pub mod publish;

use std::collections::{HashMap, HashSet};

use domain::{
    Instant,
    actor::{Actor, Role},
    area::{Area, AreaKind, AreaTree, Path},
    catalogue::Catalogue,
    change::{Request, act},
    flow::Context,
    id::{AreaId, CommandId, PersonId, TenantId},
    journal::{Entry, FlowKind, Hash},
    person::{Command, NewGrant, Person},
    rules::Rules,
    text::{Code, Line},
};
use persistence::{
    Outcome, Store, StoreError, Write, area, journal, person,
    tenant::{self, Tenant},
};
use serde_json::json;

use crate::{
    clock::{Clock, new_id},
    password,
    world::Geometry,
};

/// Why an installation step failed, for people.
#[derive(Debug)]
pub struct Failed(pub String);

impl std::fmt::Display for Failed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// An area to import.
#[derive(Clone, Debug)]
pub struct NewArea {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: AreaKind,
    /// The code of the area above; none for the root.
    pub parent: Option<String>,
    /// Its boundary, in WGS-84.
    pub boundary: Option<Geometry>,
}

/// What an import did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    /// Areas that are new.
    pub added: usize,
    /// Areas that existed and were given a new name or boundary.
    pub updated: usize,
}

/// The tenant with this code.
pub async fn find_tenant(store: &Store, code: &str) -> Result<Option<Tenant>, Failed> {
    let tenants = store.read(tenant::all).await?;
    Ok(tenants.into_iter().find(|tenant| tenant.code == code))
}

/// Adds a tenant, unless there is one with this code.
pub async fn tenant(
    store: &Store,
    clock: &Clock,
    code: &str,
    name: &str,
) -> Result<Tenant, Failed> {
    if let Some(tenant) = find_tenant(store, code).await? {
        return Ok(tenant);
    }
    let tenant = Tenant { id: TenantId(new_id()), code: code.to_owned(), name: name.to_owned() };
    let (added, now) = (tenant.clone(), clock.now());
    store.run(move |db| tenant::create(db, &added, now)).await?;
    Ok(tenant)
}

/// Imports areas, all or none. Parents stand before their children or exist already; an area
/// whose code exists keeps its identity and place, and is given the new name and boundary.
pub async fn import(
    store: &Store,
    clock: &Clock,
    tenant: &Tenant,
    source: &str,
    areas: Vec<NewArea>,
) -> Result<Imported, Failed> {
    let id = tenant.id;
    let (known, chain) =
        store.read(move |db| Ok((area::all(db, id)?, journal::chain(db, id, id.0, None)?))).await?;
    let (rows, imported) = merge(&known, areas)?;
    let last = chain.last();
    let entry = Entry {
        tenant: id,
        flow: FlowKind::Areas,
        flow_id: id.0,
        seq: last.map_or(1, |entry| entry.seq + 1),
        command: CommandId(new_id()),
        part: 0,
        name: "import".to_owned(),
        digest: Hash::of(source.as_bytes()),
        actor: PersonId(uuid::Uuid::nil()),
        actor_name: "系统".to_owned(),
        at: clock.now(),
        events: json!([{
            "event": "imported", "source": source,
            "added": imported.added, "updated": imported.updated,
        }])
        .to_string(),
        before: last.map_or_else(Hash::default, |entry| entry.hash),
        hash: Hash::default(),
    }
    .sealed();
    match store.commit(vec![Write::Areas { entry: Box::new(entry), areas: rows }]).await? {
        Outcome::Done => Ok(imported),
        Outcome::Stale | Outcome::Seen => {
            Err(Failed("somebody else imported at the same time; run it again".to_owned()))
        }
    }
}

/// What an import would do; nothing is written.
pub async fn check(
    store: &Store,
    tenant: &Tenant,
    areas: Vec<NewArea>,
) -> Result<Imported, Failed> {
    let id = tenant.id;
    let known = store.read(move |db| area::all(db, id)).await?;
    merge(&known, areas).map(|(_, imported)| imported)
}

type Rows = Vec<(Area, Option<String>)>;

fn merge(known: &Rows, areas: Vec<NewArea>) -> Result<(Rows, Imported), Failed> {
    let mut by_code: HashMap<String, Area> =
        known.iter().map(|(area, _)| (area.code.clone(), area.clone())).collect();
    let boundaries: HashMap<AreaId, String> =
        known.iter().filter_map(|(area, boundary)| Some((area.id, boundary.clone()?))).collect();
    let (mut rows, mut imported, mut seen) = (Vec::new(), Imported::default(), HashSet::new());
    for (index, new) in areas.into_iter().enumerate() {
        let NewArea { code, name, kind, parent, boundary } = new;
        let wrong = |why: String| Failed(format!("row {}, code {code}: {why}", index + 1));
        checked(&code, &name).map_err(wrong)?;
        if !seen.insert(code.clone()) {
            return Err(wrong("the code stands twice".to_owned()));
        }
        let above = match &parent {
            Some(parent) => Some(by_code.get(parent).ok_or_else(|| {
                wrong(format!("its parent {parent} is neither above it in the file nor imported"))
            })?),
            None => None,
        };
        let boundary = match boundary {
            Some(geometry) => {
                geometry.boundary().map_err(wrong)?;
                Some(serde_json::to_string(&geometry).map_err(|e| wrong(e.to_string()))?)
            }
            None => None,
        };
        let row = if let Some(area) = by_code.get(&code) {
            imported.updated += 1;
            let boundary = boundary.or_else(|| boundaries.get(&area.id).cloned());
            (Area { name, ..area.clone() }, boundary)
        } else {
            imported.added += 1;
            let path = Path::child(above.map(|area| &area.path), &code);
            let parent = above.map(|area| area.id);
            (Area { id: AreaId(new_id()), parent, kind, code, name, path }, boundary)
        };
        by_code.insert(row.0.code.clone(), row.0.clone());
        rows.push(row);
    }
    Ok((rows, imported))
}

/// A code is part of a path, so it contains no `/`.
fn checked(code: &str, name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if code.is_empty() || code.len() > 20 || !code.chars().all(plain) {
        return Err("a code is 1 to 20 letters, digits, - or _".to_owned());
    }
    Line::try_from(name).map(|_| ()).map_err(|fault| format!("name: {fault}"))
}

/// Somebody to register.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// The account.
    pub account: String,
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
    /// Roles over the areas with these codes.
    pub grants: Vec<(Role, String)>,
}

/// Registers people as the system; answers their identities.
pub async fn register(
    store: &Store,
    clock: &Clock,
    tenant: &Tenant,
    people: Vec<NewPerson>,
) -> Result<Vec<PersonId>, Failed> {
    let id = tenant.id;
    let areas = AreaTree::new(
        store.read(move |db| area::all(db, id)).await?.into_iter().map(|(area, _)| area),
    );
    let root = areas.root().ok_or_else(|| Failed("import the areas first".to_owned()))?.unit();
    let (system, catalogue) = (Actor::system(id, root), Catalogue::default());
    let rules = Rules::shipped();
    let context = |at: Instant| Context {
        by: &system,
        at,
        seq: 1,
        rules: &rules,
        areas: &areas,
        catalogue: &catalogue,
    };
    let mut registered = Vec::with_capacity(people.len());
    for new in people {
        let person = PersonId(new_id());
        let command = command(person, &new, &areas)?;
        let request = Request::new(CommandId(new_id()), "register", person.0, &command);
        let change = act::<Person>(None, &command, request, 0, context(clock.now()))
            .map_err(|refusal| Failed(format!("{}: {}", new.account, refusal.code())))?;
        let hash = password::hash(&new.password).map_err(|problem| Failed(problem.to_string()))?;
        let writes = vec![Write::Person(Box::new(change)), Write::Password { person, hash }];
        match store.commit(writes).await {
            Ok(_) => registered.push(person),
            Err(StoreError::Exists(_)) => {
                return Err(Failed(format!("the account {} exists already", new.account)));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(registered)
}

fn command(person: PersonId, new: &NewPerson, areas: &AreaTree) -> Result<Command, Failed> {
    let wrong = |fault: domain::text::Fault| Failed(format!("{}: {fault}", new.account));
    let mut grants = Vec::with_capacity(new.grants.len());
    for (role, code) in &new.grants {
        let area = areas.by_code(code).ok_or_else(|| Failed(format!("no area has code {code}")))?;
        grants.push(NewGrant::new(*role, area.id));
    }
    Ok(Command::Register {
        id: person,
        account: Code::try_from(new.account.as_str()).map_err(wrong)?,
        name: Line::try_from(new.name.as_str()).map_err(wrong)?,
        grants,
    })
}

/// Whether the tenant has anybody with this account.
pub async fn has_account(store: &Store, tenant: &Tenant, account: &str) -> Result<bool, Failed> {
    let (id, account) = (tenant.id, account.to_owned());
    Ok(store.read(move |db| person::by_account(db, id, &account)).await?.is_some())
}
