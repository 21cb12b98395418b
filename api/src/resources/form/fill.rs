//! Filling in a form: the known values of a household, and the answers as they are stored.

use std::collections::{BTreeMap, HashMap};

use domain::{
    area::tree::AreaKind,
    core::id::{CommandId, FormId, TenantId, VisitId},
    flows::{
        form::{Form, How, KnownValue, Source, answer::Facts},
        household::Household,
        visit::Filled,
    },
    people::personal::{DataSubject, Field, SubjectKind},
    rules::refusal::Refusal,
};
use persistence::{Write, flows::form as forms};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, clock::derive_id, state::App},
    http::problem::Reply,
    resources::household::sealed::{Shown, parse_groups},
};

/// How many of the last answers of a household are read: each holds a whole form.
const LAST: i64 = 50;

/// The document that is sealed for one answered form.
#[derive(Clone, Serialize, Deserialize)]
pub struct Document {
    /// The code of the form.
    pub form: String,
    /// Every field with where it came from.
    pub values: BTreeMap<String, KnownValue>,
    /// Fields that were taken away: not to be carried over from before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<String>,
}

/// The documents of some answers; erased ones are left out.
pub async fn load_answers(
    app: &App,
    tenant: TenantId,
    answered: &[forms::Answered],
) -> Reply<HashMap<Uuid, Document>> {
    load_documents(app, tenant, answered.iter().map(|one| one.id).collect()).await
}

/// Documents by the identities under which they are sealed.
pub async fn load_documents(
    app: &App,
    tenant: TenantId,
    ids: Vec<Uuid>,
) -> Reply<HashMap<Uuid, Document>> {
    let values = app
        .vault
        .load_values(&app.store, tenant, (SubjectKind::Form, ids), &[Field::Answers])
        .await?;
    let document = |(id, values): (Uuid, crate::app::vault::Values)| {
        Some((id, serde_json::from_str(values.get(&Field::Answers)?).ok()?))
    };
    Ok(values.into_iter().filter_map(document).collect())
}

/// The known values of a household that may fill in a form.
pub async fn load_facts(app: &App, caller: &Caller, household: &Household) -> Reply<Facts> {
    let (tenant, id) = (caller.tenant, household.id);
    let look = move |db: &mut persistence::Db| forms::list_answers(db, tenant, id, None, LAST);
    let answered = app.store.read(look).await?;
    let documents = load_answers(app, tenant, &answered).await?;
    let mut answers: BTreeMap<String, Option<KnownValue>> = BTreeMap::new();
    // The newest first: its value of a field counts, also when it cleared the field.
    for document in answered.iter().filter_map(|one| documents.get(&one.id)) {
        for name in &document.cleared {
            answers.entry(name.clone()).or_insert(None);
        }
        for (name, known) in &document.values {
            if known.origin.how == How::Prefilled {
                continue;
            }
            let mut known = known.clone();
            known.origin.from.get_or_insert_with(|| document.form.clone());
            answers.entry(name.clone()).or_insert(Some(known));
        }
    }
    let answers = answers.into_iter().filter_map(|(name, known)| Some((name, known?))).collect();
    Ok(Facts { answers, sources: load_sources(app, caller, household).await? })
}

async fn load_sources(
    app: &App,
    caller: &Caller,
    household: &Household,
) -> Reply<BTreeMap<Source, (Value, domain::Instant)>> {
    let world = app.world(caller.tenant)?;
    let shown = Shown::load(app, caller.tenant, household).await?;
    let community = world.areas.nearest_of_kind(household.area.id, AreaKind::Community);
    let head = household.members.first().and_then(|member| shown.find_member(member.id));
    let of_head = |field: Field| head?.get(&field).map(|value| Value::from(value.as_str()));
    let room = shown.room().map(|room| {
        let parts = [room.unit, room.floor, room.room].into_iter().flatten().map(String::from);
        Value::from(parts.collect::<Vec<_>>().concat())
    });
    let mut special: Vec<&str> = Vec::new();
    for member in &household.members {
        special.extend(parse_groups(shown.find_member(member.id)).iter().map(|group| group.name()));
    }
    special.sort_unstable();
    special.dedup();
    let special = (!household.members.is_empty()).then(|| Value::from(special));
    let known = |source: Source| match source {
        Source::HouseholdNumber => Some(Value::from(household.number.as_str())),
        Source::Grid => Some(Value::from(household.area.name.as_str())),
        Source::Community => community.map(|area| Value::from(area.name.as_str())),
        Source::Building => household.building.clone().map(|line| Value::from(String::from(line))),
        Source::Room => room.clone(),
        Source::Size => household.size.map(Value::from),
        Source::Group => household.group.clone().map(|one| Value::from(String::from(one.code))),
        Source::HeadName => of_head(Field::Name),
        Source::HeadPhone => of_head(Field::Phone),
        Source::SpecialGroups => special.clone(),
        Source::Worker => Some(Value::from(caller.name.as_str())),
    };
    let since = household.registered_at;
    let all = Source::ALL.iter().copied();
    Ok(all.filter_map(|source| Some((source, (known(source)?, since)))).collect())
}

/// The subject of an answer.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The household the answers are about; they are sealed by its key.
    pub household: &'a Household,
    /// The visit it is filled in on.
    pub visit: Option<VisitId>,
}

/// What is filled in.
#[derive(Clone, Copy)]
pub struct Filling<'a> {
    /// The form in its current edition; a withdrawn form is refused.
    pub form: FormId,
    /// Only the fields that change, merged into what is known (JSON Merge Patch).
    pub changes: &'a Map<String, Value>,
    /// JSON pointer to `changes` in the body, put before the paths of errors.
    pub under: &'static str,
}

/// A form that was filled in, ready to be committed.
pub struct Done {
    /// The part for the journal.
    pub filled: Filled,
    /// The writes that go with it.
    pub writes: Vec<Write>,
}

/// The stored form of a value: for a personal fact only that it was filled in, because the fact
/// itself is erased with its subject.
fn strip_personal(known: &KnownValue) -> KnownValue {
    let value = match known.origin.how {
        How::Prefilled if known.personal => Value::Null,
        How::Prefilled | How::Carried | How::Typed => known.value.clone(),
    };
    KnownValue { value, ..known.clone() }
}

/// The fingerprint of given changes, which does not reveal them.
pub async fn fingerprint_changes(
    app: &App,
    caller: &Caller,
    changes: &Map<String, Value>,
) -> Reply<Vec<u8>> {
    let look_up = app.vault.ensure_look_up(&app.store, caller.tenant, app.clock.now()).await?;
    Ok(look_up.fingerprint_texts(&[&serde_json::to_string(changes).unwrap_or_default()]))
}

/// Completes the given changes by the known values, and seals the result.
pub async fn complete_form(
    app: &App,
    caller: &Caller,
    key: CommandId,
    subject: Subject<'_>,
    what: Filling<'_>,
) -> Reply<Done> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let form = app.store.load_state::<Form>(tenant, what.form.0).await?;
    let form = form.filter(|form| !form.state.withdrawn);
    let form = form.ok_or_else(|| super::unknown_form("/form"))?;
    let schema = form.state.parse_schema();
    let facts = load_facts(app, caller, subject.household).await?;
    let answered = schema
        .complete_answers(&facts, what.changes, now)
        .map_err(|faults| Refusal::BadAnswers { under: what.under, faults })?;
    let cleared = what.changes.iter().filter(|(_, value)| value.is_null());
    let values = answered.values.iter();
    let document = Document {
        form: form.state.code.as_str().to_owned(),
        values: values.map(|(name, known)| (name.clone(), strip_personal(known))).collect(),
        cleared: cleared.map(|(name, _)| name.clone()).collect(),
    };
    let text = serde_json::to_string(&document).unwrap_or_default();
    let id = derive_id(caller.person, key, "answers");
    let look_up = app.vault.ensure_look_up(&app.store, tenant, now).await?;
    let sealed_for = DataSubject::new(SubjectKind::Form, id);
    let sealed = app.vault.new_subject_with(
        tenant,
        sealed_for,
        &[(Field::Answers, &text)],
        &look_up,
        now,
    )?;
    let (edition, counts) = (form.seq, answered.counts);
    let row = forms::Answered {
        id,
        household: subject.household.id,
        form: what.form,
        edition,
        visit: subject.visit,
        by: caller.person,
        at: now,
    };
    Ok(Done {
        filled: Filled { form: what.form, edition, answers: id, counts },
        writes: vec![Write::Personal(Box::new(sealed)), Write::Answered(Box::new(row))],
    })
}

#[cfg(test)]
mod tests {
    use domain::flows::form::Origin;

    use super::*;

    #[test]
    fn of_a_personal_fact_no_copy_is_kept() {
        let known = |how, personal| {
            let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
            let origin = Origin { how, from: Some("head_name".to_owned()), at };
            KnownValue { value: Value::from("慕容秘密"), origin, personal }
        };
        let kept = strip_personal(&known(How::Prefilled, true));
        assert_eq!(kept.value, Value::Null);
        assert_eq!(kept.origin.from.as_deref(), Some("head_name"), "where it came from stays");
        for (how, personal) in [(How::Prefilled, false), (How::Typed, true), (How::Carried, true)] {
            assert_eq!(strip_personal(&known(how, personal)).value, "慕容秘密");
        }
    }
}
