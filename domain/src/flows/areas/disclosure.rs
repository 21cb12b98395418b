//! Who reads which field of an event of areas. These events appear in no timeline and no feed;
//! readers see the resulting areas instead.

use super::Event;
use crate::core::disclosure::disclosed;

disclosed! {
    enum Event by "event" {
        Created { Withheld: area, repaired }
        Renamed { Withheld: id, name, from }
        Described { Withheld: id, grid, households, from }
        Redrawn { Withheld: id, boundary, repaired, from }
        Transferred { Withheld: id, parent, from }
        Retired { Withheld: id, successors, from }
        Imported { Withheld: source, added, updated, from, digest }
    }
}
