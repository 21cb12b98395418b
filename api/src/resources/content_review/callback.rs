//! Messages that `WeChat` sends: the results of checks that were requested.
//!
//! Each message is signed with a shared token (明文模式, JSON). It may come before the record of the
//! request is stored, twice, or never.

use actix_web::{HttpResponse, get, http::header::ContentType, post, web::Data};
use domain::flows::content_review::{Cause, Command, Suggestion};
use persistence::flows::content_review::Check;
use serde::Deserialize;
use serde_json::Value;
use sha1::{Digest, Sha1};
use utoipa::IntoParams;

use super::check::{record_check, settle_review};
use crate::{
    access::wechat::{is_trace, parse_checked},
    app::{
        config::{MiniProgram, Secret},
        state::App,
    },
    http::{
        body::StrangerBytes,
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
};

/// Registers the operations of this file.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_wechat_greeting).service(receive_wechat_event);
}

/// How far the clock of a message may be from the server's, in seconds: a message that a stranger
/// replays later is refused.
const AROUND_S: i64 = 15 * 60;

/// The signature of a message.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SignedParams {
    /// SHA-1 of token, timestamp and nonce. 签名。
    signature: String,
    /// Seconds since 1970. 时间戳。
    timestamp: String,
    /// A random text. 随机数。
    nonce: String,
    /// The text to be echoed to a greeting. 随机字符串。
    echostr: Option<String>,
    /// The openid of the user it is about. 用户。
    #[expect(dead_code, reason = "WeChat sends it, and nothing here needs it")]
    openid: Option<String>,
    /// Set for encrypted messages, which are not supported here. 加密方式。
    encrypt_type: Option<String>,
    /// Set for encrypted messages. 加密消息签名。
    #[expect(dead_code, reason = "WeChat sends it, and nothing here needs it")]
    msg_signature: Option<String>,
}

/// The mini-program a message is for, when the message is signed by its token.
fn verify_signer<'a>(app: &'a App, app_id: &str, params: &SignedParams) -> Reply<&'a MiniProgram> {
    let of = |program: &&MiniProgram| program.app_id == app_id && program.message_token.is_some();
    let program = app.settings.mini_programs.iter().find(of);
    let program = program.ok_or_else(|| Problem::new(Code::NotFound))?;
    let token = program.message_token.as_ref().map(Secret::expose).unwrap_or_default();
    let mut parts = [token, params.timestamp.as_str(), params.nonce.as_str()];
    parts.sort_unstable();
    let digest = Sha1::digest(parts.concat());
    let expected: String = digest.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    let now = app.clock.now().timestamp();
    let at = params.timestamp.parse::<i64>().ok();
    let fresh = at.is_some_and(|at| now.abs_diff(at) <= AROUND_S.unsigned_abs());
    // Computed anew for each message: a timing attack on the comparison gains nothing.
    if expected != params.signature || !fresh {
        return Err(Problem::new(Code::Unauthenticated));
    }
    Ok(program)
}

/// Answers the greeting of WeChat when messages are set up.
///
/// 微信消息推送的接入验证：签名正确时原样返回 echostr。
#[utoipa::path(tag = "media", security(()), params(SignedParams), responses((status = 200, body = String, content_type = "text/plain")))]
#[get("/wechat/{app_id}/events")]
async fn get_wechat_greeting(
    app: Data<App>,
    app_id: IdPath<String>,
    params: Query<SignedParams>,
) -> Reply<HttpResponse> {
    verify_signer(&app, &app_id.0, &params.0)?;
    // Sent as plain text, and at most as long as WeChat's.
    let echo: String = params.0.echostr.unwrap_or_default().chars().take(200).collect();
    Ok(HttpResponse::Ok()
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .content_type(ContentType::plaintext())
        .body(echo))
}

/// Takes a message of WeChat.
///
/// 接收微信消息推送（明文模式，JSON）：处理图片和音频的异步检测结果 wxa_media_check，其余消息确认收到即可。
#[utoipa::path(tag = "media", security(()), params(SignedParams), request_body(content = String, content_type = "text/plain"), responses((status = 200, body = String, content_type = "text/plain")))]
#[post("/wechat/{app_id}/events")]
async fn receive_wechat_event(
    app: Data<App>,
    app_id: IdPath<String>,
    params: Query<SignedParams>,
    body: StrangerBytes,
) -> Reply<HttpResponse> {
    let program = verify_signer(&app, &app_id.0, &params.0)?;
    if params.0.encrypt_type.as_deref() == Some("aes") {
        tracing::warn!("WeChat encrypts its messages: choose 明文模式 and JSON for them");
    }
    // An unknown message is acknowledged too: else it comes again and again.
    let message: Value = serde_json::from_slice(&body.0).unwrap_or_default();
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    let trace = text("trace_id");
    if text("Event") == "wxa_media_check" && is_trace(trace) {
        take_result(&app, &program.app_id, trace, &message).await?;
    }
    Ok(HttpResponse::Ok().content_type(ContentType::plaintext()).body("success"))
}

/// Takes the result of a check.
async fn take_result(app: &App, app_id: &str, trace: &str, message: &Value) -> Reply<()> {
    let failed = message.get("errcode").and_then(Value::as_i64).unwrap_or(0) != 0;
    let said = parse_checked(message).filter(|_| !failed);
    let label = said.and_then(|(_, label)| label);
    let suggestion: Option<Suggestion> = said.map(|(suggestion, _)| suggestion);
    let adding = Check { review: None, answer: Some((suggestion, label)) };
    let known = record_check(app, app_id, trace, adding).await?;
    let Some((tenant, review)) = known.review else { return Ok(()) };
    let Some(world) = app.worlds.get(tenant) else { return Ok(()) };
    let command = match suggestion {
        Some(suggestion) => Command::Hear { suggestion, label },
        None => Command::Queue { cause: Cause::Unavailable },
    };
    settle_review(app, &world, review, command).await?;
    Ok(())
}
