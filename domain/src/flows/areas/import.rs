//! Areas from a file: the whole file is checked, then all rows are applied or none.
//!
//! A row whose code is known is that area: it is given the count and the boundary of the file
//! where they differ, and another name only where the row says what it was called before, because
//! lists of another year give codes to other places. It is not moved: that is a command of its own.

mod comparison;
mod table;

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{
    area::{
        boundary::{self, Drawn},
        locate::Rings,
        tree::{
            AreaKind, GridKind, Path, Scheme,
            history::{Outline, Record, Registry, Version},
        },
    },
    core::{
        id::AreaId,
        journal::Hash,
        labelled_enum::labelled_enum,
        tabular_import::{At, Fault, Faults},
    },
    flows::{
        areas::{Decided, Event},
        flow::Context,
    },
    people::actor::Permission,
    rules::refusal::Refusal,
};

pub(crate) use self::table::{GRID_KINDS, parse_level};
pub use self::{
    comparison::{Comparison, MovedCode, Namesakes, OtherName, compare_with_known},
    table::{parse_territories, parse_units},
};

/// The most rows of a file.
pub const MAX_ROWS: usize = 100_000;

/// One row of a file.
#[derive(Clone, PartialEq, Debug)]
pub struct Given {
    /// Its place in the file.
    pub at: At,
    /// The code by which the row finds its area.
    pub code: String,
    /// The name in the file.
    pub name: String,
    /// The kind of the area.
    pub kind: AreaKind,
    /// The code of the area above; none for the root.
    pub parent: Option<String>,
    /// For a grid: its purpose.
    pub grid: Option<GridKind>,
    /// The number of households.
    pub households: Option<u32>,
    /// Its boundary, if the file has it.
    pub boundary: Option<Rings>,
    /// What it was called until now, where the file renames it.
    pub former_name: Option<String>,
}

labelled_enum! {
    /// The effect of a row.
    Doing {
        /// Creates an area.
        Added = "added", "新增";
        /// Changes an area that exists.
        Updated = "updated", "更新";
        /// Agrees with the known area.
        Unchanged = "unchanged", "未变";
        /// Stands for no area: 市辖区 and 县 of a municipality.
        PassedOver = "passed_over", "略过";
    }
}

/// How a file is imported.
#[derive(Clone, Copy, Debug)]
pub struct Taking<'a> {
    /// The name of the file.
    pub source: &'a str,
    /// The day it takes effect.
    pub from: NaiveDate,
    /// Whether crossings of boundaries may be resolved.
    pub repair: bool,
}

/// The result of planning an import.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The decision to be written.
    pub decided: Decided,
    /// The effect of each row, in the order of the file.
    pub rows: Vec<(At, String, Doing)>,
    /// The areas after the import.
    pub registry: Registry,
}

impl Plan {
    /// The number of rows with this effect.
    pub fn count_rows(&self, doing: Doing) -> usize {
        self.rows.iter().filter(|(.., what)| *what == doing).count()
    }
}

/// Why a file is not imported.
#[derive(Clone, PartialEq, Debug)]
pub enum Refused {
    /// These rows are wrong.
    Faults(Vec<Fault>),
    /// The rules refuse the actor or the change.
    Rule(Refusal),
}

/// The state of planning.
struct Planning<'a> {
    registry: Registry,
    taking: Taking<'a>,
    cx: &'a Context<'a>,
    decided: Decided,
    faults: Faults,
    digest: String,
    /// Codes of rows that are wrong: the rows below them are not reported as well.
    wrong: HashSet<String>,
}

/// Plans the import of a file; `id` makes identities.
pub fn plan(
    registry: &Registry,
    mut given: Vec<Given>,
    taking: Taking<'_>,
    cx: &Context<'_>,
    id: &mut dyn FnMut() -> AreaId,
) -> Result<Plan, Refused> {
    let (decided, faults) = (Decided::default(), Faults::default());
    let registry = registry.clone();
    let mut planning = Planning {
        registry,
        taking,
        cx,
        decided,
        faults,
        digest: String::new(),
        wrong: HashSet::new(),
    };
    if given.len() > MAX_ROWS {
        let fault = Fault::new(At::Whole, ("", "too_many_rows"), &given.len().to_string());
        return Err(Refused::Faults(vec![
            fault.with_expected(format!("最多 {MAX_ROWS} 行"), format!("at most {MAX_ROWS} rows")),
        ]));
    }
    planning.check_duplicates(&given);
    let mut rows = pass_over_placeholders(&planning.registry, &mut given);
    // A file need not list parents first.
    given.sort_by_key(|row| (row.kind.rank(), row.grid == Some(GridKind::Micro)));
    rows.reserve(given.len());
    for row in given {
        if planning.faults.is_full() {
            break;
        }
        let (at, code) = (row.at, row.code.clone());
        match planning.plan_row(row, id).map_err(Refused::Rule)? {
            Some(doing) => rows.push((at, code, doing)),
            None => _ = planning.wrong.insert(code),
        }
    }
    if !planning.faults.is_empty() {
        return Err(Refused::Faults(planning.faults.into_vec()));
    }
    rows.sort_by_key(|(at, ..)| *at);
    let mut plan = Plan { decided: planning.decided, rows, registry: planning.registry };
    let (added, updated) = (plan.count_rows(Doing::Added), plan.count_rows(Doing::Updated));
    if added + updated > 0 {
        plan.decided.events.push(Event::Imported {
            source: taking.source.to_owned(),
            added,
            updated,
            from: Some(taking.from),
            digest: Some(Hash::digest(planning.digest.as_bytes()).to_hex()),
        });
    }
    Ok(plan)
}

/// What lists of the statistics bureau put between a municipality and its districts.
const PLACEHOLDERS: [&str; 2] = ["市辖区", "县"];

/// Takes out rows that stand for no area, with what they do: what they say lies in them lies in
/// the municipality.
fn pass_over_placeholders(registry: &Registry, given: &mut Vec<Given>) -> Vec<(At, String, Doing)> {
    let is_root = |code: &str| {
        let record = registry.find_by_code(code);
        record.is_some_and(|r| r.newest_version().is_some_and(|v| v.parent.is_none()))
    };
    let municipalities: HashSet<&str> = given
        .iter()
        .filter(|row| row.kind == AreaKind::City && row.code.len() == 2)
        .map(|row| row.code.as_str())
        .collect();
    let stands_for = |row: &Given| {
        let unreal = row.kind == AreaKind::City
            && row.code.len() == 4
            && PLACEHOLDERS.contains(&row.name.trim());
        let above = row.parent.as_deref().filter(|_| unreal)?;
        if is_root(&row.code) {
            return Some(row.code.clone());
        }
        let known = is_root(above) || (registry.is_empty() && municipalities.contains(above));
        known.then(|| above.to_owned())
    };
    let places: HashMap<String, String> =
        given.iter().filter_map(|row| Some((row.code.clone(), stands_for(row)?))).collect();
    if places.is_empty() {
        return Vec::new();
    }
    let mut passed = Vec::new();
    given.retain(|row| {
        let stays = !(places.contains_key(&row.code) && row.kind == AreaKind::City);
        if !stays {
            passed.push((row.at, row.code.clone(), Doing::PassedOver));
        }
        stays
    });
    for row in given {
        let place = row.parent.as_ref().and_then(|parent| places.get(parent));
        row.parent = place.cloned().or_else(|| row.parent.take());
    }
    passed
}

/// What would be right, in Chinese and English.
type Right = (String, String);

fn new_right(zh: impl Into<String>, en: impl Into<String>) -> Right {
    (zh.into(), en.into())
}

impl Planning<'_> {
    fn push_fault(
        &mut self,
        row: &Given,
        at: (&'static str, &'static str),
        given: &str,
        (zh, en): Right,
    ) {
        self.faults.push(Fault::new(row.at, at, given).with_expected(zh, en));
    }

    fn check_duplicates(&mut self, given: &[Given]) {
        let mut seen: HashMap<&str, At> = HashMap::new();
        for row in given {
            if let Some(first) = seen.insert(&row.code, row.at) {
                let right = match first {
                    At::Line(line) => new_right(
                        format!("与第 {line} 行不同的代码"),
                        format!("a code different from that of line {line}"),
                    ),
                    At::Row(number) => new_right(
                        format!("与第 {number} 条（从 0 起）不同的代码"),
                        format!("a code different from that of row {number} (counted from 0)"),
                    ),
                    At::Whole => new_right("不同的代码", "a different code"),
                };
                self.push_fault(row, ("code", "duplicate_code"), &row.code, right);
            }
        }
    }

    /// Plans one row; none when it is wrong.
    fn plan_row(
        &mut self,
        row: Given,
        id: &mut dyn FnMut() -> AreaId,
    ) -> Result<Option<Doing>, Refusal> {
        let before = self.faults.len();
        self.faults.check_line(row.at, "name", &row.name);
        let scheme = Scheme::detect(row.kind, &row.code);
        if scheme.is_none() {
            let (zh, en) = Scheme::expected_form(row.kind);
            let right = new_right(zh, en);
            self.push_fault(&row, ("code", "bad_code"), &row.code, right);
        }
        let boundary = self.check_boundary(&row);
        let known = self.registry.find_by_code(&row.code).cloned();
        if let Some(known) = &known {
            self.check_name(&row, known);
        }
        let mut row = row;
        if self.is_root(&row, known.as_ref()) {
            // The area above a city or county is not in the file.
            row.parent = None;
        }
        let above = match &row.parent {
            Some(code) => self.find_parent(&row, code),
            None => None,
        };
        if row.parent.is_none() && known.is_none() && !self.registry.is_empty() {
            self.push_fault(
                &row,
                ("parent_code", "missing_parent"),
                "",
                new_right("上级区划的代码", "the code of the parent area"),
            );
        }
        if let Some(known) = &known {
            self.check_existing(&row, known);
        }
        let lost = row.parent.is_some() && above.is_none();
        let sound = self.faults.len() == before && !lost;
        let (Some(scheme), true) = (scheme, sound) else { return Ok(None) };
        if let Some(known) = known {
            return self.update_area(row, known, boundary).map(Some);
        }
        self.add_area(row, (id(), scheme), above, boundary)?;
        Ok(Some(Doing::Added))
    }

    fn is_root(&self, row: &Given, known: Option<&Record>) -> bool {
        let high = matches!(row.kind, AreaKind::City | AreaKind::District);
        let first = self.registry.is_empty();
        let root = |record: &Record| record.newest_version().is_some_and(|v| v.parent.is_none());
        let unknown = row.parent.as_ref().is_some_and(|p| self.registry.find_by_code(p).is_none());
        high && unknown && known.map_or(first, root)
    }

    fn find_parent(&mut self, row: &Given, code: &str) -> Option<Record> {
        let Some(above) = self.registry.find_by_code(code).cloned() else {
            if self.wrong.contains(code) {
                return None;
            }
            let right = new_right(
                "本文件中或已有的区划代码",
                "the code of an area in this file or of an existing one",
            );
            self.push_fault(row, ("parent_code", "unknown_parent"), code, right);
            return None;
        };
        let micro = row.grid == Some(GridKind::Micro) && above.kind == AreaKind::Grid;
        let served = row.kind != AreaKind::Department || above.kind != AreaKind::Grid;
        if !(micro || above.kind.rank() < row.kind.rank() && served) {
            let right = new_right(
                format!("可以下辖{}的区划", row.kind.label()),
                format!("an area that can contain a {}", row.kind.name()),
            );
            self.push_fault(row, ("parent_code", "wrong_level"), code, right);
        } else if above.until.is_some() {
            let right =
                new_right("尚未撤销的区划的代码", "the code of an area that is not retired");
            self.push_fault(row, ("parent_code", "retired"), code, right);
        } else if above.newest_version().is_some_and(|version| version.from > self.taking.from) {
            let right =
                new_right("在生效日已存在的区划", "an area that exists on the effective date");
            self.push_fault(row, ("parent_code", "later"), code, right);
        }
        Some(above)
    }

    /// Checks that a row does not change what must stay the same.
    fn check_existing(&mut self, row: &Given, known: &Record) {
        if known.kind != row.kind {
            let right = new_right(
                format!("现有级别“{}”", known.kind.label()),
                format!("the existing level, {}", known.kind.name()),
            );
            self.push_fault(row, ("kind", "other_kind"), row.kind.name(), right);
        }
        if known.until.is_some() {
            let right = new_right(
                "新的代码（用过的不再分配）",
                "a new code (a used one is not assigned again)",
            );
            self.push_fault(row, ("code", "retired"), &row.code, right);
        }
        let Some(version) = known.newest_version() else { return };
        if version.from > self.taking.from {
            let right = new_right(
                format!("不早于 {} 的生效日期", version.from),
                format!("an effective date not before {}", version.from),
            );
            self.push_fault(row, ("code", "decided_already"), &row.code, right);
        }
        let parent = version.parent.and_then(|parent| self.registry.get(parent));
        let parent = parent.map(|parent| parent.code.clone());
        if let (Some(given), Some(parent)) = (&row.parent, parent)
            && *given != parent
        {
            let right = new_right(
                format!("{parent}（变更隶属请用划转）"),
                format!("{parent} (to move an area, use the transfer command)"),
            );
            self.push_fault(row, ("parent_code", "other_parent"), given, right);
        }
    }

    /// A name that is not the area's own is one only where the row says what it was called before.
    fn check_name(&mut self, row: &Given, known: &Record) {
        let Some(version) = known.newest_version() else { return };
        let (now, name) = (&version.name, row.name.trim());
        if known.versions.iter().any(|version| version.name == name) {
            return;
        }
        if version.parent.is_none() && row.parent.is_some() {
            let right = new_right(
                format!("“{now}”：租户自己的区划不随下级清单更名，请用更名"),
                format!("“{now}”: no list of what lies below renames the tenant's own area"),
            );
            self.push_fault(row, ("name", "other_name"), name, right);
            return;
        }
        match row.former_name.as_deref().map(str::trim) {
            Some(former) if former == now => {}
            Some(former) => {
                let right = new_right(
                    format!("{} 现在的名称“{now}”", row.code),
                    format!("“{now}”, as {} is called now", row.code),
                );
                self.push_fault(row, ("former_name", "other_name"), former, right);
            }
            None => {
                let right = new_right(
                    format!("“{now}”；确已更名的，在 former_name（原名）列填写“{now}”"),
                    format!("“{now}”, or “{now}” in former_name where it was renamed"),
                );
                self.push_fault(row, ("name", "other_name"), name, right);
            }
        }
    }

    /// The text of a valid boundary.
    fn check_boundary(&mut self, row: &Given) -> Option<String> {
        match boundary::read_sound(row.boundary.as_ref()?, self.taking.repair) {
            Ok((boundary, _)) => Some(Drawn::new(&boundary).text()),
            Err(faults) => {
                for fault in faults {
                    let at = fault.at.map(|at| format!("{}, {}", at.lng, at.lat));
                    let (polygon, ring) = (fault.polygon, fault.ring);
                    let right = new_right(
                        format!("合格的边界，见第 {polygon} 个多边形第 {ring} 个环（从 0 起）"),
                        format!(
                            "a boundary without faults, see polygon {polygon}, ring {ring} \
                             (counted from 0)"
                        ),
                    );
                    let place = ("geometry", fault.code.name());
                    self.push_fault(row, place, &at.unwrap_or_default(), right);
                }
                None
            }
        }
    }

    fn require_permission(&self, version: &Version) -> Result<(), Refusal> {
        self.cx.require_permission(Permission::ManageAreas, &version.path, &version.name)
    }

    fn push_boundary(&mut self, id: AreaId, text: String) -> Outline {
        let outline = Outline { no: self.cx.seq, digest: Hash::digest(text.as_bytes()).to_hex() };
        self.decided.drawn.push((id, text));
        outline
    }

    fn add_area(
        &mut self,
        row: Given,
        (id, scheme): (AreaId, Scheme),
        above: Option<Record>,
        boundary: Option<String>,
    ) -> Result<(), Refusal> {
        let above = above.as_ref().and_then(Record::newest_version);
        if let Some(above) = above {
            self.require_permission(above)?;
        }
        let boundary = boundary.map(|text| self.push_boundary(id, text));
        let version = Version {
            from: self.taking.from,
            name: row.name.trim().to_owned(),
            parent: row
                .parent
                .as_ref()
                .and_then(|code| self.registry.find_by_code(code))
                .map(|r| r.id),
            path: Path::child(above.map(|above| &above.path), &row.code),
            grid: row.grid.filter(|_| row.kind == AreaKind::Grid),
            households: row.households,
            boundary,
        };
        let record = Record {
            id,
            kind: row.kind,
            code: row.code,
            scheme,
            versions: vec![version],
            until: None,
            predecessors: Vec::new(),
            successors: Vec::new(),
            seq: self.cx.seq,
        };
        self.put_record(record);
        Ok(())
    }

    fn update_area(
        &mut self,
        row: Given,
        mut known: Record,
        boundary: Option<String>,
    ) -> Result<Doing, Refusal> {
        let Some(before) = known.newest_version().cloned() else { return Ok(Doing::Unchanged) };
        let drawn = boundary.filter(|text| {
            let digest = Hash::digest(text.as_bytes()).to_hex();
            before.boundary.as_ref().is_none_or(|outline| outline.digest != digest)
        });
        let mut after = Version {
            from: self.taking.from,
            name: row.name.trim().to_owned(),
            grid: row.grid.or(before.grid),
            households: row.households.or(before.households),
            ..before.clone()
        };
        let same = Version { from: before.from, ..after.clone() } == before;
        if same && drawn.is_none() {
            return Ok(Doing::Unchanged);
        }
        self.require_permission(&before)?;
        if let Some(text) = drawn {
            after.boundary = Some(self.push_boundary(known.id, text));
        }
        known.versions.push(after);
        known.seq = self.cx.seq;
        self.put_record(known);
        Ok(Doing::Updated)
    }

    fn put_record(&mut self, record: Record) {
        self.digest.push_str(&serde_json::to_string(&record).unwrap_or_default());
        self.decided.changed.push(record.clone());
        self.registry.put(record);
    }
}
