//! What we rely on in DataFusion's plan types: a new field must be seen before a new version is taken.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::DFSchema;
use datafusion_expr::{Aggregate, EmptyRelation, Expr, Filter, LogicalPlan, Projection, SubqueryAlias, lit};

/// The names of a struct's own fields, read off its Debug output.
fn fields(debug: &str) -> Vec<String> {
    let body = debug.split_once('{').unwrap().1.rsplit_once('}').unwrap().0;
    let (mut depth, mut names, mut word) = (0_i32, Vec::new(), String::new());
    for c in body.chars() {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            ',' if depth == 0 => word.clear(),
            ':' if depth == 0 && !word.is_empty() => names.push(std::mem::take(&mut word)),
            c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
            _ => {}
        }
    }
    names
}

#[test]
fn the_structs_that_may_grow_have_the_fields_we_know() {
    let one = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: true,
        schema: Arc::new(DFSchema::empty()),
    });
    let input = Arc::new(one);
    let projection = Projection::try_new(vec![lit(1_i64).alias("a")], Arc::clone(&input)).unwrap();
    assert_eq!(fields(&format!("{projection:?}")), ["expr", "input", "schema"]);
    let projected = Arc::new(LogicalPlan::Projection(projection));
    let filter = Filter::try_new(lit(true), Arc::clone(&projected)).unwrap();
    assert_eq!(fields(&format!("{filter:?}")), ["predicate", "input"]);
    let alias = SubqueryAlias::try_new(Arc::clone(&projected), "t").unwrap();
    assert_eq!(fields(&format!("{alias:?}")), ["input", "alias", "schema"]);
    let none: Vec<Expr> = Vec::new();
    let aggregate = Aggregate::try_new(projected, vec![datafusion_expr::col("a")], none).unwrap();
    assert_eq!(fields(&format!("{aggregate:?}")), ["input", "group_expr", "aggr_expr", "schema"]);
}

#[test]
fn the_reader_of_fields_can_see_a_new_one() {
    let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
    assert!(fields(&format!("{schema:?}")).contains(&"metadata".to_owned()));
}
