//! Who reads which field of an event of a household. Personal data is in no event: it is sealed.

use super::{Event, Group, Household, Member, Pairing, Update};
use crate::core::disclosure::disclosed;

disclosed! {
    enum Event by "event" {
        Registered { Open: household }
        Updated { Open: update, area }
        Paired { Open: pairing }
        Unpaired { Withheld: person; Open: kind }
        Answered { Open: form, edition, answers, counts }
        Left {}
        Returned {}
        Erased { Open: reason }
    }

    struct Household {
        Open: id, number, area, building, group, size, members, special, pairings, standing,
            registered_at;
    }

    struct Group { Open: code, name }

    struct Member {
        Open: id;
        Withheld: person;
    }

    struct Pairing {
        Withheld: person;
        Open: kind, from, until;
    }

    struct Update { Open: area, building, group, size, added, changed, removed, special, room }
}
