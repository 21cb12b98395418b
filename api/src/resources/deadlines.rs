//! Deadlines explained: the working of every clock of a case, and what would apply to a matter that
//! is not filed yet.

use actix_web::{HttpResponse, get, post, web::Data};
use chrono::{DateTime, Datelike, Utc};
use domain::{
    calendar::book::{CountedPause, DayShown, Pause, Working},
    core::{
        id::AreaId,
        journal::FlowKind,
        text::{Code as Word, Line, Prose},
        time::local_day,
    },
    flows::{case::state::Case, flow::Flow},
    rules::{
        obligation::{Duty, Move, Obligation},
        place::ReportDetails,
        refusal::Refusal,
        rulebook::Subject,
        sla::{self, Verdict},
        vocabulary::{Channel, Complexity, Demand, Urgency},
    },
};
use persistence::kernel::obligation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    engine::step,
    http::{
        body::Json,
        params::IdPath,
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::{self, TermView, UnitView},
    },
    resources::case::ObligationView,
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(preview_deadlines);
}

/// Registers the operations below one case.
pub fn under_case(config: &mut ServiceConfig<'_>) {
    config.service(get_case_clocks);
}

/// The clocks of a case.
#[derive(Serialize, ToSchema)]
pub struct CaseClocksView {
    /// The running clocks, with their working. 正在计时。
    running: Vec<ClockView>,
    /// All obligations, with their units and outcomes. 全部时限记录。
    all: Vec<ObligationView>,
}

/// One clock with its working.
#[derive(Serialize, ToSchema)]
pub struct ClockView {
    /// The duty that is owed.
    #[schema(schema_with = view::duty)]
    duty: &'static str,
    /// The duty in Chinese. 事项名称。
    duty_label: &'static str,
    /// The unit that owes it. 责任单位。
    unit: UnitView,
    /// The deadline, its rule and its editions.
    term: TermView,
    /// When the next measure is to be taken: a reminder, urging, or a later one.
    next_measure_at: Option<DateTime<Utc>>,
    /// How many measures were taken.
    measures_taken: u8,
    /// The rule in words, as the calendar counts. 计算方法。
    method: &'static str,
    /// The days and the stretches of time that counted. 逐日计算过程。
    days: Vec<DayView>,
    /// Days that are not shown one by one.
    more_days: i64,
    /// Pauses, and the time they added. 暂停。
    pauses: Vec<PauseView>,
    /// Years whose notice is not published. 未公布安排的年份。
    provisional_years: Vec<i32>,
}

/// One day of a working.
#[derive(Serialize, ToSchema)]
pub struct DayView {
    /// Which one. 日期。
    #[schema(value_type = String, example = "2026-09-20")]
    date: chrono::NaiveDate,
    /// The day of the week. 星期。
    #[schema(example = "sunday")]
    weekday: &'static str,
    /// The kind of the day: whether and why it is worked. 性质。
    #[schema(example = "make_up")]
    kind: &'static str,
    /// The kind in Chinese. 性质名称。
    kind_label: &'static str,
    /// The name of the holiday, or the reason for special hours.
    name: Option<String>,
    /// The time that counted, in minutes. 计入分钟数。
    minutes: i64,
    /// The stretches that counted. 计入时段。
    stretches: Vec<StretchView>,
}

/// Time that counted.
#[derive(Serialize, ToSchema)]
pub struct StretchView {
    /// When the stretch begins.
    from: DateTime<Utc>,
    /// When the stretch ends.
    until: DateTime<Utc>,
}

/// A pause of a clock.
#[derive(Serialize, ToSchema)]
pub struct PauseView {
    /// When the clock stopped.
    from: DateTime<Utc>,
    /// When it goes on.
    until: DateTime<Utc>,
    /// The counted time it takes out, in minutes.
    minutes: i64,
}

impl From<&DayShown> for DayView {
    fn from(day: &DayShown) -> Self {
        Self {
            date: day.date,
            weekday: day.weekday.name(),
            kind: day.kind.name(),
            kind_label: day.kind.label(),
            name: day.name.clone(),
            minutes: day.seconds / 60,
            stretches: day
                .stretches
                .iter()
                .map(|stretch| StretchView { from: stretch.from, until: stretch.until })
                .collect(),
        }
    }
}

impl From<&CountedPause> for PauseView {
    fn from(pause: &CountedPause) -> Self {
        Self { from: pause.from, until: pause.until, minutes: pause.seconds / 60 }
    }
}

impl ClockView {
    fn new(owed: &Obligation, working: &Working) -> Self {
        Self {
            duty: owed.duty.name(),
            duty_label: owed.duty.label(),
            unit: UnitView::from(&owed.owed_by),
            term: TermView::from(&owed.term),
            next_measure_at: owed.term.next_at,
            measures_taken: owed.term.taken,
            method: working.rule,
            days: working.days.iter().map(DayView::from).collect(),
            more_days: working.rest.map_or(0, |rest| rest.days),
            pauses: working.pauses.iter().map(PauseView::from).collect(),
            provisional_years: working.provisional_years.clone(),
        }
    }
}

/// Shows the working of every clock of a case.
///
/// 时限说明：每项时限用的哪条规则、哪版日历、哪些工作时段、延期与挂账、由谁承担。
#[utoipa::path(tag = "clocks", responses((status = 200, body = CaseClocksView)))]
#[get("/clocks")]
async fn get_case_clocks(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    let case = step::load_visible::<Case>(&app, &caller, id.0).await?;
    let world = app.world(caller.tenant)?;
    let area = sla::ancestry(&world.areas, case.state.place.area.id);
    let calendar = world.rules.calendars.value.find_nearest(&area);
    let running = case.state.obligations();
    let running = running.iter().map(|owed| {
        let pauses: Vec<Pause> = owed.term.moves.iter().filter_map(pause_of).collect();
        let term = &owed.term;
        let working = calendar.explain_until(term.started_at, term.limit, term.due_at, &pauses);
        ClockView::new(owed, &working)
    });
    let running = running.collect();
    let (tenant, id) = (caller.tenant, id.0);
    let all = app
        .store
        .read(move |db| obligation::load_for_flow(db, tenant, (FlowKind::Case, id)))
        .await?;
    let all = all.into_iter().map(ObligationView::from).collect();
    Ok(HttpResponse::Ok().json(CaseClocksView { running, all }))
}

fn pause_of(moved: &Move) -> Option<Pause> {
    match moved {
        Move::Paused { pause } => Some(*pause),
        Move::Extended { .. } => None,
    }
}

/// The known facts of a matter.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadlinesPreviewBody {
    /// The area it lies in. 区域。
    area_id: Uuid,
    /// The channel it came by. 来源渠道。
    #[schema(schema_with = view::channel)]
    channel: Option<Channel>,
    /// The demand. 诉求类型。
    #[schema(schema_with = view::demand)]
    demand: Option<Demand>,
    /// The code of its category. 类别代码。
    #[schema(value_type = Option<String>, example = "A02")]
    category: Option<Word>,
    /// The urgency. 紧急程度。
    #[schema(schema_with = view::urgency)]
    urgency: Option<Urgency>,
    /// The complexity. 难易程度。
    #[schema(schema_with = view::complexity)]
    complexity: Option<Complexity>,
    /// The rank of the whistle. 哨级。
    #[schema(value_type = Option<String>, example = "advance")]
    rank: Option<Word>,
    /// Whether it is handled again. 是否二次办理。
    #[serde(default)]
    redo: bool,
    /// Only this duty, with every rule that was considered. 只看某一环节。
    #[schema(schema_with = view::duty)]
    duty: Option<Duty>,
    /// When the clock would start; now by default. 起算时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    at: Option<DateTime<Utc>>,
}

/// The deadlines that would apply.
#[derive(Serialize, ToSchema)]
pub struct DeadlinesPreviewView {
    /// The edition of the matrix of deadlines.
    rules: i64,
    /// The edition of the calendar.
    calendar: i64,
    /// One for each duty.
    items: Vec<DeadlinePreview>,
}

/// The deadline that would apply to one duty.
#[derive(Serialize, ToSchema)]
pub struct DeadlinePreview {
    /// The duty that would be owed.
    #[schema(schema_with = view::duty)]
    duty: &'static str,
    /// The duty in Chinese. 事项名称。
    duty_label: &'static str,
    /// The deadline, had the clock started then.
    term: TermView,
    /// The source of the rule. 依据。
    basis: String,
    /// The kind of unit that answers for it. 责任单位。
    owner: String,
    /// How the calendar counts.
    method: &'static str,
    /// The rules that were considered, the most specific first; only when one duty is asked for.
    considered: Vec<ConsideredView>,
}

/// A rule that was considered.
#[derive(Serialize, ToSchema)]
pub struct ConsideredView {
    /// The code of the rule: a row of the matrix of deadlines. 规则编号。
    rule: String,
    /// The limit, such as `5wd`.
    #[schema(example = "5wd")]
    limit: String,
    /// `wins`, `applies` (another is more specific) or `fails`.
    #[schema(example = "fails")]
    verdict: &'static str,
    /// The conditions that do not hold. 不满足的条件。
    unmet: Vec<UnmetView>,
}

/// A condition that does not hold.
#[derive(Serialize, ToSchema)]
pub struct UnmetView {
    /// The column of the matrix that does not fit.
    #[schema(example = "urgency")]
    column: &'static str,
    /// The value the rule asks for.
    wanted: String,
    /// The value the matter has.
    given: Option<String>,
}

/// Shows what deadlines would apply, and why.
///
/// 时限预览：不产生任何记录，说明适用哪条规则、为什么、到期时间如何计算。
#[utoipa::path(tag = "clocks", request_body = DeadlinesPreviewBody, responses((status = 200, body = DeadlinesPreviewView)))]
#[post("/sla/preview")]
async fn preview_deadlines(
    app: Data<App>,
    caller: Caller,
    body: Json<DeadlinesPreviewBody>,
) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let body = body.0;
    if world.areas.get(AreaId(body.area_id)).is_none() {
        return Err(Refusal::UnknownArea { id: AreaId(body.area_id) }.into());
    }
    if let Some(code) = &body.category {
        world.catalogue.require_category(code.as_str())?;
    }
    let at = body.at.unwrap_or_else(|| app.clock.now());
    let duties = Duty::ALL.iter().copied().filter(|duty| duty.has_limit());
    let duties = duties.filter(|duty| body.duty.is_none_or(|only| only == *duty));
    let items = duties
        .map(|duty| preview_deadline(duty, &body, &world, &caller, at))
        .collect::<Reply<_>>()?;
    let (rules, calendar) = (world.rules.deadlines.no, world.rules.calendars.no);
    Ok(HttpResponse::Ok().json(DeadlinesPreviewView { rules, calendar, items }))
}

fn preview_deadline(
    duty: Duty,
    body: &DeadlinesPreviewBody,
    world: &TenantSnapshot,
    caller: &Caller,
    at: DateTime<Utc>,
) -> Reply<DeadlinePreview> {
    let matter = build_matter(body)?;
    let rank = body.rank.as_ref().map(Word::as_str);
    let area = AreaId(body.area_id);
    let subject = Subject { area, channel: body.channel, matter: &matter, rank, redo: body.redo };
    let context = world.build_context(caller, at);
    let (row, calendar) = world.rules.find_deadline(duty, &subject, &context);
    let row = row.ok_or_else(|| Problem::new(Code::Internal))?;
    let term = world.rules.start_term(duty, &subject, &context);
    if term.due_at.year() > 9999 {
        let (zh, en) = (
            "起算时间过晚，到期时间超出 9999 年。",
            "It is so late that the deadline is beyond the year 9999.",
        );
        return Err(Problem::new(Code::InvalidBody).error("/at", "out_of_range", zh, en));
    }
    let chain = sla::ancestry(&world.areas, area);
    let category = world.catalogue.lineage(body.category.as_ref().map(Word::as_str));
    let query = sla::Query {
        duty,
        area: &chain,
        channel: body.channel,
        demand: body.demand,
        category: &category,
        urgency: matter.urgency,
        complexity: body.complexity,
        rank,
        redo: body.redo,
        on: local_day(at),
    };
    let considered = match body.duty {
        Some(_) => world.rules.deadlines.value.explain_rows(&query),
        None => Vec::new(),
    };
    Ok(DeadlinePreview {
        duty: duty.name(),
        duty_label: duty.label(),
        term: TermView::from(&term),
        basis: row.basis.clone(),
        owner: row.owner.clone(),
        method: calendar.explain_due(at, row.limit, &[]).rule,
        considered: considered.into_iter().map(ConsideredView::from).collect(),
    })
}

impl From<sla::Considered<'_>> for ConsideredView {
    fn from(one: sla::Considered<'_>) -> Self {
        let (verdict, unmet) = match one.verdict {
            Verdict::Wins => ("wins", Vec::new()),
            Verdict::Applies => ("applies", Vec::new()),
            Verdict::Fails { unmet } => ("fails", unmet),
        };
        let unmet = unmet.into_iter().map(|unmet| UnmetView {
            column: unmet.column.name(),
            wanted: unmet.wanted,
            given: unmet.given,
        });
        Self {
            rule: one.row.id.clone(),
            limit: one.row.limit.to_string(),
            verdict,
            unmet: unmet.collect(),
        }
    }
}

/// The details of a matter that deadlines depend on; it has no words yet.
fn build_matter(body: &DeadlinesPreviewBody) -> Reply<ReportDetails> {
    let wrong = |_| Problem::new(Code::Internal);
    Ok(ReportDetails {
        title: Line::try_from("预览").map_err(wrong)?,
        text: Prose::try_from("预览").map_err(wrong)?,
        category: body.category.clone(),
        urgency: body.urgency.unwrap_or(Urgency::Normal),
        demand: body.demand,
        complexity: body.complexity,
    })
}
