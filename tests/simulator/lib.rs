//! Phones as they are: requests that never arrive, answers that get lost, everything sent twice,
//! late and in another order, apps that are killed, clocks that are wrong, days without signal.
//! Whatever happens on the way, in the end the server has what was typed and where the worker
//! walked, once and in its order.
//!
//! The suite runs it against a server whose clock it moves, `bench` against a released one. A run
//! is made of a number, so that one that failed can be seen again.

#![expect(clippy::indexing_slicing, reason = "of JSON values, where nothing is null")]

mod attacker;
mod chance;
mod check;
mod line;
mod parcel;
mod phone;
mod track;
mod walk;

use chrono::Duration;

pub use attacker::{Attacker, Files, Haul, attack};
pub use chance::Chance;
pub use check::check_phone;
pub use line::{Ask, Line};
pub use phone::{Carrier, Phone, person_of};
pub use walk::Walk;

/// The result of a run; an error says what went wrong.
pub type Done<T = ()> = Result<T, String>;

/// The counts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Commands that were typed.
    pub commands: u64,
    /// Points that were walked.
    pub points: u64,
    /// Requests that reached the server.
    pub arrived: u64,
    /// Requests that did not, or whose answer did not come back.
    pub lost: u64,
    /// Requests that came once more, at once or long afterwards.
    pub again: u64,
}

impl Tally {
    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.commands += other.commands;
        self.points += other.points;
        self.arrived += other.arrived;
        self.lost += other.lost;
        self.again += other.again;
    }
}

/// How often each phone gets a turn before all have signal again.
const TURNS: u32 = 10;

/// All workers consent to tracks.
pub fn prepare_carriers(line: &impl Line, carriers: &[Carrier]) -> Done {
    carriers.iter().filter(|one| !one.files).try_for_each(|one| phone::give_consent(line, one))
}

/// Runs the phones by this number; answers them at the end, when everything has arrived.
pub fn run_phones<'c>(
    line: &impl Line,
    carriers: &'c [Carrier],
    number: u64,
) -> Done<(Vec<Phone<'c>>, Tally)> {
    let (mut chance, mut tally) = (Chance::new(number), Tally::default());
    let start = |carrier| Phone::new(carrier, line.now(), &mut chance);
    let mut phones: Vec<Phone<'_>> = carriers.iter().map(start).collect();
    let mut old = Vec::new();
    for _ in 0..TURNS {
        for (index, phone) in phones.iter_mut().enumerate() {
            if chance.percent(60) {
                phone.take_action(line, &mut chance);
            }
            if chance.percent(50) {
                let sent = phone.send_parcels(line, &mut chance, &mut tally)?;
                old.extend(sent.into_iter().map(|parcel| (index, parcel)));
            }
            if chance.percent(10) {
                phone.kill_app();
            }
        }
        if chance.percent(25)
            && let Some((index, parcel)) = chance.pick_one(&old)
            && let Some(phone) = phones.get(*index)
        {
            // Something sent long ago arrives, after what came later.
            phone.deliver_parcel(line, parcel, &mut chance)?;
            tally.again += 1;
        }
        if chance.percent(4) {
            // Days without signal: every login is over.
            line.pass_time(Duration::hours(i64::from(1 + chance.number_below(72))));
        }
    }
    for phone in &mut phones {
        phone.send_remaining(line, &mut chance, &mut tally)?;
        tally.commands += phone.count_commands();
        tally.points += phone.walks().iter().map(Walk::count_points).sum::<u64>();
    }
    Ok((phones, tally))
}
