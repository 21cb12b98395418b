//! The demo: a fresh city, a running server, and the whole loop driven over HTTP as the people
//! who would do it, every step printed.

mod city;
mod driver;
mod listener;
mod picture;
pub mod standin;
mod story;
mod time;
pub mod weixin;

use std::{net::TcpListener, path::PathBuf};

use actix_web::web::Data;
use persistence::StoreError;

use crate::{
    app::{
        clock::Clock,
        config::{Kind, MiniProgram, Provider, Secret, Settings},
        state::App,
    },
    cli::install::Failed,
    server,
};

pub use city::{Account, seed};

/// How to run the demo.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to stop after the loop.
    pub once: bool,
    /// Where to write recorded examples for the OpenAPI document.
    pub record: Option<PathBuf>,
}

/// Seeds the database of `settings`, serves it on `listener`, drives the loop; then serves on,
/// unless it is to stop.
pub async fn run(
    mut settings: Settings,
    listener: TcpListener,
    options: Options,
) -> Result<(), Failed> {
    let weixin = weixin::Weixin::start().map_err(|error| Failed(error.to_string()))?;
    configure_standins(&mut settings, &weixin.server.base);
    let clock = Clock::default();
    let app = App::open(settings, clock.clone()).await?;
    say("正在建立黄石市：区划、部门、网格、人员…… / Setting up the city of Huangshi…");
    let city = city::seed(&app.store, &clock, Some(&app.vault)).await?;
    app.worlds.refresh(&app.store).await?;
    say(&city.summary());
    let store = app.store.clone();
    let app = Data::new(app);
    let time = time::Time::new(app.clone());
    let running = server::start(app, listener, !options.once)
        .map_err(|error| Failed(format!("cannot serve: {error}")))?;
    let base = format!("http://{}", running.address);
    let serving = tokio::spawn(running.server);
    let (told, record) = (city.clone(), options.record.clone());
    let address = base.clone();
    let loop_done =
        tokio::task::spawn_blocking(move || story::tell_stories(&address, &told, record, time))
            .await
            .map_err(|error| Failed(error.to_string()))?;
    let done = match (loop_done, options.once) {
        (Err(failed), _) => Err(failed),
        (Ok(()), true) => Ok(()),
        (Ok(()), false) => {
            say(&city.render_invitation(&base));
            serving.await.map_err(|e| Failed(e.to_string()))?.map_err(|e| Failed(e.to_string()))?;
            store.close();
            return Ok(());
        }
    };
    running.handle.stop(true).await;
    store.close();
    done
}

/// Configures the stand-in for WeChat and WeCom, so that every way to log in can be tried.
fn configure_standins(settings: &mut Settings, base: &str) {
    settings.mini_programs = vec![MiniProgram {
        app_id: weixin::APP_ID.to_owned(),
        secret: Secret::from(weixin::SECRET),
        tenant: None,
        url: base.to_owned(),
        check_content: true,
        message_token: Some(Secret::from(weixin::TOKEN)),
    }];
    // The receiver of webhooks is a server of this machine.
    if let Ok(local) = "127.0.0.0/8".parse() {
        settings.webhook_networks = local;
    }
    settings.providers = vec![Provider {
        name: "wecom".to_owned(),
        label: "企业微信".to_owned(),
        kind: Kind::Wecom,
        tenant: None,
        client_id: "ww0000000000demo".to_owned(),
        client_secret: Secret::from(weixin::SECRET),
        redirect_uri: "https://grid.example/login/wecom".to_owned(),
        claim: "userid".to_owned(),
        issuer: None,
        authorize_url: None,
        token_url: None,
        userinfo_url: None,
        api_url: Some(base.to_owned()),
        agent_id: Some("1000002".to_owned()),
        scope: None,
        ca_file: None,
        second_factor: false,
    }];
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        Self::Unusable(failed.0)
    }
}

/// Prints a paragraph.
#[expect(clippy::print_stdout, reason = "the demo talks to whoever started it")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
