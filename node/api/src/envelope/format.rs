//! How a signed envelope lies in bytes, and whether a signature is a certificate's.

use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::{Envelope, SCHEMES, SignedEnvelope, spelled};
use crate::error::Error;
use crate::tls::provider;

/// Longest envelope that is read: the longest SQL and as many bytes of values, escaped, with room to spare.
const BYTES_MAX: usize = 1 << 20;
/// Certificates of a chain.
const CHAIN_MAX: usize = 8;

impl SignedEnvelope {
    /// The bytes that travel.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = u16::from(self.scheme).to_be_bytes().to_vec();
        put(&mut bytes, &self.signature);
        bytes.push(u8::try_from(self.chain.len()).unwrap_or(u8::MAX));
        for certificate in &self.chain {
            put(&mut bytes, certificate);
        }
        bytes.extend(&self.text);
        bytes
    }

    /// Whether a site reads it.
    pub(super) fn is_short_enough(&self) -> bool {
        self.to_bytes().len() <= BYTES_MAX
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`Error::Invalid`] where they are no envelope, or spell one in another way than its issuer would.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        parse(bytes).ok_or_else(|| {
            Error::invalid(
                "the envelope cannot be read",
                "run the same version of liquid at coordinator and site",
            )
        })
    }
}

fn parse(bytes: &[u8]) -> Option<SignedEnvelope> {
    if bytes.len() > BYTES_MAX {
        return None;
    }
    let (scheme, rest) = bytes.split_first_chunk()?;
    let scheme = SignatureScheme::from(u16::from_be_bytes(*scheme));
    let (signature, rest) = part(rest)?;
    let (count, mut rest) = rest.split_first()?;
    let count = Some(usize::from(*count)).filter(|count| (1..=CHAIN_MAX).contains(count))?;
    let mut chain = Vec::with_capacity(count);
    for _ in 0..count {
        let (certificate, after) = part(rest)?;
        chain.push(CertificateDer::from(certificate.to_vec()));
        rest = after;
    }
    let envelope: Envelope = serde_json::from_slice(rest).ok()?;
    let text = spelled(&envelope).filter(|text| text == rest)?;
    Some(SignedEnvelope { scheme, signature: signature.to_vec(), chain, text, envelope })
}

/// A part behind its length. None comes near 4 GiB.
fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(part);
}

/// The first part, and what comes behind it.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Whether a message was signed with a certificate's key, by one of the schemes that count.
pub(super) fn is_signed(
    scheme: SignatureScheme,
    certificate: Option<&CertificateDer<'_>>,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Some(Ok(certificate)) = certificate.map(EndEntityCert::try_from) else { return false };
    let known = provider().signature_verification_algorithms;
    let algorithms =
        known.mapping.iter().find(|(known, _)| *known == scheme).filter(|_| SCHEMES.contains(&scheme));
    algorithms.is_some_and(|(_, algorithms)| {
        algorithms
            .iter()
            .any(|algorithm| certificate.verify_signature(*algorithm, message, signature).is_ok())
    })
}
