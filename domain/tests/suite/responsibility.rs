//! The list of powers and duties: who leads, which item wins, and what is refused.

use domain::{
    area::tree::AreaKind,
    core::{
        id::AreaId,
        tabular_import::{At, MAX_BYTES, MAX_FAULTS},
    },
    rules::{
        condition::Period,
        listed::Listed,
        responsibility::{Item, Lead, Responsibilities},
    },
};
use proptest::{prelude::*, sample::select};

use super::{
    lists::{CATALOGUE, day, item, locate_faults, query, suffix_lead},
    world::{
        CITY, COMMUNITY, DISTRICT, DISTRICT_BESIDE, GRID, MARKET, NOWHERE, SQUAD, STREET,
        STREET_BESIDE, TRAFFIC, URBAN, URBAN_BESIDE, WORLD, unit,
    },
};

fn new_responsibilities(items: Vec<Item>) -> Responsibilities {
    Responsibilities { items }
}

fn find_faults(items: Vec<Item>) -> Vec<(At, &'static str, &'static str)> {
    locate_faults(&new_responsibilities(items).check(&CATALOGUE, &WORLD.areas))
}

fn select_code(items: &[Item], category: &str, area: AreaId, level: Option<AreaKind>) -> String {
    let list = new_responsibilities(items.to_vec());
    list.select_item(&query(category, area, level)).map_or(String::new(), |item| item.code.clone())
}

#[test]
fn a_suffix_is_the_department_of_the_nearest_territory() {
    let list = |lead: &str| {
        new_responsibilities(vec![Item { lead: suffix_lead(lead), ..item("1", "A", None, None) }])
    };
    let lead = |suffix: &str, area| {
        let list = list(suffix);
        list.find(&query("A01", area, None), &WORLD.areas).map(|answer| answer.lead.id)
    };
    assert_eq!(lead("cg", GRID), Some(URBAN));
    assert_eq!(lead("cg", STREET_BESIDE), Some(URBAN_BESIDE));
    assert_eq!(lead("zf", GRID), Some(SQUAD));
    assert_eq!(lead("zf", STREET_BESIDE), None, "that street has no such squad");
    assert_eq!(lead("jt", STREET_BESIDE), Some(TRAFFIC));
}

#[test]
fn the_territory_itself_may_lead_at_its_level() {
    let item = Item {
        lead: Lead::Territory,
        cooperating: vec![Lead::Unit(MARKET), suffix_lead("zf"), suffix_lead("nobody")],
        ..item("1", "A", None, Some(AreaKind::Street))
    };
    let list = new_responsibilities(vec![item]);
    let answer = list.find(&query("A01", GRID, None), &WORLD.areas).unwrap();
    assert_eq!(answer.lead, unit(STREET));
    assert_eq!(answer.cooperating, vec![unit(MARKET), unit(SQUAD)], "who is not there is left out");
}

#[test]
fn the_most_specific_item_wins() {
    use AreaKind::{District, Street};
    let items = [
        item("all", "A", None, None),
        item("sub", "A01", None, None),
        item("district", "A", Some(DISTRICT), None),
        item("both", "A01", Some(DISTRICT), None),
        item("street", "A01", Some(STREET), None),
        item("level", "A01", Some(STREET), Some(Street)),
    ];
    assert_eq!(find_faults(items.to_vec()), vec![]);
    assert_eq!(select_code(&items, "A02", STREET_BESIDE, None), "all");
    assert_eq!(
        select_code(&items, "A", STREET_BESIDE, None),
        "all",
        "a class alone is no sub-class"
    );
    assert_eq!(select_code(&items, "A01", STREET_BESIDE, None), "sub");
    assert_eq!(select_code(&items, "A02", GRID, None), "district");
    assert_eq!(select_code(&items, "A01", DISTRICT, None), "both");
    assert_eq!(select_code(&items, "A01", GRID, Some(District)), "street");
    assert_eq!(select_code(&items, "A01", GRID, Some(Street)), "level");
    assert_eq!(select_code(&items, "A01", GRID, None), "level");
    assert_eq!(select_code(&items, "B", GRID, None), "");
}

#[test]
fn without_a_level_the_narrower_item_wins_and_then_the_lowest() {
    use AreaKind::{Community, District, Street};
    let broad = item("broad", "A", None, Some(Community));
    let narrow = item("narrow", "A01", None, Some(District));
    let low = item("low", "A01", None, Some(Street));
    let both = [broad.clone(), narrow.clone()];
    assert_eq!(select_code(&both, "A01", GRID, None), "narrow");
    assert_eq!(select_code(&both, "A02", GRID, None), "broad");
    assert_eq!(select_code(&[broad, narrow, low], "A01", GRID, None), "low");
}

#[test]
fn an_item_holds_from_its_first_day_until_its_last() {
    let period = Period { from: day(6, 1), until: Some(day(7, 1)) };
    let list = new_responsibilities(vec![Item { period, ..item("1", "A", None, None) }]);
    let on = |on| {
        let query = query("A", GRID, None);
        list.select_item(&domain::rules::condition::Query { on, ..query }).is_some()
    };
    assert!(!on(day(5, 31)) && on(day(6, 1)) && on(day(6, 30)) && !on(day(7, 1)));
}

#[test]
fn a_tie_is_refused_unless_settled_or_never_met() {
    let sub = item("sub", "A01", None, None);
    let place = item("place", "A", Some(DISTRICT), None);
    let tie = vec![(At::Row(1), "category", "tie")];
    assert_eq!(find_faults(vec![sub.clone(), place.clone()]), tie);
    assert_eq!(find_faults(vec![sub.clone(), item("same", "A01", None, None)]), tie);
    let settle = |from, until| Item {
        period: Period { from, until },
        ..item(&format!("settled{from}"), "A01", Some(DISTRICT), None)
    };
    let half = settle(day(1, 1), Some(day(7, 1)));
    assert_eq!(
        find_faults(vec![sub.clone(), place.clone(), half.clone()]),
        tie,
        "half a year is open"
    );
    assert_eq!(
        find_faults(vec![sub.clone(), place.clone(), half, settle(day(7, 1), None)]),
        vec![]
    );
    let levels = [AreaKind::Street, AreaKind::District];
    let levels = levels.map(|level| item(level.name(), "A01", None, Some(level)));
    assert_eq!(find_faults(levels.to_vec()), vec![], "no question is at two levels");
    let beside = item("beside", "A", Some(DISTRICT_BESIDE), None);
    assert_eq!(find_faults(vec![place, beside]), vec![], "no place is in both");
    let other = Period { from: day(7, 1), until: None };
    let before = Period { until: Some(day(7, 1)), ..sub.period };
    let twice = [("old", before), ("new", other)];
    let twice = twice.map(|(code, period)| Item { period, ..item(code, "A01", None, None) });
    assert_eq!(find_faults(twice.to_vec()), vec![], "one follows the other");
}

#[test]
fn every_fault_is_named() {
    let good = || item("1", "A01", None, None);
    let one = |item: Item| find_faults(vec![item]);
    let at = |column, code| vec![(At::Row(0), column, code)];
    let city = Some(TRAFFIC);
    let ended = Period { from: day(2, 1), until: Some(day(2, 1)) };
    let help = |cooperating| Item { cooperating, ..good() };
    assert_eq!(one(good()), vec![]);
    assert_eq!(one(Item { code: " ".into(), ..good() }), at("code", "empty"));
    assert_eq!(one(Item { code: "x".repeat(41), ..good() }), at("code", "too_long"));
    assert_eq!(one(Item { owner: "a\nb".into(), ..good() }), at("owner", "control_character"));
    assert_eq!(one(Item { basis: String::new(), ..good() }), at("basis", "empty"));
    assert_eq!(one(Item { owner: String::new(), ..good() }), at("owner", "empty"));
    assert_eq!(one(Item { category: "Z".into(), ..good() }), at("category", "unknown_category"));
    assert_eq!(one(Item { area: Some(NOWHERE), ..good() }), at("area", "unknown_area"));
    assert!(one(Item { area: city, ..good() }).contains(&at("area", "unknown_area")[0]));
    let grid = Some(AreaKind::Grid);
    assert_eq!(one(Item { level: grid, ..good() }), at("level", "unknown_level"));
    assert_eq!(one(Item { period: ended, ..good() }), at("valid_until", "empty_period"));
    let lead = |lead| Item { lead, ..good() };
    assert_eq!(one(lead(Lead::Unit(NOWHERE))), at("lead", "unknown_unit"));
    assert_eq!(one(lead(suffix_lead("xx"))), at("lead", "unknown_unit"));
    assert_eq!(one(lead(Lead::Territory)), at("lead", "level_missing"));
    let beside = Item { area: Some(STREET_BESIDE), ..lead(suffix_lead("sc")) };
    assert_eq!(one(beside), at("lead", "unknown_unit"), "only the other district has one");
    assert_eq!(one(help(vec![suffix_lead("xx")])), at("cooperating", "unknown_unit"));
    assert_eq!(one(help(vec![suffix_lead("cg")])), at("cooperating", "lead_cooperates"));
    assert_eq!(one(help(vec![Lead::Unit(URBAN)])), at("cooperating", "lead_cooperates"));
    let twice = vec![suffix_lead("sc"), Lead::Unit(MARKET)];
    assert_eq!(one(help(twice)), at("cooperating", "named_twice"));
    let duplicate = vec![good(), item("1", "B", None, None), item("1", "A02", None, None)];
    let code = |row| (At::Row(row), "code", "duplicate_code");
    assert_eq!(find_faults(duplicate), vec![code(1), code(2)]);
    let many = vec![good(); 5_001];
    assert_eq!(find_faults(many), vec![(At::Whole, "", "too_many_rows")]);
    assert_eq!(find_faults(vec![good(); 5_000]).len(), MAX_FAULTS);
}

const HEADER: &str =
    "code,category,area,level,lead,cooperating,basis,owner,valid_from,valid_until\n";

fn import_csv(text: &str) -> Result<Responsibilities, Vec<(At, &'static str, &'static str)>> {
    Responsibilities::import_csv(text, &CATALOGUE, &WORLD.areas)
        .map_err(|faults| locate_faults(&faults))
}

#[test]
fn a_table_is_imported() {
    let text = format!(
        "\u{FEFF}{HEADER}\r\n\
         1,A01,320102,street,cg,sc；3201-jt,\"条例,第十条\",区城管局,2026-01-01,2027-01-01\r\n\
         ,,,,,,,,,\r\n\
         2,A, ,社区,属地,,办法,区民政局,2026-01-01,\r\n"
    );
    let first = Item {
        cooperating: vec![suffix_lead("sc"), Lead::Unit(TRAFFIC)],
        basis: "条例,第十条".to_owned(),
        period: Period { from: day(1, 1), until: chrono::NaiveDate::from_ymd_opt(2027, 1, 1) },
        ..item("1", "A01", Some(DISTRICT), Some(AreaKind::Street))
    };
    let second = Item {
        lead: Lead::Territory,
        basis: "办法".to_owned(),
        owner: "区民政局".to_owned(),
        ..item("2", "A", None, Some(AreaKind::Community))
    };
    assert_eq!(import_csv(&text), Ok(new_responsibilities(vec![first, second])));
    let chinese = "主办,编码,类别,依据,责任人,生效日期\ncg,1,A,办法,区城管局,2026-01-01\n";
    assert_eq!(import_csv(chinese).unwrap().items.len(), 1, "headings of people, in any order");
}

#[test]
fn all_faults_of_a_table_come_by_line_and_nothing_is_imported() {
    let text = format!(
        "{HEADER}\n1,A,nowhere,village,cg;sc,,\"two\nlines\",o,2026-2-30,soon\n\
         2,A,,,,,b,o,,\n3,A\n4,A,,,cg,,b,o,2026-01-01,\n"
    );
    let line = |line, column, code| (At::Line(line), column, code);
    let expected = vec![
        line(3, "area", "unknown_area"),
        line(3, "level", "unknown_level"),
        line(3, "lead", "lead_twice"),
        line(3, "valid_from", "bad_date"),
        line(3, "valid_until", "bad_date"),
        line(5, "lead", "lead_missing"),
        line(5, "valid_from", "empty"),
        line(6, "", "field_count"),
    ];
    let mut got = import_csv(&text).unwrap_err();
    got.sort_by_key(|fault| expected.iter().position(|one| one == fault));
    assert_eq!(got, expected);
    let unknown = format!("{HEADER}\n\n1,Z,,,cg,,b,,2026-01-01,\n1,A,,,cg,,b,o,2026-01-01,\n");
    let expected = vec![
        line(4, "owner", "empty"),
        line(4, "category", "unknown_category"),
        line(5, "code", "duplicate_code"),
    ];
    assert_eq!(import_csv(&unknown).unwrap_err(), expected);
}

#[test]
fn a_table_is_bounded_and_its_header_is_checked() {
    let whole = |column, code| Err(vec![(At::Whole, column, code)]);
    assert_eq!(import_csv(&"x".repeat(MAX_BYTES + 1)), whole("", "too_large"));
    let row = "1,A,,,cg,,b,o,2026-01-01,\n";
    assert_eq!(import_csv(&format!("{HEADER}{}", row.repeat(5_001))), whole("", "too_many_rows"));
    let bad = row.replace("2026", "x");
    let faults = import_csv(&format!("{HEADER}{}", bad.repeat(200))).unwrap_err();
    assert_eq!(faults.len(), MAX_FAULTS);
    let without = HEADER.replace("owner,", "");
    assert_eq!(import_csv(&without), whole("owner", "missing_column"));
    let twice = HEADER.replace("owner,", "owner,责任人,");
    assert_eq!(import_csv(&twice), whole("owner", "column_twice"));
    let strange = HEADER.replace("owner,", "owner,colour,");
    assert_eq!(import_csv(&strange), whole("", "unknown_column"));
    assert_eq!(import_csv("").unwrap_err().len(), 6, "every column it needs");
}

#[test]
fn a_document_with_unknown_fields_is_refused() {
    let list = new_responsibilities(vec![item("1", "A", None, None)]);
    let text = serde_json::to_string(&list).unwrap();
    assert_eq!(serde_json::from_str::<Responsibilities>(&text).unwrap(), list);
    let more = text.replace("\"basis\"", "\"colour\":1,\"basis\"");
    assert!(serde_json::from_str::<Responsibilities>(&more).is_err());
}

fn any_item() -> impl Strategy<Value = (&'static str, Option<AreaId>, Option<AreaKind>)> {
    let areas = [DISTRICT, STREET, COMMUNITY, DISTRICT_BESIDE].map(Some);
    let levels = [None, Some(AreaKind::Street), Some(AreaKind::District)];
    let areas: Vec<_> = areas.into_iter().chain([None]).collect();
    (select(vec!["A", "A01", "A02", "B"]), select(areas), select(levels.to_vec()))
}

/// Whether any query is answered differently when the codes, and so the order, are reversed.
fn depends_on_order(items: &[Item]) -> bool {
    let code = |(at, item): (usize, &Item)| Item { code: format!("{at:03}"), ..item.clone() };
    let forward = new_responsibilities(items.iter().enumerate().map(code).collect());
    let backward = new_responsibilities(items.iter().rev().enumerate().map(code).collect());
    let areas = [CITY, DISTRICT, STREET, COMMUNITY, GRID, DISTRICT_BESIDE];
    let levels = [AreaKind::City, AreaKind::Street, AreaKind::District];
    let levels = levels.map(Some).into_iter().chain([None]);
    let asked = levels.flat_map(|level| areas.map(|area| (level, area)));
    asked
        .flat_map(|(level, area)| ["A", "A01", "A02", "B"].map(|code| query(code, area, level)))
        .any(|query| {
            let owner = |list: &Responsibilities| list.select_item(&query).map(|i| i.owner.clone());
            owner(&forward) != owner(&backward)
        })
}

proptest! {
    #[test]
    fn order_matters_exactly_where_a_tie_is_found(rows in prop::collection::vec(any_item(), 0..7)) {
        let named = |(at, (category, area, level)): (usize, &(&str, _, _))| Item {
            owner: at.to_string(),
            ..item(&at.to_string(), category, *area, *level)
        };
        let items: Vec<Item> = rows.iter().enumerate().map(named).collect();
        let tied = find_faults(items.clone()).iter().any(|(.., code)| *code == "tie");
        prop_assert_eq!(tied, depends_on_order(&items));
    }
}
