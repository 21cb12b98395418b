//! Forms (一表通): what a city asks about households, in one place and in editions. A form is a JSON
//! Schema; what is known already is filled in, and only what changed is entered.
//!
//! The schema is a documented subset of JSON Schema 2020-12 ([`schema`]), checked strictly when it
//! is published: a form must not hold what this program would not enforce. Fields are shared by
//! their names: what was answered to `employment` in one form is known in every other.

pub mod answer;
mod read;
pub mod schema;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use self::{
    answer::{Answered, How, KnownValue, Origin},
    schema::{Field, Kind, Schema, Source},
};
use crate::{
    Instant,
    core::{
        disclosure::disclosed,
        id::{FormId, PersonId, TenantId},
        journal::{FlowKind, Hash},
        labelled_enum::labelled_enum,
        text::{Code, Prose},
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
        stored_event::JournalEvent,
    },
    people::actor::Permission,
    rules::{obligation::Obligation, refusal::Refusal},
};

labelled_enum! {
    /// How a form stands.
    StatusName {
        /// It is asked.
        Published = "published", "已发布";
        /// It is asked no more.
        Withdrawn = "withdrawn", "已停用";
    }
}

labelled_enum! {
    /// What may be asked of a form.
    Verb {
        /// Bring an edition into force.
        Publish = "publish", "发布";
        /// Ask it no more.
        Withdraw = "withdraw", "停用";
    }
}

/// Where each verb leads from each state; what is not listed is refused.
pub const MOVES: &[(StatusName, Verb, StatusName)] = &[
    (StatusName::Published, Verb::Publish, StatusName::Published),
    (StatusName::Published, Verb::Withdraw, StatusName::Withdrawn),
    (StatusName::Withdrawn, Verb::Publish, StatusName::Published),
];

/// A form, in its newest edition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Form {
    /// Its identity: made of the tenant and the code.
    pub id: FormId,
    /// The code it is published and asked under.
    pub code: Code,
    /// The JSON Schema.
    pub schema: Value,
    /// Who published it.
    pub by: PersonId,
    /// The name of who published it.
    pub by_name: String,
    /// When this edition was published.
    pub at: Instant,
    /// On what ground it is asked: the admission of a form (报表准入).
    pub note: Prose,
    /// Whether it is asked no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// What may be asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Bring an edition into force.
    Publish {
        /// For which tenant.
        tenant: TenantId,
        /// The code of the form.
        code: Code,
        /// The JSON Schema.
        schema: Box<Value>,
        /// On what ground.
        note: Prose,
    },
    /// Ask it no more.
    Withdraw {
        /// The reasons, in words.
        reason: Prose,
    },
}

/// What can have happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An edition came into force.
    Published {
        /// The form as it is now.
        form: Box<Form>,
    },
    /// It is asked no more.
    Withdrawn {
        /// The reasons, in words.
        reason: Prose,
    },
}

// No timeline and no feed tells of forms.
disclosed! {
    enum Event by "event" {
        Published { Withheld: form }
        Withdrawn { Withheld: reason }
    }

    struct Form { Open: id, code, schema, by, by_name, at, note, withdrawn }
}
impl JournalEvent for Event {}

impl Form {
    /// The identity of the form with this code.
    pub fn id_of(tenant: TenantId, code: &str) -> FormId {
        FormId(Hash::digest(format!("form\n{tenant}\n{code}").as_bytes()).to_uuid())
    }

    /// The schema as it is asked; it was checked when it was published.
    pub fn parse_schema(&self) -> Schema {
        Schema::read(&self.schema).unwrap_or_default()
    }
}

impl Lifecycle for Form {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StatusName;
    type Verb = Verb;
    type To = StatusName;
    type Command = Command;
    const MOVES: MoveTable<StatusName, Verb> = MoveTable::of(MOVES);
    const BEGINNINGS: &'static [&'static str] = &["publish"];

    fn stage(&self) -> StatusName {
        if self.withdrawn { StatusName::Withdrawn } else { StatusName::Published }
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Publish { .. } => CommandKind::BeginsOrMoves(Verb::Publish),
            Command::Withdraw { .. } => CommandKind::Moves(Verb::Withdraw),
        }
    }
}

impl Flow for Form {
    const KIND: FlowKind = FlowKind::Form;
    const NAMES: (&'static str, &'static str) = ("这张表", "form");
    type Event = Event;

    fn authorize(_: Option<&Self>, _: &Command, cx: &Context<'_>) -> Result<(), Refusal> {
        let root = cx.areas.root().ok_or(Refusal::OutsideTenant)?;
        cx.require_permission(Permission::ManageRules, &root.path, &root.name)
    }

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Publish { tenant, code, schema, note } = command else {
            return Err(refuse_unasked::<Self>(command));
        };
        Schema::read(schema).map_err(|faults| Refusal::Unsound { faults })?;
        let form = Self {
            id: Self::id_of(*tenant, code.as_str()),
            code: code.clone(),
            schema: (**schema).clone(),
            by: cx.by.person,
            by_name: cx.by.name.clone(),
            at: cx.at,
            note: note.clone(),
            withdrawn: false,
        };
        Ok(vec![Event::Published { form: Box::new(form) }])
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        match command {
            // Every edition is a whole of its own.
            Command::Publish { .. } => Self::decide_beginning(command, cx),
            Command::Withdraw { reason } => Ok(vec![Event::Withdrawn { reason: reason.clone() }]),
        }
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        match event {
            Event::Published { form } => Some((**form).clone()),
            Event::Withdrawn { .. } => state.map(|form| Self { withdrawn: true, ..form }),
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

#[cfg(test)]
mod tests;
