//! Presets write what this version enforces and nothing else, and what they write is a good beginning.

use std::cmp::Ordering;

use liquid_policy::file::File;
use liquid_policy::key::{Key, Support};
use liquid_policy::lint::{Advice, Kind, standing};
use liquid_policy::parse;
use liquid_policy::preset::{PUBLISHED, Preset, RESEARCH, Start, TRUSTED};
use liquid_policy::render::{plain, render};
use proptest::prelude::*;

use super::leaves::read;
use crate::support::day;

fn new(preset: &Preset) -> String {
    preset.agreement(&Start { id: "NEW-2026-01", title: "School meals", first: day("2026-12-01") })
}

fn lint(file: &File) -> Vec<Advice> {
    liquid_policy::lint::lint(file, day("2026-12-01"))
}

#[test]
fn a_new_agreement_is_one_that_a_site_takes() {
    for preset in Preset::ALL {
        let text = new(&preset);
        let agreement =
            parse(&text, "new.toml").unwrap_or_else(|e| panic!("{:?}\n{text}", miette::Report::new(e)));
        assert_eq!((agreement.id().as_str(), agreement.title()), ("NEW-2026-01", "School meals"));
        assert_eq!(agreement.in_force(), &(day("2026-12-01")..=day("2027-11-30")));
        assert_eq!(agreement.review().map(|review| review.due), Some(day("2027-06-01")));
        let file = agreement.file();
        assert_eq!(preset.compare(file), Some(Ordering::Equal), "{}", preset.name);
        assert_eq!(render(file).not_kept_yet(), 0);
        assert!(plain(&render(file)).contains("“to fill in”"));
        assert!(text.contains(&format!("preset *{}*", preset.name)));
    }
}

#[test]
fn presets_write_what_is_enforced_and_name_the_rest_in_comments() {
    for preset in Preset::ALL {
        let text = new(&preset);
        let written: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        for setting in preset.settings() {
            let key = Key::of(setting.key).unwrap_or_else(|| panic!("`{}` is no key", setting.key));
            let name = setting.key.rsplit('.').next().expect("a name");
            let line = format!("{name} = {}", setting.value);
            let is_written = written.iter().any(|written| written.starts_with(&line));
            let full = match key.support {
                Support::Full => true,
                Support::Only(fixed) => fixed.to_string() == setting.value,
                Support::None => false,
            };
            assert_eq!(is_written, full, "{}: {}", preset.name, setting.key);
            let named = text.contains(&format!("#   {} = {}", setting.key, setting.value));
            assert_eq!(named, !full, "{}: {}", preset.name, setting.key);
        }
    }
    let later = Preset::ALL.iter().any(|preset| preset.settings().len() > preset.enforced().count());
    assert_eq!(later, new(&PUBLISHED).contains("Do not write it before"));
}

#[test]
fn lint_says_what_to_fill_in() {
    for preset in Preset::ALL {
        let text = new(&preset);
        let advice = lint(&read(&text));
        for key in ["purpose_text", "dpia", "legal_basis", "contact", "party", "recipient", "table"] {
            let found =
                advice.iter().any(|a| a.kind == Kind::FillIn && a.path.iter().any(|step| step == key));
            assert!(found, "{}: `{key}` is not asked for", preset.name);
        }
        let others = advice.iter().filter(|a| a.kind != Kind::FillIn);
        // The others are weaker than *published statistics* on purpose, and lint says so.
        let others_too = preset.name != PUBLISHED.name;
        let weaker = |a: &Advice| a.kind == Kind::Weak && a.message.contains("weaker than *published");
        let others: Vec<_> = others.filter(|a| !(others_too && weaker(a))).collect();
        assert!(others.is_empty(), "a preset has no faults of its own: {others:#?}");
        let full = text.replace("to-fill-in", "filled").replace("to fill in", "filled");
        assert!(lint(&read(&full)).iter().all(|a| a.kind != Kind::FillIn));
    }
}

#[test]
fn agreements_are_measured_by_the_presets() {
    let [published, trusted, research] = [&PUBLISHED, &TRUSTED, &RESEARCH].map(|preset| read(&new(preset)));
    assert_eq!(PUBLISHED.compare(&trusted), Some(Ordering::Less));
    assert_eq!(TRUSTED.compare(&published), Some(Ordering::Greater));
    assert_eq!(RESEARCH.compare(&research), Some(Ordering::Equal));
    let mixed = read(
        &new(&PUBLISHED)
            .replace("minimum_contributors = 10", "minimum_contributors = 20")
            .replace("rows_out_max = 10000", "rows_out_max = 20000"),
    );
    assert_eq!(PUBLISHED.compare(&mixed), None);
    assert_eq!(TRUSTED.compare(&mixed), Some(Ordering::Greater));
    assert!(standing(&mixed).starts_with(
        "its rules are stricter in some things and weaker in others than *published statistics*, stricter than *trusted"
    ));
}

proptest! {
    #[test]
    fn any_id_and_title_can_be_written(id in "[-_.A-Za-z0-9]{1,20}", title in "\\PC{0,40}") {
        let text = TRUSTED.agreement(&Start { id: &id, title: &title, first: day("2026-12-01") });
        let agreement = parse(&text, "new.toml").map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        prop_assert_eq!(agreement.id().as_str(), id.as_str());
        prop_assert_eq!(agreement.title(), title.as_str());
    }
}
