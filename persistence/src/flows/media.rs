//! Files as rows: their states, what names them, and the marks of photos. The bytes are stored
//! elsewhere.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Nullable, SmallInt, Text},
};
use domain::{
    Instant,
    core::{
        id::{MediaId, PersonId, TenantId},
        journal::{Entry, FlowKind},
    },
    flows::{
        change::{Change, Versioned},
        flow::Flow,
        media::{Attached, Media, StatusName},
    },
};
use uuid::Uuid;

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowTable, Rows, flow_row, rebuild_state},
    journal::Keyset,
    projection::{Derived, Projection},
    rows::rows,
    schema::{content_reviews, media, media_links, media_marks},
    types::{At, Doc, Id, sql},
    write_job::WriteJob,
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

flow_row! {
    MediaRow of Media as media in "media" {
        by_id: Id => sql::Uid, "uuid" = Id(media.by.0);
        status: String => Text, "text" = media.status().name().to_owned();
        public: i16 => SmallInt, "smallint" = i16::from(media.public);
        at: At => sql::Moment, "timestamptz" = At(media.at);
    }
    changes (status)
}

impl FlowTable for Media {
    const TABLE: &'static str = "media";

    fn add_rows(change: &Change<Self>, rows: &mut Rows<'_>) -> Result<()> {
        rows.add_own(|| MediaRow::new(change))
    }

    fn expect_tables(projection: &mut Projection) -> Result<()> {
        projection.expect_table::<MediaRow>()
    }
}

/// A report or case that names a file.
#[derive(Debug, Clone)]
pub(crate) struct LinkRow {
    tenant_id: Id,
    pub(crate) media_id: Id,
    pub(crate) flow_id: Id,
    pub(crate) kind: String,
    by_id: Id,
    at: At,
}

rows! {
    LinkRow in "media_links" {
        tenant_id: Id => sql::Uid, "uuid";
        media_id: Id => sql::Uid, "uuid";
        flow_id: Id => sql::Uid, "uuid";
        kind: String => Text, "text";
        by_id: Id => sql::Uid, "uuid";
        at: At => sql::Moment, "timestamptz";
    }
    key (tenant_id, media_id, flow_id, kind, by_id) changes ()
}

impl Derived for LinkRow {
    const FLOW: &'static str = "flow_id";
    const KIND: Result<FlowKind, &'static str> = Err("kind");

    fn flow(&self) -> (&str, Uuid) {
        (&self.kind, self.flow_id.0)
    }

    fn row_name(&self) -> String {
        self.media_id.0.to_string()
    }
}

impl LinkRow {
    /// The links of the newest change of a flow.
    pub(crate) fn from_change<F: Flow>(change: &Change<F>, named: &[Attached]) -> Vec<Self> {
        let entry: &Entry = &change.entry;
        let new = named.iter().filter(|one| one.at == entry.at && one.by == entry.actor);
        new.map(|one| Self {
            tenant_id: Id(entry.tenant.0),
            media_id: Id(one.media.0),
            flow_id: Id(entry.flow_id),
            kind: entry.flow.name().to_owned(),
            by_id: Id(one.by.0),
            at: At(one.at),
        })
        .collect()
    }
}

/// The marks of a photo: its look, and where and when it was taken as far as that may be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marks {
    /// The identity of the photo.
    pub media: MediaId,
    /// A perceptual hash: photos that look alike differ in few bits.
    pub look: u64,
    /// When it was taken, as the camera says.
    pub taken_at: Option<Instant>,
    /// Where: longitude and latitude in WGS-84, in ten millionths of a degree.
    pub place: Option<(i32, i32)>,
}

#[derive(Debug, Clone)]
pub(crate) struct MarksRow {
    tenant_id: Id,
    media_id: Id,
    look: i64,
    band_a: i64,
    band_b: i64,
    band_c: i64,
    band_d: i64,
    taken_at: Option<At>,
    lng: Option<i64>,
    lat: Option<i64>,
}

rows! {
    MarksRow in "media_marks" {
        tenant_id: Id => sql::Uid, "uuid";
        media_id: Id => sql::Uid, "uuid";
        look: i64 => BigInt, "bigint";
        band_a: i64 => BigInt, "bigint";
        band_b: i64 => BigInt, "bigint";
        band_c: i64 => BigInt, "bigint";
        band_d: i64 => BigInt, "bigint";
        taken_at: Option<At> => Nullable<sql::Moment>, "timestamptz";
        lng: Option<i64> => Nullable<BigInt>, "bigint";
        lat: Option<i64> => Nullable<BigInt>, "bigint";
    }
    key (tenant_id, media_id) changes ()
}

/// The four quarters of a look: two looks that differ in at most three bits share one of them.
fn split_bands(look: u64) -> [i64; 4] {
    [0, 16, 32, 48].map(|shift| i64::try_from((look >> shift) & 0xffff).unwrap_or_default())
}

impl MarksRow {
    pub(crate) fn new(tenant: TenantId, marks: &Marks) -> Self {
        let [band_a, band_b, band_c, band_d] = split_bands(marks.look);
        Self {
            tenant_id: Id(tenant.0),
            media_id: Id(marks.media.0),
            look: marks.look.cast_signed(),
            band_a,
            band_b,
            band_c,
            band_d,
            taken_at: marks.taken_at.map(At),
            lng: marks.place.map(|(lng, _)| lng.into()),
            lat: marks.place.map(|(_, lat)| lat.into()),
        }
    }
}

/// Those of these files that exist.
pub fn load_existing(db: &mut Db, tenant: TenantId, ids: &[Uuid]) -> Result<Vec<Versioned<Media>>> {
    let rows: Vec<(Id, i64, Vec<u8>, Doc)> = media::table
        .filter(media::tenant_id.eq(Id(tenant.0)))
        .filter(media::id.eq_any(ids.iter().map(|id| Id(*id))))
        .select((media::id, media::seq, media::head, media::state))
        .load(db)?;
    rows.into_iter().map(|row| rebuild_state("media", row)).collect()
}

/// A report or case that names a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The file that is named.
    pub media: MediaId,
    /// The kind: report or case.
    pub kind: FlowKind,
    /// The identity of the report or case.
    pub flow: Uuid,
    /// The person who named it.
    pub by: PersonId,
}

/// The links of these files, oldest first.
pub fn load_links(db: &mut Db, tenant: TenantId, ids: &[Uuid]) -> Result<Vec<Link>> {
    let rows: Vec<(Id, String, Id, Id)> = media_links::table
        .filter(media_links::tenant_id.eq(Id(tenant.0)))
        .filter(media_links::media_id.eq_any(ids.iter().map(|id| Id(*id))))
        .order((media_links::at.asc(), media_links::flow_id.asc()))
        .select((
            media_links::media_id,
            media_links::kind,
            media_links::flow_id,
            media_links::by_id,
        ))
        .limit(1000)
        .load(db)?;
    rows.into_iter()
        .map(|(media, kind, flow, by)| {
            let unknown = || StoreError::Inconsistent(format!("media_links {kind}"));
            let kind = FlowKind::parse(&kind).ok_or_else(unknown)?;
            Ok(Link { media: MediaId(media.0), kind, flow: flow.0, by: PersonId(by.0) })
        })
        .collect()
}

/// The marks of photos.
pub fn load_marks(db: &mut Db, tenant: TenantId, ids: &[Uuid]) -> Result<Vec<Marks>> {
    type Row = (Id, i64, Option<At>, Option<i64>, Option<i64>);
    let rows: Vec<Row> = media_marks::table
        .filter(media_marks::tenant_id.eq(Id(tenant.0)))
        .filter(media_marks::media_id.eq_any(ids.iter().map(|id| Id(*id))))
        .select((
            media_marks::media_id,
            media_marks::look,
            media_marks::taken_at,
            media_marks::lng,
            media_marks::lat,
        ))
        .load(db)?;
    let small = |value: i64| i32::try_from(value).unwrap_or_default();
    let marks = |(id, look, at, lng, lat): Row| Marks {
        media: MediaId(id.0),
        look: look.cast_unsigned(),
        taken_at: at.map(|at| at.0),
        place: lng.zip(lat).map(|(lng, lat)| (small(lng), small(lat))),
    };
    Ok(rows.into_iter().map(marks).collect())
}

/// Photos that may look like this look; each with its own look.
pub fn load_similar(
    db: &mut Db,
    tenant: TenantId,
    look: u64,
    limit: i64,
) -> Result<Vec<(Uuid, u64)>> {
    use media_marks::dsl as m;
    let [a, b, c, d] = split_bands(look);
    let near = m::band_a.eq(a).or(m::band_b.eq(b)).or(m::band_c.eq(c)).or(m::band_d.eq(d));
    let rows: Vec<(Id, i64)> = media_marks::table
        .filter(m::tenant_id.eq(Id(tenant.0)))
        .filter(near)
        .select((m::media_id, m::look))
        // Newest first: identities contain the time.
        .order(m::media_id.desc())
        .limit(limit)
        .load(db)?;
    Ok(rows.into_iter().map(|(id, look)| (id.0, look.cast_unsigned())).collect())
}

/// Files of a person that nothing names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unused {
    /// The number of files, counted up to a bound.
    pub count: i64,
    /// The number of bytes that were sent for them.
    pub bytes: u64,
}

/// The number of files of a person that nothing names, counted up to `most`.
pub fn count_unused(db: &mut Db, tenant: TenantId, person: PersonId, most: i64) -> Result<Unused> {
    let rows: Vec<(Id, i64, Vec<u8>, Doc)> = query_unused(tenant)
        .filter(media::by_id.eq(Id(person.0)))
        .select((media::id, media::seq, media::head, media::state))
        .limit(most)
        .load(db)?;
    let count = i64::try_from(rows.len()).unwrap_or(most);
    let found: Result<Vec<Versioned<Media>>> =
        rows.into_iter().map(|row| rebuild_state("media", row)).collect();
    Ok(Unused { count, bytes: found?.iter().map(|one| one.state.bytes).sum() })
}

#[diesel::dsl::auto_type(no_type_alias)]
fn query_unused(tenant: TenantId) -> _ {
    let id: Id = Id(tenant.0);
    let present: &'static str = StatusName::Present.name();
    let naming = media_links::table
        .filter(media_links::tenant_id.eq(media::tenant_id))
        .filter(media_links::media_id.eq(media::id));
    media::table
        .filter(media::tenant_id.eq(id))
        .filter(media::status.eq(present))
        .filter(diesel::dsl::not(diesel::dsl::exists(naming)))
}

/// Files that nothing names and that arrived before `cutoff`.
pub fn load_abandoned(
    db: &mut Db,
    tenant: TenantId,
    cutoff: Instant,
    limit: i64,
) -> Result<Vec<MediaId>> {
    let rows: Vec<Id> = query_unused(tenant)
        .filter(media::at.lt(At(cutoff)))
        .order((media::at.asc(), media::id.asc()))
        .select(media::id)
        .limit(limit)
        .load(db)?;
    Ok(rows.into_iter().map(|id| MediaId(id.0)).collect())
}

/// Files of a person that nothing names.
pub fn load_own_unused(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    limit: i64,
) -> Result<Vec<MediaId>> {
    let rows: Vec<Id> = query_unused(tenant)
        .filter(media::by_id.eq(Id(person.0)))
        .select(media::id)
        .limit(limit)
        .load(db)?;
    Ok(rows.into_iter().map(|id| MediaId(id.0)).collect())
}

/// The files a person sent, newest first.
pub fn list_for_person(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    page: Keyset,
) -> Result<Vec<Versioned<Media>>> {
    let mut query = media::table
        .filter(media::tenant_id.eq(Id(tenant.0)).and(media::by_id.eq(Id(person.0))))
        .select((media::id, media::seq, media::head, media::state))
        .into_boxed();
    if let Some((at, id)) = page.after {
        let (at, id) = (At(at), Id(id));
        query = query.filter(media::at.lt(at).or(media::at.eq(at).and(media::id.lt(id))));
    }
    let rows: Vec<(Id, i64, Vec<u8>, Doc)> =
        query.order((media::at.desc(), media::id.desc())).limit(page.limit).load(db)?;
    rows.into_iter().map(|row| rebuild_state("media", row)).collect()
}

/// Removes where and when photos of a person were taken.
pub(crate) fn forget_places(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<()> {
    let own = media::table
        .filter(media::tenant_id.eq(Id(tenant.0)).and(media::by_id.eq(Id(person.0))))
        .select(media::id);
    diesel::update(media_marks::table)
        .filter(media_marks::tenant_id.eq(Id(tenant.0)))
        .filter(media_marks::media_id.eq_any(own))
        .set((
            media_marks::taken_at.eq(None::<At>),
            media_marks::lng.eq(None::<i64>),
            media_marks::lat.eq(None::<i64>),
        ))
        .execute(db)?;
    Ok(())
}

/// Files that are removed but whose bytes still exist.
pub fn load_unswept(db: &mut Db, tenant: TenantId, limit: i64) -> Result<Vec<Versioned<Media>>> {
    let rows: Vec<(Id, i64, Vec<u8>, Doc)> = media::table
        .filter(media::tenant_id.eq(Id(tenant.0)))
        .filter(media::status.eq(StatusName::Gone.name()).and(media::swept_at.is_null()))
        .order(media::id.asc())
        .select((media::id, media::seq, media::head, media::state))
        .limit(limit)
        .load(db)?;
    rows.into_iter().map(|row| rebuild_state("media", row)).collect()
}

/// Records that the bytes of a file are removed, and removes its marks.
pub(crate) fn mark_swept(db: &mut Db, tenant: TenantId, id: MediaId, at: Instant) -> Result<()> {
    let key = (Id(tenant.0), Id(id.0));
    diesel::update(media::table.find(key)).set(media::swept_at.eq(Some(At(at)))).execute(db)?;
    diesel::delete(media_marks::table.find(key)).execute(db)?;
    Ok(())
}

/// Files of the public that have arrived, are named by the person who sent them, and have no review
/// yet; each with what names it. Only one file where `only` names it.
pub fn load_unreviewed(
    db: &mut Db,
    tenant: TenantId,
    only: Option<&[Uuid]>,
    limit: i64,
) -> Result<Vec<Link>> {
    let reviewed = content_reviews::table
        .filter(content_reviews::tenant_id.eq(media::tenant_id))
        .filter(content_reviews::about_id.eq(media::id));
    let mut query = media::table
        .inner_join(
            media_links::table.on(media_links::tenant_id
                .eq(media::tenant_id)
                .and(media_links::media_id.eq(media::id))
                .and(media_links::by_id.eq(media::by_id))),
        )
        .filter(media::tenant_id.eq(Id(tenant.0)))
        .filter(media::public.eq(1).and(media::status.eq(StatusName::Present.name())))
        .filter(diesel::dsl::not(diesel::dsl::exists(reviewed)))
        .order((media::at.asc(), media::id.asc(), media_links::at.asc()))
        .select((media::id, media_links::kind, media_links::flow_id, media::by_id))
        .limit(limit)
        .into_boxed();
    if let Some(ids) = only {
        query = query.filter(media::id.eq_any(ids.iter().map(|id| Id(*id))));
    }
    let rows: Vec<(Id, String, Id, Id)> = query.load(db)?;
    let mut found: Vec<Link> = Vec::new();
    for (id, kind, flow, by) in rows {
        if found.last().is_some_and(|last| last.media.0 == id.0) {
            continue;
        }
        let unknown = || StoreError::Inconsistent(format!("media_links {kind}"));
        let kind = FlowKind::parse(&kind).ok_or_else(unknown)?;
        found.push(Link { media: MediaId(id.0), kind, flow: flow.0, by: PersonId(by.0) });
    }
    Ok(found)
}

/// Records that the bytes of a removed file were deleted.
pub fn record_sweep(tenant: TenantId, id: MediaId, at: Instant) -> WriteJob<()> {
    WriteJob::new(move |db| mark_swept(db, tenant, id, at))
}
