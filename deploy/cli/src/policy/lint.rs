//! `liquid policy lint`.

use liquid_engine::offline::unusable;
use liquid_policy::document::Agreement;
use liquid_policy::id::TemplateName;
use liquid_policy::lint::{Advice, Kind, lint, standing};
use liquid_policy::parse::place;
use miette::GraphicalTheme;

use super::explain::tables;
use super::{put, read_text, with_its_files};
use crate::args::Lint;
use crate::failure::Failure;
use crate::terminal::{Paint, note, report, width};

/// Prints advice on an agreement that a site would take, in the order of the file.
///
/// # Errors
/// Where a site would not take it: what is wrong is said with its place. And where somebody has still to fill in something.
pub(crate) async fn run(command: &Lint) -> Result<(), Failure> {
    let text = read_text(&command.agreement)?;
    let name = command.agreement.display().to_string();
    let agreement = with_its_files(&text, &command.agreement).map_err(super::unusable)?;
    let mut advice = advice(&agreement);
    advice.extend(templates(command, &agreement).await?);
    advice.sort_by_key(|piece| {
        let path: Vec<&str> = piece.path.iter().map(String::as_str).collect();
        place(&text, &path).start
    });
    let mut out = String::new();
    for piece in &advice {
        out.push_str(&report(&piece.placed(&text, &name), Paint::stdout(), GraphicalTheme::none(), width()));
        out.push('\n');
    }
    put(&out)?;
    match left_to_fill_in(&agreement) {
        0 => {}
        places => return Err(not_ready(places)),
    }
    note(&format!("a site would take this agreement; {}; {}", counted(&advice), standing(agreement.file())));
    Ok(())
}

/// Approved queries that no site could answer.
async fn templates(command: &Lint, agreement: &Agreement) -> Result<Vec<Advice>, Failure> {
    let tables = match &command.schema {
        Some(schema) => Some(tables(schema).await?),
        None => None,
    };
    let place =
        |name: &TemplateName| agreement.file().template.iter().position(|it| it.name == name.as_str());
    let found = unusable(agreement, tables.as_ref()).await.into_iter().map(|(name, problem)| Advice {
        kind: Kind::Contradiction,
        path: vec!["template".to_owned(), place(&name).unwrap_or_default().to_string(), "name".to_owned()],
        message: format!("no site could answer `{name}`: {problem}"),
        help: format!(
            "correct `{}`, and write its new SHA-256",
            liquid_policy::template::file(name.as_str())
        ),
    });
    Ok(found.collect())
}

fn counted(advice: &[Advice]) -> String {
    match advice.len() {
        0 => "there is nothing to advise".into(),
        1 => "one piece of advice".into(),
        many => format!("{many} pieces of advice"),
    }
}

/// The places at which somebody has still to decide.
pub(super) fn left_to_fill_in(agreement: &Agreement) -> usize {
    advice(agreement).iter().filter(|piece| piece.kind == Kind::FillIn).count()
}

fn advice(agreement: &Agreement) -> Vec<Advice> {
    lint(agreement.file(), chrono::Utc::now().date_naive())
}

/// What is said of an agreement with such places.
pub(super) fn not_ready(places: usize) -> Failure {
    let places = match places {
        1 => "one place is still to be filled in".to_owned(),
        many => format!("{many} places are still to be filled in"),
    };
    Failure::here(
        format!("this agreement is not ready: {places}"),
        "`liquid policy lint` shows where; nobody should sign it before",
    )
}
