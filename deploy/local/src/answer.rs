//! What came back from a coordinator or a node: rows, the marks of their cells, and what the answer says of itself.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema, SchemaRef, UInt8Type};
use arrow::error::ArrowError;
use liquid_node_api::report::{Completeness, SiteReport};
use liquid_node_api::wire::MARK_SUFFIX;

/// Why a cell is not simply its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It is what it says.
    Plain,
    /// Rows may be missing behind it.
    Incomplete,
    /// It is hidden.
    Withheld,
}

/// What an answer says of itself.
#[derive(Debug, Clone)]
pub enum Report {
    /// A coordinator's.
    Federated(Completeness),
    /// One site's.
    Site(SiteReport),
}

impl Report {
    /// Reads `app_metadata`.
    pub fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json)
            .map(Self::Federated)
            .or_else(|_| serde_json::from_slice(json).map(Self::Site))
            .ok()
    }

    /// A coordinator's report, if it is one.
    pub fn federated(&self) -> Option<&Completeness> {
        match self {
            Self::Federated(completeness) => Some(completeness),
            Self::Site(_) => None,
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    names: Vec<String>,
    marked: bool,
    report: Option<Report>,
}

impl Answer {
    /// Takes what came back. The second half of the columns are the marks of the first where they are named so.
    pub fn new(schema: SchemaRef, batches: Vec<RecordBatch>, report: Option<Report>) -> Self {
        let marked = marks_follow(&schema);
        let width = if marked { schema.fields().len() / 2 } else { schema.fields().len() };
        let names = schema.fields().iter().take(width).map(|field| field.name().clone()).collect();
        Self { schema, batches, names, marked, report }
    }

    /// The schema as it came, mark columns included.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows as they came, mark columns included.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The columns' names, without those that hold marks.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many columns there are, without those that hold marks.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// What the answer says of itself.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// The mark of one cell of one batch; plain where no marks were asked for.
    pub fn mark(&self, batch: &RecordBatch, column: usize, row: usize) -> Mark {
        if !self.marked {
            return Mark::Plain;
        }
        let marks =
            batch.columns().get(self.width() + column).and_then(|c| c.as_primitive_opt::<UInt8Type>());
        match marks.filter(|marks| row < marks.len() && marks.is_valid(row)).map(|marks| marks.value(row)) {
            Some(0) => Mark::Plain,
            Some(1) => Mark::Incomplete,
            Some(_) | None => Mark::Withheld, // a mark that cannot be read hides its cell
        }
    }

    /// How many cells carry this mark.
    pub fn count(&self, wanted: Mark) -> usize {
        let mut count = 0;
        for batch in &self.batches {
            for column in 0..self.width() {
                count += (0..batch.num_rows()).filter(|row| self.mark(batch, column, *row) == wanted).count();
            }
        }
        count
    }

    /// One cell as text; none where it is NULL or there is no such cell.
    ///
    /// # Errors
    /// Where the column has a type that cannot be printed.
    pub fn cell(&self, row: usize, name: &str) -> Result<Option<String>, ArrowError> {
        let Some(column) = self.names.iter().position(|n| n == name) else { return Ok(None) };
        let mut row = row;
        for batch in &self.batches {
            if row < batch.num_rows() {
                let values = batch.column(column);
                let text = arrow::util::display::array_value_to_string(values, row)?;
                return Ok(values.is_valid(row).then_some(text));
            }
            row -= batch.num_rows();
        }
        Ok(None)
    }
}

/// True where the second half of the columns are named as the marks of the first.
fn marks_follow(schema: &Schema) -> bool {
    let fields = schema.fields();
    let half = fields.len() / 2;
    half > 0
        && fields.len().is_multiple_of(2)
        && fields.iter().zip(fields.iter().skip(half)).all(|(value, mark)| {
            *mark.data_type() == DataType::UInt8 && *mark.name() == format!("{}{MARK_SUFFIX}", value.name())
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, UInt8Array};
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn marks_are_found_by_name_and_hide_no_other_column() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("n_mark", DataType::UInt8, true),
        ]));
        let values = Arc::new(Int64Array::from(vec![Some(7), None, None]));
        let marks = Arc::new(UInt8Array::from(vec![Some(0), Some(0), Some(2)]));
        let batch = RecordBatch::try_new(schema.clone(), vec![values.clone(), marks]).unwrap();
        let answer = Answer::new(schema, vec![batch], None);
        assert_eq!(answer.names(), ["n"]);
        assert_eq!(answer.count(Mark::Withheld), 1);
        assert_eq!(answer.cell(0, "n").unwrap().as_deref(), Some("7"));
        assert_eq!(answer.cell(1, "n").unwrap(), None);

        let plain = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let batch = RecordBatch::try_new(plain.clone(), vec![values]).unwrap();
        assert_eq!(Answer::new(plain, vec![batch], None).count(Mark::Withheld), 0);
    }
}
