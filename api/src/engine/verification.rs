//! Whether one case is exactly as it was written, over HTTP: the check that `gridwhistle verify`
//! makes of all of them.

use actix_web::{HttpResponse, get, web::Data};
use domain::{
    core::journal::Break,
    flows::case::state::Case,
    people::actor::{Actor, Permission},
    rules::refusal::Refusal,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{caller::Caller, state::App},
    engine::{step, verify},
    http::{params::IdPath, problem::Reply, register::ServiceConfig},
};

/// Registers the operations below one case.
pub fn under_case(config: &mut ServiceConfig<'_>) {
    config.service(get_case_verification);
}

/// What the check of a case found.
#[derive(Serialize, ToSchema)]
pub struct VerificationView {
    /// Whether everything is as it was written. 是否完整未改。
    intact: bool,
    /// The case and the reports in it, each a chain of its own.
    chains: Vec<ChainView>,
}

/// What the check of a chain found.
#[derive(Serialize, ToSchema)]
pub struct ChainView {
    /// `case` or `report`.
    flow: &'static str,
    /// The identity of the case or report. 案卷或上报标识。
    flow_id: Uuid,
    /// How many entries it has.
    entries: usize,
    /// The hash at its end; to be compared with one that was noted elsewhere. 链尾哈希。
    head: String,
    /// Whether every entry follows from the one before, and what is shown is what they say.
    intact: bool,
    /// The first broken link. 第一处断点。
    broken: Option<BrokenView>,
}

/// A broken link.
#[derive(Serialize, ToSchema)]
pub struct BrokenView {
    /// The place of the entry; none when the chain is whole and the state is not what it says.
    seq: Option<i64>,
    /// `order`, `link`, `content`, `state`, or `unreadable`: written by a newer version of the
    /// program.
    kind: &'static str,
    /// What is broken, in Chinese.
    label: &'static str,
}

impl From<&verify::Wrong> for BrokenView {
    fn from(wrong: &verify::Wrong) -> Self {
        let (seq, kind, label) = match wrong {
            verify::Wrong::Chain(Break::Order { expected, .. }) => {
                (Some(*expected), "order", "缺少记录")
            }
            verify::Wrong::Chain(Break::Link { seq }) => (Some(*seq), "link", "与前一条记录不衔接"),
            verify::Wrong::Chain(Break::Content { seq }) => {
                (Some(*seq), "content", "记录写入后被改动")
            }
            verify::Wrong::Unreadable { seq, .. } => (Some(*seq), "unreadable", "记录无法读取"),
            verify::Wrong::State(_) => (None, "state", "当前状态与记录不一致"),
        };
        Self { seq, kind, label }
    }
}

/// Verifies that a case and the reports in it are as they were written.
///
/// 验证案卷：逐条重算哈希，核对案卷和并入上报的全过程记录未被改动，指出第一处断点。
#[utoipa::path(tag = "cases", responses((status = 200, body = VerificationView)))]
#[get("/verification")]
async fn get_case_verification(
    app: Data<App>,
    caller: Caller,
    id: IdPath<Uuid>,
) -> Reply<HttpResponse> {
    let stored = step::look_at_row::<Case>(&app, &caller, id.0).await?;
    let tenant = caller.tenant;
    let reports: Vec<Uuid> = stored.state.reports.iter().map(|one| one.report.0).collect();
    let found = app
        .store
        .read(move |db| {
            let case = verify::check_flow::<Case>(db, tenant, id.0)?;
            let reports = reports.into_iter().map(|report| {
                verify::check_flow::<domain::flows::report::Report>(db, tenant, report)
            });
            std::iter::once(Ok(case)).chain(reports).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let chains: Vec<ChainView> = found
        .into_iter()
        .map(|chain| ChainView {
            flow: chain.kind.name(),
            flow_id: chain.flow,
            entries: chain.entries,
            head: chain.head.to_hex(),
            intact: chain.wrong.is_none(),
            broken: chain.wrong.as_ref().map(BrokenView::from),
        })
        .collect();
    let intact = chains.iter().all(|chain| chain.intact);
    Ok(HttpResponse::Ok().json(VerificationView { intact, chains }))
}

/// Refuses a caller who is not an auditor of the whole tenant.
pub fn require_auditor(app: &App, caller: &Actor) -> Reply<()> {
    let world = app.world(caller.tenant)?;
    let root = world.areas.root().ok_or(Refusal::OutsideTenant)?;
    let context = world.build_context(caller, app.clock.now());
    Ok(context.require_permission(Permission::ReadAudit, &root.path, &root.name)?)
}
