//! Publishing a document from a file, as the system: imports of the command line go through the
//! same parsing, the same checks and the same journal as over HTTP.

use domain::{
    core::{id::CommandId, text::Prose},
    flows::{
        change::{Request, execute},
        policy::{Command, Document, Policy, PolicyKind},
    },
    people::actor::Actor,
};
use persistence::{Outcome, Store, Write, kernel::tenant::Tenant};
use serde_json::Value;

use super::Failed;
use crate::{
    app::{
        catalogue,
        clock::{Clock, new_id},
        world::{TenantSnapshot, TenantSnapshots},
    },
    http::problem::{Code, Problem},
    resources::policy::import,
};

impl From<Problem> for Failed {
    /// Every fault on a line of its own; the advice about request bodies does not apply to files.
    fn from(problem: Problem) -> Self {
        let faults = problem.sentences();
        let head = if problem.code() == Code::InvalidBody && !faults.is_empty() {
            "nothing was published; correct these faults and try again:".to_owned()
        } else {
            problem.to_string()
        };
        Self(std::iter::once(head).chain(faults).collect::<Vec<_>>().join("\n  "))
    }
}

/// A document to publish.
#[derive(Debug)]
pub struct Publication<'a> {
    /// The tenant whose rules it changes.
    pub tenant: &'a Tenant,
    /// What kind of document.
    pub kind: PolicyKind,
    /// The file: CSV, of calendars the JSON of a year or an array of them.
    pub text: &'a str,
    /// Why it is published, for the record.
    pub note: String,
    /// Whether to check only.
    pub dry: bool,
}

impl Publication<'_> {
    /// Publishes it, or reports everything that is wrong; answers its edition.
    pub async fn publish(&self, store: &Store, clock: &Clock) -> Result<i64, Failed> {
        let worlds = TenantSnapshots::load(store, catalogue::build_default(), clock).await?;
        let none =
            || Failed(format!("the tenant {} has no areas; import them first", self.tenant.code));
        let world = worlds.get(self.tenant.id).ok_or_else(none)?;
        let by = Actor::new_system(self.tenant.id, world.areas.root().ok_or_else(none)?.unit());
        let id = Policy::id_of(self.tenant.id, self.kind);
        let known = store.load_state::<Policy>(self.tenant.id, id).await?;
        let document =
            self.read_document(known.as_deref().map(|stored| &stored.state.document), &world)?;
        let why = Prose::try_from(self.note.as_str()).map_err(|fault| Failed(fault.to_string()))?;
        let document = Box::new(document);
        let command = Command::Publish { tenant: self.tenant.id, document, note: why };
        let request = Request::new(CommandId(new_id()), "import_policy", id, &self.text);
        let context = world.build_context(&by, clock.now());
        let change = execute::<Policy>(known.as_deref(), &command, request, context)
            .map_err(|refusal| Failed::from(Problem::from(refusal)))?;
        let edition = change.entry.seq;
        if self.dry {
            return Ok(edition);
        }
        match store.commit(vec![Write::from(change)]).await? {
            Outcome::Done => Ok(edition),
            Outcome::Stale | Outcome::Seen | Outcome::NumberTaken => Err(Failed(
                "another edition was published at the same time; run the command again".to_owned(),
            )),
        }
    }

    fn read_document(
        &self,
        known: Option<&Document>,
        world: &TenantSnapshot,
    ) -> Result<Document, Failed> {
        if self.kind != PolicyKind::Calendar {
            return Ok(import::read_table(self.kind, Some(self.text), true, world)?);
        }
        let text = self.text.trim_start_matches('\u{feff}');
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Failed(format!("line {line}, column {column}: the file is not valid JSON: {error}"))
        })?;
        let years = match value {
            Value::Array(years) => years,
            one @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_)) => vec![one],
        };
        Ok(import::merge_holidays(known, &years)?)
    }
}
