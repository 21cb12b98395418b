//! Uploads in pieces: how much of each file has arrived.

use diesel::prelude::*;
use domain::{
    Instant,
    core::id::{MediaId, PersonId, TenantId},
};

use crate::{
    flows::media::{Unused, count_unused},
    kernel::{
        connection::{Db, each},
        error::StoreError,
        schema::{media_parts, media_uploads},
        types::{At, Doc, Id},
        write_job::WriteJob,
    },
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A file that is sent in pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// The identity the file will have.
    pub id: MediaId,
    /// The person who sends it.
    pub by: PersonId,
    /// How many bytes it will have.
    pub bytes: i64,
    /// The number of bytes that have arrived.
    pub received: i64,
    /// The digest of the whole file, in hexadecimal, where it was given.
    pub sha256: Option<String>,
    /// Further details that were given.
    pub details: String,
    /// When the upload began.
    pub begun_at: Instant,
}

/// A piece that has arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// The number of bytes before it.
    pub first: i64,
    /// The number of its bytes.
    pub bytes: i64,
}

type Row = (Id, Id, i64, i64, Option<String>, Doc, At);

fn upload_from_row((id, by, bytes, received, sha256, details, begun_at): Row) -> Upload {
    let (id, by) = (MediaId(id.0), PersonId(by.0));
    Upload { id, by, bytes, received, sha256, details: details.0, begun_at: begun_at.0 }
}

/// A file that is sent in pieces.
pub fn find(db: &mut Db, tenant: TenantId, id: MediaId) -> Result<Option<Upload>> {
    use media_uploads::dsl as u;
    let row: Option<Row> = media_uploads::table
        .find((Id(tenant.0), Id(id.0)))
        .select((u::id, u::by_id, u::bytes, u::received, u::sha256, u::details, u::begun_at))
        .first(db)
        .optional()?;
    Ok(row.map(upload_from_row))
}

/// Begins an upload unless it exists; returns its present state.
pub(crate) fn begin(db: &mut Db, tenant: TenantId, new: &Upload) -> Result<Upload> {
    use media_uploads::dsl as u;
    let insert = diesel::insert_into(media_uploads::table)
        .values((
            u::tenant_id.eq(Id(tenant.0)),
            u::id.eq(Id(new.id.0)),
            u::by_id.eq(Id(new.by.0)),
            u::bytes.eq(new.bytes),
            u::received.eq(new.received),
            u::sha256.eq(new.sha256.clone()),
            u::details.eq(Doc(new.details.clone())),
            u::begun_at.eq(At(new.begun_at)),
        ))
        .on_conflict_do_nothing();
    each!(db, c => insert.execute(c))?;
    let lost = || StoreError::Inconsistent(format!("media_uploads {}", new.id));
    find(db, tenant, new.id)?.ok_or_else(lost)
}

/// The total sizes of a person's unfinished uploads.
pub fn load_sizes(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<Vec<i64>> {
    Ok(media_uploads::table
        .filter(media_uploads::tenant_id.eq(Id(tenant.0)))
        .filter(media_uploads::by_id.eq(Id(person.0)))
        .select(media_uploads::bytes)
        .limit(1000)
        .load(db)?)
}

/// Records a piece, if it is the next one; returns whether it was.
pub(crate) fn record_part(
    db: &mut Db,
    tenant: TenantId,
    id: MediaId,
    first: i64,
    bytes: i64,
) -> Result<bool> {
    let row = media_uploads::table.find((Id(tenant.0), Id(id.0)));
    let moved = diesel::update(row.filter(media_uploads::received.eq(first)))
        .set(media_uploads::received.eq(first + bytes))
        .execute(db)?;
    if moved == 0 {
        return Ok(false);
    }
    diesel::insert_into(media_parts::table)
        .values((
            media_parts::tenant_id.eq(Id(tenant.0)),
            media_parts::upload_id.eq(Id(id.0)),
            media_parts::first.eq(first),
            media_parts::bytes.eq(bytes),
        ))
        .execute(db)?;
    Ok(true)
}

/// The pieces that have arrived, in their order.
pub fn load_parts(db: &mut Db, tenant: TenantId, id: MediaId) -> Result<Vec<Part>> {
    let rows: Vec<(i64, i64)> = media_parts::table
        .filter(media_parts::tenant_id.eq(Id(tenant.0)))
        .filter(media_parts::upload_id.eq(Id(id.0)))
        .order(media_parts::first.asc())
        .select((media_parts::first, media_parts::bytes))
        .load(db)?;
    Ok(rows.into_iter().map(|(first, bytes)| Part { first, bytes }).collect())
}

/// Removes an upload: it is complete, or given up.
pub(crate) fn forget(db: &mut Db, tenant: TenantId, id: MediaId) -> Result<()> {
    diesel::delete(media_parts::table)
        .filter(media_parts::tenant_id.eq(Id(tenant.0)))
        .filter(media_parts::upload_id.eq(Id(id.0)))
        .execute(db)?;
    diesel::delete(media_uploads::table.find((Id(tenant.0), Id(id.0)))).execute(db)?;
    Ok(())
}

/// Uploads that were begun before `cutoff`.
pub fn load_stalled(
    db: &mut Db,
    tenant: TenantId,
    cutoff: Instant,
    limit: i64,
) -> Result<Vec<MediaId>> {
    let rows: Vec<Id> = media_uploads::table
        .filter(media_uploads::tenant_id.eq(Id(tenant.0)))
        .filter(media_uploads::begun_at.lt(At(cutoff)))
        .order((media_uploads::begun_at.asc(), media_uploads::id.asc()))
        .select(media_uploads::id)
        .limit(limit)
        .load(db)?;
    Ok(rows.into_iter().map(|id| MediaId(id.0)).collect())
}

/// The unfinished uploads of a person.
pub fn load_for_person(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<Vec<MediaId>> {
    let rows: Vec<Id> = media_uploads::table
        .filter(media_uploads::tenant_id.eq(Id(tenant.0)))
        .filter(media_uploads::by_id.eq(Id(person.0)))
        .select(media_uploads::id)
        .limit(1000)
        .load(db)?;
    Ok(rows.into_iter().map(|id| MediaId(id.0)).collect())
}

/// Begins an upload, or finds the one that was begun, unless `admit` refuses a new one. `admit` is
/// given the size of each upload of the same person that is under way, and the files that nothing
/// names, of which at most `most_unused` are counted.
pub fn begin_upload<E: Send + 'static>(
    tenant: TenantId,
    new: Upload,
    most_unused: i64,
    admit: impl FnOnce(&[i64], &Unused) -> Result<(), E> + Send + 'static,
) -> WriteJob<Result<Upload, E>> {
    WriteJob::new(move |db| {
        if find(db, tenant, new.id)?.is_none() {
            let under_way = load_sizes(db, tenant, new.by)?;
            let unused = count_unused(db, tenant, new.by, most_unused)?;
            if let Err(refused) = admit(&under_way, &unused) {
                return Ok(Err(refused));
            }
        }
        begin(db, tenant, &new).map(Ok)
    })
}

/// Records a piece that arrived; false where another piece arrived at this place before.
pub fn record_piece(tenant: TenantId, id: MediaId, first: i64, bytes: i64) -> WriteJob<bool> {
    WriteJob::new(move |db| record_part(db, tenant, id, first, bytes))
}

/// Forgets an upload and its pieces.
pub fn forget_upload(tenant: TenantId, id: MediaId) -> WriteJob<()> {
    WriteJob::new(move |db| forget(db, tenant, id))
}
