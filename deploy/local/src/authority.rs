//! A development certificate authority: one a federation, made anew each time, good for loopback and for nothing else.
//! Its key touches the disk only where `liquid init` keeps it, so that more certificates can be made.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::Error;

/// Days for which its certificates, and its own, are good.
pub const CERTIFICATE_DAYS: i64 = 365;

/// The authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: String,
}

/// A certificate and its private key, as PEM; good for serving and for calling.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// Makes an authority.
    ///
    /// # Errors
    /// Where no key can be made.
    pub fn new(name: &str) -> Result<Self, Error> {
        Self::with(name, KeyPair::generate())
    }

    /// Takes up the authority of this name whose key was kept. Certificates are bound to name and key, so those that it
    /// makes are good for whoever trusts its certificate from before.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no such key.
    pub fn open(name: &str, key: &std::path::Path) -> Result<Self, Error> {
        Self::with(name, KeyPair::from_pem(&std::fs::read_to_string(key).map_err(Error::reading(key))?))
    }

    fn with(name: &str, pair: Result<KeyPair, rcgen::Error>) -> Result<Self, Error> {
        let made = || {
            let mut params = params(name)?;
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let pair = pair?;
            let key = pair.serialize_pem();
            Ok(Self { issuer: CertifiedIssuer::self_signed(params, pair)?, key })
        };
        made().map_err(|cause| Error::Certificate { name: name.to_owned(), cause })
    }

    /// Its private key, as PEM.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its certificate, as PEM: what clients trust.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// Makes a certificate for loopback that names one role in the federation, for example `liquid://site/cleveland`.
    ///
    /// # Errors
    /// Where no key can be made.
    pub fn issue(&self, name: &str, uri: &str) -> Result<Identity, Error> {
        let made = || {
            let mut params = params(name)?;
            params.subject_alt_names = vec![
                SanType::DnsName("localhost".try_into()?),
                SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                SanType::URI(uri.try_into()?),
            ];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            params.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
        };
        made().map_err(|cause| Error::Certificate { name: name.to_owned(), cause })
    }
}

/// A name, and a validity that begins yesterday, so that clocks may differ, and ends in a year.
fn params(name: &str) -> Result<CertificateParams, rcgen::Error> {
    use chrono::Datelike;

    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let today = chrono::Utc::now().date_naive();
    let day = |offset: i64| {
        let date = today + chrono::Duration::days(offset);
        let small = |n: u32| u8::try_from(n).unwrap_or(1);
        rcgen::date_time_ymd(date.year(), small(date.month()), small(date.day()))
    };
    params.not_before = day(-1);
    params.not_after = day(CERTIFICATE_DAYS);
    Ok(params)
}
