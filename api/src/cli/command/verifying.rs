//! `verify`: checks the records, writes checkpoints of them and compares with older ones.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use domain::core::checkpoint::Checkpoint;
use persistence::Store;

use super::{Done, Ended, load_settings, print_line};
use crate::{
    app::{
        clock::Clock,
        config::Settings,
        signing_keys::{self, SigningKeys},
        state::ensure_seal,
        token::ISSUER,
        vault::Vault,
    },
    cli::{arguments::Verify, install::Failed},
    engine::{
        checkpoint::{self, Signing},
        verify,
    },
};

pub(super) async fn run(asked: Verify) -> Done {
    let settings = load_settings(asked.source.settings(), asked.source.source.config.as_deref())?;
    let store = Store::open(settings.database.expose(), settings.store_options())?;
    let signing = if asked.checkpoint.is_some() || !asked.against.is_empty() {
        Some(load_signing(&store, &settings).await?)
    } else {
        None
    };
    let mut seen = Vec::new();
    for file in &asked.against {
        let keys = signing.as_ref().map(|signing| signing.public.as_slice()).unwrap_or_default();
        seen.extend(read_checkpoints(file, keys)?);
    }
    if let Some(code) = &asked.tenant {
        let tenant = super::require_tenant(&store, code).await?;
        seen.retain(|one| one.tenant == tenant.id);
    }
    let found = verify::check_against_checkpoints(&store, asked.tenant.as_deref(), &seen).await?;
    print_line(&format!("{} chains, {} entries", found.chains, found.entries));
    for one in &seen {
        print_line(&format!("compared with the checkpoint of {}", one.at.to_rfc3339()));
    }
    for broken in &found.broken {
        print_line(broken);
    }
    if found.more > 0 {
        print_line(&format!("and {} more", found.more));
    }
    for alike in &found.alike {
        print_line(alike);
    }
    if !found.broken.is_empty() {
        return Ok(Ended::Badly);
    }
    print_line("every record is as it was written");
    if let (Some(file), Some(signing)) = (&asked.checkpoint, &signing) {
        let signed = signing.sign_file(&found.heads, Clock::default().now());
        let signed = signed.map_err(|problem| Failed(problem.to_string()))?;
        let text = serde_json::to_string_pretty(&signed);
        write_checkpoint(file, &text.map_err(|error| Failed(error.to_string()))?)?;
        print_line(&format!(
            "wrote {}; keep it where nobody who can write to this database can change it",
            file.display()
        ));
    }
    store.close();
    Ok(Ended::Well)
}

/// The keys of this database, for signing and checking.
async fn load_signing(store: &Store, settings: &Settings) -> Result<Signing, Failed> {
    let vault = Vault::open(settings, store).await?;
    let seal = ensure_seal(store, settings, &vault, Clock::default().now()).await?;
    signing_keys::store_public_keys(store, &seal).await?;
    let ring = SigningKeys::default();
    ring.refresh(store, &seal).await?;
    if ring.signing_key_at(Clock::default().now().timestamp()).is_none() {
        let why = "there is no signing key yet: start the server once, then take the checkpoint";
        return Err(Failed(why.to_owned()));
    }
    let public = signing_keys::load_public_keys(store, &seal).await?;
    let issuer = settings.public_url.as_deref().unwrap_or(ISSUER).to_owned();
    Ok(Signing { ring, public, issuer })
}

fn read_checkpoints(
    file: &Path,
    keys: &[signing_keys::PublicKey],
) -> Result<Vec<Checkpoint>, Failed> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| Failed(format!("{shown}: {error}")))?;
    checkpoint::read(&text, keys).map_err(|fault| Failed(format!("{shown}: {fault}")))
}

/// Writes a new file; an older checkpoint is never overwritten.
fn write_checkpoint(file: &Path, text: &str) -> Result<(), Failed> {
    let shown = file.display();
    let failed = |error: io::Error| Failed(format!("{shown}: {error}"));
    let mut to = OpenOptions::new().write(true).create_new(true).open(file).map_err(failed)?;
    to.write_all(text.as_bytes()).and_then(|()| to.write_all(b"\n")).map_err(failed)
}
