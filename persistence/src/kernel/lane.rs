//! Lanes: queues whose workers are threads that each own one connection. No pool, no thread switch
//! per query, and back-pressure in one place: the length of the queue.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use crate::kernel::error::StoreError;

/// A queue with its workers.
pub(crate) struct Lane<J> {
    shared: Arc<Shared<J>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared<J> {
    queue: Mutex<Queue<J>>,
    wake: Condvar,
    most: usize,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    closed: bool,
}

/// The bounds of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// The most jobs a worker takes at once.
    pub(crate) batch: usize,
    /// The most jobs that wait.
    pub(crate) waiting: usize,
}

impl<J: Send + 'static> Lane<J> {
    /// Starts the workers; `work` gets a worker's own context and the jobs it took.
    pub(crate) fn start<C: Send + 'static>(
        name: &str,
        size: Size,
        contexts: Vec<C>,
        work: impl Fn(&mut C, Vec<J>) + Send + Copy + 'static,
    ) -> std::io::Result<Self> {
        let queue = Mutex::new(Queue { jobs: VecDeque::new(), closed: false });
        let shared = Arc::new(Shared { queue, wake: Condvar::new(), most: size.waiting });
        let mut workers = Vec::with_capacity(contexts.len());
        for (index, mut context) in contexts.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            let run = move || {
                while let Some(jobs) = shared.take_jobs(size.batch) {
                    work(&mut context, jobs);
                }
            };
            workers.push(std::thread::Builder::new().name(format!("{name}-{index}")).spawn(run)?);
        }
        Ok(Self { shared, workers: Mutex::new(workers) })
    }

    /// Adds a job, unless too many wait or the lane is closed.
    pub(crate) fn push(&self, job: J) -> Result<(), StoreError> {
        let mut queue = self.shared.lock();
        if queue.closed {
            return Err(StoreError::Closed);
        }
        if queue.jobs.len() >= self.shared.most {
            return Err(StoreError::Overloaded);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Finishes the waiting jobs, accepts no more, and ends the workers.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
        let workers =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // A worker that panicked has nothing left to finish.
            let _ = worker.join();
        }
    }
}

impl<J> Shared<J> {
    fn lock(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_jobs(&self, most: usize) -> Option<Vec<J>> {
        let queue = self.lock();
        let idle = |queue: &mut Queue<J>| queue.jobs.is_empty() && !queue.closed;
        let mut queue = self.wake.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner);
        if queue.jobs.is_empty() {
            return None;
        }
        let count = queue.jobs.len().min(most);
        Some(queue.jobs.drain(..count).collect())
    }
}
