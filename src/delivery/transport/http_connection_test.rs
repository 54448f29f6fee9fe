//! Calls over the connection profile of an instance: private authorities, client certificates,
//! proxies, and files that change.

use super::super::clients::FILE_BYTES_MAX;
use super::*;
use crate::clock::SystemClock;
use crate::integration::connection::{ClientCertificate, ProxyServer, ProxyUser, TlsProfile};
use crate::secret::SecretRef;
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A certificate authority that no system knows, and its folder for files.
struct Private {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Private {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().display().to_string();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder }
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The profile that believes this authority.
    fn profile(&self) -> ConnectionProfile {
        let ca = Some(self.write("ca", &self.issuer.pem()));
        ConnectionProfile { tls: TlsProfile { ca, ..TlsProfile::default() }, proxy: None }
    }

    /// A certificate of this authority for a client.
    fn client(&self) -> ClientCertificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["relay".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let key = SecretRef::file(self.write("key", &key.serialize_pem()));
        ClientCertificate { chain: self.write("crt", &certificate), key }
    }

    /// What accepts TLS for loopback, from clients of this authority alone where it `asks`.
    fn acceptor(&self, asks: bool) -> tokio_rustls::TlsAcceptor {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let builder = rustls::ServerConfig::builder();
        let builder = if asks {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder(roots.into());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        Arc::new(builder.with_single_cert(chain, key).unwrap()).into()
    }

    /// A target that answers everybody whose TLS it takes.
    async fn target(&self, asks: bool) -> SocketAddr {
        let acceptor = self.acceptor(asks);
        listen(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                if head(&mut stream).await.is_some() {
                    let _ = stream.write_all(OK).await;
                    let _ = stream.shutdown().await;
                }
            }
        })
        .await
    }
}

/// Serves each connection to a loopback address.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// The head of a request; `None` where the connection ends before.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// The heads of requests that a proxy was sent.
type Heads = Arc<Mutex<Vec<String>>>;

/// Opens a way to whatever `CONNECT` names, or gives `answer`.
async fn tunnel(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Option<&'static [u8]>,
    heads: Heads,
) {
    let Some(head) = head(&mut stream).await else { return };
    heads.lock().push(head.clone());
    if let Some(answer) = answer {
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
        return;
    }
    let address = head.split(' ').nth(1).unwrap();
    let mut target = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
}

/// A proxy, and what it was sent.
async fn proxy(answer: Option<&'static [u8]>) -> (SocketAddr, Heads) {
    let heads = Heads::default();
    let noted = Arc::clone(&heads);
    (listen(move |stream| tunnel(stream, answer, Arc::clone(&noted))).await, heads)
}

fn behind(profile: ConnectionProfile, scheme: &str, proxy: SocketAddr) -> ConnectionProfile {
    let proxy = Some(ProxyServer { url: format!("{scheme}://{proxy}"), user: None });
    ConnectionProfile { proxy, ..profile }
}

/// The same profile with a user for its proxy.
fn with_user(profile: ConnectionProfile, private: &Private) -> ConnectionProfile {
    let name = SecretRef::file(private.write("user", "us:er\n"));
    let password = SecretRef::file(private.write("password", "pa@ss/s3cret\n"));
    let proxy = profile.proxy.unwrap();
    let user = Some(ProxyUser { name, password });
    ConnectionProfile { proxy: Some(ProxyServer { user, ..proxy }), ..profile }
}

/// Whether the head of a request shows the user of [`with_user`] to a proxy.
fn shows_user(head: &str) -> bool {
    // `us:er:pa@ss/s3cret`
    let shown = "proxy-authorization: Basic dXM6ZXI6cGFAc3MvczNjcmV0";
    head.lines().any(|line| line.eq_ignore_ascii_case(shown))
}

fn transport() -> HttpTransport {
    HttpTransport::new(Arc::new(SystemClock::default())).unwrap()
}

fn get(scheme: &str, target: SocketAddr, profile: &ConnectionProfile) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        url: Text::Plain(format!("{scheme}://{target}/path")),
        headers: Vec::new(),
        credential: Credential::None,
        body: String::new(),
        wants: ReplyBody::Unread,
        connection: Some(Arc::new(profile.clone())),
    }
}

/// The status of the answer, or why there is none.
async fn outcome(transport: &HttpTransport, request: &HttpRequest) -> Result<u16, String> {
    let sent = transport.send(request, &mut Exposed::default()).await.unwrap();
    if let Reply::Http(reply) = sent {
        return Ok(reply.status);
    }
    let Reply::Failed { kind, detail } = sent else { panic!("{sent:?}") };
    Err(format!("{kind}: {detail}"))
}

async fn call(target: SocketAddr, profile: &ConnectionProfile) -> Result<u16, String> {
    outcome(&transport(), &get("https", target, profile)).await
}

const UNTRUSTED: &str = "network: the certificate of the target is not trusted: no known authority \
                         has issued it";

#[tokio::test]
async fn a_private_authority_is_believed_by_the_profile_that_names_it_alone() {
    let (private, other) = (Private::new(), Private::new());
    let target = private.target(false).await;
    assert_eq!(call(target, &private.profile()).await, Ok(200));
    for profile in [ConnectionProfile::default(), other.profile()] {
        assert_eq!(call(target, &profile).await.unwrap_err(), UNTRUSTED);
    }
    let tls = TlsProfile { is_unverified: true, ..TlsProfile::default() };
    assert_eq!(call(target, &ConnectionProfile { tls, proxy: None }).await, Ok(200));
}

#[tokio::test]
async fn a_target_that_asks_for_a_certificate_gets_the_one_of_the_profile() {
    let private = Private::new();
    let target = private.target(true).await;
    let without = private.profile();
    assert!(call(target, &without).await.is_err());
    let client = Some(private.client());
    let with = ConnectionProfile { tls: TlsProfile { client, ..without.tls }, proxy: None };
    assert_eq!(call(target, &with).await, Ok(200));
}

#[tokio::test]
async fn a_changed_file_is_used_from_the_next_call_on_and_a_broken_one_is_not() {
    let (old, new) = (Private::new(), Private::new());
    let (at_old, at_new) = (old.target(false).await, new.target(false).await);
    let (transport, profile) = (transport(), old.profile());
    let call = async |target| outcome(&transport, &get("https", target, &profile)).await;
    assert_eq!(call(at_old).await, Ok(200));
    old.write("ca", "half a certificate");
    assert_eq!(call(at_old).await, Ok(200));
    std::fs::remove_file(profile.tls.ca.as_ref().unwrap()).unwrap();
    assert_eq!(call(at_old).await, Ok(200));
    old.write("ca", &new.issuer.pem());
    assert_eq!(call(at_new).await, Ok(200));
    assert_eq!(call(at_old).await.unwrap_err(), UNTRUSTED);
}

#[tokio::test]
async fn a_profile_that_was_never_whole_sends_nothing_and_names_the_file() {
    let private = Private::new();
    let target = private.target(false).await;
    let profile = private.profile();
    let other = Private::new();
    let client = Some(ClientCertificate { key: other.client().key, ..private.client() });
    let long = "x".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1);
    let with_ca = |ca: PathBuf| TlsProfile { ca: Some(ca), ..TlsProfile::default() };
    let rows = [
        (with_ca("/nonexistent/ca".into()), "tls.ca_file /nonexistent/ca cannot be read"),
        (with_ca(private.write("junk", "x")), "junk: it holds no certificate in PEM"),
        (with_ca(private.write("long", &long)), "is longer than 1048576 bytes"),
        (TlsProfile { client, ..profile.tls }, "key: its key is not that of the certificate"),
    ];
    for (tls, words) in rows {
        let told = call(target, &ConnectionProfile { tls, proxy: None }).await.unwrap_err();
        assert!(told.starts_with("credentials: ") && told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn https_goes_through_a_proxy_that_is_shown_its_user() {
    let private = Private::new();
    let target = private.target(false).await;
    let (proxy, heads) = proxy(None).await;
    let profile = with_user(behind(private.profile(), "http", proxy), &private);
    let mut exposed = Exposed::default();
    let reply = transport().send(&get("https", target, &profile), &mut exposed).await.unwrap();
    assert!(matches!(&reply, Reply::Http(reply) if reply.status == 200), "{reply:?}");
    let heads = heads.lock();
    assert!(heads[0].starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")), "{heads:?}");
    assert!(shows_user(&heads[0]), "{heads:?}");
    assert_eq!(exposed.cut("us:er pa@ss/s3cret"), "[secret] [secret]");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_from_a_target_and_a_407_is_an_answer() {
    let target = Private::new().target(false).await;
    let rows: [(&[u8], Result<u16, &str>); 3] = [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Ok(407)),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", Err("no connection: the proxy opened no way")),
        (b"", Err("no connection: the proxy ended it without an answer")),
    ];
    for (answer, expected) in rows {
        let (proxy, _) = proxy(Some(answer)).await;
        let found = call(target, &behind(ConnectionProfile::default(), "http", proxy)).await;
        match (&found, expected) {
            (Err(told), Err(words)) => {
                assert!(told.starts_with("network: ") && told.contains(words), "{told}");
            }
            (found, expected) => assert_eq!(*found, expected.map_err(str::to_owned)),
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let rows = [
        ("http", "network: the proxy refused the connection"),
        ("https", "network: the proxy refused the connection"),
        ("socks5", "network: no connection through the proxy"),
    ];
    for (scheme, words) in rows {
        let told = call(target, &behind(ConnectionProfile::default(), scheme, closed)).await;
        assert_eq!(told.unwrap_err(), words, "{scheme}");
    }
}

#[tokio::test]
async fn http_is_handed_to_a_proxy_whole_with_its_user() {
    let private = Private::new();
    let (proxy, heads) = proxy(Some(OK)).await;
    let profile = with_user(behind(ConnectionProfile::default(), "http", proxy), &private);
    let nowhere = SocketAddr::from(([192, 0, 2, 1], 80));
    assert_eq!(outcome(&transport(), &get("http", nowhere, &profile)).await, Ok(200));
    let heads = heads.lock();
    assert!(heads[0].starts_with("GET http://192.0.2.1/path HTTP/1.1\r\n"), "{heads:?}");
    assert!(shows_user(&heads[0]), "{heads:?}");
}

/// The files of `tls` hold for both: the documents say so.
#[tokio::test]
async fn tls_with_an_https_proxy_is_under_the_same_profile_as_that_with_the_target() {
    let private = Private::new();
    let target = private.target(false).await;
    let (acceptor, heads) = (private.acceptor(true), Heads::default());
    let noted = Arc::clone(&heads);
    let proxy = listen(move |stream| {
        let (acceptor, heads) = (acceptor.clone(), Arc::clone(&noted));
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            tunnel(stream, None, heads).await;
        }
    })
    .await;
    let client = Some(private.client());
    let profile = private.profile();
    let tls = TlsProfile { client, ..profile.tls.clone() };
    let whole = behind(ConnectionProfile { tls, proxy: None }, "https", proxy);
    assert_eq!(call(target, &whole).await, Ok(200));
    assert_eq!(heads.lock().len(), 1);
    let told = call(target, &behind(ConnectionProfile::default(), "https", proxy)).await;
    let told = told.unwrap_err();
    assert!(told.contains("the certificate of the proxy is not trusted"), "{told}");
}

/// One SOCKS 5 server (RFC 1928) that asks for a user (RFC 1929).
async fn socks(mut stream: TcpStream, users: Heads) -> Option<()> {
    let text = async |stream: &mut TcpStream| {
        let mut text = vec![0; usize::from(stream.read_u8().await.ok()?)];
        stream.read_exact(&mut text).await.ok()?;
        String::from_utf8(text).ok()
    };
    assert_eq!(stream.read_u8().await.ok()?, 5);
    let methods = text(&mut stream).await?;
    assert!(methods.contains('\u{2}'), "{methods:?}");
    stream.write_all(&[5, 2]).await.ok()?;
    assert_eq!(stream.read_u8().await.ok()?, 1);
    let (name, password) = (text(&mut stream).await?, text(&mut stream).await?);
    users.lock().push(format!("{name} {password}"));
    stream.write_all(&[1, 0]).await.ok()?;
    let mut request = [0; 10];
    stream.read_exact(&mut request).await.ok()?;
    assert_eq!(request[..4], [5, 1, 0, 1]);
    let address: [u8; 4] = request[4..8].try_into().unwrap();
    let port = u16::from_be_bytes([request[8], request[9]]);
    let mut target = TcpStream::connect((std::net::Ipv4Addr::from(address), port)).await.ok()?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    tokio::io::copy_bidirectional(&mut stream, &mut target).await.ok()?;
    Some(())
}

#[tokio::test]
async fn socks_proxies_are_shown_their_user_too() {
    let private = Private::new();
    let target = private.target(false).await;
    let users = Heads::default();
    let noted = Arc::clone(&users);
    let proxy = listen(move |stream| {
        let users = Arc::clone(&noted);
        async move {
            socks(stream, users).await;
        }
    })
    .await;
    for scheme in ["socks5", "socks5h"] {
        let profile = with_user(behind(private.profile(), scheme, proxy), &private);
        assert_eq!(call(target, &profile).await, Ok(200), "{scheme}");
    }
    assert_eq!(*users.lock(), ["us:er pa@ss/s3cret", "us:er pa@ss/s3cret"]);
}
