//! Many households at once: each by itself, so that a faulty item does not affect the others.

use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use domain::core::id::CommandId;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    HouseholdBody,
    commands::{commit_registration, prepare_registration},
};
use crate::{
    app::{caller::Caller, clock::derive_id, state::App},
    http::{
        body::Json,
        headers::Key,
        language::Language,
        problem::{Code, Problem, Reply, render_problem},
    },
};

/// The most households of one request.
const MOST: usize = 1000;

/// How many are registered at the same time: they share commits, and leave room for others.
const ABREAST: usize = 16;

/// Households to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportHouseholdsBody {
    /// At most 1000. 家庭列表。
    #[schema(max_items = 1000, value_type = Vec<HouseholdBody>)]
    items: Vec<Value>,
}

/// The result of one item.
#[derive(Serialize, ToSchema)]
pub struct ImportedView {
    /// Its place among the items, from 0.
    index: usize,
    /// Its identity, when it is registered.
    id: Option<Uuid>,
    /// The number of the household, when it is registered. 编号。
    number: Option<String>,
    /// `registered`, `registered_before` under this very key, or `failed`. 结果。
    #[schema(example = "registered")]
    result: &'static str,
    /// The problem of a failed item, as it would be answered alone. 问题。
    #[schema(value_type = Option<Object>)]
    problem: Option<Value>,
}

/// The results of all items.
#[derive(Serialize, ToSchema)]
pub struct ImportView {
    /// How many are registered.
    registered: usize,
    /// How many failed.
    failed: usize,
    /// One for each item, in their order.
    items: Vec<ImportedView>,
}

/// Registers many households.
///
/// 批量登记家庭：每次最多 1000 户，逐户返回结果，一户有错不影响其他户；用同一个键重发不会重复登记。
#[utoipa::path(tag = "households", request_body = ImportHouseholdsBody, responses((status = 200, body = ImportView)))]
#[post("/household_imports")]
pub(super) async fn import_households(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    key: Key,
    body: Json<ImportHouseholdsBody>,
) -> Reply<HttpResponse> {
    let items = body.0.items;
    if items.is_empty() || items.len() > MOST {
        let (zh, en) = ("应有 1 到 1000 户。", "Expected 1 to 1000 households.");
        return Err(Problem::new(Code::InvalidBody).error("/items", "out_of_range", zh, en));
    }
    let language = Language::from_headers(request.headers());
    let one = |(index, item): (usize, Value)| {
        let (app, caller) = (&app, &caller);
        async move { render_result(index, import_one(app, caller, key, (index, item)).await, language) }
    };
    let work = stream::iter(items.into_iter().enumerate()).map(one);
    let items: Vec<ImportedView> = work.buffered(ABREAST).collect().await;
    let failed = items.iter().filter(|item| item.problem.is_some()).count();
    let registered = items.len() - failed;
    Ok(HttpResponse::Ok().json(ImportView { registered, failed, items }))
}

/// Registers one of them, under a key derived from that of the request and its index.
async fn import_one(
    app: &App,
    caller: &Caller,
    key: Key,
    (index, item): (usize, Value),
) -> Reply<(Uuid, String, bool)> {
    let body: HouseholdBody = serde_path_to_error::deserialize(item).map_err(|error| {
        let pointer = crate::http::body::json_pointer(error.path());
        let wording = crate::http::wording::translate_message(
            &error.inner().to_string(),
            crate::http::wording::Noun::Field,
        );
        let pointer = match wording.field {
            Some(field) if !pointer.ends_with(&field) => format!("{pointer}/{field}"),
            _ => pointer,
        };
        Problem::new(Code::InvalidBody).error(pointer, wording.code, wording.zh, wording.en)
    })?;
    let key = Key(CommandId(derive_id(caller.person, key.0, &format!("household {index}"))));
    let prepared = prepare_registration(app, caller, (key, "import_households"), &body).await?;
    let (stored, new) = commit_registration(app, caller, prepared, false).await?;
    Ok((stored.state.id.0, stored.state.number, new))
}

fn render_result(
    index: usize,
    done: Reply<(Uuid, String, bool)>,
    language: Language,
) -> ImportedView {
    match done {
        Ok((id, number, new)) => ImportedView {
            index,
            id: Some(id),
            number: Some(number),
            result: if new { "registered" } else { "registered_before" },
            problem: None,
        },
        Err(problem) => {
            let problem = serde_json::from_slice(&render_problem(&problem, language, "")).ok();
            let problem = Some(problem.unwrap_or(Value::Null));
            ImportedView { index, id: None, number: None, result: "failed", problem }
        }
    }
}
