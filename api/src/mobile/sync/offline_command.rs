//! A command that a phone kept, run as a request would be: counted, addressed and parsed strictly,
//! then run by the same function.

use actix_web::web::Data;
use domain::core::id::CommandId;
use futures_util::{FutureExt, future::LocalBoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    app::{caller::Caller, state::App},
    engine::step::{CommandContext, Origin},
    http::{
        answer::Answer,
        body::parse_within,
        headers::{IfMatch, Key},
        problem::{Code, Problem, Reply},
    },
};

/// The answer of a command, asynchronously.
pub type Answering = LocalBoxFuture<'static, Reply<Answered>>;

/// The answer of a command.
pub struct Answered {
    /// The HTTP status that a request would have been answered with.
    pub status: u16,
    /// The JSON of the view.
    pub body: Value,
}

/// A command that a phone kept.
pub struct OfflineCommand {
    /// The state of the server.
    pub app: Data<App>,
    /// The caller of the queue, with what the phone said about the command.
    pub caller: Caller,
    /// The values of the path, by name and in order.
    pub segments: Vec<(String, String)>,
    /// The key of the command: its `Idempotency-Key`.
    pub command: CommandId,
    /// The version it is meant for, if only for one.
    pub only: Option<i64>,
    /// The JSON that a request would carry.
    pub body: Value,
}

impl Origin for OfflineCommand {
    fn segments(&self) -> Vec<(String, String)> {
        self.segments.clone()
    }

    fn key(&self) -> Reply<Key> {
        Ok(Key(self.command))
    }

    fn if_match(&self) -> Reply<IfMatch> {
        self.only.map_or(Ok(IfMatch::ANY), IfMatch::only)
    }
}

impl OfflineCommand {
    /// Runs the function that answers a request for this operation.
    pub fn run<C, B, V, F>(self, command: impl FnOnce(C, B) -> F + 'static) -> Answering
    where
        C: CommandContext + 'static,
        B: DeserializeOwned + ToSchema + 'static,
        V: Serialize + 'static,
        F: Future<Output = Reply<Answer<V>>> + 'static,
    {
        let run = async move {
            let context = C::read(self.app.clone(), self.caller.clone(), &self)?;
            let body = parse_within(self.body.to_string().as_bytes(), C::MAX_BODY)?;
            let answer = command(context, body).await?;
            let status = answer.status().as_u16();
            let body = serde_json::to_value(answer.into_view());
            let body = body.map_err(|error| Problem::new(Code::Internal).because(error))?;
            Ok(Answered { status, body })
        };
        run.boxed_local()
    }
}
