//! How a command ends when it does not go well: what is said on standard error, and the exit code that scripts rely on.

use std::fmt::Display;
use std::process::ExitCode;

use liquid_node_api::Error;
use liquid_policy::Code;

use crate::terminal::Paint;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for something that is not there.
    Usage(String),
    /// A coordinator or a node said no, or could not.
    Answer(Error),
    /// Something on this machine is not as it must be; the second text is the way out.
    Here(String, String),
    /// All has been said already.
    Said,
    /// A refusal was asked for, and has been printed as the answer.
    Told(Code),
}

impl Failure {
    /// Something on this machine is not as it must be.
    pub(crate) fn here(message: impl Display, fix: impl Display) -> Self {
        Self::Here(message.to_string(), fix.to_string())
    }

    /// The exit code: 1 error, 2 usage, 3 refused, 4 not authenticated, 5 a site did not answer, 6 budget exhausted.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Told(Code::Budget) => 6,
            Self::Told(_) => 3,
            Self::Answer(error) => match error {
                Error::Refused { refusal } if refusal.code == Code::Budget => 6,
                Error::Refused { .. } => 3,
                Error::Unauthenticated { .. } => 4,
                Error::SiteMissing { .. } => 5,
                Error::Invalid { .. } | Error::Fault { .. } => 1,
            },
            Self::Here(..) | Self::Said => 1,
        }
    }

    /// What a person reads, one fact a line.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        match self {
            Self::Usage(message) => vec![
                format!("{} {message}", paint.bad("error:")),
                format!("  {} `liquid --help` lists what there is", paint.dim("fix:")),
            ],
            Self::Answer(error) => answer(error, paint),
            Self::Here(message, fix) => plain(message, fix, paint),
            Self::Said | Self::Told(_) => Vec::new(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}

impl From<liquid_local::Error> for Failure {
    fn from(error: liquid_local::Error) -> Self {
        Self::here(&error, error.fix())
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.code())
    }
}

/// An error from the other end. A refusal is an expected answer, so it is not called an error.
fn answer(error: &Error, paint: Paint) -> Vec<String> {
    match error {
        Error::Refused { refusal } => vec![
            format!("{} {}: {}", paint.warn("refused"), refusal.code, refusal.message),
            format!("  {} {}", paint.dim("clause:"), refusal.clause),
            format!("  {} {}", paint.dim("fix:"), refusal.fix),
        ],
        Error::Unauthenticated { message, fix }
        | Error::Invalid { message, fix }
        | Error::SiteMissing { message, fix, .. } => plain(message, fix, paint),
        // What happened on this side has no record at the other.
        Error::Fault { message, reference, fix, .. } if reference == "none" => plain(message, fix, paint),
        Error::Fault { message, reference, fix, .. } => {
            plain(&format!("{message} (reference {reference})"), fix, paint)
        }
    }
}

fn plain(message: &str, fix: &str, paint: Paint) -> Vec<String> {
    let mut lines = vec![format!("{} {message}", paint.bad("error:"))];
    if !fix.is_empty() {
        lines.push(format!("  {} {fix}", paint.dim("fix:")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use liquid_policy::Refusal;

    use super::*;

    fn refused(code: Code) -> Failure {
        Failure::Answer(
            Refusal::new(code, "release.rows", "rows may not leave", "ask for an aggregate").into(),
        )
    }

    #[test]
    fn exit_codes_are_as_documented() {
        let missing = Error::SiteMissing { sites: vec![], message: String::new(), fix: String::new() };
        let unauthenticated = Error::Unauthenticated { message: String::new(), fix: String::new() };
        let invalid = Error::Invalid { message: String::new(), fix: String::new() };
        assert_eq!(Failure::Usage(String::new()).code(), 2);
        assert_eq!(refused(Code::AggRequired).code(), 3);
        assert_eq!(Failure::from(unauthenticated).code(), 4);
        assert_eq!(Failure::from(missing).code(), 5);
        assert_eq!(refused(Code::Budget).code(), 6);
        assert_eq!(Failure::Told(Code::Recipient).code(), 3);
        assert_eq!(Failure::from(invalid).code(), 1);
        assert_eq!(Failure::here("a", "b").code(), 1);
    }

    #[test]
    fn a_refusal_names_code_clause_and_fix() {
        let text = refused(Code::AggRequired).lines(Paint::plain()).join("\n");
        assert_eq!(
            text,
            "refused AGG_REQUIRED: rows may not leave\n  clause: release.rows\n  fix: ask for an aggregate"
        );
    }
}
