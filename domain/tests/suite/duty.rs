//! Every duty: who owes it, who sees it, who can do it, how long it takes.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    actor::{Actor, Role},
    case::{Case, Command},
    flow::Flow as _,
    id::AreaId,
    limit::Limit,
    obligation::{Duty, Obligation},
    rules::{self, Rules, Urgency},
};

use super::{
    ledger::doings,
    report as reports,
    script::{
        SUMMONABLE, Script, WORKER, acts, answer, close, dispatch, escalate, feed_back, unreached,
        verify, whistle,
    },
    table::{aligned, committed, row},
    world::{GRID, URBAN, actor, almighty, minutes, morning, unit},
};

/// Who owes a duty, as people say it.
fn debtor(duty: Duty) -> &'static str {
    match duty {
        Duty::Accept => "受理社区 the receiving community (or larger area)",
        Duty::Dispatch | Duty::CallBack | Duty::Close => "案卷主管 the holder of the case",
        Duty::Sign | Duty::Handle => "被派单位 the unit it was dispatched to",
        Duty::SignWhistle | Duty::Contact | Duty::Arrive | Duty::FeedBack => {
            "被吹哨部门 each summoned department"
        }
        Duty::Release | Duty::Rate => "吹哨街道 the street that blew the whistle",
        Duty::Verify => "所在网格 the grid it lies in",
    }
}

/// The same, as a question to a case.
fn debtors(duty: Duty, case: &Case) -> Vec<AreaId> {
    let handler = || case.stage.assignment().map(|assignment| assignment.unit.id);
    let summoned = || {
        let whistle = case.stage.whistle().map(|whistle| &whistle.summonses);
        whistle.into_iter().flatten().map(|summons| summons.unit.id)
    };
    match duty {
        Duty::Accept => Vec::new(),
        Duty::Dispatch | Duty::CallBack | Duty::Close => vec![case.holder.id],
        Duty::Sign | Duty::Handle => handler().into_iter().collect(),
        Duty::SignWhistle | Duty::Contact | Duty::Arrive | Duty::FeedBack => summoned().collect(),
        Duty::Release | Duty::Rate => {
            case.stage.whistle().map(|whistle| whistle.street.id).into_iter().collect()
        }
        Duty::Verify => vec![case.place.area.id],
    }
}

/// Cases that owe everything a case can owe, each thing by itself too.
fn scripts() -> Vec<Script> {
    let mut scripts: Vec<Script> = Script::all().into_iter().map(|(_, script)| script).collect();
    for steps in 1..=4 {
        let all = acts();
        scripts.push(Script::whistled().steps(URBAN, &all[..1]));
        scripts.push(Script::whistled().steps(super::world::MARKET, &all[..steps]));
    }
    scripts
}

#[test]
fn every_duty_is_owed_by_whom_it_says() {
    let mut seen = BTreeSet::new();
    for script in scripts() {
        for Obligation { duty, owed_by, .. } in script.case().obligations() {
            assert!(debtors(duty, script.case()).contains(&owed_by.id), "{duty:?}: {owed_by:?}");
            seen.insert(duty);
        }
    }
    let report = reports::submitted(&almighty(WORKER), reports::draft(0));
    let owed = report.state().obligations();
    assert_eq!(owed[0].owed_by, unit(super::world::COMMUNITY));
    seen.insert(owed[0].duty);
    assert_eq!(seen, Duty::ALL.iter().copied().collect());
}

/// Every command that can be the doing of a duty.
fn commands() -> Vec<Command> {
    let summons = SUMMONABLE
        .iter()
        .flat_map(|unit| acts().into_iter().map(|act| Command::Summons { unit: *unit, act }));
    let mut all = vec![
        escalate(),
        dispatch(GRID),
        whistle(URBAN, &[]),
        Command::Sign,
        feed_back(),
        verify(true),
        answer(true),
        unreached(),
        close(),
    ];
    all.extend(summons);
    all
}

/// Whether this actor can do something that settles the obligation as done, or comes closer.
fn can(script: &Script, owed: &Obligation, by: &Actor) -> bool {
    commands().iter().any(|command| {
        let theirs = |unit: &AreaId| {
            *unit == owed.owed_by.id || matches!(owed.duty, Duty::Release | Duty::Rate)
        };
        let about = !matches!(command, Command::Summons { unit, .. } if !theirs(unit));
        let asked = script.chain.ask(by, script.at + minutes(1), command);
        about && asked.is_ok_and(|change| doings(owed.duty).contains(&&*change.entry.name))
    })
}

/// Nobody's inbox shows what they cannot do, nobody who can do it is left without it.
#[test]
fn a_duty_is_shown_to_those_who_can_do_it() {
    let mut checked = BTreeSet::new();
    for script in scripts() {
        for owed in script.case().obligations() {
            let by = |role| actor(500, "某人", &[(role, owed.owed_by.id)]);
            let ready = can(&script, &owed, &almighty(500));
            for role in Role::ALL.iter().copied() {
                let shown = role.allows(owed.duty.permission());
                let can = can(&script, &owed, &by(role));
                assert!(!can || shown, "{role:?} can do {:?} and is not told", owed.duty);
                if ready && shown {
                    assert!(can, "{role:?} is told of {:?} and cannot do it", owed.duty);
                    checked.insert(owed.duty);
                }
            }
        }
    }
    let of_cases = Duty::ALL.iter().copied().filter(|duty| *duty != Duty::Accept);
    assert_eq!(checked, of_cases.collect());
}

fn in_words(limit: Limit) -> String {
    let Limit { amount, unit } = limit;
    format!("{amount} {} {}", unit.label(), unit.name())
}

/// What the source of the rules says about each field.
fn documented() -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    let mut doc = String::new();
    for line in include_str!("../../src/rules.rs").lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            doc = [doc.as_str(), text].join(" ").trim().into();
        } else {
            let field = line.strip_prefix("pub ").and_then(|line| line.strip_suffix(": Limit,"));
            if let Some(field) = field {
                words.insert(field.to_owned(), doc.clone());
            }
            doc.clear();
        }
    }
    words
}

/// What it says about where amounts are from.
fn remarks() -> impl Iterator<Item = String> {
    let lines = include_str!("../../src/rules.rs").lines().map(str::trim);
    lines.filter_map(|line| line.strip_prefix("// ")).map(str::to_owned)
}

#[test]
fn the_printed_matrix_is_up_to_date() {
    let mut text = String::from(
        "职责：谁欠什么、在谁的待办里、默认多久。\n\
         怎么读：每行一项职责；“待办权限”是看到它所需的权限（在所欠单位的辖区内）；时限是默认值，从派遣（或吹哨、反馈等上一步）起算，\n\
         不从签收起算；到时限的那一刻起即为超时。说明和出处取自 domain/src/rules.rs；没有写出处的是本系统的默认值。\n\
         \n\
         Duties: who owes what, whose inbox shows it, how long it may take.\n\
         How to read it: one row per duty; the inbox permission is what somebody needs over the owing unit to see it. The\n\
         limit is the default; it runs from dispatch (or the whistle, the feedback, whatever came before), never from\n\
         signing, and is late from the very instant it ends. The last column and the sources\n\
         are from domain/src/rules.rs; what names no source is a default of this project.\n\n",
    );
    let docs = documented();
    let rules = Rules::default();
    let mut rows = vec![row([
        "职责 duty",
        "谁欠 owed by",
        "待办权限 inbox permission",
        "默认时限 limit",
        "说明 from the rules",
    ])];
    let mut add = |duty: Duty, suffix: &str, urgency| {
        let name = format!("{} {}{suffix}", duty.label(), duty.name());
        // A whistle is signed within the same time as a dispatched case.
        let of = if duty == Duty::SignWhistle { Duty::Sign } else { duty };
        let field = format!("{}{}", of.name(), suffix.replace(' ', "_"));
        let permission = duty.permission();
        rows.push(vec![
            name,
            debtor(duty).to_owned(),
            format!("{} {}", permission.label(), permission.name()),
            in_words(rules.limit(duty, urgency)),
            docs.get(&field).cloned().unwrap_or_else(|| panic!("rules.rs says nothing of {field}")),
        ]);
    };
    for duty in Duty::ALL.iter().copied() {
        if duty == Duty::Handle {
            for urgency in [Urgency::Normal, Urgency::Urgent, Urgency::Critical] {
                add(duty, &format!(" {}", urgency.name()), urgency);
            }
        } else {
            for urgency in [Urgency::Urgent, Urgency::Critical] {
                let normal = rules.limit(duty, Urgency::Normal);
                assert_eq!(rules.limit(duty, urgency), normal, "{duty:?} depends on urgency");
            }
            add(duty, "", Urgency::Normal);
        }
    }
    text.push_str(&aligned(&rows));
    text.push_str("\n出处 where the amounts are from:\n");
    for remark in remarks() {
        text.push_str(&remark);
        text.push('\n');
    }
    committed("matrix-duties.txt", &text);
}

#[test]
fn a_clock_runs_to_its_limit() {
    let start = morning();
    assert_eq!(rules::due(Limit::minutes(90), start), start + minutes(90));
    assert_eq!(rules::due(Limit::hours(1), start), start + minutes(60));
    assert_eq!(
        rules::due(Limit::days(3), start),
        start + minutes(3 * 24 * 60),
        "holidays included"
    );
}
