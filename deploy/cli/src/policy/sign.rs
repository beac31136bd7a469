//! `liquid policy sign`.

use std::fs;
use std::path::Path;

use liquid_policy::Keyring;
use liquid_policy::document::Agreement;
use liquid_policy::id::{ChapterHash, OrganisationName, RoleName};
use liquid_policy::keyring::Standing;
use liquid_policy::signature::SignatureFile;
use liquid_policy::statement::{Act, Statement};

use super::sites::{Sites, after};
use super::status::lacking;
use super::who::Person;
use super::{beside, read_finished, read_signatures};
use crate::args::Sign;
use crate::failure::Failure;
use crate::terminal::note;

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
    let mut sites = match sign.send {
        true => Some(Sites::reach(&sign.reach, Some(person.organisation.as_str())).await?),
        false => None,
    };
    let chapter = match (&sign.after, &mut sites) {
        (Some(after), _) => Some(ChapterHash::new(after)),
        (None, Some(sites)) => {
            let status = sites.status(vec![]).await?;
            let chapter = status.chapter(agreement.id().as_str());
            chapter
                .iter()
                .for_each(|chapter| note(&format!("the signature is for the time {}", after(chapter))));
            chapter.map(|chapter| chapter.after.clone())
        }
        (None, None) => of_the_others(&agreement, &signatures),
    };
    let approves = Act::Approve { agreement: agreement.hash().clone(), after: chapter };
    let act = if sign.author { Act::Write { agreement: agreement.hash().clone() } } else { approves.clone() };
    // Who signs again, so that it arrives, says nothing new.
    let again = said_already(&signatures, &act, &person);
    let statement = again.map_or_else(|| person.say(act), Ok)?;
    nothing_lost(&signatures, &statement, &person, sign.replace)?;
    signatures.add(statement.clone());
    write(&file, &signatures.to_string())?;
    note(&format!(
        "signed {} {} as {} in {}",
        agreement.id(),
        agreement.version(),
        person.organisation,
        file.display()
    ));
    beside::lines(&agreement).iter().for_each(|line| note(line));
    if let Some(sites) = &mut sites {
        let told = sites.say(statement).await?;
        let taken = told.everywhere("the signature is taken");
        if let Ok(version) = told.version(agreement.id().as_str(), agreement.hash().as_str()) {
            note(&lacking(&version.lacks));
        }
        return taken;
    }
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

/// The chapter for which others have signed the same text last.
fn of_the_others(agreement: &Agreement, signatures: &SignatureFile) -> Option<ChapterHash> {
    let approved = signatures
        .signatures
        .iter()
        .filter(|it| matches!(&it.act, Act::Approve { agreement: hash, .. } if hash == agreement.hash()));
    let last = approved.max_by_key(|it| it.time)?.act.after()?;
    note(&format!("the signature is for the same rollback as that of the others, {last}"));
    Some(last.clone())
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
    replace: bool,
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
            "`{}` has a signature under `{}` already, made over an earlier text or by another key",
            new.organisation, new.key_id
        ),
        "add `--replace` if you have edited the agreement since; if the key is another, give it a name of its own with \
         `--key-id`",
    ))
}

/// Under another name first, so that a full disk does not cost the signatures that are there.
fn write(beside: &Path, text: &str) -> Result<(), Failure> {
    let draft = beside.with_extension("toml.new");
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, beside)).map_err(|error| {
        Failure::here(
            format!("`{}` cannot be written: {error}", beside.display()),
            "check the folder's rights and the space on its volume",
        )
    })
}
