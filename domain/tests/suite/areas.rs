//! The history of areas: which changes are possible, what remains, and who answers for it.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
use domain::{
    area::tree::{AreaKind, GridKind, Path, Unit, history::Registry},
    core::{
        id::{AreaId, PersonId, TenantId},
        tabular_import::At,
        text::Line,
        time::local_day,
    },
    flows::{
        areas::{
            Command, Decided, Drawing, Event, Into, NewArea, decide,
            import::{
                Comparison, Doing, Given, Refused, Taking, compare_with_known, parse_territories,
                plan,
            },
        },
        flow::Context,
    },
    people::actor::{Actor, Grant, Role},
    rules::{catalogue::Catalogue, refusal::Refusal, rulebook::Rules},
};
use uuid::Uuid;

/// A city whose areas change.
struct Town {
    registry: Registry,
    seq: i64,
    made: u128,
    /// The events, command by command.
    log: Vec<Vec<Event>>,
}

const CITY: &str = "\
code,name,level,parent_code
9901,测试市,2,99
990101,西区,3,9901
990102,东区,3,9901
990101001,青山街道,4,990101
990101002,绿水街道,4,990101
990101001001,枫林社区,5,990101001
990101001002,竹园社区,5,990101001
990101002001,荷塘社区,5,990101002
990101001001001,枫林一格,6,990101001001
990101001001002,枫林二格,6,990101001001
990101001002001,竹园一格,6,990101001002
";

fn area_id(number: u128) -> AreaId {
    AreaId(Uuid::from_u128(number))
}

fn test_time() -> domain::Instant {
    chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn today() -> NaiveDate {
    local_day(test_time())
}

fn day_after(days: u64) -> NaiveDate {
    today().checked_add_days(Days::new(days)).unwrap()
}

fn whole_city() -> Unit {
    let (name, path) = ("全市".to_owned(), Path(String::new()));
    Unit { id: area_id(0), kind: AreaKind::City, name, path }
}

fn actor(role: Role, over: Unit) -> Actor {
    let grant = Grant { role, over, from: domain::Instant::MIN_UTC, until: None, post: None };
    let (tenant, person) = (TenantId(Uuid::from_u128(1)), PersonId(Uuid::from_u128(2)));
    Actor {
        tenant,
        person,
        name: "某人".to_owned(),
        grants: vec![grant],
        powers: domain::people::actor::Powers::built_in(),
    }
}

/// Runs a closure with the context of a decision.
fn with_context<T>(
    registry: &Registry,
    by: &Actor,
    seq: i64,
    look: impl FnOnce(&Context<'_>) -> T,
) -> T {
    let (rules, catalogue) = (Rules::standard(), Catalogue::default());
    let areas = registry.build_tree(today());
    let (rules, areas, catalogue) = (&rules, &areas, &catalogue);
    look(&Context {
        by,
        at: test_time(),
        seq,
        rules,
        areas,
        catalogue,
        kept: None,
        others: &[],
        numbers: domain::core::id::NumberLength::default(),
    })
}

impl Town {
    fn new() -> Self {
        let mut town = Self { registry: Registry::default(), seq: 0, made: 100, log: Vec::new() };
        town.import(parse_territories(CITY).unwrap(), day_after(0)).unwrap();
        town
    }

    fn import(&mut self, given: Vec<Given>, from: NaiveDate) -> Result<Vec<Doing>, Refused> {
        let by = actor(Role::Administrator, whole_city());
        let taking = Taking { source: "测试", from, repair: false };
        let seq = self.seq + 1;
        let mut made = self.made;
        let mut fresh = || {
            made += 1;
            area_id(made)
        };
        let plan = with_context(&self.registry, &by, seq, |context| {
            plan(&self.registry, given, taking, context, &mut fresh)
        })?;
        (self.made, self.seq) = (made, seq);
        self.registry = plan.registry.clone();
        self.log.push(plan.decided.events.clone());
        Ok(plan.rows.iter().map(|(.., doing)| *doing).collect())
    }

    fn area_id(&self, code: &str) -> AreaId {
        self.registry.find_by_code(code).unwrap().id
    }

    fn try_command(
        &self,
        command: Command,
        from: NaiveDate,
        by: &Actor,
    ) -> Result<Decided, Refusal> {
        with_context(&self.registry, by, self.seq + 1, |context| {
            decide(&self.registry, command, from, context)
        })
    }

    fn expect_refusal(&self, command: Command) -> &'static str {
        let by = actor(Role::Administrator, whole_city());
        self.try_command(command, today(), &by).unwrap_err().code()
    }

    #[track_caller]
    fn run_command(&mut self, command: Command, from: NaiveDate) -> Vec<Event> {
        let by = actor(Role::Administrator, whole_city());
        let decided = self.try_command(command, from, &by).unwrap();
        self.seq += 1;
        for record in &decided.changed {
            assert_eq!(record.seq, self.seq);
            self.registry.put(record.clone());
        }
        self.log.push(decided.events.clone());
        decided.events
    }

    fn reach(&self, code: &str, day: NaiveDate) -> Vec<(AreaId, String)> {
        let tree = self.registry.build_tree(day);
        let unit = tree.find_by_code(code).unwrap().unit();
        tree.expand_unit(&unit).into_iter().map(|unit| (unit.id, unit.path.0)).collect()
    }

    fn path(&self, code: &str, day: NaiveDate) -> String {
        self.registry.find_by_code(code).unwrap().version_on(day).unwrap().path.0.clone()
    }
}

/// Every kind of event of areas, command by command, and the records after it.
pub(crate) fn history() -> (Vec<Vec<Event>>, Registry) {
    let mut town = Town::new();
    let square = vec![vec![[110.0, 30.0], [110.1, 30.0], [110.1, 30.1], [110.0, 30.0]]];
    let boundary = Drawing { rings: vec![square], repair: false };
    let (one, parent) = (town.area_id("990101001001001"), town.area_id("990101001002"));
    let commands = [
        Command::Create {
            area: Box::new(grid(1, "990101001001003")),
            parent: town.area_id("990101001001"),
        },
        Command::Rename { id: one, name: Line::try_from("枫林甲格").unwrap() },
        Command::Describe { id: one, grid: Some(GridKind::Comprehensive), households: Some(260) },
        Command::Redraw { id: one, boundary },
        Command::Transfer { id: one, parent },
        Command::Retire { id: area_id(1), successors: vec![one], owes: 0 },
    ];
    for (days, command) in (1..).zip(commands) {
        town.run_command(command, day_after(days));
    }
    (town.log, town.registry)
}

fn new(number: u128, kind: AreaKind, code: &str) -> NewArea {
    NewArea {
        id: area_id(number),
        kind,
        code: code.to_owned(),
        name: Line::try_from("新的").unwrap(),
        grid: None,
        households: None,
        boundary: None,
    }
}

fn grid(number: u128, code: &str) -> NewArea {
    new(number, AreaKind::Grid, code)
}

#[test]
fn a_name_holds_from_its_day_on() {
    let mut town = Town::new();
    let grid = town.area_id("990101001001001");
    let name = Line::try_from("枫林甲格").unwrap();
    town.run_command(Command::Rename { id: grid, name }, day_after(10));
    let name = |day| town.registry.get(grid).unwrap().version_on(day).unwrap().name.clone();
    assert_eq!(
        (name(day_after(9)), name(day_after(10))),
        ("枫林一格".to_owned(), "枫林甲格".to_owned())
    );
    assert_eq!(town.registry.get(grid).unwrap().version_on(day_after(0).pred_opt().unwrap()), None);
    assert_eq!(town.registry.next_change_day(today()), Some(day_after(10)));
    let again = Command::Rename { id: grid, name: Line::try_from("枫林乙格").unwrap() };
    assert_eq!(town.expect_refusal(again), "effect_outside", "what is decided is not rewritten");
    let far = Command::Describe { id: grid, grid: None, households: Some(1) };
    let by = actor(Role::Administrator, whole_city());
    let refused = town.try_command(far, day_after(367), &by).unwrap_err();
    assert!(matches!(refused, Refusal::EffectOutside { earliest: None, .. }));
}

#[test]
fn merged_grids_leave_their_work_to_the_one_that_goes_on() {
    let mut town = Town::new();
    let (one, two) = (town.area_id("990101001001001"), town.area_id("990101001001002"));
    let old = town.path("990101001001002", today());
    town.run_command(
        Command::Merge { ids: vec![one, two], into: Into::First { boundary: None } },
        day_after(5),
    );
    let retired = town.registry.get(two).unwrap();
    assert_eq!((retired.until, retired.successors.clone()), (Some(day_after(5)), vec![one]));
    assert_eq!(town.registry.get(one).unwrap().predecessors, [two]);
    assert_eq!(town.reach("990101001001001", day_after(4)).len(), 1, "not before its day");
    assert!(town.reach("990101001001001", day_after(5)).contains(&(two, old.clone())));
    // The workers of the old grid continue, and get nothing of the other one.
    assert_eq!(town.reach("990101001001002", day_after(5)), [(two, old)]);
    let tree = town.registry.build_tree(day_after(5));
    assert!(tree.is_retired(two) && !tree.is_retired(one));
    let community = town.area_id("990101001001");
    assert_eq!(tree.children(community).map(|area| area.id).collect::<Vec<_>>(), [one]);
    assert!(tree.get(two).is_some(), "it stays readable");
    assert_eq!(
        tree.find_present(two).map(|area| area.id),
        Some(one),
        "lists that name it mean its heir"
    );
}

#[test]
fn what_was_split_is_answered_for_by_every_part() {
    let mut town = Town::new();
    let old = town.area_id("990101001001");
    let children = [town.area_id("990101001001001"), town.area_id("990101001001002")];
    let before = town.path("990101001001001", today());
    let parts = |second: Vec<AreaId>| {
        vec![
            (new(7, AreaKind::Community, "990101001601"), vec![children[0]]),
            (new(8, AreaKind::Community, "990101001602"), second),
        ]
    };
    let missing = Command::Split { id: old, parts: parts(Vec::new()) };
    assert_eq!(town.expect_refusal(missing), "children_left");
    let foreign = vec![town.area_id("990101001002001")];
    assert_eq!(
        town.expect_refusal(Command::Split { id: old, parts: parts(foreign) }),
        "wrong_level"
    );
    town.run_command(Command::Split { id: old, parts: parts(vec![children[1]]) }, today());
    assert_eq!(town.registry.get(old).unwrap().successors, [area_id(7), area_id(8)]);
    assert_eq!(
        town.path("990101001001001", today()),
        "9901/990101/990101001/990101001601/990101001001001/"
    );
    for code in ["990101001601", "990101001602"] {
        let reached = town.reach(code, today());
        assert!(reached.iter().any(|(unit, _)| *unit == old), "{code}: {reached:?}");
    }
    // A case that was filed in the grid keeps the path it had.
    let own = town.reach("990101001001001", today());
    assert!(own.iter().any(|(unit, path)| *unit == children[0] && *path == before), "{own:?}");
}

#[test]
fn an_area_that_is_moved_takes_everything_along() {
    let mut town = Town::new();
    let (community, street) = (town.area_id("990101001001"), town.area_id("990101002"));
    let old = town.path("990101001001001", today());
    town.run_command(Command::Transfer { id: community, parent: street }, day_after(1));
    assert_eq!(town.path("990101001001001", today()), old);
    let new = town.path("990101001001001", day_after(1));
    assert_eq!(new, "9901/990101/990101002/990101001001/990101001001001/");
    let tree = town.registry.build_tree(day_after(1));
    let reaches = |code: &str, path: &str| {
        let unit = tree.find_by_code(code).unwrap().unit();
        tree.expand_unit(&unit).iter().any(|unit| unit.path.contains(&Path(path.to_owned())))
    };
    // The new street answers for what was left, the old one keeps it too, others see nothing.
    for (code, old_too, new_too) in [
        ("990101002", true, true),
        ("990101001", true, false),
        ("990101001001", true, true),
        ("990101001001001", true, true),
        ("990101001002", false, false),
        ("990102", false, false),
    ] {
        assert_eq!((reaches(code, &old), reaches(code, &new)), (old_too, new_too), "{code}");
    }
    // The former holder of a case may still dispatch it.
    let before = town.registry.build_tree(today());
    let holder = before.find_by_code("990101001001").unwrap().unit();
    assert!(tree.unit_contains(&holder, tree.find_by_code("990101001001001").unwrap()));
    assert!(!tree.unit_contains(&holder, tree.find_by_code("990101001002001").unwrap()));
}

#[test]
fn rights_follow_through_several_changes() {
    let mut town = Town::new();
    let (one, two) = (town.area_id("990101001001001"), town.area_id("990101001001002"));
    let paths = [town.path("990101001001001", today()), town.path("990101001001002", today())];
    let into = Into::New(Box::new(grid(9, "990101001001009")));
    town.run_command(Command::Merge { ids: vec![one, two], into }, today());
    let (community, street) = (town.area_id("990101001001"), town.area_id("990101002"));
    town.run_command(Command::Transfer { id: community, parent: street }, today());
    let third = town.area_id("990101001002001");
    let into = Into::New(Box::new(grid(10, "990101001002009")));
    town.run_command(Command::Merge { ids: vec![third, area_id(9)], into }, today());
    let reached: HashMap<AreaId, String> =
        town.reach("990101001002009", today()).into_iter().collect();
    assert_eq!(reached[&one], paths[0]);
    assert_eq!(reached[&two], paths[1]);
    assert!(reached.contains_key(&third) && reached.contains_key(&area_id(9)));
    // The community that a grid was merged into answers for that grid.
    let community = town.reach("990101001002", today());
    assert!(community.iter().any(|(_, path)| Path(path.clone()).contains(&Path(paths[0].clone()))));
}

#[test]
fn nothing_is_left_lying() {
    let mut town = Town::new();
    let (one, two) = (town.area_id("990101001001001"), town.area_id("990101001001002"));
    let community = town.area_id("990101001001");
    let retire = |id, successors: Vec<AreaId>, owes| Command::Retire { id, successors, owes };
    assert_eq!(town.expect_refusal(retire(community, vec![], 0)), "children_left");
    assert_eq!(town.expect_refusal(retire(one, vec![], 3)), "duties_left");
    assert_eq!(town.expect_refusal(retire(one, vec![community], 3)), "wrong_level");
    assert_eq!(town.expect_refusal(retire(one, vec![one], 3)), "wrong_level");
    assert_eq!(town.expect_refusal(retire(town.area_id("9901"), vec![], 0)), "wrong_level");
    town.run_command(retire(one, vec![two], 3), today());
    let gone = town.area_id("990101001002001");
    town.run_command(retire(gone, vec![], 0), today());
    assert!(town.registry.build_tree(today()).find_present(gone).is_none());
    assert_eq!(town.expect_refusal(retire(one, vec![two], 0)), "area_retired");
    let below = Command::Create { area: Box::new(grid(7, "990101001001007")), parent: one };
    assert_eq!(town.expect_refusal(below), "area_retired");
    let name = Line::try_from("又来").unwrap();
    assert_eq!(town.expect_refusal(Command::Rename { id: one, name }), "area_retired");
}

#[test]
fn a_code_is_of_its_scheme_and_given_once() {
    let mut town = Town::new();
    let parent = town.area_id("990101001001");
    let create = |area: NewArea, parent| Command::Create { area: Box::new(area), parent };
    assert_eq!(town.expect_refusal(create(grid(7, "99010100100"), parent)), "bad_area_code");
    assert_eq!(town.expect_refusal(create(grid(7, "990101001001001"), parent)), "already_exists");
    let two = town.area_id("990101001001002");
    town.run_command(Command::Retire { id: two, successors: vec![], owes: 0 }, today());
    assert_eq!(town.expect_refusal(create(grid(7, "990101001001002"), parent)), "already_exists");
    let street = new(7, AreaKind::Street, "990101003");
    assert_eq!(town.expect_refusal(create(street, parent)), "wrong_level");
    let micro = NewArea { grid: Some(GridKind::Micro), ..grid(7, "990101001001003") };
    let one = town.area_id("990101001001001");
    assert_eq!(town.expect_refusal(create(grid(7, "990101001001003"), one)), "wrong_level");
    town.run_command(create(micro, one), today());
    let boundary = Drawing { rings: vec![vec![vec![[110.0, 30.0], [110.1, 30.0]]]], repair: false };
    assert_eq!(town.expect_refusal(Command::Redraw { id: one, boundary }), "bad_boundary");
}

#[test]
fn only_who_manages_the_area_changes_it() {
    let town = Town::new();
    let tree = town.registry.build_tree(today());
    let over = |code: &str| tree.find_by_code(code).unwrap().unit();
    let one = town.area_id("990101001001001");
    let rename = || Command::Rename { id: one, name: Line::try_from("新名").unwrap() };
    for role in Role::ALL.iter().filter(|role| **role != Role::Administrator) {
        let refused = town.try_command(rename(), today(), &actor(*role, whole_city())).unwrap_err();
        assert_eq!(refused.code(), "not_permitted", "{role:?}");
    }
    let elsewhere = actor(Role::Administrator, over("990102"));
    assert_eq!(
        town.try_command(rename(), today(), &elsewhere).unwrap_err().code(),
        "not_permitted"
    );
    let here = actor(Role::Administrator, over("990101001"));
    assert!(town.try_command(rename(), today(), &here).is_ok());
    let (community, street) = (town.area_id("990101001001"), town.area_id("990101002"));
    let away = Command::Transfer { id: community, parent: street };
    assert_eq!(town.try_command(away, today(), &here).unwrap_err().code(), "not_permitted");
}

#[test]
fn a_file_is_taken_over_whole_or_not_at_all() {
    let mut town = Town::new();
    let unchanged = town.import(parse_territories(CITY).unwrap(), today()).unwrap();
    assert!(unchanged.iter().all(|doing| *doing == Doing::Unchanged));
    // In no order, with a changed name and a new street.
    let more = "code,name,level,parent_code,households,grid_kind\n\
                990101003001,松岗社区,5,990101003,,\n\
                990101003,松岗街道,4,990101,,\n\
                990101001001001,枫林一格,6,990101001001,260,综合网格\n";
    let done = town.import(parse_territories(more).unwrap(), day_after(2)).unwrap();
    assert_eq!(done, [Doing::Added, Doing::Added, Doing::Updated]);
    let grid = town.registry.find_by_code("990101001001001").unwrap();
    assert_eq!(grid.version_on(today()).unwrap().households, None);
    assert_eq!(grid.version_on(day_after(2)).unwrap().households, Some(260));
    let before = town.registry.len();
    let bad = "code,name,level,parent_code\n\
               990101004,,4,990101\n\
               99010100,短码,4,990101\n\
               990101005,无上级,4,990199\n\
               990101001001,枫林社区,5,990101002\n\
               990101001002,竹园,4,990101001\n\
               990101006,一,4,990101\n\
               990101006,二,4,990101\n";
    let Err(Refused::Faults(faults)) = town.import(parse_territories(bad).unwrap(), today()) else {
        panic!("it was taken over")
    };
    let found: Vec<(At, &str)> = faults.iter().map(|fault| (fault.at, fault.code)).collect();
    for expected in [
        (At::Line(2), "empty"),
        (At::Line(3), "bad_code"),
        (At::Line(4), "unknown_parent"),
        (At::Line(5), "other_parent"),
        (At::Line(6), "bad_code"),
        (At::Line(8), "duplicate_code"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    assert_eq!(town.registry.len(), before);
}

/// Towns of 仙桃市, with codes as one year's list has them.
const TOWNS: &str = "code,name,level,parent_code\n\
    429004,仙桃市,3,4290\n\
    429004103,三伏潭镇,4,429004\n\
    429004104,胡场镇,4,429004\n";

fn towns() -> Town {
    let mut town = Town { registry: Registry::default(), seq: 0, made: 100, log: Vec::new() };
    town.import(parse_territories(TOWNS).unwrap(), day_after(0)).unwrap();
    town
}

fn import_faults(town: &mut Town, rows: &str) -> Vec<(At, String, &'static str, String)> {
    let file = format!("code,name,level,parent_code,former_name\n{rows}");
    match town.import(parse_territories(&file).unwrap(), today()) {
        Ok(done) => panic!("{done:?}"),
        Err(Refused::Rule(refusal)) => panic!("{refusal:?}"),
        Err(Refused::Faults(faults)) => faults
            .iter()
            .map(|fault| {
                let column = fault.column.clone().into_owned();
                (fault.at, column, fault.code, fault.render_message().0)
            })
            .collect(),
    }
}

#[test]
fn a_code_is_not_handed_to_a_neighbour() {
    let mut town = towns();
    let found =
        import_faults(&mut town, "429004104,三伏潭镇,4,429004,\n429004105,胡场镇,4,429004,\n");
    assert_eq!(found.len(), 1, "{found:?}");
    let (at, column, code, message) = &found[0];
    assert_eq!((*at, column.as_str(), *code), (At::Line(2), "name", "other_name"));
    assert!(message.contains("三伏潭镇") && message.contains("胡场镇"), "{message}");
}

#[test]
fn an_area_is_renamed_where_the_row_says_its_former_name() {
    let mut town = towns();
    let found = import_faults(&mut town, "429004104,胡场街道,4,429004,三伏潭镇\n");
    assert_eq!((found[0].1.as_str(), found[0].2), ("former_name", "other_name"));
    let renamed = "code,name,level,parent_code,former_name\n\
                   429004104,胡场街道,4,429004,胡场镇\n";
    assert_eq!(
        town.import(parse_territories(renamed).unwrap(), today()).unwrap(),
        [Doing::Updated]
    );
    // A name it once had is no other place's.
    let before = "code,name,level,parent_code\n429004104,胡场镇,4,429004\n";
    assert_eq!(town.import(parse_territories(before).unwrap(), today()).unwrap(), [Doing::Updated]);
}

#[test]
fn no_list_of_what_lies_below_renames_the_root() {
    let mut town = towns();
    for former in ["", "仙桃市"] {
        let found = import_faults(&mut town, &format!("429004,潜江市,3,4290,{former}\n"));
        assert_eq!((found[0].1.as_str(), found[0].2), ("name", "other_name"), "{found:?}");
    }
    let own = "code,name,level,parent_code,former_name\n429004,仙桃新市,3,,仙桃市\n";
    assert_eq!(town.import(parse_territories(own).unwrap(), today()).unwrap(), [Doing::Updated]);
}

#[test]
fn a_file_is_compared_with_what_is_known() {
    let town = towns();
    let file = "code,name,level,parent_code\n\
                429004104,三伏潭镇,4,429004\n\
                429004105,胡场镇,4,429004\n\
                429004106,胡场镇,4,429004\n";
    let found = compare_with_known(&town.registry, &parse_territories(file).unwrap(), today());
    let names: Vec<_> =
        found.other_names.iter().map(|one| (one.known.as_str(), one.given.as_str())).collect();
    assert_eq!(names, [("胡场镇", "三伏潭镇")]);
    let moved: Vec<_> =
        found.moved_codes.iter().map(|one| (one.known.as_str(), one.given.as_str())).collect();
    assert_eq!(
        moved,
        [("429004103", "429004104"), ("429004104", "429004105"), ("429004104", "429004106"),]
    );
    assert_eq!(found.namesakes.len(), 2, "{found:?}");
    assert!(found.namesakes.iter().any(|one| one.codes == ["429004105", "429004106"]));
    assert_eq!(found.lacking, [("429004103".to_owned(), "三伏潭镇".to_owned())]);
    let same = compare_with_known(&town.registry, &parse_territories(TOWNS).unwrap(), today());
    assert_eq!(same, Comparison::default());
}

#[test]
fn a_municipality_is_a_tenant_and_its_placeholders_are_no_areas() {
    let mut town = Town { registry: Registry::default(), seq: 0, made: 100, log: Vec::new() };
    let file = "code,name,level,parent_code\n\
                11,北京市,1,\n\
                1101,市辖区,2,11\n\
                110101,东城区,3,1101\n\
                110101001,东华门街道,4,110101\n";
    let done = town.import(parse_territories(file).unwrap(), day_after(0)).unwrap();
    assert_eq!(done, [Doing::Added, Doing::PassedOver, Doing::Added, Doing::Added]);
    let district = town.registry.find_by_code("110101").unwrap().newest_version().unwrap();
    assert_eq!(district.path.as_str(), "11/110101/");
    let again = town.import(parse_territories(file).unwrap(), today()).unwrap();
    assert_eq!(again[1], Doing::PassedOver);
    assert!(again.iter().all(|doing| matches!(doing, Doing::PassedOver | Doing::Unchanged)));
    // A tenant that has the number of the placeholder keeps its own name.
    let mut town = Town { registry: Registry::default(), seq: 0, made: 100, log: Vec::new() };
    let own = "code,name,level,parent_code\n1101,北京市,2,11\n";
    town.import(parse_territories(own).unwrap(), day_after(0)).unwrap();
    let file = file.replacen("11,北京市,1,\n", "", 1);
    let done = town.import(parse_territories(&file).unwrap(), today()).unwrap();
    assert_eq!(done, [Doing::PassedOver, Doing::Added, Doing::Added]);
    assert_eq!(
        town.registry.find_by_code("1101").unwrap().newest_version().unwrap().name,
        "北京市"
    );
}
