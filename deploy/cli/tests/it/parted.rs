//! Two versions in one place, each approved by all: what one person signs brings none of them back, and all say how it goes on.

use std::path::Path;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};

use crate::board::Board;

const ALL: [&str; 4] = ["north.caldicott-guardian", "north.siro", "south.caldicott-guardian", "south.siro"];

#[test]
fn what_all_left_aside_stops_the_agreement_and_all_say_how_it_goes_on() {
    let board = Board::new();
    // A looser version, on which the word of one is still missing, and a tighter one in its place.
    let (loose, tight) = (board.draft("2.0.0", 5), board.draft("2.1.0", 9));
    let text = |file: &Path| file.to_str().unwrap().to_owned();
    for file in [&loose, &tight] {
        board.done("north.author", &["policy", "propose", &text(file)]);
    }
    ALL[..3].iter().for_each(|who| {
        board.done(who, &["policy", "sign", "--send", &text(&loose)]);
    });
    board.done("south.siro", &["policy", "activate", "WARDS-1", "--version", "2.0.0"]);
    board.sign(&tight);
    board.done("north.siro", &["policy", "activate", "WARDS-1", "--version", "2.1.0"]);
    let (hidden, shown) = ((0, "A,".to_owned()), (0, "A,16".to_owned()));
    assert_eq!(board.asked(), hidden, "{}", board.status());
    assert!(board.status().contains("  in force\n"), "{}", board.status());

    // The last word on the other one is refused at the signer's own desk, with what to do.
    let refused = board.by("south.siro", &["policy", "sign", "--send", &text(&loose)]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for said in ["is for the place that version 2.1.0 (", "`supersedes = \"sha256:", "--from 2.1.0 --version"]
    {
        let words = refused.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(said), "{said}: {refused:?}");
    }
    assert_eq!(board.asked(), hidden);

    // Whoever sends it all the same opens nothing.
    board.done("south.siro", &["policy", "sign", &text(&loose)]);
    board.done("north.author", &["policy", "propose", &text(&loose)]);
    let (code, said) = board.asked();
    assert!(code == 3 && said.contains("UNSIGNED") && said.contains("nothing says which one"), "{said}");
    let status = board.status();
    for said in [
        "all have signed several ways to go on, to versions 2.0.0 (",
        ") and 2.1.0 (",
        "stands, and answers nothing",
    ] {
        assert!(status.contains(said), "{said}: {status}");
    }
    assert!(!status.contains("  in force\n"), "{status}");

    // All say which one stands.
    let rollback = |who: &str, more: &[&str]| {
        board.done(who, &[&["policy", "rollback", "WARDS-1", "--version", "2.1.0"], more].concat())
    };
    for who in &ALL[..3] {
        let said = rollback(who, &[]);
        assert!(said.err.contains("said to go back from version 2.0.0 to version 2.1.0"), "{said:?}");
        assert_eq!(board.asked().0, 3);
    }
    rollback(ALL[3], &[]);
    assert_eq!(board.asked(), hidden, "{}", board.status());

    // What all have approved and nobody has activated is given up.
    let next = board.draft("3.0.0", 5);
    board.done("north.author", &["policy", "propose", &text(&next)]);
    board.sign(&next);
    let itself = board.by(ALL[0], &["policy", "rollback", "WARDS-1", "--version", "2.1.0"]);
    assert!(
        itself.code == 1 && itself.err.contains("stands already") && itself.err.contains("--from"),
        "{itself:?}"
    );
    for who in ALL {
        rollback(who, &["--from", "3.0.0"]);
    }
    let early = board.done("south.siro", &["policy", "activate", "WARDS-1", "--version", "3.0.0"]);
    assert!(early.err.contains("takes over once it is signed"), "{early:?}");
    assert_eq!(board.asked(), hidden, "{}", board.status());
    board.sign(&next);
    assert_eq!(board.asked(), shown, "{}", board.status());

    // Nor does what follows another version than the one that stands.
    board.sign(&loose);
    let nowhere = board.done("south.siro", &["policy", "activate", "WARDS-1", "--version", "2.0.0"]);
    assert!(nowhere.err.contains("so it cannot take over"), "{nowhere:?}");
    let status = board.status();
    assert_eq!(status.matches("so it cannot take over").count(), 1, "{status}");
    assert_eq!(board.asked(), shown);
}

/// One site has tightened alone before the day of a rollback comes, and answers nothing on that day, when the other one goes back. A
/// rollback as the tool makes it then reaches both.
#[test]
fn a_site_that_is_left_behind_is_reached_again() {
    let board = Board::new();
    let text = |file: &Path| file.to_str().unwrap().to_owned();
    let loose = board.draft("2.0.0", 5);
    board.done("north.author", &["policy", "propose", &text(&loose)]);
    board.sign(&loose);
    board.done("south.siro", &["policy", "activate", "WARDS-1", "--version", "2.0.0"]);
    let day = Utc::now() + TimeDelta::seconds(12);
    let on = day.to_rfc3339_opts(SecondsFormat::Secs, true);
    let rollback = |who: &str, more: &[&str]| {
        board.done(who, &[&["policy", "rollback", "WARDS-1", "--version", "1.0.0"], more].concat())
    };
    ALL.iter().for_each(|who| {
        rollback(who, &["--at", &on]);
    });

    let tight = board.path("2.1.0.toml");
    let says = std::fs::read_to_string(&loose).unwrap();
    let line = |word: &str| says.lines().find(|line| line.starts_with(word)).unwrap().to_owned();
    let says = says
        .replace(&line("version"), "version = \"2.1.0\"")
        .replace(&line("supersedes"), &format!("supersedes = \"{}\"", board.hash()))
        .replace("minimum_contributors = 5", "minimum_contributors = 20");
    std::fs::write(&tight, says).unwrap();
    board.done("north.author", &["policy", "propose", &text(&tight)]);
    ALL[..2].iter().for_each(|who| {
        board.done(who, &["policy", "sign", "--send", &text(&tight)]);
    });
    board.done("north.siro", &["policy", "activate", "WARDS-1", "--version", "2.1.0"]);
    assert!(Utc::now() < day, "all of this takes two seconds");
    assert!(board.status().contains("the sites do not agree"), "{}", board.status());

    std::thread::sleep((day - Utc::now()).to_std().unwrap_or_default() + Duration::from_secs(1));
    assert!(board.status().contains("answers nothing"), "{}", board.status());
    let first = rollback(ALL[0], &[]);
    let words = first.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("site north is at an earlier rollback than others"),
        "{words}\n{}",
        board.status()
    );
    assert!(words.contains("from version 2.1.0 to version 1.0.0"), "{words}");
    ALL[1..].iter().for_each(|who| {
        rollback(who, &[]);
    });
    assert_eq!(board.asked().0, 0, "{}", board.status());
    assert_eq!(board.status().matches("  in force\n").count(), 1, "{}", board.status());
}
