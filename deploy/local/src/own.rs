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
//! 1. `read`: one site's folder becomes a draft: agreement, sources, what they hold; `missing`: texts like `NA` in them.
//! 2. `model`: the shared tables, the same at every site.
//! 3. Here: each site's data is held against its agreement, and sites become a [`Blueprint`].

mod missing;
mod model;
mod read;

use std::path::Path;

use liquid_engine::{EngineConfig, LocalEngine};
use liquid_policy::id::TableName;

use crate::Error;
use crate::blueprint::{Blueprint, Connect, SitePlan};
use crate::folder::write;
use read::Draft;

/// Reads the folders. Beside the federation, what was taken for granted and should be known, a line each.
///
/// # Errors
/// Everything that is to be mended before this federation can run.
pub async fn blueprint(folder: &Path) -> Result<(Blueprint, Vec<String>), Error> {
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
    read::share_missing(&mut drafts, &mut problems).await;
    one_text_for_each_agreement(&drafts, &mut problems);
    let mut sites = Vec::new();
    if problems.is_empty() {
        let shared = model::shared(&drafts, &mut problems);
        sites = drafts.iter().map(|draft| plan(draft, &shared, &drafts)).collect();
    }
    if problems.is_empty() {
        for (draft, plan) in drafts.iter().zip(&sites) {
            problems.extend(hold_against(draft, plan).await?);
        }
    }
    if problems.is_empty() {
        let notes = drafts.iter().flat_map(Draft::notes).collect();
        return Ok((Blueprint { name: "own".to_owned(), sites }, notes));
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

/// Opens a site's data as its node will, and holds it against its agreement.
async fn hold_against(draft: &Draft, plan: &SitePlan) -> Result<Vec<String>, Error> {
    let here = |problem: String| format!("{}: {problem}", draft.folder.display());
    let folder = tempfile::tempdir().map_err(Error::writing(&std::env::temp_dir()))?;
    let (model, views) = (folder.path().join("model.toml"), folder.path().join("views.sql"));
    write(&model, plan.model.as_bytes())?;
    write(&views, plan.views.as_bytes())?;
    let sources = draft.configured();
    let config = EngineConfig { model, views: Some(views), ..EngineConfig::of_sources(sources) };
    let engine = match LocalEngine::open(config).await {
        Ok(engine) => engine,
        Err(error) => return Ok(vec![here(error.to_string())]),
    };
    let problems = engine.check(&draft.agreement).await.err().unwrap_or_default();
    Ok(problems.into_iter().map(here).collect())
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
        connect: Connect::Inbound,
    }
}
