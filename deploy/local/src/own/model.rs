//! The shared tables of folders that somebody else has prepared: the tables and columns of their agreements, in types that
//! fit every site, and the views that bring each site's files to them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Schema};
use liquid_engine::Format;
use liquid_node_api::catalogue::{Kind, Model, ModelColumn, ModelTable};
use liquid_policy::id::{ColumnName, TableName};

use super::read::{Draft, is_added_up};

/// How alike two names must be for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.75;

/// The shared tables.
#[derive(Default)]
pub(super) struct Shared {
    tables: BTreeMap<TableName, ModelTable>,
}

impl Shared {
    /// The tables that a site has.
    pub(super) fn tables_of(&self, draft: &Draft) -> Vec<TableName> {
        let there = |table: &&TableName| {
            draft.agreement.tables().contains_key(*table) && draft.tables.contains_key(table.as_str())
        };
        self.tables.keys().filter(there).cloned().collect()
    }

    /// The site's `model.toml`.
    pub(super) fn model_of(&self, draft: &Draft) -> String {
        let tables =
            self.tables_of(draft).iter().filter_map(|table| self.tables.get(table)).cloned().collect();
        toml::to_string(&Model { tables }).unwrap_or_default()
    }

    /// The site's own `views.sql`, and views that bring its files to exactly the shared columns.
    pub(super) fn views_of(&self, draft: &Draft) -> String {
        let mut text = draft.views.clone().unwrap_or_default();
        for table in self.tables_of(draft).iter().filter(|table| draft.is_file(table.as_str())) {
            let (Some(shared), Some(found)) = (self.tables.get(table), draft.tables.get(table.as_str()))
            else {
                continue;
            };
            let columns: Vec<String> = shared.columns.iter().map(|column| select(column, found)).collect();
            let table = quoted(table.as_str());
            let columns = columns.join(", ");
            text.push_str(&format!("\nCREATE OR REPLACE VIEW {table} AS SELECT {columns} FROM {table};\n"));
        }
        text
    }
}

fn select(column: &ModelColumn, found: &Schema) -> String {
    let name = quoted(column.name.as_str());
    let as_it_is = found
        .field_with_name(column.name.as_str())
        .is_ok_and(|field| kind(field.data_type()) == Some(column.kind));
    if as_it_is { name } else { format!("CAST({name} AS {}) AS {name}", column.kind.sql_name()) }
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tables that the agreements open, each once; says what does not fit together.
pub(super) fn shared(drafts: &[Draft], problems: &mut Vec<String>) -> Shared {
    let mut shared = Shared::default();
    let mut looked_at = BTreeSet::new();
    for draft in drafts {
        let none = draft.agreement.tables().keys().all(|table| !draft.tables.contains_key(table.as_str()));
        if none {
            let wanted: Vec<_> = draft.agreement.tables().keys().map(|table| format!("`{table}`")).collect();
            let found: Vec<_> = draft.tables.keys().map(|table| format!("`{table}`")).collect();
            problems.push(format!(
                "{}: the agreement opens {}, and the site has {}; rename the file like the table, or make the table in \
                 `views.sql`",
                draft.folder.display(),
                wanted.join(", "),
                found.join(", "),
            ));
        }
        for (name, table) in draft.agreement.tables() {
            let entry = shared.tables.entry(name.clone()).or_insert_with(|| ModelTable {
                name: name.clone(),
                description: format!("as {} opens it", draft.agreement.id()),
                columns: Vec::new(),
            });
            for column in table.columns().keys() {
                if looked_at.insert((name.clone(), column.clone())) {
                    entry.columns.extend(the_column(drafts, name, column, problems));
                }
            }
        }
    }
    shared
}

/// A column in the type that fits every site that has the table, or what to do where none does.
fn the_column(
    drafts: &[Draft],
    table: &TableName,
    column: &ColumnName,
    problems: &mut Vec<String>,
) -> Option<ModelColumn> {
    let before = problems.len();
    let models = drafts.iter().filter_map(|draft| Some((draft, draft.model.as_ref()?)));
    let given = models.filter_map(|(draft, model)| {
        let table = model.tables.iter().find(|it| it.name == *table)?;
        Some((draft, table.columns.iter().find(|it| it.name == *column)?))
    });
    let mut described: Option<ModelColumn> = None;
    let mut fits: Option<(Kind, &Draft)> = None;
    for (draft, given) in given {
        match fits {
            Some((kind, first)) if kind != given.kind => {
                let first = first.folder.join("model.toml");
                problems.push(format!(
                    "{}: column `{column}` of table `{table}` is {}, and {} says {}; make the models the same",
                    draft.folder.join("model.toml").display(),
                    words(given.kind),
                    first.display(),
                    words(kind),
                ));
            }
            _ => fits = Some((given.kind, draft)),
        }
        described = described.or_else(|| Some(given.clone()));
    }
    let with_table = drafts.iter().filter(|draft| draft.agreement.tables().contains_key(table));
    for draft in with_table {
        let Some(found) = draft.tables.get(table.as_str()) else { continue };
        let place = place(draft, table);
        let Ok(field) = found.field_with_name(column.as_str()) else {
            problems.push(missing(&place, table, column, found));
            continue;
        };
        if *field.data_type() == DataType::Null {
            continue; // nothing but missing values: it fits whatever the others have
        }
        // What only says who somebody is can be any text, as long as different values stay different.
        let rules = draft.agreement.tables().get(table).and_then(|table| table.columns().get(column));
        let names_only = rules.is_some_and(|rules| rules.uses.is_empty());
        let as_text = names_only && draft.is_file(table.as_str());
        let Some(kind) = kind(field.data_type()).or(as_text.then_some(Kind::Text)) else {
            problems.push(format!(
                "{place}: column `{column}` of table `{table}` is {}, which shared tables do not have; in {} write `{}`",
                field.data_type(),
                draft.folder.join("views.sql").display(),
                view(table, column, if names_only { Kind::Text } else { nearest_kind(field.data_type()) }),
            ));
            continue;
        };
        fits = match fits {
            None => Some((kind, draft)),
            Some((Kind::Integer, _)) if kind == Kind::Float && described.is_none() => Some((kind, draft)),
            Some((wanted, first)) if wanted == kind || (wanted, kind) == (Kind::Float, Kind::Integer) => {
                Some((wanted, first))
            }
            Some((wanted, _)) if described.is_some() => {
                problems.push(format!(
                    "{place}: column `{column}` of table `{table}` is {}, and `model.toml` says {}; correct the `type` \
                     there, or the file",
                    words(kind),
                    words(wanted),
                ));
                fits
            }
            Some((wanted, first)) => {
                // Texts are what is not understood: whoever has them is named, wherever they stand in the order.
                let (place, odd, other, usual) = match wanted {
                    Kind::Text => (self::place(first, table), wanted, &draft.site, kind),
                    _ => (place, kind, &first.site, wanted),
                };
                problems.push(format!(
                    "{place}: column `{column}` of table `{table}` is {}, and at {other} it is {}; {}",
                    words(odd),
                    words(usual),
                    alike(odd, usual, table, column),
                ));
                Some((usual, if wanted == Kind::Text { draft } else { first }))
            }
        };
    }
    let kind = fits.map_or(Kind::Text, |(kind, _)| kind);
    for draft in drafts {
        let rules = draft.agreement.tables().get(table).and_then(|table| table.columns().get(column));
        let has = draft.tables.contains_key(table.as_str()) && problems.len() == before;
        if has
            && rules.is_some_and(is_added_up)
            && !matches!(kind, Kind::Integer | Kind::Float)
            && fits.is_some()
        {
            problems.push(format!(
                "{}: column `{column}` of table `{table}` is {}, and the agreement adds it up; make a number of it, in \
                 the file or by a view in `views.sql`",
                self::place(draft, table),
                words(kind),
            ));
        }
    }
    let plain = ModelColumn {
        name: column.clone(),
        kind,
        description: String::new(),
        unit: None,
        codes: BTreeMap::new(),
    };
    (problems.len() == before).then(|| described.unwrap_or(plain))
}

/// The file that a table is read from, or the views that make it.
fn place(draft: &Draft, table: &TableName) -> String {
    let file = draft.files.get(table.as_str()).filter(|_| draft.is_file(table.as_str()));
    let Some(file) = file else { return draft.folder.join("views.sql").display().to_string() };
    // Where a file says what its columns are, it does so in its first line.
    format!("{}{}", file.path.display(), if file.format == Format::Csv { ":1" } else { "" })
}

fn missing(place: &str, table: &TableName, column: &ColumnName, found: &Schema) -> String {
    let alike = |field: &&std::sync::Arc<arrow::datatypes::Field>| {
        let (wanted, name) = (column.as_str().to_lowercase(), field.name().to_lowercase());
        strsim::jaro_winkler(&wanted, &name)
    };
    let nearest = found.fields().iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let names: Vec<_> = found.fields().iter().map(|field| format!("`{}`", field.name())).collect();
    let fix = match nearest.filter(|field| alike(field) >= ALIKE) {
        Some(field) => format!(
            "rename its column `{0}`, or write `CREATE OR REPLACE VIEW {1} AS SELECT *, {2} AS {3} FROM {1};` in \
             `views.sql`",
            field.name(),
            quoted(table.as_str()),
            quoted(field.name()),
            quoted(column.as_str()),
        ),
        None => format!(
            "add it; where this site does not record it, write `CREATE OR REPLACE VIEW {0} AS SELECT *, CAST(NULL AS \
             VARCHAR) AS {1} FROM {0};` in `views.sql`",
            quoted(table.as_str()),
            quoted(column.as_str()),
        ),
    };
    format!(
        "{place}: table `{table}` has no column `{column}`, which the agreement names; it has {}; {fix}",
        names.join(", ")
    )
}

/// What makes a column of one site like the others'.
fn alike(odd: Kind, usual: Kind, table: &TableName, column: &ColumnName) -> String {
    let (quoted_table, quoted_column) = (quoted(table.as_str()), quoted(column.as_str()));
    match (odd, usual) {
        (Kind::Text, Kind::Date) => format!(
            "write its days as 2024-12-31, or in `views.sql` how they are written, for 31/12/2024 `CREATE OR REPLACE VIEW \
             {quoted_table} AS SELECT * REPLACE (to_date({quoted_column}, '%d/%m/%Y') AS {quoted_column}) FROM \
             {quoted_table};`"
        ),
        (Kind::Text, _) => {
            "correct what is none there, or say by a view in `views.sql` what it means".to_owned()
        }
        _ => format!(
            "write the same in both; where a number or a day is only a name, write in `views.sql` `{}` at each site that \
             has no text",
            view(table, column, Kind::Text)
        ),
    }
}

/// A view that casts one column.
fn view(table: &TableName, column: &ColumnName, kind: Kind) -> String {
    let (table, column) = (quoted(table.as_str()), quoted(column.as_str()));
    format!(
        "CREATE OR REPLACE VIEW {table} AS SELECT * REPLACE (CAST({column} AS {}) AS {column}) FROM {table};",
        kind.sql_name()
    )
}

/// The model's type for a type of Arrow, where a cast to it loses nothing that counts.
fn kind(found: &DataType) -> Option<Kind> {
    use DataType::{
        Boolean, Date32, Decimal32, Decimal64, Decimal128, Dictionary, Float16, Float32, Float64, Int8,
        Int16, Int32, Int64, LargeUtf8, UInt8, UInt16, UInt32, Utf8, Utf8View,
    };
    match found {
        Dictionary(_, values) => kind(values),
        Boolean => Some(Kind::Boolean),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => Some(Kind::Integer),
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) => Some(Kind::Float),
        Utf8 | LargeUtf8 | Utf8View => Some(Kind::Text),
        Date32 => Some(Kind::Date),
        _ => None,
    }
}

/// What to cast another type to.
fn nearest_kind(found: &DataType) -> Kind {
    match found {
        DataType::Timestamp(..) | DataType::Date64 => Kind::Date,
        DataType::UInt64 => Kind::Integer,
        DataType::Decimal256(..) => Kind::Float,
        _ => Kind::Text,
    }
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "true or false",
        Kind::Integer => "a whole number",
        Kind::Float => "a number with decimals",
        Kind::Text => "a text",
        Kind::Date => "a date",
    }
}
