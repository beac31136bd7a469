//! What the county's story asks, each with what must come of it at any scale.

use liquid_local::answer::Mark;
use liquid_node_api::Error;
use liquid_policy::Code;

use super::{Outcome, answered, must, sites_answered, total};

pub(crate) const BY_WARD: &str = "\
SELECT ward, count(*) FILTER (WHERE sex = 'F') AS female, count(*) FILTER (WHERE sex = 'M') AS male
FROM patients
GROUP BY ward
ORDER BY ward";

pub(crate) const ABSENCE: &str = "\
SELECT ward, round(100.0 * sum(sessions_missed) / sum(sessions_possible), 1) AS percent_missed
FROM absence
WHERE term = '2025-autumn'
GROUP BY ward
ORDER BY percent_missed DESC";

pub(crate) const REGISTERS: &str = "\
SELECT 'NHS trust' AS register, count(*) AS people FROM patients
UNION ALL SELECT 'council', count(*) FROM residents
UNION ALL SELECT 'police', count(*) FROM people
UNION ALL SELECT 'schools', count(*) FROM pupils
ORDER BY people DESC";

pub(crate) const DEAR: &str = "\
SELECT p.ward, count(*) AS stays
FROM admissions a JOIN patients p ON a.patient_id = p.patient_id
WHERE a.cost > 20000
GROUP BY p.ward";

pub(crate) const SMALL: &str = "\
SELECT ward, ethnic_group, count(*) AS patients
FROM patients
WHERE ward IN ('Castle', 'Tarn')
GROUP BY ward, ethnic_group
ORDER BY ward, ethnic_group";

/// Every ward is in the NHS trust's answer, withheld or not, and numbers are there.
pub(crate) fn by_ward(outcome: &Outcome) -> Result<(), String> {
    let answer = answered(outcome)?;
    must(answer.rows() == 20, "not every ward is in the answer")?;
    must(answer.count(Mark::Withheld) < 40, "every number is withheld")?;
    must(sites_answered(answer) == 1, "not the NHS trust alone answered")
}

/// The same of the school trust.
pub(crate) fn absence(outcome: &Outcome) -> Result<(), String> {
    let answer = answered(outcome)?;
    must(answer.rows() == 20, "not every ward is in the answer")?;
    must(answer.count(Mark::Withheld) < 20, "every number is withheld")?;
    must(sites_answered(answer) == 1, "not the school trust alone answered")
}

/// Each organisation says how many people it knows.
pub(crate) fn registers(outcome: &Outcome) -> Result<(), String> {
    let answer = answered(outcome)?;
    must(answer.rows() == 4 && total(answer, "people")? > 0, "not every register is counted")?;
    must(sites_answered(answer) == 4, "not all four organisations answered")
}

/// The question is refused under the clause on the column `cost`.
pub(crate) fn refused(outcome: &Outcome) -> Result<(), String> {
    match outcome {
        Err(Error::Refused { refusal }) => {
            must(refusal.code == Code::LiteralCompare, "the refusal has another code")?;
            must(refusal.clause.contains("cost"), "the refusal names another clause")
        }
        Err(other) => Err(format!("another error came: {other}")),
        Ok(_) => Err("an answer came".to_owned()),
    }
}
