//! What is accepted as a body, and where a fault is said to be.

use actix_web::{http::StatusCode, test::TestRequest};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::*;
use crate::http::{language::Language, problem::render_problem};

#[derive(Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
struct Draft {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    text: Option<domain::core::text::Line>,
    #[serde(default)]
    place: Option<Place>,
    #[serde(default, rename = "grants")]
    _grants: Vec<Grant>,
    #[serde(default, rename = "id")]
    _id: Option<uuid::Uuid>,
    #[serde(default, rename = "at")]
    #[schema(value_type = Option<String>)]
    _at: Option<domain::Instant>,
}

#[derive(Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
struct Place {
    lng: f64,
    #[serde(rename = "lat")]
    _lat: f64,
}

#[derive(Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
struct Grant {
    #[serde(rename = "role")]
    #[schema(value_type = String)]
    _role: domain::people::actor::Role,
}

fn explain_body(body: &[u8]) -> Value {
    let problem = parse::<Draft>(body).unwrap_err();
    serde_json::from_slice(&render_problem(&problem, Language::Zh, "t")).unwrap()
}

#[test]
fn a_fault_is_told_with_its_place() {
    for (body, pointer, code, message) in [
        (r#"{"place":{"lng":1}}"#, "/place/lat", "missing_field", "缺少字段“lat”。"),
        (
            r#"{"txet":"x"}"#,
            "/txet",
            "unknown_field",
            "未知字段“txet”；可用的有：text、place、grants、id、at。",
        ),
        (
            r#"{"place":{"lng":1,"lat":2,"a/b~":3}}"#,
            "/place/a~1b~0",
            "unknown_field",
            "未知字段“a/b~”；可用的有：lng、lat。",
        ),
        (
            r#"{"place":{"lng":"1","lat":2}}"#,
            "/place/lng",
            "wrong_type",
            "类型不对：给出的是文本 1，应为数字。",
        ),
        (
            r#"{"grants":[{"role":"hotline"},{"role":"king"}]}"#,
            "/grants/1/role",
            "unknown_value",
            "没有“king”这个值；可用的有：grid_worker、grid_leader、community_officer、street_dispatcher、street_leader、department_officer、department_head、district_dispatcher、hotline、inspector、auditor、administrator、integrator、resident、volunteer。",
        ),
        (r#"{"text":"  "}"#, "/text", "empty_text", "不能为空。"),
        (r#"{"text":5}"#, "/text", "wrong_type", "类型不对：给出的是整数 5，应为文本。"),
        (r#"{"id":"x"}"#, "/id", "wrong_type", "应为 UUID。"),
        (
            r#"{"at":"yesterday"}"#,
            "/at",
            "wrong_type",
            "应为带时区的时间，例如 2026-08-21T10:00:00+08:00。",
        ),
        (r#"{"at":5}"#, "/at", "wrong_type", "类型不对：给出的是整数 5，应为带时区的时间。"),
        (
            r#"{"place":{"lng":1,"lng":1,"lat":1}}"#,
            "/place/lng",
            "duplicate_field",
            "字段“lng”只能出现一次。",
        ),
        (r" []", "", "wrong_type", "正文应为对象（{…}），不能是数组。"),
        (r#""text""#, "", "wrong_type", "类型不对：给出的是文本 text，应为对象。"),
        (r#"{"place":{"lng":1"#, "", "syntax", "正文不是完整的 JSON（第 1 行第 17 列附近）。"),
        (
            r#"{"place":{"lng":1e999,"lat":2}}"#,
            "",
            "syntax",
            "正文不是完整的 JSON（第 1 行第 21 列附近）。",
        ),
        ("{}x", "", "syntax", "正文不是完整的 JSON（第 1 行第 3 列附近）。"),
    ] {
        let told = explain_body(body.as_bytes());
        let fault = &told["errors"][0];
        assert_eq!(
            (fault["pointer"].as_str(), fault["code"].as_str(), fault["message"].as_str()),
            (Some(pointer), Some(code), Some(message)),
            "{body}"
        );
    }
    assert_eq!(explain_body(b"{\"text\":\"\xff\"}")["errors"][0]["code"], "not_utf8");
}

#[test]
fn all_faults_are_told_at_once() {
    let body = r#"{"txet":1,"text":" ","place":{"lng":"1","alt":3},"id":"x","at":5,
        "grants":[{"role":"king"},{"role":"hotline"},{},{"role":"queen"},[]]}"#;
    let told = explain_body(body.as_bytes());
    let mut faults: Vec<_> = told["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap()))
        .collect();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            ("/at", "wrong_type"),
            ("/grants/0/role", "unknown_value"),
            ("/grants/2/role", "missing_field"),
            ("/grants/3/role", "unknown_value"),
            ("/grants/4", "wrong_type"),
            ("/id", "wrong_type"),
            ("/place/alt", "unknown_field"),
            ("/place/lat", "missing_field"),
            ("/place/lng", "wrong_type"),
            ("/text", "empty_text"),
            ("/txet", "unknown_field"),
        ]
    );
    let many = format!(r#"{{"grants":[{}]}}"#, vec![r#"{"role":1}"#; 200].join(","));
    assert_eq!(explain_body(many.as_bytes())["errors"].as_array().unwrap().len(), 32);
}

#[test]
fn no_array_is_an_object_and_no_text_has_nul() {
    for (body, pointer, code) in [
        (r#"{"place":[1,2]}"#, "/place", "wrong_type"),
        (r#"{"grants":[["hotline"]]}"#, "/grants/0", "wrong_type"),
        (r#"{"id":"\u0000"}"#, "/id", "control_character"),
        (r#"{"at":"2026-08-21T10:00:00Z\u0000"}"#, "/at", "control_character"),
    ] {
        let told = explain_body(body.as_bytes());
        let fault = &told["errors"][0];
        assert_eq!(
            (fault["pointer"].as_str(), fault["code"].as_str()),
            (Some(pointer), Some(code))
        );
    }
}

#[test]
fn a_long_value_is_not_sent_back() {
    let body = format!(r#"{{"place":"{}","text":"a"}}"#, "长".repeat(50_000));
    assert!(explain_body(body.as_bytes()).to_string().len() < 1000);
}

async fn extract_draft(request: TestRequest) -> Result<Json<Draft>, Problem> {
    let (request, mut payload) = request.to_http_parts();
    Json::<Draft>::from_request(&request, &mut payload).await
}

#[actix_web::test]
async fn only_plain_json_is_read() {
    let post = || TestRequest::post().set_payload(r#"{"text":"a"}"#);
    for kind in [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/json;charset=\"utf-8\"",
    ] {
        let draft = extract_draft(post().insert_header((CONTENT_TYPE, kind))).await.unwrap().0;
        assert_eq!(draft.text.unwrap().as_str(), "a");
    }
    for kind in ["text/plain", "application/json; charset=gbk", "application/jsonx", ""] {
        let problem = extract_draft(post().insert_header((CONTENT_TYPE, kind))).await.unwrap_err();
        assert_eq!(problem.code(), Code::UnsupportedMediaType, "{kind}");
    }
    assert_eq!(extract_draft(post()).await.unwrap_err().code(), Code::UnsupportedMediaType);
    let zipped = post()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CONTENT_ENCODING, "gzip"));
    assert_eq!(extract_draft(zipped).await.unwrap_err().code(), Code::UnsupportedMediaType);
}

#[actix_web::test]
async fn an_empty_body_is_an_empty_object() {
    let draft = extract_draft(TestRequest::post()).await.unwrap().0;
    assert!(draft.text.is_none() && draft.place.is_none_or(|place| place.lng > 0.0));
}

#[actix_web::test]
async fn a_body_that_replaces_something_is_not_left_out() {
    let (request, mut payload) = TestRequest::post().to_http_parts();
    let refused = replacing::Json::<Draft>::from_request(&request, &mut payload).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidBody);
    let json = TestRequest::post().insert_header((CONTENT_TYPE, "application/json"));
    let (request, mut payload) = json.set_payload("{}").to_http_parts();
    assert!(replacing::Json::<Draft>::from_request(&request, &mut payload).await.is_ok());
}

#[actix_web::test]
async fn a_body_is_bounded() {
    let fits = format!(r#"{{"text":"{}"}}"#, " ".repeat(MAX_BYTES - 12) + "a");
    assert_eq!(fits.len(), MAX_BYTES);
    let json = |body: String| {
        TestRequest::post().insert_header((CONTENT_TYPE, "application/json")).set_payload(body)
    };
    assert!(extract_draft(json(fits.clone())).await.is_ok());
    let problem = extract_draft(json(fits + " ")).await.unwrap_err();
    assert_eq!(problem.code(), Code::PayloadTooLarge);
    assert_eq!(actix_web::ResponseError::status_code(&problem), StatusCode::PAYLOAD_TOO_LARGE);
}
