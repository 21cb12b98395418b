//! What moved lately, in memory, with where each thing lies: read once for all phones, so that no
//! phone has to read what happens in a whole city to learn what happened in its grid.
//!
//! Every replica reads for its own phones, and none is answered from what was read before it
//! asked: those who ask at the same moment share one reading that begins after all of them.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use domain::{
    area::tree::{Path, Unit},
    core::{
        id::{AreaId, PersonId, TenantId},
        journal::{FlowKind, Hash},
    },
    flows::{case::state::Case, patrol::Patrol, report::Report, visit::Visit},
};
use persistence::{
    FlowTable, Store, StoreError,
    kernel::feed::{self, Moved},
};
use quick_cache::sync::Cache;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::changes::Sight;

/// How many entries of a feed are kept; one takes about 200 bytes.
const KEPT: usize = 20_000;

/// How many of the last entries are read to begin with.
const BACK: i64 = 2000;

/// How many entries are read at once, and how often in a row: whatever is behind that is left out.
const WINDOW: i64 = 1000;
const WINDOWS: usize = 8;

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
    kept: RwLock<Kept>,
    /// When the last reading began.
    read: Mutex<Option<Instant>>,
}

/// Everything behind `from`, up to `to`.
#[derive(Default)]
struct Kept {
    from: i64,
    to: i64,
    entries: VecDeque<(Moved, About)>,
}

/// Where what moved lies.
#[derive(Clone)]
enum About {
    /// It is nothing that phones are told of.
    Nothing,
    /// It lies there, and belongs to these units and this person.
    Place(Arc<Place>),
    /// It cannot be told here: each caller who may see it has to find out.
    Unknown,
}

/// Where a thing lies and whose it is: what lists of things are limited by.
struct Place {
    path: Path,
    units: Vec<AreaId>,
    person: Option<PersonId>,
    /// Whether the right to see households decides, instead of the right to see cases.
    home: bool,
}

impl Place {
    fn concerns(&self, sight: &Sight, person: PersonId) -> bool {
        let paths = if self.home { &sight.homes } else { &sight.paths };
        self.person == Some(person)
            || paths.iter().any(|path| path.contains(&self.path))
            || self.units.iter().any(|unit| sight.units.contains(unit))
    }
}

/// A part of the feed, as far as it concerns one person.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The things that moved, by kind and identity.
    pub(super) flows: Vec<(FlowKind, Uuid)>,
    /// The last entry that was looked at; none when there was none.
    pub(super) last: Option<(i64, Hash)>,
    /// Whether there is more behind it.
    pub(super) more: bool,
}

impl Recents {
    /// The end of the feed of a tenant, with everything that was committed until now.
    pub(super) async fn of(
        &self,
        store: &Store,
        tenant: TenantId,
    ) -> Result<Arc<Recent>, StoreError> {
        let recent = self.0.get(&tenant).unwrap_or_else(|| {
            let new = Arc::<Recent>::default();
            self.0.insert(tenant, Arc::clone(&new));
            new
        });
        recent.reads(store, tenant).await?;
        Ok(recent)
    }
}

impl Recent {
    fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is new, unless another reading began after this one was asked for.
    async fn reads(&self, store: &Store, tenant: TenantId) -> Result<(), StoreError> {
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
                let end = store.read(move |db| feed::end(db, tenant)).await?;
                self.begin((end - BACK).max(0));
            }
            let last = self.last();
            let (from, skip) = last.map_or((self.kept().to, 0), |(at, _)| (at - 1, 1));
            let moved = store.read(move |db| feed::after(db, tenant, from, WINDOW)).await?;
            // The last that is kept is read again: in a database that was restored to an earlier day
            // it is another or none.
            anew = last.is_some_and(|(_, hash)| moved.first().is_none_or(|one| one.hash != hash));
            if anew {
                continue;
            }
            whole = i64::try_from(moved.len()) != Ok(WINDOW);
            let moved: Vec<Moved> = moved.into_iter().skip(skip).collect();
            let places = places(store, tenant, &moved).await?;
            self.append(moved, &places);
            if whole {
                break;
            }
        }
        if !whole {
            // A phone that is further behind is answered from the feed itself.
            let end = store.read(move |db| feed::end(db, tenant)).await?;
            self.begin(end);
        }
        *read = Some(begun);
        Ok(())
    }

    /// Forgets everything and begins behind this place.
    fn begin(&self, from: i64) {
        *self.change() = Kept { from, to: from, entries: VecDeque::new() };
    }

    fn append(&self, moved: Vec<Moved>, places: &HashMap<Uuid, About>) {
        let mut kept = self.change();
        for one in moved {
            kept.to = one.position;
            let about = places.get(&one.flow).cloned().unwrap_or(About::Nothing);
            kept.entries.push_back((one, about));
            if kept.entries.len() > KEPT
                && let Some((gone, _)) = kept.entries.pop_front()
            {
                kept.from = gone.position;
            }
        }
    }

    /// The last entry that is kept.
    fn last(&self) -> Option<(i64, Hash)> {
        self.kept().entries.back().map(|(moved, _)| (moved.position, moved.hash))
    }

    /// The hash of the entry at a place, if it is kept.
    pub(super) fn hash_at(&self, position: i64) -> Option<Hash> {
        let kept = self.kept();
        let place = kept.entries.binary_search_by_key(&position, |(moved, _)| moved.position);
        place.ok().and_then(|place| kept.entries.get(place)).map(|(moved, _)| moved.hash)
    }

    /// What moved after a place, as far as it concerns one person, of at most `limit` things; none
    /// where that is not kept any more.
    pub(super) fn after(
        &self,
        position: i64,
        (sight, person): (&Sight, PersonId),
        limit: usize,
    ) -> Option<Stretch> {
        let kept = self.kept();
        if position < kept.from {
            return None;
        }
        let first = kept.entries.partition_point(|(moved, _)| moved.position <= position);
        let (mut stretch, mut known) = (Stretch::default(), HashSet::new());
        for (moved, about) in kept.entries.range(first..) {
            let concerns = match about {
                About::Nothing => false,
                About::Place(place) => place.concerns(sight, person),
                About::Unknown => true,
            };
            if concerns && !known.contains(&moved.flow) {
                if known.len() == limit {
                    stretch.more = true;
                    break;
                }
                known.insert(moved.flow);
                stretch.flows.push((moved.kind, moved.flow));
            }
            stretch.last = Some((moved.position, moved.hash));
        }
        Some(stretch)
    }
}

/// Where these lie now.
async fn places(
    store: &Store,
    tenant: TenantId,
    moved: &[Moved],
) -> Result<HashMap<Uuid, About>, StoreError> {
    let place = |area: &Unit, person| {
        let (path, units) = (area.path.clone(), Vec::new());
        Place { path, units, person, home: false }
    };
    let mut places = HashMap::new();
    lie(store, tenant, moved, &mut places, |case: &Case| {
        let units = case.units.iter().map(|unit| unit.id).collect();
        Place { units, ..place(&case.place.area, None) }
    })
    .await?;
    lie(store, tenant, moved, &mut places, |report: &Report| {
        place(&report.place.area, Some(report.reporter))
    })
    .await?;
    lie(store, tenant, moved, &mut places, |patrol: &Patrol| place(&patrol.area, patrol.worker()))
        .await?;
    lie(store, tenant, moved, &mut places, |visit: &Visit| {
        let home = true;
        Place { home, ..place(&visit.area, visit.worker) }
    })
    .await?;
    Ok(places)
}

/// The same of those of one kind.
async fn lie<F: FlowTable>(
    store: &Store,
    tenant: TenantId,
    moved: &[Moved],
    places: &mut HashMap<Uuid, About>,
    place: impl Fn(&F) -> Place,
) -> Result<(), StoreError> {
    let of_kind = moved.iter().filter(|one| one.kind == F::KIND);
    let ids: BTreeSet<Uuid> = of_kind.map(|one| one.flow).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    for (id, found) in ids.iter().zip(store.look_all::<F>(tenant, &ids).await) {
        let about = match found {
            Ok(Some(found)) => About::Place(Arc::new(place(&found.state))),
            Ok(None) => continue,
            // What cannot be read is the trouble of those who may see it, not of everybody.
            Err(error) if error.is_unreadable() => About::Unknown,
            Err(error) => return Err(error),
        };
        places.insert(*id, about);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(position: i64, flow: u128) -> Moved {
        let (kind, hash) = (FlowKind::Report, Hash::of(&position.to_le_bytes()));
        Moved { position, kind, flow: Uuid::from_u128(flow), seq: 1, hash }
    }

    fn lies(path: &str) -> About {
        let (path, units) = (Path(path.to_owned()), Vec::new());
        About::Place(Arc::new(Place { path, units, person: None, home: false }))
    }

    fn sight(path: &str) -> Sight {
        Sight { paths: vec![Path(path.to_owned())], ..Sight::default() }
    }

    #[test]
    fn only_what_concerns_somebody_counts_against_the_page() {
        let recent = Recent::default();
        let entries: Vec<Moved> =
            (1..=300).map(|at| moved(at, u128::try_from(at).unwrap())).collect();
        let places = entries.iter().map(|one| {
            let own = one.position % 100 == 0;
            (one.flow, if own { lies("/a/b/") } else { lies("/a/c/") })
        });
        recent.append(entries.clone(), &places.collect());
        let person = PersonId(Uuid::nil());
        let of = |at, limit| recent.after(at, (&sight("/a/b/"), person), limit).unwrap();
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
        recent.append((1..=most + 10).map(|at| moved(at, 1)).collect(), &HashMap::new());
        let person = PersonId(Uuid::nil());
        assert_eq!(recent.after(9, (&sight("/"), person), 1), None);
        assert!(recent.after(10, (&sight("/"), person), 1).is_some());
        assert_eq!(recent.hash_at(10), None);
    }
}
