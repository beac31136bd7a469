//! The agreement file key by key, as it is written: the text side of [`crate::document`], and the source of the
//! published JSON Schema. Every key of the contract is here, typed; [`crate::key`] says which of them this version enforces.

mod date;
mod rules;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use date::Date;
pub use rules::{
    Disclosure, Dominance, History, HistoryScope, LeftOut, Models, Perturb, Privacy, PrivacyMeasure, Release,
    Scope, Secondary, SnapshotRhythm, Template, Zeros,
};
pub use table::{
    AggregateWord, Column, DomainBound, DomainText, Entities, Join, Missing, Quantiles, Reference, Table,
    Transform, UseWord,
};

use crate::id::{AgreementId, OrganisationName, Purpose, RoleName, TableName};

/// An agreement: who shares what with whom, for what, until when, and the rules that each site enforces on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct File {
    /// The language of this file.
    pub schema: Schema,
    /// What is agreed.
    pub agreement: Head,
    /// Who agrees; at least one controller.
    #[serde(default)]
    pub party: Vec<Party>,
    /// Whose signatures make the agreement valid.
    #[serde(default)]
    pub signoff: Signoff,
    /// Who may receive results; nobody else may.
    #[serde(default)]
    pub recipient: Vec<Recipient>,
    /// The protected tables; a table that is not here is closed.
    #[serde(default)]
    pub table: BTreeMap<TableName, Table>,
    /// What may be seen of a table, cell by cell.
    pub disclosure: Disclosure,
    /// What earlier answers mean for later ones. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// Differential privacy. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// Rules for trained models. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Models>,
    /// Approved, parameterised queries.
    #[serde(default)]
    pub template: Vec<Template>,
    /// The form of answers.
    #[serde(default)]
    pub release: Release,
}

impl File {
    /// The files that lie beside the agreement: each one's name, and the SHA-256 that the parties agreed on.
    pub fn beside(&self) -> BTreeSet<(String, String)> {
        let columns = self.table.values().flat_map(|table| table.columns.values());
        let lists = columns.filter_map(|column| {
            let domain = column.domain.as_ref()?;
            Some((domain.file.clone()?, domain.sha256.clone()?))
        });
        let texts = self.template.iter().map(|it| (crate::template::file(&it.name), it.sha256.clone()));
        lists.chain(texts).collect()
    }
}

/// The language of an agreement file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(expecting = "`\"liquid/agreement/1\"`")]
pub enum Schema {
    /// The first version.
    #[serde(rename = "liquid/agreement/1")]
    One,
}

/// The versions that one replaces, by their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "the hash of a version in quotes, or a list of such")]
pub enum Supersedes {
    /// One.
    One(String),
    /// Several: ways that had parted, and what is given up.
    Several(Vec<String>),
}

impl Supersedes {
    /// Each of them, as it is written.
    pub fn hashes(&self) -> &[String] {
        match self {
            Self::One(hash) => std::slice::from_ref(hash),
            Self::Several(hashes) => hashes,
        }
    }
}

/// What is agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Head {
    /// The agreement's id: it stays the same over its versions.
    pub id: AgreementId,
    /// A title for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// This version's number.
    pub version: String,
    /// The hash of the version that this one replaces, or a list of several; history and budget carry over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Supersedes>,
    /// The protective marking; the node's operator sets a floor for the disclosure rules of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marking: Option<String>,
    /// Why questions may be asked; a request names one of these.
    pub purposes: Vec<Purpose>,
    /// The purposes in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose_text: Option<String>,
    /// Who benefits, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benefits: Option<String>,
    /// The legal basis, in codes.
    #[serde(default)]
    pub legal_basis: Vec<String>,
    /// The data protection impact assessment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpia: Option<Dpia>,
    /// Where the privacy notice is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_notice: Option<String>,
    /// How people exercise their rights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights_procedure: Option<String>,
    /// Whom to tell of a breach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breach_contact: Option<String>,
    /// The security controls that the parties keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_controls: Option<String>,
    /// The notice for leaving, as an ISO 8601 duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<String>,
    /// The organisation that leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<OrganisationName>,
    /// Where questions about the agreement go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The first day in force.
    pub in_force: Date,
    /// The last day in force.
    pub expires: Date,
    /// When it must be reviewed. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// How long results and logs are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// To whom results may be handed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onward: Option<Onward>,
}

/// A data protection impact assessment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Dpia {
    /// Its reference.
    pub reference: String,
    /// Its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// When an agreement must be reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Review {
    /// The day on which the review is due.
    pub due: Date,
    /// Days after it for which the agreement still stands.
    #[serde(default)]
    pub grace_days: u32,
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Retention {
    /// Days for which recipients may keep results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results_days: Option<u32>,
    /// Days for which sites keep the exact words of questions, sealed; then they are destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_days: Option<u32>,
}

/// To whom results may be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"recipients\"` or `\"public\"`")]
pub enum Onward {
    /// Among the recipients only.
    Recipients,
    /// To anyone.
    Public,
}

/// A party to the agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Party {
    /// The organisation.
    pub organisation: OrganisationName,
    /// What it is.
    pub role: PartyRole,
    /// Whom to ask there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point_of_contact: Option<String>,
    /// Who stands in.
    #[serde(default)]
    pub deputies: Vec<String>,
    /// The roles in which it signs, each by a key that is trusted in it; of more than are needed, any. Omitted: any role.
    #[serde(default)]
    pub approvers: Vec<RoleName>,
}

/// What a party is in the sense of data protection law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"controller\"`, `\"joint-controller\"` or `\"processor\"`")]
pub enum PartyRole {
    /// It decides why and how its data is used.
    Controller,
    /// It does so together with others.
    JointController,
    /// It works on behalf of a controller.
    Processor,
}

impl PartyRole {
    /// Whether the agreement needs this party's signature.
    pub fn is_controller(self) -> bool {
        matches!(self, Self::Controller | Self::JointController)
    }
}

/// Whose signatures make the agreement valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table of keys")]
pub struct Signoff {
    /// Which parties sign.
    pub rule: SignoffRule,
    /// In how many roles each of them signs, every role by another key.
    #[schemars(range(min = 1))]
    pub roles_per_party: u32,
    /// Whether who wrote the agreement may sign it.
    pub author_may_sign: bool,
}

/// Which parties sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"all-controllers\"`")]
pub enum SignoffRule {
    /// Every controller and every joint controller.
    #[default]
    AllControllers,
}

impl Default for Signoff {
    fn default() -> Self {
        Self { rule: SignoffRule::AllControllers, roles_per_party: 1, author_may_sign: true }
    }
}

/// Who may receive results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Recipient {
    /// The organisation.
    pub organisation: OrganisationName,
    /// The roles within it.
    pub roles: Vec<RoleName>,
    /// The purposes, all of them purposes of the agreement.
    pub purposes: Vec<Purpose>,
    /// Countries in which results may be processed.
    #[serde(default)]
    pub residency: Vec<String>,
}
