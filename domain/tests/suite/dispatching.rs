//! Previews of dispatching: where a matter would go, and why.

use domain::{
    area::tree::AreaKind,
    core::id::AreaId,
    rules::{
        admission::{Admissions, EntryKind, NOT_ADMITTED},
        dispatch_preview::{Lists, Preview, StepName, Way, preview_dispatch},
        responsibility::{Item, Lead, Responsibilities},
    },
};

use super::{
    lists::{CATALOGUE, day, entry, item, suffix_lead},
    world::{
        CITY, COMMUNITY, DISTRICT, GRID, MARKET, NOWHERE, SQUAD, STREET, STREET_BESIDE, TRAFFIC,
        URBAN, URBAN_BESIDE, WORLD, unit,
    },
};
use StepName as S;

/// Previews a matter A01 at a place with this one item, and passes the result to the checker.
fn check_preview(
    item: impl IntoIterator<Item = Item>,
    admissions: &Admissions,
    place: AreaId,
    check: impl Fn(Preview<'_>, Vec<StepName>),
) {
    let responsibilities = Responsibilities { items: item.into_iter().collect() };
    let (catalogue, areas) = (&*CATALOGUE, &WORLD.areas);
    let lists = Lists { catalogue, areas, responsibilities: &responsibilities, admissions };
    let preview = preview_dispatch(Some("A01"), place, &lists, day(6, 1)).unwrap();
    let steps = preview.steps.iter().map(|step| step.name).collect();
    check(preview, steps);
}

fn led_by(lead: Lead) -> Item {
    let cooperating = vec![suffix_lead("sc")];
    Item { lead, cooperating, ..item("1", "A", None, None) }
}

fn standard_admissions() -> Admissions {
    Admissions::standard()
}

#[test]
fn a_lead_within_the_street_is_dispatched_to() {
    check_preview([led_by(suffix_lead("zf"))], &standard_admissions(), GRID, |preview, steps| {
        assert_eq!((preview.way, &preview.target), (Way::Dispatch, &unit(SQUAD)));
        assert_eq!(preview.level, AreaKind::Street);
        assert_eq!(preview.cooperating, [unit(MARKET)]);
        assert_eq!(preview.rule.unwrap().code, "1");
        let why = [S::Placed, S::Classed, S::ItemFound, S::LeadFound, S::CooperatingFound];
        assert_eq!(steps, [&why[..], &[S::WithinStreet]].concat());
        assert_eq!(preview.steps[1].facts[1], ("name", "类别A01".to_owned()));
        assert_eq!(preview.steps[2].facts[1], ("basis", "城市管理条例第十条".to_owned()));
    });
}

#[test]
fn a_department_that_serves_the_street_is_whistled_for() {
    for (lead, id) in [(suffix_lead("cg"), URBAN), (suffix_lead("jt"), TRAFFIC)] {
        check_preview([led_by(lead)], &standard_admissions(), COMMUNITY, |preview, steps| {
            assert_eq!((preview.way, &preview.target), (Way::Whistle, &unit(id)));
            assert_eq!(steps.last(), Some(&S::ServesStreet));
        });
    }
}

#[test]
fn anybody_else_is_reached_through_whoever_is_above_both() {
    let cases = [(Lead::Unit(URBAN_BESIDE), CITY), (Lead::Unit(STREET_BESIDE), CITY)];
    for (lead, above) in cases.into_iter().chain([(Lead::Unit(DISTRICT), DISTRICT)]) {
        check_preview([led_by(lead)], &standard_admissions(), GRID, |preview, steps| {
            assert_eq!((preview.way, &preview.target), (Way::Escalate, &unit(above)));
            assert_eq!(steps.last(), Some(&S::BeyondStreet));
        });
    }
    check_preview([led_by(Lead::Unit(TRAFFIC))], &standard_admissions(), DISTRICT, |preview, _| {
        assert_eq!(preview.way, Way::Escalate, "only a street whistles");
    });
    check_preview([led_by(Lead::Unit(URBAN))], &standard_admissions(), DISTRICT, |preview, _| {
        assert_eq!(preview.way, Way::Dispatch, "a district dispatches to its departments");
    });
}

#[test]
fn what_nobody_leads_falls_to_the_district() {
    check_preview(None, &standard_admissions(), GRID, |preview, steps| {
        assert_eq!((preview.way, &preview.target), (Way::Backstop, &unit(DISTRICT)));
        assert_eq!((preview.level, preview.lead), (AreaKind::District, None));
        assert_eq!(steps, [S::Placed, S::Classed, S::NoItem, S::Backstopped]);
    });
    check_preview(
        [led_by(suffix_lead("zf"))],
        &standard_admissions(),
        STREET_BESIDE,
        |preview, steps| {
            assert_eq!(preview.way, Way::Backstop);
            assert_eq!(steps, [S::Placed, S::Classed, S::ItemFound, S::NoLead, S::Backstopped]);
        },
    );
    check_preview(None, &standard_admissions(), CITY, |preview, _| {
        assert_eq!(preview.target, unit(CITY));
    });
}

#[test]
fn a_community_is_given_only_what_is_listed() {
    let community = || {
        let level = Some(AreaKind::Community);
        Some(Item { lead: Lead::Territory, ..item("1", "A", None, level) })
    };
    let listed = entry("L", EntryKind::Assist, "A", None);
    let negative = entry("N", EntryKind::Negative, "A01", None);
    let list = |entries| Admissions { entries, enforced: true };
    check_preview(community(), &list(vec![listed.clone()]), GRID, |preview, steps| {
        assert_eq!((preview.way, &preview.target), (Way::Dispatch, &unit(COMMUNITY)));
        assert_eq!((preview.refusal, preview.level), (None, AreaKind::Community));
        assert_eq!(steps.last(), Some(&S::Admission));
    });
    for refusing in [list(vec![]), list(vec![listed, negative])] {
        check_preview(community(), &refusing, GRID, |preview, _| {
            assert_eq!(preview.refusal, Some(NOT_ADMITTED));
            assert_eq!((preview.way, &preview.target), (Way::Escalate, &unit(STREET)));
            assert_eq!(preview.lead, Some(unit(COMMUNITY)));
        });
        check_preview([led_by(suffix_lead("zf"))], &refusing, GRID, |preview, steps| {
            assert_eq!(preview.refusal, None, "a squad of the street is no community");
            assert!(preview.admission.refuses_dispatch() && !steps.contains(&S::Admission));
        });
    }
}

#[test]
fn a_place_is_a_territory_and_a_matter_may_be_unclassed() {
    let (responsibilities, admissions) = (Responsibilities::default(), standard_admissions());
    let (catalogue, areas) = (&*CATALOGUE, &WORLD.areas);
    let lists =
        Lists { catalogue, areas, responsibilities: &responsibilities, admissions: &admissions };
    assert_eq!(preview_dispatch(None, NOWHERE, &lists, day(6, 1)), None);
    assert_eq!(preview_dispatch(None, URBAN, &lists, day(6, 1)), None);
    let unclassed = preview_dispatch(None, GRID, &lists, day(6, 1)).unwrap();
    assert_eq!(unclassed.steps[1].facts, []);
    assert_eq!(unclassed.way, Way::Backstop);
}
