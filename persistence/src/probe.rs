//! Direct access to a database for the tests: plain SQL, past every rule. Nothing else uses it.

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_types::Text};

use crate::kernel::{
    connection::{Db, Url, Use, each},
    error::StoreError,
};

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    line: String,
}

fn connect(url: &str) -> Result<Db, StoreError> {
    Url::parse(url)?.connect(Use::Write)
}

/// Executes statements on a connection of their own.
pub fn execute(url: &str, sql: &str) -> Result<(), StoreError> {
    let mut db = connect(url)?;
    Ok(each!(&mut db, c => c.batch_execute(sql))?)
}

/// Tries to write where the caller reads.
pub fn write_as_reader(db: &mut Db) -> Result<(), StoreError> {
    Ok(each!(db, c => c.batch_execute("update sessions set device = 'written by a reader'"))?)
}

/// The text column `line` of every row that a query returns.
pub fn query_lines(url: &str, sql: &str) -> Result<Vec<String>, StoreError> {
    let mut db = connect(url)?;
    let rows: Vec<Row> = each!(&mut db, c => diesel::sql_query(sql).load(c))?;
    Ok(rows.into_iter().map(|row| row.line).collect())
}
