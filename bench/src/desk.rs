//! All people logged in to one server, and their requests.

use api::app::clock::new_id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    http::{Client, get_request, post_request},
    load::Turn,
    server::Server,
    town::{Place, RESIDENT, Town, Who},
    trouble::{Done, new_trouble},
};

/// The people of a town, logged in.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    posts: Vec<Post>,
    hotline: String,
    admin: String,
    resident: String,
    root: Uuid,
}

/// The people of one place.
#[derive(Clone, Debug)]
struct Post {
    place: Place,
    worker: String,
    checker: String,
    officer: String,
}

/// The nine commands of a loop.
pub(crate) const LOOP: [&str; 9] =
    ["report", "file", "dispatch", "sign", "start", "feedback", "verify", "callback", "close"];

/// A case to be made, with the identities it gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coming {
    number: u64,
    report: Uuid,
    case: Uuid,
}

impl Coming {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, report: new_id(), case: new_id() }
    }

    /// The identity of the case.
    pub(crate) const fn case(self) -> Uuid {
        self.case
    }
}

impl Desk {
    /// Logs all people in.
    pub(crate) async fn open(server: &Server, town: &Town) -> Done<Self> {
        let mut client = Client::connect(server.address).await?;
        let hotline = log_in(&mut client, "rexian", town).await?;
        let admin = log_in(&mut client, "admin", town).await?;
        let resident = log_in(&mut client, RESIDENT, town).await?;
        client.send(&get_request("/api/v1/me", &admin)).await?;
        let me: Value = serde_json::from_slice(client.body())?;
        let root = me.pointer("/grants/0/area/id").and_then(Value::as_str);
        let root = Uuid::parse_str(root.unwrap_or_default())?;
        let mut posts = Vec::new();
        for (number, place) in town.places.iter().enumerate() {
            let mut tokens = Vec::new();
            for who in [Who::Worker, Who::Checker, Who::Officer] {
                tokens.push(log_in(&mut client, &Place::account_name(number, who), town).await?);
            }
            let [worker, checker, officer] = tokens
                .try_into()
                .map_err(|_tokens: Vec<String>| new_trouble("three people, three tokens"))?;
            posts.push(Post { place: place.clone(), worker, checker, officer });
        }
        Ok(Self { posts, hotline, admin, resident, root })
    }

    fn find_post(&self, number: u64) -> Option<&Post> {
        let number = usize::try_from(number).ok()?;
        self.posts.get(number % self.posts.len().max(1))
    }

    /// A turn of one request: a worker submits a report.
    pub(crate) fn report_turn(&self, number: u64) -> Turn {
        let submit =
            |at: &Post| post_request("/api/v1/reports", &at.worker, new_id(), &at.place.report);
        self.find_post(number).map(submit).into_iter().collect()
    }

    /// A page of an officer's inbox.
    pub(crate) fn inbox_turn(&self, number: u64) -> Turn {
        let page = |at: &Post| get_request("/api/v1/me/todos?limit=20", &at.officer);
        self.find_post(number).map(page).into_iter().collect()
    }

    /// A case by its id.
    pub(crate) fn case_turn(&self, coming: Coming) -> Turn {
        let look =
            |at: &Post| get_request(&format!("/api/v1/cases/{}", coming.case()), &at.officer);
        self.find_post(coming.number).map(look).into_iter().collect()
    }

    /// A remark on a case.
    pub(crate) fn comment_turn(&self, coming: Coming) -> Turn {
        let path = format!("/api/v1/cases/{}/comment", coming.case());
        let body = json!({ "text": "已电话告知商户负责人，约定明日上午到场" }).to_string();
        let comment = |at: &Post| post_request(&path, &at.officer, new_id(), &body);
        self.find_post(coming.number).map(comment).into_iter().collect()
    }

    /// One command of the loop of a case.
    pub(crate) fn build_step(&self, coming: Coming, step: &str) -> Option<Vec<u8>> {
        let at = self.find_post(coming.number)?;
        let case = |token: &str, body: Value| {
            let path = format!("/api/v1/cases/{}/{step}", coming.case());
            post_request(&path, token, new_id(), &body.to_string())
        };
        Some(match step {
            "report" => {
                let rest = at.place.report.strip_prefix('{').unwrap_or_default();
                let body = format!("{{\"id\":\"{}\",{rest}", coming.report);
                post_request("/api/v1/reports", &at.worker, new_id(), &body)
            }
            "file" => {
                let path = format!("/api/v1/reports/{}/file", coming.report);
                post_request(
                    &path,
                    &at.officer,
                    new_id(),
                    &json!({ "case_id": coming.case }).to_string(),
                )
            }
            "dispatch" => {
                let unit = at.place.grid.id.0;
                case(&at.officer, json!({ "unit_id": unit, "note": "请网格员到场处理" }))
            }
            "sign" | "start" => case(&at.worker, json!({})),
            "feedback" => case(&at.worker, json!({ "result": "已到场清理完毕，并告知商户保持" })),
            "verify" => case(&at.checker, json!({ "passed": true, "note": "现场已恢复" })),
            "callback" => {
                let answers = json!({ "reached": true, "solved": true, "satisfied": "satisfied" });
                case(&self.hotline, answers)
            }
            _ => case(&at.officer, json!({ "note": "办结" })),
        })
    }

    /// A whole loop.
    pub(crate) fn loop_turn(&self, number: u64) -> Turn {
        let coming = Coming::new(number);
        LOOP.iter().filter_map(|step| self.build_step(coming, step)).collect()
    }
}

/// The people who run and visit a campaign, and the place.
#[derive(Clone, Debug)]
pub(crate) struct Campaigners {
    /// The token of the officer of the community.
    pub(crate) officer: String,
    /// The token of a worker.
    pub(crate) worker: String,
    /// The grid whose households are visited.
    pub(crate) grid: Uuid,
    /// The community of that grid.
    pub(crate) community: Uuid,
}

impl Desk {
    /// The token of an administrator of the whole town.
    pub(crate) fn admin_token(&self) -> &str {
        &self.admin
    }

    /// The token of a resident.
    pub(crate) fn resident_token(&self) -> &str {
        &self.resident
    }

    /// The token of a person who may read every case.
    pub(crate) fn reader_token(&self) -> &str {
        &self.hotline
    }

    /// The whole town.
    pub(crate) const fn root_id(&self) -> Uuid {
        self.root
    }

    /// Those of the first place.
    pub(crate) fn campaigners(&self) -> Option<Campaigners> {
        self.posts.first().map(|at| Campaigners {
            officer: at.officer.clone(),
            worker: at.worker.clone(),
            grid: at.place.grid.id.0,
            community: at.place.community.id.0,
        })
    }

    /// The tokens of all people by account, with the grids they work in.
    pub(crate) fn list_people(&self) -> Vec<(String, String, Uuid)> {
        let of = |(number, at): (usize, &Post)| {
            let people = [
                (Who::Worker, &at.worker),
                (Who::Checker, &at.checker),
                (Who::Officer, &at.officer),
            ];
            let grid = at.place.grid.id.0;
            people.map(|(who, token)| (Place::account_name(number, who), token.clone(), grid))
        };
        self.posts.iter().enumerate().flat_map(of).collect()
    }

    /// The tokens and the grids of the workers.
    pub(crate) fn list_workers(&self) -> Vec<(&str, Uuid)> {
        self.posts.iter().map(|at| (at.worker.as_str(), at.place.grid.id.0)).collect()
    }
}

async fn log_in(client: &mut Client, account: &str, town: &Town) -> Done<String> {
    let body = json!({ "tenant": "4202", "account": account, "password": town.password });
    let request = post_request("/api/v1/auth/login", "", new_id(), &body.to_string());
    let status = client.send(&request).await?;
    let answer: Value = serde_json::from_slice(client.body())?;
    let token = answer.get("access_token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(|| new_trouble(format!("{account}: {status} {answer}")))
}
