//! Who reads which field of an event of a patrol.

use super::{
    Checkpoint, Event, Itinerary, Moment, Occasion, Patrol, Remark, Rest, Run, Status, Window,
};
use crate::core::disclosure::disclosed;

disclosed! {
    enum Event by "event" {
        Made { Open: patrol }
        Started { Open: run, window }
        Paused { Open: at }
        Resumed { Open: at }
        Finished { Open: at, late }
        Cancelled { Open: reason, by }
        Noted { Open: remark }
        Measured { Open: what, term }
    }

    struct Patrol {
        Open: id, number, area, purpose, window, itinerary, occasion, planned, created_at, remarks,
            status;
    }

    enum Status by "status" {
        Planned { Open: term }
        Started { Open: run, term }
        Paused { Open: run, term }
        Finished { Open: run }
        Cancelled { Open: reason, by }
    }

    struct Run { Open: worker, worker_name, started, pauses, finished, late_entry }
    struct Rest { Open: from, until }
    struct Moment { Open: at, received_at, clock_ahead, skew }
    struct Window { Open: from, until }
    struct Occasion { Open: plan, day }
    struct Itinerary { Open: checkpoints, route, minutes }
    struct Checkpoint { Open: name, point, radius_m, dwell_s }
    struct Remark { Open: at, by, text }
}
