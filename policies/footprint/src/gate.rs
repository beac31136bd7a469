//! Caps on a query's text, before any parser sees it: a few hundred bytes of `1+1+…` abort a process that parses them.
//!
//! The check is closed by default. Whatever is not a name, a number, a text, a comma or a parenthesis counts as a link of
//! a chain, and so do two of these side by side; only the few words that surely end an expression start a new chain.

use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use liquid_policy::Code;

use crate::error::PlanError;

/// Bytes of SQL.
pub(crate) const BYTES_MAX: usize = 64 * 1024;
/// Tokens, white space not counted.
pub(crate) const TOKENS_MAX: usize = 20_000;
/// Parentheses and CASE … END within one another.
pub(crate) const NESTING_MAX: usize = 50;
/// Operators in one chain, on one level of nesting.
pub(crate) const CHAIN_MAX: usize = 200;
/// Operators in all chains that are open at one point, over all levels: how deep an expression can become.
pub(crate) const OPEN_CHAINS_MAX: usize = 400;
/// Joins and set operations of a whole query.
pub(crate) const RELATIONS_MAX: usize = 50;

/// The tokens of a text whose size, token count, nesting and chains stay under the caps; white space and comments are left
/// out. It runs sqlparser's tokenizer, which is iterative, and nothing else.
///
/// # Errors
/// [`liquid_policy::Code::Limit`] for a text over a cap, [`PlanError::Invalid`] for one that is not made of SQL tokens.
pub(crate) fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, PlanError> {
    if sql.len() > BYTES_MAX {
        return Err(over("bytes", format!("the query is longer than {BYTES_MAX} bytes"), "shorten it"));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().map_err(|e| {
        PlanError::invalid(format!("the query is not SQL: {}", e.message), position(e.location))
    })?;
    let tokens: Vec<_> = tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect();
    if tokens.len() > TOKENS_MAX {
        return Err(over(
            "tokens",
            format!("the query has more than {TOKENS_MAX} words and signs"),
            "shorten it",
        ));
    }
    let mut meter = Meter::default();
    for token in &tokens {
        meter.read(&token.token)?;
    }
    Ok(tokens)
}

fn position(at: datafusion_sql::sqlparser::tokenizer::Location) -> String {
    format!("look at line {}, column {}", at.line, at.column)
}

fn over(what: &str, message: impl Into<String>, fix: &str) -> PlanError {
    PlanError::refused(Code::Limit, &format!("limits.{what}"), message, fix)
}

/// What the token before was, as far as the next one's meaning depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Before {
    /// Nothing, an opening bracket, a comma: an expression begins.
    #[default]
    Start,
    /// A name that is no keyword, a number, a text, a closing bracket, END: an expression may have ended.
    Operand,
    /// A period inside a name.
    Period,
    /// UNION, EXCEPT, INTERSECT, MINUS, or ALL and DISTINCT behind one of them.
    SetOperation,
    /// IS or IS NOT behind an operand.
    Is,
    /// DISTINCT behind these.
    IsDistinct,
    /// A sign, or a word that links.
    Link,
}

/// One level of nesting.
#[derive(Debug, Default)]
struct Level {
    case: bool,
    chain: usize,
    in_from: bool,
}

/// Reads tokens one by one and keeps count.
#[derive(Debug, Default)]
struct Meter {
    outer: Vec<Level>,
    level: Level,
    relations: usize,
    periods: usize,
    before: Before,
}

impl Meter {
    fn read(&mut self, token: &Token) -> Result<(), PlanError> {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                // What an operand is followed by in brackets (a call, a subscript) hangs on it like an operator.
                if self.before == Before::Operand && !matches!(token, Token::LParen) {
                    self.link()?;
                }
                self.open(false)
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                self.close();
                Ok(())
            }
            Token::Comma => {
                if self.level.in_from {
                    self.relation()?;
                }
                self.level.chain = 0;
                self.before = Before::Start;
                Ok(())
            }
            Token::Period => {
                self.periods += 1;
                // `schema.table.column` is one name; longer paths are links like any other sign.
                if self.periods > 3 {
                    self.link()?;
                }
                self.before = Before::Period;
                Ok(())
            }
            Token::Word(word) if word.quote_style.is_none() => self.word(word.keyword),
            Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => {
                self.operand()
            }
            // Every other token is a sign, or a literal that this dialect does not need.
            _ => self.link(),
        }
    }

    fn word(&mut self, keyword: Keyword) -> Result<(), PlanError> {
        // A keyword where an operand is due is a name (`having + having`), whatever it means elsewhere.
        let may_end = self.before == Before::Operand;
        match keyword {
            Keyword::NoKeyword => self.operand(),
            Keyword::CASE => self.open(true),
            Keyword::END if self.level.case => {
                self.close();
                Ok(())
            }
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE if self.level.case && may_end => self.clause(),
            Keyword::SELECT if matches!(self.before, Before::Start | Before::SetOperation) => self.clause(),
            Keyword::FROM => {
                self.level.in_from |= self.before != Before::IsDistinct;
                self.link()
            }
            Keyword::IS if may_end => self.link_as(Before::Is),
            Keyword::NOT if self.before == Before::Is => self.link_as(Before::Is),
            Keyword::DISTINCT if self.before == Before::Is => self.link_as(Before::IsDistinct),
            Keyword::WHERE | Keyword::HAVING if may_end => self.clause(),
            Keyword::GROUP | Keyword::ORDER | Keyword::LIMIT | Keyword::WINDOW | Keyword::QUALIFY
                if may_end =>
            {
                self.level.in_from = false;
                self.link()
            }
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                self.level.in_from = false;
                self.relation()?;
                self.before = Before::SetOperation;
                Ok(())
            }
            Keyword::ALL | Keyword::DISTINCT if self.before == Before::SetOperation => Ok(()),
            Keyword::JOIN | Keyword::APPLY | Keyword::STRAIGHT_JOIN => {
                self.relation()?;
                self.link()
            }
            Keyword::AND | Keyword::OR => self.link(),
            // Words that stand for a value behave as one, so that `x IS NULL THEN` is not a chain of its own.
            Keyword::NULL | Keyword::TRUE | Keyword::FALSE => self.operand(),
            _ => self.link(),
        }
    }

    /// A name or a literal. Two side by side are linked by something that is not written: an alias, a type.
    fn operand(&mut self) -> Result<(), PlanError> {
        if self.before == Before::Operand {
            self.link()?;
        }
        if self.before != Before::Period {
            self.periods = 0;
        }
        self.before = Before::Operand;
        Ok(())
    }

    /// A word that surely ends an expression and starts another.
    fn clause(&mut self) -> Result<(), PlanError> {
        self.level.in_from = false;
        self.level.chain = 0;
        self.before = Before::Start;
        Ok(())
    }

    fn link(&mut self) -> Result<(), PlanError> {
        self.link_as(Before::Link)
    }

    fn link_as(&mut self, before: Before) -> Result<(), PlanError> {
        self.level.chain += 1;
        self.before = before;
        let open = self.level.chain + self.outer.iter().map(|l| l.chain).sum::<usize>();
        if self.level.chain > CHAIN_MAX || open > OPEN_CHAINS_MAX {
            return Err(over(
                "chain",
                format!("more than {CHAIN_MAX} operators stand in one chain"),
                "write a list (`x IN (…)`) in place of many comparisons, or aggregate in steps",
            ));
        }
        Ok(())
    }

    fn relation(&mut self) -> Result<(), PlanError> {
        self.relations += 1;
        if self.relations > RELATIONS_MAX {
            return Err(over(
                "relations",
                format!("the query has more than {RELATIONS_MAX} joins and set operations"),
                "ask in several queries",
            ));
        }
        Ok(())
    }

    fn open(&mut self, case: bool) -> Result<(), PlanError> {
        self.outer.push(std::mem::replace(&mut self.level, Level { case, ..Level::default() }));
        self.before = Before::Start;
        if self.outer.len() > NESTING_MAX {
            return Err(over(
                "nesting",
                format!("parentheses and CASE stand more than {NESTING_MAX} deep in one another"),
                "flatten the query",
            ));
        }
        Ok(())
    }

    fn close(&mut self) {
        // A bracket too many is the parser's to report.
        if let Some(outer) = self.outer.pop() {
            self.level = outer;
        }
        self.periods = 0;
        self.before = Before::Operand;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capped(sql: &str) -> Option<String> {
        match tokens(sql) {
            Ok(_) => None,
            Err(PlanError::Refused(refusal)) => {
                assert_eq!(refusal.code, Code::Limit);
                Some(refusal.clause.trim_start_matches("liquid.limits.").to_owned())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn bombs_are_stopped_by_the_cap_that_is_meant_for_them() {
        let sum = |n: usize| format!("SELECT 1{}", " + 1".repeat(n));
        let cases = [
            (sum(500), "chain"),
            (sum(240), "chain"),
            (format!("SELECT 1{}", "+1".repeat(240)), "chain"),
            (format!("SELECT * FROM t WHERE a = 0{}", " OR a = 0".repeat(400)), "chain"),
            (format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(400)), "relations"),
            (format!("SELECT * FROM t{}", " CROSS JOIN t".repeat(400)), "relations"),
            (format!("SELECT * FROM t{}", ", t".repeat(400)), "relations"),
            (format!("SELECT * FROM t{}", ", where".repeat(400)), "relations"),
            (format!("SELECT {} TRUE", "NOT ".repeat(400)), "chain"),
            (format!("SELECT a{}", "::INT".repeat(400)), "chain"),
            (format!("SELECT a{}", "::TIMESTAMP WITH TIME ZONE".repeat(400)), "chain"),
            (format!("SELECT {}1", "- ".repeat(400)), "chain"),
            (format!("SELECT {}1", "+".repeat(400)), "chain"),
            (format!("SELECT a{}", " IS NULL".repeat(400)), "chain"),
            (format!("SELECT a{}", " IS DISTINCT FROM a".repeat(400)), "chain"),
            (format!("SELECT a{}", " AT TIME ZONE 'UTC'".repeat(400)), "chain"),
            (format!("SELECT a{}", " COLLATE x".repeat(400)), "chain"),
            (format!("SELECT a{}", "[1]".repeat(400)), "chain"),
            (format!("SELECT a{}", ".b".repeat(400)), "chain"),
            (format!("SELECT having{}", " + having".repeat(400)), "chain"),
            (format!("SELECT having{}", " AND having".repeat(400)), "chain"),
            (format!("SELECT where{}", " || where".repeat(400)), "chain"),
            (format!("SELECT select{}", " + select".repeat(400)), "chain"),
            (format!("SELECT {}1{}", "(".repeat(60), ")".repeat(60)), "nesting"),
            (format!("SELECT {}1{}", "CASE WHEN a THEN ".repeat(60), " END".repeat(60)), "nesting"),
            (format!("SELECT {}1", "CASE WHEN a THEN 1 ELSE ".repeat(60)), "nesting"),
            (format!("SELECT {}1{}", "abs(".repeat(60), ")".repeat(60)), "nesting"),
            (format!("SELECT {}{}", "(1+1+1+1+1+1+1+1+1+1+1+".repeat(45), "1"), "chain"),
            ("SELECT ".to_owned() + &"a,".repeat(11_000) + "a", "tokens"),
            ("SELECT '".to_owned() + &"x".repeat(1 << 20) + "'", "bytes"),
            (" ".repeat(1 << 20), "bytes"),
        ];
        for (sql, cap) in cases {
            assert_eq!(capped(&sql).as_deref(), Some(cap), "{}", &sql[..sql.len().min(80)]);
        }
    }

    #[test]
    fn ordinary_queries_pass() {
        let list = (0..1_000).map(|i| format!("'{i}'")).collect::<Vec<_>>().join(", ");
        let columns = (0..300).map(|i| format!("sum(c{i}) AS \"c{i}\"")).collect::<Vec<_>>().join(", ");
        let branches = (0..80).map(|i| format!("WHEN age < {i} THEN 'a{i}'")).collect::<Vec<_>>().join(" ");
        let union = (0..20)
            .map(|i| format!("SELECT {i} AS n, a, b FROM t WHERE a > {i} AND b < 3"))
            .collect::<Vec<_>>();
        for sql in [
            format!("SELECT ward, count(*) FROM person WHERE band IN ({list}) GROUP BY ward"),
            format!("SELECT ward, {columns} FROM person GROUP BY ward ORDER BY 1"),
            format!("SELECT CASE {branches} ELSE NULL END, count(*) FROM cardiac GROUP BY 1"),
            union.join(" UNION ALL "),
            format!("SELECT a FROM t WHERE a = 0{}", " OR a = 0".repeat(90)),
            "SELECT liquid.public.cardiac.sex FROM liquid.public.cardiac -- and a comment\n".to_owned(),
            format!("SELECT {}1{}", "(".repeat(40), ")".repeat(40)),
        ] {
            assert!(tokens(&sql).is_ok(), "{}", &sql[..sql.len().min(120)]);
        }
    }

    #[test]
    fn what_is_not_sql_is_invalid_and_says_where() {
        let PlanError::Invalid { fix, .. } = tokens("SELECT 'open").unwrap_err() else {
            panic!("not invalid")
        };
        assert_eq!(fix, "look at line 1, column 8");
    }
}
