//! What this site has ever released of tables that an agreement keeps a history of: one file beside the audit log, added to before anything leaves.
//!
//! Each line is the hash of the line before it and of its own text, then the text: what one answer added. The last hash is in the audit record of each
//! release, so a file that was put back from an older copy is found out before anything is answered from it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;
use liquid_disclosure::history::{Bounds, Entry, History};
use liquid_disclosure::{Bug, Memory};
use liquid_node_api::engine::HashKey;
use liquid_policy::Agreement;
use liquid_policy::id::TableName;
use ring::digest::{Context, SHA256};

/// What agreements ask of the history of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// People of whom combinations of answers must tell at least.
    k: usize,
    bounds: Bounds,
}

/// Cells that are no combination of others, where no agreement says how many.
const RANK: u32 = 2_000;

/// Classes of terms, likewise.
const CLASSES: u32 = 20_000;

impl Rule {
    /// The strictest of all agreements with a history, where one of them is about one of these tables: a history is of a table, whichever
    /// agreement a question is asked under.
    pub(crate) fn of<'a>(
        standing: impl Iterator<Item = &'a Agreement>,
        tables: impl Fn(&TableName) -> bool,
    ) -> Option<Self> {
        let mut rule: Option<Self> = None;
        let mut applies = false;
        for agreement in standing {
            let Some(history) = &agreement.file().history else { continue };
            applies |= agreement.tables().keys().any(&tables);
            let least = agreement.file().disclosure.minimum_contributors;
            let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
            let own = Self {
                k: size(history.minimum_difference.unwrap_or(least).max(least)),
                bounds: Bounds {
                    rank: size(history.max_rank.unwrap_or(RANK)),
                    classes: size(history.max_atoms.unwrap_or(CLASSES)),
                },
            };
            rule = Some(rule.map_or(own, |rule| Self {
                k: rule.k.max(own.k),
                bounds: Bounds {
                    rank: rule.bounds.rank.min(own.bounds.rank),
                    classes: rule.bounds.classes.min(own.bounds.classes),
                },
            }));
        }
        rule.filter(|_| applies)
    }
}

/// Why nothing can be released.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unkept {
    /// What is there cannot be read or added to.
    #[error("the history of what was released cannot be kept in `{}`: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    /// It is not as the node left it.
    #[error(
        "the history of what was released, `{}`, is not whole: {why}; put back the copy that belongs to the audit log",
        path.display()
    )]
    Broken { path: PathBuf, why: String },
    /// It is not known what is on the disk.
    #[error("an earlier write to `{}` could not be made durable; check the disk, then restart the node", path.display())]
    Undurable { path: PathBuf },
    /// The engine broke its word.
    #[error(transparent)]
    Bug(#[from] Bug),
}

/// The history of a site.
#[derive(Debug)]
pub(crate) struct Releases {
    path: PathBuf,
    key: HashKey,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    loaded: Option<Loaded>,
    head: Option<String>,
    dead: bool,
}

#[derive(Debug)]
struct Loaded {
    history: History,
    file: File,
    length: u64,
    head: String,
}

/// For its owner alone.
const OWNER_ALONE: u32 = 0o600;

/// Where it lies: beside the audit log, with `.history` after its name.
pub fn history_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".history");
    PathBuf::from(name)
}

impl Releases {
    /// Looks at what there is beside an audit log, whose last release had come as far as `known`.
    ///
    /// # Errors
    /// A sentence for the operator: it is not whole, or behind the log.
    pub(crate) fn open(log: &Path, key: HashKey, known: Option<&str>) -> Result<Self, String> {
        let path = history_path(log);
        let (mut head, mut is_known) = (None, known.is_none());
        let there =
            path.try_exists().map_err(|error| Unkept::Io { path: path.clone(), error }.to_string())?;
        if there {
            let file =
                File::open(&path).map_err(|error| Unkept::Io { path: path.clone(), error }.to_string())?;
            let mut seen = |line: &str, _: Vec<Entry>| {
                is_known |= known == Some(line);
                Ok(())
            };
            head = read(&path, &file, &mut seen).map_err(|e| e.to_string())?.1;
        }
        if !is_known {
            return Err(format!(
                "the history of what was released, `{}`, is behind the audit log; put back the copy that belongs to the log",
                path.display()
            ));
        }
        Ok(Self { path, key, state: Mutex::new(State { head, ..State::default() }) })
    }

    /// By what people are known again.
    pub(crate) fn key(&self) -> HashKey {
        self.key
    }

    /// The hash of the last line, where there is one.
    pub(crate) fn head(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).head.clone()
    }

    /// Releases what `judge` lets through, beside all that was released before; one answer at a time. What it adds is durable when this comes back.
    ///
    /// # Errors
    /// Nothing is released then.
    pub(crate) fn release<T>(
        &self,
        rule: Rule,
        today: NaiveDate,
        judge: impl FnOnce(Memory<'_>) -> Result<T, Bug>,
    ) -> Result<T, Unkept> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.dead {
            return Err(Unkept::Undurable { path: self.path.clone() });
        }
        // What is not put back is read anew by the next question: it may hold what was not released.
        let loaded = state.loaded.take().filter(|loaded| loaded.history.k() == rule.k);
        let mut loaded = match loaded {
            Some(loaded) => loaded,
            None => self.load(rule.k)?,
        };
        let released = judge(Memory { history: &mut loaded.history, bounds: rule.bounds, today })?;
        let added = loaded.history.take_unsaved();
        if !added.is_empty() {
            self.append(&mut loaded, &added)?;
            if let Err(error) = loaded.file.sync_all() {
                state.dead = true;
                return Err(Unkept::Io { path: self.path.clone(), error });
            }
        }
        state.head = Some(loaded.head.clone()).filter(|head| !head.is_empty());
        state.loaded = Some(loaded);
        Ok(released)
    }

    fn load(&self, k: usize) -> Result<Loaded, Unkept> {
        let failed = |error| Unkept::Io { path: self.path.clone(), error };
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(OWNER_ALONE);
        let file = options.open(&self.path).map_err(failed)?;
        let mut history = History::new(k);
        let mut remember = |_: &str, entries: Vec<Entry>| {
            entries.into_iter().try_for_each(|entry| history.remember(entry)).map_err(|e| e.to_string())
        };
        let (length, head) = read(&self.path, &file, &mut remember)?;
        // A line that was not finished when the node stopped was never released.
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
        if let Some(folder) = self.path.parent().filter(|it| !it.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(Loaded { history, file, length, head: head.unwrap_or_default() })
    }

    fn append(&self, loaded: &mut Loaded, entries: &[Entry]) -> Result<(), Unkept> {
        let failed = |error| Unkept::Io { path: self.path.clone(), error };
        let (open, named) =
            (loaded.file.metadata().map_err(failed)?, std::fs::metadata(&self.path).map_err(failed)?);
        if (open.dev(), open.ino(), open.len()) != (named.dev(), named.ino(), loaded.length) {
            let (path, why) = (self.path.clone(), "it was moved or written to".to_owned());
            return Err(Unkept::Broken { path, why });
        }
        let text = serde_json::to_string(entries).map_err(|e| Bug::from_display(&e))?;
        let head = chained(&loaded.head, &text);
        let line = format!("{head} {text}\n");
        loaded.file.seek(SeekFrom::End(0)).map_err(failed)?;
        loaded.file.write_all(line.as_bytes()).map_err(failed)?;
        loaded.length += line.len() as u64;
        loaded.head = head;
        Ok(())
    }
}

/// Shows each line with its hash. Gives the bytes of whole lines, and the last hash.
fn read(
    path: &Path,
    file: &File,
    show: &mut dyn FnMut(&str, Vec<Entry>) -> Result<(), String>,
) -> Result<(u64, Option<String>), Unkept> {
    let broken = |why: String| Unkept::Broken { path: path.to_owned(), why };
    let mut lines = BufReader::new(file);
    let (mut length, mut head, mut number, mut line) = (0, None::<String>, 0_u64, Vec::new());
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line).map_err(|error| Unkept::Io { path: path.to_owned(), error })?;
        let Some(whole) = line.strip_suffix(b"\n") else { return Ok((length, head)) };
        number += 1;
        let wrong = |what: &str| broken(format!("line {number} {what}"));
        let text = std::str::from_utf8(whole).map_err(|_| wrong("is no text"))?;
        let (hash, text) = text.split_once(' ').ok_or_else(|| wrong("has no hash"))?;
        if chained(head.as_deref().unwrap_or_default(), text) != hash {
            return Err(wrong("does not follow from the one before it"));
        }
        let entries = serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
        show(hash, entries).map_err(|why| wrong(&why))?;
        length += line.len() as u64;
        head = Some(hash.to_owned());
    }
}

fn chained(before: &str, text: &str) -> String {
    let mut digest = Context::new(&SHA256);
    digest.update(before.as_bytes());
    digest.update(text.as_bytes());
    hex::encode(digest.finish())
}
