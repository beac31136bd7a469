//! Functions below a cut: for each listed one, the arguments with which it cannot fail on any row.
//!
//! Some of DataFusion's functions fail on single values (`abs` of the least whole number, `substr` with a negative length,
//! `round` of a whole number far to the left). Each such case is an oracle, so it is refused or rewritten here.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{Between, BinaryExpr, Case, ScalarFunction};
use datafusion_expr::{Expr, Operator};
use liquid_policy::grain::Grain;

use crate::error::PlanError;
use crate::expression::{Size, Typed, admit, numeric, put_together, refused, same, size, text, type_of};
use crate::fold::is_constant;
use crate::functions::FUNCTIONS;
use crate::statement::unlisted;

/// Positions and lengths in texts.
const POSITION_MAX: i64 = 65_536;

/// Decimal places.
const PLACES_MAX: i64 = 15;

/// The years 1 to 9999, in days since 1970.
pub(crate) const CALENDAR: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// Parts of a date that are whole numbers whatever the date.
pub(crate) fn date_parts() -> &'static [&'static str] {
    Grain::Day.parts()
}

/// Rebuilds a call within the row-level language.
pub(crate) fn rebuild(function: &ScalarFunction, table: &DFSchema) -> Result<Typed, PlanError> {
    let name = function.func.name();
    if !FUNCTIONS.row_level(&function.func) {
        return Err(not_here(name));
    }
    let args = function.args.iter().map(|a| admit(a, table)).collect::<Result<Vec<_>, _>>()?;
    match (name, args.as_slice()) {
        ("abs", [x]) if x.data_type != DataType::Float64 && !is_constant(&x.expr) => {
            numeric(name, &x.data_type)?;
            return absolute(x);
        }
        ("round", [x]) if matches!(x.data_type, DataType::Int32 | DataType::Int64) => return Ok(x.clone()),
        ("abs", [x]) if is_constant(&x.expr) => {
            numeric(name, &x.data_type)?;
        }
        ("abs" | "ceil" | "floor" | "signum" | "round" | "trunc", [x]) => float(name, x)?,
        ("round" | "trunc", [x, places]) => {
            float(name, x)?;
            whole_between(name, places, -PLACES_MAX, PLACES_MAX)?;
        }
        ("coalesce", all) if !all.is_empty() => {
            same(name, all)?;
        }
        ("nullif", [a, b]) => {
            same(name, [a, b])?;
        }
        ("lower" | "upper" | "btrim" | "ltrim" | "rtrim" | "character_length", [x]) => {
            text(name, &x.data_type)?;
        }
        ("btrim" | "ltrim" | "rtrim", [x, letters]) => {
            text(name, &x.data_type)?;
            if !matches!(letters.expr, Expr::Literal(ScalarValue::Utf8(Some(_)), _)) {
                return Err(arguments(name, "write the letters to trim as a text"));
            }
        }
        ("concat", all) if !all.is_empty() => {
            put_together(all.iter().map(|part| &part.expr))?;
            text(name, &same(name, all)?)?;
        }
        ("left" | "right", [x, n]) => {
            text(name, &x.data_type)?;
            whole_between(name, n, -POSITION_MAX, POSITION_MAX)?;
        }
        ("substr", [x, from]) => {
            text(name, &x.data_type)?;
            whole_between(name, from, -POSITION_MAX, POSITION_MAX)?;
        }
        ("substr", [x, from, length]) => {
            text(name, &x.data_type)?;
            whole_between(name, from, -POSITION_MAX, POSITION_MAX)?;
            whole_between(name, length, 0, POSITION_MAX)?;
        }
        ("date_part", [part, x]) => return part_of_date(function, part, x),
        ("date_trunc", [word, x]) => return step_of_date(function, word, x),
        _ => {
            let fix =
                "write its arguments as PostgreSQL does; positions, lengths, places and letters are literals";
            return Err(arguments(name, fix));
        }
    }
    typed(function, args, table)
}

fn typed(function: &ScalarFunction, args: Vec<Typed>, table: &DFSchema) -> Result<Typed, PlanError> {
    let args = args.into_iter().map(|t| t.expr).collect();
    let call = Expr::ScalarFunction(ScalarFunction::new_udf(function.func.clone(), args));
    let data_type = type_of(&call, table)?;
    Ok(Typed::new(call, data_type))
}

fn not_here(name: &str) -> PlanError {
    match name {
        "sqrt" | "exp" | "ln" | "log" | "log2" | "log10" | "power" | "cbrt" => {
            refused(format!("`{name}`"), "use it above the aggregate")
        }
        _ => unlisted(name),
    }
}

fn arguments(name: &str, fix: &str) -> PlanError {
    refused(format!("`{name}` with such arguments"), fix)
}

fn float(name: &str, x: &Typed) -> Result<(), PlanError> {
    if x.data_type == DataType::Float64 {
        return Ok(());
    }
    Err(arguments(name, "give it a number of type DOUBLE, for example CAST(x AS DOUBLE)"))
}

fn whole_between(name: &str, argument: &Typed, low: i64, high: i64) -> Result<(), PlanError> {
    let value = match &argument.expr {
        Expr::Literal(ScalarValue::Int64(Some(n)), _) => Some(*n),
        Expr::Literal(ScalarValue::Int32(Some(n)), _) => Some(i64::from(*n)),
        _ => None,
    };
    match value {
        Some(n) if (low..=high).contains(&n) => Ok(()),
        _ => Err(arguments(name, &format!("write a whole number from {low} to {high} as a literal"))),
    }
}

/// `-x`. Over whole numbers it is written as `0 - x`, which wraps: DataFusion's minus fails on the least one wherever a
/// whole batch has one value.
pub(crate) fn negated(x: Expr, data_type: &DataType) -> Result<Expr, PlanError> {
    if *data_type == DataType::Float64 {
        return Ok(Expr::Negative(Box::new(x)));
    }
    let zero = ScalarValue::new_zero(data_type).map_err(PlanError::bug)?;
    Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(Expr::Literal(zero, None)), Operator::Minus, Box::new(x))))
}

/// `abs` of whole numbers fails on the least one, so it is written out with operators that cannot.
fn absolute(x: &Typed) -> Result<Typed, PlanError> {
    size(&x.expr).times(20).with(Size { nodes: 0, depth: 3 }).bounded()?;
    let zero = ScalarValue::new_zero(&x.data_type).map_err(PlanError::bug)?;
    Ok(Typed::new(Expr::Case(absolute_of(&x.expr, zero)), x.data_type.clone()))
}

fn absolute_of(x: &Expr, zero: ScalarValue) -> Case {
    let zero = Box::new(Expr::Literal(zero, None));
    let side = |op, (left, right)| Box::new(Expr::BinaryExpr(BinaryExpr::new(left, op, right)));
    let negative = side(Operator::Lt, (Box::new(x.clone()), zero.clone()));
    let minus = side(Operator::Minus, (zero, Box::new(x.clone())));
    Case::new(None, vec![(negative, minus)], Some(Box::new(x.clone())))
}

/// A CASE that stands for a function of its ELSE or of its one result: it chooses by nothing else.
pub(crate) fn is_rewritten(case: &Case) -> bool {
    let [(when, then)] = case.when_then_expr.as_slice() else { return false };
    let Some(otherwise) = &case.else_expr else {
        return within(then) == Expr::Case(case.clone());
    };
    match when.as_ref() {
        Expr::BinaryExpr(BinaryExpr { right, .. }) => match right.as_ref() {
            Expr::Literal(zero, _)
                if ScalarValue::new_zero(&zero.data_type()).is_ok_and(|it| it == *zero) =>
            {
                absolute_of(otherwise, zero.clone()) == *case
            }
            _ => false,
        },
        _ => false,
    }
}

/// A date, NULL outside the years 1 to 9999. Far dates have no parts, and where DataFusion has planned that a part is never
/// NULL, a row with one would make the question fail.
fn within_calendar(x: &Expr) -> Result<Expr, PlanError> {
    if let Expr::Literal(ScalarValue::Date32(day), _) = x {
        let day = day.filter(|day| CALENDAR.contains(day));
        return Ok(Expr::Literal(ScalarValue::Date32(day), None));
    }
    // A printed question is read again, and must come out the same.
    if let Expr::Case(case) = x
        && let [(_, then)] = case.when_then_expr.as_slice()
        && within(then) == *x
    {
        return Ok(x.clone());
    }
    size(x).times(2).with(Size { nodes: 4, depth: 2 }).bounded()?;
    Ok(within(x))
}

fn within(x: &Expr) -> Expr {
    let day = |day: &i32| Box::new(Expr::Literal(ScalarValue::Date32(Some(*day)), None));
    let (first, last) = (day(CALENDAR.start()), day(CALENDAR.end()));
    let between = Expr::Between(Between::new(Box::new(x.clone()), false, first, last));
    Expr::Case(Case::new(None, vec![(Box::new(between), Box::new(x.clone()))], None))
}

fn part_of_date(function: &ScalarFunction, part: &Typed, x: &Typed) -> Result<Typed, PlanError> {
    let word = match &part.expr {
        Expr::Literal(ScalarValue::Utf8(Some(word)), _) => word.to_lowercase(),
        _ => String::new(),
    };
    if x.data_type != DataType::Date32 || !date_parts().contains(&word.as_str()) {
        return Err(arguments("date_part", &format!("take one of {} of a date", date_parts().join(", "))));
    }
    let word = Expr::Literal(ScalarValue::Utf8(Some(word)), None);
    let call = ScalarFunction::new_udf(function.func.clone(), vec![word, within_calendar(&x.expr)?]);
    Ok(Typed::new(Expr::ScalarFunction(call), DataType::Int32))
}

fn step_of_date(function: &ScalarFunction, word: &Typed, x: &Typed) -> Result<Typed, PlanError> {
    let grain = match &word.expr {
        Expr::Literal(ScalarValue::Utf8(Some(word)), _) => crate::date_trunc::grain(word),
        _ => None,
    };
    let Some(grain) = grain.filter(|_| x.data_type == DataType::Date32) else {
        return Err(arguments("date_trunc", "take 'year', 'quarter', 'month', 'week' or 'day' of a date"));
    };
    let word = Expr::Literal(ScalarValue::Utf8(Some(grain.word().to_owned())), None);
    let call = ScalarFunction::new_udf(function.func.clone(), vec![word, x.expr.clone()]);
    Ok(Typed::new(Expr::ScalarFunction(call), DataType::Date32))
}
