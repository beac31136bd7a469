//! The way to a store: TLS with an authority of its own, through a proxy, with the machine's own credentials. A node as an
//! operator starts it, against moto; what is wrong is said when it starts, and no secret with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use liquid_local::authority::Authority;
use liquid_local::{Federation, Run, heart};

use crate::fixture::{Ended, liquid, processes};
use crate::s3::{Moto, User};
use crate::tunnel::Tunnels;

const DATA: &str = "path = \"data/angiography.parquet\"";
const URL: &str = "s3://clinical/angiography.parquet";

/// A site whose one file lies in a store alone, and what its configuration is without one.
struct Site {
    federation: Federation,
    config: PathBuf,
    text: String,
}

impl Site {
    async fn new(moto: &mut Moto) -> Self {
        let mut blueprint = heart::blueprint();
        blueprint.sites.truncate(1);
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_liquid"));
        let mut federation = Federation::start(&blueprint, Run::Processes(binary)).await.unwrap();
        federation.stop_site("cleveland").await.unwrap();
        let config = federation.root().join("sites/cleveland/node.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.contains(DATA), "{text}");
        let file = config.with_file_name("data").join("angiography.parquet");
        moto.put("angiography.parquet", &file);
        std::fs::remove_file(file).unwrap();
        Self { federation, config, text: text.replace(DATA, &format!("url = \"{URL}\"")) }
    }

    /// Starts the node with such a store, and ends it when it is ready.
    fn starts(&self, store: &str, environment: &[(&str, &str)]) -> Ended {
        std::fs::write(&self.config, format!("{}{store}", self.text)).unwrap();
        let mut node = liquid();
        node.args(["node", "--until-stdin-closes", "--config"]).arg(&self.config);
        node.envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap().into()
    }

    #[track_caller]
    fn is_ready(&self, store: &str, environment: &[(&str, &str)]) {
        let ended = self.starts(store, environment);
        assert!(ended.code == 0 && ended.out.starts_with("ready "), "{ended:?}");
    }

    /// It does not start, and says so in one place, without any of these words.
    #[track_caller]
    fn is_not_ready(&self, store: &str, environment: &[(&str, &str)], says: &str, secrets: &[&str]) {
        let ended = self.starts(store, environment);
        let plain = ended.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ended.code == 1 && plain.contains(says), "{says}: {ended:?}");
        for secret in secrets {
            assert!(!ended.err.contains(secret), "{ended:?}");
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

const NO_ANSWER: &str = "the store does not answer as it must; check `endpoint`, `region`, `ca` and `proxy`";

#[tokio::test(flavor = "multi_thread")]
async fn a_store_lies_behind_a_proxy_and_an_authority_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut moto = Moto::start();
    let mut site = Site::new(&mut moto).await;
    let user = User::new(folder.path(), "ann", &moto.tell(&["user", "ann", "read"]));
    let (ours, other) = (Authority::new("store").unwrap(), Authority::new("other").unwrap());
    let identity = ours.issue("store", "https://store.example").unwrap();
    let file = |name: &str, text: &str| write(folder.path(), name, text);
    let (cert, key) = (file("cert.pem", &identity.certificate), file("key.pem", &identity.key));
    let endpoint = moto.tell(&["tls", &cert, &key]);
    assert_eq!(moto.tell(&["strict"]), "done");
    let trusting = |ca: &str| {
        format!("{}ca = '{ca}'\n", user.store(&endpoint, "clinical").replace("allow_http = true\n", ""))
    };
    let direct = trusting(&file("ca.pem", &ours.certificate()));
    site.is_ready(&direct, &[]);
    site.is_not_ready(&trusting(&file("other.pem", &other.certificate())), &[], NO_ANSWER, &[]);
    site.is_not_ready(&user.store(&endpoint, "clinical"), &[], NO_ANSWER, &[]);

    // `site:pass:w@rd` in base64.
    let proxy = Tunnels::start(Some("Basic c2l0ZTpwYXNzOndAcmQ="));
    let through = |credentials: &str| {
        format!(
            "{direct}proxy = \"http://{}\"\nproxy_credentials = '{}'\n",
            proxy.address,
            file("proxy", credentials)
        )
    };
    site.is_ready(&through("site:pass:w@rd\n"), &[]);
    let target = endpoint.trim_start_matches("https://");
    assert!(proxy.asked().starts_with(&format!("CONNECT {target} HTTP/1.1")), "{}", proxy.asked());
    assert!(!proxy.asked().contains("GET ") && !proxy.asked().contains("clinical"), "{}", proxy.asked());
    site.is_not_ready(&through("site:secret-x"), &[], NO_ANSWER, &["secret-x"]);
    site.is_not_ready(&through("secret-x"), &[], "write `user:password` in one line", &["secret-x"]);
    let no_credentials = format!("{direct}proxy = \"http://{}\"\n", proxy.address);
    site.is_not_ready(&no_credentials, &[], NO_ANSWER, &[]);

    // The environment's proxy is nobody's.
    let refusing = Tunnels::start(None);
    let url = format!("http://{}", refusing.address);
    let all: Vec<_> = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .map(|name| (name, url.as_str()))
        .into();
    site.is_ready(&direct, &all);
    site.is_ready(&user.store(&moto.endpoint.replace("127.0.0.1", "localhost"), "clinical"), &all);
    assert_eq!(refusing.asked(), "");

    // And questions go the same way.
    proxy.forget();
    std::fs::write(&site.config, format!("{}{}", site.text, through("site:pass:w@rd"))).unwrap();
    site.federation.start_site("cleveland").await.unwrap();
    let mut client = site.federation.site_client("cleveland", None).unwrap();
    let count = client.ask("SELECT count(*) AS n FROM cardiac").await.unwrap();
    assert_eq!(count.cell(0, "n").unwrap().as_deref(), Some("304"));
    assert!(proxy.asked().contains("CONNECT "));
    site.federation.stop().await;
    assert!(processes(std::process::id(), &[site.config.to_str().unwrap()]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_own_credentials_are_asked_for_only_where_it_says_so() {
    const REFUSED: &str = "the store refuses these credentials; check `credentials` of the [[engine.store]]";
    const NONE: &str =
        "this machine gives no credentials for the store; give the machine or container a role";
    const SERVICE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    let folder = tempfile::tempdir().unwrap();
    let mut moto = Moto::start();
    let mut site = Site::new(&mut moto).await;
    let mut machine_of = |name: &str, may: &str| {
        let answer = moto.tell(&["machine", name, may]);
        let (service, key) = answer.split_once('\t').unwrap();
        (service.to_owned(), key.to_owned())
    };
    let (ann, _) = machine_of("ann", "read");
    let (bob, secret) = machine_of("bob", "none");
    assert_eq!(moto.tell(&["strict"]), "done");
    let store = format!(
        "\n[[engine.store]]\nurl = \"s3://clinical\"\nendpoint = \"{}\"\nallow_http = true\nretries = 1\n\
         timeout_ms = 5000\ncredentials = \"instance\"\n",
        moto.endpoint
    );
    site.is_ready(&store, &[(SERVICE, &ann)]);
    let token = write(folder.path(), "token", "t");
    let container = format!("{ann}/task");
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token),
    ];
    site.is_ready(&store, &container);
    site.is_not_ready(&store, &[(SERVICE, &bob)], REFUSED, &[&secret]);
    site.is_not_ready(&store, &[(SERVICE, "http://127.0.0.1:9")], NONE, &["127.0.0.1:9"]);
    // A server that knows of no role.
    site.is_not_ready(&store, &[(SERVICE, &format!("{ann}/nowhere"))], NONE, &[]);
    // Who does not say so does not ask it, though its address is known.
    let environment = store.replace("\"instance\"", "\"environment\"");
    site.is_not_ready(&environment, &[(SERVICE, &ann)], "the credentials of the store cannot be read", &[]);
    // A proxy is not asked for the machine's credentials.
    let proxy = Tunnels::start(None);
    let _whatever = site.starts(&format!("{store}proxy = \"http://{}\"\n", proxy.address), &[]);
    assert!(!proxy.asked().contains("169.254"), "{}", proxy.asked());
    site.federation.stop().await;
}
