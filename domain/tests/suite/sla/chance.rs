//! Random matrices against the definition of the most specific row.

use domain::{
    calendar::limit::Limit,
    core::id::AreaId,
    rules::{
        catalogue::Catalogue,
        obligation::Duty,
        sla::{Column, Compiled, Matrix, Query, Row, Verdict, ancestry},
        vocabulary::{Demand, Urgency},
    },
};
use proptest::prelude::any;

use super::{CATALOGUE, day, find_faults, find_ties, new_row, query, with_known, with_rows};
use crate::suite::{
    chance::{Dice, new_runner},
    world::{CITY, DISTRICT, DISTRICT_BESIDE, GRID, GRID_NEXT, STREET, WORLD},
};

const AREAS: [AreaId; 6] = [CITY, DISTRICT, DISTRICT_BESIDE, STREET, GRID, GRID_NEXT];
const DEMANDS: [Demand; 2] = [Demand::Help, Demand::Complaint];
const CATEGORIES: [&str; 4] = ["A", "A01", "A02", "B"];
const DAYS: [&str; 4] = ["2026-01-01", "2026-03-01", "2026-06-01", "2026-09-01"];

fn pick_sometimes<T: Clone>(dice: &mut Dice, of: &[T]) -> Option<T> {
    dice.roll_percent(35).then(|| dice.pick(of))
}

/// A row for handling with any conditions; its limit distinguishes it from all others.
fn any_row(dice: &mut Dice, number: usize) -> Row {
    let mut days = [dice.pick(&DAYS), dice.pick(&DAYS)].map(day);
    days.sort();
    Row {
        area: pick_sometimes(dice, &AREAS),
        demand: pick_sometimes(dice, &DEMANDS),
        category: pick_sometimes(dice, &CATEGORIES).map(str::to_owned),
        urgency: pick_sometimes(dice, &[Urgency::Normal, Urgency::Urgent]),
        redo: pick_sometimes(dice, &[true, false]),
        valid_from: dice.roll_percent(20).then_some(days[0]),
        valid_until: dice.roll_percent(20).then_some(days[1]),
        limit: Limit::minutes(u32::try_from(number + 1).unwrap()),
        ..new_row(&format!("R-{number}"), Duty::Handle, "1h")
    }
}

/// The row that settles a tie.
fn row_for_tie(tie: &domain::rules::sla::Tie, number: usize) -> Row {
    let mut row = Row {
        valid_from: tie.from,
        valid_until: tie.until,
        limit: Limit::minutes(u32::try_from(number + 1).unwrap()),
        ..new_row(&format!("T-{number}"), tie.duty, "1h")
    };
    for (column, value) in &tie.matter {
        match column {
            Column::Area => row.area = Some(AreaId(value.parse().unwrap())),
            Column::Demand => row.demand = Demand::parse(value),
            Column::Category => row.category = Some(value.clone()),
            Column::Urgency => row.urgency = Urgency::parse(value),
            Column::Redo => row.redo = Some(value == "true"),
            Column::Id
            | Column::Duty
            | Column::Channel
            | Column::Complexity
            | Column::Rank
            | Column::Limit
            | Column::ValidFrom
            | Column::ValidUntil
            | Column::Owner
            | Column::Basis => panic!("{column:?} was not asked for"),
        }
    }
    row
}

/// A random matrix, repaired by following its faults.
fn any_matrix(dice: &mut Dice) -> Matrix {
    let count = dice.roll_below(6) + 1;
    let mut matrix = with_rows((0..count).map(|number| any_row(dice, number)));
    for number in 100.. {
        let found = find_ties(&matrix);
        let Some(tie) = found.first() else {
            assert_eq!(find_faults(&matrix), []);
            return matrix;
        };
        if tie.same {
            matrix.rows.remove(tie.rows[1]);
        } else {
            matrix.rows.push(row_for_tie(tie, number));
        }
        assert!(matrix.rows.len() < 5_000, "adding rows does not end");
    }
    panic!("numbers do not end")
}

/// The owned values of a query.
struct Asked {
    areas: Vec<AreaId>,
    category: Vec<&'static str>,
}

impl Asked {
    fn any(dice: &mut Dice) -> Self {
        let code = pick_sometimes(dice, &CATEGORIES).or_else(|| pick_sometimes(dice, &CATEGORIES));
        let catalogue: &'static Catalogue = &CATALOGUE;
        let above = |code: &&'static str| catalogue.get(code)?.parent.as_deref();
        Self {
            areas: ancestry(&WORLD.areas, dice.pick(&AREAS)),
            category: std::iter::successors(code, above).collect(),
        }
    }

    fn query(&self, dice: &mut Dice) -> Query<'_> {
        Query {
            area: &self.areas,
            category: &self.category,
            demand: dice.roll_percent(80).then(|| dice.pick(&DEMANDS)),
            urgency: dice.pick(&[Urgency::Normal, Urgency::Urgent]),
            redo: dice.roll_percent(50),
            on: day(dice.pick(&DAYS)),
            ..query(Duty::Handle)
        }
    }
}

/// Whether everything that satisfies `a` satisfies `b`: the definition, not the code.
fn implies(a: &Row, b: &Row) -> bool {
    let area = b.area.is_none_or(|above| {
        a.area.is_some_and(|area| ancestry(&WORLD.areas, area).contains(&above))
    });
    let category = b.category.as_ref().is_none_or(|above| {
        a.category.as_ref().is_some_and(|code| {
            code == above || CATALOGUE.get(code).unwrap().parent.as_ref() == Some(above)
        })
    });
    area && category
        && (b.demand.is_none() || a.demand == b.demand)
        && (b.urgency.is_none() || a.urgency == b.urgency)
        && (b.redo.is_none() || a.redo == b.redo)
}

/// The one row that implies all that apply.
fn most_specific<'a>(matrix: &'a Matrix, query: &Query<'_>) -> &'a Row {
    let applying: Vec<&Row> = matrix.rows.iter().filter(|row| row.applies_to(query)).collect();
    let wins = |row: &&&Row| applying.iter().all(|other| implies(row, other));
    let winners: Vec<&&Row> = applying.iter().filter(wins).collect();
    assert_eq!(winners.len(), 1, "{query:?}: {winners:?} of {applying:?}");
    winners[0]
}

fn compile_matrix(matrix: Matrix) -> Compiled {
    with_known(|known| Compiled::new(matrix, known)).unwrap()
}

#[test]
fn the_most_specific_row_is_found_in_any_order() {
    let run = |seed: u64| {
        let dice = &mut Dice(seed);
        let matrix = any_matrix(dice);
        let mut shuffled = matrix.clone();
        for place in (1..shuffled.rows.len()).rev() {
            shuffled.rows.swap(place, dice.roll_below(place + 1));
        }
        let compiled = [compile_matrix(matrix.clone()), compile_matrix(shuffled.clone())];
        for _ in 0..40 {
            let asked = Asked::any(dice);
            let query = asked.query(dice);
            let expected = Some(most_specific(&matrix, &query));
            assert_eq!(matrix.find(&query), expected);
            assert_eq!(shuffled.find(&query), expected);
            for one in &compiled {
                assert_eq!(one.find(&query), expected);
                check_explanation(one, &query);
            }
        }
        Ok(())
    };
    new_runner(80).run(&any::<u64>(), run).unwrap();
}

/// The explanation agrees with the result.
fn check_explanation(compiled: &Compiled, query: &Query<'_>) {
    let mut won = Vec::new();
    for considered in compiled.explain_rows(query) {
        let applies = considered.row.applies_to(query);
        match considered.verdict {
            Verdict::Wins => won.push(considered.row),
            Verdict::Applies => assert!(applies && !won.is_empty()),
            Verdict::Fails { unmet } => assert!(!applies && !unmet.is_empty()),
        }
    }
    assert_eq!(won, Vec::from_iter(compiled.find(query)));
}

#[test]
fn a_row_more_changes_nothing_outside_its_conditions() {
    let run = |seed: u64| {
        let dice = &mut Dice(seed);
        let matrix = any_matrix(dice);
        let mut more = matrix.clone();
        let row = any_row(dice, 90);
        more.rows.push(row.clone());
        for _ in 0..40 {
            let asked = Asked::any(dice);
            let query = asked.query(dice);
            let (before, after) = (matrix.find(&query), more.find(&query));
            assert!(row.applies_to(&query) || before == after, "{query:?}");
            let narrower =
                before.is_some_and(|known| implies(&row, known) && !implies(known, &row));
            assert!(!row.applies_to(&query) || !narrower || after == Some(&row), "{query:?}");
        }
        Ok(())
    };
    new_runner(80).run(&any::<u64>(), run).unwrap();
}
