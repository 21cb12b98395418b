//! Turns events into messages to people, and into deliveries of these: once for every event,
//! whichever replica does it, because the position in the feed is committed with the messages.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use domain::{
    Instant,
    core::{
        delivery::State,
        id::{AreaId, PersonId, TenantId},
        journal::{Entry, Hash},
    },
    flows::{
        change::Versioned,
        notice::{Notice, To, Words},
        person::Person,
        report::Report,
    },
    people::actor::Permission,
    rules::notice::{NoticeKind, Preferences},
};
use persistence::{
    Db, StoreError,
    integrations::{
        delivery::Delivery,
        message::{self, Made, Message},
    },
    kernel::journal,
    people::appointment,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::{clock::new_id, state::App, world::TenantSnapshot},
    engine::table::FLOWS,
    integrations::channel,
};

/// How many entries are read at once.
const WINDOW: i64 = 200;

/// The most people of a unit who get a message.
const MOST: i64 = 50;

/// Turns the next stretch of every feed into messages; answers how many entries it read.
pub async fn run_pass(app: &App) -> Result<u64, StoreError> {
    let mut sum = 0;
    for world in app.worlds.all() {
        sum += notify_stretch(app, &world).await?;
    }
    Ok(sum)
}

/// Handles one stretch of the feed; answers how many entries it has.
async fn notify_stretch(app: &App, world: &TenantSnapshot) -> Result<u64, StoreError> {
    let tenant = world.tenant.id;
    let look = move |db: &mut Db| {
        let from = message::load_position(db, tenant)?;
        Ok((from, journal::load_after(db, tenant, from, WINDOW)?))
    };
    let (from, entries) = app.store.read(look).await?;
    let Some((to, _)) = entries.last() else { return Ok(0) };
    let (to, mut making) = (*to, Making::new(app, world));
    for flow in FLOWS {
        making.notices.extend(flow.load_notices(app, tenant, &entries).await?);
    }
    for (position, entry) in &entries {
        making.notify_entry(*position, entry).await?;
    }
    let made = making.made;
    app.store.run(message::add_event_messages(tenant, (from, to), made)).await?;
    // Where another replica was faster, the next pass begins after what it did.
    Ok(u64::try_from(entries.len()).unwrap_or(u64::MAX))
}

/// The messages of a stretch, while they are made.
struct Making<'a> {
    app: &'a App,
    world: &'a TenantSnapshot,
    now: Instant,
    made: Made,
    preferences: HashMap<PersonId, Preferences>,
    /// The notices of each entry, by its position.
    notices: HashMap<i64, Vec<Notice>>,
    /// The staff of a unit with a permission.
    staff: HashMap<(AreaId, Permission), Vec<Person>>,
}

impl<'a> Making<'a> {
    fn new(app: &'a App, world: &'a TenantSnapshot) -> Self {
        Self {
            app,
            world,
            now: app.clock.now(),
            made: Made::default(),
            preferences: HashMap::new(),
            notices: HashMap::new(),
            staff: HashMap::new(),
        }
    }

    async fn notify_entry(&mut self, position: i64, entry: &Entry) -> Result<(), StoreError> {
        let notices = self.notices.remove(&position).unwrap_or_default();
        let reports = self.load_reports(&notices).await?;
        for (no, notice) in notices.into_iter().enumerate() {
            let found = notice.reports.iter().filter_map(|id| reports.get(&id.0));
            let words = notice.render_words(&found.map(|report| &report.state).collect::<Vec<_>>());
            for person in self.load_recipients(&notice.to).await? {
                if person.id != entry.actor {
                    self.notify_person((position, no), entry, (&notice, &words), &person).await?;
                }
            }
        }
        Ok(())
    }

    /// The reports whose words notices repeat.
    async fn load_reports(
        &self,
        notices: &[Notice],
    ) -> Result<HashMap<Uuid, Arc<Versioned<Report>>>, StoreError> {
        let ids: BTreeSet<Uuid> =
            notices.iter().flat_map(|notice| &notice.reports).map(|id| id.0).collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let mut known = HashMap::with_capacity(ids.len());
        for (id, found) in
            ids.iter().zip(self.app.store.load_states(self.world.tenant.id, &ids).await)
        {
            match found {
                Ok(found) => known.extend(found.map(|found| (*id, found))),
                // An unreadable report is not quoted.
                Err(error) if error.is_unreadable() => {
                    tracing::error!(report = %id, %error, "a report cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(known)
    }

    /// The recipients of a notice.
    async fn load_recipients(&mut self, to: &To) -> Result<Vec<Person>, StoreError> {
        let tenant = self.world.tenant.id;
        match *to {
            To::Person(id) => {
                let found = self.app.store.load_state::<Person>(tenant, id.0).await?;
                let active = found.filter(|person| {
                    person.state.to_actor(tenant, &self.world.rules.powers).is_some()
                });
                Ok(active.map(|person| person.state.clone()).into_iter().collect())
            }
            To::Unit(unit, permission) => {
                if let Some(known) = self.staff.get(&(unit, permission)) {
                    return Ok(known.clone());
                }
                let Some(area) = self.world.areas.get(unit) else { return Ok(Vec::new()) };
                let over = move |db: &mut Db| appointment::load_grantees(db, tenant, unit, MOST);
                let mut people = self.app.store.read(over).await?;
                people.retain(|person| {
                    let actor = person.to_actor(tenant, &self.world.rules.powers);
                    // The staff of the unit itself, not of everything above it.
                    let own =
                        person.grants.iter().any(|g| g.over.id == unit && g.holds_at(self.now));
                    own && actor.is_some_and(|a| a.may(permission, &area.path, self.now))
                });
                self.staff.insert((unit, permission), people.clone());
                Ok(people)
            }
        }
    }

    /// Makes the message to one person.
    async fn notify_person(
        &mut self,
        (position, no): (i64, usize),
        entry: &Entry,
        (notice, words): (&Notice, &Words),
        person: &Person,
    ) -> Result<(), StoreError> {
        // A random identity, not one derived from the entry and the person: a reader who guesses
        // both must not be able to tell from an identity who got a message. The place in the feed
        // ensures that it is made once.
        let id = new_id();
        let inside = &words.inside;
        let title = [inside.number.as_str(), inside.title.as_str()].join(" ").trim().to_owned();
        let message = Message {
            person: person.id,
            id,
            kind: notice.kind,
            title: if title.is_empty() { inside.label.clone() } else { title },
            body: inside.text.clone(),
            flow: entry.flow.name().to_owned(),
            flow_id: entry.flow_id,
            at: entry.at,
            read_at: None,
        };
        self.made.messages.push(message);
        let wants = self.load_preferences(person.id).await?;
        if !wants.wants(notice.kind) {
            return Ok(());
        }
        let outside = &words.outside;
        let item = json!({
            "kind": notice.kind, "label": outside.label, "number": outside.number,
            "title": outside.title, "text": outside.text, "at": entry.at,
        });
        for channel in
            channel::choose_channels(self.app, self.world, person, notice.kind, &wants).await?
        {
            self.made.deliveries.push(Delivery {
                tenant: entry.tenant,
                id: new_id(),
                channel,
                target: person.id.0,
                event: id,
                kind: notice.kind.name().to_owned(),
                flow: entry.flow_id,
                position,
                part: i16::try_from(no).unwrap_or(i16::MAX),
                content: item.to_string(),
                state: State::Waiting,
                attempts: 0,
                created_at: self.now,
                // In quiet hours, or with a daily digest, it waits.
                next_at: Some(wants.sending_time(self.now)),
                ended_at: None,
                why: None,
            });
        }
        Ok(())
    }

    async fn load_preferences(&mut self, person: PersonId) -> Result<Preferences, StoreError> {
        if let Some(known) = self.preferences.get(&person) {
            return Ok(known.clone());
        }
        let tenant = self.world.tenant.id;
        let read = move |db: &mut Db| message::load_preferences(db, tenant, person);
        let found = self.app.store.read(read).await?;
        self.preferences.insert(person, found.clone());
        Ok(found)
    }
}

/// Messages to those who manage webhooks in the whole tenant that one was stopped.
pub async fn build_stop_messages(
    app: &App,
    tenant: TenantId,
    webhook: Uuid,
    (name, why): (&str, &str),
) -> Result<Vec<Message>, StoreError> {
    let Some(world) = app.worlds.get(tenant) else { return Ok(Vec::new()) };
    let Some(root) = world.areas.root() else { return Ok(Vec::new()) };
    let mut making = Making::new(app, &world);
    let people = making.load_recipients(&To::Unit(root.id, Permission::ManageWebhooks)).await?;
    let message = |person: Person| Message {
        person: person.id,
        id: Hash::digest(format!("stopped\n{webhook}\n{}\n{}", making.now, person.id).as_bytes())
            .to_uuid(),
        kind: NoticeKind::WebhookStopped,
        title: name.to_owned(),
        body: why.to_owned(),
        flow: "webhook".to_owned(),
        flow_id: webhook,
        at: making.now,
        read_at: None,
    };
    Ok(people.into_iter().map(message).collect())
}
