//! Checked text: trimmed, not empty, bounded in characters, free of NUL and control characters.
//!
//! Chinese, emoji, newlines and `<…>` survive unchanged. PostgreSQL refuses NUL and SQLite keeps
//! it, so it ends here.

use serde::{Deserialize, Serialize};

/// Why a text was not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing is left after trimming.
    Empty,
    /// More characters than allowed.
    TooLong {
        /// Characters given.
        length: usize,
        /// Characters allowed.
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

fn check(text: &str, max: usize, breaks: bool) -> Result<String, Fault> {
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
    Ok(text.to_owned())
}

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident($max:expr, $breaks:expr)),+ $(,)?) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The most characters it may have.
            pub const MAX: usize = $max;

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A text this program comes with, well formed as whoever wrote it made it.
            pub(crate) fn fixed(text: &'static str) -> Self {
                Self(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = Fault;
            fn try_from(text: String) -> Result<Self, Fault> {
                check(&text, $max, $breaks).map(Self)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Fault;
            fn try_from(text: &str) -> Result<Self, Fault> {
                check(text, $max, $breaks).map(Self)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_and_otherwise_unchanged() {
        let text = Prose::try_from("  油烟扰民😷\n<b>第三次</b> & 'x' \t ").unwrap();
        assert_eq!(text.as_str(), "油烟扰民😷\n<b>第三次</b> & 'x'");
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
