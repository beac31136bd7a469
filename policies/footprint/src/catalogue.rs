//! The tables that a query may name. They are opaque: a schema, an identity, and nothing to scan.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_common::TableReference;
use datafusion_expr::TableSource;

/// What a table is to the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// An agreement protects it: only aggregates over it may leave, and it must lie under a cut.
    Protected,
    /// Anyone may read its rows, for example `system.queries` at a coordinator. It can only stand above the cuts.
    Public,
    /// The released cells of a cut; [`crate::cut`] makes these, a catalogue never holds one.
    Released,
}

/// A table as plans see it. It is matched by downcast, never by name, and it cannot be scanned: whoever runs a plan
/// puts its own source in the place of this one ([`crate::bind_tables`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    name: String,
    kind: TableKind,
    schema: SchemaRef,
    shown: Option<Vec<String>>,
    of_one_entity: Vec<String>,
}

impl Opaque {
    /// A table under its full name, `table` or `schema.table`.
    pub fn new(name: impl Into<String>, kind: TableKind, schema: SchemaRef) -> Self {
        Self { name: name.into(), kind, schema, shown: None, of_one_entity: Vec::new() }
    }

    /// Lists the columns that error messages may show to this caller. Without it, no message lists any column.
    #[must_use]
    pub fn showing(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.shown = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Names the columns of which each value stands for one entity: an aggregate grouped by one of them is no cut.
    #[must_use]
    pub fn standing_for_one(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.of_one_entity = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Whether each value of a column stands for one entity.
    pub fn stands_for_one(&self, column: &str) -> bool {
        self.of_one_entity.iter().any(|own| own == column)
    }

    /// Its full name, as the catalogue has it: `cardiac`, `system.queries`; `cut0`, `cut1` … for released cells.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is to the planner.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// Its columns.
    pub fn columns(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns that error messages may show to this caller.
    pub fn shown(&self) -> Option<&[String]> {
        self.shown.as_deref()
    }

    /// The opaque table behind a plan's source, if it is one of ours.
    pub fn of(source: &Arc<dyn TableSource>) -> Option<&Self> {
        source.downcast_ref::<Self>()
    }
}

impl TableSource for Opaque {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// Every table that a caller may name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    tables: BTreeMap<String, Arc<Opaque>>,
}

impl Catalogue {
    /// A catalogue without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table under its full name.
    #[must_use]
    pub fn with(mut self, table: Opaque) -> Self {
        self.tables.insert(table.name().to_owned(), Arc::new(table));
        self
    }

    /// The tables, by full name.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Opaque>> {
        self.tables.values()
    }

    /// Finds a table by the reference that a query writes: `t`, `s.t`, or either with the default catalogue and schema
    /// (`liquid`, `public`) before it.
    pub fn resolve(&self, reference: &TableReference) -> Option<&Arc<Opaque>> {
        let name = match reference {
            TableReference::Bare { table } => table.to_string(),
            TableReference::Partial { schema, table } if schema.as_ref() == DEFAULT_SCHEMA => {
                table.to_string()
            }
            TableReference::Partial { schema, table } => format!("{schema}.{table}"),
            TableReference::Full { catalog, schema, table } if catalog.as_ref() == DEFAULT_CATALOGUE => {
                if schema.as_ref() == DEFAULT_SCHEMA {
                    table.to_string()
                } else {
                    format!("{schema}.{table}")
                }
            }
            TableReference::Full { .. } => return None,
        };
        self.tables.get(&name)
    }
}

/// The schema that holds every table without a schema of its own.
const DEFAULT_SCHEMA: &str = "public";

/// The catalogue that holds everything.
const DEFAULT_CATALOGUE: &str = "liquid";
