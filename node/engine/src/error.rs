//! What can go wrong: [`OpenError`] speaks to the operator, [`Failure`] keeps the caller's text and the log's apart.

use std::path::PathBuf;

use datafusion::error::DataFusionError;
use liquid_footprint::PlanError;
use liquid_node_api::Error;
use liquid_node_api::engine::Told;

/// Why a site's data cannot be opened. The text is for the operator and names the cure.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file of the configuration cannot be read.
    #[error("cannot read `{}`: {reason}; check `{setting}` in the [engine] table", path.display())]
    Read {
        /// The key that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The model does not parse.
    #[error("`{}` is no valid model: {reason}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// A source cannot be read.
    #[error("source `{name}` (`{}`) cannot be read: {reason}; {fix}", path.display())]
    Source {
        /// Its name.
        name: String,
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// A view does not fit the sources, or the file holds something else than views.
    #[error("`{}`: {reason}; {fix}", path.display())]
    Views {
        /// The file of views.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// The tables do not fit the model: one line a difference, each with its cure.
    #[error("the tables of this site do not fit the model:\n  {}", problems.join("\n  "))]
    Tables {
        /// The differences.
        problems: Vec<String>,
    },
    /// The engine could not be started.
    #[error("the engine could not be started: {0}; try again, or lower `threads` in the [engine] table")]
    Start(String),
}

/// Why a question to the engine has no answer: a text for the caller, and one for the operator's log alone.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    detail: String,
}

impl Failure {
    /// An operation failed: a fixed text for the caller, everything else for the operator's log.
    pub(crate) fn fault(message: &str, retry: bool, fix: &str, detail: impl Into<String>) -> Self {
        let reference = String::new(); // the front knows the request's id
        Self {
            error: Error::Fault { message: message.into(), reference, retry, fix: fix.into() },
            detail: detail.into(),
        }
    }

    /// The engine's own fault.
    pub(crate) fn engine(detail: impl Into<String>) -> Self {
        Self::fault(
            "the site's engine could not answer",
            false,
            "ask the site's operator, naming the reference",
            detail,
        )
    }

    /// The site's data is not as its agreement or model says.
    pub(crate) fn data(detail: impl Into<String>) -> Self {
        Self::fault(
            "the site's tables are not ready for questions",
            false,
            "ask the site's operator, naming the reference",
            detail,
        )
    }

    /// The site's files changed while a question was open.
    pub(crate) fn changed(detail: impl Into<String>) -> Self {
        Self::fault("the site's tables have changed meanwhile", true, "ask again", detail)
    }

    /// The result has more rows than the cap.
    pub(crate) fn too_large() -> Self {
        Self::fault(
            "the question needs more than the site's engine may use",
            false,
            "group by fewer or coarser keys",
            "the result has more rows than the cap",
        )
    }

    /// A plan that cannot be made, or one that breaks a rule of our own.
    pub(crate) fn plan(error: PlanError) -> Self {
        match error {
            PlanError::Refused(refusal) => Self { error: refusal.into(), detail: String::new() },
            PlanError::Invalid { message, fix } => {
                Self { error: Error::Invalid { message, fix }, detail: String::new() }
            }
            PlanError::Bug(detail) => Self::engine(detail),
        }
    }

    /// The caller's text, and the log's.
    pub fn into_parts(self) -> (Error, String) {
        (self.error, self.detail)
    }

    /// What the front gets.
    pub(crate) fn told(self) -> Told {
        Told::Failed { error: self.error, detail: self.detail }
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        if let DataFusionError::ResourcesExhausted(detail) = error.find_root() {
            return Self::fault(
                "the question needs more than the site's engine may use",
                false,
                "group by fewer or coarser keys",
                detail.clone(),
            );
        }
        Self::engine(error.to_string())
    }
}

impl From<arrow::error::ArrowError> for Failure {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::engine(error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::data(error.to_string())
    }
}
