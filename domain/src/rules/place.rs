//! Places and matters: where something is and what it is about, shared by reports and cases.

use serde::{Deserialize, Serialize};

use crate::{
    area::{
        coordinate::{Point, RawPoint},
        tree::Unit,
    },
    core::{
        disclosure::disclosed,
        text::{Code, Line, Prose, cut_text},
    },
    rules::vocabulary::{Complexity, Demand, Urgency},
};

/// The place of a matter.
///
/// The area is the one it lay in at the time; later changes of boundaries do not move it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The deepest area it lies in; a grid wherever grids are drawn.
    pub area: Unit,
    /// The point, normalised to WGS-84; none indoors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// The point as the phone gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawPoint>,
    /// The address in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Line>,
}

/// The details of a matter: of a report, and of the case that follows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReportDetails {
    /// The title, in one line.
    pub title: Line,
    /// The text of the reporter, in full.
    pub text: Prose,
    /// The code in the catalogue; none until it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Code>,
    /// How pressing it is.
    pub urgency: Urgency,
    /// The kind of demand, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demand: Option<Demand>,
    /// The amount of work, once it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complexity: Option<Complexity>,
}

disclosed! {
    struct Place {
        Open: area;
        Location: point, address;
        Withheld: raw;
    }

    struct ReportDetails {
        Words: title, text;
        Open: category, urgency, demand, complexity;
    }
}

impl ReportDetails {
    /// The title of a matter for which only a text was entered: its first words.
    pub fn title_of(text: &Prose) -> Line {
        const MOST: usize = 40;
        let first = cut_text(text.as_str().lines().next().unwrap_or_default(), MOST);
        Line::try_from(first.replace('\t', " ")).unwrap_or_else(|_| default_title())
    }
}

fn default_title() -> Line {
    match Line::try_from("无标题") {
        Ok(line) => line,
        Err(_) => default_title(),
    }
}
