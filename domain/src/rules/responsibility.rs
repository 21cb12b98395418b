//! The list of powers and duties (权责清单): which department leads a kind of matter, which units help,
//! and at which level it is handled.
//!
//! A list is a document of a tenant. [`Responsibilities::check`] reports its faults; a list without
//! faults answers every query with at most one item, whatever the order of its items.

mod import;

use serde::{Deserialize, Serialize};

use crate::{
    area::tree::{Area, AreaKind, AreaTree, Unit},
    core::{
        id::AreaId,
        tabular_import::{At, Fault, Faults, MAX_FAULTS},
    },
    rules::{
        catalogue::Catalogue,
        condition::{Condition, Distance, Period, Query, find_ties, select_most_specific},
    },
};

/// A unit that leads or helps.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lead {
    /// This unit, wherever the matter is.
    Unit(AreaId),
    /// The department with this suffix, as categories name it, of the street, district or city of
    /// the place; the nearest that has one.
    Suffix(String),
    /// The territory itself (属地): the community, street or district at the level of the item that
    /// contains the place.
    Territory,
}

/// One line of the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its code in the list.
    pub code: String,
    /// A sub-class, or a class with all its sub-classes.
    pub category: String,
    /// In this area and all in it; without one, everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<AreaId>,
    /// The level that handles it: a community, a street, a district or the city; without it, any of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<AreaKind>,
    /// The lead (主办).
    pub lead: Lead,
    /// The units that help and answer to the lead (协办).
    #[serde(default)]
    pub cooperating: Vec<Lead>,
    /// The law or decision it is based on.
    pub basis: String,
    /// The office responsible for this line of the list.
    pub owner: String,
    /// When it is in force.
    pub period: Period,
}

/// The list as published by a tenant (权责清单).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Responsibilities {
    /// The items, in any order.
    pub items: Vec<Item>,
}

/// The answer of the list about a matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer<'a> {
    /// The item that decided.
    pub item: &'a Item,
    /// The unit that leads.
    pub lead: Unit,
    /// The units that help: no unit twice, and never the lead.
    pub cooperating: Vec<Unit>,
}

impl Lead {
    /// The unit for a place, which is given as its areas from the deepest to the root.
    pub fn resolve_unit(
        &self,
        areas: &[AreaId],
        level: Option<AreaKind>,
        tree: &AreaTree,
    ) -> Option<Unit> {
        match self {
            // A list outlives its units: it then means their successors.
            Self::Unit(id) => tree.find_present(*id).map(Area::unit),
            Self::Suffix(suffix) => {
                let mut around = areas.iter().filter_map(|id| tree.get(*id));
                around.find_map(|area| find_department(area, suffix, tree)).map(Area::unit)
            }
            Self::Territory => {
                let mut around = areas.iter().filter_map(|id| tree.get(*id));
                around.find(|area| Some(area.kind) == level).map(Area::unit)
            }
        }
    }

    /// Whether both mean the same unit somewhere.
    fn is_same(&self, other: &Self, tree: &AreaTree) -> bool {
        match (self, other) {
            (Self::Unit(id), Self::Suffix(suffix)) | (Self::Suffix(suffix), Self::Unit(id)) => tree
                .parent(*id)
                .and_then(|parent| find_department(parent, suffix, tree))
                .is_some_and(|area| area.id == *id),
            (
                Self::Unit(_) | Self::Suffix(_) | Self::Territory,
                Self::Unit(_) | Self::Suffix(_) | Self::Territory,
            ) => self == other,
        }
    }
}

/// The department of a territory with this suffix.
fn find_department<'a>(area: &Area, suffix: &str, tree: &'a AreaTree) -> Option<&'a Area> {
    let found = tree.find_by_code(&format!("{}-{suffix}", area.code))?;
    let serves = found.kind == AreaKind::Department && found.parent == Some(area.id);
    (serves && !tree.is_retired(found.id)).then_some(found)
}

impl Item {
    fn condition(&self) -> Condition<'_> {
        let Self { category, area, level, period, .. } = self;
        Condition { category, area: *area, level: *level, period: *period }
    }
}

impl Responsibilities {
    /// The item that covers a query, whether or not its lead exists there.
    ///
    /// At a level, the most specific item of that level or of none. Without a level all levels are
    /// tried: the item for the narrower matter and place wins, then one that names its level, then
    /// the lowest level, because small matters stay in the community.
    pub fn select_item(&self, query: &Query) -> Option<&Item> {
        const LEVELS: [AreaKind; 5] = [
            AreaKind::Grid,
            AreaKind::Community,
            AreaKind::Street,
            AreaKind::District,
            AreaKind::City,
        ];
        if query.level.is_some() {
            return self.select_at(query).map(|(item, _)| item);
        }
        let answers: Vec<(&Item, Distance)> =
            LEVELS.iter().filter_map(|level| self.select_at(&query.at_level(*level))).collect();
        let beaten = |one: Distance| answers.iter().any(|(_, other)| other.place_beats(one));
        let best =
            || answers.iter().filter(|(_, distance)| !beaten(*distance)).map(|(item, _)| *item);
        best().find(|item| item.level.is_some()).or_else(|| best().next())
    }

    /// Ties, which a checked list does not have, are broken by the code.
    fn select_at(&self, query: &Query) -> Option<(&Item, Distance)> {
        let applies = |item| Some((item, Item::condition(item).distance_to(query)?));
        let applying: Vec<(&Item, Distance)> = self.items.iter().filter_map(applies).collect();
        select_most_specific(&applying).into_iter().min_by_key(|(item, _)| &item.code)
    }

    /// The lead and the units that help; none when no item covers the query or its lead does not
    /// exist there. Helpers that do not exist there are left out.
    pub fn find(&self, query: &Query, tree: &AreaTree) -> Option<Answer<'_>> {
        let item = self.select_item(query)?;
        let level = item.level.or(query.level);
        let lead = item.lead.resolve_unit(&query.areas, level, tree)?;
        let mut cooperating: Vec<Unit> = Vec::new();
        for helper in &item.cooperating {
            let Some(unit) = helper.resolve_unit(&query.areas, level, tree) else { continue };
            if unit != lead && !cooperating.contains(&unit) {
                cooperating.push(unit);
            }
        }
        Some(Answer { item, lead, cooperating })
    }

    /// Everything that is wrong, up to [`MAX_FAULTS`]; empty when it may be published.
    pub fn check(&self, catalogue: &Catalogue, tree: &AreaTree) -> Vec<Fault> {
        let mut faults = Faults::for_list("items");
        faults.check_row_count(self.items.len());
        if !faults.is_empty() {
            return faults.into_vec();
        }
        let codes: Vec<&str> = self.items.iter().map(|item| item.code.as_str()).collect();
        faults.check_unique_codes(&codes);
        for (index, item) in self.items.iter().enumerate() {
            item.check(At::Row(index), (catalogue, tree), &mut faults);
            item.check_units(At::Row(index), tree, &mut faults);
        }
        let conditions = self.items.iter().map(Item::condition);
        for (first, second) in find_ties(conditions, (catalogue, tree), |_, _| false, MAX_FAULTS) {
            let code = |index| self.items.get(index).map_or("", |item: &Item| item.code.as_str());
            let fault = Fault::new(At::Row(second), ("category", "tie"), code(second));
            let first = code(first);
            let zh = format!("比“{first}”更具体或更一般的条件");
            faults.push(fault.with_expected(
                zh,
                format!("conditions more specific or more general than those of {first}"),
            ));
        }
        faults.into_vec()
    }
}

impl Item {
    fn check(&self, at: At, (catalogue, tree): (&Catalogue, &AreaTree), faults: &mut Faults) {
        faults.check_code(at, "code", &self.code);
        faults.check_prose(at, "basis", &self.basis);
        faults.check_line(at, "owner", &self.owner);
        faults.check_condition(at, &self.condition(), (catalogue, tree));
        if self.level.is_some_and(|level| matches!(level, AreaKind::Grid | AreaKind::Department)) {
            let name = self.level.map_or("", AreaKind::name);
            let fault = Fault::new(at, ("level", "unknown_level"), name);
            faults.push(
                fault.with_expected("社区、街道、区县或市", "community, street, district or city"),
            );
        }
    }

    fn check_units(&self, at: At, tree: &AreaTree, faults: &mut Faults) {
        self.check_lead(at, "lead", &self.lead, tree, faults);
        for (place, helper) in self.cooperating.iter().enumerate() {
            self.check_lead(at, "cooperating", helper, tree, faults);
            let before = self.cooperating.iter().take(place);
            let code = if helper.is_same(&self.lead, tree) {
                "lead_cooperates"
            } else if before.into_iter().any(|other| other.is_same(helper, tree)) {
                "named_twice"
            } else {
                continue;
            };
            let fault = Fault::new(at, ("cooperating", code), &helper.render_cell(tree));
            let zh = "每个单位只列一次、主办单位不再列为协办";
            faults.push(fault.with_expected(
                zh,
                "each unit only once, and the lead not among the cooperating units",
            ));
        }
    }

    /// Checks that a unit exists, and that some department has a suffix where the item applies.
    fn check_lead(
        &self,
        at: At,
        column: &'static str,
        lead: &Lead,
        tree: &AreaTree,
        faults: &mut Faults,
    ) {
        let (code, zh, en) = match lead {
            Lead::Unit(id) if tree.get(*id).is_none() => {
                ("unknown_unit", "本市（县）已有的单位", "a unit of this tenant")
            }
            Lead::Suffix(suffix) if !self.has_department(suffix, tree) => (
                "unknown_unit",
                "服务该区域的部门后缀",
                "the suffix of a department that serves the area",
            ),
            Lead::Territory if self.level.is_none() => (
                "level_missing",
                "层级（属地主办或协办时必填）",
                "a level (required when the territory itself leads or cooperates)",
            ),
            Lead::Unit(_) | Lead::Suffix(_) | Lead::Territory => return,
        };
        faults.push(Fault::new(at, (column, code), &lead.render_cell(tree)).with_expected(zh, en));
    }

    fn has_department(&self, suffix: &str, tree: &AreaTree) -> bool {
        let serves = |area: &&Area| match self.area.and_then(|id| tree.get(id)) {
            Some(place) => area.path.contains(&place.path) || place.path.contains(&area.path),
            None => true,
        };
        tree.iter().filter(serves).any(|area| find_department(area, suffix, tree).is_some())
    }
}

impl Lead {
    /// The form in a table: a code, a suffix, or `territory`.
    fn render_cell(&self, tree: &AreaTree) -> String {
        match self {
            Self::Unit(id) => {
                tree.get(*id).map_or_else(|| id.to_string(), |area| area.code.clone())
            }
            Self::Suffix(suffix) => suffix.clone(),
            Self::Territory => "territory".to_owned(),
        }
    }
}
