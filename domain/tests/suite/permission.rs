//! Permissions: every role, every command, every kind of area. `decide` agrees with the policy.

use domain::{
    calendar::limit::Limit,
    core::id::AreaId,
    flows::{
        case::{Command, state::Case, whistle::SummonsCommand},
        change::Versioned,
        flow::Flow,
        patrol::{self, Patrol},
        patrol_plan::{self, PatrolPlan},
        person::{self, Person},
        policy::{self, Document, Policy, PolicyKind},
        report::{self, Report},
    },
    people::{
        actor::{Actor, Grant, Permission, Role},
        role::POLICY,
        staffing::Staffing,
    },
    rules::{
        obligation::Duty,
        refusal::Refusal,
        vocabulary::{Channel, SupervisionKind},
    },
};

use super::{
    patrol as patrols,
    person::{administrator, new_grant, register, until_registered},
    report as reports,
    script::{
        OTHER, REPORTER, Script, WORKER, answer, appeal, arbitrate, arrive, call_off, close,
        comment, contest, coordinate, decide, dispatch, escalate, extend, feed_back, give_back,
        raise, rate, rate_street, reopen, reply, report_back, resume, rule, send_back, supervise,
        suspend, uphold, verify, whistle,
    },
    table::{align_rows, check_snapshot, row},
    world::{
        CITY, COMMUNITY, Chain, DISTRICT, GRID, GRID_NEXT, MARKET, STREET, TENANT, URBAN, WORLD,
        actor, almighty, almighty_in, minutes, morning, person_id, prose, unit,
    },
};

/// One command in a state that accepts it.
pub(crate) struct Right {
    flow: &'static str,
    command: &'static str,
    label: &'static str,
    needs: &'static [Permission],
    /// The area over which it is allowed.
    over: AreaId,
    ask: Box<Ask>,
}

type Ask = dyn Fn(&Actor) -> Result<(), Refusal>;
type Asked = (&'static str, &'static str, &'static [Permission], AreaId);

fn new_right<F>(asked: Asked, chain: Chain<F>, command: F::Command) -> Right
where
    F: Flow + 'static,
    F::Command: 'static,
{
    let (name, label, needs, over) = asked;
    assert_eq!(F::command_name(&command), name);
    let at = chain.entries.last().map_or(morning(), |entry| entry.at) + minutes(1);
    let flow = F::KIND.name();
    let ask = move |by: &Actor| chain.try_command(by, at, &command).map(|_| ());
    Right { flow, command: name, label, needs, over, ask: Box::new(ask) }
}

/// Submitting a report, which everyone does through their own channel.
fn submit_right(label: &'static str, needs: &'static [Permission], draft: report::Draft) -> Right {
    let ask = move |by: &Actor| {
        let draft = report::Draft { channel: Channel::default_for(by, morning()), ..draft.clone() };
        let submit = report::Command::Submit(Box::new(draft));
        Chain::<Report>::default().try_command(by, morning(), &submit).map(|_| ())
    };
    let flow = Report::KIND.name();
    Right { flow, command: "submit", label, needs, over: GRID, ask: Box::new(ask) }
}

fn report_rights() -> Vec<Right> {
    use Permission as P;
    let received = || reports::until_submitted(&almighty(WORKER), reports::draft(0));
    let accept: &[P] = &[P::AcceptReport];
    let both: &[P] = &[P::ReportProblem, P::HandleCase];
    vec![
        submit_right("上报", &[P::ReportProblem], reports::draft(0)),
        submit_right("上报并自行处置", both, reports::handled_draft(0)),
        new_right(("file", "立案", accept, COMMUNITY), received(), reports::file()),
        new_right(("join", "并案", accept, COMMUNITY), received(), reports::join()),
        new_right(("refuse", "不予受理", accept, COMMUNITY), received(), reports::refuse()),
        new_right(
            ("claim", "领取现场任务", &[P::VerifyOnSite], GRID),
            reports::until_confirming(),
            report::Command::Claim,
        ),
        new_right(
            ("confirm", "核实", &[P::VerifyOnSite], GRID),
            reports::until_confirming(),
            reports::confirm(true),
        ),
        new_right(
            ("unjoin", "拆分", accept, COMMUNITY),
            reports::until_joined(),
            report::Command::Unjoin,
        ),
    ]
}

fn case_rights() -> Vec<Right> {
    use Permission as P;
    let case =
        |asked: Asked, script: Script, command: Command| new_right(asked, script.chain, command);
    let dispatching: &[P] = &[P::DispatchCase];
    let handling: &[P] = &[P::HandleCase];
    let filed = Script::until_filed;
    vec![
        case(("escalate", "上呈", dispatching, COMMUNITY), filed(), escalate()),
        case(("dispatch", "派遣", dispatching, COMMUNITY), filed(), dispatch(GRID)),
        case(
            ("whistle", "吹哨", &[P::BlowWhistle], STREET),
            Script::held_by(STREET),
            whistle(URBAN, &[MARKET]),
        ),
        case(("sign", "签收", handling, GRID), Script::until_dispatched(), Command::Sign),
        case(("start", "开始处置", handling, GRID), Script::until_signed(), Command::Start),
        case(("return", "退单", handling, GRID), Script::until_handling(), give_back()),
        case(("feedback", "反馈", handling, GRID), Script::until_handling(), feed_back()),
        case(
            ("claim", "领取现场任务", &[P::VerifyOnSite], GRID),
            Script::fed_back(),
            Command::Claim,
        ),
        case(("verify", "核查", &[P::VerifyOnSite], GRID), Script::fed_back(), verify(true)),
        case(("callback", "回访", &[P::CallBack], GRID), Script::until_verified(), answer(true)),
        case(("close", "结案", &[P::CloseCase], COMMUNITY), Script::until_answered(), close()),
        case(("reopen", "重开", &[P::ReopenCase], GRID), Script::until_closed(), reopen()),
        case(("comment", "批注", &[P::Comment], COMMUNITY), filed(), comment()),
    ]
}

/// Requests, and decisions about them.
fn request_rights() -> Vec<Right> {
    use Permission as P;
    let case =
        |asked: Asked, script: Script, command: Command| new_right(asked, script.chain, command);
    let handling: &[P] = &[P::HandleCase];
    let deciding: &[P] = &[P::DecideRequests];
    let arbitrating: &[P] = &[P::Arbitrate];
    let blowing: &[P] = &[P::BlowWhistle];
    let extended = || Script::until_handling().then_worker(&extend(Limit::working_days(3)));
    let no = extended().last_ask_no();
    let until = morning() + chrono::Duration::days(9);
    let late = || Script::until_dispatched().lapse_duty(Duty::Sign).0.lapse_duty(Duty::Sign).0;
    let supervised = SupervisionKind::Supervise;
    let answering: &[P] = &[P::AnswerSupervision];
    let owing = || Script::until_dispatched().then_other(&supervise(supervised, GRID));
    let number = owing().case().supervisions[0].no;
    let street = Script::until_raised;
    vec![
        case(
            ("extend", "申请延期", handling, GRID),
            Script::until_handling(),
            extend(Limit::hours(9)),
        ),
        case(("suspend", "申请挂账", handling, GRID), Script::until_handling(), suspend(until)),
        case(("appeal", "申诉", handling, GRID), late(), appeal(1)),
        case(("decide", "审批", deciding, COMMUNITY), extended(), decide(no, true)),
        case(
            ("resume", "恢复办理", handling, GRID),
            Script::until_handling().until_suspended(),
            resume(),
        ),
        case(
            ("supervise", "督办", &[P::Supervise], GRID),
            Script::until_dispatched(),
            supervise(supervised, GRID),
        ),
        case(("reply", "答复督办", answering, GRID), owing(), reply(number)),
        case(
            ("arbitrate", "裁定", arbitrating, DISTRICT),
            Script::until_disputed(),
            arbitrate(URBAN),
        ),
        case(("rule", "终审", arbitrating, DISTRICT), Script::until_ruling(), rule(true)),
        case(("call_off", "撤哨", blowing, STREET), Script::until_whistled(), call_off()),
        case(("raise", "提请区级协调", blowing, STREET), Script::until_whistled(), raise()),
        case(("coordinate", "区级协调", arbitrating, DISTRICT), street(), coordinate()),
    ]
}

fn policy_rights() -> Vec<Right> {
    let document = Box::new(Document::standard(PolicyKind::Conduct));
    let publish = policy::Command::Publish { tenant: TENANT, document, note: prose("试行") };
    let managing: &[Permission] = &[Permission::ManageRules];
    vec![new_right::<Policy>(("publish", "发布规则", managing, CITY), Chain::default(), publish)]
}

fn summons_rights() -> Vec<Right> {
    use Permission as P;
    let answering: &[P] = &[P::AnswerWhistle];
    let releasing: &[P] = &[P::ReleaseDepartment];
    let after = |acts: &[SummonsCommand]| Script::until_whistled().then_acts(MARKET, acts).chain;
    let step = |asked: Asked, acts: &[SummonsCommand], act: SummonsCommand| {
        new_right(asked, after(acts), Command::Summons { unit: MARKET, act })
    };
    let (signed, arrived) = ([SummonsCommand::Sign], [SummonsCommand::Sign, arrive()]);
    let fed_back = [SummonsCommand::Sign, arrive(), report_back()];
    let released = [SummonsCommand::Sign, arrive(), report_back(), SummonsCommand::Release];
    let contact = SummonsCommand::Contact { note: None };
    vec![
        step(("summons_sign", "报到：签收", answering, MARKET), &[], SummonsCommand::Sign),
        step(("summons_contact", "报到：联系", answering, MARKET), &signed, contact),
        step(("summons_arrive", "报到：到场", answering, MARKET), &signed, arrive()),
        step(("summons_feedback", "报到：反馈", answering, MARKET), &arrived, report_back()),
        step(("summons_send_back", "报到：退回再办", releasing, STREET), &fed_back, send_back()),
        step(
            ("summons_release", "报到：放行", releasing, STREET),
            &fed_back,
            SummonsCommand::Release,
        ),
        step(("summons_rate", "报到：评价", releasing, STREET), &released, rate()),
        step(("summons_contest", "报到：提出异议", answering, MARKET), &[], contest()),
        step(("summons_rule", "报到：裁定", &[P::Arbitrate], DISTRICT), &[contest()], uphold()),
        step(
            ("summons_rate_street", "报到：评价街道", answering, MARKET),
            &released,
            rate_street(),
        ),
    ]
}

fn person_rights() -> Vec<Right> {
    let managing: &[Permission] = &[Permission::ManagePeople];
    let known = || until_registered(&[(Role::GridWorker, GRID)]);
    let grant = person::Command::Grant { grant: new_grant(Role::CommunityOfficer, GRID) };
    let revoke = person::Command::Revoke {
        role: Role::GridWorker,
        area: GRID,
        staffing: Staffing::default(),
    };
    let reset = person::Command::ResetPassword;
    let newcomer = register(7, vec![new_grant(Role::GridWorker, GRID)]);
    let (role, area, reason) = (Role::GridWorker, GRID, || prose("岗位调整"));
    let hand_over = person::Command::HandOver { role, area, to: person_id(8), reason: reason() };
    let take_over = person::Command::TakeOver {
        grants: vec![new_grant(Role::GridLeader, GRID)],
        of: person_id(8),
    };
    let rename = person::Command::Rename { name: super::world::line("改名") };
    let suspend = person::Command::Suspend { reason: reason(), staffing: Staffing::default() };
    let leave =
        person::Command::Leave { reason: reason(), to: None, staffing: Staffing::default() };
    let mut resting = known();
    resting.commit(&resting.try_command(&administrator(CITY), morning(), &suspend).unwrap());
    let mut oneself = Chain::<Person>::default();
    oneself.commit(
        &oneself.try_command(&administrator(CITY), morning(), &register(500, Vec::new())).unwrap(),
    );
    let until = morning() + minutes(60);
    let start = person::Command::StartShift { area: GRID, until };
    vec![
        new_right::<Person>(("register", "登记人员", managing, GRID), Chain::default(), newcomer),
        new_right(("grant", "授权", managing, GRID), known(), grant),
        new_right(("revoke", "撤销授权", managing, GRID), known(), revoke),
        new_right(("reset_password", "重置密码", managing, GRID), known(), reset),
        new_right(("rename", "更正姓名", managing, GRID), known(), rename),
        new_right(("hand_over", "移交岗位", managing, GRID), known(), hand_over),
        new_right(("take_over", "接任岗位", managing, GRID), known(), take_over),
        new_right(("suspend", "停用账号", managing, GRID), known(), suspend),
        new_right(("reinstate", "恢复账号", managing, GRID), resting, person::Command::Reinstate),
        new_right(("leave", "离岗", managing, GRID), known(), leave),
        new_right(("start_shift", "本人上岗", &[Permission::GoOnDuty], GRID), oneself, start),
    ]
}

fn patrol_rights() -> Vec<Right> {
    use Permission as P;
    let (walking, managing): (&[P], &[P]) = (&[P::Patrol], &[P::ManagePatrols]);
    let own = || patrols::until_begun(&almighty(500));
    let mut resting = own();
    patrols::commit_next(&mut resting, &almighty(500), &patrol::Command::Pause { time: None });
    let finish = patrol::Command::Finish { time: None, late: None, note: None };
    let start = patrol::Command::Start { window: None, time: None, late: None };
    let reason = || prose("暴雨");
    vec![
        new_right::<Patrol>(
            ("plan", "安排巡查", managing, GRID),
            Chain::default(),
            patrols::plan(),
        ),
        new_right::<Patrol>(
            ("begin", "临时巡查", walking, GRID),
            Chain::default(),
            patrols::begin(),
        ),
        new_right(("start", "开始巡查", walking, GRID), patrols::until_planned(), start),
        new_right(
            ("pause", "暂停巡查", walking, GRID),
            own(),
            patrol::Command::Pause { time: None },
        ),
        new_right(
            ("resume", "继续巡查", walking, GRID),
            resting,
            patrol::Command::Resume { time: None },
        ),
        new_right(("finish", "结束巡查", walking, GRID), own(), finish),
        new_right(
            ("cancel", "取消巡查", managing, GRID),
            patrols::until_planned(),
            patrol::Command::Cancel { reason: reason() },
        ),
        new_right(
            ("note", "巡查备注", managing, GRID),
            patrols::until_planned(),
            patrol::Command::Note { text: reason() },
        ),
        new_right::<PatrolPlan>(
            ("create", "新建巡查计划", managing, GRID),
            Chain::default(),
            patrols::create(),
        ),
        new_right(
            ("amend", "修改巡查计划", managing, GRID),
            patrols::until_created(),
            patrol_plan::Command::Amend { content: Box::new(patrols::content()) },
        ),
        new_right(
            ("retire", "停用巡查计划", managing, GRID),
            patrols::until_created(),
            patrol_plan::Command::Retire { reason: reason() },
        ),
    ]
}

fn all_rights() -> Vec<Right> {
    let of_cases = [case_rights(), request_rights(), summons_rights()];
    let others = [report_rights(), person_rights(), policy_rights(), patrol_rights()];
    of_cases.into_iter().chain(others).flatten().collect()
}

/// An actor without any part in the case, with one role over one area.
fn stranger(role: Role, over: AreaId) -> Actor {
    actor(500, "某人", &[(role, over)])
}

fn role_allows(role: Role, needs: &[Permission]) -> bool {
    needs.iter().all(|permission| role.allows(*permission))
}

#[test]
fn every_role_may_give_exactly_the_commands_the_policy_says() {
    for right in all_rights() {
        for role in Role::ALL.iter().copied() {
            let asked = (right.ask)(&stranger(role, right.over));
            let name = right.label;
            if role_allows(role, right.needs) {
                assert_eq!(asked, Ok(()), "{role:?}: {name}");
            } else {
                let Err(Refusal::NotPermitted { permission, area }) = asked else {
                    panic!("{role:?}: {name}: {asked:?}")
                };
                // An actor who neither has the case nor decides for its holder cannot end its
                // standstill.
                let resume = right.command == "resume" && permission == Permission::DecideRequests;
                let needed = right.needs.contains(&permission) || resume;
                assert!(needed, "{role:?}: {name}: {permission:?}");
                assert!(resume || !role.allows(permission));
                let expected = if right.command == "comment" { GRID } else { right.over };
                // An actor who manages no one learns only that; the area named is the tenant's.
                let expected = if right.command == "register" { CITY } else { expected };
                let expected = if resume { COMMUNITY } else { expected };
                assert_eq!(area, unit(expected).name, "{role:?}: {name}");
            }
        }
    }
}

#[test]
fn a_right_reaches_down_the_tree_and_nowhere_else() {
    for right in all_rights() {
        let role = Role::ALL.iter().copied().find(|role| role_allows(*role, right.needs)).unwrap();
        let path = unit(right.over).path;
        for area in WORLD.areas.iter() {
            // A comment may be made from any unit that is involved in the case.
            let involved = right.command == "comment" && area.id == GRID;
            let asked = (right.ask)(&stranger(role, area.id));
            let (name, place) = (right.label, &area.name);
            if area.path.contains(&path) || involved {
                assert_eq!(asked, Ok(()), "{name} over {place}");
            } else {
                assert!(
                    matches!(asked, Err(Refusal::NotPermitted { .. })),
                    "{name} over {place}: {asked:?}"
                );
            }
        }
    }
}

#[test]
fn a_right_begins_and_ends_with_its_grant() {
    for right in all_rights() {
        let role = Role::ALL.iter().copied().find(|role| role_allows(*role, right.needs)).unwrap();
        let with = |change: &dyn Fn(&mut Grant)| {
            let mut by = stranger(role, right.over);
            by.grants.iter_mut().for_each(change);
            (right.ask)(&by)
        };
        let name = right.label;
        let over = morning() - minutes(1);
        assert!(with(&|grant| grant.until = Some(over)).is_err(), "{name} after the end");
        let future = morning() + chrono::Duration::days(100);
        assert!(with(&|grant| grant.from = future).is_err(), "{name} before the beginning");
        assert!(with(&|grant| grant.until = Some(future)).is_ok(), "{name} in between");
        let nobody = Actor { grants: Vec::new(), ..stranger(role, right.over) };
        let asked = (right.ask)(&nobody);
        assert!(matches!(asked, Err(Refusal::NotPermitted { .. })), "{name} without any grant");
    }
}

#[test]
fn a_reporter_has_a_voice_at_the_end_and_none_before() {
    let reporter = Actor { grants: Vec::new(), ..actor(REPORTER, "居民", &[]) };
    let voice = ["callback", "reopen", "comment"];
    for right in case_rights().into_iter().chain(summons_rights()) {
        let asked = (right.ask)(&reporter);
        assert_eq!(asked.is_ok(), voice.contains(&right.command), "{}", right.label);
    }
}

#[test]
fn two_halves_of_a_right_in_two_areas_make_no_right() {
    let by = actor(500, "某人", &[(Role::Resident, CITY), (Role::DepartmentOfficer, GRID_NEXT)]);
    let on_the_spot = report_rights().into_iter().nth(1).unwrap();
    assert!(matches!(
        (on_the_spot.ask)(&by),
        Err(Refusal::NotPermitted { permission: Permission::HandleCase, .. })
    ));
}

#[test]
fn who_handled_never_verifies_whatever_else_they_may() {
    let asked = |script: Script, by: u128| {
        script.chain.try_command(&almighty(by), script.at + minutes(1), &verify(true)).map(|_| ())
    };
    assert_eq!(asked(Script::fed_back(), WORKER), Err(Refusal::HandlerVerifies));
    assert_eq!(asked(Script::whistle_over(), WORKER), Err(Refusal::HandlerVerifies));
    assert_eq!(asked(Script::fed_back(), OTHER), Ok(()));
    let signer = Script::until_dispatched()
        .then(&almighty(WORKER), &Command::Sign)
        .then(&almighty_in(7, GRID), &feed_back());
    assert_eq!(asked(signer.clone(), WORKER), Err(Refusal::HandlerVerifies), "who only signed");
    assert_eq!(asked(signer, OTHER), Ok(()));
    let by_others = |script: Script, unit, acts: &[SummonsCommand]| {
        let ask = |act: &SummonsCommand| Command::Summons { unit, act: act.clone() };
        acts.iter().fold(script, |script, act| script.then(&almighty_in(7, CITY), &ask(act)))
    };
    let done = [arrive(), report_back(), SummonsCommand::Release];
    let summoned = by_others(
        Script::until_whistled().then_acts(MARKET, &[SummonsCommand::Sign]),
        MARKET,
        &done,
    );
    let summoned = by_others(by_others(summoned, URBAN, &[SummonsCommand::Sign]), URBAN, &done);
    assert_eq!(asked(summoned.clone(), WORKER), Err(Refusal::HandlerVerifies));
    assert_eq!(asked(summoned, OTHER), Ok(()));
}

#[test]
fn a_case_is_visible_where_it_is_and_to_whom_it_was_given() {
    let whistled = Script::until_whistled();
    let sees =
        |script: &Script, role, over| script.case().visible_to(&stranger(role, over), script.at);
    for role in Role::ALL.iter().copied() {
        let reads = role.allows(Permission::ReadCases);
        for area in [GRID, COMMUNITY, STREET, DISTRICT, CITY, URBAN, MARKET] {
            assert_eq!(sees(&whistled, role, area), reads, "{role:?} over {}", unit(area).name);
        }
        for area in [GRID_NEXT, super::world::SQUAD, super::world::DISTRICT_BESIDE] {
            assert!(!sees(&whistled, role, area), "{role:?} over {}", unit(area).name);
        }
    }
    let returned: Versioned<Case> = Script::until_filed()
        .then_other(&dispatch(GRID_NEXT))
        .then_worker(&give_back())
        .chain
        .stored
        .unwrap();
    let known = stranger(Role::GridWorker, GRID_NEXT);
    assert!(returned.state.visible_to(&known, morning()), "who had it can look it up");
    assert!(!returned.state.visible_to(&Actor { grants: Vec::new(), ..known }, morning()));
    let mine = Actor { person: person_id(REPORTER), ..stranger(Role::Administrator, CITY) };
    assert!(returned.state.visible_to(&mine, morning()));
}

#[test]
fn every_role_stands_in_the_policy_once() {
    let roles: Vec<Role> = POLICY.iter().map(|(role, _)| *role).collect();
    assert_eq!(roles, Role::ALL);
    for permission in Permission::ALL {
        assert!(
            POLICY.iter().any(|(_, all)| all.contains(permission)),
            "{permission:?} is nobody's"
        );
    }
}

#[test]
fn the_printed_matrix_is_up_to_date() {
    let mut text = String::from(
        "权限：每个角色在自己的辖区内可以做什么。\n\
         怎么读：上表每行一项权限，每列一个角色；下表每行一个命令，写明所需权限，并以实际执行的结果标出角色。\n\
         “是”表示允许，“-”表示拒绝（not_permitted）。权限向下覆盖辖区内全部网格和部门，不向上、不向旁。\n\
         此外，上报人可以对自己的案卷回访作答、重开、批注；处置过的人不能核查；本人可以改自己的密码。\n\
         \n\
         Permissions: what each role may do within its area.\n\
         How to read it: above, one row per permission, one column per role; below, one row per command with the\n\
         permission it needs, and the roles as found by really asking. \"是\" is yes, \"-\" is refused (not_permitted). A\n\
         right reaches down over everything in the area, never up or sideways. Besides, a reporter answers, reopens\n\
         and comments the own case; who handled never verifies; everybody resets the own password.\n\n",
    );
    let mut heads = vec![row(["", ""]), row(["权限 permission", ""])];
    for role in Role::ALL {
        heads[0].push(role.label().to_owned());
        heads[1].push(role.name().to_owned());
    }
    let mark = |yes: bool| if yes { "是".to_owned() } else { "-".to_owned() };
    let mut policy = heads.clone();
    for permission in Permission::ALL {
        let mut cells = row([permission.label(), permission.name()]);
        cells.extend(Role::ALL.iter().map(|role| mark(role.allows(*permission))));
        policy.push(cells);
    }
    text.push_str(&align_rows(&policy));
    text.push('\n');
    let mut commands = heads;
    commands[1][0] = "命令 command".to_owned();
    for head in &mut commands {
        head.insert(2, String::new());
    }
    commands[1][2] = "所需权限 needs".to_owned();
    for right in all_rights() {
        let needs: Vec<&str> = right.needs.iter().map(|permission| permission.name()).collect();
        let flow = if right.label.starts_with("报到") { "summons" } else { right.flow };
        let name = format!("{flow} {}", right.command);
        let mut cells = row([right.label, &name, &needs.join(" + ")]);
        let asked = |role: &Role| (right.ask)(&stranger(*role, right.over)).is_ok();
        cells.extend(Role::ALL.iter().map(|role| mark(asked(role))));
        commands.push(cells);
    }
    text.push_str(&align_rows(&commands));
    check_snapshot("matrix-permissions.txt", &text);
}
