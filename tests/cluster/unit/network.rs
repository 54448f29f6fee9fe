//! The network passes, holds, resets, delays and throttles, each direction separately. The members
//! are sockets of this process, known by their addresses.

use crate::harness::network::{Attachment, Identify, Network, Rule};
use crate::shared::{eventually, free_ports, reached};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

/// Generous: nothing here takes longer than a millisecond by itself.
const WITHIN: Duration = Duration::from_secs(20);
const DELAY: Duration = Duration::from_millis(50);

/// Three members, each with a listener and a datagram socket, behind a network.
struct Town {
    network: Network,
    attachments: Vec<Attachment>,
    listeners: Vec<TcpListener>,
    datagrams: Vec<UdpSocket>,
}

fn address(street: u8, member: u8, port: u16) -> SocketAddr {
    (Ipv4Addr::new(127, 7, street, 1 + member), port).into()
}

impl Town {
    async fn new() -> Self {
        let port = free_ports(2);
        let attachment = |member| Attachment {
            real_tcp: address(1, member, port),
            real_udp: address(1, member, port + 1),
            front_tcp: address(2, member, port),
            front_udp: address(2, member, port + 1),
        };
        let attachments: Vec<Attachment> = (0..3).map(attachment).collect();
        let (mut listeners, mut datagrams) = (Vec::new(), Vec::new());
        for at in &attachments {
            listeners.push(TcpListener::bind(at.real_tcp).await.unwrap());
            datagrams.push(UdpSocket::bind(at.real_udp).await.unwrap());
        }
        let known = attachments.clone();
        let identify: Identify =
            Arc::new(move |client, _| known.iter().position(|at| at.real_tcp.ip() == client.ip()));
        let network = Network::start(&attachments, identify).await;
        Self { network, attachments, listeners, datagrams }
    }

    /// Opens a connection from one member to another's front.
    async fn open(&self, from: usize, to: usize) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((self.attachments[from].real_tcp.ip(), 0).into()).unwrap();
        socket.connect(self.attachments[to].front_tcp).await.unwrap()
    }

    /// Both ends of a connection through the network.
    async fn connected(&self, from: usize, to: usize) -> (TcpStream, TcpStream) {
        let near = self.open(from, to).await;
        let (far, _) = self.listeners[to].accept().await.unwrap();
        (near, far)
    }

    async fn send_datagram(&self, from: usize, to: usize, text: &[u8]) {
        self.datagrams[from].send_to(text, self.attachments[to].front_udp).await.unwrap();
    }

    /// The next datagram that reaches a member, and its apparent source.
    async fn datagram(&self, to: usize) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 100];
        let received = tokio::time::timeout(WITHIN, self.datagrams[to].recv_from(&mut buffer));
        let (length, source) = received.await.unwrap().unwrap();
        (buffer[..length].to_vec(), source)
    }
}

/// Reads exactly this text.
async fn assert_arrives(stream: &mut TcpStream, text: &[u8]) {
    let mut buffer = vec![0; text.len()];
    tokio::time::timeout(WITHIN, stream.read_exact(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(buffer, text);
}

/// Nothing has arrived yet. A rule blocks what must not arrive, so one check is enough.
fn assert_silent(stream: &TcpStream) {
    let error = stream.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

async fn assert_ends(stream: &mut TcpStream) {
    let read = tokio::time::timeout(WITHIN, stream.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn everything_passes_both_ways_until_a_rule_is_set() {
    let town = Town::new().await;
    let (mut near, mut far) = town.connected(0, 1).await;
    near.write_all(b"question").await.unwrap();
    assert_arrives(&mut far, b"question").await;
    far.write_all(b"answer").await.unwrap();
    assert_arrives(&mut near, b"answer").await;
}

#[tokio::test]
async fn the_end_of_one_direction_leaves_the_other_open() {
    let town = Town::new().await;
    let (mut near, mut far) = town.connected(0, 1).await;
    near.shutdown().await.unwrap();
    assert_ends(&mut far).await;
    far.write_all(b"still here").await.unwrap();
    assert_arrives(&mut near, b"still here").await;
}

#[tokio::test]
async fn a_held_direction_keeps_its_bytes_and_the_other_one_passes() {
    let town = Town::new().await;
    let (mut near, mut far) = town.connected(0, 1).await;
    town.network.set(0, 1, Rule::Hold);
    near.write_all(b"held").await.unwrap();
    far.write_all(b"passes").await.unwrap();
    assert_arrives(&mut near, b"passes").await;
    assert_silent(&far);
    town.network.heal();
    assert_arrives(&mut far, b"held").await;
}

#[tokio::test]
async fn a_connection_opened_into_a_cut_reaches_its_end_only_after_it() {
    let town = Town::new().await;
    for pair in [(0, 1), (1, 0)] {
        town.network.set(pair.0, pair.1, Rule::Hold);
        let mut near = town.open(0, 1).await;
        near.write_all(b"late").await.unwrap();
        let accepted = tokio::time::timeout(DELAY, town.listeners[1].accept()).await;
        assert!(accepted.is_err(), "{pair:?}");
        town.network.heal();
        let (mut far, _) = town.listeners[1].accept().await.unwrap();
        assert_arrives(&mut far, b"late").await;
    }
}

#[tokio::test]
async fn a_rule_is_about_its_pair_only() {
    let town = Town::new().await;
    town.network.isolate(2);
    let (mut near, mut far) = town.connected(0, 1).await;
    near.write_all(b"unharmed").await.unwrap();
    assert_arrives(&mut far, b"unharmed").await;
    let _held = town.open(2, 0).await;
    let accepted = tokio::time::timeout(DELAY, town.listeners[0].accept()).await;
    assert!(accepted.is_err());
}

#[tokio::test]
async fn a_reset_ends_connections_and_refuses_new_ones() {
    let town = Town::new().await;
    let (mut near, mut far) = town.connected(0, 1).await;
    town.network.set_inbound(1, Rule::Reset);
    assert_ends(&mut near).await;
    assert_ends(&mut far).await;
    let mut again = town.open(0, 1).await;
    assert_ends(&mut again).await;
    town.network.heal();
    let (mut near, mut far) = town.connected(0, 1).await;
    near.write_all(b"back").await.unwrap();
    assert_arrives(&mut far, b"back").await;
}

#[tokio::test]
async fn a_connection_to_a_member_that_is_down_ends() {
    let mut town = Town::new().await;
    town.listeners.clear();
    let mut near = town.open(0, 1).await;
    assert_ends(&mut near).await;
}

#[tokio::test]
async fn a_stranger_is_not_let_in() {
    let town = Town::new().await;
    let mut stranger = TcpStream::connect(town.attachments[1].front_tcp).await.unwrap();
    assert_ends(&mut stranger).await;
}

#[tokio::test]
async fn delayed_and_throttled_bytes_arrive_late_but_whole() {
    let town = Town::new().await;
    let (mut near, mut far) = town.connected(0, 1).await;
    let slow = [Rule::Delay(DELAY), Rule::Throttle { bytes_per_s: 100 }];
    for rule in slow {
        town.network.set(0, 1, rule);
        let started = Instant::now();
        near.write_all(b"12345").await.unwrap();
        assert_arrives(&mut far, b"12345").await;
        assert!(started.elapsed() >= DELAY, "{rule:?}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn datagrams_seem_to_come_from_the_front_of_their_sender() {
    let town = Town::new().await;
    town.send_datagram(0, 1, b"syn").await;
    let (text, source) = town.datagram(1).await;
    assert_eq!((text.as_slice(), source), (b"syn".as_slice(), town.attachments[0].front_udp));
    town.datagrams[1].send_to(b"ack", source).await.unwrap();
    let (text, source) = town.datagram(0).await;
    assert_eq!((text.as_slice(), source), (b"ack".as_slice(), town.attachments[1].front_udp));
}

#[tokio::test]
async fn datagrams_into_a_cut_are_lost_and_later_ones_arrive() {
    let town = Town::new().await;
    for rule in [Rule::Hold, Rule::Reset] {
        town.network.set(0, 1, rule);
        town.send_datagram(0, 1, b"lost").await;
        // The same front takes datagrams in order: once this one is through, that one is lost.
        town.send_datagram(2, 1, b"other sender").await;
        assert_eq!(town.datagram(1).await.0, b"other sender");
        town.network.heal();
        town.send_datagram(0, 1, b"arrives").await;
        assert_eq!(town.datagram(1).await.0, b"arrives");
    }
}

#[tokio::test]
async fn delayed_datagrams_arrive_late() {
    let town = Town::new().await;
    town.network.set_outbound(0, Rule::Delay(DELAY));
    let started = Instant::now();
    town.send_datagram(0, 1, b"late").await;
    assert_eq!(town.datagram(1).await.0, b"late");
    assert!(started.elapsed() >= DELAY);
}

#[tokio::test]
#[should_panic(expected = "a miracle: none yet")]
async fn what_is_missing_at_the_deadline_is_told() {
    reached("a miracle:", Duration::ZERO, async || Err::<(), _>("none yet".to_owned())).await;
}

#[tokio::test]
async fn waiting_for_a_condition_ends_when_it_is_met() {
    let mut looks = 0;
    let found = eventually("the third look", WITHIN, async || {
        looks += 1;
        (looks == 3).then_some(looks)
    })
    .await;
    assert_eq!(found, 3);
}
