//! The row of a flow: its place in the journal, and its state as a document.

use domain::{area::tree::Path, core::journal::Hash, flows::change::Stored};
use serde::Serialize;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    rows::{self, Row},
    types::{Doc, Id},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A row of a flow: new at the first place of its journal, changed at every later one.
pub(crate) trait Moving: Row {
    /// Its place in the journal.
    fn seq(&self) -> i64;
}

/// The JSON text of a state.
pub(crate) fn document(state: &impl Serialize) -> Result<Doc> {
    serde_json::to_string(state).map(Doc).map_err(|e| StoreError::Inconsistent(e.to_string()))
}

pub(crate) fn save_flows<R: Moving>(db: &mut Db, rows: Vec<&R>) -> Result<()> {
    let (new, moved): (Vec<&R>, Vec<&R>) = rows.into_iter().partition(|row| row.seq() == 1);
    rows::insert(db, &new)?;
    rows::update(db, &moved)?;
    Ok(())
}

/// Rebuilds a stored state.
pub(crate) fn stored<F: serde::de::DeserializeOwned>(
    table: &str,
    (id, seq, head, state): (Id, i64, Vec<u8>, Doc),
) -> Result<Stored<F>> {
    let wrong = |why: String| StoreError::Inconsistent(format!("{table} {}: {why}", id.0));
    let head = Hash::from_bytes(&head).ok_or_else(|| wrong("head".to_owned()))?;
    let state = serde_json::from_str(&state.0).map_err(|error| wrong(error.to_string()))?;
    Ok(Stored { state, seq, head })
}

/// The end of the texts that begin with `path`: `0` is the character after `/`.
pub(crate) fn end(path: &Path) -> String {
    format!("{}0", path.as_str().trim_end_matches('/'))
}
