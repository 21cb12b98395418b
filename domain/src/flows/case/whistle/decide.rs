//! What each command does to a summons, and when it is refused.

#![expect(clippy::wildcard_enum_match_arm, reason = "most steps have nothing of it")]

use super::{
    Arrival, CurrentSummons, Happened, Step, Summons, SummonsCommand, Whistle,
    call::summon_department,
};
use crate::{
    area::coordinate::{Point, distance_m},
    core::{id::AreaId, text::Prose},
    flows::{
        case::{lifecycle::StepName, state::Case},
        flow::Context,
        lifecycle::require_possible,
    },
    people::actor::Permission,
    rules::{obligation::Duty, refusal::Refusal, rulebook::Subject},
};

/// Proof that the department is there: a position near the case, or a note.
fn check_arrival(
    case: &Case,
    point: Option<Point>,
    note: Option<&Prose>,
    context: &Context<'_>,
) -> Result<Arrival, Refusal> {
    let near = case.place.point;
    let far = near.zip(point).map(|(a, b)| distance_m(a, b).round());
    let most = context.rules.whistling.arrival_metres;
    let proven = near.is_none() || far.is_some_and(|metres| metres <= f64::from(most));
    if !proven && note.is_none() {
        return Err(Refusal::ArrivalUnproven { distance_m: far, most_m: most });
    }
    Ok(Arrival {
        at: context.at,
        by: context.by.person,
        by_name: context.by.name.clone(),
        point,
        distance_m: far,
        proven,
        note: note.cloned(),
    })
}

impl Whistle {
    /// Decides a command for the summons of `unit`; after the whistle only the ratings of both
    /// sides are still possible.
    pub(in crate::flows::case) fn decide(
        &self,
        unit: AreaId,
        act: &SummonsCommand,
        case: &Case,
        context: &Context<'_>,
    ) -> Result<Happened, Refusal> {
        let on = case.stage.is_whistle_on();
        let about = Subject { rank: Some(self.rank.as_str()), ..case.subject() };
        let summons = self.find_summons(unit).ok_or(Refusal::NotSummoned)?;
        require_possible(Some(&CurrentSummons { summons, on }), act)?;
        let (permission, over) = match act {
            SummonsCommand::Sign
            | SummonsCommand::Contact { .. }
            | SummonsCommand::Arrive { .. }
            | SummonsCommand::FeedBack { .. }
            | SummonsCommand::Contest { .. }
            | SummonsCommand::RateStreet { .. } => (Permission::AnswerWhistle, &summons.unit),
            SummonsCommand::Rule { .. } => match &summons.step {
                Step::Contested { arbiter, .. } => (Permission::Arbitrate, arbiter),
                _ => (Permission::Arbitrate, &self.street),
            },
            SummonsCommand::SendBack { .. }
            | SummonsCommand::Release
            | SummonsCommand::Rate { .. } => (Permission::ReleaseDepartment, &self.street),
        };
        context.require_permission(permission, &over.path, &over.name)?;
        let term = |duty| context.start_term(duty, &about);
        Ok(match act {
            SummonsCommand::Sign => Happened::Signed,
            SummonsCommand::Contact { note } => Happened::Contacted { note: note.clone() },
            SummonsCommand::Arrive { point, note } => {
                Happened::Arrived { arrival: check_arrival(case, *point, note.as_ref(), context)? }
            }
            SummonsCommand::FeedBack { result } => {
                if summons.lead {
                    self.require_cooperating_done()?;
                }
                Happened::FedBack { result: result.clone(), release: term(Duty::Release) }
            }
            SummonsCommand::SendBack { reason } => {
                Happened::SentBack { reason: reason.clone(), feed_back: term(Duty::FeedBack) }
            }
            SummonsCommand::Release => {
                if summons.lead {
                    self.require_cooperating_done()?;
                }
                Happened::Released { rate: term(Duty::Rate) }
            }
            SummonsCommand::Rate { .. } if summons.rating.is_some() => {
                return Err(Refusal::AlreadyRated);
            }
            SummonsCommand::Rate { rating } => Happened::Rated { rating: rating.clone() },
            SummonsCommand::RateStreet { .. } if summons.view.is_some() => {
                return Err(Refusal::AlreadyRated);
            }
            SummonsCommand::RateStreet { rating } => {
                Happened::StreetRated { rating: rating.clone() }
            }
            SummonsCommand::Contest { .. } if summons.appointed => {
                return Err(Refusal::Appointed { unit: summons.unit.name.clone() });
            }
            SummonsCommand::Contest { reason } => {
                case.require_shiftable(&summons.unit, context)?;
                Happened::Contested {
                    reason: reason.clone(),
                    arbiter: context.find_arbiter(&self.street),
                    arbitrate: term(Duty::Arbitrate),
                }
            }
            SummonsCommand::Rule { upheld: true, reason, .. } => {
                Happened::Upheld { reason: reason.clone() }
            }
            SummonsCommand::Rule { upheld: false, replacement, reason } => Happened::Excused {
                reason: reason.clone(),
                replacement: self.summon_replacement(summons, *replacement, &about, context)?,
            },
        })
    }

    /// The replacement of an excused department. There is always a lead.
    fn summon_replacement(
        &self,
        excused: &Summons,
        by: Option<AreaId>,
        about: &Subject<'_>,
        context: &Context<'_>,
    ) -> Result<Option<Box<Summons>>, Refusal> {
        let Some(id) = by else {
            let alone = excused.lead || self.summonses.len() == 1;
            return if alone { Err(Refusal::LeadMissing) } else { Ok(None) };
        };
        let mut summons = summon_department(id, excused.lead, &self.street, about, context)?;
        if self.find_summons(id).is_some() {
            return Err(Refusal::NamedTwice { unit: summons.unit.name });
        }
        summons.appointed = true;
        Ok(Some(Box::new(summons)))
    }

    /// Co-operating departments answer to the lead, which answers to the street and feeds back last
    /// (济南 12345 条例: 主办与协办; 北京接诉即办条例 Art. 14).
    fn require_cooperating_done(&self) -> Result<(), Refusal> {
        let pending = |s: &&Summons| {
            !s.lead
                && !matches!(
                    s.step.name(),
                    StepName::FedBack | StepName::Released | StepName::Excused
                )
        };
        let units: Vec<String> =
            self.summonses.iter().filter(pending).map(|s| s.unit.name.clone()).collect();
        if units.is_empty() { Ok(()) } else { Err(Refusal::CooperatingPending { units }) }
    }
}
