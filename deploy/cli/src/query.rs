//! `liquid query`: one question, one answer.

use std::io::{self, Read, Write};

use crate::args::{Format, Query, Setting};
use crate::failure::Failure;
use crate::reach::{self, Whose};
use crate::render;
use crate::terminal::{Paint, Pipe, note_wrapped};

/// Runs the command.
///
/// # Errors
/// What the other end said, or what is missing here.
pub(crate) async fn run(query: Query) -> Result<(), Failure> {
    let values = query.settings.iter().filter_map(|it| match it {
        Setting::Parameter(name, value) => Some((name.as_str(), value.as_str())),
        Setting::Option(..) => None,
    });
    let values: Vec<_> = values.collect();
    let sql = match (&query.template, query.sql.as_deref()) {
        (Some(name), _) => call(name, &values),
        (None, _) if !values.is_empty() => {
            let (name, value) = values.first().copied().unwrap_or_default();
            return Err(Failure::Usage(format!(
                "`--set {name}={value}` is no session option, which begins with `liquid.`; a parameter goes with `--template`"
            )));
        }
        (None, Some("-")) => standard_input()?,
        (None, sql) => sql.unwrap_or_default().to_owned(),
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
    for setting in &query.settings {
        if let Setting::Option(name, value) = setting {
            client.set(name, value)?;
        }
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

/// The call of an approved query. Every value is a text, which the sites read as what the parameter takes; NULL is none.
fn call(name: &str, values: &[(&str, &str)]) -> String {
    let values = values.iter().map(|(parameter, value)| {
        let value = match *value {
            "NULL" => value.to_string(),
            _ => format!("'{}'", value.replace('\'', "''")),
        };
        format!("\"{}\" => {value}", parameter.replace('"', "\"\""))
    });
    format!("EXECUTE \"{}\"({})", name.replace('"', "\"\""), values.collect::<Vec<_>>().join(", "))
}
