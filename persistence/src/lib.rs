//! Where GridWhistle keeps things: SQLite or PostgreSQL, by URL.
//!
//! [`Store::look`] finds one flow's state, [`Store::read`] runs any query on a reading lane,
//! [`Store::commit`] makes changes durable on a
//! writing lane. Queries are plain functions over [`Db`], written once for both engines, one
//! file per capability. Nothing here knows HTTP or decides anything.

pub mod area;
pub mod arrival;
pub mod audit;
mod batch;
pub mod burden;
pub mod campaign;
pub mod case;
pub mod client;
mod connection;
pub mod content_review;
pub mod deferral;
pub mod delivery;
mod error;
pub mod factor;
pub mod feed;
pub mod form;
pub mod household;
pub mod identity;
pub mod journal;
pub mod key;
mod lane;
mod look;
pub mod media;
pub mod media_upload;
pub mod message;
pub mod migrate;
pub mod obligation;
pub mod patrol;
pub mod patrol_plan;
pub mod person;
pub mod policy;
pub mod post;
pub mod privacy;
#[doc(hidden)]
pub mod probe;
pub mod projection;
pub mod report;
mod rows;
mod schema;
pub mod session;
mod store;
pub mod tally;
pub mod tenant;
pub mod track;
mod types;
pub mod vault;
pub mod visit;
pub mod webhook;

pub use batch::{Outcome, Write};
pub use connection::Db;
pub use error::StoreError;
pub use look::{Memory, States, Tabled, find};
pub use store::{Options, Store};
