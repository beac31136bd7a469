//! The demo's federated GROUP BY over generated rows in three sites, against one DataFusion process over all of them on
//! the same cores. In the federation everything is on: processes, TLS, tokens, agreement, minimum, audit log.
//!
//! `bench-federation [ROWS]` prints one line of JSON and a sentence. See benches/README.md.

mod data;
mod pooled;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use liquid_local::{Federation, Run};

/// The question; `site` aside, the demo's first.
const SQL: &str =
    "SELECT ward, sex, count(*) AS n, avg(cost) AS mean FROM visits GROUP BY ward, sex ORDER BY ward, sex";
const RUNS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let rows = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 10_000_000,
    };
    let folder = tempfile::tempdir()?;
    let sites = data::write(folder.path(), rows)?;
    let pooled = pooled::open(&sites).await?;
    let mut federation = Federation::start(&data::blueprint(&sites), Run::Processes(binary()?)).await?;
    let mut client = federation.client(None)?;
    client.set("liquid.deadline_ms", "600000")?;

    let expected = pooled::answer(&pooled, SQL).await?;
    let answer = client.ask(SQL).await?;
    let got = answer.batches().iter().map(|batch| batch.num_rows()).sum::<usize>();
    if got != expected {
        return Err(format!("the federation answers {got} groups, one process {expected}").into());
    }
    // One after the other, taking turns, so that whatever else the machine does falls on both alike.
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let start = Instant::now();
        pooled::answer(&pooled, SQL).await?;
        one.push(start.elapsed());
        let start = Instant::now();
        client.ask(SQL).await?;
        all.push(start.elapsed());
    }
    federation.stop().await;
    let (one, all) = (median(one), median(all));
    let ratio = all.as_secs_f64() / one.as_secs_f64();
    let line = serde_json::json!({
        "bench": "group_by", "rows": rows, "sites": sites.len(), "runs": RUNS, "ratio": (ratio * 100.0).round() / 100.0,
        "federation_ms": all.as_millis(), "one_process_ms": one.as_millis(),
    });
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    writeln!(
        out,
        "the federation takes {ratio:.2} times what one process over all rows takes, on the same cores"
    )?;
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
