//! Codes of areas: text with a scheme, validated by it, never a key.
//!
//! No parent is computed by cutting digits: communities merge and keep their numbers, and areas are
//! moved below other parents. A code that should begin with its parent's code and does not is a
//! finding, not a fault.
//! not, that is a finding, not a fault.

use serde::{Deserialize, Serialize};

use super::AreaKind;
use crate::core::labelled_enum::labelled_enum;

labelled_enum! {
    /// How a code is built.
    Scheme {
        /// GB/T 2260: province 2, prefecture 2, county 2; of a city the first four digits, of a
        /// municipality the first two.
        Gb2260 = "gb2260", "行政区划代码";
        /// 统计用区划代码: 6 of GB/T 2260, street 3, community 3; for a street the first nine.
        Statistics = "statistics", "统计用区划代码";
        /// GA/T 2000.33: a community in 15 digits.
        Police = "police", "公安社区代码";
        /// 12 digits of the community and 3 more: unit grids and the usual grids of communities.
        Grid15 = "grid15", "15位网格代码";
        /// A grid in 16 digits, as used by one operator of city management.
        Grid16 = "grid16", "16位网格代码";
        /// 12 digits of the community, kind of grid 2, number 3.
        Grid17 = "grid17", "17位网格代码";
        /// CJ/T 349: kind of object 6, then 6, 3, 3 and 2 for the place.
        Cjt349 = "cjt349", "数字社区编码";
        /// A city's own code: 1 to 20 letters, digits, - and _.
        Local = "local", "自编代码";
    }
}

/// The provinces that are cities: 北京, 天津, 上海, 重庆.
const MUNICIPALITIES: [&str; 4] = ["11", "12", "31", "50"];

/// The number of digits of the codes of each kind in each scheme.
const DIGITS: &[(AreaKind, usize, Scheme)] = &[
    (AreaKind::City, 2, Scheme::Gb2260),
    (AreaKind::City, 4, Scheme::Gb2260),
    (AreaKind::City, 6, Scheme::Gb2260),
    (AreaKind::District, 6, Scheme::Gb2260),
    (AreaKind::Street, 9, Scheme::Statistics),
    (AreaKind::Community, 12, Scheme::Statistics),
    (AreaKind::Community, 15, Scheme::Police),
    (AreaKind::Grid, 15, Scheme::Grid15),
    (AreaKind::Grid, 16, Scheme::Grid16),
    (AreaKind::Grid, 17, Scheme::Grid17),
    (AreaKind::Grid, 20, Scheme::Cjt349),
];

impl Scheme {
    /// The scheme of a code of an area of this kind; none when it fits no scheme of that kind.
    pub fn detect(kind: AreaKind, code: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if kind == AreaKind::Department {
            let fits = (1..=20).contains(&code.len()) && code.chars().all(plain);
            return fits.then_some(Self::Local);
        }
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        if code.len() == 2 && !MUNICIPALITIES.contains(&code) {
            return None;
        }
        // No province has a code that begins with 0.
        let begun = kind == AreaKind::Grid || !code.starts_with('0');
        let row = DIGITS.iter().find(|(of, length, _)| *of == kind && *length == code.len());
        row.map(|(.., scheme)| *scheme).filter(|_| digits && begun)
    }

    /// The form a code of this kind has, in Chinese and English.
    pub const fn expected_form(kind: AreaKind) -> (&'static str, &'static str) {
        match kind {
            AreaKind::City => (
                "4 或 6 位数字（GB/T 2260），直辖市 2 位",
                "4 or 6 digits (GB/T 2260), of a municipality 2",
            ),
            AreaKind::District => ("6 位数字（GB/T 2260）", "6 digits (GB/T 2260)"),
            AreaKind::Street => ("9 位数字（统计用区划代码）", "9 digits (statistical area code)"),
            AreaKind::Community => (
                "12 位数字（统计用区划代码）或 15 位数字（GA/T 2000.33）",
                "12 digits (statistical area code) or 15 digits (GA/T 2000.33)",
            ),
            AreaKind::Grid => ("15、16、17 或 20 位数字", "15, 16, 17 or 20 digits"),
            AreaKind::Department => {
                ("1 至 20 个字母、数字、- 或 _", "1 to 20 letters, digits, - or _")
            }
        }
    }
}

impl AreaKind {
    /// What kind of territory has a code of so many digits; grids share theirs with communities and
    /// say what they are.
    pub fn of_territory_code(code: &str) -> Option<Self> {
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        match code.len() {
            2 | 4 if digits => Some(Self::City),
            6 if digits => Some(Self::District),
            9 if digits => Some(Self::Street),
            12 if digits => Some(Self::Community),
            _ => None,
        }
    }
}

/// Whether a code begins as the code of the area above requires; always true for schemes without
/// such a rule.
pub fn begins_with(scheme: Scheme, code: &str, above: &str) -> bool {
    match scheme {
        Scheme::Statistics | Scheme::Grid15 | Scheme::Grid17 | Scheme::Gb2260 => {
            code.starts_with(above.trim_end_matches("00"))
        }
        Scheme::Police | Scheme::Grid16 | Scheme::Cjt349 | Scheme::Local => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_digits_of_its_kind() {
        for (kind, code, scheme) in [
            (AreaKind::City, "4202", Some(Scheme::Gb2260)),
            (AreaKind::City, "11", Some(Scheme::Gb2260)),
            (AreaKind::City, "42", None),
            (AreaKind::District, "11", None),
            (AreaKind::District, "420202", Some(Scheme::Gb2260)),
            (AreaKind::District, "4202", None),
            (AreaKind::Street, "420202001", Some(Scheme::Statistics)),
            (AreaKind::Community, "420202001001", Some(Scheme::Statistics)),
            (AreaKind::Community, "420202001001123", Some(Scheme::Police)),
            (AreaKind::Community, "42020200100", None),
            (AreaKind::Grid, "370102013006008", Some(Scheme::Grid15)),
            (AreaKind::Grid, "3701020130060081", Some(Scheme::Grid16)),
            (AreaKind::Grid, "37010201300600812", Some(Scheme::Grid17)),
            (AreaKind::Grid, "01010137010201300600", Some(Scheme::Cjt349)),
            (AreaKind::Grid, "37010201300600A", None),
            (AreaKind::Street, "042020200", None),
            (AreaKind::Department, "420202-CG", Some(Scheme::Local)),
            (AreaKind::Department, "420202/CG", None),
            (AreaKind::Department, "", None),
        ] {
            assert_eq!(Scheme::detect(kind, code), scheme, "{code}");
        }
    }

    #[test]
    fn a_merged_community_may_be_numbered_anew() {
        assert!(begins_with(Scheme::Statistics, "420202001601", "420202001"));
        assert!(!begins_with(Scheme::Grid15, "420202001001001", "420202001002"));
        assert!(begins_with(Scheme::Cjt349, "01010142020200100100", "420202001001"));
    }
}
