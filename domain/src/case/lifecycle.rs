//! Which command is possible in which stage of a case, and where it leads: two tables and
//! nothing else.
//!
//! The matrices in `domain/tests/` are printed from these tables for people who know the field
//! and no Rust.

use serde::{Deserialize, Serialize};

use crate::named::named;

named! {
    /// The stage of a case.
    StageName {
        /// Somebody has to decide who handles it.
        Filed = "filed", "已立案";
        /// A unit has to sign.
        Dispatched = "dispatched", "已派遣";
        /// Signed; work can begin.
        Signed = "signed", "已签收";
        /// A unit works on it.
        Handling = "handling", "处置中";
        /// Departments are summoned and act together.
        Whistled = "whistled", "吹哨联办中";
        /// The handlers say it is done; somebody has to look.
        FedBack = "fed_back", "已反馈待核查";
        /// Seen on the spot; the resident has to be asked.
        Verified = "verified", "核查通过待回访";
        /// The resident answered, or could not be reached often enough.
        CalledBack = "called_back", "已回访待结案";
        /// Over; can be reopened within the window.
        Closed = "closed", "已结案";
    }
}

named! {
    /// What may be asked of a case.
    Verb {
        /// Send it one level up.
        Escalate = "escalate", "上呈";
        /// Give it to a unit below.
        Dispatch = "dispatch", "派遣";
        /// Summon departments.
        Whistle = "whistle", "吹哨";
        /// Sign for it.
        Sign = "sign", "签收";
        /// Begin work.
        Start = "start", "开始处置";
        /// Give it back, with a reason.
        Return = "return", "退单";
        /// Say that it is done.
        FeedBack = "feedback", "反馈";
        /// A step of one summoned department; which steps follow which is the second table.
        Summons = "summons", "报到各步骤";
        /// Look on the spot.
        Verify = "verify", "核查";
        /// Ask the resident.
        CallBack = "callback", "回访";
        /// End it.
        Close = "close", "结案";
        /// Begin again within the window.
        Reopen = "reopen", "重开";
        /// Add another report of the same thing.
        Join = "join", "并入上报";
        /// Add a remark.
        Comment = "comment", "批注";
    }
}

/// The stages each command can lead to from each stage; what is not listed is refused.
///
/// Several targets: the decision depends on what was answered (verification passed or not,
/// solved or not) or on the other departments (the last one released ends the whistle).
pub const MOVES: &[(StageName, Verb, &[StageName])] = {
    use StageName as S;
    use Verb as V;
    &[
        (S::Filed, V::Escalate, &[S::Filed]),
        (S::Filed, V::Dispatch, &[S::Dispatched]),
        (S::Filed, V::Whistle, &[S::Whistled]),
        (S::Filed, V::Join, &[S::Filed]),
        (S::Filed, V::Comment, &[S::Filed]),
        (S::Dispatched, V::Sign, &[S::Signed]),
        (S::Dispatched, V::Return, &[S::Filed]),
        (S::Dispatched, V::Join, &[S::Dispatched]),
        (S::Dispatched, V::Comment, &[S::Dispatched]),
        (S::Signed, V::Start, &[S::Handling]),
        (S::Signed, V::Return, &[S::Filed]),
        (S::Signed, V::FeedBack, &[S::FedBack]),
        (S::Signed, V::Join, &[S::Signed]),
        (S::Signed, V::Comment, &[S::Signed]),
        (S::Handling, V::Return, &[S::Filed]),
        (S::Handling, V::FeedBack, &[S::FedBack]),
        (S::Handling, V::Join, &[S::Handling]),
        (S::Handling, V::Comment, &[S::Handling]),
        (S::Whistled, V::Summons, &[S::Whistled, S::FedBack]),
        (S::Whistled, V::Join, &[S::Whistled]),
        (S::Whistled, V::Comment, &[S::Whistled]),
        (S::FedBack, V::Verify, &[S::Verified, S::Handling, S::Whistled]),
        (S::FedBack, V::Summons, &[S::FedBack]),
        (S::FedBack, V::Join, &[S::FedBack]),
        (S::FedBack, V::Comment, &[S::FedBack]),
        (S::Verified, V::CallBack, &[S::Verified, S::CalledBack, S::Handling, S::Whistled]),
        (S::Verified, V::Summons, &[S::Verified]),
        (S::Verified, V::Join, &[S::Verified]),
        (S::Verified, V::Comment, &[S::Verified]),
        (S::CalledBack, V::Close, &[S::Closed]),
        (S::CalledBack, V::Summons, &[S::CalledBack]),
        (S::CalledBack, V::Join, &[S::CalledBack]),
        (S::CalledBack, V::Comment, &[S::CalledBack]),
        (S::Closed, V::Reopen, &[S::Filed]),
        (S::Closed, V::Summons, &[S::Closed]),
        (S::Closed, V::Comment, &[S::Closed]),
    ]
};

/// Where `verb` can lead from `stage`; empty when it is not possible.
pub fn targets(stage: StageName, verb: Verb) -> &'static [StageName] {
    MOVES.iter().find(|(from, by, _)| *from == stage && *by == verb).map_or(&[], |(_, _, to)| to)
}

/// What is possible in `stage`.
pub fn possible(stage: StageName) -> Vec<Verb> {
    MOVES.iter().filter(|(from, _, _)| *from == stage).map(|(_, verb, _)| *verb).collect()
}

named! {
    /// The step one summoned department has reached.
    StepName {
        /// Summoned; has to sign.
        Called = "called", "已吹哨待签收";
        /// Signed; has to contact the street and arrive.
        Signed = "signed", "已签收";
        /// The street was contacted; has to arrive.
        Contacted = "contacted", "已联系";
        /// On the spot; works and feeds back.
        Arrived = "arrived", "已到场";
        /// Says it is done; the street decides.
        FedBack = "fed_back", "已反馈";
        /// The street let it go.
        Released = "released", "已放行";
    }
}

named! {
    /// What may be asked of a summons.
    SummonsVerb {
        /// Sign for the whistle.
        Sign = "sign", "签收";
        /// Contact the street.
        Contact = "contact", "联系";
        /// Arrive on the spot (报到).
        Arrive = "arrive", "到场";
        /// Say what was done.
        FeedBack = "feedback", "反馈";
        /// Not good enough: back to work.
        SendBack = "send_back", "退回再办";
        /// Let the department go.
        Release = "release", "放行";
        /// Rate response and quality.
        Rate = "rate", "评价";
    }
}

/// The steps of one summoned department.
///
/// Only the last release ends the whistle. Sending back and the rest need a whistle that is
/// still on; rating is possible as long as the case can be seen.
pub const STEPS: &[(StepName, SummonsVerb, StepName)] = {
    use StepName as S;
    use SummonsVerb as V;
    &[
        (S::Called, V::Sign, S::Signed),
        (S::Signed, V::Contact, S::Contacted),
        (S::Signed, V::Arrive, S::Arrived),
        (S::Contacted, V::Arrive, S::Arrived),
        (S::Arrived, V::FeedBack, S::FedBack),
        (S::FedBack, V::SendBack, S::Arrived),
        (S::FedBack, V::Release, S::Released),
        (S::Released, V::Rate, S::Released),
    ]
};

/// Where `verb` leads from `step`; none when it is not possible.
pub fn step(step: StepName, verb: SummonsVerb) -> Option<StepName> {
    STEPS.iter().find(|(from, by, _)| *from == step && *by == verb).map(|(_, _, to)| *to)
}

/// What is possible at `step`.
pub fn possible_steps(step: StepName) -> Vec<SummonsVerb> {
    STEPS.iter().filter(|(from, _, _)| *from == step).map(|(_, verb, _)| *verb).collect()
}
