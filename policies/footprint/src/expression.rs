//! The row-level language: the closed list of expressions that may stand below a cut.
//!
//! [`admit`] does not check an expression, it rebuilds it: what comes out is made of the parts below and of nothing else.
//! All of them are deterministic, bounded in size and *total*: no row can make them fail, since an error is an answer.
//! Aliases, qualifiers and metadata are dropped, constants are computed, forms that mean the same become one.

use arrow::datatypes::DataType;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, ScalarValue};
use datafusion_expr::expr::{Between, BinaryExpr, Case, InList, Like};
use datafusion_expr::{Cast, Expr, ExprSchemable, Operator, TryCast};
use liquid_policy::Code;

use crate::call;
use crate::error::PlanError;
use crate::fold::{fold, is_constant};

/// Characters of a LIKE pattern, and how many `_` may be among them: behind a `%` each doubles what a matcher can remember.
const PATTERN_MAX: usize = 256;
const PLACES_MAX: usize = 8;

/// Bytes of literals, and texts of columns, in one text that is put together. A batch of rows has room for so much, so
/// that no row can be the one that fills it; and no row costs more time than others by much.
const TEXT_BYTES_MAX: usize = 4096;
const TEXT_COLUMNS_MAX: usize = 8;

/// Bytes of a literal that weigh as much as another node.
const NODE_BYTES: usize = 64;

/// Nodes of one expression after everything that it names has been put in.
const NODES_MAX: usize = 20_000;

/// Its depth. Whoever walks it later, on an ordinary stack, recurses this deep.
const DEPTH_MAX: usize = 500;

/// An expression of the row-level language, with its type.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) data_type: DataType,
}

impl Typed {
    pub(crate) fn new(expr: Expr, data_type: DataType) -> Self {
        Self { expr, data_type }
    }
}

/// Rebuilds an expression over the unqualified columns of `table` within the row-level language.
///
/// # Errors
/// [`Code::Expression`] or [`Code::Function`] for what is not in the language, [`PlanError::Invalid`] for a constant that
/// cannot be computed.
pub(crate) fn admit(expr: &Expr, table: &DFSchema) -> Result<Typed, PlanError> {
    let typed = rebuild(expr, table)?;
    fold(typed)
}

/// As [`admit`], for a condition: its type is Boolean, and a constant NULL is the same as `false`.
pub(crate) fn admit_condition(expr: &Expr, table: &DFSchema) -> Result<Expr, PlanError> {
    let typed = admit(expr, table)?;
    match typed.expr {
        Expr::Literal(ref value, _) if value.is_null() => Ok(boolean(false)),
        other if typed.data_type == DataType::Boolean => Ok(other),
        _ => Err(refused("a condition that is neither true nor false", "compare with something")),
    }
}

pub(crate) fn refused(what: impl std::fmt::Display, fix: &str) -> PlanError {
    let message = format!("{what} may not stand below an aggregate, where single rows are read");
    PlanError::refused(Code::Expression, "expressions", message, fix)
}

pub(crate) fn boolean(value: bool) -> Expr {
    Expr::Literal(ScalarValue::Boolean(Some(value)), None)
}

#[deny(clippy::wildcard_enum_match_arm)] // a new variant must not compile unseen
fn rebuild(expr: &Expr, table: &DFSchema) -> Result<Typed, PlanError> {
    let simple = "use comparisons, AND, OR, NOT, CASE, arithmetic and the listed functions";
    match expr {
        Expr::Alias(alias) => rebuild(&alias.expr, table),
        Expr::Column(column) => base_column(column, table),
        Expr::Literal(value, _) => literal(value),
        Expr::BinaryExpr(binary) => operation(binary, table),
        Expr::Like(like) => pattern(like, table),
        // As the analyser writes it: NOT over IN, LIKE and BETWEEN is their own negation.
        Expr::Not(inner) => predicate(inner, table, |inner| !*inner),
        Expr::IsNotNull(inner) => null_test(inner, table, Expr::IsNotNull),
        Expr::IsNull(inner) => null_test(inner, table, Expr::IsNull),
        Expr::IsTrue(inner) => predicate(inner, table, Expr::IsTrue),
        Expr::IsFalse(inner) => predicate(inner, table, Expr::IsFalse),
        Expr::IsUnknown(inner) => predicate(inner, table, Expr::IsUnknown),
        Expr::IsNotTrue(inner) => predicate(inner, table, Expr::IsNotTrue),
        Expr::IsNotFalse(inner) => predicate(inner, table, Expr::IsNotFalse),
        Expr::IsNotUnknown(inner) => predicate(inner, table, Expr::IsNotUnknown),
        Expr::Negative(inner) => {
            let inner = admit(inner, table)?;
            numeric("unary minus", &inner.data_type)?;
            Ok(Typed::new(call::negated(inner.expr, &inner.data_type)?, inner.data_type))
        }
        Expr::Between(between) => range(between, table),
        Expr::Case(case) => branches(case, table),
        Expr::Cast(cast) => conversion(cast, table),
        Expr::TryCast(cast) => attempt(cast, table),
        Expr::ScalarFunction(function) => call::rebuild(function, table),
        Expr::InList(list) => membership(list, table),
        Expr::SimilarTo(_) => Err(refused("SIMILAR TO", "use LIKE")),
        Expr::AggregateFunction(_) => Err(refused("an aggregate", "aggregate in a query of its own")),
        Expr::WindowFunction(_) => Err(refused("a window function", "aggregate first")),
        Expr::Exists(_) => Err(refused("EXISTS", simple)),
        Expr::InSubquery(_) => Err(refused("IN over a subquery", "write the values as a list")),
        Expr::SetComparison(_) => Err(refused("ANY or ALL over a subquery", "write the values as a list")),
        Expr::ScalarSubquery(_) => {
            Err(refused("a subquery", "ask it first, then write its result as a literal or a parameter"))
        }
        Expr::OuterReferenceColumn(..) => Err(refused("a correlated subquery", simple)),
        Expr::ScalarVariable(..) => Err(refused("a session variable", "write a literal or a parameter")),
        Expr::Placeholder(_) => Err(refused("a parameter without a value", "bind a value to it")),
        Expr::GroupingSet(_) => Err(refused("a grouping set", "ask one query for each set")),
        Expr::Unnest(_) => Err(refused("UNNEST", simple)),
        Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => {
            Err(refused("a lambda", simple))
        }
        #[expect(deprecated, reason = "the match is exhaustive, and the variant still exists")]
        Expr::Wildcard { .. } => Err(refused("`*`", "name the columns")),
    }
}

fn base_column(column: &Column, table: &DFSchema) -> Result<Typed, PlanError> {
    let field = table.field_with_unqualified_name(&column.name).map_err(PlanError::bug)?;
    let data_type = field.data_type().clone();
    // A part of a date, which a step may have as a key.
    let known = crate::plan::is_wire_type(&data_type) || data_type == DataType::Int32;
    if !known || data_type == DataType::Null {
        let message = format!("column `{}` has type {data_type}, which cannot be computed with", column.name);
        return Err(PlanError::refused(Code::Expression, "expressions", message, "use another column"));
    }
    Ok(Typed::new(Expr::Column(Column::new_unqualified(&column.name)), data_type))
}

fn literal(value: &ScalarValue) -> Result<Typed, PlanError> {
    let value = match value {
        // One text type everywhere.
        ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => ScalarValue::Utf8(text.clone()),
        other => other.clone(),
    };
    put_together([&Expr::Literal(value.clone(), None)])?;
    let data_type = value.data_type();
    if !supported(&data_type) && data_type != DataType::Null {
        let fix = "write a truth value, a number, a text or a date";
        return Err(refused(format!("a literal of type {data_type}"), fix));
    }
    Ok(Typed::new(Expr::Literal(value, None), data_type))
}

fn operation(binary: &BinaryExpr, table: &DFSchema) -> Result<Typed, PlanError> {
    let left = admit(&binary.left, table)?;
    let right = admit(&binary.right, table)?;
    let op = binary.op;
    let data_type = match op {
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom => {
            same("a comparison", [&left, &right])?;
            DataType::Boolean
        }
        Operator::And | Operator::Or => {
            truth(&left.data_type)?;
            truth(&right.data_type)?;
            DataType::Boolean
        }
        Operator::Plus | Operator::Minus | Operator::Multiply => {
            numeric("arithmetic", &same("arithmetic", [&left, &right])?)?
        }
        Operator::Divide | Operator::Modulo => {
            let data_type = numeric("a division", &same("a division", [&left, &right])?)?;
            divisor(&right.expr)?;
            data_type
        }
        Operator::StringConcat => {
            put_together([&left.expr, &right.expr])?;
            text("||", &same("||", [&left, &right])?)?
        }
        Operator::RegexMatch
        | Operator::RegexIMatch
        | Operator::RegexNotMatch
        | Operator::RegexNotIMatch
        | Operator::LikeMatch
        | Operator::ILikeMatch
        | Operator::NotLikeMatch
        | Operator::NotILikeMatch => return Err(refused("a regular expression", "use LIKE")),
        Operator::BitwiseAnd
        | Operator::BitwiseOr
        | Operator::BitwiseXor
        | Operator::BitwiseShiftRight
        | Operator::BitwiseShiftLeft
        | Operator::AtArrow
        | Operator::ArrowAt
        | Operator::Arrow
        | Operator::LongArrow
        | Operator::HashArrow
        | Operator::HashLongArrow
        | Operator::AtAt
        | Operator::IntegerDivide
        | Operator::HashMinus
        | Operator::AtQuestion
        | Operator::Question
        | Operator::QuestionAnd
        | Operator::QuestionPipe
        | Operator::Colon => {
            return Err(refused(format!("operator `{op}`"), "use comparisons and + - * /"));
        }
    };
    let expr = Expr::BinaryExpr(BinaryExpr::new(Box::new(left.expr), op, Box::new(right.expr)));
    Ok(Typed::new(expr, data_type))
}

/// A division cannot fail if it is by a literal other than 0 and, for whole numbers, -1 (the least number has no positive).
fn divisor(right: &Expr) -> Result<(), PlanError> {
    let safe = match right {
        Expr::Literal(ScalarValue::Int64(Some(n)), _) => *n != 0 && *n != -1,
        Expr::Literal(ScalarValue::Int32(Some(n)), _) => *n != 0 && *n != -1,
        Expr::Literal(ScalarValue::Float64(Some(x)), _) => x.is_normal(),
        _ => false,
    };
    if safe {
        Ok(())
    } else {
        Err(refused("a division by anything but a literal other than 0 and -1", "divide above the aggregate"))
    }
}

fn pattern(like: &Like, table: &DFSchema) -> Result<Typed, PlanError> {
    let expr = admit(&like.expr, table)?;
    text("LIKE", &expr.data_type)?;
    let pattern = admit(&like.pattern, table)?;
    let fits = match &pattern.expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => {
            text.chars().count() <= PATTERN_MAX && text.matches('_').count() <= PLACES_MAX
        }
        _ => false,
    };
    if !fits || like.escape_char.is_some() {
        let fix = format!(
            "write the pattern as a text of at most {PATTERN_MAX} characters, at most {PLACES_MAX} of them `_`, without ESCAPE"
        );
        return Err(refused("LIKE with such a pattern", &fix));
    }
    let (expr, pattern) = (Box::new(expr.expr), Box::new(pattern.expr));
    let like = Like::new(like.negated, expr, pattern, None, like.case_insensitive);
    Ok(Typed::new(Expr::Like(like), DataType::Boolean))
}

fn predicate(inner: &Expr, table: &DFSchema, wrap: fn(Box<Expr>) -> Expr) -> Result<Typed, PlanError> {
    let inner = admit(inner, table)?;
    truth(&inner.data_type)?;
    Ok(Typed::new(wrap(Box::new(inner.expr)), DataType::Boolean))
}

fn null_test(inner: &Expr, table: &DFSchema, wrap: fn(Box<Expr>) -> Expr) -> Result<Typed, PlanError> {
    let inner = admit(inner, table)?;
    Ok(Typed::new(wrap(Box::new(inner.expr)), DataType::Boolean))
}

fn range(between: &Between, table: &DFSchema) -> Result<Typed, PlanError> {
    let expr = admit(&between.expr, table)?;
    let low = admit(&between.low, table)?;
    let high = admit(&between.high, table)?;
    same("BETWEEN", [&expr, &low, &high])?;
    let [expr, low, high] = [expr, low, high].map(|t| Box::new(t.expr));
    Ok(Typed::new(Expr::Between(Between::new(expr, between.negated, low, high)), DataType::Boolean))
}

/// `CASE x WHEN v` is `CASE WHEN x = v`: one form, so that every condition is a condition.
fn branches(case: &Case, table: &DFSchema) -> Result<Typed, PlanError> {
    let base = case.expr.as_ref().map(|e| admit(e, table)).transpose()?;
    if let Some(base) = &base {
        size(&base.expr).times(case.when_then_expr.len()).bounded()?;
    }
    let mut when_then = Vec::with_capacity(case.when_then_expr.len());
    let mut results = Vec::with_capacity(case.when_then_expr.len() + 1);
    for (when, then) in &case.when_then_expr {
        let when = admit(when, table)?;
        let condition = match &base {
            Some(base) => {
                same("CASE", [base, &when])?;
                let (left, right) = (Box::new(base.expr.clone()), Box::new(when.expr));
                let equal = Expr::BinaryExpr(BinaryExpr::new(left, Operator::Eq, right));
                fold(Typed::new(equal, DataType::Boolean))?.expr
            }
            None => {
                truth(&when.data_type)?;
                when.expr
            }
        };
        let then = admit(then, table)?;
        when_then.push((Box::new(condition), Box::new(then.expr.clone())));
        results.push(then);
    }
    let otherwise = case.else_expr.as_ref().map(|e| admit(e, table)).transpose()?;
    results.extend(otherwise.iter().cloned());
    let data_type = same("the results of CASE", &results)?;
    let otherwise = otherwise.map(|t| Box::new(t.expr));
    Ok(Typed::new(Expr::Case(Case::new(None, when_then, otherwise)), data_type))
}

fn conversion(cast: &Cast, table: &DFSchema) -> Result<Typed, PlanError> {
    let inner = admit(&cast.expr, table)?;
    let to = text_as_one(cast.field.data_type());
    if inner.data_type == to {
        return Ok(inner);
    }
    // A constant is computed now; whether that fails says nothing about data.
    if (is_constant(&inner.expr) && supported(&to)) || cannot_fail(&inner.data_type, &to) {
        return Ok(Typed::new(Expr::Cast(Cast::new(Box::new(inner.expr), to.clone())), to));
    }
    let fix = match inner.data_type {
        DataType::Date32 => "use date_part('year', …), or compare with a date",
        _ => "write TRY_CAST, which gives NULL instead, or compare with a literal of the column's own type",
    };
    Err(refused(format!("a cast from {} to {to} that fails on some values", inner.data_type), fix))
}

fn attempt(cast: &TryCast, table: &DFSchema) -> Result<Typed, PlanError> {
    use DataType::{Boolean, Date32, Float64, Int32, Int64, Utf8};
    let inner = admit(&cast.expr, table)?;
    let to = text_as_one(cast.field.data_type());
    if inner.data_type == to {
        return Ok(inner);
    }
    let can = match (&inner.data_type, &to) {
        (Utf8 | Boolean | Int32 | Int64 | Float64, Boolean | Int32 | Int64 | Float64 | Utf8) => true,
        // The way back is not total, TRY or not: writing out a date fails far from today.
        (Utf8, Date32) => true,
        _ => is_constant(&inner.expr) && supported(&to),
    };
    if can {
        return Ok(Typed::new(Expr::TryCast(TryCast::new(Box::new(inner.expr), to.clone())), to));
    }
    let fix = "use BIGINT, DOUBLE, VARCHAR, BOOLEAN or DATE";
    Err(refused(format!("TRY_CAST from {} to {to}", inner.data_type), fix))
}

/// Casts that give a value for every value.
fn cannot_fail(from: &DataType, to: &DataType) -> bool {
    use DataType::{Boolean, Float64, Int32, Int64, Utf8};
    matches!(
        (from, to),
        (Boolean, Int32 | Int64 | Utf8) | (Int32, Int64 | Float64 | Utf8) | (Int64, Float64 | Utf8)
    )
}

fn membership(list: &InList, table: &DFSchema) -> Result<Typed, PlanError> {
    let expr = admit(&list.expr, table)?;
    let items = list.list.iter().map(|e| admit(e, table)).collect::<Result<Vec<_>, _>>()?;
    if !items.iter().all(|t| is_constant(&t.expr)) {
        return Err(refused("IN over anything but literals", "write `x = y OR x = z`"));
    }
    same("IN", std::iter::once(&expr).chain(&items))?;
    let items = items.into_iter().map(|t| t.expr).collect();
    let list = InList::new(Box::new(expr.expr), items, list.negated);
    Ok(Typed::new(Expr::InList(list), DataType::Boolean))
}

fn text_as_one(data_type: &DataType) -> DataType {
    if data_type.is_string() { DataType::Utf8 } else { data_type.clone() }
}

/// The types of the row-level language: those of the shared model, and the whole numbers that functions return.
fn supported(data_type: &DataType) -> bool {
    use DataType::{Boolean, Date32, Float64, Int32, Int64, Utf8};
    matches!(data_type, Boolean | Int32 | Int64 | Float64 | Utf8 | Date32)
}

/// One supported type for all: the analyser has written out whatever cast makes them the same.
pub(crate) fn same<'a>(
    what: &str,
    parts: impl IntoIterator<Item = &'a Typed>,
) -> Result<DataType, PlanError> {
    let mut parts = parts.into_iter().map(|t| &t.data_type);
    let first = parts.next().ok_or_else(|| PlanError::bug("no parts"))?;
    if parts.all(|t| t == first) && supported(first) {
        return Ok(first.clone());
    }
    Err(refused(
        format!("{what} over these types"),
        "compare like with like: numbers, texts, dates or truth values",
    ))
}

pub(crate) fn numeric(what: &str, data_type: &DataType) -> Result<DataType, PlanError> {
    match data_type {
        DataType::Int32 | DataType::Int64 | DataType::Float64 => Ok(data_type.clone()),
        other => Err(refused(format!("{what} over {other}"), "use a number")),
    }
}

pub(crate) fn text(what: &str, data_type: &DataType) -> Result<DataType, PlanError> {
    if *data_type == DataType::Utf8 {
        return Ok(DataType::Utf8);
    }
    Err(refused(format!("{what} over {data_type}"), "use a text"))
}

fn truth(data_type: &DataType) -> Result<(), PlanError> {
    if *data_type == DataType::Boolean {
        return Ok(());
    }
    Err(refused(format!("a condition of type {data_type}"), "compare with something"))
}

/// Refuses a text that is put together out of too much.
pub(crate) fn put_together<'a>(parts: impl IntoIterator<Item = &'a Expr>) -> Result<(), PlanError> {
    let (mut bytes, mut columns) = (0_usize, 0_usize);
    for part in parts {
        let (part_bytes, part_columns) = text_parts(part);
        bytes = bytes.saturating_add(part_bytes);
        columns = columns.saturating_add(part_columns);
    }
    if bytes <= TEXT_BYTES_MAX && columns <= TEXT_COLUMNS_MAX {
        return Ok(());
    }
    let message = format!(
        "a text below an aggregate is made of more than {TEXT_BYTES_MAX} bytes or {TEXT_COLUMNS_MAX} columns"
    );
    Err(PlanError::refused(
        Code::Limit,
        "limits.text",
        message,
        "shorten it, or put texts together above the aggregate",
    ))
}

/// Bytes of literals and number of column texts that an expression's value can be made of; an upper bound.
fn text_parts(expr: &Expr) -> (usize, usize) {
    match expr {
        Expr::Literal(value, _) => (bytes(value), 0),
        Expr::Column(_) => (0, 1),
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            results
                .map(|result| text_parts(result))
                .fold((0, 0), |most, part| (most.0.max(part.0), most.1.max(part.1)))
        }
        other => {
            let (mut bytes, mut columns) = (0_usize, 0_usize);
            // The visitor's closure never fails.
            let _ = other.apply_children(|child| {
                let part = text_parts(child);
                bytes = bytes.saturating_add(part.0);
                columns = columns.saturating_add(part.1);
                Ok(TreeNodeRecursion::Continue)
            });
            (bytes, columns)
        }
    }
}

fn bytes(value: &ScalarValue) -> usize {
    match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)) => text.len(),
        _ => 0,
    }
}

/// How large an expression is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) depth: usize,
}

/// Measures an expression.
pub(crate) fn size(expr: &Expr) -> Size {
    let mut below = Size::default();
    if let Expr::Literal(value, _) = expr {
        below.nodes = bytes(value) / NODE_BYTES;
    }
    // The visitor's closure never fails.
    let _ = expr.apply_children(|child| {
        let Size { nodes, depth } = size(child);
        below = Size { nodes: below.nodes.saturating_add(nodes), depth: below.depth.max(depth) };
        Ok(TreeNodeRecursion::Continue)
    });
    Size { nodes: below.nodes.saturating_add(1), depth: below.depth + 1 }
}

impl Size {
    /// The size with so many copies side by side.
    pub(crate) fn times(self, copies: usize) -> Self {
        Self { nodes: self.nodes.saturating_mul(copies), ..self }
    }

    /// The size with another expression put in, somewhere.
    pub(crate) fn with(self, other: Self) -> Self {
        Self { nodes: self.nodes.saturating_add(other.nodes), depth: self.depth.saturating_add(other.depth) }
    }

    /// Refuses expressions that grow out of bounds when what they name is put in.
    pub(crate) fn bounded(self) -> Result<(), PlanError> {
        if self.nodes <= NODES_MAX && self.depth <= DEPTH_MAX {
            return Ok(());
        }
        let message = "an expression grows too large once its columns are written out";
        Err(PlanError::refused(Code::Limit, "limits.expression", message, "compute less in subqueries"))
    }
}

/// The type of an expression that [`admit`] made.
pub(crate) fn type_of(expr: &Expr, table: &DFSchema) -> Result<DataType, PlanError> {
    expr.get_type(table).map_err(PlanError::bug)
}
