//! A federation of one's own, as `liquid init` says it is started: one site, then two, asked with the token that it made.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::fixture::{Ended, liquid};

/// A part that runs as long as this is there; what it says is beside its configuration.
pub(crate) struct Part {
    pub(crate) child: Child,
    /// Where it listens; empty where it does not.
    pub(crate) listen: String,
}

impl Part {
    pub(crate) fn start(command: &str, config: &Path) -> Self {
        let log = std::fs::File::create(config.with_extension("log")).unwrap();
        let mut child = liquid()
            .args([command, "--until-stdin-closes", "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = line.strip_prefix("ready ").unwrap_or_else(|| panic!("{command} is not ready: `{line}`"));
        let ready: serde_json::Value = serde_json::from_str(ready).unwrap();
        Self { child, listen: ready["listen"].as_str().unwrap_or_default().to_owned() }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// Puts one text in place of another, which must be there.
pub(crate) fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "`{from}` is not in {}", file.display());
    std::fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_federation_of_ones_own_answers_and_grows_by_a_site() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    let run = |arguments: &[&str]| -> Ended { liquid().arg("init").args(arguments).output().unwrap().into() };
    assert_eq!(run(&[own.to_str().unwrap()]).code, 0);
    let join = ["--join", own.to_str().unwrap(), "--site"];
    let joined = run(&[&join[..], &["second"]].concat());
    assert!(joined.code == 0 && joined.out.contains("sites/second/node.toml"), "{joined:?}");
    let twice = run(&[&join[..], &["second"]].concat());
    assert!(twice.code == 1 && twice.err.contains("already"), "{twice:?}");
    assert_eq!(run(&[&join[..], &["a/../b"]].concat()).code, 1, "a name is no path");
    assert_eq!(run(&["--site", "third"]).code, 2);

    let coordinator = own.join("coordinator/coordinator.toml");
    let mut nodes = Vec::new();
    for (site, port) in [("first", "127.0.0.1:7434"), ("second", "127.0.0.1:7435")] {
        let config = own.join(format!("sites/{site}/node.toml"));
        edit(&config, port, "127.0.0.1:0");
        let node = Part::start("node", &config);
        edit(&coordinator, port, &node.listen);
        nodes.push(node);
    }
    edit(&coordinator, "127.0.0.1:7433", "127.0.0.1:0");
    let coordinator = Part::start("coordinator", &coordinator);

    let ask = |sql: &str| -> Ended {
        let mut query = liquid();
        query.args(["query", "--format", "csv", "--url", &format!("https://{}", coordinator.listen), "--ca"]);
        query.arg(own.join("ca.pem")).arg("--token-file").arg(own.join("tokens/own.analyst")).arg(sql);
        query.output().unwrap().into()
    };
    let by_site = ask("SELECT site, count(*) AS visits FROM visits GROUP BY site ORDER BY site");
    assert_eq!(by_site.code, 0, "{by_site:?}");
    assert!(by_site.err.contains("complete 2 of 2 sites answered"), "{by_site:?}");
    let rows: Vec<&str> = by_site.out.lines().collect();
    let visits: Vec<&str> = rows.iter().skip(1).filter_map(|row| row.split(',').nth(1)).collect();
    assert!(matches!(visits.as_slice(), [one, other] if one == other), "{by_site:?}");
}
