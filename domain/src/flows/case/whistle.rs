//! The whistle (街道吹哨、部门报到): a street summons a lead department and co-operating ones; each signs,
//! contacts, arrives, feeds back, and is released and rated by the street.
//!
//! This file holds the state and the obligations; [`call`] blows the whistle, `act` has the
//! commands and events, `decide` and `evolve` decide and apply them.

mod act;
mod call;
mod decide;
mod evolve;

use serde::{Deserialize, Serialize};

use super::lifecycle::{STEPS, StepName, SummonsVerb};
use crate::{
    Instant,
    area::{coordinate::Point, tree::Unit},
    core::{
        id::{AreaId, CaseId, PersonId},
        text::{Code, Prose},
    },
    flows::lifecycle::{CommandKind, Lifecycle, MoveTable},
    rules::obligation::{Duty, Obligation, Term},
};
pub use act::{Happened, SummonsCommand};
pub(super) use call::blow;

/// A whistle with every department it summoned.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Whistle {
    /// Its rank, as the tenant defines it.
    pub rank: Code,
    /// Its topic, as the tenant defines it.
    pub topic: Code,
    /// What the street needs the departments for.
    pub reason: Prose,
    /// Earlier cases for which departments were summoned to the same place about the same matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<CaseId>,
    /// Whether a leader of the district is informed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_district_leader: bool,
    /// The request to the district to coordinate, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Raised>,
    /// The street that blew the whistle.
    pub street: Unit,
    /// When it was blown; all clocks of the departments run from here.
    pub blown_at: Instant,
    /// One summons for each department, the lead first.
    pub summonses: Vec<Summons>,
}

/// A request to the district: what a street cannot settle with the departments alone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Raised {
    /// The district that has to coordinate.
    pub to: Unit,
    /// The person who asked for the street.
    pub by: PersonId,
    /// Why the street cannot settle it with the departments alone.
    pub reason: Prose,
    /// The clock of the district.
    pub term: Term,
    /// What the district arranged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
}

/// One department summoned to a case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Summons {
    /// The department, as it was when the whistle was blown.
    pub unit: Unit,
    /// Whether it leads; exactly one does.
    pub lead: bool,
    /// The clocks started by the whistle.
    pub clocks: Clocks,
    /// The step it has reached.
    pub step: Step,
    /// The people who acted for it.
    pub people: Vec<PersonId>,
    /// Its arrival: when, where and who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
    /// The result it reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Prose>,
    /// The street's rating of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating>,
    /// Its rating of the street.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<Rating>,
    /// Whether the district ruled that it is responsible: it cannot contest again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub appointed: bool,
}

/// The deadlines of a summons; all run from the whistle, not from signing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Clocks {
    /// To sign for the whistle.
    pub sign: Term,
    /// To contact the street.
    pub contact: Term,
    /// To arrive on the spot (报到).
    pub arrive: Term,
    /// To feed back; restarted when sent back.
    pub feed_back: Term,
}

/// The step of a summoned department.
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
        /// Its former step.
        was: StepName,
        /// Why it says that it is not responsible.
        reason: Prose,
        /// The unit that decides.
        arbiter: Unit,
        /// The arbiter's clock.
        arbitrate: Term,
    },
    /// See [`StepName::Excused`].
    Excused,
}

impl Step {
    /// The name of the step.
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

/// A summons with the state of its whistle; `on` says whether that is still on.
#[derive(Clone, Copy, Debug)]
struct CurrentSummons<'a> {
    summons: &'a Summons,
    on: bool,
}

impl Lifecycle for CurrentSummons<'_> {
    const NAME: &'static str = "summons";
    type Stage = StepName;
    type Verb = SummonsVerb;
    type To = &'static [StepName];
    type Command = SummonsCommand;
    const MOVES: MoveTable<StepName, SummonsVerb, &'static [StepName]> = MoveTable::of(STEPS);

    /// After the whistle every department that was not excused counts as released: also a lead that
    /// went back to work because a verification failed and whose case is then ruled about.
    fn stage(&self) -> StepName {
        let step = self.summons.step.name();
        if self.on || step == StepName::Excused { step } else { StepName::Released }
    }

    fn classify_command(act: &SummonsCommand) -> CommandKind<SummonsVerb> {
        CommandKind::Moves(act.verb())
    }

    /// Ratings are given once, and an appointed department cannot contest.
    fn shows_verb(&self, verb: SummonsVerb) -> bool {
        match verb {
            SummonsVerb::Rate => self.summons.rating.is_none(),
            SummonsVerb::RateStreet => self.summons.view.is_none(),
            SummonsVerb::Contest => !self.summons.appointed,
            SummonsVerb::Sign
            | SummonsVerb::Contact
            | SummonsVerb::Arrive
            | SummonsVerb::FeedBack
            | SummonsVerb::SendBack
            | SummonsVerb::Release
            | SummonsVerb::Rule => true,
        }
    }
}

/// The arrival of a department on the spot (报到).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Arrival {
    /// When it was reported.
    pub at: Instant,
    /// The person who arrived for the department.
    pub by: PersonId,
    /// The name of that person at that time.
    pub by_name: String,
    /// The position, when the phone knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// Distance to the case's point in metres, when both are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
    /// Whether the point proves the arrival; otherwise the note says why not.
    #[serde(default)]
    pub proven: bool,
    /// A note; needed where the point does not prove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
}

/// A rating of a department by the street, or the reverse, each score from 1 (bad) to 5 (good).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rating {
    /// The speed of the response.
    pub response: Score,
    /// The quality of the work.
    pub quality: Score,
    /// A remark besides the scores.
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

impl Summons {
    /// The step of the department; `on` says whether the whistle is still on.
    pub fn step_name(&self, on: bool) -> StepName {
        CurrentSummons { summons: self, on }.stage()
    }

    /// The commands possible now.
    pub fn possible(&self, on: bool) -> Vec<SummonsVerb> {
        let current = CurrentSummons { summons: self, on };
        let verbs = CurrentSummons::MOVES.verbs_in(current.stage());
        verbs.filter(|verb| current.shows_verb(*verb)).collect()
    }
}

impl Whistle {
    /// Whether all departments have been released.
    pub fn is_over(&self) -> bool {
        let gone =
            |summons: &Summons| matches!(summons.step, Step::Released { .. } | Step::Excused);
        self.summonses.iter().all(gone)
    }

    /// Whether the district was asked to coordinate and has not done so yet.
    pub fn waits_for_district(&self) -> bool {
        self.raised.as_ref().is_some_and(|raised| raised.note.is_none())
    }

    /// The summons of a department.
    pub fn find_summons(&self, unit: AreaId) -> Option<&Summons> {
        self.summonses.iter().find(|summons| summons.unit.id == unit)
    }

    /// The obligations of the departments and the street.
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
                // A department that contests is not released meanwhile: the clocks run from the
                // whistle.
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

/// The arguments of a street that blows the whistle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The rank of the whistle.
    pub rank: Code,
    /// The topic of the whistle.
    pub topic: Code,
    /// Earlier cases for which departments were summoned to the same place about the same matter.
    #[serde(default)]
    pub repeats: Vec<CaseId>,
    /// Why the street cannot solve it alone.
    pub reason: Prose,
    /// The lead department.
    pub lead: AreaId,
    /// The other departments, at most [`Call::MAX_COOPERATING`].
    pub cooperating: Vec<AreaId>,
}

impl Call {
    /// The most earlier cases that one whistle links to.
    pub const MAX_REPEATS: usize = 20;

    /// The most departments that co-operate with the lead.
    pub const MAX_COOPERATING: usize = 20;
}
