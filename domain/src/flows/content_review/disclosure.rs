//! Who reads which field of an event of a content review. These events appear in no timeline and no
//! feed.

use super::{Decided, Event, Heard, Review, Status};
use crate::core::disclosure::disclosed;

disclosed! {
    enum Event by "event" {
        Opened { Withheld: review }
        Asked { Withheld: at }
        Heard { Withheld: heard }
        Queued { Withheld: cause }
        Decided { Withheld: pass, decided }
    }

    struct Review {
        Open: id, subject, about, named_by, over, address, opened_at, asked_at, heard, status;
    }

    enum Status by "status" {
        Waiting {}
        Queued { Open: cause }
        Passed { Open: decided }
        Withheld { Open: decided }
    }

    struct Heard { Open: suggestion, label, at }
    struct Decided { Open: by, by_name, at, note }
}
