//! The other ways in: a resident by mini-program, staff by WeCom and with a second factor, and a
//! program with its own credentials.

use chrono::Duration;
use serde_json::{Value, json};

use super::{Done, Story, get, list, local, post, refusal, say, text};
use crate::{
    access::totp,
    cli::{
        demo::{city::City, driver::Call, weixin},
        install::Failed,
    },
};

const RESIDENT: &str = "微信居民";
const CLERK: &str = "yanshi";
const CLIENT: &str = "接入系统";

impl Story {
    /// Everybody who does not come with a password alone.
    pub(super) fn ways_in(&mut self, city: &City) -> Done {
        say("\n—— 登录方式 / Ways in ——");
        let call = get("", "list_providers", "/api/v1/auth/providers".to_owned());
        self.driver.step(call, |a| {
            let labels = list(a, "/items").iter().map(|item| text(item, "/label"));
            labels.collect::<Vec<_>>().join("、")
        })?;
        let call = get("", "list_signing_keys", "/.well-known/jwks.json".to_owned());
        self.driver.step(call, |a| format!("公钥 {} 个", list(a, "/keys").len()))?;
        self.by_mini_program(city)?;
        self.by_wecom()?;
        self.with_second_factor(city)?;
        self.as_program()
    }

    fn done(&mut self, by: &str, operation: &str, path: &str, body: Value) -> Done {
        let call = Call { expect: 204, ..post(by, operation, path.to_owned(), body) };
        self.driver.step(call, |_| String::new()).map(|_| ())
    }

    fn by_mini_program(&mut self, city: &City) -> Done {
        let body = json!({ "tenant": "4202", "app_id": weixin::APP_ID, "code": "code-demo" });
        let login = post("", "login_wechat", "/api/v1/auth/wechat".to_owned(), body);
        let tokens = self.driver.step(login, |_| "首次登录，已建立居民账号".to_owned())?;
        self.driver.keep(RESIDENT, &tokens);
        let phone = |code: &str| json!({ "app_id": weixin::APP_ID, "code": code });
        let bind =
            post(RESIDENT, "bind_phone", "/api/v1/me/phone".to_owned(), phone("phone-13800005678"));
        self.driver.step(bind, |a| format!("手机号 {}", text(a, "/phone")))?;
        let call = get(RESIDENT, "get_phone", "/api/v1/me/phone".to_owned());
        self.driver.step(call, |a| text(a, "/phone"))?;
        let body = json!({ "text": "楼道灯不亮", "place": { "point": {
            "lng": 115.0701, "lat": 30.2105, "coord_type": "gcj02" } } });
        let mut call = post(RESIDENT, "", "/api/v1/reports".to_owned(), body);
        call.expect = 201;
        self.driver.step(call, |a| format!("{} 已上报", text(a, "/number")))?;
        self.done(RESIDENT, "unbind_phone", "/api/v1/me/phone/unbind", json!({}))?;
        self.unlinked("", RESIDENT)?;
        self.link("jumin", city)?;
        self.subscribe()
    }

    /// An account links WeChat, which takes more than a token.
    fn link(&mut self, by: &str, city: &City) -> Done {
        let body = json!({
            "app_id": weixin::APP_ID, "code": format!("code-{by}"),
            "proof": { "password": city.password },
        });
        self.done(by, "link_wechat", "/api/v1/me/wechat", body)
    }

    /// Looks at the identities of a person, and unlinks the first; without a person, those of `by`.
    fn unlinked(&mut self, person: &str, by: &str) -> Done {
        let (list_of, operations) = if person.is_empty() {
            ("/api/v1/me".to_owned(), ["list_my_identities", "unlink_my_identity"])
        } else {
            let path = format!("/api/v1/people/{person}");
            (path, ["list_person_identities", "unlink_person_identity"])
        };
        let [lists, unlinks] = operations;
        let call = get(by, lists, format!("{list_of}/identities"));
        let shown =
            self.driver.step(call, |a| format!("绑定微信 {} 个", list(a, "/items").len()))?;
        let id = text(&shown, "/items/0/id");
        self.done(by, unlinks, &format!("{list_of}/identities/{id}/unlink"), json!({}))
    }

    /// The tenant says which template tells what, and a resident agrees to one message.
    fn subscribe(&mut self) -> Done {
        let template = json!({
            "kind": "report_accepted", "template_id": "tmpl-accepted", "page": "pages/report",
            "fields": [
                { "name": "character_string1", "value": "number" },
                { "name": "thing2", "value": "title" },
                { "name": "thing3", "value": "text" },
                { "name": "time4", "value": "time" },
            ],
        });
        let rule = json!({ "document": { "wechat": [template] }, "note": "开通微信订阅消息" });
        let publish = post("admin", "", "/api/v1/policies/notices".to_owned(), rule);
        self.driver.step(publish, |_| "消息通知规则已发布".to_owned())?;
        let path = "/api/v1/me/wechat/subscriptions".to_owned();
        let answer = json!({ "results": { "tmpl-accepted": "accept" } });
        let call = post("jumin", "answer_subscriptions", path.clone(), answer);
        self.driver.step(call, |a| {
            let left = a.pointer("/items/0/remaining").and_then(Value::as_i64);
            format!("剩余 {} 次", left.unwrap_or_default())
        })?;
        self.driver.step(get("jumin", "list_subscriptions", path), |_| String::new())?;
        Ok(())
    }

    fn by_wecom(&mut self) -> Done {
        let path = "/api/v1/auth/oidc/wecom/start?tenant=4202".to_owned();
        let begun = self.driver.step(get("", "get_authorization", path), |_| String::new())?;
        let url = text(&begun, "/authorization_url");
        let state = url.split("state=").nth(1).and_then(|rest| rest.split(['&', '#']).next());
        let body = json!({
            "flow": text(&begun, "/flow"), "code": "member-jiedao",
            "state": state.unwrap_or_default(),
        });
        let path = "/api/v1/auth/oidc/wecom/callback".to_owned();
        self.driver.step(post("", "finish_authorization", path, body), |_| {
            "企业微信成员 jiedao 对应街道调度员".to_owned()
        })?;
        Ok(())
    }

    /// Codes work once, so time goes on between them.
    fn code(&self, secret: &[u8]) -> Done<String> {
        self.time.pass_until(self.time.now() + Duration::seconds(31))?;
        Ok(totp::shown(secret, self.time.now()))
    }

    /// A new person logs in, and before anything else changes the password an administrator set;
    /// answers the new one.
    pub(super) fn settle(&mut self, account: &str, city: &City) -> Done<String> {
        self.driver.login(account, &city.password)?;
        let own = crate::app::password::generate().map_err(|error| Failed(error.to_string()))?;
        let body = json!({ "old_password": city.password, "password": own });
        let call = post(account, "change_password", "/api/v1/me/password".to_owned(), body);
        self.driver.step(call, |_| "全部登录失效".to_owned())?;
        self.driver.login(account, &own)?;
        Ok(own)
    }

    fn with_second_factor(&mut self, city: &City) -> Done {
        let body = json!({ "account": CLERK, "name": "演示员", "password": city.password });
        let mut call = post("admin", "", "/api/v1/people".to_owned(), body);
        call.expect = 201;
        let person = text(&self.driver.step(call, |a| text(a, "/account"))?, "/id");
        let own = self.settle(CLERK, city)?;
        let mine = |verb: &str| format!("/api/v1/me/second_factor{verb}");
        let proof = json!({ "proof": { "password": own } });
        let enrol = post(CLERK, "enrol_second_factor", mine("/enrol"), proof);
        let shown = self.driver.step(enrol, |_| "用验证器扫描二维码".to_owned())?;
        let secret = totp::from_base32(&text(&shown, "/secret"));
        let secret = secret.ok_or_else(|| Failed("the secret is no base32".to_owned()))?;
        let body = json!({ "code": self.code(&secret)? });
        let call = post(CLERK, "confirm_second_factor", mine("/confirm"), body);
        self.driver.step(call, |a| format!("恢复码 {} 个", list(a, "/recovery_codes").len()))?;
        let body = json!({ "tenant": "4202", "account": CLERK, "password": own });
        let mut login = post("", "", "/api/v1/auth/login".to_owned(), body);
        login.expect = 401;
        let asked = self.driver.step(login, refusal)?;
        let body = json!({ "challenge": text(&asked, "/challenge"), "code": self.code(&secret)? });
        let path = "/api/v1/auth/second_factor".to_owned();
        let call = post("", "answer_second_factor", path, body);
        let tokens = self.driver.step(call, |_| "登录完成".to_owned())?;
        self.driver.keep(CLERK, &tokens);
        self.driver.step(get(CLERK, "get_second_factor", mine("")), |a| text(a, "/state"))?;
        let body = json!({ "code": self.code(&secret)? });
        let call = post(CLERK, "renew_recovery_codes", mine("/recovery_codes"), body);
        self.driver.step(call, |_| String::new())?;
        let call = get(CLERK, "list_my_sessions", "/api/v1/me/sessions".to_owned());
        let sessions = self.driver.step(call, |a| format!("{} 个登录", list(a, "/items").len()))?;
        let other =
            list(&sessions, "/items").iter().find(|one| one.get("current") == Some(&json!(false)));
        let other = other.map(|one| text(one, "/id")).unwrap_or_default();
        self.done(
            CLERK,
            "revoke_my_session",
            &format!("/api/v1/me/sessions/{other}/revoke"),
            json!({}),
        )?;
        self.done(CLERK, "revoke_my_sessions", "/api/v1/me/sessions/revoke", json!({}))?;
        let body = json!({ "code": self.code(&secret)? });
        self.done(CLERK, "remove_second_factor", &mine("/remove"), body)?;
        let body = json!({
            "app_id": weixin::APP_ID, "code": "code-clerk", "proof": { "password": own },
        });
        self.done(CLERK, "", "/api/v1/me/wechat", body)?;
        self.unlinked(&person, "admin")?;
        let at = |verb: &str| format!("/api/v1/people/{person}/{verb}");
        let call = get("admin", "list_person_sessions", at("sessions"));
        self.driver.step(call, |a| format!("{} 个登录", list(a, "/items").len()))?;
        self.done("admin", "revoke_person_sessions", &at("sessions/revoke"), json!({}))?;
        let call = post("admin", "reset_second_factor", at("second_factor/reset"), json!({}));
        self.driver.step(call, |_| String::new()).map(|_| ())
    }

    fn as_program(&mut self) -> Done {
        let path = "/.well-known/oauth-authorization-server".to_owned();
        self.driver
            .step(get("", "get_authorization_server", path), |a| text(a, "/token_endpoint"))?;
        let body = json!({
            "name": "12345 热线平台", "scopes": "read", "area_ids": [self.unit("420202")],
            "per_minute": 600, "days": 365,
        });
        let mut call = post("admin", "register_client", "/api/v1/clients".to_owned(), body);
        call.expect = 201;
        let made = self.driver.step(call, |a| text(a, "/client_id"))?;
        let secret = text(&made, "/secrets/0/value");
        let tokens = self.driver.client(&text(&made, "/client_id"), &secret)?;
        self.driver.keep(CLIENT, &tokens);
        self.driver.step(get(CLIENT, "", "/api/v1/cases?limit=3".to_owned()), |a| {
            format!("读到 {} 件案卷", list(a, "/items").len())
        })?;
        let body = json!({ "text": "不在范围内", "place": {} });
        let mut call = post(CLIENT, "", "/api/v1/reports".to_owned(), body);
        call.expect = 403;
        self.driver.step(call, refusal)?;
        let call = get("admin", "list_clients", "/api/v1/clients?limit=3".to_owned());
        self.driver.step(call, |_| String::new())?;
        let path = format!("/api/v1/clients/{}", text(&made, "/id"));
        self.driver.step(get("admin", "get_client", path.clone()), |a| {
            format!("最近使用 {}", local(&text(a, "/secrets/0/used_at")))
        })?;
        let body = json!({ "kind": "secret", "days": 365 });
        let mut call = post("admin", "add_client_secret", format!("{path}/secrets"), body);
        call.expect = 201;
        self.driver.step(call, |_| "新旧密钥同时有效".to_owned())?;
        let old = text(&made, "/secrets/0/id");
        self.done(
            "admin",
            "revoke_client_secret",
            &format!("{path}/secrets/{old}/revoke"),
            json!({}),
        )?;
        self.done("admin", "disable_client", &format!("{path}/disable"), json!({}))
    }
}
