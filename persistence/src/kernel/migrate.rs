//! Migrations: embedded, with the same names for both engines, applied at start.

use std::collections::BTreeSet;

use diesel::{connection::SimpleConnection, migration::MigrationVersion, prelude::*};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use domain::core::fold::fold_account;

use crate::kernel::{
    connection::{Db, Url, Use, each, transaction},
    error::StoreError,
    schema::people,
    types::Id,
};

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// The advisory lock that keeps two replicas from migrating at the same time.
const LOCK: i64 = 0x6772_6964_7768_6973;

fn unusable_error(error: &(dyn std::error::Error + Send + Sync)) -> StoreError {
    StoreError::Unusable(format!("the database cannot be migrated: {error}"))
}

/// Runs `work` while no one else migrates: PostgreSQL has a lock for that, SQLite its one writer.
fn with_lock<R>(
    db: &mut Db,
    work: impl FnOnce(&mut Db) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    if matches!(db, Db::Sqlite(_)) {
        return transaction(db, work);
    }
    let lock = format!("set statement_timeout = 0; select pg_advisory_lock({LOCK})");
    each!(db, c => c.batch_execute(&lock))?;
    let result = work(db);
    each!(db, c => c.batch_execute(&format!("select pg_advisory_unlock({LOCK})")))?;
    result
}

/// Brings a database up to date; returns the names of the migrations applied. Refuses a database
/// that a newer program migrated.
pub fn up(url: &str) -> Result<Vec<String>, StoreError> {
    let mut db = Url::parse(url)?.connect(Use::Write)?;
    with_lock(&mut db, |db| {
        refuse_newer(db)?;
        let applied: Vec<MigrationVersion<'static>> = match db {
            Db::Sqlite(c) => collect_versions(c.run_pending_migrations(SQLITE)),
            Db::Postgres(c) => collect_versions(c.run_pending_migrations(POSTGRES)),
        }?;
        fill_account_keys(db)?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
}

/// Fills in the account keys of people who were registered before accounts had one.
fn fill_account_keys(db: &mut Db) -> Result<(), StoreError> {
    const AT_ONCE: i64 = 1000;
    loop {
        let rows: Vec<(Id, Id, String)> = people::table
            .filter(people::account_key.eq(""))
            .select((people::tenant_id, people::id, people::account))
            .limit(AT_ONCE)
            .load(db)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (tenant, id, account) in rows {
            diesel::update(people::table.find((tenant, id)))
                .set(people::account_key.eq(fold_account(&account)))
                .execute(db)?;
        }
    }
}

/// Reverts every migration; returns their names. All data is lost.
pub fn down(url: &str) -> Result<Vec<String>, StoreError> {
    let mut db = Url::parse(url)?.connect(Use::Write)?;
    with_lock(&mut db, |db| {
        let reverted: Vec<MigrationVersion<'static>> = match db {
            Db::Sqlite(c) => collect_versions(c.revert_all_migrations(SQLITE)),
            Db::Postgres(c) => collect_versions(c.revert_all_migrations(POSTGRES)),
        }?;
        Ok(reverted.iter().map(ToString::to_string).collect())
    })
}

type Versions<'a> = diesel::migration::Result<Vec<MigrationVersion<'a>>>;

fn collect_versions(versions: Versions<'_>) -> Result<Vec<MigrationVersion<'static>>, StoreError> {
    match versions {
        Ok(versions) => Ok(versions.iter().map(MigrationVersion::as_owned).collect()),
        Err(error) => Err(unusable_error(&*error)),
    }
}

fn refuse_newer(db: &mut Db) -> Result<(), StoreError> {
    let applied = each!(db, c => c.applied_migrations().map(|versions| {
        versions.iter().map(ToString::to_string).collect::<BTreeSet<_>>()
    }))
    .map_err(|error| unusable_error(&*error))?;
    let known: BTreeSet<String> = version_names()?.into_iter().collect();
    let unknown: Vec<&String> = applied.difference(&known).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "the database was migrated by a newer gridwhistle (it has {unknown:?}); use that version, \
         or restore a backup"
    )))
}

/// The versions this program knows, in order.
pub fn version_names() -> Result<Vec<String>, StoreError> {
    use diesel::migration::MigrationSource;
    let migrations = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&SQLITE)
        .map_err(|e| unusable_error(&*e))?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}
