//! Every step of a summoned department against every command.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    core::id::AreaId,
    flows::case::{
        Command,
        lifecycle::{
            STEPS, StageName, StepName, SummonsVerb, possible_summons_verbs, target_steps,
        },
        whistle::SummonsCommand,
    },
    rules::refusal::Refusal,
};

use super::{
    script::{
        OTHER, Script, all_acts, arrive, contest, excuse, rate, rate_street, report_back, rule,
        send_back, uphold, verify, whistle,
    },
    table::{align_rows, check_snapshot, row},
    world::{MARKET, SQUAD, STREET, TRAFFIC, URBAN, almighty, minutes, unit},
};

fn contact() -> SummonsCommand {
    SummonsCommand::Contact { note: None }
}

/// The co-operating department at each step, the lead still at work.
fn at_every_step() -> Vec<(StepName, Script)> {
    let made = |acts: &[SummonsCommand]| Script::until_whistled().then_acts(MARKET, acts);
    vec![
        (StepName::Called, made(&[])),
        (StepName::Signed, made(&[SummonsCommand::Sign])),
        (StepName::Contacted, made(&[SummonsCommand::Sign, contact()])),
        (StepName::Arrived, made(&[SummonsCommand::Sign, arrive()])),
        (
            StepName::Arrived,
            made(&[SummonsCommand::Sign, contact(), arrive(), report_back(), send_back()]),
        ),
        (StepName::Contested, made(&[contest()])),
        (StepName::Contested, made(&[SummonsCommand::Sign, contest()])),
        (StepName::Contested, made(&[SummonsCommand::Sign, contact(), contest()])),
        (StepName::Called, made(&[contest(), uphold()])),
        (StepName::Excused, made(&[contest(), excuse(None)])),
        (StepName::FedBack, made(&[SummonsCommand::Sign, arrive(), report_back()])),
        (
            StepName::Released,
            made(&[SummonsCommand::Sign, arrive(), report_back(), SummonsCommand::Release]),
        ),
    ]
}

fn wrong_state(state: StepName, verb: SummonsVerb, possible: Vec<SummonsVerb>) -> Refusal {
    let possible = possible.into_iter().map(SummonsVerb::name).collect();
    Refusal::WrongState { flow: "summons", state: state.name(), command: verb.name(), possible }
}

#[test]
fn every_step_answers_everything_as_the_table_says() {
    let mut seen: BTreeMap<(StepName, SummonsVerb), BTreeSet<StepName>> = BTreeMap::new();
    for (from, script) in at_every_step() {
        let reached = |script: &Script, unit: AreaId| {
            script.case().stage.whistle().unwrap().find_summons(unit).unwrap().step.name()
        };
        assert_eq!(reached(&script, MARKET), from);
        let possible = {
            let whistle = script.case().stage.whistle().unwrap();
            whistle.find_summons(MARKET).unwrap().possible(true)
        };
        for act in all_acts() {
            let verb = act.verb();
            let command = Command::Summons { unit: MARKET, act };
            match script.chain.try_command(&almighty(OTHER), script.at + minutes(5), &command) {
                Ok(change) => {
                    let whistle = change.state.stage.whistle().unwrap();
                    let to = whistle.find_summons(MARKET).unwrap().step.name();
                    seen.entry((from, verb)).or_default().insert(to);
                    let lead = whistle.find_summons(URBAN).unwrap();
                    assert_eq!(lead.step.name(), reached(&script, URBAN), "the other stays");
                }
                Err(refusal) if target_steps(from, verb).is_empty() => {
                    assert!(possible.iter().all(|one| possible_summons_verbs(from).contains(one)));
                    assert_eq!(refusal, wrong_state(from, verb, possible.clone()));
                }
                Err(refusal) => {
                    let appointed = Refusal::Appointed { unit: unit(MARKET).name };
                    assert_eq!((refusal, verb), (appointed, SummonsVerb::Contest));
                }
            }
        }
    }
    let listed: BTreeMap<_, BTreeSet<StepName>> = STEPS
        .iter()
        .map(|(from, verb, to)| ((*from, *verb), to.iter().copied().collect()))
        .collect();
    assert_eq!(seen, listed);
    assert_eq!(STEPS.len(), listed.len(), "the table names a step and command twice");
}

#[test]
fn after_the_whistle_only_the_opinions_are_left() {
    let over = [Script::whistle_over(), Script::whistle_verified(), Script::whistle_closed()];
    for script in over {
        for act in all_acts() {
            let verb = act.verb();
            let command = Command::Summons { unit: MARKET, act };
            let asked = script.chain.try_command(&almighty(OTHER), script.at, &command);
            if matches!(verb, SummonsVerb::Rate | SummonsVerb::RateStreet) {
                let rated = script.clone().then_other(&command);
                let again = rated.chain.try_command(&almighty(OTHER), rated.at, &command);
                assert_eq!(again.unwrap_err(), Refusal::AlreadyRated);
            } else {
                let possible = vec![SummonsVerb::Rate, SummonsVerb::RateStreet];
                assert_eq!(asked.unwrap_err(), wrong_state(StepName::Released, verb, possible));
            }
            let opinion = if verb == SummonsVerb::Sign { rate() } else { rate_street() };
            let stranger = Command::Summons { unit: SQUAD, act: opinion };
            let asked = script.chain.try_command(&almighty(OTHER), script.at, &stranger);
            assert_eq!(asked.unwrap_err(), Refusal::NotSummoned);
        }
    }
}

/// In every stage, on every path that leads there: the step and the commands that a summons reports
/// are those that trying every command finds.
#[test]
fn what_is_told_of_a_summons_is_what_asking_finds() {
    let ruled = Script::whistle_ruling();
    let mut scripts = Script::all_stages();
    scripts.extend([
        ("closed by ruling", ruled.clone().then_other(&rule(false))),
        ("handled again by ruling", ruled.then_other(&rule(true))),
        ("a department let off", Script::until_contested().then_acts(MARKET, &[excuse(None)])),
        ("an objection overruled", Script::until_contested().then_acts(MARKET, &[uphold()])),
    ]);
    let mut told = BTreeSet::new();
    for (way, script) in
        scripts.into_iter().filter(|(_, script)| script.case().standstill.is_none())
    {
        let (stage, at) = (&script.case().stage, script.at + minutes(5));
        let on = stage.name() == StageName::Whistled;
        assert_eq!(stage.is_whistle_on(), on, "{way}");
        let summonses =
            stage.whistle().map(|whistle| whistle.summonses.clone()).unwrap_or_default();
        for summons in &summonses {
            let (step, possible) = (summons.step_name(on), summons.possible(on));
            if on {
                assert_eq!(step, summons.step.name(), "{way}");
            } else {
                assert!(matches!(step, StepName::Released | StepName::Excused), "{way}: {step:?}");
            }
            told.insert((stage.name(), step));
            for act in all_acts() {
                let (unit, verb) = (summons.unit.id, act.verb());
                let asked =
                    script.chain.try_command(&almighty(OTHER), at, &Command::Summons { unit, act });
                let refused = match asked {
                    Err(Refusal::WrongState { flow, state, possible: names, .. }) => {
                        assert_eq!((flow, state), ("summons", step.name()), "{way}");
                        let told: Vec<_> = possible.iter().map(|verb| verb.name()).collect();
                        assert_eq!(names, told, "{way}");
                        true
                    }
                    Err(Refusal::AlreadyRated | Refusal::Appointed { .. }) => true,
                    // It waits for the others, or for another lead: nothing of its own step.
                    Ok(_)
                    | Err(
                        Refusal::CooperatingPending { .. }
                        | Refusal::LeadMissing
                        | Refusal::NamedTwice { .. },
                    ) => false,
                    Err(refusal) => panic!("{way}: {verb:?}: {refusal:?}"),
                };
                assert_eq!(possible.contains(&verb), !refused, "{way}: {step:?} {verb:?}");
            }
        }
        let any = summonses.iter().any(|summons| !summons.possible(on).is_empty());
        assert_eq!(script.case().possible_commands().contains(&"summons"), any, "{way}");
    }
    for stage in [StageName::Ruling, StageName::Closed] {
        assert!(told.contains(&(stage, StepName::Released)), "{stage:?}");
    }
}

#[test]
fn a_lead_that_was_ruled_about_is_rated_like_the_others() {
    for script in [Script::whistle_ruling(), Script::whistle_ruling().then_other(&rule(false))] {
        for act in [rate(), rate_street()] {
            let command = Command::Summons { unit: URBAN, act };
            let rated = script.clone().then_other(&command);
            assert_eq!(rated.case().stage.name(), script.case().stage.name());
            assert_eq!(rated.expect_refusal(OTHER, &command), Refusal::AlreadyRated);
        }
        let work = Command::Summons { unit: URBAN, act: report_back() };
        assert!(matches!(
            script.expect_refusal(OTHER, &work),
            Refusal::WrongState { flow: "summons", state: "released", .. }
        ));
    }
}

#[test]
fn the_lead_answers_last() {
    let ready = Script::held_by(STREET)
        .then_other(&whistle(URBAN, &[MARKET, SQUAD]))
        .then_acts(URBAN, &[SummonsCommand::Sign, arrive()]);
    let answer = Command::Summons { unit: URBAN, act: report_back() };
    let asked = ready.chain.try_command(&almighty(OTHER), ready.at, &answer).unwrap_err();
    let units = vec!["东区市场监管局".to_owned(), "湖滨综合执法队".to_owned()];
    assert_eq!(asked, Refusal::CooperatingPending { units });
    let ready = ready.then_acts(MARKET, &[SummonsCommand::Sign, arrive(), report_back()]);
    let asked = ready.chain.try_command(&almighty(OTHER), ready.at, &answer).unwrap_err();
    let units = vec!["湖滨综合执法队".to_owned()];
    assert_eq!(asked, Refusal::CooperatingPending { units });
    let ready = ready.then_acts(
        SQUAD,
        &[SummonsCommand::Sign, arrive(), report_back(), SummonsCommand::Release],
    );
    assert!(ready.chain.try_command(&almighty(OTHER), ready.at, &answer).is_ok());
}

#[test]
fn only_the_last_release_ends_the_whistle() {
    let first = Script::until_whistled()
        .then_acts(MARKET, &[SummonsCommand::Sign, arrive(), report_back()]);
    let first = first.then_acts(MARKET, &[SummonsCommand::Release]);
    assert_eq!(first.case().stage.name(), StageName::Whistled);
    assert_eq!(Script::whistle_over().case().stage.name(), StageName::FedBack);
}

#[test]
fn what_failed_on_the_spot_goes_back_to_the_lead_alone() {
    let again = Script::whistle_over().then_other(&verify(false));
    let whistle = again.case().stage.whistle().unwrap();
    assert_eq!(whistle.find_summons(URBAN).unwrap().step.name(), StepName::Arrived);
    assert_eq!(whistle.find_summons(MARKET).unwrap().step.name(), StepName::Released);
    let over = again.then_acts(URBAN, &[report_back(), SummonsCommand::Release]);
    assert_eq!(over.case().stage.name(), StageName::FedBack);
}

#[test]
fn a_whistle_names_each_department_that_serves_the_street_once() {
    let street = Script::held_by(STREET);
    let ask = |lead, others: &[AreaId]| {
        street.chain.try_command(&almighty(OTHER), street.at, &whistle(lead, others)).unwrap_err()
    };
    let twice = Refusal::NamedTwice { unit: "东区城管局".to_owned() };
    assert_eq!(ask(URBAN, &[MARKET, URBAN]), twice);
    let stranger = Refusal::NotADepartment { unit: "西区城管局".to_owned() };
    assert_eq!(ask(super::world::URBAN_BESIDE, &[]), stranger);
    let territory = Refusal::NotADepartment { unit: "柳岸社区".to_owned() };
    assert_eq!(ask(URBAN, &[super::world::COMMUNITY]), territory);
    let unknown = Refusal::UnknownArea { id: super::world::NOWHERE };
    assert_eq!(ask(super::world::NOWHERE, &[]), unknown);
    let city =
        street.chain.try_command(&almighty(OTHER), street.at, &whistle(TRAFFIC, &[SQUAD])).unwrap();
    let summonses = &city.state.stage.whistle().unwrap().summonses;
    assert_eq!(summonses.iter().map(|s| s.lead).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn the_printed_matrix_is_up_to_date() {
    let mut text = String::from(
        "吹哨报到：被召集的每个部门各走各的步骤。\n\
         怎么读：每行一个步骤，每列一个命令，格中是到达的步骤；“-”表示拒绝（wrong_state）。\n\
         牵头部门须等协办部门都已反馈才能反馈和放行；最后一个部门放行（或裁定免除）后吹哨结束；结束后只剩双向评价，各一次。\n\
         提出异议的，时限不停；裁定回到原步骤（不得再提），或免除并可由其他部门接替；免除牵头部门必须指定新的牵头。\n\
         核查不通过或居民说未解决时，牵头部门回到“已到场”。\n\
         \n\
         A whistle: the steps of each summoned department.\n\
         How to read it: one row per step, one column per command; the cell is the step it leads to, \"-\" is refused\n\
         (wrong_state). The lead feeds back and is released only after all co-operating departments fed back; the last\n\
         release (or letting off) ends the whistle; afterwards only the opinions of both sides are left, each once.\n\
         Clocks run on while a department contests; a ruling leads back to where it was, for good, or lets it off, and\n\
         another may take its place; who leads is let off only with a new lead. When verification fails or the resident\n\
         says it is not solved, the lead is back at \"arrived\".\n\n",
    );
    let verbs = |cell: fn(&SummonsVerb) -> String| SummonsVerb::ALL.iter().map(cell);
    let mut grid = vec![vec!["步骤 step".to_owned()], vec![String::new()]];
    grid[0].extend(verbs(|verb| verb.label().to_owned()));
    grid[1].extend(verbs(|verb| verb.name().to_owned()));
    for from in StepName::ALL {
        let mut cells = vec![format!("{} {}", from.label(), from.name())];
        cells.extend(SummonsVerb::ALL.iter().map(|verb| {
            let to = target_steps(*from, *verb).iter().map(|to| to.label());
            let to: Vec<&str> = to.collect();
            if to.is_empty() { "-".to_owned() } else { to.join("、") }
        }));
        grid.push(cells);
    }
    text.push_str(&align_rows(&grid));
    text.push('\n');
    let mut words = vec![row(["步骤 step", "命令 command", "到 to"])];
    for (from, verb, to) in STEPS {
        let cell = |label: &str, name: &str| format!("{label} {name}");
        words.push(vec![
            cell(from.label(), from.name()),
            cell(verb.label(), verb.name()),
            to.iter().map(|to| cell(to.label(), to.name())).collect::<Vec<_>>().join(" | "),
        ]);
    }
    text.push_str(&align_rows(&words));
    check_snapshot("matrix-summons.txt", &text);
}
