//! Looks at SQL text without parsing it: where its literals, comments and placeholders are, and whether it is a
//! `SET liquid.…`. Whoever plans the text reads it anew; nothing here decides what may run.

use crate::error::Error;

/// A piece of a SQL text. Together, in order, they are the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// Words, operators, quoted names, white space.
    Plain(&'a str),
    /// A string or a number.
    Literal(&'a str),
    /// `-- …` or `/* … */`.
    Comment(&'a str),
    /// `$1` or `?`.
    Placeholder(&'a str),
}

/// The text as a record may keep it: `?` in the place of every literal, a space in that of every comment, since both can
/// hold what is personal.
pub fn without_literals(sql: &str) -> String {
    pieces(sql)
        .map(|piece| match piece {
            Piece::Plain(text) | Piece::Placeholder(text) => text,
            Piece::Literal(_) => "?",
            Piece::Comment(_) => " ",
        })
        .collect()
}

/// At most so many bytes of a text, which says so where it goes on.
pub fn shortened(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}

/// What ends a text that was cut.
pub const CUT: &str = " … (cut)";

/// The text with `?` placeholders numbered, `$1`, `$2`, …, and how many values it needs.
pub(super) fn numbered(sql: &str) -> (String, usize) {
    let (mut text, mut questions, mut highest) = (String::with_capacity(sql.len()), 0_usize, 0_usize);
    for piece in pieces(sql) {
        match piece {
            Piece::Placeholder("?") => {
                questions += 1;
                text.push_str(&format!("${questions}"));
            }
            Piece::Placeholder(dollar) => {
                highest = highest.max(dollar.trim_start_matches('$').parse().unwrap_or_default());
                text.push_str(dollar);
            }
            Piece::Plain(other) | Piece::Literal(other) | Piece::Comment(other) => text.push_str(other),
        }
    }
    (text, questions.max(highest))
}

/// The option and value of `SET liquid.<option> = '…'`, or none where the text is something else.
///
/// # Errors
/// Where it sets a `liquid` option in a way that is not understood.
pub(super) fn set_option(sql: &str) -> Result<Option<(String, String)>, Error> {
    let text: String = pieces(sql)
        .map(|piece| match piece {
            Piece::Comment(_) => " ",
            Piece::Plain(text) | Piece::Literal(text) | Piece::Placeholder(text) => text,
        })
        .collect();
    let text = text.trim().trim_end_matches(';').trim_end();
    let Some((first, rest)) = text.split_once(char::is_whitespace) else { return Ok(None) };
    let rest = rest.trim_start();
    let names_ours = rest.trim_start_matches('"').get(..7).is_some_and(|p| p.eq_ignore_ascii_case("liquid."));
    if !first.eq_ignore_ascii_case("set") || !names_ours {
        return Ok(None);
    }
    if !is_one(sql) {
        return Err(Error::invalid(
            "more than one statement was sent",
            "send one statement at a time, `SET` alone and then the query",
        ));
    }
    let wrong = || Error::invalid("the SET statement is not understood", "write `SET liquid.purpose = '…'`");
    let end = rest.find(|c: char| c == '=' || c.is_whitespace()).ok_or_else(wrong)?;
    let (name, rest) = rest.split_at_checked(end).ok_or_else(wrong)?;
    let rest = rest.trim_start();
    let value = match rest.strip_prefix('=') {
        Some(value) => value,
        None => match rest.split_once(char::is_whitespace) {
            Some((to, value)) if to.eq_ignore_ascii_case("to") => value,
            _ => return Err(wrong()),
        },
    };
    let value = value.trim();
    let inner = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\''));
    let value = match inner.filter(|_| quoted(value, '\'', false) == value.len()) {
        Some(inner) => inner.replace("''", "'"),
        None if !value.is_empty()
            && value.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) =>
        {
            value.to_owned()
        }
        None => return Err(wrong()),
    };
    Ok(Some((name.replace('"', "").to_ascii_lowercase(), value)))
}

/// True where nothing but white space and comments follows the first semicolon that ends a statement.
fn is_one(sql: &str) -> bool {
    let mut rest = pieces(sql).skip_while(|piece| *piece != Piece::Plain(";"));
    rest.all(|piece| match piece {
        Piece::Comment(_) => true,
        Piece::Plain(text) => text.trim_matches(|c: char| c == ';' || c.is_whitespace()).is_empty(),
        Piece::Literal(_) | Piece::Placeholder(_) => false,
    })
}

fn pieces(sql: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        let (kind, length) = next(rest)?;
        // A length always ends between characters; if it did not, the rest of the text would count as a literal.
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = after;
        Some(kind(piece))
    })
}

type Make<'a> = fn(&'a str) -> Piece<'a>;

/// The kind and length of the piece that a text begins with.
fn next<'a>(text: &'a str) -> Option<(Make<'a>, usize)> {
    let first = text.chars().next()?;
    let after = |n: usize| text.get(n..).unwrap_or_default();
    let second = after(first.len_utf8()).chars().next();
    Some(match first {
        '\'' => (Piece::Literal, quoted(text, '\'', false)),
        '"' | '`' => (Piece::Plain, quoted(text, first, false)),
        '-' if second == Some('-') => (Piece::Comment, text.find('\n').unwrap_or(text.len())),
        '/' if second == Some('*') => (Piece::Comment, block_comment(text)),
        '?' => (Piece::Placeholder, 1),
        '$' => dollar(text),
        '0'..='9' => (Piece::Literal, number(text)),
        '.' if second.is_some_and(|c| c.is_ascii_digit()) => (Piece::Literal, 1 + number(after(1))),
        c if word(c) => {
            let end = text.find(|c: char| !word(c) && !c.is_ascii_digit() && c != '$').unwrap_or(text.len());
            let is_prefix = after(end).starts_with('\'') && end <= 2;
            if is_prefix {
                let escapes = text.starts_with(['e', 'E']);
                (Piece::Literal, end + quoted(after(end), '\'', escapes))
            } else {
                (Piece::Plain, end)
            }
        }
        c => (Piece::Plain, c.len_utf8()),
    })
}

fn word(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '@' || c == '#'
}

/// The length of what stands between two quotes, both included; an unclosed quote takes all that follows.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if escapes && c == '\\' {
            characters.next();
        } else if c == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => {
                    characters.next();
                }
                _ => return at + 1,
            }
        }
    }
    text.len()
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn number(text: &str) -> usize {
    let mut exponent = false;
    text.find(|c: char| {
        let sign = exponent && (c == '+' || c == '-');
        exponent = c == 'e' || c == 'E';
        !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign)
    })
    .unwrap_or(text.len())
}

/// `$1`, or a string between `$tag$`s.
fn dollar<'a>(text: &'a str) -> (Make<'a>, usize) {
    let rest = text.get(1..).unwrap_or_default();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if digits > 0 {
        return (Piece::Placeholder, 1 + digits);
    }
    let tag = rest.find(|c: char| !word(c) && !c.is_ascii_digit()).unwrap_or(rest.len());
    if !rest.get(tag..).unwrap_or_default().starts_with('$') {
        return (Piece::Plain, 1);
    }
    let (open, body) = text.split_at_checked(tag + 2).unwrap_or((text, ""));
    let length = body.find(open).map_or(text.len(), |at| open.len() + at + open.len());
    (Piece::Literal, length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_and_comments_are_left_out() {
        let cases = [
            (
                "SELECT a FROM t WHERE name = 'Ann Lee' AND x > 1.5e-3",
                "SELECT a FROM t WHERE name = ? AND x > ?",
            ),
            ("SELECT 'it''s' -- Ann\n, 2", "SELECT ?  \n, ?"),
            ("SELECT E'a\\'b', $$Ann$$, $x$ Lee $x$, $1", "SELECT ?, ?, ?, $1"),
            ("SELECT /* Ann /* nested */ Lee */ \"col 'x'\" FROM t1", "SELECT   \"col 'x'\" FROM t1"),
            ("SELECT 'open", "SELECT ?"),
            ("SELECT a1, .5, N'x' FROM \"t\"", "SELECT a1, ?, ? FROM \"t\""),
        ];
        for (sql, kept) in cases {
            assert_eq!(without_literals(sql), kept);
        }
    }

    #[test]
    fn printed_queries_are_kept_as_they_are() {
        let sql =
            "SELECT (\"sex\") AS \"g0\", count(*) FILTER (WHERE (\"age\") > ($1)) AS \"a0\" FROM \"cardiac\"";
        assert_eq!(without_literals(sql), sql);
    }

    #[test]
    fn placeholders_are_numbered_and_counted() {
        assert_eq!(numbered("a = ? AND b = '?' AND c = ?"), ("a = $1 AND b = '?' AND c = $2".to_owned(), 2));
        assert_eq!(numbered("a = $2 AND b = $1"), ("a = $2 AND b = $1".to_owned(), 2));
    }

    #[test]
    fn set_statements_of_ours_are_understood() {
        let set = |sql| set_option(sql).unwrap();
        let value = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(set("SET liquid.purpose = 'care'"), value("liquid.purpose", "care"));
        assert_eq!(set(" set Liquid.min_sites to 3 ; "), value("liquid.min_sites", "3"));
        assert_eq!(set("SET liquid.purpose='it''s' -- why"), value("liquid.purpose", "it's"));
        assert_eq!(set("SET \"liquid.marks\" = columns"), value("liquid.marks", "columns"));
        assert_eq!(set("SET datafusion.x = 1"), None);
        assert_eq!(set("SELECT 1"), None);
        assert!(set_option("SET liquid.purpose 'care'").is_err());
        assert_eq!(set("SET liquid.purpose = 'a;b';; -- why"), value("liquid.purpose", "a;b"));
        assert!(set_option("SET liquid.purpose = 'a' 'b'").is_err());
    }

    #[test]
    fn a_set_and_a_query_are_two_statements() {
        for sql in [
            "SET liquid.purpose = 'care'; SELECT 1",
            "SET liquid.purpose = care; DROP TABLE t",
            "SET liquid.purpose = 'a'; SELECT 'b'",
            "SET liquid.min_sites = 3; SET liquid.purpose = 'care';",
        ] {
            let error = set_option(sql).unwrap_err().to_string();
            assert!(error.contains("one statement at a time"), "{sql}: {error}");
        }
        assert_eq!(set_option("SELECT 1; SELECT 2").unwrap(), None, "the planner says what is wrong with it");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        assert_eq!(shortened("abc".to_owned(), 3), "abc");
        assert_eq!(shortened("abcd".to_owned(), 3), format!("abc{CUT}"));
        assert_eq!(shortened("aä".to_owned(), 2), format!("a{CUT}"));
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text(sql in "[a-z'\"$?0-9./*\\-eE \n\\\\ä]{0,60}") {
            let whole: String = pieces(&sql).map(|p| match p {
                Piece::Plain(t) | Piece::Literal(t) | Piece::Comment(t) | Piece::Placeholder(t) => t,
            }).collect();
            prop_assert_eq!(whole, sql);
        }

        #[test]
        fn no_quoted_word_survives(before in "[a-z =(),]{0,20}", secret in "[A-Z]{8}", after in "[a-z =(),]{0,20}") {
            let kept = without_literals(&format!("{before} '{secret}' {after}"));
            prop_assert!(!kept.contains(&secret));
        }
    }
}
