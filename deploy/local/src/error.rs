//! What can go wrong while a federation is set up on this machine.

use std::path::PathBuf;

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
    /// A file or a process could not be worked with.
    #[error("the federation's folder cannot be written")]
    Io(#[from] std::io::Error),
    /// A certificate could not be made.
    #[error("a development certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// A token could not be made.
    #[error("a token cannot be made")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// A key could not be made or read.
    #[error("no Ed25519 key can be made or read")]
    Key,
    /// An agreement is not usable.
    #[error("the agreement cannot be used: {0}")]
    Agreement(String),
    /// A configuration could not be used by the part that it is for.
    #[error("{0}")]
    Part(String),
    /// There is no such site.
    #[error("there is no site `{0}` that runs")]
    NoSuchSite(String),
}
