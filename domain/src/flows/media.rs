//! Media (照片、视频、录音): files that document reports and cases.
//!
//! A file has an identity before it has arrived: a phone makes one, names it in a report, and sends
//! the bytes when the network allows. Whatever names it stores an [`Attached`]; the file itself is
//! this flow, so that its digest stands in the journal. Where and when a photo was taken is in
//! neither, so that it can be erased.

mod attach;
mod format;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    core::{
        disclosure::disclosed,
        id::{MediaId, PersonId},
        journal::FlowKind,
        labelled_enum::labelled_enum,
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
        stored_event::JournalEvent,
    },
    people::actor::{Actor, Permission},
    rules::{obligation::Obligation, refusal::Refusal},
};
pub use attach::{Attached, AttachedState, Attachment, MediaRole, find_evidence_category};
pub use format::{Format, Kind, Passes, Unfit, sniff_format};

labelled_enum! {
    /// The status of a file.
    StatusName {
        /// It is available.
        Present = "present", "已上传";
        /// Its bytes are removed.
        Gone = "gone", "已删除";
    }
}

labelled_enum! {
    /// The commands for a file that arrived.
    Verb {
        /// Removes the bytes for good.
        Drop = "drop", "删除文件";
    }
}

/// Where each verb leads from each state; what is not listed is refused.
pub const MOVES: &[(StatusName, Verb, StatusName)] =
    &[(StatusName::Present, Verb::Drop, StatusName::Gone)];

labelled_enum! {
    /// Why a file was removed.
    Cause {
        /// Nothing named it in time.
        Unused = "unused", "逾期未使用";
        /// The person who sent it was erased.
        Erased = "erased", "个人信息已删除";
    }
}

/// A photo, video or recording that was sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Media {
    /// Its identity, often made by a phone.
    pub id: MediaId,
    /// Who sent it.
    pub by: PersonId,
    /// Its format, detected from its bytes.
    pub format: Format,
    /// How many bytes were sent.
    pub bytes: u64,
    /// The SHA-256 of them, in hexadecimal.
    pub sha256: String,
    /// Width and height of a photo as displayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Whether the original bytes are kept beside the versions made of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub original: bool,
    /// Whether its sender is a member of the public: other members of the public see it only after
    /// a review.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
    /// When it arrived.
    pub at: Instant,
    /// Why and when it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
}

/// The removal of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gone {
    /// The reason for the removal.
    pub cause: Cause,
    /// When it was removed.
    pub at: Instant,
}

/// A file that arrived and was inspected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Upload {
    /// The identity it will have.
    pub id: MediaId,
    /// Its format, detected from its bytes.
    pub format: Format,
    /// The number of bytes.
    pub bytes: u64,
    /// The SHA-256 of them, in hexadecimal.
    pub sha256: String,
    /// Width and height of a photo.
    pub size: Option<(u32, u32)>,
    /// Whether the original bytes are kept.
    pub original: bool,
}

/// The commands for a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Stores a file that arrived.
    Upload(Upload),
    /// Removes it. Only the system gives this command.
    Drop {
        /// The reason for the removal.
        cause: Cause,
    },
}

/// The events of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The file has arrived.
    Uploaded {
        /// The file as it arrived.
        media: Box<Media>,
    },
    /// It was removed.
    Dropped {
        /// Why and when.
        gone: Gone,
    },
}

// Events of files appear in no timeline and no feed.
disclosed! {
    enum Event by "event" {
        Uploaded { Withheld: media }
        Dropped { Withheld: gone }
    }

    struct Media { Open: id, by, format, bytes, sha256, size, original, public, at, gone }
    struct Gone { Open: cause, at }
}
impl JournalEvent for Event {}

/// Who wants to read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    /// The person who sent it.
    Sender,
    /// A reader in office who sees the report or case that names it.
    Staff,
    /// A member of the public who sees the report or case that names it.
    Public,
}

impl Media {
    /// The most files of one person that nothing names yet.
    pub const MOST_UNUSED: i64 = 200;

    /// Whether the bytes are available.
    pub const fn status(&self) -> StatusName {
        if self.gone.is_some() { StatusName::Gone } else { StatusName::Present }
    }

    /// Whether `reader` may see the bytes; `passed` says whether a review passed them (before that,
    /// content of the public is not shown to other members of the public).
    pub const fn is_viewable_by(&self, reader: Reader, passed: bool) -> bool {
        match reader {
            Reader::Sender | Reader::Staff => true,
            Reader::Public => !self.public || passed,
        }
    }
}

/// Whether `person` may send a file under an identity that was named before: it belongs to the
/// person who named it first, because others read it there.
pub fn belongs_to(named_first: Option<PersonId>, person: PersonId) -> bool {
    named_first.is_none_or(|first| first == person)
}

/// Whether an actor holds no office: a resident, a volunteer.
pub fn is_of_public(actor: &Actor, at: Instant) -> bool {
    !actor.is_system() && !actor.grants.iter().any(|g| g.holds_at(at) && g.role.is_office())
}

/// Refuses an actor who may not submit anything that a file could document.
pub fn require_sender(cx: &Context<'_>) -> Result<(), Refusal> {
    use Permission as P;
    let any = [P::ReportProblem, P::HandleCase, P::AnswerWhistle, P::VerifyOnSite, P::Comment];
    if any.into_iter().any(|permission| cx.by.may_somewhere(permission, cx.at)) {
        return Ok(());
    }
    let area = cx.areas.root().map(|area| area.name.clone()).unwrap_or_default();
    Err(Refusal::NotPermitted { permission: P::ReportProblem, area })
}

fn decide_upload(upload: &Upload, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
    require_sender(cx)?;
    let Upload { id, format, bytes, sha256, size, original } = upload.clone();
    let (by, public) = (cx.by.person, is_of_public(cx.by, cx.at));
    let media =
        Media { id, by, format, bytes, sha256, size, original, public, at: cx.at, gone: None };
    Ok(vec![Event::Uploaded { media: Box::new(media) }])
}

impl Lifecycle for Media {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StatusName;
    type Verb = Verb;
    type To = StatusName;
    type Command = Command;
    const MOVES: MoveTable<StatusName, Verb> = MoveTable::of(MOVES);

    fn stage(&self) -> StatusName {
        self.status()
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Upload(_) => CommandKind::Begins("upload"),
            Command::Drop { .. } => CommandKind::Moves(Verb::Drop),
        }
    }

    /// Removal is a command of the system and not offered.
    fn shows_verb(&self, _: Verb) -> bool {
        false
    }
}

impl Flow for Media {
    const KIND: FlowKind = FlowKind::Media;
    const NAMES: (&'static str, &'static str) = ("这个文件", "file");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[("upload", "上传")];
    type Event = Event;

    /// A photo may belong to a confidential report, so its actor is not named.
    fn hides_actor(command: &Command) -> bool {
        matches!(command, Command::Upload(_))
    }

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Upload(one) = command else { return Err(refuse_unasked::<Self>(command)) };
        decide_upload(one, cx)
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Drop { cause } = command else { return Err(refuse_unasked::<Self>(command)) };
        if !cx.by.is_system() {
            let area = String::new();
            return Err(Refusal::NotPermitted { permission: Permission::Supervise, area });
        }
        Ok(vec![Event::Dropped { gone: Gone { cause: *cause, at: cx.at } }])
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        match (state, event) {
            (None, Event::Uploaded { media }) => Some((**media).clone()),
            (Some(media), Event::Dropped { gone }) => Some(Self { gone: Some(*gone), ..media }),
            (None, Event::Dropped { .. }) | (Some(_), Event::Uploaded { .. }) => None,
        }
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
