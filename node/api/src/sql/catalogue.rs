//! Answers to the catalogue calls: catalogs, schemas, tables, types, keys. They tell what is published, never data.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::Command;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use tonic::{Response, Status};

use super::PublishedTable;
use super::front::DoGetStream;

/// Where a catalogue call's rows are found: the command is its own ticket.
pub(super) fn info(
    command: Command,
    descriptor: FlightDescriptor,
    schema: &Schema,
) -> Result<Response<FlightInfo>, Status> {
    let ticket = Ticket::new(command.into_any().encode_to_vec());
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(|_| internal())?
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
        .with_descriptor(descriptor);
    Ok(Response::new(info))
}

/// Sends one batch of such rows.
pub(super) fn send(batch: arrow_flight::error::Result<RecordBatch>) -> Result<Response<DoGetStream>, Status> {
    let batch = batch.map_err(|_| internal())?;
    let stream = FlightDataEncoderBuilder::new()
        .with_schema(batch.schema())
        .build(futures::stream::iter([Ok(batch)]))
        .map_err(|_| internal());
    Ok(Response::new(stream.boxed()))
}

fn internal() -> Status {
    Status::internal("the catalogue could not be encoded; send the time of this error to the operator")
}

/// True for the commands that this module answers.
pub(super) fn is_listing(command: &Command) -> bool {
    needs_tables(command)
        || matches!(
            command,
            Command::CommandGetCatalogs(_)
                | Command::CommandGetSqlInfo(_)
                | Command::CommandGetXdbcTypeInfo(_)
                | Command::CommandGetPrimaryKeys(_)
                | Command::CommandGetExportedKeys(_)
                | Command::CommandGetImportedKeys(_)
                | Command::CommandGetCrossReference(_)
        )
}

/// True where the answer is made of the tables that the caller may see.
pub(super) fn needs_tables(command: &Command) -> bool {
    matches!(
        command,
        Command::CommandGetDbSchemas(_) | Command::CommandGetTables(_) | Command::CommandGetTableTypes(_)
    )
}

/// What there is to tell.
pub(super) struct About<'a> {
    pub(super) info: &'a SqlInfoData,
    pub(super) types: &'a XdbcTypeInfoData,
    pub(super) catalog: &'a str,
    pub(super) tables: Vec<PublishedTable>,
}

/// The rows that answer a command.
pub(super) fn rows(command: Command, about: &About<'_>) -> arrow_flight::error::Result<RecordBatch> {
    let About { info, types, catalog, tables } = about;
    match command {
        Command::CommandGetCatalogs(command) => {
            let mut rows = command.into_builder();
            rows.append(*catalog);
            rows.build()
        }
        Command::CommandGetDbSchemas(command) => {
            let mut rows = command.into_builder();
            for name in sorted(tables.iter().map(|t| t.schema_name.as_str())) {
                rows.append(catalog, name);
            }
            rows.build()
        }
        Command::CommandGetTables(command) => {
            let mut rows = command.into_builder();
            for table in tables {
                rows.append(catalog, &table.schema_name, &table.name, &table.table_type, &table.schema)?;
            }
            rows.build()
        }
        Command::CommandGetTableTypes(command) => {
            let mut rows = command.into_builder();
            for name in sorted(tables.iter().map(|t| t.table_type.as_str()).chain(["TABLE"])) {
                rows.append(name);
            }
            rows.build()
        }
        Command::CommandGetSqlInfo(command) => info.record_batch(command.info),
        Command::CommandGetXdbcTypeInfo(command) => types.record_batch(command.data_type),
        Command::CommandGetPrimaryKeys(_) => Ok(primary_keys()),
        _ => Ok(foreign_keys()),
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> std::collections::BTreeSet<&'a str> {
    names.collect()
}

/// Primary keys: none are published, since a key's uniqueness would be a fact about data.
fn primary_keys() -> RecordBatch {
    RecordBatch::new_empty(fields(&[
        ("catalog_name", DataType::Utf8, true),
        ("db_schema_name", DataType::Utf8, true),
        ("table_name", DataType::Utf8, false),
        ("column_name", DataType::Utf8, false),
        ("key_name", DataType::Utf8, true),
        ("key_sequence", DataType::Int32, false),
    ]))
}

/// Foreign keys, in the form of all three calls that ask for them: none.
fn foreign_keys() -> RecordBatch {
    RecordBatch::new_empty(fields(&[
        ("pk_catalog_name", DataType::Utf8, true),
        ("pk_db_schema_name", DataType::Utf8, true),
        ("pk_table_name", DataType::Utf8, false),
        ("pk_column_name", DataType::Utf8, false),
        ("fk_catalog_name", DataType::Utf8, true),
        ("fk_db_schema_name", DataType::Utf8, true),
        ("fk_table_name", DataType::Utf8, false),
        ("fk_column_name", DataType::Utf8, false),
        ("key_sequence", DataType::Int32, false),
        ("fk_key_name", DataType::Utf8, true),
        ("pk_key_name", DataType::Utf8, true),
        ("update_rule", DataType::UInt8, false),
        ("delete_rule", DataType::UInt8, false),
    ]))
}

/// What `SET liquid.…` answers: the option and its value.
pub(super) fn option_set(name: &str, value: &str) -> arrow_flight::error::Result<RecordBatch> {
    let columns: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec![name])), Arc::new(StringArray::from(vec![value]))];
    Ok(RecordBatch::try_new(option_schema(), columns)?)
}

pub(super) fn option_schema() -> SchemaRef {
    fields(&[("option", DataType::Utf8, true), ("value", DataType::Utf8, true)])
}

fn fields(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    let columns = columns.iter().map(|(name, kind, nullable)| Field::new(*name, kind.clone(), *nullable));
    Arc::new(Schema::new(columns.collect::<Vec<Field>>()))
}
