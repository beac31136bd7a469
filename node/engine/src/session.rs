//! DataFusion sessions with this engine's settings: bounded memory, nothing spilled to disk, plain string columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use datafusion::common::Result;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use liquid_node_api::engine::Caps;

use crate::error::Failure;
use crate::sources::Pinned;
use crate::three_valued::ThreeValued;

/// A session over no files at all.
pub(crate) fn session(threads: usize, caps: &Caps) -> Result<SessionContext> {
    session_over(&Pinned::default(), threads, caps)
}

/// A session with its own memory pool and empty caches, so that a file that changed is read anew. It can read these files
/// and no others.
///
/// Spilling is off: protected rows are never written to a temporary file.
pub(crate) fn session_over(files: &Pinned, threads: usize, caps: &Caps) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads.max(1))
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(true);
    let options = config.options_mut();
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;
    // `x IS NOT TRUE` is planned as never NULL and executed as nullable, which this check takes for a fault.
    options.execution.skip_physical_aggregate_schema_check = true;
    let memory = usize::try_from(caps.memory_bytes).unwrap_or(usize::MAX);
    let runtime = RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::new(files.clone()))
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rules(rules())
        .build();
    let session = SessionContext::new_with_state(state);
    session.add_analyzer_rule(Arc::new(ThreeValued));
    Ok(session)
}

/// The rules that plans are made better by, without the one that answers from what files say of themselves: a count of distinct
/// values keeps a file's own through conditions that leave rows out, and whoever writes a file could make up the rest.
fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let rules = PhysicalOptimizer::new().rules.into_iter();
    rules.filter(|rule| rule.name() != "aggregate_statistics").collect()
}

/// Runs a plan and gathers its rows, as long as there are no more than the cap allows.
pub(crate) async fn collect(
    session: &SessionContext,
    plan: LogicalPlan,
    caps: &Caps,
) -> Result<RecordBatch, Failure> {
    let frame = session.execute_logical_plan(plan).await?;
    let schema = Arc::clone(frame.schema().inner());
    let mut stream = frame.execute_stream().await?;
    let (mut batches, mut rows) = (Vec::new(), 0_u64);
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows = rows.saturating_add(batch.num_rows() as u64);
        if rows > caps.rows {
            return Err(Failure::too_large());
        }
        batches.push(batch);
    }
    // Metadata and nullability of a physical schema may differ from the planned one in harmless ways.
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    Ok(concat_batches(&schema, &batches)?)
}

/// Runs a plan once, so that others read its rows from memory. What they take of the session's memory is theirs as long as the
/// reservation is held.
pub(crate) async fn kept(
    session: &SessionContext,
    plan: LogicalPlan,
) -> Result<(LogicalPlan, MemoryReservation), Failure> {
    let frame = session.execute_logical_plan(plan).await?;
    let schema = Arc::clone(frame.schema().inner());
    let mut stream = frame.execute_stream().await?;
    let room = MemoryConsumer::new("rows by entity").register(&session.runtime_env().memory_pool);
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        room.try_grow(batch.get_array_memory_size())?;
        batches.push(batch);
    }
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    let table = provider_as_source(Arc::new(MemTable::try_new(schema, vec![batches])?));
    Ok((LogicalPlanBuilder::scan("kept", table, None)?.build()?, room))
}

/// Gives a result the schema that its readers expect: the first columns can be NULL, since any value can be withheld; the
/// others, counts and marks, cannot.
pub(crate) fn nullable(batch: &RecordBatch, first: usize) -> Result<RecordBatch, Failure> {
    let fields = batch
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| Field::new(field.name(), field.data_type().clone(), at < first))
        .collect::<Vec<_>>();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec())?)
}
