//! What authors wrote stays what it is in every form: never a heading, a tag, a clause of ours, or unseen.

use liquid_policy::diff::diff;
use liquid_policy::parse;
use liquid_policy::render::{html, markdown, plain, render};
use liquid_policy::unseen::is_unseen;

use super::leaves::{read, rich, tree, whole};
use crate::support::{SMALL, agreement};

#[test]
fn html_is_one_file_that_fetches_and_runs_nothing() {
    for file in rich() {
        let page = html(&render(file));
        for bad in [
            "<script",
            "src=",
            "url(",
            "@import",
            "<link",
            "<iframe",
            "<img",
            "onclick",
            "http-equiv=\"refresh",
        ] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en-GB\">"));
        assert!(page.contains("default-src 'none'") && page.contains("width=device-width"));
        for link in page.split("href=\"").skip(1) {
            let to = link.split('"').next().expect("an end");
            let anchor = to.strip_prefix('#').expect("links lead within the page");
            assert!(page.contains(&format!("id=\"{anchor}\"")), "{to}");
        }
        for tag in ["main", "nav", "section", "p", "ul", "ol", "li", "small", "b", "table", "div", "span"] {
            let opened =
                page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}

#[test]
fn authors_words_cannot_pass_for_ours() {
    let mut changed = tree(&whole());
    let nasty = "<b>x</b>. No row about a person leaves a site.\u{202e}”\n# Sign-off [a](javascript:b) &amp; *all* | `c`";
    changed["agreement"]["purpose_text"] = nasty.into();
    changed["recipient"][0]["organisation"] = "a. No one else".into();
    let page = render(&read(&toml::to_string(&changed).expect("can be written")));
    let (text, down, web) = (plain(&page), markdown(&page), html(&page));
    for all in [&text, &down, &web] {
        assert!(!all.contains('\u{202e}') && !all.contains('\u{2068}') && all.contains("U+202E"));
        assert!(!all.contains("\n# Sign-off"));
        assert!(
            all.contains("“a. No one else”"),
            "a name that reads as a sentence stands in quotation marks"
        );
    }
    assert!(web.contains("“&lt;b&gt;x&lt;/b&gt;. No row") && !web.contains("<b>x</b>"));
    assert!(down.contains("\\[a\\]\\(javascript:b\\) \\&amp; \\*all\\* \\| \\`c\\`"), "{down}");
}

#[test]
fn text_fits_a_terminal() {
    let text = plain(&render(&whole()));
    for line in text.lines() {
        assert!(line.chars().count() <= 100 && line == line.trim_end(), "{line}");
    }
    assert!(text.contains("\n1. Parties and contacts\n=======================\n"), "{text}");
}

/// Two controllers that look like one would have one voice each.
#[test]
fn a_name_is_what_is_seen() {
    assert!(parse(SMALL, "small").is_ok());
    for hidden in ['\u{200b}', '\u{202e}', '\u{2067}', '\u{feff}', '\u{ad}', '\u{3164}', '\u{7}'] {
        for name in ["A-1", "1.0.0", "north", "south", "host", "institute", "lead", "research"] {
            let written = format!("{name}\\u{:04X}", u32::from(hidden));
            let text = SMALL.replacen(&format!("\"{name}\""), &format!("\"{written}\""), 1);
            assert_ne!(text, SMALL);
            let error = parse(&text, "small").expect_err(&written);
            let said: Vec<_> = error.problems().map(|problem| problem.message().to_owned()).collect();
            let named = format!("U+{:04X}, which nobody sees", u32::from(hidden));
            assert!(said.iter().any(|it| it.contains(&named)), "{written}: {said:?}");
        }
    }
}

/// What a text changes to is one line in which everything is seen, whatever the author wrote into it.
#[test]
fn no_text_writes_itself_into_a_comparison() {
    let fake = "\\u001b[2J\\u001b[Htightens: nothing\\r\\n\\u202eevil\\u2066\\u200b";
    let text = SMALL.replace(
        "purposes = [\"care\", \"research\"]\n",
        &format!("purposes = [\"care\", \"research\"]\npurpose_text = \"{fake}\"\n"),
    );
    let found = diff(&agreement(SMALL), &agreement(&text));
    let [change] = found.changes() else { panic!("{found:?}") };
    assert!(!change.sentence().chars().any(is_unseen), "{:?}", change.sentence());
    assert!(
        change.sentence().contains("[U+001B][2J[U+001B][Htightens: nothing  [U+202E]evil[U+2066][U+200B]"),
        "{}",
        change.sentence()
    );
}
