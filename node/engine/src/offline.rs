//! What a question would be told, from an agreement and a file of `CREATE TABLE` and `CREATE VIEW` statements: the same planner,
//! the same caps before it and the same decision as at a node, over tables without any row.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use datafusion::common::ScalarValue;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    ColumnDef, CreateTable, DataType as SqlType, Statement as SqlStatement,
};
use liquid_footprint::template::names;
use liquid_footprint::{Catalogue, Opaque, PlanError, TableKind, cut};
use liquid_node_api::Error;
use liquid_node_api::call::{Call, read};
use liquid_node_api::catalogue::Kind;
use liquid_node_api::parameter::Parameter;
use liquid_policy::admit::{Caller, Named, foresee};
use liquid_policy::decide::judge;
use liquid_policy::document::Agreement;
use liquid_policy::id::{ColumnName, TableName, TemplateName};
use liquid_policy::refusal::Refusal;
use liquid_policy::template::{NotCallable, callable, only_templates};
use liquid_policy::verdict::Verdict;

use crate::error::OpenError;
use crate::local::{planned, shown};
use crate::opened::OPENING;
use crate::parameters::to_scalar;
use crate::runtime::Threads;
use crate::views::{self, Problem};
use crate::{call, session};

/// Tables as a question sees them: names and types.
#[derive(Debug, Clone)]
pub struct Tables(BTreeMap<TableName, SchemaRef>);

impl Tables {
    /// Reads a file of statements, in order; a view can read the tables and views above it. `path` is the name that errors show.
    ///
    /// # Errors
    /// What is wrong with a statement, with its line and the cure.
    pub async fn read(text: &str, path: &Path) -> Result<Self, OpenError> {
        let threads = threads().map_err(OpenError::Start)?;
        let (text, path) = (text.to_owned(), path.to_owned());
        let work = async move {
            let session =
                session::session(1, &OPENING).map_err(|error| OpenError::Start(error.to_string()))?;
            for (line, statement) in views::statements(&text).map_err(|problem| problem.of(&path))? {
                create(&session, line, statement).await.map_err(|problem| problem.of(&path))?;
            }
            found(&session).await.map_err(|problem| problem.of(&path))
        };
        threads.run(work).await.map_err(OpenError::Start)?
    }

    /// Some of them as opaque sources.
    fn opaque(&self, agreement: &Agreement, which: impl Fn(&TableName) -> bool) -> Catalogue {
        let some = self.0.iter().filter(|(name, _)| which(name));
        let opaque = some.map(|(name, schema)| {
            let ruled = agreement.tables().get(name);
            let of_one = ruled.map(|table| agreement.stand_for_one_entity(table)).unwrap_or_default();
            Opaque::new(name.as_str(), TableKind::Protected, Arc::clone(schema))
                .standing_for_one(of_one.iter().map(ColumnName::as_str))
        });
        opaque.fold(Catalogue::new(), Catalogue::with)
    }
}

/// A question, and who would ask it.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What the request names.
    pub named: Named<'a>,
    /// On which day.
    pub today: NaiveDate,
    /// The query.
    pub sql: &'a str,
    /// Its bound values.
    pub parameters: &'a [Parameter],
}

/// What a node would tell a question under an agreement that every controller has signed. No data is read, and there is none.
///
/// # Errors
/// What is wrong with the question itself: it is no SQL, or names what is not there.
pub async fn explain(
    agreement: &Agreement,
    tables: &Tables,
    question: &Question<'_>,
) -> Result<Verdict, Error> {
    if let Err(refusal) = foresee(agreement, question.caller, question.named, question.today) {
        return Ok(refusal.into());
    }
    let asked = match asked(agreement, question)? {
        Ok(asked) => asked,
        Err(refusal) => return Ok(refusal.into()),
    };
    let spoken_of = tables.opaque(agreement, |name| agreement.tables().contains_key(name));
    match verdict(agreement, &asked, spoken_of).await {
        // A table that the agreement does not speak of is unknown at a node. Here the schema has named it, so the agreement can
        // say what it says of it; but nothing is permitted that way.
        Err(Error::Invalid { message, fix }) => {
            match verdict(agreement, &asked, tables.opaque(agreement, |_| true)).await {
                Ok(refusal) if !refusal.is_permit() => Ok(refusal),
                Ok(_) | Err(_) => Err(Error::Invalid { message, fix }),
            }
        }
        other => other,
    }
}

/// What is planned.
#[derive(Clone)]
enum Asked {
    /// A query with its bound values.
    Freely(String, Vec<ScalarValue>),
    /// An approved query with the values of a call.
    Call(String, Call),
}

/// What is planned, or the refusal where only approved queries may be asked.
fn asked(agreement: &Agreement, question: &Question<'_>) -> Result<Result<Asked, Refusal>, Error> {
    let Some(call) = read(question.sql, question.parameters)? else {
        let values = question.parameters.iter().map(to_scalar).collect();
        return Ok(match agreement.templates_only() {
            true => Err(only_templates(agreement)),
            false => Ok(Asked::Freely(question.sql.to_owned(), values)),
        });
    };
    let open = || callable(agreement, question.caller, question.named.purpose);
    match open().find(|template| *template.name() == call.name) {
        Some(template) => Ok(Ok(Asked::Call(template.text().to_owned(), call))),
        None => {
            let unknown = NotCallable { callable: open().map(|it| it.name().clone()).collect() };
            Err(Error::invalid(unknown.to_string(), unknown.fix()))
        }
    }
}

async fn verdict(agreement: &Agreement, asked: &Asked, tables: Catalogue) -> Result<Verdict, Error> {
    let asked = asked.clone();
    let work = move || match asked {
        Asked::Freely(sql, values) => planned(&sql, &values, &tables),
        Asked::Call(text, call) => shown(cut(call::plan(&text, &call, &tables)?)?),
    };
    match threads().map_err(fault)?.run(async move { work() }).await.map_err(fault)? {
        Ok((_, cuts)) => Ok(Verdict::over(agreement, &cuts)),
        Err(PlanError::Refused(refusal)) => Ok(refusal.into()),
        Err(PlanError::Invalid { message, fix }) => Err(Error::Invalid { message, fix }),
        Err(PlanError::Bug(detail)) => Err(fault(detail)),
    }
}

/// What is wrong with the approved queries of an agreement, one sentence each: that it is no query; with tables, that it cannot be
/// planned over them, or that the agreement refuses it.
pub async fn unusable(agreement: &Agreement, tables: Option<&Tables>) -> Vec<(TemplateName, String)> {
    let mut found = Vec::new();
    for template in agreement.templates().values() {
        let text = template.text().to_owned();
        let here =
            tables.map(|tables| tables.opaque(agreement, |name| agreement.tables().contains_key(name)));
        let work = async move {
            match here {
                None => names(&text).map(|_| Vec::new()),
                Some(here) => {
                    call::plan_with_any(&text, &here).and_then(cut).and_then(shown).map(|(_, cuts)| cuts)
                }
            }
        };
        let planned = match threads() {
            Ok(threads) => threads.run(work).await.unwrap_or_else(|error| Err(PlanError::Bug(error))),
            Err(error) => Err(PlanError::Bug(error)),
        };
        let problem = match planned {
            Ok(cuts) => cuts.iter().find_map(|cut| judge(agreement, cut).err()).map(|it| it.to_string()),
            Err(PlanError::Refused(refusal)) => Some(refusal.to_string()),
            Err(PlanError::Invalid { message, fix }) => Some(format!("{message}; {fix}")),
            Err(PlanError::Bug(detail)) => Some(fault(detail).to_string()),
        };
        found.extend(problem.map(|problem| (template.name().clone(), problem)));
    }
    found
}

fn threads() -> Result<&'static Threads, String> {
    static THREADS: LazyLock<std::io::Result<Threads>> = LazyLock::new(|| Threads::start(1));
    THREADS.as_ref().map_err(ToString::to_string)
}

fn fault(detail: String) -> Error {
    tracing::error!(detail, "a question cannot be planned");
    Error::fault("the question cannot be planned", false, "write it in another way")
}

async fn create(session: &SessionContext, line: u64, statement: Statement) -> Result<(), Problem> {
    let Statement::Statement(sql) = &statement else { return other(line, &statement) };
    match sql.as_ref() {
        SqlStatement::CreateTable(table) => table_of(session, line, table),
        SqlStatement::CreateView(_) => views::create_one(session, line, statement).await.map(drop),
        _ => other(line, &statement),
    }
}

fn other(line: u64, statement: &Statement) -> Result<(), Problem> {
    let text: String = statement.to_string().chars().take(60).collect();
    Err(Problem {
        line: Some(line),
        reason: format!("`{text}` gives no table its columns"),
        fix: "keep only `CREATE TABLE name (column TYPE, …);` and `CREATE VIEW name AS SELECT …;`".to_owned(),
    })
}

/// A table without rows. What else the statement says of it, keys and defaults, is of no matter to a question.
fn table_of(session: &SessionContext, line: u64, table: &CreateTable) -> Result<(), Problem> {
    let wrong = |reason: String, fix: &str| Problem { line: Some(line), reason, fix: fix.to_owned() };
    let Some(name) = views::name_of(&table.name) else {
        return Err(wrong("the table has no name".to_owned(), "name it"));
    };
    if table.query.is_some() || table.columns.is_empty() {
        return Err(wrong(
            format!("table `{name}` lists no columns"),
            "write `CREATE TABLE name (column TYPE, …);`, or `CREATE VIEW name AS SELECT …;`",
        ));
    }
    if views::names(session).contains(&name) {
        return Err(wrong(format!("there is a table `{name}` already"), "drop one, or rename it"));
    }
    let mut fields: Vec<Field> = Vec::new();
    for ColumnDef { name: column, data_type, .. } in &table.columns {
        let called = match column.quote_style {
            Some(_) => column.value.clone(),
            None => column.value.to_lowercase(),
        };
        if fields.iter().any(|field| *field.name() == called) {
            return Err(wrong(format!("column `{called}` of table `{name}` stands there twice"), "drop one"));
        }
        let kind = kind_of(data_type).ok_or_else(|| {
            wrong(
                format!("column `{called}` of table `{name}` has the type {data_type}, which shared tables cannot have"),
                "write BOOLEAN, BIGINT, DOUBLE, VARCHAR or DATE, as the model has it",
            )
        })?;
        fields.push(Field::new(called, kind.arrow_type(), true));
    }
    let empty = EmptyTable::new(Arc::new(Schema::new(fields)));
    let registered = session.register_table(datafusion::common::TableReference::bare(name), Arc::new(empty));
    registered.map(drop).map_err(|error| wrong(error.strip_backtrace(), "correct the statement"))
}

/// The model's type for one of SQL's.
fn kind_of(written: &SqlType) -> Option<Kind> {
    Some(match written {
        SqlType::Boolean | SqlType::Bool => Kind::Boolean,
        SqlType::TinyInt(_)
        | SqlType::SmallInt(_)
        | SqlType::Int2(_)
        | SqlType::Int(_)
        | SqlType::Int4(_)
        | SqlType::Integer(_)
        | SqlType::Int8(_)
        | SqlType::Int64
        | SqlType::BigInt(_) => Kind::Integer,
        SqlType::Float(_)
        | SqlType::Float4
        | SqlType::Float8
        | SqlType::Float64
        | SqlType::Real
        | SqlType::Double(_)
        | SqlType::DoublePrecision
        | SqlType::Decimal(_)
        | SqlType::Dec(_)
        | SqlType::Numeric(_) => Kind::Float,
        SqlType::Character(_)
        | SqlType::Char(_)
        | SqlType::CharacterVarying(_)
        | SqlType::CharVarying(_)
        | SqlType::Varchar(_)
        | SqlType::Text
        | SqlType::String(_) => Kind::Text,
        SqlType::Date => Kind::Date,
        _ => return None,
    })
}

/// All tables and views, in the types of a shared model.
async fn found(session: &SessionContext) -> Result<Tables, Problem> {
    let mut tables = BTreeMap::new();
    for name in views::names(session) {
        let wrong = |reason: String, fix: &str| Problem { line: None, reason, fix: fix.to_owned() };
        let reference = datafusion::common::TableReference::bare(name.as_str());
        let provider = session.table_provider(reference).await;
        let provider = provider.map_err(|error| wrong(error.strip_backtrace(), "correct the statements"))?;
        let mut fields = Vec::new();
        for field in provider.schema().fields() {
            let kind = widened(field.data_type()).ok_or_else(|| {
                let reason = format!(
                    "column `{}` of `{name}` has the type {}, which shared tables cannot have",
                    field.name(),
                    field.data_type()
                );
                wrong(reason, "cast it to BOOLEAN, BIGINT, DOUBLE, VARCHAR or DATE in the view")
            })?;
            fields.push(Field::new(field.name(), kind.arrow_type(), true));
        }
        tables.insert(TableName::new(name), Arc::new(Schema::new(fields)));
    }
    Ok(Tables(tables))
}

/// The model's type in which a view's column is shared.
fn widened(kind: &DataType) -> Option<Kind> {
    Some(match kind {
        DataType::Boolean => Kind::Boolean,
        whole if whole.is_integer() => Kind::Integer,
        number
            if number.is_floating()
                || matches!(number, DataType::Decimal128(..) | DataType::Decimal256(..)) =>
        {
            Kind::Float
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Date32 => Kind::Date,
        _ => return None,
    })
}
