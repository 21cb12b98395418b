//! A parcel of a phone: a part of its queue, or a batch of points.

use serde_json::{Value, json};
use uuid::Uuid;

/// What a phone sends at once.
#[derive(Clone, Debug)]
pub(crate) enum Parcel {
    /// Items of the queue, in their order, and points of a walk that go with them.
    Queue {
        /// The commands of the queue, as they are sent.
        items: Vec<Value>,
        /// The walk, the command and the points that go with them.
        points: Option<(usize, Uuid, Vec<usize>)>,
    },
    /// Points of a walk.
    Points {
        /// Which of the phone's walks they belong to.
        walk: usize,
        /// Which points, in the order they are sent.
        batch: Vec<usize>,
        /// Whether they are packed.
        zipped: bool,
    },
}

/// The identity of an item.
pub(crate) fn item_id(item: &Value) -> Option<Uuid> {
    item.get("id")?.as_str()?.parse().ok()
}

/// Points as an item of a queue.
pub(crate) fn points_item(command: Uuid, patrol: Uuid, typed: String, body: Value) -> Value {
    json!({
        "id": command, "operation": "upload_points", "path": { "id": patrol },
        "client_time": typed, "body": body,
    })
}
