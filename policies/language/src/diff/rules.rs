//! The rules for every table: disclosure, history, privacy, models, templates, release.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{self, Step};
use super::{About, Changes, Direction, keys, written};
use crate::decide::key;
use crate::file::{
    Disclosure, Dominance, History, LeftOut, Models, Perturb, Privacy, Release, Template, Zeros,
};
use crate::id::RoleName;

/// What may be seen of a table, cell by cell.
pub(super) fn disclosure(changes: &mut Changes, (old, new): (&Disclosure, &Disclosure)) {
    keys!(Disclosure {
        minimum_contributors, scope, combiner, dominance, p_ratio, zeros, left_out, secondary, protection, round_base,
        perturb, degrees_of_freedom, parameters_per_observation, openings_per_observation,
    } of old, new);
    let at = |part: &str| format!("disclosure.{part}");
    minimum(changes, minimum_contributors);
    changes.value(at("scope"), order::neither(scope), "where contributors are counted", scope);
    changes.value(at("combiner"), order::neither(combiner), "who opens joint answers", combiner);
    let step = order::switched(dominance, |(old, new)| {
        keys!(Dominance { n, share } of old, new);
        order::all([order::higher(n), order::lower(share)])
    });
    changes.value(at("dominance"), step, "how much of a sum its largest contributors may hold", dominance);
    let subject = "how closely the largest contributor must not be estimable";
    changes.value(at("p_ratio"), order::floor(p_ratio), subject, p_ratio);
    changes.add(at("zeros"), order::tighter_is(&Zeros::Suppress, zeros), About::Nothing, |way| match way {
        Direction::Tightens => format!("a zero is withheld like any small number; {}", way.effect()),
        _ => format!("a zero is shown, so that it is told from a small number; {}", way.effect()),
    });
    let subject = "against what those whom a question leaves out are judged";
    changes.value(at("left_out"), order::tighter_is(&LeftOut::Always, left_out), subject, left_out);
    let subject = "whether more cells are withheld so that totals do not give others away";
    changes.value(at("secondary"), order::switched(secondary, order::neither), subject, secondary);
    let subject = "the share of its value that a withheld sum stays uncertain by";
    changes.value(at("protection"), order::floor(protection), subject, protection);
    // What one rounding hides another one shows, so only to round at all is tighter.
    let step = order::switched(round_base, order::neither);
    changes.value(at("round_base"), step, "the step to which counts are rounded", round_base);
    let step = order::tighter_is(&Perturb::CellKey, perturb);
    changes.value(at("perturb"), step, "whether counts are perturbed", perturb);
    let subject = "observations that a model must have beyond its parameters";
    changes.value(at("degrees_of_freedom"), order::floor(degrees_of_freedom), subject, degrees_of_freedom);
    for (part, subject, pair) in [
        (
            "parameters_per_observation",
            "parameters that a model may have for each observation",
            parameters_per_observation,
        ),
        (
            "openings_per_observation",
            "numbers that may be opened for models for each observation",
            openings_per_observation,
        ),
    ] {
        changes.value(at(part), order::limit(pair), subject, pair);
    }
}

fn minimum(changes: &mut Changes, (old, new): (&u32, &u32)) {
    let about = About::Minimum(*old, *new);
    changes.add("disclosure.minimum_contributors", order::higher((old, new)), about, |way| {
        let said = |minimum: &u32| match minimum {
            0 | 1 => "any number of contributors".to_owned(),
            minimum => format!("at least {minimum} contributors"),
        };
        format!(
            "every cell needs {} behind it and among those whom the question leaves out, not {}; {}",
            said(new),
            said(old),
            way.effect()
        )
    });
}

/// To turn history on withholds what earlier answers would give away, and freezes the data too, so that people are in answers
/// who would be out by now: no order. To turn it off loosens.
pub(super) fn history(changes: &mut Changes, pair: (&Option<History>, &Option<History>)) {
    let (Some(old), Some(new)) = pair else {
        let step = order::switched(pair, order::neither);
        let step = step.map(|way| if way == Direction::Tightens { Direction::Neither } else { way });
        changes.value("history", step, "what earlier answers mean for later ones", pair);
        return;
    };
    keys!(History {
        scope, snapshot, opt_out_days, window_days, minimum_difference, search, max_rank, max_atoms, max_share,
    } of old, new);
    let at = |part: &str| format!("history.{part}");
    changes.value(at("scope"), order::neither(scope), "over what history is kept", scope);
    changes.value(at("snapshot"), order::neither(snapshot), "how often the data is frozen", snapshot);
    let subject = "days until an opt-out takes effect";
    changes.value(at("opt_out_days"), order::neither(opt_out_days), subject, opt_out_days);
    for (part, subject, pair) in [
        ("window_days", "days for which answers are remembered", window_days),
        ("minimum_difference", "contributors by which two answers must differ", minimum_difference),
        ("search", "earlier answers that are combined in search of a leak", search),
    ] {
        changes.value(at(part), written_in_both(pair, order::higher), subject, pair);
    }
    for (part, subject, pair) in [
        ("max_rank", "how many independent answers may be given", max_rank),
        ("max_atoms", "how many kinds of rows answers may tell apart", max_atoms),
    ] {
        changes.value(at(part), written_in_both(pair, order::lower), subject, pair);
    }
    let subject = "the share of all answers that one caller may use";
    changes.value(at("max_share"), written_in_both(max_share, order::lower), subject, max_share);
}

/// What stands in the place of a key that is left out here is not for the file to say, so only values that are written have an order.
fn written_in_both<T: PartialEq>(
    (old, new): (&Option<T>, &Option<T>),
    both: impl FnOnce((&T, &T)) -> Step,
) -> Step {
    match (old, new) {
        (Some(old), Some(new)) => both((old, new)),
        _ => order::neither((old, new)),
    }
}

/// Noise in the place of thresholds has no order against them.
pub(super) fn privacy(changes: &mut Changes, pair: (&Option<Privacy>, &Option<Privacy>)) {
    let (Some(old), Some(new)) = pair else {
        changes.value(
            "privacy",
            order::neither(pair),
            "whether answers carry noise in the place of rules",
            pair,
        );
        return;
    };
    keys!(Privacy {
        unit, measure, rho_total, rho_lifetime, delta, window_days, rho_per_caller, groups_per_entity_max,
    } of old, new);
    let at = |part: &str| format!("privacy.{part}");
    changes.value(at("unit"), order::neither(unit), "whom the noise protects", unit);
    changes.value(at("measure"), order::neither(measure), "how loss is measured", measure);
    changes.value(at("rho_total"), order::lower(rho_total), "the budget of a window", rho_total);
    changes.value(at("rho_lifetime"), order::limit(rho_lifetime), "the budget of all windows", rho_lifetime);
    changes.value(at("delta"), order::lower(delta), "the chance that the guarantee fails", delta);
    changes.value(at("window_days"), order::higher(window_days), "days of a window", window_days);
    let subject = "the budget of one caller";
    changes.value(at("rho_per_caller"), order::limit(rho_per_caller), subject, rho_per_caller);
    let subject = "groups to which one entity contributes";
    let step = order::neither(groups_per_entity_max);
    changes.value(at("groups_per_entity_max"), step, subject, groups_per_entity_max);
}

/// Folds are fixed; another number is another set of answers.
pub(super) fn models(changes: &mut Changes, (old, new): (&Option<Models>, &Option<Models>)) {
    let (Some(before), Some(after)) = (old, new) else {
        changes.value("models", order::neither((old, new)), "the rules for trained models", (old, new));
        return;
    };
    keys!(Models { folds } of before, after);
    changes.value("models.folds", order::neither(folds), "folds of a cross-validation", folds);
}

/// Approved queries, by their names. One that is reserved also takes away from all other questions.
pub(super) fn templates(changes: &mut Changes, (old, new): (&Vec<Template>, &Vec<Template>)) {
    let by_name = |templates: &'_ [Template]| -> BTreeMap<String, Vec<Template>> {
        let mut found: BTreeMap<String, Vec<Template>> = BTreeMap::new();
        for template in templates {
            found.entry(template.name.clone()).or_default().push(template.clone());
        }
        found
    };
    let (old, new) = (by_name(old), by_name(new));
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let clause = format!("template.{}", key(name));
        let (before, after) = (old.get(name).map(Vec::as_slice), new.get(name).map(Vec::as_slice));
        let step = match (before.unwrap_or_default(), after.unwrap_or_default()) {
            ([before], [after]) => template((before, after)),
            ([], [only]) if !only.reserve => Some(Direction::Loosens),
            ([only], []) if !only.reserve => Some(Direction::Tightens),
            pair => order::neither((&pair.0, &pair.1)),
        };
        let subject = format!("the approved query `{name}`");
        changes.add(clause, step, About::Nothing, |way| {
            let said = |templates: Option<&[Template]>| match templates {
                Some(templates) => written(&templates),
                None => "not there".to_owned(),
            };
            format!("{subject}: {} before, {} now; {}", said(before), said(after), way.effect())
        });
    }
}

fn template((old, new): (&Template, &Template)) -> Step {
    keys!(Template { name, sha256, roles, reserve } of old, new);
    let roles: (BTreeSet<&RoleName>, BTreeSet<&RoleName>) =
        (roles.0.iter().collect(), roles.1.iter().collect());
    let by_roles = order::fewer(&roles.0, &roles.1);
    order::all([order::neither(name), order::neither(sha256), by_roles, order::neither(reserve)])
}

/// The form of answers.
pub(super) fn release(changes: &mut Changes, (old, new): (&Release, &Release)) {
    keys!(Release { rows, templates_only, rows_out_max, time_class_ms } of old, new);
    changes.add("release.rows", order::leave(rows), About::Nothing, |way| match way {
        Direction::Tightens => format!("rows may no longer leave; {}", way.effect()),
        _ => format!("rows may leave, and not only numbers over many; {}", way.effect()),
    });
    let step = order::tighter_is(&true, templates_only);
    changes.add("release.templates_only", step, About::Nothing, |way| match way {
        Direction::Tightens => format!("only approved queries may be asked; {}", way.effect()),
        _ => format!("any query may be asked, not only approved ones; {}", way.effect()),
    });
    let about = About::Rows(*rows_out_max.0, *rows_out_max.1);
    changes.add("release.rows_out_max", order::lower(rows_out_max), about, |way| {
        format!("an answer may have {} rows, not {}; {}", rows_out_max.1, rows_out_max.0, way.effect())
    });
    let subject =
        "the times in milliseconds at which answers leave, so that they do not tell how long they took";
    let on = |times: &Vec<u64>| (!times.is_empty()).then(|| times.clone());
    let step = order::switched((&on(time_class_ms.0), &on(time_class_ms.1)), order::neither);
    changes.value("release.time_class_ms", step, subject, time_class_ms);
}
