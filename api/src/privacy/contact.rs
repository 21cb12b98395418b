//! Contacts over HTTP: how people can be reached, masked for everybody but themselves; given with
//! a report, or kept about a person; found by the whole value.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use domain::{
    core::{
        id::{PersonId, TenantId},
        text::{Code as Word, Line},
        time::local_day,
    },
    flows::{
        person::{Person, require_managed},
        report::Report,
    },
    people::{
        actor::Permission,
        audit::AuditAction,
        personal::{Contact, DataSubject, Field, IdNumber, OfficePhone, Phone, SubjectKind},
    },
    rules::refusal::Refusal,
};
use persistence::{
    StoreError, Write, load_state,
    people::vault::{self, KeyOwner},
};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App, vault::Values},
    engine::step,
    http::{
        body::{Json, replacing},
        headers::Key,
        params::IdPath,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
    privacy::{
        audit::Noting,
        names::{self, Names},
    },
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(search_contacts);
}

/// Registers the operations below one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config.service(get_contact).service(set_contact);
}

/// The person to contact about a report.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReporterContact {
    /// The name, when it is not the reporter's own. 姓名。
    #[schema(value_type = Option<String>, max_length = 120, example = "张小三")]
    name: Option<Line>,
    /// A mobile phone. 手机号。
    #[schema(value_type = Option<String>, max_length = 20, example = "13800005678")]
    phone: Option<Phone>,
    /// The address of that person. 住址。
    #[schema(value_type = Option<String>, max_length = 120)]
    address: Option<Line>,
}

impl ReporterContact {
    fn to_contact(&self) -> Contact {
        let Self { name, phone, address } = self;
        Contact {
            name: name.clone(),
            phone: phone.clone(),
            id_number: None,
            address: address.clone(),
            office_phone: None,
        }
    }
}

/// Personal data must not enter the digest that the journal keeps: a phone number could be found by
/// trying all of them.
pub fn hide_value<T, S: Serializer>(_: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_none()
}

/// Sealed personal data ready to be written, and its fingerprint.
pub struct Sealed {
    /// Written with the change that begins its subject.
    pub write: Write,
    /// The part of the request's digest that stands for the data.
    pub fingerprint: Vec<u8>,
}

/// Seals the data of a new subject.
pub async fn seal_new_subject(
    app: &App,
    caller: &Caller,
    subject: DataSubject,
    contact: &Contact,
) -> Reply<Sealed> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let look_up = app.vault.ensure_look_up(&app.store, tenant, now).await?;
    let new = app.vault.new_subject(tenant, subject, contact, &look_up, now)?;
    Ok(Sealed {
        write: Write::Personal(Box::new(new)),
        fingerprint: look_up.fingerprint_contact(contact),
    })
}

/// The fingerprint of a contact, for the digest of a request.
pub async fn fingerprint(app: &App, caller: &Caller, contact: &Contact) -> Reply<Vec<u8>> {
    let look_up = app.vault.ensure_look_up(&app.store, caller.tenant, app.clock.now()).await?;
    Ok(look_up.fingerprint_contact(contact))
}

/// Seals the contact given with a report.
pub async fn seal_reporter_contact(
    app: &App,
    caller: &Caller,
    subject: DataSubject,
    given: Option<&ReporterContact>,
) -> Reply<Option<Sealed>> {
    let Some(given) = given else { return Ok(None) };
    let contact = given.to_contact();
    if contact.is_empty() {
        let (zh, en) = (
            "请填写姓名、手机号或住址，或去掉 contact。",
            "Give a name, a phone or an address, or leave `contact` out.",
        );
        return Err(Problem::new(Code::InvalidBody).error("/contact", "empty", zh, en));
    }
    seal_new_subject(app, caller, subject, &contact).await.map(Some)
}

/// The contact of a person.
#[derive(Serialize, ToSchema)]
pub struct ContactView {
    /// Whether the values are masked: `138****5678`. 是否脱敏。
    masked: bool,
    /// Whether they were erased, so that there are none. 是否已删除。
    erased: bool,
    /// 姓名。
    name: Option<String>,
    /// 手机号。
    phone: Option<String>,
    /// 公民身份号码。
    id_number: Option<String>,
    /// 住址。
    address: Option<String>,
    /// 公开联系电话。
    #[serde(skip_serializing_if = "Option::is_none")]
    office_phone: Option<String>,
}

impl ContactView {
    fn new(values: Option<&Values>, masked: bool) -> Self {
        let shown = |field: Field| {
            let value = values?.get(&field)?;
            Some(if masked { field.mask_value(value) } else { value.clone() })
        };
        Self {
            masked,
            erased: values.is_none(),
            name: shown(Field::Name),
            phone: shown(Field::Phone),
            id_number: shown(Field::IdNumber),
            address: shown(Field::Address),
            office_phone: shown(Field::OfficePhone),
        }
    }

    /// The contact as others see it.
    pub fn new_masked(values: Option<&Values>) -> Self {
        Self::new(values, true)
    }

    /// The contact as the subject sees it, and a caller it was disclosed to.
    pub fn new_whole(values: Option<&Values>) -> Self {
        Self::new(values, false)
    }
}

/// The contact of a person, as the caller may see it.
async fn contact_view(app: &App, caller: &Caller, person: &Person) -> Reply<ContactView> {
    let (tenant, id) = (caller.tenant, person.id.0);
    let owner = KeyOwner::Subject(DataSubject::new(SubjectKind::Person, id));
    let key = app.store.read(move |db| vault::load_key(db, tenant, owner)).await?;
    let ids = (SubjectKind::Person, vec![id]);
    let kept = app.vault.load_values(&app.store, tenant, ids, Field::OF_PEOPLE).await?;
    let mut view = ContactView::new(kept.get(&id), person.id != caller.person);
    view.erased = key.is_some_and(|key| key.destroyed_at.is_some());
    Ok(view)
}

/// Shows the contact of a person.
///
/// 联系方式：本人看到明文，管理员看到脱敏值；查看明文须另行说明理由并留痕。
#[utoipa::path(tag = "privacy", responses((status = 200, body = ContactView)))]
#[get("/contact")]
async fn get_contact(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Person>(&app, &caller, id.0).await?;
    require_own_or_managed(&app, &caller, &stored.state)?;
    Ok(HttpResponse::Ok().json(contact_view(&app, &caller, &stored.state).await?))
}

/// A caller who knows the office of a person does not thereby know the telephone number.
fn require_own_or_managed(app: &App, caller: &Caller, person: &Person) -> Reply<()> {
    if person.id != caller.person {
        let world = app.world(caller.tenant)?;
        require_managed(person, &world.build_context(caller, app.clock.now()))?;
    }
    Ok(())
}

/// The contact of a person; a field that is left out is deleted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactBody {
    /// The name, of residents; the names of staff are part of the record. 姓名。
    #[schema(value_type = Option<String>, max_length = 120, example = "张小三")]
    name: Option<Line>,
    /// A mobile phone. 手机号。
    #[schema(value_type = Option<String>, max_length = 20, example = "13800005678")]
    phone: Option<Phone>,
    /// The citizen identification number (GB 11643). 公民身份号码。
    #[schema(value_type = Option<String>, max_length = 18)]
    id_number: Option<IdNumber>,
    /// The home address. 住址。
    #[schema(value_type = Option<String>, max_length = 120, example = "黄石港区武汉路 1 号")]
    address: Option<Line>,
    /// The number residents call, of a person in office. It is published in the notice of the grid.
    /// 公开联系电话，印在网格公示牌上。
    #[schema(value_type = Option<String>, min_length = 5, max_length = 20, example = "0714-6512345")]
    office_phone: Option<OfficePhone>,
}

/// Sets the contact of a person, the whole of it.
///
/// 登记联系方式：整体替换，未给出的字段随即删除；加密保存。管理员为他人登记，或本人登记。
#[utoipa::path(tag = "privacy", request_body = ContactBody, responses((status = 200, body = ContactView)))]
#[post("/contact")]
async fn set_contact(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
    _key: Key,
    body: replacing::Json<ContactBody>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Person>(&app, &caller, id.0).await?;
    let person = &stored.state;
    require_own_or_managed(&app, &caller, person)?;
    let ContactBody { name, phone, id_number, address, office_phone } = body.0;
    if office_phone.is_some() && person.is_nameless() {
        let (zh, en) = (
            "居民不登记公开联系电话；请去掉这一项。",
            "Residents have no published telephone number; leave it out.",
        );
        let problem = Problem::new(Code::InvalidBody);
        return Err(problem.error("/office_phone", "not_in_office", zh, en));
    }
    if name.is_some() && !person.is_nameless() {
        let (zh, en) = (
            "在岗人员的姓名以人员登记为准，不能在这里修改。",
            "The names of staff come from their registration and cannot be changed here.",
        );
        return Err(Problem::new(Code::InvalidBody).error("/name", "in_office", zh, en));
    }
    let birth = id_number.as_ref().and_then(IdNumber::birth);
    if birth.is_some_and(|birth| birth > local_day(app.clock.now())) {
        let (zh, en) = ("出生日期不能晚于今天。", "Nobody is born after today.");
        let problem = Problem::new(Code::InvalidBody);
        return Err(problem.error("/id_number", "out_of_range", zh, en));
    }
    let contact = Contact { name, phone, id_number, address, office_phone };
    save(&app, &request, &caller, (person.id, Extent::All), contact).await?;
    Ok(HttpResponse::Ok().json(contact_view(&app, &caller, person).await?))
}

/// How much of the stored contact is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All of it: a field that is not given is deleted.
    All,
    /// Only this field.
    One(Field),
}

impl Extent {
    fn covers_field(self, field: Field) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == field,
        }
    }
}

/// Stores a contact in place of the one before.
pub async fn save(
    app: &App,
    request: &HttpRequest,
    caller: &Caller,
    (person, extent): (PersonId, Extent),
    contact: Contact,
) -> Reply<()> {
    let (tenant, id, now) = (caller.tenant, person.0, app.clock.now());
    let subject = DataSubject::new(SubjectKind::Person, id);
    let spare = app.vault.new_spare_key(tenant, subject, now)?;
    let key = app.store.run(vault::claim_data_key(tenant, spare)).await?;
    if key.destroyed_at.is_some() {
        return Err(Refusal::Erased.into());
    }
    let look_up = app.vault.ensure_look_up(&app.store, tenant, now).await?;
    let fields = app.vault.seal_contact(tenant, (subject, &key), &contact, &look_up)?;
    let kept: Vec<Field> = fields.iter().map(|field| field.field).collect();
    let names: Vec<&str> = kept.iter().map(|field| field.name()).collect();
    let detail = serde_json::json!({ "fields": names });
    let note =
        Noting::of_caller(app, caller, request).note(AuditAction::Contact, Some(id), &detail);
    let gone = |field: &&Field| !kept.contains(field) && extent.covers_field(**field);
    let removed = Field::OF_PEOPLE.iter().filter(gone).copied().collect();
    let keep = vault::save_values(tenant, subject, fields, removed, now);
    let done = app.store.run(keep.with_note_if_done(tenant, note)).await?;
    app.memory.get_or_default::<Names>().forget(tenant, person);
    if done { Ok(()) } else { Err(Refusal::Erased.into()) }
}

/// The value to search for: exactly one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchBody {
    /// A whole phone number. 手机号。
    #[schema(value_type = Option<String>, max_length = 20, example = "13800005678")]
    phone: Option<Phone>,
    /// A whole identification number. 公民身份号码。
    #[schema(value_type = Option<String>, max_length = 18)]
    id_number: Option<IdNumber>,
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub struct SearchView {
    /// At most 100, the newest first.
    items: Vec<FoundView>,
}

/// A person or a report.
#[derive(Serialize, ToSchema)]
pub struct FoundView {
    /// What it is.
    #[schema(schema_with = view::subject_kind)]
    kind: &'static str,
    /// The kind in Chinese.
    kind_label: &'static str,
    /// The identity of that person or report.
    id: Uuid,
    /// What it is called: the masked name of a person, the number of a report.
    name: String,
}

/// Finds people and reports by a whole phone or identification number.
///
/// 按手机号或证件号精确查找人员（管理员）和上报（可知上报人的岗位）；不支持模糊查找，每次查找留痕。
#[utoipa::path(tag = "privacy", request_body = SearchBody, responses((status = 200, body = SearchView)))]
#[post("/contacts/search")]
async fn search_contacts(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    body: Json<SearchBody>,
) -> Reply<HttpResponse> {
    const MOST: i64 = 100;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let (field, value) = match (body.0.phone, body.0.id_number) {
        (Some(phone), None) => (Field::Phone, String::from(phone)),
        (None, Some(number)) => (Field::IdNumber, String::from(number)),
        (Some(_), Some(_)) | (None, None) => {
            let (zh, en) = (
                "phone 和 id_number 应给出且只给出一个。",
                "Give exactly one of `phone` and `id_number`.",
            );
            return Err(Problem::new(Code::InvalidBody).error("", "one_of", zh, en));
        }
    };
    let people = caller.may_somewhere(Permission::ManagePeople, now);
    if !people && !caller.may_somewhere(Permission::ReadReporter, now) {
        let area = app.world(tenant)?.tenant.name.clone();
        return Err(Refusal::NotPermitted { permission: Permission::ReadReporter, area }.into());
    }
    let blind =
        app.vault.ensure_look_up(&app.store, tenant, now).await?.digest_value(field, &value);
    let detail = serde_json::json!({ "field": field.name() });
    let note = Noting::of_caller(&app, &caller, &request).note(AuditAction::Search, None, &detail);
    app.store.run(persistence::people::audit::append_note(tenant, note)).await?;
    let found =
        app.store.read(move |db| vault::find_subjects(db, tenant, field, &blind, MOST)).await?;
    let of = |kind| found.iter().filter(move |one| one.kind == kind).map(|one| one.id);
    let persons = of(SubjectKind::Person).filter(|_| people).map(PersonId);
    let names = names::load_display(&app, tenant, persons).await?;
    let mut items: Vec<FoundView> =
        names.into_iter().map(|(id, name)| found_view(SubjectKind::Person, id.0, name)).collect();
    let ids: Vec<Uuid> = of(SubjectKind::Report).collect();
    let reports = app
        .store
        .read(move |db| {
            let report = |id| load_state::<Report>(db, tenant, id);
            ids.into_iter().map(report).collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
    let visible = reports.into_iter().flatten().map(|stored| stored.state).filter(|report| {
        report.visible_to(&caller, now) && report.reporter_visible_to(&caller, now)
    });
    items.extend(visible.map(|report| found_view(SubjectKind::Report, report.id.0, report.number)));
    Ok(HttpResponse::Ok().json(SearchView { items }))
}

const fn found_view(kind: SubjectKind, id: Uuid, name: String) -> FoundView {
    FoundView { kind: kind.name(), kind_label: kind.label(), id, name }
}

/// Refuses an account that is a phone or an identification number: it stays in the journal.
pub fn check_account(account: &Word) -> Reply<Word> {
    let folded = account.fold_account().map_err(|fault| {
        let (zh, en) = ("账号统一为半角小写后不合要求", fault.to_string());
        Problem::new(Code::InvalidBody).error("/account", "invalid", zh, en)
    })?;
    if domain::people::personal::looks_personal(folded.as_str()) {
        return Err(Problem::new(Code::AccountPersonal));
    }
    Ok(folded)
}

/// Whether a person was erased: the account cannot log in any more.
pub async fn is_erased(app: &App, tenant: TenantId, person: PersonId) -> Reply<bool> {
    let owner = KeyOwner::Subject(DataSubject::new(SubjectKind::Person, person.0));
    let key = app.store.read(move |db| vault::load_key(db, tenant, owner)).await?;
    Ok(key.is_some_and(|key| key.destroyed_at.is_some()))
}
