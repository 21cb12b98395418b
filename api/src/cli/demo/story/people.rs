//! What an administrator does: people, appointments and shifts; and the rest of a login's life.

use serde_json::{Value, json};

use super::{
    super::{city::City, driver::text_at, say},
    Done, Story, format_instant, get, post,
};
use crate::{app::password, cli::install::Failed};

impl Story {
    /// A new worker comes, is granted and renamed, hands over, and leaves.
    pub(super) fn tell_administration(&mut self, city: &City) -> Done {
        say("\n—— 九、人员与登录 / People and logins ——");
        let area = self.find_unit("420202");
        let body = json!({
            "account": "linshi", "name": "临时巡查员", "password": city.password,
            "grants": [{ "role": "grid_worker", "area_id": area, "post": "西塞山区临时巡查岗" }],
        });
        let mut call = post("admin", "register_person", "/api/v1/people".to_owned(), body);
        call.expect = 201;
        let person = text_at(&self.driver.run_step(call, |a| text_at(a, "/account"))?, "/id");
        let at = |verb: &str| format!("/api/v1/people/{person}/{verb}");
        let grant = json!({ "role": "hotline", "area_id": area });
        self.driver.run_step(post("admin", "grant_role", at("grant"), grant.clone()), |_| {
            "已授权".to_owned()
        })?;
        self.driver
            .run_step(post("admin", "revoke_role", at("revoke"), grant), |_| "已撤销".to_owned())?;
        let name = json!({ "name": "临时巡查员小夏" });
        self.driver.run_step(post("admin", "rename_person", at("rename"), name), |a| {
            text_at(a, "/name")
        })?;
        let list = "/api/v1/people?limit=3".to_owned();
        self.driver.run_step(get("admin", "list_people", list), |_| String::new())?;
        let shown = format!("/api/v1/people/{person}");
        self.driver.run_step(get("admin", "get_person", shown), |_| String::new())?;
        self.tell_logins(city, &person)?;
        self.tell_posts(city, &person)?;
        self.tell_shift()
    }

    fn tell_logins(&mut self, city: &City, person: &str) -> Done {
        let login = self.driver.log_in("linshi", &city.password)?;
        let body = json!({ "tenant": "4202", "refresh_token": text_at(&login, "/refresh_token") });
        let refresh = post("linshi", "refresh_login", "/api/v1/auth/refresh".to_owned(), body);
        self.driver.run_step(refresh, |_| "换取了新令牌".to_owned())?;
        let fresh = password::generate().map_err(|error| Failed(error.to_string()))?;
        let path = format!("/api/v1/people/{person}/password");
        let reset = post("admin", "set_password", path, json!({ "password": fresh }));
        self.driver.run_step(reset, |_| "原登录全部失效".to_owned())?;
        let mut logout = post("xuncha", "logout", "/api/v1/auth/logout".to_owned(), json!({}));
        logout.expect = 204;
        self.driver.run_step(logout, |_| String::new())?;
        Ok(())
    }

    fn tell_posts(&mut self, city: &City, person: &str) -> Done {
        let body = json!({ "account": "jieban", "name": "接班的小秋", "password": city.password });
        let mut call = post("admin", "register_person", "/api/v1/people".to_owned(), body);
        call.expect = 201;
        let heir = text_at(&self.driver.run_step(call, |a| text_at(a, "/account"))?, "/id");
        let at = |verb: &str| format!("/api/v1/people/{person}/{verb}");
        let body = json!({
            "role": "grid_worker", "area_id": self.find_unit("420202"),
            "to_person_id": heir, "reason": "岗位调整",
        });
        let hand_over = post("admin", "hand_over_role", at("hand_over"), body);
        self.driver.run_step(hand_over, |_| "岗位移交，待办留在单位".to_owned())?;
        let reason = json!({ "reason": "借调期间停用" });
        let suspend = post("admin", "suspend_person", at("suspend"), reason);
        self.driver.run_step(suspend, |a| text_at(a, "/standing"))?;
        let reinstate = post("admin", "reinstate_person", at("reinstate"), json!({}));
        self.driver.run_step(reinstate, |a| text_at(a, "/standing"))?;
        let leave = post("admin", "leave_person", at("leave"), json!({ "reason": "期满离岗" }));
        self.driver.run_step(leave, |a| text_at(a, "/standing"))?;
        Ok(())
    }

    fn tell_shift(&mut self) -> Done {
        let me = |by| get(by, "get_me", "/api/v1/me".to_owned());
        let place = |answer: &Value| text_at(answer, "/grants/0/area/name");
        let area = text_at(&self.driver.run_step(me("wangge-1"), place)?, "/grants/0/area/id");
        let community = text_at(&self.driver.run_step(me("shequ"), place)?, "/grants/0/area/id");
        let (start, end) = ("/api/v1/me/shift/start".to_owned(), "/api/v1/me/shift/end".to_owned());
        let body = json!({ "area_id": area });
        self.driver.run_step(post("wangge-1", "start_shift", start, body), |a| {
            format!("至 {}", format_instant(&text_at(a, "/shift/until")))
        })?;
        let path = format!("/api/v1/areas/{community}/on_duty");
        self.driver
            .run_step(get("shequ", "list_on_duty", path), |a| text_at(a, "/items/0/name"))?;
        self.driver
            .run_step(post("wangge-1", "end_shift", end, json!({})), |_| "离岗".to_owned())?;
        Ok(())
    }
}
