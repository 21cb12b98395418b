//! Measures about late debts, and that a breach is never removed.

use chrono::Duration;
use domain::{
    core::id::CaseId,
    flows::{
        case::{
            Command, Event,
            state::{ApprovalSubject, Case, Trigger},
        },
        flow::Flow as _,
    },
    people::actor::Role,
    rules::{
        obligation::{Duty, Outcome},
        refusal::Refusal,
        rulebook::Raising,
        vocabulary::{MeasureKind, SupervisionKind},
    },
};

use super::{
    script::{
        OTHER, Script, THIRD, WORKER, answer, answer_dissatisfied, appeal, arrive, call_off, close,
        decide, dispatch, events, feed_back, give_back, lapse, reply, reporter, supervise, verify,
        whistle, withdraw,
    },
    world::{
        COMMUNITY, DISTRICT, GRID, MARKET, SQUAD, STREET, URBAN, actor, almighty, system, unit,
        with_conduct,
    },
};

fn list_measures(happened: &[Event]) -> Vec<MeasureKind> {
    let what = |event: &Event| {
        if let Event::Measured { what, .. } = event { Some(*what) } else { None }
    };
    happened.iter().filter_map(what).collect()
}

#[test]
fn measures_are_taken_in_order_each_once_when_it_is_time() {
    let mut script = Script::until_handling();
    let due = script.first_obligation(Duty::Handle).term.due_at;
    let (mut taken, mut before) = (Vec::new(), script.at);
    while let Some(next) = script.first_obligation(Duty::Handle).term.next_at {
        let owed = script.first_obligation(Duty::Handle);
        let early =
            script.chain.try_command(&system(), next - Duration::milliseconds(1), &lapse(&owed));
        assert_eq!(early.unwrap_err(), Refusal::NothingDue);
        assert!(next > before);
        before = next;
        let (after, happened) = script.lapse_duty(Duty::Handle);
        taken.extend(list_measures(&happened));
        let twice = after.chain.try_command(&system(), after.at, &lapse(&owed));
        assert_eq!(twice.unwrap_err(), Refusal::NothingDue, "each once");
        script = after;
    }
    assert_eq!(
        taken,
        [
            MeasureKind::Remind,
            MeasureKind::Urge,
            MeasureKind::Supervise,
            MeasureKind::Report,
            MeasureKind::List
        ]
    );
    assert_eq!(script.first_obligation(Duty::Handle).term.due_at, due, "measures move nothing");
    let kinds: Vec<_> = script.case().supervisions.iter().map(|one| one.kind).collect();
    let (urge, supervise) = (SupervisionKind::Urge, SupervisionKind::Supervise);
    assert_eq!(kinds, [urge, supervise, supervise, SupervisionKind::List]);
    let whom: Vec<_> = script.case().supervisions.iter().map(|one| &one.addressee).collect();
    let (own, above) = (unit(GRID), unit(COMMUNITY));
    assert_eq!(whom, [&own, &own, &above, &own]);
    assert!(script.case().supervisions.iter().all(|one| one.trigger == Trigger::Overdue));
}

#[test]
fn who_is_reminded_is_not_late_and_who_is_urged_is() {
    let (script, _) = Script::until_handling().lapse_duty(Duty::Handle);
    let term = script.first_obligation(Duty::Handle).term;
    assert!(script.at < term.due_at && script.case().breaches.is_empty());
    let (script, happened) = script.lapse_duty(Duty::Handle);
    assert_eq!(script.at, term.due_at);
    let breach = &script.case().breaches[0];
    assert_eq!((breach.no, breach.duty, &breach.unit), (1, Duty::Handle, &unit(GRID)));
    assert_eq!((breach.term, breach.due_at), (term.no, term.due_at));
    assert!(happened.iter().any(|event| matches!(event, Event::Breached { .. })));
    let (script, _) = script.lapse_duty(Duty::Handle);
    assert_eq!(script.case().breaches.len(), 1, "one fact about one debt");
}

#[test]
fn the_level_above_learns_of_a_debt_and_answers_for_it() {
    let mut script = Script::until_dispatched();
    let leader = actor(90, "柳社区", &[(Role::CommunityOfficer, COMMUNITY)]);
    assert!(!script.case().units.iter().any(|known| known.id == COMMUNITY));
    for _ in 0..4 {
        script = script.lapse_duty(Duty::Sign).0;
    }
    assert!(script.case().units.iter().any(|known| known.id == COMMUNITY));
    assert!(script.case().visible_to(&leader, script.at));
    let up = script.case().supervisions.last().unwrap();
    assert_eq!((up.trigger, &up.addressee), (Trigger::Overdue, &unit(COMMUNITY)));
    let (no, owed) = (up.no, script.case().obligations());
    let answering = |one: &&domain::rules::obligation::Obligation| one.owed_by == unit(COMMUNITY);
    assert_eq!(owed.iter().find(answering).unwrap().duty, Duty::AnswerSupervision);
    let (script, _) = script.act_now(&leader, &reply(no));
    assert!(!script.case().obligations().iter().any(|one| one.owed_by == unit(COMMUNITY)));
}

/// The result does not depend on whether the scheduler or the caller is first.
#[test]
fn what_is_lifted_late_was_late() {
    let late = Script::until_dispatched().wait_days(1).then_worker(&give_back());
    let facts = |script: &Script| {
        script.case().breaches.iter().map(|one| (one.duty, one.due_at)).collect::<Vec<_>>()
    };
    let due = Script::until_dispatched().first_obligation(Duty::Sign).term.due_at;
    assert_eq!(facts(&late), [(Duty::Sign, due)]);
    let looked = Script::until_dispatched().lapse_duty(Duty::Sign).0.lapse_duty(Duty::Sign).0;
    assert_eq!(facts(&looked.then_worker(&give_back())), facts(&late));
    let on_time = Script::until_dispatched().then_worker(&give_back());
    assert_eq!(facts(&on_time), []);
    let called_off = Script::until_whistled().wait_days(30).then_other(&call_off());
    assert_eq!(facts(&called_off).len(), 8, "four of each department");
}

#[test]
fn every_third_report_of_one_matter_raises_a_supervision() {
    let join = |script: Script, n| script.then_other(&Command::Join { reporter: reporter(n) });
    let twice = join(Script::until_dispatched(), 1);
    assert_eq!(twice.case().supervisions, []);
    let thrice = join(twice, 2);
    let raised = &thrice.case().supervisions[0];
    assert_eq!((raised.kind, raised.trigger), (SupervisionKind::Supervise, Trigger::Repeated));
    assert_eq!((&raised.addressee, raised.by), (&unit(GRID), system().person));
    assert_eq!(thrice.first_obligation(Duty::AnswerSupervision).owed_by, unit(GRID));
    let six = (3..6).fold(thrice.clone(), join);
    assert_eq!(six.case().supervisions.len(), 1, "one at a time");
    let no = raised.no;
    let answered = (3..6).fold(thrice.then_worker(&reply(no)), join);
    assert_eq!(answered.case().supervisions.len(), 2, "the sixth, when the third was answered");
}

#[test]
fn a_whistle_blown_again_at_one_place_raises_a_supervision_of_its_lead() {
    let blown = |before: u128| {
        let Command::Ask { wish: ApprovalSubject::Whistle { mut call }, reason } =
            whistle(URBAN, &[])
        else {
            panic!("a whistle is asked for")
        };
        call.repeats = (0..before).map(|n| CaseId(uuid::Uuid::from_u128(n))).collect();
        let wish = ApprovalSubject::Whistle { call };
        Script::held_by(STREET).then_other(&Command::Ask { wish, reason })
    };
    assert_eq!(blown(1).case().supervisions, []);
    let third = blown(2);
    let raised = &third.case().supervisions[0];
    assert_eq!((raised.trigger, &raised.addressee), (Trigger::Repeated, &unit(URBAN)));
}

#[test]
fn who_answers_for_an_unsatisfied_resident_is_asked_why() {
    for said in [answer(false), answer_dissatisfied()] {
        let told = Script::until_verified().then_other(&said);
        let raised = &told.case().supervisions[0];
        assert_eq!((raised.trigger, &raised.addressee), (Trigger::Unsatisfied, &unit(GRID)));
        assert_eq!((raised.by, raised.by_name.as_str()), (system().person, "系统"));
    }
    assert_eq!(Script::until_answered().case().supervisions, []);
    let rules = with_conduct(|conduct| {
        conduct.raising = Raising { repeats: 1, repeated: None, unsatisfied: None };
    });
    let quiet = Script::with_rules(rules, COMMUNITY)
        .then_other(&dispatch(GRID))
        .then_worker(&Command::Sign);
    let quiet =
        quiet.then_worker(&feed_back()).then_other(&Command::Join { reporter: reporter(1) });
    let quiet = quiet.then_other(&verify(true)).then_other(&answer(false));
    assert_eq!(quiet.case().supervisions, [], "not where the tenant does not want it");
}

#[test]
fn only_the_system_takes_measures() {
    let script = Script::until_dispatched().wait_days(3);
    let refusal = script.expect_refusal(OTHER, &lapse(&script.first_obligation(Duty::Sign)));
    assert!(matches!(refusal, Refusal::NotPermitted { .. }));
    let mut owed = script.first_obligation(Duty::Sign);
    owed.term.no += 1;
    let asked = script.chain.try_command(&system(), script.at, &lapse(&owed));
    assert_eq!(asked.unwrap_err(), Refusal::NothingDue, "another round's clock");
}

#[test]
fn what_is_done_late_is_a_fact_even_when_nobody_looked() {
    let mut script = Script::until_dispatched().wait_days(1);
    let change = script.run_command(&almighty(WORKER), &Command::Sign);
    assert_eq!(change.settled[0].outcome, Outcome::Late);
    assert_eq!(change.state.breaches.len(), 1);
    assert_eq!(change.state.breaches[0].duty, Duty::Sign);
}

/// Two debts end at once, one of them known: their breaches get different numbers.
#[test]
fn facts_are_numbered_one_after_another() {
    let signed = Script::until_whistled()
        .then_acts(MARKET, &[domain::flows::case::whistle::SummonsCommand::Sign]);
    let contact = |script: &Script| {
        let owed = script.case().obligations();
        owed.into_iter().find(|o| o.duty == Duty::Contact && o.owed_by.id == MARKET).unwrap()
    };
    let mut script = signed;
    for _ in 0..2 {
        let owed = contact(&script);
        let at = owed.term.next_at.unwrap();
        script = script.wait_until(at).act_now(&system(), &lapse(&owed)).0;
    }
    let script = script.wait_days(30).then_acts(MARKET, &[arrive()]);
    let numbers = |case: &Case| case.breaches.iter().map(|one| one.no).collect::<Vec<_>>();
    assert_eq!(numbers(script.case()), [1, 2]);
    let script = script.then_acts(MARKET, &[super::script::report_back()]);
    assert_eq!(numbers(script.case()), [1, 2, 3]);
}

#[test]
fn a_supervision_is_answered_by_the_addressee_once() {
    let script =
        Script::until_dispatched().then_other(&supervise(SupervisionKind::Supervise, GRID));
    let (no, owed) =
        (script.case().supervisions[0].no, script.first_obligation(Duty::AnswerSupervision));
    assert_eq!(owed.owed_by, unit(GRID));
    let stranger = actor(91, "别人", &[(Role::DepartmentOfficer, SQUAD)]);
    let asked = script.chain.try_command(&stranger, script.at, &reply(no));
    assert!(matches!(asked, Err(Refusal::NotPermitted { .. })));
    let worker = actor(92, "王网格", &[(Role::GridWorker, GRID)]);
    let (script, change) = script.act_now(&worker, &reply(no));
    assert_eq!(change.settled[0].outcome, Outcome::Met);
    assert_eq!(script.case().supervisions[0].reply.as_ref().unwrap().by, worker.person);
    assert_eq!(script.expect_refusal(WORKER, &reply(no)), Refusal::NoSuchSupervision { no });
}

#[test]
fn a_street_that_holds_a_case_can_answer_for_itself() {
    let script = Script::held_by(STREET).then_other(&supervise(SupervisionKind::List, STREET));
    let no = script.case().supervisions[0].no;
    for role in [Role::StreetDispatcher, Role::StreetLeader] {
        let by = actor(93, "街道", &[(role, STREET)]);
        assert!(script.chain.try_command(&by, script.at, &reply(no)).is_ok(), "{role:?}");
        assert!(role.allows(Duty::AnswerSupervision.permission()), "{role:?} is told");
    }
}

#[test]
fn who_is_urged_owes_no_answer() {
    let script = Script::until_dispatched().then_other(&supervise(SupervisionKind::Urge, GRID));
    let no = script.case().supervisions[0].no;
    assert!(!script.has_obligation(Duty::AnswerSupervision));
    assert_eq!(script.expect_refusal(WORKER, &reply(no)), Refusal::NoSuchSupervision { no });
    let stranger = script.expect_refusal(OTHER, &supervise(SupervisionKind::Urge, DISTRICT));
    assert_eq!(stranger, Refusal::NotInvolved { unit: unit(DISTRICT).name });
}

/// A late answer is a breach, but no reason for another supervision, and so on for ever.
#[test]
fn supervisions_do_not_breed() {
    let mut script =
        Script::until_dispatched().then_other(&supervise(SupervisionKind::Supervise, GRID));
    while script.first_obligation(Duty::AnswerSupervision).term.next_at.is_some() {
        script = script.lapse_duty(Duty::AnswerSupervision).0;
    }
    assert_eq!(script.case().supervisions.len(), 1);
    assert_eq!(script.case().breaches.len(), 1);
}

fn until_overdue() -> Script {
    Script::until_dispatched().lapse_duty(Duty::Sign).0.lapse_duty(Duty::Sign).0
}

#[test]
fn an_appeal_needs_two_reviews_and_leaves_the_fact() {
    let late = until_overdue();
    let fact = late.case().breaches[0].clone();
    let asked = late.then_worker(&appeal(1));
    let no = asked.last_ask_no();
    assert!(asked.case().breaches[0].appealed && asked.case().breaches[0].exempted_at.is_none());
    let once = asked.then_other(&decide(no, true));
    assert!(once.case().breaches[0].exempted_at.is_none(), "one review excuses nothing");
    let (twice, change) = once.act_now(&almighty(THIRD), &decide(no, true));
    let breach = &twice.case().breaches[0];
    assert_eq!(breach.exempted_at, Some(twice.at));
    let raw = |one: &domain::flows::case::state::Breach| {
        (one.no, one.duty, one.unit.clone(), one.term, one.due_at)
    };
    assert_eq!(raw(breach), raw(&fact), "the fact stays as it was");
    let excused = events(&change);
    assert!(excused.iter().any(|event| matches!(event, Event::Exempted { breach: 1, .. })));
}

#[test]
fn an_overdue_fact_is_appealed_against_once() {
    let asked = until_overdue().then_worker(&appeal(1));
    let no = asked.last_ask_no();
    let spent = Refusal::Spent { what: "appeal", times: 1 };
    assert_eq!(asked.expect_refusal(WORKER, &appeal(1)), spent, "while it waits");
    let denied = asked.clone().then_other(&decide(no, false));
    assert_eq!(denied.expect_refusal(WORKER, &appeal(1)), spent, "after it was refused");
    assert!(denied.case().breaches[0].exempted_at.is_none());
    assert_eq!(
        asked.then_worker(&withdraw(no)).expect_refusal(WORKER, &appeal(1)),
        spent,
        "after it was taken back"
    );
    assert_eq!(until_overdue().expect_refusal(WORKER, &appeal(2)), Refusal::NoSuchBreach { no: 2 });
}

#[test]
fn an_appeal_is_possible_for_some_time_after_closing() {
    let late = Script::until_dispatched().wait_days(1).then_worker(&Command::Sign);
    let closed = late
        .then_worker(&super::script::feed_back())
        .then_other(&super::script::verify(true))
        .then_other(&super::script::answer(true))
        .then_other(&close());
    let end = closed.at + Duration::days(30);
    assert!(closed.clone().wait_until(end).try_command(WORKER, &appeal(1)).is_ok());
    let over = closed
        .clone()
        .wait_until(end + Duration::milliseconds(1))
        .expect_refusal(WORKER, &appeal(1));
    assert_eq!(over, Refusal::WindowOver { ended_at: end });
    let asked = closed.then_worker(&appeal(1));
    let no = asked.last_ask_no();
    let excused = asked.then_other(&decide(no, true)).then(&almighty(THIRD), &decide(no, true));
    assert!(excused.case().breaches[0].exempted_at.is_some());
    assert!(excused.case().obligations().is_empty());
}
