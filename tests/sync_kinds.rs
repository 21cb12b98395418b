//! Phones receive more than their work: households, forms, campaigns with the households to go to,
//! and the files of reports and cases. Each appears, changes and disappears, and callers who must
//! not know of it receive nothing.

use chrono::Duration;
use serde_json::{Value, json};

use crate::{
    campaign::create_campaign,
    content_safety::{await_review, decide_review},
    form::publish_form,
    harness::{City, Replica, build_settings, new_key, on_both, read_text, read_texts, seed},
    household::{household_body, register_household},
    media::{load_image, send_raw, submit_naming},
    personal::expect_no_secrets,
    sync::Phone,
};

on_both! {
    a_phone_has_what_the_lists_have,
    a_household_is_told_masked_and_forgotten_where_it_is_no_more,
    a_household_is_told_while_a_pairing_holds,
    a_pairing_that_ends_by_itself_takes_the_household_along,
    an_erased_household_leaves_nothing_on_the_phone,
    a_form_is_told_in_its_editions,
    a_campaign_brings_the_households_to_go_to,
    an_assignment_ends_with_the_visit_whoever_makes_it,
    an_assignment_that_is_given_to_another_is_forgotten,
    a_file_that_arrives_changes_what_names_it,
    a_file_of_a_resident_is_told_when_it_passed,
    whoever_loses_an_area_forgets_what_lies_there,
    what_moved_long_ago_is_told_alike,
}

const SECRETS: [&str; 4] = ["慕容秘密", "13987654321", "11010519491231002X", "隐秘单元七层702"];

fn path(kind: &str, id: &str, verb: &str) -> String {
    format!("/api/v1/{kind}/{id}{verb}")
}

fn post(city: &City, by: &str, path: &str, body: &Value) -> Value {
    city.client(by).post(path, body).expect_success()
}

fn read(city: &City, by: &str, path: &str) -> Value {
    city.client(by).get(path).expect_success()
}

fn phone(city: &City, by: &str, limit: u8) -> Phone {
    let mut phone = Phone::default();
    phone.read_changes(city, by, limit);
    phone
}

fn schema(title: &str) -> Value {
    json!({ "type": "object", "title": title, "properties": {
        "heating": { "type": "string", "title": "取暖方式", "enum": ["煤", "电", "气"] },
    } })
}

/// A campaign that runs over all households of the community.
fn running(city: &City) -> String {
    let id = create_campaign(city, None);
    post(city, "community", &path("campaigns", &id, "/assign"), &json!({ "select": {} }));
    post(city, "community", &path("campaigns", &id, "/publish"), &json!({}));
    id
}

/// The officer of the community answers for the next one, too: households can move between them.
fn two_communities(city: &City) {
    let officer = city.client("community").id().to_string();
    let both = json!({ "role": "community_officer", "area_id": city.area_id(seed::SIBLING) });
    post(city, "admin", &path("people", &officer, "/grant"), &both);
}

fn everybody() -> [&'static str; 12] {
    [
        "worker",
        "next_worker",
        "far_worker",
        "community",
        "sibling",
        "dispatcher",
        "far_dispatcher",
        "lead",
        "admin",
        "auditor",
        "resident",
        "neighbour",
    ]
}

fn a_phone_has_what_the_lists_have(city: &City) {
    let homes = [register_household(city), register_household(city)];
    let lead = json!({ "person_id": city.client("lead").id(), "kind": "cadre" });
    post(city, "worker", &path("households", &homes[0], "/pair"), &lead);
    publish_form(city, "heating", &schema("取暖"));
    running(city);
    create_campaign(city, None);
    for by in everybody() {
        let phone = phone(city, by, 3);
        for (kind, list) in [
            ("household", "/api/v1/households?limit=100"),
            ("form", "/api/v1/forms?limit=100"),
            ("campaign", "/api/v1/campaigns?limit=100"),
        ] {
            let answer = city.client(by).get(list);
            let mut listed =
                if answer.status == 200 { read_texts(&answer.body, "/id") } else { vec![] };
            listed.sort();
            assert_eq!(phone.of_kind(kind), listed.iter().collect::<Vec<_>>(), "{by} {kind}");
            for id in &listed {
                let shown = read(city, by, &path(&format!("{kind}s"), id, ""));
                assert_eq!(phone.known[id], shown, "{by}");
            }
        }
        expect_no_secrets(&format!("{:?}", phone.known), &SECRETS, by);
    }
}

fn a_household_is_told_masked_and_forgotten_where_it_is_no_more(city: &City) {
    two_communities(city);
    let mut own = phone(city, "worker", 10);
    let mut next = phone(city, "next_worker", 10);
    let mut above = phone(city, "community", 10);
    let id = register_household(city);
    own.read_changes(city, "worker", 10);
    above.read_changes(city, "community", 10);
    assert_eq!(own.known[&id], read(city, "worker", &path("households", &id, "")));
    assert_eq!(own.known[&id]["members"][0]["name"], "慕**密");
    next.read_changes(city, "next_worker", 10);
    assert!(!next.known.contains_key(&id));
    let update = path("households", &id, "/update");
    post(city, "worker", &update, &json!({ "size": 5 }));
    own.read_changes(city, "worker", 10);
    assert_eq!(own.known[&id]["size"], 5);
    // They move to the next grid: the one phone forgets them, the other learns of them.
    let there = json!({ "area_id": city.area_id(seed::NEXT) });
    post(city, "community", &update, &there);
    post(city, "community", &update, &json!({ "size": 6 }));
    own.read_changes(city, "worker", 10);
    next.read_changes(city, "next_worker", 10);
    above.read_changes(city, "community", 10);
    city.client("worker").get(&path("households", &id, "")).expect_problem(404, "not_found");
    assert!(!own.known.contains_key(&id), "it left the grid");
    assert_eq!((&next.known[&id]["size"], &above.known[&id]["size"]), (&json!(6), &json!(6)));
    let told = own.told;
    post(city, "community", &update, &json!({ "size": 4 }));
    own.read_changes(city, "worker", 10);
    assert_eq!(own.told, told, "nothing more of what is gone");
    // A household that moved away is sent as that, and is not part of a first picture any more.
    post(city, "next_worker", &path("households", &id, "/leave"), &json!({}));
    next.read_changes(city, "next_worker", 10);
    assert_eq!(next.known[&id]["standing"], "gone");
    assert!(!phone(city, "next_worker", 10).known.contains_key(&id));
}

fn a_household_is_told_while_a_pairing_holds(city: &City) {
    let id = register_household(city);
    let mut lead = phone(city, "lead", 10);
    assert!(!lead.known.contains_key(&id));
    let pair = json!({ "person_id": city.client("lead").id(), "kind": "cadre" });
    post(city, "worker", &path("households", &id, "/pair"), &pair);
    lead.read_changes(city, "lead", 10);
    assert_eq!(lead.known[&id], read(city, "lead", &path("households", &id, "")));
    // A resident who leads the group of ten learns nothing by it.
    let leader = json!({ "person_id": city.client("neighbour").id(), "kind": "group_leader" });
    post(city, "worker", &path("households", &id, "/pair"), &leader);
    assert!(!phone(city, "neighbour", 10).known.contains_key(&id));
    lead.read_changes(city, "lead", 10);
    assert!(lead.known.contains_key(&id));
    post(city, "worker", &path("households", &id, "/unpair"), &pair);
    lead.read_changes(city, "lead", 10);
    assert!(!lead.known.contains_key(&id), "the pairing ended");
}

fn a_pairing_that_ends_by_itself_takes_the_household_along(city: &City) {
    let (id, other) = (register_household(city), register_household(city));
    let from = city.now() + Duration::days(2);
    let pair = json!({
        "person_id": city.client("lead").id(), "kind": "cadre", "from": from,
        "until": from + Duration::days(3),
    });
    let mut before = phone(city, "lead", 10);
    post(city, "worker", &path("households", &id, "/pair"), &pair);
    let mut after = phone(city, "lead", 1);
    before.read_changes(city, "lead", 10);
    let has = |phone: &Phone| (phone.known.contains_key(&id), phone.known.contains_key(&other));
    assert_eq!((has(&before), has(&after)), ((false, false), (false, false)), "not yet");
    for (days, holds) in [(3, true), (4, false)] {
        city.advance(Duration::days(days));
        before.read_changes(city, "lead", 10);
        after.read_changes(city, "lead", 1);
        let shown = city.client("lead").get(&path("households", &id, "")).status == 200;
        assert_eq!(shown, holds);
        assert_eq!((has(&before), has(&after)), ((holds, false), (holds, false)), "day {days}");
    }
    let told = before.told;
    before.read_changes(city, "lead", 10);
    assert_eq!(before.told, told, "it is told once");
}

fn an_erased_household_leaves_nothing_on_the_phone(city: &City) {
    let id = register_household(city);
    let pair = json!({ "person_id": city.client("lead").id(), "kind": "cadre" });
    post(city, "worker", &path("households", &id, "/pair"), &pair);
    let (mut worker, mut lead) = (phone(city, "worker", 10), phone(city, "lead", 10));
    assert!(worker.known.contains_key(&id) && lead.known.contains_key(&id));
    let erase = json!({ "reason": "户主申请删除家庭信息" });
    post(city, "community", &path("households", &id, "/erasure"), &erase);
    worker.read_changes(city, "worker", 10);
    lead.read_changes(city, "lead", 10);
    let left = &worker.known[&id];
    assert_eq!(json!([left["standing"], left["members"]]), json!(["erased", []]));
    expect_no_secrets(&left.to_string(), &["慕**密", "139****4321"], "the phone");
    assert!(!lead.known.contains_key(&id));
}

fn a_form_is_told_in_its_editions(city: &City) {
    let mut worker = phone(city, "worker", 10);
    let id = publish_form(city, "heating", &schema("取暖"));
    worker.read_changes(city, "worker", 10);
    assert_eq!(worker.known[&id]["title"], "取暖");
    publish_form(city, "heating", &schema("冬季取暖"));
    worker.read_changes(city, "worker", 10);
    let shown = read(city, "worker", &path("forms", &id, ""));
    assert_eq!((&worker.known[&id], &shown["edition"]), (&shown, &json!(2)));
    post(city, "admin", &path("forms", &id, "/withdraw"), &json!({ "reason": "与月报内容重复" }));
    worker.read_changes(city, "worker", 10);
    assert_eq!(worker.known[&id]["withdrawn"], true);
    assert!(!phone(city, "worker", 10).known.contains_key(&id), "what is asked no more");
    assert!(!phone(city, "worker@9902", 10).known.contains_key(&id), "another city");
}

/// The households that a person is to go to for a campaign, as the campaign lists them.
fn open(city: &City, by: &str, campaign: &str) -> Vec<String> {
    let list = path("campaigns", campaign, "/households?mine=true&open=true&limit=100");
    read_texts(&read(city, by, &list), "/household/id")
}

/// The same as a phone has them.
fn assigned(phone: &Phone) -> Vec<String> {
    let assignments = phone.of_kind("assignment");
    let mut homes: Vec<String> =
        assignments.iter().map(|id| read_text(&phone.known[*id], "/household/id")).collect();
    homes.sort();
    homes
}

fn a_campaign_brings_the_households_to_go_to(city: &City) {
    for _ in 0..5 {
        register_household(city);
    }
    let mut worker = phone(city, "worker", 2);
    let mut organiser = phone(city, "community", 10);
    let id = create_campaign(city, None);
    post(city, "community", &path("campaigns", &id, "/assign"), &json!({ "select": {} }));
    worker.read_changes(city, "worker", 2);
    organiser.read_changes(city, "community", 10);
    assert!(!worker.known.contains_key(&id), "a draft is for its organisers");
    assert_eq!(organiser.known[&id]["status"], "draft");
    post(city, "community", &path("campaigns", &id, "/publish"), &json!({}));
    worker.read_changes(city, "worker", 2);
    assert_eq!(worker.known[&id], read(city, "worker", &path("campaigns", &id, "")));
    assert_eq!(assigned(&worker), open(city, "worker", &id));
    assert_eq!(assigned(&worker).len(), 5);
    // A first picture has them, too, whatever the page.
    assert_eq!(assigned(&phone(city, "worker", 3)), assigned(&worker));
    for by in ["sibling", "far_worker", "resident"] {
        let other = phone(city, by, 10);
        assert_eq!((other.of_kind("campaign"), assigned(&other)), (vec![], vec![]), "{by}");
    }
    post(city, "community", &path("campaigns", &id, "/close"), &json!({}));
    worker.read_changes(city, "worker", 2);
    assert_eq!(worker.known[&id]["status"], "closed");
    assert_eq!(assigned(&worker), Vec::<String>::new(), "over");
}

fn an_assignment_ends_with_the_visit_whoever_makes_it(city: &City) {
    let homes: Vec<String> = (0..3).map(|_| register_household(city)).collect();
    let id = create_campaign(city, None);
    let sent = json!({
        "households": [{ "household_id": homes[0], "worker_id": city.client("next_worker").id() }],
        "select": {},
    });
    post(city, "community", &path("campaigns", &id, "/assign"), &sent);
    post(city, "community", &path("campaigns", &id, "/publish"), &json!({}));
    let mut phones =
        [phone(city, "worker", 10), phone(city, "verifier", 10), phone(city, "next_worker", 10)];
    assert_eq!(phones.each_ref().map(|phone| assigned(phone).len()), [2, 2, 1]);
    let go = |by: &str, home: &String| {
        let visit = json!({ "campaign_id": id, "household_id": home, "outcome": "met" });
        read_text(&post(city, by, "/api/v1/visits", &visit), "/id")
    };
    // One of the grid goes, and goes to the one that was another's, too.
    let (own, others) = (go("worker", &homes[1]), go("worker", &homes[0]));
    for (phone, by) in phones.iter_mut().zip(["worker", "verifier", "next_worker"]) {
        phone.read_changes(city, by, 1);
        assert_eq!(assigned(phone), open(city, by, &id), "{by}");
    }
    let [worker, verifier, next] = &phones;
    assert_eq!(worker.of_kind("visit").len(), 2);
    assert_eq!(verifier.known[&own]["outcome"], "met");
    assert!(!next.known.contains_key(&others), "of another grid it is only known that it is over");
}

fn an_assignment_that_is_given_to_another_is_forgotten(city: &City) {
    let homes = [register_household(city), register_household(city)];
    let id = running(city);
    let mut worker = phone(city, "worker", 10);
    let mut next = phone(city, "next_worker", 10);
    assert_eq!(assigned(&worker).len(), 2);
    let give = |to: Value| {
        let body = json!({
            "households": [{ "household_id": homes[0], "worker_id": to }], "to": "grid",
        });
        post(city, "community", &path("campaigns", &id, "/assign"), &body);
    };
    give(json!(city.client("next_worker").id()));
    worker.read_changes(city, "worker", 10);
    next.read_changes(city, "next_worker", 10);
    assert_eq!(assigned(&worker), [homes[1].clone()]);
    assert_eq!(assigned(&next), [homes[0].clone()]);
    assert!(next.known.contains_key(&id));
    // And back: the other has nothing to do with the campaign any more.
    give(Value::Null);
    worker.read_changes(city, "worker", 10);
    next.read_changes(city, "next_worker", 10);
    assert_eq!(assigned(&worker), open(city, "worker", &id));
    city.client("next_worker").get(&path("campaigns", &id, "")).expect_problem(404, "not_found");
    assert!(!next.known.contains_key(&id));
    assert_eq!(assigned(&next), Vec::<String>::new());
}

/// The states of the files of something, as a phone has them.
fn files(phone: &Phone, id: &str) -> Vec<(String, Value)> {
    let files = phone.known[id]["media"].as_array();
    let stands = |file: &Value| (read_text(file, "/state"), file["links"].clone());
    files.into_iter().flatten().map(stands).collect()
}

fn a_file_that_arrives_changes_what_names_it(city: &City) {
    let photo = new_key();
    let report = submit_naming(city, "worker", &[&photo]);
    let case = new_key();
    let file = json!({ "case_id": case });
    post(city, "community", &path("reports", &report, "/file"), &file);
    let mut community = phone(city, "community", 1);
    let mut elsewhere = phone(city, "sibling", 10);
    for id in [&report, &case] {
        assert_eq!(files(&community, id), [("awaited".to_owned(), Value::Null)]);
    }
    send_raw(city, "worker", &photo, &load_image("ok/hopper.jpg")).expect_success();
    community.read_changes(city, "community", 1);
    for id in [&report, &case] {
        assert_eq!(files(&community, id), [("present".to_owned(), Value::Null)], "no links");
    }
    let mut shown = read(city, "community", &path("cases", &case, ""));
    shown["media"][0]["links"] = Value::Null;
    assert_eq!(community.known[&case], shown);
    elsewhere.read_changes(city, "sibling", 10);
    assert!(elsewhere.known.is_empty(), "{:?}", elsewhere.known);
    let told = community.told;
    community.read_changes(city, "community", 1);
    assert_eq!(community.told, told, "it is told once");
}

fn a_file_of_a_resident_is_told_when_it_passed(city: &City) {
    let photo = new_key();
    let report = submit_naming(city, "resident", &[&photo]);
    send_raw(city, "resident", &photo, &load_image("ok/hopper.jpg")).expect_success();
    let mut community = phone(city, "community", 10);
    let review = await_review(city, &photo);
    community.read_changes(city, "community", 10);
    let before = community.known[&report]["media"][0]["review"].clone();
    assert_eq!(before, "queued");
    decide_review(city, "dispatcher", &review, true).expect_success();
    community.read_changes(city, "community", 10);
    assert_eq!(community.known[&report]["media"][0]["review"], "passed");
}

fn whoever_loses_an_area_forgets_what_lies_there(city: &City) {
    let home = register_household(city);
    let campaign = running(city);
    let mut verifier = phone(city, "verifier", 10);
    assert!(verifier.known.contains_key(&home) && verifier.known.contains_key(&campaign));
    assert_eq!(assigned(&verifier), std::slice::from_ref(&home));
    let gone = register_household(city);
    verifier.read_changes(city, "verifier", 10);
    post(city, "worker", &path("households", &gone, "/leave"), &json!({}));
    let person = city.client("verifier").id().to_string();
    let revoke = json!({ "role": "grid_worker", "area_id": city.area_id(seed::GRID) });
    post(city, "admin", &path("people", &person, "/revoke"), &revoke);
    verifier.read_changes(city, "verifier", 1);
    for kind in ["household", "campaign", "assignment"] {
        assert_eq!(verifier.of_kind(kind), Vec::<&String>::new());
    }
    post(city, "admin", &path("people", &person, "/grant"), &revoke);
    verifier.read_changes(city, "verifier", 10);
    assert_eq!(assigned(&verifier), [home]);
}

/// What a server that just began has not in memory is read from the feed itself, by the same rules.
fn what_moved_long_ago_is_told_alike(city: &City) {
    two_communities(city);
    let photo = new_key();
    let report = submit_naming(city, "worker", &[&photo]);
    let stays = register_household(city);
    let mut new = household_body(city);
    new["size"] = json!(1);
    let moves = read_text(&post(city, "worker", "/api/v1/households", &new), "/id");
    let pair = json!({ "person_id": city.client("lead").id(), "kind": "cadre" });
    post(city, "worker", &path("households", &stays, "/pair"), &pair);
    let names = ["worker", "lead", "next_worker"];
    let mut phones = names.map(|by| phone(city, by, 10));
    post(city, "worker", &path("households", &stays, "/unpair"), &pair);
    let there = json!({ "area_id": city.area_id(seed::NEXT) });
    post(city, "community", &path("households", &moves, "/update"), &there);
    let campaign = running(city);
    send_raw(city, "worker", &photo, &load_image("ok/hopper.jpg")).expect_success();
    let far = "update feeds set position = position + 100000";
    persistence::probe::execute(&city.database.url, far).unwrap();
    register_household(city);
    let replica = Replica::open(city, build_settings(&city.database.url));
    for (phone, by) in phones.iter_mut().zip(names) {
        phone.read_at(city, (by, &replica.base), 1);
        assert_eq!(phone.known, self::phone(city, by, 10).known, "{by}");
    }
    let [worker, lead, next] = &phones;
    assert!(worker.known.contains_key(&stays) && !worker.known.contains_key(&moves));
    assert!(next.known.contains_key(&moves) && !lead.known.contains_key(&stays));
    assert!(worker.known.contains_key(&campaign));
    assert_eq!(files(worker, &report)[0].0, "present");
}
