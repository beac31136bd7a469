//! A site's tables held against the shared model: the same names, the same columns, types that widen without loss.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::common::utils::datafusion_strsim::normalized_levenshtein;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use liquid_node_api::catalogue::{Kind, Model, ModelTable};
use liquid_policy::id::TableName;

use crate::config::SourceConfig;
use crate::error::OpenError;
use crate::lineage::origin;
use crate::sources::{File, Looked, Sort};

/// A source as it was found.
pub(crate) struct Source<'a> {
    /// What the operator wrote.
    pub(crate) config: &'a SourceConfig,
    /// Its files.
    pub(crate) files: &'a [File],
    /// What they hold.
    pub(crate) looked: Looked,
}

/// One table as the model has it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The view or source, with every column of the model cast to the model's type.
    pub(crate) plan: LogicalPlan,
    /// The model's columns.
    pub(crate) schema: SchemaRef,
}

/// Finds every table of the model among the session's views and sources.
pub(crate) async fn fit(
    session: &SessionContext,
    model: &Model,
    sources: &[Source<'_>],
) -> Result<BTreeMap<TableName, Table>, OpenError> {
    let (mut tables, mut problems) = (BTreeMap::new(), Vec::new());
    for wanted in &model.tables {
        let name = wanted.name.as_str();
        let reference = datafusion::common::TableReference::bare(name);
        let Ok(provider) = session.table_provider(reference).await else {
            problems.push(format!(
                "table `{name}` has no view; write `CREATE VIEW {name} AS SELECT … ;` in the file that `views` names"
            ));
            continue;
        };
        let found = provider.schema();
        let before = problems.len();
        let raw = sources.iter().any(|source| source.config.name == name);
        let place = if raw { Place::Source } else { Place::View };
        let why = |column: &str, kind: Kind| mixed(&provider, name, column, kind, sources);
        compare(wanted, &found, place, why, &mut problems);
        if problems.len() > before {
            continue;
        }
        let columns = wanted.columns.iter().map(|column| {
            let from = Expr::Column(Column::new(Some(name), column.name.as_str()));
            let kind = column.kind.arrow_type();
            match found.field_with_name(column.name.as_str()) {
                Ok(field) if *field.data_type() == kind => from.alias(column.name.as_str()),
                _ => cast(from, kind).alias(column.name.as_str()),
            }
        });
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(provider), None)
            .and_then(|scan| scan.project(columns.collect::<Vec<_>>()))
            .and_then(LogicalPlanBuilder::build);
        match plan {
            Ok(plan) => {
                let schema = Arc::new(Schema::new(wanted.fields().collect::<Vec<_>>()));
                tables.insert(wanted.name.clone(), Table { plan, schema });
            }
            Err(error) => problems.push(format!("table `{name}` cannot be read: {error}; correct its view")),
        }
    }
    if problems.is_empty() { Ok(tables) } else { Err(OpenError::Tables { problems }) }
}

/// What a table of the model is made of.
#[derive(Clone, Copy)]
enum Place {
    View,
    /// A source of the table's name, without a view.
    Source,
}

impl Place {
    /// Where an expression for a column is written.
    fn view(self) -> &'static str {
        match self {
            Self::View => "in its view",
            Self::Source => {
                "in a view (rename the source, and set `views` in the [engine] table to a file with a `CREATE VIEW` of \
                 this name)"
            }
        }
    }
}

/// Writes one line for each difference between a view and the model, each with its cure. `why` tells what keeps a column of
/// a text file from being of another type.
fn compare(
    wanted: &ModelTable,
    found: &Schema,
    place: Place,
    why: impl Fn(&str, Kind) -> Option<String>,
    problems: &mut Vec<String>,
) {
    let (table, view) = (&wanted.name, place.view());
    let is_wanted = |name: &str| wanted.columns.iter().any(|column| column.name.as_str() == name);
    let surplus: Vec<&str> =
        found.fields().iter().map(|field| field.name().as_str()).filter(|name| !is_wanted(name)).collect();
    let mut taken = Vec::new();
    for column in &wanted.columns {
        let name = column.name.as_str();
        let sql = column.kind.sql_name();
        let Ok(field) = found.field_with_name(name) else {
            problems.push(match nearest(name, &surplus) {
                Some(near) => {
                    taken.push(near);
                    format!("table `{table}`: column `{name}` is missing, but there is `{near}`; write `\"{near}\" AS {name}` {view}")
                }
                None => format!(
                    "table `{table}`: column `{name}` is missing; add `… AS {name}` {view}, or `CAST(NULL AS {sql}) \
                     AS {name}` where this site does not record it"
                ),
            });
            continue;
        };
        if !widens(field.data_type(), column.kind) {
            let kind = format!("{:?}", column.kind).to_lowercase();
            let why = why(name, column.kind).unwrap_or_default();
            problems.push(format!(
                "table `{table}`: column `{name}` is {} where the model says {kind}{why}; write `CAST({name} AS {sql}) \
                 AS {name}` {view}",
                field.data_type()
            ));
        }
    }
    for column in surplus.into_iter().filter(|name| !taken.contains(name)) {
        tracing::warn!(%table, %column, "the model has no such column, so nobody can ask for it");
    }
}

/// The name that was probably meant.
fn nearest<'a>(name: &str, among: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace([' ', '-', '.'], "_");
    let likeness = |other: &&str| normalized_levenshtein(plain(name).trim(), plain(other).trim());
    let best = among.iter().copied().max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(&best) > 0.7).then_some(best)
}

/// Why a column of a text file is text: the line that another sort of value stands on, among those that fit.
fn mixed(
    provider: &Arc<dyn TableProvider>,
    table: &str,
    column: &str,
    kind: Kind,
    sources: &[Source<'_>],
) -> Option<String> {
    let is_source = |name: &str| sources.iter().any(|source| source.config.name == name);
    let (source, column) = match provider.get_logical_plan() {
        Some(plan) if !is_source(table) => origin(&plan, column, &is_source)?,
        _ => (table.to_owned(), column.to_owned()),
    };
    let source = sources.iter().find(|known| known.config.name == source)?;
    let seen = source.looked.columns.iter().find(|known| known.name == column)?.seen.as_ref()?;
    let fitting: &[Sort] = match kind {
        Kind::Boolean => &[Sort::Truth],
        Kind::Integer => &[Sort::Whole],
        Kind::Float => &[Sort::Whole, Sort::Number],
        Kind::Date => &[Sort::Day],
        Kind::Text => return None,
    };
    fitting.iter().find_map(|sort| seen.first(*sort))?;
    let ((file, line), sort) = seen.first_but(fitting)?;
    let file = &source.files.get(file)?.shown;
    let missing = match source.config.null {
        None => "; correct it, or name the text for missing values with `null` in its [[engine.source]]",
        Some(_) => "; correct it",
    };
    Some(format!(", since `{file}`, line {line}, column `{column}` holds {}{missing}", sort.called()))
}

/// Whether every value of a type is exactly a value of the model's type.
fn widens(from: &DataType, to: Kind) -> bool {
    use DataType::{
        Boolean, Date32, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, Float16, Float32, Float64,
        Int8, Int16, Int32, Int64, LargeUtf8, Null, UInt8, UInt16, UInt32, Utf8, Utf8View,
    };
    match (from, to) {
        (Null, _) => true, // a column of nothing but NULL
        (Dictionary(_, values), to) => widens(values, to),
        // Fifteen digits go through a float and come back as they were.
        (Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) | Decimal256(p, s), Kind::Integer) => {
            *s == 0 && *p <= 18
        }
        (Decimal32(p, _) | Decimal64(p, _) | Decimal128(p, _) | Decimal256(p, _), Kind::Float) => *p <= 15,
        (from, Kind::Boolean) => matches!(from, Boolean),
        (from, Kind::Integer) => matches!(from, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32),
        (from, Kind::Float) => {
            matches!(from, Float16 | Float32 | Float64 | Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32)
        }
        (from, Kind::Text) => matches!(from, Utf8 | LargeUtf8 | Utf8View),
        (from, Kind::Date) => matches!(from, Date32),
    }
}
