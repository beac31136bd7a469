//! Appending to the log, durably, and recovery after a crash.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Days, Utc};
use liquid_node_api::Clock;
use liquid_policy::Footprint;
use liquid_policy::id::{AgreementId, RequestId, SiteName};

use super::previewed::Previewed;
use super::record::{Asked, Body, Carried, Head, Key, Outcome, Record, Said, TIME_CLASSES_MS, Touched, hash};
use super::seal::{Facts, SaltName, Sealed, Unopened};
use super::store::Store;
use super::verify::verify_each;
use crate::replay::MEMORY_MS;

/// Why a record could not be written, with what the node's operator can do about it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store takes no more, for now. The log is as it was before.
    #[error("the audit log cannot be written: {0}; free space on its volume")]
    Full(std::io::Error),
    /// The log is no longer where it is looked for, or no longer as this node left it. Nothing was written.
    #[error(
        "the audit log is not where it was: {0}; put the very file back, or restart the node over a whole copy"
    )]
    Gone(std::io::Error),
    /// It is not known what is on the disk. Nothing is written any more.
    #[error(
        "an earlier write to the audit log could not be made durable; check the disk, then restart the node"
    )]
    Undurable,
    /// What an agreement keeps no longer is still there.
    #[error(
        "what an agreement keeps no longer cannot be destroyed: {0}; make the folder `.salts` beside the log writable"
    )]
    Unforgotten(std::io::Error),
    /// A record has no JSON form.
    #[error("an audit record cannot be spelled: {0}")]
    Bug(String),
}

/// Why the past cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// What the file system says.
    #[error("the audit log cannot be read: {0}")]
    Io(std::io::Error),
    /// A record is not as the node wrote it.
    #[error("the audit log is not whole")]
    Broken,
    /// There is more than is looked at.
    #[error("the audit log holds more of that period than is looked at")]
    TooLong,
}

/// Ends the process, since it is no longer known what is on the disk. Tests put something there that can be seen.
pub type Fatal = Box<dyn Fn(&str) + Send + Sync>;

/// The log of one node. Clones write to the same file.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    writer: Mutex<Writer>,
    site: SiteName,
    key: Key,
    now: Clock,
    fatal: Fatal,
    past: Past,
}

/// What a log held when it was opened, as far as it still matters.
#[derive(Debug, Clone)]
pub struct Past {
    /// When it began.
    pub begun: DateTime<Utc>,
    /// The envelopes that were made since the time that was asked for.
    pub carried: Vec<Carried>,
    /// How far the history of what was released had come at the last release that says so.
    pub history: Option<String>,
}

struct Writer {
    store: Box<dyn Store>,
    number: u64,
    head: String,
    length: u64,
    /// Outcomes that could not be written when they happened. They go before anything else.
    owed: Vec<Body>,
    /// Set after a failed sync: nothing is written any more.
    dead: bool,
}

impl Log {
    /// Opens a log: cuts off a half-written last line, verifies the rest, closes what a crash left open. It remembers the
    /// envelopes that were made in the last [`MEMORY_MS`].
    ///
    /// # Errors
    /// A sentence for the operator: the first bad record, or what the file system says.
    pub fn open(
        mut store: Box<dyn Store>,
        site: SiteName,
        key: Key,
        now: Clock,
        fatal: Fatal,
    ) -> Result<Self, String> {
        let bytes = store.read_all().map_err(|e| format!("cannot read the audit log: {e}"))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let cut_off_bytes = (bytes.len() - whole) as u64;
        let good = bytes.get(..whole).unwrap_or_default();
        let head = noted(&mut *store)?;
        let (opening, mut carried, mut history) = (now(), Vec::new(), None);
        let since_ms = opening.timestamp_millis().saturating_sub(MEMORY_MS);
        let mut show = |record: &Record| match &record.body {
            Body::Asked(asked) => {
                carried.extend(asked.envelope.clone().filter(|it| it.issued_ms >= since_ms))
            }
            Body::Closed { outcome: Outcome::Released { history: Some(head), .. }, .. } => {
                history = Some(head.clone());
            }
            Body::Opened { .. }
            | Body::Said(_)
            | Body::Previewed(_)
            | Body::Forgotten { .. }
            | Body::Closed { .. } => {}
        };
        let summary = verify_each(good, Some(&key.public()), head, &mut show).map_err(|bad| {
            format!("the audit log is not whole: {bad}; keep the file as evidence and restore it from a copy")
        })?;
        if cut_off_bytes > 0 {
            store.truncate(whole as u64).map_err(|e| format!("cannot mend the audit log: {e}"))?;
        }
        let writer = Writer {
            store,
            number: summary.records,
            head: summary.head,
            length: whole as u64,
            owed: Vec::new(),
            dead: false,
        };
        let public = key.public();
        let past = Past { begun: summary.begun.unwrap_or(opening), carried, history };
        let writer = Mutex::new(writer);
        let log = Self(Arc::new(Shared { writer, site: site.clone(), key, now, fatal, past }));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut bodies = vec![Body::Opened { site, key: public, version, cut_off_bytes }];
        bodies.extend(crashed(summary.open));
        log.append(bodies).map_err(|e| e.to_string())?;
        Ok(log)
    }

    /// What it held when it was opened.
    pub fn past(&self) -> &Past {
        &self.0.past
    }

    /// The key whose public half verifies this log.
    pub fn key(&self) -> &Key {
        &self.0.key
    }

    /// Records a request, durably. Only what comes back may be worked on.
    ///
    /// # Errors
    /// The record could not be written: nothing may be executed.
    pub fn ask(&self, asked: Asked) -> Result<Open, LogError> {
        let request = asked.request.clone();
        let begun = Instant::now();
        self.append(vec![Body::Asked(Box::new(asked))])?;
        Ok(Open { log: self.clone(), request: Some(request), begun, cuts: Vec::new(), facts: None })
    }

    /// Records a request that ends at once without touching data, in one durable write.
    ///
    /// # Errors
    /// The records could not be written.
    pub fn ask_and_close(
        &self,
        asked: Asked,
        cuts: Vec<Footprint>,
        outcome: Outcome,
    ) -> Result<(), LogError> {
        let request = asked.request.clone();
        let cuts = cuts.into_iter().map(|cut| Touched::Footprint(Box::new(cut))).collect();
        let within_ms = TIME_CLASSES_MS.first().copied();
        let closed = Body::Closed { request, cuts, within_ms, sealed: None, outcome };
        self.append(vec![Body::Asked(Box::new(asked)), closed])
    }

    /// Records a preview, durably. Its report may leave only after this has come back.
    ///
    /// # Errors
    /// The record could not be written: nothing may be told.
    pub fn previewed(&self, previewed: Previewed) -> Result<(), LogError> {
        self.append(vec![Body::Previewed(Box::new(previewed))])
    }

    /// Opens what was sealed for a request of this site.
    ///
    /// # Errors
    /// Where it was sealed otherwise, or altered.
    pub fn facts(&self, request: &RequestId, sealed: &Sealed) -> Result<Facts, Unopened> {
        let salt = self.0.lock().store.known_salt(sealed.salt()).ok().flatten().ok_or(Unopened)?;
        self.0.key.open(&self.0.site, request, sealed, &salt)
    }

    /// Destroys what was sealed under an agreement more than so many days ago, for good: the records stay, and open no more.
    ///
    /// # Errors
    /// What keeps it from that, for the operator. Whatever is destroyed is recorded, now or before anything else is.
    pub fn forget(&self, agreement: &AgreementId, days: u32) -> Result<(), LogError> {
        let today = (self.0.now)().date_naive();
        let Some(first) = today.checked_sub_days(Days::new(days.into())) else { return Ok(()) };
        let kept = SaltName::new(agreement, first);
        let salts = self.0.lock().store.salts().map_err(LogError::Unforgotten)?;
        let old: Vec<_> = salts.iter().filter(|salt| salt.is_before(&kept)).collect();
        if old.is_empty() {
            return Ok(());
        }
        // On record first: what is destroyed without a record would look like a loss.
        self.append(vec![Body::Forgotten { agreement: agreement.clone(), before: first }])?;
        let mut writer = self.0.lock();
        // All that can be is destroyed, whatever becomes of one of them.
        let failed = old.into_iter().filter_map(|salt| writer.store.forget(salt).err()).last();
        failed.map_or(Ok(()), |error| Err(LogError::Unforgotten(error)))
    }

    /// Shows the records since a time, each held against its signature and the one before it. Of a log that is longer than
    /// `bytes_max` the end alone is read.
    ///
    /// # Errors
    /// Why it cannot be read, or what `show` says.
    pub fn since(
        &self,
        since: DateTime<Utc>,
        bytes_max: u64,
        show: &mut dyn FnMut(Record) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        let (reader, from, length) = {
            let writer = self.0.lock();
            let from = writer.length.saturating_sub(bytes_max);
            (writer.store.reader(from).map_err(Unread::Io)?, from, writer.length)
        };
        let mut lines = BufReader::new(reader.take(length - from));
        if from > 0 {
            lines.read_until(b'\n', &mut Vec::new()).map_err(Unread::Io)?; // the rest of a line that began before
        }
        let public = self.0.key.public_bytes();
        let (mut before, mut line) = (None::<String>, String::new());
        loop {
            line.clear();
            if lines.read_line(&mut line).map_err(Unread::Io)? == 0 {
                return Ok(());
            }
            let text = line.trim_end_matches('\n');
            let record: Record = serde_json::from_str(text).map_err(|_| Unread::Broken)?;
            match &before {
                Some(before) if *before != record.previous => return Err(Unread::Broken),
                // What lies further back could be of the period too.
                None if from > 0 && record.time >= since => return Err(Unread::TooLong),
                _ => before = Some(hash(text)),
            }
            if record.time < since {
                continue;
            }
            if !record.is_signed_by(&public, text) {
                return Err(Unread::Broken);
            }
            show(record)?;
        }
    }

    /// Records what was said of the agreements.
    ///
    /// # Errors
    /// The records could not be written. What was said counts all the same, and is recorded before anything else is.
    pub fn said(&self, said: Vec<Said>) -> Result<(), LogError> {
        if said.is_empty() {
            return Ok(());
        }
        let bodies: Vec<Body> = said.into_iter().map(|said| Body::Said(Box::new(said))).collect();
        self.append(bodies.clone()).inspect_err(|_| bodies.into_iter().for_each(|body| self.owe(body)))
    }

    fn append(&self, bodies: Vec<Body>) -> Result<(), LogError> {
        let shared = &self.0;
        shared.lock().append(bodies, &shared.key, &shared.now, &shared.fatal)
    }

    fn owe(&self, body: Body) {
        self.0.lock().owed.push(body);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("key", &self.0.key).finish_non_exhaustive()
    }
}

impl Shared {
    /// A panic elsewhere leaves the writer as it was after the last whole append, so its lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn append(&mut self, bodies: Vec<Body>, key: &Key, now: &Clock, fatal: &Fatal) -> Result<(), LogError> {
        if self.dead {
            return Err(LogError::Undurable);
        }
        self.store.still_there(self.length).map_err(LogError::Gone)?;
        let (mut number, mut head, mut text) = (self.number, self.head.clone(), String::new());
        for body in self.owed.iter().cloned().chain(bodies) {
            number += 1;
            let line = Record::seal(number, now(), &head, body, key).map_err(LogError::Bug)?;
            head = hash(&line);
            text.push_str(&line);
            text.push('\n');
        }
        if let Err(error) = self.store.append(text.as_bytes()) {
            // A part may be on the disk: it goes, so that the next record follows the last whole one.
            if let Err(error) = self.store.truncate(self.length) {
                self.dead = true;
                fatal(&format!("the audit log can neither be written nor cut back: {error}"));
                return Err(LogError::Undurable);
            }
            return Err(LogError::Full(error));
        }
        if let Err(error) = self.store.sync() {
            self.dead = true;
            fatal(&format!("the audit log cannot be synced: {error}"));
            return Err(LogError::Undurable);
        }
        self.owed.clear();
        (self.number, self.head) = (number, head);
        self.length += text.len() as u64;
        // The record stands already. A head that lags behind finds less, so the operator is told, but nothing fails.
        let noted =
            serde_json::to_vec(&Head::seal(self.number, &self.head, key)).map_err(std::io::Error::other);
        if let Err(error) = noted.and_then(|head| self.store.note_head(&head)) {
            tracing::error!(%error, "head of the audit log not noted");
        }
        Ok(())
    }
}

fn crashed(open: BTreeSet<RequestId>) -> impl Iterator<Item = Body> {
    open.into_iter().map(|request| Body::Closed {
        request,
        cuts: Vec::new(),
        within_ms: None,
        sealed: None,
        outcome: Outcome::Crashed,
    })
}

/// The head that was last noted. One that a crash of the machine has torn says nothing.
fn noted(store: &mut dyn Store) -> Result<Option<Head>, String> {
    let head = store.head().map_err(|e| format!("cannot read the head of the audit log: {e}"))?;
    Ok(head.and_then(|bytes| {
        let read = serde_json::from_slice(&bytes);
        read.inspect_err(|_| tracing::error!("head of the audit log unreadable")).ok()
    }))
}

/// A request that is being worked on. It ends in exactly one recorded outcome: dropped without one, it is `failed`.
#[derive(Debug)]
#[must_use = "a request that is dropped is recorded as failed"]
pub struct Open {
    log: Log,
    request: Option<RequestId>,
    begun: Instant,
    cuts: Vec<Footprint>,
    facts: Option<Facts>,
}

impl Open {
    /// Notes what the request touches, for the record of its outcome.
    pub fn touches(&mut self, cuts: &[Footprint]) {
        self.cuts = cuts.to_vec();
    }

    /// Notes what the question was, whole, once it is permitted: it is sealed into the record of an outcome that is no refusal.
    pub fn keeps(&mut self, facts: Facts) {
        self.facts = Some(facts);
    }

    /// Records the outcome, durably. A release may leave only after this has come back.
    ///
    /// # Errors
    /// The outcome could not be written. It is not lost: the request is then recorded as failed, before anything else
    /// is, and so nothing may be released.
    pub fn close(mut self, outcome: Outcome) -> Result<(), LogError> {
        let Some(request) = self.request.clone() else { return Ok(()) };
        let sealed = self.sealed(&request, &outcome)?; // else it is dropped, and so recorded as failed
        self.request = None;
        let closed = self.closed(request.clone(), sealed, outcome.clone());
        self.log.append(vec![closed]).inspect_err(|_| {
            let failed = Outcome::Failed { kind: "audit log".to_owned() };
            let owed = if matches!(outcome, Outcome::Released { .. }) { failed } else { outcome };
            self.log.owe(self.closed(request, None, owed));
        })
    }

    fn sealed(&self, request: &RequestId, outcome: &Outcome) -> Result<Option<Sealed>, LogError> {
        let shared = &self.log.0;
        match (&self.facts, outcome) {
            (None, _) | (_, Outcome::Refused { .. }) => Ok(None),
            (Some(facts), _) => {
                let name = SaltName::new(&facts.agreement, (shared.now)().date_naive());
                let salt = shared.lock().store.salt(&name).map_err(LogError::Full)?;
                let sealed = shared.key.seal(&shared.site, request, facts, (name, &salt));
                sealed.map(Some).map_err(LogError::Bug)
            }
        }
    }

    fn closed(&self, request: RequestId, sealed: Option<Sealed>, outcome: Outcome) -> Body {
        let elapsed = self.begun.elapsed().as_millis();
        let within_ms = TIME_CLASSES_MS.into_iter().find(|class| elapsed <= u128::from(*class));
        let cuts = self.cuts.iter().cloned().map(|cut| Touched::Footprint(Box::new(cut))).collect();
        Body::Closed { request, cuts, within_ms, sealed, outcome }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(request) = self.request.take() else { return };
        let closed = self.closed(request, None, Outcome::Failed { kind: "dropped".to_owned() });
        if self.log.append(vec![closed.clone()]).is_err() {
            self.log.owe(closed);
        }
    }
}
