//! Supervision (催办、督办、挂牌督办), and the measures about debts that become late.
//!
//! A supervision has an addressee, a deadline and an answer. The measures of the tenant
//! ([`crate::rules::rulebook::HandlingRules::measures`]) are taken by the system, each once, as
//! commands on the case like any other.

#![expect(clippy::wildcard_enum_match_arm, reason = "most events raise nothing")]

use super::{Event, Satisfaction, whistle::Whistle};
use crate::{
    area::tree::{Area, Unit},
    core::{id::AreaId, text::Prose},
    flows::{
        case::state::{Breach, Case, Reply, Supervision, Trigger},
        flow::{Context, Flow},
    },
    people::actor::{Actor, Permission},
    rules::{
        obligation::{Duty, Obligation},
        refusal::Refusal,
        vocabulary::{MeasureKind, SupervisionKind},
    },
};

fn clamp_count(amount: usize) -> u32 {
    u32::try_from(amount).unwrap_or(u32::MAX)
}

impl Case {
    /// A person who may supervise there demands that a unit act.
    pub(super) fn supervise(
        &self,
        kind: SupervisionKind,
        trigger: Trigger,
        unit: AreaId,
        reason: &Prose,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        // A retired unit still owes what it owed.
        let addressee = cx.areas.get(unit).ok_or(Refusal::UnknownArea { id: unit })?.unit();
        let involved = self.units.iter().chain([&self.holder]).any(|known| known.id == unit);
        if !involved {
            return Err(Refusal::NotInvolved { unit: addressee.name });
        }
        cx.require_permission(Permission::Supervise, &self.place.area.path, &self.place.area.name)?;
        let mut supervision = self.new_supervision(kind, trigger, addressee, cx)?;
        supervision.by = cx.by.person;
        supervision.by_name.clone_from(&cx.by.name);
        supervision.reason = Some(reason.clone());
        Ok(vec![Event::Supervised { supervision: Box::new(supervision) }])
    }

    /// A supervision that the rules cause.
    fn new_supervision(
        &self,
        kind: SupervisionKind,
        trigger: Trigger,
        addressee: Unit,
        cx: &Context<'_>,
    ) -> Result<Supervision, Refusal> {
        if self.supervisions.len() >= Supervision::MOST {
            return Err(Refusal::TooManySupervisions { max: Supervision::MOST });
        }
        let answer = || cx.start_term(Duty::AnswerSupervision, &self.subject());
        Ok(Supervision {
            no: cx.seq,
            kind,
            trigger,
            addressee,
            by: Actor::SYSTEM,
            by_name: Actor::SYSTEM_NAME.to_owned(),
            reason: None,
            at: cx.at,
            term: (kind != SupervisionKind::Urge).then(answer),
            reply: None,
        })
    }

    /// The supervision that these events cause by the rules of the tenant: the same matter came up
    /// again, or the resident is not satisfied. While one waits for an answer there is no second
    /// one of the same unit for the same reason (督办不得交叉重复 [DC]).
    pub(super) fn raise_supervision(&self, events: &[Event], cx: &Context<'_>) -> Option<Event> {
        let (kind, trigger) = events.iter().find_map(|event| self.find_trigger(event, cx))?;
        let after = events.iter().try_fold(self.clone(), Self::with_event)?;
        let whose = match trigger {
            Trigger::Unsatisfied => after.answerable.as_ref(),
            Trigger::Repeated | Trigger::Overdue | Trigger::Order => None,
        };
        let addressee = whose.unwrap_or_else(|| after.unit_in_charge()).clone();
        let waits = |one: &Supervision| {
            one.waits_for_reply() && one.trigger == trigger && one.addressee.id == addressee.id
        };
        if after.supervisions.iter().any(waits) {
            return None;
        }
        let supervision = self.new_supervision(kind, trigger, addressee, cx).ok()?;
        Some(Event::Supervised { supervision: Box::new(supervision) })
    }

    /// The supervision that an event causes.
    fn find_trigger(&self, event: &Event, cx: &Context<'_>) -> Option<(SupervisionKind, Trigger)> {
        let rule = &cx.rules.conduct.raising;
        let before = match event {
            Event::AnsweredInVain { .. } => return Some((rule.unsatisfied?, Trigger::Unsatisfied)),
            Event::Answered { answer, .. } => {
                let dissatisfied = answer.satisfied == Satisfaction::Dissatisfied;
                return Some((rule.unsatisfied.filter(|_| dissatisfied)?, Trigger::Unsatisfied));
            }
            Event::Joined { .. } => clamp_count(self.reports.len()),
            Event::Reopened { .. } => self.tally.reopenings,
            Event::WhistleBlown { whistle } => {
                self.tally.whistles.saturating_add(clamp_count(whistle.repeats.len()))
            }
            _ => return None,
        };
        let enough = rule.repeats > 0 && before.saturating_add(1).is_multiple_of(rule.repeats);
        Some((rule.repeated.filter(|_| enough)?, Trigger::Repeated))
    }

    /// The unit in charge: the unit that works or worked on it, the lead of its whistle, or the
    /// holder.
    pub fn unit_in_charge(&self) -> &Unit {
        let lead = |whistle: &Whistle| whistle.summonses.iter().position(|one| one.lead);
        let leading = self.stage.whistle().and_then(|whistle| {
            lead(whistle).and_then(|at| whistle.summonses.get(at)).map(|summons| &summons.unit)
        });
        let unit = self.stage.assignment().map(|assignment| &assignment.unit);
        unit.or(leading).unwrap_or(&self.holder)
    }

    /// The addressee answers.
    pub(super) fn answer_supervision(
        &self,
        no: i64,
        text: &Prose,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let open =
            |supervision: &&Supervision| supervision.no == no && supervision.obligation().is_some();
        let supervision = self.supervisions.iter().find(open);
        let supervision = supervision.ok_or(Refusal::NoSuchSupervision { no })?;
        let unit = &supervision.addressee;
        cx.require_permission(Permission::AnswerSupervision, &unit.path, &unit.name)?;
        let reply =
            Reply { by: cx.by.person, by_name: cx.by.name.clone(), at: cx.at, text: text.clone() };
        Ok(vec![Event::SupervisionAnswered { no, reply }])
    }

    /// Takes the next measure about a debt. Only the system gives this command, and each measure is
    /// taken once: a second or early request is refused.
    pub(super) fn take_measure(
        &self,
        duty: Duty,
        unit: AreaId,
        term: i64,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        if !cx.by.is_system() {
            let area = self.holder.name.clone();
            return Err(Refusal::NotPermitted { permission: Permission::Supervise, area });
        }
        let same = |owed: &&Obligation| {
            owed.duty == duty && owed.owed_by.id == unit && owed.term.no == term
        };
        let owed = self.obligations();
        let owed = owed.iter().find(same).ok_or(Refusal::NothingDue)?;
        if owed.term.next_at.is_none_or(|next| cx.at < next) {
            return Err(Refusal::NothingDue);
        }
        if duty == Duty::Resume {
            return self.resume(None, cx);
        }
        let mut after = owed.term.clone();
        after.taken = after.taken.saturating_add(1);
        after.next_at = cx.rules.next_measure(&after, cx.find_calendar(self.place.area.id));
        let Some(what) = cx.rules.measure_kind(owed.term.taken) else {
            return Err(Refusal::NothingDue);
        };
        let mut events = vec![Event::Measured {
            duty,
            unit,
            term,
            what,
            taken: after.taken,
            next_at: after.next_at,
        }];
        if owed.term.is_late(cx.at) {
            events.extend(self.new_breach_event(owed, 0));
        }
        let unit = owed.owed_by.clone();
        let asked = match what {
            MeasureKind::Remind => None,
            // The level above the unit that did not answer has to answer for it (Art. 44 of
            // 北京市街道办事处条例: a department that does not respond is reported up).
            MeasureKind::Report => {
                let above = cx.areas.parent(unit.id).map(Area::unit);
                events.extend(above.clone().map(|to| Event::ReportedUp { to }));
                above.map(|above| (SupervisionKind::Supervise, above))
            }
            MeasureKind::Urge => Some((SupervisionKind::Urge, unit)),
            MeasureKind::Supervise => Some((SupervisionKind::Supervise, unit)),
            MeasureKind::List => Some((SupervisionKind::List, unit)),
        };
        // A unit that owes an answer is not supervised about that answer: one supervision at a
        // time.
        if let Some((kind, addressee)) = asked
            && duty != Duty::AnswerSupervision
            && let Ok(supervision) = self.new_supervision(kind, Trigger::Overdue, addressee, cx)
        {
            events.push(Event::Supervised { supervision: Box::new(supervision) });
        }
        Ok(events)
    }

    /// The event that a debt is late, unless the breach is known.
    fn new_breach_event(&self, owed: &Obligation, offset: usize) -> Option<Event> {
        let known = |breach: &Breach| {
            breach.duty == owed.duty
                && breach.unit.id == owed.owed_by.id
                && breach.term == owed.term.no
        };
        let count = self.breaches.len() + offset;
        let new = !self.breaches.iter().any(known) && count < Self::MOST_BREACHES;
        new.then(|| Event::Breached {
            breach: Breach {
                no: i64::try_from(count).unwrap_or(i64::MAX) + 1,
                duty: owed.duty,
                unit: owed.owed_by.clone(),
                term: owed.term.no,
                due_at: owed.term.due_at,
                appealed: false,
                exempted_at: None,
            },
        })
    }

    /// The breaches of debts that these events end late: done too late, or lifted too late. That a
    /// debt was late is a fact of that moment, no matter who notices first. The end of a standstill
    /// is the system's, so it is no unit's debt.
    pub(super) fn find_breaches(&self, events: &[Event], cx: &Context<'_>) -> Vec<Event> {
        let owed = self.obligations();
        let late = |owed: &&Obligation| owed.duty.has_limit() && owed.term.is_late(cx.at);
        let late: Vec<&Obligation> = owed.iter().filter(late).collect();
        if late.is_empty() {
            return Vec::new();
        }
        let after = events.iter().try_fold(self.clone(), Self::with_event);
        let owing = after.map(|case| case.obligations()).unwrap_or_default();
        let known = events.iter().filter(|event| matches!(event, Event::Breached { .. })).count();
        let ended =
            late.into_iter().filter(|owed| !owing.iter().any(|still| still.is_same_debt(owed)));
        let mut facts = Vec::new();
        for owed in ended {
            facts.extend(self.new_breach_event(owed, known + facts.len()));
        }
        facts
    }
}
