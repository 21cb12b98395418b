//! Checks of the records: every chain of the journal, everything that follows from it, the feed
//! without holes, the audit log, and what it says was written and removed; and all of it against
//! checkpoints that were kept elsewhere.
//!
//! Everything is read in one snapshot, a page at a time, each row once.

mod evidence;
mod feed;

use std::collections::HashMap;

use domain::{
    Instant,
    core::{
        checkpoint::{AuditMark, Checkpoint},
        id::{AreaId, TenantId},
        journal::{self as chain, Entry, FlowKind, Hash},
    },
    flows::{areas::Event, change::rebuild_change, flow::Flow, stored_event::read_events},
};
use persistence::{
    Db, Store, StoreError,
    flows::area,
    kernel::{
        journal,
        projection::{Place, Projection},
        tenant,
    },
    people::{
        person::load_account_collisions,
        vault::{self, KeyOwner},
    },
};
use uuid::Uuid;

use crate::engine::{flows::ServedFlow, table::find_flow};

/// The findings of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Chains that were checked.
    pub chains: usize,
    /// Entries that were checked.
    pub entries: usize,
    /// What is wrong, in words; the first thousand.
    pub broken: Vec<String>,
    /// How many more findings there are.
    pub more: usize,
    /// The heads of the records of each tenant.
    pub heads: Vec<Head>,
    /// Accounts of a tenant that differ in case or width alone: nothing is wrong with the records, and
    /// their owners log in only by writing them exactly so.
    pub alike: Vec<String>,
}

/// The head of the records of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The tenant whose records these are.
    pub tenant: TenantId,
    /// The tenant's code, as used at login.
    pub code: String,
    /// The last position of the feed.
    pub position: i64,
    /// How many entries it has.
    pub entries: i64,
    /// The digest over them.
    pub digest: Hash,
    /// The end of the audit log.
    pub audit: AuditMark,
}

impl Head {
    /// A checkpoint of it.
    pub fn to_checkpoint(&self, at: Instant) -> Checkpoint {
        let Self { tenant, position, entries, digest, audit, .. } = self.clone();
        Checkpoint { tenant, at, position, entries, digest, audit }
    }
}

impl Findings {
    const MOST: usize = 1000;

    fn record_break(&mut self, why: String) {
        if self.broken.len() < Self::MOST {
            self.broken.push(why);
        } else {
            self.more += 1;
        }
    }
}

/// Checks every tenant, or the one with this code.
pub async fn check_tenants(store: &Store, only: Option<&str>) -> Result<Findings, StoreError> {
    check_against_checkpoints(store, only, &[]).await
}

/// The same, and compares the records with checkpoints.
pub async fn check_against_checkpoints(
    store: &Store,
    only: Option<&str>,
    seen: &[Checkpoint],
) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    let look = |db: &mut Db| {
        let tenants = tenant::load_all(db)?;
        let known: Vec<TenantId> = tenants.iter().map(|tenant| tenant.id).collect();
        let lost = persistence::kernel::feed::find_unknown_tenants(db, &known)?;
        Ok((tenants, lost))
    };
    let (tenants, lost) = store.read_snapshot(look).await?;
    for one in seen.iter().filter(|one| tenants.iter().all(|tenant| tenant.id != one.tenant)) {
        findings.record_break(format!(
            "tenant {}: the checkpoint saw it, and it is missing",
            one.tenant
        ));
    }
    for tenant in lost {
        findings
            .record_break(format!("tenant {tenant}: there are records of it, and it is missing"));
    }
    for tenant in tenants.into_iter().filter(|one| only.is_none_or(|code| code == one.code)) {
        let of_tenant = |one: &&Checkpoint| one.tenant == tenant.id;
        let seen: Vec<Checkpoint> = seen.iter().filter(of_tenant).cloned().collect();
        let (id, code) = (tenant.id, tenant.code);
        let work = move |db: &mut Db| {
            let mut found = Findings::default();
            match self::check_tenant(db, (id, &code), &seen, &mut found) {
                // Unreadable data is broken too, and must not hide other tenants.
                Err(StoreError::Inconsistent(why)) => {
                    found.record_break(format!("tenant {code}: {why}"));
                }
                checked => checked?,
            }
            Ok(found)
        };
        let found = store.read_snapshot(work).await?;
        findings.chains += found.chains;
        findings.entries += found.entries;
        findings.more += found.more;
        findings.heads.extend(found.heads);
        findings.alike.extend(found.alike);
        found.broken.into_iter().for_each(|why| findings.record_break(why));
    }
    Ok(findings)
}

/// Says which accounts are alike.
pub(crate) fn name_collision(tenant: &str, accounts: &[String]) -> String {
    let accounts = accounts.join(", ");
    format!(
        "tenant {tenant}: the accounts {accounts} differ in case or width alone; each is logged in to by writing it exactly so"
    )
}

fn check_tenant(
    db: &mut Db,
    (id, code): (TenantId, &str),
    seen: &[Checkpoint],
    found: &mut Findings,
) -> Result<(), StoreError> {
    check_flows(db, id, found)?;
    check_look_up_key(db, (id, code), found)?;
    let feed = feed::check(db, id, seen, found)?;
    let audit = evidence::check(db, id, seen, found)?;
    let feed::End { position, entries, digest } = feed;
    for alike in load_account_collisions(db, id)? {
        found.alike.push(name_collision(code, &alike));
    }
    let code = code.to_owned();
    found.heads.push(Head { tenant: id, code, position, entries, digest, audit });
    Ok(())
}

/// Checks that the tenant's look-up key is there.
fn check_look_up_key(
    db: &mut Db,
    (id, code): (TenantId, &str),
    found: &mut Findings,
) -> Result<(), StoreError> {
    let key = vault::load_key(db, id, KeyOwner::LookUp)?;
    let lost = match key {
        Some(key) => key.wrapped.is_none() || key.destroyed_at.is_some(),
        None => vault::has_searchable_values(db, id)?,
    };
    if lost {
        found.record_break(format!("keys {code}: the key that people are looked up with is gone"));
    }
    Ok(())
}

/// Checks every journal of a tenant, and every row that follows from one.
fn check_flows(db: &mut Db, tenant: TenantId, found: &mut Findings) -> Result<(), StoreError> {
    const PAGE: i64 = 200;
    /// The bytes of events that are replayed before rows are compared: memory stays small.
    const WEIGHT: usize = 8 << 20;
    let (mut projection, mut after, mut readable) = (persistence::new_projection()?, None, true);
    loop {
        let from = after.as_ref().map(|(id, kind): &(Uuid, String)| (*id, kind.as_str()));
        let mut flows = journal::list_flows(db, tenant, from, PAGE)?;
        let mut weight = 0;
        for (flow, name) in &flows {
            found.chains += 1;
            let Some(kind) = FlowKind::parse(name) else {
                readable = false;
                found.record_break(format!("{name} {flow}: there is no such kind of flow"));
                continue;
            };
            let checked = check_any_flow(db, tenant, *flow, kind, &mut projection)?;
            found.entries += checked.entries;
            weight += checked.weight;
            if let Some(wrong) = checked.wrong {
                readable = false;
                found.record_break(format!("{} {flow}: {}", kind.name(), wrong.in_words()));
            }
            if weight > WEIGHT {
                weight = 0;
                compare_projection(db, &mut projection, found)?;
            }
        }
        compare_projection(db, &mut projection, found)?;
        let Some(last) = flows.pop() else { break };
        after = Some(last);
    }
    for (area, column) in area::find_differing_columns(db, tenant)? {
        found.record_break(format!("area {area}: {column} is not what its record says"));
    }
    // The rows of an unreadable journal are unknown, and would all be reported.
    if readable {
        projection.find_extra(db, tenant)?.into_iter().for_each(|why| found.record_break(why));
    }
    Ok(())
}

fn compare_projection(
    db: &mut Db,
    projection: &mut Projection,
    found: &mut Findings,
) -> Result<(), StoreError> {
    for odd in projection.compare_tables(db)? {
        found.record_break(format!("{} {}: {}", odd.kind, odd.flow, odd.why));
    }
    Ok(())
}

/// A fault of one chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// A link of it is broken.
    Chain(chain::Break),
    /// It is whole, and this program cannot read an entry.
    Unreadable {
        /// The place of the entry in its chain.
        seq: i64,
        /// The reason, in words.
        why: String,
    },
    /// It is whole, and the state does not follow from it.
    State(String),
}

impl Wrong {
    fn in_words(self) -> String {
        match self {
            Self::Chain(broken) => break_in_words(broken),
            Self::Unreadable { seq, why } => format!("entry {seq} cannot be read: {why}"),
            Self::State(why) => why,
        }
    }
}

/// What the check of one flow found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Which kind of flow.
    pub kind: FlowKind,
    /// The identity of the flow, within its kind.
    pub flow: Uuid,
    /// Entries that were checked.
    pub entries: usize,
    /// The hash at the end of its chain; zeros when it is broken.
    pub head: Hash,
    /// The first thing that is wrong.
    pub wrong: Option<Wrong>,
    /// The bytes of its events.
    weight: usize,
}

/// Checks one flow by itself: its chain, and the rows that follow from it.
pub fn check_flow<F: ServedFlow>(
    db: &mut Db,
    tenant: TenantId,
    flow: Uuid,
) -> Result<Checked, StoreError> {
    let mut projection = Projection::default();
    let checked = replay_flow::<F>(db, tenant, flow, &mut projection)?;
    if checked.wrong.is_some() {
        return Ok(checked);
    }
    let odd = projection.compare_tables(db)?.into_iter().next();
    Ok(Checked { wrong: odd.map(|odd| Wrong::State(odd.why)), ..checked })
}

/// Checks the chain of a flow, and collects the rows that follow from it.
pub(super) fn replay_flow<F: ServedFlow>(
    db: &mut Db,
    tenant: TenantId,
    flow: Uuid,
    into: &mut Projection,
) -> Result<Checked, StoreError> {
    let (checked, entries) = check_links(db, tenant, flow, <F as Flow>::KIND)?;
    if checked.wrong.is_some() {
        return Ok(checked);
    }
    let mut read = Vec::with_capacity(entries.len());
    for entry in entries {
        match read_events::<F::Event>(&entry.events) {
            Ok(events) => read.push((entry, events)),
            // Nothing is collected: rows that follow from a part of it are not what they ought to
            // be.
            Err(error) => {
                let (seq, why) = (entry.seq, error.to_string());
                return Ok(Checked { wrong: Some(Wrong::Unreadable { seq, why }), ..checked });
            }
        }
    }
    let (count, mut state, mut owed) = (read.len(), None::<F>, Vec::new());
    for (index, (entry, events)) in read.into_iter().enumerate() {
        let at = Place { first: index == 0, last: index + 1 == count };
        let seq = entry.seq;
        let Some(change) = rebuild_change::<F>(state.take(), &owed, (entry, &events)) else {
            let why = format!("the events of entry {seq} contradict those before");
            return Ok(Checked { wrong: Some(Wrong::State(why)), ..checked });
        };
        into.take_change(&change, at)?;
        owed = change.state.obligations();
        state = Some(change.state);
    }
    Ok(checked)
}

/// Checks the areas of a tenant: their chain, and the stored areas against it.
fn check_areas(db: &mut Db, tenant: TenantId, flow: Uuid) -> Result<Checked, StoreError> {
    let (checked, entries) = check_links(db, tenant, flow, FlowKind::Areas)?;
    if checked.wrong.is_some() {
        return Ok(checked);
    }
    let wrong = compare_areas(db, tenant, &entries)?;
    Ok(Checked { wrong, ..checked })
}

/// The entries of a flow, and whether each follows from the one before.
fn check_links(
    db: &mut Db,
    tenant: TenantId,
    flow: Uuid,
    kind: FlowKind,
) -> Result<(Checked, Vec<Entry>), StoreError> {
    let (entries, unread) = match journal::load_chain(db, tenant, (kind, flow), None) {
        Ok(entries) => (entries, None),
        Err(StoreError::Inconsistent(why)) => (Vec::new(), Some(Wrong::State(why))),
        Err(error) => return Err(error),
    };
    let (head, wrong) = match chain::verify_chain(&entries) {
        Ok(head) => (head, unread),
        Err(broken) => (Hash::default(), Some(Wrong::Chain(broken))),
    };
    let weight = entries.iter().map(|entry| entry.events.len()).sum();
    Ok((Checked { kind, flow, entries: entries.len(), head, wrong, weight }, entries))
}

fn check_any_flow(
    db: &mut Db,
    tenant: TenantId,
    flow: Uuid,
    kind: FlowKind,
    into: &mut Projection,
) -> Result<Checked, StoreError> {
    match find_flow(kind) {
        Some(known) => known.replay(db, tenant, flow, into),
        None => check_areas(db, tenant, flow),
    }
}

/// How the stored areas differ from their journal: boundaries from their digests, and each event
/// from the rows. The content of an imported file is in no event; its boundaries are attested by
/// the records, the records by nothing.
fn compare_areas(
    db: &mut Db,
    tenant: TenantId,
    entries: &[Entry],
) -> Result<Option<Wrong>, StoreError> {
    let state = |why| Ok(Some(Wrong::State(why)));
    let registry = area::load_registry(db, tenant)?;
    let drawn: HashMap<(AreaId, i64), Hash> = area::load_boundaries(db, tenant)?
        .into_iter()
        .map(|(id, no, text)| ((id, no), Hash::digest(text.as_bytes())))
        .collect();
    for record in registry.iter() {
        let outlines = record.versions.iter().filter_map(|version| version.boundary.as_ref());
        for outline in outlines.filter(|outline| !outline.digest.is_empty()) {
            let digest = drawn.get(&(record.id, outline.no)).map(Hash::to_hex);
            if digest.as_ref() != Some(&outline.digest) {
                return state(format!("the boundary {} of {} was altered", outline.no, record.id));
            }
        }
    }
    for entry in entries {
        let events = match read_events::<Event>(&entry.events) {
            Ok(events) => events,
            Err(error) => {
                let (seq, why) = (entry.seq, error.to_string());
                return Ok(Some(Wrong::Unreadable { seq, why }));
            }
        };
        if let Some(event) = events.iter().find(|event| !registry.reflects_event(event)) {
            let event = serde_json::to_string(event).unwrap_or_default();
            return state(format!("entry {}: the areas do not show {event}", entry.seq));
        }
    }
    Ok(None)
}

fn break_in_words(broken: chain::Break) -> String {
    match broken {
        chain::Break::Order { expected, found } => {
            format!("entry {expected} is missing, {found} stands in its place")
        }
        chain::Break::Link { seq } => format!("entry {seq} does not follow from the one before"),
        chain::Break::Content { seq } => format!("entry {seq} was changed after it was written"),
    }
}
