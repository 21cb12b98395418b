//! The metadata of a provider of OpenID Connect, and its keys: fetched once an hour, the keys also
//! when a token names an unknown one, but at most once a minute.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::Duration;
use domain::Instant;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde_json::Value;

use crate::{
    app::{
        config::Provider,
        outbound::{Call, Outbound, outside_unavailable},
        state::App,
    },
    http::problem::Reply,
};

/// The part of a provider's metadata that is used.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// The URL people are sent to.
    pub authorization_endpoint: String,
    /// The URL where a code is exchanged.
    pub token_endpoint: String,
    /// The URL of the keys.
    jwks_uri: String,
    /// Whether our secret goes into a header rather than the form.
    pub basic: bool,
}

/// The metadata of every provider, by its name, and when it was fetched.
#[derive(Default)]
pub struct Discoveries {
    documents: Mutex<HashMap<String, (Discovered, Instant)>>,
    keys: Mutex<HashMap<String, (JwkSet, Instant)>>,
}

const KEPT: Duration = Duration::hours(1);
const AGAIN: Duration = Duration::minutes(1);

fn read_address(document: &Value, name: &str) -> Reply<String> {
    let url = document.get(name).and_then(Value::as_str).unwrap_or_default();
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(url.to_owned());
    }
    Err(outside_unavailable(format!("the provider's document lacks {name}")))
}

/// The metadata of the provider.
pub async fn discover_provider(
    app: &App,
    outbound: &Outbound,
    provider: &Provider,
) -> Reply<Discovered> {
    let now = app.clock.now();
    let discoveries = app.memory.get_or_default::<Discoveries>();
    let lock = || discoveries.documents.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock().get(&provider.name).cloned();
    if let Some((known, _)) = known.filter(|(_, since)| now - *since < KEPT) {
        return Ok(known);
    }
    let issuer = provider.issuer.as_deref().unwrap_or_default();
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = outbound.make_call(Call::get(url)).await?.body;
    // Another issuer could vouch for people it does not know.
    if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(outside_unavailable("the provider's document names another issuer"));
    }
    let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    let basic = methods.is_none_or(|methods| methods.iter().any(|m| m == "client_secret_basic"));
    let found = Discovered {
        authorization_endpoint: read_address(&document, "authorization_endpoint")?,
        token_endpoint: read_address(&document, "token_endpoint")?,
        jwks_uri: read_address(&document, "jwks_uri")?,
        basic,
    };
    lock().insert(provider.name.clone(), (found.clone(), now));
    Ok(found)
}

fn find_key(keys: &JwkSet, kid: &str) -> Option<Jwk> {
    if kid.is_empty() {
        // A token may leave the key's name out where there is only one key.
        return keys.keys.first().filter(|_| keys.keys.len() == 1).cloned();
    }
    keys.find(kid).cloned()
}

/// The key with this name.
pub async fn fetch_key(
    app: &App,
    outbound: &Outbound,
    provider: &Provider,
    discovered: &Discovered,
    kid: &str,
) -> Reply<Option<Jwk>> {
    let now = app.clock.now();
    let discoveries = app.memory.get_or_default::<Discoveries>();
    let lock = || discoveries.keys.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock().get(&provider.name).cloned();
    if let Some((keys, since)) = known {
        let found = find_key(&keys, kid);
        let fresh = now - since < if found.is_some() { KEPT } else { AGAIN };
        if fresh {
            return Ok(found);
        }
    }
    let body = outbound.make_call(Call::get(discovered.jwks_uri.clone())).await?.body;
    let keys: JwkSet = serde_json::from_value(body)
        .map_err(|_malformed| outside_unavailable("the provider's keys cannot be read"))?;
    let found = find_key(&keys, kid);
    lock().insert(provider.name.clone(), (keys, now));
    Ok(found)
}
