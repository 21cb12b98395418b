//! Tenants: one city or county each.

use diesel::prelude::*;
use domain::{Instant, core::id::TenantId};

use crate::kernel::{
    connection::Db,
    error::StoreError,
    schema::tenants,
    types::{At, Id},
    write_job::WriteJob,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// One city or county.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    /// The identity of the tenant.
    pub id: TenantId,
    /// Its code, as people type it at login: usually the division code.
    pub code: String,
    /// What people call it.
    pub name: String,
}

/// Adds a tenant.
pub(crate) fn create(db: &mut Db, tenant: &Tenant, at: Instant) -> Result<()> {
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
pub fn load_all(db: &mut Db) -> Result<Vec<Tenant>> {
    let rows: Vec<(Id, String, String)> = tenants::table
        .order(tenants::code.asc())
        .select((tenants::tenant_id, tenants::code, tenants::name))
        .load(db)?;
    let tenant = |(id, code, name): (Id, String, String)| Tenant { id: TenantId(id.0), code, name };
    Ok(rows.into_iter().map(tenant).collect())
}

/// Adds a tenant.
pub fn create_tenant(tenant: Tenant, at: Instant) -> WriteJob<()> {
    WriteJob::new(move |db| create(db, &tenant, at))
}
