//! Whom an entry of the feed concerns: what phones are sent because of it, where that lies, and
//! where it lay before.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use domain::{
    area::tree::Path,
    core::{
        id::{AreaId, CampaignId, HouseholdId, PersonId, TenantId},
        journal::FlowKind,
    },
    flows::{
        campaign::{self, Campaign, StatusName},
        case::state::Case,
        content_review::{Review, Subject},
        flow::Flow,
        form::Form,
        household::{self, Household},
        patrol::Patrol,
        report::Report,
        stored_event::read_events,
        visit::Visit,
    },
};
use persistence::{
    Db, FlowTable, Store, StoreError,
    flows::{campaign as campaigns, media},
    kernel::{
        feed::{self, EntryEvents, Moved},
        journal,
    },
};
use uuid::Uuid;

use super::sight::{Right, Sight};

/// What phones are sent because of an entry of the feed: mostly the flow that changed; for a file
/// the reports and cases that name it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) kind: FlowKind,
    pub(super) flow: Uuid,
    about: About,
}

/// Whom it concerns.
#[derive(Clone)]
enum About {
    /// All callers of the tenant.
    Everyone,
    /// Those who see this place, or could see where it was before.
    Place(Arc<Place>),
    /// It cannot be decided here: each caller who may see it has to find out.
    Unknown,
}

/// Whether and how a flow that changed concerns a caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Concern {
    None,
    /// It may be visible now.
    Seen,
    /// It was visible at its former place.
    WasSeen,
}

/// The place and the people of a flow: what lists are scoped by.
#[derive(Debug)]
struct Place {
    right: Right,
    path: Path,
    units: Vec<AreaId>,
    persons: BTreeSet<PersonId>,
    /// Whether a campaign runs or ran, so that others than its organisers know of it.
    begun: bool,
    former: Former,
}

/// The place and the people of a flow before it changed.
#[derive(Clone, Default, Debug)]
struct Former {
    paths: Vec<Path>,
    /// Where those who visit were to go there, too.
    visited: bool,
    persons: BTreeSet<PersonId>,
}

impl Target {
    /// How it concerns a person with this sight.
    pub(super) fn concern(&self, sight: &Sight, person: PersonId) -> Concern {
        match &self.about {
            About::Everyone | About::Unknown => Concern::Seen,
            About::Place(place) if place.was_seen_by(sight, person) => Concern::WasSeen,
            About::Place(place) if place.is_seen_by(sight, person) => Concern::Seen,
            About::Place(_) => Concern::None,
        }
    }

    #[cfg(test)]
    pub(super) fn report_at(flow: Uuid, path: &str) -> Self {
        let place = Place::new(Right::Work, Path(path.to_owned()));
        Self { kind: FlowKind::Report, flow, about: About::Place(Arc::new(place)) }
    }
}

impl Place {
    fn new(right: Right, path: Path) -> Self {
        let (units, persons, former) = (Vec::new(), BTreeSet::new(), Former::default());
        Self { right, path, units, persons, begun: true, former }
    }

    fn of(self, persons: impl IntoIterator<Item = PersonId>) -> Self {
        Self { persons: persons.into_iter().collect(), ..self }
    }

    fn is_seen_by(&self, sight: &Sight, person: PersonId) -> bool {
        let within = |right| sight.over(right).any(|path| path.contains(&self.path));
        if self.right != Right::Organises {
            return self.persons.contains(&person)
                || within(self.right)
                || sight.knows_one_of(&self.units);
        }
        let near = |path: &Path| path.contains(&self.path) || self.path.contains(path);
        within(Right::Organises)
            || (self.begun
                && (sight.over(Right::Organises).any(near)
                    || sight.over(Right::Visits).any(near)
                    || self.persons.contains(&person)))
    }

    fn was_seen_by(&self, sight: &Sight, person: PersonId) -> bool {
        let over = |right, lay: &Path| sight.over(right).any(|path| path.contains(lay));
        self.former.persons.contains(&person)
            || self.former.paths.iter().any(|lay| over(self.right, lay))
            || (self.former.visited && over(Right::Visits, &self.path))
    }
}

/// The most reports and cases that are sent again because a file they name changed.
const MOST_LINKS: usize = 20;

/// What phones are sent because of each of these entries.
pub(super) async fn load_targets(
    store: &Store,
    tenant: TenantId,
    moved: &[Moved],
) -> Result<Vec<Vec<Target>>, StoreError> {
    let naming = load_naming(store, tenant, moved).await?;
    let own = moved.iter().map(|one| (one.kind, one.flow));
    let wanted: HashSet<(FlowKind, Uuid)> = own.chain(naming.values().flatten().copied()).collect();
    let looked_up =
        Flows { store, tenant, wanted, former: load_former(store, tenant, moved).await? };
    let abouts = looked_up.load().await?;
    let target = |kind: FlowKind, flow: Uuid| {
        let about = abouts.get(&(kind, flow)).cloned();
        about.map(|about| Target { kind, flow, about })
    };
    let targets = |one: &Moved| {
        let own = target(one.kind, one.flow);
        let named = naming.get(&one.flow).into_iter().flatten();
        own.into_iter().chain(named.filter_map(|(kind, flow)| target(*kind, *flow))).collect()
    };
    Ok(moved.iter().map(targets).collect())
}

/// The reports and cases that name the files that moved or were reviewed, by what moved.
async fn load_naming(
    store: &Store,
    tenant: TenantId,
    moved: &[Moved],
) -> Result<HashMap<Uuid, HashSet<(FlowKind, Uuid)>>, StoreError> {
    let ids = |kind: FlowKind| {
        let of_kind = moved.iter().filter(|one| one.kind == kind).map(|one| one.flow);
        of_kind.collect::<BTreeSet<Uuid>>().into_iter().collect::<Vec<Uuid>>()
    };
    // The file that each review is about.
    let mut files: HashMap<Uuid, Uuid> =
        ids(FlowKind::Media).into_iter().map(|id| (id, id)).collect();
    let reviews = ids(FlowKind::ContentReview);
    for (id, review) in reviews.iter().zip(store.load_states::<Review>(tenant, &reviews).await) {
        let review = readable(review)?.flatten();
        let about = review.filter(|review| review.state.subject == Subject::Media);
        files.extend(about.map(|review| (*id, review.state.about)));
    }
    if files.is_empty() {
        return Ok(HashMap::new());
    }
    let media: Vec<Uuid> = files.values().copied().collect();
    let links = store.read(move |db| media::load_links(db, tenant, &media)).await?;
    let reports: Vec<Uuid> =
        links.iter().filter(|link| link.kind == FlowKind::Report).map(|link| link.flow).collect();
    let mut cases: HashMap<Uuid, Uuid> = HashMap::new();
    for (id, report) in reports.iter().zip(store.load_states::<Report>(tenant, &reports).await) {
        let case = readable(report)?.flatten().and_then(|report| report.state.status.case());
        cases.extend(case.map(|case| (*id, case.0)));
    }
    let naming = |file: Uuid| {
        let links = links.iter().filter(move |link| link.media.0 == file).take(MOST_LINKS);
        let cases = &cases;
        links.flat_map(move |link| {
            let case = cases.get(&link.flow).map(|case| (FlowKind::Case, *case));
            std::iter::once((link.kind, link.flow)).chain(case)
        })
    };
    Ok(files.into_iter().map(|(id, file)| (id, naming(file).collect())).collect())
}

/// An unreadable flow gives none: it concerns those who may see it, not all.
fn readable<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_unreadable() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The former places of flows that moved from one area or person to another.
async fn load_former(
    store: &Store,
    tenant: TenantId,
    moved: &[Moved],
) -> Result<HashMap<Uuid, Former>, StoreError> {
    const KINDS: [FlowKind; 2] = [FlowKind::Household, FlowKind::Campaign];
    let mut positions = moved.iter().filter(|one| KINDS.contains(&one.kind) && one.seq > 1);
    let Some(first) = positions.next() else { return Ok(HashMap::new()) };
    let span = (first.position, positions.next_back().unwrap_or(first).position);
    let load = move |db: &mut Db| {
        let mut former: HashMap<Uuid, Former> = HashMap::new();
        for entry in feed::load_events(db, tenant, &KINDS, span)? {
            let into = former.entry(entry.flow).or_default();
            if entry.kind == FlowKind::Household {
                add_former_of_household(db, tenant, &entry, into)?;
            } else {
                add_former_of_campaign(db, tenant, &entry, into)?;
            }
        }
        Ok(former)
    };
    store.read(load).await
}

fn events_of<F: Flow>(entry: &EntryEvents) -> Vec<F::Event> {
    read_events::<F::Event>(&entry.events).unwrap_or_default()
}

/// The state before an entry; none where it cannot be read.
fn load_before<F: Flow>(
    db: &mut Db,
    tenant: TenantId,
    entry: &EntryEvents,
) -> Result<Option<F>, StoreError> {
    let before = readable(journal::load_state_at::<F>(db, tenant, entry.flow, entry.seq - 1))?;
    Ok(before.flatten().map(|stored| stored.state))
}

fn add_former_of_household(
    db: &mut Db,
    tenant: TenantId,
    entry: &EntryEvents,
    into: &mut Former,
) -> Result<(), StoreError> {
    use household::Event as E;
    let mut moved = false;
    for event in events_of::<Household>(entry) {
        match event {
            E::Unpaired { person, .. } => {
                into.persons.insert(person);
            }
            // The same pairing may have held before, and begin later now.
            E::Paired { pairing } => {
                into.persons.insert(pairing.person);
            }
            E::Updated { area: Some(_), .. } | E::Erased { .. } => moved = true,
            E::Registered { .. }
            | E::Updated { area: None, .. }
            | E::Answered { .. }
            | E::Left
            | E::Returned => {}
        }
    }
    if moved && let Some(before) = load_before::<Household>(db, tenant, entry)? {
        into.paths.push(before.area.path);
        into.persons.extend(before.pairings.iter().map(|pairing| pairing.person));
    }
    Ok(())
}

fn add_former_of_campaign(
    db: &mut Db,
    tenant: TenantId,
    entry: &EntryEvents,
    into: &mut Former,
) -> Result<(), StoreError> {
    use campaign::Event as E;
    let mut listed: BTreeSet<HouseholdId> = BTreeSet::new();
    for event in events_of::<Campaign>(entry) {
        match event {
            E::Assigned { listed: these, .. } => {
                listed.extend(these.iter().map(|one| one.household));
            }
            E::Begun { .. } | E::Published { .. } | E::Completed { .. } | E::Closed { .. } => {}
        }
    }
    if !listed.is_empty()
        && let Some(before) = load_before::<Campaign>(db, tenant, entry)?
        && before.status != StatusName::Draft
    {
        let tasks = listed.iter().filter_map(|household| before.tasks.get(household));
        into.persons.extend(tasks.filter_map(|task| task.worker));
    }
    Ok(())
}

/// Flows whose places are looked up.
struct Flows<'a> {
    store: &'a Store,
    tenant: TenantId,
    wanted: HashSet<(FlowKind, Uuid)>,
    former: HashMap<Uuid, Former>,
}

type Abouts = HashMap<(FlowKind, Uuid), About>;

impl Flows<'_> {
    /// Loads the places of all flows that phones are sent.
    async fn load(self) -> Result<Abouts, StoreError> {
        let mut abouts = Abouts::new();
        self.places(&mut abouts, |case: &Case| Place {
            units: case.units.iter().map(|unit| unit.id).collect(),
            ..Place::new(Right::Work, case.place.area.path.clone())
        })
        .await?;
        self.places(&mut abouts, |report: &Report| {
            Place::new(Right::Work, report.place.area.path.clone()).of([report.reporter])
        })
        .await?;
        self.places(&mut abouts, |patrol: &Patrol| {
            Place::new(Right::Work, patrol.area.path.clone()).of(patrol.worker())
        })
        .await?;
        self.places(&mut abouts, |household: &Household| {
            let paired = household.pairings.iter().map(|pairing| pairing.person);
            let place = Place::new(Right::Homes, household.area.path.clone()).of(paired);
            Place { former: self.former_of(household.id.0), ..place }
        })
        .await?;
        self.places(&mut abouts, |campaign: &Campaign| {
            let workers = campaign.tasks.values().filter_map(|task| task.worker);
            let place = Place::new(Right::Organises, campaign.area.path.clone()).of(workers);
            let begun = campaign.status != StatusName::Draft;
            Place { begun, former: self.former_of(campaign.id.0), ..place }
        })
        .await?;
        self.visits(&mut abouts).await?;
        let forms = self.wanted.iter().filter(|(kind, _)| *kind == Form::KIND);
        abouts.extend(forms.map(|form| (*form, About::Everyone)));
        Ok(abouts)
    }

    fn former_of(&self, flow: Uuid) -> Former {
        self.former.get(&flow).cloned().unwrap_or_default()
    }

    async fn states<F: FlowTable>(
        &self,
        mut each: impl FnMut(Uuid, Option<&F>),
    ) -> Result<(), StoreError> {
        let ids: Vec<Uuid> =
            self.wanted.iter().filter(|(kind, _)| *kind == F::KIND).map(|(_, id)| *id).collect();
        for (id, found) in ids.iter().zip(self.store.load_states::<F>(self.tenant, &ids).await) {
            match readable(found)? {
                Some(Some(found)) => each(*id, Some(&found.state)),
                Some(None) => {}
                None => each(*id, None),
            }
        }
        Ok(())
    }

    async fn places<F: FlowTable>(
        &self,
        abouts: &mut Abouts,
        place: impl Fn(&F) -> Place,
    ) -> Result<(), StoreError> {
        self.states(|id, state: Option<&F>| {
            let about = state.map_or(About::Unknown, |state| About::Place(Arc::new(place(state))));
            abouts.insert((F::KIND, id), about);
        })
        .await
    }

    /// A visit of a campaign takes the place of an assignment: those who had that are concerned,
    /// too.
    async fn visits(&self, abouts: &mut Abouts) -> Result<(), StoreError> {
        type Task = (CampaignId, HouseholdId);
        let mut found: Vec<(Uuid, Option<Task>, Option<Place>)> = Vec::new();
        self.states(|id, visit: Option<&Visit>| {
            let task = visit.and_then(|visit| Some((visit.campaign?, visit.household)));
            let place = visit
                .map(|visit| Place::new(Right::Homes, visit.area.path.clone()).of(visit.worker));
            found.push((id, task, place));
        })
        .await?;
        let tasks: Vec<Task> = found.iter().filter_map(|(_, task, _)| *task).collect();
        let tenant = self.tenant;
        let workers = if tasks.is_empty() {
            HashMap::new()
        } else {
            let load = move |db: &mut Db| campaigns::load_workers(db, tenant, &tasks);
            self.store.read(load).await?
        };
        for (id, task, place) in found {
            let about = place.map_or(About::Unknown, |place| {
                let assigned = task.and_then(|task| workers.get(&task)).copied();
                let persons = assigned.into_iter().collect();
                let former = Former { paths: Vec::new(), visited: task.is_some(), persons };
                About::Place(Arc::new(Place { former, ..place }))
            });
            abouts.insert((Visit::KIND, id), about);
        }
        Ok(())
    }
}
