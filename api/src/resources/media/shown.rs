//! The files a report or a case names, as they are shown with it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    core::id::MediaId,
    flows::{
        case::state::Case,
        change::Stored,
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
    app::{caller::Caller, state::App, world::World},
    http::{problem::Reply, view},
};

/// What a command names: files that show something, each by the identity the phone made.
pub fn attachments(named: &[(&[Uuid], MediaRole)]) -> Vec<Attachment> {
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
    /// What it shows.
    #[schema(schema_with = view::media_role)]
    role: &'static str,
    /// The role in Chinese. 用途名称。
    role_label: &'static str,
    /// How it stands.
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
    /// Whether others of the public may see it; left out where nobody has to look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = view::review_status_or_null)]
    review: Option<&'static str>,
    /// Links to its bytes, while it is there and for the caller. 链接。
    links: Option<LinksView>,
}

/// A file that is named, with the report it came with.
type Named = (Attached, Option<Uuid>);

/// The files of something; none where it names none.
type Files = Option<Vec<AttachedView>>;

/// The files of a report.
pub async fn of_report(app: &App, caller: &Caller, report: &Report) -> Reply<Files> {
    let staff = report.read_in_office(caller, app.clock.now());
    let named = report.media.iter().map(|one| (*one, None)).collect();
    shown(app, caller, named, staff).await
}

/// The files of a case and of the reports it answers.
pub async fn of_case(app: &App, caller: &Caller, case: &Case) -> Reply<Files> {
    /// Of a matter that hundreds reported, the photos of the first are enough.
    const MOST_REPORTS: usize = 20;
    let staff = case.read_in_office(caller, app.clock.now());
    let mut named: Vec<Named> = Vec::new();
    let ids = case.reports.iter().take(MOST_REPORTS).map(|reporter| reporter.report.0);
    let ids: Vec<Uuid> = ids.collect();
    for report in app.store.look_all::<Report>(caller.tenant, &ids).await {
        let Some(report) = report? else { continue };
        let id = Some(report.state.id.0);
        named.extend(report.state.media.iter().map(|one| (*one, id)));
    }
    named.extend(case.media.iter().map(|one| (*one, None)));
    shown(app, caller, named, staff).await
}

/// What is known of the files that are named.
struct Found {
    media: HashMap<Uuid, Stored<Media>>,
    reviews: HashMap<Uuid, Stored<Review>>,
}

async fn shown(app: &App, caller: &Caller, named: Vec<Named>, staff: bool) -> Reply<Files> {
    if named.is_empty() {
        return Ok(None);
    }
    let tenant = caller.tenant;
    let ids: Vec<Uuid> = named.iter().map(|(one, _)| one.media.0).collect();
    let look = move |db: &mut persistence::Db| {
        Ok((kept::among(db, tenant, &ids)?, reviews::about(db, tenant, &ids)?))
    };
    let (media, reviews) = app.store.read(look).await?;
    let found = Found {
        media: media.into_iter().map(|one| (one.state.id.0, one)).collect(),
        reviews: reviews.into_iter().map(|one| (one.state.about, one)).collect(),
    };
    let world = app.world(tenant)?;
    let view = |(one, report): &Named| found.view(app, &world, caller, (one, *report), staff);
    Ok(Some(named.iter().map(view).collect()))
}

impl Found {
    fn view(
        &self,
        app: &App,
        world: &World,
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
            Some(media) if media.shown_to(reader, verdict == Some(Verdict::Passed)) => {
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
