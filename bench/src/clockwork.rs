//! The clockwork works off ten thousand debts at once, among ten times as many that are not due,
//! while callers ask: how long it takes, and what they notice.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use api::app::{
    catalogue,
    clock::{Clock, new_id},
    world::{World, Worlds},
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
    load::{Load, Make, Until, drive},
    results::{Results, shown},
    stand::{BUSY, Open, Stand},
    town::Town,
    trouble::{Done, Trouble, count, float, say, trouble},
};

/// How long the callers are measured at a time; between two of these it is asked whether
/// anything is still due.
const SLICE: Duration = Duration::from_millis(300);

/// Moves the due debts out of the clockwork's sight, and back: all become due at one moment.
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

/// Measures the clockwork on both engines.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let url = stand.busy()?;
    owe(stand, &url, &stand.town).await?;
    let [hide, show] = POSTGRES;
    probe::execute(&url, hide)?;
    stand.settle(BUSY)?;
    let at = stand.postgres(BUSY).await?;
    one(stand, "PostgreSQL", (&url, show), &at, results).await?;
    drop(at);
    let (url, town) = stand.embedded_busy().await?;
    owe(stand, &url, &town).await?;
    let [hide, show] = SQLITE;
    probe::execute(&url, hide)?;
    let at = stand.embedded(&url, &town).await?;
    one(stand, "SQLite", (&url, show), &at, results).await
}

/// Callers without the clockwork, then with it, until nothing is due.
async fn one(
    stand: &Stand,
    engine: &'static str,
    (url, show): (&str, &str),
    at: &Open,
    results: &mut Results,
) -> Done {
    let store = Store::open(url, Options { readers: Some(1), ..Options::default() })?;
    let cases = cases(at).await?;
    let callers = Callers { at, cases, clients: (stand.options.clients / 4).max(1) };
    callers.slice().await?;
    let mut without = Slices::default();
    let begun = Instant::now();
    while begun.elapsed() < stand.options.time() {
        without.add(callers.slice().await?);
    }
    let due = due(&store, stand.options.due()).await?;
    probe::execute(url, show)?;
    let shown_at = Instant::now();
    let found = self::due(&store, stand.options.due()).await?;
    if due != 0 || found == 0 {
        return Err(trouble(format!("{due} debts were due too early, {found} at the moment")));
    }
    let mut with = Slices::default();
    while self::due(&store, 1).await? > 0 {
        with.add(callers.slice().await?);
        if shown_at.elapsed() > Duration::from_mins(10) {
            return Err(trouble("the clockwork does not come to an end"));
        }
    }
    let seconds = shown_at.elapsed().as_secs_f64();
    store.close();
    let rate = float(found) / seconds;
    say(&format!("clockwork, {engine}: {found} debts in {} s", shown(seconds)));
    results.note(
        &format!("the clockwork takes {found} measures among callers, {engine}"),
        seconds,
        " s",
        format!("{}/s; {} open obligations", shown(rate), stand.options.open()),
    );
    for (what, with, without) in [
        ("a case by id", &with.looks, &without.looks),
        ("a report", &with.reports, &without.reports),
    ] {
        let (with, without) = (p99(with), p99(without));
        let detail =
            format!("p99 {} ms without it, by {} clients", shown(without), callers.clients);
        results.note(&format!("p99 of {what} meanwhile, {engine}"), with, " ms", detail);
    }
    Ok(())
}

/// The worst slice does not tell: all answers of all slices together.
fn p99(loads: &[Load]) -> f64 {
    Load::together(loads).latency_ms(99)
}

/// How many debts are due now, counted up to `most`.
async fn due(store: &Store, most: u64) -> Done<u64> {
    let (now, most) = (Clock::default().now(), i64::try_from(most)?);
    Ok(count(&store.read(move |db| obligation::lapsing(db, now, most)).await?))
}

/// What was measured a slice at a time.
#[derive(Default)]
struct Slices {
    looks: Vec<Load>,
    reports: Vec<Load>,
}

impl Slices {
    fn add(&mut self, (look, report): (Load, Load)) {
        self.looks.push(look);
        self.reports.push(report);
    }
}

/// People who ask meanwhile.
struct Callers<'a> {
    at: &'a Open,
    cases: Vec<Coming>,
    clients: u32,
}

impl Callers<'_> {
    /// Some look at cases and as many report, for a slice of time.
    async fn slice(&self) -> Done<(Load, Load)> {
        let (desk, cases) = (self.at.desk.clone(), self.cases.clone());
        let look: Make = Rc::new(move |number| {
            let index = usize::try_from(number).unwrap_or_default() % cases.len().max(1);
            cases.get(index).map(|case| desk.look(*case)).unwrap_or_default()
        });
        let desk = self.at.desk.clone();
        let report: Make = Rc::new(move |number| desk.report(number));
        let until = Until::Time(SLICE);
        let (looks, reports) = tokio::join!(
            drive(&self.at.server, self.clients, until, look),
            drive(&self.at.server, self.clients, until, report)
        );
        Ok((looks?, reports?))
    }
}

/// Some cases to look at.
async fn cases(at: &Open) -> Done<Vec<Coming>> {
    const CASES: u64 = 64;
    let cases: Vec<Coming> = (0..CASES).map(Coming::new).collect();
    let (desk, all) = (at.desk.clone(), cases.clone());
    let file: Make = Rc::new(move |number| {
        let case = usize::try_from(number).ok().and_then(|index| all.get(index));
        let steps = case.map(|case| LOOP.iter().take(2).filter_map(|step| desk.step(*case, step)));
        steps.into_iter().flatten().collect()
    });
    drive(&at.server, 1, Until::Turns(CASES), file).await?;
    Ok(cases)
}

/// Reports that no one accepted: most are new, every tenth is old enough for its first measure to
/// be due.
async fn owe(stand: &Stand, url: &str, town: &Town) -> Done {
    let (open, due) = (stand.options.open(), stand.options.due());
    let store = Store::open(url, Options::default())?;
    let worlds = Worlds::load(&store, catalogue::catalogue(), &Clock::default()).await?;
    let world = worlds.get(TenantId(town.tenant)).ok_or_else(|| trouble("no such tenant"))?;
    let ago = overdue(&world, town)?;
    let now = Clock::default().now();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..open {
        let at = if number < due { now - ago } else { now };
        let change = owed(&world, town, number, at)?;
        let store = store.clone();
        running.spawn(async move { store.commit(vec![Write::from(change)]).await });
        if running.len() >= 256 {
            ended(running.join_next().await)?;
        }
    }
    while let Some(result) = running.join_next().await {
        ended(Some(result))?;
    }
    store.close();
    let took = begun.elapsed().as_secs_f64();
    say(&format!("{open} debts, {due} of them overdue, in {} s", shown(took)));
    Ok(())
}

type Written =
    Result<Result<persistence::Outcome, persistence::StoreError>, tokio::task::JoinError>;

fn ended(written: Option<Written>) -> Done {
    match written {
        Some(written) => Ok(written.map(|outcome| outcome.map(|_| ()))??),
        None => Ok(()),
    }
}

/// How long ago a report must be for its first measure, and no other, to be due.
fn overdue(world: &Arc<World>, town: &Town) -> Done<chrono::Duration> {
    let now = Clock::default().now();
    for minutes in 1..14 * 24 * 60 {
        let ago = chrono::Duration::minutes(minutes);
        let change = owed(world, town, 0, now - ago)?;
        let next = change.opened.first().and_then(|debt| debt.term.next_at);
        if next.is_some_and(|next| next <= now) {
            return Ok(ago);
        }
    }
    Err(trouble("no measure is due within two weeks"))
}

fn owed(world: &Arc<World>, town: &Town, number: u64, at: domain::Instant) -> Done<Change<Report>> {
    let places = &town.places;
    let place = usize::try_from(number)?.checked_rem(places.len()).and_then(|i| places.get(i));
    let grid = place.map(|place| &place.grid).ok_or_else(|| trouble("the town has no places"))?;
    let by = reporter(town.tenant, grid.unit());
    let draft = Draft {
        id: ReportId(new_id()),
        channel: Channel::Worker,
        title: None,
        text: Prose::try_from("楼道堆放杂物，影响通行")
            .map_err(|fault| trouble(fault.to_string()))?,
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
    let context = world.context(&by, at);
    let change = intake::submit(draft, request, context);
    change.map(|(change, _)| change).map_err(|refusal| Trouble(refusal.code().to_owned()))
}

fn reporter(tenant: uuid::Uuid, over: Unit) -> Actor {
    let role = Role::GridWorker;
    let grant = Grant { role, over, from: domain::Instant::MIN_UTC, until: None, post: None };
    Actor {
        tenant: TenantId(tenant),
        person: PersonId(uuid::Uuid::max()),
        name: "网格员".to_owned(),
        grants: vec![grant],
        powers: domain::people::actor::Powers::shipped(),
    }
}
