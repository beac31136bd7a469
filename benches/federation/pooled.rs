//! One DataFusion process over the rows of all sites.

use datafusion::error::Result;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

use crate::data::SiteRows;

/// Opens it, with as many threads as there are cores.
pub(crate) async fn open(sites: &[SiteRows]) -> Result<SessionContext> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(cores));
    let files: Vec<String> = sites.iter().map(|site| site.file.display().to_string()).collect();
    let frame = context.read_parquet(files, ParquetReadOptions::default()).await?;
    context.register_table("visits", frame.into_view())?;
    Ok(context)
}

/// How many rows the answer has.
pub(crate) async fn answer(context: &SessionContext, sql: &str) -> Result<usize> {
    let batches = context.sql(sql).await?.collect().await?;
    Ok(batches.iter().map(|batch| batch.num_rows()).sum())
}
