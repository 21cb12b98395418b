//! The middleware, with a small app behind it.

use actix_web::{
    App, FromRequest, Responder,
    body::to_bytes,
    dev::Payload,
    get,
    http::{
        Method, StatusCode,
        header::{ACCEPT_LANGUAGE, ALLOW, HeaderMap, RETRY_AFTER},
    },
    middleware::from_fn,
    test::{TestRequest, call_service, init_service},
    web,
};
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::http::{
    body::Json,
    headers::Key,
    params::{IdPath, Query},
    problem::{Code, Reply},
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Empty {}

#[get("/ok")]
async fn answer_ok(trace: Trace) -> impl Responder {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "max-age=60"))
        .body(trace.trace_id().to_owned())
}

#[get("/refused")]
async fn answer_refusal() -> Reply<HttpResponse> {
    Err(domain::rules::refusal::Refusal::NotSummoned.into())
}

#[get("/broken")]
async fn answer_overload() -> Reply<HttpResponse> {
    Err(Problem::new(Code::Overloaded).header(RETRY_AFTER, "1").because("the secret cause"))
}

async fn answer_nothing(_: Json<Empty>, _: Query<Empty>, _: Key) -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// Sends a request through the middleware; answers status, headers and body.
async fn send_request(request: TestRequest) -> (StatusCode, HeaderMap, String) {
    let app = App::new()
        .wrap(from_fn(observe_request))
        .service(answer_ok)
        .service(answer_refusal)
        .service(answer_overload)
        .service(web::resource("/both").get(answer_nothing).post(answer_nothing))
        .route("/actix/{id}", web::get().to(|_: web::Path<u32>| async { "" }))
        .route("/plain", web::get().to(|| async { HttpResponse::BadGateway().body("leak") }))
        .route("/id/{id}", web::get().to(|_: IdPath<uuid::Uuid>| async { "" }));
    let app = init_service(app).await;
    let response = call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, headers, String::from_utf8(body.to_vec()).unwrap())
}

fn get(uri: &str) -> TestRequest {
    TestRequest::get().uri(uri)
}

async fn send_for_problem(request: TestRequest) -> (StatusCode, HeaderMap, Value) {
    let (status, headers, body) = send_request(request).await;
    assert_eq!(headers.get(CONTENT_TYPE).unwrap(), PROBLEM_JSON);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["status"], status.as_u16());
    (status, headers, body)
}

#[actix_web::test]
async fn every_answer_has_the_common_headers() {
    let (status, headers, body) = send_request(get("/ok")).await;
    assert_eq!(status, 200);
    assert_eq!(headers.get(X_CONTENT_TYPE_OPTIONS).unwrap(), "nosniff");
    assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "max-age=60");
    assert_eq!(headers.get("x-request-id").unwrap(), body.as_str());
    let (_, headers, _) = send_request(get("/refused")).await;
    assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "no-store");
    assert_eq!(headers.get_all(CONTENT_LANGUAGE).count(), 1);
}

#[actix_web::test]
async fn a_problem_speaks_the_callers_language() {
    let (status, headers, body) = send_for_problem(get("/refused")).await;
    assert_eq!((status.as_u16(), &body["code"]), (422, &"not_summoned".into()));
    assert_eq!(body["title"], "这次吹哨没有点名这个部门");
    assert_eq!(headers.get(CONTENT_LANGUAGE).unwrap(), "zh-CN");
    assert_eq!(headers.get("x-request-id").unwrap(), body["trace_id"].as_str().unwrap());
    let english = get("/refused").insert_header((ACCEPT_LANGUAGE, "en, zh;q=0.5"));
    let (_, headers, body) = send_for_problem(english).await;
    assert_eq!(body["title"], "This whistle does not summon the department");
    assert_eq!(headers.get(CONTENT_LANGUAGE).unwrap(), "en");
}

#[actix_web::test]
async fn ids_of_the_caller_are_continued() {
    let request = get("/refused")
        .insert_header(("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        .insert_header(("x-request-id", "phone-7"));
    let (_, headers, body) = send_for_problem(request).await;
    assert_eq!(body["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(headers.get("x-request-id").unwrap(), "phone-7");
}

#[actix_web::test]
async fn the_cause_stays_here() {
    let (status, headers, body) = send_for_problem(get("/broken")).await;
    assert_eq!(status, 503);
    assert_eq!(headers.get(RETRY_AFTER).unwrap(), "1");
    assert!(!body.to_string().contains("secret"));
}

#[actix_web::test]
async fn what_actix_refuses_is_a_problem_too() {
    for (request, status, code) in [
        (get("/nowhere"), 404, "not_found"),
        (get("/actix/x"), 404, "not_found"),
        (get("/id/x"), 400, "invalid_path"),
        (get("/plain"), 500, "internal"),
        (TestRequest::with_uri("/both").method(Method::DELETE), 405, "method_not_allowed"),
        (TestRequest::post().uri("/both").set_payload("x"), 415, "unsupported_media_type"),
        (get("/both?x=1"), 400, "invalid_query"),
        (get("/both"), 400, "idempotency_key_required"),
        (
            TestRequest::post().uri("/both").set_payload("x".repeat(300_000)),
            413,
            "payload_too_large",
        ),
    ] {
        let (answered, headers, body) = send_for_problem(request).await;
        assert_eq!((answered.as_u16(), body["code"].as_str().unwrap()), (status, code));
        assert!(!body.to_string().contains("leak"));
        assert_eq!(headers.get(ALLOW).is_some(), status == 405);
    }
}

#[actix_web::test]
async fn the_ids_can_be_asked_for() {
    let request = get("/").insert_header(("x-request-id", "a")).to_http_request();
    let trace = Trace::from_request(&request, &mut Payload::None).await.unwrap();
    assert_eq!(trace.request_id(), "a");
}
