//! The documents over HTTP, and that utoipa understands our extractors.

use actix_web::{
    App,
    body::to_bytes,
    http::{
        StatusCode,
        header::{HeaderMap, IF_NONE_MATCH},
    },
    middleware::from_fn,
    post,
    test::{TestRequest, call_service, init_service},
};
use serde::Deserialize;
use serde_json::json;
use utoipa_actix_web::{AppExt, scope};

use super::*;
use crate::{
    app::telemetry::observe_request,
    http::{body::Json, params::Query},
};

#[derive(Deserialize, utoipa::ToSchema)]
struct CloseBody {
    #[expect(dead_code, reason = "only its schema is of interest")]
    note: String,
}

#[derive(Deserialize, utoipa::IntoParams)]
struct Filter {
    #[expect(dead_code, reason = "only its schema is of interest")]
    open: Option<bool>,
}

#[utoipa::path(params(Filter), responses((status = 204)))]
#[post("/cases")]
async fn close_case(body: Json<CloseBody>, filter: Query<Filter>) -> HttpResponse {
    // utoipa passes over arguments called `_`.
    let _ = (body, filter);
    HttpResponse::NoContent().finish()
}

#[test]
fn utoipa_knows_the_extractors_by_their_names() {
    let api = scope("/api/v1").service(close_case);
    let (_, api) = App::new().into_utoipa_app().service(api).split_for_parts();
    let api = serde_json::to_value(api).unwrap();
    let close = &api["paths"]["/api/v1/cases"]["post"];
    let body = &close["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(body, "#/components/schemas/CloseBody");
    let parameter = &close["parameters"][0];
    assert_eq!((&parameter["name"], &parameter["in"]), (&json!("open"), &json!("query")));
}

async fn send_request(request: TestRequest) -> (StatusCode, HeaderMap, Vec<u8>) {
    let docs = Docs::new(|| json!({ "openapi": "3.1.0" }));
    let app = App::new().configure(|app| docs.routes(app)).wrap(from_fn(observe_request));
    let response = call_service(&init_service(app).await, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, to_bytes(response.into_body()).await.unwrap().to_vec())
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap().to_str().unwrap()
}

fn get(uri: &str) -> TestRequest {
    TestRequest::get().uri(uri)
}

#[actix_web::test]
async fn the_contract_is_served_once() {
    let (status, headers, body) = send_request(get("/openapi.json")).await;
    assert_eq!((status, body), (StatusCode::OK, br#"{"openapi":"3.1.0"}"#.to_vec()));
    let again = get("/openapi.json").insert_header((IF_NONE_MATCH, headers.get(ETAG).unwrap()));
    let (status, _, body) = send_request(again).await;
    assert_eq!((status, body), (StatusCode::NOT_MODIFIED, Vec::new()));
}

#[actix_web::test]
async fn the_page_needs_no_internet() {
    for uri in ["/", "/docs"] {
        let (status, headers, _) = send_request(get(uri)).await;
        assert_eq!((status.as_u16(), header_text(&headers, "location")), (302, "docs/"));
    }
    let (status, headers, body) = send_request(get("/docs/")).await;
    let body = String::from_utf8(body).unwrap();
    assert_eq!((status.as_u16(), header_text(&headers, "content-type")), (200, "text/html"));
    for foreign in ["http://", "https://", "src=\"//", "<script>"] {
        assert!(!body.contains(foreign), "{body}");
    }
    let (_, _, script) = send_request(get("/docs/swagger-initializer.js")).await;
    assert!(String::from_utf8(script).unwrap().contains("\"/openapi.json\""));
    for nothing in ["/docs/nothing.js", "/docs/../Cargo.toml", "/docs/%2e%2e/x"] {
        assert_eq!(send_request(get(nothing)).await.0, StatusCode::NOT_FOUND);
    }
}

#[actix_web::test]
async fn problems_are_explained() {
    let (status, _, body) = send_request(get("/problems/wrong_state")).await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status.as_u16(), &body["status"]), (200, &json!(422)));
    assert_eq!(body["title"]["en"], "Not possible in the current state");
    let (_, _, all) = send_request(get("/problems")).await;
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&all).unwrap().len(), Code::ALL.len());
    assert_eq!(send_request(get("/problems/none")).await.0, StatusCode::NOT_FOUND);
}
