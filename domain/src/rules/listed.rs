//! Lists that a tenant keeps as tables, and how one is read from CSV.

use crate::{
    area::tree::AreaTree,
    core::tabular_import::{Column, Fault, Faults, Resolve, Row, read},
    rules::catalogue::Catalogue,
};

/// A list a city keeps as a table, and how it is read from CSV.
pub trait Listed: Sized {
    /// One row of it.
    type Item;

    /// The name of its rows in the document.
    const ROWS: &'static str;

    /// The columns of its table.
    const COLUMNS: &'static [Column];

    /// Reads a row; none when its faults leave nothing to read.
    fn parse_row(row: &Row<'_>, resolve: Resolve<'_>, faults: &mut Faults) -> Option<Self::Item>;

    /// The list of these rows.
    fn from_items(items: Vec<Self::Item>) -> Self;

    /// The faults of the list as a whole: rows that contradict each other or name what does not
    /// exist.
    fn find_faults(&self, catalogue: &Catalogue, tree: &AreaTree) -> Vec<Fault>;

    /// Reads a table and checks it: either a list that may be published, or all faults by line.
    /// Either every row is read or none.
    fn import_csv(text: &str, catalogue: &Catalogue, tree: &AreaTree) -> Result<Self, Vec<Fault>> {
        let resolve = |code: &str| tree.find_by_code(code).map(|area| area.id);
        let mut faults = Faults::for_list(Self::ROWS);
        let (mut items, mut lines) = (Vec::new(), Vec::new());
        for row in read(text, Self::COLUMNS, &mut faults) {
            if let Some(item) = Self::parse_row(&row, &resolve, &mut faults) {
                items.push(item);
                lines.push(row.line);
            }
        }
        if !faults.is_empty() {
            return Err(faults.into_vec());
        }
        let list = Self::from_items(items);
        let faults = list.find_faults(catalogue, tree);
        if faults.is_empty() {
            return Ok(list);
        }
        Err(faults.into_iter().map(|fault| fault.in_lines(&lines)).collect())
    }
}
