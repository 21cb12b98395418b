//! The numbers of a tenant: what is read over the telephone is one thing.

use diesel::sql_types::Text;
use domain::core::journal::Entry;

use crate::kernel::{
    rows::rows,
    types::{Id, sql},
};

/// A number that is taken; nobody else gets it.
#[derive(Debug, Clone)]
pub(crate) struct NumberRow {
    tenant_id: Id,
    number: String,
    flow_id: Id,
}

rows! {
    NumberRow in "numbers" {
        tenant_id: Id => sql::Uid, "uuid";
        number: String => Text, "text";
        flow_id: Id => sql::Uid, "uuid";
    }
    key (tenant_id, number) changes ()
}

impl NumberRow {
    /// The number of what an entry begins.
    pub(crate) fn new(entry: &Entry, number: &str) -> Self {
        Self {
            tenant_id: Id(entry.tenant.0),
            number: number.to_owned(),
            flow_id: Id(entry.flow_id),
        }
    }
}
