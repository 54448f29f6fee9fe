//! A listener: accepts connections, bounds how many there are and how long they wait for their
//! caller, and drains.

use super::connections::{Call, Connections, Place};
use super::tls::TlsFiles;
use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustix::process::{Resource, getrlimit};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

/// A connection that sends no whole request head in this time is closed without an answer.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that may still finish after the listener closed.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Wait after a failed accept, which means that file descriptors ran out.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Between two looks for connections that have waited long enough.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);
/// Between two warnings about connections that were not accepted: strangers decide how many.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Connections of one listener at once: Tekton's controllers, brokers and operators need a few.
const CONNECTIONS_MAX: usize = 1024;
/// With fewer no replica could be asked how it is.
const CONNECTIONS_MIN: usize = 16;
/// Descriptors that are kept for peers, calls to targets, log, spool and snapshots.
const DESCRIPTORS_RESERVED: u64 = 512;
/// What a listener keeps of a request before it is asked for. Longer heads are refused with 431.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// What arrives on an HTTP/2 connection before it is asked for, in sum and of one request.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;
/// A caller that is gone is noticed after the sum of these.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_MAX: Duration = Duration::from_secs(10);

/// The address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ServerError {
    address: String,
    #[source]
    source: std::io::Error,
}

/// A bound listener.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<TlsFiles>>,
}

impl Server {
    /// Looks whether the certificate has changed.
    fn reload(&self) {
        if let Some(tls) = self.tls.clone() {
            tokio::task::spawn_blocking(move || tls.reload());
        }
    }

    /// Binds `address`; `:8080` means every interface.
    ///
    /// # Errors
    /// The address is taken or is none.
    pub async fn bind(address: &str) -> Result<Self, ServerError> {
        let full =
            if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
        let failed = |source| ServerError { address: full.clone(), source };
        let listener = TcpListener::bind(&full).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, tls: None })
    }

    /// The same, with what connections have to begin with.
    #[must_use]
    pub fn with_tls(self, tls: Option<Arc<TlsFiles>>) -> Self {
        Self { tls, ..self }
    }

    /// The bound address, with the port the system chose where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then lets open requests finish for a bounded time.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let connections = Connections::new(connections_max(getrlimit(Resource::Nofile).current));
        let tasks = TaskTracker::new();
        let mut expire = tokio::time::interval(EXPIRE_EVERY);
        expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refused = Refused::default();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                now = expire.tick() => {
                    connections.expire(now);
                    self.reload();
                    continue;
                }
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => match connections.admit(Instant::now()) {
                    Some(place) => {
                        let (router, stop) = (router.clone(), stop.clone());
                        let acceptor = self.tls.as_ref().map(|tls| tls.acceptor());
                        tasks.spawn(async move {
                            let cut = place.cut.clone();
                            let _ = stream.set_nodelay(true);
                            tokio::select! {
                                io = secured(stream, peer, acceptor) => if let Some(io) = io {
                                    serve_connection((io, peer), place, router, stop).await;
                                },
                                () = cut.cancelled() => {}
                            }
                        });
                    }
                    None => refused.tell("every connection is being worked on"),
                },
                Err(error) => {
                    refused.tell(&error.to_string());
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
        tasks.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, tasks.wait()).await.is_err() {
            warn!(open = tasks.len(), "connections were cut at shutdown");
        }
    }
}

/// A connection as the sender secured it, and whether it has shown a certificate.
struct Secured {
    io: Either<TcpStream, TlsStream<TcpStream>>,
    has_certificate: bool,
}

/// Shakes hands where TLS is spoken.
async fn secured(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
) -> Option<Secured> {
    let Some(acceptor) = acceptor else {
        return Some(Secured { io: Either::Left(stream), has_certificate: false });
    };
    match acceptor.accept(stream).await {
        Ok(stream) => {
            let has_certificate = stream.get_ref().1.peer_certificates().is_some();
            Some(Secured { io: Either::Right(stream), has_certificate })
        }
        Err(error) => {
            debug!(%peer, %error, "a connection was not secured");
            None
        }
    }
}

/// How many connections leave the reserved descriptors free, of as many as the process may have.
fn connections_max(descriptors: Option<u64>) -> usize {
    let left = descriptors.map_or(u64::MAX, |all| {
        // Of few descriptors half is reserved.
        all.saturating_sub(DESCRIPTORS_RESERVED.min(all / 2))
    });
    usize::try_from(left).unwrap_or(usize::MAX).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}

/// Connections that were not accepted, told now and then.
#[derive(Default)]
struct Refused {
    count: u64,
    told_at: Option<Instant>,
}

impl Refused {
    fn tell(&mut self, reason: &str) {
        self.count += 1;
        if self.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.told_at = Some(Instant::now());
            warn!(reason, refused = self.count, "connection not accepted");
        }
    }
}

async fn serve_connection(
    (secured, address): (Secured, SocketAddr),
    place: Place,
    router: Router,
    stop: CancellationToken,
) {
    let Secured { io, has_certificate } = secured;
    let cut = place.cut.clone();
    let place = Arc::new(place);
    let service = service_fn(move |request: Request<Incoming>| {
        let peer = Peer { place: Arc::clone(&place), has_certificate };
        answer(request, peer, router.clone())
    });
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new());
    http2.keep_alive_interval(PING_EVERY).keep_alive_timeout(PONG_MAX);
    http2.initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    http2.initial_stream_window_size(STREAM_WINDOW_BYTES).max_concurrent_streams(STREAMS_MAX);
    let connection = builder.serve_connection(TokioIo::new(io), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = cut.cancelled() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                served = connection.as_mut() => served,
                () = cut.cancelled() => return,
            }
        }
    };
    if let Err(error) = served {
        debug!(peer = %address, %error, "connection ended early");
    }
}

/// Hands a request to its route. Without a body it is here in whole.
async fn answer(
    request: Request<Incoming>,
    peer: Peer,
    router: Router,
) -> Result<Response<Body>, Infallible> {
    let call = request.body().is_end_stream().then(|| peer.begin());
    if call.is_none() {
        peer.place.receiving(Instant::now());
    }
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request).await;
    drop(call);
    response
}

/// The connection of a request.
#[derive(Clone)]
pub(super) struct Peer {
    place: Arc<Place>,
    /// Whether it has shown a certificate that is believed.
    pub has_certificate: bool,
}

impl Peer {
    /// The request is here in whole: the connection does not give way until the call is dropped.
    pub fn begin(&self) -> Call {
        self.place.begin()
    }

    /// Closes the connection without an answer.
    pub fn cut(&self) {
        self.place.cut.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s07_descriptors_are_left_for_peers_and_disk() {
        assert_eq!(connections_max(None), CONNECTIONS_MAX);
        assert_eq!(connections_max(Some(1 << 20)), CONNECTIONS_MAX);
        assert_eq!(connections_max(Some(1024)), 512);
        assert_eq!(connections_max(Some(256)), 128);
        assert_eq!(connections_max(Some(8)), CONNECTIONS_MIN);
    }
}
