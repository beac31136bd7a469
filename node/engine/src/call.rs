//! Approved queries with the values of a call: what they take and give, their plans, and whether a cut is one of them.
//!
//! Values are typed by the places in which the query uses its parameters, and bound; they are judged like literals.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use liquid_footprint::template::{self, plan_named};
use liquid_footprint::{Catalogue, PlanError, Request, SiteQuery};
use liquid_node_api::call::{Argument, Call};
use liquid_node_api::catalogue::{Kind, TemplateParameter};
use liquid_node_api::parameter::Parameter;
use liquid_policy::{Code, Refusal};

use crate::parameters::to_scalar;

/// Plans an approved query with the values of a call.
///
/// # Errors
/// What is wrong with the values, or as [`liquid_footprint::plan()`].
pub fn plan(text: &str, call: &Call, catalogue: &Catalogue) -> Result<LogicalPlan, PlanError> {
    let takes = takes(text, catalogue)?;
    plan_named(text, &values(&takes, call)?, catalogue)
}

/// What an approved query takes.
///
/// # Errors
/// Where it is no query over these tables, or a parameter has no type.
pub fn takes(text: &str, catalogue: &Catalogue) -> Result<Vec<TemplateParameter>, PlanError> {
    let found = template::parameters(text, catalogue)?;
    found
        .into_iter()
        .map(|it| {
            let kind = kind_of(&it.data_type);
            let kind = kind.ok_or_else(|| PlanError::Bug(format!("a parameter of type {}", it.data_type)))?;
            Ok(TemplateParameter { name: it.name, kind })
        })
        .collect()
}

/// The shared model's type for a plan's.
pub(crate) fn kind_of(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Boolean => Kind::Boolean,
        DataType::Date32 => Kind::Date,
        DataType::Utf8 => Kind::Text,
        whole if whole.is_integer() => Kind::Integer,
        number if number.is_floating() => Kind::Float,
        _ => return None,
    })
}

/// Plans an approved query with values that say nothing, one of each type: whether it can be planned at all, and what its cuts
/// touch. The day begins a year, a quarter, a month and a week.
///
/// # Errors
/// As [`plan`].
pub fn plan_with_any(text: &str, catalogue: &Catalogue) -> Result<LogicalPlan, PlanError> {
    let any = |kind: Kind| match kind {
        Kind::Boolean => ScalarValue::Boolean(Some(true)),
        Kind::Integer => ScalarValue::Int64(Some(1)),
        Kind::Float => ScalarValue::Float64(Some(1.0)),
        Kind::Text => ScalarValue::Utf8(Some("a".to_owned())),
        Kind::Date => ScalarValue::Date32(Some(MONDAY)),
    };
    let values: Vec<_> = takes(text, catalogue)?.iter().map(|it| any(it.kind)).collect();
    plan_named(text, &values, catalogue)
}

/// 2024-01-01.
const MONDAY: i32 = 19_723;

/// The request of a cut that a coordinator sent, if it is one of those that the approved query has at this site.
///
/// # Errors
/// The refusal where it is something else.
pub(crate) fn one_of(sent: Request, cuts: &[SiteQuery], name: &str) -> Result<Request, PlanError> {
    match sent.cuts.as_slice() {
        [only] if sent.bare() && cuts.contains(&only.query) => Ok(sent),
        _ => Err(PlanError::Refused(Refusal::new(
            Code::TemplateOnly,
            "template",
            format!("this is no part of the approved query `{name}` with the values that were sent along"),
            "ask again; if it stays so, tell the coordinator's operator",
        ))),
    }
}

/// The values of a call, in the order of the parameters.
fn values(takes: &[TemplateParameter], call: &Call) -> Result<Vec<ScalarValue>, PlanError> {
    let wrong = |message: String| PlanError::Invalid { message, fix: signature(takes, call) };
    let mut given: Vec<Option<&Parameter>> = vec![None; takes.len()];
    let mut by_name = false;
    for (place, Argument { name, value }) in call.arguments.iter().enumerate() {
        let at = match name {
            Some(name) => {
                by_name = true;
                let at = takes.iter().position(|it| it.name == *name);
                at.ok_or_else(|| wrong(format!("`{}` has no parameter `{name}`", call.name)))?
            }
            None if by_name => {
                return Err(wrong("a value without a name stands behind one with a name".to_owned()));
            }
            None => place,
        };
        match given.get_mut(at) {
            None => {
                let (many, most) = (call.arguments.len(), takes.len());
                return Err(wrong(format!("`{}` takes {most} values, and {many} are given", call.name)));
            }
            Some(Some(_)) => {
                let name = takes.get(at).map(|it| it.name.as_str()).unwrap_or_default();
                return Err(wrong(format!("parameter `{name}` is given twice")));
            }
            Some(place) => *place = Some(value),
        }
    }
    let missing: Vec<_> = takes
        .iter()
        .zip(&given)
        .filter(|(_, it)| it.is_none())
        .map(|(it, _)| format!("`{}`", it.name))
        .collect();
    if !missing.is_empty() {
        return Err(wrong(format!("`{}` needs a value for {}", call.name, missing.join(", "))));
    }
    let typed = takes.iter().zip(given.into_iter().flatten());
    typed
        .map(|(takes, value)| {
            typed_as(takes.kind, value).ok_or_else(|| {
                wrong(format!("parameter `{}` takes {}, not this value", takes.name, example(takes.kind)))
            })
        })
        .collect()
}

/// A value as one of a type: NULL is of any, a whole number is a number too, and a text is what it reads as.
fn typed_as(kind: Kind, value: &Parameter) -> Option<ScalarValue> {
    let text = match value {
        Parameter::Utf8(Some(text)) => Some(text.as_str()),
        _ => None,
    };
    let null = matches!(
        value,
        Parameter::Null
            | Parameter::Boolean(None)
            | Parameter::Int64(None)
            | Parameter::Float64(None)
            | Parameter::Utf8(None)
            | Parameter::Date32(None)
    );
    Some(match (kind, value) {
        (Kind::Boolean, _) if null => ScalarValue::Boolean(None),
        (Kind::Integer, _) if null => ScalarValue::Int64(None),
        (Kind::Float, _) if null => ScalarValue::Float64(None),
        (Kind::Text, _) if null => ScalarValue::Utf8(None),
        (Kind::Date, _) if null => ScalarValue::Date32(None),
        (Kind::Boolean, Parameter::Boolean(_))
        | (Kind::Integer, Parameter::Int64(_))
        | (Kind::Float, Parameter::Float64(_))
        | (Kind::Text, Parameter::Utf8(_))
        | (Kind::Date, Parameter::Date32(_)) => to_scalar(value),
        #[expect(clippy::cast_precision_loss, reason = "as SQL widens whole numbers")]
        (Kind::Float, Parameter::Int64(Some(number))) => ScalarValue::Float64(Some(*number as f64)),
        (Kind::Boolean, _) => ScalarValue::Boolean(Some(text?.to_ascii_lowercase().parse().ok()?)),
        (Kind::Integer, _) => ScalarValue::Int64(Some(text?.parse().ok()?)),
        (Kind::Float, _) => {
            ScalarValue::Float64(Some(text?.parse::<f64>().ok().filter(|number| number.is_finite())?))
        }
        (Kind::Date, _) => {
            ScalarValue::Date32(Some(text?.parse::<chrono::NaiveDate>().ok()?.to_epoch_days()))
        }
        (Kind::Text, _) => return None,
    })
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "TRUE or FALSE",
        Kind::Integer => "a whole number",
        Kind::Float => "a number",
        Kind::Text => "a text in quotes",
        Kind::Date => "a day such as DATE '2024-12-31'",
    }
}

/// How a query is called.
fn signature(takes: &[TemplateParameter], call: &Call) -> String {
    if takes.is_empty() {
        return format!("write `EXECUTE \"{}\"`: it takes no values", call.name);
    }
    let takes: Vec<_> = takes.iter().map(|it| format!("{} => {}", it.name, it.kind.sql_name())).collect();
    format!("it is called as `EXECUTE \"{}\"({})`", call.name, takes.join(", "))
}
