//! The catalogue of every tenant until it imports its own.

use domain::rules::catalogue::{Catalogue, Category};

/// The catalogue: classes before their sub-classes.
pub fn categories() -> Vec<Category> {
    rows(include_str!("../../data/categories.csv"))
        .map(|[code, name, parent, kind, lead]| {
            let parent = Some(parent).filter(|parent| !parent.is_empty());
            Category { code, name, parent, kind, lead }
        })
        .collect()
}

/// The catalogue of the demo city, and of every tenant until it imports its own.
pub fn catalogue() -> Catalogue {
    Catalogue { categories: categories() }
}

/// The lines below the header, cut at commas. Our files quote nothing.
pub(crate) fn rows<const N: usize>(text: &str) -> impl Iterator<Item = [String; N]> {
    text.lines().skip(1).filter_map(|line| {
        let cells: Vec<String> = line.split(',').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().ok()
    })
}
