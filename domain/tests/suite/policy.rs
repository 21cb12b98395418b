//! Publishing documents: who may, in which edition, and never with a fault.

use chrono::{TimeZone as _, Utc};
use domain::{
    calendar::{book::HolidayYear, limit::Limit},
    core::id::TenantId,
    flows::{
        change::Change,
        flow::Flow as _,
        policy::{Command, Document, Policy, PolicyKind},
    },
    people::actor::Role,
    rules::{
        obligation::Duty,
        refusal::Refusal,
        rulebook::{HandlingRules, Rules},
        sla::{Matrix, References},
    },
};
use uuid::Uuid;

use super::{
    report as reports,
    script::{Script, dispatch},
    world::{
        CITY, COMMUNITY, Chain, DISTRICT, GRID, TENANT, WORLD, actor, almighty, morning, prose,
        system,
    },
};

fn publish(document: Document) -> Command {
    let document = Box::new(document);
    Command::Publish { tenant: TENANT, document, note: prose("试行半年") }
}

fn try_publish(chain: &Chain<Policy>, document: Document) -> Result<Change<Policy>, Refusal> {
    let administrator = actor(30, "蒋管理", &[(Role::Administrator, CITY)]);
    chain.try_command(&administrator, morning(), &publish(document))
}

fn find_faults(document: Document) -> Vec<(String, &'static str)> {
    match try_publish(&Chain::default(), document) {
        Err(Refusal::Unsound { faults }) => {
            faults.into_iter().map(|fault| (fault.pointer(), fault.code)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn whatever_is_shipped_can_be_published() {
    for kind in PolicyKind::ALL.iter().copied() {
        let change = try_publish(&Chain::default(), Document::standard(kind)).unwrap();
        assert_eq!(change.state.document.kind(), kind);
        assert_eq!(change.state.id, Policy::id_of(TENANT, kind));
        assert!(change.opened.is_empty() && change.state.obligations().is_empty());
    }
}

#[test]
fn each_edition_says_who_when_and_why_and_has_a_number() {
    let mut chain = Chain::<Policy>::default();
    for edition in 1..=3_u32 {
        let conduct = HandlingRules { returns: edition, ..HandlingRules::default() };
        let change = try_publish(&chain, Document::Conduct(conduct.clone())).unwrap();
        assert_eq!(change.entry.seq, i64::from(edition));
        assert_eq!(change.state.document, Document::Conduct(conduct));
        assert_eq!((change.state.by_name.as_str(), change.state.at), ("蒋管理", morning()));
        assert_eq!(change.state.note, prose("试行半年"));
        chain.commit(&change);
    }
    assert_eq!(domain::core::journal::verify_chain(&chain.entries), Ok(chain.stored.unwrap().head));
}

#[test]
fn each_kind_of_each_tenant_is_a_flow_of_its_own() {
    let mut ids: Vec<Uuid> = [TENANT, TenantId(Uuid::from_u128(2))]
        .iter()
        .flat_map(|tenant| PolicyKind::ALL.iter().map(|kind| Policy::id_of(*tenant, *kind)))
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2 * PolicyKind::ALL.len());
}

#[test]
fn only_who_manages_the_rules_of_the_whole_tenant_publishes() {
    let chain = Chain::<Policy>::default();
    for role in Role::ALL.iter().copied() {
        for over in [CITY, DISTRICT] {
            let by = actor(31, "某人", &[(role, over)]);
            let asked = chain.try_command(
                &by,
                morning(),
                &publish(Document::standard(PolicyKind::Conduct)),
            );
            let may = role == Role::Administrator && over == CITY;
            assert_eq!(asked.is_ok(), may, "{role:?} {over:?}");
        }
    }
}

#[test]
fn a_conduct_out_of_range_is_refused_at_its_place() {
    let with = |change: fn(&mut HandlingRules)| {
        let mut conduct = HandlingRules::default();
        change(&mut conduct);
        find_faults(Document::Conduct(conduct))
    };
    let at = |pointer: &str| vec![(pointer.to_owned(), "out_of_range")];
    assert_eq!(with(|c| c.reopen_days = 367), at("/reopen_days"));
    assert_eq!(with(|c| c.callback_attempts = 0), at("/callback_attempts"));
    assert_eq!(with(|c| c.returns = 21), at("/returns"));
    assert_eq!(with(|c| c.extension.approvals = 3), at("/extension/approvals"));
    assert_eq!(with(|c| c.extension.most = Limit::days(0)), at("/extension/most/amount"));
    assert_eq!(with(|c| c.suspension.days = 0), at("/suspension/days"));
    assert_eq!(with(|c| c.suspension.approvals = 9), at("/suspension/approvals"));
    assert_eq!(with(|c| c.measures = vec![c.measures[0]; 11]), at("/measures"));
    let two = with(|c| (c.returns, c.reworks) = (99, 99));
    assert_eq!(two.len(), 2, "all at once: {two:?}");
}

#[test]
fn a_faulty_document_of_any_kind_changes_nothing() {
    let Document::Calendar(mut calendar) = Document::standard(PolicyKind::Calendar) else {
        panic!()
    };
    calendar.schedules.push(calendar.schedules[0].clone());
    let Document::Whistling(mut whistling) = Document::standard(PolicyKind::Whistling) else {
        panic!()
    };
    whistling.ranks[0].blowers.clear();
    let matrix = Matrix::default();
    for document in
        [Document::Calendar(calendar), Document::Whistling(whistling), Document::Deadlines(matrix)]
    {
        let found = find_faults(document);
        assert!(!found.is_empty());
        assert!(
            found.iter().all(|(pointer, _)| pointer.is_empty() || pointer.starts_with('/')),
            "{found:?}"
        );
    }
}

/// A clock names its editions and keeps them.
#[test]
fn a_clock_names_the_editions_it_was_made_by() {
    let mut rules = Rules::standard();
    let mut matrix = Matrix::standard();
    for row in matrix.rows.iter_mut().filter(|row| row.duty == Duty::Sign) {
        row.limit = Limit::hours(5);
    }
    rules.enact_document(Document::Deadlines(matrix), 7, &References::new_empty());
    rules.enact_document(Document::standard(PolicyKind::Calendar), 3, &References::new_empty());
    let rules: &'static Rules = Box::leak(Box::new(rules));
    let script = Script::with_rules(rules, COMMUNITY).then_other(&dispatch(GRID));
    let sign = script.first_obligation(Duty::Sign).term;
    assert_eq!((sign.rules, sign.calendar, sign.limit), (7, 3, Limit::hours(5)));
    let mut before = Script::until_dispatched();
    let old = before.first_obligation(Duty::Sign).term;
    before.chain.rules = rules;
    let comment = before.then(&almighty(5), &super::script::comment());
    assert_eq!(
        comment.first_obligation(Duty::Sign).term,
        old,
        "a new edition moves no clock that runs"
    );
    assert_eq!((old.rules, old.calendar), (0, 0));
}

#[test]
fn a_new_edition_is_in_force_from_the_next_command_on() {
    let mut rules = Rules::standard();
    let conduct = HandlingRules { verify_before_filing: true, ..HandlingRules::default() };
    rules.enact_document(Document::Conduct(conduct), 1, &References::new_empty());
    let told = reports::until_submitted_under(Box::leak(Box::new(rules)));
    assert_eq!(told.state().obligations()[0].duty, Duty::Confirm);
    assert!(!WORLD.rules.conduct.verify_before_filing);
}

/// The shipped rules with the holidays of two years that were unknown before.
pub(crate) fn knowing_2029() -> &'static Rules {
    let Document::Calendar(mut book) = Document::standard(PolicyKind::Calendar) else { panic!() };
    for (year, date) in [(2029, "2029-12-24"), (2030, "2030-01-01")] {
        let day = format!(r#"{{"name":"假","date":"{date}","isOffDay":true}}"#);
        let text = format!(r#"{{"year":{year},"papers":["1"],"days":[{day}]}}"#);
        book.years.insert(year, HolidayYear::parse(&text).unwrap());
    }
    let mut rules = Rules::standard();
    rules.enact_document(Document::Calendar(book), 4, &References::new_empty());
    Box::leak(Box::new(rules))
}

/// A missing year is published: provisional deadlines are recomputed, once.
#[test]
fn a_provisional_end_is_computed_anew_when_the_year_is_known() {
    let start = Utc.with_ymd_and_hms(2029, 12, 20, 2, 0, 0).unwrap();
    let filed = Script::until_filed().wait_until(start).then_other(&dispatch(GRID));
    let before = filed.first_obligation(Duty::Handle).term;
    assert!(before.provisional && !filed.first_obligation(Duty::Sign).term.provisional);
    let recompute = domain::flows::case::Command::Recompute;
    let asked = filed.chain.try_command(&system(), filed.at, &recompute);
    assert_eq!(asked.unwrap_err(), Refusal::NothingDue, "nothing new is known");
    let mut known = filed;
    known.chain.rules = knowing_2029();
    let nobody = known.expect_refusal(3, &recompute);
    assert!(matches!(nobody, Refusal::NotPermitted { .. }), "only the system");
    let (known, change) = known.act_now(&system(), &recompute);
    let after = known.first_obligation(Duty::Handle).term;
    assert!(!after.provisional && after.due_at > before.due_at);
    assert_eq!((after.calendar, after.rules, after.no), (4, before.rules, before.no));
    assert_eq!(change.moved.len(), 1);
    let again = known.chain.try_command(&system(), known.at, &recompute);
    assert_eq!(again.unwrap_err(), Refusal::NothingDue, "once");
}
