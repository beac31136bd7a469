//! The demo's story: real questions to a real federation, each with what must come of it.

pub(crate) mod county;

use liquid_local::answer::{Answer, Mark};
use liquid_node_api::Error;
use liquid_node_api::report::SiteState;
use liquid_policy::Code;

/// Everything that the story asks.
pub(crate) const FEDERATED: &str = "\
SELECT CASE WHEN age < 50 THEN 'under 50' WHEN age < 57 THEN '50 to 56' ELSE '57 and over' END AS age_band,
       count(*) AS patients, round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent,
       avg(disease) AS mean_finding
FROM cardiac
GROUP BY age_band
ORDER BY mean_finding";

pub(crate) const BY_PATIENT: &str = "\
SELECT patient, avg(cholesterol) AS cholesterol
FROM cardiac
GROUP BY patient";

pub(crate) const SMALL_CELLS: &str = "\
SELECT site, sex, count(*) AS patients, avg(cholesterol) AS mean_cholesterol
FROM cardiac
GROUP BY site, sex
ORDER BY site, sex";

/// The site that is stopped.
pub(crate) const STOPPED: &str = "budapest";

/// What a question came to.
pub(crate) type Outcome = Result<Answer, Error>;

/// All four hospitals are in the answer, and every one of the 920 patients is counted.
pub(crate) fn federated(outcome: &Outcome) -> Result<(), String> {
    let answer = answered(outcome)?;
    must(total(answer, "patients")? == 920, "the patients do not add up to 920")?;
    must(answer.count(Mark::Withheld) == 0, "a cell is withheld")?;
    must(sites_answered(answer) == 4, "not all four hospitals answered")
}

/// The question is refused under the clause on the column `patient`.
pub(crate) fn refused(outcome: &Outcome) -> Result<(), String> {
    match outcome {
        Err(Error::Refused { refusal }) => {
            must(refusal.code == Code::ColumnUse, "the refusal has another code")?;
            must(refusal.clause.contains("patient"), "the refusal names another clause")
        }
        Err(other) => Err(format!("another error came: {other}")),
        Ok(_) => Err("an answer came".to_owned()),
    }
}

/// Some cells are hidden, others are not, and the answer names the clause.
pub(crate) fn withheld(outcome: &Outcome) -> Result<(), String> {
    let answer = answered(outcome)?;
    let hidden = answer.count(Mark::Withheld);
    must(hidden > 0, "no cell is withheld")?;
    must(hidden < answer.rows() * answer.width(), "every cell is withheld")?;
    let completeness = answer.report().and_then(|report| report.federated());
    let clauses = completeness.map(|completeness| completeness.clauses.as_slice()).unwrap_or_default();
    must(clauses.iter().any(|clause| clause.contains("minimum_contributors")), "no clause is named")
}

/// There is no answer, and the error names the site that is missing.
pub(crate) fn site_missing(outcome: &Outcome) -> Result<(), String> {
    match outcome {
        Err(Error::SiteMissing { sites, .. }) => {
            must(*sites == [STOPPED], "the error does not name that hospital alone")
        }
        Err(other) => Err(format!("another error came: {other}")),
        Ok(_) => Err("an answer came".to_owned()),
    }
}

/// The answer of the other three, which says that one is missing.
pub(crate) fn partial(outcome: &Outcome) -> Result<(), String> {
    let answer = answered(outcome)?;
    must(total(answer, "patients")? == 920 - 293, "the patients do not add up to 627")?;
    must(sites_answered(answer) == 3, "not just three hospitals answered")?;
    let completeness = answer.report().and_then(|report| report.federated());
    let named = completeness.is_some_and(|completeness| {
        let missing = |state: &SiteState| matches!(state, SiteState::Failed { .. } | SiteState::Late);
        completeness.sites.iter().any(|status| status.site.as_str() == STOPPED && missing(&status.state))
    });
    must(named, "the answer does not say which hospital is missing")
}

fn answered(outcome: &Outcome) -> Result<&Answer, String> {
    outcome.as_ref().map_err(|error| format!("no answer came: {error}"))
}

fn must(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

fn sites_answered(answer: &Answer) -> usize {
    let completeness = answer.report().and_then(|report| report.federated());
    completeness.map_or(0, |completeness| {
        completeness.sites.iter().filter(|status| matches!(status.state, SiteState::Answered { .. })).count()
    })
}

fn total(answer: &Answer, column: &str) -> Result<i64, String> {
    (0..answer.rows()).try_fold(0, |sum, row| {
        let cell = answer.cell(row, column).map_err(|error| error.to_string())?;
        let number: i64 = cell.and_then(|text| text.parse().ok()).ok_or("a count is missing")?;
        Ok(sum + number)
    })
}
