//! Where the bytes of files are: a folder of this host, or a bucket that speaks S3.
//!
//! Names are made of identities and digests, never of what a sender called a file. Access is
//! decided elsewhere; nothing is listed, so a bucket needs no right to list. Files are read and
//! written a piece at a time.

mod outside;

use std::{
    path::{Path as FilePath, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::web::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::{
    GetRange, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig, WriteMultipart,
    aws::AmazonS3Builder, local::LocalFileSystem, path::Path,
};
use tokio::io::AsyncReadExt;

use crate::{
    app::config::{MediaUrl, Secret, Settings},
    http::problem::{Code, Problem, Reply},
};

/// The storage of files' bytes.
#[derive(Debug)]
pub struct ObjectStorage {
    spool: PathBuf,
    place: Place,
    store: OnceLock<Arc<dyn ObjectStore>>,
}

#[derive(Debug)]
enum Place {
    /// A folder, created with the first file.
    Folder(PathBuf),
    Bucket,
}

/// A range of a file.
pub struct Found {
    /// The bytes, as they come.
    pub bytes: BoxStream<'static, Reply<Bytes>>,
    /// The range of the file they are, in bytes from 0.
    pub range: std::ops::Range<u64>,
    /// The size of the whole file, in bytes.
    pub size: u64,
}

/// How many bytes are read and sent at once; S3 takes no smaller parts than 5 MiB.
const CHUNK: usize = 5 * 1024 * 1024;
const CHUNK_U64: u64 = 5 * 1024 * 1024;

/// How often a bucket is asked again, and for how long, while a client waits for the answer: a
/// client that sends a photo sends it again.
const RETRIES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(20);

fn storage_unavailable(error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::StorageUnavailable).because(error)
}

impl ObjectStorage {
    /// Opens the storage the settings name.
    pub fn open(settings: &Settings) -> Result<Self, String> {
        let spool = settings.spool();
        match settings.media() {
            MediaUrl::Folder(folder) => {
                Ok(Self { spool, place: Place::Folder(folder), store: OnceLock::new() })
            }
            MediaUrl::Bucket { bucket, endpoint, region } => {
                let mut builder = AmazonS3Builder::new()
                    .with_bucket_name(bucket)
                    .with_retry(RetryConfig {
                        max_retries: RETRIES,
                        retry_timeout: PATIENCE,
                        ..RetryConfig::default()
                    })
                    // Few are removed at once, and not every service that speaks S3 supports bulk
                    // removal.
                    .with_disable_bulk_delete(true)
                    .with_http_connector(outside::Connector);
                if let Some(endpoint) = endpoint {
                    let plain = endpoint.starts_with("http://");
                    builder = builder.with_endpoint(endpoint).with_allow_http(plain);
                }
                if let Some(region) = region {
                    builder = builder.with_region(region);
                }
                let secret = |given: &Option<Secret>| given.as_ref().map(|s| s.expose().to_owned());
                if let (Some(key), Some(secret)) =
                    (secret(&settings.media_access_key), secret(&settings.media_secret_key))
                {
                    builder = builder.with_access_key_id(key).with_secret_access_key(secret);
                }
                let built = builder.build().map_err(|error| format!("media: {error}"))?;
                let store: Arc<dyn ObjectStore> = Arc::new(built);
                Ok(Self { spool, place: Place::Bucket, store: OnceLock::from(store) })
            }
        }
    }

    fn open_store(&self) -> Reply<Arc<dyn ObjectStore>> {
        if let Some(store) = self.store.get() {
            return Ok(Arc::clone(store));
        }
        let Place::Folder(folder) = &self.place else {
            return Err(storage_unavailable("no storage"));
        };
        let made = create_private_folder(folder)
            .and_then(|()| LocalFileSystem::new_with_prefix(folder).map_err(std::io::Error::other));
        let made: Arc<dyn ObjectStore> = Arc::new(made.map_err(storage_unavailable)?);
        Ok(Arc::clone(self.store.get_or_init(|| made)))
    }

    /// An empty file of this host, without a name that others could open, for a file that is
    /// arriving; it is removed when it is closed.
    pub async fn create_temp_file(&self) -> Reply<std::fs::File> {
        let spool = self.spool.clone();
        let made =
            move || create_private_folder(&spool).and_then(|()| tempfile::tempfile_in(&spool));
        actix_web::web::block(made).await?.map_err(storage_unavailable)
    }

    /// Keeps bytes under a name.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Reply<()> {
        let store = self.open_store()?;
        store.put(&Path::from(name), PutPayload::from(bytes)).await.map_err(storage_unavailable)?;
        Ok(())
    }

    /// Stores a file of this host, a piece at a time.
    pub async fn put_file(&self, name: &str, file: std::fs::File) -> Reply<()> {
        let upload = self
            .open_store()?
            .put_multipart(&Path::from(name))
            .await
            .map_err(storage_unavailable)?;
        let mut writing = WriteMultipart::new_with_chunk_size(upload, CHUNK);
        let mut file = tokio::fs::File::from_std(file);
        loop {
            let mut piece = Vec::with_capacity(CHUNK);
            let read = (&mut file).take(CHUNK_U64).read_to_end(&mut piece).await;
            if read.map_err(storage_unavailable)? == 0 {
                break;
            }
            writing.wait_for_capacity(1).await.map_err(storage_unavailable)?;
            writing.put(piece.into());
        }
        writing.finish().await.map_err(storage_unavailable)?;
        Ok(())
    }

    /// The bytes under a name, all or some of them; none when there is nothing.
    pub async fn get(&self, name: &str, range: Option<GetRange>) -> Reply<Option<Found>> {
        let (store, path) = (self.open_store()?, Path::from(name));
        let size = match store.head(&path).await {
            Ok(meta) => meta.size,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(storage_unavailable(error)),
        };
        let range = match range {
            Some(GetRange::Bounded(range)) => range.start..range.end.min(size),
            Some(GetRange::Offset(from)) => from..size,
            Some(GetRange::Suffix(last)) => size.saturating_sub(last)..size,
            None => 0..size,
        };
        let pieces = stream::try_unfold(range.start, {
            let end = range.end;
            move |at| {
                let (store, path) = (Arc::clone(&store), path.clone());
                async move {
                    let until = end.min(at.saturating_add(CHUNK_U64));
                    if at >= until {
                        return Ok(None);
                    }
                    let piece =
                        store.get_range(&path, at..until).await.map_err(storage_unavailable)?;
                    Ok(Some((piece, until)))
                }
            }
        });
        Ok(Some(Found { bytes: pieces.boxed(), range, size }))
    }

    /// Copies the bytes under a name to a file of this host; answers how many.
    pub async fn copy_to_file(&self, name: &str, into: &mut tokio::fs::File) -> Reply<u64> {
        use tokio::io::AsyncWriteExt;
        let Some(found) = self.get(name, None).await? else {
            return Err(storage_unavailable("a piece of an upload is missing"));
        };
        let mut bytes = found.bytes;
        let mut sum = 0;
        while let Some(piece) = bytes.try_next().await? {
            into.write_all(&piece).await.map_err(storage_unavailable)?;
            sum += u64::try_from(piece.len()).unwrap_or_default();
        }
        Ok(sum)
    }

    /// Removes the bytes under these names; a missing one is no error.
    pub async fn remove(&self, names: Vec<String>) -> Reply<()> {
        let store = self.open_store()?;
        for name in names {
            match store.delete(&Path::from(name)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(storage_unavailable(error)),
            }
        }
        Ok(())
    }
}

/// Creates a folder that only this user can read.
fn create_private_folder(folder: &FilePath) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
