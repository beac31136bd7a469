//! `liquid policy` and `liquid key`: one file a command.

pub(crate) mod key;
mod sign;

use std::fs;
use std::path::Path;

use liquid_policy::document::Agreement;
use liquid_policy::parse::parse;

use crate::args::Policy;
use crate::failure::Failure;
use crate::terminal::note;

/// Runs a command.
///
/// # Errors
/// What the command says of itself.
pub(crate) fn run(command: &Policy) -> Result<(), Failure> {
    match command {
        Policy::Sign(command) => sign::run(command),
    }
}

/// Reads an agreement; what is wrong with it is shown with its place.
///
/// # Errors
/// Where there is no such file, or it is no agreement.
fn read_agreement(file: &Path) -> Result<Agreement, Failure> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::here(format!("`{name}` cannot be read: {error}"), "name an agreement"))?;
    parse(&text, &name).map_err(unusable)
}

/// An error that points into a file is shown with the place it points to.
fn unusable(error: liquid_policy::parse::ParseError) -> Failure {
    note(format!("{:?}", miette::Report::new(error)).trim_end());
    Failure::Said
}
