use super::super::cause::OtherEnd;
use super::*;
use crate::clock::SystemClock;
use crate::integration::{Credential, Text};
use crate::secret::SecretRef;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn transport() -> HttpTransport {
    HttpTransport::new(Arc::new(SystemClock::default())).unwrap()
}

fn post(url: Text, credential: Credential) -> HttpRequest {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let (method, body) = (Method::Post, "{}".to_owned());
    let (wants, connection) = (ReplyBody::Glance(64), None);
    HttpRequest { method, url, headers, credential, body, wants, connection }
}

async fn reply_to(request: &HttpRequest) -> Reply {
    transport().send(request, &mut Exposed::default()).await.unwrap()
}

async fn answer_to(request: &HttpRequest) -> HttpReply {
    let reply = reply_to(request).await;
    let Reply::Http(answer) = reply else { panic!("no answer: {reply:?}") };
    answer
}

async fn failure_of(url: String) -> (FailureKind, String) {
    let reply = reply_to(&post(Text::Plain(url), Credential::None)).await;
    let Reply::Failed { kind, detail } = reply else { panic!("no failure: {reply:?}") };
    (kind, detail)
}

/// Answers one connection after the other, each with one request, and gives the requests.
async fn serve(answers: Vec<Vec<u8>>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{}") {
                let mut buffer = [0; 1024];
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            // Whoever wants no more of an answer closes the connection.
            let _ = stream.write_all(&answer).await;
            requests.push(String::from_utf8(request).unwrap());
        }
        requests
    });
    (address, server)
}

async fn serve_once(answer: &[u8]) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    serve(vec![answer.to_vec()]).await
}

fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .into_bytes()
}

fn token(folder: &tempfile::TempDir) -> Credential {
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    Credential::Bearer(SecretRef::file(token))
}

#[tokio::test]
async fn a_request_carries_its_secret_and_the_answer_comes_back_whole() {
    let (address, server) =
        serve_once(b"HTTP/1.1 201 Created\r\nX-Id: 7\r\ncontent-length: 2\r\n\r\nok").await;
    let folder = tempfile::tempdir().unwrap();
    let url = Text::Plain(format!("http://{address}/hook?x=1"));
    let mut exposed = Exposed::default();
    let reply = transport().send(&post(url, token(&folder)), &mut exposed).await.unwrap();
    let Reply::Http(reply) = reply else { panic!("{reply:?}") };
    assert_eq!((reply.status, reply.header("x-id"), reply.body.as_str()), (201, Some("7"), "ok"));
    assert!(!reply.is_cut && reply.credential.is_some());
    let requests = server.await.unwrap();
    assert!(requests[0].starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[0].contains("authorization: Bearer s3cret\r\n"), "{requests:?}");
    assert_eq!(exposed.cut("s3cret s3cret"), "[secret] [secret]");
}

#[tokio::test]
async fn a_redirect_within_the_host_keeps_method_body_and_credential() {
    for status in [301, 307, 308] {
        let ok = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n".to_vec();
        let (address, server) = serve(vec![redirect(status, "/repositories/42"), ok]).await;
        let folder = tempfile::tempdir().unwrap();
        let url = Text::Plain(format!("http://{address}/repos/acme/app"));
        let reply = answer_to(&post(url, token(&folder))).await;
        assert_eq!((reply.status, reply.unfollowed), (201, None));
        let requests = server.await.unwrap();
        assert!(requests[1].starts_with("POST /repositories/42 HTTP/1.1\r\n"), "{requests:?}");
        assert!(requests[1].contains("authorization: Bearer s3cret\r\n"), "{requests:?}");
        assert!(requests[1].ends_with("\r\n\r\n{}"), "{requests:?}");
    }
}

#[tokio::test]
async fn a_redirect_to_another_server_is_an_answer_and_sends_nothing() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = format!("http://{}/x", other.local_addr().unwrap());
    let rows = [
        (redirect(307, &elsewhere), Unfollowed::OtherHost),
        (redirect(302, "/x"), Unfollowed::MethodChanges),
        (b"HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n\r\n".to_vec(), Unfollowed::NoLocation),
    ];
    for (answer, unfollowed) in rows {
        let (address, _server) = serve_once(&answer).await;
        let url = Text::Plain(format!("http://{address}/"));
        let reply = answer_to(&post(url, Credential::None)).await;
        assert_eq!(reply.unfollowed, Some(unfollowed));
    }
    let call = futures_util::FutureExt::now_or_never(other.accept());
    assert!(call.is_none(), "somebody called");
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let circle = vec![redirect(308, "/again"); REDIRECTS_MAX + 1];
    let (address, server) = serve(circle).await;
    let url = Text::Plain(format!("http://{address}/"));
    let reply = answer_to(&post(url, Credential::None)).await;
    assert_eq!((reply.status, reply.unfollowed), (308, Some(Unfollowed::TooMany)));
    assert_eq!(server.await.unwrap().len(), REDIRECTS_MAX + 1);
}

#[tokio::test]
async fn the_part_of_a_secret_address_that_a_redirect_names_is_noted() {
    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec();
    let (address, _server) = serve(vec![redirect(308, "/hooks/s3cretpart"), ok]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, format!("http://{address}/hooks/f1rstpart")).unwrap();
    let mut exposed = Exposed::default();
    let request = post(Text::Secret(SecretRef::file(file)), Credential::None);
    transport().send(&request, &mut exposed).await.unwrap();
    assert_eq!(exposed.cut("f1rstpart, s3cretpart"), "[secret], [secret]");
}

#[tokio::test]
async fn what_is_wrong_on_the_way_to_a_target_is_said_without_the_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let speaks_http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let speaks_plainly = speaks_http.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = speaks_http.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let (speaks_odd, _server) = serve_once(b"SSH-2.0-x\r\n\r\n").await;
    let rows = [
        (format!("http://{closed}/top-s3cret"), FailureKind::Network, "refused the connection"),
        ("http://no-such-name.invalid/".to_owned(), FailureKind::Network, "could not be resolved"),
        (format!("https://{speaks_plainly}/"), FailureKind::Network, "does not speak TLS"),
        (format!("http://{speaks_odd}/"), FailureKind::Timeout, "did not answer in HTTP"),
        ("ftp://127.0.0.1/".to_owned(), FailureKind::Credentials, "http or https"),
        ("no url".to_owned(), FailureKind::Credentials, "not a URL"),
    ];
    for (url, kind, words) in rows {
        let (found, detail) = failure_of(url.clone()).await;
        assert!(found == kind && detail.contains(words), "{url}: {found} {detail}");
        assert!(!detail.contains("s3cret") && !detail.contains("127.0.0.1"), "{detail}");
    }
}

/// A TLS server whose certificate is for `names` and ends in `valid_until`, answering nothing.
async fn tls_server(names: &[&str], valid_until: (i32, u8, u8)) -> u16 {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    let (year, month, day) = valid_until;
    params.not_after = rcgen::date_time_ymd(year, month, day);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    port
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_said_to_be_so() {
    let port = tls_server(&["localhost", "127.0.0.1"], (2096, 1, 1)).await;
    for host in ["localhost", "127.0.0.1"] {
        let (kind, detail) = failure_of(format!("https://{host}:{port}/top-s3cret")).await;
        assert_eq!(kind, FailureKind::Network);
        assert!(detail.starts_with("the certificate of the target is not trusted"), "{detail}");
    }
}

#[test]
fn each_fault_of_a_certificate_has_its_words() {
    use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
    let certificate = Error::InvalidCertificate;
    let rows = [
        (certificate(CertificateError::UnknownIssuer), "not trusted: no known authority"),
        (certificate(CertificateError::Expired), "has expired"),
        (certificate(CertificateError::NotValidYet), "not valid yet"),
        (certificate(CertificateError::NotValidForName), "for another name"),
        (certificate(CertificateError::Revoked), "was revoked"),
        (certificate(CertificateError::BadEncoding), "not trusted"),
        (Error::AlertReceived(AlertDescription::CertificateRequired), "client certificate"),
        (Error::AlertReceived(AlertDescription::ProtocolVersion), "ProtocolVersion"),
        (PeerIncompatible::Tls12NotOffered.into(), "version or cipher"),
        (Error::DecryptError, "the TLS handshake failed"),
    ];
    for (error, words) in rows {
        let said = super::super::cause::handshake(&error, OtherEnd::Target);
        assert!(said.contains(words), "{error}: {said}");
    }
}

#[tokio::test]
async fn a_good_status_is_an_answer_also_where_the_body_breaks_off() {
    for wants in [ReplyBody::Glance(1024), ReplyBody::Unread] {
        let (address, _server) =
            serve_once(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf").await;
        let url = Text::Plain(format!("http://{address}/"));
        let reply = answer_to(&HttpRequest { wants, ..post(url, Credential::None) }).await;
        assert_eq!((reply.status, reply.is_cut), (200, true));
    }
    let (address, _server) = serve_once(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf").await;
    let url = Text::Plain(format!("http://{address}/"));
    let whole = HttpRequest { wants: ReplyBody::Whole, ..post(url, Credential::None) };
    let reply = reply_to(&whole).await;
    assert!(matches!(reply, Reply::Failed { kind: FailureKind::Timeout, .. }), "{reply:?}");
}

#[tokio::test]
async fn no_more_of_an_answer_is_kept_than_was_asked_for() {
    let long = |status: &str| {
        let body = "x".repeat(DRAIN_BYTES_MAX + COMPLAINT_BYTES_MAX);
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let rows = [
        ("200 OK", ReplyBody::Unread, 0),
        ("200 OK", ReplyBody::Glance(100), 100),
        ("500 Oh", ReplyBody::Unread, COMPLAINT_BYTES_MAX),
        ("500 Oh", ReplyBody::Whole, COMPLAINT_BYTES_MAX),
    ];
    for (status, wants, kept) in rows {
        let (address, _server) = serve_once(&long(status)).await;
        let url = Text::Plain(format!("http://{address}/"));
        let reply = answer_to(&HttpRequest { wants, ..post(url, Credential::None) }).await;
        assert_eq!((reply.body.len(), reply.is_cut), (kept, true), "{status} {wants:?}");
    }
}

#[tokio::test]
async fn a_missing_secret_is_a_credentials_failure() {
    let url = Text::Secret(SecretRef::file("/nonexistent/url"));
    let reply = reply_to(&post(url, Credential::None)).await;
    assert!(matches!(reply, Reply::Failed { kind: FailureKind::Credentials, .. }), "{reply:?}");
}
