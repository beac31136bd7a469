//! A [`SiteQuery`] as SQL text and bound values, and the proof that the text reads back as the same question.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{BinaryExpr, Case, ScalarFunction};
use datafusion_expr::{Expr, Operator};
use liquid_policy::footprint::{Function, place_in_cut};
use liquid_policy::id::ColumnName;

use crate::catalogue::Catalogue;
use crate::cut::{Request, cut};
use crate::error::PlanError;
use crate::plan::{is_wire_type, plan};
use crate::site_query::{SiteAggregate, SiteQuery};

/// A question as text: what a coordinator sends to a site.
#[derive(Debug, Clone, PartialEq)]
pub struct Printed {
    /// The SQL, fully parenthesised, identifiers quoted, outputs named `g0` … `a0` ….
    pub sql: String,
    /// Values for `$1`, `$2`, …; equal literals share one. Boolean, Int64, Float64, Utf8, Date32, or typed NULLs of these.
    pub parameters: Vec<ScalarValue>,
}

/// Prints a question. The names of calendar fields in `date_part` are words of the language and stand in the text;
/// every other literal is a parameter.
///
/// # Errors
/// [`PlanError::Bug`] for an expression outside the row-level language.
pub fn print(query: &SiteQuery) -> Result<Printed, PlanError> {
    let mut printer = Printer { tables: query.tables.len(), parameters: Vec::new() };
    let Some(step) = &query.step else {
        let tables = printer.tables(query);
        let sql = printer.select(query, &tables, ["g", "a"])?;
        return Ok(Printed { sql, parameters: printer.parameters });
    };
    let below = SiteQuery {
        step: None,
        filter: step.filter.clone(),
        groups: step.keys.clone(),
        aggregates: step.values.clone(),
        ..query.clone()
    };
    let tables = printer.tables(&below);
    let below = printer.select(&below, &tables, ["k", "v"])?;
    printer.tables = 1;
    let above = SiteQuery { joins: Vec::new(), ..query.clone() };
    let sql = printer.select(&above, &format!("({below}) AS \"s\""), ["g", "a"])?;
    Ok(Printed { sql, parameters: printer.parameters })
}

/// Prints a question, plans the text against `catalogue` (the *site's* tables), cuts it, and compares: the text is
/// returned only if it reads back as one bare cut that equals the question. Call it before sending.
///
/// # Errors
/// As for [`print`], [`plan`] and [`cut`]; [`PlanError::Bug`] where the question did not come back the same.
pub fn roundtrip(query: &SiteQuery, catalogue: &Catalogue) -> Result<(Printed, Request), PlanError> {
    let printed = print(query)?;
    let request = cut(plan(&printed.sql, &printed.parameters, catalogue)?)?;
    match request.cuts.as_slice() {
        [only] if only.query == *query && request.bare() => Ok((printed, request)),
        _ => Err(PlanError::bug(format!("a question does not read back as it was printed: {}", printed.sql))),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

struct Printer {
    tables: usize,
    parameters: Vec<ScalarValue>,
}

impl Printer {
    /// The tables of a question.
    fn tables(&self, query: &SiteQuery) -> String {
        let tables = query.tables.iter().enumerate().map(|(at, table)| {
            let name: Vec<_> = table.as_str().split('.').map(quoted).collect();
            let alias = if self.tables > 1 { format!(" AS \"t{at}\"") } else { String::new() };
            name.join(".") + &alias
        });
        tables.collect::<Vec<_>>().join(", ")
    }

    /// A question over `from`, its keys and values called by these letters.
    fn select(
        &mut self,
        query: &SiteQuery,
        from: &str,
        [key, value]: [&str; 2],
    ) -> Result<String, PlanError> {
        let keys = query.groups.iter().map(|e| self.expr(e)).collect::<Result<Vec<_>, _>>()?;
        let values = query.aggregates.iter().map(|a| self.aggregate(a)).collect::<Result<Vec<_>, _>>()?;
        let columns = keys.iter().enumerate().map(|(i, text)| format!("{text} AS \"{key}{i}\""));
        let columns =
            columns.chain(values.iter().enumerate().map(|(i, text)| format!("{text} AS \"{value}{i}\"")));
        let mut sql = format!("SELECT {} FROM {from}", columns.collect::<Vec<_>>().join(", "));
        let mut conditions = query
            .joins
            .iter()
            .map(|(left, right)| Ok(format!("({} = {})", self.column(left)?, self.column(right)?)))
            .collect::<Result<Vec<_>, PlanError>>()?;
        if let Some(filter) = &query.filter {
            conditions.push(self.expr(filter)?);
        }
        if !conditions.is_empty() {
            sql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        if !keys.is_empty() {
            sql += &format!(" GROUP BY {}", keys.join(", "));
        }
        Ok(sql)
    }

    fn aggregate(&mut self, aggregate: &SiteAggregate) -> Result<String, PlanError> {
        let argument = aggregate.argument.as_ref().map_or_else(|| Ok("*".to_owned()), |a| self.expr(a))?;
        let mut text = match aggregate.function {
            Function::Count => format!("count({argument})"),
            Function::CountDistinct => format!("count(DISTINCT {argument})"),
            Function::Sum => format!("sum({argument})"),
            Function::Avg => format!("avg({argument})"),
            Function::Min => format!("min({argument})"),
            Function::Max => format!("max({argument})"),
        };
        if let Some(filter) = &aggregate.filter {
            text += &format!(" FILTER (WHERE {})", self.expr(filter)?);
        }
        Ok(text)
    }

    /// A column, with its table's alias where there are several tables.
    fn column(&self, name: &str) -> Result<String, PlanError> {
        if self.tables == 1 {
            return Ok(quoted(name));
        }
        let (table, own) = place_in_cut(self.tables, &ColumnName::new(name))
            .ok_or_else(|| PlanError::bug(format!("`{name}` is no column of a join")))?;
        Ok(format!("\"t{table}\".{}", quoted(own.as_str())))
    }

    fn expr(&mut self, expr: &Expr) -> Result<String, PlanError> {
        Ok(match expr {
            Expr::Column(column) => self.column(&column.name)?,
            Expr::Literal(value, _) => self.literal(value)?,
            Expr::BinaryExpr(binary) => format!("({})", self.chain(binary)?),
            Expr::Not(e) => format!("(NOT {})", self.expr(e)?),
            Expr::Negative(e) => format!("(- {})", self.expr(e)?),
            Expr::IsNull(e) => format!("({} IS NULL)", self.expr(e)?),
            Expr::IsNotNull(e) => format!("({} IS NOT NULL)", self.expr(e)?),
            Expr::IsTrue(e) => format!("({} IS TRUE)", self.expr(e)?),
            Expr::IsNotTrue(e) => format!("({} IS NOT TRUE)", self.expr(e)?),
            Expr::IsFalse(e) => format!("({} IS FALSE)", self.expr(e)?),
            Expr::IsNotFalse(e) => format!("({} IS NOT FALSE)", self.expr(e)?),
            Expr::IsUnknown(e) => format!("({} IS UNKNOWN)", self.expr(e)?),
            Expr::IsNotUnknown(e) => format!("({} IS NOT UNKNOWN)", self.expr(e)?),
            Expr::Like(like) => {
                let not = if like.negated { "NOT " } else { "" };
                let word = if like.case_insensitive { "ILIKE" } else { "LIKE" };
                format!("({} {not}{word} {})", self.expr(&like.expr)?, self.expr(&like.pattern)?)
            }
            Expr::Between(between) => {
                let not = if between.negated { "NOT " } else { "" };
                let (low, high) = (&between.low, &between.high);
                format!(
                    "({} {not}BETWEEN {} AND {})",
                    self.expr(&between.expr)?,
                    self.expr(low)?,
                    self.expr(high)?
                )
            }
            Expr::InList(list) => {
                let not = if list.negated { "NOT " } else { "" };
                format!("({} {not}IN ({}))", self.expr(&list.expr)?, self.list(&list.list)?)
            }
            Expr::Case(case) => self.case(case)?,
            Expr::Cast(cast) => {
                format!("CAST({} AS {})", self.expr(&cast.expr)?, type_name(cast.field.data_type())?)
            }
            Expr::TryCast(cast) => {
                format!("TRY_CAST({} AS {})", self.expr(&cast.expr)?, type_name(cast.field.data_type())?)
            }
            Expr::ScalarFunction(function) => self.call(function)?,
            other => return Err(PlanError::bug(format!("no text for the expression {other}"))),
        })
    }

    /// An operation without its outer parentheses. Operators of one rank read from left to right, so a long chain stays
    /// flat: parentheses around each link would run into the cap on nesting.
    fn chain(&mut self, binary: &BinaryExpr) -> Result<String, PlanError> {
        let left = match binary.left.as_ref() {
            Expr::BinaryExpr(inner) if rank(inner.op).is_some() && rank(inner.op) == rank(binary.op) => {
                self.chain(inner)?
            }
            other => self.expr(other)?,
        };
        Ok(format!("{left} {} {}", binary.op, self.expr(&binary.right)?))
    }

    fn case(&mut self, case: &Case) -> Result<String, PlanError> {
        if case.expr.is_some() {
            return Err(PlanError::bug("CASE over a value should have become CASE over conditions"));
        }
        let mut text = "(CASE".to_owned();
        for (when, then) in &case.when_then_expr {
            text += &format!(" WHEN {} THEN {}", self.expr(when)?, self.expr(then)?);
        }
        if let Some(otherwise) = &case.else_expr {
            text += &format!(" ELSE {}", self.expr(otherwise)?);
        }
        Ok(text + " END)")
    }

    fn call(&mut self, function: &ScalarFunction) -> Result<String, PlanError> {
        let name = function.func.name();
        if name == "date_part" || name == "date_trunc" {
            let [Expr::Literal(ScalarValue::Utf8(Some(part)), _), date] = function.args.as_slice() else {
                return Err(PlanError::bug(format!("{name} of something else than a date")));
            };
            if !crate::call::date_parts().contains(&part.as_str()) {
                return Err(PlanError::bug("an unknown part of a date"));
            }
            return Ok(format!("{name}('{part}', {})", self.expr(date)?));
        }
        Ok(format!("{name}({})", self.list(&function.args)?))
    }

    fn list(&mut self, all: &[Expr]) -> Result<String, PlanError> {
        Ok(all.iter().map(|e| self.expr(e)).collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    fn literal(&mut self, value: &ScalarValue) -> Result<String, PlanError> {
        let data_type = value.data_type();
        if data_type == DataType::Int32 {
            let wide = value.cast_to(&DataType::Int64).map_err(PlanError::bug)?;
            return Ok(format!("CAST({} AS INTEGER)", self.parameter(wide)));
        }
        if !is_wire_type(&data_type) || data_type == DataType::Null {
            return Err(PlanError::bug(format!("no text for a literal of type {data_type}")));
        }
        Ok(self.parameter(value.clone()))
    }

    fn parameter(&mut self, value: ScalarValue) -> String {
        let index = self.parameters.iter().position(|old| *old == value).unwrap_or_else(|| {
            self.parameters.push(value);
            self.parameters.len() - 1
        });
        format!("${}", index + 1)
    }
}

/// Operators that may follow one another without parentheses.
fn rank(op: Operator) -> Option<u8> {
    match op {
        Operator::Or => Some(0),
        Operator::And => Some(1),
        Operator::Plus | Operator::Minus => Some(2),
        Operator::Multiply | Operator::Divide | Operator::Modulo => Some(3),
        Operator::StringConcat => Some(4),
        _ => None,
    }
}

fn type_name(data_type: &DataType) -> Result<&'static str, PlanError> {
    match data_type {
        DataType::Boolean => Ok("BOOLEAN"),
        DataType::Int32 => Ok("INTEGER"),
        DataType::Int64 => Ok("BIGINT"),
        DataType::Float64 => Ok("DOUBLE"),
        DataType::Utf8 => Ok("VARCHAR"),
        DataType::Date32 => Ok("DATE"),
        other => Err(PlanError::bug(format!("no name for type {other}"))),
    }
}
