//! Codes of authenticator apps (RFC 6238): HMAC-SHA-1, six digits, a new one every 30 seconds,
//! which is what every app understands.

use domain::Instant;
use totp_rs::{Builder, Secret, Totp};

/// How long a code is shown, in seconds.
pub const PERIOD: i64 = 30;

/// Codes of one moment only: `check` with neighbours would answer the earliest match.
fn codes(secret: &[u8]) -> Totp {
    Builder::new().with_skew(0).with_secret(secret.to_vec()).build_noncompliant()
}

/// The code an app shows at this moment.
pub fn render_code(secret: &[u8], at: Instant) -> String {
    codes(secret).generate(u64::try_from(at.timestamp()).unwrap_or_default()).to_string()
}

/// The time step this code belongs to: now, or one step before or after, because clocks differ; the
/// latest, when several have the same code.
pub fn find_step(secret: &[u8], given: &str, at: Instant) -> Option<i64> {
    let codes = codes(secret);
    let now = at.timestamp() / PERIOD;
    let fits = |step: i64| {
        let second = u64::try_from(step * PERIOD).ok()?;
        codes.check(given, second).map(|_| step)
    };
    // All three are computed, whichever matches.
    [now + 1, now, now - 1].map(fits).into_iter().flatten().next()
}

/// Encodes bytes in base32 without padding (RFC 4648), as apps take secrets.
pub fn encode_base32(bytes: &[u8]) -> String {
    Secret::from(bytes.to_vec()).to_base32()
}

/// Decodes base32; none when the text is not.
pub fn decode_base32(text: &str) -> Option<Vec<u8>> {
    Secret::try_from_base32(text).ok().map(|secret| secret.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Instant {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, the last six of eight digits.
        let secret = b"12345678901234567890";
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(render_code(secret, at(second)), expected);
            assert_eq!(find_step(secret, expected, at(second)), Some(second / 30));
            assert_eq!(find_step(secret, expected, at(second + 30)), Some(second / 30));
            assert_eq!(find_step(secret, expected, at(second + 90)), None);
        }
        for wrong in ["", "28708", "2870820", "28708x", "+28708", "２８７０８２"] {
            assert_eq!(find_step(secret, wrong, at(59)), None, "{wrong}");
        }
    }
}
