//! The record of a preview: who asked, with which signature, for which draft, and what they were told.

use liquid_policy::id::{AgreementHash, AgreementId};
use liquid_policy::statement::Statement;
use liquid_policy::{Code, Direction};
use serde::{Deserialize, Serialize};

use super::record::AskedBy;

/// A draft that was held against past questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previewed {
    /// Who asked, as their token proved it.
    pub by: AskedBy,
    /// The peer's certificate identity, where somebody carried the request.
    pub carried_by: Option<String>,
    /// What they signed: the draft's hash, the site and the period are in it.
    pub asked: Statement,
    /// The draft's agreement, where it could be read.
    pub agreement: Option<AgreementId>,
    /// The version that stood.
    pub standing: Option<AgreementHash>,
    /// What came of it.
    pub told: Told,
}

/// What came of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case", deny_unknown_fields)]
pub enum Told {
    /// A report. Written and synced before its first byte leaves.
    Report {
        /// Which way the draft goes.
        direction: Direction,
        /// Questions in the period, as they were told.
        questions: u64,
        /// Questions that were run anew to count cells.
        run: u64,
        /// Cells that were told to be newly withheld.
        newly_withheld: u64,
        /// SHA-256 of the report's bytes, in hex.
        answer: String,
    },
    /// Policy said no.
    Refused {
        /// The code.
        code: Code,
        /// The clause.
        clause: String,
    },
    /// The draft or the request was wrong, or an operation failed.
    Failed {
        /// Which kind, without detail.
        kind: String,
    },
}
