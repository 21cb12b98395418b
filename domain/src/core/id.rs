//! Typed identifiers: a case cannot be mistaken for a person.
//!
//! All are UUIDs (version 7 where this project makes them); phones that were offline make their
//! own. Nothing here draws one: randomness is an argument.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(out)
            }
        }
    )+};
}

ids! {
    /// One city or county: the border that no query crosses.
    TenantId,
    /// A node of the area tree: a territory or a unit.
    AreaId,
    /// A person or a program that can log in, or the system itself.
    PersonId,
    /// A report by one person.
    ReportId,
    /// The file that is worked on (案卷).
    CaseId,
    /// A walk through an area (巡查).
    PatrolId,
    /// A plan of such walks.
    PlanId,
    /// One request; the `Idempotency-Key` sent with it.
    CommandId,
    /// A household (户).
    HouseholdId,
    /// A visit to a household.
    VisitId,
    /// A campaign of visits (敲门行动).
    CampaignId,
    /// A form, in all its editions.
    FormId,
    /// A file: a photo, a video, a recording.
    MediaId,
    /// A review of something the public said or showed.
    ReviewId,
}

/// Whether a client may make this identity or key: a UUID of version 4 or 7 (RFC 9562). The server
/// derives UUIDs of version 8 from what they identify; the other versions are guessable or identify
/// nothing.
pub fn is_client_made(id: Uuid) -> bool {
    id.get_variant() == uuid::Variant::RFC4122 && matches!(id.get_version_num(), 4 | 7)
}

/// How much of an identifier its number shows: more than usual only where another number would be
/// the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NumberLength {
    /// What is read over the telephone.
    #[default]
    Usual,
    /// Where two identifiers end in the same way.
    Longer,
    /// All of it: no other has the same.
    Whole,
}

impl NumberLength {
    /// Every length, the shortest first.
    pub const ALL: [Self; 3] = [Self::Usual, Self::Longer, Self::Whole];

    const fn characters(self) -> u32 {
        match self {
            Self::Usual => 8,
            Self::Longer => 12,
            Self::Whole => 26,
        }
    }
}

/// The human-readable number of a report or case, which can be read out over the telephone: the
/// eight characters of its identifier (Crockford base 32: no I, L, O, U), more where a tenant has
/// that number already.
///
/// It is derived, so it needs no counter that callers would queue for.
pub fn format_number(prefix: char, id: Uuid, at: crate::Instant, length: NumberLength) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = id.as_u128();
    let mut digits = String::with_capacity(26);
    for position in (0..length.characters()).rev() {
        let index = usize::try_from((bits >> (position * 5)) & 31).unwrap_or(0);
        digits.push(ALPHABET.get(index).map_or('0', |byte| char::from(*byte)));
    }
    format!("{prefix}{}-{digits}", crate::core::time::local_day(at).format("%Y%m%d"))
}
