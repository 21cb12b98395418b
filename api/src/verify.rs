//! Checking what is kept: every chain of the journal, and every stored state against the replay
//! of its events.

use std::collections::HashMap;

use domain::{
    area::change::Event,
    campaign::Campaign,
    case::Case,
    content_review::Review,
    flow::Flow,
    form::Form,
    household::Household,
    id::{AreaId, TenantId},
    journal::{self as chain, Entry, FlowKind, Hash},
    media::Media,
    patrol::Patrol,
    patrol_plan::PatrolPlan,
    person::Person,
    policy::Policy,
    report::Report,
    visit::Visit,
};
use persistence::{
    Db, Store, StoreError, area, audit, journal, tenant,
    vault::{self, KeyOwner},
};
use uuid::Uuid;

use crate::engine::Kept;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Chains that were checked.
    pub chains: usize,
    /// Entries that were checked.
    pub entries: usize,
    /// What is wrong, in words.
    pub broken: Vec<String>,
}

/// Checks every tenant, or the one with this code, a page of flows at a time.
pub async fn all(store: &Store, only: Option<&str>) -> Result<Findings, StoreError> {
    const PAGE: i64 = 200;
    let mut findings = Findings::default();
    for tenant in store.read(tenant::all).await? {
        if only.is_some_and(|code| code != tenant.code) {
            continue;
        }
        let mut after = None;
        loop {
            let id = tenant.id;
            let (flows, found) = store
                .read(move |db| {
                    let flows = journal::flows(db, id, after, PAGE)?;
                    let mut found = Findings::default();
                    for (flow, kind) in &flows {
                        one(db, id, *flow, *kind, &mut found)?;
                    }
                    Ok((flows, found))
                })
                .await?;
            findings.chains += found.chains;
            findings.entries += found.entries;
            findings.broken.extend(found.broken);
            let Some(last) = flows.last() else { break };
            after = Some(*last);
        }
        look_up_key(store, &tenant, &mut findings).await?;
        audit_log(store, tenant.id, &mut findings).await?;
    }
    Ok(findings)
}

/// What is wrong with one chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// A link of it is broken.
    Chain(chain::Break),
    /// It is whole, and the state is not what it says.
    State(String),
}

/// What the check of one flow found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Which kind of flow.
    pub kind: FlowKind,
    /// Which.
    pub flow: Uuid,
    /// Entries that were checked.
    pub entries: usize,
    /// The hash at the end of its chain; zeros when it is broken.
    pub head: Hash,
    /// The first thing that is wrong.
    pub wrong: Option<Wrong>,
}

/// Checks one flow: its chain, and its state against the replay of its events.
pub fn flow<F: Kept + PartialEq>(
    db: &mut Db,
    tenant: TenantId,
    flow: Uuid,
) -> Result<Checked, StoreError> {
    let checked = links(db, tenant, flow, <F as Flow>::KIND)?;
    if checked.wrong.is_some() {
        return Ok(checked);
    }
    let wrong = differs::<F>(db, tenant, flow)?.map(Wrong::State);
    Ok(Checked { wrong, ..checked })
}

/// Checks the areas of a tenant: their chain, and what is kept against what it says.
fn areas(db: &mut Db, tenant: TenantId, flow: Uuid) -> Result<Checked, StoreError> {
    let checked = links(db, tenant, flow, FlowKind::Areas)?;
    if checked.wrong.is_some() {
        return Ok(checked);
    }
    let entries = journal::chain(db, tenant, (FlowKind::Areas, flow), None)?;
    let wrong = areas_differ(db, tenant, &entries)?.map(Wrong::State);
    Ok(Checked { wrong, ..checked })
}

fn links(db: &mut Db, tenant: TenantId, flow: Uuid, kind: FlowKind) -> Result<Checked, StoreError> {
    let entries = journal::chain(db, tenant, (kind, flow), None)?;
    let (head, wrong) = match chain::verify(&entries) {
        Ok(head) => (head, None),
        Err(broken) => (Hash::default(), Some(Wrong::Chain(broken))),
    };
    Ok(Checked { kind, flow, entries: entries.len(), head, wrong })
}

fn one(
    db: &mut Db,
    tenant: TenantId,
    flow: Uuid,
    kind: FlowKind,
    found: &mut Findings,
) -> Result<(), StoreError> {
    let checked = match kind {
        FlowKind::Case => self::flow::<Case>(db, tenant, flow)?,
        FlowKind::Report => self::flow::<Report>(db, tenant, flow)?,
        FlowKind::Person => self::flow::<Person>(db, tenant, flow)?,
        FlowKind::Policy => self::flow::<Policy>(db, tenant, flow)?,
        FlowKind::Areas => self::areas(db, tenant, flow)?,
        FlowKind::Patrol => self::flow::<Patrol>(db, tenant, flow)?,
        FlowKind::PatrolPlan => self::flow::<PatrolPlan>(db, tenant, flow)?,
        FlowKind::Household => self::flow::<Household>(db, tenant, flow)?,
        FlowKind::Visit => self::flow::<Visit>(db, tenant, flow)?,
        FlowKind::Campaign => self::flow::<Campaign>(db, tenant, flow)?,
        FlowKind::Form => self::flow::<Form>(db, tenant, flow)?,
        FlowKind::Media => self::flow::<Media>(db, tenant, flow)?,
        FlowKind::ContentReview => self::flow::<Review>(db, tenant, flow)?,
    };
    found.chains += 1;
    found.entries += checked.entries;
    let why = checked.wrong.map(|wrong| match wrong {
        Wrong::Chain(broken) => in_words(broken),
        Wrong::State(why) => why,
    });
    found.broken.extend(why.map(|why| format!("{} {flow}: {why}", kind.name())));
    Ok(())
}

/// Checks that the key which people are looked up with is there.
async fn look_up_key(
    store: &Store,
    tenant: &tenant::Tenant,
    found: &mut Findings,
) -> Result<(), StoreError> {
    let id = tenant.id;
    let key = store.read(move |db| vault::key_of(db, id, KeyOwner::LookUp)).await?;
    if key.is_some_and(|key| key.wrapped.is_none() || key.destroyed_at.is_some()) {
        let code = &tenant.code;
        found.broken.push(format!("keys {code}: the key that people are looked up with is gone"));
    }
    Ok(())
}

/// Checks the audit log of a tenant, a page at a time.
async fn audit_log(
    store: &Store,
    tenant: TenantId,
    found: &mut Findings,
) -> Result<(), StoreError> {
    const PAGE: i64 = 1000;
    let (mut mark, end) = store.read(move |db| audit::ends(db, tenant)).await?;
    if end.seq > 0 {
        found.chains += 1;
    }
    loop {
        let from = mark;
        // What was added since the end was looked at is checked the next time.
        let page = store.read(move |db| audit::after(db, tenant, from.seq, PAGE)).await?;
        let page: Vec<_> = page.into_iter().filter(|record| record.seq <= end.seq).collect();
        found.entries += page.len();
        match domain::audit::verify(mark, &page) {
            Ok(next) => mark = next,
            Err(broken) => {
                found.broken.push(format!("audit {tenant}: {}", in_words(broken)));
                return Ok(());
            }
        }
        if page.is_empty() {
            break;
        }
    }
    if mark != end {
        let why = format!("the log ends at {} and ought to end at {}", mark.seq, end.seq);
        found.broken.push(format!("audit {tenant}: {why}"));
    }
    Ok(())
}

/// How areas differ from what was decided about them: boundaries from their digests, and what
/// each event said from what is kept. What a file brought is in no event; its boundaries are
/// attested by the records, the records by nothing.
fn areas_differ(
    db: &mut Db,
    tenant: TenantId,
    entries: &[Entry],
) -> Result<Option<String>, StoreError> {
    let registry = area::registry(db, tenant)?;
    let drawn: HashMap<(AreaId, i64), Hash> = area::boundaries(db, tenant)?
        .into_iter()
        .map(|(id, no, text)| ((id, no), Hash::of(text.as_bytes())))
        .collect();
    for record in registry.iter() {
        let outlines = record.versions.iter().filter_map(|version| version.boundary.as_ref());
        for outline in outlines.filter(|outline| !outline.digest.is_empty()) {
            let digest = drawn.get(&(record.id, outline.no)).map(Hash::hex);
            if digest.as_ref() != Some(&outline.digest) {
                return Ok(Some(format!(
                    "the boundary {} of {} was altered",
                    outline.no, record.id
                )));
            }
        }
    }
    for entry in entries {
        let Ok(events) = serde_json::from_str::<Vec<Event>>(&entry.events) else {
            return Ok(Some(format!("entry {} cannot be read", entry.seq)));
        };
        if let Some(event) = events.iter().find(|event| !registry.shows(event)) {
            let event = serde_json::to_string(event).unwrap_or_default();
            return Ok(Some(format!("entry {}: the areas do not show {event}", entry.seq)));
        }
    }
    Ok(None)
}

fn in_words(broken: chain::Break) -> String {
    match broken {
        chain::Break::Order { expected, found } => {
            format!("entry {expected} is missing, {found} stands in its place")
        }
        chain::Break::Link { seq } => format!("entry {seq} does not follow from the one before"),
        chain::Break::Content { seq } => format!("entry {seq} was changed after it was written"),
    }
}

/// How the stored state differs from the replay of its journal.
fn differs<F: Kept + PartialEq>(
    db: &mut Db,
    tenant: TenantId,
    flow: Uuid,
) -> Result<Option<String>, StoreError> {
    let stored = persistence::find::<F>(db, tenant, flow)?;
    let replayed = match journal::at::<F>(db, tenant, flow, i64::MAX) {
        Ok(replayed) => replayed,
        Err(StoreError::Inconsistent(why)) => return Ok(Some(why)),
        Err(error) => return Err(error),
    };
    Ok(match (stored, replayed) {
        (Some(stored), Some(replayed)) if stored == replayed => None,
        (None, _) => Some(format!("the {} itself is missing", <F as Flow>::KIND.name())),
        (Some(_), _) => Some("the stored state is not what its journal says".to_owned()),
    })
}
