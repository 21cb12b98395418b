//! Files in a bucket: a stand-in that speaks as much S3 as files need, checks every signature and
//! the digest of every body, takes no small parts, and fails on request.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
};

use api::{
    app::config::Secret,
    cli::demo::standin::{Asked, Said, Standin},
};
use chrono::Duration;
use domain::core::journal::Hash;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::{
    harness::{City, Engine, new_key, on_both_beside, read_text, report_body_at},
    media::load_image,
};

const KEY: &str = "grid-files";
const SECRET: &str = "a secret of the bucket";
const REGION: &str = "cn-huangshi";

/// What is in the bucket.
#[derive(Default)]
struct Contents {
    files: BTreeMap<String, Vec<u8>>,
    /// Uploads that are under way, by number, and their parts.
    uploads: BTreeMap<u32, BTreeMap<u32, Vec<u8>>>,
}

#[derive(Default)]
struct Inside {
    contents: Mutex<Contents>,
    begun: AtomicU32,
    parts: AtomicU32,
    asked: AtomicU32,
    /// The status of every answer; 0 for the right one.
    failing: AtomicU16,
}

/// The stand-in, as a server on this machine.
struct Bucket {
    inside: Arc<Inside>,
    server: Standin,
}

impl Bucket {
    fn start() -> Self {
        let inside = Arc::<Inside>::default();
        let answers = Arc::clone(&inside);
        let server = Standin::serve(move |asked| Said::Raw(answers.answer_request(asked))).unwrap();
        Self { inside, server }
    }

    /// The names of the files in it, without the folders they are in.
    fn files(&self) -> Vec<String> {
        let last = |name: &String| name.rsplit('/').next().unwrap_or_default().to_owned();
        let mut files: Vec<String> = self.inside.lock_contents().files.keys().map(last).collect();
        files.sort();
        files
    }

    fn fail_with(&self, status: u16) {
        self.inside.failing.store(status, Ordering::Relaxed);
    }
}

fn encode_response(status: u16, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Answer\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Content-Length") {
        write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn encode_error(status: u16, code: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
    encode_response(status, &[("Content-Type", "application/xml".to_owned())], body.as_bytes())
}

fn sign_text(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What signature version 4 of Amazon makes of this request.
fn compute_signature(asked: &Asked) -> Option<String> {
    let header = |name: &str| asked.headers.get(name).map(String::as_str);
    let said = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let fields: BTreeMap<&str, &str> =
        said.split(',').filter_map(|field| field.trim().split_once('=')).collect();
    let (who, scope) = fields.get("Credential")?.split_once('/')?;
    let digest = header("x-amz-content-sha256")?;
    let whole = digest == "UNSIGNED-PAYLOAD" || digest == Hash::digest(&asked.body).to_hex();
    if who != KEY || !whole {
        return None;
    }
    let query: Vec<String> =
        asked.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let names = fields.get("SignedHeaders")?;
    let mut request = format!("{}\n{}\n{}\n", asked.method, asked.path, query.join("&"));
    for name in names.split(';') {
        writeln!(request, "{name}:{}", header(name)?).unwrap();
    }
    write!(request, "\n{names}\n{digest}").unwrap();
    let at = header("x-amz-date")?;
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", Hash::digest(request.as_bytes()).to_hex());
    let secret = format!("AWS4{SECRET}").into_bytes();
    let parts: Vec<&str> = scope.split('/').collect();
    assert_eq!(parts.get(1..), Some(&[REGION, "s3", "aws4_request"][..]));
    let key = parts.iter().fold(secret, |key, part| sign_text(&key, part));
    (*fields.get("Signature")? == encode_hex(&sign_text(&key, &to_sign))).then(|| who.to_owned())
}

impl Inside {
    fn lock_contents(&self) -> std::sync::MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer_request(&self, asked: &Asked) -> Vec<u8> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let failing = self.failing.load(Ordering::Relaxed);
        if failing != 0 {
            return encode_error(failing, "InternalError");
        }
        if compute_signature(asked).is_none() {
            return encode_error(403, "SignatureDoesNotMatch");
        }
        let Some(name) = asked.path.strip_prefix("/grid/") else {
            return encode_error(404, "NoSuchBucket");
        };
        let upload = asked.query_param("uploadId").parse::<u32>().ok();
        match (asked.method.as_str(), upload) {
            ("PUT", Some(upload)) => self.store_part(asked, upload),
            ("PUT", None) => {
                self.lock_contents().files.insert(name.to_owned(), asked.body.clone());
                encode_response(200, &[("ETag", "\"whole\"".to_owned())], b"")
            }
            ("POST", None) if asked.query.contains_key("uploads") => {
                let upload = self.begun.fetch_add(1, Ordering::Relaxed);
                self.lock_contents().uploads.insert(upload, BTreeMap::new());
                let body = format!(
                    "<InitiateMultipartUploadResult><Bucket>grid</Bucket><Key>{name}</Key>\
                     <UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                );
                encode_response(200, &[], body.as_bytes())
            }
            ("POST", Some(upload)) => self.complete_upload(name, upload),
            ("HEAD" | "GET", None) => self.read_file(asked, name),
            ("DELETE", None) => {
                self.lock_contents().files.remove(name);
                encode_response(204, &[], b"")
            }
            _ => encode_error(501, "NotImplemented"),
        }
    }

    fn store_part(&self, asked: &Asked, upload: u32) -> Vec<u8> {
        let number = asked.query_param("partNumber").parse::<u32>().unwrap_or_default();
        let mut contents = self.lock_contents();
        let Some(parts) = contents.uploads.get_mut(&upload) else {
            return encode_error(404, "NoSuchUpload");
        };
        self.parts.fetch_add(1, Ordering::Relaxed);
        parts.insert(number, asked.body.clone());
        encode_response(200, &[("ETag", format!("\"part-{number}\""))], b"")
    }

    fn complete_upload(&self, name: &str, upload: u32) -> Vec<u8> {
        const SMALLEST: usize = 5 * 1024 * 1024;
        let mut contents = self.lock_contents();
        let Some(parts) = contents.uploads.remove(&upload) else {
            return encode_error(404, "NoSuchUpload");
        };
        let last = parts.len().saturating_sub(1);
        if parts.values().take(last).any(|part| part.len() < SMALLEST) {
            return encode_error(400, "EntityTooSmall");
        }
        contents.files.insert(name.to_owned(), parts.into_values().flatten().collect());
        let body =
            "<CompleteMultipartUploadResult><ETag>\"all\"</ETag></CompleteMultipartUploadResult>";
        encode_response(200, &[], body.as_bytes())
    }

    fn read_file(&self, asked: &Asked, name: &str) -> Vec<u8> {
        let contents = self.lock_contents();
        let Some(bytes) = contents.files.get(name) else { return encode_error(404, "NoSuchKey") };
        let mut headers = vec![
            ("ETag", "\"whole\"".to_owned()),
            ("Last-Modified", "Mon, 02 Mar 2026 08:00:00 GMT".to_owned()),
        ];
        if asked.method == "HEAD" {
            headers.push(("Content-Length", bytes.len().to_string()));
            return encode_response(200, &headers, b"");
        }
        let range = asked.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
        let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
            return encode_response(200, &headers, bytes);
        };
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        let to = to.min(bytes.len() - 1);
        headers.push(("Content-Range", format!("bytes {from}-{to}/{}", bytes.len())));
        encode_response(206, &headers, &bytes[from..=to])
    }
}

/// A city whose files are in the bucket.
fn open_city(engine: Engine) -> (City, Bucket) {
    let bucket = Bucket::start();
    let url = format!("s3://grid?endpoint={}&region={REGION}", bucket.server.base);
    let city = City::open_with(engine, |settings| {
        settings.media = Some(url.parse().unwrap());
        settings.media_access_key = Some(Secret::from(KEY));
        settings.media_secret_key = Some(Secret::from(SECRET));
    });
    (city, bucket)
}

on_both_beside! {
    a_photo_lies_in_the_bucket_until_nothing_names_it,
    what_is_large_goes_in_parts_and_comes_in_ranges,
    a_bucket_that_fails_costs_nothing_but_time,
    a_wrong_secret_is_no_fault_of_whoever_sends,
}

fn send_media(city: &City, id: &str, kind: &str, bytes: &[u8]) -> crate::harness::Answer {
    let path = format!("/api/v1/media?id={id}");
    let call = city.client("worker").call("POST", &path).header("Content-Type", kind);
    call.bytes(bytes).send()
}

fn a_photo_lies_in_the_bucket_until_nothing_names_it(city: &City, bucket: &Bucket) {
    let (named, unnamed) = (new_key(), new_key());
    let view =
        send_media(city, &named, "image/jpeg", &load_image("ok/hopper.jpg")).expect_success();
    assert_eq!(bucket.files(), ["full", "thumb_large", "thumb_small"]);
    let shown = city.client("").get(&read_text(&view, "/links/thumb_small"));
    assert_eq!((shown.status, shown.header("content-type")), (200, "image/jpeg"));
    let mut report = report_body_at(110.005, 30.005);
    report["media"] = json!([named]);
    city.client("worker").post("/api/v1/reports", &report).expect_success();
    send_media(city, &unnamed, "image/png", &load_image("ok/hopper.png")).expect_success();
    assert_eq!(bucket.files().len(), 6);
    city.advance(Duration::days(8));
    let pass = api::resources::retention::run_pass(&city.app);
    actix_web::rt::System::new().block_on(pass).expect("what is over can be removed");
    assert_eq!(bucket.files(), ["full", "thumb_large", "thumb_small"]);
}

/// A sound of so many bytes: silence, numbered so that its parts differ.
fn make_sound(length: u32) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((length - 8).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    for word in [16_u32, 0x0001_0001, 8000, 16_000, 0x0010_0002] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(b"data");
    bytes.extend((length - 44).to_le_bytes());
    bytes.extend((0..length / 4).flat_map(u32::to_le_bytes));
    bytes.truncate(usize::try_from(length).unwrap());
    bytes
}

fn what_is_large_goes_in_parts_and_comes_in_ranges(city: &City, bucket: &Bucket) {
    let sent = make_sound(6 * 1024 * 1024 + 11);
    let view = send_media(city, &new_key(), "audio/wav", &sent).expect_success();
    assert_eq!(bucket.inside.parts.load(Ordering::Relaxed), 2);
    assert_eq!(bucket.inside.lock_contents().files.values().next(), Some(&sent));
    let link = read_text(&view, "/links/full");
    assert_eq!(city.client("").get(&link).bytes, sent);
    let some = city.client("").call("GET", &link).header("Range", "bytes=5242870-5242890").send();
    assert_eq!((some.status, &some.bytes[..]), (206, &sent[5_242_870..=5_242_890]));
    let last = city.client("").call("GET", &link).header("Range", "bytes=-3").send();
    assert_eq!((last.status, &last.bytes[..]), (206, &sent[sent.len() - 3..]));
}

fn a_bucket_that_fails_costs_nothing_but_time(city: &City, bucket: &Bucket) {
    let id = new_key();
    for failing in [500, 503] {
        bucket.fail_with(failing);
        let before = bucket.inside.asked.load(Ordering::Relaxed);
        let answer = send_media(city, &id, "image/jpeg", &load_image("ok/hopper.jpg"));
        let problem = answer.expect_problem(503, "storage_unavailable");
        assert!(!problem.to_string().contains("127.0.0.1"), "{problem}");
        // It was asked again, but not for ever: the caller waits.
        let asked = bucket.inside.asked.load(Ordering::Relaxed) - before;
        assert!((2..=4).contains(&asked), "{asked}");
    }
    city.client("worker").get(&format!("/api/v1/media/{id}")).expect_problem(404, "not_found");
    bucket.fail_with(0);
    let view = send_media(city, &id, "image/jpeg", &load_image("ok/hopper.jpg")).expect_success();
    let link = read_text(&view, "/links/full");
    assert_eq!(city.client("").get(&link).status, 200);
    bucket.fail_with(503);
    city.client("").get(&link).expect_problem(503, "storage_unavailable");
}

fn a_wrong_secret_is_no_fault_of_whoever_sends(city: &City, bucket: &Bucket) {
    bucket.fail_with(403);
    let answer = send_media(city, &new_key(), "image/jpeg", &load_image("ok/hopper.jpg"));
    let problem = answer.expect_problem(503, "storage_unavailable");
    for secret in [KEY, SECRET] {
        assert!(!problem.to_string().contains(secret), "{problem}");
    }
}
