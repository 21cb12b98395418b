//! Samples: which cases are called back or checked again when not all are.
//!
//! No person chooses: a hash of the case does, so that anyone who doubts the choice can repeat it,
//! and no one who does not know the salt can foresee it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A share in whole percent, from 0 to 100.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// A share from a number; at most 100.
    pub const fn saturating_from(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }
}

impl TryFrom<u8> for Percent {
    type Error = &'static str;
    fn try_from(percent: u8) -> Result<Self, Self::Error> {
        if percent <= 100 { Ok(Self(percent)) } else { Err("a percentage is from 0 to 100") }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

/// The size of a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// The share of all cases.
    pub percent: Percent,
}

impl Sampling {
    /// All cases, as Jinan calls every resident back.
    pub const fn standard() -> Self {
        Self { percent: Percent(100) }
    }

    /// Whether this case is in the sample of its round.
    ///
    /// The same arguments always give the same answer, and a case chosen at some percentage is
    /// chosen at every higher one. Another round or another salt gives another sample.
    pub fn selects_case(self, case: Uuid, round: u32, salt: &str) -> bool {
        let mut hash = Sha256::new();
        hash.update(case.as_bytes());
        hash.update(round.to_be_bytes());
        hash.update(salt.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        // 64 of 256 bits: the remainder favours no hundredth by more than one in 10^17.
        let drawn = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        drawn % 100 < u64::from(self.percent.0)
    }
}
