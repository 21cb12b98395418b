//! The requests, supervisions and breaches of a case, as views.

use chrono::{DateTime, Utc};
use domain::{
    flows::case::state::{ApprovalRequest, ApprovalSubject, Breach, Supervision},
    rules::obligation::Duty,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::view::{self, TermView, UnitView};

/// A pending approval request.
#[derive(Serialize, ToSchema)]
pub(crate) struct AskView {
    /// Its number, for deciding and withdrawing it. 申请编号。
    no: i64,
    /// The kind of request.
    #[schema(schema_with = view::wish)]
    kind: &'static str,
    /// The kind in Chinese. 申请类型名称。
    kind_label: &'static str,
    /// The unit it is for.
    unit: UnitView,
    /// The name of who asked. 申请人。
    by: String,
    /// The reasons, for those who sign. 申请理由。
    reason: String,
    /// When it was asked. 申请时间。
    at: DateTime<Utc>,
    /// The duty, of an extension. 延期的事项。
    #[schema(schema_with = view::duty_or_null)]
    duty: Option<&'static str>,
    /// The amount of time, of an extension. 申请时长。
    amount: Option<u32>,
    /// The unit of that time.
    #[schema(schema_with = view::limit_unit_or_null)]
    unit_of_time: Option<&'static str>,
    /// The end, of a standstill. 挂账至。
    until: Option<DateTime<Utc>>,
    /// The number of the breach, of an appeal.
    breach: Option<i64>,
    /// The signatures it needs, in order. 审批环节。
    signatures: Vec<SignatureView>,
}

/// A signature that a request needs.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignatureView {
    /// The unit that owes it.
    over: UnitView,
    /// The deadline, once it is its turn.
    term: Option<TermView>,
    /// The name of who gave it.
    by: Option<String>,
    /// When it was given; none while it is owed.
    at: Option<DateTime<Utc>>,
}

impl From<&ApprovalRequest> for AskView {
    fn from(ask: &ApprovalRequest) -> Self {
        let (mut duty, mut limit, mut until, mut breach) = (None, None, None, None);
        match &ask.wish {
            ApprovalSubject::Extension { duty: of, limit: given } => {
                (duty, limit) = (*of, Some(*given));
            }
            ApprovalSubject::Suspension { until: given } => until = Some(*given),
            ApprovalSubject::Appeal { breach: given } => breach = Some(*given),
            ApprovalSubject::Whistle { .. } => {}
        }
        Self {
            no: ask.no,
            kind: ask.wish.kind().name(),
            kind_label: ask.wish.kind().label(),
            unit: UnitView::from(&ask.unit),
            by: ask.by_name.clone(),
            reason: ask.reason.as_str().to_owned(),
            at: ask.at,
            duty: duty.map(Duty::name),
            amount: limit.map(|limit| limit.amount),
            unit_of_time: limit.map(|limit| limit.unit.name()),
            until,
            breach,
            signatures: ask
                .signatures
                .iter()
                .map(|signature| SignatureView {
                    over: UnitView::from(&signature.over),
                    term: signature.term.as_ref().map(TermView::from),
                    by: signature.given.as_ref().map(|given| given.by_name.clone()),
                    at: signature.given.as_ref().map(|given| given.at),
                })
                .collect(),
        }
    }
}

/// A supervision by a superior.
#[derive(Serialize, ToSchema)]
pub(crate) struct SupervisionView {
    /// Its number, for answering. 督办编号。
    no: i64,
    /// How strict the supervision is. 督办形式。
    #[schema(schema_with = view::supervision_kind)]
    kind: &'static str,
    /// The strictness in Chinese. 督办形式名称。
    kind_label: &'static str,
    /// The trigger of the supervision. 触发原因。
    #[schema(schema_with = view::supervision_trigger)]
    trigger: &'static str,
    /// The unit that has to answer.
    addressee: UnitView,
    /// The name of who began it.
    by: String,
    /// When it was begun. 督办时间。
    at: DateTime<Utc>,
    /// The reasons, in words; none where a rule began it. 督办意见。
    reason: Option<String>,
    /// The deadline of the answer.
    term: Option<TermView>,
    /// The answer of the addressee; none until then. 答复内容。
    reply: Option<String>,
    /// When it was answered.
    replied_at: Option<DateTime<Utc>>,
}

impl From<&Supervision> for SupervisionView {
    fn from(one: &Supervision) -> Self {
        Self {
            no: one.no,
            kind: one.kind.name(),
            kind_label: one.kind.label(),
            trigger: one.trigger.name(),
            addressee: UnitView::from(&one.addressee),
            by: one.by_name.clone(),
            at: one.at,
            reason: one.reason.as_ref().map(|reason| reason.as_str().to_owned()),
            term: one.term.as_ref().map(TermView::from),
            reply: one.reply.as_ref().map(|reply| reply.text.as_str().to_owned()),
            replied_at: one.reply.as_ref().map(|reply| reply.at),
        }
    }
}

/// An obligation that was late; the breach stays, an exemption stands beside it.
#[derive(Serialize, ToSchema)]
pub(crate) struct BreachView {
    /// Its number, for an appeal. 超期事实编号。
    no: i64,
    /// The duty that was owed.
    #[schema(schema_with = view::duty)]
    duty: &'static str,
    /// The duty in Chinese. 事项名称。
    duty_label: &'static str,
    /// The unit that owed it. 责任单位。
    unit: UnitView,
    /// When it was due.
    due_at: DateTime<Utc>,
    /// Whether it was appealed against.
    appealed: bool,
    /// When the exemption was given. 免责时间。
    exempted_at: Option<DateTime<Utc>>,
}

impl From<&Breach> for BreachView {
    fn from(breach: &Breach) -> Self {
        Self {
            no: breach.no,
            duty: breach.duty.name(),
            duty_label: breach.duty.label(),
            unit: UnitView::from(&breach.unit),
            due_at: breach.due_at,
            appealed: breach.appealed,
            exempted_at: breach.exempted_at,
        }
    }
}
