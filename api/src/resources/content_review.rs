//! Content reviews over HTTP: what waits for a person, and the decision.
//!
//! What the public writes and photographs is visible to staff at once, and to others of the public
//! when it has passed the review: by a program where one is configured (`check`), by a person
//! otherwise. The report itself never waits for the review, and never fails by it.

mod callback;
mod check;
pub mod commands;

use actix_web::{get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::{id::TenantId, text::Prose},
    flows::{
        change::{Change, Request, Versioned, execute},
        content_review::{Cause, Command, Decided, Opening, Review, Status, StatusName, Subject},
        flow::Context,
        media::Media,
        report::Report,
    },
    people::actor::{Actor, Permission},
    rules::refusal::Refusal,
};
use persistence::{Write, flows::content_review as reviews, kernel::journal::Keyset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    engine::{flows::ServedFlow, step::Step},
    http::{
        answer::Answer,
        body::Json,
        flow_view::flow_view,
        page::{Cursor, Limit, Page},
        params::Query,
        problem::Reply,
        register::ServiceConfig,
        view::{self, UnitView},
    },
    resources::media::LinksView,
};

pub use check::{Checks, open_reviews, run_pass, run_queue};

impl ServedFlow for Review {
    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }
}

/// Registers the operations of these files.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.configure(callback::routes);
    config.service(list_content_reviews).service(decide_content_review);
}

/// The review of a report's text, to be written with the report: none for what staff wrote.
pub fn open_text(
    report: &Report,
    automatic: bool,
    asked: Request,
    context: Context<'_>,
) -> Result<Option<Change<Review>>, Refusal> {
    if !domain::flows::media::is_of_public(context.by, context.at) {
        return Ok(None);
    }
    let opening = Opening {
        subject: Subject::Text,
        about: report.id.0,
        named_by: report.id.0,
        over: report.place.area.clone(),
        // A reporter who must not be known is named to no outside service.
        automatic: automatic && !report.is_hidden(),
        address: true,
    };
    execute::<Review>(None, &Command::Open(opening), asked, context).map(Some)
}

/// A review as a write.
pub fn into_write(change: Change<Review>) -> Write {
    Write::from(change)
}

/// Starts the checks of a report that is stored: its text is submitted to the program, its files
/// are put to review.
pub async fn start_checks(app: &App, tenant: TenantId, report: &Report, automatic: bool) {
    if automatic && !report.is_hidden() {
        app.memory.get_or_default::<Checks>().ask_soon(tenant, Review::id_of(report.id.0));
    }
    if !report.media.is_empty() {
        let files: Vec<Uuid> = report.media.iter().map(|one| one.media.0).collect();
        open_reviews(app, tenant, &files).await;
    }
}

/// Whether a program checks what the caller writes.
pub async fn is_automatic(app: &App, caller: &Caller) -> Reply<bool> {
    let world = app.world(caller.tenant)?;
    if !domain::flows::media::is_of_public(caller, app.clock.now()) {
        return Ok(false);
    }
    Ok(crate::access::wechat::find_checker(app, &world, caller.person).await?.is_some())
}

/// The parts of a report that may be shown to others of the public.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passed {
    /// Its title and text: the review passed them, or they need none.
    pub words: bool,
    /// Its address and its exact point: likewise, unless the reporter must not be known. The place
    /// where a reporter stood can reveal who it is.
    pub place: bool,
}

/// The parts of a report that may be shown to others of the public.
pub async fn load_passed(app: &App, tenant: TenantId, report: Uuid) -> Reply<Passed> {
    let review = app.store.load_state::<Review>(tenant, Review::id_of(report).0).await?;
    let told = app.store.load_state::<Report>(tenant, report).await?;
    let hidden = told.is_none_or(|report| report.state.is_hidden());
    let (words, address) =
        review.map_or((true, true), |review| (review.state.has_passed(), review.state.address));
    Ok(Passed { words, place: words && address && !hidden })
}

/// The words of a reporter, as the review reads them.
pub fn compose_words(report: &Report) -> String {
    let matter = &report.matter;
    let words = format!("{}\n\n{}", matter.title.as_str(), matter.text.as_str());
    match &report.place.address {
        Some(address) => format!("{words}\n\n{}", address.as_str()),
        None => words,
    }
}

/// Which reviews to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListReviews {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only those with this status; `queued` are those that wait for a person.
    #[param(schema_with = view::review_status)]
    status: Option<StatusName>,
}

flow_view! {
    /// A content review.
    ReviewView of Review as review, given (text: Option<String>, links: Option<LinksView>) {
        /// The identity of the review. 审核标识。
        id;
        /// Its place in the journal; the `ETag`.
        seq;
        /// The kind of subject.
        #[schema(schema_with = view::review_subject)]
        subject: &'static str = review.subject.name();
        /// The kind of subject in Chinese. 审核对象类型名称。
        subject_label: &'static str = review.subject.label();
        /// The report or file it is about. 审核对象。
        about_id: Uuid = review.about;
        /// The report or case that names it. 来源上报或案卷。
        named_by: Uuid = review.named_by;
        /// The area whose reviewers decide. 所属区域。
        area: UnitView = UnitView::from(&review.over);
        /// The present status.
        #[schema(schema_with = view::review_status)]
        status;
        /// The status in Chinese. 状态名称。
        status_label;
        /// Why a person has to decide.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(schema_with = view::review_cause_or_null)]
        cause: Option<&'static str> = cause.map(Cause::name);
        /// That cause in Chinese; none where no person has to decide. 转人工原因名称。
        cause_label: Option<&'static str> = cause.map(Cause::label);
        /// The suggestion of a program.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(schema_with = view::suggestion_or_null)]
        suggestion: Option<&'static str> = heard.map(|heard| heard.suggestion.name());
        /// The program's own code for the reason: 100 is nothing, 20001 politics, 20002 pornography,
        /// 20006 crime, and so on. 检测标签。
        label: Option<i64> = heard.and_then(|heard| heard.label);
        /// When the review was opened. 送审时间。
        opened_at: DateTime<Utc> = review.opened_at;
        /// Who decided; none when a program did, and until then. 审核人。
        decided: Option<DecidedView> = decided.map(DecidedView::from);
        /// The words, of a text. 标题、内容和地址。
        text: Option<String> = text;
        /// Links to the bytes, of a file. 链接。
        links: Option<LinksView> = links;
        /// The operations that are possible now.
        possible;
    }
    where {
        let (cause, decided) = match &review.status {
            Status::Queued { cause } => (Some(*cause), None),
            Status::Passed { decided } => (None, decided.as_ref()),
            Status::Withheld { decided } => (None, Some(decided)),
            Status::Waiting => (None, None),
        };
        let heard = review.heard.as_ref();
    }
}

/// What a person decided.
#[derive(Serialize, ToSchema)]
pub struct DecidedView {
    /// The name of the reviewer. 审核人。
    by: String,
    /// When it was decided. 审核时间。
    at: DateTime<Utc>,
    /// The reason. 意见。
    note: Option<String>,
}

impl From<&Decided> for DecidedView {
    fn from(decided: &Decided) -> Self {
        let note = decided.note.as_ref().map(|note| note.as_str().to_owned());
        Self { by: decided.by_name.clone(), at: decided.at, note }
    }
}

/// A review with its subject.
async fn load_view(
    app: &App,
    world: &TenantSnapshot,
    stored: &Versioned<Review>,
) -> Reply<ReviewView> {
    let (tenant, about) = (world.tenant.id, stored.state.about);
    Ok(match stored.state.subject {
        Subject::Text => {
            let report = app.store.load_state::<Report>(tenant, about).await?;
            let text = report.map(|report| compose_words(&report.state));
            ReviewView::new(stored, text, None)
        }
        Subject::Media => {
            let media = app.store.load_state::<Media>(tenant, about).await?;
            let there = media.filter(|media| media.state.gone.is_none());
            let links = there.map(|media| LinksView::new(app, world, &media.state));
            ReviewView::new(stored, None, links)
        }
    })
}

/// Lists content reviews, newest first.
///
/// 内容审核：公众上报的文字和照片，未配置自动检测、检测存疑或失败的由人工审核；审核前只有工作人员可见，其他居民不可见。
#[utoipa::path(tag = "media", params(ListReviews), responses((status = 200, body = Page<ReviewView>)))]
#[get("/content_reviews")]
async fn list_content_reviews(
    app: Data<App>,
    caller: Caller,
    params: Query<ListReviews>,
) -> Reply<Page<ReviewView>> {
    let ListReviews { limit, cursor, status } = params.0;
    let limit = limit.unwrap_or_default();
    let world = app.world(caller.tenant)?;
    let scope = caller.scope_for(Permission::ReviewContent, app.clock.now());
    let keyset = Keyset { after: cursor.map(|cursor| cursor.0), limit: limit.probe() };
    let found = app.store.read(move |db| reviews::list(db, &scope, status, keyset)).await?;
    let mut shown = Vec::with_capacity(found.len());
    for stored in found {
        let view = load_view(&app, &world, &stored).await?;
        shown.push(((stored.state.opened_at, stored.state.id.0), view));
    }
    Ok(Page::from_rows(shown, limit, |(place, _)| *place, |(_, view)| view))
}

/// A decision on a content review.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideReviewBody {
    /// Whether others of the public may see it. 是否通过。
    pass: bool,
    /// The reason. 意见。
    #[schema(value_type = Option<String>, max_length = 4000, example = "照片中有他人身份证")]
    note: Option<Prose>,
}

/// Decides a content review, or changes the decision.
///
/// 人工审核：通过后其他居民可见，不通过的仅工作人员可见；不影响上报的办理，可以重新审核。
#[utoipa::path(tag = "media", request_body = DecideReviewBody, responses((status = 200, body = ReviewView)))]
#[post("/content_reviews/{id}/decide")]
async fn decide_content_review(
    step: Step,
    body: Json<DecideReviewBody>,
) -> Reply<Answer<ReviewView>> {
    commands::decide_content_review(step, body.0).await
}
