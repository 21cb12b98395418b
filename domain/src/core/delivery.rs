//! Deliveries: what is sent to other parties, until the result is final.
//!
//! A delivery is tried until the answer is final: accepted, refused for good, or given up after
//! days. The waits between attempts are a table ([`WAITS`]) plus a random part, so that deliveries
//! that failed together are not retried together. Pure: randomness is an argument.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::core::labelled_enum::labelled_enum;

labelled_enum! {
    /// The channel of a delivery.
    Channel {
        /// A signed request to a server of another party.
        Webhook = "webhook", "事件推送";
        /// A subscribe message of a WeChat mini-program.
        Wechat = "wechat", "微信订阅消息";
        /// A message of a WeCom application.
        Wecom = "wecom", "企业微信消息";
        /// A short message to a telephone.
        Sms = "sms", "短信";
    }
}

labelled_enum! {
    /// The state of a delivery.
    State {
        /// It will be tried, or tried again when its time comes.
        Waiting = "waiting", "待投递";
        /// It was accepted: final.
        Delivered = "delivered", "已送达";
        /// It was refused for good, or given up: final.
        Failed = "failed", "未送达";
        /// It was not tried, for a reason stored beside it: final.
        Skipped = "skipped", "未发送";
    }
}

labelled_enum! {
    /// The result of an attempt.
    Outcome {
        /// It was accepted.
        Taken = "taken", "已接收";
        /// It did not arrive, or was put off: it will be tried again.
        Again = "again", "稍后重试";
        /// It was refused for good.
        Refused = "refused", "拒收";
        /// The receiver is gone for good (410): nothing more is sent there.
        Gone = "gone", "接收方已停用";
    }
}

labelled_enum! {
    /// How an event is wrapped for a webhook.
    Envelope {
        /// As Standard Webhooks recommends: type, timestamp and data.
        Standard = "standard", "Standard Webhooks";
        /// CloudEvents 1.0, structured as JSON.
        Cloudevents = "cloudevents", "CloudEvents 1.0";
    }
}

/// How long after each attempt the next one is made, in seconds: the schedule that Standard
/// Webhooks recommends, 75 hours and 35 minutes in all without the random part. After the last one
/// the delivery is given up.
pub const WAITS: [i64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];

/// After so long without a single success an endpoint is paused, and the people who manage webhooks
/// in the whole tenant are notified.
pub const PATIENCE: Duration = Duration::hours(24);

/// The wait after the attempt with this number, from 1; none after the last. `chance` from 0 to 1
/// adds up to a fifth. A longer wait that the receiver asks for is kept, up to a day.
pub fn compute_retry_delay(
    attempts: u32,
    chance: f64,
    asked: Option<Duration>,
) -> Option<Duration> {
    let at = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let seconds = WAITS.get(at).copied()?;
    #[expect(clippy::cast_possible_truncation, reason = "at most a fifth of a day in milliseconds")]
    #[expect(clippy::cast_precision_loss, reason = "likewise")]
    #[expect(clippy::as_conversions, reason = "likewise")]
    let more = (seconds as f64 * 200.0 * chance.clamp(0.0, 1.0)) as i64;
    let own = Duration::seconds(seconds) + Duration::milliseconds(more);
    // A receiver cannot make the wait longer than a day.
    let asked = asked.map(|asked| asked.min(Duration::hours(24)));
    Some(asked.map_or(own, |asked| asked.max(own)))
}

/// The outcome of the status of an HTTP answer; none stands for no answer.
pub const fn classify_status(status: Option<u16>) -> Outcome {
    match status {
        Some(200..=299) => Outcome::Taken,
        Some(410) => Outcome::Gone,
        _ => Outcome::Again,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_is_taken_or_gone_is_final() {
        for (status, outcome) in [
            (Some(200), Outcome::Taken),
            (Some(204), Outcome::Taken),
            (Some(301), Outcome::Again),
            (Some(400), Outcome::Again),
            (Some(404), Outcome::Again),
            (Some(410), Outcome::Gone),
            (Some(429), Outcome::Again),
            (Some(500), Outcome::Again),
            (None, Outcome::Again),
        ] {
            assert_eq!(classify_status(status), outcome, "{status:?}");
        }
    }

    #[test]
    fn it_is_tried_for_days_and_then_given_up() {
        let all: i64 = (1..=9)
            .filter_map(|no| compute_retry_delay(no, 0.0, None))
            .map(|w| w.num_seconds())
            .sum();
        assert!((3 * 86_400..4 * 86_400).contains(&all), "{all}");
        assert_eq!(compute_retry_delay(10, 0.5, None), None);
        assert_eq!(compute_retry_delay(0, 0.5, None), None);
    }

    proptest! {
        #[test]
        fn waiting_grows_and_stays_within_a_fifth(no in 1_u32..9, chance in 0.0_f64..1.0) {
            let (now, next) = (compute_retry_delay(no, chance, None).unwrap(), compute_retry_delay(no + 1, 0.0, None).unwrap());
            prop_assert!(now < next);
            let least = compute_retry_delay(no, 0.0, None).unwrap();
            prop_assert!(now >= least && now <= least + least / 5);
        }

        #[test]
        fn whoever_asks_for_time_is_given_it_within_a_day(no in 1_u32..=9, asked in 0_i64..1_000_000) {
            let given = compute_retry_delay(no, 0.0, Some(Duration::seconds(asked))).unwrap();
            prop_assert!(given >= Duration::seconds(asked.min(86_400)));
            prop_assert!(given <= Duration::hours(24));
        }
    }
}
