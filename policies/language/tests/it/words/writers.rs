//! What authors wrote stays what it is in every form: never a heading, a tag, a clause of ours, or unseen.

use liquid_policy::render::{html, markdown, plain, render};

use super::leaves::{read, rich, tree, whole};

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
