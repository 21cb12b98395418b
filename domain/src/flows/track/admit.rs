//! Which points are accepted: those of a patrol under way, within its duty window, measured while a
//! consent was in force. Each is judged by itself; a refused point does not affect the others.

use serde::{Deserialize, Serialize};

use super::{Fix, NotAFix, Sent};
use crate::{
    Instant,
    core::{arrival::Skew, labelled_enum::labelled_enum},
    flows::patrol::{Outside, Patrol},
};

labelled_enum! {
    /// Why a point is refused.
    Refused {
        /// The coordinate is missing; a value that is not a number arrives as missing.
        CoordinateMissing = "coordinate_missing", "缺少坐标";
        /// The coordinate is impossible.
        BadCoordinate = "bad_coordinate", "坐标不正确";
        /// The accuracy is negative.
        BadAccuracy = "bad_accuracy", "精度不正确";
        /// The speed is negative.
        BadSpeed = "bad_speed", "速度不正确";
        /// The time is impossible, or lies in the future.
        BadTime = "bad_time", "时间不正确";
        /// Outside the duty window, before the start or after the end.
        OutsideWindow = "outside_window", "不在巡查时段";
        /// While the worker rested.
        Paused = "paused", "暂停期间";
        /// The worker rests, as far as is known: not final, because the command that ended the rest
        /// may arrive first.
        Resting = "resting", "暂停尚未结束";
        /// The worker had not consented at that time.
        NoConsent = "no_consent", "未同意采集轨迹";
        /// The consent had been withdrawn by that time.
        ConsentWithdrawn = "consent_withdrawn", "已撤回同意";
        /// Older than the time for which tracks are kept.
        Expired = "expired", "超过保存期限";
        /// Another point has this number.
        SeqReused = "seq_reused", "序号已被其他点使用";
        /// The patrol has its largest number of points.
        TrackFull = "track_full", "轨迹点已满";
    }
}

impl Refused {
    /// Whether the same point will be refused however often it is sent.
    pub fn is_final(self) -> bool {
        self != Self::Resting
    }
}

/// The worker's answers to the request for consent, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answers(pub Vec<(Instant, bool)>);

impl Answers {
    /// Refuses a moment at which no consent was in force.
    pub fn require_consent(&self, at: Instant) -> Result<(), Refused> {
        match self.0.iter().rev().find(|(answered, _)| *answered <= at) {
            Some((_, true)) => Ok(()),
            Some((_, false)) => Err(Refused::ConsentWithdrawn),
            None => Err(Refused::NoConsent),
        }
    }
}

/// The conditions for points of a patrol.
#[derive(Clone, Debug)]
pub struct Gate<'a> {
    /// The patrol that the points belong to.
    pub patrol: &'a Patrol,
    /// The consents of its worker.
    pub answers: &'a Answers,
    /// Older points are no longer kept.
    pub earliest: Instant,
    /// Later points come from a clock that is wrong.
    pub latest: Instant,
}

impl Gate<'_> {
    /// A gate prepared for many points.
    pub fn open(&self) -> Open<'_> {
        Open { gate: self, times: self.patrol.active_periods(), skew: self.patrol.skew() }
    }
}

/// A gate with the periods in which the patrol was under way.
#[derive(Clone, Debug)]
pub struct Open<'a> {
    gate: &'a Gate<'a>,
    times: Vec<(Instant, Instant)>,
    skew: Skew,
}

impl Open<'_> {
    /// The point to store, or why it is refused. It is stored with the phone's time, and judged by
    /// the corrected time.
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
