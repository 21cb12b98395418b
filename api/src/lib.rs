//! GridWhistle over HTTP.
//!
//! A request is authenticated ([`auth`]), becomes a command ([`report`], [`case`], [`whistle`],
//! [`person`]), is decided by the domain and committed by the store ([`engine`]), and is answered
//! with a view or a [`problem`]. Only [`problem`] knows status codes of failures; only [`config`]
//! reads the environment; only [`clock`] reads the clock.

pub mod area;
pub mod audit;
pub mod auth;
pub mod body;
pub mod burden;
pub mod campaign;
pub mod case;
pub mod cli;
pub mod client;
pub mod clock;
pub mod clocks;
pub mod clockwork;
pub mod command;
pub mod config;
pub mod consent;
pub mod contact;
pub mod demo;
pub mod disclosure;
pub mod discovery;
pub mod docs;
pub mod engine;
pub mod erasure;
pub mod factor;
pub mod form;
pub mod headers;
pub mod health;
pub mod household;
pub mod identity_token;
pub mod install;
pub mod language;
pub mod limits;
pub mod me;
pub mod names;
pub mod oauth;
pub mod oidc;
pub mod openapi;
pub mod outbound;
pub mod page;
pub mod params;
pub mod password;
pub mod person;
pub mod policy;
pub mod post;
pub mod problem;
pub mod quota;
pub mod report;
pub mod request;
pub mod retention;
pub mod ring;
pub mod scope;
pub mod seal;
pub mod seed;
pub mod server;
pub mod session;
pub mod shared;
pub mod shift;
pub mod state;
pub mod telemetry;
pub mod timeline;
pub mod token;
pub mod totp;
pub mod vault;
pub mod verification;
pub mod verify;
pub mod view;
pub mod visit;
pub mod wechat;
pub mod whistle;
pub mod wording;
pub mod world;
