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
    answer::{Answered, How, Known, Origin},
    schema::{Field, Kind, Schema, Source},
};
use crate::{
    Instant,
    core::{
        id::{FormId, PersonId, TenantId},
        journal::{FlowKind, Hash},
        text::{Code, Prose},
    },
    flows::{
        flow::{Context, Flow},
        stored_event::JournalEvent,
    },
    people::actor::Permission,
    rules::{obligation::Obligation, refusal::Refusal},
};

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

impl JournalEvent for Event {}

impl Form {
    /// The identity of the form with this code.
    pub fn id_of(tenant: TenantId, code: &str) -> FormId {
        FormId(Hash::of(format!("form\n{tenant}\n{code}").as_bytes()).id())
    }

    /// The schema as it is asked; it was checked when it was published.
    pub fn asked(&self) -> Schema {
        Schema::read(&self.schema).unwrap_or_default()
    }
}

impl Flow for Form {
    const KIND: FlowKind = FlowKind::Form;
    const NAMES: (&'static str, &'static str) = ("这张表", "form");
    type Command = Command;
    type Event = Event;

    fn state_label(state: &str) -> Option<&'static str> {
        (state == "withdrawn").then_some("已停用")
    }

    fn command_label(command: &str) -> Option<&'static str> {
        match command {
            "publish" => Some("发布"),
            "withdraw" => Some("停用"),
            _ => None,
        }
    }

    fn name(command: &Command) -> &'static str {
        match command {
            Command::Publish { .. } => "publish",
            Command::Withdraw { .. } => "withdraw",
        }
    }

    fn decide(
        state: Option<&Self>,
        command: &Command,
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let root = cx.areas.root().ok_or(Refusal::OutsideTenant)?;
        cx.require(Permission::ManageRules, &root.path, &root.name)?;
        match (state, command) {
            (_, Command::Publish { tenant, code, schema, note }) => {
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
            (Some(form), Command::Withdraw { reason }) if !form.withdrawn => {
                Ok(vec![Event::Withdrawn { reason: reason.clone() }])
            }
            (state, Command::Withdraw { .. }) => Err(Refusal::WrongState {
                flow: "form",
                state: if state.is_some() { "withdrawn" } else { "none" },
                command: Self::name(command),
                possible: vec!["publish"],
            }),
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
