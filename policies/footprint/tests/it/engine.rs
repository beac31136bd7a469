//! DataFusion as the oracle: the question over all rows in one process, and the same through cut, text and marks.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt8Array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_common::ScalarValue;
use datafusion_expr::{LogicalPlan, TableSource};
use liquid_footprint::marks::with_marks;
use liquid_footprint::{MarkedPlan, Opaque, Request, TableKind, bind_tables, carry_marks, plan, print};

use crate::fixture::catalogue;

/// Rows as texts, so that two answers can be compared.
pub(crate) type Lines = Vec<Vec<String>>;

/// A DataFusion process over some tables.
pub(crate) struct Engine {
    context: SessionContext,
    runtime: tokio::runtime::Runtime,
}

impl Engine {
    pub(crate) fn new(tables: &[(&str, RecordBatch)]) -> Self {
        let mut config = SessionConfig::new().with_target_partitions(2);
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        let context = SessionContext::new_with_config(config);
        // It takes `GROUP BY TRY_CAST(a AS DATE), a` for one name twice; sites run a cut with names of their own.
        assert!(context.remove_optimizer_rule("eliminate_group_by_constant"));
        for (name, batch) in tables {
            context.register_table(*name, Arc::new(memory(batch))).unwrap();
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().thread_stack_size(64 << 20).build().unwrap();
        Self { context, runtime }
    }

    /// Runs SQL as DataFusion understands it.
    pub(crate) fn sql(&self, sql: &str, parameters: &[ScalarValue]) -> Result<RecordBatch, String> {
        self.runtime.block_on(async {
            let frame = self.context.sql(sql).await.map_err(|e| e.to_string())?;
            let frame = frame.with_param_values(parameters.to_vec()).map_err(|e| e.to_string())?;
            let schema = Arc::new(frame.schema().as_arrow().clone());
            let batches = frame.collect().await.map_err(|e| e.to_string())?;
            let schema = batches.first().map_or(schema, RecordBatch::schema);
            arrow::compute::concat_batches(&schema, &batches).map_err(|e| e.to_string())
        })
    }

    /// DataFusion can make a physical plan of this one. Where it cannot, that is so for every data.
    pub(crate) fn can_run(&self, sql: &str) -> bool {
        self.runtime.block_on(async {
            let Ok(frame) = self.context.sql(sql).await else { return false };
            frame.create_physical_plan().await.is_ok()
        })
    }

    /// Runs a bound plan. No row may make it fail.
    pub(crate) fn run(&self, plan: LogicalPlan) -> RecordBatch {
        self.runtime.block_on(async {
            let frame = self.context.execute_logical_plan(plan).await.unwrap();
            let schema = Arc::new(frame.schema().as_arrow().clone());
            let batches = frame.collect().await.unwrap();
            let schema = batches.first().map_or(schema, RecordBatch::schema);
            arrow::compute::concat_batches(&schema, &batches).unwrap()
        })
    }

    /// Every cut of a request, asked as the printed text; nothing withheld.
    pub(crate) fn cells(&self, request: &Request) -> Vec<RecordBatch> {
        let cuts = request.cuts.iter();
        cuts.map(|cut| {
            let printed = print(&cut.query).unwrap();
            let text = plan(&printed.sql, &printed.parameters, &catalogue()).unwrap();
            let batch = self.run(bind_tables(text, |table| self.rows(table)).unwrap());
            let types = |s: &SchemaRef| {
                s.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect::<Vec<_>>()
            };
            assert_eq!(types(&batch.schema()), types(&cut.output), "{}", printed.sql);
            let marks = vec![vec![0; batch.num_rows()]; batch.num_columns()];
            marked(&batch, &marks)
        })
        .collect()
    }

    /// What lies above the cuts, over released tables with marks: values, marks, and whether rows may be missing.
    pub(crate) fn finish(&self, request: &Request, released: &[RecordBatch]) -> (Lines, Vec<Vec<u8>>, bool) {
        let MarkedPlan { plan, rows_may_be_missing, output } = carry_marks(&request.upper).unwrap();
        let source = |table: &Opaque| self.source(table, released);
        let answer = self.run(bind_tables(plan, source).unwrap());
        let answer = RecordBatch::try_new(Arc::clone(&output), answer.columns().to_vec()).unwrap();
        let flag = lines(&self.run(bind_tables(rows_may_be_missing, source).unwrap()));
        assert!(matches!(flag.as_slice(), [row] if row.len() == 1), "{flag:?}");
        let n = answer.num_columns() / 2;
        let marks =
            (0..answer.num_rows()).map(|row| (n..2 * n).map(|c| number(answer.column(c), row)).collect());
        let (values, marks) = (lines(&answer.project(&(0..n).collect::<Vec<_>>()).unwrap()), marks.collect());
        (values, marks, flag[0][0] == "true")
    }

    fn rows(&self, table: &Opaque) -> Option<Arc<dyn TableSource>> {
        let rows = self.sql(&format!("SELECT * FROM {}", table.name()), &[]).ok()?;
        Some(provider_as_source(Arc::new(memory(&rows))))
    }

    fn source(&self, table: &Opaque, released: &[RecordBatch]) -> Option<Arc<dyn TableSource>> {
        let provider = match table.kind() {
            TableKind::Released => {
                let index: usize = table.name().trim_start_matches("cut").parse().ok()?;
                Arc::new(memory(released.get(index)?))
            }
            TableKind::Public => {
                let rows = self
                    .sql(&format!("SELECT * FROM {}", table.name().trim_start_matches("system.")), &[])
                    .ok()?;
                Arc::new(memory(&rows))
            }
            TableKind::Protected => return None,
        };
        Some(provider_as_source(provider))
    }
}

/// A released table: values, then their marks; what is withheld is NULL.
pub(crate) fn marked(values: &RecordBatch, marks: &[Vec<u8>]) -> RecordBatch {
    let hidden = values.columns().iter().zip(marks).map(|(column, marks)| {
        let shown: arrow::array::BooleanArray = marks.iter().map(|m| Some(*m == 2)).collect();
        arrow::compute::nullif(column, &shown).unwrap()
    });
    let marks = marks.iter().map(|m| Arc::new(UInt8Array::from(m.clone())) as ArrayRef);
    let schema = values.schema();
    let nullable: Vec<_> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let schema = with_marks(&arrow::datatypes::Schema::new(nullable));
    RecordBatch::try_new(schema, hidden.chain(marks).collect()).unwrap()
}

fn memory(batch: &RecordBatch) -> MemTable {
    MemTable::try_new(batch.schema(), vec![vec![batch.clone()]]).unwrap()
}

fn number(column: &ArrayRef, row: usize) -> u8 {
    assert_eq!(column.data_type(), &DataType::UInt8);
    assert!(column.is_valid(row), "a mark is NULL");
    column.as_any().downcast_ref::<UInt8Array>().unwrap().value(row)
}

/// A batch as texts; NULL is told from every text.
pub(crate) fn lines(batch: &RecordBatch) -> Lines {
    let options = FormatOptions::default().with_null("∅");
    let columns: Vec<_> =
        batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()).collect()
}
