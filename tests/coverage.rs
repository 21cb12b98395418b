//! Every operation as every role: who may do what, over which area, in one committed table.
//!
//! Each cell is the status of a request that is valid in every other respect: the flow is in the
//! state the operation needs, the body is valid. An operation that is not tried here fails the
//! test.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use crate::{
    harness::{
        Answer, City, callback_body, new_key, on_both, password_proof, read_text, report_body_at,
        seed,
    },
    openapi::{OPEN, list_operations},
    snapshot::expect_committed,
};

on_both! {
    every_role_may_what_the_policy_says,
    every_operation_survives_everybody,
}

/// One of each role over the place of the story, and one of the same role over another place; one
/// without any role.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("worker", "far_worker", "网格员"),
    ("grid_leader", "far_grid_leader", "网格长"),
    ("community", "sibling", "社区"),
    ("dispatcher", "far_dispatcher", "街道调度"),
    ("leader", "far_leader", "街道领导"),
    ("lead", "far_department", "部门"),
    ("head", "far_head", "部门负责人"),
    ("district", "far_district", "区中心"),
    ("hotline", "far_hotline", "热线"),
    ("inspector", "far_inspector", "督查"),
    ("auditor", "far_auditor", "审计"),
    ("admin", "far_admin", "管理员"),
    ("client", "far_client", "接入系统"),
    ("resident", "neighbour", "居民"),
    ("volunteer", "far_volunteer", "志愿者"),
    ("nobody", "nobody", "无角色"),
];

/// People of another tenant, who hold every role there, and a caller who is not logged in.
const STRANGERS: &[(&str, &str)] =
    &[("worker@9902", "外市"), ("auditor@9902", "外市"), ("", "未登录")];

/// A valid request: the path and the body.
pub(crate) type Right = (String, Value);

/// A person to be managed, without any role yet.
fn register_newcomer(city: &City) -> String {
    let name = new_key();
    let account = name.get(24..).unwrap_or_default();
    let body = json!({ "account": account, "name": "某人", "password": seed::PASSWORD });
    read_text(&city.client("admin").post("/api/v1/people", &body).expect_success(), "/id")
}

/// Makes a flow the operation can be asked of, and a valid request for it.
pub(crate) fn build_right(city: &City, operation: &str) -> Option<Right> {
    let area = |code: &str| city.area_id(code);
    let reason = || json!({ "reason": "理由" });
    let case = |id: String, verb: &str, body: Value| (format!("/api/v1/cases/{id}/{verb}"), body);
    let report =
        |verb: &str, body: Value| (format!("/api/v1/reports/{}{verb}", city.submit_report()), body);
    let person = |verb: &str, body: Value| {
        (format!("/api/v1/people/{}{verb}", register_newcomer(city)), body)
    };
    let list = |path: &str| (format!("/api/v1/{path}"), Value::Null);
    let summons = |unit: &str, verb: &str, body: Value, before: usize| {
        let id = city.new_whistled_case();
        let done = json!({ "result": "已整改" });
        let steps = [
            ("sign", json!({})),
            ("contact", json!({})),
            ("arrive", json!({ "note": "已在楼道内" })),
            ("feedback", done),
        ];
        for (verb, body) in steps.iter().take(before) {
            city.post_summons_step("lead", &id, unit, verb, body).expect_success();
        }
        (format!("/api/v1/cases/{id}/summonses/{}/{verb}", area(unit)), body)
    };
    // 城管 leads, so no other department must be pending when it feeds back.
    let alone = |verb: &str, body: Value, before: usize, released: bool| {
        let id = city.new_street_case();
        let mut call = city.whistle_body();
        call["cooperating_unit_ids"] = json!([]);
        city.take_step("leader", &id, "whistle", &call);
        let done = json!({ "result": "已整改" });
        let steps = [
            ("sign", json!({})),
            ("contact", json!({})),
            ("arrive", json!({ "note": "已在楼道内" })),
            ("feedback", done),
        ];
        for (verb, body) in steps.iter().take(before) {
            city.post_summons_step("lead", &id, seed::CG, verb, body).expect_success();
        }
        if released {
            city.post_summons_step("leader", &id, seed::CG, "release", &json!({})).expect_success();
        }
        (format!("/api/v1/cases/{id}/summonses/{}/{verb}", area(seed::CG)), body)
    };
    Some(match operation {
        "list_areas" => list("areas"),
        "get_area" => list(&format!("areas/{}", area(seed::GRID))),
        "locate_area" => list("areas/locate?lng=110.005&lat=30.005"),
        "list_categories" => list("categories"),
        "get_area_history" => list(&format!("areas/{}/history", area(seed::GRID))),
        "list_area_changes" => list("areas/changes"),
        "list_area_findings" => list(&format!("areas/{}/findings", area(seed::COMMUNITY))),
        "get_grid_notice" => list(&format!("areas/{}/notice", area(seed::GRID))),
        "get_area_map" => list("areas/geojson?bbox=109,29,111,31"),
        "list_neighbours" => list("areas/neighbours?lng=110.005&lat=30.005"),
        "get_area_table" => list("areas/table"),
        "get_area_import" => {
            let (path, body) = no_grids();
            let id = read_text(&city.client("admin").post(&path, &body).expect_success(), "/id");
            list(&format!("area_imports/{id}"))
        }
        "import_areas" => no_grids(),
        "create_area" => ("/api/v1/areas".to_owned(), new_grid(&area(seed::COMMUNITY))),
        "rename_area" => grid_request(city, "rename", &json!({ "name": "新名" })),
        "describe_area" => grid_request(city, "describe", &json!({ "households": 250 })),
        "redraw_area" => {
            let ring = json!([[112, 30], [112.01, 30], [112.01, 30.01], [112, 30]]);
            let boundary = json!({ "type": "Polygon", "coordinates": [ring] });
            grid_request(city, "redraw", &json!({ "boundary": boundary }))
        }
        "split_area" => {
            let part = || json!({ "area": { "code": fresh_code(), "name": "一半" } });
            grid_request(city, "split", &json!({ "parts": [part(), part()] }))
        }
        "merge_areas" => {
            let (other, _) = grid_request(city, "", &json!({}));
            let other = other.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            grid_request(city, "merge", &json!({ "with": [other] }))
        }
        "retire_area" => grid_request(city, "retire", &json!({})),
        "transfer_area" => {
            grid_request(city, "transfer", &json!({ "parent_id": area(seed::SIBLING) }))
        }
        "get_me" => list("me"),
        "list_todos" => list("me/todos"),
        "list_my_sessions" => list("me/sessions"),
        "list_my_identities" => list("me/identities"),
        "list_person_identities" => person("/identities", Value::Null),
        // No mini-program is configured here: `identities.rs` has a stand-in.
        "unlink_my_identity" => (format!("/api/v1/me/identities/{}/unlink", new_key()), json!({})),
        "unlink_person_identity" => person(&format!("/identities/{}/unlink", new_key()), json!({})),
        "revoke_my_sessions" => ("/api/v1/me/sessions/revoke".to_owned(), json!({})),
        "revoke_my_session" => {
            // A second login, so that the one the others need stays open.
            let body = json!({
                "tenant": seed::CITY, "account": "admin", "password": seed::PASSWORD,
            });
            city.client("").post("/api/v1/auth/login", &body).expect_success();
            let list = city.client("admin").get("/api/v1/me/sessions").expect_success();
            let items = list["items"].as_array().unwrap();
            let other = items.iter().find(|item| item["current"] == false).unwrap();
            (format!("/api/v1/me/sessions/{}/revoke", read_text(other, "/id")), json!({}))
        }
        "list_person_sessions" => person("/sessions", Value::Null),
        "revoke_person_sessions" => person("/sessions/revoke", json!({})),
        "change_password" => {
            // Right, and of no effect: the old password again is refused by a rule.
            let (old, new) = (seed::PASSWORD, seed::PASSWORD);
            ("/api/v1/me/password".to_owned(), json!({ "old_password": old, "password": new }))
        }
        "get_second_factor" => list("me/second_factor"),
        "enrol_second_factor" => ("/api/v1/me/second_factor/enrol".to_owned(), password_proof()),
        "confirm_second_factor" | "renew_recovery_codes" | "remove_second_factor" => {
            let verb = match operation {
                "confirm_second_factor" => "confirm",
                "renew_recovery_codes" => "recovery_codes",
                _ => "remove",
            };
            // No one here has one: the answer says in which state it is.
            (format!("/api/v1/me/second_factor/{verb}"), json!({ "code": "123456" }))
        }
        // No mini-program is configured here: `wechat.rs` has a stand-in.
        "list_subscriptions" => list("me/wechat/subscriptions"),
        "answer_subscriptions" => {
            ("/api/v1/me/wechat/subscriptions".to_owned(), json!({ "results": {} }))
        }
        "link_wechat" => ("/api/v1/me/wechat".to_owned(), json!({ "code": "x" })),
        "bind_phone" => ("/api/v1/me/phone".to_owned(), json!({ "code": "x" })),
        "get_phone" => list("me/phone"),
        "unbind_phone" => ("/api/v1/me/phone/unbind".to_owned(), json!({})),
        "reset_second_factor" => person("/second_factor/reset", json!({})),
        "get_authorization_server" => {
            ("/.well-known/oauth-authorization-server".to_owned(), Value::Null)
        }
        "list_clients" => list("clients"),
        "register_client" => ("/api/v1/clients".to_owned(), client_body(city)),
        "get_client" | "add_client_secret" | "revoke_client_secret" | "disable_client" => {
            let made =
                city.client("admin").post("/api/v1/clients", &client_body(city)).expect_success();
            let path = format!("/api/v1/clients/{}", read_text(&made, "/id"));
            match operation {
                "get_client" => (path, Value::Null),
                "add_client_secret" => (format!("{path}/secrets"), json!({ "kind": "key" })),
                "disable_client" => (format!("{path}/disable"), json!({})),
                _ => {
                    let secret = read_text(&made, "/secrets/0/id");
                    (format!("{path}/secrets/{secret}/revoke"), json!({}))
                }
            }
        }
        "list_providers" => list(&format!("auth/providers?tenant={}", seed::CITY)),
        "list_signing_keys" => ("/.well-known/jwks.json".to_owned(), Value::Null),
        "list_changes" => list("sync"),
        "send_queue" => ("/api/v1/sync".to_owned(), json!({ "items": [] })),
        "list_reports" => list("reports"),
        "list_cases" => list("cases"),
        "list_people" => list("people"),
        "get_health" => ("/healthz".to_owned(), Value::Null),
        "get_readiness" => ("/readyz".to_owned(), Value::Null),
        "get_report" => report("", Value::Null),
        "get_report_timeline" => report("/timeline", Value::Null),
        "list_similar_cases" => report("/similar", Value::Null),
        "get_case" => (format!("/api/v1/cases/{}", city.new_whistled_case()), Value::Null),
        "get_case_timeline" => case(city.new_whistled_case(), "timeline", Value::Null),
        "list_case_obligations" => case(city.new_whistled_case(), "obligations", Value::Null),
        "get_person" => person("", Value::Null),
        "submit_report" => ("/api/v1/reports".to_owned(), report_body_at(110.005, 30.005)),
        "file_report" => report("/file", json!({})),
        "join_report" => {
            let body = json!({ "case_id": city.new_filed_case() });
            report("/join", body)
        }
        "refuse_report" => report("/refuse", json!({ "reason": "重复", "redirect": "repeat" })),
        "escalate_case" => case(city.new_filed_case(), "escalate", reason()),
        "dispatch_case" => {
            case(city.new_street_case(), "dispatch", json!({ "unit_id": area(seed::COMMUNITY) }))
        }
        "sign_case" => case(city.new_dispatched_case(), "sign", json!({})),
        "start_case" => case(city.new_signed_case(), "start", json!({})),
        "return_case" => case(city.new_signed_case(), "return", city.not_ours()),
        "feed_back_case" => case(city.new_signed_case(), "feedback", json!({ "result": "已清理" })),
        "claim_case" => case(city.new_feedback_case(), "claim", json!({})),
        "unclaim_case" => {
            let id = city.new_feedback_case();
            city.take_step("verifier", &id, "claim", &json!({}));
            case(id, "unclaim", json!({}))
        }
        "verify_case" => case(city.new_feedback_case(), "verify", json!({ "passed": true })),
        "call_back_case" => case(city.new_verified_case(), "callback", callback_body()),
        "close_case" => case(city.new_callback_case(), "close", json!({})),
        "reopen_case" => case(city.new_closed_case(), "reopen", reason()),
        "comment_case" => case(city.new_whistled_case(), "comment", json!({ "text": "批注" })),
        "blow_whistle" => case(city.new_street_case(), "whistle", city.whistle_body()),
        "sign_summons" => summons(seed::CG, "sign", json!({}), 0),
        "contact_summons" => summons(seed::CG, "contact", json!({}), 1),
        "arrive_summons" => summons(seed::CG, "arrive", json!({}), 2),
        "feed_back_summons" => alone("feedback", json!({ "result": "已整改" }), 3, false),
        "send_back_summons" => alone("send_back", reason(), 4, false),
        "release_summons" => alone("release", json!({}), 4, false),
        "rate_summons" => alone("rate", json!({ "response": 5, "quality": 5 }), 4, true),
        "register_person" => {
            let account = new_key();
            let account = account.get(24..).unwrap_or_default();
            let body = json!({
                "account": account, "name": "某人", "password": seed::PASSWORD,
                "grants": [{ "role": "hotline", "area_id": area(seed::GRID) }],
            });
            ("/api/v1/people".to_owned(), body)
        }
        "grant_role" => person("/grant", json!({ "role": "hotline", "area_id": area(seed::GRID) })),
        "revoke_role" => {
            let (path, body) =
                person("/grant", json!({ "role": "hotline", "area_id": area(seed::GRID) }));
            city.client("admin").post(&path, &body).expect_success();
            (path.replace("/grant", "/revoke"), body)
        }
        "rename_person" => person("/rename", json!({ "name": "改名" })),
        "hand_over_role" | "leave_person" => {
            let grant = json!({ "role": "hotline", "area_id": area(seed::GRID) });
            let (path, _) = person("/grant", grant.clone());
            city.client("admin").post(&path, &grant).expect_success();
            let mut body = if operation == "leave_person" { json!({}) } else { grant };
            body["to_person_id"] = json!(register_newcomer(city));
            body["reason"] = json!("岗位调整");
            let verb = operation.trim_end_matches("_role").trim_end_matches("_person");
            (path.replace("/grant", &format!("/{verb}")), body)
        }
        "suspend_person" => person("/suspend", reason()),
        "reinstate_person" => {
            let (path, body) = person("/suspend", reason());
            city.client("admin").post(&path, &body).expect_success();
            (path.replace("/suspend", "/reinstate"), json!({}))
        }
        "start_shift" => {
            ("/api/v1/me/shift/start".to_owned(), json!({ "area_id": area(seed::GRID) }))
        }
        "end_shift" => {
            let start = json!({ "area_id": area(seed::GRID) });
            for by in ["worker", "grid_leader", "community", "inspector"] {
                city.client(by).post("/api/v1/me/shift/start", &start).expect_success();
            }
            ("/api/v1/me/shift/end".to_owned(), json!({}))
        }
        "list_on_duty" => list(&format!("areas/{}/on_duty", area(seed::GRID))),
        "set_password" => person("/password", json!({ "password": "a brand new passphrase" })),
        "get_privacy_notice" => list("privacy?tenant=9901"),
        "get_contact" => person("/contact", Value::Null),
        "set_contact" => person("/contact", json!({ "phone": "13800005678" })),
        "search_contacts" => {
            ("/api/v1/contacts/search".to_owned(), json!({ "phone": "13800005678" }))
        }
        "disclose_person" => person("/disclosures", disclosure_body()),
        "disclose_reporter" => report("/reporter/disclosures", disclosure_body()),
        "list_disclosures" => list("disclosures"),
        "list_my_disclosures" => list("me/disclosures"),
        "list_consents" => list("me/consents"),
        "answer_consent" => {
            let body = json!({ "purpose": "notification", "given": true, "version": "1" });
            ("/api/v1/me/consents".to_owned(), body)
        }
        "get_my_export" => list("me/export"),
        "erase_person" => person("/erasure", reason()),
        "list_audit" => list("audit"),
        "get_checkpoint" => list("checkpoint"),
        "get_retention" => list("retention"),
        "get_case_verification" => case(city.new_whistled_case(), "verification", Value::Null),
        "list_policies" => list("policies"),
        "get_policy" => list("policies/deadlines"),
        "list_presets" => list("policies/deadlines/presets"),
        "publish_policy" => {
            let body = json!({ "document": { "reopen_days": 20 }, "note": "调整重开期限" });
            ("/api/v1/policies/conduct".to_owned(), body)
        }
        "import_holidays" => {
            let day = json!({ "name": "元旦", "date": "2028-01-01", "isOffDay": true });
            let year = json!({ "year": 2028, "papers": [], "days": [day] });
            let body = json!({ "years": [year], "note": "2028年安排" });
            ("/api/v1/policies/calendar/holidays".to_owned(), body)
        }
        "import_policy" => {
            let body = json!({ "preset": "jinan", "note": "参照济南" });
            ("/api/v1/policies/deadlines/import".to_owned(), body)
        }
        "preview_dispatch" => {
            let body = json!({ "area_id": area(seed::GRID), "category": "A02" });
            ("/api/v1/dispatch/preview".to_owned(), body)
        }
        "preview_deadlines" => {
            let body = json!({ "area_id": area(seed::GRID), "duty": "handle" });
            ("/api/v1/sla/preview".to_owned(), body)
        }
        "get_case_clocks" => case(city.new_whistled_case(), "clocks", Value::Null),
        "extend_case" => case(city.new_signed_case(), "extend", extension_body()),
        "suspend_case" => case(city.new_signed_case(), "suspend", suspension_body(city)),
        "resume_case" => {
            let id = city.new_signed_case();
            city.take_step("community", &id, "suspend", &suspension_body(city));
            for by in ["leader", "district"] {
                let no = city.get_case("district", &id)["requests"][0]["no"].clone();
                city.take_step(
                    by,
                    &id,
                    &format!("requests/{no}/decide"),
                    &json!({ "agree": true }),
                );
            }
            case(id, "resume", reason())
        }
        "appeal_case" => {
            let id = city.new_dispatched_case();
            city.advance(chrono::Duration::hours(2));
            city.take_step("community", &id, "sign", &json!({}));
            case(id, "appeal", json!({ "breach": 1, "reason": "当日停电" }))
        }
        "decide_request" | "withdraw_request" => {
            let id = city.new_signed_case();
            let asked = city.take_step("community", &id, "extend", &extension_body());
            let no = &asked["requests"][0]["no"];
            let verb = operation.trim_end_matches("_request");
            let body = if verb == "decide" { json!({ "agree": true }) } else { json!({}) };
            case(id, &format!("requests/{no}/{verb}"), body)
        }
        "supervise_case" => {
            case(city.new_signed_case(), "supervise", supervision_body(area(seed::COMMUNITY)))
        }
        "reply_supervision" => {
            let id = city.new_signed_case();
            let shown = city.take_step(
                "leader",
                &id,
                "supervise",
                &supervision_body(area(seed::COMMUNITY)),
            );
            let no = &shown["supervisions"][0]["no"];
            case(id, &format!("supervisions/{no}/reply"), json!({ "text": "明日完成" }))
        }
        "arbitrate_case" => {
            let id = city.new_street_case();
            let unit = json!({ "unit_id": area(seed::COMMUNITY) });
            for _ in 0..3 {
                city.take_step("dispatcher", &id, "dispatch", &unit);
                city.take_step("community", &id, "return", &city.not_ours());
            }
            let unit = area(seed::COMMUNITY);
            case(id, "arbitrate", json!({ "unit_id": unit, "reason": "属地负责" }))
        }
        "rule_case" => {
            let id = city.new_feedback_case();
            for _ in 0..2 {
                city.take_step("verifier", &id, "verify", &json!({ "passed": false }));
                city.take_step("community", &id, "feedback", &json!({ "result": "已清理" }));
            }
            city.take_step("verifier", &id, "verify", &json!({ "passed": false }));
            case(id, "rule", json!({ "again": true, "reason": "再办一次" }))
        }
        "contest_summons" => summons(seed::CG, "contest", reason(), 0),
        "rule_summons" => {
            let (path, _) = summons(seed::CG, "contest", reason(), 0);
            city.client("lead").post(&path, &reason()).expect_success();
            let body = json!({ "upheld": true, "reason": "属其职责" });
            (path.replace("/contest", "/rule"), body)
        }
        "rate_street" => alone("rate_street", json!({ "response": 5, "quality": 5 }), 4, true),
        "call_off_whistle" => case(city.new_whistled_case(), "call_off", reason()),
        "raise_whistle" => case(city.new_whistled_case(), "raise", reason()),
        "coordinate_whistle" => {
            let id = city.new_whistled_case();
            city.take_step("leader", &id, "raise", &reason());
            case(id, "coordinate", json!({ "note": "由分管副区长牵头" }))
        }
        "confirm_report" | "claim_report" | "unclaim_report" => {
            let rule = json!({ "document": { "verify_before_filing": true }, "note": "先核实" });
            city.client("admin").post("/api/v1/policies/conduct", &rule).expect_success();
            let asked = if operation == "claim_report" {
                report("/claim", json!({}))
            } else if operation == "unclaim_report" {
                let (path, body) = report("/unclaim", json!({}));
                let claim = path.replace("/unclaim", "/claim");
                city.client("worker").post(&claim, &json!({})).expect_success();
                (path, body)
            } else {
                report("/confirm", json!({ "real": true }))
            };
            let rule = json!({ "document": {}, "note": "不再先核实" });
            city.client("admin").post("/api/v1/policies/conduct", &rule).expect_success();
            asked
        }
        "unjoin_report" => {
            let (case, second) = (city.new_filed_case(), city.submit_report());
            let path = format!("/api/v1/reports/{second}");
            city.client("community")
                .post(&format!("{path}/join"), &json!({ "case_id": case }))
                .expect_success();
            (format!("{path}/unjoin"), json!({}))
        }
        "list_patrols" => list("patrols"),
        "get_patrol_sampling" => list("patrols/sampling"),
        "list_patrol_plans" => list("patrol_plans"),
        "list_nearest_workers" => {
            list(&format!("areas/{}/nearest_workers?lng=110.005&lat=30.005", area(seed::GRID)))
        }
        "plan_patrol" => {
            ("/api/v1/patrols".to_owned(), crate::patrol::patrol_body(city, city.now()))
        }
        "begin_patrol" => {
            let until = city.now() + chrono::Duration::hours(8);
            let grid = area(seed::GRID);
            let body = json!({ "area_id": grid, "purpose": "routine", "until": until });
            ("/api/v1/patrols/begin".to_owned(), body)
        }
        "start_patrol" | "cancel_patrol" => {
            let body = crate::patrol::patrol_body(city, city.now());
            let id = read_text(
                &city.client("grid_leader").post("/api/v1/patrols", &body).expect_success(),
                "/id",
            );
            let verb = operation.trim_end_matches("_patrol");
            let body = if verb == "start" { json!({}) } else { reason() };
            (format!("/api/v1/patrols/{id}/{verb}"), body)
        }
        "get_patrol"
        | "get_patrol_timeline"
        | "get_patrol_track"
        | "get_patrol_gpx"
        | "get_patrol_coverage"
        | "pause_patrol"
        | "resume_patrol"
        | "finish_patrol"
        | "note_patrol"
        | "upload_points" => patrol_request(city, operation),
        "create_patrol_plan" => ("/api/v1/patrol_plans".to_owned(), crate::patrol::plan_body(city)),
        "get_patrol_plan" | "amend_patrol_plan" | "retire_patrol_plan" => {
            let plan = crate::patrol::plan_body(city);
            let made =
                city.client("grid_leader").post("/api/v1/patrol_plans", &plan).expect_success();
            let path = format!("/api/v1/patrol_plans/{}", read_text(&made, "/id"));
            match operation {
                "get_patrol_plan" => (path, Value::Null),
                "amend_patrol_plan" => {
                    (format!("{path}/amend"), json!({ "content": plan["content"] }))
                }
                _ => (format!("{path}/retire"), reason()),
            }
        }
        "register_household" => {
            ("/api/v1/households".to_owned(), json!({ "area_id": area(seed::GRID) }))
        }
        "import_households" => {
            let item = json!({ "area_id": area(seed::GRID) });
            ("/api/v1/household_imports".to_owned(), json!({ "items": [item] }))
        }
        "list_households" => list("households"),
        "get_household" => household_request(city, "", Value::Null),
        "get_household_timeline" => household_request(city, "/timeline", Value::Null),
        "update_household" => household_request(city, "/update", json!({ "size": 3 })),
        "pair_household" => household_request(city, "/pair", pairing_body(city)),
        "unpair_household" => {
            let (path, body) = household_request(city, "/pair", pairing_body(city));
            city.client("worker").post(&path, &body).expect_success();
            (path.replace("/pair", "/unpair"), body)
        }
        "leave_household" => household_request(city, "/leave", json!({})),
        "return_household" => {
            let (path, body) = household_request(city, "/leave", json!({}));
            city.client("worker").post(&path, &body).expect_success();
            (path.replace("/leave", "/return"), body)
        }
        "erase_household" => household_request(city, "/erasure", reason()),
        "disclose_household" => household_request(
            city,
            "/disclosures",
            json!({ "fields": ["phone"], "purpose": "visit", "reason": "走访前核对" }),
        ),
        "submit_visit" => {
            let home = crate::household::register_household(city);
            let body = json!({ "household_id": home, "purposes": ["check"], "outcome": "met" });
            ("/api/v1/visits".to_owned(), body)
        }
        "plan_visit" => ("/api/v1/visits/plan".to_owned(), visit_plan_body(city)),
        "list_visits" => list("visits"),
        "get_visit" => visit_request(city, "", Value::Null),
        "get_visit_timeline" => visit_request(city, "/timeline", Value::Null),
        "record_visit" => visit_request(city, "/record", json!({ "outcome": "met" })),
        "cancel_visit" => visit_request(city, "/cancel", reason()),
        "upload_media" => ("/api/v1/media".to_owned(), json!({ "photo": true })),
        "begin_media_upload" => ("/api/v1/media_uploads".to_owned(), json!({ "bytes": 1097 })),
        "get_media_upload" | "append_media_upload" => {
            let begun = json!({ "bytes": 1097 });
            let begun =
                city.client("worker").post("/api/v1/media_uploads", &begun).expect_success();
            let path = format!("/api/v1/media_uploads/{}", read_text(&begun, "/id"));
            if operation == "get_media_upload" {
                (path, Value::Null)
            } else {
                (format!("{path}/append"), json!({ "photo": true }))
            }
        }
        "get_media" => {
            list(&format!("media/{}", crate::media::submit_with_photo(city, "resident").1))
        }
        "disclose_original" => {
            let (photo, _) = crate::photo_faults::keep_original(city);
            let body = json!({ "purpose": "supervision", "reason": "复核取证照片" });
            (format!("/api/v1/media/{photo}/disclosures"), body)
        }
        "get_media_content" => {
            let (_, photo) = crate::media::submit_with_photo(city, "resident");
            let shown =
                city.client("resident").get(&format!("/api/v1/media/{photo}")).expect_success();
            (read_text(&shown, "/links/full"), Value::Null)
        }
        // No mini-program is configured here: `content_safety.rs` has a stand-in.
        "get_wechat_greeting" | "receive_wechat_event" => {
            ("/api/v1/wechat/wx1/events?signature=0&timestamp=0&nonce=0".to_owned(), json!({}))
        }
        "list_content_reviews" => list("content_reviews"),
        "decide_content_review" => {
            let report = city.submit_report().parse().unwrap();
            let review = domain::flows::content_review::Review::id_of(report);
            (format!("/api/v1/content_reviews/{review}/decide"), json!({ "pass": true }))
        }
        "correct_visit" => {
            let (path, body) = visit_request(city, "/record", json!({ "outcome": "met" }));
            city.client("worker").post(&path, &body).expect_success();
            (path.replace("/record", "/correct"), json!({ "outcome": "refused", "reason": "选错" }))
        }
        "begin_campaign" => {
            let until = city.now() + chrono::Duration::days(7);
            let body = json!({
                "name": "敲门行动", "purpose": "check", "area_id": area(seed::COMMUNITY), "until": until,
            });
            ("/api/v1/campaigns".to_owned(), body)
        }
        "list_campaigns" => list("campaigns"),
        "get_campaign" => campaign_request(city, "", Value::Null),
        "get_campaign_progress" => campaign_request(city, "/progress", Value::Null),
        "list_campaign_households" => campaign_request(city, "/households", Value::Null),
        "assign_campaign" => {
            let home = crate::household::register_household(city);
            campaign_request(city, "/assign", json!({ "households": [{ "household_id": home }] }))
        }
        "publish_campaign" => {
            let id = crate::campaign::create_campaign(city, None);
            crate::household::register_household(city);
            let path = format!("/api/v1/campaigns/{id}/assign");
            city.client("community").post(&path, &json!({ "select": {} })).expect_success();
            (path.replace("/assign", "/publish"), json!({}))
        }
        "close_campaign" => campaign_request(city, "/close", json!({})),
        "list_events" => list("events?limit=1"),
        "get_event_stream" => list("events/stream?seconds=0"),
        "list_event_types" => list("event_types"),
        "create_webhook" => ("/api/v1/webhooks".to_owned(), webhook_body(city)),
        "list_webhooks" => list("webhooks"),
        "get_webhook" => list(&format!("webhooks/{}", find_webhook(city))),
        "update_webhook" => {
            (format!("/api/v1/webhooks/{}/update", find_webhook(city)), webhook_body(city))
        }
        "approve_webhook" => {
            let body = json!({ "approved": true, "url": webhook_body(city)["url"] });
            (format!("/api/v1/webhooks/{}/approve", find_webhook(city)), body)
        }
        "pause_webhook" | "resume_webhook" | "remove_webhook" | "test_webhook" => {
            let verb = operation.trim_end_matches("_webhook");
            (format!("/api/v1/webhooks/{}/{verb}", find_webhook(city)), json!({}))
        }
        "rotate_webhook_secret" => {
            (format!("/api/v1/webhooks/{}/rotate_secret", find_webhook(city)), json!({}))
        }
        "replay_webhook" => (
            format!("/api/v1/webhooks/{}/replay", find_webhook(city)),
            json!({ "from": city.now() }),
        ),
        "list_deliveries" => list("deliveries"),
        "get_delivery" => list(&format!("deliveries/{}", deliver_test(city))),
        "replay_delivery" => {
            (format!("/api/v1/deliveries/{}/replay", deliver_test(city)), json!({}))
        }
        "list_messages" => list("me/messages"),
        "get_unread_count" => list("me/messages/unread"),
        "read_messages" => ("/api/v1/me/messages/read".to_owned(), json!({})),
        "get_message_preferences" => list("me/message_preferences"),
        "set_message_preferences" => ("/api/v1/me/message_preferences".to_owned(), json!({})),
        "publish_form" => ("/api/v1/forms".to_owned(), form_body("shared")),
        "list_forms" => list("forms"),
        "get_form" => list(&format!("forms/{}", create_form(city))),
        "withdraw_form" => (format!("/api/v1/forms/{}/withdraw", create_form(city)), reason()),
        "get_household_form" => {
            household_request(city, &format!("/forms/{}", create_form(city)), Value::Null)
        }
        "answer_household_form" => household_request(
            city,
            &format!("/forms/{}", create_form(city)),
            json!({ "changes": {} }),
        ),
        "list_household_answers" => household_request(city, "/answers", Value::Null),
        "get_burden" => list(&format!("stats/burden?within={}", area(seed::GRID))),
        "list_switches" => list("public/switches?tenant=9901"),
        // Their answers depend on credentials, not on roles: `auth.rs`; and a person who is erased
        // is gone: `erasure.rs`.
        "login"
        | "login_wechat"
        | "answer_second_factor"
        | "get_authorization"
        | "finish_authorization"
        | "issue_token"
        | "refresh_login"
        | "logout"
        | "erase_me" => return None,
        _ => panic!("nobody tries {operation}: add it here"),
    })
}

/// A patrol of the worker, and something to be asked of it.
fn patrol_request(city: &City, operation: &str) -> Right {
    let path = format!("/api/v1/patrols/{}", crate::patrol::begin_patrol(city));
    match operation {
        "get_patrol" => (path, Value::Null),
        "upload_points" => (format!("{path}/points"), json!({ "points": [] })),
        "note_patrol" => (format!("{path}/note"), json!({ "text": "备注" })),
        "resume_patrol" => {
            city.client("worker").post(&format!("{path}/pause"), &json!({})).expect_success();
            (format!("{path}/resume"), json!({}))
        }
        "pause_patrol" | "finish_patrol" => {
            (format!("{path}/{}", operation.trim_end_matches("_patrol")), json!({}))
        }
        reads => (format!("{path}/{}", reads.trim_start_matches("get_patrol_")), Value::Null),
    }
}

fn household_request(city: &City, verb: &str, body: Value) -> Right {
    (format!("/api/v1/households/{}{verb}", crate::household::register_household(city)), body)
}

fn pairing_body(city: &City) -> Value {
    json!({ "person_id": city.client("verifier").id(), "kind": "worker" })
}

fn visit_plan_body(city: &City) -> Value {
    json!({ "household_id": crate::household::register_household(city), "purposes": ["check"] })
}

/// A visit that is planned.
fn visit_request(city: &City, verb: &str, body: Value) -> Right {
    let made =
        city.client("worker").post("/api/v1/visits/plan", &visit_plan_body(city)).expect_success();
    (format!("/api/v1/visits/{}{verb}", read_text(&made, "/id")), body)
}

/// A campaign that runs.
fn campaign_request(city: &City, verb: &str, body: Value) -> Right {
    let (id, home) =
        (crate::campaign::create_campaign(city, None), crate::household::register_household(city));
    let path = format!("/api/v1/campaigns/{id}");
    let listed = json!({ "households": [{ "household_id": home }] });
    city.client("community").post(&format!("{path}/assign"), &listed).expect_success();
    city.client("community").post(&format!("{path}/publish"), &json!({})).expect_success();
    (format!("{path}{verb}"), body)
}

fn form_body(code: &str) -> Value {
    let properties = json!({ "note": { "type": "string", "title": "备注" } });
    let schema = json!({ "type": "object", "title": "表", "properties": properties });
    json!({ "code": code, "schema": schema, "note": "列入准入清单" })
}

/// The body of a webhook.
fn webhook_body(city: &City) -> Value {
    let area_id = city.area_id(seed::GRID);
    json!({ "name": "接收方", "url": "https://hooks.example.org/x", "area_id": area_id })
}

/// Finds or makes a webhook; answers its identity.
fn find_webhook(city: &City) -> String {
    // A tenant has a hundred of them: all but those who remove it share one.
    let known = city.client("admin").get("/api/v1/webhooks?limit=1").expect_success();
    if let Some(one) = known["items"].as_array().and_then(|items| items.first()) {
        return read_text(one, "/id");
    }
    read_text(
        &city.client("admin").post("/api/v1/webhooks", &webhook_body(city)).expect_success(),
        "/id",
    )
}

/// Makes a delivery of a webhook; answers its identity.
fn deliver_test(city: &City) -> String {
    let path = format!("/api/v1/webhooks/{}/test", find_webhook(city));
    read_text(&city.client("admin").post(&path, &json!({})).expect_success(), "/delivery_id")
}

/// Makes a form of its own; answers its identity.
fn create_form(city: &City) -> String {
    let code = new_key();
    let code = code.get(24..).unwrap_or_default();
    read_text(&city.client("admin").post("/api/v1/forms", &form_body(code)).expect_success(), "/id")
}

fn client_body(city: &City) -> Value {
    json!({ "name": "某系统", "scopes": "read report", "area_ids": [city.area_id(seed::CITY)] })
}

/// A code no grid had before.
fn fresh_code() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(100_000);
    format!("990101001{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn new_grid(parent: &str) -> Value {
    let area = json!({ "code": fresh_code(), "name": "新网格" });
    json!({ "kind": "grid", "parent_id": parent, "area": area })
}

/// A grid of its own, and something to be asked of it.
fn grid_request(city: &City, verb: &str, body: &Value) -> Right {
    let asked = new_grid(&city.area_id(seed::COMMUNITY));
    let made = city.client("admin").post("/api/v1/areas", &asked).expect_success();
    let id = read_text(&made, "/items/0/area_id");
    (format!("/api/v1/areas/{id}/{verb}"), body.clone())
}

/// A file of no grids at all.
fn no_grids() -> Right {
    let body = json!({ "type": "FeatureCollection", "features": [] });
    ("/api/v1/area_imports?what=grids&dry_run=true".to_owned(), body)
}

fn disclosure_body() -> Value {
    json!({ "fields": ["phone"], "purpose": "callback", "reason": "回访核实" })
}

fn extension_body() -> Value {
    json!({ "amount": 2, "unit": "working_day", "reason": "等待配件" })
}

fn suspension_body(city: &City) -> Value {
    json!({ "until": city.now() + chrono::Duration::days(10), "reason": "冬季不能施工" })
}

fn supervision_body(unit: String) -> Value {
    json!({ "kind": "supervise", "trigger": "order", "unit_id": unit, "reason": "请说明进展" })
}

fn send_request(city: &City, by: &str, method: &str, (path, body): &Right) -> Answer {
    if body["photo"] == true {
        let call = city.client(by).call("POST", path).header("Upload-Offset", "0");
        return call.bytes(crate::media::load_image("ok/exif_gps.jpg")).send();
    }
    if method == "GET" { city.client(by).get(path) } else { city.client(by).post(path, body) }
}

fn every_role_may_what_the_policy_says(city: &City) {
    let mut table = BTreeMap::new();
    for (method, path, operation) in list_operations(&api::server::build_openapi()) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        let Some(mut asked) = build_right(city, &name) else { continue };
        let open = OPEN.contains(&name.as_str());
        let mut ask = |account: &str| {
            let answer = send_request(city, account, &method, &asked);
            if answer.status >= 400 {
                answer.expect_complete_problem();
            }
            let stranger = account.is_empty() && !open;
            assert_eq!(answer.status == 401, stranger, "{name}: {}", answer.text);
            assert!(answer.status < 500, "{name}: {}", answer.text);
            // A refused request left it as it was; after an accepted one another flow is needed.
            if answer.status < 300 && method == "POST" {
                asked = build_right(city, &name).unwrap();
            }
            answer.status
        };
        let row = Row {
            here: COLUMNS.iter().map(|(here, ..)| ask(here)).collect(),
            beside: COLUMNS.iter().map(|(_, beside, _)| ask(beside)).collect(),
            strangers: STRANGERS.iter().map(|(account, _)| ask(account)).collect(),
            name,
        };
        let tag = operation["tags"][0].as_str().unwrap().to_owned();
        let short = path.trim_start_matches("/api/v1").to_owned();
        table.insert((tag, short, method), row);
    }
    expect_committed("docs/permissions.md", &render_table(&table));
}

/// The statuses of one operation for all people.
struct Row {
    name: String,
    here: Vec<u16>,
    beside: Vec<u16>,
    strangers: Vec<u16>,
}

type Table = BTreeMap<(String, String, String), Row>;

fn render_status(status: u16) -> String {
    if status < 300 { "✓".to_owned() } else { status.to_string() }
}

/// Statuses with the people who got them, the most frequent first and without its names.
fn summarize_statuses(statuses: &[u16]) -> String {
    let mut by: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (status, (.., label)) in statuses.iter().zip(COLUMNS) {
        by.entry((*status).min(299)).or_default();
        by.entry(*status).or_default().push(label);
    }
    by.retain(|_, labels| !labels.is_empty());
    let mut all: Vec<(u16, Vec<&str>)> = by.into_iter().collect();
    all.sort_by_key(|(_, labels)| std::cmp::Reverse(labels.len()));
    let told = all.iter().enumerate().map(|(index, (status, labels))| {
        if index == 0 {
            render_status(*status)
        } else {
            format!("{} {}", render_status(*status), labels.join("、"))
        }
    });
    told.collect::<Vec<_>>().join("；")
}

fn render_table(table: &Table) -> String {
    let mut page = String::from(
        "# Who may what\n\n\
         For whoever wants to know what a role can do. Made by `tests/coverage.rs` from real answers \
         (`make matrices` rewrites it); each request is right in every other respect.\n\n\
         ✓ done · 403 refused, and told which permission it needs · 404 hidden: not theirs to see · \
         401 log in first · 422 a rule says no\n\n\
         The columns of roles: somebody with that role over the place itself. 居民 is who reported it. \
         他处: the same roles over another place (for 居民 another resident): what most are answered, \
         then those who are answered otherwise. 外市: somebody with every role in another city.\n\n\
         Left out are the operations below `/auth` and `/oauth`, whose answers depend on credentials \
         and not on roles, and `erase_me`, open to everybody without an office, after which there is \
         nobody left to ask.\n",
    );
    let mut last = "";
    for ((tag, path, method), row) in table {
        if tag != last {
            let heads: Vec<&str> = COLUMNS.iter().map(|(.., label)| *label).collect();
            let _ = write!(
                page,
                "\n## {tag}\n\n| | {} | 他处 | 外市 | 未登录 |\n|---{}|\n",
                heads.join(" | "),
                "|---".repeat(heads.len() + 3)
            );
            last = tag;
        }
        let name = &row.name;
        let cells: Vec<String> = row.here.iter().copied().map(render_status).collect();
        let [all, audit, nobody] = row.strangers[..] else { panic!("{name}: the strangers") };
        let other = if all == audit {
            render_status(all)
        } else {
            format!("{}（审计 {}）", render_status(all), render_status(audit))
        };
        let _ = writeln!(
            page,
            "| `{name}`<br>{method} {path} | {} | {} | {other} | {} |",
            cells.join(" | "),
            summarize_statuses(&row.beside),
            render_status(nobody)
        );
    }
    page
}

fn every_operation_survives_everybody(city: &City) {
    let (case, report) = (city.new_whistled_case(), city.submit_report());
    let (unit, person) = (city.area_id(seed::CG), city.client("next_worker").id().to_string());
    for (method, path, operation) in list_operations(&api::server::build_openapi()) {
        let name = operation["operationId"].as_str().unwrap();
        // A caller who ended the login, or the account, would be no one for the rest.
        if path.contains("/auth/") || path.contains("/oauth/") || path.ends_with("/me/erasure") {
            continue;
        }
        let id = match operation["tags"][0].as_str() {
            Some("reports") => &report,
            Some("people" | "clients") => &person,
            Some("areas") => &unit,
            _ => &case,
        };
        let path =
            path.replace("{id}", id).replace("{unit_id}", &unit).replace("{secret_id}", &unit);
        let path = path.replace("{form_id}", &unit);
        // A stream that ends when everything there is was sent.
        let path = path.replace("/stream", "/stream?seconds=0");
        let everybody = COLUMNS.iter().map(|(account, ..)| account);
        for account in everybody.chain(STRANGERS.iter().map(|(account, _)| account)) {
            for body in [json!({}), json!({ "id": 1, "reason": null, "text": [] })] {
                let answer = send_request(city, account, &method, &(path.clone(), body));
                let open = OPEN.contains(&name);
                assert_eq!(
                    answer.status == 401,
                    account.is_empty() && !open,
                    "{name}: {}",
                    answer.text
                );
                assert!(answer.status < 500, "{name}: {}", answer.text);
                if answer.status >= 400 {
                    answer.expect_complete_problem();
                }
            }
        }
    }
    assert_eq!(city.verify().broken, Vec::<String>::new());
}
