//! Networks, separated by commas.

use domain::rules::webhook::Network;
use serde::{Deserialize, Deserializer};

/// A list of networks, as the configuration writes it: `10.0.0.0/8,fd00::/8`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Networks(pub Vec<Network>);

impl std::str::FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
