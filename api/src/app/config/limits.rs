//! How much one person may ask: all the numbers, in one place.
//!
//! They are meant for people who work fast and for phones that were offline for a day; a caller who
//! asks more learns when to retry, and loses nothing.

use serde::Deserialize;

/// A burst of this many; what was taken comes back evenly, at a rate an hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many at once.
    pub at_once: u32,
    /// How many an hour after that.
    pub an_hour: u32,
}

/// The limits of one person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rations {
    /// Commands: everything that writes, each item of a queue among them.
    pub commands: Rate,
    /// All other requests.
    pub reads: Rate,
    /// Copies of a person's own data that are begun.
    pub exports: Rate,
    /// Files, and pieces of files.
    pub uploads: Rate,
    /// Millions of bytes of them.
    pub megabytes: Rate,
    /// Millions of picture elements in photos.
    pub megapixels: Rate,
    /// Files that are under way at the same moment.
    pub sending: u32,
    /// Millions of bytes that wait to be named, or to be complete.
    pub waiting_megabytes: u32,
    /// Streams at the same moment; one more ends the oldest.
    pub streams: u32,
}

/// The limits of all callers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The shares of residents and volunteers, and of all others without an office.
    pub residents: Rations,
    /// The shares of those who hold an office, and of programs.
    pub staff: Rations,
    /// Seconds that one file, or one piece of a file, may take to arrive.
    pub upload_seconds: u32,
}

const fn new_rate(at_once: u32, an_hour: u32) -> Rate {
    Rate { at_once, an_hour }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            residents: Rations {
                commands: new_rate(100, 300),
                reads: new_rate(300, 3_600),
                exports: new_rate(10, 10),
                uploads: new_rate(100, 300),
                megabytes: new_rate(400, 200),
                megapixels: new_rate(1_000, 1_000),
                sending: 10,
                waiting_megabytes: 1_000,
                streams: 5,
            },
            staff: Rations {
                commands: new_rate(1_000, 18_000),
                reads: new_rate(1_200, 36_000),
                exports: new_rate(10, 10),
                uploads: new_rate(1_000, 3_600),
                megabytes: new_rate(4_000, 4_000),
                megapixels: new_rate(6_000, 10_000),
                sending: 20,
                waiting_megabytes: 8_000,
                streams: 20,
            },
            upload_seconds: 600,
        }
    }
}

/// The limits given in the configuration; the rest is as shipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    residents: GivenRations,
    staff: GivenRations,
    upload_seconds: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GivenRations {
    commands: Option<Rate>,
    reads: Option<Rate>,
    exports: Option<Rate>,
    uploads: Option<Rate>,
    megabytes: Option<Rate>,
    megapixels: Option<Rate>,
    sending: Option<u32>,
    waiting_megabytes: Option<u32>,
    streams: Option<u32>,
}

impl GivenRations {
    fn or_defaults(self, usual: Rations) -> Rations {
        Rations {
            commands: self.commands.unwrap_or(usual.commands),
            reads: self.reads.unwrap_or(usual.reads),
            exports: self.exports.unwrap_or(usual.exports),
            uploads: self.uploads.unwrap_or(usual.uploads),
            megabytes: self.megabytes.unwrap_or(usual.megabytes),
            megapixels: self.megapixels.unwrap_or(usual.megapixels),
            sending: self.sending.unwrap_or(usual.sending),
            waiting_megabytes: self.waiting_megabytes.unwrap_or(usual.waiting_megabytes),
            streams: self.streams.unwrap_or(usual.streams),
        }
    }
}

impl Given {
    /// The limits, as shipped where none is given.
    pub fn complete(self) -> Limits {
        let usual = Limits::default();
        Limits {
            residents: self.residents.or_defaults(usual.residents),
            staff: self.staff.or_defaults(usual.staff),
            upload_seconds: self.upload_seconds.unwrap_or(usual.upload_seconds),
        }
    }
}

impl Limits {
    /// Refuses limits under which no one could work; says which.
    pub fn check(&self) -> Result<(), String> {
        const MOST: u32 = 1_000_000_000;
        let of = |who: &'static str, rations: &Rations| {
            let rates = [
                ("commands", rations.commands),
                ("reads", rations.reads),
                ("exports", rations.exports),
                ("uploads", rations.uploads),
                ("megabytes", rations.megabytes),
                ("megapixels", rations.megapixels),
            ];
            let counts = [
                ("sending", rations.sending),
                ("waiting_megabytes", rations.waiting_megabytes),
                ("streams", rations.streams),
            ];
            let rates = rates.into_iter().flat_map(|(name, rate)| {
                [(name, "at_once", rate.at_once), (name, "an_hour", rate.an_hour)]
            });
            let counts = counts.into_iter().map(|(name, count)| (name, "", count));
            let wrong = rates.chain(counts).find(|(.., value)| !(1..=MOST).contains(value));
            wrong.map(|(name, part, value)| {
                let dot = if part.is_empty() { "" } else { "." };
                format!("limits.{who}.{name}{dot}{part} is {value}; expected 1 to {MOST}")
            })
        };
        let wrong = of("residents", &self.residents).or_else(|| of("staff", &self.staff));
        let seconds = self.upload_seconds;
        let wrong = wrong.or_else(|| {
            let no = !(1..=86_400).contains(&seconds);
            no.then(|| format!("limits.upload_seconds is {seconds}; expected 1 to 86400"))
        });
        wrong.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stands_beside_what_is_shipped() {
        let text =
            r#"{ "residents": { "commands": { "at_once": 7, "an_hour": 8 }, "streams": 1 } }"#;
        let limits = serde_json::from_str::<Given>(text).unwrap().complete();
        assert_eq!(limits.residents.commands, new_rate(7, 8));
        assert_eq!(limits.residents.streams, 1);
        assert_eq!(limits.residents.reads, Limits::default().residents.reads);
        assert_eq!(limits.staff, Limits::default().staff);
        assert_eq!(limits.check(), Ok(()));
        assert!(serde_json::from_str::<Given>(r#"{ "resident": {} }"#).is_err());
    }

    #[test]
    fn limits_under_which_nobody_could_work_are_refused() {
        let mut limits = Limits::default();
        limits.staff.exports.an_hour = 0;
        let why = "limits.staff.exports.an_hour is 0; expected 1 to 1000000000".to_owned();
        assert_eq!(limits.check(), Err(why));
        let limits = Limits { upload_seconds: 0, ..Limits::default() };
        assert!(limits.check().is_err());
    }
}
