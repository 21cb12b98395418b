//! Forms as rows, and the answers of households.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Nullable, SmallInt, Text},
};
use domain::{
    Instant,
    core::{
        id::{FormId, HouseholdId, PersonId, TenantId, VisitId},
        journal::Entry,
    },
    flows::{
        change::{Change, Versioned},
        form::Form,
        household::Standing,
    },
    people::{
        audit::AuditAction,
        personal::{DataSubject, SubjectKind},
    },
};
use uuid::Uuid;

use crate::{
    kernel::{
        connection::Db,
        error::StoreError,
        flow::{FlowTable, Rows, flow_row, rebuild_state},
        projection::Projection,
        rows::rows,
        schema::{form_answers, forms, households},
        types::{At, Doc, Id, sql},
    },
    people::vault,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    FormRow of Form as form in "forms" {
        code: String => Text, "text" = form.code.clone().into();
        withdrawn: i16 => SmallInt, "smallint" = i16::from(form.withdrawn);
    }
    changes (withdrawn)
}

impl FlowTable for Form {
    const TABLE: &'static str = "forms";
    const CACHED: usize = 256;

    fn audit_action(_: &Entry) -> Option<AuditAction> {
        Some(AuditAction::Publish)
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| FormRow::new(change))
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<FormRow>()
    }
}

/// A form answered by a household; the answers are sealed under this identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered {
    /// The identity under which the answers are sealed.
    pub id: Uuid,
    /// The household that answered.
    pub household: HouseholdId,
    /// The form that was answered.
    pub form: FormId,
    /// The edition of the form.
    pub edition: i64,
    /// The visit, if there was one.
    pub visit: Option<VisitId>,
    /// The person who recorded it.
    pub by: PersonId,
    /// When it was recorded.
    pub at: Instant,
}

#[derive(Debug, Clone)]
pub(crate) struct AnswerRow {
    tenant_id: Id,
    id: Id,
    household_id: Id,
    form_id: Id,
    edition: i64,
    visit_id: Option<Id>,
    by_id: Id,
    at: At,
}

rows! {
    AnswerRow in "form_answers" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        household_id: Id => sql::Uid, "uuid";
        form_id: Id => sql::Uid, "uuid";
        edition: i64 => BigInt, "bigint";
        visit_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        by_id: Id => sql::Uid, "uuid";
        at: At => sql::Moment, "timestamptz";
    }
    key (tenant_id, id) changes ()
}

impl AnswerRow {
    pub(crate) fn new(tenant: TenantId, one: &Answered) -> Self {
        Self {
            tenant_id: Id(tenant.0),
            id: Id(one.id),
            household_id: Id(one.household.0),
            form_id: Id(one.form.0),
            edition: one.edition,
            visit_id: one.visit.map(|visit| Id(visit.0)),
            by_id: Id(one.by.0),
            at: At(one.at),
        }
    }
}

/// The data subject of the answers to one form.
const fn answer_subject(id: Uuid) -> DataSubject {
    DataSubject::new(SubjectKind::Form, id)
}

/// Removes answers of households from before `cutoff`, at most `limit`, with the keys that seal
/// them; returns how many were removed. The journal of the visit still says that a form was filled
/// in.
pub(crate) fn purge(
    db: &mut Db,
    tenant: TenantId,
    (cutoff, at): (Instant, Instant),
    limit: i64,
) -> Result<i64> {
    use form_answers::dsl as a;
    let old: Vec<Id> = form_answers::table
        .filter(a::tenant_id.eq(Id(tenant.0)).and(a::at.lt(At(cutoff))))
        .order(a::at.asc())
        .limit(limit)
        .select(a::id)
        .load(db)?;
    for id in &old {
        vault::destroy_key(db, tenant, answer_subject(id.0), at)?;
    }
    let gone = diesel::delete(form_answers::table)
        .filter(a::tenant_id.eq(Id(tenant.0)).and(a::id.eq_any(old)))
        .execute(db)?;
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}

/// Destroys the answers of households whose key was just destroyed, and answers that arrive for
/// households that were erased: whichever of the two comes first locks the rows of the households
/// and the other waits, so that nothing is kept about an erased one.
pub(crate) fn forget_answers(
    db: &mut Db,
    forgotten: &[(TenantId, DataSubject, At)],
    answers: &[&AnswerRow],
) -> Result<()> {
    use form_answers::dsl as a;
    let households = |one: &&(TenantId, DataSubject, At)| one.1.kind == SubjectKind::Household;
    for (tenant, subject, at) in forgotten.iter().filter(households) {
        let theirs: Vec<Id> = form_answers::table
            .filter(a::tenant_id.eq(Id(tenant.0)).and(a::household_id.eq(Id(subject.id))))
            .select(a::id)
            .load(db)?;
        for id in theirs {
            vault::destroy_key(db, *tenant, answer_subject(id.0), at.0)?;
        }
    }
    for one in answers {
        if is_erased(db, one)? {
            vault::destroy_key(db, TenantId(one.tenant_id.0), answer_subject(one.id.0), one.at.0)?;
        }
    }
    Ok(())
}

fn is_erased(db: &mut Db, answer: &AnswerRow) -> Result<bool> {
    use households::dsl as h;
    let standing: Option<String> = households::table
        .find((answer.tenant_id, answer.household_id))
        .select(h::standing)
        .first(db)
        .optional()?;
    Ok(standing.is_some_and(|standing| standing == Standing::Erased.name()))
}

/// Locks the households of answers, in the order of their identities, so that an answer waits for a
/// change of its household.
pub(crate) fn lock_households(db: &mut Db, answers: &[&AnswerRow]) -> Result<()> {
    use households::dsl as h;
    // SQLite has one writer.
    let Db::Postgres(connection) = db else { return Ok(()) };
    if answers.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Id> = answers.iter().map(|one| one.tenant_id).collect();
    let ids: Vec<Id> = answers.iter().map(|one| one.household_id).collect();
    households::table
        .filter(h::tenant_id.eq_any(tenants).and(h::id.eq_any(ids)))
        .order((h::tenant_id.asc(), h::id.asc()))
        .select(h::id)
        .for_update()
        .load::<Id>(connection)?;
    Ok(())
}

/// The forms of a tenant by their codes, after one.
pub fn list(
    db: &mut Db,
    tenant: TenantId,
    withdrawn: bool,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Versioned<Form>>> {
    let mut query = forms::table
        .select((forms::id, forms::seq, forms::head, forms::state))
        .filter(forms::tenant_id.eq(Id(tenant.0)))
        .filter(forms::code.gt(after.unwrap_or("").to_owned()))
        .into_boxed();
    if !withdrawn {
        query = query.filter(forms::withdrawn.eq(0));
    }
    let rows = query.order(forms::code.asc()).limit(limit).load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| rebuild_state("forms", row)).collect()
}

/// The forms of a tenant in the order of their identities, after one: those of `among`, or those
/// that are published.
pub fn load_by_id(
    db: &mut Db,
    tenant: TenantId,
    among: Option<&[Uuid]>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Versioned<Form>>> {
    let mut query = forms::table
        .select((forms::id, forms::seq, forms::head, forms::state))
        .filter(forms::tenant_id.eq(Id(tenant.0)).and(forms::id.gt(Id(after))))
        .into_boxed();
    query = match among {
        Some(ids) => query.filter(forms::id.eq_any(ids.iter().map(|id| Id(*id)))),
        None => query.filter(forms::withdrawn.eq(0)),
    };
    let rows = query.order(forms::id.asc()).limit(limit).load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| rebuild_state("forms", row)).collect()
}

/// The answers of a household, newest first, before one answer.
pub fn list_answers(
    db: &mut Db,
    tenant: TenantId,
    household: HouseholdId,
    before: Option<(Instant, Uuid)>,
    limit: i64,
) -> Result<Vec<Answered>> {
    use form_answers::dsl as f;
    type Row = (Id, Id, i64, Option<Id>, Id, At);
    let mut query = form_answers::table
        .filter(f::tenant_id.eq(Id(tenant.0)).and(f::household_id.eq(Id(household.0))))
        .into_boxed();
    if let Some((at, id)) = before {
        let (at, id) = (At(at), Id(id));
        query = query.filter(f::at.lt(at).or(f::at.eq(at).and(f::id.lt(id))));
    }
    let rows: Vec<Row> = query
        .order((f::at.desc(), f::id.desc()))
        .limit(limit)
        .select((f::id, f::form_id, f::edition, f::visit_id, f::by_id, f::at))
        .load(db)?;
    let answered = |(id, form, edition, visit, by, at): Row| Answered {
        id: id.0,
        household,
        form: FormId(form.0),
        edition,
        visit: visit.map(|visit| VisitId(visit.0)),
        by: PersonId(by.0),
        at: at.0,
    };
    Ok(rows.into_iter().map(answered).collect())
}
