//! The place of a reader in the feed of events: a position and the events read of the entry there,
//! sealed with the hash of the entry, so that a database that was restored to an earlier day is
//! noticed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::core::{id::TenantId, journal::Hash};
use persistence::kernel::feed;

use super::{Event, outdated_cursor};
use crate::{app::state::App, http::problem::Reply};

/// The most bytes of a cursor.
const MAX_LENGTH: usize = 200;

/// A place in the feed: everything up to it was sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    entry: i64,
    part: i16,
}

impl Position {
    /// The place after a whole entry.
    pub const fn after_entry(entry: i64) -> Self {
        Self { entry, part: i16::MAX }
    }

    /// The place right after an event.
    pub const fn after_event(event: &Event) -> Self {
        Self { entry: event.position, part: event.part }
    }

    /// The place after everything there is.
    pub async fn load_end(app: &App, tenant: TenantId) -> Reply<Self> {
        Ok(Self::after_entry(app.store.read(move |db| feed::load_end(db, tenant)).await?))
    }

    /// Whether an event is still to be sent.
    pub fn is_before(self, event: &Event) -> bool {
        self < Self::after_event(event)
    }

    /// The last entry that was sent whole.
    pub const fn last_whole_entry(self) -> i64 {
        if self.part == i16::MAX { self.entry } else { self.entry - 1 }
    }

    /// The cursor for this place.
    pub async fn seal(self, app: &App, tenant: TenantId) -> Reply<String> {
        let entry = self.entry;
        let last = app.store.read(move |db| feed::load_last_until(db, tenant, entry)).await?;
        self.seal_with_hash(app, tenant, last.map(|(_, hash)| hash).unwrap_or_default())
    }

    /// The same, where the hash of the last entry up to there is known.
    pub fn seal_with_hash(self, app: &App, tenant: TenantId, last: Hash) -> Reply<String> {
        let check = last.0.first_chunk::<8>().copied().unwrap_or_default();
        let bytes = [&self.entry.to_be_bytes()[..], &self.part.to_be_bytes(), &check].concat();
        Ok(BASE64_URL_SAFE_NO_PAD.encode(app.seal.seal(&seal_purpose(tenant), &bytes)?))
    }

    /// Reads a cursor, if the feed is still the one it was written for.
    pub async fn read(app: &App, tenant: TenantId, text: &str) -> Reply<Self> {
        let (position, check) = Self::parse(app, tenant, text).ok_or_else(outdated_cursor)?;
        let entry = position.entry;
        let look = move |db: &mut persistence::Db| {
            Ok((feed::load_end(db, tenant)?, feed::load_last_until(db, tenant, entry)?))
        };
        let (end, last) = app.store.read(look).await?;
        let there = last.map(|(_, hash)| hash.0).unwrap_or_default();
        if entry > end || there.first_chunk::<8>() != Some(&check) {
            return Err(outdated_cursor());
        }
        Ok(position)
    }

    fn parse(app: &App, tenant: TenantId, text: &str) -> Option<(Self, [u8; 8])> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let bytes = app.seal.open(&seal_purpose(tenant), &sealed)?;
        let entry = i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
        let part = i16::from_be_bytes(bytes.get(8..10)?.try_into().ok()?);
        let check = bytes.get(10..18)?.try_into().ok()?;
        Some((Self { entry, part }, check))
    }
}

fn seal_purpose(tenant: TenantId) -> String {
    format!("event cursor {tenant}")
}
