//! What travels beside an answer, as JSON in the `app_metadata` of its last message.

pub use liquid_disclosure::Earlier;
use liquid_policy::id::{AgreementHash, AgreementId, RequestId, SiteName};
use serde::{Deserialize, Serialize};

/// What one site says of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteReport {
    /// The site.
    pub site: SiteName,
    /// The request, by the id that its sender gave it.
    pub request: RequestId,
    /// The agreement that decided.
    pub agreement: AgreementId,
    /// Its version.
    pub hash: AgreementHash,
    /// How many cells stand as NULL because they are withheld. They are visible as marks, so this tells nothing more.
    pub withheld: u64,
    /// Groups whose keys are not all declared may be missing: few and none look alike.
    pub groups_may_be_missing: bool,
    /// Rows may be missing above the cut, since an operator that drops rows read a withheld cell.
    pub rows_may_be_missing: bool,
    /// The clauses that can hide a cell or a group in an answer like this one.
    pub clauses: Vec<String>,
    /// Figures of an earlier day that it shows, or that went into it: as good as nothing has changed since, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
}

/// What a federated answer says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// The request.
    pub request: RequestId,
    /// Every site that the question concerns, in the order of the coordinator's configuration.
    pub sites: Vec<SiteStatus>,
    /// Cells of the final answer that stand as NULL because a site withheld its part.
    pub withheld: u64,
    /// As in [`SiteReport`], for any site.
    pub groups_may_be_missing: bool,
    /// As in [`SiteReport`], for the coordinator's own operators too.
    pub rows_may_be_missing: bool,
    /// Clauses of any site that can hide something.
    pub clauses: Vec<String>,
    /// Figures of an earlier day, of all sites together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
}

/// One site's part in a federated answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteStatus {
    /// The site.
    pub site: SiteName,
    /// How it went.
    #[serde(flatten)]
    pub state: SiteState,
    /// Time from dispatch to the last byte, in milliseconds.
    pub elapsed_ms: u64,
}

/// How it went with one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SiteState {
    /// It answered.
    Answered {
        /// Cells that it withheld.
        withheld: u64,
        /// The agreement that decided.
        agreement: AgreementId,
        /// Its version.
        hash: AgreementHash,
        /// Its figures of an earlier day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        earlier: Option<Earlier>,
    },
    /// The question's own conditions on `site` leave it out.
    NotConcerned,
    /// It refused.
    Refused {
        /// The refusal's code.
        code: String,
        /// Its clause.
        clause: String,
        /// Its message and fix.
        message: String,
    },
    /// It could not be reached, or its answer was unusable.
    Failed {
        /// A fixed text.
        message: String,
    },
    /// It did not answer within the deadline.
    Late,
}
