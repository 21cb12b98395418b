//! The words that rules and flows share: how something came, how pressing it is, what is done about it.

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::labelled_enum::labelled_enum,
    people::actor::{Actor, Role},
};

labelled_enum! {
    /// How pressing a matter is; decides how long handling may take.
    Urgency {
        /// It takes the usual time (一般).
        Normal = "normal", "一般";
        /// Pressing: less time than usual (紧急).
        Urgent = "urgent", "紧急";
        /// The most pressing: the least time (非常紧急).
        Critical = "critical", "非常紧急";
    }
}

labelled_enum! {
    /// What is done about a debt.
    MeasureKind {
        /// Its owner is reminded before it is late.
        Remind = "remind", "提醒";
        /// Its owner is urged.
        Urge = "urge", "催办";
        /// A superior asks for an answer.
        Supervise = "supervise", "督办";
        /// The level above learns of it and has to answer.
        Report = "report", "上报上级";
        /// It is listed in public until it is done.
        List = "list", "挂牌督办";
    }
}

labelled_enum! {
    /// What the person who speaks wants (北京接诉即办条例, and what inspection adds).
    Demand {
        /// An answer to a question.
        Consultation = "consultation", "咨询";
        /// Help with a need.
        Help = "help", "求助";
        /// That something wrong be set right.
        Complaint = "complaint", "投诉";
        /// That wrongdoing be looked into.
        TipOff = "tip_off", "举报";
        /// That something be done better.
        Suggestion = "suggestion", "建议";
        /// A superior wants it settled.
        Supervision = "supervision", "督办";
        /// A callback is to be repeated.
        Review = "review", "回访复核";
    }
}

labelled_enum! {
    /// How much work a matter is, in the judgement of the person who accepts it.
    Complexity {
        /// One visit settles it.
        Simple = "simple", "简单";
        /// The usual amount of work.
        General = "general", "一般";
        /// Several units, materials or seasons; most rules want it approved.
        Complex = "complex", "复杂";
    }
}

labelled_enum! {
    /// By which way a report came.
    Channel {
        /// A grid worker's app.
        Worker = "worker", "网格员上报";
        /// A resident's mini-program.
        Resident = "resident", "居民上报";
        /// The reporter telephoned.
        Hotline = "hotline", "热线";
        /// The reporter came to the window.
        Window = "window", "窗口";
        /// A reporter who lends a hand beside other work: a rider, a volunteer.
        PartTime = "part_time", "兼职随手拍";
    }
}

impl Channel {
    /// By which way a reporter comes who names none: it follows from what they are here.
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
    /// How hard a unit is pressed.
    SupervisionKind {
        /// The unit is urged; no answer is asked for.
        Urge = "urge", "催办";
        /// An answer is asked for.
        Supervise = "supervise", "督办";
        /// An answer is asked for, and it is listed until it is given.
        List = "list", "挂牌督办";
    }
}

labelled_enum! {
    /// What the program does not do unless a tenant turns it on, with a reason that is published.
    Switch {
        /// Showing when a person made the first and the last entry of a time.
        CheckIns = "check_ins", "打卡签到";
        /// Showing how far a person walked.
        Mileage = "mileage", "里程统计";
        /// Putting people into an order by how much they entered.
        Rankings = "rankings", "排名";
    }
}

impl Switch {
    /// What being on allows, and nothing else, in Chinese and English.
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
