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
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Answers, ItemBody, ItemView,
    asked::{Asked, guess_touches},
    kept::{Answered, KeptCommand},
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
                    find_blockers(waits.get(index), &views),
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
        let kept = KeptCommand {
            app,
            caller: Caller { arrival: arrival.map(Arc::new), ..caller },
            segments: asked.segments.clone(),
            command: CommandId(asked.item.id),
            only: asked.item.based_on.filter(|_| asked.item.only),
            body: asked.item.body.clone(),
        };
        (asked.operation.run)(kept).await
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
        let present =
            if matches!(status, 409 | 412 | 422) { self.load_present(asked).await } else { None };
        let moved_on = status == 412 || progress.has_moved_on(asked, present.as_ref());
        let fate = if moved_on { Fate::Conflict } else { Fate::Refused };
        ItemView { present, ..view(fate) }
    }

    /// The present state, as the caller may see it.
    async fn load_present(&self, asked: &Asked) -> Option<Value> {
        fn json<V: serde::Serialize>(view: Reply<V>) -> Option<Value> {
            serde_json::to_value(view.ok()?).ok()
        }
        let (app, caller) = (&self.app, &self.caller);
        let id = Uuid::try_parse(asked.flow_id()?).ok()?;
        match asked.operation.moves()? {
            "cases" => json(case::load_view(app, caller, id).await.map(|(_, view)| view)),
            "reports" => json(report::load_view(app, caller, id).await.map(|(_, view)| view)),
            "patrols" => json(patrol::load_view(app, caller, id).await.map(|(_, view)| view)),
            "visits" => json(visit::load_view(app, caller, id).await.map(|(_, view)| view)),
            "households" => json(household::load_view(app, caller, id).await.map(|(_, view)| view)),
            _ => None,
        }
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

    /// Whether another command changed the flow since the phone saw it.
    fn has_moved_on(&self, asked: &Asked, present: Option<&Value>) -> bool {
        let seq = present.and_then(|present| present.get("seq")?.as_i64());
        let (Some(based_on), Some(seq), Some(id)) = (asked.item.based_on, seq, asked.flow_id())
        else {
            return false;
        };
        seq != based_on && self.seqs.get(id) != Some(&seq)
    }
}

/// The items before it that it needs and that did not go through, as far as they have ids; none
/// when all went through.
fn find_blockers(waits: Option<&Vec<usize>>, views: &[Option<ItemView>]) -> Option<Vec<Uuid>> {
    let before = waits.into_iter().flatten().filter_map(|index| views.get(*index)?.as_ref());
    let failed: Vec<&ItemView> = before.filter(|view| !view.went_through()).collect();
    (!failed.is_empty()).then(|| failed.into_iter().filter_map(|view| view.id).collect())
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
