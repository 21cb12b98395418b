//! Photos as they were sent, where a standard demands them: sealed by the key of whoever sent them,
//! because cameras write into them where people were, and shown for a purpose, on the record.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    post,
    web::Data,
};
use domain::{
    core::{id::MediaId, journal::FlowKind, text::Prose},
    flows::{
        case::state::Case,
        media::{Media, Reader},
        report::Report,
    },
    people::{
        actor::Permission,
        personal::{Field, Purpose},
    },
    rules::refusal::Refusal,
};
use futures_util::TryStreamExt;
use persistence::flows::media::{self as kept, Link};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    MOST_LINKS,
    keep::{Variant, object_key},
    load_reader,
};
use crate::{
    app::{caller::Caller, state::App, vault::walks::Walked},
    http::{
        body::Json,
        headers::Key,
        params::IdPath,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
    privacy::disclosure::{Asking, DiscloseBody, Subject},
};

/// Registers the operation of this file.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(disclose_original);
}

/// What a photo is looked at for as it was sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiscloseOriginalBody {
    /// What for. 目的。
    #[schema(schema_with = view::disclosure_purpose)]
    purpose: Purpose,
    /// What for, in words. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "复核取证照片的拍摄信息")]
    reason: Prose,
}

/// Discloses a photo as it was sent.
///
/// 查看原始照片：照片原件含拍摄位置等信息，封存保管；上传者本人，或能查看引用它的案卷、上报并有查看个人信息权限的人，
/// 选择目的并说明理由后取得；每次留痕，上传者可查。
#[utoipa::path(tag = "media", request_body = DiscloseOriginalBody, responses((status = 201, body = Vec<u8>, content_type = "image/jpeg")))]
#[post("/media/{id}/disclosures")]
async fn disclose_original(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    key: Key,
    body: Json<DiscloseOriginalBody>,
) -> Reply<HttpResponse> {
    let not_found = || Problem::new(Code::NotFound);
    let (tenant, id) = (caller.tenant, MediaId(id.0));
    let stored = app.store.load_state::<Media>(tenant, id.0).await?.ok_or_else(not_found)?;
    let media = &stored.state;
    let links = app.store.read(move |db| kept::load_links(db, tenant, &[id.0])).await?;
    let known = load_reader(&app, &caller, media, &links).await?.ok_or_else(not_found)?;
    if !media.original || media.gone.is_some() || known.reader == Reader::Public {
        return Err(not_found());
    }
    let named = links.iter().filter(|link| link.by == media.by).take(MOST_LINKS);
    let allowed = check_reader(&app, &caller, known.reader, named).await?;
    let DiscloseOriginalBody { purpose, reason } = body.0;
    let fields = vec![Field::Original];
    let subject = Subject { person: Some(media.by), ..Subject::default() };
    let body = DiscloseBody { fields: fields.clone(), purpose, reason };
    let asking = Asking { operation: "disclose_original", key, subject, body };
    asking.record_disclosure(&app, &request, &caller, allowed, (&fields, id.0)).await?;
    let bytes = open_photo(&app, &caller, media).await?.ok_or_else(not_found)?;
    let name = format!("{id}-original.{}", media.format.extension());
    Ok(HttpResponse::Created()
        .insert_header((CONTENT_TYPE, media.format.mime()))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(bytes))
}

/// Whether a reader may see the photo as it was sent: whoever sent it, and who may see people's
/// data where it is named. Of a report, who sent it must not be more secret than that.
async fn check_reader(
    app: &App,
    caller: &Caller,
    reader: Reader,
    named: impl Iterator<Item = &Link>,
) -> Reply<Result<(), Refusal>> {
    if reader == Reader::Sender {
        return Ok(Ok(()));
    }
    let world = app.world(caller.tenant)?;
    let context = world.build_context(caller, app.clock.now());
    let mut checked = false;
    for link in named {
        let allowed = if link.kind == FlowKind::Report {
            let report = app.store.load_state::<Report>(caller.tenant, link.flow).await?;
            report.map(|report| report.state.require_disclosure(&context))
        } else {
            let case = app.store.load_state::<Case>(caller.tenant, link.flow).await?;
            case.map(|case| {
                let area = &case.state.place.area;
                context.require_permission(Permission::DisclosePersonal, &area.path, &area.name)
            })
        };
        if let Some(Err(refusal)) = allowed {
            return Ok(Err(refusal));
        }
        checked |= allowed.is_some();
    }
    // Where the sender named it nowhere that can be read, nothing says who may see it.
    if checked { Ok(Ok(())) } else { Err(Problem::new(Code::NotFound)) }
}

/// The bytes of a photo as they were sent; none where they cannot be read any more.
async fn open_photo(app: &App, caller: &Caller, media: &Media) -> Reply<Option<Vec<u8>>> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let name = object_key(tenant, media, Variant::Original);
    let Some(found) = app.object_storage.get(&name, None).await? else { return Ok(None) };
    let parts: Vec<_> = found.bytes.try_collect().await?;
    let sealed = parts.concat();
    let key = app.vault.ensure_walk_key(&app.store, tenant, media.by, now).await?;
    let Some(key) = key else { return Ok(None) };
    Ok(Some(key.open(Walked::Photo(media.id), &sealed)?.to_vec()))
}
