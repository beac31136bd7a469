//! The lines under an answer: what its marks mean, which sites are in it, what may be missing.

use liquid_node_api::report::{Completeness, Earlier, SiteReport, SiteState, SiteStatus};

use super::table::{INCOMPLETE, WITHHELD};
use crate::terminal::Paint;
use liquid_local::answer::{Answer, Mark, Report};

/// The lines, each a fact.
pub(crate) fn legend(answer: &Answer, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    match answer.report() {
        Some(Report::Federated(completeness)) => federated(answer, completeness, paint, &mut lines),
        Some(Report::Site(report)) => site(answer, report, paint, &mut lines),
        None => lines.push(format!("{} the answer says nothing of its completeness", paint.warn("unknown"))),
    }
    lines
}

fn federated(answer: &Answer, completeness: &Completeness, paint: Paint, lines: &mut Vec<String>) {
    marks(answer, completeness.withheld, &completeness.clauses, paint, lines);
    if completeness.groups_may_be_missing {
        // Such a group is shown where it is large at another site.
        lines.push(format!(
            "{} a site leaves out its part of a group that is small there, so figures can lack sites: {}",
            paint.warn("groups may be missing, or incomplete"),
            named(&completeness.clauses)
        ));
    }
    missing_rows(completeness.rows_may_be_missing, paint, lines);
    earlier(completeness.earlier.as_ref(), paint, lines);
    lines.push(sites(completeness, paint));
    lines.extend(completeness.sites.iter().filter_map(|status| absent(status, paint)));
}

fn site(answer: &Answer, report: &SiteReport, paint: Paint, lines: &mut Vec<String>) {
    marks(answer, report.withheld, &report.clauses, paint, lines);
    if report.groups_may_be_missing {
        lines.push(format!(
            "{} small groups are absent, like groups that do not exist: {}",
            paint.warn("groups may be missing"),
            named(&report.clauses)
        ));
    }
    missing_rows(report.rows_may_be_missing, paint, lines);
    earlier(report.earlier.as_ref(), paint, lines);
    lines.push(format!("{} {} under {}", paint.good("answered by"), report.site, report.agreement));
}

/// What the marks in the cells mean. Formats without marks still learn how many cells are hidden.
fn marks(answer: &Answer, withheld: u64, clauses: &[String], paint: Paint, lines: &mut Vec<String>) {
    if withheld > 0 {
        let cells = if withheld == 1 { "1 cell".to_owned() } else { format!("{withheld} cells") };
        lines.push(format!(
            "{} {cells} hidden, with what is computed from them; what can hide a cell here: {}",
            paint.warn(WITHHELD),
            named(clauses)
        ));
    }
    if answer.count(Mark::Incomplete) > 0 {
        lines.push(format!("{} rows may be missing behind this value", paint.warn(INCOMPLETE)));
    }
}

/// Which figures are not of today.
fn earlier(earlier: Option<&Earlier>, paint: Paint, lines: &mut Vec<String>) {
    if let Some(Earlier { figures, since }) = earlier {
        let figures = if *figures == 1 { "1 figure is".to_owned() } else { format!("{figures} figures are") };
        lines.push(format!(
            "{} {figures} given as before, since nothing or too little has changed; the oldest is of {since}",
            paint.warn("of an earlier day")
        ));
    }
}

fn missing_rows(may_be: bool, paint: Paint, lines: &mut Vec<String>) {
    if may_be {
        lines.push(format!(
            "{} a step that drops or mixes rows has read a withheld cell",
            paint.warn("rows may be missing")
        ));
    }
}

fn named(clauses: &[String]) -> String {
    if clauses.is_empty() { "none is named".to_owned() } else { clauses.join(", ") }
}

/// `complete: 4 of 4 sites answered …`
fn sites(completeness: &Completeness, paint: Paint) -> String {
    let concerned: Vec<&SiteStatus> =
        completeness.sites.iter().filter(|s| s.state != SiteState::NotConcerned).collect();
    let answered: Vec<&SiteStatus> = concerned
        .iter()
        .copied()
        .filter(|status| matches!(status.state, SiteState::Answered { .. }))
        .collect();
    let names: Vec<&str> = answered.iter().map(|status| status.site.as_str()).collect();
    let elapsed_ms = completeness.sites.iter().map(|status| status.elapsed_ms).max().unwrap_or(0);
    if concerned.is_empty() {
        return format!("{} no site had to be asked", paint.good("complete"));
    }
    let word =
        if answered.len() == concerned.len() { paint.good("complete") } else { paint.bad("not complete") };
    let listed = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    format!("{word} {} of {} sites answered in {elapsed_ms} ms{listed}", answered.len(), concerned.len())
}

/// Why a site is not in the answer.
fn absent(status: &SiteStatus, paint: Paint) -> Option<String> {
    let why = match &status.state {
        SiteState::Answered { .. } | SiteState::NotConcerned => return None,
        SiteState::Refused { code, clause, message } => {
            format!("refused {code}: {message} (clause {clause})")
        }
        SiteState::Failed { message } => message.clone(),
        SiteState::Late => "did not answer within the deadline".to_owned(),
    };
    Some(format!("{} {}: {why}", paint.bad("missing"), status.site))
}
