//! The documents a running server shows: `/openapi.json`, the page `/docs` that makes it
//! readable, and `/problems`.
//!
//! All of them are part of the program and work without the internet.

use std::sync::{Arc, OnceLock};

use actix_web::{
    HttpResponse,
    http::header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, ETAG, LOCATION,
    },
    web::{self, Bytes, Data},
};
use domain::core::journal::Hash;
use serde_json::Value;
use utoipa_swagger_ui::{Config, serve};

use crate::http::{
    headers::IfNoneMatch,
    problem::{Code, Problem, Reply, explain_code},
};

/// What is served, shared by all workers.
#[derive(Clone)]
pub struct Docs(Arc<Parts>);

struct Parts {
    make: fn() -> Value,
    /// The text and its tag. Made at the first request: a server that never gets one neither starts
    /// slower for it nor keeps it.
    openapi: OnceLock<(Bytes, String)>,
    swagger: Arc<Config<'static>>,
}

impl Docs {
    /// Serves the OpenAPI document this makes.
    pub fn new(make: fn() -> Value) -> Self {
        // Without an address for its validator the page calls no other server.
        let swagger = Config::from("/openapi.json")
            .validator_url("none")
            .deep_linking(true)
            .display_operation_id(true)
            .persist_authorization(true);
        Self(Arc::new(Parts { make, openapi: OnceLock::new(), swagger: Arc::new(swagger) }))
    }

    /// Adds the documents to an app.
    pub fn routes(&self, app: &mut web::ServiceConfig) {
        app.app_data(Data::new(self.clone()))
            .route("/", web::get().to(to_page))
            .route("/docs", web::get().to(to_page))
            .route("/docs/{file:.*}", web::get().to(page))
            .route("/openapi.json", web::get().to(openapi))
            .route("/problems", web::get().to(problems))
            .route("/problems/{code}", web::get().to(problem));
    }
}

/// The address is relative, so that it holds behind a proxy that adds a prefix.
async fn to_page() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, "docs/")).finish()
}

async fn openapi(docs: Data<Docs>, known: IfNoneMatch) -> HttpResponse {
    let (openapi, etag) = docs.0.openapi.get_or_init(|| {
        let text = (docs.0.make)().to_string();
        let etag = format!("\"{}\"", Hash::digest(text.as_bytes()).to_hex());
        (text.into(), etag)
    });
    let current = known.has_tag(etag);
    let mut response = if current { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, etag.as_str())).insert_header((CACHE_CONTROL, "no-cache"));
    if current {
        return response.finish();
    }
    response.content_type("application/json").body(openapi.clone())
}

/// A file of the page.
async fn page(docs: Data<Docs>, file: web::Path<String>) -> Reply<HttpResponse> {
    let file = serve(&file, Arc::clone(&docs.0.swagger))
        .map_err(|error| Problem::new(Code::Internal).because(error))?
        .ok_or_else(|| Problem::new(Code::NotFound))?;
    let mut response = HttpResponse::Ok();
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response
        .content_type(file.content_type)
        .insert_header((CACHE_CONTROL, "max-age=3600"))
        .insert_header((CONTENT_LANGUAGE, "en"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(file.bytes.into_owned()))
}

/// The page may run its own scripts and no others, and no other site may put it in a frame.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; frame-ancestors 'none'";

async fn problems() -> HttpResponse {
    let all: Vec<_> = Code::ALL.iter().map(|code| explain_code(*code)).collect();
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "max-age=3600")).json(all)
}

async fn problem(code: web::Path<String>) -> Reply<HttpResponse> {
    let code = Code::parse(&code).ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "max-age=3600")).json(explain_code(code)))
}

#[cfg(test)]
mod tests;
