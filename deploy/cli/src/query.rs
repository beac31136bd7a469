//! `liquid query`: one question, one answer.

use std::io::{self, Read, Write};

use liquid_local::client::Client;
use liquid_local::connection::{Beacon, Connection};

use crate::args::{Format, Query};
use crate::failure::Failure;
use crate::render;
use crate::terminal::{Paint, Pipe, note_wrapped};

/// Runs the command.
///
/// # Errors
/// What the other end said, or what is missing here.
pub(crate) async fn run(query: Query) -> Result<(), Failure> {
    let sql = match query.sql.as_str() {
        "-" => standard_input()?,
        _ => query.sql.clone(),
    };
    let mut client = client(&query).await?;
    let options = [("liquid.purpose", &query.purpose), ("liquid.agreement", &query.agreement)];
    for (name, value) in options {
        if let Some(value) = value {
            client.set(name, value)?;
        }
    }
    if query.format == Format::Table {
        client.set("liquid.marks", "columns")?; // the table names withheld cells
    }
    for (name, value) in &query.options {
        client.set(name, value)?;
    }
    let answer = client.ask(&sql).await?;
    let mut out = io::BufWriter::new(Pipe::new(io::stdout().lock()));
    render::write(&answer, query.format, Paint::stdout(), &mut out).and_then(|()| Ok(out.flush()?)).map_err(
        |error| Failure::here(format!("the answer cannot be written: {error}"), "free space there"),
    )?;
    let paint = Paint::stderr();
    for line in render::legend(&answer, paint) {
        note_wrapped(&line);
    }
    Ok(())
}

fn standard_input() -> Result<String, Failure> {
    let mut sql = String::new();
    io::stdin().read_to_string(&mut sql).map_err(|error| {
        Failure::here(format!("standard input cannot be read: {error}"), "pass UTF-8 text")
    })?;
    Ok(sql)
}

/// A client from the command line and its environment; what neither says comes from the demo that runs here.
async fn client(query: &Query) -> Result<Client, Failure> {
    let demo = Beacon::path().and_then(|path| Beacon::read(&path)).filter(|_| query.url.is_none());
    if let Some(demo) = &demo
        && !demo.answers().await
    {
        return Err(Failure::here(
            format!("the demo that ran here is gone: nothing listens at {}", demo.coordinator),
            "start `liquid demo --serve`, or name a coordinator with `--url`",
        ));
    }
    let missing = |what: &str, option: &str, variable: &str| {
        Failure::here(
            format!("{what} to ask with is not known"),
            format!(
                "name it with `{option}` or in {variable}, or start `liquid demo --serve` in another terminal"
            ),
        )
    };
    let url = query
        .url
        .clone()
        .or_else(|| demo.as_ref().map(|demo| demo.coordinator.clone()))
        .ok_or_else(|| missing("the address", "--url", "LIQUID_URL"))?;
    let ca = query
        .ca
        .clone()
        .or_else(|| demo.as_ref().map(|demo| demo.ca.clone()))
        .ok_or_else(|| missing("the certificate authority", "--ca", "LIQUID_CA"))?;
    let token = match &query.token_file {
        Some(file) => std::fs::read_to_string(file).map_err(|error| {
            Failure::here(
                format!("the token file `{}` cannot be read: {error}", file.display()),
                "name another with `--token-file`",
            )
        })?,
        None => demo
            .as_ref()
            .and_then(first_token)
            .ok_or_else(|| missing("the token", "--token-file", "LIQUID_TOKEN_FILE"))?,
    };
    Ok(Client::by_environment(&url, &ca, &token)?)
}

fn first_token(demo: &Connection) -> Option<String> {
    demo.tokens.first().map(|(_, token)| token.to_owned())
}
