//! The command line of what needs nothing but files: `liquid policy diff` and `explain`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The version in force
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The draft
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t = Said::Text)]
    pub(crate) format: Said,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The agreement; it counts as signed by all
    #[arg(long, value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    /// The tables, as CREATE TABLE statements; CREATE VIEW too
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: PathBuf,
    /// Who asks: an organisation, and a role there
    #[arg(long = "as", value_name = "ORG/ROLE")]
    pub(crate) who: String,
    /// For what
    #[arg(long)]
    pub(crate) purpose: String,
    /// On which day [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) on: Option<chrono::NaiveDate>,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t = Said::Text)]
    pub(crate) format: Said,
    /// A value for $1, $2 … in order: 7, 7.5, true, 2026-01-31, null, or a text; in single quotes always a text
    #[arg(long = "param", value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) parameters: Vec<String>,
    /// The question
    #[arg(long)]
    pub(crate) sql: String,
}

/// Reads a day.
fn day(text: &str) -> Result<chrono::NaiveDate, String> {
    text.parse().map_err(|_| "write year, month and day as 2026-12-01".to_owned())
}

/// How something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Said {
    /// For people
    Text,
    /// For scripts
    Json,
}
