//! Checkpoints: one digest of a tenant's feed up to a position. A checkpoint that is kept elsewhere
//! shows that entries before it were rewritten or cut off, even when every chain is consistent
//! again.

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::{id::TenantId, journal::Hash, tally::hexadecimal},
};

/// Adds one entry to the digest of a feed, in the order of the feed.
pub fn extend_digest(before: Hash, position: i64, hash: &[u8]) -> Hash {
    Hash::digest(&[&before.0[..], &position.to_be_bytes(), hash].concat())
}

/// The state of a tenant's records at a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The tenant whose records they were.
    pub tenant: TenantId,
    /// When it was taken.
    pub at: Instant,
    /// The last position of the feed.
    pub position: i64,
    /// How many entries there were.
    pub entries: i64,
    /// The digest over all of them.
    #[serde(with = "hexadecimal")]
    pub digest: Hash,
    /// The end of the audit log.
    pub audit: AuditMark,
}

/// Where an audit log ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditMark {
    /// The place of its last record; 0 when there was none.
    pub seq: i64,
    /// The hash of that record.
    #[serde(with = "hexadecimal")]
    pub hash: Hash,
    /// When that record was written; none when there was none.
    pub at: Option<Instant>,
}
