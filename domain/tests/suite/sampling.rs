//! Samples: repeatable, even, and growing with their percentage.

use domain::rules::sampling::{Percent, Sampling};
use proptest::prelude::*;
use uuid::Uuid;

fn new_sampling(percent: u8) -> Sampling {
    Sampling { percent: Percent::try_from(percent).unwrap() }
}

/// How many of 10 000 cases are chosen.
fn count_chosen(percent: u8, round: u32, salt: &str) -> usize {
    (0..10_000)
        .filter(|id| new_sampling(percent).selects_case(Uuid::from_u128(*id), round, salt))
        .count()
}

#[test]
fn a_sample_is_as_large_as_asked() {
    assert_eq!(count_chosen(0, 1, "salt"), 0);
    assert_eq!(count_chosen(100, 1, "salt"), 10_000);
    for percent in [1, 10, 33, 50, 90] {
        let expected = usize::from(percent) * 100;
        let got = count_chosen(percent, 1, "salt");
        // Five standard deviations of a fair draw are 250 at most.
        assert!(got.abs_diff(expected) < 250, "{percent} %: {got}");
    }
}

#[test]
fn the_choice_is_the_same_in_every_edition() {
    let chosen: Vec<u128> = (0..60)
        .filter(|id| new_sampling(10).selects_case(Uuid::from_u128(*id), 1, "2026"))
        .collect();
    assert_eq!(chosen, CHOSEN);
}

/// Computed by another program from the same bytes.
const CHOSEN: &[u128] = &[0, 10, 13, 28, 30, 45, 49, 55];

#[test]
fn a_percentage_is_at_most_a_hundred() {
    assert!(Percent::try_from(101).is_err());
    assert!(serde_json::from_str::<Sampling>(r#"{"percent":101}"#).is_err());
    assert!(serde_json::from_str::<Sampling>(r#"{"percent":10,"x":1}"#).is_err());
    assert_eq!(
        serde_json::from_str::<Sampling>(r#"{"percent":100}"#).unwrap(),
        Sampling::standard()
    );
}

proptest! {
    #[test]
    fn a_larger_percentage_chooses_no_fewer(
        id: u128, round: u32, salt in ".{0,8}", one in 0u8..=100, two in 0u8..=100,
    ) {
        let chosen = |percent| new_sampling(percent).selects_case(Uuid::from_u128(id), round, &salt);
        prop_assert!(chosen(one.max(two)) || !chosen(one.min(two)));
        prop_assert_eq!(chosen(one), chosen(one));
    }

    #[test]
    fn another_round_or_salt_draws_anew(round in 0u32..1_000) {
        let differ = |other: (u32, &str)| (0..200u128).any(|id| {
            let case = Uuid::from_u128(id);
            new_sampling(50).selects_case(case, round, "a") != new_sampling(50).selects_case(case, other.0, other.1)
        });
        prop_assert!(differ((round + 1, "a")) && differ((round, "b")));
    }
}
