//! Terms that rules and flows share: channel, urgency, kind of demand, and measures.

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::labelled_enum::labelled_enum,
    people::actor::{Actor, Role},
};

labelled_enum! {
    /// The urgency of a matter; decides how long handling may take.
    Urgency {
        /// The usual time (一般).
        Normal = "normal", "一般";
        /// Less time than usual (紧急).
        Urgent = "urgent", "紧急";
        /// The least time (非常紧急).
        Critical = "critical", "非常紧急";
    }
}

labelled_enum! {
    /// The kind of a measure about a debt.
    MeasureKind {
        /// The debtor is reminded before the debt is late.
        Remind = "remind", "提醒";
        /// The debtor is urged.
        Urge = "urge", "催办";
        /// A superior asks for an answer.
        Supervise = "supervise", "督办";
        /// The debt is reported to the level above, which has to answer.
        Report = "report", "上报上级";
        /// It is listed publicly until it is settled.
        List = "list", "挂牌督办";
    }
}

labelled_enum! {
    /// What the reporter wants (北京接诉即办条例, and what inspection adds).
    Demand {
        /// An answer to a question.
        Consultation = "consultation", "咨询";
        /// Help with a need.
        Help = "help", "求助";
        /// That a wrong be set right.
        Complaint = "complaint", "投诉";
        /// That wrongdoing be investigated.
        TipOff = "tip_off", "举报";
        /// That something be improved.
        Suggestion = "suggestion", "建议";
        /// A superior wants the matter settled.
        Supervision = "supervision", "督办";
        /// That a callback be repeated.
        Review = "review", "回访复核";
    }
}

labelled_enum! {
    /// The amount of work of a matter, as judged by the person who accepts it.
    Complexity {
        /// One visit settles it.
        Simple = "simple", "简单";
        /// The usual amount of work.
        General = "general", "一般";
        /// Several units, materials or seasons are involved; most rules require an approval.
        Complex = "complex", "复杂";
    }
}

labelled_enum! {
    /// The channel of a report.
    Channel {
        /// A grid worker's app.
        Worker = "worker", "网格员上报";
        /// A resident's mini-program.
        Resident = "resident", "居民上报";
        /// The reporter telephoned.
        Hotline = "hotline", "热线";
        /// The reporter came to the window.
        Window = "window", "窗口";
        /// A reporter who reports beside other work: a rider, a volunteer.
        PartTime = "part_time", "兼职随手拍";
    }
}

impl Channel {
    /// The channel of a reporter who names none: it follows from the reporter's roles.
    pub fn default_for(actor: &Actor, at: Instant) -> Self {
        let holds = |wanted: fn(Role) -> bool| {
            actor.grants.iter().any(|grant| grant.holds_at(at) && wanted(grant.role))
        };
        if holds(Role::is_office) {
            Self::Worker
        } else if holds(|role| role == Role::Volunteer) {
            Self::PartTime
        } else {
            Self::Resident
        }
    }
}

labelled_enum! {
    /// The degree of a supervision.
    SupervisionKind {
        /// The unit is urged; no answer is asked for.
        Urge = "urge", "催办";
        /// An answer is asked for.
        Supervise = "supervise", "督办";
        /// An answer is asked for, and the unit is listed until it answers.
        List = "list", "挂牌督办";
    }
}

labelled_enum! {
    /// Functions that stay off unless a tenant turns them on, with a published reason.
    Switch {
        /// Showing when a person made the first and the last entry of a time.
        CheckIns = "check_ins", "打卡签到";
        /// Showing how far a person walked.
        Mileage = "mileage", "里程统计";
        /// Ranking people by how much they entered.
        Rankings = "rankings", "排名";
    }
}

impl Switch {
    /// The only effect of the switch, in Chinese and English.
    pub const fn effect(self) -> (&'static str, &'static str) {
        match self {
            Self::CheckIns => (
                "填报负担统计可以显示一段时间内第一次和最后一次填报的时间；没有其他打卡功能",
                "the burden statistic may show when the first and the last entry of a time were made; there is nothing else to check in with",
            ),
            Self::Mileage => (
                "允许显示巡查里程；走访不记录位置，填报负担统计中没有里程",
                "distances of patrols may be shown; visits record no place, and the burden statistic knows no distance",
            ),
            Self::Rankings => (
                "填报负担统计可以按填报数量排序；没有其他排名功能",
                "the burden statistic may be ordered by the number of entries; there is no other ranking",
            ),
        }
    }
}
