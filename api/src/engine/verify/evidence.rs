//! The audit log: where it begins, and what it says was written and removed.

use domain::{
    core::{
        checkpoint::{AuditMark, Checkpoint},
        id::TenantId,
    },
    people::{
        audit::{self as log, Mark, Record},
        evidence::{Tallies, Watch, Written},
        privacy::DataClass,
    },
};
use persistence::{
    Db, StoreError,
    flows::retention,
    people::{audit, privacy, tally},
};
use uuid::Uuid;

use super::{Findings, break_in_words};

/// Reads the audit log of a tenant from its beginning, a page at a time; answers its end.
pub(super) fn check(
    db: &mut Db,
    tenant: TenantId,
    seen: &[Checkpoint],
    found: &mut Findings,
) -> Result<AuditMark, StoreError> {
    const PAGE: i64 = 1000;
    let (base, end) = audit::load_ends(db, tenant)?;
    let mut watch = Watch::new(base, audit::load_unsaid_seq(db, tenant)?);
    let (mut mark, mut newest, mut missed) = (base, None, Missed::default());
    if end.seq > 0 {
        found.chains += 1;
    }
    loop {
        let page = audit::load_after(db, tenant, mark.seq, PAGE)?;
        let Some(last) = page.last() else { break };
        newest = Some(last.note.at);
        found.entries += page.len();
        mark = match log::verify_chain(mark, &page) {
            Ok(next) => next,
            Err(broken) => {
                found.record_break(format!("audit {tenant}: {}", break_in_words(broken)));
                return Ok(AuditMark { seq: end.seq, hash: end.hash, at: newest });
            }
        };
        for record in &page {
            for one in seen {
                compare_record(tenant, one, record, found);
            }
        }
        let told: Vec<_> = page
            .iter()
            .filter_map(|record| watch.read_record(record).map(|written| (record, written)))
            .collect();
        for class in Tallies::CLASSES.iter().copied() {
            let of_class = told.iter().filter(|(_, (one, _))| *one == class);
            let of_class: Vec<(&Record, Written)> =
                of_class.map(|(record, (_, written))| (*record, *written)).collect();
            missed.check_records(db, tenant, class, &of_class, found)?;
        }
    }
    if mark != end {
        let why = format!("the log ends at {} and ought to end at {}", mark.seq, end.seq);
        found.record_break(format!("audit {tenant}: {why}"));
    }
    check_beginning(tenant, seen, (base, end), &watch, found);
    missed.check_removals(tenant, &watch, found);
    let (ought, faults) = watch.finish();
    for fault in faults {
        found.record_break(format!("audit {tenant}: {fault}"));
    }
    if mark == end {
        check_counts(db, tenant, ought, found)?;
    }
    Ok(AuditMark { seq: end.seq, hash: end.hash, at: newest })
}

/// Whether a record is the one a checkpoint saw at the end of the log.
fn compare_record(tenant: TenantId, one: &Checkpoint, record: &Record, found: &mut Findings) {
    if one.audit.seq == record.seq && one.audit.hash != record.hash {
        let (seq, at) = (record.seq, one.at.to_rfc3339());
        found.record_break(format!(
            "audit {tenant}: entry {seq} is not what the checkpoint of {at} saw"
        ));
    }
}

/// Checks that the record a checkpoint saw is still there, or was removed when its time was over.
fn check_beginning(
    tenant: TenantId,
    seen: &[Checkpoint],
    (base, end): (Mark, Mark),
    watch: &Watch,
    found: &mut Findings,
) {
    for one in seen {
        let (seq, at) = (one.audit.seq, one.at.to_rfc3339());
        let before = watch.removal_cutoff(DataClass::Audit);
        if seq > end.seq {
            let end = end.seq;
            found.record_break(format!(
                "audit {tenant}: the log ends at {end}; the checkpoint of {at} saw entry {seq}"
            ));
        } else if seq == base.seq && one.audit.hash != base.hash {
            found.record_break(format!(
                "audit {tenant}: entry {seq} is not what the checkpoint of {at} saw"
            ));
        } else if seq < base.seq && one.audit.at.is_some_and(|at| before.is_none_or(|b| b <= at)) {
            found.record_break(format!(
                "audit {tenant}: entry {seq} is missing, which the checkpoint of {at} saw, and its \
                 time is not over"
            ));
        }
    }
}

/// Records the log mentions that are missing.
#[derive(Default)]
struct Missed {
    /// For each class, when the newest record was written that may have been removed, and its
    /// identity.
    newest: Vec<(DataClass, domain::Instant, Uuid)>,
}

impl Missed {
    /// Checks that the records the log mentions are there.
    fn check_records(
        &mut self,
        db: &mut Db,
        tenant: TenantId,
        class: DataClass,
        told: &[(&Record, Written)],
        found: &mut Findings,
    ) -> Result<(), StoreError> {
        if told.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = told.iter().map(|(_, written)| written.record).collect();
        let there = privacy::load_digests(db, tenant, class, &ids)?;
        let run = retention::load_runs(db, tenant)?.into_iter().find(|run| run.class == class);
        let name = class.name();
        for (record, Written { record: id, digest }) in told {
            match there.get(id) {
                Some(there) if there == digest => {}
                Some(_) => {
                    found.record_break(format!("{name} {id}: it was changed after it was written"));
                }
                None if run.is_some_and(|run| record.note.at < run.cutoff) => {
                    self.newest.retain(|(one, at, _)| *one != class || *at > record.note.at);
                    if self.newest.iter().all(|(one, ..)| *one != class) {
                        self.newest.push((class, record.note.at, *id));
                    }
                }
                None => {
                    let seq = record.seq;
                    found.record_break(format!(
                        "{name} {id}: audit entry {seq} tells of it, and it is missing"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks that what the log says was removed was due for removal.
    fn check_removals(&self, tenant: TenantId, watch: &Watch, found: &mut Findings) {
        for (class, at, id) in &self.newest {
            if watch.removal_cutoff(*class).is_none_or(|before| before <= *at) {
                let name = class.name();
                found.record_break(format!(
                    "{name} {id}: it is missing in {tenant}, and no removal says so"
                ));
            }
        }
    }
}

/// Compares the stored records with their tally, and the tally with the log.
fn check_counts(
    db: &mut Db,
    tenant: TenantId,
    ought: Tallies,
    found: &mut Findings,
) -> Result<(), StoreError> {
    for class in Tallies::CLASSES.iter().copied() {
        let (name, there) = (class.name(), tally::count(db, tenant, class)?);
        let kept = tally::load(db, tenant, class)?;
        if let Some(kept) = kept
            && kept != there
        {
            let (there, ought) = (there.count, kept.count);
            found.record_break(format!(
                "{name} {tenant}: {there} are there as they were written, of {ought}"
            ));
        }
        if let Some(ought) = ought.get(class)
            && ought != kept.unwrap_or_default()
        {
            let (kept, ought) = (kept.unwrap_or_default().count, ought.count);
            found.record_break(format!(
                "{name} {tenant}: {kept} are counted, and the log tells of {ought}"
            ));
        }
    }
    Ok(())
}
