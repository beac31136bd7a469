//! `liquid policy new`, `lint`, `render` and `register`: what the commands add to what the library says.

use std::path::{Path, PathBuf};

use crate::fixture::{Ended, liquid};
use crate::structure::root;

fn policy(arguments: &[&str]) -> Ended {
    liquid().arg("policy").args(arguments).output().unwrap().into()
}

fn heart() -> PathBuf {
    root().join("policies/examples/heart/agreement.toml")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_new_agreement_is_written_once_and_advised_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.toml");
    for (preset, name) in [
        ("published-statistics", "published statistics"),
        ("trusted-analysts", "trusted analysts"),
        ("research", "research"),
    ] {
        let file = folder.path().join(format!("{preset}.toml"));
        let ended =
            policy(&["new", "--preset", preset, "--id", "A-7", "--title", "Meals \"and\" more", text(&file)]);
        assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(written.contains(&format!("the preset *{name}*")), "{written}");
        let lint = policy(&["lint", text(&file)]);
        assert_eq!(lint.code, 1, "it is not ready: {lint:?}");
        assert!(lint.out.contains("to fill in: `purpose_text` is still to be filled in"), "{lint:?}");
        assert!(lint.err.contains("places are still to be filled in"), "{lint:?}");
        let places: Vec<usize> = lint
            .out
            .match_indices(".toml:")
            .filter_map(|(at, _)| lint.out[at + 6..].split(':').next()?.parse().ok())
            .collect();
        assert!(places.len() > 10 && places.is_sorted(), "advice goes down the file: {places:?}");
        let key = folder.path().join("a.key");
        assert_eq!(Ended::from(liquid().args(["key", "new", text(&key)]).output().unwrap()).code, 0);
        let who = ["--key", text(&key), "--organisation", "to-fill-in", "--role", "data-protection-officer"];
        let signed = policy(&[&["sign", text(&file)], &who[..]].concat());
        assert_eq!(signed.code, 1, "{signed:?}");
        assert!(signed.err.contains("not ready"), "{signed:?}");
        let full = written.replace("to-fill-in", "filled").replace("to fill in", "filled");
        std::fs::write(&file, full).unwrap();
        let lint = policy(&["lint", text(&file)]);
        assert_eq!(lint.code, 0, "{lint:?}");
        assert!(lint.err.contains(&format!("as strict as *{name}*")), "{lint:?}");
        std::fs::remove_file(&key).unwrap();
    }
    assert_eq!(policy(&["new", text(&file)]).code, 0);
    let before = std::fs::read_to_string(&file).unwrap();
    assert!(before.contains("minimum_contributors = 10"), "published statistics, if nothing is said");
    let lint = policy(&["lint", text(&file)]);
    assert!(lint.out.contains("to fill in: `id` is still to be filled in"), "{lint:?}");
    let again = policy(&["new", "--id", "OTHER", text(&file)]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("cannot be made") && again.err.contains("does not exist yet"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "what was there is kept");
    let nameless = policy(&["new", "--id", " ", text(&folder.path().join("b.toml"))]);
    assert_eq!(nameless.code, 1, "{nameless:?}");
    assert!(nameless.err.contains("cannot be empty") && !nameless.err.contains("b.toml"), "{nameless:?}");
    assert!(!folder.path().join("b.toml").exists(), "no file that a site would refuse");
    assert_eq!(policy(&["new", "--preset", "lenient", text(&folder.path().join("c.toml"))]).code, 2);
}

#[test]
fn advice_goes_to_standard_output_with_its_place() {
    let lint = policy(&["lint", text(&heart())]);
    assert_eq!(lint.code, 0, "{lint:?}");
    assert!(lint.out.contains("weak: the agreement runs for 1461 days"), "{lint:?}");
    assert!(lint.out.contains("expires = 2029-12-31"), "the line itself is shown: {lint:?}");
    assert!(!lint.out.contains('\u{1b}'), "colour is for terminals");
    assert!(
        lint.err.contains("11 pieces of advice") && lint.err.contains("*published statistics*"),
        "{lint:?}"
    );

    let bad = policy(&["lint", text(&root().join("policies/examples/heart/bad/date-order.toml"))]);
    assert_eq!((bad.code, bad.out.as_str()), (1, ""), "{bad:?}");
    assert!(bad.err.contains("expires on"), "{bad:?}");
    let absent = policy(&["lint", "nowhere.toml"]);
    assert_eq!(absent.code, 1, "{absent:?}");
    assert!(absent.err.contains("fix: name an agreement"), "{absent:?}");
}

#[test]
fn the_schema_that_editors_read_is_the_published_one() {
    let schema = policy(&["schema"]);
    let published = std::fs::read_to_string(root().join("policies/language/schema.json")).unwrap();
    assert_eq!((schema.code, schema.out), (0, published));
}

#[test]
fn an_agreement_and_a_draft_are_put_into_words() {
    let plain = policy(&["render", text(&heart())]);
    assert_eq!((plain.code, plain.err.as_str()), (0, ""), "{plain:?}");
    assert!(
        plain.out.contains("Behind each figure that recipients learn stand at least 10 people."),
        "{plain:?}"
    );
    let hash = liquid_policy::parse::version_of(&std::fs::read_to_string(heart()).unwrap()).unwrap();
    let fingerprint = format!("The fingerprint of this text is {}.", hash.short());
    assert!(plain.out.contains(&fingerprint), "{plain:?}");
    let html = policy(&["render", "--format", "html", text(&heart())]);
    assert!(html.out.contains(&fingerprint), "{html:?}");
    assert!(html.out.starts_with("<!doctype html>") && html.out.trim_end().ends_with("</html>"), "{html:?}");
    let markdown = policy(&["render", "--format", "markdown", text(&heart())]);
    assert!(markdown.out.starts_with("# Cardiac care statistics\n"), "{markdown:?}");

    let draft =
        policy(&["render", text(&root().join("policies/examples/heart/bad/value-not-enforced-yet.toml"))]);
    assert_eq!(draft.code, 0, "{draft:?}");
    assert!(draft.out.contains("A site will not take this agreement as it stands."), "{draft:?}");
    assert!(draft.err.contains("`liquid policy lint` on it says why"), "{draft:?}");
    let other = policy(&["render", text(&root().join("policies/examples/heart/bad/unknown-key.toml"))]);
    assert_eq!((other.code, other.out.as_str()), (1, ""), "{other:?}");
}

#[test]
fn a_register_has_every_agreement_once_or_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let heart = std::fs::read_to_string(heart()).unwrap();
    for site in ["cleveland", "budapest"] {
        std::fs::create_dir(at(site)).unwrap();
        std::fs::write(at(site).join("agreement.toml"), &heart).unwrap();
    }
    std::fs::write(at("other.toml"), heart.replace("HRT-2026-01", "HRT-2027-01")).unwrap();
    std::fs::write(at("other.sig.toml"), "# no agreement\n").unwrap();
    std::fs::write(at("notes.txt"), "nothing").unwrap();
    std::fs::write(at("saved.toml.txt"), &heart).unwrap();
    let text_of = policy(&["register", text(folder.path())]);
    assert_eq!(text_of.code, 0, "{text_of:?}");
    assert!(text_of.out.contains("This register lists 2 agreements"), "{text_of:?}");
    assert!(
        text_of.err.contains("1 file skipped: ") && text_of.err.contains("saved.toml.txt"),
        "{text_of:?}"
    );
    let short = liquid_policy::parse::version_of(&heart).unwrap().short().to_owned();
    for words in [
        "Its dates allow it today",
        &format!("Fingerprint: {short}"),
        "People behind each figure: 10",
        "cleveland/agreement.toml",
        "budapest/agreement.toml",
        &format!("The fingerprint of this text is {short}."),
    ] {
        assert!(text_of.out.contains(words), "{words}: {text_of:?}");
    }
    assert!(
        text_of.out.contains("HRT-2027-01") && text_of.out.contains("Review due: 30 June 2029"),
        "{text_of:?}"
    );
    let html = policy(&["register", "--format", "html", text(&at("other.toml")), text(&at("cleveland"))]);
    assert_eq!(html.code, 0, "{html:?}");
    assert!(
        html.out.contains("This register lists 2 agreements") && html.out.contains("href=\"#a2\""),
        "{html:?}"
    );

    std::fs::write(at("broken.toml"), heart.replace("[agreement]", "[agreemnt]")).unwrap();
    let broken = policy(&["register", text(folder.path())]);
    assert_eq!((broken.code, broken.out.as_str()), (1, ""), "{broken:?}");
    assert!(broken.err.contains("broken.toml"), "{broken:?}");
    let none =
        policy(&["register", text(&at("notes.txt")).trim_end_matches("notes.txt"), "--format", "markdown"]);
    assert_eq!(none.code, 2, "{none:?}");
    let empty = tempfile::tempdir().unwrap();
    let nothing = policy(&["register", text(empty.path())]);
    assert_eq!(nothing.code, 1, "{nothing:?}");
    assert!(nothing.err.contains("there is no agreement"), "{nothing:?}");
}

/// The next version is begun with everything that it names.
#[test]
fn files_that_an_agreement_names_go_along_with_its_next_version() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let from = root().join("policies/examples/benchmarking/agreement.toml");
    let named = liquid_policy::parse::read(&std::fs::read_to_string(&from).unwrap(), "a").unwrap().beside();
    assert!(!named.is_empty(), "the example has approved queries");
    let draft = home.join("draft.toml");
    let begun = policy(&["new", "--from", text(&from), text(&draft)]);
    assert_eq!(begun.code, 0, "{begun:?}");
    for (name, _) in &named {
        assert!(home.join(name).is_file() && begun.err.contains(name.as_str()), "{name}: {begun:?}");
    }
    let lint = policy(&["lint", text(&draft)]);
    assert_eq!(lint.code, 0, "{lint:?}");
}

/// A file that Notepad or a word processor has saved in another way is told what to do about it.
#[test]
fn a_file_that_is_no_plain_text_is_told_how_to_become_one() {
    let folder = tempfile::tempdir().unwrap();
    let heart = std::fs::read_to_string(heart()).unwrap();
    let units = |order: fn(u16) -> [u8; 2]| heart.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let ansi: Vec<u8> = heart.replace("Cardiac", "Cœur é").chars().map(|c| c as u8).collect();
    for (name, bytes, says) in [
        (
            "marked.toml",
            [&[0xff, 0xfe][..], &units(u16::to_le_bytes)].concat(),
            "saved as `Unicode` (UTF-16)",
        ),
        ("bare.toml", [&[0xe9, 0][..], &units(u16::to_be_bytes)].concat(), "or saved as `Unicode` (UTF-16)"),
        ("ansi.toml", ansi, "an old encoding (`ANSI`)"),
        ("word.docx", b"PK\x03\x04\xff".to_vec(), "a document of a word processor"),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let ended = policy(&["lint", text(&file)]);
        assert!(ended.code == 1 && ended.err.contains(says), "{name}: {ended:?}");
        assert!(ended.err.contains("UTF-8`") && ended.err.contains("Notepad"), "{name}: {ended:?}");
    }
    let file = folder.path().join("utf8.toml");
    std::fs::write(&file, format!("\u{feff}{heart}")).unwrap();
    assert_eq!(policy(&["lint", text(&file)]).code, 0, "with the mark that Notepad puts before UTF-8");
}

/// Whatever an author or a key's owner wrote, a terminal shows it and does nothing that it says.
#[test]
fn no_text_steers_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let heart = std::fs::read_to_string(heart()).unwrap();
    let at = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let escape = "\u{1b}[2J\u{1b}[8m\u{9b}H";
    let hidden = "\u{202e}\u{2066}\u{200b}";
    let plain = at("plain.toml", &heart);
    let quoted = format!("purpose_text = \"\\u001b[2J\\r\\ntightens: nothing {hidden}\"");
    let changed: Vec<&str> = heart
        .lines()
        .map(|line| if line.starts_with("purpose_text") { quoted.as_str() } else { line })
        .collect();
    let changed = at("changed.toml", &(changed.join("\n") + "\n"));
    let raw = at("raw.toml", &format!("# {escape}{hidden}\n{heart}"));
    let key =
        format!("key_id = \"{}{hidden}\"", escape.replace('\u{1b}', "\\u001b").replace('\u{9b}', "\\u009b"));
    let hash = liquid_policy::parse::version_of(&heart).unwrap();
    at(
        "plain.sig.toml",
        &format!(
            "[[signature]]\norganisation = \"a\"\nrole = \"b\"\n{key}\ntime = \"2026-01-01T00:00:00Z\"\n\
             signature = \"\"\n[signature.act.write]\nagreement = \"{hash}\"\n"
        ),
    );
    let trust = at("node.toml", "");
    let json = ["diff", "--format", "json", &plain, &changed];
    for arguments in [
        &["lint", &changed][..],
        &["lint", &raw],
        &["render", &changed],
        &["render", &raw],
        &["register", &raw],
        &["diff", &plain, &changed],
        &["diff", &plain, &raw],
        &json,
        &["verify", &plain, "--trust", &trust],
    ] {
        let ended = policy(arguments);
        for c in (ended.out.clone() + &ended.err).chars() {
            assert!(c == '\n' || !liquid_policy::unseen::is_unseen(c), "{arguments:?}: {ended:?}");
        }
    }
    let found = policy(&["diff", &plain, &changed]);
    assert!(found.out.contains("[U+001B][2J  tightens: nothing [U+202E][U+2066][U+200B]"), "{found:?}");
    let signed = policy(&["verify", &plain, "--trust", &trust]);
    assert!(signed.out.contains("([U+001B][2J[U+001B][8m[U+009B]H[U+202E][U+2066][U+200B])"), "{signed:?}");
    let bad = policy(&["lint", &raw]);
    assert!(bad.code == 1 && bad.err.contains("[U+001B][2J"), "it is shown: {bad:?}");
}
