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

/// The human-readable number of a report or case, which can be read out over the telephone: the
/// local day it began and eight characters of its identifier (Crockford base 32: no I, L, O, U).
///
/// It is derived, so it needs no counter that callers would queue for.
pub fn format_number(prefix: char, id: Uuid, at: crate::Instant) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let (_, low) = id.as_u64_pair();
    let mut digits = String::with_capacity(8);
    for position in (0..8).rev() {
        let index = usize::try_from((low >> (position * 5)) & 31).unwrap_or(0);
        digits.push(ALPHABET.get(index).map_or('0', |byte| char::from(*byte)));
    }
    format!("{prefix}{}-{digits}", crate::core::time::local_day(at).format("%Y%m%d"))
}
