//! The subject of a published event: who may know of it, where it is, who reported it.

use domain::{
    Instant,
    area::tree::{Path, Unit},
    flows::change::Versioned,
    people::actor::Actor,
};

use crate::engine::reporters::Reporters;

/// A flow whose events are published, to the feed, streams and webhooks. Its events are those that
/// [`Happening`](domain::flows::event_type::Happening) has a type for.
pub trait Published {
    /// The path of its kind, below `/api/v1`.
    const PATH: &'static str;

    /// Whether this actor may know of it.
    fn is_known_to(&self, actor: &Actor, at: Instant) -> bool;

    /// Whether this actor reads events in detail, and not only that something happened: all that
    /// the types of its events [disclose](domain::core::disclosure) to readers of the feed.
    fn is_whole_for(&self, actor: &Actor, at: Instant) -> bool;

    /// The area it lies in.
    fn area(&self) -> &Unit;

    /// The other units that work on it.
    fn units(&self) -> &[Unit] {
        &[]
    }

    /// Its number for people.
    fn number(&self) -> &str;

    /// Its reporters, as it is now.
    fn reporters(&self) -> Reporters {
        Reporters::default()
    }
}

/// The same for a flow of any kind, as it is now.
pub trait Subject: Send + Sync {
    /// The path of its kind, below `/api/v1`.
    fn path(&self) -> &'static str;

    /// The same as [`Published::is_known_to`].
    fn is_known_to(&self, actor: &Actor, at: Instant) -> bool;

    /// The same as [`Published::is_whole_for`].
    fn is_whole_for(&self, actor: &Actor, at: Instant) -> bool;

    /// The area it lies in.
    fn area(&self) -> &Unit;

    /// Whether it lies in an area, or is worked on by a unit in it.
    fn is_within(&self, path: &Path) -> bool;

    /// Its number for people.
    fn number(&self) -> &str;

    /// Its reporters, as it is now.
    fn reporters(&self) -> Reporters;
}

impl<F: Published + Send + Sync> Subject for Versioned<F> {
    fn path(&self) -> &'static str {
        F::PATH
    }

    fn is_known_to(&self, actor: &Actor, at: Instant) -> bool {
        self.state.is_known_to(actor, at)
    }

    fn is_whole_for(&self, actor: &Actor, at: Instant) -> bool {
        self.state.is_whole_for(actor, at)
    }

    fn area(&self) -> &Unit {
        self.state.area()
    }

    fn is_within(&self, path: &Path) -> bool {
        let mut units = self.state.units().iter();
        path.contains(&self.area().path) || units.any(|unit| path.contains(&unit.path))
    }

    fn number(&self) -> &str {
        self.state.number()
    }

    fn reporters(&self) -> Reporters {
        self.state.reporters()
    }
}
