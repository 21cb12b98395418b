//! Areas as rows: their versions, their boundaries, and the files they were imported from.

use diesel::{
    dsl::sql as raw,
    prelude::*,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use domain::{
    Instant,
    area::tree::{
        AreaKind, Path, Scheme,
        history::{Outline, Record, Registry, Version},
    },
    core::{
        id::{AreaId, TenantId},
        journal::{Entry, Hash},
        time::local_day,
    },
};
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::to_document,
    pending::{Saved, Turn},
    rows::{self, Row, rows},
    schema::{area_boundaries, area_imports, areas},
    types::{At, Doc, Id, sql},
    write_job::WriteJob,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct AreaRow {
    tenant_id: Id,
    id: Id,
    parent_id: Option<Id>,
    kind: String,
    code: String,
    name: String,
    path: String,
    created_at: At,
    seq: i64,
    state: Option<Doc>,
}

rows! {
    AreaRow in "areas" {
        tenant_id: Id => sql::Uid, "uuid";
        id: Id => sql::Uid, "uuid";
        parent_id: Option<Id> => Nullable<sql::Uid>, "uuid";
        kind: String => Text, "text";
        code: String => Text, "text";
        name: String => Text, "text";
        path: String => Text, "text";
        created_at: At => sql::Moment, "timestamptz";
        seq: i64 => BigInt, "bigint";
        state: Option<Doc> => Nullable<sql::Doc>, "text";
    }
    key (tenant_id, id) changes (parent_id, name, path, seq, state)
}

impl AreaRow {
    pub(crate) fn new(entry: &Entry, record: &Record) -> Result<Self> {
        let newest = record.newest_version().ok_or_else(|| {
            StoreError::Inconsistent(format!("areas {}: it never was", record.id))
        })?;
        Ok(Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(record.id.0),
            parent_id: newest.parent.map(|parent| Id(parent.0)),
            kind: record.kind.name().to_owned(),
            code: record.code.clone(),
            name: newest.name.clone(),
            path: newest.path.0.clone(),
            created_at: At(entry.at),
            seq: record.seq,
            state: Some(to_document(record)?),
        })
    }
}

#[derive(Debug, Clone)]
pub(crate) struct BoundaryRow {
    tenant_id: Id,
    area_id: Id,
    no: i64,
    boundary: Doc,
}

rows! {
    BoundaryRow in "area_boundaries" {
        tenant_id: Id => sql::Uid, "uuid";
        area_id: Id => sql::Uid, "uuid";
        no: i64 => BigInt, "bigint";
        boundary: Doc => sql::Doc, "text";
    }
    key (tenant_id, area_id, no) changes ()
}

impl Saved for BoundaryRow {
    /// Written after the areas.
    const TURN: Turn = (AreaRow::TABLE, 3);

    fn save(db: &mut Db, all: &[&Self]) -> Result<()> {
        Ok(rows::insert(db, all)?)
    }
}

impl BoundaryRow {
    pub(crate) fn new(entry: &Entry, area: AreaId, text: &str) -> Self {
        let (tenant_id, area_id) = (Id(entry.tenant.0), Id(area.0));
        Self { tenant_id, area_id, no: entry.seq, boundary: Doc(text.to_owned()) }
    }
}

/// Every area a tenant ever had, by path.
pub fn load_records(db: &mut Db, tenant: TenantId) -> Result<Vec<Record>> {
    type Row = (Id, Option<Id>, String, String, String, String, At, Option<Doc>, bool);
    let rows: Vec<Row> = areas::table
        .filter(areas::tenant_id.eq(Id(tenant.0)))
        .order(areas::path.asc())
        .select((
            areas::id,
            areas::parent_id,
            areas::kind,
            areas::code,
            areas::name,
            areas::path,
            areas::created_at,
            areas::state,
            raw::<Bool>("boundary is not null"),
        ))
        .load(db)?;
    rows.into_iter()
        .map(|(id, parent, kind, code, name, path, created, state, drawn)| {
            let wrong = |why: &str| StoreError::Inconsistent(format!("areas {}: {why}", id.0));
            if let Some(state) = state {
                return serde_json::from_str(&state.0).map_err(|error| wrong(&error.to_string()));
            }
            // Written before areas had a history.
            let kind = AreaKind::parse(&kind).ok_or_else(|| wrong("kind"))?;
            let version = Version {
                from: local_day(created.0),
                name,
                parent: parent.map(|parent| AreaId(parent.0)),
                path: Path(path),
                grid: None,
                households: None,
                boundary: drawn.then(|| Outline { no: 0, digest: String::new() }),
            };
            Ok(Record {
                id: AreaId(id.0),
                kind,
                scheme: Scheme::detect(kind, &code).unwrap_or(Scheme::Local),
                code,
                versions: vec![version],
                until: None,
                predecessors: Vec::new(),
                successors: Vec::new(),
                seq: 0,
            })
        })
        .collect()
}

/// The areas whose columns differ from their record.
pub fn find_differing_columns(
    db: &mut Db,
    tenant: TenantId,
) -> Result<Vec<(AreaId, &'static str)>> {
    type Row = (Id, Option<Id>, String, String, String, String, i64, Option<Doc>);
    let rows: Vec<Row> = areas::table
        .filter(areas::tenant_id.eq(Id(tenant.0)))
        .order(areas::id.asc())
        .select((
            areas::id,
            areas::parent_id,
            areas::kind,
            areas::code,
            areas::name,
            areas::path,
            areas::seq,
            areas::state,
        ))
        .load(db)?;
    let mut differ = Vec::new();
    for (id, parent, kind, code, name, path, seq, state) in rows {
        let Some(state) = state else { continue };
        let record: Option<Record> = serde_json::from_str(&state.0).ok();
        let newest =
            record.as_ref().and_then(|record| record.newest_version().map(|one| (record, one)));
        let Some((record, newest)) = newest else {
            differ.push((AreaId(id.0), "state"));
            continue;
        };
        let same = [
            ("id", record.id.0 == id.0),
            ("parent_id", newest.parent.map(|parent| Id(parent.0)) == parent),
            ("kind", record.kind.name() == kind),
            ("code", record.code == code),
            ("name", newest.name == name),
            ("path", newest.path.0 == path),
            ("seq", record.seq == seq),
        ];
        let unlike = same.into_iter().filter(|(_, same)| !same);
        differ.extend(unlike.map(|(column, _)| (AreaId(id.0), column)));
    }
    Ok(differ)
}

/// All areas of a tenant with their history.
pub fn load_registry(db: &mut Db, tenant: TenantId) -> Result<Registry> {
    Ok(Registry::new(load_records(db, tenant)?))
}

/// Every boundary a tenant's areas ever had, by area, with the place in the journal where it was
/// drawn, as GeoJSON.
pub fn load_boundaries(db: &mut Db, tenant: TenantId) -> Result<Vec<(AreaId, i64, String)>> {
    use area_boundaries as b;
    let rows: Vec<(Id, i64, Doc)> = b::table
        .filter(b::tenant_id.eq(Id(tenant.0)))
        .order((b::area_id.asc(), b::no.asc()))
        .select((b::area_id, b::no, b::boundary))
        .load(db)?;
    Ok(rows.into_iter().map(|(id, no, text)| (AreaId(id.0), no, text.0)).collect())
}

/// One boundary of an area, as GeoJSON.
pub fn load_boundary(
    db: &mut Db,
    tenant: TenantId,
    area: AreaId,
    no: i64,
) -> Result<Option<String>> {
    use area_boundaries as b;
    let text: Option<Doc> =
        b::table.find((Id(tenant.0), Id(area.0), no)).select(b::boundary).first(db).optional()?;
    Ok(text.map(|text| text.0))
}

/// The result of an import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The identity of the request that sent the file.
    pub id: Uuid,
    /// When it was imported.
    pub at: Instant,
    /// The digest of the request, to tell a retry from another file.
    pub digest: Hash,
    /// The answer that was given, as JSON.
    pub state: String,
}

/// Stores the result of an import; a known one stays as it was.
pub(crate) fn save_import(db: &mut Db, tenant: TenantId, import: &Import) -> Result<()> {
    use area_imports as i;
    if find_import(db, tenant, import.id)?.is_some() {
        return Ok(());
    }
    diesel::insert_into(i::table)
        .values((
            i::tenant_id.eq(Id(tenant.0)),
            i::id.eq(Id(import.id)),
            i::at.eq(At(import.at)),
            i::digest.eq(import.digest.0.to_vec()),
            i::state.eq(Doc(import.state.clone())),
        ))
        .execute(db)?;
    Ok(())
}

/// The result of an import.
pub fn find_import(db: &mut Db, tenant: TenantId, id: Uuid) -> Result<Option<Import>> {
    use area_imports as i;
    let row: Option<(Id, At, Vec<u8>, Doc)> = i::table
        .find((Id(tenant.0), Id(id)))
        .select((i::id, i::at, i::digest, i::state))
        .first(db)
        .optional()?;
    row.map(|(id, at, digest, state)| {
        let digest = Hash::from_bytes(&digest);
        let digest = digest
            .ok_or_else(|| StoreError::Inconsistent(format!("area_imports {}: digest", id.0)))?;
        Ok(Import { id: id.0, at: at.0, digest, state: state.0 })
    })
    .transpose()
}

/// Saves the answer to an import; an answer that exists already stays.
pub fn save_import_answer(tenant: TenantId, import: Import) -> WriteJob<()> {
    WriteJob::new(move |db| save_import(db, tenant, &import))
}
