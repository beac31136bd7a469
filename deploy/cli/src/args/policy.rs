//! The command line of `liquid policy` and `liquid key`.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use liquid_node_api::preview::DAYS_MAX;

use super::offline::{Diff, Explain, Said};
use super::words::{Lint, New, Register, Render};

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Begin a new agreement from a preset, with a comment beside each key
    New(New),
    /// Advice on an agreement: what to fill in, what does not fit, what is weak or missing
    Lint(Lint),
    /// Print an agreement in plain English, for those who sign it
    Render(Render),
    /// Print the JSON Schema of agreements, with which editors complete keys and show what they mean
    Schema,
    /// Print a register of agreements: an index, and each of them in plain English
    Register(Register),
    /// Send a new version to all sites, which hold it until it is signed
    Propose(Propose),
    /// Sign an agreement: the signature is added beside the file, and sent to the sites with `--send`
    Sign(Sign),
    /// How agreements stand at the sites: which version, who has signed, who is missing, who has suspended what
    Status(Status),
    /// Let a signed version take the place of those that it replaces, everywhere at one instant
    Activate(Activate),
    /// Stop an agreement now: nothing more leaves under it, not even what is being computed
    Suspend(About),
    /// Lift the suspensions of an agreement; it takes the sign-off
    Resume(About),
    /// Propose the text of an earlier version anew, in the place of all that stands or has been signed since
    Rollback(Rollback),
    /// Check the signatures beside an agreement against the keys that a node trusts
    Verify(Verify),
    /// Say what one version changes against another, and which way: tightens, loosens, neither
    Diff(Diff),
    /// Hold a draft against the questions that your own site was asked: which it would refuse or permit, what it would withhold
    Preview(Preview),
    /// Say whether a question may be asked, from the agreement and the tables' columns alone
    Explain(Explain),
}

/// Where sites are reached. Without any of it, the demo that runs on this machine.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// Where the coordinator or one node is, for example `https://coordinator.example:7433`; without it, the running demo
    #[arg(long, env = "LIQUID_URL")]
    pub(crate) url: Option<String>,
    /// The certificate authority to trust, as PEM
    #[arg(long, value_name = "FILE", env = "LIQUID_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// The file that holds your token
    #[arg(long, value_name = "FILE", env = "LIQUID_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Who signs. The file beside a key (`NAME.pub.toml` beside `NAME.key`) says all but the key itself.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// The private key, as `liquid key new` writes it; the running demo's are also known by name, as `north-hospital.siro`
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The name under which nodes trust the key
    #[arg(long)]
    pub(crate) key_id: Option<String>,
    /// The organisation that signs
    #[arg(long)]
    pub(crate) organisation: Option<String>,
    /// The signer's role there
    #[arg(long)]
    pub(crate) role: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Propose {
    /// The new version; `supersedes` in it names the version that it replaces, or a list of several
    #[arg(value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    #[command(flatten)]
    pub(crate) who: Who,
    /// Propose it though this key's role must approve it: the key can never approve this version then
    #[arg(long)]
    pub(crate) author: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The agreement; `liquid policy status --save` writes those that sites hold
    #[arg(value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    #[command(flatten)]
    pub(crate) who: Who,
    /// Say that you wrote it, where the agreement bars its author from approving it
    #[arg(long)]
    pub(crate) author: bool,
    /// Send the signature to the sites too
    #[arg(long)]
    pub(crate) send: bool,
    /// Take the place of the organisation's signature under this name, made over an earlier text or by another key
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The agreement's id; all of them without it
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Write the versions that sites hold into this folder, to read and to sign
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The party for which you look, with the demo's token for it
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) organisation: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Activate {
    /// The agreement's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The version, by its number or the first digits of its fingerprint
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: String,
    /// When: `now`, a day (its first instant, UTC), or an instant such as `2026-12-01T09:00:00Z`
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = instant)]
    pub(crate) at: DateTime<Utc>,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The agreement's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The version whose text is to stand again, by its number or the first digits of its fingerprint
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: String,
    /// A version to give up besides what stands and what all have signed, once for each
    #[arg(long, value_name = "VERSION")]
    pub(crate) from: Vec<String>,
    /// Write the new version into this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) who: Who,
    /// Propose it though this key's role must approve it: the key can never approve this version then
    #[arg(long)]
    pub(crate) author: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct About {
    /// The agreement's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) who: Who,
    /// Write what is signed into this file too: it counts at a node whose operator puts it into `held/statements` beside its
    /// agreements
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Preview {
    /// The draft; it needs neither signatures nor a proposal
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// How many days to look back
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=i64::from(DAYS_MAX)))]
    pub(crate) days: u32,
    /// Your site's name, as its certificate has it; your organisation's name without it
    #[arg(long, value_name = "NAME")]
    pub(crate) site: Option<String>,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t = Said::Text)]
    pub(crate) format: Said,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The agreement; its signatures lie beside it
    #[arg(value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    /// A file with the keys that count: a `node.toml`, or any file of `[[trusted_key]]` entries [default: that of the running
    /// demo's first node]
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make an Ed25519 key: the private part into a file, the public part to standard output
    New(NewKey),
    /// Replace a key of yours by a new one in the same roles; what the old one signed stays
    Rotate(Rotate),
    /// Give up a key of your organisation: nothing that it ever signed counts any more
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// The file to write
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Whose key it is; with it, a file beside the key says so, for nodes to trust
    #[arg(long)]
    pub(crate) organisation: Option<String>,
    /// The roles in which it signs, once for each
    #[arg(long = "role", value_name = "ROLE", requires = "organisation")]
    pub(crate) roles: Vec<String>,
    /// The name under which nodes are to trust it; the file's name without it
    #[arg(long, requires = "organisation")]
    pub(crate) key_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    pub(crate) who: Who,
    /// The new key's file, which does not exist yet
    #[arg(long = "new", value_name = "FILE")]
    pub(crate) new: PathBuf,
    /// The new key's name; the file's name without it
    #[arg(long)]
    pub(crate) new_id: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The name of the key that is given up
    #[arg(value_name = "KEY_ID")]
    pub(crate) revoked: String,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Reads a point in time.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    if text == "now" {
        return Ok(Utc::now());
    }
    let past = |what: &str| format!("that {what} is past; write `now` if you mean now");
    if let Ok(day) = text.parse::<NaiveDate>() {
        // Today is now, and no slip of the pen.
        let is_past = day < Utc::now().date_naive();
        return if is_past { Err(past("day")) } else { Ok(day.and_time(NaiveTime::MIN).and_utc()) };
    }
    let at: DateTime<Utc> = text
        .parse()
        .map_err(|_| "write `now`, a day such as `2026-12-01`, or `2026-12-01T09:00:00Z`".to_owned())?;
    // Typing and sending take a while.
    if at < Utc::now() - TimeDelta::minutes(10) { Err(past("time")) } else { Ok(at) }
}
