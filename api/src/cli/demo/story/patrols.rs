//! A morning's patrol: planned, walked with consent, its track sent in pieces and out of order,
//! read back as GeoJSON and as a picture; and how plans make patrols by themselves.

use std::io::Write as _;

use chrono::Duration;
use domain::{
    Instant,
    area::{boundary::bounding_box, locate::to_rings},
};
use serde_json::{Value, json};

use super::{
    super::{
        city::City,
        driver::{items_at, text_at},
        picture::Picture,
        say,
    },
    Done, Story, get, post,
};
use crate::cli::{install::Failed, seed};

/// A patrol, as one line.
fn render_patrol(answer: &Value) -> String {
    let worker = answer.pointer("/worker").and_then(Value::as_str).unwrap_or("尚无人");
    let status = text_at(answer, "/status_label");
    format!("{} {status}，{worker}，{}", text_at(answer, "/number"), text_at(answer, "/area/name"))
}

fn render_counts(answer: &Value) -> String {
    let count = |name: &str| answer.get(name).and_then(Value::as_i64).unwrap_or(0);
    format!("存 {}，已有 {}，拒 {}", count("stored"), count("already"), count("refused"))
}

impl Story {
    pub(super) fn tell_patrols(&mut self, city: &City) -> Done {
        say("\n—— 十九、一上午的巡查 / A morning's patrol ——");
        let shapes = seed::derive_boundaries();
        let grid = shapes.grids.iter().find(|grid| grid.code == city.places.grid);
        let grid =
            grid.ok_or_else(|| Failed("the grid of the story has no boundary".to_owned()))?;
        let path = format!("/api/v1/areas?code={}", grid.code);
        let area = text_at(&self.driver.fetch_json("wangge-1", &path)?, "/items/0/id");
        let [west, south, east, north] = bounding_box(&grid.boundary)
            .ok_or_else(|| Failed("the grid has no extent".to_owned()))?;
        let middle = [f64::midpoint(west, east), f64::midpoint(south, north)];
        let rings: Vec<Vec<[f64; 2]>> = to_rings(&grid.boundary).into_iter().flatten().collect();
        self.allow_track()?;
        let walk = Walk::centre_on(middle);
        let patrol = self.plan_and_start(&area, &walk)?;
        let began = self.walk_patrol(&patrol, &walk)?;
        self.finish_patrol(&patrol, began)?;
        self.read_back(&patrol, &rings)?;
        self.tell_unplanned_patrols(&area)
    }

    /// Gives the consent a track needs, and shows the sampling settings of the phone.
    fn allow_track(&mut self) -> Done {
        let privacy = self.driver.fetch_json("wangge-1", "/api/v1/privacy?tenant=4202")?;
        let body =
            json!({ "purpose": "track", "given": true, "version": text_at(&privacy, "/version") });
        let mut call = post("wangge-1", "answer_consent", "/api/v1/me/consents".to_owned(), body);
        call.expect = 201;
        self.driver.run_step(call, |_| "单独同意采集巡查轨迹，随时可以撤回".to_owned())?;
        let path = "/api/v1/patrols/sampling".to_owned();
        self.driver.run_step(get("wangge-1", "get_patrol_sampling", path), |a| {
            let number = |name: &str| a.get(name).and_then(Value::as_i64).unwrap_or(0);
            format!(
                "每 {} 秒一点，电量低于 {}% 时放宽",
                number("interval_s"),
                number("battery_floor")
            )
        })?;
        Ok(())
    }

    fn plan_and_start(&mut self, area: &str, walk: &Walk) -> Done<String> {
        let now = self.time.now();
        let point = |index: usize, name: &str| {
            let [lng, lat] = walk.place_at(index);
            let point = json!({ "lng": lng, "lat": lat, "coord_type": "wgs84" });
            json!({ "name": name, "point": point, "radius_m": 30 })
        };
        let checkpoints = [point(30, "小学门口"), point(300, "菜市场"), point(333, "老旧小区北门")];
        let body = json!({
            "area_id": area, "purpose": "routine",
            "window": { "from": now, "until": now + Duration::hours(3) },
            "itinerary": { "checkpoints": checkpoints, "minutes": 60 },
        });
        let path = "/api/v1/patrols".to_owned();
        let mut call = post("shequ", "plan_patrol", path, body.clone());
        call.expect = 201;
        let made = self.driver.run_step(call, render_patrol)?;
        let mut call = post("shequ", "plan_patrol", "/api/v1/patrols".to_owned(), body);
        call.expect = 201;
        let other = text_at(&self.driver.run_step(call, render_patrol)?, "/id");
        let path = format!("/api/v1/patrols/{other}/cancel");
        let reason = json!({ "reason": "重复安排" });
        self.driver.run_step(post("shequ", "cancel_patrol", path, reason), render_patrol)?;
        let shift = json!({ "area_id": area });
        let path = "/api/v1/me/shift/start".to_owned();
        self.driver
            .run_step(post("wangge-1", "start_shift", path, shift), |_| "上岗".to_owned())?;
        let id = text_at(&made, "/id");
        let path = format!("/api/v1/patrols/{id}/start");
        self.driver.run_step(post("wangge-1", "start_patrol", path, json!({})), render_patrol)?;
        Ok(id)
    }

    /// Walks, and sends the points: in pieces, one twice, one out of order, a mocked one among
    /// them.
    fn walk_patrol(&mut self, id: &str, walk: &Walk) -> Done<Instant> {
        let began = self.time.now();
        self.time.pass_until(began + walk.length() + Duration::minutes(1))?;
        self.driver.forget_logins();
        let points = walk.build_points(began);
        let path = || format!("/api/v1/patrols/{id}/points");
        let mut pieces: Vec<Vec<Value>> = points.chunks(60).map(<[Value]>::to_vec).collect();
        pieces.rotate_left(1);
        let few = json!({ "points": points.get(..3).unwrap_or_default() });
        self.driver.run_step(post("wangge-1", "upload_points", path(), few), render_counts)?;
        for piece in pieces {
            let body = json!({ "coord_type": "wgs84", "points": piece });
            self.driver.run_step(post("wangge-1", "", path(), body), render_counts)?;
        }
        let mut odd = points.last().cloned().unwrap_or_default();
        if let Some(odd) = odd.as_object_mut() {
            odd.insert("seq".to_owned(), json!(9000));
            odd.insert("mocked".to_owned(), json!(true));
        }
        let body = json!({ "points": [odd] });
        self.driver.run_step(post("wangge-1", "", path(), body), |a| {
            format!("{}：异常点照存，读取时标记", render_counts(a))
        })?;
        Ok(began)
    }

    /// A report on the way, a rest, a remark, the end.
    fn finish_patrol(&mut self, id: &str, began: Instant) -> Done {
        let at = began + Duration::minutes(20);
        self.submit_report("wangge-1", 0, &json!({ "patrol_id": id, "client_time": at }))?;
        let step = |verb: &str| format!("/api/v1/patrols/{id}/{verb}");
        let pause = post("wangge-1", "pause_patrol", step("pause"), json!({}));
        self.driver.run_step(pause, render_patrol)?;
        let resume = post("wangge-1", "resume_patrol", step("resume"), json!({}));
        self.driver.run_step(resume, render_patrol)?;
        let note = json!({ "text": "菜市场西侧占道已劝离" });
        self.driver
            .run_step(post("wangge-1", "note_patrol", step("note"), note), |_| String::new())?;
        let path = step("finish");
        let body = json!({ "note": "未发现新的隐患" });
        self.driver.run_step(post("wangge-1", "finish_patrol", path, body), render_patrol)?;
        Ok(())
    }

    fn read_back(&mut self, id: &str, rings: &[Vec<[f64; 2]>]) -> Done {
        let path = format!("/api/v1/patrols/{id}");
        let patrol = self.driver.run_step(get("shequ", "get_patrol", path.clone()), |a| {
            format!("途中上报 {} 件", items_at(a, "/reports").len())
        })?;
        let track = self.driver.run_step(get("shequ", "", format!("{path}/track?tolerance=2")), |a| {
            let of = |name: &str| a.pointer(&format!("/features/0/properties/{name}")).cloned();
            let number = |name: &str| of(name).and_then(|n| n.as_f64()).unwrap_or(0.0);
            format!(
                "GeoJSON：{} 点，标记 {}，{:.0} 米，走动 {:.0} 分钟，停留 {} 处；查看他人轨迹已留痕",
                number("points"), number("marked"), number("distance_m"),
                number("moving_s") / 60.0, number("stops")
            )
        })?;
        self.driver.run_step(get("wangge-1", "", format!("{path}/gpx")), |a| {
            let text = a.as_str().unwrap_or_default();
            format!("GPX：{} 点", text.matches("<trkpt").count())
        })?;
        let call = get("shequ", "get_patrol_coverage", format!("{path}/coverage"));
        let coverage = self.driver.run_step(call, |a| {
            let of = |name: &str| a.pointer(name).and_then(Value::as_i64).unwrap_or(0);
            format!(
                "到点 {}/{}，栅格 {}/{}，在网格内 {} 分钟",
                of("/checkpoint_share/of"),
                of("/checkpoint_share/all"),
                of("/cell_share/of"),
                of("/cell_share/all"),
                of("/inside_s") / 60
            )
        })?;
        let timeline = format!("{path}/timeline");
        self.driver.run_step(get("shequ", "get_patrol_timeline", timeline), |_| String::new())?;
        let list = "/api/v1/patrols?limit=5".to_owned();
        self.driver.run_step(get("shequ", "list_patrols", list), |_| String::new())?;
        let title = format!("巡查 {} · 轨迹与覆盖", text_at(&patrol, "/number"));
        let picture =
            Picture { title: &title, rings, patrol: &patrol, track: &track, coverage: &coverage };
        let file = write_page(&picture.render_page())?;
        say(&format!("     图在 / The picture is in {file}"));
        Ok(())
    }

    /// Shows who is near, an unplanned patrol, and plans.
    fn tell_unplanned_patrols(&mut self, area: &str) -> Done {
        let path = format!("/api/v1/areas/{area}/nearest_workers?lng=115.0701&lat=30.2105");
        self.driver.run_step(get("shequ", "list_nearest_workers", path), |a| {
            format!("在岗且同意定位的 {} 人，只给距离", items_at(a, "/items").len())
        })?;
        let until = self.time.now() + Duration::hours(2);
        let body = json!({ "area_id": area, "purpose": "recheck", "until": until });
        let path = "/api/v1/patrols/begin".to_owned();
        let mut call = post("wangge-2", "begin_patrol", path, body);
        call.expect = 201;
        self.driver.run_step(call, render_patrol)?;
        let today = domain::core::time::local_day(self.time.now());
        let content = |recurrence: Value| {
            json!({
                "name": "早间巡查", "purpose": "routine", "recurrence": recurrence,
                "at": "08:30:00", "window_minutes": 120, "from": today,
            })
        };
        let body = json!({ "area_id": area, "content": content(json!({ "on": "daily" })) });
        let path = "/api/v1/patrol_plans".to_owned();
        let mut call = post("shequ", "create_patrol_plan", path.clone(), body);
        call.expect = 201;
        let made = self.driver.run_step(call, |a| format!("下一次 {}", text_at(a, "/next")))?;
        let one = format!("{path}/{}", text_at(&made, "/id"));
        self.time.pass_until(self.time.now() + Duration::days(1))?;
        self.driver.forget_logins();
        self.driver.run_step(get("shequ", "get_patrol_plan", one.clone()), |a| {
            format!("到 {} 的已自动生成，进入网格待办", text_at(a, "/made"))
        })?;
        let body = json!({ "content": content(json!({ "on": "working_days" })) });
        let amend = post("shequ", "amend_patrol_plan", format!("{one}/amend"), body);
        self.driver.run_step(amend, |a| format!("改为工作日，下一次 {}", text_at(a, "/next")))?;
        let reason = json!({ "reason": "演示结束" });
        let retire = post("shequ", "retire_patrol_plan", format!("{one}/retire"), reason);
        self.driver.run_step(retire, |a| text_at(a, "/standing_label"))?;
        self.driver.run_step(get("shequ", "list_patrol_plans", path), |_| String::new())?;
        Ok(())
    }
}

/// Writes a page where the person who started the demo can open it.
fn write_page(page: &str) -> Done<String> {
    let failed = |error: std::io::Error| Failed(format!("the picture: {error}"));
    let mut named = tempfile::Builder::new();
    let named = named.prefix("gridwhistle-patrol-").suffix(".html");
    let mut file = named.tempfile().map_err(failed)?;
    file.write_all(page.as_bytes()).map_err(failed)?;
    let (_, path) = file.keep().map_err(|error| Failed(error.to_string()))?;
    Ok(path.display().to_string())
}

/// The shipped track, moved so that its middle is that of the grid.
struct Walk {
    points: Vec<seed::TrackPoint>,
    east: f64,
    north: f64,
}

impl Walk {
    fn centre_on([lng, lat]: [f64; 2]) -> Self {
        let points = seed::track();
        let middle = |axis: fn(&seed::TrackPoint) -> f64| {
            let least = points.iter().map(axis).fold(f64::INFINITY, f64::min);
            let most = points.iter().map(axis).fold(f64::NEG_INFINITY, f64::max);
            f64::midpoint(least, most)
        };
        // A little further north, so that the stretch with most points lies within.
        let (east, north) =
            (lng - middle(|point| point.lon), lat - middle(|point| point.lat) + 0.0011);
        Self { points, east, north }
    }

    fn length(&self) -> Duration {
        let ends = self.points.first().zip(self.points.last());
        ends.map_or(Duration::zero(), |(first, last)| last.t - first.t)
    }

    fn place_at(&self, index: usize) -> [f64; 2] {
        let point = self.points.get(index);
        point.map_or([0.0, 0.0], |point| [point.lon + self.east, point.lat + self.north])
    }

    /// The points of a phone that began to walk then.
    fn build_points(&self, began: Instant) -> Vec<Value> {
        let Some(first) = self.points.first().map(|point| point.t) else { return Vec::new() };
        let point = |(seq, point): (usize, &seed::TrackPoint)| {
            let [lng, lat] = self.place_at(seq);
            let time = began + Duration::seconds(1) + (point.t - first);
            json!({
                "seq": seq, "time": time, "lng": lng, "lat": lat, "accuracy": 6.0, "source": "gps",
            })
        };
        self.points.iter().enumerate().map(point).collect()
    }
}
