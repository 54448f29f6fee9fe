//! Certificates and keys in PEM (RFC 7468), and whether they are what they are given for.

use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// What is wrong with the content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    #[error("it holds a damaged certificate")]
    DamagedCertificate,
    #[error("it holds no private key in PEM, or an encrypted one")]
    NoKey,
    #[error("its key is not that of the certificate")]
    WrongKey,
    #[error("its key is of a kind that TLS does not use")]
    UnusableKey,
}

/// The certificates in a file, in its order; at least one.
///
/// # Errors
/// There is none, or one that cannot be decoded.
pub fn certificates(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(PemError::NoCertificate)
}

/// The certificates in a file that others are checked against; at least one.
///
/// # Errors
/// There is none, or one that is damaged.
pub fn authorities(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found = certificates(content)?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|_| PemError::DamagedCertificate)?;
    }
    Ok(found)
}

/// The first private key in a file.
///
/// # Errors
/// There is none that is not encrypted.
pub fn private_key(content: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(content).map_err(|_| PemError::NoKey)
}

/// Checks that a key is that of the first certificate of a chain.
///
/// # Errors
/// It is another's, or of a kind that TLS does not use.
pub fn check_pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<(), PemError> {
    let key = default_provider().key_provider.load_private_key(key);
    let key = key.map_err(|_| PemError::UnusableKey)?;
    CertifiedKey::new(chain, key).keys_match().map_err(|_| PemError::WrongKey)
}
