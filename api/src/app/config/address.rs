//! The address of a database, whose password stays in the process.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::Deserialize;

/// Where the database is. Printing it leaves the password out.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The address with its password, for opening the database and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address without passwords.
    fn mask_passwords(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        if scheme == "sqlite" {
            return self.0.clone();
        }
        let (place, options) = rest.split_once('?').map_or((rest, None), |(p, o)| (p, Some(o)));
        // The last `@`: a password that should have been escaped may contain others.
        let place = match place.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((name, _)) => format!("{name}:***@{host}"),
                None => place.to_owned(),
            },
            None => place.to_owned(),
        };
        let options = options.map(|options| {
            let masked = options.split('&').map(|option| match option.split_once('=') {
                Some((key, _)) if key.to_ascii_lowercase().contains("password") => {
                    format!("{key}=***")
                }
                Some(_) | None => option.to_owned(),
            });
            format!("?{}", masked.collect::<Vec<_>>().join("&"))
        });
        format!("{scheme}://{place}{}", options.unwrap_or_default())
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self("sqlite://gridwhistle.db".to_owned())
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.mask_passwords())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        for (given, printed) in [
            ("sqlite://a@b:c.db", "sqlite://a@b:c.db"),
            ("postgres://grid@db/city", "postgres://grid@db/city"),
            ("postgres://grid:secret@db:5432/city", "postgres://grid:***@db:5432/city"),
            ("postgres://grid:se/cr@et@db/city", "postgres://grid:***@db/city"),
            (
                "postgresql://db/city?user=grid&password=secret&sslmode=require",
                "postgresql://db/city?user=grid&password=***&sslmode=require",
            ),
            (
                "postgres://:secret@db/city?sslpassword=secret",
                "postgres://:***@db/city?sslpassword=***",
            ),
        ] {
            let url: DatabaseUrl = given.parse().unwrap();
            assert_eq!(url.to_string(), printed);
            assert_eq!(format!("{url:?}"), printed);
            assert_eq!(url.expose(), given);
        }
    }
}
