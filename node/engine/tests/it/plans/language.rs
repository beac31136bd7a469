//! Questions as trees of our own, and how each is written in SQL. Who made a tree knows which column stands where in it.

use std::fmt::Write as _;

use crate::plans::world::World;

/// An expression over the columns of one relation, by position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Col(usize),
    /// As it is written.
    Lit(String),
    /// A comparison, AND, OR, arithmetic, `||`.
    Bin(&'static str, Box<Expr>, Box<Expr>),
    /// What stands before: `NOT`, `-`.
    Before(&'static str, Box<Expr>),
    /// What stands behind: `IS NULL`, `IS NOT TRUE`, `LIKE 'A%'`.
    Behind(Box<Expr>, String),
    In(Box<Expr>, bool, Vec<Expr>),
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    Case {
        base: Option<Box<Expr>>,
        whens: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Call(&'static str, Vec<Expr>),
    Cast(&'static str, Box<Expr>, &'static str),
    /// EXISTS or IN over a subquery, written as it stands.
    Subquery(Box<Expr>, String),
    /// What an aggregate by person gave. It is never written so: it stands in trees whose names were looked up.
    Person(Box<Agg>),
}

impl Expr {
    pub(crate) fn bin(self, op: &'static str, other: Self) -> Self {
        Self::Bin(op, Box::new(self), Box::new(other))
    }

    pub(crate) fn lit(text: impl Into<String>) -> Self {
        Self::Lit(text.into())
    }

    /// The parts directly below, results and conditions alike.
    pub(crate) fn parts(&self) -> Vec<&Expr> {
        match self {
            Self::Col(_) | Self::Lit(_) => vec![],
            Self::Bin(_, left, right) => vec![left, right],
            Self::Before(_, inner)
            | Self::Behind(inner, _)
            | Self::Cast(_, inner, _)
            | Self::Subquery(inner, _) => vec![inner],
            Self::In(inner, _, items) => std::iter::once(inner.as_ref()).chain(items).collect(),
            Self::Between(inner, low, high) => vec![inner, low, high],
            Self::Case { base, whens, otherwise } => {
                let whens = whens.iter().flat_map(|(when, then)| [when, then]);
                base.iter().map(|it| &**it).chain(whens).chain(otherwise.iter().map(|it| &**it)).collect()
            }
            Self::Call(_, args) => args.iter().collect(),
            Self::Person(agg) => agg.arg.iter().chain(&agg.filter).collect(),
        }
    }

    /// The same with something else for each column.
    pub(crate) fn with(&self, put: &dyn Fn(usize) -> Expr) -> Expr {
        let each = |it: &Expr| it.with(put);
        let boxed = |it: &Expr| Box::new(it.with(put));
        match self {
            Self::Col(at) => put(*at),
            Self::Lit(text) => Self::Lit(text.clone()),
            Self::Bin(op, left, right) => Self::Bin(op, boxed(left), boxed(right)),
            Self::Before(op, inner) => Self::Before(op, boxed(inner)),
            Self::Behind(inner, test) => Self::Behind(boxed(inner), test.clone()),
            Self::In(inner, not, items) => Self::In(boxed(inner), *not, items.iter().map(each).collect()),
            Self::Between(inner, low, high) => Self::Between(boxed(inner), boxed(low), boxed(high)),
            Self::Case { base, whens, otherwise } => Self::Case {
                base: base.as_deref().map(boxed),
                whens: whens.iter().map(|(when, then)| (each(when), each(then))).collect(),
                otherwise: otherwise.as_deref().map(boxed),
            },
            Self::Call(name, args) => Self::Call(name, args.iter().map(each).collect()),
            Self::Cast(word, inner, to) => Self::Cast(word, boxed(inner), to),
            Self::Subquery(inner, text) => Self::Subquery(boxed(inner), text.clone()),
            Self::Person(agg) => Self::Person(Box::new(agg.with(put))),
        }
    }

    fn sql(&self, names: &[String]) -> String {
        let list = |items: &[Expr]| items.iter().map(|it| it.sql(names)).collect::<Vec<_>>().join(", ");
        match self {
            Self::Col(at) => names[*at].clone(),
            Self::Lit(text) => text.clone(),
            Self::Bin(op, left, right) => format!("({} {op} {})", left.sql(names), right.sql(names)),
            Self::Before(op, inner) => format!("({op} {})", inner.sql(names)),
            Self::Behind(inner, test) => format!("({} {test})", inner.sql(names)),
            Self::In(inner, not, items) => {
                format!("({}{} IN ({}))", inner.sql(names), if *not { " NOT" } else { "" }, list(items))
            }
            Self::Between(inner, low, high) => {
                format!("({} BETWEEN {} AND {})", inner.sql(names), low.sql(names), high.sql(names))
            }
            Self::Case { base, whens, otherwise } => {
                let mut text = "CASE".to_owned();
                if let Some(base) = base {
                    let _ = write!(text, " {}", base.sql(names));
                }
                for (when, then) in whens {
                    let _ = write!(text, " WHEN {} THEN {}", when.sql(names), then.sql(names));
                }
                if let Some(otherwise) = otherwise {
                    let _ = write!(text, " ELSE {}", otherwise.sql(names));
                }
                text + " END"
            }
            Self::Call(name, args) => format!("{name}({})", list(args)),
            Self::Cast(word, inner, to) => format!("{word}({} AS {to})", inner.sql(names)),
            Self::Subquery(inner, text) => format!("({} {text})", inner.sql(names)),
            // It has no names.
            Self::Person(agg) => agg.sql(names),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agg {
    pub(crate) function: &'static str,
    pub(crate) distinct: bool,
    /// None: `count(*)`.
    pub(crate) arg: Option<Expr>,
    pub(crate) filter: Option<Expr>,
}

impl Agg {
    pub(crate) fn with(&self, put: &dyn Fn(usize) -> Expr) -> Self {
        Self {
            arg: self.arg.as_ref().map(|it| it.with(put)),
            filter: self.filter.as_ref().map(|it| it.with(put)),
            ..self.clone()
        }
    }

    fn sql(&self, names: &[String]) -> String {
        let arg = self.arg.as_ref().map_or_else(|| "*".to_owned(), |it| it.sql(names));
        let more = if self.function == "string_agg" { ", ','" } else { "" };
        let mut text =
            format!("{}({}{arg}{more})", self.function, if self.distinct { "DISTINCT " } else { "" });
        if let Some(filter) = &self.filter {
            let _ = write!(text, " FILTER (WHERE {})", filter.sql(names));
        }
        text
    }
}

/// A relation of single rows, or of one row a person.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) alias: String,
    /// Written as a common table expression, and used by its name.
    pub(crate) cte: bool,
    pub(crate) body: Body,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Table(usize),
    Select {
        from: Box<Rows>,
        filter: Option<Expr>,
        outputs: Option<Vec<Expr>>,
        odd: Odd,
    },
    Join {
        left: Box<Rows>,
        right: Box<Rows>,
        on: Vec<Expr>,
        how: How,
    },
    /// A row for each value of the keys, the entity among them.
    Person {
        from: Box<Rows>,
        filter: Option<Expr>,
        keys: Vec<Expr>,
        aggs: Vec<Agg>,
        having: Option<Expr>,
    },
}

/// What else stands in a subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    No,
    Distinct,
    Limit,
    Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Inner,
    /// The conditions stand in WHERE.
    Comma,
    Left,
    Full,
}

/// What stands before the query: the common table expressions, in order.
#[derive(Debug, Default)]
struct Ctes(Vec<(String, String)>);

impl Rows {
    /// How expressions over it name its columns.
    fn names(&self, world: &World) -> Vec<String> {
        if let Body::Join { left, right, .. } = &self.body {
            return left.qualified(world).into_iter().chain(right.qualified(world)).collect();
        }
        if self.alias.len().is_multiple_of(2) { self.qualified(world) } else { self.own_names(world) }
    }

    fn qualified(&self, world: &World) -> Vec<String> {
        match &self.body {
            Body::Join { .. } => self.names(world),
            _ => self.own_names(world).iter().map(|it| format!("{}.{it}", self.alias)).collect(),
        }
    }

    /// The names of its columns alone.
    fn own_names(&self, world: &World) -> Vec<String> {
        match &self.body {
            Body::Table(at) => {
                world.tables[*at].columns.iter().map(|column| identifier(column.name)).collect()
            }
            Body::Select { outputs: Some(outputs), .. } => numbered(&self.alias, outputs.len()),
            Body::Select { from, outputs: None, .. } => from.own_names(world),
            Body::Join { left, right, .. } => {
                left.own_names(world).into_iter().chain(right.own_names(world)).collect()
            }
            Body::Person { keys, aggs, .. } => numbered(&self.alias, keys.len() + aggs.len()),
        }
    }

    /// As it stands in FROM.
    fn from(&self, world: &World, ctes: &mut Ctes) -> String {
        let text = match &self.body {
            Body::Table(at) => return format!("{} AS {}", world.tables[*at].name, self.alias),
            Body::Join { left, right, on, how } => {
                let (names, left, right) =
                    (self.names(world), left.from(world, ctes), right.from(world, ctes));
                let on: Vec<String> = on.iter().map(|it| it.sql(&names)).collect();
                let on = if on.is_empty() { "true".to_owned() } else { on.join(" AND ") };
                return match how {
                    How::Comma => format!("{left}, {right}"),
                    How::Inner => format!("{left} JOIN {right} ON {on}"),
                    How::Left => format!("{left} LEFT JOIN {right} ON {on}"),
                    How::Full => format!("{left} FULL JOIN {right} ON {on}"),
                };
            }
            Body::Select { from, filter, outputs, odd } => {
                let names = from.names(world);
                let listed = match outputs {
                    None => "*".to_owned(),
                    Some(outputs) => {
                        let own = numbered(&self.alias, outputs.len());
                        let each =
                            outputs.iter().zip(own).map(|(it, own)| format!("{} AS {own}", it.sql(&names)));
                        each.collect::<Vec<_>>().join(", ")
                    }
                };
                let (distinct, listed) = match odd {
                    Odd::Distinct => ("DISTINCT ", listed),
                    Odd::Window => ("", format!("{listed}, row_number() OVER () AS place")),
                    Odd::No | Odd::Limit => ("", listed),
                };
                let limit = if *odd == Odd::Limit { " LIMIT 5" } else { "" };
                let source = from.from(world, ctes);
                format!(
                    "SELECT {distinct}{listed} FROM {source}{}{limit}",
                    from.condition(world, filter.as_ref())
                )
            }
            Body::Person { from, filter, keys, aggs, having } => {
                let names = from.names(world);
                let own = numbered(&self.alias, keys.len() + aggs.len());
                let values: Vec<String> = keys
                    .iter()
                    .map(|it| it.sql(&names))
                    .chain(aggs.iter().map(|it| it.sql(&names)))
                    .collect();
                let listed: Vec<String> =
                    values.iter().zip(&own).map(|(it, own)| format!("{it} AS {own}")).collect();
                let source = from.from(world, ctes);
                let mut text = format!(
                    "SELECT {} FROM {source}{} GROUP BY {}",
                    listed.join(", "),
                    from.condition(world, filter.as_ref()),
                    values[..keys.len()].join(", ")
                );
                if let Some(having) = having {
                    let _ = write!(text, " HAVING {}", having.sql(&values));
                }
                text
            }
        };
        if self.cte {
            ctes.0.push((self.alias.clone(), text));
            self.alias.clone()
        } else {
            format!("({text}) AS {}", self.alias)
        }
    }

    /// WHERE, with the conditions of joins that stand there.
    fn condition(&self, world: &World, filter: Option<&Expr>) -> String {
        let names = self.names(world);
        let mut all: Vec<String> = self.commas(world);
        all.extend(filter.map(|it| it.sql(&names)));
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    }

    fn commas(&self, world: &World) -> Vec<String> {
        match &self.body {
            Body::Join { left, right, on, how } => {
                let names = self.names(world);
                let own = on.iter().filter(|_| *how == How::Comma).map(|it| it.sql(&names));
                own.chain(left.commas(world)).chain(right.commas(world)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// An aggregate over rows: what leaves.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    pub(crate) from: Rows,
    pub(crate) filter: Option<Expr>,
    pub(crate) keys: Vec<Expr>,
    pub(crate) aggs: Vec<Agg>,
    /// SELECT DISTINCT, or GROUP BY by its words or numbers.
    pub(crate) grouped: Grouped,
    /// An aggregate that only stands elsewhere.
    pub(crate) aside: Option<(Aside, Agg)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grouped {
    Words,
    Numbers,
    Distinct,
    Rollup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    Having,
    Order,
    Window,
    Ratio,
}

impl Cut {
    fn sql(&self, world: &World, ctes: &mut Ctes) -> String {
        let names = self.from.names(world);
        let keys: Vec<String> = self.keys.iter().map(|it| it.sql(&names)).collect();
        let mut listed = keys.clone();
        listed.extend(self.aggs.iter().map(|it| it.sql(&names)));
        let (mut having, mut order) = (String::new(), String::new());
        if let Some((aside, agg)) = &self.aside {
            let agg = agg.sql(&names);
            match aside {
                Aside::Having => having = format!(" HAVING {agg} IS NOT NULL"),
                Aside::Order => order = format!(" ORDER BY {agg}"),
                Aside::Window => listed.push(format!("first_value({agg}) OVER ()")),
                Aside::Ratio => listed.push(format!("coalesce({agg}, NULL)")),
            }
        }
        let listed: Vec<String> =
            listed.iter().enumerate().map(|(at, it)| format!("{it} AS c{at}")).collect();
        let source = self.from.from(world, ctes);
        let filter = self.from.condition(world, self.filter.as_ref());
        let places: Vec<String> = (1..=keys.len()).map(|at| at.to_string()).collect();
        let group = match self.grouped {
            _ if keys.is_empty() => String::new(),
            Grouped::Distinct => String::new(),
            Grouped::Words => format!(" GROUP BY {}", keys.join(", ")),
            Grouped::Numbers => format!(" GROUP BY {}", places.join(", ")),
            Grouped::Rollup => format!(" GROUP BY ROLLUP ({})", keys.join(", ")),
        };
        let distinct = if self.grouped == Grouped::Distinct { "DISTINCT " } else { "" };
        format!("SELECT {distinct}{} FROM {source}{filter}{group}{having}{order}", listed.join(", "))
    }
}

/// A whole question.
#[derive(Debug, Clone)]
pub(crate) enum Query {
    Cut(Box<Cut>),
    /// Single rows.
    Rows(Rows),
    Set(&'static str, Box<Query>, Box<Query>),
    /// Released values, looked at by an expression over `c0`.
    Over {
        inner: Box<Query>,
        listed: String,
        rest: String,
        functions: Vec<&'static str>,
    },
    Beside(Box<Query>, Box<Query>),
    /// A released value as a literal of what is released.
    Above(Box<Query>, Box<Query>),
    /// No question at all.
    Statement(&'static str, Box<Query>),
}

impl Query {
    pub(crate) fn sql(&self, world: &World) -> String {
        let mut ctes = Ctes::default();
        let text = self.text(world, &mut ctes);
        if ctes.0.is_empty() {
            return text;
        }
        let with: Vec<String> = ctes.0.iter().map(|(name, it)| format!("{name} AS ({it})")).collect();
        match self {
            Self::Statement(word, _) => {
                format!("{word}WITH {} {}", with.join(", "), text.trim_start_matches(word))
            }
            _ => format!("WITH {} {text}", with.join(", ")),
        }
    }

    fn text(&self, world: &World, ctes: &mut Ctes) -> String {
        match self {
            Self::Cut(cut) => cut.sql(world, ctes),
            Self::Rows(rows) => {
                let source = rows.from(world, ctes);
                format!("SELECT * FROM {source}{}", rows.condition(world, None))
            }
            Self::Set(op, left, right) => {
                format!("({}) {op} ({})", left.text(world, ctes), right.text(world, ctes))
            }
            Self::Over { inner, listed, rest, .. } => {
                format!("SELECT {listed} FROM ({}) AS zz{rest}", inner.text(world, ctes))
            }
            Self::Beside(left, right) => {
                let (left, right) = (left.text(world, ctes), right.text(world, ctes));
                format!("SELECT x.c0, y.c0 AS d0 FROM ({left}) AS x JOIN ({right}) AS y ON x.c0 = y.c0")
            }
            Self::Above(left, right) => {
                let (left, right) = (left.text(world, ctes), right.text(world, ctes));
                format!("SELECT c0, (SELECT count(*) FROM ({right}) AS yy) AS n FROM ({left}) AS xx")
            }
            Self::Statement(word, inner) => format!("{word}{}", inner.text(world, ctes)),
        }
    }
}

fn numbered(alias: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{alias}_{at}")).collect()
}

/// A name as SQL has it.
pub(crate) fn identifier(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if plain { name.to_owned() } else { format!("{name:?}") }
}
