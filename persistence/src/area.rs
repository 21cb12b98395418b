//! Areas as rows.

use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};
use domain::{
    area::{Area, AreaKind, Path},
    id::{AreaId, TenantId},
    journal::Entry,
};

use crate::{
    connection::Db,
    error::StoreError,
    rows::rows,
    schema::areas,
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Queryable, Debug, Clone)]
pub(crate) struct AreaRow {
    tenant_id: Id,
    id: Id,
    parent_id: Option<Id>,
    kind: String,
    code: String,
    name: String,
    path: String,
    boundary: Option<Doc>,
    created_at: At,
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
        boundary: Option<Doc> => Nullable<sql::Doc>, "text";
        created_at: At => sql::Moment, "timestamptz";
    }
    key (tenant_id, id) changes (name, boundary)
}

impl AreaRow {
    pub(crate) fn new(entry: &Entry, area: &Area, boundary: Option<String>) -> Self {
        Self {
            tenant_id: Id(entry.tenant.0),
            id: Id(area.id.0),
            parent_id: area.parent.map(|parent| Id(parent.0)),
            kind: area.kind.name().to_owned(),
            code: area.code.clone(),
            name: area.name.clone(),
            path: area.path.0.clone(),
            boundary: boundary.map(Doc),
            created_at: At(entry.at),
        }
    }
}

/// All areas of a tenant with their boundaries as GeoJSON geometries, by path.
pub fn all(db: &mut Db, tenant: TenantId) -> Result<Vec<(Area, Option<String>)>> {
    let rows: Vec<AreaRow> =
        areas::table.filter(areas::tenant_id.eq(Id(tenant.0))).order(areas::path.asc()).load(db)?;
    rows.into_iter()
        .map(|row| {
            let wrong = || StoreError::Inconsistent(format!("areas {}: kind", row.id.0));
            let area = Area {
                id: AreaId(row.id.0),
                parent: row.parent_id.map(|parent| AreaId(parent.0)),
                kind: AreaKind::parse(&row.kind).ok_or_else(wrong)?,
                code: row.code,
                name: row.name,
                path: Path(row.path),
            };
            Ok((area, row.boundary.map(|boundary| boundary.0)))
        })
        .collect()
}
