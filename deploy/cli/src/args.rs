//! The command line, as scripts and tests rely on it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Organisations analyse their data together without handing it over.
#[derive(Debug, Parser)]
#[command(name = "liquid", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A whole federation on this machine: four hospitals, one coordinator, signed agreements
    Demo(Demo),
    /// Run a site's node
    Node(Serve),
    /// Run a coordinator
    Coordinator(Serve),
    /// Ask one question and print the answer
    Query(Query),
    /// Write a small federation of your own into a folder, ready to start and to edit
    Init(Init),
    /// Read a node's audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Make signing keys
    #[command(subcommand)]
    Key(Key),
    /// Work on agreements
    #[command(subcommand)]
    Policy(Policy),
    /// The process that a node or a coordinator plans and computes in
    #[command(hide = true)]
    Engine(Engine),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Stay up for clients, until Ctrl-C, instead of telling the story
    #[arg(long)]
    pub(crate) serve: bool,
    /// Print one line of JSON when the federation is ready: addresses, certificate, tokens
    #[arg(long)]
    pub(crate) json: bool,
    /// Which data the sites hold
    #[arg(long, value_enum, default_value_t = Data::Heart)]
    pub(crate) data: Data,
    /// How much of it, where the data is generated
    #[arg(long, value_name = "N")]
    pub(crate) scale: Option<u32>,
    /// How many sites, where the data is generated
    #[arg(long, value_name = "N")]
    pub(crate) sites: Option<u32>,
    /// A folder with data of your own
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// All nodes and the coordinator in this one process
    #[arg(long)]
    pub(crate) in_process: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Data {
    /// 920 patients of four hospitals, from the UCI heart-disease data
    Heart,
    /// Not in this version
    Wellbeing,
    /// Not in this version
    Tpch,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// End when standard input closes, so that no process outlives the one that started it
    #[arg(long, hide = true)]
    pub(crate) until_stdin_closes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// Where the coordinator or node is, for example `https://coordinator.example:7433`; without it, the running demo
    #[arg(long, env = "LIQUID_URL")]
    pub(crate) url: Option<String>,
    /// The certificate authority to trust, as PEM
    #[arg(long, value_name = "FILE", env = "LIQUID_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// The file that holds your token
    #[arg(long, value_name = "FILE", env = "LIQUID_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Why you ask, where your token allows more than one purpose
    #[arg(long)]
    pub(crate) purpose: Option<String>,
    /// Under which agreement, where more than one applies
    #[arg(long)]
    pub(crate) agreement: Option<String>,
    /// A session option, for example `liquid.min_sites=3`
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = option)]
    pub(crate) options: Vec<(String, String)>,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// The question; `-` reads it from standard input
    pub(crate) sql: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: aligned, withheld cells named
    Table,
    /// Comma-separated, with a header; a withheld cell is empty
    Csv,
    /// One JSON object a row; a withheld cell is null
    Json,
    /// An Arrow IPC stream
    Arrow,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder to write; it must not hold anything yet
    #[arg(value_name = "DIR", default_value = "liquid")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check every link and signature of an audit log, and name the first bad record
    Verify {
        /// The log
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The public key of the node that wrote it, in base64, or a file that holds it
        #[arg(long)]
        key: Option<String>,
    },
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
}

#[derive(Debug, Args)]
pub(crate) struct Engine {
    /// Whose engine this is
    #[arg(long, value_enum)]
    pub(crate) role: Role,
    /// The node's configuration file
    #[arg(long, value_name = "FILE", required_if_eq("role", "node"))]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// A site's engine, over its data
    Node,
    /// A coordinator's planner
    Coordinator,
}

/// Reads `KEY=VALUE`.
fn option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, for example `liquid.min_sites=3`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_option_is_a_key_and_a_value() {
        assert_eq!(option("liquid.min_sites=3"), Ok(("liquid.min_sites".into(), "3".into())));
        assert_eq!(option("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(option("a").is_err());
        assert!(option("=b").is_err());
    }
}
