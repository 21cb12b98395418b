//! What is wrong with boundaries, and how neighbours fit.

use super::*;

fn ring(west: f64, south: f64, east: f64, north: f64) -> Vec<[f64; 2]> {
    vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
}

fn square(west: f64, south: f64, size: f64) -> MultiPolygon<f64> {
    read(&vec![vec![ring(west, south, west + size, south + size)]]).unwrap()
}

fn bowtie() -> Rings {
    vec![vec![vec![[110.0, 30.0], [110.01, 30.01], [110.01, 30.0], [110.0, 30.01], [110.0, 30.0]]]]
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let code = |rings: Rings| read(&rings).unwrap_err()[0].code;
    assert_eq!(code(vec![]), FaultCode::Empty);
    assert_eq!(code(vec![vec![]]), FaultCode::Empty);
    let mut open = ring(110.0, 30.0, 110.1, 30.1);
    open.pop();
    assert_eq!(code(vec![vec![open]]), FaultCode::Open);
    assert_eq!(
        code(vec![vec![vec![[110.0, 30.0], [110.0, 30.1], [110.0, 30.0]]]]),
        FaultCode::TooShort
    );
    assert_eq!(code(vec![vec![ring(110.0, 30.0, 110.1, 95.0)]]), FaultCode::OutOfRange);
    assert_eq!(code(vec![vec![ring(-179.0, 30.0, 179.0, 31.0)]]), FaultCode::Antimeridian);
    assert_eq!(code(vec![vec![ring(30.0, 110.0, 31.0, 111.0)]]), FaultCode::Swapped);
    assert_eq!(code(vec![vec![ring(30.0, 80.0, 31.0, 81.0)]]), FaultCode::Swapped);
    let far = vec![vec![ring(110.0, 30.0, 110.1, 30.1)], vec![ring(110.2, 30.0, 110.3, f64::NAN)]];
    let fault = read(&far).unwrap_err()[0];
    assert_eq!((fault.code, fault.polygon, fault.ring), (FaultCode::OutOfRange, 1, 0));
}

#[test]
fn a_crossing_is_found_and_repaired_when_asked() {
    assert_eq!(find_crossings(&square(110.0, 30.0, 0.01)), []);
    let found = read_sound(&bowtie(), false).unwrap_err();
    assert_eq!(found.len(), 1);
    let at = found[0].at.unwrap();
    assert!((at.lng - 110.005).abs() < 1e-9 && (at.lat - 30.005).abs() < 1e-9, "{at:?}");
    let (mended, was) = read_sound(&bowtie(), true).unwrap();
    assert_eq!((mended.0.len(), was), (2, true));
    assert!(find_crossings(&mended).is_empty());
    let line = vec![vec![vec![[110.0, 30.0], [110.1, 30.0], [110.2, 30.0], [110.0, 30.0]]]];
    assert!(read_sound(&line, true).is_err());
    let (half, whole) = (square_metres(&mended), square_metres(&square(110.0, 30.0, 0.01)));
    assert!((half * 2.0 / whole - 1.0).abs() < 0.01, "{half} of {whole}");
}

#[test]
fn a_boundary_that_only_touches_itself_is_sound() {
    let touching =
        vec![vec![ring(110.0, 30.0, 110.01, 30.01)], vec![ring(110.01, 30.01, 110.02, 30.02)]];
    assert_eq!(find_crossings(&read(&touching).unwrap()), []);
}

#[test]
fn overlaps_and_gaps_are_measured() {
    let (one, two) = (square(110.0, 30.0, 0.01), square(110.009, 30.0, 0.01));
    let far = square(110.03, 30.0, 0.01);
    let shapes = [(1, &one), (2, &two), (3, &far)];
    let found = find_overlaps(&shapes, 10.0, |_, _| false);
    assert_eq!(found.len(), 1);
    let (first, second, piece) = &found[0];
    assert_eq!((*first, *second), (1, 2));
    // A tenth of a square of about 963 by 1112 metres.
    assert!((piece.square_metres - 107_000.0).abs() < 2_000.0, "{piece:?}");
    assert!(find_overlaps(&shapes, 10.0, |_, _| true).is_empty());
    let whole = read(&vec![vec![ring(110.0, 30.0, 110.04, 30.01)]]).unwrap();
    let parts = [&one, &two, &far];
    let missing = find_gaps(Some(&whole), &parts, 10.0, 10);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!((110.019..110.03).contains(&missing[0].at.lng));
    assert!(find_gaps(None, &parts, 10.0, 10).is_empty());
    let neighbours = [&square(110.0, 30.0, 0.01), &square(110.01, 30.0, 0.01)];
    let both = read(&vec![vec![ring(110.0, 30.0, 110.02, 30.01)]]).unwrap();
    assert!(find_gaps(Some(&both), &neighbours, 1.0, 10).is_empty());
    assert_eq!(unite_all(&neighbours).0.len(), 1);
}

#[test]
fn distances_are_in_metres() {
    let square = square(110.0, 30.0, 0.01);
    let from = |lng, lat| distance_m(&square, Point { lng, lat });
    assert!(from(110.005, 30.005).abs() < f64::EPSILON);
    assert!((from(110.005, 30.02) - 1112.0).abs() < 2.0);
    assert!((from(110.02, 30.005) - 963.0).abs() < 2.0);
    let extent = bounding_box(&square).unwrap();
    assert!((box_distance_m(extent, Point { lng: 110.005, lat: 30.02 }) - 1112.0).abs() < 2.0);
}

#[test]
fn what_is_kept_is_geojson() {
    let text = Drawn::new(&square(110.0, 30.0, 0.01)).text();
    assert!(text.starts_with(r#"{"type":"MultiPolygon","coordinates":[[[[110.0,30.0]"#), "{text}");
}
