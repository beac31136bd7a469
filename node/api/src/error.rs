//! What can go wrong with a request, in three families that keep their type over gRPC: a refusal is an expected
//! answer, a fault means that an operation failed, bad input names its own cure.

use liquid_policy::Refusal;
use liquid_policy::id::RequestId;
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

impl Error {
    /// An operation failed; whoever knows the request puts in its id by [`Error::referenced`].
    pub fn fault(message: impl Into<String>, retry: bool, fix: impl Into<String>) -> Self {
        Self::Fault { message: message.into(), reference: "none".to_owned(), retry, fix: fix.into() }
    }

    /// A question that is wrong in itself.
    pub fn invalid(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), fix: fix.into() }
    }

    /// A caller who did not prove who they are.
    pub fn unauthenticated(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Unauthenticated { message: message.into(), fix: fix.into() }
    }

    /// The same error; a fault says under which id the operator's log has the detail.
    #[must_use]
    pub fn referenced(self, request: &RequestId) -> Self {
        match self {
            Self::Fault { message, reference: _, retry, fix } => {
                Self::Fault { message, reference: request.to_string(), retry, fix }
            }
            other => other,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal }
    }
}
