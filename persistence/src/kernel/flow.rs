//! What the store knows of a kind of flow, in one place, and the rows of a change: described once,
//! for the commit that writes them and for the check that rebuilds them.

use std::{any::Any, borrow::Cow, fmt::Debug, sync::Arc};

use domain::{
    area::tree::Path,
    core::{
        journal::{Entry, Hash},
        text::read_stored,
    },
    flows::{
        change::{Change, Versioned},
        flow::Flow,
    },
    people::audit::AuditAction,
    rules::obligation::{Obligation, Settled},
};
use serde::Serialize;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    load::Memory,
    obligation::ObligationRow,
    pending::{Inserted, Own, Pending, Saved, Updated, Upserted},
    projection::{Derived, Place, Projection},
    rows,
    types::{Doc, Id},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A flow with a table of its own: everything that the store needs to know of it.
pub trait FlowTable: Flow + Debug + Send + Sync + 'static {
    /// The table of the current states.
    const TABLE: &'static str;

    /// How many of its states are kept in memory; a case takes about 4 kB.
    const CACHED: usize = 4096;

    /// The audit action of an entry that matters for security.
    fn audit_action(_: &Entry) -> Option<AuditAction> {
        None
    }

    /// Its number and title, for lists of obligations.
    fn label(&self) -> (&str, Cow<'_, str>) {
        ("", Cow::Borrowed(""))
    }

    /// The rows of a change: its own, and those that are derived from it.
    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()>;

    /// Names the tables that only this flow fills, so that a check also covers them when they are
    /// empty.
    fn expect_tables(projection: &mut Projection) -> Result<()>;
}

/// The row of a flow.
pub(crate) trait FlowRow: Derived {
    /// Its place in the journal.
    fn seq(&self) -> i64;
}

/// Defines the own row of a flow: the columns that all have (`tenant_id`, `id`, `seq`, `head`,
/// `state`), and its own, each with an expression of the state. Names those of its own that change.
macro_rules! flow_row {
    (
        $row:ident of $flow:ty as $state:ident in $table:literal {
            $($column:ident: $rust:ty => $sql:ty, $cast:literal = $value:expr;)*
        } changes ($($change:ident),*)
    ) => {
        #[derive(Debug, Clone)]
        pub(crate) struct $row {
            pub(crate) tenant_id: $crate::kernel::types::Id,
            pub(crate) id: $crate::kernel::types::Id,
            pub(crate) seq: i64,
            pub(crate) head: Vec<u8>,
            $(pub(crate) $column: $rust,)*
            pub(crate) state: $crate::kernel::types::Doc,
        }

        $crate::kernel::rows::rows! {
            $row in $table {
                tenant_id: $crate::kernel::types::Id => $crate::kernel::types::sql::Uid, "uuid";
                id: $crate::kernel::types::Id => $crate::kernel::types::sql::Uid, "uuid";
                seq: i64 => diesel::sql_types::BigInt, "bigint";
                head: Vec<u8> => diesel::sql_types::Binary, "bytea";
                $($column: $rust => $sql, $cast;)*
                state: $crate::kernel::types::Doc => $crate::kernel::types::sql::Doc, "text";
            }
            key (tenant_id, id) changes (seq, head, $($change,)* state)
        }

        impl $row {
            /// The row after a change.
            pub(crate) fn new(
                change: &domain::flows::change::Change<$flow>,
            ) -> std::result::Result<Self, $crate::kernel::error::StoreError> {
                let ($state, entry) = (&change.state, &change.entry);
                Ok(Self {
                    tenant_id: $crate::kernel::types::Id(entry.tenant.0),
                    id: $crate::kernel::types::Id(domain::flows::flow::Flow::id($state)),
                    seq: entry.seq,
                    head: entry.hash.0.to_vec(),
                    $($column: $value,)*
                    state: $crate::kernel::flow::to_document($state)?,
                })
            }
        }

        impl $crate::kernel::projection::Derived for $row {
            const OWN: bool = true;
            const KIND: std::result::Result<domain::core::journal::FlowKind, &'static str> =
                Ok(<$flow as domain::flows::flow::Flow>::KIND);
            const DOCUMENT: Option<&'static str> = Some("state");

            fn flow(&self) -> (&str, uuid::Uuid) {
                (<$flow as domain::flows::flow::Flow>::KIND.name(), self.id.0)
            }

            fn says_same(&self, there: &str) -> bool {
                $crate::kernel::flow::is_same_document::<$flow>(&self.state.0, there)
            }
        }

        impl $crate::kernel::flow::FlowRow for $row {
            fn seq(&self) -> i64 {
                self.seq
            }
        }
    };
}
pub(crate) use flow_row;

/// Whether two documents have the same content.
pub(crate) fn is_same_document<T: serde::de::DeserializeOwned + PartialEq>(
    one: &str,
    other: &str,
) -> bool {
    let read = |text| read_stored::<T>(text).ok();
    read(one).is_some_and(|one| Some(one) == read(other))
}

/// The target for the rows of a change: to be written, or to be compared with those in the
/// database.
pub struct Rows<'a>(Target<'a>);

enum Target<'a> {
    Write(&'a mut Pending),
    Compare(&'a mut Projection, Place),
}

/// Rows that replace all those of their flow.
pub(crate) trait Replacement: Saved {
    /// The type of one row.
    type Row: Derived;

    /// All rows, each by itself.
    fn into_rows(self) -> Vec<Self::Row>;
}

impl<'a> Rows<'a> {
    /// Adds the rows of a change and its obligations to a commit.
    pub(crate) fn write_change<F: FlowTable>(
        change: &Change<F>,
        pending: &'a mut Pending,
    ) -> Result<()> {
        let mut rows = Self(Target::Write(pending));
        F::add_rows(change, &mut rows)?;
        rows.add_obligations(change)
    }

    /// The same, for a check.
    pub(crate) fn compare_change<F: FlowTable>(
        change: &Change<F>,
        at: Place,
        projection: &'a mut Projection,
    ) -> Result<()> {
        let mut rows = Self(Target::Compare(projection, at));
        F::add_rows(change, &mut rows)?;
        rows.add_obligations(change)
    }

    /// Adds the flow's own row.
    pub(crate) fn add_own<R: FlowRow>(&mut self, row: impl FnOnce() -> Result<R>) -> Result<()> {
        match &mut self.0 {
            Target::Write(pending) => {
                pending.extend([Own(row()?)]);
                Ok(())
            }
            Target::Compare(projection, at) => projection.put_own(*at, row),
        }
    }

    /// Adds rows that are derived from this change, each of them new or written again.
    pub(crate) fn add_derived<R: Derived>(
        &mut self,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<()> {
        match &mut self.0 {
            Target::Write(pending) => {
                pending.extend(rows.into_iter().map(Upserted));
                Ok(())
            }
            Target::Compare(projection, _) => projection.overwrite(rows),
        }
    }

    /// Adds rows that replace all those that were derived from earlier changes.
    pub(crate) fn replace_derived<S: Replacement>(
        &mut self,
        all: impl FnOnce() -> S,
    ) -> Result<()> {
        match &mut self.0 {
            Target::Write(pending) => {
                pending.extend([all()]);
                Ok(())
            }
            Target::Compare(projection, at) if at.last => projection.put(all().into_rows()),
            Target::Compare(..) => Ok(()),
        }
    }

    /// Adds writes that do not follow from a journal alone.
    pub(crate) fn add_besides<S: Saved>(&mut self, more: impl IntoIterator<Item = S>) {
        if let Target::Write(pending) = &mut self.0 {
            pending.extend(more);
        }
    }

    fn add_obligations<F: FlowTable>(&mut self, change: &Change<F>) -> Result<()> {
        let (number, title) = change.state.label();
        let row = |obligation: &Obligation, settled: Option<&Settled>| {
            ObligationRow::new(&change.entry, number, &title, obligation, settled)
        };
        let opened = change.opened.iter().map(|one| row(one, None));
        let opened = opened.collect::<Result<Vec<_>>>()?;
        let moved = change.moved.iter().map(|one| row(one, None));
        let settled = change.settled.iter().map(|one| row(&one.obligation, Some(one)));
        let changed = moved.chain(settled).collect::<Result<Vec<_>>>()?;
        match &mut self.0 {
            Target::Write(pending) => {
                pending.extend(opened.into_iter().map(Inserted));
                pending.extend(changed.into_iter().map(Updated));
                Ok(())
            }
            Target::Compare(projection, _) => {
                projection.put(opened)?;
                projection.overwrite(changed)
            }
        }
    }
}

/// A change of any kind of flow.
pub trait FlowWrite: Debug + Send + Sync {
    /// Its entry in the journal.
    fn entry(&self) -> &Entry;

    /// Its audit action.
    fn audit_action(&self) -> Option<AuditAction>;

    /// The number of what it begins.
    fn new_number(&self) -> Option<&str>;

    /// Sets the part of its entry among those of the command.
    #[doc(hidden)]
    fn take_part(&mut self, part: i16);

    /// Adds its rows to those to be written.
    #[doc(hidden)]
    fn write_rows(&self, rows: &mut PendingRows<'_>) -> Result<()>;

    /// Keeps the state after it in memory.
    #[doc(hidden)]
    fn keep_state(self: Box<Self>, memory: &Memory);

    /// A copy on the heap, of the same type.
    fn clone_box(&self) -> Box<dyn FlowWrite>;

    /// The change itself, for a caller that knows its type.
    fn as_any(&self) -> &dyn Any;
}

/// Rows that wait to be written.
pub struct PendingRows<'a>(pub(crate) &'a mut Pending);

impl<F: FlowTable> FlowWrite for Change<F> {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn audit_action(&self) -> Option<AuditAction> {
        F::audit_action(&self.entry)
    }

    fn new_number(&self) -> Option<&str> {
        let (number, _) = self.state.label();
        Some(number).filter(|number| self.entry.seq == 1 && !number.is_empty())
    }

    fn take_part(&mut self, part: i16) {
        self.entry.take_part(part);
    }

    fn write_rows(&self, rows: &mut PendingRows<'_>) -> Result<()> {
        Rows::write_change(self, rows.0)
    }

    fn keep_state(self: Box<Self>, memory: &Memory) {
        let Self { entry, state, .. } = *self;
        let stored = Arc::new(Versioned { state, seq: entry.seq, head: entry.hash });
        memory.keep_state(entry.tenant, &stored);
    }

    fn clone_box(&self) -> Box<dyn FlowWrite> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Clone for Box<dyn FlowWrite> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

/// The JSON text of a state.
pub(crate) fn to_document(state: &impl Serialize) -> Result<Doc> {
    serde_json::to_string(state).map(Doc).map_err(|e| StoreError::Inconsistent(e.to_string()))
}

/// Writes rows of flows: inserts those that are new, updates the others.
pub(crate) fn save_flows<R: FlowRow>(db: &mut Db, rows: Vec<&R>) -> Result<()> {
    let (new, moved): (Vec<&R>, Vec<&R>) = rows.into_iter().partition(|row| row.seq() == 1);
    rows::insert(db, &new)?;
    rows::update(db, &moved)?;
    Ok(())
}

/// Parses a stored state.
pub(crate) fn rebuild_state<F: serde::de::DeserializeOwned>(
    table: &str,
    (id, seq, head, state): (Id, i64, Vec<u8>, Doc),
) -> Result<Versioned<F>> {
    let wrong = |why: String| StoreError::Inconsistent(format!("{table} {}: {why}", id.0));
    let head = Hash::from_bytes(&head).ok_or_else(|| wrong("head".to_owned()))?;
    let state = read_stored(&state.0).map_err(|error| wrong(error.to_string()))?;
    Ok(Versioned { state, seq, head })
}

/// The end of the range of texts that begin with `path`: `0` is the character after `/`.
pub(crate) fn prefix_end(path: &Path) -> String {
    format!("{}0", path.as_str().trim_end_matches('/'))
}
