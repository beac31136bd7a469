//! What a federation on this machine is to be: data only; [`crate::folder`] writes it, [`crate::federation`] runs it.

use std::path::PathBuf;

use liquid_policy::id::{OrganisationName, SiteName};

/// A whole federation.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Its name.
    pub name: String,
    /// The shared schema, as `model.toml`.
    pub model: String,
    /// The agreements, each as a file's text. All parties sign each of them.
    pub agreements: Vec<String>,
    /// The sites.
    pub sites: Vec<SitePlan>,
}

/// One site.
#[derive(Debug, Clone)]
pub struct SitePlan {
    /// Its name.
    pub site: SiteName,
    /// The organisation that runs it.
    pub organisation: OrganisationName,
    /// Its own tables.
    pub sources: Vec<Source>,
    /// The views that make shared tables of them.
    pub views: String,
}

/// One of a site's own tables.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, for the views alone.
    pub name: String,
    /// Its file's name.
    pub file: String,
    /// `parquet`, `csv` or `ndjson`.
    pub format: String,
    /// CSV only: the text that stands for a missing value.
    pub null: Option<String>,
    /// What is in the file.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// These bytes.
    Bytes(&'static [u8]),
    /// The same as in this file, which is not copied.
    File(PathBuf),
}
