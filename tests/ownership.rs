//! What one caller names takes nothing from another: keys of commands, places in journals, keys of
//! personal data.

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

use crate::harness::{City, Engine, key, on_both, report_at, seed, settings, text};

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

fn erase(city: &City, by: &str) -> Value {
    city.by(by).post("/api/v1/me/erasure", &json!({ "reason": "注销" })).done()
}

fn with_contact(id: &str) -> Value {
    let mut body = report_at(110.005, 30.005);
    body["id"] = json!(id);
    body["contact"] = json!({ "name": "路人", "phone": "13900001111" });
    body
}

/// Another server on the database of a city opens, does something, and closes.
pub(crate) fn reopened<R>(city: &City, work: impl AsyncFnOnce(&App) -> R) -> R {
    let (settings, clock) = (settings(&city.database.url), city.clock());
    System::new().block_on(async move {
        let app = App::open(settings, clock).await.expect("it opens");
        let done = work(&app).await;
        app.store.close();
        done
    })
}

fn tenant(city: &City, code: &str) -> TenantId {
    city.app.worlds.by_code(Some(code)).unwrap().tenant.id
}

/// An identity in SQL.
pub(crate) fn literal(city: &City, id: &str) -> String {
    match city.engine() {
        Engine::Sqlite => format!("x'{}'", id.replace('-', "")),
        Engine::Postgres => format!("'{id}'"),
    }
}

fn lines(city: &City, sql: &str) -> Vec<String> {
    probe::lines(&city.database.url, sql).unwrap()
}

fn an_erasure_destroys_no_key_of_the_tenant(city: &City) {
    let contact = json!({ "phone": "13987654321" });
    let person = format!("/api/v1/people/{}/contact", city.by("neighbour").id());
    city.by("neighbour").post(&person, &contact).done();
    let nil = with_contact(&Uuid::nil().to_string());
    assert_eq!(city.by("resident").post("/api/v1/reports", &nil).fault_at("/id"), "reserved_id");
    // Nor by a report of that identity which an older program may have taken.
    let store = city.store.clone();
    let tenant = tenant(city, seed::CITY);
    let now = city.now();
    System::new().block_on(async move {
        use domain::people::personal::{DataSubject, SubjectKind};
        for kind in SubjectKind::ALL.iter().copied() {
            let subject = DataSubject::new(kind, Uuid::nil());
            let destroy = move |db: &mut persistence::Db| {
                persistence::people::vault::destroy_for_good(db, tenant, subject, now)
            };
            store.run(destroy).await.unwrap();
        }
    });
    erase(city, "resident");
    let kept = "select count(*) || '' as line from personal_keys \
                where kind = 'look_up' and wrapped is not null and destroyed_at is null";
    assert_ne!(lines(city, kept), ["0"]);
    let blind = reopened(city, async |app: &App| {
        app.vault.look_up(&app.store, tenant, app.clock.now()).await.is_ok()
    });
    assert!(blind);
    let found = city.by("admin").post("/api/v1/contacts/search", &contact).done();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_report_with_the_identity_of_a_member_takes_nothing_from_it(city: &City) {
    let home = crate::household::registered(city);
    let shown = || city.by("worker").get(&format!("/api/v1/households/{home}")).done();
    let member = text(&shown(), "/members/0/id");
    let before = shown();
    // The identification number of the victim, typed as the own; and a report named like the member.
    let own = format!("/api/v1/people/{}/contact", city.by("resident").id());
    city.by("resident").post(&own, &json!({ "name": NAME, "id_number": ID })).done();
    city.by("resident").post("/api/v1/reports", &with_contact(&member)).done();
    city.by("resident").post("/api/v1/reports", &with_contact(&home)).done();
    let answer = erase(city, "resident");
    let told: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(told, ["erased_at", "files", "person_id", "reports"], "and nothing of others");
    assert_eq!(answer["reports"], 2);
    assert_eq!(shown(), before);
    let body = json!({ "fields": ["name", "id_number"], "purpose": "visit", "reason": "核对" });
    let path = format!("/api/v1/households/{home}/disclosures");
    let whole = city.by("worker").post(&path, &body).done().to_string();
    assert!(whole.contains(NAME) && whole.contains(ID), "{whole}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_report_with_the_identity_of_a_person_takes_nothing_from_them(city: &City) {
    let victim = city.by("neighbour").id();
    let path = format!("/api/v1/people/{victim}/contact");
    city.by("neighbour").post(&path, &json!({ "name": NAME, "phone": "13987654321" })).done();
    city.by("resident").post("/api/v1/reports", &with_contact(&victim.to_string())).done();
    erase(city, "resident");
    let kept = city.by("neighbour").get(&path).done();
    assert_eq!(json!([kept["name"], kept["phone"]]), json!([NAME, "13987654321"]));
    // The identity of a policy, an area or a plan is as free for a report.
    let community = city.area(seed::COMMUNITY);
    city.by("neighbour").post("/api/v1/reports", &with_contact(&community)).done();
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_file_takes_no_place_of_another_kind(city: &City) {
    let photo = || crate::media::image("ok/exif_gps.jpg");
    let home = crate::household::registered(city);
    let (visit, patrol, report, plan) = (key(), key(), key(), key());
    for id in [&visit, &patrol, &report, &plan] {
        let call = city.by("resident").call("POST", &format!("/api/v1/media?id={id}"));
        call.bytes(photo()).send().done();
    }
    let body = json!({ "id": visit, "household_id": home, "purposes": ["check"] });
    city.by("worker").post("/api/v1/visits/plan", &body).done();
    let grid = city.area(seed::GRID);
    let body = json!({ "id": patrol, "area_ids": [grid] });
    let begun = city.by("worker").post("/api/v1/patrols/begin", &body);
    assert_ne!(begun.body["code"], "already_exists", "{}", begun.text);
    city.by("neighbour").post("/api/v1/reports", &with_contact(&report)).done();
    let shown = city.by("neighbour").get(&format!("/api/v1/reports/{report}/timeline")).done();
    assert_eq!(shown["items"].as_array().unwrap().len(), 1, "its own entries alone: {shown}");
    assert_eq!(shown["intact"], true);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn flows_of_one_identity_owe_apart(city: &City) {
    let report = key();
    let mut body = report_at(110.005, 30.005);
    body["id"] = json!(report);
    city.by("resident").post("/api/v1/reports", &body).done();
    // A case of the same identity as the report that led to it.
    let filed = json!({ "case_id": report });
    let path = format!("/api/v1/reports/{report}/file");
    let filed = city.by("community").post(&path, &filed).done();
    assert_eq!(filed["case_id"], json!(report));
    let path = format!("/api/v1/cases/{report}/obligations");
    let owed = city.by("community").get(&path).done();
    let duties: Vec<&Value> =
        owed["items"].as_array().unwrap().iter().map(|o| &o["duty"]).collect();
    assert_eq!(duties, ["dispatch"], "{owed}");
    let of = "select flow || ' ' || duty as line from obligations order by 1";
    assert_eq!(lines(city, of), ["case dispatch", "report accept"]);
    for path in
        [format!("/api/v1/cases/{report}/timeline"), format!("/api/v1/reports/{report}/timeline")]
    {
        let shown = city.by("community").get(&path).done();
        assert_eq!(shown["intact"], true, "{shown}");
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// The command of the scheduler about the first debt of a report.
fn of_system(city: &City, report: &str) -> Request {
    let tenant = tenant(city, seed::CITY);
    let id: Uuid = report.parse().unwrap();
    let store = city.store.clone();
    let later = city.now() + Duration::days(30);
    let due = System::new().block_on(async move {
        store.read(move |db| persistence::kernel::obligation::lapsing(db, later, 10)).await.unwrap()
    });
    let debt = due.iter().find(|debt| debt.flow_id == id).unwrap();
    let (duty, no) = (&debt.duty, debt.no);
    let (unit, at) = (debt.unit, debt.next_at.timestamp_millis());
    Request::of_system(&format!("measure\n{tenant}\n{id}\n{duty}\n{unit}\n{no}\n{at}"))
}

fn a_command_of_the_system_is_out_of_reach(city: &City) {
    let report = city.received();
    let command = of_system(city, &report).command.0.to_string();
    let body = report_at(110.005, 30.005);
    let refused = city.by("resident").post_as(&command, "/api/v1/reports", &body);
    refused.problem(400, "idempotency_key_invalid");
    let item = json!({ "id": command, "operation": "submit_report", "body": body });
    let answer = city.by("resident").post("/api/v1/sync", &json!({ "items": [item] })).done();
    assert_eq!(answer["items"][0]["outcome"], "refused");
    // Suppose it is in the journal all the same, because an older program accepted it: the measure
    // is still taken, because the key belongs to the system.
    let taken = city.by("resident").post("/api/v1/reports", &body).done();
    let made = text(&taken, "/id");
    let (command_id, flow_id) = (literal(city, &command), literal(city, &made));
    let planted = format!("update journal set command_id = {command_id} where flow_id = {flow_id}");
    probe::execute(&city.database.url, &planted).unwrap();
    city.advance(Duration::days(3));
    let taken =
        reopened(city, async |app: &App| api::integrations::clockwork::pass(app).await.unwrap());
    assert!(taken > 0);
    let path = format!("/api/v1/reports/{report}/timeline");
    let shown = city.by("community").get(&path).done();
    let names: Vec<&Value> =
        shown["items"].as_array().unwrap().iter().map(|i| &i["command"]).collect();
    assert!(names.iter().any(|name| **name == "lapse"), "{shown}");
    let by = (PersonId(Uuid::nil()), CommandId(command.parse().unwrap()));
    let (store, tenant) = (city.store.clone(), tenant(city, seed::CITY));
    let seen = System::new().block_on(async move {
        store
            .read(move |db| persistence::kernel::journal::seen(db, tenant, by.0, by.1))
            .await
            .unwrap()
    });
    assert_eq!(seen.map(|seen| seen.flow.to_string()), Some(report));
}

fn a_lost_key_of_one_tenant_keeps_no_other_from_its_work(city: &City) {
    let (damaged, whole) = (seed::CITY, seed::OTHER);
    let (first, second) = (tenant(city, damaged), tenant(city, whole));
    let path = format!("/api/v1/people/{}/contact", city.by("neighbour").id());
    city.by("neighbour").post(&path, &json!({ "phone": PHONE })).done();
    reopened(city, async |app: &App| {
        for tenant in [first, second] {
            app.vault.look_up(&app.store, tenant, app.clock.now()).await.unwrap();
        }
    });
    let sql = format!(
        "update personal_keys set wrapped = null where kind = 'look_up' and tenant_id = {}",
        literal(city, &first.to_string())
    );
    probe::execute(&city.database.url, &sql).unwrap();
    let opened = reopened(city, async |app: &App| {
        let now = app.clock.now();
        let ok = |found: Result<_, persistence::StoreError>| found.is_ok();
        (
            ok(app.vault.look_up(&app.store, first, now).await),
            ok(app.vault.look_up(&app.store, second, now).await),
        )
    });
    assert_eq!(opened, (false, true));
    let broken = city.verify().broken;
    assert!(
        broken.iter().any(|why| why.contains("looked up") && why.contains(damaged)),
        "{broken:?}"
    );
    assert!(!broken.iter().any(|why| why.contains(whole)), "{broken:?}");
    // It is mended by a command: what people are found by is made anew.
    let mended = reopened(city, async |app: &App| {
        let done = app.vault.rewrap(&app.store, first, app.clock.now()).await.unwrap();
        assert!(done.keys > 0 && done.values > 0, "{done:?}");
        let blind = app.vault.look_up(&app.store, first, app.clock.now()).await.unwrap();
        let blind = blind.digest(domain::people::personal::Field::Phone, PHONE);
        let look = move |db: &mut persistence::Db| {
            persistence::people::vault::find(
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
    assert_eq!(found, [city.by("neighbour").id()]);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
