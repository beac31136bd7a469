//! `liquid policy activate`, `suspend` and `resume`.

use std::collections::BTreeSet;
use std::fs;

use liquid_node_api::Error;
use liquid_node_api::governance::Governance;
use liquid_policy::id::AgreementId;
use liquid_policy::life::AgreementStatus;
use liquid_policy::signature::SignatureFile;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::unseen::marked;

use super::sites::{Sites, short};
use super::status::lacking;
use super::ways::{is_past, parting};
use super::who::Person;
use crate::args::{About, Activate};
use crate::failure::Failure;
use crate::terminal::{Paint, note_wrapped as note};

/// Lets a version take over at an instant.
///
/// # Errors
/// Where there is no such version, it would stand beside another one, it is replaced already, or a site does not take it.
pub(super) async fn activate(command: &Activate) -> Result<(), Failure> {
    let person = Person::read(&command.who)?;
    let mut sites = Sites::reach(&command.reach, Some(person.organisation.as_str())).await?;
    let status = sites.status(vec![]).await?;
    let version = sites.version(&status, &command.id, &command.version).await?;
    if is_past(&status, &command.id, &version) {
        let id = &command.id;
        return Err(Failure::here(
            format!("version {} of `{id}` is replaced already, so it cannot take over", version.version),
            format!(
                "`liquid policy rollback {id} --version {}` proposes the same text as a new version",
                status.called(id, &version)
            ),
        ));
    }
    if let Some(parting) = parting(&status, &command.id, &version, version.lacks.is_empty()) {
        return Err(parting.into());
    }
    let act = Act::Activate { agreement: version.hash.clone(), at: command.at };
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
    let counts =
        |it: &AgreementStatus| it.suspended.iter().any(|suspension| suspension.statement == statement.hash());
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

fn write(command: &About, statement: &Statement) -> Result<(), Failure> {
    let Some(out) = &command.out else { return Ok(()) };
    let text = SignatureFile { signatures: vec![statement.clone()] }.to_string();
    fs::write(out, text).map_err(|error| {
        Failure::here(format!("`{}` cannot be written: {error}", out.display()), "name another file")
    })
}
