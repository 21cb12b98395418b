//! Grids from GeoJSON, parsed as a stream: whatever a file nests, two numbers are kept for each
//! corner, and no more corners than allowed.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::import::{GRID_KINDS, Given, MAX_ROWS};
use crate::{
    area::{
        locate::Rings,
        tree::{AreaKind, GridKind},
    },
    core::tabular_import::{At, Fault, MAX_FAULTS},
};

/// The most corners of a file.
pub const MAX_CORNERS: usize = 1_000_000;

/// Reads the features of a collection as grids: each has `code`, `name` and `parent_code`,
/// optionally `grid_kind` and `households`, and one or several polygons in WGS-84.
pub fn parse_grids(text: &str) -> Result<Vec<Given>, Vec<Fault>> {
    let text = text.trim_start_matches('\u{FEFF}');
    let file: Collection = serde_json::from_str(text).map_err(|error| {
        let at = At::Line(u64::try_from(error.line()).unwrap_or(u64::MAX));
        let fault = Fault::new(at, ("", "not_geojson"), &format!("column {}", error.column()));
        vec![fault.with_expected(
            format!("由网格组成的 GeoJSON FeatureCollection：{error}"),
            format!("a GeoJSON FeatureCollection of grids: {error}"),
        )]
    })?;
    let Some(features) = file.features else {
        let fault = Fault::new(At::Whole, ("features", "missing_field"), "");
        return Err(vec![
            fault.with_expected("GeoJSON FeatureCollection", "a GeoJSON FeatureCollection"),
        ]);
    };
    let (mut given, mut faults) = (Vec::with_capacity(features.0.len()), Vec::new());
    for (index, feature) in features.0.into_iter().enumerate() {
        match feature.into_given(At::Row(index)) {
            Ok(one) => given.push(one),
            Err(fault) => faults.extend(fault),
        }
        if faults.len() >= MAX_FAULTS {
            break;
        }
    }
    if faults.is_empty() { Ok(given) } else { Err(faults) }
}

#[derive(Deserialize)]
struct Collection {
    features: Option<Features>,
}

/// The features, up to the number of rows a file may have.
struct Features(Vec<Feature>);

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Features;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of features")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Features, A::Error> {
                let (mut all, mut corners) = (Vec::new(), 0);
                while let Some(feature) = seq.next_element::<Feature>()? {
                    corners += feature.geometry.as_ref().map_or(0, |geometry| geometry.corners);
                    if all.len() >= MAX_ROWS || corners > MAX_CORNERS {
                        let most = format!(
                            "at most {MAX_ROWS} features and {MAX_CORNERS} corners are allowed"
                        );
                        return Err(A::Error::custom(most));
                    }
                    all.push(feature);
                }
                Ok(Features(all))
            }
        }
        deserializer.deserialize_seq(All)
    }
}

#[derive(Deserialize)]
struct Feature {
    properties: Option<Properties>,
    geometry: Option<Geometry>,
}

#[derive(Deserialize, Default)]
struct Properties {
    code: Option<String>,
    name: Option<String>,
    parent_code: Option<String>,
    grid_kind: Option<String>,
    households: Option<u32>,
}

impl Feature {
    fn into_given(self, at: At) -> Result<Given, Vec<Fault>> {
        let mut faults = Vec::new();
        let properties = self.properties.unwrap_or_default();
        let mut text =
            |column, given: Option<String>| {
                given.unwrap_or_else(|| {
                    let fault = Fault::new(at, (column, "missing_field"), "");
                    faults.push(fault.with_expected(
                        format!("properties.{column}"),
                        format!("properties.{column}"),
                    ));
                    String::new()
                })
            };
        let code = text("code", properties.code);
        let name = text("name", properties.name);
        let parent = text("parent_code", properties.parent_code);
        let grid = properties.grid_kind.and_then(|name| {
            let is = |kind: &&GridKind| kind.name() == name || kind.label() == name;
            let kind = GridKind::ALL.iter().find(is).copied();
            if kind.is_none() {
                let fault = Fault::new(at, ("grid_kind", "unknown_grid_kind"), &name);
                let (zh, en) = GRID_KINDS;
                faults.push(fault.with_expected(zh, en));
            }
            kind
        });
        let boundary = self.geometry.map(Geometry::into_rings).transpose();
        let boundary = boundary.unwrap_or_else(|kind| {
            let fault = Fault::new(at, ("geometry", "unknown_geometry"), &kind);
            faults.push(
                fault.with_expected("Polygon 或 MultiPolygon", "a Polygon or a MultiPolygon"),
            );
            None
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        let (kind, households) = (AreaKind::Grid, properties.households);
        Ok(Given { at, code, name, kind, parent: Some(parent), grid, households, boundary })
    }
}

/// A geometry, its members in any order.
struct Geometry {
    kind: String,
    depth: u8,
    rings: Rings,
    corners: usize,
}

impl Geometry {
    /// The polygons; for anything else the name of its type.
    fn into_rings(self) -> Result<Rings, String> {
        match (self.kind.as_str(), self.depth) {
            ("Polygon", 3) | ("MultiPolygon", 4) => Ok(self.rings),
            _ => Err(self.kind),
        }
    }
}

impl<'de> Deserialize<'de> for Geometry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Geometry;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a geometry")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Geometry, A::Error> {
                let (mut kind, mut depth, mut flat) = (String::new(), 0, Flat::default());
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "type" => kind = map.next_value()?,
                        "coordinates" => {
                            depth =
                                map.next_value_seed(Nested { flat: &mut flat, left: 4 })?.depth();
                        }
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                flat.close_list(depth);
                Ok(Geometry { kind, depth, rings: flat.polygons, corners: flat.corners })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Corners in the order of the file, grouped by the lists that have ended.
#[derive(Default)]
struct Flat {
    ring: Vec<[f64; 2]>,
    polygon: Vec<Vec<[f64; 2]>>,
    polygons: Rings,
    corners: usize,
}

impl Flat {
    /// Ends a list at this depth.
    fn close_list(&mut self, depth: u8) {
        match depth {
            2 => self.polygon.push(std::mem::take(&mut self.ring)),
            3 => self.polygons.push(std::mem::take(&mut self.polygon)),
            _ => {}
        }
    }
}

/// A value within the coordinates.
enum Found {
    Number(f64),
    List(u8),
}

impl Found {
    const fn depth(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::List(depth) => *depth,
        }
    }
}

/// Coordinates that may be nested `left` levels deeper.
struct Nested<'a> {
    flat: &'a mut Flat,
    left: u8,
}

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = Found;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("numbers in lists")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Found, E> {
        Ok(Found::Number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Found, E> {
        let small = i32::try_from(number).map_err(E::custom)?;
        Ok(Found::Number(f64::from(small)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Found, E> {
        let small = u32::try_from(number).map_err(E::custom)?;
        Ok(Found::Number(f64::from(small)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(A::Error::custom("it is nested too deeply"));
        };
        let (mut numbers, mut count, mut inner) = ([0.0; 2], 0_usize, None);
        loop {
            let nested = Nested { flat: &mut *self.flat, left };
            let Some(found) = seq.next_element_seed(nested)? else { break };
            match (found, inner) {
                (Found::Number(number), None) => {
                    if let Some(place) = numbers.get_mut(count) {
                        *place = number;
                    }
                    count += 1;
                }
                (Found::List(depth), known) if count == 0 && known.is_none_or(|d| d == depth) => {
                    self.flat.close_list(depth);
                    inner = Some(depth);
                }
                _ => return Err(A::Error::custom("numbers and lists are mixed")),
            }
        }
        match (inner, count) {
            (Some(depth), _) => Ok(Found::List(depth + 1)),
            // A third number is a height.
            (None, 2..=4) => {
                self.flat.ring.push(numbers);
                self.flat.corners += 1;
                if self.flat.corners > MAX_CORNERS {
                    return Err(A::Error::custom(format!(
                        "at most {MAX_CORNERS} corners are allowed"
                    )));
                }
                Ok(Found::List(1))
            }
            (None, _) => Err(A::Error::custom("a corner must have two numbers")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(geometry: &str) -> String {
        format!(
            r#"{{"type":"FeatureCollection","crs":{{"x":[1,[2]]}},"features":[{{"type":"Feature","properties":{{"code":"1","name":"一","parent_code":"2","other":null}},"geometry":{geometry}}}]}}"#
        )
    }

    #[test]
    fn polygons_are_read_in_any_order_of_members() {
        let ring = "[[110,30],[110.01,30.0],[110.01,30.01,4.5],[110,30]]";
        let one = feature(&format!(r#"{{"coordinates":[{ring}],"type":"Polygon"}}"#));
        let read = parse_grids(&one).unwrap();
        let expected =
            vec![vec![vec![[110.0, 30.0], [110.01, 30.0], [110.01, 30.01], [110.0, 30.0]]]];
        assert_eq!(read[0].boundary, Some(expected.clone()));
        let two = format!(r#"{{"type":"MultiPolygon","coordinates":[[{ring}],[{ring},{ring}]]}}"#);
        let read = parse_grids(&feature(&two)).unwrap();
        let rings = read[0].boundary.as_ref().unwrap();
        assert_eq!((rings.len(), rings[0].len(), rings[1].len()), (2, 1, 2));
        assert_eq!(rings[0], expected[0]);
        assert_eq!(parse_grids(&feature("null")).unwrap()[0].boundary, None);
    }

    #[test]
    fn what_is_no_polygon_is_refused() {
        for geometry in [
            r#"{"type":"Point","coordinates":[110,30]}"#,
            r#"{"type":"Polygon","coordinates":[[[[110,30],[111,30]]]]}"#,
            r#"{"type":"Polygon","coordinates":[[110,[30]]]}"#,
            r#"{"type":"Polygon","coordinates":[[[[[110,30]]]]]}"#,
            r#"{"type":"Polygon","coordinates":[[["110",30]]]}"#,
            r#"{"type":"Polygon"}"#,
        ] {
            assert!(parse_grids(&feature(geometry)).is_err(), "{geometry}");
        }
        let broken = parse_grids("{\n\"features\": [\n{ ]}").unwrap_err();
        assert_eq!(broken[0].at, At::Line(3));
        assert_eq!(parse_grids("{}").unwrap_err()[0].code, "missing_field");
        let deep = "[".repeat(100_000);
        assert!(parse_grids(&deep).is_err());
    }

    #[test]
    fn more_corners_than_allowed_are_not_kept() {
        let ring = vec!["[110,30]"; MAX_CORNERS + 1].join(",");
        let huge = feature(&format!(r#"{{"type":"Polygon","coordinates":[[{ring}]]}}"#));
        let refused = parse_grids(&huge).unwrap_err();
        assert!(refused[0].render_message().1.contains("corners"), "{refused:?}");
    }
}
