//! Whether enough sites answered, and what the answer or the error says of those that did not. Pure.

use liquid_node_api::Error;
use liquid_node_api::report::{Earlier, SiteState, SiteStatus};
use liquid_policy::Refusal;

use crate::dispatch::{Outcome, SiteResult};

/// Decides whether an answer can be made of what came back.
///
/// By default every concerned site must have answered; `min_sites` asks for that many, or for all concerned sites where
/// they are fewer.
///
/// # Errors
/// The refusal, where no site answered and all that spoke refused alike; otherwise [`Error::SiteMissing`] with the name
/// of each missing site and why it is missing.
pub(crate) fn judge(results: &[SiteResult], min_sites: Option<usize>) -> Result<(), Error> {
    let concerned: Vec<_> =
        results.iter().filter(|result| !matches!(result.outcome, Outcome::NotConcerned)).collect();
    let answered = concerned.iter().filter(|result| matches!(result.outcome, Outcome::Answered(_))).count();
    let needed = min_sites.unwrap_or(concerned.len()).min(concerned.len());
    if answered >= needed {
        return Ok(());
    }
    let alike =
        (answered == 0).then(|| refused_alike(&concerned).or_else(|| unauthenticated(&concerned))).flatten();
    Err(alike.unwrap_or_else(|| missing(&concerned, answered)))
}

/// One site's part, as the answer's completeness shows it.
pub(crate) fn status(result: &SiteResult) -> SiteStatus {
    let state = match &result.outcome {
        Outcome::Answered(answers) => match answers.first() {
            Some((_, first)) => SiteState::Answered {
                withheld: answers
                    .iter()
                    .fold(0, |sum: u64, (_, answer)| sum.saturating_add(answer.report.withheld)),
                agreement: first.report.agreement.clone(),
                hash: first.report.hash.clone(),
                earlier: Earlier::together(
                    answers.iter().filter_map(|(_, answer)| answer.report.earlier.clone()),
                ),
            },
            None => SiteState::NotConcerned,
        },
        Outcome::NotConcerned => SiteState::NotConcerned,
        Outcome::Refused(refusal) => SiteState::Refused {
            code: refusal.code.to_string(),
            clause: refusal.clause.clone(),
            message: format!("{}; {}", refusal.message, refusal.fix),
        },
        Outcome::Unauthenticated { message, fix } => {
            SiteState::Failed { message: format!("{message}; {fix}") }
        }
        Outcome::Failed(message) => SiteState::Failed { message: message.clone() },
        Outcome::Late => SiteState::Late,
    };
    SiteStatus { site: result.site.clone(), state, elapsed_ms: result.elapsed_ms }
}

/// The refusal, where every site that refused did so with the same code. Fewer sites would not help then.
fn refused_alike(concerned: &[&SiteResult]) -> Option<Error> {
    let refusals: Vec<&Refusal> = concerned
        .iter()
        .filter_map(|result| match &result.outcome {
            Outcome::Refused(refusal) => Some(refusal),
            _ => None,
        })
        .collect();
    let first = *refusals.first()?;
    if refusals.iter().any(|refusal| refusal.code != first.code) {
        return None;
    }
    let message = match refusals.len() {
        1 => first.message.clone(),
        sites => format!("{}, the same at {sites} sites", first.message),
    };
    Some(Refusal { message, ..first.clone() }.into())
}

/// Where every site says that the caller is not known, so does the coordinator.
fn unauthenticated(concerned: &[&SiteResult]) -> Option<Error> {
    let mut first = None;
    for result in concerned {
        let Outcome::Unauthenticated { message, fix } = &result.outcome else { return None };
        first = first.or(Some(Error::Unauthenticated { message: message.clone(), fix: fix.clone() }));
    }
    first
}

fn missing(concerned: &[&SiteResult], answered: usize) -> Error {
    let (sites, reasons): (Vec<_>, Vec<_>) = concerned
        .iter()
        .filter_map(|result| {
            let reason = match &result.outcome {
                Outcome::Answered(_) | Outcome::NotConcerned => return None,
                Outcome::Refused(refusal) => {
                    format!("refused ({}: {}; {})", refusal.code, refusal.message, refusal.fix)
                }
                Outcome::Unauthenticated { message, .. } => format!("does not know the caller ({message})"),
                Outcome::Failed(message) => format!("failed ({message})"),
                Outcome::Late => "did not answer within the deadline".to_owned(),
            };
            Some((result.site.to_string(), format!("`{}` {reason}", result.site)))
        })
        .unzip();
    let message = format!("{answered} of {} sites answered: {}", concerned.len(), reasons.join(", "));
    let fix = match answered {
        0 => format!("ask again when {} can answer", if sites.len() == 1 { "it" } else { "they" }),
        _ => format!(
            "ask again later, or take what the others answered with `--set liquid.min_sites={answered}`"
        ),
    };
    Error::SiteMissing { sites, message, fix }
}

#[cfg(test)]
mod tests {
    use liquid_policy::Code;
    use proptest::prelude::*;

    use super::*;

    fn result(site: &str, outcome: Outcome) -> SiteResult {
        SiteResult { site: site.into(), outcome, elapsed_ms: 1 }
    }

    fn refusal(code: Code) -> Outcome {
        Outcome::Refused(Refusal::new(code, "table.cardiac", "not this column", "name another"))
    }

    fn answered() -> Outcome {
        Outcome::Answered(Vec::new())
    }

    #[test]
    fn a_missing_site_is_named_with_its_reason_and_the_way_on() {
        let results = [
            result("a", answered()),
            result("b", Outcome::Late),
            result("c", Outcome::Failed("it cannot be reached".into())),
            result("d", refusal(Code::ColumnUse)),
            result("e", Outcome::NotConcerned),
        ];
        assert_eq!(
            judge(&results, None),
            Err(Error::SiteMissing {
                sites: vec!["b".into(), "c".into(), "d".into()],
                message: "1 of 4 sites answered: `b` did not answer within the deadline, \
                    `c` failed (it cannot be reached), `d` refused (COLUMN_USE: not this column; name another)"
                    .into(),
                fix: "ask again later, or take what the others answered with `--set liquid.min_sites=1`".into(),
            })
        );
        assert_eq!(judge(&results, Some(1)), Ok(()));
    }

    #[test]
    fn sites_that_refuse_alike_are_one_refusal() {
        let alike = [result("a", refusal(Code::ColumnUse)), result("b", refusal(Code::ColumnUse))];
        let Err(Error::Refused { refusal: said }) = judge(&alike, Some(1)) else { panic!("not a refusal") };
        assert_eq!(said.message, "not this column, the same at 2 sites");
        let down = [result("a", refusal(Code::ColumnUse)), result("b", Outcome::Late)];
        assert!(matches!(judge(&down, None), Err(Error::Refused { .. })));
        let different = [result("a", refusal(Code::ColumnUse)), result("b", refusal(Code::Purpose))];
        assert!(matches!(judge(&different, None), Err(Error::SiteMissing { .. })));
    }

    #[test]
    fn a_caller_whom_no_site_knows_is_told_so() {
        let unknown = || Outcome::Unauthenticated {
            message: "the token has expired".into(),
            fix: "log in again".into(),
        };
        let results = [result("a", unknown()), result("b", unknown())];
        assert!(matches!(judge(&results, None), Err(Error::Unauthenticated { .. })));
        let results = [result("a", unknown()), result("b", Outcome::Late)];
        assert!(matches!(judge(&results, None), Err(Error::SiteMissing { .. })));
    }

    #[test]
    fn a_question_that_concerns_no_site_has_an_answer() {
        assert_eq!(judge(&[result("a", Outcome::NotConcerned)], Some(3)), Ok(()));
        assert_eq!(judge(&[], None), Ok(()));
    }

    proptest! {
        #[test]
        fn an_error_names_exactly_the_sites_that_are_missing_and_its_fix_works(
            kinds in prop::collection::vec(0..5_usize, 0..6),
            min_sites in prop::option::of(1..7_usize),
        ) {
            let results: Vec<_> = kinds
                .iter()
                .enumerate()
                .map(|(at, kind)| {
                    let outcome = match kind {
                        0 | 1 => answered(),
                        2 => Outcome::Late,
                        3 => refusal(Code::Purpose),
                        _ => Outcome::NotConcerned,
                    };
                    result(&format!("s{at}"), outcome)
                })
                .collect();
            let answered = kinds.iter().filter(|kind| **kind < 2).count();
            let absent: Vec<_> =
                kinds.iter().enumerate().filter(|(_, kind)| matches!(kind, 2 | 3)).map(|(at, _)| format!("s{at}")).collect();
            match judge(&results, min_sites) {
                Ok(()) => prop_assert!(absent.is_empty() || min_sites.is_some_and(|least| answered >= least)),
                Err(Error::SiteMissing { sites, fix, .. }) => {
                    prop_assert_eq!(sites, absent);
                    prop_assert_eq!(answered > 0, fix.contains(&format!("min_sites={answered}`")));
                    prop_assert!(answered == 0 || judge(&results, Some(answered)).is_ok());
                }
                Err(Error::Refused { .. }) => prop_assert_eq!(answered, 0),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}
