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
use super::sites::{Sites, Told, after, short};
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
    if let Some(chapter) = &agreement.chapter {
        lines.push(format!(
            "{}: what was approved before counts no longer  {}",
            after(chapter),
            paint.dim(&format!("--after {}", chapter.after))
        ));
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
        let stands = agreement.stands.as_ref() == Some(&version.hash);
        let word = match stands {
            true if !agreement.suspended.is_empty() => paint.bad("suspended"),
            true if !agreement.lacks.is_empty() => paint.bad("stands, and answers nothing"),
            true => paint.good("in force"),
            false => paint.dim("held, not in force"),
        };
        let name = format!("version {}  {}", version.version, paint.dim(&format!("sha256:{}", version.hash)));
        lines.push(format!("{name}  {word}{}", if version.tightens { ", only tightens" } else { "" }));
        lines.extend(details(version, apart).into_iter().map(|line| format!("  {line}")));
        if !version.activated.is_empty() && !leads_on(agreement, version) {
            lines.push(format!("  {}", paint.warn(GOES_NOWHERE)));
        }
    }
    lines
}

/// Said of a version that nothing can bring into force.
const GOES_NOWHERE: &str =
    "its `supersedes` names another version than the one that stands, so it cannot take over";

/// Whether a version is the one that stands, or takes its place in one or more steps. Where a controller tightens alone, what all have
/// signed before can still be followed.
fn leads_on<'a>(agreement: &'a AgreementStatus, version: &'a VersionStatus) -> bool {
    let of = move |hash: Option<&AgreementHash>| agreement.versions.iter().find(|it| Some(&it.hash) == hash);
    // What is sent could lead in a circle.
    let before = |first: &'a VersionStatus| {
        std::iter::successors(Some(first), move |it| of(it.supersedes.as_ref()))
            .take(agreement.versions.len())
    };
    let Some(stands) = of(agreement.stands.as_ref()) else { return true };
    let mut open = Vec::new();
    for it in before(stands) {
        open.push(&it.hash);
        if it.lacks.is_empty() {
            break;
        }
    }
    version.supersedes.is_none() || before(version).any(|it| open.contains(&&it.hash))
}

/// That a version leads nowhere, where none of the sites says otherwise.
pub(super) fn nowhere(told: &Told, id: &str, version: &VersionStatus) -> Vec<String> {
    let leads = told.agreement(id).any(|(_, it)| leads_on(it, version));
    (!leads).then(|| GOES_NOWHERE.to_owned()).into_iter().collect()
}

/// Why nothing is answered though its version is signed.
fn stopped(agreement: &AgreementStatus) -> Option<String> {
    let id = &agreement.id;
    let parted = agreement.versions.iter().filter(|it| agreement.parted.contains(&it.hash));
    let parted: Vec<String> = parted.map(|it| format!("{} ({})", it.version, short(&it.hash))).collect();
    let of = |it: &&VersionStatus| agreement.stands.as_ref() == Some(&it.hash);
    let own = agreement.versions.iter().find(of).map_or(&[][..], |it| &it.lacks);
    let lacks: Vec<Lack> = agreement.lacks.iter().filter(|lack| !own.contains(lack)).cloned().collect();
    if lacks.contains(&Lack::Unheard) {
        return Some(
            "it has gone on elsewhere, and this site has not heard how; its operator places what `liquid policy status --save` writes at \
             a site that has"
                .to_owned(),
        );
    }
    // What a rollback has led to may lack signatures in this chapter, and nobody has tightened that alone.
    let alone = agreement.versions.iter().all(|it| it.rollbacks.is_empty())
        && agreement.versions.iter().any(|it| agreement.parted.contains(&it.hash) && !it.lacks.is_empty());
    match lacks.contains(&Lack::Choice) {
        true if alone => Some(format!(
            "versions {} part, and some of them the site's own organisation has tightened alone; activate one that is tighter than \
             each, or go back with `liquid policy rollback {id} --version …` to the one before",
            parted.join(" and ")
        )),
        true if parted.is_empty() => Some(format!(
            "several rollbacks are signed by all; `liquid policy rollback {id} --version …` names the version that is to stand"
        )),
        true if parted.len() == 1 => Some(format!(
            "all have signed a rollback to version {} that does not speak of all that stands here; `liquid policy rollback {id} \
             --version …` names the one that is to stand",
            parted.concat()
        )),
        true => Some(format!(
            "all have signed several ways to go on, to versions {}; `liquid policy rollback {id} --version …` names the one \
             that is to stand",
            parted.join(" and ")
        )),
        false if lacks.is_empty() => None,
        false => Some(lacking(&lacks)),
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
    lines.extend(
        version.activated.iter().map(|at| format!("takes over at {}", at.format("%Y-%m-%d %H:%M:%S UTC"))),
    );
    lines.extend(version.rollbacks.iter().map(|rollback| {
        format!(
            "to stand again in the place of {} at {}: {}",
            short(&rollback.from),
            rollback.at.format("%Y-%m-%d %H:%M:%S UTC"),
            lacking(&rollback.lacks)
        )
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
                    "hash": minimum, "version": "1", "supersedes": null, "placed": false, "said": [], "lacks": [],
                    "activated": [at], "rollbacks": [], "tightens": false,
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
}
