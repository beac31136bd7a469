//! What to do where sites do not have a column alike: named at its place, with the view that mends it.

use arrow::datatypes::Field;
use liquid_node_api::catalogue::Kind;
use liquid_policy::id::ColumnName;

use super::agreement::is_added_up;
use super::column::{Here, Sought};
use super::draft::Draft;
use super::missing::{self, Texts};
use super::sql::{adding, casting, quoted, replacing};
use super::{dates, kinds};

/// How alike two names must be for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.75;

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
                let names =
                    "where all of them are codes, write in `views.sql` at each site where it is a number";
                (line, format!("{cure}; {names}, `{as_text}`"))
            }
            Kind::Text => self.of_text(draft, usual),
            _ => (
                None,
                format!(
                    "write the same in both; where a number or a day is only a name, write in `views.sql` `{as_text}` at \
                     each site that has no text",
                ),
            ),
        };
        format!(
            "{}: {} is {}, and at {} it is {}; {cure}",
            self.place(draft, line),
            self.named(),
            kinds::words(odd),
            other.site,
            kinds::words(usual),
        )
    }

    /// What makes of a site's texts what the others have, and the line of the first one where it is known.
    pub(super) fn of_text(&self, draft: &Draft, usual: Kind) -> (Option<u64>, String) {
        let (table, column) = (self.table.as_str(), self.column.as_str());
        let file = draft.csv(table);
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
            Kind::Integer | Kind::Float => match file.map(|file| missing::texts(file, &[column])) {
                Some(Texts::Other { line, number, .. }) => {
                    let view = missing::number_view(table, column, number.as_deref());
                    (Some(line), format!("correct the file, or {view}"))
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
                Some(Texts::None) => (
                    None,
                    format!(
                        "its numbers begin or end with zeros as codes do, so they stay as they are written; where they \
                         are numbers, write in `views.sql` `{}`",
                        casting(table, column, usual),
                    ),
                ),
                None => (None, format!("correct it, or {}", missing::number_view(table, column, None))),
            },
            Kind::Boolean | Kind::Text => {
                (None, "correct what is none there, or say by a view in `views.sql` what it means".to_owned())
            }
        }
    }

    /// A site has the table without the column.
    pub(super) fn missing(&self, draft: &'a Draft, kind: Option<Kind>, found: &[Here<'_>]) -> String {
        let (table, column) = (self.table.as_str(), self.column.as_str());
        let fields = self.schema(draft).map(|schema| schema.fields().clone()).unwrap_or_default();
        let spare: Vec<&Field> =
            fields.iter().map(AsRef::as_ref).filter(|it| !self.is_named(draft, it)).collect();
        let likeness =
            |field: &Field| strsim::jaro_winkler(&column.to_lowercase(), &field.name().to_lowercase());
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
