//! Commits: changes as rows, and how many of them become one transaction.
//!
//! The journal is the arbiter. Its rows are inserted first, with `on conflict do nothing`: the
//! primary key (tenant, flow, seq) lets one of two racing commands win, the unique index
//! (tenant, command, part) finds a command that was seen before. Only winners' other rows are
//! written. A commit whose entries win only in part breaks the batch, and is refused alone.

use std::collections::HashSet;

use crate::{
    flows::{
        area::{AreaRow, BoundaryRow},
        burden::BurdenRow,
        campaign::{CampaignRow, GoneRow, TaskRow},
        case::{CaseRow, CaseUnitRow},
        content_review::ReviewRow,
        form::{self, AnswerRow, Answered, FormRow},
        household::{self, HouseholdRow, Relations},
        media::{LinkRow, Marks, MarksRow, MediaRow},
        patrol::PatrolRow,
        patrol_plan::PlanRow,
        policy::PolicyRow,
        report::{self, ReportRow},
        track::{self, TrackRow},
        visit::VisitRow,
    },
    kernel::{
        arrival::ArrivalRow,
        connection::Db,
        error::StoreError,
        feed,
        flow::save_flows,
        journal::{EntryKey, EntryRow},
        obligation::ObligationRow,
        rows::{self, Keyed},
        schema,
        types::{At, Id},
    },
    people::{
        audit, identity,
        person::{self, Origin, PasswordRow, PersonRow},
        post::{self, Holding},
        vault::{self, FieldRow, KeyRow, NewSubject, SealedField},
    },
};
use diesel::prelude::*;
use domain::{
    area::tree::history::Record,
    core::{
        arrival::Arrival,
        id::{AreaId, PersonId, TenantId},
        journal::Entry,
    },
    flows::{
        campaign::Campaign, case::state::Case, change::Change, content_review::Review, flow::Flow,
        form::Form, household::Household, media::Media, patrol::Patrol, patrol_plan::PatrolPlan,
        person::Person, policy::Policy, report::Report, visit::Visit,
    },
    people::{
        audit::{Act, Note, Verdict},
        personal::DataSubject,
    },
    rules::{
        burden::Entered,
        obligation::{Obligation, Settled},
    },
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
    /// A document came into force.
    Policy(Box<Change<Policy>>),
    /// The password of a person, already hashed.
    Password {
        /// Whose.
        person: PersonId,
        /// The hash, with its parameters.
        hash: String,
        /// Who set it.
        origin: Origin,
    },
    /// People's data of a subject that is new, already sealed.
    Personal(Box<NewSubject>),
    /// An act for the audit log, besides those that follow from the other writes.
    Noted(Box<Note>),
    /// What a phone said about the command of the other writes.
    Arrived(Box<Arrival>),
    /// Areas changed, with the entry that says so.
    Areas {
        /// The entry of the tenant's own chain.
        entry: Box<Entry>,
        /// The areas it touched, as they are now, parents first.
        areas: Vec<Record>,
        /// The boundaries that were drawn, as GeoJSON.
        drawn: Vec<(AreaId, String)>,
    },
    /// A patrol moved.
    Patrol(Box<Change<Patrol>>),
    /// A plan of patrols was made, changed or followed.
    Plan(Box<Change<PatrolPlan>>),
    /// A household was registered or changed.
    Household(Box<Change<Household>>),
    /// A visit moved.
    Visit(Box<Change<Visit>>),
    /// A campaign moved.
    Campaign(Box<Change<Campaign>>),
    /// An edition of a form came into force, or it is asked no more.
    Form(Box<Change<Form>>),
    /// Values of subjects whose keys are kept already, sealed by them.
    Sealed(Vec<SealedField>),
    /// Subjects whose keys are destroyed, and what they sealed with them.
    Forgotten(Vec<DataSubject>),
    /// A household answered a form.
    Answered(Box<Answered>),
    /// What the first of these writes demanded of whoever made it.
    Entered(Box<Entered>),
    /// A file arrived, or went.
    Media(Box<Change<Media>>),
    /// A content review moved.
    Review(Box<Change<Review>>),
    /// What a photo that arrived looks like.
    Marked(Box<Marks>),
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
    holdings: Vec<Holding>,
    policies: Vec<PolicyRow>,
    passwords: Vec<PasswordRow>,
    personal_keys: Vec<KeyRow>,
    personal: Vec<FieldRow>,
    notes: Vec<(TenantId, Note)>,
    arrivals: Vec<ArrivalRow>,
    areas: Vec<AreaRow>,
    boundaries: Vec<BoundaryRow>,
    patrols: Vec<PatrolRow>,
    tracks: Vec<TrackRow>,
    plans: Vec<PlanRow>,
    /// Those who went off duty: where they are is forgotten.
    off_duty: Vec<(TenantId, PersonId)>,
    opened: Vec<ObligationRow>,
    /// Moved or settled.
    changed: Vec<ObligationRow>,
    households: Vec<HouseholdRow>,
    relations: Vec<Relations>,
    visits: Vec<VisitRow>,
    campaigns: Vec<CampaignRow>,
    tasks: Vec<TaskRow>,
    gone: Vec<GoneRow>,
    forms: Vec<FormRow>,
    sealed: Vec<FieldRow>,
    forgotten: Vec<(TenantId, DataSubject, At)>,
    answers: Vec<AnswerRow>,
    burden: Vec<BurdenRow>,
    media: Vec<MediaRow>,
    links: Vec<LinkRow>,
    marks: Vec<MarksRow>,
    reviews: Vec<ReviewRow>,
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
                    commit.links.extend(LinkRow::all(change, &change.state.media));
                    let report = &change.state;
                    commit.flow(change, &report.number, report.matter.title.as_str())?;
                }
                Write::Case(change) => {
                    first.get_or_insert(&change.entry);
                    commit.cases.push(CaseRow::new(change)?);
                    commit.links.extend(LinkRow::all(change, &change.state.media));
                    commit.case_units.extend(CaseUnitRow::all(change));
                    let case = &change.state;
                    commit.flow(change, &case.number, case.matter.title.as_str())?;
                }
                Write::Person(change) => {
                    first.get_or_insert(&change.entry);
                    commit.people.push(PersonRow::new(change)?);
                    if change.state.shift.is_none() && change.entry.seq > 1 {
                        commit.off_duty.push((change.entry.tenant, change.state.id));
                    }
                    commit.holdings.push(Holding::new(change));
                    commit
                        .notes
                        .extend(act(&change.entry.name).map(|act| noted(&change.entry, act)));
                    commit.flow(change, "", "")?;
                }
                Write::Policy(change) => {
                    first.get_or_insert(&change.entry);
                    commit.policies.push(PolicyRow::new(change)?);
                    commit.notes.push(noted(&change.entry, Act::Publish));
                    commit.flow(change, "", "")?;
                }
                Write::Password { person, hash, origin } => {
                    let entry = first.ok_or_else(orphan)?;
                    commit.passwords.push(PasswordRow {
                        tenant_id: Id(entry.tenant.0),
                        person_id: Id(person.0),
                        hash: hash.clone(),
                        changed_at: At(entry.at),
                        origin: origin.name().to_owned(),
                    });
                }
                Write::Personal(subject) => {
                    let entry = first.ok_or_else(orphan)?;
                    commit.personal_keys.push(KeyRow::new(entry.tenant, &subject.key));
                    let row = |field| FieldRow::new(entry.tenant, field, entry.at);
                    commit.personal.extend(subject.fields.iter().map(row));
                }
                Write::Noted(note) => {
                    let entry = first.ok_or_else(orphan)?;
                    commit.notes.push((entry.tenant, (**note).clone()));
                }
                Write::Arrived(arrival) => {
                    let entry = first.ok_or_else(orphan)?;
                    commit.arrivals.push(ArrivalRow::new(entry, arrival));
                }
                Write::Areas { entry, areas, drawn } => {
                    first.get_or_insert(entry);
                    commit.entries.push(EntryRow::new(entry));
                    for area in areas {
                        commit.areas.push(AreaRow::new(entry, area)?);
                    }
                    let row =
                        |(area, text): &(AreaId, String)| BoundaryRow::new(entry, *area, text);
                    commit.boundaries.extend(drawn.iter().map(row));
                }
                Write::Patrol(change) => {
                    first.get_or_insert(&change.entry);
                    commit.patrols.push(PatrolRow::new(change)?);
                    let patrol = &change.state;
                    if change.entry.seq == 1 {
                        commit.tracks.push(TrackRow::empty(change.entry.tenant, patrol.id));
                    }
                    commit.flow(change, &patrol.number, patrol.purpose.label())?;
                }
                Write::Plan(change) => {
                    first.get_or_insert(&change.entry);
                    commit.plans.push(PlanRow::new(change)?);
                    commit.flow(change, "", "")?;
                }
                Write::Household(change) => {
                    first.get_or_insert(&change.entry);
                    commit.households.push(HouseholdRow::new(change)?);
                    commit.relations.push(Relations::new(change));
                    commit.flow(change, &change.state.number, "")?;
                }
                Write::Visit(change) => {
                    first.get_or_insert(&change.entry);
                    commit.visits.push(VisitRow::new(change)?);
                    commit.gone.extend(GoneRow::new(change));
                    let labels: Vec<&str> =
                        change.state.purposes.iter().map(|purpose| purpose.label()).collect();
                    commit.flow(change, &change.state.number, &labels.join("、"))?;
                }
                Write::Campaign(change) => {
                    first.get_or_insert(&change.entry);
                    commit.campaigns.push(CampaignRow::new(change)?);
                    commit.tasks.extend(TaskRow::all(change)?);
                    let campaign = &change.state;
                    commit.flow(change, &campaign.number, campaign.name.as_str())?;
                }
                Write::Form(change) => {
                    first.get_or_insert(&change.entry);
                    commit.forms.push(FormRow::new(change)?);
                    commit.notes.push(noted(&change.entry, Act::Publish));
                    commit.flow(change, "", "")?;
                }
                Write::Sealed(fields) => {
                    let entry = first.ok_or_else(orphan)?;
                    let row = |field| FieldRow::new(entry.tenant, field, entry.at);
                    commit.sealed.extend(fields.iter().map(row));
                }
                Write::Forgotten(subjects) => {
                    let entry = first.ok_or_else(orphan)?;
                    let gone = |subject: &DataSubject| (entry.tenant, *subject, At(entry.at));
                    commit.forgotten.extend(subjects.iter().map(gone));
                }
                Write::Answered(answered) => {
                    let entry = first.ok_or_else(orphan)?;
                    commit.answers.push(AnswerRow::new(entry.tenant, answered));
                }
                Write::Entered(entered) => {
                    let entry = first.ok_or_else(orphan)?;
                    commit.burden.push(BurdenRow::new(entry, entered));
                }
                Write::Media(change) => {
                    first.get_or_insert(&change.entry);
                    commit.media.push(MediaRow::new(change)?);
                    commit.flow(change, "", "")?;
                }
                Write::Review(change) => {
                    first.get_or_insert(&change.entry);
                    commit.reviews.push(ReviewRow::new(change)?);
                    commit.flow(change, "", "")?;
                }
                Write::Marked(marks) => {
                    let entry = first.ok_or_else(orphan)?;
                    commit.marks.push(MarksRow::new(entry.tenant, marks));
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
            self.opened.push(row(obligation, None)?);
        }
        for obligation in &change.moved {
            self.changed.push(row(obligation, None)?);
        }
        for settled in &change.settled {
            self.changed.push(row(&settled.obligation, Some(settled))?);
        }
        Ok(())
    }
}

/// Which act a command about a person is; none for what has nothing to do with rights.
fn act(command: &str) -> Option<Act> {
    match command {
        "register" => Some(Act::Register),
        "grant" | "take_over" => Some(Act::Grant),
        "revoke" | "hand_over" => Some(Act::Revoke),
        "reset_password" => Some(Act::Password),
        "stand" | "start_shift" | "end_shift" => None,
        _ => Some(Act::Person),
    }
}

/// The note of an entry that matters for security: the facts themselves stand in the journal.
fn noted(entry: &Entry, act: Act) -> (TenantId, Note) {
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

fn orphan() -> StoreError {
    StoreError::Inconsistent("a write without a journal entry".to_owned())
}

/// Applies commits in the hope that none of them was seen before or lost a race, which is the
/// rule and costs least; if one was, nothing is written and [`apply`] is to be asked.
pub(crate) fn apply_all(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    let entries = numbered(db, commits)?;
    rows::insert(db, &sorted(&entries))?;
    save(db, commits)
}

/// Applies commits within the current transaction; one outcome for each.
pub(crate) fn apply(db: &mut Db, commits: &[&Commit]) -> Result<Vec<Outcome>> {
    let entries = numbered(db, commits)?;
    let mut won: HashSet<EntryKey> = rows::claim(db, &sorted(&entries))?.into_iter().collect();
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
fn numbered(db: &mut Db, commits: &[&Commit]) -> Result<Vec<EntryRow>> {
    let mut entries =
        all(commits, |commit| &commit.entries).into_iter().cloned().collect::<Vec<_>>();
    feed::number(db, &mut entries)?;
    Ok(entries)
}

/// Entries by flow: two lanes that write to the same flows meet in the
/// same order, so that one waits for the other and never each for the other. Of two that want the
/// same place the one whose commit came first stays first: it is the one that is told it won.
fn sorted(entries: &[EntryRow]) -> Vec<&EntryRow> {
    let mut entries: Vec<&EntryRow> = entries.iter().collect();
    entries.sort_by(|one, other| place(one).cmp(&place(other)));
    entries
}

fn place(entry: &EntryRow) -> (Id, Id, &str, i64) {
    (entry.tenant_id, entry.flow_id, &entry.flow, entry.seq)
}

/// The rows of a table in several commits.
fn all<'a, R>(commits: &[&'a Commit], rows: fn(&Commit) -> &Vec<R>) -> Vec<&'a R> {
    commits.iter().flat_map(|commit| rows(commit)).collect()
}

fn save(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    rows::upsert(db, &all(commits, |commit| &commit.areas))?;
    rows::insert(db, &all(commits, |commit| &commit.boundaries))?;
    save_flows(db, all(commits, |commit| &commit.reports))?;
    save_flows(db, all(commits, |commit| &commit.cases))?;
    rows::upsert(db, &all(commits, |commit| &commit.case_units))?;
    save_flows(db, all(commits, |commit| &commit.people))?;
    post::save(db, &all(commits, |commit| &commit.holdings))?;
    save_flows(db, all(commits, |commit| &commit.policies))?;
    save_flows(db, all(commits, |commit| &commit.patrols))?;
    rows::insert(db, &all(commits, |commit| &commit.tracks))?;
    save_flows(db, all(commits, |commit| &commit.plans))?;
    let mut off_duty = all(commits, |commit| &commit.off_duty);
    off_duty.sort_unstable();
    for (tenant, person) in off_duty {
        track::forget(db, *tenant, *person)?;
    }
    let passwords = all(commits, |commit| &commit.passwords);
    rows::upsert(db, &passwords)?;
    for row in passwords {
        person::end_sessions(db, row.tenant_id, row.person_id, row.changed_at, "password")?;
        if row.origin == Origin::Other.name() {
            // Whoever had got into the account may have linked an identity of their own.
            identity::unlink(db, TenantId(row.tenant_id.0), PersonId(row.person_id.0))?;
        }
    }
    rows::insert(db, &all(commits, |commit| &commit.personal_keys))?;
    rows::insert(db, &all(commits, |commit| &commit.personal))?;
    for commit in commits.iter().filter(|commit| !commit.personal_keys.is_empty()) {
        report::destroy_of_erased(db, &commit.reports)?;
    }
    rows::insert(db, &all(commits, |commit| &commit.arrivals))?;
    rows::insert(db, &all(commits, |commit| &commit.opened))?;
    rows::update(db, &all(commits, |commit| &commit.changed))?;
    save_visits(db, commits)?;
    save_media(db, commits)?;
    // Last, and by tenant: writers wait here for each other, and hold nothing others wait for.
    let mut notes = all(commits, |commit| &commit.notes);
    notes.sort_by_key(|(tenant, _)| *tenant);
    for (tenant, note) in notes {
        audit::append(db, *tenant, note.clone())?;
    }
    Ok(())
}

/// What belongs to households, visits, campaigns and forms.
fn save_visits(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    let answers = all(commits, |commit| &commit.answers);
    form::lock(db, &answers)?;
    save_flows(db, all(commits, |commit| &commit.households))?;
    household::save(db, &all(commits, |commit| &commit.relations))?;
    save_flows(db, all(commits, |commit| &commit.visits))?;
    save_flows(db, all(commits, |commit| &commit.campaigns))?;
    rows::upsert(db, &all(commits, |commit| &commit.tasks))?;
    rows::update(db, &all(commits, |commit| &commit.gone))?;
    save_flows(db, all(commits, |commit| &commit.forms))?;
    rows::upsert(db, &all(commits, |commit| &commit.sealed))?;
    rows::insert(db, &answers)?;
    let forgotten: Vec<_> = all(commits, |commit| &commit.forgotten).into_iter().copied().collect();
    for (tenant, subject, at) in &forgotten {
        vault::destroy(db, *tenant, *subject, at.0)?;
    }
    form::forget(db, &forgotten, &answers)?;
    Ok(rows::insert(db, &all(commits, |commit| &commit.burden))?)
}

/// What belongs to files and their reviews.
fn save_media(db: &mut Db, commits: &[&Commit]) -> Result<()> {
    save_flows(db, all(commits, |commit| &commit.media))?;
    rows::upsert(db, &all(commits, |commit| &commit.links))?;
    rows::upsert(db, &all(commits, |commit| &commit.marks))?;
    save_flows(db, all(commits, |commit| &commit.reviews))
}

#[cfg(test)]
mod tests {
    use domain::core::{
        id::{CommandId, PersonId},
        journal::{FlowKind, Hash},
    };
    use uuid::Uuid;

    use super::*;

    /// The same two places in two journals, wanted by command number `no`.
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
        let sorted = sorted(&entries);
        let order = |flow| {
            let of = sorted.iter().filter(|row| row.flow_id == Id(Uuid::from_u128(flow)));
            of.map(|row| row.command_id.0.as_u128()).collect::<Vec<_>>()
        };
        assert!(sorted.is_sorted_by_key(|row| row.flow_id));
        assert_eq!(order(3), (0..200).collect::<Vec<_>>());
        assert_eq!(order(9), order(3));
    }
}
