//! A file beside what is known: other names, codes that moved, namesakes, and what the file lacks.
//! Whoever looks at it before the file is taken over sees codes that were given to other places.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;

use super::Given;
use crate::{
    area::tree::{
        AreaKind,
        history::{Record, Registry},
    },
    core::{id::AreaId, tabular_import::At},
};

/// The most of each that is told one by one.
const MOST_TOLD: usize = 500;

/// A row that calls a known area otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherName {
    /// Where the row stands.
    pub at: At,
    /// The code of the area.
    pub code: String,
    /// What it is called now.
    pub known: String,
    /// What the row calls it.
    pub given: String,
}

/// A name that the file gives another code than it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MovedCode {
    /// Where the row stands.
    pub at: At,
    /// The name that has two codes.
    pub name: String,
    /// The code of the area that has this name now.
    pub known: String,
    /// The code of the row.
    pub given: String,
}

/// Areas of one name and kind below one area.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Namesakes {
    /// The code of the area above.
    pub parent: String,
    /// The name they share.
    pub name: String,
    /// The codes of all that have it.
    pub codes: Vec<String>,
}

/// A file beside what is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// Rows that call a known area otherwise.
    pub other_names: Vec<OtherName>,
    /// Names that moved from one code to another.
    pub moved_codes: Vec<MovedCode>,
    /// Areas of one name below one area, once the file is taken over.
    pub namesakes: Vec<Namesakes>,
    /// Known areas, as code and name, that the file lacks although it lists others beside them.
    pub lacking: Vec<(String, String)>,
    /// How many it lacks.
    pub lacking_count: usize,
}

/// Where an area stands: the code of the area above, its kind and its name.
type Place = (String, AreaKind, String);

/// Compares the rows of a file with the areas that are there on a day.
pub fn compare_with_known(registry: &Registry, given: &[Given], on: NaiveDate) -> Comparison {
    let codes: HashSet<&str> = given.iter().map(|row| row.code.as_str()).collect();
    // What is above the tenant's own area is in no registry and is nobody's neighbourhood.
    let above = |row: &Given| row.parent.clone().unwrap_or_default();
    let mut wanted: HashSet<Place> = HashSet::new();
    let (mut neighbourhoods, mut places) = (HashSet::new(), BTreeMap::<Place, Vec<String>>::new());
    for row in given {
        let place = (above(row), row.kind, row.name.trim().to_owned());
        neighbourhoods.insert((place.0.clone(), place.1));
        places.entry(place.clone()).or_default().push(row.code.clone());
        wanted.insert(place);
    }
    let mut known: HashMap<Place, &str> = HashMap::new();
    let mut lacking: Vec<(String, String)> = Vec::new();
    for record in registry.iter().filter(|record| record.until.is_none_or(|until| until > on)) {
        let Some(version) = record.newest_version() else { continue };
        let parent = find_code(registry, version.parent);
        let place = (parent.to_owned(), record.kind, version.name.clone());
        if !codes.contains(record.code.as_str()) {
            if neighbourhoods.contains(&(place.0.clone(), place.1)) {
                lacking.push((record.code.clone(), version.name.clone()));
            }
            if wanted.contains(&place) {
                places.entry(place.clone()).or_default().push(record.code.clone());
            }
        }
        known.insert(place, &record.code);
    }
    lacking.sort_unstable();
    let mut comparison = Comparison { lacking_count: lacking.len(), ..Comparison::default() };
    for row in given {
        let name = row.name.trim();
        comparison.add_other_name(row, name, registry.find_by_code(&row.code));
        let place = (above(row), row.kind, name.to_owned());
        if let Some(code) = known.get(&place).filter(|code| **code != row.code)
            && comparison.moved_codes.len() < MOST_TOLD
        {
            comparison.moved_codes.push(MovedCode {
                at: row.at,
                name: name.to_owned(),
                known: (*code).to_owned(),
                given: row.code.clone(),
            });
        }
    }
    let shared = places.into_iter().filter(|(_, codes)| codes.len() > 1);
    let shared = shared.map(|((parent, _, name), mut codes)| {
        codes.sort_unstable();
        codes.dedup();
        codes.truncate(MOST_TOLD);
        Namesakes { parent, name, codes }
    });
    // The same code twice is a fault of its own.
    comparison.namesakes = shared.filter(|one| one.codes.len() > 1).take(MOST_TOLD).collect();
    lacking.truncate(MOST_TOLD);
    comparison.lacking = lacking;
    comparison
}

impl Comparison {
    fn add_other_name(&mut self, row: &Given, name: &str, known: Option<&Record>) {
        let version = known.and_then(Record::newest_version);
        let Some(version) = version.filter(|version| version.name != name) else { return };
        if self.other_names.len() < MOST_TOLD {
            self.other_names.push(OtherName {
                at: row.at,
                code: row.code.clone(),
                known: version.name.clone(),
                given: name.to_owned(),
            });
        }
    }
}

fn find_code(registry: &Registry, id: Option<AreaId>) -> &str {
    id.and_then(|id| registry.get(id)).map_or("", |record| record.code.as_str())
}
