//! Questions with an aggregate by entity below another: by the entity or a key within it, counts on all kinds of bins, measures.

use liquid_policy::footprint::{
    Aggregate, Argument, CountUse, Footprint, Function, GroupKey, Step, StepKey, Term, step_key, step_value,
};

use super::asked::columns;

/// All of them over one table.
pub(super) fn steps(over: &Footprint) -> Vec<Footprint> {
    let rows = || Aggregate { function: Function::Count, argument: Argument::Rows, filter: vec![] };
    let plain = |name: &str| StepKey { columns: columns(&[name]), plain: true, released: false };
    let mut all = Vec::new();
    for keys in [vec![plain("upi")], vec![plain("vid")], vec![plain("upi"), plain("kind")]] {
        for edges in [None, Some(&[][..]), Some(&[1]), Some(&[2, 5]), Some(&[3]), Some(&[1, 2, 5])] {
            let edges = edges.map(|edges| edges.iter().copied().collect());
            let counts = vec![CountUse { value: step_value(0), edges }];
            let step = Step { filter: vec![], keys: keys.clone(), values: vec![rows()], counts };
            all.push(Footprint { filter: vec![step_value(0)], step: Some(step.clone()), ..over.clone() });
            let groups =
                vec![GroupKey { columns: vec![step_value(0)] }, GroupKey { columns: vec![step_key(0)] }];
            all.push(Footprint { groups, step: Some(step), ..over.clone() });
        }
        for (function, column) in [
            (Function::Sum, "cost"),
            (Function::Max, "kind"),
            (Function::Min, "age"),
            (Function::Avg, "income"),
        ] {
            let term = |name| Argument::Term(Term { columns: vec![name], factors: vec![] });
            let value = Aggregate { function, argument: term(column.into()), filter: columns(&["kind"]) };
            let step = Step { filter: vec![], keys: keys.clone(), values: vec![value], counts: vec![] };
            for outer in [Function::Count, Function::Sum, Function::Max, Function::CountDistinct] {
                let aggregates =
                    vec![Aggregate { function: outer, argument: term(step_value(0)), filter: vec![] }];
                all.push(Footprint { aggregates, step: Some(step.clone()), ..over.clone() });
            }
        }
    }
    all
}
