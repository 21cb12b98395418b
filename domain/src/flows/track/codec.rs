//! A batch of points as bytes: column by column, with few bytes for what changes little.
//!
//! ```text
//! version 1 | count | seq | time | lng | lat | system | accuracy | speed | source | mocked
//! ```
//!
//! Numbers are variable-length (seven bits a byte). A column of numbers is written in the shortest
//! of these ways: one value, steps of one length, differences, or differences of differences, in
//! the largest unit they all are multiples of; a time in whole seconds costs a byte, a sequence
//! without holes nothing. An optional column begins with bits that say where it has values.
//! Decoding returns exactly what was encoded; bytes that were never written here are refused,
//! whatever they are.

use super::{Fix, MOST_AT_ONCE, Source};
use crate::area::coordinate::CoordType;

/// What the bytes begin with.
const VERSION: u8 = 1;

/// How a column of numbers is written.
mod how {
    /// All are the same.
    pub(super) const SAME: u8 = 0;
    /// Each is one step from the one before.
    pub(super) const STEPS: u8 = 1;
    /// Differences from one to the next.
    pub(super) const FIRST: u8 = 2;
    /// Differences of differences.
    pub(super) const SECOND: u8 = 3;
}

/// How the presence of values is written.
mod which {
    /// No point has a value.
    pub(super) const NONE: u8 = 0;
    /// Every point has a value.
    pub(super) const ALL: u8 = 1;
    /// One bit for each point.
    pub(super) const SOME: u8 = 2;
}

/// Systems and sources by the number they are written as; the numbers never change.
const SYSTEMS: [CoordType; 3] = [CoordType::Wgs84, CoordType::Gcj02, CoordType::Bd09];
const SOURCES: [Source; 4] = [Source::Gps, Source::Network, Source::Fused, Source::Unknown];

/// The bytes of some points, at most [`MOST_AT_ONCE`], in their order.
pub fn encode(fixes: &[Fix]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + fixes.len() * 8);
    out.push(VERSION);
    write_unsigned(&mut out, fixes.len().try_into().unwrap_or(u64::MAX));
    let mut column = |value: &dyn Fn(&Fix) -> i64| {
        let values: Vec<i64> = fixes.iter().map(value).collect();
        write_numbers(&mut out, &values);
    };
    column(&|fix| i64::from(fix.seq));
    column(&|fix| fix.at_ms);
    column(&|fix| i64::from(fix.lng));
    column(&|fix| i64::from(fix.lat));
    column(&|fix| to_code(&SYSTEMS, fix.coord_type));
    write_optional(&mut out, fixes.iter().map(|fix| fix.accuracy));
    write_optional(&mut out, fixes.iter().map(|fix| fix.speed));
    let sources: Vec<i64> = fixes.iter().map(|fix| to_code(&SOURCES, fix.source)).collect();
    write_numbers(&mut out, &sources);
    write_bits(&mut out, &fixes.iter().map(|fix| fix.mocked).collect::<Vec<_>>());
    out
}

/// The points in some bytes; none when they were not written by [`encode`].
pub fn decode(bytes: &[u8]) -> Option<Vec<Fix>> {
    let mut reader = Reader { rest: bytes };
    if reader.read_byte()? != VERSION {
        return None;
    }
    let count = usize::try_from(reader.read_unsigned()?).ok().filter(|n| *n <= MOST_AT_ONCE)?;
    let seqs = reader.read_numbers(count)?;
    let times = reader.read_numbers(count)?;
    let lngs = reader.read_numbers(count)?;
    let lats = reader.read_numbers(count)?;
    let systems = reader.read_numbers(count)?;
    let accuracies = reader.read_optional(count)?;
    let speeds = reader.read_optional(count)?;
    let sources = reader.read_numbers(count)?;
    let mocked = reader.read_bits(count)?;
    if !reader.rest.is_empty() {
        return None;
    }
    let small = |value: Option<i64>| match value {
        None => Some(None),
        Some(value) => u32::try_from(value).ok().filter(|n| *n <= Fix::WORST).map(Some),
    };
    let fix = |at: usize| {
        let fix = Fix {
            seq: u32::try_from(*seqs.get(at)?).ok()?,
            at_ms: times.get(at).copied().filter(|ms| (0..=Fix::LATEST_MS).contains(ms))?,
            lng: i32::try_from(*lngs.get(at)?).ok()?,
            lat: i32::try_from(*lats.get(at)?).ok()?,
            coord_type: from_code(&SYSTEMS, *systems.get(at)?)?,
            accuracy: small(*accuracies.get(at)?)?,
            speed: small(*speeds.get(at)?)?,
            source: from_code(&SOURCES, *sources.get(at)?)?,
            mocked: *mocked.get(at)?,
        };
        fix.point().map(|_| fix)
    };
    (0..count).map(fix).collect()
}

/// The number that a value is written as.
fn to_code<T: PartialEq>(all: &[T], one: T) -> i64 {
    all.iter().position(|known| *known == one).and_then(|at| at.try_into().ok()).unwrap_or(0)
}

/// The value that is written as a number.
fn from_code<T: Copy>(all: &[T], number: i64) -> Option<T> {
    all.get(usize::try_from(number).ok()?).copied()
}

fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while let (low, rest @ 1..) = (value & 0x7f, value >> 7) {
        out.push(u8::try_from(low).unwrap_or(0) | 0x80);
        value = rest;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

/// Keeps small numbers of either sign small: 0, −1, 1, −2 … become 0, 1, 2, 3 …
fn write_signed(out: &mut Vec<u8>, value: i64) {
    write_unsigned(out, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
}

/// A column of numbers, in the shortest way.
fn write_numbers(out: &mut Vec<u8>, values: &[i64]) {
    let Some(first) = values.first().copied() else { return };
    if values.iter().all(|value| *value == first) {
        out.push(how::SAME);
        return write_signed(out, first);
    }
    let steps = differences(values);
    let step = steps.first().copied().unwrap_or(0);
    if steps.iter().all(|one| *one == step) {
        out.push(how::STEPS);
        write_signed(out, first);
        return write_signed(out, step);
    }
    let mut once = vec![how::FIRST];
    write_signed(&mut once, first);
    write_in_units(&mut once, &steps);
    let mut twice = vec![how::SECOND];
    write_signed(&mut twice, first);
    write_signed(&mut twice, step);
    write_in_units(&mut twice, &differences(&steps));
    out.extend(if twice.len() < once.len() { twice } else { once });
}

/// The differences between neighbours.
fn differences(values: &[i64]) -> Vec<i64> {
    let pairs = values.iter().zip(values.iter().skip(1));
    pairs.map(|(before, after)| after.wrapping_sub(*before)).collect()
}

/// Writes numbers in the largest unit that all of them are multiples of.
fn write_in_units(out: &mut Vec<u8>, values: &[i64]) {
    let unit =
        values.iter().try_fold(0, |unit, value| match common_divisor(unit, value.unsigned_abs()) {
            // No larger unit divides them.
            1 => None,
            unit => Some(unit),
        });
    let unit = unit.unwrap_or(1).max(1);
    write_unsigned(out, unit);
    let unit = i64::try_from(unit).unwrap_or(1);
    for value in values {
        write_signed(out, value / unit);
    }
}

/// The greatest common divisor.
const fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A column of numbers of which some may be missing.
fn write_optional(out: &mut Vec<u8>, values: impl Iterator<Item = Option<u32>> + Clone) {
    write_bits(out, &values.clone().map(|value| value.is_some()).collect::<Vec<_>>());
    write_numbers(out, &values.flatten().map(i64::from).collect::<Vec<_>>());
}

fn write_bits(out: &mut Vec<u8>, values: &[bool]) {
    if values.iter().all(|value| !value) {
        return out.push(which::NONE);
    }
    if values.iter().all(|value| *value) {
        return out.push(which::ALL);
    }
    out.push(which::SOME);
    for eight in values.chunks(8) {
        let one = |byte: u8, (at, value): (usize, &bool)| byte | (u8::from(*value) << at);
        out.push(eight.iter().enumerate().fold(0, one));
    }
}

/// The bytes still to be read.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn read_byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn read_unsigned(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = self.read_byte()?;
            let low = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit only.
            if shift == 63 && low > 1 {
                return None;
            }
            value |= low.checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    fn read_signed(&mut self) -> Option<i64> {
        let value = self.read_unsigned()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn read_numbers(&mut self, count: usize) -> Option<Vec<i64>> {
        if count == 0 {
            return Some(Vec::new());
        }
        let (how, first) = (self.read_byte()?, self.read_signed()?);
        let mut values = vec![first; count];
        match how {
            how::SAME => return Some(values),
            how::STEPS => {
                let step = self.read_signed()?;
                let mut value = first;
                for place in values.iter_mut().skip(1) {
                    value = value.checked_add(step)?;
                    *place = value;
                }
            }
            how::FIRST => {
                let (unit, mut value) = (self.read_unit()?, first);
                for place in values.iter_mut().skip(1) {
                    value = value.checked_add(self.read_signed()?.checked_mul(unit)?)?;
                    *place = value;
                }
            }
            how::SECOND => {
                let (mut step, unit) = (self.read_signed()?, self.read_unit()?);
                let mut value = first;
                for (at, place) in values.iter_mut().enumerate().skip(1) {
                    if at > 1 {
                        step = step.checked_add(self.read_signed()?.checked_mul(unit)?)?;
                    }
                    value = value.checked_add(step)?;
                    *place = value;
                }
            }
            _ => return None,
        }
        Some(values)
    }

    fn read_unit(&mut self) -> Option<i64> {
        self.read_unsigned()?.try_into().ok().filter(|unit| *unit > 0)
    }

    fn read_bits(&mut self, count: usize) -> Option<Vec<bool>> {
        match self.read_byte()? {
            which::NONE => Some(vec![false; count]),
            which::ALL => Some(vec![true; count]),
            which::SOME => {
                let mut values = Vec::with_capacity(count);
                while values.len() < count {
                    let byte = self.read_byte()?;
                    let eight = (count - values.len()).min(8);
                    values.extend((0..eight).map(|at| byte >> at & 1 == 1));
                }
                Some(values)
            }
            _ => None,
        }
    }

    fn read_optional(&mut self, count: usize) -> Option<Vec<Option<i64>>> {
        let there = self.read_bits(count)?;
        let some = there.iter().filter(|there| **there).count();
        let mut values = self.read_numbers(some)?.into_iter();
        Some(there.into_iter().map(|there| if there { values.next() } else { None }).collect())
    }
}
