//! Photos in the demonstration: a resident names one before it is sent, a reviewer passes it, the
//! worker shows before and after, and a longer file comes in pieces.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

use super::{
    super::{
        driver::{Call, items_at, text_at},
        say,
    },
    Done, Story, get, post,
};
use crate::{app::clock::new_id, cli::install::Failed};

/// A photo of a road: with a hole in it, or mended.
fn draw_road(hole: bool) -> Done<Vec<u8>> {
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

/// The files of a case, as one line.
fn render_gallery(answer: &Value) -> String {
    let one = |one: &Value| {
        format!("{}（{}）", text_at(one, "/role_label"), text_at(one, "/state_label"))
    };
    let all: Vec<String> = items_at(answer, "/media").iter().map(one).collect();
    format!("照片：{}", all.join("、"))
}

impl Story {
    /// From a photo that is only named to a case with before and after.
    pub(super) fn tell_photos(&mut self) -> Done {
        say("\n—— 照片与内容审核 / Photos and content reviews ——");
        let photo = new_id().to_string();
        let report = self.submit_report("jumin", 1, &json!({ "media": [photo] }))?;
        let id = text_at(&report, "/id");
        let path = format!("/api/v1/reports/{id}");
        self.driver.run_step(get("jumin", "get_report", path.clone()), render_gallery)?;
        self.driver.upload_file("jumin", &photo, draw_road(true)?)?;
        self.review_photo(&photo)?;
        let filed = post("shequ", "file_report", format!("{path}/file"), json!({}));
        let filed = self.driver.run_step(filed, |a| text_at(a, "/status_label"))?;
        let case = text_at(&filed, "/case_id");
        self.tell_case_photos(&case, &text_at(&report, "/place/area/id"))?;
        self.upload_in_pieces()
    }

    /// A reviewer passes a photo for others of the public.
    fn review_photo(&mut self, photo: &str) -> Done {
        let path = "/api/v1/content_reviews?status=queued&limit=100".to_owned();
        let queue = self.driver.run_step(get("jiedao", "list_content_reviews", path), |a| {
            format!("{} 项待人工审核，工作人员此时已可见", items_at(a, "/items").len())
        })?;
        let of_photo = |one: &&Value| text_at(one, "/about_id") == photo;
        let Some(review) = items_at(&queue, "/items").iter().find(of_photo) else {
            return Err(Failed("the photo of a resident is in no review".to_owned()));
        };
        let path = format!("/api/v1/content_reviews/{}/decide", text_at(review, "/id"));
        let call = post("jiedao", "decide_content_review", path, json!({ "pass": true }));
        self.driver.run_step(call, |a| format!("审核{}", text_at(a, "/status_label")))?;
        Ok(())
    }

    fn tell_case_photos(&mut self, case: &str, grid: &str) -> Done {
        self.step_case(
            "shequ",
            "escalate_case",
            case,
            "escalate",
            json!({ "reason": "请街道派遣" }),
        )?;
        let community = self.parent_of(grid)?;
        self.step_case(
            "jiedao",
            "dispatch_case",
            case,
            "dispatch",
            json!({ "unit_id": community }),
        )?;
        self.step_case("shequ", "sign_case", case, "sign", json!({}))?;
        let (before, after) = (new_id().to_string(), new_id().to_string());
        self.driver.upload_file("shequ", &before, draw_road(true)?)?;
        let body = json!({ "result": "坑洼已填补", "media": [after], "before_media": [before] });
        self.step_case("shequ", "feed_back_case", case, "feedback", body)?;
        // The worker's phone has a signal again.
        self.driver.upload_file("shequ", &after, draw_road(false)?)?;
        let path = format!("/api/v1/cases/{case}");
        let shown = self.driver.run_step(get("jiedao", "get_case", path), render_gallery)?;
        let call = get("jiedao", "get_media", format!("/api/v1/media/{before}"));
        self.driver.run_step(call, |a| {
            let alike = items_at(a, "/similar").len();
            format!("与 {alike} 张已有照片相似：只作提示，不作处罚")
        })?;
        let link = text_at(&shown, "/media/0/links/thumb_small");
        let status = self.driver.follow_link(&link)?;
        say(&format!("     短时链接无须登录：{status}，十到二十分钟后失效"));
        Ok(())
    }

    /// A file in two pieces.
    fn upload_in_pieces(&mut self) -> Done {
        let bytes = draw_road(true)?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let body = json!({ "id": new_id(), "bytes": bytes.len() });
        let path = "/api/v1/media_uploads".to_owned();
        let call = Call { expect: 201, ..post("wangge-1", "begin_media_upload", path, body) };
        let begun = self.driver.run_step(call, |_| "大文件分段上传".to_owned())?;
        let path = format!("/api/v1/media_uploads/{}", text_at(&begun, "/id"));
        self.driver.append_piece("wangge-1", &path, 0, first)?;
        self.driver.run_step(get("wangge-1", "get_media_upload", path.clone()), |a| {
            let offset = a.get("offset").unwrap_or(&Value::Null);
            format!("断网后从第 {offset} 字节继续")
        })?;
        self.driver.append_piece("wangge-1", &path, first.len(), second)
    }
}
