//! The commands for visits: what they do, and who may give them.

use chrono::Duration;

use super::{Command, Done, Event, Outcome, Plan, Purpose, Record, Status, Visit};
use crate::{
    area::tree::Unit,
    core::time::{local_day, saturating_add},
    flows::{flow::Context, report},
    people::actor::Permission,
    rules::{obligation::Term, refusal::Refusal},
};

/// Refuses an actor who may not visit there, is not paired with the household and was not sent.
fn require_visit_permission(area: &Unit, paired: bool, cx: &Context<'_>) -> Result<(), Refusal> {
    if paired { Ok(()) } else { cx.require_permission(Permission::Visit, &area.path, &area.name) }
}

/// The purposes, each once.
fn check_purposes(given: &[Purpose]) -> Result<Vec<Purpose>, Refusal> {
    let mut distinct = given.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.is_empty() { Err(Refusal::PurposeMissing) } else { Ok(distinct) }
}

/// Plans a visit.
pub(super) fn plan_visit(plan: &Plan, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
    const LONGEST_DAYS: i64 = 366;
    require_visit_permission(&plan.area, plan.paired, cx)?;
    let latest = saturating_add(cx.at, Duration::days(LONGEST_DAYS));
    if plan.due.is_some_and(|due| due <= cx.at || due > latest) {
        return Err(Refusal::OutsideWindow { earliest: cx.at, latest });
    }
    let visit = Visit {
        id: plan.id,
        number: cx.new_number('V', plan.id.0, cx.at),
        household: plan.household,
        campaign: None,
        area: plan.area.clone(),
        worker: plan.worker,
        purposes: check_purposes(&plan.purposes)?,
        made_at: cx.at,
        status: Status::Planned { due: plan.due.map(|due| Term::with_due_at(cx.seq, cx.at, due)) },
    };
    Ok(vec![Event::Planned { visit: Box::new(visit) }])
}

/// Records a visit that was not planned.
pub(super) fn record_unplanned(record: &Record, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
    require_visit_permission(&record.area, record.paired, cx)?;
    let (purposes, done) =
        (check_purposes(&record.purposes)?, Box::new(new_done(record, None, cx)?));
    let visit = Visit {
        id: record.id,
        number: cx.new_number('V', record.id.0, cx.at),
        household: record.household,
        campaign: record.campaign,
        area: record.area.clone(),
        worker: Some(cx.by.person),
        purposes: purposes.clone(),
        made_at: cx.at,
        status: Status::Done { done: done.clone() },
    };
    Ok(vec![Event::Recorded { visit: Some(Box::new(visit)), purposes, done }])
}

/// Decides a command on a visit that exists.
pub(super) fn decide_existing(
    visit: &Visit,
    command: &Command,
    cx: &Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let sent = visit.worker == Some(cx.by.person) && cx.by.may_somewhere(Permission::Visit, cx.at);
    match command {
        Command::Plan(_) => Err(Refusal::AlreadyExists { what: "visit" }),
        Command::Record(record) => {
            // The identity of an existing visit cannot be used for another household.
            if (record.household, record.campaign) != (visit.household, visit.campaign) {
                return Err(Refusal::AlreadyExists { what: "visit" });
            }
            require_visit_permission(&visit.area, record.paired || sent, cx)?;
            let given = if record.purposes.is_empty() { &visit.purposes } else { &record.purposes };
            let purposes = check_purposes(given)?;
            let done = Box::new(new_done(record, visit.status.completion(), cx)?);
            Ok(vec![Event::Recorded { visit: None, purposes, done }])
        }
        Command::Correct(correction) => {
            require_visit_permission(&visit.area, sent, cx)?;
            let mut correction = correction.clone();
            correction.purposes = correction.purposes.as_deref().map(check_purposes).transpose()?;
            let before = visit.status.completion();
            let outcome = correction.outcome.or(before.map(|done| done.outcome));
            let told = correction.opinions.is_some()
                || before.is_some_and(|done| done.form.is_some() || !done.needs.is_empty());
            if told && outcome != Some(Outcome::Met) {
                return Err(Refusal::NobodyMet);
            }
            Ok(vec![Event::Corrected { correction }])
        }
        Command::Cancel { reason } => {
            require_visit_permission(&visit.area, sent, cx)?;
            Ok(vec![Event::Cancelled { reason: reason.clone() }])
        }
    }
}

/// The record after going, on top of the record of going before.
fn new_done(record: &Record, before: Option<&Done>, cx: &Context<'_>) -> Result<Done, Refusal> {
    let heard = record.opinions.is_some() || record.form.is_some();
    if record.outcome != Outcome::Met && heard {
        return Err(Refusal::NobodyMet);
    }
    if record.needs.len() > Visit::MAX_NEEDS {
        return Err(Refusal::TooMany { what: "needs", max: Visit::MAX_NEEDS });
    }
    let mut needs = before.map(|before| before.needs.clone()).unwrap_or_default();
    needs.extend(&record.needs);
    if needs.len() > Visit::MAX_REPORTS {
        return Err(Refusal::TooMany { what: "needs", max: Visit::MAX_REPORTS });
    }
    let told = cx.find_client_time(record.visited_at);
    let clock_ahead = report::check_client_time(told, cx)?;
    let visited_at = told.map_or(cx.at, |at| cx.skew().correct_time(at));
    let opinions = || before.and_then(|before| before.opinions.clone());
    Ok(Done {
        outcome: record.outcome,
        opinions: record.opinions.clone().or_else(opinions),
        visited_at,
        recorded_at: cx.at,
        clock_ahead,
        late_entry: local_day(visited_at) < local_day(cx.typed_at()),
        by: cx.by.person,
        by_name: cx.by.name.clone(),
        form: record.form.or(before.and_then(|before| before.form)),
        needs,
        goes: before.map_or(1, |before| before.goes.saturating_add(1)),
    })
}
