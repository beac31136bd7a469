//! The next version begins as the one before, to the letter but for its number and the name of what it replaces.

use liquid_policy::parse::{parse, parse_beside, read, revise, succeed};

use super::leaves::example_text;
use crate::support::SMALL;

#[test]
fn the_next_version_keeps_every_other_letter() {
    for example in ["heart", "wellbeing", "benchmarking", "research", "minimal", "customers", "open"] {
        let text = example_text(example);
        let parse = |text: &str, name: &str| {
            let folder = format!("{}/../examples/{example}", env!("CARGO_MANIFEST_DIR"));
            parse_beside(text, name, &|file, _| {
                std::fs::read(format!("{folder}/{file}")).map_err(|error| error.to_string())
            })
        };
        let before = parse(&text, "before.toml").expect("an agreement");
        let revised = revise(&text, "before.toml").expect(example);
        let after = parse(&revised, "after.toml").expect(example);
        assert!(after.supersedes().iter().eq([before.hash()]), "{example}");
        assert!(after.version() != before.version() && after.version().ends_with(".0"), "{example}");
        let lines = |text: &str| -> Vec<String> {
            let kept = |line: &&str| !line.starts_with("supersedes = ") && !line.starts_with("version = ");
            text.lines().filter(kept).map(str::to_owned).collect()
        };
        assert_eq!(lines(&revised), lines(&text), "{example}");
        let added = usize::from(before.supersedes().is_empty());
        assert_eq!(revised.lines().count(), text.lines().count() + added, "{example}");
        let third = revise(&revised, "after.toml").expect(example);
        let named = parse(&third, "third.toml").expect(example);
        assert!(named.supersedes().iter().eq([after.hash()]), "{example}");
        assert_eq!(third.lines().count(), revised.lines().count(), "`supersedes` stands there once");
    }
}

#[test]
fn versions_are_counted_as_their_authors_count_them() {
    for (before, after) in
        [("1.0.3", "1.1.0"), ("2026-9", "2026-10"), ("draft", "draft.1"), ("3", "4"), ("1.2", "1.3")]
    {
        let text = SMALL.replace("version = \"1.0.0\"", &format!("version = \"{before}\"  # counted"));
        let revised = revise(&text, "it.toml").expect(before);
        assert!(
            revised.contains(&format!("version = \"{after}\"  # counted\nsupersedes = \"sha256:")),
            "{revised}"
        );
    }
}

/// Going back: the same text again, in the place of several.
#[test]
fn a_version_replaces_several() {
    let before = parse(SMALL, "it.toml").expect("an agreement");
    let later = parse(&revise(SMALL, "it.toml").expect("a text"), "it.toml").expect("an agreement");
    let both = [before.hash().clone(), later.hash().clone()].into();
    let text = succeed(SMALL, "it.toml", "7", &both).expect("a text");
    let again = parse(&text, "it.toml").expect("an agreement");
    assert_eq!((again.version(), again.supersedes()), ("7", &both));
    let once = succeed(&text, "it.toml", "8", &[again.hash().clone()].into()).expect("a text");
    assert_eq!(parse(&once, "it.toml").expect("an agreement").supersedes().len(), 1);
    let nothing = succeed(SMALL, "it.toml", "7", &Default::default()).expect("a text");
    assert!(parse(&nothing, "it.toml").is_err(), "it replaces nothing");
}

#[test]
fn keys_that_leave_no_room_are_said() {
    let head = SMALL.find("[agreement]").expect("a head")..SMALL.find("[[party]]").expect("a party");
    let inline: String = SMALL[head.clone()].lines().skip(1).collect::<Vec<_>>().join(", ");
    let text = SMALL.replace(&SMALL[head], &format!("agreement = {{ {inline} }}\n"));
    assert!(read(&text, "inline.toml").is_ok(), "it is an agreement all the same");
    let error = revise(&text, "inline.toml").expect_err("there is no line");
    let problem = error.problems().next().expect("one");
    assert!(problem.help().contains("supersedes = \"sha256:"), "{}", problem.help());
}
