//! Logins of staff through providers: every step that could be forged is checked, and an account is
//! matched, never created.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use api::{
    app::config::{Kind, Provider, SecondFactor, Secret},
    cli::demo::standin::{Asked, Said, Standin},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use chrono::Duration;
use domain::core::journal::Hash;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

use crate::harness::{Answer, City, Engine as Database, on_both_beside, read_text, seed};

const CLIENT: &str = "grid-client";
const SECRET: &str = "client secret/&never shown";

/// The next answers of the provider, and its state.
#[derive(Default)]
struct Memory {
    /// The person each code is for, with the nonce and the challenge of its request.
    codes: BTreeMap<String, (String, String, String)>,
    used: BTreeSet<String>,
    /// The fault of the next identity token.
    wrong: Option<&'static str>,
    rsa: bool,
    fetched: u32,
}

struct Id {
    server: Standin,
    memory: Arc<Mutex<Memory>>,
}

fn signing_key(rsa: bool) -> (EncodingKey, Algorithm, Jwk) {
    let der = |text: &str| BASE64_STANDARD.decode(text.replace('\n', "")).unwrap();
    let (key, algorithm, kid) = if rsa {
        let key = EncodingKey::from_rsa_der(&der(include_str!("oidc/rsa.txt")));
        (key, Algorithm::RS256, "rsa")
    } else {
        let key = EncodingKey::from_ec_der(&der(include_str!("oidc/ec.txt")));
        (key, Algorithm::ES256, "ec")
    };
    let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    (key, algorithm, jwk)
}

impl Id {
    fn start() -> Self {
        let memory = Arc::new(Mutex::new(Memory::default()));
        let kept = Arc::clone(&memory);
        let server = Standin::serve(move |asked| {
            let base = format!("http://{}", asked.headers["host"]);
            let mut memory = kept.lock().unwrap();
            match asked.path.as_str() {
                "/.well-known/openid-configuration" => Said::Json(
                    200,
                    json!({
                        "issuer": base, "authorization_endpoint": format!("{base}/authorize"),
                        "token_endpoint": format!("{base}/token"),
                        "jwks_uri": format!("{base}/jwks"),
                    }),
                ),
                "/jwks" => {
                    Said::Json(200, json!({ "keys": [signing_key(false).2, signing_key(true).2] }))
                }
                "/token" => issue_token(&mut memory, asked, &base),
                "/userinfo" => {
                    let bearer = asked.headers.get("authorization").cloned().unwrap_or_default();
                    let who = bearer.strip_prefix("Bearer access-").map(str::to_owned);
                    Said::Json(200, json!({ "preferred_username": who, "sub": "x" }))
                }
                "/cgi-bin/gettoken" => {
                    let right = asked.query_param("corpid") == CLIENT
                        && asked.query_param("corpsecret") == SECRET;
                    memory.fetched += 1;
                    let token = format!("corp-{}", memory.fetched);
                    let error = json!({ "errcode": 40013, "errmsg": "invalid corpid" });
                    let done = json!({ "errcode": 0, "access_token": token, "expires_in": 7200 });
                    Said::Json(200, if right { done } else { error })
                }
                "/cgi-bin/auth/getuserinfo" => {
                    let current = format!("corp-{}", memory.fetched);
                    let code = asked.query_param("code").to_owned();
                    let said = if asked.query_param("access_token") != current {
                        json!({ "errcode": 42001, "errmsg": "access_token expired" })
                    } else if !memory.used.insert(code.clone()) {
                        json!({ "errcode": 40029, "errmsg": "invalid code" })
                    } else if let Some(who) = code.strip_prefix("member-") {
                        json!({ "errcode": 0, "userid": who })
                    } else {
                        json!({ "errcode": 0, "openid": "o-visitor" })
                    };
                    Said::Json(200, said)
                }
                _ => Said::Json(404, json!({})),
            }
        });
        Self { server: server.expect("a stand-in"), memory }
    }

    /// A person consents: answers the code of the return address, and the state.
    fn give_consent(&self, url: &str, who: &str) -> (String, String) {
        let (_, query) = url.split_once('?').unwrap();
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!((&*query["response_type"], &*query["code_challenge_method"]), ("code", "S256"));
        assert_eq!(query["redirect_uri"], "https://grid.example/login");
        let mut memory = self.memory.lock().unwrap();
        let code = format!("code-{}", memory.codes.len());
        let nonce = query.get("nonce").cloned().unwrap_or_default();
        memory.codes.insert(code.clone(), (who.to_owned(), nonce, query["code_challenge"].clone()));
        (code, query["state"].clone())
    }

    fn set_wrong(&self, what: &'static str) {
        self.memory.lock().unwrap().wrong = Some(what);
    }
}

fn issue_token(memory: &mut Memory, asked: &Asked, base: &str) -> Said {
    let form: BTreeMap<String, String> = asked.parse_form();
    let encode_part =
        |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = format!("{}:{}", encode_part(CLIENT), encode_part(SECRET));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(basic));
    let known = asked.headers.get("authorization") == Some(&basic)
        || form.get("client_secret").is_some_and(|secret| secret == SECRET);
    if !known {
        return Said::Json(401, json!({ "error": "invalid_client" }));
    }
    let code = form.get("code").cloned().unwrap_or_default();
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Hash::digest(form["code_verifier"].as_bytes()).0);
    let Some((who, nonce, expected)) = memory.codes.get(&code).cloned() else {
        return Said::Json(400, json!({ "error": "invalid_grant" }));
    };
    if challenge != expected || !memory.used.insert(code) {
        return Said::Json(400, json!({ "error": "invalid_grant" }));
    }
    let wrong = memory.wrong.take();
    let (signing, algorithm, jwk) = signing_key(memory.rsa);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut claims = json!({
        "iss": base, "aud": CLIENT, "sub": "1", "exp": now + 300, "iat": now,
        "nonce": nonce, "preferred_username": who,
    });
    let mut header = Header::new(algorithm);
    header.kid = jwk.common.key_id;
    match wrong {
        Some("nonce") => claims["nonce"] = json!("another"),
        Some("aud") => claims["aud"] = json!("another"),
        Some("azp") => claims["aud"] = json!([CLIENT, "another"]),
        Some("iss") => claims["iss"] = json!("https://another.example"),
        Some("exp") => claims["exp"] = json!(now - 120),
        Some("iat") => claims["iat"] = json!(now + 3600),
        Some("kid") => header.kid = Some("another".to_owned()),
        Some("claim") => claims["preferred_username"] = Value::Null,
        Some("none") => {
            let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
            let token =
                format!("{}.{}.", part(json!({ "alg": "none", "kid": "ec" })), part(claims));
            return Said::Json(200, json!({ "id_token": token }));
        }
        Some("hs256") => {
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some("ec".to_owned());
            let secret = EncodingKey::from_secret(SECRET.as_bytes()).unwrap();
            let token = encode(&header, &claims, &secret).unwrap();
            return Said::Json(200, json!({ "id_token": token }));
        }
        Some("signature") => {
            let token = encode(&header, &claims, &signing).unwrap();
            let (head, rest) = token.split_once('.').unwrap();
            let (_, signature) = rest.split_once('.').unwrap();
            claims["preferred_username"] = json!("admin");
            let body = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
            return Said::Json(200, json!({ "id_token": format!("{head}.{body}.{signature}") }));
        }
        Some("missing") => return Said::Json(200, json!({ "access_token": "x" })),
        Some("down") => return Said::Nothing,
        Some("refused") => return Said::Json(401, json!({ "error": "invalid_client" })),
        Some(_) | None => {}
    }
    let token = encode(&header, &claims, &signing).unwrap();
    Said::Json(200, json!({ "id_token": token, "access_token": format!("access-{who}") }))
}

fn build_provider(name: &str, kind: Kind, base: &str) -> Provider {
    Provider {
        name: name.to_owned(),
        label: "统一认证".to_owned(),
        kind,
        tenant: Some(seed::CITY.to_owned()),
        client_id: CLIENT.to_owned(),
        client_secret: Secret::from(SECRET),
        redirect_uri: "https://grid.example/login".to_owned(),
        claim: "preferred_username".to_owned(),
        issuer: Some(base.to_owned()),
        authorize_url: (kind != Kind::Wecom).then(|| format!("{base}/authorize")),
        token_url: Some(format!("{base}/token")),
        userinfo_url: Some(format!("{base}/userinfo")),
        api_url: Some(base.to_owned()),
        agent_id: Some("1000002".to_owned()),
        scope: None,
        ca_file: None,
        second_factor: false,
    }
}

fn open_city(engine: Database) -> (City, Id) {
    let id = Id::start();
    let base = &id.server.base;
    let strong = Provider { second_factor: true, ..build_provider("strong", Kind::Oidc, base) };
    let city = City::open_with(engine, |settings| {
        settings.second_factor = SecondFactor::Administrators;
        settings.providers = vec![
            build_provider("city", Kind::Oidc, base),
            build_provider("plain", Kind::Oauth2, base),
            build_provider("wecom", Kind::Wecom, base),
            strong,
        ];
    });
    (city, id)
}

on_both_beside! {
    a_provider_vouches_for_an_account,
    a_forged_identity_token_is_refused,
    a_login_belongs_to_the_browser_it_began_in,
    an_account_is_never_made,
    plain_oauth_asks_who_it_is,
    wecom_tells_the_member,
    a_second_factor_is_still_wanted,
    providers_are_listed_by_tenant,
}

fn begin_login(city: &City, provider: &str) -> (String, String) {
    let path = format!("/api/v1/auth/oidc/{provider}/start?tenant={}", seed::CITY);
    let begun = city.client("").get(&path).expect_success();
    (read_text(&begun, "/authorization_url"), read_text(&begun, "/flow"))
}

fn finish_login(city: &City, provider: &str, flow: &str, code: &str, state: &str) -> Answer {
    let body = json!({ "flow": flow, "code": code, "state": state });
    city.client("").post(&format!("/api/v1/auth/oidc/{provider}/callback"), &body)
}

fn log_in(city: &City, id: &Id, provider: &str, who: &str) -> Answer {
    let (url, flow) = begin_login(city, provider);
    let (code, state) = id.give_consent(&url, who);
    finish_login(city, provider, &flow, &code, &state)
}

fn get_name(city: &City, tokens: &Value) -> String {
    let token = format!("Bearer {}", read_text(tokens, "/access_token"));
    let me = city.client("").call("GET", "/api/v1/me").header("Authorization", &token).send();
    read_text(&me.expect_success(), "/name")
}

fn a_provider_vouches_for_an_account(city: &City, id: &Id) {
    let (url, _) = begin_login(city, "city");
    assert!(url.contains("scope=openid+profile") && url.contains("nonce="), "{url}");
    assert!(!url.contains("secret"), "{url}");
    assert_eq!(get_name(city, &log_in(city, id, "city", "worker").expect_success()), "网格员王芳");
    assert_eq!(get_name(city, &log_in(city, id, "city", "Worker").expect_success()), "网格员王芳");
    id.memory.lock().unwrap().rsa = true;
    assert_eq!(get_name(city, &log_in(city, id, "city", "leader").expect_success()), "街道赵刚");
}

fn a_forged_identity_token_is_refused(city: &City, id: &Id) {
    for (wrong, reason) in [
        ("nonce", "wrong_nonce"),
        ("aud", "wrong_audience"),
        ("azp", "wrong_audience"),
        ("iss", "wrong_issuer"),
        ("exp", "expired"),
        ("iat", "not_yet_valid"),
        ("kid", "unknown_key"),
        ("claim", "claim"),
        ("none", "malformed"),
        ("hs256", "wrong_algorithm"),
        ("signature", "wrong_signature"),
    ] {
        id.set_wrong(wrong);
        let refused = log_in(city, id, "city", "worker").expect_problem(401, "credentials_invalid");
        assert_eq!(refused["reason"], reason, "{wrong}: {refused}");
        assert!(!refused.to_string().contains(SECRET));
    }
    for wrong in ["missing", "down", "refused"] {
        id.set_wrong(wrong);
        log_in(city, id, "city", "worker").expect_problem(503, "outside_unavailable");
    }
    log_in(city, id, "city", "worker").expect_success();
}

fn a_login_belongs_to_the_browser_it_began_in(city: &City, id: &Id) {
    let (url, flow) = begin_login(city, "city");
    let (code, state) = id.give_consent(&url, "worker");
    let (_, other) = begin_login(city, "city");
    let reason =
        |answer: Answer| read_text(&answer.expect_problem(401, "credentials_invalid"), "/reason");
    assert_eq!(reason(finish_login(city, "city", &other, &code, &state)), "state");
    assert_eq!(reason(finish_login(city, "city", &flow, &code, "another")), "state");
    assert_eq!(reason(finish_login(city, "plain", &flow, &code, &state)), "state");
    for garbage in ["", "x", "💥", &"A".repeat(5000)] {
        assert_eq!(reason(finish_login(city, "city", garbage, &code, &state)), "flow");
        assert_eq!(reason(finish_login(city, "city", &flow, garbage, &state)), "code");
    }
    // The code of another person's login fits no verifier of ours.
    let (url, mine) = begin_login(city, "city");
    let (_, mine_state) = id.give_consent(&url, "worker");
    assert_eq!(reason(finish_login(city, "city", &mine, &code, &mine_state)), "code");
    finish_login(city, "city", &flow, &code, &state).expect_success();
    assert_eq!(reason(finish_login(city, "city", &flow, &code, &state)), "code");
    let (url, flow) = begin_login(city, "city");
    let (code, state) = id.give_consent(&url, "worker");
    city.advance(Duration::minutes(11));
    assert_eq!(reason(finish_login(city, "city", &flow, &code, &state)), "flow");
}

fn an_account_is_never_made(city: &City, id: &Id) {
    log_in(city, id, "city", "somebody-else").expect_problem(403, "no_such_account");
    log_in(city, id, "city", &"x".repeat(300)).expect_problem(403, "no_such_account");
    let people = city.client("worker").get("/api/v1/me").expect_success();
    assert_eq!(people["name"], "网格员王芳");
}

fn plain_oauth_asks_who_it_is(city: &City, id: &Id) {
    assert_eq!(get_name(city, &log_in(city, id, "plain", "worker").expect_success()), "网格员王芳");
    log_in(city, id, "plain", "nobody-here").expect_problem(403, "no_such_account");
}

fn wecom_tells_the_member(city: &City, id: &Id) {
    let login = |code: &str| {
        let (url, flow) = begin_login(city, "wecom");
        assert!(url.starts_with("https://open.weixin.qq.com/connect/oauth2/authorize?appid="));
        assert!(url.ends_with("#wechat_redirect") && url.contains("agentid=1000002"), "{url}");
        let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        finish_login(city, "wecom", &flow, code, &state)
    };
    assert_eq!(get_name(city, &login("member-worker").expect_success()), "网格员王芳");
    assert_eq!(login("member-worker").expect_problem(401, "credentials_invalid")["reason"], "code");
    assert_eq!(login("visitor").expect_problem(401, "credentials_invalid")["reason"], "claim");
    assert_eq!(id.memory.lock().unwrap().fetched, 1);
    // Members are written as the corporation likes.
    assert_eq!(get_name(city, &login("member-WorKer").expect_success()), "网格员王芳");
    // An access token that ended is fetched again.
    id.memory.lock().unwrap().fetched += 1;
    login("member-leader").expect_success();
    assert_eq!(id.memory.lock().unwrap().fetched, 3);
}

fn a_second_factor_is_still_wanted(city: &City, id: &Id) {
    let tokens = log_in(city, id, "city", "admin").expect_success();
    assert_eq!(tokens["restriction"], "second_factor");
    // Where the provider checks one itself, no one is asked twice.
    assert_eq!(log_in(city, id, "strong", "admin").expect_success()["restriction"], Value::Null);
}

fn providers_are_listed_by_tenant(city: &City, _: &Id) {
    let of = |tenant: &str| {
        city.client("").get(&format!("/api/v1/auth/providers?tenant={tenant}")).expect_success()
    };
    assert_eq!(of(seed::CITY)["items"].as_array().unwrap().len(), 4);
    assert_eq!(of(seed::CITY)["items"][2]["kind"], "wecom");
    assert_eq!(of(seed::OTHER)["items"], json!([]));
    assert!(!of(seed::CITY).to_string().contains("ecret"));
    let path = |name: &str, tenant: &str| format!("/api/v1/auth/oidc/{name}/start?tenant={tenant}");
    city.client("").get(&path("city", seed::OTHER)).expect_problem(404, "not_found");
    city.client("").get(&path("nowhere", seed::CITY)).expect_problem(404, "not_found");
}
