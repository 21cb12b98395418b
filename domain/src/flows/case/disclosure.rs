//! Who reads which field of an event of a case. Staff read all but who reported; a reporter does
//! not read what another one said before it was reviewed; only street and departments read their
//! ratings of each other.

use super::{
    Answer, Closing,
    event::{Event, Opening},
    state::{
        ApprovalRequest, ApprovalSubject, Breach, Given, Moved, Reply, Reporter, Signature,
        Standstill, Supervision,
    },
    whistle::{Arrival, Call, Clocks, Happened, Raised, Rating, Score, Step, Summons, Whistle},
};
use crate::core::disclosure::{Disclosed, Shape, disclosed};

disclosed! {
    enum Event by "event" {
        Opened { Open: opening, number, at, dispatch }
        HandledOnTheSpot { Open: result, closing }
        Joined { Withheld: reporter }
        Escalated { Open: to, dispatch; Words: reason }
        Dispatched { Open: unit, sign, handle, by, by_name, appointed; Words: note }
        Signed { Open: by }
        Started { Open: by }
        Returned {
            Open: unit, dispatch, dispatcher, dispatcher_name, proposed;
            Words: reason;
        }
        Disputed { Open: arbiter, arbitrate }
        FedBack { Open: by, result, verify }
        WhistleBlown { Open: whistle }
        Summoned { Open: unit, by, happened }
        WhistleOver { Open: verify }
        Claimed { Open: claim }
        Unclaimed {}
        VerificationPassed { Open: by, call_back; Words: note; Location: point }
        VerificationFailed { Open: by, redo; Words: note; Location: point }
        CallbackMissed { Open: by, close }
        Answered { Open: by, answer, close }
        AnswerNoted { Open: by, report; Answer: answer }
        AnsweredInVain { Open: by, answer, redo }
        Closed { Open: by, closing; Words: note }
        Reopened { Open: by, dispatch; Words: reason }
        NotSampled { Open: close }
        RulingAsked { Open: over, rule }
        RuledAgain { Open: by, redo; Words: reason }
        Unjoined { Open: report }
        CalledOff { Open: by, dispatch; Words: reason }
        Raised { Open: raised }
        Coordinated { Open: by; Words: note }
        Asked { Open: ask }
        Agreed { Open: no, given, next }
        Denied { Open: no, given }
        Withdrawn { Open: no }
        Extended { Open: no, terms }
        Suspended { Open: no, standstill, terms }
        Resumed { Open: at, terms; Words: reason }
        Exempted { Open: no, breach, at }
        Breached { Open: breach }
        Measured { Open: duty, unit, term, what, taken, next_at }
        ReportedUp { Open: to }
        Supervised { Open: supervision }
        SupervisionAnswered { Open: no, reply }
        Recomputed { Open: calendar, terms }
        Commented { Open: by; Words: text }
        Attached { Open: media }
    }

    struct Opening {
        Open: id, place, channel, holder, handled;
        Matter: matter;
        Withheld: reporter;
    }

    struct Reporter {
        Open: report, in_office;
        Withheld: person;
    }

    struct Answer {
        Open: solved, satisfied;
        Answer: comment;
    }

    struct Closing { Open: outcome, at, reopen_until, answer }
}

// Approval requests and supervisions.
disclosed! {
    struct ApprovalRequest {
        Open: no, wish, unit, by, by_name, at, signatures;
        Words: reason;
    }

    enum ApprovalSubject by "wish" {
        Extension { Open: duty, limit }
        Suspension { Open: until }
        Appeal { Open: breach }
        Whistle { Open: call }
    }

    struct Call {
        Open: rank, topic, repeats, lead, cooperating;
        Words: reason;
    }

    struct Signature { Open: over, roles, term, given }

    struct Given {
        Open: by, by_name, at;
        Words: note;
    }

    struct Moved { Open: duty, unit, term }

    struct Standstill {
        Open: pause, unit, term;
        Words: reason;
    }

    struct Breach { Open: no, duty, unit, term, due_at, appealed, exempted_at }

    struct Supervision {
        Open: no, kind, trigger, addressee, by, by_name, at, term, reply;
        Words: reason;
    }

    struct Reply {
        Open: by, by_name, at;
        Words: text;
    }
}

// The whistle.
disclosed! {
    struct Whistle {
        Open: rank, topic, repeats, to_district_leader, raised, street, blown_at, summonses;
        Words: reason;
    }

    struct Raised {
        Open: to, by, term;
        Words: reason, note;
    }

    struct Summons {
        Open: unit, lead, clocks, step, arrival, result, appointed;
        Opinion: rating, view;
        Withheld: people;
    }

    struct Clocks { Open: sign, contact, arrive, feed_back }

    enum Step by "step" {
        Called {}
        Signed {}
        Contacted {}
        Arrived {}
        FedBack { Open: release }
        Released { Open: rate }
        Contested { Open: was, arbiter, arbitrate; Words: reason }
        Excused {}
    }

    struct Arrival {
        Open: at, by, by_name, distance_m, proven;
        Location: point;
        Words: note;
    }

    struct Rating {
        Open: response, quality;
        Words: comment;
    }

    enum Happened by "what" {
        Signed {}
        Contacted { Words: note }
        Arrived { Open: arrival }
        FedBack { Open: result, release }
        SentBack { Open: feed_back; Words: reason }
        Released { Open: rate }
        Rated { Opinion: rating }
        Contested { Open: arbiter, arbitrate; Words: reason }
        Upheld { Words: reason }
        Excused { Open: replacement; Words: reason }
        StreetRated { Opinion: rating }
    }
}

impl Disclosed for Score {
    const SHAPE: Shape = Shape::Plain;
}
