//! How peers authenticate to each other: TLS 1.3 with certificates on both sides. Keys can be
//! replaced while connections are open; connections under the old ones end.

use super::certificate::{CertificateError, NodeCertificate};
use parking_lot::Mutex;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError as Untrusted, ClientConfig, DigitallySignedStruct, DistinguishedName,
    InvalidMessage, ServerConfig, SignatureScheme,
};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The protocol inside, which both sides must offer.
const PROTOCOL: &[u8] = b"h2";
/// How long calls under replaced keys may continue.
pub(super) const REPLACED_GRACE: Duration = Duration::from_secs(5);
/// Between two warnings about refused connections.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// First byte of a TLS record that opens a connection (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// A connection to a peer.
pub(super) struct Channel {
    pub io: Either<TcpStream, TlsStream<TcpStream>>,
    /// Whether the peer is authenticated.
    pub is_proven: bool,
    /// Cancelled when the keys are replaced.
    pub replaced: CancellationToken,
}

/// Keys, and what is derived from them.
pub(in crate::cluster) struct Keys {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
    name: ServerName<'static>,
    expires_at: Option<i64>,
    replaced: CancellationToken,
}

/// The security of all connections between peers. Clones share it.
#[derive(Clone)]
pub(in crate::cluster) struct PeerTls(Arc<Shared>);

struct Shared {
    /// `None`: this node has no keys, and all traffic is readable.
    keys: Mutex<Option<Arc<Keys>>>,
    /// Peers without TLS are accepted for now.
    is_migrating: AtomicBool,
    refused: AtomicU64,
    /// When a refusal was last logged.
    told_at: Mutex<Option<Instant>>,
}

impl PeerTls {
    /// Under `keys`. Without keys, or while migrating, unauthenticated peers are accepted.
    pub fn new(keys: Option<Keys>, is_migrating: bool) -> Self {
        let (keys, refused, told_at) = (Mutex::new(keys.map(Arc::new)), 0.into(), Mutex::default());
        let is_migrating = is_migrating.into();
        Self(Arc::new(Shared { keys, is_migrating, refused, told_at }))
    }

    /// Uses other keys from now on. Connections under the old ones take no new call, and are closed
    /// after a grace.
    pub fn replace(&self, keys: Keys) {
        let old = self.0.keys.lock().replace(keys.into());
        if let Some(old) = old {
            old.replaced.cancel();
        }
    }

    /// Whether unauthenticated peers are accepted.
    pub fn believes_anybody(&self) -> bool {
        self.is_migrating() || self.keys().is_none()
    }

    /// Connections refused for lack of authentication, since the start.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Counts a connection that was refused, or did not finish in time. It logs at intervals,
    /// because any client that reaches the port controls their number.
    pub(super) fn refuse(&self, from: SocketAddr, reason: &str) {
        let refused = self.0.refused.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told_at = self.0.told_at.lock();
        if told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            *told_at = Some(Instant::now());
            warn!(%from, reason, refused, "a connection to the peer port proves nothing");
        }
    }

    /// Under keys of a secret.
    #[cfg(test)]
    pub fn under(secrets: &str) -> Self {
        let secrets = crate::cluster::secrets::ClusterSecrets::parse(secrets).unwrap();
        Self::new(Some(super::peer_keys(&secrets, None).unwrap()), false)
    }

    /// Accepts unauthenticated peers from now on.
    #[cfg(test)]
    pub fn become_migrating(&self) {
        self.0.is_migrating.store(true, Ordering::Relaxed);
    }

    /// The same for all nodes of tests.
    #[cfg(test)]
    pub fn of_test() -> Self {
        Self::under("what all members of tests know")
    }

    /// The expiry of this node's certificate, in Unix seconds; `None` if it does not expire.
    pub fn expires_at(&self) -> Option<i64> {
        self.keys()?.expires_at
    }

    fn is_migrating(&self) -> bool {
        self.0.is_migrating.load(Ordering::Relaxed)
    }

    fn keys(&self) -> Option<Arc<Keys>> {
        self.0.keys.lock().clone()
    }

    /// Authenticates a peer that connects.
    ///
    /// # Errors
    /// It does not authenticate, or the connection broke.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Channel> {
        let Some(keys) = self.keys() else { return Ok(plain(stream, CancellationToken::new())) };
        if self.is_migrating() && !speaks_tls(&stream).await? {
            return Ok(plain(stream, keys.replaced.clone()));
        }
        let stream = keys.acceptor.accept(stream).await?;
        proven(&keys, TlsStream::from(stream))
    }

    /// Connects to the first of these addresses that answers, and authenticates there.
    ///
    /// # Errors
    /// None answers, or the one that does is not a peer.
    pub(super) async fn connect(&self, addresses: &[SocketAddr]) -> io::Result<Channel> {
        let stream = TcpStream::connect(addresses).await?;
        stream.set_nodelay(true)?;
        let Some(keys) = self.keys() else { return Ok(plain(stream, CancellationToken::new())) };
        match keys.connector.connect(keys.name.clone(), stream).await {
            Ok(stream) => proven(&keys, TlsStream::from(stream)),
            Err(error) if self.is_migrating() && is_no_tls(&error) => {
                let stream = TcpStream::connect(addresses).await?;
                stream.set_nodelay(true)?;
                Ok(plain(stream, keys.replaced.clone()))
            }
            Err(error) => Err(error),
        }
    }
}

fn plain(stream: TcpStream, replaced: CancellationToken) -> Channel {
    Channel { io: Either::Left(stream), is_proven: false, replaced }
}

fn proven(keys: &Keys, stream: TlsStream<TcpStream>) -> io::Result<Channel> {
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(PROTOCOL) {
        return Err(io::Error::other("the other side does not speak HTTP/2"));
    }
    Ok(Channel { io: Either::Right(stream), is_proven: true, replaced: keys.replaced.clone() })
}

/// Whether a connection starts with TLS. It only peeks at the bytes.
async fn speaks_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0] == HANDSHAKE_RECORD),
    }
}

/// Whether a connection failed as with a peer without TLS: it answers in another protocol, or
/// closes.
fn is_no_tls(error: &io::Error) -> bool {
    let source = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    match source {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => true,
        Some(_) => false,
        None => matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
        ),
    }
}

impl Keys {
    /// The keys that a certificate gives.
    ///
    /// # Errors
    /// Certificate and key do not match, or there is no authority to believe.
    pub(super) fn new(certificate: NodeCertificate) -> Result<Self, CertificateError> {
        let NodeCertificate { chain, key, authorities, names, expires_at } = certificate;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = CertificateError::Unusable;
        let name = names.first().cloned().ok_or(rustls::Error::NoCertificatesPresented);
        let name = name.map_err(unusable)?;
        let peers = Arc::new(PeerVerifier::new(authorities, names, &provider).map_err(unusable)?);
        let versions = [&rustls::version::TLS13];
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&peers) as _);
        let client = client.with_client_auth_cert(chain.clone(), key.clone_key());
        let mut client = client.map_err(unusable)?;
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        // The name does not identify the target.
        client.enable_sni = false;
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(unusable)?
            .with_client_cert_verifier(peers)
            .with_single_cert(chain, key);
        let mut server = server.map_err(unusable)?;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
            name,
            expires_at,
            replaced: CancellationToken::new(),
        })
    }
}

/// Accepts certificates of the right authority with a name that the own one has, too. The rule is
/// the same on both sides: each of them is a peer.
#[derive(Debug)]
struct PeerVerifier {
    names: Vec<ServerName<'static>>,
    servers: Arc<WebPkiServerVerifier>,
    clients: Arc<dyn ClientCertVerifier>,
}

impl PeerVerifier {
    fn new(
        authorities: rustls::RootCertStore,
        names: Vec<ServerName<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, rustls::Error> {
        let (authorities, provider) = (Arc::new(authorities), Arc::clone(provider));
        let unusable =
            |error: rustls::client::VerifierBuilderError| rustls::Error::General(error.to_string());
        let servers = WebPkiServerVerifier::builder_with_provider(
            Arc::clone(&authorities),
            Arc::clone(&provider),
        );
        let clients = WebPkiClientVerifier::builder_with_provider(authorities, provider);
        let (servers, clients) =
            (servers.build().map_err(unusable)?, clients.build().map_err(unusable)?);
        Ok(Self { names, servers, clients })
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut verified = Err(Untrusted::NotValidForName.into());
        for name in &self.names {
            verified = self.servers.verify_server_cert(
                end_entity,
                intermediates,
                name,
                ocsp_response,
                now,
            );
            if verified.is_ok() {
                break;
            }
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.servers.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.servers.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.servers.supported_verify_schemes()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.clients.verify_client_cert(end_entity, intermediates, now)?;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let bears = |name| rustls::client::verify_server_name(&certificate, name).is_ok();
        if self.names.iter().any(bears) {
            return Ok(verified);
        }
        Err(Untrusted::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.clients.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.clients.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.clients.supported_verify_schemes()
    }
}

#[cfg(test)]
#[path = "tls_test.rs"]
mod tests;
