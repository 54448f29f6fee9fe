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
    HttpRequest { method: Method::Post, url, headers, credential, body: "{}".to_owned() }
}

/// Answers one connection with `answer` and returns the request it read.
async fn serve_once(answer: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"{}") {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            request.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(answer).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, server)
}

#[tokio::test]
async fn a_request_carries_its_secret_and_the_answer_comes_back_whole() {
    let (address, server) =
        serve_once(b"HTTP/1.1 201 Created\r\nX-Id: 7\r\ncontent-length: 2\r\n\r\nok").await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let url = Text::Plain(format!("http://{address}/hook?x=1"));
    let reply = transport().send(&post(url, Credential::Bearer(SecretRef::file(token)))).await;
    let Reply::Http(reply) = reply else { panic!("{reply:?}") };
    assert_eq!((reply.status, reply.header("x-id"), reply.body.as_str()), (201, Some("7"), "ok"));
    let request = server.await.unwrap();
    assert!(request.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer s3cret\r\n"), "{request}");
}

#[tokio::test]
async fn redirects_are_answers_not_followed() {
    let (address, _server) = serve_once(
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let url = Text::Plain(format!("http://{address}/"));
    let Reply::Http(reply) = transport().send(&post(url, Credential::None)).await else {
        panic!("no answer")
    };
    assert_eq!(reply.status, 302);
}

#[tokio::test]
async fn a_refused_connection_is_a_network_failure_without_the_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = Text::Plain(format!("http://{address}/top-secret"));
    let Reply::Failed { kind, detail } = transport().send(&post(url, Credential::None)).await
    else {
        panic!("an answer from nobody")
    };
    assert_eq!(kind, FailureKind::Network);
    assert!(!detail.contains("top-secret"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_have_been_taken() {
    let (address, _server) = serve_once(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf").await;
    let url = Text::Plain(format!("http://{address}/"));
    let reply = transport().send(&post(url, Credential::None)).await;
    assert!(matches!(reply, Reply::Failed { kind: FailureKind::Timeout, .. }), "{reply:?}");
}

#[tokio::test]
async fn a_missing_secret_is_a_credentials_failure() {
    let url = Text::Secret(SecretRef::file("/nonexistent/url"));
    let reply = transport().send(&post(url, Credential::None)).await;
    assert!(matches!(reply, Reply::Failed { kind: FailureKind::Credentials, .. }), "{reply:?}");
}
