//! What a file really is, by its first bytes: people give files endings and formats that are not theirs.

use super::look::Problem;
use crate::config::Format;

/// What a file is that is not in the format that it is to be read in, and what makes it readable; none where its first
/// bytes tell nothing.
pub(crate) fn other_than(format: Format, first: &[u8]) -> Option<Problem> {
    let is_text = matches!(format, Format::Csv | Format::Ndjson);
    let is_what_it_should_be = match format {
        Format::Parquet => first.starts_with(b"PAR1"),
        Format::Arrow => first.starts_with(b"ARROW1"),
        Format::Csv | Format::Ndjson => false,
    };
    if is_what_it_should_be {
        return None;
    }
    let start = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    if first.starts_with(b"PK\x03\x04") {
        return Some(zip(first));
    }
    if let Some((_, what, fix)) = SIGNATURES.iter().find(|(begins, ..)| first.starts_with(begins)) {
        return Some(Problem::new(format!("it is {what}"), *fix));
    }
    if first.starts_with(b"PAR1") && has_zero(first) {
        return Some(named("a Parquet file", "parquet"));
    }
    if first.starts_with(b"ARROW1\0\0") {
        return Some(named("an Arrow file", "arrow"));
    }
    if format == Format::Arrow && first.starts_with(b"FEA1") {
        let fix = "write it anew as Feather of version 2, Arrow or Parquet";
        return Some(Problem::new("it is a Feather file of the old version 1", fix));
    }
    if is_utf16(first) {
        let fix = "save it as UTF-8; `iconv -f utf-16 -t utf-8` does so";
        return Some(Problem::new("it is written in UTF-16", fix));
    }
    if begins(start, &["<!doctype html", "<html", "<head", "<body", "<table"]) {
        let fix = "fetch the data itself; a page often comes in its place where one must sign in first";
        return Some(Problem::new("it is a web page", fix));
    }
    if begins(start, &["<?xml"]) {
        return Some(Problem::new("it is XML", "export the data as CSV"));
    }
    if format == Format::Csv && (start.starts_with(b"{") || start.starts_with(b"[{")) {
        return Some(named("JSON", "ndjson"));
    }
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match is_text {
        true if has_zero(line) => Some(Problem::new("it is no text", "export the data as CSV")),
        false if !first.is_empty() && !has_zero(first) && std::str::from_utf8(line).is_ok() => {
            Some(named("a text", "csv"))
        }
        _ => None,
    }
}

/// Files that no reader of ours understands: how they begin, what they are, what to do.
const SIGNATURES: [(&[u8], &str, &str); 9] = [
    (b"\x1f\x8b", "packed by gzip", "unpack it; `gunzip` does so"),
    (b"BZh91AY", "packed by bzip2", "unpack it; `bunzip2` does so"),
    (b"\xfd7zXZ\0", "packed by xz", "unpack it; `unxz` does so"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "unpack it; `unzstd` does so"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel workbook or another Office document",
        "save it as CSV",
    ),
    (b"%PDF-", "a PDF", "export the data behind it as CSV"),
    (b"SQLite format 3\0", "an SQLite database", "export its table as CSV"),
    (b"$FL2@(#)", "an SPSS file", "export it as CSV"),
];

/// A zip archive: workbooks are such archives too.
fn zip(first: &[u8]) -> Problem {
    let has = |name: &[u8]| first.windows(name.len()).any(|window| window == name);
    if has(b"xl/") {
        Problem::new("it is an Excel workbook", "save its sheet as CSV (`CSV UTF-8`)")
    } else if has(b"opendocument.spreadsheet") {
        Problem::new("it is an OpenDocument spreadsheet", "save its sheet as CSV")
    } else {
        Problem::new("it is a zip archive", "unpack it")
    }
}

/// A file that can be read as what it is.
fn named(what: &str, format: &str) -> Problem {
    let fix = format!(
        "let its name end in `.{format}`; where a configuration names it, write `format = \"{format}\"`"
    );
    Problem::new(format!("it is {what}"), fix)
}

fn has_zero(bytes: &[u8]) -> bool {
    bytes.contains(&0)
}

fn begins(start: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| start.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes())))
}

/// With its mark, or as letters of which each second byte is zero.
fn is_utf16(first: &[u8]) -> bool {
    let marked = first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff");
    let head = first.get(..first.len().min(64)).unwrap_or_default();
    let zeros_at = |from: usize| head.iter().skip(from).step_by(2).all(|byte| *byte == 0);
    let some_at = |from: usize| head.iter().skip(from).step_by(2).all(|byte| *byte != 0);
    marked || head.len() >= 4 && (zeros_at(0) && some_at(1) || zeros_at(1) && some_at(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_first_bytes_whatever_it_is_called() {
        let xlsx =
            [&b"PK\x03\x04\x14\0\x06\0[Content_Types].xml...PK\x03\x04xl/workbook.xml"[..], &[0; 9]].concat();
        let cases: &[(Format, &[u8], &str)] = &[
            (Format::Csv, b"\x1f\x8b\x08\0abc", "packed by gzip; unpack it; `gunzip`"),
            (Format::Parquet, b"\x1f\x8b\x08\0abc", "packed by gzip"),
            (Format::Csv, &xlsx, "an Excel workbook; save its sheet as CSV"),
            (
                Format::Csv,
                b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
                "an OpenDocument spreadsheet",
            ),
            (Format::Ndjson, b"PK\x03\x04a.json", "a zip archive; unpack it"),
            (Format::Csv, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
            (Format::Csv, b"a\0,\0b\0\n\0", "written in UTF-16; save it as UTF-8"),
            (Format::Csv, b"\0a\0,\0b\0\n", "written in UTF-16"),
            (Format::Ndjson, b"\xff\xfe{\0", "written in UTF-16"),
            (Format::Csv, b"\xef\xbb\xbf \n<!DOCTYPE HTML><html>", "a web page; fetch the data itself"),
            (Format::Csv, b"<?xml version=\"1.0\"?>", "XML; export"),
            (Format::Csv, b"{\"a\":1}\n", "JSON; let its name end in `.ndjson`"),
            (Format::Csv, b"PAR1\x15\0", "a Parquet file; let its name end in `.parquet`"),
            (Format::Csv, b"ARROW1\0\0\xff", "an Arrow file; let its name end in `.arrow`"),
            (Format::Arrow, b"FEA1\0\0", "Feather file of the old version 1; write it anew"),
            (Format::Parquet, b"a,b\n1,2\n", "a text; let its name end in `.csv`"),
            (Format::Csv, b"a\x01\0\0b", "no text"),
        ];
        for (format, first, expected) in cases {
            let found =
                other_than(*format, first).map(|it| format!("{}; {}", it.reason, it.fix)).unwrap_or_default();
            assert!(found.contains(expected), "{expected}: `{found}`");
        }
        let rightly: [(Format, &[u8]); 8] = [
            (Format::Csv, b"a,b\n1,2\n"),
            (Format::Csv, b"\xef\xbb\xbfa,b\n"),
            (Format::Csv, b"PAR1,PAR2\n1,2\n"),
            (Format::Csv, b"BZh,PK\n"),
            (Format::Csv, b""),
            (Format::Ndjson, b"{\"a\":1}\n"),
            (Format::Parquet, b"PAR1\x15\0"),
            (Format::Arrow, b"ARROW1\0\0\xff"),
        ];
        for (format, first) in rightly {
            assert_eq!(other_than(format, first), None, "{format:?}");
        }
    }
}
