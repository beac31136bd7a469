//! The Flight SQL port for analysts.

use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use bytes::Bytes;
use liquid_node_api::Error;
use liquid_node_api::channel::Token;
use liquid_node_api::governance::{GOVERNANCE_ACTION, read};
use liquid_node_api::sql::{
    Answer, Backend, Described, PublishedTable, REMARKS, SessionOptions, Statement, TEMPLATES_ACTION,
    request_id,
};
use liquid_node_api::tls::PeerCertificate;
use liquid_node_api::wire::Combined;
use liquid_policy::id::AgreementHash;

use crate::answer::{Coordinator, Session};
use crate::plan::tables::has_virtual_site;
use crate::queries::{self, Owner};
use liquid_engine::federated::SITE;

#[async_trait]
impl Backend for Coordinator {
    type Session = Session;
    type Rows = Combined;

    fn server_name(&self) -> &str {
        &self.settings.name
    }

    fn catalog(&self) -> &str {
        "liquid"
    }

    async fn authenticate(
        &self,
        token: Option<Token>,
        _peer: Option<PeerCertificate>,
        options: SessionOptions,
    ) -> Result<Session, Error> {
        let claims = self.issuers.validate(token.as_ref(), (self.clock)().timestamp())?;
        let owner = Owner { issuer: claims.issuer, subject: claims.subject };
        let token = token.unwrap_or_else(|| Token::new(""));
        Ok(Session { owner, token, options })
    }

    async fn catalogue(&self, session: &Session) -> Result<Vec<PublishedTable>, Error> {
        let view = self.federation.view(&session.token, self.deadline(&session.options)).await;
        let site = || {
            let remarks = "the site where a row lies; every table that is split over sites has this column";
            Field::new(SITE, DataType::Utf8, true)
                .with_metadata([(REMARKS.to_owned(), remarks.to_owned())].into())
        };
        let tables = view.tables.iter().map(|table| {
            let virtual_site = has_virtual_site(&table.federated(&session.options));
            let more = if virtual_site { vec![site()] } else { Vec::new() };
            PublishedTable::of_model("public", &table.table, more)
        });
        let templates = view.templates(&session.options);
        let templates = templates.iter().map(PublishedTable::of_template);
        Ok(tables.chain(templates).chain([queries_table()]).collect())
    }

    async fn describe(&self, session: &Session, statement: &Statement) -> Result<Described, Error> {
        // Each site's version is pinned when the question is planned again.
        Ok(Described { schema: Self::describe(self, session, statement).await?, pinned: None })
    }

    async fn answer(
        &self,
        session: &Session,
        statement: Statement,
        _pinned: Option<AgreementHash>,
    ) -> Result<Answer<Combined>, Error> {
        Self::answer(self, session, statement).await
    }

    async fn action(&self, session: &Session, name: &str, body: Bytes) -> Result<Option<Bytes>, Error> {
        let json = match name {
            GOVERNANCE_ACTION => {
                serde_json::to_vec(&self.federation.governance(&session.token, &read(&body)?).await)
            }
            TEMPLATES_ACTION => {
                let view = self.federation.view(&session.token, self.deadline(&session.options)).await;
                serde_json::to_vec(&view.templates(&session.options))
            }
            _ => return Ok(None),
        };
        let json = json.map_err(|error| {
            tracing::error!(%error, "answers of sites have no JSON form");
            Error::fault("what the sites answered cannot be passed on", false, "ask the sites directly")
        });
        json.map(|json| Some(json.into()))
    }

    fn actions(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            (GOVERNANCE_ACTION, "carries what parties say of agreements to every site, as JSON"),
            (TEMPLATES_ACTION, "the approved queries that this caller may call, as JSON"),
        ]
    }

    async fn turn_away(&self, session: &Session, error: Error) -> Error {
        let id = request_id();
        let now = (self.clock)();
        self.queries.submit(id.clone(), session.owner.clone(), String::new(), now).fail(error.referenced(&id))
    }
}

/// `system.queries`, as clients list it.
fn queries_table() -> PublishedTable {
    let fields: Vec<_> = queries::COLUMNS
        .into_iter()
        .map(|(name, kind, remarks)| {
            Field::new(name, kind, true).with_metadata([(REMARKS.to_owned(), remarks.to_owned())].into())
        })
        .collect();
    let remarks = "what became of your questions".to_owned();
    PublishedTable {
        schema_name: "system".to_owned(),
        name: "queries".to_owned(),
        table_type: "SYSTEM TABLE".to_owned(),
        schema: Schema::new(fields).with_metadata([(REMARKS.to_owned(), remarks)].into()).into(),
    }
}
