//! The rights of the subject: a copy of everything, and to be erased without a chain breaking.

use persistence::probe;
use serde_json::{Value, json};

use crate::{
    harness::{City, on_both, read_text, report_body_at, seed},
    personal::{dump_database, expect_no_secrets},
};

on_both! {
    a_copy_holds_everything_and_nobody_elses,
    the_erased_are_gone_and_the_case_goes_on,
    an_administrator_erases_on_request,
    whoever_holds_an_office_is_not_erased,
    erasing_twice_is_erasing_once,
    what_is_said_while_an_erasure_runs_is_gone,
    nothing_of_the_erased_stays_on_disk,
    a_household_that_is_erased_leaves_nothing_on_disk,
}

const NAME: &str = "慕容秘密";
const PHONE: &str = "13987654321";
const HOME: &str = "黄石港区隐秘巷77号9单元";

/// The resident's data is planted; the path of the resident.
fn plant_contact(city: &City) -> String {
    let person = format!("/api/v1/people/{}", city.client("resident").id());
    let contact = json!({ "name": NAME, "phone": PHONE, "address": HOME });
    city.client("resident").post(&format!("{person}/contact"), &contact).expect_success();
    person
}

/// A report of the resident with the own phone number.
fn submit_report(city: &City) -> String {
    let mut body = report_body_at(110.005, 30.005);
    body["contact"] = json!({ "phone": PHONE });
    read_text(&city.client("resident").post("/api/v1/reports", &body).expect_success(), "/id")
}

/// Every item of a copy, page by page.
fn fetch_copy(city: &City, by: &str) -> Vec<Value> {
    let (mut items, mut path) = (Vec::new(), "/api/v1/me/export?limit=1".to_owned());
    for _ in 0..100 {
        let page = city.client(by).get(&path).expect_success();
        let some = page["items"].as_array().unwrap();
        assert!(some.len() <= 1, "{page}");
        items.extend(some.clone());
        let Some(next) = page["next"].as_str() else { return items };
        path = format!("/api/v1/me/export?limit=1&cursor={next}");
    }
    panic!("a copy without an end");
}

/// Sends everyone the messages that are waiting.
fn send_messages(city: &City) {
    actix_web::rt::System::new()
        .block_on(api::integrations::delivery_worker::run_pass(&city.app))
        .expect("it is told");
}

fn a_copy_holds_everything_and_nobody_elses(city: &City) {
    plant_contact(city);
    let (first, second) = (submit_report(city), submit_report(city));
    city.submit_report_as("neighbour");
    let agreed = json!({ "purpose": "notification", "given": true, "version": "1" });
    city.client("resident").post("/api/v1/me/consents", &agreed).expect_success();
    let body = json!({ "fields": ["phone"], "purpose": "callback", "reason": "回访" });
    let path = format!("/api/v1/reports/{first}/reporter/disclosures");
    city.client("hotline").post(&path, &body).expect_success();
    let (_, photo) = crate::media::submit_with_photo(city, "neighbour");
    city.file_report(&first);
    send_messages(city);
    // A worker has a track, too.
    let patrol = crate::patrol::begin_patrol(city);
    let walked = fetch_copy(city, "worker");
    let walked: Vec<&Value> = walked.iter().filter(|item| item["kind"] == "patrol").collect();
    assert_eq!((walked.len(), &walked[0]["data"]["patrol"]["id"]), (1, &json!(patrol)));
    city.client("worker").get(&read_text(walked[0], "/data/track")).expect_success();
    let sent = fetch_copy(city, "neighbour");
    let sent: Vec<&Value> = sent.iter().filter(|item| item["kind"] == "file").collect();
    assert_eq!((sent.len(), &sent[0]["data"]["id"]), (1, &json!(photo)));
    city.client("neighbour").get(&read_text(sent[0], "/data/path")).expect_success();
    let items = fetch_copy(city, "resident");
    let of = |kind: &str| -> Vec<&Value> {
        items.iter().filter(|item| item["kind"] == kind).map(|item| &item["data"]).collect()
    };
    let profile = of("profile")[0];
    let known =
        json!([profile["name"], profile["contact"]["phone"], profile["contact"]["address"]]);
    assert_eq!(known, json!([NAME, PHONE, HOME]));
    let reports = of("report");
    assert_eq!((&reports[0]["id"], &reports[1]["id"]), (&json!(second), &json!(first)));
    assert_eq!((reports.len(), &reports[0]["contact"]["phone"]), (2, &json!(PHONE)));
    assert_eq!((of("file").len(), of("patrol").len()), (0, 0), "nobody else's");
    assert_eq!(of("message")[0]["kind"], "report_accepted");
    assert!(profile["messages"].is_object());
    assert_eq!(of("consent")[0]["purpose"], "notification");
    assert_eq!(of("disclosure")[0]["by_name"], "热线何敏");
    let acts: Vec<&Value> = of("audit").iter().map(|one| &one["act"]).collect();
    assert_eq!(acts, ["export", "consent", "contact"]);
}

fn the_erased_are_gone_and_the_case_goes_on(city: &City) {
    plant_contact(city);
    let report = submit_report(city);
    let case = city.file_report(&report);
    let before = dump_database(city);
    let body = json!({ "reason": "本人申请注销" });
    let done = city.client("resident").post("/api/v1/me/erasure", &body).expect_success();
    assert_eq!(done["reports"], 1);
    // The login is over, and there is no other.
    city.client("resident").get("/api/v1/me").expect_problem(401, "unauthenticated");
    let login = json!({ "tenant": "9901", "account": "resident", "password": seed::PASSWORD });
    city.client("").post("/api/v1/auth/login", &login).expect_problem(401, "credentials_invalid");
    // No key is left that opens what was there, and nothing that it sealed.
    let left = "select count(*) || '' as line from personal_keys k join personal p \
                on p.subject_id = k.subject_id where k.destroyed_at is not null";
    assert_eq!(probe::query_lines(&city.database.url, left).unwrap(), ["0"]);
    let kept = "select count(*) || '' as line from personal_keys \
                where destroyed_at is not null and wrapped is not null";
    assert_eq!(probe::query_lines(&city.database.url, kept).unwrap(), ["0"]);
    for text in [&before, &dump_database(city)] {
        expect_no_secrets(text, &[NAME, PHONE, HOME], "the database");
    }
    // The public record stays, whole, and names no one.
    assert_eq!(city.verify().broken, Vec::<String>::new());
    let shown =
        city.client("dispatcher").get(&format!("/api/v1/reports/{report}")).expect_success();
    assert_eq!(shown["reporter"]["name"], "居民");
    assert_eq!(json!([shown["contact"]["erased"], shown["contact"]["phone"]]), json!([true, null]));
    city.take_step("community", &case, "escalate", &json!({ "reason": "社区没有执法权" }));
    let check = city
        .client("dispatcher")
        .get(&format!("/api/v1/cases/{case}/verification"))
        .expect_success();
    assert_eq!(check["intact"], true, "{check}");
    let path = format!("/api/v1/reports/{report}/reporter/disclosures");
    let body = json!({ "fields": ["name", "phone"], "purpose": "callback", "reason": "回访" });
    let seen = city.client("hotline").post(&path, &body).expect_success();
    assert_eq!(json!([seen["contact"]["erased"], seen["contact"]["phone"]]), json!([true, null]));
    let log = city.client("auditor").get("/api/v1/audit?act=erase").expect_success();
    assert_eq!(log["items"][0]["subject_id"], json!(city.client("resident").id()), "{log}");
}

fn an_administrator_erases_on_request(city: &City) {
    let person = plant_contact(city);
    let body = json!({ "reason": "本人书面申请，编号 2026-7" });
    let path = format!("{person}/erasure");
    city.client("neighbour").post(&path, &body).expect_problem(404, "not_found");
    city.client("far_admin").post(&path, &body).expect_problem(403, "not_permitted");
    city.client("admin").post(&path, &body).expect_success();
    let contact = city.client("admin").get(&format!("{person}/contact")).expect_success();
    assert_eq!(json!([contact["erased"], contact["phone"]]), json!([true, null]));
    // Nothing new is stored.
    let again = json!({ "phone": PHONE });
    city.client("admin").post(&format!("{person}/contact"), &again).expect_problem(422, "erased");
    let found = city.client("admin").post("/api/v1/contacts/search", &again).expect_success();
    assert_eq!(found["items"], json!([]));
}

fn whoever_holds_an_office_is_not_erased(city: &City) {
    let body = json!({ "reason": "离职" });
    city.client("worker").post("/api/v1/me/erasure", &body).expect_problem(422, "in_office");
    let path = format!("/api/v1/people/{}", city.client("worker").id());
    let role =
        json!({ "role": "grid_worker", "area_id": city.area_id(crate::harness::seed::GRID) });
    city.client("admin")
        .post(&format!("{path}/contact"), &json!({ "phone": PHONE }))
        .expect_success();
    city.client("admin").post(&format!("{path}/revoke"), &role).expect_success();
    city.client("admin").post(&format!("{path}/erasure"), &body).expect_success();
    let contact = city.client("admin").get(&format!("{path}/contact")).expect_success();
    assert_eq!(contact["erased"], true);
}

fn erasing_twice_is_erasing_once(city: &City) {
    let person = plant_contact(city);
    let body = json!({ "reason": "本人申请" });
    let first = city.client("admin").post(&format!("{person}/erasure"), &body).expect_success();
    city.advance(chrono::Duration::minutes(5));
    let second = city.client("admin").post(&format!("{person}/erasure"), &body).expect_success();
    assert_eq!(first["erased_at"], second["erased_at"]);
    let log = city.client("auditor").get("/api/v1/audit?act=erase").expect_success();
    assert_eq!(log["items"].as_array().unwrap().len(), 1);
}

/// Everything personal that is stored, as bytes: sealed values, wrapped keys, digests.
fn collect_personal_bytes(city: &City) -> Vec<Vec<u8>> {
    let sqlite = city.database.url.starts_with("sqlite");
    let hex = |column: &str, table: &str| {
        let text =
            if sqlite { format!("hex({column})") } else { format!("encode({column}, 'hex')") };
        format!("select {text} as line from {table} where {column} is not null")
    };
    let mut kept = Vec::new();
    for (column, table) in
        [("sealed", "personal"), ("blind", "personal"), ("wrapped", "personal_keys")]
    {
        for line in probe::query_lines(&city.database.url, &hex(column, table)).unwrap() {
            let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
            kept.push((0..line.len()).step_by(2).map(byte).collect::<Vec<u8>>());
        }
    }
    kept
}

/// The content of the files of a database; empty where it has none here.
fn read_database_files(city: &City) -> Vec<u8> {
    let Some(path) = city.database.url.strip_prefix("sqlite://") else { return Vec::new() };
    let read = |path: String| std::fs::read(path).unwrap_or_default();
    [read(path.to_owned()), read(format!("{path}-wal")), read(format!("{path}-journal"))].concat()
}

fn contains_bytes(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// How often PostgreSQL freed what was deleted from a table.
fn count_vacuums(city: &City, table: &str) -> i64 {
    let sql = format!(
        "select vacuum_count::text as line from pg_stat_user_tables where relname = '{table}'"
    );
    probe::query_lines(&city.database.url, &sql).unwrap().remove(0).parse().unwrap()
}

/// Erases by `erase` and checks whether anything of what was stored `before` is left on disk.
fn leaves_nothing(city: &City, before: &[Vec<u8>], erase: impl FnOnce()) {
    let planted: Vec<Vec<u8>> =
        collect_personal_bytes(city).into_iter().filter(|bytes| !before.contains(bytes)).collect();
    assert!(planted.len() >= 4, "{}", planted.len());
    let sqlite = city.database.url.starts_with("sqlite");
    if sqlite {
        let there = read_database_files(city);
        assert!(planted.iter().all(|bytes| contains_bytes(&there, bytes)), "nothing to look for");
    }
    erase();
    if !sqlite {
        // Counted by another process, a moment later.
        let mut freed = 0;
        for _ in 0..100 {
            freed = count_vacuums(city, "personal").min(count_vacuums(city, "personal_keys"));
            if freed > 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert!(freed > 0, "what was deleted was not freed");
        return;
    }
    let there = read_database_files(city);
    let left = planted.iter().filter(|bytes| contains_bytes(&there, bytes)).count();
    assert_eq!(left, 0, "of {} things {left} are still on disk", planted.len());
    for plain in [NAME, PHONE, HOME] {
        assert!(!contains_bytes(&there, plain.as_bytes()), "{plain}");
    }
    assert!(!city.store.has_remains());
}

fn nothing_of_the_erased_stays_on_disk(city: &City) {
    let before = collect_personal_bytes(city);
    plant_contact(city);
    for _ in 0..20 {
        submit_report(city);
    }
    // Two readers send requests all the while.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &stop;
        for _ in 0..2 {
            scope.spawn(move || {
                for _ in 0..2000 {
                    if done.load(std::sync::atomic::Ordering::Relaxed) {
                        return;
                    }
                    city.client("worker").get("/api/v1/reports?limit=20").expect_success();
                }
            });
        }
        leaves_nothing(city, &before, || {
            let why = json!({ "reason": "本人申请注销账号" });
            city.client("resident").post("/api/v1/me/erasure", &why).expect_success();
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_household_that_is_erased_leaves_nothing_on_disk(city: &City) {
    let before = collect_personal_bytes(city);
    let id = crate::household::register_household(city);
    leaves_nothing(city, &before, || {
        let path = format!("/api/v1/households/{id}/erasure");
        city.client("worker").post(&path, &json!({ "reason": "户主申请删除" })).expect_success();
    });
}

fn what_is_said_while_an_erasure_runs_is_gone(city: &City) {
    plant_contact(city);
    // Another replica knows the login for some seconds more.
    let settings = crate::harness::build_settings(&city.database.url);
    let replica = crate::harness::Replica::open(city, settings);
    let mut body = report_body_at(110.005, 30.005);
    body["contact"] = json!({ "phone": PHONE });
    let report = |body: &Value| {
        let call = city.client("resident").call("POST", "/api/v1/reports").on_server(&replica.base);
        call.json(body).send()
    };
    report(&body).expect_success();
    city.client("resident")
        .post("/api/v1/me/erasure", &json!({ "reason": "注销" }))
        .expect_success();
    let late = read_text(&report(&body).expect_success(), "/id");
    let shown = city.client("dispatcher").get(&format!("/api/v1/reports/{late}")).expect_success();
    let contact = &shown["contact"];
    assert_eq!(json!([contact["erased"], contact["phone"]]), json!([true, null]), "{shown}");
    let found = city
        .client("admin")
        .post("/api/v1/contacts/search", &json!({ "phone": PHONE }))
        .expect_success();
    assert_eq!(found["items"], json!([]));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
