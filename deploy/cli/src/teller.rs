//! Tells the demo's story: asks what [`story`] has to ask, prints what `liquid query` would print, says what it means. Over
//! data that we do not know, it shows around instead (`tour`).

mod county;
mod tour;

use std::collections::BTreeSet;

use liquid_local::Federation;
use liquid_node::audit::verify_file;
use liquid_policy::document::Agreement;

use crate::audit;
use crate::failure::Failure;
use crate::render::{self, legend};
use crate::start::End;
use crate::story::{self, Outcome};
use crate::terminal::{self, Paint, note, say, wrapped};

/// How wide the story's prose is where there is room.
const WIDTH: usize = 96;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tale {
    /// The four hospitals' story.
    Hearts,
    /// The county's story.
    County,
    /// A look around a federation whose data we do not know.
    Tour,
}

/// Tells it; it went well only if every step came out as it should. `aside` keeps standard output free.
///
/// # Errors
/// Where it cannot be told, or a step came out otherwise.
pub(crate) async fn tell(
    federation: Federation,
    tale: Tale,
    aside: bool,
    staying_up: &str,
    ended: End,
) -> Result<(), Failure> {
    let width = if aside { terminal::width_aside() } else { terminal::width() };
    let steps = if tale == Tale::County { 6 } else { 5 };
    let mut teller =
        Teller { federation, aside, width, steps, went_well: true, all_release: tale != Tale::Tour };
    let tale = async {
        match tale {
            Tale::Hearts => teller.story(staying_up).await,
            Tale::County => teller.county(staying_up).await,
            Tale::Tour => teller.tour(staying_up).await,
        }
    };
    let told = tokio::select! {
        told = tale => told,
        () = ended => Err(Failure::Said),
    };
    teller.federation.stop().await;
    told?;
    if teller.went_well {
        Ok(())
    } else {
        Err(Failure::here("not everything went as it should", "see above"))
    }
}

struct Teller {
    federation: Federation,
    /// Standard output is taken by the connection line.
    aside: bool,
    /// The terminal's, where it is one.
    width: Option<usize>,
    /// Of the story.
    steps: usize,
    went_well: bool,
    /// Every site has released something.
    all_release: bool,
}

impl Teller {
    async fn story(&mut self, staying_up: &str) -> Result<(), Failure> {
        let agreement = self.federation.folder().agreements().next().cloned();
        let agreement = agreement.ok_or_else(|| Failure::here("the demo has no agreement", "try again"))?;
        self.prose(&who_asks(&agreement));
        self.line("");
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
            "Grouping by patient would be a list of patients. The clause is the agreement's line on that column: it may \
             stand nowhere in a question. The refusal is the same whatever the data: nothing was computed to find it.",
        );

        self.title(3, "Cells that stay at the hospital");
        let outcome = self.ask(story::SMALL_CELLS, &[]).await?;
        self.check(
            story::withheld(&outcome),
            &format!(
                "A cell is one number of the answer, for one group. By the clause disclosure.minimum_contributors no number leaves a \
                 hospital that fewer than {} patients stand behind. WITHHELD: there are fewer, or none, or so few were \
                 left out that a subtraction would show them. Which of these it is stays sealed at the hospital.",
                agreement.minimum_contributors()
            ),
        );

        self.title(4, "One hospital stops");
        self.federation.stop_site(story::STOPPED).await?;
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
        self.line(&format!("Now ask your own: {}\n", self.paint().code(staying_up)));
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
        self.ask_as(None, sql, options).await
    }

    /// The same, as `organisation/role`, without repeating the question.
    async fn ask_as(
        &mut self,
        role: Option<&str>,
        sql: &str,
        options: &[(&str, &str)],
    ) -> Result<Outcome, Failure> {
        let paint = self.paint();
        let mut client = self.federation.client(role)?;
        client.set("liquid.marks", "columns")?;
        for (name, value) in options {
            client.set(name, value)?;
        }
        let outcome = client.ask(sql).await;
        let lines = match &outcome {
            Ok(answer) => {
                let rows = render::table(answer, paint, self.width).map_err(|error| {
                    Failure::here(format!("the answer cannot be printed: {error}"), "tell the authors")
                })?;
                rows.iter().for_each(|line| self.line(line));
                self.line("");
                legend(answer, paint)
            }
            Err(error) => Failure::from(error.clone()).lines(paint),
        };
        for line in lines {
            self.prose(&format!("  {line}"));
        }
        self.line("");
        Ok(outcome)
    }

    fn verify_logs(&mut self) {
        let paint = self.paint();
        let mut bad = Vec::new();
        for log in self.federation.audit_logs() {
            match verify_file(&log.path, Some(&log.key)) {
                Ok(summary) if summary.released > 0 => {
                    let site = format!("{:<12}", log.site.as_str());
                    let text = audit::describe(&summary);
                    self.line(&format!("  {} {site} {text}", paint.good("verified")));
                }
                Ok(_) if !self.all_release => {}
                Ok(_) => bad.push(format!("{}: nothing was recorded as released", log.site)),
                Err(problem) => bad.push(format!("{}: {problem}", log.site)),
            }
        }
        self.line("");
        let checked = if bad.is_empty() { Ok(()) } else { Err(bad.join("; ")) };
        self.check(
            checked,
            "Every question that reached a site left its records there, chained and signed, and on disk before a \
             byte of the answer was sent; `liquid audit verify` finds the first record that anyone has touched.",
        );
    }

    fn title(&self, number: usize, title: &str) {
        let paint = self.paint();
        self.line(&format!(
            "{} {}\n",
            paint.dim(&format!("── {number} of {} ──", self.steps)),
            paint.bold(title)
        ));
    }

    /// Says what a step means, or that it did not go as it should.
    fn check(&mut self, held: Result<(), String>, meaning: &str) {
        match held {
            Ok(()) => self.prose(meaning),
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

    /// A line that is broken where there is no room for it.
    fn prose(&self, text: &str) {
        let width = self.width.map_or(WIDTH, |width| width.min(WIDTH));
        wrapped(text, width).iter().for_each(|line| self.line(line));
    }

    fn line(&self, line: &str) {
        if self.aside { note(line) } else { say(line) }
    }
}

/// Who asks, for what, under which agreement, and who signed it: all of it read from the agreement itself.
fn who_asks(agreement: &Agreement) -> String {
    let signed: Vec<&str> = agreement.controllers().map(|controller| controller.as_str()).collect();
    let recipient = agreement.recipients().first();
    let none = BTreeSet::new();
    let purposes = recipient.map_or(&none, |recipient| &recipient.purposes);
    let purposes: Vec<&str> = purposes.iter().map(|purpose| purpose.as_str()).collect();
    let role =
        recipient.and_then(|recipient| recipient.roles.first()).map_or("recipient", |role| role.as_str());
    let organisation = recipient.map_or("nobody", |recipient| recipient.organisation.as_str());
    format!(
        "The {role} of {organisation} asks, for the purpose {}, under the agreement {}, \u{201c}{}\u{201d}, signed by {}.",
        purposes.join(" or "),
        agreement.id(),
        agreement.title(),
        signed.join(", "),
    )
}
