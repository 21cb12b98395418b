//! Disclosures, consents and their removal after their time, as rows.

mod evidence;

use diesel::prelude::*;
use domain::{
    Instant,
    core::{
        id::{HouseholdId, PersonId, ReportId, TenantId},
        journal::Hash,
    },
    people::{
        personal::{Field, Purpose},
        privacy::DataClass,
    },
};
use uuid::Uuid;

use crate::{
    kernel::{
        connection::{Db, each},
        error::StoreError,
        journal::Keyset,
        schema::{consents, disclosures, household_people},
        types::{At, Id},
        write_job::WriteJob,
    },
    people::tally,
};

pub use evidence::load_digests;
pub(crate) use evidence::load_digests_after;
use evidence::{consent_digest, disclosure_digest, subtract};

type Result<T, E = StoreError> = std::result::Result<T, E>;

fn inconsistent_error(table: &str, id: Uuid) -> StoreError {
    StoreError::Inconsistent(format!("{table} {id}"))
}

/// A disclosure: a person saw personal data unmasked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disclosure {
    /// Its identity, derived from that of the request.
    pub id: Uuid,
    /// The subject, when it is a person who can log in.
    pub person: Option<PersonId>,
    /// The report with which the data was stored, or whose reporter it was.
    pub report: Option<ReportId>,
    /// The household whose data was seen.
    pub household: Option<HouseholdId>,
    /// The person who saw it.
    pub by: PersonId,
    /// The name of that person.
    pub by_name: String,
    /// What was seen.
    pub fields: Vec<Field>,
    /// The purpose, one of the fixed ones.
    pub purpose: Purpose,
    /// The reason, in words.
    pub reason: String,
    /// When it was seen.
    pub at: Instant,
    /// The digest of the request.
    pub digest: Hash,
}

type DisclosureColumns =
    (Id, (Option<Id>, Option<Id>, Option<Id>), Id, String, String, String, String, At, Vec<u8>);

fn disclosure_from_row(row: DisclosureColumns) -> Result<Disclosure> {
    let (id, (person, report, household), by, by_name, fields, purpose, reason, at, digest) = row;
    let wrong = || inconsistent_error("disclosures", id.0);
    let fields = fields.split(',').map(|name| Field::parse(name).ok_or_else(wrong));
    Ok(Disclosure {
        id: id.0,
        person: person.map(|id| PersonId(id.0)),
        report: report.map(|id| ReportId(id.0)),
        household: household.map(|id| HouseholdId(id.0)),
        by: PersonId(by.0),
        by_name,
        fields: fields.collect::<Result<_>>()?,
        purpose: Purpose::parse(&purpose).ok_or_else(wrong)?,
        reason,
        at: at.0,
        digest: Hash::from_bytes(&digest).ok_or_else(wrong)?,
    })
}

/// Records a disclosure unless it exists; returns the stored one, and whether it is new.
pub(crate) fn insert_disclosure(
    db: &mut Db,
    tenant: TenantId,
    new: &Disclosure,
) -> Result<(Disclosure, bool)> {
    use disclosures::dsl as d;
    let tally = tally::hold(db, tenant, DataClass::Disclosures, new.at)?;
    let fields: Vec<&str> = new.fields.iter().map(|field| field.name()).collect();
    let insert = diesel::insert_into(disclosures::table)
        .values((
            d::tenant_id.eq(Id(tenant.0)),
            d::id.eq(Id(new.id)),
            d::person_id.eq(new.person.map(|id| Id(id.0))),
            d::report_id.eq(new.report.map(|id| Id(id.0))),
            d::household_id.eq(new.household.map(|id| Id(id.0))),
            d::by_id.eq(Id(new.by.0)),
            d::by_name.eq(new.by_name.clone()),
            d::fields.eq(fields.join(",")),
            d::purpose.eq(new.purpose.name()),
            d::reason.eq(new.reason.clone()),
            d::at.eq(At(new.at)),
            d::digest.eq(new.digest.0.to_vec()),
        ))
        .on_conflict_do_nothing();
    let added = each!(db, c => insert.execute(c))?;
    let row: DisclosureColumns =
        disclosures::table.find((Id(tenant.0), Id(new.id))).select(DISCLOSURE).first(db)?;
    if added > 0 {
        let tally = tally.with_record(new.to_written(tenant).digest);
        tally::put(db, tenant, DataClass::Disclosures, tally)?;
    }
    Ok((disclosure_from_row(row)?, added > 0))
}

type DisclosureSelection = (
    disclosures::id,
    (disclosures::person_id, disclosures::report_id, disclosures::household_id),
    disclosures::by_id,
    disclosures::by_name,
    disclosures::fields,
    disclosures::purpose,
    disclosures::reason,
    disclosures::at,
    disclosures::digest,
);

const DISCLOSURE: DisclosureSelection = (
    disclosures::id,
    (disclosures::person_id, disclosures::report_id, disclosures::household_id),
    disclosures::by_id,
    disclosures::by_name,
    disclosures::fields,
    disclosures::purpose,
    disclosures::reason,
    disclosures::at,
    disclosures::digest,
);

/// Disclosures, newest first; only those about one person where one is given.
pub fn list_disclosures(
    db: &mut Db,
    tenant: TenantId,
    person: Option<PersonId>,
    page: Keyset,
) -> Result<Vec<Disclosure>> {
    use disclosures::dsl as d;
    let mut query = disclosures::table.filter(d::tenant_id.eq(Id(tenant.0))).into_boxed();
    if let Some(person) = person {
        // Everyone who lives in a household sees its disclosures.
        let theirs = household_people::table
            .select(household_people::household_id.nullable())
            .filter(household_people::tenant_id.eq(Id(tenant.0)))
            .filter(household_people::person_id.eq(Id(person.0)))
            .filter(household_people::role.eq(crate::people::person::MEMBER));
        let own = d::person_id.is_not_null().and(d::person_id.assume_not_null().eq(Id(person.0)));
        let household =
            d::household_id.is_not_null().and(d::household_id.eq_any(theirs).assume_not_null());
        query = query.filter(own.or(household));
    }
    if let Some((at, id)) = page.after {
        let (at, id) = (At(at), Id(id));
        query = query.filter(d::at.lt(at).or(d::at.eq(at).and(d::id.lt(id))));
    }
    let rows: Vec<DisclosureColumns> =
        query.select(DISCLOSURE).order((d::at.desc(), d::id.desc())).limit(page.limit).load(db)?;
    rows.into_iter().map(disclosure_from_row).collect()
}

/// A person agreed to something, or withdrew the consent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consent {
    /// Its identity, derived from that of the request.
    pub id: Uuid,
    /// The person who answered.
    pub person: PersonId,
    /// The purpose it is about.
    pub purpose: String,
    /// Whether it was given; withdrawn otherwise.
    pub given: bool,
    /// The version of the notice.
    pub version: String,
    /// The edition of the document.
    pub edition: i64,
    /// When the person answered.
    pub at: Instant,
    /// The digest of the request.
    pub digest: Hash,
}

const GIVEN: &str = "given";
const WITHDRAWN: &str = "withdrawn";

type ConsentColumns = (Id, Id, String, String, String, i64, At, Vec<u8>);

fn consent_from_row(row: ConsentColumns) -> Result<Consent> {
    let (id, person, purpose, answer, version, edition, at, digest) = row;
    let digest = Hash::from_bytes(&digest).ok_or_else(|| inconsistent_error("consents", id.0))?;
    let (id, person, given) = (id.0, PersonId(person.0), answer == GIVEN);
    Ok(Consent { id, person, purpose, given, version, edition, at: at.0, digest })
}

type ConsentSelection = (
    consents::id,
    consents::person_id,
    consents::purpose,
    consents::answer,
    consents::version,
    consents::edition,
    consents::at,
    consents::digest,
);

const CONSENT: ConsentSelection = (
    consents::id,
    consents::person_id,
    consents::purpose,
    consents::answer,
    consents::version,
    consents::edition,
    consents::at,
    consents::digest,
);

/// Records a consent unless it exists; returns the stored one, and whether it is new.
pub(crate) fn record_consent(
    db: &mut Db,
    tenant: TenantId,
    new: &Consent,
) -> Result<(Consent, bool)> {
    use consents::dsl as c;
    let tally = tally::hold(db, tenant, DataClass::Consents, new.at)?;
    let insert = diesel::insert_into(consents::table)
        .values((
            c::tenant_id.eq(Id(tenant.0)),
            c::id.eq(Id(new.id)),
            c::person_id.eq(Id(new.person.0)),
            c::purpose.eq(new.purpose.clone()),
            c::answer.eq(if new.given { GIVEN } else { WITHDRAWN }),
            c::version.eq(new.version.clone()),
            c::edition.eq(new.edition),
            c::at.eq(At(new.at)),
            c::digest.eq(new.digest.0.to_vec()),
        ))
        .on_conflict_do_nothing();
    let added = each!(db, c => insert.execute(c))?;
    let row: ConsentColumns =
        consents::table.find((Id(tenant.0), Id(new.id))).select(CONSENT).first(db)?;
    if added > 0 {
        let tally = tally.with_record(new.to_written(tenant).digest);
        tally::put(db, tenant, DataClass::Consents, tally)?;
    }
    Ok((consent_from_row(row)?, added > 0))
}

/// The consents of a person, given and withdrawn, newest first.
pub fn list_consents(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    page: Keyset,
) -> Result<Vec<Consent>> {
    use consents::dsl as c;
    let mut query = consents::table
        .filter(c::tenant_id.eq(Id(tenant.0)).and(c::person_id.eq(Id(person.0))))
        .into_boxed();
    if let Some((at, id)) = page.after {
        let (at, id) = (At(at), Id(id));
        query = query.filter(c::at.lt(at).or(c::at.eq(at).and(c::id.lt(id))));
    }
    let rows: Vec<ConsentColumns> =
        query.select(CONSENT).order((c::at.desc(), c::id.desc())).limit(page.limit).load(db)?;
    rows.into_iter().map(consent_from_row).collect()
}

pub(crate) fn purge_disclosures(
    db: &mut Db,
    tenant: TenantId,
    (cutoff, at): (Instant, Instant),
    limit: i64,
) -> Result<i64> {
    use disclosures::dsl as d;
    let tally = tally::hold(db, tenant, DataClass::Disclosures, at)?;
    let old: Vec<DisclosureColumns> = disclosures::table
        .filter(d::tenant_id.eq(Id(tenant.0)).and(d::at.lt(At(cutoff))))
        .select(DISCLOSURE)
        .limit(limit)
        .load(db)?;
    let gone = diesel::delete(disclosures::table)
        .filter(d::tenant_id.eq(Id(tenant.0)).and(d::id.eq_any(old.iter().map(|row| row.0))))
        .execute(db)?;
    let digests: Vec<Hash> = old.iter().map(|row| disclosure_digest(tenant, row)).collect();
    subtract(db, tenant, (DataClass::Disclosures, tally), &digests, (cutoff, at))?;
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}

/// Removes old consents that a later answer replaced: a consent that is in force is still needed.
pub(crate) fn purge_consents(
    db: &mut Db,
    tenant: TenantId,
    (cutoff, at): (Instant, Instant),
    limit: i64,
) -> Result<i64> {
    use consents::dsl as c;
    let tally = tally::hold(db, tenant, DataClass::Consents, at)?;
    let later = diesel::alias!(consents as later);
    let newer = later
        .filter(later.field(c::tenant_id).eq(Id(tenant.0)))
        .filter(later.field(c::person_id).eq(c::person_id))
        .filter(later.field(c::purpose).eq(c::purpose))
        .filter(later.field(c::at).gt(c::at));
    let old: Vec<ConsentColumns> = consents::table
        .filter(c::tenant_id.eq(Id(tenant.0)).and(c::at.lt(At(cutoff))))
        .filter(diesel::dsl::exists(newer).or(c::answer.eq(WITHDRAWN)))
        // Oldest first: no consent outlives the answer that withdrew it.
        .order((c::at.asc(), c::id.asc()))
        .select(CONSENT)
        .limit(limit)
        .load(db)?;
    let gone = diesel::delete(consents::table)
        .filter(c::tenant_id.eq(Id(tenant.0)).and(c::id.eq_any(old.iter().map(|row| row.0))))
        .execute(db)?;
    let digests: Vec<Hash> = old.iter().map(|row| consent_digest(tenant, row)).collect();
    subtract(db, tenant, (DataClass::Consents, tally), &digests, (cutoff, at))?;
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}

/// The answers of a person about one purpose, oldest first: the identity of the answer, when it was
/// given, and whether it was a consent.
pub fn load_answers(
    db: &mut Db,
    tenant: TenantId,
    person: PersonId,
    purpose: &str,
) -> Result<Vec<(Uuid, Instant, bool)>> {
    use consents::dsl as c;
    let rows: Vec<(Id, At, String)> = consents::table
        .filter(c::tenant_id.eq(Id(tenant.0)).and(c::person_id.eq(Id(person.0))))
        .filter(c::purpose.eq(purpose))
        .order((c::at.asc(), c::id.asc()))
        .select((c::id, c::at, c::answer))
        .load(db)?;
    Ok(rows.into_iter().map(|(id, at, answer)| (id.0, at.0, answer == GIVEN)).collect())
}

/// Records a disclosure, unless it was recorded before; returns the record, and whether it is new.
pub fn record_disclosure(tenant: TenantId, new: Disclosure) -> WriteJob<(Disclosure, bool)> {
    WriteJob::new(move |db| insert_disclosure(db, tenant, &new))
}
