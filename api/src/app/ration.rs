//! The limits of one person on a server that all share: a bucket for each kind of good, and seats
//! for what lasts. A caller who took more than the share learns when to retry; no one else is
//! affected.
//!
//! The numbers are settings ([`crate::app::config::Limits`]). Requests of programs are counted by
//! their own quota ([`crate::app::quota`]); what they send and hold is counted here as well.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{HttpMessage, HttpRequest, http::Method};
use domain::{
    Instant,
    core::id::{PersonId, TenantId},
    flows::media::is_of_public,
    people::actor::Actor,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    app::{
        allowance::{Allowance, Buckets, THOUSAND, too_many_requests},
        config::{Limits, Rate, Rations},
    },
    http::problem::{Problem, Reply},
};

/// The goods that have a bucket each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Good {
    /// Requests that write (POST), except the queue of a phone and files.
    Commands,
    /// All other requests, those with queues and files too.
    Reads,
    /// Requests that end logins and identities, beyond the share of commands and reads. Each login
    /// has its own bucket: a thief cannot use up the owner's.
    Defences,
    /// Copies of a person's own data.
    Exports,
    /// Files and pieces of them.
    Uploads,
    /// Their bytes, in millions.
    Megabytes,
    /// Picture elements, in millions.
    Megapixels,
}

impl Good {
    const fn name(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Reads => "reads",
            Self::Defences => "defences",
            Self::Exports => "exports",
            Self::Uploads => "uploads",
            Self::Megabytes => "megabytes",
            Self::Megapixels => "megapixels",
        }
    }

    const fn rate_from(self, rations: &Rations) -> Rate {
        match self {
            Self::Commands => rations.commands,
            Self::Reads => rations.reads,
            Self::Defences => DEFENCES,
            Self::Exports => rations.exports,
            Self::Uploads => rations.uploads,
            Self::Megabytes => rations.megabytes,
            Self::Megapixels => rations.megapixels,
        }
    }

    const fn refusal_text(self) -> (&'static str, &'static str) {
        match self {
            Self::Commands => {
                ("您短时间内提交的操作过多", "You sent too many commands in a short time")
            }
            Self::Reads | Self::Defences => {
                ("您短时间内的请求过多", "You sent too many requests in a short time")
            }
            Self::Exports => {
                ("您短时间内导出次数过多", "You started too many exports in a short time")
            }
            Self::Uploads => {
                ("您短时间内上传的文件过多", "You uploaded too many files in a short time")
            }
            Self::Megabytes => {
                ("您短时间内上传的数据过多", "You uploaded too much data in a short time")
            }
            Self::Megapixels => (
                "您短时间内上传的大幅照片过多",
                "You uploaded too many large photos in a short time",
            ),
        }
    }
}

/// The owner of a share: the tenant and the person.
type Who = (TenantId, PersonId);

/// An open stream: its number, and the channel that tells it to end.
type Open = (u64, watch::Sender<bool>);

/// The open streams of all people.
type Streams = Arc<Mutex<(u64, HashMap<Who, Vec<Open>>)>>;

/// What all people took and hold.
pub struct Rationed {
    limits: Limits,
    buckets: Mutex<Buckets<(Who, Good)>>,
    /// Buckets for requests that end logins, by login.
    defences: Mutex<Buckets<Uuid>>,
    /// The refusals in a row of each person.
    refused: Mutex<HashMap<Who, u32>>,
    sending: Arc<Mutex<HashMap<Who, u32>>>,
    /// When all bytes of a person would have arrived at the permitted pace.
    paces: Mutex<HashMap<Who, tokio::time::Instant>>,
    streams: Streams,
}

/// Shutting a thief out works when the share is used up: enough for the owner who does it by hand,
/// however many others hold a token.
const DEFENCES: Rate = Rate { at_once: 60, an_hour: 3_600 };

/// The delay of a refusal, times the refusals in a row: a client that waits for answers before it
/// asks again cannot keep the server busy with refusals, and one that heeds `Retry-After` hardly
/// notices.
const REFUSED_AFTER: Duration = Duration::from_millis(200);

/// The pace at which the bytes of one person's files are taken, in bytes a second: faster than
/// telephones send, and slow enough that hashing and storing them leave the processors and the disk
/// to others.
const PACE: u64 = 16_000_000;

/// How far ahead of that pace bytes may come: photos are not slowed down.
const AHEAD: Duration = Duration::from_millis(1_250);

/// The most refusals in a row that lengthen the delay.
const MOST_REFUSALS: u32 = 10;

impl Rationed {
    /// The most buckets kept: six for each of 30,000 people.
    const MOST: usize = 180_000;
    /// The most people whose pace is kept.
    const MOST_PACED: usize = 50_000;
    /// The most logins with a bucket of their own.
    const MOST_DEFENDED: usize = 50_000;

    /// Full shares for everybody, within these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buckets: Mutex::new(Buckets::new(Self::MOST)),
            defences: Mutex::new(Buckets::new(Self::MOST_DEFENDED)),
            refused: Mutex::default(),
            sending: Arc::default(),
            paces: Mutex::default(),
            streams: Arc::default(),
        }
    }

    /// The limits of an actor.
    pub fn rations_of(&self, actor: &Actor, now: Instant) -> &Rations {
        if is_of_public(actor, now) { &self.limits.residents } else { &self.limits.staff }
    }

    /// Takes one of a good.
    pub fn take_one(&self, actor: &Actor, good: Good, now: Instant) -> Reply<Allowance> {
        self.take_parts(actor, good, THOUSAND, now)
    }

    /// Takes this many thousandths of a good.
    pub fn take_parts(
        &self,
        actor: &Actor,
        good: Good,
        thousandths: i64,
        now: Instant,
    ) -> Reply<Allowance> {
        let (key, rate) = ((actor_key(actor), good), good.rate_from(self.rations_of(actor, now)));
        let taken = lock_mutex(&self.buckets).take(key, (good.name(), rate), thousandths, now);
        taken.map_err(|refused| build_refusal(good, refused))
    }

    /// Takes one request that ends logins from the login's own bucket.
    fn take_defence(&self, session: Uuid, now: Instant) -> Reply<Allowance> {
        let good = Good::Defences;
        let taken =
            lock_mutex(&self.defences).take(session, (good.name(), DEFENCES), THOUSAND, now);
        taken.map_err(|refused| build_refusal(good, refused))
    }

    /// Gives back what was taken and not needed.
    pub fn give_back(&self, actor: &Actor, good: Good, thousandths: i64, now: Instant) {
        let rate = good.rate_from(self.rations_of(actor, now));
        lock_mutex(&self.buckets).give_back(&(actor_key(actor), good), rate, thousandths, now);
    }

    /// Counts a caller's request by the login it belongs to. Refusals are delayed a little.
    pub async fn count_request(
        &self,
        request: &HttpRequest,
        (actor, session): (&Actor, Uuid),
        now: Instant,
    ) -> Reply<()> {
        let taken = self.take_one(actor, good_of(request), now);
        // A used-up share keeps no one from ending the logins that used it up.
        let taken = taken.or_else(|refused| {
            if is_defence(request) { self.take_defence(session, now) } else { Err(refused) }
        });
        match taken {
            Ok(allowance) => {
                lock_mutex(&self.refused).remove(&actor_key(actor));
                request.extensions_mut().insert(allowance);
                Ok(())
            }
            Err(problem) => {
                let times = self.count_refusal(actor);
                tokio::time::sleep(REFUSED_AFTER * times).await;
                Err(problem)
            }
        }
    }

    /// Counts a refusal; answers how many there were in a row, up to a bound.
    fn count_refusal(&self, actor: &Actor) -> u32 {
        let mut refused = lock_mutex(&self.refused);
        if refused.len() >= Self::MOST {
            refused.clear();
        }
        let times = refused.entry(actor_key(actor)).or_default();
        *times = times.saturating_add(1).min(MOST_REFUSALS);
        *times
    }

    /// A seat for a file that is being sent, held until it has arrived.
    pub fn begin_sending(&self, actor: &Actor, now: Instant) -> Reply<Sending> {
        let (who, most) = (actor_key(actor), self.rations_of(actor, now).sending);
        let mut sending = lock_mutex(&self.sending);
        let count = sending.entry(who).or_insert(0);
        if *count >= most {
            return Err(too_many_uploads(most));
        }
        *count += 1;
        Ok(Sending { all: Arc::clone(&self.sending), who })
    }

    /// Waits until an actor's next bytes are read: those who send faster than the pace are slowed
    /// down by that, however many files they send at once.
    pub async fn pace_upload(&self, actor: &Actor, bytes: u64) {
        let due = {
            let now = tokio::time::Instant::now();
            let mut paces = lock_mutex(&self.paces);
            if paces.len() >= Self::MOST_PACED {
                paces.retain(|_, due| *due > now);
            }
            let due = paces.entry(actor_key(actor)).or_insert(now);
            *due = due_after(*due, now, bytes);
            *due
        };
        if let Some(early) = due.checked_sub(AHEAD) {
            tokio::time::sleep_until(early).await;
        }
    }

    /// A seat for a stream. When an actor has the most there may be, the oldest ends: often it is a
    /// connection that broke unnoticed.
    pub fn begin_streaming(&self, actor: &Actor, now: Instant) -> Streaming {
        let (who, most) = (actor_key(actor), self.rations_of(actor, now).streams);
        let most = usize::try_from(most).unwrap_or(1).max(1);
        let mut streams = lock_mutex(&self.streams);
        streams.0 += 1;
        let number = streams.0;
        let (end, ended) = watch::channel(false);
        let own = streams.1.entry(who).or_default();
        while own.len() >= most {
            own.remove(0).1.send_replace(true);
        }
        own.push((number, end));
        Streaming { all: Arc::clone(&self.streams), who, number, ended }
    }
}

fn build_refusal(good: Good, (allowance, wait): (Allowance, u32)) -> Problem {
    let (zh, en) = good.refusal_text();
    allowance.into_problem(wait, zh, en)
}

fn lock_mutex<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn actor_key(actor: &Actor) -> Who {
    (actor.tenant, actor.person)
}

/// The good a request counts as. Files and queues are counted where they are read: a queue by its
/// commands.
fn good_of(request: &HttpRequest) -> Good {
    let path = request.path();
    let elsewhere = path == "/api/v1/sync"
        || path == "/api/v1/media"
        || (path.starts_with("/api/v1/media_uploads/") && path.ends_with("/append"));
    let writes = request.method() == Method::POST;
    if writes && !elsewhere { Good::Commands } else { Good::Reads }
}

/// Whether a request reads the caller's own logins, ends some, or closes the account.
fn is_defence(request: &HttpRequest) -> bool {
    let path = request.path().strip_prefix("/api/v1").unwrap_or_default();
    ["/auth/logout", "/me/sessions", "/me/identities", "/me/password", "/me/erasure"]
        .iter()
        .any(|begin| path.starts_with(begin))
}

fn too_many_uploads(most: u32) -> Problem {
    const WAIT: u32 = 5;
    too_many_requests(
        WAIT,
        format!("您已有 {most} 个文件正在上传，请等其中一个传完后再试。"),
        format!(
            "You already have {most} files being uploaded; wait until one of them is complete, \
             then try again."
        ),
    )
    .with("limit", "sending")
}

/// A file that is being sent.
pub struct Sending {
    all: Arc<Mutex<HashMap<Who, u32>>>,
    who: Who,
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut all = lock_mutex(&self.all);
        match all.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                all.remove(&self.who);
            }
        }
    }
}

/// A stream that is open.
pub struct Streaming {
    all: Streams,
    who: Who,
    number: u64,
    ended: watch::Receiver<bool>,
}

impl Streaming {
    /// Whether it was ended for a newer one.
    pub fn is_over(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until it is ended for a newer one.
    pub async fn wait_until_over(&mut self) {
        // The sender is dropped only after it has told the stream to end.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let mut all = lock_mutex(&self.all);
        if let Some(own) = all.1.get_mut(&self.who) {
            own.retain(|(number, _)| *number != self.number);
            if own.is_empty() {
                all.1.remove(&self.who);
            }
        }
    }
}

/// When so many more bytes would have arrived at the permitted pace.
fn due_after(
    due: tokio::time::Instant,
    now: tokio::time::Instant,
    bytes: u64,
) -> tokio::time::Instant {
    due.max(now) + Duration::from_micros(bytes.saturating_mul(1_000_000) / PACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_come_faster_than_the_pace_wait_for_it() {
        let start = tokio::time::Instant::now();
        let wait = |due: tokio::time::Instant| due.checked_sub(AHEAD).map(|early| early - start);
        let photo = due_after(start, start, 19_000_000);
        assert_eq!(wait(photo), Some(Duration::ZERO), "a photo is not slowed down");
        let second = due_after(photo, start, 19_000_000);
        assert_eq!(wait(second), Some(Duration::from_millis(1_125)));
        // An unused share is not saved up.
        let later = start + Duration::from_mins(1);
        assert_eq!(due_after(second, later, 16_000_000), later + Duration::from_secs(1));
    }
}
