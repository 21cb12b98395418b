//! The right to a copy of everything that is kept of oneself, over HTTP.

use actix_web::{HttpMessage, HttpRequest, get, web::Data};
use domain::{
    Instant,
    core::id::HouseholdId,
    flows::{
        change::Versioned, household::Household, media::Media, patrol::Patrol, person::Person,
        report::Report,
    },
    people::{
        actor::Scope,
        audit::AuditAction,
        personal::{Field, SubjectKind},
    },
};
use persistence::{
    Db,
    flows::{household as households, media as files, patrol as patrols, report as reports},
    integrations::message,
    kernel::journal::Keyset,
    people::{audit, privacy},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    app::{caller::Caller, ration::Good, state::App},
    engine::step,
    http::{
        page::{Cursor, Limit, Page},
        params::Query,
        problem::Reply,
        register::ServiceConfig,
        view::GrantView,
    },
    privacy::{
        audit::{AuditView, Noting},
        consent::ConsentView,
        contact::ContactView,
        disclosure::DisclosureView,
        names,
    },
    resources::{
        household::sealed::Shown,
        me::messages::{MessageView, PreferencesBody},
        patrol::view::PatrolView,
    },
};

/// Registers the operation of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_my_export);
}

/// The part of the copy to read.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// How many at most, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 20)]
    limit: Option<Limit>,
    /// Where the last page ended.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Place>>,
}

/// The place where a copy continues: the part, the last item, and the first place of the log.
type Place = (Section, Option<(Instant, Uuid)>, i64);

/// The parts of a copy, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The person, and the contact.
    Profile,
    /// Consents given and withdrawn.
    Consents,
    /// Disclosures of the person's data.
    Disclosures,
    /// Reports the person made.
    Reports,
    /// Photos, videos and sounds the person sent.
    Files,
    /// Patrols of the person on duty.
    Patrols,
    /// Messages to the person.
    Messages,
    /// Households of the person, as the grid has them.
    Households,
    /// Acts of the person, as the audit log has them.
    Audit,
}

impl Section {
    const fn next(self) -> Option<Self> {
        match self {
            Self::Profile => Some(Self::Consents),
            Self::Consents => Some(Self::Disclosures),
            Self::Disclosures => Some(Self::Reports),
            Self::Reports => Some(Self::Files),
            Self::Files => Some(Self::Patrols),
            Self::Patrols => Some(Self::Messages),
            Self::Messages => Some(Self::Households),
            Self::Households => Some(Self::Audit),
            Self::Audit => None,
        }
    }
}

/// One item of a person's data.
#[derive(Serialize, ToSchema)]
pub struct ExportItem {
    /// What it is: `profile`, `consent`, `disclosure`, `report`, `file`, `patrol`, `message`, `household`,
    /// `audit`.
    kind: &'static str,
    /// All of it.
    #[schema(value_type = Object)]
    data: Value,
}

impl ExportItem {
    fn new(kind: &'static str, data: impl Serialize) -> Self {
        Self { kind, data: serde_json::to_value(data).unwrap_or_default() }
    }
}

/// Exports everything that is stored about me.
///
/// 导出我的全部个人信息：资料、联系方式、同意记录、明文查看记录、上报、照片、巡查轨迹、消息、住户资料和日志，按页取完；不脱敏。
/// 照片和轨迹按所附路径下载。
#[utoipa::path(tag = "privacy", params(ExportParams), responses((status = 200, body = Page<ExportItem>)))]
#[get("/me/export")]
async fn get_my_export(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    params: Query<ExportParams>,
) -> Reply<Page<ExportItem>> {
    let (tenant, person) = (caller.tenant, caller.person);
    let limit = params.0.limit.unwrap_or_default();
    let (section, after, place) =
        params.0.cursor.map_or((Section::Profile, None, i64::MAX), |cursor| cursor.0);
    let keyset = Keyset { after, limit: limit.probe() };
    let onward = |next: Option<(Instant, Uuid)>| match next {
        Some(next) => Some((section, Some(next), i64::MAX)),
        None => section.next().map(|section| (section, None, i64::MAX)),
    };
    let most = usize::from(limit.get());
    let own = Scope { tenant, person, paths: Vec::new(), units: Vec::new() };
    Ok(match section {
        Section::Profile => {
            let allowance = app.rationed.take_one(&caller, Good::Exports, app.clock.now())?;
            request.extensions_mut().insert(allowance);
            let note = Noting::of_caller(&app, &caller, &request);
            let note = note.note(AuditAction::Export, Some(person.0), &json!({}));
            app.store.run(audit::append_note(tenant, note)).await?;
            let items = vec![ExportItem::new("profile", load_profile(&app, &caller).await?)];
            Page::new(items, onward(None))
        }
        Section::Consents => {
            let mut found = app
                .store
                .read(move |db| privacy::list_consents(db, tenant, person, keyset))
                .await?;
            let next = onward(cut_page(&mut found, most, |one| (one.at, one.id)));
            let item = |one| ExportItem::new("consent", ConsentView::from(one));
            Page::new(found.into_iter().map(item).collect(), next)
        }
        Section::Disclosures => {
            let find =
                move |db: &mut Db| privacy::list_disclosures(db, tenant, Some(person), keyset);
            let mut found = app.store.read(find).await?;
            let next = onward(cut_page(&mut found, most, |one| (one.at, one.id)));
            let item = |one| ExportItem::new("disclosure", DisclosureView::from(one));
            Page::new(found.into_iter().map(item).collect(), next)
        }
        Section::Reports => {
            let own = own.clone();
            let filter = reports::Filter { mine: true, ..reports::Filter::default() };
            let mut found =
                app.store.read(move |db| reports::list(db, &own, &filter, keyset)).await?;
            let place = |one: &Versioned<Report>| (one.state.received_at, one.state.id.0);
            let next = onward(cut_page(&mut found, most, place));
            Page::new(export_reports(&app, &caller, found).await?, next)
        }
        Section::Files => {
            let look = move |db: &mut Db| {
                let found = files::list_for_person(db, tenant, person, keyset)?;
                let ids: Vec<Uuid> = found.iter().map(|one| one.state.id.0).collect();
                Ok((found, files::load_marks(db, tenant, &ids)?))
            };
            let (mut found, marks) = app.store.read(look).await?;
            let next = onward(cut_page(&mut found, most, |one| (one.state.at, one.state.id.0)));
            Page::new(found.iter().map(|one| export_file(&one.state, &marks)).collect(), next)
        }
        Section::Patrols => {
            let filter = patrols::Filter { mine: true, ..patrols::Filter::default() };
            let own = own.clone();
            let mut found =
                app.store.read(move |db| patrols::list(db, &own, &filter, keyset)).await?;
            let place = |one: &Versioned<Patrol>| (one.state.window.from, one.state.id.0);
            let next = onward(cut_page(&mut found, most, place));
            let now = app.clock.now();
            let item = |one: &Versioned<Patrol>| {
                let track = format!("/api/v1/patrols/{}/track", one.state.id);
                ExportItem::new(
                    "patrol",
                    json!({ "patrol": PatrolView::new(one, now), "track": track }),
                )
            };
            Page::new(found.iter().map(item).collect(), next)
        }
        Section::Messages => {
            let look =
                move |db: &mut Db| message::list(db, tenant, person, false, after, limit.probe());
            let mut found = app.store.read(look).await?;
            let next = onward(cut_page(&mut found, most, |one| (one.at, one.id)));
            let item = |one| ExportItem::new("message", MessageView::from(one));
            Page::new(found.into_iter().map(item).collect(), next)
        }
        Section::Households => {
            let from = after.map_or(Uuid::nil(), |(_, id)| id);
            let look = move |db: &mut Db| {
                households::list_for_member(db, tenant, person, from, limit.probe())
            };
            let mut found = app.store.read(look).await?;
            let next = onward(cut_page(&mut found, most, |id| (app.clock.now(), id.0)));
            Page::new(export_households(&app, &caller, found).await?, next)
        }
        Section::Audit => {
            let filter = audit::Filter { actor: Some(person), ..audit::Filter::default() };
            let find =
                move |db: &mut Db| audit::list(db, tenant, &filter, Some(place), limit.probe());
            let mut found = app.store.read(find).await?;
            let next = cut_page(&mut found, most, |one| one.seq);
            let item = |one| ExportItem::new("audit", AuditView::from(one));
            let items = found.into_iter().map(item).collect();
            Page::new(items, next.map(|seq| (section, None::<(Instant, Uuid)>, seq)))
        }
    })
}

/// Cuts probed rows to a page; answers where the next begins, if there is one.
fn cut_page<T, P>(found: &mut Vec<T>, most: usize, place: impl FnOnce(&T) -> P) -> Option<P> {
    let more = found.len() > most;
    found.truncate(most);
    found.last().filter(|_| more).map(place)
}

/// The profile of the person.
#[derive(Serialize)]
struct Profile {
    id: Uuid,
    account: String,
    name: String,
    contact: ContactView,
    grants: Vec<GrantView>,
    /// The preferences for messages.
    messages: PreferencesBody,
    /// How many subscribe messages were agreed to and not sent yet, by template.
    subscriptions: Vec<(String, i32)>,
}

/// A file the person sent; its bytes are at its path.
fn export_file(media: &Media, marks: &[files::Marks]) -> ExportItem {
    let marks = marks.iter().find(|marks| marks.media == media.id);
    let place = marks
        .and_then(|marks| marks.place)
        .map(|(lng, lat)| json!({ "lng": f64::from(lng) / 1e7, "lat": f64::from(lat) / 1e7 }));
    ExportItem::new(
        "file",
        json!({
            "id": media.id, "kind": media.format.kind().name(), "format": media.format.name(),
            "bytes": media.bytes, "sha256": media.sha256, "uploaded_at": media.at,
            "status": media.status().name(), "taken_at": marks.and_then(|marks| marks.taken_at),
            "place": place, "path": format!("/api/v1/media/{}", media.id),
        }),
    )
}

async fn load_profile(app: &App, caller: &Caller) -> Reply<Profile> {
    let stored = step::load_visible::<Person>(app, caller, caller.person.0).await?;
    let person = &stored.state;
    let kept = app
        .vault
        .load_values(
            &app.store,
            caller.tenant,
            (SubjectKind::Person, vec![person.id.0]),
            Field::ALL,
        )
        .await?;
    let (tenant, own) = (caller.tenant, person.id);
    let look = move |db: &mut Db| {
        Ok((message::load_preferences(db, tenant, own)?, message::load_quotas(db, tenant, own)?))
    };
    let (wants, subscriptions) = app.store.read(look).await?;
    Ok(Profile {
        messages: wants.into(),
        subscriptions,
        id: person.id.0,
        account: person.account.as_str().to_owned(),
        name: names::load_own(app, caller.tenant, person).await?,
        contact: ContactView::new_whole(Some(
            kept.get(&person.id.0).unwrap_or(&crate::app::vault::Values::new()),
        )),
        grants: person.grants.iter().map(GrantView::from).collect(),
    })
}

async fn export_reports(
    app: &App,
    caller: &Caller,
    found: Vec<Versioned<Report>>,
) -> Reply<Vec<ExportItem>> {
    let named = found.iter().filter(|one| one.state.contact).map(|one| one.state.id.0);
    let contacts = app
        .vault
        .load_values(&app.store, caller.tenant, (SubjectKind::Report, named.collect()), Field::ALL)
        .await?;
    // When staff report for another person, the contact is that person's.
    let own = caller.grants.iter().all(|grant| !grant.role.is_office());
    let item = |stored: Versioned<Report>| {
        let report = stored.state;
        let kept = contacts.get(&report.id.0);
        let contact = report.contact.then(|| {
            if own { ContactView::new_whole(kept) } else { ContactView::new_masked(kept) }
        });
        ExportItem::new(
            "report",
            json!({
                "id": report.id, "number": report.number, "channel": report.channel,
                "confidential": report.confidential, "anonymous": report.anonymous,
                "title": report.matter.title, "text": report.matter.text,
                "category": report.matter.category, "address": report.place.address,
                "point": report.place.point, "area": report.place.area.name,
                "received_at": report.received_at, "client_time": report.client_at,
                "status": report.status.name(), "case_id": report.status.case(),
                "contact": contact,
            }),
        )
    };
    Ok(found.into_iter().map(item).collect())
}

/// The households the person belongs to: where they are, and the data of this one member.
async fn export_households(
    app: &App,
    caller: &Caller,
    found: Vec<HouseholdId>,
) -> Reply<Vec<ExportItem>> {
    let mut items = Vec::with_capacity(found.len());
    for id in found {
        let Some(stored) = app.store.load_state::<Household>(caller.tenant, id.0).await? else {
            continue;
        };
        let household = &stored.state;
        let shown = Shown::load(app, caller.tenant, household).await?;
        let own = household.members.iter().filter(|one| one.person == Some(caller.person));
        let own: Vec<Value> = own.map(|one| export_values(shown.find_member(one.id))).collect();
        items.push(ExportItem::new(
            "household",
            json!({
                "id": household.id, "number": household.number, "area": household.area.name,
                "building": household.building, "room": shown.room(),
                "standing": household.standing.name(), "member": own,
                "registered_at": household.registered_at,
            }),
        ));
    }
    Ok(items)
}

/// The values of a member in full; documents as what they are.
fn export_values(values: Option<&crate::app::vault::Values>) -> Value {
    let text = |value: &String| {
        serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()))
    };
    let plain = |field: domain::people::personal::Field, value: &String| match field {
        Field::Groups | Field::Details => text(value),
        Field::Name
        | Field::Phone
        | Field::IdNumber
        | Field::Address
        | Field::OfficePhone
        | Field::Room
        | Field::Answers
        | Field::Original => Value::from(value.as_str()),
    };
    let members = values.into_iter().flatten();
    members.map(|(field, value)| (field.name().to_owned(), plain(*field, value))).collect()
}
