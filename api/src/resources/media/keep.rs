//! Storing a file that has arrived: inspected, converted to the variants that are shown, stored,
//! and recorded, in this order. The bytes of a file are never replaced: their place is named after
//! them.

use chrono::{DateTime, Utc};
use domain::{
    area::coordinate::{CoordType, RawPoint},
    core::id::{CommandId, MediaId, PersonId},
    flows::{
        case::state::Case,
        change::{Request, Versioned, execute},
        media::{Command, Format, Kind, Media, Upload, find_evidence_category},
        person::Person,
    },
    people::privacy::Privacy,
    rules::refusal::Refusal,
};
use persistence::{
    Write,
    flows::media::{self as kept, Marks},
    people::privacy,
};

use super::{
    film,
    photo::{Darkroom, Photo},
    receive::{Received, Said, unfit_problem},
};
use crate::{
    app::{caller::Caller, ration::Good, state::App, vault::walks::Walked},
    engine::step,
    http::problem::{Code, Problem, Reply},
    resources::content_review,
};

/// A variant of a file that is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// A photo of at most 240 points a side.
    ThumbSmall,
    /// A photo of at most 1024 points a side.
    ThumbLarge,
    /// A photo of at most 4096 points a side, made anew; a video or a sound as it was sent, but for
    /// where it was taken.
    Full,
    /// The bytes of a photo as they were sent, sealed by the key of whoever sent it.
    Original,
}

impl Variant {
    /// All the variants.
    pub const ALL: [Self; 4] = [Self::ThumbSmall, Self::ThumbLarge, Self::Full, Self::Original];

    /// The name as links, queries and the object storage write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThumbSmall => "thumb_small",
            Self::ThumbLarge => "thumb_large",
            Self::Full => "full",
            Self::Original => "original",
        }
    }

    /// Whether a file is stored in this variant.
    pub const fn applies_to(self, media: &Media) -> bool {
        match (self, media.format.kind()) {
            (Self::Full, _) | (Self::ThumbSmall | Self::ThumbLarge, Kind::Photo) => true,
            (Self::Original, _) => media.original,
            (Self::ThumbSmall | Self::ThumbLarge, Kind::Video | Kind::Audio) => false,
        }
    }

    /// The format of this variant.
    pub const fn format_of(self, media: &Media) -> Format {
        match (self, media.format.kind()) {
            (Self::Original, _) | (_, Kind::Video | Kind::Audio) => media.format,
            (_, Kind::Photo) => Format::Jpeg,
        }
    }
}

/// The object key of a variant of a file.
pub(super) fn object_key(
    caller: domain::core::id::TenantId,
    media: &Media,
    variant: Variant,
) -> String {
    build_object_key(caller, media.id, &media.sha256, variant)
}

fn build_object_key(
    tenant: domain::core::id::TenantId,
    id: MediaId,
    sha256: &str,
    variant: Variant,
) -> String {
    let digest: String = sha256.chars().take(16).collect();
    let folder: String = digest.chars().take(2).collect();
    format!("{tenant}/{folder}/{id}-{digest}/{}", variant.name())
}

/// Refuses a caller who may not send files, before any of the file is read.
pub(super) fn require_permission(app: &App, caller: &Caller) -> Reply<()> {
    let world = app.world(caller.tenant)?;
    Ok(domain::flows::media::require_sender(&world.build_context(caller, app.clock.now()))?)
}

/// A file that is to be stored.
pub(super) struct IncomingFile {
    /// The identity its sender gave it, or the one of the command.
    pub(super) id: MediaId,
    /// The command that stores it.
    pub(super) command: CommandId,
    /// The bytes in a temporary file, with their size, digest and format.
    pub(super) received: Received,
    /// What the sender stated beside the bytes.
    pub(super) said: Said,
}

/// The file under this identity, when it was sent before: the same file again is answered as the
/// first time, another one is refused.
async fn load_existing(
    app: &App,
    caller: &Caller,
    id: MediaId,
    sha256: &str,
) -> Reply<Option<Versioned<Media>>> {
    let Some(stored) = app.store.load_state::<Media>(caller.tenant, id.0).await? else {
        return Ok(None);
    };
    if stored.state.by == caller.person && stored.state.sha256 == sha256 {
        return Ok(Some((*stored).clone()));
    }
    Err(Problem::new(Code::IdempotencyKeyReused).detail(
        "这个编号已经用于另一个文件；新的文件请换一个 UUID。",
        "This id is already used for another file; use a new UUID for a new file.",
    ))
}

/// Stores a file.
pub(super) async fn keep_file(
    app: &App,
    caller: &Caller,
    arrival: IncomingFile,
) -> Reply<Versioned<Media>> {
    let IncomingFile { id, command, received, said } = arrival;
    super::receive::check_digest(&received, said.sha256.as_deref())?;
    if let Some(stored) = load_existing(app, caller, id, &received.sha256).await? {
        return Ok(stored);
    }
    check_owner(app, caller, id).await?;
    check_unused(app, caller, received.bytes).await?;
    let original = needs_original(app, caller, &said).await?;
    let Received { file, bytes, sha256, format } = received;
    let photo = match format.kind() {
        Kind::Photo => {
            let copy = || file.try_clone().map_err(storage_problem);
            let darkroom = app.memory.get::<Darkroom>();
            let darkroom = darkroom.ok_or_else(|| Problem::new(Code::Internal))?;
            let work = darkroom.weigh_photo(copy()?, format).await.map_err(unfit_problem)?;
            let thousandths = i64::try_from(work / 1000).unwrap_or(i64::MAX);
            app.rationed.take_parts(caller, Good::Megapixels, thousandths, app.clock.now())?;
            Some(darkroom.develop_photo(caller.person, copy()?, format, work).await?)
        }
        Kind::Video | Kind::Audio => None,
    };
    let (size, original) = (photo.as_ref().map(|photo| photo.size), original && photo.is_some());
    let marks = match &photo {
        Some(photo) => Some(build_marks(app, caller, id, photo, said.taken_at).await?),
        None => None,
    };
    let upload = Upload { id, format, bytes, sha256: sha256.clone(), size, original };
    store_variants(app, caller, &upload, photo, file).await?;
    let asked = Request::new(command, "upload_media", id.0, &sha256);
    let upload = Command::Upload(upload);
    let begun = step::begin_flow::<Media>(app, caller, asked, |context| {
        let change = execute::<Media>(None, &upload, asked, context)?;
        let marked = marks.iter().map(|marks| Write::Marked(Box::new(*marks)));
        Ok((change, marked.collect()))
    })
    .await;
    let stored = match begun {
        Ok((stored, _)) => stored,
        Err(problem) => {
            // Another request was faster: with the same file, or with another under this identity.
            let faster = load_existing(app, caller, id, &sha256).await;
            if !matches!(faster, Ok(Some(_))) {
                discard_file(app, caller.tenant, id, &sha256).await;
            }
            return faster?.ok_or(problem);
        }
    };
    if stored.state.public {
        content_review::open_reviews(app, caller.tenant, &[id.0]).await;
    }
    Ok(stored)
}

fn storage_problem(error: std::io::Error) -> Problem {
    Problem::new(Code::StorageUnavailable).because(error)
}

/// Refuses an identity that another person named first; answers who named it, if anyone did.
pub(super) async fn check_owner(
    app: &App,
    caller: &Caller,
    id: MediaId,
) -> Reply<Option<PersonId>> {
    let tenant = caller.tenant;
    let links = app.store.read(move |db| kept::load_links(db, tenant, &[id.0])).await?;
    let first = links.first().map(|link| link.by);
    if domain::flows::media::belongs_to(first, caller.person) {
        return Ok(first);
    }
    Err(Problem::new(Code::IdempotencyKeyReused).detail(
        "这个编号的文件要由引用它的人上传；您的文件请换一个 UUID。",
        "The file with this id must be uploaded by the person who named it; use a new UUID for \
         your file.",
    ))
}

/// How many bytes of one person's files may wait to be named, or to be complete.
pub(super) fn most_waiting(app: &App, caller: &Caller) -> u64 {
    let megabytes = app.rationed.rations_of(caller, app.clock.now()).waiting_megabytes;
    u64::from(megabytes) * 1_000_000
}

pub(super) fn too_much_waiting(most: u64) -> Refusal {
    let max = usize::try_from(most / 1_000_000).unwrap_or(usize::MAX);
    Refusal::TooMany { what: "waiting_megabytes", max }
}

/// Refuses more files when the caller has many that nothing names.
async fn check_unused(app: &App, caller: &Caller, bytes: u64) -> Reply<()> {
    let (tenant, person) = (caller.tenant, caller.person);
    let most = Media::MOST_UNUSED;
    let unused = app.store.read(move |db| kept::count_unused(db, tenant, person, most)).await?;
    if unused.count >= most {
        let max = usize::try_from(most).unwrap_or_default();
        return Err(Refusal::TooMany { what: "unused", max }.into());
    }
    let most = most_waiting(app, caller);
    if unused.bytes.saturating_add(bytes) > most {
        return Err(too_much_waiting(most).into());
    }
    Ok(())
}

/// Whether the standard of the case it is for demands the bytes as they were sent.
async fn needs_original(app: &App, caller: &Caller, said: &Said) -> Reply<bool> {
    let Some(id) = said.case_id else { return Ok(false) };
    let now = app.clock.now();
    let case = app.store.load_state::<Case>(caller.tenant, id).await?;
    let case = case.filter(|case| case.state.visible_to(caller, now)).ok_or_else(|| {
        let (zh, en) = (
            "没有这个案卷，或您无权查看；请核对编号。",
            "There is no such case, or you are not allowed to see it; check the id.",
        );
        Problem::new(Code::InvalidBody).error("/case_id", "unknown_case", zh, en)
    })?;
    let world = app.world(caller.tenant)?;
    Ok(find_evidence_category(&case.state.matter, &world.build_context(caller, now)).is_some())
}

/// The stored marks of a photo: its look, and when and where it was taken.
async fn build_marks(
    app: &App,
    caller: &Caller,
    media: MediaId,
    photo: &Photo,
    said: Option<DateTime<chrono::FixedOffset>>,
) -> Reply<Marks> {
    let said = said.map(|at| at.with_timezone(&Utc));
    let (look, taken_at) = (photo.look, photo.taken_at.or(said));
    let raw = |(lng, lat)| RawPoint { lng, lat, coord_type: CoordType::Wgs84 };
    let place = photo.place.and_then(|place| raw(place).normalise().ok());
    let place = match place {
        Some(point) if may_keep_place(app, caller).await? => Some(point),
        Some(_) | None => None,
    };
    let place = place.map(|point| (ten_millionths(point.lng), ten_millionths(point.lat)));
    Ok(Marks { media, look, taken_at, place })
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "180 degrees are 1.8 thousand million ten millionths"
)]
fn ten_millionths(degrees: f64) -> i32 {
    (degrees * 1e7).round() as i32
}

/// Whether the place of a photo may be stored: the caller is on duty, or agreed to it.
async fn may_keep_place(app: &App, caller: &Caller) -> Reply<bool> {
    let (tenant, person, now) = (caller.tenant, caller.person, app.clock.now());
    let known = app.store.load_state::<Person>(tenant, person.0).await?;
    if known.is_some_and(|known| known.state.current_shift(now).is_some()) {
        return Ok(true);
    }
    let purpose = Privacy::PHOTO_PLACE;
    let answers =
        app.store.read(move |db| privacy::load_answers(db, tenant, person, purpose)).await?;
    Ok(answers.last().is_some_and(|(_, _, given)| *given))
}

/// Stores every variant of a file.
async fn store_variants(
    app: &App,
    caller: &Caller,
    upload: &Upload,
    photo: Option<Photo>,
    file: std::fs::File,
) -> Reply<()> {
    let at = |variant| build_object_key(caller.tenant, upload.id, &upload.sha256, variant);
    let Some(Photo { full, large, small, .. }) = photo else {
        let file = match upload.format {
            Format::Mp4 | Format::Mov | Format::M4a => film::blank_positions_apart(file).await?,
            Format::Jpeg
            | Format::Png
            | Format::Webp
            | Format::Gif
            | Format::Mp3
            | Format::Amr
            | Format::Aac
            | Format::Wav => file,
        };
        return app.object_storage.put_file(&at(Variant::Full), rewind_file(file)?).await;
    };
    app.object_storage.put(&at(Variant::Full), full).await?;
    app.object_storage.put(&at(Variant::ThumbLarge), large).await?;
    app.object_storage.put(&at(Variant::ThumbSmall), small).await?;
    if upload.original {
        let sealed = seal_photo(app, caller, upload.id, rewind_file(file)?).await?;
        app.object_storage.put(&at(Variant::Original), sealed).await?;
    }
    Ok(())
}

/// Seals the bytes of a photo as they were sent.
async fn seal_photo(
    app: &App,
    caller: &Caller,
    media: MediaId,
    mut file: std::fs::File,
) -> Reply<Vec<u8>> {
    let (tenant, person, now) = (caller.tenant, caller.person, app.clock.now());
    let key = app.vault.ensure_walk_key(&app.store, tenant, person, now).await?;
    let key = key.ok_or_else(|| Problem::new(Code::NotFound))?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes).map_err(storage_problem)?;
    Ok(key.seal(&app.vault, Walked::Photo(media), &bytes)?)
}

fn rewind_file(mut file: std::fs::File) -> Reply<std::fs::File> {
    use std::io::Seek;
    file.rewind().map_err(storage_problem)?;
    Ok(file)
}

/// Removes the bytes of a file; what remains when that fails is only waste.
async fn discard_file(app: &App, tenant: domain::core::id::TenantId, id: MediaId, sha256: &str) {
    let names = Variant::ALL.map(|variant| build_object_key(tenant, id, sha256, variant));
    if let Err(problem) = app.object_storage.remove(names.to_vec()).await {
        tracing::warn!(?problem, "bytes of a file that is not kept remain");
    }
}
