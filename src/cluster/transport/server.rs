//! The listener for peers: checks the [`Hello`] of each call, then passes the body on.

use super::download;
use super::hello::Hello;
use super::refusal::{Refused, Rejection};
use super::tls::{Channel, PeerTls, REPLACED_GRACE};
use super::unfinished::{FINISH_WITHIN, Unfinished};
use super::{FRAME_BYTES_MAX, HELLO_HEADER, PeerRoute, WINDOW_BYTES};
use axum::body::{Body, Bytes};
use http::{Request, Response, StatusCode};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Concurrent connections of peers: three for each member of the largest cluster, and as many again
/// for changed addresses.
const CONNECTIONS_MAX: usize = 1024;
/// Wait after a failed accept, which means that there are no free file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// What answers calls.
pub(in crate::cluster) trait PeerService: Send + Sync + 'static {
    /// Whether a call is accepted at all. Asked before a large body is read.
    ///
    /// # Errors
    /// The call is refused.
    fn admit(&self, _hello: &Hello, _route: PeerRoute) -> Result<(), Refused> {
        Ok(())
    }

    /// Folder for a large body until it is complete; `None`: in memory.
    fn inbox(&self) -> Option<PathBuf> {
        None
    }

    /// Answers one call, or refuses it.
    fn answer(
        self: Arc<Self>,
        hello: Hello,
        route: PeerRoute,
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
    /// The address is in use or invalid.
    pub async fn bind(address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The bound address, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, which also closes open connections: callers find another
    /// member or retry.
    pub async fn serve<S: PeerService>(
        self,
        service: Arc<S>,
        tls: PeerTls,
        stop: CancellationToken,
    ) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let unfinished = Unfinished::default();
        // Snapshots: one at a time takes the memory for a complete body.
        let receiving = Arc::new(Semaphore::new(1));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "peer connection not accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let (service, stop, tls) = (Arc::clone(&service), stop.clone(), tls.clone());
            let (places, place) = (Arc::clone(&places), unfinished.begin());
            let receiving = Arc::clone(&receiving);
            tokio::spawn(async move {
                let proving = async {
                    tokio::select! {
                        proven = timeout(FINISH_WITHIN, prove(&tls, stream)) => proven.ok(),
                        () = place.lost() => None,
                    }
                };
                let channel = match proving.await {
                    Some(Ok(channel)) => channel,
                    refused => {
                        let error = refused.and_then(Result::err);
                        let reason = error.map_or("too late".to_owned(), |error| error.to_string());
                        return tls.refuse(from, &reason);
                    }
                };
                drop(place);
                let Ok(_place) = places.try_acquire_owned() else { return };
                tokio::select! {
                    () = serve_connection(channel, receiving, service) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    }
}

async fn prove(tls: &PeerTls, stream: TcpStream) -> std::io::Result<Channel> {
    stream.set_nodelay(true)?;
    tls.accept(stream).await
}

async fn serve_connection<S: PeerService>(
    channel: Channel,
    receiving: Arc<Semaphore>,
    service: Arc<S>,
) {
    let Channel { io, is_proven, replaced } = channel;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    builder.initial_stream_window_size(WINDOW_BYTES);
    builder.initial_connection_window_size(WINDOW_BYTES);
    builder.max_frame_size(FRAME_BYTES_MAX);
    let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
        let service = Arc::clone(&service);
        let receiving = Arc::clone(&receiving);
        async move {
            let answered = dispatch(request, (is_proven, &receiving), service).await;
            Ok::<_, Infallible>(response(answered))
        }
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(io), answer));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = replaced.cancelled() => {
            serving.as_mut().graceful_shutdown();
            timeout(REPLACED_GRACE, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        debug!(%error, "peer connection ended early");
    }
}

async fn dispatch<S: PeerService>(
    request: Request<hyper::body::Incoming>,
    (is_proven, receiving): (bool, &Semaphore),
    service: Arc<S>,
) -> Result<Vec<u8>, Refused> {
    let malformed = |part: &str| Refused::malformed(part);
    let route = PeerRoute::from_path(request.uri().path()).ok_or_else(|| malformed("path"))?;
    let header = request.headers().get(HELLO_HEADER);
    let hello = header.and_then(|header| Hello::decode(header.as_bytes()));
    let hello = Hello { is_proven, ..hello.ok_or_else(|| malformed("hello"))? };
    if let (PeerRoute::Snapshot, Some(folder)) = (route, service.inbox()) {
        service.admit(&hello, route)?;
        let one = receiving.try_acquire().map_err(|_| malformed("a second snapshot at once"))?;
        let body = Body::new(request.into_body());
        let body = download::received(body, &folder, route.body_bytes_max()).await?;
        let answered = service.answer(hello, route, body).await;
        drop(one);
        return answered;
    }
    let body = axum::body::to_bytes(Body::new(request.into_body()), route.body_bytes_max());
    let body = body.await.map_err(|_| malformed("body"))?;
    service.answer(hello, route, body).await
}

fn response(answer: Result<Vec<u8>, Refused>) -> Response<Body> {
    match answer {
        Ok(body) => Response::new(Body::from(body)),
        Err(refused) => {
            let mut response = Response::new(Body::from(Rejection::from(&refused).encode()));
            *response.status_mut() = StatusCode::CONFLICT;
            response
        }
    }
}
