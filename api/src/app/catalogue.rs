//! The catalogue of every tenant until it imports its own.

use domain::rules::catalogue::{Catalogue, Category};

/// The catalogue: classes before their sub-classes.
pub fn build_categories() -> Vec<Category> {
    parse_rows(include_str!("../../data/categories.csv"))
        .map(|[code, name, parent, kind, lead]| {
            let parent = Some(parent).filter(|parent| !parent.is_empty());
            Category { code, name, parent, kind, lead }
        })
        .collect()
}

/// The catalogue of the demo city, and of every tenant until it imports its own.
pub fn build_default() -> Catalogue {
    Catalogue { categories: build_categories() }
}

/// The lines below the header, cut at commas. Our files quote nothing.
pub(crate) fn parse_rows<const N: usize>(text: &str) -> impl Iterator<Item = [String; N]> {
    text.lines().skip(1).filter_map(|line| {
        let cells: Vec<String> = line.split(',').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().ok()
    })
}
