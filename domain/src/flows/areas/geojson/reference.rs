//! Which system of coordinates a file says it is in.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::area::{
    coordinate::{CoordType, RawPoint},
    locate::Rings,
};

/// What a file says of its corners: a name, or what is no name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reference(String);

/// What is read of a `crs` that names nothing.
const NAMELESS: &str = "crs";

impl Reference {
    /// The system of this name; CGCS2000 is WGS-84 to less than any receiver tells.
    fn find_system(&self) -> Option<CoordType> {
        let plain: String = self.0.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_ascii_lowercase();
        let code = self.0.rsplit([':', '/', '#']).next().unwrap_or_default();
        if plain.contains("gcj02") {
            Some(CoordType::Gcj02)
        } else if plain.contains("bd09") && !plain.contains("bd09mc") {
            Some(CoordType::Bd09)
        } else if matches!(code, "4326" | "4490" | "4979" | "4480")
            || matches!(plain.as_str(), "wgs84" | "cgcs2000" | "crs84")
            || plain.ends_with("crs84")
        {
            Some(CoordType::Wgs84)
        } else {
            None
        }
    }

    /// The system corners are in, by what the file says and what was said of it; none where nothing
    /// was said. What is not known, or not the same, is answered by its name.
    pub(super) fn agree(
        own: Option<&Self>,
        said: Option<CoordType>,
    ) -> Result<Option<CoordType>, String> {
        let Some(own) = own else { return Ok(said) };
        let system = own.find_system().ok_or_else(|| own.0.clone())?;
        if said.is_some_and(|said| said != system) { Err(own.0.clone()) } else { Ok(Some(system)) }
    }
}

/// Reads a `crs`, where there is one.
pub(super) fn read_crs<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Reference>, D::Error> {
    Option::deserialize(deserializer)
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Members)
    }
}

/// The members of a `crs`, or of its `properties`.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Reference;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a coordinate reference system")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Reference, E> {
        Ok(Reference(name.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Reference, E> {
        Ok(Reference(NAMELESS.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Reference, E> {
        Ok(Reference(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Reference, E> {
        Ok(Reference(NAMELESS.to_owned()))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Reference, E> {
        Ok(Reference(NAMELESS.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Reference, E> {
        Ok(Reference(NAMELESS.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Reference, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Reference(NAMELESS.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reference, A::Error> {
        /// What `properties` hold: the name, and nothing deeper.
        #[derive(Deserialize)]
        struct Named {
            name: Option<String>,
        }
        let mut name = None;
        while let Some(member) = map.next_key::<String>()? {
            match member.as_str() {
                "properties" => name = map.next_value::<Option<Named>>()?.and_then(|it| it.name),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Reference(name.unwrap_or_else(|| NAMELESS.to_owned())))
    }
}

/// The system of a geometry that stands alone: one that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct System(pub CoordType);

impl<'de> Deserialize<'de> for System {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let own = Reference::deserialize(deserializer)?;
        let unknown = || de::Error::custom("crs is none of WGS-84, CGCS2000, GCJ-02 and BD-09");
        own.find_system().map(Self).ok_or_else(unknown)
    }
}

impl Serialize for System {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Corners in WGS-84. What cannot be converted stays, and is a fault of the boundary.
pub fn convert_rings(rings: &mut Rings, system: CoordType) {
    if system == CoordType::Wgs84 {
        return;
    }
    for corner in rings.iter_mut().flatten().flatten() {
        let [lng, lat] = *corner;
        if let Ok(point) = (RawPoint { lng, lat, coord_type: system }).normalise() {
            *corner = [point.lng, point.lat];
        }
    }
}
