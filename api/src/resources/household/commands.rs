//! What may be asked of households, with what is sealed, counted and erased by it.

use domain::{
    Instant,
    core::id::{AreaId, HouseholdId, PersonId},
    flows::{
        change::{Request, Stored, act},
        flow::Context,
        household::{Command, Group, Household, NewHousehold, Update},
    },
    people::{
        actor::Actor,
        audit::Act,
        personal::{DataSubject, SubjectKind},
    },
    rules::burden::{Counts, Entered, What},
};
use persistence::{Db, Write, flows::form as forms};

use super::{
    EraseHouseholdBody, HouseholdBody, HouseholdView, PairBody, UnpairBody, UpdateBody,
    kept::{self, MemberBody},
    require_people, view,
};
use crate::{
    app::{caller::Caller, clock::derived_id, state::App},
    engine::step::{self, Asked, Start, Step},
    http::{
        answer::Answer,
        body::shared::EmptyBody,
        headers::Key,
        problem::{Code, Problem, Reply},
    },
    privacy::audit::Noting,
};

/// A household ready to be registered.
pub struct Prepared {
    asked: Request,
    new: NewHousehold,
    writes: Vec<Write>,
    typed: u16,
}

/// Seals what is personal about a new household and makes the command of the rest.
pub async fn prepare(
    app: &App,
    caller: &Caller,
    (key, operation): (Key, &'static str),
    body: &HouseholdBody,
) -> Reply<Prepared> {
    let id = body.id.unwrap_or_else(|| derived_id(caller.person, key.0, "household"));
    let people = body.members.iter().filter_map(MemberBody::person);
    let paired = body.pairings.iter().map(|pairing| pairing.person_id);
    require_people(app, caller, people.chain(paired)).await?;
    let sealed =
        kept::register(app, caller, (id, key.0), body.room.as_ref(), &body.members).await?;
    let public = [body.building.is_some(), body.group.is_some(), body.size.is_some()];
    let public = public.into_iter().map(u16::from).sum::<u16>();
    let pairings = u16::try_from(body.pairings.len()).unwrap_or(u16::MAX);
    Ok(Prepared {
        asked: Request::new(key.0, operation, id, &(body, &sealed.fingerprint)),
        typed: sealed.given.saturating_add(public).saturating_add(pairings).saturating_add(1),
        writes: sealed.writes,
        new: NewHousehold {
            id: HouseholdId(id),
            area: AreaId(body.area_id),
            building: body.building.clone(),
            group: body.group.clone().map(Group::from),
            size: body.size,
            members: sealed.members,
            special: sealed.special,
            pairings: body.pairings.iter().map(PairBody::pairing).collect(),
        },
    })
}

/// Registers what was prepared, and counts it as entered only when it was typed by hand.
pub async fn register(
    app: &App,
    caller: &Caller,
    prepared: Prepared,
    by_hand: bool,
) -> Reply<(Stored<Household>, bool)> {
    let Prepared { asked, new, mut writes, typed } = prepared;
    step::begin(app, caller, asked, |context| {
        let register = Command::Register(Box::new(new));
        let change = act::<Household>(None, &register, asked, context)?;
        let counts = Counts { required: 1, typed, ..Counts::default() };
        let entered = || entered(caller, &change.state, context.at, counts);
        writes.extend(by_hand.then(entered));
        Ok((change, writes))
    })
    .await
}

fn entered(by: &Actor, household: &Household, at: Instant, counts: Counts) -> Write {
    let (person, path) = (by.person, household.area.path.clone());
    Write::Entered(Box::new(Entered { person, path, what: What::Household, at, counts }))
}

/// Registers a household.
pub async fn register_household(start: Start, body: HouseholdBody) -> Reply<Answer<HouseholdView>> {
    let Start { app, caller, key } = start;
    let prepared = prepare(&app, &caller, (key, "register_household"), &body).await?;
    let (stored, _) = register(&app, &caller, prepared, true).await?;
    let view = view(&app, &caller, &stored).await?;
    let location = format!("/api/v1/households/{}", stored.state.id);
    Ok(Answer::created(location, stored.seq, view))
}

/// Changes what is known of a household.
pub async fn update_household(step: Step, body: UpdateBody) -> Reply<Answer<HouseholdView>> {
    step::look::<Household>(&step.app, &step.caller, step.id).await?;
    let people = body.add_members.iter().filter_map(MemberBody::person);
    require_people(&step.app, &step.caller, people).await?;
    let changes = kept::Changes {
        room: body.room.as_ref(),
        added: &body.add_members,
        changed: &body.change_members,
        removed: &body.remove_members,
    };
    let sent = kept::sent(&step.app, &step.caller, changes).await?;
    let asked = step.asked("update_household", &(&body, &sent));
    for _ in 0..step::ATTEMPTS {
        match update(&step, asked, &body, changes).await {
            // Another writer was faster: what was sealed is out of date.
            Err(problem) if problem.code() == Code::LostRace => {}
            done => return show(&step, &done?).await,
        }
    }
    Err(Problem::new(Code::LostRace))
}

/// Makes somebody responsible for a household.
pub async fn pair_household(step: Step, body: PairBody) -> Reply<Answer<HouseholdView>> {
    let asked = step.asked("pair_household", &body);
    // Whether there is such a household comes first, and whether there is such a person after.
    step::look::<Household>(&step.app, &step.caller, step.id).await?;
    require_people(&step.app, &step.caller, [body.person_id]).await?;
    let command = Command::Pair { pairing: body.pairing() };
    let stored = step::command::<Household>(&step.app, &step.caller, asked, command).await?;
    show(&step, &stored).await
}

/// Ends that somebody is responsible for a household.
pub async fn unpair_household(step: Step, body: UnpairBody) -> Reply<Answer<HouseholdView>> {
    let asked = step.asked("unpair_household", &body);
    let command = Command::Unpair { person: PersonId(body.person_id), kind: body.kind };
    let stored = step::command::<Household>(&step.app, &step.caller, asked, command).await?;
    show(&step, &stored).await
}

/// Says that a household moved away.
pub async fn leave_household(step: Step, body: EmptyBody) -> Reply<Answer<HouseholdView>> {
    let asked = step.asked("leave_household", &body);
    let stored = step::command::<Household>(&step.app, &step.caller, asked, Command::Leave).await?;
    show(&step, &stored).await
}

/// Says that a household is there again.
pub async fn return_household(step: Step, body: EmptyBody) -> Reply<Answer<HouseholdView>> {
    let asked = step.asked("return_household", &body);
    let stored =
        step::command::<Household>(&step.app, &step.caller, asked, Command::Return).await?;
    show(&step, &stored).await
}

/// Erases what is kept of a household.
pub async fn erase_household(
    step: Step,
    noting: Noting,
    body: EraseHouseholdBody,
) -> Reply<Answer<HouseholdView>> {
    const MOST: i64 = 100_000;
    let asked = step.asked("erase_household", &body);
    let (tenant, household) = (step.caller.tenant, HouseholdId(step.id));
    let command = Command::Erase { reason: body.reason };
    let detail = serde_json::json!({ "household": step.id });
    let note = noting.note(Act::Erase, Some(step.id), &detail);
    let load = move |db: &mut Db| forms::answers(db, tenant, household, None, MOST);
    let decide =
        |stored: &Stored<Household>, answers: &Vec<forms::Answered>, context: Context<'_>| {
            let whole = DataSubject::new(SubjectKind::Household, stored.state.id.0);
            let members = stored.state.members.iter();
            let members = members.map(|member| DataSubject::new(SubjectKind::Member, member.id));
            let answers = answers.iter();
            let answers = answers.map(|answered| DataSubject::new(SubjectKind::Form, answered.id));
            let subjects = std::iter::once(whole).chain(members).chain(answers);
            let forgotten = Write::Forgotten(subjects.collect());
            let change = act(Some(stored), &command, asked.request, context)?;
            Ok((change, vec![forgotten, Write::Noted(Box::new(note.clone()))]))
        };
    let stored = step::step_with(&step.app, &step.caller, asked, load, decide).await?;
    show(&step, &stored).await
}

/// Seals what changed against the household as it is, and changes it if it still is so.
async fn update(
    step: &Step,
    asked: Asked,
    body: &UpdateBody,
    changes: kept::Changes<'_>,
) -> Reply<Stored<Household>> {
    let before = step::look::<Household>(&step.app, &step.caller, step.id).await?;
    let sealed = kept::change(&step.app, &step.caller, (&before.state, step.key()), changes).await;
    let sealed = match sealed {
        Ok(sealed) => sealed,
        Err(problem) => {
            let seen = step::answered(&step.app, &step.caller, asked.request).await?;
            return seen.ok_or(problem);
        }
    };
    let update = Update {
        area: body.area_id.map(AreaId),
        building: body.building.clone(),
        group: body.group.clone().map(Group::from),
        size: body.size,
        added: sealed.members,
        changed: body.change_members.iter().map(|change| change.id).collect(),
        removed: body.remove_members.clone(),
        special: sealed.special,
        room: body.room.is_some(),
    };
    let command = Command::Update(Box::new(update));
    let decide = |stored: &Stored<Household>, context: Context<'_>| {
        if stored.seq != before.seq {
            return Err(Problem::new(Code::LostRace));
        }
        let change = act(Some(stored), &command, asked.request, context)?;
        let mut writes = sealed.writes.clone();
        let counts = Counts { typed: sealed.given.max(1), ..Counts::default() };
        writes.push(entered(context.by, &change.state, context.at, counts));
        Ok((change, writes))
    };
    step::step(&step.app, &step.caller, asked, decide).await
}

async fn show(step: &Step, stored: &Stored<Household>) -> Reply<Answer<HouseholdView>> {
    let view = view(&step.app, &step.caller, stored).await?;
    Ok(Answer::changed(stored.seq, view))
}
