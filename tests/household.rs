//! Households: registered in grids, masked, disclosed on the record, unknown to other grids and
//! other systems, erased one member at a time.

use serde_json::{Value, json};

use crate::{
    harness::{City, new_key, on_both, read_text, read_texts, seed},
    openapi::list_operations,
    personal::{dump_database, expect_no_secrets},
};

on_both! {
    a_household_is_shown_masked_and_kept_nowhere_in_plain_text,
    other_grids_and_systems_find_nothing_to_crawl,
    seeing_a_household_whole_is_on_record_and_its_members_read_it,
    only_what_changed_is_given,
    a_child_is_kept_with_a_guardians_consent,
    whoever_is_paired_sees_and_finds_it,
    many_at_once_and_one_bad_item_does_not_sink_the_rest,
    a_replay_registers_nothing_twice,
    a_replayed_update_is_answered_as_the_first,
    of_two_updates_at_once_none_is_lost,
    a_member_is_changed_once_at_a_time,
    erasing_a_household_leaves_its_record,
    erasing_a_person_reaches_the_member_linked_to_the_account_alone,
}

const NAME: &str = "慕容秘密";
const PHONE: &str = "13987654321";
const ID: &str = "11010519491231002X";
const ROOM: &str = "隐秘单元七层702";

/// Values that must be found nowhere.
const SECRETS: [&str; 5] = [NAME, PHONE, ID, ROOM, "elderly_alone"];

pub(crate) fn household_body(city: &City) -> Value {
    json!({
        "area_id": city.area_id(seed::GRID), "building": "3栋", "size": 2,
        "room": { "room": ROOM }, "group": { "code": "S03", "name": "第三联户" },
        "members": [
            { "name": NAME, "phone": PHONE, "id_number": ID, "groups": ["elderly_alone"], "relation": "户主" },
            { "name": "慕容小秘", "relation": "女儿" },
        ],
    })
}

/// A household of the grid; its identity.
pub(crate) fn register_household(city: &City) -> String {
    read_text(
        &city.client("worker").post("/api/v1/households", &household_body(city)).expect_success(),
        "/id",
    )
}

fn household_path(id: &str, verb: &str) -> String {
    format!("/api/v1/households/{id}{verb}")
}

fn disclosure_body(fields: &[&str]) -> Value {
    json!({ "fields": fields, "purpose": "visit", "reason": "上门走访前核对" })
}

fn a_household_is_shown_masked_and_kept_nowhere_in_plain_text(city: &City) {
    let made =
        city.client("worker").post("/api/v1/households", &household_body(city)).expect_success();
    let id = read_text(&made, "/id");
    let shown = city.client("community").get(&household_path(&id, "")).expect_success();
    let head = &shown["members"][0];
    assert_eq!(
        json!([head["name"], head["phone"], head["id_number"], head["special"], shown["room"]]),
        json!(["慕**密", "139****4321", "1101**********002X", true, "****"])
    );
    assert_eq!(json!([shown["special"], shown["known"], shown["size"]]), json!([true, 2, 2]));
    let listed = city.client("worker").get("/api/v1/households?special=true").expect_success();
    assert_eq!(read_texts(&listed, "/id"), std::slice::from_ref(&id));
    let none = city.client("worker").get("/api/v1/households?building=4%E6%A0%8B").expect_success();
    assert_eq!(none["items"], json!([]));
    let timeline = city.client("worker").get(&household_path(&id, "/timeline")).expect_success();
    expect_no_secrets(&timeline.to_string(), &SECRETS, "the timeline");
    expect_no_secrets(&listed.to_string(), &SECRETS, "the list");
    expect_no_secrets(&dump_database(city), &SECRETS, "the database");
    assert_eq!(city.verify().broken, Vec::<String>::new());
    let wrong = json!({ "area_id": city.area_id(seed::COMMUNITY) });
    city.client("community")
        .post("/api/v1/households", &wrong)
        .expect_problem(422, "not_in_a_grid");
    let phone = json!({ "area_id": city.area_id(seed::GRID), "members": [{ "phone": "1234" }] });
    let fault = city.client("worker").post("/api/v1/households", &phone);
    assert_eq!(fault.expect_fault("/members/0/phone"), "invalid_phone");
    let empty = json!({ "area_id": city.area_id(seed::GRID), "members": [{}] });
    assert_eq!(
        city.client("worker").post("/api/v1/households", &empty).expect_fault("/members/0"),
        "empty"
    );
}

/// Reads every operation that can be read with this household in the path, and looks for the
/// secrets.
fn crawl_for_secrets(city: &City, by: &str, id: &str, secrets: &[&str]) -> usize {
    let mut read = 0;
    for (method, path, operation) in list_operations(&api::server::build_openapi()) {
        if method != "GET" || !path.starts_with("/api/v1") {
            continue;
        }
        let path = path.replace("{id}", id).replace("{form_id}", id).replace("{unit_id}", id);
        let path = path.replace("{kind}", "conduct").replace("{provider}", "x");
        // A stream that ends when everything there is was sent.
        let path = path.replace("/stream", "/stream?seconds=0");
        let answer = city.client(by).get(&path);
        assert!(answer.status < 500, "{by} {path}: {}", answer.text);
        expect_no_secrets(&answer.text, secrets, &format!("{by} {path}"));
        let own = operation["tags"][0] == "households" && path.contains(id);
        read += usize::from(own && answer.status < 300);
    }
    read
}

fn other_grids_and_systems_find_nothing_to_crawl(city: &City) {
    let id = register_household(city);
    let visit = json!({ "household_id": id, "purposes": ["opinions"], "outcome": "met" });
    city.client("worker").post("/api/v1/visits", &visit).expect_success();
    let masked = ["慕**密", "139****4321", id.as_str()];
    let strangers = [
        "next_worker",
        "far_worker",
        "sibling",
        "far_dispatcher",
        "client",
        "resident",
        "volunteer",
        "lead",
        "admin",
        "worker@9902",
        "auditor",
    ];
    for by in strangers {
        let secrets: Vec<&str> = SECRETS.iter().chain(&masked).copied().collect();
        // Who asks for a household by its identity knows that identity.
        let secrets = secrets.get(..7).unwrap();
        assert_eq!(crawl_for_secrets(city, by, &id, secrets), 0, "{by}");
        city.client(by).get(&household_path(&id, "")).expect_problem(404, "not_found");
        city.client(by)
            .post(&household_path(&id, "/disclosures"), &disclosure_body(&["phone"]))
            .expect_problem(404, "not_found");
        let listed = city.client(by).get("/api/v1/households").expect_success();
        assert_eq!(listed["items"], json!([]), "{by}");
        assert_eq!(
            city.client(by).get("/api/v1/visits").expect_success()["items"],
            json!([]),
            "{by}"
        );
    }
    for by in ["worker", "grid_leader", "community", "dispatcher", "leader"] {
        assert_eq!(crawl_for_secrets(city, by, &id, &SECRETS), 2, "{by}");
    }
}

fn seeing_a_household_whole_is_on_record_and_its_members_read_it(city: &City) {
    let mut body = household_body(city);
    body["members"][0]["person_id"] = json!(city.client("resident").id());
    let id =
        read_text(&city.client("worker").post("/api/v1/households", &body).expect_success(), "/id");
    let disclosures = household_path(&id, "/disclosures");
    let seen = city
        .client("worker")
        .post(&disclosures, &disclosure_body(&["phone", "room"]))
        .expect_success();
    let head = &seen["members"][0];
    assert_eq!(
        json!([head["phone"], head["name"], seen["room"]["room"]]),
        json!([PHONE, null, ROOM])
    );
    let seen = city
        .client("community")
        .post(&disclosures, &disclosure_body(&["groups", "details"]))
        .expect_success();
    assert_eq!(seen["members"][0]["groups"][0]["label"], "独居老人");
    assert_eq!(seen["members"][1]["relation"], "女儿");
    city.client("leader")
        .post(&disclosures, &disclosure_body(&["phone"]))
        .expect_problem(403, "not_permitted");
    let wrong = json!({ "fields": ["address"], "purpose": "visit", "reason": "核对" });
    assert_eq!(
        city.client("worker").post(&disclosures, &wrong).expect_fault("/fields"),
        "invalid_value"
    );
    let mine = city.client("resident").get("/api/v1/me/disclosures").expect_success();
    assert_eq!(read_texts(&mine, "/by_name"), ["社区陈静", "网格员王芳"]);
    assert_eq!(mine["items"][0]["household_id"], id);
    let all = city.client("auditor").get("/api/v1/disclosures").expect_success();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    expect_no_secrets(&all.to_string(), &SECRETS, "the record");
    let log = city.client("auditor").get("/api/v1/audit?act=disclose").expect_success();
    let verdicts = read_texts(&log, "/verdict");
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "refused").count(), 1, "{log}");
}

fn only_what_changed_is_given(city: &City) {
    let id = register_household(city);
    let shown = city.client("worker").get(&household_path(&id, "")).expect_success();
    let (head, second) = (read_text(&shown, "/members/0/id"), read_text(&shown, "/members/1/id"));
    let change = json!({
        "size": 3, "change_members": [{ "id": head, "phone": "13900001111", "groups": [] }],
        "add_members": [{ "name": "新成员" }], "remove_members": [second],
    });
    let after =
        city.client("worker").post(&household_path(&id, "/update"), &change).expect_success();
    assert_eq!(
        json!([after["size"], after["special"], after["building"]]),
        json!([3, false, "3栋"])
    );
    assert_eq!(after["members"][0]["name"], "慕**密", "what was not given stays");
    assert_eq!(after["members"][0]["phone"], "139****1111");
    assert_eq!(after["members"][1]["name"], "新*员");
    expect_no_secrets(&dump_database(city), &["13900001111", "新成员"], "the database");
    let gone = json!({ "change_members": [{ "id": second, "name": "谁" }] });
    city.client("worker")
        .post(&household_path(&id, "/update"), &gone)
        .expect_problem(422, "no_such_member");
    city.client("leader")
        .post(&household_path(&id, "/update"), &json!({ "size": 9 }))
        .expect_problem(403, "not_permitted");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_child_is_kept_with_a_guardians_consent(city: &City) {
    let birth = (city.now() - chrono::Duration::days(5 * 365)).date_naive();
    let mut body = json!({
        "area_id": city.area_id(seed::GRID),
        "members": [{ "name": "小宝", "birth": birth, "groups": ["left_behind_child"] }],
    });
    let refused = city.client("worker").post("/api/v1/households", &body);
    refused.expect_problem(422, "guardian_consent_missing");
    body["members"][0]["guardian_consent"] = json!(true);
    city.client("worker").post("/api/v1/households", &body).expect_success();
}

fn whoever_is_paired_sees_and_finds_it(city: &City) {
    let id = register_household(city);
    let cadre = city.client("lead").id();
    let pair = json!({ "person_id": cadre, "kind": "cadre" });
    city.client("lead").post(&household_path(&id, "/pair"), &pair).expect_problem(404, "not_found");
    let shown = city.client("worker").post(&household_path(&id, "/pair"), &pair).expect_success();
    let pairing = &shown["pairings"][0];
    assert_eq!(
        json!([pairing["name"], pairing["kind_label"], pairing["holds"]]),
        json!(["城管吴昊", "干部包保", true])
    );
    assert_eq!(
        read_texts(
            &city.client("lead").get("/api/v1/households?mine=true").expect_success(),
            "/id"
        ),
        std::slice::from_ref(&id)
    );
    assert_eq!(city.client("lead").get(&household_path(&id, "")).expect_success()["id"], id);
    let visit = json!({ "household_id": id, "purposes": ["assistance"], "outcome": "met" });
    let visited = city.client("lead").post("/api/v1/visits", &visit).expect_success();
    assert_eq!(
        read_texts(&city.client("lead").get("/api/v1/visits?mine=true").expect_success(), "/id"),
        [read_text(&visited, "/id")]
    );
    // A resident who leads the group of ten learns nothing by it.
    let leader = json!({ "person_id": city.client("neighbour").id(), "kind": "group_leader" });
    city.client("worker").post(&household_path(&id, "/pair"), &leader).expect_success();
    city.client("neighbour").get(&household_path(&id, "")).expect_problem(404, "not_found");
    let unpair = json!({ "person_id": cadre, "kind": "cadre" });
    city.client("worker").post(&household_path(&id, "/unpair"), &unpair).expect_success();
    city.client("lead").get(&household_path(&id, "")).expect_problem(404, "not_found");
    city.client("worker")
        .post(&household_path(&id, "/unpair"), &unpair)
        .expect_problem(422, "not_paired");
    let nobody = json!({ "person_id": new_key(), "kind": "cadre" });
    city.client("worker")
        .post(&household_path(&id, "/pair"), &nobody)
        .expect_problem(422, "unknown_person");
}

fn many_at_once_and_one_bad_item_does_not_sink_the_rest(city: &City) {
    let mut foreign = household_body(city);
    foreign["area_id"] = json!(city.area_id(seed::NEXT));
    let mut wrong = household_body(city);
    wrong["members"][0]["phone"] = json!("12");
    let items = json!({ "items": [household_body(city), foreign, household_body(city), wrong, { "area": 1 }] });
    let id = new_key();
    let done =
        city.client("worker").post_as(&id, "/api/v1/household_imports", &items).expect_success();
    assert_eq!(json!([done["registered"], done["failed"]]), json!([2, 3]));
    let results = read_texts(&done, "/result");
    assert_eq!(results, ["registered", "failed", "registered", "failed", "failed"]);
    let code = |index: usize| done["items"][index]["problem"]["code"].clone();
    assert_eq!(
        [code(1), code(3), code(4)],
        [json!("not_permitted"), json!("invalid_body"), json!("invalid_body")]
    );
    assert_eq!(done["items"][3]["problem"]["errors"][0]["pointer"], "/members/0/phone");
    let again =
        city.client("worker").post_as(&id, "/api/v1/household_imports", &items).expect_success();
    assert_eq!(read_texts(&again, "/result")[0], "registered_before");
    assert_eq!(again["items"][0]["id"], done["items"][0]["id"]);
    let listed = city.client("worker").get("/api/v1/households").expect_success();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let none = city.client("worker").post("/api/v1/household_imports", &json!({ "items": [] }));
    assert_eq!(none.expect_fault("/items"), "out_of_range");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_replay_registers_nothing_twice(city: &City) {
    let id = new_key();
    let first = city
        .client("worker")
        .post_as(&id, "/api/v1/households", &household_body(city))
        .expect_success();
    assert_eq!(
        city.client("worker")
            .post_as(&id, "/api/v1/households", &household_body(city))
            .expect_success(),
        first
    );
    let mut other = household_body(city);
    other["members"][0]["phone"] = json!("13987654322");
    let reused = city.client("worker").post_as(&id, "/api/v1/households", &other);
    reused.expect_problem(422, "idempotency_key_reused");
}

fn a_replayed_update_is_answered_as_the_first(city: &City) {
    let id = register_household(city);
    let shown = city.client("worker").get(&household_path(&id, "")).expect_success();
    let (head, second) = (read_text(&shown, "/members/0/id"), read_text(&shown, "/members/1/id"));
    let change = |relation: &str| {
        json!({
            "room": { "room": ROOM }, "add_members": [{ "name": "新成员" }],
            "change_members": [{ "id": head, "relation": relation }, { "id": second, "phone": PHONE }],
        })
    };
    let (again, update) = (new_key(), household_path(&id, "/update"));
    let first = city.client("worker").post_as(&again, &update, &change("母亲")).expect_success();
    assert_eq!(
        city.client("worker").post_as(&again, &update, &change("母亲")).expect_success(),
        first
    );
    let reused = city.client("worker").post_as(&again, &update, &change("外婆"));
    reused.expect_problem(422, "idempotency_key_reused");
    // And when one of those it is about is no more.
    let gone = json!({ "remove_members": [second] });
    city.client("worker").post(&update, &gone).expect_success();
    let after = city.client("worker").post_as(&again, &update, &change("母亲")).expect_success();
    assert_eq!(after["seq"], first["seq"]);
}

fn of_two_updates_at_once_none_is_lost(city: &City) {
    let id = register_household(city);
    let shown = city.client("worker").get(&household_path(&id, "")).expect_success();
    let head = read_text(&shown, "/members/0/id");
    for _ in 0..5 {
        let change = |of: Value| {
            let mut of = of;
            of["id"] = json!(head);
            let body = json!({ "change_members": [of] });
            city.client("worker").post(&household_path(&id, "/update"), &body).expect_success();
        };
        let born = chrono::Duration::days(30_000);
        let birth = json!({ "birth": (city.now() - born).date_naive() });
        std::thread::scope(|scope| {
            scope.spawn(|| change(json!({ "relation": "母亲" })));
            scope.spawn(|| change(birth.clone()));
        });
        let seen = city
            .client("worker")
            .post(&household_path(&id, "/disclosures"), &disclosure_body(&["details"]))
            .expect_success();
        let head = &seen["members"][0];
        assert_eq!(json!([head["relation"], head["birth"]]), json!(["母亲", birth["birth"]]));
        let back = json!({ "relation": "户主", "birth": "1950-01-01" });
        change(back);
    }
}

fn a_member_is_changed_once_at_a_time(city: &City) {
    let id = register_household(city);
    let shown = city.client("worker").get(&household_path(&id, "")).expect_success();
    let head = read_text(&shown, "/members/0/id");
    let twice =
        json!({ "change_members": [{ "id": head, "name": "甲" }, { "id": head, "name": "乙" }] });
    let fault = city.client("worker").post(&household_path(&id, "/update"), &twice);
    assert_eq!(fault.expect_fault("/change_members/1/id"), "duplicate");
}

fn erasing_a_household_leaves_its_record(city: &City) {
    let id = register_household(city);
    let why = json!({ "reason": "户主申请删除" });
    city.client("leader")
        .post(&household_path(&id, "/erasure"), &why)
        .expect_problem(403, "not_permitted");
    let erased =
        city.client("worker").post(&household_path(&id, "/erasure"), &why).expect_success();
    let left = json!([erased["standing"], erased["members"], erased["room"], erased["special"]]);
    assert_eq!(left, json!(["erased", [], null, false]));
    let visit = json!({ "household_id": id, "purposes": ["opinions"], "outcome": "met" });
    city.client("worker").post("/api/v1/visits", &visit).expect_problem(422, "erased");
    city.client("worker")
        .post(&household_path(&id, "/update"), &json!({ "size": 2 }))
        .expect_problem(422, "wrong_state");
    let again = city.client("worker").post(&household_path(&id, "/erasure"), &why).expect_success();
    assert_eq!(json!([again["standing"], again["possible"]]), json!(["erased", ["erase"]]));
    let log = city.client("auditor").get("/api/v1/audit?act=erase").expect_success();
    assert_eq!(log["items"].as_array().unwrap().len(), 2, "{log}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn erasing_a_person_reaches_the_member_linked_to_the_account_alone(city: &City) {
    let resident = city.client("resident").id();
    let contact = json!({ "name": NAME, "id_number": ID });
    city.client("resident")
        .post(&format!("/api/v1/people/{resident}/contact"), &contact)
        .expect_success();
    // Linked by the account in one household; a member of both has the number that was typed.
    let mut linked = household_body(city);
    linked["members"][1]["person_id"] = json!(resident);
    let one = read_text(
        &city.client("worker").post("/api/v1/households", &linked).expect_success(),
        "/id",
    );
    let two = register_household(city);
    let mut next = Some("/api/v1/me/export?limit=100".to_owned());
    let mut kinds = Vec::new();
    while let Some(path) = next {
        let page = city.client("resident").get(&path).expect_success();
        kinds.extend(page["items"].as_array().unwrap().clone());
        next = page["next"].as_str().map(|c| format!("/api/v1/me/export?limit=100&cursor={c}"));
    }
    let mine: Vec<&Value> = kinds.iter().filter(|item| item["kind"] == "household").collect();
    assert_eq!(mine.len(), 1);
    let own = &mine[0]["data"];
    assert_eq!(json!([own["room"]["room"], own["member"][0]["name"]]), json!([ROOM, "慕容小秘"]));
    let erased = city
        .client("resident")
        .post("/api/v1/me/erasure", &json!({ "reason": "注销" }))
        .expect_success();
    assert_eq!(erased.get("members"), None, "nothing tells whether others have the number");
    let shown = city.client("worker").get(&household_path(&one, "")).expect_success();
    assert_eq!(
        json!([shown["members"][0]["erased"], shown["members"][1]["erased"]]),
        json!([false, true])
    );
    let shown = city.client("worker").get(&household_path(&two, "")).expect_success();
    assert_eq!(
        json!([shown["members"][0]["erased"], shown["members"][1]["erased"]]),
        json!([false, false])
    );
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
