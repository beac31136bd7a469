//! What a cell adds up, taken apart: products of columns over rows, so that cells which add up the same in other words are known as such.
//!
//! A factor `1 ± column` is multiplied out. A column that is declared to be 0 or 1 is no number but a condition: what is multiplied by it
//! is added up where it is 1. Rows at which a product is 0 are none of its rows. A count adds up 1, and so does a count of entities, since for
//! whoever has one row it is the same.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, lit};
use liquid_footprint::branches::uncast;
use liquid_footprint::site_query::base_column;
use liquid_footprint::{Branch, SiteAggregate};
use liquid_policy::footprint::Function;
use liquid_policy::table::{ColumnRule, Domain, DomainValue, Obligations};

use crate::guard::{all, can_be, present, read, rule};

/// A cell: what it adds up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Added {
    /// Entities are counted; its rows are those that they have.
    pub(crate) of_people: bool,
    pub(crate) summands: Vec<Summand>,
}

/// A product over rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summand {
    /// Over which rows; all of them where there is none.
    pub(crate) condition: Option<Expr>,
    /// The columns that are multiplied, in order; 1 where there is none.
    pub(crate) measure: Vec<String>,
    /// It is taken away.
    pub(crate) negative: bool,
}

/// The cells of an aggregate. `passes` is when a row passes WHERE and FILTER, `told` whether it may be told who lacks a value in a column,
/// `total` whether every arm counts whatever passes.
pub(crate) fn added_up(
    aggregate: &SiteAggregate,
    branches: &[Branch],
    obligations: &Obligations,
    (passes, total): (&Option<Expr>, bool),
    told: impl Fn(&String) -> bool,
) -> Vec<Added> {
    let path = |branch: &Branch| all([passes.clone(), branch.condition.clone()]);
    let rows = |condition| Summand { condition, measure: Vec::new(), negative: false };
    let there = |branch: &Branch| {
        let private: Vec<_> = read(branch).into_iter().filter(|column| !told(column)).collect();
        present(&private, obligations)
    };
    let counted = || {
        // Whichever arm a row takes, it counts.
        if total && branches.iter().all(|branch| there(branch).is_none()) {
            return Added { of_people: false, summands: vec![rows(passes.clone())] };
        }
        let of = |branch: &Branch| rows(all([path(branch), there(branch)]));
        Added { of_people: false, summands: branches.iter().map(of).collect() }
    };
    let summed = || {
        let of = |branch: &Branch| multiplied_out(branch, &path(branch), obligations);
        let summands = branches.iter().filter(|branch| !is_zero(&branch.term)).flat_map(of);
        Added { of_people: false, summands: summands.collect() }
    };
    match aggregate.function {
        Function::Count => vec![counted()],
        Function::Sum => vec![summed()],
        Function::Avg => vec![summed(), counted()],
        Function::CountDistinct => {
            let summands: Vec<_> = branches.iter().map(|branch| rows(path(branch))).collect();
            [false, true].map(|of_people| Added { of_people, summands: summands.clone() }).into()
        }
        Function::Min | Function::Max => Vec::new(),
    }
}

/// A product without its factors: where each column must not be what makes it 0, and what is left to multiply.
#[derive(Clone, Default)]
struct Product {
    zeros: BTreeSet<(String, i64)>,
    measure: Vec<String>,
    negative: bool,
}

fn multiplied_out(branch: &Branch, path: &Option<Expr>, obligations: &Obligations) -> Vec<Summand> {
    let is_flag = |column: &String| is_flag(&rule(obligations, column));
    let mut first = Product::default();
    for column in &branch.columns {
        first.zeros.insert((column.clone(), 0));
        if !is_flag(column) {
            first.measure.push(column.clone());
        }
    }
    let mut products = vec![first];
    for factor in &branch.factors {
        let column = &factor.column;
        if is_flag(column) && factor.zero_at == 1 {
            products.iter_mut().for_each(|product| {
                product.zeros.insert((column.clone(), 1));
            });
            continue;
        }
        let times = |product: &Product| {
            let mut product = product.clone();
            product.zeros.insert((column.clone(), 0));
            if !is_flag(column) {
                product.measure.push(column.clone());
                product.negative ^= factor.zero_at == 1;
            }
            product
        };
        let more: Vec<Product> = products.iter().map(times).collect();
        products.extend(more);
    }
    let summand = |Product { zeros, mut measure, negative }: Product| {
        measure.sort();
        let zeros = zeros.into_iter().filter(|(column, zero)| can_be(&rule(obligations, column), *zero));
        let not_zero = conjunction(zeros.map(|(column, zero)| base_column(&column).not_eq(lit(zero))));
        let condition = all([path.clone(), present(&read(branch), obligations), not_zero]);
        Summand { condition, measure, negative }
    };
    products.into_iter().map(summand).collect()
}

/// The column is declared to be 0 or 1.
fn is_flag(rule: &ColumnRule) -> bool {
    match &rule.domain {
        Some(Domain::Range { from, to }) => *from >= 0 && *to <= 1,
        Some(Domain::Values(values)) => {
            values.iter().all(|value| matches!(value, DomainValue::Integer(0 | 1)))
        }
        Some(Domain::Steps { .. }) | None => false,
    }
}

fn is_zero(term: &Expr) -> bool {
    match uncast(term) {
        Expr::Literal(ScalarValue::Int64(Some(0)) | ScalarValue::Int32(Some(0)), _) => true,
        Expr::Literal(ScalarValue::Float64(Some(number)), _) => *number == 0.0,
        _ => false,
    }
}
