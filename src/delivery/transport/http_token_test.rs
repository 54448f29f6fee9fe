//! Requests with a token: one exchange for all of them, another one where the token is refused.

use super::*;
use crate::clock::{SystemClock, Timestamp};
use crate::integration::github::AppInstallation;
use crate::secret::SecretRef;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use parking_lot::Mutex;
use std::future::ready;
use tokio::net::TcpListener;

const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/rsa-pkcs1.pem");

/// A GitHub of one App. It makes the tokens `t1`, `t2` and so on.
#[derive(Default)]
struct Forge {
    /// The answer to who asks for a token, unless it is one.
    no_token: Option<StatusCode>,
    /// Tokens that are not accepted.
    refused: Vec<&'static str>,
    /// Signed tokens that were exchanged.
    exchanged: Mutex<Vec<String>>,
    /// Tokens that calls came with.
    calls: Mutex<Vec<String>>,
}

fn bearer(headers: &axum::http::HeaderMap) -> String {
    let value = headers["authorization"].to_str().unwrap();
    value.strip_prefix("Bearer ").unwrap().to_owned()
}

async fn make_token(
    State(forge): State<Arc<Forge>>,
    headers: axum::http::HeaderMap,
) -> axum::response::Response {
    let signed = bearer(&headers);
    let mut exchanged = forge.exchanged.lock();
    exchanged.push(signed.clone());
    if let Some(status) = forge.no_token {
        return (status, format!(r#"{{"message":"bad credential {signed}"}}"#)).into_response();
    }
    let token = format!("t{}", exchanged.len());
    let body = format!(r#"{{"token":"{token}","expires_at":"2096-01-01T00:00:00Z"}}"#);
    (StatusCode::CREATED, body).into_response()
}

async fn take_call(State(forge): State<Arc<Forge>>, headers: axum::http::HeaderMap) -> StatusCode {
    let token = bearer(&headers);
    let is_refused = forge.refused.iter().any(|refused| *refused == token);
    forge.calls.lock().push(token);
    if is_refused { StatusCode::UNAUTHORIZED } else { StatusCode::NO_CONTENT }
}

/// Starts a forge, and gives the address of its REST API.
async fn start(forge: Forge) -> (Arc<Forge>, String) {
    let forge = Arc::new(forge);
    let routes = axum::Router::new()
        .route("/app/installations/7/access_tokens", post(make_token))
        .route("/call", get(take_call))
        .with_state(Arc::clone(&forge));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (forge, root)
}

fn call_with_key(root: &str, key: &str) -> HttpRequest {
    let app = AppInstallation { app_id: 42, installation_id: 7, private_key: SecretRef::file(key) };
    HttpRequest {
        method: Method::Get,
        url: Text::Plain(format!("{root}/call")),
        headers: Vec::new(),
        credential: app.credential(root),
        body: String::new(),
        wants: ReplyBody::Unread,
        connection: None,
    }
}

fn transport() -> HttpTransport {
    HttpTransport::new(Arc::new(SystemClock::default())).unwrap()
}

async fn status_of(transport: &HttpTransport, request: &HttpRequest) -> u16 {
    let reply = transport.send(request, &mut Exposed::default()).await.unwrap();
    let Reply::Http(reply) = reply else { panic!("{reply:?}") };
    reply.status
}

fn taken(list: &Mutex<Vec<String>>) -> Vec<String> {
    list.lock().clone()
}

#[tokio::test]
async fn calls_at_the_same_time_and_later_ones_share_one_exchange() {
    let (forge, root) = start(Forge::default()).await;
    let (transport, request) = (transport(), call_with_key(&root, KEY));
    let calls = (0..8).map(|_| status_of(&transport, &request));
    assert_eq!(futures_util::future::join_all(calls).await, [204; 8]);
    assert_eq!(status_of(&transport, &request).await, 204);
    assert_eq!(taken(&forge.calls), ["t1"; 9]);
    assert_eq!(taken(&forge.exchanged).len(), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_made_once_more() {
    let (forge, root) = start(Forge { refused: vec!["t1"], ..Forge::default() }).await;
    let (transport, request) = (transport(), call_with_key(&root, KEY));
    assert_eq!(status_of(&transport, &request).await, 204);
    assert_eq!(status_of(&transport, &request).await, 204);
    assert_eq!(taken(&forge.calls), ["t1", "t2", "t2"]);
    assert_eq!(taken(&forge.exchanged).len(), 2);
}

#[tokio::test]
async fn a_target_that_refuses_every_token_is_heard_after_two() {
    let (forge, root) = start(Forge { refused: vec!["t1", "t2"], ..Forge::default() }).await;
    let (transport, request) = (transport(), call_with_key(&root, KEY));
    assert_eq!(status_of(&transport, &request).await, 401);
    assert_eq!(taken(&forge.calls), ["t1", "t2"]);
    // The second one is not kept either.
    assert_eq!(status_of(&transport, &request).await, 204);
    assert_eq!(taken(&forge.calls), ["t1", "t2", "t3"]);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_failure_is_that_of_the_exchange() {
    let rows = [
        (StatusCode::UNAUTHORIZED, FailureKind::Auth, Retryability::Permanent),
        (StatusCode::FORBIDDEN, FailureKind::Auth, Retryability::Permanent),
        (StatusCode::SERVICE_UNAVAILABLE, FailureKind::Server, Retryability::Temporary),
    ];
    for (status, kind, retryability) in rows {
        let (forge, root) = start(Forge { no_token: Some(status), ..Forge::default() }).await;
        let request = call_with_key(&root, KEY);
        let failure = transport().send(&request, &mut Exposed::default()).await.unwrap_err();
        assert_eq!((failure.kind, failure.retryability), (kind, retryability), "{status}");
        let said = format!("no token: status {}: bad credential [secret]", status.as_u16());
        assert_eq!(failure.detail(), said);
        assert_eq!(taken(&forge.calls), [""; 0]);
    }
}

#[tokio::test]
async fn no_way_to_the_exchange_or_back_and_an_unreadable_key_are_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let breaks_off = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let no_key = concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE");
    let rows = [
        (&closed, KEY, FailureKind::Network, "no token: the target refused the connection"),
        (&breaks_off, KEY, FailureKind::Network, "no token: the connection ended before"),
        (&closed, "/nonexistent/key", FailureKind::Credentials, "no token: secret file <secret /n"),
        (&closed, no_key, FailureKind::Credentials, "it holds no private key"),
    ];
    for (root, key, kind, words) in rows {
        let request = call_with_key(root, key);
        let failure = transport().send(&request, &mut Exposed::default()).await.unwrap_err();
        assert_eq!((failure.kind, failure.retryability), (kind, Retryability::Temporary));
        assert!(failure.detail().contains(words), "{failure}");
    }
}

#[tokio::test]
async fn a_token_is_noted_as_shown() {
    let (_forge, root) = start(Forge::default()).await;
    let (transport, request) = (transport(), call_with_key(&root, KEY));
    let Credential::Exchanged { exchange, .. } = &request.credential else { unreachable!() };
    let token = Token { value: Secret::new("ghs_s3cret"), expires_at: Timestamp(u64::MAX) };
    let key = TokenKey { exchange: exchange.key(), connection: None };
    let kept = transport.tokens.get(&key, &*transport.clock, ready(Ok(token))).await;
    assert!(kept.is_ok());
    let mut exposed = Exposed::default();
    let reply = transport.send(&request, &mut exposed).await.unwrap();
    assert!(matches!(reply, Reply::Http(_)), "{reply:?}");
    assert_eq!(exposed.cut("x ghs_s3cret y"), "x [secret] y");
}
