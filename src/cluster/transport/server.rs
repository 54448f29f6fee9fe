//! The listener for peers: checks the [`Hello`] of each call, then hands the body on.

use super::hello::{Hello, Refused};
use super::{FRAME_BYTES_MAX, HELLO_HEADER, Route, WINDOW_BYTES};
use axum::body::{Body, Bytes};
use http::{Request, Response, StatusCode};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections at once: three for each member of the largest cluster, and as many again from
/// addresses that were resolved anew.
const CONNECTIONS_MAX: usize = 1024;
/// Wait after a failed accept, which means that file descriptors ran out.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// What answers calls.
pub(in crate::cluster) trait PeerService: Send + Sync + 'static {
    /// Answers one call, or refuses it.
    fn answer(
        self: Arc<Self>,
        hello: Hello,
        route: Route,
        body: Bytes,
    ) -> impl Future<Output = Result<Vec<u8>, Refused>> + Send;
}

/// A bound listener for peers.
pub(in crate::cluster) struct PeerListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl PeerListener {
    /// Binds `HOST:PORT`.
    ///
    /// # Errors
    /// The address is taken or is none.
    pub async fn bind(address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The bound address, with the port the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, which also cuts open connections: callers find another
    /// member or come again.
    pub async fn serve<S: PeerService>(self, service: Arc<S>, stop: CancellationToken) {
        let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "peer connection not accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (service, stop) = (Arc::clone(&service), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = serve_connection(stream, service) => {}
                    () = stop.cancelled() => {}
                }
                drop(place);
            });
        }
    }
}

async fn serve_connection<S: PeerService>(stream: TcpStream, service: Arc<S>) {
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    builder.initial_stream_window_size(WINDOW_BYTES);
    builder.initial_connection_window_size(WINDOW_BYTES);
    builder.max_frame_size(FRAME_BYTES_MAX);
    let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(response(dispatch(request, service).await)) }
    });
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), answer).await {
        debug!(%error, "peer connection ended early");
    }
}

async fn dispatch<S: PeerService>(
    request: Request<hyper::body::Incoming>,
    service: Arc<S>,
) -> Result<Vec<u8>, Refused> {
    let malformed = |what: &str| Refused::Malformed(what.to_owned());
    let route = Route::from_path(request.uri().path()).ok_or_else(|| malformed("path"))?;
    let header = request.headers().get(HELLO_HEADER);
    let hello = header.and_then(|header| Hello::decode(header.as_bytes()));
    let hello = hello.ok_or_else(|| malformed("hello"))?;
    let body = axum::body::to_bytes(Body::new(request.into_body()), route.body_bytes_max());
    let body = body.await.map_err(|_| malformed("body"))?;
    service.answer(hello, route, body).await
}

fn response(answer: Result<Vec<u8>, Refused>) -> Response<Body> {
    match answer {
        Ok(body) => Response::new(Body::from(body)),
        Err(refused) => {
            let mut response = Response::new(Body::from(refused.encode()));
            *response.status_mut() = StatusCode::CONFLICT;
            response
        }
    }
}
