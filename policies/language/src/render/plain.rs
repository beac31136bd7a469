//! A page as plain text, for a terminal or a letter.

use super::page::{Block, Page, Section, Text, runs};

/// Where lines are broken.
const WIDTH: usize = 96;

/// Writes the page.
pub fn plain(page: &Page) -> String {
    let mut out = String::new();
    heading(&mut out, &page.title.bare(), '=');
    page.lead.iter().for_each(|block| put(&mut out, block));
    let mut number = 0;
    for Section { level, heading: title, blocks, .. } in &page.sections {
        out.push('\n');
        match level {
            1 => {
                number += 1;
                heading(&mut out, &format!("{number}. {}", title.plain()), '=');
            }
            2 => heading(&mut out, &title.plain(), '-'),
            _ => heading(&mut out, &title.plain(), '.'),
        }
        blocks.iter().for_each(|block| put(&mut out, block));
    }
    out
}

fn heading(out: &mut String, text: &str, line: char) {
    out.push_str(text);
    out.push('\n');
    out.extend(std::iter::repeat_n(line, text.chars().count()));
    out.push('\n');
}

fn put(out: &mut String, block: &Block) {
    match block {
        Block::Paragraph(text) => wrap(out, &text.plain(), "", ""),
        Block::Notice(text) => wrap(out, &format!("NOTE: {}", text.plain()), "", ""),
        Block::Clause(clause) => {
            for (kept, texts) in runs(std::slice::from_ref(clause)) {
                wrap(out, &format!("{} [{}]", together(&texts), kept.words()), "- ", "  ");
            }
        }
        Block::Entry { name, clauses } => {
            wrap(out, &format!("{}:", name.plain()), "- ", "  ");
            for (kept, texts) in runs(clauses) {
                wrap(out, &format!("{} [{}]", together(&texts), kept.words()), "  ", "  ");
            }
        }
        Block::List { intro, items } => {
            wrap(out, &intro.plain(), "", "");
            items.iter().for_each(|item| wrap(out, &item.plain(), "  * ", "    "));
        }
        Block::Table { header, rows } => {
            for row in rows {
                let mut first = "- ";
                for (label, cell) in header.iter().zip(row) {
                    wrap(out, &format!("{label}: {}", cell.plain()), first, "    ");
                    first = "  ";
                }
            }
        }
    }
}

fn together(texts: &[Text]) -> String {
    texts.iter().map(Text::plain).collect::<Vec<_>>().join(" ")
}

fn wrap(out: &mut String, text: &str, first: &str, rest: &str) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            rest.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
