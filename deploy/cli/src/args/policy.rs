//! The command line of `liquid policy` and `liquid key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Sign an agreement: the signature is added beside the file
    Sign(Sign),
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The agreement
    #[arg(value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    /// The private key, as `liquid key new` writes it
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The name under which nodes trust the key
    #[arg(long)]
    pub(crate) key_id: String,
    /// The organisation that signs
    #[arg(long)]
    pub(crate) organisation: String,
    /// The signer's role there
    #[arg(long)]
    pub(crate) role: String,
    /// Take the place of the organisation's signature under this name, made over an earlier text or by another key
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make an Ed25519 key: the private part into a file, the public part to standard output
    New {
        /// The file to write
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
