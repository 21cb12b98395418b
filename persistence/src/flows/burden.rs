//! Burden as rows: the work of entries, and sums by worker.

use std::collections::HashMap;

use diesel::{
    dsl::{count_star, max, min, sum},
    prelude::*,
    sql_types::{BigInt, Bool, SmallInt, Text},
};
use domain::{
    Instant,
    area::tree::Path,
    core::{
        id::{PersonId, TenantId},
        journal::Entry,
    },
    rules::burden::{Counts, Entered},
};
use uuid::Uuid;

use crate::kernel::{
    connection::{Db, MultiBackend},
    error::StoreError,
    flow::prefix_end,
    rows::rows,
    schema::{burden, campaign_households},
    types::{At, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct BurdenRow {
    tenant_id: Id,
    flow_id: Id,
    seq: i64,
    person_id: Id,
    path: String,
    what: String,
    at: At,
    required: i16,
    typed: i16,
    reused: i16,
    repeated: i16,
    photos: i16,
    flow: String,
}

rows! {
    BurdenRow in "burden" {
        tenant_id: Id => sql::Uid, "uuid";
        flow_id: Id => sql::Uid, "uuid";
        seq: i64 => BigInt, "bigint";
        person_id: Id => sql::Uid, "uuid";
        path: String => Text, "text";
        what: String => Text, "text";
        at: At => sql::Moment, "timestamptz";
        required: i16 => SmallInt, "smallint";
        typed: i16 => SmallInt, "smallint";
        reused: i16 => SmallInt, "smallint";
        repeated: i16 => SmallInt, "smallint";
        photos: i16 => SmallInt, "smallint";
        flow: String => Text, "text";
    }
    key (tenant_id, flow_id, flow, seq) changes ()
}

impl BurdenRow {
    pub(crate) fn new(entry: &Entry, entered: &Entered) -> Self {
        let small = |count: u16| i16::try_from(count).unwrap_or(i16::MAX);
        let Counts { required, typed, reused, repeated, photos } = entered.counts;
        Self {
            tenant_id: Id(entry.tenant.0),
            flow_id: Id(entry.flow_id),
            seq: entry.seq,
            person_id: Id(entered.person.0),
            path: entered.path.0.clone(),
            what: entered.what.name().to_owned(),
            at: At(entered.at),
            required: small(required),
            typed: small(typed),
            reused: small(reused),
            repeated: small(repeated),
            photos: small(photos),
            flow: entry.flow.name().to_owned(),
        }
    }
}

/// Selects entries by tenant, area, person and time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// The tenant of the entries.
    pub tenant: TenantId,
    /// In these areas; none for one person, anywhere.
    pub within: Option<Vec<Path>>,
    /// Only of this person.
    pub person: Option<PersonId>,
    /// From when, inclusive.
    pub from: Instant,
    /// Until when, exclusive.
    pub until: Instant,
}

/// The work of one person or several, over a period.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// The number of entries.
    pub entries: i64,
    /// Fields that had to have a value.
    pub required: i64,
    /// Fields that were filled in.
    pub typed: i64,
    /// Fields that did not have to be filled in.
    pub reused: i64,
    /// Fields that were filled in although their value was known.
    pub repeated: i64,
    /// Photos that were demanded.
    pub photos: i64,
    /// Households to which campaigns sent workers.
    pub asked: i64,
    /// When the first of the entries was made.
    pub first_at: Option<Instant>,
    /// When the last of them was.
    pub last_at: Option<Instant>,
}

/// The order of people in a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// By their identities, after one: the order says nothing about the people.
    Identity(Option<PersonId>),
    /// By the number of entries, most first.
    Entries,
}

type Condition = Box<dyn BoxableExpression<burden::table, MultiBackend, SqlType = Bool>>;

fn build_condition(filter: &Filter) -> Condition {
    use burden::dsl as b;
    let Some(paths) = &filter.within else {
        return Box::new(b::tenant_id.eq(Id(filter.tenant.0)));
    };
    let mut visible: Condition = Box::new(b::path.eq("\u{7f}"));
    for path in paths {
        let within = b::path.ge(path.0.clone()).and(b::path.lt(prefix_end(path)));
        visible = Box::new(visible.or(within));
    }
    visible
}

/// The work of each of some people over a period.
pub fn list(
    db: &mut Db,
    filter: &Filter,
    order: Order,
    limit: i64,
) -> Result<Vec<(PersonId, Sum)>> {
    use burden::dsl as b;
    type Sums = (i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
    type Row = (Id, Sums, (Option<At>, Option<At>));
    let mut query = burden::table
        .group_by(b::person_id)
        .filter(b::tenant_id.eq(Id(filter.tenant.0)))
        .filter(b::at.ge(At(filter.from)).and(b::at.lt(At(filter.until))))
        .filter(build_condition(filter))
        .select((
            b::person_id,
            (
                count_star(),
                sum(b::required),
                sum(b::typed),
                sum(b::reused),
                sum(b::repeated),
                sum(b::photos),
            ),
            (min(b::at), max(b::at)),
        ))
        .into_boxed();
    if let Some(person) = filter.person {
        query = query.filter(b::person_id.eq(Id(person.0)));
    }
    query = match order {
        Order::Identity(after) => {
            let after = after.map_or(Uuid::nil(), |after| after.0);
            query.filter(b::person_id.gt(Id(after))).order(b::person_id.asc())
        }
        Order::Entries => query.order((count_star().desc(), b::person_id.asc())),
    };
    let rows: Vec<Row> = query.limit(limit).load(db)?;
    let people: Vec<Id> = rows.iter().map(|(person, ..)| *person).collect();
    let asked = count_asked(db, filter, people)?;
    let summed = |(person, sums, (first, last)): Row| {
        let (entries, required, typed, reused, repeated, photos) = sums;
        let sum = Sum {
            entries,
            required: required.unwrap_or_default(),
            typed: typed.unwrap_or_default(),
            reused: reused.unwrap_or_default(),
            repeated: repeated.unwrap_or_default(),
            photos: photos.unwrap_or_default(),
            asked: asked.get(&person).copied().unwrap_or_default(),
            first_at: first.map(|at| at.0),
            last_at: last.map(|at| at.0),
        };
        (PersonId(person.0), sum)
    };
    Ok(rows.into_iter().map(summed).collect())
}

/// The number of households to which campaigns sent each of some people.
fn count_asked(db: &mut Db, filter: &Filter, people: Vec<Id>) -> Result<HashMap<Id, i64>> {
    use campaign_households::dsl as t;
    let rows: Vec<(Option<Id>, i64)> = campaign_households::table
        .filter(t::tenant_id.eq(Id(filter.tenant.0)))
        .filter(t::worker_id.eq_any(people.into_iter().map(Some)))
        .filter(t::asked_at.ge(At(filter.from)).and(t::asked_at.lt(At(filter.until))))
        .group_by(t::worker_id)
        .select((t::worker_id, count_star()))
        .load(db)?;
    Ok(rows.into_iter().filter_map(|(worker, count)| Some((worker?, count))).collect())
}
