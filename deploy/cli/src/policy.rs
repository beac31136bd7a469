//! `liquid policy` and `liquid key`: one file a command.

mod act;
pub(crate) mod key;
mod propose;
mod sign;
mod sites;
mod status;
mod verify;
mod who;

use std::fs;
use std::path::Path;

use liquid_policy::document::Agreement;
use liquid_policy::parse::parse;
use liquid_policy::signature::SignatureFile;

use crate::args::Policy;
use crate::failure::Failure;
use crate::terminal::note;

/// Runs a command.
///
/// # Errors
/// What the command says of itself.
pub(crate) async fn run(command: Policy) -> Result<(), Failure> {
    match command {
        Policy::Propose(command) => propose::run(&command).await,
        Policy::Sign(command) => sign::run(&command).await,
        Policy::Status(command) => status::run(&command).await,
        Policy::Activate(command) => act::activate(&command).await,
        Policy::Suspend(command) => act::suspend(&command).await,
        Policy::Resume(command) => act::resume(&command).await,
        Policy::Rollback(command) => act::rollback(&command).await,
        Policy::Verify(command) => verify::run(&command),
    }
}

/// Reads an agreement; what is wrong with it is shown with its place.
///
/// # Errors
/// Where there is no such file, or it is no agreement.
fn read_agreement(file: &Path) -> Result<(Agreement, String), Failure> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::here(format!("`{name}` cannot be read: {error}"), "name an agreement"))?;
    Ok((parse(&text, &name).map_err(unusable)?, text))
}

/// The signatures so far. Only where there is no such file there are none: writing over one that cannot be read would
/// lose what others have signed.
fn read_signatures(beside: &Path) -> Result<SignatureFile, Failure> {
    match fs::read_to_string(beside) {
        Ok(text) => SignatureFile::parse(&text, &beside.display().to_string()).map_err(unusable),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(SignatureFile::default()),
        Err(error) => Err(Failure::here(
            format!("the signatures in `{}` cannot be read: {error}", beside.display()),
            "make the file readable, so that they are kept",
        )),
    }
}

/// An error that points into a file is shown with the place it points to.
fn unusable(error: liquid_policy::parse::ParseError) -> Failure {
    note(format!("{:?}", miette::Report::new(error)).trim_end());
    Failure::Said
}
