//! Which command is possible in which stage of a case, and where it leads: two tables and nothing
//! else.
//!
//! The matrices in `domain/tests/` are printed from these tables for people who know the field but
//! not Rust.

use serde::{Deserialize, Serialize};

use crate::{core::labelled_enum::labelled_enum, flows::lifecycle::MoveTable};

labelled_enum! {
    /// The stage of a case.
    StageName {
        /// The holder has to decide who handles it.
        Filed = "filed", "已立案";
        /// Returned too often; an arbiter assigns it.
        Disputed = "disputed", "争议裁定中";
        /// A unit has to sign.
        Dispatched = "dispatched", "已派遣";
        /// Signed; work can begin.
        Signed = "signed", "已签收";
        /// A unit works on it.
        Handling = "handling", "处置中";
        /// Departments are summoned and act together.
        Whistled = "whistled", "吹哨联办中";
        /// Reported as done; a worker of the grid has to verify.
        FedBack = "fed_back", "已反馈待核查";
        /// Verified on the spot; the resident has to be called back.
        Verified = "verified", "核查通过待回访";
        /// The resident answered, or could not be reached often enough.
        CalledBack = "called_back", "已回访待结案";
        /// Too much rework; an arbiter gives the final ruling.
        Ruling = "ruling", "终审中";
        /// Over; can be reopened within the window.
        Closed = "closed", "已结案";
    }
}

labelled_enum! {
    /// The commands for a case.
    Verb {
        /// Sends the case one level up.
        Escalate = "escalate", "上呈";
        /// Gives the case to a unit below.
        Dispatch = "dispatch", "派遣";
        /// Summons departments to the place (吹哨).
        Whistle = "whistle", "吹哨";
        /// Signs for the case.
        Sign = "sign", "签收";
        /// Begins work on a case that was signed for.
        Start = "start", "开始处置";
        /// Returns the case, with a reason.
        Return = "return", "退单";
        /// Reports the work as done.
        FeedBack = "feedback", "反馈";
        /// A step of one summoned department; the second table says which steps follow which.
        Summons = "summons", "报到各步骤";
        /// Claims the verification on the spot, so that no one else goes.
        Claim = "claim", "领取现场任务";
        /// Give the check on the spot back, or pass it on.
        Unclaim = "unclaim", "退回现场任务";
        /// Reports the result of the verification.
        Verify = "verify", "核查";
        /// Records the resident's answers.
        CallBack = "callback", "回访";
        /// Closes the case after the callback.
        Close = "close", "结案";
        /// Reopens the case within the window.
        Reopen = "reopen", "重开";
        /// Adds another report of the same matter.
        Join = "join", "并入上报";
        /// Takes a report out again.
        Unjoin = "unjoin", "拆分上报";
        /// Assigns the case to a unit, which cannot return it.
        Arbitrate = "arbitrate", "裁定";
        /// Gives the final ruling.
        Rule = "rule", "终审";
        /// Withdraws the whistle.
        CallOff = "call_off", "撤哨";
        /// Asks the district to coordinate.
        Raise = "raise", "提请区级协调";
        /// Records what the district arranged.
        Coordinate = "coordinate", "区级协调";
        /// Requests more time.
        Extend = "extend", "申请延期";
        /// Requests a standstill of the clocks.
        Suspend = "suspend", "申请挂账";
        /// Ends the standstill before its time.
        Resume = "resume", "恢复办理";
        /// Requests that a breach be excused.
        Appeal = "appeal", "申诉";
        /// Gives or refuses a signature.
        Decide = "decide", "审批";
        /// Withdraws a request.
        Withdraw = "withdraw", "撤回申请";
        /// Urges, supervises or lists.
        Supervise = "supervise", "督办";
        /// Answers a supervision.
        Reply = "reply", "答复督办";
        /// Adds a remark.
        Comment = "comment", "批注";
    }
}

/// The stages each command can lead to from each stage; what is not listed is refused.
///
/// Several targets: the result depends on the answer (verification passed or not, solved or not) or
/// on the other departments (the last one released ends the whistle).
pub const MOVES: &[(StageName, Verb, &[StageName])] = {
    use StageName as S;
    use Verb as V;
    &[
        (S::Filed, V::Escalate, &[S::Filed]),
        (S::Filed, V::Dispatch, &[S::Dispatched]),
        (S::Filed, V::Whistle, &[S::Whistled, S::Filed]),
        (S::Filed, V::Decide, &[S::Whistled, S::Filed]),
        (S::Disputed, V::Arbitrate, &[S::Dispatched]),
        (S::Dispatched, V::Sign, &[S::Signed]),
        (S::Dispatched, V::Return, &[S::Filed, S::Disputed]),
        (S::Signed, V::Start, &[S::Handling]),
        (S::Signed, V::Return, &[S::Filed, S::Disputed]),
        (S::Signed, V::FeedBack, &[S::FedBack]),
        (S::Handling, V::Return, &[S::Filed, S::Disputed]),
        (S::Handling, V::FeedBack, &[S::FedBack]),
        (S::Whistled, V::Summons, &[S::Whistled, S::FedBack]),
        (S::Whistled, V::CallOff, &[S::Filed]),
        (S::Whistled, V::Raise, &[S::Whistled]),
        (S::Whistled, V::Coordinate, &[S::Whistled]),
        (S::FedBack, V::Claim, &[S::FedBack]),
        (S::FedBack, V::Unclaim, &[S::FedBack]),
        (S::FedBack, V::Verify, &[S::Verified, S::CalledBack, S::Handling, S::Whistled, S::Ruling]),
        (S::FedBack, V::Summons, &[S::FedBack]),
        (
            S::Verified,
            V::CallBack,
            &[S::Verified, S::CalledBack, S::Handling, S::Whistled, S::Ruling],
        ),
        (S::Verified, V::Summons, &[S::Verified]),
        (S::CalledBack, V::Close, &[S::Closed]),
        (S::CalledBack, V::Summons, &[S::CalledBack]),
        (S::Ruling, V::Rule, &[S::Closed, S::Handling, S::Whistled]),
        (S::Ruling, V::Summons, &[S::Ruling]),
        (S::Closed, V::Reopen, &[S::Filed]),
        (S::Closed, V::Summons, &[S::Closed]),
    ]
};

/// Commands that keep the stage of the case, and the stages in which they are possible.
pub const BESIDE: &[(Verb, &[StageName])] = {
    use StageName as S;
    use Verb as V;
    /// Stages in which a unit or departments work.
    const WORK: &[S] = &[S::Dispatched, S::Signed, S::Handling, S::Whistled];
    /// Every stage before the case is closed.
    const OPEN: &[S] = &[
        S::Filed,
        S::Disputed,
        S::Dispatched,
        S::Signed,
        S::Handling,
        S::Whistled,
        S::FedBack,
        S::Verified,
        S::CalledBack,
        S::Ruling,
    ];
    /// A filed case moves on when the last signature for a whistle is given.
    const PAST: &[S] = &[
        S::Disputed,
        S::Dispatched,
        S::Signed,
        S::Handling,
        S::Whistled,
        S::FedBack,
        S::Verified,
        S::CalledBack,
        S::Ruling,
        S::Closed,
    ];
    &[
        (V::Join, OPEN),
        (V::Unjoin, OPEN),
        (V::Extend, WORK),
        (V::Suspend, WORK),
        (V::Resume, WORK),
        (V::Appeal, StageName::ALL),
        (V::Decide, PAST),
        (V::Withdraw, StageName::ALL),
        (V::Supervise, OPEN),
        (V::Reply, StageName::ALL),
        (V::Comment, StageName::ALL),
    ]
};

/// Both tables as one.
pub const TABLE: MoveTable<StageName, Verb, &[StageName]> =
    MoveTable { moves: MOVES, beside: BESIDE };

/// Where `verb` can lead from `stage`; empty when it is not possible.
pub fn target_stages(stage: StageName, verb: Verb) -> &'static [StageName] {
    TABLE.targets(stage, verb)
}

/// Whether `verb` is possible in `stage` and keeps it.
pub fn keeps_stage(stage: StageName, verb: Verb) -> bool {
    TABLE.is_beside(stage, verb)
}

/// The verbs possible in `stage`.
pub fn possible_verbs(stage: StageName) -> Vec<Verb> {
    TABLE.verbs_in(stage).collect()
}

labelled_enum! {
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
        /// It says that it is not responsible; the district decides.
        Contested = "contested", "争议裁定中";
        /// The district agreed that it is not responsible.
        Excused = "excused", "裁定免除";
    }
}

labelled_enum! {
    /// The commands for a summons.
    SummonsVerb {
        /// Signs for the whistle.
        Sign = "sign", "签收";
        /// Contacts the street.
        Contact = "contact", "联系";
        /// Arrives on the spot (报到).
        Arrive = "arrive", "到场";
        /// Reports the work as done.
        FeedBack = "feedback", "反馈";
        /// Sends the department back to work, because the result is not good enough.
        SendBack = "send_back", "退回再办";
        /// Releases the department.
        Release = "release", "放行";
        /// Rates response and quality.
        Rate = "rate", "评价";
        /// Says that the department is not responsible.
        Contest = "contest", "提出异议";
        /// The district's decision about that; it cannot be contested again.
        Rule = "rule", "裁定";
        /// The department's rating of the street (双评议).
        RateStreet = "rate_street", "评价街道";
    }
}

/// The steps of one summoned department.
///
/// A ruling either sends the department back to work or excuses it; an excused one may be replaced
/// by another. Only the last release, or excusing the departments that are left, ends the whistle.
/// Sending back and the other steps need a whistle that is still on; the two ratings stay possible
/// as long as the case can be seen.
pub const STEPS: &[(StepName, SummonsVerb, &[StepName])] = {
    use StepName as S;
    use SummonsVerb as V;
    /// Back to its former step, or excused.
    const RULED: &[S] = &[S::Called, S::Signed, S::Contacted, S::Excused];
    &[
        (S::Called, V::Sign, &[S::Signed]),
        (S::Called, V::Contest, &[S::Contested]),
        (S::Signed, V::Contact, &[S::Contacted]),
        (S::Signed, V::Arrive, &[S::Arrived]),
        (S::Signed, V::Contest, &[S::Contested]),
        (S::Contacted, V::Arrive, &[S::Arrived]),
        (S::Contacted, V::Contest, &[S::Contested]),
        (S::Contested, V::Rule, RULED),
        (S::Arrived, V::FeedBack, &[S::FedBack]),
        (S::FedBack, V::SendBack, &[S::Arrived]),
        (S::FedBack, V::Release, &[S::Released]),
        (S::Released, V::Rate, &[S::Released]),
        (S::Released, V::RateStreet, &[S::Released]),
    ]
};

/// Where `verb` can lead from `step`; empty when it is not possible.
pub fn target_steps(step: StepName, verb: SummonsVerb) -> &'static [StepName] {
    MoveTable::of(STEPS).targets(step, verb)
}

/// The verbs possible at `step`.
pub fn possible_summons_verbs(step: StepName) -> Vec<SummonsVerb> {
    MoveTable::of(STEPS).verbs_in(step).collect()
}
