//! What the application needs to know of a kind of flow besides its rules and rows.

use std::sync::Arc;

use domain::{
    Instant,
    core::id::AreaId,
    flows::{change::Versioned, notice::Notice},
    people::actor::Actor,
    rules::obligation::Duty,
};
use persistence::FlowTable;

use crate::engine::subject::Subject;

/// A flow that is served: all that the application needs to know of it besides its rules and rows.
pub trait ServedFlow: FlowTable {
    /// Whether its events are published.
    const PUBLISHED: bool = false;

    /// Whether its events make notices.
    const NOTIFIES: bool = false;

    /// Whether this actor may know that the flow exists.
    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool;

    /// The command that takes the measure about a debt whose time has come; the arguments are the
    /// duty, the unit and the term. None where no measures are taken about such flows.
    fn measure_command(_: Duty, _: AreaId, _: i64) -> Option<Self::Command> {
        None
    }

    /// The command that recomputes provisional deadlines; none where a calendar moves none.
    fn recompute_command() -> Option<Self::Command> {
        None
    }

    /// The subject of its published events; none where events are not published.
    fn event_subject(_: Arc<Versioned<Self>>) -> Option<Arc<dyn Subject>> {
        None
    }

    /// The notices that an event makes; `self` is the flow as it is now.
    fn event_notices(&self, _: &Self::Event) -> Vec<Notice> {
        Vec::new()
    }
}
