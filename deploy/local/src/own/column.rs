//! A column of a shared table: the type that fits every site that has the table, or what to mend where none does.
//!
//! 1. How the sites' own models describe it.
//! 2. What the sites have in its place.
//! 3. The type that all of this agrees on.
//! 4. Whether what is to be added up is a number.
//!
//! What is said where this does not come about stands in `cure`.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, SchemaRef};
use liquid_engine::Format;
use liquid_node_api::catalogue::{Kind, ModelColumn};
use liquid_policy::document::Column;
use liquid_policy::id::{ColumnName, TableName};

use super::agreement::is_added_up;
use super::draft::Draft;
use super::sql::{casting, quoted, replacing};
use super::{kinds, numbers};

/// The column that is sought, and where.
pub(super) struct Sought<'a> {
    pub(super) drafts: &'a [Draft],
    pub(super) table: &'a TableName,
    pub(super) column: &'a ColumnName,
}

/// What one site has in its place.
pub(super) type Here<'a> = (&'a Draft, Kind);

impl<'a> Sought<'a> {
    /// The column, where all sites that have the table can have it alike.
    pub(super) fn shared(&self, problems: &mut Vec<String>) -> Option<ModelColumn> {
        let before = problems.len();
        let described = self.described(problems);
        let (found, lacking) = self.found(problems);
        let kind = self.agreed(described, &found, problems);
        problems.extend(self.lacked(&lacking, kind, &found));
        if described.is_none() {
            self.dots(&found, problems);
        }
        if let (Some(kind), true) = (kind, problems.len() == before) {
            self.added_up(kind, &found, problems);
        }
        let plain = || ModelColumn {
            name: self.column.clone(),
            kind: kind.unwrap_or(Kind::Text),
            description: String::new(),
            unit: None,
            codes: BTreeMap::new(),
        };
        (problems.len() == before).then(|| described.map_or_else(plain, |(column, _)| column.clone()))
    }

    /// How the first model that describes it does, where no other one gives it another type.
    fn described(&self, problems: &mut Vec<String>) -> Option<(&'a ModelColumn, &'a Draft)> {
        let given = self
            .drafts
            .iter()
            .filter_map(|draft| Some((draft.model.as_ref()?.column(self.table, self.column)?, draft)));
        let mut first: Option<(&ModelColumn, &Draft)> = None;
        for (given, draft) in given {
            match first {
                Some((known, other)) if known.kind != given.kind => problems.push(format!(
                    "{}: {} is {}, and {} says {}; make the models the same",
                    model_of(draft),
                    self.named(),
                    kinds::words(given.kind),
                    model_of(other),
                    kinds::words(known.kind),
                )),
                _ => first = first.or(Some((given, draft))),
            }
        }
        first
    }

    /// What the sites that have the table have in the column's place, and those that lack it.
    fn found(&self, problems: &mut Vec<String>) -> (Vec<Here<'a>>, Vec<&'a Draft>) {
        let (mut found, mut lacking) = (Vec::new(), Vec::new());
        for draft in self.drafts {
            let (Some(rules), Some(schema)) = (self.rules(draft), self.schema(draft)) else { continue };
            let Ok(field) = schema.field_with_name(self.column.as_str()) else {
                lacking.push(draft);
                continue;
            };
            let kind = self.kind(draft, rules, field);
            // Nothing but missing values fits whatever the others have.
            if kind.is_none() && *field.data_type() != DataType::Null {
                let nearest =
                    if rules.uses.is_empty() { Kind::Text } else { kinds::nearest(field.data_type()) };
                problems.push(format!(
                    "{}: {} is {}, which shared tables do not have; in {} write `{}`",
                    self.place(draft, None),
                    self.named(),
                    kinds::type_words(field.data_type()),
                    draft.folder.join("views.sql").display(),
                    casting(self.table.as_str(), self.column.as_str(), nearest),
                ));
                // A time becomes a day, so what the others have must fit a day.
                found.extend((nearest == Kind::Date).then_some((draft, Kind::Date)));
            }
            found.extend(kind.map(|kind| (draft, kind)));
        }
        (found, lacking)
    }

    fn kind(&self, draft: &Draft, rules: &Column, field: &Field) -> Option<Kind> {
        let key = (self.table.to_string(), self.column.to_string());
        match kinds::of(field.data_type()) {
            // Numbers that are written in several ways are read as texts, since they could be codes.
            Some(Kind::Text) if draft.numbers.contains(&key) => Some(Kind::Float),
            // What only says who somebody is can be any text, as long as different values stay different.
            None if rules.uses.is_empty() && *field.data_type() != DataType::Null => Some(Kind::Text),
            kind => kind,
        }
    }

    /// The type that all of them fit; none where no site has a value.
    fn agreed(
        &self,
        described: Option<(&ModelColumn, &'a Draft)>,
        found: &[Here<'a>],
        problems: &mut Vec<String>,
    ) -> Option<Kind> {
        let mut fits: Option<Here<'a>> = described.map(|(column, draft)| (draft, column.kind));
        let mut found = found.to_vec();
        found.sort_by_key(|(_, kind)| rank(*kind));
        for (draft, kind) in found {
            fits = Some(match fits {
                None => (draft, kind),
                Some((_, Kind::Integer)) if kind == Kind::Float && described.is_none() => (draft, kind),
                Some((first, wanted)) if wanted == kind || (wanted, kind) == (Kind::Float, Kind::Integer) => {
                    (first, wanted)
                }
                Some((first, wanted)) if described.is_some() => {
                    problems.push(format!(
                        "{}: {} is {}, and {} says {}; correct the `type` there, or the file",
                        self.place(draft, None),
                        self.named(),
                        kinds::words(kind),
                        model_of(first),
                        kinds::words(wanted),
                    ));
                    (first, wanted)
                }
                Some((first, wanted)) => {
                    problems.push(self.differs((draft, kind), (first, wanted)));
                    (first, wanted)
                }
            });
        }
        fits.map(|(_, kind)| kind)
    }

    /// Dots between thousands make decimals of whole numbers, which the other sites' would silently join.
    fn dots(&self, found: &[Here<'_>], problems: &mut Vec<String>) {
        let Some((whole, _)) = found.iter().find(|(_, kind)| *kind == Kind::Integer) else { return };
        let (table, column) = (self.table.as_str(), self.column.as_str());
        for (draft, _) in found.iter().filter(|(_, kind)| *kind == Kind::Float) {
            let Some(number) = self.thousands(draft) else { continue };
            let decimals = format!("CAST({} AS DOUBLE)", quoted(column));
            problems.push(format!(
                "{}: all numbers of {} that have a dot have three digits behind it, and at {} they are whole, so 1.234 could \
                 be a thousand and more, or a little more than one; where dots stand between thousands, write in {} `{}`; \
                 where they stand before decimals, write there `{}`",
                self.place(draft, None),
                self.named(),
                whole.site,
                draft.folder.join("views.sql").display(),
                replacing(table, column, &number),
                replacing(table, column, &decimals),
            ));
        }
    }

    /// How SQL makes whole numbers of a site's decimals, where dots could stand between thousands.
    pub(super) fn thousands(&self, draft: &Draft) -> Option<String> {
        let column = self.column.as_str();
        let file = draft.csv_of(self.table.as_str(), column)?;
        let found = draft.tables.get(self.table.as_str())?.field_with_name(column).ok()?;
        numbers::thousands(file, column, kinds::of(found.data_type()) == Some(Kind::Text))
    }

    /// What is to be added up must be a number.
    fn added_up(&self, kind: Kind, found: &[Here<'_>], problems: &mut Vec<String>) {
        if matches!(kind, Kind::Integer | Kind::Float) {
            return;
        }
        let (table, column) = (self.table.as_str(), self.column.as_str());
        for (draft, _) in found.iter().filter(|(draft, _)| self.rules(draft).is_some_and(is_added_up)) {
            let (line, cure) = match kind {
                Kind::Text => self.of_text(draft, Kind::Float),
                Kind::Boolean => (
                    None,
                    format!(
                        "make a number of it, in the file or by a view in `views.sql`, as `{}`",
                        casting(table, column, Kind::Integer)
                    ),
                ),
                _ => (None, "take `sum` and `avg` out of the agreement, or correct the file".to_owned()),
            };
            problems.push(format!(
                "{}: {} is {}, and the agreement adds it up; {cure}",
                self.place(draft, line),
                self.named(),
                kinds::words(kind),
            ));
        }
    }

    pub(super) fn named(&self) -> String {
        format!("column `{}` of table `{}`", self.column, self.table)
    }

    pub(super) fn rules(&self, draft: &'a Draft) -> Option<&'a Column> {
        draft.agreement.tables().get(self.table)?.columns().get(self.column)
    }

    pub(super) fn schema(&self, draft: &'a Draft) -> Option<&'a SchemaRef> {
        draft.tables.get(self.table.as_str())
    }

    /// The file that the table is read from, or the views that make it.
    pub(super) fn place(&self, draft: &'a Draft, line: Option<u64>) -> String {
        let (table, column) = (self.table.as_str(), self.column.as_str());
        let file = draft.files.get(table).filter(|_| draft.is_file(table));
        let is_there = || self.schema(draft).is_some_and(|schema| schema.field_with_name(column).is_ok());
        let Some(file) = file.or_else(|| draft.csv_of(table, column).filter(|_| is_there())) else {
            return draft.folder.join("views.sql").display().to_string();
        };
        // Where a file says what its columns are, it does so in its first line.
        let line = line.or((file.format == Format::Csv).then_some(1));
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}", file.path.display())
    }
}

/// The order in which types are held against each other: those that are least likely to be meant otherwise come first, so
/// that whoever has a text, or a number for a day, is the one who is named.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Date => 0,
        Kind::Integer | Kind::Float => 1,
        Kind::Boolean => 2,
        Kind::Text => 3,
    }
}

fn model_of(draft: &Draft) -> String {
    let model = draft.model.as_ref();
    model.map(|model| model.path.display().to_string()).unwrap_or_default()
}
