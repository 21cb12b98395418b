//! Whole loops, from the report to the closed case, in empty tables and among closed cases.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{
    load::{Load, Until, drive_load},
    report::describe_parts,
    results::{Budget, Results, format_number},
    stand::{CROWDED, Open, PLAIN, Stand},
    trouble::{Done, median, print_line},
};

/// Runs loops for some time or a number of them.
pub(crate) async fn run_loops(at: &Open, clients: u32, until: Until) -> Done<Load> {
    let desk = at.desk.clone();
    drive_load(&at.server, clients, until, Rc::new(move |number| desk.loop_turn(number))).await
}

/// Measures all three in rounds: without closed cases, with them, and embedded.
pub(crate) async fn measure(stand: &Stand, loaded: &str, results: &mut Results) -> Done {
    let clients = stand.options.clients;
    let until = Until::Time(stand.options.time());
    let plain = stand.serve_postgres(PLAIN).await?;
    let crowded = stand.serve_postgres(CROWDED).await?;
    let sqlite = stand.serve_sqlite().await?;
    for open in [&plain, &crowded, &sqlite] {
        run_loops(open, clients, Until::Time(Duration::from_millis(700))).await?;
    }
    stand.settle_tables(PLAIN)?;
    stand.settle_tables(CROWDED)?;
    let (mut empty, mut full, mut embedded) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = usize::try_from(stand.options.rounds())?;
    let mut round = 0;
    while empty.len() < rounds {
        round += 1;
        let begun = Instant::now();
        let first = run_loops(&plain, clients, until).await?;
        let second = run_loops(&crowded, clients, until).await?;
        let third = run_loops(&sqlite, clients, until).await?;
        print_line(&format!(
            "loops, round {round}: PostgreSQL {}/s, crowded {}/s; SQLite {}/s",
            format_number(first.turn_rate()),
            format_number(second.turn_rate()),
            format_number(third.turn_rate())
        ));
        let others = [first.others_share(), second.others_share(), third.others_share()];
        if stand.patience.accepts_round(&others, begun.elapsed()) {
            empty.push(first);
            full.push(second);
            embedded.push(third);
        }
    }
    let of = |loads: &[Load], value: fn(&Load) -> f64| {
        median(&loads.iter().map(value).collect::<Vec<_>>())
    };
    let detail = |loads: &[Load]| {
        let (p50, p99) = (of(loads, |l| l.latency_ms(50)), of(loads, |l| l.latency_ms(99)));
        format!(
            "a command: p50 {} ms, p99 {} ms; {} µs: {}",
            format_number(p50),
            format_number(p99),
            format_number(of(loads, Load::cost_us)),
            describe_parts(loads)
        )
    };
    let rate = of(&empty, Load::turn_rate);
    let limit = (Budget::AtLeast, 400.0, "/s");
    results.add_against("whole loops of nine commands, PostgreSQL", limit, rate, detail(&empty));
    let ratios: Vec<f64> =
        full.iter().zip(&empty).map(|(a, b)| a.turn_rate() / b.turn_rate()).collect();
    let among =
        format!("{}/s; {}; {loaded}", format_number(of(&full, Load::turn_rate)), detail(&full));
    let limit = (Budget::AtLeast, 0.85, " ×");
    results.add_against("the same among closed cases", limit, median(&ratios), among);
    let rate = of(&embedded, Load::turn_rate);
    results.add_note("whole loops, SQLite", rate, "/s", detail(&embedded));
    Ok(())
}
