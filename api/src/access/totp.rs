//! Codes of authenticator apps (RFC 6238): HMAC-SHA-1, six digits, a new one every 30 seconds,
//! which is what every app understands.

use domain::Instant;
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// How long a code is shown, in seconds.
pub const PERIOD: i64 = 30;

/// The code of a step of time.
fn code(secret: &[u8], step: i64) -> u32 {
    // HMAC takes keys of any length.
    let Ok(mac) = <Hmac<Sha1> as Mac>::new_from_slice(secret) else { return u32::MAX };
    let digest = mac.chain_update(step.to_be_bytes()).finalize().into_bytes();
    // The low half of the last byte says which four bytes to take (RFC 4226, 5.3).
    let offset = usize::from(digest.last().copied().unwrap_or_default() & 15);
    let four = digest.get(offset..).and_then(|rest| rest.first_chunk::<4>().copied());
    (u32::from_be_bytes(four.unwrap_or_default()) & 0x7fff_ffff) % 1_000_000
}

/// The code an app shows at this moment.
pub fn shown(secret: &[u8], at: Instant) -> String {
    format!("{:06}", code(secret, at.timestamp() / PERIOD))
}

/// The step of time whose code this is: now, or one step before or after, because clocks differ.
pub fn step_of(secret: &[u8], given: &str, at: Instant) -> Option<i64> {
    if given.len() != 6 || !given.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let given: u32 = given.parse().ok()?;
    let now = at.timestamp() / PERIOD;
    // All three are computed, whichever fits.
    let steps = [now - 1, now, now + 1].map(|step| (step, code(secret, step) == given));
    steps.into_iter().rev().find(|(_, fits)| *fits).map(|(step, _)| step)
}

/// Bytes in base32 without padding (RFC 4648), as apps take secrets.
pub fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(ALPHABET, buffer >> bits));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(letter(ALPHABET, buffer << (5 - bits)));
    }
    text
}

/// The bytes of such a text; none when it is none.
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for letter in text.bytes() {
        let five = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        buffer = (buffer << 5) | u32::from(five);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 255).ok()?);
            buffer &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

fn letter(alphabet: &[u8; 32], five: u32) -> char {
    let index = usize::try_from(five & 31).unwrap_or_default();
    char::from(alphabet.get(index).copied().unwrap_or(b'A'))
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
            assert_eq!(shown(secret, at(second)), expected);
            assert_eq!(step_of(secret, expected, at(second)), Some(second / 30));
            assert_eq!(step_of(secret, expected, at(second + 30)), Some(second / 30));
            assert_eq!(step_of(secret, expected, at(second + 90)), None);
        }
        for wrong in ["", "28708", "2870820", "28708x", "+28708", "２８７０８２"] {
            assert_eq!(step_of(secret, wrong, at(59)), None, "{wrong}");
        }
    }

    #[test]
    fn base32_is_that_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text).unwrap(), bytes.as_bytes());
        }
    }
}
