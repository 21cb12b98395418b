//! Whole loops, from the report to the closed case, in empty tables and among closed cases.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{
    load::{Load, Until, drive},
    report::parts,
    results::{Budget, Results, shown},
    stand::{CROWDED, Open, PLAIN, Stand},
    trouble::{Done, median, say},
};

/// Loops for some time or so many of them.
pub(crate) async fn go(at: &Open, clients: u32, until: Until) -> Done<Load> {
    let desk = at.desk.clone();
    drive(&at.server, clients, until, Rc::new(move |number| desk.whole(number))).await
}

/// Rounds of all three: without closed cases, with them, and embedded.
pub(crate) async fn measure(stand: &Stand, loaded: &str, results: &mut Results) -> Done {
    let clients = stand.options.clients;
    let until = Until::Time(stand.options.time());
    let plain = stand.postgres(PLAIN).await?;
    let crowded = stand.postgres(CROWDED).await?;
    let sqlite = stand.sqlite().await?;
    for open in [&plain, &crowded, &sqlite] {
        go(open, clients, Until::Time(Duration::from_millis(700))).await?;
    }
    stand.settle(PLAIN)?;
    stand.settle(CROWDED)?;
    let (mut empty, mut full, mut embedded) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = usize::try_from(stand.options.rounds())?;
    let mut round = 0;
    while empty.len() < rounds {
        round += 1;
        let begun = Instant::now();
        let first = go(&plain, clients, until).await?;
        let second = go(&crowded, clients, until).await?;
        let third = go(&sqlite, clients, until).await?;
        say(&format!(
            "loops, round {round}: PostgreSQL {}/s, crowded {}/s; SQLite {}/s",
            shown(first.turn_rate()),
            shown(second.turn_rate()),
            shown(third.turn_rate())
        ));
        let others = [first.others(), second.others(), third.others()];
        if stand.patience.accepts(&others, begun.elapsed()) {
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
            shown(p50),
            shown(p99),
            shown(of(loads, Load::cost_us)),
            parts(loads)
        )
    };
    let rate = of(&empty, Load::turn_rate);
    let limit = (Budget::AtLeast, 400.0, "/s");
    results.against("whole loops of nine commands, PostgreSQL", limit, rate, detail(&empty));
    let ratios: Vec<f64> =
        full.iter().zip(&empty).map(|(a, b)| a.turn_rate() / b.turn_rate()).collect();
    let among = format!("{}/s; {}; {loaded}", shown(of(&full, Load::turn_rate)), detail(&full));
    let limit = (Budget::AtLeast, 0.85, " ×");
    results.against("the same among closed cases", limit, median(&ratios), among);
    let rate = of(&embedded, Load::turn_rate);
    results.note("whole loops, SQLite", rate, "/s", detail(&embedded));
    Ok(())
}
