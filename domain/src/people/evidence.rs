//! What the audit log says about records outside the journal: which disclosures and consents were
//! written, and what was removed because its time was over. It is checked against the stored
//! records.

use std::collections::BTreeMap;

use chrono::Duration;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    core::{journal::Hash, tally::Tally},
    people::{
        audit::{AuditAction, Mark, Note, Record, Verdict},
        privacy::DataClass,
    },
};

/// The tallies of the classes that the log covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tallies {
    /// The tally of disclosures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclosures: Option<Tally>,
    /// The tally of consents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consents: Option<Tally>,
}

impl Tallies {
    /// The classes that the log covers.
    pub const CLASSES: &[DataClass] = &[DataClass::Disclosures, DataClass::Consents];

    /// The tally of a class.
    pub fn get(&self, class: DataClass) -> Option<Tally> {
        match class {
            DataClass::Disclosures => self.disclosures,
            DataClass::Consents => self.consents,
            DataClass::Audit
            | DataClass::ReporterContacts
            | DataClass::Sessions
            | DataClass::Tracks
            | DataClass::Positions
            | DataClass::Deliveries
            | DataClass::Messages
            | DataClass::Uploads
            | DataClass::FormAnswers => None,
        }
    }

    /// These tallies with another one for a class.
    #[must_use]
    pub fn with_tally(mut self, class: DataClass, tally: Option<Tally>) -> Self {
        if class == DataClass::Disclosures {
            self.disclosures = tally;
        } else if class == DataClass::Consents {
            self.consents = tally;
        }
        self
    }
}

/// A log that begins later than before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rebased {
    /// The record after which it began.
    pub from: Mark,
    /// The record after which it begins now.
    pub to: Mark,
}

/// A record that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Written {
    /// The identity of the record.
    pub record: Uuid,
    /// The digest of its whole content.
    #[serde(with = "crate::core::tally::hexadecimal")]
    pub digest: Hash,
}

/// The part of a note's detail that is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Said {
    /// The class of which records were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<DataClass>,
    /// The number of removed records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<i64>,
    /// Records older than this were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Instant>,
    /// Where the log began before and begins since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Rebased>,
    /// The tallies of what is left of the classes it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tallies: Option<Tallies>,
    /// The record that was written.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
}

impl Said {
    /// The checked part of a note; empty where the note says nothing of the kind.
    pub fn from_note(note: &Note) -> Self {
        serde_json::from_str(&note.detail).unwrap_or_default()
    }

    /// As the detail of a note.
    pub fn detail(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The note of the system about a removal or a first count.
    pub fn to_note(&self, at: Instant) -> Note {
        Note {
            at,
            act: AuditAction::Retention,
            verdict: Verdict::Done,
            actor: None,
            actor_name: "系统".to_owned(),
            subject: None,
            address: String::new(),
            detail: self.detail(),
        }
    }
}

/// The class of the record that an action writes.
fn class_of(act: AuditAction) -> Option<DataClass> {
    if act == AuditAction::Disclose {
        Some(DataClass::Disclosures)
    } else {
        matches!(act, AuditAction::Consent | AuditAction::Withdraw).then_some(DataClass::Consents)
    }
}

/// A reader of a log from its beginning that keeps tallies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    base: Mark,
    /// Where the log began at the time when removals did not say so yet.
    unsaid: i64,
    said: Option<Mark>,
    /// The tallies; none for a class whose beginning is not known.
    known: Tallies,
    removed_before: BTreeMap<DataClass, Instant>,
    faults: Vec<String>,
}

impl Watch {
    /// A reader of a log that begins after `base`.
    pub fn new(base: Mark, unsaid: i64) -> Self {
        let nothing = (base.seq == 0).then(Tally::default);
        let known = Tallies { disclosures: nothing, consents: nothing };
        Self {
            base,
            unsaid,
            said: None,
            known,
            removed_before: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Reads the next record; returns the record it tells of, if any.
    pub fn read_record(&mut self, record: &Record) -> Option<(DataClass, Written)> {
        let note = &record.note;
        if note.verdict != Verdict::Done {
            return None;
        }
        if let Some(class) = class_of(note.act) {
            let written = Said::from_note(note).written;
            let with = |tally: Tally| Some(tally.with_record(written?.digest));
            self.known = self.known.with_tally(class, self.known.get(class).and_then(with));
            return written.map(|written| (class, written));
        }
        if note.act == AuditAction::Retention {
            self.note_removal(record.seq, note);
        }
        None
    }

    fn note_removal(&mut self, seq: i64, note: &Note) {
        let said = Said::from_note(note);
        if let (Some(class), Some(before)) = (said.class, said.before) {
            let (least, ..) = class.bounds();
            if before > note.at - Duration::days(i64::from(least)) {
                let name = class.name();
                self.faults.push(format!("entry {seq}: {name} were removed before their time"));
            }
            let known = self.removed_before.entry(class).or_insert(before);
            *known = (*known).max(before);
        }
        for class in Tallies::CLASSES.iter().copied() {
            let Some(tally) = said.tallies.unwrap_or_default().get(class) else { continue };
            let counted = self.known.get(class);
            if said.class != Some(class) && counted.is_some_and(|counted| counted != tally) {
                let name = class.name();
                self.faults.push(format!("entry {seq}: {name} were not what the log says"));
            }
            self.known = self.known.with_tally(class, Some(tally));
        }
        if let Some(Rebased { from, to }) = said.base {
            if self.said.is_some_and(|said| said != from) || to.seq <= from.seq {
                self.faults
                    .push(format!("entry {seq}: the removal does not follow the one before"));
            }
            self.said = Some(to);
        }
    }

    /// Records older than this are known to have been removed.
    pub fn removal_cutoff(&self, class: DataClass) -> Option<Instant> {
        self.removed_before.get(&class).copied()
    }

    /// The expected tally of each class, and everything that is wrong; to be called after the last
    /// record.
    pub fn finish(mut self) -> (Tallies, Vec<String>) {
        let attested = match self.said {
            Some(said) => said == self.base,
            None => self.base.seq == self.unsaid,
        };
        if !attested {
            let seq = self.base.seq;
            self.faults.push(format!("it begins after entry {seq}, and no removal says so"));
        }
        (self.known, self.faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::TenantId;

    fn at(day: i64) -> Instant {
        chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap() + Duration::days(day)
    }

    fn record(seq: i64, act: AuditAction, detail: String) -> Record {
        let note = Note { act, detail, ..Said::default().to_note(at(seq)) };
        Record::new(TenantId(Uuid::nil()), seq, note, Hash::default())
    }

    fn disclosed(seq: i64, text: &str) -> Record {
        let written = Written { record: Uuid::from_u128(1), digest: Hash::digest(text.as_bytes()) };
        record(
            seq,
            AuditAction::Disclose,
            Said { written: Some(written), ..Said::default() }.detail(),
        )
    }

    fn mark(seq: i64) -> Mark {
        Mark { seq, hash: Hash::digest(&seq.to_be_bytes()) }
    }

    #[test]
    fn what_was_written_is_counted() {
        let mut watch = Watch::new(Mark::default(), 0);
        let (class, written) = watch.read_record(&disclosed(1, "a")).unwrap();
        assert_eq!((class, written.record), (DataClass::Disclosures, Uuid::from_u128(1)));
        assert_eq!(watch.read_record(&record(2, AuditAction::Login, "{}".to_owned())), None);
        watch.read_record(&disclosed(3, "b"));
        let (known, faults) = watch.finish();
        let expected =
            Tally::default().with_record(Hash::digest(b"a")).with_record(Hash::digest(b"b"));
        assert_eq!((known.disclosures, known.consents), (Some(expected), Some(Tally::default())));
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn what_older_programs_wrote_is_not_known() {
        let mut watch = Watch::new(Mark::default(), 0);
        watch.read_record(&record(1, AuditAction::Disclose, r#"{"fields":["phone"]}"#.to_owned()));
        assert_eq!(watch.finish().0.disclosures, None);
    }

    #[test]
    fn a_log_that_begins_later_says_so() {
        let faults = |base, said: Option<(Mark, Mark)>| {
            let mut watch = Watch::new(base, 0);
            if let Some((from, to)) = said {
                let base = Some(Rebased { from, to });
                let before = Some(at(900 - 183));
                let class = Some(DataClass::Audit);
                let said = Said { class, before, base, ..Said::default() };
                watch.read_record(&record(900, AuditAction::Retention, said.detail()));
            }
            watch.finish().1
        };
        assert_eq!(faults(Mark::default(), None), Vec::<String>::new());
        assert_eq!(faults(mark(5), Some((Mark::default(), mark(5)))), Vec::<String>::new());
        assert_eq!(faults(mark(5), None).len(), 1);
        assert_eq!(faults(mark(6), Some((Mark::default(), mark(5)))).len(), 1);
        assert_eq!(faults(mark(4), Some((mark(5), mark(4)))).len(), 1);
    }

    #[test]
    fn nothing_is_removed_before_its_time() {
        let mut watch = Watch::new(Mark::default(), 0);
        let class = Some(DataClass::Consents);
        let said = Said { class, before: Some(at(900 - 1000)), ..Said::default() };
        watch.read_record(&record(900, AuditAction::Retention, said.detail()));
        assert_eq!(watch.removal_cutoff(DataClass::Consents), Some(at(-100)));
        assert_eq!(watch.finish().1, ["entry 900: consents were removed before their time"]);
    }
}
