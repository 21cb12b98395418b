//! The flow of areas: they are created, renamed, redrawn, moved, split, merged and retired, each
//! from a day on. The instance of this flow is the tenant: one command may change many areas.

mod disclosure;
pub mod geojson;
pub mod import;
use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{
    area::{
        boundary::{self, Drawn},
        locate::{MultiPolygon, Rings},
        tree::{
            AreaKind, GridKind, Path, Scheme,
            history::{Outline, Record, Registry, Version},
        },
    },
    core::{id::AreaId, journal::Hash, text::Line, time::local_day},
    flows::{flow::Context, stored_event::JournalEvent},
    people::actor::Permission,
    rules::refusal::Refusal,
};

/// The most other areas that one command names.
pub const MOST_PARTS: usize = 20;

/// How many days ahead a change may take effect.
const AHEAD_DAYS: u64 = 366;

/// A boundary as given in a command.
#[derive(Clone, PartialEq, Debug)]
pub struct Drawing {
    /// Polygons of rings.
    pub rings: Rings,
    /// Whether crossings may be resolved; without it they are refused.
    pub repair: bool,
}

/// An area to be created.
#[derive(Clone, PartialEq, Debug)]
pub struct NewArea {
    /// The identity it will have.
    pub id: AreaId,
    /// The kind of the area.
    pub kind: AreaKind,
    /// Its code, unique in the tenant.
    pub code: String,
    /// The name of the area.
    pub name: Line,
    /// For a grid: its purpose.
    pub grid: Option<GridKind>,
    /// How many households live there.
    pub households: Option<u32>,
    /// Its boundary, if it is drawn.
    pub boundary: Option<Drawing>,
}

/// The result of a merge.
#[derive(Clone, PartialEq, Debug)]
pub enum Into {
    /// The first of the merged areas, which continues with this boundary.
    First {
        /// Its boundary; unchanged when left out.
        boundary: Option<Drawing>,
    },
    /// A new one.
    New(Box<NewArea>),
}

/// The commands for areas.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Creates an area below another.
    Create {
        /// The area to create.
        area: Box<NewArea>,
        /// The area above it.
        parent: AreaId,
    },
    /// Changes the name.
    Rename {
        /// The area to rename.
        id: AreaId,
        /// Its new name.
        name: Line,
    },
    /// Changes the purpose of a grid and its number of households; what is left out stays.
    Describe {
        /// The area to describe.
        id: AreaId,
        /// The purpose of the grid.
        grid: Option<GridKind>,
        /// The number of households.
        households: Option<u32>,
    },
    /// Replaces the boundary.
    Redraw {
        /// The area to redraw.
        id: AreaId,
        /// Its new boundary.
        boundary: Drawing,
    },
    /// Splits an area into several; it is retired.
    Split {
        /// The area to split, which is retired.
        id: AreaId,
        /// The new areas, each with those of the old area's children that it takes.
        parts: Vec<(NewArea, Vec<AreaId>)>,
    },
    /// Merges several areas into one.
    Merge {
        /// The areas to merge; the first of them may continue.
        ids: Vec<AreaId>,
        /// What they are merged into.
        into: Into,
    },
    /// Retires an area.
    Retire {
        /// The area to retire.
        id: AreaId,
        /// The areas that answer for what is left.
        successors: Vec<AreaId>,
        /// The number of duties it still owes, looked up by the caller.
        owes: i64,
    },
    /// Moves an area, with everything in it, below another area.
    Transfer {
        /// The area to move.
        id: AreaId,
        /// The new area above it.
        parent: AreaId,
    },
}

/// The events of areas, as the journal stores them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An area was created.
    Created {
        /// Its record at creation.
        area: Box<Record>,
        /// Whether crossings of its boundary were resolved.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        repaired: bool,
    },
    /// An area was renamed.
    Renamed {
        /// The area that was renamed.
        id: AreaId,
        /// Its new name.
        name: String,
        /// The day of effect.
        from: NaiveDate,
    },
    /// The purpose of a grid or its number of households changed.
    Described {
        /// The area that was described.
        id: AreaId,
        /// The purpose of the grid.
        grid: Option<GridKind>,
        /// The number of households.
        households: Option<u32>,
        /// The day of effect.
        from: NaiveDate,
    },
    /// An area got another boundary.
    Redrawn {
        /// The area that was redrawn.
        id: AreaId,
        /// The digest of the boundary.
        boundary: String,
        /// Whether crossings were resolved.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        repaired: bool,
        /// The day of effect.
        from: NaiveDate,
    },
    /// An area was moved below another area.
    Transferred {
        /// The area that was moved.
        id: AreaId,
        /// The new area above it.
        parent: AreaId,
        /// The day of effect.
        from: NaiveDate,
    },
    /// An area was retired.
    Retired {
        /// The area that was retired.
        id: AreaId,
        /// The areas that took its place.
        successors: Vec<AreaId>,
        /// The day of effect.
        from: NaiveDate,
    },
    /// A file was imported.
    Imported {
        /// The name of the file.
        source: String,
        /// The number of new areas.
        added: usize,
        /// The number of existing areas that changed.
        updated: usize,
        /// The day of effect; for old entries the day they were written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<NaiveDate>,
        /// The digest of everything that was imported.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
}

impl JournalEvent for Event {}

/// A decision about areas: the events, and the records they changed.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// The events, in the order they happened.
    pub events: Vec<Event>,
    /// The records that changed, in their new state, parents before their children.
    pub changed: Vec<Record>,
    /// The boundaries that were drawn, as stored.
    pub drawn: Vec<(AreaId, String)>,
}

/// The inputs of a decision and its result so far.
struct Draft<'a> {
    cx: &'a Context<'a>,
    registry: Registry,
    from: NaiveDate,
    touched: Vec<AreaId>,
    decided: Decided,
}

/// Decides a command that takes effect on the day `from`.
pub fn decide(
    registry: &Registry,
    command: Command,
    from: NaiveDate,
    cx: &Context<'_>,
) -> Result<Decided, Refusal> {
    let today = local_day(cx.at);
    let latest = today.checked_add_days(Days::new(AHEAD_DAYS)).unwrap_or(today);
    if from > latest {
        return Err(Refusal::EffectOutside { earliest: None, latest });
    }
    let decided = Decided::default();
    let mut draft = Draft { cx, registry: registry.clone(), from, touched: Vec::new(), decided };
    match command {
        Command::Create { area, parent } => draft.create_area(*area, parent)?,
        Command::Rename { id, name } => {
            draft.require_changeable(id)?;
            let name: String = name.into();
            draft.apply_event(Event::Renamed { id, name, from });
        }
        Command::Describe { id, grid, households } => draft.describe_area(id, grid, households)?,
        Command::Redraw { id, boundary } => {
            draft.require_changeable(id)?;
            draft.redraw_boundary(id, &boundary)?;
        }
        Command::Split { id, parts } => draft.split_area(id, parts)?,
        Command::Merge { ids, into } => draft.merge_areas(&ids, into)?,
        Command::Retire { id, successors, owes } => draft.retire_area(id, &successors, owes)?,
        Command::Transfer { id, parent } => draft.transfer_area(id, parent)?,
    }
    Ok(draft.finish())
}

impl Draft<'_> {
    /// Applies an event and adds it to the result.
    fn apply_event(&mut self, event: Event) {
        let touched = self.registry.apply(&event, self.cx.seq);
        for id in touched {
            if !self.touched.contains(&id) {
                self.touched.push(id);
            }
        }
        self.decided.events.push(event);
    }

    fn finish(mut self) -> Decided {
        let known = |id: &AreaId| self.registry.get(*id).cloned();
        self.decided.changed = self.touched.iter().filter_map(known).collect();
        // A parent has the shorter path, so it is written first.
        let depth = |record: &Record| record.newest_version().map_or(0, |v| v.path.as_str().len());
        self.decided.changed.sort_by_key(depth);
        self.decided
    }

    /// An area in force on the day that the actor may change.
    fn require_changeable(&self, id: AreaId) -> Result<Record, Refusal> {
        let record = self.require_in_force(id)?;
        let version = record.newest_version().ok_or(Refusal::UnknownArea { id })?;
        self.cx.require_permission(Permission::ManageAreas, &version.path, &version.name)?;
        Ok(record)
    }

    /// An area in force on the day, without a change decided for later.
    fn require_in_force(&self, id: AreaId) -> Result<Record, Refusal> {
        let record = self.registry.get(id).ok_or(Refusal::UnknownArea { id })?;
        let version = record.newest_version().ok_or(Refusal::UnknownArea { id })?;
        if record.until.is_some() {
            return Err(self.refuse_retired_area(record, version));
        }
        if version.from > self.from {
            let latest = local_day(self.cx.at).checked_add_days(Days::new(AHEAD_DAYS));
            let (earliest, latest) = (Some(version.from), latest.unwrap_or(version.from));
            return Err(Refusal::EffectOutside { earliest, latest });
        }
        Ok(record.clone())
    }

    fn refuse_retired_area(&self, record: &Record, version: &Version) -> Refusal {
        let name = |id: &AreaId| {
            let version = self.registry.get(*id).and_then(Record::newest_version);
            version.map(|version| version.name.clone())
        };
        let successors = record.successors.iter().filter_map(name).collect();
        Refusal::AreaRetired { area: version.name.clone(), successors }
    }

    /// Checks that one kind may lie in another area; returns that area's path.
    fn check_parent(
        &self,
        (kind, grid, name): (AreaKind, Option<GridKind>, &str),
        parent: AreaId,
    ) -> Result<Path, Refusal> {
        let above = self.require_in_force(parent)?;
        let version = above.newest_version().ok_or(Refusal::UnknownArea { id: parent })?;
        let micro = kind == AreaKind::Grid
            && above.kind == AreaKind::Grid
            && grid == Some(GridKind::Micro)
            && version.grid != Some(GridKind::Micro);
        let served = kind != AreaKind::Department || above.kind != AreaKind::Grid;
        if !(micro || above.kind.rank() < kind.rank() && served) {
            let (area, parent) = (name.to_owned(), version.name.clone());
            return Err(Refusal::WrongLevel { area, parent });
        }
        Ok(version.path.clone())
    }

    fn create_area(&mut self, area: NewArea, parent: AreaId) -> Result<(), Refusal> {
        let above = self.require_in_force(parent)?;
        let version = above.newest_version().ok_or(Refusal::UnknownArea { id: parent })?;
        self.cx.require_permission(Permission::ManageAreas, &version.path, &version.name)?;
        self.add_area(area, Some(parent), Vec::new())
    }

    fn add_area(
        &mut self,
        area: NewArea,
        parent: Option<AreaId>,
        predecessors: Vec<AreaId>,
    ) -> Result<(), Refusal> {
        let NewArea { id, kind, code, name, grid, households, boundary } = area;
        let Some(scheme) = Scheme::detect(kind, &code) else {
            return Err(Refusal::BadAreaCode { code, expected: Scheme::expected_form(kind) });
        };
        if self.registry.find_by_code(&code).is_some() || self.registry.get(id).is_some() {
            return Err(Refusal::AlreadyExists { what: "area code" });
        }
        let name: String = name.into();
        let above = match parent {
            Some(parent) => Some(self.check_parent((kind, grid, &name), parent)?),
            None => None,
        };
        let drawn = match &boundary {
            Some(boundary) => Some(self.draw_boundary(id, boundary)?),
            None => None,
        };
        let version = Version {
            from: self.from,
            name,
            parent,
            path: Path::child(above.as_ref(), &code),
            grid: grid.filter(|_| kind == AreaKind::Grid),
            households,
            boundary: drawn
                .as_ref()
                .map(|(digest, _)| Outline { no: self.cx.seq, digest: digest.clone() }),
        };
        let versions = vec![version];
        let (until, successors, seq) = (None, Vec::new(), self.cx.seq);
        let record =
            Record { id, kind, code, scheme, versions, until, predecessors, successors, seq };
        let repaired = drawn.is_some_and(|(_, repaired)| repaired);
        self.apply_event(Event::Created { area: Box::new(record), repaired });
        Ok(())
    }

    fn redraw_boundary(&mut self, id: AreaId, drawing: &Drawing) -> Result<(), Refusal> {
        let (boundary, repaired) = self.draw_boundary(id, drawing)?;
        let from = self.from;
        self.apply_event(Event::Redrawn { id, boundary, repaired, from });
        Ok(())
    }

    /// Checks a boundary and adds it to the result; returns its digest and whether it was repaired.
    fn draw_boundary(&mut self, id: AreaId, drawing: &Drawing) -> Result<(String, bool), Refusal> {
        let (boundary, repaired) = boundary::read_sound(&drawing.rings, drawing.repair)
            .map_err(|faults| Refusal::BadBoundary { faults })?;
        Ok((self.push_boundary(id, &boundary), repaired))
    }

    fn push_boundary(&mut self, id: AreaId, boundary: &MultiPolygon) -> String {
        let text = Drawn::new(boundary).text();
        let digest = Hash::digest(text.as_bytes()).to_hex();
        self.decided.drawn.push((id, text));
        digest
    }

    fn describe_area(
        &mut self,
        id: AreaId,
        grid: Option<GridKind>,
        households: Option<u32>,
    ) -> Result<(), Refusal> {
        let record = self.require_changeable(id)?;
        let known = record.newest_version().ok_or(Refusal::UnknownArea { id })?;
        if grid.is_some() && record.kind != AreaKind::Grid {
            return Err(Refusal::NotAGrid { area: known.name.clone() });
        }
        let (grid, households) = (grid.or(known.grid), households.or(known.households));
        let from = self.from;
        self.apply_event(Event::Described { id, grid, households, from });
        Ok(())
    }

    fn split_area(
        &mut self,
        id: AreaId,
        parts: Vec<(NewArea, Vec<AreaId>)>,
    ) -> Result<(), Refusal> {
        let record = self.require_changeable(id)?;
        let (parent, kind) = (record.newest_version().and_then(|v| v.parent), record.kind);
        let Some(parent) = parent else { return Err(self.refuse_wrong_level(&record)) };
        let from = self.from;
        let mut successors = Vec::with_capacity(parts.len());
        for (part, children) in parts {
            let into = part.id;
            self.add_area(NewArea { kind, ..part }, Some(parent), vec![id])?;
            for child in children {
                let moved = self.require_in_force(child)?;
                let version = moved.newest_version().ok_or(Refusal::UnknownArea { id: child })?;
                if version.parent != Some(id) {
                    let (area, parent) = (version.name.clone(), self.find_name(id));
                    return Err(Refusal::WrongLevel { area, parent });
                }
                self.require_movable(child)?;
                self.apply_event(Event::Transferred { id: child, parent: into, from });
            }
            successors.push(into);
        }
        self.end_area(id, successors)
    }

    fn merge_areas(&mut self, ids: &[AreaId], into: Into) -> Result<(), Refusal> {
        let records: Vec<Record> =
            ids.iter().map(|id| self.require_changeable(*id)).collect::<Result<_, _>>()?;
        let Some(first) = records.first() else { return Ok(()) };
        for other in &records {
            if other.kind != first.kind || other.newest_version().and_then(|v| v.parent).is_none() {
                return Err(self.refuse_wrong_level(other));
            }
        }
        let from = self.from;
        // The sum is known only when all were counted.
        let households = records
            .iter()
            .map(|record| record.newest_version().and_then(|version| version.households))
            .try_fold(0_u32, |sum, one| one.and_then(|one| sum.checked_add(one)));
        let (successor, ending) = match into {
            Into::First { boundary } => {
                if let Some(boundary) = boundary {
                    self.redraw_boundary(first.id, &boundary)?;
                }
                if households.is_some() {
                    self.describe_area(first.id, None, households)?;
                }
                (first.id, ids.get(1..).unwrap_or_default())
            }
            Into::New(area) => {
                let parent = first.newest_version().and_then(|version| version.parent);
                let (id, households) = (area.id, area.households.or(households));
                let area = NewArea { kind: first.kind, households, ..*area };
                self.add_area(area, parent, ids.to_vec())?;
                (id, ids)
            }
        };
        for id in ending {
            let children: Vec<AreaId> =
                self.registry.children_on(*id, from).map(|child| child.id).collect();
            for child in children {
                self.require_movable(child)?;
                self.apply_event(Event::Transferred { id: child, parent: successor, from });
            }
            self.end_area(*id, vec![successor])?;
        }
        Ok(())
    }

    fn retire_area(&mut self, id: AreaId, successors: &[AreaId], owes: i64) -> Result<(), Refusal> {
        let record = self.require_changeable(id)?;
        if record.newest_version().and_then(|version| version.parent).is_none() {
            return Err(self.refuse_wrong_level(&record));
        }
        for successor in successors {
            let heir = self.require_in_force(*successor)?;
            if heir.id == id || heir.kind != record.kind {
                return Err(self.refuse_wrong_level(&heir));
            }
        }
        if successors.is_empty() && owes > 0 {
            return Err(Refusal::DutiesLeft { area: self.find_name(id), count: owes });
        }
        self.end_area(id, successors.to_vec())
    }

    fn end_area(&mut self, id: AreaId, successors: Vec<AreaId>) -> Result<(), Refusal> {
        let from = self.from;
        // A child that is created later would lie below a retired area.
        let left: Vec<&Record> = self
            .registry
            .iter()
            .filter(|r| r.until.is_none() && r.newest_version().and_then(|v| v.parent) == Some(id))
            .collect();
        if let Some(one) = left.first().and_then(|record| record.newest_version()) {
            let (count, example) = (left.len(), one.name.clone());
            return Err(Refusal::ChildrenLeft { area: self.find_name(id), count, example });
        }
        self.apply_event(Event::Retired { id, successors, from });
        Ok(())
    }

    fn transfer_area(&mut self, id: AreaId, parent: AreaId) -> Result<(), Refusal> {
        let record = self.require_changeable(id)?;
        let version = record.newest_version().ok_or(Refusal::UnknownArea { id })?;
        if version.parent.is_none() {
            return Err(self.refuse_wrong_level(&record));
        }
        let above = self.check_parent((record.kind, version.grid, &version.name), parent)?;
        self.cx.require_permission(Permission::ManageAreas, &above, &self.find_name(parent))?;
        self.require_movable(id)?;
        let from = self.from;
        self.apply_event(Event::Transferred { id, parent, from });
        Ok(())
    }

    /// Checks that everything below can be moved with it: no change of it is decided for later.
    fn require_movable(&self, id: AreaId) -> Result<(), Refusal> {
        self.registry
            .descendants_on(id, self.from)
            .into_iter()
            .try_for_each(|one| self.require_in_force(one).map(|_| ()))
    }

    fn find_name(&self, id: AreaId) -> String {
        let version = self.registry.get(id).and_then(Record::newest_version);
        version.map(|version| version.name.clone()).unwrap_or_default()
    }

    fn refuse_wrong_level(&self, record: &Record) -> Refusal {
        let parent = record.newest_version().and_then(|version| version.parent);
        let parent = parent.map(|parent| self.find_name(parent)).unwrap_or_default();
        Refusal::WrongLevel { area: self.find_name(record.id), parent }
    }
}

impl Registry {
    /// Applies an event at a place in the journal; returns the areas it changed.
    pub fn apply(&mut self, event: &Event, seq: i64) -> Vec<AreaId> {
        match event {
            Event::Created { area, .. } => {
                self.put((**area).clone());
                vec![area.id]
            }
            Event::Renamed { id, name, from } => {
                self.add_version(*id, *from, seq, |version| version.name.clone_from(name))
            }
            Event::Described { id, grid, households, from } => {
                self.add_version(*id, *from, seq, |version| {
                    (version.grid, version.households) = (*grid, *households);
                })
            }
            Event::Redrawn { id, boundary, from, .. } => {
                let digest = boundary.clone();
                let outline = Outline { no: seq, digest };
                self.add_version(*id, *from, seq, |version| version.boundary = Some(outline))
            }
            Event::Transferred { id, parent, from } => self.move_area(*id, *parent, *from, seq),
            Event::Retired { id, successors, from } => {
                let Some(mut record) = self.get(*id).cloned() else { return Vec::new() };
                (record.until, record.seq) = (Some(*from), seq);
                record.successors.clone_from(successors);
                self.put(record);
                let mut touched = vec![*id];
                for successor in successors {
                    let Some(mut heir) = self.get(*successor).cloned() else { continue };
                    if !heir.predecessors.contains(id) {
                        heir.predecessors.push(*id);
                    }
                    heir.seq = seq;
                    self.put(heir);
                    touched.push(*successor);
                }
                touched
            }
            Event::Imported { .. } => Vec::new(),
        }
    }

    /// Whether the records agree with an event; always true for an import, which cannot be checked.
    pub fn reflects_event(&self, event: &Event) -> bool {
        let version = |id: &AreaId, from: &NaiveDate, is: &dyn Fn(&Version) -> bool| {
            let record = self.get(*id);
            record.is_some_and(|r| r.versions.iter().any(|v| v.from == *from && is(v)))
        };
        match event {
            Event::Created { area, .. } => self.get(area.id).is_some_and(|record| {
                (record.kind, &record.code) == (area.kind, &area.code)
                    && record.versions.first() == area.versions.first()
            }),
            Event::Renamed { id, name, from } => version(id, from, &|v| v.name == *name),
            Event::Described { id, grid, households, from } => {
                version(id, from, &|v| v.grid == *grid && v.households == *households)
            }
            Event::Redrawn { id, boundary, from, .. } => version(id, from, &|v| {
                v.boundary.as_ref().is_some_and(|outline| outline.digest == *boundary)
            }),
            Event::Transferred { id, parent, from } => {
                version(id, from, &|v| v.parent == Some(*parent))
            }
            Event::Retired { id, successors, from } => self.get(*id).is_some_and(|record| {
                record.until == Some(*from) && record.successors == *successors
            }),
            Event::Imported { .. } => true,
        }
    }

    /// Adds a version from a day on: the last one with a change.
    fn add_version(
        &mut self,
        id: AreaId,
        from: NaiveDate,
        seq: i64,
        change: impl FnOnce(&mut Version),
    ) -> Vec<AreaId> {
        let Some(mut record) = self.get(id).cloned() else { return Vec::new() };
        let Some(mut version) = record.newest_version().cloned() else { return Vec::new() };
        version.from = from;
        change(&mut version);
        record.versions.push(version);
        record.seq = seq;
        self.put(record);
        vec![id]
    }

    /// Moves an area, which changes the paths of everything below.
    fn move_area(&mut self, id: AreaId, parent: AreaId, from: NaiveDate, seq: i64) -> Vec<AreaId> {
        let below = self.descendants_on(id, from);
        let mut touched = self.add_version(id, from, seq, |version| version.parent = Some(parent));
        touched.extend(below);
        for one in &touched {
            let Some(mut record) = self.get(*one).cloned() else { continue };
            let above = record.newest_version().and_then(|v| v.parent).and_then(|p| self.get(p));
            let above = above.and_then(Record::newest_version).map(|version| version.path.clone());
            let path = Path::child(above.as_ref(), &record.code);
            let Some(mut version) = record.newest_version().cloned() else { continue };
            (version.path, version.from) = (path, from);
            if *one == id {
                record.versions.pop();
            }
            record.versions.push(version);
            record.seq = seq;
            self.put(record);
        }
        touched
    }
}
