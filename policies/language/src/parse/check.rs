//! What the keys say together: keys that no node enforces yet, contradictions, and then the [`Agreement`].

mod domains;
mod filters;
mod numbers;
mod relations;
mod signoff;
mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ring::digest::{SHA256, digest};

use super::tree::Tree;
use super::{Beside, Problem};
use crate::document::{self, Aggregate, Agreement, Recipient, Review, Use};
use crate::file::{self, AggregateWord, File, Missing, UseWord};
use crate::id::AgreementHash;
use crate::table::ColumnRule;
use crate::unseen::is_unseen;

/// Turns what was written into a document, or finds everything that stands against it.
pub(super) fn check(file: File, tree: &Tree<'_>, beside: Beside<'_>) -> Result<Agreement, Vec<Problem>> {
    let mut check = Check { tree, beside, problems: tree.unsupported() };
    check.dates(&file);
    check.purposes(&file);
    let parties = check.parties(&file);
    let approvers = check.approvers(&file);
    let signoff = check.signoff(&file);
    let supersedes = check.supersedes(&file);
    let recipients = check.recipients(&file);
    let tables = check.tables(&file);
    check.minimums(&file);
    check.numbers(&file);
    let templates = check.templates(&file);
    let canonical = check.canonical();
    if !check.problems.is_empty() {
        check.problems.sort_by_key(|problem| problem.span().start);
        return Err(check.problems);
    }
    Ok(Agreement {
        id: file.agreement.id.clone(),
        version: file.agreement.version.clone(),
        purposes: file.agreement.purposes.iter().cloned().collect(),
        in_force: file.agreement.in_force.0..=file.agreement.expires.0,
        review: file.agreement.review.as_ref().map(|r| Review { due: r.due.0, grace_days: r.grace_days }),
        parties,
        approvers,
        signoff,
        supersedes,
        marking: file.agreement.marking.clone(),
        recipients,
        tables,
        minimum_contributors: file.disclosure.minimum_contributors,
        rows_out_max: file.release.rows_out_max,
        templates,
        templates_only: file.release.templates_only,
        hash: AgreementHash::new(hex::encode(digest(&SHA256, &canonical))),
        canonical,
        file,
    })
}

struct Check<'t> {
    tree: &'t Tree<'t>,
    beside: Beside<'t>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::new(message, help, self.tree.span(path)));
    }

    /// A problem at a place within a text.
    fn problem_within(
        &mut self,
        path: &[&str],
        at: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem::new(message, help, self.tree.span_within(path, at)));
    }

    /// The content of a file beside the agreement, if it is the one that is agreed on. `at` are the places of its name and of its
    /// hash; `said` is what cannot be had without it, and what to do.
    fn agreed(
        &mut self,
        name: &str,
        sha256: &str,
        bytes_max: usize,
        at: (&[&str], &[&str]),
        said: (&str, &str),
    ) -> Option<Vec<u8>> {
        let read = (self.beside)(name, sha256).and_then(|bytes| {
            if bytes.len() > bytes_max {
                return Err(format!("it is longer than {bytes_max} bytes"));
            }
            Ok(bytes)
        });
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.problem(at.0, format!("{} cannot be read: {reason}", said.0), said.1);
                return None;
            }
        };
        let found = hex::encode(digest(&SHA256, &bytes));
        if found != sha256 {
            self.problem(
                at.1,
                format!("`{name}` is not the file that is agreed on: its SHA-256 is `{found}`"),
                "put the agreed file there; or write the new SHA-256, which all parties sign anew",
            );
            return None;
        }
        Some(bytes)
    }

    /// A name that is empty, or cannot be seen, names nothing.
    fn name(&mut self, path: &[&str], name: &str) {
        if let Some(unseen) = name.chars().find(|c| is_unseen(*c)) {
            self.problem(
                path,
                format!("a name has the character U+{:04X}, which nobody sees", u32::from(unseen)),
                "write the name anew, with what can be seen alone",
            );
        } else if name.trim().is_empty() || name.trim() != name {
            self.problem(
                path,
                "a name cannot be empty, or begin or end with a space",
                "write the name in full",
            );
        }
    }

    /// A list of names of which at least one is needed, each of them once.
    fn names<'n, T: AsRef<str> + 'n>(&mut self, path: &[&str], names: impl ExactSizeIterator<Item = &'n T>) {
        if names.len() == 0 {
            let key = path.last().copied().unwrap_or_default();
            self.problem(path, format!("`{key}` is empty"), "name at least one");
        }
        let mut seen = BTreeSet::new();
        for (index, name) in names.enumerate() {
            let index = index.to_string();
            let path: Vec<_> = path.iter().copied().chain([index.as_str()]).collect();
            self.name(&path, name.as_ref());
            if !seen.insert(name.as_ref()) {
                self.problem(&path, format!("`{}` stands in the list twice", name.as_ref()), "write it once");
            }
        }
    }

    fn dates(&mut self, file: &File) {
        let head = &file.agreement;
        self.name(&["agreement", "id"], head.id.as_str());
        if head.id.as_str().chars().any(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) {
            self.problem(
                &["agreement", "id"],
                format!("`{}` is no id: people type it, and files are named after it", head.id),
                "write letters from A to Z, digits, `-`, `_` and `.` alone, for example `id = \"ABC-2026-01\"`",
            );
        }
        self.name(&["agreement", "version"], &head.version);
        if head.title.as_ref().is_some_and(|title| title.chars().any(char::is_control)) {
            self.problem(
                &["agreement", "title"],
                "a title is one line, without control characters",
                "write it on one line",
            );
        }
        if head.expires < head.in_force {
            self.problem(
                &["agreement", "expires"],
                format!(
                    "the agreement expires on {} before it comes into force on {}",
                    head.expires.0, head.in_force.0
                ),
                "make `expires` the last day in force, on or after `in_force`",
            );
        }
        if let Some(review) = &head.review
            && review.due < head.in_force
        {
            self.problem(
                &["agreement", "review", "due"],
                format!("the review is due on {} before the agreement comes into force", review.due.0),
                "put `review.due` between `in_force` and `expires`",
            );
        }
    }

    fn purposes(&mut self, file: &File) {
        self.names(&["agreement", "purposes"], file.agreement.purposes.iter());
    }

    fn parties(&mut self, file: &File) -> BTreeMap<crate::id::OrganisationName, document::PartyRole> {
        let mut parties = BTreeMap::new();
        for (index, party) in file.party.iter().enumerate() {
            let index = index.to_string();
            let path = ["party", index.as_str(), "organisation"];
            self.name(&path, party.organisation.as_str());
            if parties.insert(party.organisation.clone(), party.role).is_some() {
                self.problem(
                    &path,
                    format!("`{}` is a party twice", party.organisation),
                    "give each organisation one `[[party]]` entry",
                );
            }
        }
        if !parties.values().any(|role| role.is_controller()) {
            self.problem(
                &["party"],
                "no party is a controller, so nobody could sign the agreement",
                "add a `[[party]]` entry with `role = \"controller\"` for each organisation whose data it is",
            );
        }
        parties
    }

    fn recipients(&mut self, file: &File) -> Vec<Recipient> {
        let mut recipients = Vec::new();
        let purposes: BTreeSet<_> = file.agreement.purposes.iter().collect();
        for (index, recipient) in file.recipient.iter().enumerate() {
            let index = index.to_string();
            let at = |key| ["recipient", index.as_str(), key];
            self.name(&at("organisation"), recipient.organisation.as_str());
            self.names(&at("roles"), recipient.roles.iter());
            self.names(&at("purposes"), recipient.purposes.iter());
            for (place, purpose) in recipient.purposes.iter().enumerate() {
                if !purposes.contains(purpose) {
                    let place = place.to_string();
                    self.problem(
                        &["recipient", &index, "purposes", &place],
                        format!("`{purpose}` is not a purpose of the agreement"),
                        "add it to `agreement.purposes`, or take it out here",
                    );
                }
            }
            recipients.push(Recipient {
                organisation: recipient.organisation.clone(),
                roles: recipient.roles.iter().cloned().collect(),
                purposes: recipient.purposes.iter().cloned().collect(),
            });
        }
        recipients
    }

    fn tables(&mut self, file: &File) -> BTreeMap<crate::id::TableName, document::Table> {
        if file.table.is_empty() {
            self.problem(&["table"], "the agreement opens no table", "add a `[table.<name>]` section");
        }
        let tables = file.table.iter();
        let mut tables = tables.map(|(name, table)| (name.clone(), self.table(file, name, table))).collect();
        self.filters(file, &mut tables);
        tables
    }

    fn table(&mut self, file: &File, name: &crate::id::TableName, table: &file::Table) -> document::Table {
        self.name(&["table", name.as_str()], name.as_str());
        self.protects(name, table);
        self.numbers_of_table(name, table);
        let columns = table
            .columns
            .iter()
            .map(|(column, written)| {
                let path = ["table", name.as_str(), "columns", column.as_str()];
                self.name(&path, column.as_str());
                if Some(column) == table.entity.as_ref() && written.grain.is_some() {
                    self.problem(
                        &[path.as_slice(), &["grain"]].concat(),
                        "the protected entity has no steps: each of its values is one entity",
                        "leave `grain` out",
                    );
                }
                if Some(column) == table.entity.as_ref() && file.disclosure.minimum_contributors > 1 {
                    self.entity(&path, written);
                }
                (column.clone(), self.column(&path, written))
            })
            .collect();
        document::Table {
            name: name.clone(),
            entity: table.entity.clone(),
            entities: table.entities,
            keys_within: table.keys_within.iter().cloned().collect(),
            rows_per_entity_max: table.rows_per_entity_max,
            entity_counts: table.entity_counts.clone(),
            join_keys: self.join_keys(name, table),
            references: self.references(file, name, table),
            unique: self.unique(name, table),
            row_filter: self.row_filter(name, table),
            filters: Vec::new(),
            columns,
        }
    }

    /// Behind each value of the entity stands one entity, so any use of it would show or single out one.
    fn entity(&mut self, path: &[&str; 4], column: &file::Column) {
        let used = |u: &UseWord| matches!(u, UseWord::Group | UseWord::Filter | UseWord::Measure);
        if column.uses.iter().any(used) {
            let [_, _, _, name] = path;
            self.problem(
                &[path.as_slice(), &["use"]].concat(),
                format!("`{name}` is the protected entity, so it cannot be grouped, filtered or measured by"),
                "write `use = []`, or `use = [\"join\"]`; `count(DISTINCT …)` over it is always allowed",
            );
        }
    }

    fn column(&mut self, path: &[&str; 4], column: &file::Column) -> document::Column {
        let [table, name, columns, own] = *path;
        let at = |key| [table, name, columns, own, key];
        let mut uses = BTreeSet::new();
        for (index, word) in column.uses.iter().enumerate() {
            let place = index.to_string();
            let place = [table, name, columns, own, "use", &place];
            let new = match word {
                UseWord::Group => uses.insert(Use::Group),
                UseWord::Filter => uses.insert(Use::Filter),
                UseWord::Measure => uses.insert(Use::Measure),
                UseWord::Join => uses.insert(Use::Join),
                UseWord::Output => {
                    self.problem(
                        &place,
                        "this use is not enforced by this version, so the agreement cannot be used with it",
                        "write `group`, `filter`, `measure` or `join`, or leave the use out",
                    );
                    continue;
                }
            };
            if !new {
                self.problem(&place, "this use stands in the list twice", "write it once");
            }
        }
        let measure = uses.contains(&Use::Measure);
        if !measure && self.tree.has(&at("aggregates")) {
            self.problem(
                &at("aggregates"),
                "`aggregates` says nothing for a column that is no measure",
                "add `measure` to its `use`, or leave `aggregates` out",
            );
        }
        if measure && column.aggregates.is_empty() {
            self.problem(&at("aggregates"), "a measure needs an aggregate", "name `count`, `sum` or `avg`");
        }
        let aggregates = column.aggregates.iter().filter(|_| measure).map(|word| match word {
            AggregateWord::Count => Aggregate::Count,
            AggregateWord::Sum => Aggregate::Sum,
            AggregateWord::Avg => Aggregate::Avg,
        });
        let rule = ColumnRule {
            grain: column.grain,
            domain: column.domain.as_ref().and_then(|domain| self.domain(path, domain, column.grain)),
            bounds: self.bounds(path, column, measure),
            required: column.required,
            missing_public: column.missing == Missing::Public,
        };
        document::Column { aggregates: aggregates.collect(), uses, rule }
    }

    fn minimums(&mut self, file: &File) {
        if file.disclosure.minimum_contributors == 0 {
            self.problem(
                &["disclosure", "minimum_contributors"],
                "a minimum of 0 contributors protects nobody",
                "write 10 or more; 1 switches the disclosure rules off",
            );
        }
        if file.release.rows_out_max == 0 {
            self.problem(
                &["release", "rows_out_max"],
                "`rows_out_max` is 0, so nothing could leave",
                "write 1 or more",
            );
        }
    }

    /// RFC 8785: sorted keys, one way to write each number and text.
    fn canonical(&mut self) -> Vec<u8> {
        self.tree.canonical().unwrap_or_else(|problem| {
            self.problems.push(problem);
            Vec::new()
        })
    }
}
