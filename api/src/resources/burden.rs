//! Burden over HTTP: what the system asked of each worker and what it spared them; and the switches
//! of functions that are off unless a tenant publishes why, readable by everybody.

use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use chrono::{DateTime, Duration, FixedOffset, NaiveDate, Utc};
use domain::{
    core::{id::PersonId, text::Code as Word},
    people::actor::Permission,
    rules::{burden::Performance, refusal::Refusal, vocabulary::Switch},
};
use persistence::{
    Db,
    flows::burden::{self as burdens, Filter, Order, Sum},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    http::{
        page::{Cursor, Limit, bind_cursor},
        params::Query,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view,
    },
    privacy::names,
    resources::place::{find_paths, require_area},
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_burden).service(list_switches);
}

/// The order of people in the list.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderParam {
    /// By their identities, which says nothing about them.
    #[default]
    Identity,
    /// By how much they entered: only where rankings are switched on.
    Entries,
}

/// The people, the area and the time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BurdenParams {
    /// How many people at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Uuid>>,
    /// In this area; left out, in all you answer for, or only your own. 区域。
    within: Option<Uuid>,
    /// From when; left out, 30 days before the end. 起。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    from: Option<DateTime<FixedOffset>>,
    /// Until when; left out, now. At most 366 days. 止。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    until: Option<DateTime<FixedOffset>>,
    /// Only my own. 只看本人。
    mine: Option<bool>,
    /// `identity`, or `entries` where rankings are switched on. 顺序。
    #[param(inline)]
    order: Option<OrderParam>,
}

/// The burden of a person in a time.
#[derive(Serialize, ToSchema)]
pub struct WorkerBurden {
    /// The identity of the person. 人员标识。
    person_id: Uuid,
    /// The person's name: of staff as it is, of residents masked. 姓名。
    name: String,
    /// Entries made. 填报次数。
    entries: i64,
    /// Households campaigns asked to go to. 行动派发户数。
    asked: i64,
    /// Fields that had to have a value. 要求填写的字段。
    required: i64,
    /// Fields given. 实际填写的字段。
    typed: i64,
    /// Fields prefilled or carried over, which no one had to give. 自动带出和沿用的字段。
    reused: i64,
    /// Fields given although they were known with this very value. 重复填写的字段。
    repeated: i64,
    /// Photos demanded. 要求上传的照片。
    photos: i64,
    /// When the first entry was made; only where check-ins are switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_at: Option<DateTime<Utc>>,
    /// When the last entry was made; only where check-ins are switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<DateTime<Utc>>,
}

/// The burden of people in a time.
#[derive(Serialize, ToSchema)]
pub struct BurdenView {
    /// What the numbers mean: they measure what was demanded, not who did how much. 说明。
    note: &'static str,
    /// Whether people are ranked. 是否排名。
    ranked: bool,
    /// Where the time begins. 起。
    from: DateTime<Utc>,
    /// Where the time ends, without this moment. 止。
    until: DateTime<Utc>,
    /// One for each person.
    items: Vec<WorkerBurden>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

const NOTE: &str = "本统计反映系统对基层提出了多少要求、减轻了多少重复填写，不反映工作优劣；按人员编号排列，不排名。";
const RANKED: &str = "本市（县）已公布理由开启排名，按填报次数排列；填报多少不反映工作优劣。";

/// The time asked for: 30 days up to now when left out.
fn parse_period(
    params: &BurdenParams,
    now: DateTime<Utc>,
) -> Reply<(DateTime<Utc>, DateTime<Utc>)> {
    const USUAL: i64 = 30;
    const LONGEST: i64 = 366;
    let until = params.until.map_or(now, |until| until.to_utc());
    let usual = until.checked_sub_signed(Duration::days(USUAL)).unwrap_or(until);
    let from = params.from.map_or(usual, |from| from.to_utc());
    if from >= until {
        return Err(Refusal::EmptyPeriod.into());
    }
    if until - from > Duration::days(LONGEST) {
        let (zh, en) = ("期限最长 366 天。", "The period must be at most 366 days.");
        return Err(Problem::new(Code::InvalidQuery).parameter("from", "out_of_range", zh, en));
    }
    Ok((from, until))
}

/// Shows what the system asked of workers and what it spared them.
///
/// 填报负担：每人填报次数、要求和实际填写的字段、自动带出、重复填写、要求的照片；本人看自己的，负责人看辖区的；不排名。
#[utoipa::path(tag = "stats", params(BurdenParams), responses((status = 200, body = BurdenView)))]
#[get("/stats/burden")]
async fn get_burden(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    params: Query<BurdenParams>,
) -> Reply<HttpResponse> {
    let (params, now) = (params.0, app.clock.now());
    let world = app.world(caller.tenant)?;
    let (from, until) = parse_period(&params, now)?;
    let performance = &world.rules.conduct.performance;
    let ranked = params.order == Some(OrderParam::Entries);
    if ranked {
        performance.require_switch(Switch::Rankings)?;
    }
    let paths = caller.scope_for(Permission::ReadBurden, now).paths;
    let within = match params.within {
        Some(id) => {
            let area = require_area(&world, id)?;
            let context = world.build_context(&caller, now);
            context.require_permission(Permission::ReadBurden, &area.path, &area.name)?;
            Some(find_paths(&world, id)?)
        }
        None if params.mine.unwrap_or_default() || paths.is_empty() => None,
        None => Some(paths),
    };
    let own = params.mine.unwrap_or_default() || within.is_none();
    let filter =
        Filter { tenant: caller.tenant, person: own.then_some(caller.person), within, from, until };
    let limit = params.limit.unwrap_or_default();
    let after = params.cursor.map(|cursor| PersonId(cursor.0));
    let order = if ranked { Order::Entries } else { Order::Identity(after) };
    let probe = if ranked { i64::from(limit.get()) } else { limit.probe() };
    let look = move |db: &mut Db| burdens::list(db, &filter, order, probe);
    let found = app.store.read(look).await?;
    let people = found.iter().map(|(person, _)| *person);
    let names = names::load_display(&app, caller.tenant, people).await?;
    let check_ins = performance.grounds(Switch::CheckIns).is_some();
    let told = |(person, sum): (PersonId, Sum)| {
        let name = names.get(&person).cloned().unwrap_or_default();
        worker_burden(person, name, &sum, check_ins)
    };
    let position = |(person, _): &(PersonId, Sum)| person.0;
    let page = crate::http::page::Page::from_rows(found, limit, position, told);
    let note = if ranked { RANKED } else { NOTE };
    Ok(HttpResponse::Ok().json(BurdenView {
        note,
        ranked,
        from,
        until,
        items: page.items,
        next: page.next.map(|position| bind_cursor(&request, &position)),
    }))
}

fn worker_burden(person: PersonId, name: String, sum: &Sum, check_ins: bool) -> WorkerBurden {
    WorkerBurden {
        person_id: person.0,
        name,
        entries: sum.entries,
        asked: sum.asked,
        required: sum.required,
        typed: sum.typed,
        reused: sum.reused,
        repeated: sum.repeated,
        photos: sum.photos,
        first_at: sum.first_at.filter(|_| check_ins),
        last_at: sum.last_at.filter(|_| check_ins),
    }
}

/// Whose switches to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichSwitches {
    /// The code of the city or county; not needed where there is only one. 城市或区县代码。
    #[param(value_type = Option<String>, max_length = 40, example = "4202")]
    tenant: Option<Word>,
}

/// A switch, with what it allows and why it is on.
#[derive(Serialize, ToSchema)]
pub struct SwitchView {
    /// Which of the switches it is. 开关。
    #[schema(schema_with = view::switch)]
    switch: &'static str,
    /// The name of the switch in Chinese. 开关名称。
    label: &'static str,
    /// Whether it is on. 是否开启。
    on: bool,
    /// The reason. 开启理由。
    reason: Option<String>,
    /// The day on which the reason was made public. 公布日期。
    published: Option<NaiveDate>,
    /// What being on allows, and nothing else. 开启后允许什么。
    effect: &'static str,
    /// The same in English.
    effect_en: &'static str,
}

/// All of them.
#[derive(Serialize, ToSchema)]
pub struct SwitchesView {
    /// One of each.
    items: Vec<SwitchView>,
}

fn switch_view(one: Switch, performance: &Performance) -> SwitchView {
    let grounds = performance.grounds(one);
    let (effect, effect_en) = one.effect();
    SwitchView {
        switch: one.name(),
        label: one.label(),
        on: grounds.is_some(),
        reason: grounds.map(|grounds| grounds.reason.as_str().to_owned()),
        published: grounds.map(|grounds| grounds.published),
        effect,
        effect_en,
    }
}

/// Shows which of check-ins, mileage and rankings are on, and why, for everybody.
///
/// 公示：打卡、里程、排名是否开启及理由；默认全部关闭，无须登录即可查看。
#[utoipa::path(tag = "stats", security(()), params(WhichSwitches), responses((status = 200, body = SwitchesView)))]
#[get("/public/switches")]
async fn list_switches(app: Data<App>, params: Query<WhichSwitches>) -> Reply<HttpResponse> {
    let code = params.0.tenant;
    let world = app.worlds.find_by_code(code.as_ref().map(Word::as_str)).ok_or_else(|| {
        let (zh, en) = (
            "请用 tenant 给出现有城市或区县的代码。",
            "Give the code of an existing city or county in `tenant`.",
        );
        Problem::new(Code::InvalidQuery).parameter("tenant", "unknown_tenant", zh, en)
    })?;
    let performance = &world.rules.conduct.performance;
    let items = Switch::ALL.iter().map(|one| switch_view(*one, performance)).collect();
    Ok(HttpResponse::Ok().json(SwitchesView { items }))
}
