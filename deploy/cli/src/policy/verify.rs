//! `liquid policy verify`: what the signatures beside an agreement are worth, by the keys that somebody trusts.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use liquid_local::connection::Beacon;
use liquid_policy::keyring::Standing;
use liquid_policy::statement::{Act, Statement, TrustedKey};
use liquid_policy::{Keyring, Signed};
use serde::Deserialize;

use super::author::BARRED;
use super::status::{lacking, past};
use super::{beside, read_agreement, read_signatures};
use crate::args::Verify;
use crate::failure::Failure;
use crate::terminal::say;

/// The part of a `node.toml` that counts here.
#[derive(Deserialize)]
struct Trust {
    #[serde(default)]
    trusted_key: Vec<TrustedKey>,
}

/// The file of the first node of the demo that runs.
fn of_demo() -> Option<PathBuf> {
    let demo = Beacon::path().and_then(|path| Beacon::read(&path))?;
    let file = demo.ca.parent()?.join("sites").join(&demo.sites.first()?.name).join("node.toml");
    file.is_file().then_some(file)
}

/// Runs the command.
///
/// # Errors
/// Where a file cannot be read, or the sign-off is not whole.
pub(super) fn run(verify: &Verify) -> Result<(), Failure> {
    let (agreement, _) = read_agreement(&verify.agreement)?;
    let statements = read_signatures(&verify.agreement.with_extension("sig.toml"))?.signatures;
    let file = match &verify.trust {
        Some(file) => file.clone(),
        None => of_demo().ok_or_else(|| {
            Failure::here(
                "it is not known whose keys count",
                "name a node's `node.toml` with `--trust`; the operator of the node has it",
            )
        })?,
    };
    let trust = file.display();
    let text = fs::read_to_string(&file).map_err(|error| {
        Failure::here(format!("`{trust}` cannot be read: {error}"), "name a `node.toml` with `--trust`")
    })?;
    let Trust { trusted_key } = toml::from_str(&text).map_err(|error| {
        Failure::here(
            format!("`{trust}` has no keys to trust: {}", error.message()),
            "write `[[trusted_key]]` entries",
        )
    })?;
    let ring = Keyring::new(&trusted_key, &statements);
    let others = statements
        .iter()
        .filter(|it| it.act.agreement().is_some_and(|hash| hash != agreement.hash()))
        .count();
    let signed = Signed::verify(Arc::new(agreement), &statements, &ring);
    let agreement = signed.agreement();
    say(&format!("{} {}  sha256:{}", agreement.id(), agreement.version(), agreement.hash()));
    beside::lines(agreement).iter().for_each(|line| say(&format!("  {line}")));
    let person = |statement: &Statement| ring.signer(statement).ok().map(|key| key.person.clone());
    let wrote = |(it, _): &&(Statement, Standing)| matches!(it.act, Act::Write { .. });
    let authors: Vec<_> = signed.signatures().iter().filter(wrote).filter_map(|(it, _)| person(it)).collect();
    let barred = |it: &Statement| {
        !agreement.signoff().author_may_sign
            && matches!(it.act, Act::Approve { .. })
            && person(it).is_some_and(|person| authors.contains(&person))
    };
    for (statement, standing) in signed.signatures() {
        let worth = match standing {
            Standing::Valid if barred(statement) => BARRED,
            Standing::Valid => "good",
            Standing::Untrusted => "by a key that is not trusted there",
            Standing::Revoked => "by a key that was revoked",
            Standing::Broken => "not made by that key, or changed since",
        };
        say(&format!(
            "  {} by {}, {} ({}): {worth}",
            past(statement.act.verb()),
            statement.organisation,
            statement.role,
            statement.key_id
        ));
    }
    if others > 0 {
        say(&format!("  {others} made over another text, so they do not count here"));
    }
    say(&lacking(signed.lacks()));
    if signed.is_complete() {
        return Ok(());
    }
    Err(Failure::here(
        "the agreement is not signed",
        "let those sign who are missing, by keys that the nodes trust",
    ))
}
