//! What people bring that does not fit at once: it is said in their words where to mend what, and what is said mends it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};

use super::{SITES, agreed, demo, edit, problems, write};
use crate::fixture::{Demo, Ended, liquid};

const HEADER: &str = "patient,ward,seen,code,cost";

const TABLES: &str = r#"[table.visits]
entity = "patient"
entities = "overlapping"

[table.visits.columns]
patient = { use = [] }
ward = { use = ["group", "filter"] }
seen = { use = ["group", "filter"] }
code = { use = ["group", "filter"] }
cost = { use = ["measure"], aggregates = ["avg", "sum"], missing = "public" }

[disclosure]
minimum_contributors = 5
"#;

/// Forty visits, with these days, codes and costs in turn.
fn visits(header: &str, days: &[&str], codes: &[&str], costs: &[&str]) -> String {
    let of = |values: &[&str], at: usize| values[at % values.len()].to_owned();
    let row = |at: usize| {
        let ward = if at.is_multiple_of(2) { "A" } else { "B" };
        format!("p{at},{ward},{},{},{}\n", of(days, at), of(codes, at), of(costs, at))
    };
    std::iter::once(format!("{header}\n")).chain((0..40).map(row)).collect()
}

fn plain() -> String {
    visits(HEADER, &["2024-12-31", "2024-06-30"], &["K1", "K2"], &["2.50", "7.25"])
}

/// A folder that runs as it is.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for site in SITES {
        write(folder.path(), &format!("{site}/agreement.toml"), agreed(TABLES));
        write(folder.path(), &format!("{site}/data/visits.csv"), plain());
    }
    folder
}

/// Each of these is said, in a line that begins with the first part and holds the second; and nothing else.
#[track_caller]
fn check(folder: &Path, expected: &[(&str, &str)]) -> Vec<String> {
    let said = problems(folder);
    for (place, part) in expected {
        let place = format!("DIR/{place}: ");
        let found = said.iter().any(|line| line.starts_with(&place) && line.contains(part));
        assert!(found, "`{place}… {part}` is missing:\n{}", said.join("\n"));
    }
    assert_eq!(said.len(), expected.len(), "{}", said.join("\n"));
    said
}

/// Writes the views that were said where it was said, and runs again.
#[track_caller]
fn as_said(folder: &Path, said: &[String]) -> Ended {
    for line in said {
        let site = line.strip_prefix("DIR/").and_then(|line| line.split('/').next()).unwrap();
        let begin = line.find("CREATE ").unwrap_or_else(|| panic!("no view is said: {line}"));
        let view = line[begin..].split('`').next().unwrap();
        let file = folder.join(site).join("views.sql");
        let before = fs::read_to_string(&file).unwrap_or_default();
        write(folder, &format!("{site}/views.sql"), before + view + "\n");
    }
    demo(folder)
}

#[test]
fn a_file_that_is_not_what_it_is_called_is_named_as_what_it_is() {
    let folder = folder();
    let at = folder.path();
    let workbook = b"PK\x03\x04\x14\0\x06\0[Content_Types].xml PK\x03\x04 xl/workbook.xml";
    let utf16: Vec<u8> = plain().encode_utf16().flat_map(u16::to_le_bytes).collect();
    write(at, "north/data/visits.csv", b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
    write(at, "north/data/page.csv", "\n<!DOCTYPE html>\n<html>");
    write(at, "south/data/visits.csv", workbook);
    write(at, "south/data/other.parquet", plain());
    write(at, "south/data/older.feather", b"FEA1\0\0\0\0\0\0");
    write(at, "west/data/visits.csv", utf16);
    write(at, "west/data/book.xlsx", workbook);
    write(at, "west/data/visits.csv.gz", b"\x1f\x8b");
    fs::create_dir(at.join("west/data/2023")).unwrap();
    symlink("/etc/passwd", at.join("west/data/users.csv")).unwrap();
    symlink("nowhere", at.join("west/data/gone.csv")).unwrap();
    fs::rename(at.join("west/agreement.toml"), at.join("west/Agreement.toml.txt")).unwrap();
    fs::create_dir(at.join("west/views.sql")).unwrap();
    fs::create_dir(at.join("plan")).unwrap();
    fs::write(at.join("plan/agreement.toml"), agreed(TABLES)).unwrap();
    fs::create_dir(at.join("plan/Dataset")).unwrap();
    write(at, "plan/Views.sql.txt", "");
    check(
        at,
        &[
            ("north/data/visits.csv", "it is packed by gzip; unpack it"),
            ("north/data/page.csv", "it is a web page; fetch the data itself"),
            ("south/data/visits.csv", "it is an Excel workbook; save its sheet as CSV"),
            ("south/data/other.parquet", "it is a text; let its name end in `.csv`"),
            ("south/data/older.feather", "a Feather file of the old version 1; write it anew"),
            ("west/data/visits.csv", "it is written in UTF-16; save it as UTF-8"),
            ("west/data/book.xlsx", "save the workbook's sheet as CSV"),
            ("west/data/visits.csv.gz", "unpack it"),
            ("west/data/2023", "this is a folder, and only files that lie in `data` itself are read"),
            ("west/data/users.csv", "it is a link that leads out of `data`; put the file itself there"),
            ("west/data/gone.csv", "it is a link that leads nowhere"),
            ("west/Agreement.toml.txt", "this is not read; rename it `agreement.toml`"),
            ("west/agreement.toml", "there is no such file"),
            ("plan/Dataset", "this is not read; rename it `data`"),
            ("plan/data", "there is no such folder"),
            ("plan/Views.sql.txt", "this is not read; rename it `views.sql`"),
            ("plan/agreement.toml", "no controller is called `plan`"),
            ("west/views.sql", "it is a folder; put a file of this name in its place"),
        ],
    );
    let file = problems(&at.join("north/data/page.csv"));
    assert!(
        file[0].contains("this is a file; name the folder that holds a folder for each site"),
        "{file:?}"
    );
    let own = problems(&at.join("north"));
    assert!(own[0].contains("this is the folder of one site; put it into a folder of its own"), "{own:?}");
}

#[test]
fn a_table_under_another_name_is_recognised() {
    let folder = folder();
    let at = folder.path();
    let rename = |from: &str, to: &str| fs::rename(at.join(from), at.join(to)).unwrap();
    rename("north/data/visits.csv", "north/data/Visits.csv");
    rename("south/data/visits.csv", "south/data/visits 2024.csv");
    rename("west/data/visits.csv", "west/data/visits.2023.csv");
    write(at, "west/data/visits.2024.csv", plain());
    let said = check(
        at,
        &[
            (
                "north/agreement.toml:25",
                "upper and lower case count; rename DIR/north/data/Visits.csv to `visits.csv`",
            ),
            ("south/agreement.toml:25", "or write `[table.\"visits 2024\"]` in the agreement of every site"),
            (
                "west/agreement.toml:25",
                "`CREATE VIEW \"visits\" AS SELECT * FROM \"visits.2023\" UNION ALL SELECT * FROM \"visits.2024\";`",
            ),
        ],
    );
    rename("north/data/Visits.csv", "north/data/visits.csv");
    rename("south/data/visits 2024.csv", "south/data/visits.csv");
    let ended = as_said(at, &said[2..]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let west = ended.out.lines().find(|line| line.trim_start().starts_with("west")).unwrap();
    assert!(west.ends_with("80"), "a table of two files, with dots in their names: {}", ended.out);
}

#[test]
fn a_view_that_is_wrong_is_named_by_its_line() {
    let folder = folder();
    let view = |site: &str, text: &str| write(folder.path(), &format!("{site}/views.sql"), text);
    view("north", "-- ours\nCREATE OR REPLACE VIEW visits AS\nSELECT * FROM visits WHERE ward = ‘A’;\n");
    view("south", "\u{feff}\nSELECT * FROM visits;\n");
    view("west", "CREATE VIEW a AS SELECT * FROM visits;\n\nCREATE VIEW b AS SELECT * FROM vists;\n");
    check(
        folder.path(),
        &[
            (
                "north/views.sql:3",
                "`‘` is a quote as word processors write it; write `\"` around names and `'` around",
            ),
            (
                "south/views.sql:2",
                "a SELECT alone makes no table; write `CREATE OR REPLACE VIEW name AS` before it",
            ),
            ("west/views.sql:3", "view `b` reads `vists`, which is not there; there are `a`, `visits`"),
        ],
    );
}

/// A column that has another name, another type, or is not there: each at its place, with the view that mends it.
#[test]
fn columns_that_differ_are_mended_by_the_views_that_are_said() {
    let folder = folder();
    let data = |site: &str, text: String| write(folder.path(), &format!("{site}/data/visits.csv"), text);
    let (times, days) = (["2024-12-31 10:00:00", "2024-06-30 11:30:00"], ["31.12.2024", "30.06.2024"]);
    data("north", visits(HEADER, &times, &["1.10", "1.1"], &["2.5", "2.50"]));
    data("south", visits("patient,ward,seen,code,price", &days, &["1.1", "1.2"], &["2.5"]));
    let short = plain().lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect();
    data("west", short);
    let said = check(
        folder.path(),
        &[
            ("north/data/visits.csv:1", "column `seen` of table `visits` is a day with a time"),
            ("south/data/visits.csv:1", "`seen` of table `visits` is a text, and at north it is a date"),
            ("north/data/visits.csv:1", "its numbers begin or end with zeros as codes do"),
            (
                "west/data/visits.csv:2",
                "column `code` of table `visits` is a text, and at south it is a number",
            ),
            ("south/data/visits.csv:1", "is `price` perhaps `cost`? If so, rename it, or write"),
            ("west/data/visits.csv:1", "CAST(NULL AS DOUBLE) AS \"cost\""),
        ],
    );
    let not_code: Vec<String> = said.iter().filter(|line| !line.contains("column `code`")).cloned().collect();
    assert!(said.iter().any(|line| line.contains("to_date(\"seen\", '%d.%m.%Y')")), "{said:?}");
    let code = said.iter().find(|line| line.contains("column `code`")).unwrap();
    let as_text = "at each site where it is a number, `CREATE OR REPLACE VIEW \"visits\" AS SELECT * REPLACE (CAST(\"code\" AS VARCHAR) AS \"code\") FROM \"visits\";`";
    assert!(code.contains(as_text), "{code}");
    write(
        folder.path(),
        "south/views.sql",
        "CREATE OR REPLACE VIEW visits AS SELECT * REPLACE (CAST(code AS VARCHAR) AS code) FROM visits;\n",
    );
    let mended = as_said(folder.path(), &not_code);
    assert_eq!(mended.code, 0, "{}", mended.err);

    let folder = self::folder();
    for (site, codes) in SITES.into_iter().zip([["7", "8"], ["7", "NA"], ["9", "8"]]) {
        let text = visits(HEADER, &["2024-12-31"], &codes, &["2.5"]);
        write(folder.path(), &format!("{site}/data/visits.csv"), text);
    }
    let said = check(
        folder.path(),
        &[(
            "south/data/visits.csv:1",
            "`NA` stands among its numbers for a missing value; take it out, or write",
        )],
    );
    let mended = as_said(folder.path(), &said);
    assert_eq!(mended.code, 0, "{}", mended.err);

    let folder = self::folder();
    write(folder.path(), "north/data/visits.csv", plain().replace("\np", "\n"));
    let view = "CREATE OR REPLACE VIEW \"visits\" AS SELECT * REPLACE (CAST(\"patient\" AS VARCHAR) AS \"patient\") FROM \"visits\";";
    let said = format!("it only says who or what a row is of, so write in DIR/north/views.sql `{view}`");
    check(
        folder.path(),
        &[("south/data/visits.csv:1", said.as_str()), ("west/data/visits.csv:1", said.as_str())],
    );
    write(folder.path(), "north/views.sql", view);
    let mended = demo(folder.path());
    assert_eq!(mended.code, 0, "{}", mended.err);
}

/// Numbers, codes and days, each written in another way at each site.
#[test]
fn what_means_the_same_and_is_written_in_several_ways_is_brought_together() {
    let folder = folder();
    let data = |site: &str, days: &[&str], codes: &[&str], costs: &[&str]| {
        write(folder.path(), &format!("{site}/data/visits.csv"), visits(HEADER, days, codes, costs));
    };
    data("north", &["31.12.24", "30.06.24"], &["True", "False"], &["1.234", "850"]);
    data("south", &["20241231", "20240630"], &["yes", "no"], &["1200", "30"]);
    data("west", &["2024-12-31", "2024-06-30"], &["1", "0"], &["1200", "30"]);
    let said = check(
        folder.path(),
        &[
            ("north/data/visits.csv:1", "(CAST(\"code\" AS BIGINT) AS \"code\")"),
            ("south/data/visits.csv:2", "CASE \"code\" WHEN 'no' THEN 0 WHEN 'yes' THEN 1 END"),
            ("north/data/visits.csv:1", "to_date(\"seen\", '%d.%m.%y')"),
            ("south/data/visits.csv:1", "to_date(CAST(\"seen\" AS VARCHAR), '%Y%m%d')"),
            (
                "north/data/visits.csv:1",
                "where they stand before decimals, write there `CREATE OR REPLACE VIEW",
            ),
        ],
    );
    assert!(
        !said.concat().contains("CAST(\"code\" AS VARCHAR)"),
        "codes that differ stay no texts: {said:?}"
    );
    // One after the other, as people do it: what is left is still said at its place.
    let (dots, others): (Vec<String>, Vec<String>) =
        said.into_iter().partition(|line| line.contains("where dots stand between thousands"));
    let rest = as_said(folder.path(), &others);
    assert_eq!((rest.code, rest.err.matches("three digits behind it").count()), (1, 1), "{}", rest.err);
    assert_eq!(as_said(folder.path(), &dots).code, 0);
    let demo = Demo::serve_more(&["--from", folder.path().to_str().unwrap()]);
    let sql = "SELECT site, code, seen, sum(cost) AS cost FROM visits GROUP BY site, code, seen ORDER BY site, code";
    let ended = demo.query(&["--format", "csv", sql]);
    let expected = [("north", 850, 1234), ("south", 30, 1200), ("west", 30, 1200)];
    let expected: String = expected
        .iter()
        .map(|(site, no, yes)| format!("{site},0,2024-06-30,{}\n{site},1,2024-12-31,{}\n", 20 * no, 20 * yes))
        .collect();
    assert_eq!(ended.out, format!("site,code,seen,cost\n{expected}"), "{}", ended.err);
}

#[test]
fn decimals_with_three_digits_stay_decimals_where_a_view_says_so() {
    let folder = folder();
    write(folder.path(), "north/data/visits.csv", visits(HEADER, &["2024-12-31"], &["K"], &["1.234"]));
    for site in ["south", "west"] {
        write(
            folder.path(),
            &format!("{site}/data/visits.csv"),
            visits(HEADER, &["2024-12-31"], &["K"], &["3"]),
        );
    }
    write(
        folder.path(),
        "north/data/visits.csv",
        visits(HEADER, &["2024-12-31"], &["K"], &["True", "FALSE"]),
    );
    let truths =
        check(folder.path(), &[("north/data/visits.csv:1", "CAST(\"cost\" AS BIGINT) AS \"cost\")")]);
    assert!(truths[0].contains("is true or false, and at south it is a whole number"), "{truths:?}");
    write(folder.path(), "north/data/visits.csv", visits(HEADER, &["2024-12-31"], &["K"], &["1.234"]));
    let said =
        check(folder.path(), &[("north/data/visits.csv:1", "(CAST(round(\"cost\" * 1000) AS BIGINT)")]);
    let (_, decimals) = said[0].split_once("before decimals, write there `").unwrap();
    write(folder.path(), "north/views.sql", decimals.trim_end_matches('`'));
    let ended = demo(folder.path());
    assert_eq!(ended.code, 0, "{}", ended.err);
}

/// All columns of a file that are no numbers are said at once, and one view mends them.
#[test]
fn several_columns_of_texts_are_mended_by_one_view() {
    let folder = folder();
    for site in SITES {
        let measured =
            "\ndose = { use = [\"measure\"], aggregates = [\"avg\", \"sum\"], missing = \"public\" }";
        let agreement = agreed(TABLES).replace("\n\n[disclosure]", &format!("{measured}\n\n[disclosure]"));
        write(folder.path(), &format!("{site}/agreement.toml"), agreement);
        let doses = match site {
            "north" => ["\"1,5\",\"2,5\"", "\"2,5\",\"7,25\""],
            "south" => ["8.5%,1", "1.5%,2"],
            _ => ["n.a.,1", "2,2"],
        };
        let text = visits(&format!("{HEADER},dose"), &["31-Dec-2024"], &["K"], &doses);
        let text = if site == "south" { text.replacen("8.5%,1", "8.5%,unknown", 1) } else { text };
        write(folder.path(), &format!("{site}/data/visits.csv"), text);
    }
    let said = check(
        folder.path(),
        &[
            ("north/data/visits.csv:2", "columns `cost` (line 2), `dose` (line 2) hold texts"),
            (
                "south/data/visits.csv:2",
                "it makes missing values of all of `dose` that is no number (1 in this file)",
            ),
        ],
    );
    let ended = as_said(folder.path(), &said);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("west/data/visits.csv: `n.a.` is read as a missing value"), "{}", ended.err);
    assert!(ended.err.contains("to_date(\"seen\", '%d-%b-%Y')"), "{}", ended.err);
    let demo = Demo::serve_more(&["--from", folder.path().to_str().unwrap()]);
    let sql = "SELECT site, sum(cost) AS cost, sum(dose) AS dose FROM visits GROUP BY site ORDER BY site";
    let ended = demo.query(&["--format", "csv", sql]);
    // Forty in turn: at south all but one have a dose, at west half of the costs.
    assert_eq!(
        ended.out, "site,cost,dose\nnorth,80.0,195.0\nsouth,200.0,59.0\nwest,40.0,60.0\n",
        "{}",
        ended.err
    );
}

#[test]
fn a_column_that_nobody_has_is_the_agreements_fault() {
    let folder = folder();
    for site in SITES {
        edit(folder.path(), &format!("{site}/agreement.toml"), "ward = ", "wards = ");
        edit(folder.path(), &format!("{site}/agreement.toml"), "\ncode = ", "\nbirthday = ");
    }
    let said = check(
        folder.path(),
        &[
            (
                "north/agreement.toml:31",
                "no site has the column `wards` of table `visits`, which the agreement names; did you mean `ward`?",
            ),
            ("north/agreement.toml:33", "correct it in the agreement of every site, or take it out there"),
        ],
    );
    assert!(!said.concat().contains("NULL"), "{said:?}");
}

#[test]
fn folders_that_are_no_sites_are_said_to_be_none() {
    let folder = folder();
    let at = folder.path();
    fs::create_dir_all(at.join("plans/data")).unwrap();
    write(at, "plans/data/visits.csv", plain());
    edit(at, "west/agreement.toml", "minimum_contributors = 5", "minimum_contributors = 4");
    let said = check(
        at,
        &[
            ("plans/agreement.toml", "or, where this folder is no site, move it out of DIR"),
            ("west/agreement.toml:37", "make the two files the same"),
        ],
    );
    assert!(said[1].ends_with("make the two files the same"), "{said:?}");
    let made = at.join("made");
    let ended: Ended = liquid().arg("init").arg(&made).output().unwrap().into();
    assert_eq!(ended.code, 0, "{}", ended.err);
    let said = problems(&made);
    assert!(said.len() == 1 && said[0].contains("a federation that `liquid init` has made"), "{said:?}");
}

/// Whatever is wrong at one site, what is wrong between the others is said with it.
#[test]
fn sites_that_can_be_read_are_held_against_each_other_at_once() {
    let folder = folder();
    write(
        folder.path(),
        "north/data/visits.csv",
        plain().replace(",", ", ").replacen("patient", "Patient", 1),
    );
    write(folder.path(), "south/data/visits.csv", b"\x1f\x8b");
    let blank = |name: &str| {
        format!("its column ` {name}` has a blank beside its name; take the blanks beside the delimiters")
    };
    check(
        folder.path(),
        &[
            ("south/data/visits.csv", "it is packed by gzip"),
            ("north/data/visits.csv:1", "rename its column `Patient`, or write"),
            ("north/data/visits.csv:1", &blank("ward")),
            ("north/data/visits.csv:1", &blank("seen")),
            ("north/data/visits.csv:1", &blank("code")),
            ("north/data/visits.csv:1", &blank("cost")),
        ],
    );
    let days = visits(HEADER, &["31/12/2024"], &["K1"], &["1"]);
    for site in SITES {
        write(folder.path(), &format!("{site}/data/visits.csv"), &days);
        write(
            folder.path(),
            &format!("{site}/views.sql"),
            "CREATE OR REPLACE VIEW visits AS SELECT * REPLACE (to_date(seen, '%m/%d/%Y') AS seen) FROM visits",
        );
    }
    let said = "table `visits`, column `seen`: a day or time is written in another way than `to_date`";
    let said = check(folder.path(), &SITES.map(|site| (site, said)));
    assert!(!said.concat().contains("31/12"), "a value of the data is not repeated: {said:?}");
}

/// What fits runs, whatever wrote it; what should be known is said beside it.
#[test]
fn what_can_be_read_runs_and_codes_stay_as_they_are_written() {
    let folder = folder();
    let at = folder.path();
    write(at, "north/agreement.toml", format!("\u{feff}# ours\n{}", agreed(TABLES)));
    write(at, "south/agreement.toml", agreed(TABLES).replace('\n', "\r\n"));
    for name in ["Thumbs.db", ".DS_Store", "desktop.ini", "~$visits.xlsx"] {
        write(at, &format!("north/data/{name}"), "litter");
    }
    write(at, "north/data/other.tsv", "a\tb\n1\t2\n");
    let codes = ["1.1", "1.10", "01.1"];
    write(at, "north/data/visits.csv", visits(HEADER, &["31/12/2024"], &codes, &["2.5", "2.50", "3"]));
    fs::rename(at.join("north/data/visits.csv"), at.join("north/data/visits.CSV")).unwrap();
    let row = |row: &str| {
        let fields: Vec<&str> = row.split(',').collect();
        format!(
            "{{\"patient\":\"{}\",\"ward\":\"{}\",\"seen\":\"30/6/2024\",\"code\":\"1.1\",\"cost\":{},\"site\":1}}\n",
            fields[0], fields[1], fields[4]
        )
    };
    fs::remove_file(at.join("south/data/visits.csv")).unwrap();
    write(at, "south/data/visits.jsonl", plain().lines().skip(1).map(row).collect::<String>());
    fs::remove_file(at.join("west/data/visits.csv")).unwrap();
    let patients: Vec<String> = (0..40).map(|at| format!("p{at}")).collect();
    let cost = Decimal128Array::from(vec![100; 40]).with_precision_and_scale(38, 2).unwrap();
    let columns: [(&str, ArrayRef); 5] = [
        ("patient", Arc::new(StringArray::from(patients))),
        ("ward", Arc::new(StringArray::from(vec!["A"; 40]))),
        ("seen", Arc::new(StringArray::from(vec!["1/1/2024"; 40]))),
        ("code", Arc::new(StringArray::from(vec!["1.10"; 40]))),
        ("cost", Arc::new(cost)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    // As pandas and R write Feather files.
    let lz4 = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), batch.schema_ref(), lz4).unwrap();
    writer.write(&batch).unwrap();
    write(at, "west/data/visits.feather", writer.into_inner().unwrap());
    let model = "[[table]]\nname = \"visits\"\ndescription = \"\"\ncolumn = [\n{ name = \"ward\", type = \"text\", description = \"\" },\n\
                 { name = \"wrad\", type = \"text\", description = \"\" },\n]\n[[table]]\nname = \"visit\"\ndescription = \"\"\ncolumn = []\n";
    write(at, "west/model.toml", model);

    let ended = demo(at);
    assert_eq!(ended.code, 0, "{}", ended.err);
    for part in [
        "north/data/other.tsv: the agreement opens no table `other`",
        "north/data/visits.CSV: column `seen` looks like days and is read as a text; to make days of it, write in",
        "(to_date(\"seen\", '%d/%m/%Y') AS \"seen\")",
        "south/data/visits.jsonl: its column `site` cannot be asked for",
        "west/model.toml:6: the agreement names no column `wrad` of table `visits`",
        "west/model.toml:9: the agreement opens no table `visit`",
    ] {
        assert!(ended.err.contains(part), "`{part}` is missing:\n{}", ended.err);
    }
    let demo = Demo::serve_more(&["--from", at.to_str().unwrap()]);
    let sql = "SELECT code, count(*) AS n, sum(cost) AS cost FROM visits WHERE site <> 'south' GROUP BY code ORDER BY code";
    let ended = demo.query(&["--format", "csv", sql]);
    // At north, forty visits in turn: 14 of 1.1 at 2.5, 13 of 1.10 at 2.50, 13 of 01.1 at 3; at west, forty of 1.10 at 1.
    assert_eq!(ended.out, "code,n,cost\n01.1,13,39.0\n1.1,14,35.0\n1.10,53,72.5\n", "{}", ended.err);
}

#[test]
fn a_column_that_takes_the_place_of_the_sites_is_said() {
    let folder = folder();
    for site in SITES {
        edit(folder.path(), &format!("{site}/agreement.toml"), "ward = ", "site = ");
        edit(folder.path(), &format!("{site}/data/visits.csv"), "ward", "site");
    }
    let ended = demo(folder.path());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let said = "north/agreement.toml:31: column `site` of table `visits` takes the place of the one that says at which site";
    assert_eq!(ended.err.matches(said).count(), 1, "{}", ended.err);
}

#[test]
fn what_counts_for_generated_data_alone_is_not_passed_over() {
    let both = "`--data tpch` and `--data wellbeing` alone; add that";
    for (arguments, option, counts) in [
        (&["--sites", "2"][..], "`--sites`", "`--data tpch` alone; add that"),
        (&["--data", "heart", "--scale", "1"], "`--scale`", both),
    ] {
        let ended: Ended = liquid().arg("demo").args(arguments).output().unwrap().into();
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{ended:?}");
        assert!(ended.err.contains(&format!("{option} counts for {counts}")), "{ended:?}");
    }
}
