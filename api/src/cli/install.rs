//! Installing a tenant: areas, units and grids from files, the first administrator. Used by the
//! command line and the demo; every import is an entry in the tenant's own journal.

pub mod publish;

use domain::{
    Instant,
    area::tree::{AreaKind, AreaTree, Path, Unit},
    core::{
        id::{AreaId, CommandId, NumberLength, PersonId, TenantId},
        journal::{FlowKind, Hash},
        tabular_import::At,
        text::{Code, Line},
        time::local_day,
    },
    flows::{
        areas::import::{Comparison, Doing, Given, Refused, Taking, compare_with_known, plan},
        change::{Request, execute},
        flow::Context,
        person::{Command, NewGrant, Person},
    },
    people::{
        actor::{Actor, Role},
        personal::{Contact, DataSubject, SubjectKind},
    },
    rules::{catalogue::Catalogue, rulebook::Rules},
};
use persistence::{
    Outcome, Store, StoreError, Write,
    flows::area,
    kernel::{
        journal,
        tenant::{self, Tenant},
    },
    people::person::{self, Origin},
};

use crate::app::{
    clock::{Clock, new_id},
    password,
    vault::Vault,
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
    /// The code, such as 420202.
    pub code: String,
    /// The name people call it by.
    pub name: String,
    /// What it is.
    pub kind: AreaKind,
    /// The code of the area above; none for the root.
    pub parent: Option<String>,
    /// Its boundary, in WGS-84.
    pub boundary: Option<Geometry>,
}

/// What an import did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    /// Areas that are new.
    pub added: usize,
    /// Areas that existed and were given a new name or boundary.
    pub updated: usize,
    /// The file beside what was known before.
    pub comparison: Comparison,
}

/// The tenant with this code.
pub async fn find_tenant(store: &Store, code: &str) -> Result<Option<Tenant>, Failed> {
    let tenants = store.read(tenant::load_all).await?;
    Ok(tenants.into_iter().find(|tenant| tenant.code == code))
}

/// Adds a tenant, unless there is one with this code.
pub async fn ensure_tenant(
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

/// Imports areas, all or none; an area whose code exists keeps its identity, name and place, and is
/// given the new boundary. Published boundaries of large areas cross themselves here and
/// there: crossings are resolved.
pub async fn import_areas(
    store: &Store,
    clock: &Clock,
    tenant: &Tenant,
    source: &str,
    areas: Vec<NewArea>,
) -> Result<Imported, Failed> {
    let given = areas.into_iter().enumerate().map(|(row, area)| area.into_given(At::Row(row)));
    let how = How { dry: false, repair: true };
    import_rows(store, clock, tenant, source, given.collect(), how).await
}

impl NewArea {
    fn into_given(self, at: At) -> Given {
        let Self { code, name, kind, parent, boundary } = self;
        let boundary = boundary.map(Geometry::into_rings);
        let (grid, households, former_name) = (None, None, None);
        Given { at, code, name, kind, parent, grid, households, boundary, former_name }
    }
}

/// How a file is taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct How {
    /// Whether only to look what would be done.
    pub dry: bool,
    /// Whether crossings of boundaries may be resolved.
    pub repair: bool,
}

/// Takes over what a file gives, as the system, today.
pub async fn import_rows(
    store: &Store,
    clock: &Clock,
    tenant: &Tenant,
    source: &str,
    given: Vec<Given>,
    how: How,
) -> Result<Imported, Failed> {
    let id = tenant.id;
    let (registry, chain) = store
        .read(move |db| {
            Ok((
                area::load_registry(db, id)?,
                journal::load_chain(db, id, (FlowKind::Areas, id.0), None)?,
            ))
        })
        .await?;
    let (last, at) = (chain.last(), clock.now());
    let tree = registry.build_tree(local_day(at));
    // Before there is any area the system is at home everywhere.
    let everywhere = Unit {
        id: AreaId(id.0),
        kind: AreaKind::City,
        name: tenant.name.clone(),
        path: Path(String::new()),
    };
    let (system, catalogue, rules) =
        (Actor::new_system(id, everywhere), Catalogue::default(), Rules::standard());
    let context = Context {
        by: &system,
        at,
        seq: last.map_or(1, |entry| entry.seq + 1),
        rules: &rules,
        areas: &tree,
        catalogue: &catalogue,
        kept: None,
        numbers: NumberLength::default(),
    };
    let taking = Taking { source, from: local_day(at), repair: how.repair };
    let comparison = compare_with_known(&registry, &given, taking.from);
    let plan = plan(&registry, given, taking, &context, &mut || AreaId(new_id()));
    let plan = plan.map_err(|refused| match refused {
        Refused::Faults(faults) => {
            let faults = faults.iter().map(ToString::to_string);
            let compared = if how.dry { describe_comparison(&comparison) } else { Vec::new() };
            Failed(faults.chain(compared).collect::<Vec<_>>().join("\n  "))
        }
        Refused::Rule(refusal) => Failed::from(crate::http::problem::Problem::from(refusal)),
    })?;
    let (added, updated) = (plan.count_rows(Doing::Added), plan.count_rows(Doing::Updated));
    let imported = Imported { added, updated, comparison };
    if how.dry || plan.decided.events.is_empty() {
        return Ok(imported);
    }
    let request = Request::new(CommandId(new_id()), "import_areas", id.0, &source);
    let before = last.map_or_else(Hash::default, |entry| entry.hash);
    let write = crate::resources::area::change::build_write(
        plan.decided,
        "import",
        request,
        before,
        &context,
    );
    match store.commit(vec![write]).await? {
        Outcome::Done => Ok(imported),
        Outcome::Stale | Outcome::Seen | Outcome::NumberTaken => {
            Err(Failed("somebody else imported at the same time; run it again".to_owned()))
        }
    }
}

/// A file beside what is known, in lines.
pub fn describe_comparison(found: &Comparison) -> Vec<String> {
    let names = found
        .other_names
        .iter()
        .map(|one| format!("{}: “{}” is called “{}” in the file", one.code, one.known, one.given));
    let moved = found
        .moved_codes
        .iter()
        .map(|one| format!("“{}” has the code {}, in the file {}", one.name, one.known, one.given));
    let shared = found.namesakes.iter().map(|one| {
        format!("below {}: “{}” is the name of {}", one.parent, one.name, one.codes.join(", "))
    });
    let lacking =
        found.lacking.iter().map(|(code, name)| format!("the file lacks {code} “{name}”"));
    names.chain(moved).chain(shared).chain(lacking).collect()
}

/// A person to register.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// The account to log in with.
    pub account: String,
    /// The person's name, as others see it.
    pub name: String,
    /// The password to begin with.
    pub password: String,
    /// Whether it counts as the person's own choice; otherwise it is changed at the first login.
    pub chosen: bool,
    /// Roles over the areas with these codes.
    pub grants: Vec<(Role, String)>,
}

/// Registers people as the system; answers their identities. Without a vault the names of
/// residents are not kept.
pub async fn register_people(
    store: &Store,
    clock: &Clock,
    vault: Option<&Vault>,
    tenant: &Tenant,
    people: Vec<NewPerson>,
) -> Result<Vec<PersonId>, Failed> {
    let id = tenant.id;
    let registry = store.read(move |db| area::load_registry(db, id)).await?;
    let areas = registry.build_tree(local_day(clock.now()));
    let root = areas.root().ok_or_else(|| Failed("import the areas first".to_owned()))?.unit();
    let (system, catalogue) = (Actor::new_system(id, root), Catalogue::default());
    let rules = Rules::standard();
    let context = |at: Instant| Context {
        by: &system,
        at,
        seq: 1,
        rules: &rules,
        areas: &areas,
        catalogue: &catalogue,
        kept: None,
        numbers: NumberLength::default(),
    };
    let mut registered = Vec::with_capacity(people.len());
    for new in people {
        let person = PersonId(new_id());
        let command = build_command(person, &new, &areas)?;
        let request = Request::new(CommandId(new_id()), "register", person.0, &command);
        let change = execute::<Person>(None, &command, request, context(clock.now()))
            .map_err(|refusal| Failed(format!("{}: {}", new.account, refusal.code())))?;
        let password = match change.state.require_password() {
            Ok(()) => {
                let hash = password::hash(&new.password);
                let hash = hash.map_err(|problem| Failed(problem.to_string()))?;
                let origin = if new.chosen { Origin::Owner } else { Origin::Other };
                Some(Write::Password { person, hash, origin })
            }
            Err(_program) => None,
        };
        let sealed = match vault.filter(|_| change.state.is_nameless()) {
            Some(vault) => {
                Some(seal_name(vault, store, id, (person, &new.name), clock.now()).await?)
            }
            None => None,
        };
        let writes = [Write::from(change)];
        let writes = writes.into_iter().chain(password).chain(sealed).collect();
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

/// The name of a resident, sealed.
async fn seal_name(
    vault: &Vault,
    store: &Store,
    tenant: TenantId,
    (person, name): (PersonId, &str),
    at: Instant,
) -> Result<Write, Failed> {
    let look_up = vault.ensure_look_up(store, tenant, at).await?;
    let contact = Contact { name: Line::try_from(name).ok(), ..Contact::default() };
    let subject = DataSubject::new(SubjectKind::Person, person.0);
    let new = vault.new_subject(tenant, subject, &contact, &look_up, at)?;
    Ok(Write::Personal(Box::new(new)))
}

fn build_command(person: PersonId, new: &NewPerson, areas: &AreaTree) -> Result<Command, Failed> {
    let wrong = |fault: domain::core::text::Fault| Failed(format!("{}: {fault}", new.account));
    let mut grants = Vec::with_capacity(new.grants.len());
    for (role, code) in &new.grants {
        let area =
            areas.find_by_code(code).ok_or_else(|| Failed(format!("no area has code {code}")))?;
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
    Ok(store.read(move |db| person::find_by_account(db, id, &account)).await?.is_some())
}
