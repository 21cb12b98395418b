//! The cost of each command: many cases go through the loop, all of them one step before any takes
//! the next.

use std::{collections::BTreeMap, rc::Rc, time::Instant};

use crate::{
    desk::{Coming, LOOP},
    load::{Load, Make, Until, drive_load},
    loops,
    report::describe_parts,
    results::{Budget, Results, format_number},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, median, print_line},
};

/// Loads by the step that was measured.
type Costs = BTreeMap<&'static str, Vec<Load>>;

/// Measures the steps of a case on both engines.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    for (engine, open) in [
        ("PostgreSQL", stand.serve_postgres(PLAIN).await?),
        ("SQLite", stand.serve_sqlite().await?),
    ] {
        let (clients, warm) = (stand.options.clients, Until::Turns(200));
        loops::run_loops(&open, clients, warm).await?;
        stand.settle_tables(PLAIN)?;
        let mut costs = Costs::new();
        let mut walks = 0;
        while walks < stand.options.rounds().min(3) {
            let begun = Instant::now();
            let walked = walk_cases(stand, &open).await?;
            let others: Vec<f64> = walked.iter().map(|(_, load)| load.others_share()).collect();
            if stand.patience.accepts_round(&[median(&others)], begun.elapsed()) {
                walks += 1;
                for (what, load) in walked {
                    costs.entry(what).or_default().push(load);
                }
            }
        }
        print_line(&format!("steps on {engine}: done"));
        add_results(results, engine, &costs);
    }
    Ok(())
}

/// Takes many cases through the loop once, then reads each and remarks on it.
async fn walk_cases(stand: &Stand, open: &Open) -> Done<Vec<(&'static str, Load)>> {
    let mut loads = Vec::new();
    let clients = stand.options.clients;
    let cases: Rc<Vec<Coming>> =
        Rc::new((0..stand.options.walk_count()).map(Coming::new).collect());
    for step in LOOP {
        let (desk, cases) = (open.desk.clone(), Rc::clone(&cases));
        let make: Make = Rc::new(move |number| {
            let case = usize::try_from(number).ok().and_then(|index| cases.get(index));
            case.and_then(|case| desk.build_step(*case, step)).into_iter().collect()
        });
        let load =
            drive_load(&open.server, clients, Until::Turns(stand.options.walk_count()), make)
                .await?;
        loads.push((step, load));
    }
    let any = |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % cases.len().max(1);
        cases.get(index).copied().unwrap_or_else(|| Coming::new(number))
    };
    let all: Vec<Coming> = (0..stand.options.walk_count()).map(any).collect();
    for what in ["look", "comment"] {
        let (desk, all) = (open.desk.clone(), all.clone());
        let make: Make = Rc::new(move |number| {
            let index = usize::try_from(number).unwrap_or_default() % all.len().max(1);
            let ask = |case: &Coming| match what {
                "look" => desk.case_turn(*case),
                _ => desk.comment_turn(*case),
            };
            all.get(index).map(ask).unwrap_or_default()
        });
        let load =
            drive_load(&open.server, clients, Until::Time(stand.options.time() / 2), make).await?;
        loads.push((what, load));
    }
    Ok(loads)
}

fn add_results(results: &mut Results, engine: &'static str, costs: &Costs) {
    let of = |name: &str, value: fn(&Load) -> f64| {
        let loads = costs.get(name).map(Vec::as_slice).unwrap_or_default();
        median(&loads.iter().map(value).collect::<Vec<_>>())
    };
    let steps = LOOP.iter().filter(|step| !["report", "file"].contains(step));
    let each: Vec<f64> = steps.map(|step| of(step, Load::cost_us)).collect();
    let dearest = each.iter().copied().fold(0.0, f64::max);
    let looks = costs.get("look").map(Vec::as_slice).unwrap_or_default();
    let step = format!("median of seven; the dearest {} µs", format_number(dearest));
    let look =
        format!("{}/s; {}", format_number(of("look", Load::request_rate)), describe_parts(looks));
    let names =
        [format!("processor time of a step, {engine}"), format!("of a case by its id, {engine}")];
    let [a_step, a_look] = &names;
    if engine == "SQLite" {
        results.add_note(a_step, median(&each), " µs", step);
        results.add_note(a_look, of("look", Load::cost_us), " µs", look);
    } else {
        results.add_against(a_step, (Budget::AtMost, 300.0, " µs"), median(&each), step);
        let limit = (Budget::AtMost, 150.0, " µs");
        results.add_against(a_look, limit, of("look", Load::cost_us), look);
    }
    let header = ["command", "requests/s", "p99 ms", "µs", "of it server", "database"];
    let line = |name: &&str| {
        [
            (*name).to_owned(),
            format_number(of(name, Load::request_rate)),
            format_number(of(name, |load| load.latency_ms(99))),
            format_number(of(name, Load::cost_us)),
            format_number(of(name, Load::server_us)),
            format_number(of(name, Load::database_us)),
        ]
    };
    let names = LOOP.iter().chain(&["look", "comment"]).map(line);
    let rows = std::iter::once(header.map(str::to_owned)).chain(names).collect();
    results.add_table(&format!("Each command on {engine}:"), rows);
}
