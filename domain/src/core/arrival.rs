//! What a phone says about a command that it kept while there was no signal: when it was typed,
//! by a clock that may be wrong.
//!
//! The phone says what its clock shows when it sends; the difference to ours is taken off every
//! time in what it sends. Times are never refused for being odd: they are kept as they came, and
//! marked (H.3.13).

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::{id::CommandId, labelled_enum::labelled_enum},
};

labelled_enum! {
    /// What is odd about a time.
    Oddity {
        /// The phone's clock is off by more than a transmission takes.
        SkewedClock = "skewed_clock", "手机时钟有偏差";
        /// Corrected, it is still later than now.
        InFuture = "in_future", "时间晚于当前";
        /// Before the login it was sent under.
        BeforeLogin = "before_login", "早于本次登录";
        /// So long ago that a phone must have been without signal for days.
        LongAgo = "long_ago", "时间过久";
    }
}

labelled_enum! {
    /// What became of a command that a phone had kept.
    Fate {
        /// It was done now.
        Done = "done", "已办理";
        /// It was done before; the answer is that of then.
        Already = "already", "此前已办理";
        /// No, and it will stay no.
        Refused = "refused", "不予受理";
        /// Another command was faster; decide again.
        Conflict = "conflict", "情况已变化";
        /// Not now; send it again as it is.
        Later = "later", "请稍后重发";
        /// Not tried, because what it needs did not go through.
        Held = "held", "等待前项";
    }
}

/// By how much a phone's clock differs from ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Skew(i64);

impl crate::core::disclosure::Disclosed for Skew {
    const SHAPE: crate::core::disclosure::Shape = crate::core::disclosure::Shape::Plain;
}

impl Skew {
    /// What a transmission may take, in milliseconds: less than this is no fault of the clock.
    pub const TOLERANCE_MS: i64 = 5_000;

    /// The most that is corrected: a phone whose battery was taken out may think it is 1970.
    const MOST_MS: i64 = 100 * 366 * 86_400_000;

    /// What a phone's clock showed when it sent what arrived at `received`.
    pub fn measure(sent: Instant, received: Instant) -> Self {
        let ms = received.signed_duration_since(sent).num_milliseconds();
        let ms = ms.clamp(-Self::MOST_MS, Self::MOST_MS);
        if ms.abs() <= Self::TOLERANCE_MS { Self(0) } else { Self(ms) }
    }

    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// So many milliseconds have to be added to its times.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// A time of the phone by our clock.
    pub fn correct_time(self, at: Instant) -> Instant {
        at.checked_add_signed(Duration::milliseconds(self.0)).unwrap_or(at)
    }
}

/// When a command was typed that a phone had kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OfflineTime {
    /// By the phone's clock.
    pub client_at: Instant,
    /// By how much that clock differs.
    pub skew: Skew,
}

impl OfflineTime {
    /// By our clock.
    pub fn happened_at(self) -> Instant {
        self.skew.correct_time(self.client_at)
    }
}

/// What is known of one command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// The identity of the command.
    pub command: CommandId,
    /// When it was typed, by the phone's clock.
    pub client_at: Instant,
    /// The same, by ours.
    pub happened_at: Instant,
    /// What was added.
    pub skew: Skew,
    /// When it reached us.
    pub received_at: Instant,
    /// What is odd about the time.
    pub oddities: Vec<Oddity>,
}

impl Arrival {
    /// When it was typed.
    pub const fn offline_time(&self) -> OfflineTime {
        OfflineTime { client_at: self.client_at, skew: self.skew }
    }

    /// Days after which a time is long ago.
    pub const LONG_AGO_DAYS: i64 = 7;

    /// When it was typed, by our clock, where the rights and areas of that time count for it: what
    /// is said to have been typed long ago is judged as if it were typed now.
    pub fn judged_at(&self) -> Option<Instant> {
        let age = self.received_at.signed_duration_since(self.happened_at);
        let counts = age > Duration::zero() && age <= Duration::days(Self::LONG_AGO_DAYS);
        counts.then_some(self.happened_at)
    }

    /// A command that was typed at `client_at`, sent under a login that began at `login`.
    pub fn new(
        command: CommandId,
        client_at: Instant,
        skew: Skew,
        login: Option<Instant>,
        received_at: Instant,
    ) -> Self {
        let happened_at = skew.correct_time(client_at);
        let tolerance = Duration::milliseconds(Skew::TOLERANCE_MS);
        let age = received_at.signed_duration_since(happened_at);
        let odd = [
            (skew != Skew::default(), Oddity::SkewedClock),
            (age < -tolerance, Oddity::InFuture),
            (login.is_some_and(|login| happened_at < login), Oddity::BeforeLogin),
            (age > Duration::days(Self::LONG_AGO_DAYS), Oddity::LongAgo),
        ];
        let oddities = odd.into_iter().filter_map(|(is, oddity)| is.then_some(oddity)).collect();
        Self { command, client_at, happened_at, skew, received_at, oddities }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::from_timestamp_millis(ms).unwrap()
    }

    fn arrival(typed: i64, sent: i64, login: i64, received: i64) -> Arrival {
        let skew = Skew::measure(at(sent), at(received));
        Arrival::new(CommandId(uuid::Uuid::nil()), at(typed), skew, Some(at(login)), at(received))
    }

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_right_clock_is_left_alone() {
        let arrival = arrival(10 * HOUR, 12 * HOUR, 9 * HOUR, 12 * HOUR + 4_000);
        assert_eq!((arrival.happened_at, arrival.skew.ms()), (at(10 * HOUR), 0));
        assert_eq!(arrival.oddities, []);
    }

    #[test]
    fn what_is_odd_is_marked_and_nothing_is_refused() {
        use Oddity::{BeforeLogin, InFuture, LongAgo, SkewedClock};
        let marks = |typed, sent, login, received| arrival(typed, sent, login, received).oddities;
        assert_eq!(marks(11 * HOUR, 13 * HOUR, 0, 12 * HOUR), [SkewedClock]);
        assert_eq!(marks(14 * HOUR, 12 * HOUR, 0, 12 * HOUR), [InFuture]);
        assert_eq!(marks(10 * HOUR, 12 * HOUR, 11 * HOUR, 12 * HOUR), [BeforeLogin]);
        assert_eq!(marks(0, 300 * HOUR, 0, 300 * HOUR), [LongAgo]);
    }

    proptest! {
        #[test]
        fn what_two_clocks_saw_comes_out_in_the_order_it_happened(
            first in 0..1_000_000_000_i64,
            later in 1..1_000_000_i64,
            wait in 0..100_000_000_i64,
            wrong in -50_000_000_000_i64..50_000_000_000_i64,
        ) {
            // One phone is right, the other wrong by `wrong`; both send at the same moment.
            let (happened, received) = ([first, first + later], first + later + wait);
            let right = arrival(happened[0], received, 0, received);
            let other = arrival(happened[1] + wrong, received + wrong, 0, received);
            prop_assert_eq!(right.happened_at, at(happened[0]));
            let off = other.happened_at.signed_duration_since(at(happened[1])).num_milliseconds();
            prop_assert!(off.abs() <= Skew::TOLERANCE_MS);
            if wrong.abs() > Skew::TOLERANCE_MS {
                prop_assert!(right.happened_at < other.happened_at);
            }
        }
    }
}
