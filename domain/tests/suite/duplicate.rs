//! Suggested duplicates at intake.

use chrono::Duration;
use domain::{
    area::coordinate::Point,
    core::{id::CaseId, tabular_import::At},
    rules::duplicate::{
        Candidate, DuplicateReason as Reason, Duplicates, Existing, MAX_CANDIDATES, Sighting,
    },
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

fn point_at(metres: f64) -> Point {
    Point { lng: 118.77, lat: metres.mul_add(METRE, 32.06) }
}

fn sighting_at(metres: f64) -> Sighting<'static> {
    Sighting {
        point: Some(point_at(metres)),
        area: GRID,
        address: Some("湖滨路 12 号"),
        category: Some("A01"),
        text: "餐馆油烟直排，下水道外溢",
        at: morning(),
    }
}

fn list_existing<'a>(old: &[Sighting<'a>]) -> Vec<Existing<'a>> {
    let existing = |(number, sighting): (u128, &Sighting<'a>)| Existing {
        case: case_id(number),
        sighting: *sighting,
        open: true,
        same_reporter: false,
    };
    (0..).zip(old).map(existing).collect()
}

fn find_candidates(new: &Sighting<'_>, old: &[Sighting<'_>]) -> Vec<Candidate> {
    Duplicates::standard().find_candidates(new, list_existing(old))
}

fn find_cases(new: &Sighting<'_>, old: &[Sighting<'_>]) -> Vec<CaseId> {
    find_candidates(new, old).iter().map(|candidate| candidate.case).collect()
}

#[test]
fn near_cases_come_nearest_first_and_say_why() {
    let old = [sighting_at(40.0), sighting_at(-10.0), sighting_at(49.9)];
    let found = find_candidates(&sighting_at(0.0), &old);
    let ids: Vec<_> = found.iter().map(|candidate| candidate.case).collect();
    assert_eq!(ids, [case_id(1), case_id(0), case_id(2)]);
    assert!((found[0].metres.unwrap() - 10.0).abs() < 0.1);
    assert_eq!(
        found[0].reasons,
        [
            Reason::IdenticalText,
            Reason::Nearby,
            Reason::SameAddress,
            Reason::SameBuilding,
            Reason::SameCategory,
            Reason::CloseInTime
        ]
    );
}

#[test]
fn two_people_call_one_thing_by_other_words() {
    let new =
        Sighting { text: "店里的烧烤味呛人，油烟机往楼道排", ..sighting_at(0.0) };
    let found = find_candidates(&new, &[sighting_at(20.0)]);
    assert_eq!(found.len(), 1);
    assert!(!found[0].reasons.contains(&Reason::IdenticalText));
}

#[test]
fn one_point_stands_for_many_matters() {
    // The gate of a community office: no address, no category known yet.
    let at_gate = |text| Sighting { text, address: None, category: None, ..sighting_at(0.0) };
    let old = [at_gate("电梯困人，物业没人管"), at_gate("咨询养老认证怎么办")];
    assert_eq!(find_cases(&at_gate("路口井盖松动，车压过很响"), &old), []);
    let same = [old[0], at_gate("路口的井盖松了，一压就响")];
    assert_eq!(find_cases(&at_gate("路口井盖松动，车压过很响"), &same), [case_id(1)]);
}

#[test]
fn another_building_is_another_place() {
    let at =
        |address, text| Sighting { point: None, address: Some(address), text, ..sighting_at(0.0) };
    let new = at("枫林苑3栋2单元", "楼道堆放杂物");
    let old = [at("枫林苑13栋2单元", "楼道堆放杂物了"), at("枫林苑3幢二单元", "楼道堆杂物")];
    assert_eq!(find_cases(&new, &old), [case_id(1)]);
}

#[test]
fn the_same_text_is_found_without_a_place() {
    let nowhere = Sighting { point: None, address: None, ..sighting_at(0.0) };
    assert_eq!(find_cases(&nowhere, &[nowhere]), [case_id(0)]);
    let unclassed = Sighting { category: None, ..nowhere };
    let reworded = Sighting { text: "餐馆油烟直排，下水道外溢！！", ..unclassed };
    assert_eq!(find_cases(&unclassed, &[reworded]), [case_id(0)]);
}

#[test]
fn the_same_text_of_the_same_reporter_is_found_wherever_it_lies() {
    let new = sighting_at(0.0);
    let far = Sighting {
        area: GRID_NEXT,
        address: None,
        category: Some("B01"),
        at: morning() - Duration::days(29),
        ..sighting_at(5_000.0)
    };
    let find = |sighting: Sighting<'static>, same_reporter| {
        let existing = Existing { case: case_id(7), sighting, open: true, same_reporter };
        Duplicates::standard().find_candidates(&new, [existing]).len()
    };
    assert_eq!(find(far, true), 1);
    assert_eq!(find(far, false), 0);
    assert_eq!(find(Sighting { text: "另一件事", ..far }, true), 0);
    assert_eq!(find(Sighting { at: morning() - Duration::days(31), ..far }, true), 0);
}

#[test]
fn known_categories_must_agree_where_the_policy_says_so() {
    let other = Sighting { category: Some("B01"), ..sighting_at(0.0) };
    let unknown = Sighting { category: None, ..sighting_at(0.0) };
    let old = list_existing(&[other, unknown]);
    let strict = Duplicates { same_category: true, ..Duplicates::standard() };
    let found = strict.find_candidates(&sighting_at(0.0), old.clone());
    assert_eq!(found.iter().map(|one| one.case).collect::<Vec<_>>(), [case_id(1)]);
    assert_eq!(Duplicates::standard().find_candidates(&sighting_at(0.0), old).len(), 2);
}

#[test]
fn closed_cases_are_not_suggested() {
    let closed = Existing { open: false, ..list_existing(&[sighting_at(0.0)])[0] };
    assert_eq!(Duplicates::standard().find_candidates(&sighting_at(0.0), [closed]), vec![]);
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

/// A row of the invented pairs.
struct Pair {
    same: bool,
    first: Sighting<'static>,
    second: Sighting<'static>,
    same_reporter: bool,
}

/// 276 pairs of reports invented by somebody who did not know the rules, half of them hard in one
/// way or another: the same words about something else, other words about the same.
const PAIRS: &str = include_str!("../data/similar_pairs.tsv");

fn read_pairs() -> Vec<Pair> {
    let text = |text: &'static str| Some(text).filter(|text| !text.is_empty());
    let read = |line: &'static str| {
        let [
            _,
            same,
            _,
            first_text,
            first_address,
            first_category,
            second_text,
            second_address,
            second_category,
            metres,
            area,
            reporter,
            minutes,
        ] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let metres: Option<f64> = text(metres).map(|metres| metres.parse().unwrap());
        let first = Sighting {
            point: metres.map(|_| point_at(0.0)),
            area: GRID,
            address: text(first_address),
            category: text(first_category),
            text: first_text,
            at: morning(),
        };
        let second = Sighting {
            point: metres.map(point_at),
            area: if area == "same" { GRID } else { GRID_NEXT },
            address: text(second_address),
            category: text(second_category),
            text: second_text,
            at: morning() + Duration::minutes(minutes.parse().unwrap()),
        };
        Pair { same: same == "yes", first, second, same_reporter: reporter == "same" }
    };
    PAIRS.lines().skip(1).map(read).collect()
}

#[test]
fn invented_pairs_are_told_apart_as_well_as_was_measured() {
    let pairs = read_pairs();
    assert!(pairs.len() >= 200);
    let (mut right, mut wrong, mut one_matter, mut found_of_them) = (0, 0, 0, 0);
    for (number, pair) in pairs.iter().enumerate() {
        // Beside its own pair a report is compared with 40 others of the grid, without points.
        let others = pairs.iter().cycle().skip(number + 1).take(40).enumerate();
        let others = others.map(|(index, other)| Existing {
            case: case_id(u128::try_from(index).unwrap() + 1),
            sighting: Sighting { point: None, at: pair.second.at, ..other.first },
            open: true,
            same_reporter: false,
        });
        let own = Existing {
            case: case_id(0),
            sighting: pair.first,
            open: true,
            same_reporter: pair.same_reporter,
        };
        let policy = Duplicates::standard();
        let found = policy.find_candidates(&pair.second, others.chain([own]));
        let hit = found.iter().any(|candidate| candidate.case == case_id(0));
        one_matter += i32::from(pair.same);
        found_of_them += i32::from(pair.same && hit);
        right += i32::from(pair.same && hit);
        wrong += i32::try_from(found.len()).unwrap() - i32::from(pair.same && hit);
    }
    let precision = f64::from(right) / f64::from(right + wrong);
    let recall = f64::from(found_of_them) / f64::from(one_matter);
    println!("precision {precision:.3}, recall {recall:.3}, {right} right, {wrong} wrong");
    assert!(precision >= 0.55, "{precision}");
    assert!(recall >= 0.58, "{recall}");
}

proptest! {
    #[test]
    fn what_is_suggested_does_not_depend_on_order(
        away in prop::collection::vec((-80.0..80.0f64, -2_000i64..2_000), 0..30),
    ) {
        let seen = |(number, (metres, minutes)): (u128, &(f64, i64))| Existing {
            case: case_id(number),
            sighting: Sighting { at: morning() + Duration::minutes(*minutes), ..sighting_at(*metres) },
            open: true,
            same_reporter: false,
        };
        let old: Vec<_> = (0..).zip(&away).map(seen).collect();
        let policy = Duplicates::standard();
        let found = policy.find_candidates(&sighting_at(0.0), old.clone());
        prop_assert_eq!(&found, &policy.find_candidates(&sighting_at(0.0), old.into_iter().rev()));
        prop_assert!(found.len() <= MAX_CANDIDATES);
        prop_assert!(found.is_sorted_by(|one, two| one.score >= two.score));
        prop_assert!(found.iter().all(|candidate| (0.0..=1.0).contains(&candidate.score)));
        prop_assert!(found.iter().all(|candidate| !candidate.reasons.is_empty()));
    }
}
