//! Labels of the kinds of flows, their states and commands, the shape of their events, and how
//! events are read.

use serde_json::Value;

use crate::{
    core::{
        disclosure::{Disclosed, Shape},
        journal::{Entry, FlowKind},
    },
    flows::{
        areas,
        campaign::Campaign,
        case::state::Case,
        content_review::Review,
        flow::Flow,
        form::Form,
        household::Household,
        media::Media,
        patrol::Patrol,
        patrol_plan::PatrolPlan,
        person::Person,
        policy::Policy,
        report::Report,
        stored_event::{Unreadable, read_members},
        visit::Visit,
    },
};

/// The labels of a kind of flow, of its states and commands.
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    /// Its name, in Chinese and English.
    pub names: (&'static str, &'static str),
    /// The label of a state, by its code.
    pub state: fn(&str) -> Option<&'static str>,
    /// The label of a command, by its name in the journal.
    pub command: fn(&str) -> Option<&'static str>,
    /// The shape of its events, with the readers of each part.
    pub event: Shape,
    /// Whether an entry can be the command of a reporter: [`Flow::is_said_by_reporters`].
    pub is_said_by_reporters: fn(&Entry) -> bool,
    /// The events of an entry, as their newest versions would have written them.
    pub read_events: fn(&str) -> Result<Vec<Value>, Unreadable>,
}

const fn flow_labels<F: Flow>() -> Labels {
    Labels {
        names: F::NAMES,
        state: F::state_label,
        command: F::command_label,
        event: F::Event::SHAPE,
        is_said_by_reporters: F::is_said_by_reporters,
        read_events: read_members::<F::Event>,
    }
}

/// The labels of a kind of flow.
pub const fn labels_of(kind: FlowKind) -> Labels {
    match kind {
        FlowKind::Report => flow_labels::<Report>(),
        FlowKind::Case => flow_labels::<Case>(),
        FlowKind::Person => flow_labels::<Person>(),
        FlowKind::Areas => Labels {
            names: ("区划", "areas"),
            state: |_| None,
            command: |command| (command == "import").then_some("导入区划"),
            event: areas::Event::SHAPE,
            is_said_by_reporters: |_| false,
            read_events: read_members::<areas::Event>,
        },
        FlowKind::Policy => flow_labels::<Policy>(),
        FlowKind::Patrol => flow_labels::<Patrol>(),
        FlowKind::PatrolPlan => flow_labels::<PatrolPlan>(),
        FlowKind::Household => flow_labels::<Household>(),
        FlowKind::Visit => flow_labels::<Visit>(),
        FlowKind::Campaign => flow_labels::<Campaign>(),
        FlowKind::Form => flow_labels::<Form>(),
        FlowKind::Media => flow_labels::<Media>(),
        FlowKind::ContentReview => flow_labels::<Review>(),
    }
}
