//! Those who sign are told what they sign, what comes of it, and what does not count, before it is too late; and those who stop
//! something are told where it has not stopped.

use std::path::Path;

use crate::board::{AGREEMENT, Board};
use crate::fixture::{liquid, signal};

fn beside(file: &Path) -> std::path::PathBuf {
    file.with_extension("sig.toml")
}

#[test]
fn whoever_must_approve_a_version_does_not_write_it_by_mistake() {
    let board = Board::new();
    let draft = board.draft("2.0.0", 20);
    let file = draft.to_str().unwrap();
    let refused = board.by("north.siro", &["policy", "propose", file]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for words in
        ["counts as its author", "north needs this key to approve it, as siro", "`--key north.author`"]
    {
        assert!(refused.err.contains(words), "{words}: {refused:?}");
    }
    assert!(!board.status().contains("2.0.0") && !beside(&draft).exists(), "nothing was sent or written");

    let meant = board.done("north.siro", &["policy", "propose", "--author", file]);
    assert!(meant.err.contains("so it cannot approve it"), "{meant:?}");
    for way in [&["policy", "sign", "--send", file][..], &["policy", "sign", file]] {
        let own = board.by("north.siro", way);
        assert!(own.code == 1 && own.err.contains("does not count: this key wrote it"), "{own:?}");
    }
    assert_eq!(std::fs::read_to_string(beside(&draft)).unwrap().matches("[[signature]]").count(), 1);
}

#[test]
fn an_approval_by_who_wrote_it_is_shown_to_count_for_nothing() {
    let board = Board::new();
    let draft = board.draft("2.0.0", 20);
    let file = draft.to_str().unwrap();
    board.done("north.author", &["policy", "propose", file]);
    board.done("north.siro", &["policy", "sign", "--send", file]);
    let barred = |text: &str| text.contains("(north-3): does not count: this key wrote it");
    assert!(!barred(&board.status()), "{}", board.status());
    let wrote = board.done("north.siro", &["policy", "sign", "--author", "--send", file]);
    assert!(wrote.err.contains("so it cannot approve it"), "{wrote:?}");
    assert!(barred(&board.status()), "{}", board.status());
    let verified = board.demo.run(&["policy", "verify", file]);
    assert!(verified.code == 1 && barred(&verified.out), "{verified:?}");
}

#[test]
fn who_signs_is_told_what_it_is_and_keeps_what_the_sites_took() {
    let board = Board::new();
    let draft = board.draft("2.0.0", 20);
    let file = draft.to_str().unwrap();
    // Nobody has proposed it: nothing is sent, and nothing kept.
    let early = board.by("north.siro", &["policy", "sign", "--send", file]);
    assert!(early.code == 1 && early.err.contains("no site holds this text, WARDS-1 2.0.0 ("), "{early:?}");
    assert!(early.err.contains("they hold 1.0.0 (") && !beside(&draft).exists(), "{early:?}");

    board.done("north.author", &["policy", "propose", file]);
    let text = std::fs::read_to_string(&draft).unwrap();
    let hash = liquid_policy::parse::version_of(&text).unwrap();
    let short = &hash.as_str()[..12];
    let signed = board.done("north.siro", &["policy", "sign", "--send", file]);
    for words in [
        &format!("signed WARDS-1 2.0.0 ({short}) as north, siro, in "),
        &format!("WARDS-1 2.0.0 ({short}) loosens version 1.0.0 ("),
        "), which is in force: 1 clause loosens, 1 clause tightens",
        "behind each figure 20 people, not 10",
    ] {
        assert!(signed.err.contains(words), "{words}: {signed:?}");
    }
    assert!(!signed.err.contains("warning"), "{signed:?}");

    // What the sites refuse stays nowhere, and in nobody's way.
    let before = std::fs::read_to_string(beside(&draft)).unwrap();
    let name = board.by(
        "north.caldicott-guardian",
        &["policy", "sign", "--send", file, "--organisation", "south", "--role", "siro"],
    );
    assert_eq!(name.code, 1, "{name:?}");
    assert_eq!(std::fs::read_to_string(beside(&draft)).unwrap(), before);

    // Another text under the same name, in a folder beside it and at the sites.
    let other = board.path("other.toml");
    std::fs::write(&other, text.replace("minimum_contributors = 20", "minimum_contributors = 2")).unwrap();
    let own = board.done("north.caldicott-guardian", &["policy", "sign", other.to_str().unwrap()]);
    assert!(own.err.contains("behind each figure 2 people, not 10"), "{own:?}");
    let warning = format!("another text is called WARDS-1 2.0.0, too: {short} in ");
    assert!(own.err.contains(&warning) && own.err.contains("2.0.0.toml"), "{own:?}");
    let proposed = board.done("north.author", &["policy", "propose", other.to_str().unwrap()]);
    assert!(proposed.err.contains(&format!("too: {short} at north")), "{proposed:?}");
    std::fs::remove_file(&draft).unwrap();
    let sent = board.done("north.siro", &["policy", "sign", "--send", other.to_str().unwrap()]);
    assert!(sent.err.contains(&format!("too: {short} at north")), "{sent:?}");
    for who in ["north.caldicott-guardian", "south.caldicott-guardian"] {
        board.done(who, &["policy", "sign", "--send", other.to_str().unwrap()]);
    }
    let last = board.done("south.siro", &["policy", "sign", "--send", other.to_str().unwrap()]);
    let hash = liquid_policy::parse::version_of(&std::fs::read_to_string(&other).unwrap()).unwrap();
    assert!(last.err.contains(&format!("--version {}` lets it take over", hash.short())), "{last:?}");
}

#[test]
fn signatures_are_taken_home_and_verified() {
    let board = Board::new();
    let saved = board.path("saved");
    let save = || board.demo.run(&["policy", "status", "--save", saved.to_str().unwrap()]);
    assert_eq!(save().code, 0);
    let files = || std::fs::read_dir(&saved).unwrap().map(|entry| entry.unwrap().path());
    let text = files().find(|it| !it.display().to_string().ends_with(".sig.toml")).unwrap();
    let verify = || board.demo.run(&["policy", "verify", text.to_str().unwrap()]);
    let good = verify();
    assert!(good.code == 0 && good.out.matches(": good").count() == 5, "{good:?}");
    // What is there stays, and is not there twice.
    let before = std::fs::read_to_string(beside(&text)).unwrap();
    assert_eq!(save().code, 0);
    assert_eq!(std::fs::read_to_string(beside(&text)).unwrap(), before);

    let draft = board.draft("2.0.0", 20);
    let file = draft.to_str().unwrap();
    board.done("north.author", &["policy", "propose", file]);
    board.sign(&draft);
    let whole = board.demo.run(&["policy", "verify", file]);
    assert!(
        whole.code == 0 && whole.out.contains("written by north, author"),
        "the author's is there: {whole:?}"
    );
    let alone = liquid().args(["policy", "verify", file]).output().unwrap();
    let said = String::from_utf8(alone.stderr).unwrap();
    assert!(!alone.status.success() && said.contains("name a node's `node.toml` with `--trust`"), "{said}");
}

/// A signature that a demo long gone has left beside the file stands in nobody's way, and is named.
#[test]
fn a_signature_of_another_time_is_named_with_its_file() {
    let (gone, board) = (Board::new(), Board::new());
    let draft = board.draft("2.0.0", 20);
    let file = draft.to_str().unwrap();
    gone.done("south.siro", &["policy", "sign", file]);
    drop(gone);
    let proposed = board.done("north.author", &["policy", "propose", file]);
    for words in
        ["2.0.0.sig.toml holds a signature of south, siro", "move that file away", "is held at north, south"]
    {
        assert!(proposed.err.contains(words), "{words}: {proposed:?}");
    }
}

#[test]
fn a_day_that_is_past_is_a_slip_and_an_ended_draft_is_named() {
    let board = Board::new();
    let past = board
        .by("north.siro", &["policy", "activate", "WARDS-1", "--version", "1.0.0", "--at", "2020-01-01"]);
    assert!(past.code == 2 && past.err.contains("that day is past; write `now` if you mean now"), "{past:?}");
    let ended = board.path("ended.toml");
    std::fs::write(&ended, AGREEMENT.replace("1.0.0", "3.0.0").replace("2099-12-31", "2026-01-31")).unwrap();
    let warned = board.done("north.author", &["policy", "propose", ended.to_str().unwrap()]);
    assert!(warned.err.contains("warning: the agreement ended on 2026-01-31"), "{warned:?}");
}

#[test]
fn who_stops_an_agreement_is_told_where_it_has_not_stopped() {
    let board = Board::new();
    let misspelt = board.by("north.siro", &["policy", "suspend", "WARDS-2"]);
    let words = "no site knows an agreement `WARDS-2`; did you mean `WARDS-1`?";
    assert!(misspelt.code == 1 && misspelt.err.contains(words), "{misspelt:?}");
    assert!(!misspelt.err.contains("propose"), "{misspelt:?}");

    let node = board.demo.processes(&["node", "--until-stdin-closes", "sites/south"])[0];
    signal("-STOP", node);
    let partly = board.by("north.siro", &["policy", "suspend", "WARDS-1"]);
    signal("-CONT", node);
    assert_eq!(partly.code, 1, "{partly:?}");
    assert!(
        partly.err.starts_with("NOT stopped at south: while it runs, it goes on answering"),
        "{partly:?}"
    );
    assert!(partly.err.contains("WARDS-1 is suspended at north\n"), "{partly:?}");

    let coordinator = board.demo.processes(&["coordinator", "--until-stdin-closes"])[0];
    signal("-STOP", coordinator);
    let hung = board.by("north.siro", &["policy", "suspend", "WARDS-1"]);
    let resume = board.by("north.siro", &["policy", "resume", "WARDS-1"]);
    signal("-CONT", coordinator);
    assert!(resume.code == 1 && resume.err.contains("broke off: deadline has elapsed"), "{resume:?}");
    assert!(hung.code == 1 && hung.err.contains("it is not known whether WARDS-1 is suspended"), "{hung:?}");
    assert!(hung.err.contains("suspend it at each node by itself with `--url`"), "{hung:?}");
}

#[test]
fn a_key_that_is_not_there_says_whether_a_demo_runs() {
    let ended = liquid().args(["policy", "suspend", "A-1", "--key", "hill-clinic.siro"]).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("no demo is running") && said.contains("`liquid demo --serve`"), "{said}");
}
