//! Everything that is wrong with a body, for one answer.
//!
//! serde stops at the first fault. What it stopped at is taken out and the rest is read again, until
//! nothing wrong is left; what is missing follows from the schema that the document declares. It
//! runs only when a body was refused, and is bounded.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayItems, SchemaType, Type},
    },
};

use super::{push_token, strict::Strict};
use crate::http::wording::{Noun, Wording, translate_message};

/// The most faults that one answer lists.
pub(super) const MAX_FAULTS: usize = 32;

/// The most bytes of a body that is read again for more faults.
pub(super) const MAX_REREAD: usize = 64 * 1024;

/// How often it is read again at most: a place may be found twice, as wrong and then as missing.
const MAX_READINGS: usize = 4 * MAX_FAULTS;

/// A fault and the JSON pointer of its place.
pub(super) type PlacedFault = (String, Wording);

/// All faults of a body that is JSON and not a `T`; `first` is what serde stopped at.
pub(super) fn list_faults<T: DeserializeOwned + ToSchema>(
    whole: &Value,
    first: PlacedFault,
) -> Vec<PlacedFault> {
    let mut faults = vec![first];
    let mut rest = whole.clone();
    let mut removed = RemovedItems::default();
    for _ in 0..MAX_READINGS {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(Strict(&rest)) else { break };
        let path = error.path().clone();
        let wording = translate_message(&error.inner().to_string(), Noun::Field);
        // What is missing cannot be put in for the next reading: what lacks it is taken out.
        let missing = wording.field.clone().filter(|_| wording.code == "missing_field");
        if !remove_value(&mut rest, &path) {
            break;
        }
        let mut pointer = removed.locate_original(&path);
        if let Some(field) = missing {
            push_token(&mut pointer, &field);
        }
        if faults.iter().all(|(at, _)| *at != pointer) {
            faults.push((pointer, wording));
        }
        if faults.len() == MAX_FAULTS {
            return faults;
        }
    }
    add_missing::<T>(whole, &mut faults);
    faults.truncate(MAX_FAULTS);
    faults
}

/// Which items were taken out of which arrays, by the pointers of the arrays.
#[derive(Default)]
struct RemovedItems(HashMap<String, Vec<usize>>);

impl RemovedItems {
    /// The pointer a place had before anything was taken out; an item that is the place itself
    /// counts as taken out from now on.
    fn locate_original(&mut self, path: &Path) -> String {
        let mut pointer = String::new();
        let mut segments = path.iter().peekable();
        while let Some(segment) = segments.next() {
            let token = match segment {
                Segment::Map { key } => key.clone(),
                Segment::Enum { variant } => variant.clone(),
                Segment::Unknown => continue,
                Segment::Seq { index } => {
                    let gone = self.0.entry(pointer.clone()).or_default();
                    let mut original = *index;
                    for item in gone.iter() {
                        original += usize::from(*item <= original);
                    }
                    if segments.peek().is_none() {
                        gone.push(original);
                        gone.sort_unstable();
                    }
                    original.to_string()
                }
            };
            push_token(&mut pointer, &token);
        }
        pointer
    }
}

/// Takes out the value at a path; false where there is none, as for the whole.
fn remove_value(whole: &mut Value, path: &Path) -> bool {
    let mut segments: Vec<&Segment> =
        path.iter().filter(|segment| !matches!(segment, Segment::Unknown)).collect();
    let Some(last) = segments.pop() else { return false };
    let mut at = whole;
    for segment in segments {
        let next = match segment {
            Segment::Map { key } => at.get_mut(key),
            Segment::Enum { variant } => at.get_mut(variant),
            Segment::Seq { index } => at.get_mut(index),
            Segment::Unknown => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    match (last, at) {
        (Segment::Map { key }, Value::Object(members)) => members.remove(key).is_some(),
        (Segment::Enum { variant }, Value::Object(members)) => members.remove(variant).is_some(),
        (Segment::Seq { index }, Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

/// Adds what the schema of `T` requires and a body lacks.
fn add_missing<T: ToSchema>(whole: &Value, faults: &mut Vec<PlacedFault>) {
    let mut named = Vec::new();
    T::schemas(&mut named);
    let named: HashMap<String, RefOr<Schema>> = named.into_iter().collect();
    find_missing(whole, &T::schema(), &named, &mut String::new(), faults);
}

/// A `oneOf` of several objects is left to serde: which of them is meant is not known here.
fn find_missing(
    value: &Value,
    schema: &RefOr<Schema>,
    named: &HashMap<String, RefOr<Schema>>,
    pointer: &mut String,
    faults: &mut Vec<PlacedFault>,
) {
    if faults.len() >= MAX_FAULTS {
        return;
    }
    let schema = match schema {
        RefOr::T(schema) => schema,
        RefOr::Ref(Ref { ref_location, .. }) => {
            let name = ref_location.rsplit('/').next().unwrap_or_default();
            return match named.get(name) {
                Some(schema @ RefOr::T(_)) => find_missing(value, schema, named, pointer, faults),
                Some(RefOr::Ref(_)) | None => {}
            };
        }
    };
    match (schema, value) {
        (Schema::Object(object), Value::Object(members)) => {
            for name in object.required.iter().filter(|name| !members.contains_key(*name)) {
                let mut at = pointer.clone();
                push_token(&mut at, name);
                if faults.iter().all(|(place, _)| *place != at) {
                    let message = format!("missing field `{name}`");
                    faults.push((at, translate_message(&message, Noun::Field)));
                }
            }
            for (name, member) in members {
                if let Some(schema) = object.properties.get(name) {
                    let length = pointer.len();
                    push_token(pointer, name);
                    find_missing(member, schema, named, pointer, faults);
                    pointer.truncate(length);
                }
            }
        }
        (Schema::Array(array), Value::Array(items)) => {
            if let ArrayItems::RefOrSchema(schema) = &array.items {
                for (index, item) in items.iter().enumerate() {
                    let length = pointer.len();
                    push_token(pointer, &index.to_string());
                    find_missing(item, schema, named, pointer, faults);
                    pointer.truncate(length);
                }
            }
        }
        (Schema::OneOf(one_of), Value::Object(_)) => {
            let mut objects = one_of.items.iter().filter(|item| !is_null(item));
            if let (Some(schema), None) = (objects.next(), objects.next()) {
                find_missing(value, schema, named, pointer, faults);
            }
        }
        (Schema::AllOf(all_of), Value::Object(_)) => {
            for schema in &all_of.items {
                find_missing(value, schema, named, pointer, faults);
            }
        }
        _ => {}
    }
}

/// Whether a schema is that of null: an optional object is one of null and the object.
fn is_null(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(Schema::Object(object)) = schema else { return false };
    object.schema_type == SchemaType::Type(Type::Null)
}
