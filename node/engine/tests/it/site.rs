//! A small site in a temporary folder, and a front's side of the conversation with its engine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use liquid_disclosure::Layout;
use liquid_engine::{EngineConfig, LocalEngine, OpenError};
use liquid_node_api::engine::{Ask, Caps, Told};
use liquid_node_api::parameter::Parameter;
use liquid_node_api::worker::Worker;
use liquid_policy::document::Table;
use liquid_policy::footprint::Footprint;
use liquid_policy::id::{ColumnName, TableName};
use liquid_policy::table::{ColumnRule, Obligations, TableRules};
use liquid_policy::{Agreement, parse};
use tempfile::TempDir;

/// An agreement with a minimum over tables as it would write them.
#[track_caller]
pub(crate) fn agreement(minimum: u32, tables: &str) -> Agreement {
    let text = format!(
        r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1"
purposes = ["p"]
in_force = 2026-01-01
expires = 2026-12-31
[[party]]
organisation = "north"
role = "controller"
{tables}
[disclosure]
minimum_contributors = {minimum}
"#
    );
    parse(&text, "tables.toml").unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Files, and the configuration that names them.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn write_parquet(&self, name: &str, batch: &RecordBatch) {
        let file = std::fs::File::create(self.path(name)).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
    }

    /// Opens an engine with the [engine] table given as TOML; paths are relative to the folder.
    pub(crate) async fn open(&self, config: &str) -> Result<Front, OpenError> {
        let config: EngineConfig = toml::from_str(config).unwrap();
        let mut engine = LocalEngine::open(config.relative_to(self.folder.path())).await?;
        let (told, _) = engine.ask(Ask::Open, Vec::new()).await.unwrap();
        let Told::Opened { catalogue, .. } = told else { panic!("{told:?}") };
        Ok(Front { engine, catalogue })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What an engine answers to a planned query.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: u64,
    pub(crate) cuts: Vec<Footprint>,
    pub(crate) bare: bool,
    pub(crate) schema: Schema,
}

/// A front that trusts everybody.
pub(crate) struct Front {
    pub(crate) engine: LocalEngine,
    pub(crate) catalogue: String,
}

impl Front {
    pub(crate) async fn ask(&mut self, ask: Ask, attached: Vec<Bytes>) -> (Told, Vec<Bytes>) {
        self.engine.ask(ask, attached).await.unwrap()
    }

    pub(crate) async fn plan(&mut self, sql: &str, table: &str) -> Planned {
        let told = self.try_plan(sql, &[], &[table]).await;
        let Told::Planned { plan, cuts, bare, schema } = told else { panic!("{sql}: {told:?}") };
        let schema = arrow::ipc::convert::try_schema_from_flatbuffer_bytes(&schema).unwrap();
        Planned { plan, cuts, bare, schema }
    }

    pub(crate) async fn try_plan(&mut self, sql: &str, parameters: &[Parameter], tables: &[&str]) -> Told {
        let tables = tables.iter().map(|table| (TableName::new(*table), BTreeSet::new())).collect();
        self.plan_over(sql, parameters, tables).await
    }

    /// Plans a query as a node does that holds this agreement.
    pub(crate) async fn plan_under(&mut self, sql: &str, agreement: &Agreement) -> Told {
        let of_one = |table: &Table| agreement.stand_for_one_entity(table);
        let tables = agreement.tables().iter().map(|(name, table)| (name.clone(), of_one(table)));
        self.plan_over(sql, &[], tables.collect()).await
    }

    async fn plan_over(
        &mut self,
        sql: &str,
        parameters: &[Parameter],
        tables: BTreeMap<TableName, BTreeSet<ColumnName>>,
    ) -> Told {
        let ask = Ask::Plan {
            sql: sql.to_owned(),
            parameters: parameters.to_vec(),
            tables,
            catalogue: self.catalogue.clone(),
        };
        self.ask(ask, Vec::new()).await.0
    }

    pub(crate) async fn run(
        &mut self,
        plan: u64,
        cut: usize,
        obligations: &Obligations,
    ) -> (Layout, RecordBatch) {
        let (told, attached) = self.try_run(plan, cut, obligations, caps()).await;
        let Told::Ran { layout } = told else { panic!("{told:?}") };
        (layout, decode(&attached[0]))
    }

    pub(crate) async fn try_run(
        &mut self,
        plan: u64,
        cut: usize,
        obligations: &Obligations,
        caps: Caps,
    ) -> (Told, Vec<Bytes>) {
        self.ask(Ask::Run { plan, cut, obligations: obligations.clone(), known_by: None, caps }, Vec::new())
            .await
    }

    /// Plans a query of one cut and runs that.
    pub(crate) async fn cells(&mut self, sql: &str, obligations: &Obligations) -> (Layout, RecordBatch) {
        let tables: Vec<_> = obligations.tables.iter().map(|rules| rules.table.as_str()).collect();
        let told = self.try_plan(sql, &[], &tables).await;
        let Told::Planned { plan, .. } = told else { panic!("{sql}: {told:?}") };
        self.run(plan, 0, obligations).await
    }
}

pub(crate) fn caps() -> Caps {
    Caps { memory_bytes: 256 << 20, rows: 100_000 }
}

pub(crate) fn decode(stream: &Bytes) -> RecordBatch {
    let reader = StreamReader::try_new(Cursor::new(stream), None).unwrap();
    let schema = reader.schema();
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>().unwrap()).unwrap()
}

pub(crate) fn encode(batch: &RecordBatch) -> Bytes {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

/// Obligations for a table, without any declared column.
pub(crate) fn obligations(table: &str, entity: &str, minimum: Option<u32>) -> Obligations {
    let rules = TableRules {
        table: table.into(),
        entity: Some(entity.into()),
        columns: BTreeMap::new(),
        keys_within: BTreeSet::new(),
        rows_per_entity_max: None,
        references: BTreeMap::new(),
        unique: BTreeSet::new(),
        filters: Vec::new(),
    };
    Obligations::of_table(rules, minimum, Default::default())
}

pub(crate) fn declare(obligations: &mut Obligations, column: &str, rule: ColumnRule) {
    obligations.tables[0].columns.insert(ColumnName::new(column), rule.clone());
    obligations.columns.insert(ColumnName::new(column), rule);
}

/// A result as lines of text, for comparison; without who is in which populations of a family, which has no order.
pub(crate) fn lines(batch: &RecordBatch) -> Vec<String> {
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .zip(batch.schema_ref().fields())
        .filter(|(_, field)| !is_family(field.name()))
        .map(|(column, _)| arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" "))
        .collect()
}

fn is_family(name: &str) -> bool {
    name.strip_prefix('f').is_some_and(|number| number.parse::<usize>().is_ok())
}
