//! `liquid policy propose`.

use liquid_node_api::governance::Governance;
use liquid_policy::statement::Act;

use super::sites::{Sites, short};
use super::status::lacking;
use super::who::Person;
use super::{beside, read_finished, read_signatures};
use crate::args::Propose;
use crate::failure::Failure;
use crate::terminal::note;

/// Sends a version to all sites, with its author's signature and those that lie beside the file.
///
/// # Errors
/// Where it is no agreement, the key cannot be used, or a site does not hold it.
pub(super) async fn run(propose: &Propose) -> Result<(), Failure> {
    let (agreement, text) = read_finished(&propose.agreement)?;
    let author = Person::read(&propose.who)?;
    let mut statements = read_signatures(&propose.agreement.with_extension("sig.toml"))?.signatures;
    statements.retain(|statement| statement.act.agreement() == Some(agreement.hash()));
    statements.push(author.say(Act::Write { agreement: agreement.hash().clone() })?);
    let files = beside::to_send(&agreement, &propose.agreement);
    let mut sites = Sites::reach(&propose.reach, Some(author.organisation.as_str())).await?;
    let told = sites.tell(&Governance::Propose { text, statements, files }).await?;
    let held = told.everywhere(&format!(
        "{} {} ({}) is held",
        agreement.id(),
        agreement.version(),
        short(agreement.hash())
    ));
    if let Ok(version) = told.version(agreement.id().as_str(), agreement.hash().as_str()) {
        note(&lacking(&version.lacks));
    }
    held
}
