//! Forms: prefilled, answered by what changed, shared by the names of their fields.

use serde_json::{Value, json};

use crate::{
    harness::{City, each, key, on_both, text},
    household::registered,
    personal::{everything, lacks},
};

on_both! {
    of_twelve_fields_eleven_are_never_typed_again,
    what_one_form_asked_another_knows,
    personal_values_are_masked_and_need_not_be_given_again,
    what_a_form_may_not_say_is_told_with_its_place,
    answers_that_do_not_fit_are_told_with_their_place,
    a_withdrawn_form_is_asked_no_more,
    erased_answers_are_gone,
    what_was_personal_once_stays_masked,
    a_replay_is_told_what_was_told_first,
}

fn field(title: &str) -> Value {
    json!({ "type": "string", "title": title, "maxLength": 40 })
}

/// A form of twelve fields of which eleven never change.
fn twelve() -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert(
        "grid".to_owned(),
        json!({ "type": "string", "title": "网格", "x-source": "grid" }),
    );
    properties.insert(
        "head".to_owned(),
        json!({ "type": "string", "title": "户主", "x-source": "head_name" }),
    );
    for no in 1..=9 {
        properties.insert(format!("fixed_{no}"), field(&format!("第{no}项")));
    }
    let state = json!({ "type": "string", "title": "本月情况", "enum": ["正常", "需关注"], "x-ask": "each_time" });
    properties.insert("state".to_owned(), state);
    let required: Vec<String> = properties.keys().cloned().collect();
    json!({ "type": "object", "title": "月度走访表", "required": required, "properties": properties })
}

/// Publishes a form; its identity.
pub(crate) fn published(city: &City, code: &str, schema: &Value) -> String {
    let body = json!({ "code": code, "schema": schema, "note": "列入报表准入清单" });
    text(&city.by("admin").post("/api/v1/forms", &body).done(), "/id")
}

fn path(household: &str, form: &str) -> String {
    format!("/api/v1/households/{household}/forms/{form}")
}

fn of_twelve_fields_eleven_are_never_typed_again(city: &City) {
    let (household, form) = (registered(city), published(city, "monthly", &twelve()));
    let path = path(&household, &form);
    let shown = city.by("worker").get(&path).done();
    assert_eq!(shown["values"]["grid"]["value"], "枫林一格");
    assert_eq!(shown["missing"].as_array().unwrap().len(), 10);
    let mut changes = json!({ "state": "正常" });
    for no in 1..=9 {
        changes[format!("fixed_{no}")] = json!(format!("内容{no}"));
    }
    let first = city.by("worker").post(&path, &json!({ "changes": changes })).done();
    assert_eq!(json!([first["counts"]["typed"], first["counts"]["reused"]]), json!([10, 2]));
    let shown = city.by("verifier").get(&path).done();
    assert_eq!(shown["missing"], json!(["state"]));
    let carried = &shown["values"]["fixed_3"];
    assert_eq!(
        json!([carried["value"], carried["how"], carried["from"]]),
        json!(["内容3", "carried", "monthly"])
    );
    let second = json!({ "changes": { "state": "需关注", "fixed_1": "内容1" } });
    let second = city.by("verifier").post(&path, &second).done();
    let counts = &second["counts"];
    assert_eq!(
        json!([counts["required"], counts["typed"], counts["reused"], counts["repeated"]]),
        json!([12, 2, 10, 1])
    );
    assert_eq!(second["values"]["fixed_9"]["how"], "carried");
    let answers =
        city.by("community").get(&format!("/api/v1/households/{household}/answers")).done();
    assert_eq!(answers["items"].as_array().unwrap().len(), 2);
    assert_eq!(answers["items"][0]["values"]["fixed_9"]["value"], "内容9");
    lacks(&everything(city), &["内容3", "慕容秘密"], "the database");
    city.by("next_worker").get(&path).problem(404, "not_found");
    city.by("dispatcher").post(&path, &json!({ "changes": {} })).problem(422, "bad_answers");
    let all = json!({ "changes": { "state": "正常" } });
    city.by("dispatcher").post(&path, &all).problem(403, "not_permitted");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_one_form_asked_another_knows(city: &City) {
    let schema = |title: &str, other: &str| {
        let properties = json!({ "employment": field("就业情况"), other: field("其他") });
        json!({ "type": "object", "title": title, "required": ["employment"], "properties": properties })
    };
    let household = registered(city);
    let one = published(city, "jobs", &schema("就业登记", "trade"));
    let two = published(city, "census", &schema("人口普查", "origin"));
    let changes = json!({ "changes": { "employment": "灵活就业", "trade": "餐饮" } });
    city.by("worker").post(&path(&household, &one), &changes).done();
    let shown = city.by("worker").get(&path(&household, &two)).done();
    assert_eq!(
        json!([shown["values"]["employment"]["from"], shown["missing"]]),
        json!(["jobs", []])
    );
    let done = city.by("worker").post(&path(&household, &two), &json!({})).done();
    assert_eq!(json!([done["counts"]["typed"], done["counts"]["reused"]]), json!([0, 1]));
    // What was taken away is not known any more.
    let cleared = json!({ "changes": { "trade": null } });
    city.by("worker").post(&path(&household, &one), &cleared).done();
    let shown = city.by("worker").get(&path(&household, &one)).done();
    assert_eq!(shown["values"]["trade"], Value::Null);
}

fn personal_values_are_masked_and_need_not_be_given_again(city: &City) {
    let schema = json!({
        "type": "object", "title": "紧急联系", "required": ["head", "helper"],
        "properties": {
            "head": { "type": "string", "title": "户主", "x-source": "head_name" },
            "helper": { "type": "string", "title": "紧急联系人", "x-personal": true },
        },
    });
    let (household, form) = (registered(city), published(city, "helper", &schema));
    let path = path(&household, &form);
    let changes = json!({ "changes": { "helper": "司马隐名" } });
    city.by("worker").post(&path, &changes).done();
    let shown = city.by("worker").get(&path).done();
    for name in ["head", "helper"] {
        assert_eq!(
            json!([shown["values"][name]["value"], shown["values"][name]["masked"]]),
            json!(["****", true])
        );
    }
    city.by("worker").post(&path, &json!({ "changes": {} })).done();
    lacks(&shown.to_string(), &["司马隐名", "慕容秘密"], "the form");
    lacks(&everything(city), &["司马隐名"], "the database");
}

fn what_a_form_may_not_say_is_told_with_its_place(city: &City) {
    let publish = |schema: Value| {
        let body = json!({ "code": "x", "schema": schema, "note": "试" });
        city.by("admin").post("/api/v1/forms", &body).problem(422, "unsound")
    };
    let told = publish(json!({
        "type": "object", "title": "表",
        "properties": { "a": { "type": "string", "title": "甲", "pattern": "(a+)+$" }, "B": field("乙") },
    }));
    let mut places = each(&json!({ "items": told["errors"] }), "/pointer");
    places.sort();
    assert_eq!(places, ["/document/properties/B", "/document/properties/a/pattern"], "{told}");
    assert!(told["errors"][0]["message"].as_str().unwrap().contains("应为"), "{told}");
    publish(json!({ "type": "object" }));
    publish(json!([]));
    let body = json!({ "code": "x", "schema": twelve(), "note": "试" });
    city.by("worker").post("/api/v1/forms", &body).problem(403, "not_permitted");
    assert_eq!(city.by("worker").get("/api/v1/forms").done()["items"], json!([]));
}

fn answers_that_do_not_fit_are_told_with_their_place(city: &City) {
    let (household, form) = (registered(city), published(city, "monthly", &twelve()));
    let changes = json!({ "changes": { "state": "很好", "fixed_1": 7, "unknown": "x" } });
    let told =
        city.by("worker").post(&path(&household, &form), &changes).problem(422, "bad_answers");
    let errors = json!({ "items": told["errors"] });
    let found: Vec<(String, String)> =
        each(&errors, "/pointer").into_iter().zip(each(&errors, "/code")).collect();
    for (pointer, code) in [
        ("/changes/state", "unknown_value"),
        ("/changes/fixed_1", "wrong_type"),
        ("/changes/unknown", "unknown_field"),
        ("/changes/fixed_2", "missing_field"),
    ] {
        assert!(found.contains(&(pointer.to_owned(), code.to_owned())), "{pointer}: {found:?}");
    }
    lacks(&told.to_string(), &["很好"], "the problem");
    city.by("worker").get(&path(&household, &key())).problem(404, "not_found");
}

fn a_withdrawn_form_is_asked_no_more(city: &City) {
    let (household, form) = (registered(city), published(city, "monthly", &twelve()));
    let why = json!({ "reason": "与年报重复" });
    city.by("worker")
        .post(&format!("/api/v1/forms/{form}/withdraw"), &why)
        .problem(403, "not_permitted");
    city.by("admin").post(&format!("/api/v1/forms/{form}/withdraw"), &why).done();
    let answer = city.by("worker").post(&path(&household, &form), &json!({}));
    assert_eq!(answer.fault_at("/form"), "unknown_form");
    assert_eq!(city.by("worker").get("/api/v1/forms").done()["items"], json!([]));
    let all = city.by("worker").get("/api/v1/forms?withdrawn=true").done();
    assert_eq!(each(&all, "/code"), ["monthly"]);
    let again = published(city, "monthly", &twelve());
    assert_eq!(again, form);
    assert_eq!(city.by("worker").get(&format!("/api/v1/forms/{form}")).done()["edition"], 3);
}

fn erased_answers_are_gone(city: &City) {
    let schema =
        json!({ "type": "object", "title": "表", "properties": { "note": field("备注") } });
    let (household, form) = (registered(city), published(city, "note", &schema));
    let changes = json!({ "changes": { "note": "说过的话" } });
    city.by("worker").post(&path(&household, &form), &changes).done();
    let why = json!({ "reason": "户主申请删除" });
    city.by("worker").post(&format!("/api/v1/households/{household}/erasure"), &why).done();
    let answers = city.by("worker").get(&format!("/api/v1/households/{household}/answers")).done();
    assert_eq!(answers["items"][0]["values"], json!({}));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_was_personal_once_stays_masked(city: &City) {
    let schema = |personal: bool| {
        let helper = json!({ "type": "string", "title": "紧急联系人", "x-personal": personal });
        json!({ "type": "object", "title": "紧急联系", "properties": { "helper": helper } })
    };
    let (household, form) = (registered(city), published(city, "helper", &schema(true)));
    let changes = json!({ "changes": { "helper": "司马隐名" } });
    let helper = path(&household, &form);
    city.by("worker").post(&helper, &changes).done();
    // Whether a guess is right is not told.
    let guess = city.by("worker").post(&helper, &changes).done();
    assert_eq!(json!([guess["counts"]["typed"], guess["counts"]["repeated"]]), json!([1, 0]));
    let other = path(&household, &published(city, "other", &schema(false)));
    published(city, "helper", &schema(false));
    let answers = format!("/api/v1/households/{household}/answers");
    let told = [
        city.by("worker").get(&other).done(),
        city.by("worker").get(&helper).done(),
        city.by("worker").post(&other, &json!({})).done(),
        city.by("worker").get(&other).done(),
        city.by("worker").get(&answers).done(),
    ];
    for told in &told {
        lacks(&told.to_string(), &["司马隐名"], "a form");
    }
    assert_eq!(told[0]["values"]["helper"]["masked"], true);
    let guess = city.by("worker").post(&other, &changes).done();
    assert_eq!(guess["counts"]["repeated"], 0);
}

fn a_replay_is_told_what_was_told_first(city: &City) {
    let schema = json!({
        "type": "object", "title": "表", "required": ["head"],
        "properties": {
            "head": { "type": "string", "title": "户主", "x-source": "head_name" },
            "note": field("备注"),
        },
    });
    let (household, form) = (registered(city), published(city, "note", &schema));
    let (again, path) = (key(), path(&household, &form));
    let answer = |note: &str| {
        let changes = json!({ "changes": { "note": note } });
        city.by("worker").post_as(&again, &path, &changes)
    };
    let first = answer("说过的话").done();
    let last = json!({ "changes": { "note": "后来的话" } });
    city.by("worker").post(&path, &last).done();
    assert_eq!(answer("说过的话").done(), first);
    let why = json!({ "reason": "与年报重复" });
    city.by("admin").post(&format!("/api/v1/forms/{form}/withdraw"), &why).done();
    assert_eq!(answer("说过的话").done(), first);
    answer("别的话").problem(422, "idempotency_key_reused");
}
