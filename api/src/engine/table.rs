//! The kinds of flows that are served, a line each, and what is called of each of them by those
//! that go over all: the scheduler, checks, timelines, events and messages.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use domain::{
    core::{
        id::TenantId,
        journal::{Entry, FlowKind},
    },
    flows::{
        campaign::Campaign, case::state::Case, content_review::Review, form::Form,
        household::Household, media::Media, notice::Notice, patrol::Patrol,
        patrol_plan::PatrolPlan, person::Person, policy::Policy, report::Report,
        stored_event::read_events, visit::Visit,
    },
    rules::obligation::Duty,
};
use persistence::{
    Db, Outcome, StoreError,
    kernel::{obligation::Lapsing, projection::Projection},
};
use uuid::Uuid;

use crate::{
    app::state::App,
    engine::{
        flows::ServedFlow,
        step::{load_flows, run_as_system},
        subject::Subject,
        verify::{self, Checked},
    },
};

/// A future that is boxed.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Any kind of flow.
pub trait AnyFlow: Sync {
    /// The kind of flow this serves.
    fn kind(&self) -> FlowKind;

    /// Checks the chain of one flow, and collects the rows that follow from it.
    fn replay(
        &self,
        db: &mut Db,
        tenant: TenantId,
        flow: Uuid,
        into: &mut Projection,
    ) -> Result<Checked, StoreError>;

    /// Takes the measure about a debt as the system; answers whether there was one to take.
    fn take_measure<'a>(&'a self, app: &'a App, debt: &'a Lapsing) -> Work<'a, bool>;

    /// Recomputes the provisional deadlines of a flow by an edition of the calendar; answers
    /// whether it changed.
    fn recompute_deadlines<'a>(
        &'a self,
        app: &'a App,
        flow: (TenantId, Uuid),
        edition: i64,
    ) -> Work<'a, bool>;

    /// The subjects of published events of entries, by the identities of the flows. Unreadable ones
    /// are left out.
    fn load_subjects<'a>(
        &'a self,
        app: &'a App,
        tenant: TenantId,
        entries: &'a [(i64, Entry)],
    ) -> Work<'a, HashMap<Uuid, Arc<dyn Subject>>>;

    /// The notices of entries, by their positions. An unreadable entry makes none; that delays no
    /// other notice.
    fn load_notices<'a>(
        &'a self,
        app: &'a App,
        tenant: TenantId,
        entries: &'a [(i64, Entry)],
    ) -> Work<'a, HashMap<i64, Vec<Notice>>>;
}

/// The table's entry of a kind.
struct Served<F>(std::marker::PhantomData<fn() -> F>);

impl<F> Served<F> {
    const NEW: Self = Self(std::marker::PhantomData);
}

/// Every kind of flow that is served; the areas of a tenant are a flow of their own sort.
pub static FLOWS: [&dyn AnyFlow; 12] = [
    &Served::<Report>::NEW,
    &Served::<Case>::NEW,
    &Served::<Person>::NEW,
    &Served::<Policy>::NEW,
    &Served::<Patrol>::NEW,
    &Served::<PatrolPlan>::NEW,
    &Served::<Household>::NEW,
    &Served::<Visit>::NEW,
    &Served::<Campaign>::NEW,
    &Served::<Form>::NEW,
    &Served::<Media>::NEW,
    &Served::<Review>::NEW,
];

/// The entry of a kind; none for areas.
pub fn find_flow(kind: FlowKind) -> Option<&'static dyn AnyFlow> {
    FLOWS.iter().copied().find(|flow| flow.kind() == kind)
}

impl<F: ServedFlow> AnyFlow for Served<F>
where
    F::Command: Send + Sync,
{
    fn kind(&self) -> FlowKind {
        F::KIND
    }

    fn replay(
        &self,
        db: &mut Db,
        tenant: TenantId,
        flow: Uuid,
        into: &mut Projection,
    ) -> Result<Checked, StoreError> {
        verify::replay_flow::<F>(db, tenant, flow, into)
    }

    fn take_measure<'a>(&'a self, app: &'a App, debt: &'a Lapsing) -> Work<'a, bool> {
        Box::pin(take_measure::<F>(app, debt))
    }

    fn recompute_deadlines<'a>(
        &'a self,
        app: &'a App,
        (tenant, id): (TenantId, Uuid),
        edition: i64,
    ) -> Work<'a, bool> {
        /// Other commands may change the flow meanwhile.
        const ATTEMPTS: usize = 4;
        Box::pin(async move {
            let Some(command) = F::recompute_command() else { return Ok(false) };
            let what = |seq| format!("recompute\n{tenant}\n{id}\n{edition}\n{seq}");
            for _ in 0..ATTEMPTS {
                match run_as_system::<F>(app, tenant, id, &command, what).await? {
                    Some(Outcome::Done) => return Ok(true),
                    None => return Ok(false),
                    Some(Outcome::Stale | Outcome::Seen | Outcome::NumberTaken) => {}
                }
            }
            Ok(false)
        })
    }

    fn load_subjects<'a>(
        &'a self,
        app: &'a App,
        tenant: TenantId,
        entries: &'a [(i64, Entry)],
    ) -> Work<'a, HashMap<Uuid, Arc<dyn Subject>>> {
        Box::pin(async move {
            if !F::PUBLISHED {
                return Ok(HashMap::new());
            }
            let states = load_flows::<F>(app, tenant, entries).await?;
            let subject = |(id, stored)| Some((id, F::event_subject(stored)?));
            Ok(states.into_iter().filter_map(subject).collect())
        })
    }

    fn load_notices<'a>(
        &'a self,
        app: &'a App,
        tenant: TenantId,
        entries: &'a [(i64, Entry)],
    ) -> Work<'a, HashMap<i64, Vec<Notice>>> {
        Box::pin(async move {
            if !F::NOTIFIES {
                return Ok(HashMap::new());
            }
            let states = load_flows::<F>(app, tenant, entries).await?;
            let of_kind = entries.iter().filter(|(_, entry)| entry.flow == F::KIND);
            let notices = of_kind.filter_map(|(position, entry)| {
                let state = &states.get(&entry.flow_id)?.state;
                Some((*position, notices_of(state, entry)))
            });
            Ok(notices.collect())
        })
    }
}

async fn take_measure<F: ServedFlow>(app: &App, debt: &Lapsing) -> Result<bool, StoreError> {
    /// A replica may be faster once; the second one finds nothing due.
    const ATTEMPTS: usize = 3;
    let Lapsing { tenant, flow_id, duty, unit, no, next_at, .. } = debt;
    let unknown = |what: &str| StoreError::Inconsistent(format!("{flow_id}: no {what}"));
    let known = Duty::parse(duty).ok_or_else(|| unknown("such duty"))?;
    let command = F::measure_command(known, *unit, *no);
    let command = command.ok_or_else(|| unknown("measures about its debts"))?;
    let at = next_at.timestamp_millis();
    let what = format!("measure\n{tenant}\n{flow_id}\n{duty}\n{unit}\n{no}\n{at}");
    for _ in 0..ATTEMPTS {
        match run_as_system::<F>(app, *tenant, *flow_id, &command, |_| what.clone()).await? {
            Some(Outcome::Done) => return Ok(true),
            None => return Ok(false),
            Some(Outcome::Stale | Outcome::Seen | Outcome::NumberTaken) => {}
        }
    }
    let why = "its command was accepted before, and the measure is still due";
    Err(StoreError::Inconsistent(format!("{} {flow_id}: {why}", F::KIND.name())))
}

fn notices_of<F: ServedFlow>(state: &F, entry: &Entry) -> Vec<Notice> {
    match read_events::<F::Event>(&entry.events) {
        Ok(events) => events.iter().flat_map(|event| state.event_notices(event)).collect(),
        Err(error) => {
            let (flow, seq) = (entry.flow_id, entry.seq);
            tracing::error!(%flow, seq, %error, "an entry cannot be read; nobody is told of it");
            Vec::new()
        }
    }
}
