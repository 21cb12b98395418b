//! Who reads which field of an event of a visit.

use super::{Correction, Done, Event, Filled, Status, Visit};
use crate::core::disclosure::disclosed;

disclosed! {
    enum Event by "event" {
        Planned { Open: visit }
        Recorded { Open: visit, purposes, done }
        Corrected { Open: correction }
        Cancelled { Open: reason }
    }

    struct Visit { Open: id, number, household, campaign, area, worker, purposes, made_at, status }

    enum Status by "status" {
        Planned { Open: due }
        Done { Open: done }
        Cancelled { Open: reason }
    }

    struct Done {
        Open: outcome, opinions, visited_at, recorded_at, clock_ahead, late_entry, by, by_name, form,
            needs, goes;
    }

    struct Filled { Open: form, edition, answers, counts }
    struct Correction { Open: outcome, purposes, opinions, reason }
}
