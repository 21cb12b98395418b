//! Devices that logged in before: the token they present so that strangers who try at the same
//! account, even from the same address, do not delay its owner.
//!
//! A device token names the login it was issued at and carries a digest that only this server can
//! make. It opens nothing: it gives a device attempts of its own, beside those of everybody else.
//! It is void once that login was ended by a person who distrusts it. Browsers keep it as a cookie;
//! programs without cookies send it with the login.

use actix_web::{
    HttpRequest,
    http::header::{COOKIE, HeaderMap},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::core::id::{PersonId, TenantId};
use persistence::people::session;
use uuid::Uuid;

use crate::{
    app::{secret_box::SecretBox, state::App},
    http::problem::Reply,
};

/// The name of the cookie.
const COOKIE_NAME: &str = "gridwhistle_device";

/// The most tokens in a cookie: several people may share a computer.
const MOST: usize = 6;

/// How long a token is: two identities and half a digest, in base64.
const LENGTH: usize = 64;

/// A login at which a device was given a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Device {
    /// The tenant of that login.
    pub tenant: TenantId,
    /// The login at which the device got its token.
    pub session: Uuid,
}

fn compute_digest(seal: &SecretBox, named: &[u8]) -> Vec<u8> {
    let mut digest = seal.compute_digest("device", named);
    digest.truncate(16);
    digest
}

impl Device {
    /// The token of this device.
    pub fn to_token(self, seal: &SecretBox) -> String {
        let named = [&self.tenant.0.as_bytes()[..], self.session.as_bytes()].concat();
        let digest = compute_digest(seal, &named);
        BASE64_URL_SAFE_NO_PAD.encode([named, digest].concat())
    }

    /// Parses a device token; none when it was not made here.
    pub fn parse(seal: &SecretBox, text: &str) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (named, given) = bytes.split_at_checked(32)?;
        // Half a digest under a secret key: a timing attack gains nothing, but comparing in
        // constant time costs nothing either.
        let wrong =
            compute_digest(seal, named).iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
        if wrong != 0 || given.len() != 16 {
            return None;
        }
        let (tenant, session) = named.split_at_checked(16)?;
        let tenant = TenantId(Uuid::from_slice(tenant).ok()?);
        Some(Self { tenant, session: Uuid::from_slice(session).ok()? })
    }

    /// The owner of the device; none when that login was ended by a person who distrusts it.
    async fn load_owner(self, app: &App) -> Reply<Option<PersonId>> {
        let Self { tenant, session } = self;
        Ok(app.store.read(move |db| session::find_owner(db, tenant, session)).await?)
    }

    /// The key under which its attempts are counted.
    fn attempt_name(self) -> String {
        format!("device {} {}", self.tenant.0, self.session)
    }
}

/// The tokens in the cookie of a request.
fn cookie_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = lists.flat_map(|list| list.split(';')).filter_map(|pair| pair.split_once('='));
    let ours = pairs.filter(|(name, _)| name.trim() == COOKIE_NAME);
    ours.flat_map(|(_, value)| value.trim().split('.')).take(MOST)
}

/// The devices a request proves to come from: the token sent with the login, then those in the
/// cookie.
fn find_devices(app: &App, request: &HttpRequest, given: Option<&str>) -> Vec<Device> {
    let tokens = given.into_iter().chain(cookie_tokens(request.headers()));
    let mut devices: Vec<Device> = Vec::new();
    for device in tokens.filter_map(|token| Device::parse(&app.seal, token)) {
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    devices
}

/// Counts an attempt for the device it comes from: a device of `owner`, or of anybody when the
/// owner is not known yet. Answers the key under which it was counted; none for a stranger, or a
/// device that tried too often.
pub async fn count_attempt(
    app: &App,
    request: &HttpRequest,
    given: Option<&str>,
    owner: Option<(TenantId, PersonId)>,
) -> Reply<Option<String>> {
    let now = app.clock.now();
    for device in find_devices(app, request, given) {
        if owner.is_some_and(|(tenant, _)| tenant != device.tenant) {
            continue;
        }
        let whose = device.load_owner(app).await?;
        let fits = whose.is_some_and(|whose| owner.is_none_or(|(_, owner)| owner == whose));
        let name = device.attempt_name();
        if fits && app.logins.count_named_attempt(&name, now).is_ok() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The `Set-Cookie` value with the token of a new login, before those the browser has.
pub fn build_cookie(app: &App, request: &HttpRequest, new: Device) -> String {
    /// Max-Age of the cookie, in seconds: as long as a closed login is kept.
    const AGE: u32 = 183 * 24 * 3600;
    let older = find_devices(app, request, None).into_iter().filter(|device| *device != new);
    let all = std::iter::once(new).chain(older).take(MOST);
    let all: Vec<String> = all.map(|device| device.to_token(&app.seal)).collect();
    let secure = app.settings.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let secure = if secure { "; Secure" } else { "" };
    let all = all.join(".");
    format!(
        "{COOKIE_NAME}={all}; Path=/api/v1/auth; Max-Age={AGE}; HttpOnly; SameSite=Strict{secure}"
    )
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::app::vault::cipher::{Secret, Suite};

    fn seal(byte: u8) -> SecretBox {
        SecretBox::new(Secret::from_slice(&[byte; 32]).unwrap(), Suite::Aes)
    }

    #[test]
    fn only_tokens_made_here_are_believed() {
        let device = Device { tenant: TenantId(Uuid::from_u128(7)), session: Uuid::from_u128(8) };
        let token = device.to_token(&seal(1));
        assert_eq!(token.len(), LENGTH);
        assert_eq!(Device::parse(&seal(1), &token), Some(device));
        assert_eq!(Device::parse(&seal(2), &token), None);
        for index in 0..LENGTH {
            let mut altered = token.clone().into_bytes();
            altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(Device::parse(&seal(1), &altered), None, "{index}");
        }
        for wrong in ["", "x", &"💥".repeat(16), &"A".repeat(64), &"A".repeat(10_000)] {
            assert_eq!(Device::parse(&seal(1), wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cookie_holds_several_and_not_too_many() {
        let request = TestRequest::default()
            .insert_header((COOKIE, "a=b; gridwhistle_device=x.y.z; other=1"))
            .to_http_request();
        assert_eq!(cookie_tokens(request.headers()).collect::<Vec<_>>(), ["x", "y", "z"]);
        let many = format!("gridwhistle_device={}", "x.".repeat(1000));
        let request = TestRequest::default().insert_header((COOKIE, many)).to_http_request();
        assert_eq!(cookie_tokens(request.headers()).count(), MOST);
    }
}
