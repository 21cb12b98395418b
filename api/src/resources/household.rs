//! Households over HTTP: registered in grids, shown masked, paired with the people responsible,
//! disclosed only on the record, erased on request.

pub mod commands;
pub mod disclose;
pub mod import;
pub mod sealed;

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    Instant,
    core::{
        id::PersonId,
        journal::FlowKind,
        text::{Code as Word, Line, Prose},
    },
    flows::{
        change::Versioned,
        household::{Group, Household, NewPairing, PairingKind, Standing, possible_commands},
        person::Person,
    },
    people::actor::{Actor, Permission},
    rules::refusal::Refusal,
};
use persistence::{Db, flows::household as households, kernel::journal::Keyset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::sealed::{MemberBody, MemberChange, MemberView, RoomBody, Shown};
use crate::{
    app::{
        caller::{Caller, is_in_office},
        state::App,
    },
    engine::{
        flows::ServedFlow,
        step::{self, Start, Step},
    },
    http::{
        answer::Answer,
        body::{Json, shared::EmptyBody},
        flow_view::flow_view,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::Reply,
        register::ServiceConfig,
        view::{self, UnitView, render_with_etag, state_tag},
    },
    privacy::{audit::Noting, names},
    resources::{
        place::find_paths,
        timeline::{self, TimelineParams, TimelineView},
    },
};

impl ServedFlow for Household {
    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(register_household)
        .service(list_households)
        .service(get_household)
        .service(get_household_timeline)
        .service(update_household)
        .service(pair_household)
        .service(unpair_household)
        .service(leave_household)
        .service(return_household)
        .service(erase_household)
        .service(disclose::disclose_household)
        .service(import::import_households);
}

/// A group of ten households.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupBody {
    /// Its code within the grid. 编号。
    #[schema(value_type = String, max_length = 40, example = "S03")]
    code: Word,
    /// What people call it. 名称。
    #[schema(value_type = Option<String>, max_length = 120)]
    name: Option<Line>,
}

impl From<GroupBody> for Group {
    fn from(GroupBody { code, name }: GroupBody) -> Self {
        Self { code, name }
    }
}

/// A person to be made responsible.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairBody {
    /// The person. 责任人。
    person_id: Uuid,
    /// The kind of pairing. 结对方式。
    #[schema(schema_with = view::pairing_kind)]
    kind: PairingKind,
    /// From when; left out, from now. 起。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    from: Option<DateTime<FixedOffset>>,
    /// Until when; left out, until it is ended. 止。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    until: Option<DateTime<FixedOffset>>,
}

impl PairBody {
    fn pairing(&self) -> NewPairing {
        NewPairing {
            person: PersonId(self.person_id),
            kind: self.kind,
            from: self.from.map(|at| at.to_utc()),
            until: self.until.map(|at| at.to_utc()),
        }
    }
}

/// A household to be registered.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HouseholdBody {
    /// The identity it will have; else it is made of the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    pub id: Option<Uuid>,
    /// The grid it lies in. 所在网格。
    pub area_id: Uuid,
    /// The building. 楼栋。
    #[schema(value_type = Option<String>, max_length = 120, example = "3栋")]
    pub building: Option<Line>,
    /// Unit, floor and room; kept encrypted. 单元、楼层、房号。
    #[serde(serialize_with = "crate::privacy::contact::hide_value")]
    pub room: Option<RoomBody>,
    /// The group of ten. 十联户。
    pub group: Option<GroupBody>,
    /// How many live there. 人数。
    #[schema(minimum = 0, maximum = 200)]
    pub size: Option<u16>,
    /// Those who are known by name; kept encrypted. 家庭成员。
    #[serde(default, serialize_with = "crate::privacy::contact::hide_value")]
    #[schema(max_items = 30)]
    pub members: Vec<MemberBody>,
    /// The people responsible for it. 结对责任人。
    #[serde(default)]
    #[schema(max_items = 20)]
    pub pairings: Vec<PairBody>,
}

flow_view! {
    /// A household, without sealed data.
    HouseholdBrief of Household as household, given () {
        /// The identity of the household. 家庭标识。
        id;
        /// Its number. 编号。
        number;
        /// Its place in the journal; the `ETag`.
        seq;
        /// The grid. 网格。
        area: UnitView = UnitView::from(&household.area);
        /// The building. 楼栋。
        building: Option<String> = household.building.clone().map(String::from);
        /// The group of ten, by its code. 十联户。
        group: Option<String> = group.map(|group| group.code.as_str().to_owned());
        /// What people call that group.
        group_name: Option<String> = group.and_then(|group| group.name.clone()).map(String::from);
        /// How many live there. 人数。
        size: Option<u16> = household.size;
        /// How many members are registered. 已登记成员数。
        known: usize = household.members.len();
        /// Whether a member belongs to a group of special care. 是否有特殊群体成员。
        special: bool = household.special;
        /// Whether it is registered, moved away or erased.
        #[schema(schema_with = view::household_standing)]
        standing;
        /// The standing in Chinese. 状态名称。
        standing_label;
        /// When it was registered.
        registered_at: DateTime<Utc> = household.registered_at;
    }
    where {
        let group = household.group.as_ref();
    }
}

impl HouseholdBrief {
    /// The identity of the household.
    pub const fn id(&self) -> Uuid {
        self.id
    }
}

/// A person responsible for a household.
#[derive(Serialize, ToSchema)]
pub struct PairingView {
    /// The person who is responsible.
    person_id: Uuid,
    /// The name: of staff as it is, of residents masked.
    name: String,
    /// The kind of pairing.
    #[schema(schema_with = view::pairing_kind)]
    kind: &'static str,
    /// The kind in Chinese.
    kind_label: &'static str,
    /// When the pairing begins.
    from: DateTime<Utc>,
    /// When the pairing ends; none while no end is set.
    until: Option<DateTime<Utc>>,
    /// Whether it holds now.
    holds: bool,
}

/// A household, with its members masked.
#[derive(Serialize, ToSchema)]
pub struct HouseholdView {
    /// The data that is not sealed.
    #[serde(flatten)]
    brief: HouseholdBrief,
    /// Unit, floor and room, masked; none where none is kept. 房号（脱敏）。
    room: Option<String>,
    /// Those who are known by name, masked. 家庭成员（脱敏）。
    members: Vec<MemberView>,
    /// The people responsible for it. 结对责任人。
    pairings: Vec<PairingView>,
    /// The operations that are possible now.
    possible: Vec<&'static str>,
}

/// The view of a household for a caller who may know of it.
pub async fn render_view(
    app: &App,
    caller: &Caller,
    stored: &Versioned<Household>,
) -> Reply<HouseholdView> {
    let shown = Shown::load(app, caller.tenant, &stored.state).await?;
    let people = stored.state.pairings.iter().map(|one| one.person);
    let names = names::load_display(app, caller.tenant, people).await?;
    Ok(HouseholdView::new(stored, &shown, &names, app.clock.now()))
}

/// The same of several households, in their order.
pub async fn render_all(
    app: &App,
    caller: &Caller,
    all: &[&Versioned<Household>],
) -> Reply<Vec<HouseholdView>> {
    let states: Vec<&Household> = all.iter().map(|stored| &stored.state).collect();
    let shown = Shown::of_all(app, caller.tenant, &states).await?;
    let people = states.iter().flat_map(|household| &household.pairings).map(|one| one.person);
    let names = names::load_display(app, caller.tenant, people).await?;
    let now = app.clock.now();
    let view = |(stored, shown): (&&Versioned<Household>, &Shown)| {
        HouseholdView::new(stored, shown, &names, now)
    };
    Ok(all.iter().zip(&shown).map(view).collect())
}

impl HouseholdView {
    fn new(
        stored: &Versioned<Household>,
        shown: &Shown,
        names: &HashMap<PersonId, String>,
        now: Instant,
    ) -> Self {
        let household = &stored.state;
        let pairing = |one: &domain::flows::household::Pairing| PairingView {
            person_id: one.person.0,
            name: names.get(&one.person).cloned().unwrap_or_default(),
            kind: one.kind.name(),
            kind_label: one.kind.label(),
            from: one.from,
            until: one.until,
            holds: one.is_active_at(now),
        };
        Self {
            brief: HouseholdBrief::new(stored),
            room: shown.mask_room(),
            members: household.members.iter().map(|member| shown.mask_member(*member)).collect(),
            pairings: household.pairings.iter().map(pairing).collect(),
            possible: possible_commands(household.standing),
        }
    }
}

/// Refuses identities that belong to no person of the tenant.
pub async fn require_people(
    app: &App,
    caller: &Caller,
    people: impl IntoIterator<Item = Uuid>,
) -> Reply<()> {
    for id in people {
        if app.store.load_state::<Person>(caller.tenant, id).await?.is_none() {
            return Err(Refusal::UnknownPerson { id: PersonId(id) }.into());
        }
    }
    Ok(())
}

/// Registers a household.
///
/// 登记家庭：归入网格；房号、成员姓名、电话、证件号和特殊群体类别加密保存。
#[utoipa::path(tag = "households", request_body = HouseholdBody, responses((status = 201, body = HouseholdView)))]
#[post("/households")]
async fn register_household(
    start: Start,
    body: Json<HouseholdBody>,
) -> Reply<Answer<HouseholdView>> {
    commands::register_household(start, body.0).await
}

/// Which households to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListHouseholds {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only those I am paired with. 只看我结对的。
    mine: Option<bool>,
    /// Only within this area. 区域。
    within: Option<Uuid>,
    /// Only in this building. 楼栋。
    #[param(value_type = Option<String>, max_length = 120)]
    building: Option<Line>,
    /// Only of this group of ten, by its code. 十联户。
    #[param(value_type = Option<String>, max_length = 40)]
    group: Option<Word>,
    /// Only with, or without, a member of a group of special care. 有无特殊群体成员。
    special: Option<bool>,
    /// Only of this standing.
    #[param(schema_with = view::household_standing)]
    standing: Option<Standing>,
}

/// Lists households, newest first.
///
/// 家庭列表：本辖区内的和与我结对的；不含姓名、电话等加密内容。
#[utoipa::path(tag = "households", params(ListHouseholds), responses((status = 200, body = Page<HouseholdBrief>)))]
#[get("/households")]
async fn list_households(
    app: Data<App>,
    caller: Caller,
    params: Query<ListHouseholds>,
) -> Reply<Page<HouseholdBrief>> {
    let params = params.0;
    let (limit, now) = (params.limit.unwrap_or_default(), app.clock.now());
    let world = app.world(caller.tenant)?;
    let within = params.within.map(|id| find_paths(&world, id)).transpose()?;
    let filter = households::Filter {
        mine: params.mine.unwrap_or_default(),
        within,
        building: params.building.map(String::from),
        group: params.group.map(String::from),
        special: params.special,
        standing: params.standing,
        ..households::Filter::default()
    };
    let scope = caller.scope_for(Permission::ReadHouseholds, now);
    let office = is_in_office(&caller, now);
    let keyset = Keyset { after: params.cursor.map(|cursor| cursor.0), limit: limit.probe() };
    let look = move |db: &mut Db| households::list(db, (&scope, office), &filter, now, keyset);
    let found = app.store.read(look).await?;
    let position = |stored: &Versioned<Household>| (stored.state.registered_at, stored.state.id.0);
    Ok(Page::from_rows(found, limit, position, |stored| HouseholdBrief::new(&stored)))
}

/// Shows a household.
///
/// 家庭详情：成员信息脱敏显示；查看明文须说明目的并留痕。
#[utoipa::path(tag = "households", responses((status = 200, body = HouseholdView)))]
#[get("/households/{id}")]
async fn get_household(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let (tag, view) = load_view(&app, &caller, id.0).await?;
    Ok(render_with_etag(&request, HttpResponse::Ok(), &tag, &view))
}

/// A household with masked data, and its tag.
pub async fn load_view(app: &App, caller: &Caller, id: Uuid) -> Reply<(String, HouseholdView)> {
    let stored = step::load_visible::<Household>(app, caller, id).await?;
    Ok((state_tag(stored.seq), render_view(app, caller, &stored).await?))
}

/// Shows the timeline of a household.
///
/// 家庭登记、结对和填表的全过程记录；不含个人信息。
#[utoipa::path(tag = "households", params(TimelineParams), responses((status = 200, body = TimelineView)))]
#[get("/households/{id}/timeline")]
async fn get_household_timeline(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
    params: Query<TimelineParams>,
) -> Reply<HttpResponse> {
    step::load_visible::<Household>(&app, &caller, id.0).await?;
    timeline::render(&app, &caller, (FlowKind::Household, id.0), &params.0).await
}

/// The changes; fields that are left out stay.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateBody {
    /// Another grid. 网格。
    area_id: Option<Uuid>,
    /// The building. 楼栋。
    #[schema(value_type = Option<String>, max_length = 120)]
    building: Option<Line>,
    /// Unit, floor and room; kept encrypted. 房号。
    #[serde(serialize_with = "crate::privacy::contact::hide_value")]
    room: Option<RoomBody>,
    /// The group of ten. 十联户。
    group: Option<GroupBody>,
    /// How many live there. 人数。
    #[schema(minimum = 0, maximum = 200)]
    size: Option<u16>,
    /// New members. 新增成员。
    #[serde(default, serialize_with = "crate::privacy::contact::hide_value")]
    #[schema(max_items = 30)]
    add_members: Vec<MemberBody>,
    /// Changes of members; fields that are left out stay. 变更成员，只填变化。
    #[serde(default, serialize_with = "crate::privacy::contact::hide_value")]
    #[schema(max_items = 30)]
    change_members: Vec<MemberChange>,
    /// Members to remove; their data is erased. 移除成员。
    #[serde(default)]
    #[schema(max_items = 30)]
    remove_members: Vec<Uuid>,
}

/// Updates the data of a household.
///
/// 更新家庭信息：只填变化的部分；移除的成员其个人信息随即删除。
#[utoipa::path(tag = "households", request_body = UpdateBody, responses((status = 200, body = HouseholdView)))]
#[post("/households/{id}/update")]
async fn update_household(step: Step, body: Json<UpdateBody>) -> Reply<Answer<HouseholdView>> {
    commands::update_household(step, body.0).await
}

/// Pairs a household with a person responsible for it.
///
/// 结对：一户一专人、党员联户、干部包保、联户长、志愿者；同一人同一方式再次结对即更新期限。
#[utoipa::path(tag = "households", request_body = PairBody, responses((status = 200, body = HouseholdView)))]
#[post("/households/{id}/pair")]
async fn pair_household(step: Step, body: Json<PairBody>) -> Reply<Answer<HouseholdView>> {
    commands::pair_household(step, body.0).await
}

/// The pairing to end.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnpairBody {
    /// The person. 责任人。
    person_id: Uuid,
    /// The kind of pairing. 结对方式。
    #[schema(schema_with = view::pairing_kind)]
    kind: PairingKind,
}

/// Ends the pairing of a household with a person.
///
/// 解除结对。
#[utoipa::path(tag = "households", request_body = UnpairBody, responses((status = 200, body = HouseholdView)))]
#[post("/households/{id}/unpair")]
async fn unpair_household(step: Step, body: Json<UnpairBody>) -> Reply<Answer<HouseholdView>> {
    commands::unpair_household(step, body.0).await
}

/// Records that a household moved away.
///
/// 迁出：不再走访，已有记录保留。
#[utoipa::path(tag = "households", request_body = EmptyBody, responses((status = 200, body = HouseholdView)))]
#[post("/households/{id}/leave")]
async fn leave_household(step: Step, body: Json<EmptyBody>) -> Reply<Answer<HouseholdView>> {
    commands::leave_household(step, body.0).await
}

/// Records that a household is back.
///
/// 恢复在册：误操作或迁回。
#[utoipa::path(tag = "households", request_body = EmptyBody, responses((status = 200, body = HouseholdView)))]
#[post("/households/{id}/return")]
async fn return_household(step: Step, body: Json<EmptyBody>) -> Reply<Answer<HouseholdView>> {
    commands::return_household(step, body.0).await
}

/// The erasure of a household.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseHouseholdBody {
    /// The reason: who asked for it and how. 理由。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "户主申请删除家庭信息")]
    reason: Prose,
}

/// Erases the personal data of a household.
///
/// 删除家庭个人信息：销毁该户、全部成员和全部已填表单的密钥，不可恢复；走访次数等记录保留但不再指向任何人。
#[utoipa::path(tag = "households", request_body = EraseHouseholdBody, responses((status = 200, body = HouseholdView)))]
#[post("/households/{id}/erasure")]
async fn erase_household(
    step: Step,
    request: HttpRequest,
    body: Json<EraseHouseholdBody>,
) -> Reply<Answer<HouseholdView>> {
    let noting = Noting::of_caller(&step.app, &step.caller, &request);
    commands::erase_household(step, noting, body.0).await
}
