//! Disclosure of events: what their types declare, and nothing else.

use domain::{
    core::{
        disclosure::{Disclosed, Disclosure, Redaction},
        id::PersonId,
    },
    flows::{case, household, report},
};
use serde_json::{Value, json};

/// What remains of an event of a case after redaction.
fn told(redaction: &Redaction, mut event: Value) -> Value {
    redaction.redact(case::Event::SHAPE, &mut event);
    event
}

#[test]
fn what_is_withheld_is_told_to_no_one() {
    let unit = json!({ "id": "u", "kind": "street", "name": "青山街道", "path": "9901/01/" });
    let event = json!({ "event": "reported_up", "to": unit });
    let to = json!({ "id": "u", "kind": "street", "name": "青山街道" });
    let all = Redaction::default();
    assert_eq!(told(&all, event), json!({ "event": "reported_up", "to": to }));
    let reporter = json!({ "report": "r", "person": "p" });
    let event = json!({ "event": "joined", "reporter": reporter });
    assert_eq!(told(&all, event), json!({ "event": "joined" }));
    let mut event = json!({ "event": "unpaired", "person": "p", "kind": "worker" });
    all.redact(household::Event::SHAPE, &mut event);
    assert_eq!(event, json!({ "event": "unpaired", "kind": "worker" }));
}

#[test]
fn a_hidden_field_is_hidden_wherever_its_type_stands() {
    let answer = json!({ "solved": true, "satisfied": "satisfied", "comment": "谢谢" });
    let closing = json!({ "outcome": "solved", "answer": answer });
    let event = json!({ "event": "closed", "closing": closing, "note": "三项齐全" });
    let comment = |hidden: Disclosure| {
        let redaction = Redaction { hidden: vec![hidden], ..Redaction::default() };
        let told = told(&redaction, event.clone());
        [told.pointer("/closing/answer/comment").is_some(), told.get("note").is_some()]
    };
    assert_eq!(comment(Disclosure::Answer), [false, true]);
    assert_eq!(comment(Disclosure::Words), [true, false]);
    assert_eq!(comment(Disclosure::Opinion), [true, true]);
}

#[test]
fn a_stranger_is_named_nowhere() {
    let (stranger, other) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    let redaction = Redaction { strangers: vec![PersonId(stranger)], ..Redaction::default() };
    let event = |by| json!({ "event": "commented", "by": by, "text": "已看" });
    assert_eq!(told(&redaction, event(other)), event(other));
    let hidden = json!({ "event": "commented", "text": "已看" });
    assert_eq!(told(&redaction, event(stranger)), hidden);
}

#[test]
fn what_no_type_declares_is_not_told() {
    let all = Redaction::default();
    let event = json!({ "event": "signed", "by": null, "secret": "x" });
    assert_eq!(told(&all, event), json!({ "event": "signed", "by": null }));
    let event = json!({ "event": "exploded", "secret": "x" });
    assert_eq!(told(&all, event), json!({ "event": "exploded" }));
    let event = json!({ "event": "commented", "text": { "secret": "x" } });
    assert_eq!(told(&all, event), json!({ "event": "commented", "text": null }));
    let mut event = json!(["x"]);
    all.redact(report::Event::SHAPE, &mut event);
    assert_eq!(event, Value::Null);
}
