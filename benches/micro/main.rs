//! What agreements cost where nothing is run: a decision on each of TPC-H's 22 queries, beside what DataFusion takes to parse and
//! analyse the same text, and the reading of agreements of 100 KB.
//!
//! `bench-micro [RUNS]` prints a line of JSON for each query and each agreement, and a sentence. See benches/README.md.

mod agreement;
mod planning;
mod times;

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use liquid_policy::parse;
use times::{Times, rounded};

const RUNS: usize = 101;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let runs = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => RUNS,
    };
    let mut out = std::io::stdout();
    let bench = planning::Bench::open().await?;
    let mut worst = (0.0_f64, 0);
    for (at, sql) in planning::queries().enumerate() {
        let measured = bench.measure(sql, runs)?;
        let deciding = measured.deciding.as_ref();
        let median = deciding.map_or(0.0, Times::median);
        if median > worst.0 {
            worst = (median, at + 1);
        }
        let line = serde_json::json!({
            "bench": "decide", "query": at + 1, "runs": runs, "said": measured.said,
            "datafusion_ms": rounded(measured.theirs.median()), "all_of_ours_ms": rounded(measured.ours.median()),
            "decide_ms": deciding.map(|times| rounded(times.median())),
            "least": {
                "datafusion_ms": rounded(measured.theirs.least()), "all_of_ours_ms": rounded(measured.ours.least()),
                "decide_ms": deciding.map(|times| rounded(times.least())),
            },
            "ratio": rounded(measured.ours.median() / measured.theirs.median()),
        });
        writeln!(out, "{line}")?;
    }
    let mut longest = (0.0_f64, "");
    for (of, text) in agreement::of_size(100_000) {
        let mut times = Times::default();
        for _ in 0..runs {
            let start = Instant::now();
            parse(&text, "agreement.toml")?;
            times.add(start);
        }
        if times.median() > longest.0 {
            longest = (times.median(), of);
        }
        let line = serde_json::json!({
            "bench": "parse", "of": of, "bytes": text.len(), "runs": runs, "ms": rounded(times.median()),
            "least_ms": rounded(times.least()),
        });
        writeln!(out, "{line}")?;
    }
    writeln!(
        out,
        "cuts, footprints and decision take at most {:.2} ms (query {}); an agreement of 100 KB is read in at most {:.2} ms ({})",
        worst.0, worst.1, longest.0, longest.1
    )?;
    Ok(())
}
