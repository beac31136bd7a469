//! A federation over folders that somebody else has prepared, one for each site:
//!
//! ```text
//! DIR/SITE/agreement.toml     what may leave the site
//!          data/TABLE.csv     its data, also .parquet, .ndjson, .json (one object a line) and .arrow
//!          views.sql          optional: CREATE VIEW statements, where files and shared tables differ
//!          model.toml         optional: the shared tables; found out from the files without it
//! ```
//!
//! Nothing in these folders is changed. All that has to be mended is found in one go, with file and line.
//!
//! 1. `read`: one site's folder becomes a draft: agreement, sources, what they hold.
//! 2. `model`: the shared tables, the same at every site.
//! 3. Here: sites become a [`Blueprint`].

mod model;
mod read;

use std::path::Path;

use liquid_policy::id::TableName;

use crate::Error;
use crate::blueprint::{Blueprint, SitePlan};
use read::Draft;

/// Reads the folders.
///
/// # Errors
/// Everything that is to be mended before this federation can run.
pub async fn blueprint(folder: &Path) -> Result<Blueprint, Error> {
    let mut problems = Vec::new();
    let mut drafts = Vec::new();
    for site in read::sites(folder)? {
        drafts.extend(read::draft(&site, &mut problems).await);
    }
    if drafts.is_empty() && problems.is_empty() {
        problems.push(format!(
            "`{0}` has no folders; make one for each site, `{0}/SITE`, with `agreement.toml` and a folder `data`",
            folder.display()
        ));
    }
    one_text_for_each_agreement(&drafts, &mut problems);
    let mut sites = Vec::new();
    if problems.is_empty() {
        let shared = model::shared(&drafts, &mut problems);
        sites = drafts.iter().map(|draft| plan(draft, &shared, &drafts)).collect();
    }
    if problems.is_empty() {
        return Ok(Blueprint { name: "own".to_owned(), sites });
    }
    Err(Error::Own { folder: folder.to_owned(), problems })
}

/// An agreement is one text, wherever it is signed.
fn one_text_for_each_agreement(drafts: &[Draft], problems: &mut Vec<String>) {
    for (at, draft) in drafts.iter().enumerate() {
        let same = |other: &&Draft| other.agreement.id() == draft.agreement.id();
        let Some(first) = drafts.iter().take(at).find(same) else { continue };
        if first.text != draft.text {
            let differs = |(a, b): (&str, &str)| a != b;
            let line = first.text.lines().zip(draft.text.lines()).position(differs);
            let line = line.unwrap_or_else(|| first.text.lines().count().min(draft.text.lines().count())) + 1;
            problems.push(format!(
                "{}:{line}: this is not the agreement {} that {} holds; make the two files the same, or give this one \
                 an id of its own",
                draft.agreement_file.display(),
                draft.agreement.id(),
                first.agreement_file.display(),
            ));
        }
    }
}

fn plan(draft: &Draft, shared: &model::Shared, drafts: &[Draft]) -> SitePlan {
    let here: Vec<TableName> = shared.tables_of(draft);
    let everywhere = drafts.iter().all(|other| shared.tables_of(other) == here);
    SitePlan {
        site: draft.site.clone(),
        organisation: draft.organisation.clone(),
        model: shared.model_of(draft),
        agreements: vec![draft.text.clone()],
        sources: draft.sources(),
        views: shared.views_of(draft),
        tables: (!everywhere).then_some(here),
    }
}
