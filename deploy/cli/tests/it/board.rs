//! A board at work, with the commands that it types: propose, sign, activate, suspend, resume, go back, change keys; two sites, two
//! roles at each, and an author who approves nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::fixture::{Demo, Ended, liquid};

pub(crate) const AGREEMENT: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "WARDS-1"
title = "Visits by ward"
version = "1.0.0"
purposes = ["planning"]
in_force = 2026-01-01
expires = 2099-12-31
[[party]]
organisation = "north"
role = "controller"
approvers = ["caldicott-guardian", "siro"]
[[party]]
organisation = "south"
role = "controller"
approvers = ["caldicott-guardian", "siro"]
[signoff]
roles_per_party = 2
author_may_sign = false
[[recipient]]
organisation = "council"
roles = ["analyst"]
purposes = ["planning"]
[table.visits]
entity = "patient"
entities = "disjoint"
[table.visits.columns]
patient = { use = [] }
ward = { use = ["group", "filter"], domain = { values = ["A", "B"] }, required = true }
[disclosure]
minimum_contributors = 10
"#;

/// Eight patients in ward A and forty in ward B, at each site.
fn data(site: &str) -> String {
    let mut text = "patient,ward\n".to_owned();
    for number in 0..48 {
        let _ = writeln!(text, "{site}{number},{}", if number < 8 { "A" } else { "B" });
    }
    text
}

/// Two sites and their people.
pub(crate) struct Board {
    pub(crate) demo: Demo,
    folder: tempfile::TempDir,
}

impl Board {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for site in ["north", "south"] {
            let own = folder.path().join("sites").join(site);
            std::fs::create_dir_all(own.join("data")).unwrap();
            std::fs::write(own.join("agreement.toml"), AGREEMENT).unwrap();
            std::fs::write(own.join("data/visits.csv"), data(site)).unwrap();
        }
        let demo = Demo::serve_more(&["--from", folder.path().join("sites").to_str().unwrap()]);
        Self { demo, folder }
    }

    pub(crate) fn key(&self, who: &str) -> String {
        self.demo.folder().join(format!("keys/{who}.key")).display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command with somebody's key.
    pub(crate) fn by(&self, who: &str, arguments: &[&str]) -> Ended {
        self.demo.run(&[arguments, &["--key", &self.key(who)]].concat())
    }

    #[track_caller]
    pub(crate) fn done(&self, who: &str, arguments: &[&str]) -> Ended {
        let ended = self.by(who, arguments);
        assert_eq!(ended.code, 0, "{arguments:?} by {who}: {}{}", ended.out, ended.err);
        ended
    }

    pub(crate) fn status(&self) -> String {
        self.demo.run(&["policy", "status", "WARDS-1"]).out
    }

    /// The exit code of a question, and how many of ward A it tells.
    pub(crate) fn asked(&self) -> (i32, String) {
        let ended = self.demo.query(&[
            "--format",
            "csv",
            "SELECT ward, count(*) AS n FROM visits GROUP BY ward ORDER BY ward",
        ]);
        (ended.code, ended.out.lines().nth(1).unwrap_or(ended.err.as_str()).to_owned())
    }

    /// What `liquid policy status` shows of the version in force, to build the next one upon.
    pub(crate) fn hash(&self) -> String {
        let status = self.status();
        let line = status.lines().find(|line| line.ends_with("  in force")).unwrap();
        line.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap().to_owned()
    }

    /// The next version: what sites hold, with the edits of its author.
    pub(crate) fn draft(&self, version: &str, minimum: u32) -> PathBuf {
        let saved = self.path("saved");
        assert_eq!(self.demo.run(&["policy", "status", "--save", saved.to_str().unwrap()]).code, 0);
        let first = std::fs::read_dir(&saved).unwrap().flatten().map(|it| it.path());
        let is_text = |name: &str| name.contains("WARDS-1-1.0.0") && !name.ends_with(".sig.toml");
        let first = first.filter(|it| is_text(&it.display().to_string())).min().unwrap();
        let text = std::fs::read_to_string(first).unwrap();
        assert_eq!(text, AGREEMENT, "what the author wrote, byte by byte");
        let text = text
            .replace(
                "version = \"1.0.0\"",
                &format!("version = \"{version}\"\nsupersedes = \"{}\"", self.hash()),
            )
            .replace("minimum_contributors = 10", &format!("minimum_contributors = {minimum}"))
            .replace("roles = [\"analyst\"]", "roles = [\"analyst\", \"planner\"]");
        let file = self.path(&format!("{version}.toml"));
        std::fs::write(&file, text).unwrap();
        file
    }

    pub(crate) fn sign(&self, file: &Path) {
        for who in ["north.caldicott-guardian", "north.siro", "south.caldicott-guardian", "south.siro"] {
            self.done(who, &["policy", "sign", "--send", file.to_str().unwrap()]);
        }
    }
}

#[test]
fn a_board_changes_an_agreement_stops_it_and_goes_back() {
    let board = Board::new();
    let hidden = (0, "A,".to_owned());
    assert_eq!(board.asked(), hidden, "eight are fewer than ten");
    let status = board.status();
    assert!(status.contains("at north, south") && status.contains("signed by all who must"), "{status}");

    // A new version, written by somebody who approves nothing.
    let file = board.draft("2.0.0", 5);
    let file = file.to_str().unwrap();
    let alone = board.by("south.siro", &["policy", "sign", "--send", file]);
    assert!(alone.code == 1 && alone.err.contains("propose it first"), "{alone:?}");
    let proposed = board.done("north.author", &["policy", "propose", file]);
    assert!(
        proposed.err.contains("is held at north, south") && proposed.err.contains("still missing"),
        "{proposed:?}"
    );
    board.done("north.caldicott-guardian", &["policy", "sign", "--send", file]);
    let early = board.done("north.siro", &["policy", "activate", "WARDS-1", "--version", "2.0.0"]);
    assert!(early.err.contains("takes over once it is signed, not before"), "{early:?}");
    let next = board.done("north.siro", &["policy", "sign", "--send", file]);
    let said = "still missing: south (caldicott-guardian, siro); it is activated already, and takes over with the last";
    assert!(next.err.contains(said), "{next:?}");
    let status = board.status();
    assert!(status.contains("still missing: south (caldicott-guardian, siro)"), "{status}");
    assert_eq!(board.asked(), hidden);
    board.done("south.caldicott-guardian", &["policy", "sign", "--send", file]);
    let last = board.done("south.siro", &["policy", "sign", "--send", file]);
    assert!(
        last.err.contains("this was the last signature: WARDS-1 2.0.0 (")
            && last.err.contains(") is in force now at north, south"),
        "{last:?}"
    );
    let shown = (0, "A,16".to_owned());
    assert_eq!(board.asked(), shown, "{}", board.status());
    let status = board.status();
    assert!(status.contains("version 2.0.0") && !status.contains("do not agree"), "{status}");

    // Anybody's complaint: one controller stops it everywhere, within seconds.
    let begun = Instant::now();
    board.done("south.siro", &["policy", "suspend", "WARDS-1"]);
    let (code, said) = board.asked();
    assert!(code == 3 && said.contains("SUSPENDED"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let resumed = board.done("north.siro", &["policy", "resume", "WARDS-1"]);
    assert_eq!(resumed.err.matches("agrees to lift what south (siro) said on ").count(), 1, "{resumed:?}");
    let missing = "missing: north (caldicott-guardian); south (caldicott-guardian, siro)";
    assert!(resumed.err.contains(&format!("it stays suspended; still {missing}")), "{resumed:?}");
    let status = board.status();
    assert!(status.contains("  suspended\n") && !status.contains("  in force"), "{status}");
    assert!(
        status.contains("agreed to resume by north, siro, ")
            && status.contains(&format!("to resume it, still {missing}")),
        "{status}"
    );
    for who in ["north.caldicott-guardian", "south.caldicott-guardian"] {
        board.done(who, &["policy", "resume", "WARDS-1"]);
        assert_eq!(board.asked().0, 3);
    }
    let resumed = board.done("south.siro", &["policy", "resume", "WARDS-1"]);
    assert!(resumed.err.contains("is resumed at north, south"), "{resumed:?}");
    assert_eq!(board.asked(), shown);

    // Back to the first version: its text as a new one, which all sign. Whoever must sign it does not propose it.
    let out = board.path("back.toml");
    let back = ["policy", "rollback", "WARDS-1", "--version", "1.0.0", "--out", out.to_str().unwrap()];
    let barred = board.by("north.siro", &back);
    assert!(barred.code == 1 && barred.err.contains("counts as its author") && !out.exists(), "{barred:?}");
    assert!(!board.status().contains("2.1.0"), "nothing was sent");
    let left = board.hash();
    let proposed = board.done("north.author", &back).words();
    for said in [
        "WARDS-1 2.1.0 (",
        ") has the text of version 1.0.0 (",
        &format!("it replaces version 2.0.0 ({}), which stands at north, south", &left[7..19]),
        ") only tightens version 2.0.0 (",
        ") is held at north, south",
        "still missing: north (caldicott-guardian, siro); south (caldicott-guardian, siro)",
        "`liquid policy activate WARDS-1 --version 2.1.0` lets it take over",
    ] {
        assert!(proposed.contains(said), "{said}: {proposed}");
    }
    let text = std::fs::read_to_string(&out).unwrap();
    let names =
        format!("version = \"2.1.0\"\nsupersedes = \"{left}\"  # E: the version that this one replaces");
    assert_eq!(text, AGREEMENT.replace("version = \"1.0.0\"", &names));
    assert!(out.with_extension("sig.toml").exists());
    let again = board.done("north.author", &back).words();
    assert!(again.contains("it has been proposed before, as version 2.1.0"), "{again}");
    assert_eq!(board.status().matches("  version 2.1.0  ").count(), 1, "{}", board.status());
    board.sign(&out);
    assert_eq!(board.asked(), shown, "signed, and not yet active");
    let unused = board.by("north.author", &back).words();
    assert!(
        unused.contains("has not taken over at all sites") && unused.contains("policy activate"),
        "{unused}"
    );
    board.done("south.siro", &["policy", "activate", "WARDS-1", "--version", "2.1.0"]);
    assert_eq!(board.asked(), hidden, "{}", board.status());
    let status = board.status();
    assert_eq!(status.matches("  replaced\n").count(), 2, "{status}");
    let over = board.by("north.author", &back).words();
    assert!(over.contains("`2.1.0`") && over.contains("says the same as `1.0.0`, stands already"), "{over}");

    // What was left comes back by nothing that anybody signs.
    board.sign(Path::new(file));
    let late = board.by("north.siro", &["policy", "activate", "WARDS-1", "--version", "2.0.0"]).words();
    assert!(late.contains("is replaced already, so it cannot take over"), "{late}");
    assert!(late.contains("`liquid policy rollback WARDS-1 --version 2.0.0`"), "{late}");
    assert_eq!(board.asked(), hidden, "{}", board.status());

    // Forward again: a version after the one that stands. What is sent twice is the same signature.
    let forward = board.path("forward.toml");
    let begun = ["policy", "new", "--from", out.to_str().unwrap(), forward.to_str().unwrap()];
    assert_eq!(board.demo.run(&begun).code, 0);
    let text = std::fs::read_to_string(&forward).unwrap();
    assert!(text.contains(&format!("version = \"2.2.0\"\nsupersedes = \"{}\"", board.hash())), "{text}");
    std::fs::write(&forward, text.replace("minimum_contributors = 10", "minimum_contributors = 5")).unwrap();
    let file = forward.to_str().unwrap();
    let proposed = board.done("north.author", &["policy", "propose", file]);
    assert!(!proposed.err.contains("warning"), "{proposed:?}");
    board.done("north.siro", &["policy", "sign", "--send", file]);
    let held = || {
        std::fs::read_dir(board.demo.folder().join("sites/south/agreements/held/statements")).unwrap().count()
    };
    let before = held();
    board.done("north.siro", &["policy", "sign", "--send", file]);
    assert_eq!(held(), before);
    board.sign(&forward);
    assert_eq!(board.asked(), hidden, "{}", board.status());
    board.done("north.siro", &["policy", "activate", "WARDS-1", "--version", "2.2.0"]);
    assert_eq!(board.asked(), shown, "{}", board.status());

    // What was said is in each site's audit log.
    let log = std::fs::read_to_string(board.demo.folder().join("sites/south/audit.jsonl")).unwrap();
    for act in ["write", "approve", "activate", "suspend", "resume"] {
        assert!(log.contains(&format!("\"act\":{{\"{act}\"")), "{act}");
    }
}

/// What a version names beside it comes back with it, from the sites: nobody needs to have kept it.
#[test]
fn what_lies_beside_a_version_comes_back_with_it() {
    let board = Board::new();
    let wards = "ward\nA\nB\n";
    let sha256 = liquid_node::agreements::hash(wards.as_bytes());
    let listed = board.draft("2.0.0", 5);
    let text = std::fs::read_to_string(&listed).unwrap();
    let named = format!("domain = {{ file = \"wards.csv\", sha256 = \"{sha256}\" }}");
    std::fs::write(&listed, text.replace("domain = { values = [\"A\", \"B\"] }", &named)).unwrap();
    std::fs::write(board.path("wards.csv"), wards).unwrap();
    let next = |file: &Path, version: &str, proposed: bool| {
        if !proposed {
            board.done("north.author", &["policy", "propose", file.to_str().unwrap()]);
        }
        board.sign(file);
        board.done("north.siro", &["policy", "activate", "WARDS-1", "--version", version]);
    };
    next(&listed, "2.0.0", false);
    std::fs::remove_file(board.path("wards.csv")).unwrap();
    next(&board.draft("3.0.0", 20), "3.0.0", false);
    assert_eq!(board.asked(), (0, "A,".to_owned()), "{}", board.status());

    let back = board.path("home/back.toml");
    std::fs::create_dir(board.path("home")).unwrap();
    let rollback = ["policy", "rollback", "WARDS-1", "--version", "2.0.0"];
    board.done("north.author", &[&rollback[..], &["--out", back.to_str().unwrap()]].concat());
    assert_eq!(std::fs::read_to_string(board.path("home/wards.csv")).unwrap(), wards);
    let again = board.done("north.author", &rollback).words();
    assert!(again.contains("`liquid policy status WARDS-1 --save DIR`"), "without a file too: {again}");
    next(&back, "3.1.0", true);
    assert_eq!(board.asked(), (0, "A,16".to_owned()), "{}", board.status());
}

/// Whoever names another file than an agreement is told what it is.
#[test]
fn what_is_no_agreement_is_called_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let proposed = |file: &Path| -> Ended {
        liquid().args(["policy", "propose", file.to_str().unwrap(), "--key", "none"]).output().unwrap().into()
    };
    let named = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        proposed(&file)
    };
    for (bytes, what) in [
        (&b"\xff\xfe\x00\x01"[..], "saved as `Unicode` (UTF-16)"),
        (b"", "is no agreement but empty"),
        (b"-----BEGIN PRIVATE KEY-----\n", "a key or a certificate"),
        (b"{}", "JSON"),
        (b"[[signature]]\nrole = \"a\"", "signatures; the agreement lies beside them"),
        (b"[node]\nsite = \"a\"", "a configuration"),
        (b"a = 1", "it has no `[agreement]`"),
    ] {
        let ended = named(bytes);
        assert!(
            ended.code == 1 && ended.err.contains(what) && ended.err.contains("fix:"),
            "{what}: {ended:?}"
        );
    }
    let ended = proposed(folder.path());
    assert!(ended.code == 1 && ended.err.contains("is a folder"), "{ended:?}");
}

/// What is saved never takes the place of anything.
#[test]
fn nothing_that_is_there_is_written_over() {
    let board = Board::new();
    let saved = board.path("saved");
    let save = || board.demo.run(&["policy", "status", "--save", saved.to_str().unwrap()]);
    assert_eq!(save().code, 0);
    let mut files = std::fs::read_dir(&saved).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|it| !it.display().to_string().ends_with(".sig.toml")).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), AGREEMENT);
    let edited: Vec<u8> = AGREEMENT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&file, &edited).unwrap();
    let again = save();
    assert!(again.code == 1 && again.err.contains("says something else"), "{again:?}");
    assert_eq!(std::fs::read(&file).unwrap(), edited, "in whatever way it is written");
    std::fs::remove_file(&file).unwrap();
    let elsewhere = board.path("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let linked = save();
    assert!(linked.code == 1 && linked.err.contains("cannot be written"), "{linked:?}");
    assert!(!elsewhere.exists());
}

#[test]
fn keys_are_replaced_and_given_up() {
    let board = Board::new();
    assert_eq!(board.asked().0, 0);
    let new = board.path("siro-2.key");
    let rotate = ["key", "rotate", "--new", new.to_str().unwrap()];
    board.done("north.siro", &rotate);
    assert!(board.path("siro-2.pub.toml").exists());
    assert_eq!(board.asked().0, 0, "what the old key signed stays");
    let suspend = ["policy", "suspend", "WARDS-1", "--key", new.to_str().unwrap()];
    let by_new = board.demo.run(&suspend);
    assert_eq!(by_new.code, 0, "{by_new:?}");
    assert_eq!(board.asked().0, 3);

    let board = Board::new();
    let stolen = board.key("south.siro");
    let card = std::fs::read_to_string(stolen.replace(".key", ".pub.toml")).unwrap();
    let id =
        card.lines().find_map(|line| line.strip_prefix("key_id = ")).unwrap().trim_matches('"').to_owned();
    let strange = board.by("north.siro", &["key", "revoke", &id]);
    assert!(strange.code == 0 && board.asked().0 == 0, "north gives up a key of its own alone: {strange:?}");
    let revoked = board.done("south.caldicott-guardian", &["key", "revoke", &id]);
    assert!(revoked.err.contains("`retired = true`"), "{revoked:?}");
    let (code, said) = board.asked();
    assert!(code == 3 && said.contains("UNSIGNED"), "{said}");
    let late = board.by("south.siro", &["policy", "suspend", "WARDS-1"]);
    assert!(late.code == 1 && late.err.contains("was revoked"), "{late:?}");
}

#[test]
fn signatures_are_verified_and_files_of_sites_count_at_once() {
    let board = Board::new();
    let site = board.demo.folder().join("sites/north");
    let placed = site.join("agreements/WARDS-1.toml");
    let (file, trust) = (placed.to_str().unwrap(), site.join("node.toml"));
    let verify = || board.demo.run(&["policy", "verify", file, "--trust", trust.to_str().unwrap()]);
    let good = verify();
    assert!(good.code == 0 && good.out.matches(": good").count() == 5, "{good:?}");
    std::fs::write(&placed, AGREEMENT.replace("minimum_contributors = 10", "minimum_contributors = 3"))
        .unwrap();
    let changed = verify();
    assert!(changed.code == 1 && changed.out.contains("5 made over another text"), "{changed:?}");
    let until = Instant::now() + Duration::from_secs(10);
    while board.asked().0 == 0 {
        assert!(Instant::now() < until, "the node does not see its folder");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (code, said) = board.asked();
    assert!(code == 5 && said.contains("UNSIGNED") && said.contains("north"), "{said}");
    let status = board.status();
    assert!(status.contains("the sites do not agree on WARDS-1"), "{status}");
}
