//! `liquid policy status`: how agreements stand at the sites, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use liquid_local::keys;
use liquid_policy::id::{AgreementHash, AgreementId};
use liquid_policy::life::{AgreementStatus, SaidBy, VersionStatus};
use liquid_policy::parse::read;
use liquid_policy::signature::Lack;
use liquid_policy::statement::{Act, Statement};

use super::author::{BARRED, wrote};
use super::sign::write;
use super::sites::{Sites, Told, short};
use super::ways::{ends, is_replaced, leads_on};
use super::{beside, read_signatures};
use crate::args::Status;
use crate::failure::Failure;
use crate::terminal::{Paint, note, say_json, say_wrapped};

/// Runs the command.
///
/// # Errors
/// Where no site answers, or what they hold cannot be written.
pub(super) async fn run(status: &Status) -> Result<(), Failure> {
    let mut sites = Sites::reach(&status.reach, status.organisation.as_deref()).await?;
    let mut told = sites.status(vec![]).await?;
    if let Some(id) = &status.id {
        let unknown = told.unknown(id);
        told.answers.iter_mut().for_each(|answer| answer.agreements.retain(|it| it.id.as_str() == id));
        if told.agreement(id).next().is_none() {
            return Err(unknown);
        }
    }
    if let Some(folder) = &status.save {
        save(&mut sites, &told, folder).await?;
    }
    if status.json {
        let json = serde_json::to_string(&told.answers).unwrap_or_default();
        say_json(&json);
    } else {
        let apart = kept_apart(&mut sites, &told).await?;
        lines(&told, &apart, Paint::stdout(), keys::now()).iter().for_each(|line| say_wrapped(line));
    }
    if told.silent.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

/// Versions that their author may not approve, of those that somebody has both written and approved.
async fn kept_apart(sites: &mut Sites, told: &Told) -> Result<BTreeSet<AgreementHash>, Failure> {
    let all = told.answers.iter().flat_map(|answer| &answer.agreements);
    let both =
        all.flat_map(|it| it.versions.iter().map(move |version| (&it.id, version))).filter(|(_, it)| {
            it.said.iter().any(|said| said.act == "approve" && wrote(it, &said.organisation, &said.key_id))
        });
    let both: Vec<(&AgreementId, &VersionStatus)> = both.collect();
    let mut apart = BTreeSet::new();
    if both.is_empty() {
        return Ok(apart);
    }
    let texts = sites.status(both.iter().map(|(_, it)| it.hash.clone()).collect()).await?;
    for (id, version) in both {
        let text = texts.text(id.as_str(), version)?;
        if text.and_then(|text| read(text, "version").ok()).is_some_and(|it| !it.signoff.author_may_sign) {
            apart.insert(version.hash.clone());
        }
    }
    Ok(apart)
}

/// What the sites say, put together: what is the same at all of them is said once.
fn lines(told: &Told, apart: &BTreeSet<AgreementHash>, paint: Paint, now: DateTime<Utc>) -> Vec<String> {
    let ids: BTreeSet<&str> =
        told.answers.iter().flat_map(|it| &it.agreements).map(|it| it.id.as_str()).collect();
    let mut lines = Vec::new();
    for id in ids {
        let mut views: Vec<(&AgreementStatus, Vec<&str>)> = Vec::new();
        for (answer, agreement) in told.agreement(id) {
            match views.iter_mut().find(|(known, _)| compared(known, now) == compared(agreement, now)) {
                Some((_, sites)) => sites.push(answer.site.as_str()),
                None => views.push((agreement, vec![answer.site.as_str()])),
            }
        }
        for (agreement, sites) in &views {
            lines.push(format!(
                "{}  {}  {}",
                paint.bold(id),
                agreement.title,
                paint.dim(&format!("at {}", sites.join(", ")))
            ));
            lines.extend(one(agreement, apart, paint).into_iter().map(|line| format!("  {line}")));
        }
        if views.len() > 1 {
            lines.push(format!(
                "  {} the sites do not agree on {id}; those that differ refuse until they do",
                paint.warn("note:")
            ));
        }
    }
    if lines.is_empty() {
        lines.push("the sites hold no agreement to which your organisation is a party".to_owned());
    }
    lines
}

/// What sites must agree on. They hear an activation each at a moment of their own, and it counts from then; and what the one was
/// sent, the operator of the other may have placed.
fn compared(agreement: &AgreementStatus, now: DateTime<Utc>) -> AgreementStatus {
    let mut agreement = agreement.clone();
    for version in &mut agreement.versions {
        version.placed = false;
        let to_come = |at: &DateTime<Utc>| *at > now + TimeDelta::minutes(1);
        for at in version.activated.iter_mut().filter(|at| !to_come(at)) {
            *at = DateTime::UNIX_EPOCH;
        }
        version.activated.sort();
    }
    agreement
}

fn one(agreement: &AgreementStatus, apart: &BTreeSet<AgreementHash>, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for suspension in &agreement.suspended {
        lines.push(format!("{} by {}", paint.bad("suspended"), by(suspension)));
    }
    lines.extend(agreement.resuming.iter().map(|said| format!("agreed to resume by {}", by(said))));
    if !agreement.suspended.is_empty() && !agreement.resume_lacks.is_empty() {
        lines.push(format!("to resume it, {}", lacking(&agreement.resume_lacks)));
    }
    if agreement.stands.is_none() {
        lines.push(paint.warn("no version stands"));
    }
    lines.extend(stopped(agreement).map(|why| format!("{} {why}", paint.bad("nothing is answered:"))));
    for version in &agreement.versions {
        let replaced = is_replaced(agreement, &version.hash);
        let word = match ends(agreement).contains(&version.hash) {
            true if !agreement.suspended.is_empty() => paint.bad("suspended"),
            true if !agreement.lacks.is_empty() => paint.bad("stands, and answers nothing"),
            true => paint.good("in force"),
            false if replaced => paint.dim("replaced"),
            false => paint.dim("held, not in force"),
        };
        let name = format!("version {}  {}", version.version, paint.dim(&format!("sha256:{}", version.hash)));
        // Held against the one that stands.
        let tightens = version.tightens && agreement.parted.is_empty();
        lines.push(format!("{name}  {word}{}", if tightens { ", only tightens" } else { "" }));
        lines.extend(details(version, apart).into_iter().map(|line| format!("  {line}")));
        let to_come = version.activated.iter().filter(|_| !replaced);
        lines.extend(to_come.map(|at| format!("  takes over at {}", at.format("%Y-%m-%d %H:%M:%S UTC"))));
        if !version.activated.is_empty() && !leads_on(agreement, version) {
            lines.push(format!("  {}", paint.warn(GOES_NOWHERE)));
        }
    }
    lines
}

/// Said of a version that nothing can bring into force.
const GOES_NOWHERE: &str =
    "its `supersedes` names no version that stands or has stood here, so it cannot take over";

/// Why nothing is answered though its version is signed.
fn stopped(agreement: &AgreementStatus) -> Option<String> {
    let id = &agreement.id;
    let of = |it: &&VersionStatus| agreement.stands.as_ref() == Some(&it.hash);
    let stands = agreement.versions.iter().find(of);
    let own = stands.map_or(&[][..], |it| &it.lacks);
    let lacks: Vec<Lack> = agreement.lacks.iter().filter(|lack| !own.contains(lack)).cloned().collect();
    let named = |it: &VersionStatus| format!("{} ({})", it.version, short(&it.hash));
    let parted = agreement.versions.iter().filter(|it| agreement.parted.contains(&it.hash));
    let parted: Vec<String> = parted.map(named).collect();
    // The rest is of what the site's own organisation has gone on to alone.
    let alone = format!("the site has gone on to version {} alone", stands.map(named).unwrap_or_default());
    match () {
        () if lacks.contains(&Lack::Choice) && !parted.is_empty() => Some(format!(
            "versions {} stand beside each other, and none replaces the others; `liquid policy rollback {id} --version …` proposes the \
             text of one of them again as a version that replaces all, or propose a new text whose `supersedes` names them all",
            parted.join(" and ")
        )),
        () if lacks.contains(&Lack::Choice) => Some(format!(
            "{alone}, which replaces several and is not tighter than each of them; let all sign it who must, or go back with \
             `liquid policy rollback {id} --version …`"
        )),
        () if lacks.contains(&Lack::Unheard) => Some(format!(
            "{alone}, and a version that it replaces does not stand here; let all sign it who must, go back with `liquid policy rollback \
             {id} --version …`, or let the operator place what `liquid policy status --save` writes at a site where that version stands"
        )),
        () if lacks.is_empty() => None,
        () => Some(lacking(&lacks)),
    }
}

fn details(version: &VersionStatus, apart: &BTreeSet<AgreementHash>) -> Vec<String> {
    let mut lines = vec![lacking(&version.lacks)];
    lines.extend(version.beside.iter().map(|(name, sha256)| format!("beside it {name}  sha256:{sha256}")));
    let barred = |said: &SaidBy| {
        said.act == "approve"
            && apart.contains(&version.hash)
            && wrote(version, &said.organisation, &said.key_id)
    };
    lines.extend(version.said.iter().map(|said| {
        let worth = if barred(said) { format!(": {BARRED}") } else { String::new() };
        format!("{} by {}{worth}", past(&said.act), by(said))
    }));
    lines
}

/// What was done, as it is told of somebody.
pub(super) fn past(act: &str) -> &str {
    match act {
        "write" => "written",
        "approve" => "approved",
        other => other,
    }
}

fn by(said: &SaidBy) -> String {
    format!(
        "{}, {}, {} ({})",
        said.organisation,
        said.role,
        said.time.format("%Y-%m-%d %H:%M UTC"),
        said.key_id
    )
}

/// What a sign-off lacks, in words.
pub(super) fn lacking(lacks: &[Lack]) -> String {
    if lacks.is_empty() {
        return "signed by all who must".to_owned();
    }
    let missing: Vec<String> = lacks.iter().map(|lack| lack.to_string().replace('`', "")).collect();
    format!("still missing: {}", missing.join("; "))
}

/// Writes what the sites hold, one file a version.
async fn save(sites: &mut Sites, told: &Told, folder: &Path) -> Result<(), Failure> {
    let mut versions: BTreeMap<AgreementHash, (String, &AgreementId, &VersionStatus)> = BTreeMap::new();
    for agreement in told.answers.iter().flat_map(|answer| &answer.agreements) {
        for version in &agreement.versions {
            let name: String = format!("{}-{}", agreement.id, version.version).chars().take(60).collect();
            let name = format!("{}-{}.toml", name.replace(['/', '\\'], "-"), short(&version.hash));
            versions.insert(version.hash.clone(), (name, &agreement.id, version));
        }
    }
    let texts = sites.status(versions.keys().cloned().collect()).await?;
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    for (name, id, version) in versions.into_values() {
        // A coordinator carried it: it is what its hash and its number say, or nothing.
        let Some(text) = texts.text(id.as_str(), version)? else { continue };
        let file = folder.join(&name);
        if put(&file, text)? {
            note(&format!("saved {}", file.display()));
        }
        save_signatures(&texts, version, &file.with_extension("sig.toml"))?;
        if let Ok(read) = read(text, &name) {
            beside::save(sites, folder, read.beside()).await?;
        }
    }
    Ok(())
}

/// Adds who wrote and who approved a version to the signatures beside it; those that are there stay.
fn save_signatures(texts: &Told, version: &VersionStatus, file: &Path) -> Result<(), Failure> {
    let mut kept = read_signatures(file)?;
    let before = kept.signatures.len();
    let signs = |it: &&Statement| {
        matches!(it.act, Act::Write { .. } | Act::Approve { .. }) && it.act.agreement() == Some(&version.hash)
    };
    for statement in texts.answers.iter().flat_map(|answer| &answer.statements).filter(signs) {
        let known = kept.signatures.iter().any(|it| {
            it == statement
                || (&it.act, &it.organisation, &it.key_id)
                    == (&statement.act, &statement.organisation, &statement.key_id)
        });
        if !known {
            kept.signatures.push(statement.clone());
        }
    }
    if kept.signatures.len() > before {
        write(file, &kept.to_string())?;
        note(&format!("saved {}", file.display()));
    }
    Ok(())
}

/// Writes a new file; whether it was not there yet, as it is. Nothing that is there gives way.
pub(super) fn put(file: &Path, text: &str) -> Result<bool, Failure> {
    match fs::read(file) {
        Ok(there) if there == text.as_bytes() => return Ok(false),
        Ok(_) => {
            return Err(Failure::here(
                format!("`{}` is there and says something else", file.display()),
                "name another folder, so that nothing you have written is lost",
            ));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(unwritten(file, &error)),
    }
    // A link that leads nowhere is there too.
    let mut new =
        OpenOptions::new().write(true).create_new(true).open(file).map_err(|e| unwritten(file, &e))?;
    new.write_all(text.as_bytes()).map_err(|error| unwritten(file, &error))?;
    Ok(true)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::here(format!("`{}` cannot be written: {error}", path.display()), "name another folder")
}

#[cfg(test)]
mod tests {
    use liquid_node_api::governance::SiteGovernance;

    use super::*;

    #[test]
    fn a_moment_between_two_sites_is_no_disagreement() {
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = |at: DateTime<Utc>, minimum: &str| {
            serde_json::from_value::<AgreementStatus>(serde_json::json!({
                "id": "A-1", "title": "", "stands": "aa", "suspended": [], "versions": [{
                    "hash": minimum, "version": "1", "supersedes": [], "placed": false, "said": [], "lacks": [],
                    "activated": [at], "tightens": false,
                }],
            }))
            .unwrap()
        };
        let heard = now - TimeDelta::milliseconds(7);
        let agree = |one: AgreementStatus, other: AgreementStatus| {
            let answer = |site: &str, agreement| SiteGovernance {
                site: site.into(),
                agreements: vec![agreement],
                statements: vec![],
                texts: BTreeMap::new(),
                files: Default::default(),
            };
            let told = Told { answers: vec![answer("north", one), answer("south", other)], silent: vec![] };
            !lines(&told, &BTreeSet::new(), Paint::plain(), now)
                .iter()
                .any(|line| line.contains("do not agree"))
        };
        assert!(agree(at(heard, "aa"), at(now, "aa")));
        assert!(!agree(at(heard, "aa"), at(now, "ab")));
        let to_come = now + TimeDelta::days(1);
        assert!(agree(at(to_come, "aa"), at(to_come, "aa")));
        assert!(!agree(at(to_come, "aa"), at(now, "aa")), "the one has not heard of it, or later");
    }

    fn told(stands: &str, parted: &[&str], lacks: &[&str], versions: &[(&str, &[&str])]) -> Vec<String> {
        let versions: Vec<_> = versions
            .iter()
            .map(|(name, replaces)| {
                serde_json::json!({
                    "hash": name, "version": name, "supersedes": replaces, "placed": false, "said": [], "lacks": [],
                    "activated": ["2026-03-01T12:00:00Z"], "tightens": false,
                })
            })
            .collect();
        let agreement = serde_json::json!({
            "id": "A-1", "title": "", "stands": stands, "parted": parted, "lacks": lacks, "suspended": [],
            "versions": versions,
        });
        one(&serde_json::from_value(agreement).unwrap(), &BTreeSet::new(), Paint::plain())
    }

    #[test]
    fn what_is_replaced_and_what_leads_nowhere_are_told_apart_from_what_is_to_come() {
        let versions: [(&str, &[&str]); 4] = [("1", &[]), ("2", &["1"]), ("3", &["2"]), ("4", &["0"])];
        let lines = told("2", &[], &[], &versions);
        let words = |name: &str| {
            let at = lines.iter().position(|it| it.starts_with(&format!("version {name} "))).unwrap();
            lines[at..].iter().take_while(|it| **it == lines[at] || it.starts_with("  ")).cloned().collect()
        };
        let (one, two, three, four): (Vec<_>, Vec<_>, Vec<_>, Vec<_>) =
            (words("1"), words("2"), words("3"), words("4"));
        assert!(one[0].ends_with("  replaced") && !one.concat().contains("takes over"), "{one:?}");
        assert!(two[0].ends_with("  in force"), "{two:?}");
        assert!(
            three[0].ends_with("  held, not in force") && three.concat().contains("takes over at"),
            "{three:?}"
        );
        let astray: Vec<&String> = lines.iter().filter(|it| it.contains(GOES_NOWHERE)).collect();
        assert_eq!(astray, [four.last().unwrap()], "{lines:?}");
    }

    #[test]
    fn what_stops_an_agreement_is_said_with_what_to_do() {
        let versions: [(&str, &[&str]); 3] = [("1", &[]), ("2", &["1"]), ("3", &["1"])];
        let stopped = |lines: Vec<String>| {
            let line =
                lines.iter().find_map(|it| it.strip_prefix("nothing is answered: ").map(str::to_owned));
            assert!(!line.as_ref().unwrap().contains("  "), "{lines:?}");
            (line.unwrap(), lines.iter().filter(|it| it.ends_with("stands, and answers nothing")).count())
        };
        let (said, ends) = stopped(told("2", &["2", "3"], &["choice"], &versions));
        assert!(said.starts_with("versions 2 (2) and 3 (3) stand beside each other"), "{said}");
        assert!(said.contains("`liquid policy rollback A-1 --version …`"), "{said}");
        assert_eq!(ends, 2, "both of them stand");
        let (said, ends) = stopped(told("2", &[], &["choice"], &versions));
        assert!(said.contains("is not tighter than each of them") && ends == 1, "{said}");
        let (said, ends) = stopped(told("2", &[], &["unheard"], &versions));
        assert!(said.contains("does not stand here") && ends == 1, "{said}");
    }
}
