//! The audit log as rows, and where each tenant's chain begins and ends.

use diesel::prelude::*;
use domain::{
    Instant,
    core::{
        id::{PersonId, TenantId},
        journal::Hash,
    },
    people::{
        audit::{AuditAction, Mark, Note, Record, Verdict},
        evidence::{Rebased, Said},
        privacy::DataClass,
    },
};
use uuid::Uuid;

use crate::{
    kernel::{
        connection::{Db, each},
        error::StoreError,
        schema::{audit, audit_heads},
        tenant,
        types::{At, Id},
        write_job::WriteJob,
    },
    people::tally,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Appends a note to a tenant's log, in the current transaction. The row of the log's head makes
/// writers wait for each other.
pub(crate) fn append(db: &mut Db, tenant: TenantId, note: Note) -> Result<Record> {
    let before = lock_head(db, tenant)?;
    let record = Record::new(tenant, before.seq + 1, note, before.hash);
    let note = &record.note;
    diesel::insert_into(audit::table)
        .values((
            audit::tenant_id.eq(Id(tenant.0)),
            audit::seq.eq(record.seq),
            audit::at.eq(At(note.at)),
            audit::act.eq(note.act.name()),
            audit::verdict.eq(note.verdict.name()),
            audit::actor_id.eq(note.actor.map(|person| Id(person.0))),
            audit::actor_name.eq(note.actor_name.clone()),
            audit::subject_id.eq(note.subject.map(Id)),
            audit::address.eq(note.address.clone()),
            audit::detail.eq(note.detail.clone()),
            audit::hash.eq(record.hash.0.to_vec()),
        ))
        .execute(db)?;
    diesel::update(audit_heads::table.find(Id(tenant.0)))
        .set(audit_heads::head.eq(record.hash.0.to_vec()))
        .execute(db)?;
    Ok(record)
}

/// Increments the head and returns where the log ended before; a later transaction waits.
fn lock_head(db: &mut Db, tenant: TenantId) -> Result<Mark> {
    use audit_heads::dsl as h;
    let none = Hash::default().0.to_vec();
    let first = diesel::insert_into(audit_heads::table)
        .values((
            h::tenant_id.eq(Id(tenant.0)),
            h::seq.eq(0_i64),
            h::head.eq(none.clone()),
            h::base_seq.eq(0_i64),
            h::base_head.eq(none),
        ))
        .on_conflict_do_nothing();
    let next = |db: &mut Db| {
        diesel::update(audit_heads::table.find(Id(tenant.0)))
            .set(h::seq.eq(h::seq + 1))
            .returning((h::seq, h::head))
            .get_result::<(i64, Vec<u8>)>(db)
            .optional()
    };
    let mut found = next(db)?;
    if found.is_none() {
        each!(db, c => first.execute(c))?;
        found = next(db)?;
    }
    let (seq, head) = found.ok_or_else(|| inconsistent_error("its head is missing"))?;
    Ok(Mark { seq: seq - 1, hash: parse_hash(&head)? })
}

fn inconsistent_error(why: &str) -> StoreError {
    StoreError::Inconsistent(format!("audit: {why}"))
}

fn parse_hash(bytes: &[u8]) -> Result<Hash> {
    Hash::from_bytes(bytes).ok_or_else(|| inconsistent_error("a hash has not 32 bytes"))
}

/// Where a tenant's log begins and ends; both zero when it has none.
pub fn load_ends(db: &mut Db, tenant: TenantId) -> Result<(Mark, Mark)> {
    use audit_heads::dsl as h;
    let row: Option<(i64, Vec<u8>, i64, Vec<u8>)> = audit_heads::table
        .find(Id(tenant.0))
        .select((h::base_seq, h::base_head, h::seq, h::head))
        .first(db)
        .optional()?;
    let Some((base, base_head, seq, head)) = row else {
        return Ok((Mark::default(), Mark::default()));
    };
    Ok((Mark { seq: base, hash: parse_hash(&base_head)? }, Mark { seq, hash: parse_hash(&head)? }))
}

/// Where a tenant's log began at the time when removals did not say so yet.
pub fn load_unsaid_seq(db: &mut Db, tenant: TenantId) -> Result<i64> {
    let unsaid = audit_heads::table
        .find(Id(tenant.0))
        .select(audit_heads::unsaid_seq)
        .first(db)
        .optional()?;
    Ok(unsaid.unwrap_or(0))
}

#[derive(Queryable)]
struct Row {
    seq: i64,
    at: At,
    act: String,
    verdict: String,
    actor_id: Option<Id>,
    actor_name: String,
    subject_id: Option<Id>,
    address: String,
    detail: String,
    hash: Vec<u8>,
}

impl Row {
    fn into_record(self, tenant: TenantId) -> Result<Record> {
        let note = Note {
            at: self.at.0,
            act: AuditAction::parse(&self.act)
                .ok_or_else(|| inconsistent_error("an unknown act"))?,
            verdict: Verdict::parse(&self.verdict)
                .ok_or_else(|| inconsistent_error("an unknown verdict"))?,
            actor: self.actor_id.map(|id| PersonId(id.0)),
            actor_name: self.actor_name,
            subject: self.subject_id.map(|id| id.0),
            address: self.address,
            detail: self.detail,
        };
        Ok(Record { tenant, seq: self.seq, note, hash: parse_hash(&self.hash)? })
    }
}

/// Which records to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only actions of this kind.
    pub act: Option<AuditAction>,
    /// Only by this person.
    pub actor: Option<PersonId>,
    /// Only about this person or thing.
    pub subject: Option<Uuid>,
    /// Only at or after this.
    pub since: Option<Instant>,
    /// Only before this.
    pub until: Option<Instant>,
}

/// Records, newest first, those before the place `before`.
pub fn list(
    db: &mut Db,
    tenant: TenantId,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Record>> {
    let mut query = audit::table
        .filter(audit::tenant_id.eq(Id(tenant.0)))
        .filter(audit::seq.lt(before.unwrap_or(i64::MAX)))
        .into_boxed();
    if let Some(act) = filter.act {
        query = query.filter(audit::act.eq(act.name()));
    }
    if let Some(actor) = filter.actor {
        query = query.filter(audit::actor_id.eq(Some(Id(actor.0))));
    }
    if let Some(subject) = filter.subject {
        query = query.filter(audit::subject_id.eq(Some(Id(subject))));
    }
    if let Some(since) = filter.since {
        query = query.filter(audit::at.ge(At(since)));
    }
    if let Some(until) = filter.until {
        query = query.filter(audit::at.lt(At(until)));
    }
    let rows: Vec<Row> = query.select(COLUMNS).order(audit::seq.desc()).limit(limit).load(db)?;
    rows.into_iter().map(|row| row.into_record(tenant)).collect()
}

type Columns = (
    audit::seq,
    audit::at,
    audit::act,
    audit::verdict,
    audit::actor_id,
    audit::actor_name,
    audit::subject_id,
    audit::address,
    audit::detail,
    audit::hash,
);

const COLUMNS: Columns = (
    audit::seq,
    audit::at,
    audit::act,
    audit::verdict,
    audit::actor_id,
    audit::actor_name,
    audit::subject_id,
    audit::address,
    audit::detail,
    audit::hash,
);

/// Records in order, those after the place `after`: for checking the chain, a page at a time.
pub fn load_after(db: &mut Db, tenant: TenantId, after: i64, limit: i64) -> Result<Vec<Record>> {
    let rows: Vec<Row> = audit::table
        .filter(audit::tenant_id.eq(Id(tenant.0)).and(audit::seq.gt(after)))
        .select(COLUMNS)
        .order(audit::seq.asc())
        .limit(limit)
        .load(db)?;
    rows.into_iter().map(|row| row.into_record(tenant)).collect()
}

/// Removes the oldest records up to `cutoff`, at most `limit`; the chain then begins after the last
/// removed one, and its newest record says so. Returns how many were removed.
pub(crate) fn prune(
    db: &mut Db,
    tenant: TenantId,
    (cutoff, at): (Instant, Instant),
    limit: i64,
) -> Result<i64> {
    use audit_heads::dsl as h;
    let tallies = tally::hold_all(db, tenant, at)?;
    let (base, _) = load_ends(db, tenant)?;
    let oldest = load_after(db, tenant, base.seq, limit)?;
    let gone = oldest.iter().take_while(|record| record.note.at < cutoff);
    let (count, last) = gone.fold((0_i64, None), |(count, _), record| (count + 1, Some(record)));
    let Some(last) = last else { return Ok(0) };
    let to = Mark { seq: last.seq, hash: last.hash };
    diesel::update(audit_heads::table.find(Id(tenant.0)))
        .set((h::base_seq.eq(to.seq), h::base_head.eq(to.hash.0.to_vec())))
        .execute(db)?;
    diesel::delete(audit::table)
        .filter(audit::tenant_id.eq(Id(tenant.0)).and(audit::seq.le(to.seq)))
        .execute(db)?;
    let said = Said {
        class: Some(DataClass::Audit),
        removed: Some(count),
        before: Some(cutoff),
        base: Some(Rebased { from: base, to }),
        tallies: Some(tallies),
        ..Said::default()
    };
    append(db, tenant, said.to_note(at))?;
    Ok(count)
}

/// Records an act that accompanies no other write.
pub fn append_note(tenant: TenantId, note: Note) -> WriteJob<()> {
    WriteJob::new(move |db| append(db, tenant, note).map(drop))
}

impl<R: 'static> WriteJob<R> {
    /// Adds a note to the audit log, last, as in every commit: writers wait there for each other.
    pub fn with_note(self, tenant: TenantId, note: Note) -> Self {
        self.with_note_from(tenant, |_| Some(note))
    }

    /// Adds the note that `note` makes of the answer, if it makes one.
    pub fn with_note_from(
        self,
        tenant: TenantId,
        note: impl FnOnce(&R) -> Option<Note> + Send + 'static,
    ) -> Self {
        self.append_step(move |db, done| match note(done) {
            Some(note) => append(db, tenant, note).map(drop),
            None => Ok(()),
        })
    }

    /// Adds a note to the audit log of every tenant.
    pub fn with_note_everywhere(self, note: Note) -> Self {
        self.append_step(move |db, _| {
            let mut tenants = tenant::load_all(db)?;
            tenants.sort_by_key(|tenant| tenant.id);
            for tenant in tenants {
                append(db, tenant.id, note.clone())?;
            }
            Ok(())
        })
    }
}

impl WriteJob<bool> {
    /// Adds a note to the audit log where the job returns true.
    pub fn with_note_if_done(self, tenant: TenantId, note: Note) -> Self {
        self.with_note_from(tenant, |done| done.then_some(note))
    }
}
