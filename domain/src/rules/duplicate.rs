//! Duplicates: open cases that may already be about what is reported.
//!
//! A suggestion, never a decision: the person who accepts the report decides whether to join it.
//! Distance decides where both have a point. Where one has none, only certain facts count: the same
//! area, the same known category and the same address line, apart from spaces, punctuation, width
//! and case of letters. Texts are not compared: similar words join different matters more often
//! than they find the same one.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::coordinate::{Point, distance_m},
    core::{
        id::{AreaId, CaseId},
        tabular_import::{At, Fault},
        text::{Code, Line},
    },
    rules::place::{Place, ReportDetails},
};

/// The most candidates that are suggested.
pub const MAX_CANDIDATES: usize = 10;

/// The conditions under which two matters may be one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicates {
    /// The largest distance, in metres.
    pub metres: u32,
    /// The largest time between them, in hours.
    pub hours: u32,
    /// Whether two known categories must be the same. An unknown category matches any.
    pub same_category: bool,
}

/// A matter, reported now or filed before.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sighting<'a> {
    /// The exact point; none when only the area is known.
    pub point: Option<Point>,
    /// The deepest area.
    pub area: AreaId,
    /// The address in words.
    pub address: Option<&'a str>,
    /// The code in the catalogue.
    pub category: Option<&'a str>,
    /// When it was seen, or reported.
    pub at: Instant,
}

impl<'a> Sighting<'a> {
    /// The sighting of a report or a case.
    pub fn new(place: &'a Place, matter: &'a ReportDetails, at: Instant) -> Self {
        Self {
            point: place.point,
            area: place.area.id,
            address: place.address.as_ref().map(Line::as_str),
            category: matter.category.as_ref().map(Code::as_str),
            at,
        }
    }
}

/// A case that may be about the same matter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate {
    /// The open case.
    pub case: CaseId,
    /// The distance; none when the address is the same and a point is missing.
    pub metres: Option<f64>,
    /// The time between the two, whichever came first: offline phones report late.
    pub age: Duration,
}

impl Duplicates {
    /// The default: 50 metres and 24 hours, the same category.
    pub const fn standard() -> Self {
        Self { metres: 50, hours: 24, same_category: true }
    }

    /// What is wrong with it.
    pub fn check(self) -> Vec<Fault> {
        let bound = |column, value: u32, most: u32| {
            let fault = Fault::new(At::Whole, (column, "out_of_range"), &value.to_string());
            (!(1..=most).contains(&value))
                .then(|| fault.with_expected(format!(" 1 到 {most}"), format!("1 to {most}")))
        };
        let faults = [bound("metres", self.metres, 5_000), bound("hours", self.hours, 8_760)];
        faults.into_iter().flatten().collect()
    }

    /// The open cases that may be about the same matter: nearest first, then those found by
    /// address, then the closest in time; at most [`MAX_CANDIDATES`].
    pub fn find_candidates<'a>(
        self,
        new: &Sighting<'a>,
        existing: impl IntoIterator<Item = (CaseId, Sighting<'a>, bool)>,
    ) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = existing
            .into_iter()
            .filter(|(_, _, open)| *open)
            .filter_map(|(case, seen, _)| self.match_candidate(case, new, &seen))
            .collect();
        found.sort_by(|one, two| {
            let far = |candidate: &Candidate| candidate.metres.unwrap_or(f64::INFINITY);
            let later = || (one.age, one.case).cmp(&(two.age, two.case));
            far(one).total_cmp(&far(two)).then_with(later)
        });
        found.truncate(MAX_CANDIDATES);
        found
    }

    fn match_candidate(
        self,
        case: CaseId,
        new: &Sighting<'_>,
        old: &Sighting<'_>,
    ) -> Option<Candidate> {
        let age = new.at.signed_duration_since(old.at).abs();
        if age > Duration::hours(i64::from(self.hours)) {
            return None;
        }
        let metres = match new.point.zip(old.point) {
            Some((one, two)) => {
                let metres = distance_m(one, two);
                let near = metres <= f64::from(self.metres) && self.may_be_same(new, old);
                near.then_some(Some(metres))?
            }
            None => is_same_address(new, old).then_some(None)?,
        };
        Some(Candidate { case, metres, age })
    }

    fn may_be_same(self, new: &Sighting<'_>, old: &Sighting<'_>) -> bool {
        !self.same_category || new.category.zip(old.category).is_none_or(|(one, two)| one == two)
    }
}

fn is_same_address(new: &Sighting<'_>, old: &Sighting<'_>) -> bool {
    let address = new.address.map(normalise_address).filter(|address| !address.is_empty());
    new.area == old.area
        && new.category.is_some()
        && new.category == old.category
        && address.is_some()
        && address == old.address.map(normalise_address)
}

/// An address without spaces and punctuation, in half-width lower-case letters and digits.
pub fn normalise_address(address: &str) -> String {
    const FULL_WIDTH: std::ops::RangeInclusive<char> = '\u{FF01}'..='\u{FF5E}';
    let narrow = |c: char| {
        let code = u32::from(c).saturating_sub(0xFEE0);
        char::from_u32(code).filter(|_| FULL_WIDTH.contains(&c)).unwrap_or(c)
    };
    address
        .chars()
        .map(narrow)
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
