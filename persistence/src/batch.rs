//! Commits: changes as rows, and how many of them become one transaction.
//!
//! The journal is the arbiter. Its rows are inserted first, with `on conflict do nothing`: the
//! primary key (tenant, flow, kind, seq) lets one of two racing commands win, the unique index
//! (tenant, command, actor, part) finds a command that was seen before. Other rows are written for
//! winners only. A commit of which only some entries win breaks the batch, and is refused alone.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use domain::{
    area::tree::history::Record,
    core::{
        arrival::Arrival,
        id::{AreaId, CommandId, PersonId, TenantId},
        journal::Entry,
    },
    flows::change::Change,
    people::{
        audit::{AuditAction, Note, Verdict},
        personal::DataSubject,
    },
    rules::burden::Entered,
};

use crate::{
    flows::{
        area::{AreaRow, BoundaryRow},
        burden::BurdenRow,
        form::{self, AnswerRow, Answered},
        media::{Marks, MarksRow},
        report::Contact,
    },
    kernel::{
        arrival::ArrivalRow,
        connection::Db,
        error::StoreError,
        feed,
        flow::{FlowTable, FlowWrite, PendingRows},
        journal::{EntryKey, EntryRow},
        number::NumberRow,
        pending::{Inserted, Pending, Upserted},
        rows::{self, Keyed},
        schema,
        types::{At, Id},
    },
    people::{
        audit,
        person::{Origin, PasswordRow},
        vault::{self, FieldRow, KeyRow, NewSubject, SealedField},
    },
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// One thing to write.
#[derive(Clone, Debug)]
pub enum Write {
    /// A change of a flow.
    Flow(Box<dyn FlowWrite>),
    /// The password of a person, already hashed.
    Password {
        /// The person whose password it is.
        person: PersonId,
        /// The hash, with its parameters.
        hash: String,
        /// Who set it.
        origin: Origin,
    },
    /// The sealed personal data of a new subject.
    Personal(Box<NewSubject>),
    /// A note for the audit log, besides those that follow from the other writes.
    Noted(Box<Note>),
    /// The arrival of the command of the other writes, from an offline phone.
    Arrived(Box<Arrival>),
    /// A change of areas, with its entry.
    Areas {
        /// The entry in the tenant's own chain.
        entry: Box<Entry>,
        /// The areas that changed, in their new state, parents first.
        areas: Vec<Record>,
        /// The boundaries that were drawn, as GeoJSON.
        drawn: Vec<(AreaId, String)>,
    },
    /// Values of subjects that have a key already, sealed by it.
    Sealed(Vec<SealedField>),
    /// Subjects whose keys are to be destroyed, with everything sealed by them.
    Forgotten(Vec<DataSubject>),
    /// A household answered a form.
    Answered(Box<Answered>),
    /// The work that the first of these writes took the person who made it.
    Entered(Box<Entered>),
    /// The marks of a photo that arrived.
    Marked(Box<Marks>),
}

impl Write {
    /// The journal entry, where the write has one.
    fn entry(&self) -> Option<&Entry> {
        if let Self::Areas { entry, .. } = self {
            return Some(entry);
        }
        let Self::Flow(change) = self else { return None };
        Some(change.entry())
    }

    /// Sets the part of its entry among those of the command.
    fn take_part(&mut self, part: i16) {
        if let Self::Areas { entry, .. } = self {
            entry.take_part(part);
        }
        if let Self::Flow(change) = self {
            change.take_part(part);
        }
    }
}

/// Numbers the entries of each command in the order of the writes: 0 for the flow that was
/// addressed, which comes first, 1, 2… for others that move with it.
pub(crate) fn number_parts(writes: &mut [Write]) {
    let mut next: HashMap<(CommandId, PersonId), i16> = HashMap::new();
    for write in writes {
        let Some(entry) = write.entry() else { continue };
        let next = next.entry((entry.command, entry.actor)).or_default();
        write.take_part(*next);
        *next = next.saturating_add(1);
    }
}

impl<F: FlowTable> From<Change<F>> for Write {
    fn from(change: Change<F>) -> Self {
        Self::Flow(Box::new(change))
    }
}

/// The result of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is durable.
    Done,
    /// Another request changed one of the flows first; nothing was written.
    Stale,
    /// The command was seen before; nothing was written.
    Seen,
    /// What it begins has a number that another has; nothing was written.
    NumberTaken,
}

/// A commit as rows, built before it reaches the lane, so that the lane only talks to the database.
#[derive(Default)]
pub(crate) struct Commit {
    entries: Vec<EntryRow>,
    rows: Pending,
    notes: Vec<(TenantId, Note)>,
    /// The answers that are written, and the subjects that are forgotten: both are checked once
    /// more at the end.
    answers: Vec<AnswerRow>,
    forgotten: Vec<(TenantId, DataSubject, At)>,
}

impl Commit {
    pub(crate) fn new(writes: &[Write]) -> Result<Self> {
        let mut commit = Self::default();
        let first = writes.iter().find_map(Write::entry);
        let first = first.ok_or_else(orphan_error)?;
        for write in writes {
            commit.add_write(write, first)?;
        }
        if writes.iter().any(|write| matches!(write, Write::Personal(_))) {
            let contact = |write: &Write| {
                let Write::Flow(change) = write else { return None };
                Contact::from_change(&**change)
            };
            commit.rows.extend(writes.iter().filter_map(contact));
        }
        Ok(commit)
    }

    /// Adds a write; `first` is the first entry of the commit.
    fn add_write(&mut self, write: &Write, first: &Entry) -> Result<()> {
        let rows = &mut self.rows;
        match write {
            Write::Flow(change) => {
                self.entries.push(EntryRow::new(change.entry()));
                self.notes.extend(change.audit_action().map(|act| new_note(change.entry(), act)));
                let number = change.new_number();
                rows.extend(number.map(|number| Inserted(NumberRow::new(change.entry(), number))));
                change.write_rows(&mut PendingRows(rows))?;
            }
            Write::Areas { entry, areas, drawn } => {
                self.entries.push(EntryRow::new(entry));
                let areas = areas.iter().map(|area| AreaRow::new(entry, area).map(Upserted));
                rows.extend(areas.collect::<Result<Vec<_>>>()?);
                let row = |(area, text): &(AreaId, String)| BoundaryRow::new(entry, *area, text);
                rows.extend(drawn.iter().map(row));
            }
            Write::Password { person, hash, origin } => rows.extend([PasswordRow {
                tenant_id: Id(first.tenant.0),
                person_id: Id(person.0),
                hash: hash.clone(),
                changed_at: At(first.at),
                origin: origin.name().to_owned(),
            }]),
            Write::Personal(subject) => {
                rows.extend([Inserted(KeyRow::new(first.tenant, &subject.key))]);
                let row = |field| FieldRow::new(first.tenant, field, first.at);
                rows.extend(subject.fields.iter().map(row).map(Inserted));
            }
            Write::Noted(note) => self.notes.push((first.tenant, (**note).clone())),
            Write::Arrived(arrival) => rows.extend([Inserted(ArrivalRow::new(first, arrival))]),
            Write::Sealed(fields) => {
                let row = |field| FieldRow::new(first.tenant, field, first.at);
                rows.extend(fields.iter().map(row).map(Upserted));
            }
            Write::Forgotten(subjects) => {
                let gone = |subject: &DataSubject| (first.tenant, *subject, At(first.at));
                self.forgotten.extend(subjects.iter().map(gone));
            }
            Write::Answered(answered) => {
                self.answers.push(AnswerRow::new(first.tenant, answered));
            }
            Write::Entered(entered) => rows.extend([Inserted(BurdenRow::new(first, entered))]),
            Write::Marked(marks) => {
                rows.extend([Upserted(MarksRow::new(first.tenant, marks))]);
            }
        }
        Ok(())
    }
}

/// The audit note of an entry that matters for security: its facts stand in the journal.
fn new_note(entry: &Entry, act: AuditAction) -> (TenantId, Note) {
    let note = Note {
        at: entry.at,
        act,
        verdict: Verdict::Done,
        actor: Some(entry.actor),
        actor_name: entry.actor_name.clone(),
        subject: Some(entry.flow_id),
        address: String::new(),
        detail: format!(r#"{{"command":"{}","seq":{}}}"#, entry.name, entry.seq),
    };
    (entry.tenant, note)
}

fn orphan_error() -> StoreError {
    StoreError::Inconsistent("a write without a journal entry".to_owned())
}

/// Applies commits on the assumption that none of them was seen before or lost a race, which is the
/// rule and costs least; if one was, nothing is written and [`apply`] must be called.
pub(crate) fn apply_all(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    let entries = number_entries(db, commits)?;
    rows::insert(db, &sort_entries(&entries))?;
    save_rows(db, commits)
}

/// Applies commits within the current transaction; returns one outcome for each.
pub(crate) fn apply(db: &mut Db, commits: &[&Commit]) -> Result<Vec<Outcome>> {
    let entries = number_entries(db, commits)?;
    let mut won: HashSet<EntryKey> =
        rows::claim(db, &sort_entries(&entries))?.into_iter().collect();
    if won.len() < entries.len() {
        feed::close_holes(db, &entries, &won)?;
    }
    let (mut outcomes, mut winners) = (Vec::with_capacity(commits.len()), Vec::new());
    for commit in commits {
        let taken = commit.entries.iter().filter(|e| won.remove(&e.key())).count();
        if taken == commit.entries.len() {
            winners.push(*commit);
            outcomes.push(Outcome::Done);
        } else if taken == 0 {
            outcomes.push(explain_loss(db, commit)?);
        } else {
            return Err(StoreError::Exists("command"));
        }
    }
    save_rows(db, &winners)?;
    Ok(outcomes)
}

/// Why a commit lost: its command was seen before, or its place in the journal is taken.
fn explain_loss(db: &mut Db, commit: &Commit) -> Result<Outcome> {
    use schema::journal::dsl as j;
    for entry in &commit.entries {
        let seen: i64 = j::journal
            .filter(j::tenant_id.eq(entry.tenant_id).and(j::command_id.eq(entry.command_id)))
            .filter(j::actor_id.eq(entry.actor_id))
            .count()
            .get_result(db)?;
        if seen > 0 {
            return Ok(Outcome::Seen);
        }
    }
    Ok(Outcome::Stale)
}

/// The entries of several commits, with their positions in the feed.
fn number_entries(db: &mut Db, commits: &[&Commit]) -> Result<Vec<EntryRow>> {
    let mut entries =
        collect_rows(commits, |commit| &commit.entries).into_iter().cloned().collect::<Vec<_>>();
    feed::number_entries(db, &mut entries)?;
    Ok(entries)
}

/// Entries sorted by flow: two lanes that write to the same flows meet in the same order, so that
/// only one waits for the other. Of two entries for the same place the one whose commit came first
/// stays first: it is the one that wins.
fn sort_entries(entries: &[EntryRow]) -> Vec<&EntryRow> {
    let mut entries: Vec<&EntryRow> = entries.iter().collect();
    entries.sort_by(|one, other| sort_key(one).cmp(&sort_key(other)));
    entries
}

fn sort_key(entry: &EntryRow) -> (Id, Id, &str, i64) {
    (entry.tenant_id, entry.flow_id, &entry.flow, entry.seq)
}

/// The rows of one table from several commits.
fn collect_rows<'a, R>(commits: &[&'a Commit], rows: fn(&Commit) -> &Vec<R>) -> Vec<&'a R> {
    commits.iter().flat_map(|commit| rows(commit)).collect()
}

fn save_rows(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    let answers = collect_rows(commits, |commit| &commit.answers);
    form::lock_households(db, &answers)?;
    let rows: Vec<&Pending> = commits.iter().map(|commit| &commit.rows).collect();
    Pending::save(db, &rows)?;
    rows::insert(db, &answers)?;
    let forgotten: Vec<_> =
        collect_rows(commits, |commit| &commit.forgotten).into_iter().copied().collect();
    for (tenant, subject, at) in &forgotten {
        vault::destroy_key(db, *tenant, *subject, at.0)?;
    }
    form::forget_answers(db, &forgotten, &answers)?;
    // Last, and by tenant: writers wait here for each other, and hold nothing others wait for.
    let mut notes = collect_rows(commits, |commit| &commit.notes);
    notes.sort_by_key(|(tenant, _)| *tenant);
    for (tenant, note) in notes {
        audit::append(db, *tenant, note.clone())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::core::{
        id::{CommandId, PersonId},
        journal::{FlowKind, Hash},
    };
    use uuid::Uuid;

    use super::*;

    /// A commit for the same two places in two journals, by command number `no`.
    fn wanting(no: u128) -> Commit {
        let entry = |flow_id| Entry {
            tenant: TenantId(Uuid::nil()),
            flow: FlowKind::Report,
            flow_id: Uuid::from_u128(flow_id),
            seq: 1,
            command: CommandId(Uuid::from_u128(no)),
            part: 0,
            name: String::new(),
            digest: Hash::default(),
            actor: PersonId(Uuid::nil()),
            actor_name: String::new(),
            at: domain::Instant::UNIX_EPOCH,
            events: String::new(),
            before: Hash::default(),
            hash: Hash::default(),
        };
        let entries = [9, 3].map(|flow| EntryRow::new(&entry(flow)));
        Commit { entries: entries.into(), ..Commit::default() }
    }

    #[test]
    fn of_those_who_want_one_place_the_first_stays_first() {
        let commits: Vec<Commit> = (0..200).map(wanting).collect();
        let entries: Vec<EntryRow> =
            commits.into_iter().flat_map(|commit| commit.entries).collect();
        let sorted = sort_entries(&entries);
        let order = |flow| {
            let of = sorted.iter().filter(|row| row.flow_id == Id(Uuid::from_u128(flow)));
            of.map(|row| row.command_id.0.as_u128()).collect::<Vec<_>>()
        };
        assert!(sorted.is_sorted_by_key(|row| row.flow_id));
        assert_eq!(order(3), (0..200).collect::<Vec<_>>());
        assert_eq!(order(9), order(3));
    }
}
