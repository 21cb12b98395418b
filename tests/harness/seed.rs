//! 测试市: a city small enough to be read. All names are invented.
//!
//! ```text
//! 9901 测试市
//! ├─ 990101 西区            departments CG 城管 SW 水务 SC 市场监管
//! │  └─ 990101001 青山街道
//! │     ├─ …001 枫林社区    grid …001 (with the micro grid …002 inside it)
//! │     └─ …002 竹园社区    grid …001, its eastern neighbour
//! └─ 990102 东区            department CG 城管
//!    └─ 990102001 绿水街道
//!       └─ …001 荷塘社区    grid …001, east of that
//! 9902 邻市, another tenant, with a grid over the very same ground
//! ```

use std::collections::HashMap;

use actix_web::rt::System;
use api::{
    access::session,
    app::{
        clock::{Clock, new_id},
        state::App,
        token::Claims,
        world::Geometry,
    },
    cli::install::{self, NewArea, NewPerson},
};
use domain::{
    area::tree::AreaKind,
    core::id::{PersonId, TenantId},
    people::actor::Role,
};
use persistence::{flows::area, kernel::tenant::Tenant, people::session::Session};
use uuid::Uuid;

use super::{build_settings, client, database::Names};

/// The code of the city.
pub(crate) const CITY: &str = "9901";
/// The code of the other tenant.
pub(crate) const OTHER: &str = "9902";
/// The grid most things happen in.
pub(crate) const GRID: &str = "990101001001001";
/// The micro grid inside it.
pub(crate) const MICRO: &str = "990101001001002";
/// The grid next to it, of the sibling community.
pub(crate) const NEXT: &str = "990101001002001";
/// The grid of the other district.
pub(crate) const EAST: &str = "990102001001001";
/// The community of [`GRID`].
pub(crate) const COMMUNITY: &str = "990101001001";
/// The sibling community.
pub(crate) const SIBLING: &str = "990101001002";
/// The street of both.
pub(crate) const STREET: &str = "990101001";
/// The other district's street.
pub(crate) const FAR_STREET: &str = "990102001";
/// The district of the street.
pub(crate) const DISTRICT: &str = "990101";
/// The other district.
pub(crate) const FAR_DISTRICT: &str = "990102";
/// The departments of the district.
pub(crate) const CG: &str = "990101-CG";
pub(crate) const SW: &str = "990101-SW";
pub(crate) const SC: &str = "990101-SC";
/// The department of the other district.
pub(crate) const FAR_CG: &str = "990102-CG";

/// The password of everybody who is seeded.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Code, name, kind, the code above, and the corners: west, south, east, north.
type Place = (&'static str, &'static str, AreaKind, Option<&'static str>, Option<[f64; 4]>);

const AREAS: &[Place] = {
    use AreaKind as K;
    &[
        (CITY, "测试市", K::City, None, None),
        (DISTRICT, "西区", K::District, Some(CITY), None),
        (FAR_DISTRICT, "东区", K::District, Some(CITY), None),
        (STREET, "青山街道", K::Street, Some(DISTRICT), None),
        (FAR_STREET, "绿水街道", K::Street, Some(FAR_DISTRICT), None),
        (COMMUNITY, "枫林社区", K::Community, Some(STREET), None),
        (SIBLING, "竹园社区", K::Community, Some(STREET), None),
        ("990102001001", "荷塘社区", K::Community, Some(FAR_STREET), None),
        (GRID, "枫林一格", K::Grid, Some(COMMUNITY), Some([110.00, 30.00, 110.01, 30.01])),
        (MICRO, "枫林微网格", K::Grid, Some(COMMUNITY), Some([110.002, 30.002, 110.004, 30.004])),
        (NEXT, "竹园一格", K::Grid, Some(SIBLING), Some([110.01, 30.00, 110.02, 30.01])),
        (EAST, "荷塘一格", K::Grid, Some("990102001001"), Some([110.02, 30.00, 110.03, 30.01])),
        (CG, "西区城管局", K::Department, Some(DISTRICT), None),
        (SW, "西区水务局", K::Department, Some(DISTRICT), None),
        (SC, "西区市场监管局", K::Department, Some(DISTRICT), None),
        (FAR_CG, "东区城管局", K::Department, Some(FAR_DISTRICT), None),
    ]
};

const OTHER_AREAS: &[Place] = {
    use AreaKind as K;
    &[
        (OTHER, "邻市", K::City, None, None),
        ("990201", "邻区", K::District, Some(OTHER), None),
        ("990201001", "邻街", K::Street, Some("990201"), None),
        ("990201001001", "邻社区", K::Community, Some("990201001"), None),
        (
            "990201001001001",
            "邻网格",
            K::Grid,
            Some("990201001001"),
            Some([110.00, 30.00, 110.01, 30.01]),
        ),
        ("990201-CG", "邻区城管局", K::Department, Some("990201"), None),
    ]
};

/// Whether one person of the other tenant holds the role together with all the others, over the
/// whole tenant: whatever its holder must not see here is hidden by the border of tenants alone.
fn beside_others(role: Role) -> bool {
    !matches!(role, Role::Auditor | Role::Integrator)
}

/// Account, name, and roles over areas.
type Somebody = (&'static str, &'static str, &'static [(Role, &'static str)]);

const PEOPLE: &[Somebody] = {
    use Role as R;
    &[
        ("admin", "管理员", &[(R::Administrator, CITY)]),
        ("far_admin", "东区管理员", &[(R::Administrator, FAR_DISTRICT)]),
        ("worker", "网格员王芳", &[(R::GridWorker, GRID)]),
        ("verifier", "网格员李强", &[(R::GridWorker, GRID)]),
        ("next_worker", "网格员周平", &[(R::GridWorker, NEXT)]),
        ("far_worker", "网格员钱进", &[(R::GridWorker, EAST)]),
        ("community", "社区陈静", &[(R::CommunityOfficer, COMMUNITY)]),
        ("sibling", "社区邓丽", &[(R::CommunityOfficer, SIBLING)]),
        ("dispatcher", "街道刘洋", &[(R::StreetDispatcher, STREET)]),
        ("leader", "街道赵刚", &[(R::StreetLeader, STREET)]),
        ("far_dispatcher", "街道孔明", &[(R::StreetDispatcher, FAR_STREET)]),
        ("district", "区中心孙丽", &[(R::DistrictDispatcher, DISTRICT)]),
        ("lead", "城管吴昊", &[(R::DepartmentOfficer, CG)]),
        ("water", "水务郑涛", &[(R::DepartmentOfficer, SW)]),
        ("market", "市场马琳", &[(R::DepartmentOfficer, SC)]),
        ("far_department", "东区城管冯军", &[(R::DepartmentOfficer, FAR_CG)]),
        ("hotline", "热线何敏", &[(R::Hotline, CITY)]),
        ("grid_leader", "网格长郝军", &[(R::GridLeader, GRID)]),
        ("head", "城管局长段宏", &[(R::DepartmentHead, CG)]),
        ("inspector", "督查员白洁", &[(R::Inspector, DISTRICT)]),
        ("auditor", "审计员邱实", &[(R::Auditor, CITY)]),
        ("client", "物业系统", &[(R::Integrator, CITY)]),
        ("volunteer", "志愿者小陆", &[(R::Volunteer, CITY)]),
        ("far_grid_leader", "网格长贺平", &[(R::GridLeader, EAST)]),
        ("far_community", "社区方圆", &[(R::CommunityOfficer, "990102001001")]),
        ("far_leader", "街道蒋毅", &[(R::StreetLeader, FAR_STREET)]),
        ("far_head", "东区城管局长严正", &[(R::DepartmentHead, FAR_CG)]),
        ("far_district", "东区中心沈月", &[(R::DistrictDispatcher, FAR_DISTRICT)]),
        ("far_hotline", "东区热线姚远", &[(R::Hotline, FAR_DISTRICT)]),
        ("far_inspector", "东区督查石坚", &[(R::Inspector, FAR_DISTRICT)]),
        ("far_auditor", "东区审计金明", &[(R::Auditor, FAR_DISTRICT)]),
        ("far_client", "东区物业系统", &[(R::Integrator, FAR_DISTRICT)]),
        ("far_resident", "东区居民古月", &[(R::Resident, FAR_DISTRICT)]),
        ("far_volunteer", "东区志愿者江流", &[(R::Volunteer, FAR_DISTRICT)]),
        ("resident", "居民张阿姨", &[(R::Resident, CITY)]),
        ("neighbour", "居民老许", &[(R::Resident, CITY)]),
        ("nobody", "无权限者", &[]),
    ]
};

/// How many live in the city.
pub(crate) const EVERYBODY: usize = PEOPLE.len();

/// What the template holds.
pub(crate) struct Seeded {
    /// Everyone by account; those of the other tenant end in `@9902`.
    pub(crate) people: HashMap<String, Login>,
    /// The areas by code.
    pub(crate) areas: Names,
}

/// A person with an open session.
#[derive(Clone)]
pub(crate) struct Login {
    /// The identity of the person.
    pub(crate) id: Uuid,
    /// In which tenant.
    pub(crate) tenant: &'static str,
    /// An access token of that session.
    pub(crate) access: String,
    /// The refresh token of that session.
    pub(crate) refresh: String,
}

/// Migrates and fills a database.
pub(crate) fn fill_database(url: &str) -> Seeded {
    let settings = build_settings(url);
    System::new().block_on(async move {
        let clock = Clock::default();
        let app = App::open(settings, clock).await.expect("the template opens");
        let mut seeded = Seeded { people: HashMap::new(), areas: Names::new() };
        let people: Vec<NewPerson> = PEOPLE
            .iter()
            .map(|(account, name, grants)| new_person(account, name, grants))
            .collect();
        seed_tenant(&app, &mut seeded, CITY, "测试市", AREAS, people).await;
        let all = Role::ALL.iter().copied().filter(|role| beside_others(*role));
        let all: Vec<(Role, &str)> = all.map(|role| (role, OTHER)).collect();
        let audit = [(Role::Auditor, OTHER)];
        let people = vec![
            new_person("worker", "邻市全能者", &all),
            new_person("auditor", "邻市审计", &audit),
        ];
        seed_tenant(&app, &mut seeded, OTHER, "邻市", OTHER_AREAS, people).await;
        app.store.close();
        seeded
    })
}

fn new_person(account: &str, name: &str, grants: &[(Role, &str)]) -> NewPerson {
    NewPerson {
        account: account.to_owned(),
        name: name.to_owned(),
        password: PASSWORD.to_owned(),
        chosen: true,
        grants: grants.iter().map(|(role, code)| (*role, (*code).to_owned())).collect(),
    }
}

async fn seed_tenant(
    app: &App,
    seeded: &mut Seeded,
    code: &'static str,
    name: &str,
    places: &[Place],
    people: Vec<NewPerson>,
) {
    let (store, clock) = (&app.store, &app.clock);
    let tenant = install::ensure_tenant(store, clock, code, name).await.expect("a tenant");
    let areas = places.iter().map(|(code, name, kind, parent, corners)| NewArea {
        code: (*code).to_owned(),
        name: (*name).to_owned(),
        kind: *kind,
        parent: parent.map(str::to_owned),
        boundary: corners.map(build_rectangle),
    });
    install::import_areas(store, clock, &tenant, "seed", areas.collect()).await.expect("areas");
    let id = tenant.id;
    for area in store.read(move |db| area::load_records(db, id)).await.expect("areas") {
        seeded.areas.insert(area.code, area.id.0);
    }
    let accounts: Vec<String> = people.iter().map(|person| person.account.clone()).collect();
    let ids = install::register_people(store, clock, Some(&app.vault), &tenant, people)
        .await
        .expect("people");
    for (account, person) in accounts.into_iter().zip(ids) {
        let login = open_session(app, &tenant, code, person).await;
        let suffix = if code == CITY { "" } else { "@9902" };
        seeded.people.insert(format!("{account}{suffix}"), login);
    }
}

fn build_rectangle([west, south, east, north]: [f64; 4]) -> Geometry {
    let ring = vec![[west, south], [east, south], [east, north], [west, north], [west, south]];
    Geometry::Polygon { coordinates: vec![ring], crs: None }
}

/// Opens a session as a login does, without the price of checking a password.
async fn open_session(app: &App, tenant: &Tenant, code: &'static str, person: PersonId) -> Login {
    let now = app.clock.now();
    let sid = new_id();
    let (refresh, digest) = session::new_refresh_token(&app.seal, tenant.id, sid).expect("chance");
    let session = Session {
        id: sid,
        person,
        refresh_hash: digest.0.to_vec(),
        method: "password".to_owned(),
        device: client::DEVICE.to_owned(),
        address: "127.0.*.*".to_owned(),
        created_at: now,
        used_at: now,
        expires_at: now + chrono::Duration::days(300),
        restriction: None,
    };
    let id = tenant.id;
    let opened = app.store.run(persistence::people::session::open_session(id, session, 10));
    opened.await.expect("a session");
    let iat = now.timestamp();
    let claims =
        Claims { sub: person, tid: TenantId(id.0), sid, iat, exp: iat + 12 * 3600, scope: None };
    let access = app.keys.issue_token(&claims).expect("a token");
    Login { id: person.0, tenant: code, access, refresh }
}
