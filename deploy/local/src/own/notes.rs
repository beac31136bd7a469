//! What runs as it is, and should be known all the same: what was taken for granted, and what counts for nothing.

use std::collections::BTreeSet;

use liquid_node_api::catalogue::Kind;
use liquid_policy::id::{ColumnName, TableName};

use super::draft::Draft;
use super::model::Shared;
use super::sql::{quoted, replacing};
use super::text::line_with;
use super::{dates, gaps};

/// The column of every table that says at which site a row lies.
const SITE: &str = "site";

/// A line each.
pub(super) async fn notes(drafts: &[Draft], shared: &Shared) -> Vec<String> {
    let mut notes = Vec::new();
    for draft in drafts {
        files(draft, &mut notes);
        notes.extend(draft.model.iter().flat_map(|model| model.unused(&draft.agreement)));
        days(draft, shared, &mut notes);
    }
    agreements(drafts, &mut notes);
    notes.extend(gaps::notes(drafts, shared).await);
    notes
}

/// How a site's files were read, and what of them nobody can ask for.
fn files(draft: &Draft, notes: &mut Vec<String>) {
    for (table, file) in &draft.files {
        let name = file.path.display();
        if let Some(delimiter) = file.delimiter {
            notes.push(format!("{name}: `{}` stands between its fields", delimiter.escape_default()));
        }
        if let Some(null) = &file.null {
            notes.push(format!("{name}: `{null}` is read as a missing value in all columns"));
        }
        match draft.agreement.tables().get(&TableName::from(table.as_str())) {
            None if draft.views.is_none() => notes
                .push(format!("{name}: the agreement opens no table `{table}`, so nobody can ask about it")),
            Some(opened)
                if draft.is_file(table) && !opened.columns().contains_key(&ColumnName::from(SITE)) =>
            {
                let has = draft.tables.get(table).is_some_and(|it| it.field_with_name(SITE).is_ok());
                notes.extend(has.then(|| {
                    format!(
                        "{name}: its column `{SITE}` cannot be asked for; in a question, `{SITE}` is the name of the \
                         folder that a row lies in"
                    )
                }));
            }
            _ => {}
        }
    }
}

/// Columns of texts that look like days.
fn days(draft: &Draft, shared: &Shared, notes: &mut Vec<String>) {
    for (table, opened) in draft.agreement.tables() {
        let used = opened.columns().iter().filter(|(_, column)| !column.uses.is_empty());
        let texts = used.filter(|(column, _)| shared.kind(table, column) == Some(Kind::Text));
        for (column, _) in texts {
            let Some(file) = draft.csv_of(table.as_str(), column.as_str()) else { continue };
            let Some(notation) = dates::notation(file, column.as_str()) else { continue };
            let day = format!("to_date({}, '{}')", quoted(column.as_str()), notation.pattern);
            notes.push(format!(
                "{}: column `{column}` looks like days and is read as a text; to make days of it, write in {} `{}`{}",
                file.path.display(),
                draft.folder.join("views.sql").display(),
                replacing(table.as_str(), column.as_str(), &day),
                notation.doubt(),
            ));
        }
    }
}

/// What an agreement opens that is not there, or not what it seems; each agreement once.
fn agreements(drafts: &[Draft], notes: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for draft in drafts.iter().filter(|draft| seen.insert(draft.agreement.id())) {
        let file = draft.agreement_file.display();
        for (table, opened) in draft.agreement.tables() {
            if !drafts.iter().any(|draft| draft.tables.contains_key(table.as_str())) {
                notes.push(format!("{file}: no site has the table `{table}`, so nobody can ask about it"));
            }
            if opened.columns().contains_key(&ColumnName::from(SITE)) {
                notes.push(format!(
                    "{file}:{}: column `{SITE}` of table `{table}` takes the place of the one that says at which site a row \
                     lies, so answers over this table cannot be told apart by site; give it another name here and in the data",
                    line_with(&draft.text, SITE)
                ));
            }
        }
    }
}
