//! The HTTP client for buckets: the one that calls all other services, on threads of its own. So no
//! second one, and no second provider of cryptography, is part of the program.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use http_body::Body;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use tokio::sync::Semaphore;
use ureq::Agent;

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// How long one may take, with a piece of a file in it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The most bytes of an answer: pieces of files are smaller.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Makes the client.
#[derive(Debug, Default)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(Duration::from_secs(5)))
            .user_agent("gridwhistle")
            .build();
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Ok(HttpClient::new(Caller { agent: config.into(), places }))
    }
}

#[derive(Debug)]
struct Caller {
    agent: Agent,
    places: Arc<Semaphore>,
}

type Calling<'c> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

impl HttpService for Caller {
    fn call<'s, 'c>(&'s self, request: HttpRequest) -> Calling<'c>
    where
        's: 'c,
        Self: 'c,
    {
        Box::pin(self.send_request(request))
    }
}

impl Caller {
    async fn send_request(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let closed = |error| HttpError::new(HttpErrorKind::Unknown, error);
        let _place = self.places.acquire().await.map_err(closed)?;
        let (head, body) = request.into_parts();
        let bytes = collect_body(body).await?;
        let agent = self.agent.clone();
        let asked = tokio::task::spawn_blocking(move || send_blocking(&agent, head, bytes));
        asked.await.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?
    }
}

async fn collect_body(
    body: impl Body<Data = actix_web::web::Bytes, Error = HttpError> + Unpin,
) -> Result<Vec<u8>, HttpError> {
    let (mut body, mut bytes) = (body, Vec::new());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(piece) = frame?.into_data() {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(bytes)
}

fn send_blocking(
    agent: &Agent,
    head: ureq::http::request::Parts,
    bytes: Vec<u8>,
) -> Result<HttpResponse, HttpError> {
    let plain = matches!(head.method.as_str(), "GET" | "HEAD" | "DELETE");
    let sent = if plain {
        agent.run(ureq::http::Request::from_parts(head, ()))
    } else {
        agent.run(ureq::http::Request::from_parts(head, bytes))
    };
    let (head, mut body) = sent.map_err(classify_error)?.into_parts();
    let bytes = body.with_config().limit(MAX_BYTES).read_to_vec().map_err(classify_error)?;
    Ok(HttpResponse::from_parts(head, HttpResponseBody::from(bytes)))
}

/// The kind of a failure: some are worth a retry.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of errors may grow")]
fn classify_error(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => HttpErrorKind::Connect,
        ureq::Error::Io(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}
