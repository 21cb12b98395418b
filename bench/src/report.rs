//! Reports: on PostgreSQL and on SQLite, beside pgbench running the same SQL, round by round.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    load::{Load, Until, drive_load},
    pgbench::{self, Reference, Script},
    results::{Budget, Results, format_number},
    stand::{Open, PLAIN, REFERENCE, Stand},
    trouble::{Done, median, new_trouble, print_line},
};

/// What one report commits, in one transaction and one round trip: the rows and conflict clauses
/// of `persistence`, a plain insert each. Identities differ in each transaction and grow as ours
/// do; everything else is sent as the server sends it: as parameters. Each client takes positions
/// of a feed of its own, or they would wait for each other: the server takes them once a batch.
const TRANSACTION: &str = r#"
\set k :k + 1
\set n 100000000000 + :base + :k * 64 + :client_id
\set u 200000000000 + :client_id % 16
\startpipeline
BEGIN;
INSERT INTO feeds AS f ("tenant_id", "position") VALUES (('01900000-0000-7004-8000-' || (200000000000 + :client_id)::text)::uuid, 1) ON CONFLICT ("tenant_id") DO UPDATE SET "position" = f."position" + EXCLUDED."position" RETURNING "position";
INSERT INTO "journal" ("tenant_id", "flow_id", "seq", "flow", "command_id", "part", "name", "digest", "actor_id", "actor_name", "at", "events", "hash", "position") VALUES (:j_tenant_id, ('01900000-0000-7000-8000-' || :n::text)::uuid, :j_seq, :j_flow, ('01900000-0000-7001-8000-' || :n::text)::uuid, :j_part, :j_name, :j_digest, :j_actor_id, :j_actor_name, :j_at, :j_events, :j_hash, :n);
INSERT INTO "reports" ("tenant_id", "id", "seq", "head", "number", "status", "path", "reporter_id", "case_id", "received_at", "state", "patrol_id") VALUES (:r_tenant_id, ('01900000-0000-7000-8000-' || :n::text)::uuid, :r_seq, :r_head, :r_number, :r_status, :r_path, ('01900000-0000-7002-8000-' || :u::text)::uuid, NULL, :r_received_at, :r_state, NULL);
INSERT INTO "obligations" ("tenant_id", "flow_id", "no", "duty", "unit_id", "flow", "number", "title", "unit_name", "started_at", "due_at", "term", "settled_at", "outcome", "next_at") VALUES (:o_tenant_id, ('01900000-0000-7000-8000-' || :n::text)::uuid, :o_no, :o_duty, ('01900000-0000-7003-8000-' || :u::text)::uuid, :o_flow, :o_number, :o_title, :o_unit_name, :o_started_at, :o_due_at, :o_term, NULL, NULL, :o_next_at);
COMMIT;
\endpipeline
"#;

/// A report of middling size with what was written beside it.
const SAMPLE: &str = "
select json_build_object('j', row_to_json(j), 'r', row_to_json(r), 'o', row_to_json(o))
from reports r
join journal j on j.tenant_id = r.tenant_id and j.flow_id = r.id and j.seq = 1
join obligations o on o.tenant_id = r.tenant_id and o.flow_id = r.id
order by abs(octet_length(r.state::text) - (select avg(octet_length(state::text)) from reports))
limit 1";

/// The reference, with the values of a report the server wrote.
pub(crate) fn build_reference(stand: &Stand) -> Done<Script> {
    let sample = stand.cluster.query_json(PLAIN, SAMPLE)?;
    let mut variables = vec![("k".to_owned(), "0".to_owned())];
    for (table, row) in sample.as_object().into_iter().flatten() {
        for (column, value) in row.as_object().into_iter().flatten() {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            };
            variables.push((format!("{table}_{column}"), text));
        }
    }
    let texts = vec![TRANSACTION.to_owned()];
    Ok(Script { database: REFERENCE.to_owned(), texts, variables })
}

/// Sends reports for some time.
pub(crate) async fn submit_reports(at: &Open, clients: u32, time: Duration) -> Done<Load> {
    let desk = at.desk.clone();
    let make = Rc::new(move |number| desk.report_turn(number));
    drive_load(&at.server, clients, Until::Time(time), make).await
}

/// Measures all three in rounds.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let (time, clients) = (stand.options.time(), stand.options.clients);
    let postgres = stand.serve_postgres(PLAIN).await?;
    let sqlite = stand.serve_sqlite().await?;
    for open in [&postgres, &sqlite] {
        submit_reports(open, clients, Duration::from_millis(700)).await?;
    }
    let mut script = build_reference(stand)?;
    script.variables.push(("base".to_owned(), "0".to_owned()));
    pgbench::run(&stand.cluster, &script, clients, Duration::from_secs(1))?;
    stand.settle_tables(PLAIN)?;
    stand.settle_tables(REFERENCE)?;
    let (mut ours, mut embedded, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = usize::try_from(stand.options.rounds())?;
    let mut round = 0;
    while ours.len() < rounds {
        round += 1;
        script.variables.push(("base".to_owned(), format!("{round}000000000")));
        let begun = Instant::now();
        let reference = pgbench::run(&stand.cluster, &script, clients, time)?;
        let load = submit_reports(&postgres, clients, time).await?;
        let file = submit_reports(&sqlite, clients, time).await?;
        print_line(&format!(
            "reports, round {round}: pgbench {}/s; PostgreSQL {}/s, p99 {} ms, {} µs; SQLite {}/s, p99 {} ms",
            format_number(reference.rate),
            format_number(load.request_rate()),
            format_number(load.latency_ms(99)),
            format_number(load.cost_us()),
            format_number(file.request_rate()),
            format_number(file.latency_ms(99)),
        ));
        let others = [reference.others, load.others_share(), file.others_share()];
        if !stand.patience.accepts_round(&others, begun.elapsed()) {
            continue;
        }
        theirs.push(reference);
        ours.push(load);
        embedded.push(file);
    }
    add_results(results, &ours, &embedded, &theirs)
}

fn add_results(
    results: &mut Results,
    ours: &[Load],
    embedded: &[Load],
    theirs: &[Reference],
) -> Done {
    let of = |loads: &[Load], value: fn(&Load) -> f64| {
        median(&loads.iter().map(value).collect::<Vec<_>>())
    };
    let with = |value: fn(&Reference) -> f64| median(&theirs.iter().map(value).collect::<Vec<_>>());
    if ours.len() != theirs.len() || ours.len() != embedded.len() {
        return Err(new_trouble("the rounds are not complete"));
    }
    let ratios: Vec<f64> =
        ours.iter().zip(theirs).map(|(a, b)| a.request_rate() / b.rate).collect();
    let shares: Vec<f64> =
        embedded.iter().zip(ours).map(|(a, b)| a.request_rate() / b.request_rate()).collect();
    let rates = format!(
        "{}/s, p50 {} ms, p99 {} ms; pgbench {}/s, {} ms on average, {} µs of the database each and {} of its own",
        format_number(of(ours, Load::request_rate)),
        format_number(of(ours, |load| load.latency_ms(50))),
        format_number(of(ours, |load| load.latency_ms(99))),
        format_number(with(|reference| reference.rate)),
        format_number(with(|reference| reference.latency_ms)),
        format_number(with(|reference| reference.database_us)),
        format_number(with(|reference| reference.load_us)),
    );
    results.add_against(
        "reports on PostgreSQL, by pgbench",
        (Budget::AtLeast, 1.5, " ×"),
        median(&ratios),
        rates,
    );
    let dearer: Vec<f64> = ours
        .iter()
        .zip(theirs)
        .map(|(a, b)| (b.database_us + b.load_us) / (a.cost_us() + a.load_us()))
        .collect();
    results.add_note(
        "the same by processor time, which a busy machine disturbs less",
        median(&dearer),
        " ×",
        "all of pgbench and its database by all of the load, the server and its database"
            .to_owned(),
    );
    results.add_against(
        "processor time of a report, PostgreSQL",
        (Budget::AtMost, 250.0, " µs"),
        of(ours, Load::cost_us),
        describe_parts(ours),
    );
    let rates = format!(
        "{}/s, p50 {} ms",
        format_number(of(embedded, Load::request_rate)),
        format_number(of(embedded, |load| load.latency_ms(50))),
    );
    results.add_against(
        "reports on SQLite, by those on PostgreSQL",
        (Budget::AtLeast, 0.8, " ×"),
        median(&shares),
        rates,
    );
    results.add_against(
        "the slowest hundredth of them",
        (Budget::AtMost, 50.0, " ms"),
        of(embedded, |load| load.latency_ms(99)),
        String::new(),
    );
    results.add_note(
        "processor time of a report, SQLite",
        of(embedded, Load::cost_us),
        " µs",
        describe_parts(embedded),
    );
    Ok(())
}

/// The processor time by process.
pub(crate) fn describe_parts(loads: &[Load]) -> String {
    let of = |value: fn(&Load) -> f64| {
        format_number(median(&loads.iter().map(value).collect::<Vec<_>>()))
    };
    format!(
        "server {}, database {}; the load itself {}",
        of(Load::server_us),
        of(Load::database_us),
        of(Load::load_us)
    )
}
