//! Generators of random histories: dice, people, and their commands.

use chrono::Duration;
use domain::{
    Instant,
    area::{coordinate::Point, tree::AreaKind},
    calendar::limit::Limit,
    core::{id::AreaId, text::Code},
    flows::case::{
        Callback, Command, Satisfaction,
        lifecycle::{Verb, keeps_stage, possible_summons_verbs, possible_verbs},
        state::{ApprovalSubject, Case, Trigger},
        whistle::{Call, Rating, Score, SummonsCommand},
    },
    people::actor::{Actor, Role},
    rules::{
        admission::Admissions,
        obligation::Duty,
        rulebook::{Extending, Rules, Suspending},
        sampling::{Percent, Sampling},
        vocabulary::SupervisionKind,
    },
};
use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngSeed, TestRunner},
};

use std::sync::LazyLock;

use super::{
    script::blow_whistle,
    world::{
        CITY, COMMUNITY, DISTRICT, DISTRICT_BESIDE, GRID, GRID_NEXT, MARKET, SQUAD, STREET,
        TRAFFIC, URBAN, actor, all_areas, almighty, almighty_in, morning, prose, with_conduct,
    },
};

/// The rules of three tenants: the shipped ones, hasty ones, and strict ones. Counts are small, so
/// that every counted thing happens.
pub(crate) static TENANTS: LazyLock<[&'static Rules; 3]> = LazyLock::new(|| {
    let hasty = with_conduct(|conduct| {
        (conduct.returns, conduct.reworks, conduct.appeal_days) = (1, 0, 5);
        (conduct.claim_minutes, conduct.redo_dissatisfied) = (20, false);
        conduct.callback = Sampling { percent: Percent::saturating_from(50) };
        conduct.extension = Extending { times: 1, most: Limit::working_days(10), approvals: 0 };
        conduct.suspension = Suspending { times: 2, days: 30, approvals: 0 };
        conduct.verify_before_filing = true;
    });
    let strict = with_conduct(|conduct| {
        (conduct.returns, conduct.reworks) = (0, 1);
        conduct.extension = Extending { times: 2, most: Limit::working_days(5), approvals: 2 };
        conduct.suspension = Suspending { times: 1, days: 60, approvals: 2 };
    });
    let mut strict = strict.clone();
    strict.admissions.value = Admissions { enforced: true, ..Admissions::standard() };
    [with_conduct(|_| {}), hasty, Box::leak(Box::new(strict))]
});

/// A small random generator from one number.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn roll_below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap();
        usize::try_from(self.roll() % limit).unwrap()
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll_below(of.len())].clone()
    }

    pub(crate) fn roll_percent(&mut self, percent: usize) -> bool {
        self.roll_below(100) < percent
    }

    /// A point near the spot with all the digits that a conversion leaves behind.
    pub(crate) fn any_point(&mut self) -> Point {
        let mut part = || f64::from(u32::try_from(self.roll() >> 32).unwrap()) / 3.0e11;
        Point { lng: 118.7 + part(), lat: 32.0 + part() }
    }

    pub(crate) fn any_text(&mut self) -> domain::core::text::Prose {
        prose(self.pick(&[
            "好",
            "油烟扰民😷\n<b>第三次</b>",
            "\"引号\" \\ 与 \u{2028} 行",
            "e\u{301}",
        ]))
    }
}

/// The people of the random histories: with one role, with two, with all, and in the wrong
/// district.
pub(crate) fn new_cast() -> Vec<Actor> {
    let two_hats = [(Role::GridWorker, GRID), (Role::DepartmentOfficer, URBAN)];
    let mut cast = vec![
        actor(1, "王网格", &[(Role::GridWorker, GRID)]),
        actor(2, "赵网格", &[(Role::GridWorker, GRID_NEXT)]),
        actor(3, "柳社区", &[(Role::CommunityOfficer, COMMUNITY)]),
        actor(4, "钱调度", &[(Role::StreetDispatcher, STREET)]),
        actor(5, "孙主任", &[(Role::StreetLeader, STREET)]),
        actor(6, "李城管", &[(Role::DepartmentOfficer, URBAN)]),
        actor(7, "周市监", &[(Role::DepartmentOfficer, MARKET)]),
        actor(8, "吴执法", &[(Role::DepartmentOfficer, SQUAD)]),
        actor(9, "郑指挥", &[(Role::DistrictDispatcher, DISTRICT)]),
        actor(10, "冯回访", &[(Role::Hotline, CITY)]),
        actor(11, "陈居民", &[(Role::Resident, CITY)]),
        actor(12, "褚居民", &[(Role::Resident, CITY)]),
        actor(13, "卫两职", &two_hats),
        actor(14, "蒋管理", &[(Role::Administrator, CITY)]),
        actor(16, "沈陌生", &[]),
        actor(19, "何书记", &[(Role::StreetLeader, STREET)]),
        actor(20, "吕交通", &[(Role::DepartmentOfficer, TRAFFIC)]),
        almighty(17),
        almighty_in(15, DISTRICT_BESIDE),
    ];
    let mut expired = almighty(18);
    expired.grants.iter_mut().for_each(|grant| grant.until = Some(morning()));
    cast.push(expired);
    cast
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most commands need nothing to be there")]
fn is_useful(verb: Verb, case: &Case) -> bool {
    match verb {
        Verb::Join | Verb::Unjoin => false,
        Verb::Decide | Verb::Withdraw => !case.asks.is_empty(),
        Verb::Reply => case.supervisions.iter().any(|one| one.reply.is_none()),
        Verb::Resume => case.standstill.is_some(),
        Verb::Appeal => case.breaches.iter().any(|breach| !breach.appealed),
        _ => true,
    }
}

/// A command that fits the stage.
pub(crate) fn sensible_command(case: &Case, at: Instant, dice: &mut Dice) -> Command {
    let stage = case.stage.name();
    let all = possible_verbs(stage);
    let (aside, on): (Vec<Verb>, Vec<Verb>) = all
        .iter()
        .filter(|verb| is_useful(**verb, case))
        .partition(|verb| keeps_stage(stage, **verb));
    let verb =
        if on.is_empty() || dice.roll_percent(20) { dice.pick(&aside) } else { dice.pick(&on) };
    let verb = if case.asks.is_empty() || dice.roll_percent(50) { verb } else { Verb::Decide };
    if case.standstill.is_some() && dice.roll_percent(20) {
        return build_command(Verb::Resume, Some(case), at, dice);
    }
    // A whistle is long; the street mostly uses whistles, so that some of them end.
    let street = verb == Verb::Dispatch && case.holder.kind == AreaKind::Street;
    let verb = if street && dice.roll_percent(70) { Verb::Whistle } else { verb };
    // Otherwise it would never end.
    let verb = if verb == Verb::CallOff && dice.roll_percent(90) { Verb::Summons } else { verb };
    let below = [GRID, GRID_NEXT, COMMUNITY, SQUAD];
    if verb == Verb::Dispatch {
        Command::Dispatch { unit: dice.pick(&below), note: None }
    } else if verb == Verb::Arbitrate {
        Command::Arbitrate { unit: dice.pick(&[URBAN, GRID, SQUAD]), reason: dice.any_text() }
    } else if verb == Verb::Whistle {
        let others = dice.pick(&[vec![], vec![MARKET], vec![MARKET, SQUAD]]);
        blow_whistle(dice.pick(&["advance", "hard", "urgent"]), URBAN, &others)
    } else if let (Verb::Summons, Some(whistle)) = (verb, case.stage.whistle()) {
        let summons = dice.pick(&whistle.summonses);
        let verbs = possible_summons_verbs(summons.step.name());
        let acts: Vec<SummonsCommand> =
            build_acts(dice).into_iter().filter(|act| verbs.contains(&act.verb())).collect();
        let acts = if acts.is_empty() { vec![SummonsCommand::Sign] } else { acts };
        Command::Summons { unit: summons.unit.id, act: dice.pick(&acts) }
    } else {
        build_command(verb, Some(case), at, dice)
    }
}

/// A command that may not fit.
pub(crate) fn any_command(at: Instant, dice: &mut Dice) -> Command {
    let intake = |verb: &&Verb| !matches!(verb, Verb::Join | Verb::Unjoin);
    let verbs: Vec<Verb> = Verb::ALL.iter().filter(intake).copied().collect();
    let verb = dice.pick(&verbs);
    build_command(verb, None, at, dice)
}

fn build_acts(dice: &mut Dice) -> Vec<SummonsCommand> {
    let mut score = || Score::try_from(u8::try_from(1 + dice.roll_below(5)).unwrap()).unwrap();
    let rating = Rating { response: score(), quality: score(), comment: None };
    let note = || Some(prose("到了"));
    let ruling =
        |upheld, replacement| SummonsCommand::Rule { upheld, replacement, reason: prose("裁定") };
    vec![
        SummonsCommand::Sign,
        SummonsCommand::Contact { note: note() },
        SummonsCommand::Arrive { point: Some(dice.any_point()), note: note() },
        SummonsCommand::Arrive { point: None, note: None },
        SummonsCommand::FeedBack { result: dice.any_text() },
        SummonsCommand::SendBack { reason: dice.any_text() },
        SummonsCommand::Release,
        SummonsCommand::Rate { rating: rating.clone() },
        SummonsCommand::RateStreet { rating },
        SummonsCommand::Contest { reason: dice.any_text() },
        ruling(true, None),
        ruling(false, None),
        ruling(false, Some(dice.pick(&[TRAFFIC, SQUAD, MARKET]))),
    ]
}

/// An approval request; for a whistle where there is no other subject.
#[expect(clippy::wildcard_enum_match_arm, reason = "only four commands ask")]
fn build_wish(verb: Verb, case: Option<&Case>, at: Instant, dice: &mut Dice) -> Command {
    let limits = [Limit::hours(4), Limit::working_days(3), Limit::working_days(8), Limit::days(90)];
    let wish = match verb {
        Verb::Extend => {
            let duties = [None, Some(Duty::Sign), Some(Duty::Handle), Some(Duty::Contact)];
            ApprovalSubject::Extension { duty: dice.pick(&duties), limit: dice.pick(&limits) }
        }
        Verb::Suspend => ApprovalSubject::Suspension {
            until: at + Duration::hours(dice.pick(&[-1, 30, 200, 600, 9_000])),
        },
        Verb::Appeal => {
            let known = case.iter().flat_map(|case| &case.breaches).map(|breach| breach.no);
            let mut known: Vec<i64> = known.collect();
            known.push(77);
            ApprovalSubject::Appeal { breach: dice.pick(&known) }
        }
        _ => {
            let call = Call {
                rank: Code::try_from(dice.pick(&["advance", "hard", "soft"])).unwrap(),
                topic: Code::try_from(dice.pick(&["emergency", "key_work", "weather"])).unwrap(),
                repeats: Vec::new(),
                reason: dice.any_text(),
                lead: dice.pick(&all_areas()),
                cooperating: (0..dice.roll_below(4)).map(|_| dice.pick(&all_areas())).collect(),
            };
            ApprovalSubject::Whistle { call: Box::new(call) }
        }
    };
    Command::Ask { wish, reason: dice.any_text() }
}

/// The number of an open request or supervision, or a wrong one.
fn pick_number(numbers: impl Iterator<Item = i64>, dice: &mut Dice) -> i64 {
    let mut all: Vec<i64> = numbers.collect();
    if all.is_empty() || dice.roll_percent(5) {
        all.push(99_999);
    }
    dice.pick(&all)
}

/// A command with arguments of any kind.
fn build_command(verb: Verb, case: Option<&Case>, at: Instant, dice: &mut Dice) -> Command {
    let area = dice.pick(&all_areas());
    let text = dice.any_text();
    let note = dice.roll_percent(50).then(|| text.clone());
    match verb {
        Verb::Escalate => Command::Escalate { reason: text },
        Verb::Dispatch => Command::Dispatch { unit: area, note },
        Verb::Whistle | Verb::Extend | Verb::Suspend | Verb::Appeal => {
            build_wish(verb, case, at, dice)
        }
        Verb::Sign => Command::Sign,
        Verb::Start => Command::Start,
        Verb::Return => {
            Command::Return { reason: text, proposed: dice.roll_percent(80).then_some(area) }
        }
        Verb::FeedBack => Command::FeedBack { result: text },
        Verb::Summons => {
            let all = build_acts(dice);
            Command::Summons {
                unit: dice.pick(&[URBAN, MARKET, SQUAD, area]),
                act: dice.pick(&all),
            }
        }
        Verb::Claim => Command::Claim,
        Verb::Unclaim => Command::Unclaim { to: None },
        Verb::Verify => {
            let point = dice.roll_percent(50).then(|| dice.any_point());
            Command::Verify { passed: dice.roll_percent(60), note, point }
        }
        Verb::CallBack => {
            let reached = dice.roll_percent(50);
            let answered = if dice.roll_percent(90) { reached } else { !reached };
            Command::CallBack(Callback {
                reached,
                solved: answered.then(|| dice.roll_percent(60)),
                satisfied: answered.then(|| dice.pick(Satisfaction::ALL)),
                comment: note,
                report: None,
            })
        }
        Verb::Close => Command::Close { note },
        Verb::Reopen => Command::Reopen { reason: text },
        Verb::Arbitrate => Command::Arbitrate { unit: area, reason: text },
        Verb::Rule => Command::Rule { again: dice.roll_percent(50), reason: text },
        Verb::CallOff => Command::CallOff { reason: text },
        Verb::Raise => Command::Raise { reason: text },
        Verb::Coordinate => Command::Coordinate { note: text },
        Verb::Resume => Command::Resume { reason: text },
        Verb::Decide => {
            let no = pick_number(case.iter().flat_map(|case| &case.asks).map(|ask| ask.no), dice);
            Command::Decide { no, agree: dice.roll_percent(80), note }
        }
        Verb::Withdraw => {
            let no = pick_number(case.iter().flat_map(|case| &case.asks).map(|ask| ask.no), dice);
            Command::Withdraw { no }
        }
        Verb::Supervise => {
            let units: Vec<AreaId> =
                case.map_or(vec![area], |case| case.units.iter().map(|unit| unit.id).collect());
            Command::Supervise {
                kind: dice.pick(SupervisionKind::ALL),
                trigger: dice.pick(Trigger::ALL),
                unit: if units.is_empty() { area } else { dice.pick(&units) },
                reason: text,
            }
        }
        Verb::Reply => {
            let no =
                pick_number(case.iter().flat_map(|case| &case.supervisions).map(|s| s.no), dice);
            Command::Reply { no, text }
        }
        Verb::Join | Verb::Unjoin | Verb::Comment => Command::Comment { text },
    }
}

/// The same random cases every time, unless the environment asks for others.
pub(crate) fn new_runner(cases: u32) -> TestRunner {
    let mut config = Config::default();
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_260_424);
    }
    if config.cases == 256 {
        config.cases = cases;
    }
    config.failure_persistence = None;
    TestRunner::new(config)
}

/// Seeds of steps, and the minutes between them.
pub(crate) fn any_steps(most: usize) -> impl Strategy<Value = Vec<(u64, i64)>> {
    let gap = prop_oneof![
        1 => Just(0_i64),
        6 => 1..90_i64,
        2 => 90..6_000_i64,
        1 => 6_000..40_000_i64,
    ];
    proptest::collection::vec((any::<u64>(), gap), 1..most)
}
