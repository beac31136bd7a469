//! Whether an agreement is signed: what its statements prove, held against its own rule for sign-off.
//!
//! Every controller signs, in as many roles as the agreement says, each role by another key. Where the agreement names
//! approvers, only those roles count, and only by keys that the node trusts in them. Whoever wrote a version may be barred
//! from approving it; then somebody must have said that they wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::Agreement;
use crate::id::{OrganisationName, RoleName};
use crate::keyring::{Key, Keyring, Standing};
use crate::parse::ParseError;
use crate::refusal::list;
use crate::statement::{Act, Statement};

/// An agreement together with what was said of it. Made by [`Signed::verify`] alone; an unsigned agreement is
/// such a value as well, and admits nobody.
#[derive(Debug, Clone)]
pub struct Signed {
    agreement: Arc<Agreement>,
    signatures: Vec<(Statement, Standing)>,
    lacks: Vec<Lack>,
    suspended: Vec<Statement>,
    /// Approvals by keys that count.
    approvals: Vec<Approval>,
    /// Whoever wrote it.
    authors: BTreeSet<Vec<u8>>,
}

/// Something that is missing before an agreement is signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// Nobody has said that they wrote it, and whoever did may not sign.
    Author,
    /// A controller's signatures.
    Signatures {
        /// Whose.
        organisation: OrganisationName,
        /// How many.
        more: usize,
        /// The roles in which they can be given; any where there is none.
        roles: BTreeSet<RoleName>,
    },
    /// A version that replaces several which stand beside each other.
    Choice,
    /// A version that another one replaces, and that does not stand at the site.
    Unheard,
    /// Somebody of whom whoever asks is not told: who signs a version that this one replaces, and that they may not see.
    Others,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Author => f.write_str("its author"),
            Self::Choice => f.write_str("a version that replaces all that stand beside each other"),
            Self::Unheard => f.write_str("a version that it replaces and that does not stand here"),
            Self::Others => f.write_str("somebody who signs a version that it replaces"),
            Self::Signatures { organisation, more: 1, roles } if roles.is_empty() => {
                write!(f, "`{organisation}`")
            }
            Self::Signatures { organisation, more, roles } if roles.is_empty() => {
                write!(f, "`{organisation}` ({more} roles)")
            }
            Self::Signatures { organisation, more, roles } if *more == roles.len() => {
                write!(f, "`{organisation}` ({})", list(roles))
            }
            Self::Signatures { organisation, more, roles } => {
                write!(f, "`{organisation}` ({more} of {})", list(roles))
            }
        }
    }
}

/// Whether a key may speak for its organisation as one of those who sign an agreement.
pub(crate) fn is_signatory(agreement: &Agreement, statement: &Statement, ring: &Keyring) -> bool {
    ring.signer(statement).is_ok_and(|key| Approval::new(statement, key).is_of_signatory(agreement))
}

/// A signature that counts: in which role, by which key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Approval {
    pub(crate) organisation: OrganisationName,
    pub(crate) role: RoleName,
    pub(crate) person: Vec<u8>,
    /// Whether the key is trusted in that role.
    pub(crate) proved: bool,
    /// Whether the key is bound to no role at all.
    pub(crate) unbound: bool,
}

impl Approval {
    /// What a key has signed.
    pub(crate) fn new(statement: &Statement, key: &Key) -> Self {
        Self {
            organisation: statement.organisation.clone(),
            role: statement.role.clone(),
            person: key.person.clone(),
            proved: key.roles.contains(&statement.role),
            unbound: key.roles.is_empty(),
        }
    }

    /// Whether it was given in a role in which somebody may sign an agreement for that organisation.
    pub(crate) fn is_of_signatory(&self, agreement: &Agreement) -> bool {
        match agreement.approvers.get(&self.organisation) {
            Some(roles) => self.proved && roles.contains(&self.role),
            None => self.proved || self.unbound,
        }
    }

    /// The same for one of its controllers.
    pub(crate) fn is_of_controller(&self, agreement: &Agreement) -> bool {
        agreement.controllers().any(|it| *it == self.organisation) && self.is_of_signatory(agreement)
    }
}

impl Signed {
    /// Holds what was said of an agreement against the keys that this node trusts. Statements on other versions are passed over.
    pub fn verify(agreement: Arc<Agreement>, statements: &[Statement], ring: &Keyring) -> Self {
        Self::of(agreement, statements.iter(), ring)
    }

    /// The same for some statements.
    pub(crate) fn of<'a>(
        agreement: Arc<Agreement>,
        statements: impl Iterator<Item = &'a Statement>,
        ring: &Keyring,
    ) -> Self {
        let (mut signatures, mut approvals, mut authors) = (Vec::new(), Vec::new(), BTreeSet::new());
        for statement in statements.filter(|it| it.act.agreement() == Some(agreement.hash())) {
            let signer = ring.signer(statement);
            match (&statement.act, signer) {
                (Act::Approve { .. }, Ok(key)) => approvals.push(Approval::new(statement, key)),
                (Act::Write { .. }, Ok(key)) if agreement.parties.contains_key(&statement.organisation) => {
                    authors.insert(key.person.clone());
                }
                (Act::Approve { .. } | Act::Write { .. }, _) => {}
                _ => continue,
            }
            signatures.push((statement.clone(), signer.err().unwrap_or(Standing::Valid)));
        }
        let lacks = lacks(&agreement, &approvals, Some(&authors));
        Self { agreement, signatures, lacks, suspended: Vec::new(), approvals, authors }
    }

    /// The agreement.
    pub fn agreement(&self) -> &Arc<Agreement> {
        &self.agreement
    }

    /// True where the sign-off that the agreement demands is there.
    pub fn is_complete(&self) -> bool {
        self.lacks.is_empty()
    }

    /// What the sign-off lacks.
    pub fn lacks(&self) -> &[Lack] {
        &self.lacks
    }

    /// Every statement on writing or approving this version, with what it is worth.
    pub fn signatures(&self) -> &[(Statement, Standing)] {
        &self.signatures
    }

    /// The suspensions that hold, none where the agreement is not suspended.
    pub fn suspended(&self) -> &[Statement] {
        &self.suspended
    }

    /// The same, suspended.
    pub(crate) fn suspend(self, suspended: Vec<Statement>) -> Self {
        Self { suspended, ..self }
    }

    /// The same where that is missing.
    pub(crate) fn lacking(self, lacks: Vec<Lack>) -> Self {
        Self { lacks, ..self }
    }

    /// What the approvals of this version lack of what another version's rule for sign-off asks of its parties.
    pub(crate) fn lacks_for(&self, other: &Agreement) -> Vec<Lack> {
        lacks(other, &self.approvals, Some(&self.authors))
    }

    /// Whether one controller has done its part.
    pub(crate) fn is_signed_by(&self, organisation: &OrganisationName) -> bool {
        is_signed_by(&self.lacks, organisation)
    }
}

/// Whether one controller has done its part where something is lacking.
pub(crate) fn is_signed_by(lacks: &[Lack], organisation: &OrganisationName) -> bool {
    !lacks.iter().any(|lack| match lack {
        Lack::Author | Lack::Choice | Lack::Unheard | Lack::Others => true,
        Lack::Signatures { organisation: lacking, .. } => lacking == organisation,
    })
}

/// What is missing: the author, or signatures of a controller. Where what is said has no author, nobody is barred.
pub(crate) fn lacks<'a>(
    agreement: &Agreement,
    approvals: impl IntoIterator<Item = &'a Approval>,
    authors: Option<&BTreeSet<Vec<u8>>>,
) -> Vec<Lack> {
    let approvals: Vec<&Approval> = approvals.into_iter().collect();
    let needed = agreement.signoff.roles_per_party;
    let barring = authors.filter(|_| !agreement.signoff.author_may_sign);
    let lacking = agreement.controllers().filter_map(|controller| {
        let roles = agreement.approvers.get(controller).cloned().unwrap_or_default();
        let counts = |approval: &&&Approval| {
            approval.organisation == *controller
                && !barring.is_some_and(|authors| authors.contains(&approval.person))
                && match (roles.is_empty(), needed) {
                    // Nobody asks in which role: a key that is bound to roles still signs in those alone.
                    (true, 1) => approval.proved || approval.unbound,
                    (true, _) => approval.proved,
                    (false, _) => approval.proved && roles.contains(&approval.role),
                }
        };
        let pairs: Vec<_> = approvals.iter().filter(counts).map(|a| (&a.role, a.person.as_slice())).collect();
        let more = needed.saturating_sub(pairings(&pairs));
        let open = roles.iter().filter(|role| !pairs.iter().any(|(signed, _)| signed == role)).cloned();
        let roles: BTreeSet<RoleName> = if more > 0 { open.collect() } else { BTreeSet::new() };
        (more > 0).then(|| Lack::Signatures { organisation: controller.clone(), more, roles })
    });
    barring.is_some_and(BTreeSet::is_empty).then_some(Lack::Author).into_iter().chain(lacking).collect()
}

/// In how many roles the keys have signed where each key stands for one role: the size of the largest matching (Kuhn's
/// augmenting paths), so that neither the order of signatures nor a further one ever costs a role.
fn pairings(pairs: &[(&RoleName, &[u8])]) -> usize {
    fn augment<'a>(
        role: &'a RoleName,
        pairs: &[(&'a RoleName, &'a [u8])],
        taken: &mut BTreeMap<&'a [u8], &'a RoleName>,
        seen: &mut BTreeSet<&'a [u8]>,
    ) -> bool {
        for (_, key) in pairs.iter().filter(|(signed, _)| *signed == role) {
            if !seen.insert(key) {
                continue;
            }
            let holder = taken.get(key).copied();
            if holder.is_none_or(|holder| augment(holder, pairs, taken, seen)) {
                taken.insert(key, role);
                return true;
            }
        }
        false
    }
    let mut taken = BTreeMap::new();
    let roles: BTreeSet<&RoleName> = pairs.iter().map(|(role, _)| *role).collect();
    roles.into_iter().filter(|role| augment(role, pairs, &mut taken, &mut BTreeSet::new())).count()
}

/// The statements that lie beside an agreement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureFile {
    /// In the order in which they were made.
    #[serde(default, rename = "signature")]
    pub signatures: Vec<Statement>,
}

impl SignatureFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Where it is not TOML, or has other keys than a statement has.
    pub fn parse(text: &str, file: &str) -> Result<Self, ParseError> {
        toml::from_str(text).map_err(|error| ParseError::from_toml(&error, text, file))
    }

    /// Adds a statement, in place of an earlier one of the same kind by the same key.
    pub fn add(&mut self, statement: Statement) {
        let of = |s: &Statement| (s.organisation.clone(), s.key_id.clone(), std::mem::discriminant(&s.act));
        let name = of(&statement);
        self.signatures.retain(|s| of(s) != name);
        self.signatures.push(statement);
    }
}

impl fmt::Display for SignatureFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("# What was said of the agreement beside this file, each sentence signed.\n")?;
        for signature in &self.signatures {
            let text =
                toml::to_string(&BTreeMap::from([("signature", [signature])])).map_err(|_| fmt::Error)?;
            write!(f, "\n{text}")?;
        }
        Ok(())
    }
}
