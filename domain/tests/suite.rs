//! Tests of the domain from outside: matrices over all states and commands, properties of random
//! histories, and the promises of a journal.
//!
//! `UPDATE=1 cargo test -p domain` rewrites the matrices beside this file; a person who knows the
//! field reviews the difference. `PROPTEST_CASES=5000` and `PROPTEST_RNG_SEED=7` run more and other
//! random cases.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that cannot go on has found what the test is looking for"
)]

mod suite {
    mod admission;
    mod admitting;
    mod arbitration;
    mod areas;
    mod ask;
    mod calendar;
    mod calendar_faults;
    mod calendar_laws;
    mod campaign;
    mod case;
    mod chance;
    mod claim;
    mod clerk;
    mod deadline;
    mod disclosure;
    mod dispatching;
    mod duplicate;
    mod duty;
    mod first;
    mod histories;
    mod household;
    mod intake;
    mod invariant;
    mod journal;
    mod journals;
    mod ledger;
    mod lifecycle;
    mod lists;
    mod memory;
    mod patrol;
    mod permission;
    mod person;
    mod policy;
    mod report;
    mod responsibility;
    mod roles;
    mod ruling;
    mod sampling;
    mod script;
    mod sla;
    mod staffing;
    mod standstill;
    mod summons;
    mod supervision;
    mod table;
    mod visit;
    mod walk;
    mod whistle;
    mod whistling;
    mod world;
}
