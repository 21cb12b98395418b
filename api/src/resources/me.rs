//! The one to-do list: what the caller's units owe, the earliest deadline first.

pub mod inspections;
pub mod messages;

use std::collections::HashMap;

use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use domain::{core::id::AreaId, people::actor::Actor, rules::obligation::Duty};
use persistence::kernel::obligation::{self, Inbox, Owed, Position};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::inspections::LookView;
use crate::{
    app::{caller::Caller, state::App},
    http::{
        page::{Cursor, Limit, Page},
        params::Query,
        problem::Reply,
        register::ServiceConfig,
        view::{self, TermView},
    },
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_todos);
    messages::routes(config);
}

/// Which obligations to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTodos {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Position>>,
    /// Only of this kind.
    #[param(schema_with = view::duty)]
    duty: Option<Duty>,
}

/// Something the caller's unit owes.
#[derive(Serialize, ToSchema)]
pub struct TodoView {
    /// The duty that is owed. 待办事项。
    #[schema(schema_with = view::duty)]
    duty: &'static str,
    /// The duty in Chinese. 事项名称。
    duty_label: &'static str,
    /// What it is about: `report`, `case`, `patrol`, `visit` or `campaign`. 事项所属类型。
    flow: String,
    /// Which of them.
    flow_id: Uuid,
    /// The number of what it is about. 编号。
    number: String,
    /// The title of what it is about. 标题。
    title: String,
    /// Which unit owes it.
    unit_id: Uuid,
    /// The name of that unit when it began to owe it. 责任单位名称。
    unit_name: String,
    /// The deadline and its working.
    term: TermView,
    /// Whether it is late already. 是否超期。
    overdue: bool,
    /// For verifications on the spot: who claimed it, or should go. 现场核实、核查的领取与就近推荐。
    #[serde(skip_serializing_if = "Option::is_none")]
    look: Option<LookView>,
}

impl TodoView {
    fn new(owed: Owed, now: DateTime<Utc>, looks: &mut HashMap<Uuid, LookView>) -> Self {
        Self {
            duty: owed.duty.name(),
            duty_label: owed.duty.label(),
            overdue: owed.term.due_at <= now,
            term: TermView::from(&owed.term),
            flow: owed.flow,
            flow_id: owed.flow_id,
            number: owed.number,
            title: owed.title,
            unit_id: owed.unit.0,
            unit_name: owed.unit_name,
            look: looks.remove(&owed.flow_id),
        }
    }
}

/// The units an actor acts for, and the actor's duties there.
fn find_desk(actor: &Actor, now: DateTime<Utc>, only: Option<Duty>) -> (Vec<AreaId>, Vec<Duty>) {
    let (mut units, mut duties) = (Vec::new(), Vec::new());
    for grant in actor.grants.iter().filter(|grant| grant.holds_at(now)) {
        let due: Vec<Duty> = Duty::ALL
            .iter()
            .copied()
            .filter(|duty| actor.grant_allows(grant, duty.permission()))
            .filter(|duty| only.is_none_or(|only| only == *duty))
            .collect();
        if !due.is_empty() && !units.contains(&grant.over.id) {
            units.push(grant.over.id);
        }
        duties.extend(due);
    }
    duties.sort_unstable();
    duties.dedup();
    (units, duties)
}

/// Lists what the caller's units owe, the earliest deadline first.
///
/// 我的待办：所在单位的全部责任，按到期时间排序，一张清单看完；现场核实和核查向最近的在岗人员优先推荐。
#[utoipa::path(tag = "me", params(ListTodos), responses((status = 200, body = Page<TodoView>)))]
#[get("/me/todos")]
async fn list_todos(
    app: Data<App>,
    caller: Caller,
    params: Query<ListTodos>,
) -> Reply<Page<TodoView>> {
    let ListTodos { limit, cursor, duty } = params.0;
    let limit = limit.unwrap_or_default();
    let now = app.clock.now();
    let (units, duties) = find_desk(&caller, now, duty);
    let inbox = Inbox { units, duties, after: cursor.map(|cursor| cursor.0), limit: limit.probe() };
    let tenant = caller.tenant;
    let owed = app.store.read(move |db| obligation::load_open(db, tenant, &inbox)).await?;
    let position = |owed: &Owed| Position {
        due_at: owed.term.due_at,
        flow: owed.flow_id,
        duty: owed.duty.name().to_owned(),
        no: owed.term.no,
        unit: owed.unit.0,
    };
    let mut looks = inspections::load_views(&app, &caller, &owed).await?;
    Ok(Page::from_rows(owed, limit, position, |owed| TodoView::new(owed, now, &mut looks)))
}
