//! What a node says of its agreements to the parties: which version stands, which are held, who has signed, who is missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Life, Version};
use crate::diff::tightens;
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, KeyId, OrganisationName, RoleName, StatementHash};
use crate::keyring::Standing;
use crate::signature::{Lack, Signed};
use crate::statement::{Act, Statement};

/// One agreement at one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementStatus {
    /// Its id.
    pub id: AgreementId,
    /// Its title.
    pub title: String,
    /// The version that stands; none where none was placed or activated.
    pub stands: Option<AgreementHash>,
    /// The suspensions that hold.
    pub suspended: Vec<SaidBy>,
    /// All versions that the node holds, that of the first day first.
    pub versions: Vec<VersionStatus>,
}

/// One version of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionStatus {
    /// Its hash.
    pub hash: AgreementHash,
    /// Its number.
    pub version: String,
    /// The version that it replaces.
    pub supersedes: Option<AgreementHash>,
    /// The files beside it, by name, each with its SHA-256: lists of values, approved queries.
    #[serde(default)]
    pub beside: BTreeMap<String, String>,
    /// Whether the site's operator put it there.
    pub placed: bool,
    /// Who wrote and who approved it, as far as their signatures count.
    pub said: Vec<SaidBy>,
    /// What its sign-off lacks.
    pub lacks: Vec<Lack>,
    /// When it is to take the place of the one before, as controllers have said.
    pub activated: Vec<DateTime<Utc>>,
    /// Rollbacks to it that are being agreed: from which version, when, and what the sign-off lacks.
    pub rollbacks: Vec<Rollback>,
    /// The words of `liquid policy diff` on what it does against the version that stands.
    pub tightens: bool,
}

/// A rollback that is being agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The version that is left.
    pub from: AgreementHash,
    /// When.
    pub at: DateTime<Utc>,
    /// What is missing.
    pub lacks: Vec<Lack>,
}

/// Who said something, and when by their clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidBy {
    /// The statement.
    pub statement: StatementHash,
    /// What they did: `write`, `approve`, `suspend`.
    pub act: String,
    /// For which party.
    pub organisation: OrganisationName,
    /// In which role.
    pub role: RoleName,
    /// With which key.
    pub key_id: KeyId,
    /// When.
    pub time: DateTime<Utc>,
}

impl From<&Statement> for SaidBy {
    fn from(statement: &Statement) -> Self {
        Self {
            statement: statement.hash(),
            act: statement.act.verb().to_owned(),
            organisation: statement.organisation.clone(),
            role: statement.role.clone(),
            key_id: statement.key_id.clone(),
            time: statement.time,
        }
    }
}

impl Life {
    /// What is known of every agreement that `may_see` lets through.
    pub fn status(&self, now: DateTime<Utc>, may_see: impl Fn(&Agreement) -> bool) -> Vec<AgreementStatus> {
        let heads = self.heads(now);
        let mut ids: Vec<&AgreementId> =
            self.versions.values().map(|version| version.agreement.id()).collect();
        ids.sort();
        ids.dedup();
        let of = |id: &AgreementId| {
            let head =
                heads.iter().find(|signed| signed.agreement().id() == id && may_see(signed.agreement()));
            let mut versions: Vec<&Version> =
                self.versions.values().filter(|v| v.agreement.id() == id && may_see(&v.agreement)).collect();
            versions.sort_by_key(|version| {
                (*version.agreement.in_force().start(), version.agreement.version().to_owned())
            });
            let last = versions.last()?;
            Some(AgreementStatus {
                id: id.clone(),
                title: head
                    .map_or_else(|| last.agreement.title(), |head| head.agreement().title())
                    .to_owned(),
                stands: head.map(|head| head.agreement().hash().clone()),
                suspended: head.iter().flat_map(|head| head.suspended()).map(SaidBy::from).collect(),
                versions: versions.iter().map(|version| self.version_status(version, head)).collect(),
            })
        };
        ids.into_iter().filter_map(of).collect()
    }

    fn version_status(&self, version: &Version, head: Option<&Signed>) -> VersionStatus {
        let agreement = &version.agreement;
        let signed = self.signed(version);
        let valid = signed.signatures().iter().filter(|(_, standing)| *standing == Standing::Valid);
        VersionStatus {
            hash: agreement.hash().clone(),
            version: agreement.version().to_owned(),
            supersedes: agreement.supersedes().cloned(),
            beside: agreement.file().beside().into_iter().collect(),
            placed: version.placed,
            said: valid.map(|(statement, _)| statement.into()).collect(),
            lacks: signed.lacks().to_vec(),
            activated: self.activations(agreement).map(|(_, at)| at).collect(),
            rollbacks: self.rollbacks(agreement),
            tightens: head.is_some_and(|head| {
                head.agreement().hash() != agreement.hash() && tightens(head.agreement(), agreement)
            }),
        }
    }

    fn rollbacks(&self, to: &Arc<Agreement>) -> Vec<Rollback> {
        let mut found: Vec<Rollback> = Vec::new();
        for statement in &self.statements {
            let Act::Rollback { agreement, from, at } = &statement.act else { continue };
            let is_known = found.iter().any(|known| known.from == *from && known.at == *at);
            if agreement != to.hash() || is_known || self.ring.signer(statement).is_err() {
                continue;
            }
            let mut lacks = self.lacking(to, &statement.act, &self.ring);
            let left = self
                .version(from)
                .map(|left| self.lacking(left, &statement.act, &self.ring))
                .unwrap_or_default();
            lacks.extend(left.into_iter().filter(|lack| !lacks.contains(lack)).collect::<Vec<_>>());
            found.push(Rollback { from: from.clone(), at: *at, lacks });
        }
        found
    }
}
