//! Every configuration that we show is one that our own types read.

use std::path::Path;

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
                format!("{:?} {:?}", node.limits, liquid_local::serve::engine_config(path).unwrap())
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

    let agreement = own.join("sites/first/agreements/OWN-1.toml");
    let sign = || -> Ended {
        liquid()
            .args(["policy", "sign", "--organisation", "own", "--role", "dpo", "--key-id", "own-1", "--key"])
            .arg(own.join("keys/own.key"))
            .arg(&agreement)
            .output()
            .unwrap()
            .into()
    };
    let ended = sign();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!ended.err.contains("still to sign"), "{ended:?}");
    let text = std::fs::read_to_string(&agreement).unwrap();
    std::fs::write(&agreement, text.replace("minimum_contributors", "minimum_contributers")).unwrap();
    let ended = sign();
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("minimum_contributers"), "{ended:?}");
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
