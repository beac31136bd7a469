//! What the server says of itself: every item of Flight SQL's list, since drivers ask for any of them, and the types.

use std::collections::BTreeMap;

use arrow_flight::error::Result;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{Nullable, Searchable, SqlInfo, XdbcDataType, XdbcDatetimeSubcode};

/// The functions that may stand anywhere in a query, by kind.
const NUMERIC: [&str; 8] = ["abs", "ceil", "floor", "round", "trunc", "signum", "coalesce", "nullif"];
const STRING: [&str; 11] = [
    "lower",
    "upper",
    "btrim",
    "trim",
    "ltrim",
    "rtrim",
    "concat",
    "substr",
    "left",
    "right",
    "character_length",
];
const DATE: [&str; 2] = ["date_part", "date_trunc"];

/// Longest statement, as the planner takes it.
const STATEMENT_BYTES_MAX: i64 = 64 * 1024;

/// All items.
pub(super) fn sql_info(server_name: &str) -> Result<SqlInfoData> {
    let mut info = SqlInfoDataBuilder::new();
    server(&mut info, server_name);
    syntax(&mut info);
    capabilities(&mut info);
    limits(&mut info);
    info.build()
}

fn server(info: &mut SqlInfoDataBuilder, server_name: &str) {
    info.append(SqlInfo::FlightSqlServerName, server_name);
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(SqlInfo::FlightSqlServerSubstraitMinVersion, "");
    info.append(SqlInfo::FlightSqlServerSubstraitMaxVersion, "");
    info.append(SqlInfo::FlightSqlServerTransaction, 0_i32);
    info.append(SqlInfo::FlightSqlServerCancel, true);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    info.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
    info.append(SqlInfo::FlightSqlServerStatementTimeout, 0_i32);
    info.append(SqlInfo::FlightSqlServerTransactionTimeout, 0_i32);
}

fn syntax(info: &mut SqlInfoDataBuilder) {
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, false);
    info.append(SqlInfo::SqlDdlTable, false);
    info.append(SqlInfo::SqlIdentifierCase, 3_i32); // lower case
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlQuotedIdentifierCase, 0_i32); // as written
    info.append(SqlInfo::SqlAllTablesAreSelectable, true);
    info.append(SqlInfo::SqlNullOrdering, 0_i32); // sorted high
    info.append(SqlInfo::SqlKeywords, ["FILTER", "ILIKE", "TRY_CAST"].as_slice());
    info.append(SqlInfo::SqlNumericFunctions, NUMERIC.as_slice());
    info.append(SqlInfo::SqlStringFunctions, STRING.as_slice());
    info.append(SqlInfo::SqlSystemFunctions, [].as_slice());
    info.append(SqlInfo::SqlDatetimeFunctions, DATE.as_slice());
    info.append(SqlInfo::SqlSearchStringEscape, "\\");
    info.append(SqlInfo::SqlExtraNameCharacters, "");
    info.append(SqlInfo::SqlSupportsColumnAliasing, true);
    info.append(SqlInfo::SqlNullPlusNullIsNull, true);
    info.append(SqlInfo::SqlSupportsConvert, BTreeMap::<i32, Vec<i32>>::new());
    info.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    info.append(SqlInfo::SqlSupportsDifferentTableCorrelationNames, false);
    info.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    info.append(SqlInfo::SqlSupportsOrderByUnrelated, true);
    info.append(SqlInfo::SqlSupportsLikeEscapeClause, false);
    info.append(SqlInfo::SqlSupportsNonNullableColumns, false);
    info.append(SqlInfo::SqlSupportsIntegrityEnhancementFacility, false);
    info.append(SqlInfo::SqlSchemaTerm, "schema");
    info.append(SqlInfo::SqlProcedureTerm, "procedure");
    info.append(SqlInfo::SqlCatalogTerm, "catalog");
    info.append(SqlInfo::SqlCatalogAtStart, true);
}

fn capabilities(info: &mut SqlInfoDataBuilder) {
    for (item, bits) in [
        (SqlInfo::SqlSupportedGroupBy, 0b11),
        (SqlInfo::SqlSupportedGrammar, 0b01),
        (SqlInfo::SqlAnsi92SupportedLevel, 0b01),
        (SqlInfo::SqlOuterJoinsSupportLevel, 0b01),
        (SqlInfo::SqlSchemasSupportedActions, 0),
        (SqlInfo::SqlCatalogsSupportedActions, 0),
        (SqlInfo::SqlSupportedPositionedCommands, 0),
        (SqlInfo::SqlSupportedSubqueries, 0b0001),
        (SqlInfo::SqlSupportedUnions, 0b11),
        (SqlInfo::SqlSupportedTransactionsIsolationLevels, 0b1),
        (SqlInfo::SqlSupportedResultSetTypes, 0b10),
        (SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0b10),
        (SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, 0b10),
        (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0),
        (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0),
    ] {
        info.append(item, bits);
    }
    for item in [
        SqlInfo::SqlSelectForUpdateSupported,
        SqlInfo::SqlStoredProceduresSupported,
        SqlInfo::SqlCorrelatedSubqueriesSupported,
        SqlInfo::SqlMaxRowSizeIncludesBlobs,
        SqlInfo::SqlTransactionsSupported,
        SqlInfo::SqlDataDefinitionCausesTransactionCommit,
        SqlInfo::SqlDataDefinitionsInTransactionsIgnored,
        SqlInfo::SqlBatchUpdatesSupported,
        SqlInfo::SqlSavepointsSupported,
        SqlInfo::SqlNamedParametersSupported,
        SqlInfo::SqlLocatorsUpdateCopy,
        SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported,
    ] {
        info.append(item, false);
    }
    info.append(SqlInfo::SqlDefaultTransactionIsolation, 0_i32);
}

/// Zero means that there is no limit, or none that is known.
fn limits(info: &mut SqlInfoDataBuilder) {
    info.append(SqlInfo::SqlMaxStatementLength, STATEMENT_BYTES_MAX);
    for item in [
        SqlInfo::SqlMaxBinaryLiteralLength,
        SqlInfo::SqlMaxCharLiteralLength,
        SqlInfo::SqlMaxColumnNameLength,
        SqlInfo::SqlMaxColumnsInGroupBy,
        SqlInfo::SqlMaxColumnsInIndex,
        SqlInfo::SqlMaxColumnsInOrderBy,
        SqlInfo::SqlMaxColumnsInSelect,
        SqlInfo::SqlMaxColumnsInTable,
        SqlInfo::SqlMaxConnections,
        SqlInfo::SqlMaxCursorNameLength,
        SqlInfo::SqlMaxIndexLength,
        SqlInfo::SqlDbSchemaNameLength,
        SqlInfo::SqlMaxProcedureNameLength,
        SqlInfo::SqlMaxCatalogNameLength,
        SqlInfo::SqlMaxRowSize,
        SqlInfo::SqlMaxStatements,
        SqlInfo::SqlMaxTableNameLength,
        SqlInfo::SqlMaxTablesInSelect,
        SqlInfo::SqlMaxUsernameLength,
    ] {
        info.append(item, 0_i64);
    }
}

/// The types of columns and answers.
pub(super) fn type_info() -> Result<XdbcTypeInfoData> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    let quote = || Some("'".to_owned());
    for (name, kind, size, radix) in [
        ("BOOLEAN", XdbcDataType::XdbcBit, 1, None),
        ("BIGINT", XdbcDataType::XdbcBigint, 19, Some(10)),
        ("DOUBLE", XdbcDataType::XdbcDouble, 53, Some(2)),
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, None),
        ("DATE", XdbcDataType::XdbcDate, 10, None),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 29, None),
    ] {
        let is_text = matches!(name, "VARCHAR" | "DATE" | "TIMESTAMP");
        let is_time = matches!(name, "DATE" | "TIMESTAMP");
        types.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type: kind,
            column_size: Some(size),
            literal_prefix: is_text.then(quote).flatten(),
            literal_suffix: is_text.then(quote).flatten(),
            create_params: None,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: name == "VARCHAR",
            searchable: Searchable::Full,
            unsigned_attribute: radix.map(|_| false),
            fixed_prec_scale: false,
            auto_increment: radix.map(|_| false),
            local_type_name: Some(name.to_owned()),
            minimum_scale: None,
            maximum_scale: None,
            sql_data_type: if is_time { XdbcDataType::XdbcDatetime } else { kind },
            datetime_subcode: match name {
                "DATE" => Some(XdbcDatetimeSubcode::XdbcSubcodeYear), // 1 is DATE in ODBC's own list
                "TIMESTAMP" => Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
                _ => None,
            },
            num_prec_radix: radix,
            interval_precision: None,
        });
    }
    types.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_of_the_list_has_an_answer() {
        let info = sql_info("test").unwrap();
        for item in (0..=11).chain(100..=101).chain(500..=576) {
            assert_eq!(info.record_batch([item]).unwrap().num_rows(), 1, "no answer for {item}");
        }
    }

    #[test]
    fn types_are_found_by_their_number() {
        let types = type_info().unwrap();
        assert_eq!(types.record_batch(XdbcDataType::XdbcBigint as i32).unwrap().num_rows(), 1);
        assert_eq!(types.record_batch(None).unwrap().num_rows(), 6);
    }
}
