//! The values of a domain that lie in a CSV file: its first column, below a first line of names.

/// Values of one list.
const VALUES_MAX: usize = 10_000;

/// What is wrong with a file, in a sentence that names the line.
pub(super) type Wrong = String;

/// The first field of every line but the first. Fields are divided by commas; quotes are doubled within quotes.
pub(super) fn first_column(bytes: &[u8]) -> Result<Vec<String>, Wrong> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut values, mut line) = (Vec::new(), 1_usize);
    while !rest.is_empty() {
        let at = line;
        let (mut first, mut is_first, mut quoted) = (String::new(), true, false);
        let mut letters = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((here, letter)) = letters.next() {
            let doubled = quoted && letter == '"' && letters.peek().is_some_and(|(_, next)| *next == '"');
            line += usize::from(letter == '\n');
            match letter {
                '"' if doubled => {
                    letters.next();
                    if is_first {
                        first.push('"');
                    }
                }
                '"' => quoted = !quoted,
                ',' if !quoted => is_first = false,
                '\n' if !quoted => {
                    end = here + 1;
                    break;
                }
                other if is_first => first.push(other),
                _ => {}
            }
        }
        if quoted {
            return Err(format!("line {at}: a quote is not closed"));
        }
        rest = rest.get(end..).unwrap_or_default();
        let first = first.strip_suffix('\r').unwrap_or(&first).to_owned();
        if at == 1 {
            continue; // names of columns
        }
        if first.is_empty() || first.trim() != first || first.chars().any(char::is_control) {
            return Err(format!("line {at}: a value cannot be empty, or begin or end with a space"));
        }
        values.push(first);
        if values.len() > VALUES_MAX {
            return Err(format!("it has more than {VALUES_MAX} values"));
        }
    }
    if values.is_empty() { Err("it has no value below its first line".to_owned()) } else { Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_column_is_read_as_csv_writes_it() {
        let read = |text: &str| first_column(text.as_bytes());
        let values = |all: &[&str]| Ok(all.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
        assert_eq!(read("ward,name\nW1,One\nW2,\"Two, and\nmore\"\n"), values(&["W1", "W2"]));
        assert_eq!(read("\u{feff}ward\r\nW1\r\nW2"), values(&["W1", "W2"]));
        assert_eq!(read("ward\n\"W,1\"\n\"say \"\"hi\"\"\",x\n"), values(&["W,1", "say \"hi\""]));
        assert_eq!(read("n\n1\n02\n"), values(&["1", "02"]));
        for (text, words) in [
            ("", "no value"),
            ("ward\n", "no value"),
            ("ward\nW1\n\nW2\n", "line 3"),
            ("ward\nW1\n W2\n", "line 3"),
            ("ward\n\"a\nb\"\nW1", "line 2"),
            ("ward\n\"W1\n", "line 2: a quote"),
        ] {
            let wrong = read(text).unwrap_err();
            assert!(wrong.contains(words), "{text:?}: {wrong}");
        }
        assert!(first_column(b"ward\n\xff\n").unwrap_err().contains("UTF-8"));
        assert!(read(&format!("n\n{}", "x\n".repeat(10_001))).unwrap_err().contains("more than"));
    }
}
