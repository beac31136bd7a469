//! One question to one site: SQL text in a closed dialect with bound values. It travels in an [`crate::envelope`].

use std::time::Duration;

use liquid_policy::id::{AgreementHash, AgreementId, Purpose, RequestId};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::parameter::Parameter;

/// The version of the dialect that coordinators print and sites read.
pub const DIALECT: u32 = 1;

/// A question. It gives no rights: whatever it says, the site checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRequest {
    /// [`DIALECT`].
    pub dialect: u32,
    /// The request's id, made by whoever asks first.
    pub id: RequestId,
    /// The query.
    pub sql: String,
    /// Values for `$1`, `$2`, …
    pub parameters: Vec<Parameter>,
    /// The call of an approved query of which this is a cut, where it is one: the site makes the cuts itself and compares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// The purpose; none where the caller has only one.
    pub purpose: Option<Purpose>,
    /// The agreement; none where only one applies.
    pub agreement: Option<AgreementId>,
    /// The version that the coordinator planned against; the site refuses if it holds another.
    pub pinned: Option<AgreementHash>,
    /// The answer is of no use after this many milliseconds, counted from the request's arrival.
    pub deadline_ms: u64,
    /// Adds a `<column>_mark` column beside each column.
    pub marks: bool,
}

impl SiteRequest {
    /// How long the whole request may take.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}
