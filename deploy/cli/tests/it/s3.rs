//! Sources in an S3-compatible store, through a real node and a real engine, against a server that we did not write: moto.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use liquid_local::blueprint::{Blueprint, Content};
use liquid_local::client::Client;
use liquid_local::{Federation, Run, heart};
use liquid_node_api::Error;

use crate::fixture::python;

const REQUIREMENTS: &str = "boto3==1.44.5\nmoto[server]==5.2.5\n";
const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";

/// A server on a port of its own that lets in nobody but the two users that it made, and does as it is told on its input.
pub(crate) struct Moto {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    pub(crate) endpoint: String,
}

impl Moto {
    pub(crate) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/s3_server.py");
        let mut child = Command::new(python("moto", REQUIREMENTS))
            .arg(script)
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "1000000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut moto = Self { child, input, output, endpoint: String::new() };
        moto.endpoint = moto.line();
        moto
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the server has ended");
        line.trim().to_owned()
    }

    /// One command, and what it answers.
    pub(crate) fn tell(&mut self, words: &[&str]) -> String {
        writeln!(self.input, "{}", words.join("\t")).unwrap();
        self.line()
    }

    pub(crate) fn put(&mut self, key: &str, file: &Path) {
        assert_eq!(self.tell(&["put", key, file.to_str().unwrap()]), "done");
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// What one user's credentials look like in `node.toml`, in files of their own.
pub(crate) struct User {
    key_id: PathBuf,
    secret: PathBuf,
}

impl User {
    pub(crate) fn new(folder: &Path, name: &str, answer: &str) -> Self {
        let (id, key) = answer.split_once('\t').unwrap();
        let (key_id, secret) = (folder.join(format!("{name}.id")), folder.join(format!("{name}.key")));
        std::fs::write(&key_id, format!("{id}\n")).unwrap();
        std::fs::write(&secret, format!("{key}\n")).unwrap();
        Self { key_id, secret }
    }

    pub(crate) fn store(&self, endpoint: &str, bucket: &str) -> String {
        format!(
            "\n[[engine.store]]\nurl = \"s3://{bucket}\"\nendpoint = \"{endpoint}\"\nallow_http = true\nretries = 1\n\
             timeout_ms = 5000\ncredentials = {{ files = {{ key_id = '{}', secret = '{}' }} }}\n",
            self.key_id.display(),
            self.secret.display()
        )
    }
}

fn blueprint() -> Blueprint {
    let mut blueprint = heart::blueprint();
    blueprint.sites.retain(|plan| ["cleveland", "budapest"].contains(&plan.site.as_str()));
    blueprint
}

async fn count(client: &mut Client) -> Result<Option<String>, Error> {
    Ok(client.ask(COUNT).await?.cell(0, "patients").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_in_a_store_are_read_pinned_and_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut moto = Moto::start();
    let user = User::new(folder.path(), "ann", &moto.tell(&["user", "ann", "read"]));
    let blueprint = blueprint();
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_liquid"));
    let mut federation = Federation::start(&blueprint, Run::Processes(binary)).await.unwrap();
    let mut patients = federation.client(None).unwrap();
    assert_eq!(count(&mut patients).await.unwrap().as_deref(), Some("597"), "from files");

    // The same files in a store: Parquet as one object, CSV as all that lies below a prefix.
    for plan in &blueprint.sites {
        let source = &plan.sources[0];
        let Content::Bytes(bytes) = source.content else { panic!("the demo's data lies in the binary") };
        let file = folder.path().join(&source.file);
        std::fs::write(&file, bytes).unwrap();
        moto.put(&format!("{}/{}", plan.site, source.file), &file);
        let url = match source.format.as_str() {
            "csv" => format!("s3://clinical/{}/", plan.site),
            _ => format!("s3://clinical/{}/{}", plan.site, source.file),
        };
        let config = federation.root().join(format!("sites/{}/node.toml", plan.site));
        let text = std::fs::read_to_string(&config).unwrap();
        let path = format!("path = \"data/{}\"", source.file);
        assert!(text.contains(&path), "{text}");
        let text = text.replace(&path, &format!("url = \"{url}\"")) + &user.store(&moto.endpoint, "clinical");
        std::fs::write(&config, text).unwrap();
        std::fs::remove_file(config.with_file_name("data").join(&source.file)).unwrap();
        federation.stop_site(plan.site.as_str()).await.unwrap();
    }
    assert_eq!(moto.tell(&["strict"]), "done");
    for plan in &blueprint.sites {
        federation.start_site(plan.site.as_str()).await.unwrap();
    }
    let mut patients = federation.client(None).unwrap();
    assert_eq!(count(&mut patients).await.unwrap().as_deref(), Some("597"), "from the store");

    // A new object counts from the next question on; one that is gone is missed, in words without a value.
    let budapest = folder.path().join("betegek.csv");
    let text = std::fs::read_to_string(&budapest).unwrap();
    let shorter: Vec<&str> = text.lines().take(201).collect();
    std::fs::write(&budapest, shorter.join("\n") + "\n").unwrap();
    assert_eq!(moto.tell(&["lax"]), "done");
    moto.put("budapest/betegek.csv", &budapest);
    let mut site = federation.site_client("budapest", None).unwrap();
    assert_eq!(count(&mut site).await.unwrap().as_deref(), Some("200"));
    assert_eq!(moto.tell(&["delete", "budapest/betegek.csv"]), "done");
    let missed = count(&mut site).await.unwrap_err();
    assert!(matches!(missed, Error::Fault { .. }) && missed.to_string().contains("not ready"), "{missed}");
    moto.put("budapest/betegek.csv", &budapest);
    assert_eq!(count(&mut site).await.unwrap().as_deref(), Some("200"));

    moto.end();
    let missed = count(&mut site).await.unwrap_err();
    let text = missed.to_string();
    assert!(matches!(missed, Error::Fault { .. }) && text.contains("not ready"), "{text}");
    assert!(!text.contains("127.0.0.1") && !text.contains("s3") && !text.contains("clinical"), "{text}");
    federation.stop().await;
}

/// The operator's error for a source, from an engine that does not open.
async fn refused(store: &str, url: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.toml"), heart::MODEL).unwrap();
    let config = format!(
        "[engine]\nmodel = \"model.toml\"\n[[engine.source]]\nname = \"cardiac\"\nurl = \"{url}\"\nformat = \"csv\"\n{store}"
    );
    let mut config: toml::Table = toml::from_str(&config).unwrap();
    let config: liquid_engine::EngineConfig = config.remove("engine").unwrap().try_into().unwrap();
    match liquid_engine::LocalEngine::open(config.relative_to(folder.path())).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_store_from_answering_is_said_without_a_secret() {
    liquid_node_api::tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let mut moto = Moto::start();
    let ann = User::new(folder.path(), "ann", &moto.tell(&["user", "ann", "read"]));
    let bob = User::new(folder.path(), "bob", &moto.tell(&["user", "bob", "none"]));
    let stranger = User::new(folder.path(), "stranger", "AKIAUNKNOWN\tsecret-of-a-stranger");
    let forger = User { key_id: ann.key_id.clone(), secret: stranger.secret.clone() };
    let absent = User { key_id: ann.key_id.clone(), secret: folder.path().join("not-there.key") };
    assert_eq!(moto.tell(&["strict"]), "done");
    let secret = std::fs::read_to_string(&ann.secret).unwrap();
    let (here, url) = (moto.endpoint.clone(), "s3://clinical/a/x.csv");
    let refuses = "the store refuses these credentials; check `credentials` of the [[engine.store]]";
    for (store, url, part) in [
        (bob.store(&here, "clinical"), url, refuses),
        (stranger.store(&here, "clinical"), url, refuses),
        (forger.store(&here, "clinical"), url, refuses),
        (absent.store(&here, "clinical"), url, "the credentials of the store cannot be read"),
        (ann.store(&here, "clinical"), url, "there is no file; put the files there"),
        (ann.store(&here, "clinical"), "s3://clinical/a/", "there is no file; put the files there"),
        (ann.store(&here, "nowhere"), "s3://nowhere/a/", "the store has no such bucket; check `url`"),
        (ann.store(&here, "other"), url, "no store holds `s3://clinical/a/x.csv`; add an [[engine.store]]"),
        (
            ann.store("http://127.0.0.1:9", "clinical"),
            url,
            "the store does not answer as it must; check `endpoint`",
        ),
    ] {
        let text = refused(&store, url).await;
        assert!(
            text.starts_with(&format!("source `cardiac` (`{url}`) cannot be read: {part}")),
            "{part}: {text}"
        );
        assert!(!text.contains(secret.trim()) && !text.contains("secret-of-a-stranger"), "{text}");
    }
}
