//! The functions that a query may name. The planner's registry holds these and no other, so whatever is missing here
//! (clocks, randomness, regular expressions, functions that grow texts) cannot be written at all.
//!
//! Three lists: scalar functions for rows below a cut and anywhere above it; scalar functions for released values only;
//! aggregate and window functions. Which *aggregates* may form a cut is [`crate::cut`]'s to say.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion_functions::{core, datetime, math, string, unicode};
use datafusion_functions_aggregate as aggregate;
use datafusion_functions_window as window;

/// Every function, by name and by alias.
#[derive(Debug)]
pub(crate) struct Functions {
    pub(crate) scalars: BTreeMap<String, Arc<ScalarUDF>>,
    pub(crate) aggregates: BTreeMap<String, Arc<AggregateUDF>>,
    pub(crate) windows: BTreeMap<String, Arc<WindowUDF>>,
    row_level: Vec<Arc<ScalarUDF>>,
}

/// The one registry.
pub(crate) static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::listed);

impl Functions {
    fn listed() -> Self {
        let row_level = row_level();
        let scalars = row_level.iter().cloned().chain(released_scalars());
        Self {
            scalars: by_name(scalars, |f| (f.name(), f.aliases())),
            aggregates: by_name(released_aggregates(), |f| (f.name(), f.aliases())),
            windows: by_name(released_windows(), |f| (f.name(), f.aliases())),
            row_level,
        }
    }

    /// This very function may read rows below a cut: it is deterministic, its result is bounded, and with the arguments
    /// that [`crate::call`] lets pass it cannot fail.
    pub(crate) fn row_level(&self, function: &ScalarUDF) -> bool {
        self.row_level.iter().any(|f| f.as_ref() == function)
    }

    /// This very function may read released values.
    pub(crate) fn scalar(&self, function: &ScalarUDF) -> bool {
        self.scalars.get(function.name()).is_some_and(|f| f.as_ref() == function)
    }

    /// This very aggregate may read released values.
    pub(crate) fn aggregate(&self, function: &AggregateUDF) -> bool {
        self.aggregates.get(function.name()).is_some_and(|f| f.as_ref() == function)
    }

    /// This very window function may read released values.
    pub(crate) fn window(&self, function: &WindowUDF) -> bool {
        self.windows.get(function.name()).is_some_and(|f| f.as_ref() == function)
    }

    /// Any function of this name, as written in SQL with or without OVER.
    pub(crate) fn named(&self, name: &str, over: bool) -> bool {
        let alone = if over { self.windows.contains_key(name) } else { self.scalars.contains_key(name) };
        alone || self.aggregates.contains_key(name)
    }
}

fn row_level() -> Vec<Arc<ScalarUDF>> {
    vec![
        math::abs(),
        math::ceil(),
        math::floor(),
        math::round(),
        math::trunc(),
        math::signum(),
        core::coalesce(),
        core::nullif(),
        string::lower(),
        string::upper(),
        string::btrim(),
        string::ltrim(),
        string::rtrim(),
        string::concat(),
        unicode::substr(),
        unicode::left(),
        unicode::right(),
        unicode::character_length(),
        datetime::date_part(),
        crate::date_trunc::function(),
    ]
}

fn released_scalars() -> Vec<Arc<ScalarUDF>> {
    vec![
        math::cbrt(),
        math::exp(),
        math::isnan(),
        math::iszero(),
        math::ln(),
        math::log(),
        math::log10(),
        math::log2(),
        math::nanvl(),
        math::power(),
        math::sqrt(),
        core::greatest(),
        core::least(),
        core::nvl(),
        core::nvl2(),
        string::contains(),
        string::ends_with(),
        string::starts_with(),
        unicode::initcap(),
        unicode::strpos(),
    ]
}

fn released_aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate::count::count_udaf(),
        aggregate::sum::sum_udaf(),
        aggregate::average::avg_udaf(),
        aggregate::min_max::min_udaf(),
        aggregate::min_max::max_udaf(),
        aggregate::median::median_udaf(),
        aggregate::stddev::stddev_udaf(),
        aggregate::stddev::stddev_pop_udaf(),
        aggregate::variance::var_samp_udaf(),
        aggregate::variance::var_pop_udaf(),
        aggregate::covariance::covar_samp_udaf(),
        aggregate::covariance::covar_pop_udaf(),
        aggregate::correlation::corr_udaf(),
        aggregate::bool_and_or::bool_and_udaf(),
        aggregate::bool_and_or::bool_or_udaf(),
    ]
}

fn released_windows() -> Vec<Arc<WindowUDF>> {
    vec![
        window::row_number::row_number_udwf(),
        window::rank::rank_udwf(),
        window::rank::dense_rank_udwf(),
        window::rank::percent_rank_udwf(),
        window::cume_dist::cume_dist_udwf(),
        window::ntile::ntile_udwf(),
        window::lead_lag::lag_udwf(),
        window::lead_lag::lead_udwf(),
        window::nth_value::first_value_udwf(),
        window::nth_value::last_value_udwf(),
        window::nth_value::nth_value_udwf(),
    ]
}

fn by_name<F>(
    functions: impl IntoIterator<Item = Arc<F>>,
    names: impl Fn(&F) -> (&str, &[String]),
) -> BTreeMap<String, Arc<F>> {
    let mut map = BTreeMap::new();
    for function in functions {
        let (name, aliases) = names(&function);
        let all: Vec<String> = std::iter::once(name.to_owned()).chain(aliases.iter().cloned()).collect();
        map.extend(all.into_iter().map(|n| (n, Arc::clone(&function))));
    }
    map
}

#[cfg(test)]
mod tests {
    use datafusion_expr::Volatility;

    use super::*;

    #[test]
    fn every_listed_function_is_deterministic() {
        for f in FUNCTIONS.scalars.values() {
            assert_eq!(f.signature().volatility, Volatility::Immutable, "{}", f.name());
        }
        for f in FUNCTIONS.aggregates.values() {
            assert_eq!(f.signature().volatility, Volatility::Immutable, "{}", f.name());
        }
    }

    #[test]
    fn what_can_hurt_has_no_name() {
        for name in [
            "random",
            "uuid",
            "now",
            "current_date",
            "current_time",
            "repeat",
            "lpad",
            "rpad",
            "replace",
            "translate",
            "regexp_like",
            "regexp_replace",
            "md5",
            "sha256",
            "array_agg",
            "string_agg",
            "first_value_agg",
            "bit_xor",
            "bit_or",
            "bit_and",
            "approx_distinct",
            "approx_median",
            "approx_percentile_cont",
            "percentile_cont",
            "arrow_cast",
            "arrow_typeof",
            "generate_series",
            "range",
            "array_repeat",
            "chr",
            "to_hex",
            "version",
            "input_file_name",
            "unnest",
            "any_value",
        ] {
            assert!(!FUNCTIONS.named(name, false) && !FUNCTIONS.named(name, true), "{name}");
        }
    }
}
