//! Files of text as people save them: read, or with words for the program that saved them in another way.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use liquid_node_api::governance::TEXT_BYTES_MAX;
use liquid_policy::file::File;
use liquid_policy::id::AgreementHash;
use liquid_policy::parse::{read, version_of};

use crate::failure::Failure;

/// Reads a file of text.
///
/// # Errors
/// Where it is not there, or was saved as something else than plain text.
pub(super) fn read_text(file: &Path) -> Result<String, Failure> {
    let bytes = fs::read(file).map_err(|error| {
        let name = file.display();
        let problem = match error.kind() {
            ErrorKind::IsADirectory => format!("`{name}` is a folder"),
            _ => format!("`{name}` cannot be read: {error}"),
        };
        Failure::here(problem, "name an agreement: a file in TOML, as `liquid policy new` writes it")
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let (is, fix) = saved_as(error.as_bytes());
        Failure::here(format!("`{}` is {is}", file.display()), fix)
    })
}

/// What a file is that holds no text in UTF-8, and how it becomes one.
fn saved_as(bytes: &[u8]) -> (&'static str, &'static str) {
    const WORD: &str = "a document of a word processor, not plain text";
    match bytes {
        [b'P', b'K', ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => (
            WORD,
            "in the word processor: Save As, `Plain text`, encoding `UTF-8`; then edit it with Notepad",
        ),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("saved as `Unicode` (UTF-16)", NOTEPAD),
        _ if bytes.contains(&0) => ("no plain text, or saved as `Unicode` (UTF-16)", NOTEPAD),
        _ => ("saved in an old encoding (`ANSI`), so some of its letters cannot be read", NOTEPAD),
    }
}

const NOTEPAD: &str = "open it in Notepad, and choose File, Save As, Encoding `UTF-8`";

/// An agreement that lies near another file.
pub(super) struct Near {
    pub(super) path: PathBuf,
    pub(super) hash: AgreementHash,
    pub(super) file: File,
}

/// The agreements in a file's folder, and in the folders in that: where people keep the versions that they take home.
pub(super) fn near(file: &Path) -> Vec<Near> {
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let within = entries(folder);
    let deeper: Vec<PathBuf> =
        within.iter().filter(|it| it.is_dir()).flat_map(|folder| entries(folder)).collect();
    let texts = within.into_iter().chain(deeper).take(NEAR_MAX).filter(|it| {
        it.extension().is_some_and(|ending| ending == "toml")
            && fs::metadata(it).is_ok_and(|about| about.len() <= TEXT_BYTES_MAX as u64)
    });
    let known = texts.filter_map(|path| {
        let text = fs::read_to_string(&path).ok().filter(|text| is_agreement(text))?;
        Some(Near { hash: version_of(&text)?, file: read(&text, "near").ok()?, path })
    });
    known.collect()
}

/// Files that are looked at, so that whoever works in a large folder need not wait.
const NEAR_MAX: usize = 500;

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// Whether a text says that it is an agreement. What else ends in `.toml` may lie beside one: signatures, settings.
pub(super) fn is_agreement(text: &str) -> bool {
    text.lines().any(|line| {
        let value =
            line.trim_start_matches('\u{feff}').trim_start().strip_prefix("schema").map(str::trim_start);
        value.and_then(|rest| rest.strip_prefix('=')).is_some_and(|value| value.contains("liquid/agreement/"))
    })
}
