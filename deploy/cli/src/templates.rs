//! `liquid templates`: the approved queries that somebody may call.

use liquid_node_api::catalogue::{OpenTemplate, TemplateColumn, TemplateParameter};

use crate::args::{Said, Templates};
use crate::failure::Failure;
use crate::reach::{self, Whose};
use crate::terminal::{Paint, say};

/// Lists them.
///
/// # Errors
/// What the other end said, or that there is none of that name.
pub(crate) async fn run(command: &Templates) -> Result<(), Failure> {
    let mut client = reach::client(&command.reach, Whose::Recipient).await?;
    for (name, value) in [("liquid.purpose", &command.purpose), ("liquid.agreement", &command.agreement)] {
        if let Some(value) = value {
            client.set(name, value)?;
        }
    }
    let mut open = client.templates().await?;
    if let Some(name) = &command.name {
        open.retain(|it| it.template.name.as_str() == name);
        if open.is_empty() {
            return Err(Failure::here(
                format!("there is no approved query `{name}` that you may call"),
                "`liquid templates` lists those that there are",
            ));
        }
    }
    if command.format == Said::Json {
        say(&serde_json::to_string(&open).unwrap_or_default());
        return Ok(());
    }
    if open.is_empty() {
        say("no approved query is open to you");
    }
    let paint = Paint::stdout();
    open.iter().flat_map(|it| lines(it, command.name.is_some(), paint)).for_each(|line| say(&line));
    Ok(())
}

fn lines(open: &OpenTemplate, whole: bool, paint: Paint) -> Vec<String> {
    let OpenTemplate { agreement, sites, template, .. } = open;
    let sites: Vec<_> = sites.iter().map(ToString::to_string).collect();
    let name = plain(template.name.as_str());
    let takes = template
        .parameters
        .iter()
        .map(|TemplateParameter { name, kind }| format!("{} {}", plain(name), kind.sql_name()));
    let gives = template
        .columns
        .iter()
        .map(|TemplateColumn { name, kind }| format!("{} {}", plain(name), kind.sql_name()));
    let takes: Vec<_> = takes.collect();
    let sets: String = template.parameters.iter().map(|it| format!(" --set {}=…", plain(&it.name))).collect();
    let mut lines = vec![
        format!(
            "{}  {}",
            paint.bold(&name),
            paint.dim(&plain(&format!("{agreement} at {}", sites.join(", "))))
        ),
        format!("  {}", plain(&template.description)),
        format!("  takes {}", if takes.is_empty() { "nothing".to_owned() } else { takes.join(", ") }),
        format!("  gives {}", gives.collect::<Vec<_>>().join(", ")),
        format!("  liquid query --template {name}{sets}"),
    ];
    lines.retain(|line| !line.trim().is_empty());
    if whole {
        lines.push(paint.dim(&format!("  sha256:{}", plain(&template.sha256))));
        lines.extend(template.text.lines().map(|line| format!("    {}", plain(line))));
    }
    lines
}

/// What sites wrote, fit for a terminal.
fn plain(text: &str) -> String {
    let hides = |c: char| {
        c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    text.chars().map(|c| if hides(c) { ' ' } else { c }).collect()
}
