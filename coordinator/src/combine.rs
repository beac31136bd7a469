//! From sites' answers to one result. In the planner's process: the bytes come from peers.
//!
//! 1. [`decode`]: an answer becomes a batch, or its site is named as one whose answer cannot be used.
//! 2. [`merge`]: partial results ([`columns`]) become [`cells`], as the plan's recipe says.
//! 3. `liquid_engine::finish`: what lies above the cuts runs over released tables alone.

mod cells;
mod columns;
mod decode;
mod merge;

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch, UInt8Array};
use arrow::datatypes::UInt8Type;
use bytes::Bytes;
use liquid_disclosure::Mark;
use liquid_engine::{Cause, Failure, finish};
use liquid_node_api::Error;
use liquid_node_api::engine::Caps;
use liquid_node_api::wire::gate::{self, Quota};
use liquid_policy::id::SiteName;

use self::decode::decode;
use self::merge::{MergeError, merge};
use crate::plan::federate::{FederatedCut, FederatedPlan, QUERIES};
use liquid_engine::federated::recipe::Share;

/// A result, before it goes to the front.
#[derive(Debug)]
pub(crate) struct Combined {
    /// The query's columns, then one mark column each.
    pub(crate) batch: RecordBatch,
    pub(crate) withheld: u64,
    pub(crate) rows_may_be_missing: bool,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum CombineError {
    /// These sites' answers cannot be used.
    Unusable(BTreeMap<SiteName, String>),
    /// It did not work: text for the caller, detail for the operator's log.
    Failed(Error, String),
}

/// Combines the answers that are there; sites that are not are left out.
pub(crate) async fn combine(
    plan: FederatedPlan,
    answers: &BTreeMap<(usize, SiteName), Bytes>,
    queries: Option<&Bytes>,
    caps: &Caps,
) -> Result<Combined, CombineError> {
    // How many bytes a site may send, the front has seen to.
    let rows = usize::try_from(caps.rows).unwrap_or(usize::MAX);
    let quota = Quota { bytes: usize::MAX, rows, ..Quota::default() };
    let mut unusable = BTreeMap::new();
    let mut tables = Vec::with_capacity(plan.cuts.len() + 1);
    for (number, cut) in plan.cuts.iter().enumerate() {
        let decoded = decode_cut(number, cut, answers, &quota, &mut unusable);
        match merge(&cut.recipe, &decoded) {
            Ok(cells) => tables.push((format!("cut{number}"), cells)),
            Err(MergeError::Unusable(site, why)) => drop(unusable.insert(site, why.to_owned())),
            Err(MergeError::Overflow(number)) => {
                return Err(overflow(decoded.get(number).map(|(share, _)| &share.site)));
            }
            Err(MergeError::Bug(detail)) => return Err(bug(detail)),
        }
    }
    if !unusable.is_empty() {
        return Err(CombineError::Unusable(unusable));
    }
    if let Some(queries) = queries {
        let queries = gate::decode(queries, &quota, |_| Ok(())).map_err(bug)?;
        tables.push((QUERIES.to_owned(), queries));
    }
    let done = finish(plan.upper, tables, caps.clone()).await.map_err(unfinished)?;
    Ok(Combined {
        withheld: withheld(&done.batch),
        batch: done.batch,
        rows_may_be_missing: done.rows_may_be_missing,
    })
}

/// The answers to one cut, in the order of the sites, so that floats add up to the same bits every time.
fn decode_cut<'a>(
    number: usize,
    cut: &'a FederatedCut,
    answers: &BTreeMap<(usize, SiteName), Bytes>,
    quota: &Quota,
    unusable: &mut BTreeMap<SiteName, String>,
) -> Vec<(&'a Share, RecordBatch)> {
    let mut decoded = Vec::with_capacity(cut.sites.len());
    for site in &cut.sites {
        let Some(answer) = answers.get(&(number, site.share.site.clone())) else { continue };
        match decode(answer, &site.answer, quota) {
            Ok(batch) => decoded.push((&site.share, batch)),
            Err(why) => drop(unusable.insert(site.share.site.clone(), why)),
        }
    }
    decoded
}

fn withheld(batch: &RecordBatch) -> u64 {
    let marks = batch.columns().iter().skip(batch.num_columns() / 2);
    let is_withheld = |mark: &Option<u8>| *mark == Some(Mark::Withheld as u8);
    let count = |marks: &UInt8Array| marks.iter().filter(is_withheld).count() as u64;
    marks.filter_map(|column| column.as_primitive_opt::<UInt8Type>()).map(count).sum()
}

/// The engine speaks of a site's work; here it is the coordinator's.
fn unfinished(failure: Failure) -> CombineError {
    let failure = failure.over_released_values();
    let cause = failure.cause();
    let (error, detail) = failure.into_parts();
    let fix = match cause {
        Cause::Question => return CombineError::Failed(error, detail),
        Cause::Limit => "group by fewer or coarser keys",
        Cause::ZeroDivision | Cause::Value | Cause::Fault => {
            "send the reference to the coordinator's operator"
        }
    };
    let message = "the coordinator could not finish the question over the sites' answers";
    CombineError::Failed(Error::fault(message, false, fix), detail)
}

/// The site that added the most is named: its numbers may be wrong, or everybody's may be large.
fn overflow(largest: Option<&SiteName>) -> CombineError {
    let named = largest.map(|site| format!("; site `{site}` adds the largest part")).unwrap_or_default();
    let error = Error::fault(
        format!("a sum over all sites is beyond 64 bits{named}"),
        false,
        "add up as floats, `sum(CAST(x AS DOUBLE))`, or in smaller groups",
    );
    CombineError::Failed(error, "integer overflow while merging".to_owned())
}

fn bug(detail: impl std::fmt::Display) -> CombineError {
    let error = Error::fault(
        "the coordinator could not combine the answers",
        false,
        "send the reference to the coordinator's operator",
    );
    CombineError::Failed(error, detail.to_string())
}
