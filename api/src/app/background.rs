//! Threads for long work that must not delay others: the system gives them the processor only when
//! the threads that answer requests leave some.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The niceness of the threads: the highest there is, a sixtieth of the share of others.
const NICENESS: i32 = 19;

/// A few threads and their queue. They end when their last handle is dropped.
#[derive(Clone, Debug)]
pub struct Background {
    jobs: Sender<Job>,
}

impl Background {
    /// Starts this many threads of this name.
    pub fn start(name: &str, threads: usize) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || run_jobs(&waiting))?;
        }
        Ok(Self { jobs })
    }

    /// The result of `work`, done on one of the threads; none when it panicked.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Option<R> {
        let (reply, answer) = oneshot::channel();
        // The caller may have gone away.
        self.submit_job(move || drop(reply.send(work())));
        answer.await.ok()
    }

    /// Queues `work` for one of the threads.
    pub fn submit_job(&self, work: impl FnOnce() + Send + 'static) {
        // The threads outlive every sender, so this does not fail.
        let _ = self.jobs.send(Box::new(work));
    }
}

fn run_jobs(waiting: &Mutex<Receiver<Job>>) {
    // On Linux this affects the thread alone. Where it is not allowed, the work is done all the
    // same.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "cannot lower the priority of a thread");
    }
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A job that panics drops its reply; the thread goes on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn work_comes_back_and_a_panic_costs_only_itself() {
        let background = Background::start("test", 1).unwrap();
        assert_eq!(background.run(|| 6 * 7).await, Some(42));
        assert_eq!(background.run(|| panic!("on purpose")).await, None::<()>);
        assert_eq!(background.run(|| 7).await, Some(7));
    }

    #[cfg(target_os = "linux")]
    #[actix_web::test]
    async fn its_threads_come_after_others() {
        let own = || rustix::process::nice(0).unwrap();
        let background = Background::start("test", 2).unwrap();
        let before = own();
        assert_eq!(background.run(own).await, Some((before + NICENESS).min(19)));
        assert_eq!(own(), before);
    }
}
