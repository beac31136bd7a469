//! On what legal basis, how sensitive, and what people can do about it: three headings.

use super::page::{Block, Clause};
use super::words::{count, is_for_special_categories, legal_basis, said};
use crate::file::File;

/// Legal basis.
pub(super) fn basis(file: &File) -> Vec<Block> {
    let codes = &file.agreement.legal_basis;
    if codes.is_empty() {
        return vec![Block::Clause(Clause::open("agreement.legal_basis", "No legal basis is written down."))];
    }
    let clause = |code: &String| {
        Block::Clause(Clause::new(
            "agreement.legal_basis",
            format!("The law allows this under {}.", legal_basis(code)),
        ))
    };
    codes.iter().map(clause).collect()
}

/// Special categories and impact assessment.
pub(super) fn sensitive(file: &File) -> Vec<Block> {
    const SPECIAL: &str =
        "special categories of data. These are health, race, belief, sex life and a few more.";
    let head = &file.agreement;
    let special = if head.legal_basis.iter().any(|code| is_for_special_categories(code)) {
        Clause::new("agreement.legal_basis", format!("The legal basis covers {SPECIAL}"))
    } else {
        Clause::open("agreement.legal_basis", format!("No legal basis is named for {SPECIAL}"))
    };
    let assessed = Clause::or_open(
        "agreement.dpia",
        head.dpia.as_ref(),
        |dpia| {
            let outcome = match &dpia.outcome {
                Some(outcome) => format!("Its outcome is {}.", said(outcome)),
                None => "Its outcome is not written down.".into(),
            };
            format!(
                "The risks to people were assessed. The assessment is {}. {outcome}",
                said(&dpia.reference)
            )
        },
        "No assessment of the risks to people is named.",
    );
    vec![Block::Clause(special), Block::Clause(assessed)]
}

/// Access and individuals' rights.
pub(super) fn rights(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let opt_out = file.history.as_ref().and_then(|history| history.opt_out_days);
    let clauses = [
        Clause::or_open(
            "agreement.privacy_notice",
            head.privacy_notice.as_ref(),
            |place| format!("The privacy notice for the people in the data is at {}.", said(place)),
            "No privacy notice is named.",
        ),
        Clause::or_open(
            "agreement.rights_procedure",
            head.rights_procedure.as_ref(),
            |text| format!("How people see and correct their data, in the parties' words: {}", said(text)),
            "It is not written down how people see and correct their data.",
        ),
        Clause::or_open(
            "history.opt_out_days",
            opt_out.as_ref(),
            |days| {
                let days = count(*days, "day", "days");
                format!(
                    "When a person opts out, it counts from the next copy of the data on. That takes {days} at most."
                )
            },
            "No time is set within which an opt-out must count.",
        ),
    ];
    clauses.into_iter().map(Block::Clause).collect()
}
