//! Names that are one or two slips of the pen away from each other: what somebody meant who wrote one that is not known.

/// The known name that is one or two slips of the pen away.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let close = |other: &&String| distance(name, other) <= 2 && other.len() > 2;
    known.iter().filter(close).min_by_key(|other| distance(name, other))
}

/// Levenshtein's.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(other.chars()) {
            let above = *cell;
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}
