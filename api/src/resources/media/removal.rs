//! The end of files: those that nothing names in time, and those that belonged only to a person who
//! was erased. Never by a request that names a file.
//!
//! First the journal records that a file is gone, then its bytes are removed, then that is
//! recorded: the next pass finishes what a replica left undone.

use domain::{
    Instant,
    core::id::{MediaId, PersonId, TenantId},
    flows::{
        change::{Request, execute},
        media::{Cause, Command, Media},
    },
    people::actor::Actor,
};
use persistence::{
    StoreError, Write,
    flows::{media as kept, media_upload as uploads},
};

use super::{keep::Variant, keep::object_key, pieces};
use crate::{
    app::{state::App, world::TenantSnapshot},
    http::problem::Reply,
};

/// Removes files that nothing named since before `cutoff`, and expired uploads; answers how many
/// files it removed, at most `page`.
pub async fn expire_files(
    app: &App,
    world: &TenantSnapshot,
    cutoff: Instant,
    page: i64,
) -> Result<i64, StoreError> {
    let (tenant, now) = (world.tenant.id, app.clock.now());
    let old = app.store.read(move |db| kept::load_abandoned(db, tenant, cutoff, page)).await?;
    let mut removed = 0;
    for id in old {
        removed += i64::from(drop_file(app, world, id, Cause::Unused).await?);
    }
    let begun = pieces::cutoff(now);
    let stalled = app.store.read(move |db| uploads::load_stalled(db, tenant, begun, page)).await?;
    for id in stalled {
        if let Err(problem) = forget_upload(app, tenant, id).await {
            tracing::warn!(?problem, "an upload that was given up remains");
        }
    }
    sweep_bytes(app, tenant, page).await?;
    Ok(removed)
}

/// Records that a file is gone; answers whether it was there.
async fn drop_file(
    app: &App,
    world: &TenantSnapshot,
    id: MediaId,
    cause: Cause,
) -> Result<bool, StoreError> {
    let Some(root) = world.areas.root() else { return Ok(false) };
    let tenant = world.tenant.id;
    let Some(stored) = app.store.load_state::<Media>(tenant, id.0).await? else { return Ok(false) };
    let system = Actor::new_system(tenant, root.unit());
    let context = world.build_context(&system, app.clock.now());
    let asked = Request::for_system(&format!("drop media {id}"));
    // Refused when it is gone already.
    let Ok(change) = execute(Some(&*stored), &Command::Drop { cause }, asked, context) else {
        return Ok(false);
    };
    let outcome = app.store.commit(vec![Write::from(change)]).await?;
    Ok(outcome == persistence::Outcome::Done)
}

/// Removes the bytes of files that are gone.
async fn sweep_bytes(app: &App, tenant: TenantId, page: i64) -> Result<(), StoreError> {
    let gone = app.store.read(move |db| kept::load_unswept(db, tenant, page)).await?;
    for stored in gone {
        let media = &stored.state;
        let names = Variant::ALL.map(|variant| object_key(tenant, media, variant));
        if let Err(problem) = app.object_storage.remove(names.to_vec()).await {
            tracing::warn!(?problem, "the bytes of a file that is gone remain");
            return Ok(());
        }
        let (id, now) = (media.id, app.clock.now());
        app.store.run(kept::record_sweep(tenant, id, now)).await?;
    }
    Ok(())
}

/// Removes the pieces of an upload, and its record.
pub(super) async fn forget_upload(app: &App, tenant: TenantId, id: MediaId) -> Reply<()> {
    let parts = app.store.read(move |db| uploads::load_parts(db, tenant, id)).await?;
    let names = parts.into_iter().map(|part| pieces::piece_key(tenant, id, part)).collect();
    app.object_storage.remove(names).await?;
    Ok(app.store.run(uploads::forget_upload(tenant, id)).await?)
}

/// Removes the files of one person: those nothing names, and those that are arriving. Files named
/// by a report are part of it.
pub async fn erase_files(app: &App, world: &TenantSnapshot, person: PersonId) -> Reply<usize> {
    const PAGE: i64 = 200;
    let tenant = world.tenant.id;
    let mut removed = 0;
    loop {
        let page =
            app.store.read(move |db| kept::load_own_unused(db, tenant, person, PAGE)).await?;
        let mut count = 0;
        for id in &page {
            count += usize::from(drop_file(app, world, *id, Cause::Erased).await?);
        }
        removed += count;
        if count == 0 {
            break;
        }
    }
    for id in app.store.read(move |db| uploads::load_for_person(db, tenant, person)).await? {
        forget_upload(app, tenant, id).await?;
    }
    sweep_bytes(app, tenant, PAGE).await?;
    Ok(removed)
}
