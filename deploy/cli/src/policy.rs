//! `liquid key new` and `liquid policy sign`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use liquid_local::keys;
use liquid_policy::id::{KeyId, OrganisationName, RoleName};
use liquid_policy::parse::parse;
use liquid_policy::signature::{SignatureFile, Signer};

use crate::args::Sign;
use crate::failure::Failure;
use crate::terminal::{note, say};

/// Makes a key.
///
/// # Errors
/// Where the file exists or cannot be written.
pub(crate) fn new_key(file: &Path) -> Result<(), Failure> {
    let key = keys::NewKey::generate().map_err(|error| Failure::here(error, "try again"))?;
    let mut out =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(|error| {
            Failure::here(
                format!("the key file `{}` cannot be made: {error}", file.display()),
                "name a file that does not exist yet, in a folder that does",
            )
        })?;
    out.write_all(&key.private).map_err(|error| {
        Failure::here(format!("the key cannot be written: {error}"), "try another folder")
    })?;
    note(&format!("the private key is in {}; the public key, which others trust, is:", file.display()));
    say(&key.public);
    Ok(())
}

/// Adds a signature beside an agreement.
///
/// # Errors
/// Where the agreement or the key cannot be used.
pub(crate) fn sign(sign: &Sign) -> Result<(), Failure> {
    let name = sign.agreement.display().to_string();
    let text = read(&sign.agreement)?;
    let agreement = parse(&text, &name).map_err(unusable)?;
    let key =
        keys::read(&sign.key).map_err(|error| Failure::here(error, "make a key with `liquid key new`"))?;
    let beside = sign.agreement.with_extension("sig.toml");
    let mut signatures = match fs::read_to_string(&beside) {
        Ok(text) => SignatureFile::parse(&text, &beside.display().to_string()).map_err(unusable)?,
        Err(_) => SignatureFile::default(),
    };
    signatures.add(key.sign(
        &agreement,
        Signer {
            organisation: OrganisationName::new(&sign.organisation),
            role: RoleName::new(&sign.role),
            key_id: KeyId::new(&sign.key_id),
            time: keys::now(),
        },
    ));
    fs::write(&beside, signatures.to_string()).map_err(|error| {
        Failure::here(
            format!("`{}` cannot be written: {error}", beside.display()),
            "check the folder's rights",
        )
    })?;
    note(&format!(
        "signed {} {} as {} in {}",
        agreement.id(),
        agreement.version(),
        sign.organisation,
        beside.display()
    ));
    let missing: Vec<&str> = agreement
        .controllers()
        .filter(|controller| !signatures.signatures.iter().any(|s| s.organisation == **controller))
        .map(|controller| controller.as_str())
        .collect();
    if !missing.is_empty() {
        note(&format!("still to sign: {}", missing.join(", ")));
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| {
        Failure::here(format!("`{}` cannot be read: {error}", file.display()), "name another file")
    })
}

/// An error that points into a file is shown with the place it points to.
fn unusable(error: liquid_policy::parse::ParseError) -> Failure {
    note(format!("{:?}", miette::Report::new(error)).trim_end());
    Failure::Said
}
