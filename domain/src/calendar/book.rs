//! Calendars: when something begun now is late (section D of the field research: working hours,
//! working days, holidays, make-up days).
//!
//! A [`CalendarBook`] is what a tenant decides: opening hours per area, conventions, and the
//! holidays of each year. It is checked, stored in editions, and compiled into one [`Calendar`] per
//! schedule, which answers without iterating over days. Instants are UTC; all rules are applied in
//! the local time of China.
//!
//! For a year whose notice is not published, only weekends and the statutory holidays on fixed
//! dates are known. An answer that depends on such a year is marked
//! [provisional](Due::provisional); so is one outside the years 2000–2100, where time stands still.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    Instant,
    core::{disclosure::disclosed, id::AreaId, tabular_import::Fault},
};

mod check;
mod clock;
mod compile;
mod due;
mod explain;
mod fault;
mod holiday;
mod schedule;
mod table;

pub use check::{MAX_FAULTS, MAX_SCHEDULES, MAX_SEASONS, MAX_SPECIAL_DAYS, MAX_WINDOWS, MAX_YEARS};
pub use clock::{MonthDay, TimeOfDay, Weekday, Window};
pub use compile::DayKind;
pub use explain::{
    CountedPause, DayShown, MAX_DAYS_SHOWN, MAX_PAUSES_SHOWN, Rest, Stretch, Working,
};
pub use fault::FaultCode;
pub use holiday::{HolidayDay, HolidayYear};
pub use schedule::{
    Basis, Convention, DayRule, Schedule, Season, Span, SpecialDay, WorkingDayRule,
};

/// The notices shipped with this program, one file a year.
const NOTICES: [&str; 9] = [
    include_str!("../../data/holidays/holiday-cn-2019.json"),
    include_str!("../../data/holidays/holiday-cn-2020.json"),
    include_str!("../../data/holidays/holiday-cn-2021.json"),
    include_str!("../../data/holidays/holiday-cn-2022.json"),
    include_str!("../../data/holidays/holiday-cn-2023.json"),
    include_str!("../../data/holidays/holiday-cn-2024.json"),
    include_str!("../../data/holidays/holiday-cn-2025.json"),
    include_str!("../../data/holidays/holiday-cn-2026.json"),
    include_str!("../../data/holidays/holiday-cn-2027.json"),
];

/// All a tenant decides about time: one document, stored in editions.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalendarBook {
    /// Opening hours and conventions, each for an area; the nearest one above an area counts.
    pub schedules: Vec<Schedule>,
    /// Holidays and make-up days, by year.
    #[serde(deserialize_with = "by_year")]
    pub years: BTreeMap<i32, HolidayYear>,
}

/// Years are strings in JSON. serde converts them to numbers only when it reads the text directly,
/// not within an event, which it reads twice.
fn by_year<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<i32, HolidayYear>, D::Error> {
    let years: BTreeMap<String, HolidayYear> = Deserialize::deserialize(from)?;
    let number = |(year, notice): (String, HolidayYear)| {
        year.parse().map(|year: i32| (year, notice)).map_err(D::Error::custom)
    };
    years.into_iter().map(number).collect()
}

impl CalendarBook {
    /// The default of a tenant: 08:00–12:00 and 14:00–18:00 from Monday to Friday, and the notices
    /// shipped with this program.
    pub fn standard() -> Self {
        let mut book = Self { schedules: vec![Schedule::default()], years: BTreeMap::new() };
        for text in NOTICES {
            if let Ok(year) = HolidayYear::parse(text) {
                book.add_year(year);
            }
        }
        book
    }

    /// Reads files in the holiday-cn format, all or none of them. They replace years of the book;
    /// pointers of faults begin with the index of the file, as `/0/days/3/date`.
    pub fn import_years(&mut self, files: &[&str]) -> Result<(), Vec<Fault>> {
        let (mut years, mut faults) = (BTreeMap::new(), Vec::new());
        for (index, text) in files.iter().enumerate() {
            match HolidayYear::parse(text) {
                Ok(year) => match years.entry(year.year) {
                    Entry::Vacant(place) => _ = place.insert((index, year)),
                    Entry::Occupied(place) => {
                        let fault = FaultCode::YearTwice.fault_at(format!("/{index}/year"));
                        let fault = fault.with_fact("year", year.year);
                        faults.push(fault.with_fact("first", format!("/{}/year", place.get().0)));
                    }
                },
                Err(found) => {
                    faults.extend(found.into_iter().map(|f| f.under_prefix(&format!("/{index}"))));
                }
            }
        }
        if faults.is_empty() {
            for (_, year) in years.into_values() {
                self.add_year(year);
            }
            Ok(())
        } else {
            faults.truncate(MAX_FAULTS);
            Err(faults)
        }
    }

    /// A year without a published notice never replaces a published one.
    fn add_year(&mut self, year: HolidayYear) {
        let known = self.years.get(&year.year).is_some_and(HolidayYear::is_published);
        if year.is_published() || !known {
            self.years.insert(year.year, year);
        }
    }

    /// Compiles every schedule.
    pub fn compile(&self) -> Calendars {
        let calendar = |schedule: &Schedule| Arc::new(Calendar::compile(self, schedule));
        let compiled = self.schedules.iter().map(|one| (one.area, calendar(one)));
        let by_area: HashMap<_, _> = compiled.collect();
        let whole = by_area.get(&None).cloned();
        Calendars { whole: whole.unwrap_or_else(|| calendar(&Schedule::default())), by_area }
    }
}

/// The compiled calendars of a tenant.
#[derive(Clone, Debug)]
pub struct Calendars {
    by_area: HashMap<Option<AreaId>, Arc<Calendar>>,
    whole: Arc<Calendar>,
}

impl Calendars {
    /// The calendar of an area: its own or that of the nearest area above. `chain` is the area and
    /// all above it, deepest first; an area without a schedule gets the tenant's, or else the
    /// default hours.
    pub fn find_nearest(&self, chain: &[AreaId]) -> &Arc<Calendar> {
        chain.iter().find_map(|area| self.by_area.get(&Some(*area))).unwrap_or(&self.whole)
    }
}

/// The compiled calendar of one area: about half a megabyte, so it is made once and shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    table: table::Table,
    convention: Convention,
    weekdays: BTreeSet<Weekday>,
    /// Ranges of days whose notice is missing.
    unknown: Vec<(i64, i64)>,
    published: BTreeSet<i32>,
    notes: BTreeMap<i64, compile::Note>,
}

/// An instant computed by a calendar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Due {
    /// When it is due.
    pub at: Instant,
    /// Whether it may move once the notice of a year is published.
    pub provisional: bool,
}

/// Time that does not count: the clock was stopped (挂账、挂起).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// When the clock stopped.
    pub from: Instant,
    /// When it went on.
    pub until: Instant,
}

disclosed! {
    struct Pause { Open: from, until }
}
