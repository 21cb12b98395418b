//! Policies: what a tenant decides for itself, as documents that are published in editions.
//!
//! Each kind is a flow of its own, so that every edition stands in the journal with who published
//! it, when and why; a deadline names the edition it was computed by.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    calendar::book::CalendarBook,
    core::{
        disclosure::{Disclosed, Shape, disclosed},
        id::{PersonId, TenantId},
        journal::{FlowKind, Hash},
        labelled_enum::labelled_enum,
        tabular_import::Fault,
        text::Prose,
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable},
        stored_event::JournalEvent,
    },
    people::{
        actor::Permission,
        privacy::Privacy,
        role::{Powers, Roles},
    },
    rules::{
        admission::Admissions,
        notice::Notices,
        obligation::Obligation,
        refusal::Refusal,
        responsibility::Responsibilities,
        rulebook::{Edition, HandlingRules, Rules},
        sla::{self, Matrix},
        whistle_policy::Whistling,
    },
};

labelled_enum! {
    /// The kind of a document.
    PolicyKind {
        /// Windows, counts, measures, extensions.
        Conduct = "conduct", "办理规则";
        /// Opening hours, holidays, how days are counted.
        Calendar = "calendar", "工作日历";
        /// How long each duty may take.
        Deadlines = "deadlines", "时限标准";
        /// Which unit leads which matters (权责清单).
        Responsibilities = "responsibilities", "权责清单";
        /// Which matters communities may be given (事项准入).
        Admissions = "admissions", "社区事项准入清单";
        /// Ranks and topics of whistles.
        Whistling = "whistling", "吹哨规则";
        /// What each role allows.
        Roles = "roles", "角色权限";
        /// The privacy notice, purposes, and how long data is kept.
        Privacy = "privacy", "个人信息保护规则";
        /// Templates of messages, and what is sent through which channel.
        Notices = "notices", "消息通知规则";
    }
}

/// One document, with its kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "document", rename_all = "snake_case")]
pub enum Document {
    /// See [`PolicyKind::Conduct`].
    Conduct(HandlingRules),
    /// See [`PolicyKind::Calendar`].
    Calendar(CalendarBook),
    /// See [`PolicyKind::Deadlines`].
    Deadlines(Matrix),
    /// See [`PolicyKind::Responsibilities`].
    Responsibilities(Responsibilities),
    /// See [`PolicyKind::Admissions`].
    Admissions(Admissions),
    /// See [`PolicyKind::Whistling`].
    Whistling(Whistling),
    /// See [`PolicyKind::Roles`].
    Roles(Roles),
    /// See [`PolicyKind::Privacy`].
    Privacy(Privacy),
    /// See [`PolicyKind::Notices`].
    Notices(Notices),
}

impl Document {
    /// The kind of the document.
    pub const fn kind(&self) -> PolicyKind {
        match self {
            Self::Conduct(_) => PolicyKind::Conduct,
            Self::Calendar(_) => PolicyKind::Calendar,
            Self::Deadlines(_) => PolicyKind::Deadlines,
            Self::Responsibilities(_) => PolicyKind::Responsibilities,
            Self::Admissions(_) => PolicyKind::Admissions,
            Self::Whistling(_) => PolicyKind::Whistling,
            Self::Roles(_) => PolicyKind::Roles,
            Self::Privacy(_) => PolicyKind::Privacy,
            Self::Notices(_) => PolicyKind::Notices,
        }
    }

    /// The document of a tenant that published none.
    pub fn standard(kind: PolicyKind) -> Self {
        match kind {
            PolicyKind::Conduct => Self::Conduct(HandlingRules::default()),
            PolicyKind::Calendar => Self::Calendar(CalendarBook::standard()),
            PolicyKind::Deadlines => Self::Deadlines(Matrix::standard()),
            PolicyKind::Responsibilities => Self::Responsibilities(Responsibilities::default()),
            PolicyKind::Admissions => Self::Admissions(Admissions::standard()),
            PolicyKind::Whistling => Self::Whistling(Whistling::standard()),
            PolicyKind::Roles => Self::Roles(Roles::standard()),
            PolicyKind::Privacy => Self::Privacy(Privacy::default()),
            PolicyKind::Notices => Self::Notices(Notices::default()),
        }
    }

    /// Everything that is wrong with it; empty when it may be published.
    pub fn check(&self, context: &Context<'_>) -> Vec<Fault> {
        match self {
            Self::Conduct(conduct) => conduct.check(),
            Self::Calendar(book) => book.check(),
            Self::Deadlines(matrix) => {
                let areas = |id| sla::ancestry(context.areas, id);
                let ranks: Vec<&str> =
                    context.rules.whistling.ranks.iter().map(|rank| rank.code.as_str()).collect();
                let known =
                    sla::References { areas: &areas, catalogue: context.catalogue, ranks: &ranks };
                matrix.check(&known)
            }
            Self::Responsibilities(list) => list.check(context.catalogue, context.areas),
            Self::Admissions(list) => list.check(context.catalogue, context.areas),
            Self::Whistling(whistling) => whistling.check(),
            Self::Roles(roles) => roles.check(),
            Self::Privacy(privacy) => privacy.check(),
            Self::Notices(notices) => notices.check(),
        }
    }
}

/// One kind of document of a tenant, in its newest edition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// Its identity, derived from the tenant and the kind.
    pub id: Uuid,
    /// The document in this edition.
    pub document: Document,
    /// Who published it.
    pub by: PersonId,
    /// The name of that person.
    pub by_name: String,
    /// When it was published.
    pub at: crate::Instant,
    /// The reasons for this edition.
    pub note: Prose,
}

/// The commands for policies.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Publishes a document.
    Publish {
        /// The tenant that publishes it.
        tenant: TenantId,
        /// The document, as a whole.
        document: Box<Document>,
        /// The reasons for this edition.
        note: Prose,
    },
}

/// The events of a policy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A document was published.
    Published {
        /// The policy in this edition.
        policy: Box<Policy>,
    },
}

// Events of policies appear in no timeline and no feed.
disclosed! {
    enum Event by "event" {
        Published { Withheld: policy }
    }

    struct Policy { Open: id, document, by, by_name, at, note }
}

impl Disclosed for Document {
    const SHAPE: Shape = Shape::Document;
}
impl JournalEvent for Event {}

impl Policy {
    /// The identity of a kind of document of a tenant.
    pub fn id_of(tenant: TenantId, kind: PolicyKind) -> Uuid {
        Hash::digest(format!("policy\n{tenant}\n{}", kind.name()).as_bytes()).to_uuid()
    }
}

labelled_enum! {
    /// The status of a document: always in force, once it was published.
    StatusName {
        /// It is in force, as every edition.
        InForce = "in_force", "生效";
    }
}

labelled_enum! {
    /// The commands for a document.
    Verb {
        /// Publishes an edition.
        Publish = "publish", "发布规则";
    }
}

/// Where each verb leads from each state.
pub const MOVES: &[(StatusName, Verb, StatusName)] =
    &[(StatusName::InForce, Verb::Publish, StatusName::InForce)];

impl Lifecycle for Policy {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StatusName;
    type Verb = Verb;
    type To = StatusName;
    type Command = Command;
    const MOVES: MoveTable<StatusName, Verb> = MoveTable::of(MOVES);

    fn stage(&self) -> StatusName {
        StatusName::InForce
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        let Command::Publish { .. } = command;
        CommandKind::BeginsOrMoves(Verb::Publish)
    }
}

impl Flow for Policy {
    const KIND: FlowKind = FlowKind::Policy;
    const NAMES: (&'static str, &'static str) = ("这份规则", "policy");
    type Event = Event;

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Publish { tenant, document, note } = command;
        let root = cx.areas.root().ok_or(Refusal::OutsideTenant)?;
        cx.require_permission(Permission::ManageRules, &root.path, &root.name)?;
        let faults = document.check(cx);
        if !faults.is_empty() {
            return Err(Refusal::Unsound { faults });
        }
        let policy = Self {
            id: Self::id_of(*tenant, document.kind()),
            document: (**document).clone(),
            by: cx.by.person,
            by_name: cx.by.name.clone(),
            at: cx.at,
            note: note.clone(),
        };
        Ok(vec![Event::Published { policy: Box::new(policy) }])
    }

    /// Every edition replaces the whole document.
    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        Self::decide_beginning(command, cx)
    }

    fn evolve(_: Option<Self>, event: &Event) -> Option<Self> {
        let Event::Published { policy } = event;
        Some((**policy).clone())
    }

    fn obligations(&self) -> Vec<Obligation> {
        Vec::new()
    }

    fn fulfils(_: &Event, _: &Obligation) -> bool {
        false
    }

    fn id(&self) -> Uuid {
        self.id
    }
}

impl Rules {
    /// The rules shipped with this program.
    pub fn standard() -> Self {
        let deadlines =
            sla::Compiled::from_checked(Matrix::standard(), &sla::References::new_empty());
        Self {
            conduct: HandlingRules::default(),
            deadlines: Edition::built_in(deadlines),
            calendars: Edition::built_in(CalendarBook::standard().compile()),
            responsibilities: Edition::built_in(Responsibilities::default()),
            admissions: Edition::built_in(Admissions::standard()),
            whistling: Whistling::standard(),
            powers: Powers::built_in(),
            privacy: Edition::built_in(Privacy::default()),
            notices: Edition::built_in(Notices::default()),
        }
    }

    /// Puts an edition into force. It was checked when it was published; later changes (an area
    /// retired, a category renamed) may leave rows that match nothing any more.
    pub fn enact_document(&mut self, document: Document, no: i64, known: &sla::References<'_>) {
        match document {
            Document::Conduct(conduct) => self.conduct = conduct,
            Document::Calendar(book) => self.calendars = Edition { no, value: book.compile() },
            Document::Deadlines(matrix) => {
                self.deadlines = Edition { no, value: sla::Compiled::from_checked(matrix, known) };
            }
            Document::Responsibilities(value) => self.responsibilities = Edition { no, value },
            Document::Admissions(value) => self.admissions = Edition { no, value },
            Document::Whistling(whistling) => self.whistling = whistling,
            Document::Roles(roles) => self.powers = Arc::new(Powers::from_roles(&roles)),
            Document::Privacy(value) => self.privacy = Edition { no, value },
            Document::Notices(value) => self.notices = Edition { no, value },
        }
    }
}
