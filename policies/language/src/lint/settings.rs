//! The rules on figures, measured by the presets.

use std::cmp::Ordering;

use super::{Advice, Kind};
use crate::file::File;
use crate::preset::{PUBLISHED, Preset, Setting};

/// Below this, a figure tells a lot about each of the few behind it.
const MINIMUM: u32 = 10;

/// Settings that are weaker than those of *published statistics*.
pub(super) fn settings(file: &File, advice: &mut Vec<Advice>) {
    // Rules on few that make up most need contributors to be counted.
    let off = file.disclosure.minimum_contributors <= 1;
    let useless =
        |setting: &Setting| off && matches!(setting.key, "disclosure.dominance" | "disclosure.p_ratio");
    let weaker = |setting: &Setting| setting.compare(file) == Ordering::Less && !useless(setting);
    for setting in PUBLISHED.enforced().filter(|setting| weaker(setting)) {
        let path: Vec<&str> = setting.key.split('.').collect();
        let key = path.last().copied().unwrap_or_default();
        let written = setting.written(file);
        let than = beside(file, setting);
        let message = match (setting.key, file.disclosure.minimum_contributors) {
            ("disclosure.minimum_contributors", 0 | 1) => {
                format!("the rules on small figures are off, and a figure can be about one person: {than}")
            }
            ("disclosure.minimum_contributors", few) => {
                format!("behind a figure stand only {few} people, below the usual {MINIMUM}: {than}")
            }
            _ if written.is_null() => format!("`{key}` is off: {than}"),
            _ => format!("`{key}` is {written}: {than}"),
        };
        let help = format!("write `{key} = {}`, or agree why this is enough", setting.value);
        advice.push(Advice::new(Kind::Weak, &path, message, help));
    }
}

/// `weaker than *published statistics* (10), as strict as *trusted analysts* (5)`.
fn beside(file: &File, setting: &Setting) -> String {
    let mut parts = Vec::new();
    for (order, words) in [
        (Ordering::Less, "weaker than"),
        (Ordering::Equal, "as strict as"),
        (Ordering::Greater, "stricter than"),
    ] {
        let presets: Vec<String> = Preset::ALL
            .iter()
            .filter_map(|preset| Some((preset.name, preset.enforced().find(|own| own.key == setting.key)?)))
            .filter(|(_, own)| own.compare(file) == order)
            .map(|(name, own)| format!("*{name}* ({})", own.value))
            .collect();
        if !presets.is_empty() {
            parts.push(format!("{words} {}", crate::render::words::all(presets)));
        }
    }
    parts.join(", ")
}

/// How the whole compares with each preset, in a sentence.
pub fn standing(file: &File) -> String {
    let words = |preset: &Preset| {
        let order = match preset.compare(file) {
            Some(Ordering::Less) => "weaker than",
            Some(Ordering::Equal) => "as strict as",
            Some(Ordering::Greater) => "stricter than",
            None => "stricter in some things and weaker in others than",
        };
        format!("{order} *{}*", preset.name)
    };
    format!("its rules are {}", crate::render::words::all(Preset::ALL.iter().map(words)))
}
