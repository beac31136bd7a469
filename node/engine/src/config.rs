//! What an operator writes about a site's data: the `[engine]` table of `node.toml`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A site's data and what queries over it may cost.
///
/// ```
/// let config: liquid_engine::EngineConfig = toml::from_str(r#"
///     model = "model.toml"
///     views = "views.sql"
///
///     [[source]]
///     name = "visits_2025"
///     path = "data/visits.csv"
///     format = "csv"
///     null = "?"
/// "#)?;
/// assert_eq!(config.threads, 2);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// The shared schema of the federation: `model.toml`.
    pub model: PathBuf,
    /// `CREATE VIEW` statements that map the raw sources onto the model's tables. Without it, each table of the model
    /// must be a source of the same name and columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<PathBuf>,
    /// The folder that no `path` leads out of, neither by `..` nor by a link: the one of the configuration file, unless
    /// this names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// S3-compatible stores that sources lie in.
    #[serde(default, rename = "store", skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<StoreConfig>,
    /// The raw files. Only views can name them, never a caller.
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceConfig>,
    /// Threads that one query uses.
    #[serde(default = "threads")]
    pub threads: usize,
    /// The folder of the configuration file; see [`Self::relative_to`].
    #[serde(skip)]
    pub folder: PathBuf,
}

/// One raw source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// How views name it.
    pub name: String,
    /// A file, or a folder of files of the same shape: all files in it and below it, except those whose names begin with
    /// `.` or `_`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub path: PathBuf,
    /// Instead of `path`: an object or a folder of a store, as `s3://bucket/prefix/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How it is written.
    pub format: Format,
    /// CSV only: the text that stands for a missing value, beside the empty field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<String>,
    /// CSV only: what stands between two fields; a comma, unless this says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
}

impl SourceConfig {
    /// A source with nothing special about it.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>, format: Format) -> Self {
        Self { name: name.into(), path: path.into(), url: None, format, null: None, delimiter: None }
    }
}

/// An S3-compatible store. The credentials never stand in the configuration itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// What sources in it begin with: `s3://bucket`, or `s3://bucket/prefix`.
    pub url: String,
    /// Where it is, as `https://host:port`; AWS itself without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Its region.
    #[serde(default = "region")]
    pub region: String,
    /// Where the credentials come from.
    #[serde(default)]
    pub credentials: Credentials,
    /// Lets `endpoint` be `http`, without TLS.
    #[serde(default)]
    pub allow_http: bool,
    /// Whether the bucket stands in the path of an address and not in its host; yes, where there is an `endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// The authority that signed the store's certificate, in PEM, where it is none of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// An HTTP proxy. None of the environment's counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// A file with the proxy's `user:password`, where it wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_credentials: Option<PathBuf>,
    /// How often a request is tried again.
    #[serde(default = "retries")]
    pub retries: usize,
    /// How long a request may take, with all tries.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

impl StoreConfig {
    /// A store with nothing special about it.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            endpoint: None,
            region: region(),
            credentials: Credentials::default(),
            allow_http: false,
            path_style: None,
            ca: None,
            proxy: None,
            proxy_credentials: None,
            retries: retries(),
            timeout_ms: timeout_ms(),
        }
    }
}

/// Where credentials for a store come from. The machine's own metadata service is asked only where this says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Credentials {
    /// The variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    #[default]
    Environment,
    /// One file each, read anew for each request.
    Files {
        /// The key's id.
        key_id: PathBuf,
        /// The secret key.
        secret: PathBuf,
        /// The session's token, for credentials that end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<PathBuf>,
    },
    /// The metadata service of the machine or the container.
    Instance,
    /// None: the store is open to everybody.
    Anonymous,
}

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Arrow IPC, as a file (Feather version 2) or as a stream.
    Arrow,
}

impl Format {
    /// The format that a file's name ends with, where it does.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "parquet" | "pq" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "arrow" | "arrows" | "feather" | "ipc" => Some(Self::Arrow),
            _ => None,
        }
    }
}

impl EngineConfig {
    /// Sources, before there is a model or a view.
    #[must_use]
    pub fn of_sources(sources: Vec<SourceConfig>) -> Self {
        let (model, folder) = (PathBuf::new(), PathBuf::new());
        Self { model, views: None, root: None, stores: Vec::new(), sources, threads: threads(), folder }
    }

    /// Takes relative paths as relative to `folder`, the one that holds the configuration file.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        self.model = folder.join(self.model);
        self.views = self.views.map(|views| folder.join(views));
        self.root = self.root.map(|root| folder.join(root));
        for store in &mut self.stores {
            store.ca = store.ca.take().map(|ca| folder.join(ca));
            store.proxy_credentials = store.proxy_credentials.take().map(|file| folder.join(file));
            if let Credentials::Files { key_id, secret, token } = &mut store.credentials {
                *key_id = folder.join(&key_id);
                *secret = folder.join(&secret);
                *token = token.take().map(|token| folder.join(token));
            }
        }
        folder.clone_into(&mut self.folder);
        self
    }
}

fn threads() -> usize {
    2
}

fn region() -> String {
    "us-east-1".to_owned()
}

fn retries() -> usize {
    3
}

fn timeout_ms() -> u64 {
    10_000
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}
