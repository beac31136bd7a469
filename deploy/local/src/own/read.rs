//! One site's folder: what its agreement says, which files it has, and what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use liquid_engine::{Discovered, Format, SourceConfig};
use liquid_node_api::catalogue::Model;
use liquid_node_api::tls::Identity;
use liquid_policy::document::{Aggregate, Agreement, Column};
use liquid_policy::id::{OrganisationName, SiteName};
use liquid_policy::parse::parse;

use super::missing::{self, Texts};
use super::model;
use crate::Error;
use crate::blueprint::{Content, Source};

fn configured(files: &BTreeMap<String, DataFile>) -> Vec<SourceConfig> {
    let source = |(table, file): (&String, &DataFile)| SourceConfig {
        null: file.null.clone(),
        delimiter: file.delimiter,
        ..SourceConfig::new(table, &file.path, file.format)
    };
    files.iter().map(source).collect()
}

/// What a site's folder holds.
pub(super) struct Draft {
    pub(super) site: SiteName,
    pub(super) organisation: OrganisationName,
    pub(super) folder: PathBuf,
    pub(super) agreement_file: PathBuf,
    pub(super) text: String,
    pub(super) agreement: Agreement,
    /// The site's own views, where it has some.
    pub(super) views: Option<String>,
    /// The site's own model, where it has one.
    pub(super) model: Option<Model>,
    /// Its files, by table.
    pub(super) files: BTreeMap<String, DataFile>,
    /// What its files and views hold.
    pub(super) tables: BTreeMap<String, SchemaRef>,
    /// Which of these its own views make.
    made: BTreeSet<String>,
}

/// One file of `data/`.
pub(super) struct DataFile {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    /// The text that stands for a missing value in it.
    pub(super) null: Option<String>,
    /// What stands between its fields, where it is no comma.
    pub(super) delimiter: Option<char>,
}

impl Draft {
    /// Whether a table is a file as it stands, and no view of the site's own.
    pub(super) fn is_file(&self, table: &str) -> bool {
        self.files.contains_key(table) && !self.made.contains(table)
    }

    /// What was taken for granted in reading it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for file in self.files.values() {
            let name = file.path.display();
            if let Some(delimiter) = file.delimiter {
                notes.push(format!("{name}: `{}` stands between its fields", delimiter.escape_default()));
            }
            if let Some(null) = &file.null {
                notes.push(format!("{name}: `{null}` is read as a missing value in all columns"));
            }
        }
        notes
    }

    /// Its files as an engine takes them.
    pub(super) fn configured(&self) -> Vec<SourceConfig> {
        configured(&self.files)
    }

    pub(super) fn sources(&self) -> Vec<Source> {
        let source = |(table, file): (&String, &DataFile)| Source {
            name: table.clone(),
            file: file.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            format: format!("{:?}", file.format).to_lowercase(),
            null: file.null.clone(),
            delimiter: file.delimiter,
            content: Content::File(file.path.clone()),
        };
        self.files.iter().map(source).collect()
    }
}

/// The sites' folders, by name.
pub(super) fn sites(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = folder.canonicalize().map_err(Error::reading(folder))?;
    let entries = fs::read_dir(&folder).map_err(Error::reading(&folder))?;
    let mut sites: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !hidden(path)).collect();
    sites.sort();
    Ok(sites)
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
    let agreement_file = folder.join("agreement.toml");
    let agreement = agreement(&agreement_file, problems);
    let organisation =
        agreement.as_ref().and_then(|(_, a)| organisation(&name, a, &agreement_file, problems));
    let model = model(&folder.join("model.toml"), problems);
    let views = optional(&folder.join("views.sql"), problems);
    let mut files = files(&folder.join("data"), problems);
    if let Some((_, agreement)) = &agreement {
        missing_values(agreement, &mut files, views.is_some(), problems);
    }
    let Discovered { tables, made, .. } = discover(&files, views_in(folder, views.as_ref()), problems).await;
    let (Some((text, agreement)), Some(organisation)) = (agreement, organisation) else { return None };
    let draft = Draft {
        site: SiteName::new(name),
        organisation,
        folder: folder.to_owned(),
        agreement_file,
        text,
        agreement,
        views,
        model,
        files,
        tables,
        made,
    };
    (problems.len() == before).then_some(draft)
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
            let views = views_in(&draft.folder, draft.views.as_ref());
            draft.tables = discover(&draft.files, views, problems).await.tables;
        }
    }
}

fn views_in(folder: &Path, text: Option<&String>) -> Option<(PathBuf, String)> {
    text.map(|text| (folder.join("views.sql"), text.clone()))
}

/// What files and views hold.
async fn discover(
    files: &BTreeMap<String, DataFile>,
    views: Option<(PathBuf, String)>,
    problems: &mut Vec<String>,
) -> Discovered {
    let found = liquid_engine::discover(configured(files), views)
        .await
        .unwrap_or_else(|problem| Discovered { problems: vec![problem], ..Discovered::default() });
    problems.extend(found.problems.iter().map(ToString::to_string));
    found
}

/// Finds the texts that stand for missing values in columns that the agreement measures. What other texts in them mean is
/// for the site's views to say.
fn missing_values(
    agreement: &Agreement,
    files: &mut BTreeMap<String, DataFile>,
    has_views: bool,
    problems: &mut Vec<String>,
) {
    for (name, table) in agreement.tables() {
        let Some(file) = files.get_mut(name.as_str()).filter(|file| file.format == Format::Csv) else {
            continue;
        };
        let measured = table.columns().iter().filter(|(_, column)| is_added_up(column));
        let measured: Vec<&str> = measured.map(|(name, _)| name.as_str()).collect();
        match missing::texts(&file.path, file.delimiter, &measured) {
            Texts::None => {}
            Texts::Missing(text) => file.null = Some(text),
            Texts::Other { .. } if has_views => {}
            Texts::Other { line, column, number } => {
                let table = model::quoted(name.as_str());
                let quoted = model::quoted(&column);
                let cure = match number {
                    Some(number) => format!(
                        "correct the file, or write in `views.sql` `CREATE OR REPLACE VIEW {table} AS SELECT * REPLACE \
                         (CAST({} AS DOUBLE) AS {quoted}) FROM {table};`",
                        number.replace(missing::COLUMN, &quoted)
                    ),
                    None => {
                        "correct the file, or make numbers of its texts by a view in `views.sql`".to_owned()
                    }
                };
                problems.push(format!(
                    "{}:{line}: column `{column}` holds a text, and the agreement measures it as a number; {cure}",
                    file.path.display()
                ));
            }
        }
    }
}

fn agreement(file: &Path, problems: &mut Vec<String>) -> Option<(String, Agreement)> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            problems.push(match error.kind() {
                std::io::ErrorKind::NotFound => format!(
                    "{}: there is no such file; write the agreement under which this site's data may be asked",
                    file.display()
                ),
                _ => unreadable(file, &error),
            });
            return None;
        }
    };
    match parse(&text, &file.display().to_string()) {
        Ok(agreement) => {
            problems.extend(asked_by_nobody(&agreement, &text, file));
            Some((text, agreement))
        }
        Err(error) => {
            problems.extend(error.problems().map(|problem| {
                let line = 1 + text.bytes().take(problem.span().start).filter(|byte| *byte == b'\n').count();
                format!("{}:{line}: {}; {}", file.display(), problem.message(), problem.help())
            }));
            None
        }
    }
}

/// Whether an agreement wants numbers of a column.
pub(super) fn is_added_up(column: &Column) -> bool {
    column.aggregates.iter().any(|it| matches!(it, Aggregate::Sum | Aggregate::Avg))
}

/// Why nobody could ask anything under an agreement today.
fn asked_by_nobody(agreement: &Agreement, text: &str, file: &Path) -> Option<String> {
    let line = |key: &str| 1 + text.lines().position(|line| line.trim_start().starts_with(key)).unwrap_or(0);
    let today = chrono::Utc::now().date_naive();
    let (first, last) = (agreement.in_force().start(), agreement.in_force().end());
    if !agreement.in_force().contains(&today) {
        let key = if today < *first { "in_force" } else { "expires" };
        return Some(format!(
            "{}:{}: the agreement is in force from {first} to {last}, and today is {today}, so nobody may ask; change \
             `{key}` to try it out",
            file.display(),
            line(key)
        ));
    }
    if agreement.review().is_some_and(|review| today > review.last_day()) {
        return Some(format!(
            "{}:{}: the review is overdue beyond its grace, so nobody may ask; change `review` to try it out",
            file.display(),
            line("review")
        ));
    }
    agreement.recipients().is_empty().then(|| {
        format!(
            "{}: it has no [[recipient]], so nobody may ask; add one, with `organisation`, `roles` and `purposes`",
            file.display()
        )
    })
}

/// The controller whose place this is: the one that the folder is named after, or the only one.
fn organisation(
    site: &str,
    agreement: &Agreement,
    file: &Path,
    problems: &mut Vec<String>,
) -> Option<OrganisationName> {
    let mut controllers: Vec<_> = agreement.controllers().cloned().collect();
    if let Some(named) = controllers.iter().find(|controller| controller.as_str() == site) {
        return Some(named.clone());
    }
    if controllers.len() == 1 {
        return controllers.pop();
    }
    let names: Vec<_> = controllers.iter().map(|controller| format!("`{controller}`")).collect();
    problems.push(format!(
        "{}: no controller is called `{site}`, so it is not known whose site this is; name the folder after one of {}, \
         or add the [[party]]",
        file.display(),
        names.join(", ")
    ));
    None
}

fn model(file: &Path, problems: &mut Vec<String>) -> Option<Model> {
    let text = optional(file, problems)?;
    match toml::from_str(&text) {
        Ok(model) => Some(model),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            problems.push(format!(
                "{}:{line}: {}; correct it, or remove the file and let the tables be found out",
                file.display(),
                error.message()
            ));
            None
        }
    }
}

fn optional(file: &Path, problems: &mut Vec<String>) -> Option<String> {
    match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            problems.push(unreadable(file, &error));
            None
        }
    }
}

/// The data files, by the table that each is named after.
fn files(folder: &Path, problems: &mut Vec<String>) -> BTreeMap<String, DataFile> {
    let mut files: BTreeMap<String, DataFile> = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(match error.kind() {
                std::io::ErrorKind::NotFound => {
                    format!(
                        "{}: there is no such folder; put the site's data files into it",
                        folder.display()
                    )
                }
                _ => unreadable(folder, &error),
            });
            return files;
        }
    };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|it| !hidden(it)).collect();
    paths.sort();
    for path in paths {
        let Some(format) = path.is_file().then(|| format(&path)).flatten() else {
            problems.push(format!(
                "{}: this is no .parquet, .csv, .ndjson, .json or .arrow file; convert it, or take it out of `data`",
                path.display()
            ));
            continue;
        };
        let Some(table) = path.file_stem().and_then(|stem| stem.to_str()) else {
            problems.push(format!("{}: its name is no plain text; rename it", path.display()));
            continue;
        };
        if let Some(other) = files.get(table) {
            problems.push(format!(
                "{}: {} is the table `{table}` already; rename one of the two, or join them in one file",
                path.display(),
                other.path.display()
            ));
            continue;
        }
        files.insert(
            table.to_owned(),
            DataFile { delimiter: delimiter(&path, format), path, format, null: None },
        );
    }
    if files.is_empty() && problems.is_empty() {
        problems.push(format!("{}: there is no data file in it", folder.display()));
    }
    files
}

/// What stands between the fields of a CSV file, where its first line has it and no comma.
fn delimiter(path: &Path, format: Format) -> Option<char> {
    if format != Format::Csv {
        return None;
    }
    let mut header = Vec::new();
    let file = fs::File::open(path).ok()?;
    BufReader::new(file).take(HEADER_BYTES).read_until(b'\n', &mut header).ok()?;
    if header.contains(&b',') {
        return None;
    }
    [';', '\t', '|'].into_iter().find(|delimiter| header.contains(&(*delimiter as u8)))
}

/// Bytes of a first line that are looked at.
const HEADER_BYTES: u64 = 1 << 20;

fn format(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "parquet" => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        "ndjson" | "json" => Some(Format::Ndjson),
        "arrow" => Some(Format::Arrow),
        _ => None,
    }
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("{}: it cannot be read ({error}); make it a readable UTF-8 text", path.display())
}
