//! Photos in the demonstration: a resident names one before it is sent, a person lets it pass,
//! the worker shows before and after, and a longer file comes in pieces.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

use super::{
    super::{
        driver::{Call, list, text},
        say,
    },
    Done, Story, get, post,
};
use crate::{app::clock::new_id, cli::install::Failed};

/// A photo of a road: with a hole in it, or mended.
fn road(hole: bool) -> Done<Vec<u8>> {
    let picture = RgbImage::from_fn(640, 480, |x, y| {
        let inside = x.abs_diff(320).pow(2) * 2 + y.abs_diff(300).pow(2) * 5 < 60_000;
        let grain = u8::try_from((x * 31 + y * 17 + x * y) % 23).unwrap_or_default();
        let base: u8 = if y < 140 { 190 } else { 120 };
        let base = if hole && inside { 60 } else { base };
        Rgb([base + grain, base + grain, base.saturating_sub(8) + grain])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    let written = DynamicImage::ImageRgb8(picture).write_to(&mut bytes, ImageFormat::Jpeg);
    written.map_err(|error| Failed(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// How the files of a case stand.
fn gallery(answer: &Value) -> String {
    let one =
        |one: &Value| format!("{}（{}）", text(one, "/role_label"), text(one, "/state_label"));
    let all: Vec<String> = list(answer, "/media").iter().map(one).collect();
    format!("照片：{}", all.join("、"))
}

impl Story {
    /// From a photo that is only named to a case with before and after.
    pub(super) fn photos(&mut self) -> Done {
        say("\n—— 照片与内容审核 / Photos and content reviews ——");
        let photo = new_id().to_string();
        let report = self.submit("jumin", 1, &json!({ "media": [photo] }))?;
        let id = text(&report, "/id");
        let path = format!("/api/v1/reports/{id}");
        self.driver.step(get("jumin", "get_report", path.clone()), gallery)?;
        self.driver.upload("jumin", &photo, road(true)?)?;
        self.reviewed(&photo)?;
        let filed = post("shequ", "file_report", format!("{path}/file"), json!({}));
        let filed = self.driver.step(filed, |a| text(a, "/status_label"))?;
        let case = text(&filed, "/case_id");
        self.shown_on_the_case(&case, &text(&report, "/place/area/id"))?;
        self.in_pieces()
    }

    /// A person lets a photo be seen by others of the public.
    fn reviewed(&mut self, photo: &str) -> Done {
        let path = "/api/v1/content_reviews?status=queued&limit=100".to_owned();
        let queue = self.driver.step(get("jiedao", "list_content_reviews", path), |a| {
            format!("{} 项待人工审核，工作人员此时已可见", list(a, "/items").len())
        })?;
        let of_photo = |one: &&Value| text(one, "/about_id") == photo;
        let Some(review) = list(&queue, "/items").iter().find(of_photo) else {
            return Err(Failed("the photo of a resident is in no review".to_owned()));
        };
        let path = format!("/api/v1/content_reviews/{}/decide", text(review, "/id"));
        let call = post("jiedao", "decide_content_review", path, json!({ "pass": true }));
        self.driver.step(call, |a| format!("审核{}", text(a, "/status_label")))?;
        Ok(())
    }

    fn shown_on_the_case(&mut self, case: &str, grid: &str) -> Done {
        self.on("shequ", "escalate_case", case, "escalate", json!({ "reason": "请街道派遣" }))?;
        let community = self.parent_of(grid)?;
        self.on("jiedao", "dispatch_case", case, "dispatch", json!({ "unit_id": community }))?;
        self.on("shequ", "sign_case", case, "sign", json!({}))?;
        let (before, after) = (new_id().to_string(), new_id().to_string());
        self.driver.upload("shequ", &before, road(true)?)?;
        let body = json!({ "result": "坑洼已填补", "media": [after], "before_media": [before] });
        self.on("shequ", "feed_back_case", case, "feedback", body)?;
        // The worker's signal came back.
        self.driver.upload("shequ", &after, road(false)?)?;
        let path = format!("/api/v1/cases/{case}");
        let shown = self.driver.step(get("jiedao", "get_case", path), gallery)?;
        let call = get("jiedao", "get_media", format!("/api/v1/media/{before}"));
        self.driver.step(call, |a| {
            let alike = list(a, "/similar").len();
            format!("与 {alike} 张已有照片相似：只作提示，不作处罚")
        })?;
        let link = text(&shown, "/media/0/links/thumb_small");
        let status = self.driver.follow(&link)?;
        say(&format!("     短时链接无须登录：{status}，十到二十分钟后失效"));
        Ok(())
    }

    /// A file in two pieces.
    fn in_pieces(&mut self) -> Done {
        let bytes = road(true)?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let body = json!({ "id": new_id(), "bytes": bytes.len() });
        let path = "/api/v1/media_uploads".to_owned();
        let call = Call { expect: 201, ..post("wangge-1", "begin_media_upload", path, body) };
        let begun = self.driver.step(call, |_| "大文件分段上传".to_owned())?;
        let path = format!("/api/v1/media_uploads/{}", text(&begun, "/id"));
        self.driver.append("wangge-1", &path, 0, first)?;
        self.driver.step(get("wangge-1", "get_media_upload", path.clone()), |a| {
            let offset = a.get("offset").unwrap_or(&Value::Null);
            format!("断网后从第 {offset} 字节继续")
        })?;
        self.driver.append("wangge-1", &path, first.len(), second)
    }
}
