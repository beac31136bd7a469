//! Rows looked through down to the tables: what each column of a relation is, over the columns of tables, and what was asked of
//! the rows on the way. It is a plain substitution over our own trees.

use std::collections::BTreeSet;

use crate::plans::language::{Body, Expr, How, Odd, Rows};
use crate::plans::world::{Column, Kind, World};

/// Columns are numbered through all tables that a relation reads: a table takes this many numbers.
pub(crate) const STRIDE: usize = 100;

/// Rows, looked through down to the tables.
#[derive(Debug, Default, Clone)]
pub(crate) struct Below {
    /// The tables read, in order; one that is read twice stands here twice.
    pub(crate) tables: Vec<usize>,
    pub(crate) conditions: Vec<Expr>,
    /// Keys of aggregates by person, each with the tables that it reads: those from its first number on.
    pub(crate) people: Vec<(Vec<Expr>, usize)>,
    pub(crate) odd: Vec<String>,
}

/// What each column of a relation is, over the columns of tables.
pub(crate) fn columns(world: &World, rows: &Rows, below: &mut Below) -> Vec<Expr> {
    match &rows.body {
        Body::Table(at) => {
            let first = below.tables.len() * STRIDE;
            below.tables.push(*at);
            (0..world.tables[*at].columns.len()).map(|column| Expr::Col(first + column)).collect()
        }
        Body::Select { from, filter, outputs, odd } => {
            let from = columns(world, from, below);
            below.conditions.extend(filter.iter().map(|it| put(it, &from)));
            if *odd != Odd::No {
                below.odd.push(format!("{odd:?} among single rows"));
            }
            match outputs {
                Some(outputs) => outputs.iter().map(|it| put(it, &from)).collect(),
                None => from,
            }
        }
        Body::Join { left, right, on, how } => {
            let mut all = columns(world, left, below);
            all.extend(columns(world, right, below));
            below.conditions.extend(on.iter().map(|it| put(it, &all)));
            if matches!(how, How::Left | How::Full) {
                below.odd.push("an outer join".to_owned());
            }
            all
        }
        Body::Person { from, filter, keys, aggs, having } => {
            let first = below.tables.len();
            let from = columns(world, from, below);
            below.conditions.extend(filter.iter().map(|it| put(it, &from)));
            let keys: Vec<Expr> = keys.iter().map(|it| put(it, &from)).collect();
            below.people.push((keys.clone(), first));
            let aggs = aggs.iter().map(|it| Expr::Person(Box::new(it.with(&|at| from[at].clone()))));
            let all: Vec<Expr> = keys.into_iter().chain(aggs).collect();
            below.conditions.extend(having.iter().map(|it| put(it, &all)));
            all
        }
    }
}

pub(crate) fn put(expr: &Expr, columns: &[Expr]) -> Expr {
    expr.with(&|at| columns[at].clone())
}

/// What a generator must know of a column to put it where it may stand.
impl Below {
    /// The name of a plain column.
    pub(crate) fn name(&self, world: &World, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Col(at) => Some(world.column((self.tables[at / STRIDE], at % STRIDE)).name.to_owned()),
            _ => None,
        }
    }

    pub(crate) fn columns_of<'w>(&self, world: &'w World, expr: &Expr) -> Vec<&'w Column> {
        read(expr).into_iter().map(|at| world.column((self.tables[at / STRIDE], at % STRIDE))).collect()
    }

    pub(crate) fn is_entity(&self, world: &World, expr: &Expr) -> bool {
        matches!(expr, Expr::Col(at) if world.tables[self.tables[at / STRIDE]].entity == Some(at % STRIDE))
    }

    pub(crate) fn kind(&self, world: &World, expr: &Expr) -> Kind {
        let of = |it: &Expr| self.kind(world, it);
        match expr {
            Expr::Col(at) => world.column((self.tables[at / STRIDE], at % STRIDE)).kind,
            Expr::Lit(text) if text.starts_with('\'') => Kind::Text,
            Expr::Lit(text) if matches!(text.as_str(), "true" | "false") => Kind::Bool,
            Expr::Lit(text) if text.starts_with("DATE") => Kind::Date,
            Expr::Lit(_) => Kind::Int,
            Expr::Bin("||", ..) | Expr::Cast(_, _, "VARCHAR") => Kind::Text,
            Expr::Cast(_, _, "DATE") => Kind::Date,
            Expr::Cast(..) => Kind::Int,
            test if is_test(test) => Kind::Bool,
            Expr::Bin(_, left, right) => match (of(left), of(right)) {
                (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
                (left, _) => left,
            },
            Expr::Before(_, inner) => of(inner),
            Expr::Case { whens, .. } => of(&whens[0].1),
            Expr::Call("date_part" | "character_length", _) => Kind::Int,
            Expr::Call("date_trunc", _) => Kind::Date,
            Expr::Call(_, args) => args.first().map_or(Kind::Float, of),
            Expr::Person(agg) if agg.function == "count" => Kind::Int,
            Expr::Person(agg) => agg.arg.as_ref().map_or(Kind::Float, of),
            Expr::Behind(..) | Expr::In(..) | Expr::Between(..) | Expr::Subquery(..) => Kind::Bool,
        }
    }
}

/// The columns that an expression reads.
pub(crate) fn read(expr: &Expr) -> BTreeSet<usize> {
    match expr {
        Expr::Col(at) => BTreeSet::from([*at]),
        other => other.parts().into_iter().flat_map(read).collect(),
    }
}

/// An expression that says true or false of a value.
pub(crate) fn is_test(expr: &Expr) -> bool {
    match expr {
        Expr::Bin(op, ..) => {
            matches!(*op, "=" | "<>" | "<" | "<=" | ">" | ">=" | "AND" | "OR" | "IS DISTINCT FROM")
        }
        Expr::Before(op, _) => *op == "NOT",
        Expr::Behind(..) | Expr::In(..) | Expr::Between(..) | Expr::Subquery(..) => true,
        _ => false,
    }
}
