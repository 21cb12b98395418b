//! Life cycles: for every flow, the commands said to be possible are those not refused by the
//! state, and every step leads where the table of the flow says.

use std::collections::BTreeSet;

use domain::{
    core::{
        id::{CaseId, FormId, MediaId},
        labelled_enum::Named,
        text::Code,
    },
    flows::{
        campaign::{self, Campaign},
        case::{self, lifecycle::StageName, state::Case},
        content_review::{self, Cause, Opening, Review, Subject, Suggestion},
        flow::Flow,
        form::{self, Form},
        household::{self, Household, PairingKind, Update},
        lifecycle::CommandKind,
        media::{self, Format, Media, Upload},
        patrol::{self, Patrol},
        patrol_plan::{self, PatrolPlan},
        person::{self, Person},
        policy::{self, Document, Policy, PolicyKind},
        report::{self, Report},
        visit::{self, Correction, Outcome, Visit},
    },
    people::{actor::Role, staffing::Staffing},
    rules::{burden::Counts, refusal::Refusal},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    case::{all_scripts, sensible_commands},
    household::{new, pair, until_registered},
    patrol as patrols, person as people, report as reports, visit as visits,
    world::{
        CITY, COMMUNITY, Chain, GRID, TENANT, almighty, line, minutes, morning, person_id, prose,
        system, unit,
    },
};

/// Tries every command on a flow in its present state; returns the resulting chains.
fn answers<F: Flow + std::fmt::Debug>(chain: &Chain<F>, commands: &[F::Command]) -> Vec<Chain<F>> {
    let at = morning() + minutes(i64::try_from(chain.entries.len()).unwrap());
    let state = chain.stored.as_ref().map(|stored| &stored.state);
    let mut next = Vec::new();
    for command in commands {
        let kind = F::classify_command(command);
        for by in [almighty(1), system()] {
            let asked = chain.try_command(&by, at, command);
            let Some(state) = state else {
                let begins = matches!(kind, CommandKind::Begins(_) | CommandKind::BeginsOrMoves(_));
                match asked {
                    Ok(change) => {
                        assert!(begins, "{}: {} begins", F::NAME, kind.name());
                        let mut chain = chain.clone();
                        chain.commit(&change);
                        next.push(chain);
                    }
                    Err(refusal) if begins => assert_ne!(refusal.code(), "wrong_state"),
                    Err(refusal) => {
                        let (flow, state, command) = (F::NAME, "none", kind.name());
                        let possible = F::BEGINNINGS.to_vec();
                        let wrong = Refusal::WrongState { flow, state, command, possible };
                        assert_eq!(refusal, wrong);
                    }
                }
                continue;
            };
            let fits = match kind {
                CommandKind::Begins(_) => false,
                CommandKind::Unbound(_) => true,
                CommandKind::Moves(verb) | CommandKind::BeginsOrMoves(verb) => {
                    state.admits_verb(verb)
                }
            };
            let listed = state.list_possible().contains(&kind.name());
            let place = format!("{}, {:?}, {}", F::NAME, state.stage(), kind.name());
            assert!(fits || !listed, "{place} is refused and said to be possible");
            let already = Refusal::AlreadyExists { what: F::NAME };
            match asked {
                Ok(change) => {
                    assert!(fits, "{place} is not in the table and was done");
                    assert!(
                        listed
                            || by.is_system()
                            || kind.verb().is_none_or(|v| !state.shows_verb(v)),
                        "{place} is possible and not told"
                    );
                    if let Some(verb) = kind.verb() {
                        let to = F::MOVES.targets(state.stage(), verb);
                        assert!(to.contains(&change.state.stage()), "{place} led elsewhere");
                    }
                    let mut chain = chain.clone();
                    chain.commit(&change);
                    next.push(chain);
                }
                Err(refusal) if fits => {
                    let wrong =
                        matches!(&refusal, Refusal::WrongState { flow, .. } if *flow == F::NAME);
                    assert!(!wrong, "{place}: {refusal:?}");
                }
                Err(refusal) if matches!(kind, CommandKind::Begins(_)) => {
                    let wrong = state.wrong_state(kind.name());
                    let expected = if F::REFUSES_BEGINNING_BY_STAGE { wrong } else { already };
                    assert_eq!(refusal, expected, "{place}");
                }
                Err(refusal) => assert_eq!(refusal, state.wrong_state(kind.name()), "{place}"),
            }
        }
    }
    next
}

/// Explores what commands reach in a few steps and tries every command in every state.
fn explore<F: Flow + std::fmt::Debug>(seeds: Vec<Chain<F>>, commands: &[F::Command]) {
    const STEPS: usize = 4;
    let mut open = seeds;
    open.push(Chain::default());
    let mut seen = BTreeSet::new();
    let (mut stages, mut verbs) = (BTreeSet::new(), BTreeSet::new());
    verbs
        .extend(commands.iter().filter_map(|one| F::classify_command(one).verb()).map(Named::name));
    while let Some(chain) = open.pop() {
        let state = chain.stored.as_ref().map(|stored| &stored.state);
        stages.extend(state.map(|state| state.stage().name()));
        let place = state.map(|state| (state.stage().name(), state.list_possible()));
        if chain.entries.len() <= STEPS && seen.insert((place, chain.entries.len())) {
            open.extend(answers(&chain, commands));
        }
    }
    let all: BTreeSet<_> = F::Stage::ALL.iter().map(|stage| stage.name()).collect();
    assert_eq!(stages, all, "{}: stages that were reached", F::NAME);
    let all: BTreeSet<_> = F::Verb::ALL.iter().map(|verb| verb.name()).collect();
    assert_eq!(verbs, all, "{}: verbs that were asked", F::NAME);
}

#[test]
fn a_report_does_what_its_table_says() {
    let commands = [
        report::Command::Submit(Box::new(reports::draft(0))),
        reports::file(),
        reports::join(),
        reports::refuse(),
        report::Command::Claim,
        report::Command::Unclaim { to: None },
        reports::confirm(true),
        report::Command::Unjoin,
        report::Command::Lapse { term: 1 },
        report::Command::Recompute,
    ];
    let handled = reports::until_submitted(&almighty(1), reports::handled_draft(0));
    explore::<Report>(vec![reports::until_confirming(), handled], &commands);
}

#[test]
fn a_case_does_what_its_tables_say() {
    let mut stages = BTreeSet::new();
    for (_, script) in all_scripts() {
        let verbs = case::lifecycle::Verb::ALL.iter();
        let commands: Vec<_> = verbs.flat_map(|verb| sensible_commands(*verb, &script)).collect();
        stages.insert(script.case().stage.name());
        answers::<Case>(&script.chain, &commands);
    }
    assert_eq!(stages, StageName::ALL.iter().copied().collect());
}

#[test]
fn a_person_does_what_the_table_says() {
    let (role, reason) = (Role::Hotline, prose("岗位调整"));
    let commands = [
        people::register(2, vec![people::new_grant(role, CITY)]),
        person::Command::Rename { name: line("改名") },
        person::Command::Grant { grant: people::new_grant(Role::GridWorker, GRID) },
        person::Command::Revoke { role, area: CITY, staffing: Staffing::default() },
        person::Command::HandOver { role, area: CITY, to: person_id(3), reason: reason.clone() },
        person::Command::TakeOver {
            grants: vec![people::new_grant(Role::GridWorker, GRID)],
            of: person_id(3),
        },
        person::Command::Suspend { reason: reason.clone(), staffing: Staffing::default() },
        person::Command::Reinstate,
        person::Command::Leave { reason, to: None, staffing: Staffing::default() },
        person::Command::Stand { over: vec![CITY] },
        person::Command::StartShift { area: GRID, until: morning() + minutes(60) },
        person::Command::EndShift,
        person::Command::ResetPassword,
    ];
    explore::<Person>(Vec::new(), &commands);
}

#[test]
fn a_policy_does_what_its_table_says() {
    let document = Box::new(Document::standard(PolicyKind::Conduct));
    let publish = policy::Command::Publish { tenant: TENANT, document, note: prose("试行") };
    explore::<Policy>(Vec::new(), &[publish]);
}

#[test]
fn patrols_and_their_plans_do_what_their_tables_say() {
    let reason = prose("下雨");
    let commands = [
        patrols::plan(),
        patrols::begin(),
        patrol::Command::Start { window: None, time: None, late: None },
        patrol::Command::Pause { time: None },
        patrol::Command::Resume { time: None },
        patrol::Command::Finish { time: None, late: None, note: None },
        patrol::Command::Cancel { reason: reason.clone() },
        patrol::Command::Note { text: prose("路灯不亮") },
        patrol::Command::Lapse { term: 1 },
    ];
    explore::<Patrol>(Vec::new(), &commands);
    let commands = [
        patrols::create(),
        patrol_plan::Command::Amend { content: Box::new(patrols::content()) },
        patrol_plan::Command::Retire { reason },
        patrol_plan::Command::Make,
    ];
    explore::<PatrolPlan>(Vec::new(), &commands);
}

#[test]
fn a_household_does_what_its_table_says() {
    let commands = [
        household::Command::Register(Box::new(new(GRID))),
        household::Command::Update(Box::new(Update { size: Some(4), ..Update::default() })),
        pair(70, PairingKind::Cadre),
        household::Command::Unpair { person: person_id(70), kind: PairingKind::Cadre },
        household::Command::Answer {
            form: FormId(Uuid::from_u128(1)),
            edition: 1,
            answers: Uuid::from_u128(2),
            counts: Counts::default(),
        },
        household::Command::Leave,
        household::Command::Return,
        household::Command::Erase { reason: prose("应请求") },
    ];
    explore::<Household>(Vec::new(), &commands);
}

#[test]
fn visits_and_campaigns_do_what_their_tables_say() {
    let plan = visit::Plan {
        id: visits::record(Outcome::Met).id,
        household: until_registered().state().id,
        area: unit(GRID),
        purposes: vec![visit::Purpose::Opinions],
        worker: None,
        due: None,
        paired: false,
    };
    let correction = Correction {
        outcome: Some(Outcome::Refused),
        purposes: None,
        opinions: None,
        reason: prose("记错了户"),
    };
    let campaign = visits::new_campaign(true).state().id;
    let recorded =
        visit::Record { campaign: Some(campaign), ..visits::record(Outcome::NobodyHome) };
    let commands = [
        visit::Command::Plan(Box::new(plan)),
        visit::Command::Record(Box::new(visits::record(Outcome::Met))),
        visit::Command::Record(Box::new(recorded)),
        visit::Command::Correct(Box::new(correction)),
        visit::Command::Cancel { reason: prose("已通过电话联系") },
    ];
    explore::<Visit>(Vec::new(), &commands);
    let state = visits::new_campaign(false).state().clone();
    let begin = campaign::NewCampaign {
        id: state.id,
        name: state.name.clone(),
        purpose: state.purpose,
        text: None,
        area: COMMUNITY,
        form: None,
        from: None,
        until: state.until,
    };
    let listed = campaign::Listed {
        household: until_registered().state().id,
        grid: unit(GRID),
        worker: None,
    };
    let commands = [
        campaign::Command::Begin(Box::new(begin)),
        campaign::Command::Assign { listed: vec![listed] },
        campaign::Command::Publish,
        campaign::Command::Complete { grid: GRID },
        campaign::Command::Close { note: None, open: Vec::new() },
    ];
    explore::<Campaign>(Vec::new(), &commands);
}

#[test]
fn a_form_does_what_its_table_says() {
    let property = json!({ "type": "string", "title": "本月情况", "maxLength": 20 });
    let schema = json!({ "type": "object", "title": "月报", "properties": { "state": property } });
    let commands = [
        form::Command::Publish {
            tenant: TENANT,
            code: Code::try_from("monthly").unwrap(),
            schema: Box::new(schema),
            note: prose("市级准入"),
        },
        form::Command::Withdraw { reason: prose("合并") },
    ];
    explore::<Form>(Vec::new(), &commands);
}

#[test]
fn files_and_their_reviews_do_what_their_tables_say() {
    let upload = Upload {
        id: MediaId(Uuid::from_u128(3)),
        format: Format::Jpeg,
        bytes: 9,
        sha256: "0".repeat(64),
        size: None,
        original: false,
    };
    let drop = media::Command::Drop { cause: media::Cause::Unused };
    explore::<Media>(Vec::new(), &[media::Command::Upload(upload), drop]);
    let opening = |automatic| {
        content_review::Command::Open(Opening {
            subject: Subject::Text,
            about: Uuid::from_u128(4),
            named_by: CaseId(Uuid::from_u128(4)).0,
            over: unit(GRID),
            automatic,
            address: false,
        })
    };
    let hear = |suggestion| content_review::Command::Hear { suggestion, label: None };
    let decide = |pass| content_review::Command::Decide { pass, note: None };
    let commands = [
        opening(true),
        opening(false),
        content_review::Command::Ask,
        hear(Suggestion::Pass),
        hear(Suggestion::Risky),
        content_review::Command::Queue { cause: Cause::Late },
        decide(true),
        decide(false),
    ];
    explore::<Review>(Vec::new(), &commands);
}
