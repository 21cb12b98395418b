//! Photos: as a mini-program sends them, and 32 of 10 MB at the same moment, with the peak memory
//! of the server.

use std::{io::Write, rc::Rc};

use api::app::clock::new_id;
use image::{DynamicImage, RgbImage, codecs::jpeg::JpegEncoder};

use crate::{
    load::{Load, Until, drive_load},
    results::{Budget, Results, format_number},
    stand::{Open, Stand},
    trouble::{Done, median, new_trouble, print_line},
};

/// The photos that are sent at the same moment.
const ABREAST: u32 = 32;

/// The bytes of a large photo, about.
const LARGE: usize = 10 * 1024 * 1024;

/// A photo with so much noise in it that it takes about this many bytes.
fn make_photo(width: u32, height: u32, bytes: usize) -> Done<Vec<u8>> {
    let mut state = 0x9e37_79b9_u32;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()
    };
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let [one, two, three, _] = noise();
        let [.., wave] = (x / 16 + y / 16).to_be_bytes();
        image::Rgb([wave / 2 + one / 2, wave / 2 + two / 2, wave / 2 + three / 2])
    });
    let picture = DynamicImage::ImageRgb8(picture);
    let mut packed = Vec::new();
    for quality in (20..=96).rev().step_by(4) {
        packed.clear();
        JpegEncoder::new_with_quality(&mut packed, quality).encode_image(&picture)?;
        if packed.len() <= bytes {
            break;
        }
    }
    Ok(packed)
}

fn upload_request(token: &str, bytes: &[u8]) -> Vec<u8> {
    let mut request = Vec::with_capacity(bytes.len() + 512);
    // Writing to a vector cannot fail.
    let _ = write!(
        request,
        "POST /api/v1/media HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: image/jpeg\r\nIdempotency-Key: {}\r\nContent-Length: {}\r\n\r\n",
        new_id(),
        bytes.len()
    );
    request.extend_from_slice(bytes);
    request
}

/// Sends photos, the workers in turn.
async fn send_photos(at: &Open, bytes: &Rc<Vec<u8>>, clients: u32, until: Until) -> Done<Load> {
    let tokens: Vec<String> =
        at.desk.list_workers().iter().map(|(token, _)| (*token).to_owned()).collect();
    let bytes = Rc::clone(bytes);
    let make = Rc::new(move |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % tokens.len().max(1);
        tokens.get(index).map(|token| upload_request(token, &bytes)).into_iter().collect()
    });
    drive_load(&at.server, clients, until, make).await
}

/// Resets the peak memory of a process.
pub(crate) fn forget_peak(pid: u32) -> Done {
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// The memory of a process, in MiB: at present, or its peak since the reset.
pub(crate) fn read_memory(pid: u32, what: &str) -> Done<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.and_then(|line| line.trim_start_matches(':').trim().strip_suffix(" kB"));
    let kib: f64 = kib.ok_or_else(|| new_trouble("the system does not tell"))?.trim().parse()?;
    Ok(kib / 1024.0)
}

/// Measures both in rounds.
pub(crate) async fn measure(stand: &Stand, results: &mut Results) -> Done {
    let at = stand.serve_sqlite().await?;
    let small = Rc::new(make_photo(1440, 1080, 400 * 1024)?);
    let large = Rc::new(make_photo(4000, 3000, LARGE)?);
    let (mut rates, mut peaks, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=stand.options.rounds() {
        let load = send_photos(&at, &small, 8, Until::Time(stand.options.time())).await?;
        let before = read_memory(at.server.pid(), "VmRSS")?;
        forget_peak(at.server.pid())?;
        let heavy = send_photos(&at, &large, ABREAST, Until::Turns(u64::from(ABREAST))).await?;
        let peak = read_memory(at.server.pid(), "VmHWM")?;
        print_line(&format!(
            "media, round {round}: {} photos/s of {} KiB, p50 {} ms; {ABREAST} of {} MiB in {} s, {} MiB before, {} MiB at most",
            format_number(load.request_rate()),
            small.len() / 1024,
            format_number(load.latency_ms(50)),
            large.len() / 1024 / 1024,
            format_number(heavy.time.as_secs_f64()),
            format_number(before),
            format_number(peak),
        ));
        rates.push(load.request_rate());
        peaks.push(peak);
        both.push((load, heavy));
    }
    let of = |value: fn(&(Load, Load)) -> f64| median(&both.iter().map(value).collect::<Vec<_>>());
    let detail = format!(
        "1440 × 1080, {} KiB, eight at a time: decoded, turned, three sizes made; p50 {} ms; {} ms of processor each",
        small.len() / 1024,
        format_number(of(|(load, _)| load.latency_ms(50))),
        format_number(of(|(load, _)| load.server_us()) / 1000.0),
    );
    results.add_note("photos sent", median(&rates), "/s", detail);
    let detail = format!(
        "{ABREAST} photos of 12 million picture elements and {} MiB at the same moment, all taken in {} s",
        large.len() / 1024 / 1024,
        format_number(of(|(_, heavy)| heavy.time.as_secs_f64())),
    );
    results.add_against(
        "memory with 32 photos of 10 MB at once",
        (Budget::AtMost, 512.0, " MiB"),
        median(&peaks),
        detail,
    );
    Ok(())
}
