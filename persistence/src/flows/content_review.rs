//! Content reviews as rows, and answers of outside services that come later.

use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};
use domain::{
    Instant,
    core::id::{ReviewId, TenantId},
    flows::{
        change::{Change, Versioned},
        content_review::{Review, StatusName, Suggestion},
    },
    people::actor::Scope,
};
use uuid::Uuid;

use crate::kernel::{
    connection::{Db, each},
    error::StoreError,
    flow::{FlowTable, Rows, flow_row, rebuild_state},
    journal::Keyset,
    list::{Narrow as _, flow_list},
    projection::Projection,
    schema::{content_reviews, outside_checks},
    types::{At, Doc, Id, sql},
    write_job::WriteJob,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    ReviewRow of Review as review in "content_reviews" {
        subject: String => Text, "text" = review.subject.name().to_owned();
        about_id: Id => sql::Uid, "uuid" = Id(review.about);
        path: String => Text, "text" = review.over.path.0.clone();
        status: String => Text, "text" = review.status.name().name().to_owned();
        opened_at: At => sql::Moment, "timestamptz" = At(review.opened_at);
        asked_at: Option<At> => Nullable<sql::Moment>, "timestamptz" = review.asked_at.map(At);
    }
    changes (status, asked_at)
}

impl FlowTable for Review {
    const TABLE: &'static str = "content_reviews";

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| ReviewRow::new(change))
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<ReviewRow>()
    }
}

type Columns = (Id, i64, Vec<u8>, Doc);

flow_list!(Review in content_reviews by opened_at);

/// The reviews an actor may see, newest first.
pub fn list(
    db: &mut Db,
    scope: &Scope,
    status: Option<StatusName>,
    page: Keyset,
) -> Result<Vec<Versioned<Review>>> {
    use content_reviews::dsl as r;
    let query = of_tenant(scope.tenant)
        .filter(visible_in(&scope.paths, Box::new(r::id.eq(Id(Uuid::nil())))))
        .only(status.map(|status| r::status.eq(status.name())));
    load_page(query, db, page)
}

/// The reviews of these reports or files.
pub fn load_about(
    db: &mut Db,
    tenant: TenantId,
    things: &[Uuid],
) -> Result<Vec<Versioned<Review>>> {
    use content_reviews::dsl as r;
    let rows: Vec<Columns> =
        of_tenant(tenant).filter(r::about_id.eq_any(things.iter().map(|id| Id(*id)))).load(db)?;
    rows.into_iter().map(|row| rebuild_state("content_reviews", row)).collect()
}

/// Reviews that wait for a program: those opened before `opened` about which it was not asked, and
/// those about which it was asked before `asked`.
pub fn load_waiting(
    db: &mut Db,
    tenant: TenantId,
    (opened, asked): (Instant, Instant),
    limit: i64,
) -> Result<Vec<Versioned<Review>>> {
    use content_reviews::dsl as r;
    let unasked = r::asked_at.is_null().and(r::opened_at.lt(At(opened)));
    let late = r::asked_at.is_not_null().and(r::asked_at.assume_not_null().lt(At(asked)));
    let rows: Vec<Columns> = of_tenant(tenant)
        .filter(r::status.eq(StatusName::Waiting.name()))
        .filter(unasked.or(late))
        .order((r::opened_at.asc(), r::id.asc()))
        .limit(limit)
        .load(db)?;
    rows.into_iter().map(|row| rebuild_state("content_reviews", row)).collect()
}

/// A check by an outside service, with its answer once it comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Check {
    /// The review, once it is known.
    pub review: Option<(TenantId, ReviewId)>,
    /// The answer, once it came; the inner option is none where the service could not tell.
    pub answer: Option<(Option<Suggestion>, Option<i64>)>,
}

/// The stored answer of a service that could not tell.
const FAILED: &str = "failed";

/// Adds to a check, whichever comes first: its review, or the answer. Returns what is known now.
pub(crate) fn record_check(db: &mut Db, id: &str, adding: Check, at: Instant) -> Result<Check> {
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

/// Removes checks from before `cutoff`.
pub(crate) fn forget_checks(db: &mut Db, cutoff: Instant) -> Result<usize> {
    let old = outside_checks::table.filter(outside_checks::at.lt(At(cutoff)));
    Ok(diesel::delete(old).execute(db)?)
}

/// Adds to what is known of a check by an outside service; returns what is known then.
pub fn add_check(id: String, adding: Check, at: Instant) -> WriteJob<Check> {
    WriteJob::new(move |db| record_check(db, &id, adding, at))
}

/// Forgets checks from before `cutoff`; returns how many.
pub fn forget_old_checks(cutoff: Instant) -> WriteJob<usize> {
    WriteJob::new(move |db| forget_checks(db, cutoff))
}
