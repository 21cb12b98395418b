//! Random numbers that can be repeated.

use uuid::Uuid;

/// A sequence of numbers made from one seed.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    fn next_number(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number less than `most`.
    pub fn index_below(&mut self, most: usize) -> usize {
        let most = u64::try_from(most).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next_number() % most).unwrap_or(0)
    }

    /// The same as `u32`.
    pub fn number_below(&mut self, most: u32) -> u32 {
        u32::try_from(self.next_number() % u64::from(most.max(1))).unwrap_or(0)
    }

    /// True in this many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.next_number() % 100 < percent
    }

    /// One of several; none of an empty list.
    pub fn pick_one<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(self.index_below(among.len()))
    }

    /// Shuffles things in place.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.index_below(last + 1));
        }
    }

    /// The next identity: a UUID of random bits.
    pub fn next_id(&mut self) -> Uuid {
        let (high, low) = (self.next_number(), self.next_number());
        let random = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
        uuid::Builder::from_random_bytes(random).into_uuid()
    }
}
