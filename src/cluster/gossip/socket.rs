//! The UDP socket under chitchat: it seals what it sends, and drops and counts what does not open.
//! It is bound before chitchat starts, because a node has to announce its port. An unreachable
//! address is not an error here: gossip has others, and retries.

use super::seal::{DATAGRAM_BYTES_MAX, Form, NonceBytes, Seal, SealError, SealRefusal, plain};
use anyhow::Context as _;
use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{ChitchatMessage, Deserializable as _, Serializable as _};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::Instant;

/// A wrong key causes several refusals a second until a person corrects it.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// A socket with this many failures in a row is broken; one without memory recovers sooner.
const FAILURES_MAX: u32 = 50;
/// Addresses whose form is remembered. A cluster has fewer members.
const SPEAKERS_MAX: usize = 1024;
/// Keeps a failing socket from using a whole processor.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// A replaceable seal. Clones share it.
#[derive(Clone)]
pub(super) struct SharedSeal(Arc<Mutex<Arc<Seal>>>);

impl SharedSeal {
    pub(super) fn new(seal: Seal) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(seal))))
    }

    pub(super) fn replace(&self, seal: Seal) {
        *self.0.lock() = Arc::new(seal);
    }

    fn now(&self) -> Arc<Seal> {
        Arc::clone(&self.0.lock())
    }
}

/// A bound socket that waits for chitchat to open it, once.
pub(super) struct Bound(Mutex<Option<SealedSocket>>);

impl Bound {
    /// Datagrams of `socket` under `seal`; `refused` counts dropped ones.
    pub(super) fn new(
        socket: UdpSocket,
        seal: SharedSeal,
        refused: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let is_v6 = socket.local_addr()?.is_ipv6();
        let buffer = vec![0; DATAGRAM_BYTES_MAX];
        let complaints = Complaints { refused, warned_at: None };
        let speakers = BTreeMap::new();
        let socket =
            SealedSocket { socket, is_v6, seal, speakers, buffer, failures: 0, complaints };
        Ok(Self(Mutex::new(Some(socket))))
    }
}

/// The trait's errors are of `anyhow`, as chitchat has them.
#[async_trait]
impl Transport for Bound {
    async fn open(&self, _listen: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let bound = self.0.lock().take();
        Ok(Box::new(bound.context("the gossip socket is open already")?))
    }
}

struct SealedSocket {
    socket: UdpSocket,
    is_v6: bool,
    seal: SharedSeal,
    /// The last form of each address, while both forms are accepted.
    speakers: BTreeMap<SocketAddr, Form>,
    buffer: Vec<u8>,
    /// Consecutive failures of receiving.
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
        for datagram in self.datagrams(to, nonce, &message.serialize_to_vec()) {
            match datagram {
                Ok(datagram) => {
                    if let Err(error) = self.socket.send_to(&datagram, to).await {
                        tracing::debug!(%to, %error, "gossip not sent");
                    }
                }
                Err(error) => tracing::warn!(%to, %error, "gossip not sent"),
            }
        }
        Ok(())
    }

    /// Cancel safe at any await: a datagram is received whole or not at all.
    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            match self.socket.recv_from(&mut self.buffer).await {
                Ok((length, from)) => {
                    self.failures = 0;
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    let seal = self.seal.now();
                    match read(&seal, &mut self.buffer[..length]) {
                        Ok((form, message)) => {
                            self.heard(&seal, from, form);
                            return Ok((from, message));
                        }
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

impl SealedSocket {
    /// The message in the form of the seal. While both forms are accepted it is in the form of the
    /// receiver, or in both until the receiver has sent one.
    fn datagrams(
        &self,
        to: SocketAddr,
        nonce: NonceBytes,
        message: &[u8],
    ) -> Vec<Result<Vec<u8>, SealError>> {
        let seal = self.seal.now();
        if !seal.takes_both() {
            return vec![seal.close(nonce, message)];
        }
        let to = SocketAddr::new(to.ip().to_canonical(), to.port());
        match self.speakers.get(&to) {
            Some(Form::Plain) => vec![plain(message)],
            Some(Form::Sealed) => vec![seal.close(nonce, message)],
            None => vec![seal.close(nonce, message), plain(message)],
        }
    }

    fn heard(&mut self, seal: &Seal, from: SocketAddr, form: Form) {
        if !seal.takes_both() {
            return self.speakers.clear();
        }
        if self.speakers.len() < SPEAKERS_MAX || self.speakers.contains_key(&from) {
            self.speakers.insert(from, form);
        }
    }
}

fn read(seal: &Seal, datagram: &mut [u8]) -> Result<(Form, ChitchatMessage), SealRefusal> {
    let (form, mut message) = seal.open(datagram)?;
    let message =
        ChitchatMessage::deserialize(&mut message).map_err(|_| SealRefusal::Undecodable)?;
    Ok((form, message))
}

/// The form of `to` for a socket of this family; `None` if it cannot send there.
pub(super) fn sendable(to: SocketAddr, is_v6: bool) -> Option<SocketAddr> {
    match (to.ip().to_canonical(), is_v6) {
        (IpAddr::V4(ip), true) => Some(SocketAddr::new(ip.to_ipv6_mapped().into(), to.port())),
        (IpAddr::V4(ip), false) => Some(SocketAddr::new(ip.into(), to.port())),
        (IpAddr::V6(_), true) => Some(to),
        (IpAddr::V6(_), false) => None,
    }
}

/// Counts refusals, and logs them at intervals.
struct Complaints {
    refused: Arc<AtomicU64>,
    warned_at: Option<Instant>,
}

impl Complaints {
    fn refuse(&mut self, from: SocketAddr, refusal: SealRefusal, now: Instant) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_due(now) {
            tracing::warn!(%from, refused, "gossip datagram refused: {refusal}");
        }
    }

    /// Whether a warning is due; it then counts as given.
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
    use crate::cluster::secrets::ClusterSecrets;
    use proptest::prelude::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn seal(secret: Option<&str>, takes_plain: bool) -> Seal {
        let secrets = secret.map(|secret| ClusterSecrets::parse(secret).unwrap());
        Seal::new(secrets.as_ref(), takes_plain).unwrap()
    }

    async fn bound(secret: Option<&str>) -> (Box<dyn Socket>, SocketAddr, Arc<AtomicU64>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let refused = Arc::new(AtomicU64::new(0));
        let bound = Bound::new(socket, SharedSeal::new(seal(secret, false)), Arc::clone(&refused));
        let bound = bound.unwrap();
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
        // Loopback keeps the order, so the last one proves that the others were dropped.
        stranger.send(to, ChitchatMessage::BadCluster).await.unwrap();
        plain.send(to, ChitchatMessage::BadCluster).await.unwrap();
        let junk = seal(secret, false);
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
    async fn while_both_forms_are_taken_each_node_is_answered_in_its_own() {
        let secret = Some("0123456789abcdef");
        let (mut plain, plain_at, _) = bound(None).await;
        let (mut sealed, sealed_at, _) = bound(secret).await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = socket.local_addr().unwrap();
        let both = Bound::new(socket, SharedSeal::new(seal(secret, true)), Arc::default()).unwrap();
        let mut both = both.open(to).await.unwrap();
        // No datagram has come yet: the receiver understands one of the two forms.
        for (at, node) in [(plain_at, &mut plain), (sealed_at, &mut sealed)] {
            both.send(at, ChitchatMessage::BadCluster).await.unwrap();
            assert_eq!(node.recv().await.unwrap(), (to, ChitchatMessage::BadCluster));
            node.send(to, ChitchatMessage::BadCluster).await.unwrap();
            assert_eq!(both.recv().await.unwrap(), (at, ChitchatMessage::BadCluster));
            both.send(at, ChitchatMessage::BadCluster).await.unwrap();
            assert_eq!(node.recv().await.unwrap(), (to, ChitchatMessage::BadCluster));
        }
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
            // Magic number, protocol version and kind, as chitchat writes them.
            let mut datagram = [&[0, 0x53, 0xb0, 0, kind][..], &body[..]].concat();
            match read(&Seal::Plain, &mut datagram) {
                Ok((_, ChitchatMessage::Syn { .. })) => prop_assert_eq!(kind, 0),
                Ok((_, ChitchatMessage::SynAck { .. })) => prop_assert_eq!(kind, 1),
                Ok((_, ChitchatMessage::Ack { .. })) => prop_assert_eq!(kind, 2),
                Ok((_, ChitchatMessage::BadCluster)) => prop_assert_eq!(kind, 3),
                Err(refusal) => prop_assert_eq!(refusal, SealRefusal::Undecodable),
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
