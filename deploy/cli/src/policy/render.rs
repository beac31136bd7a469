//! `liquid policy render`.

use std::path::Path;

use liquid_node::agreements::hash;
use liquid_policy::parse::{read, version_of};
use liquid_policy::render::{html, markdown, named, plain, render_with};

use super::{beside, put, read_text, unusable, with_its_files};
use crate::args::{Render, WordsFormat};
use crate::failure::Failure;
use crate::terminal::note;

/// Prints an agreement in plain English, a draft too.
///
/// # Errors
/// Where there is no such file, or it has other keys than an agreement.
pub(crate) fn run(command: &Render) -> Result<(), Failure> {
    let text = read_text(&command.agreement)?;
    let name = command.agreement.display().to_string();
    let folder = command.agreement.parent().unwrap_or(Path::new(""));
    // Another text than the agreed one is not shown as if it were.
    let asked = |file: &str, sha256: &str| {
        let bytes = beside::find(folder, file, sha256).ok().filter(|bytes| hash(bytes) == sha256)?;
        String::from_utf8(bytes).ok()
    };
    let page = render_with(&read(&text, &name).map_err(unusable)?, &asked);
    let page = match version_of(&text) {
        Some(hash) => named(page, &hash),
        None => page,
    };
    put(&match command.format {
        WordsFormat::Text => plain(&page),
        WordsFormat::Html => html(&page),
        WordsFormat::Markdown => markdown(&page),
    })?;
    if with_its_files(&text, &command.agreement).is_err() {
        note("no site takes this agreement as it stands; `liquid policy lint` on it says why");
    }
    Ok(())
}
