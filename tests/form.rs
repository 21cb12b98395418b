//! Forms: prefilled, answered by changes, shared by the names of their fields.

use serde_json::{Value, json};

use crate::{
    harness::{City, new_key, on_both, read_text, read_texts},
    household::register_household,
    personal::{dump_database, expect_no_secrets},
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

fn field_schema(title: &str) -> Value {
    json!({ "type": "string", "title": title, "maxLength": 40 })
}

/// A form of twelve fields of which eleven never change.
fn twelve_field_form() -> Value {
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
        properties.insert(format!("fixed_{no}"), field_schema(&format!("第{no}项")));
    }
    let state = json!({ "type": "string", "title": "本月情况", "enum": ["正常", "需关注"], "x-ask": "each_time" });
    properties.insert("state".to_owned(), state);
    let required: Vec<String> = properties.keys().cloned().collect();
    json!({ "type": "object", "title": "月度走访表", "required": required, "properties": properties })
}

/// Publishes a form; its identity.
pub(crate) fn publish_form(city: &City, code: &str, schema: &Value) -> String {
    let body = json!({ "code": code, "schema": schema, "note": "列入报表准入清单" });
    read_text(&city.client("admin").post("/api/v1/forms", &body).expect_success(), "/id")
}

fn form_path(household: &str, form: &str) -> String {
    format!("/api/v1/households/{household}/forms/{form}")
}

fn of_twelve_fields_eleven_are_never_typed_again(city: &City) {
    let (household, form) =
        (register_household(city), publish_form(city, "monthly", &twelve_field_form()));
    let path = form_path(&household, &form);
    let shown = city.client("worker").get(&path).expect_success();
    assert_eq!(shown["values"]["grid"]["value"], "枫林一格");
    assert_eq!(shown["missing"].as_array().unwrap().len(), 10);
    let mut changes = json!({ "state": "正常" });
    for no in 1..=9 {
        changes[format!("fixed_{no}")] = json!(format!("内容{no}"));
    }
    let first = city.client("worker").post(&path, &json!({ "changes": changes })).expect_success();
    assert_eq!(json!([first["counts"]["typed"], first["counts"]["reused"]]), json!([10, 2]));
    let shown = city.client("verifier").get(&path).expect_success();
    assert_eq!(shown["missing"], json!(["state"]));
    let carried = &shown["values"]["fixed_3"];
    assert_eq!(
        json!([carried["value"], carried["how"], carried["from"]]),
        json!(["内容3", "carried", "monthly"])
    );
    let second = json!({ "changes": { "state": "需关注", "fixed_1": "内容1" } });
    let second = city.client("verifier").post(&path, &second).expect_success();
    let counts = &second["counts"];
    assert_eq!(
        json!([counts["required"], counts["typed"], counts["reused"], counts["repeated"]]),
        json!([12, 2, 10, 1])
    );
    assert_eq!(second["values"]["fixed_9"]["how"], "carried");
    let answers = city
        .client("community")
        .get(&format!("/api/v1/households/{household}/answers"))
        .expect_success();
    assert_eq!(answers["items"].as_array().unwrap().len(), 2);
    assert_eq!(answers["items"][0]["values"]["fixed_9"]["value"], "内容9");
    expect_no_secrets(&dump_database(city), &["内容3", "慕容秘密"], "the database");
    city.client("next_worker").get(&path).expect_problem(404, "not_found");
    city.client("dispatcher")
        .post(&path, &json!({ "changes": {} }))
        .expect_problem(422, "bad_answers");
    let all = json!({ "changes": { "state": "正常" } });
    city.client("dispatcher").post(&path, &all).expect_problem(403, "not_permitted");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_one_form_asked_another_knows(city: &City) {
    let schema = |title: &str, other: &str| {
        let properties =
            json!({ "employment": field_schema("就业情况"), other: field_schema("其他") });
        json!({ "type": "object", "title": title, "required": ["employment"], "properties": properties })
    };
    let household = register_household(city);
    let one = publish_form(city, "jobs", &schema("就业登记", "trade"));
    let two = publish_form(city, "census", &schema("人口普查", "origin"));
    let changes = json!({ "changes": { "employment": "灵活就业", "trade": "餐饮" } });
    city.client("worker").post(&form_path(&household, &one), &changes).expect_success();
    let shown = city.client("worker").get(&form_path(&household, &two)).expect_success();
    assert_eq!(
        json!([shown["values"]["employment"]["from"], shown["missing"]]),
        json!(["jobs", []])
    );
    let done =
        city.client("worker").post(&form_path(&household, &two), &json!({})).expect_success();
    assert_eq!(json!([done["counts"]["typed"], done["counts"]["reused"]]), json!([0, 1]));
    // What was taken away is not known any more.
    let cleared = json!({ "changes": { "trade": null } });
    city.client("worker").post(&form_path(&household, &one), &cleared).expect_success();
    let shown = city.client("worker").get(&form_path(&household, &one)).expect_success();
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
    let (household, form) = (register_household(city), publish_form(city, "helper", &schema));
    let path = form_path(&household, &form);
    let changes = json!({ "changes": { "helper": "司马隐名" } });
    city.client("worker").post(&path, &changes).expect_success();
    let shown = city.client("worker").get(&path).expect_success();
    for name in ["head", "helper"] {
        assert_eq!(
            json!([shown["values"][name]["value"], shown["values"][name]["masked"]]),
            json!(["****", true])
        );
    }
    city.client("worker").post(&path, &json!({ "changes": {} })).expect_success();
    expect_no_secrets(&shown.to_string(), &["司马隐名", "慕容秘密"], "the form");
    expect_no_secrets(&dump_database(city), &["司马隐名"], "the database");
}

fn what_a_form_may_not_say_is_told_with_its_place(city: &City) {
    let publish = |schema: Value| {
        let body = json!({ "code": "x", "schema": schema, "note": "试" });
        city.client("admin").post("/api/v1/forms", &body).expect_problem(422, "unsound")
    };
    let told = publish(json!({
        "type": "object", "title": "表",
        "properties": { "a": { "type": "string", "title": "甲", "pattern": "(a+)+$" }, "B": field_schema("乙") },
    }));
    let mut places = read_texts(&json!({ "items": told["errors"] }), "/pointer");
    places.sort();
    assert_eq!(places, ["/document/properties/B", "/document/properties/a/pattern"], "{told}");
    assert!(told["errors"][0]["message"].as_str().unwrap().contains("应为"), "{told}");
    publish(json!({ "type": "object" }));
    publish(json!([]));
    let body = json!({ "code": "x", "schema": twelve_field_form(), "note": "试" });
    city.client("worker").post("/api/v1/forms", &body).expect_problem(403, "not_permitted");
    assert_eq!(city.client("worker").get("/api/v1/forms").expect_success()["items"], json!([]));
}

fn answers_that_do_not_fit_are_told_with_their_place(city: &City) {
    let (household, form) =
        (register_household(city), publish_form(city, "monthly", &twelve_field_form()));
    let changes = json!({ "changes": { "state": "很好", "fixed_1": 7, "unknown": "x" } });
    let told = city
        .client("worker")
        .post(&form_path(&household, &form), &changes)
        .expect_problem(422, "bad_answers");
    let errors = json!({ "items": told["errors"] });
    let found: Vec<(String, String)> =
        read_texts(&errors, "/pointer").into_iter().zip(read_texts(&errors, "/code")).collect();
    for (pointer, code) in [
        ("/changes/state", "unknown_value"),
        ("/changes/fixed_1", "wrong_type"),
        ("/changes/unknown", "unknown_field"),
        ("/changes/fixed_2", "missing_field"),
    ] {
        assert!(found.contains(&(pointer.to_owned(), code.to_owned())), "{pointer}: {found:?}");
    }
    expect_no_secrets(&told.to_string(), &["很好"], "the problem");
    city.client("worker").get(&form_path(&household, &new_key())).expect_problem(404, "not_found");
}

fn a_withdrawn_form_is_asked_no_more(city: &City) {
    let (household, form) =
        (register_household(city), publish_form(city, "monthly", &twelve_field_form()));
    let why = json!({ "reason": "与年报重复" });
    city.client("worker")
        .post(&format!("/api/v1/forms/{form}/withdraw"), &why)
        .expect_problem(403, "not_permitted");
    city.client("admin").post(&format!("/api/v1/forms/{form}/withdraw"), &why).expect_success();
    let answer = city.client("worker").post(&form_path(&household, &form), &json!({}));
    assert_eq!(answer.expect_fault("/form"), "unknown_form");
    assert_eq!(city.client("worker").get("/api/v1/forms").expect_success()["items"], json!([]));
    let all = city.client("worker").get("/api/v1/forms?withdrawn=true").expect_success();
    assert_eq!(read_texts(&all, "/code"), ["monthly"]);
    let again = publish_form(city, "monthly", &twelve_field_form());
    assert_eq!(again, form);
    assert_eq!(
        city.client("worker").get(&format!("/api/v1/forms/{form}")).expect_success()["edition"],
        3
    );
}

fn erased_answers_are_gone(city: &City) {
    let schema =
        json!({ "type": "object", "title": "表", "properties": { "note": field_schema("备注") } });
    let (household, form) = (register_household(city), publish_form(city, "note", &schema));
    let changes = json!({ "changes": { "note": "说过的话" } });
    city.client("worker").post(&form_path(&household, &form), &changes).expect_success();
    let why = json!({ "reason": "户主申请删除" });
    city.client("worker")
        .post(&format!("/api/v1/households/{household}/erasure"), &why)
        .expect_success();
    let answers = city
        .client("worker")
        .get(&format!("/api/v1/households/{household}/answers"))
        .expect_success();
    assert_eq!(answers["items"][0]["values"], json!({}));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn what_was_personal_once_stays_masked(city: &City) {
    let schema = |personal: bool| {
        let helper = json!({ "type": "string", "title": "紧急联系人", "x-personal": personal });
        json!({ "type": "object", "title": "紧急联系", "properties": { "helper": helper } })
    };
    let (household, form) = (register_household(city), publish_form(city, "helper", &schema(true)));
    let changes = json!({ "changes": { "helper": "司马隐名" } });
    let helper = form_path(&household, &form);
    city.client("worker").post(&helper, &changes).expect_success();
    // The answer does not reveal whether a guess is right.
    let guess = city.client("worker").post(&helper, &changes).expect_success();
    assert_eq!(json!([guess["counts"]["typed"], guess["counts"]["repeated"]]), json!([1, 0]));
    let other = form_path(&household, &publish_form(city, "other", &schema(false)));
    publish_form(city, "helper", &schema(false));
    let answers = format!("/api/v1/households/{household}/answers");
    let told = [
        city.client("worker").get(&other).expect_success(),
        city.client("worker").get(&helper).expect_success(),
        city.client("worker").post(&other, &json!({})).expect_success(),
        city.client("worker").get(&other).expect_success(),
        city.client("worker").get(&answers).expect_success(),
    ];
    for told in &told {
        expect_no_secrets(&told.to_string(), &["司马隐名"], "a form");
    }
    assert_eq!(told[0]["values"]["helper"]["masked"], true);
    let guess = city.client("worker").post(&other, &changes).expect_success();
    assert_eq!(guess["counts"]["repeated"], 0);
}

fn a_replay_is_told_what_was_told_first(city: &City) {
    let schema = json!({
        "type": "object", "title": "表", "required": ["head"],
        "properties": {
            "head": { "type": "string", "title": "户主", "x-source": "head_name" },
            "note": field_schema("备注"),
        },
    });
    let (household, form) = (register_household(city), publish_form(city, "note", &schema));
    let (again, path) = (new_key(), form_path(&household, &form));
    let answer = |note: &str| {
        let changes = json!({ "changes": { "note": note } });
        city.client("worker").post_as(&again, &path, &changes)
    };
    let first = answer("说过的话").expect_success();
    let last = json!({ "changes": { "note": "后来的话" } });
    city.client("worker").post(&path, &last).expect_success();
    assert_eq!(answer("说过的话").expect_success(), first);
    let why = json!({ "reason": "与年报重复" });
    city.client("admin").post(&format!("/api/v1/forms/{form}/withdraw"), &why).expect_success();
    assert_eq!(answer("说过的话").expect_success(), first);
    answer("别的话").expect_problem(422, "idempotency_key_reused");
}
