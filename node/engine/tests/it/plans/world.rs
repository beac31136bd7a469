//! A random agreement over random tables, as plain data of our own and as the text that a board would sign.

use std::fmt::Write as _;

use crate::plans::dice::Dice;

/// A type of the shared model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Float,
    Date,
    Bool,
}

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Int => "BIGINT",
            Self::Float => "DOUBLE",
            Self::Date => "DATE",
            Self::Bool => "BOOLEAN",
        }
    }
}

/// The positions that an agreement can give a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    Group,
    Filter,
    Measure,
    Join,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The agreement speaks of it.
    pub(crate) listed: bool,
    pub(crate) uses: Vec<Use>,
    /// Of a measure; `count`, `sum`, `avg`.
    pub(crate) aggregates: Vec<&'static str>,
    /// Of a date: the finest step on which it is seen.
    pub(crate) grain: Option<&'static str>,
    pub(crate) domain: bool,
    pub(crate) required: bool,
    /// Every value of it stands in this table and column.
    pub(crate) refers: Option<(usize, usize)>,
    pub(crate) unique: bool,
}

impl Column {
    pub(crate) fn may(&self, wanted: Use) -> bool {
        self.listed && self.uses.contains(&wanted)
    }

    pub(crate) fn adds_up(&self) -> bool {
        self.may(Use::Measure) && self.aggregates.iter().any(|it| matches!(*it, "sum" | "avg"))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<Column>,
    /// None for a list of codes that protects nobody.
    pub(crate) entity: Option<usize>,
    /// Columns of which each value belongs to one entity.
    pub(crate) within: Vec<usize>,
    /// The steps in which it may be seen how many rows an entity has.
    pub(crate) bins: Vec<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) tables: Vec<Table>,
    /// There is a minimum of contributors.
    pub(crate) guarded: bool,
}

const PERSON: [(&str, Kind); 9] = [
    ("pid", Kind::Text),
    ("sex", Kind::Text),
    ("Band 1", Kind::Text),
    ("age", Kind::Int),
    ("income", Kind::Float),
    ("tax", Kind::Float),
    ("born", Kind::Date),
    ("smoker", Kind::Bool),
    ("name", Kind::Text),
];
const VISIT: [(&str, Kind); 8] = [
    ("pid", Kind::Text),
    ("vid", Kind::Text),
    ("code", Kind::Text),
    ("day", Kind::Date),
    ("cost", Kind::Float),
    ("stay", Kind::Int),
    ("urgent", Kind::Bool),
    ("note.free", Kind::Text),
];
const CODE: [(&str, Kind); 4] =
    [("code", Kind::Text), ("chapter", Kind::Text), ("weight", Kind::Float), ("since", Kind::Date)];
const TEST: [(&str, Kind); 5] = [
    ("pid", Kind::Text),
    ("vid", Kind::Text),
    ("marker", Kind::Text),
    ("level", Kind::Float),
    ("taken", Kind::Date),
];

impl World {
    /// Two or three tables: people, their visits, and codes or tests.
    pub(crate) fn roll(dice: &mut Dice) -> Self {
        let guarded = dice.percent(60);
        let mut tables = vec![
            table(dice, guarded, "person", &PERSON, &[]),
            table(dice, guarded, "visit", &VISIT, &["vid"]),
        ];
        match dice.below(3) {
            0 => tables.push(table(dice, guarded, "code", &CODE, &[])),
            1 => tables.push(table(dice, guarded, "test", &TEST, &["vid"])),
            _ => {}
        }
        let mut world = Self { tables, guarded };
        world.relate(dice);
        world
    }

    pub(crate) fn column(&self, (table, column): (usize, usize)) -> &Column {
        &self.tables[table].columns[column]
    }

    fn at(&self, table: &str, column: &str) -> Option<(usize, usize)> {
        let at = self.tables.iter().position(|it| it.name == table)?;
        Some((at, self.tables[at].columns.iter().position(|it| it.name == column)?))
    }

    /// Who refers to whom, where both sides are join keys.
    fn relate(&mut self, dice: &mut Dice) {
        let lines = [
            ("visit", "pid", "person", "pid"),
            ("test", "pid", "person", "pid"),
            ("visit", "code", "code", "code"),
            ("test", "vid", "visit", "vid"),
        ];
        for (from, own, to, key) in lines {
            let (Some(from), Some(to)) = (self.at(from, own), self.at(to, key)) else { continue };
            let joins = |at| self.column(at).may(Use::Join);
            if !joins(from) || !joins(to) {
                continue;
            }
            if dice.percent(85) {
                self.tables[from.0].columns[from.1].refers = Some(to);
            }
            if dice.percent(85) {
                self.tables[to.0].columns[to.1].unique = true;
            }
        }
    }

    /// The agreement's file.
    pub(crate) fn agreement(&self) -> String {
        let mut text = "schema = \"liquid/agreement/1\"\n[agreement]\nid = \"PLANS\"\nversion = \"1.0.0\"\npurposes = [\"care\"]\n\
             in_force = 2026-01-01\nexpires = 2099-12-31\n[[party]]\norganisation = \"north\"\nrole = \"controller\"\n\
             [[recipient]]\norganisation = \"north\"\nroles = [\"analyst\"]\npurposes = [\"care\"]\n"
            .to_owned();
        for table in &self.tables {
            let _ = writeln!(text, "[table.{}]", table.name);
            let _ = match table.entity {
                Some(entity) => {
                    writeln!(text, "entity = {:?}\nentities = \"disjoint\"", table.columns[entity].name)
                }
                None => writeln!(text, "replicated = true"),
            };
            if table.entity.is_some() && !table.bins.is_empty() {
                let _ = writeln!(text, "entity_counts = {:?}", table.bins);
            }
            if !table.within.is_empty() {
                let within: Vec<_> = table.within.iter().map(|at| table.columns[*at].name).collect();
                let _ = writeln!(text, "keys_within = {within:?}");
            }
            let named = |which: fn(&Column) -> bool| {
                let names = table.columns.iter().filter(|column| which(column)).map(|column| column.name);
                names.collect::<Vec<_>>()
            };
            let keys = named(|column| column.may(Use::Join));
            if !keys.is_empty() {
                let _ =
                    writeln!(text, "join.keys = {keys:?}\njoin.unique = {:?}", named(|column| column.unique));
                for column in &table.columns {
                    if let Some(to) = column.refers {
                        let target = format!("{}.{}", self.tables[to.0].name, self.column(to).name);
                        let _ = writeln!(text, "join.references.{:?} = {target:?}", column.name);
                    }
                }
            }
            let _ = writeln!(text, "[table.{}.columns]", table.name);
            for column in table.columns.iter().filter(|column| column.listed) {
                let _ = writeln!(text, "{:?} = {}", column.name, column.clause());
            }
        }
        let minimum = if self.guarded { 10 } else { 1 };
        let _ = writeln!(text, "[disclosure]\nminimum_contributors = {minimum}");
        text
    }

    /// The tables as statements; every second one behind a view.
    pub(crate) fn schema(&self, views: bool) -> String {
        let mut text = String::new();
        for table in &self.tables {
            let columns: Vec<String> =
                table.columns.iter().map(|it| format!("{:?} {}", it.name, it.kind.sql())).collect();
            let columns = columns.join(", ");
            let _ = if views {
                writeln!(
                    text,
                    "CREATE TABLE raw_{0} ({columns});\nCREATE VIEW {0} AS SELECT * FROM raw_{0};",
                    table.name
                )
            } else {
                writeln!(text, "CREATE TABLE {} ({columns});", table.name)
            };
        }
        text
    }
}

impl Column {
    fn clause(&self) -> String {
        let uses: Vec<String> =
            self.uses.iter().map(|it| format!("\"{}\"", format!("{it:?}").to_lowercase())).collect();
        let mut parts = vec![format!("use = [{}]", uses.join(", "))];
        if self.uses.contains(&Use::Measure) {
            parts.push(format!("aggregates = {:?}", self.aggregates));
        }
        if let Some(grain) = self.grain {
            parts.push(format!("grain = {grain:?}"));
        }
        if self.domain {
            parts.push(
                match self.kind {
                    Kind::Text => "domain = { values = [\"A\", \"B\", \"C\"] }",
                    Kind::Bool => "domain = { values = [true, false] }",
                    _ => "domain = { from = 0, to = 9 }",
                }
                .to_owned(),
            );
        }
        if self.required {
            parts.push("required = true".to_owned());
        }
        format!("{{ {} }}", parts.join(", "))
    }
}

fn table(
    dice: &mut Dice,
    guarded: bool,
    name: &'static str,
    columns: &[(&'static str, Kind)],
    within: &[&str],
) -> Table {
    let entity = columns.iter().position(|(column, _)| *column == "pid");
    let columns: Vec<Column> = columns
        .iter()
        .enumerate()
        .map(|(at, (column, kind))| {
            let key = matches!(*column, "pid" | "vid" | "code");
            roll_column(dice, guarded, column, *kind, key, entity == Some(at))
        })
        .collect();
    let is_within = |at: &usize| within.contains(&columns[*at].name) && columns[*at].listed;
    let within = (0..columns.len()).filter(is_within).filter(|_| dice.percent(80)).collect();
    let bins = [1, 2, 3, 5, 10].into_iter().filter(|_| dice.percent(60)).collect();
    Table { name, columns, entity, within, bins: if dice.percent(70) { bins } else { vec![] } }
}

fn roll_column(
    dice: &mut Dice,
    guarded: bool,
    name: &'static str,
    kind: Kind,
    key: bool,
    entity: bool,
) -> Column {
    let mut uses = Vec::new();
    // An entity has no use under a minimum but to join.
    if !(entity && guarded) {
        let number = matches!(kind, Kind::Int | Kind::Float);
        for (wanted, share) in [
            (Use::Group, if number { 30 } else { 65 }),
            (Use::Filter, 65),
            (Use::Measure, if number { 75 } else { 15 }),
        ] {
            if dice.percent(share) {
                uses.push(wanted);
            }
        }
    }
    if key && dice.percent(85) {
        uses.push(Use::Join);
    }
    let listed = entity || dice.percent(93);
    if !listed {
        uses.clear();
    }
    let all = [vec!["count"], vec!["sum"], vec!["avg"], vec!["sum", "avg"], vec!["count", "sum", "avg"]];
    let grain = dice.pick(&["year", "quarter", "month", "week", "day"]);
    let declares = matches!(kind, Kind::Text | Kind::Int | Kind::Bool) && !key;
    Column {
        name,
        kind,
        listed,
        uses,
        aggregates: dice.pick(&all),
        grain: (kind == Kind::Date && listed && dice.percent(75)).then_some(grain),
        domain: declares && dice.percent(40),
        required: dice.percent(20),
        refers: None,
        unique: false,
    }
}
