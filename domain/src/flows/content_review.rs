//! Content reviews (内容审核): whether what the public wrote or photographed may be shown to other
//! members of the public.
//!
//! A program may suggest; only its "pass" counts without a person. A person decides about whatever
//! it finds risky, whatever it does not answer about, and about everything where no program is
//! configured. Staff see the content at any time: nothing is lost because a filter said "risky".

mod disclosure;
mod event;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    area::tree::Unit,
    core::{
        id::{PersonId, ReviewId},
        journal::{FlowKind, Hash},
        labelled_enum::labelled_enum,
        text::Prose,
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
    },
    people::actor::{Actor, Permission},
    rules::{obligation::Obligation, refusal::Refusal},
};
pub use event::{Command, Event, Opening};

labelled_enum! {
    /// The kind of content that is reviewed.
    Subject {
        /// The text of a report.
        Text = "text", "文字";
        /// A file attached to a report or case.
        Media = "media", "媒体";
    }
}

labelled_enum! {
    /// The status of a review.
    StatusName {
        /// A program is to be asked, or was asked and has not answered.
        Waiting = "waiting", "自动检测中";
        /// A person has to decide.
        Queued = "queued", "待人工审核";
        /// It may be shown.
        Passed = "passed", "通过";
        /// It is for staff only.
        Withheld = "withheld", "不公开";
    }
}

labelled_enum! {
    /// The suggestion of a program.
    Suggestion {
        /// It found no objection.
        Pass = "pass", "通过";
        /// A person should look at it.
        Review = "review", "建议复核";
        /// Something is wrong with it.
        Risky = "risky", "疑似违规";
    }
}

labelled_enum! {
    /// Why a person has to decide.
    Cause {
        /// No program is configured, or the person has no account with it.
        NotConfigured = "not_configured", "未配置自动检测";
        /// The program refused to check it.
        Refused = "refused", "检测接口拒绝";
        /// The program did not answer as agreed.
        Unavailable = "unavailable", "检测接口不可用";
        /// The answer did not come in time.
        Late = "late", "检测结果逾时";
        /// The program has doubts.
        Doubtful = "doubtful", "检测结果存疑";
    }
}

/// A review of what the public will see (内容审核).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Review {
    /// Its identity, derived from its subject.
    pub id: ReviewId,
    /// The kind of subject.
    pub subject: Subject,
    /// The report or the file.
    pub about: Uuid,
    /// The report or case that names it.
    pub named_by: Uuid,
    /// The area whose reviewers may decide.
    pub over: Unit,
    /// Whether the address was part of what was reviewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub address: bool,
    /// When it began.
    pub opened_at: Instant,
    /// When a program was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Instant>,
    /// The answer of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
    /// Its status at present.
    pub status: Status,
}

/// The status of a review.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// See [`StatusName::Waiting`].
    Waiting,
    /// See [`StatusName::Queued`].
    Queued {
        /// Why the program did not settle it.
        cause: Cause,
    },
    /// See [`StatusName::Passed`].
    Passed {
        /// Who decided; none when a program did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decided: Option<Decided>,
    },
    /// See [`StatusName::Withheld`].
    Withheld {
        /// The person who withheld it.
        decided: Decided,
    },
}

/// The answer of a program.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heard {
    /// The suggestion of the program.
    pub suggestion: Suggestion,
    /// The reason by the program's own code; 100 means no objection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<i64>,
    /// When the answer came.
    pub at: Instant,
}

/// The decision of a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decided {
    /// The reviewer who decided.
    pub by: PersonId,
    /// The name of that person at that time.
    pub by_name: String,
    /// When it was decided.
    pub at: Instant,
    /// The reasons, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
}

labelled_enum! {
    /// The commands for a review that exists.
    Verb {
        /// Asks a program.
        Ask = "ask", "自动检测";
        /// Records the program's answer.
        Hear = "hear", "检测结果";
        /// Leaves it to a person.
        Queue = "queue", "转人工审核";
        /// Decides whether it may be shown.
        Decide = "decide", "审核";
    }
}

/// Where each verb leads from each state; what is not listed is refused. A person may decide again;
/// a program never overrules a person.
pub const MOVES: &[(StatusName, Verb, &[StatusName])] = {
    use StatusName as S;
    /// The person's decision.
    const DECIDED: &[S] = &[S::Passed, S::Withheld];
    /// Only "pass" counts without a person.
    const HEARD: &[S] = &[S::Passed, S::Queued];
    &[
        (S::Waiting, Verb::Ask, &[S::Waiting]),
        (S::Waiting, Verb::Hear, HEARD),
        (S::Waiting, Verb::Queue, &[S::Queued]),
        (S::Waiting, Verb::Decide, DECIDED),
        (S::Queued, Verb::Hear, HEARD),
        (S::Queued, Verb::Decide, DECIDED),
        (S::Passed, Verb::Decide, DECIDED),
        (S::Withheld, Verb::Decide, DECIDED),
    ]
};

impl Status {
    /// The name of the status.
    pub const fn name(&self) -> StatusName {
        match self {
            Self::Waiting => StatusName::Waiting,
            Self::Queued { .. } => StatusName::Queued,
            Self::Passed { .. } => StatusName::Passed,
            Self::Withheld { .. } => StatusName::Withheld,
        }
    }
}

impl Review {
    /// The identity of the review of something; there is one each.
    pub fn id_of(about: Uuid) -> ReviewId {
        ReviewId(Hash::digest(format!("content review\n{about}").as_bytes()).to_uuid())
    }

    /// Whether other members of the public may see the content.
    pub fn has_passed(&self) -> bool {
        self.status.name() == StatusName::Passed
    }

    /// Whether this actor may know of it.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        actor.may(Permission::ReviewContent, &self.over.path, at)
    }
}

impl Lifecycle for Review {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StatusName;
    type Verb = Verb;
    type To = &'static [StatusName];
    type Command = Command;
    const MOVES: MoveTable<StatusName, Verb, &'static [StatusName]> = MoveTable::of(MOVES);

    fn stage(&self) -> StatusName {
        self.status.name()
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Open(_) => CommandKind::Begins("open_review"),
            Command::Ask => CommandKind::Moves(Verb::Ask),
            Command::Hear { .. } => CommandKind::Moves(Verb::Hear),
            Command::Queue { .. } => CommandKind::Moves(Verb::Queue),
            Command::Decide { .. } => CommandKind::Moves(Verb::Decide),
        }
    }

    /// Commands of the system are not offered.
    fn shows_verb(&self, verb: Verb) -> bool {
        verb == Verb::Decide
    }
}

impl Flow for Review {
    const KIND: FlowKind = FlowKind::ContentReview;
    const NAMES: (&'static str, &'static str) = ("这次内容审核", "content review");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[("open_review", "送审")];
    type Event = Event;

    /// The review is opened with a report, whose reporter may be confidential.
    fn hides_actor(command: &Command) -> bool {
        matches!(command, Command::Open(_))
    }

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Open(opening) = command else { return Err(refuse_unasked::<Self>(command)) };
        Ok(vec![opening.open_review(cx)])
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        if let Command::Decide { pass, note } = command {
            let Unit { path, name, .. } = &self.over;
            cx.require_permission(Permission::ReviewContent, path, name)?;
            let (by, by_name) = (cx.by.person, cx.by.name.clone());
            let decided = Decided { by, by_name, at: cx.at, note: note.clone() };
            return Ok(vec![Event::Decided { pass: *pass, decided }]);
        }
        if !cx.by.is_system() {
            let area = self.over.name.clone();
            return Err(Refusal::NotPermitted { permission: Permission::ReviewContent, area });
        }
        match command {
            // The first worker to get here asks; a second one finds it asked.
            Command::Ask if self.asked_at.is_none() => Ok(vec![Event::Asked { at: cx.at }]),
            Command::Hear { suggestion, label } => {
                let heard = Heard { suggestion: *suggestion, label: *label, at: cx.at };
                Ok(vec![Event::Heard { heard }])
            }
            Command::Queue { cause } => Ok(vec![Event::Queued { cause: *cause }]),
            Command::Ask | Command::Open(_) | Command::Decide { .. } => Err(Refusal::NothingDue),
        }
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        event::evolve(state, event)
    }

    fn obligations(&self) -> Vec<Obligation> {
        Vec::new()
    }

    fn fulfils(_: &Event, _: &Obligation) -> bool {
        false
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}

/// What other members of the public see in place of a title that was not reviewed yet.
pub const HIDDEN_TITLE: &str = "内容待审核";
