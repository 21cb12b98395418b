//! One resident who does everything a resident can, as fast as possible (`simulator`): others work
//! on, and disk, deadlines and the journal stay as they should be.
//!
//! `bench --only attacker` does the same for a minute against a released server, and measures how
//! much longer a worker waits.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use api::app::config::{Limits, MediaUrl};
use serde_json::{Value, json};
use simulator::Attacker;

use crate::harness::{City, Engine, report_body_at, seed};

/// How long the attack lasts here.
const TIME: Duration = Duration::from_secs(12);

/// The bytes below a folder that are stored, and those of files that are arriving.
fn folder_size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => folder_size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn under_way(folder: &Path) -> u64 {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let of_folder = open
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| std::fs::read_link(path).is_ok_and(|link| link.starts_with(folder)));
    of_folder.filter_map(|path| std::fs::metadata(path).ok()).map(|meta| meta.len()).sum()
}

fn harms_nobody(engine: Engine) {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().join("media");
    let spool = folder.join(".spool");
    let city = City::open_with(engine, |settings| {
        settings.media = Some(MediaUrl::Folder(folder.clone()));
        settings.clockwork = true;
        settings.limits = Limits::default();
    });
    let attacker = Attacker {
        address: city.base.strip_prefix("http://").unwrap().parse().unwrap(),
        token: city.access_token("neighbour").unwrap(),
        tenant: seed::CITY.to_owned(),
        guessed: "leader".to_owned(),
        place: json!({ "area_id": city.area_id(seed::GRID) }),
    };
    let work = || {
        let begun = Instant::now();
        city.client("worker")
            .post("/api/v1/reports", &report_body_at(110.005, 30.005))
            .expect_success();
        begun.elapsed()
    };
    let mut alone: Vec<Duration> = (0..50).map(|_| work()).collect();
    let mut beside = Vec::new();
    let files = simulator::Files::make().unwrap();
    let (over, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let (haul, cases) = std::thread::scope(|scope| {
        let attack = scope.spawn(|| {
            let haul = simulator::attack(&attacker, &files, TIME);
            over.store(true, Ordering::SeqCst);
            haul.unwrap()
        });
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                most.fetch_max(under_way(&spool), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        // Meanwhile a worker reports and the others bring cases to their end.
        let mut cases = Vec::new();
        while !over.load(Ordering::SeqCst) {
            beside.extend((0..5).map(|_| work()));
            // These people have shares, too: they do not send as fast as they can.
            std::thread::sleep(Duration::from_millis(100));
            if cases.len() < 12 {
                cases.push(city.new_closed_case());
            }
        }
        (attack.join().unwrap(), cases)
    });
    assert_eq!(haul.broken, 0, "{haul:?}");
    assert!(haul.taken > 0 && haul.put_off > 20, "{haul:?}");
    // How much longer they wait is measured where nothing else runs (`bench`); here, that no one
    // waits for the resident's requests.
    for waited in [&mut alone, &mut beside] {
        waited.sort_unstable();
    }
    let median = |waited: &[Duration]| waited[waited.len() / 2];
    let (usual, longer) = (median(&alone), median(&beside));
    assert!(longer < usual * 20 + Duration::from_secs(1), "{longer:?} beside {usual:?}");
    assert!(beside.len() >= 5 && !cases.is_empty());
    // No more is stored, arriving, open, or noted than one resident's share.
    let limits = &city.app.settings.limits.residents;
    let megabytes = |count: u32| u64::from(count) * 1_000_000;
    let seats = u64::from(limits.sending) * 20 * 1024 * 1024;
    let most = most.into_inner();
    assert!(most <= seats, "{most} bytes were on their way");
    assert!(
        folder_size(&folder) <= megabytes(limits.megabytes.at_once) * 5 / 4,
        "{}",
        folder_size(&folder)
    );
    // Two hundred were opened; it takes a moment to see that the oldest ended.
    assert!(haul.streams <= u64::from(limits.streams) * 4, "{haul:?}");
    let noted = city.client("auditor").get("/api/v1/audit?act=export&limit=100").expect_success();
    assert!(noted["items"].as_array().unwrap().len() <= 11);
    let told = city.client("resident").get("/api/v1/reports?limit=1");
    assert_eq!(told.status, 200);
    // The obligations of others were met in time, and everything is as it was written.
    for case in &cases {
        let path = format!("/api/v1/cases/{case}/obligations");
        let owed = city.client("dispatcher").get(&path).expect_success();
        for one in owed["items"].as_array().unwrap() {
            assert_ne!(one["outcome"], "late", "{one}");
        }
    }
    let ready: Value = city.client("").get("/readyz").expect_success();
    assert_eq!(ready["status"], "ok", "{ready}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

mod one_resident_at_full_speed_harms_nobody {
    use crate::harness::Engine;

    #[test]
    fn sqlite() {
        super::harms_nobody(Engine::Sqlite);
    }

    #[test]
    fn postgres() {
        super::harms_nobody(Engine::Postgres);
    }
}
