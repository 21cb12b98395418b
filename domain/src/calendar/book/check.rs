//! Checks a book before it is published: reports everything that is wrong, not only the first
//! fault.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CalendarBook,
    clock::Window,
    fault::{FaultCode, length_fault},
    schedule::{Schedule, Season, Span, SpecialDay, WorkingDayRule},
};
use crate::core::tabular_import::Fault;

/// The most schedules in a book.
pub const MAX_SCHEDULES: usize = 50;
/// The most seasons in a schedule.
pub const MAX_SEASONS: usize = 20;
/// The most windows in a day.
pub const MAX_WINDOWS: usize = 8;
/// The most special days in a schedule.
pub const MAX_SPECIAL_DAYS: usize = 400;
/// The most years in a book.
pub const MAX_YEARS: usize = 101;
/// The most faults that are reported at once.
pub const MAX_FAULTS: usize = 100;

impl CalendarBook {
    /// What is wrong with it; empty if it can be compiled and used. At most [`MAX_FAULTS`].
    pub fn check(&self) -> Vec<Fault> {
        let schedules = length_fault("/schedules", self.schedules.len(), MAX_SCHEDULES);
        let years = length_fault("/years", self.years.len(), MAX_YEARS);
        let mut faults: Vec<Fault> = schedules.into_iter().chain(years).collect();
        if faults.is_empty() {
            self.check_areas(&mut faults);
            for (index, schedule) in self.schedules.iter().enumerate() {
                let found = check_schedule(schedule);
                faults.extend(
                    found.into_iter().map(|f| f.under_prefix(&format!("/schedules/{index}"))),
                );
            }
            self.check_years(&mut faults);
        }
        faults.truncate(MAX_FAULTS);
        faults
    }

    fn check_areas(&self, faults: &mut Vec<Fault>) {
        let mut areas = BTreeMap::new();
        for (index, schedule) in self.schedules.iter().enumerate() {
            let first = *areas.entry(schedule.area).or_insert(index);
            if first != index {
                let fault = FaultCode::AreaTwice.fault_at(format!("/schedules/{index}/area"));
                faults.push(fault.with_fact("first", format!("/schedules/{first}/area")));
            }
        }
    }

    fn check_years(&self, faults: &mut Vec<Fault>) {
        let mut known = BTreeMap::new();
        for (key, year) in &self.years {
            let prefix = format!("/years/{key}");
            if *key != year.year {
                let fault = FaultCode::YearMismatch.fault_at(format!("{prefix}/year"));
                faults.push(fault.with_fact("key", key).with_fact("year", year.year));
            }
            faults.extend(year.check().into_iter().map(|fault| fault.under_prefix(&prefix)));
            for (index, day) in year.days.iter().enumerate() {
                let (first, off) = *known.entry(day.date).or_insert((*key, day.is_off_day));
                if first != *key && off != day.is_off_day {
                    let at = format!("{prefix}/days/{index}/date");
                    let fault = FaultCode::DateContradicts.fault_at(at);
                    faults.push(
                        fault
                            .with_fact("date", day.date)
                            .with_fact("first", format!("/years/{first}")),
                    );
                }
            }
        }
    }
}

fn check_schedule(schedule: &Schedule) -> Vec<Fault> {
    let seasons = length_fault("/seasons", schedule.seasons.len(), MAX_SEASONS);
    let special = length_fault("/special_days", schedule.special_days.len(), MAX_SPECIAL_DAYS);
    let mut faults: Vec<Fault> = seasons.into_iter().chain(special).collect();
    if !faults.is_empty() {
        return faults;
    }
    if schedule.weekdays.is_empty() {
        faults.push(FaultCode::NoWorkingTime.fault_at("/weekdays"));
    }
    faults.extend(check_open(&schedule.windows, ""));
    faults.extend(check_seasons(&schedule.seasons));
    faults.extend(check_special(&schedule.special_days));
    if let WorkingDayRule::Elapsed { minutes_per_day } = schedule.convention.working_day
        && !(1..=1440).contains(&minutes_per_day)
    {
        let at = "/convention/working_day/elapsed/minutes_per_day";
        let fault = FaultCode::OutOfRange.fault_at(at).with_fact("given", minutes_per_day);
        faults.push(fault.with_fact("min", 1).with_fact("max", 1440));
    }
    faults
}

/// Checks windows of which there must be at least one.
fn check_open(windows: &[Window], at: &str) -> Vec<Fault> {
    if windows.is_empty() {
        return vec![FaultCode::NoWorkingTime.fault_at(format!("{at}/windows"))];
    }
    check_windows(windows, at)
}

fn check_windows(windows: &[Window], at: &str) -> Vec<Fault> {
    if let Some(fault) = length_fault(format!("{at}/windows"), windows.len(), MAX_WINDOWS) {
        return vec![fault];
    }
    let mut faults = Vec::new();
    for (index, window) in windows.iter().enumerate() {
        let here = format!("{at}/windows/{index}");
        let told =
            |fault: Fault| fault.with_fact("from", window.from).with_fact("until", window.until);
        if window.is_empty() {
            faults.push(told(FaultCode::EmptyWindow.fault_at(here.as_str())));
        }
        let mut before = windows.iter().take(index).enumerate();
        if let Some((first, _)) = before.find(|(_, other)| window.overlaps(**other)) {
            let fault = told(FaultCode::WindowsOverlap.fault_at(here));
            faults.push(fault.with_fact("first", format!("{at}/windows/{first}")));
        }
    }
    faults
}

fn check_seasons(seasons: &[Season]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, season) in seasons.iter().enumerate() {
        let at = format!("/seasons/{index}");
        faults.extend(check_open(&season.windows, &at));
        if let Span::Dated { from, until } = season.span
            && until < from
        {
            let fault = FaultCode::SeasonBackwards.fault_at(format!("{at}/span"));
            faults.push(fault.with_fact("from", from).with_fact("until", until));
        }
        let mut before = seasons.iter().take(index).enumerate();
        if let Some((first, other)) = before.find(|(_, other)| season.span.overlaps(other.span)) {
            let fault = FaultCode::SeasonsOverlap.fault_at(format!("{at}/span"));
            let fault = fault
                .with_fact("name", season.name.as_str())
                .with_fact("other", other.name.as_str());
            faults.push(fault.with_fact("first", format!("/seasons/{first}/span")));
        }
    }
    faults
}

fn check_special(days: &[SpecialDay]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut known = BTreeSet::new();
    for (index, day) in days.iter().enumerate() {
        let at = format!("/special_days/{index}");
        faults.extend(check_windows(&day.windows, &at));
        if !known.insert(day.date) {
            let fault = FaultCode::DateTwice.fault_at(format!("{at}/date"));
            faults.push(fault.with_fact("date", day.date));
        }
    }
    faults
}
