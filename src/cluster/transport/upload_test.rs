//! Large bodies over real connections, to peers that read them at their own pace.

use super::super::client::Pings;
use super::super::tls::PeerTls;
use super::super::{CallError, Hello, PeerAddress, PeerRoute, Peers};
use super::*;
use crate::cluster::data_dir::identity::ClusterId;
use crate::state_machine::NodeId;
use futures_util::StreamExt as _;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A condition that is not met by then counts as never met.
const WITHIN: Duration = Duration::from_secs(20);
/// A deadline that no peer misses while it makes progress, on however busy a machine.
const STALLED: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(50);
const PATIENT: ProgressTimeout = ProgressTimeout { stalled: WITHIN, answered: WITHIN };
/// Bytes that are sent without being read: far fewer than a body has.
const WINDOW_BYTES: u32 = 64 * 1024;
const BODY_BYTES: usize = 16 * CHUNK_BYTES;

/// How a peer reads the body of a snapshot. It echoes all other calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// A frame of at most 16 KiB after each wait of this length.
    Slow(Duration),
    /// Nothing until allowed.
    Waits,
    /// All of it, and answers when allowed.
    WorksOnIt,
}

struct Reader {
    manner: Manner,
    /// Bytes of a snapshot that were read.
    read: AtomicUsize,
    /// A snapshot has begun, or is complete if the peer works on it.
    came: Notify,
    go_on: Notify,
}

impl Reader {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let is_snapshot = request.uri().path() == PeerRoute::Snapshot.path();
        let body = Body::new(request.into_body());
        if !is_snapshot {
            return Response::new(body);
        }
        if self.manner == Manner::Waits {
            self.came.notify_one();
            self.go_on.notified().await;
        }
        let mut frames = body.into_data_stream();
        while let Some(Ok(frame)) = frames.next().await {
            self.read.fetch_add(frame.len(), Ordering::Relaxed);
            if let Manner::Slow(pause) = self.manner {
                tokio::time::sleep(pause).await;
            }
        }
        if self.manner == Manner::WorksOnIt {
            self.came.notify_one();
            self.go_on.notified().await;
        }
        Response::new(Body::from(self.read.load(Ordering::Relaxed).to_string()))
    }

    /// Listens with small windows: accepted bytes are read bytes.
    async fn start(manner: Manner) -> (Arc<Self>, PeerAddress) {
        let (came, go_on) = Default::default();
        let reader = Arc::new(Self { manner, read: AtomicUsize::new(0), came, go_on });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let listening = Arc::clone(&reader);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&listening).serve(stream));
            }
        });
        (reader, PeerAddress { node: Some(NodeId(1)), address })
    }

    async fn serve(self: Arc<Self>, stream: impl AsyncStream) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(WINDOW_BYTES);
        builder.initial_connection_window_size(WINDOW_BYTES);
        let answer = service_fn(move |request| {
            let reader = Arc::clone(&self);
            async move { Ok::<_, Infallible>(reader.answer(request).await) }
        });
        builder.serve_connection(TokioIo::new(stream), answer).await.ok();
    }
}

trait AsyncStream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static> AsyncStream for T {}

fn hello() -> Hello {
    Hello::new(Some(ClusterId(7)), NodeId(2), 1, 1)
}

fn upload(
    peers: &Peers,
    target: &PeerAddress,
    patience: ProgressTimeout,
) -> tokio::task::JoinHandle<Result<Bytes, CallError>> {
    let (peers, target) = (peers.clone(), target.clone());
    let body = vec![1; BODY_BYTES];
    tokio::spawn(async move { peers.upload(&target, PeerRoute::Snapshot, body, patience).await })
}

async fn ended(
    upload: tokio::task::JoinHandle<Result<Bytes, CallError>>,
) -> Result<Bytes, CallError> {
    tokio::time::timeout(WITHIN, upload).await.unwrap().unwrap()
}

#[tokio::test]
async fn rule_28_a_snapshot_that_goes_on_is_waited_for_longer_than_one_that_does_not() {
    // A chunk takes a sixth of the deadline, the whole more than twice the deadline.
    let (_, target) = Reader::start(Manner::Slow(Duration::from_millis(10))).await;
    let begun = tokio::time::Instant::now();
    let patience = ProgressTimeout { stalled: STALLED, answered: STALLED };
    let answer = ended(upload(&Peers::new(hello(), PeerTls::new(None, false)), &target, patience))
        .await
        .unwrap();
    assert_eq!(answer, BODY_BYTES.to_string());
    assert!(begun.elapsed() > 2 * STALLED);
}

#[tokio::test]
async fn rule_28_a_snapshot_that_is_not_taken_any_more_is_given_up() {
    let (reader, target) = Reader::start(Manner::Waits).await;
    let patience = ProgressTimeout { stalled: SHORT, answered: WITHIN };
    let given_up =
        ended(upload(&Peers::new(hello(), PeerTls::new(None, false)), &target, patience)).await;
    let Err(CallError::TimedOut { within_ms, .. }) = given_up else { panic!("{given_up:?}") };
    assert_eq!((within_ms, reader.read.load(Ordering::Relaxed)), (SHORT.as_millis(), 0));
}

#[tokio::test]
async fn rule_28_the_installing_of_a_snapshot_has_a_deadline_of_its_own() {
    let (reader, target) = Reader::start(Manner::WorksOnIt).await;
    let peers = Peers::new(hello(), PeerTls::new(None, false));
    let impatient = ProgressTimeout { stalled: WITHIN, answered: SHORT };
    let given_up = ended(upload(&peers, &target, impatient)).await;
    let Err(CallError::TimedOut { within_ms, .. }) = given_up else { panic!("{given_up:?}") };
    assert_eq!((within_ms, reader.read.load(Ordering::Relaxed)), (SHORT.as_millis(), BODY_BYTES));

    let (reader, target) = Reader::start(Manner::WorksOnIt).await;
    let mut upload =
        upload(&peers, &target, ProgressTimeout { stalled: STALLED, answered: WITHIN });
    tokio::time::timeout(WITHIN, reader.came.notified()).await.unwrap();
    // Far longer than a transfer may stall.
    assert!(tokio::time::timeout(2 * STALLED, &mut upload).await.is_err());
    reader.go_on.notify_one();
    assert_eq!(ended(upload).await.unwrap(), BODY_BYTES.to_string());
}

#[tokio::test]
async fn rule_30_a_snapshot_under_way_holds_up_no_heartbeat() {
    let (reader, target) = Reader::start(Manner::Waits).await;
    let peers = Peers::new(hello(), PeerTls::new(None, false));
    let upload = upload(&peers, &target, PATIENT);
    tokio::time::timeout(WITHIN, reader.came.notified()).await.unwrap();
    // More than a connection can take while a body is not read.
    let append = vec![2; 2 * CHUNK_BYTES];
    for route in [PeerRoute::Append, PeerRoute::Vote, PeerRoute::Forward] {
        let answer = peers.call(&target, route, append.clone(), WITHIN).await.unwrap();
        assert!(answer == append, "{route:?}");
    }
    assert!(!upload.is_finished());
    reader.go_on.notify_one();
    assert_eq!(ended(upload).await.unwrap(), BODY_BYTES.to_string());
    assert_eq!(peers.opened(&target.address, PeerRoute::Snapshot).await, (1, true));
    assert_eq!(peers.opened(&target.address, PeerRoute::Append).await, (1, true));
}

#[tokio::test]
async fn rule_28_a_peer_that_is_cut_off_while_it_installs_is_found_out_by_pings() {
    let (reader, _) = Reader::start(Manner::WorksOnIt).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let target = PeerAddress { node: Some(NodeId(1)), address };
    let serving = Arc::clone(&reader);
    // Forwards bytes until the body is complete, then none, and keeps the connection open.
    let cut = tokio::spawn(async move {
        let (mut outside, _) = listener.accept().await.unwrap();
        let (mut inside, end) = tokio::io::duplex(CHUNK_BYTES);
        tokio::spawn(Arc::clone(&serving).serve(end));
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut outside, &mut inside) => {}
            () = serving.came.notified() => {}
        }
        (outside, inside)
    });
    let peers =
        Peers::pinging(hello(), PeerTls::new(None, false), Pings { every: SHORT, within: STALLED });
    let broken = ended(upload(&peers, &target, PATIENT)).await;
    assert!(matches!(broken, Err(CallError::Broken { .. })), "{broken:?}");
    drop(cut.await.unwrap());
    assert_eq!(reader.read.load(Ordering::Relaxed), BODY_BYTES);
}
