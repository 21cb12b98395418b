//! Files over HTTP: photos, videos and sounds that reports and cases name.
//!
//! A phone makes an identity, names it in what it reports, and sends the file, in any order
//! (`keep`). The pictures that are shown are encoded anew here, so nothing a camera wrote into one
//! is passed on (`photo`). Bytes are read by links that are valid for minutes (`link`), and no
//! request removes them: a file that nothing names expires (`removal`).

mod camera;
mod file_view;
mod film;
mod keep;
mod link;
mod original;
mod photo;
mod pieces;
mod receive;
pub mod removal;
mod turns;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::{id::MediaId, journal::FlowKind},
    flows::{
        case::state::Case,
        change::Versioned,
        content_review::{Review, StatusName as Verdict},
        media::{Kind, Media, Reader},
        report::Report,
    },
    people::actor::Actor,
};
use persistence::flows::{
    content_review as reviews,
    media::{self as kept, Link, Marks},
};
use receive::{Said, UploadForm};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::auth,
    app::{caller::Caller, state::App, world::TenantSnapshot},
    engine::flows::ServedFlow,
    http::{
        headers::Key,
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, PointView, render_with_etag},
    },
};

pub use file_view::{
    AttachedView, Files, build_attachments, list_of_cases, list_of_reports, load_case_files,
    load_report_files,
};
pub use keep::Variant;
pub use link::{LinksView, next_expiry, sign_path};
pub use photo::Darkroom;

impl ServedFlow for Media {
    /// Who else may know of a file depends on what names it.
    fn is_visible_to(&self, actor: &Actor, _: Instant) -> bool {
        self.by == actor.person
    }
}

/// Registers the operations of these files.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.configure(pieces::routes).configure(link::routes).configure(original::routes);
    config.service(upload_media).service(get_media);
}

/// The tag of a flow with its files: their links change with the time, too.
pub fn build_tag(seq: i64, other: i64, files: Option<&[AttachedView]>) -> String {
    let Some(files) = files.filter(|files| !files.is_empty()) else {
        return if other == 0 { format!("\"{seq}\"") } else { format!("\"{seq}.{other}\"") };
    };
    let text = serde_json::to_string(files).unwrap_or_default();
    let digest = domain::core::journal::Hash::digest(text.as_bytes()).to_hex();
    format!("\"{seq}.{other}.{}\"", digest.get(..12).unwrap_or_default())
}

/// A photo or another file, as far as the caller may see it.
#[derive(Serialize, ToSchema)]
pub struct MediaView {
    /// The identity of the file. 文件标识。
    id: Uuid,
    /// What kind of file.
    #[schema(schema_with = view::media_kind)]
    kind: &'static str,
    /// The kind in Chinese. 类型名称。
    kind_label: &'static str,
    /// The format, as its bytes say.
    #[schema(schema_with = view::media_format)]
    format: &'static str,
    /// How many bytes were sent. 字节数。
    bytes: u64,
    /// The SHA-256 of them, in hexadecimal; it stands in the journal. 校验值。
    sha256: String,
    /// The width of a photo, upright. 宽。
    width: Option<u32>,
    /// The height of a photo, upright. 高。
    height: Option<u32>,
    /// Whether its bytes are there.
    #[schema(schema_with = view::media_status)]
    status: &'static str,
    /// The status in Chinese. 状态名称。
    status_label: &'static str,
    /// Whether the bytes of a photo are kept as they were sent: sealed, and disclosed on the record.
    /// 是否封存原始文件。
    original: bool,
    /// When it arrived. 上传时间。
    uploaded_at: DateTime<Utc>,
    /// Whether the caller sent it. 是否本人上传。
    own: bool,
    /// When it was taken, as the camera or the phone said; visible to its sender and staff.
    /// 拍摄时间。
    taken_at: Option<DateTime<Utc>>,
    /// Where it was taken, if that was agreed to; visible to its sender and staff. 拍摄位置。
    place: Option<PointView>,
    /// Whether others of the public may see it; null where no review is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = view::review_status_or_null)]
    review: Option<&'static str>,
    /// The reports and cases that name it, as far as the caller may see them. 引用它的上报和案卷。
    named_by: Vec<NamedByView>,
    /// Photos that look the same, as far as the caller may see them. 相似照片。
    similar: Vec<AlikeView>,
    /// Links to its bytes; none when they are gone, or not for the caller yet. 链接。
    links: Option<LinksView>,
}

/// Something that names a file.
#[derive(Serialize, ToSchema)]
pub struct NamedByView {
    /// `report` or `case`.
    kind: &'static str,
    /// The identity of that report or case.
    id: Uuid,
}

/// A photo that looks the same.
#[derive(Serialize, ToSchema)]
pub struct AlikeView {
    /// The identity of the other photo. 文件标识。
    id: Uuid,
    /// In how many of 64 features they differ; 0 to 5. 差异。
    difference: u32,
    /// When it arrived. 上传时间。
    uploaded_at: DateTime<Utc>,
    /// The reports and cases that name it, as far as the caller may see them.
    named_by: Vec<NamedByView>,
}

/// A report or case that names a file and that the caller may see, and how.
struct Naming {
    kind: FlowKind,
    id: Uuid,
    staff: bool,
}

/// Whether the caller may see what names a file, and in which part: a report, or the case it led
/// to.
async fn load_naming(app: &App, caller: &Actor, link: &Link) -> Reply<Option<Naming>> {
    let at = app.clock.now();
    if link.kind != FlowKind::Report {
        return load_case_naming(app, caller, link.flow).await;
    }
    let report = app.store.load_state::<Report>(caller.tenant, link.flow).await?;
    let Some(report) = report.as_ref().map(|stored| &stored.state) else { return Ok(None) };
    if report.visible_to(caller, at) {
        let staff = report.may_read_in_office(caller, at);
        return Ok(Some(Naming { kind: link.kind, id: link.flow, staff }));
    }
    match report.status.case() {
        Some(case) => load_case_naming(app, caller, case.0).await,
        None => Ok(None),
    }
}

async fn load_case_naming(app: &App, caller: &Actor, id: Uuid) -> Reply<Option<Naming>> {
    let at = app.clock.now();
    let case = app.store.load_state::<Case>(caller.tenant, id).await?;
    let case = case.filter(|case| case.state.visible_to(caller, at));
    let naming = |staff| Naming { kind: FlowKind::Case, id, staff };
    Ok(case.map(|case| naming(case.state.may_read_in_office(caller, at))))
}

/// A file the caller may know of.
struct VisibleFile {
    reader: Reader,
    naming: Vec<NamedByView>,
}

/// The most reports and cases naming a file that are read.
const MOST_LINKS: usize = 20;

/// The part in which the caller may know of a file: its sender, or a reader of what its sender
/// named it in; none for a caller for whom the file does not exist.
async fn load_reader(
    app: &App,
    caller: &Actor,
    media: &Media,
    links: &[Link],
) -> Reply<Option<VisibleFile>> {
    let mut found = Vec::new();
    let own = |link: &&Link| link.media == media.id && link.by == media.by;
    for link in links.iter().filter(own).take(MOST_LINKS) {
        found.extend(load_naming(app, caller, link).await?);
    }
    let staff = found.iter().any(|one| one.staff);
    let reader = match (media.by == caller.person, staff, found.is_empty()) {
        (true, _, _) => Reader::Sender,
        (false, true, _) => Reader::Staff,
        (false, false, false) => Reader::Public,
        (false, false, true) => return Ok(None),
    };
    let view = |one: Naming| NamedByView { kind: one.kind.name(), id: one.id };
    Ok(Some(VisibleFile { reader, naming: found.into_iter().map(view).collect() }))
}

/// The full view of a file, for a caller who may know of it.
async fn load_view(app: &App, caller: &Caller, id: MediaId) -> Reply<MediaView> {
    let not_found = || Problem::new(Code::NotFound);
    let tenant = caller.tenant;
    let stored = app.store.load_state::<Media>(tenant, id.0).await?.ok_or_else(not_found)?;
    let media = &stored.state;
    let look = move |db: &mut persistence::Db| {
        let links = kept::load_links(db, tenant, &[id.0])?;
        let marks = kept::load_marks(db, tenant, &[id.0])?.pop();
        let review = reviews::load_about(db, tenant, &[id.0])?.pop();
        let alike = marks
            .map_or(Ok(Vec::new()), |marks| kept::load_similar(db, tenant, marks.look, 200))?;
        Ok((links, marks, review, alike))
    };
    let (links, marks, review, alike) = app.store.read(look).await?;
    let known = load_reader(app, caller, media, &links).await?.ok_or_else(not_found)?;
    let similar = load_similar(app, caller, marks, alike).await?;
    let world = app.world(tenant)?;
    Ok(build_view(app, &world, (media, known), (marks, review), similar))
}

fn build_view(
    app: &App,
    world: &TenantSnapshot,
    (media, known): (&Media, VisibleFile),
    (marks, review): (Option<Marks>, Option<Versioned<Review>>),
    similar: Vec<AlikeView>,
) -> MediaView {
    let (kind, status) = (media.format.kind(), media.status());
    let verdict = review.as_ref().map(|review| review.state.status.name());
    let may = media.is_viewable_by(known.reader, verdict == Some(Verdict::Passed));
    let facts = marks.filter(|_| known.reader != Reader::Public);
    MediaView {
        id: media.id.0,
        kind: kind.name(),
        kind_label: kind.label(),
        format: media.format.name(),
        bytes: media.bytes,
        sha256: media.sha256.clone(),
        width: media.size.map(|(width, _)| width),
        height: media.size.map(|(_, height)| height),
        status: status.name(),
        status_label: status.label(),
        original: media.original && media.gone.is_none(),
        uploaded_at: media.at,
        own: known.reader == Reader::Sender,
        taken_at: facts.and_then(|marks| marks.taken_at),
        place: facts
            .and_then(|marks| marks.place)
            .map(|(lng, lat)| PointView { lng: f64::from(lng) / 1e7, lat: f64::from(lat) / 1e7 }),
        review: verdict.map(Verdict::name),
        named_by: known.naming,
        similar,
        links: (may && media.gone.is_none()).then(|| LinksView::new(app, world, media)),
    }
}

/// Photos that look like one, of those the caller may know; the most similar first.
async fn load_similar(
    app: &App,
    caller: &Caller,
    marks: Option<Marks>,
    alike: Vec<(Uuid, u64)>,
) -> Reply<Vec<AlikeView>> {
    const MOST_DIFFERENT: u32 = 5;
    const MOST: usize = 10;
    let Some(marks) = marks else { return Ok(Vec::new()) };
    let near = |(id, look): (Uuid, u64)| {
        let difference = (look ^ marks.look).count_ones();
        (id != marks.media.0 && difference <= MOST_DIFFERENT).then_some((difference, id))
    };
    let mut near: Vec<(u32, Uuid)> = alike.into_iter().filter_map(near).collect();
    near.sort_unstable();
    near.truncate(50);
    if near.is_empty() {
        return Ok(Vec::new());
    }
    let (tenant, ids) = (caller.tenant, near.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    let look = move |db: &mut persistence::Db| {
        Ok((kept::load_existing(db, tenant, &ids)?, kept::load_links(db, tenant, &ids)?))
    };
    let (found, links) = app.store.read(look).await?;
    let mut similar = Vec::new();
    for (difference, id) in near {
        let Some(other) = found.iter().find(|other| other.state.id.0 == id) else { continue };
        if similar.len() < MOST
            && let Some(known) = load_reader(app, caller, &other.state, &links).await?
        {
            similar.push(AlikeView {
                id,
                difference,
                uploaded_at: other.state.at,
                named_by: known.naming,
            });
        }
    }
    Ok(similar)
}

/// Sends a file.
///
/// 上传照片、视频或录音：`wx.uploadFile` 的表单（每次一个文件，文件字段名任意），或直接以文件为正文。`id` 由手机生成，
/// 可以先在上报中引用、后上传；同一编号重传同一文件得到原来的回答。格式由内容判定；照片去除拍摄信息后生成缩略图。
/// 单次不超过 20 MB，更大的分段上传。
#[utoipa::path(tag = "media", params(Said), request_body(content = UploadForm, content_type = "multipart/form-data"), responses((status = 201, body = MediaView)))]
#[post("/media")]
async fn upload_media(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    said: Query<Said>,
    payload: actix_web::web::Payload,
) -> Reply<HttpResponse> {
    keep::require_permission(&app, &caller)?;
    let key = match Key::from_headers(request.headers()) {
        Ok(key) => Some(key.0),
        // A form names the file itself: that is enough for a retry.
        Err(problem) if problem.code() == Code::IdempotencyKeyRequired => None,
        Err(problem) => return Err(problem),
    };
    let way = receive::Way::open(&app, &caller, &request, Kind::AT_ONCE)?;
    let (received, said) = receive::receive_file(&way, &request, payload, said.0).await?;
    auth::require_unchanged(&request).await?;
    let missing = || Problem::new(Code::IdempotencyKeyRequired);
    let command = key.or(said.id.map(domain::core::id::CommandId)).ok_or_else(missing)?;
    let id = MediaId(said.id.unwrap_or(command.0));
    if id.0.is_nil() {
        return Err(Problem::new(Code::IdempotencyKeyInvalid));
    }
    let arrival = keep::IncomingFile { id, command, received, said };
    keep::keep_file(&app, &caller, arrival).await?;
    render_created(&app, &caller, id).await
}

/// The answer to a file that was sent.
async fn render_created(app: &App, caller: &Caller, id: MediaId) -> Reply<HttpResponse> {
    let view = load_view(app, caller, id).await?;
    let location = format!("/api/v1/media/{id}");
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view))
}

/// Shows a file, with links to its bytes.
///
/// 文件详情：能查看引用它的上报或案卷的人可见；链接短时有效。相似照片仅作提示，不作处罚依据。
#[utoipa::path(tag = "media", responses((status = 200, body = MediaView)))]
#[get("/media/{id}")]
async fn get_media(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let view = load_view(&app, &caller, MediaId(id.0)).await?;
    let text = serde_json::to_string(&view).unwrap_or_default();
    let digest = domain::core::journal::Hash::digest(text.as_bytes()).to_hex();
    let tag = format!("\"{}\"", digest.get(..16).unwrap_or_default());
    Ok(render_with_etag(&request, HttpResponse::Ok(), &tag, &view))
}
