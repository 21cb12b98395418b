//! Digests of disclosures and consents: the audit log records each when it is written, and what is
//! removed because its time is over is subtracted from the tally.

use std::collections::HashMap;

use diesel::prelude::*;
use domain::{
    Instant,
    core::{id::TenantId, journal::Hash, tally::Tally},
    people::{
        evidence::{Said, Tallies, Written},
        privacy::DataClass,
    },
};
use uuid::Uuid;

use super::{
    CONSENT, Consent, ConsentColumns, DISCLOSURE, Disclosure, DisclosureColumns, GIVEN, Result,
    WITHDRAWN,
};
use crate::{
    kernel::{
        connection::Db,
        schema::{consents, disclosures},
        types::{At, Id},
    },
    people::tally,
};

impl Disclosure {
    /// Its audit evidence: its identity, and the digest of its whole content.
    pub fn to_written(&self, tenant: TenantId) -> Written {
        let id = |id: Uuid| Id(id);
        let subjects = (
            self.person.map(|one| id(one.0)),
            self.report.map(|one| id(one.0)),
            self.household.map(|one| id(one.0)),
        );
        let fields: Vec<&str> = self.fields.iter().map(|field| field.name()).collect();
        let digest = disclosure_digest(
            tenant,
            &(
                Id(self.id),
                subjects,
                Id(self.by.0),
                self.by_name.clone(),
                fields.join(","),
                self.purpose.name().to_owned(),
                self.reason.clone(),
                At(self.at),
                self.digest.0.to_vec(),
            ),
        );
        Written { record: self.id, digest }
    }
}

/// A digest of all columns of a row.
fn digest_row(tenant: TenantId, table: &str, parts: &[&[u8]]) -> Hash {
    let mut all = [table.as_bytes(), tenant.0.as_bytes()].concat();
    for part in parts {
        all.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        all.extend(*part);
    }
    Hash::digest(&all)
}

pub(super) fn disclosure_digest(tenant: TenantId, row: &DisclosureColumns) -> Hash {
    let (id, (person, report, household), by, by_name, fields, purpose, reason, at, digest) = row;
    let optional = |id: &Option<Id>| id.map(|id| id.0.as_bytes().to_vec()).unwrap_or_default();
    let parts: [&[u8]; 11] = [
        id.0.as_bytes(),
        &optional(person),
        &optional(report),
        &optional(household),
        by.0.as_bytes(),
        by_name.as_bytes(),
        fields.as_bytes(),
        purpose.as_bytes(),
        reason.as_bytes(),
        &at.0.timestamp_micros().to_be_bytes(),
        digest,
    ];
    digest_row(tenant, "disclosures", &parts)
}

impl Consent {
    /// Its audit evidence: its identity, and the digest of its whole content.
    pub fn to_written(&self, tenant: TenantId) -> Written {
        let answer = if self.given { GIVEN } else { WITHDRAWN };
        let digest = consent_digest(
            tenant,
            &(
                Id(self.id),
                Id(self.person.0),
                self.purpose.clone(),
                answer.to_owned(),
                self.version.clone(),
                self.edition,
                At(self.at),
                self.digest.0.to_vec(),
            ),
        );
        Written { record: self.id, digest }
    }
}

pub(super) fn consent_digest(tenant: TenantId, row: &ConsentColumns) -> Hash {
    let (id, person, purpose, answer, version, edition, at, digest) = row;
    let parts: [&[u8]; 8] = [
        id.0.as_bytes(),
        person.0.as_bytes(),
        purpose.as_bytes(),
        answer.as_bytes(),
        version.as_bytes(),
        &edition.to_be_bytes(),
        &at.0.timestamp_micros().to_be_bytes(),
        digest,
    ];
    digest_row(tenant, "consents", &parts)
}

/// The digests of the records of a class after an identity, in the order of identities.
pub(crate) fn load_digests_after(
    db: &mut Db,
    tenant: TenantId,
    class: DataClass,
    after: Uuid,
    limit: i64,
) -> Result<Vec<(Uuid, Hash)>> {
    let (t, after) = (Id(tenant.0), Id(after));
    if class == DataClass::Consents {
        let rows: Vec<ConsentColumns> = consents::table
            .filter(consents::tenant_id.eq(t).and(consents::id.gt(after)))
            .order(consents::id.asc())
            .select(CONSENT)
            .limit(limit)
            .load(db)?;
        return Ok(rows.iter().map(|row| (row.0.0, consent_digest(tenant, row))).collect());
    }
    let rows: Vec<DisclosureColumns> = disclosures::table
        .filter(disclosures::tenant_id.eq(t).and(disclosures::id.gt(after)))
        .order(disclosures::id.asc())
        .select(DISCLOSURE)
        .limit(limit)
        .load(db)?;
    Ok(rows.iter().map(|row| (row.0.0, disclosure_digest(tenant, row))).collect())
}

/// The digests of some records of a class, as far as they exist.
pub fn load_digests(
    db: &mut Db,
    tenant: TenantId,
    class: DataClass,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Hash>> {
    let (t, ids) = (Id(tenant.0), ids.iter().map(|id| Id(*id)).collect::<Vec<_>>());
    if class == DataClass::Consents {
        let rows: Vec<ConsentColumns> = consents::table
            .filter(consents::tenant_id.eq(t).and(consents::id.eq_any(ids)))
            .select(CONSENT)
            .load(db)?;
        return Ok(rows.iter().map(|row| (row.0.0, consent_digest(tenant, row))).collect());
    }
    let rows: Vec<DisclosureColumns> = disclosures::table
        .filter(disclosures::tenant_id.eq(t).and(disclosures::id.eq_any(ids)))
        .select(DISCLOSURE)
        .load(db)?;
    Ok(rows.iter().map(|row| (row.0.0, disclosure_digest(tenant, row))).collect())
}

/// Subtracts records that were removed because their time was over, and records it in the audit
/// log: records removed in another way are noticed as missing.
pub(super) fn subtract(
    db: &mut Db,
    tenant: TenantId,
    (class, tally): (DataClass, Tally),
    gone: &[Hash],
    (cutoff, at): (Instant, Instant),
) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let left = gone.iter().fold(tally, |tally, digest| tally.without_record(*digest));
    tally::put(db, tenant, class, left)?;
    let said = Said {
        class: Some(class),
        removed: i64::try_from(gone.len()).ok(),
        before: Some(cutoff),
        tallies: Some(Tallies::default().with_tally(class, Some(left))),
        ..Said::default()
    };
    crate::people::audit::append(db, tenant, said.to_note(at))?;
    Ok(())
}
