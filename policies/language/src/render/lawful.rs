//! On what legal basis, how sensitive, and what people can do about it: three headings.

use super::page::{Block, Clause, Text};
use super::words::{count, is_for_special_categories, legal_basis, said};
use crate::file::File;

/// Legal basis.
pub(super) fn basis(file: &File) -> Vec<Block> {
    let codes = &file.agreement.legal_basis;
    if codes.is_empty() {
        return vec![Block::Clause(Clause::new("agreement.legal_basis", "No legal basis is written down."))];
    }
    let clause = |code: &String| {
        Block::Clause(Clause::new("agreement.legal_basis", format!("The basis is {}.", legal_basis(code))))
    };
    codes.iter().map(clause).collect()
}

/// Special categories and impact assessment.
pub(super) fn sensitive(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let special = if head.legal_basis.iter().any(|code| is_for_special_categories(code)) {
        "The legal basis covers special categories of data. These are health, race, belief, sex life and a few more."
    } else {
        "No legal basis is named for special categories of data. These are health, race, belief, sex life and a few more."
    };
    let assessed = match &head.dpia {
        Some(dpia) => {
            let outcome = match &dpia.outcome {
                Some(outcome) => format!("Its outcome is {}.", said(outcome)),
                None => "Its outcome is not written down.".into(),
            };
            format!(
                "The risks to people were assessed. The assessment is {}. {outcome}",
                said(&dpia.reference)
            )
        }
        None => "No assessment of the risks to people is named.".into(),
    };
    vec![
        Block::Clause(Clause::new("agreement.legal_basis", special)),
        Block::Clause(Clause::new("agreement.dpia", assessed)),
    ]
}

/// Access and individuals' rights.
pub(super) fn rights(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let notice = match &head.privacy_notice {
        Some(place) => format!("The privacy notice for the people in the data is at {}.", said(place)),
        None => "No privacy notice is named.".into(),
    };
    let procedure = match &head.rights_procedure {
        Some(words) => {
            format!("How people see and correct their data, in the parties' words: {}", said(words))
        }
        None => "It is not written down how people see and correct their data.".into(),
    };
    let mut blocks = vec![
        Block::Clause(Clause::new("agreement.privacy_notice", notice)),
        Block::Clause(Clause::new("agreement.rights_procedure", procedure)),
    ];
    match file.history.as_ref().and_then(|history| history.opt_out_days) {
        Some(days) => blocks.push(Block::Clause(Clause::new(
            "history",
            format!(
                "When a person opts out, it counts from the next copy of the data on. That takes {} at most.",
                count(days, "day", "days")
            ),
        ))),
        None => {
            blocks.push(Block::Paragraph(Text::new("No time is set within which an opt-out must count.")))
        }
    }
    blocks
}
