//! Tracks as rows: a blob for every batch of points, outside the journal, kept for a limited time.
//!
//! Points of many phones share a transaction of a writing lane. Each upload was prepared before,
//! from what was known of the patrol then: its place in the journal, the newest consent of its
//! worker, and the stored batches with which the new points could collide. The lane locks the
//! tracks in the order of their identities and checks that all of that still holds; where it does
//! not, the caller prepares the upload again. The lane never decodes a blob.

mod open;

use std::collections::{HashMap, HashSet};

use diesel::{
    QueryResult,
    pg::Pg,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Binary, Nullable},
    sqlite::Sqlite,
};
use domain::{
    Instant,
    area::tree::Path,
    core::id::{PatrolId, PersonId, TenantId},
    people::privacy::Privacy,
};
use uuid::Uuid;

use crate::{
    kernel::{
        connection::Db,
        error::StoreError,
        flow::prefix_end,
        rows::{self, rows},
        schema::{patrols, people, positions, track_batches, tracks},
        types::{At, Id, sql},
        write_job::WriteJob,
    },
    people::privacy::{self, Consent},
};

pub(crate) use open::seal_batch;
pub use open::{Open, load_open};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct TrackRow {
    pub(crate) tenant_id: Id,
    pub(crate) patrol_id: Id,
    pub(crate) points: i64,
    pub(crate) last_seq: i64,
}

rows! {
    TrackRow in "tracks" {
        tenant_id: Id => sql::Uid, "uuid";
        patrol_id: Id => sql::Uid, "uuid";
        points: i64 => BigInt, "bigint";
        last_seq: i64 => BigInt, "bigint";
    }
    key (tenant_id, patrol_id) changes (points, last_seq)
}

impl TrackRow {
    /// The track of a new patrol, without points.
    pub(crate) const fn empty(tenant: TenantId, patrol: PatrolId) -> Self {
        Self { tenant_id: Id(tenant.0), patrol_id: Id(patrol.0), points: 0, last_seq: -1 }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct BatchRow {
    tenant_id: Id,
    patrol_id: Id,
    first_seq: i64,
    last_seq: i64,
    points: i64,
    received_at: At,
    blob: Vec<u8>,
    person_id: Option<Id>,
}

rows! {
    BatchRow in "track_batches" {
        tenant_id: Id => sql::Uid, "uuid";
        patrol_id: Id => sql::Uid, "uuid";
        first_seq: i64 => BigInt, "bigint";
        last_seq: i64 => BigInt, "bigint";
        points: i64 => BigInt, "bigint";
        received_at: At => sql::Moment, "timestamptz";
        blob: Vec<u8> => Binary, "bytea";
        person_id: Option<Id> => Nullable<sql::Uid>, "uuid";
    }
    key (tenant_id, patrol_id, first_seq) changes ()
}

#[derive(Debug, Clone)]
pub(crate) struct PositionRow {
    tenant_id: Id,
    person_id: Id,
    patrol_id: Id,
    at: At,
    sealed: Vec<u8>,
}

rows! {
    PositionRow in "positions" {
        tenant_id: Id => sql::Uid, "uuid";
        person_id: Id => sql::Uid, "uuid";
        patrol_id: Id => sql::Uid, "uuid";
        at: At => sql::Moment, "timestamptz";
        sealed: Vec<u8> => Binary, "bytea";
    }
    key (tenant_id, person_id) changes (patrol_id, at, sealed)
}

/// The position of a person, sealed by that person's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    /// When the person was there.
    pub at: Instant,
    /// The position, sealed.
    pub sealed: Vec<u8>,
}

/// Points to store, and what was known when they were prepared.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The tenant of the patrol.
    pub tenant: TenantId,
    /// The patrol of the points.
    pub patrol: PatrolId,
    /// The place in the patrol's journal.
    pub seq: i64,
    /// The worker of the patrol.
    pub person: PersonId,
    /// The worker's newest answer to the request for consent.
    pub consent: Uuid,
    /// The smallest number among the points.
    pub first_seq: i64,
    /// The largest number among the points.
    pub last_seq: i64,
    /// How many points there are.
    pub points: i64,
    /// The stored batches whose numbers overlap with these, by their first number; none of their
    /// points is among these.
    pub known: Vec<i64>,
    /// When they arrived.
    pub received_at: Instant,
    /// The points, sealed by the worker's key.
    pub blob: Vec<u8>,
    /// The present position of the worker, if the points show it.
    pub position: Option<Position>,
}

/// The result of an upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Landed {
    /// It is durable.
    Stored,
    /// Something it was prepared from has changed: nothing was written.
    Stale,
    /// The patrol has its largest number of points: nothing was written.
    Full,
}

/// What the lane finds for a group of uploads.
struct UploadState {
    tracks: HashMap<(Id, Id), TrackRow>,
    seqs: HashMap<(Id, Id), i64>,
    consents: HashMap<(Id, Id), Id>,
}

/// Stores the points of a group of uploads within the current transaction; returns one result each.
pub(crate) fn store_points(db: &mut Db, uploads: &[&Upload]) -> Result<Vec<Landed>> {
    let mut known = UploadState::load(db, uploads)?;
    let (mut landed, mut batches) = (Vec::with_capacity(uploads.len()), Vec::new());
    let (mut touched, mut stored) = (HashSet::new(), Vec::new());
    for upload in uploads {
        let answer = known.judge_upload(db, upload, &touched)?;
        landed.push(answer);
        if answer != Landed::Stored {
            continue;
        }
        let key = (Id(upload.tenant.0), Id(upload.patrol.0));
        if let Some(track) = known.tracks.get_mut(&key) {
            track.points += upload.points;
            track.last_seq = track.last_seq.max(upload.last_seq);
        }
        touched.insert(key);
        stored.push(*upload);
        batches.push(BatchRow {
            tenant_id: key.0,
            patrol_id: key.1,
            first_seq: upload.first_seq,
            last_seq: upload.last_seq,
            points: upload.points,
            received_at: At(upload.received_at),
            blob: upload.blob.clone(),
            person_id: Some(Id(upload.person.0)),
        });
    }
    rows::insert(db, &batches.iter().collect::<Vec<_>>())?;
    let changed: Vec<&TrackRow> = touched.iter().filter_map(|key| known.tracks.get(key)).collect();
    rows::update(db, &changed)?;
    write_positions(db, &stored)?;
    Ok(landed)
}

impl UploadState {
    /// Locks the tracks in the order of their identities, so that lanes wait for each other in
    /// turn, and loads what the uploads depend on.
    fn load(db: &mut Db, uploads: &[&Upload]) -> Result<Self> {
        let ids =
            |upload: &&Upload| (Id(upload.tenant.0), Id(upload.patrol.0), Id(upload.person.0));
        let mut walks: Vec<(Id, Id, Id)> = uploads.iter().map(ids).collect();
        walks.sort_unstable();
        walks.dedup();
        let found: Vec<Found> = match db {
            Db::Postgres(c) => Walks::from_ids(&walks).load(c)?,
            Db::Sqlite(c) => {
                let mut found = Vec::with_capacity(walks.len());
                for walk in &walks {
                    found.extend(Walk(*walk).load::<Found>(c)?);
                }
                found
            }
        };
        let mut known =
            Self { tracks: HashMap::new(), seqs: HashMap::new(), consents: HashMap::new() };
        for (tenant_id, patrol_id, points, last_seq, seq, person, consent) in found {
            let row = TrackRow { tenant_id, patrol_id, points, last_seq };
            known.tracks.insert((tenant_id, patrol_id), row);
            known.seqs.insert((tenant_id, patrol_id), seq);
            known.consents.extend(consent.map(|consent| ((tenant_id, person), consent)));
        }
        Ok(known)
    }

    /// The result of one upload, after those before it in the group.
    fn judge_upload(
        &self,
        db: &mut Db,
        upload: &Upload,
        touched: &HashSet<(Id, Id)>,
    ) -> Result<Landed> {
        let tenant = Id(upload.tenant.0);
        let key = (tenant, Id(upload.patrol.0));
        let Some(track) = self.tracks.get(&key) else { return Ok(Landed::Stale) };
        let consent = self.consents.get(&(tenant, Id(upload.person.0)));
        if self.seqs.get(&key) != Some(&upload.seq) || consent != Some(&Id(upload.consent)) {
            return Ok(Landed::Stale);
        }
        if track.points + upload.points > domain::flows::track::MOST {
            return Ok(Landed::Full);
        }
        if upload.first_seq > track.last_seq {
            let stale = !upload.known.is_empty();
            return Ok(if stale { Landed::Stale } else { Landed::Stored });
        }
        // Batches of the same group are not stored yet: the next attempt sees them.
        if touched.contains(&key) {
            return Ok(Landed::Stale);
        }
        let stored = load_overlapping(db, tenant, key.1, upload.first_seq, upload.last_seq)?;
        Ok(if stored == upload.known { Landed::Stored } else { Landed::Stale })
    }
}

/// A track with the place of its patrol in the journal, and the worker's newest answer to the
/// request for consent.
type Found = (Id, Id, i64, i64, i64, Id, Option<Id>);

/// The tracks of several uploads, for PostgreSQL: one statement for all.
struct Walks {
    tenants: Vec<Id>,
    patrols: Vec<Id>,
    persons: Vec<Id>,
}

/// The track of one upload, for SQLite, where there is one writer and nothing to lock.
struct Walk((Id, Id, Id));

impl Walks {
    fn from_ids(walks: &[(Id, Id, Id)]) -> Self {
        Self {
            tenants: walks.iter().map(|(tenant, ..)| *tenant).collect(),
            patrols: walks.iter().map(|(_, patrol, _)| *patrol).collect(),
            persons: walks.iter().map(|(.., person)| *person).collect(),
        }
    }
}

/// The parts of the query around the purpose.
const COLUMNS: [&str; 3] = [
    "select t.tenant_id, t.patrol_id, t.points, t.last_seq, p.seq, u.person_id, \
     (select c.id from consents as c where c.tenant_id = u.tenant_id \
     and c.person_id = u.person_id and c.purpose = '",
    Privacy::TRACK,
    "' order by c.at desc, c.id desc limit 1) from ",
];

const JOINED: &str = " join tracks as t on t.tenant_id = u.tenant_id and t.patrol_id = u.patrol_id \
    join patrols as p on p.tenant_id = t.tenant_id and p.id = t.patrol_id";

impl QueryFragment<Pg> for Walks {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for part in COLUMNS {
            out.push_sql(part);
        }
        out.push_sql("unnest(");
        out.push_bind_param::<Array<sql::Uid>, _>(&self.tenants)?;
        out.push_sql("::uuid[], ");
        out.push_bind_param::<Array<sql::Uid>, _>(&self.patrols)?;
        out.push_sql("::uuid[], ");
        out.push_bind_param::<Array<sql::Uid>, _>(&self.persons)?;
        out.push_sql("::uuid[]) as u (tenant_id, patrol_id, person_id)");
        out.push_sql(JOINED);
        out.push_sql(" order by t.tenant_id, t.patrol_id for update of t");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for Walk {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let (tenant, patrol, person) = &self.0;
        for part in COLUMNS {
            out.push_sql(part);
        }
        out.push_sql("(select ");
        out.push_bind_param::<sql::Uid, _>(tenant)?;
        out.push_sql(" as tenant_id, ");
        out.push_bind_param::<sql::Uid, _>(patrol)?;
        out.push_sql(" as patrol_id, ");
        out.push_bind_param::<sql::Uid, _>(person)?;
        out.push_sql(" as person_id) as u");
        out.push_sql(JOINED);
        Ok(())
    }
}

/// The columns of a row.
type Columns = (sql::Uid, sql::Uid, BigInt, BigInt, BigInt, sql::Uid, Nullable<sql::Uid>);

impl Query for Walks {
    type SqlType = Columns;
}

impl Query for Walk {
    type SqlType = Columns;
}

// The text is always the same, so the statement is prepared once.
impl QueryId for Walks {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryId for Walk {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<C> RunQueryDsl<C> for Walks {}
impl<C> RunQueryDsl<C> for Walk {}

/// The stored batches whose numbers overlap with these, by their first number.
fn load_overlapping(
    db: &mut Db,
    tenant: Id,
    patrol: Id,
    first: i64,
    last: i64,
) -> Result<Vec<i64>> {
    use track_batches as b;
    Ok(b::table
        .filter(b::tenant_id.eq(tenant).and(b::patrol_id.eq(patrol)))
        .filter(b::first_seq.le(last).and(b::last_seq.ge(first)))
        .order(b::first_seq.asc())
        .select(b::first_seq)
        .load(db)?)
}

/// Writes the positions of people on duty, unless a newer one is known.
fn write_positions(db: &mut Db, uploads: &[&Upload]) -> Result<()> {
    let told: Vec<(&Upload, &Position)> =
        uploads.iter().filter_map(|upload| Some((*upload, upload.position.as_ref()?))).collect();
    if told.is_empty() {
        return Ok(());
    }
    let ids = |of: fn(&Upload) -> Uuid| told.iter().map(|(one, _)| Id(of(one))).collect::<Vec<_>>();
    let on_duty: Vec<(Id, Id, Option<At>, Option<At>)> = people::table
        .left_join(positions::table.on(
            positions::tenant_id.eq(people::tenant_id).and(positions::person_id.eq(people::id)),
        ))
        .filter(people::tenant_id.eq_any(ids(|one| one.tenant.0)))
        .filter(people::id.eq_any(ids(|one| one.person.0)))
        .select((people::tenant_id, people::id, people::shift_until, positions::at.nullable()))
        .load(db)?;
    let mut newest: HashMap<(Id, Id), PositionRow> = HashMap::new();
    for (upload, position) in told {
        let key = (Id(upload.tenant.0), Id(upload.person.0));
        let works = on_duty.iter().any(|(tenant, person, until, known)| {
            (*tenant, *person) == key
                && until.is_some_and(|until| upload.received_at < until.0)
                && known.is_none_or(|known| known.0 < position.at)
        });
        if !works || newest.get(&key).is_some_and(|known| known.at.0 >= position.at) {
            continue;
        }
        let row = PositionRow {
            tenant_id: key.0,
            person_id: key.1,
            patrol_id: Id(upload.patrol.0),
            at: At(position.at),
            sealed: position.sealed.clone(),
        };
        newest.insert(key, row);
    }
    let mut rows: Vec<&PositionRow> = newest.values().collect();
    // Two lanes that write about the same people meet in the same order.
    rows.sort_unstable_by_key(|row| (row.tenant_id, row.person_id));
    Ok(rows::upsert(db, &rows)?)
}

/// A batch as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The smallest number among its points.
    pub first_seq: i64,
    /// The person whose key seals them; none where they are unsealed.
    pub person: Option<PersonId>,
    /// The points, sealed where there is a key.
    pub blob: Vec<u8>,
}

/// The batches of a patrol, in order of their first numbers; only those that overlap with a range
/// of numbers, where one is given.
pub fn load_batches(
    db: &mut Db,
    tenant: TenantId,
    patrol: PatrolId,
    numbers: Option<(i64, i64)>,
) -> Result<Vec<Batch>> {
    use track_batches as b;
    let (first, last) = numbers.unwrap_or((i64::MIN, i64::MAX));
    let rows: Vec<(i64, Option<Id>, Vec<u8>)> = b::table
        .filter(b::tenant_id.eq(Id(tenant.0)).and(b::patrol_id.eq(Id(patrol.0))))
        .filter(b::first_seq.le(last).and(b::last_seq.ge(first)))
        .order(b::first_seq.asc())
        .select((b::first_seq, b::person_id, b::blob))
        .load(db)?;
    let batch = |(first_seq, person, blob): (i64, Option<Id>, Vec<u8>)| Batch {
        first_seq,
        person: person.map(|id| PersonId(id.0)),
        blob,
    };
    Ok(rows.into_iter().map(batch).collect())
}

/// The largest number of a point of a patrol that was ever stored; −1 when there is none.
pub fn load_last_seq(db: &mut Db, tenant: TenantId, patrol: PatrolId) -> Result<i64> {
    let last: Option<i64> = tracks::table
        .find((Id(tenant.0), Id(patrol.0)))
        .select(tracks::last_seq)
        .first(db)
        .optional()?;
    Ok(last.unwrap_or(-1))
}

/// A person on duty whose position is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedPosition {
    /// The person on duty.
    pub person: PersonId,
    /// Where the person was seen last.
    pub position: Position,
}

/// The positions of people on duty within an area who were seen since, at most `limit`.
pub fn load_positions(
    db: &mut Db,
    tenant: TenantId,
    within: &Path,
    (since, now): (Instant, Instant),
    limit: i64,
) -> Result<Vec<SealedPosition>> {
    let rows: Vec<(Id, At, Vec<u8>)> = positions::table
        .inner_join(people::table.on(
            people::tenant_id.eq(positions::tenant_id).and(people::id.eq(positions::person_id)),
        ))
        .filter(positions::tenant_id.eq(Id(tenant.0)))
        .filter(positions::at.ge(At(since)))
        .filter(people::shift_until.gt(At(now)))
        .filter(people::shift_path.ge(within.0.clone()))
        .filter(people::shift_path.lt(prefix_end(within)))
        .order((positions::at.desc(), positions::person_id.asc()))
        .limit(limit)
        .select((positions::person_id, positions::at, positions::sealed))
        .load(db)?;
    let standing = |(person, at, sealed): (Id, At, Vec<u8>)| SealedPosition {
        person: PersonId(person.0),
        position: Position { at: at.0, sealed },
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// Removes the position of a person: off duty, or without consent.
pub(crate) fn forget_position(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<()> {
    diesel::delete(positions::table.find((Id(tenant.0), Id(person.0)))).execute(db)?;
    Ok(())
}

/// Removes every point of a person.
pub(crate) fn erase_points(db: &mut Db, tenant: TenantId, person: PersonId) -> Result<()> {
    let theirs = patrols::table
        .filter(patrols::tenant_id.eq(Id(tenant.0)))
        .filter(patrols::worker_id.eq(Some(Id(person.0))))
        .select(patrols::id);
    let ids: Vec<Id> = theirs.load(db)?;
    diesel::delete(track_batches::table)
        .filter(track_batches::tenant_id.eq(Id(tenant.0)))
        .filter(track_batches::patrol_id.eq_any(ids))
        .execute(db)?;
    forget_position(db, tenant, person)
}

/// Removes batches that arrived before `cutoff`, at most `limit`; returns how many were removed.
pub(crate) fn purge(db: &mut Db, tenant: TenantId, cutoff: Instant, limit: i64) -> Result<i64> {
    use track_batches as b;
    let old: Vec<(Id, i64)> = b::table
        .filter(b::tenant_id.eq(Id(tenant.0)).and(b::received_at.lt(At(cutoff))))
        .order(b::received_at.asc())
        .limit(limit)
        .select((b::patrol_id, b::first_seq))
        .load(db)?;
    let mut gone = 0;
    for (patrol, first_seq) in old {
        diesel::delete(b::table.find((Id(tenant.0), patrol, first_seq))).execute(db)?;
        gone += 1;
    }
    Ok(gone)
}

/// Removes positions that are older than `cutoff`, or of people who are not on duty now.
pub(crate) fn purge_positions(
    db: &mut Db,
    tenant: TenantId,
    (cutoff, now): (Instant, Instant),
    limit: i64,
) -> Result<i64> {
    use positions as p;
    let on_duty = people::table
        .filter(people::tenant_id.eq(Id(tenant.0)).and(people::shift_until.gt(At(now))))
        .select(people::id);
    let old: Vec<Id> = p::table
        .filter(p::tenant_id.eq(Id(tenant.0)))
        .filter(p::at.lt(At(cutoff)).or(p::person_id.ne_all(on_duty)))
        .limit(limit)
        .select(p::person_id)
        .load(db)?;
    let gone = diesel::delete(p::table)
        .filter(p::tenant_id.eq(Id(tenant.0)).and(p::person_id.eq_any(old)))
        .execute(db)?;
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}

/// How a batch is sealed, and the batch as it came; none where no key can seal it any more.
pub type SealedBatch = (Option<(PersonId, Vec<u8>)>, Open);

/// Seals batches that were stored as they came; returns how many.
pub fn seal_batches(tenant: TenantId, batches: Vec<SealedBatch>) -> WriteJob<i64> {
    WriteJob::new(move |db| {
        let count = i64::try_from(batches.len()).unwrap_or(i64::MAX);
        for (sealed, batch) in batches {
            seal_batch(db, tenant, &batch, sealed)?;
        }
        Ok(count)
    })
}

/// Records a consent or its withdrawal, unless it was recorded before; returns the record, and
/// whether it is new. Without consent no position of the person is kept.
pub fn record_consent(tenant: TenantId, new: Consent) -> WriteJob<(Consent, bool)> {
    WriteJob::new(move |db| {
        let (stored, new) = privacy::record_consent(db, tenant, &new)?;
        if new && !stored.given && stored.purpose == Privacy::TRACK {
            forget_position(db, tenant, stored.person)?;
        }
        Ok((stored, new))
    })
}
