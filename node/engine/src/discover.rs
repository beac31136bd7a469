//! What a site's files and views hold, before there is a model: for whoever writes one.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::common::TableReference;
use liquid_node_api::engine::Caps;

use crate::config::{EngineConfig, SourceConfig};
use crate::error::{Failure, OpenError};
use crate::runtime::Threads;
use crate::sources::{Pinned, Stores};
use crate::{session, sources, views};

/// What was found, and what could not be read.
#[derive(Debug, Default)]
pub struct Discovered {
    /// Each source and view that can be read, with its columns.
    pub tables: BTreeMap<String, SchemaRef>,
    /// Those that a view makes.
    pub made: BTreeSet<String>,
    /// What is in the way of the others, each with its cure.
    pub problems: Vec<OpenError>,
}

/// What may be taken while somebody only looks.
const CAPS: Caps = Caps { memory_bytes: 1 << 30, rows: 1_000_000 };

/// Looks at sources and views (a file's name and its text), and finds every problem rather than the first.
///
/// # Errors
/// Where the engine's threads cannot be started.
pub async fn discover(
    given: Vec<SourceConfig>,
    views: Option<(std::path::PathBuf, String)>,
) -> Result<Discovered, OpenError> {
    let threads = Threads::start(1).map_err(|error| OpenError::Start(error.to_string()))?;
    let work = async move {
        let config = EngineConfig::of_sources(given);
        let (files, problems) = Pinned::list_each(&config, &Stores::open(&config)?).await;
        let session =
            session::session_over(&files, 1, &CAPS).map_err(|error| OpenError::Start(error.to_string()))?;
        let mut found = Discovered { problems, ..Discovered::default() };
        for (at, source) in config.sources.iter().enumerate() {
            if !files.files(at).is_empty()
                && let Err(problem) = sources::register(&session, source, &files, at).await
            {
                found.problems.push(problem);
            }
        }
        // A view over a source that cannot be read would only say so again.
        if let (Some((path, text)), true) = (&views, found.problems.is_empty()) {
            match views::create(&session, text, path).await {
                Ok(made) => found.made.extend(made),
                Err(problem) => found.problems.push(problem),
            }
        }
        for name in views::names(&session) {
            if let Ok(table) = session.table_provider(TableReference::bare(name.as_str())).await {
                found.tables.insert(name, table.schema());
            }
        }
        Ok(found)
    };
    threads.run(work).await.map_err(OpenError::Start)?
}

/// Counts over sources and the views above them: for each query the counts in its one row, for the operator alone.
///
/// # Errors
/// What is in the way, in words for the operator.
pub async fn count(
    given: Vec<SourceConfig>,
    views: (std::path::PathBuf, String),
    queries: Vec<String>,
) -> Result<Vec<Vec<i64>>, String> {
    let threads = Threads::start(1).map_err(|error| error.to_string())?;
    let work = async move {
        let config = EngineConfig::of_sources(given);
        let said = |problem: OpenError| problem.to_string();
        let (files, _) = Pinned::list_each(&config, &Stores::open(&config).map_err(said)?).await;
        let session = session::session_over(&files, 1, &CAPS).map_err(|error| error.to_string())?;
        for (at, source) in config.sources.iter().enumerate() {
            sources::register(&session, source, &files, at).await.map_err(said)?;
        }
        views::create(&session, &views.1, &views.0).await.map_err(said)?;
        let mut counts = Vec::new();
        for query in &queries {
            let failed = |failure: Failure| failure.detail().to_owned();
            let plan = session.state().create_logical_plan(query).await.map_err(|it| failed(it.into()))?;
            let row = session::collect(&session, plan, &CAPS).await.map_err(failed)?;
            let columns = row.columns().iter();
            counts.push(
                columns
                    .filter_map(|it| it.as_primitive_opt::<Int64Type>()?.iter().next().flatten())
                    .collect(),
            );
        }
        Ok(counts)
    };
    threads.run(work).await?
}
