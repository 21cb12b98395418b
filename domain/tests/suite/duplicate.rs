//! Suggested duplicates at intake.

use chrono::Duration;
use domain::{
    area::coordinate::Point,
    core::{id::CaseId, tabular_import::At},
    rules::duplicate::{Candidate, Duplicates, MAX_CANDIDATES, Sighting, normalise_address},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    lists::locate_faults,
    world::{GRID, GRID_NEXT, morning},
};

/// One metre northwards, in degrees.
const METRE: f64 = 1.0 / 111_195.0;

fn case_id(number: u128) -> CaseId {
    CaseId(Uuid::from_u128(number))
}

fn sighting_at(metres: f64) -> Sighting<'static> {
    Sighting {
        point: Some(Point { lng: 118.77, lat: metres.mul_add(METRE, 32.06) }),
        area: GRID,
        address: Some("湖滨路 12 号"),
        category: Some("A01"),
        at: morning(),
    }
}

fn find_candidates(new: &Sighting<'_>, old: &[Sighting<'_>]) -> Vec<Candidate> {
    let existing = (0..).zip(old).map(|(number, seen)| (case_id(number), *seen, true));
    Duplicates::standard().find_candidates(new, existing)
}

fn find_cases(new: &Sighting<'_>, old: &[Sighting<'_>]) -> Vec<CaseId> {
    find_candidates(new, old).iter().map(|candidate| candidate.case).collect()
}

#[test]
fn near_cases_come_nearest_first() {
    let found = find_candidates(
        &sighting_at(0.0),
        &[sighting_at(40.0), sighting_at(51.0), sighting_at(-10.0), sighting_at(49.9)],
    );
    let ids: Vec<_> = found.iter().map(|candidate| candidate.case).collect();
    assert_eq!(ids, [case_id(2), case_id(0), case_id(3)]);
    assert!((found[0].metres.unwrap() - 10.0).abs() < 0.1);
}

#[test]
fn time_counts_in_both_directions() {
    let at = |minutes| Sighting { at: morning() + Duration::minutes(minutes), ..sighting_at(0.0) };
    let old = [at(-1440), at(-1441), at(1440), at(1441), at(5)];
    assert_eq!(find_cases(&sighting_at(0.0), &old), [case_id(4), case_id(0), case_id(2)]);
}

#[test]
fn known_categories_must_agree_where_the_policy_says_so() {
    let other = Sighting { category: Some("B01"), ..sighting_at(0.0) };
    let unknown = Sighting { category: None, ..sighting_at(0.0) };
    assert_eq!(find_cases(&sighting_at(0.0), &[other, unknown]), [case_id(1)]);
    let loose = Duplicates { same_category: false, ..Duplicates::standard() };
    assert_eq!(loose.find_candidates(&sighting_at(0.0), [(case_id(0), other, true)]).len(), 1);
}

#[test]
fn closed_cases_are_not_suggested() {
    let found = Duplicates::standard()
        .find_candidates(&sighting_at(0.0), [(case_id(0), sighting_at(0.0), false)]);
    assert_eq!(found, vec![]);
}

#[test]
fn without_a_point_the_same_address_counts() {
    let indoors = |address| Sighting { point: None, address, ..sighting_at(0.0) };
    let new = indoors(Some("湖滨路１２号，Ａ座"));
    let same = indoors(Some(" 湖滨路 12 号 a座"));
    let old = [
        same,
        indoors(Some("湖滨路13号")),
        indoors(None),
        Sighting { area: GRID_NEXT, ..same },
        Sighting { category: None, ..same },
        Sighting { address: same.address, ..sighting_at(900.0) },
    ];
    let found = find_candidates(&new, &old);
    assert!(found.iter().all(|candidate| candidate.metres.is_none()));
    assert_eq!(find_cases(&new, &old), [case_id(0), case_id(5)]);
    let blank = indoors(Some("，。"));
    assert_eq!(find_cases(&blank, &[blank]), [], "nothing is no address");
    let unclassed = Sighting { category: None, ..same };
    assert_eq!(find_cases(&unclassed, &[unclassed]), []);
    assert_eq!(normalise_address("Ａ－１２ ｂ（东）"), "a12b东");
}

#[test]
fn a_policy_has_bounds() {
    let check = |metres, hours| {
        locate_faults(&Duplicates { metres, hours, ..Duplicates::standard() }.check())
    };
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
            (case_id(number), Sighting { at: morning() + Duration::minutes(*minutes), ..sighting_at(*metres) }, true)
        };
        let old: Vec<_> = (0..).zip(&away).map(seen).collect();
        let policy = Duplicates::standard();
        let found = policy.find_candidates(&sighting_at(0.0), old.clone());
        prop_assert_eq!(&found, &policy.find_candidates(&sighting_at(0.0), old.into_iter().rev()));
        prop_assert!(found.len() <= MAX_CANDIDATES);
        prop_assert!(found.is_sorted_by_key(|candidate| candidate.metres));
        prop_assert!(found.iter().all(|candidate| candidate.metres.unwrap() <= 50.0));
        prop_assert!(found.iter().all(|candidate| candidate.age <= Duration::hours(24)));
    }
}
