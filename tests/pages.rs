//! Pages: bounded, complete, opaque; and reads that cost nothing when nothing changed.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{City, on_both, read_text, read_texts, seed};

on_both! {
    pages_cover_everything_once,
    pages_cover_everything_once_while_more_arrives,
    to_dos_are_paged_the_same,
    areas_and_people_are_paged_the_same,
    a_limit_has_bounds,
    a_cursor_is_not_made_by_clients,
    an_unknown_parameter_is_named,
    what_is_unchanged_is_not_sent_again,
    a_joined_view_changes_with_its_case,
}

/// Follows `next` to the end; what the `Link` header says is the same.
fn walk_pages(
    city: &City,
    by: &str,
    list: &str,
    pointer: &str,
    mut between: impl FnMut(usize),
) -> Vec<Vec<String>> {
    let (mut pages, mut path) = (Vec::new(), list.to_owned());
    loop {
        let answer = city.client(by).get(&path);
        let link = answer.header("link").to_owned();
        let page = answer.expect_success();
        pages.push(read_texts(&page, pointer));
        between(pages.len());
        let Some(next) = page["next"].as_str() else {
            assert_eq!(link, "");
            return pages;
        };
        let (address, relation) = link.split_once('>').unwrap();
        assert_eq!(relation, "; rel=\"next\"");
        path = address.trim_start_matches('<').to_owned();
        assert!(path.ends_with(next), "{path} {next}");
    }
}

fn expect_unique(pages: &[Vec<String>]) -> BTreeSet<String> {
    let all: Vec<&String> = pages.iter().flatten().collect();
    let unique: BTreeSet<String> = all.iter().map(|id| (*id).clone()).collect();
    assert_eq!(all.len(), unique.len(), "something came twice");
    unique
}

fn pages_cover_everything_once(city: &City) {
    let made: BTreeSet<String> = (0..11).map(|_| city.submit_report()).collect();
    for (limit, sizes) in [(4, vec![4, 4, 3]), (11, vec![11]), (10, vec![10, 1]), (100, vec![11])] {
        let path = format!("/api/v1/reports?limit={limit}&mine=true");
        let pages = walk_pages(city, "resident", &path, "/id", |_| ());
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
        assert_eq!(expect_unique(&pages), made);
    }
    let newest = walk_pages(city, "resident", "/api/v1/reports?limit=3", "/received_at", |_| ());
    let times: Vec<String> = newest.into_iter().flatten().collect();
    assert!(times.is_sorted_by(|one, next| one >= next), "{times:?}");
}

fn pages_cover_everything_once_while_more_arrives(city: &City) {
    let made: BTreeSet<String> = (0..9).map(|_| city.new_filed_case()).collect();
    // Cases arrive and are closed between two pages; what was there at the start comes once.
    let pages = walk_pages(city, "community", "/api/v1/cases?limit=2", "/id", |_| {
        city.new_filed_case();
    });
    let seen = expect_unique(&pages);
    assert!(made.is_subset(&seen));
    assert_eq!(seen.len(), 9);
}

fn to_dos_are_paged_the_same(city: &City) {
    for _ in 0..3 {
        city.new_whistled_case();
    }
    // Many are due at the same moment: the time alone does not tell where a page ends.
    let whole = city.client("lead").get("/api/v1/me/todos?limit=100").expect_success();
    let whole = read_texts(&whole, "/term/due_at");
    assert!(whole.len() >= 12, "{whole:?}");
    for limit in [1, 5, 12] {
        let path = format!("/api/v1/me/todos?limit={limit}");
        let pages = walk_pages(city, "lead", &path, "/term/due_at", |_| ());
        assert_eq!(pages.concat(), whole);
        let ids = walk_pages(city, "lead", &path, "/flow_id", |_| ()).concat();
        let duties = walk_pages(city, "lead", &path, "/duty", |_| ()).concat();
        let both: BTreeSet<_> = ids.into_iter().zip(duties).collect();
        assert_eq!(both.len(), whole.len());
    }
}

fn areas_and_people_are_paged_the_same(city: &City) {
    let below = format!("/api/v1/areas?limit=1&parent={}", city.area_id(seed::DISTRICT));
    let pages = walk_pages(city, "nobody", &below, "/code", |_| ());
    assert_eq!(pages.concat(), ["990101-CG", "990101-SC", "990101-SW", "990101001"]);
    let people = walk_pages(city, "admin", "/api/v1/people?limit=7", "/account", |_| ());
    assert!(people.iter().rev().skip(1).all(|page| page.len() == 7), "{people:?}");
    assert_eq!(people.concat().len(), seed::EVERYBODY);
    expect_unique(&people);
}

fn a_limit_has_bounds(city: &City) {
    for list in
        ["/api/v1/reports", "/api/v1/cases", "/api/v1/me/todos", "/api/v1/areas", "/api/v1/people"]
    {
        for limit in ["0", "101", "-1", "1e3", "x", "", "99999999999999999999"] {
            let refused = city.client("admin").get(&format!("{list}?limit={limit}"));
            let refused = refused.expect_problem(400, "invalid_query");
            assert_eq!(refused["errors"][0]["parameter"], "limit", "{list} {limit}");
        }
        city.client("admin").get(&format!("{list}?limit=1")).expect_success();
        city.client("admin").get(&format!("{list}?limit=100")).expect_success();
    }
}

fn a_cursor_is_not_made_by_clients(city: &City) {
    city.submit_report();
    city.submit_report();
    let page = city.client("resident").get("/api/v1/reports?limit=1").expect_success();
    let good = read_text(&page, "/next");
    let whistled = city.new_whistled_case();
    let other = city.client("lead").get("/api/v1/me/todos?limit=1").expect_success();
    for bad in [
        "",
        "x",
        "%00",
        "AAAA",
        "💥",
        &good[1..],
        &good[..good.len() - 3],
        &format!("{good}A"),
        &read_text(&other, "/next"),
        &"A".repeat(4000),
    ] {
        let encoded: Vec<String> = bad.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let encoded = encoded.concat();
        let path = format!("/api/v1/reports?limit=1&cursor={encoded}");
        let refused = city.client("resident").get(&path).expect_problem(400, "invalid_query");
        assert_eq!(refused["errors"][0]["parameter"], "cursor", "{bad}");
    }
    city.get_case("lead", &whistled);
}

fn an_unknown_parameter_is_named(city: &City) {
    let case = city.new_filed_case();
    for path in [
        "/api/v1/reports?stauts=received",
        "/api/v1/cases?stauts=open",
        "/api/v1/me/todos?stauts=1",
        "/api/v1/areas?stauts=1",
        "/api/v1/people?stauts=1",
        "/api/v1/areas/locate?lng=1&lat=1&stauts=1",
        &format!("/api/v1/cases/{case}/timeline?stauts=1"),
    ] {
        let refused = city.client("admin").get(path).expect_problem(400, "invalid_query");
        assert_eq!(refused["errors"][0]["parameter"], "stauts", "{path}");
        assert_eq!(refused["errors"][0]["code"], "unknown_field", "{path}");
    }
    for (path, name) in [
        ("/api/v1/cases?stage=flying", "stage"),
        ("/api/v1/cases?open=yes", "open"),
        ("/api/v1/cases?within=1", "within"),
        ("/api/v1/cases?open=true&open=true", "open"),
        ("/api/v1/reports?status=x", "status"),
        ("/api/v1/areas?kind=planet", "kind"),
    ] {
        let refused = city.client("community").get(path).expect_problem(400, "invalid_query");
        assert_eq!(refused["errors"][0]["parameter"], name, "{path}");
    }
}

fn what_is_unchanged_is_not_sent_again(city: &City) {
    let report = city.submit_report();
    let case = city.file_report(&report);
    let person = city.client("community").id();
    for path in [
        format!("/api/v1/cases/{case}"),
        format!("/api/v1/reports/{report}"),
        format!("/api/v1/people/{person}"),
    ] {
        let read = |tag: &str| {
            city.client("community").call("GET", &path).header("If-None-Match", tag).send()
        };
        let tag = city.client("community").get(&path).header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for same in [tag.clone(), format!("W/{tag}"), format!("\"0\", {tag}"), "*".to_owned()] {
            let answer = read(&same);
            assert_eq!(
                (answer.status, answer.text.as_str(), answer.header("etag")),
                (304, "", tag.as_str())
            );
        }
        for other in ["\"0\"", "garbage", ""] {
            assert_eq!(read(other).status, 200, "{other}");
        }
    }
}

fn a_joined_view_changes_with_its_case(city: &City) {
    let report = city.submit_report();
    let case = city.file_report(&report);
    let path = format!("/api/v1/reports/{report}");
    let first = city.client("resident").get(&path).header("etag").to_owned();
    city.take_step("community", &case, "escalate", &json!({ "reason": "需街道" }));
    let call = city.client("resident").call("GET", &path).header("If-None-Match", &first);
    let after = call.send();
    assert_ne!((after.status, after.header("etag")), (304, first.as_str()));
    // What is read can be written back: the tag of the view is a version of the report.
    let second = city.submit_report();
    let tag = city
        .client("community")
        .get(&format!("/api/v1/reports/{second}"))
        .header("etag")
        .to_owned();
    let file = city.client("community").call("POST", &format!("/api/v1/reports/{second}/file"));
    file.header("If-Match", &tag).json(&json!({})).send().expect_success();
    // A filed report's tag holds two versions; the first is the one a write insists on.
    let again = city.client("community").call("POST", &format!("/api/v1/reports/{report}/file"));
    let again = again.header("If-Match", after.header("etag")).json(&json!({})).send();
    again.expect_problem(422, "wrong_state");
}
