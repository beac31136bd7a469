//! What can go wrong with a request, in three families that keep their type over gRPC: a refusal is an expected
//! answer, a fault means that an operation failed, bad input names its own cure.

use liquid_policy::Refusal;
use serde::{Deserialize, Serialize};

/// Why a request has no answer. Display is text for the caller: never a value, a count or an engine message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Error {
    /// Policy said no.
    #[error("{refusal}")]
    Refused {
        /// Code, clause, message, fix.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// The caller did not prove who they are.
    #[error("{message}; {fix}")]
    Unauthenticated {
        /// What was missing or wrong.
        message: String,
        /// What to do.
        fix: String,
    },
    /// The question itself is wrong: syntax, an unknown name, a wrong type.
    #[error("{message}; {fix}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// What to do.
        fix: String,
    },
    /// A site did not give an answer, so there is none.
    #[error("{message}; {fix}")]
    SiteMissing {
        /// The sites that did not answer.
        sites: Vec<String>,
        /// What happened.
        message: String,
        /// What to do.
        fix: String,
    },
    /// An operation failed. The operator's log has the detail under the same reference.
    #[error("{message} (reference {reference}); {fix}")]
    Fault {
        /// A fixed text.
        message: String,
        /// The request's id.
        reference: String,
        /// Whether asking again can help.
        retry: bool,
        /// What to do.
        fix: String,
    },
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal }
    }
}
