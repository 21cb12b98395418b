//! Tallies: the number of records and the sum of their digests, independent of their order. A
//! record that is removed or changed without adjusting the tally is noticed.

use serde::{Deserialize, Serialize};

use crate::core::journal::Hash;

/// The number of records and the sum of their digests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// The number of records.
    pub count: i64,
    /// The sum of their digests as 256-bit numbers.
    #[serde(with = "hexadecimal")]
    pub sum: Hash,
}

impl Tally {
    /// The tally with one more record.
    #[must_use]
    pub fn with_record(self, digest: Hash) -> Self {
        Self { count: self.count + 1, sum: add_hashes(self.sum, digest) }
    }

    /// The tally with one record fewer.
    #[must_use]
    pub fn without_record(self, digest: Hash) -> Self {
        // The negative of a number is its complement plus one.
        let mut one = [0; 32];
        if let Some(last) = one.last_mut() {
            *last = 1;
        }
        let minus = add_hashes(Hash(digest.0.map(|byte| !byte)), Hash(one));
        Self { count: self.count - 1, sum: add_hashes(self.sum, minus) }
    }
}

/// The sum, cut to 256 bits.
fn add_hashes(one: Hash, other: Hash) -> Hash {
    let mut sum = [0; 32];
    let mut carry = false;
    for (to, (a, b)) in sum.iter_mut().zip(one.0.iter().zip(&other.0)).rev() {
        let (both, over) = a.overflowing_add(*b);
        let (all, more) = both.overflowing_add(u8::from(carry));
        (*to, carry) = (all, over || more);
    }
    Hash(sum)
}

/// Serialises a digest as text.
pub mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::core::journal::Hash;

    /// Writes it as 64 digits.
    pub fn serialize<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hash.to_hex())
    }

    /// Reads 64 digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(from)?;
        Hash::from_hex(&text).ok_or_else(|| D::Error::custom("not 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Hash {
        Hash::digest(text.as_bytes())
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_what_was() {
        let before = Tally::default().with_record(digest("a")).with_record(digest("b"));
        assert_eq!(before, Tally::default().with_record(digest("b")).with_record(digest("a")));
        assert_eq!(before.with_record(digest("c")).without_record(digest("c")), before);
        assert_eq!(
            before.without_record(digest("a")).without_record(digest("b")),
            Tally::default()
        );
        assert_ne!(before.with_record(digest("c")), before.with_record(digest("d")));
        assert_ne!(before.with_record(digest("a")).sum, before.sum);
        assert_eq!(
            Tally::default().with_record(Hash([255; 32])).with_record(Hash([255; 32])).sum.0[31],
            254
        );
    }

    #[test]
    fn a_tally_is_written_and_read() {
        let tally = Tally::default().with_record(digest("a"));
        let text = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
        assert!(serde_json::from_str::<Tally>(r#"{"count":1,"sum":"zz"}"#).is_err());
    }
}
