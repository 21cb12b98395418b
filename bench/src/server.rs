//! The program under test, as a child process.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    cpu::{self, Cpu},
    quiet,
    trouble::{Done, new_trouble},
};

/// A limit that no measurement reaches.
const MANY: u32 = 1_000_000_000;

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The first process of its database, when that is one of its own.
    postmaster: Option<u32>,
    /// How long it took from starting it to its first yes on `/readyz`.
    pub(crate) started_in: Duration,
}

/// The binary beside this one.
pub(crate) fn find_binary() -> Done<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("gridwhistle");
    if path.is_file() {
        return Ok(path);
    }
    Err(new_trouble(format!("{} is missing; build the whole workspace first", path.display())))
}

impl Server {
    /// Starts it on a database and waits until it is ready. A few people here send the requests of
    /// thousands, so the limits are lifted.
    pub(crate) fn start(database: &str, postmaster: Option<u32>) -> Done<Self> {
        let rate = json!({ "at_once": MANY, "an_hour": MANY });
        let all = json!({
            "commands": rate, "reads": rate, "exports": rate, "uploads": rate, "megabytes": rate,
            "megapixels": rate, "sending": MANY, "waiting_megabytes": MANY, "streams": MANY,
        });
        let limits = json!({ "residents": all, "staff": all }).to_string();
        Self::start_with(database, postmaster, &[("GRIDWHISTLE_LIMITS", &limits)])
    }

    /// The same with these settings, and with the limits as shipped.
    pub(crate) fn start_with(
        database: &str,
        postmaster: Option<u32>,
        settings: &[(&str, &str)],
    ) -> Done<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let mut command = Command::new(find_binary()?);
        command
            .args(["serve", "--log-level", "warn", "--access-minutes", "600"])
            .args(["--second-factor", "off", "--database"])
            .arg(database)
            .args(["--listen", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // The server refuses unknown settings; its own may be passed through. Receivers of webhooks
        // are on this machine.
        command.env("GRIDWHISTLE_WEBHOOK_NETWORKS", "127.0.0.0/8");
        command.env("GRIDWHISTLE_VAULT_KEY", "62".repeat(32));
        command.envs(settings.iter().copied());
        command.env_remove("GRIDWHISTLE_TEST_POSTGRES").env_remove("GRIDWHISTLE_PG_CONF");
        let begun = Instant::now();
        let child = command.spawn()?;
        let mut server = Self { child, address, postmaster, started_in: Duration::ZERO };
        while !server.is_ready() {
            if let Some(status) = server.child.try_wait()? {
                return Err(new_trouble(format!("gridwhistle ended: {status}")));
            }
            if begun.elapsed() > Duration::from_mins(1) {
                return Err(new_trouble("gridwhistle is not ready after a minute"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        server.started_in = begun.elapsed();
        Ok(server)
    }

    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream
                .write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time used until now.
    pub(crate) fn cpu(&self) -> Cpu {
        Cpu {
            server: cpu::process_time(self.pid()),
            database: self.postmaster.map(cpu::family_time).unwrap_or_default(),
            load: cpu::process_time(std::process::id()),
            busy: quiet::busy_time(),
        }
    }
}

impl Drop for Server {
    /// Stops it gracefully, and kills it when it does not end.
    fn drop(&mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        if asked.is_ok_and(|status| status.success()) {
            for _ in 0..100 {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        // Nothing is left to be done about a process that cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
