//! No change of the database goes unnoticed: whatever is removed, altered or added is named by
//! `verify`; what fits together again is named by a checkpoint kept elsewhere.

use actix_web::rt::System;
use api::{
    app::signing_keys,
    engine::{checkpoint, verify},
};
use persistence::probe;
use serde_json::{Value, json};

use crate::{
    crash,
    harness::{City, new_key, on_both, read_text, seed},
    household, patrol,
};

on_both! {
    a_tenant_that_is_missing_is_named,
    a_case_that_is_deleted_is_missed,
    a_report_that_is_deleted_with_all_its_traces_leaves_a_hole,
    a_row_that_no_journal_speaks_of_is_named,
    every_column_that_follows_from_a_journal_is_compared,
    what_follows_beside_a_flow_is_missed_and_counted,
    disclosures_that_are_emptied_are_missed,
    consents_that_are_changed_or_emptied_are_missed,
    a_log_that_begins_later_says_why,
    races_leave_no_holes_in_the_feed,
    a_checkpoint_notices_what_fits_together_again,
    a_checkpoint_notices_a_log_written_anew,
    a_forged_checkpoint_is_refused_by_name,
    only_auditors_take_checkpoints,
    the_command_writes_checkpoints_and_compares_with_them,
}

fn tamper_database(city: &City, sql: &str) {
    probe::execute(&city.database.url, sql).unwrap();
}

fn query_line(city: &City, sql: &str) -> String {
    probe::query_lines(&city.database.url, sql).unwrap().remove(0)
}

fn expect_intact(city: &City) {
    assert_eq!(city.verify().broken, Vec::<String>::new());
}

/// The findings of `verify`, of which there must be some.
#[track_caller]
fn expect_broken(city: &City, what: &[&str]) -> Vec<String> {
    let found = city.verify().broken;
    let named = found.iter().any(|why| what.iter().all(|part| why.contains(part)));
    assert!(named, "{what:?} is not named: {found:#?}");
    found
}

/// An identity, as the database of the city writes it.
fn sql_literal(city: &City, id: &str) -> String {
    if city.database.url.starts_with("sqlite") {
        format!("x'{}'", id.replace('-', ""))
    } else {
        format!("'{id}'")
    }
}

fn a_case_that_is_deleted_is_missed(city: &City) {
    let case = city.new_filed_case();
    expect_intact(city);
    tamper_database(city, "create table saved as select * from cases; delete from cases;");
    expect_broken(city, &[&format!("case {case}"), "the case itself is missing"]);
    tamper_database(city, "insert into cases select * from saved;");
    expect_intact(city);
    tamper_database(city, "delete from journal where flow = 'case';");
    expect_broken(city, &["feed", "missing"]);
    expect_broken(city, &[&format!("cases of {case}"), "no journal speaks of it"]);
}

/// Deletes a report with every row that refers to it.
fn delete_report(city: &City, report: &str) {
    let id = sql_literal(city, report);
    tamper_database(
        city,
        &format!(
            "delete from journal where command_id in \
             (select command_id from journal where flow_id = {id}); \
             delete from content_reviews where about_id = {id}; \
             delete from reports where id = {id}; \
             delete from obligations where flow_id = {id}; \
             delete from burden where flow_id = {id};"
        ),
    );
}

fn a_report_that_is_deleted_with_all_its_traces_leaves_a_hole(city: &City) {
    let report = city.submit_report();
    city.submit_report_as("neighbour");
    expect_intact(city);
    delete_report(city, &report);
    let found = expect_broken(city, &["feed", "missing"]);
    assert_eq!(found.len(), 1, "{found:?}");
}

fn a_row_that_no_journal_speaks_of_is_named(city: &City) {
    let case = city.new_filed_case();
    let stranger = new_key();
    let copy = format!(
        "create table more as select * from cases where id = {}; update more set id = {}; \
         insert into cases select * from more;",
        sql_literal(city, &case),
        sql_literal(city, &stranger),
    );
    tamper_database(city, &copy);
    expect_broken(city, &[&format!("cases of {stranger}"), "no journal speaks of it"]);
}

/// Every kind of flow, with its rows.
fn everything_there_is(city: &City) {
    city.new_whistled_case();
    patrol::begin_patrol(city);
    household::register_household(city);
    let document = json!({ "document": { "reopen_days": 20 }, "note": "调整" });
    city.client("admin").post("/api/v1/policies/conduct", &document).expect_success();
}

fn every_column_that_follows_from_a_journal_is_compared(city: &City) {
    everything_there_is(city);
    expect_intact(city);
    let sqlite = city.database.url.starts_with("sqlite");
    let later = if sqlite { " + 1000000" } else { " + interval '1 second'" };
    let id = sql_literal(city, &new_key());
    let texts = |text: &str| format!("{text} || 'x'");
    let changes = [
        ("reports", "reporter_id", id.clone()),
        ("reports", "path", texts("path")),
        ("reports", "status", texts("status")),
        ("reports", "case_id", "null".to_owned()),
        ("reports", "received_at", format!("received_at{later}")),
        ("cases", "path", texts("path")),
        ("cases", "holder_id", id.clone()),
        ("cases", "stage", texts("stage")),
        ("cases", "title", texts("title")),
        ("cases", "closed_at", format!("filed_at{later}")),
        ("obligations", "due_at", format!("due_at{later}")),
        ("obligations", "next_at", "null".to_owned()),
        ("obligations", "settled_at", "started_at".to_owned()),
        ("obligations", "outcome", "'met!'".to_owned()),
        ("obligations", "term", "replace(term, '\"limit\"', '\"limi\"')".to_owned()),
        ("grants", "role", texts("role")),
        ("grants", "path", texts("path")),
        ("people", "name", texts("name")),
        ("people", "standing", texts("standing")),
        ("policies", "published_at", format!("published_at{later}")),
        ("patrols", "worker_id", id),
        ("patrols", "from_at", format!("from_at{later}")),
        ("households", "path", texts("path")),
        ("households", "special", "1 - special".to_owned()),
        ("areas", "name", texts("name")),
    ];
    for (table, column, to) in changes {
        tamper_database(city, &format!("create table saved as select * from {table};"));
        tamper_database(city, &format!("update {table} set {column} = {to};"));
        let kept = if table == "areas" { "area" } else { column };
        expect_broken(city, &[kept, column, "is not what"]);
        let keys = match table {
            "obligations" => {
                "t.flow_id = saved.flow_id and t.no = saved.no and \
                              t.duty = saved.duty and t.unit_id = saved.unit_id"
            }
            "grants" => "t.person_id = saved.person_id and t.no = saved.no",
            _ => "t.id = saved.id",
        };
        let back = format!(
            "update {table} as t set {column} = saved.{column} from saved \
             where t.tenant_id = saved.tenant_id and {keys}; drop table saved;"
        );
        tamper_database(city, &back);
    }
    expect_intact(city);
}

fn what_follows_beside_a_flow_is_missed_and_counted(city: &City) {
    everything_there_is(city);
    expect_intact(city);
    for table in ["obligations", "grants", "case_units", "household_people"] {
        let there =
            query_line(city, &format!("select cast(count(*) as text) as line from {table}"));
        assert_ne!((table, there.as_str()), ("obligations", "0"));
        if there == "0" {
            continue;
        }
        let take = format!("create table saved as select * from {table}; delete from {table};");
        tamper_database(city, &take);
        expect_broken(city, &[table, "is missing"]);
        tamper_database(
            city,
            &format!("insert into {table} select * from saved; drop table saved;"),
        );
        expect_intact(city);
    }
    let more = "create table more as select * from obligations; update more set no = no + 1000; \
                insert into obligations select * from more;";
    tamper_database(city, more);
    expect_broken(city, &["obligations", "rows more than the journal says"]);
}

fn disclose_contacts(city: &City) {
    let contact = json!({ "name": "慕容秘密", "phone": "13987654321" });
    let path = format!("/api/v1/people/{}/contact", city.client("resident").id());
    city.client("resident").post(&path, &contact).expect_success();
    let report = city.submit_report();
    let seeing = json!({ "fields": ["phone"], "purpose": "callback", "reason": "回访" });
    let path = format!("/api/v1/reports/{report}/reporter/disclosures");
    city.client("hotline").post(&path, &seeing).expect_success();
    city.client("hotline").post(&path, &seeing).expect_success();
}

fn disclosures_that_are_emptied_are_missed(city: &City) {
    disclose_contacts(city);
    expect_intact(city);
    tamper_database(city, "create table saved as select * from disclosures;");
    tamper_database(city, "update disclosures set reason = 'x';");
    expect_broken(city, &["disclosures", "was changed after it was written"]);
    tamper_database(city, "delete from disclosures;");
    expect_broken(city, &["disclosures", "tells of it, and it is missing"]);
    expect_broken(city, &["disclosures", "0 are there as they were written, of 2"]);
    // An operator who also removes the tallies gets no further.
    tamper_database(city, "delete from tallies;");
    expect_broken(city, &["disclosures", "0 are counted, and the log tells of 2"]);
    tamper_database(city, "insert into disclosures select * from saved;");
    expect_broken(city, &["disclosures", "0 are counted, and the log tells of 2"]);
}

fn consents_that_are_changed_or_emptied_are_missed(city: &City) {
    for given in [true, false] {
        let body = json!({ "purpose": "track", "given": given, "version": "1" });
        city.client("worker").post("/api/v1/me/consents", &body).expect_success();
    }
    expect_intact(city);
    tamper_database(city, "update consents set answer = 'given';");
    expect_broken(city, &["consents", "was changed after it was written"]);
    tamper_database(city, "delete from consents;");
    expect_broken(city, &["consents", "tells of it, and it is missing"]);
}

fn a_log_that_begins_later_says_why(city: &City) {
    for _ in 0..3 {
        city.client("neighbour").get("/api/v1/me/export").expect_success();
    }
    expect_intact(city);
    let last =
        query_line(city, "select cast(max(seq) as text) as line from audit where act = 'export'");
    let to = last.parse::<i64>().unwrap() - 1;
    tamper_database(
        city,
        &format!(
            "update audit_heads set base_seq = {to}, \
             base_head = (select hash from audit where seq = {to} limit 1) \
             where tenant_id = (select tenant_id from audit where seq = {to} and act = 'export'); \
             delete from audit where seq <= {to} and tenant_id in \
             (select tenant_id from audit_heads where base_seq = {to});"
        ),
    );
    let found =
        expect_broken(city, &["audit", &format!("begins after entry {to}"), "no removal says so"]);
    assert_eq!(found.len(), 1, "{found:?}");
}

fn races_leave_no_holes_in_the_feed(city: &City) {
    let case = city.new_filed_case();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let same = new_key();
                    std::thread::scope(|twice| {
                        for _ in 0..2 {
                            twice.spawn(|| {
                                let path = format!("/api/v1/cases/{case}/comment");
                                let body = json!({ "text": "已到现场" });
                                let _ = city.client("community").post_as(&same, &path, &body);
                            });
                        }
                    });
                }
            });
        }
    });
    let holes = "select cast(f.position - (select count(*) from journal as j \
                 where j.tenant_id = f.tenant_id) as text) as line from feeds as f";
    for line in probe::query_lines(&city.database.url, holes).unwrap() {
        assert_eq!(line, "0");
    }
    expect_intact(city);
}

/// A checkpoint from the endpoint, and the keys to read it.
fn take_checkpoint(city: &City) -> (Value, Vec<signing_keys::PublicKey>) {
    let taken = city.client("auditor").get("/api/v1/checkpoint").expect_success();
    let keys = System::new()
        .block_on(signing_keys::load_public_keys(&city.store, &city.app.seal))
        .unwrap();
    (taken, keys)
}

fn compare_checkpoint(city: &City, taken: &Value, keys: &[signing_keys::PublicKey]) -> Vec<String> {
    let seen = checkpoint::read(&taken.to_string(), keys).unwrap();
    let found = System::new()
        .block_on(verify::check_against_checkpoints(&city.store, None, &seen))
        .unwrap();
    found.broken
}

fn a_checkpoint_notices_what_fits_together_again(city: &City) {
    city.submit_report();
    let report = city.submit_report_as("neighbour");
    let (seen, keys) = take_checkpoint(city);
    let found = city.verify();
    let head = found.heads.iter().find(|head| head.code == "9901").unwrap();
    assert_eq!(seen["digest"], json!(head.digest.to_hex()), "both take the same");
    assert_eq!(compare_checkpoint(city, &seen, &keys), Vec::<String>::new());
    // What comes later changes nothing about it.
    let other = city.submit_report();
    let (later, _) = take_checkpoint(city);
    assert_eq!(compare_checkpoint(city, &seen, &keys), Vec::<String>::new());
    assert_eq!(compare_checkpoint(city, &later, &keys), Vec::<String>::new());
    // The end is cut off, and everything fits.
    let cut = |id: &str| {
        delete_report(city, id);
        let end = "update feeds set position = \
            (select max(j.position) from journal as j where j.tenant_id = feeds.tenant_id);";
        tamper_database(city, end);
    };
    cut(&other);
    expect_intact(city);
    let found = compare_checkpoint(city, &later, &keys);
    assert!(found.iter().any(|why| why.contains("the checkpoint of")), "{found:?}");
    assert_eq!(compare_checkpoint(city, &seen, &keys), Vec::<String>::new());
    cut(&report);
    expect_intact(city);
    // Another entry is written in its place.
    city.submit_report();
    expect_intact(city);
    let found = compare_checkpoint(city, &seen, &keys);
    assert!(found.iter().any(|why| why.contains("is not what the checkpoint")), "{found:?}");
}

fn a_checkpoint_notices_a_log_written_anew(city: &City) {
    city.client("neighbour").get("/api/v1/me/export").expect_success();
    let (seen, keys) = take_checkpoint(city);
    assert_eq!(compare_checkpoint(city, &seen, &keys), Vec::<String>::new());
    // The whole log goes, and its head with it.
    tamper_database(city, "delete from audit; delete from audit_heads;");
    expect_intact(city);
    let found = compare_checkpoint(city, &seen, &keys);
    assert!(found.iter().any(|why| why.contains("the log ends at 0")), "{found:?}");
    city.client("neighbour").get("/api/v1/me/export").expect_success();
    city.client("neighbour").get("/api/v1/me/export").expect_success();
    city.client("neighbour").get("/api/v1/me/export").expect_success();
    expect_intact(city);
    let found = compare_checkpoint(city, &seen, &keys);
    assert!(
        found.iter().any(|why| why.contains("audit") && why.contains("checkpoint")),
        "{found:?}"
    );
}

fn a_forged_checkpoint_is_refused_by_name(city: &City) {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
    let (seen, keys) = take_checkpoint(city);
    let read = |value: &Value| checkpoint::read(&value.to_string(), &keys);
    assert_eq!(read(&seen).unwrap().len(), 1);
    let signed = read_text(&seen, "/signed");
    let parts: Vec<&str> = signed.split('.').collect();
    let claims = BASE64.decode(parts[1]).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["position"] = json!(1);
    let claims = BASE64.encode(claims.to_string());
    let changed = json!({ "signed": format!("{}.{claims}.{}", parts[0], parts[2]) });
    assert_eq!(read(&changed), Err(checkpoint::Fault::Signature));
    // No other key counts, and neither does an access token.
    assert!(matches!(checkpoint::read(&seen.to_string(), &[]), Err(checkpoint::Fault::Key(_))));
    let token = city.access_token("auditor").unwrap();
    assert_eq!(read(&json!({ "signed": token })), Err(checkpoint::Fault::Malformed));
    for wrong in [json!({}), json!([]), json!({ "signed": "x" }), json!({ "checkpoints": [{}] })] {
        assert_eq!(read(&wrong), Err(checkpoint::Fault::Malformed), "{wrong}");
    }
    // What people read in it is what was signed.
    for (member, other) in
        [("entries", json!(999_999)), ("digest", json!("00")), ("audit_seq", json!(0))]
    {
        let mut changed = seen.clone();
        changed[member] = other;
        assert_eq!(read(&changed), Err(checkpoint::Fault::Readable), "{member}");
    }
    // A checkpoint opens nothing.
    let bearer = format!("Bearer {signed}");
    let answer = city.client("").call("GET", "/api/v1/me").header("Authorization", &bearer).send();
    answer.expect_problem(401, "unauthenticated");
    // It is read when its key is long retired and wiped, but not when it claims to be newer.
    let store = city.store.clone();
    let rotate = signing_keys::rotate_keys(&store, &city.app.seal, city.now(), true);
    System::new().block_on(rotate).unwrap();
    let keys =
        System::new().block_on(signing_keys::load_public_keys(&store, &city.app.seal)).unwrap();
    assert_eq!(compare_checkpoint(city, &seen, &keys), Vec::<String>::new());
    let backdated: Vec<signing_keys::PublicKey> = keys
        .iter()
        .map(|one| signing_keys::PublicKey { until: Some(domain::Instant::UNIX_EPOCH), ..*one })
        .collect();
    let refused = checkpoint::read(&seen.to_string(), &backdated);
    assert!(matches!(refused, Err(checkpoint::Fault::Retired(_))), "{refused:?}");
}

fn only_auditors_take_checkpoints(city: &City) {
    for by in ["admin", "district", "leader", "resident", "worker"] {
        city.client(by).get("/api/v1/checkpoint").expect_problem(403, "not_permitted");
    }
    city.client("").get("/api/v1/checkpoint").expect_problem(401, "unauthenticated");
    let one = city.client("auditor").get("/api/v1/checkpoint").expect_success();
    assert_eq!((&one["code"], one["digest"].as_str().unwrap().len()), (&json!("9901"), 64));
    city.submit_report();
    let next = city.client("auditor").get("/api/v1/checkpoint").expect_success();
    assert!(next["position"].as_i64() > one["position"].as_i64(), "{one} {next}");
    assert_ne!(next["digest"], one["digest"]);
}

fn the_command_writes_checkpoints_and_compares_with_them(city: &City) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("checkpoint.txt");
    let file = file.to_str().unwrap();
    let asked = |more: &[&str]| {
        let mut arguments = vec!["verify", "--database", city.database.url.as_str()];
        arguments.extend(more);
        let output = crash::build_command(&arguments).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    city.submit_report();
    let (code, said) = asked(&["--checkpoint", file]);
    assert!(code == Some(0) && said.contains("wrote"), "{code:?} {said}");
    let (code, said) = asked(&["--checkpoint", file]);
    assert!(code == Some(1) && said.contains("checkpoint.txt"), "one is not lost: {said}");
    let report = city.submit_report();
    let (code, said) = asked(&["--against", file]);
    assert!(code == Some(0) && said.contains("compared with"), "{code:?} {said}");
    let forged = dir.path().join("forged.txt");
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(&forged, text.replace("\"signed\": \"ey", "\"signed\": \"eX")).unwrap();
    let (code, said) = asked(&["--against", forged.to_str().unwrap()]);
    assert!(code == Some(1) && said.contains("it is not a checkpoint"), "{code:?} {said}");
    // Later entries are gone without a trace: no checkpoint saw them.
    delete_report(city, &report);
    let end = "update feeds set position = \
        (select max(j.position) from journal as j where j.tenant_id = feeds.tenant_id);";
    tamper_database(city, end);
    assert_eq!(asked(&["--against", file]).0, Some(0));
    tamper_database(city, "update journal set position = -position where position in (1, 2);");
    let (code, said) = asked(&["--against", file]);
    assert!(code == Some(3) && said.contains("is not what the checkpoint of"), "{code:?} {said}");
}

fn a_tenant_that_is_missing_is_named(city: &City) {
    assert_eq!(city.verify().broken, Vec::<String>::new());
    let other = city.app.worlds.find_by_code(Some(seed::OTHER)).unwrap().tenant.id;
    let id = crate::ownership::sql_literal(city, &other.to_string());
    // Its row alone, as an operator would who wants its records not to be checked.
    let hide = match city.engine() {
        crate::harness::Engine::Sqlite => {
            format!("pragma foreign_keys = off; delete from tenants where tenant_id = {id}")
        }
        crate::harness::Engine::Postgres => format!(
            "set session_replication_role = replica; delete from tenants where tenant_id = {id}"
        ),
    };
    probe::execute(&city.database.url, &hide).unwrap();
    let broken = city.verify().broken;
    assert!(broken.iter().any(|why| why.contains(&other.to_string())), "{broken:?}");
}
