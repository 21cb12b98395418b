//! The views of the files a report or a case names.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::id::MediaId,
    flows::{
        case::state::Case,
        change::Versioned,
        content_review::{Review, StatusName as Verdict},
        media::{Attached, AttachedState, Attachment, Kind, Media, MediaRole, Reader},
        report::Report,
    },
    people::actor::Actor,
};
use persistence::flows::{content_review as reviews, media as kept};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::LinksView;
use crate::{
    app::{caller::Caller, state::App, world::TenantSnapshot},
    http::{problem::Reply, view},
};

/// The attachments of a command: files with their role, each by the identity the phone made.
pub fn build_attachments(named: &[(&[Uuid], MediaRole)]) -> Vec<Attachment> {
    let of = |(ids, role): &(&[Uuid], MediaRole)| {
        let role = *role;
        ids.iter().map(move |id| Attachment { media: MediaId(*id), role }).collect::<Vec<_>>()
    };
    named.iter().flat_map(of).collect()
}

/// A file that is named.
#[derive(Serialize, ToSchema)]
pub struct AttachedView {
    /// The identity of the file. 文件标识。
    id: Uuid,
    /// The role of the file: what it shows.
    #[schema(schema_with = view::media_role)]
    role: &'static str,
    /// The role in Chinese. 用途名称。
    role_label: &'static str,
    /// The present status.
    #[schema(schema_with = view::attached_state)]
    state: &'static str,
    /// The state in Chinese. 状态名称。
    state_label: &'static str,
    /// The report it came with; none when it came with a step of the case. 随哪个上报。
    report_id: Option<Uuid>,
    /// When it was named.
    named_at: DateTime<Utc>,
    /// What kind of file, once it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = view::media_kind_or_null)]
    kind: Option<&'static str>,
    /// Whether others of the public may see it; left out where no review is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = view::review_status_or_null)]
    review: Option<&'static str>,
    /// Links to its bytes, while it is there and the caller may see it. 链接。
    links: Option<LinksView>,
}

/// A file that is named, with the report it came with.
type Named = (Attached, Option<Uuid>);

/// The files of something; none where it names none.
pub type Files = Option<Vec<AttachedView>>;

/// The files that one report or case names, and whether the caller reads it in office.
struct NamedTogether {
    named: Vec<Named>,
    staff: bool,
}

/// The files of a report.
pub async fn load_report_files(app: &App, caller: &Caller, report: &Report) -> Reply<Files> {
    let named = vec![named_in_report(caller, report, app.clock.now())];
    Ok(load_files(app, caller, named).await?.pop().flatten())
}

/// The files of a case and of the reports it answers.
pub async fn load_case_files(app: &App, caller: &Caller, case: &Case) -> Reply<Files> {
    let named = named_in_cases(app, caller, &[case]).await?;
    Ok(load_files(app, caller, named).await?.pop().flatten())
}

/// The files of several reports, in their order, without links.
pub async fn list_of_reports(app: &App, caller: &Caller, reports: &[&Report]) -> Reply<Vec<Files>> {
    let now = app.clock.now();
    let named = reports.iter().map(|report| named_in_report(caller, report, now)).collect();
    Ok(without_links(load_files(app, caller, named).await?))
}

/// The files of several cases and of the reports they answer, in their order, without links.
pub async fn list_of_cases(app: &App, caller: &Caller, cases: &[&Case]) -> Reply<Vec<Files>> {
    let named = named_in_cases(app, caller, cases).await?;
    Ok(without_links(load_files(app, caller, named).await?))
}

fn without_links(mut all: Vec<Files>) -> Vec<Files> {
    for file in all.iter_mut().flatten().flatten() {
        file.links = None;
    }
    all
}

fn named_in_report(by: &Actor, report: &Report, at: Instant) -> NamedTogether {
    let named = report.media.iter().map(|one| (*one, None)).collect();
    NamedTogether { named, staff: report.may_read_in_office(by, at) }
}

async fn named_in_cases(app: &App, caller: &Caller, cases: &[&Case]) -> Reply<Vec<NamedTogether>> {
    /// The most reports of a case whose files are shown: the photos of the first are enough.
    const MOST_REPORTS: usize = 20;
    let reports_of = |case: &Case| {
        let first = case.reports.iter().take(MOST_REPORTS);
        first.map(|reporter| reporter.report.0).collect::<Vec<Uuid>>()
    };
    let ids: Vec<Uuid> = cases.iter().flat_map(|case| reports_of(case)).collect();
    let mut reports = HashMap::with_capacity(ids.len());
    for report in app.store.load_states::<Report>(caller.tenant, &ids).await {
        reports.extend(report?.map(|report| (report.state.id.0, report)));
    }
    let now = app.clock.now();
    let of_case = |case: &&Case| {
        let mut named: Vec<Named> = Vec::new();
        for report in reports_of(case).iter().filter_map(|id| reports.get(id)) {
            let id = Some(report.state.id.0);
            named.extend(report.state.media.iter().map(|one| (*one, id)));
        }
        named.extend(case.media.iter().map(|one| (*one, None)));
        NamedTogether { named, staff: case.may_read_in_office(caller, now) }
    };
    Ok(cases.iter().map(of_case).collect())
}

/// The loaded files, marks and reviews.
struct Found {
    media: HashMap<Uuid, Versioned<Media>>,
    reviews: HashMap<Uuid, Versioned<Review>>,
}

async fn load_files(app: &App, caller: &Caller, all: Vec<NamedTogether>) -> Reply<Vec<Files>> {
    /// How many are loaded by one query.
    const AT_ONCE: usize = 1000;
    let tenant = caller.tenant;
    let ids: Vec<Uuid> =
        all.iter().flat_map(|one| &one.named).map(|(one, _)| one.media.0).collect();
    if ids.is_empty() {
        return Ok(all.iter().map(|_| None).collect());
    }
    let look = move |db: &mut persistence::Db| {
        let (mut media, mut about) = (Vec::new(), Vec::new());
        for ids in ids.chunks(AT_ONCE) {
            media.extend(kept::load_existing(db, tenant, ids)?);
            about.extend(reviews::load_about(db, tenant, ids)?);
        }
        Ok((media, about))
    };
    let (media, reviews) = app.store.read(look).await?;
    let found = Found {
        media: media.into_iter().map(|one| (one.state.id.0, one)).collect(),
        reviews: reviews.into_iter().map(|one| (one.state.about, one)).collect(),
    };
    let world = app.world(tenant)?;
    let files = |NamedTogether { named, staff }: &NamedTogether| {
        let view = |(one, report): &Named| {
            found.attached_view(app, &world, caller, (one, *report), *staff)
        };
        let shown = named.iter().filter(|(one, _)| !found.is_named_better(one, named));
        (!named.is_empty()).then(|| shown.map(view).collect())
    };
    Ok(all.iter().map(files).collect())
}

impl Found {
    /// Whether the person who sent a file names it too: then it is theirs, and that this one did
    /// counts for nothing.
    fn is_named_better(&self, one: &Attached, named: &[Named]) -> bool {
        let sender = self.media.get(&one.media.0).map(|stored| stored.state.by);
        let of_sender = |(other, _): &Named| other.media == one.media && Some(other.by) == sender;
        Some(one.by) != sender && named.iter().any(of_sender)
    }

    fn attached_view(
        &self,
        app: &App,
        world: &TenantSnapshot,
        caller: &Actor,
        (named, report_id): (&Attached, Option<Uuid>),
        staff: bool,
    ) -> AttachedView {
        // A file that another person sent under this identity is not the file that was named.
        let media = self.media.get(&named.media.0).map(|stored| &stored.state);
        let media = media.filter(|media| media.by == named.by);
        let review = self.reviews.get(&named.media.0).filter(|_| media.is_some());
        let verdict = review.map(|review| review.state.status.name());
        let reader = match (named.by == caller.person, staff) {
            (true, _) => Reader::Sender,
            (false, true) => Reader::Staff,
            (false, false) => Reader::Public,
        };
        let state = match media {
            None => AttachedState::Awaited,
            Some(media) if media.gone.is_some() => AttachedState::Gone,
            Some(media) if media.is_viewable_by(reader, verdict == Some(Verdict::Passed)) => {
                AttachedState::Present
            }
            Some(_) => AttachedState::Withheld,
        };
        let present = media.filter(|_| state == AttachedState::Present);
        AttachedView {
            id: named.media.0,
            role: named.role.name(),
            role_label: named.role.label(),
            state: state.name(),
            state_label: state.label(),
            report_id,
            named_at: named.at,
            kind: media.map(|media| media.format.kind()).map(Kind::name),
            review: verdict.map(Verdict::name),
            links: present.map(|media| LinksView::new(app, world, media)),
        }
    }
}
