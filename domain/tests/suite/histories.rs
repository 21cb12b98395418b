//! Journals that contain every type of event of a kind of flow, for [`journals`](super::journals).

use chrono::{Duration, TimeZone as _, Utc};
use domain::{
    Instant,
    calendar::limit::Limit,
    core::{
        id::{FormId, MediaId},
        journal::Entry,
        text::Code,
    },
    flows::{
        campaign::{self, Campaign},
        case,
        content_review::{self, Cause, Opening, Review, Subject, Suggestion},
        flow::Flow,
        form::{self, Form},
        household::{self, Household, PairingKind, Update},
        media::{self, Attachment, Format, Media, MediaRole, Upload},
        patrol::{self, Patrol},
        patrol_plan::{self, PatrolPlan},
        person::{self, Person},
        policy::{self, Document, Policy, PolicyKind},
        report::{self, Report},
        visit::{self, Outcome, Visit},
    },
    people::{
        actor::{Actor, Role},
        staffing::Staffing,
    },
    rules::{
        burden::Counts,
        obligation::Duty,
        rulebook::Rules,
        sla::{Matrix, References},
    },
};
use serde_json::json;
use uuid::Uuid;

use super::{
    household as homes, patrol as patrols, person as people,
    policy::knowing_2029,
    report as reports,
    script::{Script, WORKER, call_off, coordinate, dispatch, rule},
    visit as visits,
    walk::random_journals,
    world::{
        CITY, Chain, GRID, TENANT, WORLD, actor, almighty, line, minutes, morning, person_id,
        prose, system, unit,
    },
};

type Journals = Vec<Vec<Entry>>;

/// The entries of these commands, given a minute apart.
fn told<F: Flow>(mut chain: Chain<F>, steps: Vec<(Actor, F::Command)>) -> Vec<Entry> {
    let mut at = chain.entries.last().map_or_else(morning, |entry| entry.at);
    for (by, command) in steps {
        at += minutes(1);
        let name = F::command_name(&command);
        let change =
            chain.try_command(&by, at, &command).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        chain.commit(&change);
    }
    chain.entries
}

/// The journals of cases and reports, in which each type of event happens.
pub(crate) fn of_cases() -> (Journals, Journals) {
    let mut scripts: Vec<Script> =
        Script::all_stages().into_iter().map(|(_, script)| script).collect();
    scripts.extend([
        Script::until_ruling().then_other(&rule(true)),
        Script::until_ruling().then_other(&rule(false)),
        Script::until_raised().then_other(&coordinate()),
        Script::until_whistled().then_other(&call_off()),
        attached(),
        recomputed(),
    ]);
    let (mut cases, mut reports) = random_journals(60);
    cases.extend(scripts.into_iter().map(|script| script.chain.entries));
    reports.push(recomputed_report());
    (cases, reports)
}

/// A case with a file attached to a remark.
fn attached() -> Script {
    let media = MediaId(Uuid::from_u128(0x3ED1A));
    let media = vec![Attachment { media, role: MediaRole::Before }];
    let asked = Box::new(super::script::comment());
    Script::until_filed().then_other(&case::Command::With { media, asked })
}

/// A time before the holidays of its year were known.
fn in_2029() -> Instant {
    Utc.with_ymd_and_hms(2029, 12, 20, 2, 0, 0).unwrap()
}

fn recomputed() -> Script {
    let mut script = Script::until_filed().wait_until(in_2029()).then_other(&dispatch(GRID));
    script.chain.rules = knowing_2029();
    script.act_now(&system(), &case::Command::Recompute).0
}

/// The same for a report, where the receiver has days to decide.
fn recomputed_report() -> Vec<Entry> {
    let slow = |rules: &Rules| -> &'static Rules {
        let (mut rules, mut matrix) = (rules.clone(), Matrix::standard());
        for row in matrix.rows.iter_mut().filter(|row| row.duty == Duty::Accept) {
            row.limit = Limit::working_days(10);
        }
        rules.enact_document(Document::Deadlines(matrix), 1, &References::new_empty());
        Box::leak(Box::new(rules))
    };
    let mut chain = Chain::<Report>::with_rules(slow(&WORLD.rules));
    let submit = report::Command::Submit(Box::new(reports::draft(0)));
    chain.commit(&chain.try_command(&almighty(WORKER), in_2029(), &submit).unwrap());
    chain.rules = slow(knowing_2029());
    chain.commit(&chain.try_command(&system(), in_2029(), &report::Command::Recompute).unwrap());
    chain.entries
}

/// The journals of people, in which each type of event happens.
pub(crate) fn of_people() -> Journals {
    let by = || people::administrator(CITY);
    let own = || actor(1, "新同事", &[(Role::GridWorker, GRID)]);
    let grant = |role, area| people::new_grant(role, area);
    let (reason, until) = (|| prose("岗位调整"), morning() + Duration::hours(8));
    let hotline = Role::Hotline;
    let chain = people::until_registered(&[(hotline, CITY)]);
    let worked = vec![
        (by(), person::Command::Rename { name: line("改名") }),
        (by(), person::Command::Grant { grant: grant(Role::GridWorker, GRID) }),
        (own(), person::Command::StartShift { area: GRID, until }),
        (own(), person::Command::EndShift),
        (by(), person::Command::ResetPassword),
        (
            by(),
            person::Command::HandOver {
                role: hotline,
                area: CITY,
                to: person_id(2),
                reason: reason(),
            },
        ),
        (by(), person::Command::TakeOver { grants: vec![grant(hotline, CITY)], of: person_id(2) }),
        (by(), person::Command::Suspend { reason: reason(), staffing: Staffing::default() }),
        (by(), person::Command::Reinstate),
        (
            by(),
            person::Command::Revoke {
                role: Role::GridWorker,
                area: GRID,
                staffing: Staffing::default(),
            },
        ),
        (
            by(),
            person::Command::Leave { reason: reason(), to: None, staffing: Staffing::default() },
        ),
    ];
    let chief = people::until_registered(&[(Role::Administrator, CITY)]);
    let stood = vec![(
        actor(1, "新同事", &[(Role::Administrator, CITY)]),
        person::Command::Stand { over: vec![CITY] },
    )];
    vec![told::<Person>(chain, worked), told::<Person>(chief, stood)]
}

/// The journals of documents, one of each kind.
pub(crate) fn of_policies() -> Journals {
    let publish = |kind: &PolicyKind| {
        let document = Box::new(Document::standard(*kind));
        let note = prose("试行半年");
        let command = policy::Command::Publish { tenant: TENANT, document, note };
        told::<Policy>(Chain::default(), vec![(people::administrator(CITY), command)])
    };
    PolicyKind::ALL.iter().map(publish).collect()
}

/// The journals of patrols, in which each type of event happens.
pub(crate) fn of_patrols() -> Journals {
    use patrol::Command as P;
    let by = || actor(1, "王网格", &[(Role::GridWorker, GRID)]);
    let walked = vec![
        (by(), P::Start { window: None, time: None, late: None }),
        (by(), P::Pause { time: None }),
        (by(), P::Resume { time: None }),
        (by(), P::Note { text: prose("井盖已复位") }),
        (by(), P::Finish { time: None, late: None, note: None }),
    ];
    let cancelled = vec![(almighty(9), P::Cancel { reason: prose("暴雨") })];
    let mut urged = patrols::until_planned();
    let term = urged.state().status.term().unwrap().clone();
    let lapse = P::Lapse { term: term.no };
    urged.commit(&urged.try_command(&system(), term.next_at.unwrap(), &lapse).unwrap());
    vec![
        told::<Patrol>(patrols::until_planned(), walked),
        told::<Patrol>(patrols::until_planned(), cancelled),
        urged.entries,
    ]
}

/// The journals of plans of patrols, in which each type of event happens.
pub(crate) fn of_plans() -> Journals {
    use patrol_plan::Command as P;
    let amend = P::Amend { content: Box::new(patrols::content()) };
    let steps = vec![
        (system(), P::Make),
        (almighty(9), amend),
        (almighty(9), P::Retire { reason: prose("已并入日常巡查") }),
    ];
    vec![told::<PatrolPlan>(patrols::until_created(), steps)]
}

/// The journals of households, in which each type of event happens.
pub(crate) fn of_households() -> Journals {
    use household::Command as H;
    let by = || homes::worker(GRID);
    let form = FormId(Uuid::from_u128(0xF0));
    let (answers, counts) = (Uuid::from_u128(0xF1), Counts::default());
    let steps = vec![
        (by(), H::Update(Box::new(Update { size: Some(4), ..Update::default() }))),
        (by(), homes::pair(70, PairingKind::Cadre)),
        (by(), H::Answer { form, edition: 1, answers, counts }),
        (by(), H::Unpair { person: person_id(70), kind: PairingKind::Cadre }),
        (by(), H::Leave),
        (by(), H::Return),
        (almighty(1), H::Erase { reason: prose("应本人请求") }),
    ];
    vec![told::<Household>(homes::until_registered(), steps)]
}

/// The journals of visits, in which each type of event happens.
pub(crate) fn of_visits() -> Journals {
    use visit::Command as V;
    let by = || homes::worker(GRID);
    let correction = visit::Correction {
        outcome: Some(Outcome::Met),
        purposes: None,
        opinions: Some(prose("希望加装电梯")),
        reason: prose("记错了户"),
    };
    let went = vec![
        (by(), V::Record(Box::new(visits::record(Outcome::NobodyHome)))),
        (by(), V::Correct(Box::new(correction))),
    ];
    let cancelled = vec![(by(), V::Cancel { reason: prose("已通过电话联系") })];
    vec![
        told::<Visit>(visits::until_planned(60), went),
        told::<Visit>(visits::until_planned(60), cancelled),
    ]
}

/// The journals of campaigns, in which each type of event happens.
pub(crate) fn of_campaigns() -> Journals {
    use campaign::Command as C;
    let steps = vec![
        (system(), C::Complete { grid: GRID }),
        (visits::organiser(), C::Close { note: Some(prose("全部走访")), open: Vec::new() }),
    ];
    vec![told::<Campaign>(visits::new_campaign(true), steps)]
}

/// The journals of forms, in which each type of event happens.
pub(crate) fn of_forms() -> Journals {
    let schema = json!({
        "type": "object",
        "title": "月报",
        "properties": { "heating": { "type": "string", "title": "取暖方式", "enum": ["煤", "电"] } },
    });
    let publish = form::Command::Publish {
        tenant: TENANT,
        code: Code::try_from("monthly").unwrap(),
        schema: Box::new(schema),
        note: prose("准入文号一"),
    };
    let by = || people::administrator(CITY);
    let withdraw = form::Command::Withdraw { reason: prose("不再需要") };
    vec![told::<Form>(Chain::default(), vec![(by(), publish), (by(), withdraw)])]
}

/// The journals of files, in which each type of event happens.
pub(crate) fn of_media() -> Journals {
    let upload = Upload {
        id: MediaId(Uuid::from_u128(0x3ED1A)),
        format: Format::Jpeg,
        bytes: 48_213,
        sha256: "9f".repeat(32),
        size: Some((1600, 1200)),
        original: false,
    };
    let steps = vec![
        (actor(11, "陈居民", &[(Role::Resident, CITY)]), media::Command::Upload(upload)),
        (system(), media::Command::Drop { cause: media::Cause::Unused }),
    ];
    vec![told::<Media>(Chain::default(), steps)]
}

/// The journals of content reviews, in which each type of event happens.
pub(crate) fn of_reviews() -> Journals {
    use content_review::Command as R;
    let opening = |about| Opening {
        subject: Subject::Text,
        about: Uuid::from_u128(about),
        named_by: Uuid::from_u128(about),
        over: unit(GRID),
        automatic: true,
        address: false,
    };
    let heard = vec![
        (almighty(1), R::Open(opening(0x4E00))),
        (system(), R::Ask),
        (system(), R::Hear { suggestion: Suggestion::Pass, label: Some(100) }),
    ];
    let queued = vec![
        (almighty(1), R::Open(opening(0x4E01))),
        (system(), R::Queue { cause: Cause::Late }),
        (almighty(2), R::Decide { pass: false, note: Some(prose("含他人电话")) }),
    ];
    vec![told::<Review>(Chain::default(), heard), told::<Review>(Chain::default(), queued)]
}
