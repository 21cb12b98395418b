//! Writing many rows at once: one prepared statement a table, whatever their number.
//!
//! PostgreSQL takes the rows as one array a column (`insert … select * from unnest(…)`), so that
//! a batch is planned once and costs one round trip a table. SQLite has no round trip to save
//! and takes them one by one, by a statement that stays prepared. The part after the rows, `on
//! conflict …`, is the same text for both.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::{Pg, PgConnection},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    query_dsl::LoadQuery,
    sqlite::Sqlite,
};

use crate::connection::Db;

/// A row of a table that is written in batches.
pub(crate) trait Row: Sized + 'static {
    /// The table.
    const TABLE: &'static str;
    /// What follows the rows.
    const TAIL: &'static str;
    /// Names and PostgreSQL types of the columns.
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// References to the values of some rows, column by column.
    type Columns<'a>;

    /// Turns rows into columns.
    fn columns<'a>(rows: &[&'a Self]) -> Self::Columns<'a>;

    /// Binds the columns as arrays, one array a parameter.
    fn bind_arrays<'b>(
        columns: &'b Self::Columns<'_>,
        each: impl FnMut(&mut AstPass<'_, 'b, Pg>, usize),
        out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()>;

    /// Binds the values of one row.
    fn bind_values<'b>(
        &'b self,
        each: impl FnMut(&mut AstPass<'_, 'b, Sqlite>, usize),
        out: AstPass<'_, 'b, Sqlite>,
    ) -> QueryResult<()>;
}

/// Describes how a struct is written: its columns in order with their SQL types, then the tail.
macro_rules! rows {
    ($row:ident in $table:literal { $($column:ident: $rust:ty => $sql:ty, $cast:literal;)+ } $tail:literal) => {
        const _: () = {
            use diesel::{pg::Pg, query_builder::AstPass, sql_types::Array, sqlite::Sqlite, QueryResult};

            #[derive(Default)]
            pub(crate) struct Columns<'a> { $($column: Vec<&'a $rust>,)+ }

            impl $crate::rows::Row for $row {
                const TABLE: &'static str = $table;
                const TAIL: &'static str = $tail;
                const COLUMNS: &'static [(&'static str, &'static str)] =
                    &[$((stringify!($column), $cast),)+];
                type Columns<'a> = Columns<'a>;

                fn columns<'a>(rows: &[&'a Self]) -> Columns<'a> {
                    let mut columns = Columns::default();
                    for row in rows {
                        $(columns.$column.push(&row.$column);)+
                    }
                    columns
                }

                fn bind_arrays<'b>(
                    columns: &'b Columns<'_>,
                    mut each: impl FnMut(&mut AstPass<'_, 'b, Pg>, usize),
                    mut out: AstPass<'_, 'b, Pg>,
                ) -> QueryResult<()> {
                    let mut at = 0;
                    $(
                        each(&mut out, at);
                        out.push_bind_param::<Array<$sql>, _>(&columns.$column)?;
                        at += 1;
                    )+
                    each(&mut out, at);
                    Ok(())
                }

                fn bind_values<'b>(
                    &'b self,
                    mut each: impl FnMut(&mut AstPass<'_, 'b, Sqlite>, usize),
                    mut out: AstPass<'_, 'b, Sqlite>,
                ) -> QueryResult<()> {
                    let mut at = 0;
                    $(
                        each(&mut out, at);
                        out.push_bind_param::<$sql, _>(&self.$column)?;
                        at += 1;
                    )+
                    each(&mut out, at);
                    Ok(())
                }
            }
        };
    };
}
pub(crate) use rows;

/// All rows, for PostgreSQL.
pub(crate) struct Many<'a, R: Row>(R::Columns<'a>);

/// One row, for SQLite.
struct One<'a, R: Row>(&'a R);

fn head<R: Row>(push: &mut impl FnMut(&str)) {
    push("insert into ");
    push(R::TABLE);
    push(" (");
    for (index, (name, _)) in R::COLUMNS.iter().enumerate() {
        push(if index == 0 { "" } else { ", " });
        push(name);
    }
    push(")");
}

impl<R: Row> QueryFragment<Pg> for Many<'_, R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        head::<R>(&mut |text| out.push_sql(text));
        out.push_sql(" select * from unnest(");
        let each = |out: &mut AstPass<'_, 'b, Pg>, at: usize| {
            if let Some((_, cast)) = at.checked_sub(1).and_then(|before| R::COLUMNS.get(before)) {
                out.push_sql("::");
                out.push_sql(cast);
                out.push_sql("[]");
            }
            out.push_sql(if at == 0 || at == R::COLUMNS.len() { "" } else { ", " });
        };
        R::bind_arrays(&self.0, each, out.reborrow())?;
        out.push_sql(") ");
        out.push_sql(R::TAIL);
        Ok(())
    }
}

impl<R: Row> QueryFragment<Sqlite> for One<'_, R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        head::<R>(&mut |text| out.push_sql(text));
        out.push_sql(" values (");
        let each = |out: &mut AstPass<'_, 'b, Sqlite>, at: usize| {
            out.push_sql(if at == 0 || at == R::COLUMNS.len() { "" } else { ", " });
        };
        self.0.bind_values(each, out.reborrow())?;
        out.push_sql(") ");
        out.push_sql(R::TAIL);
        Ok(())
    }
}

// The text depends only on the type of the row, so the statement is prepared once.
impl<R: Row> QueryId for Many<'_, R> {
    type QueryId = Many<'static, R>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R: Row> QueryId for One<'_, R> {
    type QueryId = One<'static, R>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Writes rows; answers how many were written or changed.
pub(crate) fn write<R: Row>(db: &mut Db, rows: &[&R]) -> QueryResult<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    match db {
        Db::Postgres(c) => Many::<R>(R::columns(rows)).execute(c),
        Db::Sqlite(c) => {
            let mut written = 0;
            for row in rows {
                written += One(*row).execute(c)?;
            }
            Ok(written)
        }
    }
}

impl<R: Row, C> RunQueryDsl<C> for Many<'_, R> {}
impl<R: Row, C> RunQueryDsl<C> for One<'_, R> {}

/// A row that says which of several were written: PostgreSQL returns their keys.
pub(crate) trait Keyed: Row {
    /// The SQL types of the key.
    type KeyType;
    /// The key.
    type Key;

    /// The key of this row.
    fn key(&self) -> Self::Key;
}

impl<R: Keyed> Query for Many<'_, R> {
    type SqlType = R::KeyType;
}

/// Writes rows that are new; answers the keys of those.
pub(crate) fn claim<'a, R: Keyed>(db: &mut Db, rows: &[&'a R]) -> QueryResult<Vec<R::Key>>
where
    Many<'a, R>: LoadQuery<'a, PgConnection, R::Key>,
{
    match db {
        Db::Postgres(c) => Many::<R>(R::columns(rows)).get_results(c),
        Db::Sqlite(c) => {
            let mut new = Vec::with_capacity(rows.len());
            for row in rows {
                if One(*row).execute(c)? == 1 {
                    new.push(row.key());
                }
            }
            Ok(new)
        }
    }
}
