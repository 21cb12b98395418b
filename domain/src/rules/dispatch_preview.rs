//! Where a matter would go, and why: a preview for the dispatcher, which changes nothing.
//!
//! The list of powers and duties names the lead. A lead within the street of the place is
//! dispatched to; one outside it is summoned by a whistle, or the case is sent up. A matter without
//! an item goes to the district, the backstop (兜底). A community is given only what the list of
//! admissions allows.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{
    area::tree::{Area, AreaKind, AreaTree, Unit},
    core::{id::AreaId, labelled_enum::labelled_enum},
    rules::{
        admission::{Admissions, NOT_ADMITTED, Verdict, is_guarded},
        catalogue::Catalogue,
        condition::Query,
        responsibility::{Answer, Item, Responsibilities},
    },
};

labelled_enum! {
    /// How the matter gets there.
    Way {
        /// Dispatched within the street.
        Dispatch = "dispatch", "派遣";
        /// A department that serves the street is summoned by it.
        Whistle = "whistle", "吹哨";
        /// Sent up to the level that may decide about the unit.
        Escalate = "escalate", "上报";
        /// Given to the district, because no item says otherwise.
        Backstop = "backstop", "兜底";
    }
}

labelled_enum! {
    /// One step of the reasoning.
    StepName {
        /// The place is known.
        Placed = "placed", "确定地点";
        /// The category is known; `category` is missing when the matter has none yet.
        Classed = "classed", "确定类别";
        /// An item of the list covers it.
        ItemFound = "item_found", "权责清单有规定";
        /// No item covers it.
        NoItem = "no_item", "权责清单无规定";
        /// The lead named by the item.
        LeadFound = "lead_found", "确定主办";
        /// The item's lead does not exist for this place.
        NoLead = "no_lead", "主办单位不存在";
        /// The co-operating units named by the item.
        CooperatingFound = "cooperating_found", "确定协办";
        /// The lead lies within the street.
        WithinStreet = "within_street", "在本街道内";
        /// The lead lies outside the street and serves it.
        ServesStreet = "serves_street", "街道之外、服务本街道";
        /// The lead lies outside the street and does not answer to its whistle.
        BeyondStreet = "beyond_street", "街道之外";
        /// The answer of the list of admissions.
        Admission = "admission", "社区事项准入";
        /// It falls to the district.
        Backstopped = "backstopped", "区级兜底";
    }
}

/// One step of the reasoning, with its facts by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The kind of step.
    pub name: StepName,
    /// Codes, names and texts.
    pub facts: Vec<(&'static str, String)>,
}

/// The inputs of a preview.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// Kinds of matter.
    pub catalogue: &'a Catalogue,
    /// Territories and units.
    pub areas: &'a AreaTree,
    /// The list of powers and duties, which says who leads.
    pub responsibilities: &'a Responsibilities,
    /// Admissions of matters to communities.
    pub admissions: &'a Admissions,
}

/// Where a matter would go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preview<'a> {
    /// The level that handles.
    pub level: AreaKind,
    /// The next unit: the lead, or the one that decides about it.
    pub target: Unit,
    /// How the matter gets there.
    pub way: Way,
    /// The lead; none when no item names one.
    pub lead: Option<Unit>,
    /// The co-operating units.
    pub cooperating: Vec<Unit>,
    /// The item that decided, with its code and basis; none for the backstop.
    pub rule: Option<&'a Item>,
    /// The answer of the list of admissions for the place, whatever the target is.
    pub admission: Verdict<'a>,
    /// The code with which the lead, a community or grid, would be refused.
    pub refusal: Option<&'static str>,
    /// The reasoning, in order.
    pub steps: Vec<Step>,
}

/// Where a matter of this category at this place would go on this day; none when the place is no
/// territory of the tenant.
pub fn preview_dispatch<'a>(
    category: Option<&str>,
    place: AreaId,
    lists: &Lists<'a>,
    on: NaiveDate,
) -> Option<Preview<'a>> {
    let area = lists.areas.get(place).filter(|area| area.kind != AreaKind::Department)?;
    let query = Query::new((category, lists.catalogue), (place, lists.areas), on);
    let mut steps = vec![place_step(area), category_step(category, lists.catalogue)];
    let item = lists.responsibilities.select_item(&query);
    steps.push(item.map_or_else(|| new_step(StepName::NoItem, []), item_step));
    let admission = lists.admissions.find_verdict(&query);
    let Some(answer) = lists.responsibilities.find(&query, lists.areas) else {
        if let Some(item) = item {
            steps.push(new_step(StepName::NoLead, [("item", item.code.clone())]));
        }
        return Some(preview_backstop(area, lists.areas, admission, steps));
    };
    steps.extend(unit_steps(&answer));
    Some(preview_route(area, answer, lists.areas, admission, steps))
}

fn new_step<const N: usize>(name: StepName, facts: [(&'static str, String); N]) -> Step {
    Step { name, facts: facts.into() }
}

fn place_step(area: &Area) -> Step {
    let facts = [("area", area.name.clone()), ("code", area.code.clone())];
    new_step(StepName::Placed, facts)
}

fn category_step(category: Option<&str>, catalogue: &Catalogue) -> Step {
    let name = |code| catalogue.get(code).map(|category| ("name", category.name.clone()));
    let facts = category.map(|code| ("category", code.to_owned())).into_iter();
    Step { name: StepName::Classed, facts: facts.chain(category.and_then(name)).collect() }
}

fn item_step(item: &Item) -> Step {
    let facts = [
        ("item", item.code.clone()),
        ("basis", item.basis.clone()),
        ("category", item.category.clone()),
    ];
    new_step(StepName::ItemFound, facts)
}

fn unit_steps(answer: &Answer<'_>) -> Vec<Step> {
    let unit = |unit: &Unit| ("unit", unit.name.clone());
    let mut steps = vec![new_step(StepName::LeadFound, [unit(&answer.lead)])];
    if !answer.cooperating.is_empty() {
        let facts = answer.cooperating.iter().map(unit).collect();
        steps.push(Step { name: StepName::CooperatingFound, facts });
    }
    steps
}

/// The district, or the area nearest to one where the place lies above or outside all districts.
fn preview_backstop<'a>(
    area: &Area,
    tree: &AreaTree,
    admission: Verdict<'a>,
    mut steps: Vec<Step>,
) -> Preview<'a> {
    let district = tree.nearest_of_kind(area.id, AreaKind::District);
    let target =
        district.or_else(|| tree.nearest_of_kind(area.id, AreaKind::City)).unwrap_or(area).unit();
    steps.push(new_step(StepName::Backstopped, [("unit", target.name.clone())]));
    Preview {
        level: target.kind,
        target,
        way: Way::Backstop,
        lead: None,
        cooperating: Vec::new(),
        rule: None,
        admission,
        refusal: None,
        steps,
    }
}

fn preview_route<'a>(
    area: &Area,
    answer: Answer<'a>,
    tree: &AreaTree,
    admission: Verdict<'a>,
    mut steps: Vec<Step>,
) -> Preview<'a> {
    let Answer { item, lead, cooperating } = answer;
    let (mut way, mut target, reason) = choose_route(area, &lead, tree);
    steps.push(new_step(reason, [("unit", lead.name.clone())]));
    let guarded = seat_level(&lead, tree);
    let mut refusal = None;
    if guarded.is_some_and(is_guarded) {
        let entry = admission.entry().map(|entry| ("entry", entry.code.clone()));
        let facts = [("verdict", admission.name().to_owned())].into_iter().chain(entry).collect();
        steps.push(Step { name: StepName::Admission, facts });
        if admission.refuses_dispatch() {
            refusal = Some(NOT_ADMITTED);
            (way, target) = (Way::Escalate, find_decider(area, tree));
        }
    }
    let level = item.level.or(guarded).unwrap_or(target.kind);
    let lead = Some(lead);
    Preview { level, target, way, lead, cooperating, rule: Some(item), admission, refusal, steps }
}

/// The level of a unit: for a department that of its territory.
fn seat_level(unit: &Unit, tree: &AreaTree) -> Option<AreaKind> {
    match unit.kind {
        AreaKind::Department => tree.parent(unit.id).map(|area| area.kind),
        AreaKind::City
        | AreaKind::District
        | AreaKind::Street
        | AreaKind::Community
        | AreaKind::Grid => Some(unit.kind),
    }
}

/// The area that dispatches for the place: its street, or the place itself where it lies above
/// streets.
fn find_dispatcher<'a>(area: &'a Area, tree: &'a AreaTree) -> &'a Area {
    tree.nearest_of_kind(area.id, AreaKind::Street).unwrap_or(area)
}

fn find_decider(area: &Area, tree: &AreaTree) -> Unit {
    find_dispatcher(area, tree).unit()
}

fn choose_route(area: &Area, lead: &Unit, tree: &AreaTree) -> (Way, Unit, StepName) {
    let street = find_dispatcher(area, tree);
    if street.path.contains(&lead.path) {
        return (Way::Dispatch, lead.clone(), StepName::WithinStreet);
    }
    let seat = tree.parent(lead.id).filter(|_| lead.kind == AreaKind::Department);
    let serves = seat.is_some_and(|seat| seat.path.contains(&street.path));
    if serves && street.kind == AreaKind::Street {
        return (Way::Whistle, lead.clone(), StepName::ServesStreet);
    }
    (Way::Escalate, lowest_above(street, lead, tree), StepName::BeyondStreet)
}

/// The lowest territory above the street that contains the unit: it may dispatch to the unit.
fn lowest_above(street: &Area, lead: &Unit, tree: &AreaTree) -> Unit {
    let above = std::iter::successors(Some(street), |area| tree.parent(area.id));
    let mut holding = above.filter(|area| area.path.contains(&lead.path));
    holding.next().map_or_else(|| street.unit(), Area::unit)
}
