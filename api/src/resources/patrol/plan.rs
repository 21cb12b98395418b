//! Plans of patrols over HTTP.

use actix_web::{HttpRequest, HttpResponse, get, post, web::Data};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::{
    Instant,
    core::{
        id::{AreaId, PlanId},
        text::{Line, Prose},
    },
    flows::{
        change::{Request, Versioned, execute},
        flow::Context,
        patrol::Purpose,
        patrol_plan::{Command, Content, PatrolPlan, Recurrence, Standing},
    },
    people::actor::{Actor, Permission},
};
use persistence::{Write, flows::patrol_plan as plans, kernel::journal::Keyset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    body::{ItineraryBody, check_itinerary},
    view::ItineraryView,
};
use crate::{
    app::{caller::Caller, clock::derive_id, state::App},
    engine::{
        flows::ServedFlow,
        step::{self, Step},
    },
    http::{
        answer::Answer,
        body::Json,
        flow_view::flow_view,
        headers::Key,
        page::{Cursor, Limit, Page},
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, UnitView, render_with_etag, state_tag},
    },
    resources::place::find_paths,
};

impl ServedFlow for PatrolPlan {
    fn is_visible_to(&self, actor: &Actor, at: Instant) -> bool {
        self.visible_to(actor, at)
    }
}

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list_patrol_plans)
        .service(create_patrol_plan)
        .service(get_patrol_plan)
        .service(amend_patrol_plan)
        .service(retire_patrol_plan);
}

/// The days on which patrols are made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
pub enum RecurrenceBody {
    /// Every day. 每天。
    Daily {},
    /// Monday to Friday. 周一至周五。
    Weekdays {},
    /// On working days by the calendar of the area. 工作日（按日历）。
    WorkingDays {},
    /// On some days of the week. 每周几。
    Weekly {
        /// 1 is Monday, 7 Sunday.
        #[schema(min_items = 1, max_items = 7, example = json!([1, 3, 5]))]
        days: Vec<u8>,
    },
    /// Every so many days, from the first on. 每隔几天。
    EveryDays {
        /// The days from one patrol to the next, 1 to 92. 间隔天数。
        #[schema(minimum = 1, maximum = 92)]
        days: u32,
    },
}

impl From<RecurrenceBody> for Recurrence {
    fn from(body: RecurrenceBody) -> Self {
        match body {
            RecurrenceBody::Daily {} => Self::Daily {},
            RecurrenceBody::Weekdays {} => Self::Weekdays {},
            RecurrenceBody::WorkingDays {} => Self::WorkingDays {},
            RecurrenceBody::Weekly { days } => Self::Weekly { days },
            RecurrenceBody::EveryDays { days } => Self::EveryDays { days },
        }
    }
}

impl From<&Recurrence> for RecurrenceBody {
    fn from(recurrence: &Recurrence) -> Self {
        match recurrence {
            Recurrence::Daily {} => Self::Daily {},
            Recurrence::Weekdays {} => Self::Weekdays {},
            Recurrence::WorkingDays {} => Self::WorkingDays {},
            Recurrence::Weekly { days } => Self::Weekly { days: days.clone() },
            Recurrence::EveryDays { days } => Self::EveryDays { days: *days },
        }
    }
}

/// The content of a plan.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentBody {
    /// The name it is called by. 计划名称。
    #[schema(value_type = String, min_length = 1, max_length = 120, example = "早间巡查")]
    name: Line,
    /// The purpose. 巡查目的。
    #[schema(schema_with = view::patrol_purpose)]
    purpose: Purpose,
    /// The days on which patrols are made. 周期。
    recurrence: RecurrenceBody,
    /// When the duty window begins, on the clocks of China. 开始时刻（北京时间）。
    #[schema(value_type = String, example = "08:30:00")]
    at: NaiveTime,
    /// The length of the duty window, in minutes. 时段长度（分钟）。
    #[schema(minimum = 1, maximum = 960, example = 120)]
    window_minutes: u32,
    /// The first day. 起始日期。
    #[schema(example = "2026-03-02")]
    #[serde(deserialize_with = "crate::http::body::time::read_date")]
    from: NaiveDate,
    /// The last day; without it, until it is retired. 截止日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    until: Option<NaiveDate>,
    /// What is to be seen. 巡查内容。
    #[serde(default)]
    itinerary: ItineraryBody,
}

impl ContentBody {
    fn read(&self, under: &str) -> Reply<Box<Content>> {
        let recurrence = Recurrence::from(self.recurrence.clone());
        if let Some(fault) = recurrence.find_fault() {
            let (zh, en) = match fault {
                "weekdays" => {
                    ("应为 1 到 7 中不重复的数。", "Expected different numbers from 1 to 7.")
                }
                _ => ("应为 1 到 92。", "Expected 1 to 92."),
            };
            let pointer = format!("{under}/recurrence/days");
            return Err(Problem::new(Code::InvalidBody).error(pointer, "out_of_range", zh, en));
        }
        Ok(Box::new(Content {
            name: self.name.clone(),
            purpose: self.purpose,
            recurrence,
            at: self.at,
            window_minutes: self.window_minutes,
            from: self.from,
            until: self.until,
            itinerary: self.itinerary.read(&format!("{under}/itinerary"))?,
        }))
    }
}

/// A plan to be made.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePlanBody {
    /// The identity it will have; else it is made of the `Idempotency-Key`.
    #[serde(default, deserialize_with = "crate::http::body::own_id")]
    id: Option<Uuid>,
    /// The area to patrol. 巡查区域。
    area_id: Uuid,
    /// The content of the plan. 内容。
    content: ContentBody,
}

flow_view! {
    /// A plan of patrols.
    PatrolPlanView of PatrolPlan as plan, given () {
        /// The identity of the plan.
        id;
        /// Its place in the journal; the `ETag`.
        seq;
        /// The present status.
        #[schema(schema_with = view::plan_standing)]
        standing;
        /// The standing in Chinese.
        standing_label;
        /// The area that is patrolled.
        area: UnitView = UnitView::from(&plan.area);
        /// The name it is called by.
        name: String = content.name.as_str().to_owned();
        /// What is looked for on these patrols.
        #[schema(schema_with = view::patrol_purpose)]
        purpose: &'static str = content.purpose.name();
        /// The purpose in Chinese.
        purpose_label: &'static str = content.purpose.label();
        /// The days on which patrols are made.
        recurrence: RecurrenceBody = RecurrenceBody::from(&content.recurrence);
        /// When the duty window begins, on the clocks of China.
        #[schema(value_type = String, example = "08:30:00")]
        at: NaiveTime = content.at;
        /// The length of the duty window, in minutes.
        window_minutes: u32 = content.window_minutes;
        /// The first day.
        from: NaiveDate = content.from;
        /// The last day; none while it has no end.
        until: Option<NaiveDate> = content.until;
        /// What is to be seen.
        itinerary: ItineraryView = ItineraryView::from(&content.itinerary);
        /// The last day a patrol was made for.
        made: Option<NaiveDate> = plan.made;
        /// The next day for which a patrol is due.
        next: Option<NaiveDate> = plan.next;
        /// When the plan was made.
        created_at: DateTime<Utc> = plan.created_at;
        /// The operations that are possible now.
        possible;
    }
    where {
        let content = &plan.content;
    }
}

/// Which plans to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListPatrolPlans {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<(Instant, Uuid)>>,
    /// Only within this area. 区域。
    within: Option<Uuid>,
    /// Only those of this standing.
    #[param(schema_with = view::plan_standing)]
    standing: Option<Standing>,
}

/// Lists the plans of patrols, the newest first.
///
/// 巡查计划列表。
#[utoipa::path(tag = "patrols", params(ListPatrolPlans), responses((status = 200, body = Page<PatrolPlanView>)))]
#[get("/patrol_plans")]
async fn list_patrol_plans(
    app: Data<App>,
    caller: Caller,
    params: Query<ListPatrolPlans>,
) -> Reply<Page<PatrolPlanView>> {
    let ListPatrolPlans { limit, cursor, within, standing } = params.0;
    let limit = limit.unwrap_or_default();
    let world = app.world(caller.tenant)?;
    let within = within.map(|id| find_paths(&world, id)).transpose()?;
    let scope = caller.scope_for(Permission::ReadCases, app.clock.now());
    let keyset = Keyset { after: cursor.map(|cursor| cursor.0), limit: limit.probe() };
    let list = move |db: &mut _| plans::list(db, &scope, within.as_deref(), standing, keyset);
    let found = app.store.read(list).await?;
    let position = |stored: &Versioned<PatrolPlan>| (stored.state.created_at, stored.state.id.0);
    Ok(Page::from_rows(found, limit, position, |stored| PatrolPlanView::new(&stored)))
}

/// Shows a plan of patrols.
///
/// 巡查计划详情。
#[utoipa::path(tag = "patrols", responses((status = 200, body = PatrolPlanView)))]
#[get("/patrol_plans/{id}")]
async fn get_patrol_plan(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let stored = step::load_visible::<PatrolPlan>(&app, &caller, id.0).await?;
    let view = PatrolPlanView::new(&stored);
    Ok(render_with_etag(&request, HttpResponse::Ok(), &state_tag(stored.seq), &view))
}

/// Makes a plan of patrols.
///
/// 新建巡查计划：按周期自动生成当天和次日的巡查，由所在网格承担；不要求打卡，不考核里程。
#[utoipa::path(tag = "patrols", request_body = CreatePlanBody, responses((status = 201, body = PatrolPlanView)))]
#[post("/patrol_plans")]
async fn create_patrol_plan(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    key: Key,
    body: Json<CreatePlanBody>,
) -> Reply<HttpResponse> {
    let id = body.0.id.unwrap_or_else(|| derive_id(caller.person, key.0, "patrol_plan"));
    let asked = Request::new(key.0, "create_patrol_plan", id, &body.0);
    let (area, content) = (AreaId(body.0.area_id), body.0.content.read("/content")?);
    let world = app.world(caller.tenant)?;
    let command = Command::Create { id: PlanId(id), area, content: content.clone() };
    let (stored, _) = step::begin_flow(&app, &caller, asked, |context| {
        let change = execute::<PatrolPlan>(None, &command, asked, context)?;
        check_itinerary(&world, area, &content.itinerary)?;
        Ok((change, Vec::<Write>::new()))
    })
    .await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header(("Location", format!("/api/v1/patrol_plans/{}", stored.state.id)));
    Ok(render_with_etag(&request, answer, &state_tag(stored.seq), &PatrolPlanView::new(&stored)))
}

/// The new content of a plan.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendPlanBody {
    /// The whole of it. 全部内容。
    content: ContentBody,
}

/// Changes the content of a plan.
///
/// 修改巡查计划：整份替换；已经生成的巡查不变。
#[utoipa::path(tag = "patrols", request_body = AmendPlanBody, responses((status = 200, body = PatrolPlanView)))]
#[post("/patrol_plans/{id}/amend")]
async fn amend_patrol_plan(step: Step, body: Json<AmendPlanBody>) -> Reply<Answer<PatrolPlanView>> {
    let content = body.0.content.read("/content")?;
    let asked = step.build_asked("amend_patrol_plan", &body.0);
    let world = step.app.world(step.caller.tenant)?;
    let command = Command::Amend { content: content.clone() };
    let decide = |plan: &Versioned<PatrolPlan>, context: Context<'_>| {
        let change = execute(Some(plan), &command, asked.request, context)?;
        check_itinerary(&world, plan.state.area.id, &content.itinerary)?;
        Ok((change, Vec::new()))
    };
    let stored = step::run_step::<PatrolPlan>(&step.app, &step.caller, asked, decide).await?;
    Ok(Answer::of_change(stored.seq, PatrolPlanView::new(&stored)))
}

/// The end of a plan.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetirePlanBody {
    /// The reason. 停用原因。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "网格调整")]
    reason: Prose,
}

/// Retires a plan: no more patrols are made by it.
///
/// 停用巡查计划；已经生成而不再需要的巡查请逐个取消。
#[utoipa::path(tag = "patrols", request_body = RetirePlanBody, responses((status = 200, body = PatrolPlanView)))]
#[post("/patrol_plans/{id}/retire")]
async fn retire_patrol_plan(
    step: Step,
    body: Json<RetirePlanBody>,
) -> Reply<Answer<PatrolPlanView>> {
    let reason = body.0.reason.clone();
    run_command(step, "retire_patrol_plan", &body.0, Command::Retire { reason }).await
}

async fn run_command(
    step: Step,
    operation: &str,
    body: &impl Serialize,
    command: Command,
) -> Reply<Answer<PatrolPlanView>> {
    let asked = step.build_asked(operation, body);
    let stored = step::run_command::<PatrolPlan>(&step.app, &step.caller, asked, command).await?;
    let view = PatrolPlanView::new(&stored);
    Ok(Answer::of_change(stored.seq, view))
}
