//! Numbers, lists of numbers, durations and hashes: each within what it can mean, enforced already or not.

use super::Check;
use crate::file::{self, File};
use crate::id::TableName;
use crate::table::Bounds;

/// The most folds of a cross-validation.
const FOLDS_MAX: u32 = 10;

impl Check<'_> {
    /// Every number of the rules that hold for all tables.
    pub(super) fn numbers(&mut self, file: &File) {
        let head = &file.agreement;
        if let Some(retention) = &head.retention {
            self.count(&["agreement", "retention", "results_days"], retention.results_days);
            self.count(&["agreement", "retention", "logs_days"], retention.logs_days);
        }
        if head.termination.as_deref().is_some_and(|text| !is_duration(text)) {
            self.problem(
                &["agreement", "termination"],
                "the notice for leaving is no ISO 8601 duration",
                "write days, weeks, months or years, for example `P30D`, `P6W`, `P3M` or `P1Y`",
            );
        }
        self.disclosure(&file.disclosure);
        if let Some(history) = &file.history {
            let at = |key| ["history", key];
            self.count(&at("opt_out_days"), history.opt_out_days);
            self.count(&at("window_days"), history.window_days);
            self.count(&at("minimum_difference"), history.minimum_difference);
            self.count(&at("search"), history.search);
            self.count(&at("max_rank"), history.max_rank);
            self.count(&at("max_atoms"), history.max_atoms);
            self.share(&at("max_share"), history.max_share);
        }
        self.privacy(file);
        if let Some(models) = &file.models
            && !(2..=FOLDS_MAX).contains(&models.folds)
        {
            self.problem(
                &["models", "folds"],
                format!("a cross-validation has 2 to {FOLDS_MAX} folds"),
                format!("write a number from 2 to {FOLDS_MAX}"),
            );
        }
        if file.history.is_some() && file.disclosure.minimum_contributors == 1 {
            self.problem(
                &["history"],
                "a history looks at contributors, and `minimum_contributors = 1` switches off that they are counted",
                "write a minimum of 2 or more, or take `[history]` out",
            );
        }
        self.ascending(&["release", "time_class_ms"], &file.release.time_class_ms, "milliseconds");
    }

    fn disclosure(&mut self, disclosure: &file::Disclosure) {
        let at = |key| ["disclosure", key];
        let few = disclosure.minimum_contributors == 1;
        let concentration =
            [("dominance", disclosure.dominance.is_some()), ("p_ratio", disclosure.p_ratio.is_some())];
        for (key, _) in concentration.into_iter().filter(|(_, written)| few && *written) {
            self.problem(
                &at(key),
                format!("`{key}` looks at contributors, and `minimum_contributors = 1` switches off that they are counted"),
                format!("write a minimum of 2 or more, or take `{key}` out"),
            );
        }
        if let Some(dominance) = &disclosure.dominance {
            self.count(&["disclosure", "dominance", "n"], Some(dominance.n));
            self.share(&["disclosure", "dominance", "share"], Some(dominance.share));
        }
        self.share(&at("p_ratio"), disclosure.p_ratio);
        self.share(&at("protection"), disclosure.protection);
        self.count(&at("round_base"), disclosure.round_base);
        self.count(&at("degrees_of_freedom"), disclosure.degrees_of_freedom);
        self.share(&at("parameters_per_observation"), disclosure.parameters_per_observation);
        self.positive(&at("openings_per_observation"), disclosure.openings_per_observation);
    }

    fn privacy(&mut self, file: &File) {
        let Some(privacy) = &file.privacy else { return };
        let at = |key| ["privacy", key];
        if !file.table.values().any(|table| table.entity.as_ref() == Some(&privacy.unit)) {
            self.problem(
                &at("unit"),
                format!("`{}` is the entity of no table of the agreement", privacy.unit),
                "name the column that a table names as its `entity`",
            );
        }
        self.positive(&at("rho_total"), Some(privacy.rho_total));
        self.positive(&at("rho_lifetime"), privacy.rho_lifetime);
        self.positive(&at("rho_per_caller"), privacy.rho_per_caller);
        if privacy.rho_lifetime.is_some_and(|lifetime| lifetime < privacy.rho_total) {
            self.problem(
                &at("rho_lifetime"),
                "the budget of all windows is less than that of one",
                "make `rho_lifetime` at least `rho_total`",
            );
        }
        if privacy.rho_per_caller.is_some_and(|caller| caller > privacy.rho_total) {
            self.problem(
                &at("rho_per_caller"),
                "the budget of one caller is more than that of all",
                "make `rho_per_caller` at most `rho_total`",
            );
        }
        if !(privacy.delta > 0.0 && privacy.delta < 1.0) {
            self.problem(
                &at("delta"),
                "`delta` is a probability between 0 and 1, neither included",
                "write for example `1e-8`",
            );
        }
        self.count(&at("window_days"), Some(privacy.window_days));
        self.count(&at("groups_per_entity_max"), privacy.groups_per_entity_max);
    }

    /// Every number of one table.
    pub(super) fn numbers_of_table(&mut self, name: &TableName, table: &file::Table) {
        let at = ["table", name.as_str(), "entity_counts"];
        self.ascending(&at, &table.entity_counts.iter().map(|n| u64::from(*n)).collect::<Vec<_>>(), "counts");
        for (column, written) in &table.columns {
            let at = |rest: &[&'static str]| {
                [&["table", name.as_str(), "columns", column.as_str()], rest].concat()
            };
            let Some(quantiles) = &written.quantiles else { continue };
            let inside = quantiles.probs.iter().all(|p| *p > 0.0 && *p < 1.0);
            let ascending = quantiles.probs.iter().zip(quantiles.probs.iter().skip(1)).all(|(a, b)| a < b);
            if quantiles.probs.is_empty() || !inside || !ascending {
                self.problem(
                    &at(&["quantiles", "probs"]),
                    "`probs` lists ascending probabilities between 0 and 1, neither included",
                    "write for example `[0.25, 0.5, 0.75]`",
                );
            }
            self.positive(&at(&["quantiles", "round_to"]), Some(quantiles.round_to));
            self.count(&at(&["quantiles", "min_each_side"]), Some(quantiles.min_each_side));
        }
    }

    /// The bounds of a measure.
    pub(super) fn bounds(
        &mut self,
        path: &[&str; 4],
        column: &file::Column,
        measure: bool,
    ) -> Option<Bounds> {
        let [least, greatest] = column.bounds?;
        let at = [path.as_slice(), &["bounds"]].concat();
        if !measure {
            self.problem(
                &at,
                "`bounds` says nothing for a column that is no measure",
                "add `measure` to its `use`, or leave `bounds` out",
            );
        }
        if column.domain.is_some() || column.grain.is_some() {
            self.problem(
                &at,
                "a value outside the domain is none already, and days have a `grain`",
                "leave out `bounds`, or the other key",
            );
        }
        let bounds = Bounds::new(least, greatest);
        if bounds.is_none() {
            self.problem(
                &at,
                format!("the bounds end at {greatest}, which is not above {least}"),
                "write the least value first, then the greatest",
            );
        }
        bounds
    }

    /// A number of things of which there is at least one.
    fn count(&mut self, path: &[&str], number: Option<u32>) {
        if number == Some(0) {
            let key = path.last().copied().unwrap_or_default();
            self.problem(
                path,
                format!("`{key}` is 0"),
                "write 1 or more, or leave the key out where it may be",
            );
        }
    }

    fn share(&mut self, path: &[&str], share: Option<f64>) {
        if share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            let key = path.last().copied().unwrap_or_default();
            self.problem(
                path,
                format!("`{key}` is a share: more than 0, and 1 at most"),
                "write for example `0.10` for a tenth",
            );
        }
    }

    fn positive(&mut self, path: &[&str], number: Option<f64>) {
        if number.is_some_and(|number| !(number > 0.0 && number.is_finite())) {
            let key = path.last().copied().unwrap_or_default();
            self.problem(path, format!("`{key}` is more than 0"), "write a number above 0");
        }
    }

    /// A list of numbers from 1 up, each greater than the one before it.
    fn ascending(&mut self, path: &[&str], numbers: &[u64], of: &str) {
        let mut before = 0;
        for (index, number) in numbers.iter().enumerate() {
            if *number <= before {
                let index = index.to_string();
                let key = path.last().copied().unwrap_or_default();
                self.problem(
                    &[path, &[index.as_str()]].concat(),
                    format!("`{key}` lists ascending {of}, and {number} does not stand above {before}"),
                    "write them from the least to the greatest, each once",
                );
            }
            before = *number;
        }
    }

    /// The SHA-256 of a file, as it is written.
    pub(super) fn sha256(&mut self, path: &[&str], hash: &str) -> bool {
        let is = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is {
            self.problem(
                path,
                "this is no SHA-256: it has 64 digits, 0 to 9 and a to f",
                "write what `sha256sum FILE` prints",
            );
        }
        is
    }
}

/// `P`, then whole numbers of years, months, weeks and days in this order, at least one of them above 0.
fn is_duration(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix('P') else { return false };
    let mut some = false;
    for unit in ['Y', 'M', 'W', 'D'] {
        if let Some((number, after)) = rest.split_once(unit) {
            if number.is_empty() || number.len() > 4 || !number.bytes().all(|b| b.is_ascii_digit()) {
                return false;
            }
            some |= number.bytes().any(|b| b != b'0');
            rest = after;
        }
    }
    some && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_iso_8601_in_days_and_longer() {
        for good in ["P30D", "P6W", "P3M", "P1Y", "P1Y6M", "P1Y2M3D"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in
            ["", "P", "30D", "P30", "PT12H", "P1D1Y", "P-1D", "P0D", "P1.5Y", "30 days", "P1D ", "P99999D"]
        {
            assert!(!is_duration(bad), "{bad}");
        }
    }
}
