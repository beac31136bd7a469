//! The command line of what puts agreements into words: `liquid policy new`, `lint`, `render`, `register`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The file to write; it must not exist yet
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The version in force, to begin the one that replaces it
    #[arg(long, value_name = "AGREEMENT", conflicts_with_all = ["preset", "id", "title"])]
    pub(crate) from: Option<PathBuf>,
    /// The settings to begin with
    #[arg(long, value_enum, default_value_t = PresetName::PublishedStatistics)]
    pub(crate) preset: PresetName,
    /// The agreement's id, which stays the same over its versions
    #[arg(long, default_value = "to-fill-in")]
    pub(crate) id: String,
    /// A title for readers
    #[arg(long, default_value = "to fill in")]
    pub(crate) title: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PresetName {
    /// Figures that may be published: ten people behind each
    PublishedStatistics,
    /// A few known and trained people: five behind each figure, and results stay among the recipients
    TrustedAnalysts,
    /// Statistics and models for a study
    Research,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// The agreement
    #[arg(value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    /// The tables, as CREATE TABLE statements: approved queries are tried over them
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The agreement, or a draft of one
    #[arg(value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    /// In which form
    #[arg(long, value_enum, default_value_t = WordsFormat::Text)]
    pub(crate) format: WordsFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WordsFormat {
    /// For a terminal or a letter
    Text,
    /// One page for a browser and for print, which fetches nothing
    Html,
    /// For a wiki or a document
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// Agreements, and folders with agreements in them or in `agreement.toml` one folder below
    #[arg(value_name = "FILE-OR-FOLDER", required = true)]
    pub(crate) places: Vec<PathBuf>,
    /// In which form
    #[arg(long, value_enum, default_value_t = PageFormat::Text)]
    pub(crate) format: PageFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageFormat {
    /// For a terminal or a letter
    Text,
    /// One page for a browser and for print, which fetches nothing
    Html,
}
