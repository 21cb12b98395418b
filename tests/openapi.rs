//! The contract: what the program prints, what is committed and what is served are the same, and
//! every operation describes its purpose, its access, and its failures.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    harness::{City, Engine},
    snapshot::expect_committed,
};

/// Every operation: method, path, and its description.
pub(crate) fn list_operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("a document has paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path has operations");
            methods.iter().map(move |(method, operation)| {
                (method.to_uppercase(), path.clone(), operation.clone())
            })
        })
        .collect()
}

/// The operations that need no login.
pub(crate) const OPEN: &[&str] = &[
    "login",
    "answer_second_factor",
    "login_wechat",
    "list_providers",
    "get_authorization",
    "finish_authorization",
    "refresh_login",
    "list_signing_keys",
    "get_authorization_server",
    "issue_token",
    "get_health",
    "get_readiness",
    "list_switches",
    "get_privacy_notice",
    "get_media_content",
    "get_wechat_greeting",
    "receive_wechat_event",
];

fn all_operations() -> Vec<(String, String, Value)> {
    list_operations(&api::server::build_openapi())
}

#[test]
fn the_committed_contract_is_the_program() {
    let mut made = serde_json::to_string_pretty(&api::server::build_openapi()).unwrap();
    made.push('\n');
    expect_committed("openapi/openapi.json", &made);
}

#[test]
fn the_served_contract_is_the_program() {
    let city = City::open(Engine::Sqlite);
    let served = city.client("").get("/openapi.json");
    assert_eq!(served.header("content-type"), "application/json");
    let tag = served.header("etag").to_owned();
    assert_eq!(served.expect_success(), api::server::build_openapi());
    let again = city.client("").call("GET", "/openapi.json").header("If-None-Match", &tag).send();
    assert_eq!((again.status, again.text.as_str()), (304, ""));
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for (method, path, operation) in all_operations() {
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let formed = name.contains('_') || ["login", "logout"].contains(&name.as_str());
        assert!(plain && formed && !name.starts_with('_'), "{method} {path}: {name:?}");
        let reads = ["get_", "list_", "locate_"].iter().any(|verb| name.starts_with(verb));
        assert_eq!(reads, method == "GET", "{method} {path}: {name}");
        assert!(names.insert(name.clone()), "{name} twice");
    }
    assert!(names.len() > 40, "{names:?}");
}

fn has_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_operation_is_explained() {
    let document = api::server::build_openapi();
    let tags = document["tags"].as_array().unwrap();
    let known: BTreeSet<&str> = tags.iter().filter_map(|tag| tag["name"].as_str()).collect();
    for tag in tags {
        assert!(has_chinese(tag["description"].as_str().unwrap_or_default()), "{tag}");
    }
    let mut used = BTreeSet::new();
    for (method, path, operation) in list_operations(&document) {
        let at = format!("{method} {path}");
        let own = operation["tags"].as_array().unwrap();
        assert_eq!(own.len(), 1, "{at}");
        let tag = own[0].as_str().unwrap().to_owned();
        assert!(known.contains(tag.as_str()), "{at}: {tag} is not declared");
        used.insert(tag);
        let text = |member: &str| operation[member].as_str().unwrap_or_default();
        assert!(text("summary").ends_with('.'), "{at}: {:?}", text("summary"));
        assert!(text("summary").len() < 80, "{at}: {:?}", text("summary"));
        assert!(has_chinese(text("description")), "{at}: {:?}", text("description"));
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            // A list of values explains itself, with a label for each.
            let own = [&parameter["description"], &parameter["schema"]["description"]];
            let told = own.iter().any(|text| text.as_str().is_some_and(|text| !text.is_empty()));
            assert!(told, "{at}: {parameter}");
        }
    }
    assert_eq!(used.len(), known.len(), "declared and unused tags: {known:?} {used:?}");
}

#[test]
fn every_operation_says_who_may_and_how_it_fails() {
    for (method, path, operation) in all_operations() {
        let at = format!("{method} {path}");
        let name = operation["operationId"].as_str().unwrap();
        let security = operation["security"].to_string();
        let expected = if OPEN.contains(&name) { "[{}]" } else { "[{\"bearer\":[]}]" };
        assert_eq!(security, expected, "{at}");
        let responses = operation["responses"].as_object().unwrap();
        let succeeds = responses.keys().filter(|status| status.starts_with('2')).count();
        assert_eq!(succeeds, 1, "{at}");
        assert!(responses.contains_key("default"), "{at}");
        for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
            let content = response["content"].as_object().unwrap();
            let problem = content.keys().eq(["application/problem+json"]);
            assert!(problem, "{at} {status}: {response}");
        }
        assert_eq!(
            responses.contains_key("401"),
            ![
                "get_health",
                "get_readiness",
                "list_signing_keys",
                "get_authorization_server",
                "get_privacy_notice",
                "list_switches",
                "get_media_content",
                "get_wechat_greeting",
                "receive_wechat_event",
            ]
            .contains(&name),
            "{at}"
        );
        let told = path.starts_with("/api/v1/wechat/");
        let login = path.starts_with("/api/v1/auth/") || path == "/oauth/token";
        if method == "POST" && !login && !told && path != "/api/v1/sync" {
            let parameters = operation["parameters"].as_array().unwrap();
            let key = parameters.iter().find(|parameter| parameter["name"] == "Idempotency-Key");
            assert_eq!(key.map(|key| &key["required"]), Some(&Value::Bool(true)), "{at}");
        }
    }
}

#[test]
fn every_operation_has_an_example() {
    let mut lacking = Vec::new();
    for (method, path, operation) in all_operations() {
        let body = operation.pointer("/requestBody/content/application~1json");
        if body.is_some_and(|body| body.get("example").is_none()) {
            lacking.push(format!("{method} {path}: request"));
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let content = response.pointer("/content/application~1json");
            if status.starts_with('2')
                && content.is_some_and(|content| content.get("example").is_none())
            {
                lacking.push(format!("{method} {path}: {status}"));
            }
        }
    }
    assert!(
        lacking.is_empty(),
        "record them with `gridwhistle demo --once --record api/data/examples.json`: {lacking:#?}"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    found.insert(reference);
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = api::server::build_openapi();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 30, "{found:?}");
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap_or_default();
        assert!(!pointer.is_empty() && document.pointer(pointer).is_some(), "{reference}");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let used = |name: &str| found.contains(format!("#/components/schemas/{name}").as_str());
    let unused: Vec<_> = schemas.keys().filter(|name| !used(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn the_page_works_without_the_internet() {
    let city = City::open(Engine::Sqlite);
    let to = city.client("").get("/docs");
    assert_eq!((to.status, to.header("location")), (302, "docs/"));
    let page = city.client("").get("/docs/");
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.header("content-type").starts_with("text/html"));
    let linked: Vec<&str> = page
        .text
        .split(['"', '\''])
        .zip(page.text.split(['"', '\'']).skip(1))
        .filter(|(before, _)| {
            before.trim_end().ends_with("src=") || before.trim_end().ends_with("href=")
        })
        .map(|(_, link)| link)
        .collect();
    assert!(linked.len() >= 4, "{linked:?}");
    for link in linked {
        let absolute = link.contains("//") || link.starts_with("http");
        assert!(!absolute, "the page asks {link}");
        let file = city.client("").get(&format!("/docs/{}", link.trim_start_matches("./")));
        assert_eq!(file.status, 200, "{link}");
    }
    let start = city.client("").get("/docs/swagger-initializer.js").text;
    assert!(start.contains("/openapi.json") && !start.contains("http"), "{start}");
}

#[test]
fn every_problem_is_explained_where_its_type_says() {
    let city = City::open(Engine::Sqlite);
    for code in api::http::problem::Code::ALL {
        let page = city.client("").get(code.uri()).expect_success();
        assert_eq!(page["code"], code.name(), "{page}");
    }
    let listed = city.client("").get("/problems").expect_success();
    assert_eq!(listed.as_array().map(Vec::len), Some(api::http::problem::Code::ALL.len()));
}

#[test]
fn the_committed_problems_are_the_program() {
    expect_committed(
        "docs/problems.md",
        &format!("{}\n", api::http::problem::problems_markdown().trim_end()),
    );
}
