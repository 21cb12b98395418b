//! What the shipped tables say, cell by cell, and the whole of them for people to read.

use std::fmt::Write as _;

use domain::{
    calendar::limit::{Limit, LimitUnit},
    rules::{
        obligation::Duty,
        sla::{Compiled, Matrix, PRESETS, Query, RANKS, Row, STANDARD, find_preset},
        vocabulary::{Channel, Complexity, Demand, Urgency},
    },
};

use super::{CATALOGUE, find_faults, parse_matrix, query, with_known};
use crate::suite::table::{align_rows, check_snapshot, row};

/// A preset over the standard.
fn compile_preset(name: &str) -> Compiled {
    let matrix = parse_matrix(find_preset(name).unwrap()).overlay_on(parse_matrix(STANDARD));
    with_known(|known| Compiled::new(matrix, known)).unwrap()
}

/// Asserts the limit of a duty under a preset.
fn check_limit(name: &str, duty: Duty, about: impl FnOnce(&mut Query<'_>), limit: &str) {
    let mut query = query(duty);
    about(&mut query);
    let compiled = compile_preset(name);
    let found = compiled.find(&query).unwrap();
    assert_eq!(found.limit.to_string(), limit, "{name}: {} for {query:?}", found.id);
}

fn with_demand(demand: Demand) -> impl FnOnce(&mut Query<'_>) {
    move |query| query.demand = Some(demand)
}

fn with_complexity(complexity: Complexity) -> impl FnOnce(&mut Query<'_>) {
    move |query| query.complexity = Some(complexity)
}

fn with_urgency(urgency: Urgency) -> impl FnOnce(&mut Query<'_>) {
    move |query| query.urgency = urgency
}

fn with_rank(rank: &'static str) -> impl FnOnce(&mut Query<'_>) {
    move |query| query.rank = Some(rank)
}

fn leave_query(_: &mut Query<'_>) {}

#[test]
fn every_preset_over_the_standard_passes_the_check() {
    assert_eq!(PRESETS.len(), 11);
    assert_eq!(find_faults(&parse_matrix(STANDARD)), []);
    for preset in PRESETS {
        let matrix = parse_matrix(preset.text).overlay_on(parse_matrix(STANDARD));
        let told: Vec<String> = find_faults(&matrix).iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}: {}", preset.name, told.join("\n"));
    }
    assert_eq!(find_preset("standard"), Some(STANDARD));
    assert_eq!(find_preset("atlantis"), None);
}

#[test]
fn the_standard_limits_every_duty() {
    let limits = [
        (Duty::Accept, "2h"),
        (Duty::Dispatch, "2h"),
        (Duty::Sign, "1h"),
        (Duty::SignWhistle, "1h"),
        (Duty::Handle, "5wd"),
        (Duty::Contact, "24h"),
        (Duty::Arrive, "3wd"),
        (Duty::FeedBack, "7wd"),
        (Duty::Release, "24h"),
        (Duty::Rate, "3wd"),
        (Duty::Verify, "24h"),
        (Duty::CallBack, "24h"),
        (Duty::Close, "24h"),
        (Duty::Confirm, "4h"),
        (Duty::Decide, "8wh"),
        (Duty::Arbitrate, "8wh"),
        (Duty::Coordinate, "2wd"),
        (Duty::Rule, "3wd"),
        (Duty::AnswerSupervision, "1wd"),
    ];
    // A standstill is as long as was requested.
    assert_eq!(limits.len(), Duty::ALL.iter().filter(|duty| duty.has_limit()).count());
    for (duty, limit) in limits {
        check_limit("standard", duty, leave_query, limit);
    }
    check_limit("standard", Duty::Handle, with_urgency(Urgency::Urgent), "24h");
    check_limit("standard", Duty::Handle, with_urgency(Urgency::Critical), "2h");
    check_limit("standard", Duty::Arrive, with_rank("advance"), "3wd");
    check_limit("standard", Duty::Arrive, with_rank("hard"), "5wd");
}

#[test]
fn nanjing_counts_by_rank_of_whistle() {
    check_limit("nanjing-gulou", Duty::SignWhistle, leave_query, "1h");
    check_limit("nanjing-gulou", Duty::Contact, leave_query, "24h");
    check_limit("nanjing-gulou", Duty::Arrive, with_rank("advance"), "3wd");
    check_limit("nanjing-gulou", Duty::Arrive, with_rank("hard"), "5wd");
}

#[test]
fn beijing_dispatches_by_emergency_and_utility() {
    let name = "beijing-2023";
    check_limit(name, Duty::Dispatch, with_urgency(Urgency::Critical), "1h");
    check_limit(name, Duty::Dispatch, leave_query, "24h");
    for utility in ["B05", "K02", "K04"] {
        let parent = CATALOGUE.get(utility).and_then(|one| one.parent.clone()).unwrap();
        let chain = [utility, parent.as_str()];
        let mut asked = Query { category: &chain, ..query(Duty::Dispatch) };
        let compiled = compile_preset(name);
        assert_eq!(compiled.find(&asked).unwrap().limit, Limit::hours(2));
        asked.urgency = Urgency::Critical;
        assert_eq!(compiled.find(&asked).unwrap().limit, Limit::hours(1));
    }
}

#[test]
fn beijing_responds_in_four_levels() {
    let name = "beijing-four-level";
    check_limit(name, Duty::Handle, with_urgency(Urgency::Critical), "2h");
    check_limit(name, Duty::Handle, |query| query.category = &["B05", "B"], "24h");
    check_limit(name, Duty::Handle, |query| query.category = &["K02", "K"], "24h");
    check_limit(name, Duty::Handle, |query| query.category = &["K04", "K"], "24h");
    check_limit(name, Duty::Handle, with_complexity(Complexity::Simple), "7d");
    check_limit(name, Duty::Handle, with_complexity(Complexity::Complex), "15d");
    let both = |query: &mut Query<'_>| {
        query.category = &["B05", "B"];
        query.complexity = Some(Complexity::Complex);
    };
    check_limit(name, Duty::Handle, both, "24h");
}

#[test]
fn daning_counts_by_demand() {
    let name = "shanghai-daning";
    let limits = [
        (Demand::Consultation, "1wd"),
        (Demand::Suggestion, "1wd"),
        (Demand::Supervision, "3wd"),
        (Demand::Review, "3wd"),
        (Demand::Help, "5wd"),
        (Demand::Complaint, "5wd"),
    ];
    for (kind, limit) in limits {
        check_limit(name, Duty::Handle, with_demand(kind), limit);
        let complex = |query: &mut Query<'_>| {
            query.demand = Some(kind);
            query.complexity = Some(Complexity::Complex);
        };
        check_limit(name, Duty::Handle, complex, "15wd");
    }
    check_limit(name, Duty::Handle, with_complexity(Complexity::Complex), "15wd");
    let urgent = |query: &mut Query<'_>| {
        query.demand = Some(Demand::Complaint);
        query.urgency = Urgency::Urgent;
    };
    check_limit(name, Duty::Handle, urgent, "24h");
}

#[test]
fn xiayang_gives_less_for_the_second_handling() {
    check_limit("shanghai-xiayang", Duty::Contact, leave_query, "1wd");
    check_limit("shanghai-xiayang", Duty::Handle, leave_query, "5wd");
    check_limit("shanghai-xiayang", Duty::Handle, |query| query.redo = true, "3wd");
}

#[test]
fn bengbu_counts_by_channel() {
    let by = |channel, urgency| {
        move |query: &mut Query<'_>| {
            query.channel = Some(channel);
            query.urgency = urgency;
        }
    };
    check_limit("bengbu", Duty::Sign, leave_query, "1wd");
    check_limit("bengbu", Duty::Handle, by(Channel::Hotline, Urgency::Normal), "5wd");
    check_limit("bengbu", Duty::Handle, by(Channel::Resident, Urgency::Normal), "3wd");
    check_limit("bengbu", Duty::FeedBack, by(Channel::Hotline, Urgency::Urgent), "20min");
    check_limit("bengbu", Duty::FeedBack, by(Channel::Hotline, Urgency::Critical), "10min");
}

#[test]
fn qinglong_counts_natural_days_by_demand() {
    check_limit("qinglong", Duty::Sign, leave_query, "2h");
    let limits = [
        (Demand::Consultation, "1d"),
        (Demand::Help, "5d"),
        (Demand::Suggestion, "5d"),
        (Demand::TipOff, "10d"),
        (Demand::Complaint, "10d"),
    ];
    for (kind, limit) in limits {
        check_limit("qinglong", Duty::Handle, with_demand(kind), limit);
    }
}

#[test]
fn the_others_say_one_thing_each() {
    check_limit("jinan", Duty::Handle, leave_query, "5wd");
    check_limit("pinggu-emergency", Duty::Arrive, leave_query, "30min");
    check_limit("pinggu-emergency", Duty::Arrive, with_rank("advance"), "30min");
    check_limit("pinggu-emergency", Duty::Arrive, with_rank("hard"), "30min");
    check_limit("shenzhen", Duty::Dispatch, with_urgency(Urgency::Urgent), "30min");
    check_limit("shenzhen", Duty::Dispatch, with_urgency(Urgency::Critical), "30min");
    check_limit("shenzhen", Duty::Dispatch, leave_query, "2h");
    check_limit(
        "yangzhou-guangling",
        Duty::Handle,
        with_complexity(Complexity::Simple),
        "same_day",
    );
    check_limit("yangzhou-guangling", Duty::Handle, with_complexity(Complexity::Complex), "10wd");
}

/// The conditions of a row in Chinese.
fn describe_conditions(row: &Row) -> String {
    let category = row.category.as_deref().map(|code| CATALOGUE.get(code).unwrap().name.clone());
    let rank = row
        .rank
        .as_deref()
        .map(|code| RANKS.iter().find(|(known, _)| *known == code).map_or("?", |(_, label)| label));
    let all: Vec<String> = [
        row.channel.map(|one| format!("渠道={}", one.label())),
        row.demand.map(|one| format!("诉求={}", one.label())),
        category.map(|name| format!("类别={name}")),
        row.urgency.map(|one| format!("紧急程度={}", one.label())),
        row.complexity.map(|one| format!("难易={}", one.label())),
        rank.map(|label| format!("哨级={label}")),
        row.redo.map(|redo| (if redo { "二次办理" } else { "首次办理" }).to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect();
    if all.is_empty() { "其余".to_owned() } else { all.join(" ") }
}

fn describe_limit(limit: Limit) -> String {
    if limit.unit == LimitUnit::SameDay {
        return limit.unit.label().to_owned();
    }
    format!("{} {}", limit.amount, limit.unit.label())
}

/// A table in readable form.
fn render_table(matrix: &Matrix) -> String {
    let mut rows = vec![row(["编号", "环节", "条件", "时限", "依据"])];
    rows.extend(matrix.rows.iter().map(|one| {
        let (duty, conditions, limit) =
            (one.duty.label(), describe_conditions(one), describe_limit(one.limit));
        row([&one.id, duty, &conditions, &limit, &one.basis])
    }));
    align_rows(&rows)
}

#[test]
fn the_presets_are_committed() {
    let mut text = format!("standard 默认时限\n\n{}", render_table(&parse_matrix(STANDARD)));
    for preset in PRESETS {
        write!(text, "\n\n{} {} {}\n\n", preset.name, preset.place, preset.title).unwrap();
        text.push_str(&render_table(&parse_matrix(preset.text)));
        for remark in preset.remarks {
            writeln!(text, "* {remark}").unwrap();
        }
    }
    check_snapshot("presets.txt", &text);
}
