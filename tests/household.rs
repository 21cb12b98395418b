//! Households: registered in grids, masked, seen whole on the record, unknown to other grids and
//! other systems, erased one member at a time.

use serde_json::{Value, json};

use crate::{
    harness::{City, each, key, on_both, seed, text},
    openapi::operations,
    personal::{everything, lacks},
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

/// What may be found nowhere.
const SECRETS: [&str; 5] = [NAME, PHONE, ID, ROOM, "elderly_alone"];

pub(crate) fn body(city: &City) -> Value {
    json!({
        "area_id": city.area(seed::GRID), "building": "3栋", "size": 2,
        "room": { "room": ROOM }, "group": { "code": "S03", "name": "第三联户" },
        "members": [
            { "name": NAME, "phone": PHONE, "id_number": ID, "groups": ["elderly_alone"], "relation": "户主" },
            { "name": "慕容小秘", "relation": "女儿" },
        ],
    })
}

/// A household of the grid; its identity.
pub(crate) fn registered(city: &City) -> String {
    text(&city.by("worker").post("/api/v1/households", &body(city)).done(), "/id")
}

fn path(id: &str, verb: &str) -> String {
    format!("/api/v1/households/{id}{verb}")
}

fn seeing(fields: &[&str]) -> Value {
    json!({ "fields": fields, "purpose": "visit", "reason": "上门走访前核对" })
}

fn a_household_is_shown_masked_and_kept_nowhere_in_plain_text(city: &City) {
    let made = city.by("worker").post("/api/v1/households", &body(city)).done();
    let id = text(&made, "/id");
    let shown = city.by("community").get(&path(&id, "")).done();
    let head = &shown["members"][0];
    assert_eq!(
        json!([head["name"], head["phone"], head["id_number"], head["special"], shown["room"]]),
        json!(["慕**密", "139****4321", "1101**********002X", true, "****"])
    );
    assert_eq!(json!([shown["special"], shown["known"], shown["size"]]), json!([true, 2, 2]));
    let listed = city.by("worker").get("/api/v1/households?special=true").done();
    assert_eq!(each(&listed, "/id"), std::slice::from_ref(&id));
    let none = city.by("worker").get("/api/v1/households?building=4%E6%A0%8B").done();
    assert_eq!(none["items"], json!([]));
    let timeline = city.by("worker").get(&path(&id, "/timeline")).done();
    lacks(&timeline.to_string(), &SECRETS, "the timeline");
    lacks(&listed.to_string(), &SECRETS, "the list");
    lacks(&everything(city), &SECRETS, "the database");
    assert_eq!(city.verify().broken, Vec::<String>::new());
    let wrong = json!({ "area_id": city.area(seed::COMMUNITY) });
    city.by("community").post("/api/v1/households", &wrong).problem(422, "not_in_a_grid");
    let phone = json!({ "area_id": city.area(seed::GRID), "members": [{ "phone": "1234" }] });
    let fault = city.by("worker").post("/api/v1/households", &phone);
    assert_eq!(fault.fault_at("/members/0/phone"), "invalid_phone");
    let empty = json!({ "area_id": city.area(seed::GRID), "members": [{}] });
    assert_eq!(
        city.by("worker").post("/api/v1/households", &empty).fault_at("/members/0"),
        "empty"
    );
}

/// Reads whatever can be read with this household in every path, and looks for the secrets.
fn crawl(city: &City, by: &str, id: &str, secrets: &[&str]) -> usize {
    let mut read = 0;
    for (method, path, operation) in operations(&api::server::document()) {
        if method != "GET" || !path.starts_with("/api/v1") {
            continue;
        }
        let path = path.replace("{id}", id).replace("{form_id}", id).replace("{unit_id}", id);
        let path = path.replace("{kind}", "conduct").replace("{provider}", "x");
        // A stream that ends when everything there is was told.
        let path = path.replace("/stream", "/stream?seconds=0");
        let answer = city.by(by).get(&path);
        assert!(answer.status < 500, "{by} {path}: {}", answer.text);
        lacks(&answer.text, secrets, &format!("{by} {path}"));
        let own = operation["tags"][0] == "households" && path.contains(id);
        read += usize::from(own && answer.status < 300);
    }
    read
}

fn other_grids_and_systems_find_nothing_to_crawl(city: &City) {
    let id = registered(city);
    let visit = json!({ "household_id": id, "purposes": ["opinions"], "outcome": "met" });
    city.by("worker").post("/api/v1/visits", &visit).done();
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
        assert_eq!(crawl(city, by, &id, secrets), 0, "{by}");
        city.by(by).get(&path(&id, "")).problem(404, "not_found");
        city.by(by).post(&path(&id, "/disclosures"), &seeing(&["phone"])).problem(404, "not_found");
        let listed = city.by(by).get("/api/v1/households").done();
        assert_eq!(listed["items"], json!([]), "{by}");
        assert_eq!(city.by(by).get("/api/v1/visits").done()["items"], json!([]), "{by}");
    }
    for by in ["worker", "grid_leader", "community", "dispatcher", "leader"] {
        assert_eq!(crawl(city, by, &id, &SECRETS), 2, "{by}");
    }
}

fn seeing_a_household_whole_is_on_record_and_its_members_read_it(city: &City) {
    let mut body = body(city);
    body["members"][0]["person_id"] = json!(city.by("resident").id());
    let id = text(&city.by("worker").post("/api/v1/households", &body).done(), "/id");
    let disclosures = path(&id, "/disclosures");
    let seen = city.by("worker").post(&disclosures, &seeing(&["phone", "room"])).done();
    let head = &seen["members"][0];
    assert_eq!(
        json!([head["phone"], head["name"], seen["room"]["room"]]),
        json!([PHONE, null, ROOM])
    );
    let seen = city.by("community").post(&disclosures, &seeing(&["groups", "details"])).done();
    assert_eq!(seen["members"][0]["groups"][0]["label"], "独居老人");
    assert_eq!(seen["members"][1]["relation"], "女儿");
    city.by("leader").post(&disclosures, &seeing(&["phone"])).problem(403, "not_permitted");
    let wrong = json!({ "fields": ["address"], "purpose": "visit", "reason": "核对" });
    assert_eq!(city.by("worker").post(&disclosures, &wrong).fault_at("/fields"), "invalid_value");
    let mine = city.by("resident").get("/api/v1/me/disclosures").done();
    assert_eq!(each(&mine, "/by_name"), ["社区陈静", "网格员王芳"]);
    assert_eq!(mine["items"][0]["household_id"], id);
    let all = city.by("auditor").get("/api/v1/disclosures").done();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    lacks(&all.to_string(), &SECRETS, "the record");
    let log = city.by("auditor").get("/api/v1/audit?act=disclose").done();
    let verdicts = each(&log, "/verdict");
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "refused").count(), 1, "{log}");
}

fn only_what_changed_is_given(city: &City) {
    let id = registered(city);
    let shown = city.by("worker").get(&path(&id, "")).done();
    let (head, second) = (text(&shown, "/members/0/id"), text(&shown, "/members/1/id"));
    let change = json!({
        "size": 3, "change_members": [{ "id": head, "phone": "13900001111", "groups": [] }],
        "add_members": [{ "name": "新成员" }], "remove_members": [second],
    });
    let after = city.by("worker").post(&path(&id, "/update"), &change).done();
    assert_eq!(
        json!([after["size"], after["special"], after["building"]]),
        json!([3, false, "3栋"])
    );
    assert_eq!(after["members"][0]["name"], "慕**密", "what was not given stays");
    assert_eq!(after["members"][0]["phone"], "139****1111");
    assert_eq!(after["members"][1]["name"], "新*员");
    lacks(&everything(city), &["13900001111", "新成员"], "the database");
    let gone = json!({ "change_members": [{ "id": second, "name": "谁" }] });
    city.by("worker").post(&path(&id, "/update"), &gone).problem(422, "no_such_member");
    city.by("leader")
        .post(&path(&id, "/update"), &json!({ "size": 9 }))
        .problem(403, "not_permitted");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_child_is_kept_with_a_guardians_consent(city: &City) {
    let birth = (city.now() - chrono::Duration::days(5 * 365)).date_naive();
    let mut body = json!({
        "area_id": city.area(seed::GRID),
        "members": [{ "name": "小宝", "birth": birth, "groups": ["left_behind_child"] }],
    });
    let refused = city.by("worker").post("/api/v1/households", &body);
    refused.problem(422, "guardian_consent_missing");
    body["members"][0]["guardian_consent"] = json!(true);
    city.by("worker").post("/api/v1/households", &body).done();
}

fn whoever_is_paired_sees_and_finds_it(city: &City) {
    let id = registered(city);
    let cadre = city.by("lead").id();
    let pair = json!({ "person_id": cadre, "kind": "cadre" });
    city.by("lead").post(&path(&id, "/pair"), &pair).problem(404, "not_found");
    let shown = city.by("worker").post(&path(&id, "/pair"), &pair).done();
    let pairing = &shown["pairings"][0];
    assert_eq!(
        json!([pairing["name"], pairing["kind_label"], pairing["holds"]]),
        json!(["城管吴昊", "干部包保", true])
    );
    assert_eq!(
        each(&city.by("lead").get("/api/v1/households?mine=true").done(), "/id"),
        std::slice::from_ref(&id)
    );
    assert_eq!(city.by("lead").get(&path(&id, "")).done()["id"], id);
    let visit = json!({ "household_id": id, "purposes": ["assistance"], "outcome": "met" });
    let visited = city.by("lead").post("/api/v1/visits", &visit).done();
    assert_eq!(
        each(&city.by("lead").get("/api/v1/visits?mine=true").done(), "/id"),
        [text(&visited, "/id")]
    );
    // A resident who leads the group of ten is told nothing by it.
    let leader = json!({ "person_id": city.by("neighbour").id(), "kind": "group_leader" });
    city.by("worker").post(&path(&id, "/pair"), &leader).done();
    city.by("neighbour").get(&path(&id, "")).problem(404, "not_found");
    let unpair = json!({ "person_id": cadre, "kind": "cadre" });
    city.by("worker").post(&path(&id, "/unpair"), &unpair).done();
    city.by("lead").get(&path(&id, "")).problem(404, "not_found");
    city.by("worker").post(&path(&id, "/unpair"), &unpair).problem(422, "not_paired");
    let nobody = json!({ "person_id": key(), "kind": "cadre" });
    city.by("worker").post(&path(&id, "/pair"), &nobody).problem(422, "unknown_person");
}

fn many_at_once_and_one_bad_item_does_not_sink_the_rest(city: &City) {
    let mut foreign = body(city);
    foreign["area_id"] = json!(city.area(seed::NEXT));
    let mut wrong = body(city);
    wrong["members"][0]["phone"] = json!("12");
    let items = json!({ "items": [body(city), foreign, body(city), wrong, { "area": 1 }] });
    let id = key();
    let done = city.by("worker").post_as(&id, "/api/v1/household_imports", &items).done();
    assert_eq!(json!([done["registered"], done["failed"]]), json!([2, 3]));
    let results = each(&done, "/result");
    assert_eq!(results, ["registered", "failed", "registered", "failed", "failed"]);
    let code = |index: usize| done["items"][index]["problem"]["code"].clone();
    assert_eq!(
        [code(1), code(3), code(4)],
        [json!("not_permitted"), json!("invalid_body"), json!("invalid_body")]
    );
    assert_eq!(done["items"][3]["problem"]["errors"][0]["pointer"], "/members/0/phone");
    let again = city.by("worker").post_as(&id, "/api/v1/household_imports", &items).done();
    assert_eq!(each(&again, "/result")[0], "registered_before");
    assert_eq!(again["items"][0]["id"], done["items"][0]["id"]);
    let listed = city.by("worker").get("/api/v1/households").done();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let none = city.by("worker").post("/api/v1/household_imports", &json!({ "items": [] }));
    assert_eq!(none.fault_at("/items"), "out_of_range");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_replay_registers_nothing_twice(city: &City) {
    let id = key();
    let first = city.by("worker").post_as(&id, "/api/v1/households", &body(city)).done();
    assert_eq!(city.by("worker").post_as(&id, "/api/v1/households", &body(city)).done(), first);
    let mut other = body(city);
    other["members"][0]["phone"] = json!("13987654322");
    let reused = city.by("worker").post_as(&id, "/api/v1/households", &other);
    reused.problem(422, "idempotency_key_reused");
}

fn a_replayed_update_is_answered_as_the_first(city: &City) {
    let id = registered(city);
    let shown = city.by("worker").get(&path(&id, "")).done();
    let (head, second) = (text(&shown, "/members/0/id"), text(&shown, "/members/1/id"));
    let change = |relation: &str| {
        json!({
            "room": { "room": ROOM }, "add_members": [{ "name": "新成员" }],
            "change_members": [{ "id": head, "relation": relation }, { "id": second, "phone": PHONE }],
        })
    };
    let (again, update) = (key(), path(&id, "/update"));
    let first = city.by("worker").post_as(&again, &update, &change("母亲")).done();
    assert_eq!(city.by("worker").post_as(&again, &update, &change("母亲")).done(), first);
    let reused = city.by("worker").post_as(&again, &update, &change("外婆"));
    reused.problem(422, "idempotency_key_reused");
    // And when one of those it is about is no more.
    let gone = json!({ "remove_members": [second] });
    city.by("worker").post(&update, &gone).done();
    let after = city.by("worker").post_as(&again, &update, &change("母亲")).done();
    assert_eq!(after["seq"], first["seq"]);
}

fn of_two_updates_at_once_none_is_lost(city: &City) {
    let id = registered(city);
    let shown = city.by("worker").get(&path(&id, "")).done();
    let head = text(&shown, "/members/0/id");
    for _ in 0..5 {
        let change = |of: Value| {
            let mut of = of;
            of["id"] = json!(head);
            let body = json!({ "change_members": [of] });
            city.by("worker").post(&path(&id, "/update"), &body).done();
        };
        let born = chrono::Duration::days(30_000);
        let birth = json!({ "birth": (city.now() - born).date_naive() });
        std::thread::scope(|scope| {
            scope.spawn(|| change(json!({ "relation": "母亲" })));
            scope.spawn(|| change(birth.clone()));
        });
        let seen = city.by("worker").post(&path(&id, "/disclosures"), &seeing(&["details"])).done();
        let head = &seen["members"][0];
        assert_eq!(json!([head["relation"], head["birth"]]), json!(["母亲", birth["birth"]]));
        let back = json!({ "relation": "户主", "birth": "1950-01-01" });
        change(back);
    }
}

fn a_member_is_changed_once_at_a_time(city: &City) {
    let id = registered(city);
    let shown = city.by("worker").get(&path(&id, "")).done();
    let head = text(&shown, "/members/0/id");
    let twice =
        json!({ "change_members": [{ "id": head, "name": "甲" }, { "id": head, "name": "乙" }] });
    let fault = city.by("worker").post(&path(&id, "/update"), &twice);
    assert_eq!(fault.fault_at("/change_members/1/id"), "duplicate");
}

fn erasing_a_household_leaves_its_record(city: &City) {
    let id = registered(city);
    let why = json!({ "reason": "户主申请删除" });
    city.by("leader").post(&path(&id, "/erasure"), &why).problem(403, "not_permitted");
    let erased = city.by("worker").post(&path(&id, "/erasure"), &why).done();
    let left = json!([erased["standing"], erased["members"], erased["room"], erased["special"]]);
    assert_eq!(left, json!(["erased", [], null, false]));
    let visit = json!({ "household_id": id, "purposes": ["opinions"], "outcome": "met" });
    city.by("worker").post("/api/v1/visits", &visit).problem(422, "erased");
    city.by("worker")
        .post(&path(&id, "/update"), &json!({ "size": 2 }))
        .problem(422, "wrong_state");
    let again = city.by("worker").post(&path(&id, "/erasure"), &why).done();
    assert_eq!(json!([again["standing"], again["possible"]]), json!(["erased", ["erase"]]));
    let log = city.by("auditor").get("/api/v1/audit?act=erase").done();
    assert_eq!(log["items"].as_array().unwrap().len(), 2, "{log}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn erasing_a_person_reaches_the_member_linked_to_the_account_alone(city: &City) {
    let resident = city.by("resident").id();
    let contact = json!({ "name": NAME, "id_number": ID });
    city.by("resident").post(&format!("/api/v1/people/{resident}/contact"), &contact).done();
    // Linked by the account in one household; a member of both has the number that was typed.
    let mut linked = body(city);
    linked["members"][1]["person_id"] = json!(resident);
    let one = text(&city.by("worker").post("/api/v1/households", &linked).done(), "/id");
    let two = registered(city);
    let mut next = Some("/api/v1/me/export?limit=100".to_owned());
    let mut kinds = Vec::new();
    while let Some(path) = next {
        let page = city.by("resident").get(&path).done();
        kinds.extend(page["items"].as_array().unwrap().clone());
        next = page["next"].as_str().map(|c| format!("/api/v1/me/export?limit=100&cursor={c}"));
    }
    let mine: Vec<&Value> = kinds.iter().filter(|item| item["kind"] == "household").collect();
    assert_eq!(mine.len(), 1);
    let own = &mine[0]["data"];
    assert_eq!(json!([own["room"]["room"], own["member"][0]["name"]]), json!([ROOM, "慕容小秘"]));
    let erased =
        city.by("resident").post("/api/v1/me/erasure", &json!({ "reason": "注销" })).done();
    assert_eq!(erased.get("members"), None, "nothing tells whether others have the number");
    let shown = city.by("worker").get(&path(&one, "")).done();
    assert_eq!(
        json!([shown["members"][0]["erased"], shown["members"][1]["erased"]]),
        json!([false, true])
    );
    let shown = city.by("worker").get(&path(&two, "")).done();
    assert_eq!(
        json!([shown["members"][0]["erased"], shown["members"][1]["erased"]]),
        json!([false, false])
    );
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
