//! What a federation on this machine is to be: data only; [`crate::folder`] writes it, [`crate::federation`] runs it.

use std::path::PathBuf;

use liquid_policy::id::{OrganisationName, SiteName, TableName};

/// A whole federation.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Its name.
    pub name: String,
    /// The sites.
    pub sites: Vec<SitePlan>,
}

impl Blueprint {
    /// Puts another text in the place of each agreement, at every site.
    pub fn edit_agreements(&mut self, edit: impl Fn(&str) -> String) {
        for agreement in self.sites.iter_mut().flat_map(|site| &mut site.agreements) {
            *agreement = edit(agreement);
        }
    }
}

/// One site.
#[derive(Debug, Clone)]
pub struct SitePlan {
    /// Its name.
    pub site: SiteName,
    /// The organisation that runs it.
    pub organisation: OrganisationName,
    /// The shared schema, as `model.toml`: the same text wherever the same tables are.
    pub model: String,
    /// The agreements that it holds, each as a file's text. All controllers sign each of them.
    pub agreements: Vec<String>,
    /// The files beside them: lists of values, approved queries.
    pub beside: Vec<Beside>,
    /// Its own tables.
    pub sources: Vec<Source>,
    /// The views that make shared tables of them.
    pub views: String,
    /// The tables that the others expect to find here; every table where nothing is said.
    pub tables: Option<Vec<TableName>>,
    /// Who dials.
    pub connect: Connect,
}

/// A file that lies beside an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Who dials between a site and the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connect {
    /// The coordinator dials the site's port.
    #[default]
    Inbound,
    /// The site dials the coordinator, and needs no port.
    Outbound {
        /// Whether it has one all the same, for those who ask it past the coordinator.
        port: bool,
    },
}

/// One of a site's own tables.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, for the views alone.
    pub name: String,
    /// Its file's name.
    pub file: String,
    /// `parquet`, `csv`, `ndjson` or `arrow`.
    pub format: String,
    /// CSV only: the text that stands for a missing value.
    pub null: Option<String>,
    /// CSV only: what stands between fields, where it is no comma.
    pub delimiter: Option<char>,
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
