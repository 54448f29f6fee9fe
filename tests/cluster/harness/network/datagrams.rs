//! The UDP half. A member sends from its listening address, by which it is known. Its datagrams are
//! forwarded from its own front, so that answers also come through this network.

use super::rule::{Rule, Rules};
use super::{Attachment, Member};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;

/// The longest possible datagram.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// A member's address for the others.
pub(super) struct Front {
    socket: UdpSocket,
    real: SocketAddr,
}

impl Front {
    pub(super) async fn bind(at: Attachment) -> Self {
        Self { socket: UdpSocket::bind(at.front_udp).await.unwrap(), real: at.real_udp }
    }
}

/// Forwards between all fronts until the runtime ends.
pub(super) fn forward(fronts: Vec<Front>, rules: &Arc<Rules>) {
    let fronts = Arc::new(fronts);
    for to in 0..fronts.len() {
        tokio::spawn(forward_to(to, Arc::clone(&fronts), Arc::clone(rules)));
    }
}

async fn forward_to(to: Member, fronts: Arc<Vec<Front>>, rules: Arc<Rules>) {
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An error here is the echo of a datagram to a member that is down.
        let Ok((length, source)) = fronts[to].socket.recv_from(&mut datagram).await else {
            continue;
        };
        let Some(from) = fronts.iter().position(|front| front.real == source) else { continue };
        let passed = datagram[..length].to_vec();
        rules.note(&passed);
        match rules.of((from, to)) {
            Rule::Hold | Rule::Reset => {}
            Rule::Pass | Rule::Throttle { .. } => pass_on(&fronts, (from, to), &passed).await,
            Rule::Delay(by) => {
                let fronts = Arc::clone(&fronts);
                tokio::spawn(async move {
                    tokio::time::sleep(by).await;
                    pass_on(&fronts, (from, to), &passed).await;
                });
            }
        }
    }
}

async fn pass_on(fronts: &[Front], (from, to): (Member, Member), datagram: &[u8]) {
    // Datagrams may be lost.
    let _ = fronts[from].socket.send_to(datagram, fronts[to].real).await;
}
