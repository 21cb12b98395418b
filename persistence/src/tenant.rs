//! Tenants and the keys that sign tokens.

use diesel::prelude::*;
use domain::{Instant, id::TenantId};
use uuid::Uuid;

use crate::{
    connection::Db,
    error::StoreError,
    schema::{signing_keys, tenants},
    types::{At, Id},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// One city or county.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    /// Its identity.
    pub id: TenantId,
    /// Its code, as people type it at login: usually the division code.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// Adds a tenant.
pub fn create(db: &mut Db, tenant: &Tenant, at: Instant) -> Result<()> {
    diesel::insert_into(tenants::table)
        .values((
            tenants::tenant_id.eq(Id(tenant.id.0)),
            tenants::code.eq(tenant.code.clone()),
            tenants::name.eq(tenant.name.clone()),
            tenants::created_at.eq(At(at)),
        ))
        .execute(db)?;
    Ok(())
}

/// Every tenant, by code.
pub fn all(db: &mut Db) -> Result<Vec<Tenant>> {
    let rows: Vec<(Id, String, String)> = tenants::table
        .order(tenants::code.asc())
        .select((tenants::tenant_id, tenants::code, tenants::name))
        .load(db)?;
    let tenant = |(id, code, name): (Id, String, String)| Tenant { id: TenantId(id.0), code, name };
    Ok(rows.into_iter().map(tenant).collect())
}

/// The newest signing key; `fresh` becomes the first when there is none. All replicas of one
/// database sign with the same.
pub fn signing_key(db: &mut Db, fresh: (Uuid, Vec<u8>), at: Instant) -> Result<(Uuid, Vec<u8>)> {
    let newest = |db: &mut Db| {
        signing_keys::table
            .order((signing_keys::created_at.desc(), signing_keys::id.desc()))
            .select((signing_keys::id, signing_keys::secret))
            .first::<(Id, Vec<u8>)>(db)
            .optional()
    };
    if let Some((id, secret)) = newest(db)? {
        return Ok((id.0, secret));
    }
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::id.eq(Id(fresh.0)),
            signing_keys::secret.eq(fresh.1.clone()),
            signing_keys::created_at.eq(At(at)),
        ))
        .execute(db)?;
    Ok(fresh)
}
