//! The SQL that is proposed to people, and written for them.

use liquid_node_api::catalogue::Kind;

/// A name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A view that puts an expression in the place of a column.
pub(super) fn replacing(table: &str, column: &str, expression: &str) -> String {
    all_replaced(table, &[(column, expression)])
}

/// A view that puts expressions in the place of columns.
pub(super) fn all_replaced(table: &str, columns: &[(&str, &str)]) -> String {
    let replaced = columns.iter().map(|(column, expression)| format!("{expression} AS {}", quoted(column)));
    let (table, replaced) = (quoted(table), replaced.collect::<Vec<_>>().join(", "));
    format!("CREATE OR REPLACE VIEW {table} AS SELECT * REPLACE ({replaced}) FROM {table};")
}

/// A view that casts a column.
pub(super) fn casting(table: &str, column: &str, kind: Kind) -> String {
    replacing(table, column, &format!("CAST({} AS {})", quoted(column), kind.sql_name()))
}

/// A view that adds a column.
pub(super) fn adding(table: &str, column: &str, expression: &str) -> String {
    let (table, column) = (quoted(table), quoted(column));
    format!("CREATE OR REPLACE VIEW {table} AS SELECT *, {expression} AS {column} FROM {table};")
}
