//! What disclosure control costs: TPC-H's first and sixth question over one site's lines, with everything else on, under agreements
//! that demand more and more, against the one that demands nothing.
//!
//! `bench-disclosure [SCALE]` prints a line of JSON for each question and agreement. See benches/README.md.

mod site;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use liquid_local::{Federation, Run, tpch};

/// The questions, over `{}`. What TPC-H computes from several columns stands in the view, as under a minimum it would in any agreement.
const QUESTIONS: [(&str, &str); 3] = [
    (
        "q1",
        "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), sum(disc_price), sum(charge), avg(l_quantity), \
         avg(l_extendedprice), avg(l_discount), count(*) FROM {} WHERE l_shipdate <= DATE '1998-09-02' \
         GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
    ),
    (
        "q6",
        "SELECT sum(revenue) FROM {} WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01' \
         AND discount BETWEEN 5 AND 7 AND quantity < 24",
    ),
    // Three sums over different lines, of which one could be taken from the others.
    (
        "filters",
        "SELECT l_linestatus, sum(l_extendedprice), sum(l_extendedprice) FILTER (WHERE discount < 5), \
         sum(l_extendedprice) FILTER (WHERE quantity < 24) FROM {} GROUP BY l_linestatus ORDER BY l_linestatus",
    ),
];
const RUNS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scale = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 1.0,
    };
    let folder = tempfile::tempdir()?;
    tpch::generate(folder.path(), scale, 1)?;
    let mut federation =
        Federation::start(&site::blueprint(folder.path()), Run::Processes(binary()?)).await?;
    let mut client = federation.client(None)?;
    client.set("liquid.deadline_ms", "600000")?;

    let mut out = std::io::stdout();
    for (question, sql) in QUESTIONS {
        let mut times = vec![Vec::new(); site::RULES.len()];
        // One after the other, taking turns, so that whatever else the machine does falls on all alike; the first turn warms up.
        for turn in 0..=RUNS {
            for (rules, times) in site::RULES.iter().zip(&mut times) {
                client.set("liquid.agreement", rules.table)?;
                let start = Instant::now();
                let answer = client.ask(&sql.replace("{}", rules.table)).await?;
                if turn > 0 {
                    times.push(start.elapsed());
                }
                if answer.batches().iter().all(|batch| batch.num_rows() == 0) {
                    return Err(format!("{question} under {} has no answer", rules.table).into());
                }
            }
        }
        let medians: Vec<Duration> = times.into_iter().map(median).collect();
        let off = medians.first().map_or(0.0, Duration::as_secs_f64);
        for (rules, median) in site::RULES.iter().zip(&medians) {
            let ratio = (median.as_secs_f64() / off * 100.0).round() / 100.0;
            let line = serde_json::json!({
                "bench": "disclosure", "question": question, "scale": scale, "rules": rules.what, "runs": RUNS,
                "ms": median.as_millis(), "ratio": ratio,
            });
            writeln!(out, "{line}")?;
        }
    }
    federation.stop().await;
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The `liquid` beside this binary.
fn binary() -> Result<PathBuf, Box<dyn Error>> {
    let binary = std::env::current_exe()?.with_file_name("liquid");
    if binary.exists() { Ok(binary) } else { Err("build both first: `cargo build --workspace`".into()) }
}
