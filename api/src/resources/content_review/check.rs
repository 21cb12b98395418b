//! The automatic part of reviews: files are put to review once they are here and named, and a
//! program is asked where one is configured.
//!
//! The replica that takes a review first records that in the journal, so that only one asks. A
//! review that was taken and not answered, because the program or this server stopped, is left to a
//! person after a while.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use actix_web::web::Data;
use chrono::Duration;
use domain::{
    Instant,
    area::tree::Unit,
    core::{
        id::{PersonId, ReviewId, TenantId},
        journal::FlowKind,
    },
    flows::{
        case::state::Case,
        change::{Request, Versioned, execute},
        content_review::{Cause, Command, Opening, Review, Subject},
        media::{Kind, Media},
        report::Report,
    },
    people::actor::Actor,
};
use persistence::{
    Outcome, StoreError, Write,
    flows::{
        content_review::{self as reviews, Check},
        media::{self as kept, Link},
    },
};
use tokio::sync::mpsc::{self, Receiver, Sender};
use uuid::Uuid;

use crate::{
    access::wechat,
    app::{state::App, world::TenantSnapshot},
    http::problem::Reply,
    resources::media::{self, Variant},
};

/// How long a review waits for the replica that opened it to ask, before another asks.
const SLACK: Duration = Duration::minutes(1);

/// How long a program has to answer: `WeChat` says half an hour.
const PATIENCE: Duration = Duration::minutes(35);

/// How long answers are kept that belong to no known request.
const KEPT: Duration = Duration::days(2);

/// How many are handled in one pass.
const PAGE: i64 = 100;

/// Reviews that were opened here and wait to be checked.
#[derive(Debug)]
pub struct Checks {
    sender: Sender<(TenantId, ReviewId)>,
    receiver: Mutex<Option<Receiver<(TenantId, ReviewId)>>>,
    next_ms: AtomicI64,
}

impl Default for Checks {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(1000);
        Self { sender, receiver: Mutex::new(Some(receiver)), next_ms: AtomicI64::new(0) }
    }
}

impl Checks {
    /// Queues a review for the program; where too many wait, the next pass asks.
    pub fn ask_soon(&self, tenant: TenantId, review: ReviewId) {
        let _ = self.sender.try_send((tenant, review));
    }

    /// Whether it is time for a pass; sets the time of the next.
    fn start_if_due(&self, now_ms: i64) -> bool {
        const EVERY_MS: i64 = 30 * 1000;
        let due = now_ms >= self.next_ms.load(Ordering::Relaxed);
        if due {
            self.next_ms.store(now_ms + EVERY_MS, Ordering::Relaxed);
        }
        due
    }
}

/// Submits the queued reviews, one after another, until the server stops.
pub async fn run_queue(app: Data<App>) {
    let receiver = app
        .memory
        .get_or_default::<Checks>()
        .receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let Some(mut receiver) = receiver else { return };
    while let Some((tenant, review)) = receiver.recv().await {
        if let Err(problem) = ask_program(&app, tenant, review).await {
            tracing::warn!(?problem, "a content review cannot be asked about");
        }
    }
}

/// Does what is due in every tenant, at intervals.
pub async fn run_pass(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    if !app.memory.get_or_default::<Checks>().start_if_due(now.timestamp_millis()) {
        return Ok(());
    }
    for world in app.worlds.all() {
        run_tenant_pass(app, &world, now).await.or_else(step_over)?;
    }
    app.store.run(reviews::forget_old_checks(now - KEPT)).await?;
    Ok(())
}

async fn run_tenant_pass(
    app: &App,
    world: &TenantSnapshot,
    now: Instant,
) -> Result<(), StoreError> {
    let tenant = world.tenant.id;
    open_all(app, world, None).await?;
    let before = (now - SLACK, now - PATIENCE);
    let waiting = app.store.read(move |db| reviews::load_waiting(db, tenant, before, PAGE)).await?;
    for stored in waiting {
        let review = &stored.state;
        if review.asked_at.is_none() {
            app.memory.get_or_default::<Checks>().ask_soon(tenant, review.id);
        } else {
            let late = Command::Queue { cause: Cause::Late };
            settle_review(app, world, review.id, late).await.map(drop).or_else(step_over)?;
        }
    }
    Ok(())
}

/// Skips a fault of one review; a failure of the database ends the pass.
fn step_over(error: StoreError) -> Result<(), StoreError> {
    if error.is_transient() {
        return Err(error);
    }
    tracing::error!(%error, "a content review is stepped over");
    Ok(())
}

/// Opens reviews of files that are here and named now. What fails is done by the next pass.
pub async fn open_reviews(app: &App, tenant: TenantId, files: &[Uuid]) {
    let Some(world) = app.worlds.get(tenant) else { return };
    if let Err(error) = open_all(app, &world, Some(files.to_vec())).await {
        tracing::warn!(%error, "files cannot be put to review");
    }
}

async fn open_all(
    app: &App,
    world: &TenantSnapshot,
    only: Option<Vec<Uuid>>,
) -> Result<(), StoreError> {
    let tenant = world.tenant.id;
    let look =
        move |db: &mut persistence::Db| kept::load_unreviewed(db, tenant, only.as_deref(), PAGE);
    for link in app.store.read(look).await? {
        open_one(app, world, &link).await.or_else(step_over)?;
    }
    Ok(())
}

/// The area of the report or case that names a file, and whether its reporter must not be known.
async fn load_area(
    app: &App,
    tenant: TenantId,
    link: &Link,
) -> Result<Option<(Unit, bool)>, StoreError> {
    if link.kind == FlowKind::Report {
        let report = app.store.load_state::<Report>(tenant, link.flow).await?;
        return Ok(report.map(|report| {
            let report = &report.state;
            (report.place.area.clone(), report.confidential || report.anonymous)
        }));
    }
    let case = app.store.load_state::<Case>(tenant, link.flow).await?;
    Ok(case.map(|case| (case.state.place.area.clone(), false)))
}

async fn open_one(app: &App, world: &TenantSnapshot, link: &Link) -> Result<(), StoreError> {
    let tenant = world.tenant.id;
    let Some((over, hidden)) = load_area(app, tenant, link).await? else { return Ok(()) };
    let checker = wechat::find_checker(app, world, link.by).await.ok().flatten();
    // The result comes as a message: without a token for those it could never be received.
    let heard = checker.is_some_and(|(program, _)| program.message_token.is_some());
    let opening = Opening {
        subject: Subject::Media,
        about: link.media.0,
        named_by: link.flow,
        over,
        automatic: heard && !hidden && app.settings.public_url.is_some(),
        address: false,
    };
    let automatic = opening.automatic;
    let id = Review::id_of(link.media.0);
    let Some(system) = system_actor(world) else { return Ok(()) };
    let context = world.build_context(&system, app.clock.now());
    let asked = Request::for_system(&format!("open content review {id}"));
    let Ok(change) = execute::<Review>(None, &Command::Open(opening), asked, context) else {
        return Ok(());
    };
    let outcome = app.store.commit(vec![Write::from(change)]).await?;
    if outcome == Outcome::Done && automatic {
        app.memory.get_or_default::<Checks>().ask_soon(tenant, id);
    }
    Ok(())
}

fn system_actor(world: &TenantSnapshot) -> Option<Actor> {
    world.areas.root().map(|root| Actor::new_system(world.tenant.id, root.unit()))
}

/// Records the result of a review, unless a person decided meanwhile.
pub(super) async fn settle_review(
    app: &App,
    world: &TenantSnapshot,
    id: ReviewId,
    command: Command,
) -> Result<bool, StoreError> {
    const ATTEMPTS: usize = 4;
    let tenant = world.tenant.id;
    let Some(system) = system_actor(world) else { return Ok(false) };
    let text = serde_json::to_string(&command).unwrap_or_default();
    let asked = Request::for_system(&format!("content review {id} {text}"));
    for _ in 0..ATTEMPTS {
        let Some(stored) = app.store.load_state::<Review>(tenant, id.0).await? else {
            return Ok(false);
        };
        let context = world.build_context(&system, app.clock.now());
        let Ok(change) = execute(Some(&*stored), &command, asked, context) else {
            return Ok(false);
        };
        match app.store.commit(vec![Write::from(change)]).await? {
            Outcome::Done => return Ok(true),
            Outcome::Seen => return Ok(false),
            Outcome::Stale | Outcome::NumberTaken => {}
        }
    }
    Ok(false)
}

/// Asks a program about a pending review, if no other replica does.
async fn ask_program(app: &App, tenant: TenantId, id: ReviewId) -> Reply<()> {
    let Some(world) = app.worlds.get(tenant) else { return Ok(()) };
    if !settle_review(app, &world, id, Command::Ask).await? {
        return Ok(());
    }
    let Some(stored) = app.store.load_state::<Review>(tenant, id.0).await? else { return Ok(()) };
    let asked = match stored.state.subject {
        Subject::Text => check_text(app, &world, &stored).await?,
        Subject::Media => check_file(app, &world, &stored).await?,
    };
    match asked {
        Ok(Some((suggestion, label))) => {
            settle_review(app, &world, id, Command::Hear { suggestion, label }).await?;
        }
        // The result comes later.
        Ok(None) => {}
        Err(cause) => {
            settle_review(app, &world, id, Command::Queue { cause }).await?;
        }
    }
    Ok(())
}

/// The result of asking; none where it comes later.
type Asked = Result<Option<wechat::Checked>, Cause>;

async fn check_text(app: &App, world: &TenantSnapshot, review: &Versioned<Review>) -> Reply<Asked> {
    let report = app.store.load_state::<Report>(world.tenant.id, review.state.about).await?;
    let Some(report) = report else { return Ok(Err(Cause::Unavailable)) };
    let Some((program, openid)) = wechat::find_checker(app, world, report.state.reporter).await?
    else {
        return Ok(Err(Cause::NotConfigured));
    };
    let text = super::compose_words(&report.state);
    Ok(wechat::check_text(app, program, &openid, &text).await.map(Some))
}

async fn check_file(app: &App, world: &TenantSnapshot, review: &Versioned<Review>) -> Reply<Asked> {
    let tenant = world.tenant.id;
    let media = app.store.load_state::<Media>(tenant, review.state.about).await?;
    let Some(media) = media.filter(|media| media.state.gone.is_none()) else {
        return Ok(Err(Cause::Unavailable));
    };
    let by: PersonId = media.state.by;
    let kind = media.state.format.kind();
    let (checker, server) = (wechat::find_checker(app, world, by).await?, &app.settings.public_url);
    let (Some((program, openid)), Some(server)) = (checker, server) else {
        return Ok(Err(Cause::NotConfigured));
    };
    // Videos are reviewed by people: no interface of WeChat takes them.
    if kind == Kind::Video {
        return Ok(Err(Cause::NotConfigured));
    }
    let variant = if kind == Kind::Photo { Variant::ThumbLarge } else { Variant::Full };
    // The program fetches the file when it likes: the link is valid as long as the answer may take.
    let expires = media::next_expiry(app.clock.now() + PATIENCE);
    let link = media::sign_path(app, world, media.state.id.0, variant, expires);
    let address = format!("{server}{link}");
    let asked = wechat::check_media(app, program, &openid, (&address, kind == Kind::Audio)).await;
    let trace = match asked {
        Ok(trace) => trace,
        Err(cause) => return Ok(Err(cause)),
    };
    let adding = Check { review: Some((tenant, review.state.id)), answer: None };
    let known = record_check(app, &program.app_id, &trace, adding).await?;
    Ok(match known.answer {
        Some((Some(suggestion), label)) => Ok(Some((suggestion, label))),
        Some((None, _)) => Err(Cause::Unavailable),
        None => Ok(None),
    })
}

/// Stores a part of a check at `WeChat`: the request or its result, in either order.
pub(super) async fn record_check(
    app: &App,
    app_id: &str,
    trace: &str,
    adding: Check,
) -> Result<Check, StoreError> {
    let (id, now) = (format!("wechat:{app_id}:{trace}"), app.clock.now());
    app.store.run(reviews::add_check(id, adding, now)).await
}
