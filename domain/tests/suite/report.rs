//! Every status of a report against every command, and the commands that move a report together
//! with its case.

use std::collections::BTreeSet;

use domain::{
    Instant,
    area::coordinate::{CoordType, RawPoint},
    core::{
        id::{AreaId, CaseId, ReportId},
        journal::Hash,
        text::Code,
    },
    flows::{
        case::{Outcome, Stage, lifecycle::StageName, state::Case},
        intake::{self, Correction},
        report::{
            Command, Draft, Handled, MOVES, Redirect, Report, StatusName, Verb, possible_commands,
        },
    },
    people::actor::{Actor, Role},
    rules::{
        catalogue::Category,
        refusal::Refusal,
        rulebook::Rules,
        vocabulary::{Channel, Urgency},
    },
};
use uuid::Uuid;

use super::{
    script::{OTHER, SPOT, Script, WORKER, comment},
    table::{align_rows, check_snapshot, row},
    world::{
        CITY, COMMUNITY, Chain, GRID, NOWHERE, STREET, URBAN, actor, almighty, context, minutes,
        morning, prose, request, with_conduct,
    },
};

pub(crate) fn draft(number: u128) -> Draft {
    Draft {
        id: ReportId(Uuid::from_u128(0x4E00 + number)),
        channel: Channel::Worker,
        title: None,
        text: prose("井盖缺失\n在小区东门外"),
        category: Code::try_from("A01").ok(),
        urgency: Urgency::Normal,
        demand: None,
        area: Some(GRID),
        point: Some(RawPoint { lng: SPOT.lng, lat: SPOT.lat, coord_type: CoordType::Gcj02 }),
        address: None,
        client_at: None,
        confidential: false,
        anonymous: false,
        contact: false,
        patrol: None,
        media: Vec::new(),
        handled: None,
    }
}

pub(crate) fn handled_draft(number: u128) -> Draft {
    let handled =
        Handled { case: case_id(number), result: prose("已放置警示牌并复位井盖") };
    Draft { handled: Some(handled), ..draft(number) }
}

pub(crate) fn case_id(number: u128) -> CaseId {
    CaseId(Uuid::from_u128(0xCA00 + number))
}

/// A submitted report, through the reporter's own channel.
pub(crate) fn until_submitted(by: &Actor, draft: Draft) -> Chain<Report> {
    let mut chain = Chain::default();
    let draft = Draft { channel: Channel::default_for(by, morning()), ..draft };
    let submit = Command::Submit(Box::new(draft));
    chain.commit(&chain.try_command(by, morning(), &submit).unwrap());
    chain
}

/// A resident's report under these rules.
pub(crate) fn until_submitted_under(rules: &'static Rules) -> Chain<Report> {
    let mut chain = Chain::with_rules(rules);
    let draft = Draft { channel: Channel::Resident, ..draft(0) };
    let submit = Command::Submit(Box::new(draft));
    chain.commit(&chain.try_command(&almighty(WORKER), morning(), &submit).unwrap());
    chain
}

/// A report that waits for a check before filing.
pub(crate) fn until_confirming() -> Chain<Report> {
    until_submitted_under(with_conduct(|conduct| conduct.verify_before_filing = true))
}

/// The same, and somebody went to look.
fn until_claimed() -> Chain<Report> {
    let mut chain = until_confirming();
    chain.commit(&chain.try_command(&almighty(OTHER), morning(), &Command::Claim).unwrap());
    chain
}

pub(crate) fn confirm(real: bool) -> Command {
    Command::Confirm { real, note: Some(prose("确有其事")), point: Some(SPOT) }
}

pub(crate) fn file() -> Command {
    Command::File { case: case_id(1), category: None, title: None, urgency: None }
}

pub(crate) fn join() -> Command {
    Command::Join { case: case_id(1) }
}

pub(crate) fn refuse() -> Command {
    Command::Refuse { reason: prose("请拨打 110"), redirect: Redirect::Police }
}

fn until_decided(command: &Command) -> Chain<Report> {
    let mut chain = until_submitted(&almighty(WORKER), draft(0));
    chain.commit(&chain.try_command(&almighty(OTHER), morning(), command).unwrap());
    chain
}

pub(crate) fn until_joined() -> Chain<Report> {
    until_decided(&join())
}

fn all_statuses() -> Vec<(StatusName, Chain<Report>)> {
    vec![
        (StatusName::Confirming, until_claimed()),
        (StatusName::Received, until_submitted(&almighty(WORKER), draft(0))),
        (StatusName::Filed, until_decided(&file())),
        (StatusName::Joined, until_decided(&join())),
        (StatusName::Refused, until_decided(&refuse())),
        (StatusName::HandledOnTheSpot, until_submitted(&almighty(WORKER), handled_draft(0))),
    ]
}

#[test]
fn every_status_answers_every_command_as_the_table_says() {
    let mut seen = BTreeSet::new();
    let commands = [
        (Verb::File, file()),
        (Verb::Join, join()),
        (Verb::Refuse, refuse()),
        (Verb::Claim, Command::Claim),
        (Verb::Unclaim, Command::Unclaim { to: None }),
        (Verb::Confirm, confirm(true)),
        (Verb::Unjoin, Command::Unjoin),
    ];
    for (status, chain) in all_statuses() {
        assert_eq!(chain.state().status.name(), status);
        let submit = Command::Submit(Box::new(draft(0)));
        let wrong = |command: &'static str| Refusal::WrongState {
            flow: "report",
            state: status.name(),
            command,
            possible: possible_commands(status),
        };
        let asked = chain.try_command(&almighty(OTHER), morning(), &submit);
        assert_eq!(asked.unwrap_err(), wrong("submit"));
        for (verb, command) in &commands {
            match chain.try_command(&almighty(OTHER), morning(), command) {
                Ok(change) => {
                    seen.insert((status, *verb, change.state.status.name()));
                }
                Err(refusal) => assert_eq!(refusal, wrong(verb.name())),
            }
        }
    }
    assert_eq!(seen, MOVES.iter().copied().collect());
    for (verb, command) in &commands {
        let asked = Chain::<Report>::default().try_command(&almighty(OTHER), morning(), command);
        let (state, command, possible) = ("none", verb.name(), Vec::new());
        let wrong = Refusal::WrongState { flow: "report", state, command, possible };
        assert_eq!(asked.unwrap_err(), wrong);
    }
}

#[test]
fn a_place_is_in_the_tenant_and_is_no_department() {
    let submit = |area: Option<AreaId>, point| {
        let draft = Draft { area, point, ..draft(0) };
        let command = Command::Submit(Box::new(draft));
        Chain::<Report>::default().try_command(&almighty(WORKER), morning(), &command).unwrap_err()
    };
    let somewhere = draft(0).point;
    assert_eq!(submit(None, somewhere), Refusal::OutsideTenant);
    assert_eq!(submit(None, None), Refusal::PlaceMissing);
    assert_eq!(submit(Some(NOWHERE), somewhere), Refusal::UnknownArea { id: NOWHERE });
    let unit = "东区城管局".to_owned();
    assert_eq!(submit(Some(URBAN), None), Refusal::NotATerritory { unit });
}

#[test]
fn a_wrong_clock_is_marked_and_an_impossible_one_refused() {
    let by = almighty(WORKER);
    let submit = |client_at: Instant| {
        let draft = Draft { client_at: Some(client_at), ..draft(0) };
        let command = Command::Submit(Box::new(draft));
        Chain::<Report>::default().try_command(&by, morning(), &command)
    };
    let marked = |ahead: i64| submit(morning() + minutes(ahead)).unwrap().state.clock_ahead;
    assert!(!marked(0) && !marked(2) && !marked(-60 * 24 * 90));
    assert!(marked(3) && marked(60 * 24));
    for given in [minutes(60 * 24 + 1), minutes(-60 * 24 * 90 - 1)].map(|d| morning() + d) {
        let (earliest, latest) = (morning() - minutes(60 * 24 * 90), morning() + minutes(60 * 24));
        let refusal = Refusal::ClientTime { given, earliest, latest };
        assert_eq!(submit(given).unwrap_err(), refusal);
    }
}

#[test]
fn an_unknown_category_is_refused_wherever_it_is_given() {
    let code = Code::try_from("Z99").unwrap();
    let unknown = Refusal::UnknownCategory { code: "Z99".to_owned() };
    let draft = Draft { category: Some(code.clone()), ..draft(0) };
    let submit = Command::Submit(Box::new(draft));
    let asked = Chain::<Report>::default().try_command(&almighty(WORKER), morning(), &submit);
    assert_eq!(asked.unwrap_err(), unknown);
    let report = until_submitted(&almighty(WORKER), super::report::draft(0));
    let correction = Correction { category: Some(code), ..Correction::default() };
    let by = almighty(OTHER);
    let context = context(&by, morning());
    let stored = report.stored.as_ref().unwrap();
    let asked = intake::file_report(stored, case_id(1), correction, request(1), context);
    assert_eq!(asked.unwrap_err(), unknown);
    let known: &Category = super::world::WORLD.catalogue.get("A01").unwrap();
    assert_eq!(known.code, "A01");
}

#[test]
fn filing_takes_the_corrections_into_the_case_and_leaves_the_report() {
    let report = until_submitted(&almighty(WORKER), Draft { category: None, ..draft(0) });
    let correction = Correction {
        category: Code::try_from("A01").ok(),
        title: Some(super::world::line("井盖缺失")),
        urgency: Some(Urgency::Critical),
        ..Correction::default()
    };
    let by = almighty(OTHER);
    let (told, opened) = intake::file_report(
        report.stored.as_ref().unwrap(),
        case_id(1),
        correction,
        request(1),
        context(&by, morning() + minutes(30)),
    )
    .unwrap();
    assert_eq!(told.entry.command, opened.entry.command);
    assert_eq!(told.state.status.case(), Some(opened.state.id));
    assert_eq!(told.state.matter, report.state().matter);
    let case: &Case = &opened.state;
    assert_eq!(case.matter.urgency, Urgency::Critical);
    assert_eq!(case.matter.title.as_str(), "井盖缺失");
    assert_eq!(case.holder.id, COMMUNITY);
    assert_eq!(case.reports[0].report, report.state().id);
    assert_eq!(case.filed_at, morning() + minutes(30));
}

#[test]
fn what_was_handled_on_the_spot_is_a_closed_case_at_once() {
    let worker = actor(1, "王网格", &[(Role::GridWorker, GRID)]);
    let asked =
        intake::submit_report(handled_draft(0), request(1), context(&worker, morning())).unwrap();
    let (report, case) = (asked.0, asked.1.unwrap());
    assert_eq!(report.state.status.case(), Some(case.state.id));
    assert!(report.opened.is_empty() && case.opened.is_empty());
    let Stage::Closed { closing, .. } = &case.state.stage else { panic!("{:?}", case.state.stage) };
    assert_eq!(closing.outcome, Outcome::SelfHandled);
    assert_eq!(closing.reopen_until, morning() + chrono::Duration::days(15));
    let resident = actor(2, "居民", &[(Role::Resident, CITY)]);
    let asked = intake::submit_report(handled_draft(0), request(1), context(&resident, morning()));
    assert!(matches!(asked, Err(Refusal::NotPermitted { .. })));
}

#[test]
fn a_joined_reporter_follows_the_case_to_its_end() {
    let resident = actor(2, "李居民", &[(Role::Resident, CITY)]);
    let report = until_submitted(&resident, draft(9));
    let script = Script::until_handling();
    let by = almighty(OTHER);
    let join = |script: &Script| {
        let stored = (report.stored.as_ref().unwrap(), script.chain.stored.as_ref().unwrap());
        intake::join_report(stored.0, stored.1, request(1), context(&by, script.at))
    };
    let (told, case) = join(&script).unwrap();
    assert_eq!(told.state.status.name(), StatusName::Joined);
    assert_eq!(case.state.stage, script.case().stage, "joining moves nothing");
    assert!(case.opened.is_empty() && case.settled.is_empty());
    assert!(!script.case().visible_to(&resident, script.at));
    assert!(case.state.visible_to(&resident, script.at));
    let mut joined = script;
    joined.chain.commit(&case);
    joined.run_command(&resident, &comment());
    let state = StageName::Closed.name();
    assert_eq!(join(&Script::until_closed()).unwrap_err(), Refusal::NotJoinable { state });
}

#[test]
fn a_full_case_takes_no_more_reports() {
    let mut script = Script::until_filed();
    for n in 1..500 {
        script.run_command(
            &almighty(OTHER),
            &domain::flows::case::Command::Join { reporter: super::script::reporter(n) },
        );
    }
    let one_more = domain::flows::case::Command::Join { reporter: super::script::reporter(500) };
    let asked = script.chain.try_command(&almighty(OTHER), script.at, &one_more);
    assert_eq!(asked.unwrap_err(), Refusal::TooManyReports { max: 500 });
}

#[test]
fn a_confidential_reporter_is_known_to_intake_and_callback_only() {
    let confidential = Draft { confidential: true, ..draft(0) };
    let (open, secret) = (
        until_submitted(&almighty(WORKER), draft(0)),
        until_submitted(&almighty(WORKER), confidential),
    );
    let knows = |role: Role, chain: &Chain<Report>| {
        chain.state().reporter_visible_to(&actor(50, "某人", &[(role, STREET)]), morning())
    };
    for role in Role::ALL.iter().copied() {
        let intake = matches!(role, Role::StreetDispatcher | Role::Hotline);
        let desk = matches!(role, Role::CommunityOfficer | Role::DistrictDispatcher);
        assert_eq!(knows(role, &secret), intake, "{role:?}");
        assert_eq!(knows(role, &open), intake || desk, "{role:?}");
    }
    assert!(secret.state().reporter_visible_to(&almighty(WORKER), morning()), "oneself");
}

#[test]
fn an_anonymous_reporter_is_known_to_nobody() {
    let anonymous = Draft { anonymous: true, ..draft(0) };
    let chain = until_submitted(&almighty(WORKER), anonymous.clone());
    for role in Role::ALL.iter().copied() {
        let other = actor(50, "某人", &[(role, CITY)]);
        assert!(!chain.state().reporter_visible_to(&other, morning()), "{role:?}");
        let refused = chain.state().require_disclosure(&context(&other, morning()));
        assert_eq!(refused, Err(Refusal::Anonymous), "{role:?}");
    }
    assert!(chain.state().reporter_visible_to(&almighty(WORKER), morning()), "oneself");
    let refused = |draft: Draft| {
        let submit = Command::Submit(Box::new(draft));
        Chain::<Report>::default().try_command(&almighty(WORKER), morning(), &submit).unwrap_err()
    };
    assert_eq!(refused(Draft { contact: true, ..anonymous }), Refusal::Anonymous);
    assert_eq!(refused(Draft { anonymous: true, ..handled_draft(0) }), Refusal::Anonymous);
}

#[test]
fn a_reporter_is_disclosed_by_those_who_may_know() {
    let confidential = Draft { confidential: true, ..draft(0) };
    let (open, secret) = (
        until_submitted(&almighty(WORKER), draft(0)),
        until_submitted(&almighty(WORKER), confidential),
    );
    for role in Role::ALL.iter().copied() {
        let other = actor(50, "某人", &[(role, STREET)]);
        let may = |chain: &Chain<Report>| {
            chain.state().require_disclosure(&context(&other, morning())).is_ok()
        };
        let knows = |chain: &Chain<Report>| chain.state().reporter_visible_to(&other, morning());
        assert_eq!((may(&open), may(&secret)), (knows(&open), knows(&secret)), "{role:?}");
    }
}

#[test]
fn the_journal_names_no_confidential_reporter() {
    for (draft, named) in [
        (draft(0), true),
        (Draft { confidential: true, ..draft(0) }, false),
        (Draft { anonymous: true, ..draft(0) }, false),
    ] {
        let by = almighty(WORKER);
        let submit = Command::Submit(Box::new(draft));
        let change = Chain::<Report>::default().try_command(&by, morning(), &submit).unwrap();
        assert_eq!(change.entry.actor_name == by.name, named);
        assert!(!change.entry.events.contains(&by.name), "{}", change.entry.events);
    }
}

#[test]
fn a_request_is_told_from_another_by_all_it_asks() {
    use domain::flows::change::Request;
    let command = request(1).command;
    let digest = |operation, target, body: &str| -> Hash {
        Request::new(command, operation, Uuid::from_u128(target), &body).digest
    };
    let one = digest("file", 1, "a");
    assert_eq!(one, digest("file", 1, "a"));
    for other in [digest("join", 1, "a"), digest("file", 2, "a"), digest("file", 1, "b")] {
        assert_ne!(one, other);
    }
}

#[test]
fn the_printed_matrix_is_up_to_date() {
    let mut text = String::from(
        "上报：受理之后去哪里。上报是一个人说的话，案卷是要办的事。\n\
         怎么读：每行一个状态，每列一个命令，格中是到达的状态；“-”表示拒绝（wrong_state）。\n\
         上报人当场处置的，提交时就是“自行处置”，同时生成已结案的案卷。\n\
         开启“先核实后立案”的地方，居民、热线、窗口的上报从“待核实”开始；并错的可以拆分，重新受理。\n\
         \n\
         A report: what becomes of it. A report is what one person said; a case is what is worked on.\n\
         How to read it: one row per status, one column per command; the cell is the status it leads to, \"-\" is\n\
         refused (wrong_state). What its reporter handled on the spot starts at the last row, with a closed case. Where\n\
         somebody looks before filing, what residents say starts at the first row; what was joined by mistake is taken\n\
         out again.\n\n",
    );
    let mut grid = vec![vec!["状态 status".to_owned()]];
    grid[0].extend(Verb::ALL.iter().map(|verb| format!("{} {}", verb.label(), verb.name())));
    for status in StatusName::ALL {
        let mut cells = vec![format!("{} {}", status.label(), status.name())];
        cells.extend(Verb::ALL.iter().map(|verb| {
            let to = MOVES.iter().find(|(from, by, _)| from == status && by == verb);
            to.map_or_else(|| "-".to_owned(), |(_, _, to)| format!("{} {}", to.label(), to.name()))
        }));
        grid.push(cells);
    }
    text.push_str(&align_rows(&grid));
    text.push_str("\n不予受理时告知的去处 / where a refused report belongs:\n");
    let redirects = Redirect::ALL.iter().map(|to| row([to.label(), to.name()]));
    text.push_str(&align_rows(&redirects.collect::<Vec<_>>()));
    check_snapshot("matrix-report.txt", &text);
}
