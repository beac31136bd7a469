//! The agreements' folder: `NAME.toml` with `NAME.sig.toml` beside it are placed by the operator, below `held` the node keeps
//! what it was sent.
//!
//! ```text
//! held/versions/HASH.toml       versions that were proposed
//! held/statements/HASH.toml     what was said, one statement a file
//! held/good/NAME.toml           the last good copy of a placed file, and of its signatures
//! held/beside/HASH.csv, .sql    each list of values and each template that a version names, by its own SHA-256
//! ```
//!
//! Lists of values (`domain.file`) and templates lie beside the agreement, placed by the operator before it, or they came with the
//! proposal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use liquid_node_api::governance::FileBeside;
use liquid_policy::Agreement;
use liquid_policy::id::{AgreementHash, AgreementId};
use liquid_policy::parse::{BESIDE_BYTES_MAX, ParseError, parse_beside, version_of};
use liquid_policy::signature::SignatureFile;
use liquid_policy::statement::Statement;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use super::held;
use crate::config::Floors;

/// Bytes of all files beside agreements that a node holds; what its operator placed is kept in any case.
const HELD_BYTES_MAX: u64 = 64 << 20;

/// Names, sizes and times of all files: whether anything has changed.
pub(super) type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// The folder.
pub(super) struct Folder(PathBuf);

/// What it holds.
#[derive(Default)]
pub(super) struct Found {
    /// Versions, with their text, and whether the operator placed them.
    pub(super) versions: Vec<(Arc<Agreement>, String, bool)>,
    pub(super) statements: Vec<Statement>,
    /// When those that were sent were heard.
    pub(super) heard: BTreeMap<Statement, DateTime<Utc>>,
    /// A statement that was sent cannot be read any more, so nobody knows what it would stop.
    pub(super) lost: bool,
    /// Versions that were sent and cannot be read any more.
    pub(super) unread: Vec<Unread>,
    /// Files that cannot be read, each with what is wrong.
    pub(super) unreadable: Vec<(PathBuf, String)>,
    pub(super) fingerprint: Fingerprint,
}

/// A version that was sent and cannot be read any more.
pub(super) struct Unread {
    /// What it may be called: by its file's name, and by its text where that has a hash.
    pub(super) hashes: Vec<AgreementHash>,
    /// The agreement of which it is a version, where the text says so.
    pub(super) id: Option<AgreementId>,
}

impl Folder {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn versions(&self) -> PathBuf {
        self.0.join("held/versions")
    }

    fn statements(&self) -> PathBuf {
        self.0.join("held/statements")
    }

    /// Where a version that was proposed is kept.
    pub(super) fn of_version(&self, hash: &AgreementHash) -> PathBuf {
        self.versions().join(format!("{hash}.toml"))
    }

    /// Where a statement is kept.
    pub(super) fn of_statement(&self, statement: &Statement) -> PathBuf {
        self.statements().join(format!("{}.toml", statement.hash()))
    }

    fn good(&self) -> PathBuf {
        self.0.join("held/good")
    }

    /// The copy of a file that lies beside an agreement.
    fn copy_beside(&self, name: &str, sha256: &str) -> PathBuf {
        let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
        self.0.join("held/beside").join(format!("{sha256}.{extension}"))
    }

    /// Reads a text of this folder, with the files that lie beside it.
    ///
    /// # Errors
    /// As [`parse_beside`].
    pub(super) fn parse(&self, text: &str, name: &str) -> Result<Agreement, ParseError> {
        parse_beside(text, name, &|file, sha256| self.beside(file, sha256))
    }

    /// Reads a text that somebody sent, with the files that came with it. A file of this folder serves only where it is the very
    /// one that the text names: whoever sends a text learns neither which others lie here nor what is in them.
    ///
    /// # Errors
    /// As [`parse_beside`].
    pub(super) fn parse_sent(
        &self,
        text: &str,
        name: &str,
        came: &[FileBeside],
    ) -> Result<Agreement, ParseError> {
        parse_beside(text, name, &|file, sha256| match sent(came, file, sha256) {
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => self.agreed(file, sha256).ok_or_else(|| NOT_SENT.to_owned()),
        })
    }

    /// The content of a file where it is the one that an agreement names.
    pub(super) fn agreed(&self, file: &str, sha256: &str) -> Option<Vec<u8>> {
        self.beside(file, sha256).ok().filter(|bytes| hash(bytes) == sha256)
    }

    /// The content of a file that an agreement names: as it was placed, or the copy that is held of the agreed one.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn beside(&self, file: &str, sha256: &str) -> Result<Vec<u8>, String> {
        let placed = beside(&self.0, file);
        let is_it = |bytes: &Vec<u8>| hash(bytes) == sha256;
        if placed.as_ref().is_ok_and(is_it) {
            return placed;
        }
        // What was agreed on stays in force when another file takes its place.
        fs::read(self.copy_beside(file, sha256)).ok().filter(is_it).map_or(placed, Ok)
    }

    /// Whether there is room for the files of one more version.
    pub(super) fn has_room(&self, named: &BTreeSet<(String, String)>, came: &[FileBeside]) -> bool {
        let files = fs::read_dir(self.0.join("held/beside")).into_iter().flatten().flatten();
        let held: u64 = files.filter_map(|file| file.metadata().ok()).map(|known| known.len()).sum();
        let new =
            named.iter().filter_map(|(name, sha256)| sent(came, name, sha256)).map(|text| text.len() as u64);
        held.saturating_add(new.sum()) <= HELD_BYTES_MAX
    }

    /// Keeps copies of the files that a version names, of those that came with it first.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn hold_beside(
        &self,
        named: &BTreeSet<(String, String)>,
        came: &[FileBeside],
    ) -> io::Result<()> {
        for (file, sha256) in named {
            let copy = self.copy_beside(file, sha256);
            if fs::read(&copy).is_ok_and(|bytes| hash(&bytes) == *sha256) {
                continue;
            }
            let text = match sent(came, file, sha256) {
                Some(text) => text.to_owned(),
                None => {
                    let bytes = self.agreed(file, sha256).ok_or_else(|| io::Error::other(NOT_SENT))?;
                    String::from_utf8(bytes).map_err(io::Error::other)?
                }
            };
            held::write(&copy, &text)?;
        }
        Ok(())
    }

    /// What would be seen to have changed.
    ///
    /// # Errors
    /// A sentence for the operator where the folder itself cannot be read.
    pub(super) fn fingerprint(&self) -> Result<Fingerprint, String> {
        let placed = self.placed()?;
        let beside = placed.iter().map(|file| signatures_of(file));
        let held =
            [self.versions(), self.statements()].into_iter().flat_map(|it| listed(&it).unwrap_or_default());
        let files = ["csv", "sql"].into_iter().flat_map(|it| with_extension(&self.0, it).unwrap_or_default());
        let seen = placed.iter().cloned().chain(beside).chain(held).chain(files).filter_map(|file| {
            let known = fs::metadata(&file).ok()?;
            Some((file, known.len(), known.modified().ok()))
        });
        Ok(seen.collect())
    }

    /// Reads everything.
    ///
    /// # Errors
    /// As [`Self::fingerprint`].
    pub(super) fn read(&self, floors: &Floors) -> Result<Found, String> {
        // First, so that what changes while it is read is read again.
        let mut found = Found { fingerprint: self.fingerprint()?, ..Found::default() };
        let placed = self.placed()?;
        for file in &placed {
            match self.read_one(file, floors) {
                Ok((agreement, text, statements)) => {
                    self.keep_copy(file, &text);
                    if let Err(error) = self.hold_beside(&agreement.file().beside(), &[]) {
                        tracing::warn!(%error, "no copy of a file beside the agreement can be kept");
                    }
                    found.add(agreement, text, true, statements);
                }
                Err(problem) => {
                    if let Ok((agreement, text, statements)) = self.read_one(&self.copy_of(file), floors) {
                        tracing::warn!(agreement = %agreement.id(), "the last good copy stays in force");
                        found.add(agreement, text, true, statements);
                    }
                    found.unreadable.push((file.clone(), problem));
                }
            }
        }
        self.forget_copies(&placed);
        for file in found.held(&self.versions()) {
            match self.read_one(&file, floors) {
                Ok((agreement, text, statements)) => found.add(agreement, text, false, statements),
                Err(problem) => {
                    found.unread.push(unread(&file));
                    found.unreadable.push((file, problem));
                }
            }
        }
        for file in found.held(&self.statements()) {
            match fs::read_to_string(&file)
                .map_err(|e| e.to_string())
                .and_then(|text| toml::from_str::<Sent>(&text).map_err(|e| e.message().to_owned()))
            {
                Ok(Sent { heard, signature }) => {
                    if let Some(at) = heard {
                        found.heard.extend(signature.iter().map(|it| (it.clone(), at)));
                    }
                    found.statements.extend(signature);
                }
                Err(problem) => found.lose(file, problem),
            }
        }
        Ok(found)
    }

    /// Keeps a version that was proposed.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn hold(&self, hash: &AgreementHash, text: &str) -> io::Result<()> {
        held::write(&self.of_version(hash), text)
    }

    /// Keeps a statement.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn note(&self, statement: &Statement, heard: DateTime<Utc>) -> io::Result<()> {
        let signed = SignatureFile { signatures: vec![statement.clone()] };
        let text = format!("heard = \"{}\"\n{signed}", heard.to_rfc3339_opts(SecondsFormat::Millis, true));
        held::write(&self.of_statement(statement), &text)
    }

    fn read_one(&self, file: &Path, floors: &Floors) -> Result<(Agreement, String, Vec<Statement>), String> {
        let name = file.to_string_lossy();
        let text = fs::read_to_string(file).map_err(|e| e.to_string())?;
        let agreement = self.parse(&text, &name).map_err(|e| said(&e, &text))?;
        let agreement = floors.raise(agreement).map_err(|e| e.to_string())?;
        Ok((agreement, text, signatures(&signatures_of(file)).map_err(|e| format!("its signatures: {e}"))?))
    }

    fn placed(&self) -> Result<Vec<PathBuf>, String> {
        let mut files = listed(&self.0).map_err(|e| {
            format!("cannot read the agreements in `{}`: {e}; set `agreements` in `[node]`", self.0.display())
        })?;
        files.retain(|file| file.file_stem().is_some_and(|s| !s.to_string_lossy().ends_with(".sig")));
        Ok(files)
    }

    fn copy_of(&self, file: &Path) -> PathBuf {
        self.good().join(file.file_name().unwrap_or_default())
    }

    /// A good file is copied, so that it stays in force when the next one of its name cannot be read, also after a restart.
    fn keep_copy(&self, file: &Path, text: &str) {
        let signatures = fs::read_to_string(signatures_of(file)).unwrap_or_default();
        for (copy, text) in [(self.copy_of(file), text), (signatures_of(&self.copy_of(file)), &signatures)] {
            let is_there = fs::read_to_string(&copy).is_ok_and(|there| there == *text);
            if !is_there && let Err(error) = held::write(&copy, text) {
                tracing::warn!(%error, file = %copy.display(), "no copy of the agreement can be kept");
            }
        }
    }

    /// What the operator has taken away is gone: no copy brings it back.
    fn forget_copies(&self, placed: &[PathBuf]) {
        let copies: Vec<PathBuf> = placed.iter().map(|file| self.copy_of(file)).collect();
        for copy in listed(&self.good()).unwrap_or_default() {
            let stays = copies.iter().any(|kept| *kept == copy || signatures_of(kept) == copy);
            if !stays && let Err(error) = fs::remove_file(&copy) {
                tracing::warn!(%error, file = %copy.display(), "a copy of an agreement that is gone stays");
            }
        }
    }
}

/// A file of what was sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// When it was heard; nothing where an operator put it there.
    heard: Option<DateTime<Utc>>,
    signature: Vec<Statement>,
}

impl Found {
    /// The files of a folder of what was sent; there may be no such folder yet.
    fn held(&mut self, folder: &Path) -> Vec<PathBuf> {
        match listed(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                self.lose(folder.to_owned(), error.to_string());
                Vec::new()
            }
        }
    }

    fn lose(&mut self, file: PathBuf, problem: String) {
        self.lost = true;
        self.unreadable.push((file, problem));
    }

    fn add(&mut self, agreement: Agreement, text: String, placed: bool, statements: Vec<Statement>) {
        self.versions.push((Arc::new(agreement), text, placed));
        self.statements.extend(statements);
    }
}

/// What can be told of a version that cannot be read: a list of values that it names is gone, or the site has new floors.
fn unread(file: &Path) -> Unread {
    let text = fs::read_to_string(file).unwrap_or_default();
    let named = file.file_stem().map(|stem| AgreementHash::new(stem.to_string_lossy().into_owned()));
    let table: Option<toml::Table> = toml::from_str(&text).ok();
    let id =
        table.as_ref().and_then(|table| table.get("agreement")?.get("id")?.as_str().map(AgreementId::new));
    Unread { hashes: named.into_iter().chain(version_of(&text)).collect(), id }
}

/// The content of a file that lies beside an agreement, in the same folder.
///
/// # Errors
/// Why it cannot be read.
pub fn beside(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let file = fs::File::open(folder.join(name)).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    let most = u64::try_from(BESIDE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// The text of a file that came with an agreement, if it is the one that the agreement names.
fn sent<'a>(came: &'a [FileBeside], name: &str, sha256: &str) -> Option<&'a str> {
    let file = came.iter().find(|file| file.name == name)?;
    (hash(file.text.as_bytes()) == sha256).then_some(file.text.as_str())
}

/// Of a file that is needed: the same words whether another one of its name lies here or none.
const NOT_SENT: &str = "the agreed file did not come with the agreement, and is not here";

/// The SHA-256 of a file, in hex.
pub fn hash(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// The signatures beside an agreement.
fn signatures_of(file: &Path) -> PathBuf {
    file.with_extension("sig.toml")
}

/// The TOML files of a folder, in order.
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    with_extension(folder, "toml")
}

fn with_extension(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut files =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == extension));
    files.sort();
    Ok(files)
}

fn signatures(file: &Path) -> Result<Vec<Statement>, String> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let read = SignatureFile::parse(&text, &file.to_string_lossy());
            read.map(|file| file.signatures).map_err(|e| said(&e, &text))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e.to_string()),
    }
}

/// Every problem with its line and what to write instead.
pub(super) fn said(error: &ParseError, text: &str) -> String {
    let line = |at: usize| text.get(..at).map_or(0, |before| before.matches('\n').count() + 1);
    let problems =
        error.problems().map(|p| format!("line {}: {}; {}", line(p.span().start), p.message(), p.help()));
    problems.collect::<Vec<_>>().join("; ")
}
