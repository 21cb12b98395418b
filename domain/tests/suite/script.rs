//! Cases in every stage, made by real commands of people who may give them.

use chrono::Duration;
use domain::{
    Instant,
    area::coordinate::{CoordType, Point, RawPoint},
    calendar::limit::Limit,
    core::{
        id::{AreaId, CaseId, ReportId},
        text::Code,
    },
    flows::{
        case::{
            Callback, Command, Event, Opening, Satisfaction,
            state::{Case, Reporter, Trigger, Wish},
            whistle::{Act, Call, Rating, Score},
        },
        change::Change,
        flow::Flow as _,
    },
    people::actor::Actor,
    rules::{
        obligation::{Duty, Obligation},
        place::{Matter, Place},
        refusal::Refusal,
        rulebook::Rules,
        sampling::{Percent, Sampling},
        vocabulary::{Channel, SupervisionKind, Urgency},
    },
};
use uuid::Uuid;

use super::world::{
    COMMUNITY, Chain, GRID, MARKET, SQUAD, STREET, TRAFFIC, URBAN, WORLD, almighty, conduct, line,
    minutes, morning, person, prose, system, unit,
};

/// Where the phone stood.
pub(crate) const SPOT: Point = Point { lng: 118.796_877, lat: 32.060_255 };

/// Who reported; has no grant at all.
pub(crate) const REPORTER: u128 = 900;
/// Does all the work in the scripts.
pub(crate) const WORKER: u128 = 901;
/// Does everything the worker may not: verifies, calls back, closes.
pub(crate) const OTHER: u128 = 902;
/// Gives the second of two signatures.
pub(crate) const THIRD: u128 = 903;

pub(crate) fn opening(holder: AreaId) -> Opening {
    let point = RawPoint { lng: SPOT.lng, lat: SPOT.lat, coord_type: CoordType::Wgs84 };
    Opening {
        id: CaseId(Uuid::from_u128(0xCA5E)),
        matter: Matter {
            title: line("油烟扰民"),
            text: prose("楼下餐馆油烟扰民，第三次反映。\n请尽快处理。"),
            category: None,
            urgency: Urgency::Normal,
            demand: None,
            complexity: None,
        },
        channel: Channel::Worker,
        place: Place {
            area: unit(GRID),
            point: Some(SPOT),
            raw: Some(point),
            address: Some(line("柳岸路 3 号")),
        },
        holder: unit(holder),
        reporter: reporter(0),
        handled: None,
    }
}

/// Report number `n` of the resident who reported.
pub(crate) fn reporter(n: u128) -> Reporter {
    Reporter {
        report: ReportId(Uuid::from_u128(0x4E00 + n)),
        person: person(REPORTER),
        in_office: false,
    }
}

/// A case with its journal and its clock.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) chain: Chain<Case>,
    pub(crate) at: Instant,
}

impl Script {
    /// Filed, held by this area.
    pub(crate) fn held_by(holder: AreaId) -> Self {
        Self::begun(&WORLD.rules, holder)
    }

    /// The same by other rules.
    pub(crate) fn begun(rules: &'static Rules, holder: AreaId) -> Self {
        let script = Self { chain: Chain::under(rules), at: morning() };
        script.then(&almighty(OTHER), &Command::Open(Box::new(opening(holder))))
    }

    pub(crate) fn case(&self) -> &Case {
        self.chain.state()
    }

    /// What is owed of this kind; the first of several.
    pub(crate) fn owed(&self, duty: Duty) -> Obligation {
        let owed = self.case().obligations();
        let found = owed.iter().find(|owed| owed.duty == duty);
        found.unwrap_or_else(|| panic!("{duty:?} is not owed: {owed:?}")).clone()
    }

    /// Whether anything of this kind is owed.
    pub(crate) fn owes(&self, duty: Duty) -> bool {
        self.case().obligations().iter().any(|owed| owed.duty == duty)
    }

    /// What would happen now; nothing is written.
    pub(crate) fn ask(&self, by: u128, command: &Command) -> Result<Change<Case>, Refusal> {
        self.chain.ask(&almighty(by), self.at, command)
    }

    /// Why it would be refused now.
    pub(crate) fn refusal(&self, by: u128, command: &Command) -> Refusal {
        match self.ask(by, command) {
            Ok(change) => panic!("{command:?} led to {:?}", change.state.stage),
            Err(refusal) => refusal,
        }
    }

    /// Waits until this moment.
    pub(crate) fn until(mut self, at: Instant) -> Self {
        assert!(at >= self.at, "time runs on");
        self.at = at;
        self
    }

    /// Now, without ten minutes passing.
    pub(crate) fn now(mut self, by: &Actor, command: &Command) -> (Self, Change<Case>) {
        let change = match self.chain.ask(by, self.at, command) {
            Ok(change) => change,
            Err(refusal) => panic!("{command:?} was refused: {refusal:?}"),
        };
        self.chain.commit(&change);
        (self, change)
    }

    /// The next measure about the first debt of this kind, when it is time.
    pub(crate) fn lapses(self, duty: Duty) -> (Self, Vec<Event>) {
        let owed = self.owed(duty);
        let next = owed.term.next_at.expect("another measure");
        let at = next.max(self.at);
        let (script, change) = self.until(at).now(&system(), &lapse(&owed));
        (script, events(&change))
    }

    /// Ten minutes later; fails when it is refused.
    pub(crate) fn act(&mut self, by: &Actor, command: &Command) -> Change<Case> {
        self.at += minutes(10);
        let change = match self.chain.ask(by, self.at, command) {
            Ok(change) => change,
            Err(refusal) => panic!("{command:?} was refused: {refusal:?}"),
        };
        self.chain.commit(&change);
        change
    }

    pub(crate) fn then(mut self, by: &Actor, command: &Command) -> Self {
        self.act(by, command);
        self
    }

    /// By the worker.
    pub(crate) fn works(self, command: &Command) -> Self {
        self.then(&almighty(WORKER), command)
    }

    /// By somebody else.
    pub(crate) fn other(self, command: &Command) -> Self {
        self.then(&almighty(OTHER), command)
    }

    pub(crate) fn steps(self, unit: AreaId, acts: &[Act]) -> Self {
        let summons = |act: &Act| Command::Summons { unit, act: act.clone() };
        acts.iter().fold(self, |script, act| script.works(&summons(act)))
    }

    /// Some days pass.
    pub(crate) fn later(mut self, days: i64) -> Self {
        self.at += Duration::days(days);
        self
    }

    pub(crate) fn filed() -> Self {
        Self::held_by(COMMUNITY)
    }

    pub(crate) fn dispatched() -> Self {
        Self::filed().other(&dispatch(GRID))
    }

    pub(crate) fn signed() -> Self {
        Self::dispatched().works(&Command::Sign)
    }

    pub(crate) fn handling() -> Self {
        Self::signed().works(&Command::Start)
    }

    pub(crate) fn fed_back() -> Self {
        Self::handling().works(&feed_back())
    }

    pub(crate) fn verified() -> Self {
        Self::fed_back().other(&verify(true))
    }

    pub(crate) fn answered() -> Self {
        Self::verified().other(&answer(true))
    }

    pub(crate) fn closed() -> Self {
        Self::answered().other(&close())
    }

    pub(crate) fn whistled() -> Self {
        Self::held_by(STREET).other(&whistle(URBAN, &[MARKET]))
    }

    /// The co-operating department released, the lead waiting for it.
    pub(crate) fn almost_over() -> Self {
        Self::whistled()
            .steps(MARKET, &[Act::Sign, arrive(), report_back(), Act::Release])
            .steps(URBAN, &[Act::Sign, arrive(), report_back()])
    }

    pub(crate) fn whistle_over() -> Self {
        Self::almost_over().steps(URBAN, &[Act::Release])
    }

    pub(crate) fn whistle_verified() -> Self {
        Self::whistle_over().other(&verify(true))
    }

    pub(crate) fn whistle_closed() -> Self {
        Self::whistle_verified().other(&answer(true)).other(&close())
    }

    /// Given back so often that an arbiter has to say whose it is.
    pub(crate) fn disputed() -> Self {
        Self::returned_twice().works(&give_back())
    }

    /// One more return is one too many.
    pub(crate) fn returned_twice() -> Self {
        let again = |script: Self| script.works(&give_back()).other(&dispatch(GRID));
        again(again(Self::dispatched()))
    }

    /// Given by the arbiter to whom it is for good.
    pub(crate) fn appointed() -> Self {
        Self::disputed().other(&arbitrate(URBAN))
    }

    /// Handled so often in vain that somebody above has to rule.
    pub(crate) fn ruling() -> Self {
        Self::reworked().other(&verify(false))
    }

    /// Once more in vain is once too often.
    pub(crate) fn reworked() -> Self {
        let again = |script: Self| script.other(&verify(false)).works(&feed_back());
        again(again(Self::fed_back()))
    }

    /// Nobody is called back here.
    pub(crate) fn unsampled() -> Self {
        let rules = conduct(|conduct| conduct.callback = Sampling { percent: Percent::of(0) });
        let script = Self::begun(rules, COMMUNITY).other(&dispatch(GRID));
        script.works(&Command::Sign).works(&feed_back())
    }

    /// The same after a whistle.
    pub(crate) fn whistle_ruling() -> Self {
        let again = |script: Self| {
            script.steps(URBAN, &[report_back(), Act::Release]).other(&verify(false))
        };
        again(again(Self::whistle_over().other(&verify(false))))
    }

    /// The co-operating department says that it is not its own.
    pub(crate) fn contested() -> Self {
        Self::whistled().steps(MARKET, &[contest()])
    }

    /// The lead was let off, another leads.
    pub(crate) fn replaced() -> Self {
        Self::whistled().steps(URBAN, &[contest(), excuse(Some(TRAFFIC))])
    }

    /// The district was asked to coordinate.
    pub(crate) fn raised() -> Self {
        Self::whistled().other(&raise())
    }

    /// Two signatures are still to be given under a whistle.
    pub(crate) fn unsigned() -> Self {
        Self::held_by(STREET).works(&hard_whistle(URBAN, &[MARKET]))
    }

    /// It stands still for twenty days.
    pub(crate) fn suspended(self) -> Self {
        let until = self.at + Duration::days(20);
        let asked = self.works(&suspend(until));
        let no = asked.pending();
        asked.other(&decide(no, true)).then(&almighty(THIRD), &decide(no, true))
    }

    /// The number of the last question that is not decided.
    pub(crate) fn pending(&self) -> i64 {
        self.case().asks.last().expect("a question that waits").no
    }

    /// Something is late, and an answer is owed about it.
    pub(crate) fn overdue(self) -> Option<Self> {
        let duty = self.case().obligations().first()?.duty;
        Some((0..3).fold(self, |script, _| script.lapses(duty).0))
    }

    /// Whatever can go on beside: a debt that was late and is appealed against, an answer that is
    /// owed, a second report.
    pub(crate) fn burdened(self) -> Option<Self> {
        let script = self.overdue()?;
        let no = script.case().breaches.first()?.no;
        let script = script.works(&appeal(no));
        if script.case().closed_at().is_some() {
            return Some(script);
        }
        Some(script.other(&Command::Join { reporter: reporter(1) }))
    }

    pub(crate) fn on_the_spot() -> Self {
        let opening = Opening { handled: Some(prose("已当场清理")), ..opening(COMMUNITY) };
        let script = Self { chain: Chain::default(), at: morning() };
        script.works(&Command::Open(Box::new(opening)))
    }

    /// Every stage by every way that leads there.
    pub(crate) fn all() -> Vec<(&'static str, Self)> {
        let missed = |script: Self| script.other(&unreached());
        vec![
            ("filed with a community", Self::filed()),
            ("filed with a street", Self::filed().other(&escalate())),
            ("returned", Self::dispatched().works(&give_back())),
            ("reopened", Self::closed().other(&reopen())),
            ("dispatched", Self::dispatched()),
            ("signed", Self::signed()),
            ("handling", Self::handling()),
            ("handling again", Self::fed_back().other(&verify(false))),
            ("returned twice and dispatched", Self::returned_twice()),
            ("returned twice and signed", Self::returned_twice().works(&Command::Sign)),
            (
                "returned twice and handling",
                Self::returned_twice().works(&Command::Sign).works(&Command::Start),
            ),
            ("disputed", Self::disputed()),
            ("appointed", Self::appointed()),
            ("handled again twice", Self::reworked()),
            ("verified at last", Self::reworked().other(&verify(true))),
            ("never called back", Self::unsampled()),
            ("ruling", Self::ruling()),
            ("ruling after a whistle", Self::whistle_ruling()),
            ("two signatures missing", Self::unsigned()),
            ("one signature missing", Self::unsigned().other(&decide(2, true))),
            ("dispatched and suspended", Self::dispatched().suspended()),
            ("signed and suspended", Self::signed().suspended()),
            ("handling and suspended", Self::handling().suspended()),
            ("whistled and suspended", Self::whistled().suspended()),
            ("contested", Self::contested()),
            ("another lead", Self::replaced()),
            ("raised", Self::raised()),
            ("whistled", Self::whistled()),
            ("a department signed", Self::whistled().steps(MARKET, &[Act::Sign])),
            ("a department arrived", Self::whistled().steps(MARKET, &[Act::Sign, arrive()])),
            ("one department left", Self::almost_over()),
            ("whistled again", Self::whistle_over().other(&verify(false))),
            ("fed back", Self::fed_back()),
            ("fed back and claimed", Self::fed_back().other(&Command::Claim)),
            ("fed back by departments", Self::whistle_over()),
            ("verified", Self::verified()),
            ("verified after a whistle", Self::whistle_verified()),
            ("missed twice", missed(missed(Self::verified()))),
            ("answered", Self::answered()),
            ("answered after a whistle", Self::whistle_verified().other(&answer(true))),
            ("missed three times", missed(missed(missed(Self::verified())))),
            ("closed", Self::closed()),
            ("closed after a whistle", Self::whistle_closed()),
            ("closed unanswered", missed(missed(missed(Self::verified()))).other(&close())),
            ("closed on the spot", Self::on_the_spot()),
        ]
    }
}

pub(crate) fn escalate() -> Command {
    Command::Escalate { reason: prose("超出社区能力") }
}

pub(crate) fn dispatch(unit: AreaId) -> Command {
    Command::Dispatch { unit, note: Some(prose("请先联系居民")) }
}

pub(crate) fn whistle(lead: AreaId, cooperating: &[AreaId]) -> Command {
    blow("advance", lead, cooperating)
}

/// The rank that needs two signatures.
pub(crate) fn hard_whistle(lead: AreaId, cooperating: &[AreaId]) -> Command {
    blow("hard", lead, cooperating)
}

pub(crate) fn blow(rank: &str, lead: AreaId, cooperating: &[AreaId]) -> Command {
    let call = Call {
        rank: Code::try_from(rank).unwrap(),
        topic: Code::try_from("joint_enforcement").unwrap(),
        repeats: Vec::new(),
        reason: prose("需多部门联合执法"),
        lead,
        cooperating: cooperating.to_vec(),
    };
    wish(Wish::Whistle { call: Box::new(call) })
}

pub(crate) fn wish(wish: Wish) -> Command {
    Command::Ask { wish, reason: prose("雨季无法施工") }
}

pub(crate) fn extend(limit: Limit) -> Command {
    wish(Wish::Extension { duty: None, limit })
}

/// More time for one thing that is owed.
pub(crate) fn extend_one(duty: Duty, limit: Limit) -> Command {
    wish(Wish::Extension { duty: Some(duty), limit })
}

pub(crate) fn suspend(until: Instant) -> Command {
    wish(Wish::Suspension { until })
}

pub(crate) fn appeal(breach: i64) -> Command {
    wish(Wish::Appeal { breach })
}

pub(crate) fn decide(no: i64, agree: bool) -> Command {
    Command::Decide { no, agree, note: None }
}

pub(crate) fn withdraw(no: i64) -> Command {
    Command::Withdraw { no }
}

pub(crate) fn resume() -> Command {
    Command::Resume { reason: prose("条件已具备") }
}

pub(crate) fn supervise(kind: SupervisionKind, unit: AreaId) -> Command {
    let (trigger, reason) = (Trigger::Order, prose("请尽快办结"));
    Command::Supervise { kind, trigger, unit, reason }
}

pub(crate) fn reply(no: i64) -> Command {
    Command::Reply { no, text: prose("今日完成") }
}

pub(crate) fn arbitrate(unit: AreaId) -> Command {
    Command::Arbitrate { unit, reason: prose("属城管职责") }
}

pub(crate) fn rule(again: bool) -> Command {
    Command::Rule { again, reason: prose("三次返工") }
}

pub(crate) fn call_off() -> Command {
    Command::CallOff { reason: prose("已自行解决") }
}

pub(crate) fn raise() -> Command {
    Command::Raise { reason: prose("部门意见不一") }
}

pub(crate) fn coordinate() -> Command {
    Command::Coordinate { note: prose("由城管牵头") }
}

pub(crate) fn contest() -> Act {
    Act::Contest { reason: prose("不属本部门职责") }
}

pub(crate) fn uphold() -> Act {
    Act::Rule { upheld: true, replacement: None, reason: prose("属本部门") }
}

pub(crate) fn excuse(replacement: Option<AreaId>) -> Act {
    Act::Rule { upheld: false, replacement, reason: prose("不属本部门") }
}

/// The next measure about a debt.
pub(crate) fn lapse(owed: &Obligation) -> Command {
    Command::Lapse { duty: owed.duty, unit: owed.owed_by.id, term: owed.term.no }
}

/// What a change says happened.
pub(crate) fn events(change: &Change<Case>) -> Vec<Event> {
    serde_json::from_str(&change.entry.events).unwrap()
}

pub(crate) fn give_back() -> Command {
    give_back_to(Some(URBAN))
}

/// Given back, saying whose it is or not.
pub(crate) fn give_back_to(proposed: Option<AreaId>) -> Command {
    Command::Return { reason: prose("不属本单位职责"), proposed }
}

pub(crate) fn feed_back() -> Command {
    Command::FeedBack { result: prose("已清洗油烟机") }
}

pub(crate) fn verify(passed: bool) -> Command {
    Command::Verify { passed, note: None, point: Some(SPOT) }
}

pub(crate) fn answer(solved: bool) -> Command {
    let satisfied = if solved { Satisfaction::FairlySatisfied } else { Satisfaction::Dissatisfied };
    let comment = Some(prose("师傅很快就来了"));
    let (solved, satisfied) = (Some(solved), Some(satisfied));
    Command::CallBack(Callback { reached: true, solved, satisfied, comment, report: None })
}

/// Solved, and not content with how.
pub(crate) fn dissatisfied() -> Command {
    let (solved, satisfied) = (Some(true), Some(Satisfaction::Dissatisfied));
    Command::CallBack(Callback { reached: true, solved, satisfied, comment: None, report: None })
}

pub(crate) fn unreached() -> Command {
    Command::CallBack(Callback {
        reached: false,
        solved: None,
        satisfied: None,
        comment: None,
        report: None,
    })
}

pub(crate) fn close() -> Command {
    Command::Close { note: None }
}

pub(crate) fn reopen() -> Command {
    Command::Reopen { reason: prose("又复发了") }
}

pub(crate) fn comment() -> Command {
    Command::Comment { text: prose("周五下午集中整治") }
}

pub(crate) fn arrive() -> Act {
    Act::Arrive { point: Some(SPOT), note: None }
}

pub(crate) fn report_back() -> Act {
    Act::FeedBack { result: prose("已责令整改") }
}

pub(crate) fn send_back() -> Act {
    Act::SendBack { reason: prose("仍有油污") }
}

pub(crate) fn rate() -> Act {
    let score = |n| Score::try_from(n).unwrap();
    Act::Rate { rating: Rating { response: score(5), quality: score(3), comment: None } }
}

pub(crate) fn rate_street() -> Act {
    let score = |n| Score::try_from(n).unwrap();
    Act::RateStreet { rating: Rating { response: score(2), quality: score(4), comment: None } }
}

/// One of each act.
pub(crate) fn acts() -> Vec<Act> {
    let contact = Act::Contact { note: Some(prose("已电话联系街道")) };
    vec![
        Act::Sign,
        contact,
        arrive(),
        report_back(),
        send_back(),
        Act::Release,
        rate(),
        contest(),
        uphold(),
        excuse(None),
        excuse(Some(TRAFFIC)),
        rate_street(),
    ]
}

/// Departments that can be summoned by the street.
pub(crate) const SUMMONABLE: [AreaId; 4] = [URBAN, MARKET, SQUAD, TRAFFIC];
