//! `liquid query`: one question, one answer.

use std::io::{self, Read, Write};

use crate::args::{Format, Query};
use crate::failure::Failure;
use crate::reach::{self, Whose};
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
    let mut client = reach::client(&query.reach, Whose::Recipient).await?;
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
