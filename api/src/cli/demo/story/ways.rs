//! The other ways to log in: a resident by mini-program, staff by WeCom and with a second factor,
//! and a program with its own credentials.

use chrono::Duration;
use serde_json::{Value, json};

use super::{Done, Story, format_instant, get, items_at, post, render_refusal, say, text_at};
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
    /// All people who log in by more than a password.
    pub(super) fn tell_ways_in(&mut self, city: &City) -> Done {
        say("\n—— 登录方式 / Ways in ——");
        let call = get("", "list_providers", "/api/v1/auth/providers".to_owned());
        self.driver.run_step(call, |a| {
            let labels = items_at(a, "/items").iter().map(|item| text_at(item, "/label"));
            labels.collect::<Vec<_>>().join("、")
        })?;
        let call = get("", "list_signing_keys", "/.well-known/jwks.json".to_owned());
        self.driver.run_step(call, |a| format!("公钥 {} 个", items_at(a, "/keys").len()))?;
        self.tell_mini_program(city)?;
        self.tell_wecom()?;
        self.tell_second_factor(city)?;
        self.tell_program()
    }

    fn run_empty_step(&mut self, by: &str, operation: &str, path: &str, body: Value) -> Done {
        let call = Call { expect: 204, ..post(by, operation, path.to_owned(), body) };
        self.driver.run_step(call, |_| String::new()).map(|_| ())
    }

    fn tell_mini_program(&mut self, city: &City) -> Done {
        let body = json!({ "tenant": "4202", "app_id": weixin::APP_ID, "code": "code-demo" });
        let login = post("", "login_wechat", "/api/v1/auth/wechat".to_owned(), body);
        let tokens = self.driver.run_step(login, |_| "首次登录，已建立居民账号".to_owned())?;
        self.driver.keep_token(RESIDENT, &tokens);
        let phone = |code: &str| json!({ "app_id": weixin::APP_ID, "code": code });
        let bind =
            post(RESIDENT, "bind_phone", "/api/v1/me/phone".to_owned(), phone("phone-13800005678"));
        self.driver.run_step(bind, |a| format!("手机号 {}", text_at(a, "/phone")))?;
        let call = get(RESIDENT, "get_phone", "/api/v1/me/phone".to_owned());
        self.driver.run_step(call, |a| text_at(a, "/phone"))?;
        let body = json!({ "text": "楼道灯不亮", "place": { "point": {
            "lng": 115.0701, "lat": 30.2105, "coord_type": "gcj02" } } });
        let mut call = post(RESIDENT, "", "/api/v1/reports".to_owned(), body);
        call.expect = 201;
        self.driver.run_step(call, |a| format!("{} 已上报", text_at(a, "/number")))?;
        self.run_empty_step(RESIDENT, "unbind_phone", "/api/v1/me/phone/unbind", json!({}))?;
        self.unlink_identity("", RESIDENT)?;
        self.link_wechat("jumin", city)?;
        self.subscribe_messages()
    }

    /// An account links WeChat, which takes more than a token.
    fn link_wechat(&mut self, by: &str, city: &City) -> Done {
        let body = json!({
            "app_id": weixin::APP_ID, "code": format!("code-{by}"),
            "proof": { "password": city.password },
        });
        self.run_empty_step(by, "link_wechat", "/api/v1/me/wechat", body)
    }

    /// Lists the identities of a person, and unlinks the first; without a person, those of `by`.
    fn unlink_identity(&mut self, person: &str, by: &str) -> Done {
        let (list_of, operations) = if person.is_empty() {
            ("/api/v1/me".to_owned(), ["list_my_identities", "unlink_my_identity"])
        } else {
            let path = format!("/api/v1/people/{person}");
            (path, ["list_person_identities", "unlink_person_identity"])
        };
        let [lists, unlinks] = operations;
        let call = get(by, lists, format!("{list_of}/identities"));
        let shown = self
            .driver
            .run_step(call, |a| format!("绑定微信 {} 个", items_at(a, "/items").len()))?;
        let id = text_at(&shown, "/items/0/id");
        self.run_empty_step(by, unlinks, &format!("{list_of}/identities/{id}/unlink"), json!({}))
    }

    /// The tenant publishes the templates of messages, and a resident agrees to one message.
    fn subscribe_messages(&mut self) -> Done {
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
        self.driver.run_step(publish, |_| "消息通知规则已发布".to_owned())?;
        let path = "/api/v1/me/wechat/subscriptions".to_owned();
        let answer = json!({ "results": { "tmpl-accepted": "accept" } });
        let call = post("jumin", "answer_subscriptions", path.clone(), answer);
        self.driver.run_step(call, |a| {
            let left = a.pointer("/items/0/remaining").and_then(Value::as_i64);
            format!("剩余 {} 次", left.unwrap_or_default())
        })?;
        self.driver.run_step(get("jumin", "list_subscriptions", path), |_| String::new())?;
        Ok(())
    }

    fn tell_wecom(&mut self) -> Done {
        let path = "/api/v1/auth/oidc/wecom/start?tenant=4202".to_owned();
        let begun = self.driver.run_step(get("", "get_authorization", path), |_| String::new())?;
        let url = text_at(&begun, "/authorization_url");
        let state = url.split("state=").nth(1).and_then(|rest| rest.split(['&', '#']).next());
        let body = json!({
            "flow": text_at(&begun, "/flow"), "code": "member-jiedao",
            "state": state.unwrap_or_default(),
        });
        let path = "/api/v1/auth/oidc/wecom/callback".to_owned();
        self.driver.run_step(post("", "finish_authorization", path, body), |_| {
            "企业微信成员 jiedao 对应街道调度员".to_owned()
        })?;
        Ok(())
    }

    /// Codes work once, so the clock moves between them.
    fn next_code(&self, secret: &[u8]) -> Done<String> {
        self.time.pass_until(self.time.now() + Duration::seconds(31))?;
        Ok(totp::render_code(secret, self.time.now()))
    }

    /// A new person logs in, and before anything else changes the password an administrator set;
    /// answers the new one.
    pub(super) fn settle_account(&mut self, account: &str, city: &City) -> Done<String> {
        self.driver.log_in(account, &city.password)?;
        let own = crate::app::password::generate().map_err(|error| Failed(error.to_string()))?;
        let body = json!({ "old_password": city.password, "password": own });
        let call = post(account, "change_password", "/api/v1/me/password".to_owned(), body);
        self.driver.run_step(call, |_| "全部登录失效".to_owned())?;
        self.driver.log_in(account, &own)?;
        Ok(own)
    }

    fn tell_second_factor(&mut self, city: &City) -> Done {
        let body = json!({ "account": CLERK, "name": "演示员", "password": city.password });
        let mut call = post("admin", "", "/api/v1/people".to_owned(), body);
        call.expect = 201;
        let person = text_at(&self.driver.run_step(call, |a| text_at(a, "/account"))?, "/id");
        let own = self.settle_account(CLERK, city)?;
        let mine = |verb: &str| format!("/api/v1/me/second_factor{verb}");
        let proof = json!({ "proof": { "password": own } });
        let enrol = post(CLERK, "enrol_second_factor", mine("/enrol"), proof);
        let shown = self.driver.run_step(enrol, |_| "用验证器扫描二维码".to_owned())?;
        let secret = totp::decode_base32(&text_at(&shown, "/secret"));
        let secret = secret.ok_or_else(|| Failed("the secret is no base32".to_owned()))?;
        let body = json!({ "code": self.next_code(&secret)? });
        let call = post(CLERK, "confirm_second_factor", mine("/confirm"), body);
        self.driver
            .run_step(call, |a| format!("恢复码 {} 个", items_at(a, "/recovery_codes").len()))?;
        let body = json!({ "tenant": "4202", "account": CLERK, "password": own });
        let mut login = post("", "", "/api/v1/auth/login".to_owned(), body);
        login.expect = 401;
        let asked = self.driver.run_step(login, render_refusal)?;
        let body =
            json!({ "challenge": text_at(&asked, "/challenge"), "code": self.next_code(&secret)? });
        let path = "/api/v1/auth/second_factor".to_owned();
        let call = post("", "answer_second_factor", path, body);
        let tokens = self.driver.run_step(call, |_| "登录完成".to_owned())?;
        self.driver.keep_token(CLERK, &tokens);
        self.driver
            .run_step(get(CLERK, "get_second_factor", mine("")), |a| text_at(a, "/state"))?;
        let body = json!({ "code": self.next_code(&secret)? });
        let call = post(CLERK, "renew_recovery_codes", mine("/recovery_codes"), body);
        self.driver.run_step(call, |_| String::new())?;
        let call = get(CLERK, "list_my_sessions", "/api/v1/me/sessions".to_owned());
        let sessions =
            self.driver.run_step(call, |a| format!("{} 个登录", items_at(a, "/items").len()))?;
        let other = items_at(&sessions, "/items")
            .iter()
            .find(|one| one.get("current") == Some(&json!(false)));
        let other = other.map(|one| text_at(one, "/id")).unwrap_or_default();
        self.run_empty_step(
            CLERK,
            "revoke_my_session",
            &format!("/api/v1/me/sessions/{other}/revoke"),
            json!({}),
        )?;
        self.run_empty_step(CLERK, "revoke_my_sessions", "/api/v1/me/sessions/revoke", json!({}))?;
        let body = json!({ "code": self.next_code(&secret)? });
        self.run_empty_step(CLERK, "remove_second_factor", &mine("/remove"), body)?;
        let body = json!({
            "app_id": weixin::APP_ID, "code": "code-clerk", "proof": { "password": own },
        });
        self.run_empty_step(CLERK, "", "/api/v1/me/wechat", body)?;
        self.unlink_identity(&person, "admin")?;
        let at = |verb: &str| format!("/api/v1/people/{person}/{verb}");
        let call = get("admin", "list_person_sessions", at("sessions"));
        self.driver.run_step(call, |a| format!("{} 个登录", items_at(a, "/items").len()))?;
        self.run_empty_step("admin", "revoke_person_sessions", &at("sessions/revoke"), json!({}))?;
        let call = post("admin", "reset_second_factor", at("second_factor/reset"), json!({}));
        self.driver.run_step(call, |_| String::new()).map(|_| ())
    }

    fn tell_program(&mut self) -> Done {
        let path = "/.well-known/oauth-authorization-server".to_owned();
        self.driver.run_step(get("", "get_authorization_server", path), |a| {
            text_at(a, "/token_endpoint")
        })?;
        let body = json!({
            "name": "12345 热线平台", "scopes": "read", "area_ids": [self.find_unit("420202")],
            "per_minute": 600, "days": 365,
        });
        let mut call = post("admin", "register_client", "/api/v1/clients".to_owned(), body);
        call.expect = 201;
        let made = self.driver.run_step(call, |a| text_at(a, "/client_id"))?;
        let secret = text_at(&made, "/secrets/0/value");
        let tokens = self.driver.exchange_credentials(&text_at(&made, "/client_id"), &secret)?;
        self.driver.keep_token(CLIENT, &tokens);
        self.driver.run_step(get(CLIENT, "", "/api/v1/cases?limit=3".to_owned()), |a| {
            format!("读到 {} 件案卷", items_at(a, "/items").len())
        })?;
        let body = json!({ "text": "不在范围内", "place": {} });
        let mut call = post(CLIENT, "", "/api/v1/reports".to_owned(), body);
        call.expect = 403;
        self.driver.run_step(call, render_refusal)?;
        let call = get("admin", "list_clients", "/api/v1/clients?limit=3".to_owned());
        self.driver.run_step(call, |_| String::new())?;
        let path = format!("/api/v1/clients/{}", text_at(&made, "/id"));
        self.driver.run_step(get("admin", "get_client", path.clone()), |a| {
            format!("最近使用 {}", format_instant(&text_at(a, "/secrets/0/used_at")))
        })?;
        let body = json!({ "kind": "secret", "days": 365 });
        let mut call = post("admin", "add_client_secret", format!("{path}/secrets"), body);
        call.expect = 201;
        self.driver.run_step(call, |_| "新旧密钥同时有效".to_owned())?;
        let old = text_at(&made, "/secrets/0/id");
        self.run_empty_step(
            "admin",
            "revoke_client_secret",
            &format!("{path}/secrets/{old}/revoke"),
            json!({}),
        )?;
        self.run_empty_step("admin", "disable_client", &format!("{path}/disable"), json!({}))
    }
}
