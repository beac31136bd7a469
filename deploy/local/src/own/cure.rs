//! What to do where sites do not have a column alike: named at its place, with the view that mends it.

use std::collections::BTreeSet;

use arrow::datatypes::Field;
use liquid_node_api::catalogue::Kind;
use liquid_policy::id::ColumnName;

use super::agreement::{column_line, is_added_up};
use super::column::{Here, Sought};
use super::draft::Draft;
use super::numbers::{self, Cure, Texts};
use super::sql::{adding, casting, quoted, replacing};
use super::{dates, kinds};

/// How alike two names must be for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.75;

/// What is said of a text where nothing better is known.
const UNKNOWN: &str = "correct what is none there, or say by a view in `views.sql` what it means";

fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &other.to_lowercase())
}

impl<'a> Sought<'a> {
    /// Two sites have different types.
    pub(super) fn differs(&self, (draft, odd): Here<'a>, (other, usual): Here<'a>) -> String {
        let as_text = casting(self.table.as_str(), self.column.as_str(), Kind::Text);
        let is_measured = self.rules(draft).is_some_and(is_added_up);
        let (line, cure) = match odd {
            Kind::Text if self.rules(draft).is_some_and(|rules| rules.uses.is_empty()) => (
                None,
                format!(
                    "it only says who or what a row is of, so write in {} `{as_text}`",
                    other.folder.join("views.sql").display()
                ),
            ),
            Kind::Text if matches!(usual, Kind::Integer | Kind::Float) && !is_measured => {
                let (line, cure) = self.of_text(draft, usual);
                if self.has_codes(draft) {
                    return self.differing((draft, odd), (other, usual), line, &cure);
                }
                let names =
                    "where all of them are codes, write in `views.sql` at each site where it is a number";
                (line, format!("{cure}; {names}, `{as_text}`"))
            }
            Kind::Text => self.of_text(draft, usual),
            Kind::Boolean if matches!(usual, Kind::Integer | Kind::Float) => (
                None,
                format!(
                    "where 1 stands for true at the others, write in {} `{}`",
                    draft.folder.join("views.sql").display(),
                    casting(self.table.as_str(), self.column.as_str(), Kind::Integer),
                ),
            ),
            Kind::Integer if usual == Kind::Date && self.compact(draft) => (
                None,
                format!(
                    "its numbers are days as 20241231; write in {} `{}`",
                    draft.folder.join("views.sql").display(),
                    {
                        let column = quoted(self.column.as_str());
                        let day = format!("to_date(CAST({column} AS VARCHAR), '{}')", dates::COMPACT);
                        replacing(self.table.as_str(), self.column.as_str(), &day)
                    }
                ),
            ),
            _ => (
                None,
                format!(
                    "write the same in both; where a number or a day is only a name, write in `views.sql` `{as_text}` at \
                     each site that has no text",
                ),
            ),
        };
        self.differing((draft, odd), (other, usual), line, &cure)
    }

    fn differing(
        &self,
        (draft, odd): Here<'a>,
        (other, usual): Here<'a>,
        line: Option<u64>,
        cure: &str,
    ) -> String {
        format!(
            "{}: {} is {}, and at {} it is {}; {cure}",
            self.place(draft, line),
            self.named(),
            kinds::words(odd),
            other.site,
            kinds::words(usual),
        )
    }

    /// Whether a site has a few words in the column, each a code.
    fn has_codes(&self, draft: &Draft) -> bool {
        let is_codes = |odd: &numbers::Odd| matches!(odd.cure, Cure::Codes(..));
        matches!(self.texts(draft), Some(Texts::Other(odd)) if odd.iter().any(is_codes))
    }

    /// Whether a site's whole numbers are days as 20241231.
    fn compact(&self, draft: &Draft) -> bool {
        draft
            .csv_of(self.table.as_str(), self.column.as_str())
            .is_some_and(|file| dates::is_compact(file, self.column.as_str()))
    }

    /// What makes of a site's texts what the others have, and the line of the first one where it is known.
    pub(super) fn of_text(&self, draft: &Draft, usual: Kind) -> (Option<u64>, String) {
        let (table, column) = (self.table.as_str(), self.column.as_str());
        let file = draft.csv_of(table, column);
        match usual {
            Kind::Date => {
                let found = file.and_then(|file| dates::notation(file, column));
                let (how, pattern, doubt) = match &found {
                    Some(notation) => ("as they are here", notation.pattern.as_str(), notation.doubt()),
                    None => ("for 31/12/2024", "%d/%m/%Y", String::new()),
                };
                let day = format!("to_date({}, '{pattern}')", quoted(column));
                let view = replacing(table, column, &day);
                let cure = format!(
                    "write its days as 2024-12-31, or say in `views.sql` how they are written, {how} `{view}`{doubt}"
                );
                (None, cure)
            }
            Kind::Integer | Kind::Float => match self.texts(draft) {
                Some(Texts::Other(odd)) => {
                    let line = odd.first().map(|first| first.line);
                    (line, format!("correct the file, or {}", numbers::mended(table, &odd)))
                }
                Some(Texts::Missing(text)) => {
                    let number =
                        format!("CAST(nullif({}, '{text}') AS {})", quoted(column), usual.sql_name());
                    let view = replacing(table, column, &number);
                    let cure = format!(
                        "`{text}` stands among its numbers for a missing value; take it out, or write in `views.sql` `{view}`"
                    );
                    (None, cure)
                }
                Some(Texts::None) if usual == Kind::Integer && self.thousands(draft).is_some() => (
                    None,
                    format!(
                        "where dots stand between thousands in it, write in `views.sql` `{}`",
                        replacing(table, column, &self.thousands(draft).unwrap_or_default()),
                    ),
                ),
                Some(Texts::None) => (
                    None,
                    format!(
                        "its numbers begin or end with zeros as codes do, so they stay as they are written; where they \
                         are numbers, write in `views.sql` `{}`",
                        casting(table, column, usual),
                    ),
                ),
                None => {
                    (None, "correct it, or make numbers of its texts by a view in `views.sql`".to_owned())
                }
            },
            Kind::Boolean => match file.and_then(|file| numbers::truths(file, column)) {
                Some((sql, is_known)) => {
                    let check = if is_known { "" } else { ", with true or false in the place of each `?`" };
                    let view = replacing(table, column, &sql);
                    (None, format!("correct the file, or write in `views.sql` `{view}`{check}"))
                }
                None => (None, UNKNOWN.to_owned()),
            },
            Kind::Text => (None, UNKNOWN.to_owned()),
        }
    }

    /// The texts in the file that the column is read from.
    fn texts(&self, draft: &Draft) -> Option<Texts> {
        let column = self.column.as_str();
        draft.csv_of(self.table.as_str(), column).map(|file| numbers::texts(file, &[column]))
    }

    /// Sites have the table without the column; where nobody has it, the agreement is likelier to be wrong than all files.
    pub(super) fn lacked(
        &self,
        lacking: &[&'a Draft],
        kind: Option<Kind>,
        found: &[Here<'_>],
    ) -> Vec<String> {
        let column = self.column.as_str();
        let has_table = self.drafts.iter().filter(|it| self.rules(it).is_some() && self.schema(it).is_some());
        let in_blanks = |draft: &&&Draft| {
            let schema = self.schema(draft);
            schema.is_some_and(|it| it.fields().iter().any(|field| field.name().trim() == column))
        };
        if lacking.is_empty() || lacking.len() < has_table.count() || lacking.iter().any(|it| in_blanks(&it))
        {
            return lacking.iter().map(|draft| self.missing(draft, kind, found)).collect();
        }
        let mut seen = BTreeSet::new();
        let agreements = lacking.iter().filter(|draft| seen.insert(draft.agreement.id()));
        agreements.map(|draft| self.nowhere(draft, lacking)).collect()
    }

    fn nowhere(&self, draft: &'a Draft, lacking: &[&'a Draft]) -> String {
        let (table, column) = (self.table.as_str(), self.column.as_str());
        let fields = lacking.iter().filter_map(|draft| Some((*draft, self.schema(draft)?)));
        let spare = fields.flat_map(|(draft, schema)| {
            schema
                .fields()
                .iter()
                .filter(move |field| !self.is_named(draft, field))
                .map(|it| it.name().as_str())
        });
        let nearest = spare.max_by(|one, other| likeness(column, one).total_cmp(&likeness(column, other)));
        let fix = match nearest.filter(|name| likeness(column, name) >= ALIKE) {
            Some(name) => format!(
                "did you mean `{name}`? Correct it in the agreement of every site, or write in `views.sql` of every site `{}`",
                adding(table, column, &quoted(name))
            ),
            None => "correct it in the agreement of every site, or take it out there; the agreement is likelier to be wrong \
                     than all files"
                .to_owned(),
        };
        format!(
            "{}:{}: no site has the column `{column}` of table `{table}`, which the agreement names; {fix}",
            draft.agreement_file.display(),
            column_line(&draft.text, table, column),
        )
    }

    /// A site has the table without the column.
    pub(super) fn missing(&self, draft: &'a Draft, kind: Option<Kind>, found: &[Here<'_>]) -> String {
        let (table, column) = (self.table.as_str(), self.column.as_str());
        let fields = self.schema(draft).map(|schema| schema.fields().clone()).unwrap_or_default();
        let spare: Vec<&Field> =
            fields.iter().map(AsRef::as_ref).filter(|it| !self.is_named(draft, it)).collect();
        let likeness = |field: &Field| likeness(column, field.name());
        let nearest = spare.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
        let view = |name: &str| adding(table, column, &quoted(name));
        let fix = match nearest.filter(|field| likeness(field) >= ALIKE) {
            Some(field) if field.name().trim() == column => format!(
                "its column `{}` has a blank beside its name; take the blanks beside the {} out of the file",
                field.name(),
                if draft.csv(table).is_some() { "delimiters" } else { "names" },
            ),
            Some(field) => format!(
                "rename its column `{}`, or write `{}` in `views.sql`",
                field.name(),
                view(field.name())
            ),
            None => match self.only_other(draft, &spare, kind).filter(|_| !found.is_empty()) {
                Some(name) => format!(
                    "is `{name}` perhaps `{column}`? If so, rename it, or write `{}` in `views.sql`",
                    view(name)
                ),
                None => {
                    let is_measured = self.rules(draft).is_some_and(is_added_up);
                    let kind = kind.unwrap_or(if is_measured { Kind::Float } else { Kind::Text });
                    let nothing = format!("CAST(NULL AS {})", kind.sql_name());
                    format!(
                        "add it; where this site does not record it, write `{}` in `views.sql`",
                        adding(table, column, &nothing)
                    )
                }
            },
        };
        let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name())).collect();
        format!(
            "{}: table `{table}` has no column `{column}`, which the agreement names; it has {}; {fix}",
            self.place(draft, None),
            names.join(", ")
        )
    }

    fn is_named(&self, draft: &Draft, field: &Field) -> bool {
        let table = draft.agreement.tables().get(self.table);
        table.is_some_and(|table| table.columns().contains_key(&ColumnName::from(field.name().as_str())))
    }

    /// The one column of a type that fits which no other site has and no agreement names.
    fn only_other<'f>(&self, draft: &Draft, spare: &[&'f Field], kind: Option<Kind>) -> Option<&'f str> {
        let others = || self.drafts.iter().filter(|other| other.site != draft.site);
        let of_its_own = |field: &&&Field| {
            !others().any(|it| self.schema(it).is_some_and(|it| it.field_with_name(field.name()).is_ok()))
        };
        let mut own = spare.iter().filter(of_its_own);
        let (Some(field), None) = (own.next(), own.next()) else { return None };
        let fits = match (kinds::of(field.data_type()), kind) {
            (Some(Kind::Integer), Some(Kind::Float)) => true,
            (found, kind) => found == kind,
        };
        fits.then_some(field.name().as_str())
    }
}
