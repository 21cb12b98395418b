//! Photos, videos and sounds: before and after what names them, in pieces, damaged, disguised,
//! twice; and who may see them.

use std::{fmt::Write, io::Cursor};

use chrono::Duration;
use domain::core::journal::Hash;
use image::{DynamicImage, GenericImageView, ImageFormat};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, City, key, on_both, report_at, root, seed, solved, text},
    snapshot::committed,
};

on_both! {
    every_image_gets_its_verdict,
    a_photo_arrives_before_or_after_what_names_it,
    photos_are_turned_upright,
    what_the_camera_wrote_is_read_and_left_behind,
    the_same_photo_is_noticed,
    who_may_not_see_the_case_knows_no_photo,
    links_live_for_minutes_and_serve_one_thing,
    what_is_no_photo_is_refused,
    a_disguise_is_served_as_what_it_is,
    an_identity_is_one_file,
    a_file_comes_in_pieces,
    what_nothing_names_expires,
    erasing_removes_what_nothing_names,
    evidence_is_demanded_where_the_standard_says_so,
    before_and_after_stand_side_by_side,
}

/// A file of those shipped.
pub(crate) fn image(name: &str) -> Vec<u8> {
    std::fs::read(root().join("tests/data/images").join(name)).unwrap()
}

/// A photo that no one else has.
fn fresh(seed: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(96, 72, |x, y| {
        let mixed = x.wrapping_mul(7 + u32::from(seed)) ^ y.wrapping_mul(13 + u32::from(seed) * 3);
        let [one, two, ..] = mixed.wrapping_mul(2_654_435_761).to_be_bytes();
        image::Rgb([one, two, seed])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// The photo as a camera writes it that knows where it is: 115.07° E, 30.21° N.
fn at_the_lake(jpeg: &[u8]) -> Vec<u8> {
    fn entry(tag: u16, kind: u16, count: u32, value: u32) -> Vec<u8> {
        let (tag, kind) = (tag.to_le_bytes(), kind.to_le_bytes());
        [&tag[..], &kind, &count.to_le_bytes(), &value.to_le_bytes()].concat()
    }
    let rational = |parts: [u32; 3]| -> Vec<u8> {
        parts.iter().flat_map(|part| [part.to_le_bytes(), 1_u32.to_le_bytes()].concat()).collect()
    };
    let tiff = [
        b"II*\0\x08\0\0\0\x01\0".to_vec(),
        entry(0x8825, 4, 1, 26),
        vec![0; 4],
        vec![4, 0],
        entry(1, 2, 2, u32::from(b'N')),
        entry(2, 5, 3, 80),
        entry(3, 2, 2, u32::from(b'E')),
        entry(4, 5, 3, 104),
        vec![0; 4],
        rational([30, 12, 36]),
        rational([115, 4, 12]),
    ]
    .concat();
    let block = [&b"Exif\0\0"[..], &tiff].concat();
    let length = u16::try_from(block.len() + 2).unwrap().to_be_bytes();
    let segment = [&[0xff, 0xe1][..], &length, &block].concat();
    let mut photo = jpeg.to_vec();
    photo.splice(2..2, segment);
    photo
}

/// Sends a file as `wx.uploadFile` does.
fn form(city: &City, by: &str, fields: &[(&str, &str)], name: &str, bytes: &[u8]) -> Answer {
    const EDGE: &str = "----WebKitFormBoundary7MA4YWxk";
    let mut body = Vec::new();
    for (field, value) in fields {
        let part = format!(
            "--{EDGE}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
        );
        body.extend(part.into_bytes());
    }
    let head = format!(
        "--{EDGE}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    );
    body.extend(head.into_bytes());
    body.extend(bytes);
    body.extend(format!("\r\n--{EDGE}--\r\n").into_bytes());
    let kind = format!("multipart/form-data; boundary={EDGE}");
    city.by(by).call("POST", "/api/v1/media").header("Content-Type", &kind).bytes(body).send()
}

/// Sends a file as a body.
pub(crate) fn raw(city: &City, by: &str, id: &str, bytes: &[u8]) -> Answer {
    let path = format!("/api/v1/media?id={id}");
    city.by(by).call("POST", &path).header("Content-Type", "image/jpeg").bytes(bytes).send()
}

/// A photo that is here; its identity.
fn photo(city: &City, by: &str, bytes: &[u8]) -> String {
    let id = key();
    raw(city, by, &id, bytes).done();
    id
}

/// A report that names these; its identity.
pub(crate) fn naming(city: &City, by: &str, media: &[&str]) -> String {
    let mut body = report_at(110.005, 30.005);
    body["media"] = json!(media);
    text(&city.by(by).post("/api/v1/reports", &body).done(), "/id")
}

/// A report by this person with a photo; the identities of both.
pub(crate) fn reported(city: &City, by: &str) -> (String, String) {
    let photo = photo(city, by, &image("ok/hopper.jpg"));
    (naming(city, by, &[&photo]), photo)
}

fn report(city: &City, by: &str, id: &str) -> Value {
    city.by(by).get(&format!("/api/v1/reports/{id}")).done()
}

fn media(city: &City, by: &str, id: &str) -> Answer {
    city.by(by).get(&format!("/api/v1/media/{id}"))
}

/// Follows a link without a login.
fn follow(city: &City, view: &Value, pointer: &str) -> Answer {
    city.by("").get(&text(view, pointer))
}

fn picture(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

fn every_image_gets_its_verdict(city: &City) {
    let mut table = String::new();
    for folder in ["ok", "bad"] {
        let entries = std::fs::read_dir(root().join("tests/data/images").join(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        for name in names {
            let file = format!("{folder}/{name}");
            let answer = form(city, "worker", &[("id", &key())], &name, &image(&file));
            let verdict = if answer.status == 201 {
                let view = answer.done();
                let shown = follow(city, &view, "/links/full");
                assert_eq!((shown.status, shown.header("content-type")), (200, "image/jpeg"));
                let (width, height) = (&view["width"], &view["height"]);
                let upright = picture(&shown.bytes).dimensions();
                assert_eq!(json!([upright.0, upright.1]), json!([width, height]), "{file}");
                format!("taken: {} {width}x{height}", text(&view, "/format"))
            } else {
                let problem = answer.problem(422, "media_unacceptable");
                format!("refused: {}", text(&problem, "/reason"))
            };
            writeln!(table, "{file}: {verdict}").unwrap();
        }
    }
    committed("tests/data/images/verdicts.txt", &table);
}

fn a_photo_arrives_before_or_after_what_names_it(city: &City) {
    let (first, later) = (photo(city, "resident", &fresh(1)), key());
    let id = naming(city, "resident", &[&first, &later]);
    let states = |by: &str| -> Vec<String> {
        let shown = report(city, by, &id);
        let media = shown["media"].as_array().unwrap().clone();
        media.iter().map(|one| text(one, "/state")).collect()
    };
    assert_eq!(states("resident"), ["present", "awaited"]);
    let before = city.by("community").get(&format!("/api/v1/reports/{id}"));
    media(city, "resident", &later).problem(404, "not_found");
    // What another person sends under that identity is not taken for it.
    let taken = key();
    let other = naming(city, "resident", &[&taken]);
    raw(city, "neighbour", &taken, &fresh(9)).problem(422, "idempotency_key_reused");
    assert_eq!(report(city, "community", &other)["media"][0]["state"], "awaited");
    media(city, "community", &taken).problem(404, "not_found");
    // Sent by the person who named it, it is there at once, and the tag says so.
    form(city, "resident", &[("id", &later)], "x.jpg", &fresh(2)).done();
    assert_eq!(states("resident"), ["present", "present"]);
    assert_eq!(states("community"), ["present", "present"]);
    let path = format!("/api/v1/reports/{id}");
    let tag = before.header("etag").to_owned();
    let again = city.by("community").call("GET", &path).header("If-None-Match", &tag).send();
    assert_eq!(again.status, 200);
    let tag = again.header("etag").to_owned();
    let again = city.by("community").call("GET", &path).header("If-None-Match", &tag).send();
    assert_eq!(again.status, 304);
    let named = media(city, "community", &later).done();
    assert_eq!(named["named_by"][0]["id"], id);
    // Nine are enough, and each counts once.
    let many: Vec<String> = (0..10).map(|_| key()).collect();
    let mut body = report_at(110.005, 30.005);
    body["media"] = json!(many);
    let refused = city.by("resident").post("/api/v1/reports", &body).problem(422, "too_many");
    assert_eq!((&refused["what"], &refused["max"]), (&json!("media"), &json!(9)));
    body["media"] = json!(vec![first; 9]);
    let once = city.by("resident").post("/api/v1/reports", &body).done();
    let once = report(city, "resident", &text(&once, "/id"));
    assert_eq!(once["media"].as_array().unwrap().len(), 1);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn photos_are_turned_upright(city: &City) {
    let upright = |name: &str| {
        let id = photo(city, "worker", &image(name));
        let view = media(city, "worker", &id).done();
        picture(&follow(city, &view, "/links/full").bytes).to_rgb8()
    };
    let expected = upright("ok/hopper_orientation_2.jpg");
    for number in 3..=8 {
        let turned = upright(&format!("ok/hopper_orientation_{number}.jpg"));
        assert_eq!(turned.dimensions(), expected.dimensions());
        let differences: u64 = turned
            .as_raw()
            .iter()
            .zip(expected.as_raw())
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        let mean = differences / u64::try_from(expected.as_raw().len()).unwrap();
        assert!(mean < 8, "{number}: {mean}");
    }
    // The sides change with it.
    let view = form(city, "worker", &[], "x", &image("ok/orientation_rectangle.jpg")).done();
    assert_eq!((&view["width"], &view["height"]), (&json!(1), &json!(2)));
}

fn what_the_camera_wrote_is_read_and_left_behind(city: &City) {
    let bytes = at_the_lake(&image("ok/hopper.jpg"));
    let shown = |by: &str| {
        let id = photo(city, by, &bytes);
        media(city, by, &id).done()
    };
    // The time is kept; the place only for people who agreed, or are on duty.
    assert_eq!(shown("resident")["place"], Value::Null);
    let odd = photo(city, "resident", &image("ok/exif_gps.jpg"));
    let odd = media(city, "resident", &odd).done();
    assert_eq!(text(&odd, "/taken_at"), "2099-09-29T02:10:10Z");
    let consent = json!({ "purpose": "photo_place", "given": true, "version": "1" });
    city.by("resident").post("/api/v1/me/consents", &consent).done();
    let place = &shown("resident")["place"];
    assert_eq!((&place["lng"], &place["lat"]), (&json!(115.07), &json!(30.21)));
    // Coordinates that are not on earth are no place.
    let odd = photo(city, "resident", &image("ok/exif_gps.jpg"));
    assert_eq!(media(city, "resident", &odd).done()["place"], Value::Null);
    city.advance(Duration::seconds(1));
    let withdrawn = json!({ "purpose": "photo_place", "given": false, "version": "1" });
    city.by("resident").post("/api/v1/me/consents", &withdrawn).done();
    assert_eq!(shown("resident")["place"], Value::Null);
    assert_eq!(shown("worker")["place"], Value::Null);
    let shift = json!({ "area_id": city.area(seed::GRID) });
    city.by("worker").post("/api/v1/me/shift/start", &shift).done();
    assert!(shown("worker")["place"]["lat"].is_f64());
    // What is served has nothing of it.
    for name in ["ok/exif_gps.jpg", "ok/iptc.jpg", "ok/sugarshack.mpo"] {
        let sent = image(name);
        let id = photo(city, "verifier", &sent);
        let view = media(city, "verifier", &id).done();
        for variant in ["thumb_small", "thumb_large", "full"] {
            let served = follow(city, &view, &format!("/links/{variant}")).bytes;
            for trace in [&b"Exif"[..], b"Photoshop", b"http://ns.adobe.com", b"Nokia", b"Nintendo"]
            {
                let found = served.windows(trace.len()).any(|part| part == trace);
                assert!(!found, "{name} {variant}");
            }
        }
        assert_eq!(view["links"]["original"], Value::Null);
    }
    // A phone may say when, where the camera says nothing.
    let at = "2026-03-03T08:30:00+08:00";
    let view = form(city, "worker", &[("taken_at", at)], "x", &image("ok/hopper.png")).done();
    assert_eq!(text(&view, "/taken_at"), "2026-03-03T00:30:00Z");
}

fn the_same_photo_is_noticed(city: &City) {
    let pothole = image("ok/street_pothole_example.jpg");
    let first = photo(city, "worker", &pothole);
    let report = naming(city, "worker", &[&first]);
    // Packed anew, as WeChat does.
    let mut packed = Cursor::new(Vec::new());
    let smaller = picture(&pothole).thumbnail(700, 700);
    smaller.write_to(&mut packed, ImageFormat::Jpeg).unwrap();
    let again = photo(city, "worker", &packed.into_inner());
    let view = media(city, "worker", &again).done();
    assert_eq!(view["similar"][0]["id"], first, "{view}");
    assert_eq!(view["similar"][0]["named_by"][0]["id"], report);
    // A different photo is not shown, and a person who may not see the first learns nothing.
    let other = photo(city, "worker", &image("ok/hopper.jpg"));
    assert_eq!(media(city, "worker", &other).done()["similar"], json!([]));
    let apart = photo(city, "far_worker", &pothole);
    assert_eq!(media(city, "far_worker", &apart).done()["similar"], json!([]));
    // It is shown, not punished: the report and the case go on.
    naming(city, "worker", &[&again]);
}

fn who_may_not_see_the_case_knows_no_photo(city: &City) {
    let (_, id) = reported(city, "resident");
    for by in ["resident", "worker", "community", "dispatcher", "hotline", "auditor"] {
        assert_eq!(media(city, by, &id).done()["status"], "present", "{by}");
    }
    for by in ["neighbour", "next_worker", "far_community", "sibling", "admin", "nobody"] {
        media(city, by, &id).problem(404, "not_found");
    }
    for by in ["worker@9902", "auditor@9902"] {
        media(city, by, &id).problem(404, "not_found");
    }
    media(city, "", &id).problem(401, "unauthenticated");
    // Before anything names it, it is its sender's alone.
    let own = photo(city, "resident", &fresh(3));
    media(city, "community", &own).problem(404, "not_found");
    // Naming another person's photo does not make it one's own.
    let stolen = naming(city, "neighbour", &[&id]);
    assert_eq!(self::report(city, "neighbour", &stolen)["media"][0]["state"], "awaited");
    media(city, "neighbour", &id).problem(404, "not_found");
    // Nothing removes a file by its address.
    for method in ["DELETE", "PUT"] {
        let answer = city.by("admin").call(method, &format!("/api/v1/media/{id}")).send();
        assert_eq!(answer.status, 405);
    }
    // Those who report, handle, verify or remark send files; no one else does.
    for (by, status) in [("admin", 403), ("auditor", 403), ("nobody", 403), ("lead", 201)] {
        assert_eq!(raw(city, by, &key(), &fresh(4)).status, status, "{by}");
    }
}

fn links_live_for_minutes_and_serve_one_thing(city: &City) {
    let (_, id) = reported(city, "resident");
    let view = media(city, "resident", &id).done();
    let full = text(&view, "/links/full");
    let served = city.by("").get(&full);
    assert_eq!(served.status, 200);
    assert_eq!(served.header("x-content-type-options"), "nosniff");
    assert_eq!(served.header("content-security-policy"), "default-src 'none'; sandbox");
    assert!(served.header("content-disposition").starts_with("inline; filename="));
    // Any part of it may be asked for.
    let part = city.by("").call("GET", &full).header("Range", "bytes=2-5").send();
    assert_eq!((part.status, part.bytes.as_slice()), (206, &served.bytes[2..6]));
    let range = format!("bytes 2-5/{}", served.bytes.len());
    assert_eq!(part.header("content-range"), range);
    let end = city.by("").call("GET", &full).header("Range", "bytes=-3").send();
    assert_eq!(end.bytes.as_slice(), &served.bytes[served.bytes.len() - 3..]);
    let beyond = city.by("").call("GET", &full).header("Range", "bytes=99999999-").send();
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", served.bytes.len()));
    beyond.problem(416, "range_invalid");
    // Nothing of it can be changed.
    let other = photo(city, "resident", &fresh(5));
    for (was, is) in [
        ("variant=full", "variant=thumb_small"),
        ("variant=full", "variant=original"),
        ("expires=1", "expires=2"),
        ("tenant=9901", "tenant=9902"),
        (id.as_str(), other.as_str()),
        ("signature=", "signature=x"),
    ] {
        city.by("").get(&full.replace(was, is)).problem(403, "link_invalid");
    }
    let unsigned = full.split("&signature").next().unwrap();
    assert_eq!(city.by("").get(unsigned).status, 400);
    // Another replica signs the same; time ends it.
    assert_eq!(text(&media(city, "community", &id).done(), "/links/full"), full);
    city.advance(Duration::minutes(21));
    city.by("").get(&full).problem(403, "link_invalid");
    let fresh = text(&media(city, "resident", &id).done(), "/links/full");
    assert_eq!(city.by("").get(&fresh).status, 200);
}

fn what_is_no_photo_is_refused(city: &City) {
    let jpeg = image("ok/hopper.jpg");
    let reason = |bytes: &[u8]| {
        let refused = raw(city, "worker", &key(), bytes).problem(422, "media_unacceptable");
        assert!(refused["accepted"].as_array().unwrap().contains(&json!("jpeg")));
        text(&refused, "/reason")
    };
    assert_eq!(reason(b""), "empty");
    assert_eq!(reason(b"<html><script>alert(1)</script>"), "unknown_format");
    assert_eq!(reason(b"%PDF-1.7\n"), "unknown_format");
    assert_eq!(reason(&jpeg[..jpeg.len() / 2]), "truncated");
    assert_eq!(reason(&jpeg[..3]), "truncated");
    // A small file that says it is enormous.
    let mut bomb = image("ok/hopper.png");
    bomb.splice(16..24, [0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    assert!(["too_many_pixels", "broken"].contains(&reason(&bomb).as_str()));
    let bomb = reason(&image("bad/decompression_bomb.gif"));
    assert!(["too_many_pixels", "broken"].contains(&bomb.as_str()), "{bomb}");
    let flat = image::GrayImage::new(9000, 7000);
    let mut large = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(flat).write_to(&mut large, ImageFormat::Png).unwrap();
    let large = large.into_inner();
    assert!(large.len() < 1_000_000);
    assert_eq!(reason(&large), "too_many_pixels");
    let mut refused = raw(city, "worker", &key(), &image("ok/zPug_3.heic"));
    let told = refused.body["detail"].take();
    assert!(told.as_str().is_some_and(|text| text.contains("JPEG")), "{told}");
    // Too much of it.
    let mut long = jpeg.clone();
    long.resize(21 * 1024 * 1024, 0);
    let id = key();
    let path = format!("/api/v1/media?id={id}");
    if let Ok(answer) = city.by("worker").call("POST", &path).bytes(long).try_send() {
        answer.problem(413, "payload_too_large");
    }
    media(city, "worker", &id).problem(404, "not_found");
    // A digest that does not fit, in every way to state it.
    let wrong = Hash::of(b"something else").hex();
    let answer = form(city, "worker", &[("sha256", &wrong)], "x", &jpeg);
    assert_eq!(text(&answer.problem(422, "checksum_mismatch"), "/received"), Hash::of(&jpeg).hex());
    let digest = |of: &[u8]| {
        use base64::{Engine, prelude::BASE64_STANDARD};
        format!("sha-256=:{}:", BASE64_STANDARD.encode(Hash::of(of).0))
    };
    let with = |header: &str, value: &str| {
        let call = city.by("worker").call("POST", "/api/v1/media").header(header, value);
        call.bytes(jpeg.clone()).send()
    };
    with("Content-Digest", &digest(b"other")).problem(422, "checksum_mismatch");
    with("Repr-Digest", &digest(&jpeg)).done();
    with("Content-Digest", "md5=:AAAA:, sha-256=:AA:").problem(400, "invalid_header");
    // Forms that are none, and unknown fields.
    let broken = city.by("worker").call("POST", "/api/v1/media");
    let broken = broken.header("Content-Type", "multipart/form-data; boundary=x");
    broken.bytes("no form").send().well_told();
    assert_eq!(
        form(city, "worker", &[("size", "7")], "x", &jpeg).fault_at("/size"),
        "unknown_field"
    );
    assert_eq!(form(city, "worker", &[("id", "7")], "x", &jpeg).fault_at("/id"), "wrong_type");
    let long = "x".repeat(300);
    assert_eq!(form(city, "worker", &[("id", &long)], "x", &jpeg).fault_at("/id"), "too_long");
}

fn a_disguise_is_served_as_what_it_is(city: &City) {
    // A page behind a photo, and in a comment of it.
    let page = b"<html><script>alert(document.cookie)</script></html>";
    let mut behind = image("ok/hopper.jpg");
    behind.extend_from_slice(page);
    let mut inside = image("ok/hopper.jpg");
    let length = u16::try_from(page.len() + 2).unwrap().to_be_bytes();
    let comment = [&[0xff, 0xfe][..], &length, page].concat();
    inside.splice(2..2, comment);
    for (bytes, name) in [
        (behind, "../../../etc/passwd"),
        (inside, "x.html"),
        (image("ok/hopper.png"), "C:\\windows\\x.exe"),
        (image("ok/hopper.gif"), "\u{0}\r\n.jpg"),
    ] {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let view = form(city, "worker", &[], &name, &bytes).done();
        let served = follow(city, &view, "/links/full");
        assert_eq!(served.header("content-type"), "image/jpeg");
        assert!(!served.text.contains("<script"), "{name}");
        assert!(!served.header("content-disposition").contains("passwd"));
    }
    // Where bytes are kept as they were sent, they are saved and not opened.
    let mut sound = b"ID3\x04\0\0\0\0\0\0".to_vec();
    sound.extend_from_slice(page);
    sound.resize(400, 0);
    let view = raw(city, "worker", &key(), &sound).done();
    assert_eq!((&view["kind"], &view["format"]), (&json!("audio"), &json!("mp3")));
    let served = follow(city, &view, "/links/full");
    assert_eq!(served.header("content-type"), "audio/mpeg");
    assert!(served.header("content-disposition").starts_with("attachment"));
    assert_eq!(served.header("x-content-type-options"), "nosniff");
    assert_eq!(served.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(served.bytes, sound);
}

fn an_identity_is_one_file(city: &City) {
    let (id, bytes) = (key(), fresh(6));
    let first = form(city, "worker", &[("id", &id)], "x", &bytes).done();
    assert_eq!((&first["id"], &first["own"]), (&json!(id), &json!(true)));
    // The same again, by the same key or another one, in another way.
    let again = raw(city, "worker", &id, &bytes).done();
    assert_eq!(again["uploaded_at"], first["uploaded_at"]);
    raw(city, "worker", &id, &fresh(7)).problem(422, "idempotency_key_reused");
    raw(city, "verifier", &id, &bytes).problem(422, "idempotency_key_reused");
    // The stored file stays as it was.
    let shown = media(city, "worker", &id).done();
    assert_eq!(text(&shown, "/sha256"), Hash::of(&bytes).hex());
    assert_eq!(follow(city, &shown, "/links/full").status, 200);
    // Without an identity the key is the identity; a form needs no key.
    let own = key();
    let call = city.by("worker").call("POST", "/api/v1/media").key(&own);
    let keyed = call.bytes(fresh(8)).send().done();
    assert_eq!(keyed["id"], own);
    let plain = city.by("worker").call("POST", "/api/v1/media").without("Idempotency-Key");
    plain.bytes(fresh(8)).send().problem(400, "idempotency_key_required");
    let path = format!("/api/v1/media?id={}", key());
    let named = city.by("worker").call("POST", &path).without("Idempotency-Key");
    named.bytes(fresh(8)).send().done();
    // Several at the same moment are one.
    let (id, bytes) = (key(), fresh(10));
    let times: Vec<Value> = std::thread::scope(|scope| {
        let sending: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| raw(city, "worker", &id, &bytes).done()["uploaded_at"].clone()))
            .collect();
        sending.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(times.iter().all(|time| *time == times[0]), "{times:?}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_file_comes_in_pieces(city: &City) {
    let bytes = image("ok/street_pothole_example.jpg");
    let (id, sha256) = (key(), Hash::of(&bytes).hex());
    let wanted = json!({ "id": id, "bytes": bytes.len(), "sha256": sha256 });
    let begun = city.by("worker").post("/api/v1/media_uploads", &wanted).done();
    assert_eq!((&begun["offset"], &begun["complete"]), (&json!(0), &json!(false)));
    let path = format!("/api/v1/media_uploads/{id}");
    let append = |by: &str, from: usize, to: usize| {
        let call = city.by(by).call("POST", &format!("{path}/append"));
        call.header("Upload-Offset", &from.to_string()).bytes(bytes[from..to].to_vec()).send()
    };
    assert_eq!(append("worker", 0, 100_000).done()["offset"], 100_000);
    // The same again, and one too far: told where to go on.
    for from in [0, 50_000, 150_000] {
        let refused = append("worker", from, from + 10).problem(409, "upload_offset");
        assert_eq!(refused["offset"], 100_000);
    }
    let shown = city.by("worker").get(&path);
    assert_eq!((shown.header("upload-offset"), shown.header("upload-complete")), ("100000", "?0"));
    append("verifier", 100_000, 100_001).problem(404, "not_found");
    city.by("verifier").get(&path).problem(404, "not_found");
    // Beginning again changes nothing; as something else it is refused.
    assert_eq!(city.by("worker").post("/api/v1/media_uploads", &wanted).done()["offset"], 100_000);
    let other = json!({ "id": id, "bytes": 7 });
    let other = city.by("worker").post("/api/v1/media_uploads", &other);
    other.problem(422, "idempotency_key_reused");
    assert_eq!(append("worker", 100_000, 200_000).done()["offset"], 200_000);
    let last = append("worker", 200_000, bytes.len()).done();
    assert_eq!(last["complete"], true);
    let view = media(city, "worker", &id).done();
    assert_eq!(text(&view, "/sha256"), sha256);
    assert_eq!(follow(city, &view, "/links/thumb_large").status, 200);
    // The last piece again, after its answer was lost.
    assert_eq!(append("worker", 200_000, bytes.len()).done()["complete"], true);
    assert_eq!(city.by("worker").get(&path).done()["complete"], true);
    // Damaged on its way: refused and forgotten.
    let id = key();
    let wanted = json!({ "id": id, "bytes": bytes.len(), "sha256": Hash::of(b"x").hex() });
    city.by("worker").post("/api/v1/media_uploads", &wanted).done();
    let path = format!("/api/v1/media_uploads/{id}");
    let call = city.by("worker").call("POST", &format!("{path}/append"));
    let all = call.header("Upload-Offset", "0").bytes(bytes.clone()).send();
    all.problem(422, "checksum_mismatch");
    city.by("worker").get(&path).problem(404, "not_found");
    // Absurd sizes.
    for (bytes, status, code) in
        [(0_u64, 422, "media_unacceptable"), (1 << 40, 413, "payload_too_large")]
    {
        let wanted = json!({ "bytes": bytes });
        city.by("worker").post("/api/v1/media_uploads", &wanted).problem(status, code);
    }
    let call = city.by("worker").call("POST", &format!("{path}/append"));
    call.header("Upload-Offset", "many").bytes("x").send().problem(404, "not_found");
}

fn swept(city: &City) {
    actix_web::rt::System::new()
        .block_on(api::resources::retention::pass(&city.app))
        .expect("what is over can be removed");
}

fn what_nothing_names_expires(city: &City) {
    let (_, named) = reported(city, "resident");
    let unused = photo(city, "resident", &fresh(11));
    let begun = json!({ "bytes": 1000 });
    let begun = city.by("worker").post("/api/v1/media_uploads", &begun).done();
    let upload = format!("/api/v1/media_uploads/{}", text(&begun, "/id"));
    let call = city.by("worker").call("POST", &format!("{upload}/append"));
    call.header("Upload-Offset", "0").bytes("ten bytes!").send().done();
    swept(city);
    assert_eq!(media(city, "resident", &unused).done()["status"], "present");
    city.advance(Duration::days(8));
    let link = text(&media(city, "resident", &unused).done(), "/links/full");
    assert_eq!(city.by("").get(&link).status, 200);
    swept(city);
    let gone = media(city, "resident", &unused).done();
    assert_eq!((&gone["status"], &gone["links"]), (&json!("gone"), &Value::Null));
    city.by("").get(&link).problem(404, "not_found");
    assert_eq!(media(city, "resident", &named).done()["status"], "present");
    city.by("worker").get(&upload).problem(404, "not_found");
    let kept = city.by("auditor").get("/api/v1/retention").done();
    let kept = kept["items"].as_array().unwrap().clone();
    let class = kept.iter().find(|one| one["class"] == "uploads").unwrap();
    assert_eq!((&class["days"], &class["removed"]), (&json!(7), &json!(1)));
    // The same photo can be sent anew, under another identity.
    raw(city, "resident", &unused, &fresh(11)).done();
    photo(city, "resident", &fresh(11));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn erasing_removes_what_nothing_names(city: &City) {
    let consent = json!({ "purpose": "photo_place", "given": true, "version": "1" });
    city.by("resident").post("/api/v1/me/consents", &consent).done();
    let told = photo(city, "resident", &at_the_lake(&image("ok/hopper.jpg")));
    let report = naming(city, "resident", &[&told]);
    let own = photo(city, "resident", &fresh(12));
    let link = text(&media(city, "resident", &own).done(), "/links/full");
    assert!(media(city, "community", &told).done()["place"]["lng"].is_f64());
    let erased = json!({ "reason": "本人申请" });
    let erased = city.by("resident").post("/api/v1/me/erasure", &erased).done();
    assert_eq!(erased["files"], 1);
    city.by("").get(&link).problem(404, "not_found");
    // What was told with a report is part of it; where it was taken is forgotten.
    let shown = self::report(city, "community", &report);
    assert_eq!(shown["media"][0]["state"], "present");
    assert_eq!(media(city, "community", &told).done()["place"], Value::Null);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn evidence_is_demanded_where_the_standard_says_so(city: &City) {
    let done = || json!({ "result": "已清理" });
    // Everywhere else no one is asked for a photo.
    let case = city.signed();
    city.on("community", &case, "feedback", &done());
    // A class stands for everything in it.
    let rule = json!({ "document": { "evidence": ["A"] }, "note": "专业标准要求" });
    city.by("admin").post("/api/v1/policies/conduct", &rule).done();
    let case = city.signed();
    let feedback = |body: &Value| city.ask("community", &case, "feedback", body);
    let refused = feedback(&done()).problem(422, "evidence_missing");
    assert_eq!(refused["category"], "A");
    let (before, after) = (key(), key());
    let mut body = done();
    body["before_media"] = json!([before]);
    feedback(&body).problem(422, "evidence_missing");
    // The bytes are kept as they were sent, and may arrive later.
    body["media"] = json!([after]);
    feedback(&body).done();
    let sent = image("ok/exif_gps.jpg");
    let fields = [("id", after.as_str()), ("case_id", case.as_str())];
    let view = form(city, "community", &fields, "x.jpg", &sent).done();
    let original = follow(city, &view, "/links/original");
    assert_eq!(original.bytes, sent);
    assert!(original.header("content-disposition").starts_with("attachment"));
    let unseen = form(city, "far_worker", &[("case_id", &case)], "x.jpg", &sent);
    assert_eq!(unseen.fault_at("/case_id"), "unknown_case");
}

fn before_and_after_stand_side_by_side(city: &City) {
    let own = photo(city, "resident", &fresh(13));
    let report = naming(city, "resident", &[&own]);
    let case = city.filed_from(&report);
    city.on("community", &case, "escalate", &json!({ "reason": "没有执法权" }));
    city.on("dispatcher", &case, "dispatch", &json!({ "unit_id": city.area(seed::COMMUNITY) }));
    city.on("community", &case, "sign", &json!({}));
    let before = photo(city, "community", &fresh(14));
    let after = photo(city, "community", &fresh(15));
    let remark = photo(city, "community", &fresh(16));
    let body = json!({ "text": "现场情况", "media": [remark] });
    city.on("community", &case, "comment", &body);
    let body = json!({ "result": "已清理", "media": [after], "before_media": [before] });
    city.on("community", &case, "feedback", &body);
    let seen = photo(city, "verifier", &fresh(17));
    city.on("verifier", &case, "verify", &json!({ "passed": true, "media": [seen] }));
    let shown = |by: &str| -> Vec<(String, String, String)> {
        let case = city.case(by, &case);
        let media = case["media"].as_array().unwrap().clone();
        let one = |one: &Value| (text(one, "/id"), text(one, "/role"), text(one, "/state"));
        media.iter().map(one).collect()
    };
    let row = |id: &str, role: &str| (id.to_owned(), role.to_owned(), "present".to_owned());
    let expected = [
        row(&own, "before"),
        row(&remark, "other"),
        row(&before, "before"),
        row(&after, "after"),
        row(&seen, "after"),
    ];
    for by in ["community", "dispatcher", "resident"] {
        assert_eq!(shown(by), expected, "{by}");
    }
    // What staff showed, the reporter may look at.
    assert_eq!(media(city, "resident", &after).done()["own"], false);
    city.on("resident", &case, "callback", &solved());
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
