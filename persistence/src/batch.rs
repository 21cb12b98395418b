//! Commits: changes as rows, and how many of them become one transaction.
//!
//! The journal is the arbiter. Its rows are inserted first, with `on conflict do nothing`: the
//! primary key (tenant, flow, seq) lets one of two racing commands win, the unique index
//! (tenant, command, part) finds a command that was seen before. Only winners' other rows are
//! written. A commit whose entries win only in part breaks the batch, and is refused alone.

use std::collections::{HashMap, HashSet};

use diesel::{prelude::*, upsert::excluded};
use domain::{
    area::Area,
    case::Case,
    change::Change,
    flow::Flow,
    id::PersonId,
    journal::Entry,
    obligation::{Obligation, Settled},
    person::Person,
    report::Report,
};
use serde::Serialize;

use crate::{
    area::AreaRow,
    case::{CaseRow, CaseUnitRow},
    connection::{Db, each},
    error::StoreError,
    journal::EntryRow,
    obligation::ObligationRow,
    person::{PasswordRow, PersonRow},
    report::ReportRow,
    schema,
    types::{At, Doc, Id},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// One thing to write.
#[derive(Clone, Debug)]
pub enum Write {
    /// A report moved.
    Report(Box<Change<Report>>),
    /// A case moved.
    Case(Box<Change<Case>>),
    /// A person was registered, granted or revoked.
    Person(Box<Change<Person>>),
    /// The password of a person, already hashed.
    Password {
        /// Whose.
        person: PersonId,
        /// The hash, with its parameters.
        hash: String,
    },
    /// Areas were added, with the entry that says so.
    Areas {
        /// The entry of the tenant's own chain.
        entry: Box<Entry>,
        /// The areas with their boundaries as GeoJSON, parents first.
        areas: Vec<(Area, Option<String>)>,
    },
}

/// What became of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is durable.
    Done,
    /// Somebody else changed one of the flows first; nothing was written.
    Stale,
    /// The command was seen before; nothing was written.
    Seen,
}

/// Changes as rows, made before the lane so that it only talks to the database.
#[derive(Default)]
pub(crate) struct Commit {
    entries: Vec<EntryRow>,
    reports: Vec<ReportRow>,
    cases: Vec<CaseRow>,
    case_units: Vec<CaseUnitRow>,
    people: Vec<PersonRow>,
    passwords: Vec<PasswordRow>,
    areas: Vec<AreaRow>,
    obligations: Vec<ObligationRow>,
}

impl Commit {
    pub(crate) fn new(writes: &[Write]) -> Result<Self> {
        let mut commit = Self::default();
        let mut first: Option<&Entry> = None;
        for write in writes {
            match write {
                Write::Report(change) => {
                    first.get_or_insert(&change.entry);
                    commit.reports.push(ReportRow::new(change)?);
                    let report = &change.state;
                    commit.flow(change, &report.number, report.matter.title.as_str())?;
                }
                Write::Case(change) => {
                    first.get_or_insert(&change.entry);
                    commit.cases.push(CaseRow::new(change)?);
                    commit.case_units.extend(CaseUnitRow::all(change));
                    let case = &change.state;
                    commit.flow(change, &case.number, case.matter.title.as_str())?;
                }
                Write::Person(change) => {
                    first.get_or_insert(&change.entry);
                    commit.people.push(PersonRow::new(change)?);
                    commit.flow(change, "", "")?;
                }
                Write::Password { person, hash } => {
                    let entry = first.ok_or_else(orphan)?;
                    commit.passwords.push(PasswordRow {
                        tenant_id: Id(entry.tenant.0),
                        person_id: Id(person.0),
                        hash: hash.clone(),
                        changed_at: At(entry.at),
                    });
                }
                Write::Areas { entry, areas } => {
                    first.get_or_insert(entry);
                    commit.entries.push(EntryRow::new(entry));
                    for (area, boundary) in areas {
                        commit.areas.push(AreaRow::new(entry, area, boundary.clone()));
                    }
                }
            }
        }
        first.map(|_| ()).ok_or_else(orphan)?;
        Ok(commit)
    }

    fn flow<F: Flow>(&mut self, change: &Change<F>, number: &str, title: &str) -> Result<()> {
        let row = |obligation: &Obligation, settled: Option<&Settled>| {
            ObligationRow::new(&change.entry, number, title, obligation, settled)
        };
        self.entries.push(EntryRow::new(&change.entry));
        for obligation in &change.opened {
            self.obligations.push(row(obligation, None)?);
        }
        for settled in &change.settled {
            self.obligations.push(row(&settled.obligation, Some(settled))?);
        }
        Ok(())
    }
}

fn orphan() -> StoreError {
    StoreError::Inconsistent("a write without a journal entry".to_owned())
}

/// The JSON text of a state.
pub(crate) fn document(state: &impl Serialize) -> Result<Doc> {
    serde_json::to_string(state).map(Doc).map_err(|e| StoreError::Inconsistent(e.to_string()))
}

/// Applies commits within the current transaction; one outcome for each.
pub(crate) fn apply(db: &mut Db, commits: &[&Commit]) -> Result<Vec<Outcome>> {
    let entries: Vec<&EntryRow> = commits.iter().flat_map(|c| &c.entries).collect();
    let mut won = insert_entries(db, &entries)?;
    let (mut outcomes, mut winners) = (Vec::with_capacity(commits.len()), Vec::new());
    for commit in commits {
        let taken = commit.entries.iter().filter(|e| won.remove(&e.key())).count();
        if taken == commit.entries.len() {
            winners.push(*commit);
            outcomes.push(Outcome::Done);
        } else if taken == 0 {
            outcomes.push(lost(db, commit)?);
        } else {
            return Err(StoreError::Exists("command"));
        }
    }
    save(db, &winners)?;
    Ok(outcomes)
}

/// Why a commit lost: its command was seen before, or its place in the journal is taken.
fn lost(db: &mut Db, commit: &Commit) -> Result<Outcome> {
    use schema::journal::dsl as j;
    for entry in &commit.entries {
        let seen: i64 = j::journal
            .filter(j::tenant_id.eq(entry.tenant_id).and(j::command_id.eq(entry.command_id)))
            .count()
            .get_result(db)?;
        if seen > 0 {
            return Ok(Outcome::Seen);
        }
    }
    Ok(Outcome::Stale)
}

type EntryKey = (Id, Id, Id, i64);

fn insert_entries(db: &mut Db, entries: &[&EntryRow]) -> Result<HashSet<EntryKey>> {
    use schema::journal::dsl as j;
    let key = (j::tenant_id, j::command_id, j::flow_id, j::seq);
    let won: Vec<EntryKey> = match db {
        Db::Postgres(c) => diesel::insert_into(j::journal)
            .values(entries.to_vec())
            .on_conflict_do_nothing()
            .returning(key)
            .get_results(c)?,
        Db::Sqlite(c) => {
            let mut won = Vec::with_capacity(entries.len());
            for entry in entries {
                let inserted = diesel::insert_into(j::journal)
                    .values(*entry)
                    .on_conflict_do_nothing()
                    .execute(c)?;
                if inserted == 1 {
                    won.push(entry.key());
                }
            }
            won
        }
    };
    Ok(won.into_iter().collect())
}

/// Rows of several commits; PostgreSQL takes them in one statement, SQLite has no round trip to
/// save and caches the statement for one row.
macro_rules! upsert {
    ($db:expr, $rows:expr, $table:expr, $target:expr, $set:expr) => {
        match $db {
            Db::Postgres(c) => {
                diesel::insert_into($table)
                    .values($rows)
                    .on_conflict($target)
                    .do_update()
                    .set($set)
                    .execute(c)?;
            }
            Db::Sqlite(c) => {
                for row in $rows {
                    diesel::insert_into($table)
                        .values(row)
                        .on_conflict($target)
                        .do_update()
                        .set($set)
                        .execute(c)?;
                }
            }
        }
    };
}

fn save(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    save_areas(db, commits)?;
    save_reports(db, commits)?;
    save_cases(db, commits)?;
    save_people(db, commits)?;
    save_obligations(db, commits)
}

fn save_reports(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    use schema::reports::dsl as r;
    let rows: Vec<&ReportRow> = commits.iter().flat_map(|c| &c.reports).collect();
    if rows.is_empty() {
        return Ok(());
    }
    upsert!(
        db,
        rows,
        r::reports,
        (r::tenant_id, r::id),
        (
            r::seq.eq(excluded(r::seq)),
            r::head.eq(excluded(r::head)),
            r::status.eq(excluded(r::status)),
            r::case_id.eq(excluded(r::case_id)),
            r::state.eq(excluded(r::state)),
        )
    );
    Ok(())
}

fn save_cases(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    use schema::{case_units::dsl as u, cases::dsl as k};
    let rows: Vec<&CaseRow> = commits.iter().flat_map(|c| &c.cases).collect();
    if rows.is_empty() {
        return Ok(());
    }
    upsert!(
        db,
        rows,
        k::cases,
        (k::tenant_id, k::id),
        (
            k::seq.eq(excluded(k::seq)),
            k::head.eq(excluded(k::head)),
            k::stage.eq(excluded(k::stage)),
            k::holder_id.eq(excluded(k::holder_id)),
            k::closed_at.eq(excluded(k::closed_at)),
            k::state.eq(excluded(k::state)),
        )
    );
    for unit in commits.iter().flat_map(|c| &c.case_units) {
        each!(db, c => diesel::insert_into(u::case_units)
            .values(unit)
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    Ok(())
}

fn save_people(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    use schema::{passwords::dsl as w, people::dsl as p, sessions::dsl as s};
    let rows: Vec<&PersonRow> = commits.iter().flat_map(|c| &c.people).collect();
    if rows.is_empty() {
        return Ok(());
    }
    upsert!(
        db,
        rows,
        p::people,
        (p::tenant_id, p::id),
        (
            p::seq.eq(excluded(p::seq)),
            p::head.eq(excluded(p::head)),
            p::name.eq(excluded(p::name)),
            p::state.eq(excluded(p::state)),
        )
    );
    for password in commits.iter().flat_map(|c| &c.passwords) {
        each!(db, c => diesel::insert_into(w::passwords)
            .values(password)
            .on_conflict((w::tenant_id, w::person_id))
            .do_update()
            .set((w::hash.eq(excluded(w::hash)), w::changed_at.eq(excluded(w::changed_at))))
            .execute(c))?;
        // A new password ends every session the old one began.
        diesel::update(
            s::sessions.filter(
                s::tenant_id.eq(password.tenant_id).and(s::person_id.eq(password.person_id)),
            ),
        )
        .filter(s::revoked_at.is_null())
        .set(s::revoked_at.eq(Some(password.changed_at)))
        .execute(db)?;
    }
    Ok(())
}

fn save_areas(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    use schema::areas::dsl as a;
    // A statement for each: an import is rare, long, and refers to its own rows.
    for row in commits.iter().flat_map(|c| &c.areas) {
        each!(db, c => diesel::insert_into(a::areas)
            .values(row)
            .on_conflict((a::tenant_id, a::id))
            .do_update()
            .set((a::name.eq(excluded(a::name)), a::boundary.eq(excluded(a::boundary))))
            .execute(c))?;
    }
    Ok(())
}

fn save_obligations(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    use schema::obligations::dsl as o;
    // One command can both open and settle nothing twice, but two commits of a batch may touch
    // the same debt, and one statement must not: the later one counts.
    let mut latest: HashMap<_, &ObligationRow> = HashMap::new();
    for row in commits.iter().flat_map(|c| &c.obligations) {
        latest.insert(row.key(), row);
    }
    let rows: Vec<&ObligationRow> = latest.into_values().collect();
    if rows.is_empty() {
        return Ok(());
    }
    upsert!(
        db,
        rows,
        o::obligations,
        (o::tenant_id, o::flow_id, o::no, o::duty, o::unit_id),
        (o::settled_at.eq(excluded(o::settled_at)), o::outcome.eq(excluded(o::outcome)))
    );
    Ok(())
}
