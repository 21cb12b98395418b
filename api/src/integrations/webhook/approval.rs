//! Approval of what a webhook receives. Administrators manage webhooks and read no cases; so a
//! webhook receives identities only, until a person who reads the cases of its area approves whole
//! events, and only while that person may read them.

use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use domain::{
    flows::person::Person,
    people::actor::{Actor, Permission},
    rules::{refusal::Refusal, webhook::may_approve},
};
use persistence::{
    StoreError,
    integrations::webhook::{self as hooks, Webhook},
};
use uuid::Uuid;

use super::{
    body::{ApproveBody, WebhookView},
    load_managed, load_view, new_note,
};
use crate::{
    app::{caller::Caller, state::App},
    http::{
        body::Json,
        headers::Key,
        params::IdPath,
        problem::{Code, Problem, Reply},
    },
};

/// The person who approved whole events for a webhook, while that person may read them.
pub async fn load_reader(app: &App, hook: &Webhook) -> Result<Option<Actor>, StoreError> {
    let Some((by, _)) = hook.approval else { return Ok(None) };
    let Some(world) = app.worlds.get(hook.tenant) else { return Ok(None) };
    let Some(person) = app.store.load_state::<Person>(hook.tenant, by.0).await? else {
        return Ok(None);
    };
    let Some(mut actor) = person.state.to_actor(hook.tenant, &world.rules.powers) else {
        end_approval(app, hook).await?;
        return Ok(None);
    };
    actor.grants = world.areas.expand_grants(&actor.grants);
    if may_approve(&actor, &hook.path, app.clock.now()) {
        return Ok(Some(actor));
    }
    end_approval(app, hook).await?;
    Ok(None)
}

/// Ends an approval whose giver may not read the cases any more: it does not come back with the
/// right.
async fn end_approval(app: &App, hook: &Webhook) -> Result<(), StoreError> {
    let ended = hook.clone();
    app.store.run(hooks::approve_webhook(ended, None)).await?;
    tracing::info!(webhook = %hook.id, "who agreed may not read any more: identities only");
    Ok(())
}

/// The webhook of this identity, if the caller manages it or may approve its content.
pub(super) async fn load_visible(app: &App, caller: &Caller, id: Uuid) -> Reply<Webhook> {
    let tenant = caller.tenant;
    let found = app.store.read(move |db| hooks::find(db, tenant, id)).await?;
    match found.filter(|hook| may_approve(caller, &hook.path, app.clock.now())) {
        Some(hook) => Ok(hook),
        None => load_managed(app, caller, id).await,
    }
}

/// Approves whole events for a webhook, or withdraws that.
///
/// 批准推送全文：由有权阅读该辖区案卷的工作人员批准，之前只推送标识；该人失去权限、或地址、辖区、类型变更后，自动恢复为只推送标识。管理员可以撤回，不能批准。
#[utoipa::path(tag = "webhooks", request_body = ApproveBody, responses((status = 200, body = WebhookView)))]
#[post("/approve")]
pub(super) async fn approve_webhook(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    _key: Key,
    id: IdPath<Uuid>,
    body: Json<ApproveBody>,
) -> Reply<HttpResponse> {
    let hook = load_visible(&app, &caller, id.0).await?;
    let now = app.clock.now();
    let ApproveBody { approved, url } = body.0;
    if approved && !may_approve(&caller, &hook.path, now) {
        let world = app.world(caller.tenant)?;
        let area = world.areas.get(hook.area).map_or(&world.tenant.name, |area| &area.name).clone();
        return Err(Refusal::NotPermitted { permission: Permission::ReadCases, area }.into());
    }
    let changed = || {
        Problem::new(Code::InvalidBody).error(
            "/url",
            "url_changed",
            "接收地址已经变更；请重新查看后再批准。",
            "The address of the webhook has changed; read it again before you approve.",
        )
    };
    if url != hook.url {
        return Err(changed());
    }
    let approval = approved.then_some((caller.person, now));
    let hook = Webhook { approval, ..hook };
    let step = if approved { "approve" } else { "withdraw_approval" };
    let (tenant, note, new) =
        (caller.tenant, new_note(&app, &caller, &request, &hook, step), hook.clone());
    let approve = hooks::approve_webhook(new, approval).with_note_if_done(tenant, note);
    if !app.store.run(approve).await? {
        return Err(changed());
    }
    Ok(HttpResponse::Ok().json(load_view(&app, hook, None).await?))
}
