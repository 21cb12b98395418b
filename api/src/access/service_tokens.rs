//! Access tokens of other services that all replicas share: fetched by the replica that takes the
//! lease in the database, and sealed there. WeChat allows few of them, and each new one ends the
//! last.

use std::time::Duration;

use chrono::Duration as Span;
use persistence::{
    StoreError,
    people::identity::{self, Shared},
};

use crate::{
    app::{outbound::outside_unavailable, state::App},
    http::problem::Reply,
};

/// A token this close to its expiry is fetched anew.
const EARLY: Span = Span::minutes(1);

/// How long the replica that fetches may take before the lease is free for another.
const LEASE: Span = Span::seconds(10);

/// How often, and how many times, the others look for it.
const LOOKS: (Duration, usize) = (Duration::from_millis(100), 80);

/// A token as it was fetched: the text and its lifetime in seconds.
pub type Fetched = (String, i64);

/// The token of this name. `stale` is one that was refused although it should work: another one is
/// fetched in its place. The argument of `fetch` says whether the present one must not be returned
/// again.
pub async fn obtain_token(
    app: &App,
    name: &str,
    stale: Option<&str>,
    fetch: impl AsyncFn(bool) -> Reply<Fetched>,
) -> Reply<String> {
    let purpose = format!("token {name}");
    for _ in 0..LOOKS.1 {
        let asked = name.to_owned();
        let now = app.clock.now();
        let known = app.store.read(move |db| identity::load_shared_token(db, &asked)).await?;
        let good = known.filter(|shared| shared.expires_at > now + EARLY);
        let opened = good.and_then(|shared| app.seal.open(&purpose, &shared.token));
        let opened = opened.and_then(|token| String::from_utf8(token).ok());
        if let Some(token) = opened.filter(|token| Some(token.as_str()) != stale) {
            return Ok(token);
        }
        if take_lease(app, name).await? {
            return fetch_token(app, name, &purpose, stale, &fetch).await;
        }
        tokio::time::sleep(LOOKS.0).await;
    }
    Err(outside_unavailable("nobody fetched the shared token in time"))
}

async fn take_lease(app: &App, name: &str) -> Reply<bool> {
    let (name, now) = (name.to_owned(), app.clock.now());
    match app.store.run(identity::lease_shared_token(name, now, now + LEASE)).await {
        // Two replicas at the same moment, the first time: the other has the lease.
        Err(StoreError::Exists(_)) => Ok(false),
        taken => Ok(taken?),
    }
}

async fn fetch_token(
    app: &App,
    name: &str,
    purpose: &str,
    stale: Option<&str>,
    fetch: &impl AsyncFn(bool) -> Reply<Fetched>,
) -> Reply<String> {
    let mut got = fetch(false).await;
    if let (Ok((token, _)), Some(stale)) = (&got, stale)
        && token == stale
    {
        got = fetch(true).await;
    }
    let now = app.clock.now();
    let sealed = match &got {
        Ok((token, seconds)) => {
            let expires_at = now + Span::seconds((*seconds).clamp(0, 86_400));
            Some(Shared { token: app.seal.seal(purpose, token.as_bytes())?, expires_at })
        }
        Err(_) => None,
    };
    let name = name.to_owned();
    app.store.run(identity::save_shared_token(name, sealed)).await?;
    got.map(|(token, _)| token)
}
