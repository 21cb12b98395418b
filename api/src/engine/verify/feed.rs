//! The feed: every position is taken, and the entries there are those that checkpoints saw.

use domain::core::{
    checkpoint::{Checkpoint, extend_digest},
    id::TenantId,
    journal::Hash,
};
use persistence::{Db, StoreError, kernel::feed};

use super::Findings;

/// Where a feed ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct End {
    /// The last position.
    pub(super) position: i64,
    /// How many entries there are.
    pub(super) entries: i64,
    /// The digest over them.
    pub(super) digest: Hash,
}

/// Reads the feed of a tenant from its beginning, a page at a time.
pub(super) fn check(
    db: &mut Db,
    tenant: TenantId,
    seen: &[Checkpoint],
    found: &mut Findings,
) -> Result<End, StoreError> {
    const PAGE: i64 = 1000;
    let extent = feed::load_extent(db, tenant)?;
    let (mut end, mut after, mut holes) = (End::default(), i64::MIN, 0);
    let mut seen: Vec<&Checkpoint> = seen.iter().collect();
    // The last first: the next to be compared is popped from the end.
    seen.sort_by_key(|one| std::cmp::Reverse(one.position));
    loop {
        let page = feed::load_hashes(db, tenant, after, PAGE)?;
        for (position, hash) in &page {
            let passed = |one: &&Checkpoint| one.position < *position;
            while let Some(one) = seen.pop_if(|one| passed(&*one)) {
                compare_checkpoint(tenant, one, end, found);
            }
            holes += count_holes(tenant, (end.position, *position), extent, found);
            end.digest = extend_digest(end.digest, *position, hash);
            end.entries += 1;
            end.position = *position;
            after = *position;
        }
        if page.is_empty() {
            break;
        }
    }
    if end.position != extent.end {
        holes += count_holes(tenant, (end.position, extent.end + 1), extent, found);
        if end.position > extent.end {
            let (there, ought) = (end.position, extent.end);
            found.record_break(format!(
                "feed {tenant}: it ends at {there} and ought to end at {ought}"
            ));
        }
    }
    if holes != extent.holes {
        let ought = extent.holes;
        found.record_break(format!(
            "feed {tenant}: {holes} entries are missing up to position {}, and {ought} ever were",
            extent.dense_from
        ));
    }
    end.position = end.position.max(extent.end);
    for one in seen.iter().rev() {
        compare_checkpoint(tenant, one, end, found);
    }
    Ok(end)
}

/// How many positions are free between two entries; names them in the findings.
fn count_holes(
    tenant: TenantId,
    (before, next): (i64, i64),
    extent: feed::Extent,
    found: &mut Findings,
) -> i64 {
    let (first, last) = (before + 1, next - 1);
    if next < 1 {
        found.record_break(format!("feed {tenant}: an entry stands at position {next}"));
        return 0;
    }
    if first > last {
        return 0;
    }
    let known = last.min(extent.dense_from) - first + 1;
    let from = first.max(extent.dense_from + 1);
    if from == last {
        found.record_break(format!("feed {tenant}: the entry at position {from} is missing"));
    } else if from < last {
        found.record_break(format!(
            "feed {tenant}: the entries at positions {from} to {last} are missing"
        ));
    }
    known.max(0)
}

/// Whether the feed up to a position is what a checkpoint saw there.
fn compare_checkpoint(tenant: TenantId, one: &Checkpoint, end: End, found: &mut Findings) {
    let (position, at) = (one.position, one.at.to_rfc3339());
    if end.position < position && end.entries < one.entries {
        let there = end.position;
        found.record_break(format!(
            "feed {tenant}: it ends at {there}; the checkpoint of {at} saw position {position}"
        ));
    } else if (end.entries, end.digest) != (one.entries, one.digest) {
        found.record_break(format!(
            "feed {tenant}: what stands up to position {position} is not what the checkpoint of \
             {at} saw"
        ));
    }
}
