//! Which points are taken: those of a patrol under way, within its duty window, measured while a
//! consent stood. Each is judged by itself; one that is refused sinks no other.

use serde::{Deserialize, Serialize};

use super::{Fix, NotAFix, Sent};
use crate::{
    Instant,
    core::{arrival::Skew, labelled_enum::labelled_enum},
    flows::patrol::{Outside, Patrol},
};

labelled_enum! {
    /// Why a point is not taken.
    Refused {
        /// It says not where it is; what is no number arrives as nothing.
        CoordinateMissing = "coordinate_missing", "缺少坐标";
        /// The coordinate cannot be.
        BadCoordinate = "bad_coordinate", "坐标不正确";
        /// The accuracy is negative.
        BadAccuracy = "bad_accuracy", "精度不正确";
        /// The speed is negative.
        BadSpeed = "bad_speed", "速度不正确";
        /// The time cannot be, or lies in the future.
        BadTime = "bad_time", "时间不正确";
        /// Outside the duty window, before the start or after the end.
        OutsideWindow = "outside_window", "不在巡查时段";
        /// While the worker rested.
        Paused = "paused", "暂停期间";
        /// The worker rests, as far as is known: not final, what ended the rest comes first.
        Resting = "resting", "暂停尚未结束";
        /// The worker had not agreed to it then.
        NoConsent = "no_consent", "未同意采集轨迹";
        /// The consent was taken back before.
        ConsentWithdrawn = "consent_withdrawn", "已撤回同意";
        /// Older than tracks are kept.
        Expired = "expired", "超过保存期限";
        /// Another point has this number.
        SeqReused = "seq_reused", "序号已被其他点使用";
        /// The patrol has as many points as it may have.
        TrackFull = "track_full", "轨迹点已满";
    }
}

impl Refused {
    /// Whether the same point will be refused whenever it is sent again.
    pub fn is_final(self) -> bool {
        self != Self::Resting
    }
}

/// What a worker answered to whether tracks may be taken, the oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answers(pub Vec<(Instant, bool)>);

impl Answers {
    /// Refuses a moment for which no consent stands.
    pub fn require_consent(&self, at: Instant) -> Result<(), Refused> {
        match self.0.iter().rev().find(|(answered, _)| *answered <= at) {
            Some((_, true)) => Ok(()),
            Some((_, false)) => Err(Refused::ConsentWithdrawn),
            None => Err(Refused::NoConsent),
        }
    }
}

/// What lets points of a patrol pass.
#[derive(Clone, Debug)]
pub struct Gate<'a> {
    /// The patrol that the points belong to.
    pub patrol: &'a Patrol,
    /// What its worker answered about tracks.
    pub answers: &'a Answers,
    /// What is older is no longer kept.
    pub earliest: Instant,
    /// What is later is of a clock that is wrong.
    pub latest: Instant,
}

impl Gate<'_> {
    /// The gate, ready for many points.
    pub fn open(&self) -> Open<'_> {
        Open { gate: self, times: self.patrol.active_periods(), skew: self.patrol.skew() }
    }
}

/// A gate that knows when the patrol was under way.
#[derive(Clone, Debug)]
pub struct Open<'a> {
    gate: &'a Gate<'a>,
    times: Vec<(Instant, Instant)>,
    skew: Skew,
}

impl Open<'_> {
    /// The point as it is kept, or why it is not. It is kept with the time the phone gave it, and
    /// judged by the time that was.
    pub fn admit_point(&self, sent: &Sent) -> Result<Fix, Refused> {
        let Gate { patrol, answers, earliest, latest } = self.gate;
        let fix = Fix::new(sent).map_err(|wrong| match wrong {
            NotAFix::Coordinate(_) => Refused::BadCoordinate,
            NotAFix::Measure("speed") => Refused::BadSpeed,
            NotAFix::Measure(_) => Refused::BadAccuracy,
            NotAFix::Time => Refused::BadTime,
        })?;
        let at = self.skew.correct_time(sent.at);
        if at > *latest {
            return Err(Refused::BadTime);
        }
        if at < *earliest {
            return Err(Refused::Expired);
        }
        patrol.check_point_within(&self.times, at).map_err(|outside| match outside {
            Outside::Window => Refused::OutsideWindow,
            Outside::Paused => Refused::Paused,
            Outside::Resting => Refused::Resting,
        })?;
        answers.require_consent(at)?;
        Ok(fix)
    }
}
