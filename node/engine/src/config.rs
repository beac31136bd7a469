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
    /// The raw files. Only views can name them, never a caller.
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceConfig>,
    /// Threads that one query uses.
    #[serde(default = "threads")]
    pub threads: usize,
}

/// One raw source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// How views name it.
    pub name: String,
    /// A file, or a folder of files of the same shape.
    pub path: PathBuf,
    /// How it is written.
    pub format: Format,
    /// CSV only: the text that stands for a missing value, beside the empty field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<String>,
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
    /// Apache Arrow's IPC file format.
    Arrow,
}

impl EngineConfig {
    /// Takes relative paths as relative to `folder`, the one that holds the configuration file.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        self.model = folder.join(self.model);
        self.views = self.views.map(|views| folder.join(views));
        for source in &mut self.sources {
            source.path = folder.join(&source.path);
        }
        self
    }
}

fn threads() -> usize {
    2
}
