//! Where random histories come from: dice, people, and what they ask.

use domain::{
    actor::{Actor, Role},
    area::AreaKind,
    case::{
        Callback, Case, Command, Satisfaction,
        lifecycle::{Verb, possible, possible_steps},
        whistle::{Act, Call, Rating, Score, Topic},
    },
    coordinate::Point,
    id::AreaId,
};
use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngSeed, TestRunner},
};

use super::world::{
    CITY, COMMUNITY, DISTRICT, DISTRICT_BESIDE, GRID, GRID_NEXT, MARKET, SQUAD, STREET, URBAN,
    actor, all_areas, almighty, everything, morning, prose,
};

/// Small chance out of one number: where to turn next.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap();
        usize::try_from(self.roll() % limit).unwrap()
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    pub(crate) fn maybe(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A point near the spot with all the digits a conversion leaves behind.
    pub(crate) fn point(&mut self) -> Point {
        let mut part = || f64::from(u32::try_from(self.roll() >> 32).unwrap()) / 3.0e11;
        Point { lng: 118.7 + part(), lat: 32.0 + part() }
    }

    pub(crate) fn text(&mut self) -> domain::text::Prose {
        prose(self.pick(&[
            "好",
            "油烟扰民😷\n<b>第三次</b>",
            "\"引号\" \\ 与 \u{2028} 行",
            "e\u{301}",
        ]))
    }
}

/// The people of the walk: one hat, two hats, all hats, and the wrong district.
pub(crate) fn cast() -> Vec<Actor> {
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
        almighty(17),
        everything(15, DISTRICT_BESIDE),
    ];
    let mut expired = almighty(18);
    expired.grants.iter_mut().for_each(|grant| grant.until = Some(morning()));
    cast.push(expired);
    cast
}

/// Something that fits the stage.
pub(crate) fn sensible_command(case: &Case, dice: &mut Dice) -> Command {
    let all = possible(case.stage.name());
    let useful = |verb: &Verb| *verb != Verb::Join && (*verb != Verb::Comment || dice.maybe(10));
    let verbs: Vec<Verb> = all.into_iter().filter(useful).collect();
    let verb = if verbs.is_empty() { Verb::Comment } else { dice.pick(&verbs) };
    // A whistle is long; what a street holds is mostly whistled about, so that some end.
    let street = verb == Verb::Dispatch && case.holder.kind == AreaKind::Street;
    let verb = if street && dice.maybe(70) { Verb::Whistle } else { verb };
    let below = [GRID, GRID_NEXT, COMMUNITY, SQUAD];
    if verb == Verb::Dispatch {
        Command::Dispatch { unit: dice.pick(&below), note: None }
    } else if verb == Verb::Whistle {
        let others = dice.pick(&[vec![], vec![MARKET], vec![MARKET, SQUAD]]);
        whistle(dice, URBAN, others)
    } else if let (Verb::Summons, Some(whistle)) = (verb, case.stage.whistle()) {
        let summons = dice.pick(&whistle.summonses);
        let verb = dice.pick(&possible_steps(summons.step.name()));
        let acts: Vec<Act> = acts(dice).into_iter().filter(|act| act.verb() == verb).collect();
        Command::Summons { unit: summons.unit.id, act: dice.pick(&acts) }
    } else {
        command(verb, dice)
    }
}

/// Something that may not.
pub(crate) fn any_command(dice: &mut Dice) -> Command {
    let verbs: Vec<Verb> = Verb::ALL.iter().filter(|verb| **verb != Verb::Join).copied().collect();
    let verb = dice.pick(&verbs);
    command(verb, dice)
}

fn whistle(dice: &mut Dice, lead: AreaId, cooperating: Vec<AreaId>) -> Command {
    Command::Whistle(Call { topic: dice.pick(Topic::ALL), reason: dice.text(), lead, cooperating })
}

fn acts(dice: &mut Dice) -> Vec<Act> {
    let mut score = || Score::try_from(u8::try_from(1 + dice.below(5)).unwrap()).unwrap();
    let rating = Rating { response: score(), quality: score(), comment: None };
    let note = || Some(prose("到了"));
    vec![
        Act::Sign,
        Act::Contact { note: note() },
        Act::Arrive { point: Some(dice.point()), note: note() },
        Act::Arrive { point: None, note: None },
        Act::FeedBack { result: dice.text() },
        Act::SendBack { reason: dice.text() },
        Act::Release,
        Act::Rate { rating },
    ]
}

/// A command with arguments of any kind.
fn command(verb: Verb, dice: &mut Dice) -> Command {
    let area = dice.pick(&all_areas());
    let text = dice.text();
    let note = dice.maybe(50).then(|| text.clone());
    match verb {
        Verb::Escalate => Command::Escalate { reason: text },
        Verb::Dispatch => Command::Dispatch { unit: area, note },
        Verb::Whistle => {
            let others = (0..dice.below(4)).map(|_| dice.pick(&all_areas())).collect();
            whistle(dice, area, others)
        }
        Verb::Sign => Command::Sign,
        Verb::Start => Command::Start,
        Verb::Return => Command::Return { reason: text },
        Verb::FeedBack => Command::FeedBack { result: text },
        Verb::Summons => {
            let all = acts(dice);
            Command::Summons {
                unit: dice.pick(&[URBAN, MARKET, SQUAD, area]),
                act: dice.pick(&all),
            }
        }
        Verb::Verify => {
            let point = dice.maybe(50).then(|| dice.point());
            Command::Verify { passed: dice.maybe(60), note, point }
        }
        Verb::CallBack => {
            let reached = dice.maybe(50);
            let answered = if dice.maybe(90) { reached } else { !reached };
            Command::CallBack(Callback {
                reached,
                solved: answered.then(|| dice.maybe(60)),
                satisfied: answered.then(|| dice.pick(Satisfaction::ALL)),
                comment: note,
            })
        }
        Verb::Close => Command::Close { note },
        Verb::Reopen => Command::Reopen { reason: text },
        Verb::Join | Verb::Comment => Command::Comment { text },
    }
}

/// The same walks every time, unless the environment asks for others.
pub(crate) fn runner(cases: u32) -> TestRunner {
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
pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<(u64, i64)>> {
    let gap = prop_oneof![
        1 => Just(0_i64),
        6 => 1..90_i64,
        2 => 90..6_000_i64,
        1 => 6_000..40_000_i64,
    ];
    proptest::collection::vec((any::<u64>(), gap), 1..most)
}
