//! The only door for writes, tested directly: the promises of a commit, whatever it is given.

use std::sync::LazyLock;

use actix_web::rt::System;
use api::app::{catalogue, clock::new_id};
use domain::{
    area::tree::AreaTree,
    core::{
        id::{CaseId, CommandId, NumberLength, PersonId, ReportId, TenantId},
        journal::{Entry, FlowKind},
        text::{Code, Line, Prose},
    },
    flows::{
        case::{Command, state::Case},
        change::{Change, Request, Versioned, execute},
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

use crate::harness::{Database, Engine, seed as places, shared_template};

macro_rules! on_both_stores {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $story() {
                super::run_desk($crate::harness::Engine::Sqlite, super::$story);
            })+
        }
        mod postgres {
            $(#[test]
            fn $story() {
                super::run_desk($crate::harness::Engine::Postgres, super::$story);
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

/// A store on the seeded city, and the context of decisions.
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

pub(crate) fn run_desk<F: Future<Output = ()>>(engine: Engine, tell: impl FnOnce(Desk) -> F) {
    let database = Database::new_seeded(engine);
    let options = Options { readers: Some(2), writers: Some(1), waiting: 4096 };
    let store = Store::open(&database.url, options).unwrap();
    System::new().block_on(async move {
        let all = store.read(tenant::load_all).await.unwrap();
        let tenant = all.into_iter().find(|tenant| tenant.code == places::CITY).unwrap();
        let id = tenant.id;
        let registry = store.read(move |db| area::load_registry(db, id)).await.unwrap();
        let areas = registry.build_tree(domain::core::time::local_day(now()));
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
            person: PersonId(shared_template(engine).seeded.people["worker"].id),
            name: "全能者".to_owned(),
            grants: Role::ALL.iter().map(|role| grant(*role)).collect(),
            powers: Powers::built_in(),
        };
        let opened = store.clone();
        tell(Desk {
            database,
            store,
            ago: chrono::Duration::zero(),
            by,
            areas,
            catalogue: catalogue::build_default(),
            tenant,
        })
        .await;
        opened.close();
    });
}

pub(crate) fn now() -> domain::Instant {
    api::app::clock::Clock::default().now()
}

static RULES: LazyLock<Rules> = LazyLock::new(Rules::standard);

fn parse_prose(text: &str) -> Prose {
    Prose::try_from(text).unwrap()
}

fn new_request() -> Request {
    Request::new(CommandId(new_id()), "test", Uuid::nil(), &"body")
}

impl Desk {
    fn new_context(&self) -> Context<'_> {
        Context {
            others: &[],
            by: &self.by,
            at: now() - self.ago,
            seq: 1,
            rules: &RULES,
            areas: &self.areas,
            catalogue: &self.catalogue,
            kept: None,
            numbers: NumberLength::default(),
        }
    }

    fn new_draft(&self) -> Draft {
        Draft {
            id: ReportId(new_id()),
            channel: Channel::Worker,
            title: None,
            text: parse_prose("油烟扰民"),
            category: None,
            urgency: Urgency::Normal,
            demand: None,
            area: self.areas.find_by_code(places::GRID).map(|area| area.id),
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

    pub(crate) fn submit_report(&self) -> Change<Report> {
        intake::submit_report(self.new_draft(), new_request(), self.new_context()).unwrap().0
    }

    fn file_report(
        &self,
        report: &Versioned<Report>,
        case: CaseId,
    ) -> (Change<Report>, Change<Case>) {
        intake::file_report(report, case, Correction::default(), new_request(), self.new_context())
            .unwrap()
    }

    fn comment_case(&self, case: &Versioned<Case>, asked: Request) -> Change<Case> {
        let command = Command::Comment { text: parse_prose("批注") };
        execute(Some(case), &command, asked, self.new_context()).unwrap()
    }

    fn register_person(&self, account: &str) -> Change<Person> {
        let command = person::Command::Register {
            id: PersonId(new_id()),
            account: Code::try_from(account).unwrap(),
            name: Line::try_from("某人").unwrap(),
            grants: Vec::new(),
        };
        execute(None, &command, new_request(), self.new_context()).unwrap()
    }

    pub(crate) async fn commit_write(&self, write: Write) -> Result<Outcome, StoreError> {
        self.store.commit(vec![write]).await
    }

    /// A case that exists.
    pub(crate) async fn create_case(&self) -> Versioned<Case> {
        let report = self.submit_report();
        self.commit_write(report_write(&report)).await.unwrap();
        let (filed, opened) = self.file_report(&report.to_stored(), CaseId(new_id()));
        let both = vec![report_write(&filed), case_write(&opened)];
        assert_eq!(self.store.commit(both).await.unwrap(), Outcome::Done);
        self.find_case(opened.state.id).await.unwrap()
    }

    async fn find_case(&self, id: CaseId) -> Option<Versioned<Case>> {
        let tenant = self.tenant.id;
        self.store.read(move |db| persistence::load_state::<Case>(db, tenant, id.0)).await.unwrap()
    }

    async fn find_report(&self, id: ReportId) -> Option<Versioned<Report>> {
        let tenant = self.tenant.id;
        self.store
            .read(move |db| persistence::load_state::<Report>(db, tenant, id.0))
            .await
            .unwrap()
    }

    async fn find_person(&self, id: PersonId) -> Option<Versioned<Person>> {
        let tenant = self.tenant.id;
        self.store
            .read(move |db| persistence::load_state::<Person>(db, tenant, id.0))
            .await
            .unwrap()
    }

    pub(crate) async fn find_broken(&self) -> Vec<String> {
        api::engine::verify::check_tenants(&self.store, None).await.unwrap().broken
    }
}

fn case_write(change: &Change<Case>) -> Write {
    Write::from(change.clone())
}

pub(crate) fn report_write(change: &Change<Report>) -> Write {
    Write::from(change.clone())
}

fn person_write(change: &Change<Person>) -> Write {
    Write::from(change.clone())
}

async fn a_change_is_found_as_it_was_committed(desk: Desk) {
    let case = desk.create_case().await;
    assert_eq!(desk.find_case(case.state.id).await, Some(case.clone()));
    let (tenant, id) = (desk.tenant.id, case.state.id.0);
    let chain = move |db: &mut Db| journal::load_chain(db, tenant, (FlowKind::Case, id), None);
    let chain = desk.store.read(chain).await.unwrap();
    assert_eq!(domain::core::journal::verify_chain(&chain).unwrap(), case.head);
    let replayed =
        desk.store.read(move |db| journal::load_state_at::<Case>(db, tenant, id, 1)).await.unwrap();
    assert_eq!(replayed, Some(case));
    assert_eq!(desk.find_broken().await, Vec::<String>::new());
}

async fn a_place_in_the_journal_is_taken_once(desk: Desk) {
    let case = desk.create_case().await;
    let (one, other) =
        (desk.comment_case(&case, new_request()), desk.comment_case(&case, new_request()));
    assert_eq!(desk.commit_write(case_write(&one)).await.unwrap(), Outcome::Done);
    assert_eq!(desk.commit_write(case_write(&other)).await.unwrap(), Outcome::Stale);
    assert_eq!(desk.find_case(case.state.id).await.unwrap(), one.to_stored());
    let again = desk.comment_case(&one.to_stored(), other.entry.command_of());
    assert_eq!(desk.commit_write(case_write(&again)).await.unwrap(), Outcome::Done);
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
    let case = desk.create_case().await;
    let asked = new_request();
    let first = desk.comment_case(&case, asked);
    assert_eq!(desk.commit_write(case_write(&first)).await.unwrap(), Outcome::Done);
    assert_eq!(desk.commit_write(case_write(&first)).await.unwrap(), Outcome::Seen);
    let second = desk.comment_case(&first.to_stored(), asked);
    assert_eq!(desk.commit_write(case_write(&second)).await.unwrap(), Outcome::Seen);
    assert_eq!(desk.find_case(case.state.id).await.unwrap().seq, 2);
    let (tenant, actor) = (desk.tenant.id, first.entry.actor);
    let store = &desk.store;
    let look = |tenant, actor| {
        store.read(move |db| journal::find_command(db, tenant, actor, asked.command))
    };
    let seen = look(tenant, actor).await.unwrap().unwrap();
    assert_eq!((seen.request, seen.seq, seen.flow), (asked, 2, case.state.id.0));
    // To another tenant, and of another caller, it is new.
    assert_eq!(look(TenantId(new_id()), actor).await.unwrap(), None);
    assert_eq!(look(tenant, PersonId(new_id())).await.unwrap(), None);
}

async fn two_flows_are_committed_together_or_not_at_all(desk: Desk) {
    let (taken, report) = (desk.create_case().await, desk.submit_report());
    desk.commit_write(report_write(&report)).await.unwrap();
    // The case's first place is taken; the report's second is free.
    let (filed, opened) = desk.file_report(&report.to_stored(), taken.state.id);
    let both = vec![report_write(&filed), case_write(&opened)];
    assert_eq!(desk.store.commit(both).await.unwrap(), Outcome::Stale);
    assert_eq!(desk.find_report(report.state.id).await.unwrap(), report.to_stored());
    assert_eq!(desk.find_case(taken.state.id).await.unwrap(), taken);
    assert_eq!(desk.find_broken().await, Vec::<String>::new());
}

/// Commits all at the same moment; those that wait while the first is written share a transaction.
async fn commit_together(desk: &Desk, writes: Vec<Vec<Write>>) -> Vec<Result<Outcome, StoreError>> {
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
    let asked = new_request();
    let told =
        |desk: &Desk| intake::submit_report(desk.new_draft(), asked, desk.new_context()).unwrap().0;
    let reports = [told(&desk), told(&desk), told(&desk)];
    let ids = reports.clone().map(|report| report.state.id.0);
    let decided = reports.clone().map(|report| (report.entry.part, report.entry.hash));
    assert!(decided.iter().all(|(part, _)| *part == 0), "nobody numbered them");
    let writes = reports.clone().map(Write::from).to_vec();
    assert_eq!(desk.store.commit(writes.clone()).await.unwrap(), Outcome::Done);
    let tenant = desk.tenant.id;
    let read = move |db: &mut Db| {
        let chain = |id: &Uuid| journal::load_chain(db, tenant, (FlowKind::Report, *id), None);
        ids.iter().map(chain).collect::<Result<Vec<_>, _>>()
    };
    let chains = desk.store.read(read).await.unwrap();
    let entries: Vec<&Entry> = chains.iter().flatten().collect();
    assert_eq!(entries.iter().map(|entry| entry.part).collect::<Vec<_>>(), [0, 1, 2]);
    for (entry, (_, hash)) in entries.iter().zip(decided) {
        assert_eq!(entry.hash, entry.compute_hash(), "sealed with its number");
        assert_eq!(entry.hash == hash, entry.part == 0, "the first is what was decided");
    }
    // Memory and rows know the same hash, so the next command follows.
    for (id, entry) in ids.iter().zip(&entries) {
        let known = desk.store.recall_state::<Report>(tenant, *id).unwrap();
        let stored = desk.find_report(ReportId(*id)).await.unwrap();
        assert_eq!((known.head, stored.head), (entry.hash, entry.hash));
    }
    assert_eq!(desk.store.commit(writes).await.unwrap(), Outcome::Seen);
    let found = api::engine::verify::check_tenants(&desk.store, None).await.unwrap();
    assert_eq!(found.broken, Vec::<String>::new());
}

async fn one_poisoned_change_does_not_spoil_its_batch(desk: Desk) {
    let good: Vec<_> =
        (0..10).map(|index| desk.register_person(&format!("good-{index}"))).collect();
    // The account is taken; that cannot be known before it is written.
    let bad = desk.register_person("worker");
    let mut writes: Vec<_> = good.iter().map(|change| vec![person_write(change)]).collect();
    writes.insert(5, vec![person_write(&bad)]);
    let outcomes = commit_together(&desk, writes).await;
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
    assert_eq!(desk.find_broken().await, Vec::<String>::new());
}

async fn a_text_the_database_refuses_harms_nobody_else(desk: Desk) {
    let case = desk.create_case().await;
    let mut bad = desk.comment_case(&case, new_request());
    // No command can carry it; should one ever get here, PostgreSQL refuses it and SQLite does not.
    bad.entry.actor_name = "a\0b".to_owned();
    bad.entry = bad.entry.with_computed_hash();
    let good: Vec<_> = (0..6).map(|index| desk.register_person(&format!("good-{index}"))).collect();
    let mut writes: Vec<_> = good.iter().map(|change| vec![person_write(change)]).collect();
    writes.insert(3, vec![case_write(&bad)]);
    let outcomes = commit_together(&desk, writes).await;
    for (index, outcome) in outcomes.iter().enumerate().filter(|(index, _)| *index != 3) {
        assert!(matches!(outcome, Ok(Outcome::Done)), "{index}: {outcome:?}");
    }
    let after = desk.register_person("afterwards");
    assert!(matches!(desk.commit_write(person_write(&after)).await, Ok(Outcome::Done)));
}

async fn replicas_that_write_the_same_in_another_order_do_not_fail(desk: Desk) {
    let options = Options { readers: Some(1), writers: Some(1), waiting: 4096 };
    let replica = Store::open(&desk.database.url, options).unwrap();
    let mut cases = Vec::new();
    for _ in 0..16 {
        cases.push(desk.create_case().await);
    }
    for round in 0..4 {
        let change = |case: &Versioned<Case>| desk.comment_case(case, new_request());
        let one: Vec<_> = cases.iter().map(change).collect();
        let other: Vec<_> = cases.iter().map(change).collect();
        let mut commits = Vec::new();
        for index in 0..cases.len() {
            for (store, change) in
                [(&desk.store, &one[index]), (&replica, &other[cases.len() - 1 - index])]
            {
                let (store, write) = (store.clone(), vec![case_write(change)]);
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
    assert_eq!(desk.find_broken().await, Vec::<String>::new());
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
            actix_web::rt::spawn(async move { store.read(tenant::load_all).await })
        })
        .collect();
    actix_web::rt::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(matches!(small.read(tenant::load_all).await, Err(StoreError::Overloaded)));
    // Writing has a queue of its own.
    let person = desk.register_person("meanwhile");
    assert_eq!(small.commit(vec![person_write(&person)]).await.unwrap(), Outcome::Done);
    release.send(()).unwrap();
    blocker.await.unwrap().unwrap();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    small.read(tenant::load_all).await.unwrap();
    small.close();
}

async fn a_closed_store_takes_nothing(desk: Desk) {
    // Work that was accepted before is finished.
    let store = desk.store.clone();
    let changes: Vec<_> =
        (0..8).map(|index| desk.register_person(&format!("last-{index}"))).collect();
    let writes: Vec<_> = changes.iter().map(|change| vec![person_write(change)]).collect();
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
    assert!(matches!(store.read(tenant::load_all).await, Err(StoreError::Closed)));
    let person = person_write(&desk.register_person("late"));
    assert!(matches!(store.commit(vec![person]).await, Err(StoreError::Closed)));
    store.close();
}

async fn a_write_without_an_entry_is_refused(desk: Desk) {
    let password = Write::Password {
        person: desk.by.person,
        hash: "x".to_owned(),
        origin: persistence::people::person::Origin::Owner,
    };
    let refused = desk.commit_write(password).await;
    assert!(matches!(refused, Err(StoreError::Inconsistent(_))), "{refused:?}");
    assert!(matches!(desk.store.commit(Vec::new()).await, Err(StoreError::Inconsistent(_))));
}

async fn what_was_tampered_with_is_found(desk: Desk) {
    let case = desk.create_case().await;
    let change = desk.comment_case(&case, new_request());
    desk.commit_write(case_write(&change)).await.unwrap();
    let url = &desk.database.url;
    assert_eq!(desk.find_broken().await, Vec::<String>::new());
    let tamper = |sql: &str| probe::execute(url, sql).unwrap();
    tamper("update journal set actor_name = '别人' where name = 'comment'");
    let broken = desk.find_broken().await;
    assert!(broken.len() == 1 && broken[0].contains("entry 2 was changed"), "{broken:?}");
    tamper("update journal set actor_name = '全能者' where name = 'comment'");
    assert_eq!(desk.find_broken().await, Vec::<String>::new());
    let swap =
        |from: &str, to: &str| format!("update cases set state = replace(state, '{from}', '{to}')");
    tamper(&swap("油烟", "烟油"));
    let broken = desk.find_broken().await;
    assert!(broken.len() == 1 && broken[0].contains("stored state"), "{broken:?}");
    tamper(&swap("烟油", "油烟"));
    assert_eq!(desk.find_broken().await, Vec::<String>::new());
    // Taking out a middle or the first entry shows; so does taking out the last.
    tamper("create table kept as select * from journal where name in ('open', 'comment')");
    for name in ["open", "comment"] {
        tamper(&format!("delete from journal where name = '{name}'"));
        let broken = desk.find_broken().await;
        let named = |what: &str| broken.iter().any(|why| why.contains(what));
        assert!(named("case") && named("feed"), "{name}: {broken:?}");
        tamper(&format!("insert into journal select * from kept where name = '{name}'"));
    }
    assert_eq!(desk.find_broken().await, Vec::<String>::new());
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
    let id = session.id;
    let written = desk.store.read(probe::write_as_reader).await;
    let engine_refuses = desk.database.url.starts_with("sqlite");
    assert_eq!(written.is_err(), engine_refuses, "{written:?}");
    desk.store.run(sessions::open_session(tenant, session, 10)).await.unwrap();
    desk.store.run(sessions::log_out_session(tenant, id, now())).await.unwrap();
}
