//! The journal: the append-only, hash-chained record of accepted commands.
//!
//! One chain per flow instance. An entry's hash covers the hash before it, so an old entry cannot
//! be changed or removed without breaking every later one.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Instant,
    core::id::{CommandId, PersonId, TenantId},
};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The digest of some bytes.
    pub fn digest(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// From stored bytes; none when there are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A UUID derived from it: version 8 of RFC 9562, whose layout is up to the application.
    pub fn to_uuid(&self) -> Uuid {
        let bytes = self.0.first_chunk::<16>().copied().unwrap_or_default();
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The digest as 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        use std::fmt::Write;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Which flow an entry belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowKind {
    /// [`crate::flows::report::Report`].
    Report,
    /// [`crate::flows::case::state::Case`].
    Case,
    /// [`crate::flows::person::Person`].
    Person,
    /// The tenant's area tree; its instance is the tenant.
    Areas,
    /// [`crate::flows::policy::Policy`].
    Policy,
    /// [`crate::flows::patrol::Patrol`].
    Patrol,
    /// [`crate::flows::patrol_plan::PatrolPlan`].
    PatrolPlan,
    /// [`crate::flows::household::Household`].
    Household,
    /// [`crate::flows::visit::Visit`].
    Visit,
    /// [`crate::flows::campaign::Campaign`].
    Campaign,
    /// [`crate::flows::form::Form`].
    Form,
    /// [`crate::flows::media::Media`].
    Media,
    /// [`crate::flows::content_review::Review`].
    ContentReview,
}

impl FlowKind {
    /// Every kind, each once.
    pub const ALL: &[Self] = &[
        Self::Report,
        Self::Case,
        Self::Person,
        Self::Areas,
        Self::Policy,
        Self::Patrol,
        Self::PatrolPlan,
        Self::Household,
        Self::Visit,
        Self::Campaign,
        Self::Form,
        Self::Media,
        Self::ContentReview,
    ];

    /// Its name in the API and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Case => "case",
            Self::Person => "person",
            Self::Areas => "areas",
            Self::Policy => "policy",
            Self::Patrol => "patrol",
            Self::PatrolPlan => "patrol_plan",
            Self::Household => "household",
            Self::Visit => "visit",
            Self::Campaign => "campaign",
            Self::Form => "form",
            Self::Media => "media",
            Self::ContentReview => "content_review",
        }
    }

    /// The kind called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// One accepted command.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The tenant whose journal it is in.
    pub tenant: TenantId,
    /// The kind of flow.
    pub flow: FlowKind,
    /// Which instance of it.
    pub flow_id: Uuid,
    /// Its place in the chain, from 1; the `ETag` of the state after it.
    pub seq: i64,
    /// The command, unique in the tenant together with `part`.
    pub command: CommandId,
    /// 0 for the flow that the command addressed, 1, 2… for other flows it moved. The commit
    /// assigns them: see [`Entry::take_part`].
    pub part: i16,
    /// The name of the command.
    pub name: String,
    /// The digest of the request, to tell a replay from a reuse of the key.
    pub digest: Hash,
    /// The actor who gave the command.
    pub actor: PersonId,
    /// The name of that actor at that time.
    pub actor_name: String,
    /// When it was accepted.
    pub at: Instant,
    /// The events, as the exact JSON text that was hashed.
    pub events: String,
    /// The hash of the entry before; zeros for the first.
    pub before: Hash,
    /// The hash of this entry.
    pub hash: Hash,
}

impl Entry {
    /// The hash this entry must have.
    pub fn compute_hash(&self) -> Hash {
        let mut digest = Sha256::new();
        digest.update(self.before.0);
        digest.update(self.tenant.0.as_bytes());
        digest.update(self.flow_id.as_bytes());
        digest.update(self.seq.to_be_bytes());
        digest.update(self.command.0.as_bytes());
        digest.update(self.part.to_be_bytes());
        digest.update(self.digest.0);
        digest.update(self.actor.0.as_bytes());
        digest.update(self.at.timestamp_millis().to_be_bytes());
        for text in [self.flow.name(), &self.name, &self.actor_name, &self.events] {
            digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(text);
        }
        Hash(digest.finalize().into())
    }

    /// Sets the part of the entry among those of its command, and computes the hash again. Only the
    /// commit does this, because only it knows all entries of a command; the part of a stored entry
    /// never changes.
    pub fn take_part(&mut self, part: i16) {
        if self.part != part {
            self.part = part;
            self.hash = self.compute_hash();
        }
    }

    /// The entry with its hash set.
    #[must_use]
    pub fn with_computed_hash(mut self) -> Self {
        self.hash = self.compute_hash();
        self
    }
}

/// Where a chain is broken, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Break {
    /// An entry is missing, or stands in the wrong place.
    Order {
        /// The sequence expected.
        expected: i64,
        /// The sequence found.
        found: i64,
    },
    /// An entry does not follow from the one before.
    Link {
        /// The place of the entry in its chain.
        seq: i64,
    },
    /// An entry was changed after it was written.
    Content {
        /// The place of the entry in its chain.
        seq: i64,
    },
}

/// Checks a whole chain, in order; returns the hash at its end.
pub fn verify_chain<'a, I: IntoIterator<Item = &'a Entry>>(entries: I) -> Result<Hash, Break> {
    let (mut head, mut expected) = (Hash::default(), 1);
    for entry in entries {
        if entry.seq != expected {
            return Err(Break::Order { expected, found: entry.seq });
        }
        if entry.before != head {
            return Err(Break::Link { seq: entry.seq });
        }
        if entry.compute_hash() != entry.hash {
            return Err(Break::Content { seq: entry.seq });
        }
        (head, expected) = (entry.hash, expected + 1);
    }
    Ok(head)
}
