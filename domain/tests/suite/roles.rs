//! Every stage of a case, every command, every role: who can do what when, in one committed table.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    flows::{
        case::{
            Command,
            lifecycle::{StageName, Verb, target_stages},
            state::Case,
            whistle::SummonsCommand,
        },
        flow::Flow as _,
    },
    people::{
        actor::{Actor, Permission, Powers, Role},
        role::{RoleEntry, Roles},
    },
    rules::{obligation::Obligation, refusal::Refusal},
};

use super::{
    case::{all_scripts, sensible_commands, stage_number, wrong_state},
    script::{REPORTER, Script, all_acts, lapse},
    table::{align_rows, check_snapshot, row},
    world::{CITY, COMMUNITY, DISTRICT, GRID, MARKET, STREET, URBAN, actor, person_id, system},
};

/// All actors, each with a sign of one letter: one role over each area, the reporter, the system,
/// and an actor without any part in the case.
fn all_people() -> Vec<(char, Actor)> {
    let areas = [CITY, DISTRICT, STREET, COMMUNITY, GRID, URBAN, MARKET];
    let one = |(letter, role): (char, &Role)| {
        areas.map(|area| (letter, actor(500, "某人", &[(*role, area)])))
    };
    let mut people: Vec<_> = ('a'..).zip(Role::ALL).flat_map(one).collect();
    people.push(('R', actor(REPORTER, "上报人", &[])));
    people.push(('S', system()));
    people.push(('?', actor(501, "陌生人", &[])));
    people
}

type Done = BTreeMap<(&'static str, StageName), BTreeSet<char>>;

/// For every actor: a command that does not fit the stage is refused for that reason first; one
/// that fits is accepted or refused, and an accepted one can always be applied.
fn ask_verbs(name: &str, script: &Script, people: &[(char, Actor)], done: &mut Done) {
    let stage = script.case().stage.name();
    for verb in Verb::ALL.iter().copied() {
        let legal = !target_stages(stage, verb).is_empty();
        for command in sensible_commands(verb, script) {
            for (letter, by) in people {
                match script.chain.try_command(by, script.at, &command) {
                    Ok(change) => {
                        let to = change.state.stage.name();
                        assert!(target_stages(stage, verb).contains(&to), "{name}: {command:?}");
                        // Intake gives these commands together with the report's, and checks who
                        // may.
                        let intake = matches!(verb, Verb::Join | Verb::Unjoin);
                        let anybody = by.person == person_id(501) && !intake;
                        assert!(!anybody, "{name}: anybody may {verb:?}");
                        done.entry((Case::command_name(&command), stage))
                            .or_default()
                            .insert(*letter);
                    }
                    Err(refusal) if legal => {
                        let flow = matches!(&refusal, Refusal::WrongState { flow: "case", .. });
                        assert!(!flow, "{name}, {command:?}: {refusal:?}");
                    }
                    Err(refusal) => assert_eq!(refusal, wrong_state(script, verb), "{name}"),
                }
            }
        }
    }
}

/// Commands of the system are accepted from the system only, in every stage.
fn ask_system(name: &str, script: &Script, people: &[(char, Actor)], done: &mut Done) {
    let stage = script.case().stage.name();
    let due = |owed: &Obligation| owed.term.next_at.map(|next| (lapse(owed), next.max(script.at)));
    let measures = script.case().obligations().iter().filter_map(due).collect::<Vec<_>>();
    for (command, at) in measures.into_iter().chain([(Command::Recompute, script.at)]) {
        for (letter, by) in people {
            match script.chain.try_command(by, at, &command) {
                Ok(change) => {
                    assert!(by.is_system(), "{name}: {letter} does {command:?}");
                    assert_eq!(change.state.stage.name(), stage, "a measure moves nothing");
                    done.entry((Case::command_name(&command), stage)).or_default().insert(*letter);
                }
                Err(refusal) if by.is_system() => assert_eq!(refusal, Refusal::NothingDue),
                Err(refusal) => {
                    assert!(matches!(refusal, Refusal::NotPermitted { .. }), "{name}: {refusal:?}");
                }
            }
        }
    }
}

/// The commands of the table, in its order: the verbs of a case, the steps of a summons, and the
/// commands of the system.
fn list_commands(done: &Done) -> Vec<(&'static str, String)> {
    let steps: BTreeSet<&str> = done
        .keys()
        .map(|(name, _)| *name)
        .filter(|name| Verb::parse(name).is_none() && name.starts_with("summons_"))
        .collect();
    let verbs = Verb::ALL.iter().filter(|verb| **verb != Verb::Summons);
    let verbs = verbs.map(|verb| (verb.name(), format!("{} {}", verb.label(), verb.name())));
    let steps = steps.into_iter().map(|step| (step, format!("报到各步骤 {step}")));
    let own = [("lapse", "时限到点 lapse".to_owned())];
    verbs.chain(steps).chain(own).collect()
}

#[test]
fn every_role_gets_an_answer_in_every_stage() {
    let (people, mut done) = (all_people(), Done::new());
    for (name, script) in all_scripts() {
        ask_verbs(&name, &script, &people, &mut done);
        ask_system(&name, &script, &people, &mut done);
    }
    let verbs: BTreeSet<&str> = done.keys().map(|(name, _)| *name).collect();
    let missing: Vec<&str> = Verb::ALL
        .iter()
        // What was asked, or taken, is given back by whoever did it, and by no role.
        .filter(|verb| !matches!(verb, Verb::Withdraw | Verb::Unclaim | Verb::Summons))
        .map(|verb| verb.name())
        .filter(|name| !verbs.contains(name))
        .collect();
    assert!(missing.is_empty(), "nobody ever does {missing:?}");
    let steps =
        all_acts().iter().map(SummonsCommand::name).filter(|step| !verbs.contains(step)).count();
    assert_eq!(steps, 0, "steps of a summons that nobody ever does");
    check_snapshot("matrix-roles.txt", &render_table(&done));
}

fn render_table(done: &Done) -> String {
    let mut text = String::from(
        "案卷：每个阶段、每个命令，哪些角色可以办到。\n\
         怎么读：每行一个命令，每列一个阶段；字母是至少在一种情形下办得到的角色（在合适的辖区内授权），“-”表示没有人。\n\
         R 是上报人本人，S 是系统自己；没有任何角色的陌生人什么也办不到。并入和拆分上报由受理时一并判断权限，这里人人可以。\n\
         撤回申请只能由申请人本人办，不属于任何角色。\n\
         \n\
         A case: which roles can do which command in which stage.\n\
         How to read it: one row per command, one column per stage; a letter is a role, granted over a fitting area, that\n\
         can do it in at least one situation of that stage, \"-\" is nobody. R is the reporter, S the system itself; a\n\
         stranger can do nothing. Joining and taking out reports is judged at intake, so here everybody can. Withdrawing a\n\
         request is for whoever asked, whatever the role.\n\n",
    );
    let roles = ('a'..).zip(Role::ALL);
    let roles = roles.map(|(letter, role)| row([&letter.to_string(), role.label(), role.name()]));
    let others = [row(["R", "上报人", "reporter"]), row(["S", "系统", "system"])];
    text.push_str(&align_rows(&roles.chain(others).collect::<Vec<_>>()));
    text.push('\n');
    let stages = StageName::ALL.iter().map(|at| row([&stage_number(*at), at.label(), at.name()]));
    text.push_str(&align_rows(&stages.collect::<Vec<_>>()));
    text.push('\n');
    let mut grid = vec![row(["命令 command"])];
    grid[0].extend(StageName::ALL.iter().map(|stage| stage_number(*stage)));
    for (name, label) in list_commands(done) {
        let cells = StageName::ALL.iter().map(|stage| {
            let who = done.get(&(name, *stage)).map(|who| who.iter().collect::<String>());
            who.unwrap_or_else(|| "-".to_owned())
        });
        grid.push([label].into_iter().chain(cells).collect());
    }
    text.push_str(&align_rows(&grid));
    text
}

#[test]
fn a_bound_holds_whatever_was_published() {
    let every = || Permission::ALL.to_vec();
    let outside = [Role::Resident, Role::Volunteer, Role::Integrator];
    let entry = |role| RoleEntry { role, permissions: every() };
    let powers = Powers::from_roles(&Roles { roles: outside.map(entry).to_vec() });
    for role in outside {
        let allowed: Vec<Permission> = powers.permissions_of(role).collect();
        assert!(allowed.contains(&Permission::ReportProblem), "{role:?}");
        let reads = allowed.contains(&Permission::ReadCases);
        assert_eq!(reads, role == Role::Integrator, "{role:?}: {allowed:?}");
        assert!(allowed.len() <= 3, "{role:?}: {allowed:?}");
    }
}
