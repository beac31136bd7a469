//! Values that lie in a file beside the agreement: what is signed for is what is there, or the agreement is none.

use liquid_policy::parse::version_of;
use liquid_policy::table::Domain;
use liquid_policy::{parse, parse_beside};
use ring::digest::{SHA256, digest};

use crate::support::SMALL;

const WARDS: &str = "ward,name\nW1,One\nW2,\"Two, the second\"\n";

fn hash(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(domain: &str) -> String {
    let ward = format!("person = {{ use = [] }}\nward = {{ use = [\"group\"], {domain} }}\n");
    SMALL.replace("person = { use = [] }\n", &ward)
}

/// The values of the domain where `wards.csv` has this content, or what is wrong, and at what.
fn read(domain: &str, content: &str) -> Result<Vec<String>, (String, String)> {
    let text = text(domain);
    let beside = |name: &str, _: &str| match name {
        "wards.csv" => Ok(content.as_bytes().to_vec()),
        other => Err(format!("there is no `{other}`")),
    };
    let agreement = parse_beside(&text, "test.toml", &beside).map_err(|error| {
        let problem = error.problems().next().expect("one");
        (problem.message().to_owned(), text[problem.span()].to_owned())
    })?;
    let rules = agreement.tables()[&"t".into()].rules();
    Ok(rules.columns[&"ward".into()].domain.iter().flat_map(Domain::values).map(|v| v.to_string()).collect())
}

fn named(file: &str, sha256: &str) -> String {
    format!("domain = {{ file = \"{file}\", sha256 = \"{sha256}\" }}")
}

#[test]
fn the_first_column_of_the_agreed_file_is_the_domain() {
    let wards = named("wards.csv", &hash(WARDS));
    assert_eq!(read(&wards, WARDS), Ok(vec!["W1".to_owned(), "W2".to_owned()]));
    let months = "month\n2024-03\n2024-05\n";
    let domain = format!("grain = \"month\", {}", named("wards.csv", &hash(months)));
    assert_eq!(read(&domain, months), Ok(vec!["2024-03-01".to_owned(), "2024-05-01".to_owned()]));
}

#[test]
fn another_file_is_none() {
    let good = hash(WARDS);
    let changed = WARDS.replace("W2", "W3");
    let empty = hash("ward\n");
    let twice = "ward\nW1\nW1\n";
    for (domain, content, words, place) in [
        (named("wards.csv", &good), changed.as_str(), "is not the file that is agreed on", &good[..]),
        (named("wards.csv", &good), "", "is not the file", &good),
        (named("others.csv", &good), WARDS, "there is no `others.csv`", "others.csv"),
        (named("../wards.csv", &good), WARDS, "lies beside the agreement", "../wards.csv"),
        (named("/etc/passwd", &good), WARDS, "lies beside the agreement", "/etc/passwd"),
        (named(".hidden.csv", &good), WARDS, "lies beside the agreement", ".hidden.csv"),
        (named("agreement.sig.toml", &good), WARDS, "lies beside the agreement", "agreement.sig.toml"),
        (named("wards.csv", "abc"), WARDS, "is no SHA-256", "abc"),
        (named("wards.csv", &empty), "ward\n", "has no value", "wards.csv"),
        (named("wards.csv", &hash(twice)), twice, "twice", "wards.csv"),
        ("domain = { file = \"wards.csv\" }".to_owned(), WARDS, "needs its SHA-256", "{ file"),
        (format!("domain = {{ sha256 = \"{good}\" }}"), WARDS, "needs its SHA-256", "{ sha256"),
        (
            format!("domain = {{ values = [\"W1\"], file = \"wards.csv\", sha256 = \"{good}\" }}"),
            WARDS,
            "has no other values",
            "{ values",
        ),
        (format!("grain = \"month\", {}", named("wards.csv", &good)), WARDS, "`W1` is no month", "wards.csv"),
    ] {
        let (message, at) = read(&domain, content).expect_err(&domain);
        assert!(message.contains(words), "{domain}: {message}");
        assert!(at.contains(place), "{domain}: {at}");
    }
}

/// The file's content is signed for, since its hash is; whoever reads no files reads no such agreement.
#[test]
fn the_hash_is_part_of_what_is_signed() {
    let text = text(&named("wards.csv", &hash(WARDS)));
    let error = parse(&text, "test.toml").expect_err("no files");
    assert!(error.to_string().contains("are not read here"), "{error}");
    let beside = |_: &str, _: &str| Ok(WARDS.as_bytes().to_vec());
    let agreement = parse_beside(&text, "test.toml", &beside).expect("good");
    assert_eq!(version_of(&text).as_ref(), Some(agreement.hash()), "its name needs no files");
    assert_ne!(version_of(&text.replace("A-1", "A-2")).as_ref(), Some(agreement.hash()));
    let signed = |content: &str| {
        let text = text.replace(&hash(WARDS), &hash(content));
        let beside = |_: &str, _: &str| Ok(content.as_bytes().to_vec());
        parse_beside(&text, "test.toml", &beside).expect("good").hash().clone()
    };
    assert_eq!(signed(WARDS), signed(WARDS));
    assert_ne!(signed(WARDS), signed("ward\nW1\n"));
}
