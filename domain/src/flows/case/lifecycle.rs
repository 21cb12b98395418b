//! Which command is possible in which stage of a case, and where it leads: two tables and
//! nothing else.
//!
//! The matrices in `domain/tests/` are printed from these tables for people who know the field
//! and no Rust.

use serde::{Deserialize, Serialize};

use crate::{core::labelled_enum::labelled_enum, flows::lifecycle::MoveTable};

labelled_enum! {
    /// The stage of a case.
    StageName {
        /// The holder has to decide who handles it.
        Filed = "filed", "已立案";
        /// Given back too often; an arbiter says whose it is.
        Disputed = "disputed", "争议裁定中";
        /// A unit has to sign.
        Dispatched = "dispatched", "已派遣";
        /// Signed; work can begin.
        Signed = "signed", "已签收";
        /// A unit works on it.
        Handling = "handling", "处置中";
        /// Departments are summoned and act together.
        Whistled = "whistled", "吹哨联办中";
        /// The handlers say it is done; a worker of the grid has to look.
        FedBack = "fed_back", "已反馈待核查";
        /// Seen on the spot; the resident has to be asked.
        Verified = "verified", "核查通过待回访";
        /// The resident answered, or could not be reached often enough.
        CalledBack = "called_back", "已回访待结案";
        /// Handled again too often; an arbiter rules for good.
        Ruling = "ruling", "终审中";
        /// Over; can be reopened within the window.
        Closed = "closed", "已结案";
    }
}

labelled_enum! {
    /// What may be asked of a case.
    Verb {
        /// Send it one level up.
        Escalate = "escalate", "上呈";
        /// Give it to a unit below.
        Dispatch = "dispatch", "派遣";
        /// Summon departments to the place (吹哨).
        Whistle = "whistle", "吹哨";
        /// Sign for it.
        Sign = "sign", "签收";
        /// Begin work on a case that was signed for.
        Start = "start", "开始处置";
        /// Give it back, with a reason.
        Return = "return", "退单";
        /// Say that it is done.
        FeedBack = "feedback", "反馈";
        /// A step of one summoned department; which steps follow which is the second table.
        Summons = "summons", "报到各步骤";
        /// Take the look on the spot, so that no one else goes.
        Claim = "claim", "领取现场任务";
        /// Give the look on the spot back, or pass it on.
        Unclaim = "unclaim", "退回现场任务";
        /// Look on the spot.
        Verify = "verify", "核查";
        /// Ask the resident.
        CallBack = "callback", "回访";
        /// End the case after the callback.
        Close = "close", "结案";
        /// Begin again within the window.
        Reopen = "reopen", "重开";
        /// Add another report of the same thing.
        Join = "join", "并入上报";
        /// Take a report out again.
        Unjoin = "unjoin", "拆分上报";
        /// Say whose it is; cannot be given back.
        Arbitrate = "arbitrate", "裁定";
        /// Rule for good.
        Rule = "rule", "终审";
        /// Take the whistle back.
        CallOff = "call_off", "撤哨";
        /// Ask the district to coordinate.
        Raise = "raise", "提请区级协调";
        /// Say what the district arranged.
        Coordinate = "coordinate", "区级协调";
        /// Ask for more time.
        Extend = "extend", "申请延期";
        /// Ask that the clocks stand still.
        Suspend = "suspend", "申请挂账";
        /// Go on before the standstill is over.
        Resume = "resume", "恢复办理";
        /// Ask that an overdue fact be excused.
        Appeal = "appeal", "申诉";
        /// Give or refuse a signature.
        Decide = "decide", "审批";
        /// Take back what was asked.
        Withdraw = "withdraw", "撤回申请";
        /// Urge, supervise or list.
        Supervise = "supervise", "督办";
        /// Answer a supervision.
        Reply = "reply", "答复督办";
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

/// What goes on beside the way of a case and leaves it where it is: commands, and the stages in
/// which they are possible.
pub const BESIDE: &[(Verb, &[StageName])] = {
    use StageName as S;
    use Verb as V;
    /// A unit or departments work.
    const WORK: &[S] = &[S::Dispatched, S::Signed, S::Handling, S::Whistled];
    /// It is not over.
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
    /// A filed case goes on when the last signature under a whistle is given.
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

/// Whether `verb` is possible in `stage` and leaves it.
pub fn keeps_stage(stage: StageName, verb: Verb) -> bool {
    TABLE.is_beside(stage, verb)
}

/// What is possible in `stage`.
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
        /// It says the matter is not its own; the district decides.
        Contested = "contested", "争议裁定中";
        /// The district agreed that it is not.
        Excused = "excused", "裁定免除";
    }
}

labelled_enum! {
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
        /// Say that the matter is not its own.
        Contest = "contest", "提出异议";
        /// The district says whose it is; cannot be contested again.
        Rule = "rule", "裁定";
        /// The department's opinion of the street (双评议).
        RateStreet = "rate_street", "评价街道";
    }
}

/// The steps of one summoned department.
///
/// A ruling either sends the department back to work or excuses it; then another may take its
/// place. Only the last release, or excusing the departments that are left, ends the whistle.
/// Sending back and the rest need a whistle that is still on; rating each other is possible as long
/// as the case can be seen.
pub const STEPS: &[(StepName, SummonsVerb, &[StepName])] = {
    use StepName as S;
    use SummonsVerb as V;
    /// Back to where it was, or let off.
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

/// What is possible at `step`.
pub fn possible_summons_verbs(step: StepName) -> Vec<SummonsVerb> {
    MoveTable::of(STEPS).verbs_in(step).collect()
}
