//! GridWhistle from outside: stories over HTTP, run on SQLite and on PostgreSQL.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod area;
#[cfg(test)]
mod area_history;
#[cfg(test)]
mod area_import;
#[cfg(test)]
mod area_map;
#[cfg(test)]
mod attacker;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod bucket;
#[cfg(test)]
mod burden;
#[cfg(test)]
mod campaign;
#[cfg(test)]
mod case;
#[cfg(test)]
mod claim;
#[cfg(test)]
mod client;
#[cfg(test)]
mod client_ids;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod content_safety;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod deadline_measures;
#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod disclosure;
#[cfg(test)]
mod division_import;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod event;
#[cfg(test)]
mod form;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod household;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod identities;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod input_faults;
#[cfg(test)]
mod install;
#[cfg(test)]
mod lagging_clock;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod me;
#[cfg(test)]
mod media;
#[cfg(test)]
mod media_identity;
#[cfg(test)]
mod merged_areas;
#[cfg(test)]
mod message;
#[cfg(test)]
mod numbers;
#[cfg(test)]
mod offline_rights;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod ownership;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod patrol;
#[cfg(test)]
mod person;
#[cfg(test)]
mod personal;
#[cfg(test)]
mod phones;
#[cfg(test)]
mod photo_faults;
#[cfg(test)]
mod place_faults;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod post;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod report;
#[cfg(test)]
mod scheduler;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod session;
#[cfg(test)]
mod slow_body;
#[cfg(test)]
mod slow_photo;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod staffing;
#[cfg(test)]
mod store;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod sync_kinds;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod token;
#[cfg(test)]
mod totp;
#[cfg(test)]
mod track;
#[cfg(test)]
mod unreadable;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod visit;
#[cfg(test)]
mod voices;
#[cfg(test)]
mod webhook;
#[cfg(test)]
mod webhook_content;
#[cfg(test)]
mod wechat;
#[cfg(test)]
mod whistle;
