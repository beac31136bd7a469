//! The one binary, `liquid`: sites and coordinators run it, and people ask, sign and check with it.
//!
//! - [`args`]: the command line. [`start`]: how every command starts and stops. [`failure`]: how one ends badly.
//! - [`serve`]: `node`, `coordinator` and the `engine` behind each of them.
//! - [`demo`], which a [`teller`] tells as a [`story`]; [`init`]: a small federation of one's own.
//! - [`query`] with [`render`]: questions and answers, over the way that [`reach`] opens; [`templates`]: what is approved. [`audit`], [`policy`], [`token`]: logs, keys, signatures, tokens.
//! - [`terminal`]: data to standard output, all else to standard error.

mod args;
mod audit;
mod demo;
mod failure;
mod init;
mod policy;
mod query;
mod reach;
mod render;
mod serve;
mod start;
mod story;
mod teller;
mod templates;
mod terminal;
mod token;

use std::process::ExitCode;

use args::{Arguments, Audit, Command, Role, Token};
use failure::Failure;

fn main() -> ExitCode {
    liquid_node_api::tls::install_provider(); // first: rustls panics where two providers are at hand and none is chosen
    start::run(Arguments::read())
}

/// One arm a command.
async fn command(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(demo) => demo::run(demo).await,
        Command::Node(node) => serve::node(&node).await,
        Command::Coordinator(coordinator) => serve::coordinator(&coordinator).await,
        Command::Query(query) => query::run(query).await,
        Command::Templates(templates) => templates::run(&templates).await,
        Command::Init(init) => init::run(&init),
        Command::Audit(Audit::Verify { file, key }) => audit::run(&file, key.as_deref()),
        Command::Key(key) => policy::key::run(key).await,
        Command::Token(Token::New(new)) => token::new(&new),
        Command::Policy(policy) => policy::run(policy).await,
        Command::Engine(engine) => match engine.role {
            Role::Node => serve::engine(&engine).await,
            Role::Coordinator => serve::planner().await,
        },
    }
}
