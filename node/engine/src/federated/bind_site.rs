//! Pass: at each site the virtual column `site` is one known value. Conditions on it are decided here, group keys that
//! read nothing else are filled in here, and a site that has nothing to say is not asked.

use std::collections::BTreeSet;

use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use liquid_footprint::{PlanError, SiteAggregate, SiteQuery};
use liquid_policy::footprint::Function;
use liquid_policy::id::SiteName;

use super::decompose::Decomposed;
use super::recipe::{KeySource, Share};

/// What one site is asked for a cut, and where its share lies in the answer.
#[derive(Debug)]
pub struct Bound {
    /// What it is asked.
    pub query: SiteQuery,
    /// Where its share lies.
    pub share: Share,
}

/// Binds a cut to a site, whose name each of `site_columns` is; none where the question's own conditions leave it out.
///
/// # Errors
/// Where a condition on `site` cannot be decided beforehand.
pub fn bind_site(
    cut: &Decomposed,
    site: &SiteName,
    site_columns: &BTreeSet<String>,
    base: &Schema,
) -> Result<Option<Bound>, PlanError> {
    let name = ScalarValue::Utf8(Some(site.to_string()));
    let bound = cut.query.bind(site_columns, &name, base)?;
    if bound.groups.len() != cut.query.groups.len() || bound.aggregates.len() != cut.query.aggregates.len() {
        return Err(PlanError::Bug("binding `site` moved columns".to_owned()));
    }
    if bound.never() {
        return Ok(None);
    }
    let mut groups = Vec::new();
    let keys = bound
        .groups
        .into_iter()
        .map(|key| match key {
            Expr::Literal(value, _) => KeySource::Constant(value),
            key => KeySource::Sent(place(&mut groups, key)),
        })
        .collect::<Vec<_>>();
    let asked: Vec<_> =
        bound.aggregates.into_iter().map(|partial| Some(partial).filter(|it| !it.never())).collect();
    let mut aggregates = Vec::new();
    let partials: Vec<_> = asked
        .iter()
        .map(|partial| partial.as_ref().map(|partial| place(&mut aggregates, narrowest(partial, &asked))))
        .collect();
    let mut presence = None;
    if groups.is_empty() && !keys.is_empty() {
        // The site is asked for one group over everything, which is there even if no row is.
        presence = Some(place(&mut aggregates, rows()));
    }
    if groups.is_empty() && aggregates.is_empty() {
        return Ok(None);
    }
    let behind_keys = |number: usize| groups.len() + number;
    let share = Share {
        site: site.clone(),
        partials: partials.into_iter().map(|number| number.map(behind_keys)).collect(),
        presence: presence.map(behind_keys),
        columns: groups.len() + aggregates.len(),
        keys,
    };
    let SiteQuery { tables, joins, step, filter, .. } = bound;
    Ok(Some(Bound { query: SiteQuery { tables, joins, step, filter, groups, aggregates }, share }))
}

/// Where the sum of a column is asked for as it is, it serves as the sum of the widened column too: a plan names both
/// alike, so that they cannot stand beside each other.
fn narrowest(partial: &SiteAggregate, asked: &[Option<SiteAggregate>]) -> SiteAggregate {
    let as_it_is = match &partial.argument {
        Some(Expr::Cast(cast)) => SiteAggregate { argument: Some((*cast.expr).clone()), ..partial.clone() },
        _ => return partial.clone(),
    };
    let sum = partial.function == Function::Sum;
    if sum && asked.iter().flatten().any(|other| *other == as_it_is) { as_it_is } else { partial.clone() }
}

fn rows() -> SiteAggregate {
    SiteAggregate { function: Function::Count, argument: None, filter: None }
}

/// The number of a column; one that is already asked for is not asked for again.
fn place<T: PartialEq>(columns: &mut Vec<T>, column: T) -> usize {
    columns.iter().position(|other| *other == column).unwrap_or_else(|| {
        columns.push(column);
        columns.len() - 1
    })
}
