//! `liquid policy status`: how agreements stand at the sites, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use liquid_policy::id::AgreementHash;
use liquid_policy::life::{AgreementStatus, SaidBy, VersionStatus};
use liquid_policy::parse::{read, version_of};
use liquid_policy::signature::Lack;

use super::beside;
use super::sites::{Sites, Told, short, unknown};
use crate::args::Status;
use crate::failure::Failure;
use crate::terminal::{Paint, note, say};

/// Runs the command.
///
/// # Errors
/// Where no site answers, or what they hold cannot be written.
pub(super) async fn run(status: &Status) -> Result<(), Failure> {
    let mut sites = Sites::reach(&status.reach, status.organisation.as_deref()).await?;
    let mut told = sites.status(vec![]).await?;
    if let Some(id) = &status.id {
        told.answers.iter_mut().for_each(|answer| answer.agreements.retain(|it| it.id.as_str() == id));
        if told.agreement(id).next().is_none() {
            return Err(unknown(id));
        }
    }
    if let Some(folder) = &status.save {
        save(&mut sites, &told, folder).await?;
    }
    if status.json {
        let json = serde_json::to_string(&told.answers).unwrap_or_default();
        say(&json);
    } else {
        lines(&told, Paint::stdout()).iter().for_each(|line| say(line));
    }
    if told.silent.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

/// What the sites say, put together: what is the same at all of them is said once.
fn lines(told: &Told, paint: Paint) -> Vec<String> {
    let ids: BTreeSet<&str> =
        told.answers.iter().flat_map(|it| &it.agreements).map(|it| it.id.as_str()).collect();
    let mut lines = Vec::new();
    for id in ids {
        let mut views: Vec<(&AgreementStatus, Vec<&str>)> = Vec::new();
        for (answer, agreement) in told.agreement(id) {
            match views.iter_mut().find(|(known, _)| *known == agreement) {
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
            lines.extend(one(agreement, paint).into_iter().map(|line| format!("  {line}")));
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

fn one(agreement: &AgreementStatus, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for suspension in &agreement.suspended {
        lines.push(format!("{} by {}", paint.bad("suspended"), by(suspension)));
    }
    if agreement.stands.is_none() {
        lines.push(paint.warn("no version stands"));
    }
    for version in &agreement.versions {
        let stands = agreement.stands.as_ref() == Some(&version.hash);
        let word = if stands { paint.good("in force") } else { paint.dim("held") };
        let name = format!("version {}  {}", version.version, paint.dim(&format!("sha256:{}", version.hash)));
        lines.push(format!("{name}  {word}{}", if version.tightens { ", only tightens" } else { "" }));
        lines.extend(details(version).into_iter().map(|line| format!("  {line}")));
    }
    lines
}

fn details(version: &VersionStatus) -> Vec<String> {
    let mut lines = vec![lacking(&version.lacks)];
    lines.extend(version.beside.iter().map(|(name, sha256)| format!("beside it {name}  sha256:{sha256}")));
    lines.extend(version.said.iter().map(|said| format!("{} by {}", past(&said.act), by(said))));
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

fn past(act: &str) -> &str {
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
    let mut versions: BTreeMap<AgreementHash, String> = BTreeMap::new();
    for agreement in told.answers.iter().flat_map(|answer| &answer.agreements) {
        for version in &agreement.versions {
            let name: String = format!("{}-{}", agreement.id, version.version).chars().take(60).collect();
            let name = format!("{}-{}.toml", name.replace(['/', '\\'], "-"), short(&version.hash));
            versions.insert(version.hash.clone(), name);
        }
    }
    let texts = sites.status(versions.keys().cloned().collect()).await?;
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    for (hash, name) in versions {
        let Some(text) = texts.answers.iter().find_map(|answer| answer.texts.get(&hash)) else { continue };
        // A coordinator carried it: it is what its hash says, or nothing.
        let genuine = version_of(text).is_some_and(|version| version == hash);
        if !genuine {
            return Err(Failure::here(
                format!("what was sent as version {} is another text", short(&hash)),
                "ask a node directly with `--url`, and tell the coordinator's operator",
            ));
        }
        let file = folder.join(&name);
        match fs::read_to_string(&file) {
            Ok(there) if there == *text => {}
            Ok(_) => {
                return Err(Failure::here(
                    format!("`{}` is there and says something else", file.display()),
                    "name another folder, so that nothing you have written is lost",
                ));
            }
            Err(_) => {
                fs::write(&file, text).map_err(|error| unwritten(&file, &error))?;
                note(&format!("saved {}", file.display()));
            }
        }
        if let Ok(read) = read(text, &name) {
            beside::save(sites, folder, read.beside()).await?;
        }
    }
    Ok(())
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::here(format!("`{}` cannot be written: {error}", path.display()), "name another folder")
}
