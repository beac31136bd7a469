//! `liquid policy sign`.

use std::fs;
use std::io;
use std::path::Path;

use liquid_local::keys::{self, Key};
use liquid_policy::document::Agreement;
use liquid_policy::id::{KeyId, OrganisationName, RoleName};
use liquid_policy::signature::SignatureFile;
use liquid_policy::statement::{Act, Signer, Statement};

use super::{read_agreement, unusable};
use crate::args::Sign;
use crate::failure::Failure;
use crate::terminal::note;

/// Adds a signature beside an agreement.
///
/// # Errors
/// Where the agreement or the key cannot be used, the organisation is none that signs it, or a signature would be lost.
pub(crate) fn run(sign: &Sign) -> Result<(), Failure> {
    let agreement = read_agreement(&sign.agreement)?;
    let organisation = OrganisationName::new(&sign.organisation);
    may_sign(&agreement, &organisation)?;
    let beside = sign.agreement.with_extension("sig.toml");
    let mut signatures = read(&beside)?;
    let signature = Key::read(&sign.key)?.signing()?.say(
        Act::Approve { agreement: agreement.hash().clone() },
        Signer {
            organisation,
            role: RoleName::new(&sign.role),
            key_id: KeyId::new(&sign.key_id),
            time: keys::now(),
        },
    );
    nothing_lost(&signatures, &signature, sign.replace)?;
    signatures.add(signature);
    write(&beside, &signatures.to_string())?;
    note(&format!(
        "signed {} {} as {} in {}; a node reads it when it is started again",
        agreement.id(),
        agreement.version(),
        sign.organisation,
        beside.display()
    ));
    let unsigned = |controller: &&OrganisationName| {
        !signatures.signatures.iter().any(|s| s.organisation == **controller)
    };
    let missing: Vec<&str> = agreement.controllers().filter(unsigned).map(OrganisationName::as_str).collect();
    if !missing.is_empty() {
        note(&format!("still to sign: {}", missing.join(", ")));
    }
    Ok(())
}

/// Only controllers sign: anybody else's signature would lie there and count for nothing.
fn may_sign(agreement: &Agreement, organisation: &OrganisationName) -> Result<(), Failure> {
    let controllers: Vec<&OrganisationName> = agreement.controllers().collect();
    if controllers.contains(&organisation) {
        return Ok(());
    }
    let names: Vec<&str> = controllers.iter().map(|controller| controller.as_str()).collect();
    Err(Failure::here(
        format!(
            "`{organisation}` is no controller party of {}, so its signature does not count",
            agreement.id()
        ),
        format!("sign for one that is: {}", names.join(", ")),
    ))
}

/// The signatures so far. Only where there is no such file there are none: writing over one that cannot be read would
/// lose what others have signed.
fn read(beside: &Path) -> Result<SignatureFile, Failure> {
    match fs::read_to_string(beside) {
        Ok(text) => SignatureFile::parse(&text, &beside.display().to_string()).map_err(unusable),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(SignatureFile::default()),
        Err(error) => Err(Failure::here(
            format!("the signatures in `{}` cannot be read: {error}", beside.display()),
            "make the file readable, so that they are kept",
        )),
    }
}

/// One key over one text always makes the same signature. Where the organisation has another one under this name, either
/// the text has changed since, and it is void, or another key has made it, and it may be the one that nodes trust: only
/// the signer knows which.
fn nothing_lost(signatures: &SignatureFile, new: &Statement, replace: bool) -> Result<(), Failure> {
    let other = signatures.signatures.iter().any(|old| {
        (&old.organisation, &old.key_id) == (&new.organisation, &new.key_id) && old.signature != new.signature
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
