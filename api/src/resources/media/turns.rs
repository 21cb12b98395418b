//! A fair queue of work: a long queue of one owner delays only that owner.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::app::background::Background;

type Job = Box<dyn FnOnce() + Send>;

/// The queued jobs of each owner, in the order of their turns.
struct Turns<K>(VecDeque<(K, VecDeque<Job>)>);

impl<K: Eq> Turns<K> {
    fn push(&mut self, whose: K, job: Job) {
        match self.0.iter_mut().find(|(one, _)| *one == whose) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.0.push_back((whose, VecDeque::from([job]))),
        }
    }

    /// The next job; its owner's turn comes after all others.
    fn next_job(&mut self) -> Option<Job> {
        let (whose, mut jobs) = self.0.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.0.push_back((whose, jobs));
        }
        job
    }
}

/// How many times as long as its job a resting thread rests after it, and for how long at most.
const REST: u32 = 3;
const MOST_REST: Duration = Duration::from_secs(5);

/// A few threads that work for the owners in turn.
pub(super) struct Lane<K> {
    threads: Background,
    turns: Arc<Mutex<Turns<K>>>,
    rests: bool,
}

impl<K: Eq + Send + 'static> Lane<K> {
    /// Starts this many threads of this name.
    pub(super) fn start(name: &str, threads: usize) -> std::io::Result<Self> {
        let turns = Arc::new(Mutex::new(Turns(VecDeque::new())));
        Ok(Self { threads: Background::start(name, threads)?, turns, rests: false })
    }

    /// The lane with threads that rest after each job three times as long as it took, at most five
    /// seconds: they take a quarter of a core each, however much is waiting. Low priority alone does
    /// not do it: Linux weighs it only against threads of the same control group or session, and a
    /// database beside the server is in another.
    pub(super) fn with_rests(self) -> Self {
        Self { rests: true, ..self }
    }

    /// The result of `work`, when it is the turn of `whose`; none when it panicked. It is not begun
    /// when no one waits for it any more.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        whose: K,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Option<R> {
        let (reply, answer) = oneshot::channel();
        let rests = self.rests;
        let job = move || {
            if reply.is_closed() {
                return;
            }
            let began = Instant::now();
            drop(reply.send(work()));
            if rests {
                std::thread::sleep(began.elapsed().saturating_mul(REST).min(MOST_REST));
            }
        };
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).push(whose, Box::new(job));
        let turns = Arc::clone(&self.turns);
        // As many jobs run as are submitted, whosever turn it is.
        self.threads.submit_job(move || {
            let next = turns.lock().unwrap_or_else(PoisonError::into_inner).next_job();
            if let Some(job) = next {
                job();
            }
        });
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_much_work_waits_for_the_own() {
        let (mut turns, done) = (Turns(VecDeque::new()), Arc::new(Mutex::new(String::new())));
        let letters = [(1, 'a'), (1, 'b'), (1, 'c'), (2, 'd'), (3, 'e'), (3, 'f')];
        for (whose, letter) in letters {
            let done = Arc::clone(&done);
            turns.push(whose, Box::new(move || done.lock().unwrap().push(letter)));
        }
        while let Some(job) = turns.next_job() {
            job();
        }
        assert_eq!(*done.lock().unwrap(), "adebfc");
    }

    #[actix_web::test]
    async fn a_lane_with_rests_works_a_quarter_of_the_time() {
        let lane = Lane::start("test", 1).unwrap().with_rests();
        let began = Instant::now();
        let work = || std::thread::sleep(Duration::from_millis(50));
        lane.run(1, work).await.unwrap();
        let first = began.elapsed();
        lane.run(1, work).await.unwrap();
        assert!(first < Duration::from_millis(150), "the sender waits for the rest: {first:?}");
        assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    }

    #[actix_web::test]
    async fn a_panic_costs_only_itself() {
        let lane = Lane::start("test", 1).unwrap();
        assert_eq!(lane.run(1, || 6 * 7).await, Some(42));
        assert_eq!(lane.run(1, || panic!("on purpose")).await, None::<()>);
        assert_eq!(lane.run(2, || 7).await, Some(7));
    }
}
