//! Photos that are small and take long: estimated before they are unpacked, done in turn, and apart
//! from those of all others.

use std::{
    io::Cursor,
    time::{Duration as Time, Instant},
};

use api::app::config::Rate;
use image::{DynamicImage, GrayImage, ImageFormat};

use crate::harness::{Answer, City, Engine, new_key, on_both, read_text};

on_both! {
    a_photo_that_takes_long_holds_up_nobody,
    a_photo_packed_to_take_for_ever_is_refused,
}

/// A small file that unpacks to a large photo.
fn make_large_photo(side: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::ImageLuma8(GrayImage::new(side, side));
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    let bytes = bytes.into_inner();
    assert!(bytes.len() < 200_000, "{}", bytes.len());
    bytes
}

fn send_photo(city: &City, by: &str, bytes: &[u8]) -> Answer {
    let path = format!("/api/v1/media?id={}", new_key());
    city.client(by).call("POST", &path).header("Content-Type", "image/jpeg").bytes(bytes).send()
}

/// Sends a photo beside others; answers when it was done.
fn time_photo(city: &City, by: &str, bytes: &[u8]) -> Instant {
    send_photo(city, by, bytes).expect_success();
    Instant::now()
}

fn a_photo_that_takes_long_holds_up_nobody(city: &City) {
    // Slow enough to be distinguished from small ones, and no slower.
    let (large, small) = (make_large_photo(2000), crate::media::load_image("ok/hopper.jpg"));
    std::thread::scope(|scope| {
        let slow: Vec<_> =
            (0..6).map(|_| scope.spawn(|| time_photo(city, "resident", &large))).collect();
        std::thread::sleep(Time::from_millis(300));
        // A small photo and a large one of other people come before the last of the six.
        let others = [("worker", &small), ("neighbour", &large)];
        let others = others.map(|(by, bytes)| scope.spawn(move || time_photo(city, by, bytes)));
        let others = others.map(|other| other.join().unwrap());
        let last = slow.into_iter().map(|one| one.join().unwrap()).max().unwrap();
        assert!(others.iter().all(|other| *other < last), "they waited for all of the six");
    });
}

fn a_photo_packed_to_take_for_ever_is_refused(city: &City) {
    let jpeg = crate::media::load_image("ok/hopper.jpg");
    let scans = [jpeg.as_slice(), &[0xff, 0xda].repeat(100_000)].concat();
    let refused = send_photo(city, "resident", &scans).expect_problem(422, "media_unacceptable");
    assert_eq!(read_text(&refused, "/reason"), "too_much_work");
    send_photo(city, "resident", &jpeg).expect_success();
}

/// The cost of one person's photos is counted in their picture elements.
fn check_photo_cost(engine: Engine) {
    let city = City::open_with(engine, |settings| {
        settings.limits.residents.megapixels = Rate { at_once: 30, an_hour: 30 };
    });
    let large = make_large_photo(4800);
    send_photo(&city, "resident", &large).expect_success();
    let refused = send_photo(&city, "resident", &large);
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(refused.expect_problem(429, "too_many_requests")["limit"], "megapixels");
    send_photo(&city, "resident", &crate::media::load_image("ok/hopper.jpg")).expect_success();
    send_photo(&city, "neighbour", &large).expect_success();
}

mod picture_elements_are_counted {
    use crate::harness::Engine;

    #[test]
    fn sqlite() {
        super::check_photo_cost(Engine::Sqlite);
    }

    #[test]
    fn postgres() {
        super::check_photo_cost(Engine::Postgres);
    }
}
