//! The load: a number of clients, each sending its next request when the last one is answered.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::task::{JoinSet, LocalSet};

use crate::{
    cpu::Cpu,
    http::Client,
    server::Server,
    trouble::{Done, count_items, new_trouble, percentile, to_float},
};

/// The requests of one turn, sent one after the other by one client.
pub(crate) type Turn = Vec<Vec<u8>>;

/// Makes the turn with this number; numbers are never given twice in a measurement.
pub(crate) type Make = Rc<dyn Fn(u64) -> Turn>;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// When the time is over; open turns are finished.
    Time(Duration),
    /// After so many turns.
    Turns(u64),
}

/// The result of a measurement.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Turns that were finished.
    pub(crate) turns: u64,
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// From the first request to the last answer.
    pub(crate) time: Duration,
    /// Processor time used meanwhile.
    pub(crate) cpu: Cpu,
    /// Latencies in microseconds, sorted.
    latencies: Vec<u32>,
}

impl Load {
    /// Merges measurements of parts into one.
    pub(crate) fn merge_loads(loads: &[Self]) -> Self {
        let mut all = Self {
            turns: 0,
            requests: 0,
            time: Duration::ZERO,
            cpu: Cpu::default(),
            latencies: Vec::new(),
        };
        for load in loads {
            all.turns += load.turns;
            all.requests += load.requests;
            all.time += load.time;
            all.cpu = all.cpu.combine_with(load.cpu);
            all.latencies.extend(&load.latencies);
        }
        all.latencies.sort_unstable();
        all
    }

    /// Requests a second.
    pub(crate) fn request_rate(&self) -> f64 {
        to_float(self.requests) / self.time.as_secs_f64()
    }

    /// Turns a second.
    pub(crate) fn turn_rate(&self) -> f64 {
        to_float(self.turns) / self.time.as_secs_f64()
    }

    /// The latency that this many of a hundred requests do not exceed, in milliseconds.
    pub(crate) fn latency_ms(&self, hundredths: usize) -> f64 {
        percentile(&self.latencies, hundredths) / 1000.0
    }

    /// The share of the machine that other programs used.
    pub(crate) fn others_share(&self) -> f64 {
        self.cpu.others_share(self.time)
    }

    fn each_us(&self, used: Duration) -> f64 {
        used.as_secs_f64() * 1e6 / to_float(self.requests.max(1))
    }

    /// Processor time of server and database for each request, in microseconds.
    pub(crate) fn cost_us(&self) -> f64 {
        self.server_us() + self.database_us()
    }

    /// That of the server alone.
    pub(crate) fn server_us(&self) -> f64 {
        self.each_us(self.cpu.server)
    }

    /// That of the database alone.
    pub(crate) fn database_us(&self) -> f64 {
        self.each_us(self.cpu.database)
    }

    /// That of this program.
    pub(crate) fn load_us(&self) -> f64 {
        self.each_us(self.cpu.load)
    }
}

/// The state the clients share.
struct Shared {
    make: Make,
    next: Cell<u64>,
    turns: Cell<u64>,
    until: Until,
    begun: Instant,
    latencies: RefCell<Vec<u32>>,
}

impl Shared {
    /// The number of the next turn, until it is over.
    fn take_turn(&self) -> Option<u64> {
        let number = self.next.get();
        let over = match self.until {
            Until::Time(time) => self.begun.elapsed() >= time,
            Until::Turns(turns) => number >= turns,
        };
        self.next.set(number + 1);
        (!over).then_some(number)
    }
}

/// Puts load on a server. Any answer that is no success ends the measurement with a
/// `Trouble`: a number with errors in it means nothing.
pub(crate) async fn drive_load(
    server: &Server,
    clients: u32,
    until: Until,
    make: Make,
) -> Done<Load> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Client::connect(server.address).await?);
    }
    let before = server.cpu();
    let shared = Rc::new(Shared {
        make,
        next: Cell::new(0),
        turns: Cell::new(0),
        until,
        begun: Instant::now(),
        latencies: RefCell::new(Vec::with_capacity(1 << 18)),
    });
    let local = LocalSet::new();
    let mut running = JoinSet::new();
    for client in connections {
        running.spawn_local_on(run_client(client, Rc::clone(&shared)), &local);
    }
    let finished = local.run_until(async {
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    });
    let finished: Done = finished.await;
    finished?;
    let (time, cpu) = (shared.begun.elapsed(), server.cpu().since(before));
    let mut latencies = shared.latencies.take();
    latencies.sort_unstable();
    Ok(Load { turns: shared.turns.get(), requests: count_items(&latencies), time, cpu, latencies })
}

async fn run_client(mut client: Client, shared: Rc<Shared>) -> Done {
    while let Some(number) = shared.take_turn() {
        for request in (shared.make)(number) {
            let sent = Instant::now();
            let status = client.send(&request).await?;
            let taken = sent.elapsed().as_micros();
            if !(200..300).contains(&status) {
                let asked = String::from_utf8_lossy(&request);
                let line = asked.lines().next().unwrap_or_default().to_owned();
                let body = String::from_utf8_lossy(client.body());
                return Err(new_trouble(format!("{line}: {status} {body}")));
            }
            shared.latencies.borrow_mut().push(u32::try_from(taken).unwrap_or(u32::MAX));
        }
        shared.turns.set(shared.turns.get() + 1);
    }
    Ok(())
}
