//! The gate in front of logins: lets attempts through at once while there are few, and always those
//! of devices that logged in before; all others wait in the lanes of [`crate::app::limits`]. So
//! strangers who guess are slow, and an owner with the right password gets in, though all come from
//! one address.

use std::time::Duration;

use actix_web::HttpRequest;
use domain::{
    core::id::{PersonId, TenantId},
    flows::person::Person,
};
use persistence::{
    Db,
    people::{person as people, session as sessions},
};

use crate::{
    access::{device, session},
    app::{caller::Caller, limits, state::App},
    http::problem::Reply,
};

/// An attempt at an account.
#[derive(Clone, Copy)]
pub struct Entering<'a> {
    /// The request, for its address and its cookies.
    pub request: &'a HttpRequest,
    /// The tenant and account as they were typed.
    pub tried: &'a str,
    /// The owner of that account, where there is one.
    pub owner: Option<(TenantId, &'a Person)>,
    /// The device token that came with it.
    pub device: Option<&'a str>,
}

/// Who was let through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Passed {
    /// A client that presented no token of a known device, or needed none.
    Stranger,
    /// A device that logged in before, with the key under which its attempts are counted.
    Device(String),
}

/// Lets an attempt at an account through, when its turn has come.
pub async fn enter_account(app: &App, entering: Entering<'_>) -> Reply<Passed> {
    let Entering { request, tried, owner, device } = entering;
    let (now, address) = (app.clock.now(), limits::client_address(request, app.settings.proxies));
    if app.logins.count_attempt(address, tried, now) {
        return Ok(Passed::Stranger);
    }
    let owner = owner.map(|(tenant, person)| (tenant, person.id));
    if owner.is_some()
        && let Some(name) = device::count_attempt(app, request, device, owner).await?
    {
        return Ok(Passed::Device(name));
    }
    let nearby = match owner {
        Some((tenant, person)) => {
            let from = session::mask_address(address);
            let known = move |db: &mut Db| sessions::knows_address(db, tenant, person, &from);
            app.store.read(known).await?
        }
        None => false,
    };
    if nearby && app.logins.count_nearby_attempt(address, tried, now) {
        return Ok(Passed::Stranger);
    }
    wait_turn(app.logins.queue_attempt(address, tried, nearby, now)?).await;
    Ok(Passed::Stranger)
}

/// Lets a login through that an identity provider vouches for: it is no guess at one account.
pub async fn enter_vouched_login(
    app: &App,
    request: &HttpRequest,
    device: Option<&str>,
) -> Reply<()> {
    let (now, address) = (app.clock.now(), limits::client_address(request, app.settings.proxies));
    if app.logins.count_vouched_login(address, now)
        || device::count_attempt(app, request, device, None).await?.is_some()
    {
        return Ok(());
    }
    wait_turn(app.logins.queue_vouched_login(address, now)?).await;
    Ok(())
}

/// Lets a code for a person's second factor through, when its turn has come.
pub async fn enter_code(
    app: &App,
    request: &HttpRequest,
    (what, owner): (&str, (TenantId, PersonId)),
    device: Option<&str>,
) -> Reply<()> {
    let now = app.clock.now();
    if app.codes.count_named_attempt(what, now).is_ok()
        || device::count_attempt(app, request, device, Some(owner)).await?.is_some()
    {
        return Ok(());
    }
    wait_turn(app.codes.queue_code(what, now)?).await;
    Ok(())
}

async fn wait_turn(time: Duration) {
    if time > Duration::ZERO {
        tokio::time::sleep(time).await;
    }
}

/// Whether this is the password of the caller. Attempts are counted for the login they are made in:
/// a stranger with another login, even a stolen one, does not use up the owner's attempts.
pub async fn is_password(
    app: &App,
    caller: &Caller,
    person: &Person,
    given: String,
) -> Reply<bool> {
    app.codes.count_named_attempt(&format!("password {}", caller.session), app.clock.now())?;
    let (tenant, account) = (caller.tenant, person.account.as_str().to_owned());
    let known = app.store.read(move |db| people::find_by_account(db, tenant, &account)).await?;
    let known = known.and_then(|(_, password)| password).map(|password| password.hash);
    app.passwords.verify(given, known).await
}
