//! An example's folder as data: agreement, tables, who asks, what is asked and what is decided for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_sql::sqlparser::ast::Statement;
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::Parser;
use liquid_footprint::template::plan_named;
use liquid_footprint::{Catalogue, PlanError, TableKind, cut, footprint, plan, roundtrip};
use liquid_policy::id::{KeyId, OrganisationName, Purpose, RoleName};
use liquid_policy::statement::{Act, Signer};
use liquid_policy::{
    Agreement, Caller, Footprint, Keyring, Named, Refusal, Signed, SigningKey, TrustedKey, admit, decide,
    parse_beside,
};
use serde::Deserialize;

use crate::fixture::table;

/// An example, ready to be asked.
pub(super) struct Example {
    pub(super) name: String,
    pub(super) queries: Queries,
    catalogue: Catalogue,
    signed: Signed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Queries {
    #[serde(default)]
    pub(super) caller: Vec<Who>,
    pub(super) query: Vec<Query>,
}

/// Somebody who asks: a column of the matrix.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    pub(super) name: String,
    #[serde(rename = "as")]
    pub(super) who: String,
    pub(super) purpose: String,
    #[serde(default = "november")]
    pub(super) on: String,
}

fn november() -> String {
    "2026-11-01".to_owned()
}

/// A question, with what is decided for the first caller or for the one that it names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    pub(super) asks: Option<String>,
    pub(super) sql: String,
    pub(super) touches: Option<Footprint>,
    #[serde(rename = "as")]
    who: Option<String>,
    purpose: Option<String>,
    on: Option<String>,
    pub(super) refused: Option<Refusal>,
}

/// What comes of a question.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Permit,
    Refusal(Refusal),
    /// It names what is not there.
    Unknown,
}

/// The folder of all examples.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// All examples, by name.
pub(super) fn all() -> Vec<Example> {
    let entries = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names.iter().map(|name| Example::read(name)).collect()
}

impl Example {
    pub(super) fn read(name: &str) -> Self {
        Self::edited(name, "", "")
    }

    /// The example with one place of its agreement changed.
    pub(super) fn edited(name: &str, from: &str, to: &str) -> Self {
        let text = |file: &str| {
            let path = root().join(name).join(file);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let written = text("agreement.toml");
        assert!(from.is_empty() || written.contains(from), "{name}: `{from}` is not in the agreement");
        let written = if from.is_empty() { written } else { written.replacen(from, to, 1) };
        let agreement = parse_beside(&written, "agreement.toml", &|file, _| Ok(text(file).into_bytes()))
            .unwrap_or_else(|e| panic!("{name}: {:?}", e.problems().collect::<Vec<_>>()));
        let queries = toml::from_str(&text("queries.toml"))
            .unwrap_or_else(|error| panic!("{name}/queries.toml: {error}"));
        let catalogue = catalogue(&text("schema.sql"), &agreement);
        Self { name: name.to_owned(), queries, catalogue, signed: signed(Arc::new(agreement)) }
    }

    pub(super) fn agreement(&self) -> &Agreement {
        self.signed.agreement()
    }

    /// Who asks a question: as it says, or else the first caller, or else whom the agreement names first.
    pub(super) fn who(&self, query: &Query) -> Who {
        let first = self.queries.caller.first().cloned().unwrap_or_else(|| {
            let recipient = self.agreement().recipients().first().unwrap();
            Who {
                name: String::new(),
                who: format!("{}/{}", recipient.organisation, recipient.roles.first().unwrap()),
                purpose: recipient.purposes.first().unwrap().to_string(),
                on: november(),
            }
        });
        Who {
            name: first.name,
            who: query.who.clone().unwrap_or(first.who),
            purpose: query.purpose.clone().unwrap_or(first.purpose),
            on: query.on.clone().unwrap_or(first.on),
        }
    }

    /// What a node decides: whether this caller may ask at all, then whether this may be asked.
    pub(super) fn verdict(&self, who: &Who, sql: &str) -> Verdict {
        let (organisation, role) = who.who.split_once('/').unwrap();
        let purpose = Purpose::new(who.purpose.clone());
        let caller = Caller {
            organisation: organisation.into(),
            roles: vec![role.into()],
            subject: "somebody".into(),
            purposes: vec![purpose.clone()],
        };
        let named = Named { purpose: Some(&purpose), ..Named::default() };
        let admitted =
            match admit(std::slice::from_ref(&self.signed), &caller, named, who.on.parse().unwrap()) {
                Ok(admitted) => admitted,
                Err(refusal) => return Verdict::Refusal(refusal),
            };
        let (admitted, planned) = match called(sql) {
            Some((name, values)) => {
                let admitted = admitted.calling(name).unwrap_or_else(|error| panic!("{sql}: {error}"));
                let text = admitted.template().unwrap().text().to_owned();
                (admitted, plan_named(&text, &values, &self.catalogue))
            }
            None => (admitted, plan(sql, &[], &self.catalogue)),
        };
        let request = match planned.and_then(cut) {
            Ok(request) => request,
            Err(PlanError::Refused(refusal)) => return Verdict::Refusal(refusal),
            Err(PlanError::Invalid { .. }) => return Verdict::Unknown,
            Err(bug) => panic!("{sql}: {bug}"),
        };
        assert!(!request.cuts.is_empty(), "{sql}");
        // What is sent to a site reads back as it was.
        for cut in &request.cuts {
            roundtrip(&cut.query, &self.catalogue).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        let refusal = request.cuts.iter().find_map(|cut| decide(&admitted, &footprint(&cut.query)).err());
        refusal.map_or(Verdict::Permit, Verdict::Refusal)
    }

    /// What the cuts of a question touch, if it has a plan.
    pub(super) fn touches(&self, sql: &str) -> Option<Vec<Footprint>> {
        let request = plan(sql, &[], &self.catalogue).and_then(cut).ok()?;
        Some(request.cuts.iter().map(|cut| footprint(&cut.query)).collect())
    }
}

/// The name and the values, all of them texts, of a call.
fn called(sql: &str) -> Option<(&str, Vec<ScalarValue>)> {
    let (name, values) = sql.trim().strip_prefix("EXECUTE \"")?.split_once('"')?;
    let values = values.split('\'').skip(1).step_by(2).map(ScalarValue::from);
    Some((name, values.collect()))
}

/// The tables of a `schema.sql`, with what the agreement says of whom their rows speak.
fn catalogue(text: &str, agreement: &Agreement) -> Catalogue {
    let statements = Parser::parse_sql(&GenericDialect {}, text).unwrap();
    let mut catalogue = Catalogue::new();
    for statement in statements {
        let Statement::CreateTable(create) = statement else { panic!("only CREATE TABLE: {statement}") };
        let columns = create.columns.iter().map(|column| {
            let kind = match column.data_type.to_string().as_str() {
                "BIGINT" => DataType::Int64,
                "VARCHAR" | "TEXT" => DataType::Utf8,
                "DOUBLE" => DataType::Float64,
                "BOOLEAN" => DataType::Boolean,
                "DATE" => DataType::Date32,
                other => panic!("no such type: {other}"),
            };
            (column.name.value.clone(), kind)
        });
        let columns: Vec<(String, DataType)> = columns.collect();
        let columns: Vec<(&str, DataType)> =
            columns.iter().map(|(n, kind)| (n.as_str(), kind.clone())).collect();
        let name = create.name.to_string();
        let ruled = agreement.tables().get(&name.as_str().into());
        let of_one = ruled.map(|table| agreement.stand_for_one_entity(table)).unwrap_or_default();
        let table = table(&name, TableKind::Protected, &columns);
        catalogue = catalogue.with(table.standing_for_one(of_one.iter().map(|column| column.as_str())));
    }
    catalogue
}

/// Written by somebody of the first party, and approved by every controller in every role that it names, each with a key of
/// its own.
fn signed(agreement: Arc<Agreement>) -> Signed {
    let hash = agreement.hash();
    let (mut statements, mut trusted) = (Vec::new(), Vec::new());
    let mut say = |organisation: &OrganisationName, role: &str, act: Act| {
        let key = SigningKey::from_seed(&[trusted.len() as u8 + 1; 32]).unwrap();
        let (organisation, role, key_id) = (organisation.clone(), RoleName::from(role), KeyId::from(role));
        trusted.push(TrustedKey {
            organisation: organisation.clone(),
            key_id: key_id.clone(),
            public_key: key.public_key(),
            retired: false,
            roles: [role.clone()].into(),
        });
        let time = "2026-01-01T09:00:00Z".parse().unwrap();
        statements.push(key.say(act, Signer { organisation, role, key_id, time }));
    };
    for (at, party) in agreement.file().party.iter().enumerate() {
        if at == 0 {
            say(&party.organisation, "author", Act::Write { agreement: hash.clone() });
        }
        let approve = Act::Approve { agreement: hash.clone() };
        if party.approvers.is_empty() {
            say(&party.organisation, "siro", approve.clone());
        }
        party.approvers.iter().for_each(|role| say(&party.organisation, role.as_str(), approve.clone()));
    }
    Signed::verify(agreement, &statements, &Keyring::from(trusted.as_slice()))
}
