//! The whistle (街道吹哨、部门报到): a street summons a lead department and co-operating ones;
//! each signs, contacts, arrives, feeds back and is released and rated by the street.

#![expect(clippy::wildcard_enum_match_arm, reason = "most steps and events have nothing of it")]

use serde::{Deserialize, Serialize};

use super::{
    Case,
    lifecycle::{self, StepName, SummonsVerb},
};
use crate::{
    Instant,
    actor::Permission,
    area::{AreaKind, Unit},
    coordinate::{Point, distance_m},
    flow::Context,
    id::{AreaId, CaseId, PersonId},
    obligation::{Duty, Obligation, Term},
    refusal::Refusal,
    rules::Subject,
    text::{Code, Prose},
    whistling::Whistling,
};

/// A whistle with everybody it summoned.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Whistle {
    /// How weighty it is: a rank of the tenant.
    pub rank: Code,
    /// What it is about: a topic of the tenant.
    pub topic: Code,
    /// Why.
    pub reason: Prose,
    /// Cases for which departments were summoned to the same place about the same before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<CaseId>,
    /// Whether a leader of the district has to know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_district_leader: bool,
    /// What the district was asked to coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Raised>,
    /// The street that blew it.
    pub street: Unit,
    /// When.
    pub blown_at: Instant,
    /// Lead first.
    pub summonses: Vec<Summons>,
}

/// What a street cannot bring to an end with the departments alone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Raised {
    /// To whom.
    pub to: Unit,
    /// Who asked.
    pub by: PersonId,
    /// Why.
    pub reason: Prose,
    /// The clock of the district.
    pub term: Term,
    /// What the district arranged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
}

/// One department called to a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Summons {
    /// Which.
    pub unit: Unit,
    /// Whether it leads; exactly one does.
    pub lead: bool,
    /// The clocks started by the whistle.
    pub clocks: Clocks,
    /// How far it is.
    pub step: Step,
    /// Who acted for it.
    pub people: Vec<PersonId>,
    /// When, where and who arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
    /// What it says it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Prose>,
    /// What the street thinks of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating>,
    /// What it thinks of the street.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<Rating>,
    /// Whether the district said that it is this department's: it cannot be contested again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub appointed: bool,
}

/// The deadlines of a summons; all run from the whistle, not from signing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Clocks {
    /// To sign.
    pub sign: Term,
    /// To contact the street.
    pub contact: Term,
    /// To arrive.
    pub arrive: Term,
    /// To feed back; started anew when sent back.
    pub feed_back: Term,
}

/// How far a summoned department is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// See [`StepName::Called`].
    Called,
    /// See [`StepName::Signed`].
    Signed,
    /// See [`StepName::Contacted`].
    Contacted,
    /// See [`StepName::Arrived`].
    Arrived,
    /// See [`StepName::FedBack`].
    FedBack {
        /// The street's clock to decide.
        release: Term,
    },
    /// See [`StepName::Released`].
    Released {
        /// The street's clock to rate.
        rate: Term,
    },
    /// See [`StepName::Contested`].
    Contested {
        /// How far it was.
        was: StepName,
        /// Why it says the matter is not its own.
        reason: Prose,
        /// Who decides.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// See [`StepName::Excused`].
    Excused,
}

impl Step {
    /// Its name.
    pub const fn name(&self) -> StepName {
        match self {
            Self::Called => StepName::Called,
            Self::Signed => StepName::Signed,
            Self::Contacted => StepName::Contacted,
            Self::Arrived => StepName::Arrived,
            Self::FedBack { .. } => StepName::FedBack,
            Self::Released { .. } => StepName::Released,
            Self::Contested { .. } => StepName::Contested,
            Self::Excused => StepName::Excused,
        }
    }
}

/// Somebody of a department on the spot.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// Who.
    pub by: PersonId,
    /// The name of who.
    pub by_name: String,
    /// Where, when the phone knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// Distance to the case's point in metres, when both are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
    /// Whether the point shows it; otherwise the words say why not.
    #[serde(default)]
    pub proven: bool,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
}

/// The street's opinion of a department, each from 1 (bad) to 5 (good).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rating {
    /// How fast it responded.
    pub response: Score,
    /// How well it was done.
    pub quality: Score,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Prose>,
}

/// A score from 1 to 5.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Score(u8);

impl TryFrom<u8> for Score {
    type Error = &'static str;
    fn try_from(score: u8) -> Result<Self, Self::Error> {
        if (1..=5).contains(&score) { Ok(Self(score)) } else { Err("a score is from 1 to 5") }
    }
}

impl From<Score> for u8 {
    fn from(score: Score) -> Self {
        score.0
    }
}

/// What a street asks when it blows the whistle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// How weighty it is.
    pub rank: Code,
    /// What it is about.
    pub topic: Code,
    /// Cases for which departments were summoned to the same place about the same before.
    #[serde(default)]
    pub repeats: Vec<CaseId>,
    /// Why the street cannot solve it alone.
    pub reason: Prose,
    /// The lead department.
    pub lead: AreaId,
    /// The others, at most [`Call::MAX_COOPERATING`].
    pub cooperating: Vec<AreaId>,
}

impl Whistling {
    /// Which of these cases departments were summoned for before at the same place: within so
    /// many metres, or in the same area where a point is missing (H.3.19). The category and the
    /// time are the caller's to pick by.
    pub fn repeats(&self, case: &Case, others: &[&Case]) -> Vec<CaseId> {
        let here = |other: &&&Case| match case.place.point.zip(other.place.point) {
            Some((a, b)) => distance_m(a, b) <= f64::from(self.repeat_metres),
            None => other.place.area.id == case.place.area.id,
        };
        let whistled = |other: &&&Case| other.id != case.id && other.tally.whistles > 0;
        let before = others.iter().filter(whistled).filter(here);
        before.map(|other| other.id).take(Call::MAX_REPEATS).collect()
    }
}

impl Call {
    /// The most cases that are linked as the same whistle before.
    pub const MAX_REPEATS: usize = 20;

    /// The most departments that co-operate with the lead.
    pub const MAX_COOPERATING: usize = 20;
}

/// What is asked of one summons.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Sign for the whistle.
    Sign,
    /// Say how the street was contacted.
    Contact {
        /// In words.
        note: Option<Prose>,
    },
    /// Say that somebody is there.
    Arrive {
        /// Where, when the phone knows.
        point: Option<Point>,
        /// In words.
        note: Option<Prose>,
    },
    /// Say what was done.
    FeedBack {
        /// What.
        result: Prose,
    },
    /// Not good enough.
    SendBack {
        /// Why.
        reason: Prose,
    },
    /// Let it go.
    Release,
    /// Say how it was.
    Rate {
        /// How.
        rating: Rating,
    },
    /// Say that the matter is not its own.
    Contest {
        /// Why.
        reason: Prose,
    },
    /// Say whose it is.
    Rule {
        /// Whether it is this department's.
        upheld: bool,
        /// Who takes its place; needed when it leads.
        replacement: Option<AreaId>,
        /// Why.
        reason: Prose,
    },
    /// Say how the street was.
    RateStreet {
        /// How.
        rating: Rating,
    },
}

impl Act {
    /// Its name in the journal, where a case has signs and feedbacks of its own.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sign => "summons_sign",
            Self::Contact { .. } => "summons_contact",
            Self::Arrive { .. } => "summons_arrive",
            Self::FeedBack { .. } => "summons_feedback",
            Self::SendBack { .. } => "summons_send_back",
            Self::Release => "summons_release",
            Self::Rate { .. } => "summons_rate",
            Self::Contest { .. } => "summons_contest",
            Self::Rule { .. } => "summons_rule",
            Self::RateStreet { .. } => "summons_rate_street",
        }
    }

    /// Its name.
    pub const fn verb(&self) -> SummonsVerb {
        match self {
            Self::Sign => SummonsVerb::Sign,
            Self::Contact { .. } => SummonsVerb::Contact,
            Self::Arrive { .. } => SummonsVerb::Arrive,
            Self::FeedBack { .. } => SummonsVerb::FeedBack,
            Self::SendBack { .. } => SummonsVerb::SendBack,
            Self::Release => SummonsVerb::Release,
            Self::Rate { .. } => SummonsVerb::Rate,
            Self::Contest { .. } => SummonsVerb::Contest,
            Self::Rule { .. } => SummonsVerb::Rule,
            Self::RateStreet { .. } => SummonsVerb::RateStreet,
        }
    }
}

/// What happened to one summons.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happened {
    /// It was signed.
    Signed,
    /// The street was contacted.
    Contacted {
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
    },
    /// Somebody arrived.
    Arrived {
        /// When, where, who.
        arrival: Arrival,
    },
    /// The department says it is done.
    FedBack {
        /// What.
        result: Prose,
        /// The street's clock.
        release: Term,
    },
    /// The street says it is not.
    SentBack {
        /// Why.
        reason: Prose,
        /// The department's new clock.
        feed_back: Term,
    },
    /// The street let it go.
    Released {
        /// The street's clock to rate.
        rate: Term,
    },
    /// The street said how it was.
    Rated {
        /// How.
        rating: Rating,
    },
    /// It says the matter is not its own.
    Contested {
        /// Why.
        reason: Prose,
        /// Who decides.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// The district said that it is; its clocks went on meanwhile.
    Upheld {
        /// Why.
        reason: Prose,
    },
    /// The district said that it is not.
    Excused {
        /// Why.
        reason: Prose,
        /// Who takes its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replacement: Option<Box<Summons>>,
    },
    /// It said how the street was.
    StreetRated {
        /// How.
        rating: Rating,
    },
}

/// Makes the whistle of a street on its case, or says why not.
pub(super) fn blow(
    street: &Unit,
    about: &Subject<'_>,
    call: &Call,
    context: &Context<'_>,
) -> Result<Whistle, Refusal> {
    if street.kind != AreaKind::Street {
        return Err(Refusal::NotAStreet { holder: street.name.clone() });
    }
    let whistling = &context.rules.whistling;
    let code = || call.rank.as_str().to_owned();
    let rank =
        whistling.rank(call.rank.as_str()).ok_or_else(|| Refusal::UnknownRank { code: code() })?;
    if whistling.topic(call.topic.as_str()).is_none() {
        return Err(Refusal::UnknownTopic { code: call.topic.as_str().to_owned() });
    }
    if call.cooperating.len() > Call::MAX_COOPERATING {
        return Err(Refusal::TooManyDepartments { max: 1 + Call::MAX_COOPERATING });
    }
    let mut summonses: Vec<Summons> = Vec::with_capacity(1 + call.cooperating.len());
    for (index, id) in std::iter::once(&call.lead).chain(&call.cooperating).enumerate() {
        if summonses.iter().any(|summons| summons.unit.id == *id) {
            let unit = context.area(*id)?.name.clone();
            return Err(Refusal::NamedTwice { unit });
        }
        let about = Subject { rank: Some(call.rank.as_str()), ..*about };
        summonses.push(summon(*id, index == 0, street, &about, context)?);
    }
    Ok(Whistle {
        rank: call.rank.clone(),
        topic: call.topic.clone(),
        reason: call.reason.clone(),
        repeats: call.repeats.clone(),
        to_district_leader: rank.to_district_leader,
        raised: None,
        street: street.clone(),
        blown_at: context.at,
        summonses,
    })
}

/// Proof that somebody is there: near the place of the case, or a reason why not.
fn arrival(
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

/// Calls one department.
fn summon(
    id: AreaId,
    lead: bool,
    street: &Unit,
    about: &Subject<'_>,
    context: &Context<'_>,
) -> Result<Summons, Refusal> {
    let unit = context.area(id)?;
    // A department serves a street when it belongs to an area the street lies in.
    let serves = context.areas.parent(id).is_some_and(|p| p.path.contains(&street.path));
    if unit.kind != AreaKind::Department || !serves {
        return Err(Refusal::NotADepartment { unit: unit.name.clone() });
    }
    let term = |duty| context.term(duty, about);
    Ok(Summons {
        unit: unit.unit(),
        lead,
        clocks: Clocks {
            sign: term(Duty::SignWhistle),
            contact: term(Duty::Contact),
            arrive: term(Duty::Arrive),
            feed_back: term(Duty::FeedBack),
        },
        step: Step::Called,
        people: Vec::new(),
        arrival: None,
        result: None,
        rating: None,
        view: None,
        appointed: false,
    })
}

impl Whistle {
    /// Whether all have been released.
    pub fn over(&self) -> bool {
        let gone =
            |summons: &Summons| matches!(summons.step, Step::Released { .. } | Step::Excused);
        self.summonses.iter().all(gone)
    }

    /// Whether the district was asked to coordinate and has not yet.
    pub fn waits_for_district(&self) -> bool {
        self.raised.as_ref().is_some_and(|raised| raised.note.is_none())
    }

    /// The summons of a department.
    pub fn summons(&self, unit: AreaId) -> Option<&Summons> {
        self.summonses.iter().find(|summons| summons.unit.id == unit)
    }

    /// What happens when `act` is asked of the summons of `unit`.
    pub(super) fn decide(
        &self,
        unit: AreaId,
        act: &Act,
        case: &Case,
        context: &Context<'_>,
    ) -> Result<Happened, Refusal> {
        let about = Subject { rank: Some(self.rank.as_str()), ..case.subject() };
        let summons = self.summons(unit).ok_or(Refusal::NotSummoned)?;
        let from = summons.step.name();
        if lifecycle::steps(from, act.verb()).is_empty() {
            return Err(Refusal::WrongState {
                flow: "summons",
                state: from.name(),
                command: act.verb().name(),
                possible: lifecycle::possible_steps(from)
                    .into_iter()
                    .map(SummonsVerb::name)
                    .collect(),
            });
        }
        let (permission, over) = match act {
            Act::Sign
            | Act::Contact { .. }
            | Act::Arrive { .. }
            | Act::FeedBack { .. }
            | Act::Contest { .. }
            | Act::RateStreet { .. } => (Permission::AnswerWhistle, &summons.unit),
            Act::Rule { .. } => match &summons.step {
                Step::Contested { arbiter, .. } => (Permission::Arbitrate, arbiter),
                _ => (Permission::Arbitrate, &self.street),
            },
            Act::SendBack { .. } | Act::Release | Act::Rate { .. } => {
                (Permission::ReleaseDepartment, &self.street)
            }
        };
        context.require(permission, &over.path, &over.name)?;
        let term = |duty| context.term(duty, &about);
        Ok(match act {
            Act::Sign => Happened::Signed,
            Act::Contact { note } => Happened::Contacted { note: note.clone() },
            Act::Arrive { point, note } => {
                Happened::Arrived { arrival: arrival(case, *point, note.as_ref(), context)? }
            }
            Act::FeedBack { result } => {
                if summons.lead {
                    self.require_cooperating_done()?;
                }
                Happened::FedBack { result: result.clone(), release: term(Duty::Release) }
            }
            Act::SendBack { reason } => {
                Happened::SentBack { reason: reason.clone(), feed_back: term(Duty::FeedBack) }
            }
            Act::Release => {
                if summons.lead {
                    self.require_cooperating_done()?;
                }
                Happened::Released { rate: term(Duty::Rate) }
            }
            Act::Rate { .. } if summons.rating.is_some() => return Err(Refusal::AlreadyRated),
            Act::Rate { rating } => Happened::Rated { rating: rating.clone() },
            Act::RateStreet { .. } if summons.view.is_some() => return Err(Refusal::AlreadyRated),
            Act::RateStreet { rating } => Happened::StreetRated { rating: rating.clone() },
            Act::Contest { .. } if summons.appointed => {
                return Err(Refusal::Appointed { unit: summons.unit.name.clone() });
            }
            Act::Contest { reason } => {
                case.require_shiftable(&summons.unit, context)?;
                Happened::Contested {
                    reason: reason.clone(),
                    arbiter: context.arbiter(&self.street),
                    arbitrate: term(Duty::Arbitrate),
                }
            }
            Act::Rule { upheld: true, reason, .. } => Happened::Upheld { reason: reason.clone() },
            Act::Rule { upheld: false, replacement, reason } => Happened::Excused {
                reason: reason.clone(),
                replacement: self.replacement(summons, *replacement, &about, context)?,
            },
        })
    }

    /// Who takes the place of an excused department. The lead is never missing.
    fn replacement(
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
        let mut summons = summon(id, excused.lead, &self.street, about, context)?;
        if self.summons(id).is_some() {
            return Err(Refusal::NamedTwice { unit: summons.unit.name });
        }
        summons.appointed = true;
        Ok(Some(Box::new(summons)))
    }

    /// Co-operating departments answer to the lead, which answers and goes last (济南 12345 条例:
    /// 主办与协办; 北京接诉即办条例 Art. 14).
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

    /// The whistle after something happened to the summons of `unit`.
    pub(super) fn after(&self, unit: AreaId, by: PersonId, happened: &Happened) -> Self {
        let mut after = self.clone();
        after.evolve(unit, by, happened);
        after
    }

    /// Applies what happened to the summons of `unit`.
    pub(super) fn evolve(&mut self, unit: AreaId, by: PersonId, happened: &Happened) {
        let Some(summons) = self.summonses.iter_mut().find(|s| s.unit.id == unit) else { return };
        let acted = match happened {
            Happened::Signed => {
                summons.step = Step::Signed;
                true
            }
            Happened::Contacted { .. } => {
                summons.step = Step::Contacted;
                true
            }
            Happened::Arrived { arrival } => {
                summons.step = Step::Arrived;
                summons.arrival = Some(arrival.clone());
                true
            }
            Happened::FedBack { result, release } => {
                summons.step = Step::FedBack { release: release.clone() };
                summons.result = Some(result.clone());
                true
            }
            Happened::SentBack { feed_back, .. } => {
                summons.step = Step::Arrived;
                summons.clocks.feed_back = feed_back.clone();
                false
            }
            Happened::Released { rate } => {
                summons.step = Step::Released { rate: rate.clone() };
                false
            }
            Happened::Rated { rating } => {
                summons.rating = Some(rating.clone());
                false
            }
            Happened::StreetRated { rating } => {
                summons.view = Some(rating.clone());
                false
            }
            Happened::Contested { reason, arbiter, arbitrate } => {
                let (reason, arbiter) = (reason.clone(), arbiter.clone());
                let (was, arbitrate) = (summons.step.name(), arbitrate.clone());
                summons.step = Step::Contested { was, reason, arbiter, arbitrate };
                false
            }
            Happened::Upheld { .. } => {
                if let Step::Contested { was, .. } = &summons.step {
                    summons.step = match was {
                        StepName::Signed => Step::Signed,
                        StepName::Contacted => Step::Contacted,
                        _ => Step::Called,
                    };
                }
                summons.appointed = true;
                false
            }
            Happened::Excused { .. } => {
                summons.step = Step::Excused;
                summons.lead = false;
                false
            }
        };
        if acted && !summons.people.contains(&by) {
            summons.people.push(by);
        }
        if let Some(replacement) = happened.replacement() {
            let place = if replacement.lead { 0 } else { self.summonses.len() };
            self.summonses.insert(place, replacement.clone());
        }
    }

    /// Every clock of it that may run, with what is owed and by whom.
    pub(super) fn clocks(&mut self) -> Vec<(Duty, AreaId, &mut Term)> {
        let street = self.street.id;
        let mut all = Vec::new();
        if let Some(raised) = &mut self.raised {
            all.push((Duty::Coordinate, raised.to.id, &mut raised.term));
        }
        for summons in &mut self.summonses {
            let unit = summons.unit.id;
            let Clocks { sign, contact, arrive, feed_back } = &mut summons.clocks;
            all.push((Duty::SignWhistle, unit, sign));
            all.push((Duty::Contact, unit, contact));
            all.push((Duty::Arrive, unit, arrive));
            all.push((Duty::FeedBack, unit, feed_back));
            match &mut summons.step {
                Step::FedBack { release } => all.push((Duty::Release, street, release)),
                Step::Released { rate } => all.push((Duty::Rate, street, rate)),
                Step::Contested { arbiter, arbitrate, .. } => {
                    all.push((Duty::Arbitrate, arbiter.id, arbitrate));
                }
                Step::Called | Step::Signed | Step::Contacted | Step::Arrived | Step::Excused => {}
            }
        }
        all
    }

    /// The lead begins again, because what it answered did not hold on the spot.
    pub(super) fn redo(&mut self, feed_back: &Term) {
        for summons in self.summonses.iter_mut().filter(|summons| summons.lead) {
            summons.step = Step::Arrived;
            summons.clocks.feed_back = feed_back.clone();
            summons.rating = None;
        }
    }

    /// What the departments and the street still owe.
    pub(super) fn obligations(&self) -> Vec<Obligation> {
        let mut owed = Vec::new();
        if let Some(raised) = self.raised.as_ref().filter(|raised| raised.note.is_none()) {
            let (owed_by, term) = (raised.to.clone(), raised.term.clone());
            owed.push(Obligation { duty: Duty::Coordinate, owed_by, term });
        }
        for summons in &self.summonses {
            let Summons { unit, clocks, step, .. } = summons;
            let mut owe = |duty, owed_by: &Unit, term: &Term| {
                owed.push(Obligation { duty, owed_by: owed_by.clone(), term: term.clone() });
            };
            match step {
                // Whoever contests is not let off meanwhile: the clocks run from the whistle.
                Step::Contested { was, arbiter, arbitrate, .. } => {
                    owe(Duty::Arbitrate, arbiter, arbitrate);
                    if *was == StepName::Called {
                        owe(Duty::SignWhistle, unit, &clocks.sign);
                    }
                    if *was != StepName::Contacted {
                        owe(Duty::Contact, unit, &clocks.contact);
                    }
                    owe(Duty::Arrive, unit, &clocks.arrive);
                    owe(Duty::FeedBack, unit, &clocks.feed_back);
                }
                Step::Called => {
                    owe(Duty::SignWhistle, unit, &clocks.sign);
                    owe(Duty::Contact, unit, &clocks.contact);
                    owe(Duty::Arrive, unit, &clocks.arrive);
                    owe(Duty::FeedBack, unit, &clocks.feed_back);
                }
                Step::Signed => {
                    owe(Duty::Contact, unit, &clocks.contact);
                    owe(Duty::Arrive, unit, &clocks.arrive);
                    owe(Duty::FeedBack, unit, &clocks.feed_back);
                }
                Step::Contacted => {
                    owe(Duty::Arrive, unit, &clocks.arrive);
                    owe(Duty::FeedBack, unit, &clocks.feed_back);
                }
                Step::Arrived => owe(Duty::FeedBack, unit, &clocks.feed_back),
                Step::FedBack { release } => owe(Duty::Release, &self.street, release),
                Step::Released { rate } if summons.rating.is_none() => {
                    owe(Duty::Rate, &self.street, rate);
                }
                Step::Released { .. } | Step::Excused => {}
            }
        }
        owed
    }
}

impl Happened {
    /// Whether this is the doing of `obligation`, owed about the summons of `unit`.
    pub(super) fn fulfils(&self, unit: AreaId, obligation: &Obligation) -> bool {
        let own = obligation.owed_by.id == unit;
        match self {
            Self::Signed => own && obligation.duty == Duty::SignWhistle,
            Self::Contacted { .. } => own && obligation.duty == Duty::Contact,
            // Who stands there has made contact.
            Self::Arrived { .. } => own && matches!(obligation.duty, Duty::Arrive | Duty::Contact),
            Self::FedBack { .. } => own && obligation.duty == Duty::FeedBack,
            // The street's clocks are told apart by the round they began in, so whichever ends
            // with this event is the one it fulfils.
            Self::SentBack { .. } | Self::Released { .. } => obligation.duty == Duty::Release,
            Self::Rated { .. } => obligation.duty == Duty::Rate,
            Self::Upheld { .. } | Self::Excused { .. } => obligation.duty == Duty::Arbitrate,
            Self::Contested { .. } | Self::StreetRated { .. } => false,
        }
    }

    /// The department that takes the place of an excused one.
    pub(super) fn replacement(&self) -> Option<&Summons> {
        match self {
            Self::Excused { replacement, .. } => replacement.as_deref(),
            _ => None,
        }
    }
}
