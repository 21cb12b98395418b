//! Forms are read strictly and completed from what is known.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{answer::Facts, *};
use crate::core::tabular_import::Fault;

fn instant_at(second: i64) -> Instant {
    chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// 12 fields of which 11 never change, the case that the source complains of.
fn monthly_form() -> Value {
    let mut properties = Map::new();
    for no in 1..=11 {
        let field = json!({ "type": "string", "title": format!("第{no}项"), "maxLength": 20 });
        properties.insert(format!("fixed_{no}"), field);
    }
    let state = json!({ "type": "string", "title": "本月情况", "enum": ["正常", "需要关注"], "x-ask": "each_time" });
    properties.insert("state".to_owned(), state);
    let required: Vec<&String> = properties.keys().collect();
    json!({ "type": "object", "title": "月报", "required": required, "properties": properties })
}

fn new_facts(values: &[(&str, Value)]) -> Facts {
    let one = |(name, value): &(&str, Value)| {
        let origin =
            Origin { how: How::Typed, from: Some("earlier".to_owned()), at: instant_at(0) };
        ((*name).to_owned(), KnownValue { value: value.clone(), origin, personal: false })
    };
    Facts { answers: values.iter().map(one).collect(), sources: BTreeMap::new() }
}

fn fault_pointers(faults: &[Fault]) -> Vec<(String, &'static str)> {
    faults.iter().map(|fault| (fault.pointer(), fault.code)).collect()
}

fn into_object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[test]
fn of_twelve_fields_one_is_typed_in_the_second_month() {
    let schema = Schema::read(&monthly_form()).unwrap();
    let mut first = Map::new();
    for field in &schema.fields {
        let value = if field.name == "state" { json!("正常") } else { json!("不变") };
        first.insert(field.name.clone(), value);
    }
    let january = schema.complete_answers(&Facts::default(), &first, instant_at(1)).unwrap();
    assert_eq!((january.counts.typed, january.counts.reused, january.counts.repeated), (12, 0, 0));
    let facts = Facts { answers: january.values, sources: BTreeMap::new() };
    let asked_anew = schema.complete_answers(&facts, &Map::new(), instant_at(2)).unwrap_err();
    assert_eq!(fault_pointers(&asked_anew), [("/state".to_owned(), "missing_field")]);
    let february = schema
        .complete_answers(&facts, &into_object(json!({ "state": "正常" })), instant_at(2))
        .unwrap();
    assert_eq!(
        (february.counts.typed, february.counts.reused, february.counts.repeated),
        (1, 11, 0)
    );
    assert_eq!(february.values["fixed_3"].origin.how, How::Carried);
    assert_eq!(
        february.values["fixed_3"].origin.at,
        instant_at(1),
        "since when it is known is kept"
    );
    // A worker who enters again what is known is counted.
    let again = into_object(json!({ "state": "正常", "fixed_1": "不变" }));
    assert_eq!(schema.complete_answers(&facts, &again, instant_at(3)).unwrap().counts.repeated, 1);
}

#[test]
fn what_one_form_asked_another_knows() {
    let form = json!({
        "type": "object", "title": "就业登记", "required": ["employment", "grid"],
        "properties": {
            "employment": { "type": "string", "title": "就业情况" },
            "grid": { "type": "string", "title": "网格", "x-source": "grid" },
        },
    });
    let schema = Schema::read(&form).unwrap();
    let mut facts = new_facts(&[("employment", json!("灵活就业"))]);
    facts.sources.insert(Source::Grid, (json!("枫林一格"), instant_at(5)));
    let done = schema.complete_answers(&facts, &Map::new(), instant_at(9)).unwrap();
    assert_eq!((done.counts.required, done.counts.typed, done.counts.reused), (2, 0, 2));
    assert_eq!(done.values["grid"].origin.how, How::Prefilled);
    assert_eq!(done.values["grid"].origin.from.as_deref(), Some("grid"));
    assert_eq!(done.values["employment"].origin.from.as_deref(), Some("earlier"));
}

#[test]
fn what_no_longer_fits_is_asked() {
    let form = json!({
        "type": "object", "title": "表", "required": ["heating"],
        "properties": { "heating": { "type": "string", "title": "取暖", "enum": ["电", "气"] } },
    });
    let schema = Schema::read(&form).unwrap();
    let faults = schema.complete_answers(
        &new_facts(&[("heating", json!("煤"))]),
        &Map::new(),
        instant_at(1),
    );
    assert_eq!(fault_pointers(&faults.unwrap_err()), [("/heating".to_owned(), "missing_field")]);
}

#[test]
fn changes_are_a_merge_patch() {
    let form = json!({
        "type": "object", "title": "表",
        "properties": {
            "car": { "type": "object", "title": "车", "required": ["plate"], "properties": {
                "plate": { "type": "string", "title": "车牌" },
                "colour": { "type": "string", "title": "颜色" },
            } },
            "pets": { "type": "array", "title": "宠物", "items": { "type": "string" }, "uniqueItems": true },
        },
    });
    let schema = Schema::read(&form).unwrap();
    let facts = new_facts(&[
        ("car", json!({ "plate": "鄂B12345", "colour": "白" })),
        ("pets", json!(["狗"])),
    ]);
    let change = into_object(json!({ "car": { "colour": "黑" }, "pets": null }));
    let done = schema.complete_answers(&facts, &change, instant_at(1)).unwrap();
    assert_eq!(done.values["car"].value, json!({ "plate": "鄂B12345", "colour": "黑" }));
    assert!(!done.values.contains_key("pets"));
    let change = into_object(json!({ "car": { "plate": null }, "pets": ["猫", "猫"], "boat": 1 }));
    let faults = schema.complete_answers(&facts, &change, instant_at(1)).unwrap_err();
    let expected = [
        ("/boat".to_owned(), "unknown_field"),
        ("/car/plate".to_owned(), "missing_field"),
        ("/pets/1".to_owned(), "duplicate"),
    ];
    let mut found = fault_pointers(&faults);
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_enforced_may_not_be_written() {
    for (schema, pointer, code) in [
        (json!([]), "", "wrong_type"),
        (
            json!({ "type": "array", "title": "表", "properties": { "a": { "type": "boolean", "title": "甲" } } }),
            "/type",
            "unknown_value",
        ),
        (json!({ "type": "object", "title": "表", "properties": {} }), "/properties", "empty"),
        (
            json!({ "type": "object", "properties": { "a": { "type": "boolean", "title": "甲" } } }),
            "/title",
            "bad_text",
        ),
        (
            form_with_field(json!({ "type": "string", "title": "甲", "pattern": "(a+)+$" })),
            "/properties/a/pattern",
            "unknown_keyword",
        ),
        (
            form_with_field(json!({ "$ref": "#/x", "title": "甲" })),
            "/properties/a/type",
            "unknown_value",
        ),
        (
            form_with_field(json!({ "type": "string", "title": "甲", "enum": [] })),
            "/properties/a/enum",
            "unknown_value",
        ),
        (
            form_with_field(json!({ "type": "string", "title": "甲", "format": "email" })),
            "/properties/a/format",
            "unknown_value",
        ),
        (
            form_with_field(json!({ "type": "string", "title": "甲", "maxLength": 5000 })),
            "/properties/a/maxLength",
            "out_of_range",
        ),
        (
            form_with_field(json!({ "type": "string", "title": "甲", "x-source": "salary" })),
            "/properties/a/x-source",
            "unknown_value",
        ),
        (
            form_with_field(json!({ "type": "integer", "title": "甲", "minimum": "1" })),
            "/properties/a/minimum",
            "wrong_type",
        ),
        (
            form_with_field(json!({ "type": "array", "title": "甲" })),
            "/properties/a/items",
            "missing",
        ),
        (
            form_with_field(
                json!({ "type": "array", "title": "甲", "minItems": 3, "maxItems": 1, "items": { "type": "boolean" } }),
            ),
            "/properties/a",
            "backward",
        ),
        (
            form_with_field(nest_groups(5)),
            "/properties/a/properties/b/properties/b/properties/b",
            "too_deep",
        ),
    ] {
        let faults = Schema::read(&schema).unwrap_err();
        assert!(
            fault_pointers(&faults).contains(&(pointer.to_owned(), code)),
            "{schema}: {faults:?}"
        );
    }
    let many: Map<String, Value> = (0..101)
        .map(|no| (format!("f{no}"), json!({ "type": "boolean", "title": "是否" })))
        .collect();
    let faults = Schema::read(&json!({ "type": "object", "title": "表", "properties": many }));
    assert_eq!(fault_pointers(&faults.unwrap_err()), [("/properties".to_owned(), "too_many_rows")]);
    let long = form_with_field(
        json!({ "type": "boolean", "title": "甲", "description": "长".repeat(30_000) }),
    );
    assert_eq!(fault_pointers(&Schema::read(&long).unwrap_err()), [(String::new(), "too_large")]);
}

fn form_with_field(field: Value) -> Value {
    json!({ "type": "object", "title": "表", "properties": { "a": field } })
}

#[test]
fn fields_are_asked_in_the_order_that_is_said() {
    let field = |name: &str| (name.to_owned(), json!({ "type": "boolean", "title": name }));
    let properties: Map<String, Value> = ["a", "b", "c", "d"].iter().map(|n| field(n)).collect();
    let mut form = json!({ "type": "object", "title": "表", "properties": properties });
    form["x-order"] = json!(["c", "a"]);
    let schema = Schema::read(&form).unwrap();
    let names: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["c", "a", "b", "d"]);
    form["x-order"] = json!(["x"]);
    let faults = Schema::read(&form).unwrap_err();
    assert_eq!(fault_pointers(&faults), [("/x-order".to_owned(), "unknown_value")]);
}

fn nest_groups(levels: usize) -> Value {
    let deepest = json!({ "type": "boolean", "title": "是否" });
    (1..levels).fold(
        deepest,
        |inner, _| json!({ "type": "object", "title": "层", "properties": { "b": inner } }),
    )
}

proptest! {
    /// Values that are no schema, or no field of one, are refused with faults.
    #[test]
    fn reading_never_fails_otherwise(text in "\\PC{0,60}", number in any::<i64>(), flag in any::<bool>()) {
        let values = [json!(text), json!(number), json!(flag), json!(null), json!([text]), json!({ "type": text })];
        for value in values {
            prop_assert!(Schema::read(&value).is_err());
            prop_assert!(Schema::read(&form_with_field(value)).is_err());
        }
    }

    /// An answer given once is known: nothing has to be entered again, and it comes out the same.
    #[test]
    fn an_answer_can_be_carried_over_whole(texts in prop::collection::vec("[a-z]{1,20}", 11)) {
        let schema = Schema::read(&monthly_form()).unwrap();
        let mut first: Map<String, Value> = texts.iter().enumerate().map(|(no, text)| (format!("fixed_{}", no + 1), json!(text))).collect();
        first.insert("state".to_owned(), json!("正常"));
        let one = schema.complete_answers(&Facts::default(), &first, instant_at(1)).unwrap();
        let facts = Facts { answers: one.values.clone(), sources: BTreeMap::new() };
        let two = schema.complete_answers(&facts, &into_object(json!({ "state": "正常" })), instant_at(2)).unwrap();
        for (name, known) in &one.values {
            prop_assert_eq!(&known.value, &two.values[name].value);
        }
        prop_assert_eq!(two.counts.typed + two.counts.reused, 12);
    }
}
