//! Changes: a decision as plain data. Nothing else is ever written for a flow.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    Instant,
    core::{
        id::CommandId,
        journal::{Entry, FlowKind, Hash},
    },
    flows::{
        flow::{Context, Flow},
        stored_event::write_events,
    },
    rules::{
        obligation::{Obligation, Outcome, Settled},
        refusal::Refusal,
    },
};

/// A flow's state with its place in the journal.
#[derive(Clone, PartialEq, Debug)]
pub struct Versioned<F> {
    /// The flow after its last entry.
    pub state: F,
    /// The sequence of the last entry; the `ETag`.
    pub seq: i64,
    /// The hash of the last entry.
    pub head: Hash,
}

/// What is to be written: one journal entry, the state after it, and the obligations that begin,
/// move or end.
#[derive(Clone, PartialEq, Debug)]
pub struct Change<F> {
    /// The entry to append to the journal.
    pub entry: Entry,
    /// The state after it.
    pub state: F,
    /// Obligations that began.
    pub opened: Vec<Obligation>,
    /// Obligations that continue with another clock or after another measure.
    pub moved: Vec<Obligation>,
    /// Obligations that ended, and how.
    pub settled: Vec<Settled>,
}

impl<F> Change<F> {
    /// The version that will be stored if this is the first change of its command; the hashes of
    /// the others are computed by the commit.
    pub fn to_stored(&self) -> Versioned<F>
    where
        F: Clone,
    {
        Versioned { state: self.state.clone(), seq: self.entry.seq, head: self.entry.hash }
    }
}

/// Replaces a name that must not stand in the journal.
pub const HIDDEN: &str = "上报人";

/// The identity of one request: its command, and a digest of all its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// The command, by its `Idempotency-Key`.
    pub command: CommandId,
    /// The digest of the operation and its body.
    pub digest: Hash,
}

impl Request {
    /// The request for `operation` on `target` with `body`, under `command`.
    pub fn new(command: CommandId, operation: &str, target: Uuid, body: &impl Serialize) -> Self {
        let body = serde_json::to_string(body).unwrap_or_default();
        let digest = Hash::digest(format!("{operation}\n{target}\n{body}").as_bytes());
        Self { command, digest }
    }

    /// A request of the system, with an identity derived from its content: when another replica or
    /// this one after a crash repeats it, it is found done.
    pub fn for_system(what: &str) -> Self {
        let digest = Hash::digest(what.as_bytes());
        Self { command: CommandId(digest.to_uuid()), digest }
    }

    /// The entry for the journal of a flow, without its hash: `happened` are the events, `before`
    /// is the hash they follow. It is numbered as the first entry of its command; the commit
    /// numbers the others.
    pub fn entry(
        self,
        (flow, flow_id): (FlowKind, Uuid),
        (name, happened): (&str, String),
        before: Hash,
        context: &Context<'_>,
    ) -> Entry {
        Entry {
            tenant: context.by.tenant,
            flow,
            flow_id,
            seq: context.seq,
            command: self.command,
            part: 0,
            name: name.to_owned(),
            digest: self.digest,
            actor: context.by.person,
            actor_name: context.by.name.clone(),
            at: context.at,
            events: happened,
            before,
            hash: Hash::default(),
        }
    }
}

/// Decides `command` on a flow and builds the change, as the first one of its request.
pub fn execute<F: Flow>(
    stored: Option<&Versioned<F>>,
    command: &F::Command,
    request: Request,
    context: Context<'_>,
) -> Result<Change<F>, Refusal> {
    let (seq, before) = stored.map_or((1, Hash::default()), |s| (s.seq + 1, s.head));
    let context = context.with_seq(seq);
    let state = stored.map(|stored| &stored.state);
    let events = F::decide(state, command, &context)?;
    let owed = state.map(F::obligations).unwrap_or_default();
    let mut after = state.cloned();
    for event in &events {
        after = F::evolve(after, event);
    }
    let wrong = || Refusal::WrongState {
        flow: F::KIND.name(),
        state: "unknown",
        command: F::command_name(command),
        possible: Vec::new(),
    };
    let state = after.ok_or_else(wrong)?;
    let flow = (F::KIND, state.id());
    let mut entry =
        request.entry(flow, (F::command_name(command), write_events(&events)), before, &context);
    if F::hides_actor(command) {
        HIDDEN.clone_into(&mut entry.actor_name);
    }
    let entry = entry.with_computed_hash();
    Ok(new_change(entry, state, &events, &owed))
}

/// Rebuilds the change of a journal entry from the state before it and the obligations at that
/// time; none when its events do not follow that state.
pub fn rebuild_change<F: Flow>(
    before: Option<F>,
    owed: &[Obligation],
    (entry, events): (Entry, &[F::Event]),
) -> Option<Change<F>> {
    let after = events.iter().fold(before, F::evolve);
    Some(new_change(entry, after?, events, owed))
}

fn new_change<F: Flow>(
    entry: Entry,
    state: F,
    events: &[F::Event],
    owed: &[Obligation],
) -> Change<F> {
    let owing = state.obligations();
    Change {
        opened: subtract_obligations(&owing, owed),
        moved: owing
            .iter()
            .filter(|now| owed.iter().any(|before| before.is_same_debt(now) && before != *now))
            .cloned()
            .collect(),
        settled: subtract_obligations(owed, &owing)
            .into_iter()
            .map(|obligation| settle_obligation::<F>(events, obligation, entry.at))
            .collect(),
        entry,
        state,
    }
}

/// The obligations of `some` that are not in `others`.
fn subtract_obligations(some: &[Obligation], others: &[Obligation]) -> Vec<Obligation> {
    some.iter().filter(|one| !others.iter().any(|other| one.is_same_debt(other))).cloned().collect()
}

fn settle_obligation<F: Flow>(events: &[F::Event], obligation: Obligation, at: Instant) -> Settled {
    let done = events.iter().any(|event| F::fulfils(event, &obligation));
    let outcome = match (done, at < obligation.term.due_at) {
        (false, _) => Outcome::Lifted,
        (true, true) => Outcome::Met,
        (true, false) => Outcome::Late,
    };
    Settled { obligation, outcome, at }
}
