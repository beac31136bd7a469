//! What a node keeps of what it is sent: statements that count, and of each person no more than they can mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use liquid_node_api::Error;
use liquid_node_api::governance::{FILES_BYTES_MAX, FILES_MAX, FileBeside, TEXT_BYTES_MAX, VERSIONS_MAX};
use liquid_policy::Agreement;
use liquid_policy::id::{AgreementHash, OrganisationName};
use liquid_policy::keyring::Standing;
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};

/// Statements of one kind that a node keeps of one person, whichever of their keys they take, so that whoever says very much keeps
/// nobody else from saying anything. As many go into one message.
const STATEMENTS_MAX: usize = 200;

/// The same for suspensions of one agreement, and for giving up the key itself.
const SUSPENSIONS_MAX: usize = 50;

/// Versions that a node holds of one organisation's authors, so that none fills it for all.
const VERSIONS_OF_ONE_MAX: usize = 100;

/// Refuses a message that would take long to read.
pub(super) fn few(statements: &[Statement]) -> Result<(), Error> {
    if statements.len() <= STATEMENTS_MAX {
        return Ok(());
    }
    Err(Error::invalid(
        format!("{} statements are too many at once", statements.len()),
        format!("send them in messages of at most {STATEMENTS_MAX}"),
    ))
}

/// What was sent is no longer than a node reads.
pub(super) fn few_enough(text: &str, files: &[FileBeside]) -> Result<(), Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::invalid("the agreement is too long", "write it in less than 256 KiB"));
    }
    if files.len() > FILES_MAX || files.iter().map(|file| file.text.len()).sum::<usize>() > FILES_BYTES_MAX {
        return Err(Error::invalid(
            "the files that the agreement names are too many or too large to travel with it",
            "ask each site's operator to put them into the folder of agreements, and send it without them",
        ));
    }
    Ok(())
}

/// Whether one more version is held, of these authors.
///
/// # Errors
/// Where there are too many. What is held stays: it may be what stands, and what was said of it may be what stops it.
pub(super) fn has_room(
    held: usize,
    of_one: &BTreeMap<OrganisationName, usize>,
    authors: &BTreeSet<&OrganisationName>,
) -> Result<(), Error> {
    let full = authors.iter().find(|it| of_one.get(**it).is_some_and(|count| *count >= VERSIONS_OF_ONE_MAX));
    let problem = match full {
        Some(author) => format!(
            "this site holds {VERSIONS_OF_ONE_MAX} versions that `{author}` has proposed, and no more"
        ),
        None if held >= VERSIONS_MAX => "this site holds too many versions".to_owned(),
        None => return Ok(()),
    };
    Err(Error::invalid(problem, PLACE_IT))
}

/// What is to be done where there is no room: nothing that is held is touched.
pub(super) const PLACE_IT: &str = "ask the site's operator to put this version, its signatures and the files that it names into the \
    folder of agreements; nothing below `held` may be deleted";

/// Whether statements are to be kept, all of them: each counts, and nobody has said too much.
pub(super) fn may_say(
    life: &Life,
    statements: &[Statement],
    proposed: Option<&AgreementHash>,
) -> Result<(), Error> {
    let known: BTreeSet<&Statement> = life.statements().iter().collect();
    let of = |statement| Some((life.ring().person(statement)?, kind(statement)));
    let mut said = BTreeMap::new();
    for one in known.iter().filter_map(|statement| of(statement)) {
        *said.entry(one).or_insert(0_usize) += 1;
    }
    // All together: what one message says counts too.
    let new: BTreeSet<&Statement> = statements.iter().filter(|it| !known.contains(it)).collect();
    for statement in statements {
        counts(life, statement, proposed)?;
    }
    for statement in new {
        let Some(one @ (_, (_, _, most))) = of(statement) else { continue };
        let said = said.entry(one).or_insert(0);
        *said += 1;
        if *said > most {
            return Err(Error::invalid(
                format!("whoever holds the key `{}` has said too much of one kind", statement.key_id),
                "let somebody else of the organisation say it, with a key that was not handed over by this one",
            ));
        }
    }
    Ok(())
}

/// Whether a statement is to be kept: by a key that counts, on something that is known here.
fn counts(life: &Life, statement: &Statement, proposed: Option<&AgreementHash>) -> Result<(), Error> {
    let Statement { organisation, key_id, act, .. } = statement;
    if matches!(act, Act::Preview { .. }) {
        return Err(Error::invalid(
            "a preview changes nothing, so it is not said",
            "ask for it with `liquid policy preview`",
        ));
    }
    let revokes = matches!(act, Act::Revoke { .. }) && life.ring().may_revoke(statement);
    let problem = match life.ring().standing(statement) {
        _ if revokes => None,
        Standing::Valid => None,
        Standing::Untrusted => Some("is not trusted here"),
        Standing::Revoked => Some("was revoked"),
        Standing::Broken => Some("did not make this signature"),
    };
    if let Some(problem) = problem {
        return Err(Error::invalid(
            format!("the key `{key_id}` of `{organisation}` {problem}"),
            "sign with the key that the site's operator has written into `[[trusted_key]]`",
        ));
    }
    let knows = |hash: &AgreementHash| proposed == Some(hash) || life.version(hash).is_some();
    let speaks_of = |it: &&Arc<Agreement>| act.id().is_none_or(|id| it.id() == id);
    let is_known =
        act.agreement().is_none_or(knows) && (act.id().is_none() || life.versions().any(|it| speaks_of(&it)));
    if !is_known {
        return Err(Error::invalid(
            "this site does not know the version or the agreement that is spoken of",
            "propose it first; `liquid policy status` shows what the site holds",
        ));
    }
    Ok(())
}

/// What a statement counts as towards how much a person may say: what stops an agreement, or the key itself, has a count of its
/// own, so that whoever has filled all others with a stolen key keeps its owner from neither.
fn kind(statement: &Statement) -> (&'static str, &str, usize) {
    match &statement.act {
        Act::Suspend { id } => ("suspend", id.as_str(), SUSPENSIONS_MAX),
        Act::Revoke { revoked } if *revoked == statement.key_id => ("give up", "", SUSPENSIONS_MAX),
        act => (act.verb(), "", STATEMENTS_MAX),
    }
}
