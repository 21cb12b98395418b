//! Photos that are small and take long: estimated before they are unpacked, everybody in turn, and
//! apart from those of everybody else.

use std::{
    io::Cursor,
    time::{Duration as Time, Instant},
};

use api::config::Rate;
use image::{DynamicImage, GrayImage, ImageFormat};

use crate::harness::{Answer, City, Engine, key, on_both, text};

on_both! {
    a_photo_that_takes_long_holds_up_nobody,
    a_photo_packed_to_take_for_ever_is_refused,
}

/// A small file that is a large photo.
fn large() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::ImageLuma8(GrayImage::new(16_000, 1500));
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    let bytes = bytes.into_inner();
    assert!(bytes.len() < 200_000, "{}", bytes.len());
    bytes
}

fn send(city: &City, by: &str, bytes: &[u8]) -> Answer {
    let path = format!("/api/v1/media?id={}", key());
    city.by(by).call("POST", &path).header("Content-Type", "image/jpeg").bytes(bytes).send()
}

fn a_photo_that_takes_long_holds_up_nobody(city: &City) {
    let (large, small) = (large(), crate::media::image("ok/hopper.jpg"));
    std::thread::scope(|scope| {
        let slow: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| (send(city, "resident", &large).status, Instant::now())))
            .collect();
        std::thread::sleep(Time::from_millis(50));
        // An ordinary one waits for no large one, and another large one comes second.
        let own = [small.as_slice(), key().as_bytes()].concat();
        send(city, "worker", &own).done();
        send(city, "neighbour", &large).done();
        let done = Instant::now();
        let slow: Vec<(u16, Instant)> = slow.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(slow.iter().all(|(status, _)| *status == 201), "{slow:?}");
        let later = slow.iter().filter(|(_, at)| *at > done).count();
        assert!(later >= 2, "only {later} of six came later");
    });
}

fn a_photo_packed_to_take_for_ever_is_refused(city: &City) {
    let jpeg = crate::media::image("ok/hopper.jpg");
    let scans = [jpeg.as_slice(), &[0xff, 0xda].repeat(100_000)].concat();
    let refused = send(city, "resident", &scans).problem(422, "media_unacceptable");
    assert_eq!(text(&refused, "/reason"), "too_much_work");
    send(city, "resident", &jpeg).done();
}

/// What one person's photos cost is counted in their picture elements.
fn counted(engine: Engine) {
    let city = City::with(engine, |settings| {
        settings.limits.residents.megapixels = Rate { at_once: 30, an_hour: 30 };
    });
    let large = large();
    send(&city, "resident", &large).done();
    let refused = send(&city, "resident", &large);
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(refused.problem(429, "too_many_requests")["limit"], "megapixels");
    send(&city, "resident", &crate::media::image("ok/hopper.jpg")).done();
    send(&city, "neighbour", &large).done();
}

mod picture_elements_are_counted {
    use crate::harness::Engine;

    #[test]
    fn sqlite() {
        super::counted(Engine::Sqlite);
    }

    #[test]
    fn postgres() {
        super::counted(Engine::Postgres);
    }
}
