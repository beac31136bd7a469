//! What can go wrong while a federation is set up on this machine. The text says what and why, [`Error::fix`] what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no federation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part did not start.
    #[error("{name} did not start: {problem} (its log is {})", log.display())]
    Start {
        /// Which part.
        name: String,
        /// Where its messages are.
        log: PathBuf,
        /// What happened.
        problem: String,
    },
    /// A file or folder could not be read or written.
    #[error("`{}` cannot be {done}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// `read` or `written`.
        done: &'static str,
        /// What the file system says.
        cause: io::Error,
    },
    /// The machine did not give what is needed: threads, randomness.
    #[error("{what}: {cause}")]
    Machine {
        /// What could not be had.
        what: &'static str,
        /// What the system says.
        cause: String,
    },
    /// A certificate could not be made.
    #[error("a certificate for `{name}` cannot be made: {cause}")]
    Certificate {
        /// For whom.
        name: String,
        /// What is wrong.
        cause: rcgen::Error,
    },
    /// A token could not be made.
    #[error("a token for `{subject}` cannot be made: {cause}")]
    Token {
        /// For whom.
        subject: String,
        /// What is wrong.
        cause: jsonwebtoken::errors::Error,
    },
    /// A file holds no key of the kind that is wanted.
    #[error("`{}` holds no Ed25519 private key", .0.display())]
    NoKey(PathBuf),
    /// Folders that somebody has prepared are not ready to run.
    #[error("{} to mend in `{}`:\n  {}", things(problems.len()), folder.display(), problems.join("\n  "))]
    Own {
        /// The folder.
        folder: PathBuf,
        /// What is to be mended, each with file, line and cure.
        problems: Vec<String>,
    },
    /// An agreement is not usable.
    #[error("the agreement cannot be used: {0}")]
    Agreement(String),
    /// A configuration could not be used by the part that it is for. The text names its own way out.
    #[error("{0}")]
    Part(String),
    /// There is no such site.
    #[error("there is no site `{0}` that runs")]
    NoSuchSite(String),
}

impl Error {
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::File { path, done: "read", cause }
    }

    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::File { path, done: "written", cause }
    }

    pub(crate) fn machine(what: &'static str, cause: impl std::fmt::Display) -> Self {
        Self::Machine { what, cause: cause.to_string() }
    }

    /// What to do about it; empty where the text says so itself.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::Start { .. } => "read that log; its folder is kept, remove it afterwards",
            Self::File { path, .. } if *path == std::env::temp_dir() => {
                "set TMPDIR to a folder that you may write to"
            }
            Self::File { done, cause, .. } => match (cause.kind(), *done) {
                (io::ErrorKind::NotFound, "read") => "name a file that is there",
                (io::ErrorKind::PermissionDenied, "read") => "make it readable for this user",
                (io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _) => "free space on its volume",
                (_, "read") => "name another file",
                _ => "name a folder that you may write to",
            },
            Self::Machine { .. } => "free some memory or processes, then try again",
            Self::Certificate { .. } => "name it with plain letters, digits, `-`, `_` and `.`",
            Self::Token { .. } => "use the issuer's key as `liquid init` or `liquid key new` wrote it",
            Self::NoKey(_) => "name the file of a private key, as `liquid key new` writes it",
            Self::Own { .. } => "mend these, then run the same command again",
            Self::Agreement(_) => "correct the agreement",
            Self::Part(_) => "",
            Self::NoSuchSite(_) => "name one of the federation's sites",
        }
    }
}

fn things(count: usize) -> String {
    if count == 1 { "there is one thing".to_owned() } else { format!("there are {count} things") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_the_cause_and_a_fix_that_fits() {
        let file = Path::new("/x/own.key");
        let missing = Error::reading(file)(io::ErrorKind::NotFound.into());
        assert_eq!(missing.to_string(), "`/x/own.key` cannot be read: entity not found");
        assert_eq!(missing.fix(), "name a file that is there");
        let full = Error::writing(file)(io::ErrorKind::StorageFull.into());
        assert!(full.to_string().contains("cannot be written") && full.fix().contains("free space"));
        let passing = Error::writing(&std::env::temp_dir())(io::ErrorKind::NotFound.into());
        assert!(passing.fix().contains("TMPDIR"));
    }
}
