//! No acknowledged write is lost: the program is killed under load, again and again, restarted, and
//! asked for everything it acknowledged.

mod scheduler;

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{Database, Engine, Site, new_key, read_text, read_texts, report_body_at};

/// The program itself.
fn program_path() -> PathBuf {
    let suite = std::env::current_exe().expect("this suite is a file");
    let target = suite.parent().and_then(std::path::Path::parent).expect("it lies in target");
    let program = target.join(format!("gridwhistle{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.is_file(),
        "{} is missing: run `make test`, or `cargo build --workspace --bins` first",
        program.display()
    );
    program
}

pub(crate) fn build_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program_path());
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.env("GRIDWHISTLE_VAULT_KEY", crate::harness::VAULT_KEY);
    command
}

/// The program, serving.
struct Served {
    child: Child,
    site: Site,
}

impl Served {
    fn start(engine: Engine, database: &Database) -> Self {
        let arguments = [
            "serve",
            "--database",
            &database.url,
            "--listen",
            "127.0.0.1:0",
            "--log-level",
            "error",
        ];
        let mut child =
            build_command(&arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let output = child.stdout.take().expect("its output is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let base = line.split_whitespace().find(|word| word.starts_with("http://"));
        let base = base.unwrap_or_else(|| panic!("it says {line:?}"));
        Self { site: Site::new(engine, base), child }
    }

    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Sends SIGTERM, as a supervisor does.
    fn send_sigterm(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(sent.success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One write that a client made.
#[derive(Clone, Debug)]
struct Written {
    by: &'static str,
    path: String,
    body: Value,
    key: String,
    /// The answer; none when the server died before.
    answer: Option<Value>,
}

/// What one client wrote, until the server died.
fn write_on(site: &Site, over: &AtomicBool, done: &AtomicUsize) -> Vec<Written> {
    let mut log = Vec::new();
    while !over.load(Ordering::Relaxed) && write_round(site, &mut log, done).is_some() {}
    log
}

/// One report with its case and a remark; none when the server is gone.
fn write_round(site: &Site, log: &mut Vec<Written>, done: &AtomicUsize) -> Option<()> {
    let mut send = |by: &'static str, path: String, body: Value| {
        let key = new_key();
        let call = site.client(by).call("POST", &path).key(&key).json(&body);
        let answer = call.try_send().ok();
        let refused = answer.as_ref().filter(|answer| answer.status >= 300);
        // Refused with a time to retry: not done, as far as the client knows.
        let told = answer.as_ref().filter(|answer| answer.status < 300).map(|a| a.body.clone());
        if let Some(refused) = refused {
            assert!([503].contains(&refused.status), "{}: {}", refused.asked, refused.text);
        }
        done.fetch_add(usize::from(told.is_some()), Ordering::Relaxed);
        log.push(Written { by, path, body, key, answer: told.clone() });
        told
    };
    let report = send("worker", "/api/v1/reports".to_owned(), report_body_at(110.005, 30.005))?;
    let path = format!("/api/v1/reports/{}/file", read_text(&report, "/id"));
    let filed = send("community", path, json!({}))?;
    let case = read_text(&filed, "/case_id");
    let remark = json!({ "text": format!("批注 {case}") });
    send("worker", format!("/api/v1/cases/{case}/comment"), remark)?;
    let why = json!({ "reason": "需街道" });
    send("community", format!("/api/v1/cases/{case}/escalate"), why)?;
    Some(())
}

fn check_kill(engine: Engine) {
    let database = Database::new_durable(engine);
    let mut written: Vec<Written> = Vec::new();
    let chance = RandomState::new();
    for round in 0_u64..3 {
        let served = Served::start(engine, &database);
        let wait = Duration::from_millis(250 + chance.hash_one(round) % 700);
        let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        let mut logs = Vec::new();
        std::thread::scope(|scope| {
            let site = &served.site;
            let clients: Vec<_> =
                (0..8).map(|_| scope.spawn(|| write_on(site, &over, &done))).collect();
            std::thread::sleep(wait);
            // However slow this machine is, there is load when it happens.
            let patience = Instant::now();
            while done.load(Ordering::Relaxed) < 24 && patience.elapsed() < Duration::from_secs(20)
            {
                std::thread::sleep(Duration::from_millis(7));
            }
            let pid = served.child.id().to_string();
            let killed = Command::new("kill").args(["-KILL", &pid]).status().expect("kill");
            assert!(killed.success());
            over.store(true, Ordering::Relaxed);
            logs.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
        });
        let done = logs.iter().filter(|write| write.answer.is_some()).count();
        assert!(done >= 24, "only {done} writes before it was killed");
        drop(served);
        // As the kill left it, before any cleaning up.
        expect_intact(&database);
        let again = Served::start(engine, &database);
        for write in &mut logs {
            let repeated =
                again.site.client(write.by).post_as(&write.key, &write.path, &write.body);
            let repeated = repeated.expect_success();
            match &write.answer {
                Some(answer) => assert_eq!(*answer, repeated, "{}", write.path),
                // Whether it had happened or not, now it has, once.
                None => write.answer = Some(repeated),
            }
        }
        written.extend(logs);
        everything_is_there_once(&again.site, &written);
        again.kill();
        expect_intact(&database);
    }
}

fn everything_is_there_once(site: &Site, written: &[Written]) {
    let ids = |list: &str| {
        let (mut found, mut path) = (Vec::new(), format!("{list}?limit=100"));
        loop {
            let page = site.client("worker").get(&path).expect_success();
            found.extend(read_texts(&page, "/id"));
            let Some(next) = page["next"].as_str() else { return found };
            path = format!("{list}?limit=100&cursor={next}");
        }
    };
    let of = |end: &str| {
        let matching = written.iter().filter(|write| write.path.ends_with(end));
        matching.filter_map(|write| write.answer.clone()).collect::<Vec<_>>()
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort_unstable();
        ids
    };
    let reports = of("/reports").iter().map(|report| read_text(report, "/id")).collect();
    assert_eq!(sorted(ids("/api/v1/reports")), sorted(reports));
    let cases: Vec<String> =
        of("/file").iter().map(|report| read_text(report, "/case_id")).collect();
    assert_eq!(sorted(ids("/api/v1/cases")), sorted(cases.clone()));
    let steps: BTreeMap<String, usize> = ["/comment", "/escalate"]
        .iter()
        .flat_map(|end| of(end))
        .fold(BTreeMap::new(), |mut steps, case| {
            *steps.entry(read_text(&case, "/id")).or_default() += 1;
            steps
        });
    for case in cases.iter().rev().take(100) {
        let timeline =
            site.client("worker").get(&format!("/api/v1/cases/{case}/timeline")).expect_success();
        let expected = 1 + steps.get(case).copied().unwrap_or_default();
        assert_eq!(timeline["items"].as_array().map(Vec::len), Some(expected), "{timeline}");
        assert_eq!(timeline["intact"], true);
    }
}

/// `gridwhistle verify` finds nothing.
fn expect_intact(database: &Database) {
    let verified =
        build_command(&["verify", "--database", &database.url]).output().expect("it runs");
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{said} {}", String::from_utf8_lossy(&verified.stderr));
    assert!(said.contains("every record is as it was written"), "{said}");
}

fn check_termination(engine: Engine) {
    let database = Database::new_durable(engine);
    let mut served = Served::start(engine, &database);
    let body = report_body_at(110.005, 30.005).to_string();
    let head = format!(
        "POST /api/v1/reports HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Idempotency-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        served.site.access_token("worker").unwrap(),
        new_key(),
        body.len()
    );
    // A phone on a bad line: half of the body has arrived when the server is told to stop.
    let (half, rest) = body.split_at(20);
    let mut stream = TcpStream::connect(served.site.base.trim_start_matches("http://")).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // However busy the machine is: this is answered by the worker that took the request.
    let mut taken = [0; 25];
    stream.read_exact(&mut taken).unwrap();
    assert_eq!(taken, *b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(half.as_bytes()).unwrap();
    let told = Instant::now();
    served.send_sigterm();
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let status = served.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(told.elapsed() < Duration::from_secs(15), "{:?}", told.elapsed());
    assert!(TcpStream::connect(served.site.base.trim_start_matches("http://")).is_err());
    let again = Served::start(engine, &database);
    let listed = again.site.client("worker").get("/api/v1/reports").expect_success();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
}

mod sqlite {
    use crate::harness::Engine::Sqlite;

    #[test]
    fn nothing_acknowledged_is_lost_when_the_program_is_killed() {
        super::check_kill(Sqlite);
    }
    #[test]
    fn a_running_request_is_finished_before_the_program_ends() {
        super::check_termination(Sqlite);
    }
}

mod postgres {
    use crate::harness::Engine::Postgres;

    #[test]
    fn nothing_acknowledged_is_lost_when_the_program_is_killed() {
        super::check_kill(Postgres);
    }
    #[test]
    fn a_running_request_is_finished_before_the_program_ends() {
        super::check_termination(Postgres);
    }
}

#[test]
fn the_program_prints_the_committed_contract() {
    let printed = build_command(&["openapi"]).output().expect("it runs");
    let committed =
        std::fs::read_to_string(crate::harness::workspace_root().join("openapi/openapi.json"));
    let committed = committed.expect("openapi/openapi.json is committed");
    let same = String::from_utf8_lossy(&printed.stdout) == committed;
    assert!(same, "openapi/openapi.json is not what the program prints: build it, `make openapi`");
}
