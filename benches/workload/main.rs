//! What a history costs those who mean well: five analysts of a county ask forty questions each, month after month, over the wellbeing data as it is
//! refreshed, of sites that keep a history and of sites that keep none.
//!
//! `bench-workload [MONTHS [QUESTIONS]]` prints a line for each month: how many figures sites without a history show, how many of these sites
//! with one show, and how many of those are as they were before; and how long a question takes of either. See benches/README.md.

mod questions;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use liquid_local::answer::Answer;
use liquid_local::client::Client;
use liquid_local::wellbeing::{self, Holder, Month};
use liquid_local::{Federation, Run};

const PEOPLE: u64 = 20_000;
const ANALYSTS: usize = 5;
const HISTORY: &str = "[history]\nscope = \"table\"\nminimum_difference = 10\nmax_rank = 20000\nmax_atoms = 200000\n\n[release]";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let number = |at: usize, otherwise: usize| {
        std::env::args().nth(at).and_then(|it| it.parse().ok()).unwrap_or(otherwise)
    };
    let (months, each) = (number(1, 12), number(2, 40));
    let folder = tempfile::tempdir()?;
    let snapshots: Vec<Month> = Month::snapshots().take(months).collect();
    wellbeing::generate(folder.path(), wellbeing::SEED, PEOPLE, snapshots.iter().copied())?;
    let first = *snapshots.first().ok_or("no month to ask about")?;
    let without = wellbeing::blueprint(folder.path(), first);
    let mut with = without.clone();
    with.edit_agreements(|text| text.replace("[release]", HISTORY));
    let mut sites = Vec::new();
    for blueprint in [&without, &with] {
        sites.push(Federation::start(blueprint, Run::Processes(binary()?)).await?);
    }
    let mut clients = sites.iter().map(asking).collect::<Result<Vec<Client>, _>>()?;

    let asked: Vec<String> = (0..ANALYSTS).flat_map(|analyst| questions::of(analyst, each)).collect();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "| month | shown without | of these shown | as before | mean, without | mean, with | longest |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for month in &snapshots {
        if *month != first {
            refresh(folder.path(), first, *month)?;
        }
        let mut seen = Seen::default();
        for sql in &asked {
            let mut answers = Vec::new();
            for (client, times) in clients.iter_mut().zip(&mut seen.times) {
                let start = Instant::now();
                answers.push(figures(&client.ask(sql).await.map_err(|error| format!("{sql}: {error}"))?)?);
                times.push(start.elapsed());
            }
            let [without, with] = answers.as_slice() else { continue };
            seen.compare(without, with);
        }
        writeln!(out, "| {month} | {seen}")?;
    }
    for federation in &mut sites {
        federation.stop().await;
    }
    Ok(())
}

fn asking(federation: &Federation) -> Result<Client, Box<dyn Error>> {
    let mut client = federation.client(None)?;
    client.set("liquid.purpose", "wellbeing-statistics")?;
    client.set("liquid.deadline_ms", "600000")?;
    Ok(client)
}

/// Puts a month's files in the place of those that the sites read.
fn refresh(folder: &Path, first: Month, month: Month) -> Result<(), Box<dyn Error>> {
    for holder in Holder::ALL {
        let (from, to) = (wellbeing::place(folder, holder, month), wellbeing::place(folder, holder, first));
        for file in std::fs::read_dir(from)? {
            let file = file?.path();
            let name = file.file_name().ok_or("a file without a name")?;
            let (new, old) = (to.join("new"), to.join(name));
            std::fs::copy(&file, &new)?;
            std::fs::rename(new, old)?;
        }
    }
    Ok(())
}

/// The figures of an answer by their groups and columns; none where one is withheld.
type Figures = BTreeMap<(Vec<Option<String>>, String), Option<String>>;

fn figures(answer: &Answer) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::new();
    let is_figure = |name: &&String| name.starts_with("n_");
    for row in 0..answer.rows() {
        let keys = answer.names().iter().filter(|name| !is_figure(name));
        let keys: Vec<Option<String>> = keys.map(|name| answer.cell(row, name)).collect::<Result<_, _>>()?;
        for name in answer.names().iter().filter(is_figure) {
            figures.insert((keys.clone(), name.clone()), answer.cell(row, name)?);
        }
    }
    Ok(figures)
}

#[derive(Default)]
struct Seen {
    shown_without: usize,
    shown_with: usize,
    as_before: usize,
    times: [Vec<Duration>; 2],
}

impl Seen {
    fn compare(&mut self, without: &Figures, with: &Figures) {
        for (figure, value) in without.iter().filter(|(_, value)| value.is_some()) {
            self.shown_without += 1;
            if let Some(Some(other)) = with.get(figure) {
                self.shown_with += 1;
                let close = |one: f64, other: f64| (one - other).abs() <= 1e-6 * one.abs().max(1.0);
                let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
                let same =
                    number(value).zip(other.parse().ok()).is_some_and(|(one, other)| close(one, other));
                self.as_before += usize::from(!same && value.as_ref() != Some(other));
            }
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        let mean = |times: &[Duration]| {
            times.iter().sum::<Duration>().as_millis() / u128::try_from(times.len().max(1)).unwrap_or(1)
        };
        let [without, with] = &self.times;
        write!(
            f,
            "{} | {:.1} % | {:.1} % | {} ms | {} ms | {} ms |",
            self.shown_without,
            share(self.shown_with, self.shown_without),
            share(self.as_before, self.shown_without),
            mean(without),
            mean(with),
            with.iter().max().map_or(0, Duration::as_millis)
        )
    }
}

/// The `liquid` beside this binary.
fn binary() -> Result<PathBuf, Box<dyn Error>> {
    let binary = std::env::current_exe()?.with_file_name("liquid");
    if binary.exists() { Ok(binary) } else { Err("build both first: `cargo build --workspace`".into()) }
}
