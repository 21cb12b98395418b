//! A name given by one caller takes nothing from another: keys of commands, places in journals,
//! keys of personal data.

use actix_web::rt::System;
use api::app::state::App;
use chrono::Duration;
use domain::{
    core::id::{CommandId, PersonId, TenantId},
    flows::change::Request,
};
use persistence::probe;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    City, Engine, build_settings, new_key, on_both, read_text, report_body_at, seed,
};

on_both! {
    an_erasure_destroys_no_key_of_the_tenant,
    a_report_with_the_identity_of_a_member_takes_nothing_from_it,
    a_report_with_the_identity_of_a_person_takes_nothing_from_them,
    a_file_takes_no_place_of_another_kind,
    flows_of_one_identity_owe_apart,
    a_command_of_the_system_is_out_of_reach,
    a_lost_key_of_one_tenant_keeps_no_other_from_its_work,
}

/// What a caller may type about a person: name and identification number.
const NAME: &str = "慕容秘密";
const ID: &str = "11010519491231002X";
const PHONE: &str = "13987654321";

fn erase_person(city: &City, by: &str) -> Value {
    city.client(by).post("/api/v1/me/erasure", &json!({ "reason": "注销" })).expect_success()
}

fn with_contact(id: &str) -> Value {
    let mut body = report_body_at(110.005, 30.005);
    body["id"] = json!(id);
    body["contact"] = json!({ "name": "路人", "phone": "13900001111" });
    body
}

/// Opens another server on the database of a city, does something, and closes it.
pub(crate) fn with_reopened<R>(city: &City, work: impl AsyncFnOnce(&App) -> R) -> R {
    let (settings, clock) = (build_settings(&city.database.url), city.clock());
    System::new().block_on(async move {
        let app = App::open(settings, clock).await.expect("it opens");
        let done = work(&app).await;
        app.store.close();
        done
    })
}

fn tenant_id(city: &City, code: &str) -> TenantId {
    city.app.worlds.find_by_code(Some(code)).unwrap().tenant.id
}

/// An identity in SQL.
pub(crate) fn sql_literal(city: &City, id: &str) -> String {
    match city.engine() {
        Engine::Sqlite => format!("x'{}'", id.replace('-', "")),
        Engine::Postgres => format!("'{id}'"),
    }
}

fn query_lines(city: &City, sql: &str) -> Vec<String> {
    probe::query_lines(&city.database.url, sql).unwrap()
}

fn an_erasure_destroys_no_key_of_the_tenant(city: &City) {
    let contact = json!({ "phone": "13987654321" });
    let person = format!("/api/v1/people/{}/contact", city.client("neighbour").id());
    city.client("neighbour").post(&person, &contact).expect_success();
    let nil = with_contact(&Uuid::nil().to_string());
    assert_eq!(
        city.client("resident").post("/api/v1/reports", &nil).expect_fault("/id"),
        "reserved_id"
    );
    // Nor by a report of that identity which an older program may have taken.
    let store = city.store.clone();
    let tenant = tenant_id(city, seed::CITY);
    let now = city.now();
    System::new().block_on(async move {
        use domain::people::personal::{DataSubject, SubjectKind};
        for kind in SubjectKind::ALL.iter().copied() {
            let subject = DataSubject::new(kind, Uuid::nil());
            let destroy = persistence::people::vault::destroy_key_for_good(tenant, subject, now);
            store.run(destroy).await.unwrap();
        }
    });
    erase_person(city, "resident");
    let kept = "select count(*) || '' as line from personal_keys \
                where kind = 'look_up' and wrapped is not null and destroyed_at is null";
    assert_ne!(query_lines(city, kept), ["0"]);
    let blind = with_reopened(city, async |app: &App| {
        app.vault.ensure_look_up(&app.store, tenant, app.clock.now()).await.is_ok()
    });
    assert!(blind);
    let found = city.client("admin").post("/api/v1/contacts/search", &contact).expect_success();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_report_with_the_identity_of_a_member_takes_nothing_from_it(city: &City) {
    let home = crate::household::register_household(city);
    let shown =
        || city.client("worker").get(&format!("/api/v1/households/{home}")).expect_success();
    let member = read_text(&shown(), "/members/0/id");
    let before = shown();
    // The identification number of the victim, typed as the own; and a report named like the
    // member.
    let own = format!("/api/v1/people/{}/contact", city.client("resident").id());
    city.client("resident").post(&own, &json!({ "name": NAME, "id_number": ID })).expect_success();
    city.client("resident").post("/api/v1/reports", &with_contact(&member)).expect_success();
    city.client("resident").post("/api/v1/reports", &with_contact(&home)).expect_success();
    let answer = erase_person(city, "resident");
    let told: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(told, ["erased_at", "files", "person_id", "reports"], "and nothing of others");
    assert_eq!(answer["reports"], 2);
    assert_eq!(shown(), before);
    let body = json!({ "fields": ["name", "id_number"], "purpose": "visit", "reason": "核对" });
    let path = format!("/api/v1/households/{home}/disclosures");
    let whole = city.client("worker").post(&path, &body).expect_success().to_string();
    assert!(whole.contains(NAME) && whole.contains(ID), "{whole}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_report_with_the_identity_of_a_person_takes_nothing_from_them(city: &City) {
    let victim = city.client("neighbour").id();
    let path = format!("/api/v1/people/{victim}/contact");
    city.client("neighbour")
        .post(&path, &json!({ "name": NAME, "phone": "13987654321" }))
        .expect_success();
    city.client("resident")
        .post("/api/v1/reports", &with_contact(&victim.to_string()))
        .expect_success();
    erase_person(city, "resident");
    let kept = city.client("neighbour").get(&path).expect_success();
    assert_eq!(json!([kept["name"], kept["phone"]]), json!([NAME, "13987654321"]));
    // The identity of a policy, an area or a plan is as free for a report.
    let community = city.area_id(seed::COMMUNITY);
    city.client("neighbour").post("/api/v1/reports", &with_contact(&community)).expect_success();
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_file_takes_no_place_of_another_kind(city: &City) {
    let photo = || crate::media::load_image("ok/exif_gps.jpg");
    let home = crate::household::register_household(city);
    let (visit, patrol, report, plan) = (new_key(), new_key(), new_key(), new_key());
    for id in [&visit, &patrol, &report, &plan] {
        let call = city.client("resident").call("POST", &format!("/api/v1/media?id={id}"));
        call.bytes(photo()).send().expect_success();
    }
    let body = json!({ "id": visit, "household_id": home, "purposes": ["check"] });
    city.client("worker").post("/api/v1/visits/plan", &body).expect_success();
    let grid = city.area_id(seed::GRID);
    let body = json!({ "id": patrol, "area_ids": [grid] });
    let begun = city.client("worker").post("/api/v1/patrols/begin", &body);
    assert_ne!(begun.body["code"], "already_exists", "{}", begun.text);
    city.client("neighbour").post("/api/v1/reports", &with_contact(&report)).expect_success();
    let shown = city
        .client("neighbour")
        .get(&format!("/api/v1/reports/{report}/timeline"))
        .expect_success();
    assert_eq!(shown["items"].as_array().unwrap().len(), 1, "its own entries alone: {shown}");
    assert_eq!(shown["intact"], true);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn flows_of_one_identity_owe_apart(city: &City) {
    let report = new_key();
    let mut body = report_body_at(110.005, 30.005);
    body["id"] = json!(report);
    city.client("resident").post("/api/v1/reports", &body).expect_success();
    // A case of the same identity as the report that led to it.
    let filed = json!({ "case_id": report });
    let path = format!("/api/v1/reports/{report}/file");
    let filed = city.client("community").post(&path, &filed).expect_success();
    assert_eq!(filed["case_id"], json!(report));
    let path = format!("/api/v1/cases/{report}/obligations");
    let owed = city.client("community").get(&path).expect_success();
    let duties: Vec<&Value> =
        owed["items"].as_array().unwrap().iter().map(|o| &o["duty"]).collect();
    assert_eq!(duties, ["dispatch"], "{owed}");
    let of = "select flow || ' ' || duty as line from obligations order by 1";
    assert_eq!(query_lines(city, of), ["case dispatch", "report accept"]);
    for path in
        [format!("/api/v1/cases/{report}/timeline"), format!("/api/v1/reports/{report}/timeline")]
    {
        let shown = city.client("community").get(&path).expect_success();
        assert_eq!(shown["intact"], true, "{shown}");
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// The command of the scheduler about the first debt of a report.
fn of_system(city: &City, report: &str) -> Request {
    let tenant = tenant_id(city, seed::CITY);
    let id: Uuid = report.parse().unwrap();
    let store = city.store.clone();
    let later = city.now() + Duration::days(30);
    let due = System::new().block_on(async move {
        store
            .read(move |db| persistence::kernel::obligation::load_lapsing(db, later, 10))
            .await
            .unwrap()
    });
    let debt = due.iter().find(|debt| debt.flow_id == id).unwrap();
    let (duty, no) = (&debt.duty, debt.no);
    let (unit, at) = (debt.unit, debt.next_at.timestamp_millis());
    Request::for_system(&format!("measure\n{tenant}\n{id}\n{duty}\n{unit}\n{no}\n{at}"))
}

fn a_command_of_the_system_is_out_of_reach(city: &City) {
    let report = city.submit_report();
    let command = of_system(city, &report).command.0.to_string();
    let body = report_body_at(110.005, 30.005);
    let refused = city.client("resident").post_as(&command, "/api/v1/reports", &body);
    refused.expect_problem(400, "idempotency_key_invalid");
    let item = json!({ "id": command, "operation": "submit_report", "body": body });
    let answer =
        city.client("resident").post("/api/v1/sync", &json!({ "items": [item] })).expect_success();
    assert_eq!(answer["items"][0]["outcome"], "refused");
    // Suppose it is in the journal all the same, because an older program accepted it: the measure
    // is still taken, because the key belongs to the system.
    let taken = city.client("resident").post("/api/v1/reports", &body).expect_success();
    let made = read_text(&taken, "/id");
    let (command_id, flow_id) = (sql_literal(city, &command), sql_literal(city, &made));
    let planted = format!("update journal set command_id = {command_id} where flow_id = {flow_id}");
    probe::execute(&city.database.url, &planted).unwrap();
    city.advance(Duration::days(3));
    let taken = with_reopened(city, async |app: &App| {
        api::integrations::scheduler::run_pass(app).await.unwrap()
    });
    assert!(taken > 0);
    let path = format!("/api/v1/reports/{report}/timeline");
    let shown = city.client("community").get(&path).expect_success();
    let names: Vec<&Value> =
        shown["items"].as_array().unwrap().iter().map(|i| &i["command"]).collect();
    assert!(names.iter().any(|name| **name == "lapse"), "{shown}");
    let by = (PersonId(Uuid::nil()), CommandId(command.parse().unwrap()));
    let (store, tenant) = (city.store.clone(), tenant_id(city, seed::CITY));
    let seen = System::new().block_on(async move {
        store
            .read(move |db| persistence::kernel::journal::find_command(db, tenant, by.0, by.1))
            .await
            .unwrap()
    });
    assert_eq!(seen.map(|seen| seen.flow.to_string()), Some(report));
}

fn a_lost_key_of_one_tenant_keeps_no_other_from_its_work(city: &City) {
    let (damaged, whole) = (seed::CITY, seed::OTHER);
    let (first, second) = (tenant_id(city, damaged), tenant_id(city, whole));
    let path = format!("/api/v1/people/{}/contact", city.client("neighbour").id());
    city.client("neighbour").post(&path, &json!({ "phone": PHONE })).expect_success();
    with_reopened(city, async |app: &App| {
        for tenant in [first, second] {
            app.vault.ensure_look_up(&app.store, tenant, app.clock.now()).await.unwrap();
        }
    });
    let sql = format!(
        "update personal_keys set wrapped = null where kind = 'look_up' and tenant_id = {}",
        sql_literal(city, &first.to_string())
    );
    probe::execute(&city.database.url, &sql).unwrap();
    let opened = with_reopened(city, async |app: &App| {
        let now = app.clock.now();
        let ok = |found: Result<_, persistence::StoreError>| found.is_ok();
        (
            ok(app.vault.ensure_look_up(&app.store, first, now).await),
            ok(app.vault.ensure_look_up(&app.store, second, now).await),
        )
    });
    assert_eq!(opened, (false, true));
    let broken = city.verify().broken;
    assert!(
        broken.iter().any(|why| why.contains("looked up") && why.contains(damaged)),
        "{broken:?}"
    );
    assert!(!broken.iter().any(|why| why.contains(whole)), "{broken:?}");
    // It is repaired by a command: the look-up digests are made anew.
    let mended = with_reopened(city, async |app: &App| {
        let done = app.vault.rewrap_tenant(&app.store, first, app.clock.now()).await.unwrap();
        assert!(done.keys > 0 && done.values > 0, "{done:?}");
        let blind = app.vault.ensure_look_up(&app.store, first, app.clock.now()).await.unwrap();
        let blind = blind.digest_value(domain::people::personal::Field::Phone, PHONE);
        let look = move |db: &mut persistence::Db| {
            persistence::people::vault::find_subjects(
                db,
                first,
                domain::people::personal::Field::Phone,
                &blind,
                10,
            )
        };
        app.store.read(look).await.unwrap()
    });
    let found: Vec<Uuid> = mended.iter().map(|subject| subject.id).collect();
    assert_eq!(found, [city.client("neighbour").id()]);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
