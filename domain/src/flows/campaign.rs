//! Campaigns (敲门行动): many households are visited for one purpose within a period, each of them
//! once, from a list; the results are counted from the visits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Instant,
    area::tree::Unit,
    core::{
        disclosure::disclosed,
        id::{AreaId, CampaignId, FormId, HouseholdId, PersonId},
        journal::FlowKind,
        labelled_enum::labelled_enum,
        text::{Line, Prose},
    },
    flows::{
        flow::{Context, Flow},
        lifecycle::{CommandKind, Lifecycle, MoveTable, refuse_unasked},
        stored_event::JournalEvent,
        visit::Purpose,
    },
    people::actor::{Actor, Permission},
    rules::{
        obligation::{Duty, Obligation, Term},
        refusal::Refusal,
    },
};

labelled_enum! {
    /// The status of a campaign.
    StatusName {
        /// The list is being made.
        Draft = "draft", "准备中";
        /// Workers go from door to door.
        Running = "running", "进行中";
        /// It is over.
        Closed = "closed", "已结束";
    }
}

labelled_enum! {
    /// The commands for a campaign that exists.
    Verb {
        /// Puts households on the list.
        Assign = "assign", "分派名单";
        /// Asks the workers to go.
        Publish = "publish", "启动";
        /// Completes a grid.
        Complete = "complete", "网格完成";
        /// Ends the campaign for good.
        Close = "close", "结束";
    }
}

/// Where each verb leads from each state; what is not listed is refused.
pub const MOVES: &[(StatusName, Verb, StatusName)] = &[
    (StatusName::Draft, Verb::Assign, StatusName::Draft),
    (StatusName::Draft, Verb::Publish, StatusName::Running),
    (StatusName::Draft, Verb::Close, StatusName::Closed),
    (StatusName::Running, Verb::Assign, StatusName::Running),
    (StatusName::Running, Verb::Complete, StatusName::Running),
    (StatusName::Running, Verb::Close, StatusName::Closed),
];

/// A household on the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The grid it lay in when it was listed.
    pub grid: AreaId,
    /// The worker who is to go; without one, any worker of the grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<PersonId>,
}

/// A household to be listed, with the grid it lies in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// The household to visit.
    pub household: HouseholdId,
    /// The grid it lies in.
    pub grid: Unit,
    /// The worker who is to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<PersonId>,
}

/// A grid of the campaign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grid {
    /// The grid, as it was when a household of it was listed.
    pub unit: Unit,
    /// Its clock, while households of it are still to be visited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Term>,
}

/// A campaign of visits (敲门行动), household by household.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Campaign {
    /// Its identity, given at its creation.
    pub id: CampaignId,
    /// Its human-readable number.
    pub number: String,
    /// Its name, for people.
    pub name: Line,
    /// The purpose of all its visits.
    pub purpose: Purpose,
    /// Instructions for the workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Prose>,
    /// The area within which its households lie.
    pub area: Unit,
    /// The form to fill in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<FormId>,
    /// When it begins, inclusive.
    pub from: Instant,
    /// When it ends; visits are due by then.
    pub until: Instant,
    /// The households, once each.
    pub tasks: BTreeMap<HouseholdId, Task>,
    /// The grids they lie in.
    pub grids: Vec<Grid>,
    /// Its status at present.
    pub status: StatusName,
    /// When it was created.
    pub made_at: Instant,
    /// When workers were asked to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Instant>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Instant>,
}

/// A campaign to be created.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewCampaign {
    /// The identity it will have.
    pub id: CampaignId,
    /// Its name, for people.
    pub name: Line,
    /// The purpose of all its visits.
    pub purpose: Purpose,
    /// Instructions for the workers.
    pub text: Option<Prose>,
    /// The area within which its households lie.
    pub area: AreaId,
    /// The form to fill in.
    pub form: Option<FormId>,
    /// When it begins; without it, when it is published.
    pub from: Option<Instant>,
    /// When it ends; visits are due by then.
    pub until: Instant,
}

/// The commands for campaigns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Creates a campaign as a draft.
    Begin(Box<NewCampaign>),
    /// Puts households on the list, or gives them to another worker.
    Assign {
        /// The households and their workers.
        listed: Vec<Listed>,
    },
    /// Asks the workers to go.
    Publish,
    /// Completes a grid. Only the system gives this command.
    Complete {
        /// The grid whose households were all visited.
        grid: AreaId,
    },
    /// Ends the campaign, even with open visits.
    Close {
        /// The reason for ending now, or the result.
        note: Option<Prose>,
        /// The grids with households still to be visited, looked up by the caller.
        open: Vec<AreaId>,
    },
}

/// The events of a campaign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was created as a draft.
    Begun {
        /// Its initial state.
        campaign: Box<Campaign>,
    },
    /// Households were listed.
    Assigned {
        /// The households and their workers.
        listed: Vec<Listed>,
        /// The clock of grids that are new on the list while it runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Term>,
    },
    /// Workers were asked to go.
    Published {
        /// When it was published.
        at: Instant,
        /// The clock of every grid.
        due: Term,
    },
    /// A grid was completed.
    Completed {
        /// The grid whose households were all visited.
        grid: AreaId,
    },
    /// The campaign ended.
    Closed {
        /// When it ended.
        at: Instant,
        /// The reason, or the result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Prose>,
        /// The grids with households still to be visited.
        open: Vec<AreaId>,
    },
}

// Events of campaigns appear in no timeline and no feed.
disclosed! {
    enum Event by "event" {
        Begun { Withheld: campaign }
        Assigned { Withheld: listed, due }
        Published { Withheld: at, due }
        Completed { Withheld: grid }
        Closed { Withheld: at, note, open }
    }

    struct Campaign {
        Open: id, number, name, purpose, text, area, form, from, until, tasks, grids, status, made_at,
            published_at, closed_at;
    }

    struct Task { Open: grid, worker }
    struct Listed { Open: household, grid, worker }
    struct Grid { Open: unit, due }
}
impl JournalEvent for Event {}

impl Campaign {
    /// The most households of one campaign.
    pub const MAX_HOUSEHOLDS: usize = 5_000;
    /// The most households that one command lists.
    pub const MAX_LISTED: usize = 5_000;
    /// The longest duration of a campaign, in days.
    pub const MAX_DAYS: i64 = 366;

    /// Whether this actor may know of it: always with the right to manage campaigns over its area;
    /// once published also with the right to manage or visit in an area above or below, or as a
    /// worker who is sent.
    pub fn visible_to(&self, actor: &Actor, at: Instant) -> bool {
        if actor.may(Permission::ManageCampaigns, &self.area.path, at) {
            return true;
        }
        let below = |permission| {
            actor.grants.iter().any(|grant| {
                grant.holds_at(at)
                    && actor.grant_allows(grant, permission)
                    && (grant.over.path.contains(&self.area.path)
                        || self.area.path.contains(&grant.over.path))
            })
        };
        let running = self.status != StatusName::Draft;
        running
            && (below(Permission::Visit)
                || below(Permission::ManageCampaigns)
                || (actor.may_somewhere(Permission::Visit, at)
                    && self.tasks.values().any(|task| task.worker == Some(actor.person))))
    }

    /// The task of a household; refuses one that is not on the list, and any while the campaign
    /// does not run.
    pub fn require_task(
        &self,
        household: HouseholdId,
        command: &'static str,
    ) -> Result<Task, Refusal> {
        if self.status != StatusName::Running {
            return Err(self.wrong_state(command));
        }
        self.tasks.get(&household).copied().ok_or(Refusal::NotOnList)
    }

    fn apply_assignment(&mut self, listed: &[Listed], due: Option<&Term>) {
        for one in listed {
            let task = Task { grid: one.grid.id, worker: one.worker };
            self.tasks.insert(one.household, task);
            match self.grids.iter_mut().find(|grid| grid.unit.id == one.grid.id) {
                Some(grid) if grid.due.is_none() => grid.due = due.cloned(),
                Some(_) => {}
                None => self.grids.push(Grid { unit: one.grid.clone(), due: due.cloned() }),
            }
        }
        let left = |grid: &Grid| self.tasks.values().any(|task| task.grid == grid.unit.id);
        self.grids = std::mem::take(&mut self.grids).into_iter().filter(left).collect();
    }
}

fn begin_campaign(new: &NewCampaign, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
    let area = cx.require_area(new.area)?.unit();
    cx.require_permission(Permission::ManageCampaigns, &area.path, &area.name)?;
    let from = new.from.unwrap_or(cx.at);
    if new.until <= from || new.until <= cx.at {
        return Err(Refusal::EmptyPeriod);
    }
    let latest =
        crate::core::time::saturating_add(from, chrono::Duration::days(Campaign::MAX_DAYS));
    if new.until > latest {
        return Err(Refusal::OutsideWindow { earliest: from, latest });
    }
    let campaign = Campaign {
        id: new.id,
        number: cx.new_number('A', new.id.0, cx.at),
        name: new.name.clone(),
        purpose: new.purpose,
        text: new.text.clone(),
        area,
        form: new.form,
        from,
        until: new.until,
        tasks: BTreeMap::new(),
        grids: Vec::new(),
        status: StatusName::Draft,
        made_at: cx.at,
        published_at: None,
        closed_at: None,
    };
    Ok(vec![Event::Begun { campaign: Box::new(campaign) }])
}

impl Campaign {
    fn decide_assignment(
        &self,
        listed: &[Listed],
        cx: &Context<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        if listed.is_empty() {
            return Err(Refusal::EmptyList);
        }
        if listed.len() > Self::MAX_LISTED {
            return Err(Refusal::TooMany { what: "households", max: Self::MAX_LISTED });
        }
        if let Some(outside) = listed.iter().find(|one| !self.area.path.contains(&one.grid.path)) {
            let (holder, unit) = (self.area.name.clone(), outside.grid.name.clone());
            return Err(Refusal::OutsideJurisdiction { holder, unit });
        }
        let fresh = listed.iter().filter(|one| !self.tasks.contains_key(&one.household));
        let fresh: std::collections::BTreeSet<_> = fresh.map(|one| one.household).collect();
        if self.tasks.len() + fresh.len() > Self::MAX_HOUSEHOLDS {
            return Err(Refusal::TooMany { what: "households", max: Self::MAX_HOUSEHOLDS });
        }
        let running = self.status == StatusName::Running && cx.at < self.until;
        let due = running.then(|| Term::with_due_at(cx.seq, cx.at, self.until));
        Ok(vec![Event::Assigned { listed: listed.to_vec(), due }])
    }
}

impl Lifecycle for Campaign {
    const NAME: &'static str = Self::KIND.name();
    type Stage = StatusName;
    type Verb = Verb;
    type To = StatusName;
    type Command = Command;
    const MOVES: MoveTable<StatusName, Verb> = MoveTable::of(MOVES);
    const BEGINNINGS: &'static [&'static str] = &["begin"];

    fn stage(&self) -> StatusName {
        self.status
    }

    fn classify_command(command: &Command) -> CommandKind<Verb> {
        match command {
            Command::Begin(_) => CommandKind::Begins("begin"),
            Command::Assign { .. } => CommandKind::Moves(Verb::Assign),
            Command::Publish => CommandKind::Moves(Verb::Publish),
            Command::Complete { .. } => CommandKind::Moves(Verb::Complete),
            Command::Close { .. } => CommandKind::Moves(Verb::Close),
        }
    }

    /// Completion of a grid follows from its visits, so it is not offered.
    fn shows_verb(&self, verb: Verb) -> bool {
        verb != Verb::Complete
    }
}

impl Flow for Campaign {
    const KIND: FlowKind = FlowKind::Campaign;
    const NAMES: (&'static str, &'static str) = ("这个行动", "campaign");
    const OTHER_LABELS: &'static [(&'static str, &'static str)] = &[("begin", "发起")];
    type Event = Event;

    fn decide_beginning(command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        let Command::Begin(new) = command else { return Err(refuse_unasked::<Self>(command)) };
        begin_campaign(new, cx)
    }

    fn decide_next(&self, command: &Command, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
        if let Command::Complete { grid } = command {
            let open = |one: &Grid| one.unit.id == *grid && one.due.is_some();
            let due = cx.by.is_system() && self.grids.iter().any(open);
            return if due {
                Ok(vec![Event::Completed { grid: *grid }])
            } else {
                Err(Refusal::NothingDue)
            };
        }
        cx.require_permission(Permission::ManageCampaigns, &self.area.path, &self.area.name)?;
        match command {
            Command::Begin(_) | Command::Complete { .. } => Err(refuse_unasked::<Self>(command)),
            Command::Assign { listed } => self.decide_assignment(listed, cx),
            Command::Publish if self.tasks.is_empty() => Err(Refusal::EmptyList),
            Command::Publish if self.until <= cx.at => Err(Refusal::EmptyPeriod),
            Command::Publish => {
                let due = Term::with_due_at(cx.seq, cx.at, self.until);
                Ok(vec![Event::Published { at: cx.at, due }])
            }
            Command::Close { note, open } => {
                Ok(vec![Event::Closed { at: cx.at, note: note.clone(), open: open.clone() }])
            }
        }
    }

    fn evolve(state: Option<Self>, event: &Event) -> Option<Self> {
        let Some(mut campaign) = state else {
            let Event::Begun { campaign } = event else { return None };
            return Some((**campaign).clone());
        };
        match event {
            Event::Begun { .. } => return None,
            Event::Assigned { listed, due } => campaign.apply_assignment(listed, due.as_ref()),
            Event::Published { at, due } => {
                campaign.status = StatusName::Running;
                campaign.published_at = Some(*at);
                campaign.from = campaign.from.max(*at);
                for grid in &mut campaign.grids {
                    grid.due = Some(due.clone());
                }
            }
            Event::Completed { grid } => {
                for one in campaign.grids.iter_mut().filter(|one| one.unit.id == *grid) {
                    one.due = None;
                }
            }
            Event::Closed { at, .. } => {
                campaign.status = StatusName::Closed;
                campaign.closed_at = Some(*at);
                for grid in &mut campaign.grids {
                    grid.due = None;
                }
            }
        }
        Some(campaign)
    }

    fn obligations(&self) -> Vec<Obligation> {
        let owe = |grid: &Grid| {
            let (owed_by, term) = (grid.unit.clone(), grid.due.clone()?);
            Some(Obligation { duty: Duty::Visit, owed_by, term })
        };
        self.grids.iter().filter_map(owe).collect()
    }

    fn fulfils(event: &Event, obligation: &Obligation) -> bool {
        match event {
            Event::Completed { grid } => *grid == obligation.owed_by.id,
            Event::Closed { open, .. } => !open.contains(&obligation.owed_by.id),
            Event::Begun { .. } | Event::Assigned { .. } | Event::Published { .. } => false,
        }
    }

    fn id(&self) -> Uuid {
        self.id.0
    }
}
