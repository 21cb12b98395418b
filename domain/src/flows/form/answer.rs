//! Answers to a form: known values are filled in, only changes are given, and the origin of every
//! value is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema::{Field, Schema, Source};
use crate::{
    Instant,
    core::{
        labelled_enum::labelled_enum,
        tabular_import::{At, Fault},
    },
    rules::burden::Counts,
};

labelled_enum! {
    /// How a field got its value.
    How {
        /// Given by the person who filled in the form.
        Typed = "typed", "填写";
        /// Carried over from an earlier answer.
        Carried = "carried", "沿用";
        /// Prefilled from a fact about the household.
        Prefilled = "prefilled", "自动带出";
    }
}

/// The origin of a value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// Which of the three ways.
    pub how: How,
    /// For a carried value the code of the form; for a prefilled one the fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Since when the value is known.
    pub at: Instant,
}

/// A value with its origin.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KnownValue {
    /// The value, valid for the schema.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
    /// Whether the form that asked it marks it as personal: it stays so in every other form.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub personal: bool,
}

/// The values that are known before the form is filled in.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Facts {
    /// Earlier answers, by the name of the field, whichever form asked it.
    pub answers: BTreeMap<String, KnownValue>,
    /// Facts about the household, and since when they are known.
    pub sources: BTreeMap<Source, (Value, Instant)>,
}

/// A form with all its answers.
#[derive(Clone, PartialEq, Debug)]
pub struct Answered {
    /// Every field that has a value, with its origin.
    pub values: BTreeMap<String, KnownValue>,
    /// How much work it took.
    pub counts: Counts,
}

impl Facts {
    /// The known value of a field; none when the form would not accept it.
    pub fn find_value(&self, field: &Field) -> Option<KnownValue> {
        let prefilled = field.source.and_then(|source| {
            let (value, at) = self.sources.get(&source)?;
            let from = Some(source.name().to_owned());
            let origin = Origin { how: How::Prefilled, from, at: *at };
            Some(KnownValue { value: value.clone(), origin, personal: field.personal })
        });
        let carried = || {
            let known = self.answers.get(&field.name).filter(|_| !field.each_time)?;
            let origin = Origin { how: How::Carried, ..known.origin.clone() };
            let personal = known.personal || field.personal;
            Some(KnownValue { value: known.value.clone(), origin, personal })
        };
        let fits = |known: &KnownValue| field.kind.check_value(&known.value, "").is_ok();
        prefilled.filter(fits).or_else(|| carried().filter(fits))
    }
}

impl Schema {
    /// The known values by field: what a worker need not enter.
    pub fn prefill(&self, facts: &Facts) -> BTreeMap<String, KnownValue> {
        let known = |field: &Field| Some((field.name.clone(), facts.find_value(field)?));
        self.fields.iter().filter_map(known).collect()
    }

    /// Completes the given values: they are a merge patch (RFC 7396) on the known values.
    pub fn complete_answers(
        &self,
        facts: &Facts,
        changes: &Map<String, Value>,
        at: Instant,
    ) -> Result<Answered, Vec<Fault>> {
        let known = self.prefill(facts);
        let mut faults = Vec::new();
        let mut counts = Counts::default();
        for name in changes.keys().filter(|name| self.find_field(name).is_none()) {
            let names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
            let names = names.join(", ");
            faults.push(new_fault(name, "unknown_field").with_expected(names.clone(), names));
        }
        let mut values = BTreeMap::new();
        for field in &self.fields {
            let before = known.get(&field.name);
            let required = if field.required { field.kind.count_required() } else { 0 };
            counts.required = counts.required.saturating_add(required);
            let Some(change) = changes.get(&field.name) else {
                match before {
                    Some(before) => {
                        counts.reused = counts.reused.saturating_add(count_leaves(&before.value));
                        values.insert(field.name.clone(), before.clone());
                    }
                    None if field.required => faults.push(new_missing_fault(field)),
                    None => {}
                }
                continue;
            };
            counts.typed = counts.typed.saturating_add(count_leaves(change));
            let value = merge_patch(before.map(|before| &before.value), change);
            let personal = field.personal || before.is_some_and(|before| before.personal);
            // For a masked value the count must not reveal whether a guess was right.
            if !personal && before.is_some_and(|before| Some(&before.value) == value.as_ref()) {
                counts.repeated = counts.repeated.saturating_add(count_leaves(change));
            }
            match value {
                None if field.required => faults.push(new_missing_fault(field)),
                None => {}
                Some(value) => match field.kind.check_value(&value, &field.name) {
                    Ok(()) => {
                        let origin = Origin { how: How::Typed, from: None, at };
                        values.insert(field.name.clone(), KnownValue { value, origin, personal });
                    }
                    Err(wrong) => {
                        let (zh, en) = wrong.right;
                        faults.push(new_fault(&wrong.at, wrong.code).with_expected(zh, en));
                    }
                },
            }
        }
        faults.truncate(Self::MAX_FAULTS);
        if faults.is_empty() { Ok(Answered { values, counts }) } else { Err(faults) }
    }
}

/// A fault that does not repeat the given value: it may be personal.
fn new_fault(at: &str, code: &'static str) -> Fault {
    let at: String = at.chars().take(200).collect();
    Fault::new(At::Whole, (at, code), "")
}

fn new_missing_fault(field: &Field) -> Fault {
    new_fault(&field.name, "missing_field").with_expected(field.title.clone(), field.title.clone())
}

/// Applies a merge patch to a value; none when the patch removes it.
fn merge_patch(before: Option<&Value>, change: &Value) -> Option<Value> {
    match change {
        Value::Null => None,
        Value::Object(members) => {
            let mut after = before.and_then(Value::as_object).cloned().unwrap_or_default();
            for (name, member) in members {
                match merge_patch(after.get(name), member) {
                    Some(value) => drop(after.insert(name.clone(), value)),
                    None => drop(after.remove(name)),
                }
            }
            Some(Value::Object(after))
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Some(change.clone())
        }
    }
}

/// How many values were entered; a list counts as one.
fn count_leaves(value: &Value) -> u16 {
    match value {
        Value::Object(members) => {
            members.values().fold(0, |sum, member| count_leaves(member).saturating_add(sum))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => 1,
    }
}
