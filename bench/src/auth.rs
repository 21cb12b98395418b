//! The cost of authentication: an access token checked in memory, and reads while many people log
//! in.

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
    token::{Claims, ISSUER, Keys, SigningKey, SigningKeys},
};
use domain::core::id::{PersonId, TenantId};
use serde_json::json;

use crate::{
    load::{Load, Until, drive_load},
    results::{Budget, Results, format_number},
    stand::{Open, PLAIN, Stand},
    trouble::{Done, median, new_trouble, print_line, to_float},
};

/// Tokens that are checked in turn, like those of many people.
const TOKENS: u64 = 1_000;

/// Checks tokens from the cache and tokens that are new, on one core.
pub(crate) fn measure_checks(rounds: u32, results: &mut Results) -> Done {
    const CHECKS: u64 = 200_000;
    let now = Clock::default().now();
    let keys = || {
        Keys::new(SigningKeys::new(vec![SigningKey::new(new_id(), &[7; 32], now, None)]), ISSUER)
    };
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
        let issue =
            |_| keys.issue_token(&claims()).map_err(|problem| new_trouble(problem.to_string()));
        let tokens = (0..TOKENS).map(issue).collect::<Done<Vec<_>>>()?;
        let each = |checks: u64| {
            let begun = Instant::now();
            let mut good = 0_u64;
            for (token, _) in tokens.iter().cycle().zip(0..checks) {
                good += u64::from(black_box(keys.verify_token(token, now)).is_ok());
            }
            (good == checks)
                .then(|| begun.elapsed().as_secs_f64() * 1e6 / to_float(checks))
                .ok_or_else(|| new_trouble("a good token was refused"))
        };
        fresh.push(each(TOKENS)?);
        known.push(each(CHECKS)?);
    }
    let detail =
        format!("{TOKENS} tokens in turn; {} µs the first time", format_number(median(&fresh)));
    let limit = (Budget::AtMost, 20.0, " µs");
    results.add_against("access token checked", limit, median(&known), detail);
    print_line(&format!(
        "token checked: {} µs, first {} µs",
        format_number(median(&known)),
        format_number(median(&fresh))
    ));
    Ok(())
}

/// Reads the inbox for some time.
async fn drive_inbox(at: &Open, clients: u32, time: Duration) -> Done<Load> {
    let desk = at.desk.clone();
    drive_load(
        &at.server,
        clients,
        Until::Time(time),
        Rc::new(move |number| desk.inbox_turn(number)),
    )
    .await
}

/// People who log in one after the other, as fast as they are let, until stopped.
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

/// Measures the slowest of a hundred reads, without and with a storm of logins.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let (time, clients) = (stand.options.time(), stand.options.clients.min(8));
    let at = stand.serve_postgres(PLAIN).await?;
    drive_inbox(&at, clients, Duration::from_millis(500)).await?;
    let (mut ratios, mut calm, mut stormy, mut logins) = (vec![], vec![], vec![], vec![]);
    for _ in 0..stand.options.rounds() {
        let without = drive_inbox(&at, clients, time).await?;
        let storm = Storm::begin(&at, &stand.town.password);
        let with = drive_inbox(&at, clients, time).await;
        logins.push(to_float(storm.end()) / time.as_secs_f64());
        let with = with?;
        calm.push(without.latency_ms(99));
        stormy.push(with.latency_ms(99));
        ratios.push(with.latency_ms(99) / without.latency_ms(99).max(0.001));
    }
    let detail = format!(
        "p99 {} ms without, {} ms beside {} logins/s; {clients} readers",
        format_number(median(&calm)),
        format_number(median(&stormy)),
        format_number(median(&logins)),
    );
    let limit = (Budget::AtMost, 2.0, " ×");
    results.add_against("reads during a storm of logins", limit, median(&ratios), detail);
    Ok(())
}
