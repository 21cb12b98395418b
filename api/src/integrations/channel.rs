//! The channels by which people are reached outside this program: subscribe messages of WeChat,
//! messages of a WeCom application, short messages. What cannot be sent for a permanent reason is
//! skipped, with that reason.

use std::collections::HashMap;

use domain::{
    core::{
        delivery::{Channel, Outcome},
        id::PersonId,
        text::cut_text,
    },
    flows::person::Person,
    people::personal::{Field, SubjectKind},
    rules::notice::{NoticeKind, Preferences, SlotValue, Template, field_limit, fit_text},
};
use persistence::{
    Db, StoreError,
    integrations::{delivery::Delivery, message},
    people::privacy,
};
use serde_json::{Map, Value, json};

use crate::{
    access::{
        oidc::{ask_wecom, read_errcode},
        wechat::{encode_query, is_token_refused, obtain_access_token, provider_name, quota_name},
    },
    app::{
        config::{Kind, MiniProgram, Provider, Sms},
        outbound::{Call, Content},
        state::App,
        world::TenantSnapshot,
    },
    http::problem::Reply,
};

/// The consent to notifications outside this program.
const NOTIFICATION: &str = "notification";

/// The result of sending something.
pub enum Sent {
    /// It was tried: the outcome, the status, and the answer. The content is not part of it: it is
    /// for the person alone, and the record of attempts is read by others.
    Tried(Outcome, Option<u16>, String),
    /// It was not tried, for this reason.
    Skipped(&'static str),
}

/// The mini-programs of a tenant.
fn find_mini_programs<'a>(
    app: &'a App,
    world: &TenantSnapshot,
) -> impl Iterator<Item = &'a MiniProgram> {
    let code = world.tenant.code.clone();
    let programs = app.settings.mini_programs.iter();
    programs.filter(move |one| one.tenant.as_ref().is_none_or(|tenant| *tenant == code))
}

/// The WeCom application of a tenant that sends messages.
fn find_wecom_application<'a>(app: &'a App, world: &TenantSnapshot) -> Option<&'a Provider> {
    let code = &world.tenant.code;
    let fits = |one: &&Provider| {
        one.kind == Kind::Wecom
            && one.agent_id.is_some()
            && one.tenant.as_ref().is_none_or(|tenant| tenant == code)
    };
    app.settings.providers.iter().find(fits)
}

/// The channels by which a person gets notices of this kind.
pub async fn choose_channels(
    app: &App,
    world: &TenantSnapshot,
    person: &Person,
    kind: NoticeKind,
    wants: &Preferences,
) -> Result<Vec<Channel>, StoreError> {
    let (tenant, id) = (world.tenant.id, person.id);
    let rules = &world.rules.notices.value;
    let mut ways = Vec::new();
    if rules.find_template(kind).is_some() && load_openid(app, world, id).await?.is_some() {
        ways.push(Channel::Wechat);
    }
    // A member of a WeCom corporation has the account here as its name there.
    if person.is_staff() && find_wecom_application(app, world).is_some() {
        ways.push(Channel::Wecom);
    }
    if wants.sms && app.settings.sms.is_some() && rules.sms.contains(&kind) {
        let read = move |db: &mut Db| privacy::load_answers(db, tenant, id, NOTIFICATION);
        let answers = app.store.read(read).await?;
        if answers.last().is_some_and(|(_, _, given)| *given) {
            ways.push(Channel::Sms);
        }
    }
    Ok(ways)
}

/// The mini-program that knows this person, and the person's openid there.
async fn load_openid<'a>(
    app: &'a App,
    world: &TenantSnapshot,
    person: PersonId,
) -> Result<Option<(&'a MiniProgram, String)>, StoreError> {
    let tenant = world.tenant.id;
    let read = move |db: &mut Db| message::load_identities(db, tenant, person, "wechat:");
    let known: HashMap<String, String> = app.store.read(read).await?.into_iter().collect();
    let found = find_mini_programs(app, world)
        .find_map(|program| Some((program, known.get(&provider_name(program))?.clone())));
    Ok(found)
}

/// Sends what is due to a person by one channel, together.
pub async fn send(app: &App, due: &[Delivery]) -> Reply<Sent> {
    let Some(first) = due.first() else { return Ok(Sent::Skipped("there is nothing to send")) };
    let Some(world) = app.worlds.get(first.tenant) else {
        return Ok(Sent::Skipped("the tenant is no more"));
    };
    match first.channel {
        Channel::Wechat => send_wechat(app, &world, first).await,
        Channel::Wecom => send_wecom(app, &world, due).await,
        Channel::Sms => send_sms(app, &world, due).await,
        Channel::Webhook => Ok(Sent::Skipped("a webhook is no person")),
    }
}

fn parse_content(one: &Delivery) -> Value {
    serde_json::from_str(&one.content).unwrap_or_default()
}

fn text_field<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The value of a field of a template.
fn render_slot(item: &Value, value: SlotValue) -> String {
    match value {
        // A field for numbers takes no Chinese, and is never empty.
        SlotValue::Number => {
            Some(text_field(item, "number")).filter(|no| !no.is_empty()).unwrap_or("-").to_owned()
        }
        SlotValue::Title if text_field(item, "title").is_empty() => {
            text_field(item, "label").to_owned()
        }
        SlotValue::Title => text_field(item, "title").to_owned(),
        SlotValue::Kind => text_field(item, "label").to_owned(),
        SlotValue::Text => text_field(item, "text").to_owned(),
        SlotValue::Time => {
            let at =
                chrono::DateTime::parse_from_rfc3339(text_field(item, "at")).unwrap_or_default();
            let wall = chrono::FixedOffset::east_opt(8 * 3600);
            let here = wall.map_or(at, |wall| at.with_timezone(&wall));
            here.format("%Y-%m-%d %H:%M").to_string()
        }
    }
}

/// The fields of a subscribe message, each as long as WeChat takes it.
fn render_fields(template: &Template, item: &Value) -> Map<String, Value> {
    let field = |one: &domain::rules::notice::Slot| {
        let most = field_limit(one.name.as_str()).unwrap_or(20);
        (
            one.name.as_str().to_owned(),
            json!({ "value": fit_text(&render_slot(item, one.value), most) }),
        )
    };
    template.fields.iter().map(field).collect()
}

async fn send_wechat(app: &App, world: &TenantSnapshot, one: &Delivery) -> Reply<Sent> {
    let (tenant, person, item) = (one.tenant, PersonId(one.target), parse_content(one));
    let kind = NoticeKind::parse(&one.kind);
    let template = kind.and_then(|kind| world.rules.notices.value.find_template(kind));
    let Some(template) = template else {
        return Ok(Sent::Skipped("there is no template for it any more"));
    };
    let Some((program, openid)) = load_openid(app, world, person).await? else {
        return Ok(Sent::Skipped("nobody at WeChat is this person any more"));
    };
    let id = quota_name(program, template.template_id.as_str());
    let left = {
        let id = id.clone();
        app.store.read(move |db| message::load_quota(db, tenant, person, &id)).await?
    };
    if left == 0 {
        return Ok(Sent::Skipped("the person agreed to no more messages of this template"));
    }
    let mut body = json!({
        "touser": openid, "template_id": template.template_id.as_str(),
        "data": render_fields(template, &item), "miniprogram_state": "formal", "lang": "zh_CN",
    });
    if let (Some(page), Some(members)) = (&template.page, body.as_object_mut()) {
        members.insert("page".to_owned(), Value::from(page.as_str()));
    }
    let ask = async |token: &str| {
        let query = encode_query(&[("access_token", token)]);
        let url = format!("{}/cgi-bin/message/subscribe/send?{query}", program.url);
        Reply::Ok(app.outbound.make_call(Call::post(url, body.clone())).await?.body)
    };
    let token = obtain_access_token(app, program, None).await?;
    let mut answer = ask(&token).await?;
    if is_token_refused(&answer) {
        answer = ask(&obtain_access_token(app, program, Some(&token)).await?).await?;
    }
    let code = read_errcode(&answer);
    let (outcome, more) = interpret_errcode(code);
    if more != 0 {
        let now = app.clock.now();
        app.store.run(message::change_quota(tenant, person, (id, more), now)).await?;
    }
    Ok(Sent::Tried(outcome, Some(200), format!("errcode {code}")))
}

/// The outcome that an errcode of WeChat means, and the change of the quota of messages (F.4).
pub const fn interpret_errcode(code: i64) -> (Outcome, i32) {
    match code {
        0 => (Outcome::Taken, -1),
        // Refused, or used up: the person's quota is empty.
        43_101 => (Outcome::Refused, i32::MIN),
        // No such openid, template, argument or page: a retry would not help.
        40_003 | 40_037 | 47_003 | 41_030 => (Outcome::Refused, 0),
        _ => (Outcome::Again, 0),
    }
}

/// Several notices as one text, each rendered by `line`.
fn join_notices(due: &[Delivery], line: impl Fn(&Value) -> String, most: usize) -> String {
    /// The most notices rendered in full.
    const SHOWN: usize = 10;
    let mut lines: Vec<String> =
        due.iter().take(SHOWN).map(|one| line(&parse_content(one))).collect();
    if due.len() > SHOWN {
        lines.push(format!("另有 {} 条，请登录查看。", due.len() - SHOWN));
    }
    let text = lines.join("\n");
    if text.chars().count() <= most {
        return text;
    }
    format!("{}…", cut_text(&text, most.saturating_sub(1)))
}

/// The subject of a notice and its number, as far as it may be sent.
fn render_heading(item: &Value) -> String {
    let (label, number) = (text_field(item, "label"), text_field(item, "number"));
    if number.is_empty() { label.to_owned() } else { format!("{label}：{number}") }
}

/// A notice in full.
fn render_full(item: &Value) -> String {
    let (title, text) = (text_field(item, "title"), text_field(item, "text"));
    if title.is_empty() {
        return format!("{}\n{text}", render_heading(item));
    }
    format!("{} {title}\n{text}", render_heading(item))
}

/// A short message: nothing in it was written by a person. A person who could choose its words
/// could send any text under the name of the city.
fn render_short(item: &Value) -> String {
    format!("{}，有新进展。", render_heading(item))
}

async fn send_wecom(app: &App, world: &TenantSnapshot, due: &[Delivery]) -> Reply<Sent> {
    let Some(application) = find_wecom_application(app, world) else {
        return Ok(Sent::Skipped("no WeCom application sends messages any more"));
    };
    let person = due.first().map(|one| one.target).unwrap_or_default();
    let found = app.store.load_state::<Person>(world.tenant.id, person).await?;
    let Some(person) = found.filter(|person| person.state.is_staff()) else {
        return Ok(Sent::Skipped("the person is not in office any more"));
    };
    let agent: Value = application.agent_id.as_deref().map_or(Value::Null, |agent| {
        agent.parse::<i64>().map_or_else(|_| Value::from(agent), Value::from)
    });
    let text = join_notices(due, render_full, 600);
    let body = json!({
        "touser": person.state.account.as_str(), "msgtype": "text", "agentid": agent,
        "text": { "content": text }, "enable_duplicate_check": 1, "duplicate_check_interval": 600,
    });
    let call = |api: &str, token: &str| {
        let query = encode_query(&[("access_token", token)]);
        Call::post(format!("{api}/cgi-bin/message/send?{query}"), body.clone())
    };
    let answer = ask_wecom(app, application, call).await?;
    let code = read_errcode(&answer);
    let nobody = text_field(&answer, "invaliduser") == person.state.account.as_str();
    let outcome = match code {
        0 if !nobody => Outcome::Taken,
        // WeCom has no member of this name, or does not allow messages to them.
        0 | 40_003 | 60_111 | 81_013 => Outcome::Refused,
        _ => Outcome::Again,
    };
    Ok(Sent::Tried(outcome, Some(200), format!("errcode {code}")))
}

async fn send_sms(app: &App, world: &TenantSnapshot, due: &[Delivery]) -> Reply<Sent> {
    let Some(Sms { url, authorization, signature }) = &app.settings.sms else {
        return Ok(Sent::Skipped("nothing sends short messages any more"));
    };
    let Some(first) = due.first() else { return Ok(Sent::Skipped("there is nothing to send")) };
    let (tenant, person) = (world.tenant.id, first.target);
    let kept = app
        .vault
        .load_values(&app.store, tenant, (SubjectKind::Person, vec![person]), &[Field::Phone])
        .await?;
    let phone = kept.get(&person).and_then(|values| values.get(&Field::Phone));
    let Some(phone) = phone else {
        return Ok(Sent::Skipped("the person left no telephone number"));
    };
    // A number that was only typed may belong to someone else.
    let blind = app.vault.ensure_look_up(&app.store, tenant, app.clock.now()).await?;
    let blind = blind.digest_value(Field::Phone, phone);
    let read = move |db: &mut Db| message::load_verified_phone(db, tenant, PersonId(person));
    if app.store.read(read).await?.is_none_or(|verified| verified != blind) {
        return Ok(Sent::Skipped("nobody checked that the telephone number is the person's"));
    }
    let text = format!("{signature}{}请登录查看。", join_notices(due, render_short, 280));
    let call = Call {
        url: url.clone(),
        authorization: authorization.as_ref().map(|one| one.expose().to_owned()),
        // A retry has the same identity: the service may drop the second.
        content: Content::Json(json!({ "id": first.id, "phone": phone.as_str(), "text": text })),
    };
    let answer = app.outbound.make_call(call).await?;
    let outcome = match answer.status {
        200..=299 => Outcome::Taken,
        408 | 425 | 429 => Outcome::Again,
        400..=499 => Outcome::Refused,
        _ => Outcome::Again,
    };
    // Some senders repeat the number; that is no part of the record.
    let answered = answer.body.to_string().replace(phone.as_str(), "***");
    let answered = answered.chars().take(300).collect();
    Ok(Sent::Tried(outcome, Some(answer.status), answered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errcode_of_a_subscribe_message_is_final_or_tried_again() {
        for (code, outcome, more) in [
            (0, Outcome::Taken, -1),
            (43_101, Outcome::Refused, i32::MIN),
            (40_003, Outcome::Refused, 0),
            (40_037, Outcome::Refused, 0),
            (47_003, Outcome::Refused, 0),
            (41_030, Outcome::Refused, 0),
            (-1, Outcome::Again, 0),
            (45_009, Outcome::Again, 0),
        ] {
            assert_eq!(interpret_errcode(code), (outcome, more), "{code}");
        }
    }
}
