//! What a node cannot tell any more closes what it could stop: a key that left the configuration, files that are gone, a clock that was
//! set back. And nobody fills a node by handing their key over.

use chrono::TimeDelta;
use liquid_node_api::governance::Governance;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Caller, Code, Named, SigningKey, parse};

use crate::life::{code, follower, said, suspend, tell};
use crate::site::{AGREEMENT, CONTROLLER_SEED, Site, ask, noon, public, say};

/// A second key of the controller.
const OTHER_SEED: u8 = 41;

fn other_key(more: &str) -> String {
    format!(
        "[[trusted_key]]\norganisation = \"cleveland\"\nkey_id = \"k2\"\npublic_key = \"{}\"\n{more}",
        public(OTHER_SEED)
    )
}

fn say_as(seed: u8, key: &str, act: Act) -> Statement {
    let signer =
        Signer { organisation: "cleveland".into(), role: "siro".into(), key_id: key.into(), time: noon() };
    SigningKey::from_seed(&[seed; 32]).unwrap().say(act, signer)
}

/// A key that is retired stops what it stopped and says nothing new; one that is deleted closes what it spoke of.
#[tokio::test]
async fn a_key_leaves_by_being_retired() {
    let mut site = Site::new();
    site.trusted = other_key("");
    let node = site.open().await;
    let by_other = |act| say_as(OTHER_SEED, "k2", act);
    said(&node, vec![by_other(Act::Suspend { id: "A-1".into() })]).await.unwrap();
    drop(node);
    site.trusted = other_key("retired = true");
    let node = site.open().await;
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
    for act in [Act::Suspend { id: "A-1".into() }, Act::Revoke { revoked: "k1".into() }] {
        let mut new = by_other(act.clone());
        if matches!(act, Act::Suspend { .. }) {
            new = SigningKey::from_seed(&[OTHER_SEED; 32]).unwrap().say(
                act,
                Signer {
                    organisation: "cleveland".into(),
                    role: "siro".into(),
                    key_id: "k2".into(),
                    time: noon() - TimeDelta::minutes(1),
                },
            );
        }
        let error = said(&node, vec![new]).await.unwrap_err();
        assert!(error.to_string().contains("was revoked"), "{error}");
    }
    drop(node);
    site.trusted = String::new();
    let node = site.open().await;
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Unsigned));
    let [(_, problem)] = &node.agreements().unreadable()[..] else { panic!("one file") };
    assert!(
        problem.contains("the key `k2` of `cleveland`") && problem.contains("`retired = true`"),
        "{problem}"
    );
    drop(node);
    // Nobody knows of which agreement it speaks: all of them.
    site.trusted = other_key("");
    let node = site.open().await;
    let lifted = Act::Resume {
        id: "A-1".into(),
        suspensions: [by_other(Act::Suspend { id: "A-1".into() }).hash()].into(),
    };
    said(&node, vec![say(CONTROLLER_SEED, lifted)]).await.unwrap();
    said(&node, vec![by_other(Act::Revoke { revoked: "k9".into() })]).await.unwrap();
    ask(&node, "counted").await.unwrap();
    drop(node);
    site.trusted = String::new();
    let node = site.open().await;
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Unsigned));
    assert_eq!(node.agreements().unreadable().len(), 2);
}

/// Whoever deletes what a running node was sent does not lift a suspension by it.
#[tokio::test]
async fn what_a_running_node_misses_closes_it() {
    let mut site = Site::new();
    let node = site.open().await;
    said(&node, vec![suspend()]).await.unwrap();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
    let (held, kept) = (site.path("agreements/held"), site.path("kept"));
    std::fs::rename(&held, &kept).unwrap();
    for _ in 0..2 {
        node.agreements().refresh().unwrap();
        assert_eq!(code(ask(&node, "counted").await), Some(Code::Unsigned));
        let problems = node.agreements().unreadable();
        assert!(problems.iter().any(|(_, problem)| problem.contains("the file is gone")), "{problems:?}");
    }
    std::fs::remove_dir_all(&held).ok();
    std::fs::rename(&kept, &held).unwrap();
    node.agreements().refresh().unwrap();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
}

/// A version that stood by a clock that was ahead stands when the clock is set right.
#[tokio::test]
async fn a_clock_that_is_set_back_takes_nothing_back() {
    let mut site = Site::new();
    let node = site.open().await;
    let set = |to| *site.clock.lock().unwrap() = to;
    let text = follower("1.1.0", ("minimum_contributors = 10", "minimum_contributors = 500"));
    let hash = parse(&text, "two").unwrap().hash().clone();
    let fast = noon() + TimeDelta::minutes(10);
    set(fast);
    let wrote = say(CONTROLLER_SEED, Act::Write { agreement: hash.clone() });
    tell(&node, Governance::Propose { text, statements: vec![wrote], files: vec![] }).await.unwrap();
    let approve = say(CONTROLLER_SEED, Act::Approve { agreement: hash.clone() });
    let activate = say(CONTROLLER_SEED, Act::Activate { agreement: hash.clone(), at: fast });
    said(&node, vec![approve, activate]).await.unwrap();
    let stands =
        || node.agreements().heads(*site.clock.lock().unwrap()).pop().map(|it| it.agreement().hash().clone());
    assert_eq!(stands(), Some(hash.clone()));
    set(noon());
    assert_eq!(stands(), Some(hash));
    // So far ahead that it cannot have been right: nobody knows what stands.
    set(fast - TimeDelta::days(2));
    assert_eq!(stands(), None);
    let caller = Caller {
        organisation: "institute".into(),
        roles: vec!["analyst".into()],
        subject: "ann".into(),
        purposes: vec!["care".into()],
    };
    let now = *site.clock.lock().unwrap();
    let refused = node.agreements().admit(&caller, Named::default(), now).unwrap_err();
    assert!(format!("{refused:?}").contains("clock is more than a day behind"), "{refused:?}");
}

#[tokio::test]
async fn handing_over_multiplies_nothing() {
    let mut site = Site::new();
    let node = site.open().await;
    let new = SigningKey::from_seed(&[OTHER_SEED; 32]).unwrap().public_key();
    said(&node, vec![say(CONTROLLER_SEED, Act::HandOver { to: "k2".into(), public_key: new })])
        .await
        .unwrap();
    let hash = parse(AGREEMENT, "one").unwrap().hash().clone();
    let activate = |n: i64| Act::Activate { agreement: hash.clone(), at: noon() + TimeDelta::days(1000 + n) };
    said(&node, (0..150).map(|n| say(CONTROLLER_SEED, activate(n))).collect()).await.unwrap();
    said(&node, (150..200).map(|n| say_as(OTHER_SEED, "k2", activate(n))).collect()).await.unwrap();
    let error = said(&node, vec![say_as(OTHER_SEED, "k2", activate(200))]).await.unwrap_err();
    assert!(error.to_string().contains("said too much of one kind"), "{error}");
}

/// One organisation does not fill a node with drafts, and what is to be done about it deletes nothing.
#[tokio::test]
async fn drafts_of_one_organisation_are_bounded() {
    let mut site = Site::new();
    let node = site.open().await;
    let propose = |number: usize| {
        let text = follower(&format!("2.{number}"), ("", ""));
        let hash = parse(&text, "draft").unwrap().hash().clone();
        let wrote = say(CONTROLLER_SEED, Act::Write { agreement: hash });
        tell(&node, Governance::Propose { text, statements: vec![wrote], files: vec![] })
    };
    for number in 0..100 {
        propose(number).await.unwrap();
    }
    let error = propose(100).await.unwrap_err();
    assert!(error.to_string().contains("100 versions that `cleveland` has proposed"), "{error}");
    assert!(error.to_string().contains("nothing below `held` may be deleted"), "{error}");
    propose(7).await.expect("it is known");
}
