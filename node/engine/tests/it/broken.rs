//! Broken data of a folder that somebody else prepared: each case works, or its error names file, line, column and cure.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampSecondArray};
use liquid_engine::{Format, SourceConfig, discover};

use crate::site::{Site, lines, obligations};

const MODEL: &str = r#"
[[table]]
name = "visits"
description = "one row a visit"
column = [
    { name = "patient", type = "text", description = "a pseudonym" },
    { name = "age", type = "integer", description = "in years" },
]
"#;

/// Opens the files as `visits`, and answers with its patients and the sum of their ages, or the operator's error, in which
/// the site's folder is left out.
async fn opened(format: &str, more: &str, files: &[(&str, &[u8])]) -> Result<String, String> {
    let site = Site::new();
    site.write("model.toml", MODEL);
    std::fs::create_dir(site.path("data")).unwrap();
    for (name, bytes) in files {
        std::fs::write(site.path(&format!("data/{name}")), bytes).unwrap();
    }
    let config = format!(
        "model = \"model.toml\"\nsource = [{{ name = \"visits\", path = \"data\", format = \"{format}\"{more} }}]"
    );
    let here = format!("{}/", site.folder().display());
    let mut front = site.open(&config).await.map_err(|error| error.to_string().replace(&here, ""))?;
    let asked = "SELECT count(patient), sum(age) FROM visits";
    let (_, cells) = front.cells(asked, &obligations("visits", "patient", None)).await;
    Ok(lines(&cells).join("\n"))
}

#[track_caller]
fn same(found: &Result<String, String>, expected: Result<&str, &str>, case: &str) {
    assert_eq!(found.as_ref().map(String::as_str).map_err(String::as_str), expected, "{case}");
}

#[tokio::test]
async fn csv_files_work_or_say_what_to_mend() {
    let header = "patient,age\n";
    let rows = |bad: &str| format!("{header}{}{bad}\np13,40\n", "p,30\n".repeat(10));
    let cases: &[(&str, Vec<u8>, Result<&str, &str>)] = &[
        ("plain", b"patient,age\np1,40\np2,\n".to_vec(), Ok("2 40")),
        ("a byte order mark", b"\xef\xbb\xbfpatient,age\np1,40\n".to_vec(), Ok("1 40")),
        ("CRLF", b"patient,age\r\np1,40\r\np2,41\r\n".to_vec(), Ok("2 81")),
        ("no end of line", b"patient,age\np1,40".to_vec(), Ok("1 40")),
        ("a header alone", b"patient,age\n".to_vec(), Ok("0 NULL")),
        ("a line break in quotes", b"patient,age\n\"p\n1\",40\np2,41\n".to_vec(), Ok("2 81")),
        (
            "too few fields",
            rows("p12").into_bytes(),
            Err(
                "source `visits`: `data/1.csv`, line 12: it has 1 field where the header has 2; correct the row; a field \
                 that holds a delimiter, a quote or a line break stands in quotes",
            ),
        ),
        (
            "too many fields",
            rows("p12,40,f").into_bytes(),
            Err(
                "source `visits`: `data/1.csv`, line 12: it has 3 fields where the header has 2; correct the row; a \
                 field that holds a delimiter, a quote or a line break stands in quotes",
            ),
        ),
        (
            "a word among numbers",
            rows("p12,secret").into_bytes(),
            Err(
                "the tables of this site do not fit the model:\n  table `visits`: column `age` is Utf8 where the model \
                 says integer, since `data/1.csv`, line 12, column `age` holds a text; correct it, or name the text for \
                 missing values with `null` in its [[engine.source]]; write `CAST(age AS BIGINT) AS age` in a view \
                 (rename the source, and set `views` in the [engine] table to a file with a `CREATE VIEW` of this name)",
            ),
        ),
        (
            "Latin-1",
            [header.as_bytes(), b"p1,40\nM\xfcller,41\n"].concat(),
            Err(
                "source `visits`: `data/1.csv`, line 3, column `patient`: it is not UTF-8; save the file as UTF-8; \
                 `iconv -f latin1 -t utf8` does so for Latin-1",
            ),
        ),
        (
            "UTF-16",
            b"\xff\xfep\0a\0".to_vec(),
            Err(
                "source `visits`: `data/1.csv`: it is written in UTF-16; save it as UTF-8; `iconv -f utf-16 -t utf-8` does so",
            ),
        ),
        (
            "nothing",
            Vec::new(),
            Err(
                "source `visits`: `data/1.csv`: it is empty; write a header line with the names of the columns, or take \
                 the file away",
            ),
        ),
        (
            "one name twice",
            b"patient,age,age\np1,40,41\n".to_vec(),
            Err(
                "source `visits`: `data/1.csv`, line 1, column `age`: the header has this name twice; rename one",
            ),
        ),
        (
            "no name",
            b"patient,,age\np1,40,41\n".to_vec(),
            Err("source `visits`: `data/1.csv`, line 1: column 2 of the header has no name; give it one"),
        ),
        (
            "another delimiter",
            b"patient;age\np1;40\n".to_vec(),
            Err(
                "source `visits`: `data/1.csv`, line 1: the header is one field with ';' in it, and ',' delimits; set \
                 `delimiter = \";\"` in this [[engine.source]]",
            ),
        ),
        (
            "a title",
            b"visits of 2024\n\npatient,age\np1,40\n".to_vec(),
            Err(
                "source `visits`: `data/1.csv`, line 1: it has one field, and a row below it has 2; take out what stands \
                 above the line that names the columns",
            ),
        ),
        (
            "a gzip file",
            b"\x1f\x8b\x08\0\0\0".to_vec(),
            Err("source `visits`: `data/1.csv`: it is packed by gzip; unpack it; `gunzip` does so"),
        ),
        (
            "another case",
            b"patient,Age\np1,40\n".to_vec(),
            Err(
                "the tables of this site do not fit the model:\n  table `visits`: column `age` is missing, but there is \
                 `Age`; write `\"Age\" AS age` in a view (rename the source, and set `views` in the [engine] table to a \
                 file with a `CREATE VIEW` of this name)",
            ),
        ),
    ];
    for (case, bytes, expected) in cases {
        let found = opened("csv", "", &[("1.csv", bytes)]).await;
        same(&found, *expected, case);
    }
    let found = opened("csv", ", delimiter = \";\"", &[("1.csv", b"patient;age\np1;40\n")]).await;
    same(&found, Ok("1 40"), "the delimiter is set");
    let found = opened("csv", ", null = \"n/a\"", &[("1.csv", b"patient,age\np1,40\np2,n/a\n")]).await;
    same(&found, Ok("2 40"), "the text for missing values is set");
}

#[tokio::test]
async fn files_of_one_folder_are_alike() {
    let one: (&str, &[u8]) = ("1.csv", b"patient,age\np1,40\n");
    let fix = "write the files of one source alike, or make a source of each and unite them in a view";
    for (second, reason) in [
        (&b"patient\np2\n"[..], "it has no column `age`, unlike"),
        (b"patient,age,sex\np2,40,f\n", "it has a column `sex`, unlike"),
        (b"age,patient\n40,p2\n", "it has its columns in another order than"),
    ] {
        let found = opened("csv", "", &[one, ("2.csv", second)]).await;
        let expected = format!("source `visits`: `data/2.csv`: {reason} `data/1.csv`; {fix}");
        same(&found, Err(&expected), reason);
    }
    let found = opened("csv", "", &[one, ("2.csv", b"patient,age\np2,\n")]).await;
    same(&found, Ok("2 40"), "a column without a value has any type");
    let found = opened("csv", "", &[one, ("2.csv", b"patient,age\np2,41\np3,x\n")]).await;
    let text = found.unwrap_err();
    assert!(text.contains("`data/2.csv`, line 3, column `age` holds a text"), "{text}");
}

#[tokio::test]
async fn ndjson_files_work_or_say_what_to_mend() {
    let one = "{\"patient\":\"p1\",\"age\":40}\n";
    let fix = "write one whole JSON object a line";
    let place = "source `visits`: `data/1.ndjson`";
    let cases: &[(&str, String, Result<&str, String>)] = &[
        ("plain", format!("{one}\n{{\"patient\":\"p2\",\"age\":null}}\n"), Ok("2 40")),
        (
            "nested and not asked for",
            format!("{one}{{\"patient\":\"p2\",\"age\":1,\"more\":{{\"a\":1}}}}\n"),
            Ok("2 41"),
        ),
        (
            "broken",
            format!("{one}{{\"patient\":\"p2\",\n"),
            Err(format!("{place}, line 2: the JSON object ends too early; {fix}")),
        ),
        (
            "no JSON",
            format!("{one}{one}patient: p3\n"),
            Err(format!("{place}, line 3: it is no JSON from letter 1 on; {fix}")),
        ),
        (
            "no object",
            format!("{one}\"p2\"\n"),
            Err(format!("{place}, line 2: it is JSON, but no object; {fix}")),
        ),
        (
            "an array",
            format!("[{}]", one.trim()),
            Err(format!(
                "{place}, line 1: it is one JSON array; write one object a line; `jq -c '.[]' old.json > new.ndjson` does so"
            )),
        ),
        (
            "mixed types",
            format!("{one}{one}{{\"patient\":\"p3\",\"age\":\"many\"}}\n"),
            Err(format!(
                "{place}, line 3, column `age`: it is a text here and a whole number on line 1; write one type of values in a column"
            )),
        ),
        (
            "a byte order mark",
            format!("\u{feff}{one}"),
            Err(format!("{place}, line 1: it begins with a byte order mark; save it as UTF-8 without one")),
        ),
    ];
    for (case, text, expected) in cases {
        let found = opened("ndjson", "", &[("1.ndjson", text.as_bytes())]).await;
        match expected {
            Err(text) => same(&found, Err(text), case),
            Ok(cells) => same(&found, Ok(cells), case),
        }
    }
}

fn batch() -> RecordBatch {
    let columns: [(&str, ArrayRef); 2] = [
        ("patient", Arc::new(StringArray::from(vec!["p1", "p2"]))),
        ("age", Arc::new(Int64Array::from(vec![40, 41]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow_file(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = arrow::ipc::writer::FileWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[tokio::test]
async fn binary_files_work_or_say_what_to_mend() {
    let (parquet, file) = (parquet(&batch()), arrow_file(&batch()));
    let stream = crate::site::encode(&batch()).to_vec();
    let mut footless = parquet.clone();
    let end = footless.len();
    footless[end - 8..end - 4].copy_from_slice(&[0xff; 4]);
    let cases: &[(&str, &str, &[u8], Result<&str, &str>)] = &[
        ("plain", "parquet", &parquet, Ok("2 81")),
        ("a file", "arrow", &file, Ok("2 81")),
        ("a stream", "arrow", &stream, Ok("2 81")),
        (
            "cut off",
            "parquet",
            &parquet[..parquet.len() / 2],
            Err("it is cut off: its end is missing; copy it anew"),
        ),
        (
            "cut off",
            "arrow",
            &file[..file.len() - 100],
            Err("it is cut off: its end is missing; copy it anew"),
        ),
        ("empty", "parquet", b"", Err("it is empty; write it anew, or take the file away")),
        (
            "CSV",
            "parquet",
            b"patient,age\np1,40\n",
            Err(
                "it is a text; let its name end in `.csv`; where a configuration names it, write `format = \"csv\"`",
            ),
        ),
        (
            "a broken footer",
            "parquet",
            &footless,
            Err("it is damaged: its Parquet footer cannot be read; write it anew, or name its real format"),
        ),
        (
            "CSV",
            "arrow",
            b"patient,age\np1,40\n",
            Err(
                "it is a text; let its name end in `.csv`; where a configuration names it, write `format = \"csv\"`",
            ),
        ),
    ];
    for (case, format, bytes, expected) in cases {
        let found = opened(format, "", &[("1", bytes)]).await;
        let expected = expected.map_err(|text| format!("source `visits`: `data/1`: {text}"));
        same(
            &found,
            expected.as_ref().map(|text| *text).map_err(String::as_str),
            &format!("{case} as {format}"),
        );
    }
}

#[tokio::test]
async fn what_a_source_holds_is_told_before_there_is_a_model() {
    let site = Site::new();
    let decimal = |precision, scale| {
        let values = Decimal128Array::from(vec![Some(5), None]);
        Arc::new(values.with_precision_and_scale(precision, scale).unwrap()) as ArrayRef
    };
    let columns: [(&str, ArrayRef); 4] = [
        ("count", decimal(18, 0)),
        ("price", decimal(15, 2)),
        ("exact", decimal(38, 2)),
        ("at", Arc::new(TimestampSecondArray::from(vec![1, 2]))),
    ];
    std::fs::write(site.path("t.parquet"), parquet(&RecordBatch::try_from_iter(columns).unwrap())).unwrap();
    site.write("t.csv", "id,sex,Height,seen,died\n1,f,1.5,2024-02-29,\n2,m,2,2024-03-01,\n");
    let sources = ["t.csv", "t.parquet"].map(|name| {
        let format = Format::of(name.as_ref()).unwrap();
        SourceConfig::new(name.replace('.', "_"), site.path(name), format)
    });
    let found = discover(sources.to_vec(), None).await.unwrap();
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let types = |table: &str| {
        let fields = found.tables[table].fields().iter();
        fields.map(|field| format!("{} {}", field.name(), field.data_type())).collect::<Vec<_>>()
    };
    assert_eq!(types("t_csv"), ["id Int64", "sex Utf8", "Height Float64", "seen Date32", "died Null"]);
    let parquet =
        ["count Decimal128(18, 0)", "price Decimal128(15, 2)", "exact Decimal128(38, 2)", "at Timestamp(s)"];
    assert_eq!(types("t_parquet"), parquet);

    // Every problem is found, and not the first alone.
    site.write("bad.csv", "a,a\n1,2\n");
    let bad = ["bad.csv", "none.csv"].map(|name| SourceConfig::new(name, site.path(name), Format::Csv));
    let problems = discover(bad.to_vec(), None).await.unwrap().problems;
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.len() == 2 && problems[0].contains("none.csv"), "{problems:?}");
    assert!(problems[1].contains("line 1, column `a`: the header has this name twice"), "{problems:?}");
}

/// Decimals that a float or a whole number holds exactly are taken as such.
#[tokio::test]
async fn decimals_are_taken_where_nothing_is_lost() {
    let decimal = |precision, scale| {
        let values = Decimal128Array::from(vec![Some(40), None]);
        Arc::new(values.with_precision_and_scale(precision, scale).unwrap()) as ArrayRef
    };
    let patient: ArrayRef = Arc::new(StringArray::from(vec!["p1", "p2"]));
    let file = |age: ArrayRef| {
        parquet(&RecordBatch::try_from_iter([("patient", Arc::clone(&patient)), ("age", age)]).unwrap())
    };
    same(&opened("parquet", "", &[("1", &file(decimal(18, 0)))]).await, Ok("2 40"), "18 digits");
    for (precision, scale) in [(19, 0), (10, 2)] {
        let text = opened("parquet", "", &[("1", &file(decimal(precision, scale)))]).await.unwrap_err();
        assert!(text.contains("write `CAST(age AS BIGINT) AS age`"), "{text}");
    }
}

/// Types that a model does not know are named with the CAST to write.
#[tokio::test]
async fn a_type_that_no_model_has_is_cast_in_a_view() {
    let columns: [(&str, ArrayRef); 2] = [
        ("patient", Arc::new(StringArray::from(vec!["p1", "p2"]))),
        ("age", Arc::new(TimestampSecondArray::from(vec![1, 2]))),
    ];
    let bytes = parquet(&RecordBatch::try_from_iter(columns).unwrap());
    let text = opened("parquet", "", &[("1", &bytes)]).await.unwrap_err();
    assert!(text.contains("column `age` is Timestamp(s) where the model says integer"), "{text}");
    assert!(text.contains("write `CAST(age AS BIGINT) AS age` in a view"), "{text}");
}
