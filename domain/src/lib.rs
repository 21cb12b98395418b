//! The rules of grid management (网格化管理), as pure functions over plain data.
//!
//! An [`actor::Actor`] sends a command to a [`flow::Flow`]; the flow decides with a
//! [`change::Change`] or a [`refusal::Refusal`]. Nothing here performs I/O, reads a clock or
//! rolls a dice: time, identifiers and rules are arguments.
//!
//! Reading order: [`area`], [`actor`], [`flow`], [`change`], [`journal`], [`obligation`],
//! [`refusal`]; then the flows [`report`], [`case`], [`person`], and [`intake`], which moves a
//! report and its case together; [`household`], [`visit`], [`campaign`] and [`form`], and
//! [`visiting`], which turns what was found on a visit into reports; [`media`] and
//! [`content_review`]. When things are late is in [`limit`] and [`calendar`].

pub mod actor;
pub mod admission;
pub mod area;
pub mod arrival;
pub mod audit;
pub mod boundary;
pub mod burden;
pub mod calendar;
pub mod campaign;
pub mod case;
pub mod catalogue;
pub mod change;
pub mod checkpoint;
pub mod claim;
pub mod condition;
pub mod content_review;
pub mod coordinate;
pub mod delivery;
pub mod dispatching;
pub mod duplicate;
pub mod evidence;
pub mod flow;
pub mod form;
pub mod happening;
pub mod household;
pub mod id;
pub mod intake;
pub mod journal;
pub mod limit;
pub mod locate;
pub mod media;
mod named;
pub mod notice;
pub mod obligation;
pub mod patrol;
pub mod patrol_plan;
pub mod person;
pub mod personal;
pub mod place;
pub mod policy;
pub mod privacy;
pub mod refusal;
pub mod report;
pub mod responsibility;
pub mod role;
pub mod rules;
pub mod sampling;
pub mod sheet;
pub mod sla;
mod specific;
pub mod tally;
pub mod tessellate;
pub mod text;
pub mod track;
pub mod tracking;
pub mod visit;
pub mod visiting;
pub mod webhook;
pub mod whistling;

/// A moment in UTC, cut to milliseconds by whoever makes it.
pub type Instant = chrono::DateTime<chrono::Utc>;
