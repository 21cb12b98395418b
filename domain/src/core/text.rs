//! Checked text: trimmed, not empty, bounded in characters, free of NUL, control characters and
//! invisible characters that change what is read.
//!
//! Chinese, the scripts of all minorities, emoji, newlines and `<…>` survive unchanged. PostgreSQL
//! refuses NUL and SQLite stores it, so it is refused here. The rule for invisible characters:
//!
//! - Control characters (C0, C1) are refused; line breaks and tabs belong to prose.
//! - In one line (titles, names, addresses, codes) whatever only turns the direction of writing or
//!   takes no room is taken out, not refused: telephones put it around what they copy, and a person
//!   cannot see what would be complained about. A separator of lines or paragraphs becomes a space.
//! - A joiner (U+200C, U+200D) stays where it joins: between two characters of a script that joins, or
//!   of an emoji. Variation selectors stay: they choose the form of Chinese and Mongolian characters.
//! - In prose only overrides of direction (U+202D, U+202E) are taken out: they show a text as another
//!   than it is, and no script needs them. Separators become line breaks. Isolates and marks stay:
//!   Uyghur with Chinese or numbers in it needs them.
//! - What has nothing in it that can be seen is no text; one that was stored before reads as `□`
//!   ([`read_stored`]).

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use crate::core::fold;

/// Why a text was not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing is left after trimming.
    Empty,
    /// More characters than allowed.
    TooLong {
        /// How many characters were given.
        length: usize,
        /// How many characters are allowed.
        max: usize,
    },
    /// A control character that is not a line break or a tab.
    Control {
        /// Its code point.
        code: u32,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => write!(out, "text must not be empty"),
            Self::TooLong { length, max } => {
                write!(out, "text has {length} characters, at most {max} are allowed")
            }
            Self::Control { code } => {
                write!(out, "text must not contain the control character U+{code:04X}")
            }
        }
    }
}

/// The replacement for a text without visible characters. Such texts were accepted once and stand
/// in the journal, so they are still read, with a sign that nothing is there.
const UNSEEN: &str = "□";

fn check_text(text: &str, max: usize, breaks: bool) -> Result<String, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    let allowed = |c: char| !c.is_control() || (breaks && matches!(c, '\n' | '\r' | '\t'));
    if let Some(c) = text.chars().find(|c| !allowed(*c)) {
        return Err(Fault::Control { code: u32::from(c) });
    }
    let length = text.chars().count();
    if length > max {
        return Err(Fault::TooLong { length, max });
    }
    let plain = |c: char| c.is_ascii() || ('\u{3400}'..='\u{9fff}').contains(&c);
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    let seen = if breaks { clean_prose(text) } else { clean_line(text) };
    if is_blank(&seen) {
        return Err(Fault::Empty);
    }
    Ok(seen.trim().to_owned())
}

/// The beginning of a text, of at most so many code points: what people see as one character is
/// in it whole or not at all, unless it alone is longer.
pub fn cut_text(text: &str, most: usize) -> &str {
    let (mut end, mut count) = (0, 0);
    for (at, cluster) in text.grapheme_indices(true) {
        count += cluster.chars().count();
        if count > most {
            break;
        }
        end = at + cluster.len();
    }
    if end == 0 {
        // Marks without end on one character are no word of anybody's.
        end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    }
    text.get(..end).unwrap_or_default()
}

/// Whether nothing in a text can be seen.
pub fn is_blank(text: &str) -> bool {
    let blank = |c: char| {
        c.is_whitespace()
            || matches!(c, '\u{2800}' | '\u{180e}' | '\u{fe00}'..='\u{fe0f}')
            || is_invisible(c)
            || is_joiner(c)
    };
    text.chars().all(blank)
}

/// Reads a document that was stored: texts in it in which nothing can be seen were taken once.
pub fn read_stored<T: DeserializeOwned>(document: &str) -> serde_json::Result<T> {
    serde_json::from_str(document).or_else(|error| {
        let mut value: Value = serde_json::from_str(document)?;
        if show_unseen(&mut value) { serde_json::from_value(value) } else { Err(error) }
    })
}

/// Puts something that is seen in the place of texts in which nothing is; whether there were any.
pub fn show_unseen(value: &mut Value) -> bool {
    match value {
        Value::String(text) if !text.is_empty() && is_blank(text) => {
            UNSEEN.clone_into(text);
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |any, item| show_unseen(item) | any),
        Value::Object(members) => {
            members.values_mut().fold(false, |any, member| show_unseen(member) | any)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A text without overrides of direction.
fn clean_prose(text: &str) -> String {
    let turned = |c: &char| matches!(*c, '\u{202d}' | '\u{202e}');
    let broken = |c| if is_separator(c) { '\n' } else { c };
    text.chars().filter(|c| !turned(c)).map(broken).collect()
}

/// A line without invisible characters.
fn clean_line(text: &str) -> String {
    let seen: Vec<char> = text
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| if is_separator(c) { ' ' } else { c })
        .collect();
    let joins = |at: Option<usize>| at.and_then(|at| seen.get(at)).is_some_and(|c| is_joinable(*c));
    let stays = |(at, c): &(usize, char)| {
        !is_joiner(*c) || (joins(at.checked_sub(1)) && joins(at.checked_add(1)))
    };
    seen.iter().copied().enumerate().filter(stays).map(|(_, c)| c).collect()
}

/// Separators of lines and paragraphs.
const fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Characters that join, or keep from joining, the characters beside them.
const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Characters that take no room and join nothing: marks, embeddings, overrides and isolates of
/// direction, soft hyphens, spaces and fillers without width, byte order marks, annotations, tags.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Characters a joiner can stand beside: letters of scripts that join, pictures, and what chooses
/// the form or colour of a picture. Latin and Chinese characters never join.
const fn is_joinable(c: char) -> bool {
    matches!(
        c,
        // Arabic (Uyghur, Kazakh), Syriac, N'Ko, the scripts of India, Tibetan, Burmese (Dai).
        '\u{600}'..='\u{109f}'
            // Khmer, Mongolian with its selectors, Tai Le, New Tai Lue.
            | '\u{1780}'..='\u{19ff}'
            // Sundanese, Batak and others of South-east Asia.
            | '\u{1a00}'..='\u{1cff}'
            // Arrows, signs, dingbats and pictures.
            | '\u{2190}'..='\u{2bff}'
            // Phags-pa, Javanese, Cham, Meetei.
            | '\u{a840}'..='\u{abff}'
            | '\u{fb50}'..='\u{fdff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fe70}'..='\u{fefc}'
            | '\u{10a00}'..='\u{11fff}'
            | '\u{1f000}'..='\u{1faff}'
    )
}

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident($max:expr, $breaks:expr)),+ $(,)?) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The largest number of characters.
            pub const MAX: usize = $max;

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A text that is part of this program and known to be valid.
            pub(crate) fn from_static(text: &'static str) -> Self {
                Self(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = Fault;
            fn try_from(text: String) -> Result<Self, Fault> {
                check_text(&text, $max, $breaks).map(Self)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Fault;
            fn try_from(text: &str) -> Result<Self, Fault> {
                check_text(text, $max, $breaks).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    )+};
}

texts! {
    /// One line: a title, a name, an address.
    Line(120, false),
    /// Several lines: a description, a reason, a result.
    Prose(4000, true),
    /// A short machine-like word: a code, an account.
    Code(40, false),
}

impl Code {
    /// The same as an account: in the form by which accounts are compared.
    pub fn fold_account(&self) -> Result<Self, Fault> {
        Self::try_from(fold::fold_account(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_and_otherwise_unchanged() {
        let text = Prose::try_from("  油烟扰民😷\n<b>第三次</b> & 'x' \t ").unwrap();
        assert_eq!(text.as_str(), "油烟扰民😷\n<b>第三次</b> & 'x'");
    }

    fn line(text: &str) -> String {
        Line::try_from(text).unwrap().into()
    }

    #[test]
    fn a_line_is_what_is_seen_of_it() {
        for (given, read) in [
            ("张\u{202e}三\u{202c}", "张三"),
            ("\u{202d}13812345678\u{202c}", "13812345678"),
            ("\u{feff}路\u{200b}灯\u{2060}不亮\u{ad}", "路灯不亮"),
            ("\u{2066}管\u{2069}\u{200e}理\u{200f}员\u{61c}", "管理员"),
            ("上\u{2028}下\u{2029}", "上 下"),
            // Joiners that join nothing, alone or in a row.
            ("管\u{200d}理\u{200c}员", "管理员"),
            ("ad\u{200d}min", "admin"),
            ("😷\u{200d}", "😷"),
            ("😷\u{200d}\u{200d}😷", "😷😷"),
            ("张\u{3164}\u{e0041}三", "张三"),
        ] {
            assert_eq!(line(given), read, "{given:?}");
        }
    }

    #[test]
    fn scripts_and_pictures_keep_what_they_need() {
        for text in [
            "一家人👨\u{200d}👩\u{200d}👧在楼道",
            "🏳\u{fe0f}\u{200d}🌈",
            "ئۇيغۇر\u{200c}چە",
            "ᠮᠣᠩᠭᠣᠯ\u{180e}ᠠ\u{180b}",
            "བོད་ཡིག",
            "葛\u{e0100}城",
            "ꆈꌠꁱꂷ",
        ] {
            assert_eq!(line(text), text);
            assert_eq!(String::from(Prose::try_from(text).unwrap()), text);
        }
        let mixed = "بۇ \u{2066}12345\u{2069} نومۇر\u{200f}";
        assert_eq!(String::from(Prose::try_from(mixed).unwrap()), mixed);
    }

    #[test]
    fn prose_reads_in_the_order_it_is_written() {
        let text = Prose::try_from("账单\u{202e}001\u{202c}元\u{2028}第二行").unwrap();
        assert_eq!(text.as_str(), "账单001\u{202c}元\n第二行");
    }

    #[test]
    fn what_cannot_be_seen_is_no_text() {
        for text in ["\u{200b}", "\u{3164}\u{3164}", "\u{2800}", "\u{200d}", "\u{202e}\u{feff}"] {
            assert_eq!(Line::try_from(text), Err(Fault::Empty), "{text:?}");
            assert_eq!(Prose::try_from(text), Err(Fault::Empty), "{text:?}");
            assert_eq!(Code::try_from(text), Err(Fault::Empty), "{text:?}");
        }
        assert_eq!(Prose::try_from("\u{202e}\u{200b}"), Err(Fault::Empty));
    }

    #[test]
    fn what_was_stored_and_cannot_be_seen_reads_as_something() {
        let read: Vec<Line> = read_stored("[\"\u{200b}\", \"路灯\"]").unwrap();
        assert_eq!(read, [Line(UNSEEN.to_owned()), Line("路灯".to_owned())]);
        assert!(read_stored::<Vec<Line>>("[\"\"]").is_err());
        assert!(read_stored::<Vec<Line>>("[7]").is_err());
    }

    #[test]
    fn what_was_read_once_reads_the_same_again() {
        for text in ["a\u{200d}\u{200d}b", "😷\u{200d}\u{200b}\u{200d}😷", " \u{2028}x\u{2029} "]
        {
            assert_eq!(line(&line(text)), line(text), "{text:?}");
        }
    }

    #[test]
    fn a_text_is_cut_between_what_people_see_as_characters() {
        let family = "👨\u{200d}👩\u{200d}👧";
        for (text, most, cut) in [
            ("路灯不亮", 2, "路灯"),
            ("路灯", 2, "路灯"),
            ("", 2, ""),
            (&format!("楼道{family}"), 4, "楼道"),
            (&format!("楼道{family}"), 7, &format!("楼道{family}")),
            ("e\u{301}a", 1, "e"),
            ("ae\u{301}", 2, "a"),
            ("🇨🇳🇨🇳", 3, "🇨🇳"),
            ("葛\u{e0100}城", 1, "葛"),
        ] {
            assert_eq!(cut_text(text, most), cut, "{text:?}");
        }
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(Line::try_from("网".repeat(120)).is_ok());
        assert_eq!(Line::try_from("网".repeat(121)), Err(Fault::TooLong { length: 121, max: 120 }));
    }

    #[test]
    fn nul_and_blank_are_refused() {
        assert_eq!(Prose::try_from("a\0b"), Err(Fault::Control { code: 0 }));
        assert_eq!(Prose::try_from(" \n "), Err(Fault::Empty));
        assert_eq!(Line::try_from("a\nb"), Err(Fault::Control { code: 10 }));
    }
}
