//! The node that dials: no port, the same checks, and one outcome for each request whatever becomes of the line.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use liquid_node::audit::Body;
use liquid_node::serve::Doors;
use liquid_node_api::Error;
use liquid_node_api::channel::NodeChannel;
use liquid_node_api::envelope::{AnswerCaps, Issuer};
use liquid_node_api::flight::FlightChannel;
use liquid_node_api::tls::outbound::Expected;
use liquid_node_api::tls::{Certificates, Limits, listen};
use tokio::task::JoinHandle;

use crate::certificates::Authority;
use crate::line::{Line, State};
use crate::site::{COORDINATOR, Site, request, token};

struct Open {
    site: Site,
    line: Line,
    way: FlightChannel,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A coordinator's port, a line to it, and a node that dials at the line's other end. The port shows this identity.
async fn start(identity: &str, known: &str) -> Open {
    let authority = Authority::new();
    let listener = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    let line = Line::to(listener.local_addr().unwrap().port()).await;
    let mut expected = Expected::new();
    let callers = expected.expect("cleveland".into(), None);
    let certificates = Certificates::fixed(authority.material("coordinator", &[identity]));
    let mut clients = Box::pin(expected.incoming(listener, &certificates, Limits::default()).unwrap());
    let accepting = tokio::spawn(async move { while clients.next().await.is_some() {} });

    let files = authority.files("node", &["liquid://site/cleveland"]);
    let mut site = Site::new();
    site.tls = format!(
        "cert = \"{}\"\nkey = \"{}\"\nca = \"{}\"\n[connect]\nmode = \"outbound\"\n\
         [[connect.coordinator]]\nurl = \"https://localhost:{}\"\n",
        files.cert.display(),
        files.key.display(),
        files.ca.display(),
        line.port
    );
    site.coordinator = known.to_owned();
    let node = site.open().await;
    node.config().check_tls().unwrap();
    let doors = Doors::open(node.config(), None).await.unwrap();
    let serving = tokio::spawn(async move {
        liquid_node::serve::serve(node, doors, std::future::pending()).await.unwrap();
    });
    let clock = Arc::clone(&site.clock);
    let caps = AnswerCaps { rows: 1_000_000, bytes: 1 << 30 };
    let issuer = Issuer::new(certificates, Arc::new(move || *clock.lock().unwrap()), caps).unwrap();
    let way = FlightChannel::new("cleveland".into(), callers, 1 << 20, issuer);
    Open { site, line, way, tasks: vec![accepting, serving] }
}

#[tokio::test]
async fn who_carries_a_question_is_checked_and_recorded_as_if_they_had_dialled() {
    let open = start(COORDINATOR, COORDINATOR).await;
    let answer = open.way.ask(&token(), request("counted")).await.unwrap();
    assert_eq!(answer.report.site.as_str(), "cleveland");
    let refused = open.way.ask(&token(), request("named")).await.map(|_| ());
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    let records = open.site.records();
    let carried = records.iter().filter_map(|body| match body {
        Body::Asked(asked) => asked.carried_by.as_deref(),
        _ => None,
    });
    assert_eq!(carried.collect::<Vec<_>>(), [COORDINATOR, COORDINATOR]);
    assert_eq!(open.site.outcomes().len(), 2);
}

#[tokio::test]
async fn a_coordinator_that_the_site_does_not_know_gets_nothing() {
    let open = start(COORDINATOR, "liquid://coordinator/another").await;
    let error = open.way.ask(&token(), request("counted")).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("has not connected"), "{error}");
    assert!(open.site.outcomes().is_empty());
}

#[tokio::test]
async fn a_line_that_is_cut_in_the_middle_leaves_one_outcome() {
    let open = start(COORDINATOR, COORDINATOR).await;
    open.way.ask(&token(), request("counted")).await.unwrap();
    let way = open.way.clone();
    let slow = tokio::spawn(async move { way.ask(&token(), request("slow")).await });
    while open.site.records().iter().filter(|body| matches!(body, Body::Asked(_))).count() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    open.line.is(State::Cut);
    let error = slow.await.unwrap().map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::SiteMissing { .. }), "{error}");
    open.line.is(State::Carries);
    while open.way.ask(&token(), request("counted")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let closed = || open.site.records().iter().filter(|body| matches!(body, Body::Closed { .. })).count();
    while closed() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await; // the engine is late, and then it is over
    }
    assert_eq!(open.site.outcomes().len(), 3, "one for each request, and every request has one");
}
