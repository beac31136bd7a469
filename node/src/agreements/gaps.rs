//! What a node has been sent and cannot tell any more: a file that is gone or cannot be read, a key that the configuration does not
//! know. It could be what stops an agreement, so what it speaks of is refused until it is there again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use liquid_policy::id::{AgreementHash, AgreementId};
use liquid_policy::keyring::Standing;
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};

use super::folder::Unread;

/// What cannot be told.
#[derive(Default)]
pub(super) struct Gaps {
    /// Of which agreements.
    pub(super) closed: BTreeSet<AgreementId>,
    /// Of nobody knows which.
    pub(super) lost: bool,
    /// What is wrong, for the operator.
    pub(super) problems: Vec<(PathBuf, String)>,
}

/// What a running node has held.
#[derive(Default, Clone)]
pub(super) struct Once {
    pub(super) versions: BTreeSet<AgreementHash>,
    pub(super) statements: BTreeSet<Statement>,
}

/// The agreements of which a version that cannot be read may stand, and whether there is one of which nobody knows the
/// agreement.
///
/// A version that was sent and that nobody has activated cannot stand, so it stands in nobody's way: whoever can propose would
/// else close a node. One that was activated may stand by now or have passed the agreement on to a later one, and without it the
/// looser one before would come back; so that agreement is refused, and no other. A revoked key took nothing back.
pub(super) fn unread(gaps: &mut Gaps, life: &Life, unread: &[Unread]) {
    let counts = |it: &Statement| matches!(life.ring().standing(it), Standing::Valid | Standing::Revoked);
    let is_active = |version: &&Unread| {
        life.statements().iter().any(|it| {
            matches!(&it.act, Act::Activate { agreement, .. } if version.hashes.contains(agreement))
                && counts(it)
        })
    };
    for version in unread.iter().filter(is_active) {
        match &version.id {
            Some(id) => drop(gaps.closed.insert(id.clone())),
            None => gaps.lost = true,
        }
    }
}

/// What was heard by keys that the configuration does not know: they were deleted from it, and with them what they have stopped.
pub(super) fn of_nobody(gaps: &mut Gaps, life: &Life, file: impl Fn(&Statement) -> PathBuf) {
    for statement in life.of_nobody() {
        let speaks_of = statement.act.agreement().and_then(|hash| life.version(hash)).map(|it| it.id());
        match statement.act.id().or(speaks_of) {
            Some(id) => drop(gaps.closed.insert(id.clone())),
            None => gaps.lost = true,
        }
        let problem = format!(
            "said with the key `{}` of `{}`, which the configuration does not know; put that key back into `[[trusted_key]]`, with \
             `retired = true` if it is to count no longer, and start the node again",
            statement.key_id, statement.organisation
        );
        gaps.problems.push((file(statement), problem));
    }
}

/// What this node has held while it ran and does not find any more.
pub(super) fn missing(
    gaps: &mut Gaps,
    once: &Once,
    (life, unreadable): (&Life, &[PathBuf]),
    files: (impl Fn(&AgreementHash) -> PathBuf, impl Fn(&Statement) -> PathBuf),
) {
    let statements: BTreeSet<&Statement> = life.statements().iter().collect();
    let versions = once.versions.iter().filter(|it| life.version(it).is_none()).map(files.0);
    let said = once.statements.iter().filter(|it| !statements.contains(it)).map(files.1);
    for file in versions.chain(said).filter(|file| !unreadable.contains(file)) {
        gaps.lost = true;
        let problem = "the file is gone, and it may be what stops an agreement; put it back from a copy, with all others below `held`";
        gaps.problems.push((file, problem.to_owned()));
    }
}
