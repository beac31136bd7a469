//! What a planned cut says of merging: how its cells come of partial results, and where each site's share lies. Data only.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use liquid_policy::id::SiteName;

/// How a cut is put together from partial results.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The types of the group keys.
    pub keys: Vec<DataType>,
    /// What sites are asked for.
    pub partials: Vec<PartialKind>,
    /// How each aggregate of the cut comes of them.
    pub cells: Vec<Cell>,
    /// The released table: keys and aggregates, then their marks.
    pub schema: SchemaRef,
}

/// A partial result that adds up over sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartialKind {
    /// Never NULL, unless withheld.
    Count,
    /// NULL where there is nothing to add.
    IntegerSum,
    /// NULL where there is nothing to add.
    FloatSum,
}

/// An aggregate, by the numbers of its partial results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// A count.
    Count(usize),
    /// A sum.
    Sum(usize),
    /// A mean, of these two.
    Avg {
        /// The sum.
        sum: usize,
        /// How many values it has.
        count: usize,
    },
}

/// Where one site's share of a cut lies in its answer.
#[derive(Debug, Clone)]
pub struct Share {
    /// The site.
    pub site: SiteName,
    /// Its group keys.
    pub keys: Vec<KeySource>,
    /// The column of each partial result; none where the site has nothing to add.
    pub partials: Vec<Option<usize>>,
    /// Where all keys are constant: the column that counts the rows behind the group, which is none at 0.
    pub presence: Option<usize>,
    /// Columns that were asked for; their marks follow.
    pub columns: usize,
}

/// A group key at one site.
#[derive(Debug, Clone, PartialEq)]
pub enum KeySource {
    /// A column of its answer.
    Sent(usize),
    /// The same for all of its rows, for example its name.
    Constant(ScalarValue),
}
