//! The end of the feed, in memory: read once a tenant for all listeners, however many there are.
//!
//! Every replica reads for its own listeners: at once when it committed something itself, and every
//! second for what others committed. Nothing is read where no one listens.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::web::Data;
use domain::core::id::TenantId;
use persistence::{StoreError, kernel::feed};
use tokio::sync::watch;

use super::{Event, cursor::Position};
use crate::app::state::App;

/// How many events are kept: a reader that falls behind further reads from the database.
const KEPT: usize = 2000;

/// How many entries are read at once.
const WINDOW: i64 = 500;

/// How long news is collected before listeners are woken, so that a burst is read a few times and
/// not once an entry.
const PAUSE: Duration = Duration::from_millis(50);

/// The ends of all feeds that have listeners.
#[derive(Default)]
pub struct Tails(Mutex<HashMap<TenantId, Arc<Tail>>>);

/// The end of one feed.
pub struct Tail {
    kept: Mutex<EventWindow>,
    news: watch::Sender<i64>,
}

/// The events kept: everything after `from`, up to `to`.
struct EventWindow {
    from: i64,
    to: i64,
    events: VecDeque<Arc<Event>>,
}

/// The events after a place.
pub enum Behind {
    /// These events, and the place after them.
    Events(Vec<Arc<Event>>, Position),
    /// No event after the place yet.
    Nothing,
    /// More events than are kept.
    TooMuch,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tails {
    /// Listens to the feed of a tenant; its end is kept in memory as long as anyone listens.
    pub async fn listen_to(&self, app: &App, tenant: TenantId) -> Result<Listening, StoreError> {
        if let Some(tail) = lock(&self.0).get(&tenant) {
            return Ok(Listening::subscribe_to(tail));
        }
        let end = app.store.read(move |db| feed::load_end(db, tenant)).await?;
        let kept = EventWindow { from: end, to: end, events: VecDeque::new() };
        let new = Arc::new(Tail { kept: Mutex::new(kept), news: watch::Sender::new(end) });
        Ok(Listening::subscribe_to(lock(&self.0).entry(tenant).or_insert(new)))
    }

    fn active_tails(&self) -> Vec<(TenantId, Arc<Tail>)> {
        let mut tails = lock(&self.0);
        tails.retain(|_, tail| tail.news.receiver_count() > 0);
        tails.iter().map(|(tenant, tail)| (*tenant, Arc::clone(tail))).collect()
    }
}

/// One listener to the feed of a tenant.
pub struct Listening {
    tail: Arc<Tail>,
    news: watch::Receiver<i64>,
}

impl Listening {
    fn subscribe_to(tail: &Arc<Tail>) -> Self {
        Self { tail: Arc::clone(tail), news: tail.news.subscribe() }
    }

    /// Waits until there is more.
    pub async fn wait_for_news(&mut self) {
        // This holds the sender, too: it cannot be gone.
        let _ = self.news.changed().await;
    }

    /// The events after a place, at most about `limit`.
    pub fn read_after(&self, position: Position, limit: usize) -> Behind {
        let kept = lock(&self.tail.kept);
        if position.last_whole_entry() < kept.from {
            return Behind::TooMuch;
        }
        let first = kept.events.partition_point(|event| !position.is_before(event));
        let events: Vec<_> = kept.events.iter().skip(first).take(limit).cloned().collect();
        let all = kept.events.len() - first <= limit;
        let end = Position::after_entry(kept.to);
        let until =
            if all { end } else { events.last().map_or(end, |event| Position::after_event(event)) };
        if until <= position { Behind::Nothing } else { Behind::Events(events, until) }
    }
}

/// Reads for all listeners, until the store is closed.
pub async fn run(app: Data<App>) {
    let mut stirred = app.store.commit_signal();
    loop {
        let stir = tokio::time::timeout(Duration::from_secs(1), stirred.changed()).await;
        if matches!(stir, Ok(Err(_))) {
            return;
        }
        for (tenant, tail) in app.memory.get_or_default::<Tails>().active_tails() {
            match extend_tail(&app, tenant, &tail).await {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => tracing::warn!(%error, "the feed cannot be read for listeners"),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn extend_tail(app: &App, tenant: TenantId, tail: &Tail) -> Result<(), StoreError> {
    loop {
        let to = lock(&tail.kept).to;
        let stretch = super::load_after(app, tenant, to, WINDOW).await?;
        let Some(until) = stretch.until else { return Ok(()) };
        let mut kept = lock(&tail.kept);
        kept.events.extend(stretch.events);
        kept.to = until;
        while kept.events.len() > KEPT {
            if let Some(gone) = kept.events.pop_front() {
                kept.from = gone.position;
            }
        }
        drop(kept);
        tail.news.send_replace(until);
        if !stretch.more {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(from: i64, to: i64) -> Arc<Tail> {
        let kept = EventWindow { from, to, events: VecDeque::new() };
        Arc::new(Tail { kept: Mutex::new(kept), news: watch::Sender::new(to) })
    }

    #[test]
    fn whoever_fell_back_further_than_what_is_kept_is_told_so() {
        let listening = Listening::subscribe_to(&tail(100, 200));
        let behind = |entry| listening.read_after(Position::after_entry(entry), 10);
        assert!(matches!(behind(99), Behind::TooMuch));
        assert!(matches!(behind(200), Behind::Nothing));
        let Behind::Events(events, until) = behind(100) else { panic!("there is something") };
        assert!(events.is_empty());
        assert_eq!(until, Position::after_entry(200));
    }

    #[test]
    fn a_tail_is_kept_while_somebody_listens() {
        let tails = Tails::default();
        let (tenant, tail) = (TenantId(uuid::Uuid::nil()), tail(0, 0));
        lock(&tails.0).insert(tenant, Arc::clone(&tail));
        let listening = Listening::subscribe_to(&tail);
        assert_eq!(tails.active_tails().len(), 1);
        drop(listening);
        assert_eq!(tails.active_tails().len(), 0);
    }
}
