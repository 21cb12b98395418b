//! What the delivered tables say, cell by cell, and the whole of them for people to read.

use std::fmt::Write as _;

use domain::{
    calendar::limit::{Limit, LimitUnit},
    rules::{
        obligation::Duty,
        sla::{Compiled, Matrix, PRESETS, Query, RANKS, Row, STANDARD, preset},
        vocabulary::{Channel, Complexity, Demand, Urgency},
    },
};

use super::{CATALOGUE, faults, known, parsed, query};
use crate::suite::table::{aligned, committed, row};

/// A preset over the standard.
fn laid(name: &str) -> Compiled {
    let matrix = parsed(preset(name).unwrap()).over(parsed(STANDARD));
    known(|known| Compiled::new(matrix, known)).unwrap()
}

/// Asserts the limit of a duty under a preset.
fn says(name: &str, duty: Duty, about: impl FnOnce(&mut Query<'_>), limit: &str) {
    let mut query = query(duty);
    about(&mut query);
    let compiled = laid(name);
    let found = compiled.find(&query).unwrap();
    assert_eq!(found.limit.to_string(), limit, "{name}: {} for {query:?}", found.id);
}

fn demand(demand: Demand) -> impl FnOnce(&mut Query<'_>) {
    move |query| query.demand = Some(demand)
}

fn complexity(complexity: Complexity) -> impl FnOnce(&mut Query<'_>) {
    move |query| query.complexity = Some(complexity)
}

fn urgency(urgency: Urgency) -> impl FnOnce(&mut Query<'_>) {
    move |query| query.urgency = urgency
}

fn rank(rank: &'static str) -> impl FnOnce(&mut Query<'_>) {
    move |query| query.rank = Some(rank)
}

fn anything(_: &mut Query<'_>) {}

#[test]
fn every_preset_over_the_standard_passes_the_check() {
    assert_eq!(PRESETS.len(), 11);
    assert_eq!(faults(&parsed(STANDARD)), []);
    for preset in PRESETS {
        let matrix = parsed(preset.text).over(parsed(STANDARD));
        let told: Vec<String> = faults(&matrix).iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}: {}", preset.name, told.join("\n"));
    }
    assert_eq!(preset("standard"), Some(STANDARD));
    assert_eq!(preset("atlantis"), None);
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
    // A standstill is as long as was asked for.
    assert_eq!(limits.len(), Duty::ALL.iter().filter(|duty| duty.limited()).count());
    for (duty, limit) in limits {
        says("standard", duty, anything, limit);
    }
    says("standard", Duty::Handle, urgency(Urgency::Urgent), "24h");
    says("standard", Duty::Handle, urgency(Urgency::Critical), "2h");
    says("standard", Duty::Arrive, rank("advance"), "3wd");
    says("standard", Duty::Arrive, rank("hard"), "5wd");
}

#[test]
fn nanjing_counts_by_rank_of_whistle() {
    says("nanjing-gulou", Duty::SignWhistle, anything, "1h");
    says("nanjing-gulou", Duty::Contact, anything, "24h");
    says("nanjing-gulou", Duty::Arrive, rank("advance"), "3wd");
    says("nanjing-gulou", Duty::Arrive, rank("hard"), "5wd");
}

#[test]
fn beijing_dispatches_by_emergency_and_utility() {
    let name = "beijing-2023";
    says(name, Duty::Dispatch, urgency(Urgency::Critical), "1h");
    says(name, Duty::Dispatch, anything, "24h");
    for utility in ["B05", "K02", "K04"] {
        let parent = CATALOGUE.get(utility).and_then(|one| one.parent.clone()).unwrap();
        let chain = [utility, parent.as_str()];
        let mut asked = Query { category: &chain, ..query(Duty::Dispatch) };
        let compiled = laid(name);
        assert_eq!(compiled.find(&asked).unwrap().limit, Limit::hours(2));
        asked.urgency = Urgency::Critical;
        assert_eq!(compiled.find(&asked).unwrap().limit, Limit::hours(1));
    }
}

#[test]
fn beijing_responds_in_four_levels() {
    let name = "beijing-four-level";
    says(name, Duty::Handle, urgency(Urgency::Critical), "2h");
    says(name, Duty::Handle, |query| query.category = &["B05", "B"], "24h");
    says(name, Duty::Handle, |query| query.category = &["K02", "K"], "24h");
    says(name, Duty::Handle, |query| query.category = &["K04", "K"], "24h");
    says(name, Duty::Handle, complexity(Complexity::Simple), "7d");
    says(name, Duty::Handle, complexity(Complexity::Complex), "15d");
    let both = |query: &mut Query<'_>| {
        query.category = &["B05", "B"];
        query.complexity = Some(Complexity::Complex);
    };
    says(name, Duty::Handle, both, "24h");
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
        says(name, Duty::Handle, demand(kind), limit);
        let complex = |query: &mut Query<'_>| {
            query.demand = Some(kind);
            query.complexity = Some(Complexity::Complex);
        };
        says(name, Duty::Handle, complex, "15wd");
    }
    says(name, Duty::Handle, complexity(Complexity::Complex), "15wd");
    let urgent = |query: &mut Query<'_>| {
        query.demand = Some(Demand::Complaint);
        query.urgency = Urgency::Urgent;
    };
    says(name, Duty::Handle, urgent, "24h");
}

#[test]
fn xiayang_gives_less_for_the_second_handling() {
    says("shanghai-xiayang", Duty::Contact, anything, "1wd");
    says("shanghai-xiayang", Duty::Handle, anything, "5wd");
    says("shanghai-xiayang", Duty::Handle, |query| query.redo = true, "3wd");
}

#[test]
fn bengbu_counts_by_channel() {
    let by = |channel, urgency| {
        move |query: &mut Query<'_>| {
            query.channel = Some(channel);
            query.urgency = urgency;
        }
    };
    says("bengbu", Duty::Sign, anything, "1wd");
    says("bengbu", Duty::Handle, by(Channel::Hotline, Urgency::Normal), "5wd");
    says("bengbu", Duty::Handle, by(Channel::Resident, Urgency::Normal), "3wd");
    says("bengbu", Duty::FeedBack, by(Channel::Hotline, Urgency::Urgent), "20min");
    says("bengbu", Duty::FeedBack, by(Channel::Hotline, Urgency::Critical), "10min");
}

#[test]
fn qinglong_counts_natural_days_by_demand() {
    says("qinglong", Duty::Sign, anything, "2h");
    let limits = [
        (Demand::Consultation, "1d"),
        (Demand::Help, "5d"),
        (Demand::Suggestion, "5d"),
        (Demand::TipOff, "10d"),
        (Demand::Complaint, "10d"),
    ];
    for (kind, limit) in limits {
        says("qinglong", Duty::Handle, demand(kind), limit);
    }
}

#[test]
fn the_others_say_one_thing_each() {
    says("jinan", Duty::Handle, anything, "5wd");
    says("pinggu-emergency", Duty::Arrive, anything, "30min");
    says("pinggu-emergency", Duty::Arrive, rank("advance"), "30min");
    says("pinggu-emergency", Duty::Arrive, rank("hard"), "30min");
    says("shenzhen", Duty::Dispatch, urgency(Urgency::Urgent), "30min");
    says("shenzhen", Duty::Dispatch, urgency(Urgency::Critical), "30min");
    says("shenzhen", Duty::Dispatch, anything, "2h");
    says("yangzhou-guangling", Duty::Handle, complexity(Complexity::Simple), "same_day");
    says("yangzhou-guangling", Duty::Handle, complexity(Complexity::Complex), "10wd");
}

/// The conditions of a row in Chinese.
fn conditions(row: &Row) -> String {
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

fn limit(limit: Limit) -> String {
    if limit.unit == LimitUnit::SameDay {
        return limit.unit.label().to_owned();
    }
    format!("{} {}", limit.amount, limit.unit.label())
}

/// A table as people read it.
fn table(matrix: &Matrix) -> String {
    let mut rows = vec![row(["编号", "环节", "条件", "时限", "依据"])];
    rows.extend(matrix.rows.iter().map(|one| {
        let (duty, conditions, limit) = (one.duty.label(), conditions(one), limit(one.limit));
        row([&one.id, duty, &conditions, &limit, &one.basis])
    }));
    aligned(&rows)
}

#[test]
fn the_presets_are_committed() {
    let mut text = format!("standard 默认时限\n\n{}", table(&parsed(STANDARD)));
    for preset in PRESETS {
        write!(text, "\n\n{} {} {}\n\n", preset.name, preset.place, preset.title).unwrap();
        text.push_str(&table(&parsed(preset.text)));
        for remark in preset.remarks {
            writeln!(text, "* {remark}").unwrap();
        }
    }
    committed("presets.txt", &text);
}
