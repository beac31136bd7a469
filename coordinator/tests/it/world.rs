//! A federation in one process. Its sites are plain DataFusion over a few rows, and do what a test tells them to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt8Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use datafusion::common::ScalarValue;
use datafusion::prelude::{SessionConfig, SessionContext};
use liquid_coordinator::planner::{Ask, Told};
use liquid_coordinator::{Coordinator, Member, Planner, config};
use liquid_node_api::catalogue::{Catalogue, Kind, ModelColumn, ModelTable, PublishedAgreement};
use liquid_node_api::channel::{SiteAnswer, Token};
use liquid_node_api::child::{Pool, PoolSettings, Start, start_with};
use liquid_node_api::governance::{Governance, SiteGovernance};
use liquid_node_api::parameter::Parameter;
use liquid_node_api::report::{Completeness, SiteReport};
use liquid_node_api::request::SiteRequest;
use liquid_node_api::sql::{Backend, SessionOptions, Statement};
use liquid_node_api::wire::gate::{self, Quota};
use liquid_node_api::wire::{self, IntoWire};
use liquid_node_api::worker::Worker;
use liquid_node_api::{Error, NodeChannel};
use liquid_policy::id::{AgreementHash, RequestId, SiteName, TableName};
use liquid_policy::{Code, Refusal};

use crate::tokens::{NOW, identity, token};

/// One row of `cardiac`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patient {
    pub(crate) patient: String,
    pub(crate) sex: Option<String>,
    pub(crate) smoker: Option<bool>,
    pub(crate) age: Option<i64>,
    pub(crate) chol: Option<f64>,
    pub(crate) visit: Option<i32>,
}

/// What a site does with a question.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// It answers.
    Honest,
    /// It answers, and withholds every cell behind which there are fewer rows than this; such groups are absent.
    Careful(i64),
    /// It says nothing for a long time.
    Hung,
    /// It cannot be reached.
    Dead,
    /// It publishes its tables and refuses every question.
    Refuses(Refusal),
    /// It refuses every question that names another version than this.
    Holds(AgreementHash),
    /// It publishes its tables and takes no question from this coordinator.
    TurnsAway,
    /// It publishes its tables and gives these bytes for every answer.
    Gives(Bytes),
    /// It answers after its answer has been changed.
    Changes(fn(RecordBatch) -> RecordBatch),
}

/// A site.
pub(crate) struct FakeSite {
    name: SiteName,
    rows: RecordBatch,
    pub(crate) manner: Mutex<Manner>,
    pub(crate) catalogue: Mutex<Catalogue>,
    /// Every question that it was asked.
    pub(crate) asked: Mutex<Vec<SiteRequest>>,
}

/// The federation.
pub(crate) struct World {
    pub(crate) sites: Vec<Arc<FakeSite>>,
    pub(crate) coordinator: Arc<Coordinator>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) rows: RecordBatch,
    pub(crate) completeness: Completeness,
}

/// The shape of `cardiac`.
pub(crate) fn cardiac() -> ModelTable {
    let column = |name: &str, kind| ModelColumn {
        name: name.into(),
        kind,
        description: format!("the {name}"),
        unit: None,
        codes: Default::default(),
    };
    ModelTable {
        name: "cardiac".into(),
        description: "patients".into(),
        columns: vec![
            column("patient", Kind::Text),
            column("sex", Kind::Text),
            column("smoker", Kind::Boolean),
            column("age", Kind::Integer),
            column("chol", Kind::Float),
            column("visit", Kind::Date),
        ],
    }
}

/// Rows as a table, with `site` or without.
pub(crate) fn table(rows: &[Patient], site: Option<&str>) -> RecordBatch {
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("patient", Arc::new(rows.iter().map(|row| Some(&row.patient)).collect::<StringArray>()), true),
        ("sex", Arc::new(rows.iter().map(|row| row.sex.as_ref()).collect::<StringArray>()), true),
        ("smoker", Arc::new(rows.iter().map(|row| row.smoker).collect::<BooleanArray>()), true),
        ("age", Arc::new(rows.iter().map(|row| row.age).collect::<Int64Array>()), true),
        ("chol", Arc::new(rows.iter().map(|row| row.chol).collect::<Float64Array>()), true),
        ("visit", Arc::new(rows.iter().map(|row| row.visit).collect::<Date32Array>()), true),
    ];
    if let Some(site) = site {
        columns.push(("site", Arc::new(StringArray::from(vec![site; rows.len()])), true));
    }
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// A session in which `cardiac` is these rows.
pub(crate) fn session(rows: &RecordBatch) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let session = SessionContext::new_with_config(config);
    session.register_batch("cardiac", rows.clone()).unwrap();
    session
}

/// Runs SQL in a session, all of its rows in one batch.
pub(crate) async fn run(session: &SessionContext, sql: &str) -> RecordBatch {
    let frame = session.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    concat_batches(&schema, &batches).unwrap()
}

/// A text with its values written into it: DataFusion alone takes a placeholder's type from where it stands.
fn written_out(request: &SiteRequest) -> String {
    let literal = |value: &Parameter| match value {
        Parameter::Null => "NULL".to_owned(),
        Parameter::Boolean(Some(value)) => value.to_string(),
        Parameter::Int64(Some(value)) => format!("({value})"),
        Parameter::Float64(Some(bits)) => format!("CAST({:?} AS DOUBLE)", f64::from_bits(*bits)),
        Parameter::Utf8(Some(value)) => format!("'{}'", value.replace('\'', "''")),
        Parameter::Date32(Some(days)) => {
            format!("DATE '{}'", DateTime::from_timestamp(i64::from(*days) * 86_400, 0).unwrap().date_naive())
        }
        Parameter::Boolean(None) => "CAST(NULL AS BOOLEAN)".to_owned(),
        Parameter::Int64(None) => "CAST(NULL AS BIGINT)".to_owned(),
        Parameter::Float64(None) => "CAST(NULL AS DOUBLE)".to_owned(),
        Parameter::Utf8(None) => "CAST(NULL AS VARCHAR)".to_owned(),
        Parameter::Date32(None) => "CAST(NULL AS DATE)".to_owned(),
    };
    let numbered = request.parameters.iter().enumerate().rev();
    numbered
        .fold(request.sql.clone(), |sql, (at, value)| sql.replace(&format!("${}", at + 1), &literal(value)))
}

/// A batch as an Arrow IPC stream.
pub(crate) fn stream(batch: &RecordBatch) -> Bytes {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap().into()
}

impl FakeSite {
    fn new(name: &str, rows: &[Patient]) -> Arc<Self> {
        let agreement = PublishedAgreement {
            id: "HRT-1".into(),
            hash: "a hash".into(),
            purposes: vec!["benchmarking".into()],
            tables: vec!["cardiac".into()],
            replicated: Vec::new(),
            disjoint: vec!["cardiac".into()],
            templates: vec![],
            templates_only: false,
            of_one_entity: [("cardiac".into(), ["patient".into()].into())].into(),
        };
        let catalogue = Catalogue { site: name.into(), agreements: vec![agreement], tables: vec![cardiac()] };
        Arc::new(Self {
            name: name.into(),
            rows: table(rows, None),
            manner: Mutex::new(Manner::Honest),
            catalogue: Mutex::new(catalogue),
            asked: Mutex::default(),
        })
    }

    pub(crate) fn does(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn manner(&self) -> Manner {
        self.manner.lock().unwrap().clone()
    }

    fn dead(&self) -> Error {
        Error::SiteMissing {
            sites: vec![self.name.to_string()],
            message: "it cannot be reached".into(),
            fix: "ask again".into(),
        }
    }

    /// Runs the text, and puts marks beside the values.
    async fn compute(&self, request: &SiteRequest, least: i64) -> RecordBatch {
        let session = session(&self.rows);
        let values = run(&session, &written_out(request)).await;
        let schema = wire::schema(&values.schema(), true);
        let mut columns = values.columns().to_vec();
        for (field, values) in schema.fields().iter().zip(values.columns()) {
            let counts = values.as_primitive_opt::<Int64Type>().filter(|_| field.name().starts_with('a'));
            let mark = |row: usize| match counts {
                Some(counts) if least > 0 && counts.value(row) < least => 2,
                _ => 0,
            };
            columns.push(Arc::new((0..values.len()).map(|row| Some(mark(row))).collect::<UInt8Array>()));
        }
        hide(&RecordBatch::try_new(schema, columns).unwrap())
    }
}

/// Makes NULL what is marked as withheld.
fn hide(batch: &RecordBatch) -> RecordBatch {
    let half = batch.num_columns() / 2;
    let hidden = |column: usize| {
        let marks: &UInt8Array = batch.column(half + column).as_primitive();
        let withheld: BooleanArray = marks.iter().map(|mark| Some(mark == Some(2))).collect();
        arrow::compute::nullif(batch.column(column), &withheld).unwrap()
    };
    let columns = (0..half).map(hidden).chain(batch.columns()[half..].iter().cloned()).collect();
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

#[async_trait]
impl NodeChannel for FakeSite {
    fn site(&self) -> &SiteName {
        &self.name
    }

    async fn catalogue(&self, _: &Token) -> Result<Catalogue, Error> {
        match self.manner() {
            Manner::Dead => Err(self.dead()),
            _ => Ok(self.catalogue.lock().unwrap().clone()),
        }
    }

    async fn governance(&self, _: &Token, _: &Governance) -> Result<SiteGovernance, Error> {
        match self.manner() {
            Manner::Dead => Err(self.dead()),
            _ => Ok(SiteGovernance {
                site: self.name.clone(),
                agreements: vec![],
                statements: vec![],
                texts: Default::default(),
                files: Default::default(),
            }),
        }
    }

    async fn ask(&self, _: &Token, request: SiteRequest) -> Result<SiteAnswer, Error> {
        self.asked.lock().unwrap().push(request.clone());
        let ipc = match self.manner() {
            Manner::Honest => stream(&self.compute(&request, 0).await),
            Manner::Careful(least) => stream(&self.compute(&request, least).await),
            Manner::Hung => {
                tokio::time::sleep(Duration::from_secs(600)).await;
                return Err(self.dead());
            }
            Manner::Dead => return Err(self.dead()),
            Manner::Refuses(refusal) => return Err(refusal.into()),
            Manner::Holds(hash) if request.pinned.as_ref() != Some(&hash) => {
                return Err(
                    Refusal::new(Code::Version, "agreement.version", "another version", "ask again").into()
                );
            }
            Manner::Holds(_) => stream(&self.compute(&request, 0).await),
            Manner::TurnsAway => {
                return Err(Error::unauthenticated(
                    "only a known coordinator may send site requests",
                    "add it",
                ));
            }
            Manner::Gives(bytes) => bytes,
            Manner::Changes(change) => stream(&change(self.compute(&request, 0).await)),
        };
        let report = SiteReport {
            site: self.name.clone(),
            request: request.id,
            agreement: "HRT-1".into(),
            hash: "hash".into(),
            withheld: 0,
            groups_may_be_missing: false,
            rows_may_be_missing: false,
            clauses: vec!["disclosure.minimum_contributors".into()],
            earlier: None,
        };
        Ok(SiteAnswer { ipc, report })
    }
}

impl World {
    /// A federation of these sites.
    pub(crate) async fn new(sites: &[(&str, Vec<Patient>)]) -> Self {
        let planner = start_with(|| async { Ok(Box::new(Planner::new()) as Box<dyn Worker<Ask, Told>>) });
        Self::with(sites, planner, |_| None).await
    }

    /// The same, with another planner, or with sites of which something else is expected.
    pub(crate) async fn with(
        sites: &[(&str, Vec<Patient>)],
        planner: Arc<dyn Start<Ask, Told>>,
        tables: fn(&str) -> Option<Vec<TableName>>,
    ) -> Self {
        let sites: Vec<_> = sites.iter().map(|(name, rows)| FakeSite::new(name, rows)).collect();
        let member = |site: &Arc<FakeSite>| Member {
            channel: Arc::clone(site) as Arc<dyn NodeChannel>,
            tables: tables(site.name.as_str()),
        };
        let members = sites.iter().map(member).collect();
        let settings = config::Coordinator::listening_on("127.0.0.1:0".parse().unwrap());
        let planners = Pool::start(planner, PoolSettings::default()).await.unwrap();
        let clock = Arc::new(|| DateTime::from_timestamp(NOW, 0).unwrap());
        let coordinator = Coordinator::new(settings, &identity(), members, planners, clock).unwrap();
        Self { sites, coordinator: Arc::new(coordinator) }
    }

    /// Asks as Ann, with no options.
    pub(crate) async fn ask(&self, sql: &str) -> Result<Reply, Error> {
        self.ask_as("ann", sql, SessionOptions::default()).await
    }

    /// Asks with a deadline, so that a hung site does not hold up the test.
    pub(crate) async fn ask_quickly(&self, sql: &str, min_sites: Option<u32>) -> Result<Reply, Error> {
        let options = SessionOptions { deadline_ms: Some(3_000), min_sites, ..SessionOptions::default() };
        self.ask_as("ann", sql, options).await
    }

    /// Asks.
    pub(crate) async fn ask_as(&self, who: &str, sql: &str, options: SessionOptions) -> Result<Reply, Error> {
        let session = self.coordinator.authenticate(Some(token(who)), None, options).await?;
        let statement =
            Statement { id: RequestId::new("0199-test"), sql: sql.to_owned(), parameters: Vec::new() };
        let columns = Backend::describe(&*self.coordinator, &session, &statement).await?.schema;
        let answer = Backend::answer(&*self.coordinator, &session, statement, None).await?;
        let encoded = answer.rows.into_wire(true, None)?;
        assert_eq!(*encoded.schema(), wire::schema(&columns, true), "what was described is what came");
        let rows = gate::decode(&encoded.ipc(), &Quota::default(), |_| Ok(())).unwrap();
        let completeness = serde_json::from_str(&answer.metadata).unwrap();
        Ok(Reply { rows, completeness })
    }
}

impl Reply {
    /// The values, without marks.
    pub(crate) fn values(&self) -> RecordBatch {
        let half = self.rows.num_columns() / 2;
        self.rows.project(&(0..half).collect::<Vec<_>>()).unwrap()
    }

    /// Rows as text, sorted; a mark above 0 stands behind its value as `*` or `!`.
    pub(crate) fn text(&self) -> Vec<String> {
        let half = self.rows.num_columns() / 2;
        let mut lines: Vec<String> = (0..self.rows.num_rows())
            .map(|row| {
                let cell = |column: usize| {
                    let mark: &UInt8Array = self.rows.column(half + column).as_primitive();
                    let mark = ["", "*", "!"][usize::from(mark.value(row))];
                    format!("{}{mark}", cell_text(self.rows.column(column), row))
                };
                (0..half).map(cell).collect::<Vec<_>>().join(" ")
            })
            .collect();
        lines.sort();
        lines
    }

    /// How it went with each site, in one word each.
    pub(crate) fn states(&self) -> Vec<String> {
        let state = |status| serde_json::to_value(status).unwrap()["state"].as_str().unwrap().to_owned();
        self.completeness.sites.iter().map(state).collect()
    }
}

/// One value as text; NULL as `-`.
pub(crate) fn cell_text(column: &ArrayRef, row: usize) -> String {
    let value = ScalarValue::try_from_array(column, row).unwrap();
    if value.is_null() { "-".to_owned() } else { value.to_string() }
}

/// Rows of a batch as text, sorted.
pub(crate) fn text(batch: &RecordBatch) -> Vec<String> {
    let line =
        |row| batch.columns().iter().map(|column| cell_text(column, row)).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = (0..batch.num_rows()).map(line).collect();
    lines.sort();
    lines
}

/// The rows of all sites in one table, with the column `site`.
pub(crate) fn pooled(sites: &[(&str, Vec<Patient>)]) -> RecordBatch {
    let tables: Vec<_> = sites.iter().map(|(name, rows)| table(rows, Some(name))).collect();
    let schema: SchemaRef = tables.first().unwrap().schema();
    concat_batches(&schema, &tables).unwrap()
}

/// A few patients at three sites, one of which has none.
pub(crate) fn small() -> Vec<(&'static str, Vec<Patient>)> {
    let patient = |id: &str, sex: Option<&str>, smoker, age, chol| Patient {
        patient: id.to_owned(),
        sex: sex.map(str::to_owned),
        smoker,
        age,
        chol,
        visit: Some(19_000),
    };
    vec![
        (
            "a",
            vec![
                patient("a1", Some("f"), Some(true), Some(40), Some(1.5)),
                patient("a2", Some("f"), Some(false), Some(60), None),
                patient("a3", Some("m"), None, None, Some(2.25)),
                patient("a4", None, Some(true), Some(51), Some(4.0)),
            ],
        ),
        ("b", Vec::new()),
        (
            "c",
            vec![
                patient("c1", Some("f"), Some(true), Some(33), Some(0.25)),
                patient("c2", None, None, None, None),
                patient("c3", Some("x"), Some(false), Some(70), Some(8.0)),
            ],
        ),
    ]
}
