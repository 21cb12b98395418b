//! The view of a case.
#![expect(clippy::wildcard_enum_match_arm, reason = "most stages have nothing of it")]

use chrono::{DateTime, Utc};
use domain::{
    Instant,
    area::tree::Unit,
    flows::{
        case::{Answer, ReporterAnswer, Stage, Work, state::Case},
        change::Versioned,
        content_review::HIDDEN_TITLE,
    },
    people::actor::{Actor, Permission},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    http::{
        flow_view::flow_view,
        problem::Reply,
        view::{self, PlaceView, TermView, UnitView},
    },
    resources::{
        case::{
            request_view::{AskView, BreachView, SupervisionView},
            whistle_view::WhistleView,
        },
        content_review,
        media::{self, AttachedView},
    },
};

flow_view! {
    /// A case, as far as the caller may see it.
    CaseView of Case as case, given (world: &TenantSnapshot, by: &Actor, at: Instant) {
        /// The identity of the case. 案卷标识。
        id;
        /// Its number, as read over the telephone. 案卷号。
        number;
        /// Its place in the journal; the `ETag`.
        seq;
        /// The present stage or step.
        #[schema(schema_with = view::stage)]
        stage;
        /// The stage in Chinese. 阶段名称。
        stage_label;
        /// The title, in a line.
        title: String = if withheld { HIDDEN_TITLE } else { case.matter.title.as_str() }.to_owned();
        /// The matter in full. 内容。
        text: String = if withheld { HIDDEN_TITLE } else { case.matter.text.as_str() }.to_owned();
        /// The code in the catalogue.
        category: Option<String> = category.map(|code| code.as_str().to_owned());
        /// The name of that category; none where the catalogue lacks it. 类别名称。
        category_name: Option<String> = named.map(|category| category.name.clone());
        /// The urgency of the matter. 紧急程度。
        #[schema(schema_with = view::urgency)]
        urgency: &'static str = case.matter.urgency.name();
        /// The place; only the area of what another resident reported, until a review passed the
        /// address, and never more where that resident must not be known.
        place: PlaceView = if withheld {
            PlaceView { area: UnitView::from(&case.place.area), point: None, address: None }
        } else {
            PlaceView::from(&case.place)
        };
        /// When it was filed. 立案时间。
        filed_at: DateTime<Utc> = case.filed_at;
        /// The unit that holds the case. 当前持有层级。
        holder: UnitView = UnitView::from(&case.holder);
        /// The unit it is dispatched to. 承办单位。
        assignment: Option<AssignmentView> = case.stage.assignment().map(|assignment| AssignmentView {
            unit: UnitView::from(&assignment.unit),
            handle: TermView::from(&assignment.handle),
            result: assignment.result.as_ref().map(|text| text.as_str().to_owned()),
        });
        /// The whistle of this round. 本轮吹哨。
        whistle: Option<WhistleView> = case
            .stage
            .whistle()
            .map(|whistle| (whistle, case.stage.is_whistle_on()))
            .map(|whistle| WhistleView::new(whistle, &world.rules.whistling, works_for));
        /// What the reporter did on the spot.
        on_the_spot: Option<String> = on_the_spot;
        /// The resident's answer to the callback. 回访结果。
        answer: Option<AnswerView> = answer_of(&case.stage).map(|answer| {
            let mut answer = AnswerView::from(answer);
            // One of several residents wrote it, and the others see only what a review passed.
            answer.comment = answer.comment.filter(|_| staff || case.reports.len() == 1);
            answer
        });
        /// The answers of several reporters since the last verification, as far as the caller may know:
        /// all for staff, the own for a reporter. 各上报人的评价。
        answers: Vec<ReporterAnswerView> = answers_of(case, by, staff);
        /// The end of the case. 结案信息。
        closing: Option<ClosingView> = ClosingView::from_case(case);
        /// How many reports it answers.
        reports: usize = case.reports.len();
        /// Counts of returns, reworks and other events.
        tally: TallyView = TallyView {
            returns: case.tally.returns,
            reworks: case.tally.reworks,
            reopenings: case.tally.reopenings,
            whistles: case.tally.whistles,
            missed_callbacks: case.tally.missed_callbacks,
            extensions: case.tally.extensions,
            suspensions: case.tally.suspensions,
        };
        /// The channel it first came by. 来源渠道。
        #[schema(schema_with = view::channel)]
        channel: &'static str = case.channel.name();
        /// The demand of the reporter. 诉求类型。
        #[schema(schema_with = view::demand_or_null)]
        demand: Option<&'static str> =
            case.matter.demand.map(domain::rules::vocabulary::Demand::name);
        /// How much work it is. 难易程度。
        #[schema(schema_with = view::complexity_or_null)]
        complexity: Option<&'static str> =
            case.matter.complexity.map(domain::rules::vocabulary::Complexity::name);
        /// The unit that was given it first. 首接单位。
        first_receiver: Option<UnitView> = case.first.as_ref().map(UnitView::from);
        /// The unit that answers the citizen: the first one, until another one signed. 责任单位。
        answerable: Option<UnitView> = case.answerable.as_ref().map(UnitView::from);
        /// Who claimed the verification. 核查领取人。
        claim: Option<view::ClaimView> = case.stage.claim().map(view::ClaimView::from);
        /// The unit that arbitrates, while the case is disputed. 裁定单位。
        arbiter: Option<UnitView> = match &case.stage {
            Stage::Disputed { arbiter, .. } => Some(UnitView::from(arbiter)),
            Stage::Ruling { over, .. } => Some(UnitView::from(over)),
            _ => None,
        };
        /// Until when it stands still. 挂账至。
        suspended_until: Option<DateTime<Utc>> =
            case.standstill.as_ref().map(|still| still.pause.until);
        /// Pending approval requests. 待审批事项。
        requests: Vec<AskView> = case.asks.iter().map(AskView::from).collect();
        /// Supervisions, and their answers. 督办。
        supervisions: Vec<SupervisionView> =
            case.supervisions.iter().map(SupervisionView::from).collect();
        /// Obligations that were late. 超期事实。
        breaches: Vec<BreachView> = case.breaches.iter().map(BreachView::from).collect();
        /// The obligations owed now, with unit and deadline. 当前待办与时限。
        owed;
        /// The operations that are possible now, for callers who are allowed to.
        possible;
        /// Whether title and text are withheld from the caller until a review passes them: they are
        /// another resident's. 内容待审核，暂不可见。
        withheld: bool = withheld;
        /// The files its reports and steps name, with links when one case is read and without in `GET
        /// /sync`; null elsewhere and where there are none. 照片等文件，含处置前后对比。
        media: Option<Vec<AttachedView>> = None;
    }
    where {
        let works_for = |unit: &Unit| by.may(Permission::ReadCases, &unit.path, at);
        let staff = case.may_read_in_office(by, at);
        let first = case.reports.first().is_some_and(|first| first.person == by.person);
        let withheld = !staff && !first;
        let category = case.matter.category.as_ref();
        let named = category.and_then(|code| world.catalogue.get(code.as_str()));
        let on_the_spot = match case.stage.work() {
            Some(Work::OnTheSpot { result, .. }) => Some(result.as_str().to_owned()),
            Some(Work::Unit { .. } | Work::Whistle { .. }) | None => None,
        };
    }
}

/// A case in short.
#[derive(Serialize, ToSchema)]
pub struct CaseBrief {
    /// The identity of the case.
    id: Uuid,
    /// The number of the case, as read over the telephone.
    number: String,
    /// The present stage or step.
    #[schema(schema_with = view::stage)]
    stage: &'static str,
    /// The stage in Chinese.
    stage_label: &'static str,
    /// The end of the case.
    closing: Option<ClosingView>,
}

impl From<&Versioned<Case>> for CaseBrief {
    fn from(stored: &Versioned<Case>) -> Self {
        let stage = stored.state.stage.name();
        Self {
            id: stored.state.id.0,
            number: stored.state.number.clone(),
            stage: stage.name(),
            stage_label: stage.label(),
            closing: ClosingView::from_case(&stored.state),
        }
    }
}

/// A unit that was given the case.
#[derive(Serialize, ToSchema)]
pub struct AssignmentView {
    /// The unit that handles the case.
    unit: UnitView,
    /// The deadline of handling, from dispatch.
    handle: TermView,
    /// The result it fed back.
    result: Option<String>,
}

/// The resident's answers: two, because solved is not satisfied.
#[derive(Serialize, ToSchema)]
pub struct AnswerView {
    /// Whether it is solved. 是否解决。
    solved: bool,
    /// The satisfaction. 是否满意。
    #[schema(schema_with = view::satisfaction)]
    satisfied: &'static str,
    /// What the resident added, in words. 评价意见。
    comment: Option<String>,
}

/// The answer of one of several reporters.
#[derive(Serialize, ToSchema)]
pub struct ReporterAnswerView {
    /// The report it answers for. 上报。
    report_id: Uuid,
    /// What that reporter answered. 评价。
    answer: AnswerView,
}

impl From<&Answer> for AnswerView {
    fn from(answer: &Answer) -> Self {
        Self {
            solved: answer.solved,
            satisfied: answer.satisfied.name(),
            comment: answer.comment.as_ref().map(|text| text.as_str().to_owned()),
        }
    }
}

/// The end of a case.
#[derive(Serialize, ToSchema)]
pub struct ClosingView {
    /// How the case ended.
    #[schema(schema_with = view::case_outcome)]
    outcome: &'static str,
    /// The outcome in Chinese.
    outcome_label: &'static str,
    /// When it was closed.
    at: DateTime<Utc>,
    /// Until when it can be reopened.
    reopen_until: DateTime<Utc>,
}

impl ClosingView {
    fn from_case(case: &Case) -> Option<Self> {
        let Stage::Closed { closing, .. } = &case.stage else { return None };
        Some(Self {
            outcome: closing.outcome.name(),
            outcome_label: closing.outcome.label(),
            at: closing.at,
            reopen_until: closing.reopen_until,
        })
    }
}

/// Counts of returns, reworks and other events.
#[derive(Serialize, ToSchema)]
pub struct TallyView {
    /// 退单次数。
    returns: u32,
    /// 返工次数。
    reworks: u32,
    /// 重开次数。
    reopenings: u32,
    /// 吹哨次数。
    whistles: u32,
    /// 未接通回访次数。
    missed_callbacks: u32,
    /// 延期次数。
    extensions: u32,
    /// 挂账次数。
    suspensions: u32,
}

impl CaseView {
    /// Adds what has to be looked up: the files, and what was withheld and may be shown after
    /// all.
    pub async fn load_details(&mut self, app: &App, caller: &Caller, case: &Case) -> Reply<()> {
        self.media = media::load_case_files(app, caller, case).await?;
        let Some(first) = case.reports.first().filter(|_| self.withheld) else { return Ok(()) };
        let passed = content_review::load_passed(app, caller.tenant, first.report.0).await?;
        if passed.place {
            self.place = PlaceView::from(&case.place);
        }
        if passed.words {
            self.withheld = false;
            case.matter.title.as_str().clone_into(&mut self.title);
            case.matter.text.as_str().clone_into(&mut self.text);
        }
        Ok(())
    }

    /// The same with these files.
    #[must_use]
    pub fn with_media(self, media: media::Files) -> Self {
        Self { media, ..self }
    }

    /// The files that are shown.
    pub fn media(&self) -> Option<&[AttachedView]> {
        self.media.as_deref()
    }
}

fn answers_of(case: &Case, by: &Actor, staff: bool) -> Vec<ReporterAnswerView> {
    let own = |report| case.reports.iter().any(|r| r.report == report && r.person == by.person);
    let answers = case.answers.iter().filter(|one| staff || own(one.report));
    let view = |one: &ReporterAnswer| ReporterAnswerView {
        report_id: one.report.0,
        answer: AnswerView::from(&one.answer),
    };
    answers.map(view).collect()
}

fn answer_of(stage: &Stage) -> Option<&Answer> {
    match stage {
        Stage::CalledBack { answer, .. } => answer.as_ref(),
        Stage::Closed { closing, .. } => closing.answer.as_ref(),
        _ => None,
    }
}
