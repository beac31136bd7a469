//! Who wrote a version, where its author may not approve it: said before it is too late, and of each approval that does not count.

use liquid_local::connection::Beacon;
use liquid_local::keys;
use liquid_policy::document::Agreement;
use liquid_policy::id::{KeyId, OrganisationName, RoleName};
use liquid_policy::life::VersionStatus;

use super::who::Person;
use crate::failure::Failure;
use crate::terminal::note_wrapped as note;

/// Whether somebody may propose a version, and so be its author: `all_the_same` though their approval is needed.
///
/// # Errors
/// As [`may_write`].
pub(super) fn may_propose(agreement: &Agreement, person: &Person, all_the_same: bool) -> Result<(), Failure> {
    if !all_the_same {
        return may_write(agreement, person);
    }
    if !agreement.signoff().author_may_sign {
        note(&barred(agreement, person));
    }
    Ok(())
}

/// Refuses to let somebody write a version whose approval is needed, where the agreement keeps the two apart: what is said once is
/// never taken back. Somebody whose approval may be needed is told of it.
///
/// # Errors
/// Where nobody would be left to sign in the person's role.
fn may_write(agreement: &Agreement, person: &Person) -> Result<(), Failure> {
    let organisation = &person.organisation;
    if agreement.signoff().author_may_sign || !agreement.controllers().any(|it| it == organisation) {
        return Ok(());
    }
    let own = person.roles();
    let approvers = agreement.approvers(organisation).filter(|roles| !roles.is_empty());
    let Some(approvers) = approvers else {
        note(&barred(agreement, person));
        return Ok(());
    };
    let left = approvers.iter().filter(|role| !own.contains(role)).count();
    if left == approvers.len() {
        return Ok(());
    }
    if left >= agreement.signoff().roles_per_party {
        note(&barred(agreement, person));
        return Ok(());
    }
    let role: Vec<&str> = approvers.iter().filter(|role| own.contains(role)).map(RoleName::as_str).collect();
    let role = role.join(", ");
    let other = match of_demo(organisation, |role| !approvers.contains(role)) {
        Some(name) => format!("use the key of somebody who does not approve it: `--key {name}`"),
        None => "use the key of somebody who does not approve it, in a role such as `author`; \
                 `liquid key new` makes one, and the operators of nodes must trust it"
            .to_owned(),
    };
    Err(Failure::here(
        format!(
            "whoever proposes {} counts as its author, who may not approve it; and {organisation} needs this key to approve it, \
             as {role}",
            agreement.id()
        ),
        format!("{other}; or add `--author`, if somebody else approves it as {role}"),
    ))
}

/// What it costs to be the author.
pub(super) fn barred(agreement: &Agreement, person: &Person) -> String {
    format!(
        "`{}` of {} counts as the author of {} {} from now on, so it cannot approve it: let others sign for {}",
        person.key_id,
        person.organisation,
        agreement.id(),
        agreement.version(),
        person.organisation
    )
}

/// The name of a key of the running demo that an organisation has in a role.
fn of_demo(organisation: &OrganisationName, fits: impl Fn(&RoleName) -> bool) -> Option<String> {
    let demo = Beacon::path().and_then(|path| Beacon::read(&path))?;
    let mut keys = demo.keys().into_iter().filter_map(|(name, file)| {
        let card = keys::read_card(&keys::card_of(&file)).ok()?;
        (card.organisation == *organisation && card.roles.iter().all(&fits)).then_some(name)
    });
    keys.next()
}

/// Why an approval counts for nothing.
pub(super) const BARRED: &str = "does not count: this key wrote it";

/// Whether a key has said that it wrote a version.
pub(super) fn wrote(version: &VersionStatus, organisation: &OrganisationName, key_id: &KeyId) -> bool {
    version
        .said
        .iter()
        .any(|said| said.act == "write" && said.organisation == *organisation && said.key_id == *key_id)
}
