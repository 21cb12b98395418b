//! 黄石市 as the demo has it: real divisions, derived grids, departments, invented people.

use domain::{
    area::{coordinate::Point, locate::covers, tree::AreaKind},
    people::actor::Role,
};
use persistence::Store;

use crate::{
    app::{clock::Clock, password, vault::Vault, world::Geometry},
    cli::{
        install::{self, Failed, NewArea, NewPerson},
        seed::{self, Boundaries},
    },
};

/// The city's code.
pub(super) const CITY: &str = "4202";

/// A person who can log in to the demo.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// The account to log in with.
    pub account: &'static str,
    /// The person's name, as others see it.
    pub name: &'static str,
    /// What this person is.
    pub role: Role,
    /// The code of the area it is granted over; `@grid`, `@community` and `@street` are those of
    /// the story.
    pub over: &'static str,
}

const fn new_account(
    account: &'static str,
    name: &'static str,
    role: Role,
    over: &'static str,
) -> Account {
    Account { account, name, role, over }
}

/// The people of the story. All names are invented.
pub(super) const PEOPLE: &[Account] = &[
    new_account("admin", "管理员小丁", Role::Administrator, CITY),
    new_account("wangge-1", "网格员王芳", Role::GridWorker, "@grid"),
    new_account("wangge-2", "网格员李强", Role::GridWorker, "@grid"),
    new_account("xuncha", "巡查员周平", Role::GridWorker, CITY),
    new_account("shequ", "社区工作者陈静", Role::CommunityOfficer, "@community"),
    new_account("jiedao", "街道调度员刘洋", Role::StreetDispatcher, "@street"),
    new_account("lingdao", "街道领导赵刚", Role::StreetLeader, "@street"),
    new_account("quji", "区指挥中心孙丽", Role::DistrictDispatcher, "420202"),
    new_account("chengguan", "城管局经办吴昊", Role::DepartmentOfficer, "420202-CG"),
    new_account("shuiwu", "水务公司经办郑涛", Role::DepartmentOfficer, "420202-SW"),
    new_account("shijian", "市场监管局经办马琳", Role::DepartmentOfficer, "420202-SC"),
    new_account("rexian", "热线回访员何敏", Role::Hotline, CITY),
    new_account("shenji", "审计员韩冰", Role::Auditor, CITY),
    new_account("jumin", "居民张阿姨", Role::Resident, CITY),
];

/// A seeded city.
#[derive(Clone, Debug)]
pub struct City {
    /// The password of everybody in this demo; made for this run.
    pub password: String,
    /// The codes of the places in the story.
    pub places: Places,
    counts: [usize; 4],
}

/// The codes of the areas the story happens in.
#[derive(Clone, Debug)]
pub struct Places {
    /// The grid of the first report.
    pub grid: String,
    /// The code of the grid's community.
    pub community: String,
    /// The code of the grid's street.
    pub street: String,
}

impl Places {
    fn resolve_code<'a>(&'a self, over: &'a str) -> &'a str {
        match over {
            "@grid" => &self.grid,
            "@community" => &self.community,
            "@street" => &self.street,
            code => code,
        }
    }
}

impl City {
    /// What the city holds, in one line.
    pub fn summary(&self) -> String {
        let [divisions, units, grids, people] = self.counts;
        format!("黄石市：{divisions} 个区划、{units} 个部门、{grids} 个网格、{people} 个账号。")
    }

    /// Instructions for trying it by hand.
    pub fn render_invitation(&self, base: &str) -> String {
        use std::fmt::Write;
        let mut text = format!(
            "\n服务仍在运行，按 Ctrl-C 结束。 / Still serving; Ctrl-C stops.\n\
             服务的时钟停在故事之后，从那里继续走。 / Its clock goes on from where the story ended.\n\
             文档 / Documentation: {base}/docs\n\
             账号（密码都是本次随机生成的 {p}）/ Accounts (password {p}):\n",
            p = self.password
        );
        for person in PEOPLE {
            let (account, name, role) = (person.account, person.name, person.role.label());
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {account:<10} {name}（{role}）");
        }
        let _ = writeln!(
            text,
            "小程序登录 / Mini-program: POST {base}/api/v1/auth/wechat {{\"code\":\"code-anything\"}}（微信由演示程序代替）"
        );
        let _ = write!(
            text,
            "试一试 / Try:\n  TOKEN=$(curl -s {base}/api/v1/auth/login -H 'Content-Type: application/json' \
             -d '{{\"account\":\"quji\",\"password\":\"{}\"}}' | sed 's/.*access_token\":\"\\([^\"]*\\).*/\\1/')\n  \
             curl -s {base}/api/v1/me/todos -H \"Authorization: Bearer $TOKEN\"",
            self.password
        );
        text
    }
}

/// Seeds the city into an empty database.
pub async fn seed(store: &Store, clock: &Clock, vault: Option<&Vault>) -> Result<City, Failed> {
    let tenant = match install::find_tenant(store, CITY).await? {
        Some(_) => {
            return Err(Failed(format!(
                "the database already has a tenant {CITY}; the demo needs a new database"
            )));
        }
        None => install::ensure_tenant(store, clock, CITY, "黄石市").await?,
    };
    let shapes = seed::derive_boundaries();
    let geometry = |code: &str| shapes.divisions.get(code).map(Geometry::from_boundary);
    let divisions: Vec<NewArea> = seed::divisions()
        .into_iter()
        .map(|division| NewArea {
            boundary: geometry(&division.code),
            kind: area_kind(division.level),
            parent: (division.code != CITY).then_some(division.parent_code),
            code: division.code,
            name: division.name,
        })
        .collect();
    let departments: Vec<NewArea> = seed::departments()
        .into_iter()
        .map(|department| NewArea {
            code: department.code,
            name: department.name,
            kind: AreaKind::Department,
            parent: Some(department.parent_code),
            boundary: None,
        })
        .collect();
    let grids: Vec<NewArea> = shapes
        .grids
        .iter()
        .map(|grid| NewArea {
            code: grid.code.clone(),
            name: grid.name.clone(),
            kind: AreaKind::Grid,
            parent: Some(grid.community_code.clone()),
            boundary: Some(Geometry::from_boundary(&grid.boundary)),
        })
        .collect();
    let counts = [divisions.len(), departments.len(), grids.len(), PEOPLE.len()];
    let places = find_places(&shapes)?;
    let all = divisions.into_iter().chain(departments).chain(grids).collect();
    install::import_areas(store, clock, &tenant, "黄石市演示数据", all).await?;
    let password = password::generate().map_err(|error| Failed(error.to_string()))?;
    let people = PEOPLE.iter().map(|person| NewPerson {
        account: person.account.to_owned(),
        name: person.name.to_owned(),
        password: password.clone(),
        chosen: true,
        grants: vec![(person.role, places.resolve_code(person.over).to_owned())],
    });
    install::register_people(store, clock, vault, &tenant, people.collect()).await?;
    Ok(City { password, places, counts })
}

fn area_kind(level: u8) -> AreaKind {
    match level {
        2 => AreaKind::City,
        3 => AreaKind::District,
        4 => AreaKind::Street,
        _ => AreaKind::Community,
    }
}

/// The grid the first report lies in, and what is around it.
fn find_places(shapes: &Boundaries) -> Result<Places, Failed> {
    let report = seed::reports().into_iter().next();
    let report = report.ok_or_else(|| Failed("the demo has no reports".to_owned()))?;
    let point = Point { lng: report.lng, lat: report.lat };
    let grid = shapes.grids.iter().find(|grid| covers(&grid.boundary, point));
    let grid = grid.ok_or_else(|| Failed("the first report lies in no grid".to_owned()))?;
    let part = |length: usize| grid.code.chars().take(length).collect::<String>();
    Ok(Places { community: part(12), street: part(9), grid: grid.code.clone() })
}
