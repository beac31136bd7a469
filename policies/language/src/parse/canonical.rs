//! The canonical form that signatures are made over: the document as RFC 8785 writes it, days as text. Keys are sorted, and
//! there is one way to write each number and text.
//!
//! It is written straight from the TOML, in one pass; a test holds it to what a library of that form makes of the same values.

use std::fmt::Display;
use std::io::Write as _;

use toml::Spanned;
use toml::de::DeValue;

use super::Problem;
use super::tree::whole;

/// The greatest whole number that every reader of JSON reads exactly.
const WHOLE_MAX: i64 = (1 << 53) - 1;

/// A table of one such name reads as something else than a table, a day for one, and would have another form than that.
const RESERVED: &str = "$__";

/// Appends the canonical form of a value.
pub(super) fn write(at: &Spanned<DeValue<'_>>, out: &mut Vec<u8>) -> Result<(), Problem> {
    match at.get_ref() {
        DeValue::String(text) => write_text(text, out),
        DeValue::Boolean(flag) => write_plain(flag, out),
        DeValue::Datetime(time) => write_text(&time.to_string(), out),
        DeValue::Integer(written) => match whole(written) {
            Some(number) if (-WHOLE_MAX..=WHOLE_MAX).contains(&number) => write_plain(number, out),
            _ => Err(Problem::new(
                "the number is too large to be signed exactly",
                format!("write whole numbers from -{WHOLE_MAX} to {WHOLE_MAX}"),
                at.span(),
            )),
        },
        DeValue::Float(written) => match written.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => {
                serde_json_canonicalizer::to_writer(&number, out).map_err(no_form)
            }
            _ => Err(Problem::new("infinite numbers cannot be signed", "write a finite number", at.span())),
        },
        DeValue::Array(list) => {
            out.push(b'[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(value, out)?;
            }
            out.push(b']');
            Ok(())
        }
        DeValue::Table(table) => {
            let mut keys: Vec<_> = table.iter().map(|(name, value)| (name.get_ref(), value)).collect();
            // Not the order of UTF-8, which is the table's own.
            keys.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            out.push(b'{');
            for (index, (name, value)) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                if name.starts_with(RESERVED) {
                    let problem = format!("no name begins with `{RESERVED}`");
                    return Err(Problem::new(problem, "name it otherwise", value.span()));
                }
                write_text(name, out)?;
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
            Ok(())
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) -> Result<(), Problem> {
    serde_json::to_writer(out, text).map_err(no_form)
}

fn write_plain(value: impl Display, out: &mut Vec<u8>) -> Result<(), Problem> {
    write!(out, "{value}").map_err(no_form)
}

fn no_form<E>(_: E) -> Problem {
    Problem::new("the file has no canonical form", "write plain texts and numbers", 0..0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::{Table, Value};

    use super::super::tree::Tree;
    use super::*;

    /// Texts with whatever is escaped, and letters that UTF-8 and UTF-16 sort differently.
    fn texts() -> impl Strategy<Value = String> {
        let letters = prop::sample::select(vec![
            'a',
            'b',
            '"',
            '\\',
            '/',
            '\n',
            '\t',
            '\u{8}',
            '\u{c}',
            '\r',
            '\0',
            '\u{1f}',
            '\u{7f}',
            'é',
            '\u{2028}',
            '\u{e000}',
            '\u{ffff}',
            '\u{10000}',
            '\u{1f600}',
        ]);
        prop_oneof![prop::collection::vec(letters, 0..4).prop_map(String::from_iter), any::<String>()]
    }

    fn values() -> impl Strategy<Value = Value> {
        let plain = prop_oneof![
            texts().prop_map(Value::String),
            any::<bool>().prop_map(Value::Boolean),
            (-WHOLE_MAX..=WHOLE_MAX).prop_map(Value::Integer),
            (-1000..1000_i64).prop_map(Value::Integer),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Float),
            (-1000..1000_i32).prop_map(|number| Value::Float(f64::from(number) / 8.0)),
        ];
        plain.prop_recursive(3, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(texts(), inner, 0..6)
                    .prop_map(|table| Value::Table(table.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_the_form_of_rfc_8785(table in prop::collection::btree_map(texts(), values(), 0..8)) {
            let table: Table = table.into_iter().collect();
            let text = table.to_string();
            let ours = Tree::parse(&text).unwrap().canonical().unwrap();
            let theirs = serde_json_canonicalizer::to_vec(&table).unwrap();
            prop_assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap());
        }
    }

    #[test]
    fn days_are_texts_and_numbers_are_written_in_one_way() {
        let form = |text: &str| {
            let canonical = Tree::parse(text).unwrap().canonical();
            canonical.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|problem| problem.message)
        };
        let good = "b = 2026-01-01\na = [0x1f, 1_000, -0, 1.50, 1e21, -0.0, 1e-7]\n[c]\nd.e = true";
        assert_eq!(
            form(good).unwrap(),
            r#"{"a":[31,1000,0,1.5,1e+21,0,1e-7],"b":"2026-01-01","c":{"d":{"e":true}}}"#
        );
        assert!(form("a = 9007199254740991").is_ok());
        assert!(form("a = 9007199254740992").unwrap_err().contains("too large"));
        assert!(form("a = 99999999999999999999").unwrap_err().contains("too large"));
        assert!(form("a = nan").unwrap_err().contains("infinite"));
        assert!(form("a = -inf").unwrap_err().contains("infinite"));
        assert!(
            form("a = { \"$__toml_private_datetime\" = \"2026-01-01\" }").unwrap_err().contains("no name")
        );
        assert!(form("a = 1e999").unwrap_err().contains("infinite"));
    }
}
