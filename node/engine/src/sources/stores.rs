//! S3-compatible stores: reached with the credentials that the operator names and no others, over TLS, with bounded
//! patience.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider};
use object_store::{
    Certificate, ClientOptions, CredentialProvider, Error, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    RetryConfig, path,
};
use url::Url;

use crate::config::{Credentials, EngineConfig, SourceConfig, StoreConfig};
use crate::error::OpenError;

/// The stores of a configuration, each with its connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stores(Vec<(Address, Arc<dyn ObjectStore>)>);

/// `s3://bucket/prefix`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    bucket: String,
    prefix: path::Path,
}

impl Address {
    fn of(url: &str) -> Result<Self, String> {
        let wrong = || format!("`{url}` is no address like `s3://bucket/prefix`");
        let parsed = Url::parse(url).map_err(|_| wrong())?;
        let plain = parsed.query().is_none() && parsed.fragment().is_none() && parsed.username().is_empty();
        match (parsed.scheme(), parsed.host_str()) {
            ("s3", Some(bucket)) if plain => {
                let prefix = path::Path::from_url_path(parsed.path()).map_err(|_| wrong())?;
                Ok(Self { bucket: bucket.to_owned(), prefix })
            }
            _ => Err(wrong()),
        }
    }

    fn holds(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.prefix.prefix_matches(&self.prefix)
    }
}

impl Stores {
    /// Makes a client of each. Nothing is sent yet.
    pub(crate) fn open(config: &EngineConfig) -> Result<Self, OpenError> {
        let mut stores = Vec::new();
        for store in &config.stores {
            let wrong = |reason: String| OpenError::Store { url: store.url.clone(), reason };
            let address = Address::of(&store.url).map_err(wrong)?;
            let client = client(store, &address.bucket).map_err(wrong)?;
            stores.push((address, client));
        }
        Ok(Self(stores))
    }

    /// The objects of a source that lies in a store: one object, or all that stand below a prefix.
    pub(crate) async fn list(
        &self,
        source: &SourceConfig,
        url: &str,
    ) -> Result<(Arc<dyn ObjectStore>, Vec<ObjectMeta>), OpenError> {
        let fix = "write it as `s3://bucket/prefix/` or `s3://bucket/file`";
        let address = Address::of(url).map_err(|reason| OpenError::source(source, reason, fix))?;
        let Some((_, store)) = self.0.iter().find(|(store, _)| store.holds(&address)) else {
            let fix = "add an [[engine.store]] whose `url` this one begins with";
            return Err(OpenError::source(source, format!("no store holds `{url}`"), fix));
        };
        let failed = |error: Error| {
            let (reason, fix) = unanswered(&error);
            OpenError::source(source, reason, fix)
        };
        if !url.ends_with('/') && !address.prefix.as_ref().is_empty() {
            match store.head(&address.prefix).await {
                Ok(one) => return Ok((Arc::clone(store), vec![one])),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let all: Vec<ObjectMeta> = store.list(Some(&address.prefix)).try_collect().await.map_err(failed)?;
        let below = address.prefix.parts().count();
        let counts = |meta: &ObjectMeta| {
            let hidden = |part: path::PathPart<'_>| part.as_ref().starts_with(['.', '_']);
            // A console makes a folder by writing an empty object of its name.
            let folder = meta.size == 0 && meta.location == address.prefix;
            !(folder || meta.location.parts().skip(below).any(hidden))
        };
        let mut found: Vec<ObjectMeta> = all.into_iter().filter(counts).collect();
        found.sort_by(|one, other| one.location.cmp(&other.location));
        Ok((Arc::clone(store), found))
    }
}

fn client(store: &StoreConfig, bucket: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let timeout = Duration::from_millis(store.timeout_ms);
    let mut options = ClientOptions::new()
        .with_allow_http(store.allow_http)
        .with_timeout(timeout)
        .with_connect_timeout(timeout.min(CONNECT_TIMEOUT));
    if let Some(ca) = &store.ca {
        let pem = std::fs::read(ca).map_err(|e| format!("`ca` (`{}`) cannot be read: {e}", ca.display()))?;
        let authority = Certificate::from_pem(&pem)
            .map_err(|_| format!("`ca` (`{}`) holds no certificate in PEM", ca.display()))?;
        options = options.with_root_certificate(authority);
    }
    options = match &store.proxy {
        Some(proxy) => {
            let credentials = store.proxy_credentials.as_deref();
            options.with_proxy_url(with_credentials(proxy, credentials)?).with_proxy_excludes(THE_MACHINE)
        }
        // A client that is told of no proxy takes one from the environment: it is told of one that it uses for nothing.
        None => options.with_proxy_url("http://127.0.0.1:9").with_proxy_excludes(EVERYTHING),
    };
    let retry = RetryConfig { max_retries: store.retries, retry_timeout: timeout, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&store.region)
        .with_virtual_hosted_style_request(!store.path_style.unwrap_or(store.endpoint.is_some()))
        .with_client_options(options)
        .with_allow_http(store.allow_http)
        .with_retry(retry);
    if let Some(endpoint) = &store.endpoint {
        let endpoint = plain("endpoint", endpoint)?;
        if endpoint.starts_with("http://") && !store.allow_http {
            return Err(
                "its `endpoint` is not `https`; write one that is, or set `allow_http = true`".to_owned()
            );
        }
        builder = builder.with_endpoint(endpoint);
    }
    builder = match &store.credentials {
        Credentials::Anonymous => builder.with_skip_signature(true),
        // The one way in which the machine itself is asked for credentials.
        Credentials::Instance => {
            for (variable, key) in PLATFORM {
                if let Ok(value) = std::env::var(variable) {
                    builder = builder.with_config(key, value.trim_end_matches('/'));
                }
            }
            let machine = builder.clone().build().map_err(unusable)?;
            builder.with_credentials(Arc::new(Machine(Arc::clone(machine.credentials()))))
        }
        Credentials::Environment => builder.with_credentials(Arc::new(Environment)),
        Credentials::Files { key_id, secret, token } => builder.with_credentials(Arc::new(Files {
            key_id: key_id.clone(),
            secret: secret.clone(),
            token: token.clone(),
        })),
    };
    Ok(Arc::new(builder.build().map_err(unusable)?))
}

fn unusable(error: Error) -> String {
    format!("it cannot be used: {error}")
}

/// Where a machine or container asks for its own credentials: never through a proxy, which would see them.
const THE_MACHINE: &str = "169.254.0.0/16,fd00:ec2::/32";
const EVERYTHING: &str = "*,0.0.0.0/0,::/0";

/// Where the platform says that its service for credentials is, if it says so; else it is that of a virtual machine.
const PLATFORM: [(&str, AmazonS3ConfigKey); 4] = [
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", AmazonS3ConfigKey::MetadataEndpoint),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
];

/// The URL of a proxy, with the `user:password` of a file in it, as the client wants it.
fn with_credentials(proxy: &str, file: Option<&Path>) -> Result<String, String> {
    let Some(file) = file else { return Ok(plain("proxy", proxy)?.to_owned()) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("`proxy_credentials` (`{}`) cannot be read: {error}", file.display()))?;
    let mut url = Url::parse(plain("proxy", proxy)?).map_err(|_| "its `proxy` is no URL".to_owned())?;
    let pair = text.trim_end_matches(['\r', '\n']).split_once(':');
    let pair = pair.filter(|(user, password)| {
        url.set_username(user).is_ok() && url.set_password(Some(password)).is_ok() && !user.is_empty()
    });
    match pair {
        Some(_) => Ok(url.into()),
        None => Err(format!("`proxy_credentials` (`{}`): write `user:password` in one line", file.display())),
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A URL without a user or a password in it: those would be shown.
fn plain<'a>(key: &str, text: &'a str) -> Result<&'a str, String> {
    let url = Url::parse(text).map_err(|_| format!("its `{key}` is no URL; write `https://host:port`"))?;
    if url.username().is_empty() && url.password().is_none() {
        Ok(text)
    } else {
        Err(format!("its `{key}` holds a user or a password; leave them out"))
    }
}

/// What to tell the operator of a store that gives no object. What it said itself is not repeated.
pub(crate) fn unanswered(error: &Error) -> (&'static str, &'static str) {
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => (
            "the store refuses these credentials",
            "check `credentials` of the [[engine.store]], and that they may list and read",
        ),
        // A listing of no bucket is a failure like any other by its type.
        Error::NotFound { .. } | Error::Generic { .. } if error.to_string().contains("NoSuchBucket") => {
            ("the store has no such bucket", "check `url` and `endpoint` of the [[engine.store]]")
        }
        Error::NotFound { .. } => ("there is no such object", "check `url` of this [[engine.source]]"),
        Error::Generic { source, .. } if source.is::<NoCredentials>() => (
            "the credentials of the store cannot be read",
            "check the files or variables that `credentials` of the [[engine.store]] names",
        ),
        Error::Generic { source, .. } if source.is::<NoRole>() => (
            "this machine gives no credentials for the store",
            "give the machine or container a role, or name other `credentials` in the [[engine.store]]",
        ),
        _ => (
            "the store does not answer as it must",
            "check `endpoint`, `region`, `ca` and `proxy` of the [[engine.store]], and whether the store runs",
        ),
    }
}

/// The credentials cannot be read. It says which file or variable, and never what is in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoCredentials(String);

impl NoCredentials {
    fn error(text: String) -> Error {
        Error::Generic { store: "credentials", source: Box::new(Self(text)) }
    }
}

/// Credentials in files, read for each request, so that new ones count at once.
#[derive(Debug)]
struct Files {
    key_id: PathBuf,
    secret: PathBuf,
    token: Option<PathBuf>,
}

#[async_trait]
impl CredentialProvider for Files {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let read = |path: &Path| match std::fs::read_to_string(path) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) => Err(NoCredentials::error(format!("`{}`: {error}", path.display()))),
        };
        Ok(Arc::new(AwsCredential {
            key_id: read(&self.key_id)?,
            secret_key: read(&self.secret)?,
            token: self.token.as_deref().map(read).transpose()?,
        }))
    }
}

/// Credentials in the usual variables of the environment.
#[derive(Debug)]
struct Environment;

#[async_trait]
impl CredentialProvider for Environment {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let read = |name: &str| {
            std::env::var(name).map_err(|_| NoCredentials::error(format!("`{name}` is not set")))
        };
        Ok(Arc::new(AwsCredential {
            key_id: read("AWS_ACCESS_KEY_ID")?,
            secret_key: read("AWS_SECRET_ACCESS_KEY")?,
            token: std::env::var("AWS_SESSION_TOKEN").ok(),
        }))
    }
}

/// Credentials of the machine's or the container's role. What its service says in an error is not repeated.
#[derive(Debug)]
struct Machine(AwsCredentialProvider);

#[derive(Debug, thiserror::Error)]
#[error("the machine gives no credentials")]
struct NoRole;

#[async_trait]
impl CredentialProvider for Machine {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let asked = self.0.get_credential().await;
        asked.map_err(|_| Error::Generic { store: "credentials", source: Box::new(NoRole) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_what_lies_below_it() {
        let store = Address::of("s3://clinical/heart").unwrap();
        let holds = |url: &str| store.holds(&Address::of(url).unwrap());
        assert!(holds("s3://clinical/heart/2025/") && holds("s3://clinical/heart"));
        assert!(
            !holds("s3://clinical/hearts/2025") && !holds("s3://other/heart/2025") && !holds("s3://clinical")
        );
        assert!(!holds("s3://clinical/heart/../other/2025"));
        for wrong in
            ["clinical", "https://clinical/heart", "s3://", "s3://user@clinical/heart", "s3://a/b?c=d"]
        {
            assert!(Address::of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_not_inline_and_http_is_off() {
        let base = StoreConfig::new("s3://clinical");
        let error = |store: StoreConfig| client(&store, "clinical").err().unwrap_or_default();
        let http = StoreConfig { endpoint: Some("http://127.0.0.1:1".to_owned()), ..base.clone() };
        assert!(error(http).contains("allow_http = true"));
        let user = StoreConfig { proxy: Some("http://user:word@proxy:3128".to_owned()), ..base.clone() };
        let text = error(user);
        assert!(text.contains("leave them out") && !text.contains("word@"), "{text}");
        let ca = StoreConfig { ca: Some("/not/there.pem".into()), ..base };
        assert!(error(ca).contains("/not/there.pem"));
    }
}
