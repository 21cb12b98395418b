//! How a report is submitted: where it is, when it was entered, and with which status it begins.

use chrono::Duration;

use super::{Draft, Event, Report, Status, find_receiving_unit};
use crate::{
    Instant,
    area::tree::AreaKind,
    core::time::{saturating_add, saturating_sub},
    flows::{
        flow::Context,
        media::{Attached, Attachment},
    },
    people::actor::{Actor, Permission, Role},
    rules::{
        obligation::Duty,
        place::{Place, ReportDetails},
        refusal::Refusal,
        rulebook::Subject,
        vocabulary::Channel,
    },
};

pub(super) fn submit_report(draft: &Draft, cx: &Context<'_>) -> Result<Vec<Event>, Refusal> {
    let place = resolve_place(draft, cx)?;
    // A resident may report anything in the tenant; staff only what lies in their area.
    cx.require_permission(Permission::ReportProblem, &place.area.path, &place.area.name)?;
    if draft.handled.is_some() {
        cx.require_permission(Permission::HandleCase, &place.area.path, &place.area.name)?;
    }
    draft.channel.require_open(cx.by, cx.at)?;
    // A reporter who handled the matter or left a contact is not anonymous.
    if draft.anonymous && (draft.handled.is_some() || draft.contact) {
        return Err(Refusal::Anonymous);
    }
    if let Some(category) = &draft.category {
        cx.catalogue.require_category(category.as_str())?;
    }
    let clock_ahead = check_client_time(draft.client_at, cx)?;
    let media = Attached::attach_new(&[], &draft.media, Attachment::MOST, cx)?;
    let matter = ReportDetails {
        title: draft.title.clone().unwrap_or_else(|| ReportDetails::title_of(&draft.text)),
        text: draft.text.clone(),
        category: draft.category.clone(),
        urgency: draft.urgency,
        demand: draft.demand,
        complexity: None,
    };
    let about = Subject {
        area: place.area.id,
        channel: Some(draft.channel),
        matter: &matter,
        rank: None,
        redo: false,
    };
    let status = match &draft.handled {
        Some(handled) => Status::HandledOnTheSpot { case: handled.case },
        None if cx.rules.conduct.verify_before_filing && draft.channel != Channel::Worker => {
            Status::Confirming {
                receiver: find_receiving_unit(&place.area, cx),
                confirm: cx.start_term(Duty::Confirm, &about),
                claim: None,
            }
        }
        None => Status::Received {
            receiver: find_receiving_unit(&place.area, cx),
            accept: cx.start_term(Duty::Accept, &about),
        },
    };
    let report = Report {
        id: draft.id,
        number: cx.new_number('R', draft.id.0, cx.at),
        reporter: cx.by.person,
        confidential: draft.confidential,
        anonymous: draft.anonymous,
        contact: draft.contact,
        channel: draft.channel,
        matter,
        status,
        place,
        received_at: cx.at,
        client_at: draft.client_at,
        clock_ahead,
        patrol: draft.patrol,
        media,
        sight: None,
    };
    Ok(vec![Event::Submitted { report: Box::new(report) }])
}

fn resolve_place(draft: &Draft, cx: &Context<'_>) -> Result<Place, Refusal> {
    let area = match (draft.area, draft.point) {
        (Some(id), _) => cx.require_area(id)?,
        (None, Some(_)) => return Err(Refusal::OutsideTenant),
        (None, None) => return Err(Refusal::PlaceMissing),
    };
    if area.kind == AreaKind::Department {
        return Err(Refusal::NotATerritory { unit: area.name.clone() });
    }
    Ok(Place {
        area: area.unit(),
        point: draft.point.and_then(|raw| raw.normalise().ok()),
        raw: draft.point,
        address: draft.address.clone(),
    })
}

/// A phone's clock is often wrong: a time a little ahead is accepted and marked (H.3.13). A time
/// that no clock shows by accident is refused.
pub(crate) fn check_client_time(
    client_at: Option<Instant>,
    cx: &Context<'_>,
) -> Result<bool, Refusal> {
    const SLACK_S: i64 = 120;
    let Some(given) = client_at else { return Ok(false) };
    let latest =
        saturating_add(cx.at, Duration::hours(i64::from(cx.rules.conduct.clock_ahead_hours)));
    let earliest =
        saturating_sub(cx.at, Duration::days(i64::from(cx.rules.conduct.report_age_days)));
    let at = cx.skew().correct_time(given);
    if at > latest || at < earliest {
        return Err(Refusal::ClientTime { given, earliest, latest });
    }
    Ok(given > cx.at + Duration::seconds(SLACK_S))
}

impl Channel {
    /// Refuses a channel that is not open to this actor: deadlines and the check before filing
    /// depend on it. Staff and connected systems may record reports of every channel; the public
    /// use their own.
    pub fn require_open(self, actor: &Actor, at: Instant) -> Result<(), Refusal> {
        let own = Self::default_for(actor, at);
        let resident = actor.grants.iter().any(|g| g.holds_at(at) && g.role == Role::Resident);
        if own == Self::Worker || self == own || (self == Self::Resident && resident) {
            return Ok(());
        }
        Err(Refusal::ForeignChannel { channel: self, own })
    }
}
