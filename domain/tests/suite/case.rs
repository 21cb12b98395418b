//! Every stage of a case against every command: what `decide` does is what the table says.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    case::{
        Command,
        lifecycle::{MOVES, StageName, Verb, possible, targets},
    },
    refusal::Refusal,
};

use super::{
    script::{
        self, OTHER, SUMMONABLE, Script, acts, answer, close, comment, dispatch, escalate,
        feed_back, give_back, reopen, unreached, verify, whistle,
    },
    table::{aligned, committed, row},
    world::{COMMUNITY, GRID, MARKET, SQUAD, URBAN, almighty, minutes},
};

/// The sensible arguments of a command.
fn arguments(verb: Verb) -> Vec<Command> {
    match verb {
        Verb::Escalate => vec![escalate()],
        Verb::Dispatch => vec![dispatch(GRID), dispatch(COMMUNITY)],
        Verb::Whistle => vec![whistle(URBAN, &[MARKET, SQUAD]), whistle(SQUAD, &[])],
        Verb::Sign => vec![Command::Sign],
        Verb::Start => vec![Command::Start],
        Verb::Return => vec![give_back()],
        Verb::FeedBack => vec![feed_back()],
        Verb::Summons => SUMMONABLE
            .iter()
            .flat_map(|unit| acts().into_iter().map(|act| Command::Summons { unit: *unit, act }))
            .collect(),
        Verb::Verify => vec![verify(true), verify(false)],
        Verb::CallBack => vec![unreached(), answer(true), answer(false)],
        Verb::Close => vec![close()],
        Verb::Reopen => vec![reopen()],
        Verb::Join => vec![Command::Join { reporter: script::reporter(7) }],
        Verb::Comment => vec![comment()],
    }
}

/// Refusals of a command that fits the stage, because of something the table does not say.
fn side_condition(verb: Verb, refusal: &Refusal) -> bool {
    match verb {
        Verb::Whistle => matches!(refusal, Refusal::NotAStreet { .. }),
        Verb::Summons => matches!(
            refusal,
            Refusal::NotSummoned
                | Refusal::CooperatingPending { .. }
                | Refusal::AlreadyRated
                | Refusal::WrongState { flow: "summons", .. }
        ),
        Verb::Escalate
        | Verb::Dispatch
        | Verb::Sign
        | Verb::Start
        | Verb::Return
        | Verb::FeedBack
        | Verb::Verify
        | Verb::CallBack
        | Verb::Close
        | Verb::Reopen
        | Verb::Join
        | Verb::Comment => false,
    }
}

#[test]
fn every_stage_answers_every_command_as_the_table_says() {
    let mut seen: BTreeMap<(StageName, Verb), BTreeSet<StageName>> = BTreeMap::new();
    for (name, script) in Script::all() {
        let stage = script.case().stage.name();
        for verb in Verb::ALL.iter().copied() {
            for command in arguments(verb) {
                assert_eq!(command.verb(), Some(verb));
                let asked = script.chain.ask(&almighty(OTHER), script.at + minutes(10), &command);
                let legal = !targets(stage, verb).is_empty();
                match asked {
                    Ok(change) if legal => {
                        seen.entry((stage, verb)).or_default().insert(change.state.stage.name());
                    }
                    Ok(change) => {
                        panic!("{name}: {verb:?} led to {:?}", change.state.stage.name())
                    }
                    Err(refusal) if legal => {
                        assert!(side_condition(verb, &refusal), "{name}, {verb:?}: {refusal:?}");
                    }
                    Err(refusal) => {
                        let possible = possible(stage).into_iter().map(Verb::name).collect();
                        let wrong = Refusal::WrongState {
                            flow: "case",
                            state: stage.name(),
                            command: verb.name(),
                            possible,
                        };
                        assert_eq!(refusal, wrong, "{name}");
                    }
                }
            }
        }
    }
    let listed: BTreeMap<_, BTreeSet<StageName>> = MOVES
        .iter()
        .map(|(stage, verb, to)| ((*stage, *verb), to.iter().copied().collect()))
        .collect();
    assert_eq!(seen, listed, "what was reached, and what the table lists");
    assert_eq!(MOVES.len(), listed.len(), "the table names a stage and command twice");
}

#[test]
fn a_case_begins_once_and_only_by_opening() {
    let at = script::opening(COMMUNITY);
    let open = Command::Open(Box::new(at));
    for (name, script) in Script::all() {
        let refusal = script.chain.ask(&almighty(OTHER), script.at, &open).unwrap_err();
        let state = script.case().stage.name().name();
        let possible = script.case().possible();
        let wrong = Refusal::WrongState { flow: "case", state, command: "open", possible };
        assert_eq!(refusal, wrong, "{name}");
    }
    let nothing = super::world::Chain::<domain::case::Case>::default();
    for verb in Verb::ALL.iter().copied() {
        for command in arguments(verb) {
            let (state, possible) = ("none", Vec::new());
            let command_name = verb.name();
            let wrong =
                Refusal::WrongState { flow: "case", state, command: command_name, possible };
            let asked = nothing.ask(&almighty(OTHER), super::world::morning(), &command);
            assert_eq!(asked.unwrap_err(), wrong);
        }
    }
}

#[test]
fn every_stage_is_among_the_scripts() {
    let made: BTreeSet<_> = Script::all().iter().map(|(_, s)| s.case().stage.name()).collect();
    assert_eq!(made, StageName::ALL.iter().copied().collect());
}

fn number(stage: StageName) -> String {
    let place = StageName::ALL.iter().position(|other| *other == stage).unwrap();
    (place + 1).to_string()
}

fn numbered(stage: StageName) -> String {
    format!("{} {} {}", number(stage), stage.label(), stage.name())
}

fn labelled(verb: Verb) -> String {
    format!("{} {}", verb.label(), verb.name())
}

#[test]
fn the_printed_matrix_is_up_to_date() {
    let mut text = String::from(
        "案卷：每个阶段可以发出哪些命令，各自到达哪个阶段。\n\
         怎么读：上表每行一个命令，每列一个阶段，格中数字是可能到达的阶段；“-”表示拒绝（wrong_state）。\n\
         有几个数字时，由答复决定（核查是否通过、是否解决），或由其他部门决定（全部放行则吹哨结束）。下表用文字写出同样的内容。\n\
         \n\
         A case: which commands each stage accepts, and where they lead.\n\
         How to read it: above, one row per command, one column per stage; a number is a stage it can lead to,\n\
         \"-\" is refused (wrong_state). Several numbers: the answer decides (verified or not, solved or not), or the\n\
         other departments do (the last one released ends the whistle). Below, the same in words.\n\n",
    );
    text.push_str(&aligned(
        &StageName::ALL
            .iter()
            .map(|stage| row([&number(*stage), stage.label(), stage.name()]))
            .collect::<Vec<_>>(),
    ));
    text.push('\n');
    let mut grid = vec![row(["命令 command"])];
    grid[0].extend(StageName::ALL.iter().map(|stage| number(*stage)));
    for verb in Verb::ALL {
        let mut cells = vec![labelled(*verb)];
        for stage in StageName::ALL {
            let to: Vec<String> = targets(*stage, *verb).iter().map(|to| number(*to)).collect();
            cells.push(if to.is_empty() { "-".to_owned() } else { to.join(",") });
        }
        grid.push(cells);
    }
    text.push_str(&aligned(&grid));
    text.push('\n');
    let mut words = vec![row(["阶段 stage", "命令 command", "到 to"])];
    for stage in StageName::ALL {
        for verb in possible(*stage) {
            let to: Vec<String> = targets(*stage, verb).iter().map(|to| numbered(*to)).collect();
            words.push(vec![numbered(*stage), labelled(verb), to.join(" | ")]);
        }
    }
    text.push_str(&aligned(&words));
    committed("matrix-case.txt", &text);
}
