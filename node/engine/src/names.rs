//! Names of the columns between the stages of a guarded cut. No column of a model can begin with `liquid:`.

/// A model's column must not begin like this.
pub(crate) const RESERVED: &str = "liquid:";

/// A group key.
pub(crate) fn key(at: usize) -> String {
    format!("liquid:g{at}")
}

/// A group key of the groups that the declared domains allow.
pub(crate) fn declared_key(at: usize) -> String {
    format!("liquid:declared{at}")
}

/// Whether the question lets every row of a group into the cells of an aggregate.
pub(crate) fn always(at: usize) -> String {
    format!("liquid:always{at}")
}

/// Whether a missing value can leave a row of a group out of the cells of an aggregate.
pub(crate) fn gap(at: usize) -> String {
    format!("liquid:gap{at}")
}

/// An aggregate as asked.
pub(crate) fn aggregate(at: usize) -> String {
    format!("liquid:a{at}")
}

/// A condition, computed once a row.
pub(crate) fn condition(at: usize) -> String {
    format!("liquid:f{at}")
}

/// A count of contributors.
pub(crate) fn count(at: usize) -> String {
    format!("liquid:n{at}")
}

/// What a row adds to a sum that is judged for concentration, NULL where it adds nothing.
pub(crate) fn weight(at: usize) -> String {
    format!("liquid:w{at}")
}

/// Which of those sums are spread over enough entities.
pub(crate) fn spread(chunk: usize) -> String {
    format!("liquid:spread{chunk}")
}

/// Who is in which populations of a family of cells.
pub(crate) fn family(at: usize) -> String {
    format!("liquid:family{at}")
}

/// The hash of a measure's value.
pub(crate) fn value(at: usize) -> String {
    format!("liquid:value{at}")
}

/// Whose rows are in which populations, with which values.
pub(crate) const TERMS: &str = "liquid:terms";

/// The entity's hash.
pub(crate) const ENTITY: &str = "liquid:entity";

/// The distinct entities of a whole group.
pub(crate) const ENTITIES: &str = "liquid:entities";

/// A column of `true`, where a relation would have none.
pub(crate) const ROW: &str = "liquid:row";

/// Whether any row of a declared group can pass WHERE.
pub(crate) const POSSIBLE: &str = "liquid:possible";

/// A column of the join's rows that a part of it must agree with to have a partner.
pub(crate) fn partner(at: usize) -> String {
    format!("liquid:partner{at}")
}

/// A group key, among the counts of whom the join leaves out of a part.
pub(crate) fn apart_key(part: usize, at: usize) -> String {
    format!("liquid:p{part}g{at}")
}

/// Whom the join leaves out of a part, for an aggregate.
pub(crate) fn apart(part: usize, at: usize) -> String {
    format!("liquid:p{part}l{at}")
}

/// Whether what the join leaves out of a part is spread, for an aggregate.
pub(crate) fn apart_spread(part: usize, at: usize) -> String {
    format!("liquid:p{part}e{at}")
}

/// Whether a row of a part has no partner.
pub(crate) const OUTSIDE: &str = "liquid:outside";

/// An entity that a filter names.
pub(crate) const OUT: &str = "liquid:out";

/// Whether a row of a step by entity is there as asked: some row below it passes.
pub(crate) const PRESENT: &str = "liquid:present";

/// The entity of a row of a step.
pub(crate) const OF_STEP: &str = "liquid:of";

/// A value of a step as it would be without WHERE, without its own FILTER, or without both.
pub(crate) fn undone(filter: bool, own: bool, at: usize) -> String {
    format!("liquid:u{}{}v{at}", u8::from(filter), u8::from(own))
}

/// What an entity contributes to a unit of a cell, as asked and with conditions undone.
pub(crate) fn contribution(at: usize, unit: usize, undone: bool) -> String {
    format!("liquid:{}{at}_{unit}", if undone { "u" } else { "q" })
}

/// A group key among the counts of those whom the conditions below a step concern.
pub(crate) fn differ_key(pass: usize, at: usize) -> String {
    format!("liquid:d{pass}g{at}")
}

/// Whether what conditions below a step change is spread over those whom they concern, for a unit of a cell.
pub(crate) fn differ_spread(pass: usize, at: usize, unit: usize) -> String {
    format!("liquid:d{pass}e{at}_{unit}")
}

/// Whom the conditions below a step concern, for a unit of a cell.
pub(crate) fn differ(pass: usize, at: usize, unit: usize) -> String {
    format!("liquid:d{pass}l{at}_{unit}")
}
