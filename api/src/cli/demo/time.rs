//! The time of the demo: it is moved as far ahead as the story needs, and the system's own work
//! until then is done.

use actix_web::web::Data;
use domain::Instant;
use tokio::runtime::Handle;

use crate::{app::state::App, cli::install::Failed, integrations::scheduler};

/// The most passes of the scheduler until nothing is due.
const LOOKS: usize = 200;

/// The clock of the server, for the stories that move it.
pub(super) struct Time {
    app: Data<App>,
    runtime: Handle,
}

impl Time {
    /// Has to be made inside the server's runtime.
    pub(super) fn new(app: Data<App>) -> Self {
        Self { app, runtime: Handle::current() }
    }

    /// The present time of the server.
    pub(super) fn now(&self) -> Instant {
        self.app.clock.now()
    }

    /// Moves the clock to `at`, and lets the scheduler take every measure that is due by then.
    pub(super) fn pass_until(&self, at: Instant) -> Result<(), Failed> {
        self.app.clock.advance((at - self.now()).max(chrono::Duration::zero()));
        for _ in 0..LOOKS {
            if self.runtime.block_on(scheduler::run_pass(&self.app))? == 0 {
                return Ok(());
            }
        }
        Err(Failed("the scheduler finds no end".to_owned()))
    }
}
