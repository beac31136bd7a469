//! What a file says of its sign-off and of the version before it.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::document::Signoff;
use crate::file::File;
use crate::id::{AgreementHash, OrganisationName, RoleName};

impl Check<'_> {
    /// The roles in which parties sign: of controllers alone, and enough of them.
    pub(super) fn approvers(&mut self, file: &File) -> BTreeMap<OrganisationName, BTreeSet<RoleName>> {
        let needed = file.signoff.roles_per_party;
        let mut approvers = BTreeMap::new();
        for (index, party) in file.party.iter().enumerate().filter(|(_, party)| !party.approvers.is_empty()) {
            let index = index.to_string();
            let path = ["party", index.as_str(), "approvers"];
            self.names(&path, party.approvers.iter());
            if !party.role.is_controller() {
                self.problem(
                    &path,
                    format!("`{}` is no controller, so it does not sign", party.organisation),
                    "leave `approvers` out, or make the party a `controller`",
                );
            }
            let roles: BTreeSet<RoleName> = party.approvers.iter().cloned().collect();
            if u32::try_from(roles.len()).is_ok_and(|roles| roles < needed) {
                self.problem(
                    &path,
                    format!(
                        "`{}` names {} of the {needed} roles that must sign",
                        party.organisation,
                        roles.len()
                    ),
                    "name more roles, or write a smaller `signoff.roles_per_party`",
                );
            }
            approvers.insert(party.organisation.clone(), roles);
        }
        approvers
    }

    pub(super) fn signoff(&mut self, file: &File) -> Signoff {
        let roles_per_party = file.signoff.roles_per_party;
        if roles_per_party == 0 {
            self.problem(
                &["signoff", "roles_per_party"],
                "with 0 roles nobody would sign the agreement",
                "write 1 or more",
            );
        }
        let roles_per_party = usize::try_from(roles_per_party).unwrap_or(usize::MAX);
        Signoff { roles_per_party, author_may_sign: file.signoff.author_may_sign }
    }

    /// The versions that it replaces, by their hashes.
    pub(super) fn supersedes(&mut self, file: &File) -> BTreeSet<AgreementHash> {
        let Some(supersedes) = &file.agreement.supersedes else { return BTreeSet::new() };
        let at = &["agreement", "supersedes"];
        let mut named = BTreeSet::new();
        for written in supersedes.hashes() {
            let hash = written.strip_prefix("sha256:").filter(|hex| {
                hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            });
            match hash {
                None => self.problem(
                    at,
                    format!("`{written}` is no hash of a version"),
                    "write `sha256:` and the 64 digits that `liquid policy status` shows for the version in force",
                ),
                Some(hash) if !named.insert(AgreementHash::new(hash)) => {
                    self.problem(at, format!("`{written}` stands there twice"), "name each version once");
                }
                Some(_) => {}
            }
        }
        if supersedes.hashes().is_empty() {
            self.problem(at, "it names no version", "leave the key out of a first version");
        }
        if supersedes.hashes().len() > REPLACED_MAX {
            let problem = format!("it names {} versions", supersedes.hashes().len());
            self.problem(at, problem, format!("name no more than {REPLACED_MAX}"));
        }
        named
    }
}

/// How many versions one can replace: enough for all sites to have gone ways of their own.
const REPLACED_MAX: usize = 64;
