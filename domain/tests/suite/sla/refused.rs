//! Matrices that are refused, and their faults.

use domain::{
    calendar::limit::{Limit, LimitUnit},
    core::tabular_import::Fault,
    rules::{
        obligation::Duty,
        sla::{Column, Compiled, Matrix, Row, Tie},
        vocabulary::{Channel, Demand, Urgency},
    },
};

use super::{day, find_faults, find_ties, new_row, parse_matrix, with_known, with_rows};
use crate::suite::world::{GRID, GRID_NEXT, NOWHERE, STREET};

/// The one fault of the standard with these rows.
fn only_fault(rows: impl IntoIterator<Item = Row>) -> Fault {
    let found = find_faults(&with_rows(rows));
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// The one tie of the standard with these rows, which is its one fault.
fn only_tie(rows: impl IntoIterator<Item = Row>) -> Tie {
    let matrix = with_rows(rows);
    let found = find_ties(&matrix);
    assert_eq!((found.len(), find_faults(&matrix).len()), (1, 1), "{found:?}");
    found[0].clone()
}

/// The code, the pointer and what was given.
fn describe_fault(fault: &Fault) -> (&'static str, String, Option<&str>) {
    (fault.code, fault.pointer(), fault.find_fact("given"))
}

/// A valid row to be changed; its index is 23.
fn sound_row() -> Row {
    Row { demand: Some(Demand::Help), ..new_row("X-1", Duty::Close, "2h") }
}

#[test]
fn a_rule_without_an_owner_or_a_basis_is_refused() {
    let fault = only_fault([Row { owner: " ".into(), ..sound_row() }]);
    assert_eq!(describe_fault(&fault), ("missing", "/rows/23/owner".to_owned(), None));
    assert_eq!(
        fault.render_message(),
        ("内容不能为空；应为非空的文字".into(), "missing; expected non-empty text".into())
    );
    let fault = only_fault([Row { basis: String::new(), ..sound_row() }]);
    assert_eq!(describe_fault(&fault), ("missing", "/rows/23/basis".to_owned(), None));
    let fault = only_fault([Row { id: "长".repeat(41), ..sound_row() }]);
    assert_eq!(fault.code, "bad_text");
}

#[test]
fn what_is_not_known_is_refused() {
    let fault = only_fault([Row { category: Some("Z9".into()), ..sound_row() }]);
    assert_eq!(
        describe_fault(&fault),
        ("unknown_category", "/rows/23/category".to_owned(), Some("Z9"))
    );
    let fault = only_fault([Row { rank: Some("loud".into()), ..sound_row() }]);
    assert_eq!(describe_fault(&fault), ("unknown_rank", "/rows/23/rank".to_owned(), Some("loud")));
    let fault = only_fault([Row { area: Some(NOWHERE), ..sound_row() }]);
    assert_eq!(describe_fault(&fault).0, "unknown_area");
    assert_eq!(fault.find_fact("given"), Some(NOWHERE.to_string().as_str()));
}

#[test]
fn limits_days_and_ids_are_checked() {
    for limit in [
        Limit::hours(0),
        Limit::minutes(Limit::MAX + 1),
        Limit { amount: 2, unit: LimitUnit::SameDay },
    ] {
        let fault = only_fault([Row { limit, ..sound_row() }]);
        let given = limit.to_string();
        assert_eq!(
            describe_fault(&fault),
            ("bad_limit", "/rows/23/limit".to_owned(), Some(given.as_str()))
        );
    }
    let (from, until) = (day("2026-06-02"), day("2026-06-01"));
    let backward = Row { valid_from: Some(from), valid_until: Some(until), ..sound_row() };
    let fault = only_fault([backward]);
    let expected = ("backward", "/rows/23/valid_until".to_owned(), Some("2026-06-01"));
    assert_eq!(describe_fault(&fault), expected);
    let fault = only_fault([Row { id: "STD-03".into(), ..sound_row() }]);
    assert_eq!(describe_fault(&fault), ("duplicate_id", "/rows/23/id".to_owned(), Some("STD-03")));
    assert_eq!(fault.find_fact("first"), Some("/rows/2"));
}

#[test]
fn more_than_anybody_can_survey_is_refused() {
    let matrix = Matrix { rows: vec![sound_row(); Matrix::MAX_ROWS + 1] };
    let found = find_faults(&matrix);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code, found[0].find_fact("given")), ("too_many_rows", Some("5001")));
    let matrix = Matrix { rows: vec![sound_row(); 50] };
    assert_eq!(find_faults(&matrix).len(), Matrix::MAX_FAULTS);
}

#[test]
fn every_duty_needs_a_row_for_everything() {
    let found = find_faults(&Matrix::default());
    let limited: Vec<&Duty> = Duty::ALL.iter().filter(|duty| duty.has_limit()).collect();
    assert_eq!(found.len(), limited.len());
    for (fault, duty) in found.iter().zip(limited) {
        let named = format!("{} {}", duty.name(), duty.label());
        assert_eq!((fault.code, fault.find_fact("duty")), ("no_fallback", Some(named.as_str())));
        assert_eq!((fault.pointer(), fault.find_fact("from")), ("/rows".to_owned(), None));
    }
    let mut matrix = parse_matrix(domain::rules::sla::STANDARD);
    let close = matrix.rows.iter_mut().find(|row| row.duty == Duty::Close).unwrap();
    close.valid_until = Some(day("2026-12-31"));
    let from = Some(day("2027-01-01"));
    let found = find_faults(&matrix);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].find_fact("from"), found[0].find_fact("until")),
        (Some("2027-01-01"), None)
    );
    matrix.rows.push(Row { valid_from: from, ..new_row("next", Duty::Close, "8wh") });
    assert_eq!(find_faults(&matrix), []);
}

#[test]
fn a_tie_names_both_rows_a_matter_and_the_row_to_add() {
    let help = Row {
        area: Some(STREET),
        demand: Some(Demand::Help),
        valid_from: Some(day("2026-03-01")),
        ..new_row("help", Duty::Handle, "3wd")
    };
    let there = Row { area: Some(GRID), ..new_row("there", Duty::Handle, "4wd") };
    let matrix = with_rows([help, there]);
    let found = find_ties(&matrix);
    let tie = found.last().unwrap();
    assert_eq!((tie.rows, tie.same, tie.duty), ([23, 24], false, Duty::Handle));
    let matter = [(Column::Area, GRID.to_string()), (Column::Demand, "help".to_owned())];
    assert_eq!(tie.matter, matter);
    assert_eq!((tie.from, tie.until), (Some(day("2026-03-01")), None));
    let fault = Fault::from(tie);
    assert_eq!((fault.pointer().as_str(), fault.find_fact("other")), ("/rows/24", Some("help")));
    let (zh, en) = fault.render_message();
    assert!(en.contains("one more row with exactly these conditions"), "{en}");
    assert!(zh.contains("另加一条恰好是这些条件的时限"), "{zh}");
    // Both also tie with the standard's urgent rows.
    assert_eq!((found.len(), find_faults(&matrix).len()), (5, 5));
}

#[test]
fn the_same_conditions_twice_are_a_tie_that_no_row_settles() {
    let tie = only_tie([sound_row(), Row { id: "X-2".into(), ..sound_row() }]);
    assert!(tie.same);
    assert!(
        Fault::from(&tie)
            .render_message()
            .1
            .ends_with("one of the two to be removed, or to end before the other")
    );
}

#[test]
fn rows_that_never_meet_are_no_tie() {
    let apart = [
        [sound_row(), Row { demand: Some(Demand::Complaint), ..sound_row() }],
        [
            Row { valid_until: Some(day("2026-05-31")), ..sound_row() },
            Row { valid_from: Some(day("2026-06-01")), ..sound_row() },
        ],
        [
            Row { area: Some(GRID), ..sound_row() },
            Row { area: Some(GRID_NEXT), demand: None, ..sound_row() },
        ],
        [
            Row { category: Some("A01".into()), ..sound_row() },
            Row { category: Some("B".into()), demand: None, ..sound_row() },
        ],
    ];
    for [a, b] in apart {
        assert_eq!(find_faults(&with_rows([a, Row { id: "X-2".into(), ..b }])), []);
    }
}

#[test]
fn a_meeting_covered_for_a_while_is_a_tie_afterwards() {
    let phone =
        Row { channel: Some(Channel::Hotline), demand: None, id: "X-2".into(), ..sound_row() };
    let both = Row {
        channel: phone.channel,
        valid_until: Some(day("2026-06-30")),
        id: "X-3".into(),
        ..sound_row()
    };
    let tie = only_tie([sound_row(), phone, both]);
    assert_eq!((tie.from, tie.until), (Some(day("2026-07-01")), None));
}

#[test]
fn a_refused_matrix_is_not_compiled() {
    let refused = with_known(|known| Compiled::new(Matrix::default(), known)).unwrap_err();
    assert!(refused.iter().all(|fault| fault.code == "no_fallback"));
    let told = refused[0].to_string();
    assert_eq!(
        told,
        "Column rows: no fallback: duty “accept 受理”; expected a row without conditions"
    );
}

#[test]
fn unknown_fields_of_a_row_are_refused() {
    let mut json =
        serde_json::to_value(Row { urgency: Some(Urgency::Urgent), ..sound_row() }).unwrap();
    assert!(serde_json::from_value::<Row>(json.clone()).is_ok());
    json["weekday"] = 3.into();
    assert!(serde_json::from_value::<Row>(json).is_err());
}
