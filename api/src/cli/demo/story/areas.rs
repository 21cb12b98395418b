//! Areas through time: grids are made, merged, split, moved and retired, each from a day on; a file
//! is checked; faults in the areas are listed. In the end the areas are as they were.

use serde_json::{Value, json};

use super::{
    super::{
        driver::{items_at, text_at},
        say,
    },
    Done, Story, get, post,
};
use crate::cli::{install::Failed, seed};

/// The events of an answer, as one line.
fn render_events(answer: &Value) -> String {
    let event = |item: &Value| {
        let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
        format!("{}{name}（{} 起）", text_at(item, "/event_label"), text_at(item, "/from"))
    };
    items_at(answer, "/items").iter().map(event).collect::<Vec<_>>().join("；")
}

fn square_polygon(west: f64, south: f64, size: f64) -> Value {
    let (east, north) = (west + size, south + size);
    let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
    json!({ "type": "Polygon", "coordinates": [ring] })
}

impl Story {
    pub(super) fn tell_areas(&mut self) -> Done {
        say("\n—— 十八、网格会变 / Grids change ——");
        let report = seed::reports().into_iter().next();
        let report = report.ok_or_else(|| Failed("no report".to_owned()))?;
        let (lng, lat) = (report.lng, report.lat);
        let path = format!("/api/v1/areas/locate?lng={lng}&lat={lat}");
        let here =
            self.driver.run_step(get("admin", "locate_area", path), |a| text_at(a, "/name"))?;
        let (community, grid) = (text_at(&here, "/parent_id"), text_at(&here, "/id"));
        let code: String = text_at(&here, "/code").chars().take(12).collect();
        let mut made = Vec::new();
        for (number, name) in [(901, "临时一格"), (902, "临时二格"), (903, "临时三格")]
        {
            let west = 115.5 + f64::from(number - 901) * 0.01;
            let area = json!({
                "code": format!("{code}{number}"), "name": name, "grid_kind": "comprehensive",
                "households": 230, "boundary": square_polygon(west, 30.5, 0.01),
            });
            let body = json!({ "kind": "grid", "parent_id": community, "area": area });
            let mut call = post("admin", "create_area", "/api/v1/areas".to_owned(), body);
            call.expect = 201;
            let answer = self.driver.run_step(call, render_events)?;
            made.push(text_at(&answer, "/items/0/area_id"));
        }
        self.change_areas(&made, &code)?;
        self.look_at_areas(&community, &grid, (lng, lat))?;
        self.check_file(&code)
    }

    fn change_area(&mut self, operation: &str, id: &str, body: Value) -> Done {
        let verb = operation.split('_').next().unwrap_or_default();
        let path = format!("/api/v1/areas/{id}/{verb}");
        self.driver.run_step(post("admin", operation, path, body), render_events)?;
        Ok(())
    }

    fn change_areas(&mut self, made: &[String], code: &str) -> Done {
        let [one, two, three] = made else { return Err(Failed("three grids".to_owned())) };
        self.change_area("rename_area", one, json!({ "name": "临时甲格" }))?;
        self.change_area("describe_area", one, json!({ "households": 260 }))?;
        let boundary = square_polygon(115.5, 30.5, 0.009);
        self.change_area("redraw_area", one, json!({ "boundary": boundary }))?;
        self.change_area("merge_areas", one, json!({ "with": [two] }))?;
        let part = |number: u32| json!({ "area": { "code": format!("{code}{number}"), "name": "拆分格" } });
        self.change_area("split_area", three, json!({ "parts": [part(904), part(905)] }))?;
        let street = self.driver.fetch_json("admin", &format!("/api/v1/areas/{one}"))?;
        let street = text_at(&street, "/above/2/id");
        self.change_area("transfer_area", one, json!({ "parent_id": street }))?;
        self.change_area("retire_area", one, json!({ "successor_ids": [] }))?;
        let path = format!("/api/v1/areas/{one}/history");
        self.driver.run_step(get("admin", "get_area_history", path), |a| {
            format!("{} 个时期，{} 撤销", items_at(a, "/items").len(), text_at(a, "/valid_until"))
        })?;
        let path = "/api/v1/areas/changes?limit=3".to_owned();
        self.driver.run_step(get("admin", "list_area_changes", path), |a| {
            items_at(a, "/items")
                .iter()
                .map(|one| text_at(one, "/what"))
                .collect::<Vec<_>>()
                .join("、")
        })?;
        Ok(())
    }

    fn look_at_areas(&mut self, community: &str, grid: &str, (lng, lat): (f64, f64)) -> Done {
        let path = format!("/api/v1/areas/{community}/findings?min_m2=500");
        self.driver.run_step(get("admin", "list_area_findings", path), |a| {
            let mut labels: Vec<String> =
                items_at(a, "/items").iter().map(|one| text_at(one, "/label")).collect();
            labels.sort_unstable();
            labels.dedup();
            labels.join("、")
        })?;
        let path = format!("/api/v1/areas/{grid}/notice");
        self.driver.run_step(get("wangge-1", "get_grid_notice", path), |a| {
            format!("{}：{}", text_at(a, "/grid/name"), text_at(a, "/workers/0/name"))
        })?;
        let path = format!("/api/v1/areas/neighbours?lng={lng}&lat={lat}&limit=3");
        self.driver.run_step(get("wangge-1", "list_neighbours", path), |a| {
            items_at(a, "/items")
                .iter()
                .map(|one| text_at(one, "/grid/name"))
                .collect::<Vec<_>>()
                .join("、")
        })?;
        Ok(())
    }

    fn check_file(&mut self, code: &str) -> Done {
        let feature = |number: u32, parent: &str| {
            json!({
                "type": "Feature",
                "properties": {
                    "code": format!("{code}{number}"), "name": "新划网格", "parent_code": parent,
                    "households": 280,
                },
                "geometry": square_polygon(115.6, 30.5, 0.01),
            })
        };
        let features = [feature(906, code), feature(907, "420299999999")];
        let body = json!({ "type": "FeatureCollection", "features": features });
        let path = "/api/v1/area_imports?what=grids&dry_run=true&source=grids.geojson".to_owned();
        let mut call = post("admin", "import_areas", path, body);
        call.expect = 201;
        let told = |answer: &Value| {
            let fault =
                |one: &Value| format!("{}：{}", text_at(one, "/column"), text_at(one, "/label"));
            let faults: Vec<String> = items_at(answer, "/faults").iter().map(fault).collect();
            format!("{}；{}", text_at(answer, "/status_label"), faults.join("，"))
        };
        let checked = self.driver.run_step(call, told)?;
        let path = format!("/api/v1/area_imports/{}", text_at(&checked, "/id"));
        self.driver.run_step(get("admin", "get_area_import", path), told)?;
        Ok(())
    }
}
