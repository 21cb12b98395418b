//! Who reads which field of an event of a report: staff, and the reporter the own report. Who reported
//! is told by none; a report that is confidential or anonymous is not traced either.

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
    /// Whether it tells of a report whose reporter must not be known, so that
    /// [traces](crate::core::disclosure::Disclosure::Trace) of who that is are left out.
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
