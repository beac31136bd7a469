//! An engine that plays a script: the SQL is the name of the scene.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray, UInt8Array, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use liquid_disclosure::Layout;
use liquid_node_api::Error;
use liquid_node_api::call::Call;
use liquid_node_api::catalogue::{Kind, Model, ModelColumn, ModelTable, TemplateColumn, TemplateParameter};
use liquid_node_api::child::{Start, start_with};
use liquid_node_api::engine::{Ask, CutOf, Told};
use liquid_node_api::worker::Worker;
use liquid_policy::footprint::{Aggregate, Argument, Function, GroupKey};
use liquid_policy::{Code, Footprint, Refusal};

/// What a person's name would be in the data; it must be nowhere but there.
pub(crate) const SECRET: &str = "Ada Lovelace";

/// What was done so far.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) started: AtomicUsize,
    pub(crate) planned: AtomicUsize,
    pub(crate) ran: AtomicUsize,
    pub(crate) finished: AtomicUsize,
}

impl Seen {
    pub(crate) fn ran(&self) -> usize {
        self.ran.load(Ordering::SeqCst)
    }
}

struct Scripted {
    seen: Arc<Seen>,
    scene: String,
}

/// Starts scripted engines in this process.
pub(crate) fn engines(seen: &Arc<Seen>) -> Arc<dyn Start<Ask, Told>> {
    let seen = Arc::clone(seen);
    start_with(move || {
        seen.started.fetch_add(1, Ordering::SeqCst);
        let worker: Box<dyn Worker<Ask, Told>> =
            Box::new(Scripted { seen: Arc::clone(&seen), scene: String::new() });
        async move { Ok(worker) }
    })
}

pub(crate) fn model() -> Model {
    let column = |name: &str, kind| ModelColumn {
        name: name.into(),
        kind,
        description: name.to_owned(),
        unit: None,
        codes: Default::default(),
    };
    let columns = vec![
        column("patient", Kind::Text),
        column("sex", Kind::Text),
        column("chol", Kind::Float),
        column("name", Kind::Text),
    ];
    let table = ModelTable { name: "cardiac".into(), description: "patients".to_owned(), columns };
    Model { tables: vec![table] }
}

fn footprint(group: &str) -> Footprint {
    Footprint {
        tables: vec!["cardiac".into()],
        joins: vec![],
        mixed: false,
        filter: vec![],
        groups: vec![GroupKey { columns: vec![group.into()] }],
        aggregates: vec![Aggregate { function: Function::Count, argument: Argument::Rows, filter: vec![] }],
        dates: vec![],
        step: None,
    }
}

fn schema_message(names: [&str; 2]) -> Vec<u8> {
    let fields =
        vec![Field::new(names[0], DataType::Utf8, true), Field::new(names[1], DataType::Int64, true)];
    let mut dictionaries = DictionaryTracker::new(false);
    IpcDataGenerator::default()
        .schema_to_bytes_with_dictionary_tracker(
            &Schema::new(fields),
            &mut dictionaries,
            &IpcWriteOptions::default(),
        )
        .ipc_message
}

fn ipc(batch: &RecordBatch) -> Bytes {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

/// Twenty women, three men, counted as far as the minimum.
fn cells(minimum: u32) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("g0", Arc::new(StringArray::from(vec!["F", "M"]))),
        ("a0", Arc::new(Int64Array::from(vec![20, 3]))),
        ("present", Arc::new(UInt32Array::from(vec![20.min(minimum), 3]))),
        ("c0_0", Arc::new(UInt32Array::from(vec![20.min(minimum), 3]))),
        ("l0", Arc::new(UInt32Array::from(vec![0, 0]))),
        ("s0", Arc::new(BooleanArray::from(vec![true, true]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

impl Scripted {
    fn plan(&mut self, sql: &str) -> Told {
        self.scene = sql.to_owned();
        let planned =
            |cuts, bare, names| Told::Planned { plan: 1, cuts, bare, schema: schema_message(names) };
        match sql {
            "named" => planned(vec![footprint("name")], true, ["g0", "a0"]),
            "finished" | "finish lies" => planned(vec![footprint("sex")], false, ["sex", "n"]),
            "two" => planned(vec![footprint("sex"), footprint("sex")], false, ["sex", "n"]),
            "invalid" => Told::Failed {
                error: Error::invalid("there is no column `x`", "use `sex`"),
                detail: format!("no field named x near {SECRET}"),
            },
            _ => planned(vec![footprint("sex")], true, ["g0", "a0"]),
        }
    }

    /// An approved query, of which the only cut is `cut`.
    fn called(&mut self, call: &Call, sent: Option<&CutOf>) -> Told {
        match sent {
            Some(sent) if sent.sql != "cut" => Told::Failed {
                error: Refusal::new(Code::TemplateOnly, "template", "another text", "send the right one")
                    .into(),
                detail: String::new(),
            },
            _ => self.plan(call.name.as_str()),
        }
    }

    async fn run(&self, minimum: u32) -> Result<(Told, Vec<Bytes>), Error> {
        let cells = || cells(minimum);
        let layout = Layout {
            groups: 1,
            branches: vec![1],
            guarded: true,
            concentrated: false,
            families: vec![],
            measured: None,
            declared: true,
        };
        let ran = |layout| Told::Ran { layout };
        Ok(match self.scene.as_str() {
            "brief" => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                (ran(layout), vec![ipc(&cells())])
            }
            "slow" => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                (ran(layout), vec![ipc(&cells())])
            }
            "dies" => {
                return Err(Error::fault("the engine process ended before it answered", true, "ask again"));
            }
            "panics" => panic!("{SECRET}"),
            "fails" => (
                Told::Failed {
                    error: Error::fault("the query failed", false, "send the reference to the operator"),
                    detail: format!("cannot cast string '{SECRET}'"),
                },
                vec![],
            ),
            "unguarded" => {
                (ran(Layout { guarded: false, ..layout }), vec![ipc(&cells().project(&[0, 1]).unwrap())])
            }
            "other columns" => (ran(layout), vec![ipc(&cells().project(&[0, 1, 2, 3, 4, 4]).unwrap())]),
            "no bytes" => (ran(layout), vec![]),
            "garbage" => (ran(layout), vec![Bytes::from_static(b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7Fgarbage")]),
            "other answer" => (Told::Finished { rows_may_be_missing: false }, vec![ipc(&cells())]),
            _ => (ran(layout), vec![ipc(&cells())]),
        })
    }

    fn finish(&self, tables: &[Bytes]) -> (Told, Vec<Bytes>) {
        assert_eq!(tables.len(), if self.scene == "two" { 2 } else { 1 });
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("sex", Arc::new(StringArray::from(vec!["F", "M"]))),
            ("n", Arc::new(Int64Array::from(vec![Some(20), None]))),
            ("sex_mark", Arc::new(UInt8Array::from(vec![0, 0]))),
            ("n_mark", Arc::new(UInt8Array::from(vec![0, 2]))),
        ];
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        let batch = if self.scene == "finish lies" { batch.project(&[0, 1]).unwrap() } else { batch };
        (Told::Finished { rows_may_be_missing: true }, vec![ipc(&batch)])
    }
}

fn described(text: &str) -> Told {
    if text.contains("nonsense") {
        return Told::Failed { error: Error::invalid("it is no query", "write one"), detail: String::new() };
    }
    let parameters = vec![TemplateParameter { name: "least".into(), kind: Kind::Integer }];
    let columns = vec![TemplateColumn { name: "n".into(), kind: Kind::Integer }];
    Told::Template { parameters, columns, cuts: vec![footprint("sex")], alone: true }
}

#[async_trait]
impl Worker<Ask, Told> for Scripted {
    async fn ask(&mut self, ask: Ask, attached: Vec<Bytes>) -> Result<(Told, Vec<Bytes>), Error> {
        match ask {
            Ask::Open => Ok((Told::Opened { model: model(), catalogue: "v1".to_owned() }, vec![])),
            Ask::Plan { sql, catalogue, .. } => {
                assert_eq!(catalogue, "v1");
                self.seen.planned.fetch_add(1, Ordering::SeqCst);
                if sql == "slow plan" {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                Ok((self.plan(&sql), vec![]))
            }
            Ask::Run { obligations, .. } => {
                let minimum = obligations.minimum.unwrap();
                assert!(minimum >= 10);
                self.seen.ran.fetch_add(1, Ordering::SeqCst);
                self.run(minimum).await
            }
            Ask::Call { call, cut, .. } => {
                self.seen.planned.fetch_add(1, Ordering::SeqCst);
                Ok((self.called(&call, cut.as_ref()), vec![]))
            }
            Ask::Template { text, .. } => Ok((described(&text), vec![])),
            Ask::Finish { .. } => {
                self.seen.finished.fetch_add(1, Ordering::SeqCst);
                Ok(self.finish(&attached))
            }
        }
    }
}
