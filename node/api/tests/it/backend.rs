//! A backend without a site behind it: it answers from memory and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, StringArray, UInt8Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use liquid_node_api::Error;
use liquid_node_api::catalogue::{Catalogue, Kind, ModelColumn, ModelTable};
use liquid_node_api::channel::Token;
use liquid_node_api::envelope::{AnswerCaps, Issuer, Verified};
use liquid_node_api::report::SiteReport;
use liquid_node_api::sql::{
    self, Answer, Backend, CATALOGUE_ACTION, Described, PublishedTable, SessionOptions, Statement,
};
use liquid_node_api::tls::{Certificates, Limits, PeerCertificate, Target, connect, incoming, listen};
use liquid_node_api::wire::Combined;
use liquid_policy::id::AgreementHash;
use liquid_policy::{Code, Refusal};
use tokio::sync::oneshot;
use tonic::transport::Channel;

use crate::certificates::Authority;

pub(crate) const TOKEN: &str = "good";
/// Another caller's.
pub(crate) const OTHER: &str = "good too";

#[derive(Default)]
pub(crate) struct Fake {
    /// Every statement that was answered, with its options.
    pub(crate) answered: Mutex<Vec<(Statement, SessionOptions)>>,
    /// Why callers were turned away.
    pub(crate) turned_away: Mutex<Vec<Error>>,
    /// What was said of each answered statement's agreement.
    pub(crate) pinned: Mutex<Vec<Option<AgreementHash>>>,
    /// How many answers were begun and not ended.
    pub(crate) running: Mutex<i64>,
    pub(crate) rows: usize,
}

#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) options: SessionOptions,
    pub(crate) peer: Option<PeerCertificate>,
}

struct Counted<'a>(&'a Mutex<i64>);

impl<'a> Counted<'a> {
    fn new(count: &'a Mutex<i64>) -> Self {
        *count.lock().unwrap() += 1;
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}

impl Fake {
    pub(crate) fn with_rows(rows: usize) -> Arc<Self> {
        Arc::new(Self { rows, ..Self::default() })
    }

    fn columns() -> SchemaRef {
        // Not nullable on purpose: on the wire every column is.
        Arc::new(Schema::new(vec![
            Field::new("sex", DataType::Utf8, false),
            Field::new("count(*)", DataType::Int64, false),
        ]))
    }

    fn batch(&self) -> Combined {
        let n = self.rows;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("sex", Arc::new(StringArray::from_iter_values((0..n).map(|i| format!("group {i}"))))),
            ("count(*)", Arc::new(Int64Array::from_iter((0..n).map(|i| (i != 1).then_some(i as i64))))),
            ("sex_mark", Arc::new(UInt8Array::from(vec![0; n]))),
            (
                "count(*)_mark",
                Arc::new(UInt8Array::from_iter_values((0..n).map(|i| if i == 1 { 2 } else { 0 }))),
            ),
        ];
        Combined::of_released_tables(RecordBatch::try_from_iter(columns).unwrap())
    }

    fn table() -> ModelTable {
        let column = |name: &str, kind, unit: Option<&str>| ModelColumn {
            name: name.into(),
            kind,
            description: format!("the {name}"),
            unit: unit.map(str::to_owned),
            codes: [("F".to_owned(), "female".to_owned())].into(),
        };
        ModelTable {
            name: "cardiac".into(),
            description: "one row a patient".to_owned(),
            columns: vec![column("sex", Kind::Text, None), column("chol", Kind::Float, Some("mg/dl"))],
        }
    }

    fn refuse(sql: &str) -> Result<(), Error> {
        match sql {
            sql if sql.contains("refused") => Err(Refusal::new(
                Code::ColumnUse,
                "table.cardiac.columns.name.use",
                "column `name` may not be grouped by",
                "group by `sex`",
            )
            .into()),
            sql if sql.contains("missing") => Err(Error::SiteMissing {
                sites: vec!["zurich".to_owned()],
                message: "site `zurich` did not answer".to_owned(),
                fix: "set `liquid.min_sites`".to_owned(),
            }),
            sql if sql.contains("broken") => Err(Error::fault("it failed", true, "ask again")),
            sql if sql.contains("wrong") => Err(Error::invalid("there is no column `x`", "use `sex`")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Backend for Fake {
    type Session = Session;
    type Rows = Combined;

    fn server_name(&self) -> &str {
        "Fake"
    }

    fn catalog(&self) -> &str {
        "liquid"
    }

    async fn authenticate(
        &self,
        token: Option<Token>,
        peer: Option<PeerCertificate>,
        options: SessionOptions,
    ) -> Result<Session, Error> {
        match token {
            Some(token) if [TOKEN, OTHER].contains(&token.secret()) => Ok(Session { options, peer }),
            _ => Err(Error::unauthenticated("the token is not known", "get another")),
        }
    }

    async fn catalogue(&self, _: &Session) -> Result<Vec<PublishedTable>, Error> {
        Ok(vec![PublishedTable::of_model(
            "public",
            &Self::table(),
            vec![Field::new("site", DataType::Utf8, true)],
        )])
    }

    async fn describe(&self, _: &Session, statement: &Statement) -> Result<Described, Error> {
        Self::refuse(&statement.sql)?;
        Ok(Described { schema: Self::columns(), pinned: Some("version 1".into()) })
    }

    async fn turn_away(&self, _: &Session, error: Error) -> Error {
        self.turned_away.lock().unwrap().push(error.clone());
        error
    }

    async fn answer(
        &self,
        session: &Session,
        statement: Statement,
        pinned: Option<AgreementHash>,
    ) -> Result<Answer<Combined>, Error> {
        self.pinned.lock().unwrap().push(pinned);
        let _counted = Counted::new(&self.running);
        if statement.sql.contains("slow") {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        self.answered.lock().unwrap().push((statement, session.options.clone()));
        Ok(Answer { rows: self.batch(), metadata: "{\"withheld\":1}".to_owned() })
    }

    async fn ask(&self, session: &Session, envelope: Verified) -> Result<Answer<Combined>, Error> {
        let request = envelope.envelope().request.clone();
        if session.peer.is_none() {
            return Err(Error::unauthenticated("no coordinator", "send a certificate"));
        }
        Self::refuse(&request.sql)?;
        if request.sql.contains("slow") {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let report = SiteReport {
            site: "cleveland".into(),
            request: request.id,
            agreement: "A".into(),
            hash: "h".into(),
            withheld: 1,
            groups_may_be_missing: false,
            rows_may_be_missing: false,
            clauses: vec![],
            earlier: None,
        };
        let metadata = match request.sql.contains("garbled") {
            true => "{".to_owned(),
            false => serde_json::to_string(&report).unwrap(),
        };
        Ok(Answer { rows: self.batch(), metadata })
    }

    async fn action(&self, _: &Session, name: &str, _: Bytes) -> Result<Option<Bytes>, Error> {
        let catalogue =
            Catalogue { site: "cleveland".into(), agreements: vec![], tables: vec![Self::table()] };
        Ok((name == CATALOGUE_ACTION).then(|| serde_json::to_vec(&catalogue).unwrap().into()))
    }

    fn actions(&self) -> Vec<(&'static str, &'static str)> {
        vec![(CATALOGUE_ACTION, "the tables")]
    }
}

/// A running server; it stops when this is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) authority: Arc<Authority>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: tokio::task::JoinHandle<bool>,
}

impl Server {
    pub(crate) async fn start(fake: Arc<Fake>, limits: Limits) -> Self {
        Self::start_at(0, fake, limits, Arc::new(Authority::new())).await
    }

    /// Starts one on a port, with certificates of an authority that there is already.
    pub(crate) async fn start_at(
        port: u16,
        fake: Arc<Fake>,
        limits: Limits,
        authority: Arc<Authority>,
    ) -> Self {
        let certificates = authority.certificates("liquid://site/cleveland");
        Self::start_with(port, fake, limits, authority, certificates).await
    }

    /// Starts one with certificates of its own.
    pub(crate) async fn start_with(
        port: u16,
        fake: Arc<Fake>,
        limits: Limits,
        authority: Arc<Authority>,
        certificates: Certificates,
    ) -> Self {
        let listener = listen(([127, 0, 0, 1], port).into()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            let connections = incoming(listener, &certificates, limits).unwrap();
            sql::serve(fake, connections, shutdown).await.is_ok()
        });
        Self { port, authority, stop: Some(stop), ended }
    }

    pub(crate) fn target(&self) -> Target {
        Target { url: format!("https://localhost:{}", self.port), ..Target::default() }
    }

    /// A channel with a coordinator's certificate.
    pub(crate) fn coordinator(&self) -> Channel {
        let tls = self.authority.material("coordinator", &["liquid://coordinator/demo"]);
        connect(&self.target(), tls.client().unwrap()).unwrap()
    }

    /// What signs a coordinator's envelopes.
    pub(crate) fn issuer(&self) -> Arc<Issuer> {
        let certificates = self.authority.certificates("liquid://coordinator/demo");
        let caps = AnswerCaps { rows: 1_000_000, bytes: 1 << 30 };
        Issuer::new(certificates, Arc::new(chrono::Utc::now), caps).unwrap()
    }

    /// A channel without any certificate.
    pub(crate) fn anonymous(&self) -> Channel {
        let tls = liquid_node_api::tls::Material::anonymous(&self.authority.ca()).unwrap();
        connect(&self.target(), tls).unwrap()
    }
}
