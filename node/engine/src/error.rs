//! What can go wrong: [`OpenError`] speaks to the operator, [`Failure`] keeps the caller's text and the log's apart.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use liquid_footprint::PlanError;
use liquid_node_api::Error;
use liquid_node_api::engine::Told;

use crate::config::SourceConfig;
use crate::sources::{Changed, File, unanswered};

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
        reason: io::Error,
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
    #[error("source `{name}` (`{path}`) cannot be read: {reason}; {fix}")]
    Source {
        /// Its name.
        name: String,
        /// Its path or URL.
        path: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// A store cannot be used as it is configured.
    #[error("store `{url}`: {reason}; correct its [[engine.store]]")]
    Store {
        /// Its URL.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A file of a source is not as it must be.
    #[error("source `{name}`: {place}: {reason}; {fix}")]
    Data {
        /// The source's name.
        name: String,
        /// Where it is.
        place: Box<Place>,
        /// What is wrong, without any value.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// A file was written, put there or taken away while it was read.
    #[error("source `{name}`: `{file}` changed while it was read; {CHANGED_FIX}")]
    Changed {
        /// The source's name.
        name: String,
        /// The file.
        file: String,
    },
    /// A view does not fit the sources, or the file holds something else than views.
    #[error("`{}`{}: {reason}; {fix}", path.display(), part(", line ", *line))]
    Views {
        /// The file of views.
        path: PathBuf,
        /// The line, where it is known.
        line: Option<u64>,
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

fn part(before: &str, line: Option<u64>) -> String {
    line.map(|line| format!("{before}{line}")).unwrap_or_default()
}

/// A place in a file, as exactly as it is known.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line.
    pub line: Option<u64>,
    /// The column.
    pub column: Option<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`{}", self.file, part(", line ", self.line))?;
        self.column.as_ref().map_or(Ok(()), |name| write!(f, ", column `{name}`"))
    }
}

const CHANGED_FIX: &str = "try again when it is whole; write a new file beside it and rename that";

impl OpenError {
    /// What is wrong with a source as a whole.
    pub(crate) fn source(source: &SourceConfig, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Source {
            name: source.name.clone(),
            path: source.url.clone().unwrap_or_else(|| source.path.display().to_string()),
            reason: reason.into(),
            fix: fix.into(),
        }
    }

    /// A file of a source that could not be read to its end.
    pub(crate) fn unread(source: &SourceConfig, file: &File, error: &object_store::Error) -> Self {
        let (name, file) = (source.name.clone(), file.shown.clone());
        if has_changed(error) {
            return Self::Changed { name, file };
        }
        let (reason, fix) = match &source.url {
            Some(_) => {
                let (reason, fix) = unanswered(error);
                (reason.to_owned(), fix)
            }
            None if is_forbidden(error) => (FORBIDDEN.0.to_owned(), FORBIDDEN.1),
            None => (format!("it cannot be read: {error}"), "check the disk that it lies on"),
        };
        let place = Box::new(Place { file, line: None, column: None });
        Self::Data { name, place, reason, fix: fix.to_owned() }
    }

    /// The same as compilers write it, `FILE:LINE: what is wrong; what to do`, for whoever knows files and no sources.
    pub fn at_its_place(&self) -> String {
        match self {
            Self::Data { place, reason, fix, .. } => {
                let column =
                    place.column.as_ref().map(|name| format!("column `{name}`: ")).unwrap_or_default();
                format!("{}{}: {column}{reason}; {fix}", place.file, part(":", place.line))
            }
            Self::Views { path, line, reason, fix } => {
                format!("{}{}: {reason}; {fix}", path.display(), part(":", *line))
            }
            Self::Source { path, reason, fix, .. } => format!("{path}: {reason}; {fix}"),
            Self::Changed { file, .. } => format!("{file}: it changed while it was read; {CHANGED_FIX}"),
            Self::Read { .. }
            | Self::Model { .. }
            | Self::Store { .. }
            | Self::Tables { .. }
            | Self::Start(_) => self.to_string(),
        }
    }
}

/// Whether an error comes of a file that is no longer the one that was listed.
fn has_changed(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<Changed>())
}

/// Why a file of this machine is not read that is there, and what to do.
pub(crate) const FORBIDDEN: (&str, &str) =
    ("you have no right to read it", "give the user that runs this the right (`chmod u+r`)");

/// Whether the system has said that this user may not read a file of this machine.
fn is_forbidden(error: &(dyn std::error::Error + 'static)) -> bool {
    let said = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::PermissionDenied)
    };
    causes(error).any(said)
}

/// An error, what it comes of, what that comes of …
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Why a question to the engine has no answer: a text for the caller, and one for the operator's log alone.
#[derive(Debug)]
pub struct Failure {
    cause: Cause,
    error: Error,
    detail: String,
}

/// What a failure comes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The question: it is refused, or wrong in itself.
    Question,
    /// A division by zero.
    ZeroDivision,
    /// Another value that cannot be computed: beyond 64 bits, a text that is no number.
    Value,
    /// The caps.
    Limit,
    /// All else.
    Fault,
}

impl Failure {
    /// This one, and for the operator what else is wrong, each on a line of its own.
    pub(crate) fn and(self, other: &Self) -> Self {
        Self { detail: format!("{}\n{}", self.detail, other.detail), ..self }
    }

    /// An operation failed: a fixed text for the caller, everything else for the operator's log.
    pub(crate) fn fault(message: &str, retry: bool, fix: &str, detail: impl Into<String>) -> Self {
        // The front knows the request's id.
        Self { cause: Cause::Fault, error: Error::fault(message, retry, fix), detail: detail.into() }
    }

    /// What happened, for the operator alone.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The question is wrong.
    fn question(error: Error, detail: String) -> Self {
        Self { cause: Cause::Question, error, detail }
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
        Self::limit("the result has more rows than the cap")
    }

    fn limit(detail: impl Into<String>) -> Self {
        let fault = Self::fault(
            "the question needs more than the site's engine may use",
            false,
            "group by fewer or coarser keys",
            detail,
        );
        Self { cause: Cause::Limit, ..fault }
    }

    /// A plan that cannot be made, or one that breaks a rule of our own.
    pub(crate) fn plan(error: PlanError) -> Self {
        match error {
            PlanError::Refused(refusal) => Self::question(refusal.into(), String::new()),
            PlanError::Invalid { message, fix } => {
                Self::question(Error::Invalid { message, fix }, String::new())
            }
            PlanError::Bug(detail) => Self::engine(detail),
        }
    }

    /// What it comes of.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The same failure, where it happened above the cuts: what cannot be computed there is computed over released values
    /// alone, so it is the asker's to guard against. Below a cut the same words would tell of rows.
    #[must_use]
    pub fn over_released_values(self) -> Self {
        let message = match self.cause {
            Cause::ZeroDivision => "the question divides by zero",
            Cause::Value => "the question cannot be computed over the answers",
            Cause::Question | Cause::Limit | Cause::Fault => return self,
        };
        Self::question(Error::invalid(message, "guard it with `nullif(…, 0)` or CASE"), self.detail)
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
        if has_changed(&error) {
            return Self::changed("a source file changed while a query read it");
        }
        if is_forbidden(&error) {
            return Self::data(format!("a file of the sources: {}; {}", FORBIDDEN.0, FORBIDDEN.1));
        }
        if let Some(stored) = causes(&error).find_map(|cause| cause.downcast_ref::<object_store::Error>()) {
            let (reason, fix) = unanswered(stored);
            return Self::data(format!("a file of the sources cannot be read: {reason}; {fix}"));
        }
        // Arrow's texts quote values, and the log is read by more people than the data.
        let (cause, detail) = match error.find_root() {
            DataFusionError::ResourcesExhausted(detail) => return Self::limit(detail),
            DataFusionError::ArrowError(error, _) => match error.as_ref() {
                ArrowError::DivideByZero => (Cause::ZeroDivision, "a value is divided by zero".to_owned()),
                ArrowError::ArithmeticOverflow(_) => (Cause::Value, "a value does not fit 64 bits".to_owned()),
                ArrowError::CastError(_) | ArrowError::ParseError(_) => (
                    Cause::Value,
                    "a value cannot be cast; look at each CAST of the views: it must read every value that the sources hold \
                     (TRY_CAST would make each of the others missing)"
                        .to_owned(),
                ),
                ArrowError::CsvError(_) | ArrowError::JsonError(_) | ArrowError::ParquetError(_) => {
                    (Cause::Fault, "a file of the sources is damaged; write it anew".to_owned())
                }
                _ => (Cause::Fault, error.to_string()),
            },
            // So do those of functions that read days and times.
            DataFusionError::Execution(text) if text.starts_with("Error parsing timestamp") => (
                Cause::Value,
                "a day or time is written in another way than `to_date` or `to_timestamp` of the views says; correct the \
                 notation there (such as '%d/%m/%Y'), or the value"
                    .to_owned(),
            ),
            _ => (Cause::Fault, error.to_string()),
        };
        Self { cause, ..Self::engine(detail) }
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Self::engine(error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        if matches!(error, OpenError::Changed { .. }) {
            return Self::changed(error.to_string());
        }
        Self::data(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(error: ArrowError) -> Failure {
        DataFusionError::ArrowError(Box::new(error), None).context("while it ran").into()
    }

    /// An error of a value, below the cuts and above them.
    #[track_caller]
    fn check(error: fn() -> ArrowError, above: &str) {
        let (below, _) = failed(error()).into_parts();
        assert_eq!(below, Failure::engine("").into_parts().0, "rows are not spoken of");
        let (error, detail) = failed(error()).over_released_values().into_parts();
        assert!(
            matches!(&error, Error::Invalid { message, fix } if message == above && fix.contains("nullif"))
        );
        assert!(!detail.is_empty() && !error.to_string().contains("42"), "{error}");
    }

    /// The operator is told what it comes of and what to do, and no value of the data.
    #[test]
    fn a_file_without_rights_and_a_day_in_another_notation_are_said_to_the_operator() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let denied = object_store::Error::Generic { store: "local", source: Box::new(denied) };
        let day = "Error parsing timestamp from '13/01/2024' using format '%m/%d/%Y': input is out of range";
        for (error, said) in [
            (
                DataFusionError::from(denied),
                "you have no right to read it; give the user that runs this the right",
            ),
            (DataFusionError::Execution(day.to_owned()), "correct the notation there (such as '%d/%m/%Y')"),
        ] {
            let detail = Failure::from(error.context("while it ran")).detail;
            assert!(detail.contains(said) && !detail.contains("13/01"), "{detail}");
        }
    }

    #[test]
    fn what_cannot_be_computed_is_the_askers_above_the_cuts_alone() {
        check(|| ArrowError::DivideByZero, "the question divides by zero");
        check(
            || ArrowError::ArithmeticOverflow("42 * 42".to_owned()),
            "the question cannot be computed over the answers",
        );
        check(|| ArrowError::CastError("42".to_owned()), "the question cannot be computed over the answers");
        let other = failed(ArrowError::SchemaError("42".to_owned())).over_released_values();
        assert_eq!((other.cause(), other.into_parts().0), (Cause::Fault, Failure::engine("").into_parts().0));
    }
}
