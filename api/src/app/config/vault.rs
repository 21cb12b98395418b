//! The master keys of people's data as a setting, which is never printed.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::Deserialize;

/// Keys, a line each: as many as are needed to read what is old.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct VaultKeys(String);

impl VaultKeys {
    /// The text, for making the keyring and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for VaultKeys {
    type Err = Infallible;

    /// An environment variable has one line; there a comma parts the keys too.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.replace(',', "\n")))
    }
}

impl fmt::Debug for VaultKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("VaultKeys(…)")
    }
}
