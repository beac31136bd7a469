//! A page as one HTML file: no script, nothing fetched from anywhere, readable on a phone and on paper.

use super::page::{Block, Clause, Kept, Page, Section, Span, Text, quoted, runs};

/// Nothing is loaded and nothing runs, whatever the file says.
const SECURITY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes the page.
pub fn html(page: &Page) -> String {
    let title = escaped(&page.title.bare());
    let style = include_str!("page.css");
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"{SECURITY}\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    blocks(&mut out, &page.lead);
    if !page.lead.iter().any(|block| matches!(block, Block::Table { .. })) {
        contents(&mut out, &page.sections); // a table leads there already
    }
    for Section { level, anchor, heading, blocks: below } in &page.sections {
        let level = level + 1;
        out.push_str(&format!("<h{level} id=\"{}\">{}</h{level}>\n", escaped(anchor), inline(heading)));
        blocks(&mut out, below);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn contents(out: &mut String, sections: &[Section]) {
    out.push_str("<nav aria-label=\"Contents\">\n<p>Contents</p>\n<ol>\n");
    for section in sections.iter().filter(|section| section.level == 1) {
        let (anchor, heading) = (escaped(&section.anchor), inline(&section.heading));
        out.push_str(&format!("<li><a href=\"#{anchor}\">{heading}</a></li>\n"));
    }
    out.push_str("</ol>\n</nav>\n");
}

fn blocks(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Paragraph(text) => out.push_str(&format!("<p>{}</p>\n", inline(text))),
            Block::Notice(text) => {
                out.push_str(&format!("<p class=\"notice\"><strong>Note:</strong> {}</p>\n", inline(text)));
            }
            Block::Clause(clause) => {
                out.push_str("<div class=\"entry\">\n");
                clauses(out, std::slice::from_ref(clause));
                out.push_str("</div>\n");
            }
            Block::Entry { name, clauses: below } => {
                out.push_str(&format!(
                    "<section class=\"entry named\">\n<p class=\"name\">{}</p>\n",
                    inline(name)
                ));
                clauses(out, below);
                out.push_str("</section>\n");
            }
            Block::List { intro, items } => list(out, intro, items),
            Block::Table { header, rows } => table(out, header, rows),
        }
    }
}

fn clauses(out: &mut String, clauses: &[Clause]) {
    for (kept, texts) in runs(clauses) {
        let texts: Vec<String> = texts.iter().map(inline).collect();
        let class = match kept {
            Kept::ByTheSite => "site",
            Kept::ByTheRecipient => "recipient",
            Kept::ForTheRecord => "record",
            Kept::LeftOpen => "open",
            Kept::NotYet => "not-yet",
        };
        out.push_str(&format!(
            "<p class=\"clause\"><span>{}</span> <small class=\"{class}\">{}</small></p>\n",
            texts.join(" "),
            escaped(kept.words())
        ));
    }
}

fn list(out: &mut String, intro: &Text, items: &[Text]) {
    out.push_str(&format!("<p>{}</p>\n<ul>\n", inline(intro)));
    items.iter().for_each(|item| out.push_str(&format!("<li>{}</li>\n", inline(item))));
    out.push_str("</ul>\n");
}

/// Each cell bears its column's name: on a narrow screen a row becomes a card, and the names stand before the cells.
fn table(out: &mut String, header: &[&str], rows: &[Vec<Text>]) {
    out.push_str("<table>\n<thead><tr>");
    header.iter().for_each(|name| out.push_str(&format!("<th scope=\"col\">{}</th>", escaped(name))));
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (name, cell) in header.iter().zip(row) {
            out.push_str(&format!("<td data-name=\"{}\">{}</td>", escaped(name), inline(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

fn inline(text: &Text) -> String {
    let piece = |span: &Span| match span {
        Span::Ours(text) => escaped(text),
        Span::Theirs(text) => format!("<b>{}</b>", escaped(&quoted(text))),
        Span::Link { to, text } => format!("<a href=\"#{}\">{}</a>", escaped(to), inline(text)),
    };
    text.spans.iter().map(piece).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
