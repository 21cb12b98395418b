//! Randomness, as bytes and as text.

use jsonwebtoken::{DecodingKey, EncodingKey};
use rand::{
    TryRng,
    rngs::{SysError, SysRng},
};

/// Random bytes of the operating system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], SysError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

/// The key pair of a signing key, from its 32 secret bytes.
pub(crate) fn derive_key_pair(seed: &[u8; 32]) -> (EncodingKey, DecodingKey, [u8; 32]) {
    // PKCS #8 around an Ed25519 seed is the same 16 bytes for every key (RFC 8410).
    const PKCS8: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes();
    let private = [&PKCS8[..], seed].concat();
    (EncodingKey::from_ed_der(&private), DecodingKey::from_ed_der(&public), public)
}
