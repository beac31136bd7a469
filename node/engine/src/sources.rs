//! A site's raw files, registered where only the operator's views can name them, and noticed when they change.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::Column;
use datafusion::datasource::file_format::options::{ArrowReadOptions, ReadOptions};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionContext;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::{CsvReadOptions, JsonReadOptions, ParquetReadOptions};

use crate::config::{Format, SourceConfig};
use crate::error::OpenError;

/// Lines of a CSV or NDJSON file that are read to find the types of its columns.
const TYPED_BY: usize = 1_000_000;

/// Registers one source.
pub(crate) async fn register(session: &SessionContext, source: &SourceConfig) -> Result<(), OpenError> {
    let wrong = |reason: String, fix: &str| OpenError::Source {
        name: source.name.clone(),
        path: source.path.clone(),
        reason,
        fix: fix.to_owned(),
    };
    let path = source
        .path
        .canonicalize()
        .map_err(|error| wrong(error.to_string(), "check `path` of this [[engine.source]]"))?;
    let Some(text) = path.to_str().filter(|text| !text.contains(['*', '?', '['])) else {
        return Err(wrong(
            "its path is no plain text".to_owned(),
            "rename it to one without `*`, `?`, `[` and with UTF-8 letters only",
        ));
    };
    if source.null.is_some() && source.format != Format::Csv {
        return Err(wrong(
            "only a CSV file has a text for missing values".to_owned(),
            "remove `null` from this [[engine.source]]",
        ));
    }
    // DataFusion wants files to end as their format does; whatever this one ends with is right.
    let end = if path.is_dir() {
        String::new()
    } else {
        path.extension().and_then(|end| end.to_str()).map(|end| format!(".{end}")).unwrap_or_default()
    };
    let done = match source.format {
        Format::Parquet => {
            let options = ParquetReadOptions::default().file_extension(&end);
            session.register_parquet(source.name.as_str(), text, options).await
        }
        Format::Csv => register_csv(session, source, text, &end).await,
        Format::Ndjson => {
            let options = JsonReadOptions::default().file_extension(&end).schema_infer_max_records(TYPED_BY);
            session.register_json(source.name.as_str(), text, options).await
        }
        Format::Arrow => {
            let options = ArrowReadOptions { file_extension: &end, ..ArrowReadOptions::default() };
            session.register_arrow(source.name.as_str(), text, options).await
        }
    };
    done.map_err(|error| {
        wrong(error.to_string(), "check `name`, `path` and `format` of this [[engine.source]]")
    })
}

/// Registers a CSV source. DataFusion knows a text for missing values when it finds out the types of columns, and has
/// forgotten it when it reads them: with such a text, columns are read as text, and cast once it is gone.
async fn register_csv(
    session: &SessionContext,
    source: &SourceConfig,
    path: &str,
    end: &str,
) -> Result<(), DataFusionError> {
    let options = CsvReadOptions::new()
        .has_header(true)
        .newlines_in_values(true)
        .file_extension(end)
        .schema_infer_max_records(TYPED_BY);
    let Some(null) = &source.null else {
        return session.register_csv(source.name.as_str(), path, options).await;
    };
    let typed = options.clone().null_regex(Some(missing(null)));
    let typed = typed
        .to_listing_options(&session.copied_config(), session.copied_table_options())
        .infer_schema(&session.state(), &ListingTableUrl::parse(path)?)
        .await?;
    let text = |field: &FieldRef| Field::new(field.name(), DataType::Utf8, true);
    let texts = Schema::new(typed.fields().iter().map(text).collect::<Vec<_>>());
    let columns = typed.fields().iter().map(|field| {
        let column = Expr::Column(Column::new_unqualified(field.name()));
        cast(nullif(column, lit(null.as_str())), field.data_type().clone()).alias(field.name())
    });
    let columns = columns.collect::<Vec<_>>();
    let view = session.read_csv(path, options.schema(&texts)).await?.select(columns)?.into_view();
    session.register_table(source.name.as_str(), view)?;
    Ok(())
}

/// The pattern for missing values: the empty field, or the given text as it stands.
fn missing(text: &str) -> String {
    let mut pattern = String::from("^(");
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            pattern.push(letter);
        } else {
            pattern.push_str(&format!(r"\x{{{:x}}}", u32::from(letter)));
        }
    }
    pattern.push_str(")?$");
    pattern
}

/// Which files a site's sources are made of, as they stand now. Equal stamps mean unchanged data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<(PathBuf, u64, SystemTime)>);

/// Looks at all files of all sources.
pub(crate) fn stamp(sources: &[SourceConfig]) -> Result<Stamp, OpenError> {
    let mut files = Vec::new();
    for source in sources {
        walk(&source.path, &mut files).map_err(|error| OpenError::Source {
            name: source.name.clone(),
            path: source.path.clone(),
            reason: error.to_string(),
            fix: "check `path` of this [[engine.source]]".to_owned(),
        })?;
    }
    files.sort();
    Ok(Stamp(files))
}

fn walk(path: &Path, files: &mut Vec<(PathBuf, u64, SystemTime)>) -> std::io::Result<()> {
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        for entry in std::fs::read_dir(path)? {
            walk(&entry?.path(), files)?;
        }
    } else {
        files.push((path.to_owned(), found.len(), found.modified()?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn a_text_for_missing_values_is_taken_as_it_stands() {
        assert_eq!(missing("?"), r"^(\x{3f})?$");
        assert_eq!(missing("N<A"), r"^(N\x{3c}A)?$");
    }
}
