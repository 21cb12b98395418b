//! Households (户): the people who are visited. Personal data about them is in no journal and no
//! state: it is sealed under a key of the household and one of each member, so that one member can
//! be erased and the others stay. The state has the address up to the building, the number of
//! people, and who looks after them (一户一专人、十联户、结对包保).

mod decide;
mod disclosure;
mod event;

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    area::tree::Unit,
    core::{
        id::{HouseholdId, PersonId},
        journal::FlowKind,
        labelled_enum::labelled_enum,
        text::{Code, Line},
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
    },
    people::actor::{Actor, Permission},
    rules::{obligation::Obligation, refusal::Refusal},
};
pub use event::{Command, Event, NewHousehold, NewPairing, Update};

labelled_enum! {
    /// The special-care groups to which a member of a household may belong. Membership is personal:
    /// it is sealed.
    SpecialGroup {
        /// Old people who live alone (独居老人).
        ElderlyAlone = "elderly_alone", "独居老人";
        /// Old people whose children live elsewhere (空巢老人).
        EmptyNest = "empty_nest", "空巢老人";
        /// People aged 80 and older (高龄老人).
        AdvancedAge = "advanced_age", "高龄老人";
        /// People who cannot or can only partly look after themselves (失能、半失能老人).
        Disabling = "disabling", "失能老人";
        /// People with a disability (残疾人).
        Disabled = "disabled", "残疾人";
        /// Patients with a severe mental disorder (严重精神障碍患者).
        SevereMentalDisorder = "severe_mental_disorder", "严重精神障碍患者";
        /// Recipients of the minimum living allowance (低保对象).
        MinimumLiving = "minimum_living", "低保对象";
        /// Families just above that allowance (低保边缘家庭).
        LowIncome = "low_income", "低保边缘";
        /// People in extreme poverty whom the state supports (特困供养人员).
        ExtremePoverty = "extreme_poverty", "特困人员";
        /// Children in difficulty (困境儿童).
        ChildInDifficulty = "child_in_difficulty", "困境儿童";
        /// Children whom their parents left behind (留守儿童).
        LeftBehindChild = "left_behind_child", "留守儿童";
        /// Patients with a severe illness (重病患者).
        SevereIllness = "severe_illness", "重病患者";
        /// Parents who lost their only child, or whose only child is disabled (计划生育特殊家庭).
        BereavedParents = "bereaved_parents", "计生特殊家庭";
        /// Veterans and people entitled to preferential care (退役军人和优抚对象).
        Veteran = "veteran", "退役军人及优抚对象";
        /// People released from prison (刑满释放人员), with help to settle back in (帮教).
        Released = "released", "刑满释放人员";
        /// Offenders in community correction (社区矫正对象).
        Correction = "correction", "社区矫正对象";
        /// People in drug rehabilitation in the community (社区戒毒康复人员).
        Rehabilitation = "rehabilitation", "社区戒毒康复人员";
        /// People who have difficulty finding work (失业困难人员).
        Unemployed = "unemployed", "就业困难人员";
    }
}

labelled_enum! {
    /// How a person is responsible for a household.
    PairingKind {
        /// The grid worker dedicated to this household.
        Worker = "worker", "一户一专人";
        /// A party member who keeps contact with it.
        PartyMember = "party_member", "党员联户";
        /// A cadre who answers for it.
        Cadre = "cadre", "干部包保";
        /// The leader of its group of ten.
        GroupLeader = "group_leader", "联户长";
        /// A volunteer who keeps contact.
        Volunteer = "volunteer", "志愿者结对";
    }
}

labelled_enum! {
    /// Whether the household is registered.
    Standing {
        /// It lives there.
        Present = "present", "在册";
        /// It moved away; its history stays on record.
        Gone = "gone", "已迁出";
        /// Its data was erased.
        Erased = "erased", "已删除";
    }
}

labelled_enum! {
    /// The commands for a household that exists.
    Verb {
        /// Changes its data.
        Update = "update", "更新";
        /// Makes a person responsible for it.
        Pair = "pair", "结对";
        /// Ends the pairing with a person.
        Unpair = "unpair", "解除结对";
        /// Fills in a form about it.
        Answer = "answer", "填表";
        /// Records that it moved away.
        Leave = "leave", "迁出";
        /// Registers it again.
        Return = "return", "恢复在册";
        /// Erases its data.
        Erase = "erase", "删除个人信息";
    }
}

/// Where each verb leads from each state; what is not listed is refused.
pub const MOVES: &[(Standing, Verb, Standing)] = &[
    (Standing::Present, Verb::Update, Standing::Present),
    (Standing::Present, Verb::Pair, Standing::Present),
    (Standing::Present, Verb::Unpair, Standing::Present),
    (Standing::Present, Verb::Answer, Standing::Present),
    (Standing::Present, Verb::Leave, Standing::Gone),
    (Standing::Present, Verb::Erase, Standing::Erased),
    (Standing::Gone, Verb::Return, Standing::Present),
    (Standing::Gone, Verb::Erase, Standing::Erased),
    // Possible again: what was answered while the first erasure ran is reached by the second.
    (Standing::Erased, Verb::Erase, Standing::Erased),
];

/// The commands possible in a state.
pub fn possible_commands(standing: Standing) -> Vec<&'static str> {
    MoveTable::of(MOVES).verbs_in(standing).map(Verb::name).collect()
}

/// A group of ten households (十联户).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its code within the grid.
    pub code: Code,
    /// Its name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
}

/// A member of the household; the member's data is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// The identity under which the data is sealed.
    pub id: Uuid,
    /// The person's identity as a user, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
}

/// The responsibility of a person for the household.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pairing {
    /// The person who is responsible.
    pub person: PersonId,
    /// In what way the person is responsible.
    pub kind: PairingKind,
    /// When it begins, inclusive.
    pub from: Instant,
    /// When it ends; without it, when it is ended by a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Instant>,
}

impl Pairing {
    /// Whether it is in force at this moment.
    pub fn is_active_at(&self, at: Instant) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// A household at one address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Household {
    /// Its identity, given at its registration.
    pub id: HouseholdId,
    /// Its human-readable number.
    pub number: String,
    /// The grid it lies in, as it was when that was set.
    pub area: Unit,
    /// The building; unit, floor and room are sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<Line>,
    /// The group of ten it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The number of people who live there, known by name or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
    /// The members known by name.
    pub members: Vec<Member>,
    /// Whether a member belongs to a special-care group.
    pub special: bool,
    /// The pairings: who is responsible for it.
    pub pairings: Vec<Pairing>,
    /// Whether it is registered.
    pub standing: Standing,
    /// When it was registered.
    pub registered_at: Instant,
}

impl Household {
    /// The most members known by name.
    pub const MAX_MEMBERS: usize = 30;
    /// The most people who are responsible for one household.
    pub const MAX_PAIRINGS: usize = 20;
    /// The most people who live in one household.
    pub const MAX_SIZE: u16 = 200;

    /// Whether this actor may know of it: over its grid, or in an office and paired with it. People
    /// outside the administration know of none.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        actor.may(Permission::ReadHouseholds, &self.area.path, at) || self.is_paired_with(actor, at)
    }

    /// Whether this actor is paired with it now and holds an office.
    pub fn is_paired_with(&self, actor: &Actor, at: Instant) -> bool {
        let office = || actor.grants.iter().any(|g| g.holds_at(at) && !g.role.is_outsider());
        self.pairings.iter().any(|one| one.person == actor.person && one.is_active_at(at))
            && office()
    }

    /// Refuses unless this actor may change it: over its grid, or paired with it.
    pub fn require_permission(
        &self,
        permission: Permission,
        cx: &Context<'_>,
    ) -> Result<(), Refusal> {
        if self.is_paired_with(cx.by, cx.at) {
            return Ok(());
        }
        cx.require_permission(permission, &self.area.path, &self.area.name)
    }

    /// Refuses unless this actor may see its data unmasked.
    pub fn require_disclosure(&self, cx: &Context<'_>) -> Result<(), Refusal> {
        self.require_permission(Permission::DiscloseHouseholds, cx)
    }

    /// The person who is asked first to visit it.
    pub fn find_visitor(&self, at: Instant) -> Option<PersonId> {
        let order = [PairingKind::Worker, PairingKind::Cadre, PairingKind::PartyMember];
        order.into_iter().find_map(|kind| {
            let mut holding = self.pairings.iter().filter(|one| one.is_active_at(at));
            holding.find(|one| one.kind == kind).map(|one| one.person)
        })
    }

    /// The members who are users.
    pub fn persons(&self) -> BTreeSet<PersonId> {
        self.members.iter().filter_map(|member| member.person).collect()
    }

    /// Its place, without personal data.
    pub fn place(&self) -> String {
        match &self.building {
            Some(building) => format!("{} {}", self.area.name, building.as_str()),
            None => self.area.name.clone(),
        }
    }
}

/// Whether a person with this date of birth is a child whose data is kept only with the consent of
/// a guardian (个人信息保护法 Art. 31): under 14.
pub fn is_child(birth: NaiveDate, today: NaiveDate) -> bool {
    const YEARS: i32 = 14;
    let had_birthday = (today.month(), today.day()) >= (birth.month(), birth.day());
    today.year() - birth.year() - i32::from(!had_birthday) < YEARS
}

impl Lifecycle for Household {
    const NAME: &'static str = Self::KIND.name();
    type Stage = Standing;
    type Verb = Verb;
    type To = Standing;
    type Command = Command;
    const MOVES: MoveTable<Standing, Verb> = MoveTable::of(MOVES);

    fn stage(&self) -> Standing {
        self.standing
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Register(_) => CommandKind::Begins("register"),
            Command::Update(_) => CommandKind::Moves(Verb::Update),
            Command::Pair { .. } => CommandKind::Moves(Verb::Pair),
            Command::Unpair { .. } => CommandKind::Moves(Verb::Unpair),
            Command::Answer { .. } => CommandKind::Moves(Verb::Answer),
            Command::Leave => CommandKind::Moves(Verb::Leave),
            Command::Return => CommandKind::Moves(Verb::Return),
            Command::Erase { .. } => CommandKind::Moves(Verb::Erase),
        }
    }
}

impl Flow for Household {
    const KIND: FlowKind = FlowKind::Household;
    const NAMES: (&'static str, &'static str) = ("这户", "household");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[("register", "登记")];
    type Event = Event;

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Register(new) = command else { return Err(refuse_unasked::<Self>(command)) };
        decide::register_household(new, cx)
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        decide::decide_existing(self, command, cx)
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        event::evolve(state, event)
    }

    fn obligations(&self) -> Vec<Obligation> {
        Vec::new()
    }

    fn fulfils(_: &Event, _: &Obligation) -> bool {
        false
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}
