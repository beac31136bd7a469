//! `liquid policy explain`: what a node would tell a question, from the agreement and the tables' columns alone.

use std::fs;
use std::path::Path;

use liquid_engine::offline::{Question, Tables, explain};
use liquid_local::keys;
use liquid_node_api::parameter::Parameter;
use liquid_policy::Code;
use liquid_policy::admit::{Caller, Named};
use liquid_policy::id::Purpose;

use super::read_agreement;
use crate::args::{Explain, Said};
use crate::failure::Failure;
use crate::terminal::{note, say, say_json};

/// Decides a question without asking it.
///
/// # Errors
/// Where a file cannot be used, the question is wrong in itself, or it is refused, which has been printed by then.
pub(crate) async fn run(command: &Explain) -> Result<(), Failure> {
    let (agreement, _) = read_agreement(&command.agreement)?;
    let tables = tables(&command.schema).await?;
    let purpose = Purpose::new(&command.purpose);
    let caller = caller(&command.who, &purpose)?;
    let parameters: Vec<_> = command.parameters.iter().map(|text| parameter(text)).collect();
    let question = Question {
        caller: &caller,
        named: Named { purpose: Some(&purpose), ..Named::default() },
        today: command.on.unwrap_or_else(|| keys::now().date_naive()),
        sql: &command.sql,
        parameters: &parameters,
    };
    let verdict = explain(&agreement, &tables, &question).await?;
    match command.format {
        Said::Text => {
            say(&verdict.to_string());
            note(&format!("as if {} {} were signed by all", agreement.id(), agreement.version()));
        }
        Said::Json => say_json(&serde_json::to_string(&verdict).map_err(|error| {
            Failure::here(format!("the verdict has no JSON form: {error}"), "ask for `--format text`")
        })?),
    }
    verdict.code().map_or(Ok(()), |code: Code| Err(Failure::Told(code)))
}

pub(super) async fn tables(file: &Path) -> Result<Tables, Failure> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::here(
            format!("`{name}` cannot be read: {error}"),
            "name a file with a `CREATE TABLE` statement for each table",
        )
    })?;
    Tables::read(&text, file)
        .await
        .map_err(|error| Failure::here(error, "compare with `policies/examples/heart/schema.sql`"))
}

fn caller(who: &str, purpose: &Purpose) -> Result<Caller, Failure> {
    let (organisation, role) = who
        .split_once('/')
        .filter(|(organisation, role)| !organisation.is_empty() && !role.is_empty())
        .ok_or_else(|| {
            Failure::Usage(format!(
                "`--as {who}` names no organisation and role; write `--as heart-institute/analyst`"
            ))
        })?;
    Ok(Caller {
        organisation: organisation.into(),
        roles: vec![role.into()],
        subject: String::new(),
        purposes: vec![purpose.clone()],
    })
}

/// A value as it is written; what looks like nothing else is a text.
fn parameter(text: &str) -> Parameter {
    if text.eq_ignore_ascii_case("null") {
        return Parameter::Null;
    }
    if let Some(inner) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return Parameter::Utf8(Some(inner.replace("''", "'")));
    }
    if let Ok(flag) = text.parse() {
        return Parameter::Boolean(Some(flag));
    }
    if let Ok(number) = text.parse() {
        return Parameter::Int64(Some(number));
    }
    if let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        return Parameter::Float64(Some(number.to_bits()));
    }
    if let Ok(day) = text.parse::<chrono::NaiveDate>() {
        return Parameter::Date32(Some(day.to_epoch_days()));
    }
    Parameter::Utf8(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_look_like() {
        for (text, expected) in [
            ("NULL", Parameter::Null),
            ("true", Parameter::Boolean(Some(true))),
            ("-7", Parameter::Int64(Some(-7))),
            ("7.5", Parameter::Float64(Some(7.5_f64.to_bits()))),
            ("1970-01-03", Parameter::Date32(Some(2))),
            ("'7'", Parameter::Utf8(Some("7".into()))),
            ("O'Neill", Parameter::Utf8(Some("O'Neill".into()))),
            ("nan", Parameter::Utf8(Some("nan".into()))),
        ] {
            assert_eq!(parameter(text), expected, "{text}");
        }
    }
}
