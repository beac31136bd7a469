//! What the log keeps whole, for whom and until when; and how the past is read.

use super::super::store::salts_path;
use super::*;

fn facts(sql: &str) -> Facts {
    Facts {
        sql: sql.to_owned(),
        parameters: vec![],
        cut_of: None,
        organisation: "heart".into(),
        roles: vec!["analyst".into()],
        purposes: vec!["care".into()],
        purpose: "care".into(),
        agreement: "A-1".into(),
        hash: "00".into(),
        minimum: 10,
        rows_out_max: 1,
        catalogue: "v1".to_owned(),
        marks: false,
        caps: None,
        deadline_ms: None,
    }
}

/// What a permitted question was is there for the site alone; of a refused one, and of one that nobody decided, nothing is.
#[test]
fn a_permitted_question_is_kept_whole_and_sealed() {
    let disk = Disk::default();
    let log = open(&disk).unwrap();
    let refused = Outcome::Refused { code: Code::Limit, clause: "c".to_owned() };
    let failed = Outcome::Failed { kind: "late".to_owned() };
    for (n, outcome, permitted) in
        [(1, released(), true), (2, refused, true), (3, failed.clone(), true), (4, failed, false)]
    {
        let mut request = log.ask(asked(n)).unwrap();
        if permitted {
            request.keeps(facts("SELECT 'Grace Hopper'"));
        }
        request.close(outcome).unwrap();
    }
    let mut dropped = log.ask(asked(5)).unwrap();
    dropped.keeps(facts("SELECT 'Grace Hopper'"));
    drop(dropped);
    let text = String::from_utf8(disk.bytes()).unwrap();
    assert!(!text.contains("Grace"));
    let closed = text.lines().filter_map(|line| match serde_json::from_str::<Record>(line).unwrap().body {
        Body::Closed { request, sealed, .. } => Some((request, sealed)),
        _ => None,
    });
    let closed: Vec<_> = closed.collect();
    let kept: Vec<bool> = closed.iter().map(|(_, sealed)| sealed.is_some()).collect();
    assert_eq!(kept, [true, false, true, false, false]);
    let (first, sealed) = (&closed[0].0, closed[0].1.as_ref().unwrap());
    assert_eq!(log.facts(first, sealed), Ok(facts("SELECT 'Grace Hopper'")));
    assert!(log.facts(&closed[1].0, sealed).is_err(), "it opens for its own request alone");
    // It is in the chain: nobody takes it away or puts another in its place.
    check(&disk).unwrap();
    let spelled = serde_json::to_string(sealed).unwrap();
    let third = serde_json::to_string(closed[2].1.as_ref().unwrap()).unwrap();
    for changed in [text.replace(&format!("\"sealed\":{spelled},"), ""), text.replace(&spelled, &third)] {
        assert_ne!(changed, text);
        assert_eq!(verify_to(changed.as_bytes(), Some(&key().public()), disk.noted()).unwrap_err().record, 3);
    }
}

/// What an agreement keeps no longer opens no more, to the day; the chain is whole, and other agreements keep theirs.
#[test]
fn what_is_older_than_an_agreement_keeps_is_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let clock = Arc::new(Mutex::new(DateTime::<Utc>::UNIX_EPOCH));
    let now: Clock = {
        let clock = clock.clone();
        Arc::new(move || *clock.lock().unwrap())
    };
    let open = || {
        let store = Box::new(FileStore::open(&path).unwrap());
        Log::open(store, SiteName::new("cleveland"), key(), now.clone(), Box::new(|_| ())).unwrap()
    };
    let log = open();
    let mut sealed = Vec::new();
    for day in 0..4 {
        *clock.lock().unwrap() = DateTime::<Utc>::UNIX_EPOCH + chrono::TimeDelta::hours(24 * day + 23);
        for (n, agreement) in [(0, "A-1"), (1, "A-2")] {
            let mut request = log.ask(asked(usize::try_from(10 * day).unwrap() + n)).unwrap();
            request.keeps(Facts { agreement: agreement.into(), ..facts("SELECT 1") });
            request.close(released()).unwrap();
        }
    }
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        if let Body::Closed { request, sealed: Some(it), .. } =
            serde_json::from_str::<Record>(line).unwrap().body
        {
            sealed.push((request, it));
        }
    }
    let opens =
        |log: &Log| sealed.iter().map(|(request, it)| log.facts(request, it).is_ok()).collect::<Vec<_>>();
    assert_eq!(opens(&log), [true; 8]);
    log.forget(&"A-1".into(), 3).unwrap();
    assert_eq!(opens(&log), [true; 8], "it is the fourth day: nothing is older than three");
    log.forget(&"A-1".into(), 1).unwrap();
    let (gone, kept) = ([false, true], [true, true]);
    assert_eq!(opens(&log), [gone, gone, kept, kept].concat());
    drop(log);
    let log = open();
    assert_eq!(opens(&log), [gone, gone, kept, kept].concat(), "for good");
    log.forget(&"A-1".into(), 1).unwrap();
    drop(log);
    verify_file(&path, Some(&key().public())).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.matches("\"what\":\"forgotten\",\"agreement\":\"A-1\",\"before\":\"1970-01-03\"").count(),
        1
    );
    let left = std::fs::read_dir(salts_path(&path)).unwrap().count();
    assert_eq!(left, 6);
}

#[test]
fn the_past_is_read_as_it_was_written_or_not_at_all() {
    let disk = written();
    let log = open(&disk).unwrap();
    let read = |log: &Log, most| {
        let mut seen = Vec::new();
        log.since(DateTime::<Utc>::UNIX_EPOCH, most, &mut |record| {
            seen.push(record.number);
            Ok(())
        })
        .map(|()| seen)
    };
    assert_eq!(read(&log, u64::MAX).unwrap(), (1..=8).collect::<Vec<_>>());
    assert!(matches!(read(&log, 1_000), Err(Unread::TooLong)));
    let after = DateTime::from_timestamp_millis(1).unwrap();
    log.since(after, 1_000, &mut |_| panic!("all is older")).unwrap();
    let whole = disk.bytes();
    for at in (0..whole.len()).step_by(97) {
        disk.0.lock().unwrap().bytes[at] ^= 1;
        let read = read(&log, u64::MAX);
        assert!(matches!(read, Err(Unread::Broken | Unread::Io(_))), "byte {at}: {read:?}");
        disk.0.lock().unwrap().bytes[at] ^= 1;
    }
}
