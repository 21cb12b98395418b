//! The texts of events, by the declarations of the domain.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    core::{
        disclosure::{Disclosure, Field, Shape},
        journal::FlowKind,
    },
    flows::labels::labels_of,
};
use serde_json::Value;

/// The places of a word, and who said it.
pub(super) struct Standing {
    /// The account of the person who said it first; empty for the system.
    pub(super) by: String,
    /// The places, such as `case.closed.note`.
    pub(super) places: BTreeSet<String>,
}

impl Standing {
    pub(super) const fn new(by: String) -> Self {
        Self { by, places: BTreeSet::new() }
    }

    /// The places, with their declared disclosure.
    pub(super) fn render_label(&self, declared: &BTreeMap<String, Disclosure>) -> String {
        let label = |place: &String| {
            let read = declared[place];
            let read = if read == Disclosure::Open { String::new() } else { format!("{read:?}") };
            format!("`{place}` {}", to_snake_case(&read)).trim_end().to_owned()
        };
        let places: Vec<String> = self.places.iter().map(label).collect();
        format!("{} — {}", places.join("<br>"), self.by)
    }
}

/// In snake case, as serde writes it.
fn to_snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A place within another; variants below the first are written in brackets.
fn join_place(place: &str, variant: &str) -> String {
    if place.contains('.') { format!("{place}[{variant}]") } else { format!("{place}.{variant}") }
}

/// Every place of a kind's events where a text can stand, with its declared disclosure.
pub(super) fn list_fields(kind: FlowKind) -> Vec<(String, Disclosure)> {
    let mut fields = Vec::new();
    collect_fields(labels_of(kind).event, kind.name(), Disclosure::Open, &mut fields);
    fields
}

fn collect_fields(
    shape: Shape,
    place: &str,
    read: Disclosure,
    into: &mut Vec<(String, Disclosure)>,
) {
    let mut all = |fields: &[Field], place: &str| {
        for field in fields {
            // What is hidden hides what is in it.
            let read = if read == Disclosure::Open { field.disclosure } else { read };
            collect_fields(field.shape, &format!("{place}.{}", field.name), read, into);
        }
    };
    match shape {
        Shape::Plain | Shape::Person => {}
        Shape::Text | Shape::Document => into.push((place.to_owned(), read)),
        Shape::Many(item) => collect_fields(*item, place, read, into),
        Shape::Fields(fields) => all(fields, place),
        Shape::Variants(_, variants) => {
            for one in variants {
                all(one.fields, &join_place(place, &to_snake_case(one.name)));
            }
        }
    }
}

/// Visits every text of an event with its place. A text that no type declares fails.
pub(super) fn visit_texts(kind: FlowKind, event: &Value, each: &mut impl FnMut(&str, &str)) {
    visit_texts_below(labels_of(kind).event, kind.name(), event, each);
}

fn visit_texts_below(shape: Shape, place: &str, value: &Value, each: &mut impl FnMut(&str, &str)) {
    match (shape, value) {
        (Shape::Text | Shape::Document, Value::String(text)) => each(place, text),
        (Shape::Document, Value::Array(items)) => {
            for item in items {
                visit_texts_below(shape, place, item, each);
            }
        }
        (Shape::Document, Value::Object(members)) => {
            for (_, item) in members {
                visit_texts_below(shape, place, item, each);
            }
        }
        (_, Value::Null) | (Shape::Plain | Shape::Person | Shape::Document, _) => {}
        (Shape::Many(shape), Value::Array(items)) => {
            for item in items {
                visit_texts_below(*shape, place, item, each);
            }
        }
        (Shape::Many(shape), Value::Object(members)) => {
            for (_, item) in members {
                visit_texts_below(*shape, place, item, each);
            }
        }
        (Shape::Fields(fields), Value::Object(members)) => {
            for (name, value) in members {
                let field = fields.iter().find(|field| field.name == name);
                let field = field.unwrap_or_else(|| panic!("{place}.{name} is not declared"));
                visit_texts_below(field.shape, &format!("{place}.{name}"), value, each);
            }
        }
        (Shape::Variants(tag, variants), Value::Object(members)) => {
            let name = members[tag].as_str().unwrap_or_default();
            let variant = variants.iter().find(|variant| variant.is_called(name));
            let variant = variant.unwrap_or_else(|| panic!("{place}: {name} is not declared"));
            let place = join_place(place, name);
            for (name, value) in members.iter().filter(|(name, _)| *name != tag) {
                let field = variant.fields.iter().find(|field| field.name == name);
                let field = field.unwrap_or_else(|| panic!("{place}.{name} is not declared"));
                visit_texts_below(field.shape, &format!("{place}.{name}"), value, each);
            }
        }
        (shape, value) => panic!("{place} is no {shape:?}: {value}"),
    }
}
