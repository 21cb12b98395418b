//! Phones as they are: see the crate `simulator`. Whatever happens on the way, in the end the
//! server has what was typed and where the worker walked, once and in its order.
//!
//! A run is made of a number, so that one that failed can be seen again:
//! `GRIDWHISTLE_PHONES=17` runs the seventeenth, `GRIDWHISTLE_PHONES=0..5000` five thousand.

use std::{io::Write as _, ops::Range};

use chrono::{DateTime, Duration, Utc};
use domain::{
    core::id::{PatrolId, TenantId},
    flows::track::Fix,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use simulator::{Ask, Carrier, Done, Line, Phone, Walk};

use crate::harness::{City, on_both, seed};

on_both! { what_phones_meant_is_what_the_server_has }

/// The runs that are made unless a setting names others.
const RUNS: Range<u64> = 0..8;

impl Line for City {
    fn ask(&self, ask: &Ask<'_>) -> Done<(u16, Value)> {
        let method = if ask.writes.is_some() { "POST" } else { "GET" };
        let mut call = self.client(ask.by).call(method, ask.path);
        if let Some((key, body)) = ask.writes {
            call = call.key(&key.to_string()).header("Content-Type", "application/json");
            call = if ask.zipped {
                call.header("Content-Encoding", "gzip").bytes(gzip_bytes(body))
            } else {
                call.bytes(body)
            };
        }
        let answer = call.try_send().map_err(|error| error.to_string())?;
        Ok((answer.status, answer.body))
    }

    fn now(&self) -> DateTime<Utc> {
        Self::now(self)
    }

    fn pass_time(&self, by: Duration) {
        self.advance(by);
    }
}

fn gzip_bytes(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn run_numbers() -> Range<u64> {
    #[expect(clippy::disallowed_methods, reason = "asked for by whoever runs the tests")]
    let asked = std::env::var("GRIDWHISTLE_PHONES");
    let Ok(asked) = asked else { return RUNS };
    if let Some((from, to)) = asked.split_once("..") {
        return from.parse().unwrap()..to.parse().unwrap();
    }
    let one: u64 = asked.parse().unwrap();
    one..one + 1
}

fn build_carriers(city: &City) -> Vec<Carrier> {
    let carrier = |account: &str, grid: &str, lng: f64| Carrier {
        account: account.to_owned(),
        person: simulator::person_of(city, account).unwrap(),
        grid: city.area_id(grid).parse().unwrap(),
        lng,
        lat: 30.005,
        files: account == "community",
    };
    vec![
        carrier("worker", seed::GRID, 110.005),
        carrier("verifier", seed::GRID, 110.006),
        carrier("next_worker", seed::NEXT, 110.015),
        carrier("community", seed::GRID, 110.007),
    ]
}

fn what_phones_meant_is_what_the_server_has(city: &City) {
    let carriers = build_carriers(city);
    simulator::prepare_carriers(city, &carriers).unwrap();
    for number in run_numbers() {
        let (phones, _) = simulator::run_phones(city, &carriers, number)
            .unwrap_or_else(|wrong| panic!("run {number}: {wrong}"));
        for phone in &phones {
            simulator::check_phone(city, phone)
                .unwrap_or_else(|wrong| panic!("run {number}: {wrong}"));
            for walk in phone.walks() {
                is_kept(city, number, walk, phone);
            }
        }
    }
    let findings = city.verify();
    assert_eq!(findings.broken, Vec::<String>::new());
}

/// The stored points of a walk are those that were walked, to the last digit, and no others.
fn is_kept(city: &City, number: u64, walk: &Walk, phone: &Phone<'_>) {
    let (tenant, patrol) = (tenant_id(city), PatrolId(walk.patrol));
    let found = api::resources::patrol::load_fixes(&city.app, tenant, patrol);
    let mut stored: Vec<Fix> = actix_web::rt::System::new().block_on(found).unwrap();
    stored.sort_unstable_by_key(|fix| fix.seq);
    assert_eq!(stored, walk.fixes().collect::<Vec<_>>(), "run {number}, {}", phone.carrier.account);
}

fn tenant_id(city: &City) -> TenantId {
    city.app.worlds.find_by_code(Some(seed::CITY)).map(|world| world.tenant.id).unwrap()
}
