//! The final state of the server, read from the server itself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Ask, Chance, Done, Line, Phone, Walk, line::read_json, parcel::item_id, phone::Meant};

/// Fails when the server has anything other than the commands of the phone, once and in their
/// order.
pub fn check_phone(line: &impl Line, phone: &Phone<'_>) -> Done {
    let by = phone.carrier.account.as_str();
    let mut of_flow: BTreeMap<Uuid, Vec<&Meant>> = BTreeMap::new();
    for meant in &phone.meant {
        of_flow.entry(meant.flow).or_default().push(meant);
    }
    for (flow, meant) in of_flow {
        let Some(kind) = meant.first().map(|meant| meant.kind) else { continue };
        let wanted: Vec<DateTime<Utc>> = meant.iter().map(|meant| meant.typed).collect();
        let found = read_entries(line, by, &format!("/api/v1/{kind}/{flow}/timeline"))?;
        let ours: Vec<_> = found.into_iter().filter(|at| wanted.contains(at)).collect();
        if ours != wanted {
            return Err(format!("{by}, {kind} {flow}: meant {wanted:?}, found {ours:?}"));
        }
    }
    for item in phone.queue.iter().filter(|item| item["operation"] == "submit_report") {
        let path = format!("/api/v1/reports/{}", item["body"]["id"].as_str().unwrap_or_default());
        let report = read_json(line, by, &path)?;
        check_same(&report["text"], &item["body"]["text"], &path)?;
        check_same(&report["patrol_id"], &item["body"]["patrol_id"], &path)?;
    }
    phone.walks().iter().try_for_each(|walk| check_walk(line, by, walk))
}

fn check_same(found: &Value, meant: &Value, what: &str) -> Done {
    if found == meant { Ok(()) } else { Err(format!("{what}: meant {meant}, found {found}")) }
}

/// When the commands of a timeline were typed.
fn read_entries(line: &impl Line, by: &str, path: &str) -> Done<Vec<DateTime<Utc>>> {
    let (mut typed, mut after) = (Vec::new(), json!(0));
    loop {
        let page = read_json(line, by, &format!("{path}?after={after}"))?;
        check_same(&page["intact"], &json!(true), path)?;
        let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(last) = items.last() else { return Ok(typed) };
        after = last["seq"].clone();
        typed.extend(items.iter().filter_map(|item| {
            item["client_time"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok())
        }));
    }
}

/// A patrol is over, has every point once with its value, and what was found on the way.
fn check_walk(line: &impl Line, by: &str, walk: &Walk) -> Done {
    let path = format!("/api/v1/patrols/{}", walk.patrol);
    let shown = read_json(line, by, &path)?;
    check_same(&shown["status"], &json!("finished"), &path)?;
    let listed = |name: &str| -> Vec<Uuid> {
        shown[name].as_array().into_iter().flatten().filter_map(item_id).collect()
    };
    let reports = listed("reports");
    if reports.len() != walk.reports.len() || reports.iter().any(|id| !walk.reports.contains(id)) {
        return Err(format!("{path}: reports {reports:?} for {:?}", walk.reports));
    }
    // Others may have gone there at the same time with another phone of theirs.
    let visits = listed("visits");
    let once: BTreeSet<Uuid> = visits.iter().copied().collect();
    if once.len() != visits.len() || !once.is_superset(&walk.visits) {
        return Err(format!("{path}: visits {visits:?} for {:?}", walk.visits));
    }
    let track = read_json(line, by, &format!("{path}/track?tolerance=50"))?;
    check_same(&track["features"][0]["properties"]["points"], &json!(walk.count_points()), &path)?;
    // A repeated point is known only if it is the very same.
    let whole = walk.all_points_body().to_string();
    let points = format!("{path}/points");
    let writes = Some((Chance::new(0).next_id(), whole.as_bytes()));
    let (_, again) = line.ask(&Ask { by, path: &points, writes, zipped: true })?;
    let counts = json!([again["stored"], again["already"], again["refused"]]);
    check_same(&counts, &json!([0, walk.count_points(), 0]), &points)
}
