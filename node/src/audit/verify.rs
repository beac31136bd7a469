//! An independent reading of a log: it finds the first bad record, and says what is wrong with it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use liquid_policy::id::RequestId;

use super::record::{BEGINNING, Body, Head, Outcome, Record, hash};
use super::store::{head_path, read_if_there};

/// What a good log holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records.
    pub records: u64,
    /// Requests that ended in a release.
    pub released: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that failed, were rejected, or were cut off by a crash.
    pub other: u64,
    /// Requests that have no outcome yet: the node is running, or it crashed and has not been started again.
    pub open: BTreeSet<RequestId>,
    /// The hash of the last line: note it elsewhere, and a log that was cut short later cannot pass for whole.
    pub head: String,
    /// The key that signed, base64.
    pub key: Option<String>,
    /// When the first record was written.
    pub begun: Option<DateTime<Utc>>,
}

/// The first bad record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Its number, which is its line in the file, from 1; 0 where it is the file and no record.
    pub record: u64,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.record {
            0 => f.write_str(&self.problem),
            record => write!(f, "record {record} is bad: {}", self.problem),
        }
    }
}

impl std::error::Error for Bad {}

/// Reads a log's file and the head that the node noted beside it, so that records cut off the end are missed as well.
/// `key` is the site's public key, base64, as its operator published it; without one, the key that the log itself names
/// is used, and then only the chain is proved, not who made it. The node may write meanwhile.
///
/// # Errors
/// The first bad record; what the file system says; a head that is not there; no record at all.
pub fn verify_file(path: &Path, key: Option<&str>) -> Result<Summary, Bad> {
    let (log, beside) = (path.display(), head_path(path));
    let bad = |problem: String| Bad { record: 0, problem };
    // The head first: a record that is written between the two reads is then in the log and not yet in the head.
    let head =
        read_if_there(&beside).map_err(|e| bad(format!("`{}` cannot be read: {e}", beside.display())))?;
    let bytes = std::fs::read(path).map_err(|e| bad(format!("`{log}` cannot be read: {e}")))?;
    let head = match head {
        Some(head) => {
            serde_json::from_slice(&head).map_err(|_| bad(format!("`{}` is no head", beside.display())))?
        }
        None if bytes.is_empty() => {
            return Err(bad(format!("`{log}` is empty: a node writes its first record at its first start")));
        }
        None => {
            verify_to(&bytes, key, None)?; // a bad record says more
            let what = "is missing, so nobody can tell whether the log was cut short; put it beside the log";
            return Err(bad(format!("`{}` {what}", beside.display())));
        }
    };
    verify_to(&bytes, key, Some(head))
}

/// As [`verify_file`], with what was read. Without a head, only the chain is proved: records may be missing at its end.
///
/// # Errors
/// The first bad record.
pub(super) fn verify_to(bytes: &[u8], key: Option<&str>, head: Option<Head>) -> Result<Summary, Bad> {
    verify_each(bytes, key, head, &mut |_| ())
}

/// The same, showing every good record.
///
/// # Errors
/// The first bad record.
pub(super) fn verify_each(
    bytes: &[u8],
    key: Option<&str>,
    head: Option<Head>,
    show: &mut dyn FnMut(&Record),
) -> Result<Summary, Bad> {
    let mut reader = Reader {
        summary: Summary::default(),
        seen: BTreeSet::new(),
        public: None,
        pinned: key,
        known: head,
        show,
    };
    reader.summary.head = BEGINNING.to_owned();
    let mut rest = bytes;
    while !rest.is_empty() {
        let number = reader.summary.records + 1;
        let bad = |problem: &str| Bad { record: number, problem: problem.to_owned() };
        let once_whole = reader.known.as_ref().is_some_and(|head| head.number >= number);
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| {
            bad(match once_whole {
                true => "the line does not end, and the head beside the log knows it whole: the log was cut short",
                false => {
                    "the line does not end: the node is writing it, or a crash cut it off before anything was released \
                     under it; verify once more, or start the node, which removes it"
                }
            })
        })?;
        let (line, more) = rest.split_at(end);
        rest = more.get(1..).unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| bad("the line is no text"))?;
        reader.read(line, number).map_err(|problem| Bad { record: number, problem })?;
    }
    let summary = reader.summary;
    match reader.known {
        Some(head) if head.number > summary.records => Err(Bad {
            record: summary.records + 1,
            problem: format!(
                "it is missing, and so is every one up to {}: the log was cut short",
                head.number
            ),
        }),
        _ => Ok(summary),
    }
}

struct Reader<'a> {
    summary: Summary,
    seen: BTreeSet<RequestId>,
    public: Option<Vec<u8>>,
    pinned: Option<&'a str>,
    known: Option<Head>,
    show: &'a mut dyn FnMut(&Record),
}

/// Whether this can be a site's public key: 32 bytes in base64.
pub fn is_public_key(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

impl Reader<'_> {
    fn read(&mut self, line: &str, number: u64) -> Result<(), String> {
        let record: Record =
            serde_json::from_str(line).map_err(|_| "the line is no audit record".to_owned())?;
        if record.number != number {
            return Err(format!("it calls itself record {}", record.number));
        }
        if record.previous != self.summary.head {
            return Err("it does not follow the line before it".to_owned());
        }
        if let Body::Opened { key, .. } = &record.body {
            self.take_key(key)?;
        }
        let public = self.public.clone().ok_or("the log does not begin by naming a key")?;
        let public = public.as_slice();
        if !record.is_signed_by(public, line) {
            return Err("its signature is not the site's".to_owned());
        }
        (self.show)(&record);
        self.summary.begun.get_or_insert(record.time);
        self.count(record.body)?;
        self.summary.records = number;
        self.summary.head = hash(line);
        match &self.known {
            Some(head) if head.number == number && head.hash != self.summary.head => {
                Err("it is not the record that the head beside the log names".to_owned())
            }
            Some(head) if head.number == number && !head.is_signed_by(public) => {
                Err("the head beside the log is not signed by the site".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn take_key(&mut self, key: &str) -> Result<(), String> {
        if let Some(pinned) = self.pinned.filter(|pinned| *pinned != key) {
            return Err(format!("it is signed with another key than `{pinned}`"));
        }
        if self.summary.key.as_deref().is_some_and(|known| known != key) {
            return Err("the key changes within the log".to_owned());
        }
        self.public = Some(STANDARD.decode(key).map_err(|_| "its key is no base64".to_owned())?);
        self.summary.key = Some(key.to_owned());
        Ok(())
    }

    fn count(&mut self, body: Body) -> Result<(), String> {
        match body {
            Body::Opened { .. } | Body::Said(_) | Body::Previewed(_) | Body::Forgotten { .. } => {}
            Body::Asked(asked) => {
                if !self.seen.insert(asked.request.clone()) {
                    return Err(format!("request `{}` is asked twice", asked.request));
                }
                self.summary.open.insert(asked.request);
            }
            Body::Closed { request, outcome, cuts: _, within_ms: _, sealed: _ } => {
                if !self.summary.open.remove(&request) {
                    return Err(format!("request `{request}` has two outcomes, or was never asked"));
                }
                match outcome {
                    Outcome::Released { .. } => self.summary.released += 1,
                    Outcome::Refused { .. } => self.summary.refused += 1,
                    Outcome::Rejected { .. } | Outcome::Failed { .. } | Outcome::Crashed => {
                        self.summary.other += 1;
                    }
                }
            }
        }
        Ok(())
    }
}
