//! The audit log over HTTP: read by auditors, who grant nothing; written by every operation that
//! matters for security.

use actix_web::{HttpRequest, get, web::Data};
use chrono::{DateTime, FixedOffset, Utc};
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    flows::person::Person,
    people::{
        actor::Actor,
        audit::{AuditAction, Note, Record, Verdict},
    },
};
use persistence::people::audit;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, limits, state::App},
    engine::verification::require_auditor,
    http::{
        page::{Cursor, Limit, Page},
        params::Query,
        problem::Reply,
        register::ServiceConfig,
        view,
    },
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_audit);
}

/// The actor and the address of a note.
pub struct Noting {
    at: Instant,
    actor: Option<PersonId>,
    actor_name: String,
    address: String,
}

impl Noting {
    /// A caller who is logged in.
    pub fn of_caller(app: &App, caller: &Actor, request: &HttpRequest) -> Self {
        Self {
            at: app.clock.now(),
            actor: Some(caller.person),
            actor_name: caller.name.clone(),
            address: limits::client_address(request, app.settings.proxies).to_string(),
        }
    }

    /// A person who logs in, or tries to; a typed text that is no account's name may be anything, a
    /// password too, and is not noted.
    pub fn of_stranger(app: &App, person: Option<&Person>, request: &HttpRequest) -> Self {
        Self {
            at: app.clock.now(),
            actor: person.map(|person| person.id),
            actor_name: person.map(|person| person.name.as_str().to_owned()).unwrap_or_default(),
            address: limits::client_address(request, app.settings.proxies).to_string(),
        }
    }

    /// A person who is known by identity alone.
    pub async fn of_person(
        app: &App,
        tenant: TenantId,
        person: PersonId,
        request: &HttpRequest,
    ) -> Reply<Self> {
        let stored = app.store.load_state::<Person>(tenant, person.0).await?;
        Ok(Self::of_stranger(app, stored.as_ref().map(|stored| &stored.state), request))
    }

    /// The note of something that was done.
    pub fn note(self, act: AuditAction, subject: Option<Uuid>, detail: &Value) -> Note {
        self.build_note(act, Verdict::Done, subject, detail)
    }

    /// The note of something that was refused.
    pub fn note_refusal(self, act: AuditAction, subject: Option<Uuid>, detail: &Value) -> Note {
        self.build_note(act, Verdict::Refused, subject, detail)
    }

    fn build_note(
        self,
        act: AuditAction,
        verdict: Verdict,
        subject: Option<Uuid>,
        detail: &Value,
    ) -> Note {
        let Self { at, actor, actor_name, address } = self;
        let detail = detail.to_string();
        Note { at, act, verdict, actor, actor_name, subject, address, detail }
    }
}

/// A failed attempt of a person.
#[derive(Clone, Copy)]
pub struct Tried<'a> {
    /// The act that was tried.
    pub act: AuditAction,
    /// The method, as in `Session::method`.
    pub method: &'a str,
    /// The reason for the refusal, where it is not that the proof was wrong.
    pub reason: Option<&'a str>,
}

/// Records that a person could not prove to be who they say they are.
pub async fn record_refusal(
    app: &App,
    request: &HttpRequest,
    (tenant, person): (TenantId, Option<&Person>),
    Tried { act, method, reason }: Tried<'_>,
) -> Reply<()> {
    let detail = json!({ "method": method, "reason": reason });
    let noting = Noting::of_stranger(app, person, request);
    append_note(app, tenant, noting.note_refusal(act, person.map(|person| person.id.0), &detail))
        .await
}

/// Writes a note on its own.
pub async fn append_note(app: &App, tenant: TenantId, note: Note) -> Reply<()> {
    app.store.run(audit::append_note(tenant, note)).await?;
    Ok(())
}

/// Which acts to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAudit {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<i64>>,
    /// Only acts of this kind. 行为。
    #[param(schema_with = view::act)]
    act: Option<AuditAction>,
    /// Only by this person. 操作人。
    actor: Option<Uuid>,
    /// Only about this person, report or document. 对象。
    subject: Option<Uuid>,
    /// Only from then on. 起始时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    since: Option<DateTime<FixedOffset>>,
    /// Only before then. 截止时间。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_moment")]
    until: Option<DateTime<FixedOffset>>,
}

/// An act that matters for security.
#[derive(Serialize, ToSchema)]
pub struct AuditView {
    /// Its place in the log.
    seq: i64,
    /// When it was done.
    at: DateTime<Utc>,
    /// The act that was done.
    #[schema(schema_with = view::act)]
    act: &'static str,
    /// The act in Chinese.
    act_label: &'static str,
    /// The verdict on the act.
    #[schema(schema_with = view::verdict)]
    verdict: &'static str,
    /// The verdict in Chinese.
    verdict_label: &'static str,
    /// The identity of the actor; none for a caller who was not recognised, and for the operator of
    /// the service.
    actor_id: Option<Uuid>,
    /// The name in office of the actor.
    actor_name: String,
    /// The identity of the person or thing it was about.
    subject_id: Option<Uuid>,
    /// The network address it came from.
    address: String,
    /// More facts, by name; which ones depends on the act.
    #[schema(value_type = Object)]
    detail: Value,
    /// The hash of this record, which covers the one before.
    hash: String,
}

impl From<Record> for AuditView {
    fn from(record: Record) -> Self {
        let Record { seq, note, hash, .. } = record;
        Self {
            seq,
            at: note.at,
            act: note.act.name(),
            act_label: note.act.label(),
            verdict: note.verdict.name(),
            verdict_label: note.verdict.label(),
            actor_id: note.actor.map(|person| person.0),
            actor_name: note.actor_name,
            subject_id: note.subject,
            address: note.address,
            detail: serde_json::from_str(&note.detail).unwrap_or_default(),
            hash: hash.to_hex(),
        }
    }
}

/// Lists acts that matter for security, newest first.
///
/// 审计日志：登录、授权、明文查看、导出、删除、密钥轮换等；哈希成链，仅审计员可读。
#[utoipa::path(tag = "audit", params(ListAudit), responses((status = 200, body = Page<AuditView>)))]
#[get("/audit")]
async fn list_audit(
    app: Data<App>,
    caller: Caller,
    params: Query<ListAudit>,
) -> Reply<Page<AuditView>> {
    require_auditor(&app, &caller)?;
    let ListAudit { limit, cursor, act, actor, subject, since, until } = params.0;
    let (tenant, limit) = (caller.tenant, limit.unwrap_or_default());
    let utc = |time: DateTime<FixedOffset>| time.with_timezone(&Utc);
    let filter = audit::Filter {
        act,
        actor: actor.map(PersonId),
        subject,
        since: since.map(utc),
        until: until.map(utc),
    };
    let before = cursor.map(|cursor| cursor.0);
    let found =
        app.store.read(move |db| audit::list(db, tenant, &filter, before, limit.probe())).await?;
    Ok(Page::from_rows(found, limit, |record| record.seq, AuditView::from))
}
