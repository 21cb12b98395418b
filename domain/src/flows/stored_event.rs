//! Events as stored in the journal: the version each was written in, and how older versions are
//! read.
//!
//! Entries are hashed as they were written, so an event is never rewritten in another version: it
//! is converted to the newest one when it is read. An event is an object whose member `event` names
//! its type and whose member `version` names the version of that type; the first version is not
//! written down.

use serde::{
    Serialize,
    de::{self, DeserializeOwned, value::MapDeserializer},
};
use serde_json::{Map, Value};

use crate::core::text::show_unseen;

/// An event as the members of its JSON object.
pub type Members = Map<String, Value>;

/// The member that names the type of an event.
const TYPE: &str = "event";

/// The member that says in which version an event was written.
const VERSION: &str = "version";

/// The events of one kind of flow, as the journal stores them: an enumeration that is tagged by
/// `event`.
pub trait JournalEvent: Serialize + DeserializeOwned + Clone {
    /// The types that have changed since they were first written, with their newest version.
    const VERSIONS: &'static [(&'static str, u64)] = &[];

    /// Converts an event of `event_type`, written in `version`, to the next version; none where
    /// that version has no successor.
    fn upcast(_event_type: &str, _version: u64, _event: Members) -> Option<Members> {
        None
    }
}

/// Why the events of an entry cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// They are no list of events, or one of them lacks a member of its type.
    Malformed(String),
    /// This kind of flow has no such type of event.
    UnknownType(String),
    /// The type is known, but not this version of it.
    UnknownVersion {
        /// The type of the event.
        event_type: String,
        /// The version, as it is written.
        version: String,
    },
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(why) => write!(out, "its events are malformed: {why}"),
            Self::UnknownType(name) => write!(out, "there is no event {name:?}"),
            Self::UnknownVersion { event_type, version } => {
                write!(out, "there is no version {version} of the event {event_type:?}")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

/// The events as the text that the journal stores and hashes.
pub fn write_events<E: JournalEvent>(events: &[E]) -> String {
    if E::VERSIONS.is_empty() {
        return serde_json::to_string(events).unwrap_or_default();
    }
    let mut written = serde_json::to_value(events).unwrap_or_default();
    for event in written.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let newest = event.get(TYPE).and_then(Value::as_str).map_or(1, newest_version::<E>);
        if newest > 1 {
            event.insert(VERSION.to_owned(), newest.into());
        }
    }
    written.to_string()
}

/// The events of an entry, in whichever versions they were written.
pub fn read_events<E: JournalEvent>(text: &str) -> Result<Vec<E>, Unreadable> {
    // Entries with first versions only are read directly; the slower way below can say what is
    // wrong.
    let first = E::VERSIONS.is_empty() && !text.contains("\"version\"");
    if first && let Ok(events) = serde_json::from_str(text) {
        return Ok(events);
    }
    let malformed = |error: serde_json::Error| Unreadable::Malformed(error.to_string());
    let events = read_members::<E>(text)?.into_iter();
    // Texts in which nothing can be seen were taken once.
    let read = |mut event: Value| {
        show_unseen(&mut event);
        serde_json::from_value(event).map_err(malformed)
    };
    events.map(read).collect()
}

/// Like [`read_events`], as JSON: each event in the newest version of its type.
pub fn read_members<E: JournalEvent>(text: &str) -> Result<Vec<Value>, Unreadable> {
    let events: Vec<Members> =
        serde_json::from_str(text).map_err(|error| Unreadable::Malformed(error.to_string()))?;
    events.into_iter().map(|event| bring_up_to_date::<E>(event).map(Value::Object)).collect()
}

/// The types of events of a kind of flow, as the journal names them.
pub fn event_types<E: JournalEvent>() -> &'static [&'static str] {
    tagged_variants::<E>(TYPE)
}

/// The variants of an enumeration that is tagged by this member, as serialised.
pub fn tagged_variants<T: DeserializeOwned>(tag: &'static str) -> &'static [&'static str] {
    let unnamed = MapDeserializer::<_, Variants>::new(std::iter::once((tag, "")));
    T::deserialize(unnamed).err().map_or(&[], |variants| variants.0)
}

/// The version in which events of a type are written now.
pub fn newest_version<E: JournalEvent>(event_type: &str) -> u64 {
    let changed = E::VERSIONS.iter().find(|(name, _)| *name == event_type);
    changed.map_or(1, |(_, version)| *version)
}

fn bring_up_to_date<E: JournalEvent>(mut event: Members) -> Result<Members, Unreadable> {
    let Some(event_type) = event.get(TYPE).and_then(Value::as_str).map(str::to_owned) else {
        return Err(Unreadable::Malformed("an event without a type".to_owned()));
    };
    if !event_types::<E>().contains(&event_type.as_str()) {
        return Err(Unreadable::UnknownType(event_type));
    }
    let (written, newest) = (event.remove(VERSION), newest_version::<E>(&event_type));
    let written = written.unwrap_or_else(|| 1.into());
    let unknown = || Unreadable::UnknownVersion {
        event_type: event_type.clone(),
        version: written.to_string(),
    };
    let version = written.as_u64().filter(|version| (1..=newest).contains(version));
    for version in version.ok_or_else(unknown)?..newest {
        event = E::upcast(&event_type, version, event).ok_or_else(unknown)?;
    }
    Ok(event)
}

/// The variants of an enumeration: the names its deserializer expects.
#[derive(Debug)]
struct Variants(&'static [&'static str]);

impl std::fmt::Display for Variants {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "one of {:?} was expected", self.0)
    }
}

impl std::error::Error for Variants {}

impl de::Error for Variants {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    /// A kind of flow with a history: `moved` was `{to}`, then `{floor}`, and is `{floor, by}`.
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    #[serde(tag = "event", rename_all = "snake_case")]
    enum Lift {
        Built { name: String },
        Moved { floor: i32, by: String },
    }

    impl JournalEvent for Lift {
        const VERSIONS: &'static [(&'static str, u64)] = &[("moved", 3)];

        fn upcast(event_type: &str, version: u64, mut event: Members) -> Option<Members> {
            match (event_type, version) {
                ("moved", 1) => {
                    let floor = event.remove("to")?;
                    event.insert("floor".to_owned(), floor);
                }
                ("moved", 2) => {
                    event.insert("by".to_owned(), "unknown".into());
                }
                _ => return None,
            }
            Some(event)
        }
    }

    /// A kind of flow whose events all have their first version.
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    #[serde(tag = "event", rename_all = "snake_case")]
    enum Lamp {
        Lit { power: i32 },
        Broken,
    }

    impl JournalEvent for Lamp {}

    fn moved(floor: i32, by: &str) -> Lift {
        Lift::Moved { floor, by: by.to_owned() }
    }

    #[test]
    fn every_older_version_is_read_as_the_newest() {
        let text = json!([
            { "event": "built", "name": "东" },
            { "event": "moved", "to": 3 },
            { "event": "moved", "version": 2, "floor": 4 },
            { "event": "moved", "version": 3, "floor": 5, "by": "王" },
        ])
        .to_string();
        let read = read_events::<Lift>(&text).unwrap();
        let built = Lift::Built { name: "东".to_owned() };
        assert_eq!(read, [built, moved(3, "unknown"), moved(4, "unknown"), moved(5, "王")]);
        let members = read_members::<Lift>(&text).unwrap();
        assert_eq!(members[1], json!({ "event": "moved", "floor": 3, "by": "unknown" }));
        assert_eq!(members[3], json!({ "event": "moved", "floor": 5, "by": "王" }));
    }

    #[test]
    fn what_is_written_is_read_back_with_its_version() {
        let events = vec![Lift::Built { name: "东".to_owned() }, moved(-1, "王")];
        let text = write_events(&events);
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&written[0]["version"], &written[1]["version"]), (&Value::Null, &json!(3)));
        assert_eq!(read_events::<Lift>(&text), Ok(events));
        let lamp = [Lamp::Broken];
        assert_eq!(write_events(&lamp), r#"[{"event":"broken"}]"#, "the first is not written");
    }

    #[test]
    fn unknown_types_and_versions_are_named() {
        let read = |text: &str| read_events::<Lift>(text).unwrap_err();
        let flown = read(r#"[{"event":"flown","floor":1}]"#);
        assert_eq!(flown, Unreadable::UnknownType("flown".to_owned()));
        for version in ["4", "0", "-1", "1.5", "\"2\"", "null"] {
            let text = format!(r#"[{{"event":"moved","version":{version},"floor":1,"by":""}}]"#);
            let (event_type, version) = ("moved".to_owned(), version.to_owned());
            assert_eq!(read(&text), Unreadable::UnknownVersion { event_type, version });
        }
        // Also where every known version is the first.
        let text = r#"[{"event":"broken", "version" : 2}]"#;
        let (event_type, version) = ("broken".to_owned(), "2".to_owned());
        let unknown = Unreadable::UnknownVersion { event_type, version };
        assert_eq!(read_events::<Lamp>(text), Err(unknown));
        for text in ["", "{}", "[1]", "[{}]", r#"[{"event":"lit"}]"#] {
            let refused = read_events::<Lamp>(text);
            assert!(matches!(refused, Err(Unreadable::Malformed(_))), "{text}: {refused:?}");
        }
    }

    #[test]
    fn a_kind_of_flow_knows_its_types() {
        assert_eq!(event_types::<Lift>(), ["built", "moved"]);
        assert_eq!(event_types::<Lamp>(), ["lit", "broken"]);
    }
}
