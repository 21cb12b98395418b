//! Reports (上报): what one person reported. A case is something else: the file that is worked on.
//!
//! A report is filed as a case, joined to an existing one, refused with the right channel, or was
//! handled by its reporter on the spot.

mod decide;
mod disclosure;
mod event;
mod submit;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    area::{
        coordinate::Point,
        tree::{Area, AreaKind, Unit},
    },
    core::{
        id::{CaseId, PatrolId, PersonId, ReportId},
        journal::{Entry, FlowKind},
        labelled_enum::labelled_enum,
        text::Prose,
    },
    flows::{
        claim::Claim,
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
        media::Attached,
    },
    people::actor::{Actor, Permission},
    rules::{
        obligation::{Duty, Obligation, Term},
        place::{Place, ReportDetails},
        refusal::Refusal,
        vocabulary::Channel,
    },
};
pub use event::{Command, Draft, Event, Handled};
pub(crate) use submit::check_client_time;
use submit::submit_report;

labelled_enum! {
    /// Where a matter belongs that must not become a case (北京接诉即办条例 Art. 11).
    Redirect {
        /// The police, by 110.
        Police = "police_110", "报警 110";
        /// The fire brigade, by 119.
        Fire = "fire_119", "火警 119";
        /// The ambulance, by 120.
        Medical = "medical_120", "急救 120";
        /// Letters and visits.
        Petition = "petition", "信访";
        /// A court of law.
        Court = "court", "诉讼";
        /// An arbitration commission.
        Arbitration = "arbitration", "仲裁";
        /// The authority that reconsiders administrative acts.
        Reconsideration = "reconsideration", "行政复议";
        /// Reported before, without anything new: the reporter learns the progress instead.
        Repeat = "repeat", "重复诉求";
        /// Beyond the duties of government, or outside this place.
        BeyondDuty = "beyond_duty", "非职责范围";
    }
}

labelled_enum! {
    /// The state of a report.
    StatusName {
        /// A worker has to check on the spot whether it is true (核实).
        Confirming = "confirming", "待核实";
        /// The receiver has to accept or refuse it (受理).
        Received = "received", "待受理";
        /// A case was opened for it.
        Filed = "filed", "已立案";
        /// It was joined to a case.
        Joined = "joined", "已并案";
        /// It does not become a case.
        Refused = "refused", "不予受理";
        /// Its reporter handled the matter on the spot.
        HandledOnTheSpot = "handled_on_the_spot", "自行处置";
    }
}

labelled_enum! {
    /// The commands for a report.
    Verb {
        /// Opens a case for it.
        File = "file", "立案";
        /// Joins it to a case.
        Join = "join", "并案";
        /// Refuses it and says where it belongs.
        Refuse = "refuse", "不予受理";
        /// Claims the check on the spot, so that no one else goes.
        Claim = "claim", "领取现场任务";
        /// Give the check on the spot back, or pass it on.
        Unclaim = "unclaim", "退回现场任务";
        /// Reports the result of the check.
        Confirm = "confirm", "核实";
        /// Takes it out of a case it was joined to by mistake.
        Unjoin = "unjoin", "拆分";
    }
}

/// Where each verb leads from each state; what is not listed is refused.
pub const MOVES: &[(StatusName, Verb, StatusName)] = &[
    (StatusName::Confirming, Verb::Claim, StatusName::Confirming),
    (StatusName::Confirming, Verb::Unclaim, StatusName::Confirming),
    (StatusName::Confirming, Verb::Confirm, StatusName::Received),
    (StatusName::Confirming, Verb::Refuse, StatusName::Refused),
    (StatusName::Received, Verb::File, StatusName::Filed),
    (StatusName::Received, Verb::Join, StatusName::Joined),
    (StatusName::Received, Verb::Refuse, StatusName::Refused),
    (StatusName::Joined, Verb::Unjoin, StatusName::Received),
];

/// The commands possible in a state.
pub fn possible_commands(status: StatusName) -> Vec<&'static str> {
    MoveTable::of(MOVES).verbs_in(status).map(Verb::name).collect()
}

/// What one person reported.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, in any combination")]
pub struct Report {
    /// Its identity, often made by a phone.
    pub id: ReportId,
    /// Its human-readable number.
    pub number: String,
    /// The person who reported; the name is not here.
    pub reporter: PersonId,
    /// Whether handlers must not know the reporter.
    pub confidential: bool,
    /// Whether the reporter must stay unknown to everyone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// Whether a contact was named with it; the contact is stored where it can be erased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contact: bool,
    /// The channel through which it came.
    pub channel: Channel,
    /// The details of the matter.
    pub matter: ReportDetails,
    /// The place, with the grid it lies in.
    pub place: Place,
    /// When it reached the server.
    pub received_at: Instant,
    /// When it was entered, by the phone's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_at: Option<Instant>,
    /// Whether the phone's clock was ahead of the server's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_ahead: bool,
    /// The patrol on which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patrol: Option<PatrolId>,
    /// The attached files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attached>,
    /// The result of a check on the spot before filing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sight: Option<Sight>,
    /// Its status at present.
    pub status: Status,
}

/// The status of a report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// See [`StatusName::Confirming`].
    Confirming {
        /// The unit that will have to decide.
        receiver: Unit,
        /// The grid's clock to check.
        confirm: Term,
        /// The claim of the check.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<Claim>,
    },
    /// See [`StatusName::Received`].
    Received {
        /// The unit that has to decide.
        receiver: Unit,
        /// The clock of that duty.
        accept: Term,
    },
    /// See [`StatusName::Filed`].
    Filed {
        /// The case that was opened for it.
        case: CaseId,
    },
    /// See [`StatusName::Joined`].
    Joined {
        /// The case that it was added to.
        case: CaseId,
    },
    /// See [`StatusName::Refused`].
    Refused {
        /// The reasons, which the reporter sees.
        reason: Prose,
        /// Where it belongs.
        redirect: Redirect,
    },
    /// See [`StatusName::HandledOnTheSpot`].
    HandledOnTheSpot {
        /// The case that documents it.
        case: CaseId,
    },
}

impl Status {
    /// The name of the status.
    pub const fn name(&self) -> StatusName {
        match self {
            Self::Confirming { .. } => StatusName::Confirming,
            Self::Received { .. } => StatusName::Received,
            Self::Filed { .. } => StatusName::Filed,
            Self::Joined { .. } => StatusName::Joined,
            Self::Refused { .. } => StatusName::Refused,
            Self::HandledOnTheSpot { .. } => StatusName::HandledOnTheSpot,
        }
    }

    /// The case it led to.
    pub const fn case(&self) -> Option<CaseId> {
        match self {
            Self::Filed { case } | Self::Joined { case } | Self::HandledOnTheSpot { case } => {
                Some(*case)
            }
            Self::Confirming { .. } | Self::Received { .. } | Self::Refused { .. } => None,
        }
    }
}

/// The result of a check on the spot before filing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sight {
    /// The worker who checked.
    pub by: PersonId,
    /// The name of that person at that time.
    pub by_name: String,
    /// When the worker reported it.
    pub at: Instant,
    /// Whether it is as reported.
    pub real: bool,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
    /// Where the worker stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
}

impl Report {
    /// Whether this actor may know of it: over its place, or as its reporter.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.reporter == actor.person || actor.may(Permission::ReadCases, &self.place.area.path, at)
    }

    /// Whether this actor reads it through a right over an area, not as its reporter.
    pub fn may_read_in_office(&self, actor: &Actor, at: Instant) -> bool {
        actor.may(Permission::ReadCases, &self.place.area.path, at)
    }

    /// Whether the reporter is hidden from handlers, or from everyone.
    pub const fn is_hidden(&self) -> bool {
        self.confidential || self.anonymous
    }

    /// Whether this actor may know the reporter (H.3.8): the reporter always may; of others only
    /// intake and callback know a confidential reporter, and no one an anonymous one.
    pub fn reporter_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        let path = &self.place.area.path;
        let needed =
            if self.confidential { Permission::ReadConfidential } else { Permission::ReadReporter };
        self.reporter == actor.person || (!self.anonymous && actor.may(needed, path, at))
    }

    /// Whether this actor may know the patrol on which it was made: the worker of a patrol is no
    /// secret, so the patrol reveals the reporter and is hidden where the reporter is.
    pub fn patrol_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        !self.is_hidden() || self.reporter_visible_to(actor, at)
    }

    /// Refuses unless this actor may see the reporter's data unmasked.
    pub fn require_disclosure(&self, context: &Context<'_>) -> Result<(), Refusal> {
        if self.anonymous {
            return Err(Refusal::Anonymous);
        }
        let (path, name) = (&self.place.area.path, &self.place.area.name);
        context.require_permission(Permission::DisclosePersonal, path, name)?;
        let needed =
            if self.confidential { Permission::ReadConfidential } else { Permission::ReadReporter };
        context.require_permission(needed, path, name)
    }

    /// The unit that has to decide on it. While it waits, that is the unit that received it, even
    /// if boundaries change meanwhile.
    pub fn find_receiver(&self, context: &Context<'_>) -> Unit {
        match &self.status {
            Status::Confirming { receiver, .. } | Status::Received { receiver, .. } => {
                receiver.clone()
            }
            Status::Filed { .. }
            | Status::Joined { .. }
            | Status::Refused { .. }
            | Status::HandledOnTheSpot { .. } => find_receiving_unit(&self.place.area, context),
        }
    }
}

impl Status {
    /// The status with a new clock; none where it has no clock.
    fn with_term(&self, term: &Term) -> Option<Self> {
        let term = term.clone();
        match self {
            Self::Confirming { receiver, claim, .. } => {
                let (receiver, claim) = (receiver.clone(), claim.clone());
                Some(Self::Confirming { receiver, confirm: term, claim })
            }
            Self::Received { receiver, .. } => {
                Some(Self::Received { receiver: receiver.clone(), accept: term })
            }
            Self::Filed { .. }
            | Self::Joined { .. }
            | Self::Refused { .. }
            | Self::HandledOnTheSpot { .. } => None,
        }
    }
}

/// The community a place lies in, or the place itself when that is larger.
fn find_receiving_unit(area: &Unit, context: &Context<'_>) -> Unit {
    context
        .areas
        .nearest_of_kind(area.id, AreaKind::Community)
        .map_or_else(|| area.clone(), Area::unit)
}

impl Lifecycle for Report {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StatusName;
    type Verb = Verb;
    type To = StatusName;
    type Command = Command;
    const MOVES: MoveTable<StatusName, Verb> = MoveTable::of(MOVES);
    const REFUSES_BEGINNING_BY_STAGE: bool = true;

    fn stage(&self) -> StatusName {
        self.status.name()
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Submit(_) => CommandKind::Begins("submit"),
            Command::File { .. } => CommandKind::Moves(Verb::File),
            Command::Join { .. } => CommandKind::Moves(Verb::Join),
            Command::Refuse { .. } => CommandKind::Moves(Verb::Refuse),
            Command::Claim => CommandKind::Moves(Verb::Claim),
            Command::Unclaim { .. } => CommandKind::Moves(Verb::Unclaim),
            Command::Confirm { .. } => CommandKind::Moves(Verb::Confirm),
            Command::Unjoin => CommandKind::Moves(Verb::Unjoin),
            Command::Lapse { .. } => CommandKind::Unbound("lapse"),
            Command::Recompute => CommandKind::Unbound("recompute"),
        }
    }
}

impl Flow for Report {
    const KIND: FlowKind = FlowKind::Report;
    const NAMES: (&'static str, &'static str) = ("这件上报", "report");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] =
        &[("submit", "上报"), ("lapse", "时限到点"), ("recompute", "重新计算时限")];
    type Event = Event;

    fn is_said_by_reporters(entry: &Entry) -> bool {
        entry.name == "submit"
    }

    fn hides_actor(command: &Command) -> bool {
        match command {
            Command::Submit(draft) => draft.confidential || draft.anonymous,
            Command::File { .. }
            | Command::Join { .. }
            | Command::Refuse { .. }
            | Command::Claim
            | Command::Unclaim { .. }
            | Command::Confirm { .. }
            | Command::Unjoin
            | Command::Recompute
            | Command::Lapse { .. } => false,
        }
    }

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Submit(draft) = command else { return Err(refuse_unasked::<Self>(command)) };
        submit_report(draft, cx)
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Lapse { term } => return self.take_measure(*term, cx),
            Command::Recompute => return self.recompute_deadline(cx),
            Command::Claim => {
                return Ok(vec![Event::Claimed {
                    claim: Claim::take(self.require_verifier(cx)?, &self.place.area, cx)?,
                }]);
            }
            Command::Unclaim { to } => return self.unclaim(*to, cx),
            Command::Confirm { real, note, point } => {
                return self.confirm(*real, note.as_ref(), *point, cx);
            }
            Command::Submit(_)
            | Command::Unjoin
            | Command::File { .. }
            | Command::Join { .. }
            | Command::Refuse { .. } => {}
        }
        // The receiving community and the levels above may accept.
        let over = self.find_receiver(cx);
        cx.require_permission(Permission::AcceptReport, &over.path, &over.name)?;
        Ok(vec![match command {
            // These were handled above.
            Command::Submit(_)
            | Command::Claim
            | Command::Unclaim { .. }
            | Command::Confirm { .. }
            | Command::Lapse { .. }
            | Command::Recompute => return Err(refuse_unasked::<Self>(command)),
            Command::Unjoin => Event::Unjoined {
                receiver: over,
                accept: cx.start_term(Duty::Accept, &self.subject()),
            },
            Command::File { case, category, .. } => {
                if let Some(category) = category {
                    cx.catalogue.require_category(category.as_str())?;
                }
                Event::Filed { case: *case }
            }
            Command::Join { case } => Event::Joined { case: *case },
            Command::Refuse { reason, redirect } => {
                Event::Refused { reason: reason.clone(), redirect: *redirect }
            }
        }])
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        let status = match event {
            Event::Submitted { report } if state.is_none() => return Some((**report).clone()),
            Event::Submitted { .. } => return None,
            Event::Filed { case } => Status::Filed { case: *case },
            Event::Joined { case } => Status::Joined { case: *case },
            Event::Refused { reason, redirect } => {
                Status::Refused { reason: reason.clone(), redirect: *redirect }
            }
            Event::Unjoined { receiver, accept } => {
                Status::Received { receiver: receiver.clone(), accept: accept.clone() }
            }
            Event::Confirmed { sight, receiver, accept } => {
                let status =
                    Status::Received { receiver: receiver.clone(), accept: accept.clone() };
                return state.map(|report| Self { status, sight: Some(sight.clone()), ..report });
            }
            Event::Claimed { claim } => {
                let Status::Confirming { receiver, confirm, .. } = &state.as_ref()?.status else {
                    return None;
                };
                let (receiver, confirm) = (receiver.clone(), confirm.clone());
                Status::Confirming { receiver, confirm, claim: Some(claim.clone()) }
            }
            Event::Unclaimed => {
                let Status::Confirming { receiver, confirm, .. } = &state.as_ref()?.status else {
                    return None;
                };
                let (receiver, confirm) = (receiver.clone(), confirm.clone());
                Status::Confirming { receiver, confirm, claim: None }
            }
            Event::Recomputed { term } | Event::Measured { term, .. } => {
                state.as_ref()?.status.with_term(term)?
            }
        };
        state.map(|report| Self { status, ..report })
    }

    fn obligations(&self) -> Vec<Obligation> {
        let owe = |duty, owed_by: &Unit, term: &Term| Obligation {
            duty,
            owed_by: owed_by.clone(),
            term: term.clone(),
        };
        match &self.status {
            Status::Confirming { confirm, .. } => {
                vec![owe(Duty::Confirm, &self.place.area, confirm)]
            }
            Status::Received { receiver, accept } => vec![owe(Duty::Accept, receiver, accept)],
            Status::Filed { .. }
            | Status::Joined { .. }
            | Status::Refused { .. }
            | Status::HandledOnTheSpot { .. } => Vec::new(),
        }
    }

    fn fulfils(event: &Event, obligation: &Obligation) -> bool {
        match event {
            Event::Confirmed { .. } => obligation.duty == Duty::Confirm,
            Event::Filed { .. } | Event::Joined { .. } | Event::Refused { .. } => {
                obligation.duty == Duty::Accept
            }
            Event::Submitted { .. }
            | Event::Claimed { .. }
            | Event::Unclaimed
            | Event::Unjoined { .. }
            | Event::Recomputed { .. }
            | Event::Measured { .. } => false,
        }
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}
