//! Cases in every stage, made by real commands of people who may give them.

use chrono::Duration;
use domain::{
    Instant,
    actor::Actor,
    case::{
        Callback, Case, Command, Opening, Reporter, Satisfaction,
        whistle::{Act, Call, Rating, Score, Topic},
    },
    change::Change,
    coordinate::{CoordType, Point, RawPoint},
    id::{AreaId, CaseId, ReportId},
    place::{Matter, Place},
    rules::Urgency,
};
use uuid::Uuid;

use super::world::{
    COMMUNITY, Chain, GRID, MARKET, SQUAD, STREET, URBAN, almighty, line, minutes, morning, person,
    prose, unit,
};

/// Where the phone stood.
pub(crate) const SPOT: Point = Point { lng: 118.796_877, lat: 32.060_255 };

/// Who reported; has no grant at all.
pub(crate) const REPORTER: u128 = 900;
/// Does all the work in the scripts.
pub(crate) const WORKER: u128 = 901;
/// Does everything the worker may not: verifies, calls back, closes.
pub(crate) const OTHER: u128 = 902;

pub(crate) fn opening(holder: AreaId) -> Opening {
    let point = RawPoint { lng: SPOT.lng, lat: SPOT.lat, coord_type: CoordType::Wgs84 };
    Opening {
        id: CaseId(Uuid::from_u128(0xCA5E)),
        matter: Matter {
            title: line("油烟扰民"),
            text: prose("楼下餐馆油烟扰民，第三次反映。\n请尽快处理。"),
            category: None,
            urgency: Urgency::Normal,
        },
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
    Reporter { report: ReportId(Uuid::from_u128(0x4E00 + n)), person: person(REPORTER) }
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
        let script = Self { chain: Chain::default(), at: morning() };
        script.then(&almighty(OTHER), &Command::Open(Box::new(opening(holder))))
    }

    pub(crate) fn case(&self) -> &Case {
        self.chain.state()
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
            ("whistled", Self::whistled()),
            ("one department left", Self::almost_over()),
            ("whistled again", Self::whistle_over().other(&verify(false))),
            ("fed back", Self::fed_back()),
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
    let (topic, reason) = (Topic::JointEnforcement, prose("需多部门联合执法"));
    Command::Whistle(Call { topic, reason, lead, cooperating: cooperating.to_vec() })
}

pub(crate) fn give_back() -> Command {
    Command::Return { reason: prose("不属本单位职责") }
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
    Command::CallBack(Callback { reached: true, solved, satisfied, comment })
}

pub(crate) fn unreached() -> Command {
    Command::CallBack(Callback { reached: false, solved: None, satisfied: None, comment: None })
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

/// One of each act.
pub(crate) fn acts() -> Vec<Act> {
    let contact = Act::Contact { note: Some(prose("已电话联系街道")) };
    vec![Act::Sign, contact, arrive(), report_back(), send_back(), Act::Release, rate()]
}

/// Departments that can be summoned by the street.
pub(crate) const SUMMONABLE: [AreaId; 3] = [URBAN, MARKET, SQUAD];
