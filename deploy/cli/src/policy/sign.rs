//! `liquid policy sign`.

use std::fs;
use std::path::Path;

use liquid_local::keys;
use liquid_policy::Keyring;
use liquid_policy::document::Agreement;
use liquid_policy::id::{OrganisationName, RoleName};
use liquid_policy::keyring::Standing;
use liquid_policy::life::VersionStatus;
use liquid_policy::parse::read;
use liquid_policy::signature::{Lack, SignatureFile};
use liquid_policy::statement::{Act, Statement};

use super::sites::{Sites, Told, short};
use super::status::lacking;
use super::text::Near;
use super::ways::{is_past, parting, warnings};
use super::who::Person;
use super::{author, beside, meaning, read_finished, read_signatures, text};
use crate::args::Sign;
use crate::failure::Failure;
use crate::terminal::{Paint, note_wrapped as note};

/// Adds a signature beside an agreement, and sends it where that is wanted.
///
/// # Errors
/// Where the agreement or the key cannot be used, the organisation is none that signs it, or a signature would be lost.
pub(super) async fn run(sign: &Sign) -> Result<(), Failure> {
    let (agreement, _) = read_finished(&sign.agreement)?;
    let person = Person::read(&sign.who)?;
    if !sign.author {
        may_sign(&agreement, &person)?;
    }
    let file = sign.agreement.with_extension("sig.toml");
    let mut signatures = read_signatures(&file)?;
    let sites = match sign.send {
        true => {
            let mut sites = Sites::reach(&sign.reach, Some(person.organisation.as_str())).await?;
            let before = sites.status(vec![]).await?;
            Some((sites, before))
        }
        false => None,
    };
    let approves = Act::Approve { agreement: agreement.hash().clone() };
    let act = if sign.author { Act::Write { agreement: agreement.hash().clone() } } else { approves.clone() };
    // Who signs again, so that it arrives, says nothing new.
    let again = said_already(&signatures, &act, &person);
    let statement = again.map_or_else(|| person.say(act), Ok)?;
    nothing_lost(&signatures, &statement, &person, (sign.replace, &file))?;
    if sign.author && !agreement.signoff().author_may_sign {
        note(&author::barred(&agreement, &person));
    }
    let written = signatures.signatures.iter().any(|it| {
        matches!(it.act, Act::Write { .. })
            && it.act.agreement() == statement.act.agreement()
            && (&it.organisation, &it.key_id) == (&person.organisation, &person.key_id)
    });
    counts(&agreement, &statement, written)?;
    signatures.add(statement.clone());
    let near = text::near(&sign.agreement);
    let signed = format!(
        "signed {} as {}, {}, in {}",
        meaning::named(&agreement),
        person.organisation,
        person.role,
        file.display()
    );
    let keep = || {
        write(&file, &signatures.to_string())?;
        note(&signed);
        beside::lines(&agreement).iter().for_each(|line| note(line));
        Ok(())
    };
    if let Some(sites) = sites {
        return send(sites, &agreement, &person, statement, &near, keep).await;
    }
    let replaced = agreement.supersedes().iter().filter_map(|hash| near.iter().find(|it| it.hash == *hash));
    for base in replaced {
        note(&meaning::against((&base.file, &base.hash), "which it replaces", &agreement));
    }
    warn(&meaning::namesakes(&agreement, None, &near));
    keep()?;
    note("a node that holds the file beside it sees it within a second; `--send` sends it to all sites");
    let unsigned = |controller: &&OrganisationName| {
        let by = |s: &&Statement| s.act == approves && s.organisation == **controller;
        signatures.signatures.iter().filter(by).count() < agreement.signoff().roles_per_party
    };
    let missing: Vec<&str> = agreement.controllers().filter(unsigned).map(OrganisationName::as_str).collect();
    if !missing.is_empty() {
        note(&format!("still to sign: {}", missing.join(", ")));
    }
    Ok(())
}

/// What the key has signed already, if it has made that signature.
fn said_already(signatures: &SignatureFile, act: &Act, person: &Person) -> Option<Statement> {
    let own = Keyring::from([person.trusted()].as_slice());
    let of = |it: &&Statement| {
        it.act == *act
            && it.organisation == person.organisation
            && it.key_id == person.key_id
            && it.role == person.role
    };
    signatures.signatures.iter().filter(of).find(|it| own.standing(it) == Standing::Valid).cloned()
}

/// Sends a signature, after a word on what is signed; keeps what a site has taken, and no other: the next one to sign would send it
/// along; and says what it has brought about.
async fn send(
    (mut sites, before): (Sites, Told),
    agreement: &Agreement,
    person: &Person,
    statement: Statement,
    near: &[Near],
    keep: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let id = agreement.id().as_str();
    let Ok(version) = before.version(id, agreement.hash().as_str()).cloned() else {
        let mut problem = format!("no site holds this text, {}", meaning::named(agreement));
        for (_, status) in before.agreement(id).take(1) {
            let held = status.versions.iter().map(|it| format!("{} ({})", it.version, short(&it.hash)));
            problem.push_str(&format!("; they hold {}", held.collect::<Vec<_>>().join(", ")));
        }
        return Err(Failure::here(
            problem,
            "if it was edited since it was sent, sign what the sites hold: `liquid policy status --save` writes it; if it is \
             a new version, have its author propose it first",
        ));
    };
    let wrote = author::wrote(&version, &person.organisation, &person.key_id);
    counts(agreement, &statement, wrote)?;
    let is_last = lacks_one_at_most(&version, &person.organisation);
    if let Some(parting) = parting(&before, id, &version, is_last).filter(|_| !version.activated.is_empty()) {
        return Err(parting.into());
    }
    let stands = before.agreement(id).find_map(|(_, it)| it.stands.clone());
    match stands.filter(|stands| stands != agreement.hash()) {
        None => {}
        Some(stands) => {
            let standing = before.version(id, stands.as_str())?;
            let texts = sites.status(vec![stands.clone()]).await?;
            if let Some(old) = texts.text(id, standing)?.and_then(|text| read(text, "version").ok()) {
                note(&meaning::against((&old, &stands), "which is in force", agreement));
            }
        }
    }
    warn(&meaning::namesakes(agreement, Some(&before), near));
    warn(&warnings(&before, id, &version));
    let told = sites.say(statement).await?;
    keep()?;
    let taken = told.everywhere("the signature is taken");
    if let Ok(after) = told.version(id, agreement.hash().as_str()) {
        note(&outcome(agreement, &told, after, !version.lacks.is_empty()));
    }
    taken
}

/// Whether a version is signed by all who must once somebody of an organisation has signed it.
fn lacks_one_at_most(version: &VersionStatus, organisation: &OrganisationName) -> bool {
    match version.lacks.as_slice() {
        [] => true,
        [Lack::Signatures { organisation: lacking, more: 1, .. }] => lacking == organisation,
        _ => false,
    }
}

/// Where a version stands after a signature. `lacked` says whether anything was missing before it.
fn outcome(agreement: &Agreement, told: &Told, version: &VersionStatus, lacked: bool) -> String {
    let to_come = version.activated.iter().min().filter(|at| **at > keys::now());
    let from = to_come.map(|at| format!(", not before {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
    let from = from.unwrap_or_default();
    // That nothing comes of it has been said before.
    if is_past(told, agreement.id().as_str(), version) {
        return lacking(&version.lacks);
    }
    if !version.lacks.is_empty() {
        let activated = match version.activated.is_empty() {
            true => String::new(),
            false => format!("; it is activated already, and takes over with the last signature{from}"),
        };
        return format!("{}{activated}", lacking(&version.lacks));
    }
    let last = if lacked { "this was the last signature" } else { "signed by all who must" };
    let sites: Vec<&str> = told
        .agreement(agreement.id().as_str())
        .filter(|(_, it)| it.stands.as_ref() == Some(&version.hash))
        .map(|(answer, _)| answer.site.as_str())
        .collect();
    if !sites.is_empty() {
        return format!("{last}: {} is in force now at {}", meaning::named(agreement), sites.join(", "));
    }
    match to_come {
        Some(at) => format!("{last}: it takes over at {}", at.format("%Y-%m-%d %H:%M:%S UTC")),
        None => {
            let named = told.called(agreement.id().as_str(), version);
            format!("{last}; `liquid policy activate {} --version {named}` lets it take over", agreement.id())
        }
    }
}

/// An approval by whoever wrote the version counts for nothing where the agreement keeps the two apart.
fn counts(agreement: &Agreement, statement: &Statement, wrote: bool) -> Result<(), Failure> {
    let approves = matches!(statement.act, Act::Approve { .. });
    if !approves || !wrote || agreement.signoff().author_may_sign {
        return Ok(());
    }
    Err(Failure::here(
        format!("the approval of {}, {}, {}", statement.organisation, statement.role, author::BARRED),
        "nothing was signed; let somebody else sign with a key of their own, or give the text the next number, and have somebody propose it who does \
         not approve it",
    ))
}

/// Says what somebody should look at who is about to put a name to something.
pub(super) fn warn(lines: &[String]) {
    lines.iter().for_each(|line| note(&format!("{} {line}", Paint::stderr().warn("warning:"))));
}

/// Only controllers sign, in the roles that the agreement names: anybody else's signature would lie there and count for nothing.
fn may_sign(agreement: &Agreement, person: &Person) -> Result<(), Failure> {
    let Person { organisation, role, .. } = person;
    if !agreement.controllers().any(|controller| controller == organisation) {
        let names: Vec<&str> = agreement.controllers().map(OrganisationName::as_str).collect();
        return Err(Failure::here(
            format!(
                "`{organisation}` is no controller party of {}, so its signature does not count",
                agreement.id()
            ),
            format!("sign for one that is: {}", names.join(", ")),
        ));
    }
    match agreement.approvers(organisation) {
        Some(roles) if !roles.contains(role) => {
            let roles: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
            Err(Failure::here(
                format!("`{organisation}` does not sign {} in the role `{role}`", agreement.id()),
                format!("sign with a key of one of its roles: {}", roles.join(", ")),
            ))
        }
        _ => Ok(()),
    }
}

/// Where the organisation has another signature under this name, either the text has changed since, and it is void, or another
/// key has made it, and it may be the one that nodes trust: only the signer knows which.
fn nothing_lost(
    signatures: &SignatureFile,
    new: &Statement,
    person: &Person,
    (replace, file): (bool, &Path),
) -> Result<(), Failure> {
    let own = Keyring::from([person.trusted()].as_slice());
    let other = signatures.signatures.iter().any(|old| {
        (&old.organisation, &old.key_id) == (&new.organisation, &new.key_id)
            && (old.act.agreement() != new.act.agreement() || own.standing(old) != Standing::Valid)
    });
    if replace || !other {
        return Ok(());
    }
    Err(Failure::here(
        format!(
            "{} holds a signature of `{}` under `{}` already, made over an earlier text or by another key",
            file.display(),
            new.organisation,
            new.key_id
        ),
        "add `--replace` if you have edited the agreement since, or if it is left from a demo that is gone; if the key is \
         another, give it a name of its own with `--key-id`",
    ))
}

/// Under another name first, so that a full disk does not cost the signatures that are there.
pub(super) fn write(beside: &Path, text: &str) -> Result<(), Failure> {
    let draft = beside.with_extension("toml.new");
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, beside)).map_err(|error| {
        Failure::here(
            format!("`{}` cannot be written: {error}", beside.display()),
            "check the folder's rights and the space on its volume",
        )
    })
}
