//! The files that lie beside an agreement: found by their names, told apart by their hashes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use liquid_node::agreements::{beside, hash};
use liquid_node_api::governance::{FILES_BYTES_MAX, FILES_MAX, FileBeside};
use liquid_policy::document::Agreement;

use super::sites::Sites;
use super::status::put;
use crate::failure::Failure;
use crate::terminal::note;

/// The content of a file beside an agreement: under its name, or under its hash where another version has a file of that name.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn find(folder: &Path, name: &str, sha256: &str) -> Result<Vec<u8>, String> {
    let named = beside(folder, name);
    let is_it = |bytes: &Vec<u8>| hash(bytes) == sha256;
    if named.as_ref().is_ok_and(is_it) {
        return named;
    }
    let apart = by_hash(name, sha256);
    beside(folder, &apart).ok().filter(is_it).map_or(named, Ok)
}

/// The name of a file of which another version has another content.
fn by_hash(name: &str, sha256: &str) -> String {
    let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
    format!("{sha256}.{extension}")
}

/// Copies the files that an agreement names to where its next version lies. What is there and says something else stays.
///
/// # Errors
/// Where one cannot be written.
pub(super) fn copy(agreement: &Agreement, from: &Path, to: &Path) -> Result<(), Failure> {
    let folder = |file: &Path| file.parent().unwrap_or(Path::new("")).to_owned();
    let (from, to) = (folder(from), folder(to));
    for (name, sha256) in agreement.file().beside() {
        let is_there = find(&to, &name, &sha256).is_ok_and(|bytes| hash(&bytes) == sha256);
        let text = find(&from, &name, &sha256).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(text) = text.filter(|_| !is_there) else { continue };
        let mut file = to.join(&name);
        if file.exists() {
            file = to.join(by_hash(&name, &sha256));
        }
        put(&file, &text)?;
        note(&format!("copied {}, which the agreement names", file.display()));
    }
    Ok(())
}

/// The files that travel with an agreement, of those that are found by name and hash. Where they are too large for that, operators place
/// them.
pub(super) fn to_send(
    agreement: &Agreement,
    found: impl Fn(&str, &str) -> Option<String>,
) -> Vec<FileBeside> {
    let (mut files, mut left) = (Vec::new(), FILES_BYTES_MAX);
    for (name, sha256) in agreement.file().beside() {
        let Some(text) = found(&name, &sha256) else { continue };
        match left.checked_sub(text.len()) {
            Some(after) if files.len() < FILES_MAX => {
                left = after;
                files.push(FileBeside { name, text });
            }
            _ => note(&format!(
                "`{name}` is too large to travel with the agreement: each site's operator puts it into the folder of agreements first"
            )),
        }
    }
    files
}

/// The text of a file that an agreement names and that lies where the agreement does.
pub(super) fn lies_by(agreement: &Path, name: &str, sha256: &str) -> Option<String> {
    let folder = agreement.parent().unwrap_or(Path::new(""));
    find(folder, name, sha256).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The texts of the files that a version names, by their hashes, as far as sites send them.
///
/// # Errors
/// Where no site answers.
pub(super) async fn fetch(
    sites: &mut Sites,
    named: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    for (_, sha256) in named {
        if let Some(text) = sites.file(&sha256).await? {
            found.insert(sha256, text);
        }
    }
    Ok(found)
}

/// What the files are, a line each.
pub(super) fn lines(agreement: &Agreement) -> Vec<String> {
    let files = agreement.file().beside().into_iter();
    files.map(|(name, sha256)| format!("beside it {name}  sha256:{sha256}")).collect()
}

/// Saves the files that a version names beside it. What is there and says something else stays; the file then has its hash for a
/// name.
///
/// # Errors
/// Where one cannot be written.
pub(super) async fn save(
    sites: &mut Sites,
    folder: &Path,
    named: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Failure> {
    for (name, sha256) in named {
        // The name comes from a text that a coordinator carried: it is one, and no path.
        if name.contains(['/', '\\'])
            || name.starts_with('.')
            || find(folder, &name, &sha256).is_ok_and(|it| hash(&it) == sha256)
        {
            continue;
        }
        let Some(text) = sites.file(&sha256).await? else {
            note(&format!(
                "no site sends `{name}` (sha256:{sha256}); ask an operator for it before you sign"
            ));
            continue;
        };
        let mut file: PathBuf = folder.join(&name);
        if file.exists() {
            file = folder.join(by_hash(&name, &sha256));
        }
        if put(&file, &text)? {
            note(&format!("saved {}", file.display()));
        }
    }
    Ok(())
}
