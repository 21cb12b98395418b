//! What a phone says about a command that it kept while there was no signal: when the command was
//! entered, by a clock that may be wrong.
//!
//! The phone says what its clock shows when it sends; the difference from the server's clock is
//! subtracted from every time it sends. Odd times are never refused: they are stored as they came,
//! and marked (H.3.13).

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
        /// Still later than now after correction.
        InFuture = "in_future", "时间晚于当前";
        /// Earlier than the login it was sent under.
        BeforeLogin = "before_login", "早于本次登录";
        /// So long ago that the phone must have been without signal for days.
        LongAgo = "long_ago", "时间过久";
    }
}

labelled_enum! {
    /// The result of a command that a phone had kept.
    Fate {
        /// It was executed now.
        Done = "done", "已办理";
        /// It was executed before; the answer is the one given then.
        Already = "already", "此前已办理";
        /// It was refused, and always will be.
        Refused = "refused", "不予受理";
        /// Another command came first; decide again.
        Conflict = "conflict", "情况已变化";
        /// Not possible now; send it again unchanged.
        Later = "later", "请稍后重发";
        /// Not tried, because a command it depends on did not succeed.
        Held = "held", "等待前项";
    }
}

/// The difference between a phone's clock and the server's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Skew(i64);

impl crate::core::disclosure::Disclosed for Skew {
    const SHAPE: crate::core::disclosure::Shape = crate::core::disclosure::Shape::Plain;
}

impl Skew {
    /// How long a transmission may take, in milliseconds: a smaller difference is no fault of the
    /// clock.
    pub const TOLERANCE_MS: i64 = 5_000;

    /// The largest correction: a phone whose battery was taken out may show 1970.
    const MOST_MS: i64 = 100 * 366 * 86_400_000;

    /// The skew of a phone whose clock showed `sent` when its request arrived at `received`.
    pub fn measure(sent: Instant, received: Instant) -> Self {
        let ms = received.signed_duration_since(sent).num_milliseconds();
        let ms = ms.clamp(-Self::MOST_MS, Self::MOST_MS);
        if ms.abs() <= Self::TOLERANCE_MS { Self(0) } else { Self(ms) }
    }

    /// Whether there is no skew.
    pub const fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// The milliseconds to add to the phone's times.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Converts a time of the phone to the server's clock.
    pub fn correct_time(self, at: Instant) -> Instant {
        at.checked_add_signed(Duration::milliseconds(self.0)).unwrap_or(at)
    }
}

/// When a command that a phone had kept was entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OfflineTime {
    /// By the phone's clock.
    pub client_at: Instant,
    /// The skew of that clock.
    pub skew: Skew,
}

impl OfflineTime {
    /// The time by the server's clock.
    pub fn happened_at(self) -> Instant {
        self.skew.correct_time(self.client_at)
    }
}

/// All that is known about when one command was entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// The identity of the command.
    pub command: CommandId,
    /// When it was entered, by the phone's clock.
    pub client_at: Instant,
    /// The same, by the server's clock.
    pub happened_at: Instant,
    /// The skew that was added.
    pub skew: Skew,
    /// When it reached the server.
    pub received_at: Instant,
    /// What is odd about the time.
    pub oddities: Vec<Oddity>,
}

impl Arrival {
    /// The time at which it was entered.
    pub const fn offline_time(&self) -> OfflineTime {
        OfflineTime { client_at: self.client_at, skew: self.skew }
    }

    /// The number of days after which a time counts as long ago.
    pub const LONG_AGO_DAYS: i64 = 7;

    /// When it was typed, by our clock, where the rights and areas of that time count for it: what
    /// is said to have been typed long ago is judged as if it were typed now.
    pub fn judged_at(&self) -> Option<Instant> {
        let age = self.received_at.signed_duration_since(self.happened_at);
        let counts = age > Duration::zero() && age <= Duration::days(Self::LONG_AGO_DAYS);
        counts.then_some(self.happened_at)
    }

    /// The arrival of a command entered at `client_at`, sent under a login that began at `login`.
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
