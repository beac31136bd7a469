//! The files of a site's `data` folder: which are data and in which format, which are litter, and what is to be done with
//! the rest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use liquid_engine::{Format, SourceConfig};

use super::text::unreadable;
use crate::blueprint::{Content, Source};

/// One data file.
pub(super) struct DataFile {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    /// The text that stands for a missing value in it.
    pub(super) null: Option<String>,
    /// What stands between its fields, where it is no comma.
    pub(super) delimiter: Option<char>,
}

impl DataFile {
    /// Reads it as CSV.
    pub(super) fn csv_reader(&self) -> Option<csv::Reader<File>> {
        let delimiter = self.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()).unwrap_or(b',');
        csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_path(&self.path).ok()
    }

    /// As an engine takes it.
    pub(super) fn configured(&self, table: &str) -> SourceConfig {
        let (null, delimiter) = (self.null.clone(), self.delimiter);
        SourceConfig { null, delimiter, ..SourceConfig::new(table, &self.path, self.format) }
    }

    pub(super) fn source(&self, table: &str) -> Source {
        Source {
            name: table.to_owned(),
            file: self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            format: format!("{:?}", self.format).to_lowercase(),
            null: self.null.clone(),
            delimiter: self.delimiter,
            content: Content::File(self.path.clone()),
        }
    }
}

/// The data files, by the table that each is named after.
pub(super) fn files(folder: &Path, problems: &mut Vec<String>) -> BTreeMap<String, DataFile> {
    let mut files: BTreeMap<String, DataFile> = BTreeMap::new();
    let (entries, real) = match fs::read_dir(folder).and_then(|it| Ok((it, folder.canonicalize()?))) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(match error.kind() {
                ErrorKind::NotFound if !folder.is_symlink() => {
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
    let before = problems.len();
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|it| !is_litter(it)).collect();
    paths.sort();
    for path in paths {
        let (table, file) = match file(&path, &real) {
            Ok(found) => found,
            Err(problem) => {
                problems.push(format!("{}: {problem}", path.display()));
                continue;
            }
        };
        if let Some(other) = files.get(&table) {
            problems.push(format!(
                "{}: {} is the table `{table}` already; rename one of the two, or join them in one file",
                path.display(),
                other.path.display()
            ));
            continue;
        }
        files.insert(table, file);
    }
    if files.is_empty() && problems.len() == before {
        problems
            .push(format!("{}: there is no data file in it; put the site's data there", folder.display()));
    }
    files
}

/// What programs leave in folders for themselves.
fn is_litter(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().to_lowercase()) else { return false };
    let begins = [".", "~$", "__macosx"].iter().any(|start| name.starts_with(start));
    begins || name.ends_with('~') || ["thumbs.db", "desktop.ini", "icon\r"].contains(&name.as_str())
}

/// A data file with its table's name, or what is to be done with it.
fn file(path: &Path, folder: &Path) -> Result<(String, DataFile), String> {
    let real = path.canonicalize();
    let path = match &real {
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            return Err("it is a link that leads nowhere; put the file itself there".to_owned());
        }
        Ok(real) if !real.starts_with(folder) => {
            return Err("it is a link that leads out of `data`; put the file itself there".to_owned());
        }
        Ok(_) | Err(_) => path,
    };
    if path.is_dir() {
        return Err(
            "this is a folder, and only files that lie in `data` itself are read; move its files up, one \
                    for each table"
                .to_owned(),
        );
    }
    let table = path.file_stem().and_then(|stem| stem.to_str());
    let table = table.ok_or("its name is no plain text; rename it")?;
    let format = path.is_file().then(|| format(path)).flatten().ok_or_else(|| {
        format!(
            "this is no .parquet, .csv, .tsv, .ndjson, .jsonl, .json, .arrow or .feather file; {}",
            remedy(path)
        )
    })?;
    if table.trim() != table {
        let name = format!("{}.{}", table.trim(), extension(path));
        return Err(format!("its name begins or ends with a blank; rename it `{name}`"));
    }
    let delimiter = File::open(path).and_then(|file| delimiter(file, path, format));
    let delimiter = delimiter.map_err(|error| {
        let said = unreadable(path, &error);
        said.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&said).to_owned()
    })?;
    // A link within the folder stands for its file.
    let path = real.unwrap_or_else(|_| path.to_owned());
    Ok((table.to_owned(), DataFile { path, format, null: None, delimiter }))
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn format(path: &Path) -> Option<Format> {
    match extension(path).as_str() {
        "tsv" => Some(Format::Csv),
        "json" => Some(Format::Ndjson),
        _ => Format::of(path),
    }
}

/// What to do with a file that is no data file.
fn remedy(path: &Path) -> &'static str {
    const REMEDIES: [(&[&str], &str); 6] = [
        (
            &["xlsx", "xls", "xlsm", "xlsb", "ods", "numbers"],
            "save the workbook's sheet as CSV (`CSV UTF-8`)",
        ),
        (&["gz", "tgz", "zip", "bz2", "xz", "zst", "7z", "rar", "tar"], "unpack it"),
        (
            &["txt", "tab", "dat", "psv"],
            "if it is a table with a header line, let its name end in `.csv`; otherwise take it out of `data`",
        ),
        (&["sav", "dta", "sas7bdat", "xpt", "rds", "rda", "rdata"], "export it as CSV or Parquet"),
        (&["db", "sqlite", "sqlite3", "duckdb", "mdb", "accdb"], "export each table as CSV or Parquet"),
        (&["sql"], "views stand in `views.sql` beside `data`"),
    ];
    let extension = extension(path);
    let known = REMEDIES.iter().find(|(endings, _)| endings.contains(&extension.as_str()));
    known.map_or("convert it, or take it out of `data`", |(_, remedy)| remedy)
}

/// What stands between the fields of a CSV file, where its first line has it and no comma.
fn delimiter(file: File, path: &Path, format: Format) -> std::io::Result<Option<char>> {
    if format != Format::Csv {
        return Ok(None);
    }
    if extension(path) == "tsv" {
        return Ok(Some('\t'));
    }
    let mut header = Vec::new();
    BufReader::new(file).take(HEADER_BYTES).read_until(b'\n', &mut header)?;
    let has = |delimiter: &char| header.contains(&(*delimiter as u8));
    Ok([';', '\t', '|'].into_iter().find(|delimiter| !has(&',') && has(delimiter)))
}

/// Bytes of a first line that are looked at.
const HEADER_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_found_litter_is_passed_over_and_the_rest_has_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let (data, outside) = (folder.path().join("data"), folder.path().join("outside.csv"));
        fs::create_dir_all(data.join("older")).unwrap();
        fs::write(&outside, "a\n").unwrap();
        let good =
            ["visits.2024.CSV", "two words.csv", "a.tsv", "b.jsonl", "c.feather", "d.json", "e.PARQUET"];
        let litter =
            ["Thumbs.db", ".DS_Store", "desktop.ini", "~$visits.xlsx", "visits.csv~", ".~lock.visits.csv#"];
        let bad = [
            ("book.xlsx", "save the workbook's sheet as CSV"),
            ("visits.csv.gz", "unpack it"),
            ("readme.txt", "let its name end in `.csv`"),
            ("study.sav", "export it as CSV or Parquet"),
            ("visits", "convert it, or take it out of `data`"),
            ("visits .csv", "its name begins or ends with a blank; rename it `visits.csv`"),
        ];
        for name in good.iter().chain(&litter).chain(bad.iter().map(|(name, _)| name)) {
            fs::write(data.join(name), "a;b\n").unwrap();
        }
        std::os::unix::fs::symlink("a.tsv", data.join("same.csv")).unwrap();
        std::os::unix::fs::symlink(&outside, data.join("out.csv")).unwrap();
        std::os::unix::fs::symlink("nowhere.csv", data.join("gone.csv")).unwrap();
        let links = [
            ("out.csv", "a link that leads out of `data`; put the file itself there"),
            ("gone.csv", "a link that leads nowhere"),
            (
                "older",
                "this is a folder, and only files that lie in `data` itself are read; move its files up",
            ),
        ];
        let mut problems = Vec::new();
        let found = files(&data, &mut problems);
        let tables: Vec<String> = found
            .iter()
            .map(|(table, file)| format!("{table} {:?} {}", file.format, file.delimiter.unwrap_or(',')))
            .collect();
        let expected = ["a Csv \t", "b Ndjson ,", "c Arrow ,", "d Ndjson ,", "e Parquet ,", "same Csv ;"];
        let expected = expected.iter().chain(&["two words Csv ;", "visits.2024 Csv ;"]);
        assert!(tables.iter().eq(expected), "{tables:?}");
        for (name, remedy) in bad.iter().chain(&links) {
            let start = format!("{}: ", data.join(name).display());
            let said = problems.iter().find(|problem| problem.starts_with(&start));
            assert!(said.is_some_and(|said| said.contains(remedy)), "{name}: {problems:#?}");
        }
        assert_eq!(problems.len(), bad.len() + links.len(), "{problems:#?}");
    }
}
