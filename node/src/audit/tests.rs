//! The log under tampering, crashes and full disks.

use std::io;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use liquid_node_api::Clock;
use liquid_policy::Code;
use liquid_policy::id::{RequestId, SiteName};
use proptest::prelude::*;

use super::record::{AskedBy, Head};
use super::store::head_path;
use super::verify::verify_to;
use super::*;

mod kept;

/// A disk in memory that can be full, refuse to sync, or tear a write.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    room: Option<usize>,
    sync_fails: bool,
    syncs: usize,
    head: Option<Vec<u8>>,
    salts: std::collections::BTreeMap<SaltName, Salt32>,
}

impl Disk {
    fn holding(bytes: &[u8]) -> Self {
        let disk = Self::default();
        disk.0.lock().unwrap().bytes = bytes.to_vec();
        disk
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    fn noted(&self) -> Option<Head> {
        self.0.lock().unwrap().head.as_ref().map(|head| serde_json::from_slice(head).unwrap())
    }
}

impl Store for Disk {
    fn read_all(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.bytes())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let room = state.room.unwrap_or(usize::MAX).min(bytes.len());
        state.bytes.extend(&bytes[..room]);
        if room < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().bytes.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.syncs += 1;
        if state.sync_fails { Err(io::Error::other("no")) } else { Ok(()) }
    }

    fn reader(&self, from: u64) -> io::Result<Box<dyn io::Read + Send>> {
        let mut bytes = io::Cursor::new(self.bytes());
        bytes.set_position(from);
        Ok(Box::new(bytes))
    }

    fn salt(&mut self, name: &SaltName) -> io::Result<Salt32> {
        let salts = &mut self.0.lock().unwrap().salts;
        let next = [u8::try_from(salts.len()).unwrap(); 32];
        Ok(*salts.entry(name.clone()).or_insert(next))
    }

    fn known_salt(&self, name: &SaltName) -> io::Result<Option<Salt32>> {
        Ok(self.0.lock().unwrap().salts.get(name).copied())
    }

    fn salts(&self) -> io::Result<Vec<SaltName>> {
        Ok(self.0.lock().unwrap().salts.keys().cloned().collect())
    }

    fn forget(&mut self, name: &SaltName) -> io::Result<()> {
        self.0.lock().unwrap().salts.remove(name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().head.clone())
    }

    fn note_head(&mut self, head: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().head = Some(head.to_vec());
        Ok(())
    }
}

fn key() -> Key {
    // RFC 8410, 10.3: an Ed25519 private key in PKCS#8.
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([7; 32]);
    Key::from_pkcs8(&der).unwrap()
}

fn open(disk: &Disk) -> Result<Log, String> {
    let now: Clock = Arc::new(|| DateTime::<Utc>::UNIX_EPOCH);
    Log::open(
        Box::new(disk.clone()),
        SiteName::new("cleveland"),
        key(),
        now,
        Box::new(|why| panic!("fatal: {why}")),
    )
}

fn asked(n: usize) -> Asked {
    Asked {
        request: RequestId::new(format!("r{n}")),
        sender_request: RequestId::new("s"),
        caller: AskedBy {
            organisation: "heart".into(),
            roles: ["analyst".into()].into(),
            subject: "ann".into(),
        },
        carried_by: None,
        envelope: None,
        purpose: None,
        agreement: None,
        hash: None,
        called: None,
        sql: Some("SELECT count(*) FROM cardiac".to_owned()),
        question: "00".to_owned(),
    }
}

fn released() -> Outcome {
    Outcome::Released { rows: 1, withheld: 0, answer: "ab".to_owned(), clauses: vec![], history: None }
}

/// Seven records: two releases and a refusal.
fn written() -> Disk {
    let disk = Disk::default();
    let log = open(&disk).unwrap();
    log.ask(asked(1)).unwrap().close(released()).unwrap();
    let refused = Outcome::Refused { code: Code::ColumnUse, clause: "c".to_owned() };
    log.ask_and_close(asked(2), vec![], refused).unwrap();
    log.ask(asked(3)).unwrap().close(released()).unwrap();
    disk
}

fn check(disk: &Disk) -> Result<Summary, Bad> {
    verify_to(&disk.bytes(), Some(&key().public()), disk.noted())
}

#[test]
fn a_good_log_verifies_and_counts() {
    let summary = check(&written()).unwrap();
    assert_eq!((summary.records, summary.released, summary.refused, summary.other), (7, 2, 1, 0));
    assert!(summary.open.is_empty());
}

proptest! {
    #[test]
    fn a_changed_byte_is_found_and_named(at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let mut bytes = written().bytes();
        let at = at.index(bytes.len());
        let line = bytes[..at].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        bytes[at] ^= flip;
        let bad = verify_to(&bytes, Some(&key().public()), None).unwrap_err();
        prop_assert_eq!(bad.record, line);
    }

    #[test]
    fn a_missing_doubled_or_moved_line_is_found(a in 0usize..7, b in 0usize..7, how in 0..3) {
        let bytes = written().bytes();
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        let first = match how {
            0 if a < 6 => { lines.remove(a); a }
            1 => { let line = lines[a]; lines.insert(a, line); a + 1 }
            _ if a != b => { lines.swap(a, b); a.min(b) }
            _ => return Ok(()),
        };
        let bad = verify_to(&lines.concat(), Some(&key().public()), None).unwrap_err();
        prop_assert_eq!(bad.record, first as u64 + 1);
    }
}

#[test]
fn records_cut_off_the_end_are_missed_by_the_head() {
    let disk = written();
    let lines: Vec<Vec<u8>> = disk.bytes().split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    for kept in 0..lines.len() {
        let cut = lines[..kept].concat();
        assert!(verify_to(&cut, None, None).is_ok() || kept == 0, "the chain alone cannot tell");
        let bad = verify_to(&cut, None, disk.noted()).unwrap_err();
        assert_eq!(bad.record, kept as u64 + 1);
        let cut_disk = Disk::holding(&cut);
        cut_disk.0.lock().unwrap().head = disk.0.lock().unwrap().head.clone();
        let error = open(&cut_disk).unwrap_err();
        assert!(error.contains("cut short"), "a node does not go on from there: {error}");
    }
    // A head that lags, as after a crash between the two writes, is no reason to stop.
    let lagging = Disk::holding(&disk.bytes());
    let early = written_until_first_release();
    lagging.0.lock().unwrap().head = early.0.lock().unwrap().head.clone();
    check(&lagging).unwrap();
    open(&lagging).unwrap();
    assert_eq!(lagging.noted().unwrap().number, lines.len() as u64 + 1);
}

fn written_until_first_release() -> Disk {
    let disk = Disk::default();
    open(&disk).unwrap().ask(asked(1)).unwrap().close(released()).unwrap();
    disk
}

#[test]
fn a_head_of_another_log_or_key_does_not_pass() {
    let disk = written();
    let mut head = disk.noted().unwrap();
    head.hash = "00".to_owned();
    assert_eq!(verify_to(&disk.bytes(), None, Some(head)).unwrap_err().record, 7);
    let mut head = serde_json::to_value(disk.noted().unwrap()).unwrap();
    head["signature"] = "AAAA".into();
    let head = serde_json::from_value(head).unwrap();
    assert!(verify_to(&disk.bytes(), None, Some(head)).unwrap_err().problem.contains("signed"));
}

/// A node of an earlier version wrote this, when a footprint named its one `table`.
const EARLIER: &str = include_str!("earlier.jsonl");

#[test]
fn a_log_of_an_earlier_version_is_verified_and_goes_on() {
    let disk = Disk::holding(EARLIER.as_bytes());
    let summary = check(&disk).unwrap();
    assert_eq!((summary.records, summary.released), (3, 1));
    open(&disk).unwrap().ask(asked(2)).unwrap().close(released()).unwrap();
    assert_eq!(check(&disk).unwrap().released, 2);
    let changed = EARLIER.replace(r#""table":"cardiac""#, r#""table":"hearts""#);
    assert_ne!(changed, EARLIER);
    let bad = verify_to(changed.as_bytes(), None, None).unwrap_err();
    assert_eq!((bad.record, bad.problem.as_str()), (3, "its signature is not the site's"));
}

/// A log in a folder of its own.
fn in_a_file(path: &std::path::Path) -> Log {
    let now: Clock = Arc::new(|| DateTime::<Utc>::UNIX_EPOCH);
    let store = Box::new(FileStore::open(path).unwrap());
    Log::open(store, SiteName::new("cleveland"), key(), now, Box::new(|why| panic!("{why}"))).unwrap()
}

#[test]
fn a_file_is_verified_with_its_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    in_a_file(&path).ask(asked(1)).unwrap().close(released()).unwrap();
    let summary = verify_file(&path, Some(&key().public())).unwrap();
    assert_eq!((summary.records, summary.released), (3, 1));
    let whole = std::fs::read(&path).unwrap();
    let end = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    std::fs::write(&path, &whole[..end]).unwrap();
    assert_eq!(verify_file(&path, None).unwrap_err().record, 3);
    std::fs::write(&path, "").unwrap();
    assert_eq!(verify_file(&path, None).unwrap_err().record, 1);
    std::fs::write(&path, &whole).unwrap();
    std::fs::remove_file(head_path(&path)).unwrap();
    assert!(verify_file(&path, None).unwrap_err().to_string().contains("is missing"));
    std::fs::write(&path, "").unwrap();
    assert!(verify_file(&path, None).unwrap_err().to_string().contains("first record at its first start"));
    assert!(
        verify_file(&folder.path().join("none"), None).unwrap_err().to_string().contains("cannot be read")
    );
}

/// Half a last line is either what a crash left, which the node mends, or a cut that neither accepts.
#[test]
fn half_a_last_line_is_a_crash_or_a_cut_and_the_head_tells_which() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    in_a_file(&path).ask(asked(1)).unwrap().close(released()).unwrap();
    let whole = std::fs::read(&path).unwrap();

    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let bad = verify_file(&path, None).unwrap_err();
    assert!(bad.record == 3 && bad.problem.contains("cut short"), "{bad}");
    let store = Box::new(FileStore::open(&path).unwrap());
    let now: Clock = Arc::new(|| DateTime::<Utc>::UNIX_EPOCH);
    let refused = Log::open(store, SiteName::new("cleveland"), key(), now, Box::new(|why| panic!("{why}")));
    assert!(refused.unwrap_err().contains("cut short"), "what `verify` calls cut short is not opened");

    std::fs::write(&path, [whole.as_slice(), b"{\"number\":4,\"ti"].concat()).unwrap();
    let bad = verify_file(&path, None).unwrap_err();
    assert!(bad.record == 4 && bad.problem.contains("start the node, which removes it"), "{bad}");
    drop(in_a_file(&path));
    assert_eq!(verify_file(&path, None).unwrap().records, 4, "and so it does");
}

/// Each way in which a log can go from under a running node; putting the very file back mends it.
#[test]
fn a_log_that_is_gone_releases_nothing() {
    use std::fs::{OpenOptions, copy, remove_file, rename, write};
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("audit.jsonl"), folder.path().join("aside"));
    let log = in_a_file(&path);
    let ways: [&dyn Fn(); 4] = [
        &|| rename(&path, &aside).unwrap(),
        &|| {
            rename(&path, &aside).unwrap();
            write(&path, "").unwrap();
        },
        &|| {
            rename(&path, &aside).unwrap();
            let _bytes = copy(&aside, &path).unwrap();
        },
        &|| {
            rename(&path, &aside).unwrap();
            std::os::unix::fs::symlink("nowhere", &path).unwrap();
        },
    ];
    for (number, way) in ways.iter().enumerate() {
        let request = log.ask(asked(2 * number)).unwrap();
        way();
        let error = request.close(released()).unwrap_err().to_string();
        assert!(error.contains("not where it was") && error.contains("put the very file back"), "{error}");
        assert!(log.ask(asked(2 * number + 1)).is_err(), "nothing new begins");
        let _nothing_there = remove_file(&path);
        rename(&aside, &path).unwrap();
    }
    let request = log.ask(asked(100)).unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
    assert!(request.close(released()).unwrap_err().to_string().contains("cut it"));
    write(&path, [&std::fs::read(&path).unwrap()[..], b"\n"].concat()).unwrap();

    log.ask(asked(101)).unwrap().close(released()).unwrap();
    let summary = verify_file(&path, None).unwrap();
    assert_eq!((summary.released, summary.other), (1, 5), "what could not be recorded was not released");
    assert!(summary.open.is_empty());
}

#[test]
fn only_its_owner_can_read_a_log() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    drop(in_a_file(&path));
    for file in [head_path(&path), path] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn a_public_key_is_32_bytes_in_base64() {
    assert!(is_public_key(&key().public()));
    for none in ["", "audit.pub", "AAAA", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"] {
        assert!(!is_public_key(none), "{none}");
    }
}

#[test]
fn another_key_does_not_pass() {
    let other = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [9; 32]);
    assert_eq!(verify_to(&written().bytes(), Some(&other), None).unwrap_err().record, 1);
}

#[test]
fn cut_at_every_byte_the_log_recovers_and_every_request_has_one_outcome() {
    let whole = written().bytes();
    for length in 0..=whole.len() {
        let disk = Disk::holding(&whole[..length]);
        drop(open(&disk).unwrap_or_else(|e| panic!("cut at {length}: {e}")));
        let summary = check(&disk).unwrap_or_else(|e| panic!("cut at {length}: {e}"));
        assert!(summary.open.is_empty(), "cut at {length}");
        let kept = whole[..length].split_inclusive(|b| *b == b'\n').filter(|l| l.ends_with(b"\n"));
        let releases =
            kept.filter(|l| std::str::from_utf8(l).unwrap().contains("\"released\"")).count() as u64;
        assert_eq!(summary.released, releases, "cut at {length}");
    }
}

#[test]
fn a_changed_log_is_not_opened() {
    let mut bytes = written().bytes();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    let error = open(&Disk::holding(&bytes)).unwrap_err();
    assert!(error.contains("is bad") && error.contains("restore"), "{error}");
}

#[test]
fn a_full_disk_stops_nothing_but_the_request_and_mends_itself() {
    let whole = written().bytes().len();
    for room in 0..400 {
        let disk = Disk::default();
        let log = open(&disk).unwrap();
        let first = log.ask(asked(1)).unwrap();
        disk.0.lock().unwrap().room = Some(room);
        // The release cannot be recorded, so it must not leave; and nothing new may begin.
        if room < 150 {
            assert!(first.close(released()).unwrap_err().to_string().contains("free space"));
            assert!(log.ask(asked(2)).is_err());
        } else {
            drop(first);
        }
        disk.0.lock().unwrap().room = None;
        log.ask(asked(3)).unwrap().close(released()).unwrap();
        let summary = check(&disk).unwrap();
        assert!(summary.open.is_empty(), "room {room}");
        assert_eq!((summary.released, summary.other), (1, 1), "room {room}");
    }
    assert!(whole > 400, "the rooms above are smaller than a record");
}

#[test]
fn a_dropped_request_is_recorded_as_failed() {
    let disk = Disk::default();
    let log = open(&disk).unwrap();
    drop(log.ask(asked(1)).unwrap());
    assert_eq!(check(&disk).unwrap().other, 1);
}

#[test]
fn a_failed_sync_is_fatal_and_nothing_is_written_after_it() {
    let disk = Disk::default();
    let fatal = Arc::new(Mutex::new(0));
    let seen = fatal.clone();
    let now: Clock = Arc::new(|| DateTime::<Utc>::UNIX_EPOCH);
    let log = Log::open(
        Box::new(disk.clone()),
        SiteName::new("cleveland"),
        key(),
        now,
        Box::new(move |_| *seen.lock().unwrap() += 1),
    )
    .unwrap();
    let request = log.ask(asked(1)).unwrap();
    disk.0.lock().unwrap().sync_fails = true;
    let error = request.close(released()).unwrap_err().to_string();
    assert!(error.contains("durable") && error.contains("restart the node"), "{error}");
    assert_eq!(*fatal.lock().unwrap(), 1);
    let syncs = disk.0.lock().unwrap().syncs;
    disk.0.lock().unwrap().sync_fails = false;
    let error = log.ask(asked(2)).unwrap_err().to_string();
    assert!(error.contains("check the disk") && !error.contains("free space"), "{error}");
    assert_eq!(disk.0.lock().unwrap().syncs, syncs, "a failed sync is never tried again");
}

#[test]
fn a_file_is_locked_against_a_second_node() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let first = FileStore::open(&path).unwrap();
    assert!(FileStore::open(&path).unwrap_err().contains("another node"));
    drop(first);
    FileStore::open(&path).unwrap();
}

/// Wherever a crash cuts the log off: what was acknowledged is remembered, and what is remembered was written whole.
#[test]
fn the_envelopes_of_a_log_that_was_cut_off_anywhere_are_remembered() {
    let carried = |n: u8| Carried {
        issuer: "liquid://coordinator/demo".parse().unwrap(),
        nonce: format!("{n:032x}").try_into().unwrap(),
        issued_ms: i64::from(n),
        hash: "00".to_owned(),
    };
    let disk = Disk::default();
    let log = open(&disk).unwrap();
    let mut acknowledged = Vec::new();
    for n in 0..4u8 {
        let asked = Asked { envelope: Some(carried(n)), ..asked(usize::from(n)) };
        let open = log.ask(asked).unwrap();
        acknowledged.push((disk.bytes().len(), carried(n)));
        open.close(released()).unwrap();
    }
    let bytes = disk.bytes();
    for cut in 0..=bytes.len() {
        let again = open(&Disk::holding(&bytes[..cut])).unwrap();
        let must = acknowledged.iter().filter(|(at, _)| *at <= cut).map(|(_, it)| it.clone());
        assert_eq!(again.past().carried, must.collect::<Vec<_>>(), "cut at {cut}");
    }
    let later: Clock = Arc::new(|| DateTime::from_timestamp_millis(crate::replay::MEMORY_MS + 2).unwrap());
    let store = Box::new(Disk::holding(&bytes));
    let again = Log::open(store, SiteName::new("cleveland"), key(), later, Box::new(|_| ())).unwrap();
    assert_eq!(again.past().carried, [carried(2), carried(3)], "what cannot come any more is not kept");
}
