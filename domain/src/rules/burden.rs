//! Burden (基层负担): the work that the system demands of its users, counted as it demands it, and what
//! it spared them; and the switches for functions that stay off unless a tenant states a reason.
//!
//! 国办函〔2026〕12号 forbids check-ins, rankings and statistics of usage except with a reason, and
//! repeated filling in of forms. So nothing here measures how much a person did: it measures how
//! much was demanded.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::tree::Path,
    core::{
        disclosure::disclosed,
        id::PersonId,
        labelled_enum::labelled_enum,
        tabular_import::{At, Fault},
        text::Prose,
    },
    rules::{refusal::Refusal, vocabulary::Switch},
};

labelled_enum! {
    /// The kinds of entries.
    What {
        /// A visit, with its form if it has one.
        Visit = "visit", "走访记录";
        /// A form filled in outside a visit.
        Form = "form", "表单填报";
        /// A report of a matter.
        Report = "report", "上报";
        /// A household that was registered or changed.
        Household = "household", "家庭信息";
    }
}

/// The work of one entry, in numbers of fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Fields that had to have a value.
    pub required: u16,
    /// Fields the person filled in.
    pub typed: u16,
    /// Fields the person did not have to fill in: prefilled from a fact, or carried over.
    pub reused: u16,
    /// Fields the person filled in with a value that was known already.
    pub repeated: u16,
    /// Photos that were demanded.
    pub photos: u16,
}

disclosed! {
    struct Counts { Open: required, typed, reused, repeated, photos }
}

impl Counts {
    /// The sums of both, each at most 65 535.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self {
            required: self.required.saturating_add(other.required),
            typed: self.typed.saturating_add(other.typed),
            reused: self.reused.saturating_add(other.reused),
            repeated: self.repeated.saturating_add(other.repeated),
            photos: self.photos.saturating_add(other.photos),
        }
    }
}

/// One entry of a person, for counting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entered {
    /// The person who made it.
    pub person: PersonId,
    /// The path of its area.
    pub path: Path,
    /// The kind of entry.
    pub what: What,
    /// When it was made.
    pub at: Instant,
    /// The work it took.
    pub counts: Counts,
}

/// The reason for which a switch is on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// The reason: security, or an emergency, as the rule allows.
    pub reason: Prose,
    /// The day on which the reason was made public.
    pub published: NaiveDate,
}

/// The switches of a tenant; one without a reason is off.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Performance {
    /// See [`Switch::CheckIns`].
    pub check_ins: Option<Grounds>,
    /// See [`Switch::Mileage`].
    pub mileage: Option<Grounds>,
    /// See [`Switch::Rankings`].
    pub rankings: Option<Grounds>,
}

impl Performance {
    /// The reason for which a switch is on; none when it is off.
    pub const fn grounds(&self, switch: Switch) -> Option<&Grounds> {
        match switch {
            Switch::CheckIns => self.check_ins.as_ref(),
            Switch::Mileage => self.mileage.as_ref(),
            Switch::Rankings => self.rankings.as_ref(),
        }
    }

    /// Refuses unless a switch is on.
    pub fn require_switch(&self, switch: Switch) -> Result<(), Refusal> {
        self.grounds(switch).map(|_| ()).ok_or(Refusal::SwitchedOff { switch })
    }

    /// What is wrong with it: a reason has to be one.
    pub fn check(&self) -> Vec<Fault> {
        const LEAST: usize = 10;
        let short = |switch: &&Switch| {
            let reason = self.grounds(**switch).map(|grounds| grounds.reason.as_str());
            reason.is_some_and(|reason| reason.chars().count() < LEAST)
        };
        let fault = |switch: &Switch| {
            let column = format!("performance/{}/reason", switch.name());
            let (zh, en) = (
                format!("至少 {LEAST} 个字的理由"),
                format!("a reason of at least {LEAST} characters"),
            );
            Fault::new(At::Whole, (column, "out_of_range"), "").with_expected(zh, en)
        };
        Switch::ALL.iter().filter(short).map(fault).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_off_until_somebody_says_why() {
        let off = Performance::default();
        for switch in Switch::ALL.iter().copied() {
            assert_eq!(off.require_switch(switch), Err(Refusal::SwitchedOff { switch }));
        }
        let reason = Prose::try_from("防汛应急期间的值守安全需要").unwrap();
        let published = NaiveDate::from_ymd_opt(2026, 7, 1).unwrap();
        let on = Performance { rankings: Some(Grounds { reason, published }), ..off };
        assert_eq!(on.require_switch(Switch::Rankings), Ok(()));
        assert!(on.require_switch(Switch::CheckIns).is_err() && on.check().is_empty());
    }

    #[test]
    fn a_reason_is_more_than_a_word() {
        let reason = Prose::try_from("需要").unwrap();
        let published = NaiveDate::from_ymd_opt(2026, 7, 1).unwrap();
        let on = Performance { mileage: Some(Grounds { reason, published }), ..Default::default() };
        let faults: Vec<String> = on.check().iter().map(Fault::pointer).collect();
        assert_eq!(faults, ["/performance/mileage/reason"]);
    }
}
