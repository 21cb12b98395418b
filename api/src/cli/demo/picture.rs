//! A patrol as a picture: one plain page with an SVG in it, light or dark, narrow or wide, that
//! needs nothing else.

use std::fmt::Write;

use serde_json::Value;

use super::driver::{items_at, text_at};

/// What is drawn.
pub(super) struct Picture<'a> {
    /// The title of the page.
    pub(super) title: &'a str,
    /// The boundary of the area, rings of [longitude, latitude].
    pub(super) rings: &'a [Vec<[f64; 2]>],
    /// The patrol as the API shows it.
    pub(super) patrol: &'a Value,
    /// Its track as GeoJSON.
    pub(super) track: &'a Value,
    /// The coverage as the API shows it.
    pub(super) coverage: &'a Value,
}

/// The height of the picture, in its own units; its width follows from the place.
const HEIGHT: f64 = 640.0;
/// The margin around the drawing.
const MARGIN: f64 = 40.0;

/// The projection from degrees to the picture.
struct Frame {
    west: f64,
    north: f64,
    /// Picture units a degree east, and a degree north.
    wide: f64,
    high: f64,
    width: f64,
}

impl Frame {
    fn fit_around(points: &[[f64; 2]]) -> Self {
        let fold = |axis: usize, start: f64, pick: fn(f64, f64) -> f64| {
            points.iter().filter_map(|point| point.get(axis)).copied().fold(start, pick)
        };
        let (west, east) = (fold(0, 180.0, f64::min), fold(0, -180.0, f64::max));
        let (south, north) = (fold(1, 90.0, f64::min), fold(1, -90.0, f64::max));
        let high = (HEIGHT - 2.0 * MARGIN) / (north - south).max(1e-6);
        let wide = high * f64::midpoint(south, north).to_radians().cos();
        let width = (east - west).max(0.0) * wide + 2.0 * MARGIN;
        Self { west, north, wide, high, width: width.clamp(320.0, 1600.0) }
    }

    fn project_point(&self, [lng, lat]: [f64; 2]) -> (f64, f64) {
        (MARGIN + (lng - self.west) * self.wide, MARGIN + (self.north - lat) * self.high)
    }

    /// Picture units of a length in metres.
    fn scale_metres(&self, metres: f64) -> f64 {
        metres / 111_195.0 * self.high
    }
}

fn parse_pair(value: &Value) -> Option<[f64; 2]> {
    Some([value.get(0)?.as_f64()?, value.get(1)?.as_f64()?])
}

fn parse_pairs(value: &Value) -> Vec<[f64; 2]> {
    value.as_array().into_iter().flatten().filter_map(parse_pair).collect()
}

/// A path through some points.
fn render_path(frame: &Frame, points: &[[f64; 2]], closed: bool) -> String {
    let mut out = String::new();
    for (index, point) in points.iter().enumerate() {
        let (x, y) = frame.project_point(*point);
        // Writing to a String cannot fail.
        let _ = write!(out, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
    }
    if closed {
        out.push('Z');
    }
    out
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5b6875; --paper: #fbfaf7; --panel: #ffffff;
  --edge: #d9d5cb; --area: #eef2ea; --border: #8a9a7b; --walk: #0b6bcb; --stop: #b25c00; --odd: #c62f2f; --place: #2e7d4f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #a3adb8; --paper: #14181d; --panel: #1b2128;
  --edge: #343c46; --area: #1f2a24; --border: #6f8a74; --walk: #6db3ff; --stop: #ffb454; --odd: #ff7b72; --place: #7ddc9f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, -apple-system, \"PingFang SC\",
  \"Microsoft YaHei\", \"Noto Sans CJK SC\", sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: clamp(12px, 3vw, 32px); }
h1 { font-size: clamp(1.2rem, 4vw, 1.7rem); margin: 0 0 .2em; line-height: 1.3; }
p { margin: 0 0 1em; color: var(--soft); }
.both { display: grid; grid-template-columns: minmax(0, 1fr); gap: 16px; }
@media (min-width: 800px) { .both { grid-template-columns: minmax(0, 2fr) minmax(260px, 1fr); align-items: start; } }
figure, section { margin: 0; background: var(--panel); border: 1px solid var(--edge); border-radius: 10px; padding: 12px; }
svg { display: block; width: 100%; height: auto; max-height: 80vh; }
.area { fill: var(--area); stroke: var(--border); stroke-width: 2; stroke-dasharray: 6 4; }
.walk { fill: none; stroke: var(--walk); stroke-width: 3; stroke-linejoin: round; stroke-linecap: round; }
.place { fill: var(--place); fill-opacity: .18; stroke: var(--place); stroke-width: 2; }
.stop { fill: var(--stop); } .odd { fill: none; stroke: var(--odd); stroke-width: 2.5; } .end { fill: var(--walk); }
text { fill: var(--ink); font-size: 15px; paint-order: stroke; stroke: var(--panel); stroke-width: 4px; }
@media (max-width: 600px) { text { font-size: 25px; } .walk { stroke-width: 5; } }
.scale { stroke: var(--ink); stroke-width: 2; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .2em 1em; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2em 1.2em; padding: 0; margin: 10px 0 0; font-size: .9em; color: var(--soft); }
li::before { content: \"\"; display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .4em;
  background: var(--c); vertical-align: -.05em; }
";

impl Picture<'_> {
    /// The whole page as HTML, with nothing to load.
    pub(super) fn render_page(&self) -> String {
        let title = escape_html(self.title);
        let (svg, legend, facts) = (self.render_svg(), Self::render_legend(), self.render_facts());
        format!(
            "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><main>\
             <h1>{title}</h1><p>按时长和到过的点位看覆盖，不按里程。 / Covered by time and places, never by distance.</p>\
             <div class=\"both\"><figure>{svg}{legend}</figure><section>{facts}</section></div>\
             </main></body></html>\n"
        )
    }

    fn find_features(&self, kind: &str) -> Vec<&Value> {
        let features = items_at(self.track, "/features").iter();
        features.filter(|feature| text_at(feature, "/properties/kind") == kind).collect()
    }

    fn track_lines(&self) -> Vec<Vec<[f64; 2]>> {
        let tracks = self.find_features("track").into_iter();
        tracks.flat_map(|track| items_at(track, "/geometry/coordinates")).map(parse_pairs).collect()
    }

    fn render_svg(&self) -> String {
        let lines = self.track_lines();
        let near: Vec<[f64; 2]> =
            lines.iter().flatten().chain(self.rings.iter().flatten()).copied().collect();
        let frame = Frame::fit_around(&near);
        let mut out = format!(
            "<svg viewBox=\"0 0 {:.0} {HEIGHT:.0}\" role=\"img\" aria-label=\"{}\">",
            frame.width,
            escape_html(self.title)
        );
        for ring in self.rings {
            let _ = write!(out, "<path class=\"area\" d=\"{}\"/>", render_path(&frame, ring, true));
        }
        for checkpoint in items_at(self.patrol, "/itinerary/checkpoints") {
            self.render_checkpoint(&mut out, &frame, checkpoint);
        }
        for line in &lines {
            let _ =
                write!(out, "<path class=\"walk\" d=\"{}\"/>", render_path(&frame, line, false));
        }
        for stop in self.find_features("stop") {
            if let Some(point) = stop.pointer("/geometry/coordinates").and_then(parse_pair) {
                let (x, y) = frame.project_point(point);
                let minutes = stop.pointer("/properties/seconds").and_then(Value::as_i64);
                let minutes = minutes.unwrap_or(0) / 60;
                let _ = write!(
                    out,
                    "<circle class=\"stop\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\"><title>停留 {minutes} 分钟</title></circle>"
                );
            }
        }
        for odd in self.find_features("marked") {
            let label = escape_html(&text_at(odd, "/properties/label"));
            for point in odd.pointer("/geometry/coordinates").map(parse_pairs).unwrap_or_default() {
                let (x, y) = frame.project_point(point);
                let _ = write!(
                    out,
                    "<path class=\"odd\" d=\"M{:.1} {:.1}l10 10m0 -10l-10 10\"><title>{label}</title></path>",
                    x - 5.0,
                    y - 5.0
                );
            }
        }
        Self::render_ends(&mut out, &frame, &lines);
        let (from, to, y) = (MARGIN, MARGIN + frame.scale_metres(100.0), HEIGHT - 14.0);
        let _ = write!(
            out,
            "<path class=\"scale\" d=\"M{from:.1} {y}H{to:.1}\"/><text x=\"{:.1}\" y=\"{}\">100 m</text></svg>",
            to + 8.0,
            y + 5.0
        );
        out
    }

    fn render_checkpoint(&self, out: &mut String, frame: &Frame, checkpoint: &Value) {
        let degrees = |name| checkpoint.pointer(name).and_then(Value::as_f64);
        let Some((lng, lat)) = degrees("/point/lng").zip(degrees("/point/lat")) else { return };
        let (x, y) = frame.project_point([lng, lat]);
        let radius = frame.scale_metres(degrees("/radius_m").unwrap_or(30.0)).max(6.0);
        let name = text_at(checkpoint, "/name");
        let visits = items_at(self.coverage, "/checkpoints").iter();
        let seen = visits.filter(|visit| text_at(visit, "/name") == name);
        let seen = seen.filter_map(|visit| visit.get("visited")?.as_bool()).any(|seen| seen);
        let mark = if seen { "✓" } else { "—" };
        // A label far to the right stands on the left of its place.
        let (beside, anchor) = if x > frame.width * 0.6 {
            (x - radius - 4.0, "end")
        } else {
            (x + radius + 4.0, "start")
        };
        let _ = write!(
            out,
            "<circle class=\"place\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>\
             <text x=\"{beside:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{mark} {}</text>",
            y + 5.0,
            escape_html(&name)
        );
    }

    fn render_ends(out: &mut String, frame: &Frame, lines: &[Vec<[f64; 2]>]) {
        let first = lines.first().and_then(|line| line.first());
        let last = lines.last().and_then(|line| line.last());
        for (point, label) in [(first, "起 start"), (last, "止 end")] {
            let Some((x, y)) = point.map(|point| frame.project_point(*point)) else { continue };
            let shift = if label.starts_with('起') { 24.0 } else { -12.0 };
            let _ = write!(
                out,
                "<circle class=\"end\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                x + 8.0,
                y + shift
            );
        }
    }

    fn render_legend() -> String {
        let entries = [
            ("walk", "轨迹 track"),
            ("stop", "停留 stop"),
            ("odd", "异常点 marked"),
            ("place", "巡查点 checkpoint"),
            ("border", "网格 grid"),
        ];
        let entry = |(color, label): &(&str, &str)| {
            format!("<li style=\"--c:var(--{color})\">{label}</li>")
        };
        format!("<ul>{}</ul>", entries.iter().map(entry).collect::<String>())
    }

    fn render_facts(&self) -> String {
        let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_f64);
        let track = self.find_features("track").first().copied().cloned().unwrap_or_default();
        let minutes = |seconds: Option<f64>| format!("{:.0} 分钟", seconds.unwrap_or(0.0) / 60.0);
        let share = |pointer: &str| {
            let of = number(self.coverage, &format!("{pointer}/of")).unwrap_or(0.0);
            let all = number(self.coverage, &format!("{pointer}/all")).unwrap_or(0.0);
            format!("{of:.0} / {all:.0}")
        };
        let count = |name: &str| {
            format!("{:.0}", number(&track, &format!("/properties/{name}")).unwrap_or(0.0))
        };
        let rows = [
            ("编号 number", text_at(self.patrol, "/number")),
            ("巡查人 worker", text_at(self.patrol, "/worker")),
            ("目的 purpose", text_at(self.patrol, "/purpose_label")),
            ("区域 area", text_at(self.patrol, "/area/name")),
            ("有效时长 active", minutes(number(self.coverage, "/active_s"))),
            ("在网格内 inside", minutes(number(self.coverage, "/inside_s"))),
            ("到点 checkpoints", share("/checkpoint_share")),
            ("走过的栅格 cells", share("/cell_share")),
            ("点数 points", count("points")),
            ("其中标记 marked", count("marked")),
            ("停留 stops", count("stops")),
        ];
        let row = |(name, value): &(&str, String)| {
            format!("<dt>{name}</dt><dd>{}</dd>", escape_html(value))
        };
        format!("<dl>{}</dl>", rows.iter().map(row).collect::<String>())
    }
}
