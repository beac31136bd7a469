//! What a node says of its agreements to the parties: which version stands, which are held, who has signed, who is missing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::line::by_first_day;
use super::{Life, Line, Version};
use crate::diff::tightens;
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, KeyId, OrganisationName, RoleName, StatementHash};
use crate::keyring::Standing;
use crate::signature::Lack;
use crate::statement::Statement;

/// One agreement at one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementStatus {
    /// Its id.
    pub id: AgreementId,
    /// Its title.
    pub title: String,
    /// The version that stands; none where none was placed or activated.
    pub stands: Option<AgreementHash>,
    /// What the sign-off of the version that stands, and the way to it, still lack: until then nothing is answered.
    #[serde(default)]
    pub lacks: Vec<Lack>,
    /// Where ways part, the versions to which they lead: none of them replaces another one, so nothing is answered until a version
    /// names them all.
    #[serde(default)]
    pub parted: Vec<AgreementHash>,
    /// The suspensions that hold.
    pub suspended: Vec<SaidBy>,
    /// Who has agreed to lift all of them.
    #[serde(default)]
    pub resuming: Vec<SaidBy>,
    /// What is missing for that.
    #[serde(default)]
    pub resume_lacks: Vec<Lack>,
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
    /// The versions that it replaces.
    #[serde(default)]
    pub supersedes: BTreeSet<AgreementHash>,
    /// The files beside it, by name, each with its SHA-256: lists of values, approved queries.
    #[serde(default)]
    pub beside: BTreeMap<String, String>,
    /// Whether the site's operator put it there.
    pub placed: bool,
    /// Who wrote and who approved it, as far as their signatures count.
    pub said: Vec<SaidBy>,
    /// What its sign-off lacks, by its own rule and by those of what it replaces.
    pub lacks: Vec<Lack>,
    /// When it is to take the place of the one before, as controllers have said.
    pub activated: Vec<DateTime<Utc>>,
    /// The words of `liquid policy diff` on what it does against the version that stands.
    pub tightens: bool,
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
        let life = self.by(now);
        let lines = life.lines(now);
        life.told(&lines, may_see)
    }

    fn told(&self, lines: &[Line<'_>], may_see: impl Fn(&Agreement) -> bool) -> Vec<AgreementStatus> {
        let mut ids: Vec<&AgreementId> =
            self.versions.values().map(|version| version.agreement.id()).collect();
        ids.sort();
        ids.dedup();
        let of = |id: &AgreementId| {
            let of_it = lines.iter().find(|line| line.ends.iter().any(|end| end.agreement.id() == id));
            let line = of_it.filter(|line| line.ends.first().is_some_and(|end| may_see(&end.agreement)));
            let head = line.and_then(|line| self.standing(line));
            let mut versions: Vec<&Version> =
                self.versions.values().filter(|v| v.agreement.id() == id && may_see(&v.agreement)).collect();
            versions.sort_by_key(|version| by_first_day(&version.agreement));
            let last = versions.last()?;
            // Who is a party to what they may not see is nothing to them.
            let known: BTreeSet<&OrganisationName> =
                versions.iter().flat_map(|it| it.agreement.parties.keys()).collect();
            let told = |lacks: Vec<Lack>| told(lacks, &known);
            let both = line.zip(head.as_ref());
            let (resuming, resume_lacks) =
                both.map(|(line, head)| self.resuming(line, head)).unwrap_or_default();
            let parted = of_it.filter(|line| line.ends.len() > 1).into_iter().flat_map(|line| &line.ends);
            Some(AgreementStatus {
                id: id.clone(),
                title: head
                    .as_ref()
                    .map_or_else(|| last.agreement.title(), |head| head.agreement().title())
                    .to_owned(),
                stands: head.as_ref().map(|head| head.agreement().hash().clone()),
                lacks: head.as_ref().map(|head| told(head.lacks().to_vec())).unwrap_or_default(),
                parted: parted
                    .filter(|it| may_see(&it.agreement))
                    .map(|it| it.agreement.hash().clone())
                    .collect(),
                suspended: head.iter().flat_map(|head| head.suspended()).map(SaidBy::from).collect(),
                resuming,
                resume_lacks: told(resume_lacks),
                versions: versions.iter().map(|version| self.version_status(version, line, told)).collect(),
            })
        };
        ids.into_iter().filter_map(of).collect()
    }

    fn version_status(
        &self,
        version: &Version,
        line: Option<&Line<'_>>,
        told: impl Fn(Vec<Lack>) -> Vec<Lack>,
    ) -> VersionStatus {
        let agreement = &version.agreement;
        let signed = self.signed(version);
        let valid = signed.signatures().iter().filter(|(_, standing)| *standing == Standing::Valid);
        let activated = self.said.of(agreement.hash()).into_iter().flat_map(|said| &said.activated);
        VersionStatus {
            hash: agreement.hash().clone(),
            version: agreement.version().to_owned(),
            supersedes: agreement.supersedes().clone(),
            beside: agreement.file().beside().into_iter().collect(),
            placed: version.placed,
            said: valid.map(|(statement, _)| statement.into()).collect(),
            lacks: told(self.agreed_lacks(version)),
            activated: activated.filter(|(_, voice)| voice.now.is_some()).map(|(at, _)| *at).collect(),
            tightens: line.and_then(|line| line.ends.first()).is_some_and(|stands| {
                stands.agreement.hash() != agreement.hash() && tightens(&stands.agreement, agreement)
            }),
        }
    }
}

/// What is missing, as it is told to those who know these organisations.
fn told(lacks: Vec<Lack>, known: &BTreeSet<&OrganisationName>) -> Vec<Lack> {
    let told = lacks.into_iter().map(|lack| match lack {
        Lack::Signatures { organisation, .. } if !known.contains(&organisation) => Lack::Others,
        lack => lack,
    });
    told.collect::<BTreeSet<_>>().into_iter().collect()
}
