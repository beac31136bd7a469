//! A site's tables held against the shared model: the same names, the same columns, types that widen without loss.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use liquid_node_api::catalogue::{Kind, Model, ModelTable};
use liquid_policy::id::TableName;

use crate::error::OpenError;

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
        compare(wanted, &found, &mut problems);
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

/// Writes one line for each difference between a view and the model, each with its cure.
fn compare(wanted: &ModelTable, found: &Schema, problems: &mut Vec<String>) {
    let table = &wanted.name;
    for column in &wanted.columns {
        let name = column.name.as_str();
        let sql = column.kind.sql_name();
        let Ok(field) = found.field_with_name(name) else {
            problems.push(format!(
                "table `{table}`: column `{name}` is missing; add `… AS {name}` to its view, or `CAST(NULL AS {sql}) \
                 AS {name}` where this site does not record it"
            ));
            continue;
        };
        if !widens(field.data_type(), column.kind) {
            let kind = format!("{:?}", column.kind).to_lowercase();
            problems.push(format!(
                "table `{table}`: column `{name}` is {} where the model says {kind}; write `CAST({name} AS {sql}) AS \
                 {name}` in its view",
                field.data_type()
            ));
        }
    }
    for field in found.fields() {
        if !wanted.columns.iter().any(|column| column.name.as_str() == field.name()) {
            let column = field.name();
            tracing::warn!(%table, %column, "the model has no such column, so nobody can ask for it");
        }
    }
}

/// Whether every value of a type is exactly a value of the model's type.
fn widens(from: &DataType, to: Kind) -> bool {
    use DataType::{
        Boolean, Date32, Dictionary, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Null,
        UInt8, UInt16, UInt32, Utf8, Utf8View,
    };
    match (from, to) {
        (Null, _) => true, // a column of nothing but NULL
        (Dictionary(_, values), to) => widens(values, to),
        (from, Kind::Boolean) => matches!(from, Boolean),
        (from, Kind::Integer) => matches!(from, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32),
        (from, Kind::Float) => {
            matches!(from, Float16 | Float32 | Float64 | Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32)
        }
        (from, Kind::Text) => matches!(from, Utf8 | LargeUtf8 | Utf8View),
        (from, Kind::Date) => matches!(from, Date32),
    }
}
