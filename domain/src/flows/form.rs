//! Forms (一表通): what a city asks about households, kept in one place and in editions. A form is a
//! JSON Schema; known values are filled in, and only changes are entered.
//!
//! The schema is a documented subset of JSON Schema 2020-12 ([`schema`]), checked strictly when it
//! is published: a form must not contain what this program would not enforce. Forms share fields by
//! name: an answer to `employment` in one form is known in every other.

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
    /// The status of a form.
    StatusName {
        /// It is in use.
        Published = "published", "已发布";
        /// It is no longer in use.
        Withdrawn = "withdrawn", "已停用";
    }
}

labelled_enum! {
    /// The commands for a form.
    Verb {
        /// Publishes an edition.
        Publish = "publish", "发布";
        /// Withdraws the form.
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
    /// Its identity, derived from the tenant and the code.
    pub id: FormId,
    /// The code that people use for it.
    pub code: Code,
    /// The JSON Schema.
    pub schema: Value,
    /// Who published it.
    pub by: PersonId,
    /// The name of that person.
    pub by_name: String,
    /// When this edition was published.
    pub at: Instant,
    /// The reason for asking it: the admission of a form (报表准入).
    pub note: Prose,
    /// Whether it is withdrawn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// The commands for forms.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Publishes an edition.
    Publish {
        /// The tenant that publishes it.
        tenant: TenantId,
        /// The code of the form.
        code: Code,
        /// The JSON Schema.
        schema: Box<Value>,
        /// The reason for asking it.
        note: Prose,
    },
    /// Withdraws the form.
    Withdraw {
        /// The reasons, in words.
        reason: Prose,
    },
}

/// The events of a form.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An edition was published.
    Published {
        /// The form in this edition.
        form: Box<Form>,
    },
    /// It was withdrawn.
    Withdrawn {
        /// The reasons, in words.
        reason: Prose,
    },
}

// Events of forms appear in no timeline and no feed.
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

    /// The parsed schema; it was checked when it was published.
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
            // Every edition replaces the whole form.
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
