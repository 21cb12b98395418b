//! Duplicates: open cases that may already be about what is reported.
//!
//! A suggestion, never a decision: the person who accepts the report joins it to a case or does
//! not. What speaks for and against one matter is added up: how much of the text agrees
//! ([`text`]), how far apart the places are, whether both name the same building, the category, the
//! time between them. Each suggestion says what spoke for it. How often the suggestions are right is
//! measured on invented pairs (`domain/tests/data/similar_pairs.tsv`) by a test.

pub mod text;

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    area::coordinate::{Point, distance_m},
    core::{
        id::{AreaId, CaseId},
        labelled_enum::labelled_enum,
        tabular_import::{At, Fault},
        text::{Code, Line},
    },
    rules::{
        duplicate::text::{Locators, TermWeights, Terms, normalise_text},
        place::{Place, ReportDetails},
    },
};

/// The most candidates that are suggested.
pub const MAX_CANDIDATES: usize = 10;

/// How long an open case stays comparable when its text agrees, whatever the policy says of places.
const TEXT_DAYS: i64 = 30;

/// When two matters may be one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicates {
    /// The largest distance, in metres.
    pub metres: u32,
    /// So many hours apart at most, unless the texts agree.
    pub hours: u32,
    /// Whether two known categories must be the same. An unknown category matches any.
    pub same_category: bool,
}

labelled_enum! {
    /// What speaks for two reports being about one matter.
    DuplicateReason {
        /// The same text, apart from spaces, punctuation, width and case.
        IdenticalText = "identical_text", "内容相同";
        /// Much of the text agrees.
        SimilarText = "similar_text", "内容相近";
        /// Within the metres of the policy.
        Nearby = "nearby", "位置相近";
        /// The same address, apart from spaces, punctuation, width and case.
        SameAddress = "same_address", "地址相同";
        /// Both name the same building, unit, floor or door.
        SameBuilding = "same_building", "楼栋门牌相同";
        /// The same category.
        SameCategory = "same_category", "类别相同";
        /// In the same grid, where a point is missing.
        SameArea = "same_area", "同一网格";
        /// Within the hours of the policy.
        CloseInTime = "close_in_time", "时间相近";
    }
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
    /// What was reported, in full.
    pub text: &'a str,
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
            text: matter.text.as_str(),
            at,
        }
    }
}

/// A case that a report is compared with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Existing<'a> {
    /// The identity of the case.
    pub case: CaseId,
    /// What it is about.
    pub sighting: Sighting<'a>,
    /// Whether it is not closed.
    pub open: bool,
    /// Whether the reporter of the new report is one of its reporters. Counts for the same text
    /// only, and is no reason that is shown: a reporter may be confidential.
    pub same_reporter: bool,
}

/// A case that may be about the same.
#[derive(Clone, PartialEq, Debug)]
pub struct Candidate {
    /// The open case.
    pub case: CaseId,
    /// How far; none when a point is missing.
    pub metres: Option<f64>,
    /// The time between the two, whichever came first: offline phones report late.
    pub age: Duration,
    /// How much of the texts agrees, 0 to 1.
    pub likeness: f64,
    /// How much speaks for it, 0 to 1.
    pub score: f64,
    /// What speaks for it.
    pub reasons: Vec<DuplicateReason>,
}

impl Duplicates {
    /// The default: 50 metres and 24 hours. Categories may differ: reporters do not know the catalogue.
    pub const fn standard() -> Self {
        Self { metres: 50, hours: 24, same_category: false }
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

    /// The open cases that may be about the same, what most speaks for first; at most
    /// [`MAX_CANDIDATES`].
    pub fn find_candidates<'a>(
        self,
        new: &Sighting<'a>,
        existing: impl IntoIterator<Item = Existing<'a>>,
    ) -> Vec<Candidate> {
        let open = existing.into_iter().filter(|one| one.open);
        let old: Vec<(Existing<'a>, Features)> =
            open.map(|one| (one, Features::new(&one.sighting))).collect();
        let new = (new, &Features::new(new));
        let texts = old.iter().map(|(_, features)| &features.terms);
        let weights = TermWeights::count(std::iter::once(&new.1.terms).chain(texts));
        let mut found: Vec<Candidate> = old
            .iter()
            .filter_map(|(one, features)| self.match_candidate(new, (one, features), &weights))
            .collect();
        found.sort_by(|one, two| {
            let far = |candidate: &Candidate| candidate.metres.unwrap_or(f64::INFINITY);
            two.score
                .total_cmp(&one.score)
                .then_with(|| far(one).total_cmp(&far(two)))
                .then_with(|| (one.age, one.case).cmp(&(two.age, two.case)))
        });
        found.truncate(MAX_CANDIDATES);
        found
    }

    fn match_candidate(
        self,
        (new, features): (&Sighting<'_>, &Features),
        (existing, theirs): (&Existing<'_>, &Features),
        weights: &TermWeights,
    ) -> Option<Candidate> {
        let old = &existing.sighting;
        let age = new.at.signed_duration_since(old.at).abs();
        let identical = !features.text.is_empty() && features.text == theirs.text;
        let repeated = identical && existing.same_reporter;
        let categories = new.category.zip(old.category).map(|(one, two)| one == two);
        if age > Duration::days(TEXT_DAYS).max(self.window())
            || (self.same_category && categories == Some(false) && !repeated)
        {
            return None;
        }
        let metres = new.point.zip(old.point).map(|(one, two)| distance_m(one, two));
        let likeness = weights.compare(&features.terms, &theirs.terms);
        let locators = features.locators.agrees_with(&theirs.locators);
        let same_address = features.address.is_some() && features.address == theirs.address;
        let reasons = [
            (DuplicateReason::IdenticalText, identical),
            (DuplicateReason::SimilarText, !identical && likeness >= SIMILAR),
            (
                DuplicateReason::Nearby,
                metres.is_some_and(|metres| metres <= f64::from(self.metres)),
            ),
            (DuplicateReason::SameAddress, same_address),
            (DuplicateReason::SameBuilding, locators == Some(true)),
            (DuplicateReason::SameCategory, categories == Some(true)),
            (DuplicateReason::SameArea, metres.is_none() && new.area == old.area),
            (DuplicateReason::CloseInTime, age <= self.window()),
        ];
        let evidence = Evidence {
            likeness,
            metres,
            other_locator: locators == Some(false),
            other_branch: categories == Some(false) && branch_of(new) != branch_of(old),
            reasons: reasons.into_iter().filter(|(_, held)| *held).map(|(one, _)| one).collect(),
        };
        let score = if repeated { 1.0 } else { evidence.add_up(self) };
        (score >= THRESHOLD).then_some(Candidate {
            case: existing.case,
            metres: evidence.metres,
            age,
            likeness: evidence.likeness,
            score,
            reasons: evidence.reasons,
        })
    }

    fn window(self) -> Duration {
        Duration::hours(i64::from(self.hours))
    }
}

/// How much must speak for a candidate: on the invented pairs about two in three of those that are
/// one matter reach it, and few that are not.
const THRESHOLD: f64 = 0.18;

/// Of how much of a text must agree to say that the texts are alike.
const SIMILAR: f64 = 0.3;

/// The branch of the catalogue that a category is in: its first character.
fn branch_of(sighting: &Sighting<'_>) -> Option<char> {
    sighting.category.and_then(|code| code.chars().next())
}

/// What speaks for and against one matter.
struct Evidence {
    likeness: f64,
    metres: Option<f64>,
    /// Whether both name a building or door, and not the same.
    other_locator: bool,
    /// Whether both categories are known and in different branches of the catalogue.
    other_branch: bool,
    reasons: Vec<DuplicateReason>,
}

impl Evidence {
    /// How likely it is one matter, 0 to 1. The weights were fitted to the invented pairs (logistic
    /// regression beside unrelated reports of the same grid) and rounded.
    fn add_up(&self, policy: Duplicates) -> f64 {
        let near = f64::from(policy.metres);
        let place = match self.metres {
            Some(metres) if metres <= near => 0.6_f64.mul_add(1.0 - metres / near, 2.5),
            // Ten times as far counts against it twice as much.
            Some(metres) => -0.45 * (1.0 + ((metres - near) / (9.0 * near)).min(1.0)),
            None => 0.0,
        };
        let reasons = self.reasons.iter().map(|reason| match reason {
            DuplicateReason::IdenticalText => 1.5,
            DuplicateReason::SameAddress => 0.4,
            DuplicateReason::SameBuilding => 2.2,
            DuplicateReason::SameCategory => 1.7,
            DuplicateReason::SameArea => 1.0,
            DuplicateReason::CloseInTime => 0.3,
            // Counted by how much.
            DuplicateReason::SimilarText | DuplicateReason::Nearby => 0.0,
        });
        // Texts that agree for the most part need no place.
        let text = 2.0_f64.mul_add(self.likeness, 4.0 * (self.likeness - 0.5).max(0.0));
        let against = if self.other_locator { -3.5 } else { 0.0 }
            + if self.other_branch { -0.8 } else { 0.0 };
        let sum = -5.5 + text + place + reasons.sum::<f64>() + against;
        1.0 / (1.0 + (-sum).exp())
    }
}

/// What is compared of a sighting.
struct Features {
    text: String,
    terms: Terms,
    address: Option<String>,
    locators: Locators,
}

impl Features {
    fn new(sighting: &Sighting<'_>) -> Self {
        let address = sighting.address.map(normalise_text).filter(|address| !address.is_empty());
        let mut locators = Locators::read(sighting.text);
        locators.add(sighting.address.unwrap_or_default());
        Self {
            text: normalise_text(sighting.text),
            terms: Terms::read(sighting.text),
            address,
            locators,
        }
    }
}
