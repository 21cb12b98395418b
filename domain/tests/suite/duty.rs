//! Every duty: the debtor, who sees it, who can fulfil it, and how long it takes.

use std::collections::BTreeSet;

use domain::{
    core::id::AreaId,
    flows::{
        case::{Command, state::Case},
        flow::Flow as _,
    },
    people::actor::{Actor, Role},
    rules::{
        obligation::{Duty, Obligation},
        sla::{Matrix, References, Row},
    },
};

use super::{
    ledger::list_doings,
    patrol as patrols, report as reports,
    script::{
        SUMMONABLE, Script, WORKER, all_acts, answer, arbitrate, close, coordinate, decide,
        dispatch, escalate, feed_back, miss_callback, reply, rule, verify, whistle,
    },
    table::{align_rows, check_snapshot, row},
    world::{GRID, STREET, URBAN, actor, almighty, unit, with_conduct},
};

/// The debtor of a duty, in words.
fn describe_debtor(duty: Duty) -> &'static str {
    match duty {
        Duty::Accept => "受理社区 the receiving community (or larger area)",
        Duty::Dispatch | Duty::CallBack | Duty::Close => "案卷主管 the holder of the case",
        Duty::Sign | Duty::Handle => "被派单位 the unit it was dispatched to",
        Duty::SignWhistle | Duty::Contact | Duty::Arrive | Duty::FeedBack => {
            "被吹哨部门 each summoned department"
        }
        Duty::Release | Duty::Rate => "吹哨街道 the street that blew the whistle",
        Duty::Verify | Duty::Confirm => "所在网格 the grid it lies in",
        Duty::Decide => "案卷主管，然后其上级 the holder, then whoever is above",
        Duty::Arbitrate | Duty::Coordinate | Duty::Rule => "所在区 the district",
        Duty::AnswerSupervision => "被督办单位 whoever is supervised",
        Duty::Resume => "到期自动恢复 nobody: the system sees to it",
        Duty::Patrol => "所安排的网格 the area that is to be walked",
        Duty::Visit => "所在网格 the grid the household lies in",
    }
}

/// The debtors of a duty in a case.
fn list_debtors(duty: Duty, case: &Case) -> Vec<AreaId> {
    let handler = || case.stage.assignment().map(|assignment| assignment.unit.id);
    let summoned = || {
        let whistle = case.stage.whistle().map(|whistle| &whistle.summonses);
        whistle.into_iter().flatten().map(|summons| summons.unit.id)
    };
    match duty {
        Duty::Accept | Duty::Confirm | Duty::Patrol | Duty::Visit => Vec::new(),
        Duty::Dispatch | Duty::CallBack | Duty::Close | Duty::Resume => vec![case.holder.id],
        Duty::Decide => vec![case.holder.id, STREET, super::world::DISTRICT],
        Duty::Arbitrate | Duty::Coordinate | Duty::Rule => vec![super::world::DISTRICT],
        Duty::AnswerSupervision => case.supervisions.iter().map(|one| one.addressee.id).collect(),
        Duty::Sign | Duty::Handle => handler().into_iter().collect(),
        Duty::SignWhistle | Duty::Contact | Duty::Arrive | Duty::FeedBack => summoned().collect(),
        Duty::Release | Duty::Rate => {
            case.stage.whistle().map(|whistle| whistle.street.id).into_iter().collect()
        }
        Duty::Verify => vec![case.place.area.id],
    }
}

/// Cases that together owe every duty of a case, also each duty by itself.
fn all_scripts() -> Vec<Script> {
    let mut scripts: Vec<Script> =
        Script::all_stages().into_iter().map(|(_, script)| script).collect();
    let burdened: Vec<Script> =
        scripts.iter().cloned().filter_map(Script::until_burdened).collect();
    scripts.extend(burdened);
    for steps in 1..=4 {
        let all = all_acts();
        scripts.push(Script::until_whistled().then_acts(URBAN, &all[..1]));
        scripts.push(Script::until_whistled().then_acts(super::world::MARKET, &all[..steps]));
    }
    scripts
}

#[test]
fn every_duty_is_owed_by_whom_it_says() {
    let mut seen = BTreeSet::new();
    for script in all_scripts() {
        for Obligation { duty, owed_by, .. } in script.case().obligations() {
            assert!(
                list_debtors(duty, script.case()).contains(&owed_by.id),
                "{duty:?}: {owed_by:?}"
            );
            seen.insert(duty);
        }
    }
    let looked_at = with_conduct(|conduct| conduct.verify_before_filing = true);
    for (report, by) in [
        (reports::until_submitted(&almighty(WORKER), reports::draft(0)), super::world::COMMUNITY),
        (reports::until_submitted_under(looked_at), GRID),
    ] {
        let owed = report.state().obligations();
        assert_eq!((owed.len(), &owed[0].owed_by), (1, &unit(by)));
        seen.insert(owed[0].duty);
    }
    let patrol = patrols::until_planned();
    for owed in
        [patrol.state().obligations(), super::visit::until_planned(60).state().obligations()]
    {
        assert_eq!((owed.len(), &owed[0].owed_by), (1, &unit(GRID)));
        seen.insert(owed[0].duty);
    }
    assert_eq!(seen, Duty::ALL.iter().copied().collect());
}

/// Every command that can fulfil a duty.
fn all_commands(case: &Case) -> Vec<Command> {
    let summons = SUMMONABLE
        .iter()
        .flat_map(|unit| all_acts().into_iter().map(|act| Command::Summons { unit: *unit, act }));
    let mut all = vec![
        escalate(),
        dispatch(GRID),
        whistle(URBAN, &[]),
        Command::Sign,
        feed_back(),
        verify(true),
        answer(true),
        miss_callback(),
        close(),
        arbitrate(URBAN),
        rule(true),
        coordinate(),
    ];
    all.extend(summons);
    all.extend(case.asks.iter().map(|ask| decide(ask.no, true)));
    all.extend(case.supervisions.iter().map(|supervision| reply(supervision.no)));
    all
}

/// Whether this actor can give a command that fulfils the obligation, or comes closer to it.
fn can_settle(script: &Script, owed: &Obligation, by: &Actor) -> bool {
    all_commands(script.case()).iter().any(|command| {
        let theirs = |unit: &AreaId| {
            let above = matches!(owed.duty, Duty::Release | Duty::Rate | Duty::Arbitrate);
            *unit == owed.owed_by.id || above
        };
        let about = !matches!(command, Command::Summons { unit, .. } if !theirs(unit));
        let asked = script.chain.try_command(by, script.at, command);
        about
            && asked.is_ok_and(|change| {
                let ends = change.settled.iter().any(|one| one.obligation.is_same_debt(owed));
                let missed = owed.duty == Duty::CallBack;
                list_doings(owed.duty).contains(&&*change.entry.name) && (ends || missed)
            })
    })
}

/// The roles that must sign the open request, where only some may.
fn list_signers(case: &Case, owed: &Obligation) -> Vec<Role> {
    let asks = case.asks.iter().filter_map(|ask| ask.next_signature());
    let next = asks.filter(|next| next.term.as_ref() == Some(&owed.term));
    next.flat_map(|next| next.roles.clone()).collect()
}

/// An inbox shows exactly the duties that its reader can fulfil.
#[test]
fn a_duty_is_shown_to_those_who_can_do_it() {
    let mut checked = BTreeSet::new();
    for script in all_scripts() {
        for owed in script.case().obligations() {
            let by = |role| actor(500, "某人", &[(role, owed.owed_by.id)]);
            let ready = can_settle(&script, &owed, &almighty(500));
            let signers = list_signers(script.case(), &owed);
            for role in Role::ALL.iter().copied() {
                let shown = role.allows(owed.duty.permission());
                let can = can_settle(&script, &owed, &by(role));
                assert!(!can || shown, "{role:?} can do {:?} and is not told", owed.duty);
                let signs = signers.is_empty() || signers.contains(&role);
                if ready && shown && signs {
                    assert!(can, "{role:?} is told of {:?} and cannot do it", owed.duty);
                    checked.insert(owed.duty);
                }
            }
        }
    }
    // Reports, patrols and visits have tests of their own; a standstill ends by itself.
    let elsewhere = [Duty::Accept, Duty::Confirm, Duty::Resume, Duty::Patrol, Duty::Visit];
    let of_cases = Duty::ALL.iter().copied().filter(|duty| !elsewhere.contains(duty));
    assert_eq!(checked, of_cases.collect());
}

/// The conditions of a row, in words.
fn describe_conditions(row: &Row) -> String {
    let urgency = row.urgency.map(|urgency| format!("{} {}", urgency.label(), urgency.name()));
    let rank = row.rank.as_ref().map(|rank| format!("哨级 rank {rank}"));
    let words: Vec<String> = urgency.into_iter().chain(rank).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

#[test]
fn every_duty_but_standstills_and_patrols_has_a_limit_in_the_standard() {
    let matrix = Matrix::standard();
    for duty in Duty::ALL {
        let rows = matrix.rows.iter().filter(|row| row.duty == *duty);
        assert_eq!(rows.count() > 0, duty.has_limit(), "{duty:?}");
    }
    // The ranks in the standard matrix are those of the standard whistles.
    let whistling = domain::rules::whistle_policy::Whistling::standard();
    let ranks: Vec<&str> = whistling.ranks.iter().map(|rank| rank.code.as_str()).collect();
    assert_eq!(matrix.check(&References { ranks: &ranks, ..References::new_empty() }), []);
}

#[test]
fn the_printed_matrix_is_up_to_date() {
    let mut text = String::from(
        "职责：谁欠什么、在谁的待办里、标准多久、能否延期挂账。\n\
         怎么读：每行一项职责的一个时限；“待办权限”是看到它所需的权限（在所欠单位的辖区内）；“条件”为“-”的对所有事项适用，\n\
         有条件的优先。时限取自标准时限表（domain/data/presets/standard.csv），各地可另行发布；从派遣（或吹哨、反馈等上一步）起算，\n\
         不从签收起算；到时限的那一刻起即为超时，超时事实不因延期、申诉而改变。“可延可挂”的时限可以申请延期，挂账时停表。\n\
         单位：min 分钟，h 紧急工作时（昼夜连续），wh 工作时，d 自然日，wd 工作日。\n\
         \n\
         Duties: who owes what, whose inbox shows it, how long it may take by the standard, what can be extended.\n\
         How to read it: one row per limit of a duty; the inbox permission is what somebody needs over the owing unit to\n\
         see it. A limit with a condition comes before the one without (\"-\"). Limits are those of the standard matrix\n\
         (domain/data/presets/standard.csv), which a tenant replaces by its own; they run from dispatch (or the whistle,\n\
         the feedback, whatever came before), never from signing, and are late from the very instant they end; that\n\
         something was late stays a fact. \"是\" in the column of extensions: more time can be asked for, and the clock\n\
         stops while the case stands still. Units: min, h (nights and holidays included), wh working hours, d natural\n\
         days, wd working days.\n\n",
    );
    let mut rows = vec![row([
        "职责 duty",
        "谁欠 owed by",
        "待办权限 inbox permission",
        "条件 for",
        "时限 limit",
        "可延可挂 extensions",
        "出处 basis",
    ])];
    let matrix = Matrix::standard();
    for duty in Duty::ALL.iter().copied() {
        let permission = duty.permission();
        let cells = |when: &str, limit: &str, basis: &str| {
            let name = format!("{} {}", duty.label(), duty.name());
            let permission = format!("{} {}", permission.label(), permission.name());
            let work = if duty.is_work() { "是" } else { "-" };
            row([&name, describe_debtor(duty), &permission, when, limit, work, basis])
        };
        if !duty.has_limit() {
            let until = if duty == Duty::Patrol {
                "巡查时段结束 the end of the duty window"
            } else {
                "批准的挂账期限 as approved"
            };
            rows.push(cells("-", until, "-"));
            let named = duty == Duty::Visit;
            let limit = if named {
                "计划的日期 the day named"
            } else {
                "批准的挂账期限 as approved"
            };
            rows.push(cells("-", limit, "-"));
        }
        for limit in matrix.rows.iter().filter(|row| row.duty == duty) {
            rows.push(cells(&describe_conditions(limit), &limit.limit.to_string(), &limit.basis));
        }
    }
    text.push_str(&align_rows(&rows));
    check_snapshot("matrix-duties.txt", &text);
}
