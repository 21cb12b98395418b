//! Who reads which field of an event, declared by type.
//!
//! Each type that stands in an event declares with [`disclosed!`] who may read each of its fields:
//! a new field does not compile until it is declared. What a field holds ([`Shape`]) follows from
//! its type. Timelines and published events are the stored JSON with everything
//! [redacted](Redaction) that its reader must not know; a member that no type declares is removed
//! as well. The journal itself is not changed: its bytes are hashed.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    Instant,
    core::{
        id::{
            AreaId, CampaignId, CaseId, FormId, HouseholdId, MediaId, PatrolId, PersonId, PlanId,
            ReportId, ReviewId, VisitId,
        },
        text::{Code, Line, Prose},
    },
};

/// Which readers of an event may read a field of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disclosure {
    /// All of them.
    Open,
    /// No one: it never appears in a timeline or a published event.
    Withheld,
    /// All but the other reporters of a case, where a reporter wrote it: text that no review has
    /// passed.
    Words,
    /// Staff, and the reporter who said it: a resident's answer to a callback.
    Answer,
    /// All but the other reporters of a case, until a review passes the text of its report.
    Matter,
    /// All but the other reporters of a case, until a review passes the location of its report.
    Location,
    /// The street and the department: the opinion of one about the other. Never published.
    Opinion,
    /// Those who may know the reporter, where the report is confidential or anonymous: the field by
    /// itself reveals who reported.
    Trace,
}

/// What a value holds, as far as it matters for who reads it.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Numbers, times, codes of a fixed list, identities of things, places.
    Plain,
    /// The identity of a person, shown only of people the reader may know of.
    Person,
    /// A text that a person wrote or chose, or that the program made.
    Text,
    /// A document in the form its author gave it, with texts in it.
    Document,
    /// Any number of the same shape; in JSON an array, or an object of them by their keys.
    Many(&'static Shape),
    /// Members, each with its readers.
    Fields(&'static [Field]),
    /// One of several sets of members, named by a tag member.
    Variants(&'static str, &'static [Variant]),
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Who reads it.
    pub disclosure: Disclosure,
    /// What it holds.
    pub shape: Shape,
}

/// One of several sets of members.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Its name in Rust; in JSON the same in snake case.
    pub name: &'static str,
    /// Its members besides the tag.
    pub fields: &'static [Field],
}

impl Variant {
    /// Whether it is the variant that JSON calls `name`.
    pub fn is_called(&self, name: &str) -> bool {
        let snake = self.name.char_indices().flat_map(|(at, letter)| {
            let gap = (at > 0 && letter.is_ascii_uppercase()).then_some('_');
            gap.into_iter().chain([letter.to_ascii_lowercase()])
        });
        snake.eq(name.chars())
    }
}

/// A type whose values stand in events.
pub trait Disclosed {
    /// Its shape, with the readers of each part.
    const SHAPE: Shape;
}

macro_rules! shapes {
    ($($shape:ident: $($name:ty),+;)+) => {$($(
        impl Disclosed for $name {
            const SHAPE: Shape = Shape::$shape;
        }
    )+)+};
}

shapes! {
    Plain: bool, u8, u16, u32, u64, usize, i64, f64, Instant, NaiveDate, NaiveTime, Uuid, AreaId,
        ReportId, CaseId, PatrolId, PlanId, HouseholdId, VisitId, CampaignId, FormId, MediaId,
        ReviewId, (u32, u32);
    Person: PersonId;
    Text: String, Line, Prose, Code;
    Document: Value;
}

impl<T: Disclosed> Disclosed for Option<T> {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: Disclosed> Disclosed for Box<T> {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: Disclosed> Disclosed for Vec<T> {
    const SHAPE: Shape = Shape::Many(&T::SHAPE);
}

impl<K, T: Disclosed> Disclosed for BTreeMap<K, T> {
    const SHAPE: Shape = Shape::Many(&T::SHAPE);
}

/// The shape of a field, from the type that a function returns for its owner.
pub(crate) const fn shape_of<Owner, T: Disclosed>(_: fn(&Owner) -> Option<&T>) -> Shape {
    T::SHAPE
}

/// Declares who reads which field of a structure, or of an enumeration that serde tags with the
/// named member: `struct Rating { Open: response, quality; Words: comment }`. Every field is listed
/// once; a missing or unknown one does not compile.
macro_rules! disclosed {
    () => {};
    (struct $owner:ident { $($class:ident: $($field:ident),+);+ $(;)? } $($rest:tt)*) => {
        impl $crate::core::disclosure::Disclosed for $owner {
            const SHAPE: $crate::core::disclosure::Shape = {
                use $crate::core::disclosure::{Disclosure, Field, Shape, shape_of};
                const fn each_is_declared(owner: &$owner) {
                    let $owner { $($($field: _,)+)+ } = owner;
                }
                let _: fn(&$owner) = each_is_declared;
                Shape::Fields(&[$($(Field {
                    name: stringify!($field),
                    disclosure: Disclosure::$class,
                    shape: shape_of(|owner: &$owner| Some(&owner.$field)),
                },)+)+])
            };
        }
        $crate::core::disclosure::disclosed! { $($rest)* }
    };
    (
        enum $owner:ident by $tag:literal {
            $($variant:ident { $($class:ident: $($field:ident),+);* $(;)? })+
        }
        $($rest:tt)*
    ) => {
        impl $crate::core::disclosure::Disclosed for $owner {
            const SHAPE: $crate::core::disclosure::Shape = {
                use $crate::core::disclosure::{Disclosure, Field, Shape, Variant, shape_of};
                const fn each_is_declared(owner: &$owner) {
                    match owner {
                        $($owner::$variant { $($($field: _,)+)* } => (),)+
                    }
                }
                let _: fn(&$owner) = each_is_declared;
                Shape::Variants($tag, &[$(Variant {
                    name: stringify!($variant),
                    fields: &[$($(Field {
                        name: stringify!($field),
                        disclosure: Disclosure::$class,
                        shape: shape_of(|owner: &$owner| match (owner, true) {
                            ($owner::$variant { $field, .. }, true) => Some($field),
                            _ => None,
                        }),
                    },)+)*],
                },)+])
            };
        }
        $crate::core::disclosure::disclosed! { $($rest)* }
    };
}
pub(crate) use disclosed;

/// What is hidden from one reader of one event.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    /// The disclosures whose fields are hidden, besides those that are
    /// [withheld](Disclosure::Withheld) from all.
    pub hidden: Vec<Disclosure>,
    /// The people whom the reader must not know.
    pub strangers: Vec<PersonId>,
}

impl Redaction {
    /// Removes from a value what its reader must not know. A value that does not match `shape`
    /// becomes null: nothing is disclosed because it was not understood.
    pub fn redact(&self, shape: Shape, value: &mut Value) {
        match (shape, value) {
            (_, Value::Null)
            | (Shape::Plain | Shape::Document, _)
            | (Shape::Text | Shape::Person, Value::String(_)) => {}
            (Shape::Many(item), Value::Array(items)) => {
                items.retain(|value| self.tells(*item, value));
                for value in items {
                    self.redact(*item, value);
                }
            }
            (Shape::Many(item), Value::Object(members)) => {
                members.retain(|_, value| self.tells(*item, value));
                for (_, value) in members {
                    self.redact(*item, value);
                }
            }
            (Shape::Fields(fields), Value::Object(members)) => self.members(fields, "", members),
            (Shape::Variants(tag, variants), Value::Object(members)) => {
                let name = members.get(tag).and_then(Value::as_str).unwrap_or_default();
                let variant = variants.iter().find(|variant| variant.is_called(name));
                self.members(variant.map_or(&[], |variant| variant.fields), tag, members);
            }
            (_, value) => *value = Value::Null,
        }
    }

    fn members(&self, fields: &[Field], tag: &str, members: &mut Map<String, Value>) {
        members.retain(|name, value| {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                return name == tag;
            };
            if !self.allows(field.disclosure) || !self.tells(field.shape, value) {
                return false;
            }
            self.redact(field.shape, value);
            true
        });
    }

    fn allows(&self, disclosure: Disclosure) -> bool {
        disclosure != Disclosure::Withheld && !self.hidden.contains(&disclosure)
    }

    /// Whether a value is not the identity of a stranger.
    fn tells(&self, shape: Shape, value: &Value) -> bool {
        let Shape::Person = shape else { return true };
        let known = |id: Uuid| !self.strangers.contains(&PersonId(id));
        value.as_str().is_none_or(|id| id.parse().is_ok_and(known))
    }
}
