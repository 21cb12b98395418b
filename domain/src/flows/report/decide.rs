//! Checks on the spot before filing, and the commands of the system for a report.

use super::{Event, Report, Sight, Status};
use crate::{
    area::coordinate::Point,
    core::{id::PersonId, text::Prose},
    flows::{
        claim::Claim,
        flow::{Context, Flow as _},
    },
    people::actor::Permission,
    rules::{obligation::Duty, refusal::Refusal, rulebook::Subject},
};

impl Report {
    /// What its deadlines depend on.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            area: self.place.area.id,
            channel: Some(self.channel),
            matter: &self.matter,
            rank: None,
            redo: false,
        }
    }

    /// The claim of the check.
    pub const fn claim(&self) -> Option<&Claim> {
        match &self.status {
            Status::Confirming { claim, .. } => claim.as_ref(),
            Status::Received { .. }
            | Status::Filed { .. }
            | Status::Joined { .. }
            | Status::Refused { .. }
            | Status::HandledOnTheSpot { .. } => None,
        }
    }

    /// Refuses a person who must not check there; returns the last claim, if any.
    pub(super) fn require_verifier(&self, cx: &Context<'_>) -> Result<Option<&Claim>, Refusal> {
        let area = &self.place.area;
        cx.require_permission(Permission::VerifyOnSite, &area.path, &area.name)?;
        Ok(self.claim())
    }

    /// Gives the look back, or passes it on to another worker.
    pub(super) fn unclaim(
        &self,
        to: Option<PersonId>,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let claim = self.require_verifier(cx)?;
        let Some(to) = to else {
            Claim::require_own(claim, cx)?;
            return Ok(vec![Event::Unclaimed]);
        };
        Ok(vec![Event::Claimed { claim: Claim::pass_on(claim, to, &self.place.area, cx)? }])
    }

    pub(super) fn confirm(
        &self,
        real: bool,
        note: Option<&Prose>,
        point: Option<Point>,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        Claim::require_free(self.require_verifier(cx)?, &self.place.area, cx)?;
        let sight = Sight {
            by: cx.by.person,
            by_name: cx.by.name.clone(),
            at: cx.at,
            real,
            note: note.cloned(),
            point,
        };
        let accept = cx.start_term(Duty::Accept, &self.subject());
        Ok(vec![Event::Confirmed { sight, receiver: self.find_receiver(cx), accept }])
    }

    /// Recomputes the deadline, if it is provisional and not late.
    pub(super) fn recompute_deadline(&self, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let owed = self.obligations();
        let open = owed.first().filter(|owed| owed.term.provisional && !owed.term.is_late(cx.at));
        let open = open.filter(|_| cx.by.is_system()).ok_or(Refusal::NothingDue)?;
        let term =
            cx.rules.recompute_deadline(open.term.clone(), cx.find_calendar(self.place.area.id));
        if term == open.term {
            return Err(Refusal::NothingDue);
        }
        Ok(vec![Event::Recomputed { term }])
    }

    /// Takes the next measure about the obligation. Only the system gives this command, and each
    /// measure is taken once.
    pub(super) fn take_measure(&self, term: i64, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        if !cx.by.is_system() {
            let area = self.place.area.name.clone();
            return Err(Refusal::NotPermitted { permission: Permission::Supervise, area });
        }
        let owed = self.obligations();
        let owed = owed.first().filter(|owed| owed.term.no == term);
        let mut term = owed.ok_or(Refusal::NothingDue)?.term.clone();
        if term.next_at.is_none_or(|next| cx.at < next) {
            return Err(Refusal::NothingDue);
        }
        let what = cx.rules.measure_kind(term.taken).ok_or(Refusal::NothingDue)?;
        term.taken = term.taken.saturating_add(1);
        term.next_at = cx.rules.next_measure(&term, cx.find_calendar(self.place.area.id));
        Ok(vec![Event::Measured { what, term }])
    }
}
