//! Writes many rows at once: one prepared statement a table, whatever their number.
//!
//! PostgreSQL takes the rows as one array a column (`… select * from unnest(…)`), so that a batch
//! is planned once and costs one round trip a table. SQLite has no round trip to save and takes
//! them one by one, with a statement that stays prepared. The text around the rows is the same for
//! both.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::{Pg, PgConnection},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    query_dsl::LoadQuery,
    sqlite::Sqlite,
};

use crate::kernel::connection::Db;

/// A row of a table that is written in batches.
pub(crate) trait Row: Sized + 'static {
    /// The name of the table.
    const TABLE: &'static str;
    /// Names and PostgreSQL types of the columns.
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// The columns of the primary key.
    const KEY: &'static [&'static str];
    /// The columns that change when the row is written again.
    const CHANGES: &'static [&'static str];
    /// References to the values of some rows, column by column.
    type Columns<'a>;

    /// The values of the primary key, as text.
    fn key_text(&self) -> String;

    /// Takes over the changing columns of a later row.
    fn overwrite(&mut self, later: &Self);

    /// Turns rows into columns.
    fn to_columns<'a>(rows: &[&'a Self]) -> Self::Columns<'a>;

    /// Binds the columns as arrays, one array a parameter; `around` is called with the number of
    /// the parameter before each, and once after the last.
    fn bind_arrays<'b>(
        columns: &'b Self::Columns<'_>,
        around: impl FnMut(&mut AstPass<'_, 'b, Pg>, usize),
        out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()>;

    /// Binds the values of one row in the same way.
    fn bind_values<'b>(
        &'b self,
        around: impl FnMut(&mut AstPass<'_, 'b, Sqlite>, usize),
        out: AstPass<'_, 'b, Sqlite>,
    ) -> QueryResult<()>;
}

/// Describes how a struct is written: its columns in order with their SQL types, the key, and the
/// columns that change.
macro_rules! rows {
    (
        $row:ident in $table:literal { $($column:ident: $rust:ty => $sql:ty, $cast:literal;)+ }
        key ($($key:ident),+) changes ($($change:ident),*)
    ) => {
        const _: () = {
            use diesel::{QueryResult, pg::Pg, query_builder::AstPass, sql_types::Array, sqlite::Sqlite};

            #[derive(Default)]
            pub(crate) struct Columns<'a> { $($column: Vec<&'a $rust>,)+ }

            impl $crate::kernel::rows::Row for $row {
                const TABLE: &'static str = $table;
                const COLUMNS: &'static [(&'static str, &'static str)] =
                    &[$((stringify!($column), $cast),)+];
                const KEY: &'static [&'static str] = &[$(stringify!($key),)+];
                const CHANGES: &'static [&'static str] = &[$(stringify!($change),)*];
                type Columns<'a> = Columns<'a>;

                fn key_text(&self) -> String {
                    format!("{:?}", ($(&self.$key,)+))
                }

                fn overwrite(&mut self, later: &Self) {
                    let _ = later;
                    $(Clone::clone_from(&mut self.$change, &later.$change);)*
                }

                fn to_columns<'a>(rows: &[&'a Self]) -> Columns<'a> {
                    let mut columns = Columns::default();
                    for row in rows {
                        $(columns.$column.push(&row.$column);)+
                    }
                    columns
                }

                fn bind_arrays<'b>(
                    columns: &'b Columns<'_>,
                    mut around: impl FnMut(&mut AstPass<'_, 'b, Pg>, usize),
                    mut out: AstPass<'_, 'b, Pg>,
                ) -> QueryResult<()> {
                    let mut at = 0;
                    $(
                        around(&mut out, at);
                        out.push_bind_param::<Array<$sql>, _>(&columns.$column)?;
                        at += 1;
                    )+
                    around(&mut out, at);
                    Ok(())
                }

                fn bind_values<'b>(
                    &'b self,
                    mut around: impl FnMut(&mut AstPass<'_, 'b, Sqlite>, usize),
                    mut out: AstPass<'_, 'b, Sqlite>,
                ) -> QueryResult<()> {
                    let mut at = 0;
                    $(
                        around(&mut out, at);
                        out.push_bind_param::<$sql, _>(&self.$column)?;
                        at += 1;
                    )+
                    around(&mut out, at);
                    Ok(())
                }
            }
        };
    };
}
pub(crate) use rows;

/// Inserts new rows; one that exists is an error.
const INSERT: u8 = 0;
/// Inserts new rows; those that exist are left out of the result.
const CLAIM: u8 = 1;
/// Writes rows, new or not.
const UPSERT: u8 = 2;
/// Updates rows that exist.
const UPDATE: u8 = 3;

/// All rows, for PostgreSQL.
pub(crate) struct Many<'a, R: Row, const HOW: u8>(R::Columns<'a>);

/// One row, for SQLite.
struct One<'a, R: Row, const HOW: u8>(&'a R);

/// Writes names with text between and around them.
pub(crate) fn push_list(
    push: &mut impl FnMut(&str),
    names: &[&str],
    between: &str,
    each: impl Fn(&str) -> String,
) {
    for (index, name) in names.iter().enumerate() {
        push(if index == 0 { "" } else { between });
        push(&each(name));
    }
}

fn push_before<R: Row, const HOW: u8>(push: &mut impl FnMut(&str)) {
    let names: Vec<&str> = R::COLUMNS.iter().map(|(name, _)| *name).collect();
    if HOW == UPDATE {
        push("update ");
        push(R::TABLE);
        push(" as t set ");
        push_list(push, R::CHANGES, ", ", |name| format!("{name} = u.{name}"));
        push(" from ");
    } else {
        push("insert into ");
        push(R::TABLE);
        push(" (");
        push_list(push, &names, ", ", str::to_owned);
        push(") ");
    }
}

fn push_after<R: Row, const HOW: u8>(push: &mut impl FnMut(&str)) {
    match HOW {
        UPDATE => {
            push(" where ");
            push_list(push, R::KEY, " and ", |name| format!("t.{name} = u.{name}"));
        }
        UPSERT if !R::CHANGES.is_empty() => {
            push(" on conflict (");
            push_list(push, R::KEY, ", ", str::to_owned);
            push(") do update set ");
            push_list(push, R::CHANGES, ", ", |name| format!("{name} = excluded.{name}"));
        }
        UPSERT | CLAIM => push(" on conflict do nothing"),
        _ => {}
    }
}

impl<R: Row, const HOW: u8> QueryFragment<Pg> for Many<'_, R, HOW> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        push_before::<R, HOW>(&mut |text| out.push_sql(text));
        out.push_sql(if HOW == UPDATE { "unnest(" } else { "select * from unnest(" });
        let around = |out: &mut AstPass<'_, 'b, Pg>, at: usize| {
            if let Some((_, cast)) = at.checked_sub(1).and_then(|last| R::COLUMNS.get(last)) {
                out.push_sql("::");
                out.push_sql(cast);
                out.push_sql("[]");
            }
            out.push_sql(if at == 0 || at == R::COLUMNS.len() { "" } else { ", " });
        };
        R::bind_arrays(&self.0, around, out.reborrow())?;
        out.push_sql(")");
        if HOW == UPDATE {
            let names: Vec<&str> = R::COLUMNS.iter().map(|(name, _)| *name).collect();
            out.push_sql(" as u (");
            push_list(&mut |text| out.push_sql(text), &names, ", ", str::to_owned);
            out.push_sql(")");
        }
        push_after::<R, HOW>(&mut |text| out.push_sql(text));
        if HOW == CLAIM {
            out.push_sql(" returning tenant_id, command_id, actor_id, flow_id, flow, seq");
        }
        Ok(())
    }
}

impl<R: Row, const HOW: u8> QueryFragment<Sqlite> for One<'_, R, HOW> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        push_before::<R, HOW>(&mut |text| out.push_sql(text));
        out.push_sql(if HOW == UPDATE { "(select " } else { "values (" });
        let around = |out: &mut AstPass<'_, 'b, Sqlite>, at: usize| {
            if HOW == UPDATE
                && let Some((name, _)) = at.checked_sub(1).and_then(|last| R::COLUMNS.get(last))
            {
                out.push_sql(" as ");
                out.push_sql(name);
            }
            out.push_sql(if at == 0 || at == R::COLUMNS.len() { "" } else { ", " });
        };
        self.0.bind_values(around, out.reborrow())?;
        out.push_sql(if HOW == UPDATE { ") as u" } else { ")" });
        push_after::<R, HOW>(&mut |text| out.push_sql(text));
        Ok(())
    }
}

// The text depends only on the types, so the statement is prepared once.
impl<R: Row, const HOW: u8> QueryId for Many<'_, R, HOW> {
    type QueryId = Many<'static, R, HOW>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R: Row, const HOW: u8> QueryId for One<'_, R, HOW> {
    type QueryId = One<'static, R, HOW>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R: Row, const HOW: u8, C> RunQueryDsl<C> for Many<'_, R, HOW> {}
impl<R: Row, const HOW: u8, C> RunQueryDsl<C> for One<'_, R, HOW> {}

fn write_rows<R: Row, const HOW: u8>(db: &mut Db, rows: &[&R]) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    match db {
        Db::Postgres(c) => Many::<R, HOW>(R::to_columns(rows)).execute(c).map(|_| ()),
        Db::Sqlite(c) => rows.iter().try_for_each(|row| One::<R, HOW>(row).execute(c).map(|_| ())),
    }
}

/// Writes new rows.
pub(crate) fn insert<R: Row>(db: &mut Db, rows: &[&R]) -> QueryResult<()> {
    write_rows::<R, INSERT>(db, rows)
}

/// Inserts or updates rows.
pub(crate) fn upsert<R: Row>(db: &mut Db, rows: &[&R]) -> QueryResult<()> {
    write_rows::<R, UPSERT>(db, rows)
}

/// Updates the changing columns of rows that exist.
pub(crate) fn update<R: Row>(db: &mut Db, rows: &[&R]) -> QueryResult<()> {
    write_rows::<R, UPDATE>(db, rows)
}

/// A row whose key identifies it in a result: PostgreSQL returns the keys of the rows it wrote.
pub(crate) trait Keyed: Row {
    /// The SQL types of the key.
    type KeyType;
    /// The columns of the key, as a tuple.
    type Key;

    /// The key of this row.
    fn key(&self) -> Self::Key;
}

impl<R: Keyed> Query for Many<'_, R, CLAIM> {
    type SqlType = R::KeyType;
}

/// Inserts the rows that are new; returns their keys.
pub(crate) fn claim<'a, R: Keyed>(db: &mut Db, rows: &[&'a R]) -> QueryResult<Vec<R::Key>>
where
    Many<'a, R, CLAIM>: LoadQuery<'a, PgConnection, R::Key>,
{
    match db {
        Db::Postgres(c) => Many::<R, CLAIM>(R::to_columns(rows)).get_results(c),
        Db::Sqlite(c) => {
            let mut new = Vec::with_capacity(rows.len());
            for row in rows {
                if One::<R, CLAIM>(row).execute(c)? == 1 {
                    new.push(row.key());
                }
            }
            Ok(new)
        }
    }
}
