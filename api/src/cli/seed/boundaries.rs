//! The boundaries of the demo city: county polygons as published, all below them derived.
//!
//! Streets, communities and grids have no public boundaries. Each county is divided among its
//! streets by their number of communities, each street among its communities, each urban community
//! into three or four grids. The shares are plausible in size and wrong in place.

use std::collections::HashMap;

use domain::area::{
    coordinate::{CoordType, RawPoint},
    locate::{MultiPolygon, Rings, from_rings},
    tessellate::split,
};
use serde::Deserialize;

use super::{Division, divisions};

/// A derived grid.
#[derive(Debug, Clone, PartialEq)]
pub struct GridSeed {
    /// The 12 digits of the community and three more, from 001.
    pub code: String,
    /// The grid's name, such as 胜阳港社区第一网格.
    pub name: String,
    /// The community it is cut from.
    pub community_code: String,
    /// The boundary in WGS-84 degrees.
    pub boundary: MultiPolygon<f64>,
}

/// All boundaries of the demo city, WGS-84.
#[derive(Debug, Clone, Default)]
pub struct Boundaries {
    /// By the code of the division, city to community.
    pub divisions: HashMap<String, MultiPolygon<f64>>,
    /// In the order of their codes within a community.
    pub grids: Vec<GridSeed>,
}

/// Derives the boundaries; the same every time.
pub fn derive_boundaries() -> Boundaries {
    let divisions = divisions();
    let mut children: HashMap<&str, Vec<&Division>> = HashMap::new();
    for division in &divisions {
        children.entry(&division.parent_code).or_default().push(division);
    }
    let below = |code: &str| children.get(code).map(Vec::as_slice).unwrap_or_default();

    let mut found = Boundaries::default();
    let counties = parse_counties();
    for city in divisions.iter().filter(|division| division.level == 2) {
        let inside = below(&city.code).iter().filter_map(|county| counties.get(&county.code));
        let whole = MultiPolygon(inside.flat_map(|shape| shape.iter().cloned()).collect());
        found.divisions.insert(city.code.clone(), whole);
    }
    for (code, shape) in counties {
        let streets = below(&code);
        let weights: Vec<f64> =
            streets.iter().map(|street| weigh_communities(below(&street.code))).collect();
        for (street, share) in streets.iter().zip(split(&shape, &weights)) {
            let communities = below(&street.code);
            let shares = split(&share, &vec![1.0; communities.len()]);
            for (community, share) in communities.iter().zip(shares) {
                found.divisions.insert(community.code.clone(), share);
            }
            found.divisions.insert(street.code.clone(), share);
        }
        found.divisions.insert(code, shape);
    }
    let urban = divisions.iter().filter(|division| division.is_urban_community());
    for (index, community) in urban.enumerate() {
        if let Some(shape) = found.divisions.get(&community.code) {
            found.grids.extend(split_into_grids(community, shape, index));
        }
    }
    found
}

fn weigh_communities(communities: &[&Division]) -> f64 {
    communities.iter().map(|_| 1.0).sum()
}

/// Every third community has three grids, the others four.
fn split_into_grids(
    community: &Division,
    shape: &MultiPolygon<f64>,
    index: usize,
) -> Vec<GridSeed> {
    const ORDINALS: [&str; 4] = ["一", "二", "三", "四"];
    let ordinals = ORDINALS.iter().take(if index.is_multiple_of(3) { 3 } else { 4 });
    let name = ["居民委员会", "居委会"]
        .iter()
        .find_map(|office| community.name.strip_suffix(office))
        .unwrap_or(&community.name);
    let suffix = if name.contains("社区") { "" } else { "社区" };
    let shares = split(shape, &vec![1.0; ordinals.len()]);
    ordinals
        .zip(shares)
        .zip(1..)
        .map(|((ordinal, boundary), number)| GridSeed {
            code: format!("{}{number:03}", community.code),
            name: format!("{name}{suffix}第{ordinal}网格"),
            community_code: community.code.clone(),
            boundary,
        })
        .collect()
}

#[derive(Deserialize)]
struct Collection {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    id: String,
    geometry: Geometry,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Geometry {
    Polygon(Vec<Vec<[f64; 2]>>),
    MultiPolygon(Rings),
}

/// The published polygons, turned from GCJ-02 into WGS-84.
fn parse_counties() -> HashMap<String, MultiPolygon<f64>> {
    let text = include_str!("../../../data/huangshi/boundaries.geojson");
    let Ok(Collection { features }) = serde_json::from_str(text) else { return HashMap::new() };
    let county = |Feature { id, geometry }| {
        let mut rings = match geometry {
            Geometry::Polygon(polygon) => vec![polygon],
            Geometry::MultiPolygon(polygons) => polygons,
        };
        for point in rings.iter_mut().flatten().flatten() {
            let [lng, lat] = *point;
            let raw = RawPoint { lng, lat, coord_type: CoordType::Gcj02 };
            let placed = raw.normalise().ok()?;
            *point = [placed.lng, placed.lat];
        }
        Some((id, from_rings(&rings).ok()?))
    };
    features.into_iter().filter_map(county).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use domain::area::{
        coordinate::Point,
        locate::{Locator, Shape, covers, inner_point},
    };

    use super::super::reports;
    use super::*;

    #[test]
    fn everything_has_a_place() {
        let found = derive_boundaries();
        let divisions = divisions();
        assert_eq!(found.divisions.len(), 1 + 6 + 57 + 1040);
        for division in &divisions {
            let shape = found.divisions.get(&division.code).unwrap();
            let inside = inner_point(shape).unwrap();
            if let Some(parent) = found.divisions.get(&division.parent_code) {
                assert!(covers(parent, inside), "{division:?}");
            }
        }
        assert_eq!(found.grids.len(), 905);
        let codes: HashSet<_> = found.grids.iter().map(|grid| &grid.code).collect();
        assert_eq!(codes.len(), 905);
        let names = |code: &str| {
            let of = found.grids.iter().filter(|grid| grid.community_code == code);
            of.map(|grid| (grid.code.as_str(), grid.name.as_str())).collect::<Vec<_>>()
        };
        let market = divisions.iter().find(|d| d.name == "胜阳港社区").unwrap();
        let (code, name) = names(&market.code)[0];
        assert_eq!((code, name), (&*format!("{}001", market.code), "胜阳港社区第一网格"));
        assert_eq!(names("420281170001")[0].1, "汪仁社区第一网格");
    }

    #[test]
    fn the_same_every_time() {
        let (one, two) = (derive_boundaries(), derive_boundaries());
        assert_eq!(one.grids, two.grids);
        assert_eq!(one.divisions, two.divisions);
    }

    #[test]
    fn every_report_is_in_a_grid_of_the_community_it_names() {
        let found = derive_boundaries();
        let locator = Locator::new(found.grids.iter().enumerate().map(|(key, grid)| Shape {
            key,
            rank: 4,
            boundary: grid.boundary.clone(),
        }));
        for report in reports() {
            let at = locator.locate(Point { lng: report.lng, lat: report.lat });
            let grid = &found.grids[at.unwrap_or_else(|| panic!("nowhere: {}", report.title))];
            let (community, _) = grid.name.split_once("第").unwrap();
            assert!(report.address.contains(community), "{} in {}", report.address, grid.name);
        }
    }
}
