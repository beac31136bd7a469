//! `liquid policy activate`, `suspend`, `resume` and `rollback`.

use std::collections::BTreeSet;
use std::fs;

use liquid_node_api::Error;
use liquid_node_api::governance::Governance;
use liquid_policy::id::{AgreementId, ChapterHash};
use liquid_policy::signature::SignatureFile;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::unseen::marked;

use super::sites::{Sites, Told, after, short};
use super::status::lacking;
use super::who::Person;
use crate::args::{About, Activate};
use crate::failure::Failure;
use crate::terminal::{Paint, note_wrapped as note};

/// Lets a version take over at an instant.
///
/// # Errors
/// Where there is no such version, or a site does not take it.
pub(super) async fn activate(command: &Activate) -> Result<(), Failure> {
    let person = Person::read(&command.who)?;
    let mut sites = Sites::reach(&command.reach, Some(person.organisation.as_str())).await?;
    let status = sites.status(vec![]).await?;
    let version = sites.version(&status, &command.id, &command.version).await?;
    let chapter = chapter(&status, command);
    let act = Act::Activate { agreement: version.hash.clone(), at: command.at, after: chapter };
    let told = sites.say(person.say(act)?).await?;
    let version = told.version(&command.id, version.hash.as_str())?;
    let at = command.at.format("%Y-%m-%d %H:%M:%S UTC");
    let when = match version.lacks.is_empty() {
        true => format!("takes over at {at}"),
        false => format!("takes over once it is signed, not before {at}"),
    };
    if !version.lacks.is_empty() {
        note(&lacking(&version.lacks));
    }
    told.everywhere(&format!("{} {} ({}) {when}", command.id, version.version, short(&version.hash)))
}

/// Stops an agreement.
///
/// # Errors
/// Where a site does not take it.
pub(super) async fn suspend(command: &About) -> Result<(), Failure> {
    let person = Person::read(&command.who)?;
    let statement = person.say(Act::Suspend { id: AgreementId::new(&command.id) })?;
    write(command, &statement)?;
    let mut sites = Sites::reach(&command.reach, Some(person.organisation.as_str())).await?;
    let message = Governance::Say { statements: vec![statement.clone()] };
    let told = match sites.hear(&message).await {
        Err(Failure::Answer(Error::Fault { message, .. })) => return Err(not_known(command, &message)),
        told => told?,
    };
    if told.answers.is_empty()
        && let Ok(status) = sites.hear(&Governance::Status { texts: vec![], files: vec![] }).await
        && !status.answers.is_empty()
        && status.agreement(&command.id).next().is_none()
    {
        return Err(status.unknown(&command.id));
    }
    for (site, why) in &told.silent {
        note(&format!(
            "{} {site}: while it runs, it goes on answering under {} ({why}); suspend it there with `--url`, or run this again",
            Paint::stderr().bad("NOT stopped at"),
            command.id
        ));
    }
    if told.answers.is_empty() {
        return Err(Failure::here(format!("{} is suspended nowhere", command.id), "see above for each site"));
    }
    let counts = |it: &liquid_policy::life::AgreementStatus| {
        it.suspended.iter().any(|suspension| suspension.statement == statement.hash())
    };
    if let Some((answer, _)) = told.agreement(&command.id).find(|(_, it)| !counts(it)) {
        return Err(Failure::here(
            format!(
                "`{}` is not suspended at {}: `{}` is no controller of it",
                command.id, answer.site, person.organisation
            ),
            "let a controller suspend it; `liquid policy status` shows who that is",
        ));
    }
    told.everywhere(&format!("{} is suspended", command.id))
}

/// Nothing was heard: it may have been carried to the sites, or not.
fn not_known(command: &About, why: &str) -> Failure {
    Failure::here(
        format!("it is not known whether {} is suspended: {why}", command.id),
        "suspend it at each node by itself with `--url`, yours first; `liquid policy status` with the same `--url` shows it",
    )
}

/// Says that the suspensions that hold are lifted.
///
/// # Errors
/// Where nothing is suspended, or a site does not take it.
pub(super) async fn resume(command: &About) -> Result<(), Failure> {
    let person = Person::read(&command.who)?;
    let mut sites = Sites::reach(&command.reach, Some(person.organisation.as_str())).await?;
    let status = sites.status(vec![]).await?;
    if status.agreement(&command.id).next().is_none() {
        return Err(status.unknown(&command.id));
    }
    let lifted = status.suspensions(&command.id)?;
    let suspensions: BTreeSet<_> = lifted.iter().map(|(_, suspension)| suspension.hash()).collect();
    if suspensions.is_empty() {
        note(&format!("{} is not suspended", command.id));
        return Ok(());
    }
    // What all sites have heard is said once.
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for (site, suspension) in &lifted {
        let what = format!(
            "what {} ({}) said on {}",
            marked(suspension.organisation.as_str()),
            marked(suspension.role.as_str()),
            suspension.time.format("%Y-%m-%d %H:%M UTC"),
        );
        match said.iter_mut().find(|(known, _)| *known == what) {
            Some((_, sites)) => sites.push(site.as_str()),
            None => said.push((what, vec![site.as_str()])),
        }
    }
    for (what, sites) in said {
        note(&format!("agrees to lift {what}, at {}", sites.join(", ")));
    }
    let statement = person.say(Act::Resume { id: AgreementId::new(&command.id), suspensions })?;
    write(command, &statement)?;
    let told = sites.say(statement).await?;
    let open = told.agreement(&command.id).find(|(_, it)| !it.suspended.is_empty());
    match open {
        Some((_, open)) => {
            let agreed = format!("{}, {}, agrees to resume {}", person.organisation, person.role, command.id);
            let agreed = told.everywhere(&agreed);
            note(&match open.resume_lacks.as_slice() {
                [] => "it stays suspended until all who must sign the agreement have said so".to_owned(),
                lacks => format!("it stays suspended; {}", lacking(lacks)),
            });
            agreed
        }
        None => told.everywhere(&format!("{} is resumed", command.id)),
    }
}

/// Says that an earlier version is to stand again.
///
/// # Errors
/// Where there is no such version, it stands already, or a site does not take it.
pub(super) async fn rollback(command: &Activate) -> Result<(), Failure> {
    let person = Person::read(&command.who)?;
    let mut sites = Sites::reach(&command.reach, Some(person.organisation.as_str())).await?;
    let status = sites.status(vec![]).await?;
    let to = sites.version(&status, &command.id, &command.version).await?;
    let from = status.agreement(&command.id).find_map(|(_, it)| it.stands.clone());
    let from = from.filter(|from| *from != to.hash).ok_or_else(|| {
        Failure::here(
            format!("version `{}` of `{}` stands already", to.version, command.id),
            "name the version to go back to with `--version`",
        )
    })?;
    let left = sites.version(&status, &command.id, from.as_str()).await?;
    // Who joins a rollback that others have begun signs the very same words.
    let begun = to.rollbacks.iter().find(|it| it.from == from && !it.lacks.is_empty());
    let at = begun.map_or(command.at, |begun| begun.at);
    let chapter = chapter(&status, command);
    let act = Act::Rollback { agreement: to.hash.clone(), from: from.clone(), at, after: chapter };
    let told = sites.say(person.say(act)?).await?;
    let lacks = rollback_lacks(&told, command, &from, at)?;
    note(&lacking(&lacks));
    let when = at.format("%Y-%m-%d %H:%M:%S UTC");
    let said = match lacks.is_empty() {
        true => format!(
            "{} goes back from version {} to version {} at {when}",
            command.id, left.version, to.version
        ),
        false => format!(
            "{} said to go back from version {} to version {} at {when}",
            person.organisation, left.version, to.version
        ),
    };
    told.everywhere(&said)
}

/// The chapter in which something is said; told to whoever signs it.
fn chapter(status: &Told, command: &Activate) -> Option<ChapterHash> {
    let chapter = status.chapter(&command.id)?;
    note(&format!("said for the time {}", after(chapter)));
    Some(chapter.after.clone())
}

fn rollback_lacks(
    told: &Told,
    command: &Activate,
    from: &liquid_policy::id::AgreementHash,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<liquid_policy::signature::Lack>, Failure> {
    let version = told.version(&command.id, &command.version)?;
    let found = version.rollbacks.iter().find(|it| it.from == *from && it.at == at);
    Ok(found.map(|it| it.lacks.clone()).unwrap_or_default())
}

fn write(command: &About, statement: &Statement) -> Result<(), Failure> {
    let Some(out) = &command.out else { return Ok(()) };
    let text = SignatureFile { signatures: vec![statement.clone()] }.to_string();
    fs::write(out, text).map_err(|error| {
        Failure::here(format!("`{}` cannot be written: {error}", out.display()), "name another file")
    })
}
