//! What is shown of a file beside what is known.

use domain::flows::areas::import::Comparison;
use serde::Serialize;
use utoipa::ToSchema;

use super::import::line_number;

/// A file beside the areas that are known, up to 500 of each.
#[derive(Serialize, ToSchema, Default)]
pub struct ComparisonView {
    /// Rows that call a known area otherwise. 名称与现有不同。
    other_names: Vec<OtherNameView>,
    /// Names that have another code in the file than they have now. 名称相同而代码不同。
    moved_codes: Vec<MovedCodeView>,
    /// Areas of one name below one area. 同一上级下的同名区划。
    namesakes: Vec<NamesakesView>,
    /// Known areas the file lacks although it lists others beside them. 文件中没有的现有区划。
    lacking: Vec<LackingView>,
    /// How many the file lacks. 文件中没有的数量。
    lacking_count: usize,
}

/// A row that calls a known area otherwise.
#[derive(Serialize, ToSchema)]
pub struct OtherNameView {
    /// The line, or the feature.
    line: Option<u64>,
    /// The code of the area.
    code: String,
    /// What it is called now. 现名。
    known_name: String,
    /// What the file calls it. 文件中的名称。
    given_name: String,
}

/// A name that moved from one code to another.
#[derive(Serialize, ToSchema)]
pub struct MovedCodeView {
    /// The line, or the feature.
    line: Option<u64>,
    /// The name that has two codes. 名称。
    name: String,
    /// The code it has now. 现有代码。
    known_code: String,
    /// The code it has in the file. 文件中的代码。
    given_code: String,
}

/// Areas of one name below one area.
#[derive(Serialize, ToSchema)]
pub struct NamesakesView {
    /// The code of the area above; empty above the root. 上级代码。
    parent_code: String,
    /// The name they share. 名称。
    name: String,
    /// Their codes. 代码。
    codes: Vec<String>,
}

/// A known area the file lacks.
#[derive(Serialize, ToSchema)]
pub struct LackingView {
    /// The code it has. 代码。
    code: String,
    /// The name it has. 名称。
    name: String,
}

impl From<Comparison> for ComparisonView {
    fn from(found: Comparison) -> Self {
        Self {
            other_names: found
                .other_names
                .into_iter()
                .map(|one| OtherNameView {
                    line: line_number(one.at),
                    code: one.code,
                    known_name: one.known,
                    given_name: one.given,
                })
                .collect(),
            moved_codes: found
                .moved_codes
                .into_iter()
                .map(|one| MovedCodeView {
                    line: line_number(one.at),
                    name: one.name,
                    known_code: one.known,
                    given_code: one.given,
                })
                .collect(),
            namesakes: found
                .namesakes
                .into_iter()
                .map(|one| NamesakesView {
                    parent_code: one.parent,
                    name: one.name,
                    codes: one.codes,
                })
                .collect(),
            lacking: found
                .lacking
                .into_iter()
                .map(|(code, name)| LackingView { code, name })
                .collect(),
            lacking_count: found.lacking_count,
        }
    }
}
