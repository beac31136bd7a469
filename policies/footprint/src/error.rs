//! What can be wrong with a query's text or plan. No text here comes from data: planning sees none.

use datafusion_common::DataFusionError;
use liquid_policy::{Code, Refusal};

/// Why a query has no plan, no cuts or no footprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The platform's rules say no, whatever the agreement.
    #[error("{0}")]
    Refused(Refusal),
    /// The question itself is wrong: syntax, an unknown name, a wrong type.
    #[error("{message}; {fix}")]
    Invalid {
        /// What is wrong, lower case, no full stop.
        message: String,
        /// What to do.
        fix: String,
    },
    /// Our own fault. The text is for the operator's log, not for the caller.
    #[error("the planner broke its own rule: {0}")]
    Bug(String),
}

impl PlanError {
    /// A refusal by a rule of the platform; its clause is written `liquid.<rule>`.
    pub(crate) fn refused(
        code: Code,
        rule: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::Refused(Refusal::new(code, format!("liquid.{rule}"), message, fix))
    }

    /// Wrong input, with its cure.
    pub(crate) fn invalid(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), fix: fix.into() }
    }

    /// A broken rule of our own.
    pub(crate) fn bug(what: impl std::fmt::Display) -> Self {
        Self::Bug(what.to_string())
    }
}

impl From<Refusal> for PlanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Takes one of our errors through DataFusion's visitors.
pub(crate) fn lift(error: PlanError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Takes it out again; an error of DataFusion's own is a bug at this point, since the plan has been analysed.
pub(crate) fn lower(error: DataFusionError) -> PlanError {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<PlanError>() {
            Ok(ours) => *ours,
            Err(other) => PlanError::bug(other),
        },
        DataFusionError::Context(_, inner) => lower(*inner),
        other => PlanError::bug(other.strip_backtrace()),
    }
}

impl From<DataFusionError> for PlanError {
    fn from(error: DataFusionError) -> Self {
        lower(error)
    }
}
