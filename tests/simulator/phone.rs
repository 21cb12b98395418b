//! A phone: what was typed on it, what of it is known to have arrived, and the error of its clock.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use domain::core::id::{CommandId, PersonId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Ask, Chance, Done, Line, Tally, Walk,
    parcel::{Parcel, item_id, points_item},
    walk::format_time,
};

/// The person who carries a phone, and the place.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// The account that logs in.
    pub account: String,
    /// The person of the account: part of the identities derived from commands.
    pub person: PersonId,
    /// The grid of what is reported and walked.
    pub grid: Uuid,
    /// Where walks begin, in degrees east.
    pub lng: f64,
    /// In degrees north.
    pub lat: f64,
    /// Whether this is a desk: it files its reports and does not walk.
    pub files: bool,
}

/// The expected effect of a command.
#[derive(Clone, Debug)]
pub(crate) struct Meant {
    /// When it was typed, by the phone's clock: no other has the same.
    pub(crate) typed: DateTime<Utc>,
    /// The kind of flow it changes, as in the path.
    pub(crate) kind: &'static str,
    /// The identity of that flow.
    pub(crate) flow: Uuid,
}

/// A phone with what has not gone through yet.
#[derive(Debug)]
pub struct Phone<'c> {
    /// The person who carries it, and the place.
    pub carrier: &'c Carrier,
    skew: Duration,
    /// When something was typed last, by its clock.
    last: DateTime<Utc>,
    /// In the order it was typed, kept on the phone's disk.
    pub(crate) queue: Vec<Value>,
    /// The commands it believes are through; lost when the app is killed before they are written
    /// down.
    through: BTreeSet<Uuid>,
    written: BTreeSet<Uuid>,
    pub(crate) meant: Vec<Meant>,
    /// Reports and the cases they become.
    reports: Vec<(Uuid, Uuid)>,
    household: Option<Uuid>,
    walks: Vec<Walk>,
}

/// The person of an account.
pub fn person_of(line: &impl Line, account: &str) -> Done<PersonId> {
    let (status, answer) =
        line.ask(&Ask { by: account, path: "/api/v1/me", writes: None, zipped: false })?;
    let id = answer.get("id").and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
    id.map(PersonId).ok_or_else(|| format!("{account}: {status} {answer}"))
}

/// The worker agrees to tracks.
pub(crate) fn give_consent(line: &impl Line, carrier: &Carrier) -> Done {
    let body = json!({ "purpose": "track", "given": true, "version": "1" }).to_string();
    let (by, path) = (carrier.account.as_str(), "/api/v1/me/consents");
    let own = by.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(257) ^ u64::from(byte));
    let writes = Some((Chance::new(own).next_id(), body.as_bytes()));
    let (status, answer) = line.ask(&Ask { by, path, writes, zipped: false })?;
    if status < 300 { Ok(()) } else { Err(format!("{by} consents: {status} {answer}")) }
}

impl<'c> Phone<'c> {
    pub(crate) fn new(carrier: &'c Carrier, now: DateTime<Utc>, chance: &mut Chance) -> Self {
        let skew = Duration::minutes(i64::from(chance.number_below(2000)) - 1000);
        let skew = if chance.percent(50) { Duration::zero() } else { skew };
        Self {
            carrier,
            skew,
            last: now + skew,
            queue: Vec::new(),
            through: BTreeSet::new(),
            written: BTreeSet::new(),
            meant: Vec::new(),
            reports: Vec::new(),
            household: None,
            walks: Vec::new(),
        }
    }

    /// The patrols that were walked with it.
    pub fn walks(&self) -> &[Walk] {
        &self.walks
    }

    pub(crate) fn count_commands(&self) -> u64 {
        u64::try_from(self.queue.len()).unwrap_or(u64::MAX)
    }

    /// The worker types something, or walks, with or without a signal.
    pub(crate) fn take_action(&mut self, line: &impl Line, chance: &mut Chance) {
        let typed = (line.now() + self.skew).max(self.last + Duration::milliseconds(1));
        self.last = typed;
        if self.carrier.files {
            self.act_at_desk(typed, chance);
        } else if self.walks.last().is_some_and(|walk| !walk.over) {
            self.act_on_patrol(typed, chance);
        } else if chance.percent(35) {
            self.begin_walk(typed, chance);
        } else if self.reports.is_empty() || chance.percent(40) {
            let handled = json!({ "result": "当场清理" });
            self.submit_report(typed, Some(handled), chance);
        } else if let Some((_, case)) = chance.pick_one(&self.reports).copied() {
            self.comment_case(typed, case, chance);
        }
    }

    fn act_at_desk(&mut self, typed: DateTime<Utc>, chance: &mut Chance) {
        let Some((report, case)) = self.reports.last().copied().filter(|_| chance.percent(60))
        else {
            return self.submit_report(typed, None, chance);
        };
        let files = |item: &Value| {
            item["operation"] == "file_report" && item["path"]["id"] == json!(report)
        };
        if self.queue.iter().any(files) {
            self.comment_case(typed, case, chance);
        } else {
            let body = json!({ "case_id": case });
            let path = json!({ "id": report });
            self.queue_command(
                (typed, "reports", report),
                ("file_report", path, body),
                chance.next_id(),
            );
        }
    }

    fn act_on_patrol(&mut self, typed: DateTime<Utc>, chance: &mut Chance) {
        let Some(walk) = self.walks.last_mut() else { return };
        // A worker who forgot to end it does so later, with the time at which it ended.
        let forgotten = typed > walk.begun + Duration::hours(7);
        if !forgotten {
            walk.walk_on(20 + chance.index_below(120), chance);
        }
        match chance.index_below(10) {
            _ if forgotten || walk.is_at_its_end() => self.end_walk(typed, forgotten, chance),
            0 => self.end_walk(typed, false, chance),
            1..=3 => self.visit_household(typed, chance),
            4..=6 => self.submit_report(typed, None, chance),
            7 => self.rest_walk(typed, chance),
            _ => {}
        }
    }

    fn begin_walk(&mut self, typed: DateTime<Utc>, chance: &mut Chance) {
        // One walk at a time: a walk may run ahead of the clock here.
        let over = self.walks.last().map(|walk| walk.at + Duration::seconds(2));
        let begun = over.map_or(typed, |over| over.max(typed));
        let patrol = chance.next_id();
        let walk = Walk::new(patrol, self.carrier, begun, chance);
        self.walks.push(walk);
        let body = json!({
            "id": patrol, "area_id": self.carrier.grid, "purpose": "routine",
            "client_time": format_time(begun), "until": format_time(begun + Duration::hours(8)),
        });
        self.queue_command(
            (typed, "patrols", patrol),
            ("begin_patrol", json!({}), body),
            chance.next_id(),
        );
    }

    fn end_walk(&mut self, typed: DateTime<Utc>, forgotten: bool, chance: &mut Chance) {
        let Some(walk) = self.walks.last_mut() else { return };
        walk.over = true;
        walk.rest_for(Duration::seconds(1));
        let patrol = walk.patrol;
        let mut body = json!({ "client_time": format_time(walk.at) });
        if forgotten {
            body["late_reason"] = json!("忘记结束巡查");
        }
        let path = json!({ "id": patrol });
        self.queue_command(
            (typed, "patrols", patrol),
            ("finish_patrol", path, body),
            chance.next_id(),
        );
    }

    fn rest_walk(&mut self, typed: DateTime<Utc>, chance: &mut Chance) {
        let Some(walk) = self.walks.last_mut() else { return };
        let (patrol, from) = (walk.patrol, walk.at);
        walk.rest_for(Duration::seconds(i64::from(60 + chance.number_below(1200))));
        let until = walk.at;
        let resumed = typed + Duration::milliseconds(1);
        self.last = resumed;
        let (path, then) = (json!({ "id": patrol }), json!({ "client_time": format_time(from) }));
        self.queue_command(
            (typed, "patrols", patrol),
            ("pause_patrol", path.clone(), then),
            chance.next_id(),
        );
        let then = json!({ "client_time": format_time(until) });
        self.queue_command(
            (resumed, "patrols", patrol),
            ("resume_patrol", path, then),
            chance.next_id(),
        );
    }

    /// A visit to the one household it knows, which it registers first.
    fn visit_household(&mut self, typed: DateTime<Utc>, chance: &mut Chance) {
        let Some(household) = self.household else {
            let household = chance.next_id();
            self.household = Some(household);
            let body = json!({
                "id": household, "area_id": self.carrier.grid, "building": "3栋", "size": 2,
                "room": { "room": "2单元501" },
            });
            let of = (typed, "households", household);
            return self.queue_command(
                of,
                ("register_household", json!({}), body),
                chance.next_id(),
            );
        };
        let Some(walk) = self.walks.last_mut() else { return };
        walk.rest_for(Duration::seconds(30));
        let visit = chance.next_id();
        walk.visits.insert(visit);
        let body = json!({
            "id": visit, "household_id": household, "purposes": ["opinions"], "outcome": "met",
            "opinions": "希望加装电梯", "visited_at": format_time(walk.at),
        });
        self.queue_command(
            (typed, "visits", visit),
            ("submit_visit", json!({}), body),
            chance.next_id(),
        );
    }

    fn submit_report(&mut self, typed: DateTime<Utc>, handled: Option<Value>, chance: &mut Chance) {
        let (command, report) = (chance.next_id(), chance.next_id());
        // A report handled on the spot has a case derived from the command.
        let case =
            if handled.is_some() { self.derive_id(command, "case") } else { chance.next_id() };
        let mut body = json!({
            "id": report, "text": format!("{} {}", self.carrier.account, format_time(typed)),
            "place": { "area_id": self.carrier.grid },
        });
        let by_the_way = handled.is_none() && !self.carrier.files;
        if let Some(handled) = handled {
            body["handled"] = handled;
        }
        match self.walks.last_mut().filter(|_| by_the_way) {
            Some(walk) => {
                walk.reports.insert(report);
                body["patrol_id"] = json!(walk.patrol);
                body["client_time"] = json!(format_time(walk.at));
            }
            None => self.reports.push((report, case)),
        }
        self.queue_command((typed, "reports", report), ("submit_report", json!({}), body), command);
    }

    fn derive_id(&self, command: Uuid, purpose: &str) -> Uuid {
        api::app::clock::derive_id(self.carrier.person, CommandId(command), purpose)
    }

    fn comment_case(&mut self, typed: DateTime<Utc>, case: Uuid, chance: &mut Chance) {
        let body = json!({ "text": format!("{} {}", self.carrier.account, format_time(typed)) });
        let path = json!({ "id": case });
        self.queue_command((typed, "cases", case), ("comment_case", path, body), chance.next_id());
    }

    fn queue_command(
        &mut self,
        (typed, kind, flow): (DateTime<Utc>, &'static str, Uuid),
        (operation, path, body): (&str, Value, Value),
        command: Uuid,
    ) {
        self.meant.push(Meant { typed, kind, flow });
        self.queue.push(json!({
            "id": command, "operation": operation, "path": path, "body": body,
            "client_time": format_time(typed),
        }));
    }

    fn waiting_items(&self) -> Vec<Value> {
        let waits = |item: &&Value| item_id(item).is_some_and(|id| !self.through.contains(&id));
        self.queue.iter().filter(waits).cloned().collect()
    }

    /// Whether the beginning of a walk is through, or precedes it in what is sent: a queue is sent
    /// in its order.
    fn has_begun(&self, walk: usize, items: &[Value]) -> bool {
        let patrol = self.walks.get(walk).map(|walk| json!(walk.patrol));
        let begins = |item: &&Value| {
            item["operation"] == "begin_patrol" && Some(&item["body"]["id"]) == patrol.as_ref()
        };
        let known = |item: &Value| item_id(item).is_some_and(|id| self.through.contains(&id));
        items.iter().any(|item| begins(&item)) || self.queue.iter().find(begins).is_some_and(known)
    }

    /// The parcels it sends next, in any order.
    fn pack_parcels(&self, chance: &mut Chance) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        let mut items = self.waiting_items();
        items.truncate(1 + chance.index_below(8));
        for (walk, one) in self.walks.iter().enumerate() {
            for _ in 0..chance.index_below(4) {
                if let Some(batch) = one.pack_points(chance) {
                    parcels.push(Parcel::Points { walk, batch, zipped: chance.percent(30) });
                }
            }
        }
        let with = chance.percent(30).then(|| parcels.pop()).flatten();
        let points = match with {
            Some(Parcel::Points { walk, batch, .. }) if self.has_begun(walk, &items) => {
                Some((walk, chance.next_id(), batch))
            }
            _ => None,
        };
        if !items.is_empty() || points.is_some() {
            parcels.push(Parcel::Queue { items, points });
        }
        chance.shuffle(&mut parcels);
        parcels
    }

    /// Sends a part of what has not arrived; the line may lose or repeat it. Answers the parcels
    /// that were sent.
    pub(crate) fn send_parcels(
        &mut self,
        line: &impl Line,
        chance: &mut Chance,
        tally: &mut Tally,
    ) -> Done<Vec<Parcel>> {
        let parcels = self.pack_parcels(chance);
        for parcel in &parcels {
            if chance.percent(15) {
                // Lost before it arrived.
                tally.lost += 1;
                continue;
            }
            tally.arrived += 1;
            let mut answer = if chance.percent(8) {
                tally.again += 1;
                self.race_parcel(line, parcel, chance)?
            } else {
                self.deliver_parcel(line, parcel, chance)?
            };
            if chance.percent(20) {
                // The network repeats it.
                tally.again += 1;
                answer = self.deliver_parcel(line, parcel, chance)?;
            }
            if chance.percent(25) {
                // The answer is lost: the phone does not learn of it.
                tally.lost += 1;
                continue;
            }
            self.learn_arrivals(parcel, &answer);
            if chance.percent(70) {
                self.written = self.through.clone();
                self.walks.iter_mut().for_each(Walk::write_through);
            }
        }
        Ok(parcels)
    }

    /// The same request twice at the same moment.
    fn race_parcel(
        &self,
        line: &impl Line,
        parcel: &Parcel,
        chance: &mut Chance,
    ) -> Done<Vec<Uuid>> {
        let mut other = chance.clone();
        let (first, second) = std::thread::scope(|scope| {
            let beside = scope.spawn(|| self.deliver_parcel(line, parcel, &mut other));
            let first = self.deliver_parcel(line, parcel, chance);
            (first, beside.join())
        });
        second.map_err(|_panic| "a phone broke".to_owned())??;
        first
    }

    /// A parcel reaches the server; answers the commands that are through by it.
    pub(crate) fn deliver_parcel(
        &self,
        line: &impl Line,
        parcel: &Parcel,
        chance: &mut Chance,
    ) -> Done<Vec<Uuid>> {
        match parcel {
            Parcel::Queue { items, points } => {
                let mut items = items.clone();
                let sent = line.now() + self.skew;
                let of = |(walk, command, batch): &(usize, Uuid, Vec<usize>)| {
                    let walk = self.walks.get(*walk)?;
                    Some(points_item(
                        *command,
                        walk.patrol,
                        format_time(sent),
                        walk.points_body(batch),
                    ))
                };
                items.extend(points.as_ref().and_then(of));
                let body = json!({ "sent_at": format_time(sent), "items": items });
                let answer =
                    self.post_body(line, "/api/v1/sync", &body, (chance.next_id(), false))?;
                answer.as_ref().map_or(Ok(Vec::new()), read_through)
            }
            Parcel::Points { walk, batch, zipped } => {
                let Some(walk) = self.walks.get(*walk) else { return Ok(Vec::new()) };
                let path = format!("/api/v1/patrols/{}/points", walk.patrol);
                let key = chance.next_id();
                let answer =
                    self.post_body(line, &path, &walk.points_body(batch), (key, *zipped))?;
                let stored =
                    answer.as_ref().map(check_none_refused).transpose()?.unwrap_or_default();
                Ok(stored.then_some(key).into_iter().collect())
            }
        }
    }

    /// Sends a request; none when the server puts it off, or does not know the patrol yet.
    fn post_body(
        &self,
        line: &impl Line,
        path: &str,
        body: &Value,
        (key, zipped): (Uuid, bool),
    ) -> Done<Option<Value>> {
        let text = body.to_string();
        let by = self.carrier.account.as_str();
        let ask = Ask { by, path, writes: Some((key, text.as_bytes())), zipped };
        match line.ask(&ask)? {
            (200, answer) => Ok(Some(answer)),
            (404, _) if path.ends_with("/points") => Ok(None),
            (409, answer) if answer["code"] == "lost_race" => Ok(None),
            (429 | 503, _) => Ok(None),
            (status, answer) => Err(format!("{by} {path}: {status} {answer}\n{text}")),
        }
    }

    fn learn_arrivals(&mut self, parcel: &Parcel, through: &[Uuid]) {
        match parcel {
            Parcel::Queue { items, points } => {
                let commands = items.iter().filter_map(item_id).filter(|id| through.contains(id));
                self.through.extend(commands);
                if let Some((walk, command, batch)) = points
                    && through.contains(command)
                    && let Some(walk) = self.walks.get_mut(*walk)
                {
                    walk.mark_through(batch);
                }
            }
            Parcel::Points { walk, batch, .. } => {
                if !through.is_empty()
                    && let Some(walk) = self.walks.get_mut(*walk)
                {
                    walk.mark_through(batch);
                }
            }
        }
    }

    /// The app is killed: it forgets what it had not written down.
    pub(crate) fn kill_app(&mut self) {
        self.through = self.written.clone();
        self.walks.iter_mut().for_each(Walk::forget_unwritten);
    }

    /// There is a signal at last, though a bad one: everything goes through in the end.
    pub(crate) fn send_remaining(
        &mut self,
        line: &impl Line,
        chance: &mut Chance,
        tally: &mut Tally,
    ) -> Done {
        if self.walks.last().is_some_and(|walk| !walk.over) {
            let typed = (line.now() + self.skew).max(self.last + Duration::milliseconds(1));
            self.last = typed;
            let begun = self.walks.last().map_or(typed, |walk| walk.begun);
            self.end_walk(typed, typed > begun + Duration::hours(7), chance);
        }
        for _ in 0..1000 {
            if self.waiting_items().is_empty() && self.walks.iter().all(Walk::is_through) {
                return Ok(());
            }
            self.send_parcels(line, chance, tally)?;
        }
        let left = self.waiting_items();
        Err(format!("{} is not through: {left:?}", self.carrier.account))
    }
}

/// The commands of a queue that are through; nothing that is sent may be refused.
fn read_through(answer: &Value) -> Done<Vec<Uuid>> {
    let mut done = Vec::new();
    for one in answer["items"].as_array().into_iter().flatten() {
        match one["outcome"].as_str().unwrap_or_default() {
            "done" | "already" => {
                if check_none_refused(&one["answer"])? {
                    done.extend(item_id(one));
                }
            }
            "later" | "held" => {}
            _ => return Err(format!("refused: {one:#}")),
        }
    }
    Ok(done)
}

/// No point may be refused; answers whether none has to come again, after the end of a rest.
fn check_none_refused(answer: &Value) -> Done<bool> {
    match answer["refused"].as_u64() {
        None | Some(0) => Ok(answer["later"].as_u64().unwrap_or_default() == 0),
        Some(_) => Err(format!("points are refused: {answer}")),
    }
}
