//! Sealing: what is secret and has to be read again (a TOTP secret, a signing key) is stored
//! encrypted, with AES-256-GCM, bound to what it is for.
//!
//! The key is a setting, or else one that was made at the first start and stands in the
//! database: then a stolen database is an open one, and only the setting changes that.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::{
    problem::{Code, Problem, Reply},
    token::random,
};

/// The format of what is sealed: this byte, 12 bytes of nonce, ciphertext and tag.
const VERSION: u8 = 1;
const NONCE: usize = 12;

/// The key that seals.
pub struct Seal {
    cipher: Aes256Gcm,
    secret: [u8; 32],
}

impl Seal {
    /// With 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { cipher: Aes256Gcm::new(secret.into()), secret: *secret }
    }

    /// Seals bytes; they open only for the same purpose.
    pub fn seal(&self, purpose: &str, bytes: &[u8]) -> Reply<Vec<u8>> {
        let nonce = random::<NONCE>()?;
        let payload = Payload { msg: bytes, aad: purpose.as_bytes() };
        let sealed = self.cipher.encrypt(&nonce.into(), payload);
        let sealed = sealed.map_err(|error| Problem::new(Code::Internal).because(error))?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// Opens what was sealed with this key for this purpose; none when it was not.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        let opened = self.cipher.decrypt(&(*nonce).into(), payload).ok();
        opened.filter(|_| *version == VERSION)
    }

    /// A digest only this key makes, for finding what is sealed.
    pub fn blind(&self, purpose: &str, bytes: &[u8]) -> Vec<u8> {
        // HMAC takes keys of any length.
        let Ok(mac) = <Hmac<Sha256> as Mac>::new_from_slice(&self.secret) else {
            return Vec::new();
        };
        let mac = mac.chain_update(purpose.as_bytes()).chain_update([0]).chain_update(bytes);
        mac.finalize().into_bytes().to_vec()
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Seal(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let seal = Seal::new(&[7; 32]);
        let sealed = seal.seal("totp", b"secret").unwrap();
        assert_eq!(seal.open("totp", &sealed).unwrap(), b"secret");
        assert_ne!(sealed, seal.seal("totp", b"secret").unwrap());
        assert_eq!(seal.open("key", &sealed), None);
        assert_eq!(Seal::new(&[8; 32]).open("totp", &sealed), None);
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
    fn a_blind_digest_depends_on_key_purpose_and_text() {
        let seal = Seal::new(&[7; 32]);
        let one = seal.blind("phone", b"13800000000");
        assert_eq!((one.len(), &one), (32, &seal.blind("phone", b"13800000000")));
        assert_ne!(one, seal.blind("phone", b"13800000001"));
        assert_ne!(one, seal.blind("phon", b"e13800000000"));
        assert_ne!(one, Seal::new(&[8; 32]).blind("phone", b"13800000000"));
    }
}
