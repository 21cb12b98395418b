//! Patrols and their plans: who may change them when, and for which days patrols are made.

use chrono::{Duration, NaiveDate, NaiveTime};
use domain::{
    Instant,
    core::{
        id::{PatrolId, PlanId},
        time::local_day,
    },
    flows::{
        patrol::{Command, Event, Itinerary, New, Patrol, Purpose, StatusName, Window},
        patrol_plan::{self, Content, PatrolPlan, Recurrence},
    },
    people::actor::{Actor, Role},
    rules::{obligation::Outcome, refusal::Refusal, vocabulary::MeasureKind},
};
use uuid::Uuid;

use super::world::{
    CITY, Chain, GRID, WORLD, actor, almighty, line, minutes, morning, prose, unit,
};

fn window() -> Window {
    Window { from: morning(), until: morning() + Duration::hours(8) }
}

fn new() -> New {
    New {
        id: PatrolId(Uuid::from_u128(77)),
        area: GRID,
        purpose: Purpose::Routine,
        window: window(),
        itinerary: Itinerary::default(),
    }
}

pub(crate) fn plan() -> Command {
    Command::Plan { new: Box::new(new()), occasion: None }
}

pub(crate) fn begin() -> Command {
    Command::Begin { new: Box::new(new()), time: None, late: None }
}

fn new_patrol(by: &Actor, command: &Command) -> Chain<Patrol> {
    let mut chain = Chain::default();
    let change = chain.try_command(by, morning(), command).unwrap();
    chain.commit(&change);
    chain
}

/// A planned patrol.
pub(crate) fn until_planned() -> Chain<Patrol> {
    new_patrol(&almighty(9), &plan())
}

/// A patrol that was begun without a plan.
pub(crate) fn until_begun(by: &Actor) -> Chain<Patrol> {
    new_patrol(by, &begin())
}

/// Gives the next command, a moment later.
pub(crate) fn commit_next(chain: &mut Chain<Patrol>, by: &Actor, command: &Command) {
    let at = chain.entries.last().unwrap().at + Duration::seconds(30);
    let change = chain.try_command(by, at, command).unwrap();
    chain.commit(&change);
}

pub(crate) fn content() -> Content {
    Content {
        name: line("早间巡查"),
        purpose: Purpose::Routine,
        recurrence: Recurrence::Daily {},
        at: NaiveTime::from_hms_opt(8, 30, 0).unwrap(),
        window_minutes: 120,
        from: local_day(morning()),
        until: None,
        itinerary: Itinerary::default(),
    }
}

pub(crate) fn create() -> patrol_plan::Command {
    let id = PlanId(Uuid::from_u128(78));
    patrol_plan::Command::Create { id, area: GRID, content: Box::new(content()) }
}

/// A new plan.
pub(crate) fn until_created() -> Chain<PatrolPlan> {
    let mut chain = Chain::default();
    let change = chain.try_command(&almighty(9), morning(), &create()).unwrap();
    chain.commit(&change);
    chain
}

fn finish(time: Option<Instant>) -> Command {
    Command::Finish { time, late: None, note: None }
}

fn worker(number: u128) -> Actor {
    actor(number, "网格员", &[(Role::GridWorker, GRID)])
}

#[test]
fn whoever_starts_a_patrol_owns_it() {
    let mut chain = until_planned();
    let start = Command::Start { window: None, time: None, late: None };
    commit_next(&mut chain, &worker(1), &start);
    let later = morning() + minutes(10);
    for command in [Command::Pause { time: None }, finish(None)] {
        let refused = chain.try_command(&worker(2), later, &command);
        assert_eq!(refused, Err(Refusal::NotYourPatrol { worker: "网格员".to_owned() }));
    }
    let note = Command::Note { text: prose("备注") };
    assert!(matches!(
        chain.try_command(&worker(2), later, &note),
        Err(Refusal::NotPermitted { .. })
    ));
    assert!(chain.try_command(&worker(1), later, &note).is_ok());
}

#[test]
fn what_was_planned_is_done_in_time_late_or_lifted() {
    let start = Command::Start { window: None, time: None, late: None };
    let outcome = |at: Instant, command: &Command| {
        let mut chain = until_planned();
        if !matches!(command, Command::Cancel { .. }) {
            commit_next(&mut chain, &worker(1), &start);
        }
        let by = if matches!(command, Command::Cancel { .. }) { almighty(9) } else { worker(1) };
        chain.try_command(&by, at, command).unwrap().settled[0].outcome
    };
    assert_eq!(outcome(morning() + minutes(60), &finish(None)), Outcome::Met);
    assert_eq!(outcome(morning() + minutes(600), &finish(None)), Outcome::Late);
    let cancel = Command::Cancel { reason: prose("暴雨") };
    assert_eq!(outcome(morning() + minutes(60), &cancel), Outcome::Lifted);
}

#[test]
fn times_of_the_phone_are_kept_in_order_and_within_bounds() {
    let now = morning() + Duration::hours(4);
    let began = Chain::<Patrol>::default();
    let at = |time| Command::Begin { new: Box::new(new()), time: Some(time), late: None };
    let change = began.try_command(&worker(1), now, &at(morning() + minutes(5))).unwrap();
    let run = change.state.status.run().unwrap().clone();
    assert_eq!((run.started.at, run.started.received_at), (morning() + minutes(5), now));
    let mut chain = Chain::default();
    chain.commit(&change);
    let before = chain.try_command(&worker(1), now, &finish(Some(morning())));
    assert!(matches!(before, Err(Refusal::OutsideWindow { .. })));
    let wrong = Instant::MAX_UTC;
    assert!(matches!(
        began.try_command(&worker(1), now, &at(wrong)),
        Err(Refusal::ClientTime { .. })
    ));
    let outside = at(morning() - minutes(1));
    assert!(matches!(
        began.try_command(&worker(1), now, &outside),
        Err(Refusal::OutsideWindow { .. })
    ));
    let days_later = morning() + Duration::days(3);
    let told = began.try_command(&worker(1), days_later, &at(morning()));
    assert_eq!(told, Err(Refusal::LateUnexplained { hours: 24 }));
    let late = Some(prose("手机没电"));
    let told = Command::Begin { new: Box::new(new()), time: Some(morning()), late };
    let change = began.try_command(&worker(1), days_later, &told).unwrap();
    assert!(change.state.status.run().unwrap().late_entry.is_some());
}

#[test]
fn a_walk_not_taken_is_urged_and_nobody_is_supervised_for_it() {
    let system = Actor::new_system(super::world::TENANT, unit(CITY));
    let mut chain = until_planned();
    let mut taken = Vec::new();
    while let Some(term) = chain.state().status.term().filter(|term| term.next_at.is_some()) {
        let (no, at) = (term.no, term.next_at.unwrap());
        let change = chain.try_command(&system, at, &Command::Lapse { term: no }).unwrap();
        let events: Vec<Event> = serde_json::from_str(&change.entry.events).unwrap();
        taken.extend(events.iter().filter_map(|event| {
            let Event::Measured { what, .. } = event else { return None };
            Some(*what)
        }));
        chain.commit(&change);
    }
    assert_eq!(taken, [MeasureKind::Remind, MeasureKind::Urge]);
    assert_eq!(chain.state().status.name(), StatusName::Planned);
    let by_hand = chain.try_command(&almighty(1), morning(), &Command::Lapse { term: 1 });
    assert!(matches!(by_hand, Err(Refusal::NotPermitted { .. })));
}

/// The days for which the system makes patrols when it looks at these moments.
fn list_days(content: Content, looks: &[Instant]) -> Vec<NaiveDate> {
    let system = Actor::new_system(super::world::TENANT, unit(CITY));
    let mut chain = Chain::<PatrolPlan>::default();
    let id = PlanId(Uuid::from_u128(78));
    let create = patrol_plan::Command::Create { id, area: GRID, content: Box::new(content) };
    let change = chain.try_command(&almighty(9), looks[0], &create).unwrap();
    chain.commit(&change);
    let mut days = Vec::new();
    for at in looks {
        while let Ok(change) = chain.try_command(&system, *at, &patrol_plan::Command::Make) {
            let before = chain.state().made;
            chain.commit(&change);
            days.extend(chain.state().made.filter(|day| before != Some(*day)));
        }
    }
    days
}

fn daily_looks(count: i64) -> Vec<Instant> {
    (0..count).map(|day| morning() + Duration::days(day)).collect()
}

fn format_days(days: &[NaiveDate]) -> Vec<String> {
    days.iter().map(|day| day.format("%m-%d").to_string()).collect()
}

#[test]
fn each_day_is_made_once_a_day_ahead() {
    let all = list_days(content(), &daily_looks(4));
    assert_eq!(format_days(&all), ["04-03", "04-04", "04-05", "04-06", "04-07"]);
    let mut over = content();
    over.at = NaiveTime::from_hms_opt(1, 0, 0).unwrap();
    assert_eq!(format_days(&list_days(over, &daily_looks(1))), ["04-04"], "today's window is over");
    let mut until = content();
    until.until = Some(local_day(morning()) + Duration::days(1));
    assert_eq!(format_days(&list_days(until, &daily_looks(9))), ["04-03", "04-04"]);
}

#[test]
fn recurrences_are_what_they_say() {
    let with = |recurrence| list_days(Content { recurrence, ..content() }, &daily_looks(14));
    // Friday 3 April; Qingming is 4 to 6 April.
    let working = with(Recurrence::WorkingDays {});
    assert_eq!(format_days(&working)[..3], ["04-03", "04-07", "04-08"]);
    let weekdays = with(Recurrence::Weekdays {});
    assert_eq!(format_days(&weekdays)[..3], ["04-03", "04-06", "04-07"]);
    let weekly = with(Recurrence::Weekly { days: vec![3, 7] });
    assert_eq!(format_days(&weekly)[..3], ["04-05", "04-08", "04-12"]);
    let every = with(Recurrence::EveryDays { days: 4 });
    assert_eq!(format_days(&every), ["04-03", "04-07", "04-11", "04-15"]);
    for (recurrence, wrong) in [
        (Recurrence::Weekly { days: vec![] }, true),
        (Recurrence::Weekly { days: vec![1, 1] }, true),
        (Recurrence::Weekly { days: vec![8] }, true),
        (Recurrence::EveryDays { days: 0 }, true),
        (Recurrence::EveryDays { days: 92 }, false),
    ] {
        assert_eq!(recurrence.find_fault().is_some(), wrong, "{recurrence:?}");
    }
}

#[test]
fn days_nobody_looked_at_are_not_made_up() {
    let gap = [morning(), morning() + Duration::days(20)];
    assert_eq!(format_days(&list_days(content(), &gap)), ["04-03", "04-04", "04-23", "04-24"]);
}

#[test]
fn the_patrol_of_a_day_has_one_identity() {
    let chain = until_created();
    let day = local_day(morning());
    let (one, same) =
        (chain.state().new_patrol(day).unwrap(), chain.state().new_patrol(day).unwrap());
    assert_eq!(one, same);
    assert_ne!(one.id, chain.state().patrol_id(day + Duration::days(1)));
    assert_eq!(one.window.from.to_rfc3339(), "2026-04-03T00:30:00+00:00");
    assert!(WORLD.areas.get(one.area).is_some());
}
