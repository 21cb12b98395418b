//! Photos and films that tell where people were, and photos that are damaged: nobody is shown where
//! somebody was who did not agree, and no picture that is mostly grey.

use serde_json::{Value, json};

use crate::{
    harness::{City, new_key, on_both, read_text},
    media::{
        add_lake_position, decode_picture, follow_link, get_media, load_image, send_form, send_raw,
    },
};

on_both! {
    what_was_sent_is_sealed_and_disclosed_on_the_record,
    a_film_says_nothing_of_where_it_was_taken,
    a_camera_that_knew_no_place_says_none,
    a_photo_with_a_mark_before_its_notes_is_turned,
    a_damaged_photo_is_never_mostly_grey,
}

/// A photo of which a standard demands the bytes as they were sent, named by a case: sent by the
/// community, which agreed to nothing.
pub(crate) fn keep_original(city: &City) -> (String, Vec<u8>) {
    let conduct = |document: &Value| {
        let rule = json!({ "document": document, "note": "专业标准要求" });
        city.client("admin").post("/api/v1/policies/conduct", &rule).expect_success();
    };
    conduct(&json!({ "evidence": ["A"] }));
    let case = city.new_signed_case();
    let photo = new_key();
    let sent = add_lake_position(&load_image("ok/hopper.jpg"));
    let fields = [("id", photo.as_str()), ("case_id", case.as_str())];
    send_form(city, "community", &fields, "x.jpg", &sent).expect_success();
    let body = json!({ "result": "已清理", "media": [photo] });
    city.take_step("community", &case, "feedback", &body);
    conduct(&json!({}));
    (photo, sent)
}

fn purpose() -> Value {
    json!({ "purpose": "supervision", "reason": "复核取证照片的拍摄信息" })
}

fn what_was_sent_is_sealed_and_disclosed_on_the_record(city: &City) {
    let (photo, sent) = keep_original(city);
    let view = get_media(city, "leader", &photo).expect_success();
    assert_eq!((&view["place"], &view["original"]), (&Value::Null, &json!(true)));
    let links = view["links"].as_object().unwrap();
    assert!(!links.contains_key("original"), "{view}");
    for name in ["thumb_small", "thumb_large", "full"] {
        let served = follow_link(city, &view, &format!("/links/{name}")).bytes;
        assert!(!served.windows(4).any(|four| four == b"Exif"), "{name}");
    }
    let forged = read_text(&view, "/links/full").replace("variant=full", "variant=original");
    city.client("").get(&forged).expect_problem(403, "link_invalid");
    // By whom it was sent, and by who may see people's data there.
    let path = format!("/api/v1/media/{photo}/disclosures");
    for by in ["community", "dispatcher"] {
        let shown = city.client(by).post(&path, &purpose());
        assert_eq!((shown.status, &shown.bytes), (201, &sent), "{by}: {}", shown.text);
        assert!(shown.header("content-disposition").starts_with("attachment"));
    }
    city.client("worker").post(&path, &purpose()).expect_problem(403, "not_permitted");
    city.client("resident").post(&path, &purpose()).expect_problem(404, "not_found");
    city.client("far_worker").post(&path, &purpose()).expect_problem(404, "not_found");
    let mine = city.client("community").get("/api/v1/me/disclosures").expect_success();
    let records = mine["items"].as_array().unwrap();
    assert_eq!(records.len(), 2, "{mine}");
    assert!(records.iter().all(|one| one["fields"] == json!(["original"])), "{mine}");
    let log = city.client("auditor").get("/api/v1/audit?act=disclose").expect_success();
    assert_eq!(log["items"].as_array().unwrap().len(), 3, "{log}");
    // Of a photo that is kept in no such way there is nothing to disclose.
    let plain = new_key();
    send_raw(city, "community", &plain, &sent).expect_success();
    let path = format!("/api/v1/media/{plain}/disclosures");
    city.client("community").post(&path, &purpose()).expect_problem(404, "not_found");
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

fn block(name: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let held = parts.concat();
    let length = u32::try_from(held.len() + 8).unwrap();
    [length.to_be_bytes().as_slice(), &name, &held].concat()
}

fn a_film_says_nothing_of_where_it_was_taken(city: &City) {
    const PLACE: &[u8] = b"+30.2211+115.0902/";
    let notes = block(*b"udta", &[&block(*b"\xa9xyz", &[&[0, 18, 0x15, 0xc7], PLACE])]);
    let keys = block(*b"meta", &[&block(*b"ilst", &[PLACE])]);
    let film = [
        block(*b"ftyp", &[b"isom\0\0\x02\0isomiso2mp41"]),
        block(*b"mdat", &[b"PICTURES"]),
        block(*b"moov", &[&notes, &keys]),
    ]
    .concat();
    let id = new_key();
    let view = send_raw(city, "resident", &id, &film).expect_success();
    assert_eq!(view["format"], "mp4");
    let served = follow_link(city, &view, "/links/full").bytes;
    assert_eq!(served.len(), film.len());
    let holds = |text: &[u8]| served.windows(text.len()).any(|some| some == text);
    assert!(!holds(PLACE) && !holds(b"xyz") && holds(b"PICTURES"));
}

fn a_camera_that_knew_no_place_says_none(city: &City) {
    let consent = json!({ "purpose": "photo_place", "given": true, "version": "1" });
    city.client("resident").post("/api/v1/me/consents", &consent).expect_success();
    let mut photo = add_lake_position(&load_image("ok/hopper.jpg"));
    let known = new_key();
    let view = send_raw(city, "resident", &known, &photo).expect_success();
    assert!(view["place"]["lat"].is_f64(), "{view}");
    // Thirty degrees, twelve minutes, 36 seconds; 115, 4, 12: all of them nothing.
    for number in [30_u32, 36, 115, 12, 4] {
        let wanted = [number.to_le_bytes(), 1_u32.to_le_bytes()].concat();
        while let Some(at) = photo[..400].windows(8).position(|eight| eight == wanted) {
            photo[at] = 0;
        }
    }
    let view = send_raw(city, "resident", &new_key(), &photo).expect_success();
    assert_eq!(view["place"], Value::Null);
}

fn a_photo_with_a_mark_before_its_notes_is_turned(city: &City) {
    const MARK: &[u8] = b"Exif\0\0";
    let plain = load_image("ok/hopper_orientation_6.webp");
    let at = plain.windows(4).position(|four| four == b"EXIF").unwrap();
    let size_of =
        |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut marked = plain.clone();
    let begins = at + 8;
    let without = if plain[begins..].starts_with(MARK) { MARK.len() } else { 0 };
    // Whichever way it is, the other way is made of it.
    let change: i64 = if without > 0 {
        marked.drain(begins..begins + without);
        -6
    } else {
        marked.splice(begins..begins, MARK.iter().copied());
        6
    };
    for place in [at + 4, 4] {
        let size = i64::from(size_of(&marked, place)) + change;
        let size = u32::try_from(size).unwrap().to_le_bytes();
        marked[place..place + 4].copy_from_slice(&size);
    }
    let shown = |bytes: &[u8]| {
        let view = send_raw(city, "worker", &new_key(), bytes).expect_success();
        follow_link(city, &view, "/links/full").bytes
    };
    assert_eq!(shown(&plain), shown(&marked));
    let upright = decode_picture(&load_image("ok/hopper.jpg")).to_rgb8();
    let turned = decode_picture(&shown(&marked)).to_rgb8();
    let pairs = turned.as_raw().iter().zip(upright.as_raw());
    let differences: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(differences / u64::try_from(upright.as_raw().len()).unwrap() < 24);
}

/// What part of a picture is the grey of what could not be read, in hundredths.
fn grey_share(jpeg: &[u8]) -> usize {
    let picture = decode_picture(jpeg).to_rgb8();
    let grey = |pixel: &&image::Rgb<u8>| pixel.0.iter().all(|part| (126..=130).contains(part));
    picture.pixels().filter(grey).count() * 100 / picture.pixels().count()
}

/// What is done to the bytes of a photo.
type Damage = dyn Fn(&mut Vec<u8>);

fn a_damaged_photo_is_never_mostly_grey(city: &City) {
    let whole = load_image("ok/street_pothole_example.jpg");
    let scan = whole.windows(2).position(|two| two == [0xff, 0xda]).unwrap() + 14;
    let length = whole.len() - scan;
    let mut outcomes = Vec::new();
    for part in [2, 5, 10, 30, 60, 95] {
        let at = scan + length * part / 100;
        let cases: [Box<Damage>; 5] = [
            Box::new(move |bytes| _ = bytes.drain(at..at + 2000)),
            Box::new(move |bytes| bytes[at..at + 500].fill(0)),
            Box::new(move |bytes| _ = bytes.splice(at..at, [0xff, 0xc4, 0, 4, 0, 0])),
            Box::new(move |bytes| bytes[at..at + 40].fill(0xa5)),
            Box::new(move |bytes| _ = bytes.splice(at..at, [0xff, 0xd9])),
        ];
        for (number, damage) in cases.iter().enumerate() {
            let mut bytes = whole.clone();
            if at + 2000 > bytes.len() {
                continue;
            }
            damage(&mut bytes);
            let answer = send_raw(city, "worker", &new_key(), &bytes);
            if answer.status == 201 {
                let view = answer.expect_success();
                let share = grey_share(&follow_link(city, &view, "/links/full").bytes);
                outcomes.push((part, number, share));
                assert!(share < 25, "{part} {number}: {share} %");
            } else {
                let refused = answer.expect_problem(422, "media_unacceptable");
                assert!(
                    ["broken", "truncated"].contains(&refused["reason"].as_str().unwrap()),
                    "{refused}"
                );
            }
        }
    }
    // What is whole is taken, a grey wall too.
    assert!(grey_share(&whole) < 25);
    let wall = image::DynamicImage::ImageRgb8(image::RgbImage::from_pixel(
        64,
        64,
        image::Rgb([128, 128, 128]),
    ));
    let mut bytes = std::io::Cursor::new(Vec::new());
    wall.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    send_raw(city, "worker", &new_key(), &bytes.into_inner()).expect_success();
}
