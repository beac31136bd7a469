//! Versions beside each other, each approved by all or tightened by one site alone: nobody chooses between them for the others, and all say
//! how it goes on, by a version that replaces them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};

use crate::board::Board;

const ALL: [&str; 4] = ["north.caldicott-guardian", "north.siro", "south.caldicott-guardian", "south.siro"];

fn text(file: &Path) -> String {
    file.to_str().unwrap().to_owned()
}

fn activate(version: &str) -> [&str; 5] {
    ["policy", "activate", "WARDS-1", "--version", version]
}

impl Board {
    fn propose(&self, file: &Path) -> String {
        self.done("north.author", &["policy", "propose", &text(file)]).words()
    }

    /// Proposes an earlier version again, and gives back what was said and the new version's file.
    fn back(&self, to: &str, as_version: &str, more: &[&str]) -> (String, PathBuf) {
        let file = self.path(&format!("{as_version}.toml"));
        let out = text(&file);
        let command = ["policy", "rollback", "WARDS-1", "--version", to, "--out", &out];
        let said = self.done("north.author", &[&command, more].concat()).words();
        assert!(said.contains(&format!("WARDS-1 {as_version} (")), "{said}");
        (said, file)
    }

    /// What a site's status shows of each version's fingerprint, by its number.
    fn hash_of(&self, version: &str) -> String {
        let status = self.status();
        let line = status.lines().find(|line| line.starts_with(&format!("  version {version}  "))).unwrap();
        line.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap().to_owned()
    }

    /// What stops the agreement at the sites, in one line.
    fn stopped(&self) -> String {
        let (code, said) = self.asked();
        let status = self.status();
        assert!(code == 3 && said.contains("UNSIGNED"), "{said}\n{status}");
        status.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn what_all_left_aside_stops_the_agreement_and_all_say_how_it_goes_on() {
    let board = Board::new();
    // A looser version, on which the word of one is still missing, and a tighter one in its place.
    let (loose, tight) = (board.draft("2.0.0", 5), board.draft("2.1.0", 9));
    for file in [&loose, &tight] {
        assert!(!board.propose(file).contains("warning"));
    }
    ALL[..3].iter().for_each(|who| {
        board.done(who, &["policy", "sign", "--send", &text(&loose)]);
    });
    board.done("south.siro", &activate("2.0.0"));
    board.sign(&tight);
    board.done("north.siro", &activate("2.1.0"));
    let hidden = (0, "A,".to_owned());
    assert_eq!(board.asked(), hidden, "{}", board.status());
    assert!(board.status().contains("  in force\n"), "{}", board.status());

    // The last word on the other one is refused at the signer's own desk, with what to do.
    let refused = board.by("south.siro", &["policy", "sign", "--send", &text(&loose)]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let mut both = [board.hash_of("2.0.0"), board.hash_of("2.1.0")];
    both.sort();
    for said in [
        "version 2.0.0 of `WARDS-1` does not replace version 2.1.0 (",
        ") at north, south: once all have signed it",
        &format!("propose it anew with `supersedes = [\"{}\", \"{}\"]`", both[0], both[1]),
        "`liquid policy rollback WARDS-1 --version 2.0.0`",
    ] {
        assert!(refused.words().contains(said), "{said}: {refused:?}");
    }
    assert_eq!(board.asked(), hidden);
    // Nor is one put in force that would stand beside it; who proposes it is told, and may.
    let third = board.path("2.2.0.toml");
    let says = std::fs::read_to_string(&tight).unwrap();
    std::fs::write(&third, says.replace("\"2.1.0\"", "\"2.2.0\"").replace("= 9", "= 8")).unwrap();
    assert!(
        board
            .propose(&third)
            .contains("warning: version 2.2.0 of `WARDS-1` does not replace version 2.1.0 (")
    );
    let beside = board.by("south.siro", &activate("2.2.0"));
    let line = format!("`supersedes = \"{}\"`", board.hash_of("2.1.0"));
    assert!(beside.code == 1 && beside.words().contains(&line), "{beside:?}");

    // Whoever sends it all the same opens nothing.
    board.done("south.siro", &["policy", "sign", &text(&loose)]);
    board.propose(&loose);
    let status = board.stopped();
    for said in
        ["versions 2.0.0 (", ") and 2.1.0 (", ") stand beside each other, and none replaces the others"]
    {
        assert!(status.contains(said), "{said}: {status}");
    }
    assert_eq!(status.matches(" stands, and answers nothing ").count(), 2, "{status}");
    assert!(!board.status().contains("  in force\n"), "{status}");

    // All say which one stands, by a version that replaces both.
    let (said, again) = board.back("2.1.0", "2.3.0", &[]);
    for left in ["it replaces version 2.0.0 (", "it replaces version 2.1.0 ("] {
        assert!(said.contains(left), "{left}: {said}");
    }
    let written = std::fs::read_to_string(&again).unwrap();
    assert!(written.contains(&format!("supersedes = [\"{}\", \"{}\"]", both[0], both[1])), "{written}");
    board.sign(&again);
    assert_eq!(board.asked().0, 3);
    board.done("south.siro", &activate("2.3.0"));
    assert_eq!(board.asked(), hidden, "{}", board.status());
    assert_eq!(board.status().matches("  in force\n").count(), 1, "{}", board.status());
}

/// What all have approved is given up by a version that replaces it, before its day or before the last word.
#[test]
fn what_is_given_up_does_not_come_on_its_day() {
    let board = Board::new();
    let (hidden, shown) = ((0, "A,".to_owned()), (0, "A,16".to_owned()));
    let itself = board.by("north.author", &["policy", "rollback", "WARDS-1", "--version", "1.0.0"]);
    assert!(
        itself.code == 1 && itself.err.contains("stands already") && itself.err.contains("--from"),
        "{itself:?}"
    );
    let next = board.draft("2.0.0", 5);
    board.propose(&next);
    board.sign(&next);
    let day = Utc::now() + TimeDelta::seconds(15);
    let on = day.to_rfc3339_opts(SecondsFormat::Secs, true);
    board.done("south.siro", &[&activate("2.0.0")[..], &["--at", &on]].concat());
    let (said, again) = board.back("1.0.0", "1.1.0", &[]);
    assert!(
        said.contains("it replaces version 2.0.0 (") && said.contains("), which all have signed"),
        "{said}"
    );
    assert!(
        said.contains("it replaces version 1.0.0 (") && said.contains("), which stands at north"),
        "{said}"
    );
    let named = format!("supersedes = \"{}\"", board.hash_of("2.0.0"));
    assert!(std::fs::read_to_string(&again).unwrap().contains(&named), "and that replaces 1.0.0");
    board.sign(&again);
    board.done("south.siro", &activate("1.1.0"));
    assert!(Utc::now() < day, "all of this takes three seconds");
    std::thread::sleep((day - Utc::now()).to_std().unwrap_or_default() + Duration::from_secs(2));
    assert_eq!(board.asked(), hidden, "{}", board.status());
    let status = board.status();
    assert_eq!(
        (status.matches("  in force\n").count(), status.matches("  replaced\n").count()),
        (1, 2),
        "{status}"
    );
    let late = board.by("south.siro", &activate("2.0.0"));
    assert!(late.code == 1 && late.err.contains("is replaced already"), "{late:?}");

    // What some have signed is named, so that the last word on it comes too late.
    let some = board.draft("3.0.0", 6);
    board.propose(&some);
    ALL[..3].iter().for_each(|who| {
        board.done(who, &["policy", "sign", "--send", &text(&some)]);
    });
    let nothing = board.by("north.author", &["policy", "rollback", "WARDS-1", "--version", "1.1.0"]);
    assert!(nothing.code == 1 && nothing.err.contains("stands already"), "{nothing:?}");
    board.done("south.siro", &activate("3.0.0"));
    let other = board.draft("3.1.0", 7);
    board.propose(&other);
    let draft = board.done("north.author", &["policy", "rollback", "WARDS-1", "--version", "2.0.0"]).words();
    assert!(
        draft.contains("it does not replace version 3.0.0 (") && draft.contains("add `--from 3.0.0`"),
        "{draft}"
    );
    assert!(!draft.contains("version 3.1.0"), "nobody has activated it: {draft}");
    let (said, again) = board.back("1.1.0", "1.3.0", &["--from", "3.0.0"]);
    assert!(
        said.contains("it replaces version 3.0.0 (") && said.contains("it replaces version 1.1.0 ("),
        "{said}"
    );
    assert!(
        said.contains(") says the same to machines as version 1.1.0 (") && said.contains("which stands"),
        "{said}"
    );
    board.sign(&again);
    board.done("south.siro", &activate("1.3.0"));
    let last = board.done("south.siro", &["policy", "sign", "--send", &text(&some)]);
    assert!(last.err.contains("is replaced already, so it does not take over"), "{last:?}");
    assert!(!last.err.contains("takes over at") && !last.err.contains("lets it take over"), "{last:?}");
    assert_eq!(board.asked(), hidden, "{}", board.status());
    let status = board.status();
    assert!(!status.contains("answers nothing") && status.matches("  in force\n").count() == 1, "{status}");

    // The way forward is a version after the one that stands, and it can have the text of the one that was given up.
    let (_, forward) = board.back("3.0.0", "1.4.0", &[]);
    board.sign(&forward);
    board.done("south.siro", &activate("1.4.0"));
    assert_eq!(board.asked(), shown, "{}", board.status());

    // Nor does what names no version that ever stood.
    let astray = board.path("astray.toml");
    let says = std::fs::read_to_string(&some).unwrap().replace("\"3.0.0\"", "\"4.0.0\"");
    let named = says.lines().find(|line| line.starts_with("supersedes")).unwrap().to_owned();
    std::fs::write(&astray, says.replace(&named, &format!("supersedes = \"sha256:{}\"", "0".repeat(64))))
        .unwrap();
    assert!(board.propose(&astray).contains("warning: version 4.0.0 of `WARDS-1` cannot take over"));
    let line = format!("`supersedes = \"{}\"`", board.hash_of("1.4.0"));
    let refused = board.by("south.siro", &activate("4.0.0"));
    assert!(refused.code == 1 && refused.words().contains(&line), "{refused:?}");
    assert_eq!(board.asked(), shown);
}

/// A version after another one, with an edit to its text.
fn after(board: &Board, file: &Path, (version, named): (&str, &str), minimum: u32) -> PathBuf {
    let new = board.path(&format!("{version}.toml"));
    let says = std::fs::read_to_string(file).unwrap();
    let says = says.lines().map(|line| match line.split(" =").next().unwrap() {
        "version" => format!("version = \"{version}\"\n"),
        "supersedes" => format!("supersedes = {named}\n"),
        "minimum_contributors" => format!("minimum_contributors = {minimum}\n"),
        _ => format!("{line}\n"),
    });
    std::fs::write(&new, says.collect::<String>()).unwrap();
    new
}

/// The people of one organisation put a version in force at their own site.
fn alone(board: &Board, organisation: &str, version: &str, file: &Path) {
    for role in ["caldicott-guardian", "siro"] {
        board.done(&format!("{organisation}.{role}"), &["policy", "sign", "--send", &text(file)]);
    }
    board.done(&format!("{organisation}.siro"), &activate(version));
}

/// A site tightens alone, and the others go on with it by a version that names where it stands too.
#[test]
fn sites_that_tightened_alone_join_the_others_by_a_version_that_names_all() {
    let board = Board::new();
    let shown = (0, "A,16".to_owned());
    let two = board.draft("2.0.0", 5);
    board.propose(&two);
    board.sign(&two);
    board.done("south.siro", &activate("2.0.0"));
    assert_eq!(board.asked(), shown);
    let base = format!("\"{}\"", board.hash());
    let north = after(&board, &two, ("2.1.0", &base), 20);
    board.propose(&north);
    alone(&board, "north", "2.1.0", &north);
    let status = board.status();
    assert!(status.contains("do not agree"), "{status}");
    assert_eq!(status.matches("  in force\n").count(), 2, "each site its own: {status}");

    // What names the version before alone would leave the site behind.
    let short = after(&board, &two, ("3.0.0", &base), 5);
    let warned = board.propose(&short);
    assert!(
        warned.contains("does not replace version 2.1.0 (") && warned.contains(") at north: "),
        "{warned}"
    );
    let refused = board.by("south.siro", &activate("3.0.0"));
    assert!(refused.code == 1 && refused.words().contains("does not replace version 2.1.0 ("), "{refused:?}");
    let both = format!("[{base}, \"{}\"]", board.hash_of("2.1.0"));
    let joined = after(&board, &two, ("3.1.0", &both), 5);
    assert!(!board.propose(&joined).contains("warning"));
    board.sign(&joined);
    board.done("south.siro", &activate("3.1.0"));
    assert_eq!(board.asked(), shown, "{}", board.status());
    let status = board.status();
    assert!(!status.contains("do not agree") && status.matches("  in force\n").count() == 1, "{status}");

    // A version is active before its last word; meanwhile each site tightens alone, which is no concern of the other.
    let base = format!("\"{}\"", board.hash());
    let early = after(&board, &joined, ("4.0.0", &base), 4);
    board.propose(&early);
    board.done("south.siro", &activate("4.0.0"));
    for (organisation, version, minimum) in [("north", "3.2.0", 20), ("south", "3.3.0", 30)] {
        let tight = after(&board, &joined, (version, &base), minimum);
        let warned = board.propose(&tight);
        assert_eq!(warned.contains("does not replace version 3.2.0 ("), organisation == "south", "{warned}");
        alone(&board, organisation, version, &tight);
    }
    let refused = board.by("north.siro", &["policy", "sign", "--send", &text(&early)]).words();
    assert!(
        refused.contains("does not replace version 3.2.0 (") && refused.contains(", nor version 3.3.0 ("),
        "{refused}"
    );
    ALL.iter().for_each(|who| {
        board.done(who, &["policy", "sign", &text(&early)]);
    });
    board.propose(&early);
    let status = board.stopped();
    for said in ["versions 3.2.0 (", "versions 3.3.0 (", ") and 4.0.0 (", "the sites do not agree"] {
        assert!(status.contains(said), "{said}: {status}");
    }
    let (said, again) = board.back("4.0.0", "4.1.0", &[]);
    for left in ["3.2.0 (", "3.3.0 (", "4.0.0 ("] {
        assert!(said.contains(&format!("it replaces version {left}")), "{left}: {said}");
    }
    board.sign(&again);
    board.done("south.siro", &activate("4.1.0"));
    assert_eq!(board.asked(), shown, "{}", board.status());
    let status = board.status();
    assert!(!status.contains("do not agree") && status.matches("  in force\n").count() == 1, "{status}");
}
