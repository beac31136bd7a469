//! Every configuration that we show is one that our own types read.

use std::path::Path;
use std::time::SystemTime;

use liquid_node_api::channel::Token;
use liquid_node_api::token::Issuers;

use crate::fixture::{Ended, liquid};
use crate::structure::root;

#[test]
fn the_samples_are_read() {
    let folder = root().join("deploy/config");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        check(&entry.unwrap().path());
        read += 1;
    }
    assert_eq!(read, 2);
}

/// Uncommenting a default changes nothing, so the defaults that the samples show are the real ones.
#[test]
fn the_defaults_that_the_samples_show_are_the_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["node.toml", "coordinator.toml"] {
        let text = std::fs::read_to_string(root().join("deploy/config").join(name)).unwrap();
        let written: Vec<String> = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.contains(" = ") && setting.contains('#') => setting.to_owned(),
                _ => line.to_owned(),
            })
            .collect();
        assert!(written.join("\n") != text, "no default is shown in {name}");
        let (shown, left_out) = (folder.path().join(name), folder.path().join(format!("short-{name}")));
        std::fs::write(&shown, written.join("\n")).unwrap();
        std::fs::write(&left_out, &text).unwrap();
        let debug = |path: &Path| match name {
            "node.toml" => {
                let node = liquid_node::Config::read(path).unwrap();
                let engine = liquid_local::serve::engine_config(path).unwrap();
                format!("{:?} {:?} {engine:?}", node.limits, node.connect)
            }
            _ => format!("{:?}", liquid_coordinator::Config::read(path).unwrap()),
        };
        assert_eq!(debug(&shown), debug(&left_out));
    }
}

#[test]
fn a_written_federation_is_read_and_signed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    let init = |folder: &Path| -> Ended { liquid().arg("init").arg(folder).output().unwrap().into() };
    let ended = init(&own);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("coordinator --config"), "{ended:?}");
    check(&own.join("sites/first/node.toml"));
    check(&own.join("coordinator/coordinator.toml"));
    assert_eq!(init(&own).code, 1, "a folder that holds something is left alone");

    let below_a_file = init(&own.join("ca.pem/deeper"));
    assert_eq!(below_a_file.code, 1, "{below_a_file:?}");
    assert!(below_a_file.err.contains("ca.pem/deeper") && below_a_file.err.contains("cannot be written"));
    fresh_tokens_count(&own);

    let agreement = own.join("sites/first/agreements/OWN-1.toml");
    let sign = |more: &[&str]| sign(&own, more);
    let ended = sign(&[]);
    assert_eq!(ended.code, 0, "the same key over the same text: {ended:?}");
    assert!(!ended.err.contains("still to sign"), "{ended:?}");
    let text = std::fs::read_to_string(&agreement).unwrap();
    std::fs::write(&agreement, text.replace("minimum_contributors", "minimum_contributers")).unwrap();
    let ended = sign(&[]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("minimum_contributers"), "{ended:?}");

    std::fs::write(&agreement, text.replace("minimum_contributors = 10", "minimum_contributors = 12"))
        .unwrap();
    let ended = sign(&[]);
    assert!(ended.code == 1 && ended.err.contains("--replace"), "{ended:?}");
    assert_eq!(sign(&["--replace"]).code, 0);
    assert_eq!(signatures(&own).matches("[[signature]]").count(), 1);
}

/// A signature is lost neither to a file that cannot be read, nor to another key, nor to an organisation of no weight.
#[test]
fn signing_loses_no_signature() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    assert!(liquid().arg("init").arg(&own).output().unwrap().status.success());
    let whole = signatures(&own);

    let other = own.join("keys/other.key");
    assert!(liquid().args(["key", "new"]).arg(&other).output().unwrap().status.success());
    std::fs::copy(&other, own.join("keys/own.key")).unwrap();
    let ended = sign(&own, &[]);
    assert!(ended.code == 1 && ended.err.contains("by another key"), "{ended:?}");
    assert_eq!(signatures(&own), whole);
    assert_eq!(sign(&own, &["--key-id", "own-2"]).code, 0);
    let both = signatures(&own);
    assert!(both.contains("own-1") && both.contains("own-2"), "{both}");

    let ended = sign(&own, &["--organisation", "stranger"]);
    assert!(ended.code == 1 && ended.err.contains("sign for one that is: own"), "{ended:?}");
    assert_eq!(signatures(&own), both);

    let beside = own.join("sites/first/agreements/OWN-1.sig.toml");
    std::fs::remove_file(&beside).unwrap();
    std::fs::create_dir(&beside).unwrap();
    let ended = sign(&own, &[]);
    assert!(ended.code == 1 && ended.err.contains("cannot be read"), "{ended:?}");
    assert!(beside.is_dir());
}

fn signatures(own: &Path) -> String {
    std::fs::read_to_string(own.join("sites/first/agreements/OWN-1.sig.toml")).unwrap()
}

/// `liquid policy sign` as `liquid init` shows it; what comes later on the command line counts.
fn sign(own: &Path, more: &[&str]) -> Ended {
    let mut options = vec![("--organisation", "own"), ("--role", "dpo"), ("--key-id", "own-1")];
    options.retain(|(name, _)| !more.contains(name));
    let mut command = liquid();
    command.args(["policy", "sign"]).arg(own.join("sites/first/agreements/OWN-1.toml"));
    command.arg("--key").arg(own.join("keys/own.key")).args(more);
    command.args(options.iter().flat_map(|(name, value)| [name, value])).output().unwrap().into()
}

/// The keys that are kept are for their owner alone, and a token made with them is one that the node takes.
fn fresh_tokens_count(own: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for name in ["keys/authority.key", "keys/issuer.key", "keys/own.key", "tokens/own.analyst"] {
        let mode = std::fs::metadata(own.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let file = own.join("tokens/own.analyst");
    let old = std::fs::read_to_string(&file).unwrap();
    let make = |days: &str| -> Ended {
        let mut command = liquid();
        command.args(["token", "new"]).arg(&file).arg("--key").arg(own.join("keys/issuer.key"));
        command.args(["--as", "own/analyst", "--purpose", "ward-planning", "--days", days]);
        command.output().unwrap().into()
    };
    assert_eq!(make("0").code, 2);
    let ended = make("30");
    assert!(ended.code == 0 && ended.err.contains("good until 2"), "{ended:?}");
    let new = std::fs::read_to_string(&file).unwrap();
    assert_ne!(new, old);
    let config = liquid_node::Config::read(&own.join("sites/first/node.toml")).unwrap();
    let issuers = Issuers::new(&config.identity.issuers).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    let claims = issuers.validate(Some(&Token::new(new.as_str())), now + 29 * 24 * 3600).unwrap();
    assert_eq!(claims.subject, "analyst@own");
    assert!(issuers.validate(Some(&Token::new(old.as_str())), now + 29 * 24 * 3600).is_err());
}

fn check(file: &Path) {
    let name = file.file_name().unwrap().to_str().unwrap();
    match name {
        "node.toml" => {
            let config = liquid_node::Config::read(file).unwrap();
            assert!(!config.trusted_keys.is_empty());
            assert!(!liquid_local::serve::engine_config(file).unwrap().sources.is_empty());
        }
        "coordinator.toml" => drop(liquid_coordinator::Config::read(file).unwrap()),
        other => panic!("no test reads {other}"),
    }
}
