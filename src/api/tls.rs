//! TLS of a listener: certificate, key and authority from files, which are read again when they
//! change. A change that cannot be used leaves the former in force.

use crate::config::Tls;
use crate::telemetry::chain;
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};
use zeroize::Zeroizing;

/// What a client may speak inside.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file holds no PEM of the expected kind.
    #[error("{} holds no {expected} in PEM", path.display())]
    NoPem { path: PathBuf, expected: &'static str },
    /// Certificate, key and authority do not go together.
    #[error("the certificate and the key of server.tls cannot be used")]
    Unusable(#[source] rustls::Error),
    /// No authority could be believed.
    #[error("the authority in server.tls.client_ca_file cannot be used")]
    Authority(#[source] rustls::server::VerifierBuilderError),
}

/// The certificate in force.
pub struct TlsFiles {
    files: Tls,
    state: Mutex<State>,
}

struct State {
    content: Content,
    acceptor: TlsAcceptor,
    /// What could not be used is told once.
    refused: Option<Content>,
}

/// The files as they were read.
#[derive(Clone, PartialEq, Eq)]
struct Content {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, or do not go together.
    pub fn load(files: &Tls) -> Result<Self, TlsError> {
        let content = Content::read(files)?;
        let acceptor = content.acceptor(files)?;
        let state = Mutex::new(State { content, acceptor, refused: None });
        Ok(Self { files: files.clone(), state })
    }

    /// Reads the files again, and uses what is in them from the next connection on.
    pub(super) fn reload(&self) {
        let read = Content::read(&self.files);
        let mut state = self.state.lock();
        let content = match read {
            Ok(content) if content == state.content => return,
            Ok(content) if state.refused.as_ref() == Some(&content) => return,
            Ok(content) => content,
            // Files are replaced one after the other: it may be whole at the next look.
            Err(_) => return,
        };
        match content.acceptor(&self.files) {
            Ok(acceptor) => {
                info!(file = %self.files.cert.display(), "the changed certificate is in use");
                *state = State { content, acceptor, refused: None };
            }
            Err(error) => {
                error!(error = %chain(&error), "the former certificate stays in use");
                state.refused = Some(content);
            }
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.state.lock().acceptor.clone()
    }
}

impl Content {
    fn read(files: &Tls) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path)
                .map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
        };
        Ok(Self {
            certificate: read(&files.cert)?,
            key: Zeroizing::new(read(&files.key)?),
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn acceptor(&self, files: &Tls) -> Result<TlsAcceptor, TlsError> {
        let chain = certificates(&self.certificate, &files.cert)?;
        let no_key = |_| TlsError::NoPem { path: files.key.clone(), expected: "private key" };
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(no_key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = match self.client_ca.as_deref().zip(files.client_ca.as_deref()) {
            None => Arc::new(NoClientAuth),
            Some((pem, path)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(pem, path)? {
                    roots.add(authority).map_err(TlsError::Unusable)?;
                }
                // Probes and scrapes have no certificate; who sends events is asked for it later.
                WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                    .allow_unauthenticated()
                    .build()
                    .map_err(TlsError::Authority)?
            }
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key);
        let mut config = config.map_err(TlsError::Unusable)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| TlsError::NoPem { path: path.to_owned(), expected: "certificate" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    fn write(folder: &Path, name: &str) -> Tls {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.join("crt"), certificate.pem()).unwrap();
        std::fs::write(folder.join("key"), key.serialize_pem()).unwrap();
        Tls { cert: folder.join("crt"), key: folder.join("key"), client_ca: None }
    }

    #[test]
    fn a_changed_certificate_is_used_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), "relay-0");
        let tls = TlsFiles::load(&files).unwrap();
        let used = || Arc::clone(tls.acceptor().config());
        let first = used();
        tls.reload();
        assert!(Arc::ptr_eq(&used(), &first), "nothing has changed");
        std::fs::write(&files.cert, "half").unwrap();
        tls.reload();
        std::fs::remove_file(&files.key).unwrap();
        tls.reload();
        assert!(Arc::ptr_eq(&used(), &first));
        write(folder.path(), "relay-1");
        tls.reload();
        assert!(!Arc::ptr_eq(&used(), &first));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), "relay-0");
        let told = |files: &Tls| TlsFiles::load(files).err().unwrap().to_string();
        let swapped = Tls { cert: files.key.clone(), ..files.clone() };
        assert!(told(&swapped).contains("key holds no certificate in PEM"), "{}", told(&swapped));
        let absent = Tls { client_ca: Some(folder.path().join("ca")), ..files.clone() };
        assert!(told(&absent).contains("ca cannot be read"), "{}", told(&absent));
        let no_key = Tls { key: files.cert.clone(), ..files };
        assert!(told(&no_key).contains("crt holds no private key"), "{}", told(&no_key));
    }
}
