//! Forms as rows, and which of them households answered.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Nullable, SmallInt, Text},
};
use domain::{
    Instant,
    change::{Change, Stored},
    form::Form,
    id::{FormId, HouseholdId, PersonId, TenantId, VisitId},
};
use uuid::Uuid;

use crate::{
    batch::{Moving, document},
    case::stored,
    connection::Db,
    error::StoreError,
    rows::rows,
    schema::{form_answers, forms},
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct FormRow {
    tenant_id: Id,
    id: Id,
    seq: i64,
    head: Vec<u8>,
    code: String,
    withdrawn: i16,
    state: Doc,
}

rows! {
    FormRow in "forms" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        head: Vec<u8> => Binary, "bytea";
        code: String => Text, "text";
        withdrawn: i16 => SmallInt, "smallint";
        state: Doc => sql::Doc, "text";
    }
    key (tenant_id, id) changes (seq, head, withdrawn, state)
}

impl Moving for FormRow {
    fn seq(&self) -> i64 {
        self.seq
    }
}

impl FormRow {
    pub(crate) fn new(change: &Change<Form>) -> Result<Self> {
        let (form, entry) = (&change.state, &change.entry);
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(form.id.0),
            seq: entry.seq,
            head: entry.hash.0.to_vec(),
            code: form.code.clone().into(),
            withdrawn: i16::from(form.withdrawn),
            state: document(form)?,
        })
    }
}

/// A household answered a form; what it said is sealed under this identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered {
    /// The identity.
    pub id: Uuid,
    /// Which household.
    pub household: HouseholdId,
    /// Which form.
    pub form: FormId,
    /// In which edition.
    pub edition: i64,
    /// On which visit.
    pub visit: Option<VisitId>,
    /// Who wrote it down.
    pub by: PersonId,
    /// When.
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

/// The forms of a tenant by their codes, after one.
pub fn list(
    db: &mut Db,
    tenant: TenantId,
    withdrawn: bool,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Stored<Form>>> {
    let mut query = forms::table
        .select((forms::id, forms::seq, forms::head, forms::state))
        .filter(forms::tenant_id.eq(Id(tenant.0)))
        .filter(forms::code.gt(after.unwrap_or("").to_owned()))
        .into_boxed();
    if !withdrawn {
        query = query.filter(forms::withdrawn.eq(0));
    }
    let rows = query.order(forms::code.asc()).limit(limit).load::<(Id, i64, Vec<u8>, Doc)>(db)?;
    rows.into_iter().map(|row| stored("forms", row)).collect()
}

/// What a household answered, the newest first, before an answer.
pub fn answers(
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
