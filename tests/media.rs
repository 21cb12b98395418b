//! Photos, videos and sounds: before and after the reports that name them, in pieces, damaged,
//! disguised, twice; and who may see them.

use std::{fmt::Write, io::Cursor};

use chrono::Duration;
use domain::core::journal::Hash;
use image::{DynamicImage, GenericImageView, ImageFormat};
use serde_json::{Value, json};

use crate::{
    harness::{
        Answer, City, callback_body, new_key, on_both, read_text, report_body_at, seed,
        workspace_root,
    },
    snapshot::expect_committed,
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

/// A shipped file.
pub(crate) fn load_image(name: &str) -> Vec<u8> {
    std::fs::read(workspace_root().join("tests/data/images").join(name)).unwrap()
}

/// A photo that no one else has.
pub(crate) fn make_photo(seed: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(96, 72, |x, y| {
        let mixed = x.wrapping_mul(7 + u32::from(seed)) ^ y.wrapping_mul(13 + u32::from(seed) * 3);
        let [one, two, ..] = mixed.wrapping_mul(2_654_435_761).to_be_bytes();
        image::Rgb([one, two, seed])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// The photo as a camera with a position writes it: 115.07° E, 30.21° N.
pub(crate) fn add_lake_position(jpeg: &[u8]) -> Vec<u8> {
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
pub(crate) fn send_form(
    city: &City,
    by: &str,
    fields: &[(&str, &str)],
    name: &str,
    bytes: &[u8],
) -> Answer {
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
    city.client(by).call("POST", "/api/v1/media").header("Content-Type", &kind).bytes(body).send()
}

/// Sends a file as a body.
pub(crate) fn send_raw(city: &City, by: &str, id: &str, bytes: &[u8]) -> Answer {
    let path = format!("/api/v1/media?id={id}");
    city.client(by).call("POST", &path).header("Content-Type", "image/jpeg").bytes(bytes).send()
}

/// A photo that is here; its identity.
fn upload_photo(city: &City, by: &str, bytes: &[u8]) -> String {
    let id = new_key();
    send_raw(city, by, &id, bytes).expect_success();
    id
}

/// A report that names these; its identity.
pub(crate) fn submit_naming(city: &City, by: &str, media: &[&str]) -> String {
    let mut body = report_body_at(110.005, 30.005);
    body["media"] = json!(media);
    read_text(&city.client(by).post("/api/v1/reports", &body).expect_success(), "/id")
}

/// A report by this person with a photo; the identities of both.
pub(crate) fn submit_with_photo(city: &City, by: &str) -> (String, String) {
    let photo = upload_photo(city, by, &load_image("ok/hopper.jpg"));
    (submit_naming(city, by, &[&photo]), photo)
}

fn get_report(city: &City, by: &str, id: &str) -> Value {
    city.client(by).get(&format!("/api/v1/reports/{id}")).expect_success()
}

pub(crate) fn get_media(city: &City, by: &str, id: &str) -> Answer {
    city.client(by).get(&format!("/api/v1/media/{id}"))
}

/// Follows a link without a login.
pub(crate) fn follow_link(city: &City, view: &Value, pointer: &str) -> Answer {
    city.client("").get(&read_text(view, pointer))
}

pub(crate) fn decode_picture(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

fn every_image_gets_its_verdict(city: &City) {
    let mut table = String::new();
    for folder in ["ok", "bad"] {
        let entries =
            std::fs::read_dir(workspace_root().join("tests/data/images").join(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        for name in names {
            let file = format!("{folder}/{name}");
            let answer =
                send_form(city, "worker", &[("id", &new_key())], &name, &load_image(&file));
            let verdict = if answer.status == 201 {
                let view = answer.expect_success();
                let shown = follow_link(city, &view, "/links/full");
                assert_eq!((shown.status, shown.header("content-type")), (200, "image/jpeg"));
                let (width, height) = (&view["width"], &view["height"]);
                let upright = decode_picture(&shown.bytes).dimensions();
                assert_eq!(json!([upright.0, upright.1]), json!([width, height]), "{file}");
                format!("taken: {} {width}x{height}", read_text(&view, "/format"))
            } else {
                let problem = answer.expect_problem(422, "media_unacceptable");
                format!("refused: {}", read_text(&problem, "/reason"))
            };
            writeln!(table, "{file}: {verdict}").unwrap();
        }
    }
    expect_committed("tests/data/images/verdicts.txt", &table);
}

fn a_photo_arrives_before_or_after_what_names_it(city: &City) {
    let (first, later) = (upload_photo(city, "resident", &make_photo(1)), new_key());
    let id = submit_naming(city, "resident", &[&first, &later]);
    let states = |by: &str| -> Vec<String> {
        let shown = get_report(city, by, &id);
        let media = shown["media"].as_array().unwrap().clone();
        media.iter().map(|one| read_text(one, "/state")).collect()
    };
    assert_eq!(states("resident"), ["present", "awaited"]);
    let before = city.client("community").get(&format!("/api/v1/reports/{id}"));
    get_media(city, "resident", &later).expect_problem(404, "not_found");
    // What another person sends under that identity is not taken for it.
    let taken = new_key();
    let other = submit_naming(city, "resident", &[&taken]);
    send_raw(city, "neighbour", &taken, &make_photo(9))
        .expect_problem(422, "idempotency_key_reused");
    assert_eq!(get_report(city, "community", &other)["media"][0]["state"], "awaited");
    get_media(city, "community", &taken).expect_problem(404, "not_found");
    // Sent by the person who named it, it is there at once, and the tag says so.
    send_form(city, "resident", &[("id", &later)], "x.jpg", &make_photo(2)).expect_success();
    assert_eq!(states("resident"), ["present", "present"]);
    assert_eq!(states("community"), ["present", "present"]);
    let path = format!("/api/v1/reports/{id}");
    let tag = before.header("etag").to_owned();
    let again = city.client("community").call("GET", &path).header("If-None-Match", &tag).send();
    assert_eq!(again.status, 200);
    let tag = again.header("etag").to_owned();
    let again = city.client("community").call("GET", &path).header("If-None-Match", &tag).send();
    assert_eq!(again.status, 304);
    let named = get_media(city, "community", &later).expect_success();
    assert_eq!(named["named_by"][0]["id"], id);
    // Nine are enough, and each counts once.
    let many: Vec<String> = (0..10).map(|_| new_key()).collect();
    let mut body = report_body_at(110.005, 30.005);
    body["media"] = json!(many);
    let refused =
        city.client("resident").post("/api/v1/reports", &body).expect_problem(422, "too_many");
    assert_eq!((&refused["what"], &refused["max"]), (&json!("media"), &json!(9)));
    body["media"] = json!(vec![first; 9]);
    let once = city.client("resident").post("/api/v1/reports", &body).expect_success();
    let once = get_report(city, "resident", &read_text(&once, "/id"));
    assert_eq!(once["media"].as_array().unwrap().len(), 1);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn photos_are_turned_upright(city: &City) {
    let upright = |name: &str| {
        let id = upload_photo(city, "worker", &load_image(name));
        let view = get_media(city, "worker", &id).expect_success();
        decode_picture(&follow_link(city, &view, "/links/full").bytes).to_rgb8()
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
    let view = send_form(city, "worker", &[], "x", &load_image("ok/orientation_rectangle.jpg"))
        .expect_success();
    assert_eq!((&view["width"], &view["height"]), (&json!(1), &json!(2)));
}

fn what_the_camera_wrote_is_read_and_left_behind(city: &City) {
    let bytes = add_lake_position(&load_image("ok/hopper.jpg"));
    let shown = |by: &str| {
        let id = upload_photo(city, by, &bytes);
        get_media(city, by, &id).expect_success()
    };
    // The time is kept; the place only for people who agreed, or are on duty.
    assert_eq!(shown("resident")["place"], Value::Null);
    let odd = upload_photo(city, "resident", &load_image("ok/exif_gps.jpg"));
    let odd = get_media(city, "resident", &odd).expect_success();
    assert_eq!(read_text(&odd, "/taken_at"), "2099-09-29T02:10:10Z");
    let consent = json!({ "purpose": "photo_place", "given": true, "version": "1" });
    city.client("resident").post("/api/v1/me/consents", &consent).expect_success();
    let place = &shown("resident")["place"];
    assert_eq!((&place["lng"], &place["lat"]), (&json!(115.07), &json!(30.21)));
    // Coordinates that are not on earth are no place.
    let odd = upload_photo(city, "resident", &load_image("ok/exif_gps.jpg"));
    assert_eq!(get_media(city, "resident", &odd).expect_success()["place"], Value::Null);
    city.advance(Duration::seconds(1));
    let withdrawn = json!({ "purpose": "photo_place", "given": false, "version": "1" });
    city.client("resident").post("/api/v1/me/consents", &withdrawn).expect_success();
    assert_eq!(shown("resident")["place"], Value::Null);
    assert_eq!(shown("worker")["place"], Value::Null);
    let shift = json!({ "area_id": city.area_id(seed::GRID) });
    city.client("worker").post("/api/v1/me/shift/start", &shift).expect_success();
    assert!(shown("worker")["place"]["lat"].is_f64());
    // The served pictures contain nothing of it.
    for name in ["ok/exif_gps.jpg", "ok/iptc.jpg", "ok/sugarshack.mpo"] {
        let sent = load_image(name);
        let id = upload_photo(city, "verifier", &sent);
        let view = get_media(city, "verifier", &id).expect_success();
        for variant in ["thumb_small", "thumb_large", "full"] {
            let served = follow_link(city, &view, &format!("/links/{variant}")).bytes;
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
    let view = send_form(city, "worker", &[("taken_at", at)], "x", &load_image("ok/hopper.png"))
        .expect_success();
    assert_eq!(read_text(&view, "/taken_at"), "2026-03-03T00:30:00Z");
}

fn the_same_photo_is_noticed(city: &City) {
    let pothole = load_image("ok/street_pothole_example.jpg");
    let first = upload_photo(city, "worker", &pothole);
    let report = submit_naming(city, "worker", &[&first]);
    // Packed anew, as WeChat does.
    let mut packed = Cursor::new(Vec::new());
    let smaller = decode_picture(&pothole).thumbnail(700, 700);
    smaller.write_to(&mut packed, ImageFormat::Jpeg).unwrap();
    let again = upload_photo(city, "worker", &packed.into_inner());
    let view = get_media(city, "worker", &again).expect_success();
    assert_eq!(view["similar"][0]["id"], first, "{view}");
    assert_eq!(view["similar"][0]["named_by"][0]["id"], report);
    // A different photo is not shown, and a person who may not see the first learns nothing.
    let other = upload_photo(city, "worker", &load_image("ok/hopper.jpg"));
    assert_eq!(get_media(city, "worker", &other).expect_success()["similar"], json!([]));
    let apart = upload_photo(city, "far_worker", &pothole);
    assert_eq!(get_media(city, "far_worker", &apart).expect_success()["similar"], json!([]));
    // It is shown, not punished: the report and the case go on.
    submit_naming(city, "worker", &[&again]);
}

fn who_may_not_see_the_case_knows_no_photo(city: &City) {
    let (_, id) = submit_with_photo(city, "resident");
    for by in ["resident", "worker", "community", "dispatcher", "hotline", "auditor"] {
        assert_eq!(get_media(city, by, &id).expect_success()["status"], "present", "{by}");
    }
    for by in ["neighbour", "next_worker", "far_community", "sibling", "admin", "nobody"] {
        get_media(city, by, &id).expect_problem(404, "not_found");
    }
    for by in ["worker@9902", "auditor@9902"] {
        get_media(city, by, &id).expect_problem(404, "not_found");
    }
    get_media(city, "", &id).expect_problem(401, "unauthenticated");
    // Before anything names it, it is its sender's alone.
    let own = upload_photo(city, "resident", &make_photo(3));
    get_media(city, "community", &own).expect_problem(404, "not_found");
    // Naming another person's photo does not make it one's own.
    let stolen = submit_naming(city, "neighbour", &[&id]);
    assert_eq!(self::get_report(city, "neighbour", &stolen)["media"][0]["state"], "awaited");
    get_media(city, "neighbour", &id).expect_problem(404, "not_found");
    // Nothing removes a file by its address.
    for method in ["DELETE", "PUT"] {
        let answer = city.client("admin").call(method, &format!("/api/v1/media/{id}")).send();
        assert_eq!(answer.status, 405);
    }
    // Those who report, handle, verify or remark send files; no one else does.
    for (by, status) in [("admin", 403), ("auditor", 403), ("nobody", 403), ("lead", 201)] {
        assert_eq!(send_raw(city, by, &new_key(), &make_photo(4)).status, status, "{by}");
    }
}

fn links_live_for_minutes_and_serve_one_thing(city: &City) {
    let (_, id) = submit_with_photo(city, "resident");
    let view = get_media(city, "resident", &id).expect_success();
    let full = read_text(&view, "/links/full");
    let served = city.client("").get(&full);
    assert_eq!(served.status, 200);
    assert_eq!(served.header("x-content-type-options"), "nosniff");
    assert_eq!(served.header("content-security-policy"), "default-src 'none'; sandbox");
    assert!(served.header("content-disposition").starts_with("inline; filename="));
    // Any part of it may be asked for.
    let part = city.client("").call("GET", &full).header("Range", "bytes=2-5").send();
    assert_eq!((part.status, part.bytes.as_slice()), (206, &served.bytes[2..6]));
    let range = format!("bytes 2-5/{}", served.bytes.len());
    assert_eq!(part.header("content-range"), range);
    let end = city.client("").call("GET", &full).header("Range", "bytes=-3").send();
    assert_eq!(end.bytes.as_slice(), &served.bytes[served.bytes.len() - 3..]);
    let beyond = city.client("").call("GET", &full).header("Range", "bytes=99999999-").send();
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", served.bytes.len()));
    beyond.expect_problem(416, "range_invalid");
    // Nothing of it can be changed.
    let other = upload_photo(city, "resident", &make_photo(5));
    for (was, is) in [
        ("variant=full", "variant=thumb_small"),
        ("variant=full", "variant=original"),
        ("expires=1", "expires=2"),
        ("tenant=9901", "tenant=9902"),
        (id.as_str(), other.as_str()),
        ("signature=", "signature=x"),
    ] {
        city.client("").get(&full.replace(was, is)).expect_problem(403, "link_invalid");
    }
    let unsigned = full.split("&signature").next().unwrap();
    assert_eq!(city.client("").get(unsigned).status, 400);
    // Another replica signs the same; time ends it.
    assert_eq!(read_text(&get_media(city, "community", &id).expect_success(), "/links/full"), full);
    city.advance(Duration::minutes(21));
    city.client("").get(&full).expect_problem(403, "link_invalid");
    let fresh = read_text(&get_media(city, "resident", &id).expect_success(), "/links/full");
    assert_eq!(city.client("").get(&fresh).status, 200);
}

fn what_is_no_photo_is_refused(city: &City) {
    let jpeg = load_image("ok/hopper.jpg");
    let reason = |bytes: &[u8]| {
        let refused =
            send_raw(city, "worker", &new_key(), bytes).expect_problem(422, "media_unacceptable");
        assert!(refused["accepted"].as_array().unwrap().contains(&json!("jpeg")));
        read_text(&refused, "/reason")
    };
    assert_eq!(reason(b""), "empty");
    assert_eq!(reason(b"<html><script>alert(1)</script>"), "unknown_format");
    assert_eq!(reason(b"%PDF-1.7\n"), "unknown_format");
    assert_eq!(reason(&jpeg[..jpeg.len() / 2]), "truncated");
    assert_eq!(reason(&jpeg[..3]), "truncated");
    // A small file that says it is enormous.
    let mut bomb = load_image("ok/hopper.png");
    bomb.splice(16..24, [0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    assert!(["too_many_pixels", "broken"].contains(&reason(&bomb).as_str()));
    let bomb = reason(&load_image("bad/decompression_bomb.gif"));
    assert!(["too_many_pixels", "broken"].contains(&bomb.as_str()), "{bomb}");
    let flat = image::GrayImage::new(9000, 7000);
    let mut large = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(flat).write_to(&mut large, ImageFormat::Png).unwrap();
    let large = large.into_inner();
    assert!(large.len() < 1_000_000);
    assert_eq!(reason(&large), "too_many_pixels");
    let mut refused = send_raw(city, "worker", &new_key(), &load_image("ok/zPug_3.heic"));
    let told = refused.body["detail"].take();
    assert!(told.as_str().is_some_and(|text| text.contains("JPEG")), "{told}");
    // Too much of it.
    let mut long = jpeg.clone();
    long.resize(21 * 1024 * 1024, 0);
    let id = new_key();
    let path = format!("/api/v1/media?id={id}");
    if let Ok(answer) = city.client("worker").call("POST", &path).bytes(long).try_send() {
        answer.expect_problem(413, "payload_too_large");
    }
    get_media(city, "worker", &id).expect_problem(404, "not_found");
    // A digest that does not fit, in every way to state it.
    let wrong = Hash::digest(b"something else").to_hex();
    let answer = send_form(city, "worker", &[("sha256", &wrong)], "x", &jpeg);
    assert_eq!(
        read_text(&answer.expect_problem(422, "checksum_mismatch"), "/received"),
        Hash::digest(&jpeg).to_hex()
    );
    let digest = |of: &[u8]| {
        use base64::{Engine, prelude::BASE64_STANDARD};
        format!("sha-256=:{}:", BASE64_STANDARD.encode(Hash::digest(of).0))
    };
    let with = |header: &str, value: &str| {
        let call = city.client("worker").call("POST", "/api/v1/media").header(header, value);
        call.bytes(jpeg.clone()).send()
    };
    with("Content-Digest", &digest(b"other")).expect_problem(422, "checksum_mismatch");
    with("Repr-Digest", &digest(&jpeg)).expect_success();
    with("Content-Digest", "md5=:AAAA:, sha-256=:AA:").expect_problem(400, "invalid_header");
    // Forms that are none, and unknown fields.
    let broken = city.client("worker").call("POST", "/api/v1/media");
    let broken = broken.header("Content-Type", "multipart/form-data; boundary=x");
    broken.bytes("no form").send().expect_complete_problem();
    assert_eq!(
        send_form(city, "worker", &[("size", "7")], "x", &jpeg).expect_fault("/size"),
        "unknown_field"
    );
    assert_eq!(
        send_form(city, "worker", &[("id", "7")], "x", &jpeg).expect_fault("/id"),
        "wrong_type"
    );
    let long = "x".repeat(300);
    assert_eq!(
        send_form(city, "worker", &[("id", &long)], "x", &jpeg).expect_fault("/id"),
        "too_long"
    );
}

fn a_disguise_is_served_as_what_it_is(city: &City) {
    // A page after the end of a photo, and in a comment of it.
    let page = b"<html><script>alert(document.cookie)</script></html>";
    let mut behind = load_image("ok/hopper.jpg");
    behind.extend_from_slice(page);
    let mut inside = load_image("ok/hopper.jpg");
    let length = u16::try_from(page.len() + 2).unwrap().to_be_bytes();
    let comment = [&[0xff, 0xfe][..], &length, page].concat();
    inside.splice(2..2, comment);
    for (bytes, name) in [
        (behind, "../../../etc/passwd"),
        (inside, "x.html"),
        (load_image("ok/hopper.png"), "C:\\windows\\x.exe"),
        (load_image("ok/hopper.gif"), "\u{0}\r\n.jpg"),
    ] {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let view = send_form(city, "worker", &[], &name, &bytes).expect_success();
        let served = follow_link(city, &view, "/links/full");
        assert_eq!(served.header("content-type"), "image/jpeg");
        assert!(!served.text.contains("<script"), "{name}");
        assert!(!served.header("content-disposition").contains("passwd"));
    }
    // Where bytes are stored as they were sent, they are saved and not opened.
    let mut sound = b"ID3\x04\0\0\0\0\0\0".to_vec();
    sound.extend_from_slice(page);
    sound.resize(400, 0);
    let view = send_raw(city, "worker", &new_key(), &sound).expect_success();
    assert_eq!((&view["kind"], &view["format"]), (&json!("audio"), &json!("mp3")));
    let served = follow_link(city, &view, "/links/full");
    assert_eq!(served.header("content-type"), "audio/mpeg");
    assert!(served.header("content-disposition").starts_with("attachment"));
    assert_eq!(served.header("x-content-type-options"), "nosniff");
    assert_eq!(served.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(served.bytes, sound);
}

fn an_identity_is_one_file(city: &City) {
    let (id, bytes) = (new_key(), make_photo(6));
    let first = send_form(city, "worker", &[("id", &id)], "x", &bytes).expect_success();
    assert_eq!((&first["id"], &first["own"]), (&json!(id), &json!(true)));
    // The same again, by the same key or another one, in another way.
    let again = send_raw(city, "worker", &id, &bytes).expect_success();
    assert_eq!(again["uploaded_at"], first["uploaded_at"]);
    send_raw(city, "worker", &id, &make_photo(7)).expect_problem(422, "idempotency_key_reused");
    send_raw(city, "verifier", &id, &bytes).expect_problem(422, "idempotency_key_reused");
    // The stored file stays as it was.
    let shown = get_media(city, "worker", &id).expect_success();
    assert_eq!(read_text(&shown, "/sha256"), Hash::digest(&bytes).to_hex());
    assert_eq!(follow_link(city, &shown, "/links/full").status, 200);
    // Without an identity the key is the identity; a form needs no key.
    let own = new_key();
    let call = city.client("worker").call("POST", "/api/v1/media").key(&own);
    let keyed = call.bytes(make_photo(8)).send().expect_success();
    assert_eq!(keyed["id"], own);
    let plain =
        city.client("worker").call("POST", "/api/v1/media").without_header("Idempotency-Key");
    plain.bytes(make_photo(8)).send().expect_problem(400, "idempotency_key_required");
    let path = format!("/api/v1/media?id={}", new_key());
    let named = city.client("worker").call("POST", &path).without_header("Idempotency-Key");
    named.bytes(make_photo(8)).send().expect_success();
    // Several at the same moment are one.
    let (id, bytes) = (new_key(), make_photo(10));
    let times: Vec<Value> = std::thread::scope(|scope| {
        let sending: Vec<_> = (0..5)
            .map(|_| {
                scope.spawn(|| {
                    send_raw(city, "worker", &id, &bytes).expect_success()["uploaded_at"].clone()
                })
            })
            .collect();
        sending.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(times.iter().all(|time| *time == times[0]), "{times:?}");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn a_file_comes_in_pieces(city: &City) {
    let bytes = load_image("ok/street_pothole_example.jpg");
    let (id, sha256) = (new_key(), Hash::digest(&bytes).to_hex());
    let wanted = json!({ "id": id, "bytes": bytes.len(), "sha256": sha256 });
    let begun = city.client("worker").post("/api/v1/media_uploads", &wanted).expect_success();
    assert_eq!((&begun["offset"], &begun["complete"]), (&json!(0), &json!(false)));
    let path = format!("/api/v1/media_uploads/{id}");
    let append = |by: &str, from: usize, to: usize| {
        let call = city.client(by).call("POST", &format!("{path}/append"));
        call.header("Upload-Offset", &from.to_string()).bytes(bytes[from..to].to_vec()).send()
    };
    assert_eq!(append("worker", 0, 100_000).expect_success()["offset"], 100_000);
    // The same again, and one too far: the answer names the right offset.
    for from in [0, 50_000, 150_000] {
        let refused = append("worker", from, from + 10).expect_problem(409, "upload_offset");
        assert_eq!(refused["offset"], 100_000);
    }
    let shown = city.client("worker").get(&path);
    assert_eq!((shown.header("upload-offset"), shown.header("upload-complete")), ("100000", "?0"));
    append("verifier", 100_000, 100_001).expect_problem(404, "not_found");
    city.client("verifier").get(&path).expect_problem(404, "not_found");
    // Beginning again changes nothing; as something else it is refused.
    assert_eq!(
        city.client("worker").post("/api/v1/media_uploads", &wanted).expect_success()["offset"],
        100_000
    );
    let other = json!({ "id": id, "bytes": 7 });
    let other = city.client("worker").post("/api/v1/media_uploads", &other);
    other.expect_problem(422, "idempotency_key_reused");
    assert_eq!(append("worker", 100_000, 200_000).expect_success()["offset"], 200_000);
    let last = append("worker", 200_000, bytes.len()).expect_success();
    assert_eq!(last["complete"], true);
    let view = get_media(city, "worker", &id).expect_success();
    assert_eq!(read_text(&view, "/sha256"), sha256);
    assert_eq!(follow_link(city, &view, "/links/thumb_large").status, 200);
    // The last piece again, after its answer was lost.
    assert_eq!(append("worker", 200_000, bytes.len()).expect_success()["complete"], true);
    assert_eq!(city.client("worker").get(&path).expect_success()["complete"], true);
    // Damaged on its way: refused and forgotten.
    let id = new_key();
    let wanted = json!({ "id": id, "bytes": bytes.len(), "sha256": Hash::digest(b"x").to_hex() });
    city.client("worker").post("/api/v1/media_uploads", &wanted).expect_success();
    let path = format!("/api/v1/media_uploads/{id}");
    let call = city.client("worker").call("POST", &format!("{path}/append"));
    let all = call.header("Upload-Offset", "0").bytes(bytes.clone()).send();
    all.expect_problem(422, "checksum_mismatch");
    city.client("worker").get(&path).expect_problem(404, "not_found");
    // Absurd sizes.
    for (bytes, status, code) in
        [(0_u64, 422, "media_unacceptable"), (1 << 40, 413, "payload_too_large")]
    {
        let wanted = json!({ "bytes": bytes });
        city.client("worker").post("/api/v1/media_uploads", &wanted).expect_problem(status, code);
    }
    let call = city.client("worker").call("POST", &format!("{path}/append"));
    call.header("Upload-Offset", "many").bytes("x").send().expect_problem(404, "not_found");
}

fn sweep_media(city: &City) {
    actix_web::rt::System::new()
        .block_on(api::resources::retention::run_pass(&city.app))
        .expect("what is over can be removed");
}

fn what_nothing_names_expires(city: &City) {
    let (_, named) = submit_with_photo(city, "resident");
    let unused = upload_photo(city, "resident", &make_photo(11));
    let begun = json!({ "bytes": 1000 });
    let begun = city.client("worker").post("/api/v1/media_uploads", &begun).expect_success();
    let upload = format!("/api/v1/media_uploads/{}", read_text(&begun, "/id"));
    let call = city.client("worker").call("POST", &format!("{upload}/append"));
    call.header("Upload-Offset", "0").bytes("ten bytes!").send().expect_success();
    sweep_media(city);
    assert_eq!(get_media(city, "resident", &unused).expect_success()["status"], "present");
    city.advance(Duration::days(8));
    let link = read_text(&get_media(city, "resident", &unused).expect_success(), "/links/full");
    assert_eq!(city.client("").get(&link).status, 200);
    sweep_media(city);
    let gone = get_media(city, "resident", &unused).expect_success();
    assert_eq!((&gone["status"], &gone["links"]), (&json!("gone"), &Value::Null));
    city.client("").get(&link).expect_problem(404, "not_found");
    assert_eq!(get_media(city, "resident", &named).expect_success()["status"], "present");
    city.client("worker").get(&upload).expect_problem(404, "not_found");
    let kept = city.client("auditor").get("/api/v1/retention").expect_success();
    let kept = kept["items"].as_array().unwrap().clone();
    let class = kept.iter().find(|one| one["class"] == "uploads").unwrap();
    assert_eq!((&class["days"], &class["removed"]), (&json!(7), &json!(1)));
    // The same photo can be sent anew, under another identity.
    send_raw(city, "resident", &unused, &make_photo(11)).expect_success();
    upload_photo(city, "resident", &make_photo(11));
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn erasing_removes_what_nothing_names(city: &City) {
    let consent = json!({ "purpose": "photo_place", "given": true, "version": "1" });
    city.client("resident").post("/api/v1/me/consents", &consent).expect_success();
    let told = upload_photo(city, "resident", &add_lake_position(&load_image("ok/hopper.jpg")));
    let report = submit_naming(city, "resident", &[&told]);
    let own = upload_photo(city, "resident", &make_photo(12));
    let link = read_text(&get_media(city, "resident", &own).expect_success(), "/links/full");
    assert!(get_media(city, "community", &told).expect_success()["place"]["lng"].is_f64());
    let erased = json!({ "reason": "本人申请" });
    let erased = city.client("resident").post("/api/v1/me/erasure", &erased).expect_success();
    assert_eq!(erased["files"], 1);
    city.client("").get(&link).expect_problem(404, "not_found");
    // A file named by a report is part of it; where it was taken is forgotten.
    let shown = self::get_report(city, "community", &report);
    assert_eq!(shown["media"][0]["state"], "present");
    assert_eq!(get_media(city, "community", &told).expect_success()["place"], Value::Null);
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn evidence_is_demanded_where_the_standard_says_so(city: &City) {
    let done = || json!({ "result": "已清理" });
    // Everywhere else no one is asked for a photo.
    let case = city.new_signed_case();
    city.take_step("community", &case, "feedback", &done());
    // A class stands for everything in it.
    let rule = json!({ "document": { "evidence": ["A"] }, "note": "专业标准要求" });
    city.client("admin").post("/api/v1/policies/conduct", &rule).expect_success();
    let case = city.new_signed_case();
    let feedback = |body: &Value| city.post_step("community", &case, "feedback", body);
    let refused = feedback(&done()).expect_problem(422, "evidence_missing");
    assert_eq!(refused["category"], "A");
    let (before, after) = (new_key(), new_key());
    let mut body = done();
    body["before_media"] = json!([before]);
    feedback(&body).expect_problem(422, "evidence_missing");
    // The bytes are kept as they were sent, and may arrive later.
    body["media"] = json!([after]);
    feedback(&body).expect_success();
    let sent = load_image("ok/exif_gps.jpg");
    let fields = [("id", after.as_str()), ("case_id", case.as_str())];
    let view = send_form(city, "community", &fields, "x.jpg", &sent).expect_success();
    assert_eq!(view["original"], true);
    let unseen = send_form(city, "far_worker", &[("case_id", &case)], "x.jpg", &sent);
    assert_eq!(unseen.expect_fault("/case_id"), "unknown_case");
}

fn before_and_after_stand_side_by_side(city: &City) {
    let own = upload_photo(city, "resident", &make_photo(13));
    let report = submit_naming(city, "resident", &[&own]);
    let case = city.file_report(&report);
    city.take_step("community", &case, "escalate", &json!({ "reason": "没有执法权" }));
    city.take_step(
        "dispatcher",
        &case,
        "dispatch",
        &json!({ "unit_id": city.area_id(seed::COMMUNITY) }),
    );
    city.take_step("community", &case, "sign", &json!({}));
    let before = upload_photo(city, "community", &make_photo(14));
    let after = upload_photo(city, "community", &make_photo(15));
    let remark = upload_photo(city, "community", &make_photo(16));
    let body = json!({ "text": "现场情况", "media": [remark] });
    city.take_step("community", &case, "comment", &body);
    let body = json!({ "result": "已清理", "media": [after], "before_media": [before] });
    city.take_step("community", &case, "feedback", &body);
    let seen = upload_photo(city, "verifier", &make_photo(17));
    city.take_step("verifier", &case, "verify", &json!({ "passed": true, "media": [seen] }));
    let shown = |by: &str| -> Vec<(String, String, String)> {
        let case = city.get_case(by, &case);
        let media = case["media"].as_array().unwrap().clone();
        let one = |one: &Value| {
            (read_text(one, "/id"), read_text(one, "/role"), read_text(one, "/state"))
        };
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
    // The reporter may see what staff showed.
    assert_eq!(get_media(city, "resident", &after).expect_success()["own"], false);
    city.take_step("resident", &case, "callback", &callback_body());
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
