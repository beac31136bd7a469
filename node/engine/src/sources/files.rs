//! Which files a source is made of. Below the root no link and no `..` leads out, also not one that is put there between
//! two looks: each path is resolved beneath an open folder.

use std::fmt;
use std::fs::{File as Opened, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use object_store::{GetOptions, GetResult, ObjectMeta, ObjectStore, path};

use super::beneath::{Root, leads_out};
use super::stores::Stores;
use crate::config::{EngineConfig, SourceConfig};
use crate::error::{FORBIDDEN, OpenError};

/// One file as it was found: what is read later must be this very one.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// How the operator knows it.
    pub(crate) shown: String,
    /// Size, time and tag, under the name that the engine knows it by.
    pub(crate) meta: ObjectMeta,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    /// A file beneath an open folder.
    Local { root: Arc<Root>, path: PathBuf },
    /// An object of a store.
    Stored { store: Arc<dyn ObjectStore>, location: path::Path },
}

/// A file is no longer the one that was found.
#[derive(Debug)]
pub(crate) struct Changed;

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file changed after it was listed")
    }
}

impl std::error::Error for Changed {}

impl File {
    /// Whether it is the same file in the same state.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.shown == other.shown && self.meta == other.meta
    }

    /// The file, or a part of it, as long as it is the one that was found.
    pub(crate) async fn get(&self, options: GetOptions) -> object_store::Result<GetResult> {
        match &self.origin {
            Origin::Local { .. } => {
                options.check_preconditions(&self.meta)?;
                let range = match &options.range {
                    Some(range) => range.as_range(self.meta.size).map_err(generic)?,
                    None => 0..self.meta.size,
                };
                let file = self.open().await?;
                Ok(GetResult {
                    payload: object_store::GetResultPayload::File(file, PathBuf::from(&self.shown)),
                    meta: self.meta.clone(),
                    range,
                    attributes: object_store::Attributes::new(),
                })
            }
            Origin::Stored { store, location } => {
                let options = GetOptions { if_match: self.meta.e_tag.clone(), ..options };
                let mut result = store.get_opts(location, options).await.map_err(|e| self.vanished(e))?;
                let found = &result.meta;
                // A listing tells times more precisely than an answer does, so times count only where there is no tag.
                let same = found.size == self.meta.size
                    && found.e_tag == self.meta.e_tag
                    && (found.e_tag.is_some() || found.last_modified == self.meta.last_modified);
                if !same {
                    return Err(self.changed());
                }
                result.meta = self.meta.clone();
                Ok(result)
            }
        }
    }

    /// Some parts of it at once.
    pub(crate) async fn get_ranges(
        &self,
        ranges: &[std::ops::Range<u64>],
    ) -> object_store::Result<Vec<bytes::Bytes>> {
        match &self.origin {
            Origin::Local { .. } => {
                let (file, ranges) = (self.open().await?, ranges.to_vec());
                let read = move || {
                    let read = |range: std::ops::Range<u64>| {
                        let length = range.end.saturating_sub(range.start);
                        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
                        file.read_exact_at(&mut bytes, range.start)?;
                        Ok(bytes.into())
                    };
                    ranges.into_iter().map(read).collect::<io::Result<Vec<_>>>()
                };
                blocking(read).await.map_err(generic)
            }
            Origin::Stored { .. } => {
                let one = |range: std::ops::Range<u64>| async move {
                    let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
                    self.get(options).await?.bytes().await
                };
                object_store::coalesce_ranges(ranges, one, object_store::OBJECT_STORE_COALESCE_DEFAULT).await
            }
        }
    }

    async fn open(&self) -> object_store::Result<Opened> {
        let Origin::Local { root, path } = &self.origin else { return Err(self.changed()) };
        let (root, path) = (Arc::clone(root), path.clone());
        let opened = blocking(move || {
            let file = root.open(&path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        });
        let (file, metadata) = opened.await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.changed(),
            _ if leads_out(&error) => self.changed(),
            _ => generic(error),
        })?;
        if !metadata.is_file() || meta(&metadata, self.meta.location.clone()) != self.meta {
            return Err(self.changed());
        }
        Ok(file)
    }

    fn vanished(&self, error: object_store::Error) -> object_store::Error {
        match error {
            object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. } => self.changed(),
            other => other,
        }
    }

    fn changed(&self) -> object_store::Error {
        object_store::Error::Precondition { path: self.shown.clone(), source: Box::new(Changed) }
    }
}

fn generic(source: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
    object_store::Error::Generic { store: "local", source: Box::new(source) }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Finds the files of a source; `at` is its place among the sources.
pub(crate) async fn list(
    config: &EngineConfig,
    stores: &Stores,
    source: &SourceConfig,
    at: usize,
) -> Result<Vec<File>, OpenError> {
    let files = match (&source.url, source.path.as_os_str().is_empty()) {
        (Some(url), true) => stored(stores, source, url, at).await?,
        (None, false) => local(config, source, at).await?,
        (Some(_), false) => {
            return Err(OpenError::source(source, "it has a `path` and a `url`", "remove one of them"));
        }
        (None, true) => {
            let fix = "write the `path` of a file or folder, or the `url` of an object in a store";
            return Err(OpenError::source(source, "it has neither a `path` nor a `url`", fix));
        }
    };
    if files.is_empty() {
        return Err(OpenError::source(
            source,
            "there is no file",
            "put the files there, or name another place; files whose names begin with `.` or `_` do not count",
        ));
    }
    Ok(files)
}

/// The objects of a store.
async fn stored(
    stores: &Stores,
    source: &SourceConfig,
    url: &str,
    at: usize,
) -> Result<Vec<File>, OpenError> {
    let (store, found) = stores.list(source, url).await?;
    let bucket = url.split('/').take(3).collect::<Vec<_>>().join("/");
    let files = found.into_iter().enumerate().map(|(number, found)| File {
        shown: format!("{bucket}/{}", found.location),
        origin: Origin::Stored { store: Arc::clone(&store), location: found.location.clone() },
        meta: ObjectMeta { location: name(at, number), ..found },
    });
    Ok(files.collect())
}

/// Files on this machine.
async fn local(config: &EngineConfig, source: &SourceConfig, at: usize) -> Result<Vec<File>, OpenError> {
    let (root, path) = beneath(config, source)?;
    let opened = root.clone();
    let walk = move || {
        let dir = Arc::new(Root::open_at(&opened)?);
        let mut found = Vec::new();
        if dir.metadata(&path)?.is_dir() {
            walk(&dir, &path, &mut found)?;
        } else {
            found.push((path.clone(), dir.metadata(&path)?));
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        Ok((dir, found))
    };
    let (dir, found) = blocking(walk).await.map_err(|error| unreadable(source, &root, &error))?;
    let mut files = Vec::new();
    for (number, (path, metadata)) in found.into_iter().enumerate() {
        let shown = root.join(&path).display().to_string();
        if !metadata.is_file() {
            let fix = "take it away, or name another `path`";
            return Err(OpenError::source(source, format!("`{shown}` is neither a file nor a folder"), fix));
        }
        let meta = meta(&metadata, name(at, number));
        files.push(File { shown, meta, origin: Origin::Local { root: Arc::clone(&dir), path } });
    }
    Ok(files)
}

/// The name that the engine knows a file by.
pub(crate) fn name(source: usize, file: usize) -> path::Path {
    path::Path::from(format!("{source}/{file:08}"))
}

/// The folder that a source must not lead out of, and its path from there.
fn beneath(config: &EngineConfig, source: &SourceConfig) -> Result<(PathBuf, PathBuf), OpenError> {
    let here = if config.folder.as_os_str().is_empty() { Path::new(".") } else { &config.folder };
    let root = config.root.as_deref().unwrap_or(here);
    let plain = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    if source.path.is_relative() {
        return Ok((root.to_owned(), plain(&source.path)));
    }
    if let Ok(path) = source.path.strip_prefix(root) {
        return Ok((root.to_owned(), plain(path)));
    }
    if config.root.is_some() {
        let reason = format!("its path lies outside of `{}`", root.display());
        return Err(OpenError::source(source, reason, "name a path beneath `root` of the [engine] table"));
    }
    // A path that the operator wrote out from the top is a root of its own.
    match (source.path.parent(), source.path.file_name()) {
        (Some(parent), Some(file)) if !source.path.is_dir() => Ok((parent.to_owned(), file.into())),
        _ => Ok((source.path.clone(), PathBuf::from("."))),
    }
}

fn walk(root: &Root, folder: &Path, found: &mut Vec<(PathBuf, Metadata)>) -> io::Result<()> {
    for name in root.names(folder)? {
        if name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_") {
            continue;
        }
        let path = if folder == Path::new(".") { PathBuf::from(&name) } else { folder.join(&name) };
        let metadata = root.metadata(&path).map_err(|error| at(&path, error))?;
        if !metadata.is_dir() {
            found.push((path, metadata));
        } else if root.is_link(&path)? {
            // It could lead back up, and the same files would count twice.
            return Err(at(&path, io::Error::other("it is a link to a folder, which is not followed here")));
        } else {
            walk(root, &path, found)?;
        }
    }
    Ok(())
}

fn at(path: &Path, error: io::Error) -> io::Error {
    if leads_out(&error) {
        return io::Error::other(format!("`{}` leads out of the root folder", path.display()));
    }
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

fn unreadable(source: &SourceConfig, root: &Path, error: &io::Error) -> OpenError {
    if leads_out(error) {
        return OpenError::source(
            source,
            format!("its path leads out of `{}`, by `..` or by a link", root.display()),
            "name a path beneath that folder, or set `root` in the [engine] table to one that holds all data",
        );
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        return OpenError::source(source, error.to_string(), FORBIDDEN.1);
    }
    OpenError::source(source, error.to_string(), "check `path` of this [[engine.source]]")
}

/// What tells one state of a file from another. The time of the last change to its entry cannot be set back.
fn meta(metadata: &Metadata, location: path::Path) -> ObjectMeta {
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
    ObjectMeta {
        location,
        last_modified: DateTime::<Utc>::from_timestamp(metadata.mtime(), nanoseconds).unwrap_or_default(),
        size: metadata.size(),
        e_tag: Some(format!(
            "{:x}-{:x}-{:x}.{:x}",
            metadata.dev(),
            metadata.ino(),
            metadata.ctime(),
            metadata.ctime_nsec()
        )),
        version: None,
    }
}
