//! Commands on households, with the data they seal, count and erase.

use domain::{
    Instant,
    core::id::{AreaId, HouseholdId, PersonId},
    flows::{
        change::{Request, Versioned, execute},
        flow::Context,
        household::{Command, Group, Household, NewHousehold, Update},
    },
    people::{
        actor::Actor,
        audit::AuditAction,
        personal::{DataSubject, SubjectKind},
    },
    rules::burden::{Counts, Entered, What},
};
use persistence::{Db, Write, flows::form as forms};

use super::{
    EraseHouseholdBody, HouseholdBody, HouseholdView, PairBody, UnpairBody, UpdateBody,
    render_view, require_people,
    sealed::{self, MemberBody},
};
use crate::{
    app::{caller::Caller, clock::derive_id, state::App},
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

/// Seals the personal data of a new household and makes the command of the rest.
pub async fn prepare_registration(
    app: &App,
    caller: &Caller,
    (key, operation): (Key, &'static str),
    body: &HouseholdBody,
) -> Reply<Prepared> {
    let id = body.id.unwrap_or_else(|| derive_id(caller.person, key.0, "household"));
    let people = body.members.iter().filter_map(MemberBody::person);
    let paired = body.pairings.iter().map(|pairing| pairing.person_id);
    require_people(app, caller, people.chain(paired)).await?;
    let sealed =
        sealed::seal_household(app, caller, (id, key.0), body.room.as_ref(), &body.members).await?;
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

/// Registers a prepared household, and counts it as an entry only when it was typed by hand.
pub async fn commit_registration(
    app: &App,
    caller: &Caller,
    prepared: Prepared,
    by_hand: bool,
) -> Reply<(Versioned<Household>, bool)> {
    let Prepared { asked, new, writes, typed } = prepared;
    step::begin_flow(app, caller, asked, |context| {
        let register = Command::Register(Box::new(new.clone()));
        let change = execute::<Household>(None, &register, asked, context)?;
        let counts = Counts { required: 1, typed, ..Counts::default() };
        let entered = || new_entry_write(caller, &change.state, context.at, counts);
        let entered = by_hand.then(entered);
        Ok((change, writes.iter().cloned().chain(entered).collect()))
    })
    .await
}

fn new_entry_write(by: &Actor, household: &Household, at: Instant, counts: Counts) -> Write {
    let (person, path) = (by.person, household.area.path.clone());
    Write::Entered(Box::new(Entered { person, path, what: What::Household, at, counts }))
}

/// Registers a household.
pub async fn register_household(start: Start, body: HouseholdBody) -> Reply<Answer<HouseholdView>> {
    let Start { app, caller, key } = start;
    let prepared = prepare_registration(&app, &caller, (key, "register_household"), &body).await?;
    let (stored, _) = commit_registration(&app, &caller, prepared, true).await?;
    let view = render_view(&app, &caller, &stored).await?;
    let location = format!("/api/v1/households/{}", stored.state.id);
    Ok(Answer::of_creation(location, stored.seq, view))
}

/// Updates the data of a household.
pub async fn update_household(step: Step, body: UpdateBody) -> Reply<Answer<HouseholdView>> {
    step::load_visible::<Household>(&step.app, &step.caller, step.id).await?;
    let people = body.add_members.iter().filter_map(MemberBody::person);
    require_people(&step.app, &step.caller, people).await?;
    let changes = sealed::Changes {
        room: body.room.as_ref(),
        added: &body.add_members,
        changed: &body.change_members,
        removed: &body.remove_members,
    };
    let sent = sealed::fingerprint_changes(&step.app, &step.caller, changes).await?;
    let asked = step.build_asked("update_household", &(&body, &sent));
    for _ in 0..step::ATTEMPTS {
        match apply_update(&step, asked, &body, changes).await {
            // Another writer was faster: the sealed values are out of date.
            Err(problem) if problem.code() == Code::LostRace => {}
            done => return render_household(&step, &done?).await,
        }
    }
    Err(Problem::new(Code::LostRace))
}

/// Pairs a household with a person responsible for it.
pub async fn pair_household(step: Step, body: PairBody) -> Reply<Answer<HouseholdView>> {
    let asked = step.build_asked("pair_household", &body);
    // Whether the household exists is checked first, and then whether the person does.
    step::load_visible::<Household>(&step.app, &step.caller, step.id).await?;
    require_people(&step.app, &step.caller, [body.person_id]).await?;
    let command = Command::Pair { pairing: body.pairing() };
    let stored = step::run_command::<Household>(&step.app, &step.caller, asked, command).await?;
    render_household(&step, &stored).await
}

/// Ends the pairing of a household with a person.
pub async fn unpair_household(step: Step, body: UnpairBody) -> Reply<Answer<HouseholdView>> {
    let asked = step.build_asked("unpair_household", &body);
    let command = Command::Unpair { person: PersonId(body.person_id), kind: body.kind };
    let stored = step::run_command::<Household>(&step.app, &step.caller, asked, command).await?;
    render_household(&step, &stored).await
}

/// Records that a household moved away.
pub async fn leave_household(step: Step, body: EmptyBody) -> Reply<Answer<HouseholdView>> {
    let asked = step.build_asked("leave_household", &body);
    let stored =
        step::run_command::<Household>(&step.app, &step.caller, asked, Command::Leave).await?;
    render_household(&step, &stored).await
}

/// Records that a household is back.
pub async fn return_household(step: Step, body: EmptyBody) -> Reply<Answer<HouseholdView>> {
    let asked = step.build_asked("return_household", &body);
    let stored =
        step::run_command::<Household>(&step.app, &step.caller, asked, Command::Return).await?;
    render_household(&step, &stored).await
}

/// Erases the personal data of a household.
pub async fn erase_household(
    step: Step,
    noting: Noting,
    body: EraseHouseholdBody,
) -> Reply<Answer<HouseholdView>> {
    const MOST: i64 = 100_000;
    let asked = step.build_asked("erase_household", &body);
    let (tenant, household) = (step.caller.tenant, HouseholdId(step.id));
    let command = Command::Erase { reason: body.reason };
    let detail = serde_json::json!({ "household": step.id });
    let note = noting.note(AuditAction::Erase, Some(step.id), &detail);
    let load = move |db: &mut Db| forms::list_answers(db, tenant, household, None, MOST);
    let decide =
        |stored: &Versioned<Household>, answers: &Vec<forms::Answered>, context: Context<'_>| {
            let whole = DataSubject::new(SubjectKind::Household, stored.state.id.0);
            let members = stored.state.members.iter();
            let members = members.map(|member| DataSubject::new(SubjectKind::Member, member.id));
            let answers = answers.iter();
            let answers = answers.map(|answered| DataSubject::new(SubjectKind::Form, answered.id));
            let subjects = std::iter::once(whole).chain(members).chain(answers);
            let forgotten = Write::Forgotten(subjects.collect());
            let change = execute(Some(stored), &command, asked.request, context)?;
            Ok((change, vec![forgotten, Write::Noted(Box::new(note.clone()))]))
        };
    let stored = step::run_step_with(&step.app, &step.caller, asked, load, decide).await?;
    render_household(&step, &stored).await
}

/// Seals the changes against the present household, and commits them if it is still the same.
async fn apply_update(
    step: &Step,
    asked: Asked,
    body: &UpdateBody,
    changes: sealed::Changes<'_>,
) -> Reply<Versioned<Household>> {
    let before = step::load_visible::<Household>(&step.app, &step.caller, step.id).await?;
    let sealed =
        sealed::seal_changes(&step.app, &step.caller, (&before.state, step.key()), changes).await;
    let sealed = match sealed {
        Ok(sealed) => sealed,
        Err(problem) => {
            let seen = step::load_answer(&step.app, &step.caller, asked.request).await?;
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
    let decide = |stored: &Versioned<Household>, context: Context<'_>| {
        if stored.seq != before.seq {
            return Err(Problem::new(Code::LostRace));
        }
        let change = execute(Some(stored), &command, asked.request, context)?;
        let mut writes = sealed.writes.clone();
        let counts = Counts { typed: sealed.given.max(1), ..Counts::default() };
        writes.push(new_entry_write(context.by, &change.state, context.at, counts));
        Ok((change, writes))
    };
    step::run_step(&step.app, &step.caller, asked, decide).await
}

async fn render_household(
    step: &Step,
    stored: &Versioned<Household>,
) -> Reply<Answer<HouseholdView>> {
    let view = render_view(&step.app, &step.caller, stored).await?;
    Ok(Answer::of_change(stored.seq, view))
}
