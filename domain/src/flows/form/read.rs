//! Reads a schema strictly: a keyword this program does not enforce is a fault and not ignored.

use serde_json::{Map, Value};

use super::schema::{Field, Kind, Schema, Source};
use crate::core::tabular_import::{At, Fault};

/// The state of reading.
#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
    fields: usize,
}

/// Keywords every field may have.
const COMMON: &[&str] = &["type", "title", "description"];
/// Further keywords for a field at the root.
const EXTENSIONS: &[&str] = &["x-source", "x-personal", "x-ask"];
/// Keywords of an object.
const OBJECT: &[&str] = &["properties", "required", "additionalProperties"];

/// Reads a schema; returns all that is wrong with it, up to a bound.
pub(super) fn read(schema: &Value) -> Result<Schema, Vec<Fault>> {
    let mut reader = Reader::default();
    let size = schema.to_string().len();
    if size > Schema::MAX_BYTES {
        reader.push_fault("", "too_large", size.to_string(), ("不超过 64 kB", "at most 64 kB"));
        return Err(reader.faults);
    }
    let read = reader.read_root(schema);
    match read {
        Some(schema) if reader.faults.is_empty() => Ok(schema),
        _ => Err(reader.faults),
    }
}

impl Reader {
    fn push_fault(
        &mut self,
        at: &str,
        code: &'static str,
        given: impl AsRef<str>,
        right: (&str, &str),
    ) {
        if self.faults.len() < Schema::MAX_FAULTS {
            let fault = Fault::new(
                At::Whole,
                (at.trim_start_matches('/').to_owned(), code),
                given.as_ref(),
            );
            self.faults.push(fault.with_expected(right.0, right.1));
        }
    }

    fn read_object<'a>(&mut self, value: &'a Value, at: &str) -> Option<&'a Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.push_fault(at, "wrong_type", "", ("对象", "an object"));
        }
        object
    }

    fn check_keywords(&mut self, map: &Map<String, Value>, at: &str, allowed: &[&[&str]]) {
        let names = allowed.concat().join(", ");
        for key in map.keys().filter(|key| !allowed.iter().any(|some| some.contains(&key.as_str())))
        {
            self.push_fault(
                &format!("{at}/{}", escape_pointer(key)),
                "unknown_keyword",
                key,
                (&names, &names),
            );
        }
    }

    fn read_root(&mut self, schema: &Value) -> Option<Schema> {
        let map = self.read_object(schema, "")?;
        self.check_keywords(map, "", &[COMMON, OBJECT, &["$schema", "x-order"]]);
        if map.get("type").and_then(Value::as_str) != Some("object") {
            self.push_fault("type", "unknown_value", "", ("object", "object"));
        }
        let title = self.read_title(map, "");
        let mut fields = self.read_properties(map, "", 1);
        let order = self.read_names(map, "", "x-order");
        for name in order.iter().filter(|name| !fields.iter().any(|field| field.name == **name)) {
            let right = ("properties 中的字段", "one of the fields in properties");
            self.push_fault("x-order", "unknown_value", name, right);
        }
        // JSON does not keep the order of members; fields not named in `x-order` follow by name.
        let place = |name: &str| order.iter().position(|one| *one == name).unwrap_or(order.len());
        fields.sort_by_key(|field| place(&field.name));
        Some(Schema { title, fields })
    }

    fn read_title(&mut self, map: &Map<String, Value>, at: &str) -> String {
        const MOST: usize = 120;
        let title = map.get("title").and_then(Value::as_str).unwrap_or_default().trim();
        if title.is_empty() || title.chars().count() > MOST || title.chars().any(char::is_control) {
            let right = ("1 到 120 个字的标题", "a title of 1 to 120 characters");
            self.push_fault(&format!("{at}/title"), "bad_text", title, right);
        }
        if map.get("description").is_some_and(|text| !text.is_string()) {
            self.push_fault(&format!("{at}/description"), "wrong_type", "", ("文字", "text"));
        }
        title.to_owned()
    }

    fn read_properties(&mut self, map: &Map<String, Value>, at: &str, depth: usize) -> Vec<Field> {
        if map.get("additionalProperties").is_some_and(|value| *value != Value::Bool(false)) {
            self.push_fault(
                &format!("{at}/additionalProperties"),
                "unknown_value",
                "",
                ("false", "false"),
            );
        }
        let required = self.read_names(map, at, "required");
        let here = format!("{at}/properties");
        let empty = Map::new();
        let members = map.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        if members.is_empty() {
            self.push_fault(&here, "empty", "", ("至少一个字段", "at least one field"));
        }
        self.fields += members.len();
        if self.fields > Schema::MAX_FIELDS {
            let right = ("最多 100 个字段", "at most 100 fields");
            self.push_fault(&here, "too_many_rows", self.fields.to_string(), right);
            return Vec::new();
        }
        for name in required.iter().filter(|name| !members.contains_key(**name)) {
            let right = ("properties 中的字段", "one of the fields in properties");
            self.push_fault(&format!("{at}/required"), "unknown_value", name, right);
        }
        let mut fields = Vec::with_capacity(members.len());
        for (name, value) in members {
            let at = format!("{here}/{}", escape_pointer(name));
            if !is_name(name) {
                let right = (
                    "小写字母、数字和下划线，字母开头，最多 40 个字符",
                    "lower-case letters, digits and underscores, beginning with a letter, at most \
                     40 characters",
                );
                self.push_fault(&at, "bad_code", name, right);
            }
            let required = required.contains(&name.as_str());
            fields.extend(self.read_field(name, value, &at, (depth + 1, required)));
        }
        fields
    }

    fn read_names<'a>(
        &mut self,
        map: &'a Map<String, Value>,
        at: &str,
        list: &str,
    ) -> Vec<&'a str> {
        let Some(value) = map.get(list) else { return Vec::new() };
        let names: Option<Vec<&str>> =
            value.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
        if names.is_none() {
            self.push_fault(
                &format!("{at}/{list}"),
                "wrong_type",
                "",
                ("字段名的列表", "a list of field names"),
            );
        }
        names.unwrap_or_default()
    }

    fn read_field(
        &mut self,
        name: &str,
        value: &Value,
        at: &str,
        (depth, required): (usize, bool),
    ) -> Option<Field> {
        const ROOT: usize = 2;
        let map = self.read_object(value, at)?;
        let extensions: &[&str] = if depth == ROOT { EXTENSIONS } else { &[] };
        let kind = self.read_kind(map, at, depth, extensions)?;
        let source = self.read_source(map, at);
        let personal = self.read_flag(map, at, "x-personal");
        let each_time = match map.get("x-ask").map(Value::as_str) {
            None => false,
            Some(Some("each_time")) => true,
            Some(_) => {
                self.push_fault(
                    &format!("{at}/x-ask"),
                    "unknown_value",
                    "",
                    ("each_time", "each_time"),
                );
                false
            }
        };
        let title = self.read_title(map, at);
        let personal = personal || source.is_some_and(Source::is_personal);
        Some(Field { name: name.to_owned(), title, kind, required, source, personal, each_time })
    }

    fn read_source(&mut self, map: &Map<String, Value>, at: &str) -> Option<Source> {
        let value = map.get("x-source")?;
        let source = value.as_str().and_then(Source::parse);
        if source.is_none() {
            let names: Vec<&str> = Source::ALL.iter().map(|one| one.name()).collect();
            let names = names.join(", ");
            let at = format!("{at}/x-source");
            self.push_fault(
                &at,
                "unknown_value",
                value.as_str().unwrap_or_default(),
                (&names, &names),
            );
        }
        source
    }

    fn read_flag(&mut self, map: &Map<String, Value>, at: &str, name: &str) -> bool {
        let Some(value) = map.get(name) else { return false };
        if !value.is_boolean() {
            self.push_fault(
                &format!("{at}/{name}"),
                "wrong_type",
                "",
                ("true 或 false", "true or false"),
            );
        }
        value.as_bool().unwrap_or_default()
    }

    fn read_kind(
        &mut self,
        map: &Map<String, Value>,
        at: &str,
        depth: usize,
        extensions: &[&str],
    ) -> Option<Kind> {
        if depth > Schema::MAX_DEPTH {
            self.push_fault(at, "too_deep", "", ("最多四层", "at most four levels"));
            return None;
        }
        let own: &[&str] = match map.get("type").and_then(Value::as_str) {
            Some("string") => &["enum", "minLength", "maxLength", "format"],
            Some("integer" | "number") => &["minimum", "maximum"],
            Some("boolean") => &[],
            Some("array") => &["items", "minItems", "maxItems", "uniqueItems"],
            Some("object") => OBJECT,
            other => {
                let types = "string, integer, number, boolean, array, object";
                let at = format!("{at}/type");
                self.push_fault(&at, "unknown_value", other.unwrap_or_default(), (types, types));
                return None;
            }
        };
        self.check_keywords(map, at, &[COMMON, own, extensions]);
        Some(match map.get("type").and_then(Value::as_str).unwrap_or_default() {
            "string" => self.read_text(map, at),
            "integer" => Kind::Integer {
                min: self.read_bound(map, at, "minimum", Value::as_i64),
                max: self.read_bound(map, at, "maximum", Value::as_i64),
            },
            "number" => Kind::Number {
                min: self.read_bound(map, at, "minimum", Value::as_f64),
                max: self.read_bound(map, at, "maximum", Value::as_f64),
            },
            "boolean" => Kind::Boolean,
            "array" => self.read_list(map, at, depth)?,
            _ => Kind::Group(self.read_properties(map, at, depth)),
        })
    }

    fn read_bound<T>(
        &mut self,
        map: &Map<String, Value>,
        at: &str,
        name: &str,
        read: fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = map.get(name)?;
        let bound = read(value);
        if bound.is_none() {
            self.push_fault(&format!("{at}/{name}"), "wrong_type", "", ("数字", "a number"));
        }
        bound
    }

    /// A number of characters or items, at most `most`.
    fn read_count(
        &mut self,
        map: &Map<String, Value>,
        at: &str,
        name: &str,
        (usual, most): (usize, usize),
    ) -> usize {
        let Some(value) = map.get(name) else { return usual };
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        if let Some(count) = count.filter(|count| *count <= most) {
            return count;
        }
        let (zh, en) = (format!("0 到 {most}"), format!("0 to {most}"));
        self.push_fault(&format!("{at}/{name}"), "out_of_range", value.to_string(), (&zh, &en));
        usual
    }

    fn check_order(&mut self, at: &str, min: usize, max: usize) {
        if min > max {
            let right = ("不大于上限的下限", "a lower bound not above the upper bound");
            self.push_fault(at, "backward", min.to_string(), right);
        }
    }

    fn read_text(&mut self, map: &Map<String, Value>, at: &str) -> Kind {
        let min = self.read_count(map, at, "minLength", (0, Schema::MAX_TEXT));
        let max = self.read_count(map, at, "maxLength", (Schema::MAX_TEXT, Schema::MAX_TEXT));
        self.check_order(at, min, max);
        let date = match map.get("format").map(Value::as_str) {
            None => false,
            Some(Some("date")) => true,
            Some(other) => {
                let at = format!("{at}/format");
                self.push_fault(&at, "unknown_value", other.unwrap_or_default(), ("date", "date"));
                false
            }
        };
        let options = map.get("enum").map(|value| self.read_options(value, at));
        Kind::Text { min, max, options, date }
    }

    fn read_options(&mut self, value: &Value, at: &str) -> Vec<String> {
        const LONGEST: usize = 120;
        let options: Option<Vec<String>> = value
            .as_array()
            .and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect());
        let options = options.unwrap_or_default();
        let long =
            options.iter().any(|option| option.chars().count() > LONGEST || option.is_empty());
        let twice = options
            .iter()
            .enumerate()
            .any(|(index, option)| options.iter().take(index).any(|o| o == option));
        if options.is_empty() || options.len() > Schema::MAX_ITEMS || long || twice {
            let right = (
                "1 到 100 个各不相同的选项，每个最多 120 字",
                "1 to 100 different options of at most 120 characters each",
            );
            self.push_fault(&format!("{at}/enum"), "unknown_value", "", right);
        }
        options
    }

    fn read_list(&mut self, map: &Map<String, Value>, at: &str, depth: usize) -> Option<Kind> {
        let min = self.read_count(map, at, "minItems", (0, Schema::MAX_ITEMS));
        let max = self.read_count(map, at, "maxItems", (Schema::MAX_ITEMS, Schema::MAX_ITEMS));
        self.check_order(at, min, max);
        let unique = self.read_flag(map, at, "uniqueItems");
        let here = format!("{at}/items");
        let Some(items) = map.get("items") else {
            self.push_fault(&here, "missing", "", ("每一项的类型", "the type of the items"));
            return None;
        };
        let items = self.read_object(items, &here)?;
        let item = Box::new(self.read_kind(items, &here, depth + 1, &[])?);
        Some(Kind::List { item, min, max, unique })
    }
}

fn is_name(name: &str) -> bool {
    const LONGEST: usize = 40;
    name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A name as a part of a JSON pointer, cut to a length that can be shown.
fn escape_pointer(name: &str) -> String {
    let short: String = name.chars().take(60).collect();
    short.replace('~', "~0").replace('/', "~1")
}

impl Schema {
    /// Reads a schema; returns all that is wrong with it, up to a bound.
    pub fn read(schema: &Value) -> Result<Self, Vec<Fault>> {
        super::read::read(schema)
    }
}
