//! A stand-in for the interfaces of WeChat and WeCom that this server asks, with their fields,
//! error codes and habits: codes work once, a new access token is the same one for a while, and on
//! request it is slow, answers nonsense or breaks the connection.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};

use super::standin::{Asked, Said, Standin};

/// The AppID it knows.
pub const APP_ID: &str = "wx0000000000demo00";

/// The AppSecret of that mini-program; no real one.
pub const SECRET: &str = "demo-secret-never-to-be-seen";

/// What its messages are signed with; no real one.
pub const TOKEN: &str = "demo-token-never-to-be-seen";

/// The session key it gives to every session; no client may ever get it.
pub const SESSION_KEY: &str = "c2Vzc2lvbi1rZXktbmV2ZXI=";

/// The memory of the stand-in.
#[derive(Default)]
pub struct Memory {
    /// Codes that were used.
    used: BTreeSet<String>,
    /// How often an access token was fetched.
    pub fetched: u32,
    /// How often a new one was forced.
    pub forced: u32,
    /// The subscribe messages and the messages of applications it took.
    pub messages: Vec<Value>,
    /// The number of the access token that works.
    token: u32,
    /// How many texts it looked at.
    pub texts: u32,
    /// The addresses of files it was asked to look at; the first is `trace-1`.
    pub files: Vec<String>,
}

/// WeChat and WeCom, as far as this server asks them.
pub struct Weixin {
    /// The stand-in that answers.
    pub server: Standin,
    memory: Arc<Mutex<Memory>>,
}

impl Weixin {
    /// Starts it on a free port of this host.
    pub fn start() -> io::Result<Self> {
        let memory = Arc::new(Mutex::new(Memory { token: 1, ..Memory::default() }));
        let kept = Arc::clone(&memory);
        let server = Standin::serve(move |asked| {
            let mut memory = kept.lock().unwrap_or_else(PoisonError::into_inner);
            match asked.path.as_str() {
                "/sns/jscode2session" => code_to_session(&mut memory, asked),
                "/cgi-bin/stable_token" => stable_token(&mut memory, asked),
                "/wxa/business/getuserphonenumber" => phone_number(&mut memory, asked),
                "/wxa/msg_sec_check" => text_check(&mut memory, asked),
                "/wxa/media_check_async" => media_check(&mut memory, asked),
                "/cgi-bin/gettoken" => Said::Json(
                    200,
                    json!({ "errcode": 0, "access_token": "corp-token", "expires_in": 7200 }),
                ),
                "/cgi-bin/auth/getuserinfo" => answer_member(asked),
                "/cgi-bin/message/subscribe/send" => subscribe_message(&mut memory, asked),
                "/cgi-bin/message/send" => corp_message(&mut memory, asked),
                _ => Said::Json(404, json!({ "errcode": -1, "errmsg": "no such path" })),
            }
        })?;
        Ok(Self { server, memory })
    }

    /// Reads its memory.
    pub fn with_memory<R>(&self, look: impl FnOnce(&Memory) -> R) -> R {
        look(&self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the access token that works, as WeChat may at any time.
    pub fn end_token(&self) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).token += 1;
    }
}

fn error_reply(code: i64, message: &str) -> Said {
    Said::Json(200, json!({ "errcode": code, "errmsg": message }))
}

/// The ways it can misbehave, chosen by the code.
fn code_misbehaviour(code: &str) -> Option<Said> {
    Some(match code {
        "invalid" => error_reply(40_029, "invalid code"),
        "blocked" => error_reply(40_226, "code blocked"),
        "often" => error_reply(45_011, "api minute-quota reach limit"),
        "busy" => error_reply(-1, "system error"),
        "unknown" => error_reply(61_007, "an error of tomorrow"),
        "slow" => Said::Late(Duration::from_secs(8), json!({ "errcode": 0 })),
        "drop" => Said::Nothing,
        "empty" => Said::Json(200, json!({})),
        "strange" => Said::Json(200, json!({ "openid": 7, "session_key": ["x"] })),
        "html" => Said::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>sorry</h>".into()),
        "half" => Said::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"openid\":".into()),
        "rubbish" => Said::Raw(b"\x00\x01\x02 not http at all\r\n\r\n".into()),
        "huge" => Said::Json(200, json!({ "openid": "o".repeat(400_000) })),
        "gateway" => Said::Raw(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad".into()),
        _ => return None,
    })
}

/// `code-WHO` is the person WHO, `code-WHO-UNION-TIMES` a person with a unionid; each works once.
fn code_to_session(memory: &mut Memory, asked: &Asked) -> Said {
    let code = asked.query_param("js_code");
    if let Some(said) = code_misbehaviour(code) {
        return said;
    }
    let app = asked.query_param("appid");
    if !app.starts_with("wx") || asked.query_param("grant_type") != "authorization_code" {
        return error_reply(40_013, "invalid appid");
    }
    if asked.query_param("secret") != SECRET {
        return error_reply(40_125, "invalid appsecret");
    }
    let Some(who) = code.strip_prefix("code-") else { return error_reply(40_029, "invalid code") };
    if !memory.used.insert(code.to_owned()) {
        return error_reply(40_163, "code been used");
    }
    let mut parts = who.split('-');
    let openid = format!("o{}{}", app, parts.next().unwrap_or_default());
    let mut answer = json!({ "openid": openid, "session_key": SESSION_KEY });
    let union = parts.next().filter(|union| !union.is_empty() && *union != "0");
    if let (Some(answer), Some(union)) = (answer.as_object_mut(), union) {
        answer.insert("unionid".to_owned(), Value::from(format!("u{union}")));
    }
    Said::Json(200, answer)
}

fn access_token(number: u32) -> String {
    format!("access-token-{number}-never-to-be-seen")
}

fn stable_token(memory: &mut Memory, asked: &Asked) -> Said {
    if asked.body_field("grant_type") != "client_credential" || asked.body_field("secret") != SECRET
    {
        return error_reply(40_125, "invalid appsecret");
    }
    memory.fetched += 1;
    if asked.body_field("force_refresh") == true {
        memory.forced += 1;
        memory.token += 1;
    }
    // A fetch takes a moment, in which others ask too.
    let answer = json!({ "access_token": access_token(memory.token), "expires_in": 7200 });
    Said::Late(Duration::from_millis(50), answer)
}

/// The ways its content checks misbehave, chosen by the text.
fn content_misbehaviour(content: &str) -> Option<Said> {
    Some(match content {
        text if text.contains("接口繁忙") => error_reply(-1, "system error"),
        text if text.contains("额度用完") => {
            error_reply(45_009, "reach max api daily quota limit")
        }
        text if text.contains("许久未用") => error_reply(61_010, "code is expired"),
        text if text.contains("没有回音") => Said::Nothing,
        text if text.contains("胡言乱语") => {
            Said::Json(200, json!({ "errcode": 0, "result": 7 }))
        }
        text if text.contains("慢慢来") => {
            Said::Late(Duration::from_secs(8), json!({ "errcode": 0 }))
        }
        _ => return None,
    })
}

fn build_result(suggest: &str, label: i64) -> Value {
    json!({ "suggest": suggest, "label": label })
}

/// `msg_sec_check`, version 2: the text decides the result.
fn text_check(memory: &mut Memory, asked: &Asked) -> Said {
    if asked.query_param("access_token") != access_token(memory.token) {
        return error_reply(40_001, "invalid credential, access_token is invalid or not latest");
    }
    let content = asked.body_field("content");
    let content = content.as_str().unwrap_or_default();
    let plain = !asked.body.windows(2).any(|pair| pair == b"\\u");
    let fits = (1..=2500).contains(&content.chars().count()) && plain;
    if asked.body_field("version") != 2 || !fits || !asked.body_field("scene").is_i64() {
        return error_reply(47_001, "data format error");
    }
    if !asked.body_field("openid").as_str().is_some_and(|openid| openid.starts_with('o')) {
        return error_reply(40_003, "invalid openid");
    }
    memory.texts += 1;
    if let Some(said) = content_misbehaviour(content) {
        return said;
    }
    let (suggest, label) = if content.contains("赌博") {
        ("risky", 20_006)
    } else if content.contains("代开发票") {
        ("review", 10_001)
    } else {
        ("pass", 100)
    };
    let trace = format!("text-{}", memory.texts);
    let detail = json!([{ "strategy": "content_model", "errcode": 0, "suggest": suggest,
        "label": label, "prob": 90 }]);
    let answer = json!({ "errcode": 0, "errmsg": "ok", "result": build_result(suggest, label), "detail": detail,
        "trace_id": trace });
    Said::Json(200, answer)
}

/// `media_check_async`: answers a trace id, and sends an event about it later.
fn media_check(memory: &mut Memory, asked: &Asked) -> Said {
    if asked.query_param("access_token") != access_token(memory.token) {
        return error_reply(40_001, "invalid credential, access_token is invalid or not latest");
    }
    let address = asked.body_field("media_url");
    let address = address.as_str().unwrap_or_default();
    let known = [1, 2].iter().any(|kind| asked.body_field("media_type") == *kind);
    if asked.body_field("version") != 2 || !known || !address.starts_with("http") {
        return error_reply(47_001, "data format error");
    }
    memory.files.push(address.to_owned());
    let trace = format!("trace-{}", memory.files.len());
    Said::Json(200, json!({ "errcode": 0, "errmsg": "ok", "trace_id": trace }))
}

/// The event about a file it looked at, as it sends it.
pub fn build_verdict_event(trace: &str, suggest: &str, label: i64) -> Value {
    json!({
        "ToUserName": "gh_demo", "FromUserName": "o-demo", "CreateTime": 1_637_744_274,
        "MsgType": "event", "Event": "wxa_media_check", "appid": APP_ID, "trace_id": trace,
        "version": 2, "errcode": 0, "errmsg": "ok", "result": build_result(suggest, label),
        "detail": [{ "strategy": "content_model", "errcode": 0, "suggest": suggest,
            "label": label, "prob": 90 }],
    })
}

/// The query an event is signed with.
pub fn sign_query(token: &str, timestamp: i64) -> String {
    use sha1::{Digest, Sha1};
    let (timestamp, nonce) = (timestamp.to_string(), "4711");
    let mut parts = [token, timestamp.as_str(), nonce];
    parts.sort_unstable();
    let digest = Sha1::digest(parts.concat());
    let signature: String = digest.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
}

/// `member-USERID` is a member of the corporation at WeCom.
fn answer_member(asked: &Asked) -> Said {
    match asked.query_param("code").strip_prefix("member-") {
        Some(userid) => Said::Json(200, json!({ "errcode": 0, "userid": userid })),
        None => error_reply(40_029, "invalid code"),
    }
}

/// A subscribe message, with the limits WeChat has; `tmpl-refused` is one the person did not agree
/// to, `tmpl-unknown` one it does not know, `tmpl-busy` one it has no time for.
fn subscribe_message(memory: &mut Memory, asked: &Asked) -> Said {
    if asked.query_param("access_token") != access_token(memory.token) {
        return error_reply(42_001, "access_token expired");
    }
    let template = asked.body_field("template_id");
    match template.as_str().unwrap_or_default() {
        "tmpl-refused" => return error_reply(43_101, "user refuse to accept the msg"),
        "tmpl-unknown" => return error_reply(40_037, "invalid template_id"),
        "tmpl-busy" => return error_reply(-1, "system error"),
        _ => {}
    }
    if !asked.body_field("touser").as_str().is_some_and(|user| user.starts_with("owx")) {
        return error_reply(40_003, "invalid openid");
    }
    let data = asked.body_field("data");
    let fits = |(name, field): (&String, &Value)| {
        let length = field["value"].as_str().unwrap_or_default().chars().count();
        let most = if name.starts_with("thing") { 20 } else { 32 };
        (1..=most).contains(&length)
    };
    if !data.as_object().is_some_and(|fields| !fields.is_empty() && fields.iter().all(fits)) {
        return error_reply(47_003, "argument invalid! data.thing1.value invalid");
    }
    memory.messages.push(serde_json::from_slice(&asked.body).unwrap_or_default());
    Said::Json(200, json!({ "errcode": 0, "errmsg": "ok", "msgid": memory.messages.len() }))
}

/// A message of an application of WeCom; members whose name begins with `nobody` are none.
fn corp_message(memory: &mut Memory, asked: &Asked) -> Said {
    if asked.query_param("access_token") != "corp-token" {
        return error_reply(40_014, "invalid access_token");
    }
    let user = asked.body_field("touser");
    if user.as_str().is_some_and(|user| user.starts_with("nobody")) {
        return Said::Json(200, json!({ "errcode": 0, "errmsg": "ok", "invaliduser": user }));
    }
    memory.messages.push(serde_json::from_slice(&asked.body).unwrap_or_default());
    Said::Json(200, json!({ "errcode": 0, "errmsg": "ok", "msgid": "m1" }))
}

/// `phone-NUMBER`, each once; a code of `wx.login` is of another kind.
fn phone_number(memory: &mut Memory, asked: &Asked) -> Said {
    if asked.query_param("access_token") != access_token(memory.token) {
        return error_reply(40_001, "invalid credential, access_token is invalid or not latest");
    }
    let code = asked.body_field("code");
    let code = code.as_str().unwrap_or_default();
    if let Some(said) = code_misbehaviour(code) {
        return said;
    }
    let Some(rest) = code.strip_prefix("phone-") else {
        return error_reply(40_029, "invalid code");
    };
    if !memory.used.insert(code.to_owned()) {
        return error_reply(40_029, "code used");
    }
    let (number, app) = rest.split_once('@').unwrap_or((rest, APP_ID));
    let info = json!({
        "phoneNumber": number, "purePhoneNumber": number, "countryCode": "86",
        "watermark": { "timestamp": 1_637_744_274, "appid": app },
    });
    Said::Json(200, json!({ "errcode": 0, "errmsg": "ok", "phone_info": info }))
}
