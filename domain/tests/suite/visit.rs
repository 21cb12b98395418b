//! Visits: planned or not, once or again, with the needs that were found.

use chrono::Duration;
use domain::{
    core::id::{CampaignId, ReportId, VisitId},
    flows::{
        campaign::{Campaign, Command as Organise, Listed, NewCampaign},
        change::Versioned,
        flow::Flow as _,
        household::{Command as Keep, PairingKind},
        report::Draft,
        visit::{Command, Correction, Outcome, Plan, Purpose, Record, StatusName, Visit},
        visit_commit,
    },
    people::actor::{Actor, Role},
    rules::{
        obligation::{Duty, Outcome as Ended},
        refusal::Refusal,
        vocabulary::{Channel, Urgency},
    },
};
use uuid::Uuid;

use super::{
    household::{pair, until_registered, worker},
    world::{
        COMMUNITY, Chain, GRID, GRID_NEXT, URBAN, actor, context, morning, person_id, prose,
        request, unit,
    },
};

fn plan_of(due: Option<domain::Instant>) -> Plan {
    Plan {
        id: VisitId(Uuid::from_u128(0x21)),
        household: until_registered().state().id,
        area: unit(GRID),
        purposes: vec![Purpose::Opinions],
        worker: None,
        due,
        paired: false,
    }
}

/// A visit that is due in so many minutes.
pub(crate) fn until_planned(minutes: i64) -> Chain<Visit> {
    let mut chain = Chain::default();
    let plan = plan_of(Some(morning() + Duration::minutes(minutes)));
    let (by, household) = (worker(GRID), until_registered());
    let change = visit_commit::plan(plan, household.state(), request(1), context(&by, morning()));
    chain.commit(&change.unwrap());
    chain
}

pub(crate) fn record(outcome: Outcome) -> Record {
    Record {
        id: VisitId(Uuid::from_u128(0x21)),
        household: until_registered().state().id,
        campaign: None,
        area: unit(GRID),
        purposes: vec![Purpose::Opinions],
        outcome,
        opinions: None,
        visited_at: None,
        form: None,
        needs: Vec::new(),
        paired: false,
    }
}

fn new_draft(number: u128) -> Draft {
    Draft {
        id: ReportId(Uuid::from_u128(number)),
        channel: Channel::Worker,
        title: None,
        text: prose("楼道灯不亮，老人夜里下楼不安全"),
        category: None,
        urgency: Urgency::Normal,
        demand: None,
        area: Some(GRID),
        point: None,
        address: None,
        client_at: None,
        confidential: false,
        anonymous: false,
        contact: false,
        handled: None,
        patrol: None,
        media: Vec::new(),
    }
}

fn record_visit(
    by: &Actor,
    record: Record,
    needs: Vec<Draft>,
) -> Result<visit_commit::Visited, Refusal> {
    let household = until_registered();
    visit_commit::record(
        record,
        (None, household.state()),
        None,
        needs,
        request(5),
        context(by, morning()),
    )
}

#[test]
fn a_visit_and_the_reports_of_what_was_found_are_one_commit() {
    let needs = vec![new_draft(0x31), new_draft(0x32)];
    let (visit, reports) = record_visit(&worker(GRID), record(Outcome::Met), needs).unwrap();
    let ids: Vec<ReportId> = reports.iter().map(|report| report.state.id).collect();
    assert_eq!(visit.state.status.completion().unwrap().needs, ids);
    assert!(reports.iter().all(|report| report.entry.command == visit.entry.command));
    assert_eq!(reports[0].opened[0].duty, Duty::Accept, "a need is owed an answer like any report");
    let many = (0..11).map(new_draft).collect();
    let refused = record_visit(&worker(GRID), record(Outcome::Met), many).unwrap_err();
    assert_eq!(refused, Refusal::TooMany { what: "needs", max: 10 });
}

#[test]
fn a_planned_visit_is_owed_by_the_grid_until_somebody_went() {
    let chain = until_planned(60);
    assert_eq!(chain.state().status.name(), StatusName::Planned);
    let owed = chain.state().obligations();
    assert_eq!((owed[0].duty, &owed[0].owed_by), (Duty::Visit, &unit(GRID)));
    assert_eq!((owed[0].term.next_at, &*owed[0].term.rule), (None, "named"));
    for (minutes, ended) in [(59, Ended::Met), (60, Ended::Late)] {
        let at = morning() + Duration::minutes(minutes);
        let command = Command::Record(Box::new(record(Outcome::NobodyHome)));
        let change = chain.try_command(&worker(GRID), at, &command).unwrap();
        assert_eq!(change.settled[0].outcome, ended);
    }
    let cancel = Command::Cancel { reason: prose("已通过电话联系") };
    let change = chain.try_command(&worker(GRID), morning(), &cancel).unwrap();
    assert_eq!(change.settled[0].outcome, Ended::Lifted);
    let by = worker(GRID);
    let past = visit_commit::plan(
        plan_of(Some(morning())),
        until_registered().state(),
        request(2),
        context(&by, morning()),
    );
    assert!(matches!(past, Err(Refusal::OutsideWindow { .. })));
}

#[test]
fn who_was_not_met_said_nothing() {
    for outcome in [Outcome::NobodyHome, Outcome::Refused, Outcome::MovedAway] {
        let heard = Record { opinions: Some(prose("希望加装电梯")), ..record(outcome) };
        assert_eq!(record_visit(&worker(GRID), heard, Vec::new()).unwrap_err(), Refusal::NobodyMet);
        // A need may be seen at the door even if no one was met.
        assert!(record_visit(&worker(GRID), record(outcome), vec![new_draft(1)]).is_ok());
    }
    let aimless = Record { purposes: Vec::new(), ..record(Outcome::Met) };
    assert_eq!(
        record_visit(&worker(GRID), aimless, Vec::new()).unwrap_err(),
        Refusal::PurposeMissing
    );
}

#[test]
fn an_entry_of_another_day_is_taken_and_marked() {
    let entered = |ago: i64| {
        let visited_at = Some(morning() - Duration::hours(ago));
        record_visit(&worker(GRID), Record { visited_at, ..record(Outcome::Met) }, Vec::new())
    };
    let late = |ago| entered(ago).unwrap().0.state.status.completion().unwrap().late_entry;
    // 09:00 in China: nine hours ago was midnight of the same day, ten hours ago the evening
    // before.
    assert!(!late(0) && !late(9) && late(10));
    assert!(matches!(entered(24 * 91), Err(Refusal::ClientTime { .. })));
    assert!(matches!(entered(-25), Err(Refusal::ClientTime { .. })));
}

#[test]
fn only_who_may_visit_there_or_is_paired_goes() {
    let elsewhere = worker(GRID_NEXT);
    let refused = record_visit(&elsewhere, record(Outcome::Met), Vec::new()).unwrap_err();
    assert!(matches!(refused, Refusal::NotPermitted { .. }));
    let mut household = until_registered();
    let cadre = actor(70, "包保干部", &[(Role::DepartmentOfficer, URBAN)]);
    let go = |household: &Chain<_>| {
        let cx = context(&cadre, morning());
        visit_commit::record(
            record(Outcome::Met),
            (None, Chain::state(household)),
            None,
            Vec::new(),
            request(7),
            cx,
        )
    };
    assert!(go(&household).is_err());
    household.commit(
        &household.try_command(&worker(GRID), morning(), &pair(70, PairingKind::Cadre)).unwrap(),
    );
    assert!(go(&household).is_ok());
    household.commit(&household.try_command(&worker(GRID), morning(), &Keep::Leave).unwrap());
    assert!(matches!(go(&household), Err(Refusal::WrongState { .. })), "nobody lives there");
}

#[test]
fn what_is_put_right_stays_readable() {
    let mut chain = until_planned(60);
    chain.commit(
        &chain
            .try_command(
                &worker(GRID),
                morning(),
                &Command::Record(Box::new(record(Outcome::NobodyHome))),
            )
            .unwrap(),
    );
    let again = chain.try_command(
        &worker(GRID),
        morning(),
        &Command::Record(Box::new(record(Outcome::Met))),
    );
    assert!(matches!(again, Err(Refusal::WrongState { .. })), "that is another visit");
    let correct = |outcome, opinions: Option<&str>| {
        let opinions = opinions.map(prose);
        let reason = prose("记错了户");
        Command::Correct(Box::new(Correction { outcome, purposes: None, opinions, reason }))
    };
    let said = correct(None, Some("希望加装电梯"));
    assert_eq!(chain.try_command(&worker(GRID), morning(), &said).unwrap_err(), Refusal::NobodyMet);
    let change = chain
        .try_command(&worker(GRID), morning(), &correct(Some(Outcome::Met), Some("希望加装电梯")))
        .unwrap();
    assert_eq!(change.state.status.completion().unwrap().outcome, Outcome::Met);
    assert!(chain.entries.last().unwrap().events.contains("nobody_home"));
    let other = chain.try_command(
        &actor(61, "邻格", &[(Role::GridWorker, GRID_NEXT)]),
        morning(),
        &correct(Some(Outcome::Met), None),
    );
    assert!(matches!(other, Err(Refusal::NotPermitted { .. })));
}

/// A campaign over the community that lists the household for a worker of another grid.
pub(crate) fn new_campaign(publish: bool) -> Chain<Campaign> {
    let by = organiser();
    let new = NewCampaign {
        id: CampaignId(Uuid::from_u128(0x41)),
        name: super::world::line("冬季取暖安全敲门行动"),
        purpose: Purpose::Check,
        text: None,
        area: COMMUNITY,
        form: None,
        from: None,
        until: morning() + Duration::days(7),
    };
    let listed = Listed {
        household: until_registered().state().id,
        grid: unit(GRID),
        worker: Some(person_id(65)),
    };
    let mut chain = Chain::default();
    let publish = publish.then_some(Organise::Publish);
    for command in [Organise::Begin(Box::new(new)), Organise::Assign { listed: vec![listed] }]
        .into_iter()
        .chain(publish)
    {
        chain.commit(&chain.try_command(&by, morning(), &command).unwrap());
    }
    chain
}

pub(crate) fn organiser() -> Actor {
    actor(66, "社区", &[(Role::CommunityOfficer, COMMUNITY)])
}

#[test]
fn in_a_campaign_whoever_was_sent_goes_and_goes_again() {
    let (household, running) = (until_registered(), new_campaign(true));
    let sent = actor(65, "邻格网格员", &[(Role::GridWorker, GRID_NEXT)]);
    let go = |visit: Option<&Versioned<Visit>>, campaign: &Chain<Campaign>, outcome| {
        let mut record = record(outcome);
        (record.campaign, record.purposes) = (Some(campaign.state().id), Vec::new());
        let cx = context(&sent, morning());
        visit_commit::record(
            record,
            (visit, household.state()),
            Some(campaign.state()),
            Vec::new(),
            request(8),
            cx,
        )
    };
    let wrong = go(None, &new_campaign(false), Outcome::Met).unwrap_err();
    assert!(matches!(wrong, Refusal::WrongState { flow: "campaign", .. }));
    let (first, _) = go(None, &running, Outcome::NobodyHome).unwrap();
    assert_eq!(first.state.purposes, [Purpose::Check]);
    let (second, _) = go(Some(&first.to_stored()), &running, Outcome::Met).unwrap();
    let done = second.state.status.completion().unwrap();
    assert_eq!((done.outcome, done.goes), (Outcome::Met, 2));
    assert_eq!(second.state.id, first.state.id);
}
