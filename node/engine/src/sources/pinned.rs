//! The one store that a session can read: the files of all sources as they were when they were listed. A file that
//! changed since is an error; nothing can be written, and no other file can be named.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::exec_err;
use datafusion::error::Result as EngineResult;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

use super::files::{File, list};
use super::stores::Stores;
use crate::config::EngineConfig;
use crate::error::OpenError;

/// The files of all sources, in the sources' order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pinned {
    sources: Arc<Vec<Vec<File>>>,
}

impl Pinned {
    /// Lists the files of all sources as they stand now.
    pub(crate) async fn list(config: &EngineConfig, stores: &Stores) -> std::result::Result<Self, OpenError> {
        let (listed, problems) = Self::list_each(config, stores).await;
        problems.into_iter().next().map_or(Ok(listed), Err)
    }

    /// The same, where a source that cannot be listed has no files, and every problem counts.
    pub(crate) async fn list_each(config: &EngineConfig, stores: &Stores) -> (Self, Vec<OpenError>) {
        let (mut sources, mut problems) = (Vec::new(), Vec::new());
        for (at, source) in config.sources.iter().enumerate() {
            sources.push(list(config, stores, source, at).await.unwrap_or_else(|problem| {
                problems.push(problem);
                Vec::new()
            }));
        }
        (Self { sources: Arc::new(sources) }, problems)
    }

    /// The files of one source.
    pub(crate) fn files(&self, source: usize) -> &[File] {
        self.sources.get(source).map_or(&[], Vec::as_slice)
    }

    /// Where a session finds a source.
    pub(crate) fn url(source: usize) -> String {
        format!("liquid://site/{source}/")
    }

    fn file(&self, location: &Path) -> Result<&File> {
        let found = self.sources.iter().flatten().find(|file| file.meta.location == *location);
        found.ok_or_else(|| Error::NotFound {
            path: location.to_string(),
            source: "the sources have no such file".into(),
        })
    }

    fn below(&self, prefix: Option<&Path>) -> Vec<ObjectMeta> {
        let all = self.sources.iter().flatten().map(|file| &file.meta);
        all.filter(|meta| prefix.is_none_or(|prefix| meta.location.prefix_matches(prefix))).cloned().collect()
    }
}

/// Equal where no file of any source has changed, come or gone.
impl PartialEq for Pinned {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.sources.iter().flatten(), other.sources.iter().flatten());
        one.clone().count() == other.clone().count() && one.zip(other).all(|(one, other)| one.same(other))
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the site's sources")
    }
}

fn read_only<T>() -> Result<T> {
    Err(Error::NotSupported { source: "the site's sources are read only".into() })
}

#[async_trait]
impl ObjectStore for Pinned {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.file(location)?.get(options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.file(location)?.get_ranges(ranges).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(self.below(prefix).into_iter().map(Ok)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Ok(ListResult { common_prefixes: Vec::new(), objects: self.below(prefix) })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        read_only()
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        read_only()
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::iter([read_only()]).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        read_only()
    }
}

/// Whatever a plan names, there is no other store: neither local files nor the network.
impl ObjectStoreRegistry for Pinned {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> EngineResult<Arc<dyn ObjectStore>> {
        match (url.scheme(), url.host_str()) {
            ("liquid", Some("site")) => Ok(Arc::new(self.clone())),
            _ => exec_err!("there is no store but the site's sources"),
        }
    }
}
