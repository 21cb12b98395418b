//! How a whistle is blown: which departments a street summons, and which of its cases had whistles
//! before.

use super::{Clocks, Step, Summons, Whistle};
use crate::{
    area::{
        coordinate::distance_m,
        tree::{Area, AreaKind, Unit},
    },
    core::id::{AreaId, CaseId},
    flows::{
        case::{state::Case, whistle::Call},
        flow::Context,
    },
    rules::{obligation::Duty, refusal::Refusal, rulebook::Subject, whistle_policy::Whistling},
};

impl Whistling {
    /// Which of these cases had a whistle at the same place before: within the tenant's distance,
    /// or in the same area where a point is missing (H.3.19). The caller has selected them by
    /// category and time.
    pub fn find_repeats(&self, case: &Case, others: &[&Case]) -> Vec<CaseId> {
        let here = |other: &&&Case| match case.place.point.zip(other.place.point) {
            Some((a, b)) => distance_m(a, b) <= f64::from(self.repeat_metres),
            None => other.place.area.id == case.place.area.id,
        };
        let whistled = |other: &&&Case| other.id != case.id && other.tally.whistles > 0;
        let before = others.iter().filter(whistled).filter(here);
        before.map(|other| other.id).take(Call::MAX_REPEATS).collect()
    }
}

/// Makes the whistle of a street on its case, or refuses.
pub(in crate::flows::case) fn blow(
    street: &Unit,
    about: &Subject<'_>,
    call: &Call,
    context: &Context<'_>,
) -> Result<Whistle, Refusal> {
    if street.kind != AreaKind::Street {
        return Err(Refusal::NotAStreet { holder: street.name.clone() });
    }
    let whistling = &context.rules.whistling;
    let code = || call.rank.as_str().to_owned();
    let rank = whistling
        .find_rank(call.rank.as_str())
        .ok_or_else(|| Refusal::UnknownRank { code: code() })?;
    if whistling.find_topic(call.topic.as_str()).is_none() {
        return Err(Refusal::UnknownTopic { code: call.topic.as_str().to_owned() });
    }
    if call.cooperating.len() > Call::MAX_COOPERATING {
        return Err(Refusal::TooManyDepartments { max: 1 + Call::MAX_COOPERATING });
    }
    let mut summonses: Vec<Summons> = Vec::with_capacity(1 + call.cooperating.len());
    for (index, id) in std::iter::once(&call.lead).chain(&call.cooperating).enumerate() {
        if summonses.iter().any(|summons| summons.unit.id == *id) {
            let unit = context.require_area(*id)?.name.clone();
            return Err(Refusal::NamedTwice { unit });
        }
        let about = Subject { rank: Some(call.rank.as_str()), ..*about };
        summonses.push(summon_department(*id, index == 0, street, &about, context)?);
    }
    Ok(Whistle {
        rank: call.rank.clone(),
        topic: call.topic.clone(),
        reason: call.reason.clone(),
        repeats: call.repeats.clone(),
        to_district_leader: rank.to_district_leader,
        raised: None,
        street: street.clone(),
        blown_at: context.at,
        summonses,
    })
}

/// Summons one department.
pub(super) fn summon_department(
    id: AreaId,
    lead: bool,
    street: &Unit,
    about: &Subject<'_>,
    context: &Context<'_>,
) -> Result<Summons, Refusal> {
    let unit = context.require_area(id)?;
    // A department serves a street when it belongs to an area that contains the street.
    let street = context.areas.get(street.id).map_or_else(|| street.clone(), Area::unit);
    let serves = context.areas.parent(id).is_some_and(|p| p.path.contains(&street.path));
    if unit.kind != AreaKind::Department || !serves {
        return Err(Refusal::NotADepartment { unit: unit.name.clone() });
    }
    let term = |duty| context.start_term(duty, about);
    Ok(Summons {
        unit: unit.unit(),
        lead,
        clocks: Clocks {
            sign: term(Duty::SignWhistle),
            contact: term(Duty::Contact),
            arrive: term(Duty::Arrive),
            feed_back: term(Duty::FeedBack),
        },
        step: Step::Called,
        people: Vec::new(),
        arrival: None,
        result: None,
        rating: None,
        view: None,
        appointed: false,
    })
}
