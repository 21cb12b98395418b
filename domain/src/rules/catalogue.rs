//! The catalogue: the kinds of matters. They are data of a city, never constants.

use serde::{Deserialize, Serialize};

/// One class (大类) or sub-class (小类).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Category {
    /// Its code, as `A` or `A01`.
    pub code: String,
    /// Its name in Chinese.
    pub name: String,
    /// The class it belongs to; none for a class.
    pub parent: Option<String>,
    /// `component`, `event`, `demand`, `dispute` or `consultation`.
    pub kind: String,
    /// The suffix of the department that usually leads; empty when none does.
    pub lead: String,
}

/// All categories of a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalogue {
    /// In the order of their codes.
    pub categories: Vec<Category>,
}

impl Catalogue {
    /// The category with this code.
    pub fn get(&self, code: &str) -> Option<&Category> {
        self.categories.iter().find(|category| category.code == code)
    }

    /// A code and those of the classes above it, most specific first.
    pub fn lineage<'a>(&'a self, code: Option<&'a str>) -> Vec<&'a str> {
        let above = |code: &&'a str| self.get(code).and_then(|found| found.parent.as_deref());
        // Classes have sub-classes and no deeper levels; the bound ends a cycle in the data.
        std::iter::successors(code, above).take(8).collect()
    }
}
