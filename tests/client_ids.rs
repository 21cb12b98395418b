//! Identities and keys that clients make: which are accepted, and that their spelling is free.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    coverage::build_right,
    harness::{City, new_key, on_both, read_text, report_body_at},
    idempotency::UNFIT,
    openapi::list_operations,
};

on_both! {
    no_operation_takes_an_unfit_identity,
    no_operation_takes_an_unfit_key,
    an_unfit_identity_in_a_path_finds_nothing,
    an_identity_is_one_however_it_is_written,
}

/// The properties of the JSON body of an operation.
fn body_properties<'a>(document: &'a Value, operation: &'a Value) -> &'a Value {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let named = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    let schema = named.and_then(|path| document.pointer(path)).unwrap_or(schema);
    &schema["properties"]
}

/// A path with an identity in the place of every parameter.
fn fill_path(path: &str, id: &str) -> String {
    let mut parts = path.split('/').map(|part| if part.starts_with('{') { id } else { part });
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| format!("{path}/{part}"))
}

fn no_operation_takes_an_unfit_identity(city: &City) {
    let document = api::server::build_openapi();
    let mut tried = 0;
    for (method, path, operation) in list_operations(&document) {
        let made = body_properties(&document, &operation);
        for name in ["id", "case_id"].into_iter().filter(|name| made.get(*name).is_some()) {
            // The case a report joins, or a file belongs to, has no identity of the client.
            if name == "case_id" && !path.ends_with("/file") {
                continue;
            }
            tried += 1;
            for id in UNFIT {
                let body = json!({ name: id });
                let answer = city.client("worker").post(&fill_path(&path, &new_key()), &body);
                let fault = answer.expect_fault(&format!("/{name}"));
                assert_eq!(fault, "reserved_id", "{path}");
            }
            let refused = city
                .client("worker")
                .post(&fill_path(&path, &new_key()), &json!({ name: new_key() }));
            assert_ne!(refused.body["errors"][0]["pointer"], format!("/{name}"), "{method} {path}");
        }
    }
    assert!(tried >= 10, "{tried}");
}

fn no_operation_takes_an_unfit_key(city: &City) {
    let mut tried = 0;
    for (method, path, operation) in list_operations(&api::server::build_openapi()) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let keyed = parameters.filter(|one| one["name"] == "Idempotency-Key").count() > 0;
        // A preview changes nothing, and a queue has a key for each item.
        if method != "POST" || !keyed || ["/preview", "/sync"].iter().any(|end| path.ends_with(end))
        {
            continue;
        }
        let name = operation["operationId"].as_str().unwrap_or_default();
        let (path, body) = build_right(city, name).unwrap_or((path, json!({ "reason": "理由" })));
        tried += 1;
        for unfit in UNFIT {
            let answer = city.client("worker").post_as(unfit, &path, &body);
            answer.expect_problem(400, "idempotency_key_invalid");
        }
    }
    assert!(tried > 80, "{tried}");
}

fn an_unfit_identity_in_a_path_finds_nothing(city: &City) {
    for (method, path, operation) in list_operations(&api::server::build_openapi()) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let uuid = |one: &&Value| one["in"] == "path" && one["schema"]["format"] == "uuid";
        if parameters.filter(uuid).count() == 0 {
            continue;
        }
        for id in UNFIT {
            for by in ["resident", "worker", "admin"] {
                let client = city.client(by);
                let path = fill_path(&path, id);
                let answer = if method == "GET" {
                    client.get(&path)
                } else {
                    client.post(&path, &json!({}))
                };
                assert!((400..500).contains(&answer.status), "{path}: {}", answer.text);
                answer.expect_complete_problem();
            }
        }
    }
}

fn an_identity_is_one_however_it_is_written(city: &City) {
    let id: Uuid = new_key().parse().unwrap();
    let spellings = [
        id.to_string(),
        id.to_string().to_uppercase(),
        id.simple().to_string(),
        id.braced().to_string(),
        id.urn().to_string(),
    ];
    let body = |id: &str| {
        let mut body = report_body_at(110.005, 30.005);
        body["id"] = json!(id);
        body
    };
    let command = new_key();
    let command: Uuid = command.parse().unwrap();
    let keys = [
        command.to_string(),
        command.to_string().to_uppercase(),
        command.simple().to_string(),
        command.braced().to_string(),
        command.urn().to_string(),
    ];
    for (spelling, key) in spellings.iter().zip(&keys) {
        let made = city
            .client("resident")
            .post_as(key, "/api/v1/reports", &body(spelling))
            .expect_success();
        assert_eq!(read_text(&made, "/id"), id.to_string());
    }
    for spelling in &spellings {
        let again = city.client("neighbour").post("/api/v1/reports", &body(spelling));
        again.expect_problem(409, "already_exists");
        let shown = city.client("resident").get(&format!("/api/v1/reports/{spelling}"));
        if shown.status == 200 {
            assert_eq!(read_text(&shown.body, "/id"), id.to_string());
        }
    }
    let mine = city.client("resident").get("/api/v1/reports?mine=true").expect_success();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    // An item that names it in another spelling still waits for the item that makes it.
    let made = new_key();
    let first = json!({
        "id": new_key(), "operation": "submit_report", "body": { "id": made, "text": "", "place": {} },
    });
    let second = json!({
        "id": new_key(), "operation": "file_report", "path": { "id": made.to_uppercase() }, "body": {},
    });
    let queue = json!({ "items": [first, second] });
    let answer = city.client("community").post("/api/v1/sync", &queue).expect_success();
    assert_eq!(answer["items"][0]["outcome"], "refused", "{answer}");
    assert_eq!(answer["items"][1]["outcome"], "held", "{answer}");
}
