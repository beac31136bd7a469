//! `liquid policy rollback`: to an earlier version, away from one that is given up, or to one of several that are in one place.

use std::collections::BTreeSet;

use liquid_policy::id::AgreementHash;
use liquid_policy::life::{Rollback, VersionStatus};
use liquid_policy::signature::Lack;
use liquid_policy::statement::Act;

use super::act::chapter_to_end;
use super::sites::{Sites, Told, short};
use super::status::lacking;
use super::who::Person;
use crate::args;
use crate::failure::Failure;
use crate::terminal::note_wrapped as note;

/// Says that a version is to stand in the place of another.
///
/// # Errors
/// Where there is no such version, it stands already, or a site does not take it.
pub(super) async fn run(command: &args::Rollback) -> Result<(), Failure> {
    let (from, command) = (command.from.as_deref(), &command.to);
    let person = Person::read(&command.who)?;
    let mut sites = Sites::reach(&command.reach, Some(person.organisation.as_str())).await?;
    let status = sites.status(vec![]).await?;
    let to = sites.version(&status, &command.id, &command.version).await?;
    let left = match from {
        Some(named) => sites.version(&status, &command.id, named).await?,
        None => left(&status, &command.id, &to)?,
    };
    if left.hash == to.hash {
        return Err(Failure::here(
            format!("version {} cannot take the place of itself", to.version),
            "name the version that is given up with `--from`, and the one that is to stand with `--version`",
        ));
    }
    let chapter = chapter_to_end(&status, &command.id);
    let begun = begun(&status, &command.id);
    // Everything that it leaves: what stands, all ways that part, and what those leave that it gives up, as it may stand at some site.
    let stand = status.agreement(&command.id).flat_map(|(_, it)| it.parted.iter().chain(&it.stands));
    let given_up = begun.iter().filter(|(_, of)| of.lacks.is_empty() && of.after == chapter);
    let given_up = given_up.flat_map(|(_, of)| of.leaves.iter().chain([&of.from]));
    let ways: BTreeSet<AgreementHash> = stand.chain(given_up).cloned().collect();
    // Who joins a rollback that others have begun signs the very same words: those that most of them have signed. One that leaves beside
    // it what all have signed would end in nothing.
    let is_last = |of: &Rollback| {
        let signed = begun.iter().filter(|(_, other)| other.lacks.is_empty());
        let mut signed = signed.filter_map(|(to, other)| act(to, other).begins());
        signed.all(|begins| of.instead.contains(&begins))
    };
    let open =
        begun.iter().filter(|(begun, of)| *begun == to.hash && of.from == left.hash && of.after == chapter);
    let leaves_all =
        |of: &Rollback| ways.iter().all(|it| *it == of.from || *it == to.hash || of.leaves.contains(it));
    let open = open.filter(|(_, of)| !of.lacks.is_empty() && is_last(of) && leaves_all(of));
    let joins = open.min_by_key(|(_, of)| missing(&of.lacks));
    if let Some((_, of)) = joins {
        note(&format!(
            "it joins the rollback that others have begun, at {}",
            of.at.format("%Y-%m-%d %H:%M:%S UTC")
        ));
    }
    let said = joins.map(|(_, of)| of.clone()).unwrap_or_else(|| Rollback {
        from: left.hash.clone(),
        at: command.at,
        after: chapter,
        instead: begun.iter().filter_map(|(to, of)| act(to, of).begins()).collect(),
        leaves: ways.iter().filter(|it| **it != left.hash && **it != to.hash).cloned().collect(),
        lacks: Vec::new(),
    });
    for (to, of) in &begun {
        if act(to, of).begins().is_some_and(|begins| said.instead.contains(&begins)) {
            let to = status.version(&command.id, to.as_str())?;
            note(&format!(
                "it takes the place of the rollback to version {} at {}, which some have signed",
                to.version,
                of.at.format("%Y-%m-%d %H:%M:%S UTC")
            ));
        }
    }
    // Whoever signs it reads what else they leave: a version that stands nowhere yet could be left in advance.
    for hash in &said.leaves {
        let left = sites.version(&status, &command.id, hash.as_str()).await?;
        note(&format!("it leaves version {} ({}) too", left.version, short(hash)));
    }
    let told = sites.say(person.say(act(&to.hash, &said))?).await?;
    let version = told.version(&command.id, &command.version)?;
    let taken = version.rollbacks.iter().find(|it| it.from == said.from && it.at == said.at);
    let lacks = taken.map(|it| it.lacks.clone()).unwrap_or_default();
    note(&lacking(&lacks));
    let when = said.at.format("%Y-%m-%d %H:%M:%S UTC");
    let (id, from, to) = (&command.id, &left.version, &to.version);
    told.everywhere(&match lacks.is_empty() {
        true => format!("{id} goes back from version {from} to version {to} at {when}"),
        false => {
            format!("{} said to go back from version {from} to version {to} at {when}", person.organisation)
        }
    })
}

/// The version that is left where none is named: the one that stands, or where that one is to stand, another one in its place.
fn left(status: &Told, id: &str, to: &VersionStatus) -> Result<VersionStatus, Failure> {
    let stands = status.agreement(id).filter_map(|(_, it)| it.stands.as_ref());
    let parted = status.agreement(id).flat_map(|(_, it)| &it.parted);
    let left = parted.chain(stands).find(|hash| **hash != to.hash).ok_or_else(|| {
        Failure::here(
            format!("version `{}` of `{id}` stands already", to.version),
            "name the version to go back to with `--version`, or one that is to be given up before it takes over with `--from`",
        )
    })?;
    status.version(id, left.as_str()).cloned()
}

/// The rollbacks that somebody has signed in the chapter that lasts, each with the version to which it goes.
fn begun(status: &Told, id: &str) -> Vec<(AgreementHash, Rollback)> {
    let versions = status.agreement(id).flat_map(|(_, it)| &it.versions);
    let mut begun: Vec<(AgreementHash, Rollback)> = Vec::new();
    for (to, of) in versions.flat_map(|it| it.rollbacks.iter().map(|of| (&it.hash, of))) {
        if begun.iter().all(|(known, it)| act(known, it) != act(to, of)) {
            begun.push((to.clone(), of.clone()));
        }
    }
    begun
}

/// How many signatures are missing.
fn missing(lacks: &[Lack]) -> usize {
    let more = |lack: &Lack| match lack {
        Lack::Signatures { more, .. } => *more,
        Lack::Author | Lack::Choice | Lack::Unheard => 1,
    };
    lacks.iter().map(more).sum()
}

fn act(to: &AgreementHash, of: &Rollback) -> Act {
    Act::Rollback {
        agreement: to.clone(),
        from: of.from.clone(),
        at: of.at,
        after: of.after.clone(),
        instead: of.instead.clone(),
        leaves: of.leaves.clone(),
    }
}
