//! All that can be worked out from some rows of numbers by adding and subtracting multiples of them: their span.
//!
//! Computed modulo the prime 2^61 − 1, exactly. Rows of zeros and ones that are independent over the fractions are so modulo this prime as long as
//! there are at most 36 of them (Hadamard's bound on their determinants is smaller); beyond, a false dependence would take a determinant
//! that the prime divides.

/// The prime.
const P: u64 = (1 << 61) - 1;

/// A span in reduced row echelon form: each row has a column, its pivot, in which it is 1 and all others are 0; to the left of it
/// the row is 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Span {
    rows: Vec<(usize, Vec<u64>)>,
}

impl Span {
    /// Adds a row to the span; whether it was not in it.
    pub(crate) fn add(&mut self, row: &[u64]) -> bool {
        let row = self.rest(row);
        let Some(pivot) = row.iter().position(|number| *number != 0) else { return false };
        let Some(row) = Self::scaled_at(row, pivot) else { return false };
        for (_, other) in &mut self.rows {
            Self::clear(other, &row, pivot);
        }
        self.rows.push((pivot, row));
        true
    }

    /// Whether a row is in the span.
    pub(crate) fn has(&self, row: &[u64]) -> bool {
        self.rest(row).iter().all(|number| *number == 0)
    }

    /// The rows whose pivot is at a column or right of it: they span all that is 0 in the columns to its left.
    pub(crate) fn from(&self, column: usize) -> Vec<&[u64]> {
        let beyond = self.rows.iter().filter(|(pivot, _)| *pivot >= column);
        beyond.map(|(_, row)| row.as_slice()).collect()
    }

    /// The sum of rows, each by its weight.
    pub(crate) fn combined(rows: &[Vec<u64>], weights: &[u64]) -> Vec<u64> {
        let mut sum = vec![0; rows.first().map_or(0, Vec::len)];
        for (row, weight) in rows.iter().zip(weights) {
            for (number, other) in sum.iter_mut().zip(row) {
                *number = plus(*number, times(*weight, *other));
            }
        }
        sum
    }

    /// A row so multiplied that its first number which is not 0 is 1; none for a row of zeros.
    pub(crate) fn scaled(row: Vec<u64>) -> Option<Vec<u64>> {
        let first = row.iter().position(|number| *number != 0)?;
        Self::scaled_at(row, first)
    }

    /// A row so multiplied that it is 1 at a column; none where it is 0 there.
    pub(crate) fn scaled_at(mut row: Vec<u64>, column: usize) -> Option<Vec<u64>> {
        let scale = row.get(column).copied().filter(|number| *number != 0).map(inverse)?;
        row.iter_mut().for_each(|number| *number = times(*number, scale));
        Some(row)
    }

    /// Takes as much of another row, which is 1 at a column, away from a row that it is 0 there.
    pub(crate) fn clear(row: &mut [u64], other: &[u64], column: usize) {
        let factor = row.get(column).copied().unwrap_or(0);
        subtract(row, other, factor);
    }

    /// What is left of a row when all that the span has of it is taken away.
    fn rest(&self, row: &[u64]) -> Vec<u64> {
        let mut rest = row.to_vec();
        for (pivot, known) in &self.rows {
            Self::clear(&mut rest, known, *pivot);
        }
        rest
    }
}

/// The one combination of `rows` that is 0 in all of these columns, of which there is one fewer than rows; none where more than one
/// is.
pub(crate) fn vanishing(rows: &[&[u64]], columns: &[usize]) -> Option<Vec<u64>> {
    let mut left: Vec<Vec<u64>> = rows.iter().map(|row| row.to_vec()).collect();
    for column in columns {
        let at = |row: &Vec<u64>| row.get(*column).copied().unwrap_or(0);
        let pivot = left.iter().position(|row| at(row) != 0)?;
        let pivot = left.swap_remove(pivot);
        let scale = inverse(at(&pivot));
        for row in &mut left {
            let factor = times(at(row), scale);
            subtract(row, &pivot, factor);
        }
    }
    left.pop().filter(|_| left.is_empty())
}

/// A whole number as one of these.
pub(crate) fn number(number: i64) -> u64 {
    let size = number.unsigned_abs() % P;
    if number < 0 { minus(0, size) } else { size }
}

/// The sum of two numbers.
pub(crate) fn plus(one: u64, other: u64) -> u64 {
    let sum = one + other;
    if sum >= P { sum - P } else { sum }
}

/// Their difference.
pub(crate) fn minus(one: u64, other: u64) -> u64 {
    if one >= other { one - other } else { one + P - other }
}

/// `row − factor · other`, in place.
fn subtract(row: &mut [u64], other: &[u64], factor: u64) {
    if factor != 0 {
        for (number, other) in row.iter_mut().zip(other) {
            *number = minus(*number, times(factor, *other));
        }
    }
}

/// The product of two numbers. 2^61 is 1, so what is above goes on top of what is below.
pub(crate) fn times(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let [below, above] = [product & u128::from(P), product >> 61];
    let sum = u64::try_from(below).unwrap_or(0) + u64::try_from(above).unwrap_or(0);
    if sum >= P { sum - P } else { sum }
}

/// By Fermat's little theorem: `number` to the power P − 2.
pub(crate) fn inverse(number: u64) -> u64 {
    let (mut result, mut power, mut exponent) = (1, number, P - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, power);
        }
        power = times(power, power);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_adds_up_is_in_it() {
        let mut span = Span::default();
        assert!(span.add(&[1, 1, 0, 0]) && span.add(&[0, 1, 1, 0]));
        assert!(!span.add(&[1, 2, 1, 0]) && span.has(&[1, 0, P - 1, 0]) && !span.has(&[1, 0, 1, 0]));
        assert!(span.add(&[0, 0, 1, 5]));
        assert!(span.has(&[3, 0, 0, 15]) && !span.has(&[0, 0, 0, 1]));
    }

    #[test]
    fn its_last_rows_span_what_vanishes_to_their_left() {
        let mut span = Span::default();
        span.add(&[1, 1, 1]);
        span.add(&[1, 1, 0]);
        assert_eq!(span.from(1), [&[0, 0, 1][..]]);
        assert_eq!(span.from(0).len(), 2);
    }

    #[test]
    fn one_combination_vanishes_in_one_column_fewer_than_rows() {
        let rows: [&[u64]; 2] = [&[1, 0, 2, 3], &[0, 1, 2, 0]];
        let combination = vanishing(&rows, &[2]).unwrap();
        let scale = inverse(combination[0]);
        let scaled: Vec<u64> = combination.iter().map(|number| times(*number, scale)).collect();
        assert_eq!(scaled, [1, P - 1, 0, 3]);
        assert_eq!(vanishing(&rows, &[]), None, "two are free");
        assert_eq!(vanishing(&[&[0, 1], &[0, 2]], &[0]), None, "both vanish there anyway");
    }
}
