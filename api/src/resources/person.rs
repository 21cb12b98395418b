//! People over HTTP: administrators register them, grant and revoke roles, reset passwords.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        fold::normalise_width,
        id::{AreaId, PersonId},
        text::{Code as Word, Line},
    },
    flows::{
        change::{Request, Versioned, execute},
        person::{Command, NewGrant, Person, Shift, Standing},
    },
    people::{
        actor::{Actor, Grant, Permission, Role},
        personal::{Contact, DataSubject, Field, SubjectKind},
    },
    rules::refusal::Refusal,
};
use persistence::{
    Db, StoreError, Write,
    people::{
        appointment, identity as identities,
        person::{self as people, Origin},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::{
        auth,
        gate::is_password,
        identity::{self, IdentityView},
    },
    app::{
        caller::{Caller, Incomplete},
        clock::derive_id,
        password::Owner,
        state::App,
    },
    engine::{
        flows::ServedFlow,
        step::{self, Asked, Step},
    },
    http::{
        answer::Answer,
        body::Json,
        headers::{IfMatch, Key},
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, GrantView, UnitView, render_with_etag, state_tag},
    },
    privacy::{
        contact,
        names::{self, Names},
    },
};

impl ServedFlow for Person {
    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        use Permission::{ManagePeople, ReadPeople};
        let known = |grant: &Grant| {
            !grant.role.is_outsider() && actor.may(ReadPeople, &grant.over.path, at)
        };
        self.id == actor.person
            || actor.may_somewhere(ManagePeople, at)
            || self.grants.iter().any(known)
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(register_person).service(list_people).service(change_password);
}

/// Registers the operations below one person.
pub fn under_person(config: &mut ServiceConfig<'_>) {
    config.service(get_person).service(grant_role).service(rename_person).service(set_password);
}

/// A person who can log in.
#[derive(Serialize, ToSchema)]
pub struct PersonView {
    /// The identity of the person. 人员标识。
    id: Uuid,
    /// The place in the journal; the `ETag`.
    seq: i64,
    /// The account, unique in the city or county. 账号。
    account: String,
    /// The name: of staff as it is, of residents masked. 姓名。
    name: String,
    /// The standing: active, suspended or left. 在岗状态。
    #[schema(schema_with = view::standing)]
    standing: &'static str,
    /// The grants that are not revoked, past and future ones too.
    grants: Vec<GrantView>,
    /// The shift that was started last and not ended. 值班。
    shift: Option<ShiftView>,
}

/// A time on duty.
#[derive(Serialize, ToSchema)]
pub struct ShiftView {
    /// The area of the shift. 值班区域。
    area: UnitView,
    /// Since when. 上岗时间。
    since: DateTime<Utc>,
    /// When it ends by itself. 自动离岗时间。
    until: DateTime<Utc>,
}

impl From<&Shift> for ShiftView {
    fn from(shift: &Shift) -> Self {
        Self { area: UnitView::from(&shift.over), since: shift.since, until: shift.until }
    }
}

impl PersonView {
    fn new(stored: &Versioned<Person>, names: &HashMap<PersonId, String>) -> Self {
        let person = &stored.state;
        Self {
            id: person.id.0,
            seq: stored.seq,
            account: person.account.as_str().to_owned(),
            name: names.get(&person.id).map_or(person.name.as_str(), String::as_str).to_owned(),
            standing: person.standing.name(),
            grants: person.grants.iter().map(GrantView::from).collect(),
            shift: person.shift.as_ref().map(ShiftView::from),
        }
    }
}

/// A role over an area.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    /// The role. 角色。
    #[schema(schema_with = view::role)]
    role: Role,
    /// The area it is granted over, with everything in it. 辖区或单位。
    area_id: Uuid,
    /// The beginning; now when left out. 起始时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    from: Option<DateTime<FixedOffset>>,
    /// The end; without it, until revoked. 截止时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    until: Option<DateTime<FixedOffset>>,
    /// The name of the post it goes with. 岗位名称。
    #[schema(value_type = Option<String>, max_length = 120, example = "第一网格专职网格员")]
    post: Option<Line>,
}

impl From<&GrantBody> for NewGrant {
    fn from(body: &GrantBody) -> Self {
        Self {
            role: body.role,
            area: AreaId(body.area_id),
            from: body.from.map(|from| from.with_timezone(&Utc)),
            until: body.until.map(|until| until.with_timezone(&Utc)),
            post: body.post.clone(),
        }
    }
}

/// A person to be registered.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterBody {
    /// The identity it will have; else derived from the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// The account, unique in the city or county. 账号。
    #[schema(value_type = String, min_length = 1, max_length = 40, example = "wangge-2")]
    account: Word,
    /// The name. 姓名。
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "李网格")]
    #[serde(serialize_with = "contact::hide_value")]
    name: Line,
    /// The first password, to be handed over in person. 初始密码。
    #[schema(min_length = 10, max_length = 128, format = Password)]
    #[serde(serialize_with = "hidden")]
    password: String,
    /// The first grants, at most 50. 授权。
    #[serde(default)]
    #[schema(max_items = 50)]
    grants: Vec<GrantBody>,
}

/// A password must not enter the digest that the journal keeps.
fn hidden<S: serde::Serializer>(_: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("")
}

/// Registers a person.
///
/// 登记人员：账号、姓名、初始密码（本人首次登录须先修改）和授权；只能在自己管理的区域内授权。
#[utoipa::path(tag = "people", request_body = RegisterBody, responses((status = 201, body = PersonView)))]
#[post("/people")]
async fn register_person(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    key: Key,
    body: Json<RegisterBody>,
) -> Reply<HttpResponse> {
    require_manager(&caller, &app)?;
    let mut body = body.0;
    body.account = contact::check_account(&body.account)?;
    let id = body.id.unwrap_or_else(|| derive_id(caller.person, key.0, "person"));
    let known = Contact { name: Some(body.name.clone()), ..Contact::default() };
    let sealed =
        contact::seal_new_subject(&app, &caller, DataSubject::new(SubjectKind::Person, id), &known)
            .await?;
    let asked = Request::new(key.0, "register_person", id, &(&body, &sealed.fingerprint));
    let RegisterBody { account, name, password, grants, .. } = body;
    require_free_account(&app, &caller, &account, id).await?;
    let owner = Owner {
        account: account.as_str().to_owned(),
        name: name.as_str().to_owned(),
        administers: grants.iter().any(|grant| grant.role.is_administrative()),
    };
    let hash = app.passwords.check_and_hash(password, owner).await?;
    let command = Command::Register {
        id: PersonId(id),
        account,
        name,
        grants: grants.iter().map(NewGrant::from).collect(),
    };
    let (stored, _) = step::begin_flow(&app, &caller, asked, |context| {
        let change = execute::<Person>(None, &command, asked, context)?;
        // The person chooses another one at the first login.
        change.state.require_password()?;
        let origin = Origin::Other;
        let mut writes = vec![Write::Password { person: PersonId(id), hash: hash.clone(), origin }];
        // The names of staff stand in the journal, those of residents do not.
        if change.state.is_nameless() {
            writes.push(sealed.write.clone());
        }
        Ok((change, writes))
    })
    .await?;
    let names = names::load_display(&app, caller.tenant, [stored.state.id]).await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header(("Location", format!("/api/v1/people/{id}")));
    Ok(render_with_etag(
        &request,
        answer,
        &state_tag(stored.seq),
        &PersonView::new(&stored, &names),
    ))
}

/// Accounts are registered in the form by which they are compared, so that the database refuses a
/// second one; those of before that are looked for here.
async fn require_free_account(app: &App, caller: &Caller, account: &Word, id: Uuid) -> Reply<()> {
    let (tenant, account) = (caller.tenant, account.clone());
    let known = move |db: &mut Db| people::is_account_taken(db, tenant, &account, PersonId(id));
    if app.store.read(known).await? {
        return Err(StoreError::Exists("account").into());
    }
    Ok(())
}

/// Hashing a password is expensive: only for callers who may set one.
fn require_manager(actor: &Actor, app: &App) -> Reply<()> {
    if actor.may_somewhere(Permission::ManagePeople, app.clock.now()) {
        return Ok(());
    }
    Err(not_permitted(actor, app, Permission::ManagePeople))
}

/// Which people to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListPeople {
    /// Only with a role within this area. 在该区域任职的。
    area_id: Option<Uuid>,
    /// Only with this role. 担任该角色的。
    #[param(schema_with = view::role)]
    role: Option<Role>,
    /// Only of this standing. 在岗状态。
    #[param(schema_with = view::standing)]
    standing: Option<Standing>,
    /// Only those on duty now. 只看当前在岗值班的。
    on_duty: Option<bool>,
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<String>>,
}

/// Lists people by account.
///
/// 人员列表，按账号排序，可按区域、角色、是否值班筛选；只看得到自己辖区内任职的工作人员，管理员可见本市全部。
#[utoipa::path(tag = "people", params(ListPeople), responses((status = 200, body = Page<PersonView>)))]
#[get("/people")]
async fn list_people(
    app: Data<App>,
    caller: Caller,
    params: Query<ListPeople>,
) -> Reply<Page<PersonView>> {
    let params = params.0;
    let limit = params.limit.unwrap_or_default();
    let after = params.cursor.map(|cursor| cursor.0);
    let (tenant, most, now) = (caller.tenant, limit.probe(), app.clock.now());
    let mut filter = build_directory_filter(&caller, &app)?;
    filter.standing = params.standing;
    filter.on_duty = params.on_duty.filter(|only| *only).map(|_| now);
    if let Some(role) = params.role {
        let known = filter.roles.as_ref().is_none_or(|roles| roles.contains(&role));
        filter.roles = Some(if known { vec![role] } else { Vec::new() });
    }
    if let Some(id) = params.area_id {
        let world = app.world(tenant)?;
        let area = world.areas.get(AreaId(id)).ok_or(Refusal::UnknownArea { id: AreaId(id) })?;
        // A grant names the area as it was when it was given.
        let reached = world.areas.expand_unit(&area.unit()).into_iter().map(|unit| unit.path);
        let reached: Vec<Path> = reached.collect();
        let known = |path: &Path, own: &[Path]| {
            if own.iter().any(|own| own.contains(path)) {
                return vec![path.clone()];
            }
            own.iter().filter(|own| path.contains(own)).cloned().collect()
        };
        filter.within = Some(match filter.within {
            Some(own) => reached.iter().flat_map(|path| known(path, &own)).collect(),
            None => reached,
        });
    }
    let list = move |db: &mut Db| appointment::list(db, tenant, &filter, after.as_deref(), most);
    let found = app.store.read(list).await?;
    let ids: Vec<PersonId> =
        found.iter().filter(|one| one.state.is_nameless()).map(|one| one.state.id).collect();
    let names = names::load_display(&app, tenant, ids).await?;
    let position = |person: &Versioned<Person>| person.state.account.as_str().to_owned();
    Ok(Page::from_rows(found, limit, position, |person| PersonView::new(&person, &names)))
}

/// The people a caller may list: all of them, for a caller who manages people; for others who may
/// know of people, the staff of their own areas. Residents are no staff.
fn build_directory_filter(actor: &Actor, app: &App) -> Reply<appointment::Filter> {
    let now = app.clock.now();
    if actor.may_somewhere(Permission::ManagePeople, now) {
        return Ok(appointment::Filter::default());
    }
    let paths = actor.scope_for(Permission::ReadPeople, now).paths;
    if paths.is_empty() {
        return Err(not_permitted(actor, app, Permission::ReadPeople));
    }
    let staff = Role::ALL.iter().copied().filter(|role| !role.is_outsider());
    let (within, roles) = (Some(paths), Some(staff.collect()));
    Ok(appointment::Filter { within, roles, ..appointment::Filter::default() })
}

fn not_permitted(actor: &Actor, app: &App, permission: Permission) -> Problem {
    let area = app.world(actor.tenant).map(|world| world.tenant.name.clone()).unwrap_or_default();
    Refusal::NotPermitted { permission, area }.into()
}

/// Shows a person.
///
/// 人员详情；管理员、本人，以及可查看其任职辖区人员的人。
#[utoipa::path(tag = "people", responses((status = 200, body = PersonView)))]
#[get("")]
async fn get_person(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<Person>(&app, &caller, id.0).await?;
    let view = load_view(&app, &caller, &stored).await?;
    Ok(render_with_etag(&request, HttpResponse::Ok(), &state_tag(stored.seq), &view))
}

/// A person as the caller may see them: the name masked, except for the person.
pub async fn load_view(app: &App, caller: &Actor, stored: &Versioned<Person>) -> Reply<PersonView> {
    let (tenant, person) = (caller.tenant, &stored.state);
    let names = if person.id == caller.person {
        HashMap::from([(person.id, names::load_own(app, tenant, person).await?)])
    } else {
        names::load_display(app, tenant, [person.id]).await?
    };
    Ok(PersonView::new(stored, &names))
}

/// Runs a command on a person.
pub async fn run_command(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    command: Command,
) -> Reply<Answer<PersonView>> {
    let asked = step.build_asked(operation, body);
    let stored = step::run_command::<Person>(&step.app, &step.caller, asked, command).await?;
    // Grants and revocations are in effect from the next request on.
    step.app.actors.forget_person(stored.state.id);
    let view = load_view(&step.app, &step.caller, &stored).await?;
    Ok(Answer::of_change(stored.seq, view))
}

/// Grants a role.
///
/// 授权：在自己管理的区域内授予角色。
#[utoipa::path(tag = "people", request_body = GrantBody, responses((status = 200, body = PersonView)))]
#[post("/grant")]
async fn grant_role(step: Step, body: Json<GrantBody>) -> Reply<Answer<PersonView>> {
    let grant = NewGrant::from(&body.0);
    run_command(step, "grant_role", &body.0, Command::Grant { grant }).await
}

/// The corrected name.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameBody {
    /// The name. 姓名。
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "李网格")]
    #[serde(serialize_with = "contact::hide_value")]
    name: Line,
}

/// Corrects the name.
///
/// 更正姓名；工作人员以往记录中的姓名不变，居民的姓名只加密保存。
#[utoipa::path(tag = "people", request_body = RenameBody, responses((status = 200, body = PersonView)))]
#[post("/rename")]
async fn rename_person(
    step: Step,
    request: HttpRequest,
    body: Json<RenameBody>,
) -> Reply<Answer<PersonView>> {
    let (app, caller, id) = (step.app.clone(), step.caller.clone(), step.id);
    let name = body.0.name;
    let contact = Contact { name: Some(name.clone()), ..Contact::default() };
    let print = contact::fingerprint(&app, &caller, &contact).await?;
    let asked = step.build_asked("rename_person", &print);
    let command = Command::Rename { name };
    let stored = step::run_command::<Person>(&app, &caller, asked, command).await?;
    if stored.state.is_nameless() {
        let name = (PersonId(id), contact::Extent::One(Field::Name));
        contact::save(&app, &request, &caller, name, contact).await?;
    }
    app.actors.forget_person(stored.state.id);
    app.memory.get_or_default::<Names>().forget(caller.tenant, stored.state.id);
    let view = load_view(&app, &caller, &stored).await?;
    Ok(Answer::of_change(stored.seq, view))
}

/// A new password.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// The new password. 新密码。
    #[schema(min_length = 10, max_length = 128, format = Password)]
    #[serde(serialize_with = "hidden")]
    password: String,
}

/// A new password of one's own.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPasswordBody {
    /// The present password. 原密码。
    #[schema(max_length = 128, format = Password)]
    #[serde(serialize_with = "hidden")]
    old_password: String,
    /// The new password. 新密码。
    #[schema(min_length = 10, max_length = 128, format = Password)]
    #[serde(serialize_with = "hidden")]
    password: String,
    /// Whether external identities are unlinked too. 是否一并解除绑定的微信。
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    end_identities: bool,
}

async fn load_owner(app: &App, caller: &Caller, person: &Person) -> Reply<Owner> {
    Ok(Owner {
        account: person.account.as_str().to_owned(),
        name: names::load_own(app, caller.tenant, person).await?,
        administers: person.grants.iter().any(|grant| grant.role.is_administrative()),
    })
}

async fn reset_password(
    app: &App,
    caller: &Caller,
    asked: Asked,
    hash: String,
) -> Reply<Versioned<Person>> {
    let stored = step::run_step::<Person>(app, caller, asked, |person, context| {
        let change =
            execute::<Person>(Some(person), &Command::ResetPassword, asked.request, context)?;
        let whose = person.state.id;
        let origin = if whose == caller.person { Origin::Owner } else { Origin::Other };
        let write = Write::Password { person: whose, hash: hash.clone(), origin };
        Ok((change, vec![write]))
    })
    .await?;
    app.actors.forget_person(stored.state.id);
    Ok(stored)
}

/// A person with a new password, and the external identities.
#[derive(Serialize, ToSchema)]
pub struct PasswordView {
    /// The person with the new password. 人员。
    #[serde(flatten)]
    person: PersonView,
    /// The identities that were unlinked. 已解除的外部身份。
    ended_identities: Vec<IdentityView>,
    /// Those that can still log in, until they are unlinked. 仍可登录的外部身份。
    identities: Vec<IdentityView>,
}

/// Sets another person's password, ends every login and unlinks identities.
///
/// 管理员为他人重置密码；原有登录全部失效，绑定的微信一并解除（返回解除了哪些），本人下次登录须先改密码。修改自己的密码请用 `/me/password`。
#[utoipa::path(tag = "people", request_body = PasswordBody, responses((status = 200, body = PasswordView)))]
#[post("/password")]
async fn set_password(step: Step, body: Json<PasswordBody>) -> Reply<Answer<PasswordView>> {
    require_manager(&step.caller, &step.app)?;
    if step.id == step.caller.person.0 {
        return Err(Problem::new(Code::OldPasswordWrong));
    }
    let asked = step.build_asked("set_password", &body.0);
    let (app, tenant) = (&step.app, step.caller.tenant);
    let person = step::load_visible::<Person>(app, &step.caller, step.id).await?;
    if auth::is_program(app, tenant, &person.state).await? {
        return Err(Refusal::ProgramPassword.into());
    }
    if contact::is_erased(app, tenant, person.state.id).await? {
        return Err(Refusal::Erased.into());
    }
    let owner = load_owner(app, &step.caller, &person.state).await?;
    let hash = app.passwords.check_and_hash(body.0.password, owner).await?;
    let id = person.state.id;
    let ended = app.store.read(move |db| identities::load_linked(db, tenant, id)).await?;
    let stored = reset_password(app, &step.caller, asked, hash).await?;
    identity::tell_ended_identities(app, tenant, id, &ended).await?;
    let view = PasswordView {
        person: load_view(app, &step.caller, &stored).await?,
        ended_identities: IdentityView::from_linked(id, &ended),
        identities: Vec::new(),
    };
    Ok(Answer::of_change(stored.seq, view))
}

/// Changes the own password and ends every login, this one too.
///
/// 修改自己的密码，须提供原密码；全部登录随即失效，请用新密码重新登录。返回仍可登录的微信；怀疑被盗用时以 end_identities 一并解除。
#[utoipa::path(tag = "me", request_body = OwnPasswordBody, responses((status = 200, body = PasswordView)))]
#[post("/me/password")]
async fn change_password(
    app: Data<App>,
    request: HttpRequest,
    caller: Incomplete,
    key: Key,
    body: Json<OwnPasswordBody>,
) -> Reply<HttpResponse> {
    let id = caller.person.0;
    let asked = Request::new(key.0, "change_password", id, &body.0);
    let OwnPasswordBody { old_password, password, end_identities } = body.0;
    let tenant = caller.tenant;
    let person = step::load_visible::<Person>(&app, &caller, id).await?;
    if !is_password(&app, &caller, &person.state, old_password.clone()).await? {
        return Err(Problem::new(Code::OldPasswordWrong));
    }
    let mut owner = load_owner(&app, &caller, &person.state).await?;
    if normalise_width(&old_password) == normalise_width(&password) {
        // The old password again is no new one.
        owner.account = normalise_width(&password);
    }
    let hash = app.passwords.check_and_hash(password, owner).await?;
    let asked = Asked { id, request: asked, if_match: IfMatch::ANY };
    let stored = reset_password(&app, &caller, asked, hash).await?;
    let person = stored.state.id;
    let linked = app.store.read(move |db| identities::load_linked(db, tenant, person)).await?;
    let (ended, left) = if end_identities { (linked, Vec::new()) } else { (Vec::new(), linked) };
    if end_identities {
        app.store.run(identities::unlink_identities(tenant, person)).await?;
        identity::tell_ended_identities(&app, tenant, person, &ended).await?;
    }
    let view = PasswordView {
        person: load_view(&app, &caller, &stored).await?,
        ended_identities: IdentityView::from_linked(person, &ended),
        identities: IdentityView::from_linked(person, &left),
    };
    Ok(render_with_etag(&request, HttpResponse::Ok(), &state_tag(stored.seq), &view))
}
