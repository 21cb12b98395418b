//! Who reads which field of an event of a report: staff, and the reporter of the report. No event
//! discloses the reporter; events of a confidential or anonymous report also have no field that
//! reveals the reporter.

use super::{Event, Report, Sight, Status};
use crate::core::disclosure::disclosed;

disclosed! {
    enum Event by "event" {
        Submitted { Open: report }
        Filed { Open: case }
        Joined { Open: case }
        Refused { Open: reason, redirect }
        Claimed { Open: claim }
        Unclaimed {}
        Confirmed { Open: sight, receiver, accept }
        Unjoined { Open: receiver, accept }
        Recomputed { Open: term }
        Measured { Open: what, term }
    }

    struct Report {
        Withheld: reporter;
        Trace: client_at, clock_ahead, patrol;
        Open: id, number, confidential, anonymous, contact, channel, matter, place, received_at, media,
            sight, status;
    }

    enum Status by "status" {
        Confirming { Open: receiver, confirm, claim }
        Received { Open: receiver, accept }
        Filed { Open: case }
        Joined { Open: case }
        Refused { Open: reason, redirect }
        HandledOnTheSpot { Open: case }
    }

    struct Sight { Open: by, by_name, at, real, note, point }
}

impl Event {
    /// Whether the event is about a report whose reporter must not be known, so that
    /// [traces](crate::core::disclosure::Disclosure::Trace) of the reporter are left out.
    pub fn is_in_confidence(&self) -> bool {
        match self {
            Self::Submitted { report } => report.confidential || report.anonymous,
            Self::Filed { .. }
            | Self::Joined { .. }
            | Self::Refused { .. }
            | Self::Claimed { .. }
            | Self::Unclaimed
            | Self::Confirmed { .. }
            | Self::Unjoined { .. }
            | Self::Recomputed { .. }
            | Self::Measured { .. } => false,
        }
    }
}
