//! Query and path parameters, strictly.
//!
//! An unknown query parameter is a mistake (a filter that silently does nothing shows too much), so
//! it is refused by name; so is one given twice. The names are read off the type itself: no
//! attribute can be forgotten.

use std::{
    borrow::Cow,
    cell::Cell,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::{
    de::{
        self, DeserializeOwned, Visitor,
        value::{Error, SeqDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_path_to_error::Segment;

use crate::http::{
    page::read_for_list,
    problem::{Code, Problem},
    wording::{NOT_UTF8, Noun, Wording, translate_message, unknown_name},
};

/// The query of a request, as a flat struct.
///
/// The name is utoipa's: an argument of type `Query<T>` documents itself.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read_for_list(request, || parse_query(request.query_string())).map(Self))
    }
}

fn parse_query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut given: Vec<Cow<'_, str>> = Vec::new();
    let known = field_names::<T>();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if !known.contains(&name.as_ref()) {
            return Err(parameter_problem(&name, unknown_name(&name, known, Noun::Parameter)));
        }
        if given.contains(&name) {
            let message = format!("duplicate field `{name}`");
            return Err(parameter_problem(&name, translate_message(&message, Noun::Parameter)));
        }
        check_value(text, &name, &value)?;
        given.push(name);
    }
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let wording = translate_message(&error.inner().to_string(), Noun::Parameter);
        let at = error.path().iter().next_back().and_then(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
        });
        parameter_problem(&at.or(wording.field.clone()).unwrap_or_default(), wording)
    })
}

/// Refuses what is no text: bytes that are not UTF-8, and NUL, which PostgreSQL does not take.
fn check_value(query: &str, name: &str, value: &str) -> Result<(), Problem> {
    let code = if value.contains('\0') {
        CONTROL_CHARACTER
    } else if value.contains('\u{fffd}') && !query.to_ascii_uppercase().contains("%EF%BF%BD") {
        NOT_UTF8
    } else {
        return Ok(());
    };
    Err(parameter_problem(name, translate_message(code, Noun::Parameter)))
}

/// What is said of a value with NUL in it, as [`domain::core::text::Fault`] says it.
const CONTROL_CHARACTER: &str = "text must not contain the control character U+0000";

fn parameter_problem(name: &str, Wording { code, zh, en, .. }: Wording) -> Problem {
    // The name comes from the caller and may have any length.
    let name: String = name.chars().take(64).collect();
    Problem::new(Code::InvalidQuery).parameter(name, code, zh, en)
}

/// The names of the fields of a struct.
fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    let names = Cell::new(&[][..]);
    // It answers an error once it knows them.
    let _ = T::deserialize(Names(&names));
    names.get()
}

/// Asks a struct for its fields instead of giving it any.
struct Names<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> de::Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("only the names of the fields are of interest"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.set(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The identifiers in a path: one, or a tuple of several in their order.
#[derive(Debug)]
pub struct IdPath<T>(pub T);

impl<T: DeserializeOwned> FromRequest for IdPath<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let segments: Vec<_> = request.match_info().iter().collect();
        ready(read_path(&segments).map(Self))
    }
}

/// The values of a path, by the names and texts of its segments.
pub fn read_path<T: DeserializeOwned, S: AsRef<str>>(segments: &[(S, S)]) -> Result<T, Problem> {
    let segments: Vec<(&str, &str)> =
        segments.iter().map(|(name, text)| (name.as_ref(), text.as_ref())).collect();
    let at = Cell::new(0);
    T::deserialize(Segments { segments: &segments, at: &at }).map_err(|error| {
        let name = segments.get(at.get()).map_or("path", |(name, _)| name).to_owned();
        let Wording { code, zh, en, .. } = translate_message(&error.to_string(), Noun::Parameter);
        Problem::new(Code::InvalidPath).parameter(name, code, zh, en)
    })
}

/// The segments of a path, and which of them is being looked at.
struct Segments<'a> {
    segments: &'a [(&'a str, &'a str)],
    at: &'a Cell<usize>,
}

impl<'de> de::Deserializer<'de> for Segments<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let first = self.segments.first().map_or("", |(_, text)| text);
        visitor.visit_str(first)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        let texts = self.segments.iter().enumerate().map(|(index, (_, text))| {
            self.at.set(index);
            StrDeserializer::new(text)
        });
        visitor.visit_seq(SeqDeserializer::new(texts))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use domain::{
        core::id::{AreaId, CaseId},
        people::actor::Role,
    };
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::http::{language::Language, problem::render_problem};

    #[derive(Deserialize, Debug)]
    struct Filter {
        area: Option<AreaId>,
        open: Option<bool>,
        limit: Option<u32>,
        since: Option<domain::Instant>,
        role: Role,
    }

    fn told(problem: &Problem) -> (String, String, String) {
        let body: Value =
            serde_json::from_slice(&render_problem(problem, Language::Zh, "t")).unwrap();
        let text = |key| body["errors"][0][key].as_str().unwrap().to_owned();
        (text("parameter"), text("code"), text("message"))
    }

    #[test]
    fn a_query_is_read() {
        let text = "role=hotline&limit=5&open=true&since=2026-08-21T10%3A00%3A00%2B08%3A00\
                    &area=018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e";
        let Filter { area, open, limit, since, role } = parse_query(text).unwrap();
        assert_eq!((open, limit, role), (Some(true), Some(5), Role::Hotline));
        assert!(
            area.is_some() && since.is_some_and(|at| at.to_rfc3339().starts_with("2026-08-21T02"))
        );
    }

    #[test]
    fn a_fault_names_its_parameter() {
        for (text, name, code, message) in [
            (
                "role=hotline&lmit=5",
                "lmit",
                "unknown_field",
                "未知参数“lmit”；可用的有：area、open、limit、since、role。",
            ),
            (
                "role=hotline&limit=5&limit=6",
                "limit",
                "duplicate_field",
                "参数“limit”只能出现一次。",
            ),
            ("role=hotline&limit=many", "limit", "wrong_type", "应为整数。"),
            ("role=hotline&limit=-1", "limit", "wrong_type", "应为整数。"),
            ("role=hotline&limit=", "limit", "wrong_type", "应为整数。"),
            (
                "role=hotline&%00area=1",
                "\0area",
                "unknown_field",
                "未知参数“\0area”；可用的有：area、open、limit、since、role。",
            ),
            ("role=hot%00line", "role", "control_character", "不能含有控制字符 U+0000。"),
            ("role=%C2%B7%ff", "role", "not_utf8", "应为 UTF-8 文本。"),
            ("role=hotline&open=yes", "open", "wrong_type", "应为 true 或 false。"),
            ("role=hotline&area=1", "area", "wrong_type", "应为 UUID。"),
            (
                "role=hotline&since=2026",
                "since",
                "wrong_type",
                "应为带时区的时间，例如 2026-08-21T10:00:00+08:00。",
            ),
            (
                "role=king",
                "role",
                "unknown_value",
                "没有“king”这个值；可用的有：grid_worker、grid_leader、community_officer、street_dispatcher、street_leader、department_officer、department_head、district_dispatcher、hotline、inspector、auditor、administrator、integrator、resident、volunteer。",
            ),
            ("", "role", "missing_field", "缺少参数“role”。"),
            (
                "&=&role=hotline",
                "",
                "unknown_field",
                "未知参数“”；可用的有：area、open、limit、since、role。",
            ),
        ] {
            let problem = parse_query::<Filter>(text).unwrap_err();
            assert_eq!(problem.code(), Code::InvalidQuery);
            let (at, what, zh) = told(&problem);
            assert_eq!((at.as_str(), what.as_str(), zh.as_str()), (name, code, message), "{text}");
        }
        let long = parse_query::<Filter>(&"网".repeat(10_000)).unwrap_err();
        assert!(render_problem(&long, Language::Zh, "t").len() < 2000);
    }

    fn ids<T: DeserializeOwned>(segments: &[(&'static str, &'static str)]) -> Result<T, Problem> {
        let mut request = TestRequest::default();
        for (name, text) in segments {
            request = request.param(*name, *text);
        }
        let (request, mut payload) = request.to_http_parts();
        IdPath::from_request(&request, &mut payload).into_inner().map(|IdPath(ids)| ids)
    }

    #[test]
    fn identifiers_are_read_from_a_path() {
        const ID: &str = "018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e";
        let id: CaseId = ids(&[("id", ID)]).unwrap();
        assert_eq!(id.to_string(), ID);
        let (case, role): (CaseId, Role) = ids(&[("id", ID), ("role", "hotline")]).unwrap();
        assert_eq!((case, role), (id, Role::Hotline));
        let problem = ids::<(CaseId, AreaId)>(&[("id", ID), ("unit", "7")]).unwrap_err();
        assert_eq!(problem.code(), Code::InvalidPath);
        assert_eq!(told(&problem), ("unit".into(), "wrong_type".into(), "应为 UUID。".into()));
        let problem = ids::<CaseId>(&[("id", "..%2f")]).unwrap_err();
        assert_eq!(told(&problem).0, "id");
    }
}
