//! Published documents of a tenant, as rows: the newest edition of each kind. Older ones stand in
//! the journal.

use diesel::{prelude::*, sql_types::Text};
use domain::{
    core::{id::TenantId, journal::Entry},
    flows::{
        change::{Change, Versioned},
        policy::Policy,
    },
    people::audit::AuditAction,
};

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowTable, Rows, flow_row, rebuild_state},
    projection::Projection,
    schema::policies,
    types::{At, Doc, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    PolicyRow of Policy as policy in "policies" {
        kind: String => Text, "text" = policy.document.kind().name().to_owned();
        published_at: At => sql::Moment, "timestamptz" = At(policy.at);
    }
    changes (published_at)
}

impl FlowTable for Policy {
    const TABLE: &'static str = "policies";
    const CACHED: usize = 64;

    fn audit_action(_: &Entry) -> Option<AuditAction> {
        Some(AuditAction::Publish)
    }

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| PolicyRow::new(change))
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<PolicyRow>()
    }
}

/// The newest edition of every document a tenant published.
pub fn load_all(db: &mut Db, tenant: TenantId) -> Result<Vec<Versioned<Policy>>> {
    let rows: Vec<(Id, i64, Vec<u8>, Doc)> = policies::table
        .filter(policies::tenant_id.eq(Id(tenant.0)))
        .order(policies::id.asc())
        .select((policies::id, policies::seq, policies::head, policies::state))
        .load(db)?;
    rows.into_iter().map(|row| rebuild_state("policies", row)).collect()
}

/// The number of editions of all kinds that a tenant published: grows with every one.
pub fn count_editions(db: &mut Db, tenant: TenantId) -> Result<i64> {
    let seqs: Vec<i64> = policies::table
        .filter(policies::tenant_id.eq(Id(tenant.0)))
        .select(policies::seq)
        .load(db)?;
    Ok(seqs.into_iter().sum())
}
