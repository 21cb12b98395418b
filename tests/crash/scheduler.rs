//! Measures about debts are taken once, however often the program is killed while it takes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use domain::core::journal::{Entry, FlowKind};
use persistence::{
    Db,
    kernel::{journal, obligation},
    probe,
};
use serde_json::Value;
use uuid::Uuid;

use super::{Served, expect_intact};
use crate::{
    harness::Engine,
    store::{Desk, now, report_write},
};

/// Debts that no one looked after for two months.
const DEBTS: usize = 160;

/// How many measures were taken about anything.
fn count_measures(url: &str) -> usize {
    let sql = "select cast(count(*) as text) as line from journal where name = 'lapse'";
    let count = probe::query_lines(url, sql).expect("the journal can be counted");
    count.first().and_then(|count| count.parse().ok()).expect("a count")
}

/// Whether a measure about any debt waits to be taken.
async fn has_due_measure(desk: &Desk) -> bool {
    let now = now();
    let due = desk.store.read(move |db| obligation::load_lapsing(db, now, 1)).await;
    !due.expect("debts can be read").is_empty()
}

/// Serves until this many more measures were taken, and kills the server at once.
fn kill_after(engine: Engine, desk: &Desk, more: usize) {
    let (url, patience) = (&desk.database.url, Instant::now());
    let before = count_measures(url);
    let served = Served::start(engine, &desk.database);
    while count_measures(url) < before + more {
        assert!(patience.elapsed() < Duration::from_mins(1), "the scheduler stands still");
    }
    served.kill();
}

/// The measures about each debt, in order; each debt by its flow, duty, unit and clock.
async fn load_measures(desk: &Desk) -> BTreeMap<(Uuid, String), Vec<String>> {
    let (tenant, mut after) = (desk.tenant.id, None);
    let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
    loop {
        let page = move |db: &mut Db| {
            let after = after.map(|(id, kind): (Uuid, FlowKind)| (id, kind.name()));
            let flows = journal::list_flows(db, tenant, after, 100)?;
            let chain = |(flow, kind): &(Uuid, String)| {
                let kind = FlowKind::parse(kind).expect("a kind that is known");
                journal::load_chain(db, tenant, (kind, *flow), None)
            };
            flows.iter().map(chain).collect::<Result<Vec<Vec<Entry>>, _>>()
        };
        let chains = desk.store.read(page).await.expect("the journal can be read");
        let Some(last) = chains.last().and_then(|chain| chain.first()) else { return found };
        after = Some((last.flow_id, last.flow));
        for entry in chains.iter().flatten().filter(|entry| entry.name == "lapse") {
            let events: Vec<Value> = serde_json::from_str(&entry.events).expect("it is JSON");
            for event in events.iter().filter(|event| event["event"] == "measured") {
                let what = event["what"].as_str().expect("a measure has a name").to_owned();
                let report = entry.flow == FlowKind::Report;
                let clock = if report { &event["term"]["no"] } else { &event["term"] };
                let debt = format!("{} {} {clock}", event["duty"], event["unit"]);
                found.entry((entry.flow_id, debt)).or_default().push(what);
            }
        }
    }
}

async fn killed_while_it_takes_measures(engine: Engine, mut desk: Desk) {
    desk.ago = chrono::Duration::days(60);
    for _ in 0..DEBTS {
        let report = desk.submit_report();
        desk.commit_write(report_write(&report)).await.expect("it is written");
        desk.create_case().await;
    }
    let url = desk.database.url.clone();
    for more in [40, 150] {
        kill_after(engine, &desk, more);
        assert!(has_due_measure(&desk).await, "it was killed in the middle");
        expect_intact(&desk.database);
    }
    let interrupted = count_measures(&url);
    let served = Served::start(engine, &desk.database);
    let patience = Instant::now();
    while has_due_measure(&desk).await {
        assert!(patience.elapsed() < Duration::from_mins(2), "the scheduler stands still");
        std::thread::sleep(Duration::from_millis(20));
    }
    served.kill();
    assert!(count_measures(&url) > interrupted, "something was left to be done");
    expect_intact(&desk.database);
    let measures = load_measures(&desk).await;
    assert!(measures.len() >= 2 * DEBTS, "{} debts", measures.len());
    let first = measures.values().next().expect("there are debts");
    assert_eq!(*first, ["remind", "urge", "supervise", "report", "list"]);
    for (debt, taken) in &measures {
        let once: BTreeSet<&String> = taken.iter().collect();
        assert_eq!(once.len(), taken.len(), "{debt:?}: {taken:?}");
    }
    let whole = measures.values().filter(|taken| *taken == first).count();
    assert!(whole >= 2 * DEBTS, "{whole} of {} debts have all measures", measures.len());
}

mod sqlite {
    use crate::harness::Engine::Sqlite;

    #[test]
    fn each_measure_is_taken_once_though_the_program_is_killed() {
        crate::store::run_desk(Sqlite, |desk| super::killed_while_it_takes_measures(Sqlite, desk));
    }
}

mod postgres {
    use crate::harness::Engine::Postgres;

    #[test]
    fn each_measure_is_taken_once_though_the_program_is_killed() {
        crate::store::run_desk(Postgres, |desk| {
            super::killed_while_it_takes_measures(Postgres, desk)
        });
    }
}
