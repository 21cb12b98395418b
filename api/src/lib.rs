//! GridWhistle over HTTP.
//!
//! A request passes [`http`], is authenticated by [`access`], becomes a command of one of the
//! [`resources`], is decided by the domain and committed by the store ([`engine`]), and is answered
//! with a view or a [`problem`](http::problem). Personal data is in [`privacy`], what is sent to
//! others in [`integrations`], the offline queues of phones in [`mobile`]. Only
//! [`problem`](http::problem) knows status codes of failures; only [`config`](app::config) reads
//! the environment; only [`clock`](app::clock) reads the clock.

pub mod server;

/// The layer every request and answer passes: bodies, parameters, headers, pages, problems, the
/// OpenAPI document.
pub mod http {
    pub mod answer;
    pub mod body;
    pub mod connection;
    pub mod docs;
    pub(crate) mod flow_view;
    pub mod headers;
    pub mod language;
    pub mod openapi;
    pub mod page;
    pub mod params;
    pub mod problem;
    pub mod register;
    pub mod view;
    pub mod wording;
}

/// The state of the process: settings, the clock, the tenants as they are now, keys, the vault,
/// caches.
pub mod app {
    pub mod actors;
    pub mod allowance;
    pub mod background;
    pub mod caller;
    pub mod catalogue;
    pub mod clock;
    pub mod config;
    pub mod limits;
    pub mod memory;
    pub mod object_storage;
    pub mod outbound;
    pub mod password;
    pub mod quota;
    pub mod random;
    pub mod ration;
    pub mod scope;
    pub mod secret_box;
    pub mod signing_keys;
    pub mod state;
    pub mod telemetry;
    pub mod token;
    pub mod vault;
    pub mod world;
}

/// How every command runs, whatever its flow; what journals say, and the checks of them.
pub mod engine {
    pub mod checkpoint;
    pub mod flows;
    pub mod reporters;
    pub mod step;
    pub mod subject;
    pub mod table;
    pub mod verification;
    pub mod verify;
}

/// Personal data: consents, disclosures, names, contacts, and the audit log.
pub mod privacy {
    pub mod audit;
    pub mod consent;
    pub mod contact;
    pub mod disclosure;
    pub mod names;
}

/// Authentication: logins, sessions, second factors, external identities, clients.
pub mod access {
    pub mod acting;
    pub mod auth;
    pub mod client;
    pub mod device;
    pub mod discovery;
    pub mod gate;
    pub mod identity;
    pub mod identity_token;
    pub mod jwks;
    pub mod oauth;
    pub mod oidc;
    pub mod second_factor;
    pub mod service_tokens;
    pub mod session;
    pub mod totp;
    pub mod wechat;
}

/// The operations of the trade, a file or folder a resource.
pub mod resources {
    pub mod appointment;
    pub mod area;
    pub mod burden;
    pub mod campaign;
    pub mod case;
    pub mod claim;
    pub mod content_review;
    pub mod deadlines;
    pub mod erasure;
    pub mod export;
    pub mod form;
    pub mod household;
    pub mod me;
    pub mod media;
    pub mod patrol;
    pub mod person;
    pub mod place;
    pub mod policy;
    pub mod report;
    pub mod request;
    pub mod retention;
    pub mod shift;
    pub mod timeline;
    pub mod visit;
    pub mod whistle;
}

/// What happens without a request, and how others are notified.
pub mod integrations {
    pub mod channel;
    pub mod delivery;
    pub mod delivery_worker;
    pub mod event;
    pub mod health;
    pub mod notification_worker;
    pub mod scheduler;
    pub mod webhook;
}

/// Synchronisation of phones that were offline.
pub mod mobile {
    pub mod sync;
}

/// The commands of the binary, a first installation, the demonstration.
pub mod cli {
    pub mod arguments;
    pub mod command;
    pub mod demo;
    pub mod install;
    pub mod seed;
}
