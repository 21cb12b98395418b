//! Media (照片、视频、录音): files that show what reports and cases say.
//!
//! A file has an identity before it has arrived: a phone makes one, names it in a report, and
//! sends the bytes when the network allows. What names it keeps an [`Attached`]; the file itself
//! is this flow, so that its digest stands in the journal. Where and when a photo was taken is in
//! neither: that can be forgotten.

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
    /// How a file stands.
    StatusName {
        /// It is there.
        Present = "present", "已上传";
        /// Its bytes are removed.
        Gone = "gone", "已删除";
    }
}

labelled_enum! {
    /// What may be asked of a file that arrived.
    Verb {
        /// Remove the bytes for good.
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

/// A photo, video or sound that was sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Media {
    /// Its identity, often made by a phone.
    pub id: MediaId,
    /// Who sent it.
    pub by: PersonId,
    /// What it is, as its bytes say.
    pub format: Format,
    /// How many bytes were sent.
    pub bytes: u64,
    /// The SHA-256 of them, in hexadecimal.
    pub sha256: String,
    /// Width and height of a photo as it is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Whether the bytes are kept as they were sent, beside what is made of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub original: bool,
    /// Whether its sender is of the public: others of the public see it once it was looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
    /// When it arrived.
    pub at: Instant,
    /// Why and when it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
}

/// The end of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gone {
    /// The reason for the removal.
    pub cause: Cause,
    /// When it was removed.
    pub at: Instant,
}

/// A file that arrived and was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Upload {
    /// The identity it will have.
    pub id: MediaId,
    /// What it is.
    pub format: Format,
    /// How many bytes.
    pub bytes: u64,
    /// The SHA-256 of them, in hexadecimal.
    pub sha256: String,
    /// Width and height of a photo.
    pub size: Option<(u32, u32)>,
    /// Whether the bytes are kept as they were sent.
    pub original: bool,
}

/// What may be asked of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Keep a file that arrived.
    Upload(Upload),
    /// Remove it. Only the system asks it.
    Drop {
        /// The reason for the removal.
        cause: Cause,
    },
}

/// What can have happened to a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It arrived; the whole of what is known of it.
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

// No timeline and no feed tells of files.
disclosed! {
    enum Event by "event" {
        Uploaded { Withheld: media }
        Dropped { Withheld: gone }
    }

    struct Media { Open: id, by, format, bytes, sha256, size, original, public, at, gone }
    struct Gone { Open: cause, at }
}
impl JournalEvent for Event {}

/// Who reads about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    /// The person who sent it.
    Sender,
    /// A reader in office who sees what names it.
    Staff,
    /// A reader of the public who sees what names it.
    Public,
}

impl Media {
    /// The most of them one person has that nothing names yet.
    pub const MOST_UNUSED: i64 = 200;

    /// Whether the bytes are there.
    pub const fn status(&self) -> StatusName {
        if self.gone.is_some() { StatusName::Gone } else { StatusName::Present }
    }

    /// Whether `reader` may look at the bytes; `passed` says whether a review found them fit to be
    /// shown (nothing of the public is shown to others before).
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

/// Whether an actor acts for no office: a resident, a volunteer.
pub fn is_of_public(actor: &Actor, at: Instant) -> bool {
    !actor.is_system() && !actor.grants.iter().any(|g| g.holds_at(at) && g.role.is_office())
}

/// Refuses an actor who may not say anything that a file could show.
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

    /// Only the system removes files.
    fn shows_verb(&self, _: Verb) -> bool {
        false
    }
}

impl Flow for Media {
    const KIND: FlowKind = FlowKind::Media;
    const NAMES: (&'static str, &'static str) = ("这个文件", "file");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[("upload", "上传")];
    type Event = Event;

    /// A photo may belong to a confidential report, so no actor is named with it.
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
