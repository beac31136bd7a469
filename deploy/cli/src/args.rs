//! The command line, as scripts and tests rely on it.

mod offline;
mod policy;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use liquid_local::tpch::SITES_MAX;
use liquid_node_api::sql::SessionOptions;

pub(crate) use offline::{Diff, Explain, Said};
pub(crate) use policy::{
    About, Activate, Key, NewKey, Policy, Preview, Propose, Reach, Revoke, Rollback, Rotate, Sign, Status,
    Verify, Who,
};
pub(crate) use words::{Lint, New, PageFormat, PresetName, Register, Render, WordsFormat};

/// Organisations analyse their data together without handing it over.
#[derive(Debug, Parser)]
#[command(name = "liquid", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Reads the command line, or ends the process with what is wrong with it.
    pub(crate) fn read() -> Self {
        Self::parse_from(std::env::args_os().map(shielded))
    }
}

/// A question may begin with a comment, `-- like this`. A space before it changes nothing in SQL, and nobody takes it for
/// an option any more; what could be a mistyped option stays as it is.
fn shielded(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if text.starts_with("--") && (text.starts_with("-- ") || text.contains('\n')) => {
            format!(" {text}").into()
        }
        _ => argument,
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A whole federation on this machine, with our data or yours: sites, a coordinator, signed agreements
    Demo(Demo),
    /// Run a site's node
    Node(Serve),
    /// Run a coordinator
    Coordinator(Serve),
    /// Ask one question and print the answer
    Query(Query),
    /// List the approved queries that you may call, with what each takes and gives
    Templates(Templates),
    /// Write a small federation of your own into a folder, ready to start and to edit
    Init(Init),
    /// Read a node's audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Make signing keys
    #[command(subcommand)]
    Key(Key),
    /// Make tokens to try out with
    #[command(subcommand)]
    Token(Token),
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
    /// How much of it is generated: for `--data tpch` its scale factor, 1 is about 8.7 million rows [default: 0.01]; for
    /// `--data wellbeing` the county's size, 1 is 20,000 people [default: 1]
    #[arg(long, value_name = "N", value_parser = scale)]
    pub(crate) scale: Option<f64>,
    /// Over how many sites it is split, for `--data tpch` alone [default: 4]
    #[arg(long, value_name = "N", value_parser = sites)]
    pub(crate) sites: Option<usize>,
    /// Data and agreements of your own: a folder for each site, with `agreement.toml` and a folder `data`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "scale", "sites"])]
    pub(crate) from: Option<PathBuf>,
    /// All nodes and the coordinator in this one process
    #[arg(long)]
    pub(crate) in_process: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Data {
    /// 920 patients of four hospitals, from the UCI heart-disease data
    Heart,
    /// Generated trade data in TPC-H's tables, split by customer
    Tpch,
    /// 20,000 generated people of a county, known to an NHS trust, a council, the police and schools
    Wellbeing,
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
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Why you ask, where your token allows more than one purpose
    #[arg(long)]
    pub(crate) purpose: Option<String>,
    /// Under which agreement, where more than one applies
    #[arg(long)]
    pub(crate) agreement: Option<String>,
    /// An approved query to call by its name, in the place of a question; `liquid templates` lists them
    #[arg(long, value_name = "NAME")]
    pub(crate) template: Option<String>,
    /// A session option, for example `liquid.min_sites=3`; with `--template` also a parameter, for example `ward=W1`
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<Setting>,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// The question; `-` reads it from standard input
    #[arg(required_unless_present = "template", conflicts_with = "template")]
    pub(crate) sql: Option<String>,
}

/// What `--set` sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    /// A session option.
    Option(String, String),
    /// A parameter of an approved query.
    Parameter(String, String),
}

#[derive(Debug, Args)]
pub(crate) struct Templates {
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Why you ask, where your token allows more than one purpose
    #[arg(long)]
    pub(crate) purpose: Option<String>,
    /// Under which agreement
    #[arg(long)]
    pub(crate) agreement: Option<String>,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t = Said::Text)]
    pub(crate) format: Said,
    /// One of them, with its text
    pub(crate) name: Option<String>,
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
    /// Add a site to the federation that `init` wrote into this folder
    #[arg(long, value_name = "DIR", requires = "site", conflicts_with = "folder")]
    pub(crate) join: Option<PathBuf>,
    /// The new site's name
    #[arg(long, value_name = "NAME", requires = "join")]
    pub(crate) site: Option<String>,
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
pub(crate) enum Token {
    /// Make a token for a federation that `liquid init` wrote; a real one has its organisations' own sign-in
    New(NewToken),
}

#[derive(Debug, Args)]
pub(crate) struct NewToken {
    /// The file to write, in place of an earlier token
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The issuer's key: `keys/issuer.key` in the folder that `liquid init` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// For whom, for example `own/analyst`
    #[arg(long = "as", value_name = "ORGANISATION/ROLE", value_parser = caller)]
    pub(crate) caller: (String, String),
    /// A purpose that they may ask for; once for each
    #[arg(long = "purpose", value_name = "PURPOSE", required = true)]
    pub(crate) purposes: Vec<String>,
    /// Days for which it is good
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=365))]
    pub(crate) days: u16,
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
fn setting(text: &str) -> Result<Setting, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !name.contains('.') => {
            Ok(Setting::Parameter(name.to_owned(), value.to_owned()))
        }
        _ => option(text).map(|(key, value)| Setting::Option(key, value)),
    }
}

/// Reads an option; what cannot be one is not sent anywhere.
fn option(text: &str) -> Result<(String, String), String> {
    let (key, value) =
        text.split_once('=').ok_or("write it as KEY=VALUE, for example `liquid.min_sites=3`")?;
    SessionOptions::default().set(key, value).map_err(|error| error.to_string())?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads a scale factor.
fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.001..=1_000.0).contains(&scale) => Ok(scale),
        _ => Err("write a number from 0.001 to 1000, for example `0.1`".to_owned()),
    }
}

/// Reads a number of sites.
fn sites(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(sites) if (1..=SITES_MAX).contains(&sites) => Ok(sites),
        _ => Err(format!("write a number from 1 to {SITES_MAX}")),
    }
}

/// Reads `ORGANISATION/ROLE`.
fn caller(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((organisation, role)) if !organisation.is_empty() && !role.is_empty() => {
            Ok((organisation.to_owned(), role.to_owned()))
        }
        _ => Err("write it as ORGANISATION/ROLE, for example `own/analyst`".to_owned()),
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
        assert_eq!(option("liquid.purpose=b=c"), Ok(("liquid.purpose".into(), "b=c".into())));
        assert!(option("a").unwrap_err().contains("KEY=VALUE"));
        assert!(option("=b").is_err());
        let unknown = option("liquid.minsites=3").unwrap_err();
        assert!(unknown.contains("no option `liquid.minsites`") && unknown.contains("`liquid.min_sites`"));
    }

    #[test]
    fn a_comment_is_no_option_and_an_unknown_option_no_question() {
        let read = |argument: &str| {
            Arguments::try_parse_from(["liquid", "query", argument].map(|it| shielded(it.into())))
        };
        for question in ["-- why\nSELECT 1", "--why\nSELECT 1", "-- nothing", "-"] {
            let Command::Query(query) = read(question).unwrap().command else { panic!("no query") };
            assert_eq!(query.sql.unwrap().trim_start(), question);
        }
        for mistake in ["--foramt", "--foramt=csv", "--url=a b", "-x"] {
            assert!(read(mistake).is_err(), "{mistake}");
        }
    }
}
