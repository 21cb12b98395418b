//! Names in views: staff by their names, residents by their masked names, and the contact of a
//! report.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    flows::{person::Person, report::Report},
    people::{
        actor::Actor,
        personal::{Field, SubjectKind},
    },
};
use futures_util::future::try_join_all;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App, vault::Values},
    http::problem::Reply,
    privacy::contact::ContactView,
};

/// Shown in place of a name that is not stored, or no longer.
const NAMELESS: &str = Person::RESIDENT;

/// The name of reporters in their own view: looking the real one up is not worth the cost.
const ONESELF: &str = "本人";

/// Names as they are shown, cached for a short while: never a resident's whole name.
#[derive(Default)]
pub struct Names {
    known: Mutex<HashMap<(TenantId, PersonId), (String, Instant)>>,
}

impl Names {
    /// The longest time until an erasure made by another replica is noticed.
    const FOR_MS: i64 = 10_000;
    const MOST: usize = 20_000;

    fn get(&self, key: (TenantId, PersonId), now: Instant) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, since) = known.get(&key)?;
        ((now - *since).num_milliseconds() < Self::FOR_MS).then(|| name.clone())
    }

    fn put(&self, key: (TenantId, PersonId), name: String, now: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(key, (name, now));
    }

    /// Forgets the name of a person who was erased or renamed.
    pub fn forget(&self, tenant: TenantId, person: PersonId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&(tenant, person));
    }
}

/// The display names of some people.
pub async fn load_display(
    app: &App,
    tenant: TenantId,
    people: impl IntoIterator<Item = PersonId>,
) -> Reply<HashMap<PersonId, String>> {
    let now = app.clock.now();
    let (mut names, mut missing) = (HashMap::new(), Vec::new());
    for person in people {
        match app.memory.get_or_default::<Names>().get((tenant, person), now) {
            Some(name) => drop(names.insert(person, name)),
            None if missing.contains(&person) => {}
            None => missing.push(person),
        }
    }
    let look = |person: &PersonId| app.store.load_state::<Person>(tenant, person.0);
    let found = try_join_all(missing.iter().map(look)).await?;
    let nameless = missing.iter().zip(&found).filter_map(|(id, person)| {
        person.as_ref().is_none_or(|person| person.state.is_nameless()).then_some(id.0)
    });
    let kept = app
        .vault
        .load_values(&app.store, tenant, (SubjectKind::Person, nameless.collect()), &[Field::Name])
        .await?;
    for (id, person) in missing.into_iter().zip(found) {
        let name = match (person, kept.get(&id.0).and_then(|values| values.get(&Field::Name))) {
            (_, Some(name)) => Field::Name.mask_value(name),
            (Some(person), None) => person.state.name.as_str().to_owned(),
            (None, None) => NAMELESS.to_owned(),
        };
        app.memory.get_or_default::<Names>().put((tenant, id), name.clone(), now);
        names.insert(id, name);
    }
    Ok(names)
}

/// The whole name of a person, for that person alone.
pub async fn load_own(app: &App, tenant: TenantId, person: &Person) -> Reply<String> {
    if !person.is_nameless() {
        return Ok(person.name.as_str().to_owned());
    }
    let kept = app
        .vault
        .load_values(&app.store, tenant, (SubjectKind::Person, vec![person.id.0]), &[Field::Name])
        .await?;
    let name = kept.into_values().next().and_then(|values| values.get(&Field::Name).cloned());
    Ok(name.unwrap_or_else(|| NAMELESS.to_owned()))
}

/// The names and contacts of the reporters of some reports, as far as the caller may know them.
#[derive(Default)]
pub struct ContactNames {
    names: HashMap<PersonId, String>,
    contacts: HashMap<Uuid, Values>,
}

impl ContactNames {
    /// Loads what the views of these reports show.
    pub async fn load(app: &App, caller: &Caller, reports: &[&Report]) -> Reply<Self> {
        let now = app.clock.now();
        let told: Vec<&&Report> =
            reports.iter().filter(|report| report.reporter_visible_to(caller, now)).collect();
        let others = told.iter().map(|report| report.reporter).filter(|id| *id != caller.person);
        let names = load_display(app, caller.tenant, others).await?;
        let reachable = told.iter().filter(|report| report.contact).map(|report| report.id.0);
        let contacts = app
            .vault
            .load_values(
                &app.store,
                caller.tenant,
                (SubjectKind::Report, reachable.collect()),
                Field::ALL,
            )
            .await?;
        Ok(Self { names, contacts })
    }

    /// The name of a reporter as `by` sees it.
    pub fn reporter_name(&self, by: &Actor, reporter: PersonId) -> String {
        if by.person == reporter {
            let office = by.grants.iter().any(|grant| grant.role.is_office());
            return if office { by.name.clone() } else { ONESELF.to_owned() };
        }
        self.names.get(&reporter).cloned().unwrap_or_else(|| NAMELESS.to_owned())
    }

    /// The contact of the report, masked.
    pub fn contact_view(&self, report: &Report) -> Option<ContactView> {
        report.contact.then(|| ContactView::new_masked(self.contacts.get(&report.id.0)))
    }
}
