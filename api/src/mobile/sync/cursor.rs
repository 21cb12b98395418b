//! Where a phone is: sealed, so that it can neither be read nor made up.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    Instant,
    core::{id::TenantId, journal::Hash},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    kinds::{Concerned, Kind},
    sight::Sight,
};
use crate::{
    app::state::App,
    http::problem::{Code, Problem, Reply},
};

/// What the cursor is sealed for.
const PURPOSE: &str = "sync cursor";

/// The longest cursor.
const MAX_LENGTH: usize = 32_768;

/// Where a phone is.
#[derive(Serialize, Deserialize)]
pub(super) struct Position {
    /// Whose it is.
    pub(super) owner: (TenantId, Uuid),
    /// What the owner could see.
    pub(super) sight: Sight,
    /// Up to where the feed was read.
    pub(super) read: i64,
    /// The hash of the entry there.
    pub(super) hash: String,
    /// When its owner began to read.
    pub(super) begun: Instant,
    /// When this was told.
    pub(super) told: Instant,
    /// What of the whole picture was told, while it is being told.
    pub(super) filling: Option<Filling>,
    /// What the last entry that was read tells of and was not told yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rest: Vec<Concerned>,
    /// The campaigns that were told and whose assignments are not told yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) listings: Vec<Listing>,
    /// When a pairing of the owner with a household begins or ends next: no entry tells of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) turn: Option<Instant>,
}

/// How far the whole picture was told.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct Filling {
    /// Which kind is being told; the first to begin with.
    pub(super) kind: Kind,
    /// The last that was told.
    pub(super) after: Option<(Instant, Uuid)>,
    /// What could be seen before and may have to be forgotten.
    pub(super) before: Sight,
}

/// How far the assignments of a campaign were told.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct Listing {
    pub(super) campaign: Uuid,
    /// The last household that was told; nil before the first.
    pub(super) after: Uuid,
}

impl Position {
    /// The beginning: everything that is open, then what moves from now on.
    pub(super) fn begin(
        owner: (TenantId, Uuid),
        sight: Sight,
        (read, hash): (i64, Hash),
        now: Instant,
    ) -> Self {
        Self {
            owner,
            sight,
            read,
            hash: hash.to_hex(),
            begun: now,
            told: now,
            filling: Some(Filling::default()),
            rest: Vec::new(),
            listings: Vec::new(),
            turn: None,
        }
    }

    /// The same as of now: after what the owner may see has changed, the picture is told anew, with
    /// what is to be forgotten; after a pairing began or ended, what that concerns.
    pub(super) fn at(mut self, sight: &Sight, now: Instant) -> Self {
        if self.sight != *sight {
            let mut before = self.filling.map(|filling| filling.before).unwrap_or_default();
            before.widen_by(&self.sight);
            self.filling = Some(Filling { before, ..Filling::default() });
            self.sight = sight.clone();
            self.rest.clear();
            self.listings.clear();
        }
        if self.filling.is_none()
            && let Some(since) = self.turn.filter(|turn| *turn <= now)
        {
            let kind = Kind::Pairing { since };
            self.filling = Some(Filling { kind, ..Filling::default() });
        }
        self
    }

    /// The feed was read up to this entry.
    pub(super) fn move_to(&mut self, last: Option<(i64, Hash)>) {
        if let Some((position, hash)) = last {
            (self.read, self.hash) = (position, hash.to_hex());
        }
    }

    /// As the phone keeps it.
    pub(super) fn seal(&self, app: &App) -> Reply<String> {
        let bytes =
            serde_json::to_vec(self).map_err(|e| Problem::new(Code::Internal).because(e))?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(app.seal.seal(PURPOSE, &bytes)?))
    }

    /// From what a phone kept; none when it is not one of ours.
    pub(super) fn parse(text: &str, app: &App) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&app.seal.open(PURPOSE, &sealed)?).ok()
    }
}
