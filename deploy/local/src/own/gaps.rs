//! Where answers will be narrower than one may think: sites that lack a table or its rows, and what the minimum will
//! withhold because the agreement does not say what is true of the data.

use std::collections::{BTreeMap, BTreeSet};

use liquid_policy::document::{Agreement, Table};
use liquid_policy::id::{ColumnName, TableName};

use super::agreement::{column_line, is_added_up};
use super::draft::Draft;
use super::model::Shared;
use super::sql::quoted;
use super::text::line_with;

/// A line each. Where a site's rows cannot be counted, as in too little memory, that is one of them, and nothing is said of
/// what depends on the counts.
pub(super) async fn notes(drafts: &[Draft], shared: &Shared) -> Vec<String> {
    let (mut sites, mut notes) = (Vec::new(), Vec::new());
    let mut all_counted = true;
    for draft in drafts {
        let counted = counts(draft, shared).await;
        all_counted &= counted.is_ok();
        let counts = counted.unwrap_or_else(|why| {
            notes.push(format!(
                "{}: its rows cannot be counted beforehand, so it is not said here what will be withheld: {why}",
                draft.folder.display()
            ));
            BTreeMap::new()
        });
        sites.push(Site { draft, tables: shared.tables_of(draft), counts });
    }
    let mut seen = BTreeSet::new();
    for first in drafts.iter().filter(|draft| seen.insert(draft.agreement.id())) {
        let under: Vec<&Site<'_>> =
            sites.iter().filter(|site| site.draft.agreement.id() == first.agreement.id()).collect();
        absent(first, drafts, &under, &mut notes);
        let Some(minimum) = first.agreement.minimum().filter(|_| all_counted) else { continue };
        for table in first.agreement.tables().values() {
            empty(table, minimum, &under, &mut notes);
            whole(first, table, &under, &mut notes);
        }
        alone(first, &under, &mut notes);
    }
    notes
}

/// A site with its shared tables, and what was counted there.
struct Site<'a> {
    draft: &'a Draft,
    tables: Vec<TableName>,
    counts: BTreeMap<Count, i64>,
}

/// What is counted in the shared tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    /// The rows of a table.
    Rows(TableName),
    /// Those that have a value in a column.
    Values(TableName, ColumnName),
    /// Those of the second table to which no row of the first leads.
    Alone(Reference),
}

/// A column of a table whose values stand in a column of another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    from: (TableName, ColumnName),
    to: (TableName, ColumnName),
}

/// Counts at one site, by the very views under which it will run.
async fn counts(draft: &Draft, shared: &Shared) -> Result<BTreeMap<Count, i64>, String> {
    let (mut counts, mut queries) = (Vec::new(), Vec::new());
    let here = shared.tables_of(draft);
    for table in here.iter().filter_map(|name| draft.agreement.tables().get(name)) {
        let mut asked = vec!["count(*)".to_owned()];
        let mut counted = vec![Count::Rows(table.name().clone())];
        for column in unsaid(table) {
            asked.push(format!("count({})", quoted(column.as_str())));
            counted.push(Count::Values(table.name().clone(), column.clone()));
        }
        // Each with a name of its own, or two of the same would be one too many.
        let asked: Vec<String> = asked.iter().zip(0..).map(|(it, at)| format!("{it} AS n{at}")).collect();
        queries.push(format!("SELECT {} FROM {}", asked.join(", "), quoted(table.name().as_str())));
        counts.push(counted);
    }
    for reference in one_way(&draft.agreement) {
        let Reference { from: (from, own), to: (to, key) } = &reference;
        if here.contains(from) && here.contains(to) {
            queries.push(format!(
                "SELECT count(*) FROM {} AS p LEFT ANTI JOIN {} AS t ON p.{} = t.{}",
                quoted(to.as_str()),
                quoted(from.as_str()),
                quoted(key.as_str()),
                quoted(own.as_str()),
            ));
            counts.push(vec![Count::Alone(reference)]);
        }
    }
    let views = (draft.folder.join("views.sql"), shared.views_of(draft));
    let found = liquid_engine::count(draft.configured(), views, queries).await?;
    Ok(counts.into_iter().flatten().zip(found.into_iter().flatten()).collect())
}

/// Measures of which the agreement does not say who lacks a value. Where it declares a domain, a value beyond that is a
/// missing one as well, so nothing can be said of these.
fn unsaid(table: &Table) -> impl Iterator<Item = &ColumnName> {
    let columns = table.columns().iter().filter(|(_, column)| is_added_up(column));
    columns
        .filter(|(_, column)| {
            !column.rule.required && !column.rule.missing_public && column.rule.domain.is_none()
        })
        .map(|(name, _)| name)
}

/// References to unique keys of tables that protect somebody, which do not refer back.
fn one_way(agreement: &Agreement) -> Vec<Reference> {
    let mut found = Vec::new();
    for table in agreement.tables().values() {
        for (own, (to, key)) in table.references() {
            let Some(target) = agreement.tables().get(to).filter(|to| to.entity().is_some()) else {
                continue;
            };
            let back = target.references().get(key).is_some_and(|(name, _)| name == table.name());
            if target.unique().contains(key) && !back {
                let from = (table.name().clone(), own.clone());
                found.push(Reference { from, to: (to.clone(), key.clone()) });
            }
        }
    }
    found
}

/// Who is a party or has the agreement, and has nothing to answer from.
fn absent(first: &Draft, drafts: &[Draft], under: &[&Site<'_>], notes: &mut Vec<String>) {
    for controller in first.agreement.controllers() {
        if !drafts.iter().any(|draft| draft.organisation == *controller) {
            notes.push(format!(
                "{}: no folder is that of the controller `{controller}`, so answers come from the others alone",
                first.agreement_file.display()
            ));
        }
    }
    for table in first.agreement.tables().keys() {
        let has = |site: &&&Site<'_>| site.tables.contains(table);
        if under.iter().any(|site| has(&site)) {
            notes.extend(under.iter().filter(|site| !has(site)).map(|site| {
                format!(
                    "{}: it has no table `{table}`, so answers about it come from the other sites alone",
                    site.draft.folder.display()
                )
            }));
        }
    }
}

/// Sites with a table and no rows in it.
fn empty(table: &Table, minimum: u32, under: &[&Site<'_>], notes: &mut Vec<String>) {
    let name = table.name();
    let is_empty = |site: &&&Site<'_>| site.counts.get(&Count::Rows(name.clone())) == Some(&0);
    for site in under.iter().filter(|site| is_empty(site) && table.entity().is_some()) {
        let draft = site.draft;
        let file = draft.files.get(name.as_str());
        let place = file.map_or_else(|| draft.folder.join("views.sql"), |file| file.path.clone());
        notes.push(format!(
            "{}: table `{name}` has no rows at {}, which is fewer than the minimum of {minimum}, so totals over all sites will \
             be withheld; take the file out where the site takes no part",
            place.display(),
            draft.site,
        ));
    }
}

/// Measures in which nobody lacks a value, and the agreement does not say so.
fn whole(first: &Draft, table: &Table, under: &[&Site<'_>], notes: &mut Vec<String>) {
    let sum = |count: &Count| under.iter().filter_map(|site| site.counts.get(count)).sum::<i64>();
    let rows = sum(&Count::Rows(table.name().clone()));
    for column in unsaid(table).filter(|_| rows > 0 && table.entity().is_some()) {
        if sum(&Count::Values(table.name().clone(), column.clone())) == rows {
            notes.push(format!(
                "{}:{}: `{column}` is measured and nobody lacks a value: write `required = true`, else its sums and averages \
                 are withheld",
                first.agreement_file.display(),
                column_line(&first.text, table.name().as_str(), column.as_str()),
            ));
        }
    }
}

/// Whom joins leave out, and what would say that they leave out nobody.
fn alone(first: &Draft, under: &[&Site<'_>], notes: &mut Vec<String>) {
    let mut said = BTreeSet::new();
    for reference in one_way(&first.agreement) {
        let Reference { from: (from, own), to: (to, key) } = &reference;
        let Some(target) = first.agreement.tables().get(to) else { continue };
        let found = under.iter().map(|site| site.counts.get(&Count::Alone(reference.clone())));
        let nobody = under.iter().any(|site| site.counts.contains_key(&Count::Rows(to.clone())))
            && found.zip(under).all(|(alone, site)| {
                alone == Some(&0) || !site.counts.contains_key(&Count::Rows(to.clone()))
            });
        let header = format!("[table.{to}.join]");
        let line = line_with(&first.text, &header);
        let mut back = target.references().clone();
        let fix = match back.insert(key.clone(), (from.clone(), own.clone())) {
            None if nobody => {
                let back: Vec<String> = back
                    .iter()
                    .map(|(own, (table, key))| format!("{} = \"{table}.{key}\"", bare(own.as_str())))
                    .collect();
                let again = !said.insert((to.clone(), key.clone()));
                let instead =
                    if again { ", instead of the one above, since a key refers to one table" } else { "" };
                format!(
                    "; everybody has one at every site: to say so, write `references = {{ {} }}` under `{header}`{instead}",
                    back.join(", ")
                )
            }
            _ => String::new(),
        };
        let what = if target.entity() == Some(key) {
            format!(
                "whoever of `{to}` has no row in `{from}` is left out of joins of the two, which are withheld where these are few"
            )
        } else {
            format!("rows of `{to}` can have none in `{from}`, so questions that join the two are refused")
        };
        notes.push(format!("{}:{line}: {what}{fix}", first.agreement_file.display()));
    }
}

/// A key as TOML takes it.
fn bare(key: &str) -> String {
    let is_bare = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { key.to_owned() } else { quoted(key) }
}
