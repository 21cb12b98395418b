//! People's data: stored where no one can read it, masked in views, disclosed only on the record.

use domain::people::personal::{Field, SubjectKind};
use persistence::probe;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, City, Engine, new_key, on_both, read_text, report_body_at, seed},
    openapi::list_operations,
};

on_both! {
    plain_text_is_nowhere_in_the_database,
    values_are_masked_for_everybody_but_their_owner,
    what_is_no_phone_is_refused_in_both_languages,
    a_report_on_behalf_names_whom_to_reach,
    somebody_is_found_by_a_whole_phone_only,
    seeing_data_whole_is_on_record_and_the_subject_reads_it,
    who_may_not_see_is_refused_on_record,
    a_replayed_disclosure_is_one_record,
    a_confidential_reporter_leaves_no_trace,
    an_anonymous_reporter_is_known_to_nobody,
    the_same_phone_is_sealed_differently_each_time,
    an_account_is_no_phone,
    consents_name_the_version_that_was_read,
    master_keys_rotate_while_the_service_runs,
    another_cipher_reads_what_the_first_wrote,
    the_wrong_key_is_refused_at_the_start,
}

const NAME: &str = "慕容秘密";
const PHONE: &str = "13987654321";
const ID: &str = "11010519491231002X";
const HOME: &str = "黄石港区隐秘巷77号9单元";

/// Values that must be found nowhere.
const SECRETS: [&str; 4] = [NAME, PHONE, ID, HOME];

/// Every value of every table, and for SQLite the file itself.
pub(crate) fn dump_database(city: &City) -> String {
    let url = &city.database.url;
    if let Some(path) = url.strip_prefix("sqlite://") {
        let mut bytes = std::fs::read(path).unwrap();
        for beside in ["-wal", "-shm"] {
            bytes.extend(std::fs::read(format!("{path}{beside}")).unwrap_or_default());
        }
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let tables = "select table_name::text as line from information_schema.tables \
                  where table_schema = 'public'";
    let mut all = String::new();
    for table in probe::query_lines(url, tables).unwrap() {
        let rows = format!("select row_to_json(t)::text as line from {table} t");
        all.extend(probe::query_lines(url, &rows).unwrap());
    }
    all
}

/// Asserts that none of the secrets is in a text, however bytes are written.
#[track_caller]
pub(crate) fn expect_no_secrets(whole: &str, secrets: &[&str], at: &str) {
    for secret in secrets {
        let hex = secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let escaped = serde_json::to_string(secret).unwrap();
        for form in [*secret, &hex, escaped.trim_matches('"')] {
            assert!(!whole.contains(form), "{at}: {secret} is readable");
        }
    }
}

/// A report of `by` with a contact; its identity.
fn submit_report(city: &City, by: &str, contact: &Value, more: &[(&str, Value)]) -> String {
    let mut body = report_body_at(110.005, 30.005);
    body["contact"] = contact.clone();
    for (member, value) in more {
        body[*member] = value.clone();
    }
    read_text(&city.client(by).post("/api/v1/reports", &body).expect_success(), "/id")
}

/// A resident whose data is planted; the identity.
fn plant_resident(city: &City) -> String {
    let account = new_key();
    let account = account.get(24..).unwrap();
    let body = json!({
        "account": account, "name": NAME, "password": seed::PASSWORD,
        "grants": [{ "role": "resident", "area_id": city.area_id(seed::CITY) }],
    });
    let person =
        read_text(&city.client("admin").post("/api/v1/people", &body).expect_success(), "/id");
    let contact = json!({ "name": NAME, "phone": PHONE, "id_number": ID, "address": HOME });
    city.client("admin")
        .post(&format!("/api/v1/people/{person}/contact"), &contact)
        .expect_success();
    person
}

fn disclosure_body(fields: &[&str]) -> Value {
    json!({ "fields": fields, "purpose": "callback", "reason": "回访核实是否解决" })
}

fn plain_text_is_nowhere_in_the_database(city: &City) {
    plant_resident(city);
    let contact = json!({ "name": NAME, "phone": PHONE, "address": HOME });
    let report = submit_report(city, "hotline", &contact, &[]);
    city.client("hotline").get(&format!("/api/v1/reports/{report}")).expect_success();
    let see = format!("/api/v1/reports/{report}/reporter/disclosures");
    let seen =
        city.client("hotline").post(&see, &disclosure_body(&["name", "phone"])).expect_success();
    assert_eq!(seen["contact"]["phone"], PHONE);
    expect_no_secrets(&dump_database(city), &SECRETS, "the database");
    // Residents of the template have names too, and none is in a journal.
    expect_no_secrets(&dump_database(city), &["居民张阿姨", "居民老许"], "the database");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn values_are_masked_for_everybody_but_their_owner(city: &City) {
    let own = city.client("resident").id();
    let path = format!("/api/v1/people/{own}/contact");
    let contact = json!({ "name": NAME, "phone": PHONE, "id_number": ID, "address": HOME });
    let mine = city.client("resident").post(&path, &contact).expect_success();
    assert_eq!((&mine["phone"], &mine["masked"]), (&json!(PHONE), &json!(false)));
    let shown = city.client("admin").get(&path).expect_success();
    let masked = json!([shown["name"], shown["phone"], shown["id_number"], shown["address"]]);
    assert_eq!(masked, json!(["慕**密", "139****4321", "1101**********002X", "黄石港区隐秘****"]));
    city.client("neighbour").get(&path).expect_problem(404, "not_found");
    city.client("far_admin").post(&path, &contact).expect_problem(403, "not_permitted");
    assert_eq!(city.client("resident").get("/api/v1/me").expect_success()["name"], NAME);
    let listed = city.client("admin").get("/api/v1/people?limit=100").expect_success();
    assert!(listed.to_string().contains("慕**密") && !listed.to_string().contains(NAME));
    // What is left out is gone.
    city.client("resident").post(&path, &json!({ "phone": PHONE })).expect_success();
    let left = city.client("resident").get(&path).expect_success();
    assert_eq!(json!([left["name"], left["phone"]]), json!([null, PHONE]));
}

fn what_is_no_phone_is_refused_in_both_languages(city: &City) {
    let path = format!("/api/v1/people/{}/contact", city.client("resident").id());
    for (member, value, code) in [
        ("phone", "12345", "invalid_phone"),
        ("id_number", "11010519491231002", "invalid_id_number"),
        ("id_number", "11010519490231002X", "invalid_id_date"),
        ("id_number", "110105194912310021", "invalid_id_check"),
        ("address", "", "empty_text"),
    ] {
        for language in ["zh-CN", "en"] {
            let call =
                city.client("resident").call("POST", &path).header("Accept-Language", language);
            let answer = call.json(&json!({ member: value })).send();
            assert!(value.is_empty() || !answer.text.contains(value), "{}", answer.text);
            assert_eq!(answer.expect_fault(&format!("/{member}")), code);
        }
    }
    let staff = format!("/api/v1/people/{}/contact", city.client("worker").id());
    let fault =
        city.client("worker").post(&staff, &json!({ "name": "王芳" })).expect_fault("/name");
    assert_eq!(fault, "in_office");
    let mut body = report_body_at(110.005, 30.005);
    body["contact"] = json!({});
    assert_eq!(
        city.client("hotline").post("/api/v1/reports", &body).expect_fault("/contact"),
        "empty"
    );
}

fn a_report_on_behalf_names_whom_to_reach(city: &City) {
    let contact = json!({ "name": NAME, "phone": PHONE });
    let id = new_key();
    let mut body = report_body_at(110.005, 30.005);
    body["contact"] = contact;
    let first = city.client("hotline").post_as(&id, "/api/v1/reports", &body).expect_success();
    let shown = json!([first["contact"]["name"], first["contact"]["phone"], first["channel"]]);
    assert_eq!(shown, json!(["慕**密", "139****4321", "worker"]));
    let again = city.client("hotline").post_as(&id, "/api/v1/reports", &body).expect_success();
    assert_eq!(again, first);
    body["contact"]["phone"] = json!("13987654322");
    let other = city.client("hotline").post_as(&id, "/api/v1/reports", &body);
    other.expect_problem(422, "idempotency_key_reused");
    // The desk sees it masked, the handler not at all.
    let path = format!("/api/v1/reports/{}", read_text(&first, "/id"));
    let desk = city.client("community").get(&path).expect_success();
    assert_eq!(desk["contact"]["phone"], "139****4321");
    let handler = city.client("worker").get(&path).expect_success();
    assert_eq!(json!([handler["contact"], handler["reporter"]]), json!([null, null]));
}

fn somebody_is_found_by_a_whole_phone_only(city: &City) {
    let person = plant_resident(city);
    let report = submit_report(city, "hotline", &json!({ "phone": PHONE }), &[]);
    let search = |by: &str, body: Value| city.client(by).post("/api/v1/contacts/search", &body);
    let ids = |answer: Answer| -> Vec<String> {
        let found = answer.expect_success();
        found["items"].as_array().unwrap().iter().map(|item| read_text(item, "/id")).collect()
    };
    assert_eq!(
        ids(search("admin", json!({ "phone": "+86 139-8765-4321" }))),
        std::slice::from_ref(&person)
    );
    assert_eq!(ids(search("admin", json!({ "id_number": ID.to_lowercase() }))), [person]);
    assert_eq!(ids(search("hotline", json!({ "phone": PHONE }))), [report]);
    // Neither people who may not know reporters there, nor another tenant.
    assert_eq!(ids(search("sibling", json!({ "phone": PHONE }))), Vec::<String>::new());
    assert_eq!(ids(search("worker@9902", json!({ "phone": PHONE }))), Vec::<String>::new());
    search("resident", json!({ "phone": PHONE })).expect_problem(403, "not_permitted");
    assert_eq!(search("admin", json!({})).expect_fault(""), "one_of");
    assert_eq!(
        search("admin", json!({ "phone": "1398765" })).expect_fault("/phone"),
        "invalid_phone"
    );
}

fn seeing_data_whole_is_on_record_and_the_subject_reads_it(city: &City) {
    let own = city.client("resident").id();
    let contact = json!({ "name": NAME, "phone": PHONE });
    city.client("resident")
        .post(&format!("/api/v1/people/{own}/contact"), &contact)
        .expect_success();
    let report = city.submit_report();
    let path = format!("/api/v1/reports/{report}/reporter/disclosures");
    let seen =
        city.client("community").post(&path, &disclosure_body(&["name", "phone"])).expect_success();
    let values =
        json!([seen["contact"]["name"], seen["contact"]["phone"], seen["contact"]["address"]]);
    assert_eq!(values, json!([NAME, PHONE, null]));
    let direct = format!("/api/v1/people/{own}/disclosures");
    city.client("admin").post(&direct, &disclosure_body(&["phone"])).expect_success();
    let mine = city.client("resident").get("/api/v1/me/disclosures").expect_success();
    let facts =
        |item: &Value| json!([item["by_name"], item["fields"], item["purpose"], item["reason"]]);
    assert_eq!(
        [facts(&mine["items"][0]), facts(&mine["items"][1])],
        [
            json!(["管理员", ["phone"], "callback", "回访核实是否解决"]),
            json!(["社区陈静", ["name", "phone"], "callback", "回访核实是否解决"]),
        ]
    );
    let all = city.client("auditor").get("/api/v1/disclosures").expect_success();
    assert_eq!(all["items"], mine["items"]);
    assert!(!all.to_string().contains(PHONE) && !all.to_string().contains(NAME));
    assert_eq!(
        city.client("neighbour").get("/api/v1/me/disclosures").expect_success()["items"],
        json!([])
    );
    city.client("admin").get("/api/v1/disclosures").expect_problem(403, "not_permitted");
}

fn who_may_not_see_is_refused_on_record(city: &City) {
    let report = city.submit_report();
    let path = format!("/api/v1/reports/{report}/reporter/disclosures");
    for by in ["worker", "leader"] {
        city.client(by)
            .post(&path, &disclosure_body(&["phone"]))
            .expect_problem(403, "not_permitted");
    }
    city.client("far_worker")
        .post(&path, &disclosure_body(&["phone"]))
        .expect_problem(404, "not_found");
    let person = format!("/api/v1/people/{}/disclosures", city.client("resident").id());
    city.client("community")
        .post(&person, &disclosure_body(&["phone"]))
        .expect_problem(404, "not_found");
    for bad in [json!([]), json!(["phone", "phone"])] {
        let body = json!({ "fields": bad, "purpose": "callback", "reason": "回访" });
        assert_eq!(
            city.client("community").post(&path, &body).expect_fault("/fields"),
            "invalid_value"
        );
    }
    let body = json!({ "fields": ["phone"], "purpose": "curiosity", "reason": "看看" });
    assert_eq!(
        city.client("community").post(&path, &body).expect_fault("/purpose"),
        "unknown_value"
    );
    let log = city.client("auditor").get("/api/v1/audit?act=disclose").expect_success();
    let refused = log["items"].as_array().unwrap();
    assert_eq!(refused.len(), 2, "{log}");
    assert!(refused.iter().all(|item| item["verdict"] == "refused"), "{log}");
    assert_eq!(
        city.client("auditor").get("/api/v1/disclosures").expect_success()["items"],
        json!([])
    );
}

fn a_replayed_disclosure_is_one_record(city: &City) {
    let report = submit_report(city, "hotline", &json!({ "phone": PHONE }), &[]);
    let path = format!("/api/v1/reports/{report}/reporter/disclosures");
    let id = new_key();
    let first =
        city.client("hotline").post_as(&id, &path, &disclosure_body(&["phone"])).expect_success();
    assert_eq!(
        city.client("hotline").post_as(&id, &path, &disclosure_body(&["phone"])).expect_success(),
        first
    );
    let other = city.client("hotline").post_as(&id, &path, &disclosure_body(&["name"]));
    other.expect_problem(422, "idempotency_key_reused");
    let all = || city.client("auditor").get("/api/v1/disclosures").expect_success();
    assert_eq!(all()["items"].as_array().unwrap().len(), 1);
    // The same key of another caller is another disclosure, with a record of its own.
    let second =
        city.client("community").post_as(&id, &path, &disclosure_body(&["phone"])).expect_success();
    assert_ne!(second["id"], first["id"]);
    assert_eq!(all()["items"].as_array().unwrap().len(), 2);
    // A record does not open the data for ever.
    city.advance(chrono::Duration::minutes(11));
    let late = city.client("hotline").post_as(&id, &path, &disclosure_body(&["phone"]));
    late.expect_problem(422, "idempotency_key_reused");
}

/// Reads every operation about a report and its case, and all others besides, and looks for the
/// secrets in bodies and headers.
fn crawl_for_secrets(city: &City, by: &str, report: &str, case: &str, secrets: &[&str]) -> usize {
    let (unit, person) = (city.area_id(seed::CG), city.client("resident").id().to_string());
    let mut read = 0;
    for (method, path, operation) in list_operations(&api::server::build_openapi()) {
        if method != "GET" {
            continue;
        }
        let id = match operation["tags"][0].as_str() {
            Some("reports") => report,
            Some("people" | "privacy") => &person,
            Some("areas") => &unit,
            _ => case,
        };
        let path = path.replace("{id}", id).replace("{unit_id}", &unit);
        let path = path.replace("{kind}", "privacy").replace("{form_id}", &unit);
        let path = match operation["operationId"].as_str().unwrap() {
            "locate_area" => format!("{path}?lng=110.005&lat=30.005"),
            "get_event_stream" => format!("{path}?seconds=0"),
            "get_privacy_notice" => format!("{path}?tenant=9901"),
            _ => path,
        };
        let answer = city.client(by).get(&path);
        assert!(answer.status < 500, "{by} {path}: {}", answer.text);
        expect_no_secrets(&answer.text, secrets, &format!("{by} {path}"));
        expect_no_secrets(
            &format!("{:?}", answer.headers),
            secrets,
            &format!("{by} {path}: headers"),
        );
        read += usize::from(answer.status < 300);
    }
    read
}

fn a_confidential_reporter_leaves_no_trace(city: &City) {
    let own = city.client("resident").id();
    let planted = json!({ "name": NAME, "phone": PHONE, "address": HOME });
    city.client("resident")
        .post(&format!("/api/v1/people/{own}/contact"), &planted)
        .expect_success();
    let contact = json!({ "phone": PHONE, "address": HOME });
    let report = submit_report(city, "resident", &contact, &[("confidential", json!(true))]);
    let case = city.file_report(&report);
    city.take_step("community", &case, "escalate", &json!({ "reason": "社区没有执法权" }));
    city.take_step("leader", &case, "whistle", &city.whistle_body());
    city.answer_summons("water", &case, seed::SW);
    city.answer_summons("lead", &case, seed::CG);
    let account = own.to_string();
    let secrets = [NAME, PHONE, HOME, "慕**密", "139****4321", account.as_str()];
    for by in ["worker", "leader", "lead", "water", "far_department", "community", "neighbour"] {
        // The crawl names the resident in paths; answers about people are another matter.
        let read = crawl_for_secrets(city, by, &report, &case, &secrets);
        assert!(read >= 8, "{by} reads {read}");
    }
    // A person with every role elsewhere, and the auditor, who sees identities and no more.
    crawl_for_secrets(city, "worker@9902", &report, &case, &secrets);
    crawl_for_secrets(city, "auditor", &report, &case, secrets.get(..5).unwrap());
    // Intake and callback know, masked, and see it whole on the record.
    let shown =
        city.client("dispatcher").get(&format!("/api/v1/reports/{report}")).expect_success();
    assert_eq!(
        json!([shown["contact"]["phone"], shown["reporter"]["name"]]),
        json!(["139****4321", "慕**密"])
    );
    let path = format!("/api/v1/reports/{report}/reporter/disclosures");
    city.client("community")
        .post(&path, &disclosure_body(&["phone"]))
        .expect_problem(403, "not_permitted");
    let seen = city
        .client("hotline")
        .post(&path, &disclosure_body(&["phone", "address"]))
        .expect_success();
    assert_eq!(json!([seen["contact"]["phone"], seen["contact"]["address"]]), json!([PHONE, HOME]));
}

fn an_anonymous_reporter_is_known_to_nobody(city: &City) {
    let own = city.client("resident").id();
    let planted = json!({ "name": NAME, "phone": PHONE, "address": HOME });
    city.client("resident")
        .post(&format!("/api/v1/people/{own}/contact"), &planted)
        .expect_success();
    let mut body = report_body_at(110.005, 30.005);
    body["anonymous"] = json!(true);
    let report =
        read_text(&city.client("resident").post("/api/v1/reports", &body).expect_success(), "/id");
    let case = city.file_report(&report);
    let account = own.to_string();
    let secrets = [NAME, PHONE, HOME, "慕**密", "139****4321", account.as_str()];
    for by in ["dispatcher", "hotline", "district", "community", "worker", "neighbour", "auditor"] {
        let secrets = if by == "auditor" { &secrets[..5] } else { &secrets[..] };
        crawl_for_secrets(city, by, &report, &case, secrets);
    }
    let path = format!("/api/v1/reports/{report}/reporter/disclosures");
    city.client("hotline")
        .post(&path, &disclosure_body(&["phone"]))
        .expect_problem(422, "anonymous");
    // The reporter still follows it.
    let mine = city.client("resident").get("/api/v1/reports?mine=true").expect_success();
    assert_eq!(mine["items"][0]["id"], json!(report));
    body["contact"] = json!({ "phone": PHONE });
    city.client("resident").post("/api/v1/reports", &body).expect_problem(422, "anonymous");
}

fn the_same_phone_is_sealed_differently_each_time(city: &City) {
    for by in ["resident", "neighbour"] {
        let path = format!("/api/v1/people/{}/contact", city.client(by).id());
        city.client(by).post(&path, &json!({ "phone": PHONE })).expect_success();
    }
    let hex = if city.database.url.starts_with("sqlite") { "hex(" } else { "encode(" };
    let tail = if hex == "hex(" { ")" } else { ", 'hex')" };
    let column = |name: &str| {
        let sql = format!(
            "select {hex}{name}{tail} as line from personal where field = '{}'",
            Field::Phone.name()
        );
        probe::query_lines(&city.database.url, &sql).unwrap()
    };
    let (sealed, blind) = (column("sealed"), column("blind"));
    assert_eq!((sealed.len(), blind.len()), (2, 2));
    assert_ne!(sealed[0], sealed[1]);
    assert_eq!(blind[0], blind[1], "the keyed digest finds both");
}

fn an_account_is_no_phone(city: &City) {
    let body = json!({ "account": PHONE, "name": NAME, "password": seed::PASSWORD });
    city.client("admin").post("/api/v1/people", &body).expect_problem(422, "account_personal");
}

fn consents_name_the_version_that_was_read(city: &City) {
    let notice = city.client("").get("/api/v1/privacy?tenant=9901").expect_success();
    assert_eq!((&notice["version"], &notice["edition"]), (&json!("1"), &json!(0)));
    assert_eq!(city.client("").get("/api/v1/privacy").status, 400);
    let answer = |body: Value| city.client("resident").post("/api/v1/me/consents", &body);
    let give = json!({ "purpose": "notification", "given": true, "version": "1" });
    let id = new_key();
    let first = city.client("resident").post_as(&id, "/api/v1/me/consents", &give).expect_success();
    assert_eq!(
        city.client("resident").post_as(&id, "/api/v1/me/consents", &give).expect_success(),
        first
    );
    let mut document =
        city.client("admin").get("/api/v1/policies/privacy").expect_success()["document"].clone();
    document["notice"]["version"] = json!("2");
    let rule = json!({ "document": document, "note": "修订告知" });
    city.client("admin").post("/api/v1/policies/privacy", &rule).expect_success();
    let outdated = answer(give).expect_problem(422, "notice_outdated");
    assert_eq!(outdated["version"], "2");
    answer(json!({ "purpose": "notification", "given": false, "version": "1" })).expect_success();
    answer(json!({ "purpose": "handling", "given": true, "version": "2" }))
        .expect_problem(422, "no_such_purpose");
    let mine = city.client("resident").get("/api/v1/me/consents").expect_success();
    let given: Vec<_> = mine["items"].as_array().unwrap().iter().map(|i| &i["given"]).collect();
    assert_eq!(given, [&json!(false), &json!(true)]);
    document["retention"]["audit"] = json!(30);
    let rule = json!({ "document": document, "note": "太短" });
    let refused =
        city.client("admin").post("/api/v1/policies/privacy", &rule).expect_problem(422, "unsound");
    assert_eq!(refused["errors"][0]["pointer"], "/document/retention/audit", "{refused}");
}

/// A vault of its own on the city's database.
fn rewrap_keys(
    city: &City,
    keys: &str,
    suite: api::app::vault::Suite,
) -> api::app::vault::rotate::Rewrapped {
    let mut settings = crate::harness::build_settings(&city.database.url);
    let Ok(given) = keys.parse();
    (settings.vault_key, settings.vault_cipher) = (Some(given), suite);
    let store = city.store.clone();
    let now = city.now();
    actix_web::rt::System::new().block_on(async move {
        let vault = api::app::vault::Vault::open(&settings, &store).await.expect("the keys fit");
        let mut sum = api::app::vault::rotate::Rewrapped::default();
        for tenant in store.read(persistence::kernel::tenant::load_all).await.unwrap() {
            let done = vault.rewrap_tenant(&store, tenant.id, now).await.unwrap();
            sum.keys += done.keys;
            sum.values += done.values;
        }
        sum
    })
}

/// The city's database served by another, with other keys.
fn serve_with(
    city: &City,
    adjust: impl FnOnce(&mut api::app::config::Settings),
) -> Result<(), String> {
    let mut settings = crate::harness::build_settings(&city.database.url);
    adjust(&mut settings);
    let (clock, id) = (city.clock(), city.client("resident").id());
    actix_web::rt::System::new().block_on(async move {
        let app = api::app::state::App::open(settings, clock).await.map_err(|e| e.to_string())?;
        let tenant = app.worlds.find_by_code(Some(seed::CITY)).expect("the city").tenant.id;
        let read = app
            .vault
            .load_values(&app.store, tenant, (SubjectKind::Person, vec![id]), Field::ALL)
            .await;
        let values = read.map_err(|e| e.to_string())?;
        let phone = values.get(&id).and_then(|v| v.get(&Field::Phone)).cloned();
        let look_up = app.vault.ensure_look_up(&app.store, tenant, app.clock.now()).await.unwrap();
        let blind = look_up.digest_value(Field::Phone, PHONE);
        let found = app
            .store
            .read(move |db| {
                persistence::people::vault::find_subjects(db, tenant, Field::Phone, &blind, 10)
            })
            .await
            .unwrap();
        app.store.close();
        assert_eq!(phone.as_deref(), Some(PHONE));
        assert_eq!(found.len(), 1);
        Ok(())
    })
}

fn new_keys() -> String {
    format!("{},{}", "31".repeat(32), crate::harness::VAULT_KEY)
}

fn phone_of_the_resident(city: &City) {
    let path = format!("/api/v1/people/{}/contact", city.client("resident").id());
    city.client("resident").post(&path, &json!({ "phone": PHONE })).expect_success();
}

fn master_keys_rotate_while_the_service_runs(city: &City) {
    phone_of_the_resident(city);
    let done = rewrap_keys(city, &new_keys(), api::app::vault::Suite::Aes);
    // Five residents and volunteers of the city, one without a role, and the key of its own.
    assert_eq!((done.keys, done.values), (7, 0));
    assert_eq!(
        rewrap_keys(city, &new_keys(), api::app::vault::Suite::Aes).keys,
        0,
        "again does nothing"
    );
    // The new key alone opens everything now, the old one alone nothing.
    let alone = |key: String| {
        move |settings: &mut api::app::config::Settings| {
            let Ok(given) = key.parse();
            settings.vault_key = Some(given);
        }
    };
    serve_with(city, alone("31".repeat(32))).expect("the new key is enough");
    let refused = serve_with(city, |_| ()).expect_err("the old key opens nothing");
    assert!(refused.contains("add it again"), "{refused}");
    let log = city.client("auditor").get("/api/v1/audit?act=rotate").expect_success();
    assert_eq!(log["items"][0]["detail"]["keys"], 7, "{log}");
}

fn another_cipher_reads_what_the_first_wrote(city: &City) {
    phone_of_the_resident(city);
    serve_with(city, |settings| settings.vault_cipher = api::app::vault::Suite::Sm4)
        .expect("it reads both");
    let done = rewrap_keys(city, crate::harness::VAULT_KEY, api::app::vault::Suite::Sm4);
    assert_eq!((done.keys, done.values), (7, 6));
    let column = if city.database.url.starts_with("sqlite") {
        "select hex(substr(sealed, 2, 1)) as line from personal"
    } else {
        "select encode(substring(sealed from 2 for 1), 'hex') as line from personal"
    };
    let ciphers = probe::query_lines(&city.database.url, column).unwrap();
    assert!(ciphers.iter().all(|cipher| cipher == "02"), "{ciphers:?}");
    serve_with(city, |settings| settings.vault_cipher = api::app::vault::Suite::Sm4)
        .expect("it finds it");
}

fn the_wrong_key_is_refused_at_the_start(city: &City) {
    let Ok(other) = "32".repeat(32).parse();
    let refused = serve_with(city, |settings| settings.vault_key = Some(other)).unwrap_err();
    assert!(refused.contains("master key") && !refused.contains("3232"), "{refused}");
    let refused = serve_with(city, |settings| settings.vault_key = None).unwrap_err();
    if city.database.url.starts_with("postgres") {
        assert!(refused.contains("openssl rand -base64 32"), "{refused}");
    } else {
        assert!(refused.contains("cannot be read"), "{refused}");
    }
}

/// A server with its keys in a file that another process rotates.
fn a_running_server_takes_up_a_rotated_file(engine: Engine) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    std::fs::write(&file, crate::harness::VAULT_KEY).unwrap();
    make_private(&file);
    let keys = file.clone();
    let city = City::open_with(engine, move |settings| {
        settings.vault_key = None;
        settings.vault_key_file = Some(keys);
    });
    phone_of_the_resident(&city);
    let mut settings = crate::harness::build_settings(&city.database.url);
    settings.vault_key = None;
    settings.vault_key_file = Some(file.clone());
    let (store, now) = (city.store.clone(), city.now());
    actix_web::rt::System::new().block_on(async move {
        let vault = api::app::vault::Vault::open(&settings, &store).await.expect("the keys fit");
        vault.prepend_master_key().expect("the file can be written");
        for tenant in store.read(persistence::kernel::tenant::load_all).await.unwrap() {
            vault.rewrap_tenant(&store, tenant.id, now).await.unwrap();
        }
        let tenant = store.read(persistence::kernel::tenant::load_all).await.unwrap().remove(0).id;
        let masters = api::app::vault::rotate::count_wrapped_keys(&store, tenant).await.unwrap();
        assert_eq!(masters, [(vault.current_key_id(), 7)]);
    });
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 4);
    // The server asks for keys it does not know at most every five seconds.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let path = format!("/api/v1/people/{}/contact", city.client("resident").id());
    assert_eq!(city.client("resident").get(&path).expect_success()["phone"], PHONE);
}

fn make_private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_running_server_takes_up_a_rotated_file_on_sqlite() {
    a_running_server_takes_up_a_rotated_file(Engine::Sqlite);
}

#[test]
fn a_running_server_takes_up_a_rotated_file_on_postgres() {
    a_running_server_takes_up_a_rotated_file(Engine::Postgres);
}

#[test]
fn an_embedded_database_gets_its_key_beside_it() {
    let database = crate::harness::Database::new_empty(Engine::Sqlite);
    let mut settings = crate::harness::build_settings(&database.url);
    settings.vault_key = None;
    let path = format!("{}.key", database.url.strip_prefix("sqlite://").unwrap());
    for _ in 0..2 {
        let settings = settings.clone();
        actix_web::rt::System::new().block_on(async move {
            let app = api::app::state::App::open(settings, api::app::clock::Clock::default()).await;
            app.expect("it starts with one command").store.close();
        });
        assert!(std::path::Path::new(&path).is_file());
    }
}
