//! The server: the application with everything around it, from listening to draining.

use std::{net::TcpListener, sync::OnceLock, time::Duration};

use actix_web::{
    App as Actix, HttpRequest, HttpResponse, HttpServer,
    body::BoxBody,
    dev::{Server, ServerHandle, ServiceRequest, ServiceResponse},
    http::{Method, header::ALLOW},
    middleware::{Next, from_fn},
    web::{self, Data},
};
use utoipa::{OpenApi, openapi::OpenApi as Described};

use persistence::integrations::delivery::Audience;

use crate::{
    access::{auth, client, identity, jwks, oauth, oidc, second_factor, session, wechat},
    app::{state::App, telemetry},
    engine::{checkpoint, verification},
    http::{
        connection,
        docs::Docs,
        openapi,
        problem::{Code, Problem, Reply},
        register::{self, ServiceConfig},
    },
    integrations::{delivery, delivery_worker, event, health, scheduler, webhook},
    mobile::sync,
    privacy::{audit, consent, contact, disclosure},
    resources::{
        appointment, area, burden, campaign, case, content_review, deadlines, erasure, export,
        form, household, me,
        media::{self, Darkroom},
        patrol, person, policy, report, request, retention, shift, visit, whistle,
    },
};

/// All operations: what is not registered here exists neither in the server nor in the document.
fn routes(config: &mut ServiceConfig<'_>) {
    // The operations below one resource stand in a scope of their own: a request is compared with
    // the few scopes, and not with every path of the API. The busiest come first; a literal path
    // (`/areas/table`) has to come before one with a parameter.
    config.scope("/api/v1", |config| {
        config
            .scope("/cases/{id}", |config| {
                config
                    .configure(case::under_case)
                    .configure(whistle::under_case)
                    .configure(request::under_case)
                    .configure(deadlines::under_case)
                    .configure(verification::under_case);
            })
            .scope("/reports/{id}", |config| {
                config.configure(report::under_report).configure(disclosure::under_report);
            })
            .configure(auth::routes)
            .configure(session::routes)
            .configure(second_factor::routes)
            .configure(wechat::routes)
            .configure(identity::routes)
            .configure(oidc::routes)
            .configure(client::routes)
            .configure(me::routes)
            .configure(report::routes)
            .configure(case::routes)
            .configure(deadlines::routes)
            .configure(policy::routes)
            .configure(area::routes)
            .configure(person::routes)
            .configure(shift::routes)
            .configure(sync::routes)
            .configure(contact::routes)
            .configure(disclosure::routes)
            .configure(consent::routes)
            .configure(erasure::routes)
            .configure(export::routes)
            .configure(audit::routes)
            .configure(checkpoint::routes)
            .configure(retention::routes)
            .configure(patrol::routes)
            .configure(household::routes)
            .configure(visit::routes)
            .configure(campaign::routes)
            .configure(form::routes)
            .configure(burden::routes)
            .configure(event::routes)
            .configure(webhook::routes)
            .configure(delivery::routes)
            .scope("/webhooks/{id}", webhook::under_webhook)
            .configure(media::routes)
            .configure(content_review::routes)
            .scope("/areas/{id}", |config| {
                config.configure(area::under_area).configure(shift::under_area);
            })
            .scope("/people/{id}", |config| {
                config
                    .configure(person::under_person)
                    .configure(appointment::under_person)
                    .configure(session::under_person)
                    .configure(second_factor::under_person)
                    .configure(identity::under_person)
                    .configure(contact::under_person)
                    .configure(disclosure::under_person)
                    .configure(erasure::under_person);
            });
    });
    config.configure(jwks::routes);
    config.configure(oauth::routes);
    config.configure(health::routes);
}

/// The OpenAPI document.
pub fn build_openapi() -> serde_json::Value {
    openapi::finish_document(&describe_operations())
}

/// The descriptions of all operations.
fn describe_operations() -> Described {
    register::describe_routes(openapi::Base::openapi(), routes)
}

/// A server that listens already.
pub struct Running {
    /// To be awaited.
    pub server: Server,
    /// To stop it.
    pub handle: ServerHandle,
    /// Where it listens.
    pub address: std::net::SocketAddr,
}

/// Starts serving on `listener`; `signals` says whether Ctrl-C and SIGTERM stop it.
pub fn start(app: Data<App>, listener: TcpListener, signals: bool) -> std::io::Result<Running> {
    let address = listener.local_addr()?;
    let (documents, known) = (Docs::new(build_openapi), Data::new(KnownPaths::default()));
    let cores = || std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let workers = app.settings.workers.unwrap_or_else(cores);
    app.memory.put(Darkroom::new()?);
    tokio::spawn(keep_caches_fresh(app.clone()));
    tokio::spawn(event::tail::run(app.clone()));
    if signals {
        tokio::spawn(end_streams(app.clone()));
    }
    actix_web::rt::spawn(content_review::run_queue(app.clone()));
    if app.settings.clockwork {
        tokio::spawn(scheduler::run(app.clone()));
        // On this thread: calls to other services need not move between threads.
        for audience in [Audience::People, Audience::Servers] {
            actix_web::rt::spawn(delivery_worker::run(app.clone(), audience));
        }
    }
    let factory = move || {
        let documents = documents.clone();
        Actix::new()
            .app_data(app.clone())
            .app_data(known.clone())
            .configure(|config| register::serve_routes(config, routes))
            .configure(move |config| documents.routes(config))
            .default_service(web::to(answer_unknown_path))
            .wrap(from_fn(auth::ration_request))
            .wrap(from_fn(answer_head))
            .wrap(from_fn(connection::guard))
            .wrap(from_fn(telemetry::observe_request))
    };
    let mut server = HttpServer::new(factory)
        .workers(workers)
        .on_connect(connection::remember)
        .keep_alive(Duration::from_secs(75))
        .client_request_timeout(Duration::from_secs(15))
        .shutdown_timeout(20)
        .max_connections(10_000);
    if !signals {
        server = server.disable_signals();
    }
    let server = server.listen(listener)?.run();
    Ok(Running { handle: server.handle(), server, address })
}

/// Whether a path answers `HEAD`: each that answers `GET`, but for streams, which have no end.
fn answers_head(path: &str) -> bool {
    !path.ends_with("/stream")
}

/// Answers `HEAD` as `GET`: the same headers; actix-http leaves the body out.
async fn answer_head(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if request.method() == Method::HEAD && answers_head(request.path()) {
        request.head_mut().method = Method::GET;
    }
    next.call(request).await
}

/// Tells streams to end when the server is asked to: it waits for those who are being answered.
async fn end_streams(app: Data<App>) {
    #[cfg(unix)]
    let asked = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(error) => {
                tracing::warn!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let asked = std::future::pending::<()>();
    tokio::select! {
        () = asked => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    app.closing.send_replace(true);
}

/// Loads changes made by replicas, and tenants that were added.
async fn keep_caches_fresh(app: Data<App>) {
    let mut every = tokio::time::interval(Duration::from_secs(2));
    loop {
        every.tick().await;
        let areas = app.worlds.refresh(&app.store).await;
        let keys = app.keys.signing_keys().refresh(&app.store, &app.seal).await;
        match areas.and(keys) {
            Ok(()) => {}
            Err(persistence::StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "cannot look for changed areas and keys"),
        }
    }
}

/// The paths of all operations, to distinguish a wrong method from a wrong path; collected when a
/// client first uses an unknown one.
#[derive(Default)]
struct KnownPaths(OnceLock<Vec<(Vec<String>, Vec<String>)>>);

/// The pages served beside the operations.
const PAGES: [&str; 5] = ["/", "/docs", "/openapi.json", "/problems", "/problems/{code}"];

impl KnownPaths {
    fn collect_paths(described: &Described) -> Vec<(Vec<String>, Vec<String>)> {
        let split = |path: &str| path.split('/').map(str::to_owned).collect();
        let operations = described.paths.paths.iter().map(|(path, item)| {
            let head = item.get.is_some() && answers_head(path);
            let methods =
                [("GET", item.get.is_some()), ("HEAD", head), ("POST", item.post.is_some())];
            let methods = methods.into_iter().filter(|(_, there)| *there);
            (split(path), methods.map(|(method, _)| method.to_owned()).collect())
        });
        let read = || vec!["GET".to_owned(), "HEAD".to_owned()];
        let pages = PAGES.iter().map(|page| (split(page), read()));
        operations.chain(pages).collect()
    }

    fn find_methods(&self, path: &str) -> Option<&[String]> {
        let given: Vec<&str> = path.split('/').collect();
        let fits = |pattern: &[String]| {
            pattern.len() == given.len()
                && pattern
                    .iter()
                    .zip(&given)
                    .all(|(p, g)| p == g || (p.starts_with('{') && !g.is_empty()))
        };
        // A literal path stands before one with a parameter.
        let all = self.0.get_or_init(|| Self::collect_paths(&describe_operations()));
        let exact = all.iter().find(|(pattern, _)| pattern.iter().eq(given.iter()));
        let found = exact.or_else(|| all.iter().find(|(pattern, _)| fits(pattern)));
        found.map(|(_, methods)| methods.as_slice())
    }
}

/// Answers a request that matches no operation.
async fn answer_unknown_path(request: HttpRequest, known: Data<KnownPaths>) -> Reply<HttpResponse> {
    let Some(methods) = known.find_methods(request.path()) else {
        return Err(Problem::new(Code::NotFound).detail(
            "没有这个网址；全部接口见 /openapi.json。",
            "This address does not exist; /openapi.json lists all operations.",
        ));
    };
    let allow = methods.join(", ");
    if request.method() == Method::OPTIONS {
        return Ok(HttpResponse::NoContent().insert_header((ALLOW, allow)).finish());
    }
    let detail =
        (format!("这个网址只支持：{allow}。"), format!("This address supports only: {allow}."));
    let problem = Problem::new(Code::MethodNotAllowed).detail(detail.0, detail.1);
    Err(problem.with("allow", methods).header(ALLOW, &allow))
}
