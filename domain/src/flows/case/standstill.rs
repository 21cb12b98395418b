//! Standstills (挂账): a season or a missing condition keeps a case from moving; its clocks stop and
//! go on by themselves.

use super::Event;
use crate::{
    Instant,
    area::tree::Unit,
    calendar::{book::Pause, limit::Limit},
    core::text::Prose,
    flows::{
        case::state::{Case, Moved, Standstill},
        flow::{Context, Flow},
    },
    people::actor::Permission,
    rules::{
        obligation::{Move, Obligation, Term},
        refusal::Refusal,
    },
};

/// The pause, and the clock at whose end it is over.
pub(super) fn begin(until: Instant, unit: &Unit, reason: &Prose, cx: &Context<'_>) -> Standstill {
    let pause = Pause { from: cx.at, until: until.max(cx.at) };
    let days = (pause.until - pause.from).num_days().saturating_add(1);
    let term = Term {
        no: cx.seq,
        started_at: pause.from,
        limit: Limit::days(u32::try_from(days).unwrap_or(u32::MAX)),
        due_at: pause.until,
        rule: "standstill".to_owned(),
        rules: cx.rules.deadlines.no,
        calendar: cx.rules.calendars.no,
        provisional: false,
        moves: Vec::new(),
        taken: 0,
        next_at: Some(pause.until),
    };
    Standstill { pause, unit: unit.clone(), reason: reason.clone(), term }
}

impl Case {
    /// Refuses while the case stands still.
    pub(super) fn require_moving(&self, cx: &Context<'_>) -> Result<(), Refusal> {
        match &self.standstill {
            Some(standstill) if cx.at < standstill.pause.until => {
                Err(Refusal::Suspended { until: standstill.pause.until })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Moves some of the running clocks. A clock that was late at `asked` stays late.
    pub(super) fn move_terms(
        &self,
        which: impl Fn(&Obligation) -> bool,
        moved: Move,
        asked: Instant,
        cx: &Context<'_>,
    ) -> Vec<Moved> {
        let calendar = cx.find_calendar(self.place.area.id);
        let owed = self.work_obligations().into_iter().filter(|owed| !owed.term.is_late(asked));
        owed.filter(which)
            .map(|owed| {
                let mut term = owed.term;
                term.moves.push(moved);
                Moved {
                    duty: owed.duty,
                    unit: owed.owed_by.id,
                    term: cx.rules.recompute_deadline(term, calendar),
                }
            })
            .collect()
    }

    /// Recomputes the provisional deadlines that are still owed. A debt that is late stays late:
    /// that was established by the calendar of its time.
    pub(super) fn recompute_deadlines(&self, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        if !cx.by.is_system() {
            let area = self.holder.name.clone();
            return Err(Refusal::NotPermitted { permission: Permission::ManageRules, area });
        }
        let calendar = cx.find_calendar(self.place.area.id);
        let owed = self.obligations().into_iter();
        let open = owed.filter(|owed| owed.term.provisional && !owed.term.is_late(cx.at));
        let terms: Vec<Moved> = open
            .filter_map(|owed| {
                let term = cx.rules.recompute_deadline(owed.term.clone(), calendar);
                let (duty, unit) = (owed.duty, owed.owed_by.id);
                (term != owed.term).then_some(Moved { duty, unit, term })
            })
            .collect();
        if terms.is_empty() {
            return Err(Refusal::NothingDue);
        }
        Ok(vec![Event::Recomputed { calendar: cx.rules.calendars.no, terms }])
    }

    /// Ends the standstill before its time, or when its time has come.
    pub(super) fn resume(
        &self,
        reason: Option<&Prose>,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let standstill = self.standstill.as_ref().ok_or(Refusal::NotSuspended)?;
        let over = cx.at >= standstill.pause.until;
        if !(over && cx.by.is_system()) {
            let mine = cx.by.may(Permission::HandleCase, &standstill.unit.path, cx.at);
            if !mine {
                let holder = &self.holder;
                cx.require_permission(Permission::DecideRequests, &holder.path, &holder.name)?;
            }
        }
        let until = cx.at.min(standstill.pause.until);
        let calendar = cx.find_calendar(self.place.area.id);
        let terms = self
            .work_obligations()
            .into_iter()
            .filter_map(|owed| {
                let mut term = owed.term;
                let last = term.moves.iter_mut().rev().find_map(|moved| match moved {
                    Move::Paused { pause } if pause.from == standstill.pause.from => Some(pause),
                    Move::Paused { .. } | Move::Extended { .. } => None,
                })?;
                last.until = until;
                let term = cx.rules.recompute_deadline(term, calendar);
                Some(Moved { duty: owed.duty, unit: owed.owed_by.id, term })
            })
            .collect();
        Ok(vec![Event::Resumed { at: until, reason: reason.cloned(), terms }])
    }
}
