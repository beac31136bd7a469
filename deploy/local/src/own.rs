//! A federation over folders that somebody else has prepared, one for each site:
//!
//! ```text
//! DIR/SITE/agreement.toml     what may leave the site
//!          data/TABLE.csv     its data, also .tsv, .parquet, .ndjson, .jsonl, .json (one object a line), .arrow, .feather
//!          views.sql          optional: CREATE VIEW statements, where files and shared tables differ
//!          model.toml         optional: the shared tables; found out from the files without it
//! ```
//!
//! Nothing in these folders is changed. All that has to be mended is found in one go, with file and line.
//!
//! 1. `draft`: one site's folder, with its `agreement`, `files` and `model_file`, each a `text` or data; `missing`: texts
//!    like `NA` among numbers; `numbers`, `dates`: texts that are numbers or days in another notation.
//! 2. `model`: the shared tables, the same at every site, `column` by column, in `kinds` of values; `cure`: what to do where
//!    a column differs; `sql`: the views that make the tables, and those that are proposed.
//! 3. Here: each site's data is held against its agreement, and sites become a [`Blueprint`]; `notes`: what should be known;
//!    `gaps`: where answers will be narrower than one may think.

mod agreement;
mod column;
mod cure;
mod dates;
mod draft;
mod files;
mod gaps;
mod kinds;
mod missing;
mod model;
mod model_file;
mod notes;
mod numbers;
mod sql;
mod text;

use std::path::Path;

use liquid_engine::{EngineConfig, LocalEngine};
use liquid_policy::id::TableName;

use crate::Error;
use crate::blueprint::{Blueprint, Connect, SitePlan};
use crate::folder::write;
use draft::Draft;

/// Reads the folders. Beside the federation, what was taken for granted and should be known, a line each.
///
/// # Errors
/// Everything that is to be mended before this federation can run.
pub async fn blueprint(folder: &Path) -> Result<(Blueprint, Vec<String>), Error> {
    let mut problems = Vec::new();
    let mut drafts = Vec::new();
    for site in draft::sites(folder, &mut problems)? {
        drafts.extend(draft::draft(&site, &mut problems).await);
    }
    draft::share_missing(&mut drafts, &mut problems).await;
    agreement::one_text_for_each(&mut drafts, &mut problems);
    let (mut sites, mut shared) = (Vec::new(), model::Shared::default());
    // What the whole drafts have to say to each other is said at once with what is wrong with the others.
    if !drafts.is_empty() {
        shared = model::shared(&drafts, &mut problems);
        sites = drafts.iter().map(|draft| plan(draft, &shared, &drafts)).collect();
    }
    if problems.is_empty() {
        for (draft, plan) in drafts.iter().zip(&sites) {
            problems.extend(hold_against(draft, plan).await?);
        }
    }
    if problems.is_empty() {
        let notes = notes::notes(&drafts, &shared).await;
        return Ok((Blueprint { name: "own".to_owned(), sites }, notes));
    }
    Err(Error::Own { folder: folder.to_owned(), problems })
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
        beside: draft.beside.clone(),
        sources: draft.sources(),
        views: shared.views_of(draft),
        tables: (!everywhere).then_some(here),
        connect: Connect::Inbound,
    }
}
