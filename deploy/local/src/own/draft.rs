//! One site's folder: what its agreement says, which files it has, and what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use liquid_engine::{Discovered, Format, SourceConfig};
use liquid_node_api::tls::Identity;
use liquid_policy::document::Agreement;
use liquid_policy::id::{OrganisationName, SiteName};

use super::files::{DataFile, files};
use super::model_file::{self, ModelFile};
use super::{agreement, missing, text};
use crate::Error;
use crate::blueprint::{Beside, Source};

/// What a site's folder holds.
pub(super) struct Draft {
    pub(super) site: SiteName,
    pub(super) organisation: OrganisationName,
    pub(super) folder: PathBuf,
    pub(super) agreement_file: PathBuf,
    pub(super) text: String,
    pub(super) agreement: Agreement,
    /// The files that lie beside it.
    pub(super) beside: Vec<Beside>,
    /// The site's own views, where it has some.
    pub(super) views: Option<String>,
    /// The site's own model, where it has one.
    pub(super) model: Option<ModelFile>,
    /// Its files, by table.
    pub(super) files: BTreeMap<String, DataFile>,
    /// Columns of CSV files in which every value is a number, by table: they may be read as texts all the same.
    pub(super) numbers: BTreeSet<(String, String)>,
    /// What its files and views hold.
    pub(super) tables: BTreeMap<String, SchemaRef>,
    /// Which of these its own views make.
    made: BTreeSet<String>,
}

impl Draft {
    /// Whether a table is a file as it stands, and no view of the site's own.
    pub(super) fn is_file(&self, table: &str) -> bool {
        self.files.contains_key(table) && !self.made.contains(table)
    }

    /// The CSV file that a table is, as it stands.
    pub(super) fn csv(&self, table: &str) -> Option<&DataFile> {
        self.files.get(table).filter(|file| file.format == Format::Csv && self.is_file(table))
    }

    /// The CSV file that a column is read from as it stands: the table is the file, or the site's views make the table without
    /// a word on this column.
    pub(super) fn csv_of(&self, table: &str, column: &str) -> Option<&DataFile> {
        let file = self.files.get(table).filter(|file| file.format == Format::Csv)?;
        let is_named = || self.views.as_ref().is_some_and(|views| text::names(views, column));
        (self.is_file(table) || !is_named()).then_some(file)
    }

    /// Its files as an engine takes them.
    pub(super) fn configured(&self) -> Vec<SourceConfig> {
        configured(&self.files)
    }

    pub(super) fn sources(&self) -> Vec<Source> {
        self.files.iter().map(|(table, file)| file.source(table)).collect()
    }
}

fn configured(files: &BTreeMap<String, DataFile>) -> Vec<SourceConfig> {
    files.iter().map(|(table, file)| file.configured(table)).collect()
}

/// The sites' folders, by name.
pub(super) fn sites(folder: &Path, problems: &mut Vec<String>) -> Result<Vec<PathBuf>, Error> {
    let folder = folder.canonicalize().map_err(Error::reading(folder))?;
    if !folder.is_dir() {
        problems.push(format!(
            "{}: this is a file; name the folder that holds a folder for each site",
            folder.display()
        ));
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).map_err(Error::reading(&folder))?;
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut sites: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !hidden(path)).collect();
    sites.sort();
    let name = folder.display();
    if folder.join("ca.pem").exists() && folder.join("sites").is_dir() {
        problems.push(format!(
            "{name}: this is a federation that `liquid init` has made, which runs by itself: start its parts with `liquid \
             node` and `liquid coordinator`, as `liquid init` said; for `--from`, make another folder with a folder for each site"
        ));
    } else if folder.join("agreement.toml").exists() {
        problems.push(format!(
            "{name}: this is the folder of one site; put it into a folder of its own, and give that one to `--from`"
        ));
    } else if sites.is_empty() {
        problems.push(format!(
            "`{name}` has no folders; make one for each site, `{name}/SITE`, with `agreement.toml` and a folder `data`"
        ));
    }
    Ok(if problems.is_empty() { sites } else { Vec::new() })
}

/// Reads a site's folder; nothing where something in it is to be mended.
pub(super) async fn draft(folder: &Path, problems: &mut Vec<String>) -> Option<Draft> {
    let before = problems.len();
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if format!("liquid://site/{name}").parse::<Identity>().is_err() {
        problems.push(format!(
            "{}: a site is named like its folder, with letters, digits, `-`, `_` and `.`; rename the folder",
            folder.display()
        ));
    }
    problems.extend(misspelt(folder));
    let agreement_file = folder.join("agreement.toml");
    let agreement = agreement::read(&agreement_file, problems);
    let organisation = agreement
        .as_ref()
        .and_then(|(_, it, _)| agreement::organisation(&name, it, &agreement_file, problems));
    let model = model_file::read(folder.join("model.toml"), problems);
    let views = text::read(&folder.join("views.sql")).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let mut files = files(&folder.join("data"), problems);
    let mut numbers = BTreeSet::new();
    if let Some((_, agreement, _)) = &agreement {
        numbers = missing::values(agreement, &mut files, views.is_some(), problems);
    }
    let Discovered { tables, made, .. } = discover(folder, &files, views.as_ref(), problems).await;
    let (Some((text, agreement, beside)), Some(organisation)) = (agreement, organisation) else {
        return None;
    };
    let site = SiteName::new(name);
    let folder = folder.to_owned();
    let draft = Draft {
        site,
        organisation,
        folder,
        agreement_file,
        text,
        agreement,
        beside,
        views,
        model,
        files,
        numbers,
        tables,
        made,
    };
    problems.extend(agreement::misnamed(&draft));
    (problems.len() == before).then_some(draft)
}

/// What was meant to be one of the names that count, as `agreement.toml.txt`.
fn misspelt(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    let meant = |wanted: &str| {
        let is_meant = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            match wanted {
                "data" => name.starts_with("data") && path.is_dir(),
                "agreement.toml" => name.starts_with("agreement") && name.contains(".toml"),
                _ => {
                    name == wanted
                        || name == format!("{wanted}.txt")
                        || name.replace("view.", "views.") == wanted
                }
            }
        };
        let meant = found.iter().find(is_meant).filter(|_| !folder.join(wanted).exists())?;
        Some(format!("{}: this is not read; rename it `{wanted}`", meant.display()))
    };
    ["agreement.toml", "data", "views.sql", "model.toml"].into_iter().filter_map(meant).collect()
}

/// What stands for a missing value in one site's file of a table does so in the others' too: it must not become a group of
/// its own where a site lacks no number.
pub(super) async fn share_missing(drafts: &mut [Draft], problems: &mut Vec<String>) {
    let nulls = drafts.iter().flat_map(|draft| &draft.files);
    let nulls: Vec<(String, String)> =
        nulls.filter_map(|(table, file)| Some((table.clone(), file.null.clone()?))).collect();
    for draft in drafts {
        let mut changed = false;
        for (table, file) in &mut draft.files {
            let null = nulls.iter().find(|(named, _)| named == table).map(|(_, null)| null.clone());
            if file.null.is_none() && file.format == Format::Csv && null.is_some() {
                (file.null, changed) = (null, true);
            }
        }
        if changed {
            draft.tables = discover(&draft.folder, &draft.files, draft.views.as_ref(), problems).await.tables;
        }
    }
}

/// What files and views hold.
async fn discover(
    folder: &Path,
    files: &BTreeMap<String, DataFile>,
    views: Option<&String>,
    problems: &mut Vec<String>,
) -> Discovered {
    let views = views.map(|text| (folder.join("views.sql"), text.clone()));
    let found = liquid_engine::discover(configured(files), views)
        .await
        .unwrap_or_else(|problem| Discovered { problems: vec![problem], ..Discovered::default() });
    problems.extend(found.problems.iter().map(liquid_engine::OpenError::at_its_place));
    found
}
