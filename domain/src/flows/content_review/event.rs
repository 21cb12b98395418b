//! The commands and events of a content review.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Cause, Decided, Heard, Review, Status, Subject, Suggestion};
use crate::{
    Instant,
    area::tree::Unit,
    core::text::Prose,
    flows::{flow::Context, stored_event::JournalEvent},
};

/// The initial facts of a review.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// The kind of content.
    pub subject: Subject,
    /// The report or the file.
    pub about: Uuid,
    /// The report or case that names it.
    pub named_by: Uuid,
    /// The area whose reviewers may decide.
    pub over: Unit,
    /// Whether a program will be asked first.
    pub automatic: bool,
    /// Whether the address is part of what is to be reviewed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub address: bool,
}

impl Opening {
    pub(super) fn open_review(&self, cx: &Context<'_>) -> Event {
        let cause = Cause::NotConfigured;
        let review = Review {
            id: Review::id_of(self.about),
            subject: self.subject,
            about: self.about,
            named_by: self.named_by,
            over: self.over.clone(),
            address: self.address,
            opened_at: cx.at,
            asked_at: None,
            heard: None,
            status: if self.automatic { Status::Waiting } else { Status::Queued { cause } },
        };
        Event::Opened { review: Box::new(review) }
    }
}

/// The commands for a review.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Opens a review.
    Open(Opening),
    /// Asks a program. Only the system gives this command, and once.
    Ask,
    /// Records the program's answer. Only the system gives this command.
    Hear {
        /// The suggestion of the program.
        suggestion: Suggestion,
        /// The reason, by the program's own code.
        label: Option<i64>,
    },
    /// Leaves it to a person. Only the system gives this command.
    Queue {
        /// Why the program did not settle it.
        cause: Cause,
    },
    /// Decides what may be shown.
    Decide {
        /// Whether it may be shown.
        pass: bool,
        /// The reasons, in words.
        note: Option<Prose>,
    },
}

/// The events of a review.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The review was opened.
    Opened {
        /// Its initial state.
        review: Box<Review>,
    },
    /// A program was asked.
    Asked {
        /// When it was asked.
        at: Instant,
    },
    /// The program answered.
    Heard {
        /// The suggestion, and when it came.
        heard: Heard,
    },
    /// A person has to decide.
    Queued {
        /// Why the program did not settle it.
        cause: Cause,
    },
    /// A person decided.
    Decided {
        /// Whether it may be shown.
        pass: bool,
        /// Who and when.
        decided: Decided,
    },
}

impl JournalEvent for Event {}

pub(super) fn evolve(state: Option<Review>, event: &Event) -> Option<Review> {
    let mut review = match (state, event) {
        (None, Event::Opened { review }) => return Some((**review).clone()),
        (None, _) | (Some(_), Event::Opened { .. }) => return None,
        (Some(review), _) => review,
    };
    match event {
        Event::Opened { .. } => return None,
        Event::Asked { at } => review.asked_at = Some(*at),
        Event::Heard { heard } => {
            review.status = match heard.suggestion {
                Suggestion::Pass => Status::Passed { decided: None },
                Suggestion::Review | Suggestion::Risky => Status::Queued { cause: Cause::Doubtful },
            };
            review.heard = Some(heard.clone());
        }
        Event::Queued { cause } => review.status = Status::Queued { cause: *cause },
        Event::Decided { pass, decided } => {
            review.status = if *pass {
                Status::Passed { decided: Some(decided.clone()) }
            } else {
                Status::Withheld { decided: decided.clone() }
            };
        }
    }
    Some(review)
}
