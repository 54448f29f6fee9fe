//! Calls to peers. One connection for each peer and lane, opened on demand. The name is resolved
//! each time, since a pod returns under its name with another address (rule 30).

use super::hello::Hello;
use super::refusal::{RefusalKind, Rejection};
use super::refusal_log::RefusalLog;
use super::resolve::Lookup;
use super::tls::{Channel, PeerTls, REPLACED_GRACE};
use super::upload::{ProgressTimeout, chunked, lost};
use super::{FRAME_BYTES_MAX, HELLO_HEADER, Lane, PeerRoute, WINDOW_BYTES};
use crate::cluster::data_dir::identity::ClusterId;
use crate::state_machine::NodeId;
use axum::body::{Body, Bytes};
use http::{Request, StatusCode};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// A reachable peer answers a SYN and authenticates in this time; otherwise the next call tries
/// again.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// A connection that misses this many deadlines in a row is closed: after a silent change of
/// address its packets are lost (rule 30).
const MISSED_MAX: u32 = 2;

/// Pings on a connection whose peer works on a long call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pings {
    pub every: Duration,
    /// A peer that does not answer a ping in this time is gone.
    pub within: Duration,
}

/// For snapshots, whose installation may take minutes: the peer answers pings meanwhile. Data
/// queued in the system precedes a ping; 4 MiB take 16 s at 2 Mbit/s.
const SNAPSHOT_PINGS: Pings =
    Pings { every: Duration::from_secs(5), within: Duration::from_secs(20) };

/// The target of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct PeerAddress {
    /// `None`: any node that listens there.
    pub node: Option<NodeId>,
    /// `HOST:PORT`.
    pub address: String,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::cluster) enum CallError {
    /// No connection: the call was not sent.
    #[error("{address} cannot be reached")]
    Unreachable {
        address: String,
        #[source]
        source: std::io::Error,
    },
    /// The connection broke. The peer may have executed the call.
    #[error("the connection to {address} broke")]
    Broken {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time. The peer may have executed the call.
    #[error("no answer from {address} within {within_ms} ms")]
    TimedOut { address: String, within_ms: u128 },
    /// The peer refused the call.
    #[error("{address} refused")]
    Refused {
        address: String,
        #[source]
        source: Rejection,
    },
}

/// An open connection and its number of missed deadlines in a row.
#[derive(Clone)]
struct Open {
    sender: SendRequest<Body>,
    /// Whether the peer is authenticated.
    is_proven: bool,
    /// Cancelled when the keys of the connection are no longer valid.
    replaced: CancellationToken,
    number: u64,
}

#[derive(Default)]
struct Link {
    open: Option<Open>,
    lookup: Lookup,
    opened: u64,
    missed: u32,
}

type Links = BTreeMap<(String, Lane), Arc<tokio::sync::Mutex<Link>>>;

/// The connections to all peers. Clones share them.
#[derive(Clone)]
pub(in crate::cluster) struct Peers {
    shared: Arc<Shared>,
}

struct Shared {
    links: Mutex<Links>,
    hello: Mutex<Hello>,
    rejected_by: tokio::sync::watch::Sender<Option<Rejection>>,
    refusal_log: Mutex<RefusalLog>,
    /// Addresses of live peers in gossip.
    heard: Mutex<BTreeMap<NodeId, IpAddr>>,
    snapshot_pings: Pings,
    tls: PeerTls,
}

impl Peers {
    /// Calls as the node that `hello` names.
    pub fn new(hello: Hello, tls: PeerTls) -> Self {
        Self::pinging(hello, tls, SNAPSHOT_PINGS)
    }

    /// Calls as this node, with these pings for snapshots.
    pub(super) fn pinging(hello: Hello, tls: PeerTls, snapshot_pings: Pings) -> Self {
        let (rejected_by, _) = tokio::sync::watch::channel(None);
        let hello = Mutex::new(hello);
        let (links, refusal_log, heard) = Default::default();
        let shared = Shared { links, hello, rejected_by, refusal_log, heard, snapshot_pings, tls };
        Self { shared: Arc::new(shared) }
    }

    /// Calls as a member of `cluster` from now on.
    pub fn joined(&self, cluster: ClusterId) {
        self.shared.hello.lock().cluster = Some(cluster);
    }

    /// Uses these addresses from now on for peers whose names do not resolve.
    pub fn heard(&self, live: BTreeMap<NodeId, IpAddr>) {
        *self.shared.heard.lock() = live;
    }

    fn heard_at(&self, node: NodeId) -> Option<IpAddr> {
        self.shared.heard.lock().get(&node).copied()
    }

    /// Set once a peer of our cluster said that this node is retired, a copy, or of a build that
    /// cannot read the log.
    pub fn rejected_by(&self) -> tokio::sync::watch::Receiver<Option<Rejection>> {
        self.shared.rejected_by.subscribe()
    }

    /// Records that the cluster itself refused this node.
    pub fn note_removal(&self) {
        let removed = Rejection { kind: RefusalKind::Retired, detail: String::new() };
        self.shared.rejected_by.send_replace(Some(removed));
    }

    /// Makes one call.
    ///
    /// # Errors
    /// There is no answer; the variants say whether the peer may have executed the call.
    pub async fn call(
        &self,
        target: &PeerAddress,
        route: PeerRoute,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Bytes, CallError> {
        let link = self.link(&target.address, route.lane());
        let exchange = self.exchange(target, route, body.into(), &link);
        let answer = tokio::time::timeout(within, exchange).await;
        Self::judged(answer.map_err(|_| within), target, &link).await
    }

    /// Makes one call with a large body, which may last as long as it makes progress.
    ///
    /// # Errors
    /// There is no answer; the variants say whether the peer may have executed the call.
    pub async fn upload(
        &self,
        target: &PeerAddress,
        route: PeerRoute,
        body: Vec<u8>,
        patience: ProgressTimeout,
    ) -> Result<Bytes, CallError> {
        let link = self.link(&target.address, route.lane());
        let (body, taken) = chunked(body.into());
        let answer = tokio::select! {
            answer = self.exchange(target, route, body, &link) => Ok(answer),
            within = lost(patience, taken) => Err(within),
        };
        Self::judged(answer, target, &link).await
    }

    /// The result of a call, or the deadline that it missed.
    async fn judged(
        answer: Result<Result<Bytes, CallError>, Duration>,
        target: &PeerAddress,
        link: &tokio::sync::Mutex<Link>,
    ) -> Result<Bytes, CallError> {
        match answer {
            Ok(answer) => answer,
            Err(within) => {
                missed(link).await;
                let address = target.address.clone();
                Err(CallError::TimedOut { address, within_ms: within.as_millis() })
            }
        }
    }

    /// A refusal ends this process, or is logged for its operator, or is left to the caller.
    fn note(&self, address: &str, refused: &Rejection, is_proven: bool) {
        // An unauthenticated peer cannot end this node.
        if refused.kind.is_final() && is_proven {
            self.shared.rejected_by.send_replace(Some(refused.clone()));
        }
        let refusal_log = &self.shared.refusal_log;
        let mut refusal_log = refusal_log.lock();
        if refusal_log.is_due(address, refused) {
            warn!(peer = address, reason = %refused, "a peer refuses every call of this node");
        }
    }

    /// Whether this refusal was not logged yet.
    #[cfg(test)]
    pub fn is_untold(&self, address: &str, refused: &Rejection) -> bool {
        self.shared.refusal_log.lock().is_due(address, refused)
    }

    /// How many connections were opened for a route, and whether one is open.
    #[cfg(test)]
    pub async fn opened(&self, address: &str, route: PeerRoute) -> (u64, bool) {
        let link = self.link(address, route.lane());
        let link = link.lock().await;
        (link.opened, link.open.is_some())
    }

    fn link(&self, address: &str, lane: Lane) -> Arc<tokio::sync::Mutex<Link>> {
        let mut links = self.shared.links.lock();
        Arc::clone(links.entry((address.to_owned(), lane)).or_default())
    }

    async fn exchange(
        &self,
        target: &PeerAddress,
        route: PeerRoute,
        body: Body,
        link: &tokio::sync::Mutex<Link>,
    ) -> Result<Bytes, CallError> {
        let pings = (route.lane() == Lane::Snapshot).then_some(self.shared.snapshot_pings);
        let heard = target.node.and_then(|node| self.heard_at(node));
        let connecting = connected((&target.address, heard), link, (&self.shared.tls, pings));
        let mut open = connecting.await?;
        let hello = *self.shared.hello.lock();
        let hello = Hello { to: target.node, ..hello };
        let request = Request::post(format!("http://{}{}", target.address, route.path()))
            .header(HELLO_HEADER, hello.encode())
            .body(body);
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| CallError::Broken {
            address: target.address.clone(),
            source,
        };
        let request = request.map_err(|error| broken(error.into()))?;
        let sent = async {
            let answer = open.sender.send_request(request).await?;
            let status = answer.status();
            let bytes = axum::body::to_bytes(Body::new(answer.into_body()), route.body_bytes_max());
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, bytes.await?))
        };
        let answered = sent.await;
        let mut link = link.lock().await;
        match answered {
            Ok((StatusCode::OK, bytes)) => {
                link.missed = 0;
                Ok(bytes)
            }
            Ok((_, bytes)) => {
                link.missed = 0;
                let (address, source) = (target.address.clone(), Rejection::decode(&bytes));
                self.note(&address, &source, open.is_proven);
                Err(CallError::Refused { address, source })
            }
            Err(error) => {
                link.close(open.number);
                Err(broken(error))
            }
        }
    }
}

impl Link {
    /// Closes the failed connection, but not a newer one.
    fn close(&mut self, number: u64) {
        if self.open.as_ref().is_some_and(|open| open.number == number) {
            self.open = None;
            self.missed = 0;
        }
    }
}

/// The open connection, or a new one. Concurrent calls wait for the first one's.
async fn connected(
    (address, heard): (&str, Option<IpAddr>),
    link: &tokio::sync::Mutex<Link>,
    (tls, pings): (&PeerTls, Option<Pings>),
) -> Result<Open, CallError> {
    let mut link = link.lock().await;
    if let Some(open) = &link.open
        && !open.sender.is_closed()
        && !open.replaced.is_cancelled()
    {
        return Ok(open.clone());
    }
    let connecting = async {
        let addresses = link.lookup.addresses(address, heard).await?;
        connect(&addresses, tls, pings).await
    };
    let connecting = tokio::time::timeout(CONNECT_MAX, connecting).await;
    let connected = connecting.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let unreachable = |source| CallError::Unreachable { address: address.to_owned(), source };
    let (sender, is_proven, replaced) = connected.map_err(unreachable)?;
    let open = Open { sender, is_proven, replaced, number: link.opened + 1 };
    link.opened = open.number;
    link.missed = 0;
    link.lookup.clear();
    link.open = Some(open.clone());
    Ok(open)
}

async fn connect(
    addresses: &[SocketAddr],
    tls: &PeerTls,
    pings: Option<Pings>,
) -> std::io::Result<(SendRequest<Body>, bool, CancellationToken)> {
    let Channel { io, is_proven, replaced } = tls.connect(addresses).await?;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(WINDOW_BYTES);
    builder.initial_connection_window_size(WINDOW_BYTES);
    builder.max_frame_size(FRAME_BYTES_MAX);
    if let Some(pings) = pings {
        builder.timer(TokioTimer::new());
        builder.keep_alive_interval(pings.every).keep_alive_timeout(pings.within);
    }
    let handshake = builder.handshake(TokioIo::new(io)).await;
    let (sender, connection) = handshake.map_err(std::io::Error::other)?;
    // Ends with the last sender, or when the peer is gone; callers learn it from their calls.
    let until = replaced.clone();
    tokio::spawn(async move {
        let is_over = async {
            until.cancelled().await;
            tokio::time::sleep(REPLACED_GRACE).await;
        };
        tokio::select! {
            _ = connection => {}
            () = is_over => {}
        }
    });
    Ok((sender, is_proven, replaced))
}

async fn missed(link: &tokio::sync::Mutex<Link>) {
    // A call that timed out while it waited for another call's connection says nothing.
    let Ok(mut link) = link.try_lock() else { return };
    link.missed += 1;
    if link.missed >= MISSED_MAX {
        link.open = None;
        link.missed = 0;
    }
}
