//! Signatures of webhooks, as Standard Webhooks describes them: HMAC-SHA256 over the identity, the
//! time and the body, one for each secret that is in use, so that a receiver can change its secret
//! without missing anything.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{app::random::random_bytes, http::problem::Reply};

/// The prefix of a secret.
const PREFIX: &str = "whsec_";

/// A new secret: the bytes, and the text for the receiver.
pub fn new_secret() -> Reply<(Vec<u8>, String)> {
    let bytes = random_bytes::<32>()?.to_vec();
    let text = encode_secret(&bytes);
    Ok((bytes, text))
}

/// The text of a secret.
pub fn encode_secret(bytes: &[u8]) -> String {
    format!("{PREFIX}{}", BASE64_STANDARD.encode(bytes))
}

/// The value of `webhook-signature`.
pub fn sign_message(secrets: &[Vec<u8>], id: &str, timestamp: i64, body: &str) -> String {
    let sign = |secret: &Vec<u8>| {
        // HMAC takes keys of every length.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body.as_bytes());
        Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn it_signs_as_the_published_example_does() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = sign_message(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_secret_in_use_signs() {
        let secrets = [vec![1; 32], vec![2; 32]];
        let both = sign_message(&secrets, "a", 1, "{}");
        let one = sign_message(&secrets[..1], "a", 1, "{}");
        assert!(both.starts_with(&one) && both.split(' ').count() == 2);
        assert_eq!(sign_message(&[], "a", 1, "{}"), "");
    }
}
