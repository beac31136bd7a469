//! A condition's text becomes a [`Condition`], or what is wrong with it and where.

use std::ops::Range;

use super::{Comparison, Condition};
use crate::id::ColumnName;
use crate::table::DomainValue;

/// Bytes of one condition.
const BYTES_MAX: usize = 4096;

/// Parentheses and NOT within one another.
const DEPTH_MAX: usize = 20;

/// Words that are no columns unless they stand in double quotes.
const WORDS: [&str; 10] = ["and", "or", "not", "is", "null", "in", "true", "false", "between", "like"];

/// What is wrong with a condition, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// Where, in bytes.
    pub at: Range<usize>,
}

/// A name that needs no double quotes.
pub(super) fn is_plain(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !WORDS.contains(&name.to_ascii_lowercase().as_str())
}

pub(super) fn read(text: &str) -> Result<Condition, Wrong> {
    if text.len() > BYTES_MAX {
        let message = format!("the condition is longer than {BYTES_MAX} bytes");
        return Err(wrong(message, "make a column of it in each site's view", 0..text.len()));
    }
    let mut reader = Reader { tokens: tokens(text)?, next: 0, end: text.len() };
    let condition = reader.any(DEPTH_MAX)?;
    match reader.peek() {
        None => Ok(condition),
        Some((_, at)) => {
            let at = at.clone();
            let help =
                "join comparisons by AND or OR; each is of one column with literals, without arithmetic";
            Err(wrong("the condition goes on where it should end", help, at))
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A word without quotes: a column, or a word of the form.
    Word(String),
    /// A name in double quotes.
    Name(String),
    Text(String),
    Whole(i64),
    Compare(Comparison),
    Open,
    Close,
    Comma,
}

fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Wrong> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let start = text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(found) };
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '=' => (Token::Compare(Comparison::Equal), 1),
            '<' if rest.starts_with("<>") => (Token::Compare(Comparison::Different), 2),
            '!' if rest.starts_with("!=") => (Token::Compare(Comparison::Different), 2),
            '<' if rest.starts_with("<=") => (Token::Compare(Comparison::AtMost), 2),
            '>' if rest.starts_with(">=") => (Token::Compare(Comparison::AtLeast), 2),
            '<' => (Token::Compare(Comparison::Less), 1),
            '>' => (Token::Compare(Comparison::More), 1),
            '\'' | '"' => {
                let (inside, length) = quoted(rest, first).ok_or_else(|| {
                    wrong("a quote is not closed", "close it; write a quote inside twice", start..text.len())
                })?;
                (if first == '"' { Token::Name(inside) } else { Token::Text(inside) }, length)
            }
            '0'..='9' | '-' => {
                let length =
                    1 + rest.bytes().skip(1).take_while(|b| b.is_ascii_digit() || *b == b'.').count();
                let written = rest.get(..length).unwrap_or_default();
                let number = written.parse().map_err(|_| {
                    let message = format!("`{written}` is no whole number");
                    wrong(message, "write a whole number of at most 18 digits", start..start + length)
                })?;
                (Token::Whole(number), length)
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
                (Token::Word(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
            other => {
                let message = format!("`{other}` has no place in a condition");
                let help =
                    "compare columns with literals: `column = 'text'`, `column >= 18`, `column IS NULL`";
                return Err(wrong(message, help, start..start + other.len_utf8()));
            }
        };
        found.push((token, start..start + length));
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// What stands between quotes, and how long it is with them; a quote inside is written twice.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != quote {
            inside.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == quote) {
            inside.push(quote);
            letters.next();
        } else {
            return Some((inside, at + 1));
        }
    }
    None
}

struct Reader {
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
    end: usize,
}

impl Reader {
    fn peek(&self) -> Option<&(Token, Range<usize>)> {
        self.tokens.get(self.next)
    }

    /// Where the next token is, or the last one.
    fn here(&self) -> Range<usize> {
        self.peek().map_or(self.end.saturating_sub(1)..self.end, |(_, at)| at.clone())
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().map(|(token, _)| token.clone());
        self.next += 1;
        token
    }

    /// Takes a word of the form, if it stands here.
    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some((Token::Word(found), _)) if found.eq_ignore_ascii_case(word));
        self.next += usize::from(is);
        is
    }

    fn sign(&mut self, sign: &Token) -> bool {
        let is = self.peek().is_some_and(|(token, _)| token == sign);
        self.next += usize::from(is);
        is
    }

    fn any(&mut self, depth: usize) -> Result<Condition, Wrong> {
        let mut parts = vec![self.all(depth)?];
        while self.word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(several(parts, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Wrong> {
        let mut parts = vec![self.negated(depth)?];
        while self.word("and") {
            parts.push(self.negated(depth)?);
        }
        Ok(several(parts, Condition::All))
    }

    fn negated(&mut self, depth: usize) -> Result<Condition, Wrong> {
        let at = self.here();
        let Some(below) = depth.checked_sub(1) else {
            let message = format!("parentheses and NOT stand more than {DEPTH_MAX} deep in one another");
            return Err(wrong(message, "write the condition flatter", at));
        };
        if self.word("not") {
            return Ok(not(self.negated(below)?));
        }
        if self.sign(&Token::Open) {
            let inner = self.any(below)?;
            let at = self.here();
            return if self.sign(&Token::Close) {
                Ok(inner)
            } else {
                Err(wrong("a parenthesis is not closed", "close it with `)`", at))
            };
        }
        self.test()
    }

    /// One column, and what is asked of it.
    fn test(&mut self) -> Result<Condition, Wrong> {
        let at = self.here();
        let help = "begin with a column of the table: `column = 'text'`, `column >= 18`, `column IS NULL`";
        let column = match self.take() {
            Some(Token::Name(name)) if !name.is_empty() => ColumnName::new(name),
            Some(Token::Word(word)) if is_plain(&word) => ColumnName::new(word),
            Some(_) => return Err(wrong("a column is expected here", help, at)),
            None => return Err(wrong("the condition ends where a column is expected", help, at)),
        };
        let at = self.here();
        if self.sign(&Token::Open) {
            let help = "compare the column itself, or make a column of it in each site's view";
            return Err(wrong("a condition has no functions", help, at));
        }
        if let Some((Token::Compare(comparison), _)) = self.peek().cloned() {
            self.next += 1;
            return Ok(Condition::Compare(column, comparison, self.literal()?));
        }
        if self.word("is") {
            let negated = self.word("not");
            let at = self.here();
            if !self.word("null") {
                return Err(wrong("`NULL` is expected here", "write `IS NULL` or `IS NOT NULL`", at));
            }
            let missing = Condition::Missing(column);
            return Ok(if negated { not(missing) } else { missing });
        }
        let negated = self.word("not");
        let at = self.here();
        if self.word("in") {
            let list = Condition::In(column, self.list()?);
            return Ok(if negated { not(list) } else { list });
        }
        if negated || self.word("between") || self.word("like") {
            let help = "use =, <>, <, <=, >, >=, IN (…) and IS NULL";
            return Err(wrong("this has no place in a condition", help, at));
        }
        Ok(Condition::Holds(column))
    }

    fn list(&mut self) -> Result<Vec<DomainValue>, Wrong> {
        let at = self.here();
        let help = "write the values in parentheses: `column IN ('a', 'b')`";
        if !self.sign(&Token::Open) {
            return Err(wrong("a list is expected here", help, at));
        }
        let mut values: Vec<DomainValue> = Vec::new();
        loop {
            let at = self.here();
            let value = self.literal()?;
            if values.first().is_some_and(|first| !first.same_kind(&value)) {
                return Err(wrong("this value is of another kind than the first one", "list one kind", at));
            }
            values.push(value);
            let at = self.here();
            if self.sign(&Token::Close) {
                return Ok(values);
            }
            if !self.sign(&Token::Comma) {
                return Err(wrong("a list goes on with `,` or ends with `)`", help, at));
            }
        }
    }

    fn literal(&mut self) -> Result<DomainValue, Wrong> {
        let at = self.here();
        let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
        let help = "compare with a text in single quotes, a whole number, `true` or `false`";
        match self.take() {
            Some(Token::Text(text)) => Ok(DomainValue::Text(text)),
            Some(Token::Whole(number)) => Ok(DomainValue::Integer(number)),
            Some(Token::Word(word)) if is(&word, "true") => Ok(DomainValue::Boolean(true)),
            Some(Token::Word(word)) if is(&word, "false") => Ok(DomainValue::Boolean(false)),
            // A day may be announced as one.
            Some(Token::Word(word))
                if is(&word, "date") && matches!(self.peek(), Some((Token::Text(_), _))) =>
            {
                self.literal()
            }
            Some(Token::Word(word)) if is(&word, "null") => {
                Err(wrong("nothing is equal to NULL", "write `IS NULL` or `IS NOT NULL`", at))
            }
            Some(Token::Name(_) | Token::Word(_)) => Err(wrong("a literal is expected here", help, at)),
            _ => Err(wrong("a literal is expected here", help, at)),
        }
    }
}

fn several(mut parts: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            join(parts)
        }
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn wrong(message: impl Into<String>, help: &str, at: Range<usize>) -> Wrong {
    Wrong { message: message.into(), help: help.to_owned(), at }
}
