//! Writes that are no changes of flows: sessions, secrets, deliveries, consents, the audit log.
//!
//! They decide nothing and no journal records them, so they need no commit; each is still one
//! transaction. Only the files of their tables can make a [`WriteJob`]: what is written beside
//! commits is named there, and nowhere else.

use crate::kernel::{connection::Db, error::StoreError};

type Result<T, E = StoreError> = std::result::Result<T, E>;

type Work<R> = dyn FnOnce(&mut Db) -> Result<R> + Send;

/// What [`Store::run`](crate::Store::run) does in a transaction of its own, and answers.
#[must_use = "it is written by `Store::run`"]
pub struct WriteJob<R>(Box<Work<R>>);

impl<R: 'static> WriteJob<R> {
    pub(crate) fn new(work: impl FnOnce(&mut Db) -> Result<R> + Send + 'static) -> Self {
        Self(Box::new(work))
    }

    /// Adds a step in the same transaction, which may depend on what the job answers.
    pub(crate) fn append_step(
        self,
        more: impl FnOnce(&mut Db, &R) -> Result<()> + Send + 'static,
    ) -> Self {
        Self::new(move |db| {
            let done = self.run_within(db)?;
            more(db, &done)?;
            Ok(done)
        })
    }

    /// Does the job within the transaction of the caller.
    pub(crate) fn run_within(self, db: &mut Db) -> Result<R> {
        (self.0)(db)
    }
}
