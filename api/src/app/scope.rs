//! Scopes: the limits of a program's token, whatever its roles allow. There are two, because a
//! client reads or reports; in which areas is up to its grants.

use std::fmt;

use actix_web::http::Method;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes {
    /// `read`: every operation that reads.
    pub read: bool,
    /// `report`: what writes below `/api/v1/reports`.
    pub report: bool,
}

impl Scopes {
    /// Every scope there is.
    pub const NAMES: &[&str] = &["read", "report"];

    /// The scopes in a list separated by spaces; none when one of them is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        let mut scopes = Self::default();
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            match name {
                "read" => scopes.read = true,
                "report" => scopes.report = true,
                _ => return None,
            }
        }
        Some(scopes)
    }

    /// Whether a request of this method to this route is within the scopes. No scope opens `/me`
    /// for writing: a program may not change its own account.
    pub fn allows_request(self, method: &Method, route: &str) -> bool {
        if *method == Method::GET || *method == Method::HEAD {
            return self.read;
        }
        self.report && route.starts_with("/api/v1/reports")
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        !self.read && !self.report
    }

    /// Whether all of these are in `other` too.
    pub const fn is_subset_of(self, other: Self) -> bool {
        (!self.read || other.read) && (!self.report || other.report)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match (self.read, self.report) {
            (true, true) => "read report",
            (true, false) => "read",
            (false, true) => "report",
            (false, false) => "",
        })
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an unknown scope"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_list_with_spaces() {
        for text in ["read report", "read", "report", ""] {
            assert_eq!(Scopes::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Scopes::parse(" report  read report").unwrap().to_string(), "read report");
        assert_eq!(Scopes::parse("read admin"), None);
        let (read, both) = (Scopes::parse("read").unwrap(), Scopes::parse("read report").unwrap());
        let report = Scopes::parse("report").unwrap();
        assert!(read.allows_request(&Method::GET, "/api/v1/cases"));
        assert!(!read.allows_request(&Method::POST, "/api/v1/reports"));
        assert!(report.allows_request(&Method::POST, "/api/v1/reports"));
        assert!(!report.allows_request(&Method::POST, "/api/v1/me/wechat"));
        assert!(!report.allows_request(&Method::GET, "/api/v1/reports"));
        assert!(
            read.is_subset_of(both) && !both.is_subset_of(read) && Scopes::default().is_empty()
        );
    }
}
