//! A site's raw files: found, looked through, pinned as they were found, and registered where only the operator's views
//! can name them.
//!
//! 1. [`beneath`], [`files`]: which files a source is made of, none outside of the root.
//!    [`stores`]: S3-compatible ones.
//! 2. [`pinned`]: these files as the one store of a session; a file that changed since is an error.
//! 3. [`read`], [`magic`], [`seen`], [`csv_text`], [`ndjson`], [`look`]: the columns and types, or what is wrong on which
//!    line.

mod beneath;
mod csv_text;
mod files;
mod look;
mod magic;
mod ndjson;
mod pinned;
mod read;
mod seen;
mod stores;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::datasource::file_format::options::{ArrowReadOptions, ReadOptions};
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::Result as EngineResult;
use datafusion::execution::context::SessionContext;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::{CsvReadOptions, JsonReadOptions, ParquetReadOptions};
use object_store::ObjectStore;

use crate::config::{EngineConfig, Format, SourceConfig};
use crate::error::OpenError;

pub(crate) use files::{Changed, File};
pub(crate) use look::Looked;
pub(crate) use pinned::Pinned;
pub(crate) use seen::Sort;
pub(crate) use stores::{Stores, unanswered};

/// Looks through a source, and registers it under its name.
pub(crate) async fn register(
    session: &SessionContext,
    source: &SourceConfig,
    pinned: &Pinned,
    at: usize,
) -> Result<Looked, OpenError> {
    let looked = look_through(session, source, pinned, at, look::TYPED_BY).await?;
    let table = table(session, source, at, &looked).map_err(|error| misfit(source, &error))?;
    session
        .register_table(TableReference::bare(source.name.as_str()), table)
        .map_err(|error| misfit(source, &error))?;
    Ok(looked)
}

fn misfit(source: &SourceConfig, error: &datafusion::error::DataFusionError) -> OpenError {
    let fix = "check `name`, `path` and `format` of this [[engine.source]]";
    OpenError::source(source, error.strip_backtrace(), fix)
}

/// Looks through a source, up to some number of rows.
pub(crate) async fn look_through(
    session: &SessionContext,
    source: &SourceConfig,
    pinned: &Pinned,
    at: usize,
    rows: u64,
) -> Result<Looked, OpenError> {
    if source.format != Format::Csv && (source.null.is_some() || source.delimiter.is_some()) {
        let key = if source.null.is_some() { "null" } else { "delimiter" };
        let fix = format!("remove `{key}` from this [[engine.source]]");
        return Err(OpenError::source(source, format!("only a CSV file has a `{key}`"), fix));
    }
    let options = options(session, source)?;
    let store: Arc<dyn ObjectStore> = Arc::new(pinned.clone());
    look::look(session, source, pinned.files(at), options.format.as_ref(), &store, rows).await
}

/// Looks through all rows of the sources that were only looked at in part, after a question over them failed.
pub(crate) async fn problem(
    session: &SessionContext,
    config: &EngineConfig,
    pinned: &Pinned,
) -> Option<OpenError> {
    for (at, source) in config.sources.iter().enumerate() {
        if let Err(error) = look_through(session, source, pinned, at, u64::MAX).await {
            return Some(error);
        }
    }
    None
}

fn options(session: &SessionContext, source: &SourceConfig) -> Result<ListingOptions, OpenError> {
    let (config, defaults) = (session.copied_config(), session.copied_table_options());
    Ok(match source.format {
        Format::Parquet => {
            ParquetReadOptions::default().file_extension("").to_listing_options(&config, defaults)
        }
        Format::Csv => {
            let delimiter = csv_text::delimiter(source).map_err(|problem| problem.of_source(source))?;
            CsvReadOptions::new()
                .has_header(true)
                .newlines_in_values(true)
                .delimiter(delimiter)
                .file_extension("")
                .to_listing_options(&config, defaults)
        }
        Format::Ndjson => JsonReadOptions::default().file_extension("").to_listing_options(&config, defaults),
        Format::Arrow => ArrowReadOptions { file_extension: "", ..ArrowReadOptions::default() }
            .to_listing_options(&config, defaults),
    })
}

/// The table of a source. DataFusion has forgotten the text for missing values when it reads a CSV file: with such a text,
/// columns are read as text, and cast once it is gone.
fn table(
    session: &SessionContext,
    source: &SourceConfig,
    at: usize,
    looked: &Looked,
) -> EngineResult<Arc<dyn TableProvider>> {
    let schema = looked.schema();
    let listing = |schema: Schema| -> EngineResult<Arc<dyn TableProvider>> {
        let options = options(session, source)
            .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
        let config = ListingTableConfig::new(ListingTableUrl::parse(Pinned::url(at))?)
            .with_listing_options(options)
            .with_schema(Arc::new(schema));
        Ok(Arc::new(ListingTable::try_new(config)?))
    };
    let Some(null) = &source.null else { return listing(schema) };
    let text = schema.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true));
    let texts = listing(Schema::new(text.collect::<Vec<_>>()))?;
    let columns = schema.fields().iter().map(|field| {
        let column = Expr::Column(Column::new_unqualified(field.name()));
        // A column of nothing but missing values is of no type, and no text can be cast to none.
        if *field.data_type() == DataType::Null {
            return lit(ScalarValue::Null).alias(field.name());
        }
        cast(nullif(column, lit(null.as_str())), field.data_type().clone()).alias(field.name())
    });
    Ok(session.read_table(texts)?.select(columns.collect::<Vec<_>>())?.into_view())
}
