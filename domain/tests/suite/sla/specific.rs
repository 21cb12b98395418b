//! Which row wins, and why.

use domain::rules::{
    obligation::Duty,
    sla::{Column, Compiled, Query, Row, Unmet, Verdict},
    vocabulary::{Channel, Demand, Urgency},
};

use super::{day, find_faults, new_row, query, with_known, with_rows};
use crate::suite::world::{GRID, GRID_NEXT, STREET};

fn compile_rows(rows: impl IntoIterator<Item = Row>) -> Compiled {
    with_known(|known| Compiled::new(with_rows(rows), known)).unwrap()
}

fn find_winner(compiled: &Compiled, query: &Query<'_>) -> String {
    compiled.find(query).unwrap().id.clone()
}

#[test]
fn a_deeper_area_wins() {
    let street = Row { area: Some(STREET), ..new_row("street", Duty::Close, "2h") };
    let grid = Row { area: Some(GRID), ..new_row("grid", Duty::Close, "1h") };
    let rules = compile_rows([street, grid]);
    let mut asked = query(Duty::Close);
    assert_eq!(find_winner(&rules, &asked), "grid");
    let beside = [&[GRID_NEXT], &asked.area[1..]].concat();
    asked.area = &beside;
    assert_eq!(find_winner(&rules, &asked), "street");
    asked.area = &beside[3..];
    assert_eq!(find_winner(&rules, &asked), "STD-17");
    asked.area = &[];
    assert_eq!(find_winner(&rules, &asked), "STD-17");
}

#[test]
fn a_sub_class_wins_over_its_class() {
    let class = Row { category: Some("A".into()), ..new_row("class", Duty::Close, "2h") };
    let sub = Row { category: Some("A01".into()), ..new_row("sub", Duty::Close, "1h") };
    let rules = compile_rows([class, sub]);
    let of = |category| find_winner(&rules, &Query { category, ..query(Duty::Close) });
    assert_eq!(of(&["A01", "A"]), "sub");
    assert_eq!(of(&["A02", "A"]), "class");
    assert_eq!(of(&["A"]), "class");
    assert_eq!(of(&["B01", "B"]), "STD-17");
    assert_eq!(of(&[]), "STD-17");
}

#[test]
fn what_is_not_known_meets_no_condition() {
    let row = Row { channel: Some(Channel::Hotline), ..new_row("phone", Duty::Close, "1h") };
    let rules = compile_rows([row]);
    let of = |channel| find_winner(&rules, &Query { channel, ..query(Duty::Close) });
    assert_eq!(of(Some(Channel::Hotline)), "phone");
    assert_eq!(of(Some(Channel::Window)), "STD-17");
    assert_eq!(of(None), "STD-17");
}

#[test]
fn a_rule_holds_from_its_first_day_to_its_last() {
    let summer = Row {
        urgency: Some(Urgency::Normal),
        valid_from: Some(day("2026-06-01")),
        valid_until: Some(day("2026-08-31")),
        ..new_row("summer", Duty::Close, "1h")
    };
    let rules = compile_rows([summer]);
    let of = |on| find_winner(&rules, &Query { on: day(on), ..query(Duty::Close) });
    assert_eq!(of("2026-05-31"), "STD-17");
    assert_eq!(of("2026-06-01"), "summer");
    assert_eq!(of("2026-08-31"), "summer");
    assert_eq!(of("2026-09-01"), "STD-17");
}

#[test]
fn every_row_tells_why() {
    let help = Row { demand: Some(Demand::Help), ..new_row("help", Duty::Close, "2h") };
    let there = Row {
        area: Some(GRID_NEXT),
        demand: Some(Demand::Help),
        valid_until: Some(day("2026-05-31")),
        ..new_row("there", Duty::Close, "1h")
    };
    let rules = compile_rows([help, there]);
    let asked = Query { demand: Some(Demand::Help), ..query(Duty::Close) };
    let told = rules.explain_rows(&asked);
    let ids: Vec<&str> = told.iter().map(|one| one.row.id.as_str()).collect();
    assert_eq!(ids, ["there", "help", "STD-17"]);
    let Verdict::Fails { unmet } = &told[0].verdict else { panic!("{told:?}") };
    let until = Unmet {
        column: Column::ValidUntil,
        wanted: "2026-05-31".into(),
        given: Some("2026-06-01".into()),
    };
    let area = Unmet {
        column: Column::Area,
        wanted: GRID_NEXT.to_string(),
        given: Some(GRID.to_string()),
    };
    assert_eq!(*unmet, [area, until]);
    assert_eq!(told[1].verdict, Verdict::Wins);
    assert_eq!(told[2].verdict, Verdict::Applies);
}

#[test]
fn two_rows_of_which_a_third_covers_the_meeting_are_no_tie() {
    let help = Row { demand: Some(Demand::Help), ..new_row("help", Duty::Close, "2h") };
    let phone = Row { channel: Some(Channel::Hotline), ..new_row("phone", Duty::Close, "3h") };
    let both = Row { channel: phone.channel, ..Row { id: "both".into(), ..help.clone() } };
    assert_eq!(find_faults(&with_rows([help.clone(), phone.clone()])).len(), 1);
    let rules = compile_rows([help, phone, both]);
    let channel = Some(Channel::Hotline);
    let asked = Query { demand: Some(Demand::Help), channel, ..query(Duty::Close) };
    assert_eq!(find_winner(&rules, &asked), "both");
}
