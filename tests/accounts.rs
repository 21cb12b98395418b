//! Accounts and passwords are the same however they are typed: case, width and what cannot be seen
//! make no difference. Accounts of before that was looked at are told apart by how they are written.

use actix_web::rt::System;
use api::app::clock::new_id;
use domain::{
    core::{
        id::{CommandId, PersonId},
        text::{Code, Line},
    },
    flows::{
        change::{Request, execute},
        person::{Command, NewGrant, Person},
    },
    people::actor::{Actor, Role},
};
use persistence::{Write, people::person::Origin, probe};
use serde_json::json;

use crate::{
    harness::{
        Answer, City, Replica, build_settings, on_both, read_text, read_texts, report_body_at, seed,
    },
    logins::crowd_account,
};

on_both! {
    an_account_is_the_same_in_every_case_and_width,
    a_second_account_that_only_looks_different_is_refused,
    a_full_width_phone_number_is_a_phone_number,
    a_password_is_the_same_in_every_width,
    guesses_are_counted_for_the_account_however_it_is_typed,
    accounts_of_before_go_on_and_are_found_however_they_are_typed,
    accounts_of_before_that_are_alike_lock_nobody_out,
}

const FORMS: [&str; 5] = ["li.si", "Li.Si", "ｌｉ.ｓｉ", "LI．SI", "li\u{200b}.s\u{fe0f}i"];

fn log_in(city: &City, account: &str, password: &str) -> Answer {
    let body = json!({ "tenant": seed::CITY, "account": account, "password": password });
    city.client("").post("/api/v1/auth/login", &body)
}

fn register(city: &City, account: &str) -> Answer {
    let body = json!({
        "account": account, "name": "李四", "password": seed::PASSWORD,
        "grants": [{ "role": "grid_worker", "area_id": city.area_id(seed::GRID) }],
    });
    city.client("admin").post("/api/v1/people", &body)
}

/// Somebody who was registered when accounts were kept as they were typed.
fn register_as_before(city: &City, account: &str, password: &str) {
    let world = city.app.worlds.find_by_code(Some(seed::CITY)).expect("the city");
    let root = world.areas.root().expect("the area of the city").unit();
    let (by, id) = (Actor::new_system(world.tenant.id, root), PersonId(new_id()));
    let grid = city.area_id(seed::GRID).parse().map(domain::core::id::AreaId).expect("an id");
    let command = Command::Register {
        id,
        account: Code::try_from(account).expect("an account"),
        name: Line::try_from("李四").expect("a name"),
        grants: vec![NewGrant::new(Role::GridWorker, grid)],
    };
    let request = Request::new(CommandId(new_id()), "register", id.0, &command);
    let context = world.build_context(&by, city.now());
    let change = execute::<Person>(None, &command, request, context).expect("they are new");
    let hash = api::app::password::hash(password).expect("a hash");
    let password = Write::Password { person: id, hash, origin: Origin::Owner };
    let store = city.store.clone();
    let commit = async move { store.commit(vec![Write::from(change), password]).await };
    System::new().block_on(commit).expect("it is written");
}

fn an_account_is_the_same_in_every_case_and_width(city: &City) {
    let made = register(city, "Ｌi.Si").expect_success();
    assert_eq!(made["account"], "li.si");
    for form in FORMS {
        log_in(city, form, seed::PASSWORD).expect_success();
    }
    for form in ["WORKER", "ｗorker", "Worker\u{feff}"] {
        log_in(city, form, seed::PASSWORD).expect_success();
    }
    log_in(city, "li-si", seed::PASSWORD).expect_problem(401, "credentials_invalid");
}

fn a_second_account_that_only_looks_different_is_refused(city: &City) {
    register(city, "li.si").expect_success();
    for form in FORMS {
        register(city, form).expect_problem(409, "account_taken");
    }
    register(city, "li.si2").expect_success();
}

fn a_full_width_phone_number_is_a_phone_number(city: &City) {
    register(city, "１３８１２３４５６７８").expect_problem(422, "account_personal");
    let mut body = report_body_at(110.005, 30.005);
    body["contact"] = json!({ "phone": "１３８１２３４５６７８" });
    let report = city.client("resident").post("/api/v1/reports", &body).expect_success();
    assert_eq!(report["contact"]["phone"], "138****5678", "{report}");
}

fn a_password_is_the_same_in_every_width(city: &City) {
    let own = "ＰａｓｓＷｏｒｄ① of e\u{301}te\u{301}";
    register(city, "li.si").expect_success();
    let token = read_text(&log_in(city, "li.si", seed::PASSWORD).expect_success(), "/access_token");
    let change = |old: &str, new: &str, token: &str| {
        let body = json!({ "old_password": old, "password": new });
        let call = city.client("").call("POST", "/api/v1/me/password");
        call.header("Authorization", &format!("Bearer {token}")).json(&body).send()
    };
    change(seed::PASSWORD, own, &token).expect_success();
    let token = log_in(city, "li.si", "PassWord1 of été").expect_success();
    log_in(city, "li.si", own).expect_success();
    log_in(city, "li.si", "password1 of été").expect_problem(401, "credentials_invalid");
    let token = read_text(&token, "/access_token");
    let again = change("PassWord1 of été", own, &token);
    again.expect_problem(422, "password_unacceptable");
}

fn guesses_are_counted_for_the_account_however_it_is_typed(city: &City) {
    crowd_account(city, "worker");
    for form in ["worker", "Worker", "ＷORKER", "wor\u{200b}ker"] {
        log_in(city, form, seed::PASSWORD).expect_problem(429, "too_many_requests");
    }
    log_in(city, "Leader", seed::PASSWORD).expect_success();
}

fn accounts_of_before_go_on_and_are_found_however_they_are_typed(city: &City) {
    register_as_before(city, "Li.Si", seed::PASSWORD);
    probe::execute(&city.database.url, "update people set account_key = ''").expect("written");
    let replica = Replica::open(city, build_settings(&city.database.url));
    for form in FORMS {
        let body = json!({ "tenant": seed::CITY, "account": form, "password": seed::PASSWORD });
        let call = city.client("").call("POST", "/api/v1/auth/login").on_server(&replica.base);
        call.json(&body).send().expect_success();
    }
    register(city, "li.si").expect_problem(409, "account_taken");
    let found = city.verify();
    assert_eq!((found.broken, found.alike), (Vec::new(), Vec::new()));
}

fn accounts_of_before_that_are_alike_lock_nobody_out(city: &City) {
    let (one, two) = ("the first passphrase", "the second passphrase");
    register_as_before(city, "Li.Si", one);
    register_as_before(city, "LI.SI", two);
    log_in(city, "Li.Si", one).expect_success();
    log_in(city, "LI.SI", two).expect_success();
    // Nobody is handed the account of another.
    log_in(city, "Li.Si", two).expect_problem(401, "credentials_invalid");
    for password in [one, two] {
        log_in(city, "li.si", password).expect_problem(401, "credentials_invalid");
    }
    log_in(city, "worker", seed::PASSWORD).expect_success();
    register(city, "li.si").expect_problem(409, "account_taken");
    let found = city.verify();
    assert_eq!(found.broken, Vec::<String>::new());
    let alike = found.alike.join("\n");
    assert!(alike.contains("LI.SI, Li.Si"), "{alike}");
    let listed = city.client("admin").get("/api/v1/people?limit=100").expect_success();
    let accounts = read_texts(&listed, "/account");
    assert!(accounts.contains(&"Li.Si".to_owned()) && accounts.contains(&"LI.SI".to_owned()));
}
