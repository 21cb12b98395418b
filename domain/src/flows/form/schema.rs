//! What a form may contain: the subset of JSON Schema 2020-12 that this program enforces
//! completely.
//!
//! - the root: `type: object`, `title`, `properties`, and optionally `$schema`, `description`,
//!   `required`, `additionalProperties: false`, and `x-order` (the names of the fields in the order
//!   they are asked, because JSON keeps no order);
//! - a field: `type` and `title`, and optionally `description`;
//!   - `string`: `enum`, `minLength`, `maxLength`, `format: date`;
//!   - `integer`, `number`: `minimum`, `maximum`;
//!   - `boolean`;
//!   - `array`: `items`, `minItems`, `maxItems`, `uniqueItems`;
//!   - `object`: `properties`, `required`, `additionalProperties: false`;
//! - a field at the root also: `x-source` (a known fact fills it in), `x-personal` (it is shown
//!   masked), `x-ask: each_time` (an earlier answer is not carried over).
//!
//! At most 64 kB, 100 fields, four levels. No `$ref`, no `pattern`, no conditions: a form that a
//! worker fills in at a door needs none, and regular expressions from outside are a risk.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::labelled_enum::labelled_enum;

labelled_enum! {
    /// A known fact about a household that may fill in a field.
    Source {
        /// The number of the household.
        HouseholdNumber = "household_number", "家庭编号";
        /// The name of the grid.
        Grid = "grid", "所属网格";
        /// The name of the community.
        Community = "community", "所属社区";
        /// The building the household lives in.
        Building = "building", "楼栋";
        /// Unit, floor and room; personal.
        Room = "room", "房号";
        /// The number of people who live there.
        Size = "size", "家庭人数";
        /// The code of the group of ten.
        Group = "group", "十联户编号";
        /// The name of the first member; personal.
        HeadName = "head_name", "户主姓名";
        /// The phone of the first member; personal.
        HeadPhone = "head_phone", "户主电话";
        /// The special-care groups its members belong to, as a list of codes; personal.
        SpecialGroups = "special_groups", "特殊群体";
        /// The person who fills in the form.
        Worker = "worker", "走访人";
    }
}

impl Source {
    /// Whether it is sealed, and shown masked whatever the form says.
    pub const fn is_personal(self) -> bool {
        match self {
            Self::Room | Self::HeadName | Self::HeadPhone | Self::SpecialGroups => true,
            Self::HouseholdNumber
            | Self::Grid
            | Self::Community
            | Self::Building
            | Self::Size
            | Self::Group
            | Self::Worker => false,
        }
    }
}

/// A form with its fields.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Schema {
    /// The title of the form.
    pub title: String,
    /// Its fields in the order of `x-order`, the others after them by name.
    pub fields: Vec<Field>,
}

/// One field of a form, or of a group.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// Its name, shared by all forms.
    pub name: String,
    /// Its title, for people.
    pub title: String,
    /// The type of its value.
    pub kind: Kind,
    /// Whether a value is required.
    pub required: bool,
    /// The fact that fills it in.
    pub source: Option<Source>,
    /// Whether it is shown masked.
    pub personal: bool,
    /// Whether it is asked every time, without carrying an answer over.
    pub each_time: bool,
}

/// The type of a field's value.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// A text, a choice or a calendar day.
    Text {
        /// The fewest characters.
        min: usize,
        /// The most characters.
        max: usize,
        /// The allowed values, if they are listed.
        options: Option<Vec<String>>,
        /// Whether it is a calendar day, `2026-08-21`.
        date: bool,
    },
    /// A whole number.
    Integer {
        /// The lowest, inclusive; none without a bound.
        min: Option<i64>,
        /// The highest, inclusive; none without a bound.
        max: Option<i64>,
    },
    /// A number with or without decimals.
    Number {
        /// The lowest, inclusive; none without a bound.
        min: Option<f64>,
        /// The highest, inclusive; none without a bound.
        max: Option<f64>,
    },
    /// Yes or no.
    Boolean,
    /// Several values of one kind.
    List {
        /// The type of each item.
        item: Box<Kind>,
        /// The fewest items.
        min: usize,
        /// The most items.
        max: usize,
        /// Whether items must differ.
        unique: bool,
    },
    /// Fields within a field.
    Group(Vec<Field>),
}

/// Bounds of a form.
impl Schema {
    /// The most bytes of a schema.
    pub const MAX_BYTES: usize = 64 * 1024;
    /// The most fields, those within fields included.
    pub const MAX_FIELDS: usize = 100;
    /// The most levels.
    pub const MAX_DEPTH: usize = 4;
    /// The most characters of a text, where the form does not say fewer.
    pub const MAX_TEXT: usize = 4000;
    /// The most items of a list, and options of a choice.
    pub const MAX_ITEMS: usize = 100;
    /// The most faults that are reported at once.
    pub const MAX_FAULTS: usize = 100;

    /// A field by its name.
    pub fn find_field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Kind {
    /// Whether a value may stand in such a field; if not: the place in it, the code, and what would
    /// be right in Chinese and English.
    pub fn check_value(&self, value: &Value, at: &str) -> Result<(), Wrong> {
        match self {
            Self::Text { min, max, options, date } => {
                check_text(value, at, (*min, *max), options.as_deref(), *date)
            }
            Self::Integer { min, max } => {
                let number = value
                    .as_i64()
                    .ok_or_else(|| new_wrong(at, "wrong_type", "整数", "an integer"))?;
                let fits =
                    min.is_none_or(|min| min <= number) && max.is_none_or(|max| number <= max);
                check_range(fits, at, (min.map(|n| n.to_string()), max.map(|n| n.to_string())))
            }
            Self::Number { min, max } => {
                let number = value
                    .as_f64()
                    .ok_or_else(|| new_wrong(at, "wrong_type", "数字", "a number"))?;
                let fits =
                    min.is_none_or(|min| min <= number) && max.is_none_or(|max| number <= max);
                check_range(fits, at, (min.map(|n| n.to_string()), max.map(|n| n.to_string())))
            }
            Self::Boolean if value.is_boolean() => Ok(()),
            Self::Boolean => Err(new_wrong(at, "wrong_type", "true 或 false", "true or false")),
            Self::List { item, min, max, unique } => {
                check_list(value, at, item, (*min, *max), *unique)
            }
            Self::Group(fields) => check_group(fields, value, at),
        }
    }

    /// The number of values a worker has to give for it.
    pub fn count_required(&self) -> u16 {
        match self {
            Self::Group(fields) => fields
                .iter()
                .filter(|field| field.required)
                .fold(0, |sum, field| field.kind.count_required().saturating_add(sum)),
            Self::Text { .. }
            | Self::Integer { .. }
            | Self::Number { .. }
            | Self::Boolean
            | Self::List { .. } => 1,
        }
    }
}

/// Why a value may not stand in a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// The path to it, with slashes and without the first.
    pub at: String,
    /// The machine code.
    pub code: &'static str,
    /// What would be right, in Chinese and English.
    pub right: (String, String),
}

fn new_wrong(at: &str, code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Wrong {
    Wrong { at: at.to_owned(), code, right: (zh.into(), en.into()) }
}

fn check_range(
    fits: bool,
    at: &str,
    (min, max): (Option<String>, Option<String>),
) -> Result<(), Wrong> {
    if fits {
        return Ok(());
    }
    let zh = match (&min, &max) {
        (Some(min), Some(max)) => format!("{min} 到 {max}"),
        (Some(min), None) => format!("不小于 {min}"),
        (None, max) => format!("不大于 {}", max.clone().unwrap_or_default()),
    };
    let en = match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, max) => format!("at most {}", max.unwrap_or_default()),
    };
    Err(new_wrong(at, "out_of_range", zh, en))
}

fn check_text(
    value: &Value,
    at: &str,
    (min, max): (usize, usize),
    options: Option<&[String]>,
    date: bool,
) -> Result<(), Wrong> {
    let text = value.as_str().ok_or_else(|| new_wrong(at, "wrong_type", "文字", "text"))?;
    if let Some(options) = options {
        return if options.iter().any(|option| option == text) {
            Ok(())
        } else {
            Err(new_wrong(at, "unknown_value", options.join("、"), options.join(", ")))
        };
    }
    if date && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_err() {
        return Err(new_wrong(
            at,
            "bad_date",
            "形如 2026-08-21 的日期",
            "a date such as 2026-08-21",
        ));
    }
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(control) {
        return Err(new_wrong(
            at,
            "control_character",
            "不含控制字符的文字",
            "text without control characters",
        ));
    }
    let length = text.chars().count();
    let fits = (min..=max).contains(&length);
    let (zh, en) = (format!("{min} 到 {max} 个字"), format!("{min} to {max} characters"));
    if fits { Ok(()) } else { Err(new_wrong(at, "out_of_range", zh, en)) }
}

fn check_list(
    value: &Value,
    at: &str,
    item: &Kind,
    (min, max): (usize, usize),
    unique: bool,
) -> Result<(), Wrong> {
    let items = value.as_array().ok_or_else(|| new_wrong(at, "wrong_type", "列表", "a list"))?;
    if !(min..=max).contains(&items.len()) {
        let (zh, en) = (format!("{min} 到 {max} 项"), format!("{min} to {max} items"));
        return Err(new_wrong(at, "out_of_range", zh, en));
    }
    for (index, one) in items.iter().enumerate() {
        item.check_value(one, &format!("{at}/{index}"))?;
        if unique && items.iter().take(index).any(|other| other == one) {
            return Err(new_wrong(
                &format!("{at}/{index}"),
                "duplicate",
                "各不相同的项",
                "items that are all different",
            ));
        }
    }
    Ok(())
}

fn check_group(fields: &[Field], value: &Value, at: &str) -> Result<(), Wrong> {
    let members =
        value.as_object().ok_or_else(|| new_wrong(at, "wrong_type", "对象", "an object"))?;
    for (name, one) in members {
        let here = format!("{at}/{name}");
        let field = fields.iter().find(|field| field.name == *name);
        let names = || fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
        let field = field.ok_or_else(|| new_wrong(&here, "unknown_field", names(), names()))?;
        field.kind.check_value(one, &here)?;
    }
    let missing = fields.iter().find(|field| field.required && !members.contains_key(&field.name));
    match missing {
        Some(field) => {
            let here = format!("{at}/{}", field.name);
            Err(new_wrong(&here, "missing_field", field.title.clone(), field.title.clone()))
        }
        None => Ok(()),
    }
}
