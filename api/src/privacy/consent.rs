//! The privacy notice and consents over HTTP: the notice that everybody can read, and what each
//! person agreed to and withdrew.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::text::Code as Word,
    flows::change::Request,
    people::{
        audit::AuditAction,
        evidence::Written,
        privacy::{Basis, DataClass, Privacy},
    },
    rules::refusal::Refusal,
};
use persistence::{
    kernel::journal::Keyset,
    people::privacy::{self, Consent},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, clock::derive_id, state::App},
    http::{
        body::Json,
        headers::Key,
        page::{Cursor, Limit, Page},
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
    privacy::audit::Noting,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_privacy_notice).service(list_consents).service(answer_consent);
}

/// Whose privacy notice to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichNotice {
    /// The city or county, by its code; may be left out where there is only one. 租户代码。
    #[param(value_type = Option<String>, example = "4202")]
    tenant: Option<Word>,
}

/// The notice that is shown before data is taken.
#[derive(Serialize, ToSchema)]
pub struct NoticeView {
    /// The edition of the rules it is part of; 0 is the one this program comes with.
    edition: i64,
    /// The version a consent names. 版本。
    version: String,
    /// Its title. 标题。
    title: String,
    /// Its text. 全文。
    text: String,
    /// The purposes that data is processed for. 处理目的。
    purposes: Vec<PurposeView>,
    /// How long it is kept. 保存期限。
    retention: Vec<KeptView>,
}

/// A purpose that data is processed for.
#[derive(Serialize, ToSchema)]
pub struct PurposeView {
    /// The code of the purpose. 目的代码。
    code: String,
    /// What people call it.
    label: String,
    /// On which ground.
    #[schema(schema_with = view::basis)]
    basis: &'static str,
    /// The ground in Chinese. 依据名称。
    basis_label: &'static str,
    /// Whether it needs a consent. 是否需要同意。
    consent: bool,
}

/// How long a class of data is kept.
#[derive(Serialize, ToSchema)]
pub struct KeptView {
    /// The class of data. 数据类别。
    #[schema(schema_with = view::data_class)]
    class: &'static str,
    /// The class in Chinese. 数据类别名称。
    class_label: &'static str,
    /// The number of days. 天数。
    days: u32,
}

impl NoticeView {
    fn new(edition: i64, privacy: &Privacy) -> Self {
        let purpose = |one: &domain::people::privacy::Processing| PurposeView {
            code: one.code.as_str().to_owned(),
            label: one.label.as_str().to_owned(),
            basis: one.basis.name(),
            basis_label: one.basis.label(),
            consent: matches!(one.basis, Basis::Consent | Basis::SeparateConsent),
        };
        let kept = |class: &DataClass| KeptView {
            class: class.name(),
            class_label: class.label(),
            days: privacy.retention.days(*class),
        };
        Self {
            edition,
            version: privacy.notice.version.as_str().to_owned(),
            title: privacy.notice.title.as_str().to_owned(),
            text: privacy.notice.text.as_str().to_owned(),
            purposes: privacy.purposes.iter().map(purpose).collect(),
            retention: DataClass::ALL.iter().map(kept).collect(),
        }
    }
}

/// Shows the privacy notice, to everybody.
///
/// 个人信息处理规则：目的、依据和保存期限；无须登录即可阅读。
#[utoipa::path(tag = "privacy", security(()), params(WhichNotice), responses((status = 200, body = NoticeView)))]
#[get("/privacy")]
async fn get_privacy_notice(app: Data<App>, params: Query<WhichNotice>) -> Reply<HttpResponse> {
    let code = params.0.tenant;
    let world = app.worlds.find_by_code(code.as_ref().map(Word::as_str)).ok_or_else(|| {
        let (zh, en) = (
            "请用 tenant 给出现有城市或区县的代码。",
            "Give the code of an existing city or county in `tenant`.",
        );
        Problem::new(Code::InvalidQuery).parameter("tenant", "unknown_tenant", zh, en)
    })?;
    let privacy = &world.rules.privacy;
    Ok(HttpResponse::Ok().json(NoticeView::new(privacy.no, &privacy.value)))
}

/// An answer to a purpose that needs consent.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentBody {
    /// Which purpose, by its code. 目的。
    #[schema(value_type = String, max_length = 40, example = "notification")]
    purpose: Word,
    /// Whether it is given; otherwise it is withdrawn. 同意或撤回。
    given: bool,
    /// The version of the notice that was read. 所阅读的版本。
    #[schema(value_type = String, max_length = 40, example = "1")]
    version: Word,
}

/// A consent that was given or withdrawn.
#[derive(Serialize, ToSchema)]
pub struct ConsentView {
    /// The identity of the answer.
    id: Uuid,
    /// The code of the purpose.
    purpose: String,
    /// Whether it was given; withdrawn otherwise.
    given: bool,
    /// The version of the notice.
    version: String,
    /// The edition of the rules.
    edition: i64,
    /// When the person answered.
    at: DateTime<Utc>,
}

impl From<Consent> for ConsentView {
    fn from(one: Consent) -> Self {
        let Consent { id, purpose, given, version, edition, at, .. } = one;
        Self { id, purpose, given, version, edition, at }
    }
}

/// Gives or withdraws a consent.
///
/// 同意或撤回同意：针对所阅读的规则版本；撤回不影响此前的处理，也不影响上报。
#[utoipa::path(tag = "privacy", request_body = ConsentBody, responses((status = 201, body = ConsentView)))]
#[post("/me/consents")]
async fn answer_consent(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    key: Key,
    body: Json<ConsentBody>,
) -> Reply<HttpResponse> {
    let body = body.0;
    let asked = Request::new(key.0, "answer_consent", caller.person.0, &body);
    let ConsentBody { purpose, given, version } = body;
    let (tenant, world) = (caller.tenant, app.world(caller.tenant)?);
    let privacy = &world.rules.privacy;
    if privacy.value.find_consentable(purpose.as_str()).is_none() {
        return Err(Refusal::NoSuchPurpose { code: purpose.into() }.into());
    }
    let current = &privacy.value.notice.version;
    // Withdrawing does not require reading.
    if given && version != *current {
        return Err(Problem::new(Code::NoticeOutdated).with("version", current.as_str()));
    }
    let new = Consent {
        id: derive_id(caller.person, key.0, "consent"),
        person: caller.person,
        purpose: purpose.into(),
        given,
        version: version.into(),
        edition: privacy.no,
        at: app.clock.now(),
        digest: asked.digest,
    };
    let act = if given { AuditAction::Consent } else { AuditAction::Withdraw };
    let Written { record, digest } = new.to_written(tenant);
    let detail = serde_json::json!({
        "purpose": new.purpose, "version": new.version, "record": record, "digest": digest.to_hex(),
    });
    let note = Noting::of_caller(&app, &caller, &request).note(act, Some(caller.person.0), &detail);
    let take = persistence::flows::track::record_consent(tenant, new);
    let take = take.with_note_from(tenant, move |(_, new)| new.then_some(note));
    let (stored, _) = app.store.run(take).await?;
    if stored.person != caller.person || stored.digest != asked.digest {
        return Err(Problem::new(Code::IdempotencyKeyReused));
    }
    Ok(HttpResponse::Created().json(ConsentView::from(stored)))
}

/// A page of consents.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListConsents {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
}

/// Lists the consents I gave and withdrew, newest first.
///
/// 我的同意记录：目的、版本、同意或撤回的时间。
#[utoipa::path(tag = "privacy", params(ListConsents), responses((status = 200, body = Page<ConsentView>)))]
#[get("/me/consents")]
async fn list_consents(
    app: Data<App>,
    caller: Caller,
    params: Query<ListConsents>,
) -> Reply<Page<ConsentView>> {
    let (tenant, person) = (caller.tenant, caller.person);
    let limit = params.0.limit.unwrap_or_default();
    let keyset = Keyset { after: params.0.cursor.map(|cursor| cursor.0), limit: limit.probe() };
    let found =
        app.store.read(move |db| privacy::list_consents(db, tenant, person, keyset)).await?;
    Ok(Page::from_rows(found, limit, |one| (one.at, one.id), ConsentView::from))
}
