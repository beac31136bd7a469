//! `liquid policy rollback`: back to an earlier version. Going back is going on: to a new version with the earlier one's text, which replaces all
//! that stands or has been signed since, and is signed and activated as any other one.

use std::collections::BTreeSet;
use std::path::Path;

use liquid_policy::document::Agreement;
use liquid_policy::id::AgreementHash;
use liquid_policy::life::VersionStatus;
use liquid_policy::parse::{next_version, parse_beside, read, succeed, version_of};
use liquid_policy::signature::SignatureFile;

use super::propose::Proposal;
use super::sites::{Sites, Told, short};
use super::status::put;
use super::ways::{ends, needed, open, waiting};
use super::who::Person;
use super::{author, beside, meaning, read_signatures, unusable};
use crate::args::Rollback;
use crate::failure::Failure;
use crate::terminal::note_wrapped as note;

/// Proposes the text of an earlier version as a new one.
///
/// # Errors
/// Where there is no such version, it stands already, or a site does not hold the new one.
pub(super) async fn run(command: &Rollback) -> Result<(), Failure> {
    let id = command.id.as_str();
    let person = Person::read(&command.who)?;
    let mut sites = Sites::reach(&command.reach, Some(person.organisation.as_str())).await?;
    let status = sites.status(vec![]).await?;
    let to = status.version(id, &command.version)?.clone();
    let text = sites.text(id, &to).await?;
    let mut left = open(&status, id);
    for named in &command.from {
        left.insert(sites.version(&status, id, named).await?.hash);
    }
    // The earlier one could still come to stand beside its own text.
    let all = left.iter().chain([&to.hash]).cloned().collect();
    let earlier = Earlier { told: &status, id, version: &to, text: &text };
    let next = earlier.again(&needed(&status, id, &all))?;
    let agreement = parsed(&mut sites, &next).await?;
    author::may_propose(&agreement, &person, command.author)?;
    earlier.say_what_it_replaces(&agreement, &left);
    against(&mut sites, &status, &agreement).await?;

    let signed = command.out.as_ref().map(|file| file.with_extension("sig.toml"));
    let signatures = signed.as_deref().map_or_else(|| Ok(SignatureFile::default()), read_signatures)?;
    if let Some(file) = &command.out {
        put(file, &next)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        beside::save(&mut sites, folder, agreement.file().beside()).await?;
    }
    let found = beside::fetch(&mut sites, agreement.file().beside()).await?;
    let files = beside::to_send(&agreement, |_, sha256| found.get(sha256).cloned());
    let number = agreement.version().to_owned();
    let proposal = Proposal { agreement, text: next, files, signatures, signed };
    proposal.send(&person, &mut sites).await?;
    let file = match &command.out {
        Some(file) => {
            format!("those who must sign it do so with `liquid policy sign --send {}`", file.display())
        }
        None => format!(
            "those who must sign it find it with `liquid policy status {id} --save DIR`, and sign it with `liquid policy sign --send FILE`"
        ),
    };
    note(&format!("{file}; then `liquid policy activate {id} --version {number}` lets it take over"));
    Ok(())
}

/// Reads a text, with the files that it names, as sites send them.
async fn parsed(sites: &mut Sites, text: &str) -> Result<Agreement, Failure> {
    let named = read(text, "version").map_err(unusable)?.beside();
    let found = beside::fetch(sites, named).await?;
    let send = |_: &str, sha256: &str| {
        let text =
            found.get(sha256).ok_or("no site sends it; propose the version from a folder that has it")?;
        Ok(text.as_bytes().to_vec())
    };
    parse_beside(text, "the earlier version", &send).map_err(unusable)
}

/// Says what it changes against each version that stands.
async fn against(sites: &mut Sites, status: &Told, agreement: &Agreement) -> Result<(), Failure> {
    let id = agreement.id().as_str();
    let stands: BTreeSet<&AgreementHash> = status.agreement(id).flat_map(|(_, held)| ends(held)).collect();
    for hash in stands {
        let text = sites.text(id, status.version(id, hash.as_str())?).await?;
        if let Ok(old) = read(&text, "version") {
            note(&meaning::against((&old, hash), "which stands", agreement));
        }
    }
    Ok(())
}

/// The version whose text is to stand again.
struct Earlier<'a> {
    told: &'a Told,
    id: &'a str,
    version: &'a VersionStatus,
    text: &'a str,
}

impl Earlier<'_> {
    /// Its text as a version that replaces those: as it was proposed before, or with a number that no other one has.
    fn again(&self, replaces: &BTreeSet<AgreementHash>) -> Result<String, Failure> {
        let held = || self.told.agreement(self.id).flat_map(|(_, it)| &it.versions);
        let last = replaces.first().filter(|_| replaces.len() == 1);
        if let Some(same) =
            last.and_then(|last| held().find(|it| it.hash == *last)).filter(|it| self.is_in(it))
        {
            return Err(self.nothing_to_replace(same));
        }
        let before = held().find(|it| it.supersedes == *replaces && self.is_in(it));
        let number = match before {
            Some(before) => {
                note(&format!("it has been proposed before, as version {}", before.version));
                before.version.clone()
            }
            None => self.number()?,
        };
        succeed(self.text, "the earlier version", &number, replaces).map_err(unusable)
    }

    /// Whether a version says the same but for its number and for what it replaces.
    fn is_in(&self, other: &VersionStatus) -> bool {
        let same = || succeed(self.text, "version", &other.version, &other.supersedes).ok();
        other.hash == self.version.hash || same().and_then(|it| version_of(&it)).as_ref() == Some(&other.hash)
    }

    /// Where one that says the same has replaced all that there is.
    fn nothing_to_replace(&self, same: &VersionStatus) -> Failure {
        let (id, number) = (self.id, self.told.called(self.id, same));
        let named = match same.hash == self.version.hash {
            true => format!("version `{number}` of `{id}`"),
            false => {
                format!("version `{number}` of `{id}`, which says the same as `{}`,", self.version.version)
            }
        };
        if self.told.agreement(id).all(|(_, held)| ends(held) == BTreeSet::from([&same.hash])) {
            return Failure::here(
                format!("{named} stands already"),
                "name the version to go back to with `--version`, or one that is to be given up before it takes over with `--from`",
            );
        }
        Failure::here(
            format!("{named} replaces all that stands already, and has not taken over at all sites"),
            format!("`liquid policy activate {id} --version {number}` lets it take over once it is signed"),
        )
    }

    /// The number after that of the version that stands, or after the greatest of several; the first that no version has.
    fn number(&self) -> Result<String, Failure> {
        let held: Vec<&VersionStatus> =
            self.told.agreement(self.id).flat_map(|(_, it)| &it.versions).collect();
        let stands: BTreeSet<&AgreementHash> =
            self.told.agreement(self.id).flat_map(|(_, it)| ends(it)).collect();
        let standing = held.iter().filter(|it| stands.contains(&it.hash)).map(|it| it.version.as_str());
        let greatest = standing.max_by_key(|it| in_numbers(it)).unwrap_or(&self.version.version);
        let numbers = std::iter::successors(Some(next_version(greatest)), |it| Some(next_version(it)));
        let is_free = |number: &String| held.iter().all(|it| it.version != *number);
        numbers.take(held.len().saturating_add(1)).find(is_free).ok_or_else(|| {
            Failure::here(
                format!("no number is free after `{greatest}`"),
                "take the text home with `liquid policy status --save`, number it by hand, and propose it",
            )
        })
    }

    /// Whoever reads it sees all that is left, also where that is replaced by another one that it names.
    fn say_what_it_replaces(&self, agreement: &Agreement, left: &BTreeSet<AgreementHash>) {
        note(&format!(
            "{} has the text of version {} ({})",
            meaning::named(agreement),
            self.version.version,
            short(&self.version.hash)
        ));
        for hash in left.union(agreement.supersedes()) {
            let Ok(version) = self.told.version(self.id, hash.as_str()) else { continue };
            let standing = self.told.agreement(self.id).filter(|(_, held)| ends(held).contains(hash));
            let sites: Vec<&str> = standing.map(|(answer, _)| answer.site.as_str()).collect();
            let state = match sites.as_slice() {
                [] if version.lacks.is_empty() => ", which all have signed".to_owned(),
                [] => String::new(),
                sites => format!(", which stands at {}", sites.join(", ")),
            };
            note(&format!("it replaces version {} ({}){state}", version.version, short(hash)));
        }
        let waiting = waiting(self.told, self.id, agreement.supersedes());
        for other in waiting.into_iter().filter(|it| it.hash != *agreement.hash()) {
            note(&format!(
                "it does not replace version {} ({}), which is activated and lacks signatures; to give that up too, add `--from {}`",
                other.version,
                short(&other.hash),
                self.told.called(self.id, other)
            ));
        }
    }
}

/// How numbers of versions are compared: number by number, and then as they are written.
fn in_numbers(version: &str) -> (Vec<u64>, String) {
    let numbers = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.collect(), version.to_owned())
}

#[cfg(test)]
mod tests {
    use liquid_node_api::governance::SiteGovernance;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_next_number_follows_the_greatest_that_stands_and_is_free() {
        let number =
            |held: &[&str], ends: &[&str]| {
                let versions: Vec<_> = held
                .iter()
                .map(|it| json!({
                    "hash": it, "version": it, "placed": false, "said": [], "lacks": [], "activated": [],
                    "tightens": false,
                }))
                .collect();
                let parted = if ends.len() > 1 { ends } else { &[] };
                let agreement = json!({
                    "id": "A-1", "title": "", "stands": ends.first(), "parted": parted, "suspended": [],
                    "versions": versions,
                });
                let answer = SiteGovernance {
                    site: "north".into(),
                    agreements: vec![serde_json::from_value(agreement).unwrap()],
                    statements: vec![],
                    texts: Default::default(),
                    files: Default::default(),
                };
                let told = Told { answers: vec![answer], silent: vec![] };
                let first = told.version("A-1", held[0]).unwrap();
                Earlier { told: &told, id: "A-1", version: first, text: "" }.number().ok()
            };
        assert_eq!(number(&["1.0.0", "1.1.0"], &["1.1.0"]).as_deref(), Some("1.2.0"));
        assert_eq!(number(&["1.0.0", "2.9.0", "2.10.0"], &["2.9.0", "2.10.0"]).as_deref(), Some("2.11.0"));
        assert_eq!(number(&["1.0.0", "1.1.0", "1.2.0"], &["1.0.0"]).as_deref(), Some("1.3.0"));
        assert_eq!(number(&["draft"], &[]).as_deref(), Some("draft.1"));
        let last = format!("1.{}.0", u64::MAX);
        assert_eq!(number(&[&last], &[&last]), None, "an end, and no search without one");
    }
}
