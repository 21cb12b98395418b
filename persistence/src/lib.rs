//! Storage of GridWhistle: SQLite or PostgreSQL, chosen by URL.
//!
//! [`Store::load_state`] loads one flow's state, [`Store::read`] runs any query on a reading lane,
//! [`Store::commit`] makes changes of flows durable on a writing lane, [`Store::run`] does the
//! named jobs that are none. Queries are plain functions over [`Db`], written once for both
//! engines, one file per capability. Nothing here knows HTTP or decides anything.

mod batch;
#[doc(hidden)]
pub mod probe;
mod registry;
mod store;

/// The basis of every query: connections, types, the schema, rows, the journal, obligations.
pub mod kernel {
    pub mod arrival;
    pub(crate) mod connection;
    pub mod deferral;
    pub(crate) mod error;
    pub mod feed;
    pub(crate) mod flow;
    pub mod journal;
    pub mod key;
    pub(crate) mod lane;
    pub(crate) mod list;
    pub(crate) mod load;
    pub mod migrate;
    pub(crate) mod number;
    pub mod obligation;
    pub(crate) mod pending;
    pub mod projection;
    pub(crate) mod rows;
    pub(crate) mod schema;
    pub mod tenant;
    pub(crate) mod types;
    pub(crate) mod write_job;
}

/// Output to other parties: webhooks, deliveries, messages.
pub mod integrations {
    pub mod delivery;
    pub mod message;
    pub mod webhook;
}

/// People, their logins, personal data, and the audit log.
pub mod people {
    pub mod appointment;
    pub mod audit;
    pub mod client;
    pub mod identity;
    pub mod person;
    pub mod privacy;
    pub mod second_factor;
    pub mod session;
    pub mod tally;
    pub mod vault;
}

/// The flows as rows, one file each.
pub mod flows {
    pub mod area;
    pub mod burden;
    pub mod campaign;
    pub mod case;
    pub mod content_review;
    pub mod form;
    pub mod household;
    pub mod media;
    pub mod media_upload;
    pub mod patrol;
    pub mod patrol_plan;
    pub mod policy;
    pub mod report;
    pub mod retention;
    pub mod track;
    pub mod visit;
}

pub use batch::{Outcome, Write};
pub use kernel::connection::Db;
pub use kernel::error::StoreError;
pub use kernel::flow::{FlowTable, FlowWrite};
pub use kernel::load::{KnownFlow, load_state};
pub use kernel::write_job::WriteJob;
pub use registry::{FLOWS, new_projection};
pub use store::{CheckedState, Options, Store};
