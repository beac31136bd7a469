//! Tokens become one query's syntax tree, and what no query may contain is refused with the code that fits.
//!
//! Refusing here is a matter of clear messages: [`crate::cut`] and [`crate::expression`] are closed lists over the plan and
//! would refuse the same. Only the caps on expanded common table expressions have to stand before planning.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArguments, ObjectName, Query, Select, Statement, TableFactor, Visit, Visitor,
};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use liquid_policy::Code;

use crate::error::PlanError;
use crate::functions::FUNCTIONS;
use crate::gate;

/// Tables of a query after every common table expression has been put where it is named.
const EXPANDED_MAX: usize = 200;

/// Subqueries in expressions within one another, likewise. Each level multiplies DataFusion's planning time.
const SUBQUERIES_MAX: usize = 5;

/// Nesting of the parser's own functions. The gate bounds what a text can nest; this is the second line.
const PARSER_DEPTH_MAX: usize = 400;

/// One parsed query.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) statement: Statement,
    /// A function without parentheses that is not on the list; it can still be a column.
    pub(crate) bare_function: Option<String>,
}

/// Parses exactly one query.
pub(crate) fn parse(sql: &str) -> Result<Parsed, PlanError> {
    let mut tokens = gate::tokens(sql)?;
    number_parameters(&mut tokens)?;
    parsed(tokens)
}

/// Parses exactly one query whose parameters have names, and numbers them in the order in which they first stand there.
pub(crate) fn parse_named(sql: &str) -> Result<(Parsed, Vec<String>), PlanError> {
    let mut tokens = gate::tokens(sql)?;
    let names = name_parameters(&mut tokens)?;
    Ok((parsed(tokens)?, names))
}

fn parsed(tokens: Vec<TokenWithSpan>) -> Result<Parsed, PlanError> {
    only_queries(&tokens)?;
    let mut statements = Parser::new(&GenericDialect {})
        .with_recursion_limit(PARSER_DEPTH_MAX)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(explain)?;
    let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
        return Err(not_a_query("several statements"));
    };
    let Statement::Query(query) = &statement else { return Err(not_a_query("another statement")) };
    let mut walk = Walk::default();
    if let ControlFlow::Break(error) = query.visit(&mut walk) {
        return Err(*error);
    }
    Ok(Parsed { statement, bare_function: walk.bare_function })
}

/// How many parameters the text has.
pub(crate) fn parameters(sql: &str) -> Result<usize, PlanError> {
    number_parameters(&mut gate::tokens(sql)?)
}

fn explain(error: ParserError) -> PlanError {
    match error {
        ParserError::RecursionLimitExceeded => PlanError::refused(
            Code::Limit,
            "limits.nesting",
            "the query is nested too deeply",
            "flatten the query",
        ),
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            PlanError::invalid(format!("the query does not parse: {text}"), "correct the SQL at that place")
        }
    }
}

fn not_a_query(what: &str) -> PlanError {
    PlanError::refused(
        Code::Statement,
        "statements",
        format!("only one query can be asked at a time, not {what}"),
        "ask with a single SELECT",
    )
}

/// The first word tells a query from everything else, so that no other statement is even parsed.
fn only_queries(tokens: &[TokenWithSpan]) -> Result<(), PlanError> {
    let first = tokens.iter().map(|t| &t.token).find(|t| !matches!(t, Token::LParen | Token::SemiColon));
    match first {
        Some(Token::Word(word)) => match word.keyword {
            Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM | Keyword::TABLE => Ok(()),
            Keyword::NoKeyword => Err(PlanError::invalid(
                format!("the query does not parse: `{}` begins no statement", word.value),
                "begin with SELECT or WITH",
            )),
            Keyword::SHOW | Keyword::DESCRIBE | Keyword::DESC => Err(PlanError::refused(
                Code::Statement,
                "statements",
                format!("`{}` is not answered; only queries are", word.value.to_uppercase()),
                "tables and columns stand in your client's catalogue, and an unknown name in a query lists the known ones",
            )),
            Keyword::EXPLAIN => Err(PlanError::refused(
                Code::Statement,
                "statements",
                "EXPLAIN is not answered; only queries are",
                "ask the query itself: what it may not do is refused before any data is read",
            )),
            _ => Err(not_a_query(&format!("`{}`", word.value.to_uppercase()))),
        },
        Some(_) => Err(PlanError::invalid("the query does not parse", "begin with SELECT or WITH")),
        None => Err(PlanError::invalid("the query is empty", "write a SELECT")),
    }
}

/// Turns `?` into `$1`, `$2`, … and says how many values are needed.
fn number_parameters(tokens: &mut [TokenWithSpan]) -> Result<usize, PlanError> {
    let (mut questions, mut highest) = (0_usize, 0_usize);
    for token in tokens {
        let Token::Placeholder(name) = &mut token.token else { continue };
        if name == "?" {
            questions += 1;
            *name = format!("${questions}");
        } else {
            match name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()) {
                Some(n) if (1..=gate::TOKENS_MAX).contains(&n) => highest = highest.max(n),
                _ => {
                    let message = format!("parameter `{name}` has no number");
                    return Err(PlanError::invalid(message, "write parameters as $1, $2, … or as ?"));
                }
            }
        }
    }
    if questions > 0 && highest > 0 {
        return Err(PlanError::invalid("the query mixes ? and $1", "use one way to write parameters"));
    }
    Ok(questions.max(highest))
}

/// Turns `$ward` into `$1`, and so on, and gives back the names.
fn name_parameters(tokens: &mut [TokenWithSpan]) -> Result<Vec<String>, PlanError> {
    let mut names: Vec<String> = Vec::new();
    for token in tokens {
        let Token::Placeholder(written) = &mut token.token else { continue };
        let name = written.strip_prefix('$').filter(|name| is_parameter(name)).ok_or_else(|| {
            PlanError::invalid(
                format!("parameter `{written}` of a template has no name"),
                "write parameters as `$ward`: small letters, digits and `_`, a letter first",
            )
        })?;
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        *written = format!("${}", at + 1);
    }
    if names.len() > NAMED_MAX {
        let message = format!("a template has {NAMED_MAX} parameters at most");
        return Err(PlanError::invalid(message, "write several templates"));
    }
    Ok(names)
}

/// Parameters of one template.
const NAMED_MAX: usize = 50;

fn is_parameter(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(inner)
}

/// A query on the way down: its common table expressions, and what it stands for.
#[derive(Debug, Default)]
struct Scope {
    /// Names of common table expressions that are still to come, last first.
    pending: Vec<String>,
    /// Those that are complete, with what they stand for.
    complete: HashMap<String, Expanded>,
    /// How many expressions with a subquery are open around it.
    opened: usize,
    all: Expanded,
}

/// What a query stands for after every common table expression has been put where it is named.
#[derive(Debug, Clone, Copy, Default)]
struct Expanded {
    tables: usize,
    /// Subqueries in expressions within one another.
    nesting: usize,
}

impl Expanded {
    fn add(&mut self, part: Self) {
        self.tables = self.tables.saturating_add(part.tables);
        self.nesting = self.nesting.max(part.nesting);
    }
}

#[derive(Debug, Default)]
struct Walk {
    scopes: Vec<Scope>,
    /// Expressions with a subquery that are open.
    open: usize,
    bare_function: Option<String>,
}

type Flow = ControlFlow<Box<PlanError>>;

fn refuse(code: Code, rule: &str, message: impl Into<String>, fix: &str) -> Flow {
    ControlFlow::Break(Box::new(PlanError::refused(code, rule, message, fix)))
}

fn no_place(what: &str) -> Flow {
    refuse(Code::PlanNode, "plan", format!("{what} has no place in a query"), "leave it out")
}

impl Visitor for Walk {
    type Break = Box<PlanError>;

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        let mut scope = Scope { opened: self.open, ..Scope::default() };
        if let Some(with) = &query.with {
            if with.recursive {
                return no_place("a recursive common table expression");
            }
            scope.pending = with.cte_tables.iter().rev().map(|cte| folded(&cte.alias.name)).collect();
        }
        if query.fetch.is_some() {
            let message = "the query does not parse: FETCH FIRST is not supported";
            return ControlFlow::Break(Box::new(PlanError::invalid(message, "write LIMIT")));
        }
        if !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return no_place("a locking, format or pipe clause");
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> Flow {
        let Some(done) = self.scopes.pop() else { return ControlFlow::Continue(()) };
        if done.all.tables > EXPANDED_MAX {
            let message = format!(
                "the query stands for more than {EXPANDED_MAX} tables once its WITH parts are put in"
            );
            return refuse(Code::Limit, "limits.relations", message, "ask in several queries");
        }
        let mut all = done.all;
        all.nesting += done.opened - self.scopes.last().map_or(0, |parent| parent.opened);
        if all.nesting > SUBQUERIES_MAX {
            let message = format!("more than {SUBQUERIES_MAX} subqueries stand within one another");
            return refuse(
                Code::Limit,
                "limits.nesting",
                message,
                "join derived tables, or ask in several queries",
            );
        }
        if let Some(parent) = self.scopes.last_mut() {
            // Common table expressions are visited first and in order; whatever comes after them is the query itself.
            match parent.pending.pop() {
                Some(name) => {
                    parent.complete.insert(name, all);
                }
                None => parent.all.add(all),
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        if select.into.is_some() {
            return refuse(
                Code::Statement,
                "statements",
                "only a query can be asked, not SELECT INTO",
                "leave INTO out",
            );
        }
        if select.prewhere.is_some() || !select.connect_by.is_empty() || select.value_table_mode.is_some() {
            return no_place("a PREWHERE, CONNECT BY or SELECT AS clause");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> Flow {
        let name = match relation.0.as_slice() {
            [part] => part.as_ident().map(folded),
            _ => None,
        };
        let known = name.and_then(|n| self.scopes.iter().rev().find_map(|s| s.complete.get(&n).copied()));
        if let Some(scope) = self.scopes.last_mut() {
            scope.all.add(known.unwrap_or(Expanded { tables: 1, nesting: 0 }));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        match factor {
            TableFactor::Table { args: Some(_), name, .. } => refuse(
                Code::Function,
                "functions",
                format!("table function `{name}` is not on the list"),
                "leave it out",
            ),
            TableFactor::TableFunction { .. } | TableFactor::Function { .. } => {
                refuse(Code::Function, "functions", "table functions are not on the list", "leave it out")
            }
            TableFactor::Table {
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                with_hints,
                ..
            } => {
                if version.is_some()
                    || *with_ordinality
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || sample.is_some()
                    || !with_hints.is_empty()
                {
                    return no_place("a sample, version, partition or hint of a table");
                }
                ControlFlow::Continue(())
            }
            TableFactor::Derived { lateral: true, .. } => no_place("LATERAL"),
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            TableFactor::UNNEST { .. } => no_place("UNNEST"),
            _ => no_place("such a table expression"),
        }
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.open -= usize::from(has_subquery(expr));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.open += usize::from(has_subquery(expr));
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let name = match function.name.0.as_slice() {
            [part] => part.as_ident().map_or_else(|| part.to_string(), folded),
            _ => function.name.to_string(),
        };
        if FUNCTIONS.named(&name, function.over.is_some()) {
            return ControlFlow::Continue(());
        }
        if name == "unnest" {
            return no_place("UNNEST");
        }
        if without_parentheses(function) {
            self.bare_function.get_or_insert(name);
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(Box::new(unlisted(&name)))
    }
}

/// The refusal of a function that has no name here.
pub(crate) fn unlisted(name: &str) -> PlanError {
    let fix = match name {
        "array_agg" | "string_agg" | "first_value" | "last_value" | "nth_value" | "any_value" | "mode" => {
            "it returns single values; use count, sum or avg"
        }
        "approx_distinct" => "use count(DISTINCT …) of the protected entity",
        "percentile_cont" | "percentile_disc" | "approx_percentile_cont" | "approx_median" | "quantile" => {
            "order statistics are single values; use avg, or count with conditions"
        }
        "now" | "current_date" | "current_timestamp" | "current_time" | "today" => {
            "write the date as a literal"
        }
        "random" | "rand" | "uuid" => "use functions that always give the same result",
        _ => "use count, sum or avg with CASE and comparisons",
    };
    PlanError::refused(Code::Function, "functions", format!("function `{name}` is not on the list"), fix)
}

fn has_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. })
}

fn without_parentheses(function: &Function) -> bool {
    matches!(function.args, FunctionArguments::None)
}

fn folded(ident: &datafusion_sql::sqlparser::ast::Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(sql: &str) -> Result<(), Option<Code>> {
        match parse(sql) {
            Ok(_) => Ok(()),
            Err(PlanError::Refused(refusal)) => Err(Some(refusal.code)),
            Err(PlanError::Invalid { .. }) => Err(None),
            Err(PlanError::Bug(bug)) => panic!("{bug}"),
        }
    }

    #[test]
    fn only_queries_are_parsed() {
        for sql in [
            "SET datafusion.execution.batch_size = 1",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE SELECT 1",
            "SHOW TABLES",
            "DESCRIBE person",
            "COPY (SELECT 1) TO '/x.csv'",
            "CREATE TABLE t AS SELECT 1",
            "CREATE VIEW v AS SELECT 1",
            "INSERT INTO t VALUES (1)",
            "DELETE FROM t",
            "UPDATE t SET a = 1",
            "DROP TABLE t",
            "PREPARE q AS SELECT 1",
            "EXECUTE q(1)",
            "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE FUNCTION f() RETURNS INT",
            "BEGIN",
            "COMMIT",
            "USE x",
            "ANALYZE TABLE t",
            "MERGE INTO t USING s ON a = b",
            "CALL f()",
            "LOAD 'x'",
            "SELECT 1; SELECT 2",
            "SELECT * INTO x FROM t",
            "TRUNCATE TABLE t",
            "KILL 1",
            "(EXPLAIN SELECT 1)",
        ] {
            assert_eq!(code(sql), Err(Some(Code::Statement)), "{sql}");
        }
        for sql in ["", ";", "SELEC 1", "1", "SELECT (1"] {
            assert_eq!(code(sql), Err(None), "{sql}");
        }
        for sql in ["SELECT 1;", "(SELECT 1)", "WITH a AS (SELECT 1) SELECT * FROM a", "-- c\nSELECT 1 -- d"]
        {
            assert_eq!(code(sql), Ok(()), "{sql}");
        }
    }

    #[test]
    fn expanding_common_table_expressions_is_capped() {
        let chain = |n: usize, per: &str| {
            let mut sql = "WITH a0 AS (SELECT * FROM t)".to_owned();
            for i in 1..=n {
                sql += &format!(", a{i} AS (SELECT * FROM {})", per.replace('#', &format!("a{}", i - 1)));
            }
            sql + &format!(" SELECT count(*) FROM a{n}")
        };
        assert_eq!(code(&chain(7, "# CROSS JOIN #")), Ok(()));
        assert_eq!(code(&chain(8, "# CROSS JOIN #")), Err(Some(Code::Limit)));
        assert_eq!(code(&chain(60, "#")), Ok(()));
        // A name of an inner scope hides the outer one, and the cap still counts what it stands for.
        let nested = format!("SELECT * FROM ({}) x", chain(8, "# CROSS JOIN #"));
        assert_eq!(code(&nested), Err(Some(Code::Limit)));
    }

    #[test]
    fn subqueries_within_one_another_are_capped() {
        let nested = |n: usize| (0..n).fold("SELECT 1".to_owned(), |q, _| format!("SELECT ({q}) + 1"));
        // The same, each level put in by name.
        let named = |n: usize| {
            let parts = (1..=n).map(|i| format!(", a{i} AS (SELECT (SELECT n FROM a{}) AS n)", i - 1));
            format!("WITH a0 AS (SELECT 1 AS n){} SELECT n FROM a{n}", parts.collect::<String>())
        };
        let mixed = |n: usize| format!("SELECT EXISTS ({}) AND 1 IN ({})", named(n), nested(n));
        for question in [&nested as &dyn Fn(usize) -> String, &named, &|n| mixed(n - 1)] {
            assert_eq!(code(&question(SUBQUERIES_MAX)), Ok(()), "{}", question(SUBQUERIES_MAX));
            assert_eq!(code(&question(SUBQUERIES_MAX + 1)), Err(Some(Code::Limit)));
        }
        let side_by_side = format!("SELECT {}", vec!["(SELECT 1)"; 20].join(" + "));
        assert_eq!(code(&side_by_side), Ok(()));
    }

    #[test]
    fn parameters_are_numbered() {
        assert_eq!(parameters("SELECT ?, ?"), Ok(2));
        assert_eq!(parameters("SELECT $2, $2"), Ok(2));
        assert_eq!(parameters("SELECT 1"), Ok(0));
        for sql in ["SELECT ?, $1", "SELECT $a", "SELECT $0", "SELECT $99999999999"] {
            assert!(matches!(parameters(sql), Err(PlanError::Invalid { .. })), "{sql}");
        }
    }
}
