//! `liquid demo`: a whole federation on this machine, its story on the terminal, or a server until Ctrl-C.

use std::fmt::Write as _;

use console::measure_text_width;
use liquid_local::connection::Beacon;
use liquid_local::{Federation, Run, heart};
use liquid_node::audit::verify;

use crate::args::{Data, Demo};
use crate::failure::Failure;
use crate::render::{self, legend};
use crate::story::{self, Outcome};
use crate::terminal::{Paint, Progress, note, say};
use crate::{audit, start};

/// How wide the story's prose is.
const WIDTH: usize = 96;

/// Runs the command.
///
/// # Errors
/// Where the federation does not start, or the story does not go as it should.
pub(crate) async fn run(demo: Demo) -> Result<(), Failure> {
    only_what_is_there(&demo)?;
    let run = match demo.in_process {
        true => Run::InProcess,
        false => Run::Processes(this_binary()?),
    };
    let blueprint = heart::blueprint();
    let progress = Progress::start("starting four hospitals and a coordinator");
    let federation = tokio::select! {
        started = Federation::start(&blueprint, run) => started.map_err(|error| {
            Failure::here(error, "see the log that is named, or try again")
        })?,
        () = start::interrupted() => return Err(Failure::Said),
    };
    progress.end();
    if demo.json {
        say(&federation.connection().line());
    }
    if demo.serve { serve(federation, demo.json).await } else { tell(federation, demo.json).await }
}

/// What the command line has room for and this version does not do is a usage error, never ignored.
fn only_what_is_there(demo: &Demo) -> Result<(), Failure> {
    let later = |what: &str| {
        Err(Failure::Usage(format!(
            "`{what}` comes later; this version has the heart data of four hospitals"
        )))
    };
    match demo.data {
        Data::Heart => {}
        Data::Wellbeing => return later("--data wellbeing"),
        Data::Tpch => return later("--data tpch"),
    }
    let options = [
        ("--scale", demo.scale.is_some()),
        ("--sites", demo.sites.is_some()),
        ("--from", demo.from.is_some()),
    ];
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => later(option),
        None => Ok(()),
    }
}

fn this_binary() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::here(format!("this binary cannot be found: {error}"), "try `--in-process`"))
}

/// Stays up for clients.
async fn serve(mut federation: Federation, quiet: bool) -> Result<(), Failure> {
    let connection = federation.connection();
    let beacon = match Beacon::path() {
        Some(path) => Beacon::light(&path, connection)
            .map_err(|error| note(&format!("`liquid query` will not find this demo by itself: {error}")))
            .ok(),
        None => None,
    };
    if !quiet {
        let paint = Paint::stderr();
        let program = program();
        let ca = connection.ca.display();
        let mut lines = format!("\n{} {}\n", paint.good("ready"), connection.coordinator);
        for site in &connection.sites {
            let _ = writeln!(lines, "      {} {}", site.url, site.name);
        }
        let _ = write!(
            lines,
            "\nIn another terminal:\n  {}\n\nFrom Python, DBeaver or any other Flight SQL client: the address above, the \
             authority {ca},\nand as bearer token what lies in {}\n\nCtrl-C ends every process.",
            paint.code(&format!(
                "{program} query \"SELECT site, count(*) AS patients FROM cardiac GROUP BY site\""
            )),
            federation.folder().token_folder().display(),
        );
        note(&lines);
    }
    start::interrupted().await;
    drop(beacon);
    federation.stop().await;
    Ok(())
}

/// How this program was called, so that what is printed can be typed.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "liquid".to_owned())
}

/// Tells the story; it went well only if every step came out as it should.
async fn tell(federation: Federation, aside: bool) -> Result<(), Failure> {
    let mut teller = Teller { federation, aside, went_well: true };
    let told = tokio::select! {
        told = teller.story() => told,
        () = start::interrupted() => Err(Failure::Said),
    };
    teller.federation.stop().await;
    told?;
    if teller.went_well {
        Ok(())
    } else {
        Err(Failure::here("the story did not go as it should", "see above"))
    }
}

struct Teller {
    federation: Federation,
    /// Standard output is taken by the connection line.
    aside: bool,
    went_well: bool,
}

impl Teller {
    async fn story(&mut self) -> Result<(), Failure> {
        self.title(1, "One question, one answer from four hospitals");
        let outcome = self.ask(story::FEDERATED, &[]).await?;
        self.check(
            story::federated(&outcome),
            "Each hospital decided under its own copy of the signed agreement and sent counts and sums; the coordinator \
             added them up and saw no patient.",
        );

        self.title(2, "A question that the agreement refuses");
        let outcome = self.ask(story::BY_PATIENT, &[]).await?;
        self.check(
            story::refused(&outcome),
            "Grouping by patient would be a list of patients. The refusal names the clause and is the same whatever the \
             data: nothing was computed to find it.",
        );

        self.title(3, "Cells that stay at the hospital");
        let outcome = self.ask(story::SMALL_CELLS, &[]).await?;
        self.check(
            story::withheld(&outcome),
            "WITHHELD: fewer than ten patients stand behind the cell, or none, or so few were left out that a \
             subtraction would show them. Which of these it is stays sealed at the hospital.",
        );

        self.title(4, "One hospital stops");
        self.federation.stop_site(story::STOPPED).await.map_err(here)?;
        self.line(&format!("  The node of {} has ended. The same question as in 1:\n", story::STOPPED));
        let outcome = self.ask(story::FEDERATED, &[]).await?;
        self.check(
            story::site_missing(&outcome),
            "No answer rather than a total that looks whole; `liquid query` ends with exit code 5. Whoever wants the \
             others' answer says so:",
        );
        let outcome = self.ask(story::FEDERATED, &[("liquid.min_sites", "3")]).await?;
        self.check(
            story::partial(&outcome),
            "The answer of three, which says that it is not the answer of four.",
        );

        self.title(5, "What was recorded");
        self.verify_logs();
        let next = format!("{} demo --serve", program());
        self.line(&format!("Now ask your own: {}\n", self.paint().code(&next)));
        Ok(())
    }

    /// Asks as `liquid query` asks, and prints what it would print.
    async fn ask(&mut self, sql: &str, options: &[(&str, &str)]) -> Result<Outcome, Failure> {
        let paint = self.paint();
        for (name, value) in options {
            self.line(&format!("  {}", paint.code(&format!("--set {name}={value}"))));
        }
        for line in sql.lines() {
            self.line(&format!("  {}", paint.code(line)));
        }
        self.line("");
        let mut client = self.federation.client(None).map_err(here)?;
        client.set("liquid.marks", "columns")?;
        for (name, value) in options {
            client.set(name, value)?;
        }
        let outcome = client.ask(sql).await;
        let lines = match &outcome {
            Ok(answer) => {
                let mut lines = render::table(answer, paint, None)
                    .map_err(|error| Failure::here(format!("the answer cannot be printed: {error}"), ""))?;
                lines.push(String::new());
                lines.extend(legend(answer, paint).into_iter().map(|line| format!("  {line}")));
                lines
            }
            Err(error) => {
                let failure = Failure::from(error.clone());
                let lines = failure.lines(paint);
                lines.iter().flat_map(|line| wrapped(line, WIDTH)).map(|line| format!("  {line}")).collect()
            }
        };
        for line in lines {
            self.line(&line);
        }
        self.line("");
        Ok(outcome)
    }

    fn verify_logs(&mut self) {
        let paint = self.paint();
        let mut bad = Vec::new();
        for log in self.federation.audit_logs() {
            let read = std::fs::read(&log.path).map_err(|error| error.to_string());
            match read.and_then(|bytes| verify(&bytes, Some(&log.key)).map_err(|bad| bad.to_string())) {
                Ok(summary) if summary.released > 0 => {
                    let site = format!("{:<12}", log.site.as_str());
                    let text = audit::describe(&summary);
                    self.line(&format!("  {} {site} {text}", paint.good("verified")));
                }
                Ok(_) => bad.push(format!("{}: nothing was recorded as released", log.site)),
                Err(problem) => bad.push(format!("{}: {problem}", log.site)),
            }
        }
        self.line("");
        let checked = if bad.is_empty() { Ok(()) } else { Err(bad.join("; ")) };
        self.check(
            checked,
            "Every question that reached a hospital left its records there, chained and signed, and on disk before a \
             byte of the answer was sent; `liquid audit verify` finds the first record that anyone has touched.",
        );
    }

    fn title(&self, number: usize, title: &str) {
        let paint = self.paint();
        self.line(&format!("{} {}\n", paint.dim(&format!("── {number} of 5 ──")), paint.bold(title)));
    }

    /// Says what a step means, or that it did not go as it should.
    fn check(&mut self, held: Result<(), String>, meaning: &str) {
        match held {
            Ok(()) => {
                for line in wrapped(meaning, WIDTH) {
                    self.line(&line);
                }
            }
            Err(problem) => {
                self.went_well = false;
                self.line(&format!("{} {problem}", self.paint().bad("this is not what must happen:")));
            }
        }
        self.line("");
    }

    fn paint(&self) -> Paint {
        if self.aside { Paint::stderr() } else { Paint::stdout() }
    }

    fn line(&self, line: &str) {
        if self.aside { note(line) } else { say(line) }
    }
}

fn here(error: impl std::fmt::Display) -> Failure {
    Failure::here(error, "try again")
}

/// Breaks a line at spaces; what follows is indented as the line is.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(text.len() - text.trim_start().len());
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}
