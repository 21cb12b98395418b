//! This server asking itself: one request among those it serves, without a connection. So what a
//! phone had kept is decided by the very same handlers as what it sends at once.

use std::{future::Future, pin::Pin, rc::Rc};

use actix_http::{HttpMessage, Request};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::{
    App as Actix,
    body::{BoxBody, to_bytes},
    dev::{AppConfig, Payload, ServiceResponse},
    http::{
        Method, Uri,
        header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
    },
    middleware::from_fn,
    web::{Bytes, Data},
};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{
    app::{
        caller::{Caller, Proven},
        ration::Counted,
        state::App,
        telemetry,
    },
    http::{
        problem::{Code, Problem, Reply},
        register::{self, ServiceConfig},
    },
};

type Answering = Pin<Box<dyn Future<Output = Result<ServiceResponse<BoxBody>, actix_web::Error>>>>;
type Asking = Rc<dyn Fn(Request) -> Answering>;

/// The operations of this server, for itself. One a worker, made when it is first asked.
pub struct Inner {
    app: Data<App>,
    routes: fn(&mut ServiceConfig<'_>),
    asking: OnceCell<Asking>,
}

/// What is asked.
pub struct Question<'a> {
    /// The method of the operation.
    pub method: Method,
    /// The path, from `/api/v1` on.
    pub path: &'a str,
    /// The caller of the queue, with the same rights.
    pub caller: Caller,
    /// The `Idempotency-Key`, when it writes.
    pub key: Option<Uuid>,
    /// The version of the state it insists on (`If-Match`), if any.
    pub seq: Option<i64>,
    /// The `Accept-Language` of the answer.
    pub language: Option<HeaderValue>,
    /// The JSON body, where the operation takes one.
    pub body: Option<&'a Value>,
    /// Whether it was counted before: what was accepted already is only answered again.
    pub counted: bool,
}

/// What was answered.
pub struct Answered {
    /// The HTTP status that the operation answered.
    pub status: u16,
    /// When to come back, in seconds.
    pub retry_after: Option<u32>,
    /// The JSON it answered; null where it answered none.
    pub body: Value,
}

impl Inner {
    /// For the operations that `routes` registers.
    pub fn new(app: Data<App>, routes: fn(&mut ServiceConfig<'_>)) -> Self {
        Self { app, routes, asking: OnceCell::new() }
    }

    /// Asks one thing.
    pub async fn ask(&self, question: Question<'_>) -> Reply<Answered> {
        let asking = self.asking.get_or_try_init(|| self.begin()).await?;
        let response = asking(request(question)?).await;
        let broken = |error: &dyn std::fmt::Display| Problem::new(Code::Internal).because(error);
        let response = response.map_err(|error| broken(&error))?;
        let (status, retry_after) = {
            let head = response.response();
            let after = head.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            (head.status().as_u16(), after.and_then(|text| text.parse().ok()))
        };
        let body = to_bytes(response.into_body()).await.map_err(|error| broken(&error))?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Answered { status, retry_after, body })
    }

    async fn begin(&self) -> Reply<Asking> {
        let app = Actix::new()
            .app_data(self.app.clone())
            .configure(|config| register::serve(config, self.routes))
            .wrap(from_fn(telemetry::observe));
        let service = app.into_factory().new_service(AppConfig::default()).await;
        let service = Rc::new(service.map_err(|()| Problem::new(Code::Internal))?);
        Ok(Rc::new(move |request| service.call(request).boxed_local()))
    }
}

fn request(question: Question<'_>) -> Reply<Request> {
    let Question { method, path, caller, key, seq, language, body, counted } = question;
    let bytes = body.map(Value::to_string).unwrap_or_default();
    let mut request = Request::with_payload(Payload::from(Bytes::from(bytes)));
    let head = request.head_mut();
    head.method = method;
    head.uri = path.parse::<Uri>().map_err(|error| Problem::new(Code::Internal).because(error))?;
    let headers = head.headers_mut();
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let texts = [
        ("idempotency-key", key.map(|key| key.to_string())),
        ("if-match", seq.map(crate::http::headers::etag)),
    ];
    for (name, text) in texts {
        let value = text.and_then(|text| HeaderValue::from_str(&text).ok());
        if let Some(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(language) = language {
        headers.insert(actix_web::http::header::ACCEPT_LANGUAGE, language);
    }
    request.extensions_mut().insert(Proven(caller));
    if counted {
        request.extensions_mut().insert(Counted);
    }
    Ok(request)
}
