//! The register of agreements: an index with what a board looks for, and each agreement in full.

use chrono::NaiveDate;
use liquid_policy::file::File;
use liquid_policy::render::page::{Block, Page, Span};
use liquid_policy::render::{Entry, html, plain, register, render};

use super::leaves::{read, rich, tree, whole};
use crate::support::day;

fn entries(files: &[File]) -> Vec<Entry> {
    let entry = |file: &File| Entry {
        file: file.clone(),
        hash: "0123456789abcdef".into(),
        places: vec!["north/agreement.toml".to_owned()],
    };
    files.iter().map(entry).collect()
}

fn rows(page: &Page) -> Vec<Vec<String>> {
    let tables = page.lead.iter().filter_map(|block| match block {
        Block::Table { header, rows } => {
            assert_eq!(header[0], "Agreement");
            Some(rows.iter().map(|row| row.iter().map(|cell| cell.plain()).collect()).collect())
        }
        _ => None,
    });
    let tables: Vec<Vec<Vec<String>>> = tables.collect();
    tables.into_iter().next().expect("an index")
}

#[test]
fn the_index_has_what_a_board_looks_for() {
    let page = register(&entries(rich()), day("2026-11-01"));
    let rows = rows(&page);
    assert_eq!(rows.len(), rich().len());
    assert_eq!(
        rows[0],
        [
            "“Cardiac care statistics” (HRT-2026-01, version 1.0.0)",
            "Its dates allow it today.",
            "0123456789ab",
            "north/agreement.toml",
            "10",
            "cleveland, budapest, zurich-basel and long-beach",
            "“Compare how coronary disease presents at four hospitals, to plan cardiac care.”",
            "cleveland and heart-institute",
            "cardiac",
            "None",
            "1 January 2026",
            "31 December 2029",
            "30 June 2029",
        ]
    );
    assert_eq!(rows[1][1], "A site will not take it.");
    assert_eq!(rows[1][9], "OFFICIAL-SENSITIVE");
}

#[test]
fn each_agreement_is_there_in_full_and_the_index_leads_to_it() {
    let page = register(&entries(rich()), day("2026-11-01"));
    let (text, web) = (plain(&page), html(&page));
    for file in rich() {
        let own = render(file);
        for section in &own.sections {
            assert!(page.sections.iter().any(|s| s.heading == section.heading && s.blocks == section.blocks));
        }
        assert!(own.clauses().all(|clause| page.clauses().any(|other| other == clause)));
    }
    for link in page.lead.iter().filter_map(|block| match block {
        Block::Table { rows, .. } => Some(rows),
        _ => None,
    }) {
        for cell in link.iter().map(|row| &row[0]) {
            let [Span::Link { to, .. }] = cell.spans.as_slice() else { panic!("a link") };
            assert!(page.sections.iter().any(|section| section.anchor == *to && section.level == 1));
        }
    }
    let mut anchors: Vec<_> = page.sections.iter().map(|section| &section.anchor).collect();
    anchors.sort();
    anchors.dedup();
    assert_eq!(anchors.len(), page.sections.len(), "no anchor leads to two places");
    let is_name = |block: &Block| matches!(block, Block::Paragraph(text) if text.plain().starts_with("The fingerprint of this text is 0123456789ab."));
    let own = page.sections.iter().filter(|section| section.level == 1 && section.anchor.starts_with('a'));
    let whole: Vec<_> = own.filter(|section| !section.anchor.contains('-')).collect();
    assert!(whole.len() == rich().len() && whole.iter().all(|section| section.blocks.iter().any(is_name)));
    assert!(web.contains("is signed, in force or suspended is not written in it"), "{web}");
    assert!(text.contains("as it is on 1 November 2026") && web.contains("data-name=\"Review due\""));
    assert!(text.find("Parties and contacts") < text.find("Purpose and benefits"));
}

#[test]
fn the_state_follows_the_days() {
    let heart = read(&super::leaves::example_text("heart"));
    let state =
        |file: &File, on: NaiveDate| rows(&register(&entries(std::slice::from_ref(file)), on))[0][1].clone();
    for (on, says) in [
        ("2025-12-31", "It has not begun."),
        ("2026-01-01", "Its dates allow it today."),
        ("2029-06-30", "Its dates allow it today."),
        ("2029-07-01", "Its dates allow it today, but its review is overdue."),
        ("2029-07-30", "Its dates allow it today, but its review is overdue."),
        ("2029-07-31", "It stands still, as its review is overdue."),
        ("2030-01-01", "It has ended."),
    ] {
        assert_eq!(state(&heart, day(on)), says, "{on}");
    }
    assert_eq!(state(&whole(), day("2026-10-01")), "A site will not take it.");
    let mut bare = tree(&heart);
    bare["agreement"].as_table_mut().expect("a table").remove("review");
    let bare = super::leaves::file(&bare).expect("a file");
    assert_eq!(state(&bare, day("2029-12-31")), "Its dates allow it today.");
}
