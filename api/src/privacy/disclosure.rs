//! Disclosures over HTTP: seeing personal data in full, for a purpose, on the record. The record is
//! written before anything is shown, and the subject can read it.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Duration, Utc};
use domain::{
    Instant,
    core::{
        id::{HouseholdId, PersonId, ReportId},
        text::Prose,
    },
    flows::{change::Request, flow::Context, person::Person, report::Report},
    people::{
        actor::Permission,
        audit::AuditAction,
        evidence::Written,
        personal::{DataSubject, Field, Purpose, SubjectKind},
    },
    rules::refusal::Refusal,
};
use persistence::{
    kernel::journal::Keyset,
    people::privacy::{self, Disclosure},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, clock::derive_id, state::App, vault::Values},
    engine::{flows::ServedFlow, step, verification},
    http::{
        body::Json,
        headers::Key,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
    privacy::{audit::Noting, contact::ContactView},
};

/// How long the same request is answered with the values again: a phone that did not get the answer
/// retries within minutes, and later the stored value may be another one.
const SHOWN_AGAIN_MIN: i64 = 10;

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_disclosures).service(list_my_disclosures);
}

/// Registers the operations below one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config.service(disclose_person);
}

/// Registers the operations below one report.
pub fn under_report(config: &mut ServiceConfig<'_>) {
    config.service(disclose_reporter);
}

/// The data to disclose, and why.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscloseBody {
    /// Which data: only what the purpose needs. 字段。
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 4, example = json!(["phone"]))]
    pub fields: Vec<Field>,
    /// The purpose. 目的。
    #[schema(schema_with = view::disclosure_purpose)]
    pub purpose: Purpose,
    /// The reason, in words. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "回访核实是否解决")]
    pub reason: Prose,
}

/// A disclosure of personal data.
#[derive(Serialize, ToSchema)]
pub struct DisclosureView {
    /// The identity of the record.
    id: Uuid,
    /// The person whose data it is, when that person has an account.
    person_id: Option<Uuid>,
    /// The report it is about.
    report_id: Option<Uuid>,
    /// The household it is about.
    household_id: Option<Uuid>,
    /// The identity of who saw it.
    by_id: Uuid,
    /// The name of who saw it.
    by_name: String,
    /// The fields that were seen.
    fields: Vec<&'static str>,
    /// The purpose of the disclosure.
    #[schema(schema_with = view::disclosure_purpose)]
    purpose: &'static str,
    /// The purpose in Chinese.
    purpose_label: &'static str,
    /// The reason, in words.
    reason: String,
    /// When it was disclosed.
    at: DateTime<Utc>,
}

/// A disclosure with the values, for its caller, in this answer only.
#[derive(Serialize, ToSchema)]
pub struct DisclosedView {
    /// The record of this disclosure. 查看记录。
    #[serde(flatten)]
    record: DisclosureView,
    /// The values asked for; null where none is kept. 明文。
    contact: ContactView,
}

impl From<Disclosure> for DisclosureView {
    fn from(one: Disclosure) -> Self {
        Self {
            id: one.id,
            person_id: one.person.map(|id| id.0),
            report_id: one.report.map(|id| id.0),
            household_id: one.household.map(|id| id.0),
            by_id: one.by.0,
            by_name: one.by_name,
            fields: one.fields.iter().map(|field| field.name()).collect(),
            purpose: one.purpose.name(),
            purpose_label: one.purpose.label(),
            reason: one.reason,
            at: one.at,
        }
    }
}

/// The subject of the data asked for.
#[derive(Clone, Copy, Default)]
pub struct Subject {
    /// The person whose own data is asked for.
    pub person: Option<PersonId>,
    /// The report whose contact is asked for.
    pub report: Option<ReportId>,
    /// The household whose members and room are asked for.
    pub household: Option<HouseholdId>,
}

/// Refuses a caller who may not see a person's data in full: that needs the right over an area the
/// person has to do with.
fn require_disclosable(person: &Person, cx: &Context<'_>) -> Result<(), Refusal> {
    let mut areas = person.grants.iter().map(|grant| &grant.over.path);
    let root = cx.areas.root().ok_or(Refusal::OutsideTenant)?;
    let may = |path| cx.by.may(Permission::DisclosePersonal, path, cx.at);
    if may(&root.path) || areas.any(may) {
        return Ok(());
    }
    let area = person.grants.first().map_or(&root.name, |grant| &grant.over.name).clone();
    Err(Refusal::NotPermitted { permission: Permission::DisclosePersonal, area })
}

/// Discloses the stored data of a person.
///
/// 查看人员个人信息明文：须有相应权限，选择目的并说明理由；记录保存三年以上，审计员和本人可查。
#[utoipa::path(tag = "privacy", request_body = DiscloseBody, responses((status = 201, body = DisclosedView)))]
#[post("/disclosures")]
async fn disclose_person(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    key: Key,
    body: Json<DiscloseBody>,
) -> Reply<HttpResponse> {
    let (now, world) = (app.clock.now(), app.world(caller.tenant)?);
    let context = world.build_context(&caller, now);
    let stored = app.store.load_state::<Person>(caller.tenant, id.0).await?;
    let stored = stored.ok_or_else(not_found)?;
    let allowed = require_disclosable(&stored.state, &context);
    // A caller who may neither see the data nor know of the person gets the answer that there is no
    // such person.
    let known = stored.state.is_visible_to(&caller, now);
    if allowed.is_err() && !known {
        return Err(not_found());
    }
    let subject = Subject { person: Some(stored.state.id), ..Subject::default() };
    let asking = Asking { operation: "disclose_person", key, subject, body: body.0 };
    let places = [DataSubject::new(SubjectKind::Person, id.0)];
    asking.disclose_values(&app, &request, &caller, allowed, &places).await
}

/// Discloses who reported, and the contact given with the report.
///
/// 查看上报人明文：回访、办理联系时使用；保密上报须有保密权限，匿名上报无人可看；每次留痕。
#[utoipa::path(tag = "privacy", request_body = DiscloseBody, responses((status = 201, body = DisclosedView)))]
#[post("/reporter/disclosures")]
async fn disclose_reporter(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    key: Key,
    body: Json<DiscloseBody>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Report>(&app, &caller, id.0).await?;
    let report = &stored.state;
    let world = app.world(caller.tenant)?;
    let allowed = report.require_disclosure(&world.build_context(&caller, app.clock.now()));
    let reporter = app.store.load_state::<Person>(caller.tenant, report.reporter.0).await?;
    // Staff report in office: their own data is not what is asked for here.
    let resident =
        reporter.is_some_and(|person| person.state.is_nameless() && !person.state.is_staff());
    let person = resident.then_some(report.reporter);
    let subject = Subject { person, report: Some(report.id), household: None };
    let asking = Asking { operation: "disclose_reporter", key, subject, body: body.0 };
    let of_person = |person: PersonId| DataSubject::new(SubjectKind::Person, person.0);
    let mut places = vec![DataSubject::new(SubjectKind::Report, report.id.0)];
    places.extend(person.map(of_person));
    asking.disclose_values(&app, &request, &caller, allowed, &places).await
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound)
}

/// A request for a disclosure.
pub struct Asking {
    /// The operation that asks, by its id.
    pub operation: &'static str,
    /// The `Idempotency-Key` of the request.
    pub key: Key,
    /// The subject whose data it asks for.
    pub subject: Subject,
    /// The fields, the purpose and the reason.
    pub body: DiscloseBody,
}

impl Asking {
    /// Records the disclosure and answers the values, found in the first of `places` that has them.
    async fn disclose_values(
        self,
        app: &App,
        request: &HttpRequest,
        caller: &Caller,
        allowed: Result<(), Refusal>,
        places: &[DataSubject],
    ) -> Reply<HttpResponse> {
        let fields = check_fields(&self.body.fields, Field::OF_PEOPLE)?;
        let target = places.first().map(|place| place.id).unwrap_or_default();
        let record =
            self.record_disclosure(app, request, caller, allowed, (&fields, target)).await?;
        let tenant = caller.tenant;
        let mut kept: Vec<Values> = Vec::with_capacity(places.len());
        for place in places {
            let of = (place.kind, vec![place.id]);
            let read = app.vault.load_values(&app.store, tenant, of, Field::OF_PEOPLE);
            kept.extend(read.await?.into_values());
        }
        let value = |field: &Field| {
            let value = kept.iter().find_map(|values| values.get(field))?;
            Some((*field, value.clone()))
        };
        let values: Values = fields.iter().filter_map(value).collect();
        let known = (!kept.is_empty()).then_some(&values);
        let view = DisclosedView { record: record.into(), contact: ContactView::new_whole(known) };
        Ok(HttpResponse::Created().json(view))
    }

    /// Records the disclosure, or its refusal: nothing is shown before that.
    pub async fn record_disclosure(
        self,
        app: &App,
        request: &HttpRequest,
        caller: &Caller,
        allowed: Result<(), Refusal>,
        (fields, target): (&[Field], Uuid),
    ) -> Reply<Disclosure> {
        let Self { operation, key, subject, body } = self;
        let tenant = caller.tenant;
        let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
        let detail = serde_json::json!({ "fields": names, "purpose": body.purpose.name() });
        let noting = Noting::of_caller(app, caller, request);
        if let Err(refusal) = allowed {
            let note = noting.note_refusal(AuditAction::Disclose, Some(target), &detail);
            app.store.run(persistence::people::audit::append_note(tenant, note)).await?;
            return Err(refusal.into());
        }
        let asked = Request::new(key.0, operation, target, &body);
        let new = Disclosure {
            id: derive_id(caller.person, key.0, "disclosure"),
            person: subject.person,
            report: subject.report,
            household: subject.household,
            by: caller.person,
            by_name: caller.name.clone(),
            fields: fields.to_vec(),
            purpose: body.purpose,
            reason: body.reason.into(),
            at: app.clock.now(),
            digest: asked.digest,
        };
        let Written { record, digest } = new.to_written(tenant);
        let detail = serde_json::json!({
            "fields": names, "purpose": new.purpose.name(), "record": record,
            "digest": digest.to_hex(),
        });
        let note = noting.note(AuditAction::Disclose, Some(target), &detail);
        let (now, limit) = (new.at, Duration::minutes(SHOWN_AGAIN_MIN));
        let disclose = privacy::record_disclosure(tenant, new);
        let disclose = disclose.with_note_from(tenant, move |(_, new)| new.then_some(note));
        let (record, _) = app.store.run(disclose).await?;
        if record.by != caller.person || record.digest != asked.digest {
            return Err(Problem::new(Code::IdempotencyKeyReused));
        }
        if now - record.at > limit {
            return Err(Problem::new(Code::IdempotencyKeyReused).detail(
                "这次查看早已完成并留痕；再次查看请换新的 Idempotency-Key。",
                "This disclosure was completed and is on record; to read the data again, use a \
                 new Idempotency-Key.",
            ));
        }
        Ok(record)
    }
}

/// The fields asked for, each once.
pub fn check_fields(fields: &[Field], among: &[Field]) -> Reply<Vec<Field>> {
    let mut distinct = fields.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let other = distinct.iter().any(|field| !among.contains(field));
    if distinct.is_empty() || distinct.len() != fields.len() || other {
        let names: Vec<&str> = among.iter().map(|field| field.name()).collect();
        let names = names.join(", ");
        let zh = format!("应列出不重复的字段，可选：{names}。");
        let en = format!("Expected different fields, available: {names}.");
        return Err(Problem::new(Code::InvalidBody).error("/fields", "invalid_value", zh, en));
    }
    Ok(distinct)
}

/// A page of disclosures.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListDisclosures {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
}

async fn list_page(
    app: &App,
    caller: &Caller,
    person: Option<PersonId>,
    params: ListDisclosures,
) -> Reply<Page<DisclosureView>> {
    let (tenant, limit) = (caller.tenant, params.limit.unwrap_or_default());
    let after = params.cursor.map(|cursor| cursor.0);
    let keyset = Keyset { after, limit: limit.probe() };
    let found =
        app.store.read(move |db| privacy::list_disclosures(db, tenant, person, keyset)).await?;
    Ok(Page::from_rows(found, limit, |one| (one.at, one.id), DisclosureView::from))
}

/// Lists who saw whose personal data in full, newest first.
///
/// 明文查看记录：谁、看了谁的哪些信息、为什么、何时；仅审计员可读。
#[utoipa::path(tag = "audit", params(ListDisclosures), responses((status = 200, body = Page<DisclosureView>)))]
#[get("/disclosures")]
async fn list_disclosures(
    app: Data<App>,
    caller: Caller,
    params: Query<ListDisclosures>,
) -> Reply<Page<DisclosureView>> {
    verification::require_auditor(&app, &caller)?;
    list_page(&app, &caller, None, params.0).await
}

/// Lists who saw my personal data in full, newest first.
///
/// 谁看过我的个人信息明文：目的、理由和时间。
#[utoipa::path(tag = "privacy", params(ListDisclosures), responses((status = 200, body = Page<DisclosureView>)))]
#[get("/me/disclosures")]
async fn list_my_disclosures(
    app: Data<App>,
    caller: Caller,
    params: Query<ListDisclosures>,
) -> Reply<Page<DisclosureView>> {
    list_page(&app, &caller, Some(caller.person), params.0).await
}
