//! Time classes: when an answer leaves tells nothing of how long it took.

use std::time::{Duration, Instant};

use liquid_node_api::Error;
use liquid_node_api::request::SiteRequest;

use crate::site::{AGREEMENT, CONTROLLER_SEED, Site, ask, ask_with, request, token};

const MOMENT: Duration = Duration::from_millis(300);

fn site(classes: &str) -> Site {
    let site = Site::new();
    let text = AGREEMENT.replace("rows_out_max = 2", &format!("rows_out_max = 2\ntime_class_ms = {classes}"));
    site.agree("one", &text, CONTROLLER_SEED);
    site
}

#[tokio::test]
async fn answers_and_faults_leave_at_the_end_of_a_class() {
    let mut site = site("[300, 1200]");
    let node = site.open().await;
    // The last two take half a second, or end after less: a deadline of the caller's own does not show which.
    for (scene, deadline_ms, class) in
        [("counted", 2000, 300), ("fails", 2000, 300), ("brief", 2000, 1200), ("brief", 400, 1200)]
    {
        let begun = Instant::now();
        let asked = SiteRequest { deadline_ms, ..request(scene) };
        let answer = ask_with(&node, token(), asked).await;
        assert!(begun.elapsed() >= Duration::from_millis(class), "{scene}: {:?}", begun.elapsed());
        assert_eq!(answer.is_ok(), scene != "fails", "{scene}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_wait() {
    let mut site = site("[60000]");
    let node = site.open().await;
    let begun = Instant::now();
    let error = ask(&node, "named").await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    // What nobody waits for any more ends with its caller.
    let waiting = tokio::time::timeout(MOMENT, ask(&node, "counted")).await;
    assert!(waiting.is_err(), "it would have been answered in no time");
}
