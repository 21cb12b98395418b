//! The demo city: 黄石, with real divisions, derived grids and invented reports.
//!
//! Pure functions over files compiled into the binary (`api/data`, each folder with its origin and
//! licence). A line that cannot be read is left out; the tests count the lines.

mod boundaries;

use domain::rules::vocabulary::Urgency;
use serde::Deserialize;

use crate::app::catalogue::parse_rows;

pub use boundaries::{Boundaries, GridSeed, derive_boundaries};

/// A node of the official tree: city, district, street, community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// The statistical code; its length (4, 6, 9, 12) follows the level.
    pub code: String,
    /// The name in Chinese.
    pub name: String,
    /// 2 city, 3 district or county, 4 street or town, 5 community or village.
    pub level: u8,
    /// The code of the node above; of the city, its province.
    pub parent_code: String,
}

impl Division {
    /// Whether townspeople live here. Only these have grids; villages are walked as a whole.
    pub fn is_urban_community(&self) -> bool {
        let urban = ["社区", "居委会", "居民委员会"];
        self.level == 5 && urban.iter().any(|word| self.name.contains(word))
    }
}

/// A department of a district.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    /// District code, dash, suffix: `420202-CG`. The suffix is what a category's lead names.
    pub code: String,
    /// The name in Chinese.
    pub name: String,
    /// The code of the district it serves.
    pub parent_code: String,
}

/// A report as a resident or a worker could have made it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ReportSeed {
    /// The code of its sub-class.
    pub category: String,
    /// The title, in a line.
    pub title: String,
    /// The whole text of the report.
    pub text: String,
    /// The address in words.
    pub address: String,
    /// How pressing the reporter says it is.
    pub urgency: Urgency,
    /// WGS-84 longitude, in degrees.
    pub lng: f64,
    /// WGS-84 latitude, in degrees.
    pub lat: f64,
    /// Whether a worker or a resident reported it.
    pub channel: Channel,
}

/// A point of the track of the demo's patrol, WGS-84.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct TrackPoint {
    /// When the point was recorded.
    pub t: domain::Instant,
    /// WGS-84 longitude, in degrees east.
    pub lon: f64,
    /// WGS-84 latitude, in degrees north.
    pub lat: f64,
}

/// Where a grid worker walked on a morning.
pub fn track() -> Vec<TrackPoint> {
    serde_json::from_str(include_str!("../../data/huangshi/patrol.json")).unwrap_or_default()
}

/// Who makes a [`ReportSeed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A grid worker on a walk.
    Worker,
    /// A resident with the mini-program.
    Resident,
}

/// The divisions of the city, parents before children.
pub fn divisions() -> Vec<Division> {
    parse_rows(include_str!("../../data/huangshi/divisions.csv"))
        .filter_map(|[code, name, level, parent_code]| {
            Some(Division { code, name, level: level.parse().ok()?, parent_code })
        })
        .collect()
}

/// The departments of every district.
pub fn departments() -> Vec<Department> {
    parse_rows(include_str!("../../data/huangshi/departments.csv"))
        .map(|[code, name, parent_code]| Department { code, name, parent_code })
        .collect()
}

/// Sixty reports. The first two are the same oil fume, reported by a grid worker and by a resident.
pub fn reports() -> Vec<ReportSeed> {
    serde_json::from_str(include_str!("../../data/huangshi/reports.json")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use domain::area::coordinate::{Point, distance_m};

    use super::*;
    use crate::app::catalogue::build_categories;

    #[test]
    fn the_tree_is_complete() {
        let divisions = divisions();
        let of_level = |level| divisions.iter().filter(|d| d.level == level).count();
        assert_eq!([2, 3, 4, 5].map(of_level), [1, 6, 57, 1040]);
        let mut known = HashSet::from(["42"]);
        for division in &divisions {
            assert!(known.contains(division.parent_code.as_str()), "{division:?}");
            assert!(known.insert(&division.code), "twice: {division:?}");
        }
    }

    #[test]
    fn every_district_has_the_same_departments() {
        let (divisions, departments) = (divisions(), departments());
        let districts: Vec<_> = divisions.iter().filter(|d| d.level == 3).collect();
        let codes: HashSet<_> = departments.iter().map(|d| d.code.as_str()).collect();
        assert_eq!(codes.len(), departments.len());
        for department in &departments {
            let suffix = department.code.strip_prefix(&department.parent_code).unwrap();
            assert!(department.code.is_ascii() && department.code.len() <= 20);
            for district in &districts {
                assert!(codes.contains(format!("{}{suffix}", district.code).as_str()));
            }
            assert!(districts.iter().any(|d| d.code == department.parent_code), "{department:?}");
        }
        let lines = include_str!("../../data/huangshi/departments.csv").lines().count();
        assert_eq!(departments.len(), lines - 1);
    }

    #[test]
    fn the_catalogue_stands_on_its_classes_and_departments() {
        let categories = build_categories();
        let leads: HashSet<String> = departments()
            .iter()
            .filter_map(|d| Some(d.code.split_once('-')?.1.to_owned()))
            .collect();
        let mut classes = HashSet::new();
        let mut codes = HashSet::new();
        for category in &categories {
            let kinds = ["component", "event", "demand", "dispute", "consultation"];
            assert!(kinds.contains(&category.kind.as_str()), "{category:?}");
            assert!(category.lead.is_empty() || leads.contains(&category.lead), "{category:?}");
            assert!(codes.insert(&category.code), "twice: {category:?}");
            match &category.parent {
                None => assert!(classes.insert(category.code.clone())),
                Some(parent) => {
                    assert!(classes.contains(parent), "{category:?}");
                    assert!(category.code.starts_with(parent.as_str()), "{category:?}");
                }
            }
        }
        assert_eq!(classes.len(), 12);
        let lines = include_str!("../../data/categories.csv").lines().count();
        assert_eq!(categories.len(), lines - 1);
    }

    #[test]
    fn reports_are_of_every_class_and_two_are_the_same() {
        let (reports, categories) = (reports(), build_categories());
        assert_eq!(reports.len(), 60);
        let used: HashSet<_> = reports
            .iter()
            .map(|r| categories.iter().find(|c| c.code == r.category).unwrap())
            .map(|c| c.parent.clone().unwrap())
            .collect();
        assert_eq!(used.len(), 12);
        let titles: HashSet<_> = reports.iter().map(|r| &r.title).collect();
        assert_eq!(titles.len(), 60);
        let point = |r: &ReportSeed| Point { lng: r.lng, lat: r.lat };
        let (hero, echo) = (&reports[0], &reports[1]);
        assert_eq!((hero.channel, echo.channel), (Channel::Worker, Channel::Resident));
        assert_eq!(hero.category, echo.category);
        assert!(distance_m(point(hero), point(echo)) < 30.0);
    }
}
