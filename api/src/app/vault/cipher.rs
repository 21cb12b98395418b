//! Sealing: authenticated encryption that names its cipher and its key in every text.
//!
//! A sealed text is: edition 1, cipher, 8 bytes of key id, 12 bytes of nonce, ciphertext, tag. It
//! is bound to its place (tenant, subject, field), so that one person's value cannot be put in
//! another's place. Keys are 32 random bytes; what a cipher uses is derived from them.

use aes_gcm::{
    Aes256Gcm, AesGcm,
    aead::{Aead, Payload, consts::U12},
};
use domain::core::journal::Hash;
use hmac::{Hmac, KeyInit, Mac};
use persistence::StoreError;
use serde::Deserialize;
use sha2::Sha256;
use sm3::Sm3;
use sm4::Sm4;
use zeroize::Zeroizing;

use crate::app::random::random_bytes;

type Sm4Gcm = AesGcm<Sm4, U12>;

/// Which ciphers and digests new values are sealed with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    /// AES-256-GCM and HMAC-SHA-256.
    #[default]
    Aes,
    /// SM4-GCM and HMAC-SM3 (国密).
    Sm4,
}

impl Suite {
    const fn byte(self) -> u8 {
        match self {
            Self::Aes => 1,
            Self::Sm4 => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Aes, Self::Sm4].into_iter().find(|suite| suite.byte() == byte)
    }

    /// Its name, as in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes => "aes",
            Self::Sm4 => "sm4",
        }
    }

    /// A keyed digest: 32 bytes.
    pub fn digest(self, key: &Secret, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        // Lengths come first, so that no two lists of parts read the same.
        let fed = parts.iter().flat_map(|part| {
            [u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes().to_vec(), part.to_vec()]
        });
        let fed: Zeroizing<Vec<u8>> = Zeroizing::new(fed.flatten().collect());
        Zeroizing::new(match self {
            Self::Aes => compute_mac::<Hmac<Sha256>>(key, &fed),
            Self::Sm4 => compute_mac::<Hmac<Sm3>>(key, &fed),
        })
    }
}

fn compute_mac<M: Mac + KeyInit>(key: &Secret, text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(&key.0[..]) else { return [0; 32] };
    mac.update(text);
    let code = mac.finalize().into_bytes();
    let mut out = [0; 32];
    out.iter_mut().zip(code).for_each(|(to, from)| *to = from);
    out
}

/// The name of a key: the same for the same key, and revealing nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId([u8; 8]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// 32 secret bytes.
#[derive(Clone)]
pub struct Secret(pub(super) Zeroizing<[u8; 32]>);

impl Secret {
    /// A new random secret.
    pub fn generate() -> Result<Self, StoreError> {
        let bytes = random_bytes::<32>()
            .map_err(|error| StoreError::Unavailable(format!("no randomness: {error}")))?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// A secret from bytes; none when there are not 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The first eight bytes of a digest over the key, by which what it sealed names it.
    pub fn id(&self) -> KeyId {
        let named = Zeroizing::new([b"gridwhistle key id".as_slice(), &self.0[..]].concat());
        let hash = Hash::digest(&named);
        KeyId(hash.0.first_chunk::<8>().copied().unwrap_or_default())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Secret({}…)", self.id())
    }
}

const EDITION: u8 = 1;
/// The bytes of edition, cipher, key id and nonce.
const HEAD: usize = 1 + 1 + 8 + 12;

fn inconsistent_value(why: &str) -> StoreError {
    StoreError::Inconsistent(format!("a sealed value: {why}"))
}

/// Seals a text for a place.
pub fn seal(suite: Suite, key: &Secret, place: &[u8], text: &[u8]) -> Result<Vec<u8>, StoreError> {
    let nonce = random_bytes::<12>()
        .map_err(|error| StoreError::Unavailable(format!("no randomness: {error}")))?;
    let mut sealed = Vec::with_capacity(HEAD + text.len() + 16);
    sealed.extend([EDITION, suite.byte()]);
    sealed.extend(key.id().0);
    sealed.extend(nonce);
    let bound = [place, sealed.as_slice()].concat();
    let payload = Payload { msg: text, aad: &bound };
    let subkey = suite.digest(key, &[b"seal"]);
    let body = match suite {
        Suite::Aes => {
            Aes256Gcm::new_from_slice(&subkey[..]).map(|c| c.encrypt((&nonce).into(), payload))
        }
        Suite::Sm4 => {
            let subkey = subkey.first_chunk::<16>().copied().unwrap_or_default();
            Sm4Gcm::new_from_slice(&subkey).map(|c| c.encrypt((&nonce).into(), payload))
        }
    };
    let body = body.map_err(|_length| inconsistent_value("the key's length"))?;
    sealed.extend(body.map_err(|_refused| inconsistent_value("it could not be made"))?);
    Ok(sealed)
}

/// Opens what [`seal`] made for this place with this key.
pub fn open(key: &Secret, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let (suite, id) =
        parse_header(sealed).ok_or_else(|| inconsistent_value("it is not a sealed value"))?;
    if id != key.id() {
        return Err(inconsistent_value("another key"));
    }
    let (head, body) =
        sealed.split_at_checked(HEAD).ok_or_else(|| inconsistent_value("it is too short"))?;
    let nonce = head.last_chunk::<12>().copied().unwrap_or_default();
    let bound = [place, head].concat();
    let payload = Payload { msg: body, aad: &bound };
    let subkey = suite.digest(key, &[b"seal"]);
    let text = match suite {
        Suite::Aes => {
            Aes256Gcm::new_from_slice(&subkey[..]).map(|c| c.decrypt((&nonce).into(), payload))
        }
        Suite::Sm4 => {
            let subkey = subkey.first_chunk::<16>().copied().unwrap_or_default();
            Sm4Gcm::new_from_slice(&subkey).map(|c| c.decrypt((&nonce).into(), payload))
        }
    };
    let text = text.map_err(|_length| inconsistent_value("the key's length"))?;
    text.map(Zeroizing::new).map_err(|_forged| inconsistent_value("it was altered or moved"))
}

/// The cipher and the key a sealed text names.
pub fn parse_header(sealed: &[u8]) -> Option<(Suite, KeyId)> {
    let (edition, suite) = (sealed.first()?, sealed.get(1)?);
    let id = sealed.get(2..10)?.first_chunk::<8>()?;
    (*edition == EDITION).then(|| Some((Suite::from_byte(*suite)?, KeyId(*id))))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret {
        Secret::from_slice(&[byte; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_place() {
        for suite in [Suite::Aes, Suite::Sm4] {
            let sealed = seal(suite, &key(1), b"here", "张三".as_bytes()).unwrap();
            assert_eq!(parse_header(&sealed), Some((suite, key(1).id())));
            assert_eq!(&open(&key(1), b"here", &sealed).unwrap()[..], "张三".as_bytes());
            assert!(open(&key(2), b"here", &sealed).is_err());
            assert!(open(&key(1), b"there", &sealed).is_err());
            assert_ne!(seal(suite, &key(1), b"here", "张三".as_bytes()).unwrap(), sealed);
            for place in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[place] ^= 1;
                assert!(open(&key(1), b"here", &changed).is_err(), "byte {place}");
            }
            for length in 0..sealed.len() {
                assert!(open(&key(1), b"here", &sealed[..length]).is_err());
            }
        }
    }

    #[test]
    fn what_was_sealed_elsewhere_opens_here() {
        // Made with OpenSSL (AES-256-GCM with HMAC-SHA-256, SM4-GCM with HMAC-SM3) from the
        // description above; the bytes of sealed values must never change.
        for sealed in [SEALED_BY_AES, SEALED_BY_SM4] {
            let sealed = unhex(sealed);
            assert_eq!(&open(&key(7), b"here", &sealed).unwrap()[..], "张三".as_bytes());
        }
    }

    const SEALED_BY_AES: &str = "010122637358c28959c1000102030405060708090a0b\
                                 e4b9b0337ea77fb84d60c72e673459c73c251f74a4ec";
    const SEALED_BY_SM4: &str = "010222637358c28959c1000102030405060708090a0b\
                                 0063941364b0edd1bb609a1606e006878a67e0334cfd";

    fn unhex(text: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    }

    #[test]
    fn digests_depend_on_the_key_the_suite_and_every_part() {
        let digest = |suite: Suite, byte, parts: &[&[u8]]| *suite.digest(&key(byte), parts);
        let one = digest(Suite::Aes, 1, &[b"phone", b"138"]);
        assert_eq!(one, digest(Suite::Aes, 1, &[b"phone", b"138"]));
        for other in [
            digest(Suite::Sm4, 1, &[b"phone", b"138"]),
            digest(Suite::Aes, 2, &[b"phone", b"138"]),
            digest(Suite::Aes, 1, &[b"phone1", b"38"]),
            digest(Suite::Aes, 1, &[b"phone138"]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn hmac_sm3_is_the_standard_one() {
        // Checked with `openssl mac -digest SM3 -macopt hexkey:0b…0b -in - HMAC` over "Hi There".
        let key = Secret::from_slice(&[0x0b; 32]).unwrap();
        let code = compute_mac::<Hmac<Sm3>>(&key, b"Hi There");
        assert_eq!(Hash(code).to_hex(), HI_THERE);
    }

    const HI_THERE: &str = "c0ba18c68b90c88bc07de794bfc7d2c8d19ec31ed8773bc2b390c9604e0be11e";

    #[test]
    fn sm4_gcm_is_that_of_rfc_8998() {
        let cipher = Sm4Gcm::new_from_slice(&unhex("0123456789abcdeffedcba9876543210")).unwrap();
        let nonce: [u8; 12] = unhex("00001234567800000000abcd").try_into().unwrap();
        let aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let text = unhex(
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeee\
             ffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
        );
        let payload = Payload { msg: &text, aad: &aad };
        let sealed = cipher.encrypt((&nonce).into(), payload).unwrap();
        let expected = "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
                        d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d\
                        83de3541e4c2b58177e065a9bf7b62ec";
        assert_eq!(sealed, unhex(expected));
    }
}
