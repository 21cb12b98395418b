//! What it costs to know who asks: an access token checked in memory, and reads while many
//! people log in.

use std::{
    hint::black_box,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use api::app::{
    clock::{Clock, new_id},
    scope::Scopes,
    token::{Claims, ISSUER, Keys, Ring, SigningKey},
};
use domain::core::id::{PersonId, TenantId};
use serde_json::json;

use crate::{
    load::{Load, Until, drive},
    results::{Budget, Results, shown},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, float, median, say, trouble},
};

/// Tokens that are checked in turn, as those of many people are.
const TOKENS: u64 = 1_000;

/// Checks tokens that were seen before and tokens that were not, on one core.
pub(crate) fn check(rounds: u32, results: &mut Results) -> Done {
    const CHECKS: u64 = 200_000;
    let now = Clock::default().now();
    let keys =
        || Keys::new(Ring::new(vec![SigningKey::new(new_id(), &[7; 32], now, None)]), ISSUER);
    let iat = now.timestamp();
    let claims = || Claims {
        sub: PersonId(new_id()),
        tid: TenantId(new_id()),
        sid: new_id(),
        iat,
        exp: iat + 36_000,
        scope: Scopes::parse("read"),
    };
    let (mut known, mut fresh) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let keys = keys();
        let issue = |_| keys.issue(&claims()).map_err(|problem| trouble(problem.to_string()));
        let tokens = (0..TOKENS).map(issue).collect::<Done<Vec<_>>>()?;
        let each = |checks: u64| {
            let begun = Instant::now();
            let mut good = 0_u64;
            for (token, _) in tokens.iter().cycle().zip(0..checks) {
                good += u64::from(black_box(keys.verify(token, now)).is_ok());
            }
            (good == checks)
                .then(|| begun.elapsed().as_secs_f64() * 1e6 / float(checks))
                .ok_or_else(|| trouble("a good token was refused"))
        };
        fresh.push(each(TOKENS)?);
        known.push(each(CHECKS)?);
    }
    let detail = format!("{TOKENS} tokens in turn; {} µs the first time", shown(median(&fresh)));
    let limit = (Budget::AtMost, 20.0, " µs");
    results.against("access token checked", limit, median(&known), detail);
    say(&format!(
        "token checked: {} µs, first {} µs",
        shown(median(&known)),
        shown(median(&fresh))
    ));
    Ok(())
}

/// Reads for some time.
async fn read(at: &Open, clients: u32, time: Duration) -> Done<Load> {
    let desk = at.desk.clone();
    drive(&at.server, clients, Until::Time(time), Rc::new(move |number| desk.inbox(number))).await
}

/// People who log in one after the other, as fast as they are let, until told to stop.
struct Storm {
    over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Storm {
    fn begin(at: &Open, password: &str) -> Self {
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let url = format!("http://{}/api/v1/auth/login", at.server.address);
        let body = json!({ "tenant": "4202", "account": "rexian", "password": password });
        let threads = (0..8).map(|_| {
            let (over, done) = (Arc::clone(&over), Arc::clone(&done));
            let (url, body) = (url.clone(), body.to_string());
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let sent = ureq::post(&url).content_type("application/json").send(&body);
                    done.fetch_add(u64::from(sent.is_ok()), Ordering::Relaxed);
                }
            })
        });
        let threads = threads.collect();
        Self { over, done, threads }
    }

    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // A thread that failed logged no one in; the count shows it.
            let _ = thread.join();
        }
        self.done.load(Ordering::Relaxed)
    }
}

/// The slowest of a hundred reads, without and with a storm of logins.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let (time, clients) = (stand.options.time(), stand.options.clients.min(8));
    let at = stand.postgres(PLAIN).await?;
    read(&at, clients, Duration::from_millis(500)).await?;
    let (mut ratios, mut calm, mut stormy, mut logins) = (vec![], vec![], vec![], vec![]);
    for _ in 0..stand.options.rounds() {
        let without = read(&at, clients, time).await?;
        let storm = Storm::begin(&at, &stand.town.password);
        let with = read(&at, clients, time).await;
        logins.push(float(storm.end()) / time.as_secs_f64());
        let with = with?;
        calm.push(without.latency_ms(99));
        stormy.push(with.latency_ms(99));
        ratios.push(with.latency_ms(99) / without.latency_ms(99).max(0.001));
    }
    let detail = format!(
        "p99 {} ms without, {} ms beside {} logins/s; {clients} readers",
        shown(median(&calm)),
        shown(median(&stormy)),
        shown(median(&logins)),
    );
    let limit = (Budget::AtMost, 2.0, " ×");
    results.against("reads during a storm of logins", limit, median(&ratios), detail);
    Ok(())
}
