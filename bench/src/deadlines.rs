//! Deadlines, on one core: working days from instants all over a year, by the shipped calendar.

use std::{hint::black_box, time::Instant};

use chrono::{DateTime, Duration};
use domain::calendar::{book::CalendarBook, limit::Limit};

use crate::{
    results::{Budget, Results, format_number},
    trouble::{Done, median, new_trouble, print_line, to_float},
};

/// Computes deadlines in every unit that uses the calendar.
pub(crate) fn measure(rounds: u32, results: &mut Results) -> Done {
    const DEADLINES: u64 = 1_000_000;
    const MINUTES: u64 = 365 * 24 * 60;
    let calendars = CalendarBook::standard().compile();
    let calendar = calendars.find_nearest(&[]);
    let origin = DateTime::parse_from_rfc3339("2026-01-01T00:00:00+08:00");
    let origin = origin.map_err(|error| new_trouble(error.to_string()))?.to_utc();
    let limits = [Limit::working_hours(4), Limit::working_days(5), Limit::working_hours(1)];
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        for (number, limit) in (0..DEADLINES).zip(limits.iter().cycle()) {
            // A stride that is prime to the minutes of a year visits them out of order.
            let minute = i64::try_from(number * 7919 % MINUTES)?;
            black_box(calendar.compute_due(origin + Duration::minutes(minute), *limit));
        }
        rates.push(to_float(DEADLINES) / begun.elapsed().as_secs_f64());
    }
    let detail = "working hours and working days over 2026, one core".to_owned();
    let limit = (Budget::AtLeast, 1_000_000.0, "/s");
    results.add_against("deadlines computed", limit, median(&rates), detail);
    print_line(&format!("deadlines computed: {}/s", format_number(median(&rates))));
    Ok(())
}
