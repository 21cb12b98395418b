//! A secret among the settings: read, and never printed.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text, for using it and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The 32 bytes it stands for in base64; none when it does not.
    pub fn bytes(&self) -> Option<[u8; 32]> {
        BASE64_STANDARD.decode(self.0.trim()).ok()?.try_into().ok()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}
