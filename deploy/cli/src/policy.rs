//! `liquid policy` and `liquid key`: one file a command.

mod act;
mod author;
mod back;
mod beside;
mod diff;
mod explain;
pub(crate) mod key;
mod lint;
mod meaning;
mod new;
mod preview;
mod propose;
mod register;
mod render;
mod sign;
mod sites;
mod status;
mod text;
mod verify;
mod ways;
mod who;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use liquid_policy::document::Agreement;
use liquid_policy::parse::{ParseError, parse_beside};
use liquid_policy::schema::json_schema_text;
use liquid_policy::signature::SignatureFile;
use miette::GraphicalTheme;
use text::read_text;

use crate::args::Policy;
use crate::failure::Failure;
use crate::terminal::{self, Paint, note};

/// Runs a command.
///
/// # Errors
/// What the command says of itself.
pub(crate) async fn run(command: Policy) -> Result<(), Failure> {
    match command {
        Policy::New(command) => new::run(&command),
        Policy::Lint(command) => lint::run(&command).await,
        Policy::Render(command) => render::run(&command),
        Policy::Schema => put(&json_schema_text()),
        Policy::Register(command) => register::run(&command),
        Policy::Propose(command) => propose::run(&command).await,
        Policy::Sign(command) => sign::run(&command).await,
        Policy::Status(command) => status::run(&command).await,
        Policy::Activate(command) => act::activate(&command).await,
        Policy::Suspend(command) => act::suspend(&command).await,
        Policy::Resume(command) => act::resume(&command).await,
        Policy::Rollback(command) => back::run(&command).await,
        Policy::Verify(command) => verify::run(&command),
        Policy::Diff(command) => diff::run(&command),
        Policy::Preview(command) => preview::run(&command).await,
        Policy::Explain(command) => explain::run(&command).await,
    }
}

/// Reads an agreement; what is wrong with it is shown with its place.
///
/// # Errors
/// Where there is no such file, or it is no agreement.
fn read_agreement(file: &Path) -> Result<(Agreement, String), Failure> {
    let text = read_text(file)?;
    let agreement = with_its_files(&text, file);
    if let (Err(_), Some(what)) = (&agreement, other_than_agreement(&text)) {
        return Err(Failure::here(
            format!("`{}` is no agreement but {what}", file.display()),
            "name the file that `liquid policy new` or `liquid policy status --save` has written",
        ));
    }
    Ok((agreement.map_err(unusable)?, text))
}

/// Reads an agreement that somebody is about to put a name to: nothing in it is left for later.
///
/// # Errors
/// As [`read_agreement`], and where something is still to be filled in.
fn read_finished(file: &Path) -> Result<(Agreement, String), Failure> {
    let (agreement, text) = read_agreement(file)?;
    match lint::left_to_fill_in(&agreement) {
        0 => Ok((agreement, text)),
        places => Err(lint::not_ready(places)),
    }
}

/// Reads an agreement's text, with the files that lie beside its own.
fn with_its_files(text: &str, file: &Path) -> Result<Agreement, ParseError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    parse_beside(text, &file.display().to_string(), &|name, sha256| beside::find(folder, name, sha256))
}

/// What a text is that is clearly something else than an agreement.
fn other_than_agreement(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return Some("empty");
    }
    if text.trim_start().starts_with("-----BEGIN ") {
        return Some("a key or a certificate");
    }
    if text.trim_start().starts_with(['{', '<']) {
        return Some("JSON or a web page");
    }
    let table: toml::Table = toml::from_str(text).ok()?;
    let is = |key: &str| table.contains_key(key);
    match () {
        () if is("agreement") || is("schema") => None,
        () if is("signature") => Some("signatures; the agreement lies beside them"),
        () if is("node") || is("coordinator") => Some("a configuration"),
        () if is("trusted_key") => Some("somebody's public key"),
        () => Some("another TOML file: it has no `[agreement]`"),
    }
}

/// Writes a text to standard output.
fn put(text: &str) -> Result<(), Failure> {
    terminal::put(text).map_err(|error| {
        Failure::here(format!("the output cannot be written: {error}"), "check the space on its volume")
    })
}

/// The signatures so far. Only where there is no such file there are none: writing over one that cannot be read would
/// lose what others have signed.
fn read_signatures(beside: &Path) -> Result<SignatureFile, Failure> {
    match fs::read_to_string(beside) {
        Ok(text) => SignatureFile::parse(&text, &beside.display().to_string()).map_err(unusable),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(SignatureFile::default()),
        Err(error) => Err(Failure::here(
            format!("the signatures in `{}` cannot be read: {error}", beside.display()),
            "make the file readable, so that they are kept",
        )),
    }
}

/// An error that points into a file is shown with the place it points to.
fn unusable(error: ParseError) -> Failure {
    let plain = GraphicalTheme::unicode_nocolor();
    note(terminal::report(&error, Paint::stderr(), plain, terminal::width_aside()).trim_end());
    Failure::Said
}
