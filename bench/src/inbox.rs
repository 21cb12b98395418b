//! A page of twenty of the inbox, beside pgbench running the same query on PostgreSQL.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{
    load::{Load, Until, drive_load},
    pgbench::{self, Reference, Script},
    report::describe_parts,
    results::{Budget, Results, format_number},
    stand::{CROWDED, Open, Stand},
    trouble::{Done, median, print_line},
};

/// What `persistence::kernel::obligation::load_open` selects for a first page of twenty, and one to
/// know whether there are more.
const PAGE: &str = r#"SELECT "obligations"."tenant_id", "obligations"."flow_id", "obligations"."no", "obligations"."duty", "obligations"."unit_id", "obligations"."flow", "obligations"."number", "obligations"."title", "obligations"."unit_name", "obligations"."started_at", "obligations"."due_at", "obligations"."term", "obligations"."settled_at", "obligations"."outcome", "obligations"."next_at" FROM "obligations" WHERE (((("obligations"."tenant_id" = :tenant) AND ("obligations"."settled_at" IS NULL)) AND ("obligations"."unit_id" = :unit_INDEX)) AND ("obligations"."duty" = ANY(:duties))) ORDER BY "obligations"."due_at" ASC, "obligations"."flow_id" ASC, "obligations"."duty" ASC, "obligations"."no" ASC LIMIT :page;
"#;

/// The reference, over the desks of every place.
pub(crate) fn build_reference(stand: &Stand) -> Script {
    let mut variables = vec![
        ("tenant".to_owned(), stand.town.tenant.to_string()),
        ("duties".to_owned(), "{accept,dispatch,sign,handle,call_back,close}".to_owned()),
        ("page".to_owned(), "21".to_owned()),
    ];
    let mut texts = Vec::new();
    for (index, place) in stand.town.places.iter().enumerate() {
        variables.push((format!("unit_{index}"), place.community.id.0.to_string()));
        texts.push(PAGE.replace("INDEX", &index.to_string()));
    }
    Script { database: CROWDED.to_owned(), texts, variables }
}

/// Reads pages for some time.
pub(crate) async fn drive_inbox(at: &Open, clients: u32, time: Duration) -> Done<Load> {
    let desk = at.desk.clone();
    drive_load(
        &at.server,
        clients,
        Until::Time(time),
        Rc::new(move |number| desk.inbox_turn(number)),
    )
    .await
}

/// Measures both in rounds, and SQLite.
pub(crate) async fn measure(stand: &Stand, loaded: &str, results: &mut Results) -> Done {
    let (time, clients) = (stand.options.time() / 2, stand.options.clients);
    let crowded = stand.serve_postgres(CROWDED).await?;
    let sqlite = stand.serve_sqlite().await?;
    for open in [&crowded, &sqlite] {
        drive_inbox(open, clients, Duration::from_millis(500)).await?;
    }
    let script = build_reference(stand);
    let (mut ours, mut embedded, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = usize::try_from(stand.options.rounds())?;
    let mut round = 0;
    while ours.len() < rounds {
        round += 1;
        let begun = Instant::now();
        let reference = pgbench::run(&stand.cluster, &script, clients, time)?;
        let load = drive_inbox(&crowded, clients, time).await?;
        print_line(&format!(
            "inbox, round {round}: pgbench {}/s; ours {}/s, {} µs",
            format_number(reference.rate),
            format_number(load.request_rate()),
            format_number(load.cost_us())
        ));
        let file = drive_inbox(&sqlite, clients, time).await?;
        let others = [reference.others, load.others_share(), file.others_share()];
        if !stand.patience.accepts_round(&others, begun.elapsed()) {
            continue;
        }
        theirs.push(reference);
        ours.push(load);
        embedded.push(file);
    }
    let of = |loads: &[Load], value: fn(&Load) -> f64| {
        median(&loads.iter().map(value).collect::<Vec<_>>())
    };
    let with = |value: fn(&Reference) -> f64| median(&theirs.iter().map(value).collect::<Vec<_>>());
    let ratios: Vec<f64> =
        ours.iter().zip(&theirs).map(|(a, b)| a.request_rate() / b.rate).collect();
    let rates = format!(
        "{}/s, p50 {} ms, p99 {} ms; pgbench {}/s, {} µs of the database each; {loaded}",
        format_number(of(&ours, Load::request_rate)),
        format_number(of(&ours, |load| load.latency_ms(50))),
        format_number(of(&ours, |load| load.latency_ms(99))),
        format_number(with(|reference| reference.rate)),
        format_number(with(|reference| reference.database_us)),
    );
    let limit = (Budget::AtLeast, 0.8, " ×");
    results.add_against("inbox pages of 20, by pgbench", limit, median(&ratios), rates);
    results.add_against(
        "processor time of an inbox page, PostgreSQL",
        (Budget::AtMost, 450.0, " µs"),
        of(&ours, Load::cost_us),
        describe_parts(&ours),
    );
    let rate = format!(
        "{}/s; {}",
        format_number(of(&embedded, Load::request_rate)),
        describe_parts(&embedded)
    );
    results.add_note(
        "processor time of an inbox page, SQLite",
        of(&embedded, Load::cost_us),
        " µs",
        rate,
    );
    Ok(())
}
