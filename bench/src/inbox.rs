//! A page of twenty of the inbox, beside pgbench asking PostgreSQL the same.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{
    load::{Load, Until, drive},
    pgbench::{self, Reference, Script},
    report::parts,
    results::{Budget, Results, shown},
    stand::{CROWDED, Open, Stand},
    trouble::{Done, median, say},
};

/// What `persistence::kernel::obligation::open` asks for a first page of twenty and one to know
/// whether there are more.
const PAGE: &str = r#"SELECT "obligations"."tenant_id", "obligations"."flow_id", "obligations"."no", "obligations"."duty", "obligations"."unit_id", "obligations"."flow", "obligations"."number", "obligations"."title", "obligations"."unit_name", "obligations"."started_at", "obligations"."due_at", "obligations"."term", "obligations"."settled_at", "obligations"."outcome", "obligations"."next_at" FROM "obligations" WHERE (((("obligations"."tenant_id" = :tenant) AND ("obligations"."settled_at" IS NULL)) AND ("obligations"."unit_id" = :unit_INDEX)) AND ("obligations"."duty" = ANY(:duties))) ORDER BY "obligations"."due_at" ASC, "obligations"."flow_id" ASC, "obligations"."duty" ASC, "obligations"."no" ASC LIMIT :page;
"#;

/// The reference, over the desks of every place.
pub(crate) fn reference(stand: &Stand) -> Script {
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

/// Pages for some time.
pub(crate) async fn look(at: &Open, clients: u32, time: Duration) -> Done<Load> {
    let desk = at.desk.clone();
    drive(&at.server, clients, Until::Time(time), Rc::new(move |number| desk.inbox(number))).await
}

/// Rounds of both, and of SQLite.
pub(crate) async fn measure(stand: &Stand, loaded: &str, results: &mut Results) -> Done {
    let (time, clients) = (stand.options.time() / 2, stand.options.clients);
    let crowded = stand.postgres(CROWDED).await?;
    let sqlite = stand.sqlite().await?;
    for open in [&crowded, &sqlite] {
        look(open, clients, Duration::from_millis(500)).await?;
    }
    let script = reference(stand);
    let (mut ours, mut embedded, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = usize::try_from(stand.options.rounds())?;
    let mut round = 0;
    while ours.len() < rounds {
        round += 1;
        let begun = Instant::now();
        let reference = pgbench::run(&stand.cluster, &script, clients, time)?;
        let load = look(&crowded, clients, time).await?;
        say(&format!(
            "inbox, round {round}: pgbench {}/s; ours {}/s, {} µs",
            shown(reference.rate),
            shown(load.rate()),
            shown(load.cost_us())
        ));
        let file = look(&sqlite, clients, time).await?;
        let others = [reference.others, load.others(), file.others()];
        if !stand.patience.accepts(&others, begun.elapsed()) {
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
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a.rate() / b.rate).collect();
    let rates = format!(
        "{}/s, p50 {} ms, p99 {} ms; pgbench {}/s, {} µs of the database each; {loaded}",
        shown(of(&ours, Load::rate)),
        shown(of(&ours, |load| load.latency_ms(50))),
        shown(of(&ours, |load| load.latency_ms(99))),
        shown(with(|reference| reference.rate)),
        shown(with(|reference| reference.database_us)),
    );
    let limit = (Budget::AtLeast, 0.8, " ×");
    results.against("inbox pages of 20, by pgbench", limit, median(&ratios), rates);
    results.against(
        "processor time of an inbox page, PostgreSQL",
        (Budget::AtMost, 450.0, " µs"),
        of(&ours, Load::cost_us),
        parts(&ours),
    );
    let rate = format!("{}/s; {}", shown(of(&embedded, Load::rate)), parts(&embedded));
    results.note(
        "processor time of an inbox page, SQLite",
        of(&embedded, Load::cost_us),
        " µs",
        rate,
    );
    Ok(())
}
