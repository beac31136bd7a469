//! A board tries a draft out before it signs: `liquid policy preview`, at its own node over real data; and nobody else does.

use std::path::{Path, PathBuf};

use liquid_local::client::Client;
use liquid_node_api::preview::PreviewRequest;
use liquid_policy::parse;
use liquid_policy::statement::{Act, Signer};
use serde_json::Value;

use crate::board::{AGREEMENT, Board};
use crate::fixture::Ended;

/// A draft with these edits, in a file.
fn draft(board: &Board, name: &str, edits: &[(&str, &str)]) -> PathBuf {
    let text = edits.iter().fold(AGREEMENT.replace("1.0.0", "2.0.0"), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    });
    let file = board.path(name);
    std::fs::write(&file, text).unwrap();
    file
}

fn preview(board: &Board, who: &str, file: &Path, more: &[&str]) -> Ended {
    board.by(who, &[&["policy", "preview", file.to_str().unwrap()], more].concat())
}

fn in_json(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

/// The cells that a site has withheld in its last answer, as its log has it.
fn last_withheld(board: &Board, site: &str) -> u64 {
    let log = board.demo.folder().join("sites").join(site).join("audit.jsonl");
    let text = std::fs::read_to_string(log).unwrap();
    let mut outcomes = text.lines().filter_map(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        let outcome = &record["body"]["outcome"];
        (outcome["outcome"] == "released").then(|| outcome["withheld"].as_u64().unwrap())
    });
    outcomes.next_back().unwrap()
}

#[test]
fn a_board_sees_what_a_draft_would_withhold_and_then_it_does() {
    let board = Board::new();
    let tight = draft(&board, "tight.toml", &[("minimum_contributors = 10", "minimum_contributors = 41")]);
    let nothing = preview(&board, "north.siro", &tight, &[]);
    assert!(nothing.code == 1 && nothing.err.contains("nobody has asked anything"), "{nothing:?}");
    let questions = [
        "SELECT ward, count(*) AS n FROM visits GROUP BY ward ORDER BY ward",
        "SELECT ward, count(*) AS n FROM visits GROUP BY ward ORDER BY ward",
        "SELECT count(*) AS n FROM visits",
    ];
    for question in questions {
        assert_eq!(board.demo.query(&[question]).code, 0);
    }
    let told = in_json(&preview(&board, "north.siro", &tight, &["--format", "json"]));
    assert_eq!((&told["direction"], &told["rounded_to"]), (&"tightens".into(), &Value::Null));
    assert_eq!(
        (told["questions"]["asked"].as_u64(), told["questions"]["still_permitted"].as_u64()),
        (Some(3), Some(3))
    );
    let answers = told["cells"]["answers"].as_array().unwrap();
    // Eight in ward A and forty in ward B: one cell is withheld today, two would be; and there are forty-eight in all.
    let by_ward = answers.iter().find(|it| it["asked"] == 2).unwrap();
    let numbers =
        |of: &str| (by_ward[of]["rows"].as_u64().unwrap(), by_ward[of]["withheld"].as_u64().unwrap());
    assert_eq!(
        (numbers("standing"), numbers("draft"), by_ward["newly_withheld"].as_u64()),
        ((2, 1), (2, 2), Some(1))
    );
    let all = answers.iter().find(|it| it["asked"] == 1).unwrap();
    assert_eq!(all["newly_withheld"], 0);
    let said = preview(&board, "north.siro", &tight, &[]);
    for sentence in [
        "WARDS-1 at north: draft 2.0.0",
        "only tightens version 1.0.0",
        "3 questions of 1 caller came to the site",
        "3 would still be permitted",
        "0 would newly be refused",
        "1 further cell withheld (1 today, 2 under the draft)",
        "asked 2 times:",
        "together 1 cell more in 2 answers",
    ] {
        assert!(said.out.contains(sentence), "{sentence}: {said:?}");
    }

    // The very draft, signed and active, withholds just that.
    let file = draft(
        &board,
        "signed.toml",
        &[
            ("minimum_contributors = 10", "minimum_contributors = 41"),
            ("version = \"2.0.0\"", &format!("version = \"2.0.0\"\nsupersedes = \"{}\"", board.hash())),
        ],
    );
    board.demo.query(&[questions[0]]);
    assert_eq!(last_withheld(&board, "north"), 1);
    board.done("north.author", &["policy", "propose", file.to_str().unwrap()]);
    board.sign(&file);
    board.done("north.siro", &["policy", "activate", "WARDS-1", "--version", "2.0.0"]);
    board.demo.query(&[questions[0]]);
    assert_eq!(last_withheld(&board, "north"), 2);
    board.demo.query(&[questions[2]]);
    assert_eq!(last_withheld(&board, "north"), 0);

    let log = board.demo.folder().join("sites/north/audit.jsonl");
    let key = board.demo.folder().join("sites/north/audit.pub");
    let verified =
        board.demo.run(&["audit", "verify", log.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let text = std::fs::read_to_string(log).unwrap();
    assert_eq!(text.matches("\"what\":\"previewed\"").count(), 3, "each preview is on record");
    assert!(text.contains("\"newly_withheld\":1"));
}

#[test]
fn what_a_draft_refuses_and_permits_is_said_in_words() {
    let board = Board::new();
    for _ in 0..12 {
        assert_eq!(board.asked().0, 0);
    }
    let narrow = draft(&board, "narrow.toml", &[("use = [\"group\", \"filter\"]", "use = [\"filter\"]")]);
    let said = preview(&board, "south.caldicott-guardian", &narrow, &[]);
    for sentence in [
        "WARDS-1 at south",
        "12 would newly be refused",
        "12 questions: column `ward` may not be grouped by or listed",
        "refused as COLUMN_USE (clause table.visits.columns.ward.use)",
        "such as: SELECT",
    ] {
        assert!(said.out.contains(sentence), "{sentence}: {said:?}");
    }
    assert!(!said.out.contains("withheld ("), "{said:?}");
    // Looser: round totals and nothing else.
    let loose = draft(&board, "loose.toml", &[("minimum_contributors = 10", "minimum_contributors = 8")]);
    let said = preview(&board, "north.siro", &loose, &[]);
    assert!(
        said.out.contains("loosens") && said.out.contains("rounded down to a multiple of 10"),
        "{said:?}"
    );
    assert!(said.out.contains("10 or more would still be permitted"), "{said:?}");
    assert!(said.out.contains("preview what tightens in a draft of its own"), "{said:?}");
    assert!(said.out.contains("fewer than 10 would newly be permitted"), "{said:?}");
    let told = in_json(&preview(&board, "north.siro", &loose, &["--format", "json"]));
    let cells = &told["cells"];
    assert_eq!(
        (cells["told"].as_str(), cells["withheld"].as_u64(), cells["answers"].as_u64()),
        (Some("totals"), Some(10), Some(10))
    );
    // What is no agreement, or not for this site.
    let broken = draft(&board, "broken.toml", &[("minimum_contributors = 10", "minimum_contributors = -1")]);
    let said = preview(&board, "north.siro", &broken, &[]);
    assert!(said.code == 1 && said.err.contains("minimum_contributors"), "{said:?}");
    let strange = draft(&board, "strange.toml", &[("[table.visits", "[table.stays")]);
    let said = preview(&board, "north.siro", &strange, &[]);
    assert!(said.code == 1 && said.err.contains("table `stays`"), "{said:?}");
    let out_of_range = preview(&board, "north.siro", &narrow, &["--days", "0"]);
    assert_eq!(out_of_range.code, 2, "{out_of_range:?}");
}

#[test]
fn nobody_else_and_nobody_between_is_told_anything() {
    let board = Board::new();
    assert_eq!(board.asked().0, 0);
    let tight = draft(&board, "tight.toml", &[("minimum_contributors = 10", "minimum_contributors = 41")]);
    let folder = board.demo.folder();
    let ca = folder.join("ca.pem");
    let site = |name: &str| {
        let sites = board.demo.connection["sites"].as_array().unwrap();
        sites.iter().find(|it| it["name"] == name).unwrap()["url"].as_str().unwrap().to_owned()
    };
    let token = |of: &str| folder.join("tokens/board").join(of).display().to_string();
    let at = |url: &str, token: &str| {
        ["--url", url, "--site", "north", "--ca", ca.to_str().unwrap(), "--token-file", token]
            .map(str::to_owned)
    };
    let tried = |who: &str, arguments: &[String]| {
        preview(&board, who, &tight, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(tried("north.siro", &at(&site("north"), &token("north"))).code, 0);
    for (who, of) in [("south.siro", "south"), ("south.siro", "north"), ("north.siro", "south")] {
        let other = tried(who, &at(&site("north"), &token(of)));
        assert_eq!(other.code, 3, "{other:?}");
        assert!(other.err.contains("RECIPIENT") && other.err.contains("liquid.preview"), "{other:?}");
    }
    let author = preview(&board, "north.author", &tight, &[]);
    assert!(author.code == 3 && author.err.contains("party.approvers"), "{author:?}");
    let analyst = folder.join("tokens/council.analyst").display().to_string();
    assert_eq!(tried("north.siro", &at(&site("north"), &analyst)).code, 3);
    // A coordinator, or another site, is not sent anything: its certificate is not the site's.
    let coordinator = board.demo.connection["coordinator"].as_str().unwrap().to_owned();
    for url in [&coordinator, &site("south")] {
        let through = tried("north.siro", &at(url, &token("north")));
        assert!(through.code == 1 && through.err.contains("is not `liquid://site/north`"), "{through:?}");
    }
    // And one that is sent it all the same knows no such action.
    let text = std::fs::read_to_string(&tight).unwrap();
    let key = liquid_local::keys::Key::read(Path::new(&board.key("north.siro"))).unwrap();
    let card = liquid_local::keys::read_card(&folder.join("keys/north.siro.pub.toml")).unwrap();
    let signer = Signer {
        organisation: card.organisation,
        role: card.roles.iter().next().unwrap().clone(),
        key_id: card.key_id,
        time: liquid_local::keys::now(),
    };
    let hash = parse(&text, "tight.toml").unwrap().hash().clone();
    let act = Act::Preview { draft: hash, site: "north".into(), days: 30, nonce: "1".to_owned() };
    let request = PreviewRequest { text, files: vec![], asked: key.signing().unwrap().say(act, signer) };
    let held = std::fs::read_to_string(token("north")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (carried, direct) = runtime.block_on(async {
        let mut carrier = Client::new(&coordinator, &ca, &held).unwrap();
        let mut node = Client::new(&site("north"), &ca, &held).unwrap();
        (carrier.preview(&request).await, node.preview(&request).await)
    });
    assert!(carried.unwrap_err().to_string().contains("there is no action"));
    direct.unwrap();
}
