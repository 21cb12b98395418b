//! The position of a phone: sealed, so that it can be neither read nor forged.

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

/// The most bytes of a cursor.
const MAX_LENGTH: usize = 32_768;

/// The position of a phone.
#[derive(Serialize, Deserialize)]
pub(super) struct Position {
    /// The owner of the cursor.
    pub(super) owner: (TenantId, Uuid),
    /// What the owner could see.
    pub(super) sight: Sight,
    /// The position up to which the feed was read.
    pub(super) read: i64,
    /// The hash of the entry there.
    pub(super) hash: String,
    /// When its owner began to read.
    pub(super) begun: Instant,
    /// When this cursor was made.
    pub(super) told: Instant,
    /// How far the first picture was sent, while it is being sent.
    pub(super) filling: Option<Filling>,
    /// The rest of what the last read entry concerns, not sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rest: Vec<Concerned>,
    /// Campaigns that were sent and whose assignments are not sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) listings: Vec<Listing>,
    /// When a pairing of the owner with a household begins or ends next: no entry says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) turn: Option<Instant>,
}

/// How far the first picture was sent.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct Filling {
    /// The kind that is being sent.
    pub(super) kind: Kind,
    /// The last item that was sent.
    pub(super) after: Option<(Instant, Uuid)>,
    /// What could be seen before and may have to be forgotten.
    pub(super) before: Sight,
}

/// How far the assignments of a campaign were sent.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct Listing {
    pub(super) campaign: Uuid,
    /// The last household that was sent; nil before the first.
    pub(super) after: Uuid,
}

impl Position {
    /// The first cursor: everything that is open, then what changes from now on.
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

    /// The same as of now: after the sight of the owner has changed, the picture is sent anew, with
    /// what is to be forgotten; after a pairing began or ended, the households it concerns.
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

    /// Moves on: the feed was read up to this entry.
    pub(super) fn move_to(&mut self, last: Option<(i64, Hash)>) {
        if let Some((position, hash)) = last {
            (self.read, self.hash) = (position, hash.to_hex());
        }
    }

    /// The text that the phone keeps.
    pub(super) fn seal(&self, app: &App) -> Reply<String> {
        let bytes =
            serde_json::to_vec(self).map_err(|e| Problem::new(Code::Internal).because(e))?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(app.seal.seal(PURPOSE, &bytes)?))
    }

    /// Opens the text a phone kept; none when it was not made here.
    pub(super) fn parse(text: &str, app: &App) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&app.seal.open(PURPOSE, &sealed)?).ok()
    }
}
