//! Other services that vouch for people: WeChat mini-programs, WeCom, and providers of OpenID
//! Connect or plain OAuth 2.0.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Fault, Secret};

/// A WeChat mini-program.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MiniProgram {
    /// The AppID that WeChat gave the mini-program; also what clients name it by.
    pub app_id: String,
    /// The AppSecret that goes with it, sent to WeChat only.
    pub secret: Secret,
    /// The tenant it belongs to, by its code; left out, it serves every tenant.
    pub tenant: Option<String>,
    /// The base URL of WeChat; a stand-in may be reached over plain HTTP.
    #[serde(default = "default_wechat_url")]
    pub url: String,
    /// Whether its content checks look at what residents write and photograph.
    #[serde(default)]
    pub check_content: bool,
    /// What its messages to this server are signed with (消息推送 Token); without it, photos are
    /// left to people.
    pub message_token: Option<Secret>,
}

fn default_wechat_url() -> String {
    "https://api.weixin.qq.com".to_owned()
}

/// A small service that sends short messages: it is posted `{"id", "phone", "text"}` and answers
/// JSON; 2xx means that it took the message, 4xx that it never will.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// The URL that takes each text message by POST.
    pub url: String,
    /// The header `Authorization` it wants.
    pub authorization: Option<Secret>,
    /// What texts begin with (签名), such as `【网格哨】`.
    #[serde(default)]
    pub signature: String,
}

/// The protocol of a provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// OpenID Connect with discovery: an identity token is checked.
    Oidc,
    /// OAuth 2.0 with a URL that says who logged in, such as 粤政易 in private deployments.
    Oauth2,
    /// WeCom 企业微信, in which a corporation vouches for its members.
    Wecom,
}

/// An identity provider that vouches for staff.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in addresses.
    pub name: String,
    /// What its button says.
    pub label: String,
    /// The protocol it speaks.
    pub kind: Kind,
    /// The tenant it vouches for, by its code; left out, every tenant.
    pub tenant: Option<String>,
    /// Our identity there; of WeCom the CorpID.
    pub client_id: String,
    /// Our secret there; of WeCom the secret of the application.
    pub client_secret: Secret,
    /// The page people come back to; it hands `code` and `state` to the API.
    pub redirect_uri: String,
    /// The claim that is the account here; of WeCom always `userid`.
    #[serde(default = "default_claim")]
    pub claim: String,
    /// The issuer, of OpenID Connect.
    pub issuer: Option<String>,
    /// The URL people are sent to, of OAuth 2.0 and WeCom.
    pub authorize_url: Option<String>,
    /// The URL where a code is exchanged, of OAuth 2.0.
    pub token_url: Option<String>,
    /// The URL that says who logged in, of OAuth 2.0.
    pub userinfo_url: Option<String>,
    /// The base URL of the interfaces, of WeCom.
    pub api_url: Option<String>,
    /// The number of the application, of WeCom.
    pub agent_id: Option<String>,
    /// The scopes requested, separated by spaces.
    pub scope: Option<String>,
    /// Authorities to trust instead of the public ones, as a PEM file: for intranets.
    pub ca_file: Option<PathBuf>,
    /// Whether it checks a second factor itself, so that none is asked for here.
    #[serde(default)]
    pub second_factor: bool,
}

fn default_claim() -> String {
    "preferred_username".to_owned()
}

/// Refuses a text that is no HTTP address.
pub(super) fn check_address(name: &str, url: &str) -> Result<(), Fault> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains([' ', '@', '#']));
    if plain {
        return Ok(());
    }
    Err(Fault(format!(
        "{name} is {url:?}; expected an address that begins with http:// or https://, without spaces, @ and #"
    )))
}

/// Refuses settings that cannot work.
pub(super) fn check(programs: &[MiniProgram], providers: &[Provider]) -> Result<(), Fault> {
    for program in programs {
        check_address("url of a mini-program", &program.url)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if program.app_id.is_empty() || !program.app_id.chars().all(plain) {
            return Err(Fault(
                "the app_id of a mini-program must consist of letters, digits, _ and -".to_owned(),
            ));
        }
    }
    for (index, provider) in providers.iter().enumerate() {
        let name = &provider.name;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
            let why = "the name of a provider must be 1 to 40 lower-case letters, digits and -";
            return Err(Fault(why.to_owned()));
        }
        if providers.iter().take(index).any(|other| other.name == *name) {
            return Err(Fault(format!(
                "the provider {name} is given twice; each name must be unique"
            )));
        }
        for (field, url) in provider.required_addresses() {
            match url {
                Some(url) => check_address(field, url)?,
                None => return Err(Fault(format!("the provider {name} needs {field}"))),
            }
        }
    }
    Ok(())
}

impl Provider {
    /// The addresses its kind requires.
    fn required_addresses(&self) -> Vec<(&'static str, Option<&str>)> {
        let mut needed = vec![("redirect_uri", Some(self.redirect_uri.as_str()))];
        match self.kind {
            Kind::Oidc => needed.push(("issuer", self.issuer.as_deref())),
            Kind::Oauth2 => needed.extend([
                ("authorize_url", self.authorize_url.as_deref()),
                ("token_url", self.token_url.as_deref()),
                ("userinfo_url", self.userinfo_url.as_deref()),
            ]),
            Kind::Wecom => {}
        }
        needed
    }
}
