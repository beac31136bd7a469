//! A site in a folder: agreements, keys, configuration, clock, log; and tokens to ask it with.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use liquid_node::audit::{Body, Outcome, Record, Store, Summary, verify_file};
use liquid_node::{Config, InProcess, Node, Parts};
use liquid_node_api::channel::{NodeChannel, SiteAnswer, Token};
use liquid_node_api::request::{DIALECT, SiteRequest};
use liquid_node_api::tls::Certificates;
use liquid_node_api::{Error, channel};
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{SignatureFile, SigningKey, parse};

use crate::certificates::Authority;
use crate::engine::{Seen, engines};

pub(crate) const AGREEMENT: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1.0.0"
purposes = ["care"]
in_force = 2026-01-01
expires = 2026-12-31
review = { due = 2026-06-30, grace_days = 14 }
[[party]]
organisation = "cleveland"
role = "controller"
[[recipient]]
organisation = "institute"
roles = ["analyst"]
purposes = ["care"]
[table.cardiac]
entity = "patient"
[table.cardiac.columns]
patient = { use = [] }
name = { use = [] }
sex = { use = ["group", "filter"], domain = { values = ["F", "M"] }, required = true }
chol = { use = ["measure"], aggregates = ["avg"] }
[disclosure]
minimum_contributors = 10
[release]
rows_out_max = 2
"#;

pub(crate) const COORDINATOR: &str = "liquid://coordinator/demo";

/// Ed25519 keys in PKCS #8, made from one byte.
pub(crate) fn pkcs8(seed: u8) -> Vec<u8> {
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([seed; 32]);
    der
}

const ISSUER_SEED: u8 = 1;
pub(crate) const CONTROLLER_SEED: u8 = 2;
const AUDIT_SEED: u8 = 3;

pub(crate) fn public(seed: u8) -> String {
    SigningKey::from_seed(&[seed; 32]).unwrap().public_key()
}

/// A token with some claims changed, signed by the issuer or somebody else.
pub(crate) fn token_by(seed: u8, change: impl FnOnce(&mut serde_json::Value)) -> Token {
    let now = noon().timestamp();
    let mut claims = serde_json::json!({
        "iss": "https://login.example", "aud": "heart", "sub": "ann", "org": "institute", "roles": ["analyst"],
        "purposes": ["care"], "nbf": now - 60, "exp": now + 3600, "jti": "1",
    });
    change(&mut claims);
    let key = EncodingKey::from_ed_der(&pkcs8(seed));
    Token::new(encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap())
}

pub(crate) fn token() -> Token {
    token_by(ISSUER_SEED, |_| {})
}

pub(crate) fn changed(change: impl FnOnce(&mut serde_json::Value)) -> Token {
    token_by(ISSUER_SEED, change)
}

/// The time at which the tests begin.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// What somebody says for the controller, with the key of that seed.
pub(crate) fn say(seed: u8, act: Act) -> Statement {
    say_at(seed, act, noon())
}

/// The same at another time.
pub(crate) fn say_at(seed: u8, act: Act, time: DateTime<Utc>) -> Statement {
    let signer = Signer { organisation: "cleveland".into(), role: "siro".into(), key_id: "k1".into(), time };
    SigningKey::from_seed(&[seed; 32]).unwrap().say(act, signer)
}

/// A site that is not open yet.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<Mutex<DateTime<Utc>>>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) fatal: Arc<Mutex<Vec<String>>>,
    pub(crate) limits: String,
    /// What else is written of the one trusted key, and after it.
    pub(crate) trusted: String,
    pub(crate) tls: String,
    pub(crate) coordinator: String,
    pub(crate) store: Option<Box<dyn Store>>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("agreements")).unwrap();
        std::fs::write(folder.path().join("audit.key"), pkcs8(AUDIT_SEED)).unwrap();
        let site = Self {
            folder,
            clock: Arc::new(Mutex::new(noon())),
            seen: Arc::default(),
            fatal: Arc::default(),
            limits: "deadline_ms = 2000".to_owned(),
            trusted: String::new(),
            tls: "cert = \"c\"\nkey = \"k\"\nca = \"a\"".to_owned(),
            coordinator: COORDINATOR.to_owned(),
            store: None,
        };
        site.agree("one", AGREEMENT, CONTROLLER_SEED);
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an agreement there, signed with a key.
    pub(crate) fn agree(&self, name: &str, text: &str, seed: u8) {
        let agreement = parse(text, name).unwrap();
        let said = say(seed, Act::Approve { agreement: agreement.hash().clone() });
        let signatures = SignatureFile { signatures: vec![said] }.to_string();
        std::fs::write(self.path(&format!("agreements/{name}.toml")), text).unwrap();
        std::fs::write(self.path(&format!("agreements/{name}.sig.toml")), signatures).unwrap();
    }

    pub(crate) fn config(&self) -> Config {
        let text = format!(
            r#"[node]
site = "cleveland"
organisation = "cleveland"
listen = "127.0.0.1:0"
agreements = "agreements"
coordinators = ["{}"]
[tls]
{}
[[identity.issuer]]
issuer = "https://login.example"
audience = "heart"
public_key = "{}"
[[trusted_key]]
organisation = "cleveland"
key_id = "k1"
public_key = "{}"
{}
[audit]
log = "audit.jsonl"
key = "audit.key"
[limits]
{}
"#,
            self.coordinator,
            self.tls,
            public(ISSUER_SEED),
            public(CONTROLLER_SEED),
            self.trusted,
            self.limits,
        );
        let path = self.path("node.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).unwrap()
    }

    pub(crate) async fn try_open(&mut self) -> Result<Arc<Node>, String> {
        let (clock, fatal) = (Arc::clone(&self.clock), Arc::clone(&self.fatal));
        let parts = Parts {
            engines: engines(&self.seen),
            now: Arc::new(move || *clock.lock().unwrap()),
            fatal: Box::new(move |why| fatal.lock().unwrap().push(why.to_owned())),
            store: self.store.take(),
        };
        Node::open(self.config(), parts).await.map(Arc::new)
    }

    pub(crate) async fn open(&mut self) -> Arc<Node> {
        self.try_open().await.unwrap()
    }

    /// The log's records, after it was verified as a whole.
    pub(crate) fn records(&self) -> Vec<Body> {
        self.summary();
        let text = std::fs::read_to_string(self.path("audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str::<Record>(line).unwrap().body).collect()
    }

    pub(crate) fn summary(&self) -> Summary {
        verify_file(&self.path("audit.jsonl"), Some(&public(AUDIT_SEED))).unwrap()
    }

    /// The outcomes, oldest first; every request must have one.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        assert!(self.summary().open.is_empty(), "every request has its outcome");
        let closed = self.records().into_iter();
        closed
            .filter_map(|body| match body {
                Body::Closed { outcome, .. } => Some(outcome),
                _ => None,
            })
            .collect()
    }
}

/// The id that a coordinator gave, with the number of the cut.
pub(crate) const SENDER: &str = "0190b3a2-7c00-7000-8000-000000000001-0";

pub(crate) fn request(sql: &str) -> SiteRequest {
    SiteRequest {
        dialect: DIALECT,
        id: SENDER.into(),
        sql: sql.to_owned(),
        parameters: vec![],
        call: None,
        purpose: None,
        agreement: None,
        pinned: None,
        deadline_ms: 60_000,
        marks: true,
    }
}

/// The way of the known coordinator.
pub(crate) fn way(node: &Arc<Node>) -> InProcess {
    way_of(node, COORDINATOR)
}

/// The way of another one, whose certificate is as good.
pub(crate) fn way_of(node: &Arc<Node>, identity: &str) -> InProcess {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    let name = identity.replace(['/', ':'], "-");
    let material = AUTHORITY.get_or_init(Authority::new).material(&name, &[identity]);
    InProcess::new(Arc::clone(node), Certificates::fixed(material)).unwrap()
}

pub(crate) async fn ask(node: &Arc<Node>, sql: &str) -> Result<SiteAnswer, Error> {
    way(node).ask(&token(), request(sql)).await
}

pub(crate) async fn ask_with(
    node: &Arc<Node>,
    token: channel::Token,
    request: SiteRequest,
) -> Result<SiteAnswer, Error> {
    way(node).ask(&token, request).await
}
