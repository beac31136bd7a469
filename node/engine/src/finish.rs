//! The rest of a query, over released tables alone: HAVING, ORDER BY, LIMIT, ratios, windows. The session in which it
//! runs holds nothing else, so whatever the plan says, it can read nothing else. Node and coordinator both use it.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, RecordBatch};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{LogicalPlan, TableSource};
use liquid_footprint::{Opaque, bind_tables, carry_marks};
use liquid_node_api::engine::Caps;

use crate::error::Failure;
use crate::runtime::Threads;
use crate::session::{collect, nullable, session};

/// What [`finish`] gives.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The query's `n` columns, then their `n` marks.
    pub batch: RecordBatch,
    /// An operator that drops or mixes rows read a withheld cell.
    pub rows_may_be_missing: bool,
}

/// Runs what lies above the cuts ([`liquid_footprint::Request::upper`]). `tables` are the released tables by name
/// (`cut0`, `cut1` …: values, then marks) and the public tables that the query reads.
///
/// It may be called from any runtime: the work is done on threads of its own.
///
/// # Errors
/// A [`Failure`] with the caller's text and the log's kept apart.
pub async fn finish(
    upper: LogicalPlan,
    tables: Vec<(String, RecordBatch)>,
    caps: Caps,
) -> Result<Finished, Failure> {
    let threads = THREADS.as_ref().map_err(|error| Failure::engine(error.to_string()))?;
    threads.run(async move { finish_here(&upper, &tables, &caps).await }).await.map_err(Failure::engine)?
}

static THREADS: LazyLock<std::io::Result<Threads>> = LazyLock::new(|| Threads::start(1));

/// As [`finish`], on the caller's threads.
pub(crate) async fn finish_here(
    upper: &LogicalPlan,
    tables: &[(String, RecordBatch)],
    caps: &Caps,
) -> Result<Finished, Failure> {
    let marked = carry_marks(upper).map_err(Failure::plan)?;
    let mut sources: Vec<(&str, Arc<dyn TableSource>)> = Vec::new();
    for (name, batch) in tables {
        let table = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?;
        sources.push((name, provider_as_source(Arc::new(table))));
    }
    let find = |table: &Opaque| {
        let found = sources.iter().find(|(name, _)| *name == table.name());
        found.map(|(_, source)| Arc::clone(source))
    };
    // One partition: released tables are small, and rows keep their order.
    let session = session(1, caps)?;
    let plan = bind_tables(marked.plan, find).map_err(Failure::plan)?;
    let batch = collect(&session, plan, caps).await.map_err(Failure::over_released_values)?;
    let batch = nullable(&batch, batch.num_columns() / 2)?;
    let plan = bind_tables(marked.rows_may_be_missing, find).map_err(Failure::plan)?;
    let flag = collect(&session, plan, caps).await.map_err(Failure::over_released_values)?;
    let rows_may_be_missing = flag
        .columns()
        .first()
        .and_then(|column| column.as_boolean_opt())
        .and_then(|column| column.iter().next().flatten())
        .ok_or_else(|| Failure::engine("the plan for `rows_may_be_missing` gave no truth value"))?;
    Ok(Finished { batch, rows_may_be_missing })
}
