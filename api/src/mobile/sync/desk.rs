//! Working off one queue, item by item, and what each answer means for the phone.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant as Started,
};

use actix_web::web::Data;
use domain::{
    Instant,
    core::{
        arrival::{Arrival, Fate, Oddity, Skew},
        id::CommandId,
    },
};
use futures_util::{StreamExt, stream};
use persistence::{Db, kernel::journal};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Answers, ItemBody, ItemView,
    asked::{Asked, guess_touches},
    earlier::EarlierRights,
    offline_command::{Answered, OfflineCommand},
    queue::{self, Touches},
};
use crate::{
    app::{caller::Caller, ration::Good, state::App, telemetry},
    http::{
        language::Language,
        problem::{Code, Problem, Reply, render_problem},
    },
    resources::{case, household, patrol, report, visit},
};

/// How many items are processed side by side; they share transactions.
const AT_ONCE: usize = 16;

/// The context in which one queue is worked off.
pub struct Desk {
    /// The state of the server.
    pub app: Data<App>,
    /// The language of problems.
    pub speaks: Language,
    /// The id of the request.
    pub trace: String,
    /// The owner of the queue.
    pub caller: Caller,
    /// The correction of the phone's clock.
    pub skew: Skew,
    /// When the caller logged in.
    pub login: Option<Instant>,
    /// The rights of earlier, by which what was typed then is judged.
    pub earlier: EarlierRights,
    /// When the queue arrived.
    pub received_at: Instant,
    /// How much of each answer is wanted.
    pub answers: Answers,
}

/// The progress of a queue.
#[derive(Default)]
struct Progress {
    /// Commands that were accepted, before or now.
    seen: HashSet<Uuid>,
    /// The last seq of each flow this queue changed.
    seqs: HashMap<String, i64>,
}

impl Desk {
    /// Works a queue off; `seen` are the commands that were accepted before.
    pub async fn work_off(
        &self,
        items: &[Value],
        asked: Vec<Result<Asked, Problem>>,
        seen: HashSet<Uuid>,
    ) -> Vec<ItemView> {
        let touches: Vec<Touches> = (asked.iter().zip(items))
            .map(|(asked, item)| match asked {
                Ok(asked) => asked.touches(&self.caller),
                Err(_) => guess_touches(item, &self.caller),
            })
            .collect();
        let waits = queue::find_waits(&touches);
        let mut progress = Progress { seen, ..Progress::default() };
        let mut views: Vec<Option<ItemView>> = items.iter().map(|_| None).collect();
        for round in queue::plan_rounds(&waits) {
            let worked = stream::iter(round).map(|index| {
                let view = self.work_off_item(
                    (items.get(index), asked.get(index)),
                    find_blockers(index, waits.get(index), &asked, &views),
                    &progress,
                );
                async move { (index, view.await) }
            });
            let worked: Vec<(usize, ItemView)> = worked.buffered(AT_ONCE).collect().await;
            for (index, view) in worked {
                if let Some(Ok(asked)) = asked.get(index) {
                    progress.learn_from(asked, &view);
                }
                if let Some(place) = views.get_mut(index) {
                    *place = Some(view);
                }
            }
        }
        views.into_iter().flatten().map(|view| self.abridge_item(view)).collect()
    }

    async fn work_off_item(
        &self,
        (item, asked): (Option<&Value>, Option<&Result<Asked, Problem>>),
        waits_for: Option<Vec<Uuid>>,
        progress: &Progress,
    ) -> ItemView {
        let asked = match asked {
            Some(Ok(asked)) => asked,
            Some(Err(problem)) => {
                let id = item.and_then(|item| item.get("id")?.as_str()?.parse().ok());
                return self.refuse_item(id, problem);
            }
            None => return ItemView::new(None, Fate::Later),
        };
        if let Some(waits_for) = waits_for {
            return ItemView { waits_for, ..ItemView::new(Some(asked.item.id), Fate::Held) };
        }
        let arrival = self.new_arrival(&asked.item);
        let (happened_at, oddities) = match &arrival {
            Some(arrival) => (
                Some(arrival.happened_at),
                arrival.oddities.iter().map(|oddity: &Oddity| oddity.name()).collect(),
            ),
            None => (None, Vec::new()),
        };
        let started = Started::now();
        let answered = self.send_item(asked, arrival, progress).await;
        let route = format!("/api/v1{}", asked.operation.path);
        let outcome = match &answered {
            Ok(answered) => (answered.status, None),
            Err(problem) => (problem.code().row().status.as_u16(), Some(problem)),
        };
        telemetry::log_kept(&route, outcome, &self.trace, started);
        let view = match answered {
            Ok(answered) => progress.accept(asked.item.id, answered),
            Err(problem) => self.judge_answer(asked, &problem, progress).await,
        };
        ItemView { happened_at, oddities, ..view }
    }

    fn new_arrival(&self, item: &ItemBody) -> Option<Arrival> {
        let (command, typed) = (CommandId(item.id), item.client_time?.to_utc());
        Some(Arrival::new(command, typed, self.skew, self.login, self.received_at))
    }

    async fn send_item(
        &self,
        asked: &Asked,
        arrival: Option<Arrival>,
        progress: &Progress,
    ) -> Reply<Answered> {
        let (app, caller) = (self.app.clone(), self.caller.clone());
        // A command that was accepted already is only answered again.
        if !progress.seen.contains(&asked.item.id) {
            app.rationed.take_one(&caller, Good::Commands, app.clock.now())?;
        }
        let judged_at = arrival.as_ref().and_then(Arrival::judged_at);
        let earlier = match judged_at {
            Some(typed) => self.earlier.load_actor(&app, &caller, typed).await?,
            None => None,
        };
        // What began later could not be meant then.
        let earlier = match earlier {
            Some(earlier) if self.existed_then(asked, progress).await => Some(earlier),
            _ => None,
        };
        let acts_by_earlier = earlier.is_some();
        let actor = earlier.unwrap_or_else(|| Arc::clone(&caller.actor));
        let kept = OfflineCommand {
            app,
            caller: Caller { arrival: arrival.map(Arc::new), actor, ..caller },
            segments: asked.segments.clone(),
            command: CommandId(asked.item.id),
            only: asked.item.based_on.filter(|_| asked.item.only),
            body: asked.item.body.clone(),
        };
        let mut answered = (asked.operation.run)(kept).await?;
        // Who may do it by the rights of then is not told more than that it was done.
        let id = answered.body.get("id").and_then(Value::as_str).map(str::to_owned);
        if acts_by_earlier
            && self.load_present(asked.operation.kind(), id.as_deref()).await.is_none()
        {
            answered.body = reduce_to_receipt(answered.body);
        }
        Ok(answered)
    }

    /// What a problem means for the phone.
    async fn judge_answer(
        &self,
        asked: &Asked,
        problem: &Problem,
        progress: &Progress,
    ) -> ItemView {
        let status = problem.code().row().status.as_u16();
        let view = |fate| ItemView {
            status: Some(status),
            problem: self.render(problem),
            ..ItemView::new(Some(asked.item.id), fate)
        };
        if matches!(status, 408 | 429) || status >= 500 || problem.code() == Code::LostRace {
            let retry_after = problem.retry_after().or(Some(5));
            return ItemView { retry_after, ..view(Fate::Later) };
        }
        let present = if matches!(status, 409 | 412 | 422) {
            self.load_present(asked.operation.moves(), asked.flow_id()).await
        } else {
            None
        };
        let moved_on = status == 412 || self.has_moved_on(asked, present.as_ref(), progress).await;
        let fate = if moved_on { Fate::Conflict } else { Fate::Refused };
        ItemView { present, ..view(fate) }
    }

    /// The present state, as the caller may see it.
    async fn load_present(&self, kind: Option<&str>, id: Option<&str>) -> Option<Value> {
        fn json<V: serde::Serialize>(view: Reply<V>) -> Option<Value> {
            serde_json::to_value(view.ok()?).ok()
        }
        let (app, caller) = (&self.app, &self.caller);
        let id = Uuid::try_parse(id?).ok()?;
        match kind? {
            "cases" => json(case::load_view(app, caller, id).await.map(|(_, view)| view)),
            "reports" => json(report::load_view(app, caller, id).await.map(|(_, view)| view)),
            "patrols" => json(patrol::load_view(app, caller, id).await.map(|(_, view)| view)),
            "visits" => json(visit::load_view(app, caller, id).await.map(|(_, view)| view)),
            "households" => json(household::load_view(app, caller, id).await.map(|(_, view)| view)),
            _ => None,
        }
    }

    /// Whether another command moved it since the phone saw it: since the version the item names, or
    /// else since it was typed.
    async fn has_moved_on(
        &self,
        asked: &Asked,
        present: Option<&Value>,
        progress: &Progress,
    ) -> bool {
        let seq = present.and_then(|present| present.get("seq")?.as_i64());
        let (Some(seq), Some(id)) = (seq, asked.flow_id()) else { return false };
        if progress.seqs.get(id) == Some(&seq) {
            return false;
        }
        match asked.item.based_on {
            Some(based_on) => seq != based_on,
            None => self.load_typed_seq(asked).await.is_some_and(|typed| seq != typed),
        }
    }

    /// Whether what an item moves was there when it was typed, or was begun by this queue.
    async fn existed_then(&self, asked: &Asked, progress: &Progress) -> bool {
        if asked.operation.moved_kind().is_none() {
            return asked.operation.moves().is_none();
        }
        let begun_here = asked.flow_id().is_some_and(|id| progress.seqs.contains_key(id));
        begun_here || self.load_typed_seq(asked).await.is_some()
    }

    /// The version that there was when an item was typed, where that is known.
    async fn load_typed_seq(&self, asked: &Asked) -> Option<i64> {
        let typed = self.new_arrival(&asked.item)?.happened_at;
        let kind = asked.operation.moved_kind()?;
        let id = Uuid::try_parse(asked.flow_id()?).ok()?;
        let tenant = self.caller.tenant;
        let load = move |db: &mut Db| journal::load_seq_at(db, tenant, (kind, id), typed);
        self.app.store.read(load).await.ok().filter(|seq| *seq > 0)
    }

    fn render(&self, problem: &Problem) -> Option<Value> {
        serde_json::from_slice(&render_problem(problem, self.speaks, &self.trace)).ok()
    }

    fn refuse_item(&self, id: Option<Uuid>, problem: &Problem) -> ItemView {
        let status = problem.code().row().status.as_u16();
        let fate = if status >= 500 { Fate::Later } else { Fate::Refused };
        let problem = self.render(problem);
        ItemView { status: Some(status), problem, ..ItemView::new(id, fate) }
    }

    /// Shortens an item: old phones have little use for whole answers.
    fn abridge_item(&self, mut view: ItemView) -> ItemView {
        if self.answers == Answers::Brief {
            view.answer = view.answer.map(abridge_view);
            view.present = view.present.map(abridge_view);
        }
        view
    }
}

impl Progress {
    /// What an answer means for the phone.
    fn accept(&self, id: Uuid, answered: Answered) -> ItemView {
        let fate = if self.seen.contains(&id) { Fate::Already } else { Fate::Done };
        let (status, answer) = (Some(answered.status), Some(answered.body));
        ItemView { status, answer, ..ItemView::new(Some(id), fate) }
    }

    fn learn_from(&mut self, asked: &Asked, view: &ItemView) {
        if !view.went_through() {
            return;
        }
        self.seen.insert(asked.item.id);
        let answer = view.answer.as_ref();
        let seq = answer.and_then(|answer| answer.get("seq")?.as_i64());
        let id = answer.and_then(|answer| answer.get("id")?.as_str());
        if let (Some(id), Some(seq)) = (id, seq) {
            self.seqs.insert(id.to_owned(), seq);
        }
    }
}

/// The items before it that it needs and that did not go through, as far as they have ids; none
/// when all went through.
fn find_blockers(
    item: usize,
    waits: Option<&Vec<usize>>,
    asked: &[Result<Asked, Problem>],
    views: &[Option<ItemView>],
) -> Option<Vec<Uuid>> {
    let read = |index: usize| asked.get(index).and_then(|asked| asked.as_ref().ok());
    let remark = read(item).filter(|asked| asked.operation.is_remark());
    // A remark needs what it is about, and what it says it needs, but no step of it.
    let needed = |index: &&usize| match (remark, read(**index)) {
        (Some(remark), Some(before)) => {
            before.operation.moves().is_none() || remark.item.after.contains(&before.item.id)
        }
        _ => true,
    };
    let before = waits.into_iter().flatten().filter(needed);
    let before = before.filter_map(|index| views.get(*index)?.as_ref());
    let failed: Vec<&ItemView> = before.filter(|view| !view.went_through()).collect();
    (!failed.is_empty()).then(|| failed.into_iter().filter_map(|view| view.id).collect())
}

/// What somebody learns of a command on something they may not see any more.
fn reduce_to_receipt(view: Value) -> Value {
    let Value::Object(members) = view else { return view };
    let kept = members.into_iter().filter(|(name, _)| ["id", "seq"].contains(&name.as_str()));
    Value::Object(kept.collect::<Map<String, Value>>())
}

/// The short form of a view that a list needs.
fn abridge_view(view: Value) -> Value {
    const KEPT: [&str; 16] = [
        "id",
        "number",
        "seq",
        "status",
        "status_label",
        "stage",
        "stage_label",
        "case_id",
        "title",
        "owed",
        "possible",
        "on_duty",
        // The members of an answer about points.
        "stored",
        "already",
        "refused",
        "later",
    ];
    let Value::Object(members) = view else { return view };
    let kept = members.into_iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
    Value::Object(kept.collect::<Map<String, Value>>())
}
