//! Attachments: reports and cases name files by identities that may not have arrived yet.

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::{
        disclosure::disclosed,
        id::{MediaId, PersonId},
        labelled_enum::labelled_enum,
        text::Code,
    },
    flows::flow::Context,
    rules::{place::ReportDetails, refusal::Refusal},
};

labelled_enum! {
    /// What a file shows.
    MediaRole {
        /// The state before the work.
        Before = "before", "处置前";
        /// The state after the work.
        After = "after", "处置后";
        /// Something else about the matter.
        Other = "other", "其他";
    }
}

labelled_enum! {
    /// The status of an attached file.
    AttachedState {
        /// It has not arrived.
        Awaited = "awaited", "等待上传";
        /// It is available.
        Present = "present", "已上传";
        /// It is available, but hidden from this reader until a reviewer has passed it.
        Withheld = "withheld", "待审核";
        /// Its bytes are removed.
        Gone = "gone", "已删除";
    }
}

/// A file that a command names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attachment {
    /// The identity of the file, whether or not it has arrived.
    pub media: MediaId,
    /// What it shows.
    pub role: MediaRole,
}

impl Attachment {
    /// The most files that one command names: as many as the picker of WeChat lets people choose.
    pub const MOST: usize = 9;
}

/// A file that a report or case names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attached {
    /// The identity of the file.
    pub media: MediaId,
    /// What it shows.
    pub role: MediaRole,
    /// The person who named it; it counts when the same person sends it.
    pub by: PersonId,
    /// When it was named.
    pub at: Instant,
}

disclosed! {
    struct Attached { Open: media, role, by, at }
}

impl Attached {
    /// What a command adds to what is named already; each file once by each person, at most `max`
    /// together. A file is that of the person who sent it: that another named it before counts for
    /// nothing.
    pub fn attach_new(
        known: &[Self],
        named: &[Attachment],
        max: usize,
        cx: &Context<'_>,
    ) -> Result<Vec<Self>, Refusal> {
        let what = "media";
        if named.len() > Attachment::MOST {
            return Err(Refusal::TooMany { what, max: Attachment::MOST });
        }
        let mut added: Vec<Self> = Vec::new();
        for Attachment { media, role } in named {
            let named = |one: &Self| one.media == *media && one.by == cx.by.person;
            if !known.iter().chain(&added).any(named) {
                added.push(Self { media: *media, role: *role, by: cx.by.person, at: cx.at });
            }
        }
        if known.len() + added.len() > max {
            return Err(Refusal::TooMany { what, max });
        }
        Ok(added)
    }
}

/// The class or sub-class of a matter whose standard demands evidence; none for most: work photos
/// must not be demanded without need (国办函〔2026〕12号).
pub fn find_evidence_category<'a>(
    matter: &'a ReportDetails,
    cx: &'a Context<'_>,
) -> Option<&'a str> {
    let lineage = cx.catalogue.lineage(matter.category.as_ref().map(Code::as_str));
    let demanded = &cx.rules.conduct.evidence;
    lineage.into_iter().find(|code| demanded.iter().any(|one| one.as_str() == *code))
}
