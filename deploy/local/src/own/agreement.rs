//! A site's agreement: read, found to be one that somebody may ask under today, and with the organisation whose site it is.

use std::path::Path;

use liquid_node::agreements::beside;
use liquid_policy::document::{Aggregate, Agreement, Column};
use liquid_policy::id::{OrganisationName, TableName};
use liquid_policy::parse::parse_beside;

use super::draft::Draft;
use super::sql::quoted;
use super::text::{self, line_with};
use crate::blueprint::Beside;

/// Reads it, with its text and the files that lie beside it.
pub(super) fn read(file: &Path, problems: &mut Vec<String>) -> Option<(String, Agreement, Vec<Beside>)> {
    let text = match text::read(file) {
        Ok(Some(text)) => text,
        Ok(None) => {
            problems.push(format!(
                "{}: there is no such file; write the agreement under which this site's data may be asked, or, where this \
                 folder is no site, move it out of {}",
                file.display(),
                file.ancestors().nth(2).unwrap_or(file).display(),
            ));
            return None;
        }
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    match parse_beside(&text, &file.display().to_string(), &|name, _| beside(folder, name)) {
        Ok(agreement) => {
            problems.extend(asked_by_nobody(&agreement, &text, file));
            let files = agreement.file().beside().into_iter();
            let files = files.filter_map(|(name, _)| {
                let text = String::from_utf8(beside(folder, &name).ok()?).ok()?;
                Some(Beside { name, text })
            });
            let files = files.collect();
            Some((text, agreement, files))
        }
        Err(error) => {
            problems.extend(error.problems().map(|problem| {
                let line = 1 + text.bytes().take(problem.span().start).filter(|byte| *byte == b'\n').count();
                format!("{}:{line}: {}; {}", file.display(), problem.message(), problem.help())
            }));
            None
        }
    }
}

/// Whether an agreement wants numbers of a column.
pub(super) fn is_added_up(column: &Column) -> bool {
    column.aggregates.iter().any(|it| matches!(it, Aggregate::Sum | Aggregate::Avg))
}

/// Why nobody could ask anything under an agreement today.
fn asked_by_nobody(agreement: &Agreement, text: &str, file: &Path) -> Option<String> {
    let line = |key: &str| 1 + text.lines().position(|line| line.trim_start().starts_with(key)).unwrap_or(0);
    let today = chrono::Utc::now().date_naive();
    let (first, last) = (agreement.in_force().start(), agreement.in_force().end());
    if !agreement.in_force().contains(&today) {
        let key = if today < *first { "in_force" } else { "expires" };
        return Some(format!(
            "{}:{}: the agreement is in force from {first} to {last}, and today is {today}, so nobody may ask; change \
             `{key}` to try it out",
            file.display(),
            line(key)
        ));
    }
    if agreement.review().is_some_and(|review| today > review.last_day()) {
        return Some(format!(
            "{}:{}: the review is overdue beyond its grace, so nobody may ask; change `review` to try it out",
            file.display(),
            line("review")
        ));
    }
    agreement.recipients().is_empty().then(|| {
        format!(
            "{}: it has no [[recipient]], so nobody may ask; add one, with `organisation`, `roles` and `purposes`",
            file.display()
        )
    })
}

/// The controller whose place this is: the one that the folder is named after, or the only one.
pub(super) fn organisation(
    site: &str,
    agreement: &Agreement,
    file: &Path,
    problems: &mut Vec<String>,
) -> Option<OrganisationName> {
    let mut controllers: Vec<_> = agreement.controllers().cloned().collect();
    if let Some(named) = controllers.iter().find(|controller| controller.as_str() == site) {
        return Some(named.clone());
    }
    if controllers.len() == 1 {
        return controllers.pop();
    }
    let names: Vec<_> = controllers.iter().map(|controller| format!("`{controller}`")).collect();
    problems.push(format!(
        "{}: no controller is called `{site}`, so it is not known whose site this is; name the folder after one of {}, \
         or add the [[party]]",
        file.display(),
        names.join(", ")
    ));
    None
}

/// An agreement is one text, wherever it is signed: where copies differ in what no signature covers (comments, blanks), the
/// first one stands for all.
pub(super) fn one_text_for_each(drafts: &mut [Draft], problems: &mut Vec<String>) {
    for at in 0..drafts.len() {
        let (before, rest) = drafts.split_at_mut(at);
        let Some(draft) = rest.first_mut() else { return };
        let Some(first) = before.iter().find(|other| other.agreement.id() == draft.agreement.id()) else {
            continue;
        };
        if first.agreement.hash() == draft.agreement.hash() {
            draft.text.clone_from(&first.text);
        } else {
            problems.push(format!(
                "{}:{}: this is not the agreement {} that {} holds; make the two files the same",
                draft.agreement_file.display(),
                first_difference(&first.text, &draft.text),
                draft.agreement.id(),
                first.agreement_file.display(),
            ));
        }
    }
}

/// The line of the second text from which on they say different things.
fn first_difference(first: &str, second: &str) -> usize {
    let said = |text: &str| -> Vec<(usize, String)> {
        let lines = (1..).zip(text.lines().map(|line| line.split_whitespace().collect::<String>()));
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect()
    };
    let (first, second) = (said(first), said(second));
    let same = first.iter().zip(&second).take_while(|((_, one), (_, other))| one == other).count();
    second.get(same).or(second.last()).map_or(1, |(line, _)| *line)
}

/// The line of the agreement that says what a column of a table may be used for.
pub(super) fn column_line(text: &str, table: &str, column: &str) -> usize {
    let plain = |text: &str| text.replace(['"', '\'', ' '], "");
    let of_columns = plain(&format!("[table.{table}.columns]"));
    let of_column = plain(&format!("[table.{table}.columns.{column}]"));
    let mut is_there = false;
    for (at, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.starts_with('[') {
            let header = plain(line);
            is_there = header == of_columns;
            if header == of_column {
                return at;
            }
        } else if is_there && line.split(['=', '.']).next().is_some_and(|key| plain(key) == plain(column)) {
            return at;
        }
    }
    line_with(text, column)
}

/// Tables that the agreement opens under one name, and the site has under another that was meant to be the same.
pub(super) fn misnamed(draft: &Draft) -> Vec<String> {
    let opened = draft.agreement.tables();
    let spare: Vec<&String> =
        draft.tables.keys().filter(|name| !opened.contains_key(&TableName::from(name.as_str()))).collect();
    let lacking = opened.keys().filter(|table| !draft.tables.contains_key(table.as_str()));
    lacking.filter_map(|table| misnamed_as(draft, table.as_str(), &spare)).collect()
}

fn misnamed_as(draft: &Draft, table: &str, spare: &[&String]) -> Option<String> {
    let plain = |name: &str| {
        name.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect::<String>()
    };
    let wanted = plain(table);
    let is_meant = |name: &&&String| {
        plain(name)
            .strip_prefix(&wanted)
            .is_some_and(|rest| rest.chars().all(|letter| letter.is_ascii_digit()))
    };
    let meant: Vec<&str> = spare.iter().filter(is_meant).map(|name| name.as_str()).collect();
    let (first, more) = meant.split_first()?;
    let line = line_with(&draft.text, &header(table));
    let place = format!("{}:{line}: the agreement opens `{table}`", draft.agreement_file.display());
    if !more.is_empty() {
        let parts: Vec<String> = meant.iter().map(|name| format!("SELECT * FROM {}", quoted(name))).collect();
        let names: Vec<String> = meant.iter().map(|name| format!("`{name}`")).collect();
        return Some(format!(
            "{place}, and the site has {}; join them in one file, or write in {} `CREATE VIEW {} AS {};`",
            names.join(", "),
            draft.folder.join("views.sql").display(),
            quoted(table),
            parts.join(" UNION ALL "),
        ));
    }
    let why = if first.eq_ignore_ascii_case(table) { "; upper and lower case count" } else { "" };
    let rename = match draft.files.get(*first).filter(|_| draft.is_file(first)) {
        Some(file) => {
            let ending = file.path.extension().unwrap_or_default().to_string_lossy();
            format!("rename {} to `{table}.{ending}`", file.path.display())
        }
        None => format!("call the view in {} `{}`", draft.folder.join("views.sql").display(), quoted(table)),
    };
    Some(format!(
        "{place}, and the site has `{first}`{why}; {rename}, or write `{}` in the agreement of every site",
        header(first)
    ))
}

/// How an agreement begins a table.
fn header(table: &str) -> String {
    let is_bare = table.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { format!("[table.{table}]") } else { format!("[table.{}]", quoted(table)) }
}

#[cfg(test)]
mod tests {
    use super::{column_line, first_difference};

    #[test]
    fn the_line_of_a_column_is_that_of_its_table() {
        let text = "# los\n[table.a.columns]\nlos = {}\n[table.\"b c\".columns]\n\"los (d)\" = {}\nlos.use = []\n\
                    [table.d.columns.los]\nuse = []\n";
        for (table, column, line) in
            [("a", "los", 3), ("b c", "los (d)", 5), ("b c", "los", 6), ("d", "los", 7)]
        {
            assert_eq!(column_line(text, table, column), line, "{table}.{column}");
        }
    }

    #[test]
    fn the_line_that_says_something_else_is_found_past_comments_and_blanks() {
        for (first, second, line) in [
            ("a = 1\nb = 2", "# ours\na=1\n\nb = 3\n", 4),
            ("a = 1", "a = 1\nb = 2", 2),
            ("a = 1\nb = 2", "a = 1\n", 1),
            ("a = 1", "", 1),
        ] {
            assert_eq!(first_difference(first, second), line, "{second}");
        }
    }
}
