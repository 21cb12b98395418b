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
            state::{ApprovalSubject, Case, Reporter, Trigger},
            whistle::{Call, Rating, Score, SummonsCommand},
        },
        change::Change,
        flow::Flow as _,
    },
    people::actor::Actor,
    rules::{
        obligation::{Duty, Obligation},
        place::{Place, ReportDetails},
        refusal::Refusal,
        rulebook::Rules,
        sampling::{Percent, Sampling},
        vocabulary::{Channel, SupervisionKind, Urgency},
    },
};
use uuid::Uuid;

use super::world::{
    COMMUNITY, Chain, GRID, MARKET, SQUAD, STREET, TRAFFIC, URBAN, WORLD, almighty, line, minutes,
    morning, person_id, prose, system, unit, with_conduct,
};

/// The position of the phone.
pub(crate) const SPOT: Point = Point { lng: 118.796_877, lat: 32.060_255 };

/// The reporter; has no grant at all.
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
        matter: ReportDetails {
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
        person: person_id(REPORTER),
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
    /// A filed case, held by this area.
    pub(crate) fn held_by(holder: AreaId) -> Self {
        Self::with_rules(&WORLD.rules, holder)
    }

    /// The same under other rules.
    pub(crate) fn with_rules(rules: &'static Rules, holder: AreaId) -> Self {
        let script = Self { chain: Chain::with_rules(rules), at: morning() };
        script.then(&almighty(OTHER), &Command::Open(Box::new(opening(holder))))
    }

    pub(crate) fn case(&self) -> &Case {
        self.chain.state()
    }

    /// The first obligation of this duty.
    pub(crate) fn first_obligation(&self, duty: Duty) -> Obligation {
        let owed = self.case().obligations();
        let found = owed.iter().find(|owed| owed.duty == duty);
        found.unwrap_or_else(|| panic!("{duty:?} is not owed: {owed:?}")).clone()
    }

    /// Whether any obligation of this duty is open.
    pub(crate) fn has_obligation(&self, duty: Duty) -> bool {
        self.case().obligations().iter().any(|owed| owed.duty == duty)
    }

    /// The change that a command would make; nothing is written.
    pub(crate) fn try_command(&self, by: u128, command: &Command) -> Result<Change<Case>, Refusal> {
        self.chain.try_command(&almighty(by), self.at, command)
    }

    /// The refusal that a command would get.
    pub(crate) fn expect_refusal(&self, by: u128, command: &Command) -> Refusal {
        match self.try_command(by, command) {
            Ok(change) => panic!("{command:?} led to {:?}", change.state.stage),
            Err(refusal) => refusal,
        }
    }

    /// Waits until this moment.
    pub(crate) fn wait_until(mut self, at: Instant) -> Self {
        assert!(at >= self.at, "time runs on");
        self.at = at;
        self
    }

    /// Gives a command now, without ten minutes passing.
    pub(crate) fn act_now(mut self, by: &Actor, command: &Command) -> (Self, Change<Case>) {
        let change = match self.chain.try_command(by, self.at, command) {
            Ok(change) => change,
            Err(refusal) => panic!("{command:?} was refused: {refusal:?}"),
        };
        self.chain.commit(&change);
        (self, change)
    }

    /// Takes the next measure about the first debt of this duty, when it is time.
    pub(crate) fn lapse_duty(self, duty: Duty) -> (Self, Vec<Event>) {
        let owed = self.first_obligation(duty);
        let next = owed.term.next_at.expect("another measure");
        let at = next.max(self.at);
        let (script, change) = self.wait_until(at).act_now(&system(), &lapse(&owed));
        (script, events(&change))
    }

    /// Gives a command ten minutes later; fails when it is refused.
    pub(crate) fn run_command(&mut self, by: &Actor, command: &Command) -> Change<Case> {
        self.at += minutes(10);
        let change = match self.chain.try_command(by, self.at, command) {
            Ok(change) => change,
            Err(refusal) => panic!("{command:?} was refused: {refusal:?}"),
        };
        self.chain.commit(&change);
        change
    }

    pub(crate) fn then(mut self, by: &Actor, command: &Command) -> Self {
        self.run_command(by, command);
        self
    }

    /// Gives a command as the worker.
    pub(crate) fn then_worker(self, command: &Command) -> Self {
        self.then(&almighty(WORKER), command)
    }

    /// Gives a command as the other person.
    pub(crate) fn then_other(self, command: &Command) -> Self {
        self.then(&almighty(OTHER), command)
    }

    pub(crate) fn then_acts(self, unit: AreaId, acts: &[SummonsCommand]) -> Self {
        let summons = |act: &SummonsCommand| Command::Summons { unit, act: act.clone() };
        acts.iter().fold(self, |script, act| script.then_worker(&summons(act)))
    }

    /// Lets some days pass.
    pub(crate) fn wait_days(mut self, days: i64) -> Self {
        self.at += Duration::days(days);
        self
    }

    pub(crate) fn until_filed() -> Self {
        Self::held_by(COMMUNITY)
    }

    pub(crate) fn until_dispatched() -> Self {
        Self::until_filed().then_other(&dispatch(GRID))
    }

    pub(crate) fn until_signed() -> Self {
        Self::until_dispatched().then_worker(&Command::Sign)
    }

    pub(crate) fn until_handling() -> Self {
        Self::until_signed().then_worker(&Command::Start)
    }

    pub(crate) fn fed_back() -> Self {
        Self::until_handling().then_worker(&feed_back())
    }

    pub(crate) fn until_verified() -> Self {
        Self::fed_back().then_other(&verify(true))
    }

    pub(crate) fn until_answered() -> Self {
        Self::until_verified().then_other(&answer(true))
    }

    pub(crate) fn until_closed() -> Self {
        Self::until_answered().then_other(&close())
    }

    pub(crate) fn until_whistled() -> Self {
        Self::held_by(STREET).then_other(&whistle(URBAN, &[MARKET]))
    }

    /// The co-operating department is released, the lead was waiting for it.
    pub(crate) fn almost_over() -> Self {
        Self::until_whistled()
            .then_acts(
                MARKET,
                &[SummonsCommand::Sign, arrive(), report_back(), SummonsCommand::Release],
            )
            .then_acts(URBAN, &[SummonsCommand::Sign, arrive(), report_back()])
    }

    pub(crate) fn whistle_over() -> Self {
        Self::almost_over().then_acts(URBAN, &[SummonsCommand::Release])
    }

    pub(crate) fn whistle_verified() -> Self {
        Self::whistle_over().then_other(&verify(true))
    }

    pub(crate) fn whistle_closed() -> Self {
        Self::whistle_verified().then_other(&answer(true)).then_other(&close())
    }

    /// Returned so often that an arbiter has to assign it.
    pub(crate) fn until_disputed() -> Self {
        Self::returned_twice().then_worker(&give_back())
    }

    /// One more return is too many.
    pub(crate) fn returned_twice() -> Self {
        let again = |script: Self| script.then_worker(&give_back()).then_other(&dispatch(GRID));
        again(again(Self::until_dispatched()))
    }

    /// Assigned for good by the arbiter.
    pub(crate) fn until_appointed() -> Self {
        Self::until_disputed().then_other(&arbitrate(URBAN))
    }

    /// With so much rework that an arbiter has to rule.
    pub(crate) fn until_ruling() -> Self {
        Self::until_reworked().then_other(&verify(false))
    }

    /// One more rework is too much.
    pub(crate) fn until_reworked() -> Self {
        let again = |script: Self| script.then_other(&verify(false)).then_worker(&feed_back());
        again(again(Self::fed_back()))
    }

    /// Under rules without callbacks.
    pub(crate) fn without_callback() -> Self {
        let rules = with_conduct(|conduct| {
            conduct.callback = Sampling { percent: Percent::saturating_from(0) }
        });
        let script = Self::with_rules(rules, COMMUNITY).then_other(&dispatch(GRID));
        script.then_worker(&Command::Sign).then_worker(&feed_back())
    }

    /// The same after a whistle.
    pub(crate) fn whistle_ruling() -> Self {
        let again = |script: Self| {
            script
                .then_acts(URBAN, &[report_back(), SummonsCommand::Release])
                .then_other(&verify(false))
        };
        again(again(Self::whistle_over().then_other(&verify(false))))
    }

    /// The co-operating department says that it is not responsible.
    pub(crate) fn until_contested() -> Self {
        Self::until_whistled().then_acts(MARKET, &[contest()])
    }

    /// The lead was excused, another department leads.
    pub(crate) fn until_lead_replaced() -> Self {
        Self::until_whistled().then_acts(URBAN, &[contest(), excuse(Some(TRAFFIC))])
    }

    /// The district was asked to coordinate.
    pub(crate) fn until_raised() -> Self {
        Self::until_whistled().then_other(&raise())
    }

    /// Two signatures for a whistle are still missing.
    pub(crate) fn until_signatures_asked() -> Self {
        Self::held_by(STREET).then_worker(&hard_whistle(URBAN, &[MARKET]))
    }

    /// It stands still for twenty days.
    pub(crate) fn until_suspended(self) -> Self {
        let until = self.at + Duration::days(20);
        let asked = self.then_worker(&suspend(until));
        let no = asked.last_ask_no();
        asked.then_other(&decide(no, true)).then(&almighty(THIRD), &decide(no, true))
    }

    /// The number of the last open request.
    pub(crate) fn last_ask_no(&self) -> i64 {
        self.case().asks.last().expect("a question that waits").no
    }

    /// Something is late, and an answer is owed about it.
    pub(crate) fn until_overdue(self) -> Option<Self> {
        let duty = self.case().obligations().first()?.duty;
        Some((0..3).fold(self, |script, _| script.lapse_duty(duty).0))
    }

    /// Everything that can go on beside the stage: a breach that is appealed against, an answer
    /// that is owed, a second report.
    pub(crate) fn until_burdened(self) -> Option<Self> {
        let script = self.until_overdue()?;
        let no = script.case().breaches.first()?.no;
        let script = script.then_worker(&appeal(no));
        if script.case().closed_at().is_some() {
            return Some(script);
        }
        Some(script.then_other(&Command::Join { reporter: reporter(1) }))
    }

    pub(crate) fn on_the_spot() -> Self {
        let opening = Opening { handled: Some(prose("已当场清理")), ..opening(COMMUNITY) };
        let script = Self { chain: Chain::default(), at: morning() };
        script.then_worker(&Command::Open(Box::new(opening)))
    }

    /// Every stage on every path that leads there.
    pub(crate) fn all_stages() -> Vec<(&'static str, Self)> {
        let missed = |script: Self| script.then_other(&miss_callback());
        vec![
            ("filed with a community", Self::until_filed()),
            ("filed with a street", Self::until_filed().then_other(&escalate())),
            ("returned", Self::until_dispatched().then_worker(&give_back())),
            ("reopened", Self::until_closed().then_other(&reopen())),
            ("dispatched", Self::until_dispatched()),
            ("signed", Self::until_signed()),
            ("handling", Self::until_handling()),
            ("handling again", Self::fed_back().then_other(&verify(false))),
            ("returned twice and dispatched", Self::returned_twice()),
            ("returned twice and signed", Self::returned_twice().then_worker(&Command::Sign)),
            (
                "returned twice and handling",
                Self::returned_twice().then_worker(&Command::Sign).then_worker(&Command::Start),
            ),
            ("disputed", Self::until_disputed()),
            ("appointed", Self::until_appointed()),
            ("handled again twice", Self::until_reworked()),
            ("verified at last", Self::until_reworked().then_other(&verify(true))),
            ("never called back", Self::without_callback()),
            ("ruling", Self::until_ruling()),
            ("ruling after a whistle", Self::whistle_ruling()),
            ("two signatures missing", Self::until_signatures_asked()),
            ("one signature missing", Self::until_signatures_asked().then_other(&decide(2, true))),
            ("dispatched and suspended", Self::until_dispatched().until_suspended()),
            ("signed and suspended", Self::until_signed().until_suspended()),
            ("handling and suspended", Self::until_handling().until_suspended()),
            ("whistled and suspended", Self::until_whistled().until_suspended()),
            ("contested", Self::until_contested()),
            ("another lead", Self::until_lead_replaced()),
            ("raised", Self::until_raised()),
            ("whistled", Self::until_whistled()),
            (
                "a department signed",
                Self::until_whistled().then_acts(MARKET, &[SummonsCommand::Sign]),
            ),
            (
                "a department arrived",
                Self::until_whistled().then_acts(MARKET, &[SummonsCommand::Sign, arrive()]),
            ),
            ("one department left", Self::almost_over()),
            ("whistled again", Self::whistle_over().then_other(&verify(false))),
            ("fed back", Self::fed_back()),
            ("fed back and claimed", Self::fed_back().then_other(&Command::Claim)),
            ("fed back by departments", Self::whistle_over()),
            ("verified", Self::until_verified()),
            ("verified after a whistle", Self::whistle_verified()),
            ("missed twice", missed(missed(Self::until_verified()))),
            ("answered", Self::until_answered()),
            ("answered after a whistle", Self::whistle_verified().then_other(&answer(true))),
            ("missed three times", missed(missed(missed(Self::until_verified())))),
            ("closed", Self::until_closed()),
            ("closed after a whistle", Self::whistle_closed()),
            (
                "closed unanswered",
                missed(missed(missed(Self::until_verified()))).then_other(&close()),
            ),
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
    blow_whistle("advance", lead, cooperating)
}

/// The rank that needs two signatures.
pub(crate) fn hard_whistle(lead: AreaId, cooperating: &[AreaId]) -> Command {
    blow_whistle("hard", lead, cooperating)
}

pub(crate) fn blow_whistle(rank: &str, lead: AreaId, cooperating: &[AreaId]) -> Command {
    let call = Call {
        rank: Code::try_from(rank).unwrap(),
        topic: Code::try_from("joint_enforcement").unwrap(),
        repeats: Vec::new(),
        reason: prose("需多部门联合执法"),
        lead,
        cooperating: cooperating.to_vec(),
    };
    wish(ApprovalSubject::Whistle { call: Box::new(call) })
}

pub(crate) fn wish(wish: ApprovalSubject) -> Command {
    Command::Ask { wish, reason: prose("雨季无法施工") }
}

pub(crate) fn extend(limit: Limit) -> Command {
    wish(ApprovalSubject::Extension { duty: None, limit })
}

/// More time for one duty.
pub(crate) fn extend_one(duty: Duty, limit: Limit) -> Command {
    wish(ApprovalSubject::Extension { duty: Some(duty), limit })
}

pub(crate) fn suspend(until: Instant) -> Command {
    wish(ApprovalSubject::Suspension { until })
}

pub(crate) fn appeal(breach: i64) -> Command {
    wish(ApprovalSubject::Appeal { breach })
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

pub(crate) fn contest() -> SummonsCommand {
    SummonsCommand::Contest { reason: prose("不属本部门职责") }
}

pub(crate) fn uphold() -> SummonsCommand {
    SummonsCommand::Rule { upheld: true, replacement: None, reason: prose("属本部门") }
}

pub(crate) fn excuse(replacement: Option<AreaId>) -> SummonsCommand {
    SummonsCommand::Rule { upheld: false, replacement, reason: prose("不属本部门") }
}

/// The next measure about a debt.
pub(crate) fn lapse(owed: &Obligation) -> Command {
    Command::Lapse { duty: owed.duty, unit: owed.owed_by.id, term: owed.term.no }
}

/// The events of a change.
pub(crate) fn events(change: &Change<Case>) -> Vec<Event> {
    serde_json::from_str(&change.entry.events).unwrap()
}

pub(crate) fn give_back() -> Command {
    give_back_to(Some(URBAN))
}

/// Returns the case, with or without a proposed unit.
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

/// Solved, but dissatisfied.
pub(crate) fn answer_dissatisfied() -> Command {
    let (solved, satisfied) = (Some(true), Some(Satisfaction::Dissatisfied));
    Command::CallBack(Callback { reached: true, solved, satisfied, comment: None, report: None })
}

pub(crate) fn miss_callback() -> Command {
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

pub(crate) fn arrive() -> SummonsCommand {
    SummonsCommand::Arrive { point: Some(SPOT), note: None }
}

pub(crate) fn report_back() -> SummonsCommand {
    SummonsCommand::FeedBack { result: prose("已责令整改") }
}

pub(crate) fn send_back() -> SummonsCommand {
    SummonsCommand::SendBack { reason: prose("仍有油污") }
}

pub(crate) fn rate() -> SummonsCommand {
    let score = |n| Score::try_from(n).unwrap();
    SummonsCommand::Rate { rating: Rating { response: score(5), quality: score(3), comment: None } }
}

pub(crate) fn rate_street() -> SummonsCommand {
    let score = |n| Score::try_from(n).unwrap();
    SummonsCommand::RateStreet {
        rating: Rating { response: score(2), quality: score(4), comment: None },
    }
}

/// One of each command for a summons.
pub(crate) fn all_acts() -> Vec<SummonsCommand> {
    let contact = SummonsCommand::Contact { note: Some(prose("已电话联系街道")) };
    vec![
        SummonsCommand::Sign,
        contact,
        arrive(),
        report_back(),
        send_back(),
        SummonsCommand::Release,
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
