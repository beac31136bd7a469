//! A page as Markdown. What authors wrote is escaped: it can be no heading, no link and no emphasis.

use super::page::{Block, Page, Section, Span, Text, quoted, runs};

/// Writes the page.
pub fn markdown(page: &Page) -> String {
    let mut out = format!("# {}\n", escaped(&page.title.bare()));
    page.lead.iter().for_each(|block| put(&mut out, block));
    for Section { level, anchor, heading, blocks } in &page.sections {
        let hashes = "#".repeat(usize::from(*level) + 1);
        out.push_str(&format!("\n<a id=\"{anchor}\"></a>\n\n{hashes} {}\n", inline(heading)));
        blocks.iter().for_each(|block| put(&mut out, block));
    }
    out
}

fn put(out: &mut String, block: &Block) {
    out.push('\n');
    match block {
        Block::Paragraph(text) => out.push_str(&format!("{}\n", inline(text))),
        Block::Notice(text) => out.push_str(&format!("> **Note:** {}\n", inline(text))),
        Block::Clause(clause) => clauses(out, std::slice::from_ref(clause)),
        Block::Entry { name, clauses: below } => {
            out.push_str(&format!("**{}**\n\n", inline(name)));
            clauses(out, below);
        }
        Block::List { intro, items } => {
            out.push_str(&format!("{}\n\n", inline(intro)));
            items.iter().for_each(|item| out.push_str(&format!("- {}\n", inline(item))));
        }
        Block::Table { header, rows } => {
            let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            out.push_str(&line(header.iter().map(|cell| (*cell).to_owned()).collect()));
            out.push_str(&line(header.iter().map(|_| "---".to_owned()).collect()));
            rows.iter().for_each(|row| out.push_str(&line(row.iter().map(inline).collect())));
        }
    }
}

fn clauses(out: &mut String, clauses: &[super::page::Clause]) {
    for (kept, texts) in runs(clauses) {
        let texts: Vec<String> = texts.iter().map(inline).collect();
        out.push_str(&format!("- {} *({})*\n", texts.join(" "), kept.words()));
    }
}

fn inline(text: &Text) -> String {
    let piece = |span: &Span| match span {
        Span::Ours(text) => text.clone(),
        Span::Theirs(text) => escaped(&quoted(text)),
        Span::Link { to, text } => format!("[{}](#{to})", inline(text)),
    };
    text.spans.iter().map(piece).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\`*_{}[]<>()#!|~&$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
