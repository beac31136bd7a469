//! `liquid policy new`.

use std::fs;
use std::io::Write;

use liquid_policy::parse::{parse, revise};
use liquid_policy::preset::{PUBLISHED, RESEARCH, Start, TRUSTED};

use super::{beside, read_agreement, unusable};
use crate::args::{New, PresetName};
use crate::failure::Failure;
use crate::terminal::note;

/// Writes a new agreement, which runs for a year from today, or the beginning of the next version of one.
///
/// # Errors
/// Where the file exists or cannot be written, the id is none, or there is no version to begin from.
pub(crate) fn run(command: &New) -> Result<(), Failure> {
    let name = command.file.display().to_string();
    if let Some(from) = &command.from {
        let (before, text) = read_agreement(from)?;
        let text = revise(&text, &from.display().to_string()).map_err(unusable)?;
        write(command, &text)?;
        beside::copy(&before, from, &command.file)?;
        note(&format!(
            "{name} replaces {} {} once it is signed and activated; `liquid policy diff {} {name}` says what your edits change",
            before.id(),
            before.version(),
            from.display()
        ));
        return Ok(());
    }
    let preset = match command.preset {
        PresetName::PublishedStatistics => PUBLISHED,
        PresetName::TrustedAnalysts => TRUSTED,
        PresetName::Research => RESEARCH,
    };
    let first = chrono::Utc::now().date_naive();
    let text = preset.agreement(&Start { id: &command.id, title: &command.title, first });
    // There is no file yet for an error to point into.
    parse(&text, &name).map_err(|error| {
        let problem = error.problems().next().cloned().unwrap_or_default();
        Failure::here(problem.message(), problem.help())
    })?;
    write(command, &text)?;
    note(&format!("{name} begins with *{}*; `liquid policy lint {name}` says what to fill in", preset.name));
    Ok(())
}

fn write(command: &New, text: &str) -> Result<(), Failure> {
    let mut options = fs::OpenOptions::new();
    let written = options.write(true).create_new(true).open(&command.file);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        Failure::here(
            format!("`{}` cannot be made: {error}", command.file.display()),
            "name a file that does not exist yet, in a folder that does",
        )
    })
}
