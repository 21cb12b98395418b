//! The only door for writes, tested directly: what a commit promises, whatever it is given.

use std::sync::LazyLock;

use actix_web::rt::System;
use api::app::{catalogue, clock::new_id};
use domain::{
    area::tree::AreaTree,
    core::{
        id::{CaseId, CommandId, PersonId, ReportId, TenantId},
        journal::{Entry, FlowKind},
        text::{Code, Line, Prose},
    },
    flows::{
        case::{Command, state::Case},
        change::{Change, Request, Stored, act},
        flow::Context,
        intake::{self, Correction},
        person::{self, Person},
        report::{Draft, Report},
    },
    people::actor::{Actor, Powers, Role},
    rules::{
        catalogue::Catalogue,
        rulebook::Rules,
        vocabulary::{Channel, Urgency},
    },
};
use persistence::{
    Db, Options, Outcome, Store, StoreError, Write,
    flows::area,
    kernel::{journal, tenant},
    people::session as sessions,
    probe,
};
use uuid::Uuid;

use crate::harness::{Database, Engine, seed as places, template};

macro_rules! on_both_stores {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $story() {
                super::run($crate::harness::Engine::Sqlite, super::$story);
            })+
        }
        mod postgres {
            $(#[test]
            fn $story() {
                super::run($crate::harness::Engine::Postgres, super::$story);
            })+
        }
    };
}

on_both_stores! {
    a_change_is_found_as_it_was_committed,
    a_place_in_the_journal_is_taken_once,
    a_command_is_seen_once,
    two_flows_are_committed_together_or_not_at_all,
    companions_of_one_kind_do_not_collide,
    one_poisoned_change_does_not_spoil_its_batch,
    a_text_the_database_refuses_harms_nobody_else,
    replicas_that_write_the_same_in_another_order_do_not_fail,
    too_many_waiting_are_sent_away,
    a_closed_store_takes_nothing,
    a_write_without_an_entry_is_refused,
    what_was_tampered_with_is_found,
    a_reader_cannot_write,
}

/// A store on the seeded city, and what decisions need.
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) store: Store,
    /// How far the clock is set back.
    pub(crate) ago: chrono::Duration,
    by: Actor,
    areas: AreaTree,
    catalogue: Catalogue,
    pub(crate) tenant: tenant::Tenant,
}

pub(crate) fn run<F: Future<Output = ()>>(engine: Engine, tell: impl FnOnce(Desk) -> F) {
    let database = Database::seeded(engine);
    let options = Options { readers: Some(2), writers: Some(1), waiting: 4096 };
    let store = Store::open(&database.url, options).unwrap();
    System::new().block_on(async move {
        let all = store.read(tenant::all).await.unwrap();
        let tenant = all.into_iter().find(|tenant| tenant.code == places::CITY).unwrap();
        let id = tenant.id;
        let registry = store.read(move |db| area::registry(db, id)).await.unwrap();
        let areas = registry.tree(domain::core::time::local_day(now()));
        let root = areas.root().unwrap().unit();
        let grant = |role| domain::people::actor::Grant {
            role,
            over: root.clone(),
            from: domain::Instant::UNIX_EPOCH,
            until: None,
            post: None,
        };
        let by = Actor {
            tenant: id,
            person: PersonId(template(engine).seeded.people["worker"].id),
            name: "全能者".to_owned(),
            grants: Role::ALL.iter().map(|role| grant(*role)).collect(),
            powers: Powers::shipped(),
        };
        let opened = store.clone();
        tell(Desk {
            database,
            store,
            ago: chrono::Duration::zero(),
            by,
            areas,
            catalogue: catalogue::catalogue(),
            tenant,
        })
        .await;
        opened.close();
    });
}

pub(crate) fn now() -> domain::Instant {
    api::app::clock::Clock::default().now()
}

static RULES: LazyLock<Rules> = LazyLock::new(Rules::shipped);

fn prose(text: &str) -> Prose {
    Prose::try_from(text).unwrap()
}

fn request() -> Request {
    Request::new(CommandId(new_id()), "test", Uuid::nil(), &"body")
}

impl Desk {
    fn context(&self) -> Context<'_> {
        Context {
            by: &self.by,
            at: now() - self.ago,
            seq: 1,
            rules: &RULES,
            areas: &self.areas,
            catalogue: &self.catalogue,
            kept: None,
        }
    }

    fn draft(&self) -> Draft {
        Draft {
            id: ReportId(new_id()),
            channel: Channel::Worker,
            title: None,
            text: prose("油烟扰民"),
            category: None,
            urgency: Urgency::Normal,
            demand: None,
            area: self.areas.by_code(places::GRID).map(|area| area.id),
            point: None,
            address: None,
            client_at: None,
            confidential: false,
            anonymous: false,
            contact: false,
            patrol: None,
            media: Vec::new(),
            handled: None,
        }
    }

    pub(crate) fn report(&self) -> Change<Report> {
        intake::submit(self.draft(), request(), self.context()).unwrap().0
    }

    fn file(&self, report: &Stored<Report>, case: CaseId) -> (Change<Report>, Change<Case>) {
        intake::file(report, case, Correction::default(), request(), self.context()).unwrap()
    }

    fn comment(&self, case: &Stored<Case>, asked: Request) -> Change<Case> {
        let command = Command::Comment { text: prose("批注") };
        act(Some(case), &command, asked, self.context()).unwrap()
    }

    fn register(&self, account: &str) -> Change<Person> {
        let command = person::Command::Register {
            id: PersonId(new_id()),
            account: Code::try_from(account).unwrap(),
            name: Line::try_from("某人").unwrap(),
            grants: Vec::new(),
        };
        act(None, &command, request(), self.context()).unwrap()
    }

    pub(crate) async fn commit(&self, write: Write) -> Result<Outcome, StoreError> {
        self.store.commit(vec![write]).await
    }

    /// A case that exists.
    pub(crate) async fn case(&self) -> Stored<Case> {
        let report = self.report();
        self.commit(of_report(&report)).await.unwrap();
        let (filed, opened) = self.file(&report.stored(), CaseId(new_id()));
        let both = vec![of_report(&filed), of_case(&opened)];
        assert_eq!(self.store.commit(both).await.unwrap(), Outcome::Done);
        opened.stored()
    }

    async fn find_case(&self, id: CaseId) -> Option<Stored<Case>> {
        let tenant = self.tenant.id;
        self.store.read(move |db| persistence::find::<Case>(db, tenant, id.0)).await.unwrap()
    }

    async fn find_report(&self, id: ReportId) -> Option<Stored<Report>> {
        let tenant = self.tenant.id;
        self.store.read(move |db| persistence::find::<Report>(db, tenant, id.0)).await.unwrap()
    }

    async fn find_person(&self, id: PersonId) -> Option<Stored<Person>> {
        let tenant = self.tenant.id;
        self.store.read(move |db| persistence::find::<Person>(db, tenant, id.0)).await.unwrap()
    }

    pub(crate) async fn broken(&self) -> Vec<String> {
        api::engine::verify::all(&self.store, None).await.unwrap().broken
    }
}

fn of_case(change: &Change<Case>) -> Write {
    Write::from(change.clone())
}

pub(crate) fn of_report(change: &Change<Report>) -> Write {
    Write::from(change.clone())
}

fn of_person(change: &Change<Person>) -> Write {
    Write::from(change.clone())
}

async fn a_change_is_found_as_it_was_committed(desk: Desk) {
    let case = desk.case().await;
    assert_eq!(desk.find_case(case.state.id).await, Some(case.clone()));
    let (tenant, id) = (desk.tenant.id, case.state.id.0);
    let chain = move |db: &mut Db| journal::chain(db, tenant, (FlowKind::Case, id), None);
    let chain = desk.store.read(chain).await.unwrap();
    assert_eq!(domain::core::journal::verify(&chain).unwrap(), case.head);
    let replayed = desk.store.read(move |db| journal::at::<Case>(db, tenant, id, 1)).await.unwrap();
    assert_eq!(replayed, Some(case));
    assert_eq!(desk.broken().await, Vec::<String>::new());
}

async fn a_place_in_the_journal_is_taken_once(desk: Desk) {
    let case = desk.case().await;
    let (one, other) = (desk.comment(&case, request()), desk.comment(&case, request()));
    assert_eq!(desk.commit(of_case(&one)).await.unwrap(), Outcome::Done);
    assert_eq!(desk.commit(of_case(&other)).await.unwrap(), Outcome::Stale);
    assert_eq!(desk.find_case(case.state.id).await.unwrap(), one.stored());
    let again = desk.comment(&one.stored(), other.entry.command_of());
    assert_eq!(desk.commit(of_case(&again)).await.unwrap(), Outcome::Done);
}

/// The request of an entry.
trait Asked {
    fn command_of(&self) -> Request;
}

impl Asked for domain::core::journal::Entry {
    fn command_of(&self) -> Request {
        Request { command: self.command, digest: self.digest }
    }
}

async fn a_command_is_seen_once(desk: Desk) {
    let case = desk.case().await;
    let asked = request();
    let first = desk.comment(&case, asked);
    assert_eq!(desk.commit(of_case(&first)).await.unwrap(), Outcome::Done);
    assert_eq!(desk.commit(of_case(&first)).await.unwrap(), Outcome::Seen);
    let second = desk.comment(&first.stored(), asked);
    assert_eq!(desk.commit(of_case(&second)).await.unwrap(), Outcome::Seen);
    assert_eq!(desk.find_case(case.state.id).await.unwrap().seq, 2);
    let (tenant, actor) = (desk.tenant.id, first.entry.actor);
    let store = &desk.store;
    let look =
        |tenant, actor| store.read(move |db| journal::seen(db, tenant, actor, asked.command));
    let seen = look(tenant, actor).await.unwrap().unwrap();
    assert_eq!((seen.request, seen.seq, seen.flow), (asked, 2, case.state.id.0));
    // To another tenant, and of another caller, it is new.
    assert_eq!(look(TenantId(new_id()), actor).await.unwrap(), None);
    assert_eq!(look(tenant, PersonId(new_id())).await.unwrap(), None);
}

async fn two_flows_are_committed_together_or_not_at_all(desk: Desk) {
    let (taken, report) = (desk.case().await, desk.report());
    desk.commit(of_report(&report)).await.unwrap();
    // The case's first place is taken; the report's second is free.
    let (filed, opened) = desk.file(&report.stored(), taken.state.id);
    let both = vec![of_report(&filed), of_case(&opened)];
    assert_eq!(desk.store.commit(both).await.unwrap(), Outcome::Stale);
    assert_eq!(desk.find_report(report.state.id).await.unwrap(), report.stored());
    assert_eq!(desk.find_case(taken.state.id).await.unwrap(), taken);
    assert_eq!(desk.broken().await, Vec::<String>::new());
}

/// Commits all at the same moment; what waits while the first is written shares a transaction.
async fn together(desk: &Desk, writes: Vec<Vec<Write>>) -> Vec<Result<Outcome, StoreError>> {
    let commits: Vec<_> = writes
        .into_iter()
        .map(|write| {
            let store = desk.store.clone();
            actix_web::rt::spawn(async move { store.commit(write).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for commit in commits {
        outcomes.push(commit.await.unwrap());
    }
    outcomes
}

async fn companions_of_one_kind_do_not_collide(desk: Desk) {
    let asked = request();
    let told = |desk: &Desk| intake::submit(desk.draft(), asked, desk.context()).unwrap().0;
    let reports = [told(&desk), told(&desk), told(&desk)];
    let ids = reports.clone().map(|report| report.state.id.0);
    let decided = reports.clone().map(|report| (report.entry.part, report.entry.hash));
    assert!(decided.iter().all(|(part, _)| *part == 0), "nobody numbered them");
    let writes = reports.clone().map(Write::from).to_vec();
    assert_eq!(desk.store.commit(writes.clone()).await.unwrap(), Outcome::Done);
    let tenant = desk.tenant.id;
    let read = move |db: &mut Db| {
        let chain = |id: &Uuid| journal::chain(db, tenant, (FlowKind::Report, *id), None);
        ids.iter().map(chain).collect::<Result<Vec<_>, _>>()
    };
    let chains = desk.store.read(read).await.unwrap();
    let entries: Vec<&Entry> = chains.iter().flatten().collect();
    assert_eq!(entries.iter().map(|entry| entry.part).collect::<Vec<_>>(), [0, 1, 2]);
    for (entry, (_, hash)) in entries.iter().zip(decided) {
        assert_eq!(entry.hash, entry.computed(), "sealed with its number");
        assert_eq!(entry.hash == hash, entry.part == 0, "the first is what was decided");
    }
    // Memory and rows know the same hash, so the next command follows.
    for (id, entry) in ids.iter().zip(&entries) {
        let known = desk.store.recall::<Report>(tenant, *id).unwrap();
        let stored = desk.find_report(ReportId(*id)).await.unwrap();
        assert_eq!((known.head, stored.head), (entry.hash, entry.hash));
    }
    assert_eq!(desk.store.commit(writes).await.unwrap(), Outcome::Seen);
    let found = api::engine::verify::all(&desk.store, None).await.unwrap();
    assert_eq!(found.broken, Vec::<String>::new());
}

async fn one_poisoned_change_does_not_spoil_its_batch(desk: Desk) {
    let good: Vec<_> = (0..10).map(|index| desk.register(&format!("good-{index}"))).collect();
    // The account is taken; that cannot be known before it is written.
    let bad = desk.register("worker");
    let mut writes: Vec<_> = good.iter().map(|change| vec![of_person(change)]).collect();
    writes.insert(5, vec![of_person(&bad)]);
    let outcomes = together(&desk, writes).await;
    for (index, outcome) in outcomes.iter().enumerate() {
        if index == 5 {
            assert!(matches!(outcome, Err(StoreError::Exists("account"))), "{outcome:?}");
        } else {
            assert!(matches!(outcome, Ok(Outcome::Done)), "{index}: {outcome:?}");
        }
    }
    for change in &good {
        assert!(desk.find_person(change.state.id).await.is_some());
    }
    assert!(desk.find_person(bad.state.id).await.is_none());
    assert_eq!(desk.broken().await, Vec::<String>::new());
}

async fn a_text_the_database_refuses_harms_nobody_else(desk: Desk) {
    let case = desk.case().await;
    let mut bad = desk.comment(&case, request());
    // No command can carry it; should it ever get here, PostgreSQL says no and SQLite does not.
    bad.entry.actor_name = "a\0b".to_owned();
    bad.entry = bad.entry.sealed();
    let good: Vec<_> = (0..6).map(|index| desk.register(&format!("good-{index}"))).collect();
    let mut writes: Vec<_> = good.iter().map(|change| vec![of_person(change)]).collect();
    writes.insert(3, vec![of_case(&bad)]);
    let outcomes = together(&desk, writes).await;
    for (index, outcome) in outcomes.iter().enumerate().filter(|(index, _)| *index != 3) {
        assert!(matches!(outcome, Ok(Outcome::Done)), "{index}: {outcome:?}");
    }
    let after = desk.register("afterwards");
    assert!(matches!(desk.commit(of_person(&after)).await, Ok(Outcome::Done)));
}

async fn replicas_that_write_the_same_in_another_order_do_not_fail(desk: Desk) {
    let options = Options { readers: Some(1), writers: Some(1), waiting: 4096 };
    let replica = Store::open(&desk.database.url, options).unwrap();
    let mut cases = Vec::new();
    for _ in 0..16 {
        cases.push(desk.case().await);
    }
    for round in 0..4 {
        let change = |case: &Stored<Case>| desk.comment(case, request());
        let one: Vec<_> = cases.iter().map(change).collect();
        let other: Vec<_> = cases.iter().map(change).collect();
        let mut commits = Vec::new();
        for index in 0..cases.len() {
            for (store, change) in
                [(&desk.store, &one[index]), (&replica, &other[cases.len() - 1 - index])]
            {
                let (store, write) = (store.clone(), vec![of_case(change)]);
                commits.push(actix_web::rt::spawn(async move { store.commit(write).await }));
            }
        }
        let mut done = 0;
        for commit in commits {
            match commit.await.unwrap() {
                Ok(Outcome::Done) => done += 1,
                Ok(Outcome::Stale) => {}
                wrong => panic!("round {round}: {wrong:?}"),
            }
        }
        assert_eq!(done, cases.len(), "round {round}: one of two wins, for every case");
        for case in &mut cases {
            *case = desk.find_case(case.state.id).await.unwrap();
        }
    }
    replica.close();
    assert!(cases.iter().all(|case| case.seq == 5));
    assert_eq!(desk.broken().await, Vec::<String>::new());
}

async fn too_many_waiting_are_sent_away(desk: Desk) {
    let options = Options { readers: Some(1), writers: Some(1), waiting: 3 };
    let small = Store::open(&desk.database.url, options).unwrap();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let busy = small.clone();
    let blocker = actix_web::rt::spawn(async move {
        busy.read(move |_| {
            tell.send(()).unwrap();
            wait.recv().unwrap();
            Ok(())
        })
        .await
    });
    while told.try_recv().is_err() {
        actix_web::rt::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let store = small.clone();
            actix_web::rt::spawn(async move { store.read(tenant::all).await })
        })
        .collect();
    actix_web::rt::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(matches!(small.read(tenant::all).await, Err(StoreError::Overloaded)));
    // Writing has a queue of its own.
    let person = desk.register("meanwhile");
    assert_eq!(small.commit(vec![of_person(&person)]).await.unwrap(), Outcome::Done);
    release.send(()).unwrap();
    blocker.await.unwrap().unwrap();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    small.read(tenant::all).await.unwrap();
    small.close();
}

async fn a_closed_store_takes_nothing(desk: Desk) {
    // What was taken before is finished.
    let store = desk.store.clone();
    let changes: Vec<_> = (0..8).map(|index| desk.register(&format!("last-{index}"))).collect();
    let writes: Vec<_> = changes.iter().map(|change| vec![of_person(change)]).collect();
    let pending: Vec<_> = writes
        .into_iter()
        .map(|write| {
            let store = store.clone();
            actix_web::rt::spawn(async move { store.commit(write).await })
        })
        .collect();
    actix_web::rt::time::sleep(std::time::Duration::from_millis(1)).await;
    store.close();
    for commit in pending {
        let outcome = commit.await.unwrap();
        assert!(matches!(outcome, Ok(Outcome::Done) | Err(StoreError::Closed)), "{outcome:?}");
    }
    assert!(matches!(store.read(tenant::all).await, Err(StoreError::Closed)));
    let person = of_person(&desk.register("late"));
    assert!(matches!(store.commit(vec![person]).await, Err(StoreError::Closed)));
    store.close();
}

async fn a_write_without_an_entry_is_refused(desk: Desk) {
    let password = Write::Password {
        person: desk.by.person,
        hash: "x".to_owned(),
        origin: persistence::people::person::Origin::Owner,
    };
    let refused = desk.commit(password).await;
    assert!(matches!(refused, Err(StoreError::Inconsistent(_))), "{refused:?}");
    assert!(matches!(desk.store.commit(Vec::new()).await, Err(StoreError::Inconsistent(_))));
}

async fn what_was_tampered_with_is_found(desk: Desk) {
    let case = desk.case().await;
    let change = desk.comment(&case, request());
    desk.commit(of_case(&change)).await.unwrap();
    let url = &desk.database.url;
    assert_eq!(desk.broken().await, Vec::<String>::new());
    let tamper = |sql: &str| probe::execute(url, sql).unwrap();
    tamper("update journal set actor_name = '别人' where name = 'comment'");
    let broken = desk.broken().await;
    assert!(broken.len() == 1 && broken[0].contains("entry 2 was changed"), "{broken:?}");
    tamper("update journal set actor_name = '全能者' where name = 'comment'");
    assert_eq!(desk.broken().await, Vec::<String>::new());
    let swap =
        |from: &str, to: &str| format!("update cases set state = replace(state, '{from}', '{to}')");
    tamper(&swap("油烟", "烟油"));
    let broken = desk.broken().await;
    assert!(broken.len() == 1 && broken[0].contains("stored state"), "{broken:?}");
    tamper(&swap("烟油", "油烟"));
    assert_eq!(desk.broken().await, Vec::<String>::new());
    // Taking out a middle or the first entry shows; so does taking out the last.
    tamper("create table kept as select * from journal where name in ('open', 'comment')");
    for name in ["open", "comment"] {
        tamper(&format!("delete from journal where name = '{name}'"));
        let broken = desk.broken().await;
        let named = |what: &str| broken.iter().any(|why| why.contains(what));
        assert!(named("case") && named("feed"), "{name}: {broken:?}");
        tamper(&format!("insert into journal select * from kept where name = '{name}'"));
    }
    assert_eq!(desk.broken().await, Vec::<String>::new());
}

async fn a_reader_cannot_write(desk: Desk) {
    let (tenant, person) = (desk.tenant.id, desk.by.person);
    let session = sessions::Session {
        id: new_id(),
        person,
        refresh_hash: vec![7; 32],
        method: "password".to_owned(),
        device: String::new(),
        address: String::new(),
        created_at: now(),
        used_at: now(),
        expires_at: now(),
        restriction: None,
    };
    let (id, again) = (session.id, session.clone());
    let written = desk.store.read(move |db| sessions::open(db, tenant, &session, 10)).await;
    let engine_refuses = desk.database.url.starts_with("sqlite");
    assert_eq!(written.is_err(), engine_refuses, "{written:?}");
    if engine_refuses {
        desk.store.run(move |db| sessions::open(db, tenant, &again, 10)).await.unwrap();
    }
    let revoked = desk.store.run(move |db| sessions::end(db, tenant, id, "logout", now())).await;
    revoked.unwrap();
}
