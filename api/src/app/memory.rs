//! What capabilities keep in memory beside requests: one value of each type.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// One value of each type that was put here or asked for.
#[derive(Default)]
pub struct Memory(RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Memory {
    /// The value of a type, if there is one.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&TypeId::of::<T>()).and_then(|kept| Arc::clone(kept).downcast().ok())
    }

    /// The value of a type; the default one from the first time it is asked for.
    pub fn get_or_default<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.get().unwrap_or_else(|| {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let kept = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
            Arc::clone(kept).downcast().unwrap_or_default()
        })
    }

    /// Keeps a value that is made at the start.
    pub fn put<T: Send + Sync + 'static>(&self, value: T) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(TypeId::of::<T>(), Arc::new(value));
    }
}
