//! Matrices that are refused, and what is told about them.

use domain::{
    limit::{Limit, LimitUnit},
    obligation::Duty,
    report::Channel,
    rules::Urgency,
    sla::{Column, Compiled, Demand, Fault, Matrix, Row},
};

use super::{day, faults, known, parsed, rule, with};
use crate::suite::world::{GRID, GRID_NEXT, NOWHERE, STREET};

/// The one fault of the standard with these rows.
fn only(rows: impl IntoIterator<Item = Row>) -> Fault {
    let found = faults(&with(rows));
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// A row that is right, to be spoilt; it is row 24.
fn sound() -> Row {
    Row { demand: Some(Demand::Help), ..rule("X-1", Duty::Close, "2h") }
}

#[test]
fn a_rule_without_an_owner_or_a_basis_is_refused() {
    let fault = only([Row { owner: " ".into(), ..sound() }]);
    assert_eq!(fault.code(), "missing");
    assert_eq!(fault.to_string(), "row 24, owner: text must not be empty");
    let fault = only([Row { basis: String::new(), ..sound() }]);
    assert_eq!((fault.code(), fault.to_string().contains("basis")), ("missing", true));
    let fault = only([Row { id: "长".repeat(41), ..sound() }]);
    assert_eq!(fault.code(), "bad_text");
}

#[test]
fn what_is_not_known_is_refused() {
    let fault = only([Row { category: Some("Z9".into()), ..sound() }]);
    assert_eq!(fault, Fault::UnknownCategory { row: 24, code: "Z9".into() });
    let fault = only([Row { rank: Some("loud".into()), ..sound() }]);
    assert_eq!(fault, Fault::UnknownRank { row: 24, code: "loud".into() });
    let fault = only([Row { area: Some(NOWHERE), ..sound() }]);
    assert_eq!(fault, Fault::UnknownArea { row: 24, area: NOWHERE });
}

#[test]
fn limits_days_and_ids_are_checked() {
    for limit in [
        Limit::hours(0),
        Limit::minutes(Limit::MAX + 1),
        Limit { amount: 2, unit: LimitUnit::SameDay },
    ] {
        assert_eq!(only([Row { limit, ..sound() }]), Fault::Limit { row: 24, limit });
    }
    let (from, until) = (day("2026-06-02"), day("2026-06-01"));
    let backward = Row { valid_from: Some(from), valid_until: Some(until), ..sound() };
    assert_eq!(only([backward]), Fault::Backward { row: 24, from, until });
    let fault = only([Row { id: "STD-03".into(), ..sound() }]);
    assert_eq!(fault, Fault::DuplicateId { rows: [3, 24], id: "STD-03".into() });
}

#[test]
fn more_than_anybody_can_survey_is_refused() {
    let matrix = Matrix { rows: vec![sound(); Matrix::MAX_ROWS + 1] };
    assert_eq!(faults(&matrix), [Fault::TooManyRows { count: 5_001 }]);
    let matrix = Matrix { rows: vec![sound(); 50] };
    assert_eq!(faults(&matrix).len(), Matrix::MAX_FAULTS);
}

#[test]
fn every_duty_needs_a_row_for_everything() {
    let found = faults(&Matrix::default());
    let limited: Vec<&Duty> = Duty::ALL.iter().filter(|duty| duty.limited()).collect();
    assert_eq!(found.len(), limited.len());
    for (fault, duty) in found.iter().zip(limited) {
        assert_eq!(*fault, Fault::NoFallback { duty: *duty, from: None, until: None });
    }
    let mut matrix = parsed(domain::sla::STANDARD);
    let close = matrix.rows.iter_mut().find(|row| row.duty == Duty::Close).unwrap();
    close.valid_until = Some(day("2026-12-31"));
    let from = Some(day("2027-01-01"));
    assert_eq!(faults(&matrix), [Fault::NoFallback { duty: Duty::Close, from, until: None }]);
    matrix.rows.push(Row { valid_from: from, ..rule("next", Duty::Close, "8wh") });
    assert_eq!(faults(&matrix), []);
}

#[test]
fn a_tie_names_both_rows_a_matter_and_the_row_to_add() {
    let help = Row {
        area: Some(STREET),
        demand: Some(Demand::Help),
        valid_from: Some(day("2026-03-01")),
        ..rule("help", Duty::Handle, "3wd")
    };
    let there = Row { area: Some(GRID), ..rule("there", Duty::Handle, "4wd") };
    let found = faults(&with([help, there]));
    let Fault::Tie(tie) = found.last().unwrap() else { panic!("{found:?}") };
    assert_eq!((tie.rows, tie.same, tie.duty), ([24, 25], false, Duty::Handle));
    let matter = [(Column::Area, GRID.to_string()), (Column::Demand, "help".to_owned())];
    assert_eq!(tie.matter, matter);
    assert_eq!((tie.from, tie.until), (Some(day("2026-03-01")), None));
    let told = tie.to_string();
    assert!(told.contains("rows 24 (help) and 25 (there)"), "{told}");
    assert!(told.contains("add a row with exactly these conditions"), "{told}");
    // Both also tie with the standard's urgent rows.
    assert_eq!(found.len(), 5);
}

#[test]
fn the_same_conditions_twice_are_a_tie_that_no_row_settles() {
    let Fault::Tie(tie) = only([sound(), Row { id: "X-2".into(), ..sound() }]) else { panic!() };
    assert!(tie.same);
    assert!(tie.to_string().ends_with("remove one or let it end before"), "{tie}");
}

#[test]
fn rows_that_never_meet_are_no_tie() {
    let apart = [
        [sound(), Row { demand: Some(Demand::Complaint), ..sound() }],
        [
            Row { valid_until: Some(day("2026-05-31")), ..sound() },
            Row { valid_from: Some(day("2026-06-01")), ..sound() },
        ],
        [
            Row { area: Some(GRID), ..sound() },
            Row { area: Some(GRID_NEXT), demand: None, ..sound() },
        ],
        [
            Row { category: Some("A01".into()), ..sound() },
            Row { category: Some("B".into()), demand: None, ..sound() },
        ],
    ];
    for [a, b] in apart {
        assert_eq!(faults(&with([a, Row { id: "X-2".into(), ..b }])), []);
    }
}

#[test]
fn a_meeting_covered_for_a_while_is_a_tie_afterwards() {
    let phone = Row { channel: Some(Channel::Hotline), demand: None, id: "X-2".into(), ..sound() };
    let both = Row {
        channel: phone.channel,
        valid_until: Some(day("2026-06-30")),
        id: "X-3".into(),
        ..sound()
    };
    let Fault::Tie(tie) = only([sound(), phone, both]) else { panic!() };
    assert_eq!((tie.from, tie.until), (Some(day("2026-07-01")), None));
}

#[test]
fn a_refused_matrix_is_not_compiled() {
    let refused = known(|known| Compiled::new(Matrix::default(), known)).unwrap_err();
    assert!(refused.iter().all(|fault| fault.code() == "no_fallback"));
    let told = refused[0].to_string();
    assert_eq!(told, "no row without conditions for accept (受理) on any day; add one");
}

#[test]
fn unknown_fields_of_a_row_are_refused() {
    let mut json = serde_json::to_value(Row { urgency: Some(Urgency::Urgent), ..sound() }).unwrap();
    assert!(serde_json::from_value::<Row>(json.clone()).is_ok());
    json["weekday"] = 3.into();
    assert!(serde_json::from_value::<Row>(json).is_err());
}
