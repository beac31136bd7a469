//! `liquid policy lint`.

use liquid_policy::lint::{Advice, lint, standing};
use miette::{GraphicalReportHandler, GraphicalTheme};

use super::{put, read_text, unusable, with_its_files};
use crate::args::Lint;
use crate::failure::Failure;
use crate::terminal::{coloured, note, width};

/// How wide advice is where nobody's terminal says it.
const WIDTH: usize = 100;

/// Prints advice on an agreement that a site would take.
///
/// # Errors
/// Where a site would not take it: what is wrong is said with its place.
pub(crate) fn run(command: &Lint) -> Result<(), Failure> {
    let text = read_text(&command.agreement)?;
    let name = command.agreement.display().to_string();
    let agreement = with_its_files(&text, &command.agreement).map_err(unusable)?;
    let advice = lint(agreement.file());
    let theme = if coloured() { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width().unwrap_or(WIDTH));
    let mut out = String::new();
    for piece in &advice {
        let shown = handler.render_report(&mut out, &piece.placed(&text, &name));
        shown.map_err(|_| Failure::here("the advice cannot be shown", "report this with the agreement"))?;
        out.push('\n');
    }
    put(&out)?;
    note(&format!("a site would take this agreement; {}; {}", counted(&advice), standing(agreement.file())));
    Ok(())
}

fn counted(advice: &[Advice]) -> String {
    match advice.len() {
        0 => "there is nothing to advise".into(),
        1 => "one piece of advice".into(),
        many => format!("{many} pieces of advice"),
    }
}
