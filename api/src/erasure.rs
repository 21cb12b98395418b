//! The rights of the subject over HTTP: a copy of everything, and to be erased.
//!
//! Erasing destroys the subject's key. The records of public matters stay, under an identity that
//! names nobody any more, and their chains are what they were.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    actor::{Permission, Scope},
    audit::Act,
    household::Household,
    id::{HouseholdId, PersonId},
    person::Person,
    personal::SubjectKind,
    refusal::Refusal,
    text::Prose,
};
use persistence::{
    audit, household as households, journal::Keyset, message, privacy, report as reports, vault,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::{
    audit::{AuditView, Noting},
    auth::Caller,
    body::Json,
    consent::ConsentView,
    contact::ContactView,
    disclosure::DisclosureView,
    engine,
    headers::Key,
    household::kept::Shown,
    media, names,
    page::{Cursor, Limit, Page},
    params::{IdPath, Query},
    problem::Reply,
    state::App,
    view::GrantView,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_my_export).service(erase_me);
}

/// Registers what is asked about one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config.service(erase_person);
}

/// Which part of the copy.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Place>>,
}

/// Where a copy goes on: in which part, after what, before which place of the log.
type Place = (Section, Option<(Instant, Uuid)>, i64);

/// The parts of a copy, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Who it is, and how to be reached.
    Profile,
    /// What was agreed to.
    Consents,
    /// Who saw what.
    Disclosures,
    /// What was reported.
    Reports,
    /// Where somebody lives, as the grid has it.
    Households,
    /// What was done, as the audit log has it.
    Audit,
}

impl Section {
    const fn next(self) -> Option<Self> {
        match self {
            Self::Profile => Some(Self::Consents),
            Self::Consents => Some(Self::Disclosures),
            Self::Disclosures => Some(Self::Reports),
            Self::Reports => Some(Self::Households),
            Self::Households => Some(Self::Audit),
            Self::Audit => None,
        }
    }
}

/// One thing that is kept of somebody.
#[derive(Serialize, ToSchema)]
pub struct ExportItem {
    /// What it is: `profile`, `consent`, `disclosure`, `report`, `household`, `audit`.
    kind: &'static str,
    /// All of it.
    #[schema(value_type = Object)]
    data: Value,
}

impl ExportItem {
    fn new(kind: &'static str, data: impl Serialize) -> Self {
        Self { kind, data: serde_json::to_value(data).unwrap_or_default() }
    }
}

/// Takes a copy of everything that is kept of me.
///
/// 导出我的全部个人信息：资料、联系方式、同意记录、明文查看记录、上报和日志，按页取完；不脱敏。
#[utoipa::path(tag = "privacy", params(ExportParams), responses((status = 200, body = Page<ExportItem>)))]
#[get("/me/export")]
async fn get_my_export(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    params: Query<ExportParams>,
) -> Reply<Page<ExportItem>> {
    let (tenant, person) = (caller.tenant, caller.person);
    let limit = params.0.limit.unwrap_or_default();
    let (section, after, place) =
        params.0.cursor.map_or((Section::Profile, None, i64::MAX), |cursor| cursor.0);
    let keyset = Keyset { after, limit: limit.probe() };
    let onward = |next: Option<(Instant, Uuid)>| match next {
        Some(next) => Some((section, Some(next), i64::MAX)),
        None => section.next().map(|section| (section, None, i64::MAX)),
    };
    let most = usize::from(limit.get());
    Ok(match section {
        Section::Profile => {
            let note = Noting::of(&app, &caller, &request);
            let note = note.note(Act::Export, Some(person.0), &serde_json::json!({}));
            app.store.run(move |db| audit::append(db, tenant, note)).await?;
            let items = vec![ExportItem::new("profile", profile(&app, &caller).await?)];
            Page::new(items, onward(None))
        }
        Section::Consents => {
            let mut found =
                app.store.read(move |db| privacy::consents(db, tenant, person, keyset)).await?;
            let next = onward(cut(&mut found, most, |one| (one.at, one.id)));
            let item = |one| ExportItem::new("consent", ConsentView::from(one));
            Page::new(found.into_iter().map(item).collect(), next)
        }
        Section::Disclosures => {
            let find = move |db: &mut persistence::Db| {
                privacy::disclosures(db, tenant, Some(person), keyset)
            };
            let mut found = app.store.read(find).await?;
            let next = onward(cut(&mut found, most, |one| (one.at, one.id)));
            let item = |one| ExportItem::new("disclosure", DisclosureView::from(one));
            Page::new(found.into_iter().map(item).collect(), next)
        }
        Section::Reports => {
            let scope = Scope { tenant, person, paths: Vec::new(), units: Vec::new() };
            let filter = reports::Filter { mine: true, ..reports::Filter::default() };
            let mut found =
                app.store.read(move |db| reports::list(db, &scope, &filter, keyset)).await?;
            let place = |one: &domain::change::Stored<domain::report::Report>| {
                (one.state.received_at, one.state.id.0)
            };
            let next = onward(cut(&mut found, most, place));
            Page::new(export_reports(&app, &caller, found).await?, next)
        }
        Section::Households => {
            let from = after.map_or(Uuid::nil(), |(_, id)| id);
            let look = move |db: &mut persistence::Db| {
                households::of_member(db, tenant, person, from, limit.probe())
            };
            let mut found = app.store.read(look).await?;
            let next = onward(cut(&mut found, most, |id| (app.clock.now(), id.0)));
            Page::new(export_households(&app, &caller, found).await?, next)
        }
        Section::Audit => {
            let filter = audit::Filter { actor: Some(person), ..audit::Filter::default() };
            let find = move |db: &mut persistence::Db| {
                audit::list(db, tenant, &filter, Some(place), limit.probe())
            };
            let mut found = app.store.read(find).await?;
            let next = cut(&mut found, most, |one| one.seq);
            let item = |one| ExportItem::new("audit", AuditView::from(one));
            let items = found.into_iter().map(item).collect();
            Page::new(items, next.map(|seq| (section, None::<(Instant, Uuid)>, seq)))
        }
    })
}

/// Cuts what was probed to a page; where the next begins, if there is one.
fn cut<T, P>(found: &mut Vec<T>, most: usize, place: impl FnOnce(&T) -> P) -> Option<P> {
    let more = found.len() > most;
    found.truncate(most);
    found.last().filter(|_| more).map(place)
}

/// What is kept of somebody besides what happened.
#[derive(Serialize)]
struct Profile {
    id: Uuid,
    account: String,
    name: String,
    contact: ContactView,
    grants: Vec<GrantView>,
}

async fn profile(app: &App, caller: &Caller) -> Reply<Profile> {
    let stored = engine::look::<Person>(app, caller, caller.person.0).await?;
    let person = &stored.state;
    let kept = app
        .vault
        .read(&app.store, caller.tenant, vec![person.id.0], domain::personal::Field::ALL)
        .await?;
    Ok(Profile {
        id: person.id.0,
        account: person.account.as_str().to_owned(),
        name: names::own(app, caller.tenant, person).await?,
        contact: ContactView::whole(kept.get(&person.id.0)),
        grants: person.grants.iter().map(GrantView::from).collect(),
    })
}

async fn export_reports(
    app: &App,
    caller: &Caller,
    found: Vec<domain::change::Stored<domain::report::Report>>,
) -> Reply<Vec<ExportItem>> {
    let named = found.iter().filter(|one| one.state.contact).map(|one| one.state.id.0);
    let contacts = app
        .vault
        .read(&app.store, caller.tenant, named.collect(), domain::personal::Field::ALL)
        .await?;
    // Of a report that staff made for somebody else, the contact is that somebody's.
    let own = caller.grants.iter().all(|grant| !grant.role.is_office());
    let item = |stored: domain::change::Stored<domain::report::Report>| {
        let report = stored.state;
        let kept = contacts.get(&report.id.0);
        let contact = report
            .contact
            .then(|| if own { ContactView::whole(kept) } else { ContactView::masked(kept) });
        ExportItem::new(
            "report",
            serde_json::json!({
                "id": report.id, "number": report.number, "channel": report.channel,
                "confidential": report.confidential, "anonymous": report.anonymous,
                "title": report.matter.title, "text": report.matter.text,
                "category": report.matter.category, "address": report.place.address,
                "point": report.place.point, "area": report.place.area.name,
                "received_at": report.received_at, "client_time": report.client_at,
                "status": report.status.name(), "case_id": report.status.case(),
                "contact": contact,
            }),
        )
    };
    Ok(found.into_iter().map(item).collect())
}

/// The households somebody belongs to: where they are, and what is kept of this one member.
async fn export_households(
    app: &App,
    caller: &Caller,
    found: Vec<HouseholdId>,
) -> Reply<Vec<ExportItem>> {
    let mut items = Vec::with_capacity(found.len());
    for id in found {
        let Some(stored) = app.store.look::<Household>(caller.tenant, id.0).await? else {
            continue;
        };
        let household = &stored.state;
        let shown = Shown::of(app, caller.tenant, household).await?;
        let own = household.members.iter().filter(|one| one.person == Some(caller.person));
        let own: Vec<Value> = own.map(|one| exported(shown.member(one.id))).collect();
        items.push(ExportItem::new(
            "household",
            serde_json::json!({
                "id": household.id, "number": household.number, "area": household.area.name,
                "building": household.building, "room": shown.room(),
                "standing": household.standing.name(), "member": own,
                "registered_at": household.registered_at,
            }),
        ));
    }
    Ok(items)
}

/// What is kept of a member, whole; documents as what they are.
fn exported(values: Option<&crate::vault::Values>) -> Value {
    let text = |value: &String| {
        serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()))
    };
    let plain = |field: domain::personal::Field, value: &String| match field {
        domain::personal::Field::Groups | domain::personal::Field::Details => text(value),
        domain::personal::Field::Name
        | domain::personal::Field::Phone
        | domain::personal::Field::IdNumber
        | domain::personal::Field::Address
        | domain::personal::Field::OfficePhone
        | domain::personal::Field::Room
        | domain::personal::Field::Answers => Value::from(value.as_str()),
    };
    let members = values.into_iter().flatten();
    members.map(|(field, value)| (field.name().to_owned(), plain(*field, value))).collect()
}

/// The members of households that are known to be this person: by the account, or by the same
/// identification number. A phone may be shared, and is not enough.
async fn memberships(app: &App, caller: &Caller, person: PersonId) -> Reply<Vec<Uuid>> {
    const MOST: i64 = 200;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let look = move |db: &mut persistence::Db| {
        households::of_member(db, tenant, person, Uuid::nil(), MOST)
    };
    let mut found = Vec::new();
    for id in app.store.read(look).await? {
        let stored = app.store.look::<Household>(tenant, id.0).await?;
        let members = stored.iter().flat_map(|stored| &stored.state.members);
        found.extend(members.filter(|one| one.person == Some(person)).map(|one| one.id));
    }
    let id_number = domain::personal::Field::IdNumber;
    let kept =
        app.vault.read(&app.store, tenant, vec![person.0], &[domain::personal::Field::IdNumber]);
    let kept = kept.await?.remove(&person.0).and_then(|values| values.get(&id_number).cloned());
    if let Some(number) = kept {
        let blind = app.vault.look_up(&app.store, tenant, now).await?.digest(id_number, &number);
        let look = move |db: &mut persistence::Db| vault::find(db, tenant, id_number, &blind, MOST);
        let same = app.store.read(look).await?;
        let members = same.into_iter().filter(|(_, kind)| *kind == SubjectKind::Member);
        found.extend(members.map(|(id, _)| id));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// That it is meant.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseBody {
    /// Why; from an administrator, who asked for it and how. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "本人申请注销账号")]
    reason: Prose,
}

/// What was erased.
#[derive(Serialize, ToSchema)]
pub struct ErasedView {
    /// Whose data.
    person_id: Uuid,
    /// When.
    erased_at: DateTime<Utc>,
    /// Contacts given with reports that were erased besides.
    reports: i64,
    /// Entries as a member of a household that were erased besides. 家庭成员记录。
    members: usize,
    /// Photos and other files that nothing named, removed besides. 未使用的文件。
    files: usize,
}

/// Erases my personal data and closes my account.
///
/// 注销账号并删除我的个人信息：销毁密钥，不可恢复，登录随即失效；公共事项的办理记录保留但不再指向任何人。
#[utoipa::path(tag = "privacy", request_body = EraseBody, responses((status = 200, body = ErasedView)))]
#[post("/me/erasure")]
async fn erase_me(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    body: Json<EraseBody>,
) -> Reply<HttpResponse> {
    let stored = engine::look::<Person>(&app, &caller, caller.person.0).await?;
    erase(&app, &request, &caller, &stored.state, &body.0).await
}

/// Erases a person's data on request.
///
/// 应本人要求删除其个人信息；管理员代办，须说明理由。
#[utoipa::path(tag = "privacy", request_body = EraseBody, responses((status = 200, body = ErasedView)))]
#[post("/erasure")]
async fn erase_person(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    _key: Key,
    body: Json<EraseBody>,
) -> Reply<HttpResponse> {
    let stored = engine::look::<Person>(&app, &caller, id.0).await?;
    let person = &stored.state;
    let world = app.world(caller.tenant)?;
    let context = world.context(&caller, app.clock.now());
    let root = world.areas.root().ok_or(Refusal::OutsideTenant)?;
    if person.id != caller.person {
        // It takes away everything: all of the person must be the administrator's to manage.
        let paths = person.grants.iter().map(|grant| (&grant.over.path, &grant.over.name));
        let all = paths.clone().next().is_none().then_some((&root.path, &root.name));
        for (path, name) in paths.chain(all) {
            context.require(Permission::ManagePeople, path, name)?;
        }
    }
    erase(&app, &request, &caller, person, &body.0).await
}

async fn erase(
    app: &App,
    request: &HttpRequest,
    caller: &Caller,
    person: &Person,
    body: &EraseBody,
) -> Reply<HttpResponse> {
    const PAGE: i64 = 200;
    let (tenant, id, now) = (caller.tenant, person.id, app.clock.now());
    if person.holds_office(now) {
        return Err(Refusal::InOffice.into());
    }
    let mut reports = 0;
    loop {
        let page = app
            .store
            .run(move |db| {
                let page = vault::contacts_of(db, tenant, id, PAGE)?;
                for report in &page {
                    vault::destroy(db, tenant, *report, now, None)?;
                }
                Ok(i64::try_from(page.len()).unwrap_or(PAGE))
            })
            .await?;
        reports += page;
        if page < PAGE {
            break;
        }
    }
    let files = media::removal::erase(app, &*app.world(tenant)?, id).await?;
    let members = memberships(app, caller, id).await?;
    let count = members.len();
    let detail = serde_json::json!({ "reports": reports, "members": count, "files": files, "reason": body.reason.as_str() });
    let note = Noting::of(app, caller, request).note(Act::Erase, Some(id.0), &detail);
    let erased_at = app
        .store
        .run(move |db| {
            for member in &members {
                vault::destroy(db, tenant, *member, now, None)?;
            }
            let kind = Some(SubjectKind::Person);
            let destroyed = vault::destroy(db, tenant, id.0, now, kind)?;
            privacy::lock_out(db, tenant, id, now)?;
            message::forget(db, tenant, id, now)?;
            // Last, as in every commit: writers wait here for each other.
            if destroyed {
                audit::append(db, tenant, note)?;
            }
            Ok(vault::key_of(db, tenant, id.0)?.and_then(|key| key.destroyed_at).unwrap_or(now))
        })
        .await?;
    forget(app, caller, id);
    Ok(HttpResponse::Ok().json(ErasedView {
        person_id: id.0,
        erased_at,
        reports,
        members: count,
        files,
    }))
}

fn forget(app: &App, caller: &Caller, person: PersonId) {
    app.actors.forget_person(person);
    app.names.forget(caller.tenant, person);
}
