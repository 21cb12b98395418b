//! Sealing of secrets that have to be read again (a TOTP secret, a signing key): stored encrypted
//! as people's data is, bound to their purpose.
//!
//! The key is a setting, or else one that was made at the first start and stands in the database,
//! wrapped by the master key of the vault, which is not in the database.

use crate::{
    app::vault::cipher::{self, Secret, Suite},
    http::problem::Reply,
};

/// The key that seals.
#[derive(Debug)]
pub struct SecretBox {
    suite: Suite,
    secret: Secret,
}

impl SecretBox {
    /// A box with this key and these ciphers.
    pub const fn new(secret: Secret, suite: Suite) -> Self {
        Self { suite, secret }
    }

    /// Seals bytes; they open only for the same purpose.
    pub fn seal(&self, purpose: &str, bytes: &[u8]) -> Reply<Vec<u8>> {
        Ok(cipher::seal(self.suite, &self.secret, purpose.as_bytes(), bytes)?)
    }

    /// Opens what was sealed with this key for this purpose; none when it was not.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let opened = cipher::open(&self.secret, purpose.as_bytes(), sealed).ok()?;
        Some(opened.to_vec())
    }

    /// A digest that only this key makes, for finding sealed values. It stays the same when the
    /// cipher changes, so that what was found by it once is found again.
    pub fn compute_digest(&self, purpose: &str, bytes: &[u8]) -> Vec<u8> {
        Suite::Aes.digest(&self.secret, &[b"blind", purpose.as_bytes(), bytes]).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(byte: u8) -> SecretBox {
        SecretBox::new(Secret::from_slice(&[byte; 32]).unwrap(), Suite::Aes)
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let seal = with(7);
        let sealed = seal.seal("totp", b"secret").unwrap();
        assert_eq!(seal.open("totp", &sealed).unwrap(), b"secret");
        assert_ne!(sealed, seal.seal("totp", b"secret").unwrap());
        assert_eq!(seal.open("key", &sealed), None);
        assert_eq!(with(8).open("totp", &sealed), None);
        for length in 0..sealed.len() {
            assert_eq!(seal.open("totp", &sealed[..length]), None);
        }
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert_eq!(seal.open("totp", &altered), None, "{index}");
        }
    }

    #[test]
    fn what_one_cipher_sealed_opens_under_another() {
        let sealed = with(7).seal("totp", b"secret").unwrap();
        let other = SecretBox { suite: Suite::Sm4, ..with(7) };
        assert_eq!(other.open("totp", &sealed).unwrap(), b"secret");
        assert_eq!(other.compute_digest("totp", b"x"), with(7).compute_digest("totp", b"x"));
    }

    #[test]
    fn a_blind_digest_depends_on_key_purpose_and_text() {
        let seal = with(7);
        let one = seal.compute_digest("phone", b"13800000000");
        assert_eq!((one.len(), &one), (32, &seal.compute_digest("phone", b"13800000000")));
        assert_ne!(one, seal.compute_digest("phone", b"13800000001"));
        assert_ne!(one, seal.compute_digest("phon", b"e13800000000"));
        assert_ne!(one, with(8).compute_digest("phone", b"13800000000"));
    }
}
