//! Authorities and certificates for the tests, in a folder that goes with them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chrono::Datelike;
use liquid_node_api::tls::{Certificates, Files, Material};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber,
};

/// A day so many days from now, as certificates write it.
macro_rules! day {
    ($offset:expr) => {{
        let date = chrono::Utc::now().date_naive() + chrono::Duration::days($offset);
        let small = |n: u32| u8::try_from(n).unwrap();
        rcgen::date_time_ymd(date.year(), small(date.month()), small(date.day()))
    }};
}

/// A certificate authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
    issued: AtomicU64,
}

#[allow(dead_code, reason = "the tests of each crate need a part of it")]
impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("test authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder, issued: AtomicU64::new(1) }
    }

    /// The serial number of the certificate that was issued last.
    pub(crate) fn last(&self) -> u64 {
        self.issued.load(Ordering::SeqCst)
    }

    /// A list that revokes certificates by their numbers, good until so many days from now.
    pub(crate) fn revoke(&self, serials: &[u64], days: i64) -> PathBuf {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: day!(-2),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: day!(-3),
            next_update: day!(days),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.folder.path().join("crl.pem");
        replace(&path, &list.signed_by(&self.issuer).unwrap().pem().unwrap());
        path
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Issues a certificate for `localhost` with these URIs.
    pub(crate) fn files(&self, name: &str, uris: &[&str]) -> Files {
        self.files_until(name, uris, 30)
    }

    /// The same, good until so many days from now.
    pub(crate) fn files_until(&self, name: &str, uris: &[&str], days: i64) -> Files {
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
        params.subject_alt_names.extend(uris);
        params.serial_number = Some(SerialNumber::from(self.issued.fetch_add(1, Ordering::SeqCst) + 1));
        (params.not_before, params.not_after) = (day!(-3), day!(days));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        replace(&path("pem"), &certificate.pem());
        replace(&path("key"), &key.serialize_pem());
        Files { cert: path("pem"), key: path("key"), ca: self.ca(), crl: None }
    }

    /// What such files hold. The files are this call's own: several tests share an authority.
    pub(crate) fn material(&self, name: &str, uris: &[&str]) -> Material {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        self.files(&format!("{name}-{call}"), uris).load().unwrap()
    }

    /// The certificates of a coordinator, or of whoever the URI names.
    pub(crate) fn certificates(&self, uri: &str) -> Certificates {
        Certificates::fixed(self.material("party", &[uri]))
    }
}

/// Puts a file in another's place as an operator's tool does: whole, at once.
pub(crate) fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}
