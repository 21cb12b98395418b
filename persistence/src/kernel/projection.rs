//! The projection of the journal: rows rebuilt by the code that wrote them, compared with those in
//! the tables.
//!
//! Everything a flow's journal implies is rebuilt here: its own row, its obligations, and what its
//! [`FlowTable`] derives. Sealed data, arrivals of offline commands and marks of photos follow from
//! no journal.

mod differing;

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
};

use domain::{
    core::{id::TenantId, journal::FlowKind},
    flows::change::Change,
};
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowTable, Rows},
    rows::Row,
    types::Doc,
};

use differing::{MISSING, count_rows, find_differing, find_without_journal};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A row that differs from the journal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Odd {
    /// The kind of flow it belongs to.
    pub kind: String,
    /// The flow whose row it is.
    pub flow: Uuid,
    /// How it differs, in words.
    pub why: String,
}

/// The place of a change in its journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Whether it is the first change.
    pub first: bool,
    /// Whether it is the last change.
    pub last: bool,
}

/// A row that follows from a journal.
pub(crate) trait Derived: Row + Send + Sync {
    /// Whether it is the flow's own row.
    const OWN: bool = false;
    /// The column that names the flow it follows from.
    const FLOW: &'static str = "id";
    /// The column that names the kind of that flow, where there are several.
    const KIND: Result<FlowKind, &'static str>;
    /// The column with a document, which is compared by content, not by bytes.
    const DOCUMENT: Option<&'static str> = None;

    /// The flow it follows from: kind and identity.
    fn flow(&self) -> (&str, Uuid);

    /// Whether the stored document has the same content.
    fn says_same(&self, _there: &str) -> bool {
        false
    }

    /// Which of several rows of its flow it is, in words.
    fn row_name(&self) -> String {
        String::new()
    }
}

/// The expected rows of a table.
struct Table<R> {
    rows: BTreeMap<String, R>,
    /// The number of rows compared already.
    compared: i64,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), compared: 0 }
    }
}

impl<R: Derived> Table<R> {
    fn put(&mut self, row: R) {
        self.rows.insert(row.key_text(), row);
    }

    /// Takes a row that is written again: only some of its columns change.
    fn overwrite(&mut self, row: R) {
        match self.rows.get_mut(&row.key_text()) {
            Some(there) => there.overwrite(&row),
            None => self.put(row),
        }
    }

    fn put_all(&mut self, rows: impl IntoIterator<Item = R>) {
        for row in rows {
            self.put(row);
        }
    }

    fn overwrite_all(&mut self, rows: impl IntoIterator<Item = R>) {
        for row in rows {
            self.overwrite(row);
        }
    }

    /// Takes a flow's own row: the columns of its first change, with those that changed by its
    /// last.
    fn put_own(&mut self, at: Place, row: impl FnOnce() -> Result<R>) -> Result<()> {
        if at.first {
            self.put(row()?);
        } else if at.last {
            self.overwrite(row()?);
        }
        Ok(())
    }
}

/// A table with rows of any type.
trait AnyTable: Send + Sync {
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// Compares the taken rows with those in the table, and forgets them.
    fn compare_rows(&mut self, db: &mut Db, odd: &mut Vec<Odd>) -> Result<()>;

    /// The rows in the table beyond those compared.
    fn find_extra(&self, db: &mut Db, tenant: TenantId, beyond: &mut Vec<String>) -> Result<()>;
}

impl<R: Derived> AnyTable for Table<R> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn compare_rows(&mut self, db: &mut Db, odd: &mut Vec<Odd>) -> Result<()> {
        const ABREAST: usize = 500;
        let rows: Vec<R> = std::mem::take(&mut self.rows).into_values().collect();
        self.compared += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        for some in rows.chunks(ABREAST) {
            for (index, columns, document) in find_differing(db, some)? {
                let Some(row) = some.get(index) else { continue };
                odd.extend(render_difference(row, &columns, document.as_ref()));
            }
        }
        Ok(())
    }

    fn find_extra(&self, db: &mut Db, tenant: TenantId, beyond: &mut Vec<String>) -> Result<()> {
        let more = count_rows(db, R::TABLE, tenant)? - self.compared;
        if more > 0 {
            for flow in find_without_journal::<R>(db, tenant)? {
                beyond.push(format!("{} of {flow}: no journal speaks of it", R::TABLE));
            }
            beyond.push(format!("{}: {more} rows more than the journal says", R::TABLE));
        }
        Ok(())
    }
}

/// How a row differs, in words; none when only the bytes of its document differ.
fn render_difference<R: Derived>(row: &R, columns: &str, document: Option<&Doc>) -> Option<Odd> {
    let (kind, flow) = row.flow();
    let odd = |why: String| Some(Odd { kind: kind.to_owned(), flow, why });
    if columns == MISSING {
        return odd(if R::OWN {
            format!("the {kind} itself is missing")
        } else {
            format!("{} {} is missing", R::TABLE, row.row_name())
        });
    }
    let says = document.is_some_and(|there| row.says_same(&there.0));
    let columns: Vec<&str> = columns
        .split_whitespace()
        .filter(|column| !(says && R::DOCUMENT == Some(*column)))
        .collect();
    if columns.is_empty() {
        return None;
    }
    let names = columns.join(", ");
    odd(if R::OWN && columns.contains(&"state") {
        format!("the stored state is not what its journal says ({names})")
    } else if R::OWN {
        format!("{names} of its row is not what its journal says")
    } else {
        format!("{} {}: {names} is not what the journal says", R::TABLE, row.row_name())
    })
}

/// What the tables must hold according to the journals that were taken.
#[derive(Default)]
pub struct Projection(BTreeMap<(bool, &'static str, TypeId), Box<dyn AnyTable>>);

impl Projection {
    /// The rows of a table; the flows' own rows come first.
    fn table_of<R: Derived>(&mut self) -> Result<&mut Table<R>> {
        let key = (!R::OWN, R::TABLE, TypeId::of::<R>());
        let table = self.0.entry(key).or_insert_with(|| Box::new(Table::<R>::default()));
        let table = table.as_any_mut().downcast_mut();
        table.ok_or_else(|| StoreError::Inconsistent(format!("{} of two types", R::TABLE)))
    }

    /// Adds a table, even if it has no rows.
    pub(crate) fn expect_table<R: Derived>(&mut self) -> Result<()> {
        self.table_of::<R>().map(|_| ())
    }

    /// Takes a flow's own row, which is built only when it is needed.
    pub(crate) fn put_own<R: Derived>(
        &mut self,
        at: Place,
        row: impl FnOnce() -> Result<R>,
    ) -> Result<()> {
        self.table_of::<R>()?.put_own(at, row)
    }

    /// Takes rows, in place of earlier ones with the same key.
    pub(crate) fn put<R: Derived>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<()> {
        self.table_of::<R>()?.put_all(rows);
        Ok(())
    }

    /// Takes rows that are written again.
    pub(crate) fn overwrite<R: Derived>(
        &mut self,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<()> {
        self.table_of::<R>()?.overwrite_all(rows);
        Ok(())
    }

    /// Takes the rows of a change.
    pub fn take_change<F: FlowTable>(&mut self, change: &Change<F>, at: Place) -> Result<()> {
        Rows::compare_change(change, at, self)
    }

    /// Compares the taken rows with those in the tables, and forgets them.
    pub fn compare_tables(&mut self, db: &mut Db) -> Result<Vec<Odd>> {
        let mut odd = Vec::new();
        for table in self.0.values_mut() {
            table.compare_rows(db, &mut odd)?;
        }
        odd.sort_unstable();
        Ok(odd)
    }

    /// The rows in the tables of a tenant beyond those compared, once every journal was taken: each
    /// with its flow where that has no journal, or else only the number of rows and their table.
    pub fn find_extra(&self, db: &mut Db, tenant: TenantId) -> Result<Vec<String>> {
        let mut beyond = Vec::new();
        for table in self.0.values() {
            table.find_extra(db, tenant, &mut beyond)?;
        }
        Ok(beyond)
    }
}
