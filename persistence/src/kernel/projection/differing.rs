//! Finds rows that differ from those in their table, by a query: one statement a table, whatever
//! the number of rows.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Nullable, Text},
    sqlite::Sqlite,
};
use domain::core::id::TenantId;
use uuid::Uuid;

use super::{Derived, Result};
use crate::kernel::{
    connection::Db,
    rows::{Row, push_list},
    types::{Doc, Id, sql},
};

/// The name that replaces columns where the row is missing.
pub(super) const MISSING: &str = "row";

/// Which of some rows differ from those in the table: their index, the names of the columns that
/// differ, and the stored document.
pub(super) fn find_differing<R: Derived>(
    db: &mut Db,
    rows: &[R],
) -> Result<Vec<(usize, String, Option<Doc>)>> {
    let mut odd = Vec::new();
    match db {
        Db::Postgres(c) => {
            let all: Vec<&R> = rows.iter().collect();
            let found: Vec<Found> = Differing::<R>(R::to_columns(&all)).load(c)?;
            for (place, columns, document) in found {
                let index = usize::try_from(place - 1).unwrap_or(usize::MAX);
                odd.push((index, columns, document));
            }
        }
        Db::Sqlite(c) => {
            for (index, row) in rows.iter().enumerate() {
                let found: Vec<Found> = Differs(row).load(c)?;
                let found = found.into_iter();
                odd.extend(found.map(|(_, columns, document)| (index, columns, document)));
            }
        }
    }
    Ok(odd)
}

/// The index of a row, what differs, and the stored document.
type Found = (i64, String, Option<Doc>);

type FoundColumns = (BigInt, Text, Nullable<sql::Doc>);

/// All rows, for PostgreSQL.
struct Differing<'a, R: Row>(R::Columns<'a>);

/// One row, for SQLite.
struct Differs<'a, R: Row>(&'a R);

/// The query up to the rows.
fn push_head<R: Derived>(push: &mut impl FnMut(&str), number: &str, unlike: &str) {
    let first = R::KEY.first().copied().unwrap_or_default();
    push("select ");
    push(number);
    push(&format!(", case when t.{first} is null then '{MISSING}' else ''"));
    for (name, _) in value_columns::<R>() {
        push(&format!(" || case when t.{name} {unlike} u.{name} then ' {name}' else '' end"));
    }
    push(" end, ");
    push(&R::DOCUMENT.map_or("null".to_owned(), |name| format!("t.{name}")));
    push(" from ");
}

/// The query after the rows: the join, and the condition.
fn push_tail<R: Derived>(push: &mut impl FnMut(&str), unlike: &str) {
    let first = R::KEY.first().copied().unwrap_or_default();
    push(" left join ");
    push(R::TABLE);
    push(" as t on ");
    push_list(push, R::KEY, " and ", |name| format!("t.{name} = u.{name}"));
    push(&format!(" where t.{first} is null"));
    for (name, _) in value_columns::<R>() {
        push(&format!(" or t.{name} {unlike} u.{name}"));
    }
}

fn value_columns<R: Row>() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    R::COLUMNS.iter().filter(|(name, _)| !R::KEY.contains(name))
}

impl<R: Derived> QueryFragment<Pg> for Differing<'_, R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        const UNLIKE: &str = "is distinct from";
        push_head::<R>(&mut |text| out.push_sql(text), "u.place", UNLIKE);
        out.push_sql("unnest(");
        let around = |out: &mut AstPass<'_, 'b, Pg>, at: usize| {
            if let Some((_, cast)) = at.checked_sub(1).and_then(|last| R::COLUMNS.get(last)) {
                out.push_sql("::");
                out.push_sql(cast);
                out.push_sql("[]");
            }
            out.push_sql(if at == 0 || at == R::COLUMNS.len() { "" } else { ", " });
        };
        R::bind_arrays(&self.0, around, out.reborrow())?;
        out.push_sql(") with ordinality as u (");
        let names: Vec<&str> = R::COLUMNS.iter().map(|(name, _)| *name).collect();
        push_list(&mut |text| out.push_sql(text), &names, ", ", str::to_owned);
        out.push_sql(", place)");
        push_tail::<R>(&mut |text| out.push_sql(text), UNLIKE);
        Ok(())
    }
}

impl<R: Derived> QueryFragment<Sqlite> for Differs<'_, R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        const UNLIKE: &str = "is not";
        push_head::<R>(&mut |text| out.push_sql(text), "0", UNLIKE);
        out.push_sql("(select ");
        let around = |out: &mut AstPass<'_, 'b, Sqlite>, at: usize| {
            if let Some((name, _)) = at.checked_sub(1).and_then(|last| R::COLUMNS.get(last)) {
                out.push_sql(" as ");
                out.push_sql(name);
            }
            out.push_sql(if at == 0 || at == R::COLUMNS.len() { "" } else { ", " });
        };
        self.0.bind_values(around, out.reborrow())?;
        out.push_sql(") as u");
        push_tail::<R>(&mut |text| out.push_sql(text), UNLIKE);
        Ok(())
    }
}

impl<R: Row> Query for Differing<'_, R> {
    type SqlType = FoundColumns;
}

impl<R: Row> Query for Differs<'_, R> {
    type SqlType = FoundColumns;
}

// The text depends only on the types, so the statement is prepared once.
impl<R: Row> QueryId for Differing<'_, R> {
    type QueryId = Differing<'static, R>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R: Row> QueryId for Differs<'_, R> {
    type QueryId = Differs<'static, R>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R: Row, C> RunQueryDsl<C> for Differing<'_, R> {}
impl<R: Row, C> RunQueryDsl<C> for Differs<'_, R> {}

/// How many rows of a tenant a table holds.
pub(super) fn count_rows(db: &mut Db, table: &'static str, tenant: TenantId) -> Result<i64> {
    let of = OfTenant {
        before: format!("select count(*) from {table} as t where t.tenant_id = "),
        tenant: Id(tenant.0),
        after: String::new(),
    };
    let counted: Vec<i64> = match db {
        Db::Postgres(c) => Counting(of).load(c)?,
        Db::Sqlite(c) => Counting(of).load(c)?,
    };
    Ok(counted.first().copied().unwrap_or_default())
}

/// The flows in a table that have no journal, the first few.
pub(super) fn find_without_journal<R: Derived>(db: &mut Db, tenant: TenantId) -> Result<Vec<Uuid>> {
    let (table, flow) = (R::TABLE, R::FLOW);
    let kind = match R::KIND {
        Ok(kind) => format!("'{}'", kind.name()),
        Err(column) => format!("t.{column}"),
    };
    let of = OfTenant {
        before: format!("select distinct t.{flow} from {table} as t where t.tenant_id = "),
        tenant: Id(tenant.0),
        after: format!(
            " and not exists (select 1 from journal as j where j.tenant_id = t.tenant_id \
             and j.flow_id = t.{flow} and j.flow = {kind}) order by t.{flow} limit 20"
        ),
    };
    let ids: Vec<Id> = match db {
        Db::Postgres(c) => Listing(of).load(c)?,
        Db::Sqlite(c) => Listing(of).load(c)?,
    };
    Ok(ids.into_iter().map(|id| id.0).collect())
}

/// A query about one tenant.
struct OfTenant {
    before: String,
    tenant: Id,
    after: String,
}

struct Counting(OfTenant);

struct Listing(OfTenant);

macro_rules! of_tenant {
    ($($query:ident answers $sql:ty;)+) => {
        $(
            impl QueryFragment<Pg> for $query {
                fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                    out.unsafe_to_cache_prepared();
                    out.push_sql(&self.0.before);
                    out.push_bind_param::<sql::Uid, _>(&self.0.tenant)?;
                    out.push_sql(&self.0.after);
                    Ok(())
                }
            }

            impl QueryFragment<Sqlite> for $query {
                fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                    out.unsafe_to_cache_prepared();
                    out.push_sql(&self.0.before);
                    out.push_bind_param::<sql::Uid, _>(&self.0.tenant)?;
                    out.push_sql(&self.0.after);
                    Ok(())
                }
            }

            impl Query for $query {
                type SqlType = $sql;
            }

            impl QueryId for $query {
                type QueryId = ();
                const HAS_STATIC_QUERY_ID: bool = false;
            }

            impl<C> RunQueryDsl<C> for $query {}
        )+
    };
}

of_tenant! {
    Counting answers BigInt;
    Listing answers sql::Uid;
}
