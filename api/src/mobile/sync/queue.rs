//! The order in which a phone's queue is worked off: an item waits for those before it that change
//! what it names; the others run side by side.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

/// The identities an item touches.
pub struct Touches {
    /// Those it creates or changes, and its own command.
    moves: HashSet<Uuid>,
    /// All that it names.
    names: HashSet<Uuid>,
}

impl Touches {
    /// The identities of an item with this command, which creates or changes `those` and names the
    /// identities in its body and in `after`.
    pub fn new(command: Uuid, those: &[Uuid], body: &Value, after: &[Uuid]) -> Self {
        let mut names: HashSet<Uuid> = after.iter().chain(those).copied().collect();
        collect_ids(body, &mut names);
        let moves = std::iter::once(command).chain(those.iter().copied()).collect();
        Self { moves, names }
    }
}

/// Every identifier in a document.
fn collect_ids(value: &Value, into: &mut HashSet<Uuid>) {
    match value {
        Value::String(text) => into.extend(Uuid::try_parse(text).ok()),
        Value::Array(items) => items.iter().for_each(|item| collect_ids(item, into)),
        Value::Object(members) => members.values().for_each(|member| collect_ids(member, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// For each item, which of the items before it it waits for.
pub fn find_waits(items: &[Touches]) -> Vec<Vec<usize>> {
    let before = |index: usize, item: &Touches| {
        let earlier = items.iter().take(index).enumerate();
        earlier
            .filter(|(_, earlier)| !earlier.moves.is_disjoint(&item.names))
            .map(|(index, _)| index)
            .collect()
    };
    items.iter().enumerate().map(|(index, item)| before(index, item)).collect()
}

/// The rounds in which they are worked off: an item comes a round later than those it waits for.
pub fn plan_rounds(waits: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut round_of: Vec<usize> = Vec::with_capacity(waits.len());
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for (index, before) in waits.iter().enumerate() {
        let latest = before.iter().filter_map(|earlier| round_of.get(*earlier)).max();
        let round = latest.map_or(0, |round| round + 1);
        round_of.push(round);
        if rounds.len() <= round {
            rounds.push(Vec::new());
        }
        if let Some(these) = rounds.get_mut(round) {
            these.push(index);
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(no: u128) -> Uuid {
        Uuid::from_u128(no)
    }

    fn touches(command: u128, moved: &[u128], body: &Value) -> Touches {
        let moved: Vec<Uuid> = moved.iter().copied().map(id).collect();
        Touches::new(id(command), &moved, body, &[])
    }

    #[test]
    fn who_moves_the_same_waits_and_who_only_names_the_same_does_not() {
        let items = [
            touches(1, &[50], &json!({ "id": id(50), "place": { "area_id": id(9) } })),
            touches(2, &[51], &json!({ "id": id(51), "place": { "area_id": id(9) } })),
            touches(3, &[50], &json!({ "text": "x" })),
            touches(4, &[60], &json!({ "reports": [{ "report_id": id(51) }] })),
            touches(5, &[50], &json!({})),
        ];
        let waits = find_waits(&items);
        assert_eq!(waits, [vec![], vec![], vec![0], vec![1], vec![0, 2]]);
        assert_eq!(plan_rounds(&waits), [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn an_item_can_wait_for_a_command_by_name() {
        let later = Touches::new(id(2), &[id(60)], &json!({}), &[id(1)]);
        assert_eq!(find_waits(&[touches(1, &[50], &json!({})), later]), [vec![], vec![0]]);
    }
}
