//! Every stage of a case against every command: `decide` does what the table says.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    calendar::limit::Limit,
    flows::case::{
        Command,
        lifecycle::{self, BESIDE, MOVES, StageName, Verb, keeps_stage, target_stages},
    },
    rules::{obligation::Duty, refusal::Refusal, vocabulary::SupervisionKind},
};

use super::{
    script::{
        self, OTHER, SUMMONABLE, Script, THIRD, WORKER, all_acts, answer, answer_dissatisfied,
        appeal, arbitrate, call_off, close, comment, coordinate, decide, dispatch, escalate,
        extend, extend_one, feed_back, give_back, give_back_to, hard_whistle, miss_callback, raise,
        reopen, reply, resume, rule, supervise, suspend, verify, whistle, withdraw,
    },
    table::{align_rows, check_snapshot, row},
    world::{COMMUNITY, GRID, MARKET, SQUAD, STREET, URBAN, almighty, minutes},
};

/// Commands with sensible arguments for a verb.
pub(crate) fn sensible_commands(verb: Verb, script: &Script) -> Vec<Command> {
    let begun = script.chain.stored.as_ref().map(|stored| &stored.state);
    let pending: Vec<i64> =
        begun.iter().flat_map(|case| &case.asks).map(|ask| ask.no).chain([99]).collect();
    let supervised: Vec<i64> =
        begun.iter().flat_map(|case| &case.supervisions).map(|one| one.no).chain([99]).collect();
    match verb {
        Verb::Escalate => vec![escalate()],
        Verb::Dispatch => vec![dispatch(GRID), dispatch(COMMUNITY)],
        Verb::Whistle => vec![
            whistle(URBAN, &[MARKET, SQUAD]),
            whistle(SQUAD, &[]),
            hard_whistle(URBAN, &[MARKET]),
        ],
        Verb::Sign => vec![Command::Sign],
        Verb::Start => vec![Command::Start],
        Verb::Return => vec![give_back(), give_back_to(None)],
        Verb::FeedBack => vec![feed_back()],
        Verb::Summons => SUMMONABLE
            .iter()
            .flat_map(|unit| {
                all_acts().into_iter().map(|act| Command::Summons { unit: *unit, act })
            })
            .collect(),
        Verb::Claim => vec![Command::Claim],
        Verb::Unclaim => vec![Command::Unclaim { to: None }],
        Verb::Verify => vec![verify(true), verify(false)],
        Verb::CallBack => vec![miss_callback(), answer(true), answer(false), answer_dissatisfied()],
        Verb::Close => vec![close()],
        Verb::Reopen => vec![reopen()],
        Verb::Join => vec![Command::Join { reporter: script::reporter(7) }],
        Verb::Unjoin => {
            (0..2).map(|n| Command::Unjoin { report: script::reporter(n).report }).collect()
        }
        Verb::Arbitrate => vec![arbitrate(URBAN), arbitrate(GRID)],
        Verb::Rule => vec![rule(true), rule(false)],
        Verb::CallOff => vec![call_off()],
        Verb::Raise => vec![raise()],
        Verb::Coordinate => vec![coordinate()],
        Verb::Extend => {
            let each = [Duty::Sign, Duty::Handle, Duty::Contact, Duty::FeedBack];
            let each = each.map(|duty| extend_one(duty, Limit::working_days(3)));
            [extend(Limit::working_days(3))].into_iter().chain(each).collect()
        }
        Verb::Suspend => vec![suspend(script.at + minutes(60 * 24 * 10))],
        Verb::Resume => vec![resume()],
        Verb::Appeal => vec![appeal(1), appeal(2)],
        Verb::Decide => {
            pending.into_iter().flat_map(|no| [decide(no, true), decide(no, false)]).collect()
        }
        Verb::Withdraw => pending.into_iter().map(withdraw).collect(),
        Verb::Supervise => SupervisionKind::ALL
            .iter()
            .map(|kind| supervise(*kind, COMMUNITY))
            .chain([supervise(SupervisionKind::List, STREET)])
            .collect(),
        Verb::Reply => supervised.into_iter().map(reply).collect(),
        Verb::Comment => vec![comment()],
    }
}

/// Whether a refusal of a command that fits the stage has a reason that is not in the table.
fn side_condition(verb: Verb, stage: StageName, refusal: &Refusal) -> bool {
    let stands = matches!(refusal, Refusal::Suspended { .. });
    let of_verb = match verb {
        Verb::Whistle => {
            matches!(refusal, Refusal::NotAStreet { .. } | Refusal::AskedAlready { .. })
        }
        Verb::Summons => matches!(
            refusal,
            Refusal::NotSummoned
                | Refusal::CooperatingPending { .. }
                | Refusal::AlreadyRated
                | Refusal::LeadMissing
                | Refusal::NamedTwice { .. }
                | Refusal::Appointed { .. }
                | Refusal::WrongState { flow: "summons", .. }
        ),
        Verb::Return => {
            matches!(refusal, Refusal::Appointed { .. } | Refusal::FirstReceiver { .. })
        }
        Verb::Unjoin => matches!(refusal, Refusal::NotJoined | Refusal::FirstReport),
        Verb::Raise => matches!(refusal, Refusal::AskedAlready { .. }),
        Verb::Coordinate => matches!(refusal, Refusal::NothingRaised),
        Verb::Extend => {
            matches!(refusal, Refusal::Overdue { .. } | Refusal::NothingToExtend { .. })
        }
        Verb::Suspend => {
            let spent = matches!(refusal, Refusal::Spent { .. } | Refusal::NothingToExtend { .. });
            stands || spent || matches!(refusal, Refusal::Overdue { .. })
        }
        Verb::Resume => matches!(refusal, Refusal::NotSuspended),
        Verb::Appeal => {
            matches!(refusal, Refusal::NoSuchBreach { .. } | Refusal::Spent { .. })
        }
        Verb::Decide => matches!(refusal, Refusal::NoSuchAsk { .. } | Refusal::SignsTwice),
        Verb::Withdraw => matches!(refusal, Refusal::NoSuchAsk { .. } | Refusal::NotAsker),
        Verb::Supervise => matches!(refusal, Refusal::NotInvolved { .. }),
        Verb::Reply => matches!(refusal, Refusal::NoSuchSupervision { .. }),
        Verb::Unclaim => {
            matches!(
                refusal,
                Refusal::HandlerVerifies | Refusal::Claimed { .. } | Refusal::NotClaimed
            )
        }
        Verb::Claim | Verb::Verify => {
            matches!(refusal, Refusal::HandlerVerifies | Refusal::Claimed { .. })
        }
        Verb::Escalate
        | Verb::Dispatch
        | Verb::Sign
        | Verb::Start
        | Verb::FeedBack
        | Verb::CallBack
        | Verb::Close
        | Verb::Reopen
        | Verb::Join
        | Verb::Arbitrate
        | Verb::Rule
        | Verb::CallOff
        | Verb::Comment => false,
    };
    of_verb || (stands && !keeps_stage(stage, verb))
}

/// Every stage on every path, alone and with everything that can go on beside it.
pub(crate) fn all_scripts() -> Vec<(String, Script)> {
    let alone = Script::all_stages();
    let with = |what: &str, more: fn(Script) -> Option<Script>| -> Vec<(String, Script)> {
        let all = alone.iter();
        all.filter_map(|(name, script)| Some((format!("{name}, {what}"), more(script.clone())?)))
            .collect()
    };
    let (overdue, burdened) =
        (with("overdue", Script::until_overdue), with("burdened", Script::until_burdened));
    let alone = alone.iter().map(|(name, script)| ((*name).to_owned(), script.clone()));
    alone.chain(overdue).chain(burdened).collect()
}

/// The refusal of a command that does not fit the stage lists the commands that do, as far as there
/// is something to apply them to.
pub(crate) fn wrong_state(script: &Script, verb: Verb) -> Refusal {
    let (stage, possible) = (script.case().stage.name(), script.case().possible_commands());
    let listed: Vec<&str> = lifecycle::possible_verbs(stage).into_iter().map(Verb::name).collect();
    assert!(possible.iter().all(|name| listed.contains(name)));
    Refusal::WrongState { flow: "case", state: stage.name(), command: verb.name(), possible }
}

/// The moves of both tables together.
fn list_moves() -> BTreeMap<(StageName, Verb), BTreeSet<StageName>> {
    let on = MOVES.iter().map(|(from, verb, to)| ((*from, *verb), to.iter().copied().collect()));
    let besides = BESIDE.iter().flat_map(|(verb, stages)| {
        stages.iter().map(|stage| ((*stage, *verb), BTreeSet::from([*stage])))
    });
    let all: Vec<_> = on.chain(besides).collect();
    let map: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(map.len(), all.len(), "the tables name a stage and command twice");
    map
}

#[test]
fn every_stage_answers_every_command_as_the_tables_say() {
    let mut seen: BTreeMap<(StageName, Verb), BTreeSet<StageName>> = BTreeMap::new();
    for (name, script) in all_scripts() {
        let stage = script.case().stage.name();
        for verb in Verb::ALL.iter().copied() {
            let legal = !target_stages(stage, verb).is_empty();
            for (command, by) in sensible_commands(verb, &script)
                .into_iter()
                .flat_map(|command| [WORKER, OTHER, THIRD].map(|by| (command.clone(), by)))
            {
                assert_eq!(command.verb(), Some(verb));
                let asked = script.chain.try_command(&almighty(by), script.at, &command);
                match asked {
                    Ok(change) if legal => {
                        let told = script.case().possible_commands().contains(&verb.name());
                        assert!(told, "{name}: {verb:?} is possible and not told");
                        seen.entry((stage, verb)).or_default().insert(change.state.stage.name());
                    }
                    Ok(change) => {
                        panic!("{name}: {verb:?} led to {:?}", change.state.stage.name())
                    }
                    Err(refusal) if legal => {
                        let known = side_condition(verb, stage, &refusal);
                        assert!(known, "{name}, {verb:?}: {refusal:?}");
                    }
                    Err(refusal) => assert_eq!(refusal, wrong_state(&script, verb), "{name}"),
                }
            }
        }
    }
    assert_eq!(seen, list_moves(), "what was reached, and what the tables list");
}

#[test]
fn a_case_begins_once_and_only_by_opening() {
    let at = script::opening(COMMUNITY);
    let open = Command::Open(Box::new(at));
    for (name, script) in Script::all_stages() {
        let refusal = script.chain.try_command(&almighty(OTHER), script.at, &open).unwrap_err();
        let state = script.case().stage.name().name();
        let possible = script.case().possible_commands();
        let wrong = Refusal::WrongState { flow: "case", state, command: "open", possible };
        assert_eq!(refusal, wrong, "{name}");
    }
    let nothing = super::world::Chain::<domain::flows::case::state::Case>::default();
    for verb in Verb::ALL.iter().copied() {
        for command in
            sensible_commands(verb, &Script { chain: nothing.clone(), at: super::world::morning() })
        {
            let (state, possible) = ("none", Vec::new());
            let command_name = verb.name();
            let wrong =
                Refusal::WrongState { flow: "case", state, command: command_name, possible };
            let asked = nothing.try_command(&almighty(OTHER), super::world::morning(), &command);
            assert_eq!(asked.unwrap_err(), wrong);
        }
    }
}

#[test]
fn every_stage_is_among_the_scripts() {
    let made: BTreeSet<_> =
        Script::all_stages().iter().map(|(_, s)| s.case().stage.name()).collect();
    assert_eq!(made, StageName::ALL.iter().copied().collect());
}

pub(crate) fn stage_number(stage: StageName) -> String {
    let place = StageName::ALL.iter().position(|other| *other == stage).unwrap();
    (place + 1).to_string()
}

fn stage_heading(stage: StageName) -> String {
    format!("{} {} {}", stage_number(stage), stage.label(), stage.name())
}

fn verb_heading(verb: Verb) -> String {
    format!("{} {}", verb.label(), verb.name())
}

/// One row per command of `verbs`, one column per stage.
fn render_grid(verbs: &[Verb], cell: impl Fn(StageName, Verb) -> String) -> String {
    let mut grid = vec![row(["命令 command"])];
    grid[0].extend(StageName::ALL.iter().map(|stage| stage_number(*stage)));
    for verb in verbs {
        let cells = StageName::ALL.iter().map(|stage| cell(*stage, *verb));
        grid.push([verb_heading(*verb)].into_iter().chain(cells).collect());
    }
    align_rows(&grid)
}

#[test]
fn the_printed_matrix_is_up_to_date() {
    let mut text = String::from(
        "案卷：每个阶段可以发出哪些命令，各自到达哪个阶段。\n\
         怎么读：第一表是办理流程：每行一个命令，每列一个阶段，格中数字是可能到达的阶段；“-”表示拒绝（wrong_state）。\n\
         有几个数字时，由答复决定（核查是否通过、是否解决、是否抽中回访）、由次数决定（退单过多则裁定，返工过多则终审）、\n\
         由签字决定（吹哨须审批的，签完才吹），或由其他部门决定（全部放行则吹哨结束）。\n\
         第二表是与流程并行的命令，发出后案卷仍在原阶段：“是”表示可以，“-”表示拒绝。挂账期间只有第二表的命令可以发出。\n\
         第三表用文字写出第一表。\n\
         \n\
         A case: which commands each stage accepts, and where they lead.\n\
         How to read it: the first table is the way of a case: one row per command, one column per stage; a number is a\n\
         stage it can lead to, \"-\" is refused (wrong_state). Several numbers: the answer decides (verified or not,\n\
         solved or not, in the sample of callbacks or not), or how often it happened (returned too often: arbitration;\n\
         handled again too often: a final ruling), or signatures (a whistle that needs them is blown with the last one),\n\
         or the other departments (the last one released ends the whistle). The second table is what goes on beside and\n\
         leaves a case where it is: \"是\" is possible, \"-\" is refused. While a case stands still, only the second table\n\
         is possible. Third, the first table in words.\n\n",
    );
    let stages = StageName::ALL.iter().map(|at| row([&stage_number(*at), at.label(), at.name()]));
    text.push_str(&align_rows(&stages.collect::<Vec<_>>()));
    text.push_str("\n一、流程 the way\n");
    let is_beside = |verb: &Verb| BESIDE.iter().any(|(beside, _)| beside == verb);
    let moves = |verb: &Verb| MOVES.iter().any(|(_, moving, _)| moving == verb);
    let moving: Vec<Verb> = Verb::ALL.iter().filter(|verb| moves(verb)).copied().collect();
    text.push_str(&render_grid(&moving, |stage, verb| {
        let to = MOVES.iter().find(|(from, by, _)| (*from, *by) == (stage, verb));
        let to =
            to.map_or_else(Vec::new, |(_, _, to)| to.iter().map(|to| stage_number(*to)).collect());
        if to.is_empty() { "-".to_owned() } else { to.join(",") }
    }));
    text.push_str("\n二、并行 beside\n");
    let besides: Vec<Verb> = Verb::ALL.iter().filter(|verb| is_beside(verb)).copied().collect();
    text.push_str(&render_grid(&besides, |stage, verb| {
        if keeps_stage(stage, verb) { "是".to_owned() } else { "-".to_owned() }
    }));
    text.push_str("\n三、流程（文字） the way in words\n");
    let mut words = vec![row(["阶段 stage", "命令 command", "到 to"])];
    for (from, verb, to) in MOVES {
        let to: Vec<String> = to.iter().map(|to| stage_heading(*to)).collect();
        words.push(vec![stage_heading(*from), verb_heading(*verb), to.join(" | ")]);
    }
    text.push_str(&align_rows(&words));
    check_snapshot("matrix-case.txt", &text);
}
