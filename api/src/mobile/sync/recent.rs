//! The latest changes, in memory, with the place of each flow: read once for all phones, so that no
//! phone has to read what happens in a whole city to learn what happened in its grid.
//!
//! Every replica reads for its own phones, and none is answered from what was read before it asked:
//! phones that ask at the same moment share one reading that begins after all of them.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use domain::core::{
    id::{PersonId, TenantId},
    journal::Hash,
};
use persistence::{
    Store, StoreError,
    kernel::feed::{self, Moved},
};
use quick_cache::sync::Cache;
use tokio::sync::Mutex;

use super::{
    kinds::Concerned,
    sight::Sight,
    whereabouts::{Concern, Target, load_targets},
};

/// How many entries of a feed are kept; one takes about 300 bytes.
const KEPT: usize = 20_000;

/// How many of the last entries are read at first.
const BACK: i64 = 2000;

/// How many entries are read at once, and the most readings in a row: older entries are left out.
const WINDOW: i64 = 1000;
const WINDOWS: usize = 8;

/// How many entries further back are read for one page.
const FAR: i64 = 200;

/// How long a feed that no phone asks for is kept.
const IDLE: Duration = Duration::from_mins(10);

/// The ends of the feeds of all tenants whose phones ask.
pub struct Recents(Cache<TenantId, Arc<Recent>>);

impl Default for Recents {
    fn default() -> Self {
        Self(Cache::new(256))
    }
}

/// The end of one feed.
#[derive(Default)]
pub struct Recent {
    kept: RwLock<EntryWindow>,
    /// When the last reading began.
    read: Mutex<Option<Instant>>,
}

/// Everything after `from`, up to `to`.
#[derive(Default)]
struct EntryWindow {
    from: i64,
    to: i64,
    entries: VecDeque<(Moved, Vec<Target>)>,
}

/// A part of the feed, as far as it concerns one person.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The flows that changed; more than the limit only where the first entry concerns more.
    pub(super) flows: Vec<Concerned>,
    /// The last entry that was read; none when there was none.
    pub(super) last: Option<(i64, Hash)>,
    /// Whether there is more behind it.
    pub(super) more: bool,
}

impl Recents {
    /// The end of the feed of a tenant, with everything that was committed until now.
    pub(super) async fn load_recent(
        &self,
        store: &Store,
        tenant: TenantId,
    ) -> Result<Arc<Recent>, StoreError> {
        let recent = self.0.get(&tenant).unwrap_or_else(|| {
            let new = Arc::<Recent>::default();
            self.0.insert(tenant, Arc::clone(&new));
            new
        });
        recent.read_new(store, tenant).await?;
        Ok(recent)
    }
}

impl Recent {
    fn lock_read(&self) -> RwLockReadGuard<'_, EntryWindow> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_write(&self) -> RwLockWriteGuard<'_, EntryWindow> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads new entries, unless another reading began after this one was requested.
    async fn read_new(&self, store: &Store, tenant: TenantId) -> Result<(), StoreError> {
        let asked = Instant::now();
        let mut read = self.read.lock().await;
        if read.is_some_and(|begun| begun >= asked) {
            return Ok(());
        }
        let begun = Instant::now();
        let mut anew = read.is_none_or(|last| last + IDLE < begun);
        let mut whole = false;
        for _ in 0..WINDOWS {
            if anew {
                let end = store.read(move |db| feed::load_end(db, tenant)).await?;
                self.reset_to((end - BACK).max(0));
            }
            let last = self.last_entry();
            let (from, skip) = last.map_or((self.lock_read().to, 0), |(at, _)| (at - 1, 1));
            let moved = store.read(move |db| feed::load_after(db, tenant, from, WINDOW)).await?;
            // The last entry kept is read again: in a database that was restored to an earlier day
            // it is another one or none.
            anew = last.is_some_and(|(_, hash)| moved.first().is_none_or(|one| one.hash != hash));
            if anew {
                continue;
            }
            whole = i64::try_from(moved.len()) != Ok(WINDOW);
            let moved: Vec<Moved> = moved.into_iter().skip(skip).collect();
            let targets = load_targets(store, tenant, &moved).await?;
            self.lock_write().append(moved, targets);
            if whole {
                break;
            }
        }
        if !whole {
            // A phone that is further behind is answered from the feed itself.
            let end = store.read(move |db| feed::load_end(db, tenant)).await?;
            self.reset_to(end);
        }
        *read = Some(begun);
        Ok(())
    }

    /// Forgets everything and begins after this position.
    fn reset_to(&self, from: i64) {
        *self.lock_write() = EntryWindow { from, to: from, entries: VecDeque::new() };
    }

    /// The last entry that is kept.
    fn last_entry(&self) -> Option<(i64, Hash)> {
        self.lock_read().entries.back().map(|(moved, _)| (moved.position, moved.hash))
    }

    /// The hash of the entry at a place, if it is kept.
    pub(super) fn hash_at(&self, position: i64) -> Option<Hash> {
        let kept = self.lock_read();
        let place = kept.entries.binary_search_by_key(&position, |(moved, _)| moved.position);
        place.ok().and_then(|place| kept.entries.get(place)).map(|(moved, _)| moved.hash)
    }

    /// The flows that changed after a position, as far as they concern one person, at most `limit`;
    /// none where the entries are not kept any more.
    pub(super) fn read_after(
        &self,
        position: i64,
        of: (&Sight, PersonId),
        limit: usize,
    ) -> Option<Stretch> {
        let kept = self.lock_read();
        (position >= kept.from).then(|| kept.after(position, of, limit))
    }
}

impl EntryWindow {
    fn append(&mut self, moved: Vec<Moved>, targets: Vec<Vec<Target>>) {
        for entry in moved.into_iter().zip(targets) {
            self.to = entry.0.position;
            self.entries.push_back(entry);
            if self.entries.len() > KEPT
                && let Some((gone, _)) = self.entries.pop_front()
            {
                self.from = gone.position;
            }
        }
    }

    fn after(&self, position: i64, (sight, person): (&Sight, PersonId), limit: usize) -> Stretch {
        let first = self.entries.partition_point(|(moved, _)| moved.position <= position);
        let (mut stretch, mut places) = (Stretch::default(), HashMap::new());
        for (moved, targets) in self.entries.range(first..) {
            let concerns = |target: &Target| {
                let (kind, flow) = (target.kind, target.flow);
                match target.concern(sight, person) {
                    Concern::None => None,
                    Concern::Seen => Some(Concerned { kind, flow, was_seen: false }),
                    Concern::WasSeen => Some(Concerned { kind, flow, was_seen: true }),
                }
            };
            let concerned: Vec<Concerned> = targets.iter().filter_map(concerns).collect();
            let new = concerned.iter().filter(|one| !places.contains_key(&one.flow)).count();
            // An entry is one position of a cursor: it may concern more flows than the limit.
            if !stretch.flows.is_empty() && stretch.flows.len() + new > limit {
                stretch.more = true;
                break;
            }
            for one in concerned {
                match places.entry(one.flow) {
                    Entry::Vacant(place) => {
                        place.insert(stretch.flows.len());
                        stretch.flows.push(one);
                    }
                    Entry::Occupied(place) => {
                        if let Some(known) = stretch.flows.get_mut(*place.get()) {
                            known.was_seen |= one.was_seen;
                        }
                    }
                }
            }
            stretch.last = Some((moved.position, moved.hash));
        }
        stretch
    }
}

/// The flows that changed after a position that lies further back than what is kept in memory, read
/// from the feed itself.
pub(super) async fn load_stretch(
    store: &Store,
    tenant: TenantId,
    position: i64,
    of: (&Sight, PersonId),
    limit: usize,
) -> Result<Stretch, StoreError> {
    let moved = store.read(move |db| feed::load_after(db, tenant, position, FAR)).await?;
    let full = i64::try_from(moved.len()) == Ok(FAR);
    let targets = load_targets(store, tenant, &moved).await?;
    let mut kept = EntryWindow { from: position, to: position, entries: VecDeque::new() };
    kept.append(moved, targets);
    let stretch = kept.after(position, of, limit);
    Ok(Stretch { more: stretch.more || full, ..stretch })
}

#[cfg(test)]
mod tests {
    use domain::core::journal::FlowKind;
    use uuid::Uuid;

    use super::*;
    use crate::mobile::sync::sight::Right;

    fn moved(position: i64, flow: u128) -> Moved {
        let (kind, hash) = (FlowKind::Report, Hash::digest(&position.to_le_bytes()));
        Moved { position, kind, flow: Uuid::from_u128(flow), seq: 1, hash }
    }

    fn sight(path: &str) -> Sight {
        Sight::with(path, Right::Work)
    }

    #[test]
    fn only_what_concerns_somebody_counts_against_the_page() {
        let recent = Recent::default();
        let entries: Vec<Moved> =
            (1..=300).map(|at| moved(at, u128::try_from(at).unwrap())).collect();
        let targets = entries.iter().map(|one| {
            let own = one.position % 100 == 0;
            vec![Target::report_at(one.flow, if own { "/a/b/" } else { "/a/c/" })]
        });
        recent.lock_write().append(entries.clone(), targets.collect());
        let person = PersonId(Uuid::nil());
        let of = |at, limit| recent.read_after(at, (&sight("/a/b/"), person), limit).unwrap();
        let all = of(0, 100);
        assert_eq!(all.flows.len(), 3);
        assert_eq!((all.last.unwrap().0, all.more), (300, false));
        let first = of(0, 2);
        // It stops before the third, not behind the second: nothing is read twice.
        assert_eq!((first.flows.len(), first.last.unwrap().0, first.more), (2, 299, true));
        assert_eq!(of(299, 2).flows.len(), 1);
        assert_eq!(of(300, 2), Stretch::default());
        assert_eq!(recent.hash_at(7), Some(moved(7, 7).hash));
        assert_eq!(recent.hash_at(301), None);
    }

    #[test]
    fn who_is_behind_what_is_kept_is_told_so() {
        let recent = Recent::default();
        let most = i64::try_from(KEPT).unwrap();
        let entries: Vec<Moved> = (1..=most + 10).map(|at| moved(at, 1)).collect();
        let targets = entries.iter().map(|_| Vec::new()).collect();
        recent.lock_write().append(entries, targets);
        let person = PersonId(Uuid::nil());
        assert_eq!(recent.read_after(9, (&sight("/"), person), 1), None);
        assert!(recent.read_after(10, (&sight("/"), person), 1).is_some());
        assert_eq!(recent.hash_at(10), None);
    }
}
