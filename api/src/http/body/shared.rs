//! Bodies that several resources take.

use domain::core::text::Prose;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A reason that has to be given.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    /// The reason. 理由（必填）。
    #[schema(value_type = String, min_length = 1, max_length = 4000, example = "本级无执法权，需上级协调")]
    pub reason: Prose,
}

/// A remark, if there is one.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteBody {
    /// In words. 备注。
    #[schema(value_type = Option<String>, max_length = 4000)]
    pub note: Option<Prose>,
}

/// Nothing more to say.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyBody {}
