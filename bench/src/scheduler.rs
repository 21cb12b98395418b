//! The scheduler takes ten thousand measures at once, among ten times as many debts that are not
//! due, while callers send requests: how long it takes, and how much slower callers are.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use api::app::{
    catalogue,
    clock::{Clock, new_id},
    world::{TenantSnapshot, TenantSnapshots},
};
use domain::{
    area::tree::Unit,
    core::{
        id::{AreaId, CommandId, PersonId, ReportId, TenantId},
        text::Prose,
    },
    flows::{
        change::{Change, Request},
        intake,
        report::{Draft, Report},
    },
    people::actor::{Actor, Grant, Role},
    rules::vocabulary::{Channel, Urgency},
};
use persistence::{Options, Store, Write, kernel::obligation, probe};
use tokio::task::JoinSet;

use crate::{
    desk::{Coming, LOOP},
    load::{Load, Make, Until, drive_load},
    results::{Results, format_number},
    stand::{BUSY, Open, Stand},
    town::Town,
    trouble::{Done, Trouble, count_items, new_trouble, print_line, to_float},
};

/// How long the callers are measured at a time; between two of these it is checked whether anything
/// is still due.
const SLICE: Duration = Duration::from_millis(300);

/// Hides the due debts from the scheduler, and shows them again: all become due at one moment.
const POSTGRES: [&str; 2] = [
    "update obligations set next_at = next_at + interval '10 years' where next_at <= now()",
    "update obligations set next_at = next_at - interval '10 years' \
     where next_at > now() + interval '8 years'",
];
const SQLITE: [&str; 2] = [
    "update obligations set next_at = next_at + 315360000000000 \
     where next_at <= unixepoch() * 1000000",
    "update obligations set next_at = next_at - 315360000000000 \
     where next_at > (unixepoch() + 252288000) * 1000000",
];

/// Measures the scheduler on both engines.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let url = stand.create_busy()?;
    create_debts(stand, &url, &stand.town).await?;
    let [hide, show] = POSTGRES;
    probe::execute(&url, hide)?;
    stand.settle_tables(BUSY)?;
    let at = stand.serve_postgres(BUSY).await?;
    measure_engine(stand, "PostgreSQL", (&url, show), &at, results).await?;
    drop(at);
    let (url, town) = stand.create_embedded_busy().await?;
    create_debts(stand, &url, &town).await?;
    let [hide, show] = SQLITE;
    probe::execute(&url, hide)?;
    let at = stand.serve_embedded(&url, &town).await?;
    measure_engine(stand, "SQLite", (&url, show), &at, results).await
}

/// Measures callers without the scheduler, then with it, until nothing is due.
async fn measure_engine(
    stand: &Stand,
    engine: &'static str,
    (url, show): (&str, &str),
    at: &Open,
    results: &mut Results,
) -> Done {
    let store = Store::open(url, Options { readers: Some(1), ..Options::default() })?;
    let cases = file_cases(at).await?;
    let callers = Callers { at, cases, clients: (stand.options.clients / 4).max(1) };
    callers.run_slice().await?;
    let mut without = Slices::default();
    let begun = Instant::now();
    while begun.elapsed() < stand.options.time() {
        without.add_slice(callers.run_slice().await?);
    }
    let due = count_due(&store, stand.options.due_debts()).await?;
    probe::execute(url, show)?;
    let shown_at = Instant::now();
    let found = self::count_due(&store, stand.options.due_debts()).await?;
    if due != 0 || found == 0 {
        return Err(new_trouble(format!("{due} debts were due too early, {found} at the moment")));
    }
    let mut with = Slices::default();
    while self::count_due(&store, 1).await? > 0 {
        with.add_slice(callers.run_slice().await?);
        if shown_at.elapsed() > Duration::from_mins(10) {
            return Err(new_trouble("the scheduler does not come to an end"));
        }
    }
    let seconds = shown_at.elapsed().as_secs_f64();
    store.close();
    let rate = to_float(found) / seconds;
    print_line(&format!("scheduler, {engine}: {found} debts in {} s", format_number(seconds)));
    results.add_note(
        &format!("the scheduler takes {found} measures among callers, {engine}"),
        seconds,
        " s",
        format!("{}/s; {} open obligations", format_number(rate), stand.options.open_cases()),
    );
    for (what, with, without) in [
        ("a case by id", &with.looks, &without.looks),
        ("a report", &with.reports, &without.reports),
    ] {
        let (with, without) = (overall_p99(with), overall_p99(without));
        let detail =
            format!("p99 {} ms without it, by {} clients", format_number(without), callers.clients);
        results.add_note(&format!("p99 of {what} meanwhile, {engine}"), with, " ms", detail);
    }
    Ok(())
}

/// The 99th percentile of all answers of all slices together: the worst slice alone would mislead.
fn overall_p99(loads: &[Load]) -> f64 {
    Load::merge_loads(loads).latency_ms(99)
}

/// How many debts are due now, counted up to `most`.
async fn count_due(store: &Store, most: u64) -> Done<u64> {
    let (now, most) = (Clock::default().now(), i64::try_from(most)?);
    Ok(count_items(&store.read(move |db| obligation::load_lapsing(db, now, most)).await?))
}

/// The measured slices.
#[derive(Default)]
struct Slices {
    looks: Vec<Load>,
    reports: Vec<Load>,
}

impl Slices {
    fn add_slice(&mut self, (look, report): (Load, Load)) {
        self.looks.push(look);
        self.reports.push(report);
    }
}

/// The callers during the measurement.
struct Callers<'a> {
    at: &'a Open,
    cases: Vec<Coming>,
    clients: u32,
}

impl Callers<'_> {
    /// Some read cases and as many report, for a slice of time.
    async fn run_slice(&self) -> Done<(Load, Load)> {
        let (desk, cases) = (self.at.desk.clone(), self.cases.clone());
        let look: Make = Rc::new(move |number| {
            let index = usize::try_from(number).unwrap_or_default() % cases.len().max(1);
            cases.get(index).map(|case| desk.case_turn(*case)).unwrap_or_default()
        });
        let desk = self.at.desk.clone();
        let report: Make = Rc::new(move |number| desk.report_turn(number));
        let until = Until::Time(SLICE);
        let (looks, reports) = tokio::join!(
            drive_load(&self.at.server, self.clients, until, look),
            drive_load(&self.at.server, self.clients, until, report)
        );
        Ok((looks?, reports?))
    }
}

/// Files some cases to read.
async fn file_cases(at: &Open) -> Done<Vec<Coming>> {
    const CASES: u64 = 64;
    let cases: Vec<Coming> = (0..CASES).map(Coming::new).collect();
    let (desk, all) = (at.desk.clone(), cases.clone());
    let file: Make = Rc::new(move |number| {
        let case = usize::try_from(number).ok().and_then(|index| all.get(index));
        let steps =
            case.map(|case| LOOP.iter().take(2).filter_map(|step| desk.build_step(*case, step)));
        steps.into_iter().flatten().collect()
    });
    drive_load(&at.server, 1, Until::Turns(CASES), file).await?;
    Ok(cases)
}

/// Makes reports that no one accepted: most are new, every tenth is old enough for its first
/// measure to be due.
async fn create_debts(stand: &Stand, url: &str, town: &Town) -> Done {
    let (open, due) = (stand.options.open_cases(), stand.options.due_debts());
    let store = Store::open(url, Options::default())?;
    let worlds =
        TenantSnapshots::load(&store, catalogue::build_default(), &Clock::default()).await?;
    let world = worlds.get(TenantId(town.tenant)).ok_or_else(|| new_trouble("no such tenant"))?;
    let ago = find_overdue_age(&world, town)?;
    let now = Clock::default().now();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..open {
        let at = if number < due { now - ago } else { now };
        let change = submit_report(&world, town, number, at)?;
        let store = store.clone();
        running.spawn(async move { store.commit(vec![Write::from(change)]).await });
        if running.len() >= 256 {
            check_written(running.join_next().await)?;
        }
    }
    while let Some(result) = running.join_next().await {
        check_written(Some(result))?;
    }
    store.close();
    let took = begun.elapsed().as_secs_f64();
    print_line(&format!("{open} debts, {due} of them overdue, in {} s", format_number(took)));
    Ok(())
}

type Written =
    Result<Result<persistence::Outcome, persistence::StoreError>, tokio::task::JoinError>;

fn check_written(written: Option<Written>) -> Done {
    match written {
        Some(written) => Ok(written.map(|outcome| outcome.map(|_| ()))??),
        None => Ok(()),
    }
}

/// How long ago a report must be for its first measure, and no other, to be due.
fn find_overdue_age(world: &Arc<TenantSnapshot>, town: &Town) -> Done<chrono::Duration> {
    let now = Clock::default().now();
    for minutes in 1..14 * 24 * 60 {
        let ago = chrono::Duration::minutes(minutes);
        let change = submit_report(world, town, 0, now - ago)?;
        let next = change.opened.first().and_then(|debt| debt.term.next_at);
        if next.is_some_and(|next| next <= now) {
            return Ok(ago);
        }
    }
    Err(new_trouble("no measure is due within two weeks"))
}

fn submit_report(
    world: &Arc<TenantSnapshot>,
    town: &Town,
    number: u64,
    at: domain::Instant,
) -> Done<Change<Report>> {
    let places = &town.places;
    let place = usize::try_from(number)?.checked_rem(places.len()).and_then(|i| places.get(i));
    let grid =
        place.map(|place| &place.grid).ok_or_else(|| new_trouble("the town has no places"))?;
    let by = build_reporter(town.tenant, grid.unit());
    let draft = Draft {
        id: ReportId(new_id()),
        channel: Channel::Worker,
        title: None,
        text: Prose::try_from("楼道堆放杂物，影响通行")
            .map_err(|fault| new_trouble(fault.to_string()))?,
        category: None,
        urgency: Urgency::Normal,
        demand: None,
        area: Some(AreaId(grid.id.0)),
        point: None,
        address: None,
        client_at: None,
        confidential: false,
        anonymous: false,
        contact: false,
        patrol: None,
        media: Vec::new(),
        handled: None,
    };
    let request = Request::new(CommandId(new_id()), "bench", draft.id.0, &number);
    let context = world.build_context(&by, at);
    let change = intake::submit_report(draft, request, context);
    change.map(|(change, _)| change).map_err(|refusal| Trouble(refusal.code().to_owned()))
}

fn build_reporter(tenant: uuid::Uuid, over: Unit) -> Actor {
    let role = Role::GridWorker;
    let grant = Grant { role, over, from: domain::Instant::MIN_UTC, until: None, post: None };
    Actor {
        tenant: TenantId(tenant),
        person: PersonId(uuid::Uuid::max()),
        name: "网格员".to_owned(),
        grants: vec![grant],
        powers: domain::people::actor::Powers::built_in(),
    }
}
