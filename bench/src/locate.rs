//! Points among ten thousand grids, in memory, on one core.

use std::{hint::black_box, time::Instant};

use api::cli::seed;
use domain::area::{
    coordinate::Point,
    locate::{Locator, Shape, inner_point},
    tessellate::split,
};

use crate::{
    results::{Budget, Results, format_number},
    trouble::{Done, count_items, median, new_trouble, print_line, to_float},
};

/// Cuts the city into ten thousand grids and locates points in them.
pub(crate) fn measure(rounds: u32, results: &mut Results) -> Done {
    const GRIDS: usize = 10_000;
    const LOOKUPS: u64 = 500_000;
    let shapes = seed::derive_boundaries();
    let city =
        shapes.divisions.get("4202").ok_or_else(|| new_trouble("the city has no boundary"))?;
    let grids = split(city, &vec![1.0; GRIDS]);
    let points: Vec<Point> = grids.iter().filter_map(inner_point).collect();
    let found = count_items(&points);
    let locator = Locator::new(grids.into_iter().enumerate().map(|(key, boundary)| Shape {
        key,
        rank: 0,
        boundary,
    }));
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        // A stride that is prime to the number of points visits them all, far apart.
        let mut hits = 0_u64;
        for (point, _) in points.iter().step_by(7).cycle().zip(0..LOOKUPS) {
            hits += u64::from(black_box(locator.locate(*point)).is_some());
        }
        rates.push(to_float(LOOKUPS) / begun.elapsed().as_secs_f64());
        if hits < LOOKUPS {
            return Err(new_trouble(format!("{} points were not found", LOOKUPS - hits)));
        }
    }
    let detail = format!("{} grids, one core", format_number(to_float(found)));
    let limit = (Budget::AtLeast, 1_000_000.0, "/s");
    results.add_against("points located", limit, median(&rates), detail);
    print_line(&format!("points located: {}/s", format_number(median(&rates))));
    Ok(())
}
