//! Checkpoints: a signed digest of the records of a tenant. Kept elsewhere, a checkpoint shows
//! later that what was before it was rewritten or cut off, even when every chain fits together
//! again.
//!
//! A checkpoint is a JWT (EdDSA) by the key that signs access tokens, for this check alone: it
//! opens nothing. Its public key is at `/.well-known/jwks.json` while the key signs, and stored
//! sealed in the database for as long as there are checkpoints.

use std::collections::HashMap;

use actix_web::{HttpResponse, get, web::Data};
use chrono::{DateTime, Utc};
use domain::{
    Instant,
    core::{
        checkpoint::{AuditMark, Checkpoint, extend_digest},
        id::TenantId,
        journal::Hash,
    },
};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header, encode, errors::ErrorKind,
};
use persistence::{kernel::feed, people::audit};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{
        caller::Caller,
        signing_keys::{PublicKey, SigningKeys},
        state::App,
    },
    engine::verification::require_auditor,
    http::{
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
    },
};

/// Registers the operation of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(get_checkpoint);
}

/// The `aud` of checkpoints; access tokens have another, so a checkpoint is never taken for one.
const AUDIENCE: &str = "gridwhistle-checkpoint";

/// The most bytes of a file of checkpoints.
const MOST_BYTES: usize = 4 << 20;

/// The claims of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    /// The code of the tenant, for people.
    code: String,
    #[serde(flatten)]
    checkpoint: Checkpoint,
}

/// Why a file is no checkpoint of this installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is not made like one.
    Malformed,
    /// It is signed by a key this installation never had, or whose public half it has not kept.
    Key(String),
    /// Its signature is wrong: it was forged or changed.
    Signature,
    /// The readable copy beside the signed part says something else.
    Readable,
    /// It was made, as it says, when the key that signed it was retired already.
    Retired(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed => out.write_str("it is not a checkpoint"),
            Self::Key(kid) => {
                write!(out, "the key {kid} that signed it is not one of this database")
            }
            Self::Signature => out.write_str("its signature is wrong: it was forged or changed"),
            Self::Readable => {
                out.write_str("its readable part differs from the signed part: it was changed")
            }
            Self::Retired(kid) => {
                write!(out, "it was signed by the key {kid} after that key was retired")
            }
        }
    }
}

/// Signs a checkpoint with the key in use when it was taken.
pub fn sign(
    ring: &SigningKeys,
    issuer: &str,
    (code, checkpoint): (&str, &Checkpoint),
) -> Reply<SignedCheckpointView> {
    let none = || Problem::new(Code::Internal).because("no key signs");
    let iat = checkpoint.at.timestamp();
    let key = ring.signing_key_at(iat).ok_or_else(none)?;
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(key.kid.clone());
    let claims = Claims {
        iss: issuer.to_owned(),
        aud: AUDIENCE.to_owned(),
        iat,
        code: code.to_owned(),
        checkpoint: checkpoint.clone(),
    };
    let signed = encode(&header, &claims, &key.sign);
    let signed = signed.map_err(|error| Problem::new(Code::Internal).because(error))?;
    let Checkpoint { tenant, at, position, entries, digest, audit } = checkpoint.clone();
    Ok(SignedCheckpointView {
        tenant_id: tenant.0,
        code: code.to_owned(),
        at,
        position,
        entries,
        digest: digest.to_hex(),
        audit_seq: audit.seq,
        audit_hash: audit.hash.to_hex(),
        signed,
    })
}

/// Reads a file of checkpoints, each of which one of these keys signed.
pub fn read(text: &str, keys: &[PublicKey]) -> Result<Vec<Checkpoint>, Fault> {
    if text.len() > MOST_BYTES {
        return Err(Fault::Malformed);
    }
    let file: File = serde_json::from_str(text).map_err(|_malformed| Fault::Malformed)?;
    let signed = match file {
        File::All { checkpoints } => checkpoints,
        File::One(one) => vec![one],
    };
    signed.iter().map(|one| one.verify(keys)).collect()
}

/// The shapes of a file: all tenants, or what the endpoint answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    All { checkpoints: Vec<Entry> },
    One(Entry),
}

/// The signed part counts; the copy beside it is for people, and has to say the same.
#[derive(Deserialize)]
struct Entry {
    signed: String,
    position: Option<i64>,
    entries: Option<i64>,
    digest: Option<String>,
    audit_seq: Option<i64>,
    audit_hash: Option<String>,
}

impl Entry {
    fn verify(&self, keys: &[PublicKey]) -> Result<Checkpoint, Fault> {
        let one = verify_signed(&self.signed, keys)?;
        let same = self.position.is_none_or(|position| position == one.position)
            && self.entries.is_none_or(|entries| entries == one.entries)
            && self.digest.as_ref().is_none_or(|digest| *digest == one.digest.to_hex())
            && self.audit_seq.is_none_or(|seq| seq == one.audit.seq)
            && self.audit_hash.as_ref().is_none_or(|hash| *hash == one.audit.hash.to_hex());
        if same { Ok(one) } else { Err(Fault::Readable) }
    }
}

fn verify_signed(signed: &str, keys: &[PublicKey]) -> Result<Checkpoint, Fault> {
    let header = decode_header(signed).map_err(|_malformed| Fault::Malformed)?;
    let kid = header.kid.unwrap_or_default();
    if header.alg != Algorithm::EdDSA {
        return Err(Fault::Signature);
    }
    let key = keys.iter().find(|key| key.id.to_string() == kid);
    let key = key.ok_or_else(|| Fault::Key(kid.clone()))?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["aud"]);
    validation.set_audience(&[AUDIENCE]);
    let decoded = decode::<Claims>(signed, &DecodingKey::from_ed_der(&key.bytes), &validation);
    let claims = decoded.map_err(|error| {
        let forged = matches!(error.kind(), ErrorKind::InvalidSignature);
        if forged { Fault::Signature } else { Fault::Malformed }
    })?;
    let checkpoint = claims.claims.checkpoint;
    if key.until.is_some_and(|until| checkpoint.at >= until) {
        return Err(Fault::Retired(kid));
    }
    Ok(checkpoint)
}

/// How far the feed of each tenant was read, and its digest there: an entry that was read once and
/// changed since does not enter a later checkpoint as if it had been so from the beginning.
#[derive(Debug, Default)]
pub struct Checkpoints(Mutex<HashMap<TenantId, Read>>);

#[derive(Clone, Copy, Debug, Default)]
struct Read {
    position: i64,
    entries: i64,
    digest: Hash,
}

impl Checkpoints {
    /// The present checkpoint of a tenant. One is taken at a time, a page of the feed after the
    /// other.
    async fn take_checkpoint(&self, app: &App, tenant: TenantId) -> Reply<Checkpoint> {
        const PAGE: i64 = 2000;
        let mut all = self.0.lock().await;
        let at = app.clock.now();
        let ends = move |db: &mut persistence::Db| {
            let (_, end) = audit::load_ends(db, tenant)?;
            let newest = audit::load_after(db, tenant, end.seq - 1, 1)?;
            let at = newest.first().filter(|one| one.seq == end.seq).map(|one| one.note.at);
            Ok((feed::load_end(db, tenant)?, AuditMark { seq: end.seq, hash: end.hash, at }))
        };
        let (position, audit) = app.store.read_snapshot(ends).await?;
        // In a database that was restored to an earlier day reading starts over.
        let known = all.get(&tenant).copied().filter(|read| read.position <= position);
        let mut read = known.unwrap_or_default();
        while read.position < position {
            let from = read.position;
            let page = app.store.read(move |db| feed::load_hashes(db, tenant, from, PAGE)).await?;
            let page = page.into_iter().take_while(|(at, _)| *at <= position);
            let before = read.position;
            for (position, hash) in page {
                read.digest = extend_digest(read.digest, position, &hash);
                read.entries += 1;
                read.position = position;
            }
            if read.position == before {
                read.position = position;
            }
            // A later request continues from here when this one is aborted.
            all.insert(tenant, read);
        }
        let Read { entries, digest, .. } = read;
        Ok(Checkpoint { tenant, at, position, entries, digest, audit })
    }
}

/// What the records of a tenant are, signed; to be kept elsewhere.
#[derive(Serialize, ToSchema)]
pub struct SignedCheckpointView {
    /// Of which tenant.
    tenant_id: Uuid,
    /// The code of that tenant. 租户代码。
    #[schema(example = "9901")]
    code: String,
    /// When the records stood so. 时间。
    at: DateTime<Utc>,
    /// The last position of the feed. 事件流位置。
    position: i64,
    /// How many entries of the journal there are. 记录条数。
    entries: i64,
    /// The digest over all of them, in the order of the feed. 摘要。
    digest: String,
    /// The last place of the audit log.
    audit_seq: i64,
    /// The hash there.
    audit_hash: String,
    /// All of this, signed: a JWT that `gridwhistle verify --against` takes. 签名（JWT）。
    signed: String,
}

/// Shows what the records are now, signed, to be kept elsewhere.
///
/// 存证检查点：截至当前位置的全部过程记录的摘要与审计日志末端，带签名；存放到别处后，可用
/// `gridwhistle verify --against` 核对此前的记录是否被改写或截断。仅审计员可读。
#[utoipa::path(tag = "audit", responses((status = 200, body = SignedCheckpointView)))]
#[get("/checkpoint")]
async fn get_checkpoint(app: Data<App>, caller: Caller) -> Reply<HttpResponse> {
    require_auditor(&app, &caller)?;
    let world = app.world(caller.tenant)?;
    let checkpoint =
        app.memory.get_or_default::<Checkpoints>().take_checkpoint(&app, caller.tenant).await?;
    let signed = sign(
        app.keys.signing_keys(),
        app.keys.issuer(),
        (world.tenant.code.as_str(), &checkpoint),
    )?;
    Ok(HttpResponse::Ok().json(signed))
}

/// Checkpoints of several tenants, as a file.
#[derive(Serialize)]
pub struct CheckpointFile {
    /// What it is, for people.
    pub format: &'static str,
    /// One a tenant.
    pub checkpoints: Vec<SignedCheckpointView>,
}

impl CheckpointFile {
    /// A file of these.
    pub const fn new(checkpoints: Vec<SignedCheckpointView>) -> Self {
        Self { format: "GridWhistle checkpoint; gridwhistle verify --against", checkpoints }
    }
}

/// The keys a command signs and verifies with: those of the database, and their public halves.
pub struct Signing {
    /// The keys that can sign now.
    pub ring: SigningKeys,
    /// The public halves, of older keys too.
    pub public: Vec<PublicKey>,
    /// The `iss` of checkpoints, the same as that of access tokens.
    pub issuer: String,
}

impl Signing {
    /// Signs the heads of the tenants' records.
    pub fn sign_file(
        &self,
        heads: &[crate::engine::verify::Head],
        at: Instant,
    ) -> Reply<CheckpointFile> {
        let one = |head: &crate::engine::verify::Head| {
            sign(&self.ring, &self.issuer, (&head.code, &head.to_checkpoint(at)))
        };
        Ok(CheckpointFile::new(heads.iter().map(one).collect::<Reply<_>>()?))
    }
}
