//! The certificate of a node: issued by itself under keys of the cluster's secrets, or given in
//! files. Both determine which other nodes it believes.

use crate::cluster::secrets::{ClusterSecrets, SecretKey, SecretsError};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ED25519,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Separates this key from others derived from the same secret.
const KEY_PURPOSE: &[u8] = b"peer certificates v1";
/// The issuer name of every certificate under the secret.
const ISSUER: &str = "tekton-events-relay peers";
/// The name that marks a certificate under the secret as a peer's.
const PEER_NAME: &str = "peer.tekton-events-relay.internal";
/// An Ed25519 key in PKCS #8, before its 32 bytes (RFC 8410, section 7).
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Tag of UTCTime and of GeneralizedTime (X.690).
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Where a given certificate is, in the layout of cert-manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// `tls.crt`: the certificate of this node and its intermediates.
    pub cert: PathBuf,
    /// `tls.key`.
    pub key: PathBuf,
    /// `ca.crt`: the authority for certificates of peers.
    pub ca: PathBuf,
}

/// Why a node has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("the key of the certificates cannot be derived")]
    Secrets(#[source] SecretsError),
    #[error("the certificate of this node cannot be issued")]
    Issue(#[source] rcgen::Error),
    #[error("{path} cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} holds no PEM of {expected}")]
    Malformed { path: PathBuf, expected: &'static str },
    #[error(
        "the certificate in {path} has no DNS name: peers know each other by a name that their \
         certificates share"
    )]
    Nameless { path: PathBuf },
    #[error("the certificates cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// What a node shows, and which peers it believes.
pub(super) struct NodeCertificate {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub authorities: RootCertStore,
    /// A peer's certificate must have one of these.
    pub names: Vec<ServerName<'static>>,
    /// Unix seconds after which peers refuse it; `None`: never.
    pub expires_at: Option<i64>,
}

impl NodeCertificate {
    /// Issues one under the secret in use. Certificates under either secret are believed. It does
    /// not expire: any holder of the secret can issue another, and it lives as long as the process.
    ///
    /// # Errors
    /// The keys are refused; they are for no secret.
    pub fn issue(secrets: &ClusterSecrets) -> Result<Self, CertificateError> {
        let keys = secrets.keys(KEY_PURPOSE).map_err(CertificateError::Secrets)?;
        let issuers = keys.iter().map(issuer).collect::<Result<Vec<_>, _>>();
        let issuers = issuers.map_err(CertificateError::Issue)?;
        let mut authorities = RootCertStore::empty();
        for issuer in &issuers {
            authorities.add(issuer.der().clone()).map_err(CertificateError::Unusable)?;
        }
        let own = KeyPair::generate_for(&PKCS_ED25519).map_err(CertificateError::Issue)?;
        let params = CertificateParams::new([PEER_NAME.to_owned()]);
        let params = params.map_err(CertificateError::Issue)?;
        let Some(issuer) = issuers.first() else {
            return Err(CertificateError::Secrets(SecretsError::Empty));
        };
        let certificate = params.signed_by(&own, issuer).map_err(CertificateError::Issue)?;
        Ok(Self {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(own.serialize_der()).into(),
            authorities,
            names: names(certificate.der()),
            expires_at: None,
        })
    }

    /// Reads a given one.
    ///
    /// # Errors
    /// A file cannot be read, or has other content than required.
    pub fn read(files: &CertificateFiles) -> Result<Self, CertificateError> {
        let chain = certificates(&files.cert)?;
        let mut authorities = RootCertStore::empty();
        for authority in certificates(&files.ca)? {
            authorities.add(authority).map_err(CertificateError::Unusable)?;
        }
        let pem = Zeroizing::new(read(&files.key)?);
        let key = PrivateKeyDer::from_pem_slice(&pem);
        let key = key.map_err(|_| malformed(&files.key, "a private key"))?;
        let names = chain.first().map(|own| names(own)).unwrap_or_default();
        if names.is_empty() {
            return Err(CertificateError::Nameless { path: files.cert.clone() });
        }
        let expires_at = chain.iter().filter_map(|certificate| not_after(certificate)).min();
        Ok(Self { chain, key, authorities, names, expires_at })
    }
}

/// The authority under a derived key. It is equal on every node in name and key; nothing else of it
/// matters.
fn issuer(key: &SecretKey) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let pkcs8 = Zeroizing::new([&ED25519_PKCS8[..], &key[..]].concat());
    let key = PrivatePkcs8KeyDer::from(pkcs8.as_slice());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, ISSUER);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, key)
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path)
        .map_err(|source| CertificateError::Unreadable { path: path.to_owned(), source })
}

fn malformed(path: &Path, expected: &'static str) -> CertificateError {
    CertificateError::Malformed { path: path.to_owned(), expected }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| malformed(path, "certificates"))
}

/// The DNS names of a certificate, without wildcards.
fn names(certificate: &CertificateDer<'_>) -> Vec<ServerName<'static>> {
    let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    let names = parsed.valid_dns_names().map(str::to_owned);
    names.filter_map(|name| ServerName::try_from(name).ok()).collect()
}

/// The expiry of a certificate, in Unix seconds (RFC 5280, section 4.1).
fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, certificate, _) = value(certificate)?;
    let (_, mut rest, _) = value(certificate)?;
    // Version, serial number, algorithm, issuer, validity. Only the version has a tag of its own.
    let fields = if rest.first() == Some(&0xa0) { 4 } else { 3 };
    for _ in 0..fields {
        rest = value(rest)?.2;
    }
    let (_, validity, _) = value(rest)?;
    let (_, _, end) = value(validity)?;
    let (tag, text, _) = value(end)?;
    unix_seconds(tag, std::str::from_utf8(text).ok()?)
}

/// The tag and content of the first value, and the bytes after it.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = bytes.iter().try_fold(0_usize, |length, byte| {
            length.checked_mul(256)?.checked_add(usize::from(*byte))
        });
        (length?, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn unix_seconds(tag: u8, text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z')?;
    let digits = match (tag, digits.len()) {
        // Two-digit years are those from 1950 to 2049.
        (UTC_TIME, 12) if digits < "50" => format!("20{digits}"),
        (UTC_TIME, 12) => format!("19{digits}"),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(text: &str) -> ClusterSecrets {
        ClusterSecrets::parse(text).unwrap()
    }

    #[test]
    fn an_authority_is_the_same_on_every_node_with_the_secret() {
        let authority = |text: &str| {
            let keys = secrets(text).keys(KEY_PURPOSE).unwrap();
            issuer(&keys[0]).unwrap().key().public_key_raw().to_vec()
        };
        assert_eq!(authority("0123456789abcdef"), authority("0123456789abcdef"));
        assert_ne!(authority("0123456789abcdef"), authority("0123456789abcdeF"));
    }

    #[test]
    fn the_end_of_a_certificate_is_read_from_it() {
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let end = |params: &CertificateParams| not_after(params.self_signed(&key).unwrap().der());
        params.not_after = rcgen::date_time_ymd(2030, 2, 3);
        assert_eq!(end(&params), Some(1_896_307_200));
        params.not_after = rcgen::date_time_ymd(2060, 2, 3);
        assert_eq!(end(&params), Some(2_842_992_000));
        assert_eq!(not_after(b"\x30\x85"), None);
    }

    #[test]
    fn files_that_hold_something_else_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files =
            CertificateFiles { cert: path("tls.crt"), key: path("tls.key"), ca: path("ca.crt") };
        let refused = || NodeCertificate::read(&files).err().unwrap().to_string();
        assert_eq!(refused(), format!("{} cannot be read", files.cert.display()));
        std::fs::write(&files.cert, "no PEM").unwrap();
        assert_eq!(refused(), format!("{} holds no PEM of certificates", files.cert.display()));
    }
}
