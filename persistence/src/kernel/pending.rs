//! Rows that wait to be written together, by table. Tables are written in the order of their names,
//! so that all commits take locks in the same order.

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, BTreeSet},
};

use crate::kernel::{
    connection::Db,
    error::StoreError,
    flow::{FlowRow, save_flows},
    rows::{self, Row},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A table, and the order of this kind of write among all writes to it.
pub(crate) type Turn = (&'static str, u8);

/// A kind of write: all of one kind are written together.
pub(crate) trait Saved: Send + Sync + 'static {
    /// Its turn in a commit.
    const TURN: Turn;

    /// Writes all of them.
    fn save(db: &mut Db, all: &[&Self]) -> Result<()>;
}

/// The row of a flow: inserted at the first place of its journal, updated at every later one.
pub(crate) struct Own<R>(pub(crate) R);

/// A row that is new.
pub(crate) struct Inserted<R>(pub(crate) R);

/// A row, new or not.
pub(crate) struct Upserted<R>(pub(crate) R);

/// A row that exists.
pub(crate) struct Updated<R>(pub(crate) R);

impl<R: FlowRow + Send + Sync> Saved for Own<R> {
    const TURN: Turn = (R::TABLE, 0);

    fn save(db: &mut Db, all: &[&Self]) -> Result<()> {
        save_flows(db, all.iter().map(|one| &one.0).collect())
    }
}

macro_rules! saved {
    ($($how:ident by $write:ident, $turn:literal;)+) => {
        $(impl<R: Row + Send + Sync> Saved for $how<R> {
            const TURN: Turn = (R::TABLE, $turn);

            fn save(db: &mut Db, all: &[&Self]) -> Result<()> {
                let all: Vec<&R> = all.iter().map(|one| &one.0).collect();
                Ok(rows::$write(db, &all)?)
            }
        })+
    };
}

saved! {
    Inserted by insert, 1;
    Upserted by upsert, 2;
    Updated by update, 3;
}

/// The writes of one kind in one commit.
trait Batch: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// Writes the batches of several commits, all of the same kind.
    fn save_all(&self, db: &mut Db, all: &[&dyn Batch]) -> Result<()>;
}

struct Kind<S>(Vec<S>);

impl<S: Saved> Batch for Kind<S> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn save_all(&self, db: &mut Db, all: &[&dyn Batch]) -> Result<()> {
        let same = all.iter().filter_map(|batch| batch.as_any().downcast_ref::<Self>());
        let all: Vec<&S> = same.flat_map(|kind| &kind.0).collect();
        S::save(db, &all)
    }
}

/// What one commit writes besides its journal entries.
#[derive(Default)]
pub(crate) struct Pending(BTreeMap<(Turn, TypeId), Box<dyn Batch>>);

impl Pending {
    /// Adds writes of one kind.
    pub(crate) fn extend<S: Saved>(&mut self, more: impl IntoIterator<Item = S>) {
        let mut more = more.into_iter().peekable();
        if more.peek().is_none() {
            return;
        }
        let kind = (S::TURN, TypeId::of::<S>());
        let batch = self.0.entry(kind).or_insert_with(|| Box::new(Kind::<S>(Vec::new())));
        if let Some(Kind(all)) = batch.as_any_mut().downcast_mut::<Kind<S>>() {
            all.extend(more);
        }
    }

    /// Writes what several commits have pending.
    pub(crate) fn save(db: &mut Db, commits: &[&Self]) -> Result<()> {
        let kinds: BTreeSet<_> = commits.iter().flat_map(|one| one.0.keys()).collect();
        for kind in kinds {
            let all: Vec<&dyn Batch> =
                commits.iter().filter_map(|one| one.0.get(kind)).map(|batch| &**batch).collect();
            if let Some(first) = all.first() {
                first.save_all(db, &all)?;
            }
        }
        Ok(())
    }
}
