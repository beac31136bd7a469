//! What the columns of a cut's result mean, hidden ones included.
//!
//! ```text
//! g0 … gn-1      the group keys
//! a0 … am-1      the aggregates, as asked
//! present        UInt32: min(k, distinct entities whose rows pass WHERE)                      | only
//! c0_0 … cj_b    UInt32: min(k, distinct contributors) of branch b of aggregate j             | where the
//! l0 … lm-1      UInt32: min(k, distinct entities left out of aggregate j by its conditions)  | agreement has
//! s0 … sm-1      Boolean: true where nothing can be left out of aggregate j, whatever the data | a minimum k
//! d0 … dm-1      Boolean: aggregate j, its branches each and together, is spread over them    | and a rule on
//! e0 … em-1      Boolean: so is what its conditions leave out                                 | concentration
//! f0 … fq-1      Utf8: who is in which populations of a family of cells                       | for each family
//! terms          LargeBinary: whose rows are in which populations, and their values           | with a history
//! ```
//!
//! A family's column is numbers in pairs, with spaces between them: a bit for each population of the family in which somebody has a
//! row, and that person's number within the group ([`crate::differences::written`]); of each set of populations at most k people are named.
//!
//! The last seven kinds are computed by the engine as obligations of the permit; `s` comes from the declared domains
//! alone. An element of `count(*)`, `sum` and `avg` is a row, so an entity is left out where any of its rows of the group
//! is not in the cell. An element of `count(DISTINCT entity)` is the entity itself: it is left out where none of its rows
//! is in the cell, for only then does the number change. With [`Layout::declared`] the rows are exactly the groups that the declared domains allow, seen or not.

use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use liquid_policy::Permit;
use liquid_policy::footprint::Argument;
use serde::{Deserialize, Serialize};

use crate::differences::Family;
use crate::measured::Measured;

/// How many columns of each kind a cut's result has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Group keys.
    pub groups: usize,
    /// Branches of each aggregate, at least one each.
    pub branches: Vec<usize>,
    /// The hidden columns are there: the agreement has a minimum.
    pub guarded: bool,
    /// The columns on concentration are there: the agreement has a rule on it.
    pub concentrated: bool,
    /// Aggregates that add up the same over different rows, so that one can be taken from the other.
    pub families: Vec<Family>,
    /// What the cells add up, where they are judged beside all that were released before; then there are no families.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Every group that the declared domains allow has a row, whether the data has it or not.
    pub declared: bool,
}

impl Layout {
    /// The layout that the result of a permitted cut must have. Whether its groups are declared, which of its cells are families, and what they
    /// add up, is for the engine to say.
    pub fn of(permit: &Permit, declared: bool, families: Vec<Family>, measured: Option<Measured>) -> Self {
        let footprint = permit.footprint();
        let branches = footprint.aggregates.iter().map(|aggregate| match &aggregate.argument {
            Argument::Rows | Argument::Term(_) | Argument::Expression { .. } => 1,
            Argument::Case { branches, .. } => branches.len(),
        });
        Self {
            groups: footprint.groups.len(),
            branches: branches.collect(),
            guarded: permit.obligations().minimum.is_some(),
            concentrated: permit.obligations().minimum.is_some()
                && permit.obligations().concentration.is_some(),
            families,
            measured,
            declared,
        }
    }

    /// Columns that the analyst asked for: group keys, then aggregates.
    pub fn visible(&self) -> usize {
        self.groups + self.branches.len()
    }

    /// The names of those columns, in order.
    pub fn visible_names(&self) -> Vec<String> {
        let groups = (0..self.groups).map(|group| format!("g{group}"));
        groups.chain((0..self.branches.len()).map(|aggregate| format!("a{aggregate}"))).collect()
    }

    /// Whether a table has the columns of this layout: so many, in this order, the hidden ones of their types. Types of the
    /// others are the query's own.
    ///
    /// # Errors
    /// What is different, for the operator's log.
    pub fn accepts(&self, schema: &Schema) -> Result<(), String> {
        let (visible, hidden) = (self.visible_names(), self.hidden());
        if schema.fields().len() != visible.len() + hidden.len() {
            return Err("a result has another number of columns than its layout".to_owned());
        }
        let names = visible.iter().chain(hidden.iter().map(Field::name));
        if !names.eq(schema.fields().iter().map(|field| field.name())) {
            return Err("the columns of a result do not stand in the order of its layout".to_owned());
        }
        let mut behind = schema.fields().iter().skip(visible.len()).zip(&hidden);
        match behind.find(|(came, must)| came.data_type() != must.data_type()) {
            Some((came, must)) => {
                Err(format!("column `{}` of a result is not {}", came.name(), must.data_type()))
            }
            None => Ok(()),
        }
    }

    /// The columns behind them, which never leave; none where the agreement has no minimum.
    pub fn hidden(&self) -> Vec<Field> {
        if !self.guarded {
            return Vec::new();
        }
        let count = |name: String| Field::new(name, DataType::UInt32, true);
        let mut fields = vec![count("present".into())];
        for (j, branches) in self.branches.iter().enumerate() {
            fields.extend((0..*branches).map(|b| count(format!("c{j}_{b}"))));
        }
        fields.extend((0..self.branches.len()).map(|j| count(format!("l{j}"))));
        let flag = |name: String| Field::new(name, DataType::Boolean, true);
        fields.extend((0..self.branches.len()).map(|j| flag(format!("s{j}"))));
        if self.concentrated {
            fields.extend((0..self.branches.len()).map(|j| flag(format!("d{j}"))));
            fields.extend((0..self.branches.len()).map(|j| flag(format!("e{j}"))));
        }
        let family = |q: usize| Field::new(format!("f{q}"), DataType::Utf8, true);
        fields.extend((0..self.families.len()).map(family));
        fields.extend(self.measured.iter().map(|_| Field::new("terms", DataType::LargeBinary, true)));
        fields
    }
}

/// A cut's result as the engine produced it.
#[derive(Debug)]
pub struct Cells {
    /// Columns as [`Layout`] says.
    pub batch: RecordBatch,
    /// What they mean.
    pub layout: Layout,
}
