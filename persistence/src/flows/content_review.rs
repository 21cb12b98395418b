//! Content reviews as rows, and what others answer about them later.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
};
use domain::{
    Instant,
    core::id::{ReviewId, TenantId},
    flows::{
        change::{Change, Stored},
        content_review::{Review, StatusName, Suggestion},
    },
    people::actor::Scope,
};
use uuid::Uuid;

use crate::kernel::{
    connection::{Db, MultiBackend, each},
    error::StoreError,
    flow::{FlowTable, Rows, document, end, flow_row, stored},
    journal::Keyset,
    projection::Projection,
    rows::rows,
    schema::{content_reviews, outside_checks},
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct ReviewRow {
    tenant_id: Id,
    pub(crate) id: Id,
    seq: i64,
    head: Vec<u8>,
    subject: String,
    about_id: Id,
    path: String,
    status: String,
    opened_at: At,
    asked_at: Option<At>,
    pub(crate) state: Doc,
}

rows! {
    ReviewRow in "content_reviews" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        head: Vec<u8> => Binary, "bytea";
        subject: String => Text, "text";
        about_id: Id => sql::Uid, "uuid";
        path: String => Text, "text";
        status: String => Text, "text";
        opened_at: At => sql::Moment, "timestamptz";
        asked_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
        state: Doc => sql::Doc, "text";
    }
    key (tenant_id, id) changes (seq, head, status, asked_at, state)
}

flow_row!(ReviewRow of Review);

impl FlowTable for Review {
    const TABLE: &'static str = "content_reviews";

    fn rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.own(|| ReviewRow::new(change))
    }

    fn expect(projection: &mut Projection) -> Result<()> {
        projection.expect::<ReviewRow>()
    }
}

impl ReviewRow {
    pub(crate) fn new(change: &Change<Review>) -> Result<Self> {
        let (review, entry) = (&change.state, &change.entry);
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(review.id.0),
            seq: entry.seq,
            head: entry.hash.0.to_vec(),
            subject: review.subject.name().to_owned(),
            about_id: Id(review.about),
            path: review.over.path.0.clone(),
            status: review.status.name().name().to_owned(),
            opened_at: At(review.opened_at),
            asked_at: review.asked_at.map(At),
            state: document(review)?,
        })
    }
}

type Columns = (Id, i64, Vec<u8>, Doc);
type Condition = Box<dyn BoxableExpression<content_reviews::table, MultiBackend, SqlType = Bool>>;

const COLUMNS: (
    content_reviews::id,
    content_reviews::seq,
    content_reviews::head,
    content_reviews::state,
) = (content_reviews::id, content_reviews::seq, content_reviews::head, content_reviews::state);

/// The reviews an actor may see, newest first.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    status: Option<StatusName>,
    page: Keyset,
) -> Result<Vec<Stored<Review>>> {
    use content_reviews::dsl as r;
    let mut visible: Condition = Box::new(r::id.eq(Id(Uuid::nil())));
    for path in &scope.paths {
        let within = r::path.ge(path.0.clone()).and(r::path.lt(end(path)));
        visible = Box::new(visible.or(within));
    }
    let mut query = content_reviews::table
        .select(COLUMNS)
        .filter(r::tenant_id.eq(Id(scope.tenant.0)))
        .filter(visible)
        .into_boxed();
    if let Some(status) = status {
        query = query.filter(r::status.eq(status.name()));
    }
    if let Some((at, id)) = page.after {
        let (at, id) = (At(at), Id(id));
        query = query.filter(r::opened_at.lt(at).or(r::opened_at.eq(at).and(r::id.lt(id))));
    }
    let rows: Vec<Columns> =
        query.order((r::opened_at.desc(), r::id.desc())).limit(page.limit).load(db)?;
    rows.into_iter().map(|row| stored("content_reviews", row)).collect()
}

/// The reviews of these things, where there are any.
pub fn about(db: &mut Db, tenant: TenantId, things: &[Uuid]) -> Result<Vec<Stored<Review>>> {
    use content_reviews::dsl as r;
    let rows: Vec<Columns> = content_reviews::table
        .select(COLUMNS)
        .filter(r::tenant_id.eq(Id(tenant.0)))
        .filter(r::about_id.eq_any(things.iter().map(|id| Id(*id))))
        .load(db)?;
    rows.into_iter().map(|row| stored("content_reviews", row)).collect()
}

/// Reviews that wait for a program: those it was not asked about since before `opened`, and those
/// it was asked about before `asked`.
pub fn waiting(
    db: &mut Db,
    tenant: TenantId,
    (opened, asked): (Instant, Instant),
    limit: i64,
) -> Result<Vec<Stored<Review>>> {
    use content_reviews::dsl as r;
    let unasked = r::asked_at.is_null().and(r::opened_at.lt(At(opened)));
    let late = r::asked_at.is_not_null().and(r::asked_at.assume_not_null().lt(At(asked)));
    let rows: Vec<Columns> = content_reviews::table
        .select(COLUMNS)
        .filter(r::tenant_id.eq(Id(tenant.0)).and(r::status.eq(StatusName::Waiting.name())))
        .filter(unasked.or(late))
        .order((r::opened_at.asc(), r::id.asc()))
        .limit(limit)
        .load(db)?;
    rows.into_iter().map(|row| stored("content_reviews", row)).collect()
}

/// What an outside service answered, or will, about something it was asked to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Check {
    /// Which review it is for, once we know.
    pub review: Option<(TenantId, ReviewId)>,
    /// What came of it, once they said so; none of the inner where they could not tell.
    pub answer: Option<(Option<Suggestion>, Option<i64>)>,
}

/// That they could not tell.
const FAILED: &str = "failed";

/// Adds to what is known of a check, whichever comes first: for which review it is, or what they
/// answered. Answers what is known now.
pub fn check(db: &mut Db, id: &str, adding: Check, at: Instant) -> Result<Check> {
    use outside_checks::dsl as o;
    let insert = diesel::insert_into(outside_checks::table)
        .values((o::id.eq(id.to_owned()), o::at.eq(At(at))))
        .on_conflict_do_nothing();
    each!(db, c => insert.execute(c))?;
    let row = || outside_checks::table.find(id.to_owned());
    if let Some((tenant, review)) = adding.review {
        diesel::update(row())
            .set((o::owner_id.eq(Some(Id(tenant.0))), o::review_id.eq(Some(Id(review.0)))))
            .execute(db)?;
    }
    if let Some((suggestion, label)) = adding.answer {
        let name = suggestion.map_or(FAILED, Suggestion::name);
        diesel::update(row())
            .set((o::suggestion.eq(Some(name.to_owned())), o::label.eq(label)))
            .execute(db)?;
    }
    let (tenant, review, suggestion, label): (Option<Id>, Option<Id>, Option<String>, Option<i64>) =
        row().select((o::owner_id, o::review_id, o::suggestion, o::label)).first(db)?;
    Ok(Check {
        review: tenant.zip(review).map(|(tenant, id)| (TenantId(tenant.0), ReviewId(id.0))),
        answer: suggestion.map(|name| (Suggestion::parse(&name), label)),
    })
}

/// Forgets checks from before `cutoff`.
pub fn forget_checks(db: &mut Db, cutoff: Instant) -> Result<usize> {
    let old = outside_checks::table.filter(outside_checks::at.lt(At(cutoff)));
    Ok(diesel::delete(old).execute(db)?)
}
