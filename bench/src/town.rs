//! The city the load happens in: 黄石市 as the demo seeds it, and in some of its communities two
//! grid workers and an officer each.

use api::{
    app::clock::Clock,
    cli::{
        demo,
        install::{self, Failed, NewPerson},
        seed::{self, ReportSeed},
    },
};
use domain::{
    area::{
        coordinate::Point,
        locate::covers,
        tree::{Area, AreaTree},
    },
    core::time::local_day,
    people::actor::Role,
};
use persistence::{Options, Store, flows::area};
use serde_json::json;

use crate::trouble::{Done, Trouble, new_trouble};

/// How many communities have people who work.
const PLACES: usize = 16;

/// The account of a resident.
pub(crate) const RESIDENT: &str = "bench-resident";

/// A seeded database.
#[derive(Clone, Debug)]
pub(crate) struct Town {
    /// The identity of the tenant.
    pub(crate) tenant: uuid::Uuid,
    /// The password of everybody.
    pub(crate) password: String,
    /// Where the load happens.
    pub(crate) places: Vec<Place>,
}

/// A grid with its community and what is reported there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The grid where things are reported.
    pub(crate) grid: Area,
    /// The community of that grid.
    pub(crate) community: Area,
    /// The body of a report from there.
    pub(crate) report: String,
}

impl Place {
    /// The account of a person who works at the place with this number.
    pub(crate) fn account_name(number: usize, who: Who) -> String {
        let letter = match who {
            Who::Worker => 'a',
            Who::Checker => 'b',
            Who::Officer => 'c',
        };
        format!("bench-{number}-{letter}")
    }
}

/// Who works at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// A grid worker who reports and handles.
    Worker,
    /// Another one, who verifies.
    Checker,
    /// The community's officer.
    Officer,
}

fn to_trouble(failed: Failed) -> Trouble {
    Trouble(failed.0)
}

/// Seeds an empty database.
pub(crate) async fn seed_database(url: &str) -> Done<Town> {
    let (store, clock) = (Store::open(url, Options::default())?, Clock::default());
    let city = demo::seed(&store, &clock, None).await.map_err(to_trouble)?;
    let tenant = install::find_tenant(&store, "4202").await.map_err(to_trouble)?;
    let tenant = tenant.ok_or_else(|| new_trouble("the city was not seeded"))?;
    let id = tenant.id;
    let registry = store.read(move |db| area::load_registry(db, id)).await?;
    let tree = registry.build_tree(local_day(clock.now()));
    let places = choose_places(&tree);
    let password = &city.password;
    let person = |number: usize, who: Who, role: Role, over: &Area| NewPerson {
        account: Place::account_name(number, who),
        name: format!("{} {number}", role.label()),
        password: password.clone(),
        chosen: true,
        grants: vec![(role, over.code.clone())],
    };
    let people = places.iter().enumerate().flat_map(|(number, place)| {
        [
            person(number, Who::Worker, Role::GridWorker, &place.grid),
            person(number, Who::Checker, Role::GridWorker, &place.grid),
            person(number, Who::Officer, Role::CommunityOfficer, &place.community),
        ]
    });
    let resident = NewPerson {
        account: RESIDENT.to_owned(),
        name: Role::Resident.label().to_owned(),
        password: password.clone(),
        chosen: true,
        grants: vec![(Role::Resident, tenant.code.clone())],
    };
    let people = people.chain([resident]).collect();
    install::register_people(&store, &clock, None, &tenant, people).await.map_err(to_trouble)?;
    store.close();
    Ok(Town { tenant: id.0, password: city.password, places })
}

/// Grids of different communities in which one of the demo's reports happens.
fn choose_places(tree: &AreaTree) -> Vec<Place> {
    let grids = seed::derive_boundaries().grids;
    let mut places: Vec<Place> = Vec::new();
    for report in seed::reports() {
        let point = Point { lng: report.lng, lat: report.lat };
        let grid = grids.iter().find(|grid| covers(&grid.boundary, point));
        let found = grid.and_then(|grid| {
            Some((tree.find_by_code(&grid.code)?, tree.find_by_code(&grid.community_code)?))
        });
        let Some((grid, community)) = found else { continue };
        if places.len() < PLACES && places.iter().all(|place| place.community.id != community.id) {
            let report = report_body(&report);
            places.push(Place { grid: grid.clone(), community: community.clone(), report });
        }
    }
    places
}

fn report_body(report: &ReportSeed) -> String {
    json!({
        "title": report.title, "text": report.text, "category": report.category,
        "urgency": report.urgency.name(),
        "place": {
            "point": { "lng": report.lng, "lat": report.lat, "coord_type": "wgs84" },
            "address": report.address,
        },
    })
    .to_string()
}
