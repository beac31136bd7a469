//! A heart federation in this process, with another minimum than the demo's where a test needs one.

use liquid_local::answer::{Answer, Mark};
use liquid_local::{Federation, Run, heart};

use crate::pooled::value;
use crate::question::Value;

/// Starts the four hospitals under an agreement with this minimum.
pub(crate) async fn federation(minimum: u32) -> Federation {
    let mut blueprint = heart::blueprint();
    blueprint.edit_agreements(|text| {
        assert!(text.contains("minimum_contributors = 10"), "the agreement has no minimum of 10 to change");
        text.replace("minimum_contributors = 10", &format!("minimum_contributors = {minimum}"))
    });
    Federation::start(&blueprint, Run::InProcess).await.unwrap()
}

/// One cell with its mark.
pub(crate) type Cell = (Option<Value>, Mark);

/// All rows of an answer.
pub(crate) fn rows(answer: &Answer) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for batch in answer.batches() {
        for row in 0..batch.num_rows() {
            let cell = |column| (value(batch.column(column), row), answer.mark(batch, column, row));
            rows.push((0..answer.width()).map(cell).collect());
        }
    }
    rows
}
