//! What serde says about wrong input, as a code and two sentences.
//!
//! serde's messages are English fragments made for programmers; the common ones (unknown and
//! missing fields, wrong types, texts that are too long) are translated, the rest are quoted.

use crate::http::body::time::{NO_SECOND, NO_YEAR, NOT_A_DAY};

/// One fault of the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wording {
    /// The stable machine code.
    pub code: &'static str,
    /// The field the message names, where it is missing or given twice.
    pub field: Option<String>,
    /// The sentence in Chinese.
    pub zh: String,
    /// The sentence in English.
    pub en: String,
}

impl Wording {
    fn new(code: &'static str, zh: String, en: String) -> Self {
        Self { code, field: None, zh, en }
    }

    fn with_field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }
}

/// The wording for a message of serde, whose `noun` is "field" for bodies and "parameter" for
/// queries.
pub fn translate_message(message: &str, noun: Noun) -> Wording {
    // serde_json appends the place in the text; the pointer says it better.
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    match_unknown(message, noun)
        .or_else(|| match_missing(message, noun))
        .or_else(|| match_wrong_type(message))
        .or_else(|| match_text(message))
        .or_else(|| match_number(message))
        .or_else(|| match_time(message))
        .or_else(|| match_reserved(message))
        .unwrap_or_else(|| {
            Wording::new(
                "invalid_value",
                format!("这个值不符合要求：{}。", truncate_text(message)),
                format!("This value is not valid: {}.", truncate_text(message)),
            )
        })
}

/// The message for an identity that clients must not make.
pub const RESERVED: &str = "identities are UUIDs of version 4 or 7";

/// Of bytes that are no text.
pub const NOT_UTF8: &str = "text must be UTF-8";

fn match_reserved(message: &str) -> Option<Wording> {
    if message == NOT_UTF8 {
        let (zh, en) = ("应为 UTF-8 文本。", "Expected UTF-8 text.");
        return Some(Wording::new("not_utf8", zh.to_owned(), en.to_owned()));
    }
    (message == RESERVED).then(|| {
        let zh = "编号应为版本 4 或版本 7 的 UUID；其他的由服务器保留。".to_owned();
        let en =
            "The id must be a UUID of version 4 or 7; other versions are reserved for the server."
                .to_owned();
        Wording::new("reserved_id", zh, en)
    })
}

/// What the parts of the input are called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noun {
    /// Of a body.
    Field,
    /// Of a query or path.
    Parameter,
}

impl Noun {
    const fn zh(self) -> &'static str {
        match self {
            Self::Field => "字段",
            Self::Parameter => "参数",
        }
    }

    const fn en(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Parameter => "parameter",
        }
    }
}

/// The text between the first two backticks, and the rest.
fn split_quoted<'a>(message: &'a str, before: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(before)?.strip_prefix('`')?.split_once('`')
}

/// The names serde lists after "expected", or none.
fn parse_names(rest: &str) -> Vec<&str> {
    rest.split('`').skip(1).step_by(2).collect()
}

/// A name that is not known here.
pub fn unknown_name(name: &str, known: &[&str], noun: Noun) -> Wording {
    let (zh, en, name) = (noun.zh(), noun.en(), truncate_text(name));
    let wording = if known.is_empty() {
        Wording::new(
            "unknown_field",
            format!("未知{zh}“{name}”；这里不需要任何{zh}。"),
            format!("Unknown {en} `{name}`; no {en} is expected here."),
        )
    } else {
        Wording::new(
            "unknown_field",
            format!("未知{zh}“{name}”；可用的有：{}。", known.join("、")),
            format!("Unknown {en} `{name}`; available: {}.", known.join(", ")),
        )
    };
    wording.with_field(name)
}

fn match_unknown(message: &str, noun: Noun) -> Option<Wording> {
    if let Some((name, rest)) = split_quoted(message, "unknown field ") {
        return Some(unknown_name(name, &parse_names(rest), noun));
    }
    let (name, rest) = split_quoted(message, "unknown variant ")?;
    let name = truncate_text(name);
    let known = parse_names(rest);
    Some(Wording::new(
        "unknown_value",
        format!("没有“{name}”这个值；可用的有：{}。", known.join("、")),
        format!("Unknown value `{name}`; available: {}.", known.join(", ")),
    ))
}

fn match_missing(message: &str, noun: Noun) -> Option<Wording> {
    let (zh, en) = (noun.zh(), noun.en());
    if let Some((name, _)) = split_quoted(message, "missing field ") {
        let wording = Wording::new(
            "missing_field",
            format!("缺少{zh}“{name}”。"),
            format!("The {en} `{name}` is missing."),
        );
        return Some(wording.with_field(name));
    }
    let (name, _) = split_quoted(message, "duplicate field ")?;
    let wording = Wording::new(
        "duplicate_field",
        format!("{zh}“{name}”只能出现一次。"),
        format!("The {en} `{name}` may be given only once."),
    );
    Some(wording.with_field(name))
}

fn match_wrong_type(message: &str) -> Option<Wording> {
    let rest = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .or_else(|| message.strip_prefix("invalid length "))?;
    let (given, expected) = rest.rsplit_once(", expected ")?;
    let (given, expected) = (translate_type(given), translate_type(expected));
    Some(Wording::new(
        "wrong_type",
        format!("类型不对：给出的是{}，应为{}。", given.0, expected.0),
        format!("Expected {}, found {}.", expected.1, given.1),
    ))
}

/// serde's and Rust's names of types, as people call them.
const TYPES: &[(&str, &str, &str)] = &[
    ("map", "对象", "an object"),
    ("struct ", "对象", "an object"),
    ("a map", "对象", "an object"),
    ("internally tagged enum", "对象", "an object"),
    ("sequence", "数组", "an array"),
    ("a sequence", "数组", "an array"),
    ("a tuple", "数组", "an array"),
    ("null", "空值", "null"),
    ("unit", "空值", "null"),
    ("boolean", "真假值", "a boolean"),
    ("a boolean", "真假值", "a boolean"),
    ("integer", "整数", "an integer"),
    ("floating point", "小数", "a decimal number"),
    ("f32", "数字", "a number"),
    ("f64", "数字", "a number"),
    ("string", "文本", "a text"),
    ("a string", "文本", "a text"),
    ("str", "文本", "a text"),
    ("a borrowed string", "文本", "a text"),
    ("a formatted UUID string", " UUID", "a UUID"),
    ("a UUID string", " UUID", "a UUID"),
    ("an RFC 3339", "带时区的时间", "a time with an offset"),
    ("a formatted date and time string", "带时区的时间", "a time with an offset"),
    ("RFC 3339 formatted date and time string", "带时区的时间", "a time with an offset"),
];

/// A type in both languages, with the value serde found, when it reports one.
fn translate_type(text: &str) -> (String, String) {
    let unsigned = matches!(text, "u8" | "u16" | "u32" | "u64" | "usize");
    if unsigned || matches!(text, "i8" | "i16" | "i32" | "i64" | "isize") {
        return ("整数".to_owned(), "an integer".to_owned());
    }
    let known = TYPES.iter().find(|(name, ..)| {
        text.strip_prefix(name).is_some_and(|rest| {
            name.ends_with(' ') || rest.is_empty() || rest.starts_with([' ', ','])
        })
    });
    let Some((name, zh, en)) = known else {
        return (format!(" {}", truncate_text(text)), truncate_text(text).to_owned());
    };
    match text.strip_prefix(name).map(str::trim) {
        Some(value) if value.starts_with(['`', '"']) => {
            let value = truncate_text(value.trim_matches(['`', '"']));
            (format!("{zh} {value}"), format!("{en} ({value})"))
        }
        _ => ((*zh).to_owned(), (*en).to_owned()),
    }
}

/// The beginning of a text of the caller, which may be very long.
fn truncate_text(text: &str) -> &str {
    const MOST: usize = 60;
    text.char_indices().nth(MOST).map_or(text, |(end, _)| text.get(..end).unwrap_or_default())
}

/// The faults of `domain::people::personal`: none of them repeats the value.
const PERSONAL: &[(&str, &str, &str, &str)] = &[
    (
        "a mobile phone number has 11 digits and begins with 13 to 19",
        "invalid_phone",
        "应为 11 位大陆手机号，以 13 到 19 开头。",
        "Expected a mobile phone number of the mainland: 11 digits, beginning with 13 to 19.",
    ),
    (
        "a telephone number has 5 to 20 digits and hyphens",
        "invalid_office_phone",
        "应为 5 到 20 位数字，可含短横线，如 0714-6512345。",
        "Expected 5 to 20 digits, hyphens allowed, such as 0714-6512345.",
    ),
    (
        "an identification number has 17 digits and a digit or X",
        "invalid_id_number",
        "公民身份号码应为 17 位数字加 1 位数字或 X。",
        "Expected an identity number: 17 digits and one digit or X.",
    ),
    (
        "the date of birth in the identification number does not exist",
        "invalid_id_date",
        "公民身份号码中的出生日期不存在，请核对第 7 到 14 位。",
        "The date of birth in the identity number does not exist; check digits 7 to 14.",
    ),
    (
        "the check digit of the identification number does not fit",
        "invalid_id_check",
        "公民身份号码的校验位不符，请逐位核对。",
        "The check digit of the identity number does not match; check each digit.",
    ),
];

/// The faults of `domain::core::text` and `domain::flows::case::whistle::Score`.
fn match_text(message: &str) -> Option<Wording> {
    if message == "text must not be empty" {
        return Some(Wording::new(
            "empty_text",
            "不能为空。".to_owned(),
            "The text must not be empty.".to_owned(),
        ));
    }
    if let Some((_, code, zh, en)) = PERSONAL.iter().find(|(said, ..)| message == *said) {
        return Some(Wording::new(code, (*zh).to_owned(), (*en).to_owned()));
    }
    if message == "a score is from 1 to 5" {
        return Some(Wording::new(
            "out_of_range",
            "分数应为 1 到 5。".to_owned(),
            "The score must be from 1 to 5.".to_owned(),
        ));
    }
    if message == "a limit is from 1 to 100" {
        return Some(Wording::new(
            "out_of_range",
            "每页条数应为 1 到 100。".to_owned(),
            "The number of items on a page must be from 1 to 100.".to_owned(),
        ));
    }
    if message == "the cursor is not from this list" {
        return Some(Wording::new(
            "invalid_cursor",
            "游标无效；请原样使用上一页返回的 next，或去掉它从头开始。".to_owned(),
            "The cursor is not valid; use `next` of the previous page exactly as it was returned, or leave it out to start from the beginning.".to_owned(),
        ));
    }
    if let Some(code) = message.strip_prefix("text must not contain the control character ") {
        return Some(Wording::new(
            "control_character",
            format!("不能含有控制字符 {code}。"),
            format!("The text must not contain the control character {code}."),
        ));
    }
    let (length, max) = message.strip_prefix("text has ")?.split_once(" characters, at most ")?;
    let max = max.strip_suffix(" are allowed")?;
    Some(Wording::new(
        "too_long",
        format!("有 {length} 个字，最多 {max} 个字。"),
        format!("The text has {length} characters; at most {max} are allowed."),
    ))
}

/// What the standard library and chrono say of texts that should be something else.
fn match_number(message: &str) -> Option<Wording> {
    let (zh, en) = match message {
        "invalid digit found in string"
        | "cannot parse integer from empty string"
        | "number too large to fit in target type"
        | "number too small to fit in target type" => ("应为整数", "an integer"),
        "invalid float literal" | "cannot parse float from empty string" => {
            ("应为数字", "a number")
        }
        "provided string was not `true` or `false`" => ("应为 true 或 false", "`true` or `false`"),
        _ if message.starts_with("UUID parsing failed") => ("应为 UUID", "a UUID"),
        "input contains invalid characters"
        | "premature end of input"
        | "input is out of range"
        | "trailing input" => (
            "应为带时区的时间，例如 2026-08-21T10:00:00+08:00",
            "a time with an offset, such as 2026-08-21T10:00:00+08:00",
        ),
        _ => return None,
    };
    Some(Wording::new("wrong_type", format!("{zh}。"), format!("Expected {en}.")))
}

/// What times and days are not.
fn match_time(message: &str) -> Option<Wording> {
    let (code, zh, en) = match message {
        NOT_A_DAY => ("wrong_type", "应当是日期，例如 2026-08-21", "a date, such as 2026-08-21"),
        NO_SECOND => ("out_of_range", "秒应为 0 到 59", "seconds from 0 to 59"),
        NO_YEAR => ("out_of_range", "年份应为 0001 到 9999", "a year from 0001 to 9999"),
        _ => return None,
    };
    Some(Wording::new(code, format!("{zh}。"), format!("Expected {en}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_says_is_told_in_chinese() {
        for (message, code, zh) in [
            (
                "unknown field `lgn`, expected one of `lng`, `lat` at line 1 column 5",
                "unknown_field",
                "未知字段“lgn”；可用的有：lng、lat。",
            ),
            (
                "unknown field `x`, there are no fields",
                "unknown_field",
                "未知字段“x”；这里不需要任何字段。",
            ),
            (
                "unknown variant `a`, expected `wgs84` or `gcj02`",
                "unknown_value",
                "没有“a”这个值；可用的有：wgs84、gcj02。",
            ),
            ("missing field `lng` at line 1 column 2", "missing_field", "缺少字段“lng”。"),
            ("duplicate field `lng`", "duplicate_field", "字段“lng”只能出现一次。"),
            (
                "invalid type: string \"a, expected b\", expected f64",
                "wrong_type",
                "类型不对：给出的是文本 a, expected b，应为数字。",
            ),
            (
                "text has 121 characters, at most 120 are allowed at line 3 column 4",
                "too_long",
                "有 121 个字，最多 120 个字。",
            ),
            ("text must not be empty", "empty_text", "不能为空。"),
            ("invalid digit found in string", "wrong_type", "应为整数。"),
            ("something else", "invalid_value", "这个值不符合要求：something else。"),
        ] {
            let wording = translate_message(message, Noun::Field);
            assert_eq!((wording.code, wording.zh.as_str()), (code, zh), "{message}");
        }
    }

    #[test]
    fn the_domain_speaks_as_expected() {
        let long = domain::core::text::Line::try_from("x".repeat(121)).unwrap_err().to_string();
        assert_eq!(translate_message(&long, Noun::Field).code, "too_long");
        let empty = domain::core::text::Line::try_from(" ").unwrap_err().to_string();
        assert_eq!(translate_message(&empty, Noun::Field).code, "empty_text");
        let control = domain::core::text::Line::try_from("a\u{7}b").unwrap_err().to_string();
        assert_eq!(translate_message(&control, Noun::Field).code, "control_character");
        for (given, code) in [
            ("1", "invalid_id_number"),
            ("11010519490231002X", "invalid_id_date"),
            ("110105194912310021", "invalid_id_check"),
        ] {
            let fault = domain::people::personal::IdNumber::try_from(given.to_owned()).unwrap_err();
            assert_eq!(translate_message(&fault.to_string(), Noun::Field).code, code);
        }
        let phone =
            domain::people::personal::Phone::try_from("1".to_owned()).unwrap_err().to_string();
        assert_eq!(translate_message(&phone, Noun::Field).code, "invalid_phone");
        let score = domain::flows::case::whistle::Score::try_from(6).unwrap_err();
        assert_eq!(translate_message(score, Noun::Field).code, "out_of_range");
    }
}
