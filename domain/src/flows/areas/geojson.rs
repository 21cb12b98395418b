//! Areas out of GeoJSON, read as it streams by: whatever a file nests, what is kept of it is two
//! corner, and no more corners than allowed.
//!
//! RFC 7946 knows WGS-84 alone. Files that were made before it, or for the maps of China, say in
//! `crs` what they are in: what is known is converted, anything else is refused.

mod reference;

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use self::reference::Reference;
pub use self::reference::{System, convert_rings};
use super::import::{GRID_KINDS, Given, MAX_ROWS, parse_level};
use crate::{
    area::{
        coordinate::CoordType,
        locate::Rings,
        tree::{AreaKind, GridKind},
    },
    core::tabular_import::{At, Fault, MAX_FAULTS},
};

/// What the features of a file are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Features {
    /// Territories, each with its `level`; without one, its code says it.
    Territories,
    /// Departments and other units.
    Units,
    /// Grids of communities, and micro grids in them.
    Grids,
}

/// The most corners of a file.
pub const MAX_CORNERS: usize = 1_000_000;

/// Whether a text is meant to be GeoJSON.
pub fn is_geojson(text: &str) -> bool {
    text.trim_start_matches('\u{FEFF}').trim_start().starts_with(['{', '['])
}

/// Reads the features of a collection: each with `code`, `name` and `parent_code`, and whatever a
/// table has besides, and a polygon or several. `said` is the system its corners are in, where the
/// file does not say it.
pub fn parse_features(
    text: &str,
    what: Features,
    said: Option<CoordType>,
) -> Result<Vec<Given>, Vec<Fault>> {
    let text = text.trim_start_matches('\u{FEFF}');
    let file: Collection = serde_json::from_str(text).map_err(|error| {
        let at = At::Line(u64::try_from(error.line()).unwrap_or(u64::MAX));
        let fault = Fault::new(at, ("", "not_geojson"), &format!("column {}", error.column()));
        vec![fault.with_expected(
            format!("由区划组成的 GeoJSON FeatureCollection：{error}"),
            format!("a GeoJSON FeatureCollection of areas: {error}"),
        )]
    })?;
    let Some(features) = file.features else {
        let fault = Fault::new(At::Whole, ("features", "missing_field"), "");
        return Err(vec![
            fault.with_expected("GeoJSON FeatureCollection", "a GeoJSON FeatureCollection"),
        ]);
    };
    let whole = Reference::agree(file.crs.as_ref(), said)
        .map_err(|name| vec![unknown_crs(At::Whole, &name)])?;
    let (mut given, mut faults) = (Vec::with_capacity(features.0.len()), Vec::new());
    for (index, feature) in features.0.into_iter().enumerate() {
        match feature.into_given(At::Row(index), what, whole) {
            Ok(one) => given.push(one),
            Err(fault) => faults.extend(fault),
        }
        if faults.len() >= MAX_FAULTS {
            break;
        }
    }
    if faults.is_empty() { Ok(given) } else { Err(faults) }
}

fn unknown_crs(at: At, name: &str) -> Fault {
    Fault::new(at, ("crs", "unknown_crs"), name).with_expected(
        "WGS-84、CGCS2000、GCJ-02 或 BD-09，且与 coord_type 一致",
        "WGS-84, CGCS2000, GCJ-02 or BD-09, the same as coord_type",
    )
}

#[derive(Deserialize)]
struct Collection {
    #[serde(default, deserialize_with = "reference::read_crs")]
    crs: Option<Reference>,
    features: Option<FeatureList>,
}

/// The features, up to the number of rows a file may have.
struct FeatureList(Vec<Feature>);

impl<'de> Deserialize<'de> for FeatureList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = FeatureList;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of features")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FeatureList, A::Error> {
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
                Ok(FeatureList(all))
            }
        }
        deserializer.deserialize_seq(All)
    }
}

#[derive(Deserialize)]
struct Feature {
    #[serde(default, deserialize_with = "reference::read_crs")]
    crs: Option<Reference>,
    properties: Option<Properties>,
    geometry: Option<Geometry>,
}

#[derive(Deserialize, Default)]
struct Properties {
    #[serde(default, alias = "adcode", deserialize_with = "read_word")]
    code: Option<String>,
    name: Option<String>,
    #[serde(default, deserialize_with = "read_word")]
    parent_code: Option<String>,
    #[serde(default, alias = "kind", deserialize_with = "read_word")]
    level: Option<String>,
    grid_kind: Option<String>,
    households: Option<u32>,
    former_name: Option<String>,
}

/// A code or a level, which programs also write as a number.
fn read_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Word;
    impl<'de> Visitor<'de> for Word {
        type Value = Option<String>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a text or a whole number")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
            inner.deserialize_any(Self)
        }
    }
    deserializer.deserialize_any(Word)
}

impl Feature {
    fn into_given(
        self,
        at: At,
        what: Features,
        whole: Option<CoordType>,
    ) -> Result<Given, Vec<Fault>> {
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
        // What is above the tenant's own area is in no file.
        let parent = match what {
            Features::Territories => properties.parent_code.filter(|code| !code.is_empty()),
            Features::Units | Features::Grids => Some(text("parent_code", properties.parent_code)),
        };
        let kind = match what {
            Features::Grids => Some(AreaKind::Grid),
            Features::Units => Some(AreaKind::Department),
            Features::Territories => match &properties.level {
                Some(level) => parse_level(level),
                None => AreaKind::of_territory_code(&code),
            },
        };
        if kind.is_none() {
            let level = properties.level.unwrap_or_default();
            let fault = Fault::new(at, ("level", "unknown_level"), &level);
            faults.push(fault.with_expected("1、2、3、4、5 或 6", "1, 2, 3, 4, 5 or 6"));
        }
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
        let geometry_crs = self.geometry.as_ref().and_then(|geometry| geometry.crs.clone());
        let boundary = self.geometry.map(Geometry::into_rings).transpose();
        let mut boundary = boundary.unwrap_or_else(|kind| {
            let fault = Fault::new(at, ("geometry", "unknown_geometry"), &kind);
            faults.push(
                fault.with_expected("Polygon 或 MultiPolygon", "a Polygon or a MultiPolygon"),
            );
            None
        });
        for own in [self.crs, geometry_crs].into_iter().flatten() {
            if let Err(name) = Reference::agree(Some(&own), whole) {
                faults.push(unknown_crs(at, &name));
            }
        }
        if let (Some(rings), Some(system)) = (&mut boundary, whole) {
            convert_rings(rings, system);
        }
        let (Some(kind), true) = (kind, faults.is_empty()) else { return Err(faults) };
        let Properties { households, former_name, .. } = properties;
        Ok(Given { at, code, name, kind, parent, grid, households, boundary, former_name })
    }
}

/// A geometry, its members in any order.
struct Geometry {
    crs: Option<Reference>,
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
                let mut crs = None;
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "type" => kind = map.next_value()?,
                        "crs" => crs = map.next_value()?,
                        "coordinates" => {
                            depth =
                                map.next_value_seed(Nested { flat: &mut flat, left: 4 })?.depth();
                        }
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                flat.close_list(depth);
                Ok(Geometry { crs, kind, depth, rings: flat.polygons, corners: flat.corners })
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
            r#"{{"type":"FeatureCollection","other":{{"x":[1,[2]]}},"features":[{{"type":"Feature","properties":{{"code":"1","name":"一","parent_code":"2","other":null}},"geometry":{geometry}}}]}}"#
        )
    }

    fn parse_grids(text: &str) -> Result<Vec<Given>, Vec<Fault>> {
        parse_features(text, Features::Grids, None)
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

    /// One grid in a file that says so of its corners.
    fn in_system(crs: &str, said: Option<CoordType>) -> Result<[f64; 2], &'static str> {
        let geometry = r#"{"type":"Polygon","coordinates":[[[115.07,30.21],[115.08,30.21],[115.08,30.22],[115.07,30.21]]]}"#;
        let text = feature(geometry).replacen(r#""features""#, &format!(r#"{crs}"features""#), 1);
        match parse_features(&text, Features::Grids, said) {
            Ok(given) => Ok(given[0].boundary.as_ref().unwrap()[0][0][0]),
            Err(faults) => Err(faults[0].code),
        }
    }

    #[test]
    fn corners_are_converted_or_refused() {
        let name =
            |name: &str| format!(r#""crs":{{"type":"name","properties":{{"name":"{name}"}}}},"#);
        let here = Ok([115.07, 30.21]);
        for crs in ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4490"] {
            assert_eq!(in_system(&name(crs), None), here, "{crs}");
        }
        assert_eq!(in_system("", None), here);
        assert_eq!(in_system(r#""crs":null,"#, None), here);
        let raw =
            |coord_type| crate::area::coordinate::RawPoint { lng: 115.07, lat: 30.21, coord_type };
        for (crs, coord_type) in [("GCJ-02", CoordType::Gcj02), ("bd09", CoordType::Bd09)] {
            let point = raw(coord_type).normalise().unwrap();
            assert!((point.lng - 115.07).abs() > 0.001);
            let expected = Ok([point.lng, point.lat]);
            assert_eq!(in_system(&name(crs), None), expected, "{crs}");
            assert_eq!(in_system("", Some(coord_type)), expected);
            assert_eq!(in_system(&name(crs), Some(coord_type)), expected);
            assert_eq!(in_system(&name(crs), Some(CoordType::Wgs84)), Err("unknown_crs"));
        }
        for crs in ["EPSG:3857", "urn:ogc:def:crs:EPSG::4547", "EPSG:14326", ""] {
            assert_eq!(in_system(&name(crs), None), Err("unknown_crs"), "{crs}");
        }
        let link = r#""crs":{"type":"link","properties":{"href":"http://example.org"}},"#;
        assert_eq!(in_system(link, None), Err("unknown_crs"));
        assert_eq!(in_system(r#""crs":[1,[2]],"#, None), Err("unknown_crs"));
    }

    #[test]
    fn territories_and_units_come_as_features_too() {
        let text = r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","properties":{"adcode":420202,"name":"黄石港区"},"geometry":null},
            {"type":"Feature","properties":{"code":"420202001","name":"街","level":4,"parent_code":420202},"geometry":null},
            {"type":"Feature","properties":{"code":"420202002","name":"街","level":"street","parent_code":"420202"},"geometry":null}
        ]}"#;
        let read = parse_features(text, Features::Territories, None).unwrap();
        let kinds: Vec<_> = read.iter().map(|one| (one.kind, one.parent.as_deref())).collect();
        assert_eq!(
            kinds,
            [
                (AreaKind::District, None),
                (AreaKind::Street, Some("420202")),
                (AreaKind::Street, Some("420202")),
            ]
        );
        let unit = r#"{"features":[{"properties":{"code":"420202-CG","name":"城管","parent_code":"420202"},"geometry":null}]}"#;
        let read = parse_features(unit, Features::Units, None).unwrap();
        assert_eq!(read[0].kind, AreaKind::Department);
        let odd =
            r#"{"features":[{"properties":{"code":"42020200","name":"街"},"geometry":null}]}"#;
        assert_eq!(
            parse_features(odd, Features::Territories, None).unwrap_err()[0].code,
            "unknown_level"
        );
    }

    #[test]
    fn more_corners_than_allowed_are_not_kept() {
        let ring = vec!["[110,30]"; MAX_CORNERS + 1].join(",");
        let huge = feature(&format!(r#"{{"type":"Polygon","coordinates":[[{ring}]]}}"#));
        let refused = parse_grids(&huge).unwrap_err();
        assert!(refused[0].render_message().1.contains("corners"), "{refused:?}");
    }
}
