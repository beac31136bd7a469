//! The conditions below a cut: those that join tables are told from those that choose rows.
//!
//! A join condition is an equality of two columns of two tables that every row must meet, wherever it was written: ON, USING
//! or WHERE. Any other comparison between columns of two tables is refused; conditions on each may be combined freely.

use datafusion_common::DFSchema;
use datafusion_expr::{Expr, Operator};
use liquid_policy::Code;
use liquid_policy::footprint::place_in_cut;
use liquid_policy::id::ColumnName;

use crate::error::PlanError;
use crate::expression::{admit_condition, boolean, size};
use crate::site_query::columns_of;

/// Join conditions of one cut.
const JOINS_MAX: usize = 30;

/// The conditions below a cut.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// Pairs of columns of two tables, the earlier table first, sorted, each once.
    pub(crate) joins: Vec<(String, String)>,
    /// WHERE, in the row-level language; none where every joined row passes.
    pub(crate) filter: Option<Expr>,
}

/// Takes the join conditions out of all conditions.
pub(crate) fn separate(conditions: Vec<Expr>, tables: usize, base: &DFSchema) -> Result<Joined, PlanError> {
    let Some(all) = conditions.into_iter().reduce(Expr::and) else { return Ok(Joined::default()) };
    size(&all).bounded()?;
    if tables < 2 {
        let filter = Some(admit_condition(&all, base)?).filter(|f| *f != boolean(true));
        return Ok(Joined { joins: Vec::new(), filter });
    }
    let (mut joins, mut rest) = (Vec::new(), Vec::new());
    for part in conjuncts(&all) {
        for part in conjuncts(&admit_condition(part, base)?) {
            match pair(part, tables) {
                Some(pair) => joins.push(pair),
                None => rest.push(part.clone()),
            }
        }
    }
    joins.sort();
    joins.dedup();
    if joins.len() > JOINS_MAX {
        let message = format!("tables are joined on more than {JOINS_MAX} conditions");
        return Err(PlanError::refused(Code::Limit, "limits.joins", message, "join fewer tables"));
    }
    let joins = joins.into_iter().map(|((_, left), (_, right))| (left, right)).collect();
    let filter = match rest.into_iter().reduce(Expr::and) {
        Some(all) => Some(admit_condition(&all, base)?).filter(|f| *f != boolean(true)),
        None => None,
    };
    if let Some(filter) = &filter {
        of_one_table_each(filter, tables)?;
    }
    Ok(Joined { joins, filter })
}

/// Refuses a condition that compares columns of two tables.
pub(crate) fn of_one_table_each(condition: &Expr, tables: usize) -> Result<(), PlanError> {
    let both = |one: &Expr, other: &Expr| {
        of_one_table_each(one, tables).and_then(|()| of_one_table_each(other, tables))
    };
    match condition {
        Expr::BinaryExpr(binary) if matches!(binary.op, Operator::And | Operator::Or) => {
            both(&binary.left, &binary.right)
        }
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNotUnknown(inner) => of_one_table_each(inner, tables),
        atom => {
            let mut read = columns_of(atom).into_iter().filter_map(|column| table(&column, tables));
            let first = read.next();
            if read.all(|table| Some(table) == first) {
                return Ok(());
            }
            Err(PlanError::refused(
                Code::JoinKey,
                "joins",
                "columns of two tables are compared in another way than by a plain equality that every row must meet",
                "join with `a.key = b.key` alone, and compare other columns with literals",
            ))
        }
    }
}

/// The parts of a chain of ANDs.
pub(crate) fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    let mut parts = Vec::new();
    let mut open = vec![condition];
    while let Some(next) = open.pop() {
        match next {
            Expr::BinaryExpr(binary) if binary.op == Operator::And => {
                open.push(&binary.right);
                open.push(&binary.left);
            }
            part => parts.push(part),
        }
    }
    parts
}

/// Two columns of two tables that are equal, each with its table's position.
fn pair(condition: &Expr, tables: usize) -> Option<((usize, String), (usize, String))> {
    let Expr::BinaryExpr(binary) = condition else { return None };
    let (left, right) = (binary.left.try_as_col()?, binary.right.try_as_col()?);
    let (left, right) =
        ((table(&left.name, tables)?, left.name.clone()), (table(&right.name, tables)?, right.name.clone()));
    let joins = binary.op == Operator::Eq && left.0 != right.0;
    joins.then(|| if left < right { (left, right) } else { (right, left) })
}

/// The position of a column's table.
fn table(column: &str, tables: usize) -> Option<usize> {
    place_in_cut(tables, &ColumnName::new(column)).map(|(table, _)| table)
}
