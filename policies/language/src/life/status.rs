//! What a node says of its agreements to the parties: which version stands, which are held, who has signed, who is missing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::said::{Voice, still_lacking};
use super::walk::Head;
use super::{Life, Version};
use crate::diff::tightens;
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, ChapterHash, KeyId, OrganisationName, RoleName, StatementHash};
use crate::keyring::Standing;
use crate::signature::Lack;
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
    /// What the sign-off of the version that stands, and the way to it, still lack: until then nothing is answered.
    #[serde(default)]
    pub lacks: Vec<Lack>,
    /// The versions of which a rollback must say which one stands: those to which ways lead that part, and to which rollbacks lead.
    #[serde(default)]
    pub parted: Vec<AgreementHash>,
    /// The chapter in which it is; none in the first one. What is said of versions now names it.
    #[serde(default)]
    pub chapter: Option<Chapter>,
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

/// A chapter of an agreement that a rollback began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// The rollback.
    pub after: ChapterHash,
    /// When it began.
    pub since: DateTime<Utc>,
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
    /// What its sign-off lacks, in this chapter where it was not agreed on before.
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
    /// Which chapter it ends.
    #[serde(default)]
    pub after: Option<ChapterHash>,
    /// The other rollbacks that are given up for it.
    #[serde(default)]
    pub instead: BTreeSet<ChapterHash>,
    /// The versions that are left beside it, where ways part.
    #[serde(default)]
    pub leaves: BTreeSet<AgreementHash>,
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
        let life = self.by(now);
        let lines = life.lines(now);
        life.told(&lines, may_see)
    }

    fn told(&self, lines: &[Head<'_>], may_see: impl Fn(&Agreement) -> bool) -> Vec<AgreementStatus> {
        let mut ids: Vec<&AgreementId> =
            self.versions.values().map(|version| version.agreement.id()).collect();
        ids.sort();
        ids.dedup();
        let of = |id: &AgreementId| {
            let known = lines.iter().find(|head| head.version.agreement.id() == id);
            let line = known.filter(|head| may_see(&head.version.agreement));
            let head = line.map(|line| self.standing(line));
            let mut versions: Vec<&Version> =
                self.versions.values().filter(|v| v.agreement.id() == id && may_see(&v.agreement)).collect();
            versions.sort_by_key(|version| {
                (*version.agreement.in_force().start(), version.agreement.version().to_owned())
            });
            let last = versions.last()?;
            let both = line.zip(head.as_ref());
            let (resuming, resume_lacks) =
                both.map(|(line, head)| self.resuming(line, head)).unwrap_or_default();
            Some(AgreementStatus {
                id: id.clone(),
                title: head
                    .as_ref()
                    .map_or_else(|| last.agreement.title(), |head| head.agreement().title())
                    .to_owned(),
                stands: head.as_ref().map(|head| head.agreement().hash().clone()),
                lacks: head.as_ref().map(|head| head.lacks().to_vec()).unwrap_or_default(),
                parted: known
                    .iter()
                    .flat_map(|line| &line.parted)
                    .filter(|it| may_see(&it.agreement))
                    .map(|it| it.agreement.hash().clone())
                    .collect(),
                // Also for those who join with the next version: what they sign names it.
                chapter: known
                    .and_then(|line| line.chapter.clone())
                    .map(|(after, since)| Chapter { after, since }),
                suspended: head.iter().flat_map(|head| head.suspended()).map(SaidBy::from).collect(),
                resuming,
                resume_lacks,
                versions: versions.iter().map(|version| self.version_status(version, known, line)).collect(),
            })
        };
        ids.into_iter().filter_map(of).collect()
    }

    fn version_status(
        &self,
        version: &Version,
        known: Option<&Head<'_>>,
        line: Option<&Head<'_>>,
    ) -> VersionStatus {
        let agreement = &version.agreement;
        let signed = self.signed(version, known.map_or(&[None][..], |line| line.speaking(version, self)));
        let valid = signed.signatures().iter().filter(|(_, standing)| *standing == Standing::Valid);
        let chapter = known.and_then(|line| line.chapter.as_ref()).map(|(after, _)| after.clone());
        let activated = self.said.of(agreement.hash()).into_iter().flat_map(|said| &said.activated);
        let activated = activated.filter(|(_, voice)| voice.after == chapter && voice.now.is_some());
        VersionStatus {
            hash: agreement.hash().clone(),
            version: agreement.version().to_owned(),
            supersedes: agreement.supersedes().cloned(),
            beside: agreement.file().beside().into_iter().collect(),
            placed: version.placed,
            said: valid.map(|(statement, _)| statement.into()).collect(),
            lacks: signed.lacks().to_vec(),
            activated: activated.map(|(at, _)| *at).collect(),
            rollbacks: self.rollbacks(agreement, &chapter),
            tightens: line.is_some_and(|line| {
                let stands = &line.version.agreement;
                stands.hash() != agreement.hash() && tightens(stands, agreement)
            }),
        }
    }

    fn rollbacks(&self, to: &Agreement, chapter: &Option<ChapterHash>) -> Vec<Rollback> {
        let being_agreed = |(act, said): (&Act, &Vec<Voice>)| {
            let Act::Rollback { agreement, from, at, after, instead, leaves } = act else { return None };
            if agreement != to.hash() || said.iter().all(|voice| voice.now.is_none()) {
                return None;
            }
            let left = self.version(from).map(|left| still_lacking(left, said.iter())).unwrap_or_default();
            let mut lacks = still_lacking(to, said.iter());
            lacks.extend(left.into_iter().filter(|lack| !lacks.contains(lack)).collect::<Vec<_>>());
            let (after, instead, leaves) = (after.clone(), instead.clone(), leaves.clone());
            Some(Rollback { from: from.clone(), at: *at, after, instead, leaves, lacks })
        };
        self.said.rollbacks(chapter).filter_map(being_agreed).collect()
    }
}
