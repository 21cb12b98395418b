//! Rules as data: how long each duty may take, and the windows and limits of a tenant.
//!
//! A value of [`Rules`] is handed to every decision; nothing in the flows is a constant of a
//! city. The amounts here are the defaults a tenant starts with; each names where it is from.

use chrono::{DateTime, Duration, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    limit::{Limit, LimitUnit},
    named::named,
    obligation::Duty,
};

/// The instant at which something begun at `start` is late. Until calendars are asked.
pub fn due(limit: Limit, start: Instant) -> Instant {
    let amount = i64::from(limit.amount);
    let length = match limit.unit {
        LimitUnit::Minute => Duration::minutes(amount),
        LimitUnit::Hour | LimitUnit::WorkingHour => Duration::hours(amount),
        LimitUnit::Day | LimitUnit::WorkingDay | LimitUnit::SameDay => Duration::days(amount),
    };
    later(start, length)
}

named! {
    /// How pressing a matter is; decides how long handling may take.
    Urgency {
        /// 一般.
        Normal = "normal", "一般";
        /// 紧急.
        Urgent = "urgent", "紧急";
        /// 非常紧急.
        Critical = "critical", "非常紧急";
    }
}

/// The rules of one tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Which edition; written next to every deadline it made.
    pub version: u32,
    /// A community decides on a report (受理).
    pub accept: Limit,
    /// The holder dispatches (派遣).
    pub dispatch: Limit,
    /// A unit signs (签收), counted from dispatch.
    pub sign: Limit,
    /// A unit handles, by urgency, counted from dispatch.
    pub handle_normal: Limit,
    /// The same for urgent matters.
    pub handle_urgent: Limit,
    /// The same for critical matters.
    pub handle_critical: Limit,
    /// A summoned department contacts the street, counted from the whistle.
    pub contact: Limit,
    /// A summoned department arrives (报到), counted from the whistle.
    pub arrive: Limit,
    /// A summoned department feeds back, counted from the whistle.
    pub feed_back: Limit,
    /// The street releases a department after its feedback.
    pub release: Limit,
    /// The street rates a released department.
    pub rate: Limit,
    /// A grid worker verifies on the spot (核查).
    pub verify: Limit,
    /// The resident is called back (回访).
    pub call_back: Limit,
    /// The holder closes (结案).
    pub close: Limit,
    /// Days after closing in which a case can be reopened.
    pub reopen_days: u32,
    /// Callbacks that reach nobody before the case may be closed without an answer.
    pub callback_attempts: u32,
    /// A phone's clock may be ahead by so many hours before its time is refused, not just marked.
    pub clock_ahead_hours: u32,
    /// A report may be so many days old when a phone at last finds a signal.
    pub report_age_days: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            version: 1,
            accept: Limit::hours(2),
            dispatch: Limit::hours(2),
            // Nanjing 鼓楼: sign within 1 h, contact within 24 h; its 3 working days to report in
            // are 3 natural days until working calendars are known.
            sign: Limit::hours(1),
            handle_normal: Limit::days(5),
            handle_urgent: Limit::hours(24),
            handle_critical: Limit::hours(2),
            contact: Limit::hours(24),
            arrive: Limit::days(3),
            feed_back: Limit::days(7),
            release: Limit::hours(24),
            rate: Limit::days(3),
            verify: Limit::hours(24),
            call_back: Limit::hours(24),
            close: Limit::hours(24),
            reopen_days: 15,
            callback_attempts: 3,
            clock_ahead_hours: 24,
            report_age_days: 90,
        }
    }
}

impl Rules {
    /// The limit of a duty for a matter of this urgency.
    pub fn limit(&self, duty: Duty, urgency: Urgency) -> Limit {
        match duty {
            Duty::Accept => self.accept,
            Duty::Dispatch => self.dispatch,
            Duty::Sign | Duty::SignWhistle => self.sign,
            Duty::Handle => match urgency {
                Urgency::Normal => self.handle_normal,
                Urgency::Urgent => self.handle_urgent,
                Urgency::Critical => self.handle_critical,
            },
            Duty::Contact => self.contact,
            Duty::Arrive => self.arrive,
            Duty::FeedBack => self.feed_back,
            Duty::Release => self.release,
            Duty::Rate => self.rate,
            Duty::Verify => self.verify,
            Duty::CallBack => self.call_back,
            Duty::Close => self.close,
        }
    }
}

/// `start` and so much more; the end of time where that is beyond it.
pub fn later(start: Instant, length: Duration) -> Instant {
    start.checked_add_signed(length).unwrap_or(Instant::MAX_UTC)
}

/// `start` and so much less; the beginning of time where that is before it.
pub fn earlier(start: Instant, length: Duration) -> Instant {
    start.checked_sub_signed(length).unwrap_or(Instant::MIN_UTC)
}

/// The calendar day of an instant in China, which has one time zone and no summer time.
pub fn local_day(at: Instant) -> NaiveDate {
    local(at).date_naive()
}

/// An instant on the clocks of China.
pub fn local(at: Instant) -> DateTime<FixedOffset> {
    const EAST: i32 = 8 * 3600;
    match FixedOffset::east_opt(EAST) {
        Some(offset) => at.with_timezone(&offset),
        None => at.fixed_offset(),
    }
}
