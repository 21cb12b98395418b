//! Supervision (催办、督办、挂牌督办), and what is done about debts that become late.
//!
//! A supervision has an addressee, a deadline and an answer. The measures of the tenant
//! ([`crate::rules::Conduct::measures`]) are taken by the system, each once, as commands on the
//! case like any other.

use serde::{Deserialize, Serialize};

use super::{Case, Event};
use crate::{
    Instant,
    actor::Permission,
    area::Unit,
    flow::{Context, Flow},
    id::{AreaId, PersonId},
    named::named,
    obligation::{Duty, Obligation, Term},
    refusal::Refusal,
    rules::MeasureKind,
    text::Prose,
};

named! {
    /// How hard.
    SupervisionKind {
        /// Somebody is urged; no answer is asked for.
        Urge = "urge", "催办";
        /// An answer is asked for.
        Supervise = "supervise", "督办";
        /// An answer is asked for, and it is listed until it is given.
        List = "list", "挂牌督办";
    }
}

named! {
    /// Why.
    Trigger {
        /// Something is late.
        Overdue = "overdue", "超期";
        /// The same came up again.
        Repeated = "repeated", "重复发生";
        /// Somebody is not satisfied.
        Unsatisfied = "unsatisfied", "不满意";
        /// A leader wants it.
        Order = "order", "领导交办";
    }
}

/// Somebody above wants it done.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Supervision {
    /// The place in the journal it began at: its number.
    pub no: i64,
    /// How hard.
    pub kind: SupervisionKind,
    /// Why.
    pub trigger: Trigger,
    /// Who has to answer.
    pub addressee: Unit,
    /// Who began it.
    pub by: PersonId,
    /// The name of who.
    pub by_name: String,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Prose>,
    /// When.
    pub at: Instant,
    /// The clock of the answer; none where none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// The answer to a supervision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Who.
    pub by: PersonId,
    /// The name of who.
    pub by_name: String,
    /// When.
    pub at: Instant,
    /// What.
    pub text: Prose,
}

/// A debt that was late. The fact stays whatever is decided about it (H.3.6).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Breach {
    /// Its number, counted from one.
    pub no: i64,
    /// What was owed.
    pub duty: Duty,
    /// By whom.
    pub unit: Unit,
    /// The number of its clock.
    pub term: i64,
    /// When it was due.
    pub due_at: Instant,
    /// Whether it was appealed against, with whatever result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub appealed: bool,
    /// Excused since; the fact and the excuse are both reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exempted_at: Option<Instant>,
}

impl Supervision {
    /// The most of one case.
    pub const MOST: usize = 50;

    /// What is owed because of it.
    pub(super) fn obligation(&self) -> Option<Obligation> {
        let term = self.term.clone().filter(|_| self.reply.is_none())?;
        Some(Obligation { duty: Duty::AnswerSupervision, owed_by: self.addressee.clone(), term })
    }
}

impl Case {
    /// Somebody above wants it done.
    pub(super) fn supervise(
        &self,
        kind: SupervisionKind,
        trigger: Trigger,
        unit: AreaId,
        reason: &Prose,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let addressee = cx.area(unit)?.unit();
        let involved = self.units.iter().chain([&self.holder]).any(|known| known.id == unit);
        if !involved {
            return Err(Refusal::NotInvolved { unit: addressee.name });
        }
        cx.require(Permission::Supervise, &self.place.area.path, &self.place.area.name)?;
        let reason = Some(reason.clone());
        Ok(vec![self.supervision(kind, trigger, addressee, reason, cx)?])
    }

    fn supervision(
        &self,
        kind: SupervisionKind,
        trigger: Trigger,
        addressee: Unit,
        reason: Option<Prose>,
        cx: &Context<'_>,
    ) -> Result<Event, Refusal> {
        if self.supervisions.len() >= Supervision::MOST {
            return Err(Refusal::TooManyAsks { max: Supervision::MOST });
        }
        let answer = || cx.term(Duty::AnswerSupervision, &self.subject());
        let supervision = Supervision {
            no: cx.seq,
            kind,
            trigger,
            addressee,
            by: cx.by.person,
            by_name: cx.by.name.clone(),
            reason,
            at: cx.at,
            term: (kind != SupervisionKind::Urge).then(answer),
            reply: None,
        };
        Ok(Event::Supervised { supervision: Box::new(supervision) })
    }

    /// The addressee answers.
    pub(super) fn reply(
        &self,
        no: i64,
        text: &Prose,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let open =
            |supervision: &&Supervision| supervision.no == no && supervision.obligation().is_some();
        let supervision = self.supervisions.iter().find(open).ok_or(Refusal::NoSuchAsk { no })?;
        let unit = &supervision.addressee;
        cx.require(Permission::AnswerSupervision, &unit.path, &unit.name)?;
        let reply =
            Reply { by: cx.by.person, by_name: cx.by.name.clone(), at: cx.at, text: text.clone() };
        Ok(vec![Event::SupervisionAnswered { no, reply }])
    }

    /// Takes the next measure about a debt. Only the system asks it, and each once: whoever asks
    /// again, or too early, is refused.
    pub(super) fn lapse(
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
        after.next_at = cx.rules.next_measure(&after, cx.calendar(self.place.area.id));
        let Some(what) = cx.rules.measure(owed.term.taken) else {
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
        if owed.term.late(cx.at) {
            events.extend(self.breach(owed, 0));
        }
        let kind = match what {
            MeasureKind::Remind => None,
            MeasureKind::Report => {
                let above = cx.areas.parent(owed.owed_by.id).map(crate::area::Area::unit);
                events.extend(above.map(|to| Event::ReportedUp { to }));
                None
            }
            MeasureKind::Urge => Some(SupervisionKind::Urge),
            MeasureKind::Supervise => Some(SupervisionKind::Supervise),
            MeasureKind::List => Some(SupervisionKind::List),
        };
        // Who owes an answer is not supervised about the answer: one supervision at a time.
        if let Some(kind) = kind
            && duty != Duty::AnswerSupervision
            && let Ok(event) =
                self.supervision(kind, Trigger::Overdue, owed.owed_by.clone(), None, cx)
        {
            events.push(event);
        }
        Ok(events)
    }

    /// The fact that a debt is late, unless it is known.
    fn breach(&self, owed: &Obligation, offset: usize) -> Option<Event> {
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

    /// The debts these events settle too late: facts of their own.
    pub(super) fn late_by(&self, events: &[Event], cx: &Context<'_>) -> Vec<Event> {
        let owed = self.obligations();
        let late: Vec<&Obligation> = owed.iter().filter(|owed| owed.term.late(cx.at)).collect();
        if late.is_empty() {
            return Vec::new();
        }
        let after = events.iter().try_fold(self.clone(), Self::after);
        let owing = after.map(|case| case.obligations()).unwrap_or_default();
        let known = events.iter().filter(|event| matches!(event, Event::Breached { .. })).count();
        let done = late.into_iter().filter(|owed| {
            !owing.iter().any(|still| still.same(owed))
                && events.iter().any(|event| Self::fulfils(event, owed))
        });
        let mut facts = Vec::new();
        for owed in done {
            facts.extend(self.breach(owed, known + facts.len()));
        }
        facts
    }
}
