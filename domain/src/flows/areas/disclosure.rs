//! Who reads which field of an event of areas: no timeline and no feed tells of them; changes of areas
//! are read from what became of them.

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
