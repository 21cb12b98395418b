//! The rules of grid management (网格化管理), as pure functions over plain data.
//!
//! An [`Actor`](people::actor::Actor) sends a command to a [`Flow`](flows::flow::Flow); the flow
//! answers with a [`Change`](flows::change::Change) or a [`Refusal`](rules::refusal::Refusal).
//! Nothing here performs I/O, reads a clock or draws random numbers: time, identifiers and rules
//! are arguments.
//!
//! Reading order: [`area`], [`people`], [`rules`], then [`flows`]: [`lifecycle`](flows::lifecycle),
//! [`flow`](flows::flow) and [`change`](flows::change) first, [`report`](flows::report),
//! [`case`](flows::case) and [`intake`](flows::intake), which moves a report and its case together.
//! Deadlines are in [`calendar`].

/// What every rule uses: identities, texts, journals, lists, digests.
pub mod core {
    pub mod arrival;
    pub mod boundary_fault;
    pub mod checkpoint;
    pub mod delivery;
    pub mod disclosure;
    pub mod fold;
    pub mod id;
    pub mod journal;
    pub mod labelled_enum;
    pub mod tabular_import;
    pub mod tally;
    pub mod text;
    pub mod time;
}

/// Where things are: coordinates, boundaries, areas, and which area a point lies in.
pub mod area {
    pub mod boundary;
    pub mod coordinate;
    pub mod locate;
    pub mod tessellate;
    pub mod tree;
}

/// When offices are open, and how long something may take.
pub mod calendar {
    pub mod book;
    pub mod limit;
}

/// Who acts with which right, personal data, and the record of who saw it.
pub mod people {
    pub mod actor;
    pub mod audit;
    pub mod evidence;
    pub mod personal;
    pub mod privacy;
    pub mod role;
    pub mod staffing;
}

/// What a tenant decides for itself, as documents, and what follows from them: obligations and
/// refusals.
pub mod rules {
    pub mod admission;
    pub mod burden;
    pub mod catalogue;
    pub mod condition;
    pub mod dispatch_preview;
    pub mod duplicate;
    pub mod listed;
    pub mod notice;
    pub mod obligation;
    pub mod place;
    pub mod refusal;
    pub mod responsibility;
    pub(crate) mod rule_precedence;
    pub mod rulebook;
    pub mod sampling;
    pub mod sla;
    pub mod track_policy;
    pub mod vocabulary;
    pub mod webhook;
    pub mod whistle_policy;
}

/// The flows: reports, cases, people, areas, patrols, visits, forms, files.
pub mod flows {
    pub mod areas;
    pub mod campaign;
    pub mod case;
    pub mod change;
    pub mod claim;
    pub mod content_review;
    pub mod event_type;
    pub mod flow;
    pub mod form;
    pub mod household;
    pub mod intake;
    pub mod labels;
    pub mod lifecycle;
    pub mod media;
    pub mod notice;
    pub mod patrol;
    pub mod patrol_plan;
    pub mod person;
    pub mod policy;
    pub mod report;
    pub mod stored_event;
    pub mod track;
    pub mod visit;
    pub mod visit_commit;
}

pub use crate::core::time::Instant;
