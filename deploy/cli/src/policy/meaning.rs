//! What a version is that somebody is about to sign: its name, its fingerprint, what it changes, and whether anything else bears
//! its name.

use liquid_policy::diff::{Direction, compare};
use liquid_policy::document::Agreement;
use liquid_policy::file::File;
use liquid_policy::id::AgreementHash;

use super::diff::counts;
use super::sites::{Told, short};
use super::text::Near;

/// A version as people name it: id, number, the beginning of its fingerprint.
pub(super) fn named(agreement: &Agreement) -> String {
    format!("{} {} ({})", agreement.id(), agreement.version(), short(agreement.hash()))
}

/// What a version that goes some way does to another one.
pub(super) fn goes(direction: Direction) -> &'static str {
    match direction {
        Direction::Tightens => "only tightens",
        Direction::Loosens => "loosens",
        Direction::Neither => "tightens in one place and loosens in another, or cannot be told, against",
        Direction::Same => "says the same to machines as",
    }
}

/// What a version changes against another one, in a line. `which` says what that one is.
pub(super) fn against((old, hash): (&File, &AgreementHash), which: &str, new: &Agreement) -> String {
    let found = compare(old, new.file());
    let people = (old.disclosure.minimum_contributors, new.file().disclosure.minimum_contributors);
    let people = match people {
        (before, now) if before == now => String::new(),
        (before, now) => format!("; behind each figure {now} people, not {before}"),
    };
    format!(
        "{} {} version {} ({}), {which}: {}{people}",
        named(new),
        goes(found.verdict()),
        old.agreement.version,
        short(hash),
        counts(&found).unwrap_or_else(|| "no clause differs".to_owned())
    )
}

/// Other texts that bear the same id and number: at the sites, and near the file.
pub(super) fn namesakes(agreement: &Agreement, told: Option<&Told>, near: &[Near]) -> Vec<String> {
    let mut found: Vec<(AgreementHash, String)> = Vec::new();
    for (answer, status) in told.into_iter().flat_map(|told| told.agreement(agreement.id().as_str())) {
        let other = status.versions.iter().filter(|it| it.version == agreement.version());
        found.extend(other.map(|it| (it.hash.clone(), format!("at {}", answer.site))));
    }
    for it in near {
        let head = &it.file.agreement;
        if head.id == *agreement.id() && head.version == agreement.version() {
            found.push((it.hash.clone(), format!("in {}", it.path.display())));
        }
    }
    found.retain(|(hash, _)| hash != agreement.hash());
    found.sort();
    found.dedup_by(|one, other| one.0 == other.0);
    let told = found.into_iter().map(|(hash, place)| {
        format!(
            "another text is called {} {}, too: {} {place}; compare the fingerprint with those who sign with you",
            agreement.id(),
            agreement.version(),
            short(&hash)
        )
    });
    told.collect()
}
