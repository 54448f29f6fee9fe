//! The UDP socket under chitchat: seals what it sends, drops and counts what does not open. It is
//! bound before chitchat starts, because a node has to name its port. An address that cannot be
//! reached is no error here: gossip has others, and tries again.

use super::seal::{DATAGRAM_BYTES_MAX, NonceBytes, Refusal, Seal};
use anyhow::Context as _;
use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{ChitchatMessage, Deserializable as _, Serializable as _};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::Instant;

/// A wrong key refuses several datagrams a second, for as long as nobody mends it.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// A socket that fails this often in a row is broken; one that is out of memory recovers sooner.
const FAILURES_MAX: u32 = 50;
/// Keeps a failing socket from taking a processor.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket that waits for chitchat to open it, once.
pub(super) struct Bound(Mutex<Option<SealedSocket>>);

impl Bound {
    /// Datagrams of `socket` under `seal`; `refused` counts those that are dropped.
    pub(super) fn new(socket: UdpSocket, seal: Seal, refused: Arc<AtomicU64>) -> io::Result<Self> {
        let is_v6 = socket.local_addr()?.is_ipv6();
        let buffer = vec![0; DATAGRAM_BYTES_MAX];
        let complaints = Complaints { refused, warned_at: None };
        let socket = SealedSocket { socket, is_v6, seal, buffer, failures: 0, complaints };
        Ok(Self(Mutex::new(Some(socket))))
    }
}

/// The trait's errors are of `anyhow`, as chitchat has them.
#[async_trait]
impl Transport for Bound {
    async fn open(&self, _listen: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let bound = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Box::new(bound.context("the gossip socket is open already")?))
    }
}

struct SealedSocket {
    socket: UdpSocket,
    is_v6: bool,
    seal: Seal,
    buffer: Vec<u8>,
    /// Receives that failed in a row.
    failures: u32,
    complaints: Complaints,
}

#[async_trait]
impl Socket for SealedSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        let Some(to) = sendable(to, self.is_v6) else {
            tracing::debug!(%to, "no gossip to an address of another family");
            return Ok(());
        };
        let mut nonce = NonceBytes::default();
        getrandom::fill(&mut nonce).context("no randomness for a nonce")?;
        match self.seal.close(nonce, &message.serialize_to_vec()) {
            Ok(datagram) => {
                if let Err(error) = self.socket.send_to(&datagram, to).await {
                    tracing::debug!(%to, %error, "gossip not sent");
                }
            }
            Err(error) => tracing::warn!(%to, %error, "gossip not sent"),
        }
        Ok(())
    }

    /// May be dropped at any await: a datagram is received whole or not at all.
    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            match self.socket.recv_from(&mut self.buffer).await {
                Ok((length, from)) => {
                    self.failures = 0;
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    match read(&self.seal, &mut self.buffer[..length]) {
                        Ok(message) => return Ok((from, message)),
                        Err(refusal) => self.complaints.refuse(from, refusal, Instant::now()),
                    }
                }
                Err(error) if self.failures < FAILURES_MAX => {
                    self.failures += 1;
                    tracing::debug!(%error, "gossip not received");
                    tokio::time::sleep(FAILURE_PAUSE).await;
                }
                Err(error) => return Err(error).context("the gossip socket is broken"),
            }
        }
    }
}

fn read(seal: &Seal, datagram: &mut [u8]) -> Result<ChitchatMessage, Refusal> {
    let mut message = seal.open(datagram)?;
    ChitchatMessage::deserialize(&mut message).map_err(|_| Refusal::Undecodable)
}

/// The form in which a socket of this family sends to `to`; `None` when it cannot.
pub(super) fn sendable(to: SocketAddr, is_v6: bool) -> Option<SocketAddr> {
    match (to.ip().to_canonical(), is_v6) {
        (IpAddr::V4(ip), true) => Some(SocketAddr::new(ip.to_ipv6_mapped().into(), to.port())),
        (IpAddr::V4(ip), false) => Some(SocketAddr::new(ip.into(), to.port())),
        (IpAddr::V6(_), true) => Some(to),
        (IpAddr::V6(_), false) => None,
    }
}

/// Counts what is refused, and says so now and then.
struct Complaints {
    refused: Arc<AtomicU64>,
    warned_at: Option<Instant>,
}

impl Complaints {
    fn refuse(&mut self, from: SocketAddr, refusal: Refusal, now: Instant) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_due(now) {
            tracing::warn!(%from, refused, "gossip datagram refused: {refusal}");
        }
    }

    /// Whether it is time for a warning, which is then counted as given.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.warned_at.is_none_or(|at| now.duration_since(at) >= WARN_EVERY);
        if is_due {
            self.warned_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use proptest::prelude::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    async fn bound(secret: Option<&str>) -> (Box<dyn Socket>, SocketAddr, Arc<AtomicU64>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let refused = Arc::new(AtomicU64::new(0));
        let seal = Seal::new(secret.map(Secret::new).as_ref()).unwrap();
        let bound = Bound::new(socket, seal, Arc::clone(&refused)).unwrap();
        let socket = bound.open(local).await.unwrap();
        assert!(bound.open(local).await.is_err(), "one socket cannot be open twice");
        (socket, local, refused)
    }

    #[tokio::test]
    async fn a_message_passes_between_equal_keys_and_everything_else_is_counted() {
        let secret = Some("0123456789abcdef");
        let (mut sender, from, _) = bound(secret).await;
        let (mut stranger, _, _) = bound(Some("0123456789abcdeF")).await;
        let (mut plain, _, _) = bound(None).await;
        let (mut receiver, to, refused) = bound(secret).await;
        // Loopback keeps the order, so what comes out last proves that the others were dropped.
        stranger.send(to, ChitchatMessage::BadCluster).await.unwrap();
        plain.send(to, ChitchatMessage::BadCluster).await.unwrap();
        let junk = Seal::new(secret.map(Secret::new).as_ref()).unwrap();
        let junk = junk.close([7; 12], b"junk").unwrap();
        let raw = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        raw.send_to(&junk, to).await.unwrap();
        sender.send(to, ChitchatMessage::BadCluster).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), (from, ChitchatMessage::BadCluster));
        assert_eq!(refused.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_node_without_a_key_refuses_sealed_datagrams() {
        let (mut sealed, _, _) = bound(Some("0123456789abcdef")).await;
        let (mut plain, from, _) = bound(None).await;
        let (mut receiver, to, refused) = bound(None).await;
        sealed.send(to, ChitchatMessage::BadCluster).await.unwrap();
        plain.send(to, ChitchatMessage::BadCluster).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), (from, ChitchatMessage::BadCluster));
        assert_eq!(refused.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_reached_breaks_nothing() {
        let (mut sender, _, _) = bound(None).await;
        for unreachable in ["[::1]:9", "127.0.0.1:0"] {
            sender.send(address(unreachable), ChitchatMessage::BadCluster).await.unwrap();
        }
    }

    proptest! {
        #[test]
        fn a_hostile_datagram_is_refused_or_read_and_nothing_else(
            kind in 0_u8..5,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            // Magic number, protocol version and kind as chitchat writes them.
            let mut datagram = [&[0, 0x53, 0xb0, 0, kind][..], &body[..]].concat();
            match read(&Seal::Plain, &mut datagram) {
                Ok(ChitchatMessage::Syn { .. }) => prop_assert_eq!(kind, 0),
                Ok(ChitchatMessage::SynAck { .. }) => prop_assert_eq!(kind, 1),
                Ok(ChitchatMessage::Ack { .. }) => prop_assert_eq!(kind, 2),
                Ok(ChitchatMessage::BadCluster) => prop_assert_eq!(kind, 3),
                Err(refusal) => prop_assert_eq!(refusal, Refusal::Undecodable),
            }
        }
    }

    #[test]
    fn an_address_is_written_in_the_family_of_the_socket() {
        let (v4, mapped, v6) = ("10.0.0.1:5", "[::ffff:10.0.0.1]:5", "[fd00::1]:5");
        let cases = [
            (v4, false, Some(v4)),
            (v4, true, Some(mapped)),
            (mapped, false, Some(v4)),
            (mapped, true, Some(mapped)),
            (v6, true, Some(v6)),
            (v6, false, None),
        ];
        for (to, is_v6, expected) in cases {
            assert_eq!(sendable(address(to), is_v6), expected.map(address), "{to} {is_v6}");
        }
    }

    #[test]
    fn a_wrong_key_is_reported_at_most_once_a_minute() {
        let mut complaints = Complaints { refused: Arc::default(), warned_at: None };
        let start = Instant::now();
        let due = [0, 1, 59, 60, 61, 119, 120]
            .map(|seconds| complaints.is_due(start + Duration::from_secs(seconds)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
