//! Suggested duplicates at intake.

use chrono::Duration;
use domain::{
    area::coordinate::Point,
    core::{id::CaseId, sheet::At},
    rules::duplicate::{Candidate, Duplicates, MAX_CANDIDATES, Sighting, normalised},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    lists::found,
    world::{GRID, GRID_NEXT, morning},
};

/// One metre northwards, in degrees.
const METRE: f64 = 1.0 / 111_195.0;

fn case(number: u128) -> CaseId {
    CaseId(Uuid::from_u128(number))
}

fn here(metres: f64) -> Sighting<'static> {
    Sighting {
        point: Some(Point { lng: 118.77, lat: metres.mul_add(METRE, 32.06) }),
        area: GRID,
        address: Some("湖滨路 12 号"),
        category: Some("A01"),
        at: morning(),
    }
}

fn candidates(new: &Sighting<'_>, old: &[Sighting<'_>]) -> Vec<Candidate> {
    let existing = (0..).zip(old).map(|(number, seen)| (case(number), *seen, true));
    Duplicates::standard().candidates(new, existing)
}

fn cases(new: &Sighting<'_>, old: &[Sighting<'_>]) -> Vec<CaseId> {
    candidates(new, old).iter().map(|candidate| candidate.case).collect()
}

#[test]
fn near_cases_come_nearest_first() {
    let found = candidates(&here(0.0), &[here(40.0), here(51.0), here(-10.0), here(49.9)]);
    let ids: Vec<_> = found.iter().map(|candidate| candidate.case).collect();
    assert_eq!(ids, [case(2), case(0), case(3)]);
    assert!((found[0].metres.unwrap() - 10.0).abs() < 0.1);
}

#[test]
fn time_counts_in_both_directions() {
    let at = |minutes| Sighting { at: morning() + Duration::minutes(minutes), ..here(0.0) };
    let old = [at(-1440), at(-1441), at(1440), at(1441), at(5)];
    assert_eq!(cases(&here(0.0), &old), [case(4), case(0), case(2)]);
}

#[test]
fn known_categories_must_agree_where_the_policy_says_so() {
    let other = Sighting { category: Some("B01"), ..here(0.0) };
    let unknown = Sighting { category: None, ..here(0.0) };
    assert_eq!(cases(&here(0.0), &[other, unknown]), [case(1)]);
    let loose = Duplicates { same_category: false, ..Duplicates::standard() };
    assert_eq!(loose.candidates(&here(0.0), [(case(0), other, true)]).len(), 1);
}

#[test]
fn closed_cases_are_not_suggested() {
    let found = Duplicates::standard().candidates(&here(0.0), [(case(0), here(0.0), false)]);
    assert_eq!(found, vec![]);
}

#[test]
fn without_a_point_the_same_address_counts() {
    let indoors = |address| Sighting { point: None, address, ..here(0.0) };
    let new = indoors(Some("湖滨路１２号，Ａ座"));
    let same = indoors(Some(" 湖滨路 12 号 a座"));
    let old = [
        same,
        indoors(Some("湖滨路13号")),
        indoors(None),
        Sighting { area: GRID_NEXT, ..same },
        Sighting { category: None, ..same },
        Sighting { address: same.address, ..here(900.0) },
    ];
    let found = candidates(&new, &old);
    assert!(found.iter().all(|candidate| candidate.metres.is_none()));
    assert_eq!(cases(&new, &old), [case(0), case(5)]);
    let blank = indoors(Some("，。"));
    assert_eq!(cases(&blank, &[blank]), [], "nothing is no address");
    let unclassed = Sighting { category: None, ..same };
    assert_eq!(cases(&unclassed, &[unclassed]), []);
    assert_eq!(normalised("Ａ－１２ ｂ（东）"), "a12b东");
}

#[test]
fn a_policy_has_bounds() {
    let check =
        |metres, hours| found(&Duplicates { metres, hours, ..Duplicates::standard() }.check());
    assert_eq!(check(50, 24), vec![]);
    let wrong = |column| (At::Whole, column, "out_of_range");
    assert_eq!(check(0, 8_761), vec![wrong("metres"), wrong("hours")]);
    assert!(serde_json::from_str::<Duplicates>(r#"{"metres":1,"hours":1}"#).is_err());
}

proptest! {
    #[test]
    fn what_is_suggested_does_not_depend_on_order(
        away in prop::collection::vec((-80.0..80.0f64, -2_000i64..2_000), 0..30),
    ) {
        let seen = |(number, (metres, minutes)): (u128, &(f64, i64))| {
            (case(number), Sighting { at: morning() + Duration::minutes(*minutes), ..here(*metres) }, true)
        };
        let old: Vec<_> = (0..).zip(&away).map(seen).collect();
        let policy = Duplicates::standard();
        let found = policy.candidates(&here(0.0), old.clone());
        prop_assert_eq!(&found, &policy.candidates(&here(0.0), old.into_iter().rev()));
        prop_assert!(found.len() <= MAX_CANDIDATES);
        prop_assert!(found.is_sorted_by_key(|candidate| candidate.metres));
        prop_assert!(found.iter().all(|candidate| candidate.metres.unwrap() <= 50.0));
        prop_assert!(found.iter().all(|candidate| candidate.age <= Duration::hours(24)));
    }
}
