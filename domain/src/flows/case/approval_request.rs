//! Approval requests (延期、挂账、申诉、吹哨审批): one mechanism for everything that needs signatures first.
//!
//! A request waits beside the stage of the case; each signature is owed by one unit and has its own
//! clock. The last signature grants the request, one refusal ends it. No clock is stopped while a
//! request is open.

use super::{
    Event,
    lifecycle::StageName,
    standstill,
    whistle::{self, Call},
};
use crate::{
    Instant,
    area::tree::{AreaKind, Unit},
    calendar::limit::Limit,
    core::{text::Prose, time::saturating_add},
    flows::{
        case::state::{ApprovalKind, ApprovalRequest, ApprovalSubject, Case, Given, Signature},
        flow::Context,
    },
    people::actor::Permission,
    rules::{
        obligation::{Duty, Move, Obligation, Term},
        refusal::Refusal,
    },
};

impl Case {
    /// Opens a request; without signatures to give it is granted at once.
    pub(super) fn open_ask(
        &self,
        wish: &ApprovalSubject,
        reason: &Prose,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        if self.asks.len() >= ApprovalRequest::MOST {
            return Err(Refusal::TooManyAsks { max: ApprovalRequest::MOST });
        }
        let wish = &self.complete_wish(wish);
        let (unit, signatures) = match wish {
            ApprovalSubject::Extension { duty, limit } => {
                self.check_extension(*duty, *limit, cx)?
            }
            ApprovalSubject::Suspension { until } => self.check_suspension(*until, cx)?,
            ApprovalSubject::Appeal { breach } => self.check_appeal(*breach, cx)?,
            ApprovalSubject::Whistle { call } => self.check_whistle(call, cx)?,
        };
        if self.asks.iter().any(|ask| ask.wish.conflicts_with(wish) && ask.unit.id == unit.id) {
            return Err(Refusal::AskedAlready { what: wish.kind().name() });
        }
        let mut ask = ApprovalRequest {
            no: cx.seq,
            wish: wish.clone(),
            unit,
            by: cx.by.person,
            by_name: cx.by.name.clone(),
            reason: reason.clone(),
            at: cx.at,
            signatures,
        };
        if ask.signatures.is_empty() {
            return self.grant_ask(&ask, cx);
        }
        let term = cx.start_term(Duty::Decide, &self.subject());
        if let Some(first) = ask.signatures.first_mut() {
            first.term = Some(term);
        }
        Ok(vec![Event::Asked { ask: Box::new(ask) }])
    }

    /// Gives or refuses the next signature.
    pub(super) fn decide_ask(
        &self,
        no: i64,
        agree: bool,
        note: Option<&Prose>,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let ask = self.asks.iter().find(|ask| ask.no == no).ok_or(Refusal::NoSuchAsk { no })?;
        let next = ask.next_signature().ok_or(Refusal::NoSuchAsk { no })?;
        if next.roles.is_empty() {
            cx.require_permission(Permission::DecideRequests, &next.over.path, &next.over.name)?;
        } else if !cx.by.has_any_role(&next.roles, &next.over.path, cx.at) {
            let (permission, area) = (Permission::DecideRequests, next.over.name.clone());
            return Err(Refusal::NotPermitted { permission, area });
        }
        let signed = |given: &Given| given.by == cx.by.person;
        let before = ask.signatures.iter().filter_map(|signature| signature.given.as_ref());
        if ask.by == cx.by.person || before.into_iter().any(signed) {
            return Err(Refusal::SignsTwice);
        }
        let given =
            Given { by: cx.by.person, by_name: cx.by.name.clone(), at: cx.at, note: note.cloned() };
        if !agree {
            return Ok(vec![Event::Denied { no, given }]);
        }
        let open = ask.signatures.iter().filter(|signature| signature.given.is_none()).count();
        if open > 1 {
            let next = Some(cx.start_term(Duty::Decide, &self.subject()));
            return Ok(vec![Event::Agreed { no, given, next }]);
        }
        let mut events = vec![Event::Agreed { no, given, next: None }];
        events.extend(self.grant_ask(ask, cx)?);
        Ok(events)
    }

    /// Withdraws a request.
    pub(super) fn withdraw_ask(&self, no: i64, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let ask = self.asks.iter().find(|ask| ask.no == no).ok_or(Refusal::NoSuchAsk { no })?;
        if ask.by == cx.by.person {
            Ok(vec![Event::Withdrawn { no }])
        } else {
            Err(Refusal::NotAsker)
        }
    }

    /// The events of a request that has all its signatures.
    fn grant_ask(&self, ask: &ApprovalRequest, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let no = ask.no;
        Ok(match &ask.wish {
            ApprovalSubject::Extension { duty, limit } => {
                let moved = Move::Extended { limit: *limit };
                let asked =
                    |owed: &Obligation| owed.owed_by.id == ask.unit.id && Some(owed.duty) == *duty;
                vec![Event::Extended { no, terms: self.move_terms(asked, moved, ask.at, cx) }]
            }
            ApprovalSubject::Suspension { until } => {
                let standstill = standstill::begin(*until, &ask.unit, &ask.reason, cx);
                let paused = Move::Paused { pause: standstill.pause };
                let terms = self.move_terms(|_| true, paused, cx.at, cx);
                vec![Event::Suspended { no, standstill: Box::new(standstill), terms }]
            }
            ApprovalSubject::Appeal { breach } => {
                vec![Event::Exempted { no, breach: *breach, at: cx.at }]
            }
            ApprovalSubject::Whistle { call } => {
                if self.stage.name() != StageName::Filed {
                    return Err(Refusal::NoSuchAsk { no });
                }
                let whistle = whistle::blow(&self.holder, &self.subject(), call, cx)?;
                vec![Event::WhistleBlown { whistle }]
            }
        })
    }

    /// The signatures of the holder and then of the units above it, as many as the rules want.
    fn new_signatures(&self, wanted: u8, cx: &Context<'_>) -> Vec<Signature> {
        let above = cx.areas.parent(self.holder.id).filter(|area| area.kind != AreaKind::City);
        let both = [Some(self.holder.clone()), above.map(crate::area::tree::Area::unit)];
        let signature = |over| Signature { over, roles: Vec::new(), term: None, given: None };
        both.into_iter().flatten().take(usize::from(wanted)).map(signature).collect()
    }

    /// The subject of a request with its defaults filled in.
    fn complete_wish(&self, wish: &ApprovalSubject) -> ApprovalSubject {
        match wish {
            ApprovalSubject::Extension { duty, limit } => ApprovalSubject::Extension {
                duty: Some(duty.unwrap_or_else(|| self.work_duty())),
                limit: *limit,
            },
            ApprovalSubject::Suspension { .. }
            | ApprovalSubject::Appeal { .. }
            | ApprovalSubject::Whistle { .. } => wish.clone(),
        }
    }

    /// The duty of the unit that works on the case: feedback for a summoned department, handling
    /// for any other unit.
    pub fn work_duty(&self) -> Duty {
        if self.stage.name() == StageName::Whistled { Duty::FeedBack } else { Duty::Handle }
    }

    /// The running clocks of the unit that works on the case and opens a request, of one duty or
    /// all of them, earliest deadline first. Refuses when none is running or one of them is late.
    fn require_asking_unit(
        &self,
        duty: Option<Duty>,
        cx: &Context<'_>,
    ) -> Result<(Unit, Term), Refusal> {
        let may = |what: Duty, unit: &Unit| cx.by.may(what.permission(), &unit.path, cx.at);
        let running = |owed: &Obligation| duty.is_none_or(|duty| owed.duty == duty);
        let mut owed: Vec<_> = self.work_obligations().into_iter().filter(running).collect();
        owed.sort_by_key(|owed| owed.term.due_at);
        let own = owed.iter().find(|owed| may(owed.duty, &owed.owed_by));
        let Some(owed) = own else {
            let what = duty.unwrap_or_else(|| self.work_duty());
            let idle = self.units.iter().any(|unit| may(what, unit));
            return match owed.first().filter(|_| !idle) {
                Some(owed) => Err(Refusal::NotPermitted {
                    permission: owed.duty.permission(),
                    area: owed.owed_by.name.clone(),
                }),
                None => Err(Refusal::NothingToExtend { duty }),
            };
        };
        if owed.term.is_late(cx.at) {
            return Err(Refusal::Overdue { due_at: owed.term.due_at });
        }
        Ok((owed.owed_by.clone(), owed.term.clone()))
    }

    fn check_extension(
        &self,
        duty: Option<Duty>,
        limit: Limit,
        cx: &Context<'_>,
    ) -> Result<(Unit, Vec<Signature>), Refusal> {
        let (unit, term) = self.require_asking_unit(duty, cx)?;
        let rule = &cx.rules.conduct.extension;
        let before =
            term.moves.iter().filter(|moved| matches!(moved, Move::Extended { .. })).count();
        if u32::try_from(before).unwrap_or(u32::MAX) >= rule.times {
            return Err(Refusal::Spent { what: ApprovalKind::Extension.name(), times: rule.times });
        }
        let calendar = cx.find_calendar(self.place.area.id);
        if limit.amount == 0
            || calendar.add_limit(term.due_at, limit).at
                > calendar.add_limit(term.due_at, rule.most).at
        {
            return Err(Refusal::TooMuchTime { most: rule.most });
        }
        Ok((unit, self.new_signatures(rule.approvals, cx)))
    }

    fn check_suspension(
        &self,
        until: Instant,
        cx: &Context<'_>,
    ) -> Result<(Unit, Vec<Signature>), Refusal> {
        self.require_moving(cx)?;
        let (unit, _) = self.require_asking_unit(None, cx)?;
        let rule = &cx.rules.conduct.suspension;
        if self.tally.suspensions >= rule.times {
            return Err(Refusal::Spent {
                what: ApprovalKind::Suspension.name(),
                times: rule.times,
            });
        }
        let latest = saturating_add(cx.at, chrono::Duration::days(i64::from(rule.days)));
        if until <= cx.at || until > latest {
            return Err(Refusal::OutsideWindow { earliest: cx.at, latest });
        }
        Ok((unit, self.new_signatures(rule.approvals, cx)))
    }

    fn check_appeal(&self, no: i64, cx: &Context<'_>) -> Result<(Unit, Vec<Signature>), Refusal> {
        let breach = self.breaches.iter().find(|breach| breach.no == no);
        let breach = breach.ok_or(Refusal::NoSuchBreach { no })?;
        cx.require_permission(breach.duty.permission(), &breach.unit.path, &breach.unit.name)?;
        if breach.appealed {
            return Err(Refusal::Spent { what: ApprovalKind::Appeal.name(), times: 1 });
        }
        let ended = self.closed_at().unwrap_or(cx.at);
        let latest =
            saturating_add(ended, chrono::Duration::days(i64::from(cx.rules.conduct.appeal_days)));
        if cx.at > latest {
            return Err(Refusal::WindowOver { ended_at: latest });
        }
        Ok((breach.unit.clone(), self.new_signatures(2, cx)))
    }

    fn check_whistle(
        &self,
        call: &Call,
        cx: &Context<'_>,
    ) -> Result<(Unit, Vec<Signature>), Refusal> {
        let code = call.rank.as_str();
        let rank = cx.rules.whistling.find_rank(code);
        let rank = rank.ok_or_else(|| Refusal::UnknownRank { code: code.to_owned() })?;
        if !cx.by.has_any_role(&rank.blowers, &self.holder.path, cx.at) {
            let (permission, area) = (Permission::BlowWhistle, self.holder.name.clone());
            return Err(Refusal::NotPermitted { permission, area });
        }
        // Faults of the whistle are reported now, not after two people signed.
        whistle::blow(&self.holder, &self.subject(), call, cx)?;
        let mut order: Vec<usize> = (0..rank.approvals.len()).collect();
        order.sort_by_key(|index| rank.approval_depth(*index));
        let roles = order.into_iter().filter_map(|index| rank.approvals.get(index));
        let signature = |approval: &crate::rules::whistle_policy::Approval| Signature {
            over: self.holder.clone(),
            roles: approval.roles.clone(),
            term: None,
            given: None,
        };
        Ok((self.holder.clone(), roles.map(signature).collect()))
    }
}
