//! The error of measurements, as a sentence, and a few shared numeric functions.

use std::{error::Error, fmt};

/// Why a measurement could not be made.
#[derive(Debug)]
pub(crate) struct Trouble(pub(crate) String);

/// The result of everything here.
pub(crate) type Done<T = ()> = Result<T, Trouble>;

impl<E: Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A trouble in words.
pub(crate) fn new_trouble(why: impl Into<String>) -> Trouble {
    Trouble(why.into())
}

/// A count as a number to divide by.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts here are far below 2^52"
)]
pub(crate) const fn to_float(count: u64) -> f64 {
    count as f64
}

/// How many there are.
pub(crate) fn count_items<T>(of: &[T]) -> u64 {
    u64::try_from(of.len()).unwrap_or(u64::MAX)
}

/// The median; 0 of no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The value that this many hundredths of the sorted values do not exceed; 0 of no values.
pub(crate) fn percentile(sorted: &[u32], hundredths: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * hundredths / 100).copied().map_or(0.0, f64::from)
}

/// Prints a line for the person who watches.
#[expect(clippy::print_stdout, reason = "a measurement talks to whoever started it")]
pub(crate) fn print_line(text: &str) {
    println!("{text}");
}
