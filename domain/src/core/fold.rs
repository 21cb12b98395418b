//! What counts as the same where people type names of accounts, passwords and numbers: the case, the
//! width and what cannot be seen make no difference.

use icu_normalizer::ComposingNormalizerBorrowed;

/// A text by its compatibility form (NFKC): full-width letters and digits are plain ones, and a
/// letter with its mark is one character however it was typed.
pub fn normalise_width(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned()
}

/// The form by which accounts are compared: `Li.Si`, `li.si` and `ｌｉ.ｓｉ` are one.
pub fn fold_account(account: &str) -> String {
    let lower = normalise_width(account).to_lowercase();
    let seen: String = lower.chars().filter(|c| !is_unseen(*c)).collect();
    let folded = normalise_width(seen.trim());
    // What folds to nothing is compared as it is.
    if folded.is_empty() { account.to_owned() } else { folded }
}

/// What takes no room and chooses no other character: marks of direction, joiners, selectors of
/// variants, spaces and fillers without width.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_width_and_what_is_unseen_make_no_other_account() {
        for same in [
            "li.si",
            "Li.Si",
            "LI.SI",
            "ｌｉ.ｓｉ",
            "Ｌｉ．Ｓｉ",
            "li\u{200b}.si",
            "\u{feff}li.si",
            "li.s\u{fe0f}i",
            "li\u{200d}.\u{202e}si",
            " li.si ",
        ] {
            assert_eq!(fold_account(same), "li.si", "{same:?}");
        }
        for other in ["lisi", "li-si", "li.si2", "lì.si"] {
            assert_ne!(fold_account(other), "li.si", "{other:?}");
        }
        assert_eq!(fold_account("ÉCOLE"), fold_account("e\u{301}cole"));
        assert_eq!(fold_account("王芳"), "王芳");
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["İstanbul", "ẞ", "ﷺ", "ǅ", "Ω\u{345}", "①②", "㍻"] {
            let once = fold_account(text);
            assert_eq!(fold_account(&once), once, "{text}");
        }
    }
}
