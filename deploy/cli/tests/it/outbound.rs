//! A node that dials, as an operator runs it; and `liquid query` behind a proxy.

use std::net::TcpListener;

use crate::fixture::{Ended, liquid, wait_for};
use crate::own::{Part, edit};
use crate::tunnel::Tunnels;

/// The ports on which a process listens.
fn ports(process: u32) -> Vec<String> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| std::fs::read_to_string(file).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let columns = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening =
        columns.filter(|columns| columns[3] == "0A" && sockets.iter().any(|socket| socket == columns[9]));
    listening.map(|columns| columns[1].to_owned()).collect()
}

#[test]
fn a_node_opens_no_port_and_waits_for_its_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    assert!(liquid().arg("init").arg(&own).output().unwrap().status.success());
    let (node, coordinator) = (own.join("sites/first/node.toml"), own.join("coordinator/coordinator.toml"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for line in
        ["[connect]", "mode = \"outbound\"", "[[connect.coordinator]]", "url = \"https://localhost:7433\""]
    {
        edit(&node, &format!("# {line}"), &line.replace("7433", &port.to_string()));
    }
    edit(&node, "listen = \"127.0.0.1:7434\"\n", "");
    edit(&coordinator, "127.0.0.1:7433", &format!("127.0.0.1:{port}"));
    edit(&coordinator, "url = \"https://127.0.0.1:7434\"", "connect = \"outbound\"");

    let ask = || -> Ended {
        let mut query = liquid();
        query.args(["query", "--format", "csv", "--url", &format!("https://127.0.0.1:{port}"), "--ca"]);
        query.arg(own.join("ca.pem")).arg("--token-file").arg(own.join("tokens/own.analyst"));
        query.arg("SELECT count(*) > 0 AS some FROM visits").output().unwrap().into()
    };
    let log = || std::fs::read_to_string(node.with_extension("log")).unwrap();
    let first = Part::start("node", &node);
    assert_eq!(first.listen, "");
    assert_eq!(ports(first.child.id()), Vec::<String>::new());
    assert!(log().contains("not connected to the coordinator"), "{}", log());
    let serving = Part::start("coordinator", &coordinator);
    assert!(!ports(serving.child.id()).is_empty(), "ports are seen");
    wait_for("the node's call", || log().contains("connected to the coordinator, which can ask"));
    let answer = ask();
    assert_eq!((answer.code, answer.out.as_str()), (0, "some\ntrue\n"), "{answer:?}");

    drop(first);
    let missing = ask();
    assert!(missing.code == 5 && missing.err.contains("`first` has not connected"), "{missing:?}");
    let _second = Part::start("node", &node);
    assert_eq!(ask().code, 0, "a node that says it is ready can be asked");
}

#[test]
fn a_query_goes_through_the_proxy_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    assert!(liquid().arg("init").arg(&own).output().unwrap().status.success());
    let ask = |url: &str, environment: &[(&str, &str)]| -> Ended {
        let mut query = liquid();
        query.envs(environment.iter().copied()).args(["query", "--url", url, "--ca"]);
        query.arg(own.join("ca.pem")).arg("--token-file").arg(own.join("tokens/own.analyst"));
        query.arg("SELECT 1").output().unwrap().into()
    };
    let proxy = Tunnels::start(None);
    let with_secret = format!("http://ann:secret-x@{}", proxy.address);
    let refused = ask("https://coordinator.invalid:7433", &[("HTTPS_PROXY", &with_secret)]);
    assert_eq!(refused.code, 1);
    let plain = refused.err.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = format!("the proxy {} refuses a tunnel to coordinator.invalid:7433 (403)", proxy.address);
    assert!(plain.contains(&said) && !plain.contains("secret-x"), "{refused:?}");
    let seen = proxy.asked();
    assert!(
        seen.starts_with("CONNECT coordinator.invalid:7433 ") && seen.contains("Basic YW5uOnNlY3JldC14"),
        "{seen}"
    );

    let named = [("HTTPS_PROXY", with_secret.as_str()), ("NO_PROXY", "coordinator.invalid")];
    for (url, environment) in
        [("https://coordinator.invalid:7433", &named[..]), ("https://127.0.0.1:1", &named[..1])]
    {
        proxy.forget();
        let direct = ask(url, environment);
        assert!(direct.code == 1 && !direct.err.contains("proxy"), "{direct:?}");
        assert!(proxy.asked().is_empty(), "{url} is reached without it");
    }
}

#[test]
fn what_cannot_be_dialled_is_said_before_the_node_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    assert!(liquid().arg("init").arg(&own).output().unwrap().status.success());
    let node = own.join("sites/first/node.toml");
    let whole = std::fs::read_to_string(&node).unwrap();
    let starts = |more: &str| -> Ended {
        std::fs::write(&node, format!("{whole}\n[connect]\nmode = \"outbound\"\n{more}")).unwrap();
        let mut start = liquid();
        start
            .args(["node", "--until-stdin-closes", "--config"])
            .arg(&node)
            .stdin(std::process::Stdio::null());
        start.output().unwrap().into()
    };
    let to = |url: &str| format!("[[connect.coordinator]]\nurl = \"{url}\"\n");
    for (more, part) in [
        (String::new(), "[[connect.coordinator]]"),
        (to("localhost:7433"), "`https://host:port`"),
        (format!("ca = \"not-there.pem\"\n{}", to("https://localhost:7433")), "not-there.pem"),
        (format!("proxy = \"http://a:b@c:1\"\n{}", to("https://localhost:7433")), "`proxy_credentials`"),
    ] {
        let ended = starts(&more);
        let plain = ended.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ended.code == 1 && ended.out.is_empty() && plain.contains(part), "{ended:?}");
    }
}
